//! Import of operators that pick and place elements by constants: what they compute is an order of the
//! elements of one or two operands.
//!
//! Source: ONNX operators, `GatherElements`, `GatherND`, `ScatterElements`, `ScatterND`,
//! `TensorScatter`, `Compress`, `ReverseSequence`, `CenterCropPad`.

use super::super::act::{Act, Batch, Frame, Kind};
use super::super::constant::Value;
use super::super::error::ImportError;
use super::super::graph::Arithmetic;
use super::super::walk::AxisWalk;
use super::{Imported, NodeContext};

/// Most elements of an activation that are picked one by one.
const PICKS_MAX: usize = 1 << 16;

impl NodeContext<'_> {
    /// `act` as a list, which only a value without batch is.
    pub(super) fn listed(&mut self, act: &Act) -> Result<Act, ImportError> {
        let act = self.settled(act, format!("{} across samples", self.node.op))?;
        let frame = Frame {
            dims: vec![act.dims.iter().product()],
            batch: Batch::Absent,
        };
        self.framed(&act, frame)
    }

    /// Elements `picks` of a list, as `dims`.
    pub(super) fn arranged(
        &mut self,
        list: &Act,
        picks: &[usize],
        dims: Vec<usize>,
    ) -> Result<Act, ImportError> {
        if picks.is_empty() || picks.len() > PICKS_MAX {
            return Err(self.refuse(
                format!("{} elements picked one by one", picks.len()),
                "1 to 65536 elements",
                "use Gather or Slice, which move whole rows",
            ));
        }
        let moved = self.picked(list, 0, picks)?;
        let batch = Batch::Absent;
        self.framed(&moved, Frame { dims, batch })
    }

    /// Input `index` as constant indices: their dimensions and values.
    fn indices(&self, index: usize) -> Result<(Vec<usize>, Vec<i64>), ImportError> {
        let values = self.known_ints(index)?;
        match self.value(index)? {
            Value::Int(c) => Ok((c.dims.clone(), values)),
            Value::Activation(_) | Value::Float(_) => Err(self.unknown_target()),
        }
    }

    /// Elements along an axis, each by its own index.
    pub(super) fn gather_elements(&mut self) -> Imported {
        self.allow(&["axis"])?;
        if let Some(value) = self.picked_alike()? {
            return Ok(value);
        }
        let act = self.act(0)?;
        let (dims, indices) = self.indices(1)?;
        let axis = self.axis(self.int("axis", 0)?, act.dims.len())?;
        if axis + 1 == act.dims.len()
            && let Some(made) = self.picked_by_distance(&act, &dims, &indices)?
        {
            return Ok(self.value_of(made));
        }
        let picks = self.cells_along(&act.dims, axis, &dims, &indices)?;
        let list = self.listed(&act)?;
        let made = self.arranged(&list, &picks, dims)?;
        Ok(self.value_of(made))
    }

    /// A constant that is one number everywhere, picked by computed indices: that number (the token
    /// types of a model that has one type).
    fn picked_alike(&mut self) -> Result<Option<Value>, ImportError> {
        let (Value::Float(_) | Value::Int(_), Value::Activation(indices)) =
            (self.value(0)?, self.value(1)?)
        else {
            return Ok(None);
        };
        let dims = indices.dims.clone();
        let act = self.act(0)?;
        let elements = self.constant_of(act.node).unwrap_or_default();
        let first = elements.first().copied();
        let only = first.filter(|first| elements.iter().all(|v| v.to_bits() == first.to_bits()));
        let Some(only) = only else {
            return Ok(None);
        };
        let made = self.constant_act(dims.clone(), vec![only; dims.iter().product()], act.kind)?;
        Ok(Some(self.value_of(made)))
    }

    /// For each index the cell of `data` at its own place, but for `axis`, where it is the index.
    fn cells_along(
        &self,
        data: &[usize],
        axis: usize,
        dims: &[usize],
        indices: &[i64],
    ) -> Result<Vec<usize>, ImportError> {
        let fits = dims.len() == data.len()
            && (0..dims.len()).all(|a| a == axis || dims[a] <= data[a])
            && dims.iter().product::<usize>() == indices.len();
        if !fits {
            return Err(self.no_picks(data, dims));
        }
        let mut cells = Vec::with_capacity(indices.len());
        for (flat, &index) in indices.iter().enumerate() {
            let (mut rest, mut stride, mut cell) = (flat, 1, 0);
            for a in (0..dims.len()).rev() {
                let place = rest % dims[a];
                rest /= dims[a];
                let at = if a == axis {
                    self.cell(index, data[a])?
                } else {
                    place
                };
                cell += at * stride;
                stride *= data[a];
            }
            cells.push(cell);
        }
        Ok(cells)
    }

    fn no_picks(&self, data: &[usize], indices: &[usize]) -> ImportError {
        self.refuse(
            format!("indices of shape {indices:?} into {data:?}"),
            "constant indices that fit the shape",
            "check the model with onnx.checker",
        )
    }

    /// Blocks by tuples of indices.
    pub(super) fn gather_tuples(&mut self) -> Imported {
        self.allow(&["batch_dims"])?;
        let act = self.act(0)?;
        let (dims, indices) = self.indices(1)?;
        let batched = usize::try_from(self.int("batch_dims", 0)?).unwrap_or(usize::MAX);
        let (starts, block) = self.blocks(&act.dims, &dims, &indices, batched)?;
        let picks: Vec<usize> = starts.iter().flat_map(|&s| s..s + block).collect();
        let width = dims.last().copied().unwrap_or(0);
        let tail = act.dims.get(batched + width..).unwrap_or_default();
        let out = [&dims[..dims.len() - 1], tail].concat();
        let list = self.listed(&act)?;
        let made = self.arranged(&list, &picks, out)?;
        Ok(self.value_of(made))
    }

    /// The first cell of the block at each tuple of indices, and the cells of a block; the first
    /// `batched` axes of both are one another's.
    fn blocks(
        &self,
        data: &[usize],
        dims: &[usize],
        indices: &[i64],
        batched: usize,
    ) -> Result<(Vec<usize>, usize), ImportError> {
        let refuse = || self.no_picks(data, dims);
        let (&width, outer) = dims.split_last().ok_or_else(refuse)?;
        let shared = data.get(..batched).filter(|d| outer.starts_with(d));
        let (Some(shared), Some(inner)) = (shared, data.get(batched..)) else {
            return Err(refuse());
        };
        let block: usize = inner.get(width..).ok_or_else(refuse)?.iter().product();
        let tuples = indices.len().checked_div(width).ok_or_else(refuse)?;
        let batches: usize = shared.iter().product();
        if !tuples.is_multiple_of(batches.max(1)) || tuples != outer.iter().product::<usize>() {
            return Err(refuse());
        }
        let (size, each) = (inner.iter().product::<usize>(), tuples / batches.max(1));
        let mut starts = Vec::with_capacity(tuples);
        for (at, tuple) in indices.chunks_exact(width).enumerate() {
            let mut cell = 0;
            for (&index, &extent) in tuple.iter().zip(inner) {
                cell = cell * extent + self.cell(index, extent)?;
            }
            starts.push(at / each.max(1) * size + cell * block);
        }
        Ok((starts, block))
    }

    /// Elements replaced along an axis, each at its own index.
    pub(super) fn scatter_elements(&mut self) -> Imported {
        self.allow(&["axis", "reduction"])?;
        let data = self.act(0)?;
        let (dims, indices) = self.indices(1)?;
        let axis = self.axis(self.int("axis", 0)?, data.dims.len())?;
        let targets = self.cells_along(&data.dims, axis, &dims, &indices)?;
        self.placed_at(&data, &targets)
    }

    /// Blocks replaced at tuples of indices.
    pub(super) fn scatter_tuples(&mut self) -> Imported {
        self.allow(&["reduction"])?;
        let data = self.act(0)?;
        let (dims, indices) = self.indices(1)?;
        let (starts, block) = self.blocks(&data.dims, &dims, &indices, 0)?;
        let targets: Vec<usize> = starts.iter().flat_map(|&s| s..s + block).collect();
        self.placed_at(&data, &targets)
    }

    /// Rows of a cache replaced from an index of each sample on.
    pub(super) fn scatter_rows(&mut self) -> Imported {
        self.allow(&["axis", "mode"])?;
        let (data, update) = (self.act(0)?, self.act(1)?);
        let axis = self.axis(self.int("axis", -2)?, data.dims.len())?;
        let circular = self.text("mode", "linear")? == "circular";
        let first = if self.has(2) {
            self.known_ints(2)?
        } else {
            vec![0; data.dims[0]]
        };
        let rows = update.dims.get(axis).copied().unwrap_or(0);
        let samples: usize = data.dims[..axis.min(1)].iter().product();
        if axis == 0 || first.len() != samples || rows == 0 {
            return Err(self.no_picks(&data.dims, &update.dims));
        }
        let (extent, inner) = (
            data.dims[axis],
            data.dims[axis + 1..].iter().product::<usize>(),
        );
        let middle: usize = data.dims[1..axis].iter().product();
        let mut targets = Vec::new();
        for (sample, &first) in first.iter().enumerate() {
            let first = usize::try_from(first).unwrap_or(usize::MAX);
            for outer in sample * middle..(sample + 1) * middle {
                for row in 0..rows {
                    let row = first.saturating_add(row);
                    let row = if circular { row % extent } else { row };
                    if row >= extent {
                        return Err(self.no_picks(&data.dims, &update.dims));
                    }
                    let start = (outer * extent + row) * inner;
                    targets.extend(start..start + inner);
                }
            }
        }
        let made = self.replaced(&data, &targets, &update)?;
        Ok(self.value_of(made))
    }

    /// Input 2 at the cells `targets` of `data`, combined with what is there as `reduction` says.
    fn placed_at(&mut self, data: &Act, targets: &[usize]) -> Imported {
        let updates = self.act(2)?;
        let reduction = self.text("reduction", "none")?;
        let made = match reduction.as_str() {
            "none" => self.replaced(data, targets, &updates)?,
            "add" | "mul" | "max" | "min" => {
                self.combined_at(data, targets, &updates, &reduction)?
            }
            other => {
                let what = format!("attribute \"reduction\" = {other:?}");
                return Err(self.refuse(
                    what,
                    "none, add, mul, max, min",
                    "check the model with onnx.checker",
                ));
            }
        };
        Ok(self.value_of(made))
    }

    /// `data` with the cells `targets` replaced by the elements of `updates`; of several for one cell
    /// the last one stays.
    fn replaced(
        &mut self,
        data: &Act,
        targets: &[usize],
        updates: &Act,
    ) -> Result<Act, ImportError> {
        let (dims, kind) = (data.dims.clone(), data.kind);
        let cells: usize = dims.iter().product();
        if updates.dims.iter().product::<usize>() != targets.len() {
            return Err(self.no_picks(&dims, &updates.dims));
        }
        let (data, updates) = (self.listed(data)?, self.listed(updates)?);
        let both = self.joined(&[data, updates], 0)?;
        let mut picks: Vec<usize> = (0..cells).collect();
        for (update, &target) in targets.iter().enumerate() {
            picks[target] = cells + update;
        }
        let made = self.arranged(&both, &picks, dims)?;
        Ok(Act { kind, ..made })
    }

    /// `data` with the cells `targets` combined with the elements of `updates`, one after the other.
    fn combined_at(
        &mut self,
        data: &Act,
        targets: &[usize],
        updates: &Act,
        reduction: &str,
    ) -> Result<Act, ImportError> {
        let dims = data.dims.clone();
        let cells: usize = dims.iter().product();
        let count = targets.len();
        if updates.dims.iter().product::<usize>() != count {
            return Err(self.no_picks(&dims, &updates.dims));
        }
        let updates = self.listed(updates)?;
        let mut result = data.clone();
        for layer in layers(targets, cells) {
            let touched = layer.iter().any(Option::is_none);
            // What is not touched meets what changes nothing: itself, 0 or 1.
            let (list, fallback) = if reduction == "max" || reduction == "min" {
                let list = self.listed(&result)?;
                (self.joined(&[updates.clone(), list], 0)?, None)
            } else {
                let neutral = f32::from(u8::from(reduction == "mul"));
                let neutral = self.constant_act(vec![1], vec![neutral], Kind::Float)?;
                let list = if touched {
                    self.joined(&[updates.clone(), neutral], 0)?
                } else {
                    updates.clone()
                };
                (list, Some(count))
            };
            let pick = |(cell, update): (usize, &Option<usize>)| {
                update.unwrap_or_else(|| fallback.unwrap_or(count + cell))
            };
            let picks: Vec<usize> = layer.iter().enumerate().map(pick).collect();
            let other = self.arranged(&list, &picks, dims.clone())?;
            result = match reduction {
                "add" => self.pair_of(Arithmetic::Add, &result, &other)?,
                "mul" => self.pair_of(Arithmetic::Mul, &result, &other)?,
                _ => self.larger(&result, &other, reduction == "max")?,
            };
        }
        Ok(result)
    }

    /// The cells of an axis, or of all elements, where a constant condition holds.
    pub(super) fn compress(&mut self) -> Imported {
        self.allow(&["axis"])?;
        let mut act = self.act(0)?;
        let axis = match self.attribute("axis") {
            None => {
                act = self.listed(&act)?;
                0
            }
            Some(_) => self.axis(self.int("axis", 0)?, act.dims.len())?,
        };
        let extent = act.dims[axis];
        let held = self.known_ints(1)?;
        let picks = held.iter().take(extent).enumerate();
        let picks: Vec<usize> = picks.filter(|(_, v)| **v != 0).map(|(at, _)| at).collect();
        if picks.is_empty() {
            return Err(self.refuse(
                "a condition that never holds".to_owned(),
                "at least one element",
                "remove the empty layer",
            ));
        }
        let act = self.apart(&act, &[axis])?;
        let made = self.picked(&act, axis, &picks)?;
        Ok(self.value_of(made))
    }

    /// The first steps of each sequence in reverse order.
    pub(super) fn reverse_sequence(&mut self) -> Imported {
        self.allow(&["batch_axis", "time_axis"])?;
        let act = self.act(0)?;
        let rank = act.dims.len();
        let batch = self.axis(self.int("batch_axis", 1)?, rank)?;
        let time = self.axis(self.int("time_axis", 0)?, rank)?;
        let lengths = self.known_ints(1)?;
        if batch == time || lengths.len() != act.dims[batch] {
            return Err(self.no_picks(&act.dims, &[lengths.len()]));
        }
        let steps = act.dims[time];
        let turned = |length: i64| -> Vec<usize> {
            let length = usize::try_from(length).unwrap_or(0).min(steps);
            (0..length).rev().chain(length..steps).collect()
        };
        if let (Batch::Own(own), &[length]) = (act.batch, lengths.as_slice())
            && own == batch
        {
            // Every sample is one sequence, all of one length.
            let act = self.apart(&act, &[time])?;
            let made = self.picked(&act, time, &turned(length))?;
            return Ok(self.value_of(made));
        }
        let act = self.apart(&act, &[batch, time])?;
        let mut parts = Vec::with_capacity(lengths.len());
        for (sequence, &length) in lengths.iter().enumerate() {
            let part = self.range(&act, batch, sequence, 1)?;
            parts.push(self.picked(&part, time, &turned(length))?);
        }
        let made = self.joined(&parts, batch)?;
        Ok(self.value_of(made))
    }

    /// Axes cropped to, or filled up with zeros to, constant extents, about the middle.
    pub(super) fn center(&mut self) -> Imported {
        self.allow(&["axes"])?;
        let act = self.act(0)?;
        let sizes = self.sizes_with_batch(1)?;
        let axes = match self.ints("axes")? {
            Some(axes) => axes,
            None => (0..).take(act.dims.len()).collect(),
        };
        if axes.len() != sizes.len() {
            return Err(self.unknown_target());
        }
        let mut walks = Self::whole(&act);
        for (&axis, &size) in axes.iter().zip(&sizes) {
            let axis = self.axis(axis, act.dims.len())?;
            let signed = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
            let (from, to) = (signed(act.dims[axis]), signed(size));
            walks[axis] = AxisWalk {
                offset: if to < from {
                    (from - to) / 2
                } else {
                    -((to - from) / 2)
                },
                ..AxisWalk::whole(size)
            };
        }
        let made = self.walk(&act, &walks, 0.0)?;
        Ok(self.value_of(made))
    }
}

/// Updates in layers, each of which touches a cell once at most: for each cell the update.
fn layers(targets: &[usize], cells: usize) -> Vec<Vec<Option<usize>>> {
    let mut layers: Vec<Vec<Option<usize>>> = Vec::new();
    for (update, &target) in targets.iter().enumerate() {
        let free = layers.iter().position(|layer| layer[target].is_none());
        let layer = free.unwrap_or_else(|| {
            layers.push(vec![None; cells]);
            layers.len() - 1
        });
        layers[layer][target] = Some(update);
    }
    layers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn updates_of_one_cell_are_in_layers_of_their_own() {
        let found = layers(&[1, 0, 1], 2);
        assert_eq!(found, [vec![Some(1), Some(0)], vec![None, Some(2)]]);
    }
}

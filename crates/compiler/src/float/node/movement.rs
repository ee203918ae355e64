//! Import of operators that move elements: slices, splits, pads, concatenation, repetition.

use super::super::act::{Act, Batch, Frame, Kind};
use super::super::constant::{Const, Value};
use super::super::error::ImportError;
use super::super::graph::FloatOp;
use super::super::symbolic::SymInt;
use super::super::walk::{AxisWalk, STEP_MAX};
use super::{Imported, NodeContext};
use crate::onnx::ELEMENTS_MAX;

/// The least end of a slice along the batch that means all samples, whatever their number: tf2onnx writes it, others
/// the largest number of a type.
const ALL_SAMPLES_MIN: i64 = 1_000_000_000;

impl NodeContext<'_> {
    /// Walks over the axes of `act`, one for each of its dimensions; nothing if nothing moves.
    pub(super) fn walk(
        &mut self,
        act: &Act,
        walks: &[AxisWalk],
        fill: f32,
    ) -> Result<Act, ImportError> {
        let moves = |axis: &usize| walks[*axis] != AxisWalk::whole(act.dims[*axis]);
        let moved: Vec<usize> = (0..walks.len()).filter(moves).collect();
        if moved.is_empty() {
            return Ok(act.clone());
        }
        let fits = walks.iter().all(|walk| {
            walk.numerator.abs() <= STEP_MAX
                && (1..=STEP_MAX).contains(&walk.denominator)
                && walk.offset.unsigned_abs() <= ELEMENTS_MAX as u64
        });
        if !fits {
            return Err(self.refuse(
                "a step of more than 65536 cells".to_owned(),
                "steps of 1 to 65536",
                "use a smaller step",
            ));
        }
        let act = self.apart(act, &moved)?;
        let frame = Frame {
            dims: walks.iter().map(|walk| walk.extent).collect(),
            batch: act.batch,
        };
        let kept = (0..walks.len()).filter(|&axis| act.batch != Batch::Own(axis));
        let walks: Vec<AxisWalk> = kept.map(|axis| walks[axis]).collect();
        let op = FloatOp::Walk(walks, fill);
        let node = self.push(op, vec![act.node], frame.shape())?;
        Ok(Act {
            node,
            dims: frame.dims,
            batch: frame.batch,
            kind: act.kind,
        })
    }

    /// The walks that leave every axis as it is.
    pub(super) fn whole(act: &Act) -> Vec<AxisWalk> {
        act.dims.iter().map(|&e| AxisWalk::whole(e)).collect()
    }

    /// Parts along axes: constant starts, ends and steps.
    pub(super) fn slice(&mut self) -> Imported {
        self.allow(&["starts", "ends", "axes"])?;
        let source = self.source(0)?;
        let act = source.act.clone();
        let listed = |context: &Self, index: usize, name: &str| match context.ints(name)? {
            Some(values) => Ok(values),
            None => context.bounds(index),
        };
        let (starts, ends) = (listed(self, 1, "starts")?, listed(self, 2, "ends")?);
        let axes = match (self.ints("axes")?, self.has(3)) {
            (Some(axes), _) => axes,
            (None, true) => self.known_ints(3)?,
            (None, false) => (0..).take(starts.len()).collect(),
        };
        let steps = if self.has(4) {
            self.known_ints(4)?
        } else {
            vec![1; starts.len()]
        };
        if ends.len() != starts.len() || axes.len() != starts.len() || steps.len() != starts.len() {
            return Err(self.unknown_target());
        }
        let mut walks = Self::whole(&act);
        for (index, &axis) in axes.iter().enumerate() {
            let (start, end, step) = (starts[index], ends[index], steps[index]);
            let axis = self.axis(axis, act.dims.len())?;
            let is_activation = self.constant_of(act.node).is_none();
            if act.batch.axis() == Some(axis) && !(start == 0 && end == i64::MAX && step == 1) {
                // The whole batch is no slice.
                let whole = start == 0 && end >= ALL_SAMPLES_MIN && step == 1;
                if !whole && self.importer.batch.known().is_none() {
                    return Err(self.mixes_samples("Slice along the batch axis".to_owned()));
                }
            }
            walks[axis] = self.part(start, end, step, act.dims[axis], is_activation)?;
        }
        let moved = self.walk(&act, &walks, 0.0)?;
        self.moved(source.ints(), moved)
    }

    /// Whole numbers of a slice; the batch size as an end means all samples.
    fn bounds(&self, index: usize) -> Result<Vec<i64>, ImportError> {
        let Value::Int(c) = self.value(index)? else {
            return self.known_ints(index);
        };
        let whole = |value: &SymInt| {
            let all = *value == SymInt::BATCH;
            value.known().or_else(|| all.then_some(i64::MAX))
        };
        let bounds: Option<Vec<i64>> = c.elements.iter().map(whole).collect();
        bounds.map_or_else(|| self.known_ints(index), Ok)
    }

    /// The cells `start, start + step, ...` before `end` of an axis.
    fn part(
        &self,
        start: i64,
        end: i64,
        step: i64,
        extent: usize,
        is_activation: bool,
    ) -> Result<AxisWalk, ImportError> {
        if extent == 0 {
            return Ok(AxisWalk::whole(0));
        }
        let cells = i64::try_from(extent).unwrap_or(i64::MAX);
        let from_end = |at: i64| if at < 0 { at.saturating_add(cells) } else { at };
        let (low, high) = if step < 0 {
            (-1, cells - 1)
        } else {
            (0, cells)
        };
        let start = from_end(start).clamp(low.max(0), high);
        let end = from_end(end).clamp(low, high);
        let span = if step < 0 { start - end } else { end - start };
        let stride = step.checked_abs().filter(|&s| s >= 1);
        let count = stride.map(|s| span.max(0).saturating_add(s - 1) / s);
        let count = count
            .and_then(|c| usize::try_from(c).ok())
            .filter(|&c| c >= 1 || !is_activation);
        let Some(extent) = count else {
            return Err(self.refuse(
                format!("an empty slice {start}..{end} of step {step}"),
                "at least one cell",
                "check the model with onnx.checker",
            ));
        };
        Ok(AxisWalk {
            numerator: if extent <= 1 { 1 } else { step },
            offset: start,
            ..AxisWalk::whole(extent)
        })
    }

    /// Elements along an axis by their indices.
    pub(super) fn gather(&mut self) -> Imported {
        self.allow(&["axis"])?;
        if let Value::Activation(_) = self.value(1)? {
            return self.embedding();
        }
        let source = self.source(0)?;
        let act = source.act.clone();
        let axis = self.axis(self.int("axis", 0)?, act.dims.len())?;
        let picks = self.known_ints(1)?;
        let Value::Int(indices) = self.value(1)?.clone() else {
            return Err(self.unknown_target());
        };
        let extent = act.dims[axis];
        let picks: Result<Vec<usize>, ImportError> =
            picks.iter().map(|&pick| self.cell(pick, extent)).collect();
        let moved = self.picked(&act, axis, &picks?)?;
        let mut dims = moved.dims.clone();
        dims.splice(axis..=axis, indices.dims.iter().copied());
        self.check_rank(dims.len())?;
        let batch = moved.batch;
        let batch = match batch.axis() {
            Some(at) if at > axis => batch.at(at + indices.dims.len() - 1),
            Some(at) if at == axis && indices.dims.is_empty() => Batch::Absent,
            Some(_) | None => batch,
        };
        let framed = self.framed(&moved, Frame { dims, batch })?;
        self.moved(source.ints(), framed)
    }

    /// Cells `picks` of axis `axis`: one walk where they are at equal distances, else runs of such
    /// behind one another.
    pub(super) fn picked(
        &mut self,
        act: &Act,
        axis: usize,
        picks: &[usize],
    ) -> Result<Act, ImportError> {
        let mut parts = Vec::new();
        for run in runs(picks) {
            let mut walks = Self::whole(act);
            let at = |i: usize| i64::try_from(run[i]).unwrap_or(i64::MAX);
            walks[axis] = AxisWalk {
                numerator: if run.len() > 1 { at(1) - at(0) } else { 1 },
                offset: if run.is_empty() { 0 } else { at(0) },
                ..AxisWalk::whole(run.len())
            };
            parts.push(self.walk(act, &walks, 0.0)?);
        }
        self.joined(&parts, axis)
    }

    /// Rows of a constant table, picked by an activation of whole numbers.
    fn embedding(&mut self) -> Imported {
        let table = match self.value(0)?.clone() {
            Value::Float(table) => table,
            Value::Int(_) => {
                let act = self.act(0)?;
                let elements = self.constant_of(act.node).unwrap_or_default().to_vec();
                Const::new(act.dims, elements)
            }
            Value::Activation(_) => {
                return Err(self.refuse(
                    "an activation picks from an activation".to_owned(),
                    "constant indices, or a constant table",
                    "move the choice out of the model",
                ));
            }
        };
        let indices = self.act(1)?;
        let axis = self.axis(self.int("axis", 0)?, table.dims.len())?;
        self.spend(table.elements.len())?;
        let order = core::iter::once(axis).chain((0..table.dims.len()).filter(|&a| a != axis));
        let order: Vec<usize> = order.collect();
        let table = if axis == 0 {
            table
        } else {
            table.transpose(&order)
        };
        let rank = indices.dims.len();
        let act = self.rows_of_table(&table, &indices)?;
        // [indices][rest] to [rest before the axis][indices][rest behind it].
        let perm = (rank..rank + axis)
            .chain(0..rank)
            .chain(rank + axis..act.dims.len());
        let perm: Vec<usize> = perm.collect();
        let act = self.turned(&act, &perm)?;
        Ok(self.value_of(act))
    }

    /// Rows of a constant table, `[rows]..`, that whole numbers pick: `[indices]..`.
    pub(super) fn rows_of_table(
        &mut self,
        table: &Const<f32>,
        indices: &Act,
    ) -> Result<Act, ImportError> {
        let Some((&rows, rest)) = table.dims.split_first() else {
            return Err(self.unknown_target());
        };
        let columns: usize = rest.iter().product();
        if rows == 0 || columns == 0 {
            return Err(self.unknown_target());
        }
        let op = FloatOp::Embedding {
            rows,
            columns,
            table: table.elements.to_vec(),
        };
        let mut shape = self.shape_of(indices.node).to_vec();
        shape.push(columns);
        let node = self.push(op, vec![indices.node], shape)?;
        let dims = [indices.dims.as_slice(), rest].concat();
        self.check_rank(dims.len())?;
        let frame = Frame {
            dims,
            batch: indices.batch,
        };
        Ok(Act {
            node: self.view(node, frame.shape())?,
            dims: frame.dims,
            batch: frame.batch,
            kind: Kind::Float,
        })
    }

    /// Parts along one axis; every output becomes a value.
    pub(super) fn split(&mut self) -> Result<Vec<Value>, ImportError> {
        self.allow(&["axis", "split", "num_outputs"])?;
        let source = self.source(0)?;
        let act = source.act.clone();
        let axis = self.axis(self.int("axis", 0)?, act.dims.len())?;
        let act = self.apart(&act, &[axis])?;
        let extent = act.dims[axis];
        let count = self.node.outputs.len();
        let sizes = match (self.ints("split")?, self.has(1)) {
            (Some(sizes), _) => sizes,
            (None, true) => self.known_ints(1)?,
            (None, false) => {
                let each = extent.div_ceil(count.max(1));
                let size = |part: usize| each.min(extent.saturating_sub(part * each));
                let size = |part| i64::try_from(size(part)).unwrap_or(0);
                (0..count).map(size).collect()
            }
        };
        let sizes: Option<Vec<usize>> = sizes.iter().map(|&s| usize::try_from(s).ok()).collect();
        let sizes = sizes
            .filter(|s| s.len() == count && s.iter().sum::<usize>() == extent && !s.contains(&0));
        let Some(sizes) = sizes else {
            return Err(self.refuse(
                format!("{count} outputs of an axis of {extent} cells"),
                "parts of one cell or more that add up",
                "check the model with onnx.checker",
            ));
        };
        let mut start = 0_usize;
        let mut parts = Vec::with_capacity(count);
        for size in sizes {
            let part = self.range(&act, axis, start, size)?;
            start += size;
            parts.push(self.moved(source.ints(), part)?);
        }
        Ok(parts)
    }

    /// `size` cells of axis `axis` from `start` on.
    pub(super) fn range(
        &mut self,
        act: &Act,
        axis: usize,
        start: usize,
        size: usize,
    ) -> Result<Act, ImportError> {
        let mut walks = Self::whole(act);
        walks[axis] = AxisWalk {
            offset: i64::try_from(start).unwrap_or(i64::MAX),
            ..AxisWalk::whole(size)
        };
        self.walk(act, &walks, 0.0)
    }

    /// Broadcasting to a shape.
    pub(super) fn expand(&mut self) -> Imported {
        self.allow(&[])?;
        let source = self.source(0)?;
        let act = source.act.clone();
        let Value::Int(target) = self.value(1)?.clone() else {
            return Err(self.unknown_target());
        };
        let batch = target.elements.iter().position(|v| v.known().is_none());
        let mut wanted = self.sizes_with_batch(1)?;
        if act.dims.len() > wanted.len() {
            let missing = act.dims.len() - wanted.len();
            wanted.splice(0..0, vec![1; missing]);
        }
        let offset = wanted.len() - act.dims.len();
        let mut dims = vec![1; offset];
        dims.extend_from_slice(&act.dims);
        let lifted = act
            .batch
            .axis()
            .map_or(Batch::Absent, |axis| act.batch.at(axis + offset));
        self.check_rank(dims.len())?;
        // A value that is the same for all samples stays one value: the batch has size 1 here.
        let frame = Frame {
            dims: dims.clone(),
            batch: lifted,
        };
        let lifted_act = self.framed(&act, frame)?;
        let mut walks = Self::whole(&lifted_act);
        for (axis, (&extent, &wanted)) in dims.iter().zip(&wanted).enumerate() {
            if extent == 1 && wanted != 1 && Some(axis) != batch {
                walks[axis] = AxisWalk {
                    numerator: 0,
                    ..AxisWalk::whole(wanted)
                };
            } else if wanted != 1 && wanted != extent {
                return Err(self.unknown_target());
            }
        }
        let moved = self.walk(&lifted_act, &walks, 0.0)?;
        self.moved(source.ints(), moved)
    }

    /// Repetition of whole axes.
    pub(super) fn tile(&mut self) -> Imported {
        self.allow(&[])?;
        let source = self.source(0)?;
        let repeats = self.sizes_with_batch(1)?;
        let mut act = source.act.clone();
        if repeats.len() != act.dims.len() {
            return Err(self.unknown_target());
        }
        for (axis, &count) in repeats.iter().enumerate() {
            if count == 1 {
                continue;
            }
            if count == 0 || count > 4_096 {
                return Err(self.refuse(
                    format!("{count} repeats"),
                    "1 to 4096 repeats",
                    "use fewer repeats",
                ));
            }
            if act.dims[axis] == 1 {
                let mut walks = Self::whole(&act);
                walks[axis] = AxisWalk {
                    numerator: 0,
                    ..AxisWalk::whole(count)
                };
                act = self.walk(&act, &walks, 0.0)?;
            } else {
                act = self.joined(&vec![act.clone(); count], axis)?;
            }
        }
        self.moved(source.ints(), act)
    }

    /// Operands behind one another along an axis.
    pub(super) fn concat(&mut self) -> Imported {
        self.allow(&["axis"])?;
        let mut ints: Option<Vec<Const<SymInt>>> = Some(Vec::new());
        for index in 0..self.node.inputs.len() {
            match (self.value(index)?, &mut ints) {
                (Value::Int(c), Some(list)) => list.push(c.clone()),
                (Value::Activation(_) | Value::Float(_) | Value::Int(_), _) => ints = None,
            }
        }
        let mut acts = Vec::with_capacity(self.node.inputs.len());
        let mut joined = Vec::new();
        for index in 0..self.node.inputs.len() {
            acts.push(match &ints {
                Some(list) => {
                    let act = self.positions(&list[index], joined.len())?;
                    joined.extend_from_slice(&list[index].elements);
                    act
                }
                None => self.act(index)?,
            });
        }
        let rank = acts.first().map_or(0, |act| act.dims.len());
        let axis = self.axis(self.int("axis", 0)?, rank)?;
        let act = self.joined(&acts, axis)?;
        self.moved(ints.map(|_| joined.as_slice()), act)
    }

    /// Activations of one rank behind one another along `axis`.
    pub(super) fn joined(&mut self, acts: &[Act], axis: usize) -> Result<Act, ImportError> {
        let Some(first) = acts.first() else {
            return Err(self.unknown_target());
        };
        if let [only] = acts {
            return Ok(only.clone());
        }
        let mut dims = first.dims.clone();
        dims[axis] = 0;
        let mut batch = Batch::Absent;
        let mut parts = Vec::with_capacity(acts.len());
        for act in acts {
            let same = act.dims.len() == dims.len()
                && (0..dims.len()).all(|a| a == axis || act.dims[a] == dims[a]);
            if !same {
                let what = format!("operands of shapes {:?} and {:?}", first.dims, act.dims);
                return Err(self.refuse(
                    what,
                    "shapes that are equal but for the axis",
                    "check the model with onnx.checker",
                ));
            }
            let part = self.apart(act, &[axis])?;
            if part.batch != Batch::Absent {
                batch = part.batch;
            }
            dims[axis] = dims[axis].saturating_add(act.dims[axis]);
            parts.push(part);
        }
        let agree = |act: &Act| act.batch == Batch::Absent || act.batch == batch;
        if !parts.iter().all(agree) || batch == Batch::Own(axis) {
            let what = format!(
                "Concat of {} operands with the batch on different axes",
                acts.len()
            );
            return Err(self.mixes_samples(what));
        }
        let mut nodes = Vec::with_capacity(parts.len());
        for part in &parts {
            nodes.push(self.view(part.node, batch.without(&part.dims))?);
        }
        let frame = Frame { dims, batch };
        let Some(axis) = batch.sample_axis(axis) else {
            return Err(self.unknown_target());
        };
        let node = self.push(FloatOp::Concat(axis), nodes, frame.shape())?;
        Ok(Act {
            node,
            dims: frame.dims,
            batch: frame.batch,
            kind: first.kind,
        })
    }
}

/// Cuts a list of indices into runs at equal distances.
fn runs(picks: &[usize]) -> Vec<&[usize]> {
    let mut runs = Vec::new();
    let mut rest = picks;
    while rest.len() > 2 {
        let step = |pair: &[usize]| pair[1].wrapping_sub(pair[0]);
        let first = step(rest);
        let same = rest
            .windows(2)
            .take_while(|pair| step(pair) == first)
            .count();
        let (run, others) = rest.split_at(same + 1);
        runs.push(run);
        rest = others;
    }
    if !rest.is_empty() || runs.is_empty() {
        runs.push(rest);
    }
    runs
}

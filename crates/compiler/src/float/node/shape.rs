//! Import of views, transpositions and shapes.

use super::super::act::{Act, Batch, Frame};
use super::super::constant::{Value, product};
use super::super::error::ImportError;
use super::super::graph::FloatOp;
use super::super::symbolic::SymInt;
use super::{Imported, NodeContext, int_list};
use crate::onnx::RANK_MAX;

impl NodeContext<'_> {
    /// Two axes of all axes.
    pub(super) fn flatten(&mut self) -> Imported {
        self.allow(&["axis"])?;
        let source = self.source(0)?;
        let act = source.act.clone();
        let rank = act.dims.len();
        let axis = self.int("axis", 1)?;
        let at_end = usize::try_from(axis).is_ok_and(|axis| axis == rank);
        let axis = if at_end { rank } else { self.axis(axis, rank)? };
        let fold = |dims: &[usize]| product(dims).ok_or_else(|| self.unknown_target());
        let dims = vec![fold(&act.dims[..axis])?, fold(&act.dims[axis..])?];
        let at = act.batch.axis().map(|batch| usize::from(batch >= axis));
        let frame = self.placed(&act, dims, at)?;
        let act = self.framed(&act, frame)?;
        self.moved(source.ints(), act)
    }

    /// The same elements under other dimensions.
    pub(super) fn reshape(&mut self) -> Imported {
        self.allow(&["allowzero", "shape"])?;
        let keeps_zero = self.int("allowzero", 0)? != 0;
        let listed = if self.has(1) {
            None
        } else {
            self.ints("shape")?
        };
        let target: Vec<SymInt> = if let Some(listed) = listed {
            listed.into_iter().map(SymInt::fixed).collect()
        } else {
            let Value::Int(target) = self.value(1)?.clone() else {
                return Err(self.unknown_target());
            };
            target.elements.to_vec()
        };
        self.check_rank(target.len())?;
        if let Value::Float(c) = self.value(0)?.clone() {
            // Large constants are not copied.
            let batch = Batch::Absent;
            let (dims, _) = self.resolved(&c.dims, batch, &target, keeps_zero)?;
            let viewed = c.with_dims(dims).map(Value::Float);
            return viewed.ok_or_else(|| self.unknown_target());
        }
        let source = self.source(0)?;
        let act = source.act.clone();
        let (dims, at) = self.resolved(&act.dims, act.batch, &target, keeps_zero)?;
        if product(&dims) != product(&act.dims) {
            let what = format!("reshape of {:?} to {:?}", act.dims, shown(&target));
            return Err(self.mixes_samples(what));
        }
        let frame = self.placed(&act, dims, at)?;
        let act = self.framed(&act, frame)?;
        self.moved(source.ints(), act)
    }

    pub(super) fn unknown_target(&self) -> ImportError {
        self.refuse(
            "the target shape is not known or does not fit".to_owned(),
            "constant shapes and shapes computed from Shape(x)",
            "use flatten(1) or a reshape with numbers",
        )
    }

    /// Dimensions at batch size 1 of a reshape of `dims`, and the axis that the batch goes to.
    fn resolved(
        &self,
        dims: &[usize],
        batch: Batch,
        target: &[SymInt],
        keeps_zero: bool,
    ) -> Result<(Vec<usize>, Option<usize>), ImportError> {
        let refuse = || self.mixes_samples(format!("reshape of {dims:?} to {:?}", shown(target)));
        let mut made = Vec::with_capacity(target.len());
        let (mut open, mut named, mut kept) = (None, None, None);
        for (index, &value) in target.iter().enumerate() {
            made.push(match value.known() {
                Some(-1) if open.is_none() => {
                    open = Some(index);
                    1
                }
                Some(0) if !keeps_zero => {
                    if batch.axis() == Some(index) {
                        kept = Some(index);
                    }
                    dims.get(index).copied().ok_or_else(refuse)?
                }
                Some(n) => usize::try_from(n).map_err(|_| refuse())?,
                None => {
                    let times = (value.constant == 0).then_some(value.per_sample);
                    named = Some(index);
                    let times = times.and_then(|n| usize::try_from(n).ok());
                    times.filter(|&n| n >= 1).ok_or_else(refuse)?
                }
            });
        }
        let elements = product(dims).ok_or_else(refuse)?;
        let known = product(&made).ok_or_else(refuse)?;
        if let Some(index) = open {
            if known == 0 || !elements.is_multiple_of(known) {
                return Err(refuse());
            }
            made[index] = elements / known;
        }
        let front = batch.cells_in_front(dims);
        let free = || {
            let stands =
                |&axis: &usize| made[axis] == 1 && Some(made[..axis].iter().product()) == front;
            (0..made.len()).find(stands)
        };
        let at = if self.importer.batch.known().is_some() {
            free().or(kept).or(open)
        } else {
            named.or(kept).or(open).or_else(free)
        };
        Ok((made, at))
    }

    /// The frame of `act` under `dims`, with its batch on axis `at`.
    fn placed(&self, act: &Act, dims: Vec<usize>, at: Option<usize>) -> Result<Frame, ImportError> {
        let Some(front) = act.batch.cells_in_front(&act.dims) else {
            let batch = Batch::Absent;
            return Ok(Frame { dims, batch });
        };
        let batch = at.and_then(|axis| Batch::placed(&dims, axis, front));
        let fixed = self.importer.batch.known().is_some();
        let batch = batch.or_else(|| fixed.then_some(Batch::Absent));
        let Some(batch) = batch else {
            let what = format!("reshape of {:?} to {dims:?} (at batch size 1)", act.dims);
            return Err(self.mixes_samples(what));
        };
        Ok(Frame { dims, batch })
    }

    /// Removes axes of extent 1.
    pub(super) fn squeeze(&mut self) -> Imported {
        self.allow(&["axes"])?;
        let axes = self.axes(1, 13)?;
        let source = self.source(0)?;
        let act = source.act.clone();
        let dims = act.dims.clone();
        let mut drop = vec![false; dims.len()];
        match axes {
            Some(axes) => {
                for axis in axes {
                    drop[self.axis(axis, dims.len())?] = true;
                }
            }
            None => drop = dims.iter().map(|&d| d == 1).collect(),
        }
        if dims.iter().zip(&drop).any(|(&d, &gone)| gone && d != 1) {
            return Err(self.mixes_samples(format!("squeeze of the axes {drop:?} of {dims:?}")));
        }
        let dropped: Vec<usize> = (0..dims.len()).filter(|&axis| drop[axis]).collect();
        let act = self.apart(&act, &dropped)?;
        let kept: Vec<usize> = (0..dims.len()).filter(|&axis| !drop[axis]).collect();
        let at = |axis: usize| kept.iter().position(|&kept| kept == axis);
        let batch = act.batch.axis().and_then(at);
        let frame = Frame {
            dims: kept.iter().map(|&axis| dims[axis]).collect(),
            batch: batch.map_or(Batch::Absent, |axis| act.batch.at(axis)),
        };
        let act = self.framed(&act, frame)?;
        self.moved(source.ints(), act)
    }

    /// Inserts axes of extent 1.
    pub(super) fn unsqueeze(&mut self) -> Imported {
        self.allow(&["axes"])?;
        let axes = self.axes(1, 13)?.unwrap_or_default();
        let source = self.source(0)?;
        let mut act = source.act.clone();
        let rank = act.dims.len() + axes.len();
        self.check_rank(rank)?;
        let mut new = vec![false; rank];
        for axis in axes {
            let axis = self.axis(axis, rank)?;
            if new[axis] {
                return Err(self.refuse(
                    format!("the axis {axis} twice"),
                    "different axes",
                    "check the model with onnx.checker",
                ));
            }
            new[axis] = true;
        }
        for axis in (0..rank).filter(|&axis| new[axis]) {
            act = self.with_axis(&act, axis)?;
        }
        self.moved(source.ints(), act)
    }

    /// One more axis of extent 1.
    pub(super) fn with_axis(&mut self, act: &Act, axis: usize) -> Result<Act, ImportError> {
        let mut dims = act.dims.clone();
        if axis > dims.len() {
            return Err(self.unknown_target());
        }
        dims.insert(axis, 1);
        let batch = match act.batch.axis() {
            Some(at) if at >= axis => act.batch.at(at + 1),
            Some(_) | None => act.batch,
        };
        self.framed(act, Frame { dims, batch })
    }

    /// One axis of extent 1 less; it is not the batch's.
    pub(super) fn without_axis(&mut self, act: &Act, axis: usize) -> Result<Act, ImportError> {
        let act = self.apart(act, &[axis])?;
        let mut dims = act.dims.clone();
        dims.remove(axis);
        let batch = match act.batch.axis() {
            Some(at) if at > axis => act.batch.at(at - 1),
            Some(_) | None => act.batch,
        };
        self.framed(&act, Frame { dims, batch })
    }

    /// Axes in another order.
    pub(super) fn transpose(&mut self) -> Imported {
        self.allow(&["perm"])?;
        let rank = match self.value(0)? {
            Value::Activation(act) => act.dims.len(),
            Value::Float(c) => c.dims.len(),
            Value::Int(c) => c.dims.len(),
        };
        let perm = match self.ints("perm")? {
            Some(listed) => listed
                .iter()
                .map(|&a| self.axis(a, rank))
                .collect::<Result<Vec<_>, _>>()?,
            None => (0..rank).rev().collect(),
        };
        let mut sorted = perm.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..rank) {
            return Err(self.refuse(
                format!("perm {perm:?}"),
                "a permutation of the axes",
                "export the model again",
            ));
        }
        match self.value(0)?.clone() {
            Value::Activation(act) => {
                let act = self.turned(&act, &perm)?;
                Ok(self.value_of(act))
            }
            Value::Float(c) => {
                self.spend(c.elements.len())?;
                Ok(Value::Float(c.transpose(&perm)))
            }
            Value::Int(c) => {
                self.spend(c.elements.len())?;
                Ok(Value::Int(c.transpose(&perm)))
            }
        }
    }

    /// What `make` makes along the last axis, made along `axis`.
    pub(super) fn along_last(
        &mut self,
        act: &Act,
        axis: usize,
        make: impl FnOnce(&mut Self, &Act) -> Result<Act, ImportError>,
    ) -> Result<Act, ImportError> {
        let act = self.apart(act, &[axis])?;
        let mut perm: Vec<usize> = (0..act.dims.len()).collect();
        perm.swap(axis, act.dims.len() - 1);
        let turned = self.turned(&act, &perm)?;
        let made = make(self, &turned)?;
        self.turned(&made, &perm)
    }

    /// Axes in another order: axis `j` of the result is axis `perm[j]`. Where only the batch
    /// moves, nothing moves.
    pub(super) fn turned(&mut self, act: &Act, perm: &[usize]) -> Result<Act, ImportError> {
        if perm.len() != act.dims.len() {
            return Err(self.refuse(
                format!("an operand of shape {:?}", act.dims),
                &format!("{} axes", perm.len()),
                "check the model with onnx.checker",
            ));
        }
        let at = |axis: usize| perm.iter().position(|&from| from == axis);
        let batch = act.batch.axis().and_then(at);
        let frame = Frame {
            dims: perm.iter().map(|&axis| act.dims[axis]).collect(),
            batch: batch.map_or(Batch::Absent, |axis| act.batch.at(axis)),
        };
        let sample: Vec<usize> = perm
            .iter()
            .filter_map(|&a| act.batch.sample_axis(a))
            .collect();
        let node = if sample.iter().copied().eq(0..sample.len()) {
            act.node
        } else {
            let op = FloatOp::Transpose(sample);
            self.push(op, vec![act.node], frame.shape())?
        };
        Ok(Act {
            node,
            dims: frame.dims,
            batch: frame.batch,
            kind: act.kind,
        })
    }

    /// Dimensions as whole numbers; the batch stays a symbol.
    pub(super) fn shape(&mut self) -> Imported {
        self.allow(&["start", "end"])?;
        let sizes = self.symbolic_dims(0)?;
        let start = clamp_index(self.int("start", 0)?, sizes.len());
        let end = clamp_index(self.int("end", i64::MAX)?, sizes.len());
        Ok(int_list(
            sizes.get(start..end).unwrap_or_default().iter().copied(),
        ))
    }

    /// Number of elements.
    pub(super) fn size(&mut self) -> Imported {
        self.allow(&[])?;
        let mut size = SymInt::fixed(1);
        for dim in self.symbolic_dims(0)? {
            size = size.mul(dim).ok_or_else(|| self.unknown_target())?;
        }
        Ok(Value::Int(super::Const::new(vec![], vec![size])))
    }

    /// Dimensions of input `index`, with the batch size as a symbol.
    fn symbolic_dims(&self, index: usize) -> Result<Vec<SymInt>, ImportError> {
        let (dims, batch) = match self.value(index)? {
            Value::Activation(act) => (&act.dims, act.batch.axis()),
            Value::Float(c) => (&c.dims, None),
            Value::Int(c) => (&c.dims, None),
        };
        let whole = |(axis, &dim): (usize, &usize)| {
            let dim = SymInt::fixed(i64::try_from(dim).unwrap_or(i64::MAX));
            if batch == Some(axis) {
                dim.mul(self.importer.batch)
            } else {
                Some(dim)
            }
        };
        let sizes: Option<Vec<SymInt>> = dims.iter().enumerate().map(whole).collect();
        sizes.ok_or_else(|| self.unknown_target())
    }
}

/// A slice bound as an index: negative ones count from the end, large ones are cut.
pub(super) fn clamp_index(index: i64, len: usize) -> usize {
    let signed = i64::try_from(len).unwrap_or(i64::MAX);
    let wrapped = if index < 0 {
        index.saturating_add(signed)
    } else {
        index
    };
    usize::try_from(wrapped.clamp(0, signed)).unwrap_or(0)
}

fn shown(target: &[SymInt]) -> Vec<String> {
    target.iter().take(RANK_MAX).map(|v| show(*v)).collect()
}

fn show(value: SymInt) -> String {
    match value.known() {
        Some(known) => known.to_string(),
        None => format!("{} + {} * batch", value.constant, value.per_sample),
    }
}

//! Import of reductions over axes of the sample.

use selfsame_protocol::constants::TERMS_MAX;

use super::super::act::{Act, Frame, Kind};
use super::super::constant::{Const, Value};
use super::super::error::ImportError;
use super::super::function::{Function, Primitive};
use super::super::graph::{Arithmetic, FloatOp, ReduceKind};
use super::super::symbolic::SymInt;
use super::super::window::{EXTENT_MAX, Window2};
use super::{Imported, NodeContext};

impl NodeContext<'_> {
    /// Sum, mean, maximum, norms over some axes of the sample.
    pub(super) fn reduce(&mut self) -> Imported {
        self.allow(&["axes", "keepdims", "noop_with_empty_axes"])?;
        if let Some(sizes) = self.reduced_sizes()? {
            return Ok(sizes);
        }
        let act = self.act(0)?;
        let since = if self.node.op == "ReduceSum" { 13 } else { 18 };
        let listed = self.axes(1, since)?.unwrap_or_default();
        let mut axes = Vec::with_capacity(listed.len());
        for &axis in &listed {
            axes.push(self.axis(axis, act.dims.len())?);
        }
        if axes.is_empty() && self.int("noop_with_empty_axes", 0)? == 0 {
            axes = (0..act.dims.len()).collect();
        }
        axes.sort_unstable();
        axes.dedup();
        let reduced = if axes.is_empty() {
            self.reduced_alone(&act)?
        } else {
            self.reduced_by_name(&act, &axes)?
        };
        let keeps = self.int("keepdims", 1)? != 0;
        let result = if keeps {
            reduced
        } else {
            self.without_axes(&reduced, &axes)?
        };
        let kind = if act.kind == Kind::Bool {
            Kind::Int
        } else {
            act.kind
        };
        Ok(self.value_of(Act { kind, ..result }))
    }

    /// The sum or product of a list of sizes that the batch takes part in; nothing of other inputs.
    fn reduced_sizes(&self) -> Result<Option<Value>, ImportError> {
        let Value::Int(sizes) = self.value(0)? else {
            return Ok(None);
        };
        let all_known = sizes.elements.iter().all(|size| size.known().is_some());
        if all_known || sizes.dims.len() != 1 {
            return Ok(None);
        }
        let mut elements = sizes.elements.iter();
        let total = match self.node.op.as_str() {
            "ReduceProd" => elements.try_fold(SymInt::fixed(1), |all, &size| all.mul(size)),
            "ReduceSum" => elements.try_fold(SymInt::fixed(0), |all, &size| all.add(size)),
            _ => return Ok(None),
        };
        let Some(total) = total else {
            let what = "a product of sizes that is not linear in the batch size".to_owned();
            return Err(self.mixes_samples(what));
        };
        let keeps = self.int("keepdims", 1)? != 0;
        let dims = if keeps { vec![1] } else { Vec::new() };
        Ok(Some(Value::Int(Const::new(dims, vec![total]))))
    }

    /// A reduction over no axis: what is left is done to each element.
    fn reduced_alone(&mut self, act: &Act) -> Result<Act, ImportError> {
        let of = Function::primitive;
        let f = match self.node.op.as_str() {
            "ReduceL1" | "ReduceL2" => of(Primitive::Abs),
            "ReduceSumSquare" => of(Primitive::Power(2)),
            "ReduceLogSum" => of(Primitive::Log),
            _ => return Ok(act.clone()),
        };
        self.mapped(FloatOp::Function(f), act)
    }

    fn reduced_by_name(&mut self, act: &Act, axes: &[usize]) -> Result<Act, ImportError> {
        let function = |primitive| FloatOp::Function(Function::primitive(primitive));
        Ok(match self.node.op.as_str() {
            "ReduceMean" => self.reduced(act, axes, ReduceKind::Mean)?,
            "ReduceSum" => self.reduced(act, axes, ReduceKind::Sum)?,
            "ReduceMax" => self.reduced(act, axes, ReduceKind::Max)?,
            "ReduceMin" => self.reduced(act, axes, ReduceKind::Min)?,
            "ReduceSumSquare" => self.reduced(act, axes, ReduceKind::SumSquares)?,
            "ReduceProd" => self.multiplied(act, axes)?,
            "ReduceL1" => {
                let magnitude = self.mapped(function(Primitive::Abs), act)?;
                self.reduced(&magnitude, axes, ReduceKind::Sum)?
            }
            "ReduceL2" => {
                let squares = self.reduced(act, axes, ReduceKind::SumSquares)?;
                self.mapped(function(Primitive::Sqrt), &squares)?
            }
            "ReduceLogSum" => {
                let sum = self.reduced(act, axes, ReduceKind::Sum)?;
                self.mapped(function(Primitive::Log), &sum)?
            }
            _ => {
                // max + ln sum e^(x - max)
                let largest = self.reduced(act, axes, ReduceKind::Max)?;
                let less = self.pair_of(Arithmetic::Sub, act, &largest)?;
                let powers = self.mapped(function(Primitive::Exp), &less)?;
                let sum = self.reduced(&powers, axes, ReduceKind::Sum)?;
                let logarithm = self.mapped(function(Primitive::Log), &sum)?;
                self.pair_of(Arithmetic::Add, &logarithm, &largest)?
            }
        })
    }

    /// `act` with `axes` (ascending) reduced to extent 1.
    pub(super) fn reduced(
        &mut self,
        act: &Act,
        axes: &[usize],
        kind: ReduceKind,
    ) -> Result<Act, ImportError> {
        let act = self.apart(act, axes)?;
        let mut dims = act.dims.clone();
        for &axis in axes {
            dims[axis] = 1;
        }
        let shape = self.shape_of(act.node).to_vec();
        let mut gone = vec![false; shape.len()];
        for &axis in axes {
            if let Some(axis) = act.batch.sample_axis(axis) {
                gone[axis] = true;
            }
        }
        let node = match self.pooled(act.node, &gone, kind)? {
            Some(node) => node,
            None => self.row_reduced(act.node, &gone, kind)?,
        };
        let frame = Frame {
            dims,
            batch: act.batch,
        };
        Ok(Act {
            node: self.view(node, frame.shape())?,
            dims: frame.dims,
            batch: frame.batch,
            kind: act.kind,
        })
    }

    /// A pool over a whole picture, or over its channels; `None` where a reduction of rows is meant.
    fn pooled(
        &mut self,
        input: usize,
        gone: &[bool],
        kind: ReduceKind,
    ) -> Result<Option<usize>, ImportError> {
        let &[c, h, w] = self.shape_of(input) else {
            return Ok(None);
        };
        let (window, shape) = match gone {
            [false, true, true] => (Window2::whole(h, w), vec![c, 1, 1]),
            [true, false, false] => (Window2::whole(1, c), vec![1, h * w, 1]),
            _ => return Ok(None),
        };
        let op = match kind {
            ReduceKind::Mean | ReduceKind::Sum => FloatOp::AvgPool(window),
            ReduceKind::Max => FloatOp::MaxPool(window),
            ReduceKind::Min | ReduceKind::SumSquares => return Ok(None),
        };
        if window.kernel.iter().any(|&extent| extent > EXTENT_MAX) {
            return Ok(None);
        }
        let source = if gone[0] {
            // Channels are neighbours in a program: windows of one row of a picture [h*w][c].
            let op = FloatOp::Transpose(vec![1, 2, 0]);
            let turned = self.push(op, vec![input], vec![h, w, c])?;
            self.view(turned, vec![1, h * w, c])?
        } else {
            input
        };
        let pooled = self.push(op, vec![source], shape.clone())?;
        if kind != ReduceKind::Sum {
            return Ok(Some(pooled));
        }
        #[expect(clippy::cast_precision_loss, reason = "at most 2^24 cells")]
        let cells = (window.kernel[0] * window.kernel[1]) as f32;
        let op = FloatOp::Affine {
            axis: 0,
            scale: vec![cells; shape[0]],
            shift: vec![0.0; shape[0]],
        };
        self.push(op, vec![pooled], shape).map(Some)
    }

    /// The reduced axes behind the others, as one, and its rows reduced.
    fn row_reduced(
        &mut self,
        input: usize,
        gone: &[bool],
        kind: ReduceKind,
    ) -> Result<usize, ImportError> {
        let (mut rows, mut shape) = self.as_rows(input, gone)?;
        let mut kind = kind;
        let last = shape.len() - 1;
        // Longer rows than a node reads: parts of them first.
        if let Some(part) = part_of(shape[last]) {
            let parts = shape[last] / part;
            shape[last] = parts;
            let cut = [shape.as_slice(), &[part]].concat();
            let each = [shape.as_slice(), &[1]].concat();
            rows = self.view(rows, cut)?;
            let reduced = self.push(FloatOp::Reduce(kind), vec![rows], each)?;
            rows = self.view(reduced, shape.clone())?;
            if kind == ReduceKind::SumSquares {
                kind = ReduceKind::Sum;
            }
        }
        shape[last] = 1;
        self.push(FloatOp::Reduce(kind), vec![rows], shape)
    }

    /// Node `input` with the axes that are `gone` behind the others, as one; and its shape.
    pub(super) fn as_rows(
        &mut self,
        input: usize,
        gone: &[bool],
    ) -> Result<(usize, Vec<usize>), ImportError> {
        let shape = self.shape_of(input).to_vec();
        let order = |is: bool| (0..shape.len()).filter(move |&a| gone[a] == is);
        let perm: Vec<usize> = order(false).chain(order(true)).collect();
        let turned: Vec<usize> = perm.iter().map(|&a| shape[a]).collect();
        let kept = order(false).count();
        let mut rows: Vec<usize> = turned[..kept].to_vec();
        rows.push(turned[kept..].iter().product());
        let node = if perm.iter().copied().eq(0..perm.len()) {
            input
        } else {
            self.push(FloatOp::Transpose(perm), vec![input], turned)?
        };
        Ok((self.view(node, rows.clone())?, rows))
    }

    /// `act` without `axes`, which have extent 1 and are ascending.
    pub(super) fn without_axes(&mut self, act: &Act, axes: &[usize]) -> Result<Act, ImportError> {
        let mut act = act.clone();
        for &axis in axes.iter().rev() {
            act = self.without_axis(&act, axis)?;
        }
        Ok(act)
    }

    /// Index of the largest or smallest cell of an axis.
    pub(super) fn arg_extreme(&mut self) -> Imported {
        self.allow(&["axis", "keepdims", "select_last_index"])?;
        let act = self.act(0)?;
        let axis = self.axis(self.int("axis", 0)?, act.dims.len())?;
        let mut act = self.apart(&act, &[axis])?;
        if self.node.op == "ArgMin" {
            act = self.scaled(&act, -1.0, 0.0)?;
        }
        let extent = act.dims[axis];
        let last = self.int("select_last_index", 0)? != 0;
        if last {
            let picks: Vec<usize> = (0..extent).rev().collect();
            act = self.picked(&act, axis, &picks)?;
        }
        let mut index = self.index_of_largest(&act, axis)?;
        if last {
            #[expect(clippy::cast_precision_loss, reason = "extents stay below 2^24")]
            let end = (extent - 1) as f32;
            index = self.scaled(&index, -1.0, end)?;
        }
        if self.int("keepdims", 1)? == 0 {
            index = self.without_axis(&index, axis)?;
        }
        Ok(self.value_of(index))
    }

    /// Index of the largest cell of an axis that is not the batch's, the first of equals; the extent
    /// becomes 1.
    pub(super) fn index_of_largest(&mut self, act: &Act, axis: usize) -> Result<Act, ImportError> {
        let shape = self.shape_of(act.node).to_vec();
        let gone: Vec<bool> = (0..shape.len())
            .map(|a| act.batch.sample_axis(axis) == Some(a))
            .collect();
        let (rows, mut found) = self.as_rows(act.node, &gone)?;
        if let Some(last) = found.last_mut() {
            *last = 1;
        }
        let node = self.push(FloatOp::ArgMax, vec![rows], found)?;
        let mut dims = act.dims.clone();
        dims[axis] = 1;
        let frame = Frame {
            dims,
            batch: act.batch,
        };
        Ok(Act {
            node: self.view(node, frame.shape())?,
            dims: frame.dims,
            batch: frame.batch,
            kind: Kind::Int,
        })
    }
}

/// The largest part of a row of more than `TERMS_MAX` columns that divides it and leaves no more parts than
/// that; `None` where a row needs no parts or has none.
fn part_of(columns: usize) -> Option<usize> {
    let limit = TERMS_MAX as usize;
    if columns <= limit {
        return None;
    }
    let divides = |part: &usize| columns.is_multiple_of(*part) && columns / part <= limit;
    (2..=limit).rev().find(divides)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_rows_have_parts_that_divide_them() {
        assert_eq!(part_of(16_384), None);
        assert_eq!(part_of(40_000), Some(10_000));
        assert_eq!(part_of(16_411), None, "a prime");
    }
}

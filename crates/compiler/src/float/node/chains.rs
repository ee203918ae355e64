//! Import of products along an axis, as pairs of pairs, and of one-hot rows.
//!
//! ```text
//! product     halves of the axis times one another, until one cell is left
//! cumulated   x[i] * x[i - 1], then * [i - 2], * [i - 4] and so on; 1 in front of the axis
//! one-hot     index == 0, 1, 2, ..
//! ```

use super::super::act::{Act, Kind};
use super::super::constant::Value;
use super::super::error::ImportError;
use super::super::function::{Function, Primitive};
use super::super::graph::{Arithmetic, FloatOp};
use super::logic::comparison;
use super::{Imported, NodeContext};

/// Longest axis of a product: what is multiplied so often leaves every range.
const FACTORS_MAX: usize = 256;
/// Most columns of a one-hot row.
const INDEX_MAX: usize = 1 << 16;

impl NodeContext<'_> {
    /// The product of all cells of `axes`, whose extents become 1.
    pub(super) fn multiplied(&mut self, act: &Act, axes: &[usize]) -> Result<Act, ImportError> {
        let mut act = self.apart(act, axes)?;
        for &axis in axes {
            self.check_factors(act.dims[axis])?;
            while act.dims[axis] > 1 {
                let (half, odd) = (act.dims[axis] / 2, act.dims[axis] % 2);
                let first = self.range(&act, axis, 0, half)?;
                let second = self.range(&act, axis, half, half)?;
                let product = self.pair_of(Arithmetic::Mul, &first, &second)?;
                act = if odd == 1 {
                    let last = self.range(&act, axis, 2 * half, 1)?;
                    self.joined(&[product, last], axis)?
                } else {
                    product
                };
            }
        }
        Ok(act)
    }

    fn check_factors(&self, extent: usize) -> Result<(), ImportError> {
        if extent <= FACTORS_MAX {
            return Ok(());
        }
        Err(self.refuse(
            format!("a product of {extent} factors"),
            "256 factors",
            "sum logarithms where all factors are positive",
        ))
    }

    /// Products of all cells up to each one.
    pub(super) fn cumulated_product(&mut self) -> Imported {
        self.allow(&["exclusive", "reverse"])?;
        let act = self.act(0)?;
        let axis = match self.known_ints(1)?.as_slice() {
            &[axis] => self.axis(axis, act.dims.len())?,
            _ => return Err(self.unknown_target()),
        };
        let mut act = self.apart(&act, &[axis])?;
        let extent = act.dims[axis];
        self.check_factors(extent)?;
        let sign = if self.int("reverse", 0)? == 0 { -1 } else { 1 };
        if self.int("exclusive", 0)? != 0 {
            act = self.moved_by(&act, axis, sign)?;
        }
        let mut distance = 1;
        while distance < extent {
            let cells = i64::try_from(distance).unwrap_or(i64::MAX);
            let other = self.moved_by(&act, axis, sign * cells)?;
            act = self.pair_of(Arithmetic::Mul, &act, &other)?;
            distance *= 2;
        }
        Ok(self.value_of(act))
    }

    /// Cell `i + by` at cell `i`, and 1 where there is none.
    fn moved_by(&mut self, act: &Act, axis: usize, by: i64) -> Result<Act, ImportError> {
        let mut walks = Self::whole(act);
        walks[axis].offset = by;
        self.walk(act, &walks, 1.0)
    }

    /// 1 at the largest cell of an axis, the first of equals, 0 elsewhere; before opset 13 of all
    /// axes from it on.
    pub(super) fn hard_max(&mut self) -> Imported {
        self.allow(&["axis"])?;
        let act = self.act(0)?;
        let rank = act.dims.len();
        let old = self.importer.opset < 13;
        let axis = self.axis(self.int("axis", if old { 1 } else { -1 })?, rank)?;
        let flat = if old && axis + 1 < rank {
            self.flattened(&act, axis)?
        } else {
            self.apart(&act, &[axis])?
        };
        let index = self.index_of_largest(&flat, axis)?;
        let hot = self.equals_place(&index, axis, flat.dims[axis])?;
        let mut hot = self.framed(&hot, act.frame())?;
        hot.kind = Kind::Float;
        Ok(self.value_of(hot))
    }

    /// 1 where the index, of extent 1 along `axis`, is the place, else 0.
    fn equals_place(
        &mut self,
        index: &Act,
        axis: usize,
        extent: usize,
    ) -> Result<Act, ImportError> {
        let mut dims = vec![1; index.dims.len()];
        dims[axis] = extent;
        #[expect(clippy::cast_precision_loss, reason = "extents stay below 2^24")]
        let places = (0..extent).map(|place| place as f32).collect();
        let places = self.constant_act(dims, places, Kind::Int)?;
        if self.node.op == "OneHot" && !index.kind.is_real() {
            // A table over many places would not show the one that is equal.
            return self.compare_whole("Equal", index, &places);
        }
        let difference = self.pair_of(Arithmetic::Sub, index, &places)?;
        self.mapped(FloatOp::Function(comparison("Equal")), &difference)
    }

    /// One-hot rows of whole numbers; negative ones count from the end.
    pub(super) fn one_hot(&mut self) -> Imported {
        self.allow(&["axis"])?;
        let index = self.act(0)?;
        let depth = match self.value(1)?.clone() {
            Value::Int(_) => self.known_ints(1)?.first().copied(),
            #[expect(clippy::cast_possible_truncation, reason = "checked below")]
            Value::Float(c) => c.single().filter(|d| d.abs() < 1e6).map(|d| d as i64),
            Value::Activation(_) => None,
        };
        let depth = depth.and_then(|d| usize::try_from(d).ok());
        let depth = depth.filter(|&d| (1..=INDEX_MAX).contains(&d));
        let depth = depth.ok_or_else(|| self.unknown_target())?;
        let rank = index.dims.len() + 1;
        let axis = self.axis(self.int("axis", -1)?, rank)?;
        let index = self.with_axis(&index, axis)?;
        #[expect(clippy::cast_precision_loss, reason = "at most 2^16")]
        let count = depth as f32;
        let from_end = self.scaled(&index, 1.0, count)?;
        let first = self.equals_place(&index, axis, depth)?;
        let second = self.equals_place(&from_end, axis, depth)?;
        let hot = self.pair_of(Arithmetic::Add, &first, &second)?;
        // off + (on - off) * hot
        let values = self.act(2)?;
        let off = self.range(&values, 0, 0, 1)?;
        let on = self.range(&values, 0, 1, 1)?;
        let more = self.pair_of(Arithmetic::Sub, &on, &off)?;
        let product = self.pair_of(Arithmetic::Mul, &hot, &more)?;
        let mut made = self.pair_of(Arithmetic::Add, &product, &off)?;
        made.kind = values.kind;
        Ok(self.value_of(made))
    }

    /// `a * Sigmoid(alpha * a) * b`.
    pub(super) fn gated(&mut self) -> Imported {
        self.allow(&["alpha"])?;
        let (a, b) = (self.act(0)?, self.act(1)?);
        let alpha = f64::from(self.float("alpha", 1.0)?);
        let inner = Function::X.affine(alpha, 0.0);
        let sigmoid = inner.then(Primitive::Sigmoid);
        let swish = Function::X.times(sigmoid);
        let gate = self.mapped(FloatOp::Function(swish), &a)?;
        let product = self.pair_of(Arithmetic::Mul, &gate, &b)?;
        Ok(self.value_of(product))
    }
}

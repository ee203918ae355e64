//! Softmax and products of two values.
//!
//! ```text
//! softmax   m = max x;  p = e^-(m - x) by two tables of 256;  s = sum p;  g = floor(2^45 / s)
//!           the value is p * g / 2^45: the node that multiplies p takes g as row factor
//! product   y = sum x * y, both along their rows; the second one is int8
//! ```

use selfsame_ir::{
    Activation, BatchMatMul, Combine, DType, Dim, FactorShift, Interleave, Op, Operand, ReduceKind,
    Spread,
};
use selfsame_protocol::constants::SHIFT_MAX;

use super::chain::Chain;
use super::emit::{Place, fit};
use super::error::CompileError;
use super::layout::Layout;
use super::program::Lowering;
use super::rows::{Elementwise, Reduction, RowFactor};
use crate::float::exp;
use crate::quant::{INT8_LEVELS, INT16_HEADROOM_LEVELS, INT16_LEVELS, power, requantizer, to_i16};

/// Exponent of the numerator of the reciprocal of a sum of exponentials: one of them is about 2^15.
const SUM_BITS: u8 = 45;
const EXPONENTIAL_ONE: f64 = INT16_LEVELS;

impl Lowering<'_> {
    /// The softmax that a chain is.
    pub(super) fn softmax(&mut self, chain: &Chain) -> Result<Place, CompileError> {
        let node = self.node(chain.body).clone();
        let columns = node.shape.last().copied().unwrap_or(1);
        let x = self.row_operand(&node.name, node.inputs[0], columns)?;
        let x = self.narrow(&node.name, node.inputs[0], x)?;
        let rows = x.layout.elements() / columns;
        let maximum = Reduction {
            kind: ReduceKind::Maximum,
            columns,
            scale: (2, 1),
            dtype: x.dtype,
            bounds: x.dtype.range(),
            step: x.step,
        };
        let maximum = self.emitter.reduce(&node.name, &x, maximum, None)?;
        let exponential = Elementwise {
            columns,
            scale: (-2, 1),
            second: Some(Operand {
                dtype: x.dtype,
                spread: Spread::Row,
                multiplier: 2,
                constant: None,
            }),
            bounds: (0, 65_535),
            activation: Some(Activation::Exponential(exponential_table(x.step))),
            ..Elementwise::of_rows(rows)
        };
        let op = exponential.op(&node.name, x.dtype)?;
        let place = (x.layout.clone(), DType::I16, 1.0);
        let inputs = vec![x.node, maximum.node];
        let powers = self.emitter.push(&node.name, op, inputs, place, None)?;
        let sum = Reduction {
            kind: ReduceKind::Sum,
            columns,
            scale: (2, 1),
            dtype: DType::I32,
            bounds: (1, i32::MAX),
            step: 1.0,
        };
        let sum = self.emitter.reduce(&node.name, &powers, sum, None)?;
        let factor = self.emitter.reciprocal(&node.name, &sum, rows, SUM_BITS)?;
        let lazy = Place {
            step: 1.0 / power(SUM_BITS.into()),
            factor: Some(RowFactor {
                node: factor.node,
                columns,
            }),
            ..powers
        };
        if self.reads_factors(chain.end) {
            return Ok(lazy);
        }
        let (dtype, step) = self.output_of(chain.end)?;
        self.multiplied(&node.name, &lazy, (dtype, step), Some(chain.end))
    }

    /// A value with its row factor multiplied in.
    pub(super) fn multiplied(
        &mut self,
        name: &str,
        x: &Place,
        (dtype, step): (DType, f64),
        float: Option<usize>,
    ) -> Result<Place, CompileError> {
        let Some(RowFactor { node, columns }) = x.factor else {
            return Ok(x.clone());
        };
        let scale = || CompileError::Scale {
            node: name.to_owned(),
            channel: 0,
        };
        let (multiplier, shift) = requantizer(x.step / step, SHIFT_MAX).ok_or_else(scale)?;
        let product = Elementwise {
            columns,
            combine: Combine::Product,
            scale: (
                i32::try_from(multiplier).map_err(|_| scale())?,
                u8::try_from(shift).map_err(|_| scale())?,
            ),
            second: Some(Operand {
                dtype: DType::I32,
                spread: Spread::Row,
                multiplier: 0,
                constant: None,
            }),
            bounds: dtype.range(),
            ..Elementwise::of_rows(x.layout.elements() / columns)
        };
        let op = product.op(name, x.dtype)?;
        let place = (x.layout.clone(), dtype, step);
        self.emitter
            .push(name, op, vec![x.node, node], place, float)
    }

    /// The product of two values that a chain is.
    pub(super) fn product(&mut self, chain: &Chain, group: usize) -> Result<Place, CompileError> {
        let node = self.node(chain.body).clone();
        let shape = &node.shape;
        let (Some(&columns), Some(&rows)) = (shape.last(), shape.iter().rev().nth(1)) else {
            unreachable!("a product has two axes")
        };
        let batch = shape[..shape.len() - 2].iter().product::<usize>();
        let k = self.node(node.inputs[0]).shape.last().copied().unwrap_or(1);
        let (x, x_mixed) = self.first_factor(&node.name, node.inputs[0], [batch, rows, k])?;
        let second = [batch / group, columns, k];
        let (y, y_mixed) = self.second_factor(&node.name, node.inputs[1], second)?;
        let (dtype, step) = self.output_of(chain.end)?;
        let output_mixed = self.wants_rows_outside(chain.end, [batch, rows, columns]);
        let scales = Scales::of(&x, k, x.step * y.step / step);
        let scales = scales.ok_or_else(|| CompileError::Scale {
            node: node.name.clone(),
            channel: 0,
        })?;
        let (low, high) = dtype.range();
        let op = Op::BatchMatMul(BatchMatMul {
            batch: fit(&node.name, batch)?,
            group: fit(&node.name, group)?,
            rows: Dim::fixed(fit(&node.name, rows)?),
            columns: Dim::fixed(fit(&node.name, columns)?),
            k: Dim::fixed(fit(&node.name, k)?),
            interleave: Interleave {
                x: x_mixed,
                y: y_mixed,
                output: output_mixed,
            },
            dtype: x.dtype,
            multiplier: scales.multiplier,
            shift: scales.shift,
            factor: scales.factor,
            low,
            high,
        });
        let factor = x.factor.map(|factor| factor.node);
        let inputs = [Some(x.node), Some(y.node), factor];
        let inputs = inputs.into_iter().flatten().collect();
        let layout = matrices([batch, rows, columns], output_mixed);
        let place = (layout, dtype, step);
        self.emitter
            .push(&node.name, op, inputs, place, Some(chain.end))
    }

    /// The first operand, int8 or int16, by batches or by rows: `[batch, rows, k]`.
    fn first_factor(
        &mut self,
        name: &str,
        index: usize,
        extents: [usize; 3],
    ) -> Result<(Place, bool), CompileError> {
        let place = self.place(index);
        let place = if place
            .factor
            .is_some_and(|factor| factor.columns != extents[2])
        {
            let target = self.output_of(index)?;
            self.multiplied(name, &place, target, None)?
        } else {
            place
        };
        let mixed = place.layout == matrices(extents, true);
        let wanted = matrices(extents, mixed);
        let place = if place.layout == wanted {
            place
        } else {
            let target = self.output_of(index)?;
            let place = self.multiplied(name, &place, target, None)?;
            self.emitter.arrange(name, place, &wanted)?
        };
        Ok((self.narrow(name, index, place)?, mixed))
    }

    /// The second operand, int8, with its rows along k: `[batch, columns, k]`.
    fn second_factor(
        &mut self,
        name: &str,
        index: usize,
        [batch, columns, k]: [usize; 3],
    ) -> Result<(Place, bool), CompileError> {
        let place = self.settled(name, index)?;
        let place = if place.dtype == DType::I8 {
            place
        } else {
            self.as_bytes(name, index, place)?
        };
        // The float graph's order is [batch][k][columns].
        let by_batch = Layout::of_axes([(batch, k * columns), (columns, 1), (k, columns)]);
        let by_column = Layout::of_axes([(columns, 1), (batch, k * columns), (k, columns)]);
        let mixed = place.layout == by_column && by_column != by_batch;
        let wanted = if mixed { by_column } else { by_batch };
        Ok((self.emitter.arrange(name, place, &wanted)?, mixed))
    }
}

/// `[batch][rows][columns]`, or `[rows][batch][columns]`, of what the float graph sees as the first.
pub(super) fn matrices([batch, rows, columns]: [usize; 3], mixed: bool) -> Layout {
    let b = (batch, rows * columns);
    let r = (rows, columns);
    let c = (columns, 1);
    Layout::of_axes(if mixed { [r, b, c] } else { [b, r, c] })
}

/// Numbers of a product's requantisation.
struct Scales {
    multiplier: u16,
    shift: u8,
    factor: Option<FactorShift>,
}

impl Scales {
    /// For sums of `k` products of `x` with int8, `ratio` being the step of a product to the
    /// output's. With a row factor t takes all 32 bits that the longest sum leaves.
    fn of(x: &Place, k: usize, ratio: f64) -> Option<Self> {
        let most = f64::from(x.dtype.range().1) * INT8_LEVELS;
        #[expect(clippy::cast_precision_loss, reason = "at most 2^14 terms")]
        let largest = most * k as f64;
        let fits = |shift: &u32| {
            let scale = ratio * power(*shift);
            scale * largest < power(31) && scale <= INT16_HEADROOM_LEVELS
        };
        let outer = match x.factor {
            None => None,
            Some(_) => Some((1..=SHIFT_MAX).rev().find(fits)?),
        };
        let (multiplier, shift) = requantizer(ratio * power(outer.unwrap_or(0)), SHIFT_MAX)?;
        let outer = outer.map(u8::try_from).transpose().ok()?;
        Some(Self {
            multiplier: u16::try_from(multiplier).ok()?,
            shift: u8::try_from(shift).ok()?,
            factor: outer.map(FactorShift),
        })
    }
}

/// `e^-(256 i step)`, then `e^-(j step)`, in units of 1 / 32767.
fn exponential_table(step: f64) -> Vec<i16> {
    let entry = |distance: f64| to_i16(exp(-distance * step) * EXPONENTIAL_ONE);
    let coarse = (0..256).map(|i| entry(256.0 * f64::from(i)));
    coarse
        .chain((0..256).map(|j| entry(f64::from(j))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_tables_of_256_entries_make_the_exponential() {
        let step = 0.001;
        let table = Activation::Exponential(exponential_table(step));
        for v in [0, 1, 255, 256, 1_000, 5_000, 20_000, 65_535] {
            let found = f64::from(table.at(v)) / EXPONENTIAL_ONE;
            assert!((found - (-f64::from(v) * step).exp()).abs() < 1e-4, "{v}");
        }
    }

    #[test]
    fn batches_and_rows_stand_in_either_order() {
        assert_eq!(matrices([2, 3, 4], false), Layout::flat(24));
        assert_eq!(matrices([1, 3, 4], true), Layout::flat(12));
        let mixed = matrices([2, 2, 1], true).source();
        assert_eq!(mixed, [0, 2, 1, 3]);
    }
}

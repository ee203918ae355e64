//! POINTWISE: sums and products of two values, clamps and tables of one, rescaling.
//!
//! ```text
//! sum      v * step_out = x * step_x +- y * step_y        A = round(step_x / step_out * 2^s), B alike
//! product  v * step_out = x * step_x * y * step_y         A = round(step_x * step_y / step_out * 2^s)
//! ```
//!
//! The shift is as large as multipliers of 15 bits allow.

use selfsame_ir::{Activation, Combine, Constant, DType, Operand, Tensor};
use selfsame_protocol::constants::{MULTIPLIER_MAX, SHIFT_MAX};

use super::chain::Chain;
use super::emit::{Narrowed, Place, fit};
use super::error::CompileError;
use super::layout::Layout;
use super::linear::clamp_bounds;
use super::operand::Second;
use super::program::Lowering;
use super::rows::Elementwise;
use super::table::Stretch;
use crate::float::{Arithmetic, FloatOp, Function, Spread};
use crate::quant::{INT8_LEVELS, INT16_LEVELS, power, requantizer, to_i32};

/// The integer of a summand that is one number.
const CONSTANT_ONE: i16 = 16_384;
/// A summand with numbers as low as this one in front of a softmax is a mask.
pub(crate) const MASK_LOW: f64 = -1_000.0;
/// How far below 0 the lowest integer of masked scores is at least: what is hidden has e^-20 of a weight.
const MASKED_ROOM: f64 = 20.0;
/// Steps of masked scores for one of the mask: from 4 on the mask's integers saturate, and a larger multiplier
/// would leave no bits to the scores'.
const MASK_RATIO_MAX: f64 = 8.0;

/// Steps of an int32 sum for one of the coarser operand.
const LONG_ROOM: f64 = 256.0;

/// What is added to scores besides the large negative numbers of a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mask {
    /// Nothing.
    Hides,
    /// Numbers that count.
    Adds,
}

/// Multipliers of a pointwise node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Factors {
    pub(super) a: i32,
    b: i32,
    pub(super) shift: u8,
}

impl Factors {
    /// Of a sum with these ratios of the operands' steps to the output's.
    pub(super) fn sum(x: f64, y: f64) -> Option<Self> {
        let most = x.abs().max(y.abs());
        let fits = |shift: &u32| (most * power(*shift)).round() <= f64::from(MULTIPLIER_MAX);
        let shift = (1..=SHIFT_MAX).rev().find(fits).filter(|_| most > 0.0)?;
        Some(Self {
            a: to_i32(x * power(shift)),
            b: to_i32(y * power(shift)),
            shift: u8::try_from(shift).ok()?,
        })
    }

    /// Of a product with this ratio of the product of the operands' steps to the output's.
    pub(super) fn product(ratio: f64) -> Option<Self> {
        let (multiplier, shift) = requantizer(ratio, SHIFT_MAX)?;
        Some(Self {
            a: i32::try_from(multiplier).ok()?,
            b: 0,
            shift: u8::try_from(shift).ok()?,
        })
    }
}

/// What follows the combination of the operands.
struct Ending {
    dtype: DType,
    step_out: f64,
    /// Step of what the multipliers make.
    step_sum: f64,
    activation: Option<Activation>,
    /// The float node whose value that is.
    float: usize,
}

impl Lowering<'_> {
    pub(super) fn no_scale(&self, index: usize) -> CompileError {
        CompileError::Scale {
            node: self.node(index).name.clone(),
            channel: 0,
        }
    }

    /// The pointwise node of a chain.
    pub(super) fn pointwise(&mut self, chain: &Chain) -> Result<Place, CompileError> {
        let name = self.node(chain.end).name.clone();
        let (x, second, arithmetic) = self.operands(chain)?;
        if second.is_none()
            && let Some(place) = self.function_of_one(chain, &x)?
        {
            return Ok(place);
        }
        let ending = self.ending(chain, &x, second.as_ref())?;
        let x_ratio = x.step / ending.step_sum;
        let mut y_ratio = second.as_ref().map_or(0.0, |y| y.step / ending.step_sum);
        if self.mask(chain, second.as_ref()) == Some(Mask::Hides) {
            y_ratio = y_ratio.min(MASK_RATIO_MAX);
        }
        let (combine, factors) = match arithmetic {
            Arithmetic::Add => (Combine::Sum, Factors::sum(x_ratio, y_ratio)),
            Arithmetic::Sub => (Combine::Sum, Factors::sum(x_ratio, -y_ratio)),
            Arithmetic::ReverseSub => (Combine::Sum, Factors::sum(-x_ratio, y_ratio)),
            Arithmetic::Mul => {
                let ratio = second.as_ref().map_or(0.0, |y| x_ratio * y.step);
                (Combine::Product, Factors::product(ratio))
            }
        };
        let factors = factors.ok_or_else(|| self.no_scale(chain.end))?;
        let clip = (chain.end != chain.sum).then(|| &self.node(chain.end).op);
        let bounds = match &ending.activation {
            Some(activation) => activation.domain(),
            None => clamp_bounds(clip, ending.step_out, ending.dtype),
        };
        let (rows, columns) = second
            .as_ref()
            .map_or((1, x.layout.elements()), |y| (y.rows, y.columns));
        let node = second.as_ref().and_then(|y| y.node);
        let elementwise = Elementwise {
            rows,
            columns,
            combine,
            scale: (factors.a, factors.shift),
            second: second.map(|y| Operand {
                multiplier: factors.b,
                ..y.operand
            }),
            bounds,
            activation: ending.activation,
        };
        let op = elementwise.op(&name, x.dtype)?;
        let inputs = core::iter::once(x.node).chain(node).collect();
        let place = (x.layout, ending.dtype, ending.step_out);
        let float = ending.float;
        let place = self.emitter.push(&name, op, inputs, place, Some(float))?;
        self.applied(chain, place, float)
    }

    /// The function of a chain of one operand, if it is one of int16.
    fn function_of_one(&mut self, chain: &Chain, x: &Place) -> Result<Option<Place>, CompileError> {
        let is_function = matches!(self.node(chain.end).op, FloatOp::Function(_));
        if !is_function || !self.is_wide(chain.end) {
            return Ok(None);
        }
        self.applied(chain, x.clone(), chain.sum).map(Some)
    }

    /// The operands, in orders that fit each other, and what is done with them.
    fn operands(
        &mut self,
        chain: &Chain,
    ) -> Result<(Place, Option<Second>, Arithmetic), CompileError> {
        let name = self.node(chain.end).name.clone();
        let (arithmetic, spread) = chain.pair.clone();
        let Some(other) = chain.addend else {
            let x = self.settled(&name, chain.body)?;
            return Ok((x, None, arithmetic));
        };
        let shape = self.node(chain.body).shape.clone();
        let spread = spread.unwrap_or_else(|| Spread::full(shape.len()));
        let (mut body, mut other, mut arithmetic) = (chain.body, other, arithmetic);
        if spread.is_full() && matches!(self.node(body).op, FloatOp::Constant(_)) {
            (body, other, arithmetic) = (other, body, arithmetic.swapped());
        }
        let x = self.settled(&name, body)?;
        // Two values in different orders: that of images, if one of them has it.
        let x = match (self.places[other].as_ref(), shape.as_slice()) {
            (Some(y), &[c, h, w]) if spread.is_full() && y.layout == Layout::image(c, h, w) => {
                self.emitter.arrange(&name, x, &Layout::image(c, h, w))?
            }
            _ => x,
        };
        let second = self.second(&name, (body, &x), other, &spread)?;
        // A product has one factor of 32 bits at most, and a sum of int32 would not be rounded well.
        if x.dtype == DType::I32
            && second.operand.dtype == DType::I32
            && arithmetic == Arithmetic::Mul
        {
            let x = self.narrow(&name, body, x)?;
            return Ok((x, Some(second), arithmetic));
        }
        Ok((x, Some(second), arithmetic))
    }

    /// Type, steps and activation of a chain whose operands are given.
    fn ending(
        &self,
        chain: &Chain,
        x: &Place,
        second: Option<&Second>,
    ) -> Result<Ending, CompileError> {
        let activation = (chain.end != chain.sum).then(|| &self.node(chain.end).op);
        let alone = chain.addend.is_none() && x.dtype == DType::I8;
        if let Some(FloatOp::Function(f)) = activation {
            let finest = match (chain.pair.0, second) {
                (_, None) => x.step,
                (Arithmetic::Mul, Some(y)) => x.step * y.step,
                (Arithmetic::Add | Arithmetic::Sub | Arithmetic::ReverseSub, Some(y)) => {
                    x.step.max(y.step)
                }
            };
            if self.is_wide(chain.end) {
                return self.wide_function(chain, f, finest);
            }
            let step_out = self.table_step(chain.end, f);
            // The integers of a single value are the indices of the table.
            let stretch = if alone {
                Stretch {
                    center: 0.0,
                    step: x.step,
                }
            } else {
                let range = self.calibration.range(chain.sum);
                Stretch::around_zero(f, range, step_out, (INT8_LEVELS, finest))
            };
            let entries = stretch.table(f, step_out).to_vec();
            return Ok(Ending {
                dtype: DType::I8,
                step_out,
                step_sum: stretch.step,
                activation: Some(Activation::Lookup(entries)),
                float: chain.end,
            });
        }
        // A clamp alone keeps the grid that its values stand on.
        let (dtype, step_out) = if alone && self.is_free(chain.end) {
            (DType::I8, x.step)
        } else {
            match self.mask(chain, second) {
                Some(Mask::Hides) => (DType::I16, masked_step(x.step)),
                Some(Mask::Adds) => (DType::I16, x.step),
                None => self.sum_of(chain, x, second)?,
            }
        };
        Ok(Ending {
            dtype,
            step_out,
            step_sum: step_out,
            activation: None,
            float: chain.end,
        })
    }

    /// The mask of a chain that takes elements out of a softmax: its large negative numbers are to
    /// saturate, and must not set the scale.
    fn mask(&self, chain: &Chain, second: Option<&Second>) -> Option<Mask> {
        let readers = self.readers_of(chain.end);
        let only_softmax = !readers.is_empty()
            && readers
                .iter()
                .all(|&reader| matches!(self.node(reader).op, FloatOp::Softmax));
        // As seen: a margin for values to come would make 0 of a short mask positive.
        let seen = chain
            .addend
            .map_or((0.0, 0.0), |y| self.calibration.seen(y));
        let (low, high) = match chain.pair.0 {
            Arithmetic::Add => seen,
            Arithmetic::Sub => (-seen.1, -seen.0),
            Arithmetic::ReverseSub | Arithmetic::Mul => return None,
        };
        let x = self.calibration.largest(chain.body);
        let is_mask = low <= MASK_LOW && -low > 4.0 * x && high <= x;
        if !(only_softmax && is_mask && second.is_some() && self.is_wide(chain.end)) {
            return None;
        }
        Some(if high <= 0.0 { Mask::Hides } else { Mask::Adds })
    }

    /// Function `f` of a pair whose values have `finest` steps as int16: in the node, if one interpolation does, else
    /// behind it.
    fn wide_function(
        &self,
        chain: &Chain,
        f: &Function,
        finest: f64,
    ) -> Result<Ending, CompileError> {
        if self.bends(chain.sum, chain.end, f) {
            let step = self.long_step(chain.sum, finest / LONG_ROOM);
            return Ok(Ending {
                dtype: DType::I32,
                step_out: step,
                step_sum: step,
                activation: None,
                float: chain.sum,
            });
        }
        let (dtype, step_out) = self.word_of(chain.end)?;
        let stretch = self.stretch(chain.sum, f, (step_out, finest));
        Ok(Ending {
            dtype,
            step_out,
            step_sum: stretch.step,
            activation: Some(Activation::Interpolate(
                stretch.nodes(|x| f.at(x), step_out),
            )),
            float: chain.end,
        })
    }

    /// Type and step of a pair without a function.
    fn sum_of(
        &self,
        chain: &Chain,
        x: &Place,
        second: Option<&Second>,
    ) -> Result<(DType, f64), CompileError> {
        match second {
            Some(y) if chain.pair.0 == Arithmetic::Add && self.feeds_bends(chain.end) => {
                let finest = x.step.max(y.step) / LONG_ROOM;
                Ok((DType::I32, self.long_step(chain.end, finest)))
            }
            Some(_) | None => self.output_of(chain.end),
        }
    }

    /// `x * scale + shift` with one scale and one shift.
    pub(super) fn uniform(
        &mut self,
        chain: &Chain,
        x: &Place,
        (scale, shift): (f64, f64),
    ) -> Result<Place, CompileError> {
        let name = self.node(chain.end).name.clone();
        let (dtype, step) = self.output_of(chain.end)?;
        let level = if shift < 0.0 {
            -CONSTANT_ONE
        } else {
            CONSTANT_ONE
        };
        let unit = shift.abs() / f64::from(CONSTANT_ONE);
        let factors = Factors::sum(x.step * scale / step, unit / step);
        let factors = factors.ok_or_else(|| self.no_scale(chain.end))?;
        let elementwise = Elementwise {
            columns: x.layout.elements(),
            scale: (factors.a, factors.shift),
            second: (shift != 0.0).then(|| Operand {
                dtype: DType::I16,
                spread: selfsame_ir::Spread::One,
                multiplier: factors.b,
                constant: Some(Constant {
                    elements: 1,
                    values: Tensor::I16(vec![level]),
                }),
            }),
            bounds: dtype.range(),
            ..Elementwise::of_rows(1)
        };
        let op = elementwise.op(&name, x.dtype)?;
        let place = (x.layout.clone(), dtype, step);
        self.emitter
            .push(&name, op, vec![x.node], place, Some(chain.end))
    }

    /// Float value `index`, which stands at `x`, as int8 on one scale.
    pub(super) fn as_bytes(
        &mut self,
        name: &str,
        index: usize,
        x: Place,
    ) -> Result<Place, CompileError> {
        let step = self.byte_step(index);
        let narrowed = Narrowed::Step { float: index, step };
        self.emitter.narrowed.push(narrowed);
        self.requantized(name, x, (DType::I8, step))
    }

    /// A value in another type at another step.
    pub(super) fn requantized(
        &mut self,
        name: &str,
        x: Place,
        (dtype, step): (DType, f64),
    ) -> Result<Place, CompileError> {
        if x.dtype == dtype && x.step.to_bits() == step.to_bits() {
            return Ok(x);
        }
        let elementwise = Elementwise {
            bounds: dtype.range(),
            ..Elementwise::rescaled(name, &x, step)?
        };
        let op = elementwise.op(name, x.dtype)?;
        let place = (x.layout, dtype, step);
        self.emitter.push(name, op, vec![x.node], place, None)
    }

    /// An image times one constant per position.
    pub(super) fn plane(&mut self, chain: &Chain, values: &[f32]) -> Result<Place, CompileError> {
        let node = self.node(chain.body).clone();
        let (c, h, w) = self.image(chain.body);
        let layout = Layout::image(c, h, w);
        let x = self.operand(&node.name, node.inputs[0], &layout)?;
        let (dtype, step_out) = self.output_of(chain.end)?;
        let largest = values.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        let step = f64::from(largest) / INT16_LEVELS;
        let factors = Factors::product(x.step * step / step_out);
        let factors = factors.ok_or_else(|| self.no_scale(chain.end))?;
        let levels: Option<Vec<i16>> = values
            .iter()
            .map(|&v| i16::try_from(to_i32(f64::from(v) / step)).ok())
            .collect();
        let levels = levels.ok_or_else(|| self.no_scale(chain.end))?;
        let elementwise = Elementwise {
            rows: h * w,
            columns: c,
            combine: Combine::Product,
            scale: (factors.a, factors.shift),
            second: Some(Operand {
                dtype: DType::I16,
                spread: selfsame_ir::Spread::Row,
                multiplier: 0,
                constant: Some(Constant {
                    elements: fit(&node.name, levels.len())?,
                    values: Tensor::I16(levels),
                }),
            }),
            bounds: dtype.range(),
            activation: None,
        };
        let op = elementwise.op(&node.name, x.dtype)?;
        let place = (layout, dtype, step_out);
        self.emitter
            .push(&node.name, op, vec![x.node], place, Some(chain.end))
    }
}

/// The step of masked scores: theirs, or the next power of two of it that gives what is hidden room.
fn masked_step(step: f64) -> f64 {
    let fits = |bits: &u32| step * power(*bits) * INT16_LEVELS >= MASKED_ROOM;
    step * power((0..=SHIFT_MAX).find(fits).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multipliers_use_all_fifteen_bits() {
        for (x, y) in [(1.0, 0.0), (0.3, -0.004), (-1e-6, 2e-7), (900.0, 3.0)] {
            let f = Factors::sum(x, y).unwrap();
            let unit = power(u32::from(f.shift));
            assert!(f.a.abs().max(f.b.abs()) <= 32_767);
            assert!(f.a.abs().max(f.b.abs()) >= 16_384, "{f:?}");
            assert!((f64::from(f.a) / unit - x).abs() <= x.abs() / 32_768.0);
            assert!((f64::from(f.b) / unit - y).abs() <= 0.5 / unit);
        }
        assert_eq!(Factors::sum(0.0, 0.0), None);
        assert_eq!(Factors::sum(40_000.0, 1.0), None);
        assert_eq!(Factors::product(f64::NAN), None);
    }
}

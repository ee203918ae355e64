//! POINTWISE: sums and products of two values, clamps and tables of one, rescaling.
//!
//! ```text
//! sum      v * step_out = x * step_x +- y * step_y        A = round(step_x / step_out * 2^s), B alike
//! product  v * step_out = x * step_x * y * step_y         A = round(step_x * step_y / step_out * 2^s)
//! ```
//!
//! The shift is as large as multipliers of 15 bits allow.

use selfsame_ir::{Combine, Constant, DType, Dim, Op, Operand, Pointwise, Table, Tensor};
use selfsame_protocol::constants::{MULTIPLIER_MAX, SHIFT_MAX};

use super::chain::Chain;
use super::emit::{Place, fit};
use super::error::CompileError;
use super::layout::Layout;
use super::linear::clamp_bounds;
use super::program::Lowering;
use super::support::Form;
use super::table::Stretch;
use crate::float::{Arithmetic, FloatOp};
use crate::quant::{power, requantizer};

/// Largest integer of a constant operand.
const CONSTANT_LEVELS: f64 = 32_767.0;

/// Multipliers of a pointwise node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Factors {
    a: i32,
    b: i32,
    shift: u8,
}

impl Factors {
    /// Of a sum with these ratios of the operands' steps to the output's.
    fn sum(x: f64, y: f64) -> Option<Self> {
        let most = x.abs().max(y.abs());
        let fits = |shift: &u32| (most * power(*shift)).round() <= f64::from(MULTIPLIER_MAX);
        let shift = (1..=SHIFT_MAX).rev().find(fits).filter(|_| most > 0.0)?;
        Some(Self {
            a: whole(x * power(shift)),
            b: whole(y * power(shift)),
            shift: u8::try_from(shift).ok()?,
        })
    }

    /// Of a product with this ratio of the product of the operands' steps to the output's.
    fn product(ratio: f64) -> Option<Self> {
        let (multiplier, shift) = requantizer(ratio, SHIFT_MAX)?;
        Some(Self {
            a: i32::try_from(multiplier).ok()?,
            b: 0,
            shift: u8::try_from(shift).ok()?,
        })
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "callers pass numbers below 2^15"
)]
fn whole(value: f64) -> i32 {
    value.round() as i32
}

/// Rows and columns: an image by positions and channels, anything else as one row.
fn grid(shape: &[usize], layout: &Layout) -> (usize, usize) {
    match *shape {
        [c, h, w] if *layout == Layout::image(c, h, w) => (h * w, c),
        _ => (1, shape.iter().product()),
    }
}

/// What follows the combination of the operands.
struct Ending {
    dtype: DType,
    step_out: f64,
    /// Step of what the multipliers make.
    step_sum: f64,
    table: Option<[i8; 256]>,
}

impl Lowering<'_> {
    fn no_scale(&self, index: usize) -> CompileError {
        CompileError::Scale {
            node: self.node(index).name.clone(),
            channel: 0,
        }
    }

    /// The pointwise node of a chain.
    pub(super) fn pointwise(&mut self, chain: &Chain) -> Result<Place, CompileError> {
        let name = self.node(chain.end).name.clone();
        let shape = self.node(chain.body).shape.clone();
        let (x, second) = self.operands(chain)?;
        let ending = self.ending(chain, &x)?;
        let (arithmetic, spread) = chain.pair;
        let x_ratio = x.step / ending.step_sum;
        let y_ratio = second.as_ref().map_or(0.0, |y| y.step / ending.step_sum);
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
        let (low, high) = match ending.table {
            Some(_) => (-128, 127),
            None => clamp_bounds(clip, ending.step_out, ending.dtype),
        };
        let (rows, columns) = grid(&shape, &x.layout);
        let op = Op::Pointwise(Pointwise {
            rows: Dim::fixed(fit(&name, rows)?),
            columns: fit(&name, columns)?,
            dtype: x.dtype,
            multiplier: factors.a,
            combine,
            second: second.as_ref().map(|y| Operand {
                dtype: y.dtype,
                spread: spread_ir(spread),
                multiplier: factors.b,
                constant: None,
            }),
            shift: factors.shift,
            low,
            high,
            table: ending.table.map(|entries| Table::Lookup(entries.to_vec())),
        });
        let inputs = core::iter::once(x.node)
            .chain(second.map(|y| y.node))
            .collect();
        let place = (x.layout, ending.dtype, ending.step_out);
        self.emitter.push(&name, op, inputs, place, Some(chain.end))
    }

    /// The operands, in orders that fit each other.
    fn operands(&mut self, chain: &Chain) -> Result<(Place, Option<Place>), CompileError> {
        let name = self.node(chain.end).name.clone();
        let x = self.place(chain.body);
        let Some(other) = chain.addend else {
            return Ok((x, None));
        };
        let image = match *self.node(chain.body).shape.as_slice() {
            [c, h, w] => Some(Layout::image(c, h, w)),
            _ => None,
        };
        let y = self.place(other);
        let (of_x, of_y) = match (chain.pair.1, image) {
            (Form::Channel | Form::Plane, Some(image)) => {
                (image, Layout::flat(self.node(other).elements()))
            }
            (Form::Full, Some(image)) if y.layout == image => (image.clone(), image),
            (Form::Full, _) => (x.layout.clone(), x.layout.clone()),
            (Form::One | Form::Channel | Form::Plane, _) => (x.layout.clone(), y.layout.clone()),
        };
        let x = self.emitter.arrange(&name, x, &of_x)?;
        let y = self.emitter.arrange(&name, y, &of_y)?;
        Ok((x, Some(y)))
    }

    /// Type, steps and table of a chain whose first operand is `x`.
    fn ending(&self, chain: &Chain, x: &Place) -> Result<Ending, CompileError> {
        let activation = (chain.end != chain.sum).then(|| &self.node(chain.end).op);
        let alone = chain.addend.is_none() && x.dtype == DType::I8;
        if let Some(FloatOp::Function(f)) = activation {
            let step_out = self.table_step(chain.end, f);
            // The integers of a single value are the indices of the table.
            let stretch = if alone {
                Stretch {
                    center: 0.0,
                    step: x.step,
                }
            } else {
                Stretch::around_zero(f, self.calibration.range(chain.sum), step_out)
            };
            return Ok(Ending {
                dtype: DType::I8,
                step_out,
                step_sum: stretch.step,
                table: Some(stretch.table(f, step_out)),
            });
        }
        // A clamp alone keeps the grid that its values stand on.
        let (dtype, step_out) = if alone && self.is_free(chain.end) {
            (DType::I8, x.step)
        } else {
            self.output_of(chain.end)?
        };
        Ok(Ending {
            dtype,
            step_out,
            step_sum: step_out,
            table: None,
        })
    }

    /// A value as int8 at `step`.
    pub(super) fn rescale(
        &mut self,
        name: &str,
        x: Place,
        step: f64,
        shape: &[usize],
    ) -> Result<Place, CompileError> {
        if x.dtype == DType::I8 && x.step.to_bits() == step.to_bits() {
            return Ok(x);
        }
        let factors = Factors::sum(x.step / step, 0.0).ok_or_else(|| CompileError::Scale {
            node: name.to_owned(),
            channel: 0,
        })?;
        let (rows, columns) = grid(shape, &x.layout);
        let (low, high) = DType::I8.range();
        let op = Op::Pointwise(Pointwise {
            rows: Dim::fixed(fit(name, rows)?),
            columns: fit(name, columns)?,
            dtype: x.dtype,
            multiplier: factors.a,
            combine: Combine::Sum,
            second: None,
            shift: factors.shift,
            low,
            high,
            table: None,
        });
        let place = (x.layout, DType::I8, step);
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
        let step = f64::from(largest) / CONSTANT_LEVELS;
        let factors = Factors::product(x.step * step / step_out);
        let factors = factors.ok_or_else(|| self.no_scale(chain.end))?;
        let levels: Option<Vec<i16>> = values
            .iter()
            .map(|&v| i16::try_from(whole(f64::from(v) / step)).ok())
            .collect();
        let levels = levels.ok_or_else(|| self.no_scale(chain.end))?;
        let (low, high) = dtype.range();
        let op = Op::Pointwise(Pointwise {
            rows: Dim::fixed(fit(&node.name, h * w)?),
            columns: fit(&node.name, c)?,
            dtype: x.dtype,
            multiplier: factors.a,
            combine: Combine::Product,
            second: Some(Operand {
                dtype: DType::I16,
                spread: selfsame_ir::Spread::Row,
                multiplier: 0,
                constant: Some(Constant {
                    elements: fit(&node.name, levels.len())?,
                    values: Tensor::I16(levels),
                }),
            }),
            shift: factors.shift,
            low,
            high,
            table: None,
        });
        let place = (layout, dtype, step_out);
        self.emitter
            .push(&node.name, op, vec![x.node], place, Some(chain.end))
    }
}

/// How the second operand lies over `[positions][channels]`.
fn spread_ir(form: Form) -> selfsame_ir::Spread {
    match form {
        Form::Full => selfsame_ir::Spread::Full,
        Form::Channel => selfsame_ir::Spread::Column,
        Form::Plane => selfsame_ir::Spread::Row,
        Form::One => selfsame_ir::Spread::One,
    }
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

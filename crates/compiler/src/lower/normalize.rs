//! Layer norm and RMS norm: mean, variance, reciprocal square root, NORMALIZE.
//!
//! ```text
//! center  2^8 mean(x)                          variance  v = 2 var(x) + 2 epsilon / step^2
//! rec     floor(2^45 / isqrt(v * 2^30)), that is 2^30 / sqrt(v)
//! y       (2^8 x - center) * rec * sqrt(2) * 2^-38 * scale[c] + shift[c]
//! ```
//!
//! Where epsilon is far above what the values are, v is in units of 4^h of that, and y multiplies by
//! 2^-h: its integer stays below 2^30.

use selfsame_ir::{
    Activation, ColumnConstants, Constant, DType, Dim, FactorShift, Normalize, Op, Operand,
    ReduceKind, Spread, Tensor,
};
use selfsame_protocol::constants::{
    BIAS_MAX, FACTOR_BITS, MEAN_BITS, MULTIPLIER_MAX, SHIFT_MAX, VARIANCE_BITS,
};

use super::chain::Chain;
use super::emit::{Place, fit};
use super::error::CompileError;
use super::layout::Layout;
use super::program::Lowering;
use super::rows::{Elementwise, Reduction};
use crate::float::FloatOp;
use crate::quant::{power, requantizer};

/// Exponent of the numerator of the reciprocal square root.
const ROOT_BITS: u8 = 45;
/// Bits of `2^8 x - center`, sign included: x has 16, and so has the mean.
const CENTERED: f64 = 33_554_432.0;
const SQRT_2: f64 = core::f64::consts::SQRT_2;
/// Bits of the integer of epsilon.
const EPSILON_BITS: u32 = 30;
/// Most halvings; with more of them the norm of the largest x is below 2^-19.
const HALVINGS_MAX: u32 = 20;

/// The float node's numbers.
struct Norm<'a> {
    center: bool,
    epsilon: f64,
    scale: &'a [f32],
    shift: &'a [f32],
}

impl Lowering<'_> {
    /// The normalisation that a chain is.
    pub(super) fn normalize(&mut self, chain: &Chain) -> Result<Place, CompileError> {
        let node = self.node(chain.body).clone();
        let FloatOp::Normalize {
            center,
            epsilon,
            scale,
            shift,
        } = &node.op
        else {
            unreachable!("the caller matched")
        };
        let norm = Norm {
            center: *center,
            epsilon: f64::from(*epsilon),
            scale,
            shift,
        };
        let columns = scale.len();
        let x = self.row_operand(&node.name, node.inputs[0], columns)?;
        let x = self.narrow(&node.name, node.inputs[0], x)?;
        let (dtype, step) = self.output_of(chain.end)?;
        let scale = || CompileError::Scale {
            node: node.name.clone(),
            channel: 0,
        };
        let halvings = norm.halvings(x.step).ok_or_else(scale)?;
        let factor = self.deviation(&node.name, &x, &norm, halvings)?;
        let center = if norm.center {
            Some(self.mean(&node.name, &x, columns)?)
        } else {
            None
        };
        let (shift, constants) = columns_of(&norm, step, halvings).ok_or_else(scale)?;
        let rows = x.layout.elements() / columns;
        let (low, high) = dtype.range();
        let op = Op::Normalize(Normalize {
            rows: Dim::fixed(fit(&node.name, rows)?),
            columns: fit(&node.name, columns)?,
            dtype: x.dtype,
            center_bits: MEAN_BITS,
            center: norm.center,
            factor: true,
            shift: FactorShift(shift),
            low,
            high,
            constants,
        });
        let inputs = [Some(x.node), center.map(|c| c.node), Some(factor.node)];
        let inputs = inputs.into_iter().flatten().collect();
        let place = (x.layout, dtype, step);
        self.emitter
            .push(&node.name, op, inputs, place, Some(chain.end))
    }

    fn mean(&mut self, name: &str, x: &Place, columns: usize) -> Result<Place, CompileError> {
        let mean = Reduction {
            kind: ReduceKind::Mean,
            columns,
            scale: (2, 1),
            dtype: DType::I32,
            bounds: DType::I32.range(),
            step: x.step / power(MEAN_BITS.into()),
        };
        self.emitter.reduce(name, x, mean, None)
    }

    /// `2^30 / sqrt(2 (variance + epsilon) / 4^halvings)` in units of x, for each row.
    fn deviation(
        &mut self,
        name: &str,
        x: &Place,
        norm: &Norm<'_>,
        halvings: u32,
    ) -> Result<Place, CompileError> {
        let columns = norm.scale.len();
        let (kind, ratio) = if norm.center {
            (ReduceKind::Variance, 2.0 / power(VARIANCE_BITS.into()))
        } else {
            #[expect(clippy::cast_precision_loss, reason = "at most 2^14 columns")]
            (ReduceKind::Squares, 2.0 / columns as f64)
        };
        let scale = || CompileError::Scale {
            node: name.to_owned(),
            channel: 0,
        };
        let quarter = power(2 * halvings);
        let (multiplier, shift) = requantizer(ratio / quarter, SHIFT_MAX).ok_or_else(scale)?;
        let variance = Reduction {
            kind,
            columns,
            scale: (
                u16::try_from(multiplier).map_err(|_| scale())?,
                u8::try_from(shift).map_err(|_| scale())?,
            ),
            dtype: DType::I32,
            bounds: (0, i32::MAX),
            step: x.step * x.step / 2.0 * quarter,
        };
        let variance = self.emitter.reduce(name, x, variance, None)?;
        let epsilon = (2.0 * norm.epsilon / (x.step * x.step) / quarter).round();
        #[expect(clippy::cast_possible_truncation, reason = "clamped to 30 bits")]
        let epsilon = epsilon.clamp(0.0, power(EPSILON_BITS)) as i32;
        let rows = x.layout.elements() / columns;
        let root = Elementwise {
            second: (epsilon > 0).then(|| Operand {
                dtype: DType::I32,
                spread: Spread::One,
                multiplier: 2,
                constant: Some(Constant {
                    elements: 1,
                    values: Tensor::I32(vec![epsilon]),
                }),
            }),
            bounds: (1, i32::MAX),
            activation: Some(Activation::ReciprocalRoot { bits: ROOT_BITS }),
            ..Elementwise::of_rows(rows)
        };
        let op = root.op(name, DType::I32)?;
        let place = (variance.layout.clone(), DType::I32, 1.0);
        self.emitter
            .push(name, op, vec![variance.node], place, None)
    }
}

impl Norm<'_> {
    /// How often the root of the variance is halved for epsilon to have 30 bits at this step of x.
    fn halvings(&self, step: f64) -> Option<u32> {
        let epsilon = 2.0 * self.epsilon / (step * step);
        let fits = |halvings: &u32| epsilon / power(2 * halvings) <= power(EPSILON_BITS);
        (0..=HALVINGS_MAX).find(fits)
    }
}

impl Lowering<'_> {
    /// One factor and summand for each cell of an axis.
    pub(super) fn affine(&mut self, chain: &Chain, axis: usize) -> Result<Place, CompileError> {
        let node = self.node(chain.body).clone();
        let FloatOp::Affine { scale, shift, .. } = &node.op else {
            unreachable!("the caller matched")
        };
        let columns = scale.len();
        let place = self.settled(&node.name, node.inputs[0])?;
        let place = if node.inputs[0] == 0 && self.graph.input_is_features() {
            place
        } else {
            self.narrow(&node.name, node.inputs[0], place)?
        };
        let alike = |values: &[f32]| values.iter().all(|v| v.to_bits() == values[0].to_bits());
        if alike(scale) && alike(shift) {
            let numbers = (f64::from(scale[0]), f64::from(shift[0]));
            return self.uniform(chain, &place, numbers);
        }
        let cells = place.layout.cut_at(&node.shape).unwrap_or_default();
        let inner = cells.last() == Some(&(columns, axis)) || columns == 1;
        let x = if inner {
            place
        } else {
            let wanted = axis_inside(&node.shape, axis);
            self.emitter.arrange(&node.name, place, &wanted)?
        };
        let (dtype, step) = self.output_of(chain.end)?;
        let norm = Norm {
            center: false,
            epsilon: 0.0,
            scale,
            shift,
        };
        let (outer, constants) = scaled_columns(
            &norm,
            x.step / step / power(FACTOR_BITS.into()),
            step,
            match x.dtype {
                DType::I8 | DType::I16 => Elements::UpTo(f64::from(x.dtype.range().1)),
                DType::I32 => Elements::Any,
            },
        )
        .ok_or_else(|| self.no_scale(chain.end))?;
        let (low, high) = dtype.range();
        let op = Op::Normalize(Normalize {
            rows: Dim::fixed(fit(&node.name, x.layout.elements() / columns)?),
            columns: fit(&node.name, columns)?,
            dtype: x.dtype,
            center_bits: 0,
            center: false,
            factor: false,
            shift: FactorShift(outer),
            low,
            high,
            constants,
        });
        let place = (x.layout, dtype, step);
        self.emitter
            .push(&node.name, op, vec![x.node], place, Some(chain.end))
    }
}

/// The order of a value of `shape` with one axis innermost.
fn axis_inside(shape: &[usize], axis: usize) -> Layout {
    let inner: usize = shape[axis + 1..].iter().product();
    let outer: usize = shape[..axis].iter().product();
    let own = shape[axis];
    Layout::of_axes([(outer, own * inner), (inner, 1), (own, inner)])
}

/// What a norm reads.
#[derive(Clone, Copy)]
enum Elements {
    /// Integers of at most this magnitude, in any column.
    UpTo(f64),
    /// Features: those of a column fit its factor, others saturate t, and t saturates only where y does.
    Any,
}

/// Constants of the columns of a norm, and S.
fn columns_of(norm: &Norm<'_>, step: f64, halvings: u32) -> Option<(u8, Vec<ColumnConstants>)> {
    let unit = SQRT_2 / power(30 + u32::from(MEAN_BITS) + halvings) / step;
    scaled_columns(norm, unit, step, Elements::UpTo(CENTERED))
}

/// Constants of the columns for elements one of which makes `unit` steps of the output at a scale of 1.
/// S is as large as |t| < 2^31 and |bias| <= 2^30 allow.
fn scaled_columns(
    norm: &Norm<'_>,
    unit: f64,
    step: f64,
    elements: Elements,
) -> Option<(u8, Vec<ColumnConstants>)> {
    let most = |values: &[f32]| {
        values
            .iter()
            .fold(0.0_f64, |m, &v| m.max(f64::from(v.abs())))
    };
    let (scale, bias) = (most(norm.scale) * unit, most(norm.shift) / step);
    let bits = u32::from(FACTOR_BITS);
    let fits = |shift: &u32| {
        let t_fits = match elements {
            Elements::UpTo(largest) => scale * power(*shift) * largest < power(31),
            // 2^30 for the bias, and as much for an output of 16 bits.
            Elements::Any => shift - bits <= 15,
        };
        t_fits
            && scale * power(*shift) <= f64::from(MULTIPLIER_MAX) / 2.0
            && bias * power(*shift - bits) <= f64::from(BIAS_MAX)
    };
    let shift = (bits..=SHIFT_MAX).rev().find(fits)?;
    let column = |(&scale, &bias): (&f32, &f32)| {
        let ratio = f64::from(scale) * unit * power(shift);
        let (multiplier, own) = requantizer(ratio.abs(), SHIFT_MAX).unwrap_or((0, SHIFT_MAX));
        let multiplier = i32::try_from(multiplier).ok()?;
        let bias = (f64::from(bias) / step * power(shift - bits)).round();
        #[expect(clippy::cast_possible_truncation, reason = "bounded by 2^30 above")]
        let bias = bias as i32;
        Some(ColumnConstants {
            bias,
            multiplier: if ratio < 0.0 { -multiplier } else { multiplier },
            shift: i32::try_from(own).ok()?,
        })
    };
    let constants = norm
        .scale
        .iter()
        .zip(norm.shift)
        .map(column)
        .collect::<Option<_>>()?;
    Some((u8::try_from(shift).ok()?, constants))
}

//! Values row by row: one number for each row, and rows quantised by their own largest magnitude.
//!
//! ```text
//! g = max(1, max |x|)                       REDUCE
//! r = floor(2^30 / g)                       POINTWISE, reciprocal
//! q = round(x * r * 127 / 2^30)             POINTWISE, product
//! x = q * g / 127, about
//! ```
//!
//! So an int8 operand follows the size of each row, and the row factor `g` returns what was divided
//! away inside the node that multiplies `q`.

use selfsame_ir::{
    Activation, Combine, DType, Dim, Op, Operand, Pointwise, Reduce, ReduceKind, Spread,
};

use super::emit::{Emitter, Place, fit};
use super::error::CompileError;
use super::layout::{Axis, Layout};
use super::pointwise::Factors;
use crate::quant::INT8_LEVELS;

/// Exponent of the numerator of a row's reciprocal: a magnitude has 15 bits.
const RECIPROCAL_BITS: u8 = 30;
/// 127 in 15 bits, and the shift that takes it back: `127 * 2^8 / 2^38 = 127 / 2^30`.
const LEVELS: (i32, u8) = (127 << 8, 38);

/// A number of each row by which the row's elements are still to be multiplied.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct RowFactor {
    /// The node, i32, one element for each row.
    pub(super) node: u32,
    /// Elements of a row.
    pub(super) columns: usize,
}

impl Layout {
    /// Whether each `columns` neighbours of the float graph's order are neighbours here.
    pub(super) fn has_rows(&self, columns: usize) -> bool {
        match self.axes().last() {
            _ if columns == 1 => true,
            Some(axis) => axis.stride == 1 && axis.extent.is_multiple_of(columns),
            None => false,
        }
    }

    /// The layout of one element for each row of `columns`.
    pub(super) fn rows(&self, columns: usize) -> Self {
        let outer = self.axes().iter().map(|axis| Axis {
            extent: if axis.stride == 1 {
                axis.extent / columns
            } else {
                axis.extent
            },
            stride: if axis.stride == 1 {
                1
            } else {
                axis.stride / columns
            },
        });
        if columns == 1 {
            self.clone()
        } else {
            Self::new(outer)
        }
    }
}

/// A pointwise node to be.
pub(super) struct Elementwise {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) combine: Combine,
    /// A and s.
    pub(super) scale: (i32, u8),
    pub(super) second: Option<Operand>,
    pub(super) bounds: (i32, i32),
    pub(super) activation: Option<Activation>,
}

impl Elementwise {
    /// The first operand as it is, one element for each row.
    pub(super) fn of_rows(rows: usize) -> Self {
        Self {
            rows,
            columns: 1,
            combine: Combine::Sum,
            scale: (2, 1),
            second: None,
            bounds: DType::I32.range(),
            activation: None,
        }
    }

    /// One value at another step; the caller bounds it.
    pub(super) fn rescaled(name: &str, x: &Place, step: f64) -> Result<Self, CompileError> {
        let factors = Factors::sum(x.step / step, 0.0).ok_or_else(|| CompileError::Scale {
            node: name.to_owned(),
            channel: 0,
        })?;
        Ok(Self {
            columns: x.layout.elements(),
            scale: (factors.a, factors.shift),
            ..Self::of_rows(1)
        })
    }

    /// The operator.
    pub(super) fn op(self, name: &str, dtype: DType) -> Result<Op, CompileError> {
        Ok(Op::Pointwise(Pointwise {
            rows: Dim::fixed(fit(name, self.rows)?),
            columns: Dim::fixed(fit(name, self.columns)?),
            dtype,
            multiplier: self.scale.0,
            combine: self.combine,
            second: self.second,
            shift: self.scale.1,
            low: self.bounds.0,
            high: self.bounds.1,
            activation: self.activation,
        }))
    }
}

/// A reduction to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reduction {
    pub(super) kind: ReduceKind,
    pub(super) columns: usize,
    /// M and s.
    pub(super) scale: (u16, u8),
    pub(super) dtype: DType,
    pub(super) bounds: (i32, i32),
    /// Real value of one unit of the result.
    pub(super) step: f64,
}

impl Emitter {
    /// One value for each row of `x`, whose layout has rows.
    pub(super) fn reduce(
        &mut self,
        name: &str,
        x: &Place,
        reduction: Reduction,
        float: Option<usize>,
    ) -> Result<Place, CompileError> {
        let rows = x.layout.elements() / reduction.columns;
        let op = Op::Reduce(Reduce {
            rows: Dim::fixed(fit(name, rows)?),
            columns: Dim::fixed(fit(name, reduction.columns)?),
            kind: reduction.kind,
            dtype: x.dtype,
            multiplier: reduction.scale.0,
            shift: reduction.scale.1,
            low: reduction.bounds.0,
            high: reduction.bounds.1,
        });
        let place = (
            x.layout.rows(reduction.columns),
            reduction.dtype,
            reduction.step,
        );
        self.push(name, op, vec![x.node], place, float)
    }

    /// `x`, int16, with rows of `columns`, as int8 with a factor for each row.
    pub(super) fn quantize_rows(
        &mut self,
        name: &str,
        x: &Place,
        columns: usize,
    ) -> Result<Place, CompileError> {
        let key = (x.node, columns, x.layout.clone());
        if let Some(place) = self.quantized.get(&key) {
            return Ok(place.clone());
        }
        let rows = x.layout.elements() / columns;
        let magnitude = Reduction {
            kind: ReduceKind::Magnitude,
            columns,
            scale: (2, 1),
            dtype: DType::I32,
            bounds: (1, 32_767),
            step: x.step,
        };
        let magnitude = self.reduce(name, x, magnitude, None)?;
        let reciprocal = self.reciprocal(name, &magnitude, rows, RECIPROCAL_BITS)?;
        let product = Elementwise {
            columns,
            combine: Combine::Product,
            scale: LEVELS,
            second: Some(Operand {
                dtype: DType::I32,
                spread: Spread::Row,
                multiplier: 0,
                constant: None,
            }),
            bounds: DType::I8.range(),
            ..Elementwise::of_rows(rows)
        };
        let op = product.op(name, x.dtype)?;
        let place = (x.layout.clone(), DType::I8, x.step / INT8_LEVELS);
        let mut place = self.push(name, op, vec![x.node, reciprocal.node], place, None)?;
        place.factor = Some(RowFactor {
            node: magnitude.node,
            columns,
        });
        self.quantized.insert(key, place.clone());
        Ok(place)
    }

    /// `floor(2^bits / max(x, 1))` for each row.
    pub(super) fn reciprocal(
        &mut self,
        name: &str,
        x: &Place,
        rows: usize,
        bits: u8,
    ) -> Result<Place, CompileError> {
        let reciprocal = Elementwise {
            activation: Some(Activation::Reciprocal { bits }),
            ..Elementwise::of_rows(rows)
        };
        let op = reciprocal.op(name, x.dtype)?;
        let place = (x.layout.clone(), DType::I32, 1.0);
        self.push(name, op, vec![x.node], place, None)
    }
}

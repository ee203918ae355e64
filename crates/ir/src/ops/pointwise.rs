//! POINTWISE: one element of one or two operands at a time: sums, differences, products, rescaling,
//! and an activation of the result.
//!
//! ```text
//! sum      v = clamp((x*A + y*B + 2^(s-1)) >> s, lo, hi)
//! product  v = clamp((x*y*A + 2^(s-1)) >> s, lo, hi)
//! then     v, or its activation: a lookup, an interpolation, an exponential, a reciprocal, a
//!          reciprocal square root
//! ```
//!
//! Spec: operators, 2.19 and 2.20.

use alloc::vec::Vec;

use selfsame_protocol::{DecodeError, Reader, Writer};

use crate::dim::Dim;
use crate::ops::activation::Activation;
use crate::tensor::{DType, Tensor};

/// How the second operand is laid over the output's `[rows][columns]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// An element of its own for each.
    Full,
    /// One element for each column.
    Column,
    /// One element for each row.
    Row,
    /// One element.
    One,
}

/// What is done with the operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Combine {
    /// `x*A + y*B`.
    Sum,
    /// `x*y*A`.
    Product,
}

/// A second operand that is part of the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Constant {
    /// Its elements: those of its spread at the symbols' maxima. A run at smaller values reads the first of them.
    pub elements: u32,
    /// The elements; none in a node leaf.
    pub values: Tensor,
}

/// The second operand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operand {
    /// Element type.
    pub dtype: DType,
    /// How it is laid over the output.
    pub spread: Spread,
    /// B, |.| <= `MULTIPLIER_MAX`; 0 in a product.
    pub multiplier: i32,
    /// The constant that it is; else it is the second input.
    pub constant: Option<Constant>,
}

/// Parameters of POINTWISE. Output `[rows][columns]`; x has the output's shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointwise {
    /// Rows.
    pub rows: Dim,
    /// Columns.
    pub columns: Dim,
    /// Element type of x.
    pub dtype: DType,
    /// A, |.| <= `MULTIPLIER_MAX`.
    pub multiplier: i32,
    /// Sum or product; sum without a second operand.
    pub combine: Combine,
    /// y.
    pub second: Option<Operand>,
    /// s in 1..=46.
    pub shift: u8,
    /// Clamp, lower bound.
    pub low: i32,
    /// Clamp, upper bound.
    pub high: i32,
    /// Applied after the clamp.
    pub activation: Option<Activation>,
}

impl Spread {
    /// The code in a node leaf.
    pub const fn code(self) -> u8 {
        match self {
            Self::Full => 0,
            Self::Column => 1,
            Self::Row => 2,
            Self::One => 3,
        }
    }

    /// Shape of the operand under `[rows][columns]`.
    pub const fn shape(self, rows: u32, columns: u32) -> [u32; 2] {
        match self {
            Self::Full => [rows, columns],
            Self::Column => [1, columns],
            Self::Row => [rows, 1],
            Self::One => [1, 1],
        }
    }

    /// Flat index in the operand of the output's element `element`.
    pub fn index(self, element: u64, columns: u32) -> u64 {
        let columns = u64::from(columns).max(1);
        match self {
            Self::Full => element,
            Self::Column => element % columns,
            Self::Row => element / columns,
            Self::One => 0,
        }
    }
}

impl Pointwise {
    /// Constants: the second operand if it is one, then the activation's table if it has one.
    pub fn tensors(&self) -> Vec<Tensor> {
        let constant = self.second.as_ref().and_then(|y| y.constant.as_ref());
        let constant = constant.map(|constant| constant.values.clone());
        let table = self.activation.as_ref().and_then(Activation::tensor);
        constant.into_iter().chain(table).collect()
    }

    /// Number of tensors.
    pub fn tensor_count(&self) -> usize {
        let constant = self.second.as_ref().is_some_and(|y| y.constant.is_some());
        let table = self.activation.as_ref().and_then(Activation::table);
        usize::from(constant) + usize::from(table.is_some())
    }

    /// Whether the second operand is an input.
    pub fn two_inputs(&self) -> bool {
        self.second.as_ref().is_some_and(|y| y.constant.is_none())
    }

    /// The parameters without their tensors.
    pub(crate) fn skeleton(&self) -> Self {
        let mut bare = self.clone();
        if let Some(constant) = bare.second.as_mut().and_then(|y| y.constant.as_mut()) {
            constant.values = empty(constant.values.dtype());
        }
        if let Some(activation) = &mut bare.activation {
            activation.clear();
        }
        bare
    }

    /// Puts the tensors back into a skeleton, in the order of [`Self::tensors`].
    pub(crate) fn fill(&mut self, tensors: impl IntoIterator<Item = Tensor>) {
        let mut tensors = tensors.into_iter();
        if let Some(constant) = self.second.as_mut().and_then(|y| y.constant.as_mut())
            && let Some(tensor) = tensors.next()
        {
            constant.values = tensor;
        }
        if let (Some(activation), Some(table)) = (&mut self.activation, tensors.next()) {
            activation.fill(table);
        }
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        self.rows.encode(writer);
        self.columns.encode(writer);
        writer
            .u8(u8::from(self.combine == Combine::Product))
            .u8(self.dtype.code())
            .i32(self.multiplier);
        match &self.second {
            None => writer.u8(0).u8(0).u8(0).i32(0).u32(0),
            Some(y) => writer
                .u8(if y.constant.is_some() { 2 } else { 1 })
                .u8(y.dtype.code())
                .u8(y.spread.code())
                .i32(y.multiplier)
                .u32(y.constant.as_ref().map_or(0, |constant| constant.elements)),
        };
        writer.u8(self.shift).i32(self.low).i32(self.high);
        Activation::encode(self.activation.as_ref(), writer);
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rows = Dim::decode(reader)?;
        let columns = Dim::decode(reader)?;
        let combine = match reader.u8("combination")? {
            0 => Combine::Sum,
            1 => Combine::Product,
            code => return Err(reader.invalid("combination", code.into(), "0 or 1")),
        };
        let dtype = super::decode_dtype(reader)?;
        let multiplier = reader.i32("multiplier")?;
        let second = decode_operand(reader)?;
        let shift = reader.u8("shift")?;
        let (low, high) = (reader.i32("clamp low")?, reader.i32("clamp high")?);
        let activation = Activation::decode(reader)?;
        Ok(Self {
            rows,
            columns,
            dtype,
            multiplier,
            combine,
            second,
            shift,
            low,
            high,
            activation,
        })
    }
}

/// Eleven bytes: source, type, spread, multiplier, elements of a constant; zero where there is none.
fn decode_operand(reader: &mut Reader<'_>) -> Result<Option<Operand>, DecodeError> {
    let source = reader.u8("second operand")?;
    if source == 0 {
        for _ in 0..10 {
            let found = reader.u8("absent operand")?;
            if found != 0 {
                return Err(reader.invalid("absent operand", found.into(), "0"));
            }
        }
        return Ok(None);
    }
    if 2 < source {
        return Err(reader.invalid(
            "second operand",
            source.into(),
            "0, 1 (input), 2 (constant)",
        ));
    }
    let dtype = super::decode_dtype(reader)?;
    let spread = match reader.u8("spread")? {
        0 => Spread::Full,
        1 => Spread::Column,
        2 => Spread::Row,
        3 => Spread::One,
        code => return Err(reader.invalid("spread", code.into(), "0 to 3")),
    };
    let multiplier = reader.i32("second multiplier")?;
    let elements = reader.u32("elements of the constant")?;
    if source == 1 && elements != 0 {
        let what = "elements of an operand that is an input";
        return Err(reader.invalid(what, elements.into(), "0"));
    }
    let values = empty(dtype);
    Ok(Some(Operand {
        dtype,
        spread,
        multiplier,
        constant: (source == 2).then_some(Constant { elements, values }),
    }))
}

fn empty(dtype: DType) -> Tensor {
    match dtype {
        DType::I8 => Tensor::I8(Vec::new()),
        DType::I16 => Tensor::I16(Vec::new()),
        DType::I32 => Tensor::I32(Vec::new()),
    }
}

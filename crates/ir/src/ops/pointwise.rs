//! POINTWISE: one element of one or two operands at a time: sums, differences, products, rescaling,
//! and tables.
//!
//! ```text
//! sum      v = clamp((x*A + y*B + 2^(s-1)) >> s, lo, hi)
//! product  v = clamp((x*y*A + 2^(s-1)) >> s, lo, hi)
//! then     v, table[v + 128], or the interpolation between table[k] and table[k + 1]
//! ```
//!
//! Spec: operators, 2.19 and 2.20.

use alloc::vec::Vec;

use selfsame_protocol::{DecodeError, Reader, Writer};

use crate::dim::Dim;
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

/// Entries of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Table {
    /// 256 entries i8 at index `v + 128`.
    Lookup(Vec<i8>),
    /// 513 entries i16: `u = v + 32768`, `k = u >> 7`, `f = u & 127`,
    /// `table[k] + (((table[k+1] - table[k])*f + 64) >> 7)`.
    Interpolate(Vec<i16>),
}

/// Parameters of POINTWISE. Output `[rows][columns]`; x has the output's shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointwise {
    /// Rows.
    pub rows: Dim,
    /// Columns.
    pub columns: u32,
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
    pub table: Option<Table>,
}

impl Table {
    /// Entries of a lookup.
    pub const LOOKUP: usize = 256;
    /// Entries of an interpolation.
    pub const INTERPOLATE: usize = 513;

    const fn code(&self) -> u8 {
        match self {
            Self::Lookup(_) => 1,
            Self::Interpolate(_) => 2,
        }
    }

    fn tensor(&self) -> Tensor {
        match self {
            Self::Lookup(entries) => Tensor::I8(entries.clone()),
            Self::Interpolate(entries) => Tensor::I16(entries.clone()),
        }
    }

    /// The entry for `v`, or between two of them; an index beyond the table is clamped to it.
    /// Spec: operators, 2.20.
    pub fn at(&self, v: i32) -> i32 {
        match self {
            Self::Lookup(entries) => {
                let index = usize::try_from(v.saturating_add(128)).unwrap_or(0);
                let last = entries.len().saturating_sub(1);
                entries.get(index.min(last)).map_or(0, |&e| i32::from(e))
            }
            Self::Interpolate(entries) => {
                let u = v.clamp(-32_768, 32_767) + 32_768;
                let entry = |k: i32| {
                    let k = usize::try_from(k).unwrap_or(0);
                    entries.get(k).map_or(0, |&e| i32::from(e))
                };
                let (low, high) = (entry(u >> 7), entry((u >> 7) + 1));
                low + (((high - low) * (u & 127) + 64) >> 7)
            }
        }
    }
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
    /// Constants: the second operand if it is one, then the table.
    pub fn tensors(&self) -> Vec<Tensor> {
        let constant = self.second.as_ref().and_then(|y| y.constant.as_ref());
        let constant = constant.map(|constant| constant.values.clone());
        let table = self.table.as_ref().map(Table::tensor);
        constant.into_iter().chain(table).collect()
    }

    /// Number of tensors.
    pub fn tensor_count(&self) -> usize {
        let constant = self.second.as_ref().is_some_and(|y| y.constant.is_some());
        usize::from(constant) + usize::from(self.table.is_some())
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
        match &mut bare.table {
            Some(Table::Lookup(entries)) => entries.clear(),
            Some(Table::Interpolate(entries)) => entries.clear(),
            None => {}
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
        match (&mut self.table, tensors.next()) {
            (Some(Table::Lookup(entries)), Some(Tensor::I8(values))) => *entries = values,
            (Some(Table::Interpolate(entries)), Some(Tensor::I16(values))) => *entries = values,
            (Some(_) | None, _) => {}
        }
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        self.rows.encode(writer);
        writer
            .u32(self.columns)
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
        writer
            .u8(self.shift)
            .i32(self.low)
            .i32(self.high)
            .u8(self.table.as_ref().map_or(0, Table::code));
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rows = Dim::decode(reader)?;
        let columns = reader.u32("columns")?;
        let combine = match reader.u8("combination")? {
            0 => Combine::Sum,
            1 => Combine::Product,
            code => return Err(reader.invalid("combination", code.into(), "0 or 1")),
        };
        let dtype = decode_dtype(reader)?;
        let multiplier = reader.i32("multiplier")?;
        let second = decode_operand(reader)?;
        let shift = reader.u8("shift")?;
        let (low, high) = (reader.i32("clamp low")?, reader.i32("clamp high")?);
        let table = match reader.u8("table kind")? {
            0 => None,
            1 => Some(Table::Lookup(Vec::new())),
            2 => Some(Table::Interpolate(Vec::new())),
            code => return Err(reader.invalid("table kind", code.into(), "0, 1 or 2")),
        };
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
            table,
        })
    }
}

fn decode_dtype(reader: &mut Reader<'_>) -> Result<DType, DecodeError> {
    let code = reader.u8("operand type")?;
    DType::from_code(code)
        .ok_or_else(|| reader.invalid("operand type", code.into(), "1 (i8), 2 (i16), 3 (i32)"))
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
    let dtype = decode_dtype(reader)?;
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

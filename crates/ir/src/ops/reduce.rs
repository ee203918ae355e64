//! REDUCE: one value for each row.
//!
//! ```text
//! v = clamp((q*M + 2^(s-1)) >> s, lo, hi)
//! sum q = sum x;  mean q = floor(2^8 * sum x / n);  squares q = sum x^2
//! variance q = floor(2^16 * (n * sum x^2 - (sum x)^2) / n^2)
//! maximum q = max x;  magnitude q = max |x|;  argmax q = index of the first of the largest
//! ```
//!
//! Spec: programs, 1.10; operators, 2.23.

use selfsame_protocol::{DecodeError, Reader, Writer};

use crate::dim::Dim;
use crate::tensor::DType;

/// What is made of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReduceKind {
    /// Sum.
    Sum,
    /// Mean with 8 bits behind the point, rounded down.
    Mean,
    /// Sum of squares; x is i8 or i16.
    Squares,
    /// Variance with 16 bits behind the point, rounded down; x is i8 or i16.
    Variance,
    /// Largest element.
    Maximum,
    /// Largest magnitude.
    Magnitude,
    /// Index of the first of the largest elements.
    ArgMax,
}

/// Parameters of REDUCE. x `[rows][columns]`, output `[rows]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reduce {
    /// Rows.
    pub rows: Dim,
    /// Columns: the terms of one output element.
    pub columns: Dim,
    /// What is made of a row.
    pub kind: ReduceKind,
    /// Element type of x.
    pub dtype: DType,
    /// M in 1..2^15.
    pub multiplier: u16,
    /// s in 1..=46.
    pub shift: u8,
    /// Clamp, lower bound.
    pub low: i32,
    /// Clamp, upper bound.
    pub high: i32,
}

impl ReduceKind {
    /// All kinds, in the order of their codes.
    pub const ALL: [Self; 7] = [
        Self::Sum,
        Self::Mean,
        Self::Squares,
        Self::Variance,
        Self::Maximum,
        Self::Magnitude,
        Self::ArgMax,
    ];

    /// The code in a node leaf.
    pub const fn code(self) -> u8 {
        match self {
            Self::Sum => 0,
            Self::Mean => 1,
            Self::Squares => 2,
            Self::Variance => 3,
            Self::Maximum => 4,
            Self::Magnitude => 5,
            Self::ArgMax => 6,
        }
    }

    /// Whether elements are squared, so that x may not be i32.
    pub const fn squares(self) -> bool {
        match self {
            Self::Squares | Self::Variance => true,
            Self::Sum | Self::Mean | Self::Maximum | Self::Magnitude | Self::ArgMax => false,
        }
    }
}

impl Reduce {
    pub(crate) fn encode(&self, writer: &mut Writer) {
        self.rows.encode(writer);
        self.columns.encode(writer);
        writer
            .u8(self.kind.code())
            .u8(self.dtype.code())
            .u16(self.multiplier)
            .u8(self.shift)
            .i32(self.low)
            .i32(self.high);
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rows = Dim::decode(reader)?;
        let columns = Dim::decode(reader)?;
        let code = reader.u8("reduction")?;
        let kind = ReduceKind::ALL.get(usize::from(code)).copied();
        let kind = kind.ok_or_else(|| reader.invalid("reduction", code.into(), "0 to 6"))?;
        Ok(Self {
            rows,
            columns,
            kind,
            dtype: super::decode_dtype(reader)?,
            multiplier: reader.u16("multiplier")?,
            shift: reader.u8("shift")?,
            low: reader.i32("clamp low")?,
            high: reader.i32("clamp high")?,
        })
    }
}

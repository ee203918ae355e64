//! NORMALIZE: rows centred, scaled by a factor of the row and a multiplier of the column, shifted.
//!
//! ```text
//! t = clamp to i32(((x*2^f - center)*M[c] + 2^(s[c]-1)) >> s[c])
//! v = clamp((t*g + bias[c]*2^15 + 2^(S-1)) >> S, lo, hi)       g = 2^15 without a row factor
//! ```
//!
//! Spec: programs, 1.10; operators, 2.24.

use alloc::vec::Vec;

use selfsame_protocol::{DecodeError, Reader, Writer};

use crate::dim::Dim;
use crate::ops::factor::FactorShift;
use crate::tensor::{DType, Tensor};

/// Scale and shift of one column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnConstants {
    /// |bias| <= 2^30.
    pub bias: i32,
    /// M, |M| < 2^15.
    pub multiplier: i32,
    /// s in 1..=46.
    pub shift: i32,
}

/// Parameters of NORMALIZE. x and output `[rows][columns]`; center and factor i32 `[rows]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Normalize {
    /// Rows.
    pub rows: Dim,
    /// Columns.
    pub columns: u32,
    /// Element type of x.
    pub dtype: DType,
    /// f in 0..=15: x is taken in units of the center, 2^f of which make one of its own.
    pub center_bits: u8,
    /// Whether the second input is what is taken away.
    pub center: bool,
    /// Whether the last input is the row factor.
    pub factor: bool,
    /// S in 1..=46.
    pub shift: FactorShift,
    /// Clamp, lower bound.
    pub low: i32,
    /// Clamp, upper bound.
    pub high: i32,
    /// One entry for each column; none in a node leaf.
    pub constants: Vec<ColumnConstants>,
}

impl Normalize {
    /// Constants i32 `[columns][4]` as (bias, M, 0, s).
    pub fn tensors(&self) -> Vec<Tensor> {
        let constants = self.constants.iter();
        let constants = constants.flat_map(|c| [c.bias, c.multiplier, 0, c.shift]);
        alloc::vec![Tensor::I32(constants.collect())]
    }

    /// Inputs: x, the center, the factor.
    pub fn input_count(&self) -> usize {
        1 + usize::from(self.center) + usize::from(self.factor)
    }

    /// Reads constants back; `None` where the third of four is not 0.
    pub(crate) fn fill(&mut self, constants: &Tensor) -> Option<()> {
        let Tensor::I32(values) = constants else {
            return None;
        };
        let entry = |&[bias, multiplier, zero, shift]: &[i32; 4]| {
            (zero == 0).then_some(ColumnConstants {
                bias,
                multiplier,
                shift,
            })
        };
        self.constants = values
            .as_chunks::<4>()
            .0
            .iter()
            .map(entry)
            .collect::<Option<_>>()?;
        Some(())
    }

    pub(crate) fn skeleton(&self) -> Self {
        Self {
            constants: Vec::new(),
            ..*self
        }
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        self.rows.encode(writer);
        writer
            .u32(self.columns)
            .u8(self.dtype.code())
            .u8(self.center_bits)
            .u8(u8::from(self.center))
            .u8(u8::from(self.factor))
            .u8(self.shift.0)
            .i32(self.low)
            .i32(self.high);
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rows = Dim::decode(reader)?;
        Ok(Self {
            rows,
            columns: reader.u32("columns")?,
            dtype: super::decode_dtype(reader)?,
            center_bits: reader.u8("center bits")?,
            center: decode_flag(reader, "center flag")?,
            factor: decode_flag(reader, "factor flag")?,
            shift: FactorShift(reader.u8("factor shift")?),
            low: reader.i32("clamp low")?,
            high: reader.i32("clamp high")?,
            constants: Vec::new(),
        })
    }
}

fn decode_flag(reader: &mut Reader<'_>, field: &'static str) -> Result<bool, DecodeError> {
    match reader.u8(field)? {
        0 => Ok(false),
        1 => Ok(true),
        flag => Err(reader.invalid(field, flag.into(), "0 or 1")),
    }
}

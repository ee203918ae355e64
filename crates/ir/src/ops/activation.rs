//! What a POINTWISE node makes of its clamped value.
//!
//! Spec: operators, 2.20.

use alloc::vec::Vec;

use selfsame_protocol::{DecodeError, Reader, Writer};

use crate::tensor::{DType, Tensor};

/// A function of the clamped value v.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Activation {
    /// 256 entries i8 at index `v + 128`.
    Lookup(Vec<i8>),
    /// 513 entries i16: `u = v + 32768`, `k = u >> 7`, `f = u & 127`,
    /// `table[k] + (((table[k+1] - table[k])*f + 64) >> 7)`.
    Interpolate(Vec<i16>),
    /// 512 entries i16, coarse ones before fine ones, v in 0..=65535:
    /// `(table[v >> 8] * table[256 + (v & 255)] + 2^14) >> 15`.
    Exponential(Vec<i16>),
    /// `min(floor(2^bits / max(v, 1)), 2^31 - 1)`.
    Reciprocal {
        /// Exponent of the numerator, 0..=62.
        bits: u8,
    },
    /// `min(floor(2^bits / isqrt(max(v, 1) * 2^30)), 2^31 - 1)`.
    ReciprocalRoot {
        /// Exponent of the numerator, 0..=62.
        bits: u8,
    },
}

impl Activation {
    /// Entries of a lookup.
    pub const LOOKUP: usize = 256;
    /// Entries of an interpolation.
    pub const INTERPOLATE: usize = 513;
    /// Entries of an exponential.
    pub const EXPONENTIAL: usize = 512;

    const fn code(&self) -> u8 {
        match self {
            Self::Lookup(_) => 1,
            Self::Interpolate(_) => 2,
            Self::Exponential(_) => 3,
            Self::Reciprocal { .. } => 4,
            Self::ReciprocalRoot { .. } => 5,
        }
    }

    /// Element type and number of entries of the table, if there is one.
    pub const fn table(&self) -> Option<(DType, usize)> {
        match self {
            Self::Lookup(_) => Some((DType::I8, Self::LOOKUP)),
            Self::Interpolate(_) => Some((DType::I16, Self::INTERPOLATE)),
            Self::Exponential(_) => Some((DType::I16, Self::EXPONENTIAL)),
            Self::Reciprocal { .. } | Self::ReciprocalRoot { .. } => None,
        }
    }

    /// Element type of the output.
    pub const fn output(&self) -> DType {
        match self {
            Self::Lookup(_) => DType::I8,
            Self::Interpolate(_) | Self::Exponential(_) => DType::I16,
            Self::Reciprocal { .. } | Self::ReciprocalRoot { .. } => DType::I32,
        }
    }

    /// Smallest and largest clamped value in front of it.
    pub const fn domain(&self) -> (i32, i32) {
        match self {
            Self::Lookup(_) => (-128, 127),
            Self::Interpolate(_) => (-32_768, 32_767),
            Self::Exponential(_) => (0, 65_535),
            Self::Reciprocal { .. } | Self::ReciprocalRoot { .. } => (i32::MIN, i32::MAX),
        }
    }

    pub(crate) fn tensor(&self) -> Option<Tensor> {
        match self {
            Self::Lookup(entries) => Some(Tensor::I8(entries.clone())),
            Self::Interpolate(entries) | Self::Exponential(entries) => {
                Some(Tensor::I16(entries.clone()))
            }
            Self::Reciprocal { .. } | Self::ReciprocalRoot { .. } => None,
        }
    }

    pub(crate) fn clear(&mut self) {
        match self {
            Self::Lookup(entries) => entries.clear(),
            Self::Interpolate(entries) | Self::Exponential(entries) => entries.clear(),
            Self::Reciprocal { .. } | Self::ReciprocalRoot { .. } => {}
        }
    }

    pub(crate) fn fill(&mut self, table: Tensor) {
        match (self, table) {
            (Self::Lookup(entries), Tensor::I8(values)) => *entries = values,
            (Self::Interpolate(entries) | Self::Exponential(entries), Tensor::I16(values)) => {
                *entries = values;
            }
            (
                Self::Lookup(_)
                | Self::Interpolate(_)
                | Self::Exponential(_)
                | Self::Reciprocal { .. }
                | Self::ReciprocalRoot { .. },
                Tensor::I8(_) | Tensor::I16(_) | Tensor::I32(_),
            ) => {}
        }
    }

    /// The function's value; a v outside of the domain is clamped to it.
    pub fn at(&self, v: i32) -> i32 {
        let (low, high) = self.domain();
        let v = v.clamp(low, high);
        match self {
            Self::Lookup(entries) => entry(entries, v + 128),
            Self::Interpolate(entries) => {
                let u = v + 32_768;
                let (low, high) = (entry(entries, u >> 7), entry(entries, (u >> 7) + 1));
                low + (((high - low) * (u & 127) + 64) >> 7)
            }
            Self::Exponential(entries) => {
                let (coarse, fine) = (entry(entries, v >> 8), entry(entries, 256 + (v & 255)));
                (coarse * fine + (1 << 14)) >> 15
            }
            Self::Reciprocal { bits } => reciprocal(*bits, u64::from(v.max(1).cast_unsigned())),
            Self::ReciprocalRoot { bits } => {
                let square = u64::from(v.max(1).cast_unsigned()) << 30;
                reciprocal(*bits, square.isqrt())
            }
        }
    }

    /// Two bytes: the code, and the exponent of a reciprocal or 0.
    pub(crate) fn encode(activation: Option<&Self>, writer: &mut Writer) {
        let bits = match activation {
            Some(Self::Reciprocal { bits } | Self::ReciprocalRoot { bits }) => *bits,
            Some(Self::Lookup(_) | Self::Interpolate(_) | Self::Exponential(_)) | None => 0,
        };
        writer.u8(activation.map_or(0, Self::code)).u8(bits);
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Option<Self>, DecodeError> {
        let code = reader.u8("activation")?;
        let bits = reader.u8("bits of the reciprocal")?;
        let activation = match code {
            0 => None,
            1 => Some(Self::Lookup(Vec::new())),
            2 => Some(Self::Interpolate(Vec::new())),
            3 => Some(Self::Exponential(Vec::new())),
            4 => return Ok(Some(Self::Reciprocal { bits })),
            5 => return Ok(Some(Self::ReciprocalRoot { bits })),
            code => return Err(reader.invalid("activation", code.into(), "0 to 5")),
        };
        if bits != 0 {
            return Err(reader.invalid("bits of the reciprocal", bits.into(), "0"));
        }
        Ok(activation)
    }
}

fn entry<T: Copy + Into<i32>>(entries: &[T], at: i32) -> i32 {
    let at = usize::try_from(at).unwrap_or(usize::MAX);
    entries.get(at).map_or(0, |&e| e.into())
}

/// `min(floor(2^bits / divisor), 2^31 - 1)`, bits below 63, divisor at least 1.
fn reciprocal(bits: u8, divisor: u64) -> i32 {
    let quotient = (1_u64 << bits.min(62)) / divisor.max(1);
    i32::try_from(quotient).unwrap_or(i32::MAX)
}

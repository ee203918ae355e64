//! The linear node's common part: weights, per-channel constants, addend, clamp, table.
//!
//! `v = clamp((acc*M + addend*A + 2^(s-1)) >> s, lo, hi)`, then `table[v + 128]` if there is one.
//!
//! Spec: programs, 1.10, 1.12, 1.13; operators, 2.10 and 2.11.

use alloc::boxed::Box;
use alloc::vec::Vec;

use selfsame_protocol::{DecodeError, Reader, Writer};

use crate::ops::weights::Weights;
use crate::tensor::{DType, Tensor};

/// Requantisation of one output channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChannelConstants {
    /// Added to the accumulator; |bias| <= 2^30.
    pub bias: i32,
    /// M in 1..2^15.
    pub multiplier: i32,
    /// A in 0..2^15; 0 without an addend.
    pub addend_multiplier: i32,
    /// s in 1..=46.
    pub shift: i32,
}

/// What matmul and convolution share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linear {
    /// int8 weights, one row per output channel.
    pub weights: Weights,
    /// One entry per output channel.
    pub constants: Vec<ChannelConstants>,
    /// Element type of the second input, if there is one.
    pub addend: Option<DType>,
    /// Clamp, lower bound.
    pub low: i32,
    /// Clamp, upper bound.
    pub high: i32,
    /// Applied after the clamp at index `v + 128`.
    pub table: Option<Box<[i8; 256]>>,
}

/// The part of [`Linear`] that a node leaf spells out (the rest is in its tensors).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) addend: Option<DType>,
    pub(crate) low: i32,
    pub(crate) high: i32,
    pub(crate) table: bool,
}

impl Linear {
    /// Weights i8, constants i32 `[O][4]` as (bias, M, A, s), then the table if there is one.
    pub fn tensors(&self) -> Vec<Tensor> {
        let constants = self
            .constants
            .iter()
            .flat_map(|c| [c.bias, c.multiplier, c.addend_multiplier, c.shift])
            .collect();
        let mut tensors = alloc::vec![Tensor::I8(self.weights.to_vec()), Tensor::I32(constants)];
        if let Some(table) = &self.table {
            tensors.push(Tensor::I8(table.to_vec()));
        }
        tensors
    }

    pub(crate) fn tail(&self) -> Tail {
        Tail {
            addend: self.addend,
            low: self.low,
            high: self.high,
            table: self.table.is_some(),
        }
    }

    pub(crate) fn from_parts(
        tail: Tail,
        weights: Weights,
        constants: &[i32],
        table: Option<&[i8]>,
    ) -> Self {
        let constants = constants
            .as_chunks::<4>()
            .0
            .iter()
            .map(
                |&[bias, multiplier, addend_multiplier, shift]| ChannelConstants {
                    bias,
                    multiplier,
                    addend_multiplier,
                    shift,
                },
            )
            .collect();
        let table = table
            .and_then(|entries| <[i8; 256]>::try_from(entries).ok())
            .map(Box::new);
        Self {
            weights,
            constants,
            addend: tail.addend,
            low: tail.low,
            high: tail.high,
            table,
        }
    }
}

impl Tail {
    pub(crate) fn encode(self, writer: &mut Writer) {
        writer
            .u8(self.addend.map_or(0, DType::code))
            .i32(self.low)
            .i32(self.high)
            .u8(u8::from(self.table));
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let addend = match reader.u8("addend type")? {
            0 => None,
            code => Some(DType::from_code(code).ok_or_else(|| {
                reader.invalid(
                    "addend type",
                    u64::from(code),
                    "0 (none), 1 (i8), 2 (i16), 3 (i32)",
                )
            })?),
        };
        let low = reader.i32("clamp low")?;
        let high = reader.i32("clamp high")?;
        let table = match reader.u8("table flag")? {
            0 => false,
            1 => true,
            flag => return Err(reader.invalid("table flag", u64::from(flag), "0 or 1")),
        };
        Ok(Self {
            addend,
            low,
            high,
            table,
        })
    }
}

//! INPUT: the program's input tensor. Its element type is the node's.

use alloc::vec::Vec;

use selfsame_protocol::constants::RANK_MAX;
use selfsame_protocol::{DecodeError, Reader, Writer};

use crate::dim::Dim;

/// Parameters of INPUT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputSpec {
    /// The shape, outermost axis first.
    pub shape: Vec<Dim>,
}

impl InputSpec {
    pub(crate) fn encode(&self, writer: &mut Writer) {
        encode_shape(&self.shape, writer);
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rank = decode_rank(reader)?;
        let shape = (0..rank)
            .map(|_| Dim::decode(reader))
            .collect::<Result<_, _>>()?;
        Ok(Self { shape })
    }
}

pub(super) fn encode_shape(shape: &[Dim], writer: &mut Writer) {
    writer.u8(u8::try_from(shape.len()).unwrap_or(u8::MAX));
    for dim in shape {
        dim.encode(writer);
    }
}

pub(super) fn decode_rank(reader: &mut Reader<'_>) -> Result<u8, DecodeError> {
    match reader.u8("rank")? {
        rank if (1..=RANK_MAX).contains(&rank) => Ok(rank),
        rank => Err(reader.invalid("rank", u64::from(rank), "1 to RANK_MAX axes")),
    }
}

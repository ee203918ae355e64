//! TRANSPOSE: output axis j is input axis `permutation[j]`.
//!
//! Spec: operators, 2.16.

use alloc::vec::Vec;

use selfsame_protocol::{DecodeError, Reader, Writer};

use crate::dim::Dim;
use crate::ops::input::decode_rank;

/// Parameters of TRANSPOSE. Any element type, kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transpose {
    /// Input axis of each output axis.
    pub permutation: Vec<u8>,
    /// Shape of the input.
    pub shape: Vec<Dim>,
}

impl Transpose {
    pub(crate) fn encode(&self, writer: &mut Writer) {
        writer
            .u8(u8::try_from(self.permutation.len()).unwrap_or(u8::MAX))
            .raw(&self.permutation);
        self.shape.iter().for_each(|dim| dim.encode(writer));
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rank = decode_rank(reader)?;
        let permutation = reader.take("permutation", usize::from(rank))?.to_vec();
        let shape = (0..rank)
            .map(|_| Dim::decode(reader))
            .collect::<Result<_, _>>()?;
        Ok(Self { permutation, shape })
    }
}

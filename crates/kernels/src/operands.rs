//! What linear nodes and products of two inputs read.

use crate::bytes::{Bytes, Words};
use crate::finish::Addend;
use crate::spec::Bits;

/// Stored inputs of a linear node.
#[derive(Debug, Clone, Copy)]
pub enum Stored<'a> {
    /// Bytes, flipped as the kernel says.
    Bytes(&'a Bytes),
    /// Elements of 16 bits.
    Words(&'a Words),
}

impl Stored<'_> {
    pub(crate) fn bits(&self) -> Bits {
        match self {
            Self::Bytes(_) => Bits::Eight,
            Self::Words(_) => Bits::Sixteen,
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bytes(x) => x.len(),
            Self::Words(x) => x.len(),
        }
    }

    pub(crate) fn as_ptr(&self) -> *const u8 {
        match self {
            Self::Bytes(x) => x.as_ptr(),
            Self::Words(x) => x.as_ptr().cast(),
        }
    }
}

/// What a linear node reads.
#[derive(Debug, Clone, Copy)]
pub struct Operands<'a> {
    /// The input.
    pub input: Stored<'a>,
    /// The second input.
    pub addend: Addend<'a>,
    /// One factor for each position, where the node has them.
    pub factor: Option<&'a [i32]>,
}

impl<'a> From<&'a Bytes> for Operands<'a> {
    /// An input alone.
    fn from(input: &'a Bytes) -> Self {
        Self {
            input: Stored::Bytes(input),
            addend: Addend::None,
            factor: None,
        }
    }
}

//! Integer tensors: flat, row-major, one of three element types.
//!
//! Spec: programs, 1.4; commitments, 2.1 and 2.3.

use alloc::vec::Vec;

use selfsame_commit::{root, tile_hashes};
use selfsame_protocol::Hash;
use selfsame_protocol::constants::{DTYPE_I8, DTYPE_I16, DTYPE_I32};

/// Element type of a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DType {
    /// Eight bits, values in -127..=127.
    I8,
    /// Sixteen bits, values in -32767..=32767.
    I16,
    /// Thirty-two bits.
    I32,
}

impl DType {
    /// The code in encodings.
    pub const fn code(self) -> u8 {
        match self {
            Self::I8 => DTYPE_I8,
            Self::I16 => DTYPE_I16,
            Self::I32 => DTYPE_I32,
        }
    }

    /// The type of a code.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            DTYPE_I8 => Some(Self::I8),
            DTYPE_I16 => Some(Self::I16),
            DTYPE_I32 => Some(Self::I32),
            _ => None,
        }
    }

    /// Bytes of one element.
    pub const fn size(self) -> u32 {
        match self {
            Self::I8 => 1,
            Self::I16 => 2,
            Self::I32 => 4,
        }
    }

    /// Smallest and largest value that a node may put out.
    pub const fn range(self) -> (i32, i32) {
        match self {
            Self::I8 => (-127, 127),
            Self::I16 => (-32_767, 32_767),
            Self::I32 => (i32::MIN, i32::MAX),
        }
    }
}

/// Why bytes or values are no tensor of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TensorError {
    /// The number of bytes does not fit the element count.
    #[error("{bytes} bytes for {elements} elements of {size} bytes")]
    Length {
        /// Bytes given.
        bytes: usize,
        /// Elements expected.
        elements: usize,
        /// Bytes of an element.
        size: u32,
    },
    /// A value outside its type's range.
    #[error("element {index} is {value}, allowed is {low}..={high}")]
    Range {
        /// Flat index of the first bad element.
        index: usize,
        /// Its value.
        value: i32,
        /// Smallest allowed.
        low: i32,
        /// Largest allowed.
        high: i32,
    },
}

/// A tensor's elements in row-major order; its shape is known from where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tensor {
    /// Eight-bit elements.
    I8(Vec<i8>),
    /// Sixteen-bit elements.
    I16(Vec<i16>),
    /// Thirty-two-bit elements.
    I32(Vec<i32>),
}

impl Tensor {
    /// The element type.
    pub const fn dtype(&self) -> DType {
        match self {
            Self::I8(_) => DType::I8,
            Self::I16(_) => DType::I16,
            Self::I32(_) => DType::I32,
        }
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::I8(values) => values.len(),
            Self::I16(values) => values.len(),
            Self::I32(values) => values.len(),
        }
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Element `index`, widened; `None` beyond the end.
    pub fn get(&self, index: usize) -> Option<i32> {
        match self {
            Self::I8(values) => values.get(index).map(|&v| i32::from(v)),
            Self::I16(values) => values.get(index).map(|&v| i32::from(v)),
            Self::I32(values) => values.get(index).copied(),
        }
    }

    /// All elements, widened.
    pub fn iter(&self) -> impl Iterator<Item = i32> + '_ {
        (0..self.len()).map(|index| self.get(index).unwrap_or_default())
    }

    /// From wide values, saturating none: a value outside the type's range is refused.
    pub fn from_values(dtype: DType, values: &[i32]) -> Result<Self, TensorError> {
        let (low, high) = dtype.range();
        if let Some((index, &value)) = values
            .iter()
            .enumerate()
            .find(|&(_, &v)| v < low || high < v)
        {
            return Err(TensorError::Range {
                index,
                value,
                low,
                high,
            });
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "checked against the range above"
        )]
        Ok(match dtype {
            DType::I8 => Self::I8(values.iter().map(|&v| v as i8).collect()),
            DType::I16 => Self::I16(values.iter().map(|&v| v as i16).collect()),
            DType::I32 => Self::I32(values.to_vec()),
        })
    }

    /// The canonical bytes: big-endian elements in order.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::I8(values) => values.iter().map(|v| v.to_be_bytes()[0]).collect(),
            Self::I16(values) => values.iter().flat_map(|v| v.to_be_bytes()).collect(),
            Self::I32(values) => values.iter().flat_map(|v| v.to_be_bytes()).collect(),
        }
    }

    /// From canonical bytes of exactly `elements` elements; any bit pattern is taken.
    pub fn from_bytes(dtype: DType, elements: usize, bytes: &[u8]) -> Result<Self, TensorError> {
        let size = dtype.size();
        if Some(bytes.len()) != elements.checked_mul(size as usize) {
            return Err(TensorError::Length {
                bytes: bytes.len(),
                elements,
                size,
            });
        }
        Ok(match dtype {
            DType::I8 => Self::I8(bytes.iter().map(|&b| i8::from_be_bytes([b])).collect()),
            DType::I16 => Self::I16(
                bytes
                    .as_chunks::<2>()
                    .0
                    .iter()
                    .map(|&pair| i16::from_be_bytes(pair))
                    .collect(),
            ),
            DType::I32 => Self::I32(
                bytes
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .map(|&quad| i32::from_be_bytes(quad))
                    .collect(),
            ),
        })
    }

    /// Refuses values outside the type's range (for i8 that is -128, for i16 -32768).
    pub fn check_range(&self) -> Result<(), TensorError> {
        // Of two's complement, the least value alone is outside, and vectors find it faster.
        let least = match self {
            Self::I8(values) => values.iter().copied().min() == Some(i8::MIN),
            Self::I16(values) => values.iter().copied().min() == Some(i16::MIN),
            Self::I32(_) => false,
        };
        if !least {
            return Ok(());
        }
        let (low, high) = self.dtype().range();
        match self.iter().enumerate().find(|&(_, v)| v < low || high < v) {
            Some((index, value)) => Err(TensorError::Range {
                index,
                value,
                low,
                high,
            }),
            None => Ok(()),
        }
    }

    /// The tensor root.
    pub fn root(&self) -> Hash {
        root(&tile_hashes(&self.to_bytes()))
    }
}

//! Borrowed elements of a tensor or of a batch of tensors, flat and row-major.

use selfsame_ir::{DType, Tensor};

/// Elements to be read.
#[derive(Debug, Clone, Copy)]
pub enum Elements<'a> {
    /// Eight-bit elements, -127..=127.
    I8(&'a [i8]),
    /// Sixteen-bit elements, -32767..=32767.
    I16(&'a [i16]),
    /// Thirty-two-bit elements.
    I32(&'a [i32]),
}

/// Room for elements.
#[derive(Debug)]
pub enum ElementsMut<'a> {
    /// Eight-bit elements.
    I8(&'a mut [i8]),
    /// Sixteen-bit elements.
    I16(&'a mut [i16]),
    /// Thirty-two-bit elements.
    I32(&'a mut [i32]),
}

impl<'a> Elements<'a> {
    /// The element type.
    pub const fn dtype(&self) -> DType {
        match self {
            Self::I8(_) => DType::I8,
            Self::I16(_) => DType::I16,
            Self::I32(_) => DType::I32,
        }
    }

    /// Number of elements.
    pub const fn len(&self) -> usize {
        match self {
            Self::I8(x) => x.len(),
            Self::I16(x) => x.len(),
            Self::I32(x) => x.len(),
        }
    }

    /// Whether there is no element.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first element outside its type's range: its index and value.
    pub(crate) fn first_bad(&self) -> Option<(usize, i32)> {
        match self {
            Self::I8(x) if x.contains(&i8::MIN) => {
                Some((x.iter().position(|&v| v == i8::MIN)?, i32::from(i8::MIN)))
            }
            Self::I16(x) if x.contains(&i16::MIN) => {
                Some((x.iter().position(|&v| v == i16::MIN)?, i32::from(i16::MIN)))
            }
            Self::I8(_) | Self::I16(_) | Self::I32(_) => None,
        }
    }

    /// Elements `start..start + len`.
    pub(crate) fn part(self, start: usize, len: usize) -> Elements<'a> {
        match self {
            Self::I8(x) => Self::I8(&x[start..start + len]),
            Self::I16(x) => Self::I16(&x[start..start + len]),
            Self::I32(x) => Self::I32(&x[start..start + len]),
        }
    }
}

impl Default for ElementsMut<'_> {
    fn default() -> Self {
        Self::I8(&mut [])
    }
}

impl<'a> ElementsMut<'a> {
    /// The element type.
    pub const fn dtype(&self) -> DType {
        match self {
            Self::I8(_) => DType::I8,
            Self::I16(_) => DType::I16,
            Self::I32(_) => DType::I32,
        }
    }

    /// Number of elements.
    pub const fn len(&self) -> usize {
        match self {
            Self::I8(x) => x.len(),
            Self::I16(x) => x.len(),
            Self::I32(x) => x.len(),
        }
    }

    /// Whether there is no element.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Cuts the first `len` elements off.
    pub(crate) fn split_first(self, len: usize) -> (ElementsMut<'a>, ElementsMut<'a>) {
        match self {
            Self::I8(x) => {
                let (first, rest) = x.split_at_mut(len);
                (Self::I8(first), Self::I8(rest))
            }
            Self::I16(x) => {
                let (first, rest) = x.split_at_mut(len);
                (Self::I16(first), Self::I16(rest))
            }
            Self::I32(x) => {
                let (first, rest) = x.split_at_mut(len);
                (Self::I32(first), Self::I32(rest))
            }
        }
    }

    /// Elements `start..start + len`.
    pub(crate) fn part(&mut self, start: usize, len: usize) -> ElementsMut<'_> {
        match self {
            Self::I8(x) => ElementsMut::I8(&mut x[start..start + len]),
            Self::I16(x) => ElementsMut::I16(&mut x[start..start + len]),
            Self::I32(x) => ElementsMut::I32(&mut x[start..start + len]),
        }
    }
}

impl<'a> From<&'a Tensor> for Elements<'a> {
    fn from(tensor: &'a Tensor) -> Self {
        match tensor {
            Tensor::I8(x) => Self::I8(x),
            Tensor::I16(x) => Self::I16(x),
            Tensor::I32(x) => Self::I32(x),
        }
    }
}

impl<'a> From<&'a mut Tensor> for ElementsMut<'a> {
    fn from(tensor: &'a mut Tensor) -> Self {
        match tensor {
            Tensor::I8(x) => Self::I8(x),
            Tensor::I16(x) => Self::I16(x),
            Tensor::I32(x) => Self::I32(x),
        }
    }
}

impl<'a> From<&'a [i8]> for Elements<'a> {
    fn from(x: &'a [i8]) -> Self {
        Self::I8(x)
    }
}

impl<'a> From<&'a mut [i8]> for ElementsMut<'a> {
    fn from(x: &'a mut [i8]) -> Self {
        Self::I8(x)
    }
}

impl<'a> From<&'a [i16]> for Elements<'a> {
    fn from(x: &'a [i16]) -> Self {
        Self::I16(x)
    }
}

impl<'a> From<&'a mut [i16]> for ElementsMut<'a> {
    fn from(x: &'a mut [i16]) -> Self {
        Self::I16(x)
    }
}

impl<'a> From<&'a [i32]> for Elements<'a> {
    fn from(x: &'a [i32]) -> Self {
        Self::I32(x)
    }
}

impl<'a> From<&'a mut [i32]> for ElementsMut<'a> {
    fn from(x: &'a mut [i32]) -> Self {
        Self::I32(x)
    }
}

/// A tensor of `len` zeros.
pub(crate) fn zeros(dtype: DType, len: usize) -> Tensor {
    match dtype {
        DType::I8 => Tensor::I8(vec![0; len]),
        DType::I16 => Tensor::I16(vec![0; len]),
        DType::I32 => Tensor::I32(vec![0; len]),
    }
}

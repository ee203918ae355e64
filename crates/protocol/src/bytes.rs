//! Canonical bytes: big-endian, fixed width, no choice left to the writer.
//!
//! [`Reader`] never reads past its input and never allocates on the word of a length field:
//! a claimed length is compared with the bytes that remain first.

use alloc::vec::Vec;

use crate::hash::Hash;

/// Why bytes were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The input ends before the field does.
    #[error(
        "{field}: {needed} bytes needed at offset {offset}, {remaining} remain; the data is cut off or is no {field}"
    )]
    Truncated {
        /// The field being read.
        field: &'static str,
        /// Offset of the field.
        offset: usize,
        /// Bytes it needs.
        needed: usize,
        /// Bytes left.
        remaining: usize,
    },
    /// A field has a value that the format does not allow.
    #[error("{field}: {value} at offset {offset} is not allowed; {expected}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// Offset just after the field.
        offset: usize,
        /// The value found.
        value: u64,
        /// What is allowed.
        expected: &'static str,
    },
    /// Bytes follow the last field.
    #[error("{extra} bytes follow the end at offset {offset}; a canonical encoding has none")]
    Trailing {
        /// Where the encoding ended.
        offset: usize,
        /// Bytes that follow.
        extra: usize,
    },
}

/// Reads canonical bytes from the front.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    /// Bytes read so far.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.offset
    }

    /// The next `len` bytes.
    pub fn take(&mut self, field: &'static str, len: usize) -> Result<&'a [u8], DecodeError> {
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        let Some(taken) = rest.get(..len) else {
            return Err(DecodeError::Truncated {
                field,
                offset: self.offset,
                needed: len,
                remaining: rest.len(),
            });
        };
        self.offset += len;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], DecodeError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(field, N)?);
        Ok(out)
    }

    /// One byte.
    pub fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array(field)?))
    }

    /// Two bytes.
    pub fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array(field)?))
    }

    /// Four bytes.
    pub fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array(field)?))
    }

    /// Four bytes, two's complement.
    pub fn i32(&mut self, field: &'static str) -> Result<i32, DecodeError> {
        Ok(i32::from_be_bytes(self.array(field)?))
    }

    /// Eight bytes.
    pub fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array(field)?))
    }

    /// A digest.
    pub fn hash(&mut self, field: &'static str) -> Result<Hash, DecodeError> {
        Ok(Hash(self.array(field)?))
    }

    /// A refusal of `value`, which was the field just read.
    pub fn invalid(&self, field: &'static str, value: u64, expected: &'static str) -> DecodeError {
        DecodeError::Invalid {
            field,
            offset: self.offset,
            value,
            expected,
        }
    }

    /// Ends reading; refuses anything left.
    pub fn finish(self) -> Result<(), DecodeError> {
        match self.remaining() {
            0 => Ok(()),
            extra => Err(DecodeError::Trailing {
                offset: self.offset,
                extra,
            }),
        }
    }
}

/// Writes canonical bytes.
#[derive(Debug, Clone, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Starts empty.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends raw bytes.
    pub fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Appends one byte.
    pub fn u8(&mut self, value: u8) -> &mut Self {
        self.raw(&[value])
    }

    /// Appends two bytes.
    pub fn u16(&mut self, value: u16) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Appends four bytes.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Appends four bytes, two's complement.
    pub fn i32(&mut self, value: i32) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Appends eight bytes.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.raw(&value.to_be_bytes())
    }

    /// Appends a digest.
    pub fn hash(&mut self, value: &Hash) -> &mut Self {
        self.raw(&value.0)
    }

    /// The bytes written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_beyond_the_input_is_refused_with_both_numbers() {
        let mut reader = Reader::new(&[1, 2]);
        reader.u8("first").unwrap();
        assert_eq!(
            reader.u32("second"),
            Err(DecodeError::Truncated {
                field: "second",
                offset: 1,
                needed: 4,
                remaining: 1
            })
        );
    }

    #[test]
    fn bytes_after_the_end_are_refused() {
        let reader = Reader::new(&[1]);
        assert_eq!(
            reader.finish(),
            Err(DecodeError::Trailing {
                offset: 0,
                extra: 1
            })
        );
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut writer = Writer::new();
        writer
            .u8(1)
            .u16(2)
            .u32(3)
            .i32(-4)
            .u64(5)
            .hash(&Hash([6; 32]));
        let bytes = writer.into_bytes();
        let mut reader = Reader::new(&bytes);
        assert_eq!(reader.u8("a"), Ok(1));
        assert_eq!(reader.u16("b"), Ok(2));
        assert_eq!(reader.u32("c"), Ok(3));
        assert_eq!(reader.i32("d"), Ok(-4));
        assert_eq!(reader.u64("e"), Ok(5));
        assert_eq!(reader.hash("f"), Ok(Hash([6; 32])));
        assert_eq!(reader.finish(), Ok(()));
    }
}

//! Protocol buffers wire format, reading only: tag, varint, fixed and length-delimited fields.
//!
//! A reader walks one message inside a borrowed slice. It allocates nothing, never recurses and
//! never reads outside its slice; every failure carries the byte offset in the file.
//!
//! Source: protobuf.dev/programming-guides/encoding. Groups (wire types 3 and 4) are refused:
//! ONNX has none.

use super::error::DecodeError;

/// One field of a message: its number and its payload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) number: u32,
    pub(super) payload: Payload<'a>,
    /// Offset of the payload in the file, for error texts.
    pub(super) offset: usize,
}

/// Payload by wire type.
#[derive(Debug, Clone, Copy)]
pub(super) enum Payload<'a> {
    Varint(u64),
    Fixed64([u8; 8]),
    Bytes(&'a [u8]),
    Fixed32([u8; 4]),
}

/// Cursor over the fields of one message.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    position: usize,
    base: usize,
}

impl<'a> Reader<'a> {
    /// A reader of `bytes`, which begin at `base` in the file.
    pub(super) fn new(bytes: &'a [u8], base: usize) -> Self {
        Self {
            bytes,
            position: 0,
            base,
        }
    }

    /// Offset of the next unread byte in the file.
    pub(super) fn offset(&self) -> usize {
        self.base + self.position
    }

    /// The next field, or `None` at the end of the message.
    pub(super) fn next(&mut self) -> Result<Option<Field<'a>>, DecodeError> {
        if self.position == self.bytes.len() {
            return Ok(None);
        }
        let tag_offset = self.offset();
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3)
            .ok()
            .filter(|&n| (1..=0x1fff_ffff).contains(&n))
            .ok_or(DecodeError::FieldNumber {
                offset: tag_offset,
                number: tag >> 3,
            })?;
        let offset = self.offset();
        let payload = match tag & 7 {
            0 => Payload::Varint(self.varint()?),
            1 => Payload::Fixed64(self.array()?),
            2 => {
                let length = self.varint()?;
                let start = self.offset();
                let length = usize::try_from(length)
                    .ok()
                    .filter(|&n| n <= self.bytes.len() - self.position)
                    .ok_or(DecodeError::Truncated {
                        offset: start,
                        needed: length,
                        left: self.bytes.len() - self.position,
                    })?;
                return Ok(Some(Field {
                    number,
                    payload: Payload::Bytes(self.take(length)),
                    offset: start,
                }));
            }
            5 => Payload::Fixed32(self.array()?),
            wire_type => {
                return Err(DecodeError::WireType {
                    offset: tag_offset,
                    wire_type,
                });
            }
        };
        Ok(Some(Field {
            number,
            payload,
            offset,
        }))
    }

    /// One varint outside of a field: the elements of packed arrays.
    pub(super) fn varint(&mut self) -> Result<u64, DecodeError> {
        let start = self.offset();
        let mut value = 0_u64;
        for group in 0..10_u32 {
            let Some(&byte) = self.bytes.get(self.position) else {
                return Err(DecodeError::Truncated {
                    offset: self.offset(),
                    needed: 1,
                    left: 0,
                });
            };
            self.position += 1;
            if group == 9 && byte > 1 {
                return Err(DecodeError::Varint { offset: start });
            }
            value |= u64::from(byte & 0x7f) << (7 * group);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::Varint { offset: start })
    }

    /// True at the end of the message.
    pub(super) fn is_empty(&self) -> bool {
        self.position == self.bytes.len()
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let taken = &self.bytes[self.position..self.position + length];
        self.position += length;
        taken
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let left = self.bytes.len() - self.position;
        if left < N {
            return Err(DecodeError::Truncated {
                offset: self.offset(),
                needed: N as u64,
                left,
            });
        }
        let mut out = [0; N];
        out.copy_from_slice(self.take(N));
        Ok(out)
    }
}

impl<'a> Field<'a> {
    /// The payload as a varint.
    pub(super) fn varint(&self) -> Result<u64, DecodeError> {
        match self.payload {
            Payload::Varint(value) => Ok(value),
            Payload::Fixed64(_) | Payload::Bytes(_) | Payload::Fixed32(_) => {
                Err(self.kind("a varint"))
            }
        }
    }

    /// The payload as a signed 64-bit integer (two's complement varint).
    pub(super) fn int64(&self) -> Result<i64, DecodeError> {
        Ok(self.varint()?.cast_signed())
    }

    /// The payload as bytes.
    pub(super) fn bytes(&self) -> Result<&'a [u8], DecodeError> {
        match self.payload {
            Payload::Bytes(bytes) => Ok(bytes),
            Payload::Varint(_) | Payload::Fixed64(_) | Payload::Fixed32(_) => {
                Err(self.kind("length-delimited bytes"))
            }
        }
    }

    /// The payload as a message of its own.
    pub(super) fn message(&self) -> Result<Reader<'a>, DecodeError> {
        Ok(Reader::new(self.bytes()?, self.offset))
    }

    /// The payload as text of at most `limit` bytes.
    pub(super) fn text(&self, limit: usize) -> Result<&'a str, DecodeError> {
        let bytes = self.bytes()?;
        if bytes.len() > limit {
            return Err(DecodeError::TextLength {
                offset: self.offset,
                length: bytes.len(),
                limit,
            });
        }
        core::str::from_utf8(bytes).map_err(|_| DecodeError::NotUtf8 {
            offset: self.offset,
        })
    }

    /// The payload as an IEEE-754 single.
    pub(super) fn float(&self) -> Result<f32, DecodeError> {
        match self.payload {
            Payload::Fixed32(bytes) => Ok(f32::from_le_bytes(bytes)),
            Payload::Varint(_) | Payload::Fixed64(_) | Payload::Bytes(_) => {
                Err(self.kind("a float"))
            }
        }
    }

    /// The 64-bit integers of a repeated field, packed or not, appended to `out`.
    pub(super) fn int64s(&self, out: &mut Vec<i64>, limit: usize) -> Result<(), DecodeError> {
        match self.payload {
            Payload::Varint(value) => push(out, value.cast_signed(), limit, self.offset),
            Payload::Bytes(bytes) => {
                let mut reader = Reader::new(bytes, self.offset);
                while !reader.is_empty() {
                    push(out, reader.varint()?.cast_signed(), limit, self.offset)?;
                }
                Ok(())
            }
            Payload::Fixed64(_) | Payload::Fixed32(_) => Err(self.kind("64-bit integers")),
        }
    }

    /// The singles of a repeated field, packed or not, appended to `out`.
    pub(super) fn floats(&self, out: &mut Vec<f32>, limit: usize) -> Result<(), DecodeError> {
        match self.payload {
            Payload::Fixed32(bytes) => push(out, f32::from_le_bytes(bytes), limit, self.offset),
            Payload::Bytes(bytes) => {
                let (chunks, rest) = bytes.as_chunks::<4>();
                if !rest.is_empty() {
                    return Err(self.kind("whole 4-byte floats"));
                }
                chunks
                    .iter()
                    .try_for_each(|&c| push(out, f32::from_le_bytes(c), limit, self.offset))
            }
            Payload::Varint(_) | Payload::Fixed64(_) => Err(self.kind("floats")),
        }
    }

    /// The doubles of a repeated field, packed or not, appended to `out`.
    pub(super) fn doubles(&self, out: &mut Vec<f64>, limit: usize) -> Result<(), DecodeError> {
        match self.payload {
            Payload::Fixed64(bytes) => push(out, f64::from_le_bytes(bytes), limit, self.offset),
            Payload::Bytes(bytes) => {
                let (chunks, rest) = bytes.as_chunks::<8>();
                if !rest.is_empty() {
                    return Err(self.kind("whole 8-byte doubles"));
                }
                chunks
                    .iter()
                    .try_for_each(|&c| push(out, f64::from_le_bytes(c), limit, self.offset))
            }
            Payload::Varint(_) | Payload::Fixed32(_) => Err(self.kind("doubles")),
        }
    }

    fn kind(&self, expected: &'static str) -> DecodeError {
        DecodeError::FieldKind {
            offset: self.offset,
            field: self.number,
            expected,
        }
    }
}

/// Appends within a limit: the one place where repeated scalars grow.
fn push<T>(out: &mut Vec<T>, value: T, limit: usize, offset: usize) -> Result<(), DecodeError> {
    if out.len() >= limit {
        return Err(DecodeError::TooMany {
            offset,
            what: "elements of a repeated field",
            limit,
        });
    }
    out.push(value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_varint_of_more_than_64_bits_is_refused() {
        let bytes = [0xff; 11];
        assert!(matches!(
            Reader::new(&bytes, 7).varint(),
            Err(DecodeError::Varint { offset: 7 })
        ));
    }

    #[test]
    fn a_length_beyond_the_message_is_refused_with_both_numbers() {
        let bytes = [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2];
        let error = Reader::new(&bytes, 0).next().unwrap_err();
        assert!(
            matches!(
                error,
                DecodeError::Truncated {
                    offset: 6,
                    needed: 0xffff_ffff,
                    left: 2
                }
            ),
            "{error:?}"
        );
    }

    #[test]
    fn groups_and_field_zero_are_refused() {
        assert!(matches!(
            Reader::new(&[0x0b], 0).next(),
            Err(DecodeError::WireType { .. })
        ));
        assert!(matches!(
            Reader::new(&[0x00], 0).next(),
            Err(DecodeError::FieldNumber { .. })
        ));
    }

    #[test]
    fn packed_and_single_elements_read_the_same() {
        let mut packed = Vec::new();
        let mut single = Vec::new();
        let field = Reader::new(&[0x0a, 3, 1, 0x80, 1], 0)
            .next()
            .unwrap()
            .unwrap();
        field.int64s(&mut packed, 9).unwrap();
        let mut reader = Reader::new(&[0x08, 1, 0x08, 0x80, 1], 0);
        while let Some(field) = reader.next().unwrap() {
            field.int64s(&mut single, 9).unwrap();
        }
        assert_eq!(packed, single);
        assert_eq!(packed, [1, 128]);
    }
}

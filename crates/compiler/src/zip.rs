//! ZIP archives as numpy writes them: stored or deflated members, bounded.
//!
//! Reads the central directory; every size is checked against the file and against the limits
//! before anything is allocated. Encryption, several disks and other methods are refused.
//!
//! Source: PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12, 4.3.16, 4.5.3 (ZIP64).

use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_with_limit};

/// Most members of an archive.
const MEMBERS_MAX: usize = 1_024;
/// Most bytes of one member after inflation.
pub(crate) const MEMBER_BYTES_MAX: usize = 1 << 30;

/// Why bytes are no archive that this reader takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZipError {
    /// No end-of-directory record: not a ZIP file, or cut off.
    #[error("no ZIP directory: the file is cut off or is no .npz file")]
    NoDirectory,
    /// A record that lies outside the file or has a wrong signature.
    #[error("byte {offset}: the {record} is damaged or cut off")]
    Record {
        /// Where it should be.
        offset: u64,
        /// Which record.
        record: &'static str,
    },
    /// Too many members.
    #[error("{count} members in the archive, at most 1024 are read")]
    Members {
        /// How many there are.
        count: u64,
    },
    /// A compression method that is neither stored nor deflate, or encryption.
    #[error(
        "member {name:?} uses compression method {method} with flags {flags:#x}; supported are stored (0) and deflate (8) without encryption"
    )]
    Method {
        /// Name of the member.
        name: String,
        /// Its method.
        method: u16,
        /// Its flags.
        flags: u16,
    },
    /// A member larger than the limit.
    #[error("member {name:?} has {bytes} bytes, at most 1073741824 are read")]
    Large {
        /// Name of the member.
        name: String,
        /// Its bytes after inflation.
        bytes: u64,
    },
    /// A member that does not inflate to the announced size or checksum.
    #[error("member {name:?}: {what}; write the file again")]
    Damaged {
        /// Name of the member.
        name: String,
        /// What does not fit.
        what: String,
    },
}

/// One member of an archive: where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) name: String,
    flags: u16,
    method: u16,
    crc: u32,
    packed: u64,
    bytes: u64,
    header: u64,
}

/// A little-endian cursor that never leaves its slice.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: u64,
}

impl<'a> Cursor<'a> {
    fn take(&mut self, count: u64, record: &'static str) -> Result<&'a [u8], ZipError> {
        let error = ZipError::Record {
            offset: self.at,
            record,
        };
        let end = self.at.checked_add(count).ok_or_else(|| error.clone())?;
        let range = usize::try_from(self.at).ok().zip(usize::try_from(end).ok());
        let slice = range
            .and_then(|(from, to)| self.bytes.get(from..to))
            .ok_or(error)?;
        self.at = end;
        Ok(slice)
    }

    fn array<const N: usize>(&mut self, record: &'static str) -> Result<[u8; N], ZipError> {
        let mut out = [0; N];
        out.copy_from_slice(self.take(N as u64, record)?);
        Ok(out)
    }

    fn u16(&mut self, record: &'static str) -> Result<u16, ZipError> {
        self.array(record).map(u16::from_le_bytes)
    }

    fn u32(&mut self, record: &'static str) -> Result<u32, ZipError> {
        self.array(record).map(u32::from_le_bytes)
    }

    fn u64(&mut self, record: &'static str) -> Result<u64, ZipError> {
        self.array(record).map(u64::from_le_bytes)
    }

    fn signature(&mut self, value: [u8; 4], record: &'static str) -> Result<(), ZipError> {
        let offset = self.at;
        if self.array(record)? == value {
            return Ok(());
        }
        Err(ZipError::Record { offset, record })
    }
}

/// Lists the members of an archive.
pub(crate) fn members(bytes: &[u8]) -> Result<Vec<Member>, ZipError> {
    // The end record is 22 bytes and a comment of at most 65,535.
    let earliest = bytes.len().saturating_sub(22 + 65_535);
    let end = (earliest..=bytes.len().checked_sub(22).ok_or(ZipError::NoDirectory)?)
        .rev()
        .find(|&at| bytes[at..].starts_with(b"PK\x05\x06"))
        .ok_or(ZipError::NoDirectory)?;
    let end_record = "end of the directory";
    let mut cursor = Cursor {
        bytes,
        at: end as u64 + 10,
    };
    let mut count = u64::from(cursor.u16(end_record)?);
    cursor.u32(end_record)?;
    let mut directory = u64::from(cursor.u32(end_record)?);
    if count == 0xffff || directory == 0xffff_ffff {
        // ZIP64: the locator lies 20 bytes in front of the end record.
        let at = (end as u64).checked_sub(20).ok_or(ZipError::NoDirectory)?;
        let mut locator = Cursor { bytes, at };
        locator.signature(*b"PK\x06\x07", "ZIP64 locator")?;
        locator.u32("ZIP64 locator")?;
        let mut record = Cursor {
            bytes,
            at: locator.u64("ZIP64 locator")?,
        };
        record.signature(*b"PK\x06\x06", "ZIP64 end of the directory")?;
        record.take(28, "ZIP64 end of the directory")?;
        count = record.u64("ZIP64 end of the directory")?;
        record.take(8, "ZIP64 end of the directory")?;
        directory = record.u64("ZIP64 end of the directory")?;
    }
    if count > MEMBERS_MAX as u64 {
        return Err(ZipError::Members { count });
    }
    let mut cursor = Cursor {
        bytes,
        at: directory,
    };
    (0..count).map(|_| member(&mut cursor)).collect()
}

fn member(cursor: &mut Cursor<'_>) -> Result<Member, ZipError> {
    let record = "directory entry";
    cursor.signature(*b"PK\x01\x02", record)?;
    cursor.u32(record)?;
    let flags = cursor.u16(record)?;
    let method = cursor.u16(record)?;
    cursor.u32(record)?;
    let crc = cursor.u32(record)?;
    let mut packed = u64::from(cursor.u32(record)?);
    let mut bytes = u64::from(cursor.u32(record)?);
    let name_len = cursor.u16(record)?;
    let extra_len = cursor.u16(record)?;
    let comment_len = cursor.u16(record)?;
    cursor.take(8, record)?;
    let mut header = u64::from(cursor.u32(record)?);
    let name = String::from_utf8_lossy(cursor.take(u64::from(name_len), record)?).into_owned();
    let extra = cursor.take(u64::from(extra_len), record)?;
    cursor.take(u64::from(comment_len), record)?;
    let mut fields = Cursor {
        bytes: extra,
        at: 0,
    };
    while fields.at + 4 <= extra.len() as u64 {
        let (tag, len) = (fields.u16(record)?, fields.u16(record)?);
        let mut field = Cursor {
            bytes: fields.take(u64::from(len), record)?,
            at: 0,
        };
        if tag == 1 {
            for value in [&mut bytes, &mut packed, &mut header] {
                if *value == 0xffff_ffff {
                    *value = field.u64(record)?;
                }
            }
        }
    }
    Ok(Member {
        name,
        flags,
        method,
        crc,
        packed,
        bytes,
        header,
    })
}

/// The bytes of one member as the archive holds them, and how many they unfold to.
fn packed<'a>(bytes: &'a [u8], member: &Member) -> Result<(&'a [u8], usize), ZipError> {
    let name = || member.name.clone();
    if member.flags & 1 != 0 || !matches!(member.method, 0 | 8) {
        return Err(ZipError::Method {
            name: name(),
            method: member.method,
            flags: member.flags,
        });
    }
    let size = usize::try_from(member.bytes)
        .ok()
        .filter(|&n| n <= MEMBER_BYTES_MAX)
        .ok_or_else(|| ZipError::Large {
            name: name(),
            bytes: member.bytes,
        })?;
    let record = "member header";
    let mut cursor = Cursor {
        bytes,
        at: member.header,
    };
    cursor.signature(*b"PK\x03\x04", record)?;
    cursor.take(22, record)?;
    let skipped = u64::from(cursor.u16(record)?) + u64::from(cursor.u16(record)?);
    cursor.take(skipped, record)?;
    Ok((cursor.take(member.packed, "member")?, size))
}

/// The first bytes of one member, at most `limit`; nothing is checked but that they unfold.
pub(crate) fn head(bytes: &[u8], member: &Member, limit: usize) -> Result<Vec<u8>, ZipError> {
    let (packed, size) = packed(bytes, member)?;
    let limit = limit.min(size);
    if member.method == 0 {
        return Ok(packed.get(..limit).unwrap_or(packed).to_vec());
    }
    match decompress_to_vec_with_limit(packed, limit) {
        Ok(head) => Ok(head),
        Err(error) if error.status == TINFLStatus::HasMoreOutput => Ok(error.output),
        Err(_) => Err(ZipError::Damaged {
            name: member.name.clone(),
            what: "is no deflate stream".to_owned(),
        }),
    }
}

/// The bytes of one member.
pub(crate) fn read(bytes: &[u8], member: &Member) -> Result<Vec<u8>, ZipError> {
    let name = || member.name.clone();
    let (packed, size) = packed(bytes, member)?;
    let content = if member.method == 0 {
        packed.to_vec()
    } else {
        decompress_to_vec_with_limit(packed, size).map_err(|error| ZipError::Damaged {
            name: name(),
            what: match error.status {
                TINFLStatus::HasMoreOutput => format!("inflates to more than {size} bytes"),
                _ => "is no deflate stream".to_owned(),
            },
        })?
    };
    if content.len() != size {
        let what = format!("holds {} bytes, {size} are announced", content.len());
        return Err(ZipError::Damaged { name: name(), what });
    }
    let crc = crc32(&content);
    if crc != member.crc {
        let what = format!("checksum {crc:08x}, {:08x} is announced", member.crc);
        return Err(ZipError::Damaged { name: name(), what });
    }
    Ok(content)
}

/// CRC-32 of ISO 3309, as ZIP uses it.
fn crc32(bytes: &[u8]) -> u32 {
    const TABLE: [u32; 256] = {
        let mut table = [0; 256];
        let mut index = 0;
        while index < 256 {
            #[expect(clippy::cast_possible_truncation, reason = "index is below 256")]
            let mut value = index as u32;
            let mut bit = 0;
            while bit < 8 {
                value = if value & 1 == 1 {
                    0xedb8_8320 ^ (value >> 1)
                } else {
                    value >> 1
                };
                bit += 1;
            }
            table[index] = value;
            index += 1;
        }
        table
    };
    !bytes.iter().fold(!0, |crc, &byte| {
        TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ (crc >> 8)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn an_empty_or_cut_file_has_no_directory() {
        assert_eq!(members(&[]), Err(ZipError::NoDirectory));
        assert_eq!(
            members(b"PK\x03\x04 something else entirely"),
            Err(ZipError::NoDirectory)
        );
    }
}

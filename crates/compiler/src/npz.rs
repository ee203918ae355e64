//! Arrays of numpy: `.npy` files and `.npz` archives, reading and (for `.npy`) writing.
//!
//! Little-endian, C order, at most eight axes; floats of 16, 32, 64 bits, integers of 8 to 64
//! bits, and booleans. Anything else is refused by name. Memory is bounded by the member's size.
//!
//! Source: numpy, NEP 1 (format versions 1.0 to 3.0).

use std::collections::BTreeMap;

use crate::onnx::RANK_MAX;
use crate::zip::{self, ZipError};

/// Longest header that is parsed.
const HEADER_BYTES_MAX: usize = 65_536;
/// The same with what stands in front of it.
const HEAD_BYTES_MAX: usize = HEADER_BYTES_MAX + 12;

/// An array in C order.
#[derive(Debug, Clone, PartialEq)]
pub struct Array {
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Elements.
    pub data: ArrayData,
}

/// Elements of an array by their type in the file.
#[derive(Debug, Clone, PartialEq)]
pub enum ArrayData {
    /// `|u1` and `|b1`.
    U8(Vec<u8>),
    /// `|i1`, `<i2`, `<i4`, `<i8`, `<u2`, `<u4`.
    Int(Vec<i64>),
    /// `<f4`, and `<f2` widened.
    F32(Vec<f32>),
    /// `<f8`.
    F64(Vec<f64>),
}

/// Why bytes are no array that this reader takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NpzError {
    /// The archive around the arrays.
    #[error(transparent)]
    Zip(#[from] ZipError),
    /// No `.npy` magic number.
    #[error("{name}: no .npy file (the first bytes are not \\x93NUMPY)")]
    Magic {
        /// Which array.
        name: String,
    },
    /// The header cannot be read.
    #[error("{name}: the .npy header {what}")]
    Header {
        /// Which array.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// An element type that is not read.
    #[error(
        "{name}: element type {descr:?} is not supported; supported are |u1 |b1 |i1 <i2 <i4 <i8 <u2 <u4 <f2 <f4 <f8: convert with astype(\"float32\")"
    )]
    Type {
        /// Which array.
        name: String,
        /// The type as the file gives it.
        descr: String,
    },
    /// Fortran order.
    #[error("{name}: Fortran order is not supported; save np.ascontiguousarray(x)")]
    Order {
        /// Which array.
        name: String,
    },
    /// The bytes do not fill the shape.
    #[error("{name}: shape {shape:?} needs {needed} bytes, the file holds {found}")]
    Length {
        /// Which array.
        name: String,
        /// Its shape.
        shape: Vec<usize>,
        /// Bytes of the shape; 0 if the product overflows.
        needed: usize,
        /// Bytes in the file.
        found: usize,
    },
    /// An array that is not in the archive.
    #[error("no array {wanted:?} in the archive; it holds {present}")]
    Missing {
        /// The name that was asked for.
        wanted: String,
        /// The names that are there.
        present: String,
    },
}

impl Array {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match &self.data {
            ArrayData::U8(v) => v.len(),
            ArrayData::Int(v) => v.len(),
            ArrayData::F32(v) => v.len(),
            ArrayData::F64(v) => v.len(),
        }
    }

    /// True if there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All elements as single-precision floats.
    pub fn to_f32(&self) -> Vec<f32> {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "the caller asks for single precision"
        )]
        match &self.data {
            ArrayData::U8(v) => v.iter().map(|&x| f32::from(x)).collect(),
            ArrayData::Int(v) => v.iter().map(|&x| x as f32).collect(),
            ArrayData::F32(v) => v.clone(),
            ArrayData::F64(v) => v.iter().map(|&x| x as f32).collect(),
        }
    }

    /// All elements as whole numbers, or `None` if the array holds floats.
    pub fn to_i64(&self) -> Option<Vec<i64>> {
        match &self.data {
            ArrayData::U8(v) => Some(v.iter().map(|&x| i64::from(x)).collect()),
            ArrayData::Int(v) => Some(v.clone()),
            ArrayData::F32(_) | ArrayData::F64(_) => None,
        }
    }
}

/// Reads all arrays of an `.npz` archive, by name without `.npy`.
pub fn read_npz(bytes: &[u8]) -> Result<Vec<(String, Array)>, NpzError> {
    let mut arrays = Vec::new();
    // The limit of a single member is the limit of all together, too.
    let mut left = zip::MEMBER_BYTES_MAX;
    for member in zip::members(bytes)? {
        let content = zip::read(bytes, &member)?;
        left = left
            .checked_sub(content.len())
            .ok_or_else(|| ZipError::Large {
                name: "(all members together)".to_owned(),
                bytes: zip::MEMBER_BYTES_MAX as u64 + 1,
            })?;
        let name = member
            .name
            .strip_suffix(".npy")
            .unwrap_or(&member.name)
            .to_owned();
        let array = parse(&content, &name)?;
        arrays.push((name, array));
    }
    Ok(arrays)
}

/// Reads one array of an `.npz` archive.
pub fn read_npz_array(bytes: &[u8], wanted: &str) -> Result<Array, NpzError> {
    let members = zip::members(bytes)?;
    let stem = |name: &str| name.strip_suffix(".npy").unwrap_or(name).to_owned();
    match members.iter().find(|member| stem(&member.name) == wanted) {
        Some(member) => parse(&zip::read(bytes, member)?, wanted),
        None => Err(NpzError::Missing {
            wanted: wanted.to_owned(),
            present: members
                .iter()
                .take(16)
                .map(|m| stem(&m.name))
                .collect::<Vec<_>>()
                .join(", "),
        }),
    }
}

/// Shapes of the arrays of an `.npz` archive, by name without `.npy`; what is no array is left out, and nothing
/// but headers is read.
pub fn shapes(bytes: &[u8]) -> Result<BTreeMap<String, Vec<usize>>, NpzError> {
    let mut shapes = BTreeMap::new();
    for member in zip::members(bytes)? {
        let stem = member.name.strip_suffix(".npy").unwrap_or(&member.name);
        let Ok(head) = zip::head(bytes, &member, HEAD_BYTES_MAX) else {
            continue;
        };
        if let Ok(header) = header(&head, stem) {
            shapes.insert(stem.to_owned(), header.shape);
        }
    }
    Ok(shapes)
}

/// Reads an `.npy` file.
pub fn read_npy(bytes: &[u8]) -> Result<Array, NpzError> {
    parse(bytes, "array")
}

/// Writes an `.npy` file of `f32` elements.
///
/// # Panics
///
/// If the shape does not fit the number of elements.
pub fn write_npy_f32(shape: &[usize], elements: &[f32]) -> Vec<u8> {
    assert_eq!(
        shape.iter().product::<usize>(),
        elements.len(),
        "shape and elements differ"
    );
    let mut out = npy_header("<f4", shape);
    out.extend(elements.iter().flat_map(|v| v.to_le_bytes()));
    out
}

/// Writes an `.npy` file of `i32` elements.
///
/// # Panics
///
/// If the shape does not fit the number of elements.
pub fn write_npy_i32(shape: &[usize], elements: &[i32]) -> Vec<u8> {
    assert_eq!(
        shape.iter().product::<usize>(),
        elements.len(),
        "shape and elements differ"
    );
    let mut out = npy_header("<i4", shape);
    out.extend(elements.iter().flat_map(|v| v.to_le_bytes()));
    out
}

fn npy_header(descr: &str, shape: &[usize]) -> Vec<u8> {
    let mut extents: Vec<String> = shape.iter().map(ToString::to_string).collect();
    // The comma behind the last one makes a tuple of one a tuple.
    extents.push(String::new());
    let extents = extents.join(", ");
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({extents}), }}");
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let length = u16::try_from(header.len()).expect("at most eight extents of twenty digits");
    let mut out = b"\x93NUMPY\x01\x00".to_vec();
    out.extend(length.to_le_bytes());
    out.extend(header.as_bytes());
    out
}

fn parse(bytes: &[u8], name: &str) -> Result<Array, NpzError> {
    let Header {
        descr,
        order,
        shape,
        body,
    } = header(bytes, name)?;
    if order.starts_with("True") && shape.len() > 1 {
        return Err(NpzError::Order {
            name: name.to_owned(),
        });
    }
    elements(name, descr, shape, body)
}

/// What stands in front of the elements.
struct Header<'a> {
    descr: &'a str,
    order: &'a str,
    shape: Vec<usize>,
    /// The elements.
    body: &'a [u8],
}

fn header<'a>(bytes: &'a [u8], name: &str) -> Result<Header<'a>, NpzError> {
    let header_error = |what: &str| NpzError::Header {
        name: name.to_owned(),
        what: what.to_owned(),
    };
    let rest = bytes
        .strip_prefix(b"\x93NUMPY")
        .ok_or_else(|| NpzError::Magic {
            name: name.to_owned(),
        })?;
    let (length, rest) = match rest {
        [1, _, a, b, rest @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => (
            u32::from_le_bytes([*a, *b, *c, *d])
                .try_into()
                .unwrap_or(usize::MAX),
            rest,
        ),
        _ => return Err(header_error("has an unknown version or is cut off")),
    };
    if length > HEADER_BYTES_MAX || length > rest.len() {
        return Err(header_error("is cut off or too long"));
    }
    let (header, body) = rest.split_at(length);
    let header = core::str::from_utf8(header).map_err(|_| header_error("is not UTF-8"))?;
    let descr = quoted(field(header, "descr").ok_or_else(|| header_error("has no descr"))?)
        .ok_or_else(|| NpzError::Type {
            name: name.to_owned(),
            descr: "a record".to_owned(),
        })?;
    let order = field(header, "fortran_order").ok_or_else(|| header_error("has no order"))?;
    let shape = field(header, "shape")
        .and_then(extents)
        .ok_or_else(|| header_error("has no shape of at most eight whole numbers"))?;
    Ok(Header {
        descr,
        order,
        shape,
        body,
    })
}

/// Text behind `'key':`.
fn field<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    let quoted = format!("'{key}':");
    let at = header.find(&quoted)?;
    Some(header[at + quoted.len()..].trim_start())
}

fn quoted(text: &str) -> Option<&str> {
    text.strip_prefix('\'')?.split('\'').next()
}

fn extents(text: &str) -> Option<Vec<usize>> {
    let inside = text.strip_prefix('(')?.split(')').next()?;
    let parts = inside
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let shape: Option<Vec<usize>> = parts
        .take(RANK_MAX + 1)
        .map(|part| part.parse().ok())
        .collect();
    shape.filter(|shape| shape.len() <= RANK_MAX)
}

fn elements(name: &str, descr: &str, shape: Vec<usize>, body: &[u8]) -> Result<Array, NpzError> {
    let width = match descr {
        "|u1" | "|b1" | "|i1" | "<u1" | "<i1" => 1,
        "<i2" | "<u2" | "<f2" => 2,
        "<i4" | "<u4" | "<f4" => 4,
        "<i8" | "<f8" => 8,
        _ => {
            return Err(NpzError::Type {
                name: name.to_owned(),
                descr: descr.to_owned(),
            });
        }
    };
    let needed = shape
        .iter()
        .try_fold(width, |p: usize, &d| p.checked_mul(d))
        .unwrap_or(0);
    if needed != body.len() || (needed == 0 && !shape.contains(&0)) {
        let found = body.len();
        return Err(NpzError::Length {
            name: name.to_owned(),
            shape,
            needed,
            found,
        });
    }
    let two = || body.as_chunks::<2>().0.iter();
    let four = || body.as_chunks::<4>().0.iter();
    let eight = || body.as_chunks::<8>().0.iter();
    let data = match descr {
        "|i1" | "<i1" => ArrayData::Int(body.iter().map(|&b| i64::from(b.cast_signed())).collect()),
        "<i2" => ArrayData::Int(two().map(|&b| i64::from(i16::from_le_bytes(b))).collect()),
        "<u2" => ArrayData::Int(two().map(|&b| i64::from(u16::from_le_bytes(b))).collect()),
        "<i4" => ArrayData::Int(four().map(|&b| i64::from(i32::from_le_bytes(b))).collect()),
        "<u4" => ArrayData::Int(four().map(|&b| i64::from(u32::from_le_bytes(b))).collect()),
        "<i8" => ArrayData::Int(eight().map(|&b| i64::from_le_bytes(b)).collect()),
        "<f2" => ArrayData::F32(
            two()
                .map(|&b| crate::onnx::half(u16::from_le_bytes(b)))
                .collect(),
        ),
        "<f4" => ArrayData::F32(four().map(|&b| f32::from_le_bytes(b)).collect()),
        "<f8" => ArrayData::F64(eight().map(|&b| f64::from_le_bytes(b)).collect()),
        _ => ArrayData::U8(body.to_vec()),
    };
    Ok(Array { shape, data })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_array_reads_back_the_same() {
        let elements = [1.5, -2.0, 0.0, 3.25, 1e-9, 7.0];
        let array = read_npy(&write_npy_f32(&[2, 3], &elements)).unwrap();
        assert_eq!(array.shape, [2, 3]);
        assert_eq!(array.to_f32(), elements);
        let array = read_npy(&write_npy_i32(&[2], &[-5, 6])).unwrap();
        assert_eq!(array.to_i64().unwrap(), [-5, 6]);
    }

    #[test]
    fn the_shapes_of_an_archive_are_those_of_its_arrays() {
        for archive in [
            "models/data/digits.npz",
            "crates/compiler/tests/data/encoder.npz",
        ] {
            let path = format!("{}/../../{archive}", env!("CARGO_MANIFEST_DIR"));
            let bytes = std::fs::read(path).unwrap();
            let arrays = read_npz(&bytes).unwrap().into_iter();
            let expected: BTreeMap<String, Vec<usize>> =
                arrays.map(|(name, array)| (name, array.shape)).collect();
            assert_eq!(shapes(&bytes).unwrap(), expected, "{archive}");
        }
    }

    #[test]
    fn a_shape_that_overflows_is_refused() {
        let mut bytes = npy_header("<f8", &[usize::MAX, 3]);
        bytes.extend([0; 8]);
        assert!(matches!(
            read_npy(&bytes),
            Err(NpzError::Length { found: 8, .. })
        ));
    }

    #[test]
    fn other_types_and_orders_are_refused_by_name() {
        let big_endian = npy_header(">f4", &[0]);
        assert!(
            matches!(read_npy(&big_endian), Err(NpzError::Type { descr, .. }) if descr == ">f4")
        );
        let header = npy_header("<f4", &[0, 0]);
        let text = String::from_utf8_lossy(&header[10..]).replace("False", "True ");
        let mut bytes = header[..10].to_vec();
        bytes.extend(text.as_bytes());
        assert!(matches!(read_npy(&bytes), Err(NpzError::Order { .. })));
    }
}

//! ONNX `TensorProto`: constants as `f32` or `i64` elements in row-major order.
//!
//! Half and double precision become `f32`, all integers become `i64`: the importer computes with
//! these two only. Memory is bounded by sixteen times the bytes of the file.

use super::beside::{Beside, Place};
use super::error::DecodeError;
use super::proto::{cut_text, limit};
use super::wire::Reader;
use super::{ELEMENTS_MAX, FAN_MAX, NAME_BYTES_MAX, RANK_MAX};

/// A constant of the model.
#[derive(Debug, Clone, PartialEq)]
pub struct OnnxTensor {
    /// Name; empty inside an attribute.
    pub name: String,
    /// Dimensions, outermost first; empty for a scalar.
    pub dims: Vec<usize>,
    /// Elements in row-major order, as many as the product of `dims`.
    pub elements: Elements,
    /// What the elements are in the file.
    pub element: ElementType,
}

/// Element types that are told apart after decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementType {
    /// Real numbers.
    Real,
    /// INT8.
    Int8,
    /// UINT8.
    Uint8,
    /// INT16.
    Int16,
    /// UINT16.
    Uint16,
    /// Any other whole numbers, and truth values.
    Whole,
}

impl ElementType {
    fn of(element: &str) -> Self {
        match element {
            "FLOAT" | "FLOAT16" | "BFLOAT16" | "DOUBLE" => Self::Real,
            "INT8" => Self::Int8,
            "UINT8" => Self::Uint8,
            "INT16" => Self::Int16,
            "UINT16" => Self::Uint16,
            _ => Self::Whole,
        }
    }

    /// Smallest and largest number of an 8- or 16-bit type.
    pub(crate) fn range(self) -> Option<(f32, f32)> {
        match self {
            Self::Int8 => Some((-128.0, 127.0)),
            Self::Uint8 => Some((0.0, 255.0)),
            Self::Int16 => Some((-32_768.0, 32_767.0)),
            Self::Uint16 => Some((0.0, 65_535.0)),
            Self::Real | Self::Whole => None,
        }
    }
}

/// Elements of a constant.
#[derive(Debug, Clone, PartialEq)]
pub enum Elements {
    /// From FLOAT, FLOAT16, BFLOAT16, DOUBLE.
    Float(Vec<f32>),
    /// From INT64, INT32, INT16, UINT16, UINT8, INT8, BOOL, UINT4, INT4.
    Int(Vec<i64>),
    /// From STRING, lossy if it is not UTF-8: names of classes.
    Text(Vec<String>),
}

impl Elements {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Float(values) => values.len(),
            Self::Int(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }
}

/// Element types of `TensorProto.DataType`, as far as ONNX names them.
const TYPE_NAMES: [&str; 23] = [
    "UNDEFINED",
    "FLOAT",
    "UINT8",
    "INT8",
    "UINT16",
    "INT16",
    "INT32",
    "INT64",
    "STRING",
    "BOOL",
    "FLOAT16",
    "DOUBLE",
    "UINT32",
    "UINT64",
    "COMPLEX64",
    "COMPLEX128",
    "BFLOAT16",
    "FLOAT8E4M3FN",
    "FLOAT8E4M3FNUZ",
    "FLOAT8E5M2",
    "FLOAT8E5M2FNUZ",
    "UINT4",
    "INT4",
];

#[derive(Default)]
struct Raw<'a> {
    name: String,
    dims: Vec<i64>,
    data_type: i64,
    floats: Vec<f32>,
    doubles: Vec<f64>,
    ints: Vec<i64>,
    texts: Vec<String>,
    bytes: Option<&'a [u8]>,
    external: bool,
    place: Place,
}

/// Reads one `TensorProto`.
pub(super) fn decode_tensor(
    mut reader: Reader<'_>,
    beside: Beside<'_>,
) -> Result<OnnxTensor, DecodeError> {
    let mut t = Raw::default();
    while let Some(field) = reader.next()? {
        match field.number {
            1 => field.int64s(&mut t.dims, 64)?,
            2 => t.data_type = field.int64()?,
            4 => field.floats(&mut t.floats, ELEMENTS_MAX)?,
            5 | 7 => field.int64s(&mut t.ints, ELEMENTS_MAX)?,
            6 => {
                limit(t.texts.len(), FAN_MAX, "texts of one tensor", &field)?;
                t.texts.push(cut_text(field.bytes()?));
            }
            8 => field.text(NAME_BYTES_MAX)?.clone_into(&mut t.name),
            9 => t.bytes = Some(field.bytes()?),
            10 => field.doubles(&mut t.doubles, ELEMENTS_MAX)?,
            13 => {
                t.external = true;
                t.place.entry(field.message()?)?;
            }
            14 => t.external |= field.int64()? == 1,
            _ => {}
        }
    }
    let dims = shape(&t)?;
    let own;
    if t.external {
        let count = dims.iter().product::<usize>();
        let needed = if is_nibble(t.data_type) {
            count.div_ceil(2)
        } else {
            count.saturating_mul(width(t.data_type))
        };
        own = beside.bytes(&t.name, &t.place, needed)?;
        t.bytes = Some(&own);
    }
    let needed = dims.iter().product();
    let element = usize::try_from(t.data_type)
        .ok()
        .and_then(|code| TYPE_NAMES.get(code).copied())
        .unwrap_or("unknown");
    let mut elements = elements(&t, element)?;
    if let (Elements::Int(values), true) = (&mut elements, is_nibble(t.data_type)) {
        // The last byte of an odd number of elements holds one.
        if needed % 2 == 1 && values.len() == needed + 1 {
            values.pop();
        }
    }
    if elements.len() != needed {
        return Err(DecodeError::TensorLength {
            name: t.name,
            dims: t.dims,
            element,
            needed,
            found: elements.len(),
        });
    }
    Ok(OnnxTensor {
        name: t.name,
        dims,
        elements,
        element: ElementType::of(element),
    })
}

/// Bytes of one element; 0 of a type that is not read.
fn width(data_type: i64) -> usize {
    match data_type {
        2 | 3 | 9 => 1,
        4 | 5 | 10 | 16 => 2,
        1 | 6 => 4,
        7 | 11 => 8,
        _ => 0,
    }
}

/// Whether two elements share a byte, the lower half first: UINT4 and INT4.
fn is_nibble(data_type: i64) -> bool {
    matches!(data_type, 21 | 22)
}

/// The elements of bytes that hold two each.
fn nibbles(bytes: impl Iterator<Item = u8>, signed: bool) -> Vec<i64> {
    let value = |half: u8| {
        let value = i64::from(half);
        if signed && value > 7 {
            value - 16
        } else {
            value
        }
    };
    bytes
        .flat_map(|byte| [value(byte & 15), value(byte >> 4)])
        .collect()
}

fn shape(t: &Raw<'_>) -> Result<Vec<usize>, DecodeError> {
    let refuse = || DecodeError::TensorShape {
        name: t.name.clone(),
        dims: t.dims.clone(),
        rank_max: RANK_MAX,
        elements_max: ELEMENTS_MAX,
    };
    if t.dims.len() > RANK_MAX {
        return Err(refuse());
    }
    let mut product = 1_usize;
    let mut dims = Vec::with_capacity(t.dims.len());
    for &dim in &t.dims {
        let dim = usize::try_from(dim)
            .ok()
            .filter(|&d| d <= ELEMENTS_MAX)
            .ok_or_else(refuse)?;
        product = product
            .checked_mul(dim)
            .filter(|&p| p <= ELEMENTS_MAX)
            .ok_or_else(refuse)?;
        dims.push(dim);
    }
    Ok(dims)
}

fn elements(t: &Raw<'_>, element: &'static str) -> Result<Elements, DecodeError> {
    let typed = !(t.floats.is_empty() && t.doubles.is_empty() && t.ints.is_empty());
    if let Some(raw) = t.bytes {
        if typed {
            return Err(DecodeError::TensorTwice {
                name: t.name.clone(),
            });
        }
        return from_raw(t, raw, element);
    }
    Ok(match element {
        "FLOAT" => Elements::Float(t.floats.clone()),
        "DOUBLE" => Elements::Float(t.doubles.iter().map(|&v| narrow(v)).collect()),
        "FLOAT16" => Elements::Float(t.ints.iter().map(|&v| half(low16(v))).collect()),
        "BFLOAT16" => Elements::Float(t.ints.iter().map(|&v| brain(low16(v))).collect()),
        "INT64" | "INT32" | "INT16" | "UINT16" | "UINT8" | "INT8" | "BOOL" => {
            Elements::Int(t.ints.clone())
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a byte travels in the low bits of int32_data"
        )]
        "UINT4" | "INT4" => {
            let bytes = t.ints.iter().map(|&v| v as u8);
            Elements::Int(nibbles(bytes, element == "INT4"))
        }
        "STRING" => Elements::Text(t.texts.clone()),
        _ => return Err(unsupported(t, element)),
    })
}

fn from_raw(t: &Raw<'_>, raw: &[u8], element: &'static str) -> Result<Elements, DecodeError> {
    let width = match element {
        "FLOAT" | "INT32" => 4,
        "FLOAT16" | "BFLOAT16" | "INT16" | "UINT16" => 2,
        "DOUBLE" | "INT64" => 8,
        "UINT8" | "INT8" | "BOOL" | "UINT4" | "INT4" => 1,
        _ => return Err(unsupported(t, element)),
    };
    if !raw.len().is_multiple_of(width) {
        return Err(DecodeError::TensorLength {
            name: t.name.clone(),
            dims: t.dims.clone(),
            element,
            needed: raw.len().div_ceil(width),
            found: raw.len() / width,
        });
    }
    let two = || {
        raw.as_chunks::<2>()
            .0
            .iter()
            .map(|&b| u16::from_le_bytes(b))
    };
    let four = || raw.as_chunks::<4>().0.iter();
    let eight = || raw.as_chunks::<8>().0.iter();
    Ok(match element {
        "FLOAT" => Elements::Float(four().map(|&b| f32::from_le_bytes(b)).collect()),
        "DOUBLE" => Elements::Float(eight().map(|&b| narrow(f64::from_le_bytes(b))).collect()),
        "FLOAT16" => Elements::Float(two().map(half).collect()),
        "BFLOAT16" => Elements::Float(two().map(brain).collect()),
        "INT32" => Elements::Int(four().map(|&b| i64::from(i32::from_le_bytes(b))).collect()),
        "INT64" => Elements::Int(eight().map(|&b| i64::from_le_bytes(b)).collect()),
        "INT16" => Elements::Int(two().map(|v| i64::from(v.cast_signed())).collect()),
        "UINT16" => Elements::Int(two().map(i64::from).collect()),
        "INT8" => Elements::Int(raw.iter().map(|&b| i64::from(b.cast_signed())).collect()),
        "UINT4" | "INT4" => Elements::Int(nibbles(raw.iter().copied(), element == "INT4")),
        _ => Elements::Int(raw.iter().map(|&b| i64::from(b)).collect()),
    })
}

fn unsupported(t: &Raw<'_>, element: &'static str) -> DecodeError {
    DecodeError::TensorType {
        name: t.name.clone(),
        code: t.data_type,
        element,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "weights are kept in single precision"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "half precision travels in the low 16 bits of int32_data"
)]
fn low16(value: i64) -> u16 {
    value as u16
}

fn brain(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// IEEE-754 half to single precision, exactly.
pub(crate) fn half(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let exponent = u32::from(bits >> 10) & 0x1f;
    let fraction = u32::from(bits) & 0x3ff;
    match exponent {
        // Zero and subnormals: fraction * 2^-24, which single precision holds exactly.
        0 => {
            let magnitude = f32::from(bits & 0x3ff) * f32::from_bits(0x3380_0000);
            f32::from_bits(magnitude.to_bits() | sign)
        }
        0x1f => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_widened_exactly() {
        for (bits, value) in [
            (0x3c00, 1.0_f32),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_5e-8),
            (0x0400, 6.103_515_6e-5),
            (0x3555, 0.333_251_95),
        ] {
            assert_eq!(half(bits).to_bits(), value.to_bits(), "{bits:#x}");
        }
        assert!(half(0x7e00).is_nan());
        assert_eq!(half(0xfc00).to_bits(), f32::NEG_INFINITY.to_bits());
    }

    #[test]
    fn a_huge_shape_without_data_is_refused_before_any_allocation() {
        // dims = [2^62, 2^62], data_type = FLOAT
        let mut bytes = Vec::new();
        for _ in 0..2 {
            bytes.push(0x08);
            bytes.extend([0x80; 8]);
            bytes.push(0x40);
        }
        bytes.extend([0x10, 1]);
        assert!(matches!(
            decode_tensor(Reader::new(&bytes, 0), Beside::Nothing),
            Err(DecodeError::TensorShape { .. })
        ));
    }
}

//! The interface section: how a request's integers are made, and how an output is read.
//!
//! ```text
//! q = clamp(floor(x * multiplier / 2^shift + 1/2))       x an IEEE-754 binary32, exact
//! q = table[channel][pixel]                               pixel an 8-bit sample
//! y = q * multiplier / 2^shift                            the float that an output stands for
//! ```
//!
//! Its hash stands in the header, so that two artefacts with one id read the same picture alike.
//!
//! Spec: interface, 6.1 to 6.6.

use alloc::string::String;
use alloc::vec::Vec;

use selfsame_protocol::constants::{RANK_MAX, TAG_INTERFACE};
use selfsame_protocol::{DecodeError, Hash, Reader, Writer, keccak256_tagged};

use crate::tensor::DType;

/// Most labels, and most bytes of one.
pub const LABELS_MAX: u16 = 10_000;
const LABEL_BYTES_MAX: u16 = 256;
const CHANNELS_MAX: u8 = 4;

/// A positive rational `multiplier / 2^shift`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ratio {
    /// At least 1.
    pub multiplier: u32,
    /// 0..=62.
    pub shift: u8,
}

/// 8-bit samples through a table for each channel; layout `[height][width][channels]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PixelRule {
    /// Height of the picture.
    pub height: u32,
    /// Width of the picture.
    pub width: u32,
    /// One table for each channel, 1 to 4.
    pub tables: Vec<[i8; 256]>,
}

/// The axes of a tensor as the source model's users know it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layout {
    /// Shape in the source model, without the batch axis.
    pub shape: Vec<u32>,
    /// Program axis j is source axis `axes[j]`.
    pub axes: Vec<u8>,
}

/// Input rule, output scale, labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Scale from a float to the input's integer.
    pub input_scale: Ratio,
    /// Layout of float inputs.
    pub input: Layout,
    /// Rule for pictures, if the model takes any.
    pub pixels: Option<PixelRule>,
    /// Scale from an output's integer to a float.
    pub output_scale: Ratio,
    /// Layout of the output.
    pub output: Layout,
    /// Names of the output's classes; empty if it has none.
    pub labels: Vec<String>,
}

/// Why a float has no integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the value with bits {bits:#010x} is not a number; inputs are numbers or infinities")]
pub struct NotANumber {
    /// The binary32 bits.
    pub bits: u32,
}

impl Ratio {
    /// The integer of the binary32 with `bits`, clamped to the range of `dtype`.
    ///
    /// Spec: interface, 6.2.
    pub fn quantize(self, bits: u32, dtype: DType) -> Result<i32, NotANumber> {
        let (low, high) = dtype.range();
        let negative = bits >> 31 == 1;
        let exponent = (bits >> 23) & 0xff;
        let fraction = bits & 0x007f_ffff;
        if exponent == 0xff {
            if fraction != 0 {
                return Err(NotANumber { bits });
            }
            return Ok(if negative { low } else { high });
        }
        let (mantissa, scale) = match exponent {
            0 => (fraction, -149_i32),
            normal => (
                fraction | 0x0080_0000,
                i32::try_from(normal).unwrap_or(0) - 150,
            ),
        };
        // At most 2^56; the exponent of two left is scale - shift.
        let product = i128::from(u64::from(mantissa) * u64::from(self.multiplier));
        let product = if negative { -product } else { product };
        let right = i32::from(self.shift) - scale;
        let rounded = match u32::try_from(right) {
            Ok(0) => product,
            Ok(right) if right <= 64 => (product + (1_i128 << (right - 1))) >> right,
            Ok(_) => 0,
            // A shift of 64 already clamps every non-zero product, and cannot overflow 2^127.
            Err(_) => product << right.unsigned_abs().min(64),
        };
        let clamped = rounded.clamp(i128::from(low), i128::from(high));
        Ok(i32::try_from(clamped).unwrap_or(low))
    }
}

impl Layout {
    fn encode(&self, writer: &mut Writer) {
        writer.u8(u8::try_from(self.shape.len()).unwrap_or(u8::MAX));
        self.shape.iter().for_each(|&extent| {
            writer.u32(extent);
        });
        writer.raw(&self.axes);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let rank = reader.u8("layout rank")?;
        if rank > RANK_MAX {
            return Err(reader.invalid("layout rank", u64::from(rank), "at most RANK_MAX axes"));
        }
        let shape = (0..rank)
            .map(|_| reader.u32("layout extent"))
            .collect::<Result<Vec<_>, _>>()?;
        let axes = reader.take("layout axes", usize::from(rank))?.to_vec();
        let mut seen = 0_u32;
        for &axis in &axes {
            if axis >= rank || (seen >> axis) & 1 == 1 {
                return Err(reader.invalid(
                    "layout axis",
                    u64::from(axis),
                    "a permutation of the axes",
                ));
            }
            seen |= 1 << axis;
        }
        Ok(Self { shape, axes })
    }

    /// Number of elements, saturating.
    pub fn elements(&self) -> u64 {
        crate::shape::elements(&self.shape)
    }

    /// For each flat index of the program's tensor, the flat index in the source's layout.
    pub fn source_indices(&self) -> impl Iterator<Item = usize> + '_ {
        let strides = self.source_strides();
        let extents: Vec<usize> = self
            .axes
            .iter()
            .map(|&axis| {
                self.shape
                    .get(usize::from(axis))
                    .map_or(1, |&extent| extent as usize)
            })
            .collect();
        let total = extents
            .iter()
            .fold(1_usize, |product, &extent| product.saturating_mul(extent));
        (0..total).map(move |flat| {
            let mut rest = flat;
            let mut index = 0;
            for (&extent, &stride) in extents.iter().zip(&strides).rev() {
                index += (rest % extent.max(1)) * stride;
                rest /= extent.max(1);
            }
            index
        })
    }

    fn source_strides(&self) -> Vec<usize> {
        let stride = |axis: &u8| {
            let inner = self.shape.get(usize::from(*axis) + 1..).unwrap_or_default();
            inner.iter().fold(1_usize, |product, &extent| {
                product.saturating_mul(extent as usize)
            })
        };
        self.axes.iter().map(stride).collect()
    }
}

impl Interface {
    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer
            .u32(self.input_scale.multiplier)
            .u8(self.input_scale.shift);
        self.input.encode(&mut writer);
        match &self.pixels {
            None => {
                writer.u8(0);
            }
            Some(rule) => {
                writer.u8(u8::try_from(rule.tables.len()).unwrap_or(u8::MAX));
                writer.u32(rule.height).u32(rule.width);
                for table in &rule.tables {
                    for entry in table {
                        writer.raw(&entry.to_be_bytes());
                    }
                }
            }
        }
        writer
            .u32(self.output_scale.multiplier)
            .u8(self.output_scale.shift);
        self.output.encode(&mut writer);
        writer.u16(u16::try_from(self.labels.len()).unwrap_or(u16::MAX));
        for label in &self.labels {
            writer
                .u16(u16::try_from(label.len()).unwrap_or(u16::MAX))
                .raw(label.as_bytes());
        }
        writer.into_bytes()
    }

    /// Parses canonical bytes from `reader`.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let input_scale = decode_ratio(reader)?;
        let input = Layout::decode(reader)?;
        let pixels = decode_pixels(reader)?;
        let output_scale = decode_ratio(reader)?;
        let output = Layout::decode(reader)?;
        let count = reader.u16("label count")?;
        if count > LABELS_MAX {
            return Err(reader.invalid("label count", u64::from(count), "at most 10,000 labels"));
        }
        let labels = (0..count)
            .map(|_| decode_label(reader))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            input_scale,
            input,
            pixels,
            output_scale,
            output,
            labels,
        })
    }

    /// keccak256(0x07, bytes).
    pub fn hash(&self) -> Hash {
        keccak256_tagged(TAG_INTERFACE, &self.encode())
    }
}

fn decode_ratio(reader: &mut Reader<'_>) -> Result<Ratio, DecodeError> {
    let multiplier = reader.u32("scale multiplier")?;
    let shift = reader.u8("scale shift")?;
    if multiplier == 0 || shift > 62 {
        return Err(reader.invalid(
            "scale",
            u64::from(shift),
            "multiplier at least 1, shift at most 62",
        ));
    }
    Ok(Ratio { multiplier, shift })
}

fn decode_pixels(reader: &mut Reader<'_>) -> Result<Option<PixelRule>, DecodeError> {
    let channels = reader.u8("picture channels")?;
    if channels == 0 {
        return Ok(None);
    }
    if channels > CHANNELS_MAX {
        return Err(reader.invalid("picture channels", u64::from(channels), "0 to 4"));
    }
    let height = reader.u32("picture height")?;
    let width = reader.u32("picture width")?;
    let table = |reader: &mut Reader<'_>| {
        let bytes: [u8; 256] = reader.array("pixel table")?;
        Ok(bytes.map(|byte| i8::from_be_bytes([byte])))
    };
    let tables = (0..channels)
        .map(|_| table(reader))
        .collect::<Result<_, _>>()?;
    Ok(Some(PixelRule {
        height,
        width,
        tables,
    }))
}

fn decode_label(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    let len = reader.u16("label length")?;
    if len > LABEL_BYTES_MAX {
        return Err(reader.invalid("label length", u64::from(len), "at most 256 bytes"));
    }
    let bytes = reader.take("label", usize::from(len))?;
    match core::str::from_utf8(bytes) {
        Ok(text) => Ok(text.into()),
        Err(error) => Err(reader.invalid("label", error.valid_up_to() as u64, "UTF-8")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUARTERS: Ratio = Ratio {
        multiplier: 1,
        shift: 0,
    };

    /// Spec: interface, 6.2.
    #[test]
    fn halves_round_up_on_both_sides_of_zero() {
        for (x, want) in [
            (0.5_f32, 1),
            (-0.5, 0),
            (1.5, 2),
            (-1.5, -1),
            (1.499, 1),
            (-1.501, -2),
        ] {
            assert_eq!(QUARTERS.quantize(x.to_bits(), DType::I8), Ok(want), "{x}");
        }
    }

    #[test]
    fn extreme_floats_clamp_and_a_not_a_number_is_refused() {
        let ratio = Ratio {
            multiplier: u32::MAX,
            shift: 0,
        };
        for (x, want) in [
            (f32::MAX, 127),
            (f32::MIN, -127),
            (f32::INFINITY, 127),
            (0.0, 0),
        ] {
            assert_eq!(ratio.quantize(x.to_bits(), DType::I8), Ok(want), "{x}");
        }
        assert_eq!(
            ratio.quantize(f32::MIN_POSITIVE.to_bits(), DType::I8),
            Ok(0)
        );
        assert!(ratio.quantize(f32::NAN.to_bits(), DType::I8).is_err());
    }

    #[test]
    fn a_channel_first_source_is_read_channel_last() {
        let layout = Layout {
            shape: alloc::vec![2, 1, 3],
            axes: alloc::vec![1, 2, 0],
        };
        let order: Vec<usize> = layout.source_indices().collect();
        assert_eq!(order, [0, 3, 1, 4, 2, 5]);
    }
}

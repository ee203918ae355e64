//! PNG pictures as 8-bit samples, `[height][width][channels]`.
//!
//! Grey, grey with alpha, RGB, RGBA and palettes; 16-bit samples keep their high byte, alpha is
//! laid over black. A picture is converted to the channels that the model wants and never resized:
//! another size is refused with both sizes. Memory is bounded before anything is decoded.

use png::{BitDepth, ColorType, Decoder, Limits, Transformations};

/// Largest width or height.
const EXTENT_MAX: u32 = 8_192;
/// Most bytes that the decoder may take for its own buffers.
const DECODER_BYTES_MAX: usize = 64 << 20;

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Height.
    pub height: u32,
    /// Width.
    pub width: u32,
    /// 1 (grey) or 3 (red, green, blue).
    pub channels: u32,
    /// `[height][width][channels]`.
    pub samples: Vec<u8>,
}

/// Why bytes are no picture for a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// The bytes are no PNG file.
    #[error("no PNG picture: {0}")]
    Png(String),
    /// The picture is larger than any model takes.
    #[error("the picture is {width} x {height}, at most {EXTENT_MAX} x {EXTENT_MAX} are read")]
    Large {
        /// Width.
        width: u32,
        /// Height.
        height: u32,
    },
    /// The picture has another size than the model's input.
    #[error(
        "the picture is {width} x {height}, the model takes {wanted_width} x {wanted_height}; resize it first"
    )]
    Size {
        /// Width.
        width: u32,
        /// Height.
        height: u32,
        /// Width that the model takes.
        wanted_width: u32,
        /// Height that the model takes.
        wanted_height: u32,
    },
    /// The model wants a number of channels that a picture cannot be converted to.
    #[error("the model takes {wanted} channels; pictures become 1 (grey) or 3 (red, green, blue)")]
    Channels {
        /// Channels that the model takes.
        wanted: u32,
    },
}

/// Decodes a PNG file.
pub fn read_png(bytes: &[u8]) -> Result<Picture, PictureError> {
    let refuse = |error: png::DecodingError| PictureError::Png(error.to_string());
    let mut decoder = Decoder::new_with_limits(
        std::io::Cursor::new(bytes),
        Limits {
            bytes: DECODER_BYTES_MAX,
        },
    );
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let (width, height) = {
        let header = decoder.read_header_info().map_err(refuse)?;
        (header.width, header.height)
    };
    if width > EXTENT_MAX || height > EXTENT_MAX {
        return Err(PictureError::Large { width, height });
    }
    let mut reader = decoder.read_info().map_err(refuse)?;
    let (color, depth) = reader.output_color_type();
    let (channels, alpha) = match color {
        ColorType::Grayscale => (1, false),
        ColorType::GrayscaleAlpha => (1, true),
        ColorType::Rgb => (3, false),
        ColorType::Rgba => (3, true),
        ColorType::Indexed => return Err(PictureError::Png("an unexpanded palette".to_owned())),
    };
    if depth != BitDepth::Eight {
        return Err(PictureError::Png(format!("samples of {depth:?} bits")));
    }
    let size = reader
        .output_buffer_size()
        .filter(|&n| n <= 4 * (EXTENT_MAX as usize).pow(2));
    let size = size.ok_or(PictureError::Large { width, height })?;
    let mut raw = vec![0; size];
    reader.next_frame(&mut raw).map_err(refuse)?;
    let samples = if alpha {
        over_black(&raw, channels as usize)
    } else {
        raw
    };
    Ok(Picture {
        height,
        width,
        channels,
        samples,
    })
}

fn over_black(raw: &[u8], channels: usize) -> Vec<u8> {
    raw.chunks_exact(channels + 1)
        .flat_map(|pixel| {
            let alpha = u32::from(pixel[channels]);
            pixel[..channels].iter().map(move |&v| {
                let shade = (u32::from(v) * alpha + 127) / 255;
                u8::try_from(shade).expect("at most 255 * 255 / 255")
            })
        })
        .collect()
}

impl Picture {
    /// The samples of a picture that fits a model, in the channels that it takes.
    ///
    /// Grey is repeated; colour becomes grey by `(299 r + 587 g + 114 b + 500) / 1000`.
    pub fn fit(&self, height: u32, width: u32, channels: u32) -> Result<Vec<u8>, PictureError> {
        if (self.height, self.width) != (height, width) {
            return Err(PictureError::Size {
                width: self.width,
                height: self.height,
                wanted_width: width,
                wanted_height: height,
            });
        }
        match (self.channels, channels) {
            (have, want) if have == want => Ok(self.samples.clone()),
            (1, 3) => Ok(self.samples.iter().flat_map(|&v| [v; 3]).collect()),
            (3, 1) => Ok(self
                .samples
                .as_chunks::<3>()
                .0
                .iter()
                .map(|&rgb| grey(rgb))
                .collect()),
            (_, wanted) => Err(PictureError::Channels { wanted }),
        }
    }
}

fn grey([r, g, b]: [u8; 3]) -> u8 {
    let sum = 299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b) + 500;
    u8::try_from(sum / 1000).expect("the weights add up to 1000")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(width: u32, height: u32, color: ColorType, samples: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(color);
        encoder
            .write_header()
            .unwrap()
            .write_image_data(samples)
            .unwrap();
        bytes
    }

    #[test]
    fn pictures_become_the_channels_that_the_model_takes() {
        let grey = read_png(&encode(2, 1, ColorType::Grayscale, &[7, 200])).unwrap();
        assert_eq!(grey.fit(1, 2, 1).unwrap(), [7, 200]);
        assert_eq!(grey.fit(1, 2, 3).unwrap(), [7, 7, 7, 200, 200, 200]);
        let color = read_png(&encode(1, 1, ColorType::Rgba, &[255, 128, 0, 255])).unwrap();
        assert_eq!(color.fit(1, 1, 3).unwrap(), [255, 128, 0]);
        assert_eq!(color.fit(1, 1, 1).unwrap(), [151]);
        let faint = read_png(&encode(1, 1, ColorType::GrayscaleAlpha, &[200, 51])).unwrap();
        assert_eq!(faint.samples, [40]);
    }

    #[test]
    fn another_size_is_refused_with_both_sizes() {
        let picture = read_png(&encode(2, 1, ColorType::Grayscale, &[0, 0])).unwrap();
        let error = picture.fit(28, 28, 1).unwrap_err();
        assert!(error.to_string().contains("2 x 1") && error.to_string().contains("28 x 28"));
        assert!(matches!(
            picture.fit(1, 2, 2),
            Err(PictureError::Channels { wanted: 2 })
        ));
    }

    #[test]
    fn cut_and_foreign_files_are_refused() {
        let bytes = encode(4, 4, ColorType::Grayscale, &[9; 16]);
        for len in 0..bytes.len() {
            // The last chunk is only a mark: without it all samples are there.
            if let Ok(picture) = read_png(&bytes[..len]) {
                assert_eq!(picture.samples, [9; 16]);
            }
        }
        assert!(read_png(b"GIF89a").is_err());
    }
}

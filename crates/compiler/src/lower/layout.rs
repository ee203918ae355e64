//! In which order the elements of a value stand in the program.
//!
//! Float images are `[C][H][W]`, program images are `[H][W][C]`. A view keeps the order of the
//! bytes, so a flattened image still stands in image order: the next matmul permutes its columns
//! instead of moving data.

/// Order of a value's elements relative to the float graph's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// The same order.
    Flat,
    /// `[H][W][C]` of what the float graph sees as `[C][H][W]`; never if both are the same order.
    Image {
        channels: usize,
        height: usize,
        width: usize,
    },
}

impl Layout {
    /// The layout of an image; flat where both orders agree.
    pub(super) fn image(channels: usize, height: usize, width: usize) -> Self {
        if channels == 1 || height * width == 1 {
            return Self::Flat;
        }
        Self::Image {
            channels,
            height,
            width,
        }
    }

    /// For each element of the program's tensor, the element of the float graph's.
    pub(super) fn source(self, elements: usize) -> Vec<usize> {
        match self {
            Self::Flat => (0..elements).collect(),
            Self::Image {
                channels,
                height,
                width,
            } => {
                let plane = height * width;
                (0..channels * plane)
                    .map(|i| i % channels * plane + i / channels)
                    .collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_interleaves_its_channels() {
        let layout = Layout::image(2, 1, 3);
        assert_eq!(layout.source(6), [0, 3, 1, 4, 2, 5]);
        assert_eq!(Layout::image(1, 5, 5), Layout::Flat);
    }
}

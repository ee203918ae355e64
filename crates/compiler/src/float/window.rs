//! Windows over two spatial axes: kernel, strides, pads, dilations.

/// A window; pairs are `[vertical, horizontal]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window2 {
    /// Kernel extents.
    pub kernel: [usize; 2],
    /// Strides.
    pub strides: [usize; 2],
    /// Padding at the beginning: top, left.
    pub pads_begin: [usize; 2],
    /// Padding at the end: bottom, right.
    pub pads_end: [usize; 2],
    /// Dilations.
    pub dilations: [usize; 2],
}

/// Largest kernel, stride, pad or dilation: the limit of the program format.
pub(crate) const EXTENT_MAX: usize = 4_096;

impl Window2 {
    /// The window that covers a whole image of `height` by `width`.
    pub fn whole(height: usize, width: usize) -> Self {
        Self {
            kernel: [height, width],
            strides: [1, 1],
            pads_begin: [0, 0],
            pads_end: [0, 0],
            dilations: [1, 1],
        }
    }

    /// Extent of the kernel with its gaps, along `axis` (0 vertical, 1 horizontal).
    pub fn span(&self, axis: usize) -> usize {
        (self.kernel[axis] - 1) * self.dilations[axis] + 1
    }

    /// Output extent for an input extent, rounding down; `None` if the kernel does not fit.
    pub fn output(&self, axis: usize, extent: usize) -> Option<usize> {
        let padded = extent + self.pads_begin[axis] + self.pads_end[axis];
        Some(padded.checked_sub(self.span(axis))? / self.strides[axis] + 1)
    }

    /// Input coordinate of a tap, or `None` if it lies in the padding.
    pub(crate) fn tap(
        &self,
        axis: usize,
        output: usize,
        tap: usize,
        extent: usize,
    ) -> Option<usize> {
        let padded = output * self.strides[axis] + tap * self.dilations[axis];
        padded
            .checked_sub(self.pads_begin[axis])
            .filter(|&i| i < extent)
    }

    /// Output coordinates at which a tap lies inside the input; there may be fewer of them than that.
    pub(crate) fn inside(&self, axis: usize, tap: usize, extent: usize) -> core::ops::Range<usize> {
        let (shift, stride) = (tap * self.dilations[axis], self.strides[axis]);
        let pad = self.pads_begin[axis];
        let first = pad.saturating_sub(shift).div_ceil(stride);
        first..(extent + pad).saturating_sub(shift).div_ceil(stride)
    }
}

//! The window of convolutions and pools.
//!
//! Spec: programs, 1.10 and 1.11.

use selfsame_protocol::{DecodeError, Reader, Writer};

/// Kernel, strides, pads (top, left, bottom, right) and dilations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Kernel height and width.
    pub kernel: [u16; 2],
    /// Vertical and horizontal stride.
    pub stride: [u16; 2],
    /// Padding: top, left, bottom, right.
    pub pad: [u16; 4],
    /// Vertical and horizontal dilation.
    pub dilation: [u16; 2],
}

impl Window {
    /// A square window without dilation.
    pub const fn square(kernel: u16, stride: u16, pad: u16) -> Self {
        Self {
            kernel: [kernel; 2],
            stride: [stride; 2],
            pad: [pad; 4],
            dilation: [1; 2],
        }
    }

    /// Extent of the dilated kernel along `axis` (0: height, 1: width).
    pub fn span(&self, axis: usize) -> u32 {
        u32::from(self.dilation[axis]) * u32::from(self.kernel[axis]).saturating_sub(1) + 1
    }

    /// Output extent along `axis` for an input of `extent`; `None` if the kernel does not fit.
    pub fn output_extent(&self, axis: usize, extent: u32) -> Option<u32> {
        let padded = extent
            .checked_add(u32::from(self.pad[axis]))?
            .checked_add(u32::from(self.pad[axis + 2]))?;
        let stride = u32::from(self.stride[axis]);
        (stride != 0).then_some(())?;
        Some(padded.checked_sub(self.span(axis))? / stride + 1)
    }

    /// Cells of the kernel.
    pub fn cells(&self) -> u64 {
        u64::from(self.kernel[0]) * u64::from(self.kernel[1])
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        for &field in self
            .kernel
            .iter()
            .chain(&self.stride)
            .chain(&self.pad)
            .chain(&self.dilation)
        {
            writer.u16(field);
        }
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let mut fields = [0; 10];
        for field in &mut fields {
            *field = reader.u16("window")?;
        }
        let [kh, kw, sh, sw, top, left, bottom, right, dh, dw] = fields;
        Ok(Self {
            kernel: [kh, kw],
            stride: [sh, sw],
            pad: [top, left, bottom, right],
            dilation: [dh, dw],
        })
    }
}

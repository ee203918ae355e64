//! Pools, and the walk over a window that convolution shares.
//!
//! Spec: operators, 2.14 and 2.15.

use selfsame_ir::{AvgPool, ChannelConstants, Dim, DimValues, MaxPool, Tensor, Window};

use crate::ops::linear::{clamp, requantize};
use crate::ops::read;

/// The cells that a window touches, at bound extents.
pub(crate) struct Cells {
    window: Window,
    height: i64,
    width: i64,
    out_width: u64,
}

impl Cells {
    pub(crate) fn new(
        window: &Window,
        height: Dim,
        width: Dim,
        values: &DimValues,
    ) -> Option<Self> {
        let (height, width) = (height.at(values).ok()?, width.at(values).ok()?);
        let out_width = u64::from(window.output_extent(1, width)?);
        Some(Self {
            window: *window,
            height: height.into(),
            width: width.into(),
            out_width,
        })
    }

    /// For output position `position`: (kernel cell, flat input cell or `None` outside), in order.
    pub(crate) fn around(&self, position: u64) -> impl Iterator<Item = (u64, Option<u64>)> + '_ {
        let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let w = &self.window;
        let top = signed(position / self.out_width) * i64::from(w.stride[0]) - i64::from(w.pad[0]);
        let left = signed(position % self.out_width) * i64::from(w.stride[1]) - i64::from(w.pad[1]);
        let kernel_width = u64::from(w.kernel[1]).max(1);
        (0..w.cells()).map(move |cell| {
            let y = top + signed(cell / kernel_width) * i64::from(w.dilation[0]);
            let x = left + signed(cell % kernel_width) * i64::from(w.dilation[1]);
            let inside = (0..self.height).contains(&y) && (0..self.width).contains(&x);
            let at = if inside {
                u64::try_from(y * self.width + x).ok()
            } else {
                None
            };
            (cell, at)
        })
    }
}

/// The elements of channel `index % channels` under the window of position `index / channels`.
fn covered<'a>(
    cells: &'a Cells,
    channels: u32,
    inputs: &'a [&Tensor],
    index: u64,
) -> impl Iterator<Item = i32> + 'a {
    let channels = u64::from(channels).max(1);
    let inside = cells.around(index / channels).filter_map(|(_, at)| at);
    inside.map(move |at| read(inputs, 0, at * channels + index % channels))
}

pub(crate) fn max(op: &MaxPool, values: &DimValues, inputs: &[&Tensor], index: u64) -> i32 {
    let Some(cells) = Cells::new(&op.window, op.height, op.width, values) else {
        return 0;
    };
    covered(&cells, op.channels, inputs, index)
        .max()
        .unwrap_or(0)
}

pub(crate) fn average(op: &AvgPool, values: &DimValues, inputs: &[&Tensor], index: u64) -> i32 {
    let Some(cells) = Cells::new(&op.window, op.height, op.width, values) else {
        return 0;
    };
    let sum = covered(&cells, op.channels, inputs, index)
        .map(i64::from)
        .sum();
    let constants = ChannelConstants {
        bias: 0,
        multiplier: i32::from(op.multiplier),
        addend_multiplier: 0,
        shift: i32::from(op.shift),
    };
    clamp(requantize(sum, 0, &constants), op.low, op.high)
}

//! Convolutions of one channel: too few terms for unrolled windows to pay.
//!
//! The channel is copied once with its padding around it; then each tap is a shifted copy of it, and
//! the sums of a stretch of positions stay in registers while all taps pass by in their order.

use selfsame_kernels::{Loops, Vectors, Width};

use super::super::window::Window2;
use super::sums::Rows;

/// Positions of one stretch at stride 1, and at others.
const LONG: usize = 32;
const SHORT: usize = 8;

/// Whether a channel is not mostly padding.
pub(super) fn pays([height, width]: [usize; 2], window: &Window2) -> bool {
    let extent = |axis: usize, extent| window.pads_begin[axis] + extent + window.pads_end[axis];
    extent(0, height) * extent(1, width) <= 4 * (height * width).max(1 << 12)
}

/// `[rows][oh][ow]` of a channel `[height][width]`.
pub(super) fn depthwise(
    width: Width,
    (channel, from): (&[f32], &[usize]),
    rows: Rows<'_>,
    window: &Window2,
    (out, shape): (&mut [f32], &[usize]),
) {
    let padded = Padded::new(channel, [from[0], from[1]], window);
    let taps = rows
        .values
        .chunks_exact(window.kernel[0] * window.kernel[1]);
    let outs = out.chunks_exact_mut(shape[0] * shape[1]);
    for ((taps, &start), out) in taps.zip(rows.starts).zip(outs) {
        width.run(Channel {
            padded: &padded,
            taps,
            start,
            out,
            out_width: shape[1],
            strides: window.strides,
        });
    }
}

/// A channel with its padding, and what lies between its first element and that of each tap.
struct Padded {
    values: Vec<f32>,
    width: usize,
    offsets: Vec<usize>,
}

impl Padded {
    fn new(channel: &[f32], [height, width]: [usize; 2], window: &Window2) -> Self {
        let [top, left] = window.pads_begin;
        let wide = left + width + window.pads_end[1];
        let high = top + height + window.pads_end[0];
        // Stretches may reach beyond the end; what they read there is not used.
        let mut values = vec![0.0; high * wide + LONG * window.strides[1] + wide];
        for (row, line) in values[top * wide..]
            .chunks_mut(wide)
            .zip(channel.chunks_exact(width))
        {
            row[left..left + width].copy_from_slice(line);
        }
        let [kernel_h, kernel_w] = window.kernel;
        let offset = |tap: usize| {
            let (y, x) = (tap / kernel_w, tap % kernel_w);
            y * window.dilations[0] * wide + x * window.dilations[1]
        };
        Self {
            values,
            width: wide,
            offsets: (0..kernel_h * kernel_w).map(offset).collect(),
        }
    }
}

/// One channel of the output.
struct Channel<'a> {
    padded: &'a Padded,
    taps: &'a [f32],
    start: f32,
    out: &'a mut [f32],
    out_width: usize,
    strides: [usize; 2],
}

impl Loops for Channel<'_> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vectors>(self) {
        if self.strides[1] == 1 {
            self.stretches::<LONG>();
        } else {
            self.stretches::<SHORT>();
        }
    }
}

impl Channel<'_> {
    #[inline(always)]
    fn stretches<const LANES: usize>(self) {
        let [down, across] = self.strides;
        for (y, line) in self.out.chunks_exact_mut(self.out_width).enumerate() {
            for (stretch, out) in line.chunks_mut(LANES).enumerate() {
                let first = y * down * self.padded.width + stretch * LANES * across;
                let mut sums = [self.start; LANES];
                for (&tap, &offset) in self.taps.iter().zip(&self.padded.offsets) {
                    let values = &self.padded.values[first + offset..];
                    if across == 1 {
                        for (sum, &value) in sums.iter_mut().zip(&values[..LANES]) {
                            *sum += tap * value;
                        }
                    } else {
                        for (sum, &value) in sums.iter_mut().zip(values.iter().step_by(across)) {
                            *sum += tap * value;
                        }
                    }
                }
                out.copy_from_slice(&sums[..out.len()]);
            }
        }
    }
}

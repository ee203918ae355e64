//! Convolutions by unrolled windows, and pools.

use core::ops::Range;

use selfsame_kernels::Width;

use super::super::graph::Linear;
use super::super::window::Window2;
use super::depthwise::{depthwise, pays};
use super::sums::{Order, Panels, Rows, sums};

/// `[O][oh][ow]` of a picture `x` of shape `from`.
pub(super) fn conv(
    width: Width,
    (x, from): (&[f32], &[usize]),
    linear: &Linear,
    window: &Window2,
    groups: usize,
    shape: &[usize],
) -> Vec<f32> {
    let (channels, plane) = (from[0] / groups, from[1] * from[2]);
    let (outputs, positions) = (linear.outputs / groups, shape[1] * shape[2]);
    let weights = linear.weights.chunks_exact(outputs * linear.row_len());
    let images = x.chunks_exact(channels * plane);
    let starts = linear.bias.chunks_exact(outputs);
    let direct = channels == 1 && pays([from[1], from[2]], window);
    let mut out = vec![0.0; linear.outputs * positions];
    let outs = out.chunks_exact_mut(outputs * positions);
    for (((image, values), starts), out) in images.zip(weights).zip(starts).zip(outs) {
        let rows = Rows { values, starts };
        if direct {
            depthwise(width, (image, &from[1..]), rows, window, (out, &shape[1..]));
            continue;
        }
        let unroll = Unroll {
            image,
            from: [from[1], from[2]],
            window,
            out_width: shape[2],
        };
        sums::<f32>(width, rows, positions, Order::Rows, out, |range, panels| {
            unroll.pack(range, panels);
        });
    }
    out
}

/// The windows of a group of channels as columns, `[channel][tap]` each.
struct Unroll<'a> {
    image: &'a [f32],
    from: [usize; 2],
    window: &'a Window2,
    out_width: usize,
}

impl Unroll<'_> {
    /// Writes the windows at output positions `range`; padding is zero.
    fn pack(&self, range: Range<usize>, panels: &mut Panels<f32>) {
        let [kernel_h, kernel_w] = self.window.kernel;
        let plane = self.from[0] * self.from[1];
        let mut column = vec![0.0; range.len()];
        let mut term = 0;
        for channel in self.image.chunks_exact(plane) {
            for tap_y in 0..kernel_h {
                for tap_x in 0..kernel_w {
                    self.tap(channel, [tap_y, tap_x], range.clone(), &mut column);
                    panels.set_term(term, &column);
                    term += 1;
                }
            }
        }
    }

    /// What one tap sees at output positions `range`.
    fn tap(
        &self,
        channel: &[f32],
        [tap_y, tap_x]: [usize; 2],
        range: Range<usize>,
        column: &mut [f32],
    ) {
        let [height, width] = self.from;
        let shift = tap_x * self.window.dilations[1];
        let (stride, pad) = (self.window.strides[1], self.window.pads_begin[1]);
        let inside = self.window.inside(1, tap_x, width);
        let mut position = range.start;
        while position < range.end {
            let (out_y, first) = (position / self.out_width, position % self.out_width);
            let last = self.out_width.min(first + range.end - position);
            let segment = &mut column[position - range.start..][..last - first];
            position += last - first;
            let (from, to) = (
                inside.start.clamp(first, last),
                inside.end.clamp(first, last),
            );
            let y = self.window.tap(0, out_y, tap_y, height);
            let Some(y) = y.filter(|_| from < to) else {
                segment.fill(0.0);
                continue;
            };
            segment[..from - first].fill(0.0);
            segment[to - first..].fill(0.0);
            let row = &channel[y * width..][..width][from * stride + shift - pad..];
            let inside = &mut segment[from - first..to - first];
            if stride == 1 {
                inside.copy_from_slice(&row[..to - from]);
            } else {
                for (slot, value) in inside.iter_mut().zip(row.iter().step_by(stride)) {
                    *slot = *value;
                }
            }
        }
    }
}

/// Folds each window, tap after tap; taps in the padding do not take part.
pub(super) fn pool(
    (x, from): (&[f32], &[usize]),
    window: &Window2,
    shape: &[usize],
    start: f32,
    fold: impl Fn(f32, f32) -> f32,
) -> Vec<f32> {
    let [height, width] = [from[1], from[2]];
    let (stride, pad) = (window.strides[1], window.pads_begin[1]);
    let mut out = vec![start; shape.iter().product()];
    let lines = out.chunks_exact_mut(shape[2]);
    for (row, line) in lines.enumerate() {
        let (channel, out_y) = (row / shape[1], row % shape[1]);
        for tap_y in 0..window.kernel[0] {
            let Some(y) = window.tap(0, out_y, tap_y, height) else {
                continue;
            };
            let values = &x[(channel * height + y) * width..][..width];
            for tap_x in 0..window.kernel[1] {
                let shift = tap_x * window.dilations[1];
                let inside = window.inside(1, tap_x, width);
                let (first, last) = (inside.start.min(shape[2]), inside.end.min(shape[2]));
                if first < last {
                    let values = &values[first * stride + shift - pad..];
                    let slots = &mut line[first..last];
                    fold_line(slots, values, stride, &fold);
                }
            }
        }
    }
    out
}

/// Folds every `stride`-th value into a slot.
#[inline]
fn fold_line(slots: &mut [f32], values: &[f32], stride: usize, fold: impl Fn(f32, f32) -> f32) {
    if stride == 1 {
        for (slot, &value) in slots.iter_mut().zip(values) {
            *slot = fold(*slot, value);
        }
    } else {
        for (slot, &value) in slots.iter_mut().zip(values.iter().step_by(stride)) {
            *slot = fold(*slot, value);
        }
    }
}

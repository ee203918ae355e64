//! Convolutions by unrolled windows, and pools.

use super::super::graph::Linear;
use super::super::window::Window2;

/// Elements of one block of unrolled windows.
const BLOCK_ELEMENTS: usize = 1 << 17;
/// Output positions and output channels of one tile of sums, made to stay in registers.
const LANES: usize = 8;
const ROWS: usize = 4;

/// `[O][oh][ow]` of a picture `x` of shape `from`.
pub(super) fn conv(
    x: &[f32],
    from: &[usize],
    linear: &Linear,
    window: &Window2,
    groups: usize,
    shape: &[usize],
) -> Vec<f32> {
    let (channels, plane) = (from[0] / groups, from[1] * from[2]);
    let (outputs, positions) = (linear.outputs / groups, shape[1] * shape[2]);
    let terms = linear.row_len();
    let lanes = (BLOCK_ELEMENTS / terms.max(1)).clamp(LANES, positions.max(LANES));
    let block = lanes.next_multiple_of(LANES);
    let mut columns = vec![0.0; terms * block];
    let mut out = vec![0.0; linear.outputs * positions];
    for group in 0..groups {
        let image = &x[group * channels * plane..(group + 1) * channels * plane];
        for start in (0..positions).step_by(block) {
            let count = block.min(positions - start);
            unroll(
                image,
                from,
                window,
                shape[2],
                start..start + count,
                &mut columns,
                block,
            );
            for first in (group * outputs..(group + 1) * outputs).step_by(ROWS) {
                let rows = ROWS.min((group + 1) * outputs - first);
                for lane in (0..count).step_by(LANES) {
                    let panel = &columns[lane * terms..][..LANES * terms];
                    let sums = tile(linear, first, rows, panel);
                    let width = LANES.min(count - lane);
                    for (row, sums) in sums.iter().enumerate().take(rows) {
                        let at = (first + row) * positions + start + lane;
                        out[at..at + width].copy_from_slice(&sums[..width]);
                    }
                }
            }
        }
    }
    out
}

/// Sums of `rows` output channels from `first` on at `LANES` positions, each in order of its terms.
fn tile(linear: &Linear, first: usize, rows: usize, panel: &[f32]) -> [[f32; LANES]; ROWS] {
    let terms = linear.row_len();
    // Rows beyond the last one repeat it; their sums are not used.
    let row = |r: usize| first + r.min(rows - 1);
    let [a, b, c, d]: [&[f32]; ROWS] =
        core::array::from_fn(|r| &linear.weights[row(r) * terms..(row(r) + 1) * terms]);
    let mut sums: [[f32; LANES]; ROWS] = core::array::from_fn(|r| [linear.bias[row(r)]; LANES]);
    let columns = panel.as_chunks::<LANES>().0;
    for ((((column, a), b), c), d) in columns.iter().zip(a).zip(b).zip(c).zip(d) {
        for (sums, weight) in sums.iter_mut().zip([a, b, c, d]) {
            for (sum, value) in sums.iter_mut().zip(column) {
                *sum += weight * value;
            }
        }
    }
    sums
}

/// Writes the windows at output positions `range` as panels `[terms][LANES]`.
fn unroll(
    image: &[f32],
    from: &[usize],
    window: &Window2,
    out_width: usize,
    range: core::ops::Range<usize>,
    columns: &mut [f32],
    block: usize,
) {
    let [height, width] = [from[1], from[2]];
    let [kernel_h, kernel_w] = window.kernel;
    let terms = columns.len() / block;
    let mut column = vec![0.0; block];
    for term in 0..terms {
        let (tap_x, rest) = (term % kernel_w, term / kernel_w);
        let (tap_y, channel) = (rest % kernel_h, rest / kernel_h);
        // Output columns whose tap lies inside the image; the others see padding.
        let shift = tap_x * window.dilations[1];
        let stride = window.strides[1];
        let inside_from = window.pads_begin[1].saturating_sub(shift).div_ceil(stride);
        let inside_to = (width + window.pads_begin[1])
            .saturating_sub(shift)
            .div_ceil(stride);
        let mut position = range.start;
        while position < range.end {
            let (out_y, first) = (position / out_width, position % out_width);
            let last = out_width.min(first + range.end - position);
            let segment = &mut column[position - range.start..][..last - first];
            position += last - first;
            segment.fill(0.0);
            let Some(y) = window.tap(0, out_y, tap_y, height) else {
                continue;
            };
            let (from, to) = (inside_from.clamp(first, last), inside_to.clamp(first, last));
            if from < to {
                let row = &image[(channel * height + y) * width..][..width];
                let x = from * stride + shift - window.pads_begin[1];
                let inside = &mut segment[from - first..to - first];
                if stride == 1 {
                    inside.copy_from_slice(&row[x..][..to - from]);
                } else {
                    for (slot, value) in inside.iter_mut().zip(row[x..].iter().step_by(stride)) {
                        *slot = *value;
                    }
                }
            }
        }
        let panels = columns.chunks_exact_mut(terms * LANES);
        for (panel, lanes) in panels.zip(column.as_chunks::<LANES>().0) {
            panel[term * LANES..][..LANES].copy_from_slice(lanes);
        }
    }
}

/// Folds each window; taps in the padding do not take part.
pub(super) fn pool(
    x: &[f32],
    from: &[usize],
    window: &Window2,
    shape: &[usize],
    start: f32,
    fold: impl Fn(f32, f32) -> f32,
) -> Vec<f32> {
    let [height, width] = [from[1], from[2]];
    let mut out = Vec::with_capacity(shape.iter().product());
    for channel in x.chunks_exact(height * width) {
        for position in 0..shape[1] * shape[2] {
            let mut value = start;
            for tap_y in 0..window.kernel[0] {
                let Some(y) = window.tap(0, position / shape[2], tap_y, height) else {
                    continue;
                };
                for tap_x in 0..window.kernel[1] {
                    if let Some(x) = window.tap(1, position % shape[2], tap_x, width) {
                        value = fold(value, channel[y * width + x]);
                    }
                }
            }
            out.push(value);
        }
    }
    out
}

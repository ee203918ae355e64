//! Maximum and average over windows of a stored grid.
//!
//! ```text
//! max:      y = maximum over the cells of the window that lie inside the input
//! average:  y = clamp((sum over these cells * M + 2^(s-1)) >> s, lo, hi)
//! ```
//!
//! Spec: operators, 2.14 and 2.15. All of it is plain Rust on blocks of sixteen bytes, which
//! compiles to vectors on every target; only the order of bytes depends on the kernel.

use std::ops::Range;

use crate::finish::{Output, Rule, requantize};
use crate::grid::Grid;
use crate::kernel::Kernel;

/// Window of a pool over stored grids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolSpec {
    /// Stored input; its halo is not part of any window.
    pub input: Grid,
    /// Stored output.
    pub output: Grid,
    /// Rows and columns of the window.
    pub kernel: [usize; 2],
    /// Steps of the window.
    pub stride: [usize; 2],
    /// Padding at the top and at the left, smaller than the window.
    pub pad: [usize; 2],
}

/// Requantisation of an average pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Average {
    /// M, at most 32767.
    pub multiplier: i32,
    /// s in 1..=46.
    pub shift: i32,
    /// Clamp, lower bound.
    pub lo: i32,
    /// Clamp, upper bound.
    pub hi: i32,
}

/// Bytes of an input row that are handled at once.
const SEGMENT: usize = 4096;
/// Bytes of a block; a segment buffer has this much room behind its end.
const BLOCK: usize = 16;

impl PoolSpec {
    /// Cells of axis `axis` (0: rows) under window `at`, inside the input.
    fn cells(&self, axis: usize, at: usize) -> Range<usize> {
        let size = [self.input.height(), self.input.width()][axis];
        let start = at * self.stride[axis];
        let end = (start + self.kernel[axis])
            .saturating_sub(self.pad[axis])
            .min(size);
        start.saturating_sub(self.pad[axis]).min(end)..end
    }

    fn check(&self, input_len: usize, output_len: usize) {
        assert_eq!(input_len, self.input.len(), "pool: input length");
        assert_eq!(output_len, self.output.len(), "pool: output length");
        assert_eq!(
            self.input.channels(),
            self.output.channels(),
            "pool: channels"
        );
    }
}

/// Maximum over stored bytes (flipped as `kernel` says).
///
/// # Panics
///
/// If a length is not that of the spec, or a window holds no cell.
pub fn max_pool_bytes(kernel: Kernel, spec: &PoolSpec, input: &[u8], output: &mut [u8]) {
    spec.check(input.len(), output.len());
    // After this flip, unsigned order is the order of the signed elements.
    let flip = kernel.flip() ^ 0x80;
    let channels = spec.input.channels();
    let columns = SEGMENT / channels;
    if columns < spec.kernel[1] {
        max_pool_with(spec, input, output, |a, b| {
            ((a ^ flip).max(b ^ flip)) ^ flip
        });
        return;
    }
    let pixels = (columns - spec.kernel[1]) / spec.stride[1] + 1;
    let width = spec.output.width();
    let mut column_max = [0; SEGMENT + BLOCK];
    let mut results = [0; SEGMENT + BLOCK];
    for y in 0..spec.output.height() {
        let rows = spec.cells(0, y);
        for start in (0..width).step_by(pixels) {
            let end = width.min(start + pixels);
            let first = spec.cells(1, start).start;
            let len = (spec.cells(1, end - 1).end - first) * channels;
            for row in rows.clone() {
                let from = spec.input.index(row, first);
                let cells = &input[from..from + len];
                let is_first = row == rows.start;
                for (most, &cell) in column_max[..len].iter_mut().zip(cells) {
                    *most = (cell ^ flip).max(if is_first { 0 } else { *most });
                }
            }
            for x in start..end {
                let cells = spec.cells(1, x);
                let cells = (cells.start - first) * channels..(cells.end - first) * channels;
                row_max(
                    &column_max,
                    cells,
                    channels,
                    &mut results[(x - start) * channels..],
                );
            }
            let to = spec.output.index(y, start);
            let target = &mut output[to..to + (end - start) * channels];
            for (y, &most) in target.iter_mut().zip(&results) {
                *y = most ^ flip;
            }
        }
    }
}

/// Maximum over cells of `channels` bytes, in blocks that may write behind the end.
fn row_max(cells: &[u8], range: Range<usize>, channels: usize, to: &mut [u8]) {
    let block = |at: usize| -> [u8; BLOCK] {
        cells[at..at + BLOCK]
            .try_into()
            .expect("the slice has the length of a block")
    };
    for c in (0..channels).step_by(BLOCK) {
        let mut most = block(range.start + c);
        for cell in (range.start + channels..range.end).step_by(channels) {
            let other = block(cell + c);
            for (most, other) in most.iter_mut().zip(other) {
                *most = other.max(*most);
            }
        }
        to[c..c + BLOCK].copy_from_slice(&most);
    }
}

/// Maximum over stored elements of any ordered type.
///
/// # Panics
///
/// If a length is not that of the spec, or a window holds no cell.
pub fn max_pool<T: Copy + Ord>(spec: &PoolSpec, input: &[T], output: &mut [T]) {
    max_pool_with(spec, input, output, T::max);
}

fn max_pool_with<T: Copy>(spec: &PoolSpec, input: &[T], output: &mut [T], max: impl Fn(T, T) -> T) {
    spec.check(input.len(), output.len());
    let channels = spec.input.channels();
    for (y, x) in positions(spec) {
        let (rows, columns) = (spec.cells(0, y), spec.cells(1, x));
        let to = spec.output.index(y, x);
        let target = &mut output[to..to + channels];
        let first = spec.input.index(rows.start, columns.start);
        target.copy_from_slice(&input[first..first + channels]);
        for (row, column) in rows.flat_map(|r| columns.clone().map(move |c| (r, c))) {
            let from = spec.input.index(row, column);
            for (y, &x) in target.iter_mut().zip(&input[from..from + channels]) {
                *y = max(*y, x);
            }
        }
    }
}

/// Average over stored bytes (flipped as `kernel` says).
///
/// # Panics
///
/// If a length is not that of the spec.
pub fn average_pool(
    kernel: Kernel,
    spec: &PoolSpec,
    average: &Average,
    input: &[u8],
    output: &mut Output,
) {
    let output_len = match output {
        Output::I8(data) => data.len(),
        Output::I16(data) => data.len(),
        Output::I32(data) => data.len(),
    };
    spec.check(input.len(), output_len);
    assert!((1..=46).contains(&average.shift), "average pool: shift");
    let flip = kernel.flip();
    let rule = Rule {
        lo: average.lo,
        hi: average.hi,
        flip,
        fits: false,
        table: None,
    };
    let channels = spec.input.channels();
    for (y, x) in positions(spec) {
        let (rows, columns) = (spec.cells(0, y), spec.cells(1, x));
        for first in (0..channels).step_by(64) {
            let count = (channels - first).min(64);
            // At most 2^24 cells of magnitude 128: a sum fits 32 bits.
            let mut sums = [0_i32; 64];
            for (row, column) in rows
                .clone()
                .flat_map(|r| columns.clone().map(move |c| (r, c)))
            {
                let from = spec.input.index(row, column) + first;
                for (sum, &cell) in sums.iter_mut().zip(&input[from..from + count]) {
                    *sum = sum.wrapping_add(i32::from((cell ^ flip) as i8));
                }
            }
            let to = spec.output.index(y, x) + first;
            for (c, &sum) in sums[..count].iter().enumerate() {
                let v = requantize(sum, average.multiplier, 0, 0, average.shift, &rule);
                match output {
                    Output::I8(data) => data[to + c] = v as i8 as u8 ^ flip,
                    Output::I16(data) => data[to + c] = v as i16,
                    Output::I32(data) => data[to + c] = v,
                }
            }
        }
    }
}

fn positions(spec: &PoolSpec) -> impl Iterator<Item = (usize, usize)> + use<> {
    let (height, width) = (spec.output.height(), spec.output.width());
    (0..height).flat_map(move |y| (0..width).map(move |x| (y, x)))
}

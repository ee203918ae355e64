//! Maximum and average over windows of a stored grid.
//!
//! ```text
//! max:      y = maximum over the cells of the window that lie inside the input
//! average:  y = clamp((sum over these cells * M + 2^(s-1)) >> s, lo, hi)
//! ```
//!
//! Spec: operators, 2.14 and 2.15. All of it is plain Rust on blocks of sixteen bytes, which
//! compiles to vectors on every target; only the order of bytes depends on the kernel. The square of
//! two, which most networks use, has a path of its own.

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

/// Bytes that are compared at once.
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
    match kernel.flip() ^ 0x80 {
        0 => max_pool_blocks::<0>(spec, input, output),
        _ => max_pool_blocks::<0x80>(spec, input, output),
    }
}

/// Maximum over bytes combined with `FLIP` by exclusive or.
fn max_pool_blocks<const FLIP: u8>(spec: &PoolSpec, input: &[u8], output: &mut [u8]) {
    let channels = spec.input.channels();
    let is_square = spec.kernel == [2, 2] && spec.stride == [2, 2] && spec.pad == [0, 0];
    let is_inside = 2 * spec.output.height() <= spec.input.height()
        && 2 * spec.output.width() <= spec.input.width();
    if !(is_square && is_inside) {
        for (y, x) in positions(spec) {
            assert!(
                !spec.cells(0, y).is_empty() && !spec.cells(1, x).is_empty(),
                "pool: a window without cells"
            );
            let window = BytesUnder {
                spec,
                input,
                rows: spec.cells(0, y),
                columns: spec.cells(1, x),
            };
            let to = spec.output.index(y, x);
            let mut rest = &mut output[to..to + channels];
            let mut channel = 0;
            while !rest.is_empty() {
                let taken = match rest.len() {
                    64.. => window.max_of::<FLIP, 64>(channel, rest),
                    BLOCK..64 => window.max_of::<FLIP, BLOCK>(channel, rest),
                    _ => window.max_of::<FLIP, 1>(channel, rest),
                };
                channel += taken;
                rest = &mut rest[taken..];
            }
        }
        return;
    }
    let width = spec.output.width() * channels;
    for y in 0..spec.output.height() {
        let (top, bottom) = (spec.input.index(2 * y, 0), spec.input.index(2 * y + 1, 0));
        let rows = [
            &input[top..top + 2 * width],
            &input[bottom..bottom + 2 * width],
        ];
        let to = spec.output.index(y, 0);
        max_of_squares::<FLIP>(rows, channels, &mut output[to..to + width]);
    }
}

/// The cells of a window.
struct BytesUnder<'a> {
    spec: &'a PoolSpec,
    input: &'a [u8],
    rows: Range<usize>,
    columns: Range<usize>,
}

impl BytesUnder<'_> {
    /// Writes the maxima of `N` channels from `channel` on, which stay in registers; returns `N`.
    #[inline(always)]
    fn max_of<const FLIP: u8, const N: usize>(&self, channel: usize, output: &mut [u8]) -> usize {
        let step = self.spec.input.channels();
        let mut most = [0_u8; N];
        for row in self.rows.clone() {
            let first = self.spec.input.index(row, self.columns.start) + channel;
            let cells = &self.input[first..first + (self.columns.len() - 1) * step + N];
            for cell in 0..self.columns.len() {
                let cell = &cells[cell * step..cell * step + N];
                for (most, &x) in most.iter_mut().zip(cell) {
                    *most = (*most).max(x ^ FLIP);
                }
            }
        }
        for (y, &most) in output[..N].iter_mut().zip(&most) {
            *y = most ^ FLIP;
        }
        N
    }
}

/// Maximum over squares of two by two positions of `channels` bytes.
fn max_of_squares<const FLIP: u8>([top, bottom]: [&[u8]; 2], channels: usize, output: &mut [u8]) {
    let width = output.len();
    assert!(
        top.len() == 2 * width && bottom.len() == 2 * width,
        "pool: rows of a square"
    );
    assert!(width.is_multiple_of(channels), "pool: whole positions");
    let mut to = 0;
    let (above, below) = (top.as_ptr(), bottom.as_ptr());
    let y = output.as_mut_ptr();
    // A block of a position with few channels, of which what it writes too much comes later.
    while channels <= BLOCK && to + BLOCK <= width && 2 * to + channels + BLOCK <= 2 * width {
        let from = 2 * to;
        // SAFETY: the test above says that the blocks exist.
        unsafe {
            let read = |row: *const u8| row.cast::<[u8; BLOCK]>().read_unaligned();
            let corners = [
                read(above.add(from)),
                read(above.add(from + channels)),
                read(below.add(from)),
                read(below.add(from + channels)),
            ];
            let most = max_of_four::<FLIP, _>(corners);
            y.add(to).cast::<[u8; BLOCK]>().write_unaligned(most);
        }
        to += channels;
    }
    while to < width {
        let squares = Squares {
            top,
            bottom,
            from: 2 * to,
            channels,
        };
        squares.max_bytes::<FLIP>(&mut output[to..to + channels]);
        to += channels;
    }
}

/// Two by two positions whose first one is at `from` of both rows.
struct Squares<'a> {
    top: &'a [u8],
    bottom: &'a [u8],
    from: usize,
    channels: usize,
}

impl Squares<'_> {
    fn max_bytes<const FLIP: u8>(&self, output: &mut [u8]) {
        let (middle, end) = (self.from + self.channels, self.from + 2 * self.channels);
        let top = self.top[self.from..middle]
            .iter()
            .zip(&self.top[middle..end]);
        let bottom = self.bottom[self.from..middle]
            .iter()
            .zip(&self.bottom[middle..end]);
        for (y, ((&a, &b), (&c, &d))) in output.iter_mut().zip(top.zip(bottom)) {
            [*y] = max_of_four::<FLIP, _>([[a], [b], [c], [d]]);
        }
    }
}

#[inline(always)]
fn max_of_four<const FLIP: u8, const N: usize>([a, b, c, d]: [[u8; N]; 4]) -> [u8; N] {
    let mut most = [0; N];
    for i in 0..N {
        let top = (a[i] ^ FLIP).max(b[i] ^ FLIP);
        let bottom = (c[i] ^ FLIP).max(d[i] ^ FLIP);
        most[i] = top.max(bottom) ^ FLIP;
    }
    most
}

/// Maximum over stored elements of any ordered type.
///
/// # Panics
///
/// If a length is not that of the spec, or a window holds no cell.
pub fn max_pool<T: Copy + Ord>(spec: &PoolSpec, input: &[T], output: &mut [T]) {
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
                *y = (*y).max(x);
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
    spec.check(input.len(), output.len());
    assert!((1..=46).contains(&average.shift), "average pool: shift");
    let flip = kernel.flip();
    let rule = Rule {
        lo: average.lo,
        hi: average.hi,
        flip,
        raises: false,
        fits: false,
        table: None,
        factor_shift: None,
        factor_max: 0,
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
                let v = requantize(
                    i64::from(sum),
                    average.multiplier,
                    0,
                    0,
                    average.shift,
                    &rule,
                );
                output.put(flip, to + c, v);
            }
        }
    }
}

fn positions(spec: &PoolSpec) -> impl Iterator<Item = (usize, usize)> + use<> {
    let (height, width) = (spec.output.height(), spec.output.width());
    (0..height).flat_map(move |y| (0..width).map(move |x| (y, x)))
}

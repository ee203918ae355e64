//! Depthwise convolution of bytes: every output channel reads its own input channel, so channels lie in the
//! lanes of inputs and weights alike.
//!
//! ```text
//! acc[p][c] = bias[c] + sum over taps t of x[p * pixel_step + taps[t] + c] * w[t][c]
//! ```
//!
//! Four taps at a time are turned from `[4][LANES]` to `[LANES][4]`, the form of the products that
//! all other convolutions use. Groups with fewer taps have weight 0 for the missing ones. A window of
//! three by three is grouped by columns, so that a column that was turned for one position serves the
//! next ones. What is read behind the last channel is multiplied into lanes that nobody stores.

use crate::accumulate::Isa;
use crate::bytes::Bytes;

pub(crate) mod words;

/// Some positions of one vector of channels. The maker promises that every access of the formula
/// is inside an allocation, for all lanes of a vector.
#[derive(Clone, Copy)]
pub(crate) struct Depthwise<'a> {
    /// Stored input at the first channel of the window of the first position.
    pub(crate) input: *const u8,
    /// Bytes between the windows of neighbouring positions.
    pub(crate) pixel_step: usize,
    /// Taps, relative to the window, in whole groups of four.
    pub(crate) taps: &'a [[usize; 4]],
    /// Bytes between the columns of a window of three by three.
    pub(crate) column: Option<usize>,
    /// `[groups][LANES][4]`.
    pub(crate) weights: *const i8,
    /// Start values, `[LANES]`.
    pub(crate) bias: *const i32,
    /// Positions.
    pub(crate) pixels: usize,
    /// Sums from one position to the next, at least the lanes.
    pub(crate) sums_step: usize,
}

/// Computes `[pixels][sums_step]` sums, of which it writes `LANES` each.
///
/// # Safety
///
/// `I` is available, `t` keeps its promise, and `to` takes the sums.
#[inline(always)]
pub(crate) unsafe fn depthwise<I: Isa>(t: &Depthwise, to: *mut i32) {
    // SAFETY: the caller's promise covers every pointer below.
    unsafe {
        if let (Some(column), [[a, b, c, _], _, _]) = (t.column, t.taps) {
            let rows = [a, b, c].map(|&tap| t.input.wrapping_add(tap));
            if t.pixel_step == column {
                return three_by_three::<I, 1>(t, rows, column, to);
            }
            if t.pixel_step == 2 * column {
                return three_by_three::<I, 2>(t, rows, column, to);
            }
            return three_by_three::<I, 3>(t, rows, column, to);
        }
        let bias = I::load_sums(t.bias);
        for p in 0..t.pixels {
            let window = t.input.wrapping_add(p * t.pixel_step);
            let mut sums = bias;
            for (group, taps) in t.taps.iter().enumerate() {
                let weights = I::load_weights(t.weights.add(group * I::LANES * 4));
                let from = taps.map(|tap| window.wrapping_add(tap));
                sums = I::dot_spread(sums, I::spread(from), weights);
            }
            I::store_sums(sums, to.add(p * t.sums_step));
        }
    }
}

/// The same for nine taps in three `rows`, columns `column` elements apart, of which each position has
/// `NEW` that the one before it has not.
///
/// # Safety
///
/// As for [`depthwise`].
#[inline(always)]
unsafe fn three_by_three<I: Isa, const NEW: usize>(
    t: &Depthwise,
    rows: [*const u8; 3],
    column: usize,
    to: *mut i32,
) {
    // SAFETY: the caller's promise covers every pointer below.
    unsafe {
        let bias = I::load_sums(t.bias);
        let weights = [0, 1, 2].map(|group| I::load_weights(t.weights.add(group * I::LANES * 4)));
        let mut at = rows;
        let [mut a, mut b, mut c] = [
            I::spread(at),
            I::spread(columns_on(at, column)),
            I::spread(columns_on(at, 2 * column)),
        ];
        for p in 0..t.pixels {
            let sums = I::dot_spread(bias, a, weights[0]);
            let sums = I::dot_spread(sums, b, weights[1]);
            let sums = I::dot_spread(sums, c, weights[2]);
            I::store_sums(sums, to.add(p * t.sums_step));
            if p + 1 == t.pixels {
                break;
            }
            at = columns_on(at, t.pixel_step);
            match NEW {
                1 => (a, b) = (b, c),
                2 => (a, b) = (c, I::spread(columns_on(at, column))),
                _ => (a, b) = (I::spread(at), I::spread(columns_on(at, column))),
            }
            c = I::spread(columns_on(at, 2 * column));
        }
    }
}

/// The same rows, `offset` elements further.
#[inline(always)]
fn columns_on([a, b, c]: [*const u8; 3], offset: usize) -> [*const u8; 3] {
    [
        a.wrapping_add(offset),
        b.wrapping_add(offset),
        c.wrapping_add(offset),
    ]
}

/// The taps of each group of four, by their numbers in the window; a missing one is `None`.
pub(crate) fn groups(kernel: [usize; 2]) -> Vec<[Option<usize>; 4]> {
    if kernel == [3, 3] {
        return (0..3)
            .map(|j| [Some(j), Some(j + 3), Some(j + 6), None])
            .collect();
    }
    let count = kernel[0] * kernel[1];
    (0..count)
        .step_by(4)
        .map(|first| [0, 1, 2, 3].map(|i| Some(first + i).filter(|&tap| tap < count)))
        .collect()
}

/// Where the taps of the groups start, given where each tap does; a missing one is the first.
pub(crate) fn starts(groups: &[[Option<usize>; 4]], taps: &[usize]) -> Vec<[usize; 4]> {
    let start = |tap: Option<usize>| taps.get(tap.unwrap_or(0)).copied().unwrap_or_default();
    groups.iter().map(|group| group.map(start)).collect()
}

/// Packs `weights: [channels][taps]` to `[vector][group][lanes][4]`.
pub(crate) fn pack(weights: &[i8], kernel: [usize; 2], lanes: usize) -> Bytes {
    let (taps, groups) = (kernel[0] * kernel[1], groups(kernel));
    let channels = weights.len() / taps.max(1);
    let vectors = channels.div_ceil(lanes);
    let mut packed = Bytes::filled(vectors * groups.len() * lanes * 4, 0);
    let target = packed.as_mut_slice();
    for (channel, weights) in weights.chunks_exact(taps.max(1)).enumerate() {
        for (group, of_group) in groups.iter().enumerate() {
            let at = channel / lanes * groups.len() + group;
            let to = &mut target[(at * lanes + channel % lanes) * 4..][..4];
            for (to, &tap) in to.iter_mut().zip(of_group) {
                *to = tap.map_or(0, |tap| weights[tap] as u8);
            }
        }
    }
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tap_is_read_where_the_first_one_is() {
        assert_eq!(
            starts(&groups([1, 5]), &[7, 8, 9, 1, 2]),
            [[7, 8, 9, 1], [2, 7, 7, 7]]
        );
    }

    #[test]
    fn nine_taps_are_grouped_by_columns() {
        let taps = [0, 1, 2, 10, 11, 12, 20, 21, 22];
        assert_eq!(
            starts(&groups([3, 3]), &taps),
            [[0, 10, 20, 0], [1, 11, 21, 0], [2, 12, 22, 0]]
        );
    }

    #[test]
    fn each_channel_keeps_its_weights_in_its_lane() {
        let weights: Vec<i8> = (1..=15).collect();
        let packed = pack(&weights, [1, 5], 8);
        let at =
            |group: usize, lane: usize, tap: usize| packed.as_slice()[(group * 8 + lane) * 4 + tap];
        assert_eq!((at(0, 0, 0), at(0, 2, 3), at(1, 1, 0)), (1, 14, 10));
        assert_eq!((at(1, 1, 1), at(0, 3, 0)), (0, 0));
    }
}

//! Depthwise convolution: every output channel reads its own input channel, so channels lie in the
//! lanes of inputs and weights alike.
//!
//! ```text
//! acc[p][c] = bias[c] + sum over taps t of x[p * pixel_step + taps[t] + c] * w[t][c]
//! ```
//!
//! Four taps at a time are turned from `[4][LANES]` to `[LANES][4]`, the form of the products that
//! all other convolutions use. Taps are padded to whole groups by repeating the first one with
//! weight 0. What is read behind the last channel is multiplied into lanes that nobody stores.

use crate::accumulate::Isa;
use crate::bytes::Bytes;

/// Some positions of one vector of channels. The maker promises that every access of the formula
/// is inside an allocation, for all lanes of a vector.
#[derive(Clone, Copy)]
pub(crate) struct Depthwise<'a> {
    /// Stored input at the first channel of the window of the first position.
    pub(crate) input: *const u8,
    /// Elements between the windows of neighbouring positions.
    pub(crate) pixel_step: usize,
    /// Taps, relative to the window, in whole groups of four.
    pub(crate) taps: &'a [[usize; 4]],
    /// Elements between the columns of a window of three by three.
    pub(crate) column: Option<usize>,
    /// `[groups][LANES][4]`.
    pub(crate) weights: *const i8,
    /// Start values, `[LANES]`.
    pub(crate) bias: *const i32,
    /// Positions.
    pub(crate) pixels: usize,
}

/// Computes `[pixels][LANES]` sums.
///
/// # Safety
///
/// `I` is available, `t` keeps its promise, and `to` takes the sums.
#[inline(always)]
pub(crate) unsafe fn depthwise<I: Isa>(t: &Depthwise, to: *mut i32) {
    // SAFETY: the caller's promise covers every pointer below.
    unsafe {
        if let (Some(column), [a, b, _]) = (t.column, t.taps) {
            return three_by_three::<I>(t, [a[0], a[3], b[2]], column, to);
        }
        let bias = I::load_sums(t.bias);
        for p in 0..t.pixels {
            let window = t.input.wrapping_add(p * t.pixel_step);
            let mut sums = bias;
            for (group, taps) in t.taps.iter().enumerate() {
                let weights = I::load_weights(t.weights.add(group * I::LANES * 4));
                let from = taps.map(|tap| window.wrapping_add(tap));
                sums = I::dot_lanes(sums, from, weights);
            }
            I::store_sums(sums, to.add(p * I::LANES));
        }
    }
}

/// The same for nine taps in three `rows`, `column` elements apart: three addresses and a step stay
/// in registers, and so do the weights.
///
/// # Safety
///
/// As for [`depthwise`].
#[inline(always)]
unsafe fn three_by_three<I: Isa>(t: &Depthwise, rows: [usize; 3], column: usize, to: *mut i32) {
    // SAFETY: the caller's promise covers every pointer below.
    unsafe {
        let bias = I::load_sums(t.bias);
        let weights = [0, 1, 2].map(|group| I::load_weights(t.weights.add(group * I::LANES * 4)));
        let [mut a, mut b, mut c] = rows.map(|row| t.input.wrapping_add(row));
        let (one, two) = (column, 2 * column);
        for p in 0..t.pixels {
            let first = [a, a.wrapping_add(one), a.wrapping_add(two), b];
            let second = [
                b.wrapping_add(one),
                b.wrapping_add(two),
                c,
                c.wrapping_add(one),
            ];
            let last = c.wrapping_add(two);
            let sums = I::dot_lanes(bias, first, weights[0]);
            let sums = I::dot_lanes(sums, second, weights[1]);
            let sums = I::dot_lanes(sums, [last; 4], weights[2]);
            I::store_sums(sums, to.add(p * I::LANES));
            [a, b, c] = [a, b, c].map(|row| row.wrapping_add(t.pixel_step));
        }
    }
}

/// Cuts taps into groups of four.
pub(crate) fn groups_of_four(taps: &[usize]) -> Vec<[usize; 4]> {
    let first = taps.first().copied().unwrap_or_default();
    let group = |four: &[usize]| {
        let mut group = [first; 4];
        group[..four.len()].copy_from_slice(four);
        group
    };
    taps.chunks(4).map(group).collect()
}

/// Packs `weights: [channels][taps]` to `[vector][group][lanes][4]`.
pub(crate) fn pack(weights: &[i8], taps: usize, lanes: usize) -> Bytes {
    let groups = taps.div_ceil(4);
    let channels = weights.len() / taps.max(1);
    let mut packed = Bytes::filled(channels.div_ceil(lanes) * groups * lanes * 4, 0);
    let target = packed.as_mut_slice();
    for (channel, weights) in weights.chunks_exact(taps.max(1)).enumerate() {
        for (tap, &w) in weights.iter().enumerate() {
            let group = channel / lanes * groups + tap / 4;
            target[(group * lanes + channel % lanes) * 4 + tap % 4] = w as u8;
        }
    }
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn taps_are_padded_with_the_first_one() {
        assert_eq!(
            groups_of_four(&[7, 8, 9, 1, 2]),
            [[7, 8, 9, 1], [2, 7, 7, 7]]
        );
    }

    #[test]
    fn each_channel_keeps_its_weights_in_its_lane() {
        let weights: Vec<i8> = (1..=15).collect();
        let packed = pack(&weights, 5, 8);
        let at =
            |group: usize, lane: usize, tap: usize| packed.as_slice()[(group * 8 + lane) * 4 + tap];
        assert_eq!((at(0, 0, 0), at(0, 2, 3), at(1, 1, 0)), (1, 14, 10));
        assert_eq!((at(1, 1, 1), at(0, 3, 0)), (0, 0));
    }
}

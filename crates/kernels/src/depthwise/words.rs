//! Depthwise convolution of inputs of 16 bits, two vectors of channels at a time.
//!
//! ```text
//! acc[p][c] = bias[c] + sum over pairs (s, t) of taps of
//!             x[p * pixel_step + s + c] * w[s][c] + x[p * pixel_step + t + c] * w[t][c]
//! ```
//!
//! The words of two taps are interleaved within parts of 128 bits, which is one instruction for each
//! vector and leaves its lanes in an order of their own ([`channel_of`]): weights are packed in it, and
//! sums return from it when they are stored. An odd last tap is paired with itself, at weight 0.
//!
//! The sums have 32 bits: [`fits`] says for which nodes that is enough.

use crate::accumulate::Isa;
use crate::bytes::Words;

/// Lanes of 32 bits in a part of 128.
const PART: usize = 4;

/// Some positions of two vectors of channels. The maker promises that every access of the formula is
/// inside an allocation, for all lanes of both vectors.
#[derive(Clone, Copy)]
pub(crate) struct DepthwiseWords<'a> {
    /// Stored input at the first channel of the window of the first position.
    pub(crate) input: *const u8,
    /// Bytes between the windows of neighbouring positions.
    pub(crate) pixel_step: usize,
    /// Pairs of taps, in bytes, relative to the window.
    pub(crate) taps: &'a [[usize; 2]],
    /// `[pairs][2][LANES][2]`, in the order of interleaved words.
    pub(crate) weights: *const i16,
    /// Start values of each vector, `[LANES]`.
    pub(crate) bias: [*const i32; 2],
    /// Positions.
    pub(crate) pixels: usize,
    /// Vectors whose sums are wanted, one or two: the sums of a position lie behind those of the one
    /// before it.
    pub(crate) vectors: usize,
}

/// The operations on words that an instruction set has beside those on bytes.
///
/// # Safety
///
/// As for [`Isa`].
pub(crate) unsafe trait Interleave: Isa {
    /// Two words in each lane.
    type Pairs: Copy;

    /// Interleaves the `2 * LANES` words behind two addresses.
    unsafe fn interleave(words: [*const u8; 2]) -> [Self::Pairs; 2];
    /// Reads two words for each lane.
    unsafe fn load_pairs(from: *const i16) -> Self::Pairs;
    /// Adds two products of each lane.
    unsafe fn dot_pairs(sums: Self::Sums, x: Self::Pairs, w: Self::Pairs) -> Self::Sums;
    /// From the order of interleaved words to that of channels.
    unsafe fn in_order(sums: [Self::Sums; 2]) -> [Self::Sums; 2];
    /// Back.
    unsafe fn interleaved(sums: [Self::Sums; 2]) -> [Self::Sums; 2];
}

/// The channel, counted from the first of two vectors, whose words interleaving leaves in `lane` of
/// `vector`.
pub(crate) const fn channel_of(vector: usize, lane: usize) -> usize {
    lane / PART * 2 * PART + vector * PART + lane % PART
}

/// Computes `[pixels][vectors][LANES]` sums.
///
/// # Safety
///
/// `I` is available, `t` keeps its promise, and `to` takes the sums.
#[inline(always)]
pub(crate) unsafe fn depthwise_words<I: Interleave>(t: &DepthwiseWords, to: *mut i32) {
    // Five pairs are a window of three by three, whose weights stay in registers.
    // SAFETY: the caller's promise, passed on.
    unsafe {
        if let Ok(taps) = <&[[usize; 2]; 5]>::try_from(t.taps) {
            positions::<I, [[usize; 2]; 5]>(t, taps, to);
        } else {
            positions::<I, [[usize; 2]]>(t, t.taps, to);
        }
    }
}

/// # Safety
///
/// As for [`depthwise_words`]; `taps` are those of `t`.
#[inline(always)]
unsafe fn positions<I: Interleave, T: AsRef<[[usize; 2]]> + ?Sized>(
    t: &DepthwiseWords,
    taps: &T,
    to: *mut i32,
) {
    // SAFETY: the caller's promise covers every pointer below.
    unsafe {
        let bias = I::interleaved(t.bias.map(|from| I::load_sums(from)));
        for p in 0..t.pixels {
            let window = t.input.wrapping_add(p * t.pixel_step);
            let mut sums = bias;
            for (pair, taps) in taps.as_ref().iter().enumerate() {
                let x = I::interleave(taps.map(|tap| window.wrapping_add(tap)));
                for (vector, (sum, x)) in sums.iter_mut().zip(x).enumerate() {
                    let w = t.weights.add((2 * pair + vector) * 2 * I::LANES);
                    *sum = I::dot_pairs(*sum, x, I::load_pairs(w));
                }
            }
            let to = to.add(p * t.vectors * I::LANES);
            let [first, second] = I::in_order(sums);
            I::store_sums(first, to);
            if t.vectors == 2 {
                I::store_sums(second, to.add(I::LANES));
            }
        }
    }
}

/// Whether the sums of every channel fit 32 bits, given `weights: [channels][taps]` and what the sums
/// begin with.
pub(crate) fn fits(weights: &[i8], taps: usize, mut bias: impl Iterator<Item = i32>) -> bool {
    weights.chunks_exact(taps.max(1)).all(|weights| {
        let magnitude: i64 = weights.iter().map(|&w| i64::from(w).abs()).sum();
        let bias = bias.next().map_or(0, |bias| i64::from(bias).abs());
        (magnitude << 15) + bias < 1 << 31
    })
}

/// Pairs of taps, given where each starts.
pub(crate) fn pairs(taps: &[usize]) -> Vec<[usize; 2]> {
    let pair = |pair: &[usize]| [pair[0], pair.get(1).copied().unwrap_or(pair[0])];
    taps.chunks(2).map(pair).collect()
}

/// Packs `weights: [channels][taps]` to `[two vectors][pairs][2][lanes][2]`.
pub(crate) fn pack(weights: &[i8], taps: usize, lanes: usize) -> Words {
    let taps = taps.max(1);
    let (channels, pairs) = (weights.len() / taps, taps.div_ceil(2));
    let both = 2 * lanes;
    let mut packed = Words::filled(channels.div_ceil(both) * pairs * both * 2, 0);
    for (block, to) in packed.chunks_exact_mut(pairs * both * 2).enumerate() {
        for (at, to) in to.chunks_exact_mut(2).enumerate() {
            let (pair, vector, lane) = (at / both, at / lanes % 2, at % lanes);
            let channel = block * both + channel_of(vector, lane);
            let weights = weights.chunks_exact(taps).nth(channel);
            let weights = weights.and_then(|weights| weights.chunks(2).nth(pair));
            for (to, &w) in to.iter_mut().zip(weights.unwrap_or_default()) {
                *to = i16::from(w);
            }
        }
    }
    packed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_tap_is_read_twice_and_counted_once() {
        assert_eq!(pairs(&[7, 8, 9]), [[7, 8], [9, 9]]);
        let packed = pack(&[1, 2, 3], 3, 4);
        assert_eq!(packed[..2], [1, 2]);
        assert_eq!(packed[16..18], [3, 0]);
        assert_eq!(packed.iter().filter(|&&w| w != 0).count(), 3);
    }

    #[test]
    fn each_channel_has_its_weights_in_the_lane_of_its_words() {
        let weights: Vec<i8> = (1..=34).collect();
        let packed = pack(&weights, 2, 8);
        for (channel, vector, lane) in [(0, 0, 0), (4, 1, 0), (9, 0, 5), (15, 1, 7)] {
            let at = (vector * 8 + lane) * 2;
            let want = [2 * channel + 1, 2 * channel + 2];
            assert_eq!(packed[at..at + 2], want, "channel {channel}");
            assert_eq!(channel_of(vector, lane), channel as usize);
        }
        assert_eq!(
            packed[32..34],
            [33, 34],
            "the first of the next two vectors"
        );
    }

    #[test]
    fn sums_at_the_edge_of_32_bits_are_told_from_those_beyond() {
        let most = |bias: i32| fits(&[127; 4], 2, [0, bias].into_iter());
        let room = (1_i64 << 31) - (254 << 15);
        assert!(most(room as i32 - 1) && !most(room as i32));
        assert!(!fits(&[127; 600], 600, [0].into_iter()));
    }
}

//! AVX2 twins of [`super::pair512`].

use core::arch::x86_64::{
    __m128i, __m256i, _mm_cvtsi32_si128, _mm256_add_epi32, _mm256_madd_epi16, _mm256_max_epu16,
    _mm256_min_epu16, _mm256_packs_epi32, _mm256_packus_epi32, _mm256_set1_epi16,
    _mm256_set1_epi32, _mm256_sra_epi32, _mm256_storeu_si256, _mm256_unpackhi_epi16,
    _mm256_unpacklo_epi16,
};

use super::words256::{Bytes, TOGETHER, Words, load};
use crate::function::Exponential;
use crate::function::plain::exponential;
use crate::pointwise::pairs::{Operands, Pair, Second};

/// A pair in vectors.
struct Constants {
    multipliers: __m256i,
    half: __m256i,
    shift: __m128i,
}

impl Constants {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(pair: &Pair) -> Self {
        Self {
            multipliers: _mm256_set1_epi32(pair.multipliers),
            half: _mm256_set1_epi32(pair.half),
            shift: _mm_cvtsi32_si128(pair.s as i32),
        }
    }

    /// The shifted sums of the elements 0 to 3 of each group of eight, then those of 4 to 7.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn sums(&self, x: __m256i, y: __m256i) -> [__m256i; 2] {
        [_mm256_unpacklo_epi16(x, y), _mm256_unpackhi_epi16(x, y)].map(|both| {
            let sum = _mm256_add_epi32(_mm256_madd_epi16(both, self.multipliers), self.half);
            _mm256_sra_epi32(sum, self.shift)
        })
    }
}

/// Hands over the shifted sums of every vector with the place of its first element.
#[inline]
#[target_feature(enable = "avx2")]
fn each(pair: &Pair, operands: &Operands, mut take: impl FnMut(usize, [__m256i; 2])) {
    let constants = Constants::new(pair);
    let columns = operands.columns;
    for (row, x) in operands.x.chunks_exact(columns).enumerate() {
        let second = operands.second(row);
        let vectors = (0..columns).step_by(TOGETHER);
        for at in vectors.map(|at| at.min(columns - TOGETHER)) {
            let y = match second {
                Second::Each(y) => load(y, at),
                Second::One(y) => _mm256_set1_epi16(y),
            };
            take(row * columns + at, constants.sums(load(x, at), y));
        }
    }
}

/// Stores words.
#[target_feature(enable = "avx2")]
pub(crate) fn words(pair: &Pair, operands: &Operands, to: &mut [i16]) {
    let clamp = Words::new(pair.lo, pair.hi);
    each(pair, operands, |at, sums| {
        clamp.put(_mm256_packs_epi32(sums[0], sums[1]), to, at);
    });
}

/// Stores bytes, flipped.
#[target_feature(enable = "avx2")]
pub(crate) fn bytes(pair: &Pair, flip: u8, operands: &Operands, to: &mut [u8]) {
    let clamp = Bytes::new(pair.lo, pair.hi, flip);
    each(pair, operands, |at, sums| {
        clamp.put(_mm256_packs_epi32(sums[0], sums[1]), to, at);
    });
}

/// Stores the exponentials of clamped sums, which lie in 0..2^16. The tables stay in the first cache: two
/// loads for each element cost no more than the gathers of this set.
#[target_feature(enable = "avx2")]
pub(crate) fn exponentials(pair: &Pair, table: &Exponential, operands: &Operands, to: &mut [i16]) {
    let (lo, hi) = (
        _mm256_set1_epi16(pair.lo as u16 as i16),
        _mm256_set1_epi16(pair.hi as u16 as i16),
    );
    each(pair, operands, |at, sums| {
        let v = _mm256_packus_epi32(sums[0], sums[1]);
        let v = _mm256_min_epu16(_mm256_max_epu16(v, lo), hi);
        let mut clamped = [0_u16; TOGETHER];
        // SAFETY: room for 32 bytes.
        unsafe { _mm256_storeu_si256(clamped.as_mut_ptr().cast(), v) };
        for (to, v) in to[at..at + TOGETHER].iter_mut().zip(clamped) {
            *to = exponential(table, v.into()) as i16;
        }
    });
}

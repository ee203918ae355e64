//! AVX-512: [`crate::pointwise::pairs`].
//!
//! Interleaving two vectors of words, multiplying and packing them again leaves every element at its
//! place; packing saturates, which keeps the order of values, so that the clamp that follows is that of
//! the wide value. The last vector of a row may overlap the one before.

use core::arch::x86_64::{
    __m128i, __m512i, _mm_cvtsi32_si128, _mm512_add_epi32, _mm512_madd_epi16, _mm512_max_epu16,
    _mm512_min_epu16, _mm512_packs_epi32, _mm512_packus_epi32, _mm512_set1_epi16,
    _mm512_set1_epi32, _mm512_sra_epi32, _mm512_unpackhi_epi16, _mm512_unpacklo_epi16,
};

use super::gather::avx512::ExponentialParts;
use super::words512::{Bytes, TOGETHER, Words, load, store};
use crate::function::Exponential;
use crate::pointwise::pairs::{Operands, Pair, Second};

/// A pair in vectors.
struct Constants {
    multipliers: __m512i,
    half: __m512i,
    shift: __m128i,
}

impl Constants {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn new(pair: &Pair) -> Self {
        Self {
            multipliers: _mm512_set1_epi32(pair.multipliers),
            half: _mm512_set1_epi32(pair.half),
            shift: _mm_cvtsi32_si128(pair.s as i32),
        }
    }

    /// The shifted sums of the elements 0 to 3 of each group of eight, then those of 4 to 7.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn sums(&self, x: __m512i, y: __m512i) -> [__m512i; 2] {
        [_mm512_unpacklo_epi16(x, y), _mm512_unpackhi_epi16(x, y)].map(|both| {
            let sum = _mm512_add_epi32(_mm512_madd_epi16(both, self.multipliers), self.half);
            _mm512_sra_epi32(sum, self.shift)
        })
    }
}

/// Hands over the shifted sums of every vector with the place of its first element.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn each(pair: &Pair, operands: &Operands, mut take: impl FnMut(usize, [__m512i; 2])) {
    let constants = Constants::new(pair);
    let columns = operands.columns;
    for (row, x) in operands.x.chunks_exact(columns).enumerate() {
        let second = operands.second(row);
        let vectors = (0..columns).step_by(TOGETHER);
        for at in vectors.map(|at| at.min(columns - TOGETHER)) {
            let y = match second {
                Second::Each(y) => load(y, at),
                Second::One(y) => _mm512_set1_epi16(y),
            };
            take(row * columns + at, constants.sums(load(x, at), y));
        }
    }
}

/// Stores words.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(crate) fn words(pair: &Pair, operands: &Operands, to: &mut [i16]) {
    let clamp = Words::new(pair.lo, pair.hi);
    each(pair, operands, |at, sums| {
        clamp.put(_mm512_packs_epi32(sums[0], sums[1]), to, at);
    });
}

/// Stores bytes, flipped.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(crate) fn bytes(pair: &Pair, flip: u8, operands: &Operands, to: &mut [u8]) {
    let clamp = Bytes::new(pair.lo, pair.hi, flip);
    each(pair, operands, |at, sums| {
        clamp.put(_mm512_packs_epi32(sums[0], sums[1]), to, at);
    });
}

/// Stores the exponentials of clamped sums, which lie in 0..2^16.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(crate) fn exponentials(pair: &Pair, table: &Exponential, operands: &Operands, to: &mut [i16]) {
    let parts = ExponentialParts::new(table);
    let (lo, hi) = (
        _mm512_set1_epi16(pair.lo as u16 as i16),
        _mm512_set1_epi16(pair.hi as u16 as i16),
    );
    each(pair, operands, |at, sums| {
        let v = _mm512_packus_epi32(sums[0], sums[1]);
        let y = parts.of(_mm512_min_epu16(_mm512_max_epu16(v, lo), hi));
        store(y, to, at);
    });
}

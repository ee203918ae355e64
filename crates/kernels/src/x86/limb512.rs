//! AVX-512: [`crate::pointwise::limbs`].
//!
//! Interleaving two vectors of words, multiplying and packing them again leaves every element at its
//! place; packing saturates, which keeps the order of values, so that the clamp that follows is that of
//! the wide value. The last vector of a row may overlap the one before.

use core::arch::x86_64::{
    __m128i, __m512i, _mm_cvtsi32_si128, _mm512_add_epi32, _mm512_madd_epi16, _mm512_mulhi_epi16,
    _mm512_packs_epi32, _mm512_set1_epi16, _mm512_set1_epi32, _mm512_sra_epi32, _mm512_srai_epi32,
    _mm512_unpackhi_epi16, _mm512_unpacklo_epi16,
};

use super::words512::{Bytes, TOGETHER, Words, load};
use crate::pointwise::limbs::Limbs;

/// Limbs in vectors: the lowest alone, those above it with a 1 for what comes from below.
struct Constants {
    low: __m512i,
    middle: __m512i,
    top: __m512i,
    half: __m512i,
    shift: __m128i,
}

impl Constants {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn new(limbs: &Limbs) -> Self {
        let with_one = |limb: i16| _mm512_set1_epi32(i32::from(limb) & 0xffff | 1 << 16);
        let [low, middle, top] = limbs.parts;
        Self {
            low: _mm512_set1_epi16(low),
            middle: with_one(middle),
            top: with_one(top),
            half: _mm512_set1_epi32(limbs.half),
            shift: _mm_cvtsi32_si128(limbs.shift as i32),
        }
    }

    /// Shifted values, saturated to words.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    fn saturated(&self, x: __m512i) -> __m512i {
        let both = |below| {
            [
                _mm512_unpacklo_epi16(x, below),
                _mm512_unpackhi_epi16(x, below),
            ]
        };
        let [a, b] = both(_mm512_mulhi_epi16(x, self.low))
            .map(|both| _mm512_srai_epi32::<16>(_mm512_madd_epi16(both, self.middle)));
        let [a, b] = both(_mm512_packs_epi32(a, b)).map(|both| {
            let sum = _mm512_add_epi32(_mm512_madd_epi16(both, self.top), self.half);
            _mm512_sra_epi32(sum, self.shift)
        });
        _mm512_packs_epi32(a, b)
    }
}

/// Hands over the values of every vector of a row with the place of its first element.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn each(limbs: &Limbs, x: &[i16], mut take: impl FnMut(usize, __m512i)) {
    let constants = Constants::new(limbs);
    let vectors = (0..x.len()).step_by(TOGETHER);
    for at in vectors.map(|at| at.min(x.len() - TOGETHER)) {
        take(at, constants.saturated(load(x, at)));
    }
}

/// Stores a row of words.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(crate) fn words(limbs: &Limbs, x: &[i16], to: &mut [i16]) {
    let clamp = Words::new(limbs.lo, limbs.hi);
    each(limbs, x, |at, y| clamp.put(y, to, at));
}

/// Stores a row of bytes, flipped.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(crate) fn bytes(limbs: &Limbs, flip: u8, x: &[i16], to: &mut [u8]) {
    let clamp = Bytes::new(limbs.lo, limbs.hi, flip);
    each(limbs, x, |at, y| clamp.put(y, to, at));
}

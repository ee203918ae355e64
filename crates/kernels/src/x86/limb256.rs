//! AVX2 twins of [`super::limb512`].

use core::arch::x86_64::{
    __m128i, __m256i, _mm_cvtsi32_si128, _mm256_add_epi32, _mm256_madd_epi16, _mm256_mulhi_epi16,
    _mm256_packs_epi32, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_sra_epi32, _mm256_srai_epi32,
    _mm256_unpackhi_epi16, _mm256_unpacklo_epi16,
};

use super::words256::{Bytes, TOGETHER, Words, load};
use crate::pointwise::limbs::Limbs;

/// Limbs in vectors: the lowest alone, those above it with a 1 for what comes from below.
struct Constants {
    low: __m256i,
    middle: __m256i,
    top: __m256i,
    half: __m256i,
    shift: __m128i,
}

impl Constants {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(limbs: &Limbs) -> Self {
        let with_one = |limb: i16| _mm256_set1_epi32(i32::from(limb) & 0xffff | 1 << 16);
        let [low, middle, top] = limbs.parts;
        Self {
            low: _mm256_set1_epi16(low),
            middle: with_one(middle),
            top: with_one(top),
            half: _mm256_set1_epi32(limbs.half),
            shift: _mm_cvtsi32_si128(limbs.shift as i32),
        }
    }

    /// Shifted values, saturated to words.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn saturated(&self, x: __m256i) -> __m256i {
        let both = |below| {
            [
                _mm256_unpacklo_epi16(x, below),
                _mm256_unpackhi_epi16(x, below),
            ]
        };
        let [a, b] = both(_mm256_mulhi_epi16(x, self.low))
            .map(|both| _mm256_srai_epi32::<16>(_mm256_madd_epi16(both, self.middle)));
        let [a, b] = both(_mm256_packs_epi32(a, b)).map(|both| {
            let sum = _mm256_add_epi32(_mm256_madd_epi16(both, self.top), self.half);
            _mm256_sra_epi32(sum, self.shift)
        });
        _mm256_packs_epi32(a, b)
    }
}

/// Hands over the values of every vector of a row with the place of its first element.
#[inline]
#[target_feature(enable = "avx2")]
fn each(limbs: &Limbs, x: &[i16], mut take: impl FnMut(usize, __m256i)) {
    let constants = Constants::new(limbs);
    let vectors = (0..x.len()).step_by(TOGETHER);
    for at in vectors.map(|at| at.min(x.len() - TOGETHER)) {
        take(at, constants.saturated(load(x, at)));
    }
}

/// Stores a row of words.
#[target_feature(enable = "avx2")]
pub(crate) fn words(limbs: &Limbs, x: &[i16], to: &mut [i16]) {
    let clamp = Words::new(limbs.lo, limbs.hi);
    each(limbs, x, |at, y| clamp.put(y, to, at));
}

/// Stores a row of bytes, flipped.
#[target_feature(enable = "avx2")]
pub(crate) fn bytes(limbs: &Limbs, flip: u8, x: &[i16], to: &mut [u8]) {
    let clamp = Bytes::new(limbs.lo, limbs.hi, flip);
    each(limbs, x, |at, y| clamp.put(y, to, at));
}

//! AVX-512: [`crate::pointwise::limbs`].
//!
//! Interleaving two vectors of words, multiplying and packing them again leaves every element at its
//! place; packing saturates, which keeps the order of values, so that the clamp that follows is that of
//! the wide value. The last vector of a row may overlap the one before.

use core::arch::x86_64::{
    __m128i, __m512i, _mm_cvtsi32_si128, _mm256_max_epi8, _mm256_min_epi8, _mm256_set1_epi8,
    _mm256_storeu_si256, _mm256_xor_si256, _mm512_add_epi32, _mm512_cvtsepi16_epi8,
    _mm512_loadu_si512, _mm512_madd_epi16, _mm512_max_epi16, _mm512_min_epi16, _mm512_mulhi_epi16,
    _mm512_packs_epi32, _mm512_set1_epi16, _mm512_set1_epi32, _mm512_sra_epi32, _mm512_srai_epi32,
    _mm512_storeu_si512, _mm512_unpackhi_epi16, _mm512_unpacklo_epi16,
};

use crate::pointwise::limbs::Limbs;
use crate::pointwise::pairs::COLUMNS_MIN;

/// Elements that are made together.
const TOGETHER: usize = 32;
const _: () = assert!(TOGETHER <= COLUMNS_MIN);

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
    #[target_feature(enable = "avx512f,avx512bw")]
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
    #[target_feature(enable = "avx512f,avx512bw")]
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
#[target_feature(enable = "avx512f,avx512bw")]
fn each(limbs: &Limbs, x: &[i16], mut take: impl FnMut(usize, __m512i)) {
    let constants = Constants::new(limbs);
    let vectors = (0..x.len()).step_by(TOGETHER);
    for at in vectors.map(|at| at.min(x.len() - TOGETHER)) {
        let from = &x[at..at + TOGETHER];
        // SAFETY: 64 readable bytes.
        let from = unsafe { _mm512_loadu_si512(from.as_ptr().cast()) };
        take(at, constants.saturated(from));
    }
}

/// Stores a row of words.
#[target_feature(enable = "avx512f,avx512bw")]
pub(crate) fn words(limbs: &Limbs, x: &[i16], to: &mut [i16]) {
    let (lo, hi) = (
        _mm512_set1_epi16(limbs.lo as i16),
        _mm512_set1_epi16(limbs.hi as i16),
    );
    each(limbs, x, |at, y| {
        let y = _mm512_min_epi16(_mm512_max_epi16(y, lo), hi);
        let to = &mut to[at..at + TOGETHER];
        // SAFETY: room for 64 bytes.
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), y) };
    });
}

/// Stores a row of bytes, flipped.
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(crate) fn bytes(limbs: &Limbs, flip: u8, x: &[i16], to: &mut [u8]) {
    let (lo, hi) = (
        _mm256_set1_epi8(limbs.lo as i8),
        _mm256_set1_epi8(limbs.hi as i8),
    );
    let flip = _mm256_set1_epi8(flip as i8);
    each(limbs, x, |at, y| {
        let y = _mm512_cvtsepi16_epi8(y);
        let y = _mm256_min_epi8(_mm256_max_epi8(y, lo), hi);
        let to = &mut to[at..at + TOGETHER];
        // SAFETY: room for 32 bytes.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), _mm256_xor_si256(y, flip)) };
    });
}

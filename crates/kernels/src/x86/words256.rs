//! AVX2 twins of [`super::words512`].

use core::arch::x86_64::{
    __m128i, __m256i, _mm_max_epi8, _mm_min_epi8, _mm_set1_epi8, _mm_storeu_si128, _mm_xor_si128,
    _mm256_castsi256_si128, _mm256_loadu_si256, _mm256_max_epi16, _mm256_min_epi16,
    _mm256_packs_epi16, _mm256_permute4x64_epi64, _mm256_set1_epi16, _mm256_storeu_si256,
};

use crate::pointwise::pairs::COLUMNS_MIN;

/// Elements that are made together.
pub(super) const TOGETHER: usize = 16;
const _: () = assert!(TOGETHER <= COLUMNS_MIN);

/// Elements `at..at + TOGETHER`.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn load(from: &[i16], at: usize) -> __m256i {
    let from = &from[at..at + TOGETHER];
    // SAFETY: 32 readable bytes.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

/// Writes words as they are.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn store(y: __m256i, to: &mut [i16], at: usize) {
    let to = &mut to[at..at + TOGETHER];
    // SAFETY: room for 32 bytes.
    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), y) };
}

/// The clamp of words.
pub(super) struct Words([__m256i; 2]);

impl Words {
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn new(lo: i32, hi: i32) -> Self {
        Self([lo, hi].map(|bound| _mm256_set1_epi16(bound as i16)))
    }

    /// Clamps and writes.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn put(&self, y: __m256i, to: &mut [i16], at: usize) {
        let y = _mm256_min_epi16(_mm256_max_epi16(y, self.0[0]), self.0[1]);
        store(y, to, at);
    }
}

/// The clamp of bytes, and the bits that are flipped in them.
pub(super) struct Bytes {
    clamp: [__m128i; 2],
    flip: __m128i,
}

impl Bytes {
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn new(lo: i32, hi: i32, flip: u8) -> Self {
        Self {
            clamp: [lo, hi].map(|bound| _mm_set1_epi8(bound as i8)),
            flip: _mm_set1_epi8(flip as i8),
        }
    }

    /// Clamps and writes.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn put(&self, y: __m256i, to: &mut [u8], at: usize) {
        // The bytes of either half lie in the first quarter of it.
        let packed = _mm256_permute4x64_epi64::<0b00_00_10_00>(_mm256_packs_epi16(y, y));
        let y = _mm_max_epi8(_mm256_castsi256_si128(packed), self.clamp[0]);
        let y = _mm_xor_si128(_mm_min_epi8(y, self.clamp[1]), self.flip);
        let to = &mut to[at..at + TOGETHER];
        // SAFETY: room for 16 bytes.
        unsafe { _mm_storeu_si128(to.as_mut_ptr().cast(), y) };
    }
}

//! AVX-512: words of 16 bits, clamped and put to their places, as words or as bytes.
//!
//! Packing to words saturates, which keeps the order of values, so that a clamp of packed values is that of
//! the wide ones.

use core::arch::x86_64::{
    __m256i, __m512i, _mm256_max_epi8, _mm256_min_epi8, _mm256_set1_epi8, _mm256_storeu_si256,
    _mm256_xor_si256, _mm512_cvtsepi16_epi8, _mm512_loadu_si512, _mm512_max_epi16,
    _mm512_min_epi16, _mm512_set1_epi16, _mm512_storeu_si512,
};

use crate::pointwise::pairs::COLUMNS_MIN;

/// Elements that are made together.
pub(super) const TOGETHER: usize = 32;
const _: () = assert!(TOGETHER <= COLUMNS_MIN);

/// Elements `at..at + TOGETHER`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn load(from: &[i16], at: usize) -> __m512i {
    let from = &from[at..at + TOGETHER];
    // SAFETY: 64 readable bytes.
    unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
}

/// Writes words as they are.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
pub(super) fn store(y: __m512i, to: &mut [i16], at: usize) {
    let to = &mut to[at..at + TOGETHER];
    // SAFETY: room for 64 bytes.
    unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), y) };
}

/// The clamp of words.
pub(super) struct Words([__m512i; 2]);

impl Words {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    pub(super) fn new(lo: i32, hi: i32) -> Self {
        Self([lo, hi].map(|bound| _mm512_set1_epi16(bound as i16)))
    }

    /// Clamps and writes.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    pub(super) fn put(&self, y: __m512i, to: &mut [i16], at: usize) {
        let y = _mm512_min_epi16(_mm512_max_epi16(y, self.0[0]), self.0[1]);
        store(y, to, at);
    }
}

/// The clamp of bytes, and the bits that are flipped in them.
pub(super) struct Bytes {
    clamp: [__m256i; 2],
    flip: __m256i,
}

impl Bytes {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    pub(super) fn new(lo: i32, hi: i32, flip: u8) -> Self {
        Self {
            clamp: [lo, hi].map(|bound| _mm256_set1_epi8(bound as i8)),
            flip: _mm256_set1_epi8(flip as i8),
        }
    }

    /// Clamps and writes.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    pub(super) fn put(&self, y: __m512i, to: &mut [u8], at: usize) {
        let y = _mm256_max_epi8(_mm512_cvtsepi16_epi8(y), self.clamp[0]);
        let y = _mm256_xor_si256(_mm256_min_epi8(y, self.clamp[1]), self.flip);
        let to = &mut to[at..at + TOGETHER];
        // SAFETY: room for 32 bytes.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), y) };
    }
}

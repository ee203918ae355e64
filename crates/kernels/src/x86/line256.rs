//! AVX2 twins of [`super::line512`]: `clamp((x*m + c) >> s)` of elements of 16 bits.
//!
//! Values are known to fit 32 bits when they are shifted, so the shift is that of
//! [`super::finish256`].

use core::arch::x86_64::{
    __m256i, _mm_loadu_si128, _mm256_add_epi64, _mm256_cvtepi16_epi32, _mm256_max_epi8,
    _mm256_max_epi16, _mm256_min_epi8, _mm256_min_epi16, _mm256_mul_epi32, _mm256_packs_epi16,
    _mm256_packs_epi32, _mm256_permute4x64_epi64, _mm256_permutevar8x32_epi32, _mm256_set1_epi8,
    _mm256_set1_epi16, _mm256_set1_epi32, _mm256_set1_epi64x, _mm256_setr_epi32,
    _mm256_shuffle_epi32, _mm256_storeu_si256, _mm256_xor_si256,
};

use super::finish256::Shift;
use crate::pointwise::lines::Line;

/// Elements that are made together.
const TOGETHER: usize = 32;

/// A line in vectors.
struct Constants {
    m: __m256i,
    c: __m256i,
    shift: Shift,
}

impl Constants {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(line: &Line) -> Self {
        Self {
            m: _mm256_set1_epi32(line.m),
            c: _mm256_set1_epi64x(line.c),
            shift: Shift::new(_mm256_set1_epi32(line.s as i32)),
        }
    }

    /// `(x*m + c) >> s` of the eight elements from `at` on.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn shifted(&self, x: &[i16; TOGETHER], at: usize) -> __m256i {
        let x: &[i16; 8] = &x.as_chunks().0[at / 8];
        // SAFETY: sixteen readable bytes.
        let x = _mm256_cvtepi16_epi32(unsafe { _mm_loadu_si128(x.as_ptr().cast()) });
        let odd = _mm256_shuffle_epi32::<0b11_11_01_01>(x);
        let even = _mm256_add_epi64(_mm256_mul_epi32(x, self.m), self.c);
        let odd = _mm256_add_epi64(_mm256_mul_epi32(odd, self.m), self.c);
        self.shift.apply(even, odd)
    }

    /// The sixteen elements from `at` on, saturated to 16 bits; 64-bit lanes are in the order 0, 2, 1, 3.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn saturated(&self, x: &[i16; TOGETHER], at: usize) -> __m256i {
        _mm256_packs_epi32(self.shifted(x, at), self.shifted(x, at + 8))
    }
}

/// Whole vectors of 16 bits; returns how many elements that were.
#[target_feature(enable = "avx2")]
pub(crate) fn words(line: &Line, x: &[i16], to: &mut [i16]) -> usize {
    let constants = Constants::new(line);
    let (lo, hi) = (
        _mm256_set1_epi16(line.lo as i16),
        _mm256_set1_epi16(line.hi as i16),
    );
    let vectors = x.as_chunks().0.iter().zip(to.as_chunks_mut::<TOGETHER>().0);
    let mut done = 0;
    for (x, to) in vectors {
        for (half, to) in to.as_chunks_mut::<16>().0.iter_mut().enumerate() {
            let y = constants.saturated(x, 16 * half);
            let y = _mm256_min_epi16(_mm256_max_epi16(y, lo), hi);
            let y = _mm256_permute4x64_epi64::<0b11_01_10_00>(y);
            // SAFETY: room for 32 bytes.
            unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), y) };
        }
        done += TOGETHER;
    }
    done
}

/// Whole vectors of bytes, flipped; returns how many elements that were.
#[target_feature(enable = "avx2")]
pub(crate) fn bytes(line: &Line, flip: u8, x: &[i16], to: &mut [u8]) -> usize {
    let constants = Constants::new(line);
    let (lo, hi) = (
        _mm256_set1_epi8(line.lo as i8),
        _mm256_set1_epi8(line.hi as i8),
    );
    let flip = _mm256_set1_epi8(flip as i8);
    let vectors = x.as_chunks().0.iter().zip(to.as_chunks_mut::<TOGETHER>().0);
    let mut done = 0;
    for (x, to) in vectors {
        let y = _mm256_packs_epi16(constants.saturated(x, 0), constants.saturated(x, 16));
        let y = _mm256_min_epi8(_mm256_max_epi8(y, lo), hi);
        let y = _mm256_xor_si256(y, flip);
        // Groups of four lie as 0, 2, 4, 6 and 1, 3, 5, 7.
        let order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
        let y = _mm256_permutevar8x32_epi32(y, order);
        // SAFETY: room for 32 bytes.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), y) };
        done += TOGETHER;
    }
    done
}

//! AVX-512: `clamp((x*m + c) >> s)` of elements of 16 bits, with constants m, c and s.
//!
//! Values are shifted in 64 bits and known to fit 32; packing to fewer saturates, which keeps the order
//! of values, so that the clamp that follows is that of the wide value.

use core::arch::x86_64::{
    __m512i, _mm_cvtsi64_si128, _mm256_max_epi8, _mm256_min_epi8, _mm256_set1_epi8,
    _mm256_storeu_si256, _mm256_xor_si256, _mm512_add_epi64, _mm512_castsi512_si256,
    _mm512_cvtepi16_epi32, _mm512_cvtsepi16_epi8, _mm512_extracti64x4_epi64, _mm512_loadu_si512,
    _mm512_mask_shuffle_epi32, _mm512_max_epi16, _mm512_min_epi16, _mm512_mul_epi32,
    _mm512_packs_epi32, _mm512_permutexvar_epi64, _mm512_set1_epi16, _mm512_set1_epi64,
    _mm512_setr_epi64, _mm512_sra_epi64, _mm512_srli_epi64, _mm512_storeu_si512,
};

use crate::pointwise::lines::Line;

/// Elements that are made together.
const TOGETHER: usize = 32;

/// Shifted values of whole vectors, saturated to 16 bits, in the order of `x`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn saturated(line: &Line, x: &[i16; TOGETHER]) -> __m512i {
    // SAFETY: 64 readable bytes.
    let x = unsafe { _mm512_loadu_si512(x.as_ptr().cast()) };
    let low = _mm512_cvtepi16_epi32(_mm512_castsi512_si256(x));
    let high = _mm512_cvtepi16_epi32(_mm512_extracti64x4_epi64::<1>(x));
    // Each 128-bit lane holds four elements of either half; put the halves behind each other.
    let order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    let packed = _mm512_packs_epi32(shifted(line, low), shifted(line, high));
    _mm512_permutexvar_epi64(order, packed)
}

/// `(x*m + c) >> s` of sixteen elements.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn shifted(line: &Line, x: __m512i) -> __m512i {
    let (m, c) = (_mm512_set1_epi64(line.m.into()), _mm512_set1_epi64(line.c));
    let s = _mm_cvtsi64_si128(line.s.into());
    let even = _mm512_add_epi64(_mm512_mul_epi32(x, m), c);
    let odd = _mm512_add_epi64(_mm512_mul_epi32(_mm512_srli_epi64::<32>(x), m), c);
    let (even, odd) = (_mm512_sra_epi64(even, s), _mm512_sra_epi64(odd, s));
    // Odd lanes take the low half of `odd`, even lanes stay.
    _mm512_mask_shuffle_epi32::<0b10_10_00_00>(even, 0xaaaa, odd)
}

/// Whole vectors of 16 bits; returns how many elements that were.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(crate) fn words(line: &Line, x: &[i16], to: &mut [i16]) -> usize {
    let (lo, hi) = (
        _mm512_set1_epi16(line.lo as i16),
        _mm512_set1_epi16(line.hi as i16),
    );
    let vectors = x.as_chunks().0.iter().zip(to.as_chunks_mut::<TOGETHER>().0);
    let mut done = 0;
    for (x, to) in vectors {
        let y = _mm512_min_epi16(_mm512_max_epi16(saturated(line, x), lo), hi);
        // SAFETY: room for 64 bytes.
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), y) };
        done += TOGETHER;
    }
    done
}

/// Whole vectors of bytes, flipped; returns how many elements that were.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
pub(crate) fn bytes(line: &Line, flip: u8, x: &[i16], to: &mut [u8]) -> usize {
    let (lo, hi) = (
        _mm256_set1_epi8(line.lo as i8),
        _mm256_set1_epi8(line.hi as i8),
    );
    let flip = _mm256_set1_epi8(flip as i8);
    let vectors = x.as_chunks().0.iter().zip(to.as_chunks_mut::<TOGETHER>().0);
    let mut done = 0;
    for (x, to) in vectors {
        let y = _mm512_cvtsepi16_epi8(saturated(line, x));
        let y = _mm256_min_epi8(_mm256_max_epi8(y, lo), hi);
        // SAFETY: room for 32 bytes.
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), _mm256_xor_si256(y, flip)) };
        done += TOGETHER;
    }
    done
}

//! AVX-VNNI: eight lanes, unsigned times signed bytes, no saturation.
//!
//! Inputs are stored with the sign bit flipped (x + 128); the bias holds `-128 * sum(weights)`.
//! The wrapping sum is exact because the true accumulator fits 32 bits.

use core::arch::x86_64::{
    __m256i, _mm_loadu_si128, _mm256_cvtepi8_epi16, _mm256_dpbusd_avx_epi32,
    _mm256_dpwssd_avx_epi32, _mm256_set1_epi32,
};

use super::avx2::{Avx2, turned};
use super::finish256::finish as finish_avx2;
use crate::accumulate::{Isa, four};
use crate::depthwise::words::Interleave;
use crate::finish::Finish;
use crate::wide::wide_isa;

/// AVX-VNNI.
pub(crate) struct AvxVnni;

// SAFETY: every method inherits the demand of the trait: AVX-VNNI, and with it AVX2, is there.
unsafe impl Isa for AvxVnni {
    type Sums = __m256i;
    type Weights = __m256i;
    type Inputs = __m256i;
    type Spread = __m256i;
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn load_sums(from: *const i32) -> __m256i {
        // SAFETY: the caller's promise, passed on.
        unsafe { Avx2::load_sums(from) }
    }

    #[inline(always)]
    unsafe fn store_sums(sums: __m256i, to: *mut i32) {
        // SAFETY: the caller's promise, passed on.
        unsafe { Avx2::store_sums(sums, to) }
    }

    #[inline(always)]
    unsafe fn load_weights(from: *const i8) -> __m256i {
        // SAFETY: the caller's promise, passed on.
        unsafe { Avx2::load_weights(from) }
    }

    #[inline(always)]
    unsafe fn load_inputs(from: *const u8) -> __m256i {
        // SAFETY: the caller promises the instruction set and four readable bytes.
        unsafe { _mm256_set1_epi32(from.cast::<i32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn dot4(sums: __m256i, x: __m256i, w: __m256i) -> __m256i {
        // SAFETY: the caller promises the instruction set; no memory is touched.
        unsafe { _mm256_dpbusd_avx_epi32(sums, x, w) }
    }

    #[inline(always)]
    unsafe fn spread<const TAPS: usize>(taps: [*const u8; TAPS]) -> __m256i {
        // SAFETY: the caller promises the instruction set and eight bytes behind each tap.
        unsafe { turned(four(taps)) }
    }

    #[inline(always)]
    unsafe fn dot_spread(sums: __m256i, x: __m256i, w: __m256i) -> __m256i {
        // SAFETY: the caller promises the instruction set; no memory is touched.
        unsafe { Self::dot4(sums, x, w) }
    }

    unsafe fn finish(finish: &Finish) {
        // SAFETY: the caller passes on both promises.
        unsafe { finish_avx2(finish) }
    }
}

// SAFETY: every method inherits the demand of the trait: AVX-VNNI, and with it AVX2, is there.
unsafe impl Interleave for AvxVnni {
    type Pairs = __m256i;

    #[inline(always)]
    unsafe fn interleave(words: [*const u8; 2]) -> [__m256i; 2] {
        // SAFETY: the caller's promise, passed on.
        unsafe { Avx2::interleave(words) }
    }

    #[inline(always)]
    unsafe fn load_pairs(from: *const i16) -> __m256i {
        // SAFETY: the caller's promise, passed on.
        unsafe { Avx2::load_pairs(from) }
    }

    #[inline(always)]
    unsafe fn dot_pairs(sums: __m256i, x: __m256i, w: __m256i) -> __m256i {
        // SAFETY: the caller promises the instruction set; no memory is touched.
        unsafe { _mm256_dpwssd_avx_epi32(sums, x, w) }
    }

    #[inline(always)]
    unsafe fn in_order(sums: [__m256i; 2]) -> [__m256i; 2] {
        // SAFETY: the caller's promise, passed on.
        unsafe { Avx2::in_order(sums) }
    }

    #[inline(always)]
    unsafe fn interleaved(sums: [__m256i; 2]) -> [__m256i; 2] {
        // SAFETY: the caller's promise, passed on.
        unsafe { Avx2::interleaved(sums) }
    }
}

wide_isa!(
    /// AVX-VNNI on inputs of 16 bits.
    AvxVnniWide,
    AvxVnni,
    __m256i,
    |from| _mm256_set1_epi32(from.cast::<i32>().read_unaligned()),
    2 |from| _mm256_cvtepi8_epi16(_mm_loadu_si128(from.cast())),
    |sums, x, w| _mm256_dpwssd_avx_epi32(sums, x, w)
);

//! AVX-512 VNNI: sixteen lanes, unsigned times signed bytes, no saturation.
//!
//! Inputs are stored with the sign bit flipped (x + 128); the bias holds `-128 * sum(weights)`.
//! The wrapping sum is exact because the true accumulator fits 32 bits.

use core::arch::x86_64::{
    __m512i, _mm_loadu_si128, _mm_setr_epi8, _mm256_loadu_si256, _mm512_broadcast_i32x4,
    _mm512_cvtepi8_epi16, _mm512_dpbusd_epi32, _mm512_dpwssd_epi32, _mm512_loadu_si512,
    _mm512_mask_broadcast_i32x4, _mm512_permutex2var_epi64, _mm512_permutexvar_epi32,
    _mm512_set1_epi32, _mm512_setr_epi32, _mm512_setr_epi64, _mm512_shuffle_epi8,
    _mm512_storeu_si512, _mm512_unpackhi_epi16, _mm512_unpacklo_epi16,
};

use super::finish512::finish as finish_avx512;
use crate::accumulate::Isa;
use crate::depthwise::words::Interleave;
use crate::finish::Finish;
use crate::wide::wide_isa;

/// AVX-512 with F, BW, DQ, VL and VNNI.
pub(crate) struct Avx512;

// SAFETY: every method inherits the demand of the trait: the five features are there.
unsafe impl Isa for Avx512 {
    type Sums = __m512i;
    type Weights = __m512i;
    type Inputs = __m512i;
    type Spread = __m512i;
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn load_sums(from: *const i32) -> __m512i {
        // SAFETY: the caller promises AVX-512 and sixteen readable numbers.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store_sums(sums: __m512i, to: *mut i32) {
        // SAFETY: the caller promises AVX-512 and room for sixteen numbers.
        unsafe { _mm512_storeu_si512(to.cast(), sums) }
    }

    #[inline(always)]
    unsafe fn load_weights(from: *const i8) -> __m512i {
        // SAFETY: the caller promises AVX-512 and 64 readable weights.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_inputs(from: *const u8) -> __m512i {
        // SAFETY: the caller promises AVX-512 and four readable bytes.
        unsafe { _mm512_set1_epi32(from.cast::<i32>().read_unaligned()) }
    }

    #[inline(always)]
    unsafe fn dot4(sums: __m512i, x: __m512i, w: __m512i) -> __m512i {
        // SAFETY: the caller promises AVX-512 VNNI; no memory is touched.
        unsafe { _mm512_dpbusd_epi32(sums, x, w) }
    }

    #[inline(always)]
    unsafe fn spread<const TAPS: usize>(taps: [*const u8; TAPS]) -> __m512i {
        // SAFETY: the caller promises AVX-512 and sixteen bytes behind each tap.
        unsafe { spread(taps) }
    }

    #[inline(always)]
    unsafe fn dot_spread(sums: __m512i, x: __m512i, w: __m512i) -> __m512i {
        // SAFETY: the caller promises AVX-512 VNNI; no memory is touched.
        unsafe { Self::dot4(sums, x, w) }
    }

    unsafe fn finish(finish: &Finish) {
        // SAFETY: the caller passes on both promises.
        unsafe { finish_avx512(finish) }
    }
}

// SAFETY: every method inherits the demand of the trait: the five features are there.
unsafe impl Interleave for Avx512 {
    type Pairs = __m512i;

    #[inline(always)]
    unsafe fn interleave(words: [*const u8; 2]) -> [__m512i; 2] {
        // SAFETY: the caller promises AVX-512 and 32 words behind each address.
        unsafe {
            let [a, b] = words.map(|from| _mm512_loadu_si512(from.cast()));
            [_mm512_unpacklo_epi16(a, b), _mm512_unpackhi_epi16(a, b)]
        }
    }

    #[inline(always)]
    unsafe fn load_pairs(from: *const i16) -> __m512i {
        // SAFETY: the caller promises AVX-512 and 32 readable words.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn dot_pairs(sums: __m512i, x: __m512i, w: __m512i) -> __m512i {
        // SAFETY: the caller promises AVX-512 VNNI; no memory is touched.
        unsafe { _mm512_dpwssd_epi32(sums, x, w) }
    }

    #[inline(always)]
    unsafe fn in_order([low, high]: [__m512i; 2]) -> [__m512i; 2] {
        // SAFETY: the caller promises AVX-512; no memory is touched.
        unsafe {
            let near = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11);
            let far = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
            [near, far].map(|order| _mm512_permutex2var_epi64(low, order, high))
        }
    }

    #[inline(always)]
    unsafe fn interleaved([near, far]: [__m512i; 2]) -> [__m512i; 2] {
        // SAFETY: the caller promises AVX-512; no memory is touched.
        unsafe {
            let low = _mm512_setr_epi64(0, 1, 4, 5, 8, 9, 12, 13);
            let high = _mm512_setr_epi64(2, 3, 6, 7, 10, 11, 14, 15);
            [low, high].map(|order| _mm512_permutex2var_epi64(near, order, far))
        }
    }
}

/// Sixteen channels of three or four taps, `[TAPS][16]` to `[16][4]`.
///
/// # Safety
///
/// AVX-512 is there, and sixteen bytes behind each tap.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn spread<const TAPS: usize>(taps: [*const u8; TAPS]) -> __m512i {
    const { assert!(3 <= TAPS && TAPS <= 4) };
    // Four channels of every tap into each 128-bit lane, then channel by channel.
    let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    let turn = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    // SAFETY: the caller's promise.
    let tap = |i: usize| unsafe { _mm_loadu_si128(taps[i].cast()) };
    let mut x = _mm512_broadcast_i32x4(tap(0));
    x = _mm512_mask_broadcast_i32x4(x, 0x00f0, tap(1));
    x = _mm512_mask_broadcast_i32x4(x, 0x0f00, tap(2));
    if TAPS == 4 {
        x = _mm512_mask_broadcast_i32x4(x, 0xf000, tap(3));
    }
    let x = _mm512_permutexvar_epi32(order, opaque(x));
    _mm512_shuffle_epi8(opaque(x), _mm512_broadcast_i32x4(turn))
}

/// Hides how a vector was computed: loads that are blended cost less than the shuffles that the compiler
/// would make of them.
#[inline]
#[target_feature(enable = "avx512f")]
fn opaque(mut x: __m512i) -> __m512i {
    // SAFETY: the assembly is empty; it has no effect on any register, flag or byte.
    unsafe {
        core::arch::asm!("/* {0} */", inout(zmm_reg) x,
            options(pure, nomem, nostack, preserves_flags));
    }
    x
}

wide_isa!(
    /// AVX-512 VNNI on inputs of 16 bits.
    Avx512Wide,
    Avx512,
    __m512i,
    |from| _mm512_set1_epi32(from.cast::<i32>().read_unaligned()),
    2 |from| _mm512_cvtepi8_epi16(_mm256_loadu_si256(from.cast())),
    |sums, x, w| _mm512_dpwssd_epi32(sums, x, w)
);

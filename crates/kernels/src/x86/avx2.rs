//! AVX2: eight lanes, and three ways to multiply bytes.
//!
//! `vpmaddubsw` multiplies unsigned by signed bytes and adds two neighbours in 16 bits, where it
//! saturates; `vpmaddwd` by ones widens pairs, `vpaddd` adds them to the sums. Of eight lanes of four
//! products:
//!
//! | products | instructions | exact because |
//! |---|---|---|
//! | [`Avx2`] | `vpsignb`, `vpmaddubsw`, `vpmaddwd`, `vpaddd` | `x*w = |x| * (w with the sign of x)`; |x| <= 128, |w| <= 127, and `2 * 128 * 127 < 2^15` |
//! | [`Avx2Words`], twice | `vpmaddwd`, `vpaddd` | words: see [`crate::widen`] |
//! | [`Avx2Unsigned`] | `vpmaddubsw`, `vpmaddwd`, `vpaddd` | x in 0..=127, and `2 * 127 * 127 < 2^15` |
//! | [`Avx2Paired`] | the same, but `vpmaddwd`, `vpaddd` once for two groups and their `vpaddw` | weights are cut: see [`crate::excess`] |
//!
//! All of these but the additions run on two of the three vector ports of these processors, so that
//! words are cheaper than signs where enough positions share the widening. Weights of -128 are refused
//! when a node is packed.
//!
//! Not taken: signed inputs stored as x + 128, with weights cut so that no pair of them saturates. In
//! normal weights 1 to 10 of 100 pairs would have to be cut and in evenly distributed ones 25, and a
//! vector of two blocks has 32 of them, so that nearly every group would be multiplied twice.

use core::arch::x86_64::{
    __m256i, _mm_loadl_epi64, _mm_loadu_si128, _mm_unpackhi_epi16, _mm_unpacklo_epi8,
    _mm_unpacklo_epi16, _mm256_abs_epi8, _mm256_add_epi16, _mm256_add_epi32, _mm256_cvtepi8_epi16,
    _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_permute2x128_si256,
    _mm256_set_m128i, _mm256_set1_epi16, _mm256_set1_epi32, _mm256_sign_epi8, _mm256_storeu_si256,
    _mm256_unpackhi_epi16, _mm256_unpacklo_epi16,
};

use super::finish256::finish as finish_avx2;
use crate::accumulate::{Isa, four};
use crate::depthwise::words::Interleave;
use crate::finish::Finish;
use crate::wide::wide_isa;

/// AVX2.
pub(crate) struct Avx2;

// SAFETY: every method inherits the demand of the trait: AVX2 is there.
unsafe impl Isa for Avx2 {
    type Sums = __m256i;
    type Weights = __m256i;
    /// The inputs and their absolute values.
    type Inputs = (__m256i, __m256i);
    type Spread = (__m256i, __m256i);
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn load_sums(from: *const i32) -> __m256i {
        // SAFETY: the caller promises AVX2 and eight readable numbers.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store_sums(sums: __m256i, to: *mut i32) {
        // SAFETY: the caller promises AVX2 and room for eight numbers.
        unsafe { _mm256_storeu_si256(to.cast(), sums) }
    }

    #[inline(always)]
    unsafe fn load_weights(from: *const i8) -> __m256i {
        // SAFETY: the caller promises AVX2 and 32 readable weights.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn load_inputs(from: *const u8) -> Self::Inputs {
        // SAFETY: the caller promises AVX2 and four readable bytes.
        unsafe {
            let x = _mm256_set1_epi32(from.cast::<i32>().read_unaligned());
            (x, _mm256_abs_epi8(x))
        }
    }

    #[inline(always)]
    unsafe fn dot4(sums: __m256i, (x, magnitude): Self::Inputs, w: __m256i) -> __m256i {
        // SAFETY: the caller promises AVX2; no memory is touched.
        unsafe {
            let pairs = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(w, x));
            _mm256_add_epi32(sums, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)))
        }
    }

    #[inline(always)]
    unsafe fn spread<const TAPS: usize>(taps: [*const u8; TAPS]) -> Self::Spread {
        // SAFETY: the caller promises AVX2 and eight bytes behind each tap.
        unsafe {
            let x = turned(four(taps));
            (x, _mm256_abs_epi8(x))
        }
    }

    #[inline(always)]
    unsafe fn dot_spread(sums: __m256i, x: Self::Spread, w: __m256i) -> __m256i {
        // SAFETY: the caller promises AVX2; no memory is touched.
        unsafe { Self::dot4(sums, x, w) }
    }

    unsafe fn finish(finish: &Finish) {
        // SAFETY: the caller passes on both promises.
        unsafe { finish_avx2(finish) }
    }
}

// SAFETY: every method inherits the demand of the trait: AVX2 is there.
unsafe impl Interleave for Avx2 {
    type Pairs = __m256i;

    #[inline(always)]
    unsafe fn interleave(words: [*const u8; 2]) -> [__m256i; 2] {
        // SAFETY: the caller promises AVX2 and sixteen words behind each address.
        unsafe {
            let [a, b] = words.map(|from| _mm256_loadu_si256(from.cast()));
            [_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b)]
        }
    }

    #[inline(always)]
    unsafe fn load_pairs(from: *const i16) -> __m256i {
        // SAFETY: the caller promises AVX2 and sixteen readable words.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn dot_pairs(sums: __m256i, x: __m256i, w: __m256i) -> __m256i {
        // SAFETY: the caller promises AVX2; no memory is touched.
        unsafe { _mm256_add_epi32(sums, _mm256_madd_epi16(x, w)) }
    }

    #[inline(always)]
    unsafe fn in_order([low, high]: [__m256i; 2]) -> [__m256i; 2] {
        // SAFETY: the caller promises AVX2; no memory is touched.
        unsafe {
            [
                _mm256_permute2x128_si256::<0x20>(low, high),
                _mm256_permute2x128_si256::<0x31>(low, high),
            ]
        }
    }

    #[inline(always)]
    unsafe fn interleaved(sums: [__m256i; 2]) -> [__m256i; 2] {
        // Two parts of two vectors: the exchange of the inner ones is its own reverse.
        // SAFETY: the caller's promise, passed on.
        unsafe { Self::in_order(sums) }
    }
}

/// Eight channels of four taps, `[4][8]` to `[8][4]`.
///
/// # Safety
///
/// AVX2 is there, and eight bytes behind each tap can be read.
#[inline(always)]
pub(super) unsafe fn turned(taps: [*const u8; 4]) -> __m256i {
    // SAFETY: the caller's promises.
    unsafe {
        let [a, b, c, d] = taps.map(|tap| _mm_loadl_epi64(tap.cast()));
        let (ab, cd) = (_mm_unpacklo_epi8(a, b), _mm_unpacklo_epi8(c, d));
        _mm256_set_m128i(_mm_unpackhi_epi16(ab, cd), _mm_unpacklo_epi16(ab, cd))
    }
}

wide_isa!(
    /// AVX2 on inputs of 16 bits. No pair is of two products of -2^15 by -2^15, so nothing wraps
    /// within an instruction.
    Avx2Wide,
    Avx2,
    __m256i,
    |from| _mm256_set1_epi32(from.cast::<i32>().read_unaligned()),
    2 |from| _mm256_cvtepi8_epi16(_mm_loadu_si128(from.cast())),
    |sums, x, w| _mm256_add_epi32(sums, _mm256_madd_epi16(x, w))
);

wide_isa!(
    /// The same on weights that are words already: those of [`crate::widen`].
    Avx2Words,
    Avx2,
    __m256i,
    |from| Avx2Wide::load_inputs(from),
    4 |from| Avx2::load_weights(from),
    |sums, x, w| Avx2Wide::dot4(sums, x, w)
);

/// Most of the positive weights of four inputs of 0..=127, and of the magnitudes of the negative ones,
/// whose products fit 16 bits.
pub(crate) const PAIR_MAX: i32 = 258;
const _: () = assert!(127 * PAIR_MAX <= i16::MAX as i32);

/// `unsigned_isa!(Name, pairs, |sums, x, w| dot8)`: AVX2 on bytes of which none is negative.
macro_rules! unsigned_isa {
    ($(#[$doc:meta])* $name:ident, $pairs:literal) => {
        $(#[$doc])*
        pub(crate) struct $name;

        // SAFETY: every method inherits the demand of the trait: AVX2 is there.
        unsafe impl Isa for $name {
            type Sums = __m256i;
            type Weights = __m256i;
            type Inputs = __m256i;
            type Spread = __m256i;
            const LANES: usize = 8;
            const PAIRS: bool = $pairs;

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
                // SAFETY: the caller promises AVX2 and four readable bytes.
                unsafe { _mm256_set1_epi32(from.cast::<i32>().read_unaligned()) }
            }

            #[inline(always)]
            unsafe fn dot4(sums: __m256i, x: __m256i, w: __m256i) -> __m256i {
                // SAFETY: the caller promises AVX2; no memory is touched.
                unsafe { widened(sums, _mm256_maddubs_epi16(x, w)) }
            }

            #[inline(always)]
            unsafe fn dot8(sums: __m256i, x: [__m256i; 2], w: [__m256i; 2]) -> __m256i {
                // SAFETY: the caller promises AVX2; no memory is touched.
                unsafe {
                    let near = _mm256_maddubs_epi16(x[0], w[0]);
                    let far = _mm256_maddubs_epi16(x[1], w[1]);
                    widened(sums, _mm256_add_epi16(near, far))
                }
            }

            #[inline(always)]
            unsafe fn spread<const TAPS: usize>(taps: [*const u8; TAPS]) -> __m256i {
                // SAFETY: the caller promises AVX2 and eight bytes behind each tap.
                unsafe { turned(four(taps)) }
            }

            #[inline(always)]
            unsafe fn dot_spread(sums: __m256i, x: __m256i, w: __m256i) -> __m256i {
                // SAFETY: the caller promises AVX2; no memory is touched.
                unsafe { Self::dot4(sums, x, w) }
            }

            unsafe fn finish(finish: &Finish) {
                // SAFETY: the caller passes on both promises.
                unsafe { finish_avx2(finish) }
            }
        }
    };
}

/// Adds the two halves of each lane to its sum.
///
/// # Safety
///
/// AVX2 is there.
#[inline(always)]
unsafe fn widened(sums: __m256i, halves: __m256i) -> __m256i {
    // SAFETY: the caller promises AVX2; no memory is touched.
    unsafe { _mm256_add_epi32(sums, _mm256_madd_epi16(halves, _mm256_set1_epi16(1))) }
}

unsigned_isa!(
    /// AVX2 on bytes of 0..=127: `2 * 127 * 127 < 2^15`, so no pair saturates.
    Avx2Unsigned,
    false
);

unsigned_isa!(
    /// The same with two groups added in 16 bits; weights are within [`PAIR_MAX`].
    Avx2Paired,
    true
);

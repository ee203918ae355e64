//! 64-bit Arm: four lanes, `sdot` of signed by signed bytes, no saturation.

use core::arch::aarch64::{
    int8x16_t, int16x8_t, int32x4_t, vaddq_s32, vdupq_n_s32, vget_low_s16, vld1_s8, vld1q_s8,
    vld1q_s32, vld1q_u8, vmovl_s8, vmull_high_s16, vmull_s16, vpaddq_s32, vqtbl1q_s8,
    vreinterpretq_s8_s16, vreinterpretq_s8_s32, vreinterpretq_s16_s8, vreinterpretq_s16_s32,
    vst1q_s32, vzip1q_s16, vzip2q_s16,
};
use core::arch::asm;

use crate::accumulate::{Isa, four};
use crate::depthwise::words::Interleave;
use crate::finish::{self, Finish};
use crate::wide::wide_isa;

/// Neon with the dot product extension.
pub(crate) struct Neon;

// SAFETY: every method inherits the demand of the trait: Neon and `dotprod` are there.
unsafe impl Isa for Neon {
    type Sums = int32x4_t;
    type Weights = int8x16_t;
    type Inputs = int8x16_t;
    type Spread = int8x16_t;
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn load_sums(from: *const i32) -> int32x4_t {
        // SAFETY: the caller promises Neon and four readable numbers.
        unsafe { vld1q_s32(from) }
    }

    #[inline(always)]
    unsafe fn store_sums(sums: int32x4_t, to: *mut i32) {
        // SAFETY: the caller promises Neon and room for four numbers.
        unsafe { vst1q_s32(to, sums) }
    }

    #[inline(always)]
    unsafe fn load_weights(from: *const i8) -> int8x16_t {
        // SAFETY: the caller promises Neon and sixteen readable weights.
        unsafe { vld1q_s8(from) }
    }

    #[inline(always)]
    unsafe fn load_inputs(from: *const u8) -> int8x16_t {
        // SAFETY: the caller promises Neon and four readable bytes.
        unsafe { vreinterpretq_s8_s32(vdupq_n_s32(from.cast::<i32>().read_unaligned())) }
    }

    #[inline(always)]
    unsafe fn dot4(mut sums: int32x4_t, x: int8x16_t, w: int8x16_t) -> int32x4_t {
        // SAFETY: the caller promises `dotprod`; no memory and no flag is touched.
        unsafe {
            asm!("sdot {0:v}.4s, {1:v}.16b, {2:v}.16b", inout(vreg) sums, in(vreg) x, in(vreg) w,
                options(pure, nomem, nostack, preserves_flags));
        }
        sums
    }

    #[inline(always)]
    unsafe fn spread<const TAPS: usize>(taps: [*const u8; TAPS]) -> int8x16_t {
        const TURN: [u8; 16] = [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15];
        // SAFETY: the caller promises Neon and four bytes behind each tap.
        unsafe {
            let words = four(taps).map(|tap| tap.cast::<i32>().read_unaligned());
            let x = vreinterpretq_s8_s32(vld1q_s32(words.as_ptr()));
            vqtbl1q_s8(x, vld1q_u8(TURN.as_ptr()))
        }
    }

    #[inline(always)]
    unsafe fn dot_spread(sums: int32x4_t, x: int8x16_t, w: int8x16_t) -> int32x4_t {
        // SAFETY: the caller promises Neon; no memory is touched.
        unsafe { Self::dot4(sums, x, w) }
    }

    unsafe fn finish(finish: &Finish) {
        // SAFETY: the caller passes on the promise of `Finish`.
        unsafe { finish::scalar(finish) }
    }
}

// SAFETY: every method inherits the demand of the trait: Neon is there.
unsafe impl Interleave for Neon {
    type Pairs = int16x8_t;

    #[inline(always)]
    unsafe fn interleave(words: [*const u8; 2]) -> [int16x8_t; 2] {
        // SAFETY: the caller promises Neon and eight words behind each address.
        unsafe {
            let [a, b] = words.map(|from| vreinterpretq_s16_s8(vld1q_s8(from.cast())));
            [vzip1q_s16(a, b), vzip2q_s16(a, b)]
        }
    }

    #[inline(always)]
    unsafe fn load_pairs(from: *const i16) -> int16x8_t {
        // SAFETY: the caller promises Neon and eight readable words.
        unsafe { vreinterpretq_s16_s8(vld1q_s8(from.cast())) }
    }

    #[inline(always)]
    unsafe fn dot_pairs(sums: int32x4_t, x: int16x8_t, w: int16x8_t) -> int32x4_t {
        // SAFETY: the caller promises Neon; no memory is touched.
        unsafe {
            let low = vmull_s16(vget_low_s16(x), vget_low_s16(w));
            vaddq_s32(sums, vpaddq_s32(low, vmull_high_s16(x, w)))
        }
    }

    #[inline(always)]
    unsafe fn in_order(sums: [int32x4_t; 2]) -> [int32x4_t; 2] {
        sums
    }

    #[inline(always)]
    unsafe fn interleaved(sums: [int32x4_t; 2]) -> [int32x4_t; 2] {
        sums
    }
}

wide_isa!(
    /// Neon on inputs of 16 bits.
    NeonWide,
    Neon,
    int16x8_t,
    |from| vreinterpretq_s16_s32(vdupq_n_s32(from.cast::<i32>().read_unaligned())),
    2 |from| vreinterpretq_s8_s16(vmovl_s8(vld1_s8(from))),
    |sums, x, w| {
        let w = vreinterpretq_s16_s8(w);
        let low = vmull_s16(vget_low_s16(x), vget_low_s16(w));
        vaddq_s32(sums, vpaddq_s32(low, vmull_high_s16(x, w)))
    }
);

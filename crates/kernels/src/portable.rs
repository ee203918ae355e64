//! The portable twin: the operations of a kernel in plain Rust, on eight lanes.

use crate::accumulate::{Isa, LANES_MAX, four};
use crate::depthwise::words::{Interleave, channel_of};
use crate::finish::{self, Finish};
use crate::wide::wide_isa;

/// Plain Rust.
pub(crate) struct Portable;

const LANES: usize = 8;
const _: () = assert!(LANES <= LANES_MAX);

// SAFETY: plain Rust needs no instruction set.
unsafe impl Isa for Portable {
    type Sums = [i32; LANES];
    type Weights = *const i8;
    type Inputs = [i16; 4];
    type Spread = [[i8; 4]; LANES];
    const LANES: usize = LANES;

    #[inline(always)]
    unsafe fn load_sums(from: *const i32) -> Self::Sums {
        // SAFETY: the caller promises `LANES` readable numbers.
        unsafe { from.cast::<Self::Sums>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store_sums(sums: Self::Sums, to: *mut i32) {
        // SAFETY: the caller promises room for `LANES` numbers.
        unsafe { to.cast::<Self::Sums>().write_unaligned(sums) }
    }

    #[inline(always)]
    unsafe fn load_weights(from: *const i8) -> Self::Weights {
        from
    }

    #[inline(always)]
    unsafe fn load_inputs(from: *const u8) -> Self::Inputs {
        // SAFETY: the caller promises four readable bytes.
        let bytes = unsafe { from.cast::<[i8; 4]>().read_unaligned() };
        bytes.map(i16::from)
    }

    #[inline(always)]
    unsafe fn dot4(mut sums: Self::Sums, x: Self::Inputs, w: Self::Weights) -> Self::Sums {
        for (lane, sum) in sums.iter_mut().enumerate() {
            for (b, &x) in x.iter().enumerate() {
                // SAFETY: the caller promises `LANES * 4` readable weights.
                let w = i16::from(unsafe { *w.add(lane * 4 + b) });
                *sum = sum.wrapping_add(i32::from(x * w));
            }
        }
        sums
    }

    #[inline(always)]
    unsafe fn spread<const TAPS: usize>(taps: [*const u8; TAPS]) -> Self::Spread {
        // SAFETY: the caller promises `LANES` bytes behind each tap.
        let byte = |lane: usize, tap: *const u8| unsafe { *tap.add(lane) } as i8;
        core::array::from_fn(|lane| four(taps).map(|tap| byte(lane, tap)))
    }

    #[inline(always)]
    unsafe fn dot_spread(mut sums: Self::Sums, x: Self::Spread, w: Self::Weights) -> Self::Sums {
        for (lane, (sum, x)) in sums.iter_mut().zip(x).enumerate() {
            for (b, x) in x.into_iter().enumerate() {
                // SAFETY: the caller promises `LANES * 4` weights.
                let w = unsafe { *w.add(lane * 4 + b) };
                *sum = sum.wrapping_add(i32::from(i16::from(x) * i16::from(w)));
            }
        }
        sums
    }

    unsafe fn finish(finish: &Finish) {
        // SAFETY: the caller passes on the promise of `Finish`.
        unsafe { finish::scalar(finish) }
    }
}

// SAFETY: plain Rust needs no instruction set.
unsafe impl Interleave for Portable {
    type Pairs = [[i16; 2]; LANES];

    #[inline(always)]
    unsafe fn interleave(words: [*const u8; 2]) -> [Self::Pairs; 2] {
        // SAFETY: the caller promises `2 * LANES` words behind each address.
        let words = words.map(|from| unsafe { from.cast::<[i16; 2 * LANES]>().read_unaligned() });
        [0, 1].map(|vector| {
            core::array::from_fn(|lane| words.map(|words| words[channel_of(vector, lane)]))
        })
    }

    #[inline(always)]
    unsafe fn load_pairs(from: *const i16) -> Self::Pairs {
        // SAFETY: the caller promises two words for each lane.
        unsafe { from.cast::<Self::Pairs>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn dot_pairs(mut sums: Self::Sums, x: Self::Pairs, w: Self::Pairs) -> Self::Sums {
        for ((sum, x), w) in sums.iter_mut().zip(x).zip(w) {
            for (x, w) in x.into_iter().zip(w) {
                *sum = sum.wrapping_add(i32::from(x) * i32::from(w));
            }
        }
        sums
    }

    #[inline(always)]
    unsafe fn in_order(sums: [Self::Sums; 2]) -> [Self::Sums; 2] {
        let mut ordered = [0; 2 * LANES];
        for (vector, sums) in sums.into_iter().enumerate() {
            for (lane, sum) in sums.into_iter().enumerate() {
                ordered[channel_of(vector, lane)] = sum;
            }
        }
        let (near, far) = ordered.split_at(LANES);
        [near, far].map(|half| core::array::from_fn(|lane| half[lane]))
    }

    #[inline(always)]
    unsafe fn interleaved(sums: [Self::Sums; 2]) -> [Self::Sums; 2] {
        let sums = sums.as_flattened();
        [0, 1].map(|vector| core::array::from_fn(|lane| sums[channel_of(vector, lane)]))
    }
}

wide_isa!(
    /// Plain Rust on inputs of 16 bits.
    PortableWide,
    Portable,
    [i16; 2],
    |from| from.cast::<[i16; 2]>().read_unaligned(),
    2 |from| Portable::load_weights(from),
    |sums, x, w| {
        let mut sums = sums;
        for (lane, sum) in sums.iter_mut().enumerate() {
            for (b, &x) in x.iter().enumerate() {
                let w = i32::from(*w.add(lane * 2 + b));
                *sum = sum.wrapping_add(i32::from(x) * w);
            }
        }
        sums
    }
);

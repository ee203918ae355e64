//! Makes the form of an instruction set for inputs of 16 bits out of its form for bytes: four bytes of a
//! row are two elements, and only weights and product differ. Weights lie in memory as bytes, which is
//! half the room and half the way, and become words when a tile loads them.
//!
//! The wrapping sums are exact because planes are cut so that their sums fit 32 bits.

/// `wide_isa!(Name, Base, Inputs, |from| inputs, BYTES |from| weights, |sums, x, w| dot)`: `inputs` reads
/// two inputs for all lanes, `weights` two weights of each lane, which take `BYTES` bytes, and `dot` adds
/// two products of each lane.
macro_rules! wide_isa {
    ($(#[$doc:meta])* $name:ident, $base:ty, $inputs:ty,
        |$from:ident| $load:expr,
        $bytes:literal |$weights_from:ident| $weights:expr,
        |$sums:ident, $x:ident, $w:ident| $dot:expr
    ) => {
        $(#[$doc])*
        pub(crate) struct $name;

        // SAFETY: every method inherits the demand of the trait: the set of the base is there.
        unsafe impl $crate::accumulate::Isa for $name {
            type Sums = <$base as $crate::accumulate::Isa>::Sums;
            type Weights = <$base as $crate::accumulate::Isa>::Weights;
            type Inputs = $inputs;
            type Spread = <$base as $crate::accumulate::Isa>::Spread;
            const LANES: usize = <$base as $crate::accumulate::Isa>::LANES;
            const WEIGHT_BYTES: usize = $bytes;

            #[inline(always)]
            unsafe fn load_sums(from: *const i32) -> Self::Sums {
                // SAFETY: the caller's promise, passed on.
                unsafe { <$base>::load_sums(from) }
            }

            #[inline(always)]
            unsafe fn store_sums(sums: Self::Sums, to: *mut i32) {
                // SAFETY: the caller's promise, passed on.
                unsafe { <$base>::store_sums(sums, to) }
            }

            #[inline(always)]
            unsafe fn load_weights($weights_from: *const i8) -> Self::Weights {
                // SAFETY: the caller promises the instruction set and `BYTES` bytes for each lane.
                unsafe { $weights }
            }

            #[inline(always)]
            unsafe fn load_inputs($from: *const u8) -> Self::Inputs {
                // SAFETY: the caller promises the instruction set and four readable bytes.
                unsafe { $load }
            }

            #[inline(always)]
            unsafe fn dot4($sums: Self::Sums, $x: Self::Inputs, $w: Self::Weights) -> Self::Sums {
                // SAFETY: the caller promises the instruction set; no memory is touched but the
                // weights that it vouches for.
                unsafe { $dot }
            }

            unsafe fn spread<const TAPS: usize>(taps: [*const u8; TAPS]) -> Self::Spread {
                // SAFETY: the caller's promise, passed on.
                unsafe { <$base>::spread(taps) }
            }

            unsafe fn dot_spread(
                sums: Self::Sums,
                x: Self::Spread,
                w: Self::Weights,
            ) -> Self::Sums {
                // SAFETY: the caller's promise, passed on.
                unsafe { <$base>::dot_spread(sums, x, w) }
            }

            unsafe fn finish(finish: &$crate::finish::Finish) {
                // SAFETY: the caller's promise, passed on.
                unsafe { <$base>::finish(finish) }
            }
        }
    };
}

pub(crate) use wide_isa;

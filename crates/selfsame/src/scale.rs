//! Floats to integers and back, by the interface's ratios, exactly and fast.
//!
//! ```text
//! q = clamp(floor(x * multiplier / 2^shift + 1/2))        the bits of [`Ratio::quantize`]
//! y = q * multiplier / 2^shift                            rounded once, to single precision
//! ```
//!
//! A binary32 has 24 bits: with a multiplier below 2^29 the product is exact in double precision.
//! Adding `1.5 * 2^52` rounds to the nearest integer, halves to even; what is left over tells where
//! a half went down, and those go up. Every step is one vector instruction on any machine.
//!
//! The loops are compiled for the widest vectors of the machine ([`Width`]); the bits are the same.
//!
//! Most blocks do not need that: in single precision, twice as many at once, the product of an
//! eight-bit input is off by less than 2^-15, so whatever ends up further than that from a half is
//! right. A block with a doubtful element is made again in double precision.
//!
//! Spec: interface, 6.2 and 6.4.

#![allow(
    clippy::inline_always,
    reason = "only what is inlined is compiled for the vectors of [`Loops`]"
)]

use selfsame_ir::{DType, NotANumber, Ratio};
use selfsame_kernels::{Loops, Vectors, Width};

/// Multipliers below this times a binary32 are exact in double precision.
const EXACT_BELOW: u32 = 1 << 29;
/// Its unit in the last place is 1: `1.5 * 2^52`.
const WHOLE: f64 = 6_755_399_441_055_744.0;
/// The same in single precision: `1.5 * 2^23`.
const WHOLE_SINGLE: f32 = 12_582_912.0;
/// Elements that are made at once.
const BLOCK: usize = 32;

/// The first element that is not a number, with its index.
pub(crate) type Bad = (usize, NotANumber);

/// An element type that floats become.
pub(crate) trait Integer: Copy + Default {
    /// As the program knows it.
    const DTYPE: DType;
    /// A product in single precision that is nearer than this to an integer rounds to it for sure:
    /// factor and product are rounded once each, so it is off by less than the range times 2^-23.
    /// Zero: never.
    const SURE: f32;
    /// The value, which is in range.
    fn narrow(value: i32) -> Self;
    /// The value in double precision.
    fn wide(self) -> f64;
}

macro_rules! integer {
    ($type:ty, $dtype:expr, $sure:expr) => {
        impl Integer for $type {
            const DTYPE: DType = $dtype;
            const SURE: f32 = $sure;
            #[allow(
                clippy::cast_possible_truncation,
                clippy::unnecessary_cast,
                clippy::cast_lossless,
                reason = "clamped to the type's range before"
            )]
            #[inline(always)]
            fn narrow(value: i32) -> Self {
                value as Self
            }
            fn wide(self) -> f64 {
                f64::from(self)
            }
        }
    };
}

integer!(i8, DType::I8, 0.4999);
integer!(i16, DType::I16, 0.49);
integer!(i32, DType::I32, 0.0);

/// The value of a ratio; exact, the divisor is a power of two.
pub(crate) fn value(ratio: Ratio) -> f64 {
    crate::answer::float(1, ratio)
}

/// Brings `floats` into integers of one type; the bits are those of [`Ratio::quantize`].
pub(crate) fn quantize<T: Integer>(
    ratio: Ratio,
    width: Width,
    floats: &[f32],
    integers: &mut [T],
) -> Result<(), Bad> {
    if EXACT_BELOW <= ratio.multiplier {
        for (index, (to, x)) in integers.iter_mut().zip(floats).enumerate() {
            let integer = ratio.quantize(x.to_bits(), T::DTYPE);
            *to = T::narrow(integer.map_err(|error| (index, error))?);
        }
        return Ok(());
    }
    let factor = value(ratio);
    let blocks = Blocks {
        factor,
        floats,
        integers,
    };
    if width.run(blocks) {
        return Ok(());
    }
    let index = floats.iter().position(|x| x.is_nan()).unwrap_or(0);
    let bits = floats.get(index).map_or(0, |x| x.to_bits());
    Err((index, NotANumber { bits }))
}

/// Floats to integers block by block; whether every float is a number.
struct Blocks<'a, T> {
    factor: f64,
    floats: &'a [f32],
    integers: &'a mut [T],
}

impl<T: Integer> Loops for Blocks<'_, T> {
    type Output = bool;

    #[inline(always)]
    fn run<V: Vectors>(self) -> bool {
        let (blocks, rest) = self.floats.as_chunks::<BLOCK>();
        let (to, to_rest) = self.integers.as_chunks_mut::<BLOCK>();
        let mut numbers = true;
        for (floats, integers) in blocks.iter().zip(to) {
            if T::SURE == 0.0 || !is_sure(self.factor, floats, integers) {
                numbers &= in_double(self.factor, floats, integers);
            }
        }
        numbers & in_double(self.factor, rest, to_rest)
    }
}

/// In single precision; whether every element is right for sure.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "rounded factors are accounted for, and bounds of eight and sixteen bits are exact"
)]
#[inline(always)]
fn is_sure<T: Integer>(factor: f64, floats: &[f32; BLOCK], integers: &mut [T; BLOCK]) -> bool {
    let factor = factor as f32;
    let (low, high) = T::DTYPE.range();
    let (low, high) = (low as f32, high as f32);
    let mut whole = [0; BLOCK];
    let mut sure = true;
    for (to, &x) in whole.iter_mut().zip(floats) {
        let product = x * factor;
        let product = if product < low { low } else { product };
        let product = if product > high { high } else { product };
        let nearest = (product + WHOLE_SINGLE) - WHOLE_SINGLE;
        // Not so for what is not a number.
        sure &= (product - nearest).abs() < T::SURE;
        *to = (nearest + WHOLE_SINGLE).to_bits();
    }
    for (to, bits) in integers.iter_mut().zip(whole) {
        *to = T::narrow(bits.cast_signed());
    }
    sure
}

/// In double precision, exactly; whether every float is a number.
#[inline(always)]
fn in_double<T: Integer>(factor: f64, floats: &[f32], integers: &mut [T]) -> bool {
    let (low, high) = T::DTYPE.range();
    let (low, high) = (f64::from(low), f64::from(high));
    let mut numbers = true;
    for (to, &x) in integers.iter_mut().zip(floats) {
        numbers &= !x.is_nan();
        let product = f64::from(x) * factor;
        let product = if product < low { low } else { product };
        let product = if product > high { high } else { product };
        let nearest = (product + WHOLE) - WHOLE;
        let half = if product - nearest >= 0.5 { 1.0 } else { 0.0 };
        *to = T::narrow(low_bits(nearest + half + WHOLE));
    }
    numbers
}

/// The integer that a double around [`WHOLE`] holds in its lowest bits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the lowest 32 bits are the integer"
)]
#[inline(always)]
fn low_bits(double: f64) -> i32 {
    double.to_bits() as i32
}

/// The float of an integer: `step` is the value of the output's ratio.
#[expect(
    clippy::cast_possible_truncation,
    reason = "answers are in single precision"
)]
pub(crate) fn dequantize<T: Integer>(step: f64, integer: T) -> f32 {
    (integer.wide() * step) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn equals<T: Integer + Into<i32>>(ratio: Ratio, floats: &[f32]) {
        for width in Width::available() {
            equals_at::<T>(ratio, width, floats);
        }
    }

    fn equals_at<T: Integer + Into<i32>>(ratio: Ratio, width: Width, floats: &[f32]) {
        let mut found = vec![T::default(); floats.len()];
        let ours = quantize(ratio, width, floats, &mut found);
        let spec = |x: &f32| ratio.quantize(x.to_bits(), T::DTYPE);
        let want: Result<Vec<i32>, NotANumber> = floats.iter().map(spec).collect();
        match want {
            Ok(want) => {
                assert_eq!(ours, Ok(()));
                let found: Vec<i32> = found.into_iter().map(Into::into).collect();
                assert_eq!(found, want, "{ratio:?} {floats:?}");
            }
            Err(error) => assert_eq!(ours.map_err(|(_, error)| error), Err(error)),
        }
    }

    fn equals_in_all_types(ratio: Ratio, floats: &[f32]) {
        equals::<i8>(ratio, floats);
        equals::<i16>(ratio, floats);
        equals::<i32>(ratio, floats);
    }

    /// Spec: interface, 6.2.
    #[test]
    fn halves_and_their_neighbours_and_extremes_round_as_the_specification_says() {
        let halves = (-300..300_i16).map(|n| f32::from(n) / 2.0);
        let beside = |x: f32| [x.next_down(), x, x.next_up()];
        let mut floats: Vec<f32> = halves.flat_map(beside).collect();
        floats.extend([f32::MAX, f32::MIN, f32::INFINITY, f32::NEG_INFINITY]);
        floats.extend([
            0.0,
            -0.0,
            f32::MIN_POSITIVE,
            -f32::MIN_POSITIVE,
            1e-45,
            -1e-45,
        ]);
        for (multiplier, shift) in [
            (1, 0),
            (1, 62),
            (127, 1),
            (16_777_215, 20),
            (EXACT_BELOW - 1, 28),
            (EXACT_BELOW, 29),
            (u32::MAX, 31),
            (u32::MAX, 0),
        ] {
            equals_in_all_types(Ratio { multiplier, shift }, &floats);
        }
    }

    /// Products around every half of eight bits, closer than single precision can tell.
    #[test]
    fn blocks_whose_products_stand_at_a_half_round_as_the_specification_says() {
        for (multiplier, shift) in [(16_777_213, 17), (8_388_609, 16), (12_345_677, 20)] {
            let ratio = Ratio { multiplier, shift };
            #[expect(clippy::cast_possible_truncation, reason = "any float near will do")]
            let near = |n: i16| ((f64::from(n) + 0.5) / value(ratio)) as f32;
            let around = |x: f32| (0..64).map(move |n| f32::from_bits(x.to_bits() + n - 32));
            let floats: Vec<f32> = (-130..130).map(near).flat_map(around).collect();
            equals_in_all_types(ratio, &floats);
            for start in 1..BLOCK {
                equals::<i8>(ratio, &floats[start..]);
            }
        }
    }

    #[test]
    fn the_first_that_is_not_a_number_is_named() {
        let ratio = Ratio {
            multiplier: 3,
            shift: 1,
        };
        let error = quantize(
            ratio,
            Width::best(),
            &[1.0, f32::NAN, f32::NAN],
            &mut [0_i8; 3],
        );
        assert_eq!(error.map_err(|(index, _)| index), Err(1));
        let mut long = [0.25; 100];
        long[40] = f32::NAN;
        let error = quantize(ratio, Width::best(), &long, &mut [0_i8; 100]);
        assert_eq!(error.map_err(|(index, _)| index), Err(40));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Any bits, any ratio: near the decision points as well as far away.
        #[test]
        fn any_float_by_any_ratio_has_the_bits_of_the_specification(
            bits in proptest::collection::vec(any::<u32>(), 1..100),
            multiplier in 1_u32..,
            shift in 0_u8..=62,
        ) {
            let floats: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
            equals_in_all_types(Ratio { multiplier, shift }, &floats);
        }

        #[test]
        fn floats_of_the_models_range_have_the_bits_of_the_specification(
            floats in proptest::collection::vec(-200.0_f32..200.0, 1..100),
            multiplier in 1_u32..1 << 24,
            shift in 0_u8..=30,
        ) {
            equals_in_all_types(Ratio { multiplier, shift }, &floats);
        }
    }
}

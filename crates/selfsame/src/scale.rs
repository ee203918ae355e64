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
//! Spec: interface, 6.2 and 6.4.

use selfsame_ir::{DType, NotANumber, Ratio};

/// Multipliers below this times a binary32 are exact in double precision.
const EXACT_BELOW: u32 = 1 << 29;
/// Its unit in the last place is 1.
const WHOLE: f64 = 6_755_399_441_055_744.0;

/// The first element that is not a number, with its index.
pub(crate) type Bad = (usize, NotANumber);

/// An element type that floats become.
pub(crate) trait Integer: Copy + Default {
    /// As the program knows it.
    const DTYPE: DType;
    /// The value, which is in range.
    fn narrow(value: i32) -> Self;
    /// The value in double precision.
    fn wide(self) -> f64;
}

macro_rules! integer {
    ($type:ty, $dtype:expr) => {
        impl Integer for $type {
            const DTYPE: DType = $dtype;
            #[allow(
                clippy::cast_possible_truncation,
                clippy::unnecessary_cast,
                clippy::cast_lossless,
                reason = "clamped to the type's range before"
            )]
            fn narrow(value: i32) -> Self {
                value as Self
            }
            fn wide(self) -> f64 {
                f64::from(self)
            }
        }
    };
}

integer!(i8, DType::I8);
integer!(i16, DType::I16);
integer!(i32, DType::I32);

/// The value of a ratio; exact, the divisor is a power of two.
pub(crate) fn value(ratio: Ratio) -> f64 {
    crate::answer::float(1, ratio)
}

/// Brings `floats` into integers of one type; the bits are those of [`Ratio::quantize`].
pub(crate) fn quantize<T: Integer>(
    ratio: Ratio,
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
    if numbers {
        return Ok(());
    }
    let index = floats.iter().position(|x| x.is_nan()).unwrap_or(0);
    let bits = floats.get(index).map_or(0, |x| x.to_bits());
    Err((index, NotANumber { bits }))
}

/// The integer that a double around [`WHOLE`] holds in its lowest bits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the lowest 32 bits are the integer"
)]
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
        let mut found = vec![T::default(); floats.len()];
        let ours = quantize(ratio, floats, &mut found);
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

    #[test]
    fn the_first_that_is_not_a_number_is_named() {
        let ratio = Ratio {
            multiplier: 3,
            shift: 1,
        };
        let error = quantize(ratio, &[1.0, f32::NAN, f32::NAN], &mut [0_i8; 3]);
        assert_eq!(error.map_err(|(index, _)| index), Err(1));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Any bits, any ratio: near the decision points as well as far away.
        #[test]
        fn any_float_by_any_ratio_has_the_bits_of_the_specification(
            bits in proptest::collection::vec(any::<u32>(), 1..20),
            multiplier in 1_u32..,
            shift in 0_u8..=62,
        ) {
            let floats: Vec<f32> = bits.into_iter().map(f32::from_bits).collect();
            equals_in_all_types(Ratio { multiplier, shift }, &floats);
        }

        #[test]
        fn floats_of_the_models_range_have_the_bits_of_the_specification(
            floats in proptest::collection::vec(-200.0_f32..200.0, 1..20),
            multiplier in 1_u32..1 << 24,
            shift in 0_u8..=30,
        ) {
            equals_in_all_types(Ratio { multiplier, shift }, &floats);
        }
    }
}

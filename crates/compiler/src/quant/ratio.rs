//! Positive reals as `multiplier / 2^shift`, without logarithms.

use selfsame_ir::{DType, Ratio};
use selfsame_protocol::constants::{MULTIPLIER_MAX, SHIFT_MAX};

/// The multiplier of 15 bits and the shift in `1..=shift_max` that come nearest to `ratio`.
///
/// `None` if the ratio is not positive, or so large that even shift 1 needs more than 15 bits.
pub(crate) fn requantizer(ratio: f64, shift_max: u32) -> Option<(u32, u32)> {
    if !(ratio.is_finite() && ratio > 0.0) {
        return None;
    }
    let shift = (1..=shift_max.min(SHIFT_MAX))
        .rev()
        .find(|&shift| scaled(ratio, shift) <= f64::from(MULTIPLIER_MAX))?;
    let multiplier = scaled(ratio, shift);
    // Few bits are left: round up, so that the weights made to measure do not clip.
    let multiplier = if multiplier < 256.0 {
        (ratio * power(shift)).ceil()
    } else {
        multiplier
    };
    Some((whole(multiplier.max(1.0)), shift))
}

/// The scale from a float to an integer of the input: within one part in 2^24, of int32 in 2^31.
pub(crate) fn input_ratio(ratio: f64, dtype: DType) -> Option<Ratio> {
    let bits = match dtype {
        DType::I8 | DType::I16 => 24,
        DType::I32 => 31,
    };
    nearest(ratio, power(bits))
}

/// The scale from an output integer to a float: the finest power of two that is at least `step`,
/// or a whole number above.
pub(crate) fn output_ratio(step: f64) -> Option<Ratio> {
    let shift = (0..=62_u8)
        .rev()
        .find(|&shift| 1.0 / power(u32::from(shift)) >= step);
    match shift {
        Some(shift) => Some(Ratio {
            multiplier: 1,
            shift,
        }),
        None => nearest(step.ceil(), f64::from(1_u32 << 24)),
    }
}

/// The ratio nearest to `value`, within one part in 2^24; the same one for the value of a ratio.
pub(crate) fn exact_ratio(value: f64) -> Option<Ratio> {
    nearest(value, f64::from(1_u32 << 24))
}

/// The value of a ratio.
pub(crate) fn ratio_value(ratio: Ratio) -> f64 {
    f64::from(ratio.multiplier) / power(u32::from(ratio.shift))
}

fn nearest(ratio: f64, limit: f64) -> Option<Ratio> {
    if !(ratio.is_finite() && ratio > 0.0) {
        return None;
    }
    let shift = (0..=62_u8)
        .rev()
        .find(|&s| (ratio * power(u32::from(s))).round() <= limit)?;
    let multiplier = whole((ratio * power(u32::from(shift))).round());
    let twos = multiplier.trailing_zeros().min(u32::from(shift));
    let shift = shift - u8::try_from(twos).unwrap_or(0);
    (multiplier >= 1).then_some(Ratio {
        multiplier: multiplier >> twos,
        shift,
    })
}

fn scaled(ratio: f64, shift: u32) -> f64 {
    (ratio * power(shift)).round()
}

/// `2^exponent`, exactly; the exponent is below 63.
pub(crate) fn power(exponent: u32) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "powers of two are exact")]
    {
        (1_u64 << exponent) as f64
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "callers pass whole numbers of at most 2^31"
)]
fn whole(value: f64) -> u32 {
    value as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multipliers_are_normalised_to_fifteen_bits() {
        for ratio in [1e-9, 0.000_812, 0.3, 1.0, 5.7, 16_000.0] {
            let (multiplier, shift) = requantizer(ratio, 46).unwrap();
            let found = f64::from(multiplier) / power(shift);
            assert!(
                (found / ratio - 1.0).abs() < 1.0 / 16_384.0 || shift == 46,
                "{ratio}"
            );
            assert!((1..=32_767).contains(&multiplier) && (1..=46).contains(&shift));
        }
        assert_eq!(requantizer(16_384.0, 46), None);
        assert_eq!(requantizer(0.0, 46), None);
        assert_eq!(requantizer(f64::NAN, 46), None);
    }

    #[test]
    fn input_ratios_drop_common_twos() {
        assert_eq!(
            input_ratio(127.0, DType::I8),
            Some(Ratio {
                multiplier: 127,
                shift: 0
            })
        );
        assert_eq!(
            input_ratio(63.5, DType::I8),
            Some(Ratio {
                multiplier: 127,
                shift: 1
            })
        );
        assert_eq!(
            output_ratio(0.001),
            Some(Ratio {
                multiplier: 1,
                shift: 9
            })
        );
    }
}

//! The integers that values become: how many there are of each type, the rounding to them, and how what it
//! leaves is measured.

/// Largest integer of an int8 weight or activation; -128 is not used.
pub(crate) const INT8_LEVELS: f64 = 127.0;
/// Largest integer of an int16 value; -32768 is not used.
pub(crate) const INT16_LEVELS: f64 = 32_767.0;
/// The same with head room: twice the largest magnitude that calibration saw still fits.
pub(crate) const INT16_HEADROOM_LEVELS: f64 = 16_383.0;

/// Signal over noise in decibels; infinite without noise.
pub(crate) fn decibels(signal: f64, noise: f64) -> f64 {
    if noise == 0.0 {
        f64::INFINITY
    } else {
        10.0 * (signal / noise).log10()
    }
}

/// The nearest int8, at most [`INT8_LEVELS`] from 0.
#[expect(
    clippy::cast_possible_truncation,
    reason = "clamped to the range of int8"
)]
pub(crate) fn to_i8(value: f64) -> i8 {
    value.round().clamp(-INT8_LEVELS, INT8_LEVELS) as i8
}

/// The nearest int16, at most [`INT16_LEVELS`] from 0.
#[expect(
    clippy::cast_possible_truncation,
    reason = "clamped to the range of int16"
)]
pub(crate) fn to_i16(value: f64) -> i16 {
    value.round().clamp(-INT16_LEVELS, INT16_LEVELS) as i16
}

/// The nearest int32 of a multiplier or bias, which the choice of its shift keeps below 2^31.
#[expect(
    clippy::cast_possible_truncation,
    reason = "below 2^31 by the choice of the shift; a cast saturates"
)]
pub(crate) fn to_i32(value: f64) -> i32 {
    value.round() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_out_of_range_become_the_largest_integer_of_their_side() {
        for (value, byte, word) in [(1e9, 127, 32_767), (-1e9, -127, -32_767), (2.5, 3, 3)] {
            assert_eq!((to_i8(value), to_i16(value)), (byte, word));
        }
        assert_eq!(to_i32(-2.5), -3);
    }
}

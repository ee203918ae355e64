//! What matmul and convolution do with an accumulator.
//!
//! ```text
//! v = clamp((acc*M + addend*A + 2^(s-1)) >> s, low, high);  out = table[v + 128] or v
//! ```
//!
//! |acc| is below 2^36, |addend| at most 2^31, M and A below 2^15, the rounding term at most 2^45: the sum
//! fits 53 bits, so 64 cannot overflow. With a row factor see [`FactorShift`].
//!
//! Spec: operators, 2.10 and 2.11.

use selfsame_ir::{ChannelConstants, FactorShift, Linear, Tensor};

use crate::ops::read;

/// `(acc*M + addend*A + 2^(s-1)) >> s`: one rounding, halves towards plus infinity.
pub fn requantize(accumulator: i64, addend: i64, constants: &ChannelConstants) -> i64 {
    let scaled = accumulator * i64::from(constants.multiplier)
        + addend * i64::from(constants.addend_multiplier);
    let shift = constants.shift.clamp(1, 46);
    (scaled + (1_i64 << (shift - 1))) >> shift
}

/// `(q*M + 2^(s-1)) >> s` for a quantity of up to 90 bits, cut to 64.
pub(crate) fn rescale(quantity: i128, multiplier: u16, shift: u8) -> i64 {
    let shift = shift.clamp(1, 46);
    let rounded = (quantity * i128::from(multiplier) + (1_i128 << (shift - 1))) >> shift;
    let cut = rounded.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
    i64::try_from(cut).unwrap_or(i64::MAX)
}

/// The output element of channel `channel` at flat index `index`, given the sum of its products.
pub(crate) fn finish(
    linear: &Linear,
    inputs: &[&Tensor],
    channel: u64,
    index: u64,
    sum: i64,
    factor: Option<(FactorShift, i32)>,
) -> i32 {
    let constants = usize::try_from(channel)
        .ok()
        .and_then(|at| linear.constants.get(at));
    let Some(constants) = constants else { return 0 };
    let addend = match linear.addend {
        Some(_) => i64::from(read(inputs, 1, index)),
        None => 0,
    };
    let value = match factor {
        None => requantize(sum + i64::from(constants.bias), addend, constants),
        Some((shift, factor)) => {
            let bare = ChannelConstants {
                addend_multiplier: 0,
                ..*constants
            };
            let offset =
                i64::from(constants.bias) + addend * i64::from(constants.addend_multiplier);
            shift.apply(requantize(sum, 0, &bare), factor, offset)
        }
    };
    let clamped = clamp(value, linear.low, linear.high);
    match &linear.table {
        None => clamped,
        Some(table) => {
            let at = usize::try_from(clamped.saturating_add(128))
                .unwrap_or(0)
                .min(255);
            table.get(at).map_or(0, |&entry| i32::from(entry))
        }
    }
}

/// Clamps to `low..=high`, both of which fit an `i32`.
pub(crate) fn clamp(value: i64, low: i32, high: i32) -> i32 {
    let bounded = value.min(i64::from(high)).max(i64::from(low));
    i32::try_from(bounded).unwrap_or(low)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec: operators, 2.10.
    #[test]
    fn halves_round_towards_plus_infinity_on_both_sides_of_zero() {
        let half = ChannelConstants {
            bias: 0,
            multiplier: 1,
            addend_multiplier: 0,
            shift: 1,
        };
        for (acc, want) in [(3, 2), (1, 1), (-1, 0), (-3, -1), (2, 1), (-2, -1)] {
            assert_eq!(requantize(acc, 0, &half), want, "{acc}/2");
        }
    }

    /// Spec: operators, 2.17.
    #[test]
    fn a_partial_sum_node_is_the_identity_on_its_accumulator() {
        let identity = ChannelConstants {
            bias: 0,
            multiplier: 2,
            addend_multiplier: 2,
            shift: 1,
        };
        for acc in [0, 1, -1, 264_241_152, -264_241_152] {
            assert_eq!(requantize(acc, 0, &identity), acc);
            assert_eq!(requantize(acc, 77, &identity), acc + 77);
        }
    }
}

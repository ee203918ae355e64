//! One output channel of a linear node: int8 weights made to measure for its multiplier.
//!
//! ```text
//! y * step_out = (sum x*w + bias) * (M / 2^s) * step_out + ...
//! w = round(weight * step_in / (step_out * M / 2^s))
//! ```
//!
//! The multiplier is chosen first and the weights are rounded for exactly that multiplier, so a
//! multiplier of few bits costs a slightly coarser grid of weights, never a wrong factor. That
//! matters beside an addend: both multipliers have 15 bits and share one shift.

use selfsame_ir::ChannelConstants;
use selfsame_protocol::constants::{BIAS_MAX, MULTIPLIER_MAX, SHIFT_MAX};

use super::levels::{INT8_LEVELS, to_i8, to_i32};
use super::ratio::{power, requantizer};

/// A channel before quantisation. A step is the real value of one integer unit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChannelInput<'a> {
    /// Weights in the order of the program.
    pub(crate) weights: &'a [f32],
    /// Bias.
    pub(crate) bias: f64,
    /// Step of the input.
    pub(crate) step_in: f64,
    /// Step of the output (before a table, if there is one).
    pub(crate) step_out: f64,
    /// Step of the addend, if there is one.
    pub(crate) step_addend: Option<f64>,
}

/// A quantised channel.
#[derive(Debug, Clone)]
pub(crate) struct QuantizedChannel {
    pub(crate) weights: Vec<i8>,
    pub(crate) constants: ChannelConstants,
}

/// Quantises one channel; `None` if no multiplier of the format fits.
pub(crate) fn quantize_channel(channel: &ChannelInput<'_>) -> Option<QuantizedChannel> {
    let largest = channel
        .weights
        .iter()
        .fold(0.0_f64, |m, w| m.max(f64::from(w.abs())));
    // A weight step so small that the bias would not fit is made larger.
    let for_bias = channel.bias.abs() / (channel.step_in * f64::from(BIAS_MAX / 4));
    let mut weight_step = (largest / INT8_LEVELS).max(for_bias);
    if weight_step == 0.0 {
        weight_step = channel.step_out / channel.step_in / 1024.0;
    }
    let (addend_multiplier, shift_max) = match channel.step_addend {
        None => (0, SHIFT_MAX),
        Some(step) => addend(step / channel.step_out)?,
    };
    let ratio = channel.step_in * weight_step / channel.step_out;
    let (multiplier, shift) = requantizer(ratio, shift_max)?;
    let addend_multiplier = match channel.step_addend {
        // The shift may have become smaller than the addend alone would need.
        Some(step) if shift < shift_max => to_i32(step / channel.step_out * power(shift)),
        Some(_) | None => addend_multiplier,
    };
    let exact_ratio = f64::from(multiplier) / power(shift);
    let exact_step = exact_ratio * channel.step_out / channel.step_in;
    let weights = channel
        .weights
        .iter()
        .map(|&w| to_i8(f64::from(w) / exact_step))
        .collect();
    let bias = channel.bias / (exact_ratio * channel.step_out);
    let limit = f64::from(BIAS_MAX);
    Some(QuantizedChannel {
        weights,
        constants: ChannelConstants {
            bias: to_i32(bias.clamp(-limit, limit)),
            multiplier: i32::try_from(multiplier).ok()?,
            addend_multiplier,
            shift: i32::try_from(shift).ok()?,
        },
    })
}

/// The finest multiplier of an addend, and the largest shift that it allows.
fn addend(ratio: f64) -> Option<(i32, u32)> {
    let shift = (1..=SHIFT_MAX)
        .rev()
        .find(|&shift| (ratio * power(shift)).round() <= f64::from(MULTIPLIER_MAX))?;
    Some((to_i32(ratio * power(shift)), shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_product_of_integers_is_the_product_of_reals() {
        for step_addend in [None, Some(0.03), Some(0.004)] {
            let channel = ChannelInput {
                weights: &[0.5, -0.25, 0.125, 0.031],
                bias: 0.7,
                step_in: 0.01,
                step_out: 0.02,
                step_addend,
            };
            let q = quantize_channel(&channel).unwrap();
            let factor =
                f64::from(q.constants.multiplier) / power(q.constants.shift.cast_unsigned());
            let x = [100, -50, 25, 127];
            let acc: i32 = q
                .weights
                .iter()
                .zip(x)
                .map(|(&w, x)| i32::from(w) * x)
                .sum();
            let found = f64::from(acc + q.constants.bias) * factor * 0.02;
            let wanted = 0.01 * (50.0 + 12.5 + 3.125 + 0.031 * 127.0) + 0.7;
            assert!((found - wanted).abs() < 0.01, "{found} {wanted} {q:?}");
            if let Some(step) = step_addend {
                let a = f64::from(q.constants.addend_multiplier)
                    / power(q.constants.shift.cast_unsigned());
                assert!((a / (step / 0.02) - 1.0).abs() < 1e-3, "{a}");
            }
        }
    }

    #[test]
    fn a_dead_channel_still_carries_its_bias() {
        let channel = ChannelInput {
            weights: &[0.0, 0.0],
            bias: -3.0,
            step_in: 0.01,
            step_out: 0.05,
            step_addend: None,
        };
        let q = quantize_channel(&channel).unwrap();
        let factor = f64::from(q.constants.multiplier) / power(q.constants.shift.cast_unsigned());
        assert!((f64::from(q.constants.bias) * factor * 0.05 + 3.0).abs() < 1e-2);
    }
}

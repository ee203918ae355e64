//! Exponential, logistic function and hyperbolic tangent from `+ - * /` alone.
//!
//! The mathematics library differs between machines; the four operations do not. Tables of a
//! program come from here, so that an import gives the same bytes everywhere.

const LN2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
const LOG2_E: f64 = core::f64::consts::LOG2_E;

/// `e^x`, to about 1e-15; 0 below -708 and infinity above 709.
///
/// `x = k ln 2 + r` with `|r| <= ln 2 / 2`, then sixteen Taylor terms of `e^r`.
pub fn exp(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x > 709.0 {
        return f64::INFINITY;
    }
    if x < -708.0 {
        return 0.0;
    }
    let k = (x * LOG2_E).round_ties_even();
    let r = (x - k * LN2_HIGH) - k * LN2_LOW;
    let mut sum = 1.0;
    for term in (1..=16_u32).rev() {
        sum = 1.0 + sum * r / f64::from(term);
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "k is a whole number in -1022..=1023"
    )]
    let power = f64::from_bits(((k as i64 + 1023) as u64) << 52);
    sum * power
}

/// `1 / (1 + e^-x)`.
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// Hyperbolic tangent, `1 - 2 / (e^2x + 1)`; odd by construction.
pub fn tanh(x: f64) -> f64 {
    let magnitude = 1.0 - 2.0 / (exp(2.0 * x.abs()) + 1.0);
    if x < 0.0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_functions_agree_with_the_library_to_fourteen_digits() {
        for i in -7000..7000 {
            let x = f64::from(i) / 10.0;
            assert!((exp(x) / x.exp() - 1.0).abs() < 1e-14, "exp {x}");
            assert!((tanh(x) - x.tanh()).abs() < 1e-14, "tanh {x}");
        }
        assert!((sigmoid(0.0) - 0.5).abs() < 1e-16);
        assert!(exp(-1000.0) == 0.0 && exp(1000.0).is_infinite() && exp(f64::NAN).is_nan());
    }
}

//! Exponential, logistic function, angles and error function from `+ - * /` and square roots alone.
//!
//! The mathematics library differs between machines; the four operations and the root do not. Tables of a
//! program come from here, so that an import gives the same bytes everywhere.

const LN2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
const LOG2_E: f64 = core::f64::consts::LOG2_E;

/// Adding and subtracting it rounds a number of less than 2^51 to the nearest whole one, ties to even.
const WHOLE: f64 = 6_755_399_441_055_744.0;

/// `x / divisor`, rounded once, for a whole divisor below 2^20 and quotients far from the ends of the range.
///
/// With `FUSED`, where `mul_add` is an instruction, by a product with the rounded reciprocal and what
/// remains. That product is off by at most 1.5 units of its last place; so the remainder is a multiple of
/// that unit, below `2 * divisor` of them, and exact. The corrected quotient is off by less than 2^-51
/// units before it is rounded. The true one lies at least `1 / (2 * divisor)` units away from the middle
/// between two numbers, or on it; the latter needs a power of two for a divisor, and then nothing here is
/// rounded.
#[inline(always)]
fn quotient<const FUSED: bool>(x: f64, divisor: f64) -> f64 {
    if FUSED {
        let reciprocal = 1.0 / divisor;
        let near = x * reciprocal;
        let rest = (-near).mul_add(divisor, x);
        rest.mul_add(reciprocal, near)
    } else {
        x / divisor
    }
}

/// `e^x`, to about 1e-15; 0 below -708 and infinity above 709.
///
/// `x = k ln 2 + r` with `|r| <= ln 2 / 2`, then sixteen Taylor terms of `e^r`.
pub fn exp(x: f64) -> f64 {
    let mut lanes = [x];
    exp_lanes::<false, 1>(&mut lanes);
    lanes[0]
}

/// [`exp`] of each lane.
#[inline(always)]
pub(super) fn exp_lanes<const FUSED: bool, const LANES: usize>(x: &mut [f64; LANES]) {
    let k = x.map(|x| (x * LOG2_E + WHOLE) - WHOLE);
    let mut r = [0.0; LANES];
    for ((r, x), k) in r.iter_mut().zip(&*x).zip(&k) {
        *r = (x - k * LN2_HIGH) - k * LN2_LOW;
    }
    let mut sums = [1.0; LANES];
    for term in (1..=16_u32).rev() {
        for (sum, r) in sums.iter_mut().zip(&r) {
            *sum = 1.0 + quotient::<FUSED>(*sum * r, f64::from(term));
        }
    }
    for ((x, k), sum) in x.iter_mut().zip(&k).zip(&sums) {
        // The last bits of 2^52 + n are those of n; k is a whole number in -1022..=1023.
        let power = f64::from_bits((k + (1023.0 + 4_503_599_627_370_496.0)).to_bits() << 52);
        let inside = sum * power;
        let value = if *x < -708.0 { 0.0 } else { inside };
        let value = if *x > 709.0 { f64::INFINITY } else { value };
        *x = if x.is_nan() { *x } else { value };
    }
}

/// `1 / (1 + e^-x)`.
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + exp(-x))
}

/// [`sigmoid`] of each lane.
#[inline(always)]
pub(super) fn sigmoid_lanes<const FUSED: bool, const LANES: usize>(x: &mut [f64; LANES]) {
    *x = x.map(|x| -x);
    exp_lanes::<FUSED, LANES>(x);
    *x = x.map(|power| 1.0 / (1.0 + power));
}

/// Hyperbolic tangent, `1 - 2 / (e^2x + 1)`; odd by construction.
pub fn tanh(x: f64) -> f64 {
    let mut lanes = [x];
    tanh_lanes::<false, 1>(&mut lanes);
    lanes[0]
}

/// [`tanh`] of each lane.
#[inline(always)]
pub(super) fn tanh_lanes<const FUSED: bool, const LANES: usize>(x: &mut [f64; LANES]) {
    let mut powers = x.map(|x| 2.0 * x.abs());
    exp_lanes::<FUSED, LANES>(&mut powers);
    for (x, power) in x.iter_mut().zip(&powers) {
        let magnitude = 1.0 - 2.0 / (power + 1.0);
        *x = if *x < 0.0 { -magnitude } else { magnitude };
    }
}

/// Natural logarithm, to about 1e-15; of 0 and less that of the smallest normal number.
///
/// `x = m 2^k` with `m` in 1..2, then `ln m = 2 atanh((m - 1) / (m + 1))`.
pub fn ln(x: f64) -> f64 {
    let bits = x.max(f64::MIN_POSITIVE).to_bits();
    let exponent = i32::try_from(bits >> 52).map_or(0, |e| e - 1023);
    let mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    let z = (mantissa - 1.0) / (mantissa + 1.0);
    let mut sum = 0.0;
    for term in (0..=20_u32).rev() {
        sum = sum * z * z + 1.0 / f64::from(2 * term + 1);
    }
    f64::from(exponent) * core::f64::consts::LN_2 + 2.0 * z * sum
}

/// `ln(1 + e^x)`, as `max(x, 0) + ln(1 + e^-|x|)`.
pub fn softplus(x: f64) -> f64 {
    // ln(1 + u) = 2 atanh(z) with z = u / (2 + u), at most 1/3 here.
    let u = exp(-x.abs());
    let z = u / (2.0 + u);
    let mut sum = 0.0;
    for term in (0..=20_u32).rev() {
        sum = sum * z * z + 1.0 / f64::from(2 * term + 1);
    }
    x.max(0.0) + 2.0 * z * sum
}

/// Error function, to about 1e-14; odd by construction.
///
/// `erf(x) = 2 / sqrt(pi) * e^(-x^2) * sum of 2^n x^(2n+1) / (1 * 3 * ... * (2n+1))`, all terms positive.
pub fn erf(x: f64) -> f64 {
    let mut lanes = [x];
    erf_lanes::<false, 1>(&mut lanes);
    lanes[0]
}

/// [`erf`] of each lane.
#[inline(always)]
pub(super) fn erf_lanes<const FUSED: bool, const LANES: usize>(x: &mut [f64; LANES]) {
    let magnitudes = x.map(|x| x.abs().min(7.0));
    let mut sums = [1.0; LANES];
    for term in (1..=120_u32).rev() {
        let divisor = f64::from(2 * term + 1);
        for (sum, magnitude) in sums.iter_mut().zip(&magnitudes) {
            *sum = 1.0 + quotient::<FUSED>(*sum * 2.0 * magnitude * magnitude, divisor);
        }
    }
    let mut powers = magnitudes.map(|magnitude| -magnitude * magnitude);
    exp_lanes::<FUSED, LANES>(&mut powers);
    for (((x, magnitude), power), sum) in x.iter_mut().zip(&magnitudes).zip(&powers).zip(&sums) {
        let inside = core::f64::consts::FRAC_2_SQRT_PI * power * magnitude * sum;
        let value = if *magnitude > 6.0 { 1.0 } else { inside };
        let value = if *x < 0.0 { -value } else { value };
        *x = if x.is_nan() { *x } else { value };
    }
}

const HALF_PI_HIGH: f64 = 1.570_796_326_734_125_6;
const HALF_PI_LOW: f64 = 6.077_100_506_506_192e-11;

/// Sine, to about 1e-12 for arguments below a million; 0 beyond 2^40.
///
/// `x = k pi/2 + r` with `|r| <= pi/4`, then the series of sine or cosine of `r`.
pub fn sin(x: f64) -> f64 {
    turned(x, 0)
}

/// Cosine, as exact as [`sin`].
pub fn cos(x: f64) -> f64 {
    turned(x, 1)
}

/// Sine of `x` plus `quarters` quarter turns.
fn turned(x: f64, quarters: i64) -> f64 {
    if x.is_nan() || x.abs() > 1_099_511_627_776.0 {
        return 0.0;
    }
    let k = (x * core::f64::consts::FRAC_2_PI).round_ties_even();
    let r = (x - k * HALF_PI_HIGH) - k * HALF_PI_LOW;
    #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^41")]
    let quadrant = (k as i64 + quarters).rem_euclid(4);
    let squared = r * r;
    let series = |first: u32| {
        let mut sum = 1.0;
        for term in (1..=9_u32).rev() {
            let n = 2 * term + first;
            sum = 1.0 - sum * squared / f64::from(n * (n - 1));
        }
        sum
    };
    let value = if quadrant % 2 == 0 {
        r * series(1)
    } else {
        series(0)
    };
    if quadrant >= 2 { -value } else { value }
}

/// Arc tangent, to about 1e-15.
///
/// `atan x = pi/2 - atan 1/x` above 1, then halved angles, `atan x = 2 atan(x / (1 + sqrt(1 + x^2)))`,
/// twice, and the series.
pub fn atan(x: f64) -> f64 {
    let magnitude = x.abs();
    let inverse = magnitude > 1.0;
    let mut z = if inverse { 1.0 / magnitude } else { magnitude };
    for _ in 0..2 {
        z /= 1.0 + (1.0 + z * z).sqrt();
    }
    let squared = z * z;
    let mut sum = 0.0;
    for term in (0..=16_u32).rev() {
        sum = 1.0 / f64::from(2 * term + 1) - sum * squared;
    }
    let angle = 4.0 * z * sum;
    let angle = if inverse {
        core::f64::consts::FRAC_PI_2 - angle
    } else {
        angle
    };
    if x < 0.0 { -angle } else { angle }
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
            let wanted = x.max(0.0) + (-x.abs()).exp().ln_1p();
            assert!((softplus(x) - wanted).abs() < 1e-13, "softplus {x}");
        }
        assert!((sigmoid(0.0) - 0.5).abs() < 1e-16);
        for x in [1e-300, 1e-5, 0.3, 1.0, 1.999, 2.0, 1e9] {
            assert!((ln(x) - x.ln()).abs() < 1e-12, "ln {x}");
        }
        assert!(ln(0.0) < -700.0 && ln(-1.0) < -700.0);
        for (x, wanted) in [
            (0.0, 0.0),
            (0.5, 0.520_499_877_813_046_5),
            (-1.0, -0.842_700_792_949_714_9),
            (2.5, 0.999_593_047_982_555),
            (7.0, 1.0),
        ] {
            assert!((erf(x) - wanted).abs() < 1e-14, "erf {x}");
        }
        assert!(exp(-1000.0) == 0.0 && exp(1000.0).is_infinite() && exp(f64::NAN).is_nan());
    }

    #[test]
    fn angles_follow_the_mathematics_library() {
        for i in -4000..4000 {
            let x = f64::from(i) / 37.0;
            assert!((sin(x) - x.sin()).abs() < 1e-12, "{x}");
            assert!((cos(x) - x.cos()).abs() < 1e-12, "{x}");
            assert!((atan(x) - x.atan()).abs() < 1e-14, "{x}");
        }
    }
}

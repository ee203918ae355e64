//! Rows centred, scaled by a factor of the row and a multiplier of the column, shifted.
//!
//! ```text
//! t = clamp to i32(((x*2^f - center)*M[c] + 2^(s[c]-1)) >> s[c])
//! v = clamp((t*g + bias[c]*2^15 + 2^(S-1)) >> S, lo, hi)       g = 2^15 without a row factor
//! ```
//!
//! |x*2^f - center| is below 2^47 and |M| below 2^15; t and g have 32 bits: every sum fits 64.
//!
//! Spec: operators, 2.24.

use crate::finish::{FACTOR_BITS, Output};
use crate::pointwise::Source;

/// Parameters of a normalisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NormalizeSpec {
    /// f in 0..=15.
    pub center_bits: u32,
    /// S in 1..=46.
    pub shift: u32,
    /// Clamp, lower bound.
    pub lo: i32,
    /// Clamp, upper bound.
    pub hi: i32,
    /// Bias, M, s of each column.
    pub constants: Vec<[i32; 3]>,
}

/// Normalises whole rows; `center` and `factor` have one element for each of them.
///
/// # Panics
///
/// If a length is not that of its shape: graph checking has already made them fit.
pub fn normalize(
    spec: &NormalizeSpec,
    flip: u8,
    x: Source,
    center: Option<&[i32]>,
    factor: Option<&[i32]>,
    to: &mut Output,
) {
    let columns = spec.constants.len().max(1);
    assert_eq!(x.len(), to.len(), "normalize: x");
    for row in 0..x.len() / columns {
        let center = center.map_or(0, |center| i64::from(center[row]));
        let factor = factor.map_or(1 << FACTOR_BITS, |factor| factor[row]);
        for (column, &[bias, m, s]) in spec.constants.iter().enumerate() {
            let at = row * columns + column;
            let x = (i64::from(x.at(flip, at)) << spec.center_bits) - center;
            let t = (x * i64::from(m) + (1_i64 << (s - 1))) >> s;
            let t = t.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
            let wide = t * i64::from(factor) + (i64::from(bias) << FACTOR_BITS);
            let v = (wide + (1_i64 << (spec.shift - 1))) >> spec.shift;
            let v = v.clamp(i64::from(spec.lo), i64::from(spec.hi)) as i32;
            to.put(flip, at, v);
        }
    }
}

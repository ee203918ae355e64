//! Rows centred, scaled by a factor of the row and a multiplier of the column, shifted.
//!
//! ```text
//! t = clamp to i32(((x*2^f - center)*M[c] + 2^(s[c]-1)) >> s[c])
//! v = clamp((t*g + bias[c]*2^15 + 2^(S-1)) >> S, lo, hi)       g = 2^15 without a row factor
//! ```
//!
//! |x*2^f - center| is below 2^47 and |M| below 2^15; t and g have 32 bits: every sum fits 64. Where a row's differences fit
//! 32 bits, they are multiplied there.
//!
//! Spec: operators, 2.24.

use crate::finish::{FACTOR_BITS, Output};
use crate::kernel::Kernel;
use crate::pointwise::Source;
use crate::sets::per_set;

/// Columns that are computed between loading and storing.
const BLOCK: usize = 128;

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
    /// Bias of each column.
    pub bias: Vec<i32>,
    /// M of each column.
    pub multiplier: Vec<i32>,
    /// s of each column, in 1..=46.
    pub column_shift: Vec<i32>,
}

/// Normalises whole rows; `center` and `factor` have one element for each of them.
///
/// # Panics
///
/// If a length is not that of its shape: graph checking has already made them fit.
pub fn normalize(
    kernel: Kernel,
    spec: &NormalizeSpec,
    x: Source,
    center: Option<&[i32]>,
    factor: Option<&[i32]>,
    mut to: Output,
) {
    let columns = spec.bias.len().max(1);
    assert_eq!(x.len(), to.len(), "normalize: x");
    assert_eq!(spec.multiplier.len(), spec.bias.len(), "normalize: columns");
    assert_eq!(
        spec.column_shift.len(),
        spec.bias.len(),
        "normalize: columns"
    );
    let (flip, to) = (kernel.flip(), &mut to);
    for row in 0..x.len() / columns {
        let row = Row {
            first: row * columns,
            center: center.map_or(0, |center| center[row]),
            factor: factor.map_or(1 << FACTOR_BITS, |factor| factor[row]),
        };
        per_set!(kernel, body, (
            spec: &NormalizeSpec, flip: u8, row: Row, x: Source<'_>, to: &mut Output<'_>,
        ));
    }
}

/// A row and its values.
#[derive(Clone, Copy)]
struct Row {
    first: usize,
    center: i32,
    factor: i32,
}

#[inline(always)]
fn body(spec: &NormalizeSpec, flip: u8, row: Row, x: Source, to: &mut Output) {
    let columns = spec.bias.len();
    let narrow = !matches!(x, Source::I32(_)) && row.center.unsigned_abs() < 1 << 30;
    let mut values = [0; BLOCK];
    for column in (0..columns).step_by(BLOCK) {
        let values = &mut values[..BLOCK.min(columns - column)];
        x.load(flip, row.first + column, values);
        if narrow {
            // |x * 2^15| is at most 2^30.
            let (f, center) = (spec.center_bits, row.center);
            block(spec, column, row.factor, values, |x| {
                i64::from((x << f) - center)
            });
        } else {
            let (f, center) = (spec.center_bits, i64::from(row.center));
            block(spec, column, row.factor, values, |x| {
                (i64::from(x) << f) - center
            });
        }
        to.put_all(flip, row.first + column, values);
    }
}

#[inline(always)]
fn block(
    spec: &NormalizeSpec,
    column: usize,
    factor: i32,
    values: &mut [i32],
    difference: impl Fn(i32) -> i64,
) {
    let end = column + values.len();
    let constants = spec.bias[column..end]
        .iter()
        .zip(&spec.multiplier[column..end])
        .zip(&spec.column_shift[column..end]);
    let half = 1_i64 << (spec.shift - 1);
    for (value, ((&bias, &m), &s)) in values.iter_mut().zip(constants) {
        let s = s as u32 & 63;
        let wide = difference(*value) * i64::from(m) + ((1_u64 << s) >> 1) as i64;
        let t = (wide >> s).clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
        let wide = i64::from(t) * i64::from(factor) + (i64::from(bias) << FACTOR_BITS);
        let v = (wide + half) >> (spec.shift & 63);
        *value = v.clamp(i64::from(spec.lo), i64::from(spec.hi)) as i32;
    }
}

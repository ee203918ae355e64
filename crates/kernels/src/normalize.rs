//! Rows centred, scaled by a factor of the row and a multiplier of the column, shifted.
//!
//! ```text
//! t = clamp to i32(((x*2^f - center)*M[c] + 2^(s[c]-1)) >> s[c])
//! v = clamp((t*g + bias[c]*2^15 + 2^(S-1)) >> S, lo, hi)       g = 2^15 without a row factor
//! ```
//!
//! |x*2^f - center| is below 2^47 and |M| below 2^15; t and g have 32 bits: every sum fits 64. Where a
//! row's differences fit 32 bits, they are multiplied there.
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
    /// M of each column, |M| < 2^15.
    pub multiplier: Vec<i16>,
    /// s of each column, in 1..=46.
    pub column_shift: Vec<u8>,
}

/// A normalisation, ready to run.
#[derive(Debug)]
pub struct Normalization {
    spec: NormalizeSpec,
    steep: Steep,
}

impl Normalization {
    /// # Panics
    ///
    /// If the constants are not those of equally many columns: graph checking has already made them fit.
    pub fn new(spec: NormalizeSpec) -> Self {
        let columns = spec.bias.len();
        assert_eq!(spec.multiplier.len(), columns, "normalize: columns");
        assert_eq!(spec.column_shift.len(), columns, "normalize: columns");
        let steep = Steep::new(&spec);
        Self { spec, steep }
    }

    /// Elements of a row.
    pub fn columns(&self) -> usize {
        self.spec.bias.len()
    }

    /// Normalises whole rows; `center` and `factor` have one element for each of them.
    ///
    /// # Panics
    ///
    /// If a length is not that of its shape: graph checking has already made them fit.
    pub fn run(
        &self,
        kernel: Kernel,
        x: Source,
        center: Option<&[i32]>,
        factor: Option<&[i32]>,
        mut to: Output,
    ) {
        let (spec, columns) = (&self.spec, self.columns().max(1));
        assert_eq!(x.len(), to.len(), "normalize: x");
        let (flip, to) = (kernel.flip(), &mut to);
        for row in 0..x.len() / columns {
            let mut row = Row {
                first: row * columns,
                center: center.map_or(0, |center| center[row]),
                factor: factor.map_or(1 << FACTOR_BITS, |factor| factor[row]),
                fits: false,
            };
            row.fits = self.steep.fits(spec, &row, &x);
            per_set!(
                kernel,
                body,
                (spec: &NormalizeSpec, flip: u8, row: Row, x: Source<'_>, to: &mut Output<'_>)
            );
        }
    }
}

/// A row and its values.
#[derive(Clone, Copy)]
struct Row {
    first: usize,
    center: i32,
    factor: i32,
    /// Differences, t and v fit 32 bits, and no shift is longer than 32.
    fits: bool,
}

/// The largest constants of all columns.
#[derive(Debug)]
struct Steep {
    /// `ceil(2^16 * |M| / 2^s)`.
    slope: i64,
    bias: i64,
    shifts_are_short: bool,
}

impl Steep {
    fn new(spec: &NormalizeSpec) -> Self {
        let scales = spec.multiplier.iter().zip(&spec.column_shift);
        let slopes = scales.map(|(&m, &s)| ((i64::from(m).abs() << 16) >> s) + 1);
        Self {
            slope: slopes.max().unwrap_or(0),
            bias: spec
                .bias
                .iter()
                .map(|&b| i64::from(b).abs())
                .max()
                .unwrap_or(0),
            shifts_are_short: spec.shift <= 32 && spec.column_shift.iter().all(|&s| s <= 32),
        }
    }

    fn fits(&self, spec: &NormalizeSpec, row: &Row, x: &Source) -> bool {
        // At most 2^46, and 2^47 with the center.
        let difference = (x.bound() << spec.center_bits) + i64::from(row.center).abs();
        if 1 << 31 <= difference || !self.shifts_are_short {
            return false;
        }
        // A slope is at most 2^31; one more for the rounding.
        let t = ((i128::from(difference) * i128::from(self.slope)) >> 16) + 1;
        let offset = i128::from(self.bias) << FACTOR_BITS | 1 << (spec.shift - 1);
        let v = t * i128::from(row.factor).abs() + 2 * offset;
        t < 1 << 31 && v < 1 << (31 + spec.shift)
    }
}

#[inline(always)]
fn body(spec: &NormalizeSpec, flip: u8, row: Row, x: Source, to: &mut Output) {
    let columns = spec.bias.len();
    let mut values = [0; BLOCK];
    for column in (0..columns).step_by(BLOCK) {
        let values = &mut values[..BLOCK.min(columns - column)];
        x.load(flip, row.first + column, values);
        if row.fits {
            narrow(spec, column, &row, values);
        } else {
            wide(spec, column, &row, values);
        }
        to.put_all(flip, row.first + column, values);
    }
}

/// Any row.
#[inline(always)]
fn wide(spec: &NormalizeSpec, column: usize, row: &Row, values: &mut [i32]) {
    let (f, center) = (spec.center_bits, i64::from(row.center));
    let half = 1_i64 << (spec.shift - 1);
    for (i, value) in values.iter_mut().enumerate() {
        let (bias, m) = (spec.bias[column + i], spec.multiplier[column + i]);
        let s = spec.column_shift[column + i];
        let product = ((i64::from(*value) << f) - center) * i64::from(m);
        let t = (product + (1_i64 << (s - 1))) >> s;
        let t = t.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
        let sum = t * i64::from(row.factor) + (i64::from(bias) << FACTOR_BITS);
        let v = (sum + half) >> spec.shift;
        *value = v.clamp(i64::from(spec.lo), i64::from(spec.hi)) as i32;
    }
}

/// A row that fits 32 bits: the lower half of a shifted sum is all of it, and as no shift is longer
/// than 32, it does not matter what is shifted in.
#[inline(always)]
fn narrow(spec: &NormalizeSpec, column: usize, row: &Row, values: &mut [i32]) {
    let end = column + values.len();
    let constants = spec.bias[column..end]
        .iter()
        .zip(&spec.multiplier[column..end])
        .zip(&spec.column_shift[column..end]);
    let half = 1_i64 << (spec.shift - 1);
    for (value, ((&bias, &m), &s)) in values.iter_mut().zip(constants) {
        let s = s & 63;
        let difference = (*value << spec.center_bits).wrapping_sub(row.center);
        let product = i64::from(difference) * i64::from(m);
        let t = (product.wrapping_add(((1_u64 << s) >> 1) as i64) as u64 >> s) as i32;
        let offset = (i64::from(bias) << FACTOR_BITS) + half;
        let sum = (i64::from(t) * i64::from(row.factor)).wrapping_add(offset);
        let v = (sum as u64 >> (spec.shift & 63)) as i32;
        *value = v.max(spec.lo).min(spec.hi);
    }
}

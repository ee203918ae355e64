//! Matrix products of rows with a row factor, and of two inputs: the meaning, in plain Rust.
//!
//! ```text
//! t = clamp to i32((acc*M + 2^(s-1)) >> s)
//! v = clamp((t*g + (bias + addend*A)*2^15 + 2^(S-1)) >> S, lo, hi)
//! ```
//!
//! Spec: operators, 2.21 and 2.22.

use crate::finish::{FACTOR_BITS, Output};
use crate::pointwise::Source;

/// What is fixed about a matrix product of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowsSpec {
    /// Elements of a row of the input.
    pub row_elements: usize,
    /// First of them that is read.
    pub k_offset: usize,
    /// How many are read.
    pub k_len: usize,
    /// `[O][k_len]`.
    pub weights: Vec<i8>,
    /// Bias, M, A, s of each output channel.
    pub constants: Vec<[i32; 4]>,
    /// S, with a row factor.
    pub factor_shift: Option<u32>,
    /// Clamp, lower bound.
    pub lo: i32,
    /// Clamp, upper bound.
    pub hi: i32,
    /// Table over the clamped value plus 128.
    pub table: Option<Box<[i8; 256]>>,
}

/// `(t*factor + offset*2^15 + 2^(S-1)) >> S`, t clamped to 32 bits.
fn apply(shift: u32, t: i64, factor: i32, offset: i64) -> i64 {
    let t = t.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
    let wide = t * i64::from(factor) + (offset << FACTOR_BITS);
    (wide + (1_i64 << (shift - 1))) >> shift
}

/// Runs a matrix product over whole rows.
///
/// # Panics
///
/// If a length is not that of its shape: graph checking has already made them fit.
pub fn product_of_rows(
    spec: &RowsSpec,
    flip: u8,
    x: Source,
    addend: Option<Source>,
    factor: Option<&[i32]>,
    to: &mut Output,
) {
    let outputs = spec.constants.len();
    let rows = to.len() / outputs;
    assert_eq!(x.len(), rows * spec.row_elements, "product: x");
    for (row, channel) in (0..rows).flat_map(|r| (0..outputs).map(move |o| (r, o))) {
        let start = row * spec.row_elements + spec.k_offset;
        let weights = &spec.weights[channel * spec.k_len..][..spec.k_len];
        let terms = weights.iter().enumerate();
        let acc: i64 = terms
            .map(|(k, &w)| i64::from(x.at(flip, start + k)) * i64::from(w))
            .sum();
        let at = row * outputs + channel;
        let [bias, m, a, s] = spec.constants[channel].map(i64::from);
        let offset = addend.as_ref().map_or(0, |y| i64::from(y.at(flip, at))) * a;
        let half = 1_i64 << (s - 1);
        let v = match (spec.factor_shift, factor) {
            (Some(shift), Some(factor)) => {
                apply(shift, (acc * m + half) >> s, factor[row], bias + offset)
            }
            _ => ((acc + bias) * m + offset + half) >> s,
        };
        let v = v.clamp(i64::from(spec.lo), i64::from(spec.hi)) as i32;
        let v = match &spec.table {
            None => v,
            Some(table) => i32::from(table[(v + 128) as usize]),
        };
        to.put(flip, at, v);
    }
}

/// What is fixed about products of two inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchSpec {
    /// Batches of x.
    pub batch: usize,
    /// Batches of x that share one of y.
    pub group: usize,
    /// Rows of a batch of x.
    pub rows: usize,
    /// Rows of a batch of y.
    pub columns: usize,
    /// Elements of a row of either.
    pub k: usize,
    /// x is `[rows][batch][k]`, else `[batch][rows][k]`.
    pub x_interleaved: bool,
    /// y is `[columns][batch / group][k]`, else `[batch / group][columns][k]`.
    pub y_interleaved: bool,
    /// The output is `[rows][batch][columns]`, else `[batch][rows][columns]`.
    pub output_interleaved: bool,
    /// M.
    pub multiplier: i32,
    /// s in 1..=46.
    pub shift: u32,
    /// S, with a row factor.
    pub factor_shift: Option<u32>,
    /// Clamp, lower bound.
    pub lo: i32,
    /// Clamp, upper bound.
    pub hi: i32,
}

/// Runs products of two inputs.
///
/// # Panics
///
/// If a length is not that of its shape: graph checking has already made them fit.
pub fn batch_product(
    spec: &BatchSpec,
    flip: u8,
    x: Source,
    y: &[u8],
    factor: Option<&[i32]>,
    to: &mut Output,
) {
    let &BatchSpec {
        batch,
        group,
        rows,
        columns,
        k,
        ..
    } = spec;
    for (b, i) in (0..batch).flat_map(|b| (0..rows).map(move |i| (b, i))) {
        let x_row = if spec.x_interleaved {
            i * batch + b
        } else {
            b * rows + i
        };
        let line = if spec.output_interleaved {
            i * batch + b
        } else {
            b * rows + i
        };
        for j in 0..columns {
            let y_row = if spec.y_interleaved {
                j * (batch / group) + b / group
            } else {
                b / group * columns + j
            };
            let term = |t: usize| {
                let y = (y[y_row * k + t] ^ flip) as i8;
                i64::from(x.at(flip, x_row * k + t)) * i64::from(y)
            };
            let acc: i64 = (0..k).map(term).sum();
            let half = 1_i64 << (spec.shift - 1);
            let t = (acc * i64::from(spec.multiplier) + half) >> spec.shift;
            let v = match (spec.factor_shift, factor) {
                (Some(shift), Some(factor)) => apply(shift, t, factor[x_row], 0),
                _ => t,
            };
            let v = v.clamp(i64::from(spec.lo), i64::from(spec.hi)) as i32;
            to.put(flip, line * columns + j, v);
        }
    }
}

//! One value for each row.
//!
//! ```text
//! v = clamp((q*M + 2^(s-1)) >> s, lo, hi)
//! sum q = sum x;  mean q = floor(2^8 * sum x / n);  squares q = sum x^2
//! variance q = floor(2^16 * (n * sum x^2 - (sum x)^2) / n^2)
//! maximum q = max x;  magnitude q = max |x|;  argmax q = index of the first of the largest
//! ```
//!
//! Rows have at most 2^14 elements and only those of eight or sixteen bits are squared, so every q
//! is below 2^47, and a spread before its division below 2^59.
//!
//! Spec: operators, 2.23.

use crate::finish::Output;
use crate::pointwise::Source;

/// What is made of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// Sum.
    Sum,
    /// Mean with 8 bits behind the point, rounded down.
    Mean,
    /// Sum of squares of `i8` or `i16`.
    Squares,
    /// Variance of `i8` or `i16` with 16 bits behind the point, rounded down.
    Variance,
    /// Largest element.
    Maximum,
    /// Largest magnitude.
    Magnitude,
    /// Index of the first of the largest elements.
    ArgMax,
}

/// Parameters of a reduction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReduceSpec {
    /// Elements of a row.
    pub columns: usize,
    /// What is made of it.
    pub kind: Reduction,
    /// M in 1..2^15.
    pub multiplier: i32,
    /// s in 1..=46.
    pub shift: u32,
    /// Clamp, lower bound.
    pub lo: i32,
    /// Clamp, upper bound.
    pub hi: i32,
}

/// An element as it is stored.
trait Element: Copy {
    fn value(self, flip: u8) -> i32;
}

impl Element for u8 {
    fn value(self, flip: u8) -> i32 {
        i32::from((self ^ flip) as i8)
    }
}

impl Element for i16 {
    fn value(self, _: u8) -> i32 {
        i32::from(self)
    }
}

impl Element for i32 {
    fn value(self, _: u8) -> i32 {
        self
    }
}

/// Reduces whole rows; stored bytes are flipped as `flip` says.
///
/// # Panics
///
/// If a length is not that of its shape: graph checking has already made them fit.
pub fn reduce(spec: &ReduceSpec, flip: u8, x: Source, to: &mut Output) {
    match x {
        Source::I8(x) => reduce_rows(spec, flip, x, to),
        Source::I16(x) => reduce_rows(spec, flip, x, to),
        Source::I32(x) => reduce_rows(spec, flip, x, to),
    }
}

fn reduce_rows<T: Element>(spec: &ReduceSpec, flip: u8, x: &[T], to: &mut Output) {
    let columns = spec.columns.max(1);
    assert_eq!(x.len(), to.len() * columns, "reduce: x");
    for (index, row) in x.chunks_exact(columns).enumerate() {
        let quantity = of_row(spec.kind, flip, row);
        let scaled = quantity * i64::from(spec.multiplier);
        let rounded = (scaled + (1_i64 << (spec.shift - 1))) >> spec.shift;
        let v = rounded.clamp(i64::from(spec.lo), i64::from(spec.hi)) as i32;
        to.put(flip, index, v);
    }
}

fn of_row<T: Element>(kind: Reduction, flip: u8, row: &[T]) -> i64 {
    let values = || row.iter().map(|x| i64::from(x.value(flip)));
    let n = row.len() as i64;
    match kind {
        Reduction::Sum => values().sum(),
        Reduction::Mean => (values().sum::<i64>() << 8).div_euclid(n),
        Reduction::Squares => values().map(|x| x * x).sum(),
        Reduction::Variance => {
            let sum: i64 = values().sum();
            let squares: i64 = values().map(|x| x * x).sum();
            scaled_quotient(n * squares - sum * sum, n * n)
        }
        Reduction::Maximum => values().max().unwrap_or(0),
        Reduction::Magnitude => values().map(i64::abs).max().unwrap_or(0),
        Reduction::ArgMax => {
            let largest = values().max();
            values().position(|x| Some(x) == largest).unwrap_or(0) as i64
        }
    }
}

/// `floor(2^16 * spread / square)` for a spread of at most 59 bits, a square of at most 28: digit by
/// digit, so that no product needs more than 64.
fn scaled_quotient(spread: i64, square: i64) -> i64 {
    let (whole, rest) = (spread / square, spread % square);
    (whole << 16) + (rest << 16) / square
}

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
use crate::kernel::Kernel;
use crate::pointwise::Source;
use crate::sets::per_set;

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
    /// The sum of a row.
    fn sum(row: &[Self], flip: u8) -> i64;
}

impl Element for u8 {
    #[inline(always)]
    fn value(self, flip: u8) -> i32 {
        i32::from((self ^ flip) as i8)
    }

    #[inline(always)]
    fn sum(row: &[Self], flip: u8) -> i64 {
        narrow_sum(row, flip)
    }
}

impl Element for i16 {
    #[inline(always)]
    fn value(self, _: u8) -> i32 {
        i32::from(self)
    }

    #[inline(always)]
    fn sum(row: &[Self], flip: u8) -> i64 {
        narrow_sum(row, flip)
    }
}

impl Element for i32 {
    #[inline(always)]
    fn value(self, _: u8) -> i32 {
        self
    }

    #[inline(always)]
    fn sum(row: &[Self], _: u8) -> i64 {
        row.iter().map(|&x| i64::from(x)).sum()
    }
}

/// Elements of at most 16 bits, summed up in 32 as long as that is safe.
#[inline(always)]
fn narrow_sum<T: Element>(row: &[T], flip: u8) -> i64 {
    let part = |part: &[T]| part.iter().map(|x| x.value(flip)).sum::<i32>();
    row.chunks(1 << 15).map(|row| i64::from(part(row))).sum()
}

/// The sum of squares of elements of at most 16 bits: a square fits 32 bits without sign.
#[inline(always)]
fn squares<T: Element>(row: &[T], flip: u8) -> i64 {
    let square = |x: &T| {
        let x = x.value(flip);
        u64::from(x.wrapping_mul(x) as u32)
    };
    row.iter().map(square).sum::<u64>() as i64
}

/// Reduces whole rows; stored bytes are flipped as the kernel says.
///
/// # Panics
///
/// If a length is not that of its shape, or i32 elements are to be squared: graph checking has
/// already made them fit.
pub fn reduce(kernel: Kernel, spec: &ReduceSpec, x: Source, mut to: Output) {
    let squares = matches!(spec.kind, Reduction::Squares | Reduction::Variance);
    let wide = matches!(x, Source::I32(_));
    assert!(!(squares && wide), "reduce: squares of 32 bits");
    assert_eq!(x.len(), to.len() * spec.columns.max(1), "reduce: x");
    let (flip, to) = (kernel.flip(), &mut to);
    per_set!(kernel, body, (spec: &ReduceSpec, flip: u8, x: Source<'_>, to: &mut Output<'_>));
}

#[inline(always)]
fn body(spec: &ReduceSpec, flip: u8, x: Source, to: &mut Output) {
    match x {
        Source::I8(x) => reduce_rows(spec, flip, x, to),
        Source::I16(x) => reduce_rows(spec, flip, x, to),
        Source::I32(x) => reduce_rows(spec, flip, x, to),
    }
}

#[inline(always)]
fn reduce_rows<T: Element>(spec: &ReduceSpec, flip: u8, x: &[T], to: &mut Output) {
    for (index, row) in x.chunks_exact(spec.columns.max(1)).enumerate() {
        let quantity = of_row(spec.kind, flip, row);
        let scaled = quantity * i64::from(spec.multiplier);
        let rounded = (scaled + (1_i64 << (spec.shift - 1))) >> spec.shift;
        let v = rounded.clamp(i64::from(spec.lo), i64::from(spec.hi)) as i32;
        to.put(flip, index, v);
    }
}

#[inline(always)]
fn of_row<T: Element>(kind: Reduction, flip: u8, row: &[T]) -> i64 {
    let values = || row.iter().map(|x| x.value(flip));
    let n = row.len() as i64;
    match kind {
        Reduction::Sum => T::sum(row, flip),
        Reduction::Mean => (T::sum(row, flip) << 8).div_euclid(n),
        Reduction::Squares => squares(row, flip),
        Reduction::Variance => {
            let sum = T::sum(row, flip);
            scaled_quotient(n * squares(row, flip) - sum * sum, n * n)
        }
        Reduction::Maximum => i64::from(values().fold(i32::MIN, i32::max)),
        Reduction::Magnitude => {
            i64::from(values().fold(0, |most: u32, x| most.max(x.unsigned_abs())))
        }
        Reduction::ArgMax => {
            let largest = values().fold(i32::MIN, i32::max);
            values().position(|x| x == largest).unwrap_or(0) as i64
        }
    }
}

/// `floor(2^16 * spread / square)` for a spread of at most 59 bits, a square of at most 28: digit by
/// digit, so that no product needs more than 64.
fn scaled_quotient(spread: i64, square: i64) -> i64 {
    let (whole, rest) = (spread / square, spread % square);
    (whole << 16) + (rest << 16) / square
}

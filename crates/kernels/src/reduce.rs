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

/// An element as it is stored; what is made of rows is written so that vectors hold as many elements as
/// they can.
trait Element: Copy {
    fn value(self, flip: u8) -> i32;
    /// The sum of a row.
    fn sum(row: &[Self], flip: u8) -> i64;
    /// The sum of squares of a row; of 32 bits nothing is squared.
    fn squares(row: &[Self], flip: u8) -> i64;
    /// The largest element of a row.
    fn maximum(row: &[Self], flip: u8) -> i32;
    /// The largest magnitude of a row.
    fn magnitude(row: &[Self], flip: u8) -> u32;
}

impl Element for u8 {
    #[inline(always)]
    fn value(self, flip: u8) -> i32 {
        i32::from((self ^ flip) as i8)
    }

    #[inline(always)]
    fn sum(row: &[Self], flip: u8) -> i64 {
        let part = |part: &[Self]| part.iter().map(|x| x.value(flip)).sum::<i32>();
        row.chunks(1 << 15).map(|row| i64::from(part(row))).sum()
    }

    #[inline(always)]
    fn squares(row: &[Self], flip: u8) -> i64 {
        // A square has fifteen bits, a block of them 32.
        let part = |part: &[Self]| part.iter().map(|x| x.value(flip).pow(2)).sum::<i32>();
        row.chunks(1 << 15).map(|row| i64::from(part(row))).sum()
    }

    #[inline(always)]
    fn maximum(row: &[Self], flip: u8) -> i32 {
        let largest = |most: i8, x: &Self| most.max((x ^ flip) as i8);
        row.iter().fold(i8::MIN, largest).into()
    }

    #[inline(always)]
    fn magnitude(row: &[Self], flip: u8) -> u32 {
        let largest = |most: Self, x: &Self| most.max(((x ^ flip) as i8).unsigned_abs());
        row.iter().fold(0, largest).into()
    }
}

impl Element for i16 {
    #[inline(always)]
    fn value(self, _: u8) -> i32 {
        i32::from(self)
    }

    #[inline(always)]
    fn sum(row: &[Self], _: u8) -> i64 {
        // 32 bits hold the sum of a block.
        let part = |part: &[Self]| part.iter().map(|&x| i32::from(x)).sum::<i32>();
        row.chunks(1 << 15).map(|row| i64::from(part(row))).sum()
    }

    #[inline(always)]
    fn squares(row: &[Self], _: u8) -> i64 {
        // Two squares fit 32 bits without sign.
        let square = |x: Self| i32::from(x) * i32::from(x);
        let (pairs, rest) = row.as_chunks::<2>();
        let pair = |&[a, b]: &[Self; 2]| u64::from(square(a).wrapping_add(square(b)) as u32);
        let rest: u64 = rest.iter().map(|&x| square(x) as u64).sum();
        (pairs.iter().map(pair).sum::<u64>() + rest) as i64
    }

    #[inline(always)]
    fn maximum(row: &[Self], _: u8) -> i32 {
        row.iter().fold(Self::MIN, |most, &x| most.max(x)).into()
    }

    #[inline(always)]
    fn magnitude(row: &[Self], _: u8) -> u32 {
        let largest = |most: u16, x: &Self| most.max(x.unsigned_abs());
        row.iter().fold(0, largest).into()
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

    #[inline(always)]
    fn squares(_: &[Self], _: u8) -> i64 {
        0
    }

    #[inline(always)]
    fn maximum(row: &[Self], _: u8) -> i32 {
        row.iter().fold(Self::MIN, |most, &x| most.max(x))
    }

    #[inline(always)]
    fn magnitude(row: &[Self], _: u8) -> u32 {
        row.iter().fold(0, |most, x| most.max(x.unsigned_abs()))
    }
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
    let n = row.len() as i64;
    match kind {
        Reduction::Sum => T::sum(row, flip),
        Reduction::Mean => (T::sum(row, flip) << 8).div_euclid(n),
        Reduction::Squares => T::squares(row, flip),
        Reduction::Variance => {
            let sum = T::sum(row, flip);
            scaled_quotient(n * T::squares(row, flip) - sum * sum, n * n)
        }
        Reduction::Maximum => i64::from(T::maximum(row, flip)),
        Reduction::Magnitude => i64::from(T::magnitude(row, flip)),
        Reduction::ArgMax => {
            let largest = T::maximum(row, flip);
            let first = row.iter().position(|x| x.value(flip) == largest);
            first.unwrap_or(0) as i64
        }
    }
}

/// `floor(2^16 * spread / square)` for a spread of at most 59 bits, a square of at most 28: digit by
/// digit, so that no product needs more than 64.
fn scaled_quotient(spread: i64, square: i64) -> i64 {
    let (whole, rest) = (spread / square, spread % square);
    (whole << 16) + (rest << 16) / square
}

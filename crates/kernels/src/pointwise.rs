//! Sums, products and tables, one element at a time.
//!
//! ```text
//! v = clamp((x*A + y*B + 2^(s-1)) >> s, lo, hi)   or   clamp((x*y*A + 2^(s-1)) >> s, lo, hi)
//! ```
//!
//! Elements are taken in blocks: each of loading, combining and storing is then a loop without
//! branches, which the compiler makes vector code of. Where the operands' types prove that the sum
//! fits 32 bits, it is made in 32. Elements of 16 bits have ways of their own: [`pairs`] and [`limbs`].
//!
//! Spec: operators, 2.19 and 2.20.

use std::ops::Range;

use crate::finish::Output;
use crate::function::Function;
use crate::kernel::Kernel;
use crate::sets::per_set;

#[cfg(target_arch = "x86_64")]
pub(crate) mod limbs;
#[cfg(target_arch = "x86_64")]
pub(crate) mod pairs;

/// Elements of a block.
const BLOCK: usize = 256;

/// Stored elements of an operand. Bytes are flipped as the kernel says.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// `i8`, flipped.
    I8(&'a [u8]),
    /// `i16`.
    I16(&'a [i16]),
    /// `i32`.
    I32(&'a [i32]),
}

/// How the second operand lies over `[rows][columns]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lay {
    /// An element of its own for each.
    Full,
    /// One element for each column.
    Column,
    /// One element for each row.
    Row,
    /// One element.
    One,
}

/// What is done with an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Formula {
    /// `x*A`.
    Scale,
    /// `x*A + y*B`.
    Sum {
        /// B.
        second: i32,
    },
    /// `x*y*A`.
    Product,
}

/// Parameters of a pointwise node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointwiseSpec {
    /// Columns of the output.
    pub columns: usize,
    /// How the second operand lies.
    pub lay: Lay,
    /// The formula.
    pub formula: Formula,
    /// A.
    pub multiplier: i32,
    /// s in 1..=46.
    pub shift: u32,
    /// Clamp, lower bound.
    pub lo: i32,
    /// Clamp, upper bound.
    pub hi: i32,
    /// Applied after the clamp.
    pub function: Function,
}

impl Source<'_> {
    /// Elements `range`.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        match self {
            Self::I8(x) => Self::I8(&x[range]),
            Self::I16(x) => Self::I16(&x[range]),
            Self::I32(x) => Self::I32(&x[range]),
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::I8(x) => x.len(),
            Self::I16(x) => x.len(),
            Self::I32(x) => x.len(),
        }
    }

    /// Largest magnitude of an element.
    pub(crate) fn bound(&self) -> i64 {
        match self {
            Self::I8(_) => 1 << 7,
            Self::I16(_) => 1 << 15,
            Self::I32(_) => 1 << 31,
        }
    }

    #[inline(always)]
    pub(crate) fn load(&self, flip: u8, first: usize, to: &mut [i32]) {
        let range = first..first + to.len();
        match self {
            Self::I8(x) => {
                for (to, &x) in to.iter_mut().zip(&x[range]) {
                    *to = i32::from((x ^ flip) as i8);
                }
            }
            Self::I16(x) => {
                for (to, &x) in to.iter_mut().zip(&x[range]) {
                    *to = i32::from(x);
                }
            }
            Self::I32(x) => to.copy_from_slice(&x[range]),
        }
    }

    pub(crate) fn at(&self, flip: u8, index: usize) -> i32 {
        match self {
            Self::I8(x) => i32::from((x[index] ^ flip) as i8),
            Self::I16(x) => i32::from(x[index]),
            Self::I32(x) => x[index],
        }
    }
}

/// Runs a pointwise node over whole rows.
///
/// # Panics
///
/// If a length is not that of its shape or a clamp leaves the domain of a table: graph checking has
/// already made them fit.
pub fn pointwise(
    kernel: Kernel,
    spec: &PointwiseSpec,
    x: Source,
    y: Option<Source>,
    mut to: Output,
) {
    assert_eq!(x.len(), to.len(), "pointwise: x");
    let (low, high) = spec.function.domain();
    assert!(low <= spec.lo && spec.hi <= high, "pointwise: clamp");
    #[cfg(target_arch = "x86_64")]
    if pairs::run(kernel, spec, x, y, &mut to) || limbs::run(kernel, spec, x, y, &mut to) {
        return;
    }
    let narrow = fits_32_bits(spec, &x, y.as_ref());
    let to = &mut to;
    per_set!(kernel, body, (
        kernel: Kernel, spec: &PointwiseSpec, narrow: bool, x: Source<'_>, y: Option<Source<'_>>,
        to: &mut Output<'_>,
    ));
}

#[inline(always)]
fn body(
    kernel: Kernel,
    spec: &PointwiseSpec,
    narrow: bool,
    x: Source,
    y: Option<Source>,
    to: &mut Output,
) {
    let (len, flip) = (x.len(), kernel.flip());
    let (mut a, mut b) = ([0; BLOCK], [0; BLOCK]);
    // Where the second operand is laid by rows or columns, a block is combined row by row.
    let columns = match spec.lay {
        Lay::Full | Lay::One => len,
        Lay::Column | Lay::Row => spec.columns.max(1),
    };
    let (mut row, mut column) = (0, 0);
    for first in (0..len).step_by(BLOCK) {
        let a = &mut a[..BLOCK.min(len - first)];
        x.load(flip, first, a);
        let mut done = 0;
        while done < a.len() {
            let count = (columns - column).min(a.len() - done);
            let (x_part, b) = (&mut a[done..done + count], &mut b[..count]);
            let one = match (&y, spec.lay) {
                (None, _) => Some(0),
                (Some(y), Lay::Row) => Some(y.at(flip, row)),
                (Some(y), Lay::One) => Some(y.at(flip, 0)),
                (Some(y), Lay::Full | Lay::Column) => {
                    y.load(flip, column, b);
                    None
                }
            };
            match one {
                Some(y) => affine(spec, x.bound(), y, x_part),
                None if narrow => combine_32(spec, x_part, b),
                None => combine_64(spec, x_part, b),
            }
            done += count;
            column += count;
            if column == columns {
                (row, column) = (row + 1, 0);
            }
        }
        spec.function.apply(kernel, a);
        to.put_all(flip, first, a);
    }
}

/// Whether every sum fits an `i32`.
fn fits_32_bits(spec: &PointwiseSpec, x: &Source, y: Option<&Source>) -> bool {
    let multiplier = i64::from(spec.multiplier).abs();
    let y = y.map_or(0, Source::bound);
    let sum = match spec.formula {
        Formula::Scale => x.bound() * multiplier,
        Formula::Sum { second } => x.bound() * multiplier + y * i64::from(second).abs(),
        Formula::Product => (x.bound() * y).saturating_mul(multiplier),
    };
    spec.shift < 31 && sum + (1 << (spec.shift - 1)) < 1 << 31
}

/// m and c of `(x*m + c) >> s` where y is one for all x.
#[inline(always)]
fn line(spec: &PointwiseSpec, y: i32) -> (i64, i64) {
    let (a, y, half) = (
        i64::from(spec.multiplier),
        i64::from(y),
        1_i64 << (spec.shift - 1),
    );
    match spec.formula {
        Formula::Scale => (a, half),
        Formula::Sum { second } => (a, y * i64::from(second) + half),
        Formula::Product => (y * a, half),
    }
}

/// One y for the whole block: `(x*m + c) >> s` with constants m and c, in as few bits as they need;
/// the result replaces `x`, which is at most `bound` in magnitude.
#[inline(always)]
fn affine(spec: &PointwiseSpec, bound: i64, y: i32, x: &mut [i32]) {
    let s = spec.shift;
    let (m, c) = line(spec, y);
    let (lo, hi) = (i64::from(spec.lo), i64::from(spec.hi));
    let Ok(m) = i32::try_from(m) else {
        for x in x {
            *x = ((i64::from(*x) * m + c) >> s).max(lo).min(hi) as i32;
        }
        return;
    };
    // |x| is at most 2^31 and |m| too, so this fits 63 bits.
    let largest = bound * i64::from(m).abs() + c.abs();
    if largest < 1 << 31 && s < 31 {
        let c = c as i32;
        for x in x {
            *x = (x.wrapping_mul(m).wrapping_add(c) >> s)
                .max(spec.lo)
                .min(spec.hi);
        }
        return;
    }
    if s <= 32 && largest >> s < 1 << 31 {
        // The lower half is all of the result, and it does not matter what is shifted in.
        for x in x {
            let sum = (i64::from(*x) * i64::from(m)).wrapping_add(c);
            *x = ((sum as u64 >> s) as i32).max(spec.lo).min(spec.hi);
        }
        return;
    }
    for x in x {
        *x = ((i64::from(*x) * i64::from(m) + c) >> s).max(lo).min(hi) as i32;
    }
}

/// In 32 bits; the result replaces `x`.
#[inline(always)]
fn combine_32(spec: &PointwiseSpec, x: &mut [i32], y: &[i32]) {
    let (a, s) = (spec.multiplier, spec.shift);
    let half = 1_i32 << (s - 1);
    let (lo, hi) = (spec.lo, spec.hi);
    let round = |sum: i32| (sum.wrapping_add(half) >> s).max(lo).min(hi);
    match spec.formula {
        Formula::Scale => x.iter_mut().for_each(|x| *x = round(x.wrapping_mul(a))),
        Formula::Sum { second } => {
            for (x, &y) in x.iter_mut().zip(y) {
                *x = round(x.wrapping_mul(a).wrapping_add(y.wrapping_mul(second)));
            }
        }
        Formula::Product => {
            for (x, &y) in x.iter_mut().zip(y) {
                *x = round(x.wrapping_mul(y).wrapping_mul(a));
            }
        }
    }
}

/// In 64 bits; the result replaces `x`.
#[inline(always)]
fn combine_64(spec: &PointwiseSpec, x: &mut [i32], y: &[i32]) {
    let (a, s) = (i64::from(spec.multiplier), spec.shift);
    let half = 1_i64 << (s - 1);
    let (lo, hi) = (i64::from(spec.lo), i64::from(spec.hi));
    // The clamp's bounds are 32 bits wide.
    let round = |sum: i64| ((sum + half) >> s).max(lo).min(hi) as i32;
    match spec.formula {
        Formula::Scale => x.iter_mut().for_each(|x| *x = round(i64::from(*x) * a)),
        Formula::Sum { second } => {
            for (x, &y) in x.iter_mut().zip(y) {
                *x = round(i64::from(*x) * a + i64::from(y) * i64::from(second));
            }
        }
        Formula::Product => {
            for (x, &y) in x.iter_mut().zip(y) {
                *x = round(i64::from(*x) * i64::from(y) * a);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_sixteen_bits_have_the_plain_bits_on_every_kernel() {
        let mixed = |i: usize| (i as i32).wrapping_mul(0x9e37_79b1_u32 as i32);
        for (columns, shift) in [(1, 1), (31, 20), (32, 33), (77, 12), (200, 46)] {
            let x: Vec<i16> = (0..5 * columns).map(|i| (mixed(i) >> 16) as i16).collect();
            for large in [40, 1 << 14, 1 << 30] {
                let rows: Vec<i32> = (0..5).map(|i| mixed(i + 9) % large).collect();
                for formula in [
                    Formula::Product,
                    Formula::Sum { second: -777 },
                    Formula::Scale,
                ] {
                    for (lo, hi) in [(-127, 127), (-32_767, 32_767), (-3, 100)] {
                        let spec = PointwiseSpec {
                            columns,
                            lay: Lay::Row,
                            formula,
                            multiplier: -29_999,
                            shift,
                            lo,
                            hi,
                            function: Function::IDENTITY,
                        };
                        let y = (formula != Formula::Scale).then_some(Source::I32(&rows));
                        let want = run(Kernel::PORTABLE, &spec, &x, y);
                        for kernel in Kernel::available() {
                            let found = run(kernel, &spec, &x, y);
                            assert_eq!(found, want, "{} {spec:?}", kernel.name());
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn interpolations_of_sixteen_bits_have_the_plain_bits_on_every_kernel() {
        let mixed = |i: usize| ((i as i32).wrapping_mul(0x9e37_79b1_u32 as i32) >> 16) as i16;
        let entries: Vec<i16> = (0..513).map(|i| mixed(i + 3)).collect();
        for len in [1, 15, 16, 255, 256, 300, 70_000] {
            let x: Vec<i16> = (0..len).map(mixed).collect();
            for multiplier in [2, -300] {
                let spec = PointwiseSpec {
                    columns: len,
                    lay: Lay::Full,
                    formula: Formula::Scale,
                    multiplier,
                    shift: 1,
                    lo: -32_768,
                    hi: 32_767,
                    function: Function::interpolation(&entries),
                };
                let want = run(Kernel::PORTABLE, &spec, &x, None);
                for kernel in Kernel::available() {
                    assert_eq!(run(kernel, &spec, &x, None), want, "{}", kernel.name());
                }
            }
        }
    }

    fn run(kernel: Kernel, spec: &PointwiseSpec, x: &[i16], y: Option<Source>) -> Vec<i32> {
        let mut words = vec![0_i16; x.len()];
        pointwise(kernel, spec, Source::I16(x), y, Output::I16(&mut words));
        let words: Vec<i32> = words.into_iter().map(i32::from).collect();
        if spec.hi <= 127 {
            let mut bytes = vec![0; x.len()];
            pointwise(kernel, spec, Source::I16(x), y, Output::I8(&mut bytes));
            let value = |&b: &u8| i32::from((b ^ kernel.flip()) as i8);
            assert_eq!(bytes.iter().map(value).collect::<Vec<_>>(), words);
        }
        words
    }
}

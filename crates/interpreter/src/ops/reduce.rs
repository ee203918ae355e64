//! REDUCE. Spec: operators, 2.23.

use selfsame_ir::{DimValues, Reduce, ReduceKind, Tensor};
use selfsame_protocol::constants::{MEAN_BITS, VARIANCE_BITS};

use crate::ops::linear::{clamp, rescale};
use crate::ops::read;

pub(crate) fn element(op: &Reduce, values: &DimValues, inputs: &[&Tensor], index: u64) -> i32 {
    let columns = u64::from(op.columns.at(values).unwrap_or(1));
    let row = || (0..columns).map(|c| i64::from(read(inputs, 0, index * columns + c)));
    let quantity = of_row(op.kind, row);
    clamp(rescale(quantity, op.multiplier, op.shift), op.low, op.high)
}

/// What is made of a row of at least one element.
///
/// At most 2^14 terms: a sum is below 2^45, one of squares of int16 elements below 2^44, a variance
/// before its division below 2^75.
fn of_row<I: Iterator<Item = i64>>(kind: ReduceKind, row: impl Fn() -> I) -> i128 {
    let n = || row().map(|_| 1_i128).sum::<i128>().max(1);
    let sum = || row().map(i128::from).sum::<i128>();
    let squares = || row().map(|x| i128::from(x) * i128::from(x)).sum::<i128>();
    match kind {
        ReduceKind::Sum => sum(),
        ReduceKind::Mean => (sum() << MEAN_BITS).div_euclid(n()),
        ReduceKind::Squares => squares(),
        ReduceKind::Variance => {
            let spread = n() * squares() - sum() * sum();
            (spread << VARIANCE_BITS) / (n() * n())
        }
        ReduceKind::Maximum => i128::from(row().max().unwrap_or(0)),
        ReduceKind::Magnitude => i128::from(row().map(i64::abs).max().unwrap_or(0)),
        ReduceKind::ArgMax => {
            let largest = row().max();
            let first = row().position(|x| Some(x) == largest);
            i128::try_from(first.unwrap_or(0)).unwrap_or(0)
        }
    }
}

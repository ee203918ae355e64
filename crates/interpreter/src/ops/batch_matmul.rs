//! `BATCH_MATMUL`. Spec: operators, 2.22.

use selfsame_ir::{BatchMatMul, DimValues, Tensor};

use crate::ops::linear::{clamp, rescale};
use crate::ops::read;

pub(crate) fn element(op: &BatchMatMul, values: &DimValues, inputs: &[&Tensor], index: u64) -> i32 {
    let (Ok(rows), Ok(columns), Ok(k)) =
        (op.rows.at(values), op.columns.at(values), op.k.at(values))
    else {
        return 0;
    };
    let cell = op.cell(index, rows, columns, k);
    let product =
        |k: u64| i64::from(read(inputs, 0, cell.x + k)) * i64::from(read(inputs, 1, cell.y + k));
    let sum: i64 = (0..u64::from(k)).map(product).sum();
    let scaled = rescale(i128::from(sum), op.multiplier, op.shift);
    let value = match op.factor {
        None => scaled,
        Some(shift) => shift.apply(scaled, read(inputs, 2, cell.row), 0),
    };
    clamp(value, op.low, op.high)
}

//! NORMALIZE. Spec: operators, 2.24.

use selfsame_ir::{Normalize, Tensor};
use selfsame_protocol::constants::FACTOR_BITS;

use crate::ops::linear::clamp;
use crate::ops::read;

pub(crate) fn element(op: &Normalize, inputs: &[&Tensor], index: u64) -> i32 {
    let columns = u64::from(op.columns).max(1);
    let (row, column) = (index / columns, index % columns);
    let constants = usize::try_from(column)
        .ok()
        .and_then(|at| op.constants.get(at));
    let Some(constants) = constants else { return 0 };
    let center = if op.center { read(inputs, 1, row) } else { 0 };
    let x = i64::from(read(inputs, 0, index)) << op.center_bits;
    // |x| is below 2^46, M below 2^15.
    let wide = (x - i64::from(center)) * i64::from(constants.multiplier);
    let shift = constants.shift.clamp(1, 46);
    let t = (wide + (1_i64 << (shift - 1))) >> shift;
    let factor = if op.factor {
        read(inputs, 1 + usize::from(op.center), row)
    } else {
        1 << FACTOR_BITS
    };
    let value = op.shift.apply(t, factor, i64::from(constants.bias));
    clamp(value, op.low, op.high)
}

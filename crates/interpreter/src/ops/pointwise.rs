//! POINTWISE. Spec: operators, 2.19 and 2.20.

use selfsame_ir::{Combine, DimValues, Pointwise, Tensor};

use crate::ops::linear::clamp;
use crate::ops::read;

pub(crate) fn element(op: &Pointwise, values: &DimValues, inputs: &[&Tensor], index: u64) -> i32 {
    let columns = op.columns.at(values).unwrap_or(1);
    let x = i64::from(read(inputs, 0, index));
    let multiplier = i64::from(op.multiplier);
    let wide = match &op.second {
        None => x * multiplier,
        Some(second) => {
            let at = second.spread.index(index, columns);
            let y = match &second.constant {
                Some(constant) => read(&[&constant.values], 0, at),
                None => read(inputs, 1, at),
            };
            match op.combine {
                Combine::Sum => x * multiplier + i64::from(y) * i64::from(second.multiplier),
                Combine::Product => x * i64::from(y) * multiplier,
            }
        }
    };
    let rounded = (wide + (1 << (op.shift - 1))) >> op.shift;
    let v = clamp(rounded, op.low, op.high);
    op.activation.as_ref().map_or(v, |f| f.at(v))
}

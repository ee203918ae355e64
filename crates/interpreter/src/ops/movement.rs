//! MOVE and CONCAT. Spec: operators, 2.16 and 2.18.

use selfsame_ir::{Concat, DimValues, Move, Tensor};

use crate::ops::read;

pub(crate) fn element(op: &Move, values: &DimValues, inputs: &[&Tensor], index: u64) -> i32 {
    match op.source(values, index) {
        Ok(Some(source)) => read(inputs, 0, source),
        Ok(None) | Err(_) => op.fill,
    }
}

pub(crate) fn concat(op: &Concat, values: &DimValues, inputs: &[&Tensor], index: u64) -> i32 {
    match op.source(values, index) {
        Ok((input, source)) => read(inputs, input, source),
        Err(_) => 0,
    }
}

//! EMBEDDING. Spec: operators, 2.25.

use selfsame_ir::{Embedding, Tensor};

use crate::ops::read;

pub(crate) fn element(op: &Embedding, inputs: &[&Tensor], index: u64) -> i32 {
    let columns = u64::from(op.columns).max(1);
    let entry = read(inputs, 0, index / columns);
    read(&[&op.table], 0, op.at(entry, index % columns))
}

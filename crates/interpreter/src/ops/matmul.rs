//! MATMUL. Spec: operators, 2.12 and 2.21.

use selfsame_ir::{MatMul, Tensor};

use crate::ops::linear::finish;
use crate::ops::read;

pub(crate) fn element(op: &MatMul, inputs: &[&Tensor], index: u64) -> i32 {
    let channels = u64::from(op.out_channels).max(1);
    let (row, channel) = (index / channels, index % channels);
    let start = row * u64::from(op.row_elements) + u64::from(op.k_offset);
    let weights = usize::try_from(channel * u64::from(op.k_len)).unwrap_or(usize::MAX);
    let weights = op.linear.weights.get(weights..).unwrap_or_default();
    let terms = (0..u64::from(op.k_len)).zip(weights);
    let sum = terms
        .map(|(k, &w)| i64::from(read(inputs, 0, start + k)) * i64::from(w))
        .sum();
    let slot = 1 + usize::from(op.linear.addend.is_some());
    let factor = op.factor.map(|shift| (shift, read(inputs, slot, row)));
    finish(&op.linear, inputs, channel, index, sum, factor)
}

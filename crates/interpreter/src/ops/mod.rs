//! One element of one operator.

mod batch_matmul;
mod conv;
mod embedding;
mod linear;
mod matmul;
mod movement;
mod normalize;
mod pointwise;
mod pool;
mod reduce;

pub use linear::requantize;

use selfsame_ir::{DimValues, Op, Tensor};

/// The value of the flat output element `index` of `op`, given its inputs.
///
/// Total: a missing input element counts as 0, which cannot happen in a checked program. INPUT has
/// no computation and yields its input 0 unchanged.
pub fn element(op: &Op, values: &DimValues, inputs: &[&Tensor], index: u64) -> i32 {
    match op {
        Op::Input(_) => read(inputs, 0, index),
        Op::MatMul(op) => matmul::element(op, inputs, index),
        Op::Conv(op) => conv::element(op, values, inputs, index),
        Op::MaxPool(op) => pool::max(op, values, inputs, index),
        Op::AvgPool(op) => pool::average(op, values, inputs, index),
        Op::Move(op) => movement::element(op, values, inputs, index),
        Op::Concat(op) => movement::concat(op, values, inputs, index),
        Op::Pointwise(op) => pointwise::element(op, values, inputs, index),
        Op::BatchMatMul(op) => batch_matmul::element(op, values, inputs, index),
        Op::Reduce(op) => reduce::element(op, values, inputs, index),
        Op::Normalize(op) => normalize::element(op, inputs, index),
        Op::Embedding(op) => embedding::element(op, inputs, index),
    }
}

/// Element `index` of input `slot`, 0 where there is none.
pub(crate) fn read(inputs: &[&Tensor], slot: usize, index: u64) -> i32 {
    let at = usize::try_from(index).unwrap_or(usize::MAX);
    inputs
        .get(slot)
        .and_then(|tensor| tensor.get(at))
        .unwrap_or(0)
}

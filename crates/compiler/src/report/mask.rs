//! What a mask takes out of a softmax.
//!
//! Its large negative numbers saturate on purpose, whatever their size: beside them the numbers that
//! count would seem to have no error, and they themselves nothing but error.

use selfsame_ir::{Combine, Op};

use crate::lower::MASK_LOW;

/// The elements of a sum that a mask took out.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Masked {
    /// The least integer of a sum of two.
    floor: Option<i32>,
}

impl Masked {
    /// Of the outputs of an operator.
    pub(super) fn of(op: &Op) -> Self {
        let floor = match op {
            Op::Pointwise(op) if op.second.is_some() && op.activation.is_none() => {
                (op.combine == Combine::Sum).then_some(op.low)
            }
            Op::Pointwise(_)
            | Op::Input(_)
            | Op::MatMul(_)
            | Op::Conv(_)
            | Op::MaxPool(_)
            | Op::AvgPool(_)
            | Op::Move(_)
            | Op::Concat(_)
            | Op::BatchMatMul(_)
            | Op::Reduce(_)
            | Op::Normalize(_)
            | Op::Embedding(_) => None,
        };
        Self { floor }
    }

    /// Of sums that end at `floor`.
    #[cfg(test)]
    pub(super) fn floor(floor: i32) -> Self {
        Self { floor: Some(floor) }
    }

    /// Whether both the float value and the integer are as low as a mask makes them.
    pub(super) fn takes_out(self, float: f64, integer: i32) -> bool {
        float <= MASK_LOW && self.floor == Some(integer)
    }
}

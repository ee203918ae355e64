//! The closed set of operators.
//!
//! Spec: programs, 1.10; operators, 2.10 to 2.17.

mod concat;
mod conv;
mod input;
pub(crate) mod linear;
mod matmul;
mod movement;
mod pointwise;
mod pool;
mod window;

pub use concat::Concat;
pub use conv::Conv;
pub use input::InputSpec;
pub use linear::{ChannelConstants, Linear};
pub use matmul::MatMul;
pub use movement::{Move, Walk};
pub use pointwise::{Combine, Constant, Operand, Pointwise, Spread, Table};
pub use pool::{AvgPool, MaxPool};
pub use window::Window;

use selfsame_protocol::constants as c;

use crate::tensor::{DType, Tensor};
use alloc::vec::Vec;

/// An operator with its parameters and tensors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// The program's input.
    Input(InputSpec),
    /// Matrix product with weights.
    MatMul(MatMul),
    /// Convolution.
    Conv(Conv),
    /// Maximum over a window.
    MaxPool(MaxPool),
    /// Scaled sum over a window.
    AvgPool(AvgPool),
    /// Elements moved along walks of the axes.
    Move(Move),
    /// Rows of several inputs side by side.
    Concat(Concat),
    /// Sum or product, element by element.
    Pointwise(Pointwise),
}

impl Op {
    /// The operator code.
    pub const fn code(&self) -> u8 {
        match self {
            Self::Input(_) => c::OP_INPUT,
            Self::MatMul(_) => c::OP_MATMUL,
            Self::Conv(_) => c::OP_CONV,
            Self::MaxPool(_) => c::OP_MAX_POOL,
            Self::AvgPool(_) => c::OP_AVG_POOL,
            Self::Move(_) => c::OP_MOVE,
            Self::Concat(_) => c::OP_CONCAT,
            Self::Pointwise(_) => c::OP_POINTWISE,
        }
    }

    /// The name that people read.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Input(_) => "input",
            Self::MatMul(_) => "matmul",
            Self::Conv(_) => "conv",
            Self::MaxPool(_) => "max_pool",
            Self::AvgPool(_) => "avg_pool",
            Self::Move(_) => "move",
            Self::Concat(_) => "concat",
            Self::Pointwise(_) => "pointwise",
        }
    }

    /// The linear part of a matmul or convolution.
    pub const fn linear(&self) -> Option<&Linear> {
        match self {
            Self::MatMul(op) => Some(&op.linear),
            Self::Conv(op) => Some(&op.linear),
            Self::Input(_)
            | Self::MaxPool(_)
            | Self::AvgPool(_)
            | Self::Move(_)
            | Self::Concat(_)
            | Self::Pointwise(_) => None,
        }
    }

    /// The tensors of the operator in the order of its leaf: weights, constants, table.
    pub fn tensors(&self) -> Vec<Tensor> {
        match self {
            Self::MatMul(op) => op.linear.tensors(),
            Self::Conv(op) => op.linear.tensors(),
            Self::Pointwise(op) => op.tensors(),
            Self::Input(_)
            | Self::MaxPool(_)
            | Self::AvgPool(_)
            | Self::Move(_)
            | Self::Concat(_) => Vec::new(),
        }
    }

    /// How many tensors the operator has.
    pub fn tensor_count(&self) -> usize {
        match self {
            Self::MatMul(MatMul { linear, .. }) | Self::Conv(Conv { linear, .. }) => {
                2 + usize::from(linear.table.is_some())
            }
            Self::Pointwise(op) => op.tensor_count(),
            Self::Input(_)
            | Self::MaxPool(_)
            | Self::AvgPool(_)
            | Self::Move(_)
            | Self::Concat(_) => 0,
        }
    }

    /// Number of inputs that the operator takes.
    pub fn input_count(&self) -> usize {
        match self {
            Self::Input(_) => 0,
            Self::MatMul(_) | Self::Conv(_) => {
                1 + usize::from(self.linear().is_some_and(|linear| linear.addend.is_some()))
            }
            Self::MaxPool(_) | Self::AvgPool(_) | Self::Move(_) => 1,
            Self::Concat(op) => op.columns.len(),
            Self::Pointwise(op) => 1 + usize::from(op.two_inputs()),
        }
    }

    /// Element type that input `slot` must have; `None` where any is taken.
    pub fn input_dtype(&self, slot: usize) -> Option<DType> {
        match self {
            Self::MatMul(_) | Self::Conv(_) if slot == 1 => {
                self.linear().and_then(|linear| linear.addend)
            }
            Self::MatMul(_) | Self::Conv(_) | Self::AvgPool(_) => Some(DType::I8),
            Self::Pointwise(op) if slot == 1 => op.second.as_ref().map(|y| y.dtype),
            Self::Pointwise(op) => Some(op.dtype),
            Self::Input(_) | Self::MaxPool(_) | Self::Move(_) | Self::Concat(_) => None,
        }
    }
}

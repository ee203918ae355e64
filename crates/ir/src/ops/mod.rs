//! The closed set of operators.
//!
//! Spec: programs, 1.10; operators, 2.10 to 2.17.

mod conv;
mod input;
pub(crate) mod linear;
mod matmul;
mod pool;
mod transpose;
mod window;

pub use conv::Conv;
pub use input::InputSpec;
pub use linear::{ChannelConstants, Linear};
pub use matmul::MatMul;
pub use pool::{AvgPool, MaxPool};
pub use transpose::Transpose;
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
    /// Permutation of axes.
    Transpose(Transpose),
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
            Self::Transpose(_) => c::OP_TRANSPOSE,
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
            Self::Transpose(_) => "transpose",
        }
    }

    /// The linear part of a matmul or convolution.
    pub const fn linear(&self) -> Option<&Linear> {
        match self {
            Self::MatMul(op) => Some(&op.linear),
            Self::Conv(op) => Some(&op.linear),
            Self::Input(_) | Self::MaxPool(_) | Self::AvgPool(_) | Self::Transpose(_) => None,
        }
    }

    /// The tensors of the operator in the order of its leaf: weights, constants, table.
    pub fn tensors(&self) -> Vec<Tensor> {
        self.linear().map(Linear::tensors).unwrap_or_default()
    }

    /// Number of inputs that the operator takes.
    pub fn input_count(&self) -> usize {
        match self {
            Self::Input(_) => 0,
            Self::MatMul(_) | Self::Conv(_) => {
                1 + usize::from(self.linear().is_some_and(|linear| linear.addend.is_some()))
            }
            Self::MaxPool(_) | Self::AvgPool(_) | Self::Transpose(_) => 1,
        }
    }

    /// Element type that input `slot` must have; `None` where any is taken.
    pub fn input_dtype(&self, slot: usize) -> Option<DType> {
        match self {
            Self::MatMul(_) | Self::Conv(_) if slot == 1 => {
                self.linear().and_then(|linear| linear.addend)
            }
            Self::MatMul(_) | Self::Conv(_) | Self::AvgPool(_) => Some(DType::I8),
            Self::Input(_) | Self::MaxPool(_) | Self::Transpose(_) => None,
        }
    }
}

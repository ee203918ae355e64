//! The closed set of operators.
//!
//! Spec: programs, 1.10; operators, 2.10 to 2.17.

mod activation;
mod batch_matmul;
mod concat;
mod conv;
mod embedding;
mod factor;
mod input;
pub(crate) mod linear;
mod matmul;
mod movement;
mod normalize;
mod pointwise;
mod pool;
mod reduce;
mod weights;
mod window;

pub use activation::Activation;
pub use batch_matmul::{BatchMatMul, Cell, Interleave};
pub use concat::Concat;
pub use conv::Conv;
pub use embedding::Embedding;
pub use factor::FactorShift;
pub use input::InputSpec;
pub use linear::{ChannelConstants, Linear};
pub use matmul::MatMul;
pub use movement::{Move, Walk};
pub use normalize::{ColumnConstants, Normalize};
pub use pointwise::{Combine, Constant, Operand, Pointwise, Spread};
pub use pool::{AvgPool, MaxPool};
pub use reduce::{Reduce, ReduceKind};
pub use weights::{SharedMemory, Weights};
pub use window::Window;

use selfsame_protocol::constants as c;
use selfsame_protocol::{DecodeError, Reader};

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
    /// Matrix products of two inputs.
    BatchMatMul(BatchMatMul),
    /// One value for each row.
    Reduce(Reduce),
    /// Rows centred, scaled and shifted.
    Normalize(Normalize),
    /// Rows of a constant table.
    Embedding(Embedding),
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
            Self::BatchMatMul(_) => c::OP_BATCH_MATMUL,
            Self::Reduce(_) => c::OP_REDUCE,
            Self::Normalize(_) => c::OP_NORMALIZE,
            Self::Embedding(_) => c::OP_EMBEDDING,
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
            Self::BatchMatMul(_) => "batch_matmul",
            Self::Reduce(_) => "reduce",
            Self::Normalize(_) => "normalize",
            Self::Embedding(_) => "embedding",
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
            | Self::Pointwise(_)
            | Self::BatchMatMul(_)
            | Self::Reduce(_)
            | Self::Normalize(_)
            | Self::Embedding(_) => None,
        }
    }

    /// The tensors of the operator in the order of its leaf: weights, constants, table.
    pub fn tensors(&self) -> Vec<Tensor> {
        match self {
            Self::MatMul(op) => op.linear.tensors(),
            Self::Conv(op) => op.linear.tensors(),
            Self::Pointwise(op) => op.tensors(),
            Self::Normalize(op) => op.tensors(),
            Self::Embedding(op) => alloc::vec![(*op.table).clone()],
            Self::Input(_)
            | Self::MaxPool(_)
            | Self::AvgPool(_)
            | Self::Move(_)
            | Self::Concat(_)
            | Self::BatchMatMul(_)
            | Self::Reduce(_) => Vec::new(),
        }
    }

    /// How many tensors the operator has.
    pub fn tensor_count(&self) -> usize {
        match self {
            Self::MatMul(MatMul { linear, .. }) | Self::Conv(Conv { linear, .. }) => {
                2 + usize::from(linear.table.is_some())
            }
            Self::Pointwise(op) => op.tensor_count(),
            Self::Normalize(_) | Self::Embedding(_) => 1,
            Self::Input(_)
            | Self::MaxPool(_)
            | Self::AvgPool(_)
            | Self::Move(_)
            | Self::Concat(_)
            | Self::BatchMatMul(_)
            | Self::Reduce(_) => 0,
        }
    }

    /// Number of inputs that the operator takes.
    pub fn input_count(&self) -> usize {
        match self {
            Self::Input(_) => 0,
            Self::MatMul(op) => {
                1 + usize::from(op.linear.addend.is_some()) + usize::from(op.factor.is_some())
            }
            Self::Conv(op) => 1 + usize::from(op.linear.addend.is_some()),
            Self::MaxPool(_)
            | Self::AvgPool(_)
            | Self::Move(_)
            | Self::Reduce(_)
            | Self::Embedding(_) => 1,
            Self::Concat(op) => op.columns.len(),
            Self::Pointwise(op) => 1 + usize::from(op.two_inputs()),
            Self::BatchMatMul(op) => 2 + usize::from(op.factor.is_some()),
            Self::Normalize(op) => op.input_count(),
        }
    }

    /// Slot of the row factor, the last input, if there is one.
    pub fn factor_slot(&self) -> Option<usize> {
        let factor = match self {
            Self::MatMul(op) => op.factor.is_some(),
            Self::BatchMatMul(op) => op.factor.is_some(),
            Self::Normalize(op) => op.factor,
            Self::Input(_)
            | Self::Conv(_)
            | Self::MaxPool(_)
            | Self::AvgPool(_)
            | Self::Move(_)
            | Self::Concat(_)
            | Self::Pointwise(_)
            | Self::Reduce(_)
            | Self::Embedding(_) => false,
        };
        factor.then(|| self.input_count() - 1)
    }

    /// Element type that input `slot` must have; `None` where any is taken.
    pub fn input_dtype(&self, slot: usize) -> Option<DType> {
        if self.factor_slot() == Some(slot) {
            return Some(DType::I32);
        }
        match self {
            Self::MatMul(_) | Self::Conv(_) if slot == 1 => {
                self.linear().and_then(|linear| linear.addend)
            }
            Self::MatMul(op) => Some(op.dtype),
            Self::Conv(op) => Some(op.dtype),
            Self::AvgPool(_) => Some(DType::I8),
            Self::Pointwise(op) if slot == 1 => op.second.as_ref().map(|y| y.dtype),
            Self::Pointwise(op) => Some(op.dtype),
            Self::BatchMatMul(op) => Some(if slot == 0 { op.dtype } else { DType::I8 }),
            Self::Reduce(op) => Some(op.dtype),
            Self::Normalize(op) => Some(if slot == 0 { op.dtype } else { DType::I32 }),
            Self::Embedding(_) => Some(DType::I32),
            Self::Input(_) | Self::MaxPool(_) | Self::Move(_) | Self::Concat(_) => None,
        }
    }
}

pub(crate) fn decode_dtype(reader: &mut Reader<'_>) -> Result<DType, DecodeError> {
    let code = reader.u8("operand type")?;
    DType::from_code(code)
        .ok_or_else(|| reader.invalid("operand type", code.into(), "1 (i8), 2 (i16), 3 (i32)"))
}

//! Exact programs: what they are, when they are well formed, their bytes and their id.
//!
//! A [`Program`] is plain data that anyone can build. [`CheckedProgram::new`] checks every rule of
//! page 1 of the specification and is the only way to get a [`CheckedProgram`], which the
//! interpreter, the runtime and the game rely on. [`artefact`] reads and writes the file form.
//!
//! ```text
//! Program --CheckedProgram::new--> CheckedProgram --model_id()--> Hash
//!                                         |--leaf(i)--> node leaf bytes (what contracts read)
//! ```
//!
//! The operator set is a closed enum, [`Op`]; matches over it have no wildcard arm, so a new
//! variant makes the compiler list every place that has to learn it.
//!
//! Spec: programs, 1.1 to 1.15.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod artefact;
mod check;
mod dim;
mod header;
pub mod interface;
mod leaf;
mod limits;
mod op_limits;
pub mod ops;
mod program;
mod row_limits;
mod segments;
mod shape;
mod tensor;

pub use artefact::ArtefactError;
pub use check::{CheckedProgram, ProgramError};
pub use dim::{Dim, DimError, DimValues, Symbol};
pub use header::{ModelCommitment, program_rules_id};
pub use interface::{Interface, Layout, NotANumber, PixelRule, Ratio};
pub use leaf::{LeafError, NodeLeaf};
pub use limits::opened_bytes;
pub use ops::{
    Activation, AvgPool, BatchMatMul, ChannelConstants, ColumnConstants, Combine, Concat, Constant,
    Conv, Embedding, FactorShift, InputSpec, Interleave, Linear, MatMul, MaxPool, Move, Normalize,
    Op, Operand, Pointwise, Reduce, ReduceKind, SharedMemory, Spread, Walk, Weights, Window,
};
pub use program::{Node, Notes, Program};
pub use segments::{Place, Segments, resolve_names};
pub use shape::ShapeError;
pub use tensor::{DType, Tensor, TensorError};

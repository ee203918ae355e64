//! Why a program was not planned or a sample was not run.

use selfsame_ir::{DType, DimError};
use selfsame_kernels::{GridError, LinearError};
use thiserror::Error;

/// Why there is no plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PlanError {
    /// The values of the symbols do not fit the program.
    #[error(transparent)]
    Dim(#[from] DimError),
    /// A session of one plan was asked for other values.
    #[error("this session was made of one plan; make it of `Plans` to run at other values")]
    OnePlan,
    /// A tensor is too large for this engine.
    #[error("node {node}: {error}")]
    Grid {
        /// The node.
        node: usize,
        /// Why.
        error: GridError,
    },
    /// A linear node does not fit this engine.
    #[error("node {node}: {error}")]
    Linear {
        /// The node.
        node: usize,
        /// Why.
        error: LinearError,
    },
}

/// Why a sample or a batch was not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RunError {
    /// Input or output has another element type.
    #[error("the {what} has elements {found:?}, the program has {expected:?}")]
    Type {
        /// Input or output.
        what: &'static str,
        /// Found.
        found: DType,
        /// Expected.
        expected: DType,
    },
    /// Input and output are not a whole number of samples, or not the same number.
    #[error(
        "input of {input} and output of {output} elements; a sample has {input_sample} and {output_sample}, give whole samples and as many of each"
    )]
    Length {
        /// Input elements given.
        input: usize,
        /// Output elements given.
        output: usize,
        /// Input elements of one sample.
        input_sample: usize,
        /// Output elements of one sample.
        output_sample: usize,
    },
    /// The input holds a value that its type does not allow.
    #[error("input element {index} is {value}; eight bits are -127..=127, sixteen -32767..=32767")]
    Value {
        /// Index of the first bad element.
        index: usize,
        /// Its value.
        value: i32,
    },
}

//! A whole program on one sample.

use alloc::vec::Vec;

use selfsame_ir::{CheckedProgram, DType, DimError, DimValues, Tensor, TensorError};

use crate::ops::element;
use crate::trace::Trace;

/// Why a program was not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// Dimension values do not fit.
    #[error(transparent)]
    Dim(#[from] DimError),
    /// The input has another element type.
    #[error("the input's elements are {found:?}, the program takes {expected:?}")]
    Type {
        /// Found.
        found: DType,
        /// Taken.
        expected: DType,
    },
    /// The input has another number of elements.
    #[error("the input has {found} elements, the program takes {expected}")]
    Length {
        /// Found.
        found: usize,
        /// Taken.
        expected: u64,
    },
    /// The input holds a value that its type does not allow.
    #[error("input: {0}")]
    Value(#[from] TensorError),
}

/// Checks an input as a provider must before it accepts.
///
/// Spec: programs, 1.4 and 1.15.
pub fn check_input(
    program: &CheckedProgram,
    values: &DimValues,
    input: &Tensor,
) -> Result<(), RunError> {
    program.shapes(values)?;
    let (expected, dtype) = program.output_of(0, values).unwrap_or((0, DType::I8));
    if input.dtype() != dtype {
        return Err(RunError::Type {
            found: input.dtype(),
            expected: dtype,
        });
    }
    if input.len() as u64 != expected {
        return Err(RunError::Length {
            found: input.len(),
            expected,
        });
    }
    Ok(input.check_range()?)
}

/// Runs every element of every node; the trace holds all outputs, INPUT's first.
pub fn run(program: &CheckedProgram, values: &DimValues, input: Tensor) -> Result<Trace, RunError> {
    check_input(program, values, &input)?;
    let shapes = program.shapes(values)?;
    let mut outputs: Vec<Tensor> = alloc::vec![input];
    for (node, shape) in program.nodes().iter().zip(&shapes).skip(1) {
        let inputs: Vec<&Tensor> = node
            .inputs
            .iter()
            .filter_map(|&input| outputs.get(input as usize))
            .collect();
        let count = shape.iter().map(|&extent| u64::from(extent)).product();
        let elements: Vec<i32> = (0..count)
            .map(|index| element(&node.op, values, &inputs, index))
            .collect();
        outputs.push(Tensor::from_values(node.dtype, &elements)?);
    }
    Ok(Trace::new(outputs, program.segments().committed()))
}

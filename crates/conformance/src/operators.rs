//! Every operator through every implementation, element by element.
//!
//! * What: [`Implementation`] is anything that computes a program; the interpreter is the meaning,
//!   all others are compared with it. [`Matrix`] counts, for each feature of a node, how many nodes
//!   were compared, and which implementations agreed on all of them.
//! * When: `tests/operators.rs` runs a fixed slice and compares the matrix with the committed one;
//!   with `SELFSAME_SOAK=1` it runs the full count.
//! * Key types: [`Implementation`], [`Subject`], [`Difference`], [`Matrix`].
//! * Related: [`crate::generator`] makes the cases.
//!
//! Spec: operators, 2.10 to 2.25; game, 4.8.

#![expect(
    clippy::missing_panics_doc,
    reason = "a test tool: its panics are its own faults"
)]

mod engine;
mod evm;
mod features;
mod leaf;
mod matrix;
mod openings;
mod registry;
mod row_features;

use std::fmt;

use selfsame_interpreter::Trace;
use selfsame_ir::{CheckedProgram, DimValues, ModelCommitment, Tensor};
use selfsame_protocol::Hash;

use crate::generator::Case;

pub use engine::Engine;
pub use evm::{Artifact, Evm, Refused};
pub use features::{FEATURES, KINDS, features};
pub use leaf::{LeafContracts, open, picks};
pub use matrix::Matrix;
pub use openings::{revert_data, spoil};
pub use registry::{Mutation, Registry, Verdict, mutate, reference_verdict};

/// A case with all that its comparisons need, computed once by the interpreter.
#[derive(Debug)]
pub struct Subject {
    /// The program.
    pub program: CheckedProgram,
    /// Its node leaves and trees.
    pub commitment: ModelCommitment,
    /// Values of its symbols.
    pub values: DimValues,
    /// The sample.
    pub input: Tensor,
    /// What the interpreter makes of it.
    pub trace: Trace,
    /// Root of each node's output.
    pub roots: Vec<Hash>,
    /// Which elements are looked at where not all are.
    pub seed: u64,
}

impl Subject {
    /// Runs the interpreter on `case`.
    pub fn new(case: Case, seed: u64) -> Result<Self, selfsame_interpreter::RunError> {
        let trace = selfsame_interpreter::run(&case.program, &case.values, case.input.clone())?;
        let roots = trace.node_roots();
        let commitment = case.program.commit();
        let Case {
            program,
            values,
            input,
        } = case;
        Ok(Self {
            program,
            commitment,
            values,
            input,
            trace,
            roots,
            seed,
        })
    }
}

/// Where an implementation differs from the interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The implementation.
    pub implementation: String,
    /// The node.
    pub node: u32,
    /// The flat element, where it is one value that differs.
    pub element: Option<u64>,
    /// What the interpreter has.
    pub expected: String,
    /// What the implementation has.
    pub actual: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            implementation,
            node,
            element,
            expected,
            actual,
        } = self;
        let element = element.map_or_else(|| "whole".to_owned(), |at| at.to_string());
        write!(
            f,
            "{implementation}: node {node}, element {element}: expected {expected}, got {actual}"
        )
    }
}

/// Something that computes programs, or single elements of them.
pub trait Implementation {
    /// Its column in the matrix.
    fn name(&self) -> String;

    /// Compares values and roots of every computed node with the interpreter's; the first
    /// difference is the error. `Ok` holds the number of elements compared.
    fn compare(&mut self, subject: &Subject) -> Result<u64, Difference>;
}

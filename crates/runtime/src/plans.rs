//! Plans of one program at several values of its symbols: weights are packed once and shared.

use std::sync::Arc;

use selfsame_ir::{CheckedProgram, DimValues, Tensor};
use selfsame_kernels::{Kernel, Packed};

use crate::error::PlanError;
use crate::plan::Plan;
use crate::storage::Buffer;

/// What plans of one program have in common, node by node.
#[derive(Debug, Default)]
pub(crate) struct Weights {
    nodes: Vec<NodeWeights>,
}

#[derive(Debug, Default)]
struct NodeWeights {
    /// One for each order that some extents wanted.
    linear: Vec<Arc<Packed>>,
    /// A stored constant: a table of an embedding, a second operand.
    buffer: Option<Arc<Buffer>>,
}

impl Weights {
    fn node(&mut self, index: usize) -> &mut NodeWeights {
        if self.nodes.len() <= index {
            self.nodes.resize_with(index + 1, NodeWeights::default);
        }
        &mut self.nodes[index]
    }

    /// What was packed for linear node `index` so far.
    pub(crate) fn linear(&mut self, index: usize) -> &mut Vec<Arc<Packed>> {
        &mut self.node(index).linear
    }

    /// The stored constant of node `index`.
    pub(crate) fn buffer(&mut self, index: usize, tensor: &Tensor, flip: u8) -> Arc<Buffer> {
        let buffer = &mut self.node(index).buffer;
        Arc::clone(buffer.get_or_insert_with(|| Arc::new(Buffer::holding(tensor, flip))))
    }
}

/// Makes plans of one program for one kernel.
#[derive(Debug)]
pub struct Plans {
    program: Arc<CheckedProgram>,
    kernel: Kernel,
    weights: Weights,
}

impl Plans {
    /// No plan yet; weights are packed with the first one.
    pub fn new(program: Arc<CheckedProgram>, kernel: Kernel) -> Self {
        Self {
            program,
            kernel,
            weights: Weights::default(),
        }
    }

    /// A plan at the given values of the symbols. It shares the weights of those before and after.
    pub fn at(&mut self, values: &DimValues) -> Result<Plan, PlanError> {
        Plan::sharing(&self.program, values, self.kernel, &mut self.weights)
    }

    /// The program.
    pub fn program(&self) -> &Arc<CheckedProgram> {
        &self.program
    }
}

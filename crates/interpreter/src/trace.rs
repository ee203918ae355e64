//! The trace of a run: every node's output, and the commitments to them.
//!
//! Spec: commitments, 2.3 and 2.6.

use alloc::vec::Vec;

use selfsame_commit::Tree;
use selfsame_ir::Tensor;
use selfsame_protocol::Hash;

/// Every node's output in execution order; the first is the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    outputs: Vec<Tensor>,
    committed: Vec<u32>,
}

impl Trace {
    /// From the outputs of every node, INPUT included, and the nodes that the program commits to.
    pub fn new(outputs: Vec<Tensor>, committed: &[u32]) -> Self {
        Self {
            outputs,
            committed: committed.to_vec(),
        }
    }

    /// The nodes whose outputs the trace root commits to, increasing.
    pub fn committed(&self) -> &[u32] {
        &self.committed
    }

    /// The outputs.
    pub fn outputs(&self) -> &[Tensor] {
        &self.outputs
    }

    /// Output of node `node`.
    pub fn output(&self, node: u32) -> Option<&Tensor> {
        self.outputs.get(node as usize)
    }

    /// Gives the outputs back.
    pub fn into_outputs(self) -> Vec<Tensor> {
        self.outputs
    }

    /// Root of every node's output.
    pub fn node_roots(&self) -> Vec<Hash> {
        self.outputs.iter().map(Tensor::root).collect()
    }

    /// The trace root: over the committed nodes.
    pub fn root(&self) -> Hash {
        let outputs = self.committed.iter().filter_map(|&node| self.output(node));
        Tree::new(outputs.map(Tensor::root).collect()).root()
    }

    /// The leftmost difference to `other`: (node, flat element); `None` if there is none.
    pub fn first_difference(&self, other: &Self) -> Option<(u32, u64)> {
        for (node, (mine, theirs)) in (0..).zip(self.outputs.iter().zip(&other.outputs)) {
            if mine == theirs {
                continue;
            }
            let differs = |index: &usize| mine.get(*index) != theirs.get(*index);
            let index = (0..mine.len().max(theirs.len())).find(differs)?;
            return Some((node, index as u64));
        }
        None
    }
}

//! Which inputs pick rows of tables: token ids do, masks do not.

use super::graph::{FloatGraph, FloatOp};

impl FloatGraph {
    /// Rows of the smallest table of which input `input` picks rows as it is; `None` if it picks none.
    pub fn table_rows(&self, input: usize) -> Option<usize> {
        let mut carries = vec![false; self.nodes.len()];
        let mut least = None;
        for (index, node) in self.nodes.iter().enumerate() {
            let reads = node.inputs.iter().any(|&from| carries[from]);
            carries[index] = index == input || (reads && node.op.passes());
            if let (true, FloatOp::Embedding { rows, .. }) = (reads, &node.op) {
                least = Some(least.map_or(*rows, |least: usize| least.min(*rows)));
            }
        }
        least
    }
}

//! How long values are kept while a sample runs, and how much memory that takes.

use super::super::graph::{FloatGraph, FloatNode};

impl FloatGraph {
    /// For each node the last one that reads it: itself if nobody does, none for the first answer.
    pub(super) fn last_readers(&self) -> Vec<usize> {
        let mut last: Vec<usize> = (0..self.nodes.len()).collect();
        for (index, node) in self.nodes.iter().enumerate() {
            for &input in &node.inputs {
                last[input] = index;
            }
        }
        if let Some(answer) = last.get_mut(self.output()) {
            *answer = self.nodes.len();
        }
        last
    }

    /// Bytes of all values of a sample.
    pub(crate) fn bytes(&self) -> usize {
        let elements = self.nodes.iter().map(FloatNode::elements);
        elements.sum::<usize>() * size_of::<f32>()
    }

    /// Most bytes of values that are kept at one time while a sample runs.
    pub(crate) fn live_bytes(&self) -> usize {
        let last = self.last_readers();
        let (mut live, mut most) = (0_usize, 0);
        for (index, node) in self.nodes.iter().enumerate() {
            live += node.elements();
            most = most.max(live);
            let mut read = node.inputs.clone();
            read.sort_unstable();
            read.dedup();
            let dead = read.iter().filter(|&&input| last[input] == index);
            live -= dead
                .map(|&input| self.nodes[input].elements())
                .sum::<usize>();
            if last[index] == index {
                live -= node.elements();
            }
        }
        most * size_of::<f32>()
    }
}

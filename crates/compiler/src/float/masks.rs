//! Masks are added last.
//!
//! ```text
//! scores + (bias + mask)  = (scores + bias) + mask        in front of a softmax
//! ```
//!
//! T5 adds its bias of distances to the mask once for all layers. A value that holds both has the mask's
//! scale, -10000, and nothing of the bias would be left; what a mask is added to has a scale of its own.

use super::graph::{Arithmetic, FloatGraph, FloatNode, FloatOp};
use super::spread::Spread;
use crate::lower::MASK_LOW;

/// A sum of scores with what is itself a sum: the terms, each a node.
struct Sum {
    scores: usize,
    bias: usize,
    mask: usize,
}

impl FloatGraph {
    /// Regroups the sums in front of each softmax; sums that nobody reads any more stay until they are
    /// dropped.
    pub(super) fn mask_last(&mut self) {
        let mut reads_else = vec![false; self.nodes.len()];
        let mut feeds_softmax = vec![false; self.nodes.len()];
        for node in &self.nodes {
            let is_softmax = matches!(node.op, FloatOp::Softmax);
            for &input in &node.inputs {
                reads_else[input] |= !is_softmax;
                feeds_softmax[input] |= is_softmax;
            }
        }
        for output in &self.outputs {
            reads_else[output.node] = true;
        }
        let sums: Vec<Option<Sum>> = (0..self.nodes.len())
            .map(|index| {
                let alone = feeds_softmax[index] && !reads_else[index];
                if alone { self.masked_sum(index) } else { None }
            })
            .collect();
        if sums.iter().all(Option::is_none) {
            return;
        }
        let mut renumbered: Vec<usize> = Vec::with_capacity(self.nodes.len());
        let mut nodes: Vec<FloatNode> = Vec::with_capacity(self.nodes.len());
        for (mut node, sum) in core::mem::take(&mut self.nodes).into_iter().zip(sums) {
            node.inputs
                .iter_mut()
                .for_each(|input| *input = renumbered[*input]);
            if let Some(sum) = sum {
                let [scores, bias, mask] =
                    [sum.scores, sum.bias, sum.mask].map(|old| renumbered[old]);
                let (first, second) = (
                    added(&nodes[bias], &node.shape),
                    added(&nodes[mask], &node.shape),
                );
                if let (Some(first), Some(second)) = (first, second) {
                    nodes.push(FloatNode {
                        op: first,
                        inputs: vec![scores, bias],
                        ..node.clone()
                    });
                    node.op = second;
                    node.inputs = vec![nodes.len() - 1, mask];
                }
            }
            renumbered.push(nodes.len());
            nodes.push(node);
        }
        self.renumber(nodes, &renumbered);
    }

    /// Node `index` as scores and the sum of a constant with what the model computes: a constant of large
    /// negative numbers is the mask, else what is computed.
    fn masked_sum(&self, index: usize) -> Option<Sum> {
        let [a, b] = self.summands(index)?;
        let whole = |scores: usize| self.nodes[scores].shape == self.nodes[index].shape;
        [(a, b), (b, a)].into_iter().find_map(|(scores, other)| {
            let [c, d] = self.summands(other).filter(|_| whole(scores))?;
            let (constant, least, made) = match (self.least(c), self.least(d)) {
                (Some(least), None) => (c, least, d),
                (None, Some(least)) => (d, least, c),
                (Some(_), Some(_)) | (None, None) => return None,
            };
            let (bias, mask) = if f64::from(least) <= MASK_LOW {
                (made, constant)
            } else {
                (constant, made)
            };
            Some(Sum { scores, bias, mask })
        })
    }

    fn summands(&self, index: usize) -> Option<[usize; 2]> {
        let node = &self.nodes[index];
        let is_sum = matches!(node.op, FloatOp::Add | FloatOp::Pair(Arithmetic::Add, _));
        node.inputs.as_slice().try_into().ok().filter(|_| is_sum)
    }

    /// The least element of a constant.
    fn least(&self, index: usize) -> Option<f32> {
        if let FloatOp::Constant(elements) = &self.nodes[index].op {
            return Some(elements.iter().copied().fold(f32::INFINITY, f32::min));
        }
        None
    }
}

/// The sum of a value of `shape` with `other`, if that spreads over it.
fn added(other: &FloatNode, shape: &[usize]) -> Option<FloatOp> {
    let spread = Spread::over(shape, &other.shape)?;
    // A constant is the second operand of a pair.
    let is_constant = matches!(other.op, FloatOp::Constant(_));
    Some(if spread.is_full() && !is_constant {
        FloatOp::Add
    } else {
        FloatOp::Pair(Arithmetic::Add, spread)
    })
}

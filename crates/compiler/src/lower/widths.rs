//! Which values are int16.
//!
//! Convolutional networks are int8 but for the last sums. In networks of rows (attention, norms,
//! embeddings) int8 on one scale for all rows loses too much: their values are int16, and a node
//! that needs int8 gets it from a row factor of its own, or where it takes no factor on one scale.

use crate::float::{FloatGraph, FloatOp};

/// For each node whether its value is int16.
pub(super) fn wide_nodes(graph: &FloatGraph) -> Vec<bool> {
    let readers = graph.readers();
    let mut wide = if std::env::var("WIDE").is_ok() {
        vec![true; graph.nodes().len()]
    } else if graph.is_of_rows() {
        rows_of(graph)
    } else {
        vec![false; graph.nodes().len()]
    };
    // On the way from the last requantisation to the output.
    let mut index = graph.output();
    while readers[index] == 1 {
        let node = &graph.nodes()[index];
        let Some(&input) = node.inputs.first() else {
            break;
        };
        wide[index] = true;
        if !node.op.passes() {
            break;
        }
        index = input;
    }
    // Means that a factor follows.
    for node in graph.nodes() {
        if let (FloatOp::Plane(_), &[mean]) = (&node.op, node.inputs.as_slice()) {
            wide[mean] |=
                readers[mean] == 1 && matches!(graph.nodes()[mean].op, FloatOp::AvgPool(_));
        }
    }
    wide
}

/// All values but those that only nodes read that take int8 and no row factor.
fn rows_of(graph: &FloatGraph) -> Vec<bool> {
    let nodes = graph.nodes();
    let mut wide = vec![false; nodes.len()];
    wide[graph.output()] = true;
    for (index, node) in nodes.iter().enumerate().rev() {
        for (slot, &input) in node.inputs.iter().enumerate() {
            let takes_bytes = match &node.op {
                FloatOp::Conv(..) | FloatOp::AvgPool(_) => true,
                FloatOp::Product { .. } => slot == 1,
                FloatOp::Reshape
                | FloatOp::Transpose(_)
                | FloatOp::MaxPool(_)
                | FloatOp::Walk(..) => !wide[index],
                FloatOp::Input
                | FloatOp::Constant(_)
                | FloatOp::Dense(_)
                | FloatOp::Affine { .. }
                | FloatOp::Add
                | FloatOp::Clip(..)
                | FloatOp::Function(_)
                | FloatOp::Pair(..)
                | FloatOp::Plane(_)
                | FloatOp::Concat(_)
                | FloatOp::Softmax
                | FloatOp::Normalize { .. }
                | FloatOp::Reduce(_)
                | FloatOp::ArgMax
                | FloatOp::Embedding { .. } => false,
            };
            wide[input] |= !takes_bytes;
        }
    }
    wide
}

//! What of the float graph has no exact form yet.

use super::error::CompileError;
use crate::float::{FloatGraph, FloatNode, FloatOp, Spread};

/// How the second activation of a pair lies over the first one, as far as there is an exact form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Of the same shape.
    Full,
    /// `[C][1][1]` over `[C][H][W]`.
    Channel,
    /// `[1][H][W]` over `[C][H][W]`.
    Plane,
    /// One element.
    One,
}

impl Form {
    /// The form of a spread.
    pub(super) fn of(spread: &Spread, shape: &[usize]) -> Option<Self> {
        let repeated = spread.repeated();
        let single = repeated.iter().zip(shape);
        if spread.is_full() {
            Some(Self::Full)
        } else if single
            .clone()
            .all(|(&repeated, &extent)| repeated || extent == 1)
        {
            Some(Self::One)
        } else {
            match (repeated, shape) {
                ([false, a, b], [_, h, w]) if (*a || *h == 1) && (*b || *w == 1) => {
                    Some(Self::Channel)
                }
                ([true, false, false], _) => Some(Self::Plane),
                _ => None,
            }
        }
    }
}

/// Refuses a graph with nodes that have no exact form.
pub(super) fn check(graph: &FloatGraph) -> Result<(), CompileError> {
    if graph.inputs().len() != 1 {
        return Err(CompileError::Operator {
            node: graph.input_name().to_owned(),
            what: "a model of several inputs",
        });
    }
    for node in graph.nodes() {
        if let Some(what) = lacks_form(node) {
            return Err(CompileError::Operator {
                node: node.name.clone(),
                what,
            });
        }
    }
    Ok(())
}

/// What a node is, if it has no exact form.
fn lacks_form(node: &FloatNode) -> Option<&'static str> {
    match &node.op {
        FloatOp::Constant(_) => Some("a constant as an operand"),
        FloatOp::Product { .. } => Some("a product of two activations"),
        FloatOp::Softmax => Some("softmax"),
        FloatOp::Normalize { .. } => Some("a norm of rows"),
        FloatOp::Reduce(_) => Some("a reduction of rows"),
        FloatOp::ArgMax => Some("the index of the largest element"),
        FloatOp::Embedding { .. } => Some("an embedding"),
        FloatOp::Affine { .. } => Some("an affine map of the columns of a matrix"),
        FloatOp::Pair(_, spread) => match Form::of(spread, &node.shape) {
            Some(_) => None,
            None => Some("a pair of activations broadcast over these axes"),
        },
        FloatOp::Input
        | FloatOp::Dense(_)
        | FloatOp::Conv(..)
        | FloatOp::Add
        | FloatOp::Clip(..)
        | FloatOp::Function(_)
        | FloatOp::Plane(_)
        | FloatOp::Concat(_)
        | FloatOp::Walk(..)
        | FloatOp::MaxPool(_)
        | FloatOp::AvgPool(_)
        | FloatOp::Reshape
        | FloatOp::Transpose(_) => None,
    }
}

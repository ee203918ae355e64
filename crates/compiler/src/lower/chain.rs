//! Chains: which float nodes become one node of the program.
//!
//! ```text
//! (dense | conv | average pool | any value) -> [add] -> [clip | sigmoid | tanh]
//! ```
//!
//! A node joins the chain of its only reader. What is left over (a sum of two shared values, a
//! clamp of a pool) starts a chain with the identity, a one-by-one convolution.

use crate::float::{FloatGraph, FloatOp};

/// One node of the program to be: the float nodes that it stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chain {
    /// The dense node, convolution, pool or transposition; or the value that the identity copies.
    pub(super) body: usize,
    /// True if the body's value exists already and is copied.
    pub(super) identity: bool,
    /// The other summand.
    pub(super) addend: Option<usize>,
    /// The node whose value goes into clamp or table.
    pub(super) sum: usize,
    /// The last node: whose value the program's node has.
    pub(super) end: usize,
}

/// Chains in execution order. Views belong to no chain.
pub(super) fn chains(graph: &FloatGraph) -> Vec<Chain> {
    let nodes = graph.nodes();
    let readers = graph.readers();
    // For each node the chain that ends in it and is still open to its only reader.
    let mut open: Vec<Option<Chain>> = vec![None; nodes.len()];
    let mut closed = Vec::new();
    for (index, node) in nodes.iter().enumerate() {
        let mut take = |input: usize, wanted: fn(&FloatOp) -> bool| -> Option<Chain> {
            let fits = readers[input] == 1
                && open[input].as_ref().is_some_and(|chain| {
                    !chain.identity && wanted(&nodes[chain.body].op)
                        || chain.identity && chain.end == input && chain.addend.is_some()
                });
            if fits { open[input].take() } else { None }
        };
        let identity = |input: usize| Chain {
            body: input,
            identity: true,
            addend: None,
            sum: input,
            end: input,
        };
        let chain = match &node.op {
            FloatOp::Input | FloatOp::Reshape | FloatOp::Affine { .. } => continue,
            FloatOp::Dense(_)
            | FloatOp::Conv(..)
            | FloatOp::AvgPool(_)
            | FloatOp::MaxPool(_)
            | FloatOp::Transpose(_) => Chain {
                body: index,
                identity: false,
                addend: None,
                sum: index,
                end: index,
            },
            FloatOp::Add => {
                let (a, b) = (node.inputs[0], node.inputs[1]);
                let (late, early) = if a >= b { (a, b) } else { (b, a) };
                let linear = |chain: &Chain| chain.addend.is_none() && chain.sum == chain.end;
                let mut add = |carrier: usize, addend: usize| {
                    if carrier == addend || !open[carrier].as_ref().is_some_and(&linear) {
                        return None;
                    }
                    let fits = readers[carrier] == 1
                        && open[carrier]
                            .as_ref()
                            .is_some_and(|c| is_linear(&nodes[c.body].op));
                    if !fits {
                        return None;
                    }
                    open[carrier].take().map(|chain| (chain, addend))
                };
                let (chain, addend) = add(late, early)
                    .or_else(|| add(early, late))
                    .unwrap_or((identity(late), early));
                Chain {
                    addend: Some(addend),
                    sum: index,
                    end: index,
                    ..chain
                }
            }
            FloatOp::Clip(..) => {
                let input = node.inputs[0];
                let chain = take(input, |op| {
                    is_linear(op) || matches!(op, FloatOp::AvgPool(_))
                });
                let mut chain = chain.unwrap_or_else(|| identity(input));
                chain.end = index;
                chain
            }
            FloatOp::Sigmoid | FloatOp::Tanh => {
                let input = node.inputs[0];
                let mut chain = take(input, is_linear).unwrap_or_else(|| identity(input));
                chain.end = index;
                chain
            }
        };
        // Whatever this node reads and did not join is complete now.
        closed.extend(node.inputs.iter().filter_map(|&input| open[input].take()));
        if let Some(addend) = chain.addend {
            closed.extend(open[addend].take());
        }
        let has_activation = chain.end != chain.sum;
        if has_activation || readers[index] != 1 || index == graph.output() {
            closed.push(chain);
        } else {
            open[index] = Some(chain);
        }
    }
    closed.extend(open.into_iter().flatten());
    closed.sort_by_key(|chain| chain.end);
    closed
}

fn is_linear(op: &FloatOp) -> bool {
    matches!(op, FloatOp::Dense(_) | FloatOp::Conv(..))
}

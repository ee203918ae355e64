//! Chains: which float nodes become one node of the program.
//!
//! ```text
//! (dense | conv) -> [add] -> [clip | function]
//! average pool -> [clip]
//! any value -> [pair with another value] -> [clip | function]
//! ```
//!
//! A node joins the chain of its only reader. What is left over (a product or sum of two shared
//! values, a clamp of a pool) is a pointwise node.

use crate::float::{Arithmetic, FloatGraph, FloatNode, FloatOp, Spread};

/// One node of the program to be: the float nodes that it stands for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chain {
    /// The dense node, convolution, pool or move; or the value that a pointwise node reads.
    pub(super) body: usize,
    /// True if the body's value exists already and a pointwise node reads it.
    pub(super) pointwise: bool,
    /// The other summand, or the other operand of a pointwise node.
    pub(super) addend: Option<usize>,
    /// What a pointwise node does with its operands, and how the second one is spread if it is.
    pub(super) pair: (Arithmetic, Option<Spread>),
    /// The node whose value goes into clamp or table.
    pub(super) sum: usize,
    /// The last node: whose value the program's node has.
    pub(super) end: usize,
}

impl Chain {
    fn start(body: usize) -> Self {
        Self {
            body,
            pointwise: false,
            addend: None,
            pair: (Arithmetic::Add, None),
            sum: body,
            end: body,
        }
    }

    fn pointwise(of: usize) -> Self {
        Self {
            pointwise: true,
            ..Self::start(of)
        }
    }
}

/// Chains in execution order. Views and transpositions belong to no chain.
pub(super) fn chains(graph: &FloatGraph) -> Vec<Chain> {
    let mut links = Links {
        nodes: graph.nodes(),
        readers: graph.readers(),
        open: vec![None; graph.nodes().len()],
    };
    let mut closed = Vec::new();
    for (index, node) in graph.nodes().iter().enumerate() {
        let Some(chain) = links.chain_to(index) else {
            continue;
        };
        // Whatever this node reads and did not join is complete now.
        closed.extend(
            node.inputs
                .iter()
                .filter_map(|&input| links.open[input].take()),
        );
        let has_activation = chain.end != chain.sum;
        if has_activation || links.readers[index] != 1 || index == graph.output() {
            closed.push(chain);
        } else {
            links.open[index] = Some(chain);
        }
    }
    closed.extend(links.open.into_iter().flatten());
    closed.sort_by_key(|chain| chain.end);
    closed
}

/// The chains that may still grow.
struct Links<'a> {
    nodes: &'a [FloatNode],
    readers: Vec<usize>,
    /// For each node the chain that ends in it and is open to its only reader.
    open: Vec<Option<Chain>>,
}

impl Links<'_> {
    /// The chain that ends in node `index`; `None` for nodes of no chain.
    fn chain_to(&mut self, index: usize) -> Option<Chain> {
        let node = &self.nodes[index];
        match &node.op {
            FloatOp::Input | FloatOp::Constant(_) | FloatOp::Reshape | FloatOp::Transpose(_) => {
                None
            }
            op if op.is_rescaling() => None,
            FloatOp::Dense(_)
            | FloatOp::Conv(..)
            | FloatOp::AvgPool(_)
            | FloatOp::MaxPool(_)
            | FloatOp::Plane(_)
            | FloatOp::Concat(_)
            | FloatOp::Affine { .. }
            | FloatOp::Product { .. }
            | FloatOp::Softmax
            | FloatOp::Normalize { .. }
            | FloatOp::Reduce(_)
            | FloatOp::ArgMax
            | FloatOp::Embedding { .. }
            | FloatOp::Walk(..) => Some(Chain::start(index)),
            FloatOp::Pair(arithmetic, spread) => Some(Chain {
                addend: Some(node.inputs[1]),
                pair: (*arithmetic, Some(spread.clone())),
                sum: index,
                end: index,
                ..Chain::pointwise(node.inputs[0])
            }),
            FloatOp::Add => {
                let (a, b) = (node.inputs[0], node.inputs[1]);
                let (late, early) = if a >= b { (a, b) } else { (b, a) };
                let (chain, addend) = match self.carrier(late, early) {
                    Some(chain) => (chain, early),
                    None => match self.carrier(early, late) {
                        Some(chain) => (chain, late),
                        None => (Chain::pointwise(late), early),
                    },
                };
                Some(Chain {
                    addend: Some(addend),
                    sum: index,
                    end: index,
                    ..chain
                })
            }
            FloatOp::Clip(..) | FloatOp::Function(_) => {
                let input = node.inputs[0];
                let is_clip = matches!(node.op, FloatOp::Clip(..));
                let chain = self.activated(input, is_clip);
                Some(Chain {
                    end: index,
                    ..chain.unwrap_or_else(|| Chain::pointwise(input))
                })
            }
        }
    }

    /// Takes the open linear chain that ends in `input`, to add `addend` to it.
    fn carrier(&mut self, input: usize, addend: usize) -> Option<Chain> {
        let chain = self.open[input].as_ref()?;
        let fits = input != addend
            && self.readers[input] == 1
            && !chain.pointwise
            && chain.addend.is_none()
            && is_linear(&self.nodes[chain.body].op);
        if fits { self.open[input].take() } else { None }
    }

    /// Takes the open chain that ends in `input`, to put a clamp or a table behind it.
    fn activated(&mut self, input: usize, is_clip: bool) -> Option<Chain> {
        let chain = self.open[input].as_ref()?;
        let body = &self.nodes[chain.body].op;
        let clamps = is_clip && matches!(body, FloatOp::AvgPool(_));
        let fits = self.readers[input] == 1 && (chain.pointwise || is_linear(body) || clamps);
        if fits { self.open[input].take() } else { None }
    }
}

fn is_linear(op: &FloatOp) -> bool {
    matches!(op, FloatOp::Dense(_) | FloatOp::Conv(..))
}

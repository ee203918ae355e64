//! Functions of one value: chains of elementwise nodes become one expression.
//!
//! ```text
//! pair(f(x), g(x)) = (f pair g)(x)        SiLU, hard swish, GELU and Mish as exporters spell them
//! f(g(x))          = (f of g)(x)          where nobody else reads g(x)
//! ```

use super::function::{Function, Primitive, SIZE_MAX};
use super::graph::{Arithmetic, FloatGraph, FloatNode, FloatOp};

/// Most elementwise nodes that are followed upwards from a pair.
const PATH_MAX: usize = 32;

impl FloatGraph {
    /// Pairs of two functions of one value become one function of it.
    pub(super) fn join_pairs(&mut self) {
        for (index, whole) in self.whole_numbers().iter().enumerate().skip(1) {
            if whole.is_some() {
                // No table is exact for every token id.
                continue;
            }
            let arithmetic = match &self.nodes[index].op {
                FloatOp::Add => Arithmetic::Add,
                FloatOp::Pair(arithmetic, spread) if spread.is_full() => *arithmetic,
                FloatOp::Input
                | FloatOp::Constant(_)
                | FloatOp::Product { .. }
                | FloatOp::Softmax
                | FloatOp::Normalize { .. }
                | FloatOp::Reduce(_)
                | FloatOp::ArgMax
                | FloatOp::Embedding { .. }
                | FloatOp::Dense(_)
                | FloatOp::Conv(..)
                | FloatOp::Affine { .. }
                | FloatOp::Pair(..)
                | FloatOp::Plane(_)
                | FloatOp::Concat(_)
                | FloatOp::Walk(..)
                | FloatOp::Clip(..)
                | FloatOp::Function(_)
                | FloatOp::MaxPool(_)
                | FloatOp::AvgPool(_)
                | FloatOp::Reshape
                | FloatOp::Transpose(_) => continue,
            };
            let [a, b] = self.nodes[index].inputs[..] else {
                continue;
            };
            let (first, second) = (self.path(a), self.path(b));
            let common = first.iter().find_map(|(node, f)| {
                let (_, g) = second.iter().find(|(other, _)| other == node)?;
                Some((*node, f.clone(), g.clone()))
            });
            let Some((root, f, g)) = common else { continue };
            let minus = |f: Function| f.times(Function::Constant(-1.0));
            let joined = match arithmetic {
                Arithmetic::Add => f.plus(g),
                Arithmetic::Sub => f.plus(minus(g)),
                Arithmetic::ReverseSub => minus(f).plus(g),
                Arithmetic::Mul => f.times(g),
            };
            if joined.size() <= SIZE_MAX {
                self.nodes[index].op = FloatOp::Function(joined);
                self.nodes[index].inputs = vec![root];
            }
        }
    }

    /// The values above `node` that it is a function of, nearest first, itself included.
    pub(super) fn path(&self, node: usize) -> Vec<(usize, Function)> {
        let mut path = vec![(node, Function::X)];
        while let Some((at, f)) = path.last() {
            let Some(inner) = as_function(&self.nodes[*at]) else {
                break;
            };
            let (above, f) = (self.nodes[*at].inputs[0], f.of(&inner));
            if path.len() == PATH_MAX || f.size() > SIZE_MAX {
                break;
            }
            path.push((above, f));
        }
        path
    }

    /// Puts a function behind another one into one node; true if anything changed.
    pub(super) fn compose(&mut self) -> bool {
        let mut readers = self.readers();
        let mut changed = false;
        for index in 1..self.nodes.len() {
            let Some(&input) = self.nodes[index].inputs.first() else {
                continue;
            };
            let (outer, inner) = (&self.nodes[index], &self.nodes[input]);
            let is_function = |node: &FloatNode| matches!(node.op, FloatOp::Function(_));
            if readers[input] != 1 || !(is_function(outer) || is_function(inner)) {
                continue;
            }
            let (Some(f), Some(g)) = (as_function(outer), as_function(inner)) else {
                continue;
            };
            let joined = f.of(&g);
            if joined.size() > SIZE_MAX {
                continue;
            }
            let Some(&above) = inner.inputs.first() else {
                continue;
            };
            self.nodes[index].op = FloatOp::Function(joined);
            self.nodes[index].inputs = vec![above];
            readers[input] = 0;
            changed = true;
        }
        changed
    }
}

/// The node as a function of its input's elements, if it is one.
fn as_function(node: &FloatNode) -> Option<Function> {
    match &node.op {
        FloatOp::Function(f) => Some(f.clone()),
        FloatOp::Clip(low, high) => Some(Function::primitive(Primitive::Clip(
            f64::from(*low),
            f64::from(*high),
        ))),
        FloatOp::Affine { scale, shift, .. } => {
            let same = |values: &[f32]| {
                let first = values.first().copied()?;
                let same = values.iter().all(|v| v.to_bits() == first.to_bits());
                same.then(|| f64::from(first))
            };
            Some(Function::X.affine(same(scale)?, same(shift)?))
        }
        FloatOp::Input
        | FloatOp::Constant(_)
        | FloatOp::Product { .. }
        | FloatOp::Softmax
        | FloatOp::Normalize { .. }
        | FloatOp::Reduce(_)
        | FloatOp::ArgMax
        | FloatOp::Embedding { .. }
        | FloatOp::Dense(_)
        | FloatOp::Conv(..)
        | FloatOp::Add
        | FloatOp::Pair(..)
        | FloatOp::Plane(_)
        | FloatOp::Concat(_)
        | FloatOp::Walk(..)
        | FloatOp::MaxPool(_)
        | FloatOp::AvgPool(_)
        | FloatOp::Reshape
        | FloatOp::Transpose(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::graph::{GraphInput, GraphOutput, InputKind};
    use super::super::spread::Spread;
    use super::*;

    fn graph(ops: Vec<(FloatOp, Vec<usize>)>) -> FloatGraph {
        let node = |(op, inputs)| FloatNode {
            name: String::new(),
            op,
            inputs,
            shape: vec![4],
        };
        let nodes: Vec<FloatNode> = core::iter::once((FloatOp::Input, Vec::new()))
            .chain(ops)
            .map(node)
            .collect();
        FloatGraph {
            inputs: vec![GraphInput {
                name: "x".to_owned(),
                shape: vec![4],
                kind: InputKind::Float,
            }],
            outputs: vec![GraphOutput {
                name: "y".to_owned(),
                node: nodes.len() - 1,
            }],
            nodes,
            hints: BTreeMap::new(),
        }
    }

    #[test]
    fn a_hard_swish_of_four_nodes_becomes_one_function() {
        let affine = |scale: f32, shift: f32| FloatOp::Affine {
            axis: 0,
            scale: vec![scale; 4],
            shift: vec![shift; 4],
        };
        let mul = FloatOp::Pair(Arithmetic::Mul, Spread::full(1));
        let graph = graph(vec![
            (affine(1.0, 3.0), vec![0]),
            (FloatOp::Clip(0.0, 6.0), vec![1]),
            (mul, vec![0, 2]),
            (affine(1.0 / 6.0, 0.0), vec![3]),
        ]);
        let wanted = graph.run(&[-4.0, -1.0, 0.5, 5.0]).unwrap();
        let fused = graph.fuse();
        assert_eq!(fused.nodes().len(), 2);
        assert!(matches!(fused.nodes()[1].op, FloatOp::Function(_)));
        let found = fused.run(&[-4.0, -1.0, 0.5, 5.0]).unwrap();
        for (f, w) in found.iter().zip(&wanted) {
            assert!((f - w).abs() < 1e-6, "{f} {w}");
        }
    }

    #[test]
    fn expressions_stay_short() {
        let square = FloatOp::Pair(Arithmetic::Mul, Spread::full(1));
        let squares = (0..40).map(|i| (square.clone(), vec![i, i])).collect();
        for node in graph(squares).fuse().nodes() {
            if let FloatOp::Function(f) = &node.op {
                assert!(f.size() <= SIZE_MAX, "{}", f.size());
            }
        }
    }
}

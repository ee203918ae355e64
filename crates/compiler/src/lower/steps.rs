//! Which values share one step: what is concatenated stands in one tensor and so on one scale.
//!
//! A concatenation and whatever makes its inputs form a group, if the inputs can be written at the
//! group's step without harm: nobody else reads them, or they are of like magnitude. The others
//! are rescaled in front of the concatenation.

use crate::float::{FloatGraph, FloatOp};
use crate::quant::{Calibration, INT8_LEVELS};

/// Groups of float nodes with one step.
pub(super) struct SharedSteps {
    parents: Vec<usize>,
    steps: Vec<Option<f64>>,
}

impl SharedSteps {
    /// The groups of a graph.
    pub(super) fn new(graph: &FloatGraph, calibration: &Calibration) -> Self {
        let nodes = graph.nodes();
        let makers = makers(graph);
        let only_joined = only_joined(graph, &makers);
        let mut shared = Self {
            parents: (0..nodes.len()).collect(),
            steps: vec![None; nodes.len()],
        };
        let clip = |node: usize| calibration.clip_point(node);
        for (index, node) in nodes.iter().enumerate() {
            if !matches!(node.op, FloatOp::Concat(_)) {
                continue;
            }
            for &input in &node.inputs {
                let maker = makers[input];
                let alike = || clip(maker) * 2.0 >= clip(index);
                if maker != 0 && (only_joined[maker] || alike()) {
                    let (a, b) = (shared.root(index), shared.root(maker));
                    shared.parents[a.max(b)] = a.min(b);
                }
            }
        }
        for (index, node) in nodes.iter().enumerate() {
            if matches!(node.op, FloatOp::Concat(_)) {
                let root = shared.root(index);
                let step = clip(index) / INT8_LEVELS;
                let most = shared.steps[root].map_or(step, |other| other.max(step));
                shared.steps[root] = Some(most);
            }
        }
        shared
    }

    fn root(&self, mut node: usize) -> usize {
        while self.parents[node] != node {
            node = self.parents[node];
        }
        node
    }

    /// The step of a node that is in a group.
    pub(super) fn of(&self, node: usize) -> Option<f64> {
        self.steps[self.root(node)]
    }
}

/// For each node the node that decides its step.
fn makers(graph: &FloatGraph) -> Vec<usize> {
    let mut makers = Vec::with_capacity(graph.nodes().len());
    for (index, node) in graph.nodes().iter().enumerate() {
        let maker = if node.op.passes() {
            makers[node.inputs[0]]
        } else {
            index
        };
        makers.push(maker);
    }
    makers
}

/// For each maker whether concatenations alone read what it makes.
fn only_joined(graph: &FloatGraph, makers: &[usize]) -> Vec<bool> {
    let mut only = vec![true; graph.nodes().len()];
    only[makers[graph.output()]] = false;
    for node in graph.nodes() {
        if !matches!(node.op, FloatOp::Concat(_)) && !node.op.passes() {
            for &input in &node.inputs {
                only[makers[input]] = false;
            }
        }
    }
    only
}

//! Sizes of a program, whole and node by node.
//!
//! ```text
//! live(i) = bytes of all outputs that exist while node i runs: its own, and those still to be read
//! ```

use selfsame_ir::{CheckedProgram, DimValues};

/// Sizes of a program at some values of its symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Nodes, INPUT included.
    pub nodes: usize,
    /// Weights and biases of linear nodes.
    pub parameters: u64,
    /// Bytes of the weights of linear nodes.
    pub weight_bytes: u64,
    /// Bytes of all tensors: weights, constants of the channels, tables.
    pub tensor_bytes: u64,
    /// Bytes of all outputs of one sample, the input included.
    pub activation_bytes: u64,
    /// Nodes that a trace commits to, INPUT included.
    pub committed_nodes: usize,
    /// Bytes of their outputs.
    pub committed_bytes: u64,
    /// Bytes of the largest set of outputs that must exist at the same time.
    pub live_bytes: u64,
    /// Multiply-accumulates of one sample.
    pub macs: u64,
}

/// Sizes of one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSizes {
    /// Shape of the output.
    pub shape: Vec<u32>,
    /// Bytes of the output of one sample.
    pub output_bytes: u64,
    /// Bytes of its tensors.
    pub tensor_bytes: u64,
    /// Its multiply-accumulates.
    pub macs: u64,
}

impl Sizes {
    /// The sizes of `program` at the maxima of its symbols.
    pub fn of(program: &CheckedProgram) -> Self {
        Self::at(program, &DimValues::maxima(&program.program().symbols))
    }

    /// The sizes of `program` at some values of its symbols.
    pub fn at(program: &CheckedProgram, values: &DimValues) -> Self {
        let linear = || program.nodes().iter().filter_map(|node| node.op.linear());
        let weights: usize = linear().map(|linear| linear.weights.len()).sum();
        let biases: usize = linear().map(|linear| linear.constants.len()).sum();
        let nodes = node_sizes_at(program, values);
        let committed = program.segments().committed();
        let committed_sizes = committed
            .iter()
            .filter_map(|&node| nodes.get(node as usize));
        Self {
            nodes: nodes.len(),
            parameters: (weights + biases) as u64,
            weight_bytes: weights as u64,
            tensor_bytes: nodes.iter().map(|node| node.tensor_bytes).sum(),
            activation_bytes: nodes.iter().map(|node| node.output_bytes).sum(),
            committed_nodes: committed.len(),
            committed_bytes: committed_sizes.map(|node| node.output_bytes).sum(),
            live_bytes: live_bytes(program, &nodes),
            macs: nodes.iter().map(|node| node.macs).sum(),
        }
    }
}

/// The sizes of each node at the maxima of the program's symbols.
pub fn node_sizes(program: &CheckedProgram) -> Vec<NodeSizes> {
    node_sizes_at(program, &DimValues::maxima(&program.program().symbols))
}

/// The sizes of each node at some values of the program's symbols.
pub fn node_sizes_at(program: &CheckedProgram, values: &DimValues) -> Vec<NodeSizes> {
    let size = |node: &selfsame_ir::Node| {
        let shape = node.op.output_shape(values).unwrap_or_default();
        let elements: u64 = shape.iter().map(|&extent| u64::from(extent)).product();
        let bytes =
            |tensor: &selfsame_ir::Tensor| tensor.len() as u64 * u64::from(tensor.dtype().size());
        NodeSizes {
            output_bytes: elements * u64::from(node.dtype.size()),
            shape,
            tensor_bytes: node.op.tensors().iter().map(bytes).sum(),
            macs: elements.saturating_mul(node.op.terms(values)),
        }
    };
    program.nodes().iter().map(size).collect()
}

fn live_bytes(program: &CheckedProgram, nodes: &[NodeSizes]) -> u64 {
    let mut last = program.program().last_readers();
    last[program.program().output as usize] = nodes.len();
    let (mut now, mut most) = (0, 0);
    for (index, node) in nodes.iter().enumerate() {
        now += node.output_bytes;
        most = most.max(now);
        let done = (0..=index).filter(|&source| last[source] == index);
        now -= done.map(|source| nodes[source].output_bytes).sum::<u64>();
    }
    most
}

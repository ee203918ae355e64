//! Nodes of the float graph: a closed set that the lowering knows completely.

use std::collections::BTreeMap;

use super::function::Function;
use super::spread::Spread;
use super::walk::AxisWalk;
use super::window::Window2;

/// Most elements of one activation, and of one input of the model.
pub const INPUT_ELEMENTS_MAX: usize = 1 << 24;

/// A model of one sample in floating point.
///
/// The first nodes are the inputs, in the order of the file; every node reads only nodes before it.
#[derive(Debug, Clone, PartialEq)]
pub struct FloatGraph {
    pub(crate) inputs: Vec<GraphInput>,
    pub(crate) outputs: Vec<GraphOutput>,
    pub(crate) nodes: Vec<FloatNode>,
    /// For some nodes the range of values that the file declares, by node.
    pub(crate) hints: BTreeMap<usize, (f32, f32)>,
}

/// An input of the model; input `i` is node `i`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphInput {
    /// Name in the ONNX file.
    pub name: String,
    /// Shape of one sample, without batch axis.
    pub shape: Vec<usize>,
    /// What its elements are.
    pub kind: InputKind,
}

/// What the elements of an input are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputKind {
    /// Real numbers.
    Float,
    /// Whole numbers: token ids, masks. They stand as whole `f32` in a sample, so below 2^24.
    Index,
}

/// An output of the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphOutput {
    /// Name in the ONNX file.
    pub name: String,
    /// The node that makes it.
    pub node: usize,
}

/// One node: an operator, what it reads, and the shape that it makes.
#[derive(Debug, Clone, PartialEq)]
pub struct FloatNode {
    /// Name of the ONNX node (the last one, after fusion).
    pub name: String,
    /// What it computes.
    pub op: FloatOp,
    /// Indices of the nodes that it reads.
    pub inputs: Vec<usize>,
    /// Shape of its output without batch axis, in ONNX order.
    pub shape: Vec<usize>,
}

/// Operators of the float graph.
#[derive(Debug, Clone, PartialEq)]
pub enum FloatOp {
    /// An input of the model.
    Input,
    /// A value without inputs.
    Constant(Vec<f32>),
    /// Matrix product over the last axis: `y[r][o] = sum_k x[r][k] * w[o][k] + bias[o]`.
    Dense(Linear),
    /// Two-dimensional convolution of `[C][H][W]` with weights `[O][C/groups][kh][kw]`.
    Conv(Linear, Window2, usize),
    /// `y = x * scale[c] + shift[c]` along one axis.
    Affine {
        /// Axis of the channels.
        axis: usize,
        /// One factor per channel.
        scale: Vec<f32>,
        /// One summand per channel.
        shift: Vec<f32>,
    },
    /// Sum of two activations of one shape.
    Add,
    /// Clamp; either bound may be infinite. `ReLU` is `0, inf`.
    Clip(f32, f32),
    /// A function of each element.
    Function(Function),
    /// Two activations of one rank element by element; the second one may be spread over the
    /// first one, whose shape is the output's.
    Pair(Arithmetic, Spread),
    /// Matrix product of two activations, `[batch..][R][K] x [batch..][K][C]`: matrix `b` of the
    /// output reads matrix `b` of the first one and matrix `b / group` of the second one.
    Product {
        /// Matrices of the first one for each matrix of the second one.
        group: usize,
    },
    /// `e^x / sum e^x` over the last axis.
    Softmax,
    /// `(x - mean) / sqrt(variance + epsilon) * scale[c] + shift[c]` over the last axis.
    Normalize {
        /// Whether the mean is subtracted; without it the mean square stands for the variance.
        center: bool,
        /// Added to the variance.
        epsilon: f32,
        /// One factor per column.
        scale: Vec<f32>,
        /// One summand per column.
        shift: Vec<f32>,
    },
    /// One number for each row of the last axis, whose extent becomes 1.
    Reduce(ReduceKind),
    /// Index of the largest value of the last axis, the first of equals; the extent becomes 1.
    ArgMax,
    /// Rows of a table, picked by whole numbers: one more axis, of `columns` elements. Numbers
    /// below 0 count from the end, those outside the table read the nearest row.
    Embedding {
        /// Rows of the table.
        rows: usize,
        /// Columns of the table.
        columns: usize,
        /// `[rows][columns]`.
        table: Vec<f32>,
    },
    /// `[C][H][W]` times one constant per position, `[H][W]`.
    Plane(Vec<f32>),
    /// Activations behind one another along an axis.
    Concat(usize),
    /// Along each axis an own walk over the input's axis; what lies outside is the number.
    Walk(Vec<AxisWalk>, f32),
    /// Largest value of each window of `[C][H][W]`; padding is minus infinity.
    MaxPool(Window2),
    /// Mean of each window of `[C][H][W]`; padding is zero and counts.
    AvgPool(Window2),
    /// The same elements in another shape.
    Reshape,
    /// Axes in another order: output axis `j` is input axis `perm[j]`.
    Transpose(Vec<usize>),
}

/// What a pair of activations is combined by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// First plus second.
    Add,
    /// First minus second.
    Sub,
    /// Second minus first.
    ReverseSub,
    /// Product.
    Mul,
}

/// What a row is reduced to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReduceKind {
    /// Sum.
    Sum,
    /// Arithmetic mean.
    Mean,
    /// Largest value.
    Max,
    /// Smallest value.
    Min,
    /// Sum of the squares.
    SumSquares,
}

impl FloatOp {
    /// Whether every element is multiplied by one positive number and nothing else.
    pub(crate) fn is_rescaling(&self) -> bool {
        match self {
            Self::Affine { scale, shift, .. } => {
                let first = scale.first().copied().unwrap_or(1.0);
                let same = scale.iter().all(|s| s.to_bits() == first.to_bits());
                same && first > 0.0 && shift.iter().all(|&s| s == 0.0)
            }
            Self::Input
            | Self::Constant(_)
            | Self::Dense(_)
            | Self::Conv(..)
            | Self::Add
            | Self::Clip(..)
            | Self::Function(_)
            | Self::Pair(..)
            | Self::Product { .. }
            | Self::Softmax
            | Self::Normalize { .. }
            | Self::Reduce(_)
            | Self::ArgMax
            | Self::Embedding { .. }
            | Self::Plane(_)
            | Self::Concat(_)
            | Self::Walk(..)
            | Self::MaxPool(_)
            | Self::AvgPool(_)
            | Self::Reshape
            | Self::Transpose(_) => false,
        }
    }

    /// Whether values pass as they are, into another place or shape.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::Reshape | Self::Transpose(_) | Self::MaxPool(_) | Self::Walk(..) => true,
            Self::Input
            | Self::Dense(_)
            | Self::Conv(..)
            | Self::Affine { .. }
            | Self::Add
            | Self::Constant(_)
            | Self::Product { .. }
            | Self::Softmax
            | Self::Normalize { .. }
            | Self::Reduce(_)
            | Self::ArgMax
            | Self::Embedding { .. }
            | Self::Function(_)
            | Self::Pair(..)
            | Self::Plane(_)
            | Self::Concat(_)
            | Self::Clip(..)
            | Self::AvgPool(_) => false,
        }
    }
}

impl Arithmetic {
    /// The same with the operands exchanged.
    pub(crate) fn swapped(self) -> Self {
        match self {
            Self::Add => Self::Add,
            Self::Sub => Self::ReverseSub,
            Self::ReverseSub => Self::Sub,
            Self::Mul => Self::Mul,
        }
    }

    /// Whether the result is the first operand where the second one is 0.
    pub(crate) fn keeps_first_at_zero(self) -> bool {
        match self {
            Self::Add | Self::Sub => true,
            Self::ReverseSub | Self::Mul => false,
        }
    }

    /// The result for two elements.
    pub(crate) fn of(self, a: f32, b: f32) -> f32 {
        match self {
            Self::Add => a + b,
            Self::Sub => a - b,
            Self::ReverseSub => b - a,
            Self::Mul => a * b,
        }
    }
}

/// Weights and bias of a dense node or a convolution, output channel first.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    /// Output channels.
    pub outputs: usize,
    /// `[outputs][weights per output]`, in ONNX order.
    pub weights: Vec<f32>,
    /// One bias per output channel.
    pub bias: Vec<f32>,
}

impl Linear {
    /// Weights of one output channel.
    pub fn row_len(&self) -> usize {
        self.weights.len() / self.outputs.max(1)
    }
}

impl FloatGraph {
    /// The inputs; their nodes stand first, in this order.
    pub fn inputs(&self) -> &[GraphInput] {
        &self.inputs
    }

    /// The outputs, in the order of the file.
    pub fn outputs(&self) -> &[GraphOutput] {
        &self.outputs
    }

    /// The range of values that the file declares for a node, as a quantised model does.
    pub fn hint(&self, node: usize) -> Option<(f32, f32)> {
        self.hints.get(&node).copied()
    }

    /// Name of the first input in the ONNX file.
    pub fn input_name(&self) -> &str {
        self.inputs.first().map_or("", |input| &input.name)
    }

    /// Name of the first output in the ONNX file.
    pub fn output_name(&self) -> &str {
        self.outputs.first().map_or("", |output| &output.name)
    }

    /// Shape of one sample of the first input, in ONNX order.
    pub fn input_shape(&self) -> &[usize] {
        self.inputs.first().map_or(&[], |input| &input.shape)
    }

    /// Elements of one sample: all inputs behind one another.
    pub fn sample_elements(&self) -> usize {
        let elements = |node: &FloatNode| node.elements();
        self.nodes[..self.inputs.len()].iter().map(elements).sum()
    }

    /// Shape of the first answer to one sample.
    pub fn output_shape(&self) -> &[usize] {
        &self.nodes[self.output()].shape
    }

    /// The same graph with the named output alone; `None` if there is no such output.
    #[must_use]
    pub fn with_output(mut self, name: &str) -> Option<Self> {
        self.outputs.retain(|output| output.name == name);
        if self.outputs.is_empty() {
            return None;
        }
        self.drop_unread();
        Some(self)
    }

    /// The same graph with its first output alone.
    #[must_use]
    pub fn with_first_output(mut self) -> Self {
        self.outputs.truncate(1);
        self.drop_unread();
        self
    }

    /// Nodes in execution order.
    pub fn nodes(&self) -> &[FloatNode] {
        &self.nodes
    }

    /// Index of the node that makes the first answer.
    pub fn output(&self) -> usize {
        self.outputs.first().map_or(0, |output| output.node)
    }

    /// How many nodes read each node; each output of the model counts as one reader.
    pub(crate) fn readers(&self) -> Vec<usize> {
        let mut readers = vec![0; self.nodes.len()];
        for &input in self.nodes.iter().flat_map(|node| &node.inputs) {
            readers[input] += 1;
        }
        for output in &self.outputs {
            readers[output.node] += 1;
        }
        readers
    }

    /// The nodes that read each node.
    pub(crate) fn readers_of_each(&self) -> Vec<Vec<usize>> {
        let mut readers = vec![Vec::new(); self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            for &input in &node.inputs {
                readers[input].push(index);
            }
        }
        readers
    }
}

impl FloatNode {
    /// Number of elements of the output.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

//! Nodes of the float graph: a closed set that the lowering knows completely.

use super::function::Function;
use super::walk::AxisWalk;
use super::window::Window2;

/// Most elements of one activation, and of the model's input.
pub const INPUT_ELEMENTS_MAX: usize = 1 << 24;

/// A model of one sample in floating point.
///
/// Node 0 is the input; every node reads only nodes before it.
#[derive(Debug, Clone, PartialEq)]
pub struct FloatGraph {
    pub(crate) input_name: String,
    pub(crate) output_name: String,
    pub(crate) nodes: Vec<FloatNode>,
    pub(crate) output: usize,
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
    /// The model's input.
    Input,
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
    /// Two activations element by element; the second one may be spread over the first one's shape.
    Pair(Arithmetic, Spread),
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

/// How the second activation of a pair lies over the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// Of the same shape.
    Full,
    /// `[C][1][1]` over `[C][H][W]`.
    Channel,
    /// `[1][H][W]` over `[C][H][W]`.
    Plane,
    /// One element.
    One,
}

impl FloatOp {
    /// Whether values pass as they are, into another place or shape.
    pub(crate) fn passes(&self) -> bool {
        match self {
            Self::Reshape | Self::Transpose(_) | Self::MaxPool(_) | Self::Walk(..) => true,
            Self::Input
            | Self::Dense(_)
            | Self::Conv(..)
            | Self::Affine { .. }
            | Self::Add
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

impl Spread {
    /// How `second` lies over `first`, if it does.
    pub(crate) fn over(first: &[usize], second: &[usize]) -> Option<Self> {
        let plane = |shape: &[usize]| shape.get(1..).map(<[usize]>::to_vec);
        if first == second {
            Some(Self::Full)
        } else if first.len() != second.len() {
            None
        } else if second.iter().all(|&d| d == 1) {
            Some(Self::One)
        } else if first.len() == 3 && first[0] == second[0] && second[1..] == [1, 1] {
            Some(Self::Channel)
        } else if first.len() == 3 && second[0] == 1 && plane(first) == plane(second) {
            Some(Self::Plane)
        } else {
            None
        }
    }

    /// Element of the second activation for element `flat` of the first one, whose plane is `plane`.
    pub(crate) fn index(self, flat: usize, plane: usize) -> usize {
        match self {
            Self::Full => flat,
            Self::Channel => flat / plane,
            Self::Plane => flat % plane,
            Self::One => 0,
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
    /// Name of the input in the ONNX file.
    pub fn input_name(&self) -> &str {
        &self.input_name
    }

    /// Name of the output in the ONNX file.
    pub fn output_name(&self) -> &str {
        &self.output_name
    }

    /// Shape of one sample, in ONNX order.
    pub fn input_shape(&self) -> &[usize] {
        &self.nodes[0].shape
    }

    /// Shape of the answer to one sample.
    pub fn output_shape(&self) -> &[usize] {
        &self.nodes[self.output].shape
    }

    /// Nodes in execution order.
    pub fn nodes(&self) -> &[FloatNode] {
        &self.nodes
    }

    /// Index of the node that makes the answer.
    pub fn output(&self) -> usize {
        self.output
    }

    /// How many nodes read each node; the model's output counts as one reader.
    pub(crate) fn readers(&self) -> Vec<usize> {
        let mut readers = vec![0; self.nodes.len()];
        for &input in self.nodes.iter().flat_map(|node| &node.inputs) {
            readers[input] += 1;
        }
        readers[self.output] += 1;
        readers
    }
}

impl FloatNode {
    /// Number of elements of the output.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }
}

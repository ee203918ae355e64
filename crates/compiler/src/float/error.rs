//! Why a decoded ONNX model cannot become a float graph.

use std::fmt;

use super::given::{Declared, Extent};

/// A refusal; every one names the node and says what would be taken instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// A node that the importer does not support.
    #[error("{0}")]
    Unsupported(Box<Refusal>),
    /// The model has no input, or no output.
    #[error("the model has no {what}; export it with named inputs and outputs")]
    Count {
        /// `input` or `output`.
        what: &'static str,
    },
    /// A named dimension has no value.
    #[error(
        "input {input:?}: dimension {name:?} has no value; supported: fixed dimensions, and names with a value; try: --dim {name}=128, or rows of data, whose shape says it"
    )]
    Dimension {
        /// Name of the input.
        input: String,
        /// Name of the dimension.
        name: String,
    },
    /// A dimension has neither a size nor a name that says anything.
    #[error(
        "input {input:?}: axis {axis} of {declared} has no value; supported: fixed dimensions, and a value for each other one; try: --shape {input}={}, or rows of data, whose shape says it", declared.example()
    )]
    Axis {
        /// Name of the input.
        input: String,
        /// The axis in the file.
        axis: usize,
        /// What the file says.
        declared: Declared,
    },
    /// An array of the data has other extents than the input that it is for.
    #[error(
        "input {input:?} is {declared}: rows of an array of shape {array:?} do not fit it, so that they give no value to its dimensions; supported: rows of the axes behind the batch, or of all axes with --no-batch; try: --shape {input}={}", declared.example()
    )]
    Array {
        /// Name of the input.
        input: String,
        /// Shape of the array, the rows in front.
        array: Vec<usize>,
        /// What the file says.
        declared: Declared,
    },
    /// One dimension has two extents in the data.
    #[error(
        "dimension {:?}: the data has {} on axis {} of {}, and {} on axis {} of {}; supported: one extent for each name; try: data of one extent, or --dim with the one that it is",
        .0[0].name.as_deref().unwrap_or_default(), .0[0].extent, .0[0].axis, .0[0].input, .0[1].extent, .0[1].axis, .0[1].input
    )]
    Extents(Box<[Extent; 2]>),
    /// A given shape is not that of the file.
    #[error(
        "input {input:?} is {declared}, and {shape:?} is given; supported: the same axes, with their sizes where they have one; try: --shape {input}={}", declared.example()
    )]
    Shape {
        /// Name of the input.
        input: String,
        /// The given shape.
        shape: Vec<usize>,
        /// What the file says.
        declared: Declared,
    },
    /// There is no such input.
    #[error("the model has no input {name:?}; it has {inputs:?}")]
    NoInput {
        /// The input that something was given for.
        name: String,
        /// The inputs that there are.
        inputs: Vec<String>,
    },
    /// The float graph is too large.
    #[error(
        "the model has {nodes} operators on activations, at most {limit} are supported; use a smaller model"
    )]
    Nodes {
        /// Nodes of the float graph.
        nodes: usize,
        /// The limit.
        limit: usize,
    },
    /// The input's type or shape is not supported.
    #[error("input {name:?}: {what}; supported: {supported}")]
    Input {
        /// Name of the input.
        name: String,
        /// What is wrong.
        what: String,
        /// What is taken.
        supported: &'static str,
    },
    /// The declared output is no activation that depends on the input.
    #[error("output {name:?}: {what}")]
    Output {
        /// Name of the output.
        name: String,
        /// What is wrong.
        what: String,
    },
}

/// What is refused, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Name of the ONNX node.
    pub node: String,
    /// Its operator.
    pub op: String,
    /// The attribute, value or shape that is refused.
    pub what: String,
    /// What is supported in its place.
    pub supported: String,
    /// The nearest workaround.
    pub advice: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            node,
            op,
            what,
            supported,
            advice,
        } = self;
        write!(
            f,
            "node {node:?} ({op}): {what}; supported: {supported}; try: {advice}"
        )
    }
}

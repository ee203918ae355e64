//! Why a decoded ONNX model cannot become a float graph.

use std::fmt;

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
        "input {input:?}: dimension {name:?} has no value; supported: fixed dimensions, and names with a value; try: --dim {name}=128"
    )]
    Dimension {
        /// Name of the input.
        input: String,
        /// Name of the dimension.
        name: String,
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

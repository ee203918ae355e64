//! Why a decoded ONNX model cannot become a float graph.

use std::fmt;

/// A refusal; every one names the node and says what would be taken instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// A node that the importer does not support.
    #[error("{0}")]
    Unsupported(Box<Refusal>),
    /// The model does not have exactly one input (or one output).
    #[error(
        "the model has {count} {what}s ({names}); exactly one is supported: export a wrapper module with one {what}"
    )]
    Count {
        /// `input` or `output`.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// Their names.
        names: String,
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

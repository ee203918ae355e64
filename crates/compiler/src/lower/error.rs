//! Why a float graph cannot become an exact program.

/// A refusal of the compilation; every one names the node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The calibration belongs to another graph.
    #[error(
        "the calibration has {calibration} nodes, the fused graph has {graph}; collect it on this graph"
    )]
    Calibration {
        /// Nodes of the calibration.
        calibration: usize,
        /// Nodes of the graph.
        graph: usize,
    },
    /// A reduction longer than one element may read.
    #[error(
        "node {node:?} sums {terms} terms per element, a program allows {limit}; use fewer channels or a smaller kernel"
    )]
    Terms {
        /// Name of the node.
        node: String,
        /// Terms.
        terms: usize,
        /// The limit.
        limit: usize,
    },
    /// Scales so far apart that no 15-bit multiplier joins them.
    #[error(
        "node {node:?}, channel {channel}: no multiplier below 2^15 with a shift of 1 to 46 fits its weights and activations; check for exploding weights"
    )]
    Scale {
        /// Name of the node.
        node: String,
        /// Output channel.
        channel: usize,
    },
    /// A tensor that the program format does not hold.
    #[error("node {node:?}: {what}")]
    Format {
        /// Name of the node.
        node: String,
        /// What does not fit.
        what: String,
    },
    /// Pixels are described for an input that is no picture.
    #[error(
        "pixels are described by {channels} means and deviations, the input has shape {shape:?}; pictures are [1..4][height][width], and each deviation and the divisor are positive"
    )]
    Pixels {
        /// Channels described.
        channels: usize,
        /// Shape of the input.
        shape: Vec<usize>,
    },
    /// Too many or too long labels.
    #[error(
        "{labels} labels for an output of {outputs} elements; give one per element, each at most 256 bytes, or none"
    )]
    Labels {
        /// Labels given.
        labels: usize,
        /// Elements of the output.
        outputs: usize,
    },
    /// A symbolic dimension that does more than set extents.
    #[error(
        "dimension {symbol:?}, node {node:?}: {what}; fix it by a flag such as --dim {symbol}=128"
    )]
    Symbol {
        /// Name of the dimension.
        symbol: String,
        /// Name of the node.
        node: String,
        /// What depends on it.
        what: String,
    },
    /// The program that was made breaks a rule of the format.
    #[error("the compiled program is refused: {0}")]
    Program(#[from] selfsame_ir::ProgramError),
}

//! Why bytes are not an ONNX model that this reader takes.

use super::OPSETS;

/// A refusal of [`super::OnnxModel::decode`]; offsets count bytes from the start of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A field or element ends after the message that holds it.
    #[error(
        "ONNX file is cut off at byte {offset}: {needed} more bytes are announced, {left} are left; fetch the file again"
    )]
    Truncated {
        /// Where the bytes are missing.
        offset: usize,
        /// Bytes that the file announces.
        needed: u64,
        /// Bytes that are there.
        left: usize,
    },
    /// A varint of more than 64 bits.
    #[error("byte {offset}: a varint is longer than 64 bits; this is no ONNX file")]
    Varint {
        /// Where the varint begins.
        offset: usize,
    },
    /// A field number outside of 1 to 2^29 - 1.
    #[error(
        "byte {offset}: field number {number} is outside of 1..=536870911; this is no ONNX file"
    )]
    FieldNumber {
        /// Where the tag is.
        offset: usize,
        /// The number that was read.
        number: u64,
    },
    /// A group or an unknown wire type.
    #[error("byte {offset}: wire type {wire_type} does not occur in ONNX; this is no ONNX file")]
    WireType {
        /// Where the tag is.
        offset: usize,
        /// The wire type that was read.
        wire_type: u64,
    },
    /// A known field with the wrong wire type.
    #[error("byte {offset}: field {field} should hold {expected}; this is no ONNX file")]
    FieldKind {
        /// Where the payload is.
        offset: usize,
        /// Field number inside its message.
        field: u32,
        /// What was expected.
        expected: &'static str,
    },
    /// Text that is not UTF-8.
    #[error("byte {offset}: a name is not UTF-8")]
    NotUtf8 {
        /// Where the text is.
        offset: usize,
    },
    /// A name longer than the limit.
    #[error("byte {offset}: a name has {length} bytes, the limit is {limit}")]
    TextLength {
        /// Where the text is.
        offset: usize,
        /// Its bytes.
        length: usize,
        /// The limit.
        limit: usize,
    },
    /// More of something than the limit.
    #[error("byte {offset}: more than {limit} {what}")]
    TooMany {
        /// Where the first one too many is.
        offset: usize,
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// The file has no graph.
    #[error("the file holds no graph; export the model again with torch.onnx.export")]
    NoGraph,
    /// The file names no opset of the ONNX domain, or different ones.
    #[error(
        "the file imports {count} opsets of the domain ai.onnx, exactly one is needed: export again with one opset_version"
    )]
    OpsetCount {
        /// How many it imports.
        count: usize,
    },
    /// An opset outside of [`OPSETS`].
    #[error(
        "opset {version} is not supported; supported are {} to {}: export again with opset_version=17",
        OPSETS.start(), OPSETS.end()
    )]
    Opset {
        /// The version in the file.
        version: i64,
    },
    /// Weights stand in another file, and the model came as bytes.
    #[error(
        "tensor {name:?} stands in another file; read the model from a path, with that file beside it, or save it as one file (onnx.save_model(..., save_as_external_data=False))"
    )]
    ExternalData {
        /// Name of the tensor.
        name: String,
    },
    /// A file of weights that may not be read, or does not hold what the model says.
    #[error(
        "tensor {name:?}: file {file:?} {what}; keep the files that the exporter wrote together"
    )]
    Beside {
        /// Name of the tensor.
        name: String,
        /// The file, as the model names it.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// The model's file cannot be read.
    #[error("{path}: {what}")]
    File {
        /// Its path.
        path: String,
        /// Of what kind the error is.
        kind: std::io::ErrorKind,
        /// What is wrong.
        what: String,
    },
    /// A tensor dimension below zero or a tensor beyond the limits.
    #[error(
        "tensor {name:?} has shape {dims:?}; each dimension must be 0 or more, at most {rank_max} of them, and their product at most {elements_max}"
    )]
    TensorShape {
        /// Name of the tensor.
        name: String,
        /// Its dimensions.
        dims: Vec<i64>,
        /// Highest rank taken.
        rank_max: usize,
        /// Highest number of elements taken.
        elements_max: usize,
    },
    /// A tensor whose data do not fill its shape.
    #[error(
        "tensor {name:?} of shape {dims:?} needs {needed} elements of type {element}, the file holds {found}"
    )]
    TensorLength {
        /// Name of the tensor.
        name: String,
        /// Its dimensions.
        dims: Vec<i64>,
        /// Element type by its ONNX name.
        element: &'static str,
        /// Elements of the shape.
        needed: usize,
        /// Elements in the file.
        found: usize,
    },
    /// A tensor of an element type that the importer does not read.
    #[error(
        "tensor {name:?} has element type {code} ({element}); supported are FLOAT, FLOAT16, BFLOAT16, DOUBLE, INT64, INT32, INT16, UINT16, UINT8, INT8, BOOL, UINT4, INT4: export or quantise with one of these"
    )]
    TensorType {
        /// Name of the tensor.
        name: String,
        /// `TensorProto.DataType`.
        code: i64,
        /// Its ONNX name.
        element: &'static str,
    },
    /// A tensor with data in two places.
    #[error("tensor {name:?} has both raw_data and typed data")]
    TensorTwice {
        /// Name of the tensor.
        name: String,
    },
    /// Two values with one name.
    #[error("the name {name:?} is given to two values")]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// A value that is read before it is made.
    #[error(
        "node {node:?} ({op}) reads {input:?}, which no earlier node makes: the graph has a cycle or is not sorted"
    )]
    NotSorted {
        /// Name of the node.
        node: String,
        /// Its operator.
        op: String,
        /// The missing value.
        input: String,
    },
}

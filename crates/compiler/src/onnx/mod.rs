//! ONNX files: a small bounded reader of the part of the format that inference models use.
//!
//! The compiled program is the identity of a model, so what reads the file is part of what must
//! not change by accident: the reader is ours, has no dependency, never panics, and needs at most a
//! small multiple of the file's bytes. Graphs of control flow are read four deep; the importer refuses
//! what lies deeper.
//!
//! Source: onnx/onnx.proto, IR versions 7 to 10, opsets 7 to 28.

mod beside;
mod classes;
mod error;
mod proto;
mod tensor;
mod wire;

pub use error::DecodeError;
pub use proto::{Attribute, AttributeValue, Dim, OnnxGraph, OnnxModel, OnnxNode, OnnxValueInfo};
pub(crate) use tensor::half;
pub use tensor::{ElementType, Elements, OnnxTensor};

/// Longest name of a node, value or attribute, in bytes.
pub const NAME_BYTES_MAX: usize = 4_096;
/// Most dimensions of a tensor.
pub const RANK_MAX: usize = 8;
/// Most elements of one tensor.
pub const ELEMENTS_MAX: usize = 1 << 28;
/// Most nodes of a graph; also the most initializers and declared values.
pub const NODES_MAX: usize = 100_000;
/// Most inputs, outputs or attributes of one node.
pub const FAN_MAX: usize = 1_024;
/// Deepest graph within graphs that is read; the model's own has depth 0.
pub const DEPTH_MAX: usize = 4;
/// Lowest and highest opset that the importer knows.
pub const OPSETS: core::ops::RangeInclusive<i64> = 7..=28;

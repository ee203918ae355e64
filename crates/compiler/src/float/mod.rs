//! The float graph: what the ONNX file means, one sample at a time, and its interpretation.
//!
//! ```text
//! OnnxModel -> FloatGraph (one sample, closed operator set) -> fuse -> calibration, lowering
//! ```
//!
//! Shapes here have no batch axis and keep the order of ONNX: images are `[C][H][W]`.

mod act;
mod affine;
mod constant;
mod cuts;
mod error;
mod function;
mod fuse;
mod given;
mod graph;
mod import;
mod lanes;
mod masks;
mod math;
mod node;
mod patterns;
mod picks;
mod run;
mod spread;
mod symbolic;
mod unary;
mod walk;
mod wanted;
mod whole;
mod wide_conv;
mod window;

#[cfg(test)]
pub(crate) use constant::transposed_order;
pub use error::ImportError;
pub use function::{Function, Primitive};
pub use given::{Declared, Extent, Given};
pub use graph::{
    Arithmetic, FloatGraph, FloatNode, FloatOp, GraphInput, GraphOutput, INPUT_ELEMENTS_MAX,
    InputKind, Linear, ReduceKind,
};
pub use import::ImportOptions;
pub use math::{atan, cos, erf, exp, ln, sigmoid, sin, softplus, tanh};
pub use node::SUPPORTED;
pub use run::RunError;
pub(crate) use run::single;
pub use spread::Spread;
pub use walk::AxisWalk;
pub(crate) use whole::{Span, whole};
pub use window::Window2;

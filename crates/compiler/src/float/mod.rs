//! The float graph: what the ONNX file means, one sample at a time, and its interpretation.
//!
//! ```text
//! OnnxModel -> FloatGraph (one sample, closed operator set) -> fuse -> calibration, lowering
//! ```
//!
//! Shapes here have no batch axis and keep the order of ONNX: images are `[C][H][W]`.

mod constant;
mod error;
mod fuse;
mod graph;
mod import;
mod math;
mod node;
mod run;
mod symbolic;
mod window;

pub use error::ImportError;
pub use graph::{FloatGraph, FloatNode, FloatOp, INPUT_ELEMENTS_MAX, Linear};
pub use math::{exp, sigmoid, tanh};
pub use node::SUPPORTED;
pub use run::RunError;
pub use window::Window2;

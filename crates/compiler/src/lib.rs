//! ONNX in, exact integer program out.
//!
//! ```text
//! OnnxModel -> FloatGraph -> calibration -> compile -> program and import report
//! ```
//!
//! This is the only crate in which floating point takes part in making a program. Whatever it
//! decides (scales, multipliers, tables) is data in the program; running one needs integers only.

#![forbid(unsafe_code)]
#![allow(
    clippy::inline_always,
    reason = "loops become vectors of the machine's width only where they are inlined"
)]

mod compile;
pub mod float;
pub mod image;
mod lower;
pub mod npz;
pub mod numbers;
pub mod onnx;
mod open;
mod quant;
mod report;
mod segments;
mod zip;

pub use compile::{Compiled, compile};
pub use lower::{CompileError, Options, Pixels};
pub use open::{OpenDimension, compile_open};
pub use quant::{Calibration, CalibrationError, TrainingRows};
pub use report::{
    Comparison, ERROR_BINS, ImportReport, LayerReport, Moved, NodeSizes, ReportError, Scatter,
    Sizes, TestRows, compare, fitted_layers, import_report, node_sizes, node_sizes_at, spearman,
};
pub use report::{page, svg};
pub use zip::ZipError;

//! ONNX in, exact integer program out.
//!
//! ```text
//! OnnxModel -> FloatGraph -> calibration -> compile -> program and import report
//! ```
//!
//! This is the only crate in which floating point takes part in making a program. Whatever it
//! decides (scales, multipliers, tables) is data in the program; running one needs integers only.

#![forbid(unsafe_code)]

pub mod float;
pub mod npz;
pub mod onnx;
mod zip;

pub use zip::ZipError;

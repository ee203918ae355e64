//! MATMUL: rows of the input times rows of the weights, over a slice of the input's row.
//!
//! Spec: operators, 2.12, 2.17 and 2.21.

use crate::dim::Dim;
use crate::ops::Linear;
use crate::ops::factor::FactorShift;
use crate::tensor::DType;

/// Parameters of MATMUL. Input `[rows][row_elements]`, weights i8 `[O][k_len]`, output `[rows][O]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MatMul {
    /// Rows of the input and the output.
    pub rows: Dim,
    /// Elements of one input row.
    pub row_elements: u32,
    /// First element of the row that is read.
    pub k_offset: u32,
    /// Elements read: the terms of one output element.
    pub k_len: u32,
    /// Output channels O.
    pub out_channels: u32,
    /// Element type of the input, i8 or i16.
    pub dtype: DType,
    /// With it the last input, i32 `[rows]`, holds the row factors.
    pub factor: Option<FactorShift>,
    /// Weights, constants, clamp.
    pub linear: Linear,
}

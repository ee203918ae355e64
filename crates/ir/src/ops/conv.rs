//! CONV: convolution over `[H][W][C]` with weights `[O][kh][kw][C/groups]`.
//!
//! Spec: operators, 2.13.

use crate::dim::Dim;
use crate::ops::{Linear, Window};
use crate::tensor::DType;

/// Parameters of CONV. Input `[H][W][C]`, output `[H'][W'][O]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conv {
    /// Input height H.
    pub height: Dim,
    /// Input width W.
    pub width: Dim,
    /// Input channels C.
    pub channels: u32,
    /// Output channels O.
    pub out_channels: u32,
    /// Groups; divides C and O.
    pub groups: u32,
    /// Kernel, strides, pads, dilations.
    pub window: Window,
    /// Element type of the input, i8 or i16.
    pub dtype: DType,
    /// Weights, constants, clamp.
    pub linear: Linear,
}

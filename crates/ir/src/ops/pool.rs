//! Maximum and average pool over `[H][W][C]`.
//!
//! Spec: operators, 2.14 and 2.15.

use crate::dim::Dim;
use crate::ops::Window;

/// Parameters of the maximum pool. Any element type, kept; padding never wins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaxPool {
    /// Input height H.
    pub height: Dim,
    /// Input width W.
    pub width: Dim,
    /// Channels C.
    pub channels: u32,
    /// Kernel, strides, pads; dilation 1.
    pub window: Window,
}

/// Parameters of the average pool. Input i8; `clamp((sum*M + 2^(s-1)) >> s, low, high)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvgPool {
    /// Input height H.
    pub height: Dim,
    /// Input width W.
    pub width: Dim,
    /// Channels C.
    pub channels: u32,
    /// Kernel, strides, pads; dilation 1. Padding counts as 0.
    pub window: Window,
    /// M in 1..2^15.
    pub multiplier: u16,
    /// s in 1..=46.
    pub shift: u8,
    /// Clamp, lower bound.
    pub low: i32,
    /// Clamp, upper bound.
    pub high: i32,
}

//! Parameters of linear nodes: weights in program order, constants, clamp, table.

use selfsame_ir::{ChannelConstants, DType, Linear};

use super::error::CompileError;
use super::table::Stretch;
use crate::float::{self, FloatOp, Function};
use crate::quant::{ChannelInput, QuantizedChannel, quantize_channel};

/// Everything about one linear node but its geometry.
pub(super) struct LinearSpec<'a> {
    pub(super) name: &'a str,
    /// Weights `[outputs][terms]` in program order.
    pub(super) weights: &'a [f32],
    pub(super) bias: &'a [f32],
    pub(super) step_in: f64,
    /// The stretch of sums that a table shows, if one follows.
    pub(super) table: Option<(&'a Function, Stretch)>,
    /// Step of the output.
    pub(super) step_out: f64,
    pub(super) addend: Option<(DType, f64)>,
    pub(super) dtype: DType,
    /// The clamp that follows the sum, if there is one.
    pub(super) clip: Option<&'a FloatOp>,
}

impl LinearSpec<'_> {
    /// Step of the sums: that of the table's argument, or of the output.
    pub(super) fn step_sum(&self) -> f64 {
        self.table
            .map_or(self.step_out, |(_, stretch)| stretch.step)
    }

    /// What a table's argument is counted from.
    pub(super) fn center(&self) -> f64 {
        self.table.map_or(0.0, |(_, stretch)| stretch.center)
    }

    /// The integers of the node.
    pub(super) fn quantize(&self) -> Result<Linear, CompileError> {
        let terms = self.weights.len() / self.bias.len().max(1);
        let (step_sum, center) = (self.step_sum(), self.center());
        let mut weights = Vec::with_capacity(self.weights.len());
        let mut constants = Vec::with_capacity(self.bias.len());
        for (channel, (row, &bias)) in self.weights.chunks_exact(terms).zip(self.bias).enumerate() {
            let input = ChannelInput {
                weights: row,
                bias: f64::from(bias) - center,
                step_in: self.step_in,
                step_out: step_sum,
                step_addend: self.addend.map(|(_, step)| step),
            };
            let QuantizedChannel {
                weights: row,
                constants: one,
            } = quantize_channel(&input).ok_or_else(|| CompileError::Scale {
                node: self.name.to_owned(),
                channel,
            })?;
            weights.extend(row);
            constants.push(one);
        }
        Ok(self.node(weights, constants))
    }

    /// The node of these integers: clamp and table behind them.
    pub(super) fn node(&self, weights: Vec<i8>, constants: Vec<ChannelConstants>) -> Linear {
        let (low, high) = match self.table {
            Some(_) => (-128, 127),
            None => clamp_bounds(self.clip, self.step_out, self.dtype),
        };
        let table = self
            .table
            .map(|(f, stretch)| stretch.table(f, self.step_out));
        let addend = self.addend.map(|(dtype, _)| dtype);
        Linear {
            weights: weights.into(),
            constants,
            addend,
            low,
            high,
            table: table.map(Box::new),
        }
    }
}

/// Clamp bounds in integers of `step`; an activation narrows the range of the type.
pub(super) fn clamp_bounds(clip: Option<&FloatOp>, step: f64, dtype: DType) -> (i32, i32) {
    let (low, high) = dtype.range();
    let Some(&FloatOp::Clip(from, to)) = clip else {
        return (low, high);
    };
    let bound = |value: f32| {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "clamped to the element type"
        )]
        {
            (f64::from(value) / step)
                .round()
                .clamp(f64::from(low), f64::from(high)) as i32
        }
    };
    (bound(from), bound(to))
}

/// Columns of `[outputs][terms]` in another order: new column `j` is old column `order[j]`.
pub(super) fn permute_columns(linear: &float::Linear, order: &[usize]) -> Vec<f32> {
    linear
        .weights
        .chunks_exact(order.len())
        .flat_map(|row| order.iter().map(|&column| row[column]))
        .collect()
}

/// `[O][I][kh][kw]` to `[O][kh][kw][I]`.
pub(super) fn interleave_channels(linear: &float::Linear, cells: usize) -> Vec<f32> {
    let channels = linear.row_len() / cells;
    let order: Vec<usize> = (0..cells * channels)
        .map(|j| j % channels * cells + j / channels)
        .collect();
    permute_columns(linear, &order)
}

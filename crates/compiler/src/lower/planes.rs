//! Weights of 15 bits, as two nodes of int8 weights, where one node's rounding loses the answers.
//!
//! ```text
//! p = rq(sum x*v, M', addend, A', s')          int32; v is what rounding to w leaves of the weights
//! y = clamp(rq(bias + sum x*w, M, p, A, s))
//! ```
//!
//! A deep network can amplify any perturbation so far that int8 weights alone leave nothing of its
//! answers, however finely its values stand. Such a network pays for a second product in each node.

use selfsame_ir::{DType, Linear};
use selfsame_protocol::constants::{MULTIPLIER_MAX, TERMS_MAX};

use super::error::CompileError;
use super::linear::LinearSpec;
use super::widths::answer_snr_db;
use crate::float::{self, FloatGraph, FloatOp, InputKind, single};
use crate::quant::{Calibration, INT8_LEVELS, power, to_i8};

/// Signal over noise, in decibels, that weights and inputs of int8, together with the values as they
/// were chosen, may leave of the answers.
const ANSWER_SNR_DB: f64 = 25.0;
/// Bits by which the step of the finer plane's sums is below that of the whole.
const FINER_BITS: u32 = 8;

/// A linear node in two: the finer one comes first, and is the addend of the other.
pub(super) struct Planes {
    pub(super) finer: Finer,
    pub(super) coarse: Linear,
}

/// The node of what rounding leaves, with the addend of the whole.
pub(super) struct Finer {
    pub(super) linear: Linear,
    /// Real value of one unit of its int32 sums.
    pub(super) step: f64,
}

/// For each node whether its weights stand in two planes: all that can, or none. `steps` are those of
/// the values between the nodes, with the number of them on either side of 0.
pub(super) fn planes(
    graph: &FloatGraph,
    calibration: &Calibration,
    mut steps: Vec<Option<(f64, f64)>>,
) -> Vec<bool> {
    for (index, input) in graph.inputs().iter().enumerate() {
        let step = calibration.largest(index) / INT8_LEVELS;
        let rounded = input.kind == InputKind::Float && !graph.input_is_features();
        if rounded && step > 0.0 {
            steps[index] = Some((step, INT8_LEVELS));
        }
    }
    let of_rows = graph.is_of_rows();
    let mut rounded = graph.clone();
    for node in &mut rounded.nodes {
        let is_rounded = is_rounded(&node.op, of_rows);
        if let FloatOp::Dense(linear) | FloatOp::Conv(linear, ..) = &mut node.op
            && is_rounded
        {
            round(linear);
        }
    }
    let loses = answer_snr_db(&rounded, calibration, &steps) < ANSWER_SNR_DB;
    let nodes = graph.nodes().iter();
    nodes
        .map(|node| loses && is_rounded(&node.op, of_rows) && has_room(&node.op))
        .collect()
}

/// Whether the weights of a node have one scale for each output channel; dense nodes of networks of
/// rows have one for each row besides, and norms around them.
fn is_rounded(op: &FloatOp, of_rows: bool) -> bool {
    matches!(op, FloatOp::Conv(..)) || (!of_rows && matches!(op, FloatOp::Dense(_)))
}

/// Whether the weights of a node can stand in two planes: each of them is one node of the program.
fn has_room(op: &FloatOp) -> bool {
    let (FloatOp::Dense(linear) | FloatOp::Conv(linear, ..)) = op else {
        return false;
    };
    linear.row_len() <= TERMS_MAX as usize
}

/// Every weight as int8, the largest of its output channel as 127.
fn round(linear: &mut float::Linear) {
    let terms = linear.row_len().max(1);
    for row in linear.weights.chunks_exact_mut(terms) {
        let largest = row.iter().fold(0.0_f32, |most, w| most.max(w.abs()));
        let step = f64::from(largest) / INT8_LEVELS;
        for weight in row.iter_mut().filter(|_| step > 0.0) {
            *weight = single(f64::from(to_i8(f64::from(*weight) / step)) * step);
        }
    }
}

impl LinearSpec<'_> {
    /// The integers of a node in two planes.
    pub(super) fn quantize_planes(&self) -> Result<Planes, CompileError> {
        let finest = self.step_sum() / power(FINER_BITS);
        // The addend's multiplier has 15 bits at most.
        let step = self.addend.map_or(finest, |(_, step)| {
            finest.max(step * 4.0 / f64::from(MULTIPLIER_MAX))
        });
        let coarse = LinearSpec {
            addend: Some((DType::I32, step)),
            ..*self
        };
        let coarse = coarse.quantize()?;
        let left = self.left_by(&coarse);
        let finer = LinearSpec {
            weights: &left,
            bias: &vec![0.0; self.bias.len()],
            table: None,
            step_out: step,
            dtype: DType::I32,
            clip: None,
            ..*self
        };
        let linear = finer.quantize()?;
        Ok(Planes {
            finer: Finer { linear, step },
            coarse,
        })
    }

    /// The weights less those that a quantised node has.
    fn left_by(&self, node: &Linear) -> Vec<f32> {
        let terms = self.weights.len() / self.bias.len().max(1);
        let rows = self.weights.chunks_exact(terms);
        let levels = node.weights.chunks_exact(terms).zip(&node.constants);
        let mut left = Vec::with_capacity(self.weights.len());
        for (row, (levels, constants)) in rows.zip(levels) {
            let ratio = f64::from(constants.multiplier) / power(constants.shift.unsigned_abs());
            let step = ratio * self.step_sum() / self.step_in;
            let of = |(&w, &level): (&f32, &i8)| single(f64::from(w) - f64::from(level) * step);
            left.extend(row.iter().zip(levels).map(of));
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_planes_hold_weights_to_twelve_bits_beside_an_addend() {
        let weights = [0.9, -0.123_45, 0.000_77, 0.5];
        for addend in [None, Some((DType::I16, 1e-3))] {
            let spec = LinearSpec {
                name: "node",
                weights: &weights,
                bias: &[0.1],
                step_in: 2e-4,
                table: None,
                step_out: 1e-3,
                addend,
                dtype: DType::I16,
                clip: None,
            };
            let Planes { finer, coarse } = spec.quantize_planes().unwrap();
            let left = spec.left_by(&coarse);
            let below = LinearSpec {
                weights: &left,
                step_out: finer.step,
                ..spec
            };
            let error = below.left_by(&finer.linear);
            let most = error.iter().fold(0.0_f32, |most, e| most.max(e.abs()));
            assert!(most < 0.9 / 4_096.0, "{addend:?}: {most}");
        }
    }
}

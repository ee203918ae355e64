//! Weights of 15 bits, as two nodes of int8 weights, where one node's rounding loses the answers.
//!
//! ```text
//! p = rq(sum x*v, M', addend, A', s')          int32; v is what rounding to w leaves of the weights
//! y = clamp(rq(bias + sum x*w, M, p, A, s))
//! ```
//!
//! A deep network can amplify any perturbation so far that int8 weights alone leave nothing of its
//! answers, however finely its values stand. Such a network pays for a second product in as many nodes as
//! it takes.

use selfsame_ir::{DType, Linear};
use selfsame_protocol::constants::{MULTIPLIER_MAX, TERMS_MAX};

use super::error::CompileError;
use super::linear::LinearSpec;
use super::widths::{ANSWER_SNR_DB, answer_snr_db};
use crate::float::{self, FloatGraph, FloatOp, InputKind, single};
use crate::quant::{Calibration, INT8_LEVELS, INT16_LEVELS, power, to_i8};

/// What a network with planes need not exceed.
const ENOUGH_SNR_DB: f64 = 30.0;
/// Decibels below what planes of all nodes keep that are as good as them.
const NEARLY_DB: f64 = 1.0;
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

/// The steps of values, and how many of them there are on either side of 0.
type ValueSteps = [Option<(f64, f64)>];

/// A network with int8 weights, some of which can be put back as they were.
pub(super) struct Rounded<'a> {
    graph: &'a FloatGraph,
    calibration: &'a Calibration,
    bytes: FloatGraph,
    /// The nodes that can stand in two planes, from the front.
    candidates: Vec<usize>,
}

impl<'a> Rounded<'a> {
    pub(super) fn new(graph: &'a FloatGraph, calibration: &'a Calibration) -> Self {
        let of_rows = graph.is_of_rows();
        let mut bytes = graph.clone();
        for node in &mut bytes.nodes {
            let is_rounded = is_rounded(&node.op, of_rows);
            if let FloatOp::Dense(linear) | FloatOp::Conv(linear, ..) = &mut node.op
                && is_rounded
            {
                round(linear);
            }
        }
        let nodes = graph.nodes();
        let can = |&index: &usize| is_rounded(&nodes[index].op, of_rows) && has_room(graph, index);
        Self {
            graph,
            calibration,
            bytes,
            candidates: (0..nodes.len()).filter(can).collect(),
        }
    }

    /// Whether weights and inputs of int8 lose the answers, and planes can help, where values have these steps.
    pub(super) fn loses(&self, values: &ValueSteps) -> bool {
        let steps = with_inputs(self.graph, self.calibration, values, INT8_LEVELS);
        !self.candidates.is_empty() && self.snr_db(&[], &steps) < ANSWER_SNR_DB
    }

    /// For each node whether its weights stand in two planes: as few as keep [`ENOUGH_SNR_DB`], or nearly what
    /// planes of all nodes keep. The input is int16, or a picture of int8.
    pub(super) fn planes(&self, values: &ValueSteps, pictures: bool) -> Vec<bool> {
        let levels = if pictures { INT8_LEVELS } else { INT16_LEVELS };
        let steps = with_inputs(self.graph, self.calibration, values, levels);
        let mut planes = vec![false; self.graph.nodes().len()];
        for index in self.fewest(&steps) {
            planes[index] = true;
        }
        planes
    }

    /// The nodes that need planes. Errors at the front are amplified by all that follows in networks of
    /// random weights, and in trained ones single nodes have weights that int8 does not suit: so nodes are
    /// taken from the front, or those that lose most of their weights, whichever takes fewer products.
    fn fewest(&self, steps: &ValueSteps) -> Vec<usize> {
        let all = self.snr_db(&self.candidates, steps);
        let enough = ENOUGH_SNR_DB.min(all - NEARLY_DB);
        let mut by_loss = self.candidates.clone();
        by_loss.sort_by(|&a, &b| self.loss(b).total_cmp(&self.loss(a)));
        let front = self.shortest(self.candidates.clone(), steps, enough);
        let losing = self.shortest(by_loss, steps, enough);
        if self.products(&losing) < self.products(&front) {
            losing
        } else {
            front
        }
    }

    /// The first of `nodes` that are enough, as few as halving finds; all of them are.
    fn shortest(&self, mut nodes: Vec<usize>, steps: &ValueSteps, enough: f64) -> Vec<usize> {
        let (mut short, mut long) = (0, nodes.len());
        while short < long {
            let middle = short.midpoint(long);
            if self.snr_db(&nodes[..middle], steps) >= enough {
                long = middle;
            } else {
                short = middle + 1;
            }
        }
        nodes.truncate(long);
        nodes
    }

    /// Signal over noise of the answers with the weights of `fine` as they are.
    fn snr_db(&self, fine: &[usize], steps: &ValueSteps) -> f64 {
        let mut graph = self.bytes.clone();
        for &index in fine {
            graph.nodes[index].op = self.graph.nodes()[index].op.clone();
        }
        answer_snr_db(&graph, self.calibration, steps)
    }

    /// Noise over signal of a node's weights.
    fn loss(&self, index: usize) -> f64 {
        let (exact, found) = (linear_of(self.graph, index), linear_of(&self.bytes, index));
        let (Some(exact), Some(found)) = (exact, found) else {
            return 0.0;
        };
        let pairs = exact.weights.iter().zip(&found.weights);
        let (mut signal, mut noise) = (0.0_f64, 0.0_f64);
        for (&exact, &found) in pairs {
            signal += f64::from(exact).powi(2);
            noise += (f64::from(exact) - f64::from(found)).powi(2);
        }
        if signal > 0.0 { noise / signal } else { 0.0 }
    }

    /// Products of some nodes.
    fn products(&self, nodes: &[usize]) -> usize {
        let of = |&index: &usize| {
            let terms = linear_of(self.graph, index).map_or(0, float::Linear::row_len);
            self.graph.nodes()[index].elements().saturating_mul(terms)
        };
        nodes.iter().map(of).fold(0, usize::saturating_add)
    }
}

/// Whether the weights of a node have one scale for each output channel; dense nodes of networks of
/// rows have one for each row besides, and norms around them.
fn is_rounded(op: &FloatOp, of_rows: bool) -> bool {
    matches!(op, FloatOp::Conv(..)) || (!of_rows && matches!(op, FloatOp::Dense(_)))
}

/// The steps with those of inputs that are rounded to so many levels.
fn with_inputs(
    graph: &FloatGraph,
    calibration: &Calibration,
    steps: &ValueSteps,
    levels: f64,
) -> Vec<Option<(f64, f64)>> {
    let mut steps = steps.to_vec();
    for (index, input) in graph.inputs().iter().enumerate() {
        let step = calibration.largest(index) / levels;
        let rounded = input.kind == InputKind::Float && !graph.input_is_features();
        if rounded && step > 0.0 {
            steps[index] = Some((step, levels));
        }
    }
    steps
}

fn linear_of(graph: &FloatGraph, index: usize) -> Option<&float::Linear> {
    let (FloatOp::Dense(linear) | FloatOp::Conv(linear, ..)) = &graph.nodes()[index].op else {
        return None;
    };
    Some(linear)
}

/// Whether the weights of a node can stand in two planes: each of them is one node of the program.
fn has_room(graph: &FloatGraph, index: usize) -> bool {
    linear_of(graph, index).is_some_and(|linear| linear.row_len() <= TERMS_MAX as usize)
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

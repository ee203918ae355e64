//! How far the answer to one sample may be from that of the source, by the steps of its integers.
//!
//! ```text
//! |program(x) - source(x)| <= step of the answer + max over draws |source(x moved) - source(x)|
//! ```
//!
//! A draw moves every real number that the program rounds up or down at random, and the float graph
//! is run on what came of it. What is moved grows from [`Moved::Inputs`] to [`Moved::Inner`]; the
//! draws have a fixed seed, so the bound is the same on every machine. A draw is one possible way
//! of rounding, so the bound never exceeds what rounding can do; of long sums it is some standard
//! deviations, not the worst case.

use std::collections::BTreeMap;

use super::import::dequantised;
use crate::compile::Compiled;
use crate::float::{FloatGraph, FloatOp, InputKind, Linear, RunError, single};
use crate::lower::Narrowed;
use crate::quant::ratio_value;
use selfsame_ir::Tensor;

/// Draws for one bound.
const DRAWS: u64 = 64;
/// Largest integer of a weight.
const WEIGHT_LEVELS: f32 = 127.0;

/// What is moved, each with what stands before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moved {
    /// Real inputs, by half a step.
    Inputs,
    /// Weights of dense nodes and convolutions, by half a step of int8 with the largest weight of
    /// the output channel as 127.
    Weights,
    /// Values between the nodes of the program, and constants that it holds, by one step.
    Inner,
}

impl Compiled {
    /// One step of the answer.
    pub fn answer_step(&self) -> f64 {
        ratio_value(self.program.program().interface.output_scale)
    }

    /// The real numbers that an output tensor of the program stands for, in the source's order.
    pub fn answer(&self, output: &Tensor) -> Vec<f32> {
        dequantised(self, output)
    }

    /// For each element of the answer to `row` the most by which it may differ from the source's.
    pub fn allowance(&self, row: &[f32], moved: Moved) -> Result<Vec<f32>, RunError> {
        let wanted = self.graph.run(row)?;
        let (steps, rows) = (self.inner_steps(moved), self.moved_rows(moved));
        let mut most = vec![0.0_f32; wanted.len()];
        for draw in 0..DRAWS {
            let mut random = Random(draw + 1);
            let graph = if moved >= Moved::Weights {
                with_moved_weights(&self.graph, &mut random)
            } else {
                self.graph.clone()
            };
            let change = |node: usize, values: &mut [f32]| {
                for value in values.iter_mut() {
                    *value += steps[node] * random.sign();
                }
                if let Some(&columns) = rows.get(&node) {
                    move_rows(values, columns, &mut random);
                }
            };
            let found = graph.run_with(row, change)?;
            for ((most, f), w) in most.iter_mut().zip(&found).zip(&wanted) {
                *most = most.max((f - w).abs());
            }
        }
        let step = single(self.answer_step());
        Ok(most.into_iter().map(|more| more + step).collect())
    }

    /// By how much the values of each float node are moved.
    fn inner_steps(&self, moved: Moved) -> Vec<f32> {
        let interface = &self.program.program().interface;
        let mut steps = vec![0.0; self.graph.nodes().len()];
        if moved >= Moved::Inner {
            for source in self.sources.iter().flatten() {
                steps[source.float] = single(source.step);
            }
            for narrowed in &self.narrowed {
                if let Narrowed::Step { float, step } = *narrowed {
                    steps[float] = steps[float].max(single(step));
                }
            }
            // The answer's own step is counted apart.
            steps[self.graph.output()] = 0.0;
        }
        let half = single(0.5 / ratio_value(interface.input_scale));
        for (step, input) in steps.iter_mut().zip(self.graph.inputs()) {
            *step += match input.kind {
                InputKind::Float => half,
                InputKind::Index => 0.0,
            };
        }
        steps
    }

    /// Columns of the values that the program reads as int8 with a scale for each row.
    fn moved_rows(&self, moved: Moved) -> BTreeMap<usize, usize> {
        let of = |narrowed: &Narrowed| match *narrowed {
            Narrowed::Rows { float, columns } if moved >= Moved::Inner => Some((float, columns)),
            Narrowed::Rows { .. } | Narrowed::Step { .. } => None,
        };
        self.narrowed.iter().filter_map(of).collect()
    }
}

/// The graph with every weight half a step of its output channel higher or lower.
fn with_moved_weights(graph: &FloatGraph, random: &mut Random) -> FloatGraph {
    let mut graph = graph.clone();
    for node in &mut graph.nodes {
        if let FloatOp::Dense(linear) | FloatOp::Conv(linear, ..) = &mut node.op {
            move_weights(linear, random);
        }
    }
    graph
}

/// Every value one step of its row higher or lower, of which the largest magnitude has 127.
fn move_rows(values: &mut [f32], columns: usize, random: &mut Random) {
    for row in values.chunks_exact_mut(columns) {
        let largest = row.iter().fold(0.0_f32, |most, v| most.max(v.abs()));
        let step = largest / WEIGHT_LEVELS;
        for value in row {
            *value += step * random.sign();
        }
    }
}

fn move_weights(linear: &mut Linear, random: &mut Random) {
    let columns = linear.row_len().max(1);
    for row in linear.weights.chunks_exact_mut(columns) {
        let largest = row.iter().fold(0.0_f32, |most, w| most.max(w.abs()));
        let half = 0.5 * largest / WEIGHT_LEVELS;
        // Zero and the largest weight are integers whatever the step.
        let moves = |w: &&mut f32| **w != 0.0 && w.abs() < largest;
        row.iter_mut()
            .filter(moves)
            .for_each(|w| *w += half * random.sign());
    }
}

/// Signs by the generator of Vigna's splitmix64.
struct Random(u64);

impl Random {
    fn sign(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        if (z ^ (z >> 31)) & 1 == 0 { 1.0 } else { -1.0 }
    }
}

//! What int8 rows with a scale of their own cost a dense node: measured, not guessed.
//!
//! ```text
//! q[r][k] = round(x[r][k] * 127 / max |x[r]|),  noise = w * (q * max |x[r]| / 127 - x)
//! ```
//!
//! A row whose largest element is an outlier leaves few levels to all others; the weights decide
//! whether that matters.

use std::collections::BTreeMap;

use super::levels::decibels;
use crate::float::{FloatGraph, FloatOp, Linear};

/// Rows of a sample, and outputs, evenly spaced, that it is measured on.
const ROWS: usize = 32;
const OUTPUTS: usize = 64;
const LEVELS: f32 = 127.0;
/// Outputs whose sums are made side by side.
const LANES: usize = 4;

/// Energies of a node's sums and of their error.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Loss {
    signal: f64,
    noise: f64,
}

/// For each node of a graph what int8 rows cost it, if it is a dense node of several rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct RowLosses(BTreeMap<usize, Loss>);

/// The dense nodes that read each node, in graphs of rows.
pub(crate) struct DenseReaders<'a>(BTreeMap<usize, Vec<(usize, &'a Linear)>>);

/// Energies of each sum of a dense node and of its error, in the order in which they are added up.
#[derive(Debug)]
pub(crate) struct Energies {
    node: usize,
    sums: Vec<(f64, f64)>,
}

impl<'a> DenseReaders<'a> {
    pub(crate) fn of(graph: &'a FloatGraph) -> Self {
        let mut readers: BTreeMap<usize, Vec<(usize, &Linear)>> = BTreeMap::new();
        let nodes = if graph.is_of_rows() {
            graph.nodes()
        } else {
            &[]
        };
        for (index, node) in nodes.iter().enumerate() {
            if let (FloatOp::Dense(linear), &[input]) = (&node.op, node.inputs.as_slice()) {
                readers.entry(input).or_default().push((index, linear));
            }
        }
        Self(readers)
    }

    /// Adds the energies of the dense nodes that read `node`, whose values are `x`.
    pub(crate) fn measure(&self, node: usize, x: &[f32], energies: &mut Vec<Energies>) {
        for &(node, linear) in self.0.get(&node).into_iter().flatten() {
            let sums = energies_of(linear, x);
            energies.push(Energies { node, sums });
        }
    }
}

impl RowLosses {
    /// Adds up energies, sample after sample.
    pub(crate) fn add(&mut self, energies: &[Energies]) {
        for Energies { node, sums } in energies {
            let loss = self.0.entry(*node).or_default();
            for (signal, noise) in sums {
                loss.signal += signal;
                loss.noise += noise;
            }
        }
    }

    /// Signal over noise of the node's sums, in decibels; infinite where nothing was measured.
    pub(crate) fn snr_db(&self, node: usize) -> f64 {
        let loss = self.0.get(&node).copied().unwrap_or_default();
        decibels(loss.signal, loss.noise)
    }
}

fn energies_of(linear: &Linear, x: &[f32]) -> Vec<(f64, f64)> {
    let terms = linear.row_len();
    let every = (x.len() / terms).div_ceil(ROWS).max(1);
    let spread = linear.outputs.div_ceil(OUTPUTS).max(1);
    let outputs: Vec<&[f32]> = linear.weights.chunks_exact(terms).step_by(spread).collect();
    let mut energies = Vec::new();
    for row in x.chunks_exact(terms).step_by(every) {
        let largest = row.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        if largest == 0.0 {
            continue;
        }
        let error = |v: &f32| (v * LEVELS / largest).round() * largest / LEVELS - v;
        let errors: Vec<f32> = row.iter().map(error).collect();
        for group in outputs.chunks(LANES) {
            // Lanes beyond the last output repeat it.
            let weights: [&[f32]; LANES] =
                core::array::from_fn(|lane| group[lane.min(group.len() - 1)]);
            let (sums, noises) = (dots(weights, row), dots(weights, &errors));
            let pairs = sums.into_iter().zip(noises).take(group.len());
            energies.extend(pairs.map(|(sum, noise)| (sum.powi(2), noise.powi(2))));
        }
    }
    energies
}

/// Products of `x` with several rows of weights, each in the order of its terms.
fn dots(weights: [&[f32]; LANES], x: &[f32]) -> [f64; LANES] {
    let weights = weights.map(|row| &row[..x.len()]);
    let mut sums = [0.0; LANES];
    for (term, &x) in x.iter().enumerate() {
        for (sum, row) in sums.iter_mut().zip(weights) {
            *sum += f64::from(row[term] * x);
        }
    }
    sums
}

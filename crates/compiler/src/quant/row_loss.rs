//! What int8 rows with a scale of their own cost a dense node: measured, not guessed.
//!
//! ```text
//! q[r][k] = round(x[r][k] * 127 / max |x[r]|),  noise = w * (q * max |x[r]| / 127 - x)
//! ```
//!
//! A row whose largest element is an outlier leaves few levels to all others; the weights decide
//! whether that matters.

use crate::float::{FloatGraph, FloatOp, Linear, RunError};

/// Rows of the calibration that the loss is measured on.
const SAMPLES: usize = 4;
/// Rows of a sample, and outputs, evenly spaced, that it is measured on.
const ROWS: usize = 32;
const OUTPUTS: usize = 64;
const LEVELS: f32 = 127.0;

/// Energies of a node's sums and of their error.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Loss {
    signal: f64,
    noise: f64,
}

/// For each node of a graph what int8 rows cost it, if it is a dense node of several rows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RowLosses(Vec<Loss>);

impl RowLosses {
    /// Measures the dense nodes of `graph` on the first of `rows`; none if the graph has no rows.
    pub(crate) fn measure(graph: &FloatGraph, rows: &[&Vec<f32>]) -> Result<Self, RunError> {
        let mut losses = vec![Loss::default(); graph.nodes().len()];
        if graph.is_of_rows() {
            for row in rows.iter().take(SAMPLES) {
                let values = graph.run_all(row)?;
                for (node, loss) in graph.nodes().iter().zip(&mut losses) {
                    if let (FloatOp::Dense(linear), &[input]) = (&node.op, node.inputs.as_slice()) {
                        loss.add(linear, &values[input]);
                    }
                }
            }
        }
        Ok(Self(losses))
    }

    /// Signal over noise of the node's sums, in decibels; infinite where nothing was measured.
    pub(crate) fn snr_db(&self, node: usize) -> f64 {
        let loss = self.0.get(node).copied().unwrap_or_default();
        if loss.noise == 0.0 {
            f64::INFINITY
        } else {
            10.0 * (loss.signal / loss.noise).log10()
        }
    }
}

impl Loss {
    fn add(&mut self, linear: &Linear, x: &[f32]) {
        let terms = linear.row_len();
        let every = (x.len() / terms).div_ceil(ROWS);
        for row in x.chunks_exact(terms).step_by(every.max(1)) {
            let largest = row.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
            if largest == 0.0 {
                continue;
            }
            let error = |v: &f32| (v * LEVELS / largest).round() * largest / LEVELS - v;
            let errors: Vec<f32> = row.iter().map(error).collect();
            let every = linear.outputs.div_ceil(OUTPUTS);
            for weights in linear.weights.chunks_exact(terms).step_by(every.max(1)) {
                let dot = |x: &[f32]| -> f64 {
                    let terms = weights.iter().zip(x);
                    terms.map(|(w, x)| f64::from(w * x)).sum()
                };
                self.signal += dot(row).powi(2);
                self.noise += dot(&errors).powi(2);
            }
        }
    }
}

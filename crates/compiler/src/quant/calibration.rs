//! Calibration: ranges of every activation over training rows.
//!
//! Counts and maxima are merged, never float sums, so the number of threads cannot show.

use std::collections::{BTreeMap, HashSet};

use selfsame_protocol::{Hash, keccak256};

use super::histogram::Histogram;
use super::row_loss::RowLosses;
use super::threads::map_parts;
use crate::float::{FloatGraph, RunError};

/// Below this number of values the largest one is no good estimate.
const VALUES_FEW: u64 = 1 << 15;
/// From this number of values on, clipping is chosen by squared error.
const VALUES_MANY: u64 = 1 << 18;
/// Rows that are kept for measurements of the whole network.
const SAMPLES: usize = 4;
/// Most rows that a calibration reads.
const ROWS_MAX: usize = 1 << 20;

/// Rows that a calibration may see: everything before the first test row.
#[derive(Debug, Clone, Copy)]
pub struct TrainingRows<'a> {
    rows: &'a [Vec<f32>],
}

impl<'a> TrainingRows<'a> {
    /// The rows of a data set before `first_test_row`.
    pub fn before(all_rows: &'a [Vec<f32>], first_test_row: usize) -> Self {
        Self {
            rows: &all_rows[..first_test_row.min(all_rows.len())],
        }
    }

    /// At most `count` of these rows, evenly spaced.
    pub fn at_most(self, count: usize) -> impl Iterator<Item = &'a Vec<f32>> {
        let taken = count.min(self.rows.len()).min(ROWS_MAX);
        (0..taken).map(move |index| &self.rows[index * self.rows.len() / taken])
    }
}

/// Why a calibration cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalibrationError {
    /// No rows.
    #[error("no training rows; calibration needs at least one, a few hundred are good")]
    NoRows,
    /// A row does not fit the model.
    #[error("a training row does not fit: {0}")]
    Row(RunError),
    /// An activation is not a finite number.
    #[error(
        "node {node:?} makes a value that is not finite on the training rows; check the data and the weights"
    )]
    NotFinite {
        /// Name of the node.
        node: String,
    },
}

/// Ranges of every activation of a fused float graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    nodes: Vec<Histogram>,
    row_hashes: HashSet<Hash>,
    row_losses: RowLosses,
    samples: Vec<Vec<f32>>,
    /// Largest magnitudes that the file itself declares, by node.
    declared: BTreeMap<usize, f64>,
}

impl Calibration {
    /// Runs `graph` on at most `count` training rows.
    pub fn collect(
        graph: &FloatGraph,
        rows: TrainingRows<'_>,
        count: usize,
    ) -> Result<Self, CalibrationError> {
        let rows: Vec<&Vec<f32>> = rows.at_most(count).collect();
        if rows.is_empty() {
            return Err(CalibrationError::NoRows);
        }
        let parts = map_parts(&rows, |rows| {
            let mut nodes = vec![Histogram::new(); graph.nodes().len()];
            for row in rows {
                let values = graph.run_all(row)?;
                nodes
                    .iter_mut()
                    .zip(&values)
                    .for_each(|(node, values)| node.add(values));
            }
            Ok(nodes)
        });
        let mut nodes = vec![Histogram::new(); graph.nodes().len()];
        for part in parts {
            let part: Vec<Histogram> = part.map_err(CalibrationError::Row)?;
            nodes
                .iter_mut()
                .zip(&part)
                .for_each(|(node, part)| node.merge(part));
        }
        if let Some((_, node)) = nodes
            .iter()
            .zip(graph.nodes())
            .find(|(histogram, _)| !histogram.is_finite())
        {
            return Err(CalibrationError::NotFinite {
                node: node.name.clone(),
            });
        }
        Ok(Self {
            nodes,
            row_hashes: rows.iter().map(|row| row_hash(row)).collect(),
            declared: declared(graph),
            samples: rows.iter().take(SAMPLES).map(|&row| row.clone()).collect(),
            row_losses: RowLosses::measure(graph, &rows).map_err(CalibrationError::Row)?,
        })
    }

    /// Whether calibration has seen this row.
    pub fn has_seen(&self, row: &[f32]) -> bool {
        self.row_hashes.contains(&row_hash(row))
    }

    /// Number of different rows that calibration has seen.
    pub fn row_count(&self) -> usize {
        self.row_hashes.len()
    }

    /// Largest magnitude of a node's values.
    pub(crate) fn largest(&self, node: usize) -> f64 {
        f64::from(self.nodes[node].largest())
    }

    /// Smallest and largest value of a node, with a margin where few values were seen.
    pub(crate) fn range(&self, node: usize) -> (f64, f64) {
        let histogram = &self.nodes[node];
        let (low, high) = histogram.range();
        let (low, high) = (f64::from(low), f64::from(high));
        if histogram.values() < VALUES_FEW {
            let margin = (high - low) / 8.0;
            return (low - margin, high + margin);
        }
        (low, high)
    }

    /// The magnitude that the largest of `levels` integers should stand for: what the file declares.
    /// Else by the number of values seen.
    ///
    /// Many values: the one with the least mean squared error of rounding and clamping. Fewer: the
    /// largest magnitude seen. Very few: a quarter more, since the largest of a small sample says
    /// little about the largest to come.
    pub(crate) fn clip_point(&self, node: usize, levels: f64) -> f64 {
        if let Some(&declared) = self.declared.get(&node) {
            return declared;
        }
        let histogram = &self.nodes[node];
        let (largest, values) = (self.largest(node), histogram.values());
        if largest == 0.0 {
            return 1.0;
        }
        if values < VALUES_FEW {
            return largest * 1.25;
        }
        let least = if values < VALUES_MANY { 100 } else { 40 };
        let mut best = (f64::INFINITY, largest);
        for candidate in (least..=100_u32).rev() {
            let clip = largest * f64::from(candidate) / 100.0;
            let error = histogram.squared_error(clip, clip / levels);
            if error < best.0 {
                best = (error, clip);
            }
        }
        best.1
    }

    /// Noise over signal of a node's values as int8 on one scale.
    pub(crate) fn byte_loss(&self, node: usize) -> f64 {
        let histogram = &self.nodes[node];
        let clip = self.clip_point(node, 127.0);
        let energy = histogram.squared_error(f64::INFINITY, f64::INFINITY);
        if energy == 0.0 {
            return 0.0;
        }
        histogram.squared_error(clip, clip / 127.0) / energy
    }

    /// A few rows that it has seen.
    pub(crate) fn samples(&self) -> &[Vec<f32>] {
        &self.samples
    }

    /// Signal over noise, in decibels, of a dense node whose rows are int8 with a scale each.
    pub(crate) fn row_snr_db(&self, node: usize) -> f64 {
        self.row_losses.snr_db(node)
    }

    pub(crate) fn node_count(&self) -> usize {
        self.nodes.len()
    }
}

/// Ranges that a quantised model declares are a calibration that others have made on more data.
fn declared(graph: &FloatGraph) -> BTreeMap<usize, f64> {
    let of = |node| {
        let (low, high) = graph.hint(node)?;
        let largest = f64::from(low.abs().max(high.abs()));
        (largest.is_finite() && largest > 0.0).then_some((node, largest))
    };
    (0..graph.nodes().len()).filter_map(of).collect()
}

fn row_hash(row: &[f32]) -> Hash {
    let bytes: Vec<u8> = row.iter().flat_map(|v| v.to_bits().to_be_bytes()).collect();
    keccak256(&bytes)
}

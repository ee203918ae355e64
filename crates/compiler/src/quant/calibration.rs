//! Calibration: ranges of every activation over training rows.
//!
//! Counts and maxima are merged, never float sums, so the number of threads cannot show.

use std::collections::HashSet;

use selfsame_protocol::{Hash, keccak256};

use super::histogram::{Bins, Histogram};
use super::levels::INT8_LEVELS;
use super::ranges::{magnitude, ranges};
use super::row_loss::{DenseReaders, Energies, RowLosses};
use super::threads::{fold_rows, map_rows};
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
    /// For each node its smallest and its largest value.
    ranges: Vec<(f64, f64)>,
    row_hashes: HashSet<Hash>,
    row_losses: RowLosses,
    samples: Vec<Sample>,
    /// For each node what its values cost as int8.
    bytes: Vec<AsBytes>,
}

/// A row that calibration has seen, and what the graph answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    pub(crate) row: Vec<f32>,
    pub(crate) answer: Vec<f32>,
}

/// The values of a node as int8 on one scale.
#[derive(Debug, Clone, Copy, PartialEq)]
struct AsBytes {
    /// The magnitude that the largest integer stands for.
    clip_point: f64,
    /// Noise over signal.
    loss: f64,
}

/// What one row adds that depends on the order of rows.
struct Measured {
    hash: Hash,
    answer: Vec<f32>,
    energies: Vec<Energies>,
}

impl Calibration {
    /// Runs `graph` on at most `count` training rows, on all cores.
    pub fn collect(
        graph: &FloatGraph,
        rows: TrainingRows<'_>,
        count: usize,
    ) -> Result<Self, CalibrationError> {
        let rows: Vec<&Vec<f32>> = rows.at_most(count).collect();
        if rows.is_empty() {
            return Err(CalibrationError::NoRows);
        }
        let new = || vec![Histogram::new(); graph.nodes().len()];
        let readers = DenseReaders::of(graph);
        let (parts, measured) = fold_rows(&rows, graph.live_bytes(), new, |nodes, index, row| {
            measure(graph, &readers, nodes, (index, row))
        });
        let measured: Result<Vec<Measured>, RunError> = measured.into_iter().collect();
        let measured = measured.map_err(CalibrationError::Row)?;
        let mut nodes = new();
        for part in parts {
            for (node, part) in nodes.iter_mut().zip(&part) {
                node.merge(part);
            }
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
        let mut row_losses = RowLosses::default();
        for one in &measured {
            row_losses.add(&one.energies);
        }
        let ranges = ranges(graph, &nodes);
        let row_hashes = measured.iter().map(|one| one.hash).collect();
        let sample = |(&row, one): (&&Vec<f32>, Measured)| Sample {
            row: row.clone(),
            answer: one.answer,
        };
        Ok(Self {
            row_hashes,
            row_losses,
            samples: rows
                .iter()
                .zip(measured)
                .take(SAMPLES)
                .map(sample)
                .collect(),
            bytes: map_rows(&nodes, 0, |node, histogram| {
                AsBytes::of(histogram, declared(graph, node), magnitude(ranges[node]))
            }),
            nodes,
            ranges,
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

    /// Largest magnitude of a node's values; what its factors allow where only 0 was seen.
    pub(crate) fn largest(&self, node: usize) -> f64 {
        magnitude(self.ranges[node])
    }

    /// Smallest and largest value of a node that were seen; what its factors allow where only 0 was.
    pub(crate) fn seen(&self, node: usize) -> (f64, f64) {
        self.ranges[node]
    }

    /// Smallest and largest value of a node, with a margin where few values were seen.
    pub(crate) fn range(&self, node: usize) -> (f64, f64) {
        let (low, high) = self.seen(node);
        if self.nodes[node].values() < VALUES_FEW {
            let margin = (high - low) / 8.0;
            return (low - margin, high + margin);
        }
        (low, high)
    }

    /// The magnitude that the largest int8 should stand for: what the file declares. Else by the number
    /// of values seen.
    ///
    /// Many values: the one with the least mean squared error of rounding and clamping. Fewer: the
    /// largest magnitude seen. Very few: a quarter more, since the largest of a small sample says
    /// little about the largest to come.
    pub(crate) fn clip_point(&self, node: usize) -> f64 {
        self.bytes[node].clip_point
    }

    /// Noise over signal of a node's values as int8 on one scale.
    pub(crate) fn byte_loss(&self, node: usize) -> f64 {
        self.bytes[node].loss
    }

    /// Magnitudes of a node's values, and how often they were seen.
    pub(crate) fn magnitudes(&self, node: usize) -> Bins {
        self.nodes[node].bins()
    }

    /// A few rows that it has seen.
    pub(crate) fn samples(&self) -> &[Sample] {
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

impl AsBytes {
    fn of(histogram: &Histogram, declared: Option<f64>, largest: f64) -> Self {
        let bins = histogram.bins();
        let clip_point = declared.unwrap_or_else(|| clip_point(histogram, &bins, largest));
        let energy = bins.squared_error(f64::INFINITY, f64::INFINITY);
        let noise = bins.squared_error(clip_point, clip_point / INT8_LEVELS);
        Self {
            clip_point,
            loss: if energy == 0.0 { 0.0 } else { noise / energy },
        }
    }
}

/// The clip point that the values seen ask for, or, where these are all 0, the `largest` to come.
fn clip_point(histogram: &Histogram, bins: &Bins, largest: f64) -> f64 {
    let (seen, values) = (f64::from(histogram.largest()), histogram.values());
    if largest == 0.0 {
        return 1.0;
    }
    if seen == 0.0 {
        return largest;
    }
    if values < VALUES_FEW {
        return largest * 1.25;
    }
    let least = if values < VALUES_MANY { 100 } else { 40 };
    let mut best = (f64::INFINITY, largest);
    for candidate in (least..=100_u32).rev() {
        let clip = largest * f64::from(candidate) / 100.0;
        let error = bins.squared_error(clip, clip / INT8_LEVELS);
        if error < best.0 {
            best = (error, clip);
        }
    }
    best.1
}

/// Counts the values of all nodes for one row; the first rows say more.
fn measure(
    graph: &FloatGraph,
    readers: &DenseReaders<'_>,
    nodes: &mut [Histogram],
    (index, row): (usize, &Vec<f32>),
) -> Result<Measured, RunError> {
    let is_sample = index < SAMPLES;
    let mut energies = Vec::new();
    let answer = graph.run_with(row, |node, values| {
        nodes[node].add(values);
        if is_sample {
            readers.measure(node, values, &mut energies);
        }
    })?;
    Ok(Measured {
        hash: row_hash(row),
        answer: if is_sample { answer } else { Vec::new() },
        energies,
    })
}

/// The largest magnitude of a node that a quantised model declares: a calibration that others have made
/// on more data.
fn declared(graph: &FloatGraph, node: usize) -> Option<f64> {
    let (low, high) = graph.hint(node)?;
    let largest = f64::from(low.abs().max(high.abs()));
    (largest.is_finite() && largest > 0.0).then_some(largest)
}

fn row_hash(row: &[f32]) -> Hash {
    let bytes: Vec<u8> = row.iter().flat_map(|v| v.to_bits().to_be_bytes()).collect();
    keccak256(&bytes)
}

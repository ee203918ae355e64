//! Calibration: ranges of every activation over training rows.
//!
//! Two passes: the largest magnitude, then a histogram of magnitudes below it. Counts and maxima
//! are merged, never float sums, so the number of threads cannot show.

use std::collections::HashSet;

use selfsame_protocol::{Hash, keccak256};

use super::threads::{map_parts, map_rows};
use crate::float::{FloatGraph, RunError};

/// Bins of a histogram.
const BINS: usize = 2_048;
/// Below this number of values the largest one is no good estimate.
const VALUES_FEW: u64 = 1 << 15;
/// From this number of values on, clipping is chosen by squared error.
const VALUES_MANY: u64 = 1 << 18;
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
    #[error("training row {row}: {error}")]
    Row {
        /// Index among the rows that calibration reads.
        row: usize,
        /// Why.
        error: RunError,
    },
    /// An activation is not a finite number.
    #[error(
        "node {node:?} makes a value that is not finite on the training rows; check the data and the weights"
    )]
    NotFinite {
        /// Name of the node.
        node: String,
    },
}

/// What calibration knows about one node's output.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NodeStatistics {
    /// Largest magnitude.
    pub(crate) largest: f32,
    /// Counts of magnitudes, in equal bins of `0..=largest`.
    histogram: Vec<u64>,
}

/// Ranges of every activation of a fused float graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    nodes: Vec<NodeStatistics>,
    row_hashes: HashSet<Hash>,
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
        let largest = largest_magnitudes(graph, &rows)?;
        let parts = map_parts(&rows, |rows| {
            let mut counts = vec![vec![0_u64; BINS]; largest.len()];
            for row in rows {
                let values = graph.run_all(row).expect("the first pass ran this row");
                for ((counts, values), &largest) in counts.iter_mut().zip(&values).zip(&largest) {
                    for value in values {
                        counts[bin(value.abs(), largest)] += 1;
                    }
                }
            }
            counts
        });
        let mut nodes: Vec<NodeStatistics> = largest
            .into_iter()
            .map(|largest| NodeStatistics {
                largest,
                histogram: vec![0; BINS],
            })
            .collect();
        for part in parts {
            for (node, counts) in nodes.iter_mut().zip(part) {
                for (total, count) in node.histogram.iter_mut().zip(counts) {
                    *total += count;
                }
            }
        }
        Ok(Self {
            nodes,
            row_hashes: rows.iter().map(|row| row_hash(row)).collect(),
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

    pub(crate) fn node(&self, index: usize) -> &NodeStatistics {
        &self.nodes[index]
    }

    pub(crate) fn node_count(&self) -> usize {
        self.nodes.len()
    }
}

fn row_hash(row: &[f32]) -> Hash {
    let bytes: Vec<u8> = row.iter().flat_map(|v| v.to_bits().to_be_bytes()).collect();
    keccak256(&bytes)
}

fn largest_magnitudes(
    graph: &FloatGraph,
    rows: &[&Vec<f32>],
) -> Result<Vec<f32>, CalibrationError> {
    let parts = map_rows(rows, |row| {
        let magnitude = |values: &Vec<f32>| {
            values.iter().fold(0.0_f32, |largest, value| {
                // A NaN stays: `max` would drop it.
                if value.is_finite() {
                    largest.max(value.abs())
                } else {
                    f32::NAN
                }
            })
        };
        Ok(graph
            .run_all(row)?
            .iter()
            .map(magnitude)
            .collect::<Vec<f32>>())
    });
    let mut largest = vec![0.0_f32; graph.nodes().len()];
    for (row, part) in parts.into_iter().enumerate() {
        let part = part.map_err(|error| CalibrationError::Row { row, error })?;
        for ((largest, found), node) in largest.iter_mut().zip(part).zip(graph.nodes()) {
            if found.is_nan() {
                return Err(CalibrationError::NotFinite {
                    node: node.name.clone(),
                });
            }
            *largest = largest.max(found);
        }
    }
    Ok(largest)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a bin number"
)]
fn bin(magnitude: f32, largest: f32) -> usize {
    if largest == 0.0 {
        return 0;
    }
    ((f64::from(magnitude) / f64::from(largest) * BINS as f64) as usize).min(BINS - 1)
}

impl NodeStatistics {
    /// The magnitude that the largest integer `levels` should stand for.
    ///
    /// Many values: the one with the least mean squared error of rounding and clamping. Fewer: the
    /// largest magnitude seen. Very few: a quarter more, since the largest of a small sample
    /// says little about the largest to come.
    pub(crate) fn clip_point(&self, levels: f64) -> f64 {
        let largest = f64::from(self.largest);
        let values: u64 = self.histogram.iter().sum();
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
            let error = self.squared_error(clip, clip / levels);
            if error < best.0 {
                best = (error, clip);
            }
        }
        best.1
    }

    fn squared_error(&self, clip: f64, step: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        let width = f64::from(self.largest) / BINS as f64;
        let mut middle = width / 2.0;
        let mut sum = 0.0;
        for &count in &self.histogram {
            let error = if middle > clip {
                (middle - clip) * (middle - clip)
            } else if middle < step / 2.0 {
                middle * middle
            } else {
                step * step / 12.0
            };
            #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
            {
                sum += error * count as f64;
            }
            middle += width;
        }
        sum
    }
}

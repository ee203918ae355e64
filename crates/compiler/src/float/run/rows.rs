//! Operators over the rows of the last axis, in double precision.

use selfsame_kernels::Width;

use super::super::graph::ReduceKind;
use super::super::lanes::exp_each;
use super::single;

/// `e^x / sum e^x` of each row; the largest element is subtracted before.
pub(super) fn softmax(width: Width, x: &[f32], columns: usize) -> Vec<f32> {
    let mut out = Vec::with_capacity(x.len());
    let mut powers = vec![0.0; columns];
    for row in x.chunks_exact(columns) {
        let largest = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for (power, &v) in powers.iter_mut().zip(row) {
            *power = f64::from(v) - f64::from(largest);
        }
        exp_each(width, &mut powers);
        let sum: f64 = powers.iter().sum();
        out.extend(powers.iter().map(|power| single(power / sum)));
    }
    out
}

/// `(x - mean) / sqrt(variance + epsilon) * scale + shift` of each row.
pub(super) fn normalize(
    x: &[f32],
    center: bool,
    epsilon: f32,
    scale: &[f32],
    shift: &[f32],
) -> Vec<f32> {
    let mut out = Vec::with_capacity(x.len());
    for row in x.chunks_exact(scale.len()) {
        let mean = if center { mean(row) } else { 0.0 };
        let squares = row.iter().map(|&v| (f64::from(v) - mean).powi(2));
        let variance = squares.sum::<f64>() / count(row);
        let factor = 1.0 / (variance + f64::from(epsilon)).sqrt();
        let parameters = scale.iter().zip(shift);
        out.extend(row.iter().zip(parameters).map(|(&v, (&s, &t))| {
            single((f64::from(v) - mean) * factor * f64::from(s) + f64::from(t))
        }));
    }
    out
}

/// One number for each row.
pub(super) fn reduce(x: &[f32], columns: usize, kind: ReduceKind) -> Vec<f32> {
    let sum = |row: &[f32]| row.iter().map(|&v| f64::from(v)).sum::<f64>();
    let one = |row: &[f32]| match kind {
        ReduceKind::Sum => single(sum(row)),
        ReduceKind::Mean => single(mean(row)),
        ReduceKind::Max => row.iter().copied().fold(f32::NEG_INFINITY, f32::max),
        ReduceKind::Min => row.iter().copied().fold(f32::INFINITY, f32::min),
        ReduceKind::SumSquares => single(row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>()),
    };
    x.chunks_exact(columns).map(one).collect()
}

/// The index of the largest element of each row, the first of equals.
pub(super) fn arg_max(x: &[f32], columns: usize) -> Vec<f32> {
    #[expect(clippy::cast_precision_loss, reason = "a row has at most 2^24 columns")]
    let index = |row: &[f32]| {
        let mut best = 0;
        for (column, value) in row.iter().enumerate() {
            if *value > row[best] {
                best = column;
            }
        }
        best as f32
    };
    x.chunks_exact(columns).map(index).collect()
}

/// The rows of `table` that `x` picks.
pub(super) fn embedding(x: &[f32], rows: usize, columns: usize, table: &[f32]) -> Vec<f32> {
    let mut out = Vec::with_capacity(x.len() * columns);
    for &index in x {
        let row = picked(index, rows);
        out.extend_from_slice(&table[row * columns..][..columns]);
    }
    out
}

/// The row that a whole number picks; numbers below 0 count from the end.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a table has fewer than 2^28 rows, and a number outside of it reads the nearest one"
)]
fn picked(index: f32, rows: usize) -> usize {
    let (index, rows) = (f64::from(index), rows as f64);
    let index = if index < 0.0 { index + rows } else { index };
    index.max(0.0).min(rows - 1.0) as usize
}

fn mean(row: &[f32]) -> f64 {
    row.iter().map(|&v| f64::from(v)).sum::<f64>() / count(row)
}

#[expect(clippy::cast_precision_loss, reason = "a row has at most 2^24 columns")]
fn count(row: &[f32]) -> f64 {
    row.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_follow_their_definitions() {
        let x = [1.0, 3.0, 3.0, -2.0, 0.0, 2.0];
        assert_eq!(arg_max(&x, 3), [1.0, 2.0]);
        assert_eq!(reduce(&x, 3, ReduceKind::SumSquares), [19.0, 8.0]);
        assert_eq!(reduce(&x, 3, ReduceKind::Min), [1.0, -2.0]);
        let whole: f32 = softmax(Width::best(), &x, 6).iter().sum();
        assert!((whole - 1.0).abs() < 1e-6);
        let normal = normalize(&x[3..], true, 0.0, &[1.0; 3], &[0.5; 3]);
        assert!((normal[2] - 0.5 - 1.5_f32.sqrt()).abs() < 1e-6);
        assert_eq!(normal[1].to_bits(), 0.5_f32.to_bits());
    }

    #[test]
    fn numbers_outside_a_table_read_its_edge() {
        let table = [0.0, 1.0, 2.0, 3.0];
        let found = embedding(&[1.0, -1.0, -9.0, 9.0], 2, 2, &table);
        assert_eq!(found, [2.0, 3.0, 2.0, 3.0, 0.0, 1.0, 2.0, 3.0]);
    }
}

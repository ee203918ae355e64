//! Matrix products in double precision, every sum in the order of its terms.

use super::super::graph::Linear;
use super::single;

/// Rows of the input and rows of weights of one tile of sums.
const LANES: usize = 8;
const OUTPUTS: usize = 4;

/// `[rows][outputs]` of `x [rows][terms]`.
pub(super) fn dense(x: &[f32], linear: &Linear) -> Vec<f32> {
    let (terms, outputs) = (linear.row_len(), linear.outputs);
    let rows = x.len() / terms.max(1);
    let mut out = vec![0.0; rows * outputs];
    let mut panel = vec![0.0_f64; terms * LANES];
    for first in (0..rows).step_by(LANES) {
        let count = LANES.min(rows - first);
        for lane in 0..count {
            let row = &x[(first + lane) * terms..][..terms];
            let slots = panel[lane..].iter_mut().step_by(LANES);
            for (slot, &value) in slots.zip(row) {
                *slot = f64::from(value);
            }
        }
        for start in (0..outputs).step_by(OUTPUTS) {
            let sums = if count == 1 {
                narrow_tile(linear, start, &panel)
            } else {
                tile(linear, start, &panel)
            };
            for (o, sums) in sums.iter().enumerate().take(OUTPUTS.min(outputs - start)) {
                for (lane, &sum) in sums.iter().enumerate().take(count) {
                    out[(first + lane) * outputs + start + o] = single(sum);
                }
            }
        }
    }
    out
}

/// The weights of `OUTPUTS` outputs from `start` on; outputs beyond the last one repeat it.
fn weights(linear: &Linear, start: usize) -> ([&[f32]; OUTPUTS], [f64; OUTPUTS]) {
    let terms = linear.row_len();
    let row = |o: usize| (start + o).min(linear.outputs - 1);
    (
        core::array::from_fn(|o| &linear.weights[row(o) * terms..][..terms]),
        core::array::from_fn(|o| f64::from(linear.bias[row(o)])),
    )
}

fn tile(linear: &Linear, start: usize, panel: &[f64]) -> [[f64; LANES]; OUTPUTS] {
    let ([a, b, c, d], biases) = weights(linear, start);
    let mut sums = biases.map(|bias| [bias; LANES]);
    let columns = panel.as_chunks::<LANES>().0;
    for ((((column, a), b), c), d) in columns.iter().zip(a).zip(b).zip(c).zip(d) {
        for (sums, &weight) in sums.iter_mut().zip([a, b, c, d]) {
            for (sum, value) in sums.iter_mut().zip(column) {
                *sum += f64::from(weight) * value;
            }
        }
    }
    sums
}

/// The first lane alone.
fn narrow_tile(linear: &Linear, start: usize, panel: &[f64]) -> [[f64; LANES]; OUTPUTS] {
    let ([a, b, c, d], mut sums) = weights(linear, start);
    let columns = panel.as_chunks::<LANES>().0;
    for ((((column, a), b), c), d) in columns.iter().zip(a).zip(b).zip(c).zip(d) {
        for (sum, &weight) in sums.iter_mut().zip([a, b, c, d]) {
            *sum += f64::from(weight) * column[0];
        }
    }
    sums.map(|sum| [sum; LANES])
}

/// `[batch][rows][columns]` of `a [batch][rows][terms]` and `b [batch / group][terms][columns]`.
pub(super) fn product(
    a: &[f32],
    b: &[f32],
    [rows, terms, columns]: [usize; 3],
    group: usize,
) -> Vec<f32> {
    let mut out = Vec::with_capacity(a.len() / terms.max(1) * columns);
    let mut sums = vec![0.0_f64; columns];
    for (matrix, left) in a.chunks_exact(rows * terms).enumerate() {
        let right = &b[matrix / group * terms * columns..][..terms * columns];
        for row in left.chunks_exact(terms) {
            sums.fill(0.0);
            for (&value, line) in row.iter().zip(right.chunks_exact(columns)) {
                for (sum, &other) in sums.iter_mut().zip(line) {
                    *sum += f64::from(value) * f64::from(other);
                }
            }
            out.extend(sums.iter().map(|&sum| single(sum)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_sum_in_the_order_of_the_terms() {
        let linear = Linear {
            outputs: 7,
            weights: (0..35_u8).map(|i| f32::from(i) * 0.37 - 5.0).collect(),
            bias: (0..7_u8).map(f32::from).collect(),
        };
        for rows in [1_u8, 2, 8, 11] {
            let x: Vec<f32> = (0..rows * 5).map(|i| f32::from(i % 13) - 4.3).collect();
            let found = dense(&x, &linear);
            for (row, answers) in x.chunks_exact(5).zip(found.chunks_exact(7)) {
                for (o, &answer) in answers.iter().enumerate() {
                    let weights = &linear.weights[o * 5..][..5];
                    let terms = row.iter().zip(weights);
                    let sum = terms.fold(f64::from(linear.bias[o]), |sum, (&v, &w)| {
                        sum + f64::from(w) * f64::from(v)
                    });
                    assert_eq!(answer.to_bits(), single(sum).to_bits());
                }
            }
        }
    }

    #[test]
    fn a_group_of_matrices_shares_the_second_operand() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let b = [1.0, 10.0, 100.0, 1000.0];
        let found = product(&a, &b, [1, 2, 1], 2);
        assert_eq!(found, [21.0, 43.0, 6500.0, 8700.0]);
    }
}

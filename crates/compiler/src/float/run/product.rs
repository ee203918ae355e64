//! Matrix products in double precision, every sum in the order of its terms.

use selfsame_kernels::Width;

use super::super::graph::Linear;
use super::sums::{Order, Rows, sums};

/// `[rows][outputs]` of `x [rows][terms]`.
pub(super) fn dense(width: Width, x: &[f32], linear: &Linear) -> Vec<f32> {
    let terms = linear.row_len();
    let rows = x.len() / terms.max(1);
    let mut out = vec![0.0; rows * linear.outputs];
    let weights = Rows {
        values: &linear.weights,
        starts: &linear.bias,
    };
    sums::<f64>(
        width,
        weights,
        rows,
        Order::Columns,
        &mut out,
        |range, panels| {
            let rows = x[range.start * terms..range.end * terms].chunks_exact(terms);
            for (column, row) in rows.enumerate() {
                panels.set_column(column, row);
            }
        },
    );
    out
}

/// `[batch][rows][columns]` of `a [batch][rows][terms]` and `b [batch / group][terms][columns]`.
pub(super) fn product(
    width: Width,
    a: &[f32],
    b: &[f32],
    [rows, terms, columns]: [usize; 3],
    group: usize,
) -> Vec<f32> {
    let mut out = vec![0.0; a.len() / terms.max(1) * columns];
    let starts = vec![0.0; rows];
    let matrices = a.chunks_exact(rows * terms);
    for (matrix, (left, out)) in matrices
        .zip(out.chunks_exact_mut(rows * columns))
        .enumerate()
    {
        let right = &b[matrix / group * terms * columns..][..terms * columns];
        let left = Rows {
            values: left,
            starts: &starts,
        };
        sums::<f64>(width, left, columns, Order::Rows, out, |range, panels| {
            for (term, line) in right.chunks_exact(columns).enumerate() {
                panels.set_term(term, &line[range.clone()]);
            }
        });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dense_node_starts_at_its_bias() {
        let linear = Linear {
            outputs: 2,
            weights: vec![1.0, 2.0, -3.0, 0.5],
            bias: vec![10.0, -1.0],
        };
        for width in Width::available() {
            let found = dense(width, &[1.0, 2.0, -4.0, 6.0], &linear);
            assert_eq!(found, [15.0, -3.0, 18.0, 14.0]);
        }
    }

    #[test]
    fn a_group_of_matrices_shares_the_second_operand() {
        let a = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
        let b = [1.0, 10.0, 100.0, 1000.0];
        for width in Width::available() {
            let found = product(width, &a, &b, [1, 2, 1], 2);
            assert_eq!(found, [21.0, 43.0, 6500.0, 8700.0]);
        }
    }
}

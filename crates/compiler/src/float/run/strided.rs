//! Values in another order: transpositions, walks, and pairs of which one side is repeated.
//!
//! All of them run over the output row after row; along each axis a table says where the input's
//! element lies, and where its elements lie side by side a row is copied.

use super::super::graph::Arithmetic;
use super::super::spread::Spread;
use super::super::walk::AxisWalk;

/// Where along each axis of the output the input is read: offsets, none outside of it.
type Axes = Vec<Vec<Option<usize>>>;

/// Output axis `j` is input axis `perm[j]`.
pub(super) fn transpose(x: &[f32], from: &[usize], perm: &[usize]) -> Vec<f32> {
    let strides = strides(from);
    let axis = |&axis: &usize| offsets(from[axis], strides[axis]);
    let axes: Axes = perm.iter().map(axis).collect();
    gather(x, &axes, 0.0)
}

/// An own walk along each axis; what lies outside is `fill`.
pub(super) fn walk(x: &[f32], from: &[usize], walks: &[AxisWalk], fill: f32) -> Vec<f32> {
    let axes = walks.iter().zip(from).zip(strides(from));
    let axes = axes.map(|((walk, &extent), stride)| {
        let cells = (0..walk.extent).map(|at| walk.index(at, extent));
        cells.map(|cell| Some(cell? * stride)).collect()
    });
    let axes: Axes = axes.collect();
    gather(x, &axes, fill)
}

/// `x` and `y`, which is spread over it.
pub(super) fn spread_pair(
    arithmetic: Arithmetic,
    (x, from): (&[f32], &[usize]),
    y: &[f32],
    spread: &Spread,
) -> Vec<f32> {
    let axes = from.iter().zip(spread.strides(from));
    let axes: Axes = axes
        .map(|(&extent, stride)| offsets(extent, stride))
        .collect();
    let mut out = Vec::with_capacity(x.len());
    rows(&axes, |base, columns| {
        let Some(base) = base else { return };
        let x = &x[out.len()..][..columns.len()];
        if columns.get(1) == Some(&Some(0)) {
            out.extend(x.iter().map(|&x| arithmetic.of(x, y[base])));
        } else {
            let y = &y[base..][..columns.len()];
            out.extend(x.iter().zip(y).map(|(&x, &y)| arithmetic.of(x, y)));
        }
    });
    out
}

/// Elements of `x` at the sums of the axes' offsets.
fn gather(x: &[f32], axes: &Axes, fill: f32) -> Vec<f32> {
    let mut out = Vec::with_capacity(axes.iter().map(Vec::len).product());
    let adjacent = axes.last().and_then(|columns| run(columns));
    rows(axes, |base, columns| match (base, adjacent) {
        (None, _) => out.resize(out.len() + columns.len(), fill),
        (Some(base), Some(first)) => {
            out.extend_from_slice(&x[base + first..][..columns.len()]);
        }
        (Some(base), None) => {
            let of = |column: &Option<usize>| column.map_or(fill, |column| x[base + column]);
            out.extend(columns.iter().map(of));
        }
    });
    out
}

/// The first offset, if all others follow it one by one.
fn run(columns: &[Option<usize>]) -> Option<usize> {
    let first = (*columns.first()?)?;
    let follows = |(at, column): (usize, &Option<usize>)| *column == Some(first + at);
    columns.iter().enumerate().all(follows).then_some(first)
}

/// Calls `of_row` for each row of the output with the sum of the other axes' offsets.
fn rows(axes: &Axes, mut of_row: impl FnMut(Option<usize>, &[Option<usize>])) {
    let (columns, outer) = match axes.split_last() {
        Some((columns, outer)) => (columns.as_slice(), outer),
        None => (&[Some(0)][..], &[][..]),
    };
    let mut at = vec![0_usize; outer.len()];
    let count: usize = outer.iter().map(Vec::len).product();
    for _ in 0..count {
        let offsets = outer.iter().zip(&at).map(|(axis, &at)| axis[at]);
        of_row(offsets.sum(), columns);
        for (at, axis) in at.iter_mut().zip(outer).rev() {
            *at += 1;
            if *at < axis.len() {
                break;
            }
            *at = 0;
        }
    }
}

fn offsets(extent: usize, stride: usize) -> Vec<Option<usize>> {
    (0..extent).map(|at| Some(at * stride)).collect()
}

/// Elements between neighbours along each axis.
fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis];
    }
    strides
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::float::constant::transposed_order;
    use crate::float::walk::walk_order;

    fn counted(shape: &[usize]) -> Vec<f32> {
        let count: u16 = shape
            .iter()
            .map(|&extent| u16::try_from(extent).unwrap())
            .product();
        (0..count).map(|i| f32::from(i) + 1.0).collect()
    }

    #[test]
    fn a_transposition_is_that_of_constants() {
        for (shape, perm) in [
            (vec![2, 3, 4], vec![1, 0, 2]),
            (vec![2, 3, 4], vec![2, 1, 0]),
            (vec![5, 2], vec![1, 0]),
            (vec![7], vec![0]),
            (vec![], vec![]),
            (vec![2, 3, 1, 5], vec![0, 3, 2, 1]),
        ] {
            let x = counted(&shape);
            let wanted = transposed_order(&shape, &perm);
            let wanted: Vec<f32> = wanted.iter().map(|&i| x[i]).collect();
            assert_eq!(transpose(&x, &shape, &perm), wanted, "{shape:?} {perm:?}");
        }
    }

    #[test]
    fn a_walk_reads_its_cells_and_fills_what_lies_outside() {
        let walk_of = |numerator, offset, denominator, exact, extent| AxisWalk {
            numerator,
            offset,
            denominator,
            exact,
            extent,
        };
        let shape = [3, 4];
        let x = counted(&shape);
        for walks in [
            [AxisWalk::whole(3), AxisWalk::whole(4)],
            [walk_of(1, -1, 1, false, 5), walk_of(1, 1, 1, false, 2)],
            [walk_of(-1, 2, 1, false, 3), walk_of(1, 0, 2, true, 8)],
            [walk_of(2, 0, 1, false, 2), walk_of(1, -2, 1, false, 9)],
        ] {
            let wanted = walk_order(&shape, &walks);
            let wanted: Vec<f32> = wanted.iter().map(|i| i.map_or(-1.0, |i| x[i])).collect();
            assert_eq!(walk(&x, &shape, &walks, -1.0), wanted, "{walks:?}");
        }
    }

    #[test]
    fn a_narrow_side_is_repeated() {
        let shape = [2, 3, 2];
        let x = counted(&shape);
        for narrow in [[2, 1, 2], [2, 3, 1], [1, 1, 1], [1, 3, 1], [1, 1, 2]] {
            let spread = Spread::over(&shape, &narrow).unwrap();
            let y = counted(&narrow);
            let order = spread.order(&shape);
            let wanted: Vec<f32> = x.iter().zip(order).map(|(x, i)| y[i] - x).collect();
            let found = spread_pair(Arithmetic::ReverseSub, (&x, &shape), &y, &spread);
            assert_eq!(found, wanted, "{narrow:?}");
        }
    }
}

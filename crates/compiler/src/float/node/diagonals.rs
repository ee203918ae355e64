//! Import of `GatherElements` by distances: how `DeBERTa` reads the products of queries with its positions.
//!
//! ```text
//! y[.., r, c] = x[.., r, f(c - r)]          f constant, r < R, c < C
//! u[.., r, j] = x[.., r, f(j - (R - 1))]    j < W = R + C - 1: one column for each distance
//! y[.., r, c] = u[.., r W + c - r + R - 1]  = flat(u)[r (W - 1) + c + R - 1]
//! ```
//!
//! So the picks are columns, and putting them in their places is a slice of the flat rows seen as rows that
//! are one shorter. Columns of a product with constants are columns of the constants.

use super::super::act::{Act, Frame};
use super::super::error::ImportError;
use super::super::graph::FloatOp;
use super::NodeContext;

impl NodeContext<'_> {
    /// Elements along the last axis of `act` by constant `indices` of shape `dims`, if these depend on
    /// the distance of row and column alone.
    pub(super) fn picked_by_distance(
        &mut self,
        act: &Act,
        dims: &[usize],
        indices: &[i64],
    ) -> Result<Option<Act>, ImportError> {
        let rank = act.dims.len();
        let (&[.., rows, columns], true) = (dims, rank == dims.len()) else {
            return Ok(None);
        };
        let outer = rank - 1;
        if act.dims[..outer] != dims[..outer] || self.constant_of(act.node).is_some() {
            return Ok(None);
        }
        let Some(distances) = by_distance(indices, rows, columns) else {
            return Ok(None);
        };
        let picks: Result<Vec<usize>, ImportError> = distances
            .iter()
            .map(|&index| self.cell(index, act.dims[outer]))
            .collect();
        let act = self.apart(act, &[rank - 2, outer])?;
        let wide = self.columns(&act, &picks?)?;
        let width = rows + columns - 1;
        let mut flat = act.dims[..rank - 2].to_vec();
        flat.push(rows * width);
        let flat = self.framed(&wide, framed_as(&wide, flat))?;
        let moved = self.range(&flat, rank - 2, rows - 1, rows * (width - 1))?;
        let mut cut = act.dims[..rank - 2].to_vec();
        cut.extend([rows, width - 1]);
        let cut = self.framed(&moved, framed_as(&moved, cut))?;
        self.range(&cut, outer, 0, columns).map(Some)
    }

    /// Columns `picks` of `act`.
    fn columns(&mut self, act: &Act, picks: &[usize]) -> Result<Act, ImportError> {
        let axis = act.dims.len() - 1;
        let node = &self.importer.nodes[act.node];
        let (FloatOp::Product { group }, &[first, second]) = (&node.op, node.inputs.as_slice())
        else {
            return self.picked(act, axis, picks);
        };
        let group = *group;
        let Some(elements) = self.constant_of(second) else {
            return self.picked(act, axis, picks);
        };
        let columns = act.dims[axis];
        let rows = elements.chunks_exact(columns);
        let picked: Vec<f32> = rows
            .flat_map(|row| picks.iter().map(|&at| row[at]))
            .collect();
        let with_columns = |shape: &[usize]| {
            let outer = &shape[..shape.len() - 1];
            [outer, &[picks.len()]].concat()
        };
        let (narrow, wide) = (
            with_columns(self.shape_of(second)),
            with_columns(self.shape_of(act.node)),
        );
        self.spend(picked.len())?;
        let second = self.push(FloatOp::Constant(picked), Vec::new(), narrow)?;
        let node = self.push(FloatOp::Product { group }, vec![first, second], wide)?;
        Ok(Act {
            node,
            dims: with_columns(&act.dims),
            ..act.clone()
        })
    }
}

fn framed_as(act: &Act, dims: Vec<usize>) -> Frame {
    Frame {
        dims,
        batch: act.batch,
    }
}

/// The index at each distance `column - row`, from `1 - rows` on, if every matrix of the indices has one for
/// each.
fn by_distance(indices: &[i64], rows: usize, columns: usize) -> Option<Vec<i64>> {
    let cells = rows.checked_mul(columns).filter(|&cells| cells > 0)?;
    let first = indices.get(..cells)?;
    // The first column upwards, then the first row.
    let up = (1..rows).rev().map(|row| first[row * columns]);
    let distances: Vec<i64> = up.chain(first[..columns].iter().copied()).collect();
    let place = |flat: usize| (flat % cells % columns) + (rows - 1) - (flat % cells / columns);
    let mut all = indices.iter().enumerate();
    all.all(|(flat, &index)| distances[place(flat)] == index)
        .then_some(distances)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_by_distance_are_told_from_others() {
        let indices = [2, 3, 4, 1, 2, 3, 2, 3, 4, 1, 2, 3];
        assert_eq!(by_distance(&indices, 2, 3), Some(vec![1, 2, 3, 4]));
        assert_eq!(by_distance(&[2, 3, 4, 1, 0, 3], 2, 3), None);
        assert_eq!(by_distance(&[], 2, 0), None);
    }
}

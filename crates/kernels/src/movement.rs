//! Elements moved from one flat row-major tensor to another.
//!
//! Output axis j with index i reads its input axis at a place that was looked up beforehand; where
//! there is none, the fill is written.
//!
//! Spec: operators, 2.16, 2.18 and 2.25.

/// The walk of one output axis: the input's offset in elements for each index, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Axis {
    offsets: Vec<Option<usize>>,
    /// Every index reads the element behind the one before.
    contiguous: bool,
}

/// A movement with its walks looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    axes: Vec<Axis>,
    input_len: usize,
    output_len: usize,
}

impl Movement {
    /// `shape` is the input's; `walks[j]` names the input axis of output axis j and, for each of its
    /// indices, the place on that axis.
    ///
    /// # Panics
    ///
    /// If a walk names an axis or a place that the shape does not have: graph checking came before.
    pub fn new(shape: &[usize], walks: &[(usize, Vec<Option<usize>>)]) -> Self {
        let mut steps = vec![1_usize; shape.len()];
        for axis in (1..shape.len()).rev() {
            steps[axis - 1] = steps[axis] * shape[axis];
        }
        let axes: Vec<Axis> = walks
            .iter()
            .map(|(axis, places)| {
                let inside = |place: &Option<usize>| place.is_none_or(|at| at < shape[*axis]);
                assert!(places.iter().all(inside), "movement: a place outside");
                let step = steps[*axis];
                let offset = |place: &Option<usize>| place.map(|at| at * step);
                let offsets: Vec<Option<usize>> = places.iter().map(offset).collect();
                let next =
                    |pair: &[Option<usize>]| matches!(pair, [Some(a), Some(b)] if *b == a + 1);
                let contiguous =
                    offsets.windows(2).all(next) && offsets.first().is_none_or(Option::is_some);
                Axis {
                    offsets,
                    contiguous,
                }
            })
            .collect();
        let output_len = axes.iter().map(|axis| axis.offsets.len()).product();
        Self {
            axes,
            input_len: shape.iter().product(),
            output_len,
        }
    }

    /// Moves `input` to `output`.
    ///
    /// # Panics
    ///
    /// If a length is not that of its shape.
    pub fn run<T: Copy>(&self, input: &[T], fill: T, output: &mut [T]) {
        assert_eq!(input.len(), self.input_len, "movement: input length");
        assert_eq!(output.len(), self.output_len, "movement: output length");
        let Some((inner, outer)) = self.axes.split_last() else {
            output.copy_from_slice(input);
            return;
        };
        let mut index = vec![0_usize; outer.len()];
        for run in output.chunks_exact_mut(inner.offsets.len().max(1)) {
            let start = outer
                .iter()
                .zip(&index)
                .try_fold(0, |sum, (axis, &at)| Some(sum + axis.offsets[at]?));
            match start {
                None => run.fill(fill),
                Some(start) if inner.contiguous => {
                    let first = start + inner.offsets[0].unwrap_or_default();
                    run.copy_from_slice(&input[first..first + run.len()]);
                }
                Some(start) => {
                    for (y, offset) in run.iter_mut().zip(&inner.offsets) {
                        *y = offset.map_or(fill, |offset| input[start + offset]);
                    }
                }
            }
            // Counts like an odometer, the last of the outer axes fastest.
            for (at, axis) in index.iter_mut().zip(outer).rev() {
                *at += 1;
                if *at < axis.offsets.len() {
                    break;
                }
                *at = 0;
            }
        }
    }
}

/// Rows `[rows][columns]` of one of the inputs of a concatenation, into columns `first..` of
/// `[rows][width]`.
///
/// # Panics
///
/// If a length is not that of its shape.
pub fn concat_rows<T: Copy>(
    input: &[T],
    columns: usize,
    first: usize,
    width: usize,
    output: &mut [T],
) {
    assert_eq!(
        input.len() * width,
        output.len() * columns,
        "concat: lengths"
    );
    let rows = output.chunks_exact_mut(width.max(1));
    for (row, x) in rows.zip(input.chunks_exact(columns.max(1))) {
        row[first..first + columns].copy_from_slice(x);
    }
}

/// Rows of a table `[entries][columns]` by their index; an index outside is clamped to it.
///
/// # Panics
///
/// If a length is not that of its shape.
pub fn embedding<T: Copy>(index: &[i32], table: &[T], columns: usize, output: &mut [T]) {
    let columns = columns.max(1);
    assert_eq!(output.len(), index.len() * columns, "embedding: lengths");
    let last = table.len() / columns - 1;
    for (row, &entry) in output.chunks_exact_mut(columns).zip(index) {
        let entry = usize::try_from(entry).unwrap_or(0).min(last);
        row.copy_from_slice(&table[entry * columns..][..columns]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(len: usize) -> Vec<Option<usize>> {
        (0..len).map(Some).collect()
    }

    #[test]
    fn a_cube_is_transposed() {
        let x: Vec<u8> = (0..24).collect();
        let mut y = [0; 24];
        let walks = [(2, whole(4)), (0, whole(2)), (1, whole(3))];
        Movement::new(&[2, 3, 4], &walks).run(&x, 0, &mut y);
        for (i, j, k) in
            (0..2).flat_map(|i| (0..3).flat_map(move |j| (0..4).map(move |k| (i, j, k))))
        {
            assert_eq!(y[(k * 2 + i) * 3 + j], x[(i * 3 + j) * 4 + k]);
        }
    }

    #[test]
    fn places_that_are_none_are_filled_on_every_axis() {
        let walks = [
            (0, vec![None, Some(0), Some(1)]),
            (1, vec![Some(1), None, Some(0)]),
        ];
        let mut y = [0; 9];
        Movement::new(&[2, 2], &walks).run(&[1, 2, 3, 4], 9, &mut y);
        assert_eq!(y, [9, 9, 9, 2, 9, 1, 4, 9, 3]);
    }

    #[test]
    fn a_cell_is_repeated() {
        let walks = [(0, vec![Some(0); 2]), (1, whole(3))];
        let mut y = [0; 6];
        Movement::new(&[1, 3], &walks).run(&[1, 2, 3], 0, &mut y);
        assert_eq!(y, [1, 2, 3, 1, 2, 3]);
    }

    #[test]
    fn rows_stand_side_by_side() {
        let mut y = [0; 6];
        concat_rows(&[1, 2], 1, 0, 3, &mut y);
        concat_rows(&[3, 4, 5, 6], 2, 1, 3, &mut y);
        assert_eq!(y, [1, 3, 4, 2, 5, 6]);
    }
}

//! Elements moved from one flat row-major tensor to another.
//!
//! Output axis j with index i reads its input axis at a place that was looked up beforehand; where
//! there is none, the fill is written.
//!
//! Spec: operators, 2.16, 2.18 and 2.25.

use std::ops::Range;

/// The walk of one output axis: the input's offset in elements for each index, or none.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Axis {
    /// `extent` elements, each `step` behind the one before; most walks are such.
    Even {
        first: usize,
        step: usize,
        extent: usize,
    },
    Listed(Vec<Option<usize>>),
}

/// Most runs of the output that are turned together.
const TURNED: usize = 32;

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
                Axis::of(places.iter().map(offset).collect())
            })
            .collect();
        let output_len = axes.iter().map(Axis::extent).product();
        Self {
            axes,
            input_len: shape.iter().product(),
            output_len,
        }
    }

    /// Elements along the last axis of the output.
    pub fn row_len(&self) -> usize {
        self.axes.last().map_or(1, Axis::extent)
    }

    /// Moves `input` to the rows `rows` of the output, the runs along its last axis; `output` holds
    /// exactly these.
    ///
    /// # Panics
    ///
    /// If a length is not that of its shape.
    pub fn run<T: Copy>(&self, input: &[T], fill: T, rows: Range<usize>, output: &mut [T]) {
        assert_eq!(input.len(), self.input_len, "movement: input length");
        let expected = rows.len() * self.row_len();
        assert!(
            output.len() == expected && rows.end * self.row_len() <= self.output_len,
            "movement: output length"
        );
        let Some((inner, outer)) = self.axes.split_last() else {
            output.copy_from_slice(&input[rows]);
            return;
        };
        let mut index = vec![0_usize; outer.len()];
        let mut above = rows.start;
        for (at, axis) in index.iter_mut().zip(outer).rev() {
            let extent = axis.extent().max(1);
            (*at, above) = (above % extent, above / extent);
        }
        let width = inner.extent().max(1);
        let mut rest = output;
        while width <= rest.len() {
            let start = outer
                .iter()
                .zip(&index)
                .try_fold(0, |sum, (axis, &at)| Some(sum + axis.offset(at)?));
            let mut runs = 1;
            match (start, inner) {
                (None, _) => rest[..width].fill(fill),
                (Some(start), &Axis::Even { first, step, .. }) => {
                    if let (true, Some(above)) = (1 < step, outer.last()) {
                        let at = index.last().copied().unwrap_or(0);
                        runs = above.neighbours(at).min(rest.len() / width);
                    }
                    let (block, _) = rest.split_at_mut(runs * width);
                    turn(&input[start + first..], step, runs, block);
                }
                (Some(start), Axis::Listed(offsets)) => {
                    for (y, offset) in rest.iter_mut().zip(offsets) {
                        *y = offset.map_or(fill, |offset| input[start + offset]);
                    }
                }
            }
            rest = &mut rest[runs * width..];
            // Counts like an odometer, the last of the outer axes fastest.
            let mut more = runs;
            for (at, axis) in index.iter_mut().zip(outer).rev() {
                *at += more;
                if *at < axis.extent() {
                    break;
                }
                (*at, more) = (0, 1);
            }
        }
    }
}

impl Axis {
    fn of(offsets: Vec<Option<usize>>) -> Self {
        let (first, step) = match offsets[..] {
            [Some(first)] => (first, 1),
            [Some(first), Some(second), ..] if first < second => (first, second - first),
            _ => return Self::Listed(offsets),
        };
        let even = |(at, offset): (usize, &Option<usize>)| *offset == Some(first + at * step);
        if !offsets.iter().enumerate().all(even) {
            return Self::Listed(offsets);
        }
        Self::Even {
            first,
            step,
            extent: offsets.len(),
        }
    }

    fn extent(&self) -> usize {
        match self {
            Self::Even { extent, .. } => *extent,
            Self::Listed(offsets) => offsets.len(),
        }
    }

    /// Where index `at` reads.
    fn offset(&self, at: usize) -> Option<usize> {
        match self {
            Self::Even { first, step, .. } => Some(first + at * step),
            Self::Listed(offsets) => offsets[at],
        }
    }

    /// Indices from `at` on that read elements which stand next to each other, at most [`TURNED`].
    fn neighbours(&self, at: usize) -> usize {
        match self {
            Self::Even {
                step: 1, extent, ..
            } => (extent - at).min(TURNED),
            Self::Even { .. } | Self::Listed(_) => 1,
        }
    }
}

/// Runs of `to`, of which the first reads every `step`-th element and each other one the neighbours of
/// what the run before it reads: cells of many runs are read together.
fn turn<T: Copy>(from: &[T], step: usize, runs: usize, to: &mut [T]) {
    let width = to.len() / runs.max(1);
    if step == 1 {
        return to.copy_from_slice(&from[..to.len()]);
    }
    if runs == 1 {
        for (y, &x) in to.iter_mut().zip(from.iter().step_by(step)) {
            *y = x;
        }
        return;
    }
    for column in 0..width {
        let cells = &from[column * step..][..runs];
        // A number of cells that the compiler knows makes straight code of the inner loop.
        if let Ok(cells) = <&[T; TURNED]>::try_from(cells) {
            for (run, &x) in cells.iter().enumerate() {
                to[run * width + column] = x;
            }
        } else {
            for (run, &x) in cells.iter().enumerate() {
                to[run * width + column] = x;
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

/// Rows of a table `[entries][columns]` by their index, each value as `stored` makes it; an index outside
/// is clamped to it.
///
/// # Panics
///
/// If a length is not that of its shape.
pub fn embedding<T: Copy, U>(
    index: &[i32],
    table: &[T],
    columns: usize,
    output: &mut [U],
    stored: impl Fn(T) -> U,
) {
    let columns = columns.max(1);
    assert_eq!(output.len(), index.len() * columns, "embedding: lengths");
    let last = table.len() / columns - 1;
    for (row, &entry) in output.chunks_exact_mut(columns).zip(index) {
        let entry = usize::try_from(entry).unwrap_or(0).min(last);
        for (to, &value) in row.iter_mut().zip(&table[entry * columns..][..columns]) {
            *to = stored(value);
        }
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
        let movement = Movement::new(&[2, 3, 4], &walks);
        // Rows in bands, cut anywhere.
        for (first, rows) in [(0, 0..3), (9, 3..4), (12, 4..8)] {
            let len = rows.len() * movement.row_len();
            movement.run(&x, 0, rows, &mut y[first..first + len]);
        }
        for (i, j, k) in
            (0..2).flat_map(|i| (0..3).flat_map(move |j| (0..4).map(move |k| (i, j, k))))
        {
            assert_eq!(y[(k * 2 + i) * 3 + j], x[(i * 3 + j) * 4 + k]);
        }
    }

    #[test]
    fn a_turned_picture_has_every_cell_at_its_place_wherever_it_is_cut() {
        for (height, width) in [(1, 5), (3, 32), (7, 33), (40, 65), (2, 100)] {
            let x: Vec<i16> = (0..).take(height * width).collect();
            let walks = [(1, whole(width)), (0, whole(height))];
            let movement = Movement::new(&[height, width], &walks);
            for cut in [0, 1, width / 2, width] {
                let mut y = vec![-1; x.len()];
                let (first, second) = y.split_at_mut(cut * height);
                movement.run(&x, 0, 0..cut, first);
                movement.run(&x, 0, cut..width, second);
                for (at, &found) in y.iter().enumerate() {
                    assert_eq!(
                        found,
                        x[at % height * width + at / height],
                        "{height}x{width}"
                    );
                }
            }
        }
    }

    #[test]
    fn places_that_are_none_are_filled_on_every_axis() {
        let walks = [
            (0, vec![None, Some(0), Some(1)]),
            (1, vec![Some(1), None, Some(0)]),
        ];
        let mut y = [0; 9];
        Movement::new(&[2, 2], &walks).run(&[1, 2, 3, 4], 9, 0..3, &mut y);
        assert_eq!(y, [9, 9, 9, 2, 9, 1, 4, 9, 3]);
    }

    #[test]
    fn a_cell_is_repeated() {
        let walks = [(0, vec![Some(0); 2]), (1, whole(3))];
        let mut y = [0; 6];
        Movement::new(&[1, 3], &walks).run(&[1, 2, 3], 0, 0..2, &mut y);
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

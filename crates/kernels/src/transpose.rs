//! Transposition of a flat row-major tensor.
//!
//! ```text
//! output axis j is input axis permutation[j]
//! ```
//!
//! Spec: operators, 2.16.

/// The most axes of a tensor.
pub const AXES_MAX: usize = 8;

/// `input[shape]` to `output[shape[permutation[0]], shape[permutation[1]], ..]`.
///
/// # Panics
///
/// If `permutation` is not one, there are more than [`AXES_MAX`] axes, or a length is not that of
/// the shape: graph checking has already made them equal.
pub fn transpose<T: Copy>(input: &[T], shape: &[usize], permutation: &[usize], output: &mut [T]) {
    let rank = shape.len();
    assert!(
        rank <= AXES_MAX && permutation.len() == rank,
        "transpose: axes"
    );
    assert_eq!(
        input.len(),
        shape.iter().product::<usize>(),
        "transpose: input length"
    );
    assert_eq!(input.len(), output.len(), "transpose: output length");
    let mut steps = [1_usize; AXES_MAX];
    for axis in (1..rank).rev() {
        steps[axis - 1] = steps[axis] * shape[axis];
    }
    // Size and input step of each output axis.
    let mut axes = [(1_usize, 0_usize); AXES_MAX];
    let mut seen = [false; AXES_MAX];
    for (axis, &from) in axes.iter_mut().zip(permutation) {
        assert!(
            !std::mem::replace(&mut seen[from], true),
            "transpose: not a permutation"
        );
        *axis = (shape[from], steps[from]);
    }
    let Some(outer) = rank.checked_sub(1) else {
        output.copy_from_slice(input);
        return;
    };
    let (len, step) = axes[outer];
    let mut index = [0_usize; AXES_MAX];
    let mut from = 0;
    for run in output.chunks_exact_mut(len.max(1)) {
        for (i, y) in run.iter_mut().enumerate() {
            *y = input[from + i * step];
        }
        // Counts like an odometer, the last of the outer axes fastest.
        for axis in (0..outer).rev() {
            let (size, step) = axes[axis];
            index[axis] += 1;
            from += step;
            if index[axis] < size {
                break;
            }
            from -= size * step;
            index[axis] = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_and_a_cube_are_transposed() {
        let mut y = [0; 6];
        transpose(&[1, 2, 3, 4, 5, 6], &[2, 3], &[1, 0], &mut y);
        assert_eq!(y, [1, 4, 2, 5, 3, 6]);
        let x: Vec<u8> = (0..24).collect();
        let mut y = [0; 24];
        transpose(&x, &[2, 3, 4], &[2, 0, 1], &mut y);
        for (i, j, k) in
            (0..2).flat_map(|i| (0..3).flat_map(move |j| (0..4).map(move |k| (i, j, k))))
        {
            assert_eq!(y[(k * 2 + i) * 3 + j], x[(i * 3 + j) * 4 + k]);
        }
    }

    #[test]
    fn a_scalar_and_a_vector_stay() {
        let mut y = [0];
        transpose(&[7], &[], &[], &mut y);
        assert_eq!(y, [7]);
        let mut y = [0; 3];
        transpose(&[1, 2, 3], &[3], &[0], &mut y);
        assert_eq!(y, [1, 2, 3]);
    }
}

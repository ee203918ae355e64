//! In which order the elements of a value stand in the program.
//!
//! Float images are `[C][H][W]`, program images are `[H][W][C]`. Views and transpositions of the
//! float graph move nothing here: they only change how the axes of the program's tensor are
//! numbered. A value moves where a node needs it in another order, once for a whole chain of views.

/// An axis of a tensor of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Axis {
    /// Cells.
    pub(super) extent: usize,
    /// Distance of two neighbours in the float graph's order.
    pub(super) stride: usize,
}

/// Order of a value's elements relative to the float graph's order: the axes of the program's
/// tensor, outermost first, without those of one cell, joined where they can be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Layout {
    axes: Vec<Axis>,
}

/// A permutation of axes: the input's shape, and for each output axis its input axis.
pub(super) type Permutation = (Vec<usize>, Vec<u8>);

impl Layout {
    pub(super) fn new(axes: impl IntoIterator<Item = Axis>) -> Self {
        let mut joined: Vec<Axis> = Vec::new();
        for axis in axes.into_iter().filter(|axis| axis.extent != 1) {
            match joined.last_mut() {
                Some(outer) if outer.stride == axis.stride * axis.extent => {
                    outer.extent *= axis.extent;
                    outer.stride = axis.stride;
                }
                Some(_) | None => joined.push(axis),
            }
        }
        Self { axes: joined }
    }

    /// The float graph's own order.
    pub(super) fn flat(elements: usize) -> Self {
        Self::new([Axis {
            extent: elements,
            stride: 1,
        }])
    }

    /// The axes of the program's tensor as (extent, stride), outermost first.
    pub(super) fn of_axes(axes: impl IntoIterator<Item = (usize, usize)>) -> Self {
        Self::new(
            axes.into_iter()
                .map(|(extent, stride)| Axis { extent, stride }),
        )
    }

    /// The axes, outermost first.
    pub(super) fn axes(&self) -> &[Axis] {
        &self.axes
    }

    /// Number of elements.
    pub(super) fn elements(&self) -> usize {
        self.axes.iter().map(|axis| axis.extent).product()
    }

    /// The layout with `columns` elements in place of each.
    pub(super) fn widened(&self, columns: usize) -> Self {
        let outer = self.axes.iter().map(|axis| Axis {
            stride: axis.stride * columns,
            ..*axis
        });
        Self::new(outer.chain([Axis {
            extent: columns,
            stride: 1,
        }]))
    }

    /// For each axis of the program's tensor, cut at those of `shape`, its extent and the float
    /// graph's axis that it is a part of.
    pub(super) fn cut_at(&self, shape: &[usize]) -> Option<Vec<(usize, usize)>> {
        let parts = self.parts(shape)?;
        Some(parts.iter().map(|&(axis, of)| (axis.extent, of)).collect())
    }

    /// The order that a value without the axes `gone` of `shape` has, if it runs along this one.
    pub(super) fn without(&self, shape: &[usize], gone: &[bool]) -> Option<Self> {
        let kept = shape.iter().zip(gone);
        let narrow: Vec<usize> = kept.map(|(&d, &gone)| if gone { 1 } else { d }).collect();
        let (wide, narrow) = (strides(shape), strides(&narrow));
        let parts = self.parts(shape)?;
        let kept = parts.into_iter().filter(|&(_, of)| !gone[of]);
        Some(Self::new(kept.map(|(axis, of)| Axis {
            extent: axis.extent,
            stride: narrow[of] * (axis.stride / wide[of]),
        })))
    }

    /// The axes, cut at those of `shape`, and for each the axis of `shape` that it is a part of.
    fn parts(&self, shape: &[usize]) -> Option<Vec<(Axis, usize)>> {
        let strides = strides(shape);
        let mut cuts = strides.clone();
        cuts.sort_unstable();
        let place = |axis: Axis| {
            let holds = |a: &usize| {
                shape[*a] > 1 && (strides[*a]..strides[*a] * shape[*a]).contains(&axis.stride)
            };
            Some((axis, (0..shape.len()).find(holds)?))
        };
        self.cut(&cuts)?.into_iter().map(place).collect()
    }

    /// `[H][W][C]` of what the float graph sees as `[C][H][W]`.
    pub(super) fn image(channels: usize, height: usize, width: usize) -> Self {
        let cells = Axis {
            extent: height * width,
            stride: 1,
        };
        let channels = Axis {
            extent: channels,
            stride: height * width,
        };
        Self::new([cells, channels])
    }

    /// Whether this is the float graph's own order.
    pub(super) fn is_flat(&self) -> bool {
        match self.axes.as_slice() {
            [] => true,
            [axis] => axis.stride == 1,
            _ => false,
        }
    }

    /// For each element of the program's tensor, the element of the float graph's.
    pub(super) fn source(&self) -> Vec<usize> {
        let mut order = vec![0];
        for axis in &self.axes {
            order = order
                .iter()
                .flat_map(|&base| (0..axis.extent).map(move |i| base + i * axis.stride))
                .collect();
        }
        order
    }

    /// The axes, cut at the given strides where they cross them.
    fn cut(&self, strides: &[usize]) -> Option<Vec<Axis>> {
        let mut cut = Vec::new();
        for axis in self.axes.iter().rev() {
            let end = axis.stride * axis.extent;
            let mut from = axis.stride;
            let inside = strides.iter().filter(|&&s| axis.stride < s && s < end);
            for &to in inside.chain([&end]) {
                if !to.is_multiple_of(from) {
                    return None;
                }
                cut.push(Axis {
                    extent: to / from,
                    stride: from,
                });
                from = to;
            }
        }
        cut.reverse();
        Some(cut)
    }

    /// How to move a value of this layout into another one; `None` if no cut of the axes fits both.
    pub(super) fn permutation(&self, wanted: &Self) -> Option<Permutation> {
        let mut strides: Vec<usize> = self
            .axes
            .iter()
            .chain(&wanted.axes)
            .map(|a| a.stride)
            .collect();
        strides.sort_unstable();
        strides.dedup();
        let (from, to) = (self.cut(&strides)?, wanted.cut(&strides)?);
        let mut order = Vec::with_capacity(to.len());
        for axis in &to {
            order.push(from.iter().position(|other| other == axis)?);
        }
        if from.len() != to.len() {
            return None;
        }
        let extents: Vec<usize> = from.iter().map(|axis| axis.extent).collect();
        join_neighbours(&extents, &order)
    }

    /// The layout after a transposition of the float graph's axes; `None` if an axis of the
    /// program's tensor crosses one of `shape`.
    pub(super) fn transposed(&self, shape: &[usize], permutation: &[usize]) -> Option<Self> {
        let out_shape: Vec<usize> = permutation.iter().map(|&axis| shape[axis]).collect();
        let (strides, out_strides) = (strides(shape), strides(&out_shape));
        let mut turned = Vec::new();
        for (axis, from) in self.parts(shape)? {
            let to = permutation.iter().position(|&a| a == from)?;
            turned.push(Axis {
                extent: axis.extent,
                stride: out_strides[to] * (axis.stride / strides[from]),
            });
        }
        Some(Self::new(turned))
    }

    /// The float graph's shape as far as the axes tell it, and for each axis of the program's
    /// tensor its axis there.
    pub(super) fn ladder(&self) -> (Vec<usize>, Vec<usize>) {
        let mut sorted = self.axes.clone();
        sorted.sort_unstable_by_key(|axis| core::cmp::Reverse(axis.stride));
        let place = |axis: &Axis| sorted.iter().position(|other| other == axis).unwrap_or(0);
        (
            sorted.iter().map(|axis| axis.extent).collect(),
            self.axes.iter().map(place).collect(),
        )
    }
}

/// Row-major strides.
pub(super) fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for axis in (0..shape.len().saturating_sub(1)).rev() {
        strides[axis] = strides[axis + 1] * shape[axis + 1];
    }
    strides
}

/// A permutation of three axes or more as two: the first, of at most four axes, brings the last two of the
/// output next to each other, the second has one axis less than the whole.
pub(super) fn in_two(shape: &[usize], order: &[u8]) -> Option<[Permutation; 2]> {
    let order: Vec<usize> = order.iter().map(|&axis| usize::from(axis)).collect();
    let &[.., outer, inner] = order.as_slice() else {
        return None;
    };
    let others = (0..shape.len()).filter(|&axis| axis != inner);
    let behind = |axis: usize| [Some(axis), Some(inner).filter(|_| axis == outer)];
    let between: Vec<usize> = others.flat_map(behind).flatten().collect();
    let extents: Vec<usize> = between.iter().map(|&axis| shape[axis]).collect();
    let at = |&axis: &usize| between.iter().position(|&other| other == axis);
    let rest: Option<Vec<usize>> = order.iter().map(at).collect();
    let first = join_neighbours(shape, &between)?;
    Some([first, join_neighbours(&extents, &rest?)?])
}

/// Joins input axes that stay neighbours.
fn join_neighbours(from: &[usize], order: &[usize]) -> Option<Permutation> {
    let mut groups: Vec<(usize, usize)> = Vec::new(); // first input axis, count; in output order
    for &axis in order {
        match groups.last_mut() {
            Some((first, count)) if *first + *count == axis => *count += 1,
            Some(_) | None => groups.push((axis, 1)),
        }
    }
    let mut sorted = groups.clone();
    sorted.sort_unstable();
    let extent =
        |&(first, count): &(usize, usize)| from[first..first + count].iter().product::<usize>();
    let shape = sorted.iter().map(extent).collect();
    let place = |group| sorted.iter().position(|other| other == group);
    let order: Option<Vec<u8>> = groups
        .iter()
        .map(|group| u8::try_from(place(group)?).ok())
        .collect();
    Some((shape, order?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_interleaves_its_channels() {
        let layout = Layout::image(2, 1, 3);
        assert_eq!(layout.source(), [0, 3, 1, 4, 2, 5]);
        assert_eq!(layout.ladder(), (vec![2, 3], vec![1, 0]));
        assert_eq!(Layout::image(1, 5, 5), Layout::flat(25));
        assert!(Layout::image(7, 1, 1).is_flat());
    }

    #[test]
    fn a_channel_shuffle_moves_once_inside_the_rows() {
        // [6][2][2] seen as [2][3][2][2], turned to [3][2][2][2], seen as [6][2][2].
        let image = Layout::image(6, 2, 2);
        let turned = image.transposed(&[2, 3, 2, 2], &[1, 0, 2, 3]).unwrap();
        let (shape, order) = turned.permutation(&image).unwrap();
        assert_eq!((shape, order), (vec![4, 2, 3], vec![0, 2, 1]));
    }

    #[test]
    fn a_permutation_brings_each_element_to_its_place() {
        let shape = [4, 3, 5];
        for from in [Layout::flat(60), Layout::image(4, 3, 5)] {
            for to in [Layout::flat(60), Layout::image(4, 3, 5)] {
                let turned = from.transposed(&shape, &[2, 0, 1]).unwrap();
                let Some((extents, order)) = turned.permutation(&to) else {
                    continue;
                };
                let order: Vec<usize> = order.into_iter().map(usize::from).collect();
                let moved = crate::float::transposed_order(&extents, &order);
                let source = turned.source();
                let found: Vec<usize> = moved.iter().map(|&i| source[i]).collect();
                assert_eq!(found, to.source());
            }
        }
    }

    #[test]
    fn a_permutation_of_seven_axes_is_two_of_six_or_less() {
        let moved = |(shape, order): &Permutation, values: &[usize]| -> Vec<usize> {
            let order: Vec<usize> = order.iter().map(|&axis| axis.into()).collect();
            let source = crate::float::transposed_order(shape, &order);
            source.iter().map(|&at| values[at]).collect()
        };
        let shape = vec![2, 3, 1, 2, 3, 2, 2];
        let count: Vec<usize> = (0..shape.iter().product()).collect();
        for order in [
            [6, 4, 2, 0, 5, 3, 1],
            [1, 0, 3, 2, 5, 4, 6],
            [0, 2, 4, 6, 1, 3, 5],
        ] {
            let [first, second] = in_two(&shape, &order).unwrap();
            assert!(
                first.0.len() <= 4 && second.0.len() <= 6,
                "{first:?} {second:?}"
            );
            let whole = moved(&(shape.clone(), order.to_vec()), &count);
            assert_eq!(moved(&second, &moved(&first, &count)), whole);
        }
    }

    #[test]
    fn cuts_that_do_not_divide_fit_nothing() {
        let (six, eight) = (Layout::image(4, 2, 3), Layout::image(3, 2, 4));
        assert_eq!(six.permutation(&eight), None);
        assert!(six.permutation(&Layout::flat(24)).is_some());
    }
}

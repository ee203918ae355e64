//! Between the source model's order of elements and the program's, which stands channel last.
//!
//! ```text
//! same      program[i] = source[i]
//! planes    program[cell * planes + plane] = source[plane * cells + cell]     any rotation of axes
//! listed    program[i] = source[list[i]]
//! ```
//!
//! Spec: interface, 6.1.

use selfsame_ir::Layout;

/// Where each element of the program's tensor stands in the source's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Order {
    /// Both orders are one.
    Same,
    /// The leading axes of the source are the trailing ones of the program.
    Planes {
        /// Product of the source's leading extents.
        planes: usize,
    },
    /// Any other permutation: the source's index of each element of the program.
    Listed(Vec<usize>),
}

impl Order {
    /// The order of `layout` for a program's tensor of `elements` elements; a layout of another size
    /// says nothing, then both orders are taken for one.
    pub(crate) fn new(layout: &Layout, elements: usize) -> Self {
        if layout.elements() != elements as u64 {
            return Self::Same;
        }
        let extent = |axis: u8| {
            layout
                .shape
                .get(usize::from(axis))
                .map_or(1, |&e| e as usize)
        };
        // An axis of one cell changes no order.
        let axes: Vec<u8> = layout
            .axes
            .iter()
            .copied()
            .filter(|&axis| extent(axis) != 1)
            .collect();
        let mut sorted = axes.clone();
        sorted.sort_unstable();
        if axes == sorted {
            return Self::Same;
        }
        let turn = axes
            .iter()
            .position(|axis| Some(axis) == sorted.first())
            .unwrap_or(0);
        sorted.rotate_right(turn);
        if axes == sorted {
            let planes = axes[turn..].iter().map(|&axis| extent(axis)).product();
            return Self::Planes { planes };
        }
        Self::Listed(layout.source_indices().collect())
    }

    /// The source's index of the program's element `index`, of `elements`.
    pub(crate) fn source_of(&self, index: usize, elements: usize) -> usize {
        match self {
            Self::Same => index,
            Self::Planes { planes } => index % planes * (elements / planes) + index / planes,
            Self::Listed(list) => list[index],
        }
    }

    /// From the source's order into the program's.
    pub(crate) fn to_program<T: Copy>(&self, source: &[T], program: &mut [T]) {
        match self {
            Self::Same => program.copy_from_slice(source),
            Self::Planes { planes: 3 } => {
                // Pictures in colour, the most common of all: three bytes at once.
                let (first, rest) = source.split_at(source.len() / 3);
                let (second, third) = rest.split_at(rest.len() / 2);
                let pixels = program.as_chunks_mut::<3>().0.iter_mut();
                for (((to, &a), &b), &c) in pixels.zip(first).zip(second).zip(third) {
                    *to = [a, b, c];
                }
            }
            Self::Planes { planes } => {
                let cells = source.len() / planes;
                for (plane, values) in source.chunks_exact(cells.max(1)).enumerate() {
                    let places = program.iter_mut().skip(plane).step_by(*planes);
                    places.zip(values).for_each(|(to, &from)| *to = from);
                }
            }
            Self::Listed(list) => {
                for (to, &index) in program.iter_mut().zip(list) {
                    *to = source[index];
                }
            }
        }
    }

    /// Each of the program's elements, through `map`, into its place in the source's order.
    pub(crate) fn to_source<T: Copy, U>(
        &self,
        program: &[T],
        source: &mut [U],
        map: impl Fn(T) -> U,
    ) {
        match self {
            Self::Same => {
                for (to, &from) in source.iter_mut().zip(program) {
                    *to = map(from);
                }
            }
            Self::Planes { planes } => {
                let cells = program.len() / planes;
                for (plane, values) in source.chunks_exact_mut(cells.max(1)).enumerate() {
                    let from = program.iter().skip(plane).step_by(*planes);
                    values
                        .iter_mut()
                        .zip(from)
                        .for_each(|(to, &from)| *to = map(from));
                }
            }
            Self::Listed(list) => {
                for (&from, &index) in program.iter().zip(list) {
                    source[index] = map(from);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(shape: &[u32], axes: &[u8]) -> Layout {
        Layout {
            shape: shape.to_vec(),
            axes: axes.to_vec(),
        }
    }

    #[test]
    fn every_order_moves_elements_as_the_layout_lists_them() {
        let cases = [
            (layout(&[7], &[0]), true),
            (layout(&[1, 4, 4], &[1, 2, 0]), true),
            (layout(&[3, 4, 5], &[1, 2, 0]), true),
            (layout(&[3, 4, 5], &[2, 0, 1]), true),
            (layout(&[3, 1, 5], &[2, 1, 0]), true),
            (layout(&[3, 4, 5], &[2, 1, 0]), false),
            (layout(&[2, 3, 4, 5], &[0, 2, 3, 1]), false),
        ];
        for (layout, named) in cases {
            let elements = usize::try_from(layout.elements()).expect("small");
            let order = Order::new(&layout, elements);
            assert_eq!(!matches!(order, Order::Listed(_)), named, "{layout:?}");
            let source: Vec<usize> = (0..elements).collect();
            let mut program = vec![0; elements];
            order.to_program(&source, &mut program);
            let listed: Vec<usize> = layout.source_indices().collect();
            assert_eq!(program, listed, "{layout:?}");
            let each = (0..elements).map(|index| order.source_of(index, elements));
            assert!(each.eq(listed), "{layout:?}");
            let mut back = vec![0; elements];
            order.to_source(&program, &mut back, |value| value);
            assert_eq!(back, source, "{layout:?}");
        }
    }

    #[test]
    fn a_layout_of_another_size_says_nothing() {
        assert_eq!(Order::new(&layout(&[2, 3], &[1, 0]), 7), Order::Same);
    }
}

//! Growth: what of a model grows with an open dimension, for those models in which it is not simply
//! more rows at the end.
//!
//! Cosines and sines of places, masks and biases of distances are constants that at any value are the
//! corner of the one at the largest value. The program holds that one as the row of a table, and a move
//! cuts out the corner:
//!
//! ```text
//! c(value)[i][j] = c(maximum)[i][j]     for i, j < extents(value)
//! ```
//!
//! Where two axes of a tensor grow, no dimension of the format holds their product: what would lie over
//! such rows or columns is repeated by a move, and [`join`](super::symbols::join) cuts the node's columns.

use std::collections::BTreeMap;

use selfsame_ir::{Dim, Move, Op, Walk};

use super::emit::{Place, fit};
use super::error::CompileError;
use super::layout::{Layout, strides};
use super::program::Lowering;
use crate::float::{FloatGraph, FloatOp};

/// What differs between the values of a dimension: shapes and constants, by node.
#[derive(Debug)]
pub(crate) struct AtValue {
    shapes: Vec<Vec<usize>>,
    constants: BTreeMap<usize, Vec<f32>>,
}

/// What grows, by node.
#[derive(Debug, Default)]
pub(crate) struct Growth {
    /// For each axis whether it grows; nothing of a model of which that does not matter.
    axes: Vec<Vec<bool>>,
    /// Constants at the largest value of which smaller values have a corner.
    corners: BTreeMap<usize, Corner>,
}

#[derive(Debug)]
struct Corner {
    shape: Vec<usize>,
    values: Vec<f32>,
}

impl AtValue {
    pub(crate) fn of(graph: &FloatGraph) -> Self {
        let nodes = graph.nodes().iter();
        let constants = nodes.clone().enumerate().filter_map(|(index, node)| {
            let FloatOp::Constant(values) = &node.op else {
                return None;
            };
            Some((index, values.clone()))
        });
        Self {
            constants: constants.collect(),
            shapes: nodes.map(|node| node.shape.clone()).collect(),
        }
    }
}

impl Growth {
    /// What grows from the last to the first of a model's forms; `None` where that tells nothing.
    pub(crate) fn of(seen: &[AtValue]) -> Option<Self> {
        let (longest, others) = seen
            .split_first()
            .filter(|(_, others)| !others.is_empty())?;
        let mut axes: Vec<Vec<bool>> = longest
            .shapes
            .iter()
            .map(|s| vec![false; s.len()])
            .collect();
        for other in others {
            if other.shapes.len() != longest.shapes.len() {
                return None;
            }
            let pairs = longest.shapes.iter().zip(&other.shapes);
            for (axes, (all, part)) in axes.iter_mut().zip(pairs) {
                if all.len() != part.len() {
                    return None;
                }
                for (axis, (all, part)) in axes.iter_mut().zip(all.iter().zip(part)) {
                    *axis |= part < all;
                }
            }
        }
        let corner = |(&index, values): (&usize, &Vec<f32>)| {
            let shape = longest.shapes[index].clone();
            let whole = (shape.as_slice(), values.as_slice());
            let is_corner = |other: &AtValue| {
                let part = other.constants.get(&index);
                part.is_some_and(|part| is_corner((&other.shapes[index], part), whole))
            };
            let cut = axes[index].contains(&true) && others.iter().all(is_corner);
            let values = values.clone();
            cut.then_some((index, Corner { shape, values }))
        };
        let corners: BTreeMap<usize, Corner> =
            longest.constants.iter().filter_map(corner).collect();
        Some(Self { axes, corners })
    }

    /// Whether constant `index` is a corner of a larger one.
    pub(super) fn cuts(&self, index: usize) -> bool {
        self.corners.contains_key(&index)
    }

    /// Whether several of these axes of node `index` grow.
    pub(super) fn is_square(&self, index: usize, axes: impl Iterator<Item = usize>) -> bool {
        let grows = |axis: &usize| self.axes.get(index).is_some_and(|axes| axes[*axis]);
        axes.filter(grows).count() > 1
    }
}

/// Whether the first constant, a shape and its values, is the corner of the second one.
fn is_corner(part: (&[usize], &[f32]), whole: (&[usize], &[f32])) -> bool {
    let longer = |(part, all): (&usize, &usize)| part > all;
    if part.0.len() != whole.0.len() || part.0.iter().zip(whole.0).any(longer) {
        return false;
    }
    let axes = part.0.iter().copied().zip(strides(whole.0));
    let places = Layout::of_axes(axes).source();
    let same = |(&value, &place): (&f32, &usize)| value.to_bits() == whole.1[place].to_bits();
    part.1.iter().zip(&places).all(same)
}

/// Neighbouring axes that do not grow as one: the extents of the whole and of its corner.
fn extents(grows: &[bool], whole: &[usize], corner: &[usize]) -> Vec<(usize, usize)> {
    let mut extents: Vec<(usize, usize)> = Vec::new();
    let mut joins = false;
    for ((&grows, &all), &part) in grows.iter().zip(whole).zip(corner) {
        match extents.last_mut() {
            Some((last, corner)) if joins && !grows => {
                (*last, *corner) = (*last * all, *corner * part);
            }
            _ => extents.push((all, part)),
        }
        joins = !grows;
    }
    extents
}

impl Lowering<'_> {
    /// Constant `index` as a value of its own, if it is the corner of a longer one.
    pub(super) fn corner(&mut self, index: usize) -> Result<Option<Place>, CompileError> {
        let growth = &self.constants.growth;
        let Some(corner) = growth.corners.get(&index) else {
            return Ok(None);
        };
        let node = self.node(index);
        let (name, elements) = (node.name.clone(), node.elements());
        let extents = extents(&growth.axes[index], &corner.shape, &node.shape);
        let values = corner.values.clone();
        let whole = self.row(index, &values)?;
        let mut walks = Vec::with_capacity(extents.len());
        let mut shape = Vec::with_capacity(extents.len());
        for (at, &(all, part)) in extents.iter().enumerate() {
            walks.push(Walk::along(fit(&name, at)?, Dim::fixed(fit(&name, part)?)));
            shape.push(Dim::fixed(fit(&name, all)?));
        }
        let op = Op::Move(Move {
            walks,
            shape,
            fill: 0,
        });
        let place = (Layout::flat(elements), whole.dtype, whole.step);
        let moved = self
            .emitter
            .push(&name, op, vec![whole.node], place, Some(index))?;
        Ok(Some(moved))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_value(nodes: &[(&[usize], Option<&[f32]>)]) -> AtValue {
        let constants = nodes.iter().enumerate();
        AtValue {
            shapes: nodes.iter().map(|(shape, _)| shape.to_vec()).collect(),
            constants: constants
                .filter_map(|(index, (_, values))| Some((index, values.as_ref()?.to_vec())))
                .collect(),
        }
    }

    #[test]
    fn what_is_cut_along_some_axes_alone_is_a_corner() {
        let square: &[f32] = &[1.0, 2.0, 3.0, 4.0];
        let longest = at_value(&[
            (&[2, 2], None),
            (&[2, 2], Some(square)),
            (&[2, 2], Some(square)),
            (&[2], Some(&[1.0, 2.0])),
        ]);
        let shorter = at_value(&[
            (&[1, 1], None),
            (&[2, 1], Some(&[1.0, 3.0])),
            (&[2, 1], Some(&[1.0, 2.0])),
            (&[2], Some(&[1.0, 2.0])),
        ]);
        let growth = Growth::of(&[longest, shorter]).unwrap();
        let found: Vec<usize> = growth.corners.keys().copied().collect();
        assert_eq!(found, [1], "2 is no corner and 3 does not grow");
        assert_eq!(growth.axes[1], [false, true]);
        assert!(growth.is_square(0, 0..2) && !growth.is_square(1, 0..2));
    }

    #[test]
    fn forms_of_other_lengths_have_no_growth() {
        let longest = at_value(&[(&[2], None), (&[2], None)]);
        assert!(Growth::of(&[longest, at_value(&[(&[1], None)])]).is_none());
    }

    #[test]
    fn axes_that_do_not_grow_become_one() {
        let grows = [false, false, true, true, false];
        let found = extents(&grows, &[2, 3, 4, 5, 1], &[2, 3, 2, 3, 1]);
        assert_eq!(found, [(6, 6), (4, 2), (5, 3), (1, 1)]);
    }
}

//! A dense node whose output is only read in parts becomes one dense node for each part.
//!
//! ```text
//! dense [T][3 H D] -> reshape [T][3][H][D] -> transpose [3][H][T][D] -> walk to one of the three
//! = dense [T][H D] -> reshape [T][1][H][D] -> transpose [1][H][T][D]
//! ```
//!
//! That is how fused query, key and value projections are spelled.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::{FloatGraph, FloatNode, FloatOp, Linear};
use super::walk::AxisWalk;

/// A walk that picks cells of one axis of a value that views lead to from a dense node.
struct Cut {
    walk: usize,
    dense: usize,
    /// The views from the dense node down to the walk.
    views: Vec<usize>,
    /// For the dense node and behind each view: the axis and how many of its cells are left.
    kept: Vec<(usize, usize)>,
    /// Outputs of the dense node that are left.
    outputs: Vec<usize>,
}

impl FloatGraph {
    /// Cuts dense nodes; what nobody reads any more stays until it is dropped.
    pub(super) fn cut_dense(&mut self) {
        let cuts = (0..self.nodes.len()).filter_map(|walk| self.cut(walk));
        let mut by_dense = BTreeMap::<usize, Vec<Cut>>::new();
        for cut in cuts {
            by_dense.entry(cut.dense).or_default().push(cut);
        }
        let readers = self.readers();
        let whole = by_dense
            .values()
            .filter(|cuts| self.is_cut_apart(cuts, &readers));
        let made = whole.flatten().map(|cut| (cut.walk, self.cut_nodes(cut)));
        let made: BTreeMap<usize, Vec<FloatNode>> = made.collect();
        self.replace(made);
    }

    /// Whether all who read a dense node, and the views of it, do so through its cuts, and no
    /// output is made twice.
    fn is_cut_apart(&self, cuts: &[Cut], readers: &[usize]) -> bool {
        let Some(FloatOp::Dense(linear)) = cuts.first().map(|cut| &self.nodes[cut.dense].op) else {
            return false;
        };
        // For the dense node and each view, who reads it on the way to a walk.
        let mut below = BTreeMap::<usize, BTreeSet<usize>>::new();
        for cut in cuts {
            let mut at = cut.dense;
            for &next in cut.views.iter().chain([&cut.walk]) {
                below.entry(at).or_default().insert(next);
                at = next;
            }
        }
        let made: usize = cuts.iter().map(|cut| cut.outputs.len()).sum();
        let alone = below
            .iter()
            .all(|(&node, below)| readers[node] == below.len());
        alone && made <= linear.outputs
    }

    /// The cut that node `walk` is, if it is one.
    fn cut(&self, walk: usize) -> Option<Cut> {
        let FloatOp::Walk(walks, _) = &self.nodes[walk].op else {
            return None;
        };
        let mut at = self.nodes[walk].inputs[0];
        let (mut axis, mut picks) = picked_cells(walks, &self.nodes[at].shape)?;
        let (mut views, mut kept) = (Vec::new(), vec![(axis, picks.len())]);
        loop {
            let node = &self.nodes[at];
            if matches!(node.op, FloatOp::Dense(_)) {
                if axis + 1 == node.shape.len() {
                    break;
                }
                return None;
            }
            if let FloatOp::Transpose(perm) = &node.op {
                axis = perm[axis];
            } else if matches!(node.op, FloatOp::Reshape) {
                let source = &self.nodes[node.inputs[0]].shape;
                (axis, picks) = before_reshape(source, &node.shape, axis, &picks)?;
            } else {
                return None;
            }
            views.push(at);
            kept.push((axis, picks.len()));
            at = node.inputs[0];
        }
        views.reverse();
        kept.reverse();
        Some(Cut {
            walk,
            dense: at,
            views,
            kept,
            outputs: picks,
        })
    }

    /// The dense node and the views of one cut; the last one takes the walk's place.
    fn cut_nodes(&self, cut: &Cut) -> Vec<FloatNode> {
        let FloatOp::Dense(linear) = &self.nodes[cut.dense].op else {
            return Vec::new();
        };
        let terms = linear.row_len();
        let rows = cut.outputs.iter();
        let part = Linear {
            outputs: cut.outputs.len(),
            weights: rows
                .clone()
                .flat_map(|&o| linear.weights[o * terms..][..terms].iter().copied())
                .collect(),
            bias: rows.map(|&o| linear.bias[o]).collect(),
        };
        let shape = |index: usize, (axis, extent): (usize, usize)| {
            let mut shape = self.nodes[index].shape.clone();
            shape[axis] = extent;
            shape
        };
        let name = &self.nodes[cut.walk].name;
        let mut nodes = vec![FloatNode {
            name: name.clone(),
            op: FloatOp::Dense(part),
            inputs: self.nodes[cut.dense].inputs.clone(),
            shape: shape(cut.dense, cut.kept[0]),
        }];
        for (&view, &kept) in cut.views.iter().zip(&cut.kept[1..]) {
            nodes.push(FloatNode {
                name: name.clone(),
                op: self.nodes[view].op.clone(),
                inputs: Vec::new(),
                shape: shape(view, kept),
            });
        }
        nodes
    }

    /// Puts chains of nodes in the place of single ones.
    fn replace(&mut self, mut made: BTreeMap<usize, Vec<FloatNode>>) {
        let mut renumbered = Vec::with_capacity(self.nodes.len());
        let mut nodes: Vec<FloatNode> = Vec::with_capacity(self.nodes.len());
        for (index, mut node) in core::mem::take(&mut self.nodes).into_iter().enumerate() {
            match made.remove(&index) {
                None => {
                    let inputs = node.inputs.iter_mut();
                    inputs.for_each(|input| *input = renumbered[*input]);
                    nodes.push(node);
                }
                Some(chain) => {
                    for mut part in chain {
                        if part.inputs.is_empty() {
                            part.inputs = vec![nodes.len() - 1];
                        } else {
                            let inputs = part.inputs.iter_mut();
                            inputs.for_each(|input| *input = renumbered[*input]);
                        }
                        nodes.push(part);
                    }
                }
            }
            renumbered.push(nodes.len() - 1);
        }
        self.renumber(nodes, &renumbered);
    }
}

/// The only axis that walks pick from, and its cells; all must lie inside.
fn picked_cells(walks: &[AxisWalk], shape: &[usize]) -> Option<(usize, Vec<usize>)> {
    let moves = |axis: &usize| walks[*axis] != AxisWalk::whole(shape[*axis]);
    let mut moved = (0..walks.len()).filter(moves);
    let axis = moved.next()?;
    let walk = &walks[axis];
    if moved.next().is_some() || walk.numerator <= 0 {
        return None;
    }
    let cells = (0..walk.extent).map(|at| walk.index(at, shape[axis]));
    let cells: Option<Vec<usize>> = cells.collect();
    cells.map(|cells| (axis, cells))
}

/// The axis of the source that axis `axis` of the target is a factor of, and its cells where the
/// factor is one of `picks`.
fn before_reshape(
    source: &[usize],
    target: &[usize],
    axis: usize,
    picks: &[usize],
) -> Option<(usize, Vec<usize>)> {
    let product = |shape: &[usize]| shape.iter().product::<usize>();
    let ranges =
        || (0..=axis).flat_map(|first| (axis..target.len()).map(move |last| (first, last)));
    (0..source.len()).find_map(|from| {
        let front = product(&source[..from]);
        let fits = |&(first, last): &(usize, usize)| {
            product(&target[..first]) == front && product(&target[first..=last]) == source[from]
        };
        let (_, last) = ranges().find(fits)?;
        let inner = product(&target[axis + 1..=last]);
        let is_picked = |cell: &usize| picks.contains(&(cell / inner % target[axis]));
        Some((from, (0..source[from]).filter(is_picked).collect()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_of_a_split_axis_is_a_set_of_its_cells() {
        let (axis, cells) = before_reshape(&[5, 12], &[5, 3, 2, 2], 1, &[1]).unwrap();
        assert_eq!((axis, cells), (1, vec![4, 5, 6, 7]));
        let (axis, cells) = before_reshape(&[5, 12], &[5, 3, 2, 2], 2, &[0]).unwrap();
        assert_eq!((axis, cells), (1, vec![0, 1, 4, 5, 8, 9]));
        assert!(before_reshape(&[5, 12], &[10, 6], 1, &[0]).is_none());
    }
}

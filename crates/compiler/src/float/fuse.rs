//! Rewrites that keep the function: affine maps go into weights, clamps go in front of views.
//!
//! ```text
//! affine(linear(x))   = linear'(x)           BatchNorm folding
//! linear(affine(x))   = linear'(x)           unless padding would see the shift
//! affine(x)           = depthwise 1x1 conv   what is left
//! clip(view(x))       = view(clip(x))        view, transposition, max pool
//! ```

use selfsame_protocol::constants::TILE_BYTES;

use super::affine::unpadded;
use super::graph::{FloatGraph, FloatNode, FloatOp, Linear};
use super::walk::AxisWalk;
use super::window::{EXTENT_MAX, Window2};

/// Most cells of one pool's window, each in a tile of its own.
const POOL_CELLS_MAX: usize = 64;

impl FloatGraph {
    /// The same function without affine nodes, with clamps next to what makes their input.
    #[must_use]
    pub fn fuse(mut self) -> Self {
        self.join_pairs();
        self.drop_unread();
        self.recognise();
        self.drop_unread();
        self.mask_last();
        self.drop_unread();
        while self.fold_affine() || self.fold_summands() || self.fold_scalars() {
            self.drop_unread();
        }
        self.cut_dense();
        self.drop_unread();
        // Each pass removes at least one node or moves one clamp up: the number of passes is
        // bounded by the sum of the nodes' depths.
        while self.fold_affine()
            || self.fold_scalars()
            || self.raise_clips()
            || self.compose()
            || self.fold_pads()
            || self.join_walks()
        {
            self.drop_unread();
        }
        self.spell_out_affine();
        self.split_long_pools();
        self.split_wide_convs();
        self.drop_unread();
        self
    }

    /// Everyone who reads `index` reads `input` instead.
    pub(super) fn bypass(&mut self, index: usize, input: usize) {
        for node in &mut self.nodes[index + 1..] {
            for read in node.inputs.iter_mut().filter(|read| **read == index) {
                *read = input;
            }
        }
        for output in self
            .outputs
            .iter_mut()
            .filter(|output| output.node == index)
        {
            output.node = input;
        }
        if let Some(hint) = self.hints.remove(&index) {
            self.hints.insert(input, hint);
        }
    }

    /// Puts `nodes` in the place of the nodes; node `i` was and is `renumbered[i]`.
    pub(super) fn renumber(&mut self, nodes: Vec<FloatNode>, renumbered: &[usize]) {
        self.nodes = nodes;
        for output in &mut self.outputs {
            output.node = renumbered[output.node];
        }
        let hints = core::mem::take(&mut self.hints).into_iter();
        self.hints = hints.map(|(node, hint)| (renumbered[node], hint)).collect();
    }

    /// Swaps clamps and tables with the views and maximum pools in front of them.
    fn raise_clips(&mut self) -> bool {
        let mut changed = false;
        let readers = self.readers();
        for index in 1..self.nodes.len() {
            let Some(&input) = self.nodes[index].inputs.first() else {
                continue;
            };
            if readers[input] == 1 && commutes(&self.nodes[index].op, &self.nodes[input].op) {
                let source = self.nodes[input].inputs[0];
                let source_shape = self.nodes[source].shape.clone();
                let (before, rest) = self.nodes.split_at_mut(index);
                core::mem::swap(&mut before[input].op, &mut rest[0].op);
                core::mem::swap(&mut before[input].name, &mut rest[0].name);
                before[input].shape = source_shape;
                changed = true;
            }
        }
        changed
    }

    /// Puts zeros around an image into the pads of the only convolution that reads it.
    fn fold_pads(&mut self) -> bool {
        let mut changed = false;
        let readers = self.readers();
        for index in 1..self.nodes.len() {
            let Some(&input) = self.nodes[index].inputs.first() else {
                continue;
            };
            let (before, rest) = self.nodes.split_at_mut(index);
            let (walk, conv) = (&before[input], &mut rest[0]);
            let (FloatOp::Walk(walks, fill), FloatOp::Conv(_, window, _)) =
                (&walk.op, &mut conv.op)
            else {
                continue;
            };
            let source = walk.inputs[0];
            let shape = &before[source].shape;
            let pads = walks.iter().zip(shape).map(|(w, &extent)| w.pads(extent));
            let pads: Option<Vec<[usize; 2]>> = pads.collect();
            let Some([[0, 0], rows, columns]) = pads.as_deref() else {
                continue;
            };
            let sides = [rows, columns];
            let fits = (0..2).all(|axis| {
                window.pads_begin[axis] + sides[axis][0] <= EXTENT_MAX
                    && window.pads_end[axis] + sides[axis][1] <= EXTENT_MAX
            });
            if readers[input] == 1 && fill.to_bits() == 0 && fits {
                for (axis, side) in sides.iter().enumerate() {
                    window.pads_begin[axis] += side[0];
                    window.pads_end[axis] += side[1];
                }
                conv.inputs[0] = source;
                changed = true;
            }
        }
        changed
    }

    /// A walk over a walk that leaves nothing out of it is one walk.
    fn join_walks(&mut self) -> bool {
        let mut changed = false;
        for index in 1..self.nodes.len() {
            let Some(&input) = self.nodes[index].inputs.first() else {
                continue;
            };
            let (before, rest) = self.nodes.split_at_mut(index);
            let (first, second) = (&before[input], &mut rest[0]);
            let (FloatOp::Walk(inner, fill), FloatOp::Walk(outer, other)) = (&first.op, &second.op)
            else {
                continue;
            };
            let joined = outer.iter().zip(inner).zip(&first.shape);
            let joined = joined.map(|((outer, inner), &extent)| outer.after(inner, extent));
            let joined: Option<Vec<AxisWalk>> = joined.collect();
            // Outside of the outer walk its own fill stands; with one fill for both it does not matter which.
            if let (Some(joined), true) = (joined, fill.to_bits() == other.to_bits()) {
                second.op = FloatOp::Walk(joined, *fill);
                second.inputs[0] = first.inputs[0];
                changed = true;
            }
        }
        changed
    }

    /// A pool over more cells than one step may open becomes a pool of pools.
    fn split_long_pools(&mut self) {
        let mut renumbered = Vec::with_capacity(self.nodes.len());
        let mut nodes: Vec<FloatNode> = Vec::with_capacity(self.nodes.len());
        for mut node in core::mem::take(&mut self.nodes) {
            node.inputs
                .iter_mut()
                .for_each(|input| *input = renumbered[*input]);
            if let Some((first, second)) = split_pool(&node, &nodes) {
                nodes.push(first);
                node.inputs = vec![nodes.len() - 1];
                node.op = second;
            }
            renumbered.push(nodes.len());
            nodes.push(node);
        }
        self.renumber(nodes, &renumbered);
    }

    /// Turns the affine nodes of images that are left into depthwise convolutions.
    fn spell_out_affine(&mut self) {
        if self.is_of_rows() {
            return;
        }
        for node in &mut self.nodes {
            let FloatOp::Affine { axis, scale, shift } = &node.op else {
                continue;
            };
            if *axis == 0 && node.shape.len() == 3 && !node.op.is_rescaling() {
                let linear = Linear {
                    outputs: scale.len(),
                    weights: scale.clone(),
                    bias: shift.clone(),
                };
                node.op = FloatOp::Conv(linear, Window2::whole(1, 1), scale.len());
            }
        }
    }

    /// Whether the network works on rows: attention, norms of rows, embeddings. A vector of length 1 as the
    /// answer does not make it so.
    pub(crate) fn is_of_rows(&self) -> bool {
        let mut nodes = self.nodes.iter().enumerate();
        nodes.any(|(index, node)| match node.op {
            FloatOp::Normalize { center, .. } => center || self.has_linear_behind(index),
            FloatOp::Softmax | FloatOp::Product { .. } | FloatOp::Embedding { .. } => true,
            FloatOp::Input
            | FloatOp::Constant(_)
            | FloatOp::Dense(_)
            | FloatOp::Conv(..)
            | FloatOp::Affine { .. }
            | FloatOp::Add
            | FloatOp::Clip(..)
            | FloatOp::Function(_)
            | FloatOp::Pair(..)
            | FloatOp::Plane(_)
            | FloatOp::Concat(_)
            | FloatOp::Walk(..)
            | FloatOp::MaxPool(_)
            | FloatOp::AvgPool(_)
            | FloatOp::Reduce(_)
            | FloatOp::ArgMax
            | FloatOp::Reshape
            | FloatOp::Transpose(_) => false,
        })
    }

    /// Whether a dense node, a convolution or a product reads node `index`, through others too.
    pub(super) fn has_linear_behind(&self, index: usize) -> bool {
        let mut behind = vec![false; self.nodes.len()];
        behind[index] = true;
        for (at, node) in self.nodes.iter().enumerate().skip(index + 1) {
            behind[at] = node.inputs.iter().any(|&input| behind[input]);
            let is_linear = matches!(
                node.op,
                FloatOp::Dense(_) | FloatOp::Conv(..) | FloatOp::Product { .. }
            );
            if behind[at] && is_linear {
                return true;
            }
        }
        false
    }
}

/// Two pools that are one whose windows of more than `POOL_CELLS_MAX` cells lie side by side.
fn split_pool(node: &FloatNode, nodes: &[FloatNode]) -> Option<(FloatNode, FloatOp)> {
    let (window, is_mean) = match &node.op {
        FloatOp::AvgPool(window) => (*window, true),
        FloatOp::MaxPool(window) => (*window, false),
        FloatOp::Input
        | FloatOp::Constant(_)
        | FloatOp::Product { .. }
        | FloatOp::Softmax
        | FloatOp::Normalize { .. }
        | FloatOp::Reduce(_)
        | FloatOp::ArgMax
        | FloatOp::Embedding { .. }
        | FloatOp::Dense(_)
        | FloatOp::Conv(..)
        | FloatOp::Affine { .. }
        | FloatOp::Add
        | FloatOp::Pair(..)
        | FloatOp::Plane(_)
        | FloatOp::Concat(_)
        | FloatOp::Walk(..)
        | FloatOp::Clip(..)
        | FloatOp::Function(_)
        | FloatOp::Reshape
        | FloatOp::Transpose(_) => return None,
    };
    let [height, width] = window.kernel;
    let &[channels, h, w] = nodes[node.inputs[0]].shape.as_slice() else {
        return None;
    };
    let tiles = |cells: usize| (cells * channels).div_ceil(TILE_BYTES as usize);
    let opened = |window: usize, cells: usize| window.min(tiles(cells));
    let apart = window.strides == window.kernel || window == Window2::whole(h, w);
    if !apart || !unpadded(&window) || opened(height * width, h * w) <= POOL_CELLS_MAX {
        return None;
    }
    let divisors = |n: usize| (1..=n).filter(move |d| n.is_multiple_of(*d));
    // The largest first window of at most 64 cells whose second one is short enough.
    let part = divisors(height)
        .flat_map(|a| divisors(width).map(move |b| [a, b]))
        .filter(|[a, b]| a * b <= POOL_CELLS_MAX)
        .filter(|[a, b]| opened(height / a * (width / b), h / a * (w / b)) <= POOL_CELLS_MAX)
        .max_by_key(|[a, b]| a * b);
    let (first, kernel) = match part {
        Some(part) => {
            let kernel = [height / part[0], width / part[1]];
            (side_by_side(part), kernel)
        }
        // A maximum may count a cell twice.
        None if !is_mean && window.kernel == [h, w] => overlapping(h, w)?,
        None => return None,
    };
    let second = side_by_side(kernel);
    let pooled = [(0, h), (1, w)].map(|(axis, extent)| first.output(axis, extent));
    let pooled = vec![channels, pooled[0]?, pooled[1]?];
    let op = |window| {
        if is_mean {
            FloatOp::AvgPool(window)
        } else {
            FloatOp::MaxPool(window)
        }
    };
    let first = FloatNode {
        name: node.name.clone(),
        op: op(first),
        inputs: node.inputs.clone(),
        shape: pooled,
    };
    Some((first, op(second)))
}

/// Windows without cells between them or in common.
fn side_by_side(kernel: [usize; 2]) -> Window2 {
    Window2 {
        strides: kernel,
        ..Window2::whole(kernel[0], kernel[1])
    }
}

/// Windows that cover a picture of `h` by `w` cells and overlap, and how many of them: the fewest cells that are read
/// twice, among those of at most `POOL_CELLS_MAX` cells whose number is no larger.
fn overlapping(h: usize, w: usize) -> Option<(Window2, [usize; 2])> {
    // `count` windows at distances of `stride`, the last one up to the end.
    let covers = |extent: usize| {
        let count = 1..=extent.min(POOL_CELLS_MAX);
        count.map(move |count| {
            let stride = extent / count;
            (extent - (count - 1) * stride, stride, count)
        })
    };
    let pairs = covers(h).flat_map(|row| covers(w).map(move |column| (row, column)));
    let ((a, down, rows), (b, right, columns)) = pairs
        .filter(|((a, _, rows), (b, _, columns))| {
            a * b <= POOL_CELLS_MAX && rows * columns <= POOL_CELLS_MAX
        })
        .min_by_key(|((a, _, rows), (b, _, columns))| a * b * rows * columns)?;
    let window = Window2 {
        strides: [down, right],
        ..Window2::whole(a, b)
    };
    Some((window, [rows, columns]))
}

/// Whether `second` (a clamp or function) behind `first` (a view or pool) may go in front of it.
fn commutes(second: &FloatOp, first: &FloatOp) -> bool {
    let (elementwise, monotone) = match second {
        FloatOp::Clip(..) => (true, true),
        FloatOp::Function(f) => (true, f.is_monotone()),
        FloatOp::Input
        | FloatOp::Constant(_)
        | FloatOp::Product { .. }
        | FloatOp::Softmax
        | FloatOp::Normalize { .. }
        | FloatOp::Reduce(_)
        | FloatOp::ArgMax
        | FloatOp::Embedding { .. }
        | FloatOp::Dense(_)
        | FloatOp::Conv(..)
        | FloatOp::Affine { .. }
        | FloatOp::Add
        | FloatOp::Pair(..)
        | FloatOp::Plane(_)
        | FloatOp::Concat(_)
        | FloatOp::Walk(..)
        | FloatOp::MaxPool(_)
        | FloatOp::AvgPool(_)
        | FloatOp::Reshape
        | FloatOp::Transpose(_) => (false, false),
    };
    let is_view = matches!(first, FloatOp::Reshape | FloatOp::Transpose(_));
    (elementwise && is_view) || (monotone && matches!(first, FloatOp::MaxPool(_)))
}

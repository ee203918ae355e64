//! A convolution whose step would read more than a program allows becomes a sum of convolutions.
//!
//! ```text
//! conv(x, w) + b = (conv(x[0..c], w[.., 0..c]) + b) + conv(x[c..2c], w[.., c..2c]) + ..
//! ```
//!
//! Those behind the encoders of segmentation models are so: 2,048 channels, or wide gaps between the
//! cells, all of which a step opens.

use selfsame_protocol::constants::{OPENED_BYTES_MAX, TERMS_MAX, TILE_BYTES};

use super::graph::{FloatGraph, FloatNode, FloatOp, Linear};
use super::walk::AxisWalk;
use super::window::Window2;

/// Tiles that a step opens besides the image and the weights: constants, addend, table.
const OTHER_TILES: usize = 3;

impl FloatGraph {
    /// Splits such convolutions by the channels that they read.
    pub(super) fn split_wide_convs(&mut self) {
        let mut renumbered = Vec::with_capacity(self.nodes.len());
        let mut nodes: Vec<FloatNode> = Vec::with_capacity(self.nodes.len());
        for mut node in core::mem::take(&mut self.nodes) {
            node.inputs
                .iter_mut()
                .for_each(|input| *input = renumbered[*input]);
            match parts_of(&node, &nodes) {
                None => nodes.push(node),
                Some(parts) => push_parts(&node, parts, &mut nodes),
            }
            renumbered.push(nodes.len() - 1);
        }
        self.renumber(nodes, &renumbered);
    }
}

/// Into how many parts a node is split, if it is and can be.
fn parts_of(node: &FloatNode, nodes: &[FloatNode]) -> Option<usize> {
    let FloatOp::Conv(linear, window, 1) = &node.op else {
        return None;
    };
    let &[channels, height, width] = nodes[node.inputs[0]].shape.as_slice() else {
        return None;
    };
    let cells = linear.row_len() / channels.max(1);
    let fits = |parts: &usize| {
        let part = channels.div_ceil(*parts);
        part * cells <= TERMS_MAX as usize
            && opened(window, part, [height, width]) <= OPENED_BYTES_MAX as usize
    };
    (1..=channels).find(fits).filter(|&parts| parts > 1)
}

/// Bytes that a step of a convolution of int8 opens at most.
fn opened(window: &Window2, channels: usize, [height, width]: [usize; 2]) -> usize {
    let tile = TILE_BYTES as usize;
    let image = (height * width * channels).div_ceil(tile);
    let run = |bytes: usize| (bytes + tile - 2) / tile + 1;
    let rows = window.kernel[0] * run(window.span(1) * channels).min(image);
    let weights = run(window.kernel[0] * window.kernel[1] * channels);
    (rows.min(image) + weights + OTHER_TILES) * tile
}

/// Adds the parts of a convolution and their sums.
fn push_parts(node: &FloatNode, parts: usize, nodes: &mut Vec<FloatNode>) {
    let FloatOp::Conv(linear, window, _) = &node.op else {
        unreachable!("the caller matched")
    };
    let source = node.inputs[0];
    let image = nodes[source].shape.clone();
    let mut push = |op: FloatOp, inputs: Vec<usize>, shape: &[usize]| {
        nodes.push(FloatNode {
            name: node.name.clone(),
            op,
            inputs,
            shape: shape.to_vec(),
        });
        nodes.len() - 1
    };
    let mut sum = None;
    for part in 0..parts {
        let channels = part * image[0] / parts..(part + 1) * image[0] / parts;
        let shape = [channels.len(), image[1], image[2]];
        let mut walks: Vec<AxisWalk> = shape.map(AxisWalk::whole).to_vec();
        walks[0].offset = i64::try_from(channels.start).unwrap_or(i64::MAX);
        let cut = push(FloatOp::Walk(walks, 0.0), vec![source], &shape);
        let conv = FloatOp::Conv(reading(linear, image[0], channels), *window, 1);
        let conv = push(conv, vec![cut], &node.shape);
        sum = Some(match sum {
            None => conv,
            Some(sum) => push(FloatOp::Add, vec![conv, sum], &node.shape),
        });
    }
}

/// The weights that read some of `all` channels; the bias goes with the first of them.
fn reading(linear: &Linear, all: usize, channels: core::ops::Range<usize>) -> Linear {
    let cells = linear.row_len() / all;
    let rows = linear.weights.chunks_exact(all * cells);
    let part = channels.start * cells..channels.end * cells;
    Linear {
        outputs: linear.outputs,
        weights: rows.flat_map(|row| row[part.clone()].to_vec()).collect(),
        bias: if channels.start == 0 {
            linear.bias.clone()
        } else {
            vec![0.0; linear.outputs]
        },
    }
}

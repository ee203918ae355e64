//! Rewrites that keep the function: affine maps go into weights, clamps go in front of views.
//!
//! ```text
//! affine(linear(x))   = linear'(x)           BatchNorm folding
//! linear(affine(x))   = linear'(x)           unless padding would see the shift
//! affine(x)           = depthwise 1x1 conv   what is left
//! clip(view(x))       = view(clip(x))        view, transposition, max pool
//! ```

use super::graph::{FloatGraph, FloatNode, FloatOp, Linear};
use super::window::Window2;

impl FloatGraph {
    /// The same function without affine nodes, with clamps next to what makes their input.
    #[must_use]
    pub fn fuse(mut self) -> Self {
        // Each pass removes at least one node or moves one clamp up: the number of passes is
        // bounded by the sum of the nodes' depths.
        while self.fold_affine() || self.raise_clips() {
            self.drop_unread();
        }
        self.spell_out_affine();
        self.drop_unread();
        self
    }

    /// Folds each affine node into the linear node before or behind it.
    fn fold_affine(&mut self) -> bool {
        let mut changed = false;
        let mut readers = self.readers();
        for index in 1..self.nodes.len() {
            let input = self.nodes[index].inputs[0];
            if readers[input] != 1 {
                continue;
            }
            let (before, rest) = self.nodes.split_at_mut(index);
            let (first, second) = (&mut before[input], &mut rest[0]);
            let folded = fold_pair(first, second);
            if folded {
                first.name.clone_from(&second.name);
                second.op = FloatOp::Reshape;
                self.bypass(index, input);
                readers[input] = readers[index];
                changed = true;
            }
        }
        changed
    }

    /// Everyone who reads `index` reads `input` instead.
    fn bypass(&mut self, index: usize, input: usize) {
        for node in &mut self.nodes[index + 1..] {
            for read in node.inputs.iter_mut().filter(|read| **read == index) {
                *read = input;
            }
        }
        if self.output == index {
            self.output = input;
        }
    }

    /// Swaps clamps and tables with the views and maximum pools in front of them.
    fn raise_clips(&mut self) -> bool {
        let mut changed = false;
        let readers = self.readers();
        for index in 1..self.nodes.len() {
            let input = self.nodes[index].inputs[0];
            let monotone = matches!(
                self.nodes[index].op,
                FloatOp::Clip(..) | FloatOp::Sigmoid | FloatOp::Tanh
            );
            let movable = matches!(
                self.nodes[input].op,
                FloatOp::Reshape | FloatOp::Transpose(_) | FloatOp::MaxPool(_)
            );
            if monotone && movable && readers[input] == 1 {
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

    /// Turns the affine nodes that are left into depthwise convolutions.
    fn spell_out_affine(&mut self) {
        let mut renumbered = Vec::with_capacity(self.nodes.len());
        let mut nodes: Vec<FloatNode> = Vec::with_capacity(self.nodes.len());
        for mut node in core::mem::take(&mut self.nodes) {
            node.inputs
                .iter_mut()
                .for_each(|input| *input = renumbered[*input]);
            let FloatOp::Affine { axis, scale, shift } = node.op else {
                renumbered.push(nodes.len());
                nodes.push(node);
                continue;
            };
            // As an image [C][outer... is 1][inner]: only the channel axis may stand in front.
            let shape = node.shape;
            let channels = scale.len();
            let inner: usize = shape[axis + 1..].iter().product();
            let outer: usize = shape[..axis].iter().product();
            let (image, groups) = ([channels * outer, 1, inner], channels * outer);
            let repeat = |values: &[f32]| -> Vec<f32> {
                values.iter().copied().cycle().take(groups).collect()
            };
            let linear = Linear {
                outputs: groups,
                weights: repeat(&scale),
                bias: repeat(&shift),
            };
            let mut push = |op, inputs, shape: &[usize]| {
                nodes.push(FloatNode {
                    name: node.name.clone(),
                    op,
                    inputs,
                    shape: shape.to_vec(),
                });
                nodes.len() - 1
            };
            let view = push(FloatOp::Reshape, node.inputs, &image);
            let conv = push(
                FloatOp::Conv(linear, Window2::whole(1, 1), groups),
                vec![view],
                &image,
            );
            renumbered.push(push(FloatOp::Reshape, vec![conv], &shape));
        }
        self.nodes = nodes;
        self.output = renumbered[self.output];
    }
}

/// Folds `second`, the only reader of `first`, into it, if one of them is affine.
fn fold_pair(first: &mut FloatNode, second: &mut FloatNode) -> bool {
    match (&mut first.op, &mut second.op) {
        (FloatOp::Dense(linear), FloatOp::Affine { axis, scale, shift })
            if *axis + 1 == second.shape.len() =>
        {
            scale_outputs(linear, scale, shift);
            true
        }
        (
            FloatOp::Conv(linear, ..),
            FloatOp::Affine {
                axis: 0,
                scale,
                shift,
            },
        ) => {
            scale_outputs(linear, scale, shift);
            true
        }
        (
            FloatOp::Affine {
                axis: first_axis,
                scale: s1,
                shift: t1,
            },
            FloatOp::Affine {
                axis,
                scale: s2,
                shift: t2,
            },
        ) if first_axis == axis => {
            for c in 0..s1.len() {
                t1[c] = t1[c] * s2[c] + t2[c];
                s1[c] *= s2[c];
            }
            true
        }
        (FloatOp::Affine { axis, scale, shift }, FloatOp::Dense(linear))
            if *axis + 1 == first.shape.len() =>
        {
            scale_inputs(linear, scale, shift, 1, 1);
            core::mem::swap(&mut first.op, &mut second.op);
            first.shape.clone_from(&second.shape);
            true
        }
        (
            FloatOp::Affine {
                axis: 0,
                scale,
                shift,
            },
            FloatOp::Conv(linear, window, groups),
        ) if unpadded(window) || shift.iter().all(|&t| t == 0.0) => {
            scale_inputs(
                linear,
                scale,
                shift,
                window.kernel[0] * window.kernel[1],
                *groups,
            );
            core::mem::swap(&mut first.op, &mut second.op);
            first.shape.clone_from(&second.shape);
            true
        }
        _ => false,
    }
}

fn unpadded(window: &Window2) -> bool {
    window.pads_begin == [0, 0] && window.pads_end == [0, 0]
}

fn scale_outputs(linear: &mut Linear, scale: &[f32], shift: &[f32]) {
    let terms = linear.row_len();
    for (o, row) in linear.weights.chunks_exact_mut(terms).enumerate() {
        for weight in row {
            *weight *= scale[o];
        }
        linear.bias[o] = linear.bias[o] * scale[o] + shift[o];
    }
}

/// Weights `[O][C/groups][taps]` of a linear node behind an affine map of its input channels.
fn scale_inputs(linear: &mut Linear, scale: &[f32], shift: &[f32], taps: usize, groups: usize) {
    let terms = linear.row_len();
    let (per_group, outputs) = (terms / taps, linear.outputs / groups);
    for (o, row) in linear.weights.chunks_exact_mut(terms).enumerate() {
        let first = o / outputs * per_group;
        let mut added = 0.0_f64;
        for (k, weight) in row.iter_mut().enumerate() {
            let channel = first + k / taps;
            added += f64::from(*weight) * f64::from(shift[channel]);
            *weight *= scale[channel];
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "biases are kept in single precision"
        )]
        {
            linear.bias[o] = (f64::from(linear.bias[o]) + added) as f32;
        }
    }
}

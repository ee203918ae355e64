//! Affine maps go into the weights, tables and norms around them.

use super::graph::{Arithmetic, FloatGraph, FloatNode, FloatOp, InputKind, Linear};
use super::window::Window2;

/// Factors of columns that differ by more stay a node of their own.
const UNEVEN: f32 = 16.0;

impl FloatGraph {
    /// Folds each affine node into the linear node before or behind it.
    pub(super) fn fold_affine(&mut self) -> bool {
        let mut changed = false;
        let mut readers = self.readers();
        for index in 1..self.nodes.len() {
            let Some(&input) = self.nodes[index].inputs.first() else {
                continue;
            };
            if readers[input] != 1 || self.scales_features(input) {
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

    /// Whether the node brings features of very different sizes to one: int8 weights of an output channel
    /// share a scale, and so do the elements of an input, so neither can hold its factors.
    fn scales_features(&self, index: usize) -> bool {
        let node = &self.nodes[index];
        let FloatOp::Affine { scale, .. } = &node.op else {
            return false;
        };
        let sizes = || scale.iter().map(|s| s.abs()).filter(|&s| 0.0 < s);
        let (least, most) = (
            sizes().fold(f32::INFINITY, f32::min),
            sizes().fold(0.0, f32::max),
        );
        let is_list = node.shape.len() == 1;
        let of_input = node.inputs.iter().all(|&input| self.is_only_input(input));
        is_list && of_input && UNEVEN < most / least
    }

    fn is_only_input(&self, index: usize) -> bool {
        index == 0 && self.inputs.len() == 1 && self.inputs[0].kind == InputKind::Float
    }

    /// Whether the one input is a list of features that the network itself brings to one size.
    pub(crate) fn input_is_features(&self) -> bool {
        let reads = |node: &FloatNode| node.inputs.contains(&0);
        let mut readers = (0..self.nodes.len()).filter(|&index| reads(&self.nodes[index]));
        self.is_only_input(0) && readers.all(|reader| self.scales_features(reader))
    }

    /// Folds a summand per column behind the sum with a constant into the constant.
    pub(super) fn fold_summands(&mut self) -> bool {
        let readers = self.readers();
        for index in 1..self.nodes.len() {
            let (FloatOp::Affine { axis, scale, shift }, Some(&input)) =
                (&self.nodes[index].op, self.nodes[index].inputs.first())
            else {
                continue;
            };
            let (FloatOp::Pair(Arithmetic::Add | Arithmetic::Sub, spread), &[_, constant]) =
                (&self.nodes[input].op, self.nodes[input].inputs.as_slice())
            else {
                continue;
            };
            let minus = matches!(self.nodes[input].op, FloatOp::Pair(Arithmetic::Sub, _));
            let plain = scale.iter().all(|s| s.to_bits() == 1.0_f32.to_bits());
            let inside = !spread.repeated()[*axis] && axis + 1 == spread.repeated().len();
            let alone = readers[input] == 1 && readers[constant] == 1;
            if !(plain && inside && alone) {
                continue;
            }
            let shift = shift.clone();
            let FloatOp::Constant(values) = &mut self.nodes[constant].op else {
                continue;
            };
            for (value, summand) in values.iter_mut().zip(shift.iter().cycle()) {
                *value += if minus { -summand } else { *summand };
            }
            self.nodes[index].op = FloatOp::Reshape;
            self.bypass(index, input);
            return true;
        }
        false
    }

    /// Folds each affine map that is the same for all elements through views and products into the
    /// linear node above.
    pub(super) fn fold_scalars(&mut self) -> bool {
        let readers = self.readers();
        for index in 1..self.nodes.len() {
            let (FloatOp::Affine { scale, shift, .. }, Some(&input)) =
                (&self.nodes[index].op, self.nodes[index].inputs.first())
            else {
                continue;
            };
            let same = |values: &[f32]| values.iter().all(|v| v.to_bits() == values[0].to_bits());
            if !same(scale) || !same(shift) {
                continue;
            }
            let (scale, shift) = (scale[0], shift[0]);
            let Some(target) = self.scalable(input, &readers, shift != 0.0) else {
                continue;
            };
            scale_all(&mut self.nodes[target].op, scale, shift);
            self.nodes[index].op = FloatOp::Reshape;
            self.bypass(index, input);
            return true;
        }
        false
    }

    /// The linear node above `node` that a factor may go into, if only views and, without a
    /// summand, products are on the way and nobody else reads what is on it.
    fn scalable(&self, node: usize, readers: &[usize], has_shift: bool) -> Option<usize> {
        let at = &self.nodes[node];
        if readers[node] != 1 {
            return None;
        }
        if is_scalable(&at.op) {
            return Some(node);
        }
        let through = |&input: &usize| self.scalable(input, readers, has_shift);
        let is_view = matches!(at.op, FloatOp::Reshape | FloatOp::Transpose(_));
        let is_product = matches!(at.op, FloatOp::Product { .. }) && !has_shift;
        if is_view || is_product {
            return at.inputs.iter().find_map(through);
        }
        None
    }
}

/// Folds `second`, the only reader of `first`, into it, if one of them is affine.
fn fold_pair(first: &mut FloatNode, second: &mut FloatNode) -> bool {
    if fold_behind(first, second) {
        return true;
    }
    if fold_in_front(first, second) {
        core::mem::swap(&mut first.op, &mut second.op);
        first.shape.clone_from(&second.shape);
        return true;
    }
    false
}

/// Folds an affine map into the node whose output it maps.
fn fold_behind(first: &mut FloatNode, second: &FloatNode) -> bool {
    let FloatOp::Affine { axis, scale, shift } = &second.op else {
        return false;
    };
    let is_last = *axis + 1 == second.shape.len();
    match &mut first.op {
        FloatOp::Dense(linear) if is_last => scale_outputs(linear, scale, shift),
        FloatOp::Conv(linear, ..) if *axis == 0 => scale_outputs(linear, scale, shift),
        FloatOp::Embedding { table, .. } if is_last => scale_columns(table, scale, shift),
        FloatOp::Normalize {
            scale: factors,
            shift: summands,
            ..
        } if is_last => {
            scale_columns(factors, scale, &vec![0.0; shift.len()]);
            scale_columns(summands, scale, shift);
        }
        FloatOp::Affine {
            axis: other,
            scale: factors,
            shift: summands,
        } if other == axis => {
            scale_columns(factors, scale, &vec![0.0; shift.len()]);
            scale_columns(summands, scale, shift);
        }
        _ => return false,
    }
    true
}

/// Folds an affine map into the linear node that alone reads it.
fn fold_in_front(first: &FloatNode, second: &mut FloatNode) -> bool {
    let FloatOp::Affine { axis, scale, shift } = &first.op else {
        return false;
    };
    if let FloatOp::Dense(linear) = &mut second.op
        && *axis + 1 == first.shape.len()
    {
        scale_inputs(linear, scale, shift, 1, 1);
        return true;
    }
    if let FloatOp::Conv(linear, window, groups) = &mut second.op
        && *axis == 0
        && (unpadded(window) || shift.iter().all(|&t| t == 0.0))
    {
        let taps = window.kernel[0] * window.kernel[1];
        scale_inputs(linear, scale, shift, taps, *groups);
        return true;
    }
    false
}

/// Rows of values, each column times its factor and plus its summand.
fn scale_columns(values: &mut [f32], scale: &[f32], shift: &[f32]) {
    for row in values.chunks_exact_mut(scale.len()) {
        for (c, value) in row.iter_mut().enumerate() {
            *value = *value * scale[c] + shift[c];
        }
    }
}

fn is_scalable(op: &FloatOp) -> bool {
    matches!(
        op,
        FloatOp::Dense(_) | FloatOp::Conv(..) | FloatOp::Normalize { .. }
    )
}

/// Multiplies what a scalable node makes and adds to it.
fn scale_all(op: &mut FloatOp, scale: f32, shift: f32) {
    if let FloatOp::Dense(linear) | FloatOp::Conv(linear, ..) = op {
        let channels = linear.outputs;
        scale_outputs(linear, &vec![scale; channels], &vec![shift; channels]);
    } else if let FloatOp::Normalize {
        scale: factors,
        shift: summands,
        ..
    } = op
    {
        for factor in factors {
            *factor *= scale;
        }
        for summand in summands {
            *summand = *summand * scale + shift;
        }
    }
}

pub(super) fn unpadded(window: &Window2) -> bool {
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

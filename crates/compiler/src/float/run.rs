//! Interpretation of the float graph: the reference that calibration and reports compare with.
//!
//! Every sum runs in one fixed order and no operation is contracted or left to a mathematics
//! library, so that a calibration gives the same numbers on every machine.

use super::graph::{FloatGraph, FloatOp, Linear};
use super::math;
use super::window::Window2;
use crate::float::constant::transposed_order;

/// Why a sample cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The sample has another number of elements than the model's input.
    #[error("a sample of {found} elements for an input of shape {shape:?} ({needed} elements)")]
    Length {
        /// Elements of the sample.
        found: usize,
        /// Elements of the input.
        needed: usize,
        /// Shape of the input without batch axis.
        shape: Vec<usize>,
    },
}

/// Elements of one block of unrolled windows.
const BLOCK_ELEMENTS: usize = 1 << 17;

impl FloatGraph {
    /// The answer to one sample, `f32[input]` to `f32[output]`, both in ONNX order.
    pub fn run(&self, sample: &[f32]) -> Result<Vec<f32>, RunError> {
        let mut values = self.run_all(sample)?;
        Ok(values.swap_remove(self.output))
    }

    /// The values of all nodes for one sample.
    pub fn run_all(&self, sample: &[f32]) -> Result<Vec<Vec<f32>>, RunError> {
        let needed = self.nodes[0].elements();
        if sample.len() != needed {
            let shape = self.input_shape().to_vec();
            return Err(RunError::Length {
                found: sample.len(),
                needed,
                shape,
            });
        }
        let mut values: Vec<Vec<f32>> = Vec::with_capacity(self.nodes.len());
        for index in 0..self.nodes.len() {
            let value = if index == 0 {
                sample.to_vec()
            } else {
                self.node(index, &values)
            };
            values.push(value);
        }
        Ok(values)
    }

    fn node(&self, index: usize, values: &[Vec<f32>]) -> Vec<f32> {
        let node = &self.nodes[index];
        let x = values[node.inputs[0]].as_slice();
        let from = self.nodes[node.inputs[0]].shape.as_slice();
        let each = |f: &dyn Fn(f32) -> f32| x.iter().map(|&v| f(v)).collect();
        match &node.op {
            FloatOp::Input | FloatOp::Reshape => x.to_vec(),
            FloatOp::Dense(linear) => dense(x, linear),
            FloatOp::Conv(linear, window, groups) => {
                conv(x, from, linear, window, *groups, &node.shape)
            }
            FloatOp::Affine { axis, scale, shift } => {
                let inner: usize = from[axis + 1..].iter().product();
                x.iter()
                    .enumerate()
                    .map(|(i, &v)| {
                        let channel = i / inner % scale.len();
                        v * scale[channel] + shift[channel]
                    })
                    .collect()
            }
            FloatOp::Add => x
                .iter()
                .zip(&values[node.inputs[1]])
                .map(|(a, b)| a + b)
                .collect(),
            // Written out: `clamp` panics on the bounds that `max` and `min` take.
            FloatOp::Clip(low, high) => each(&|v| v.max(*low).min(*high)),
            FloatOp::Sigmoid => each(&|v| single(math::sigmoid(f64::from(v)))),
            FloatOp::Tanh => each(&|v| single(math::tanh(f64::from(v)))),
            FloatOp::MaxPool(window) => {
                pool(x, from, window, &node.shape, f32::NEG_INFINITY, f32::max)
            }
            FloatOp::AvgPool(window) => {
                let mut sums = pool(x, from, window, &node.shape, 0.0, |a, b| a + b);
                #[expect(clippy::cast_precision_loss, reason = "a window has at most 2^24 taps")]
                let taps = (window.kernel[0] * window.kernel[1]) as f32;
                sums.iter_mut().for_each(|v| *v /= taps);
                sums
            }
            FloatOp::Transpose(perm) => {
                transposed_order(from, perm).iter().map(|&i| x[i]).collect()
            }
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "activations are kept in single precision"
)]
fn single(value: f64) -> f32 {
    value as f32
}

fn dense(x: &[f32], linear: &Linear) -> Vec<f32> {
    let terms = linear.row_len();
    let mut out = Vec::with_capacity(x.len() / terms * linear.outputs);
    for row in x.chunks_exact(terms) {
        for (weights, &bias) in linear.weights.chunks_exact(terms).zip(&linear.bias) {
            let sum = weights
                .iter()
                .zip(row)
                .fold(f64::from(bias), |sum, (&w, &v)| {
                    sum + f64::from(w) * f64::from(v)
                });
            out.push(single(sum));
        }
    }
    out
}

fn conv(
    x: &[f32],
    from: &[usize],
    linear: &Linear,
    window: &Window2,
    groups: usize,
    shape: &[usize],
) -> Vec<f32> {
    let (channels, plane) = (from[0] / groups, from[1] * from[2]);
    let (outputs, positions) = (linear.outputs / groups, shape[1] * shape[2]);
    let terms = linear.row_len();
    let block = (BLOCK_ELEMENTS / terms.max(1)).clamp(16, positions.max(16));
    let mut columns = vec![0.0; terms * block];
    let mut out = vec![0.0; linear.outputs * positions];
    for group in 0..groups {
        let image = &x[group * channels * plane..(group + 1) * channels * plane];
        for start in (0..positions).step_by(block) {
            let count = block.min(positions - start);
            unroll(
                image,
                from,
                window,
                shape[2],
                start..start + count,
                &mut columns,
            );
            for o in group * outputs..(group + 1) * outputs {
                let row = &mut out[o * positions + start..][..count];
                row.fill(linear.bias[o]);
                let weights = &linear.weights[o * terms..(o + 1) * terms];
                for (&weight, column) in weights.iter().zip(columns.chunks_exact(count)) {
                    for (sum, &value) in row.iter_mut().zip(column) {
                        *sum += weight * value;
                    }
                }
            }
        }
    }
    out
}

/// Writes the windows at output positions `range` as `[terms][range]`.
fn unroll(
    image: &[f32],
    from: &[usize],
    window: &Window2,
    out_width: usize,
    range: core::ops::Range<usize>,
    columns: &mut [f32],
) {
    let count = range.len();
    let [height, width] = [from[1], from[2]];
    let channels = image.len() / (height * width);
    let [kernel_h, kernel_w] = window.kernel;
    for (term, column) in columns
        .chunks_exact_mut(count)
        .take(channels * kernel_h * kernel_w)
        .enumerate()
    {
        let (tap_x, rest) = (term % kernel_w, term / kernel_w);
        let (tap_y, channel) = (rest % kernel_h, rest / kernel_h);
        for (slot, position) in column.iter_mut().zip(range.clone()) {
            let y = window.tap(0, position / out_width, tap_y, height);
            let x = window.tap(1, position % out_width, tap_x, width);
            *slot = match (y, x) {
                (Some(y), Some(x)) => image[(channel * height + y) * width + x],
                _ => 0.0,
            };
        }
    }
}

/// Folds each window; taps in the padding do not take part.
fn pool(
    x: &[f32],
    from: &[usize],
    window: &Window2,
    shape: &[usize],
    start: f32,
    fold: impl Fn(f32, f32) -> f32,
) -> Vec<f32> {
    let [height, width] = [from[1], from[2]];
    let mut out = Vec::with_capacity(shape.iter().product());
    for channel in x.chunks_exact(height * width) {
        for position in 0..shape[1] * shape[2] {
            let mut value = start;
            for tap_y in 0..window.kernel[0] {
                let Some(y) = window.tap(0, position / shape[2], tap_y, height) else {
                    continue;
                };
                for tap_x in 0..window.kernel[1] {
                    if let Some(x) = window.tap(1, position % shape[2], tap_x, width) {
                        value = fold(value, channel[y * width + x]);
                    }
                }
            }
            out.push(value);
        }
    }
    out
}

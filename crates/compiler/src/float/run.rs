//! Interpretation of the float graph: the reference that calibration and reports compare with.
//!
//! Every sum runs in one fixed order and no operation is contracted or left to a mathematics
//! library, so that a calibration gives the same numbers on every machine.

use super::graph::{FloatGraph, FloatNode, FloatOp, Linear};
use super::walk::walk_order;
use super::window::Window2;
use crate::float::constant::transposed_order;
use crate::quant::map_rows;

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
/// Output positions and output channels of one tile of sums, made to stay in registers.
const LANES: usize = 8;
const ROWS: usize = 4;

impl FloatGraph {
    /// The answer to one sample, `f32[input]` to `f32[output]`, both in ONNX order.
    pub fn run(&self, sample: &[f32]) -> Result<Vec<f32>, RunError> {
        let mut values = self.run_all(sample)?;
        Ok(values.swap_remove(self.output))
    }

    /// The answers to many samples, in their order, on all cores.
    pub fn run_rows(&self, rows: &[Vec<f32>]) -> Result<Vec<Vec<f32>>, RunError> {
        map_rows(rows, |row| self.run(row)).into_iter().collect()
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
            FloatOp::Function(f) => each(&|v| single(f.at(f64::from(v)))),
            FloatOp::Pair(arithmetic, spread) => {
                let y = values[node.inputs[1]].as_slice();
                let plane: usize = from.iter().skip(1).product();
                let one = |(i, &a): (usize, &f32)| arithmetic.of(a, y[spread.index(i, plane)]);
                x.iter().enumerate().map(one).collect()
            }
            FloatOp::Plane(factors) => {
                let factors = factors.iter().cycle();
                x.iter().zip(factors).map(|(v, f)| v * f).collect()
            }
            FloatOp::Concat(axis) => self.concat(node, *axis, values),
            FloatOp::Walk(walks, fill) => {
                let order = walk_order(from, walks);
                order.iter().map(|i| i.map_or(*fill, |i| x[i])).collect()
            }
            FloatOp::MaxPool(window) => {
                pool(x, from, window, &node.shape, f32::NEG_INFINITY, f32::max)
            }
            FloatOp::AvgPool(window) => {
                let mut sums = pool(x, from, window, &node.shape, 0.0, |a, b| a + b);
                #[expect(clippy::cast_precision_loss, reason = "a window has at most 2^24 taps")]
                let taps = (window.kernel[0] * window.kernel[1]) as f32;
                for sum in &mut sums {
                    *sum /= taps;
                }
                sums
            }
            FloatOp::Transpose(perm) => {
                transposed_order(from, perm).iter().map(|&i| x[i]).collect()
            }
        }
    }
}

impl FloatGraph {
    /// The inputs of `node` behind one another along `axis`.
    fn concat(&self, node: &FloatNode, axis: usize, values: &[Vec<f32>]) -> Vec<f32> {
        let outer: usize = node.shape[..axis].iter().product();
        let mut joined = Vec::with_capacity(node.elements());
        for row in 0..outer {
            for &input in &node.inputs {
                let columns: usize = self.nodes[input].shape[axis..].iter().product();
                joined.extend_from_slice(&values[input][row * columns..(row + 1) * columns]);
            }
        }
        joined
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
    let lanes = (BLOCK_ELEMENTS / terms.max(1)).clamp(LANES, positions.max(LANES));
    let block = lanes.next_multiple_of(LANES);
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
                block,
            );
            for first in (group * outputs..(group + 1) * outputs).step_by(ROWS) {
                let rows = ROWS.min((group + 1) * outputs - first);
                for lane in (0..count).step_by(LANES) {
                    let panel = &columns[lane * terms..][..LANES * terms];
                    let sums = tile(linear, first, rows, panel);
                    let width = LANES.min(count - lane);
                    for (row, sums) in sums.iter().enumerate().take(rows) {
                        let at = (first + row) * positions + start + lane;
                        out[at..at + width].copy_from_slice(&sums[..width]);
                    }
                }
            }
        }
    }
    out
}

/// Sums of `rows` output channels from `first` on at `LANES` positions, each in order of its terms.
fn tile(linear: &Linear, first: usize, rows: usize, panel: &[f32]) -> [[f32; LANES]; ROWS] {
    let terms = linear.row_len();
    // Rows beyond the last one repeat it; their sums are not used.
    let row = |r: usize| first + r.min(rows - 1);
    let [a, b, c, d]: [&[f32]; ROWS] =
        core::array::from_fn(|r| &linear.weights[row(r) * terms..(row(r) + 1) * terms]);
    let mut sums: [[f32; LANES]; ROWS] = core::array::from_fn(|r| [linear.bias[row(r)]; LANES]);
    let columns = panel.as_chunks::<LANES>().0;
    for ((((column, a), b), c), d) in columns.iter().zip(a).zip(b).zip(c).zip(d) {
        for (sums, weight) in sums.iter_mut().zip([a, b, c, d]) {
            for (sum, value) in sums.iter_mut().zip(column) {
                *sum += weight * value;
            }
        }
    }
    sums
}

/// Writes the windows at output positions `range` as panels `[terms][LANES]`.
fn unroll(
    image: &[f32],
    from: &[usize],
    window: &Window2,
    out_width: usize,
    range: core::ops::Range<usize>,
    columns: &mut [f32],
    block: usize,
) {
    let [height, width] = [from[1], from[2]];
    let [kernel_h, kernel_w] = window.kernel;
    let terms = columns.len() / block;
    let mut column = vec![0.0; block];
    for term in 0..terms {
        let (tap_x, rest) = (term % kernel_w, term / kernel_w);
        let (tap_y, channel) = (rest % kernel_h, rest / kernel_h);
        // Output columns whose tap lies inside the image; the others see padding.
        let shift = tap_x * window.dilations[1];
        let stride = window.strides[1];
        let inside_from = window.pads_begin[1].saturating_sub(shift).div_ceil(stride);
        let inside_to = (width + window.pads_begin[1])
            .saturating_sub(shift)
            .div_ceil(stride);
        let mut position = range.start;
        while position < range.end {
            let (out_y, first) = (position / out_width, position % out_width);
            let last = out_width.min(first + range.end - position);
            let segment = &mut column[position - range.start..][..last - first];
            position += last - first;
            segment.fill(0.0);
            let Some(y) = window.tap(0, out_y, tap_y, height) else {
                continue;
            };
            let (from, to) = (inside_from.clamp(first, last), inside_to.clamp(first, last));
            if from < to {
                let row = &image[(channel * height + y) * width..][..width];
                let x = from * stride + shift - window.pads_begin[1];
                let inside = &mut segment[from - first..to - first];
                if stride == 1 {
                    inside.copy_from_slice(&row[x..][..to - from]);
                } else {
                    for (slot, value) in inside.iter_mut().zip(row[x..].iter().step_by(stride)) {
                        *slot = *value;
                    }
                }
            }
        }
        let panels = columns.chunks_exact_mut(terms * LANES);
        for (panel, lanes) in panels.zip(column.as_chunks::<LANES>().0) {
            panel[term * LANES..][..LANES].copy_from_slice(lanes);
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

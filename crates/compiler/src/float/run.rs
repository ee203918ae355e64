//! Interpretation of the float graph: the reference that calibration and reports compare with.
//!
//! Every sum runs in one fixed order and no operation is contracted or left to a mathematics
//! library, so that a calibration gives the same numbers on every machine.

use super::constant::transposed_order;
use super::graph::{Arithmetic, FloatGraph, FloatOp};
use super::walk::walk_order;
use super::window::Window2;
use crate::quant::map_rows;
use conv::{conv, pool};
use product::{dense, product};
use rows::{arg_max, embedding, normalize, reduce, softmax};

mod conv;
mod product;
mod rows;

/// Why a sample cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The sample has another number of elements than the model's input.
    #[error("a sample of {found} elements for inputs of shapes {shapes:?} ({needed} elements)")]
    Length {
        /// Elements of the sample.
        found: usize,
        /// Elements of all inputs.
        needed: usize,
        /// Shapes of the inputs without batch axis.
        shapes: Vec<Vec<usize>>,
    },
}

impl FloatGraph {
    /// The first answer to one sample, `f32[all inputs]` to `f32[output]`, both in ONNX order.
    pub fn run(&self, sample: &[f32]) -> Result<Vec<f32>, RunError> {
        let mut values = self.run_all(sample)?;
        Ok(values.swap_remove(self.output()))
    }

    /// The answers to many samples, in their order, on all cores.
    pub fn run_rows(&self, rows: &[Vec<f32>]) -> Result<Vec<Vec<f32>>, RunError> {
        map_rows(rows, |row| self.run(row)).into_iter().collect()
    }

    /// The values of all nodes for one sample.
    pub fn run_all(&self, sample: &[f32]) -> Result<Vec<Vec<f32>>, RunError> {
        self.run_with(sample, |_, _| {})
    }

    /// The values of all nodes for one sample, where `change` may change what a node of that index
    /// makes before others read it.
    pub(crate) fn run_with(
        &self,
        sample: &[f32],
        change: impl Fn(usize, &mut [f32]),
    ) -> Result<Vec<Vec<f32>>, RunError> {
        let needed = self.sample_elements();
        if sample.len() != needed {
            return Err(RunError::Length {
                found: sample.len(),
                needed,
                shapes: self
                    .inputs
                    .iter()
                    .map(|input| input.shape.clone())
                    .collect(),
            });
        }
        let mut rest = sample;
        let mut values: Vec<Vec<f32>> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let mut value = if matches!(node.op, FloatOp::Input) {
                let (own, others) = rest.split_at(node.elements());
                rest = others;
                own.to_vec()
            } else {
                let operand = |&input: &usize| Operand {
                    values: &values[input],
                    shape: &self.nodes[input].shape,
                };
                let operands: Vec<Operand<'_>> = node.inputs.iter().map(operand).collect();
                evaluate(&node.op, &operands, &node.shape)
            };
            change(values.len(), &mut value);
            values.push(value);
        }
        Ok(values)
    }
}

/// A value that a node reads.
#[derive(Clone, Copy)]
pub(super) struct Operand<'a> {
    pub(super) values: &'a [f32],
    pub(super) shape: &'a [usize],
}

/// What a node computes, of `shape`.
pub(super) fn evaluate(op: &FloatOp, operands: &[Operand<'_>], shape: &[usize]) -> Vec<f32> {
    let operand = |index: usize| {
        let absent = Operand {
            values: &[],
            shape: &[],
        };
        operands.get(index).copied().unwrap_or(absent)
    };
    let Operand {
        values: x,
        shape: from,
    } = operand(0);
    let columns = from.last().copied().unwrap_or(1);
    let each = |f: &dyn Fn(f32) -> f32| x.iter().map(|&v| f(v)).collect();
    match op {
        FloatOp::Input | FloatOp::Reshape => x.to_vec(),
        FloatOp::Constant(values) => values.clone(),
        FloatOp::Dense(linear) => dense(x, linear),
        FloatOp::Conv(linear, window, groups) => conv(x, from, linear, window, *groups, shape),
        FloatOp::Product { group } => {
            let rows = from[from.len() - 2];
            let out = shape.last().copied().unwrap_or(1);
            product(x, operand(1).values, [rows, columns, out], *group)
        }
        FloatOp::Affine { axis, scale, shift } => affine(x, &from[axis + 1..], scale, shift),
        FloatOp::Add => pair(Arithmetic::Add, x, operand(1).values),
        FloatOp::Pair(arithmetic, spread) if spread.is_full() => {
            pair(*arithmetic, x, operand(1).values)
        }
        FloatOp::Pair(arithmetic, spread) => {
            let y = operand(1).values;
            let order = spread.order(from);
            let pairs = x.iter().zip(order);
            pairs.map(|(&a, b)| arithmetic.of(a, y[b])).collect()
        }
        // Written out: `clamp` panics on the bounds that `max` and `min` take.
        FloatOp::Clip(low, high) => each(&|v| v.max(*low).min(*high)),
        FloatOp::Function(f) => each(&|v| single(f.at(f64::from(v)))),
        FloatOp::Softmax => softmax(x, columns),
        FloatOp::Normalize {
            center,
            epsilon,
            scale,
            shift,
        } => normalize(x, *center, *epsilon, scale, shift),
        FloatOp::Reduce(kind) => reduce(x, columns, *kind),
        FloatOp::ArgMax => arg_max(x, columns),
        FloatOp::Embedding {
            rows,
            columns,
            table,
        } => embedding(x, *rows, *columns, table),
        FloatOp::Plane(factors) => {
            let factors = factors.iter().cycle();
            x.iter().zip(factors).map(|(v, f)| v * f).collect()
        }
        FloatOp::Concat(axis) => concat(operands, *axis, shape),
        FloatOp::Walk(walks, fill) => {
            let order = walk_order(from, walks);
            order.iter().map(|i| i.map_or(*fill, |i| x[i])).collect()
        }
        FloatOp::MaxPool(window) => pool(x, from, window, shape, f32::NEG_INFINITY, f32::max),
        FloatOp::AvgPool(window) => mean_pool(x, from, window, shape),
        FloatOp::Transpose(perm) => transposed_order(from, perm).iter().map(|&i| x[i]).collect(),
    }
}

fn mean_pool(x: &[f32], from: &[usize], window: &Window2, shape: &[usize]) -> Vec<f32> {
    let mut sums = pool(x, from, window, shape, 0.0, |a, b| a + b);
    #[expect(clippy::cast_precision_loss, reason = "a window has at most 2^24 taps")]
    let taps = (window.kernel[0] * window.kernel[1]) as f32;
    for sum in &mut sums {
        *sum /= taps;
    }
    sums
}

fn pair(arithmetic: Arithmetic, x: &[f32], y: &[f32]) -> Vec<f32> {
    x.iter()
        .zip(y)
        .map(|(&a, &b)| arithmetic.of(a, b))
        .collect()
}

fn affine(x: &[f32], behind: &[usize], scale: &[f32], shift: &[f32]) -> Vec<f32> {
    let inner: usize = behind.iter().product();
    let mut out = Vec::with_capacity(x.len());
    for (row, run) in x.chunks_exact(inner).enumerate() {
        let channel = row % scale.len();
        out.extend(run.iter().map(|v| v * scale[channel] + shift[channel]));
    }
    out
}

/// The operands behind one another along `axis`.
fn concat(operands: &[Operand<'_>], axis: usize, shape: &[usize]) -> Vec<f32> {
    let outer: usize = shape[..axis].iter().product();
    let mut joined = Vec::with_capacity(shape.iter().product());
    for row in 0..outer {
        for operand in operands {
            let columns: usize = operand.shape[axis..].iter().product();
            joined.extend_from_slice(&operand.values[row * columns..(row + 1) * columns]);
        }
    }
    joined
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "activations are kept in single precision"
)]
fn single(value: f64) -> f32 {
    value as f32
}

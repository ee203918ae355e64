//! Interpretation of the float graph: the reference that calibration and reports compare with.
//!
//! Every sum runs in one fixed order and no operation is contracted or left to a mathematics
//! library, so that a calibration gives the same numbers on every machine.

use selfsame_kernels::Width;

use super::graph::{Arithmetic, FloatGraph, FloatNode, FloatOp};
use super::window::Window2;
use crate::quant::map_rows;
use conv::{conv, pool};
use product::{dense, product};
use rows::{arg_max, embedding, normalize, reduce, softmax};
use strided::{spread_pair, transpose, walk};

mod conv;
mod depthwise;
mod live;
mod product;
mod rows;
mod strided;
mod sums;

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
        self.run_with(sample, |_, _| {})
    }

    /// The answers to many samples, in their order, on all cores.
    pub fn run_rows(&self, rows: &[Vec<f32>]) -> Result<Vec<Vec<f32>>, RunError> {
        let answers = map_rows(rows, self.live_bytes(), |_, row| self.run(row));
        answers.into_iter().collect()
    }

    /// The values of all nodes for one sample.
    pub fn run_all(&self, sample: &[f32]) -> Result<Vec<Vec<f32>>, RunError> {
        let mut all = Vec::with_capacity(self.nodes.len());
        self.run_with(sample, |_, values| all.push(values.to_vec()))?;
        Ok(all)
    }

    /// Refuses a sample of another size than the inputs.
    pub(crate) fn fit(&self, sample: &[f32]) -> Result<(), RunError> {
        let needed = self.sample_elements();
        if sample.len() == needed {
            return Ok(());
        }
        let shapes = self.inputs.iter().map(|input| input.shape.clone());
        Err(RunError::Length {
            found: sample.len(),
            needed,
            shapes: shapes.collect(),
        })
    }

    /// The first answer to one sample. `visit` sees the index and the values of each node before others
    /// read them, and may change them; values that nobody reads any more are not kept.
    pub(crate) fn run_with(
        &self,
        sample: &[f32],
        mut visit: impl FnMut(usize, &mut [f32]),
    ) -> Result<Vec<f32>, RunError> {
        self.fit(sample)?;
        let width = Width::best();
        let last = self.last_readers();
        let mut rest = sample;
        let mut values: Vec<Vec<f32>> = Vec::with_capacity(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate() {
            let mut value = if let FloatOp::Input = node.op {
                let (own, others) = rest.split_at(node.elements());
                rest = others;
                own.to_vec()
            } else if let Some(input) = replaced(node, &last, index) {
                let mut value = core::mem::take(&mut values[input]);
                let second = node
                    .inputs
                    .get(1)
                    .map_or(&[][..], |&second| &values[second]);
                replace(width, &node.op, &mut value, second);
                value
            } else {
                let operand = |&input: &usize| Operand {
                    values: &values[input],
                    shape: &self.nodes[input].shape,
                };
                let operands: Vec<Operand<'_>> = node.inputs.iter().map(operand).collect();
                evaluate_at(width, &node.op, &operands, &node.shape)
            };
            visit(index, &mut value);
            for &input in node.inputs.iter().filter(|&&input| last[input] == index) {
                values[input] = Vec::new();
            }
            if last[index] == index {
                value = Vec::new();
            }
            values.push(value);
        }
        Ok(values.swap_remove(self.output()))
    }
}

/// The input whose place a node's value may take: nobody reads it behind node `index`.
fn replaced(node: &FloatNode, last: &[usize], index: usize) -> Option<usize> {
    let (&input, others) = node.inputs.split_first()?;
    let free = last[input] == index && !others.contains(&input);
    (free && is_elementwise(&node.op)).then_some(input)
}

/// Whether [`replace`] computes a node.
fn is_elementwise(op: &FloatOp) -> bool {
    match op {
        FloatOp::Reshape | FloatOp::Add | FloatOp::Clip(..) | FloatOp::Function(_) => true,
        FloatOp::Pair(_, spread) => spread.is_full(),
        FloatOp::Input
        | FloatOp::Constant(_)
        | FloatOp::Dense(_)
        | FloatOp::Conv(..)
        | FloatOp::Affine { .. }
        | FloatOp::Product { .. }
        | FloatOp::Softmax
        | FloatOp::Normalize { .. }
        | FloatOp::Reduce(_)
        | FloatOp::ArgMax
        | FloatOp::Embedding { .. }
        | FloatOp::Plane(_)
        | FloatOp::Concat(_)
        | FloatOp::Walk(..)
        | FloatOp::MaxPool(_)
        | FloatOp::AvgPool(_)
        | FloatOp::Transpose(_) => false,
    }
}

/// Puts what an elementwise node computes in the place of its first input.
fn replace(width: Width, op: &FloatOp, x: &mut [f32], y: &[f32]) {
    match op {
        FloatOp::Add => pair(Arithmetic::Add, x, y),
        FloatOp::Pair(arithmetic, _) => pair(*arithmetic, x, y),
        // Written out: `clamp` panics on the bounds that `max` and `min` take.
        FloatOp::Clip(low, high) => x.iter_mut().for_each(|v| *v = v.max(*low).min(*high)),
        FloatOp::Function(f) => f.replace_each(width, x),
        FloatOp::Reshape
        | FloatOp::Input
        | FloatOp::Constant(_)
        | FloatOp::Dense(_)
        | FloatOp::Conv(..)
        | FloatOp::Affine { .. }
        | FloatOp::Product { .. }
        | FloatOp::Softmax
        | FloatOp::Normalize { .. }
        | FloatOp::Reduce(_)
        | FloatOp::ArgMax
        | FloatOp::Embedding { .. }
        | FloatOp::Plane(_)
        | FloatOp::Concat(_)
        | FloatOp::Walk(..)
        | FloatOp::MaxPool(_)
        | FloatOp::AvgPool(_)
        | FloatOp::Transpose(_) => {}
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
    evaluate_at(Width::best(), op, operands, shape)
}

/// What a node computes, of `shape`, with vectors of a width.
fn evaluate_at(width: Width, op: &FloatOp, operands: &[Operand<'_>], shape: &[usize]) -> Vec<f32> {
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
    match op {
        FloatOp::Input => x.to_vec(),
        FloatOp::Pair(arithmetic, spread) if !spread.is_full() => {
            spread_pair(*arithmetic, (x, from), operand(1).values, spread)
        }
        FloatOp::Reshape
        | FloatOp::Add
        | FloatOp::Clip(..)
        | FloatOp::Function(_)
        | FloatOp::Pair(..) => {
            let mut value = x.to_vec();
            replace(width, op, &mut value, operand(1).values);
            value
        }
        FloatOp::Constant(values) => values.clone(),
        FloatOp::Dense(linear) => dense(width, x, linear),
        FloatOp::Conv(linear, window, groups) => {
            conv(width, (x, from), linear, window, *groups, shape)
        }
        FloatOp::Product { group } => {
            let rows = from[from.len() - 2];
            let out = shape.last().copied().unwrap_or(1);
            product(width, x, operand(1).values, [rows, columns, out], *group)
        }
        FloatOp::Affine { axis, scale, shift } => affine(x, &from[axis + 1..], scale, shift),
        FloatOp::Softmax => softmax(width, x, columns),
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
        FloatOp::Walk(walks, fill) => walk(x, from, walks, *fill),
        FloatOp::MaxPool(window) => pool((x, from), window, shape, f32::NEG_INFINITY, f32::max),
        FloatOp::AvgPool(window) => mean_pool(x, from, window, shape),
        FloatOp::Transpose(perm) => transpose(x, from, perm),
    }
}

fn mean_pool(x: &[f32], from: &[usize], window: &Window2, shape: &[usize]) -> Vec<f32> {
    let mut sums = pool((x, from), window, shape, 0.0, |a, b| a + b);
    #[expect(clippy::cast_precision_loss, reason = "a window has at most 2^24 taps")]
    let taps = (window.kernel[0] * window.kernel[1]) as f32;
    for sum in &mut sums {
        *sum /= taps;
    }
    sums
}

/// `x` and `y` element by element, in the place of `x`.
fn pair(arithmetic: Arithmetic, x: &mut [f32], y: &[f32]) {
    let pairs = x.iter_mut().zip(y);
    match arithmetic {
        Arithmetic::Add => pairs.for_each(|(a, b)| *a += b),
        Arithmetic::Sub => pairs.for_each(|(a, b)| *a -= b),
        Arithmetic::ReverseSub => pairs.for_each(|(a, b)| *a = b - *a),
        Arithmetic::Mul => pairs.for_each(|(a, b)| *a *= b),
    }
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

/// The nearest number of single precision, in which values and parameters are kept.
#[expect(
    clippy::cast_possible_truncation,
    reason = "rounding to single precision is what it is for"
)]
#[inline]
pub(crate) fn single(value: f64) -> f32 {
    value as f32
}

//! Which values must be exact whole numbers, and their bounds: what picks rows of a table, and running
//! counts.
//!
//! Sums, products, clamps and counts of whole inputs are computed exactly by a program (`lower/whole.rs`):
//! the places of tokens that are not padding are whole numbers, and a rounded one would pick another row.

use selfsame_protocol::constants::{INT8_MAX, MULTIPLIER_MAX};

use super::function::Function;
use super::graph::{Arithmetic, FloatGraph, FloatNode, FloatOp, InputKind, Linear};

/// Largest magnitude of a whole number of an input: all below it stand exactly in single precision.
const INPUT_MAX: i64 = 1 << 24;
/// Largest magnitude that is followed.
const WHOLE_MAX: i64 = 1 << 30;

/// The least and the largest of whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) low: i64,
    pub(crate) high: i64,
}

impl Span {
    /// Whether `-most..=most` holds all of them.
    pub(crate) fn within(self, most: i64) -> bool {
        -most <= self.low && self.high <= most
    }

    fn of(values: impl IntoIterator<Item = i64>) -> Option<Self> {
        values.into_iter().fold(None, |span, v| {
            Some(span.map_or(Self { low: v, high: v }, |span: Self| Self {
                low: span.low.min(v),
                high: span.high.max(v),
            }))
        })
    }

    fn plus(self, other: Self) -> Self {
        Self {
            low: self.low + other.low,
            high: self.high + other.high,
        }
    }

    fn times(self, factor: i64) -> Self {
        let (a, b) = (self.low * factor, self.high * factor);
        Self {
            low: a.min(b),
            high: a.max(b),
        }
    }
}

impl FloatGraph {
    /// For each node the bounds of its values, if these are whole numbers that a program computes exactly
    /// and that something needs exactly: an embedding picks by them, or a convolution counts them.
    pub(crate) fn whole_numbers(&self) -> Vec<Option<Span>> {
        let mut spans: Vec<Option<Span>> = Vec::with_capacity(self.nodes.len());
        for (index, node) in self.nodes.iter().enumerate() {
            let span = self.span(index, node, &spans);
            spans.push(span.filter(|span| span.within(WHOLE_MAX)));
        }
        let mut wanted = vec![false; self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate().rev() {
            let counts = matches!(node.op, FloatOp::Conv(..)) && spans[index].is_some();
            wanted[index] |= counts;
            let picks = matches!(node.op, FloatOp::Embedding { .. });
            if picks || wanted[index] {
                for &input in &node.inputs {
                    wanted[input] |= spans[input].is_some();
                }
            }
        }
        let kept = spans.into_iter().zip(wanted);
        kept.map(|(span, wanted)| span.filter(|_| wanted)).collect()
    }

    /// Real inputs whose whole parts pick rows of a table become inputs of whole numbers: the token ids of
    /// Keras are real numbers if nobody says otherwise, and a rounded one would pick another row.
    pub(super) fn read_picks_as_whole(&mut self) {
        for index in 0..self.nodes.len() {
            if !matches!(self.nodes[index].op, FloatOp::Embedding { .. }) {
                continue;
            }
            let mut casts = Vec::new();
            let mut source = self.nodes[index].inputs[0];
            loop {
                let node = &self.nodes[source];
                if node.op == FloatOp::Function(Function::whole_part()) {
                    casts.push(source);
                } else if !node.op.passes() && !matches!(node.op, FloatOp::Clip(..)) {
                    break;
                }
                source = node.inputs[0];
            }
            let input = self.inputs.get_mut(source);
            let Some(input) = input.filter(|_| !casts.is_empty()) else {
                continue;
            };
            input.kind = InputKind::Index;
            for cast in casts {
                self.nodes[cast].op = FloatOp::Reshape;
            }
        }
    }

    /// The bounds of one node by those of the nodes before it.
    fn span(&self, index: usize, node: &FloatNode, spans: &[Option<Span>]) -> Option<Span> {
        let of = |slot: usize| node.inputs.get(slot).and_then(|&input| spans[input]);
        match &node.op {
            FloatOp::Input => {
                let is_whole = self.inputs.get(index)?.kind == InputKind::Index;
                is_whole.then_some(Span {
                    low: -INPUT_MAX,
                    high: INPUT_MAX,
                })
            }
            FloatOp::Clip(low, high) => {
                let bound = |bound: f32| {
                    if bound.is_infinite() {
                        let end = if bound < 0.0 { -WHOLE_MAX } else { WHOLE_MAX };
                        return Some(end);
                    }
                    whole(bound)
                };
                let (low, high) = (bound(*low)?, bound(*high)?);
                let span = of(0)?;
                Some(Span {
                    low: span.low.max(low).min(high),
                    high: span.high.max(low).min(high),
                })
            }
            FloatOp::Pair(Arithmetic::Mul, spread) => {
                product(node, [of(0)?, of(1)?], spread.is_full())
            }
            FloatOp::Add | FloatOp::Pair(Arithmetic::Add, _) => Some(of(0)?.plus(of(1)?)),
            FloatOp::Pair(Arithmetic::Sub, _) => Some(of(0)?.plus(of(1)?.times(-1))),
            FloatOp::Pair(Arithmetic::ReverseSub, _) => Some(of(1)?.plus(of(0)?.times(-1))),
            FloatOp::Affine { scale, shift, .. } => {
                let (scale, shift) = (only(scale)?, only(shift)?);
                let kept = !node.op.is_rescaling() || scale == 1;
                let fits = 2 * scale.abs() <= i64::from(MULTIPLIER_MAX);
                let shift = Span::of([shift])?;
                (kept && fits).then_some(of(0)?.times(scale).plus(shift))
            }
            FloatOp::Conv(linear, ..) => counted(linear, of(0)?),
            FloatOp::Walk(_, fill) => {
                let span = of(0)?;
                Span::of([span.low, span.high, whole(*fill)?])
            }
            FloatOp::Reshape | FloatOp::Transpose(_) => of(0),
            FloatOp::Constant(_)
            | FloatOp::Dense(_)
            | FloatOp::Function(_)
            | FloatOp::Product { .. }
            | FloatOp::Softmax
            | FloatOp::Normalize { .. }
            | FloatOp::Reduce(_)
            | FloatOp::ArgMax
            | FloatOp::Embedding { .. }
            | FloatOp::Plane(_)
            | FloatOp::Concat(_)
            | FloatOp::MaxPool(_)
            | FloatOp::AvgPool(_) => None,
        }
    }
}

/// A product, one of whose factors has 16 bits: the first one, or either if both have one shape.
fn product(node: &FloatNode, [a, b]: [Span; 2], is_full: bool) -> Option<Span> {
    let short = |span: Span| span.within(i64::from(i16::MAX));
    if !(short(a) || (is_full && short(b))) {
        return None;
    }
    let ends = [
        a.low * b.low,
        a.low * b.high,
        a.high * b.low,
        a.high * b.high,
    ];
    let span = Span::of(ends)?;
    let is_square = node.inputs.first() == node.inputs.get(1);
    Some(Span {
        low: if is_square { span.low.max(0) } else { span.low },
        ..span
    })
}

/// What a convolution with whole weights and biases makes of values of 16 bits; padding is 0.
fn counted(linear: &Linear, x: Span) -> Option<Span> {
    if !x.within(i64::from(i16::MAX)) {
        return None;
    }
    let mut ends = Vec::with_capacity(2 * linear.outputs);
    let rows = linear.weights.chunks_exact(linear.row_len().max(1));
    for (row, &bias) in rows.zip(&linear.bias) {
        let bias = whole(bias)?;
        let (mut low, mut high) = (bias, bias);
        for &weight in row {
            let weight = whole(weight).filter(|w| w.abs() <= i64::from(INT8_MAX))?;
            let part = x.times(weight);
            low += part.low.min(0);
            high += part.high.max(0);
        }
        ends.extend([low, high]);
    }
    Span::of(ends)
}

/// The whole number that all of the values are.
fn only(values: &[f32]) -> Option<i64> {
    let first = values.first()?;
    let same = values.iter().all(|v| v.to_bits() == first.to_bits());
    whole(*first).filter(|_| same)
}

/// A number of the float graph as a whole one, if it is one.
pub(crate) fn whole(value: f32) -> Option<i64> {
    let is_whole = value.fract() == 0.0 && value.abs() <= 16_777_216.0;
    #[expect(clippy::cast_possible_truncation, reason = "whole, of at most 2^24")]
    is_whole.then_some(value as i64)
}

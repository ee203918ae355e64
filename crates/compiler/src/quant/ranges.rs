//! Where the values of each node lie: what was seen, and what that leaves out or says too much of.

use super::histogram::Histogram;
use crate::float::{Arithmetic, FloatGraph, FloatOp};

/// Below this part of the largest magnitude a sum of f32 is 0 but for its rounding.
const RESOLUTION: f64 = 1.0 / (1_u32 << 24) as f64;
/// How much larger a value at a pole is than all others, at least.
const FAR: f64 = 16.0;
/// Head room above what was seen beside a pole.
const ROOM: f64 = 1.25;

/// The smallest and the largest value of each node: those that were seen or may come, but for those that
/// only zeros met at a pole.
pub(super) fn ranges(graph: &FloatGraph, nodes: &[Histogram]) -> Vec<(f64, f64)> {
    let mut ranges = seen_or_allowed(graph, nodes);
    let readers = graph.readers_of_each();
    for index in 0..nodes.len() {
        if let Some(top) = pole(graph, nodes, (&ranges, &readers), index) {
            let (low, high) = ranges[index];
            ranges[index] = (low.max(-top), high.min(top));
        }
    }
    ranges
}

/// A product with a mask that no row has set was 0 in all of them, and is not with a row that sets it: where
/// only 0 was seen, such values lie where those that they are made of, and 0, may bring them.
fn seen_or_allowed(graph: &FloatGraph, nodes: &[Histogram]) -> Vec<(f64, f64)> {
    let mut ranges: Vec<(f64, f64)> = Vec::with_capacity(nodes.len());
    for (node, histogram) in graph.nodes().iter().zip(nodes) {
        let (low, high) = histogram.range();
        let seen = (f64::from(low), f64::from(high));
        if seen != (0.0, 0.0) {
            ranges.push(seen);
            continue;
        }
        let of = |slot: usize| {
            let input = node.inputs.get(slot).map_or(seen, |&input| ranges[input]);
            (input.0.min(0.0), input.1.max(0.0))
        };
        let span = |values: &[f32]| {
            let widest = (f64::INFINITY, f64::NEG_INFINITY);
            let values = values.iter().map(|&v| f64::from(v));
            values.fold(widest, |(low, high), v| (low.min(v), high.max(v)))
        };
        let allowed = if let FloatOp::Pair(Arithmetic::Mul, _) = &node.op {
            product(of(0), of(1))
        } else if let FloatOp::Affine { scale, shift, .. } = &node.op {
            let (scaled, shift) = (product(of(0), span(scale)), span(shift));
            (scaled.0 + shift.0, scaled.1 + shift.1)
        } else if node.op.passes() {
            of(0)
        } else {
            seen
        };
        let is_range = allowed.0.is_finite() && allowed.1.is_finite();
        ranges.push(if is_range { allowed } else { seen });
    }
    ranges
}

/// The largest magnitude that node `index` needs, if it is a function like a reciprocal that was seen far
/// above where 0 alone stood at a pole, and only multiplies what was 0 there too.
///
/// Vectors are brought to length 1 by `x / max(length, 1e-12)`. One row of zeros makes the factor 10^12,
/// which changes nothing, and at whose scale every other factor would be 0.
fn pole(
    graph: &FloatGraph,
    nodes: &[Histogram],
    (ranges, readers): (&[(f64, f64)], &[Vec<usize>]),
    index: usize,
) -> Option<f64> {
    let node = &graph.nodes()[index];
    let FloatOp::Function(f) = &node.op else {
        return None;
    };
    let &input = node.inputs.first()?;
    let (low, high) = ranges[input];
    let zero = magnitude((low, high)) * RESOLUTION;
    if low < -zero {
        return None;
    }
    let least = nodes[input].bins().first_above(zero)?;
    let top = f.at(least).abs().max(f.at(high).abs()) * ROOM;
    if top == 0.0 || magnitude(ranges[index]) <= FAR * top {
        return None;
    }
    let mut behind = vec![index];
    while let Some(value) = behind.pop() {
        if graph.outputs.iter().any(|output| output.node == value) {
            return None;
        }
        for &reader in &readers[value] {
            let node = &graph.nodes()[reader];
            if node.op.passes() {
                behind.push(reader);
                continue;
            }
            let FloatOp::Pair(Arithmetic::Mul, _) = &node.op else {
                return None;
            };
            let other = node.inputs.iter().find(|&&input| input != value)?;
            if magnitude(ranges[reader]) > magnitude(ranges[*other]) * top {
                return None;
            }
        }
    }
    Some(top)
}

pub(super) fn magnitude((low, high): (f64, f64)) -> f64 {
    high.max(-low)
}

/// Where products of numbers of two ranges lie.
fn product(x: (f64, f64), y: (f64, f64)) -> (f64, f64) {
    let ends = [x.0 * y.0, x.0 * y.1, x.1 * y.0, x.1 * y.1];
    let low = ends.into_iter().fold(f64::INFINITY, f64::min);
    (low, ends.into_iter().fold(f64::NEG_INFINITY, f64::max))
}

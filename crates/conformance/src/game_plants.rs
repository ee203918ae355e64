//! Faults to plant: where, which value, and what the liar does with the rest of the trace.

use selfsame_interpreter::element;
use selfsame_ir::{DType, Op, Tensor};

use crate::game_zoo::{Animal, Dice};

/// One wrong integer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plant {
    /// The node.
    pub node: u32,
    /// Flat index of the element.
    pub element: usize,
    /// What the program gives there.
    pub right: i32,
    /// What is claimed instead.
    pub wrong: i32,
    /// What sort of fault it is.
    pub sort: &'static str,
    /// Whether the nodes behind it are recomputed from the wrong value.
    pub recomputed: bool,
}

/// Elements worth a look: the ends, the borders of tiles and of rows, and any.
fn places(tensor: &Tensor, row: usize, dice: &mut Dice) -> usize {
    let len = tensor.len();
    let tile = 512 / tensor.dtype().size() as usize;
    let any = usize::try_from(dice.below(len as u64)).unwrap_or(0);
    let at = match dice.below(8) {
        0 => 0,
        1 => len - 1,
        // Last of the first tile, first of the second: both sides of a border.
        2 => tile.min(len) - 1,
        3 => tile.min(len - 1),
        4 => (len / tile) * tile,
        // First row and last column meet padding where there is some.
        5 => any % row.max(1),
        6 => (any / row.max(1)) * row.max(1) + row.max(1) - 1,
        _ => any,
    };
    at.min(len - 1)
}

/// A value that is not `right`, and the name of the fault.
fn lie(right: i32, dtype: DType, op: &Op, is_output: bool, dice: &mut Dice) -> (i32, &'static str) {
    let (low, high) = dtype.range();
    let clamp = match op {
        Op::MatMul(_) | Op::Conv(_) => op.linear().map(|linear| (linear.low, linear.high)),
        Op::AvgPool(op) => Some((op.low, op.high)),
        Op::Pointwise(op) if op.activation.is_none() => Some((op.low, op.high)),
        Op::BatchMatMul(op) => Some((op.low, op.high)),
        Op::Reduce(op) => Some((op.low, op.high)),
        Op::Normalize(op) => Some((op.low, op.high)),
        Op::Input(_)
        | Op::MaxPool(_)
        | Op::Move(_)
        | Op::Concat(_)
        | Op::Pointwise(_)
        | Op::Embedding(_) => None,
    };
    let (bottom, top) = clamp.unwrap_or((low, high));
    let candidates = [
        (right.saturating_add(1), "plus one"),
        (right.saturating_sub(1), "minus one"),
        (right.saturating_neg(), "sign"),
        (bottom.max(low), "lower clamp"),
        (top, "upper clamp"),
        (top.saturating_add(1), "above the clamp"),
        (dice.between(low, high), "any"),
        (low.saturating_sub(1), "below the type"),
    ];
    // A claim's output is checked when it is claimed; inner nodes may hold any bit pattern.
    let least = if is_output {
        low
    } else {
        low.saturating_sub(1)
    };
    let first = usize::try_from(dice.below(candidates.len() as u64)).unwrap_or(0);
    let legal = |value: i32| value != right && least <= value && value <= high;
    let rotated = candidates.iter().cycle().skip(first).take(candidates.len());
    rotated
        .copied()
        .find(|&(value, _)| legal(value))
        .unwrap_or((if right == low { high } else { low }, "any"))
}

/// `count` of its operator faults for each computed node of a program.
pub fn plants(
    animal: &Animal,
    outputs: &[Tensor],
    count: impl Fn(&Op) -> usize,
    seed: u64,
) -> Vec<Plant> {
    let mut dice = Dice::new(seed);
    let mut plants = Vec::new();
    for (index, node) in animal.program.nodes().iter().enumerate().skip(1) {
        let tensor = &outputs[index];
        let shape = node.op.output_shape(&animal.values).unwrap_or_default();
        let is_output = index == animal.program.program().output as usize;
        let row = shape
            .iter()
            .skip(1)
            .map(|&extent| extent as usize)
            .product();
        for turn in 0..count(&node.op) {
            let element = places(tensor, row, &mut dice);
            let right = tensor.get(element).unwrap_or_default();
            let (wrong, sort) = lie(right, node.dtype, &node.op, is_output, &mut dice);
            let node = u32::try_from(index).unwrap_or_default();
            let recomputed = turn % 2 == 1;
            plants.push(Plant {
                node,
                element,
                right,
                wrong,
                sort,
                recomputed,
            });
        }
    }
    plants
}

/// The outputs that the liar holds. A lie in an interior node reaches the committed one of its segment, or it
/// is none.
pub fn lying_outputs(animal: &Animal, right: &[Tensor], plant: &Plant) -> Vec<Tensor> {
    let mut outputs = right.to_vec();
    set(
        &mut outputs[plant.node as usize],
        plant.element,
        plant.wrong,
    );
    if plant.recomputed {
        recompute(animal, plant.node as usize + 1, &mut outputs);
    }
    let segments = animal.program.segments();
    let place = segments.place(plant.node);
    let end = segments.committed()[place.segment as usize] as usize;
    if outputs[end] == right[end] {
        change(&mut outputs[end], 0);
    }
    outputs
}

/// Computes all nodes from `from` on again, from what stands before them.
fn recompute(animal: &Animal, from: usize, outputs: &mut [Tensor]) {
    for index in from..outputs.len() {
        let node = &animal.program.nodes()[index];
        let inputs: Vec<&Tensor> = node.inputs.iter().map(|&i| &outputs[i as usize]).collect();
        // A bit pattern that is no value passes through nodes that only move elements.
        let mut recomputed = outputs[index].clone();
        for at in 0..recomputed.len() {
            let value = element(&node.op, &animal.values, &inputs, at as u64);
            set(&mut recomputed, at, value);
        }
        outputs[index] = recomputed;
    }
}

/// Makes an element one more, or one less at the top of its type; right value and wrong one. Zeros where
/// there is no such element.
pub fn change(tensor: &mut Tensor, at: usize) -> (i32, i32) {
    let Some(right) = tensor.get(at) else {
        return (0, 0);
    };
    let (_, high) = tensor.dtype().range();
    let wrong = if right < high { right + 1 } else { right - 1 };
    set(tensor, at, wrong);
    (right, wrong)
}

/// Writes one element; any bit pattern of the type.
pub fn set(tensor: &mut Tensor, at: usize, value: i32) {
    match tensor {
        Tensor::I8(values) => values[at] = i8::try_from(value).unwrap_or(i8::MIN),
        Tensor::I16(values) => values[at] = i16::try_from(value).unwrap_or(i16::MIN),
        Tensor::I32(values) => values[at] = value,
    }
}

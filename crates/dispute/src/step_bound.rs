//! Bound on what the step on any element of a node opens: tiles, siblings, calldata.
//!
//! ```text
//! siblings of a run of neighbouring tiles in a tree of depth d: at most 2 d; of one tile: d
//! ```
//!
//! Spec: programs, 1.6; commitments, 2.5.

use selfsame_commit::{depth, tile_count};
use selfsame_ir::{CheckedProgram, DType, DimValues, Linear, Op, opened_bytes};
use selfsame_protocol::constants::TILE_BYTES;

const WORD: u64 = 32;
/// Bytes of the constants of a channel or column.
const CONSTANT_BYTES: u64 = 16;

/// The bound of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct StepBound {
    /// Bytes of tiles.
    pub(crate) bytes: u64,
    /// Siblings of all openings.
    pub(crate) siblings: u64,
    /// Bytes of the openings in calldata.
    pub(crate) calldata: u64,
}

impl StepBound {
    /// The bound of `node`, at the given values; nothing for a node that the program has not.
    pub(crate) fn new(program: &CheckedProgram, values: &DimValues, node: u32) -> Self {
        let Some(at) = program.node(node) else {
            return Self::default();
        };
        let inputs: &[u32] = &at.inputs;
        let input = |slot: usize| {
            let source = inputs.get(slot);
            let output = source.and_then(|&input| program.output_of(input, values));
            output.unwrap_or((0, DType::I8))
        };
        let (elements, dtype) = input(0);
        let bytes = opened_bytes(&at.op, dtype, values).unwrap_or(0);
        let others: u64 = match &at.op {
            // Only the input that holds the element is opened.
            Op::Concat(_) => (1..inputs.len())
                .map(|slot| path(input(slot)))
                .max()
                .unwrap_or(0),
            Op::BatchMatMul(_) => 2 * path(input(1)) + path(input(2)),
            Op::Input(_)
            | Op::MatMul(_)
            | Op::Conv(_)
            | Op::MaxPool(_)
            | Op::AvgPool(_)
            | Op::Move(_)
            | Op::Pointwise(_)
            | Op::Reduce(_)
            | Op::Normalize(_)
            | Op::Embedding(_) => (1..inputs.len()).map(|slot| path(input(slot))).sum(),
        };
        let tiles = bytes.div_ceil(u64::from(TILE_BYTES));
        let own = path((elements, dtype));
        let first = (2 * own).saturating_mul(runs(&at.op));
        let first = first.min(tiles.saturating_mul(own));
        let siblings = first + others + tensors(&at.op, at.dtype);
        let slots = inputs.len() as u64 + at.op.tensor_count() as u64;
        let calldata = WORD + slots * (5 * WORD) + bytes + siblings * WORD + slots * WORD;
        Self {
            bytes,
            siblings,
            calldata,
        }
    }
}

/// Siblings of one tile of so many elements.
fn path((elements, dtype): (u64, DType)) -> u64 {
    let bytes = elements.saturating_mul(u64::from(dtype.size()));
    u64::from(depth(tile_count(bytes)))
}

/// Runs of neighbouring tiles that a step reads of its first input.
fn runs(op: &Op) -> u64 {
    match op {
        Op::Conv(op) if op.groups == 1 && op.window.dilation[1] == 1 => op.window.kernel[0].into(),
        Op::Conv(op) => op.window.cells(),
        Op::MaxPool(op) => op.window.cells(),
        Op::AvgPool(op) => op.window.cells(),
        Op::Input(_)
        | Op::MatMul(_)
        | Op::Move(_)
        | Op::Concat(_)
        | Op::Pointwise(_)
        | Op::BatchMatMul(_)
        | Op::Reduce(_)
        | Op::Normalize(_)
        | Op::Embedding(_) => 1,
    }
}

/// Siblings of the tensors' openings; a table of an activation is opened whole and has none.
fn tensors(op: &Op, output: DType) -> u64 {
    let constants = |columns: u64| path((columns.saturating_mul(CONSTANT_BYTES), DType::I8));
    let linear = |linear: &Linear| {
        let weights = linear.weights.len() as u64;
        2 * path((weights, DType::I8)) + constants(linear.constants.len() as u64)
    };
    match op {
        Op::MatMul(op) => linear(&op.linear),
        Op::Conv(op) => linear(&op.linear),
        Op::Pointwise(op) => op.second.as_ref().map_or(0, |y| {
            let held = y.constant.as_ref().map_or(0, |c| u64::from(c.elements));
            path((held, y.dtype))
        }),
        Op::Normalize(op) => constants(u64::from(op.columns)),
        Op::Embedding(op) => path((
            u64::from(op.entries).saturating_mul(op.columns.into()),
            output,
        )),
        Op::Input(_)
        | Op::MaxPool(_)
        | Op::AvgPool(_)
        | Op::Move(_)
        | Op::Concat(_)
        | Op::BatchMatMul(_)
        | Op::Reduce(_) => 0,
    }
}

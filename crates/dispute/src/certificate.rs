//! What a whole game on a model can cost at most, before anybody plays it.
//!
//! ```text
//! gas of a move = max(21000 + 16 b + execution, 21000 + 40 b)      b: calldata bytes, all non-zero
//! execution of a step = fixed + terms * per_term + opened bytes * per_byte + hashes * per_hash
//! ```
//!
//! The second form is the calldata floor of EIP-7623. The coefficients are measured ([`Costs`]).
//!
//! Spec: game, 4.6; claims, 3.3; programs, 1.6.

use alloc::vec::Vec;

use selfsame_commit::depth;
use selfsame_ir::{CheckedProgram, DType, DimValues, NodeLeaf};
use selfsame_protocol::Hash;
use selfsame_protocol::constants::TILE_BYTES;

use crate::schedule::{Descent, Schedule};
use crate::step_bound::StepBound;

/// Gas coefficients of the contracts, measured on whole games and rounded up: execution beside
/// the calldata and the 21,000 of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Costs {
    /// Opening the first game on a claim.
    pub open: u64,
    /// The first answer.
    pub first_answer: u64,
    /// Naming a node.
    pub name_node: u64,
    /// A later answer.
    pub answer: u64,
    /// Opening a segment.
    pub answer_segment: u64,
    /// Naming an entry.
    pub name_entry: u64,
    /// Answering a tile.
    pub answer_tile: u64,
    /// A step that convicts, payouts included.
    pub step: u64,
    /// One term of a step whose elements are i8, in thousandths of gas.
    pub per_term_milli: u64,
    /// One term of a step whose elements are wider, in thousandths of gas.
    pub per_wide_term_milli: u64,
    /// One opened byte of a step: copying and hashing, in thousandths of gas.
    pub per_byte_milli: u64,
    /// One inner hash.
    pub per_hash: u64,
    /// Each input of the node beyond the second.
    pub per_input: u64,
}

impl Costs {
    /// Of the committed contracts (the suite `game_gas` holds them to be upper bounds).
    pub const MEASURED: Self = Self {
        open: 212_000,
        first_answer: 106_000,
        name_node: 84_000,
        answer: 72_000,
        answer_segment: 110_000,
        name_entry: 49_000,
        answer_tile: 75_000,
        step: 232_000,
        per_term_milli: 12_000,
        per_wide_term_milli: 24_000,
        per_byte_milli: 8_000,
        per_hash: 600,
        per_input: 6_000,
    };
}

/// The chain's constants that clocks are made of, in seconds and rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// Longest forced-inclusion delay C.
    pub censorship_seconds: u64,
    /// One ordinary inclusion.
    pub inclusion_seconds: u64,
    /// Of a slow honest machine making a trace.
    pub macs_per_second: u64,
    /// Of a slow honest machine fetching a model.
    pub bytes_per_second: u64,
    /// Least window of any model.
    pub window_min_seconds: u64,
}

/// One move of the worst game.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MoveCost {
    /// The contract's function.
    pub name: &'static str,
    /// Calldata bytes.
    pub calldata: u64,
    /// Modelled gas.
    pub gas: u64,
}

/// The bound of a whole game.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Node of the most expensive step.
    pub leaf_node: u32,
    /// Terms that one element of it reads.
    pub leaf_terms: u64,
    /// Bytes of tiles that the step opens.
    pub leaf_opened_bytes: u64,
    /// Modelled gas of that step.
    pub leaf_gas: u64,
    /// Challenger's moves of the deepest descent, opening and step included.
    pub challenger_moves: u32,
    /// The moves and answers of the dearest game, in order.
    pub moves: Vec<MoveCost>,
    /// Their calldata bytes.
    pub calldata_bytes: u64,
    /// Their modelled gas.
    pub gas_total: u64,
    /// Seconds of each side.
    pub clock_seconds: u64,
    /// Least window of a request.
    pub window_floor_seconds: u64,
    /// Latest finality after the claim, with the least window.
    pub final_seconds: u64,
}

/// The certificate of a program at its symbols' maxima.
pub fn certify(program: &CheckedProgram, costs: &Costs, clocks: &Clocks) -> Certificate {
    let values = DimValues::maxima(&program.program().symbols);
    let schedule = Schedule::of(program);
    let games: Vec<WorstGame> = (1..program.nodes().len())
        .filter_map(|node| u32::try_from(node).ok())
        .map(|node| game_on(program, &values, node, costs))
        .collect();
    let leaf = games.iter().max_by_key(|game| game.step_gas());
    let game = games.iter().max_by_key(|game| game.total_gas());
    let moves = game.map(|game| game.moves.clone()).unwrap_or_default();
    let challenger_moves = (1..program.nodes().len())
        .filter_map(|node| u32::try_from(node).ok())
        .map(|node| schedule.moves(program.output_bytes(node, &values)))
        .max()
        .unwrap_or(0);
    let macs = program
        .macs()
        .checked_div(clocks.macs_per_second)
        .unwrap_or(u64::MAX);
    let held = program.tensor_bytes() + program.output_bytes(program.program().output, &values);
    let fetch = held
        .checked_div(clocks.bytes_per_second)
        .unwrap_or(u64::MAX);
    let clock_seconds = clocks
        .censorship_seconds
        .saturating_add(u64::from(challenger_moves).saturating_mul(clocks.inclusion_seconds))
        .saturating_add(macs);
    let window_floor_seconds = clocks
        .censorship_seconds
        .saturating_add(clocks.inclusion_seconds)
        .saturating_add(macs)
        .saturating_add(fetch)
        .max(clocks.window_min_seconds);
    Certificate {
        leaf_node: leaf.map_or(0, |leaf| leaf.node),
        leaf_terms: leaf.map_or(0, |leaf| leaf.terms),
        leaf_opened_bytes: leaf.map_or(0, |leaf| leaf.opened),
        leaf_gas: leaf.map_or(0, WorstGame::step_gas),
        challenger_moves,
        calldata_bytes: moves.iter().map(|cost| cost.calldata).sum(),
        gas_total: moves.iter().map(|cost| cost.gas).sum(),
        moves,
        clock_seconds,
        window_floor_seconds,
        final_seconds: window_floor_seconds.saturating_add(clock_seconds.saturating_mul(2)),
    }
}

/// The dearest game about an element of one node.
struct WorstGame {
    node: u32,
    terms: u64,
    opened: u64,
    moves: Vec<MoveCost>,
}

impl WorstGame {
    fn total_gas(&self) -> u64 {
        self.moves.iter().map(|cost| cost.gas).sum()
    }

    fn step_gas(&self) -> u64 {
        self.moves.last().map_or(0, |step| step.gas)
    }
}

const WORD: u64 = 32;
/// Game id, claim key, previous head.
const LINK: u64 = 3 * WORD;

/// Bytes of an ABI array of `count` words, of which the head counts elsewhere.
fn array(count: u64) -> u64 {
    WORD + WORD * count
}

fn padded(bytes: u64) -> u64 {
    WORD + bytes.next_multiple_of(WORD)
}

fn move_cost(name: &'static str, calldata: u64, execution: u64) -> MoveCost {
    let calldata = calldata + 4;
    let gas = 21_000 + (16 * calldata + execution).max(40 * calldata);
    MoveCost {
        name,
        calldata,
        gas,
    }
}

/// Every move of a game that ends at an element of `node`.
fn game_on(program: &CheckedProgram, values: &DimValues, node: u32, costs: &Costs) -> WorstGame {
    let mut moves = alloc::vec![move_cost("open", 2 * WORD, costs.open)];
    descend_trace(program, values, node, costs, &mut moves);
    descend_tensor(program.output_bytes(node, values), costs, &mut moves);
    let opening = StepBound::new(program, values, node);
    let terms = program.node(node).map_or(0, |node| node.op.terms(values));
    let node_depth = u64::from(depth(program.nodes().len() as u64));
    // Of an input: to the trace root, or to the root of the node's segment.
    let segments = program.segments();
    let input_depth = u64::from(depth(segments.committed().len() as u64)).max(u64::from(depth(
        segments.interior_around(node).len() as u64,
    )));
    let inputs = program.node(node).map_or(0, |node| node.inputs.len()) as u64;
    let inputs = inputs.max(2);
    let calldata = LINK
        + 10 * WORD
        + padded(
            program
                .output_bytes(node, values)
                .min(u64::from(TILE_BYTES)),
        )
        + padded(leaf_len(program, node))
        + array(node_depth)
        + array(values.0.len() as u64)
        + array(inputs)
        + array(inputs * input_depth)
        + WORD
        + opening.calldata;
    let execution = costs.step
        + terms * per_term_milli(program, node, costs) / 1000
        + opening.bytes * costs.per_byte_milli / 1000
        + (opening.siblings + node_depth + inputs * input_depth) * costs.per_hash
        + (inputs - 2) * costs.per_input;
    moves.push(move_cost("step", calldata, execution));
    WorstGame {
        node,
        terms,
        opened: opening.bytes,
        moves,
    }
}

fn per_term_milli(program: &CheckedProgram, node: u32, costs: &Costs) -> u64 {
    match source_type(program, node) {
        DType::I8 => costs.per_term_milli,
        DType::I16 | DType::I32 => costs.per_wide_term_milli,
    }
}

/// Element type of a node's first input.
fn source_type(program: &CheckedProgram, node: u32) -> DType {
    let inputs = program.node(node).map(|node| node.inputs.as_slice());
    let first = inputs.and_then(|inputs| inputs.first());
    let source = first.and_then(|&input| program.node(input));
    source.map_or(DType::I8, |source| source.dtype)
}

/// From the first answer to the naming of `node`.
fn descend_trace(
    program: &CheckedProgram,
    values: &DimValues,
    node: u32,
    costs: &Costs,
    moves: &mut Vec<MoveCost>,
) {
    let trace = Schedule::of(program).trace();
    let node_depth = u64::from(depth(program.nodes().len() as u64));
    let shown = trace.opens(trace.depth());
    let entries = trace.leaves().div_ceil(1 << shown);
    let proof = if shown == 0 {
        0
    } else {
        2 * u64::from(trace.depth())
    };
    moves.push(move_cost(
        "firstAnswer",
        LINK + 2 * WORD + array(entries) + array(proof),
        costs.first_answer + costs.per_hash * (entries + proof),
    ));
    descend(&trace, shown, costs, moves);
    let last = u64::from(if shown == 0 { trace.depth() } else { shown });
    let name = |node: u32, siblings: u64| {
        let named = LINK
            + 7 * WORD
            + array(siblings)
            + padded(leaf_len(program, node))
            + array(node_depth)
            + array(values.0.len() as u64);
        let execution = costs.name_node + costs.per_hash * (siblings + node_depth);
        move_cost("nameNode", named, execution)
    };
    let segments = program.segments();
    let interior = segments.interior_around(node).len() as u64;
    if interior == 0 {
        moves.push(name(node, last));
        return;
    }
    let number = segments.place(node).segment as usize;
    let end = segments.committed().get(number).copied();
    moves.push(name(end.unwrap_or(node), last));
    moves.push(move_cost(
        "answerSegment",
        LINK + WORD + array(interior),
        costs.answer_segment + costs.per_hash * interior,
    ));
    moves.push(name(node, u64::from(depth(interior))));
}

/// From a node's root to the bytes of one of its tiles.
fn descend_tensor(bytes: u64, costs: &Costs, moves: &mut Vec<MoveCost>) {
    let tensor = Descent::tensor(bytes);
    if tensor.depth() > 0 {
        let below = tensor.opens(tensor.depth());
        let shown = tensor
            .leaves()
            .div_ceil(1 << below)
            .min(1 << (tensor.depth() - below));
        let execution = costs.answer + costs.per_hash * shown;
        moves.push(move_cost("answer", LINK + WORD + array(shown), execution));
        descend(&tensor, below, costs, moves);
        let siblings = u64::from(tensor.depth() - below);
        let execution = costs.name_entry + costs.per_hash * siblings;
        moves.push(move_cost(
            "nameEntry",
            LINK + 3 * WORD + array(siblings),
            execution,
        ));
    }
    let tile = bytes.min(u64::from(TILE_BYTES));
    moves.push(move_cost(
        "answerTile",
        LINK + WORD + padded(tile),
        costs.answer_tile,
    ));
}

/// Answers and entries named from level `from` down, but for the entry at the bottom.
fn descend(descent: &Descent, from: u32, costs: &Costs, moves: &mut Vec<MoveCost>) {
    let mut level = from;
    while level > 0 {
        let below = descent.opens(level);
        let count = 1_u64 << (level - below);
        let siblings = u64::from(descent.depth() - level).min(8);
        moves.push(move_cost(
            "nameEntry",
            6 * WORD + array(siblings),
            costs.name_entry + costs.per_hash * siblings,
        ));
        moves.push(move_cost(
            "answer",
            4 * WORD + array(count),
            costs.answer + costs.per_hash * count,
        ));
        level = below;
    }
}

/// Bytes of a node's leaf; what the roots and the total are does not change them.
fn leaf_len(program: &CheckedProgram, node: u32) -> u64 {
    program.node(node).map_or(0, |at| {
        let roots = alloc::vec![Hash::ZERO; at.op.tensor_count()];
        NodeLeaf::new(at, node, program.segments(), roots, 0)
            .encode()
            .len() as u64
    })
}

//! Which nodes of a program a trace commits to, and which only when a game asks.
//!
//! Hashing a transformer's tensors takes as long as computing them, and most of them lie between two
//! values that are read later on: the best cuts are the ones with the fewest bytes. A shortest path over the
//! nodes finds them:
//!
//! ```text
//! least[b] = bytes[b] + min over a of least[a],  (a, b) allowed as the interior of one segment
//! ```
//!
//! A program of few bytes keeps every node committed: its games are a move shorter. Spec: programs, 1.22.

use selfsame_ir::{CheckedProgram, DimValues, Node, Program, ProgramError};
use selfsame_protocol::constants::SEGMENT_INTERIOR_MAX;

/// Bytes of all outputs from which on a program gets interior nodes: some quarter of a millisecond of
/// hashing.
const FROM_BYTES: u64 = 1 << 20;

/// A segment with interior nodes holds at most this share of the multiplications, so that a trace root
/// says something of every part of a run: nobody makes it without having computed so many parts.
const SHARES: u64 = 7;

/// Checks a program, with the interior nodes that suit it.
pub(crate) fn checked(program: Program) -> Result<CheckedProgram, ProgramError> {
    let program = CheckedProgram::new(program)?;
    let interior = interior(&program);
    if interior.is_empty() {
        return Ok(program);
    }
    CheckedProgram::new(Program {
        interior,
        ..program.into_program()
    })
}

/// The nodes between the cheapest cuts, increasing.
fn interior(program: &CheckedProgram) -> Vec<u32> {
    let values = DimValues::maxima(&program.program().symbols);
    let count = program.nodes().len();
    let bytes: Vec<u64> = (0..)
        .zip(program.nodes())
        .map(|(node, _)| program.output_of(node, &values))
        .map(|output| output.map_or(0, |(count, dtype)| count * u64::from(dtype.size())))
        .collect();
    if bytes.iter().sum::<u64>() < FROM_BYTES {
        return Vec::new();
    }
    let last_reader = last_readers(program.nodes());
    let output = program.program().output as usize;
    let allowed = |node: usize, end: usize| node != output && last_reader[node] <= end;
    let macs = |before: usize, end: usize| program.running_macs(end) - program.running_macs(before);
    // The least bytes of a trace up to each node, if it is committed, and the committed one before it.
    let mut least = vec![(0_u64, 0_usize); count];
    for end in 1..count {
        let mut best = (least[end - 1].0, end - 1);
        for before in (0..end - 1).rev().take(SEGMENT_INTERIOR_MAX as usize) {
            if !allowed(before + 1, end) || program.macs() / SHARES < macs(before, end) {
                break;
            }
            if least[before].0 < best.0 {
                best = (least[before].0, before);
            }
        }
        least[end] = (best.0.saturating_add(bytes[end]), best.1);
    }
    let mut committed = vec![false; count];
    let mut at = count - 1;
    while 0 < at {
        committed[at] = true;
        at = least[at].1;
    }
    (1..)
        .zip(&committed[1..])
        .filter_map(|(node, &committed)| (!committed).then_some(node))
        .collect()
}

/// The last node that reads each node; itself where none does.
fn last_readers(nodes: &[Node]) -> Vec<usize> {
    let mut last: Vec<usize> = (0..nodes.len()).collect();
    for (reader, node) in nodes.iter().enumerate() {
        for &input in &node.inputs {
            last[input as usize] = reader;
        }
    }
    last
}

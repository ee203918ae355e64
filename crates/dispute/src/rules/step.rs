//! The step: one element, recomputed.
//!
//! Spec: game, 4.7 and 4.8.

use selfsame_commit::{multiproof_root, tile_hash};
use selfsame_protocol::Hash;
use selfsame_protocol::constants::TILE_BYTES;

use crate::board::{Address, Board, Link, NodeFacts, Outcome, Stage, Step};
use crate::evaluate::evaluate;
use crate::refusal::Refusal;
use crate::rules::{challenger_moves, expect_hash, expect_leaf, store};
use crate::witness::{Sources, Witness};

pub(crate) fn step(
    board: &mut Board,
    model: &NodeFacts<'_>,
    sender: Address,
    index: usize,
    link: &Link,
    step: &Step,
    now: u64,
) -> Result<(), Refusal> {
    let mut game = challenger_moves(board, sender, index, link, now)?;
    if game.stage != Stage::Tile {
        return Err(Refusal::WrongStage { actual: game.stage });
    }
    let witness = &step.witness;
    expect_leaf(model, game.node, &witness.node_leaf, &witness.leaf_siblings)?;
    expect_hash(game.cursor, tile_hash(&step.tile))?;
    let size = model
        .program
        .node(game.node)
        .map_or(1, |node| node.dtype.size());
    let elements = (step.tile.len() / size as usize) as u64;
    if elements <= u64::from(step.element) {
        return Err(Refusal::ElementOutsideTile {
            elements,
            actual: step.element.into(),
        });
    }
    let element = game.position * u64::from(TILE_BYTES / size) + u64::from(step.element);
    let actual = value_at(&step.tile, step.element, size);
    let expected = verdict(board, model, game.node, element, step)?;
    if expected == actual {
        return Err(Refusal::ValueAgrees {
            node: game.node,
            element,
            value: actual,
        });
    }
    board.outcome = Some(Outcome::Element {
        node: game.node,
        element,
        expected,
        actual,
    });
    game.stage = Stage::Over;
    game.settled = true;
    store(board, index, game, link);
    Ok(())
}

/// What the openings give, after their roots were found in trace and segment.
fn verdict(
    board: &Board,
    model: &NodeFacts<'_>,
    node: u32,
    element: u64,
    step: &Step,
) -> Result<i64, Refusal> {
    let witness = &step.witness;
    let sources = Sources::of(model, node);
    let (expected, actual) = (sources.names.len(), witness.input_roots.len());
    if expected != actual {
        return Err(Refusal::InputCount { expected, actual });
    }
    prove_sources(board, model, &sources, witness)?;
    let evaluated = evaluate(model, node, element, &witness.openings)?;
    let inputs = model.program.node(node).map(|node| node.inputs.as_slice());
    let inputs = inputs.unwrap_or_default().iter();
    for (slot, (&input, opened)) in inputs.zip(&evaluated.input_roots).enumerate() {
        let name = model.place(input).name();
        let at = sources.names.binary_search(&name).unwrap_or(0);
        let expected = witness.input_roots.get(at).copied().unwrap_or_default();
        match opened {
            Some(actual) if *actual != expected => {
                return Err(Refusal::OpenedRoot {
                    slot,
                    expected,
                    actual: *actual,
                });
            }
            Some(_) | None => {}
        }
    }
    Ok(evaluated.value.into())
}

/// Finds the roots of the node's inputs in the trace, and in the segment that the node is in.
fn prove_sources(
    board: &Board,
    model: &NodeFacts<'_>,
    sources: &Sources,
    witness: &Witness,
) -> Result<(), Refusal> {
    let (committed, offsets) = (sources.committed(), sources.offsets());
    let at = committed.len().min(witness.input_roots.len());
    let (roots, interior_roots) = witness.input_roots.split_at(at);
    let expected = board.trace_root.map(|(root, _)| root).unwrap_or_default();
    let leaves = model.committed_count();
    let actual = proved(expected, leaves, &committed, roots, &witness.trace_siblings)?;
    if expected != actual {
        return Err(Refusal::TraceRoot { expected, actual });
    }
    let expected = board.segment_roots.get(&sources.segment).copied();
    let expected = expected.unwrap_or_default();
    let leaves = model.interior(sources.segment).len() as u64;
    let siblings = &witness.segment_siblings;
    let actual = proved(expected, leaves, &offsets, interior_roots, siblings)?;
    if expected == actual {
        Ok(())
    } else {
        Err(Refusal::SegmentRoot { expected, actual })
    }
}

/// Root that the roots at `indices` lead to; `expected` where there are none.
fn proved(
    expected: Hash,
    leaves: u64,
    indices: &[u64],
    roots: &[Hash],
    siblings: &[Hash],
) -> Result<Hash, Refusal> {
    if !indices.is_empty() {
        return Ok(multiproof_root(leaves, indices, roots, siblings)?);
    }
    match siblings.len() {
        0 => Ok(expected),
        given => Err(Refusal::ProofSiblingExtra { used: 0, given }),
    }
}

/// Element `index` of a tile of elements of `size` bytes, big-endian two's complement.
fn value_at(tile: &[u8], index: u32, size: u32) -> i64 {
    let start = (index as usize).saturating_mul(size as usize);
    let bytes = tile
        .get(start..start.saturating_add(size as usize))
        .unwrap_or_default();
    let sign = bytes
        .first()
        .map_or(0, |&first| if first < 0x80 { 0 } else { -1 });
    bytes
        .iter()
        .fold(sign, |value: i64, &byte| (value << 8) | i64::from(byte))
}

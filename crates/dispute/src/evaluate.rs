//! What a leaf contract makes of a step's openings: the element, and the root of each opening.
//!
//! The meaning is the interpreter's: the opened tiles are laid into tensors that are zero elsewhere,
//! which is sound because the element reads nothing else.
//!
//! Spec: game, 4.8.

use alloc::vec::Vec;

use selfsame_commit::{multiproof_root, tile_count, tile_hash, tile_range};
use selfsame_interpreter::element as meaning;
use selfsame_ir::{DType, Op, Tensor};
use selfsame_protocol::Hash;
use selfsame_protocol::constants::TILE_BYTES;

use crate::board::NodeFacts;
use crate::reads::{Reads, SlotReads, reads};
use crate::refusal::Refusal;
use crate::witness::Opening;

/// The verdict on one element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluated {
    /// The element's value.
    pub value: i32,
    /// Roots of the openings of inputs; `None` for one that reads nothing.
    pub input_roots: Vec<Option<Hash>>,
}

/// Recomputes element `element` of `node` from openings alone.
///
/// The node must be a computed node of the program and the values within its bounds; else the
/// element counts as outside. Refusals have the names of the leaf contracts' errors.
pub fn evaluate(
    model: &NodeFacts<'_>,
    node: u32,
    element: u64,
    openings: &[Opening],
) -> Result<Evaluated, Refusal> {
    let NodeFacts {
        program,
        commitment,
        values,
    } = *model;
    let outside = |elements| Refusal::ElementOutside {
        elements,
        actual: element,
    };
    let at = program.node(node).ok_or_else(|| outside(0))?;
    let leaf = commitment
        .leaves
        .get(node as usize)
        .ok_or_else(|| outside(0))?;
    let expected = at.inputs.len() + leaf.tensor_roots.len();
    if openings.len() != expected {
        return Err(Refusal::OpeningCount {
            expected,
            actual: openings.len(),
        });
    }
    let elements = program
        .output_of(node, values)
        .map_or(0, |(elements, _)| elements);
    if elements <= element {
        return Err(outside(elements));
    }
    let sources: Vec<(u64, DType)> = at
        .inputs
        .iter()
        .filter_map(|&input| program.output_of(input, values))
        .collect();
    let first = sources.first().map_or(DType::I8, |&(_, dtype)| dtype);
    let opened = |at| {
        openings
            .first()
            .map_or(0, |opening| in_tile(opening, first, at))
    };
    let reads = reads(&at.op, first, values, element, &opened).map_err(|_| outside(elements))?;

    let roots = opened_roots(&reads, order_of_checks(&at.op, &reads), openings)?;
    expect_tensors(
        &leaf.tensor_roots,
        roots.get(reads.inputs..).unwrap_or_default(),
    )?;

    let inputs: Vec<Tensor> = sources
        .iter()
        .zip(&reads.slots)
        .zip(openings)
        .filter_map(|((&(count, dtype), slot), opening)| lay_out(count, dtype, slot, opening))
        .collect();
    let inputs: Vec<&Tensor> = inputs.iter().collect();
    Ok(Evaluated {
        value: meaning(&at.op, values, &inputs, element),
        input_roots: roots.into_iter().take(reads.inputs).collect(),
    })
}

/// The root of each opening, by slot.
fn opened_roots(
    reads: &Reads,
    order: Vec<usize>,
    openings: &[Opening],
) -> Result<Vec<Option<Hash>>, Refusal> {
    let mut roots = alloc::vec![None; reads.slots.len()];
    for slot in order {
        let root = opened_root(slot, &reads.slots, openings)?;
        if let Some(place) = roots.get_mut(slot) {
            *place = root;
        }
    }
    Ok(roots)
}

fn expect_tensors(expected: &[Hash], actual: &[Option<Hash>]) -> Result<(), Refusal> {
    for (slot, (&expected, actual)) in expected.iter().zip(actual).enumerate() {
        let actual = actual.unwrap_or_default();
        if actual != expected {
            return Err(Refusal::TensorRoot {
                slot,
                expected,
                actual,
            });
        }
    }
    Ok(())
}

/// The order in which the leaf contracts look at the slots: that of the node leaf, but of a linear
/// node x, weights, constants, addend, row factor, table.
fn order_of_checks(op: &Op, reads: &Reads) -> Vec<usize> {
    let (slots, inputs) = (reads.slots.len(), reads.inputs);
    if op.linear().is_some() {
        let own = (inputs + 2).min(slots);
        let order = [0].into_iter().chain(inputs..own).chain(1..inputs);
        order.chain(own..slots).collect()
    } else {
        (0..slots).collect()
    }
}

/// Element `at` of a tensor of which the tile that holds it is opened alone; 0 beyond the tile.
fn in_tile(opening: &Opening, dtype: DType, at: u64) -> i32 {
    let size = u64::from(dtype.size());
    element_at(
        &opening.tiles,
        dtype,
        at.saturating_mul(size) % u64::from(TILE_BYTES),
    )
}

/// The element whose canonical bytes begin at byte `start`; 0 beyond the end.
pub(crate) fn element_at(bytes: &[u8], dtype: DType, start: u64) -> i32 {
    let start = usize::try_from(start).unwrap_or(usize::MAX);
    let own = bytes.get(start..start.saturating_add(dtype.size() as usize));
    let element = own.and_then(|own| Tensor::from_bytes(dtype, 1, own).ok());
    element.and_then(|element| element.get(0)).unwrap_or(0)
}

/// The root that an opening leads to; `None` where nothing is read.
fn opened_root(
    slot: usize,
    slots: &[SlotReads],
    openings: &[Opening],
) -> Result<Option<Hash>, Refusal> {
    let (Some(reads), Some(opening)) = (slots.get(slot), openings.get(slot)) else {
        return Ok(None);
    };
    let (expected, actual) = (reads.bytes(), opening.tiles.len() as u64);
    if expected != actual {
        return Err(Refusal::TileBytes {
            slot,
            expected,
            actual,
        });
    }
    if reads.tiles.is_empty() {
        return match opening.siblings.len() {
            0 => Ok(None),
            given => Err(Refusal::ProofSiblingExtra { used: 0, given }),
        };
    }
    let hashes: Vec<Hash> = opening
        .tiles
        .chunks(TILE_BYTES as usize)
        .map(tile_hash)
        .collect();
    let leaves = tile_count(reads.length);
    Ok(Some(multiproof_root(
        leaves,
        &reads.tiles,
        &hashes,
        &opening.siblings,
    )?))
}

/// A tensor of `count` elements that holds the opened tiles, and zero elsewhere.
fn lay_out(count: u64, dtype: DType, slot: &SlotReads, opening: &Opening) -> Option<Tensor> {
    let mut bytes = alloc::vec![0; usize::try_from(slot.length).ok()?];
    for (&tile, chunk) in slot
        .tiles
        .iter()
        .zip(opening.tiles.chunks(TILE_BYTES as usize))
    {
        let start = usize::try_from(tile_range(slot.length, tile).start).ok()?;
        bytes
            .get_mut(start..start.checked_add(chunk.len())?)?
            .copy_from_slice(chunk);
    }
    Tensor::from_bytes(dtype, usize::try_from(count).ok()?, &bytes).ok()
}

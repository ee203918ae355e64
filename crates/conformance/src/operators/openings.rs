//! Openings that are not what the element reads: the leaf contracts and the game's Rust twin must
//! refuse them by the same error with the same numbers.
//!
//! Spec: commitments, 2.4 and 2.5; game, 4.8.

use alloy_primitives::{B256, U256};
use alloy_sol_types::{SolError, sol};
use selfsame_dispute::{Opening, Refusal};
use selfsame_protocol::Hash;

use crate::generator::Rng;

sol! {
    error OpeningCount(uint256 expected, uint256 actual);
    error TileBytes(uint256 slot, uint256 expected, uint256 actual);
    error TensorRoot(uint256 slot, bytes32 expected, bytes32 actual);
    error ElementOutside(uint256 elements, uint256 actual);
    error ProofSiblingMissing(uint256 given);
    error ProofSiblingExtra(uint256 used, uint256 given);
}

/// The bytes with which a leaf contract reverts for `refusal`; `None` where it never does.
pub fn revert_data(refusal: &Refusal) -> Option<Vec<u8>> {
    let word = |hash: &Hash| B256::from(hash.0);
    Some(match *refusal {
        Refusal::OpeningCount { expected, actual } => OpeningCount {
            expected: U256::from(expected),
            actual: U256::from(actual),
        }
        .abi_encode(),
        Refusal::TileBytes {
            slot,
            expected,
            actual,
        } => {
            let (expected, actual) = (U256::from(expected), U256::from(actual));
            TileBytes {
                slot: U256::from(slot),
                expected,
                actual,
            }
            .abi_encode()
        }
        Refusal::TensorRoot {
            slot,
            expected,
            actual,
        } => {
            let (expected, actual) = (word(&expected), word(&actual));
            TensorRoot {
                slot: U256::from(slot),
                expected,
                actual,
            }
            .abi_encode()
        }
        Refusal::ElementOutside { elements, actual } => ElementOutside {
            elements: U256::from(elements),
            actual: U256::from(actual),
        }
        .abi_encode(),
        Refusal::ProofSiblingMissing { given } => ProofSiblingMissing {
            given: U256::from(given),
        }
        .abi_encode(),
        Refusal::ProofSiblingExtra { used, given } => ProofSiblingExtra {
            used: U256::from(used),
            given: U256::from(given),
        }
        .abi_encode(),
        _ => return None,
    })
}

/// Spoils openings in one way: a byte, a sibling, a tile, a slot, or their order.
pub fn spoil(openings: &mut Vec<Opening>, rng: &mut Rng) {
    let count = openings.len();
    let index = usize::try_from(rng.below(count as u64)).expect("below a length");
    let other = usize::try_from(rng.below(count as u64)).expect("below a length");
    let opening = &mut openings[index];
    let place =
        |rng: &mut Rng, len: usize| usize::try_from(rng.below(len as u64)).expect("below a length");
    match rng.below(9) {
        0 if !opening.tiles.is_empty() => {
            let at = place(rng, opening.tiles.len());
            // Kept within int8: bad bytes have suites of their own.
            opening.tiles[at] = if opening.tiles[at] == 1 { 2 } else { 1 };
        }
        1 if !opening.siblings.is_empty() => {
            let at = place(rng, opening.siblings.len());
            opening.siblings[at].0[0] ^= 1;
        }
        2 => {
            opening.siblings.pop();
        }
        3 => opening.siblings.push(selfsame_commit::absent(0)),
        4 => opening.tiles.push(0),
        5 => {
            opening.tiles.pop();
        }
        6 => opening
            .tiles
            .truncate(opening.tiles.len().saturating_sub(512)),
        7 => openings.swap(index, other),
        _ => {
            openings.remove(index);
        }
    }
}

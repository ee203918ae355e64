//! The rules of the game, one small function each; [`crate::Board::apply`] picks the one of a move.
//!
//! The order of checks in each function is the contract's, so that a move with two faults is
//! refused by the same name.
//!
//! Spec: game, 4.1 to 4.10.

mod answers;
mod naming;
mod step;

use alloc::vec::Vec;

use selfsame_commit::{absent, depth, inner, level_len};
use selfsame_protocol::constants::TAG_NODE_LEAF;
use selfsame_protocol::{Hash, keccak256, keccak256_tagged};

use crate::board::{Address, Board, Game, Link, NodeFacts, Outcome, Side, Stage};
use crate::refusal::Refusal;
use crate::schedule::Descent;

pub(crate) use answers::{answer, answer_segment, answer_tile, first_answer};
pub(crate) use naming::{Named, name_entry, name_node};
pub(crate) use step::step;

/// keccak256(abi.encode(claim key, index)).
pub fn game_id(claim_key: Hash, index: u64) -> Hash {
    keccak256(&words(&[claim_key, word(index)]))
}

/// Head of a game that was just opened: keccak256(abi.encode(claim key, challenger, index)).
pub fn claim_head(claim_key: Hash, challenger: Address, index: u64) -> Hash {
    let mut padded = [0; 32];
    padded[12..].copy_from_slice(&challenger);
    keccak256(&words(&[claim_key, Hash(padded), word(index)]))
}

/// Head after a move: keccak256(abi.encode(previous, selector, keccak256(arguments))).
pub fn head_after(previous: Hash, link: &Link) -> Hash {
    let mut selector = [0; 32];
    selector[..4].copy_from_slice(&link.selector);
    keccak256(&words(&[previous, Hash(selector), link.arguments]))
}

fn word(value: u64) -> Hash {
    let mut bytes = [0; 32];
    bytes[24..].copy_from_slice(&value.to_be_bytes());
    Hash(bytes)
}

fn words(words: &[Hash]) -> Vec<u8> {
    words.iter().flat_map(|word| word.0).collect()
}

/// Hash at level `top` above the entry `hash` at (`level`, `index`) in a tree of `leaves` leaves.
pub(crate) fn path(
    leaves: u64,
    level: u32,
    index: u64,
    hash: Hash,
    top: u32,
    siblings: &[Hash],
) -> Result<Hash, Refusal> {
    let mut len = level_len(leaves, level);
    if len <= index {
        return Err(Refusal::ProofIndex { index, leaves: len });
    }
    let (mut index, mut hash, mut used) = (index, hash, 0);
    for below in level..top {
        let other = if (index ^ 1) < len {
            let given = siblings.len();
            used += 1;
            *siblings
                .get(used - 1)
                .ok_or(Refusal::ProofSiblingMissing { given })?
        } else {
            absent(below)
        };
        hash = if index.is_multiple_of(2) {
            inner(&hash, &other)
        } else {
            inner(&other, &hash)
        };
        index /= 2;
        len = len.div_ceil(2);
    }
    if used != siblings.len() {
        return Err(Refusal::ProofSiblingExtra {
            used,
            given: siblings.len(),
        });
    }
    Ok(hash)
}

// ---- Opening, and who moves when.

pub(crate) fn open(
    board: &mut Board,
    model: &NodeFacts<'_>,
    sender: Address,
    claim_key: Hash,
    now: u64,
) -> Result<(), Refusal> {
    expect_claim(board, claim_key)?;
    if board.outcome.is_some() {
        return Err(Refusal::AlreadyConvicted);
    }
    if board.claim.closes_at < now {
        return Err(Refusal::WindowOver {
            closes_at: board.claim.closes_at,
            now,
        });
    }
    let index = board.games.len() as u64;
    board.games.push(Game {
        challenger: sender,
        stage: Stage::First,
        node: 0,
        level: depth(model.committed_count()),
        position: 0,
        tensor_bytes: 0,
        cursor: Hash::ZERO,
        head: claim_head(claim_key, sender, index),
        moved_at: now,
        claimant_used: 0,
        challenger_used: 0,
        settled: false,
    });
    Ok(())
}

pub(crate) fn set_answerer(
    board: &mut Board,
    sender: Address,
    claim_key: Hash,
    answerer: Option<Address>,
) -> Result<(), Refusal> {
    expect_claim(board, claim_key)?;
    if board.claim.claimant != sender {
        return Err(Refusal::NotClaimant);
    }
    board.answerer = answerer;
    Ok(())
}

fn expect_claim(board: &Board, actual: Hash) -> Result<(), Refusal> {
    let expected = board.claim.key;
    if expected == actual {
        Ok(())
    } else {
        Err(Refusal::WrongClaim { expected, actual })
    }
}

fn running(board: &Board, index: usize) -> Result<Game, Refusal> {
    let game = board.games.get(index).ok_or(Refusal::NoGame { index })?;
    if board.outcome.is_some() {
        return Err(Refusal::AlreadyConvicted);
    }
    if game.stage == Stage::Over {
        return Err(Refusal::GameOver);
    }
    Ok(game.clone())
}

fn expect_link(board: &Board, game: &Game, link: &Link) -> Result<(), Refusal> {
    expect_claim(board, link.claim_key)?;
    if game.head != link.previous {
        return Err(Refusal::StaleMove {
            expected: game.head,
            actual: link.previous,
        });
    }
    Ok(())
}

/// Seconds used by claimant and challenger up to `now`, and when the cursor was opened.
fn used(board: &Board, game: &Game, now: u64) -> (u64, u64, Option<u64>) {
    let opened = match game.place() {
        None => board.trace_root.map(|(_, at)| at),
        Some(place) => board.opened.get(&place).copied(),
    };
    let Some(at) = opened else {
        return (
            game.claimant_used + now.saturating_sub(game.moved_at),
            game.challenger_used,
            None,
        );
    };
    let from = at.max(game.moved_at);
    let claimant = game.claimant_used + (from - game.moved_at);
    (
        claimant,
        game.challenger_used + now.saturating_sub(from),
        opened,
    )
}

/// The game with the challenger's clock stopped, if it is the challenger's turn and in time.
fn challenger_moves(
    board: &Board,
    sender: Address,
    index: usize,
    link: &Link,
    now: u64,
) -> Result<Game, Refusal> {
    let mut game = running(board, index)?;
    expect_link(board, &game, link)?;
    if game.challenger != sender {
        return Err(Refusal::NotChallenger);
    }
    let (claimant, challenger, opened) = used(board, &game, now);
    let clock = board.claim.clock;
    if clock < claimant {
        return Err(Refusal::ClockOver {
            side: Side::Claimant,
            used: claimant,
            clock,
        });
    }
    if opened.is_none() {
        return Err(Refusal::NotOpened);
    }
    if clock < challenger {
        return Err(Refusal::ClockOver {
            side: Side::Challenger,
            used: challenger,
            clock,
        });
    }
    game.claimant_used = claimant;
    game.challenger_used = challenger;
    game.moved_at = now;
    Ok(game)
}

/// The game, if its cursor waits for an answer and the claimant is in time.
fn answers(board: &Board, index: usize, link: &Link, now: u64) -> Result<Game, Refusal> {
    let game = running(board, index)?;
    expect_link(board, &game, link)?;
    let (claimant, _, opened) = used(board, &game, now);
    if opened.is_some() {
        return Err(Refusal::AlreadyOpened);
    }
    if board.claim.clock < claimant {
        let clock = board.claim.clock;
        return Err(Refusal::ClockOver {
            side: Side::Claimant,
            used: claimant,
            clock,
        });
    }
    Ok(game)
}

fn store(board: &mut Board, index: usize, mut game: Game, link: &Link) {
    game.head = head_after(game.head, link);
    if let Some(slot) = board.games.get_mut(index) {
        *slot = game;
    }
}

fn expect_hash(expected: Hash, actual: Hash) -> Result<(), Refusal> {
    if expected == actual {
        Ok(())
    } else {
        Err(Refusal::WrongHash { expected, actual })
    }
}

/// Present entries at level `below` under the entry (`level`, `position`), as [first, beyond).
fn span(descent: &Descent, level: u32, position: u64, below: u32) -> (u64, u64) {
    let width = 1_u64 << level.saturating_sub(below).min(63);
    let first = position.saturating_mul(width);
    (
        first,
        first
            .saturating_add(width)
            .min(level_len(descent.leaves(), below)),
    )
}

fn expect_below(descent: &Descent, game: &Game, below: u32, actual: u64) -> Result<(), Refusal> {
    let (first, beyond) = span(descent, game.level, game.position, below);
    if first <= actual && actual < beyond {
        return Ok(());
    }
    Err(Refusal::IndexOutside {
        first,
        beyond,
        actual,
    })
}

fn expect_leaf(
    model: &NodeFacts<'_>,
    node: u32,
    leaf: &[u8],
    siblings: &[Hash],
) -> Result<(), Refusal> {
    let hash = keccak256_tagged(TAG_NODE_LEAF, leaf);
    let count = model.node_count();
    let actual = path(count, 0, u64::from(node), hash, depth(count), siblings)?;
    let expected = model.commitment.node_tree.root();
    if actual == expected {
        Ok(())
    } else {
        Err(Refusal::NodeLeafRoot { expected, actual })
    }
}

// ---- Ends.

pub(crate) fn timeout(board: &mut Board, index: usize, now: u64) -> Result<(), Refusal> {
    let mut game = running(board, index)?;
    let (claimant, challenger, opened) = used(board, &game, now);
    let clock = board.claim.clock;
    if clock < claimant {
        board.outcome = Some(Outcome::Time);
    } else if opened.is_none() {
        return Err(Refusal::ClockRuns {
            side: Side::Claimant,
            used: claimant,
            clock,
        });
    } else if challenger <= clock {
        return Err(Refusal::ClockRuns {
            side: Side::Challenger,
            used: challenger,
            clock,
        });
    }
    game.stage = Stage::Over;
    game.settled = true;
    if let Some(slot) = board.games.get_mut(index) {
        *slot = game;
    }
    Ok(())
}

pub(crate) fn settle(board: &mut Board, index: usize) -> Result<(), Refusal> {
    let convicted = board.outcome.is_some();
    let game = board
        .games
        .get_mut(index)
        .ok_or(Refusal::NoGame { index })?;
    if game.settled {
        return Err(Refusal::AlreadySettled);
    }
    if !convicted {
        return Err(Refusal::NotSettled);
    }
    game.settled = true;
    Ok(())
}

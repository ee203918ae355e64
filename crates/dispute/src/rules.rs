//! The rules of the game, one small function each; [`crate::Board::apply`] picks the one of a move.
//!
//! The order of checks in each function is the contract's, so that a move with two faults is
//! refused by the same name.
//!
//! Spec: game, 4.1 to 4.10.

use alloc::vec::Vec;

use selfsame_commit::{
    absent, depth, fold, inner, level_len, multiproof_root, tile_hash, tile_range,
};
use selfsame_protocol::constants::{TAG_NODE_LEAF, TILE_BYTES};
use selfsame_protocol::{Hash, keccak256, keccak256_tagged};

use crate::board::{Address, Board, Game, Link, NodeFacts, Outcome, Side, Stage, Step};
use crate::evaluate::evaluate;
use crate::refusal::Refusal;
use crate::schedule::Descent;
use crate::witness::distinct;

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
        level: depth(model.node_count()),
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

// ---- Answers.

pub(crate) fn first_answer(
    board: &mut Board,
    model: &NodeFacts<'_>,
    sender: Address,
    index: usize,
    link: &Link,
    (entries, siblings): (&[Hash], &[Hash]),
    now: u64,
) -> Result<(), Refusal> {
    let game = answers(board, index, link, now)?;
    if game.stage != Stage::First {
        return Err(Refusal::WrongStage { actual: game.stage });
    }
    if sender != board.claim.claimant && Some(sender) != board.answerer {
        return Err(Refusal::NotAnswerer);
    }
    let root = first_root(board, model, entries, siblings)?;
    board.trace_root = Some((root, now));
    store(board, index, game, link);
    Ok(())
}

/// The trace root that the entries fold to, with input and output where they belong.
fn first_root(
    board: &Board,
    model: &NodeFacts<'_>,
    entries: &[Hash],
    siblings: &[Hash],
) -> Result<Hash, Refusal> {
    let descent = model.schedule().trace();
    let level = descent.opens(descent.depth());
    let expected = level_len(descent.leaves(), level);
    let actual = entries.len() as u64;
    if expected != actual {
        return Err(Refusal::EntryCount { expected, actual });
    }
    let root = folded(entries, level, descent.depth());
    let claim = &board.claim;
    let output = u64::from(model.program.program().output);
    if level == 0 {
        if !siblings.is_empty() {
            return Err(Refusal::EntryCount {
                expected: 0,
                actual: siblings.len() as u64,
            });
        }
        let entry = |at: u64| {
            usize::try_from(at)
                .ok()
                .and_then(|at| entries.get(at))
                .copied()
        };
        let (input, output) = (
            entry(0).unwrap_or_default(),
            entry(output).unwrap_or_default(),
        );
        if input != claim.input_root {
            return Err(Refusal::InputRoot {
                expected: claim.input_root,
                actual: input,
            });
        }
        if output != claim.output_root {
            return Err(Refusal::OutputRoot {
                expected: claim.output_root,
                actual: output,
            });
        }
    } else {
        let proved = multiproof_root(
            descent.leaves(),
            &[0, output],
            &[claim.input_root, claim.output_root],
            siblings,
        )?;
        if proved != root {
            return Err(Refusal::TraceRoot {
                expected: root,
                actual: proved,
            });
        }
    }
    Ok(root)
}

fn folded(entries: &[Hash], from: u32, top: u32) -> Hash {
    fold(entries, from, top.saturating_sub(from))
        .first()
        .copied()
        .unwrap_or_else(|| absent(top))
}

pub(crate) fn answer(
    board: &mut Board,
    model: &NodeFacts<'_>,
    index: usize,
    link: &Link,
    entries: &[Hash],
    now: u64,
) -> Result<(), Refusal> {
    let game = answers(board, index, link, now)?;
    let descent = match game.stage {
        Stage::Trace => model.schedule().trace(),
        Stage::Tensor => Descent::tensor(game.tensor_bytes),
        Stage::First | Stage::Tile | Stage::Over => {
            return Err(Refusal::WrongStage { actual: game.stage });
        }
    };
    let below = descent.opens(game.level);
    let (first, beyond) = span(&descent, game.level, game.position, below);
    let (expected, actual) = (beyond.saturating_sub(first), entries.len() as u64);
    if expected != actual {
        return Err(Refusal::EntryCount { expected, actual });
    }
    expect_hash(game.cursor, folded(entries, below, game.level))?;
    mark_opened(board, &game, now);
    store(board, index, game, link);
    Ok(())
}

pub(crate) fn answer_tile(
    board: &mut Board,
    index: usize,
    link: &Link,
    tile: &[u8],
    now: u64,
) -> Result<(), Refusal> {
    let game = answers(board, index, link, now)?;
    if game.stage != Stage::Tile {
        return Err(Refusal::WrongStage { actual: game.stage });
    }
    let range = tile_range(game.tensor_bytes, game.position);
    let (expected, actual) = (range.end - range.start, tile.len() as u64);
    if expected != actual {
        return Err(Refusal::TileLength { expected, actual });
    }
    expect_hash(game.cursor, tile_hash(tile))?;
    mark_opened(board, &game, now);
    store(board, index, game, link);
    Ok(())
}

fn mark_opened(board: &mut Board, game: &Game, now: u64) {
    if let Some(place) = game.place() {
        board.opened.insert(place, now);
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

// ---- Naming.

/// The node that a challenger names, with its proof.
pub(crate) struct Named<'a> {
    pub(crate) node: u32,
    pub(crate) root: Hash,
    pub(crate) siblings: &'a [Hash],
    pub(crate) node_leaf: &'a [u8],
    pub(crate) leaf_siblings: &'a [Hash],
}

/// The hash that a game in the trace tree names below.
fn trace_cursor(board: &Board, game: &Game) -> Hash {
    match game.stage {
        Stage::First => board.trace_root.map(|(root, _)| root).unwrap_or_default(),
        Stage::Trace | Stage::Tensor | Stage::Tile | Stage::Over => game.cursor,
    }
}

pub(crate) fn name_node(
    board: &mut Board,
    model: &NodeFacts<'_>,
    sender: Address,
    index: usize,
    link: &Link,
    named: &Named<'_>,
    now: u64,
) -> Result<(), Refusal> {
    let mut game = challenger_moves(board, sender, index, link, now)?;
    if !matches!(game.stage, Stage::First | Stage::Trace) {
        return Err(Refusal::WrongStage { actual: game.stage });
    }
    let descent = model.schedule().trace();
    let below = descent.opens(game.level);
    if below != 0 {
        return Err(Refusal::WrongLevel {
            expected: 0,
            actual: below,
        });
    }
    if named.node == 0 {
        return Err(Refusal::InputNamed);
    }
    let node = u64::from(named.node);
    expect_below(&descent, &game, 0, node)?;
    let cursor = trace_cursor(board, &game);
    expect_hash(
        cursor,
        path(
            descent.leaves(),
            0,
            node,
            named.root,
            game.level,
            named.siblings,
        )?,
    )?;
    expect_leaf(model, named.node, named.node_leaf, named.leaf_siblings)?;

    game.tensor_bytes = model.output_bytes(named.node);
    let tensor = Descent::tensor(game.tensor_bytes);
    game.stage = if tensor.leaves() == 1 {
        Stage::Tile
    } else {
        Stage::Tensor
    };
    game.level = tensor.depth();
    game.node = named.node;
    game.position = 0;
    game.cursor = named.root;
    store(board, index, game, link);
    Ok(())
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

pub(crate) fn name_entry(
    board: &mut Board,
    model: &NodeFacts<'_>,
    sender: Address,
    index: usize,
    link: &Link,
    (entry, hash, siblings): (u64, Hash, &[Hash]),
    now: u64,
) -> Result<(), Refusal> {
    let mut game = challenger_moves(board, sender, index, link, now)?;
    let (descent, cursor) = match game.stage {
        Stage::First | Stage::Trace => (model.schedule().trace(), trace_cursor(board, &game)),
        Stage::Tensor => (Descent::tensor(game.tensor_bytes), game.cursor),
        Stage::Tile | Stage::Over => return Err(Refusal::WrongStage { actual: game.stage }),
    };
    let below = descent.opens(game.level);
    if below == 0 && game.stage != Stage::Tensor {
        return Err(Refusal::WrongLevel {
            expected: 1,
            actual: 0,
        });
    }
    expect_below(&descent, &game, below, entry)?;
    expect_hash(
        cursor,
        path(descent.leaves(), below, entry, hash, game.level, siblings)?,
    )?;
    game.stage = match (game.stage, below) {
        (Stage::Tensor, 0) => Stage::Tile,
        (Stage::Tensor, _) => Stage::Tensor,
        (Stage::First | Stage::Trace | Stage::Tile | Stage::Over, _) => Stage::Trace,
    };
    game.level = below;
    game.position = entry;
    game.cursor = hash;
    store(board, index, game, link);
    Ok(())
}

// ---- The step and the ends.

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

/// What the openings give, after their roots were found in the trace.
fn verdict(
    board: &Board,
    model: &NodeFacts<'_>,
    node: u32,
    element: u64,
    step: &Step,
) -> Result<i64, Refusal> {
    let witness = &step.witness;
    let inputs = model
        .program
        .node(node)
        .map(|node| node.inputs.clone())
        .unwrap_or_default();
    let sources = distinct(&inputs);
    let (expected, actual) = (sources.len(), witness.input_roots.len());
    if expected != actual {
        return Err(Refusal::InputCount { expected, actual });
    }
    let expected = board.trace_root.map(|(root, _)| root).unwrap_or_default();
    let count = model.node_count();
    let actual = multiproof_root(
        count,
        &sources,
        &witness.input_roots,
        &witness.trace_siblings,
    )?;
    if expected != actual {
        return Err(Refusal::TraceRoot { expected, actual });
    }
    let evaluated = evaluate(model, node, element, &witness.openings)?;
    for (slot, (&input, opened)) in inputs.iter().zip(&evaluated.input_roots).enumerate() {
        let at = sources
            .iter()
            .position(|&source| source == u64::from(input))
            .unwrap_or(0);
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

//! Answers: what opens a cursor.
//!
//! Spec: game, 4.3 and 4.4.

use selfsame_commit::{absent, fold, level_len, multiproof_root, root, tile_hash, tile_range};
use selfsame_protocol::Hash;

use crate::board::{Address, Board, Game, Link, NodeFacts, Stage};
use crate::refusal::Refusal;
use crate::rules::{answers, expect_hash, span, store};
use crate::schedule::Descent;

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
    expect_answerer(board, sender)?;
    let trace_root = first_root(board, model, entries, siblings)?;
    board.trace_root = Some((trace_root, now));
    store(board, index, game, link);
    Ok(())
}

fn expect_answerer(board: &Board, sender: Address) -> Result<(), Refusal> {
    if sender == board.claim.claimant || Some(sender) == board.answerer {
        Ok(())
    } else {
        Err(Refusal::NotAnswerer)
    }
}

pub(crate) fn expect_count(expected: u64, entries: &[Hash]) -> Result<(), Refusal> {
    let actual = entries.len() as u64;
    if expected == actual {
        Ok(())
    } else {
        Err(Refusal::EntryCount { expected, actual })
    }
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
    expect_count(level_len(descent.leaves(), level), entries)?;
    let root = folded(entries, level, descent.depth());
    let claim = &board.claim;
    let output = u64::from(model.place(model.program.program().output).segment);
    if level == 0 {
        expect_count(0, siblings)?;
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
        Stage::First | Stage::Segment | Stage::Tile | Stage::Over => {
            return Err(Refusal::WrongStage { actual: game.stage });
        }
    };
    let below = descent.opens(game.level);
    let (first, beyond) = span(&descent, game.level, game.position, below);
    expect_count(beyond.saturating_sub(first), entries)?;
    expect_hash(game.cursor, folded(entries, below, game.level))?;
    opened(board, index, game, link, now);
    Ok(())
}

pub(crate) fn answer_segment(
    board: &mut Board,
    model: &NodeFacts<'_>,
    sender: Address,
    index: usize,
    link: &Link,
    entries: &[Hash],
    now: u64,
) -> Result<(), Refusal> {
    let game = answers(board, index, link, now)?;
    if game.stage != Stage::Segment {
        return Err(Refusal::WrongStage { actual: game.stage });
    }
    expect_answerer(board, sender)?;
    expect_count(model.interior(game.position).len() as u64, entries)?;
    board.segment_roots.insert(game.position, root(entries));
    opened(board, index, game, link, now);
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
    opened(board, index, game, link, now);
    Ok(())
}

/// Notes the opening of the cursor, which serves every game of the claim.
fn opened(board: &mut Board, index: usize, game: Game, link: &Link, now: u64) {
    if let Some(place) = game.place() {
        board.opened.insert(place, now);
    }
    store(board, index, game, link);
}

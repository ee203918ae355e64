//! Naming: how the challenger descends.
//!
//! Spec: game, 4.5.

use selfsame_commit::depth;
use selfsame_protocol::Hash;

use crate::board::{Address, Board, Game, Link, NodeFacts, Stage};
use crate::refusal::Refusal;
use crate::rules::answers::expect_count;
use crate::rules::{challenger_moves, expect_below, expect_hash, expect_leaf, path, store};
use crate::schedule::Descent;

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
        Stage::Trace | Stage::Segment | Stage::Tensor | Stage::Tile | Stage::Over => game.cursor,
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
    let lands_on_segment = match game.stage {
        Stage::First | Stage::Trace => name_committed(board, model, &game, named)?,
        Stage::Segment => name_in_segment(board, model, &game, named).map(|()| false)?,
        Stage::Tensor | Stage::Tile | Stage::Over => {
            return Err(Refusal::WrongStage { actual: game.stage });
        }
    };
    game.node = named.node;
    game.cursor = named.root;
    if lands_on_segment {
        game.stage = Stage::Segment;
        game.level = 0;
        game.position = model.place(named.node).segment.into();
        store(board, index, game, link);
        return Ok(());
    }

    game.tensor_bytes = model.output_bytes(named.node);
    let tensor = Descent::tensor(game.tensor_bytes);
    game.stage = if tensor.leaves() == 1 {
        Stage::Tile
    } else {
        Stage::Tensor
    };
    game.level = tensor.depth();
    game.position = 0;
    store(board, index, game, link);
    Ok(())
}

/// Checks a node that was named in the trace tree; whether interior nodes stand before it.
fn name_committed(
    board: &Board,
    model: &NodeFacts<'_>,
    game: &Game,
    named: &Named<'_>,
) -> Result<bool, Refusal> {
    let descent = model.schedule().trace();
    let below = descent.opens(game.level);
    if below != 0 {
        return Err(Refusal::WrongLevel {
            expected: 0,
            actual: below,
        });
    }
    expect_leaf(model, named.node, named.node_leaf, named.leaf_siblings)?;
    let place = model.place(named.node);
    if place.interior {
        return Err(Refusal::NodeInterior { node: named.node });
    }
    if place.segment == 0 {
        return Err(Refusal::InputNamed);
    }
    let number = u64::from(place.segment);
    expect_below(&descent, game, 0, number)?;
    let (leaves, root) = (descent.leaves(), named.root);
    let actual = path(leaves, 0, number, root, game.level, named.siblings)?;
    expect_hash(trace_cursor(board, game), actual)?;
    Ok(place.offset != 0)
}

/// Checks a node that was named in the segment at the cursor.
fn name_in_segment(
    board: &Board,
    model: &NodeFacts<'_>,
    game: &Game,
    named: &Named<'_>,
) -> Result<(), Refusal> {
    expect_leaf(model, named.node, named.node_leaf, named.leaf_siblings)?;
    let place = model.place(named.node);
    let (expected, actual) = (game.position, u64::from(place.segment));
    if expected != actual {
        return Err(Refusal::OtherSegment { expected, actual });
    }
    if !place.interior {
        expect_count(0, named.siblings)?;
        return expect_hash(game.cursor, named.root);
    }
    let leaves = model.interior(game.position).len() as u64;
    let (offset, root) = (u64::from(place.offset), named.root);
    let actual = path(leaves, 0, offset, root, depth(leaves), named.siblings)?;
    let expected = board.segment_roots.get(&game.position).copied();
    expect_hash(expected.unwrap_or_default(), actual)
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
        Stage::Segment | Stage::Tile | Stage::Over => {
            return Err(Refusal::WrongStage { actual: game.stage });
        }
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
        (Stage::First | Stage::Trace | Stage::Segment | Stage::Tile | Stage::Over, _) => {
            Stage::Trace
        }
    };
    game.level = below;
    game.position = entry;
    game.cursor = hash;
    store(board, index, game, link);
    Ok(())
}

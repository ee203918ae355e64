//! Naming: how the challenger descends.
//!
//! Spec: game, 4.5.

use selfsame_protocol::Hash;

use crate::board::{Address, Board, Game, Link, NodeFacts, Stage};
use crate::refusal::Refusal;
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

//! A trace with its trees, and what an honest side makes of it: answers, and the leftmost difference.
//!
//! Spec: game, 4.3 to 4.5 and 4.15.

use alloc::vec::Vec;

use selfsame_commit::{Tree, fold, level_len, multiproof, tile_hashes, tile_range};
use selfsame_interpreter::Trace;
use selfsame_ir::Tensor;
use selfsame_protocol::Hash;
use selfsame_protocol::constants::TILE_BYTES;

use crate::board::{Game, Link, Move, NodeFacts, Stage};
use crate::schedule::Descent;

/// Why a holder cannot answer or name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HolderError {
    /// The trace has not the program's number of nodes.
    #[error("the trace has {found} nodes, the program {expected}; it is of another model")]
    Nodes {
        /// Nodes of the trace.
        found: usize,
        /// Nodes of the program.
        expected: u64,
    },
    /// What was shown is not of the length that the cursor has.
    #[error("{found} entries (or tile bytes) were shown, the cursor has {expected}")]
    Shown {
        /// Entries or bytes found.
        found: usize,
        /// Entries or bytes of the cursor.
        expected: u64,
    },
    /// The game stands where there is nothing to answer or to name.
    #[error("the game stands at {0:?}, where there is no such move")]
    Stage(Stage),
}

/// What was opened at the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown<'a> {
    /// Entries below the cursor.
    Entries(&'a [Hash]),
    /// The named tile.
    Tile(&'a [u8]),
}

impl<'a> Shown<'a> {
    /// Bytes of the named tile; empty where entries were shown.
    pub fn tile(self) -> &'a [u8] {
        match self {
            Self::Entries(_) => &[],
            Self::Tile(tile) => tile,
        }
    }
}

/// The challenger's next move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Name this node.
    Node {
        /// The node.
        node: u32,
        /// Its root in the claimant's trace.
        root: Hash,
        /// Path within the opened subtree.
        siblings: Vec<Hash>,
    },
    /// Name this entry.
    Entry {
        /// Index in the whole level.
        index: u64,
        /// The claimant's hash there.
        hash: Hash,
        /// Path within the opened subtree.
        siblings: Vec<Hash>,
    },
    /// Recompute this element.
    Element {
        /// Index inside the tile.
        in_tile: u32,
        /// Flat index in the node's output.
        element: u64,
    },
    /// Nothing differs: an honest challenger makes no move.
    Agrees,
}

/// The claimant's next answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The first answer.
    First {
        /// Entries of the trace tree.
        entries: Vec<Hash>,
        /// Multiproof of INPUT and output node.
        siblings: Vec<Hash>,
    },
    /// Entries below the cursor.
    Entries(Vec<Hash>),
    /// Roots of the segment's interior nodes.
    Segment(Vec<Hash>),
    /// The named tile.
    Tile(Vec<u8>),
}

impl Reply {
    /// The move that gives this answer in a game.
    pub fn into_move(self, game: usize, link: Link) -> Move {
        match self {
            Self::First { entries, siblings } => Move::FirstAnswer {
                game,
                link,
                entries,
                siblings,
            },
            Self::Entries(entries) => Move::Answer {
                game,
                link,
                entries,
            },
            Self::Segment(entries) => Move::AnswerSegment {
                game,
                link,
                entries,
            },
            Self::Tile(tile) => Move::AnswerTile { game, link, tile },
        }
    }

    /// What the answer shows at the cursor.
    pub fn shown(&self) -> Shown<'_> {
        match self {
            Self::First { entries, .. } | Self::Entries(entries) | Self::Segment(entries) => {
                Shown::Entries(entries)
            }
            Self::Tile(tile) => Shown::Tile(tile),
        }
    }
}

#[derive(Debug, Clone)]
struct Held {
    bytes: Vec<u8>,
    tree: Tree,
}

/// Every node's output with its tree, and the trace tree over the committed ones.
#[derive(Debug, Clone)]
pub struct Holder {
    nodes: Vec<Held>,
    trace: Tree,
}

impl Holder {
    /// From the canonical bytes of every node's output, INPUT's first, and the committed nodes.
    pub fn new(outputs: Vec<Vec<u8>>, committed: &[u32]) -> Self {
        let hold = |bytes: Vec<u8>| Held {
            tree: Tree::new(tile_hashes(&bytes)),
            bytes,
        };
        let nodes: Vec<Held> = outputs.into_iter().map(hold).collect();
        let roots = committed
            .iter()
            .filter_map(|&node| nodes.get(node as usize))
            .map(|held| held.tree.root());
        let trace = Tree::new(roots.collect());
        Self { nodes, trace }
    }

    /// From a run of the interpreter, or of anything equal to it.
    pub fn from_trace(trace: &Trace) -> Self {
        let outputs = trace.outputs().iter().map(Tensor::to_bytes).collect();
        Self::new(outputs, trace.committed())
    }

    /// The trace tree.
    pub fn trace(&self) -> &Tree {
        &self.trace
    }

    /// The trace root.
    pub fn root(&self) -> Hash {
        self.trace.root()
    }

    /// Root of a node's output; zero for no node.
    pub fn node_root(&self, node: u32) -> Hash {
        self.nodes
            .get(node as usize)
            .map(|held| held.tree.root())
            .unwrap_or_default()
    }

    /// Roots of the interior nodes of a segment.
    pub fn interior_roots(&self, model: &NodeFacts<'_>, segment: u64) -> Vec<Hash> {
        let nodes = model.interior(segment);
        nodes.map(|node| self.node_root(node)).collect()
    }

    /// Canonical bytes of a node's output; empty for no node.
    pub fn bytes(&self, node: u32) -> &[u8] {
        self.nodes
            .get(node as usize)
            .map_or(&[], |held| held.bytes.as_slice())
    }

    /// Tile `index` of a node's output; empty beyond the end.
    pub fn tile(&self, node: u32, index: u64) -> &[u8] {
        let bytes = self.bytes(node);
        let range = tile_range(bytes.len() as u64, index);
        let at = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
        bytes
            .get(at(range.start)..at(range.end))
            .unwrap_or_default()
    }

    fn expect_nodes(&self, model: &NodeFacts<'_>) -> Result<(), HolderError> {
        let (found, expected) = (self.nodes.len(), model.node_count());
        if found as u64 == expected {
            Ok(())
        } else {
            Err(HolderError::Nodes { found, expected })
        }
    }

    /// The present entries at level `below` under the game's cursor, in this trace.
    fn entries(&self, game: &Game, below: u32) -> &[Hash] {
        let tree = match game.stage {
            Stage::First | Stage::Trace => Some(&self.trace),
            Stage::Segment => None,
            Stage::Tensor | Stage::Tile | Stage::Over => {
                self.nodes.get(game.node as usize).map(|held| &held.tree)
            }
        };
        tree.map_or(&[], |tree| {
            tree.descendants(game.level, game.position, below)
        })
    }

    /// What the claimant answers at the game's cursor.
    pub fn reply(&self, model: &NodeFacts<'_>, game: &Game) -> Result<Reply, HolderError> {
        self.expect_nodes(model)?;
        match game.stage {
            Stage::First => {
                let descent = model.schedule().trace();
                let level = descent.opens(descent.depth());
                let output = model.place(model.program.program().output).segment;
                let siblings = if level == 0 {
                    Vec::new()
                } else {
                    multiproof(&self.trace, &[0, output.into()])
                };
                Ok(Reply::First {
                    entries: self.trace.level(level).to_vec(),
                    siblings,
                })
            }
            Stage::Trace => {
                let below = model.schedule().trace().opens(game.level);
                Ok(Reply::Entries(self.entries(game, below).to_vec()))
            }
            Stage::Segment => Ok(Reply::Segment(self.interior_roots(model, game.position))),
            Stage::Tensor => {
                let below = Descent::tensor(game.tensor_bytes).opens(game.level);
                Ok(Reply::Entries(self.entries(game, below).to_vec()))
            }
            Stage::Tile => Ok(Reply::Tile(self.tile(game.node, game.position).to_vec())),
            Stage::Over => Err(HolderError::Stage(game.stage)),
        }
    }

    /// What an honest challenger does next: names the leftmost entry that differs from this trace; in a
    /// segment the first interior node that differs, else the committed one.
    pub fn next(
        &self,
        model: &NodeFacts<'_>,
        game: &Game,
        shown: Shown<'_>,
    ) -> Result<Next, HolderError> {
        self.expect_nodes(model)?;
        let descent = match game.stage {
            Stage::First | Stage::Trace => model.schedule().trace(),
            Stage::Tensor => Descent::tensor(game.tensor_bytes),
            Stage::Segment => return self.next_in_segment(model, game, shown),
            Stage::Tile => return self.next_element(model, game, shown),
            Stage::Over => return Err(HolderError::Stage(game.stage)),
        };
        let Shown::Entries(entries) = shown else {
            return Err(HolderError::Stage(game.stage));
        };
        let below = descent.opens(game.level);
        let Some(offset) = first_difference(self.entries(game, below), entries)? else {
            return Ok(Next::Agrees);
        };
        let index = (game.position << (game.level - below)) + offset as u64;
        Ok(name(model, game, entries, index))
    }

    fn next_in_segment(
        &self,
        model: &NodeFacts<'_>,
        game: &Game,
        shown: Shown<'_>,
    ) -> Result<Next, HolderError> {
        let Shown::Entries(entries) = shown else {
            return Err(HolderError::Stage(game.stage));
        };
        let mine = self.interior_roots(model, game.position);
        let differs = first_difference(&mine, entries)?;
        if differs.is_none() && self.node_root(game.node) == game.cursor {
            return Ok(Next::Agrees);
        }
        let offset = differs.unwrap_or(entries.len());
        Ok(name(model, game, entries, offset as u64))
    }

    fn next_element(
        &self,
        model: &NodeFacts<'_>,
        game: &Game,
        shown: Shown<'_>,
    ) -> Result<Next, HolderError> {
        let Shown::Tile(tile) = shown else {
            return Err(HolderError::Stage(game.stage));
        };
        let mine = self.tile(game.node, game.position);
        let Some(byte) = first_difference(mine, tile)? else {
            return Ok(Next::Agrees);
        };
        let size = model
            .program
            .node(game.node)
            .map_or(1, |node| node.dtype.size());
        let in_tile = u32::try_from(byte).unwrap_or(u32::MAX) / size;
        let element = game.position * u64::from(TILE_BYTES / size) + u64::from(in_tile);
        Ok(Next::Element { in_tile, element })
    }
}

/// Where what was shown first differs from what this side holds; both must be of one length.
fn first_difference<T: PartialEq>(mine: &[T], shown: &[T]) -> Result<Option<usize>, HolderError> {
    if mine.len() != shown.len() {
        return Err(HolderError::Shown {
            found: shown.len(),
            expected: mine.len() as u64,
        });
    }
    let mut pairs = mine.iter().zip(shown);
    Ok(pairs.position(|(mine, shown)| mine != shown))
}

/// Names entry `index` (in the whole level) of the entries shown below the game's cursor; in a segment the
/// node with `index` nodes before it.
pub fn name(model: &NodeFacts<'_>, game: &Game, entries: &[Hash], index: u64) -> Next {
    let descent = match game.stage {
        Stage::First | Stage::Trace => model.schedule().trace(),
        Stage::Segment => return name_in_segment(model, game, entries, index),
        Stage::Tensor | Stage::Tile | Stage::Over => Descent::tensor(game.tensor_bytes),
    };
    let below = descent.opens(game.level);
    let first = game.position << (game.level - below);
    let offset = usize::try_from(index.saturating_sub(first)).unwrap_or(usize::MAX);
    let hash = entries.get(offset).copied().unwrap_or_default();
    let siblings = path_within(descent.leaves(), game.level, below, entries, index, first);
    let is_node = below == 0 && matches!(game.stage, Stage::First | Stage::Trace);
    if is_node {
        let committed = model.program.segments().committed();
        let number = usize::try_from(index).unwrap_or(usize::MAX);
        return Next::Node {
            node: committed.get(number).copied().unwrap_or(u32::MAX),
            root: hash,
            siblings,
        };
    }
    Next::Entry {
        index,
        hash,
        siblings,
    }
}

/// Names the node of a segment with `offset` nodes before it.
fn name_in_segment(model: &NodeFacts<'_>, game: &Game, entries: &[Hash], offset: u64) -> Next {
    let nodes = model.interior(game.position);
    let at = usize::try_from(offset).unwrap_or(usize::MAX);
    let Some(&root) = entries.get(at) else {
        return Next::Node {
            node: game.node,
            root: game.cursor,
            siblings: Vec::new(),
        };
    };
    let node = nodes.start + u32::try_from(offset).unwrap_or_default();
    Next::Node {
        node,
        root,
        siblings: multiproof(&Tree::new(entries.to_vec()), &[offset]),
    }
}

/// Siblings of entry `index` at `below` up to level `top`, within the shown entries.
fn path_within(
    leaves: u64,
    top: u32,
    below: u32,
    entries: &[Hash],
    index: u64,
    first: u64,
) -> Vec<Hash> {
    let mut siblings = Vec::new();
    let (mut shown, mut index, mut first) = (entries.to_vec(), index, first);
    for level in below..top {
        let sibling = index ^ 1;
        if sibling < level_len(leaves, level) {
            let at = usize::try_from(sibling.saturating_sub(first)).unwrap_or(usize::MAX);
            siblings.push(shown.get(at).copied().unwrap_or_default());
        }
        shown = fold(&shown, level, 1);
        (index, first) = (index / 2, first / 2);
    }
    siblings
}

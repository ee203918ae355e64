//! A trace with its trees, and what an honest side makes of it: answers, and the leftmost difference.
//!
//! Spec: game, 4.3 to 4.5 and 4.15.

use alloc::vec::Vec;

use selfsame_commit::{Tree, fold, level_len, multiproof, tile_hashes, tile_range};
use selfsame_interpreter::Trace;
use selfsame_ir::Tensor;
use selfsame_protocol::Hash;
use selfsame_protocol::constants::TILE_BYTES;

use crate::board::{Game, NodeFacts, Stage};
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
    /// The named tile.
    Tile(Vec<u8>),
}

#[derive(Debug, Clone)]
struct Held {
    bytes: Vec<u8>,
    tree: Tree,
}

/// Every node's output with its tree, and the trace tree.
#[derive(Debug, Clone)]
pub struct Holder {
    nodes: Vec<Held>,
    trace: Tree,
}

impl Holder {
    /// From the canonical bytes of every node's output, INPUT's first.
    pub fn new(outputs: Vec<Vec<u8>>) -> Self {
        let hold = |bytes: Vec<u8>| Held {
            tree: Tree::new(tile_hashes(&bytes)),
            bytes,
        };
        let nodes: Vec<Held> = outputs.into_iter().map(hold).collect();
        let trace = Tree::new(nodes.iter().map(|node| node.tree.root()).collect());
        Self { nodes, trace }
    }

    /// From a run of the interpreter, or of anything equal to it.
    pub fn from_trace(trace: &Trace) -> Self {
        Self::new(trace.outputs().iter().map(Tensor::to_bytes).collect())
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
                let output = u64::from(model.program.program().output);
                let siblings = if level == 0 {
                    Vec::new()
                } else {
                    multiproof(&self.trace, &[0, output])
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
            Stage::Tensor => {
                let below = Descent::tensor(game.tensor_bytes).opens(game.level);
                Ok(Reply::Entries(self.entries(game, below).to_vec()))
            }
            Stage::Tile => Ok(Reply::Tile(self.tile(game.node, game.position).to_vec())),
            Stage::Over => Err(HolderError::Stage(game.stage)),
        }
    }

    /// What an honest challenger does next: names the leftmost entry that differs from this trace.
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
            Stage::Tile => return self.next_element(model, game, shown),
            Stage::Over => return Err(HolderError::Stage(game.stage)),
        };
        let Shown::Entries(entries) = shown else {
            return Err(HolderError::Stage(game.stage));
        };
        let below = descent.opens(game.level);
        let mine = self.entries(game, below);
        if mine.len() != entries.len() {
            return Err(HolderError::Shown {
                found: entries.len(),
                expected: mine.len() as u64,
            });
        }
        let Some(offset) = mine
            .iter()
            .zip(entries)
            .position(|(mine, theirs)| mine != theirs)
        else {
            return Ok(Next::Agrees);
        };
        let index = (game.position << (game.level - below)) + offset as u64;
        Ok(name(&descent, game, entries, index))
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
        if mine.len() != tile.len() {
            return Err(HolderError::Shown {
                found: tile.len(),
                expected: mine.len() as u64,
            });
        }
        let Some(byte) = mine
            .iter()
            .zip(tile)
            .position(|(mine, theirs)| mine != theirs)
        else {
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

/// Names entry `index` (in the whole level) of the entries shown below the game's cursor.
pub fn name(descent: &Descent, game: &Game, entries: &[Hash], index: u64) -> Next {
    let below = descent.opens(game.level);
    let first = game.position << (game.level - below);
    let offset = usize::try_from(index.saturating_sub(first)).unwrap_or(usize::MAX);
    let hash = entries.get(offset).copied().unwrap_or_default();
    let siblings = path_within(descent.leaves(), game.level, below, entries, index, first);
    match game.stage {
        Stage::First | Stage::Trace if below == 0 => Next::Node {
            node: u32::try_from(index).unwrap_or(u32::MAX),
            root: hash,
            siblings,
        },
        Stage::First | Stage::Trace | Stage::Tensor | Stage::Tile | Stage::Over => Next::Entry {
            index,
            hash,
            siblings,
        },
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

//! The state of a claim's games, and the moves.
//!
//! [`Board::apply`] is a pure function: state, sender, move and time in; the next state or a
//! [`Refusal`] out. Money is kept apart in [`crate::split_slash`].
//!
//! Spec: game, 4.1 to 4.13.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Range;

use selfsame_ir::{CheckedProgram, DimValues, ModelCommitment, Place};
use selfsame_protocol::Hash;

use crate::refusal::Refusal;
use crate::rules;
use crate::schedule::{Position, Schedule};
use crate::witness::{Opening, Witness};

/// An account.
pub type Address = [u8; 20];

/// A side of a game.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Whoever stands behind the claim.
    Claimant,
    /// Whoever opened the game.
    Challenger,
}

/// What a game's cursor points at, and so which move comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The trace root, as the first answer shows it.
    First,
    /// A subtree of the trace tree.
    Trace,
    /// A segment: its interior nodes and the committed one behind them.
    Segment,
    /// A subtree of the named node's tensor tree.
    Tensor,
    /// A tile of the named node.
    Tile,
    /// The game has ended.
    Over,
}

/// What is fixed about a claim when its first game opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The claim's key.
    pub key: Hash,
    /// Who made it.
    pub claimant: Address,
    /// Root of the request's input.
    pub input_root: Hash,
    /// Root of the claimed output.
    pub output_root: Hash,
    /// Last second in which games open.
    pub closes_at: u64,
    /// Seconds of each side in each game.
    pub clock: u64,
}

/// The model that a claim is about.
#[derive(Debug, Clone, Copy)]
pub struct NodeFacts<'a> {
    /// The program.
    pub program: &'a CheckedProgram,
    /// Its leaves and their tree.
    pub commitment: &'a ModelCommitment,
    /// The request's dimension values.
    pub values: &'a DimValues,
}

impl NodeFacts<'_> {
    /// Number of nodes, INPUT included.
    pub fn node_count(&self) -> u64 {
        self.program.nodes().len() as u64
    }

    /// Number of committed nodes, INPUT included.
    pub fn committed_count(&self) -> u64 {
        self.program.segments().committed().len() as u64
    }

    /// The interior nodes of a segment; none of a segment that the program has not.
    pub fn interior(&self, segment: u64) -> Range<u32> {
        let number = u32::try_from(segment).unwrap_or(u32::MAX);
        self.program.segments().interior(number)
    }

    /// Where a node stands.
    pub fn place(&self, node: u32) -> Place {
        self.program.segments().place(node)
    }

    /// Bytes of a node's output.
    pub fn output_bytes(&self, node: u32) -> u64 {
        self.program.output_bytes(node, self.values)
    }

    /// The descents.
    pub fn schedule(&self) -> Schedule {
        Schedule::of(self.program)
    }

    /// Challenger's moves, opening and step included, of a game that ends at an element of `node`.
    pub fn moves(&self, node: u32) -> u32 {
        let opens_segment = !self.program.segments().interior_around(node).is_empty();
        Schedule::new(self.committed_count(), opens_segment).moves(self.output_bytes(node))
    }
}

/// One game.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Game {
    /// Who opened it.
    pub challenger: Address,
    /// Where the cursor is.
    pub stage: Stage,
    /// The named node, once there is one; of a segment its committed node.
    pub node: u32,
    /// Level of the cursor in its tree.
    pub level: u32,
    /// Index of the cursor in its level, or number of the segment.
    pub position: u64,
    /// Bytes of the named node's output.
    pub tensor_bytes: u64,
    /// The hash that the next answer opens; of a segment the root of its committed node.
    pub cursor: Hash,
    /// What the next move names as `previous`.
    pub head: Hash,
    /// Time of the challenger's last move.
    pub moved_at: u64,
    /// Seconds used by the claimant before that.
    pub claimant_used: u64,
    /// Seconds used by the challenger before that.
    pub challenger_used: u64,
    /// The bond was forfeited or returned.
    pub settled: bool,
}

impl Game {
    /// The cursor's place; `None` at the trace root.
    pub fn place(&self) -> Option<Position> {
        let (level, index) = (self.level, self.position);
        match self.stage {
            Stage::Trace => Some(Position::Trace { level, index }),
            Stage::Segment => Some(Position::Segment { number: index }),
            Stage::Tensor | Stage::Tile => Some(Position::Tensor {
                node: self.node,
                level,
                index,
            }),
            Stage::First | Stage::Over => None,
        }
    }
}

/// How a claim fell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// An element was shown wrong.
    Element {
        /// The node.
        node: u32,
        /// Flat index of the element.
        element: u64,
        /// What the program gives.
        expected: i64,
        /// What was claimed.
        actual: i64,
    },
    /// The claimant ran out of time.
    Time,
}

/// What a move names of the state that it was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// The claim.
    pub claim_key: Hash,
    /// The game's head.
    pub previous: Hash,
    /// Selector of the contract's function.
    pub selector: [u8; 4],
    /// keccak256 of the encoded arguments.
    pub arguments: Hash,
}

/// What a step posts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Index of the element inside the tile.
    pub element: u32,
    /// The claimant's tile.
    pub tile: Vec<u8>,
    /// The node, its inputs and openings.
    pub witness: Witness,
}

/// A move in a game, or on the claim.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "fields are those of the contract's functions, spec 4.3 to 4.10"
)]
pub enum Move {
    /// Opens a game.
    Open { claim_key: Hash },
    /// Names who may give the first answer beside the claimant.
    SetAnswerer {
        claim_key: Hash,
        answerer: Option<Address>,
    },
    /// Posts the trace root.
    FirstAnswer {
        game: usize,
        link: Link,
        entries: Vec<Hash>,
        siblings: Vec<Hash>,
    },
    /// Opens the cursor.
    Answer {
        game: usize,
        link: Link,
        entries: Vec<Hash>,
    },
    /// Opens a segment.
    AnswerSegment {
        game: usize,
        link: Link,
        entries: Vec<Hash>,
    },
    /// Opens a tile.
    AnswerTile {
        game: usize,
        link: Link,
        tile: Vec<u8>,
    },
    /// Names a node.
    NameNode {
        game: usize,
        link: Link,
        node: u32,
        root: Hash,
        siblings: Vec<Hash>,
        node_leaf: Vec<u8>,
        leaf_siblings: Vec<Hash>,
    },
    /// Names an entry.
    NameEntry {
        game: usize,
        link: Link,
        index: u64,
        hash: Hash,
        siblings: Vec<Hash>,
    },
    /// Recomputes one element.
    Step { game: usize, link: Link, step: Step },
    /// Ends a game in which a side is over its clock.
    Timeout { game: usize },
    /// Returns the bond of a game whose claim was convicted elsewhere.
    Settle { game: usize },
}

/// A claim and its games.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    /// The claim.
    pub claim: Claim,
    /// The claimant's trace root, once posted, and when.
    pub trace_root: Option<(Hash, u64)>,
    /// Who may post it beside the claimant.
    pub answerer: Option<Address>,
    /// When each cursor was opened; serves all games.
    pub opened: BTreeMap<Position, u64>,
    /// Roots of the segments that were opened.
    pub segment_roots: BTreeMap<u64, Hash>,
    /// The games, by index.
    pub games: Vec<Game>,
    /// How the claim fell, if it did.
    pub outcome: Option<Outcome>,
}

impl Board {
    /// A claim without games.
    pub fn new(claim: Claim) -> Self {
        Self {
            claim,
            trace_root: None,
            answerer: None,
            opened: BTreeMap::new(),
            segment_roots: BTreeMap::new(),
            games: Vec::new(),
            outcome: None,
        }
    }

    /// The state after `sender` makes `action` at time `now` (Unix seconds, never before the last).
    pub fn apply(
        &self,
        model: &NodeFacts<'_>,
        sender: Address,
        action: &Move,
        now: u64,
    ) -> Result<Self, Refusal> {
        let mut next = self.clone();
        match action {
            Move::Open { claim_key } => rules::open(&mut next, model, sender, *claim_key, now)?,
            Move::SetAnswerer {
                claim_key,
                answerer,
            } => {
                rules::set_answerer(&mut next, sender, *claim_key, *answerer)?;
            }
            Move::FirstAnswer { .. }
            | Move::Answer { .. }
            | Move::AnswerSegment { .. }
            | Move::AnswerTile { .. } => next.answered(model, sender, action, now)?,
            Move::NameNode { .. } | Move::NameEntry { .. } | Move::Step { .. } => {
                next.challenged(model, sender, action, now)?;
            }
            Move::Timeout { game } => rules::timeout(&mut next, *game, now)?,
            Move::Settle { game } => rules::settle(&mut next, *game)?,
        }
        Ok(next)
    }

    /// Answers; any other move changes nothing.
    fn answered(
        &mut self,
        model: &NodeFacts<'_>,
        sender: Address,
        action: &Move,
        now: u64,
    ) -> Result<(), Refusal> {
        match action {
            Move::FirstAnswer {
                game,
                link,
                entries,
                siblings,
            } => rules::first_answer(self, model, sender, *game, link, (entries, siblings), now),
            Move::Answer {
                game,
                link,
                entries,
            } => rules::answer(self, model, *game, link, entries, now),
            Move::AnswerSegment {
                game,
                link,
                entries,
            } => rules::answer_segment(self, model, sender, *game, link, entries, now),
            Move::AnswerTile { game, link, tile } => {
                rules::answer_tile(self, *game, link, tile, now)
            }
            Move::Open { .. }
            | Move::SetAnswerer { .. }
            | Move::NameNode { .. }
            | Move::NameEntry { .. }
            | Move::Step { .. }
            | Move::Timeout { .. }
            | Move::Settle { .. } => Ok(()),
        }
    }

    /// The challenger's moves in a game; any other move changes nothing.
    fn challenged(
        &mut self,
        model: &NodeFacts<'_>,
        sender: Address,
        action: &Move,
        now: u64,
    ) -> Result<(), Refusal> {
        match action {
            Move::NameNode {
                game,
                link,
                node,
                root,
                siblings,
                node_leaf,
                leaf_siblings,
            } => {
                let (node, root) = (*node, *root);
                let named = rules::Named {
                    node,
                    root,
                    siblings,
                    node_leaf,
                    leaf_siblings,
                };
                rules::name_node(self, model, sender, *game, link, &named, now)
            }
            Move::NameEntry {
                game,
                link,
                index,
                hash,
                siblings,
            } => {
                let named = (*index, *hash, siblings.as_slice());
                rules::name_entry(self, model, sender, *game, link, named, now)
            }
            Move::Step { game, link, step } => {
                rules::step(self, model, sender, *game, link, step, now)
            }
            Move::Open { .. }
            | Move::SetAnswerer { .. }
            | Move::FirstAnswer { .. }
            | Move::Answer { .. }
            | Move::AnswerSegment { .. }
            | Move::AnswerTile { .. }
            | Move::Timeout { .. }
            | Move::Settle { .. } => Ok(()),
        }
    }

    /// Games that neither ended nor stand behind a conviction.
    pub fn open_games(&self) -> usize {
        if self.outcome.is_some() {
            return 0;
        }
        self.games
            .iter()
            .filter(|game| game.stage != Stage::Over)
            .count()
    }
}

/// The openings of a step, for whoever builds its calldata.
impl Step {
    /// Inputs, then tensors.
    pub fn openings(&self) -> &[Opening] {
        &self.witness.openings
    }
}

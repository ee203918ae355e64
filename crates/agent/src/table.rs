//! Games as events and views show them, in the words of `dispute`.
//!
//! An answer opens a hash: what was shown under it serves every game whose cursor has that hash,
//! so the table keeps what was shown by the hash that it folds to. A segment has no hash before it is
//! opened, and is kept by claim and number.

use std::collections::BTreeMap;

use selfsame_chain::bindings::DisputeGame::{DisputeGameEvents, Game as ChainGame};
use selfsame_chain::{Address, B256};
use selfsame_commit::tile_hash;
use selfsame_dispute::{Game, Shown, Stage};
use selfsame_protocol::Hash;

/// What one claim's games have in common, and their cursors.
#[derive(Debug, Clone, Default)]
pub struct Table {
    claim_of: BTreeMap<B256, B256>,
    challenger_of: BTreeMap<B256, Address>,
    cursor_of: BTreeMap<B256, Hash>,
    root_of: BTreeMap<B256, Hash>,
    entries: BTreeMap<Hash, Vec<Hash>>,
    /// Roots of interior nodes, by claim and number of their segment.
    segments: BTreeMap<(B256, u64), Vec<Hash>>,
    tiles: BTreeMap<Hash, Vec<u8>>,
    over: BTreeMap<B256, bool>,
}

impl Table {
    /// Takes an event in; repeated events change nothing.
    pub fn apply(&mut self, event: &DisputeGameEvents) {
        match event {
            DisputeGameEvents::GameOpened(e) => {
                self.claim_of.insert(e.gameId, e.claimKey);
                self.challenger_of.insert(e.gameId, e.challenger);
                self.over.entry(e.gameId).or_insert(false);
            }
            DisputeGameEvents::FirstAnswered(e) => {
                self.root_of.insert(e.claimKey, hash(e.traceRoot));
                self.entries.insert(
                    hash(e.traceRoot),
                    e.entries.iter().copied().map(hash).collect(),
                );
            }
            DisputeGameEvents::NodeNamed(e) => {
                self.cursor_of.insert(e.gameId, hash(e.root));
            }
            DisputeGameEvents::SegmentAnswered(e) => {
                let entries = e.entries.iter().copied().map(hash).collect();
                let number = u64::try_from(e.segment).unwrap_or(u64::MAX);
                self.segments.insert((e.claimKey, number), entries);
            }
            DisputeGameEvents::EntryNamed(e) => {
                self.cursor_of.insert(e.gameId, hash(e.hash));
            }
            DisputeGameEvents::Answered(e) => {
                if let Some(&cursor) = self.cursor_of.get(&e.gameId) {
                    self.entries
                        .insert(cursor, e.entries.iter().copied().map(hash).collect());
                }
            }
            DisputeGameEvents::TileAnswered(e) => {
                self.tiles.insert(tile_hash(&e.tile), e.tile.to_vec());
            }
            DisputeGameEvents::Convicted(e) => self.close(e.gameId),
            DisputeGameEvents::ConvictedByTime(e) => self.close(e.gameId),
            DisputeGameEvents::GameLost(e) => self.close(e.gameId),
            DisputeGameEvents::GameSettled(e) => self.close(e.gameId),
            // A segment is found by the number that the game's view gives.
            DisputeGameEvents::SegmentNamed(_)
            | DisputeGameEvents::ConvictedByForm(_)
            | DisputeGameEvents::ConvictedByTwoRoots(_)
            | DisputeGameEvents::AnswererSet(_) => {}
        }
    }

    fn close(&mut self, game: B256) {
        self.over.insert(game, true);
    }

    /// Games on a claim that are not over, in order of their ids.
    pub fn live_on(&self, claim_key: B256) -> Vec<B256> {
        let live = |game: &&B256| !self.over.get(*game).copied().unwrap_or(false);
        let on = self.claim_of.iter().filter(|(_, key)| **key == claim_key);
        on.map(|(game, _)| game).filter(live).copied().collect()
    }

    /// Games of a challenger that are not over, with their claims.
    pub fn live_of(&self, challenger: Address) -> Vec<(B256, B256)> {
        let live = |game: &B256| !self.over.get(game).copied().unwrap_or(false);
        let own = self
            .challenger_of
            .iter()
            .filter(|(_, by)| **by == challenger);
        own.filter(|(game, _)| live(game))
            .filter_map(|(game, _)| Some((*game, *self.claim_of.get(game)?)))
            .collect()
    }

    /// The claim that a game is about.
    pub fn claim_of(&self, game: B256) -> Option<B256> {
        self.claim_of.get(&game).copied()
    }

    /// A claim's trace root, once posted.
    pub fn trace_root(&self, claim_key: B256) -> Option<Hash> {
        self.root_of.get(&claim_key).copied()
    }

    /// What was shown under the game's cursor, if it was opened.
    pub fn shown(&self, claim_key: B256, game: &Game) -> Option<Shown<'_>> {
        match game.stage {
            Stage::First => {
                let root = self.root_of.get(&claim_key)?;
                self.entries
                    .get(root)
                    .map(|entries| Shown::Entries(entries))
            }
            Stage::Trace | Stage::Tensor => self
                .entries
                .get(&game.cursor)
                .map(|entries| Shown::Entries(entries)),
            Stage::Segment => self
                .segments
                .get(&(claim_key, game.position))
                .map(|entries| Shown::Entries(entries)),
            Stage::Tile => self.tiles.get(&game.cursor).map(|tile| Shown::Tile(tile)),
            Stage::Over => None,
        }
    }
}

/// The stage of a code of `IDisputeGame.Stage`: 1 first, 2 trace, 3 segment, 4 tensor, 5 tile, else over.
pub fn stage_from_code(code: u8) -> Stage {
    match code {
        1 => Stage::First,
        2 => Stage::Trace,
        3 => Stage::Segment,
        4 => Stage::Tensor,
        5 => Stage::Tile,
        _ => Stage::Over,
    }
}

/// The game as `dispute` knows it; `trace_depth` places the cursor of a game that just began.
pub fn game_from_chain(game: &ChainGame, trace_depth: u32) -> Game {
    let stage = stage_from_code(game.stage);
    let level = if stage == Stage::First {
        trace_depth
    } else {
        u32::from(game.level)
    };
    Game {
        challenger: game.challenger.into_array(),
        stage,
        node: game.node,
        level,
        position: u64::from(game.position),
        tensor_bytes: game.tensorBytes,
        cursor: hash(game.cursor),
        head: hash(game.head),
        moved_at: game.movedAt,
        claimant_used: game.claimantUsed,
        challenger_used: game.challengerUsed,
        settled: game.settled,
    }
}

/// A 32-byte word of the chain as a hash.
pub fn hash(word: B256) -> Hash {
    Hash(word.0)
}

/// A hash as a 32-byte word of the chain.
pub fn word(hash: Hash) -> B256 {
    B256::from(hash.0)
}

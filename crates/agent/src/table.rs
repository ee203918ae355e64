//! Games as events and views show them, in the words of `dispute`.
//!
//! An answer opens a cursor of a claim, and serves every game of that claim that comes there, so the table
//! keeps what was shown by claim and cursor, as the contract does. A hash would not do in the place of a
//! cursor: a liar can have one hash open to entries of two lengths, at two nodes or in two claims.

use std::collections::BTreeMap;

use selfsame_chain::bindings::DisputeGame::{DisputeGameEvents, Game as ChainGame};
use selfsame_chain::{Address, B256, U256};
use selfsame_commit::tile_hash;
use selfsame_dispute::{Game, NodeFacts, Position, Revealed, Shown, Stage, tensor_schedule};
use selfsame_protocol::Hash;

/// A tree that answers open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Tree {
    Trace,
    /// By its number.
    Segment(u64),
    /// Of a node's output.
    Tensor(u32),
}

/// What an answer opened: the root of a tree, whose level no event tells, or the entry at a level and an
/// index.
type Cursor = (Tree, Option<(u32, u64)>);

/// What one claim's games have in common, and their cursors.
#[derive(Debug, Clone, Default)]
pub struct Table {
    claim_of: BTreeMap<B256, B256>,
    challenger_of: BTreeMap<B256, Address>,
    cursor_of: BTreeMap<B256, Cursor>,
    /// The entries shown, by claim.
    opened: BTreeMap<B256, BTreeMap<Cursor, Vec<Hash>>>,
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
                self.open(e.claimKey, (Tree::Trace, None), &e.entries);
            }
            DisputeGameEvents::NodeNamed(e) => {
                self.cursor_of
                    .insert(e.gameId, (Tree::Tensor(number(e.node)), None));
            }
            DisputeGameEvents::SegmentAnswered(e) => {
                let segment = Tree::Segment(number(e.segment));
                self.open(e.claimKey, (segment, None), &e.entries);
            }
            DisputeGameEvents::EntryNamed(e) => {
                let tree = match number(e.node) {
                    0 => Tree::Trace,
                    node => Tree::Tensor(node),
                };
                let entry = (number(e.level), number(e.index));
                self.cursor_of.insert(e.gameId, (tree, Some(entry)));
            }
            DisputeGameEvents::Answered(e) => {
                if let Some(&cursor) = self.cursor_of.get(&e.gameId) {
                    self.open(e.claimKey, cursor, &e.entries);
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

    fn open(&mut self, claim_key: B256, cursor: Cursor, entries: &[B256]) {
        let opened = self.opened.entry(claim_key).or_default();
        opened.insert(cursor, hashes(entries));
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

    /// What was shown under the game's cursor, if it was opened.
    pub fn shown(&self, claim_key: B256, game: &Game) -> Option<Shown<'_>> {
        let (level, index) = (game.level, game.position);
        let cursor = match game.stage {
            Stage::First => (Tree::Trace, None),
            Stage::Trace => (Tree::Trace, Some((level, index))),
            Stage::Segment => (Tree::Segment(index), None),
            Stage::Tensor => {
                let root = tensor_schedule(game.tensor_bytes).depth();
                let entry = (level != root).then_some((level, index));
                (Tree::Tensor(game.node), entry)
            }
            Stage::Tile => return self.tiles.get(&game.cursor).map(|tile| Shown::Tile(tile)),
            Stage::Over => return None,
        };
        let entries = self.opened.get(&claim_key)?.get(&cursor)?;
        Some(Shown::Entries(entries))
    }

    /// Everything that any answer has shown of the claim's trace tree and of its segments.
    pub fn revealed(&self, claim_key: B256, model: &NodeFacts<'_>) -> Revealed {
        let mut revealed = Revealed::new();
        let root = (model.schedule().trace().depth(), 0);
        for (&(tree, entry), entries) in self.opened.get(&claim_key).into_iter().flatten() {
            let (level, index) = entry.unwrap_or(root);
            let position = match tree {
                Tree::Trace => Position::Trace { level, index },
                Tree::Segment(number) => Position::Segment { number },
                Tree::Tensor(_) => continue,
            };
            revealed.add_at(model, position, entries);
        }
        revealed
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

/// A number of an event, which its contract keeps within `T`.
fn number<T: TryFrom<U256> + Default>(word: U256) -> T {
    T::try_from(word).unwrap_or_default()
}

fn hashes(words: &[B256]) -> Vec<Hash> {
    words.iter().copied().map(hash).collect()
}

/// A 32-byte word of the chain as a hash.
pub fn hash(word: B256) -> Hash {
    Hash(word.0)
}

/// A hash as a 32-byte word of the chain.
pub fn word(hash: Hash) -> B256 {
    B256::from(hash.0)
}

#[cfg(test)]
mod tests {
    use selfsame_chain::bindings::DisputeGame;

    use super::*;

    const ROOT: B256 = B256::repeat_byte(9);

    /// A claim, and a game on it.
    fn ids(claim: u8, game: u8) -> (B256, B256) {
        (B256::repeat_byte(claim), B256::repeat_byte(game))
    }

    fn entries(count: u8) -> Vec<B256> {
        (0..count).map(B256::repeat_byte).collect()
    }

    fn node_named((claim, game): (B256, B256), node: u32) -> DisputeGameEvents {
        DisputeGameEvents::NodeNamed(DisputeGame::NodeNamed {
            gameId: game,
            claimKey: claim,
            node: U256::from(node),
            root: ROOT,
            head: B256::ZERO,
        })
    }

    fn entry_named((claim, game): (B256, B256), node: u32, index: u32) -> DisputeGameEvents {
        DisputeGameEvents::EntryNamed(DisputeGame::EntryNamed {
            gameId: game,
            claimKey: claim,
            node: U256::from(node),
            level: U256::from(4),
            index: U256::from(index),
            hash: ROOT,
            head: B256::ZERO,
        })
    }

    fn answered((claim, game): (B256, B256), count: u8) -> DisputeGameEvents {
        DisputeGameEvents::Answered(DisputeGame::Answered {
            gameId: game,
            claimKey: claim,
            answerer: Address::ZERO,
            level: U256::ZERO,
            entries: entries(count),
            paid: U256::ZERO,
            head: B256::ZERO,
        })
    }

    fn first_answered((claim, game): (B256, B256), count: u8) -> DisputeGameEvents {
        DisputeGameEvents::FirstAnswered(DisputeGame::FirstAnswered {
            gameId: game,
            claimKey: claim,
            answerer: Address::ZERO,
            traceRoot: ROOT,
            entries: entries(count),
            paid: U256::ZERO,
            head: B256::ZERO,
        })
    }

    fn segment_answered((claim, game): (B256, B256), segment: u32, count: u8) -> DisputeGameEvents {
        DisputeGameEvents::SegmentAnswered(DisputeGame::SegmentAnswered {
            gameId: game,
            claimKey: claim,
            answerer: Address::ZERO,
            segment: U256::from(segment),
            entries: entries(count),
            paid: U256::ZERO,
            head: B256::ZERO,
        })
    }

    /// A game whose cursor has the hash `ROOT`.
    fn at(stage: Stage, node: u32, level: u32, position: u64, tiles: u64) -> Game {
        Game {
            challenger: [0; 20],
            stage,
            node,
            level,
            position,
            tensor_bytes: 512 * tiles,
            cursor: hash(ROOT),
            head: Hash::ZERO,
            moved_at: 0,
            claimant_used: 0,
            challenger_used: 0,
            settled: false,
        }
    }

    fn shown(table: &Table, claim: B256, game: &Game) -> Option<usize> {
        match table.shown(claim, game)? {
            Shown::Entries(entries) => Some(entries.len()),
            Shown::Tile(tile) => Some(tile.len()),
        }
    }

    /// A liar has one hash open to four entries in the game of an honest challenger, and to two or three
    /// where a friend of the liar plays: at another node, at another entry, in another claim.
    #[test]
    fn what_was_shown_elsewhere_under_the_same_hash_changes_nothing_here() {
        let (own, friend, elsewhere) = (ids(1, 1), ids(1, 2), ids(2, 3));
        let mut table = Table::default();
        table.apply(&first_answered(own, 9));
        table.apply(&node_named(own, 5));
        table.apply(&answered(own, 4));
        let root = at(Stage::Tensor, 5, 2, 0, 4);
        table.apply(&node_named(friend, 6));
        table.apply(&answered(friend, 2));
        table.apply(&entry_named(friend, 6, 1));
        table.apply(&answered(friend, 3));
        table.apply(&entry_named(friend, 0, 1));
        table.apply(&answered(friend, 3));
        table.apply(&first_answered(elsewhere, 3));
        table.apply(&node_named(elsewhere, 5));
        table.apply(&answered(elsewhere, 2));
        assert_eq!(shown(&table, own.0, &root), Some(4));
        let first = at(Stage::First, 0, 4, 0, 0);
        assert_eq!(shown(&table, own.0, &first), Some(9));
        let theirs = at(Stage::Tensor, 6, 1, 0, 2);
        assert_eq!(shown(&table, own.0, &theirs), Some(2));
        let entry = at(Stage::Tensor, 6, 4, 1, 200);
        assert_eq!(shown(&table, own.0, &entry), Some(3));
        let entry = at(Stage::Trace, 0, 4, 1, 0);
        assert_eq!(shown(&table, own.0, &entry), Some(3));
        let other_entry = at(Stage::Trace, 0, 4, 2, 0);
        assert_eq!(shown(&table, own.0, &other_entry), None);
    }

    /// Spec: game, 4.4.
    #[test]
    fn a_segment_is_shown_to_every_game_of_its_claim_and_to_no_other() {
        let (own, friend) = (ids(1, 1), ids(1, 2));
        let mut table = Table::default();
        table.apply(&first_answered(own, 9));
        table.apply(&segment_answered(friend, 3, 5));
        let cursor = at(Stage::Segment, 7, 0, 3, 0);
        assert_eq!(shown(&table, own.0, &cursor), Some(5));
        assert_eq!(shown(&table, ids(2, 3).0, &cursor), None);
        let other = at(Stage::Segment, 7, 0, 4, 0);
        assert_eq!(shown(&table, own.0, &other), None);
    }
}

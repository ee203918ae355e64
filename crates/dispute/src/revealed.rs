//! What a claimant has shown of its trace tree and of segments.
//!
//! A challenger's own trace differs from the claimant's from the disputed node on, so a proof to
//! the claimant's trace root takes the siblings on the right from what was shown. Whatever such a
//! proof needs is there: a sibling is either left of the disputed node, where both traces agree, or
//! hangs on the path to it, which the descent has opened.
//!
//! Spec: game, 4.3, 4.7.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use selfsame_commit::{Tree, fold, level_len};
use selfsame_protocol::Hash;

use crate::board::{Game, NodeFacts, Stage};
use crate::holder::{Holder, Shown};
use crate::schedule::Position;

/// Entries of the claimant's trace tree, by level and index, and the interior roots of segments.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Revealed {
    known: BTreeMap<(u32, u64), Hash>,
    segments: BTreeMap<u64, Vec<Hash>>,
}

impl Revealed {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in what an answer showed at the game's cursor. Answers about a tensor say nothing of the trace
    /// tree and are passed over.
    pub fn add(&mut self, model: &NodeFacts<'_>, game: &Game, shown: Shown<'_>) {
        let Shown::Entries(entries) = shown else {
            return;
        };
        let (level, index) = (game.level, game.position);
        match game.stage {
            Stage::First | Stage::Trace => {
                self.add_at(model, Position::Trace { level, index }, entries);
            }
            Stage::Segment => self.add_at(model, Position::Segment { number: index }, entries),
            Stage::Tensor | Stage::Tile | Stage::Over => {}
        }
    }

    /// Takes in the entries that an answer showed below `position`; the root of the trace tree is its
    /// entry 0 at the level of its depth.
    pub fn add_at(&mut self, model: &NodeFacts<'_>, position: Position, entries: &[Hash]) {
        let (top, index) = match position {
            Position::Trace { level, index } => (level, index),
            Position::Segment { number } => {
                self.segments.insert(number, entries.to_vec());
                return;
            }
            Position::Tensor { .. } => return,
        };
        let below = model.schedule().trace().opens(top);
        let mut first = index << top.saturating_sub(below);
        let mut shown = entries.to_vec();
        for level in below..=top {
            self.known.extend(
                (first..)
                    .zip(&shown)
                    .map(|(index, &hash)| ((level, index), hash)),
            );
            shown = fold(&shown, level, 1);
            first /= 2;
        }
    }

    /// The claimant's hash at (`level`, `index`): what was shown, else what `own` holds.
    pub fn entry(&self, own: &Tree, level: u32, index: u64) -> Hash {
        self.known
            .get(&(level, index))
            .copied()
            .unwrap_or_else(|| own.entry(level, index))
    }

    /// The tree of a segment: as it was shown, else as `own` has it.
    pub fn segment(&self, model: &NodeFacts<'_>, own: &Holder, segment: u64) -> Tree {
        let shown = self.segments.get(&segment);
        Tree::new(
            shown
                .cloned()
                .unwrap_or_else(|| own.interior_roots(model, segment)),
        )
    }

    /// Siblings that prove the node roots at `indices` (sorted, distinct) in the claimant's trace.
    pub fn multiproof(&self, own: &Tree, indices: &[u64]) -> Vec<Hash> {
        let leaves = own.level(0).len() as u64;
        let mut siblings = Vec::new();
        let mut current: Vec<u64> = indices.to_vec();
        for level in 0..own.depth() {
            let len = level_len(leaves, level);
            let mut above = Vec::with_capacity(current.len());
            let mut rest = current.iter().copied().peekable();
            while let Some(index) = rest.next() {
                let sibling = index ^ 1;
                if rest.peek() == Some(&sibling) {
                    rest.next();
                } else if sibling < len {
                    siblings.push(self.entry(own, level, sibling));
                }
                above.push(index / 2);
            }
            current = above;
        }
        siblings
    }
}

//! The binary tree: depth derived from the number of leaves, absent subtrees constant.
//!
//! Level 0 holds the leaves. At level `l` the entries `0 .. ceil(n / 2^l)` are present; every
//! other entry of the full tree is an absent subtree, whose hash depends on `l` alone, so that
//! nobody ever posts it.

use alloc::vec::Vec;

use selfsame_protocol::constants::{TAG_ABSENT, TAG_INNER};
use selfsame_protocol::{Hash, Keccak, keccak256_tagged};

/// keccak256(0x01, left, right).
pub fn inner(left: &Hash, right: &Hash) -> Hash {
    let mut keccak = Keccak::tagged(TAG_INNER);
    keccak.update(&left.0);
    keccak.update(&right.0);
    keccak.finish()
}

/// Hash of an absent subtree of height `level`.
pub fn absent(level: u32) -> Hash {
    Absent::default().at(level)
}

/// Absent entries of rising levels, hashed only as far as they are asked for.
#[derive(Default)]
struct Absent(Option<(u32, Hash)>);

impl Absent {
    /// The entry of `level`, at least as high as the last one.
    fn at(&mut self, level: u32) -> Hash {
        let leaf = || (0, keccak256_tagged(TAG_ABSENT, &[]));
        let (from, known) = self.0.unwrap_or_else(leaf);
        let entry = (from..level).fold(known, |below, _| inner(&below, &below));
        self.0 = Some((level, entry));
        entry
    }
}

/// Depth of the tree over `leaves` leaves: the smallest d with 2^d >= leaves.
pub fn depth(leaves: u64) -> u32 {
    leaves.max(1).next_power_of_two().trailing_zeros()
}

/// Number of present entries at `level` of the tree over `leaves` leaves.
pub fn level_len(leaves: u64, level: u32) -> u64 {
    leaves.max(1).div_ceil(1 << level.min(63))
}

/// Folds the present entries of level `from` up `levels` levels; the result has
/// `ceil(entries / 2^levels)` entries.
pub fn fold(entries: &[Hash], from: u32, levels: u32) -> Vec<Hash> {
    let mut current = entries.to_vec();
    let mut absent = Absent::default();
    for level in (from..=u32::MAX).take(levels as usize) {
        current = current
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => inner(left, right),
                [left] => inner(left, &absent.at(level)),
                _ => absent.at(level),
            })
            .collect();
    }
    current
}

/// Root over the leaves; no leaves count as one absent leaf.
pub fn root(leaves: &[Hash]) -> Hash {
    let depth = depth(leaves.len() as u64);
    fold(leaves, 0, depth)
        .first()
        .copied()
        .unwrap_or_else(|| absent(depth))
}

/// A tree with all its levels at hand, for whoever answers or challenges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// Builds every level.
    pub fn new(leaves: Vec<Hash>) -> Self {
        let leaves = if leaves.is_empty() {
            alloc::vec![absent(0)]
        } else {
            leaves
        };
        let depth = depth(leaves.len() as u64);
        let mut levels = alloc::vec![leaves];
        for level in 0..depth {
            let above = levels
                .last()
                .map(|below| fold(below, level, 1))
                .unwrap_or_default();
            levels.push(above);
        }
        Self { levels }
    }

    /// The root.
    pub fn root(&self) -> Hash {
        self.levels
            .last()
            .and_then(|top| top.first())
            .copied()
            .unwrap_or_default()
    }

    /// Depth of the tree.
    pub fn depth(&self) -> u32 {
        u32::try_from(self.levels.len())
            .unwrap_or(u32::MAX)
            .saturating_sub(1)
    }

    /// The present entries of a level; empty above the root.
    pub fn level(&self, level: u32) -> &[Hash] {
        self.levels.get(level as usize).map_or(&[], Vec::as_slice)
    }

    /// The entry at (`level`, `index`), the absent constant where none is present.
    pub fn entry(&self, level: u32, index: u64) -> Hash {
        usize::try_from(index)
            .ok()
            .and_then(|index| self.level(level).get(index))
            .copied()
            .unwrap_or_else(|| absent(level))
    }

    /// The present entries at `level` below the entry (`top`, `index`), left to right.
    pub fn descendants(&self, top: u32, index: u64, level: u32) -> &[Hash] {
        let span = 1_u64 << top.saturating_sub(level).min(63);
        let entries = self.level(level);
        let clamp = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(entries.len());
        let start = clamp(index.saturating_mul(span));
        let end = clamp(index.saturating_add(1).saturating_mul(span));
        entries.get(start..end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tile_hash;

    #[test]
    fn a_single_leaf_is_its_own_root() {
        let leaf = tile_hash(b"x");
        assert_eq!(root(&[leaf]), leaf);
        assert_eq!(Tree::new(alloc::vec![leaf]).depth(), 0);
    }

    #[test]
    fn three_leaves_are_padded_with_one_absent_leaf() {
        let leaves = [tile_hash(b"a"), tile_hash(b"b"), tile_hash(b"c")];
        let want = inner(
            &inner(&leaves[0], &leaves[1]),
            &inner(&leaves[2], &absent(0)),
        );
        assert_eq!(root(&leaves), want);
        assert_eq!(Tree::new(leaves.to_vec()).root(), want);
    }

    #[test]
    fn descendants_fold_back_to_their_ancestor() {
        let leaves: Vec<Hash> = (0..37_u8).map(|i| tile_hash(&[i])).collect();
        let tree = Tree::new(leaves);
        for top in 0..=tree.depth() {
            for level in 0..=top {
                for index in 0..tree.level(top).len() as u64 {
                    let below = tree.descendants(top, index, level);
                    assert_eq!(fold(below, level, top - level), [tree.entry(top, index)]);
                }
            }
        }
    }
}

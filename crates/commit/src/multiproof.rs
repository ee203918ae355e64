//! Proof that a set of leaves belongs to a root.
//!
//! The leaves are named by sorted, distinct indices, which the verifier derives for itself.
//! Siblings are taken level by level from the leaves up, left to right within a level, and only
//! where the sibling is present and not computed from the set. Absent siblings are constants.
//!
//! Spec: commitments, 2.5.

use alloc::vec::Vec;

use selfsame_protocol::Hash;

use crate::tree::{Tree, absent, depth, inner, level_len};

/// Why a multiproof was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MultiProofError {
    /// Indices and hashes differ in number, or there are none.
    #[error("{indices} indices for {hashes} hashes; one hash for each index, at least one")]
    Count {
        /// Indices given.
        indices: usize,
        /// Hashes given.
        hashes: usize,
    },
    /// The indices are not strictly increasing, or one lies outside the tree.
    #[error("leaf index {index} is out of order or outside a tree of {leaves} leaves")]
    Index {
        /// The offending index.
        index: u64,
        /// Leaves of the tree.
        leaves: u64,
    },
    /// Too few siblings.
    #[error("the proof needs more than the {given} siblings given")]
    Missing {
        /// Siblings given.
        given: usize,
    },
    /// Siblings are left over.
    #[error("the proof uses {used} of the {given} siblings given; leave out the rest")]
    Extra {
        /// Siblings used.
        used: usize,
        /// Siblings given.
        given: usize,
    },
}

/// The siblings that prove the leaves at `indices` (sorted, distinct, inside the tree).
pub fn multiproof(tree: &Tree, indices: &[u64]) -> Vec<Hash> {
    let mut siblings = Vec::new();
    let mut current: Vec<u64> = indices.to_vec();
    for level in 0..tree.depth() {
        let len = tree.level(level).len() as u64;
        let mut above = Vec::with_capacity(current.len());
        let mut rest = current.iter().copied().peekable();
        while let Some(index) = rest.next() {
            let sibling = index ^ 1;
            if rest.peek() == Some(&sibling) {
                rest.next();
            } else if sibling < len {
                siblings.push(tree.entry(level, sibling));
            }
            above.push(index / 2);
        }
        current = above;
    }
    siblings
}

/// The root that `hashes` at `indices` have in a tree of `leaves` leaves, given `siblings`.
pub fn multiproof_root(
    leaves: u64,
    indices: &[u64],
    hashes: &[Hash],
    siblings: &[Hash],
) -> Result<Hash, MultiProofError> {
    if indices.is_empty() || indices.len() != hashes.len() {
        return Err(MultiProofError::Count {
            indices: indices.len(),
            hashes: hashes.len(),
        });
    }
    check_indices(leaves, indices)?;
    let mut current: Vec<(u64, Hash)> = indices
        .iter()
        .copied()
        .zip(hashes.iter().copied())
        .collect();
    let mut unused = siblings.iter();
    let mut padding = absent(0);
    for level in 0..depth(leaves) {
        let len = level_len(leaves, level);
        let mut above = Vec::with_capacity(current.len());
        let mut rest = current.iter().copied().peekable();
        while let Some((index, hash)) = rest.next() {
            let sibling = index ^ 1;
            let other = match rest.peek() {
                Some(&(next, next_hash)) if next == sibling => {
                    rest.next();
                    next_hash
                }
                _ if sibling >= len => padding,
                _ => *unused.next().ok_or(MultiProofError::Missing {
                    given: siblings.len(),
                })?,
            };
            let parent = if index.is_multiple_of(2) {
                inner(&hash, &other)
            } else {
                inner(&other, &hash)
            };
            above.push((index / 2, parent));
        }
        current = above;
        padding = inner(&padding, &padding);
    }
    match (unused.len(), current.first()) {
        (0, Some(&(_, root))) => Ok(root),
        (left, _) => Err(MultiProofError::Extra {
            used: siblings.len() - left,
            given: siblings.len(),
        }),
    }
}

fn check_indices(leaves: u64, indices: &[u64]) -> Result<(), MultiProofError> {
    let mut least = 0;
    for &index in indices {
        if index < least || index >= leaves.max(1) {
            return Err(MultiProofError::Index { index, leaves });
        }
        least = index + 1;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::tile_hash;

    fn tree(leaves: u16) -> Tree {
        Tree::new((0..leaves).map(|i| tile_hash(&i.to_be_bytes())).collect())
    }

    proptest! {
        /// Spec: commitments, 2.5.
        #[test]
        fn a_proof_of_any_set_of_leaves_gives_the_root(leaves in 1_u16..200, picks in proptest::collection::btree_set(0_u64..200, 1..20)) {
            let tree = tree(leaves);
            let indices: BTreeSet<u64> = picks.into_iter().map(|i| i % u64::from(leaves)).collect();
            let indices: Vec<u64> = indices.into_iter().collect();
            let hashes: Vec<Hash> = indices.iter().map(|&i| tree.entry(0, i)).collect();
            let siblings = multiproof(&tree, &indices);
            prop_assert_eq!(multiproof_root(u64::from(leaves), &indices, &hashes, &siblings), Ok(tree.root()));
        }

        #[test]
        fn a_sibling_too_few_or_too_many_is_refused(leaves in 2_u16..200, pick in 0_u64..200) {
            let tree = tree(leaves);
            let pick = pick % u64::from(leaves);
            let hash = tree.entry(0, pick);
            let mut siblings = multiproof(&tree, &[pick]);
            siblings.push(Hash::ZERO);
            let is_extra = matches!(multiproof_root(u64::from(leaves), &[pick], &[hash], &siblings), Err(MultiProofError::Extra { .. }));
            prop_assert!(is_extra);
            siblings.truncate(siblings.len() - 2);
            let is_missing = matches!(multiproof_root(u64::from(leaves), &[pick], &[hash], &siblings), Err(MultiProofError::Missing { .. }));
            prop_assert!(is_missing);
        }
    }

    #[test]
    fn unsorted_repeated_and_outside_indices_are_refused() {
        let hash = tile_hash(b"x");
        for indices in [[1, 0], [0, 0], [0, 4]] {
            assert!(matches!(
                multiproof_root(4, &indices, &[hash, hash], &[]),
                Err(MultiProofError::Index { .. })
            ));
        }
    }
}

//! The trace of a run: every node's output, its root, and the root over all of them.
//!
//! ```text
//! node root = tree over the tiles of the node's canonical bytes
//! trace root = tree over the node roots in execution order, INPUT included
//! ```
//!
//! The same hashes as `commit` makes, on many lanes at once. Spec: commitments, 2.1 to 2.3.

use selfsame_commit::{absent, depth};
use selfsame_ir::Tensor;
use selfsame_kernels::{Kernel, keccak_chunks, keccak_one};
use selfsame_protocol::Hash;
use selfsame_protocol::constants::{TAG_INNER, TAG_TILE, TILE_BYTES};

/// Every node's output and commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Output of every node in execution order; the input first.
    pub node_tensors: Vec<Tensor>,
    /// Root of every node's output.
    pub node_roots: Vec<Hash>,
    /// Tree over the node roots.
    pub trace_root: Hash,
}

/// Buffers of a commitment; kept, so that a second one of the same size does not allocate.
#[derive(Debug, Default)]
pub(crate) struct Hasher {
    /// Canonical bytes of the tensor to be hashed.
    pub(crate) bytes: Vec<u8>,
    level: Vec<[u8; 32]>,
    above: Vec<[u8; 32]>,
}

impl Hasher {
    /// Root of the tensor whose canonical bytes are in `self.bytes`.
    pub(crate) fn tensor_root(&mut self, kernel: Kernel) -> Hash {
        let tile_count = self.bytes.len().div_ceil(TILE_BYTES as usize).max(1);
        self.level.clear();
        self.level.resize(tile_count, [0; 32]);
        if self.bytes.is_empty() {
            self.level[0] = keccak_one(TAG_TILE, &[]);
        } else {
            keccak_chunks(
                kernel,
                TAG_TILE,
                &self.bytes,
                TILE_BYTES as usize,
                &mut self.level,
            );
        }
        self.fold(kernel)
    }

    /// Root of the tree over `leaves`.
    pub(crate) fn tree_root(&mut self, kernel: Kernel, leaves: &[Hash]) -> Hash {
        self.level.clear();
        self.level.extend(leaves.iter().map(|leaf| leaf.0));
        if self.level.is_empty() {
            return absent(0);
        }
        self.fold(kernel)
    }

    /// Folds `self.level` to its root.
    fn fold(&mut self, kernel: Kernel) -> Hash {
        let mut padding = absent(0).0;
        for _ in 0..depth(self.level.len() as u64) {
            if !self.level.len().is_multiple_of(2) {
                self.level.push(padding);
            }
            self.above.clear();
            self.above.resize(self.level.len() / 2, [0; 32]);
            keccak_chunks(
                kernel,
                TAG_INNER,
                self.level.as_flattened(),
                64,
                &mut self.above,
            );
            std::mem::swap(&mut self.level, &mut self.above);
            padding = keccak_one(TAG_INNER, [padding, padding].as_flattened());
        }
        Hash(self.level[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_equal_those_of_the_commitments_on_every_kernel() {
        let mut hasher = Hasher::default();
        for kernel in Kernel::available() {
            for len in [0_u32, 1, 511, 512, 513, 1024, 5000, 9216, 20_000] {
                let bytes: Vec<u8> = (0..len)
                    .map(|i| (i * 11 + i / 253).to_le_bytes()[0])
                    .collect();
                hasher.bytes.clone_from(&bytes);
                let tiles = selfsame_commit::tile_hashes(&bytes);
                assert_eq!(
                    hasher.tensor_root(kernel),
                    selfsame_commit::root(&tiles),
                    "{len}"
                );
                assert_eq!(
                    hasher.tree_root(kernel, &tiles),
                    selfsame_commit::root(&tiles)
                );
            }
            assert_eq!(hasher.tree_root(kernel, &[]), selfsame_commit::root(&[]));
        }
    }
}

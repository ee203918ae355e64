//! The trace of a run: every node's output, its root, and the root over the committed ones.
//!
//! ```text
//! node root = tree over the tiles of the node's canonical bytes
//! trace root = tree over the roots of the committed nodes in execution order, INPUT included
//! ```
//!
//! The same hashes as `commit` makes, on many lanes at once. Spec: commitments, 2.1 to 2.3.

use std::mem::take;

use selfsame_commit::absent;
use selfsame_ir::Tensor;
use selfsame_kernels::{Kernel, THREADS_MAX, ThreadPool, keccak_one, keccak_parts};
use selfsame_protocol::Hash;
use selfsame_protocol::constants::{TAG_INNER, TAG_TILE, TILE_BYTES};

/// Every node's output and commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Output of every node in execution order; the input first.
    pub node_tensors: Vec<Tensor>,
    /// Root of every node's output.
    pub node_roots: Vec<Hash>,
    /// Tree over the roots of the committed nodes.
    pub trace_root: Hash,
}

/// Bytes of nodes that are collected before their tiles are hashed: they are still in a cache then, and
/// small nodes share the lanes of a permutation.
const TOGETHER_BYTES: usize = 256 << 10;

/// Collects the nodes' canonical bytes, hashes their tiles while they are near, and in the end folds the
/// trees of all nodes level by level.
///
/// Tiles and pairs of several nodes share the lanes of a permutation and the threads of the pool. The
/// buffers are kept, so that a second trace of the same size does not allocate.
#[derive(Debug, Default)]
pub(crate) struct Hasher {
    /// Canonical bytes of all nodes, one after the other.
    pub(crate) bytes: Vec<u8>,
    /// One past the last byte of each node.
    ends: Vec<usize>,
    parts: Vec<(usize, usize)>,
    /// Entries of the current level, node by node, and how many each node has.
    level: Vec<[u8; 32]>,
    counts: Vec<usize>,
    /// Hashes of the pairs of the current level.
    hashes: Vec<[u8; 32]>,
    /// The absent entry of each level so far.
    paddings: Vec<[u8; 32]>,
}

impl Hasher {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.level.clear();
        self.counts.clear();
    }

    /// Ends a node: its bytes are those appended since the last call.
    pub(crate) fn end_node(&mut self, kernel: Kernel, pool: Option<&mut ThreadPool>) {
        self.ends.push(self.bytes.len());
        if TOGETHER_BYTES <= self.bytes.len() {
            self.hash_nodes(kernel, pool);
        }
    }

    /// The root of every node, in order.
    pub(crate) fn node_roots(
        &mut self,
        kernel: Kernel,
        mut pool: Option<&mut ThreadPool>,
    ) -> Vec<Hash> {
        self.hash_nodes(kernel, pool.as_deref_mut());
        self.fold(kernel, pool);
        self.level.iter().map(|&root| Hash(root)).collect()
    }

    /// The roots of tensors that lie behind one another in `bytes`, each up to its end.
    pub(crate) fn roots(&mut self, kernel: Kernel, bytes: &[u8], ends: &[usize]) -> Vec<Hash> {
        self.clear();
        self.hash_tiles(kernel, None, bytes, ends);
        self.fold(kernel, None);
        self.level.iter().map(|&root| Hash(root)).collect()
    }

    /// Hashes the tiles of the nodes that have been collected.
    fn hash_nodes(&mut self, kernel: Kernel, pool: Option<&mut ThreadPool>) {
        let (bytes, ends) = (take(&mut self.bytes), take(&mut self.ends));
        self.hash_tiles(kernel, pool, &bytes, &ends);
        (self.bytes, self.ends) = (bytes, ends);
        self.bytes.clear();
        self.ends.clear();
    }

    /// Adds the hashes of the tiles of tensors that lie behind one another to the level.
    fn hash_tiles(
        &mut self,
        kernel: Kernel,
        pool: Option<&mut ThreadPool>,
        bytes: &[u8],
        ends: &[usize],
    ) {
        self.parts.clear();
        let mut start = 0;
        for &end in ends {
            let count = (end - start).div_ceil(TILE_BYTES as usize).max(1);
            self.counts.push(count);
            let tiles = (0..count).map(|tile| start + tile * TILE_BYTES as usize);
            self.parts
                .extend(tiles.map(|at| (at, end.min(at + TILE_BYTES as usize))));
            start = end;
        }
        let known = self.level.len();
        self.level.resize(known + self.parts.len(), [0; 32]);
        let hashes = &mut self.level[known..];
        hash_parts(kernel, pool, TAG_TILE, bytes, &self.parts, hashes);
    }

    /// The root of the tree over `leaves`.
    pub(crate) fn tree_root(
        &mut self,
        kernel: Kernel,
        pool: Option<&mut ThreadPool>,
        leaves: &[Hash],
    ) -> Hash {
        self.level.clear();
        self.level.extend(leaves.iter().map(|leaf| leaf.0));
        if leaves.is_empty() {
            return absent(0);
        }
        self.counts.clear();
        self.counts.push(leaves.len());
        self.fold(kernel, pool);
        Hash(self.level[0])
    }

    /// Folds every node's entries to one.
    fn fold(&mut self, kernel: Kernel, mut pool: Option<&mut ThreadPool>) {
        let mut height = 0;
        while self.counts.iter().any(|&count| 1 < count) {
            let padding = self.padding(height);
            self.pair(padding);
            self.hashes.clear();
            self.hashes.resize(self.parts.len(), [0; 32]);
            let bytes = self.level.as_flattened();
            hash_parts(
                kernel,
                pool.as_deref_mut(),
                TAG_INNER,
                bytes,
                &self.parts,
                &mut self.hashes,
            );
            self.rise();
            height += 1;
        }
    }

    /// Makes parts of the pairs of the current level, where they lie. A last entry without a second one is
    /// repeated behind the level, with `padding`.
    fn pair(&mut self, padding: [u8; 32]) {
        self.parts.clear();
        let mut start = 0;
        for &count in &self.counts {
            let end = start + count;
            let pairs = (0..count / 2).map(|pair| start + 2 * pair);
            self.parts.extend(pairs.map(part_at));
            if 1 < count && !count.is_multiple_of(2) {
                self.parts.push(part_at(self.level.len()));
                self.level.extend([self.level[end - 1], padding]);
            }
            start = end;
        }
    }

    /// The absent entry of level `height`.
    fn padding(&mut self, height: usize) -> [u8; 32] {
        while self.paddings.len() <= height {
            let next = match self.paddings.last() {
                Some(below) => keccak_one(TAG_INNER, [*below, *below].as_flattened()),
                None => absent(0).0,
            };
            self.paddings.push(next);
        }
        self.paddings[height]
    }

    /// Replaces the level by the one above: hashes of pairs, and the roots that are done.
    fn rise(&mut self) {
        let mut hashes = self.hashes.iter();
        let (mut from, mut to) = (0, 0);
        for count in &mut self.counts {
            let above = count.div_ceil(2);
            if *count == 1 {
                self.level[to] = self.level[from];
            } else {
                for (entry, hash) in self.level[to..to + above].iter_mut().zip(&mut hashes) {
                    *entry = *hash;
                }
            }
            from += *count;
            to += above;
            *count = above;
        }
        self.level.truncate(to);
    }
}

/// The bytes of the pair that begins with entry `entry`.
fn part_at(entry: usize) -> (usize, usize) {
    (entry * 32, entry * 32 + 64)
}

/// Hashes all parts, cut over the threads when there are many.
fn hash_parts(
    kernel: Kernel,
    pool: Option<&mut ThreadPool>,
    tag: u8,
    bytes: &[u8],
    parts: &[(usize, usize)],
    out: &mut [[u8; 32]],
) {
    let threads = pool.as_ref().map_or(1, |pool| pool.threads());
    // Whole groups of lanes, and several jobs for each thread, so that a slow one leaves its own.
    let each = parts
        .len()
        .div_ceil((JOBS_PER_THREAD * threads).min(THREADS_MAX))
        .next_multiple_of(8)
        .max(PARTS_PER_THREAD);
    let Some(pool) = pool.filter(|_| 1 < threads && each < parts.len()) else {
        keccak_parts(kernel, tag, bytes, parts, out);
        return;
    };
    let mut jobs: [Option<Job>; THREADS_MAX] = [const { None }; THREADS_MAX];
    let mut count = 0;
    for (job, cut) in jobs
        .iter_mut()
        .zip(parts.chunks(each).zip(out.chunks_mut(each)))
    {
        *job = Some(cut);
        count += 1;
    }
    pool.for_each(&mut jobs[..count], &|_, job: &mut Option<Job>| {
        if let Some((parts, out)) = job {
            keccak_parts(kernel, tag, bytes, parts, out);
        }
    });
}

/// Parts and the places of their hashes.
type Job<'a> = (&'a [(usize, usize)], &'a mut [[u8; 32]]);

/// Jobs that each thread gets where there is much to hash.
const JOBS_PER_THREAD: usize = 4;

/// Hashes that make a second thread worth its start.
const PARTS_PER_THREAD: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_equal_those_of_the_commitments_on_every_kernel() {
        let mut hasher = Hasher::default();
        let lengths = [
            1_u32, 511, 512, 513, 1024, 5000, 9216, 300_000, 20_000, 1, 270_001, 1536,
        ];
        let nodes: Vec<Vec<u8>> = lengths
            .iter()
            .map(|&len| {
                (0..len)
                    .map(|i| (i * 11 + i / 253 + len).to_le_bytes()[0])
                    .collect()
            })
            .collect();
        let want: Vec<Hash> = nodes
            .iter()
            .map(|bytes| selfsame_commit::root(&selfsame_commit::tile_hashes(bytes)))
            .collect();
        for kernel in Kernel::available() {
            for threads in [1, 3] {
                let mut pool = ThreadPool::new(threads);
                for _ in 0..2 {
                    hasher.clear();
                    for bytes in &nodes {
                        hasher.bytes.extend(bytes);
                        hasher.end_node(kernel, Some(&mut pool));
                    }
                    assert_eq!(
                        hasher.node_roots(kernel, Some(&mut pool)),
                        want,
                        "{}",
                        kernel.name()
                    );
                    for count in 0..want.len() {
                        let root = hasher.tree_root(kernel, None, &want[..count]);
                        assert_eq!(root, selfsame_commit::root(&want[..count]), "{count}");
                    }
                }
            }
        }
    }
}

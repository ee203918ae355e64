//! Opening an artefact fast: its tensors are hashed band by band on all lanes and several threads, and its
//! weights stay where the file was read to.
//!
//! ```text
//! tensors   [ a tensor ][ b ][c][ d .. ]      band: a subtree of a large tensor, or some small tensors
//! bands     |    |    |  |           |
//! ```
//!
//! Everything else is that of `selfsame_ir::artefact::decode`, and so is the meaning: both give the same program or
//! the same refusal.

use std::ops::Range;
use std::sync::Arc;
use std::thread;

use selfsame_commit::{depth, fold, tile_count};
use selfsame_ir::artefact::{ArtefactError, Parsed};
use selfsame_ir::{CheckedProgram, ModelCommitment, SharedMemory};
use selfsame_kernels::{Bytes, Kernel};
use selfsame_protocol::Hash;
use selfsame_protocol::constants::TILE_BYTES;

use crate::trace::Hasher;
use crate::workers;

/// Height of the subtree over a band.
const BAND_HEIGHT: u32 = 9;
/// Bytes of a band: what it reads and makes stays in a cache, and one more is worth a second thread.
const BAND_BYTES: usize = (TILE_BYTES as usize) << BAND_HEIGHT;

/// Reads a program from the bytes of its artefact, checks it whole, and gives its commitment.
pub fn open(bytes: &[u8]) -> Result<(CheckedProgram, ModelCommitment), ArtefactError> {
    open_with(bytes, None)
}

/// The same of an artefact that stays in memory as long as the program does: its weights are not copied.
pub fn open_in(memory: &Arc<Bytes>) -> Result<(CheckedProgram, ModelCommitment), ArtefactError> {
    let shared: SharedMemory = Arc::clone(memory) as SharedMemory;
    open_with(memory.as_slice(), Some(&shared))
}

fn open_with(
    bytes: &[u8],
    memory: Option<&SharedMemory>,
) -> Result<(CheckedProgram, ModelCommitment), ArtefactError> {
    let file = Parsed::read(bytes)?;
    let program = || memory.map_or_else(|| file.program(), |memory| file.program_in(memory));
    let (tensors, ends) = file.tensors();
    if tensors.len() < BAND_BYTES {
        return file.commit(program()?, &tensor_roots(tensors, ends));
    }
    let (program, roots) = thread::scope(|scope| {
        let hashing = scope.spawn(|| tensor_roots(tensors, ends));
        let program = program();
        match hashing.join() {
            Ok(roots) => (program, roots),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    });
    file.commit(program?, &roots)
}

/// Bytes that one thread hashes at a time.
#[derive(Debug)]
struct Band {
    bytes: Range<usize>,
    /// The tensors that it holds whole; none if it is a part of one.
    tensors: Range<usize>,
}

/// Cuts tensors that lie behind one another, each up to its end, into bands.
fn bands(ends: &[usize]) -> Vec<Band> {
    let mut bands = Vec::new();
    let (mut start, mut first, mut small) = (0, 0, 0);
    for (index, &end) in ends.iter().enumerate() {
        let is_large = BAND_BYTES < end - start;
        if is_large || BAND_BYTES < end - small {
            bands.push(Band {
                bytes: small..start,
                tensors: first..index,
            });
            (small, first) = (start, index);
        }
        if is_large {
            let part = |at: usize| Band {
                bytes: at..end.min(at + BAND_BYTES),
                tensors: index..index,
            };
            bands.extend((start..end).step_by(BAND_BYTES).map(part));
            (small, first) = (end, index + 1);
        }
        start = end;
    }
    bands.push(Band {
        bytes: small..start,
        tensors: first..ends.len(),
    });
    bands.retain(|band| !band.tensors.is_empty() || !band.bytes.is_empty());
    bands
}

impl Band {
    /// The roots of its tensors, or the entry over a part of one at height [`BAND_HEIGHT`].
    fn hash(&self, bytes: &[u8], ends: &[usize], hasher: &mut Hasher) -> Vec<Hash> {
        let kernel = Kernel::best();
        let mine = &bytes[self.bytes.clone()];
        if self.tensors.is_empty() {
            let roots = hasher.roots(kernel, mine, &[mine.len()]);
            let height = depth(tile_count(mine.len() as u64));
            return fold(&roots, height, BAND_HEIGHT - height);
        }
        let ends = ends[self.tensors.clone()].iter();
        let ends: Vec<usize> = ends.map(|end| end - self.bytes.start).collect();
        hasher.roots(kernel, mine, &ends)
    }
}

/// The roots of tensors that lie behind one another, each up to its end.
fn tensor_roots(bytes: &[u8], ends: &[usize]) -> Vec<Hash> {
    let bands = bands(ends);
    let threads = workers::threads(bands.len());
    let hash = |hasher: &mut Hasher, band: &Band| band.hash(bytes, ends, hasher);
    let hashed = workers::in_order(&bands, 0..bands.len(), threads, Hasher::default, hash);
    let entries = hashed.concat();
    roots_of(&entries, ends)
}

/// The roots of all tensors from the entries of their bands, in order.
fn roots_of(entries: &[Hash], ends: &[usize]) -> Vec<Hash> {
    let (mut start, mut rest) = (0, entries);
    let root = |&end: &usize| {
        let bytes = end - std::mem::replace(&mut start, end);
        let parts = bytes.div_ceil(BAND_BYTES).max(1);
        let (mine, others) = rest.split_at(parts.min(rest.len()));
        rest = others;
        let heights = depth(tile_count(bytes as u64)).saturating_sub(BAND_HEIGHT);
        fold(mine, BAND_HEIGHT, heights)
    };
    ends.iter().flat_map(root).collect()
}

#[cfg(test)]
mod tests {
    use selfsame_ir::artefact;

    use super::*;

    #[test]
    fn roots_are_those_of_the_meaning_on_one_thread_and_on_several() {
        let bytes: Vec<u8> = (0..900_000_u32)
            .map(|i| (i * 31 + i / 509).to_le_bytes()[0])
            .collect();
        for ends in [
            vec![700_000],
            vec![0, 1, 513, 1024, 1024, 699_999, 700_000],
            vec![BAND_BYTES, 2 * BAND_BYTES + 1, 2 * BAND_BYTES + 1, 700_000],
            vec![
                10,
                3 * BAND_BYTES - 511,
                3 * BAND_BYTES - 510,
                3 * BAND_BYTES + 5,
            ],
            (0..=700).map(|i| i * 1000).collect(),
            vec![],
        ] {
            assert_eq!(
                tensor_roots(&bytes, &ends),
                artefact::tensor_roots(&bytes, &ends)
            );
        }
        let few = &bytes[..600];
        assert_eq!(
            tensor_roots(few, &[600]),
            artefact::tensor_roots(few, &[600])
        );
    }
}

//! Opening an artefact fast: the tensors are hashed on all lanes and several threads.
//!
//! Everything else is that of `selfsame_ir::artefact::decode`, and so is the meaning: both give the same program or
//! the same refusal.

use std::num::NonZero;
use std::thread;

use selfsame_ir::artefact::{ArtefactError, Parsed};
use selfsame_ir::{CheckedProgram, ModelCommitment};
use selfsame_kernels::{Kernel, ThreadPool};
use selfsame_protocol::Hash;

use crate::trace::Hasher;

/// Most threads that hash; more wait for memory.
const THREADS_MAX: usize = 8;
/// Bytes that make a second thread worth its start.
const BYTES_PER_THREAD: usize = 256 << 10;

/// Reads a program from the bytes of its artefact, checks it whole, and gives its commitment.
pub fn open(bytes: &[u8]) -> Result<(CheckedProgram, ModelCommitment), ArtefactError> {
    let file = Parsed::read(bytes)?;
    let (tensors, ends) = file.tensors();
    if tensors.len() < BYTES_PER_THREAD {
        return file.commit(file.program()?, &tensor_roots(tensors, ends));
    }
    let (program, roots) = thread::scope(|scope| {
        let hashing = scope.spawn(|| tensor_roots(tensors, ends));
        let program = file.program();
        match hashing.join() {
            Ok(roots) => (program, roots),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    });
    file.commit(program?, &roots)
}

/// The roots of tensors that lie behind one another, each up to its end.
fn tensor_roots(bytes: &[u8], ends: &[usize]) -> Vec<Hash> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = cores
        .min(THREADS_MAX)
        .min(bytes.len() / BYTES_PER_THREAD + 1);
    let mut pool = ThreadPool::new(threads);
    Hasher::default().roots(Kernel::best(), &mut pool, bytes, ends)
}

#[cfg(test)]
mod tests {
    use selfsame_ir::artefact;

    use super::*;

    #[test]
    fn roots_are_those_of_the_meaning_on_one_thread_and_on_several() {
        let bytes: Vec<u8> = (0..700_000_u32)
            .map(|i| (i * 31 + i / 509).to_le_bytes()[0])
            .collect();
        for ends in [
            vec![700_000],
            vec![0, 1, 513, 1024, 1024, 699_999, 700_000],
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

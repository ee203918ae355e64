//! Opening an artefact fast: its tensors are hashed band by band on all lanes and several threads, each band as
//! soon as it is read, while it is in a cache, and its weights stay where the file was read to.
//!
//! ```text
//! tensors   [ a tensor ][ b ][c][ d .. ]      band: a subtree of a large tensor, or some small tensors
//! bands     |    |    |  |           |
//! stretch   |             |          |        bands that one thread reads and hashes, one after the other
//! ```
//!
//! Everything else is that of `selfsame_ir::artefact::decode`, and so is the meaning: both give the same program or
//! the same refusal.

use std::convert::Infallible;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

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
/// Bytes of a stretch, at least: a large page, because threads that touch one for the first time at once
/// both clear it.
const STRETCH_BYTES: usize = 2 << 20;
/// What is read of a file before its tensors are looked for; if they begin later, more is.
const HEAD_BYTES: usize = 128 << 10;

/// A program with its commitment, or why there is none.
type Opened = Result<(CheckedProgram, ModelCommitment), ArtefactError>;

/// Reads a program from the bytes of its artefact, checks it whole, and gives its commitment.
pub fn open(bytes: &[u8]) -> Opened {
    let copy = |part: &mut [u8], at: usize| -> Result<(), Infallible> {
        part.copy_from_slice(&bytes[at..at + part.len()]);
        Ok(())
    };
    let Ok(opened) = open_reading(bytes.len(), copy);
    opened
}

/// The same of a file of `len` bytes: `read` fills the bytes that it is given with those of the file from a
/// place on, on several threads at once. The weights stay in the memory that was read to.
///
/// The outer error is that of `read`; then nothing was opened.
pub fn open_reading<E: Send>(
    len: usize,
    read: impl Fn(&mut [u8], usize) -> Result<(), E> + Sync,
) -> Result<Opened, E> {
    let mut bytes = Bytes::filled(len, 0);
    let (mut known, mut places) = (0, None);
    while known < len && places.is_none() {
        let more = (3 * known).max(HEAD_BYTES).min(len - known);
        read(&mut bytes[known..known + more], known)?;
        known += more;
        places = tensor_places(&bytes, known);
    }
    let roots = match places {
        Some((first, ends)) => {
            let read = |part: &mut [u8], at: usize| read(part, first + at);
            read_and_hash(&mut bytes[first..], &ends, &read)?
        }
        None => Vec::new(),
    };
    Ok(check(&Arc::new(bytes), &roots))
}

/// Where the tensors begin and how they end, if the first `known` bytes of an artefact tell.
fn tensor_places(bytes: &[u8], known: usize) -> Option<(usize, Vec<usize>)> {
    let file = Parsed::read(bytes).ok()?;
    let (tensors, ends) = file.tensors();
    let first = bytes.len() - tensors.len();
    (first <= known).then(|| (first, ends.to_vec()))
}

/// Checks what was read, whose tensors have these `roots`.
fn check(memory: &Arc<Bytes>, roots: &[Hash]) -> Opened {
    let shared: SharedMemory = Arc::clone(memory) as SharedMemory;
    let file = Parsed::read(memory.as_slice())?;
    let program = file.program_in(&shared)?;
    file.commit(program, roots)
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
    /// The roots of its tensors, or the entry over a part of one at height [`BAND_HEIGHT`]; `mine` are its
    /// bytes, `ends` those of all tensors.
    fn hash(&self, mine: &[u8], ends: &[usize], hasher: &mut Hasher) -> Vec<Hash> {
        let kernel = Kernel::best();
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

/// Neighbouring bands and their bytes, still to be read.
struct Stretch<'a> {
    bands: Vec<Band>,
    bytes: Mutex<&'a mut [u8]>,
}

/// The roots of tensors that lie behind one another, each up to its end, and are read to `bytes` now.
fn read_and_hash<E: Send>(
    bytes: &mut [u8],
    ends: &[usize],
    read: &(impl Fn(&mut [u8], usize) -> Result<(), E> + Sync),
) -> Result<Vec<Hash>, E> {
    let stretches = stretches(bytes, bands(ends));
    let threads = workers::threads(stretches.len());
    let make = |hasher: &mut Hasher, stretch: &Stretch| {
        let mut bytes = stretch.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut rest, mut entries) = (&mut **bytes, Vec::new());
        for band in &stretch.bands {
            let (mine, others) = rest.split_at_mut(band.bytes.len());
            read(mine, band.bytes.start)?;
            entries.extend(band.hash(mine, ends, hasher));
            rest = others;
        }
        Ok(entries)
    };
    let turns = 0..stretches.len();
    let hashed = workers::in_order(&stretches, turns, threads, Hasher::default, make);
    let hashed: Result<Vec<_>, E> = hashed.into_iter().collect();
    Ok(roots_of(&hashed?.concat(), ends))
}

/// Cuts bands, which lie behind one another from the start of `bytes` on, into stretches.
fn stretches(bytes: &mut [u8], bands: Vec<Band>) -> Vec<Stretch<'_>> {
    let mut stretches: Vec<Stretch> = Vec::new();
    let (mut rest, mut waiting, mut len) = (bytes, Vec::new(), 0);
    let count = bands.len();
    for (index, band) in bands.into_iter().enumerate() {
        len += band.bytes.len();
        waiting.push(band);
        if STRETCH_BYTES <= len || index + 1 == count {
            let (mine, others) = rest.split_at_mut(std::mem::take(&mut len));
            rest = others;
            stretches.push(Stretch {
                bands: std::mem::take(&mut waiting),
                bytes: Mutex::new(mine),
            });
        }
    }
    stretches
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

    /// Roots are those of the meaning, and the bytes what was read.
    fn check_roots(file: &[u8], ends: &[usize]) {
        let mut bytes = vec![0; file.len()];
        let copy = |part: &mut [u8], at: usize| {
            part.copy_from_slice(&file[at..at + part.len()]);
            Ok::<(), ()>(())
        };
        let roots = read_and_hash(&mut bytes, ends, &copy).expect("copied");
        assert_eq!(roots, artefact::tensor_roots(file, ends));
        let read = ends.last().copied().unwrap_or(0);
        assert_eq!(bytes[..read], file[..read]);
    }

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
            check_roots(&bytes, &ends);
        }
        check_roots(&bytes[..600], &[600]);
        // Several stretches.
        let many = bytes.repeat(8);
        check_roots(&many, &[1_000_000, 1_000_001, 7_000_000, 7_200_000]);
    }

    #[test]
    fn a_file_that_cannot_be_read_is_no_program_at_whatever_place_it_ends() {
        for end in [0, HEAD_BYTES + 1, 3 << 20] {
            let read = |part: &mut [u8], at: usize| {
                let fits = at + part.len() <= end;
                fits.then(|| part.fill(0)).ok_or(at)
            };
            assert!(open_reading(4 << 20, read).is_err(), "{end}");
        }
        let zeros = open_reading(4 << 20, |_, _| Ok::<(), ()>(()));
        assert!(zeros.expect("was read").is_err());
    }
}

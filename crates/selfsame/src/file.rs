//! Files read whole, with a bound.
//!
//! One read, not a mapping: what was hashed must stay what runs, whoever writes to the file meanwhile, and
//! a mapped file that someone cuts short kills the process. An artefact is read into large pages, which
//! the program then keeps: a fresh small page costs more than the bytes that are copied to it.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use selfsame_runtime::Bytes;

/// Files from this size on are read on [`READERS`] threads.
const PARALLEL_BYTES_MIN: u64 = 2 << 20;
const READERS: usize = 4;
/// Parts begin with a large page.
const PART_UNIT: usize = 2 << 20;

/// Most bytes that any file may have.
pub const FILE_BYTES_MAX: u64 = 1 << 30;

/// Why a file was not read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file system refused.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is too large.
    #[error("{}: more than {FILE_BYTES_MAX} bytes; split the data into smaller files", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
}

/// Reads a file of at most [`FILE_BYTES_MAX`] bytes.
pub fn read_file(path: &Path) -> Result<Vec<u8>, FileError> {
    let refuse = |error| FileError::Io {
        path: path.into(),
        error,
    };
    let file = fs::File::open(path).map_err(refuse)?;
    let found = file.metadata().map_err(refuse)?;
    let size = found.len();
    // The size is a hint for one allocation; what is read is what counts.
    let room = usize::try_from(size.min(FILE_BYTES_MAX)).unwrap_or(0);
    let mut bytes = Vec::with_capacity(room);
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(refuse)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(FileError::TooLarge { path: path.into() });
    }
    Ok(bytes)
}

/// Reads an artefact of at most [`FILE_BYTES_MAX`] bytes for [`crate::Model::from_memory`].
pub fn read_artefact(path: &Path) -> Result<Bytes, FileError> {
    let refuse = |error| FileError::Io {
        path: path.into(),
        error,
    };
    let file = fs::File::open(path).map_err(refuse)?;
    let found = file.metadata().map_err(refuse)?;
    let size = found.len();
    if found.is_file() && (PARALLEL_BYTES_MIN..=FILE_BYTES_MAX).contains(&size) {
        let len = usize::try_from(size).unwrap_or(usize::MAX);
        let mut bytes = Bytes::filled(len, 0);
        read_in_parts(&file, &mut bytes).map_err(refuse)?;
        return Ok(bytes);
    }
    // What has no size, or a small one, as every other file.
    let read = read_file(path)?;
    let mut bytes = Bytes::filled(read.len(), 0);
    bytes.copy_from_slice(&read);
    Ok(bytes)
}

/// Reads the beginning of a large file on several threads: most of the time is the system's, which hands
/// out fresh memory page by page.
#[cfg(unix)]
fn read_in_parts(file: &fs::File, bytes: &mut [u8]) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;

    let part = bytes.len().div_ceil(READERS).next_multiple_of(PART_UNIT);
    let read = |(index, part_bytes): (usize, &mut [u8])| {
        file.read_exact_at(part_bytes, (index * part) as u64)
    };
    std::thread::scope(|scope| {
        let parts = bytes.chunks_mut(part).enumerate();
        let readers: Vec<_> = parts.map(|one| scope.spawn(move || read(one))).collect();
        readers.into_iter().try_for_each(|reader| {
            let failed = |_| io::Error::other("a thread ended early");
            reader.join().map_err(failed)?
        })
    })
}

#[cfg(not(unix))]
fn read_in_parts(mut file: &fs::File, bytes: &mut [u8]) -> io::Result<()> {
    file.read_exact(bytes)
}

/// Writes a file.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    fs::write(path, bytes).map_err(|error| FileError::Io {
        path: path.into(),
        error,
    })
}

//! Files read whole, with a bound.
//!
//! Read, not mapped: what was hashed must stay what runs, whoever writes to the file meanwhile, and a mapped
//! file that someone cuts short kills the process. An artefact is read into large pages, which the program
//! then keeps, on as many threads as hash it: a fresh small page costs more than the bytes that are copied to it.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use selfsame_ir::{CheckedProgram, ModelCommitment};

use crate::error::LoadError;

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

/// Reads an artefact of at most [`FILE_BYTES_MAX`] bytes and checks it.
pub(crate) fn open_artefact(path: &Path) -> Result<(CheckedProgram, ModelCommitment), LoadError> {
    let refuse = |error| FileError::Io {
        path: path.into(),
        error,
    };
    let file = fs::File::open(path).map_err(refuse)?;
    let found = file.metadata().map_err(refuse)?;
    if !found.is_file() {
        // What has no size.
        return Ok(selfsame_runtime::open(&read_file(path)?)?);
    }
    if FILE_BYTES_MAX < found.len() {
        return Err(FileError::TooLarge { path: path.into() }.into());
    }
    let len = usize::try_from(found.len()).unwrap_or(usize::MAX);
    let read = |part: &mut [u8], at: usize| read_part(&file, part, at as u64);
    Ok(selfsame_runtime::open_reading(len, read).map_err(refuse)??)
}

/// Reads a part of a file that others read other parts of.
#[cfg(unix)]
fn read_part(file: &fs::File, part: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, part, at)
}

#[cfg(windows)]
fn read_part(file: &fs::File, mut part: &mut [u8], mut at: u64) -> io::Result<()> {
    while !part.is_empty() {
        let read = std::os::windows::fs::FileExt::seek_read(file, part, at)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        (part, at) = (&mut part[read..], at + read as u64);
    }
    Ok(())
}

/// Writes a file.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    fs::write(path, bytes).map_err(|error| FileError::Io {
        path: path.into(),
        error,
    })
}

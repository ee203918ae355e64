//! Files read whole, with a bound.
//!
//! One read, not a mapping: decoding copies every tensor into the form that kernels read anyway, so
//! that a mapping saves little (measured: reading is 6 percent of loading 84 MB), and a mapped file
//! that someone cuts short kills the process.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

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
    // The size is a hint for one allocation; what is read is what counts.
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let room = usize::try_from(size.min(FILE_BYTES_MAX)).unwrap_or(0);
    let mut bytes = Vec::with_capacity(room);
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    read.map_err(refuse)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(FileError::TooLarge { path: path.into() });
    }
    Ok(bytes)
}

/// Writes a file.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), FileError> {
    fs::write(path, bytes).map_err(|error| FileError::Io {
        path: path.into(),
        error,
    })
}

//! Program files and others, read for a command: what the library refuses becomes a failure with a
//! hint.

use std::path::Path;

use selfsame::{FileError, LoadError, Model};

use crate::failure::{Failure, Outcome};

/// Reads and checks the artefact at `path`.
pub(crate) fn read(path: &Path) -> Outcome<Model> {
    Model::load(path).map_err(|error| match error {
        LoadError::File(error) => refused(&error),
        LoadError::Artefact(error) => {
            let failure = Failure::file(path, error);
            if path
                .extension()
                .is_some_and(|extension| extension == "onnx")
            {
                failure.hint("this is an ONNX file; `selfsame import` makes a program of it")
            } else {
                failure
                    .hint("`selfsame import MODEL.onnx --calibrate D.npz -o OUT` makes a program")
            }
        }
    })
}

/// Reads a file of at most [`selfsame::FILE_BYTES_MAX`] bytes.
pub(crate) fn read_file(path: &Path) -> Outcome<Vec<u8>> {
    selfsame::read_file(path).map_err(|error| refused(&error))
}

/// Bytes of a file.
pub(crate) fn file_bytes(path: &Path) -> Outcome<u64> {
    let found = std::fs::metadata(path).map_err(|error| Failure::file(path, error))?;
    Ok(found.len())
}

/// Writes a file.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Outcome<()> {
    selfsame::write_file(path, bytes).map_err(|error| refused(&error))
}

fn refused(error: &FileError) -> Failure {
    let failure = Failure::input(error);
    match error {
        FileError::Io { .. } => failure,
        FileError::TooLarge { .. } => failure.hint("split the data into smaller files"),
    }
}

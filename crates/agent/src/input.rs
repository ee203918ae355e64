//! The input that a request commits to: from its bytes on chain, or from the file that it names.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use selfsame_chain::bindings::Requests::Terms;
use selfsame_ir::Tensor;
use selfsame_protocol::Hash;

use crate::model::{LoadedModel, ModelError};
use crate::table::hash;

/// Why a request's input is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The bytes could not be read.
    #[error("input at '{locator}': {reason}")]
    Unreadable {
        /// Where the request says that it is.
        locator: String,
        /// Why not.
        reason: String,
    },
    /// The bytes are no input of the model.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The bytes are not those that the request commits to.
    #[error(
        "the input's root is {found}, the request commits to {expected}: swapped or damaged, not used"
    )]
    Root {
        /// Root of the bytes.
        found: Hash,
        /// Root in the request.
        expected: Hash,
    },
}

/// The input of `terms`: `on_chain` where the request carries it, else the file at its locator. What
/// is returned has the root that the request commits to, so nobody answers for, or challenges over,
/// bytes that were swapped on the way.
pub fn committed_input(
    model: &LoadedModel,
    terms: &Terms,
    on_chain: &[u8],
) -> Result<Tensor, InputError> {
    let input = if terms.availability == 0 {
        model.input_from_bytes(on_chain)?
    } else {
        let locator = &terms.inputLocator;
        let path = Path::new(locator.strip_prefix("file://").unwrap_or(locator));
        let bytes = read_at_most(path, model.input_bytes());
        let bytes = bytes.map_err(|error| InputError::Unreadable {
            locator: locator.clone(),
            reason: error.to_string(),
        })?;
        model.input_from_bytes(&bytes)?
    };
    let (found, expected) = (input.root(), hash(terms.inputRoot));
    if found == expected {
        Ok(input)
    } else {
        Err(InputError::Root { found, expected })
    }
}

/// A regular file of at most `most` bytes. The bound holds for what is read, whatever the file's
/// size was a moment ago; pipes and devices, which have no end, are refused.
pub(crate) fn read_at_most(path: &Path, most: u64) -> std::io::Result<Vec<u8>> {
    let large = |bytes: u64| {
        let what = format!("{bytes} bytes or more, at most {most} are read");
        std::io::Error::new(std::io::ErrorKind::FileTooLarge, what)
    };
    // Asked before opening too: to open a pipe is to wait for its writer.
    let metadata = std::fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(std::io::Error::other("no regular file"));
    }
    if most < metadata.len() {
        return Err(large(metadata.len()));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if most < bytes.len() as u64 {
        return Err(large(bytes.len() as u64));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_bound_and_no_further() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("input");
        std::fs::write(&path, [7; 100]).expect("writes");
        assert_eq!(read_at_most(&path, 100).expect("fits"), [7; 100]);
        let error = read_at_most(&path, 99).expect_err("one byte too many");
        assert!(error.to_string().contains("100 bytes"), "{error}");
        assert!(read_at_most(folder.path(), 100).is_err(), "a folder");
    }

    #[test]
    fn an_endless_device_is_refused() {
        let device = Path::new("/dev/zero");
        if cfg!(unix) {
            let error = read_at_most(device, 100).expect_err("no regular file");
            assert_eq!(error.to_string(), "no regular file");
        }
    }
}

//! Weights in files beside the model.
//!
//! A model names such a file by a path relative to its own folder. Whoever made the model is not
//! trusted with the rest of the disk: absolute paths, `..` and links out of the folder are refused.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

use super::NAME_BYTES_MAX;
use super::error::DecodeError;
use super::wire::Reader;

/// Largest file of a model, the limit of protocol buffers.
const MODEL_BYTES_MAX: u64 = 1 << 31;

/// Where weights may stand that are not in the model's file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Beside<'a> {
    /// Nowhere.
    Nothing,
    /// In a folder, whose path has no links.
    Folder(&'a Path),
}

/// Where a tensor stands, as the model says.
#[derive(Debug, Default)]
pub(super) struct Place {
    location: String,
    offset: u64,
    length: Option<u64>,
    /// A number that is none.
    broken: Option<String>,
}

impl Place {
    /// Takes one entry of `external_data`, a key and a value.
    pub(super) fn entry(&mut self, mut reader: Reader<'_>) -> Result<(), DecodeError> {
        let (mut key, mut value) = (String::new(), String::new());
        while let Some(field) = reader.next()? {
            match field.number {
                1 => field.text(NAME_BYTES_MAX)?.clone_into(&mut key),
                2 => field.text(NAME_BYTES_MAX)?.clone_into(&mut value),
                _ => {}
            }
        }
        match key.as_str() {
            "location" => self.location = value,
            "offset" | "length" => match value.parse::<u64>() {
                Ok(number) if key == "offset" => self.offset = number,
                Ok(number) => self.length = Some(number),
                Err(_) => self.broken = Some(format!("{key} {value:?} is no number")),
            },
            _ => {}
        }
        Ok(())
    }
}

impl Beside<'_> {
    /// The `needed` bytes of a tensor.
    pub(super) fn bytes(
        self,
        name: &str,
        place: &Place,
        needed: usize,
    ) -> Result<Vec<u8>, DecodeError> {
        let Beside::Folder(folder) = self else {
            return Err(DecodeError::ExternalData {
                name: name.to_owned(),
            });
        };
        let refuse = |what: String| DecodeError::Beside {
            name: name.to_owned(),
            file: place.location.clone(),
            what,
        };
        if let Some(broken) = &place.broken {
            return Err(refuse(format!("is described wrongly: {broken}")));
        }
        if place.length.is_some_and(|length| length != needed as u64) {
            let length = place.length.unwrap_or_default();
            let what = format!("is said to hold {length} bytes of it, its shape needs {needed}");
            return Err(refuse(what));
        }
        let path = inside(folder, &place.location).map_err(refuse)?;
        let mut file =
            File::open(&path).map_err(|error| refuse(format!("cannot be read: {error}")))?;
        let size = file.metadata().map(|data| data.len());
        let size = size.map_err(|error| refuse(format!("cannot be read: {error}")))?;
        let end = place.offset.checked_add(needed as u64);
        if end.is_none_or(|end| end > size) {
            let what = format!(
                "has {size} bytes, bytes {} to {} are needed",
                place.offset,
                place.offset.saturating_add(needed as u64)
            );
            return Err(refuse(what));
        }
        let mut bytes = vec![0; needed];
        file.seek(SeekFrom::Start(place.offset))
            .and_then(|_| file.read_exact(&mut bytes))
            .map_err(|error| refuse(format!("cannot be read: {error}")))?;
        Ok(bytes)
    }
}

/// The file that a model in `folder` calls `location`.
fn inside(folder: &Path, location: &str) -> Result<PathBuf, String> {
    let relative = Path::new(location);
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if location.is_empty() || location.contains(['\\', '\0']) || !relative.components().all(plain) {
        return Err("is no path inside the folder of the model".to_owned());
    }
    let path = folder.join(relative).canonicalize();
    let path = path.map_err(|error| format!("cannot be read: {error}"))?;
    if !path.starts_with(folder) {
        return Err("leaves the folder of the model through a link".to_owned());
    }
    if !path.is_file() {
        return Err("is no file".to_owned());
    }
    Ok(path)
}

/// The folder of a model, without links.
pub(super) fn folder_of(path: &Path) -> Result<PathBuf, DecodeError> {
    let parent = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => path,
    };
    parent
        .canonicalize()
        .map_err(|error| file_error(path, &error))
}

/// The bytes of a model's file.
pub(super) fn read_model(path: &Path) -> Result<Vec<u8>, DecodeError> {
    let size = std::fs::metadata(path).map_err(|error| file_error(path, &error))?;
    if size.len() > MODEL_BYTES_MAX {
        return Err(DecodeError::File {
            path: path.display().to_string(),
            kind: std::io::ErrorKind::FileTooLarge,
            what: format!(
                "{} bytes; a model has at most {MODEL_BYTES_MAX}",
                size.len()
            ),
        });
    }
    std::fs::read(path).map_err(|error| file_error(path, &error))
}

fn file_error(path: &Path, error: &std::io::Error) -> DecodeError {
    DecodeError::File {
        path: path.display().to_string(),
        kind: error.kind(),
        what: error.to_string(),
    }
}

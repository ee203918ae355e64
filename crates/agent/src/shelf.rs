//! Artefacts in a folder, each named by its model id: `<64 hex digits>.selfsame`.
//!
//! Content-addressed: what is read is checked whole and must have the id that was asked for.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use selfsame_chain::bindings::{ModelRegistry, Requests::Terms};
use selfsame_chain::{ChainError, Child, Set};
use selfsame_protocol::Hash;

use crate::input::read_at_most;
use crate::model::{LoadedModel, ModelError};
use crate::table::hash;

/// Models at values of their symbols other than the largest that stay ready, each with buffers of its own.
const BOUND_MAX: usize = 8;
/// Largest artefact that is read.
const ARTEFACT_BYTES_MAX: u64 = 1 << 30;

/// Why a model is not on the shelf.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// The file system refused, or the file is too large.
    #[error("{path}: {error}")]
    Io {
        /// File or folder.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// Not a model, or not runnable.
    #[error("{path}: {error}")]
    Model {
        /// File.
        path: String,
        /// Why.
        error: ModelError,
    },
    /// The file holds another model.
    #[error("{path} holds model {found}, asked for was {expected}; fetch the artefact again")]
    OtherModel {
        /// File.
        path: String,
        /// Its id.
        found: Hash,
        /// Asked for.
        expected: Hash,
    },
    /// No file, and the locator is none that can be read here.
    #[error(
        "model {id} is not in {folder}, and its locator '{locator}' is no file:// path or local file; put the artefact there"
    )]
    Missing {
        /// Model id.
        id: Hash,
        /// The shelf.
        folder: String,
        /// Where its owner says that it is.
        locator: String,
    },
}

/// A folder of artefacts and the models loaded from it.
pub struct Shelf {
    folder: PathBuf,
    loaded: BTreeMap<Hash, Arc<LoadedModel>>,
    /// Those at other values, the newest last.
    bound: VecDeque<Arc<LoadedModel>>,
}

impl Shelf {
    /// Opens a folder, which is made if missing.
    pub fn open(folder: &Path) -> Result<Self, ShelfError> {
        std::fs::create_dir_all(folder).map_err(|error| ShelfError::Io {
            path: folder.display().to_string(),
            error,
        })?;
        Ok(Self {
            folder: folder.into(),
            loaded: BTreeMap::new(),
            bound: VecDeque::new(),
        })
    }

    /// Where a model's artefact lies.
    pub fn path(&self, id: Hash) -> PathBuf {
        self.folder.join(format!(
            "{}.selfsame",
            id.to_string().trim_start_matches("0x")
        ))
    }

    /// Checks an artefact and puts it on the shelf.
    pub fn put(&mut self, bytes: &[u8]) -> Result<Arc<LoadedModel>, ShelfError> {
        let model = LoadedModel::decode(bytes).map_err(|error| ShelfError::Model {
            path: "artefact".into(),
            error,
        })?;
        let path = self.path(model.id());
        if !path.exists() {
            // Written beside and renamed, so that a crash leaves no half artefact under the name.
            let beside = path.with_extension("part");
            let io = |error| ShelfError::Io {
                path: beside.display().to_string(),
                error,
            };
            std::fs::write(&beside, bytes).map_err(io)?;
            std::fs::rename(&beside, &path).map_err(io)?;
        }
        let model = Arc::new(model);
        self.loaded.insert(model.id(), Arc::clone(&model));
        Ok(model)
    }

    /// Puts a model that is in memory already.
    pub fn insert(&mut self, model: Arc<LoadedModel>) {
        self.loaded.insert(model.id(), model);
    }

    /// The model that a request asks, at the values of its symbols that the request names.
    pub async fn asked<E>(&mut self, set: &Set, terms: &Terms) -> Result<Arc<LoadedModel>, E>
    where
        E: From<ChainError> + From<ShelfError>,
    {
        let id = terms.modelId;
        let call = ModelRegistry::modelCall { modelId: id };
        let registered = set.read(Child::ModelRegistry, call).await?;
        Ok(self.at(hash(id), &registered.locator, &terms.dimensions)?)
    }

    /// The model with an id at some values of its symbols.
    fn at(
        &mut self,
        id: Hash,
        locator: &str,
        dimensions: &[u32],
    ) -> Result<Arc<LoadedModel>, ShelfError> {
        let model = self.get(id, locator)?;
        let is = |model: &LoadedModel| model.id() == id && model.values().0 == dimensions;
        if is(&model) {
            return Ok(model);
        }
        if let Some(bound) = self.bound.iter().find(|bound| is(bound)) {
            return Ok(Arc::clone(bound));
        }
        let bound = model.at(dimensions).map_err(|error| ShelfError::Model {
            path: self.path(id).display().to_string(),
            error,
        })?;
        let bound = Arc::new(bound);
        if self.bound.len() == BOUND_MAX {
            self.bound.pop_front();
        }
        self.bound.push_back(Arc::clone(&bound));
        Ok(bound)
    }

    /// The model with an id: from memory, the folder, or the file that its locator names. Its symbols have
    /// the largest values.
    pub fn get(&mut self, id: Hash, locator: &str) -> Result<Arc<LoadedModel>, ShelfError> {
        if let Some(model) = self.loaded.get(&id) {
            return Ok(Arc::clone(model));
        }
        let own = self.path(id);
        let named = PathBuf::from(locator.strip_prefix("file://").unwrap_or(locator));
        let Some(path) = [own, named].into_iter().find(|path| path.is_file()) else {
            let folder = self.folder.display().to_string();
            return Err(ShelfError::Missing {
                id,
                folder,
                locator: locator.into(),
            });
        };
        let shown = || path.display().to_string();
        let bytes = read_at_most(&path, ARTEFACT_BYTES_MAX).map_err(|error| ShelfError::Io {
            path: shown(),
            error,
        })?;
        let model = LoadedModel::decode(&bytes).map_err(|error| ShelfError::Model {
            path: shown(),
            error,
        })?;
        if model.id() != id {
            return Err(ShelfError::OtherModel {
                path: shown(),
                found: model.id(),
                expected: id,
            });
        }
        let model = Arc::new(model);
        self.loaded.insert(id, Arc::clone(&model));
        Ok(model)
    }
}

//! What provider and watcher share: models on disk, running them, games as a chain shows them.
//!
//! - [`Shelf`]: artefacts in a folder, named by their model id, checked as they are read.
//! - [`LoadedModel`]: a checked program with its commitment, run by the fastest kernel here.
//! - [`committed_input`]: what a request asks about, read with a bound and checked against its root.
//! - [`Plant`]: one wrong integer and everything after it recomputed, for demos and tests.
//! - [`Table`]: the games of all claims as events and views show them, in the words of `dispute`.

#![forbid(unsafe_code)]

mod input;
mod model;
mod plant;
mod shelf;
mod table;

pub use input::{InputError, committed_input};
pub use model::{LoadedModel, ModelError};
pub use plant::{Plant, PlantError};
pub use shelf::{Shelf, ShelfError};
pub use table::{Table, game_from_chain, hash, stage_from_code, word};

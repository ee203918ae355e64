//! Re-runs claims and challenges the wrong ones.
//!
//! - [`Rounds`] is the core: events and time in, commands out.
//! - [`Watcher`] carries the commands out on a chain, with the honest strategy of `dispute`.

#![forbid(unsafe_code)]

mod rounds;
mod watcher;

pub use rounds::{Command, Rounds};
pub use watcher::{Finding, Note, Watcher, WatcherError};

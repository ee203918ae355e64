//! The node: takes jobs, runs them, claims, defends.
//!
//! - [`Duties`] is the core: events and time in, commands out, no chain, no clock, no file. What is
//!   due follows from the state, so a restart or a reorganisation repeats nothing that was done.
//! - [`Provider`] carries the commands out on a chain.

#![forbid(unsafe_code)]

mod duties;
mod provider;

pub use duties::{Command, Duties, Policy};
pub use provider::{Conduct, Note, Provider, ProviderError};

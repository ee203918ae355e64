//! Runs a checked program fast, with the bits of the interpreter.
//!
//! * What: [`Plan`] packs weights and lays out memory once; [`Session`] runs samples or batches
//!   without allocating, on any number of threads; [`Trace`] holds every node's output and root.
//! * When: wherever an answer is made or checked again. The meaning of operators is in the
//!   interpreter; an engine is never trusted, it is tested equal.
//! * Symbols: [`Plans`] packs the weights of a program once, a session over it plans for each tuple of
//!   values and keeps the [`PLANS_MAX`] that were used last.
//! * Key types: [`Plan`], [`Plans`], [`Session`], [`Trace`], [`Elements`] and [`ElementsMut`].
//! * One sample is one run of the steps; threads take the samples of a batch one after the other, and
//!   share one large node by rows or by output channels. None of it changes an operand of any element,
//!   so the bits cannot depend on the cut.
//! * Related crates: `kernels` (instruction sets, threads), `ir` (programs), `commit` (trees).

#![forbid(unsafe_code)]

mod bands;
mod elements;
mod error;
mod layout;
mod open;
mod packing;
mod plan;
mod plans;
mod queue;
mod session;
mod signs;
mod slots;
mod step;
mod storage;
mod trace;
mod workers;

pub use elements::{Elements, ElementsMut};
pub use error::{PlanError, RunError};
pub use open::{open, open_reading};
pub use plan::Plan;
pub use plans::Plans;
pub use selfsame_kernels::{Bytes, InstructionSet, Kernel, KernelError, LargePages, trim_heap};
pub use session::{PLANS_MAX, Session};
pub use trace::Trace;

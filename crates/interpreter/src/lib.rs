//! The meaning of every operator: slow, obvious, exact.
//!
//! Everything else that computes (the runtime, its kernels, the leaf contracts) is tested equal to
//! this crate, element by element. [`element`] is the unit that a dispute settles; [`run()`] is
//! nothing but every element of every node in order.
//!
//! Spec: operators, 2.10 to 2.17.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod ops;
mod run;
mod trace;
mod trace_file;

pub use ops::{element, requantize};
pub use run::{RunError, check_input, run};
pub use trace::Trace;
pub use trace_file::TraceFile;

//! All that Rust and Solidity must agree on: constants, domain tags, the hash, canonical bytes.
//!
//! Nothing else lives here: no operator, no rule of the game, no input or output. Everything is
//! derived once: the Solidity constants and `docs/spec/constants.md` are generated from
//! [`constants::TABLE`].
//!
//! Spec: commitments, 2.1 to 2.3.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod bytes;
pub mod constants;
mod hash;
mod level;

pub use bytes::{DecodeError, Reader, Writer};
pub use hash::{Hash, Keccak, keccak256, keccak256_tagged};
pub use level::{Availability, CheckableBy, Level};

//! Receipts: what an answer commits to, who stands behind it, and what anybody can check of it.
//!
//! ```text
//! claim (signed core) -> evidence -> who checked -> level
//! ```
//!
//! A [`Receipt`] is a signed [`Core`] and evidence. [`verify()`] is pure: facts from a chain and from
//! a replay are arguments. The level is what the evidence supports, never what a signer says.
//! [`decode`] reads the JSON form strictly, [`encode`] writes it. [`rules`] recomputes which
//! contracts a rules id names.
//!
//! Spec: receipts, 5.1 to 5.5.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod core_fields;
mod eip712;
mod file;
mod json;
pub mod rules;
mod signature;
mod verify;

pub use core_fields::{Core, RECEIPT_VERSION};
pub use eip712::{Domain, TYPE_STRING, claim_key, core_hash, digest, trace_digest};
pub use file::{ChainEvidence, Evidence, Receipt, ReceiptError, decode, encode};
pub use json::JsonError;
pub use signature::{SignatureError, recover};
pub use verify::{ChainFacts, ChainStatus, Check, Context, Replay, Report, verify};

/// An account.
pub type Address = [u8; 20];

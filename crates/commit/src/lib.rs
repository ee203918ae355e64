//! Commitments: a tensor is cut into tiles, tiles are leaves of a binary tree, and node roots
//! are leaves of the trace tree.
//!
//! ```text
//! tile   = keccak256(0x00, at most 512 bytes of the flat row-major sequence)
//! inner  = keccak256(0x01, left, right)
//! absent = keccak256(0x02);  an absent subtree of height h + 1 is inner(absent_h, absent_h)
//! ```
//!
//! Spec: commitments, 2.1 to 2.5.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod multiproof;
mod tile;
mod tree;

pub use multiproof::{MultiProofError, multiproof, multiproof_root};
pub use tile::{tile_count, tile_hash, tile_hashes, tile_range};
pub use tree::{Tree, absent, depth, fold, inner, level_len, root};

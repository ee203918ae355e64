//! Tiles: at most [`TILE_BYTES`] cut from the flat row-major byte sequence of a tensor.

use alloc::vec::Vec;
use core::ops::Range;

use selfsame_protocol::constants::{TAG_TILE, TILE_BYTES};
use selfsame_protocol::{Hash, keccak256_tagged};

/// Number of tiles of a tensor of `len` bytes; an empty tensor has one empty tile.
///
/// Spec: commitments, 2.1.
pub fn tile_count(len: u64) -> u64 {
    len.div_ceil(u64::from(TILE_BYTES)).max(1)
}

/// Byte range of tile `index` in a tensor of `len` bytes; empty beyond the end.
pub fn tile_range(len: u64, index: u64) -> Range<u64> {
    let start = index.saturating_mul(u64::from(TILE_BYTES)).min(len);
    start..(start + u64::from(TILE_BYTES)).min(len)
}

/// keccak256(0x00, bytes).
pub fn tile_hash(bytes: &[u8]) -> Hash {
    keccak256_tagged(TAG_TILE, bytes)
}

/// The tile hashes of a tensor's canonical bytes, in order.
pub fn tile_hashes(bytes: &[u8]) -> Vec<Hash> {
    if bytes.is_empty() {
        return alloc::vec![tile_hash(&[])];
    }
    bytes.chunks(TILE_BYTES as usize).map(tile_hash).collect()
}

//! What a trace costs: bytes that are hashed for one sample, and the time that hashing them takes.
//!
//! ```text
//! tiles     one tag and the bytes of each tile of each committed node's output
//! pairs     one tag and two hashes for each inner entry of their trees and of the tree over them
//! speed     hashed bytes / (median with trace - median without)       copying and trees included
//! ```
//!
//! Spec: commitments, 2.1 to 2.3.

use selfsame_compiler::NodeSizes;
use selfsame_protocol::constants::TILE_BYTES;
use serde::Serialize;

/// The cost of a trace, of the first configuration that ran with and without one.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct TraceCost {
    pub(crate) batch: usize,
    pub(crate) threads: usize,
    pub(crate) kernel: &'static str,
    /// Bytes hashed for one sample.
    pub(crate) hashed_bytes: u64,
    /// Time that the trace adds to a run, in percent of a run without.
    pub(crate) overhead_percent: f64,
    /// Hashed bytes by added time; null where no time was added that one could measure.
    pub(crate) keccak_gb_per_second: Option<f64>,
}

impl TraceCost {
    /// From the medians of runs of `batch` samples.
    pub(crate) fn new(
        (batch, threads, kernel): (usize, usize, &'static str),
        hashed_bytes: u64,
        with_ms: f64,
        without_ms: f64,
    ) -> Self {
        let added = with_ms - without_ms;
        #[expect(clippy::cast_precision_loss, reason = "bytes of one run")]
        let bytes = hashed_bytes as f64 * batch as f64;
        Self {
            batch,
            threads,
            kernel,
            hashed_bytes,
            overhead_percent: overhead_percent(with_ms, without_ms),
            keccak_gb_per_second: (added > 0.0).then(|| bytes / added / 1e6),
        }
    }
}

/// How much longer a run with trace is.
pub(crate) fn overhead_percent(with_ms: f64, without_ms: f64) -> f64 {
    (with_ms / without_ms - 1.0) * 100.0
}

/// Bytes that the trace of one sample hashes, whose committed nodes are these.
pub(crate) fn hashed_bytes(nodes: &[&NodeSizes]) -> u64 {
    let of_node = |node: &&NodeSizes| {
        let tiles = node.output_bytes.div_ceil(u64::from(TILE_BYTES)).max(1);
        node.output_bytes + tiles + 65 * pairs(tiles)
    };
    nodes.iter().map(of_node).sum::<u64>() + 65 * pairs(nodes.len() as u64)
}

/// Inner entries of the tree over `leaves`.
fn pairs(leaves: u64) -> u64 {
    let mut width = leaves;
    let mut pairs = 0;
    while 1 < width {
        width = width.div_ceil(2);
        pairs += width;
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_entries_are_not_hashed() {
        assert_eq!([1, 2, 3, 5].map(pairs), [0, 1, 3, 6]);
    }

    #[test]
    fn tags_and_pairs_count() {
        let tile = u64::from(TILE_BYTES);
        let node = |output_bytes| NodeSizes {
            shape: vec![],
            output_bytes,
            tensor_bytes: 0,
            macs: 0,
        };
        let found = hashed_bytes(&[&node(10), &node(2 * tile + 1)]);
        assert_eq!(found, 10 + 1 + (2 * tile + 1) + 3 + 3 * 65 + 65);
    }

    #[test]
    fn a_trace_that_costs_nothing_has_no_speed() {
        let cost = |with| TraceCost::new((2, 1, "portable"), 1000, with, 2.0);
        assert_eq!(cost(2.0).keccak_gb_per_second, None);
        let found = cost(4.0);
        assert!((found.overhead_percent - 100.0).abs() < 1e-9);
        assert!(
            found
                .keccak_gb_per_second
                .is_some_and(|v| (v - 1e-3).abs() < 1e-12)
        );
    }
}

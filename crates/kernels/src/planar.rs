//! Convolutions from one input channel to a few output channels: positions in the lanes.
//!
//! ```text
//! acc[o][i] = bias[o] + sum over runs r, groups g, bytes b < 4 of
//!             x[i + runs[r] + 4g + b] * w[r][g][o][b]          for 16 positions i
//! ```
//!
//! With neighbouring positions one byte apart, one load and two shuffles make the inputs of sixteen
//! positions, which serve every output channel. Used where the other layout would leave most lanes
//! of a vector empty: the first layer of a network on grey pictures.

use crate::bytes::Bytes;
use crate::finish::Rule;
use crate::pack::Runs;

/// Positions of a tile.
pub(crate) const PIXELS: usize = 16;
/// The most output channels.
pub(crate) const OUTPUTS_MAX: usize = 8;
/// Bytes that a tile reads from the start of a group on.
pub(crate) const READ_BYTES: usize = 32;

/// Sixteen positions of one output row.
///
/// The maker promises: `READ_BYTES` from the start of each group on can be read, `outputs` is not more than
/// `OUTPUTS_MAX` and not 0, the constants hold `outputs` numbers, the weights `runs * groups * outputs`
/// groups of four, and `output` takes `PIXELS * outputs` bytes.
#[derive(Clone, Copy)]
#[cfg_attr(
    not(target_arch = "x86_64"),
    expect(dead_code, reason = "no such kernel here")
)]
pub(crate) struct PlanarTile<'a> {
    pub(crate) rule: Rule<'a>,
    /// Stored input at the window of the first position.
    pub(crate) input: *const u8,
    pub(crate) runs: &'a [usize],
    pub(crate) groups: usize,
    /// `[runs][groups][outputs][4]`.
    pub(crate) weights: *const i8,
    pub(crate) bias: *const i32,
    pub(crate) multiplier: *const u16,
    pub(crate) shift: *const u8,
    pub(crate) outputs: usize,
    /// Output at channel 0 of the first position.
    pub(crate) output: *mut u8,
}

/// Packs `weights: [outputs][runs][run_len]`; the ends of runs have weight 0.
pub(crate) fn pack(weights: &[i8], outputs: usize, runs: &Runs) -> Bytes {
    let (run_count, groups) = (runs.starts.len(), runs.groups());
    let mut packed = Bytes::filled(run_count * groups * outputs * 4, 0);
    let target = packed.as_mut_slice();
    for (o, weights) in weights.chunks_exact(run_count * runs.run_len).enumerate() {
        for (run, weights) in weights.chunks_exact(runs.run_len).enumerate() {
            for (k, &w) in weights.iter().enumerate() {
                target[((run * groups + k / 4) * outputs + o) * 4 + k % 4] = w as u8;
            }
        }
    }
    packed
}

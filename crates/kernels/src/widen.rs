//! Signed bytes multiplied as words, where that is the faster way: AVX2 has a product of signed words
//! that neither saturates nor needs the signs apart.
//!
//! ```text
//! words of a strip    i16 [position][run][terms of a run, padded to four]
//! words of a block    i16 [group][half][N][LANES][2]
//! ```
//!
//! A strip's inputs are widened once for all blocks, which makes one run of the window; a block's weights
//! are widened for each strip. Both stay in caches near the core. What follows is a tile of 16-bit
//! inputs and weights. The sums are the same ones, so they still fit 32 bits.

use std::mem::MaybeUninit;

use crate::tiles::TileTable;

/// Makes words of the inputs at `from` (a whole number of sixteens is read and written, at least
/// `len`).
///
/// # Safety
///
/// The instruction set is there; `len` bytes rounded up to sixteen can be read, as many words written.
pub(crate) type WidenInputs = unsafe fn(from: *const u8, len: usize, to: *mut i16);

/// Makes words of `groups` groups of `vectors` packed vectors.
///
/// # Safety
///
/// The instruction set is there; the vectors can be read and twice the room be written.
pub(crate) type WidenWeights =
    unsafe fn(from: *const i8, groups: usize, vectors: usize, to: *mut i16);

/// How an instruction set makes words.
#[derive(Clone, Copy)]
pub(crate) struct Widen {
    pub(crate) inputs: WidenInputs,
    pub(crate) weights: WidenWeights,
    /// The tile of words by words.
    pub(crate) tile: TileTable,
}

/// Words of a strip.
const INPUTS_MAX: usize = 112 << 10;
/// Words of a block.
const WEIGHTS_MAX: usize = 36 << 10;
/// Words written behind the last one.
const SPILL: usize = 16;
/// Fewer positions are not worth the widening of weights.
const POSITIONS_MIN: usize = 16;

/// Room for the words of a strip and of a block.
#[repr(C, align(64))]
pub(crate) struct Room {
    inputs: MaybeUninit<[i16; INPUTS_MAX + SPILL]>,
    weights: MaybeUninit<[i16; WEIGHTS_MAX]>,
}

impl Room {
    pub(crate) const fn new() -> Self {
        Self {
            inputs: MaybeUninit::uninit(),
            weights: MaybeUninit::uninit(),
        }
    }

    pub(crate) fn inputs(&mut self) -> *mut i16 {
        self.inputs.as_mut_ptr().cast()
    }

    pub(crate) fn weights(&mut self) -> *mut i16 {
        self.weights.as_mut_ptr().cast()
    }
}

/// What decides whether words pay.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    pub(crate) runs: usize,
    /// Terms of a run, padded to four.
    pub(crate) run_terms: usize,
    pub(crate) outputs: usize,
    /// Output channels of a block.
    pub(crate) block_lanes: usize,
}

impl Node {
    /// Whether cheaper products outweigh the widening, of a run and of each of its inputs. Measured, in
    /// units of about a tenth of a cycle.
    fn pays(&self) -> bool {
        40 + 3 * self.run_terms < self.run_terms * self.outputs.min(1 << 20) / 10
    }
}

/// How rows of positions are cut into strips, of which inputs are widened together, and those into
/// parts, whose sums are requantised together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Rows and columns of a strip.
    pub(crate) strip: [usize; 2],
    /// Rows and columns of a part; one of both is that of a strip.
    pub(crate) part: [usize; 2],
}

impl Cut {
    /// The cut of `rows` by `columns` positions; a part has at most `part_max` of them. `None` where
    /// bytes are better.
    pub(crate) fn new([rows, columns]: [usize; 2], node: &Node, part_max: usize) -> Option<Self> {
        let terms = node.runs.saturating_mul(node.run_terms);
        let is_large = WEIGHTS_MAX < terms.saturating_mul(node.block_lanes);
        if terms == 0 || is_large || rows * columns < POSITIONS_MIN || !node.pays() {
            return None;
        }
        let most = INPUTS_MAX / terms;
        let even = |len: usize, most: usize| len.div_ceil(len.div_ceil(most.max(1)).max(1));
        let (strip, part) = if columns <= part_max.min(most) {
            let strip = even(rows, most / columns.max(1));
            let part = even(strip, part_max / columns.max(1));
            ([strip, columns], [part, columns])
        } else {
            let strip = even(columns, most);
            ([1, strip], [1, even(strip, part_max)])
        };
        (POSITIONS_MIN <= strip[0] * strip[1]).then_some(Self { strip, part })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(
        shape: [usize; 2],
        runs: usize,
        run_terms: usize,
        outputs: usize,
    ) -> Option<[[usize; 2]; 2]> {
        let node = Node {
            runs,
            run_terms,
            outputs,
            block_lanes: 16,
        };
        Cut::new(shape, &node, 48).map(|cut| [cut.strip, cut.part])
    }

    #[test]
    fn short_rows_share_a_strip_and_long_ones_are_cut_evenly() {
        assert_eq!(cut([7, 7], 1, 160, 96), Some([[7, 7], [4, 7]]));
        assert_eq!(cut([14, 14], 1, 64, 96), Some([[14, 14], [3, 14]]));
        assert_eq!(cut([1, 128], 1, 384, 96), Some([[1, 128], [1, 43]]));
        assert_eq!(cut([1, 128], 1, 1536, 96), Some([[1, 64], [1, 32]]));
        assert_eq!(cut([9, 60], 1, 64, 96), Some([[1, 60], [1, 30]]));
    }

    #[test]
    fn few_positions_long_windows_and_few_outputs_stay_bytes() {
        assert_eq!(cut([1, 15], 1, 64, 96), None);
        assert_eq!(cut([9, 1], 1, 64, 96), None);
        assert_eq!(cut([56, 56], 9, 512, 96), None);
        assert_eq!(cut([28, 28], 5, 8, 6), None);
        assert_eq!(cut([2, 17], 0, 64, 96), None);
    }
}

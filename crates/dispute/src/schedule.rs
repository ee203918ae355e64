//! How far each answer descends, and so how many moves a game takes.
//!
//! ```text
//! trace tree of depth D:  first answer min(D, 8) levels; the rest r in ceil(r / 7) equal answers
//! segment with interior nodes: one answer
//! tensor tree of depth d: ceil(d / 7) answers of ceil(d / answers) levels; then the tile
//! ```
//!
//! Spec: game, 4.3, 4.6.

use selfsame_commit::{depth, tile_count};
use selfsame_ir::CheckedProgram;
use selfsame_protocol::constants::{ANSWER_LEVELS, FIRST_ANSWER_LEVELS};

/// Where a cursor stands: an entry of the trace tree, a segment, or an entry of one node's tensor tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Position {
    /// Entry `index` at `level` of the trace tree.
    Trace {
        /// Level, 0 for the committed nodes' roots.
        level: u32,
        /// Index in the whole level.
        index: u64,
    },
    /// A segment with interior nodes.
    Segment {
        /// Its number.
        number: u64,
    },
    /// Entry `index` at `level` of the tensor tree of `node`.
    Tensor {
        /// The node.
        node: u32,
        /// Level, 0 for tiles.
        level: u32,
        /// Index in the whole level.
        index: u64,
    },
}

/// The descent through one tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Descent {
    leaves: u64,
    depth: u32,
    first: u32,
    later: u32,
}

impl Descent {
    /// Through the trace tree over the roots of `committed` nodes.
    pub fn trace(committed: u64) -> Self {
        let depth = depth(committed);
        let first = depth.min(u32::from(FIRST_ANSWER_LEVELS));
        Self {
            leaves: committed,
            depth,
            first,
            later: even_share(depth - first),
        }
    }

    /// Through the tree over the tiles of a tensor of `bytes` bytes.
    pub fn tensor(bytes: u64) -> Self {
        let leaves = tile_count(bytes);
        let depth = depth(leaves);
        let later = even_share(depth);
        Self {
            leaves,
            depth,
            first: later,
            later,
        }
    }

    /// Leaves of the tree.
    pub fn leaves(&self) -> u64 {
        self.leaves
    }

    /// Depth of the tree.
    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// The level that an answer to a cursor at `level` opens; 0 for a leaf.
    pub fn opens(&self, level: u32) -> u32 {
        let step = if level >= self.depth {
            self.first
        } else {
            self.later
        };
        level.saturating_sub(step)
    }

    /// Answers from the root down to the leaves.
    pub fn answers(&self) -> u32 {
        let mut level = self.depth;
        let mut answers = 0;
        while level > 0 {
            level = self.opens(level);
            answers += 1;
        }
        answers
    }
}

/// Levels of each of the fewest equal answers that cover `levels`.
fn even_share(levels: u32) -> u32 {
    let answers = levels.div_ceil(u32::from(ANSWER_LEVELS)).max(1);
    levels.div_ceil(answers)
}

/// The descent through a node's tensor of `bytes` bytes.
pub fn tensor_schedule(bytes: u64) -> Descent {
    Descent::tensor(bytes)
}

/// The descents of one program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    trace: Descent,
    interior: bool,
}

impl Schedule {
    /// For a program.
    pub fn of(program: &CheckedProgram) -> Self {
        let segments = program.segments();
        Self::new(segments.committed().len() as u64, segments.any_interior())
    }

    /// For a program of `committed` committed nodes, INPUT included, and interior ones or none.
    pub fn new(committed: u64, interior: bool) -> Self {
        Self {
            trace: Descent::trace(committed),
            interior,
        }
    }

    /// The descent to a committed node.
    pub fn trace(&self) -> Descent {
        self.trace
    }

    /// Challenger's moves at most, opening and step included, to a node whose output has `bytes` bytes.
    pub fn moves(&self, bytes: u64) -> u32 {
        // The first answer exists also for a trace tree of depth 0, which no program has.
        let trace = self.trace.answers().max(1) + u32::from(self.interior);
        2 + trace + Descent::tensor(bytes).answers()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spec: game, 4.6.
    #[test]
    fn a_small_network_takes_four_challenger_moves_and_a_single_tile_three() {
        let schedule = Schedule::new(24, false);
        assert_eq!(schedule.moves(32 * 32 * 16), 4);
        assert_eq!(schedule.moves(10), 3);
        assert_eq!(schedule.moves(512), 3);
        assert_eq!(schedule.moves(513), 4);
        assert_eq!(schedule.moves(112 * 112 * 64), 5);
        assert_eq!(Schedule::new(24, true).moves(112 * 112 * 64), 6);
    }

    /// Spec: game, 4.6.
    #[test]
    fn answers_share_the_levels_evenly_and_end_at_the_leaves() {
        // depth, levels opened one after the other
        let table: [(u64, &[u32]); 6] = [
            (1, &[]),
            (2, &[0]),
            (128, &[0]),
            (129, &[4, 0]),
            (1 << 14, &[7, 0]),
            (1 << 15, &[10, 5, 0]),
        ];
        for (tiles, want) in table {
            let descent = Descent::tensor(tiles * 512);
            let mut level = descent.depth();
            for &next in want {
                level = descent.opens(level);
                assert_eq!(level, next, "{tiles} tiles");
            }
            assert_eq!(level, 0, "{tiles} tiles");
            assert_eq!(descent.answers() as usize, want.len());
        }
    }

    #[test]
    fn a_trace_deeper_than_the_first_answer_is_named_level_by_level() {
        let descent = Descent::trace(65_536);
        assert_eq!(descent.opens(16), 8);
        assert_eq!(descent.opens(8), 4);
        assert_eq!(descent.opens(4), 0);
        assert_eq!(Schedule::new(65_536, false).moves(1), 5);
        assert_eq!(Descent::trace(256).opens(8), 0);
        assert_eq!(Descent::trace(257).opens(9), 1);
        assert_eq!(Descent::trace(257).opens(1), 0);
    }
}

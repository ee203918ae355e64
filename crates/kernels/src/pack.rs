//! Packing: weights and constants of a linear node in the order in which tiles read them.
//!
//! ```text
//! weights  [block][run][group][N][LANES][4]     constants  [channel, padded to whole vectors]
//! ```
//!
//! A block is N vectors of output channels. Missing channels and the ends of runs have weight 0.

use crate::bytes::Bytes;
use crate::spec::Bits;
use crate::tiles::Engine;

/// N vectors of output channels that one tile computes together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    /// Vectors of the block.
    pub(crate) vectors: usize,
    /// First output channel.
    pub(crate) channel: usize,
    /// Channel behind the last one of the block's group.
    pub(crate) end: usize,
    /// Where the group's channels start in the input.
    pub(crate) first: usize,
    /// First packed weight.
    pub(crate) weights_at: usize,
}

/// The contraction of one output element: `runs` runs of `run_len` contiguous bytes of input.
#[derive(Debug, Clone)]
pub(crate) struct Runs {
    /// Starts of the runs, relative to the window, in bytes.
    pub(crate) starts: Vec<usize>,
    /// Bytes of a run.
    pub(crate) run_len: usize,
    /// Groups of zero weights behind each run.
    pub(crate) padding: usize,
}

impl Runs {
    /// Groups of four bytes in a run, the last one padded, and those of zero weights.
    pub(crate) fn groups(&self) -> usize {
        self.run_len.div_ceil(4) + self.padding
    }

    /// Pads runs of bytes as the squares of `engine` want them, if it has such.
    pub(crate) fn pad(&mut self, engine: &Engine, bits: Bits) {
        let groups = self.run_len.div_ceil(4);
        self.padding = match (&engine.squares, bits) {
            (Some(squares), Bits::Eight) => (squares.groups)(groups) - groups,
            (Some(_), Bits::Sixteen) | (None, Bits::Eight | Bits::Sixteen) => 0,
        };
    }
}

/// Cuts the vectors of each of `groups` groups of channels into blocks of at most `vectors_max` (a
/// power of two). A group begins a vector of its own.
pub(crate) fn blocks(
    outputs: usize,
    groups: usize,
    vectors_max: usize,
    lanes: usize,
    runs: &Runs,
) -> Vec<Block> {
    let vector_len = runs.starts.len() * runs.groups() * lanes * 4;
    let group_outputs = outputs / groups;
    let vector_count = group_outputs.div_ceil(lanes);
    let mut blocks = Vec::new();
    for group in 0..groups {
        let mut vector = 0;
        while vector < vector_count {
            let mut vectors = vectors_max;
            while vector_count - vector < vectors {
                vectors /= 2;
            }
            blocks.push(Block {
                vectors,
                channel: group * group_outputs + vector * lanes,
                end: (group + 1) * group_outputs,
                first: group * runs.run_len,
                weights_at: (group * vector_count + vector) * vector_len,
            });
            vector += vectors;
        }
    }
    blocks
}

/// Packs `weights: [outputs][runs][terms of a run]`, as wide as the elements that they multiply.
pub(crate) fn weights(
    weights: &[i8],
    width: Bits,
    lanes: usize,
    runs: &Runs,
    blocks: &[Block],
) -> Bytes {
    let size = width.bytes();
    let (groups, run_len) = (runs.groups(), runs.run_len / size);
    let run_count = runs.starts.len();
    let vector_count: usize = blocks.iter().map(|block| block.vectors).sum();
    let mut packed = Bytes::filled(vector_count * run_count * groups * lanes * 4, 0);
    let target = packed.as_mut_slice();
    for block in blocks {
        for output in block.channel..block.end.min(block.channel + block.vectors * lanes) {
            let (vector, lane) = (
                (output - block.channel) / lanes,
                (output - block.channel) % lanes,
            );
            let terms = run_count * run_len;
            let source = &weights[output * terms..(output + 1) * terms];
            let step = block.vectors * lanes * 4;
            let mut at = block.weights_at + (vector * lanes + lane) * 4;
            for run in source.chunks_exact(run_len) {
                for some in run.chunks(4 / size) {
                    put(&mut target[at..at + 4], some, width);
                    at += step;
                }
                at += runs.padding * step;
            }
        }
    }
    packed
}

/// Writes the weights of one group of four bytes; missing ones stay 0.
fn put(target: &mut [u8], weights: &[i8], width: Bits) {
    match (width, weights, target) {
        (Bits::Eight, &[a, b, c, d], target) => {
            target.copy_from_slice(&[a, b, c, d].map(|w| w as u8));
        }
        (Bits::Eight, weights, target) => {
            for (to, &w) in target.iter_mut().zip(weights) {
                *to = w as u8;
            }
        }
        (Bits::Sixteen, weights, target) => {
            for (to, &w) in target.chunks_exact_mut(2).zip(weights) {
                to.copy_from_slice(&i16::from(w).to_le_bytes());
            }
        }
    }
}

/// `bias -= 128 * sum(weights)`, because inputs are stored as x + 128.
pub(crate) fn fold_flip(bias: &mut [i32], weights: &[i8], terms: usize) {
    for (bias, weights) in bias.iter_mut().zip(weights.chunks_exact(terms)) {
        // Sums of a few thousand bytes fit in 32 bits, and then in the lanes of a vector.
        let part = |part: &[i8]| part.iter().map(|&w| i32::from(w)).sum::<i32>();
        let sum: i64 = weights.chunks(4096).map(|w| i64::from(part(w))).sum();
        *bias = bias.wrapping_sub((128 * sum) as i32);
    }
}

/// Cuts a contraction of 16-bit inputs so that the sum of each plane fits 32 bits, its bias in the
/// first; returns where planes begin, in groups of two terms. Of several runs, of `run_len` terms,
/// a plane has whole ones.
///
/// Two terms and a bias fit, and so does a run of several, so every plane has one.
pub(crate) fn planes(weights: &[i8], bias: &[i32], terms: usize, run_len: usize) -> Vec<usize> {
    let (pieces, piece, per_piece) = if run_len == terms {
        (terms.div_ceil(2), 2, 1)
    } else {
        (terms / run_len, run_len, run_len.div_ceil(2))
    };
    let mut starts = vec![0];
    let mut sums: Vec<i64> = bias.iter().map(|&b| i64::from(b).abs()).collect();
    for index in 0..pieces {
        let (first, end) = (piece * index, terms.min(piece * (index + 1)));
        let added = |channel: usize| {
            let weights = &weights[channel * terms..][first..end];
            let magnitude: i64 = weights.iter().map(|&w| i64::from(w).abs()).sum();
            magnitude * Bits::Sixteen.bound()
        };
        let fits = |channel: usize| sums[channel] + added(channel) < 1 << 31;
        if !(0..sums.len()).all(fits) {
            starts.push(index * per_piece);
            sums.fill(0);
        }
        for (channel, sum) in sums.iter_mut().enumerate() {
            *sum += added(channel);
        }
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_all_vectors_once_and_halve_at_the_end() {
        let runs = Runs {
            starts: vec![0],
            run_len: 4,
            padding: 0,
        };
        let cut = blocks(56, 1, 4, 8, &runs);
        let shape: Vec<_> = cut
            .iter()
            .map(|b| (b.vectors, b.channel, b.weights_at))
            .collect();
        assert_eq!(shape, [(4, 0, 0), (2, 32, 128), (1, 48, 192)]);
    }

    #[test]
    fn a_group_begins_a_vector_of_its_own_and_ends_with_its_channels() {
        let runs = Runs {
            starts: vec![0],
            run_len: 4,
            padding: 0,
        };
        let cut = blocks(24, 2, 4, 8, &runs);
        let shape: Vec<_> = cut
            .iter()
            .map(|b| (b.vectors, b.channel, b.end, b.first, b.weights_at))
            .collect();
        assert_eq!(shape, [(2, 0, 12, 0, 0), (2, 12, 24, 4, 64)]);
    }

    #[test]
    fn packed_weights_are_a_permutation_with_zeros() {
        let runs = Runs {
            starts: vec![0, 10],
            run_len: 5,
            padding: 0,
        };
        let cut = blocks(3, 1, 1, 8, &runs);
        let source: Vec<i8> = (1..=30).collect();
        let packed = weights(&source, Bits::Eight, 8, &runs, &cut);
        let mut found: Vec<u8> = packed
            .as_slice()
            .iter()
            .copied()
            .filter(|&b| b != 0)
            .collect();
        found.sort_unstable();
        assert_eq!(found, (1..=30).collect::<Vec<u8>>());
        // Output 1, run 1, k = 4: vector 0, group 1 * 2 + 1, lane 1, byte 0.
        assert_eq!(
            packed.as_slice()[(3 * 8 + 1) * 4],
            source[(2 + 1) * 5 + 4] as u8
        );
    }
}

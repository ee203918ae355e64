//! Packing: weights and constants of a linear node in the order in which tiles read them.
//!
//! ```text
//! weights  [block][run][group][N][LANES][G]     constants  [channel, padded to whole vectors]
//! ```
//!
//! A block is N vectors of output channels. G is [`Bits::group_len`]: weights are bytes whatever they
//! multiply, and become words in the tile. Missing channels and the ends of runs have weight 0.

use crate::bytes::Bytes;
#[cfg(target_arch = "x86_64")]
use crate::kernel::InstructionSet;
use crate::kernel::Kernel;
use crate::pages::Room;
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
    (lanes, bits): (usize, Bits),
    runs: &Runs,
) -> Vec<Block> {
    let vector_len = runs.starts.len() * runs.groups() * lanes * bits.group_len();
    let group_outputs = outputs / groups;
    let vector_count = group_outputs.div_ceil(lanes);
    let group_blocks =
        vector_count / vectors_max + (vector_count % vectors_max).count_ones() as usize;
    let mut blocks = Vec::with_capacity(groups * group_blocks);
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

/// Terms that are packed for one channel after the other: the lines that they fill stay in the nearest
/// cache until they are full.
const NEAR: usize = 64;

/// Packs `weights: [outputs][runs][terms of a run]` for inputs of `bits`.
pub(crate) fn weights(
    weights: &[i8],
    bits: Bits,
    (kernel, lanes): (Kernel, usize),
    runs: &Runs,
    blocks: &[Block],
    room: &Room,
) -> Bytes {
    match bits {
        Bits::Eight => in_groups::<4>(weights, (kernel, lanes), runs, blocks, room),
        Bits::Sixteen => in_groups::<2>(weights, (kernel, lanes), runs, blocks, room),
    }
}

/// [`weights`] in groups of `G`, which are four bytes of input each.
fn in_groups<const G: usize>(
    weights: &[i8],
    (kernel, lanes): (Kernel, usize),
    runs: &Runs,
    blocks: &[Block],
    room: &Room,
) -> Bytes {
    let (groups, run_len) = (runs.groups(), runs.run_len * G / 4);
    let run_count = runs.starts.len();
    let vector_count: usize = blocks.iter().map(|block| block.vectors).sum();
    let mut packed = Bytes::filled_in(room, vector_count * run_count * groups * lanes * G, 0);
    let (target, _) = packed.as_mut_slice().as_chunks_mut::<G>();
    for block in blocks {
        let outputs = block.channel..block.end.min(block.channel + block.vectors * lanes);
        let target = &mut target[block.weights_at / G..];
        let step = block.vectors * lanes;
        for run in 0..run_count {
            for first in (0..run_len).step_by(NEAR) {
                let target = &mut target[(run * groups + first / G) * step..];
                let terms = run * run_len + first..run * run_len + run_len.min(first + NEAR);
                let whole = if terms.len() == NEAR {
                    let source = &weights[outputs.start * run_count * run_len + terms.start..];
                    let rows = (run_count * run_len, outputs.len());
                    turn(kernel, source, rows, target, step)
                } else {
                    0
                };
                for output in outputs.clone().skip(whole) {
                    let source = &weights[output * run_count * run_len..][terms.clone()];
                    let places = target[output - block.channel..].iter_mut().step_by(step);
                    put(places, source);
                }
            }
        }
    }
    packed
}

/// Packs [`NEAR`] terms of the first of `count` rows, `row` weights apart, as many rows at a time as the
/// kernel turns at once; returns how many rows it did. The places of a group are `step` apart.
fn turn<const G: usize>(
    kernel: Kernel,
    weights: &[i8],
    (row, count): (usize, usize),
    target: &mut [[u8; G]],
    step: usize,
) -> usize {
    #[cfg(target_arch = "x86_64")]
    if matches!(
        kernel.instruction_set(),
        InstructionSet::Avx512Vnni | InstructionSet::Amx
    ) {
        const ROWS: usize = crate::x86::turn::ROWS;
        let whole = count / ROWS * ROWS;
        for first in (0..whole).step_by(ROWS) {
            let from = &weights[first * row..][..(ROWS - 1) * row + NEAR];
            let to = &mut target[first..][..(NEAR / G - 1) * step + ROWS];
            // SAFETY: the token proves AVX-512F and BW; the slices hold the last row and the last line.
            unsafe {
                let to = to.as_mut_ptr().cast();
                crate::x86::turn::turn::<G>(from.as_ptr(), row, to, step * G);
            }
        }
        return whole;
    }
    let _ = (kernel, weights, row, count, target, step);
    0
}

/// Writes neighbouring weights of one channel to its place in each group; missing ones stay 0.
fn put<'a, const G: usize>(mut places: impl Iterator<Item = &'a mut [u8; G]>, weights: &[i8]) {
    let (whole, rest) = weights.as_chunks::<G>();
    for (weights, to) in whole.iter().zip(places.by_ref()) {
        *to = weights.map(|w| w as u8);
    }
    if rest.is_empty() {
        return;
    }
    for (&w, to) in rest.iter().zip(places.next().into_iter().flatten()) {
        *to = w as u8;
    }
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
        let cut = blocks(56, 1, 4, (8, Bits::Eight), &runs);
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
        let cut = blocks(24, 2, 4, (8, Bits::Eight), &runs);
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
        let cut = blocks(3, 1, 1, (8, Bits::Eight), &runs);
        let source: Vec<i8> = (1..=30).collect();
        let packed = weights(
            &source,
            Bits::Eight,
            (Kernel::PORTABLE, 8),
            &runs,
            &cut,
            &Room::default(),
        );
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

    #[test]
    fn every_kernel_packs_the_same_lines() {
        for (outputs, run_len, starts) in [(16, 64, 1), (40, 100, 3), (33, 130, 2), (7, 64, 2)] {
            for width in [Bits::Eight, Bits::Sixteen] {
                let runs = Runs {
                    starts: vec![0; starts],
                    run_len: run_len * width.bytes(),
                    padding: starts,
                };
                let cut = blocks(outputs, 1, 4, (16, width), &runs);
                let source: Vec<i8> = (0..outputs * run_len * starts)
                    .map(|i| (i * 29 + i / 127) as i8)
                    .collect();
                let pack = |kernel| {
                    let lanes = (kernel, 16);
                    weights(&source, width, lanes, &runs, &cut, &Room::default())
                };
                let want = pack(Kernel::PORTABLE);
                for kernel in Kernel::available() {
                    assert_eq!(pack(kernel).as_slice(), want.as_slice());
                }
            }
        }
    }
}

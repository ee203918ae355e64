//! Weights cut so that the products of two groups can be added up in 16 bits.
//!
//! Inputs are bytes of 0..=127. Each half of a 32-bit lane takes two products of a group, and two more
//! of the next one, before they are widened:
//!
//! ```text
//! half = x0*w0 + x1*w1 + x4*w4 + x5*w5,   -127*N <= half <= 127*P
//! ```
//!
//! with P the sum of the positive weights among the four and N that of the magnitudes of the negative
//! ones. Where both are at most 258, `127 * 258 = 32766` fits. Where one of them is not, weights are
//! split, w = w' + e: what is too much is taken off the weights of the first group, of which two reach
//! 254, so the other two keep at most 254 and 4 more stay; e is what was taken off. The groups with
//! an e are few in trained networks; they are listed for each block and multiplied by themselves, where
//! two products reach `2 * 127 * 127 = 32258` and fit whatever the weights are.

use crate::bytes::Bytes;
use crate::kernel::Kernel;
use crate::pack::{Block, Runs};
use crate::sets::per_set;
use crate::strip::Products;
use crate::tiles;

/// A group of four inputs of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) run: usize,
    pub(crate) group: usize,
}

/// Groups of a block and the weights that they get beside those of the main part.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Excess<'a> {
    pub(crate) places: &'a [Place],
    /// `[places][N][LANES][4]`.
    pub(crate) weights: *const i8,
}

impl Excess<'_> {
    /// Nothing.
    pub(crate) const NONE: Self = Self {
        places: &[],
        weights: std::ptr::null(),
    };
}

/// What was cut off the weights of a block.
#[derive(Debug)]
pub(crate) struct Cut {
    places: Vec<Place>,
    weights: Bytes,
}

impl Cut {
    pub(crate) fn excess(&self) -> Excess<'_> {
        Excess {
            places: &self.places,
            weights: self.weights.as_ptr().cast(),
        }
    }
}

/// Of this many pairs of groups at most one may have an excess, or pairs do not pay.
const PAIRS_PER_EXCESS: usize = 4;

/// Cuts the packed weights of a node where its products and the instruction set ask for it.
pub(crate) fn cuts(
    kernel: Kernel,
    products: Products,
    weights: &mut Bytes,
    blocks: &[Block],
    runs: &Runs,
) -> Vec<Option<Cut>> {
    let engine = tiles::engine(kernel);
    match engine.pair_max {
        Some(most) if products == Products::Unsigned => {
            let weights = weights.as_mut_slice();
            cut(kernel, weights, blocks, engine.lanes, runs, most)
        }
        Some(_) | None => Vec::new(),
    }
}

/// Cuts the packed weights of all blocks, so that no half of a lane adds up to more than `most`; blocks
/// where that does not pay stay whole and have no cut.
fn cut(
    kernel: Kernel,
    weights: &mut [u8],
    blocks: &[Block],
    lanes: usize,
    runs: &Runs,
    most: i32,
) -> Vec<Option<Cut>> {
    let groups = runs.starts.len() * runs.groups();
    let mut cuts = Vec::with_capacity(blocks.len());
    for block in blocks {
        let group_len = block.vectors * lanes * 4;
        let weights = &mut weights[block.weights_at..][..groups * group_len];
        let mut places = Vec::new();
        let (run_groups, to) = (runs.groups(), &mut places);
        let shape = [group_len, run_groups];
        let read = &*weights;
        per_set!(kernel, find, (read: &[u8], shape: [usize; 2], most: i32, to: &mut Vec<Place>));
        cuts.push(cut_block(weights, group_len, run_groups, places, most));
    }
    cuts
}

/// The places of all pairs of groups that have an excess.
#[inline(always)]
fn find(weights: &[u8], [group_len, run_groups]: [usize; 2], most: i32, places: &mut Vec<Place>) {
    let run_len = run_groups * group_len;
    for (run, weights) in weights.chunks_exact(run_len).enumerate() {
        for (pair, weights) in weights.chunks_exact(2 * group_len).enumerate() {
            let (near, far) = weights.split_at(group_len);
            if most < largest(near, far) {
                let group = 2 * pair;
                places.push(Place { run, group });
            }
        }
    }
}

/// Takes the excess off a block with `places`, unless they are too many.
fn cut_block(
    weights: &mut [u8],
    group_len: usize,
    run_groups: usize,
    places: Vec<Place>,
    most: i32,
) -> Option<Cut> {
    let run_len = run_groups * group_len;
    let pair_count = weights.len() / run_len * (run_groups / 2);
    if pair_count < places.len() * PAIRS_PER_EXCESS {
        return None;
    }
    let mut taken = Bytes::filled(places.len() * group_len, 0);
    let taken_groups = taken.as_mut_slice().chunks_exact_mut(group_len);
    for (place, taken) in places.iter().zip(taken_groups) {
        let at = place.run * run_len + place.group * group_len;
        let (near, far) = weights[at..][..2 * group_len].split_at_mut(group_len);
        take_off(near, far, taken, most);
    }
    Some(Cut {
        places,
        weights: taken,
    })
}

/// The positive and the negative part of a weight.
fn parts(weight: u8) -> [i32; 2] {
    let weight = i32::from(weight as i8);
    [weight.max(0), (-weight).max(0)]
}

/// The largest P or N of any half of a lane.
#[inline(always)]
fn largest(near: &[u8], far: &[u8]) -> i32 {
    let halves = near.as_chunks::<2>().0.iter().zip(far.as_chunks::<2>().0);
    let mut most = 0_i16;
    for (&[a, b], &[c, d]) in halves {
        let four = [a, b, c, d].map(|w| i16::from(w as i8));
        let positive: i16 = four.iter().map(|&w| w.max(0)).sum();
        let all: i16 = four.iter().sum();
        most = most.max(positive).max(positive - all);
    }
    most.into()
}

/// Moves what is too much from `near` to `taken`; P and N of two weights are at most 254, so that what
/// is too much of four is no more than what the first two have.
fn take_off(near: &mut [u8], far: &[u8], taken: &mut [u8], most: i32) {
    let near = near.as_chunks_mut::<2>().0.iter_mut();
    let taken = taken.as_chunks_mut::<2>().0.iter_mut();
    for ((near, far), taken) in near.zip(far.as_chunks::<2>().0).zip(taken) {
        for (sign, direction) in [(0, 1), (1, -1)] {
            let sum: i32 = near.iter().chain(far).map(|&w| parts(w)[sign]).sum();
            let mut excess = (sum - most).max(0);
            for (weight, taken) in near.iter_mut().zip(&mut *taken) {
                let part = parts(*weight)[sign].min(excess);
                excess -= part;
                *weight = weight.wrapping_sub((part * direction) as u8);
                *taken = taken.wrapping_add((part * direction) as u8);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: i32 = 258;

    /// One vector of eight lanes, `groups` groups in one run.
    fn cut_all(weights: &[i8], groups: usize) -> (Vec<i8>, Option<Cut>) {
        let mut packed: Vec<u8> = weights.iter().map(|&w| w as u8).collect();
        let mut places = Vec::new();
        find(&packed, [32, groups], MOST, &mut places);
        let cut = cut_block(&mut packed, 32, groups, places, MOST);
        (packed.into_iter().map(|w| w as i8).collect(), cut)
    }

    #[test]
    fn weights_and_excess_add_up_to_what_was_there_and_pairs_fit() {
        let mut state = 1_u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as i8
        };
        let groups = 18;
        let mut weights = vec![3_i8; groups * 32];
        // The extremes of every sign pattern of four, and random ones, in few enough pairs.
        for lane in 0..8 {
            for byte in 0..4 {
                let sign = |bit: usize| if lane >> bit & 1 == 0 { 127 } else { -127 };
                weights[lane * 4 + byte] = sign(byte % 2);
                weights[32 + lane * 4 + byte] = sign(2 * (byte % 2));
                weights[4 * 32 + lane * 4 + byte] = random().max(-127);
                weights[5 * 32 + lane * 4 + byte] = random().max(-127);
            }
        }
        weights[4 * 32..][..4].fill(-127);
        weights[5 * 32..][..4].fill(-127);
        let (mut kept, cut) = cut_all(&weights, groups);
        let cut = cut.expect("two of nine pairs have an excess");
        for pair in kept.chunks(64) {
            let bytes: Vec<u8> = pair.iter().map(|&w| w as u8).collect();
            assert!(largest(&bytes[..32], &bytes[32..]) <= MOST);
        }
        for (place, taken) in cut.places.iter().zip(cut.weights.chunks(32)) {
            for (kept, &taken) in kept[place.group * 32..].iter_mut().zip(taken) {
                *kept += taken as i8;
            }
        }
        assert_eq!(kept, weights);
        assert_eq!(cut.places.len(), 2);
    }

    #[test]
    fn weights_that_are_all_large_stay_whole() {
        let weights = vec![127; 6 * 32];
        let (kept, cut) = cut_all(&weights, 6);
        assert!(cut.is_none());
        assert_eq!(kept, weights);
    }

    #[test]
    fn the_last_group_of_an_odd_run_is_no_pair() {
        let mut weights = vec![1; 9 * 32];
        weights[8 * 32..].fill(127);
        let (kept, cut) = cut_all(&weights, 9);
        assert_eq!(cut.map(|cut| cut.places.len()), Some(0));
        assert_eq!(kept, weights);
    }
}

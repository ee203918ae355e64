//! A linear node on several threads, cut by output channels: each thread reads its part of the weights
//! and no other.
//!
//! Cut by rows, every thread would read all weights; where they do not stay in a cache, reading them
//! takes longer than the products. Channels are cut between blocks, and every block writes the elements
//! of its own channels alone, so that the bits and the places are those of one thread.

use std::ops::Range;

use crate::finish::Output;
use crate::linear::{Linear, Places};
use crate::operands::Operands;
use crate::threads::{THREADS_MAX, ThreadPool};

/// Parts for each thread: with two a slow thread leaves its second one to the others.
const PARTS_PER_THREAD: usize = 2;

/// What the threads have in common.
struct Common<'a> {
    linear: &'a Linear,
    input: *const u8,
    places: Places,
    is_flat: bool,
}

// SAFETY: input, addend and factors behind the pointers are only read; the output is written, by every
// thread in the channels of its own blocks (`Common::run`), while `run_by_channels` holds it exclusively.
unsafe impl Sync for Common<'_> {}

impl Common<'_> {
    /// Runs some of the blocks on all rows; no block is given to two threads.
    fn run(&self, blocks: Range<usize>) {
        let rows = 0..self.linear.output().height();
        self.linear
            .run_tiles(self.input, self.places, self.is_flat, rows, blocks);
    }
}

impl Linear {
    /// Whether several threads had better share channels than rows: there are many weights, and blocks
    /// of channels for all threads.
    pub fn prefers_channels(&self, threads: usize) -> bool {
        self.tiles_only() && !self.is_near() && PARTS_PER_THREAD * threads <= self.block_count()
    }

    /// Computes all rows on the threads of `pool`; `output` holds exactly these stored rows, halo
    /// columns included, and elements of the halo are left alone.
    ///
    /// # Panics
    ///
    /// If a length or shape is not that of the spec: planning has already made them equal.
    pub fn run_by_channels(&self, operands: &Operands, mut output: Output, pool: &mut ThreadPool) {
        let rows = 0..self.output().height();
        if !self.tiles_only() {
            return self.run(operands, output, rows);
        }
        self.check(operands, &output, &rows);
        let common = Common {
            linear: self,
            input: operands.input.as_ptr(),
            places: Places::new(self, operands.addend, operands.factor, &mut output, 0),
            is_flat: self.is_flat(operands.addend),
        };
        let count = self.block_count();
        let parts = (PARTS_PER_THREAD * pool.threads())
            .min(THREADS_MAX)
            .min(count);
        let mut cuts = [const { 0..0 }; THREADS_MAX];
        for (part, cut) in cuts.iter_mut().enumerate().take(parts) {
            *cut = part * count / parts..(part + 1) * count / parts;
        }
        pool.for_each(&mut cuts[..parts], &|_, blocks: &mut Range<usize>| {
            common.run(blocks.clone());
        });
    }
}

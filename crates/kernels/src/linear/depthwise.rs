//! Depthwise nodes: vectors of channels over the positions of a row.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::{Linear, Part, Places};
use crate::accumulate::{LANES_MAX, Scratch};
use crate::bytes::SLACK;
use crate::depthwise::words::{self, DepthwiseWords};
use crate::depthwise::{self, Depthwise};
use crate::pack::Runs;
use crate::packed::is_depthwise;
use crate::spec::{Bits, LinearSpec};
use crate::strip::{Products, STRIP_PIXELS, VECTORS_MAX};
use crate::tiles::{self, Engine};

// Vectors of bytes, and two vectors of words, are read behind the last channel.
const _: () = assert!(2 * LANES_MAX * size_of::<i16>() <= SLACK);

/// Vectors of channels of a depthwise convolution that are requantised together.
const DEPTHWISE_VECTORS: usize = 2;
const _: () = assert!(DEPTHWISE_VECTORS == 2 && DEPTHWISE_VECTORS <= VECTORS_MAX);

/// The taps of a depthwise convolution, in bytes from the beginning of a window.
#[derive(Debug)]
pub(super) enum Taps {
    /// Not one of these.
    None,
    /// Of bytes.
    Bytes {
        groups: Vec<[usize; 4]>,
        /// Bytes between the columns of a window of three by three.
        column: Option<usize>,
    },
    /// Of elements of 16 bits.
    Words(Vec<[usize; 2]>),
}

impl Taps {
    pub(super) fn of(spec: &LinearSpec, runs: &Runs) -> Self {
        match (is_depthwise(spec, runs), spec.bits) {
            (false, _) => Self::None,
            (true, Bits::Eight) => Self::Bytes {
                groups: depthwise::starts(&depthwise::groups(spec.kernel), &runs.starts),
                column: (spec.kernel == [3, 3]).then(|| spec.dilation[1] * spec.input.channels()),
            },
            (true, Bits::Sixteen) => Self::Words(words::pairs(&runs.starts)),
        }
    }
}

impl Linear {
    /// Runs a depthwise convolution: some vectors of channels over the positions of a row.
    pub(super) fn run_depthwise(&self, input: *const u8, places: Places, rows: Range<usize>) {
        let engine = tiles::engine(self.kernel);
        let (outputs, width) = (self.output.channels(), self.output.width());
        let mut scratch = Scratch(MaybeUninit::uninit());
        let sums: *mut i32 = scratch.0.as_mut_ptr().cast();
        for row in 0..rows.len() {
            let window = self.window_at(rows.start + row, 0);
            for x in (0..width).step_by(STRIP_PIXELS) {
                let pixels = STRIP_PIXELS.min(width - x);
                let from = input.wrapping_add(window + x * self.pixel_step);
                for first in (0..outputs).step_by(DEPTHWISE_VECTORS * engine.lanes) {
                    let vectors = (outputs - first)
                        .div_ceil(engine.lanes)
                        .min(DEPTHWISE_VECTORS);
                    self.depthwise_sums(&engine, from, (first, vectors), pixels, sums);
                    let part = Part {
                        engine: &engine,
                        row,
                        lines: 1,
                        x,
                        pixels,
                        sums,
                    };
                    self.finish(vectors, first..outputs, &part, &places);
                }
            }
        }
    }

    /// The sums of `vectors` vectors of channels from `first` on, at `pixels` positions whose first window
    /// begins at `window`; at most [`STRIP_PIXELS`] positions and [`DEPTHWISE_VECTORS`] vectors.
    fn depthwise_sums(
        &self,
        engine: &Engine,
        window: *const u8,
        (first, vectors): (usize, usize),
        pixels: usize,
        sums: *mut i32,
    ) {
        let packed = &*self.packed;
        let weights = packed.weights.as_slice();
        let input = window.wrapping_add(first * self.bits.bytes());
        match &self.taps {
            Taps::None => {}
            Taps::Bytes { groups, column } => {
                let kernel = if packed.products == Products::Unsigned {
                    engine.unsigned_depthwise
                } else {
                    engine.depthwise
                };
                for vector in 0..vectors {
                    let channel = first + vector * engine.lanes;
                    let part = Depthwise {
                        input: input.wrapping_add(vector * engine.lanes),
                        pixel_step: self.pixel_step,
                        taps: groups,
                        column: *column,
                        weights: weights[channel * groups.len() * 4..].as_ptr().cast(),
                        bias: packed.start[channel..].as_ptr(),
                        pixels,
                        sums_step: vectors * engine.lanes,
                    };
                    // SAFETY: the token proves the instruction set; `Steps::new` proved that the last
                    // window is inside the input, whose slack is longer than a vector; packing made
                    // whole vectors, and the scratch takes a strip of the widest block (asserted in
                    // `strip`).
                    unsafe { kernel(&part, sums.wrapping_add(vector * engine.lanes)) };
                }
            }
            Taps::Words(pairs) => {
                let near = packed.start[first..].as_ptr();
                let far = near.wrapping_add((vectors - 1) * engine.lanes);
                let part = DepthwiseWords {
                    input,
                    pixel_step: self.pixel_step,
                    taps: pairs,
                    weights: weights[first * pairs.len() * 4..].as_ptr().cast(),
                    bias: [near, far],
                    pixels,
                    vectors,
                };
                // SAFETY: as above; the slack is as long as two vectors of words.
                unsafe { (engine.wide_depthwise)(&part, sums) };
            }
        }
    }
}

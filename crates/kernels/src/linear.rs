//! A linear node: convolution or matrix product with its fused requantisation.
//!
//! ```text
//! y[p][o] = clamp((acc * M[o] + addend[p][o] * A[o] + 2^(s[o]-1)) >> s[o], lo, hi)
//! acc     = bias[o] + sum of x * w over the window of p
//! ```
//!
//! A matrix product over rows is a convolution with a window of one: the rows are the positions of
//! a grid `[1][rows][row_elements]`, and `channel_offset`, `channel_count` name the slice of a row.
//! Spec: operators, 2.10 to 2.13.

use std::mem::MaybeUninit;
use std::ops::Range;

use crate::accumulate::{LANES_MAX, SCRATCH, Scratch, Tile};
use crate::bytes::{Bytes, SLACK};
use crate::depthwise::{self, Depthwise};
use crate::finish::{Addend, Finish, Output, RawAddend, RawOutput, Rule};
use crate::grid::Grid;
use crate::kernel::Kernel;
use crate::pack::{self, Block, Runs};
use crate::planar::{self, PlanarTile};
use crate::spec::{self, LinearError, LinearSpec, Steps};
use crate::tiles::{self, Engine};

/// The most positions that are computed before they are requantised.
const STRIP_PIXELS: usize = 48;
/// The most vectors of a block.
const VECTORS_MAX: usize = 4;
const _: () = assert!(STRIP_PIXELS * VECTORS_MAX * LANES_MAX <= SCRATCH && LANES_MAX <= SLACK);
/// Weights of this many bytes are taken to stay in the second cache while a strip passes.
const NEAR_WEIGHTS: usize = 192 << 10;

/// A packed linear node, ready to run on one instruction set.
#[derive(Debug)]
pub struct Linear {
    kernel: Kernel,
    input: Grid,
    output: Grid,
    origin: usize,
    row_step: usize,
    pixel_step: usize,
    runs: Runs,
    /// Taps of a depthwise convolution; none for all others.
    taps: Vec<[usize; 4]>,
    /// Elements between the columns of its window, where that is three by three.
    column: Option<usize>,
    blocks: Vec<Block>,
    weights: Bytes,
    /// Weights for positions in lanes, where that layout is the better one.
    planar_weights: Option<Bytes>,
    bias: Vec<i32>,
    multiplier: Vec<i32>,
    addend_multiplier: Vec<i32>,
    shift: Vec<i32>,
    lo: i32,
    hi: i32,
    fits: bool,
    table: Option<Box<[i8; 256]>>,
}

impl Linear {
    /// Packs a node for `kernel`.
    pub fn new(kernel: Kernel, spec: &LinearSpec) -> Result<Self, LinearError> {
        spec::check(spec)?;
        let Steps {
            origin,
            row_step,
            pixel_step,
            runs,
        } = Steps::new(spec)?;
        let engine = tiles::engine(kernel);
        let outputs = spec.output.channels();
        let vectors_max = (engine.vectors_max)(spec.output.width());
        let depthwise = 1 < spec.groups && spec.groups == outputs && runs.run_len == 1;
        let (blocks, weights) = if depthwise {
            let weights = depthwise::pack(spec.weights, runs.starts.len(), engine.lanes);
            (Vec::new(), weights)
        } else {
            let blocks = pack::blocks(outputs, spec.groups, vectors_max, engine.lanes, &runs);
            let weights = pack::weights(spec.weights, engine.lanes, &runs, &blocks);
            (blocks, weights)
        };
        let planar_weights = (engine.planar.is_some() && spec::is_planar(spec, pixel_step))
            .then(|| planar::pack(spec.weights, outputs, &runs));
        // A block reads whole vectors, from wherever its group begins.
        let padded = outputs + VECTORS_MAX * engine.lanes;
        let column = |i: usize| {
            let mut column: Vec<i32> = spec.constants.iter().map(|c| c[i]).collect();
            column.resize(padded, i32::from(i == 3));
            column
        };
        let mut bias = column(0);
        if kernel.flip() != 0 {
            pack::fold_flip(&mut bias, spec.weights, spec.weights.len() / outputs);
        }
        Ok(Self {
            kernel,
            input: spec.input,
            output: spec.output,
            origin,
            row_step,
            pixel_step,
            taps: if depthwise {
                depthwise::groups_of_four(&runs.starts)
            } else {
                Vec::new()
            },
            column: (depthwise && spec.kernel == [3, 3])
                .then(|| spec.dilation[1] * spec.input.channels()),
            runs,
            blocks,
            weights,
            planar_weights,
            bias,
            multiplier: column(1),
            addend_multiplier: column(2),
            shift: column(3),
            lo: spec.lo,
            hi: spec.hi,
            fits: spec::fits(spec),
            table: spec.table.map(|table| Box::new(*table)),
        })
    }

    /// Computes the output rows `rows`; `output` holds exactly these stored rows, halo columns
    /// included, and elements of the halo are left alone.
    ///
    /// # Panics
    ///
    /// If a length or shape is not that of the spec: planning has already made them equal.
    pub fn run(&self, input: &Bytes, addend: Addend, mut output: Output, rows: Range<usize>) {
        assert_eq!(input.len(), self.input.len(), "linear: input length");
        assert!(
            rows.start <= rows.end && rows.end <= self.output.height(),
            "linear: rows"
        );
        let expected = rows.len() * self.output.row_len();
        let (actual, low, high) = match &output {
            Output::I8(data) => (data.len(), -128, 127),
            Output::I16(data) => (data.len(), -32_768, 32_767),
            Output::I32(data) => (data.len(), i32::MIN, i32::MAX),
        };
        assert!(
            low <= self.lo && self.hi <= high,
            "linear: clamp within the output's type"
        );
        assert_eq!(actual, expected, "linear: output length");
        let addend_grid = match addend {
            Addend::None => None,
            Addend::I8(data, grid) => Some((data.len(), grid)),
            Addend::I16(data, grid) => Some((data.len(), grid)),
            Addend::I32(data, grid) => Some((data.len(), grid)),
        };
        if let Some((len, grid)) = addend_grid {
            assert_eq!(len, grid.len(), "linear: addend length");
            assert!(grid.same_shape(&self.output), "linear: addend shape");
        }
        if rows.is_empty() {
            return;
        }
        if self.run_planar(input, addend, &mut output, &rows) {
            return;
        }
        if self.taps.is_empty() {
            self.run_tiles(input, addend, &mut output, rows);
        } else {
            self.run_depthwise(input, addend, &mut output, rows);
        }
    }

    /// Runs with positions in lanes, if this node and this output allow it; says whether.
    fn run_planar(
        &self,
        input: &Bytes,
        addend: Addend,
        output: &mut Output,
        rows: &Range<usize>,
    ) -> bool {
        let engine = tiles::engine(self.kernel);
        let (Some(kernel), Some(weights)) = (engine.planar, &self.planar_weights) else {
            return false;
        };
        let (Addend::None, Output::I8(output)) = (addend, output) else {
            return false;
        };
        let (outputs, width) = (self.output.channels(), self.output.width());
        let mut tile = PlanarTile {
            rule: self.rule(),
            input: input.as_ptr(),
            runs: &self.runs.starts,
            groups: self.runs.groups(),
            weights: weights.as_ptr().cast(),
            bias: self.bias.as_ptr(),
            multiplier: self.multiplier.as_ptr(),
            shift: self.shift.as_ptr(),
            outputs,
            output: output.as_mut_ptr(),
        };
        for row in 0..rows.len() {
            let window = self.window_at(rows.start + row, 0);
            let to = &mut output[row * self.output.row_len() + self.output.halo()[1] * outputs..];
            let to = &mut to[..width * outputs];
            let mut x = 0;
            while x < width {
                // The last tile of a row overlaps its neighbour rather than being smaller.
                x = x.min(width - planar::PIXELS);
                tile.input = input.as_ptr().wrapping_add(window + x);
                tile.output = to[x * outputs..].as_mut_ptr();
                // SAFETY: the token proves the instruction set; `Steps::new` proved that the last
                // window is inside the input, whose slack is longer than what a tile reads behind
                // it; `is_planar` has checked clamp and range; 16 positions are left in the row.
                unsafe { kernel(&tile) };
                x += planar::PIXELS;
            }
        }
        true
    }

    /// Runs strips of positions through blocks of channels. Where all weights stay in a cache, the
    /// blocks are the inner loop, so that a strip of the input is read and one of the output written
    /// while they are near; else a block's weights are read once.
    fn run_tiles(&self, input: &Bytes, addend: Addend, output: &mut Output, rows: Range<usize>) {
        let places = Places::new(&self.output, addend, output, rows.start);
        let (mut row_count, mut width) = (rows.len(), self.output.width());
        if self.is_flat(addend) {
            (row_count, width) = (1, row_count * width);
        }
        let strip = width.div_ceil(width.div_ceil(STRIP_PIXELS));
        let mut scratch = Scratch(MaybeUninit::uninit());
        let engine = tiles::engine(self.kernel);
        let near = self.weights.len() <= NEAR_WEIGHTS;
        let together = if near { self.blocks.len() } else { 1 };
        for blocks in self.blocks.chunks(together.max(1)) {
            for row in 0..row_count {
                let window = self.origin + (rows.start + row) * self.row_step;
                for x in (0..width).step_by(strip) {
                    let pixels = strip.min(width - x);
                    let from = input.as_ptr().wrapping_add(window + x * self.pixel_step);
                    for block in blocks {
                        let place = places.at(row, x);
                        self.run_strip(&engine, block, from, pixels, &mut scratch, &place);
                    }
                }
            }
        }
    }

    /// One block of channels at `count` neighbouring positions, whose first window is at `input`.
    fn run_strip(
        &self,
        engine: &Engine,
        block: &Block,
        input: *const u8,
        count: usize,
        scratch: &mut Scratch,
        place: &Places,
    ) {
        let sums: *mut i32 = scratch.0.as_mut_ptr().cast();
        let pixels_max = (engine.pixels_max)(block.vectors);
        let pixels = count.div_ceil(count.div_ceil(pixels_max));
        let kernel = (engine.tile)(pixels, block.vectors)
            .expect("every size up to `pixels_max` is compiled");
        let mut tile = Tile {
            input,
            pixel_step: self.pixel_step,
            runs: &self.runs.starts,
            groups: self.runs.groups(),
            weights: self.weights.as_slice()[block.weights_at..].as_ptr().cast(),
            bias: self.bias[block.channel..].as_ptr(),
        };
        let mut x = 0;
        while x < count {
            // The last tile overlaps its neighbour rather than being smaller.
            x = x.min(count - pixels);
            let at = block.first + x * self.pixel_step;
            tile.input = input.wrapping_add(at);
            let to = sums.wrapping_add(x * block.vectors * engine.lanes);
            // SAFETY: the token proves the instruction set; `Steps::new` proved that the last
            // window and its slack are inside the input, packing made whole vectors of weights and
            // bias, and a strip of the widest block fits the scratch (asserted above).
            unsafe { kernel(&tile, to) };
            x += pixels;
        }
        self.finish(
            engine,
            block.vectors,
            block.channel..block.end,
            sums,
            count,
            place,
        );
    }

    /// Runs a depthwise convolution: each vector of channels over the positions of a row.
    fn run_depthwise(
        &self,
        input: &Bytes,
        addend: Addend,
        output: &mut Output,
        rows: Range<usize>,
    ) {
        let engine = tiles::engine(self.kernel);
        let places = Places::new(&self.output, addend, output, rows.start);
        let (outputs, width) = (self.output.channels(), self.output.width());
        let mut scratch = Scratch(MaybeUninit::uninit());
        let sums: *mut i32 = scratch.0.as_mut_ptr().cast();
        for row in 0..rows.len() {
            let window = self.window_at(rows.start + row, 0);
            for x in (0..width).step_by(STRIP_PIXELS) {
                let pixels = STRIP_PIXELS.min(width - x);
                for channel in (0..outputs).step_by(engine.lanes) {
                    let at = window + x * self.pixel_step + channel;
                    let vector = channel * self.taps.len() * 4;
                    let part = Depthwise {
                        input: input.as_ptr().wrapping_add(at),
                        pixel_step: self.pixel_step,
                        taps: &self.taps,
                        column: self.column,
                        weights: self.weights.as_slice()[vector..].as_ptr().cast(),
                        bias: self.bias[channel..].as_ptr(),
                        pixels,
                    };
                    // SAFETY: the token proves the instruction set; `Steps::new` proved that the
                    // last window is inside the input, whose slack is longer than a vector;
                    // packing made whole vectors, and the scratch takes `pixels` of them (asserted
                    // below).
                    unsafe { (engine.depthwise)(&part, sums) };
                    let place = places.at(row, x);
                    self.finish(&engine, 1, channel..outputs, sums, pixels, &place);
                }
            }
        }
    }

    /// Requantises `pixels` positions of `vectors` vectors of channels, vector by vector, from channel
    /// 0 of the first position at `place`. The vectors begin with the first of `channels`, and the
    /// last of them holds the last.
    fn finish(
        &self,
        engine: &Engine,
        vectors: usize,
        channels: Range<usize>,
        sums: *const i32,
        pixels: usize,
        place: &Places,
    ) {
        let outputs = self.output.channels();
        for vector in 0..vectors {
            let channel = channels.start + vector * engine.lanes;
            let finish = Finish {
                rule: self.rule(),
                multiplier: self.multiplier[channel..].as_ptr(),
                addend_multiplier: self.addend_multiplier[channel..].as_ptr(),
                shift: self.shift[channel..].as_ptr(),
                sums: sums.wrapping_add(vector * engine.lanes),
                sums_step: vectors * engine.lanes,
                pixels,
                pixel_step: outputs,
                channels: (channels.end - channel).min(engine.lanes),
                addend: place.addend.add(channel),
                output: place.output.add(channel),
            };
            // SAFETY: the token proves the instruction set; constants and sums come in whole
            // vectors, and `run` has checked that addend and output hold all rows of their grids,
            // of which this tile is a part.
            unsafe { (engine.finish)(&finish) };
        }
    }

    /// Whether all positions are equally spaced in input, output and addend, so that rows join.
    fn is_flat(&self, addend: Addend) -> bool {
        let addend_is_dense = match addend {
            Addend::None => true,
            Addend::I8(_, grid) | Addend::I16(_, grid) | Addend::I32(_, grid) => grid.is_dense(),
        };
        self.row_step == self.output.width() * self.pixel_step
            && self.output.is_dense()
            && addend_is_dense
    }

    /// The stored input.
    pub fn input(&self) -> &Grid {
        &self.input
    }

    /// The stored output.
    pub fn output(&self) -> &Grid {
        &self.output
    }

    /// Multiply-accumulates of a whole run.
    pub fn macs(&self) -> u64 {
        self.output.element_count() as u64 * (self.runs.starts.len() * self.runs.run_len) as u64
    }

    fn window_at(&self, y: usize, x: usize) -> usize {
        self.origin + y * self.row_step + x * self.pixel_step
    }

    fn rule(&self) -> Rule<'_> {
        Rule {
            lo: self.lo,
            hi: self.hi,
            flip: self.kernel.flip(),
            fits: self.fits,
            table: self.table.as_deref(),
        }
    }
}

/// A position in addend and output, and the way to others.
#[derive(Clone, Copy)]
struct Places {
    addend: RawAddend,
    addend_row: usize,
    output: RawOutput,
    output_row: usize,
    pixel: usize,
}

impl Places {
    /// The first position of row `row` of the grids; `output` begins with that row.
    fn new(grid: &Grid, addend: Addend, output: &mut Output, row: usize) -> Self {
        let outputs = grid.channels();
        let output_at = grid.halo()[1] * outputs;
        let (addend, addend_row) = match addend {
            Addend::None => (RawAddend::None, 0),
            Addend::I8(x, grid) => (
                RawAddend::I8(x[grid.index(row, 0)..].as_ptr()),
                grid.row_len(),
            ),
            Addend::I16(x, grid) => (
                RawAddend::I16(x[grid.index(row, 0)..].as_ptr()),
                grid.row_len(),
            ),
            Addend::I32(x, grid) => (
                RawAddend::I32(x[grid.index(row, 0)..].as_ptr()),
                grid.row_len(),
            ),
        };
        let output = match output {
            Output::I8(y) => RawOutput::I8(y[output_at..].as_mut_ptr()),
            Output::I16(y) => RawOutput::I16(y[output_at..].as_mut_ptr()),
            Output::I32(y) => RawOutput::I32(y[output_at..].as_mut_ptr()),
        };
        Self {
            addend,
            addend_row,
            output,
            output_row: grid.row_len(),
            pixel: outputs,
        }
    }

    /// Position (`row`, `x`), counted from this one.
    fn at(&self, row: usize, x: usize) -> Self {
        Self {
            addend: self.addend.add(row * self.addend_row + x * self.pixel),
            output: self.output.add(row * self.output_row + x * self.pixel),
            ..*self
        }
    }
}

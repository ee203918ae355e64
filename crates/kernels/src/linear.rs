//! A linear node: convolution or matrix product with its fused requantisation.
//!
//! ```text
//! y[p][o] = clamp((acc * M[o] + addend[p][o] * A[o] + 2^(s[o]-1)) >> s[o], lo, hi)
//! acc     = bias[o] + sum of x * w over the window of p
//! ```
//!
//! A matrix product over rows is a convolution with a window of one: the rows are the positions of
//! a grid `[1][rows][row_elements]`, and `channel_offset`, `channel_count` name the slice of a row.
//! Row factors belong to matrix products. Spec: operators, 2.10 to 2.13, 2.21.

use std::mem::MaybeUninit;
use std::ops::Range;
use std::sync::Arc;

use crate::accumulate::Scratch;
use crate::finish::{Addend, Finish, Output, RawAddend, RawFactor, RawOutput, Rule};
use crate::grid::Grid;
use crate::kernel::Kernel;
use crate::operands::Operands;
use crate::pack::Runs;
use crate::packed::{Form, Packed};
use crate::pages::Room;
use crate::planar::{self, PlanarTile};
use crate::spec::{self, Bits, LinearError, LinearSpec, Steps};
use crate::strip::{Contraction, Session, Span};
use crate::tiles::{self, Engine};
use depthwise::Taps;
use words::Area;

mod depthwise;
mod words;

/// Weights of this many bytes are taken to stay in the second cache while a strip passes.
pub(crate) const NEAR_WEIGHTS: usize = 192 << 10;

/// A packed linear node, ready to run on one instruction set.
#[derive(Debug)]
pub struct Linear {
    kernel: Kernel,
    bits: Bits,
    input: Grid,
    output: Grid,
    origin: usize,
    row_step: usize,
    pixel_step: usize,
    runs: Runs,
    taps: Taps,
    packed: Arc<Packed>,
    lo: i32,
    hi: i32,
    factor_shift: Option<u32>,
}

impl Linear {
    /// Packs a node for `kernel`.
    pub fn new(kernel: Kernel, spec: &LinearSpec) -> Result<Self, LinearError> {
        Self::sharing(kernel, spec, &mut Vec::new(), &Room::default())
    }

    /// The same, with what was packed for other extents of the same node where that serves; what had
    /// to be packed is added to `known` and lies in `room` as long as there is some.
    pub fn sharing(
        kernel: Kernel,
        spec: &LinearSpec,
        known: &mut Vec<Arc<Packed>>,
        room: &Room,
    ) -> Result<Self, LinearError> {
        spec::check(spec)?;
        let Steps {
            origin,
            row_step,
            pixel_step,
            mut runs,
        } = Steps::new(spec)?;
        let engine = tiles::engine(kernel);
        let form = Form {
            vectors_max: (engine.vectors_max)(spec.output.width()),
            planar: engine.planar.is_some() && spec::is_planar(spec, pixel_step),
        };
        if !form.planar {
            runs.pad(&engine, spec.bits);
        }
        let packed = if let Some(packed) = known.iter().find(|packed| packed.has(form)) {
            Arc::clone(packed)
        } else {
            let packed = Arc::new(Packed::new(kernel, spec, &runs, form, room)?);
            known.push(Arc::clone(&packed));
            packed
        };
        Ok(Self {
            kernel,
            bits: spec.bits,
            input: spec.input,
            output: spec.output,
            origin,
            row_step,
            pixel_step,
            taps: Taps::of(spec, &runs),
            runs,
            packed,
            lo: spec.lo,
            hi: spec.hi,
            factor_shift: spec.factor_shift,
        })
    }

    /// Computes the output rows `rows`; `output` holds exactly these stored rows, halo columns
    /// included, and elements of the halo are left alone.
    ///
    /// # Panics
    ///
    /// If a length or shape is not that of the spec: planning has already made them equal.
    pub fn run(&self, operands: &Operands, mut output: Output, rows: Range<usize>) {
        self.check(operands, &output, &rows);
        if rows.is_empty() {
            return;
        }
        let Operands {
            input,
            addend,
            factor,
        } = *operands;
        let input = input.as_ptr();
        if self.run_planar(input, addend, &mut output, &rows) {
            return;
        }
        let places = Places::new(self, addend, factor, &mut output, rows.start);
        if matches!(self.taps, Taps::None) {
            let blocks = 0..self.block_count();
            self.run_tiles(input, places, self.is_flat(addend), rows, blocks);
        } else {
            self.run_depthwise(input, places, rows);
        }
    }

    /// # Panics
    ///
    /// If a length or shape is not that of the spec.
    pub(crate) fn check(&self, operands: &Operands, output: &Output, rows: &Range<usize>) {
        let Operands {
            input,
            addend,
            factor,
        } = *operands;
        assert_eq!(input.len(), self.input.len(), "linear: input length");
        assert_eq!(input.bits(), self.bits, "linear: bits of the input");
        let positions = self.output.height() * self.output.width();
        assert_eq!(
            factor.map(<[i32]>::len),
            self.factor_shift.map(|_| positions),
            "linear: row factors"
        );
        assert!(
            rows.start <= rows.end && rows.end <= self.output.height(),
            "linear: rows"
        );
        let expected = rows.len() * self.output.row_len();
        let (low, high) = match output {
            Output::I8(_) => (-128, 127),
            Output::I16(_) => (-32_768, 32_767),
            Output::I32(_) => (i32::MIN, i32::MAX),
        };
        let actual = output.len();
        assert!(
            low <= self.lo && self.hi <= high,
            "linear: clamp within the output's type"
        );
        assert_eq!(actual, expected, "linear: output length");
        if let Some((len, grid)) = addend.extent() {
            assert!(
                self.packed.adds(),
                "linear: an addend of a node without one"
            );
            assert_eq!(len, grid.len(), "linear: addend length");
            assert!(grid.same_shape(&self.output), "linear: addend shape");
        }
    }

    /// Runs with positions in lanes, if this node and this output allow it; says whether.
    fn run_planar(
        &self,
        input: *const u8,
        addend: Addend,
        output: &mut Output,
        rows: &Range<usize>,
    ) -> bool {
        let engine = tiles::engine(self.kernel);
        let packed = &*self.packed;
        let (Some(kernel), Some(weights)) = (engine.planar, &packed.planar_weights) else {
            return false;
        };
        let (Addend::None, Output::I8(output)) = (addend, output) else {
            return false;
        };
        let (outputs, width) = (self.output.channels(), self.output.width());
        let mut tile = PlanarTile {
            rule: self.rule(),
            input,
            runs: &self.runs.starts,
            groups: self.runs.groups(),
            weights: weights.as_ptr().cast(),
            bias: packed.start.as_ptr(),
            multiplier: packed.multiplier.as_ptr(),
            shift: packed.shift.as_ptr(),
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
                tile.input = input.wrapping_add(window + x);
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
    /// while they are near; else a block's weights are read once. Writes the channels of `blocks` alone.
    pub(crate) fn run_tiles(
        &self,
        input: *const u8,
        places: Places,
        is_flat: bool,
        rows: Range<usize>,
        blocks: Range<usize>,
    ) {
        let (mut row_count, mut width) = (rows.len(), self.output.width());
        if is_flat {
            (row_count, width) = (1, row_count * width);
        }
        let engine = tiles::engine(self.kernel);
        if let Some(words) = self.words(&engine, [row_count, width]) {
            let area = Area {
                rows: 0..row_count,
                columns: 0..width,
            };
            return self.run_words(input, &places, (rows.start, &area), &blocks, words);
        }
        let session = Session::default();
        let contraction = self.contraction(&engine, &session);
        let (products, vectors) = (self.packed.products, self.packed.vectors_max);
        let lines = 1 + usize::from(!is_flat && contraction.joins_rows(products, vectors, width));
        let strip_len = contraction.strip_len(products, vectors, width);
        let mut scratch = Scratch(MaybeUninit::uninit());
        let sums: *mut i32 = scratch.0.as_mut_ptr().cast();
        let together = if self.is_near() { blocks.len() } else { 1 };
        for first in blocks.clone().step_by(together.max(1)) {
            for row in (0..row_count).step_by(lines) {
                let lines = lines.min(row_count - row);
                let window = self.origin + (rows.start + row) * self.row_step;
                for x in (0..width).step_by(strip_len) {
                    let part = Part {
                        engine: &engine,
                        row,
                        lines,
                        x,
                        pixels: strip_len.min(width - x),
                        sums,
                    };
                    let at = window + x * self.pixel_step;
                    for index in first..blocks.end.min(first + together) {
                        let block = &self.packed.blocks[index];
                        let strip = Span {
                            input: input.wrapping_add(at + block.first),
                            count: lines * part.pixels,
                            row_step: (1 < lines).then_some(self.row_step),
                        };
                        let weights = self.packed.block_weights(index);
                        // SAFETY: the token proves the instruction set; `Steps::new` proved that the
                        // last window and its slack are inside the input, packing made whole vectors
                        // of weights and starts; the session of this run is the thread's only one.
                        unsafe { contraction.sums(weights, strip, sums) };
                        self.finish(block.vectors, block.channel..block.end, &part, &places);
                    }
                }
            }
        }
    }

    fn contraction<'a>(&'a self, engine: &'a Engine, session: &'a Session) -> Contraction<'a> {
        Contraction {
            engine,
            session,
            runs: &self.runs.starts,
            groups: self.runs.groups(),
            planes: &self.packed.planes,
            pixel_step: self.pixel_step,
        }
    }

    /// Requantises `vectors` vectors of channels of a part of the output, vector by vector. The vectors
    /// begin with the first of `channels`, and the last of them holds the last.
    fn finish(&self, vectors: usize, channels: Range<usize>, part: &Part, places: &Places) {
        let outputs = self.output.channels();
        let packed = &*self.packed;
        let lanes = part.engine.lanes;
        for line in 0..part.lines {
            let place = places.at(part.row + line, part.x);
            let first = line * part.pixels * vectors;
            let mut vector = 0;
            while vector < vectors {
                let channel = channels.start + vector * lanes;
                let is_pair = vector + 1 < vectors && channel + 2 * lanes <= channels.end;
                let finish = Finish {
                    rule: self.rule(),
                    multiplier: packed.multiplier[channel..].as_ptr(),
                    addend_multiplier: packed.addend_multipliers(channel),
                    shift: packed.shift[channel..].as_ptr(),
                    sums: part.sums.wrapping_add((first + vector) * lanes),
                    sums_step: vectors * lanes,
                    planes: packed.planes.len(),
                    plane_step: part.lines * part.pixels * vectors * lanes,
                    factor: RawFactor {
                        at: place.factor,
                        step: 1,
                        bias: packed.factor_bias(channel),
                    },
                    pixels: part.pixels,
                    pixel_step: outputs,
                    channels: if is_pair {
                        2 * lanes
                    } else {
                        (channels.end - channel).min(lanes)
                    },
                    addend: place.addend.add(channel),
                    output: place.output.add(channel),
                };
                // SAFETY: the token proves the instruction set; constants and sums come in whole
                // vectors, and `run` has checked that addend, factors and output hold all rows of
                // their grids, of which this part is one.
                vector += unsafe { finish_some(part.engine, &finish) };
            }
        }
    }

    /// Whether all positions are equally spaced in input, output and addend, so that rows join.
    pub(crate) fn is_flat(&self, addend: Addend) -> bool {
        let addend_is_dense = addend.extent().is_none_or(|(_, grid)| grid.is_dense());
        self.row_step == self.output.width() * self.pixel_step
            && self.output.is_dense()
            && addend_is_dense
    }

    /// Whether every run of the node goes tile by tile through blocks of channels.
    pub(crate) fn tiles_only(&self) -> bool {
        matches!(self.taps, Taps::None) && self.packed.planar_weights.is_none()
    }

    /// Whether all weights stay in the second cache while strips pass.
    pub(crate) fn is_near(&self) -> bool {
        self.packed.weights.len() <= NEAR_WEIGHTS
    }

    /// Rows of the output whose positions fill a tile: cut elsewhere, tiles would be smaller.
    pub fn tile_rows(&self) -> usize {
        if !self.tiles_only() {
            return 1;
        }
        let engine = tiles::engine(self.kernel);
        let session = Session::default();
        let contraction = self.contraction(&engine, &session);
        let (products, vectors) = (self.packed.products, self.packed.vectors_max);
        let positions = contraction.pixels_max(products, vectors);
        (positions / self.output.width()).max(1)
    }

    pub(crate) fn block_count(&self) -> usize {
        self.packed.blocks.len()
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
        let terms = self.runs.starts.len() * self.runs.run_len / self.bits.bytes();
        self.output.element_count() as u64 * terms as u64
    }

    fn window_at(&self, y: usize, x: usize) -> usize {
        self.origin + y * self.row_step + x * self.pixel_step
    }

    fn rule(&self) -> Rule<'_> {
        Rule {
            lo: self.lo,
            hi: self.hi,
            flip: self.kernel.flip(),
            raises: self.packed.raises,
            fits: self.packed.reach.fits,
            factor_max: self.packed.reach.factor_max,
            table: self.packed.table.as_deref(),
            factor_shift: self.factor_shift,
        }
    }
}

/// Requantises two vectors of channels, if there are two and the set has such a function, else the first
/// one; returns their number.
///
/// # Safety
///
/// The engine's instruction set is there and `finish` keeps its promise.
unsafe fn finish_some(engine: &Engine, finish: &Finish) -> usize {
    // SAFETY: the caller's promises, passed on.
    unsafe {
        if finish.channels <= engine.lanes {
            (engine.finish)(finish);
            return 1;
        }
        if (engine.finish_two)(finish) {
            return 2;
        }
        let first = Finish {
            channels: engine.lanes,
            ..*finish
        };
        (engine.finish)(&first);
    }
    1
}

/// A part of the output whose sums are there.
struct Part<'a> {
    engine: &'a Engine,
    /// Its first row, counted from the first one of the run.
    row: usize,
    lines: usize,
    x: usize,
    /// Positions of each line.
    pixels: usize,
    /// `[planes][lines][pixels][vectors][lanes]`.
    sums: *const i32,
}

/// A position in addend, factors and output, and the way to others.
#[derive(Clone, Copy)]
pub(crate) struct Places {
    factor: *const i32,
    factor_row: usize,
    addend: RawAddend,
    addend_row: usize,
    output: RawOutput,
    output_row: usize,
    pixel: usize,
}

impl Places {
    /// The first position of row `row` of the grids; `output` begins with that row.
    pub(crate) fn new(
        linear: &Linear,
        addend: Addend,
        factor: Option<&[i32]>,
        output: &mut Output,
        row: usize,
    ) -> Self {
        let grid = &linear.output;
        let factor = factor.map_or(RawFactor::NONE.at, |factor| {
            factor[row * grid.width()..].as_ptr()
        });
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
            factor,
            factor_row: grid.width(),
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
            factor: self.factor.wrapping_add(row * self.factor_row + x),
            addend: self.addend.add(row * self.addend_row + x * self.pixel),
            output: self.output.add(row * self.output_row + x * self.pixel),
            ..*self
        }
    }
}

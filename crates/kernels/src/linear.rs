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

use thiserror::Error;

use crate::accumulate::{LANES_MAX, SCRATCH, Scratch, Tile};
use crate::bytes::{Bytes, SLACK};
use crate::finish::{Addend, Finish, Output, RawAddend, RawOutput, Rule};
use crate::grid::Grid;
use crate::grouped;
use crate::kernel::Kernel;
use crate::pack::{self, Block, Runs};
use crate::planar::{self, PlanarTile};
use crate::tiles::{self, Engine};

/// Everything that is fixed about a linear node.
#[derive(Debug, Clone, Copy)]
pub struct LinearSpec<'a> {
    /// Stored input; its halo holds the padding.
    pub input: Grid,
    /// Stored output.
    pub output: Grid,
    /// Rows and columns of the window.
    pub kernel: [usize; 2],
    /// Steps of the window.
    pub stride: [usize; 2],
    /// Steps inside the window.
    pub dilation: [usize; 2],
    /// Padding at the top and at the left.
    pub pad: [usize; 2],
    /// Groups; more than one takes the slow path.
    pub groups: usize,
    /// First input channel that is read.
    pub channel_offset: usize,
    /// Input channels that are read.
    pub channel_count: usize,
    /// `[O][kh][kw][channel_count / groups]`, each in -127..=127.
    pub weights: &'a [i8],
    /// Bias, M, A, s of each output channel.
    pub constants: &'a [[i32; 4]],
    /// The largest magnitude of an element of the second input; 0 without one.
    pub addend_max: u32,
    /// Clamp, lower bound.
    pub lo: i32,
    /// Clamp, upper bound.
    pub hi: i32,
    /// Table over the clamped value plus 128.
    pub table: Option<&'a [i8; 256]>,
}

/// Why a linear node was not packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LinearError {
    /// A tensor has the wrong number of elements.
    #[error("{what}: {actual} elements, expected {expected}")]
    Count {
        /// Which tensor.
        what: &'static str,
        /// Elements by the shape.
        expected: usize,
        /// Elements given.
        actual: usize,
    },
    /// A number is out of its range.
    #[error("{what}[{index}] is {value}, outside its range")]
    Range {
        /// Which tensor or field.
        what: &'static str,
        /// Its index.
        index: usize,
        /// The value.
        value: i64,
    },
    /// The window reaches outside the stored input.
    #[error(
        "the window reads element {reached} of {stored} stored inputs; give the input a larger halo"
    )]
    Halo {
        /// One past the last element read.
        reached: usize,
        /// Stored elements.
        stored: usize,
    },
}

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
    groups: usize,
    blocks: Vec<Block>,
    weights: Bytes,
    plain_weights: Vec<i8>,
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
        check_counts(spec)?;
        check_ranges(spec)?;
        let runs = runs(spec);
        let [_, left, ..] = spec.input.halo();
        // The first window starts `pad` before the first element; the halo check comes below.
        let columns = spec.input.row_len() / spec.input.channels();
        let before = spec.pad[0] * columns + spec.pad[1];
        let first = spec.input.index(0, 0) / spec.input.channels();
        if first < before || left < spec.pad[1] {
            return Err(LinearError::Halo {
                reached: 0,
                stored: spec.input.len(),
            });
        }
        let origin = (first - before) * spec.input.channels() + spec.channel_offset;
        let row_step = spec.stride[0] * spec.input.row_len();
        let pixel_step = spec.stride[1] * spec.input.channels();
        check_reach(spec, &runs, origin, row_step, pixel_step)?;
        let engine = tiles::engine(kernel);
        let outputs = spec.output.channels();
        let vector_count = outputs.div_ceil(engine.lanes);
        let vectors_max = (engine.vectors_max)(spec.output.width());
        let grouped = 1 < spec.groups;
        let blocks = if grouped {
            Vec::new()
        } else {
            pack::blocks(vector_count, vectors_max, engine.lanes, &runs)
        };
        let planar_weights = (engine.planar.is_some() && is_planar(spec, pixel_step))
            .then(|| planar::pack(spec.weights, outputs, &runs));
        let weights = pack::weights(spec.weights, outputs, engine.lanes, &runs, &blocks);
        let column = |i: usize| {
            let mut column: Vec<i32> = spec.constants.iter().map(|c| c[i]).collect();
            column.resize(vector_count * engine.lanes, i32::from(i == 3));
            column
        };
        let mut bias = column(0);
        if kernel.flip() != 0 && !grouped {
            fold_flip(&mut bias, spec.weights, spec.weights.len() / outputs);
        }
        Ok(Self {
            kernel,
            input: spec.input,
            output: spec.output,
            origin,
            row_step,
            pixel_step,
            runs,
            groups: spec.groups,
            blocks,
            weights,
            plain_weights: if grouped {
                spec.weights.to_vec()
            } else {
                Vec::new()
            },
            planar_weights,
            bias,
            multiplier: column(1),
            addend_multiplier: column(2),
            shift: column(3),
            lo: spec.lo,
            hi: spec.hi,
            fits: fits(spec),
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
        let actual = match &output {
            Output::I8(data) => data.len(),
            Output::I16(data) => data.len(),
            Output::I32(data) => data.len(),
        };
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
        if self.groups == 1 {
            self.run_tiles(input, addend, &mut output, rows);
        } else {
            grouped::run(self, input.as_slice(), addend, &mut output, rows);
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
                // SAFETY: the token proves the instruction set; `check_reach` proved that the last
                // window is inside the input, whose slack is longer than what a tile reads behind
                // it; `is_planar` has checked clamp and range; 16 positions are left in the row.
                unsafe { kernel(&tile) };
                x += planar::PIXELS;
            }
        }
        true
    }

    fn run_tiles(&self, input: &Bytes, addend: Addend, output: &mut Output, rows: Range<usize>) {
        let engine = tiles::engine(self.kernel);
        let places = Places::new(&self.output, addend, output, rows.start);
        let (mut row_count, mut width) = (rows.len(), self.output.width());
        if self.is_flat(addend) {
            (row_count, width) = (1, row_count * width);
        }
        let mut scratch = Scratch(MaybeUninit::uninit());
        let sums: *mut i32 = scratch.0.as_mut_ptr().cast();
        for block in &self.blocks {
            let pixels_max = (engine.pixels_max)(block.vectors);
            let pixels = width.div_ceil(width.div_ceil(pixels_max));
            let kernel = (engine.tile)(pixels, block.vectors)
                .expect("every size up to `pixels_max` is compiled");
            let mut tile = Tile {
                input: input.as_ptr(),
                pixel_step: self.pixel_step,
                runs: &self.runs.starts,
                groups: self.runs.groups(),
                weights: self.weights.as_slice()[block.weights_at..].as_ptr().cast(),
                bias: self.bias[block.channel..].as_ptr(),
            };
            for row in 0..row_count {
                let window = self.origin + (rows.start + row) * self.row_step;
                let mut x = 0;
                loop {
                    // The last tile of a row overlaps its neighbour rather than being smaller.
                    x = x.min(width - pixels);
                    tile.input = input.as_ptr().wrapping_add(window + x * self.pixel_step);
                    // SAFETY: the token proves the instruction set; `check_reach` proved that the
                    // last window and its slack are inside the input, packing made whole vectors of
                    // weights and bias, and `pixels * vectors` vectors fit the scratch (asserted in
                    // `tiles`).
                    unsafe { kernel(&tile, sums) };
                    self.finish(&engine, block, sums, pixels, &places.at(row, x));
                    x += pixels;
                    if width <= x {
                        break;
                    }
                }
            }
        }
    }

    /// Requantises one tile, vector by vector, from channel 0 of its first position at `place`.
    fn finish(
        &self,
        engine: &Engine,
        block: &Block,
        sums: *const i32,
        pixels: usize,
        place: &Places,
    ) {
        let outputs = self.output.channels();
        for vector in 0..block.vectors {
            let channel = block.channel + vector * engine.lanes;
            let finish = Finish {
                rule: self.rule(),
                multiplier: self.multiplier[channel..].as_ptr(),
                addend_multiplier: self.addend_multiplier[channel..].as_ptr(),
                shift: self.shift[channel..].as_ptr(),
                sums: sums.wrapping_add(vector * engine.lanes),
                sums_step: block.vectors * engine.lanes,
                pixels,
                pixel_step: outputs,
                channels: (outputs - channel).min(engine.lanes),
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

    pub(crate) fn window_at(&self, y: usize, x: usize) -> usize {
        self.origin + y * self.row_step + x * self.pixel_step
    }

    pub(crate) fn runs(&self) -> &Runs {
        &self.runs
    }

    pub(crate) fn group_count(&self) -> usize {
        self.groups
    }

    pub(crate) fn flip(&self) -> u8 {
        self.kernel.flip()
    }

    pub(crate) fn plain_weights(&self) -> &[i8] {
        &self.plain_weights
    }

    pub(crate) fn bias(&self, o: usize) -> i32 {
        self.bias[o]
    }

    pub(crate) fn scale(&self, o: usize) -> [i32; 3] {
        [self.multiplier[o], self.addend_multiplier[o], self.shift[o]]
    }

    pub(crate) fn rule(&self) -> Rule<'_> {
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

fn check_counts(spec: &LinearSpec) -> Result<(), LinearError> {
    let [kh, kw] = spec.kernel;
    let outputs = spec.output.channels();
    let small = |what, value: usize| {
        let value_is_bad = value == 0 || (1 << 20) < value;
        if value_is_bad {
            return Err(LinearError::Range {
                what,
                index: 0,
                value: value as i64,
            });
        }
        Ok(())
    };
    for value in [spec.kernel, spec.stride, spec.dilation].concat() {
        small("window", value)?;
    }
    small("pad", spec.pad[0].max(spec.pad[1]).max(1))?;
    small("groups", spec.groups)?;
    let last = spec.channel_offset.saturating_add(spec.channel_count);
    let slice_is_bad = spec.channel_count == 0 || spec.input.channels() < last;
    let groups_are_bad =
        !spec.channel_count.is_multiple_of(spec.groups) || !outputs.is_multiple_of(spec.groups);
    if slice_is_bad || groups_are_bad {
        let value = spec.channel_count as i64;
        return Err(LinearError::Range {
            what: "channel_count",
            index: 0,
            value,
        });
    }
    let expected = [kh, kw, spec.channel_count / spec.groups]
        .into_iter()
        .fold(outputs, usize::saturating_mul);
    for (what, expected, actual) in [
        ("weights", expected, spec.weights.len()),
        ("constants", outputs, spec.constants.len()),
    ] {
        if expected != actual {
            return Err(LinearError::Count {
                what,
                expected,
                actual,
            });
        }
    }
    Ok(())
}

fn check_ranges(spec: &LinearSpec) -> Result<(), LinearError> {
    if let Some(index) = spec.weights.iter().position(|&w| w == -128) {
        return Err(LinearError::Range {
            what: "weights",
            index,
            value: -128,
        });
    }
    for (index, &[_, m, a, s]) in spec.constants.iter().enumerate() {
        for (what, value, range) in [("M", m, 0..=32_767), ("A", a, 0..=32_767), ("s", s, 1..=46)] {
            if !range.contains(&value) {
                return Err(LinearError::Range {
                    what,
                    index,
                    value: i64::from(value),
                });
            }
        }
    }
    let table_is_bad = spec.table.is_some() && (spec.lo < -128 || 127 < spec.hi);
    if spec.hi < spec.lo || table_is_bad {
        return Err(LinearError::Range {
            what: "lo",
            index: 0,
            value: i64::from(spec.lo),
        });
    }
    Ok(())
}

/// The runs of the window: whole rows of it where they are contiguous, else single positions.
fn runs(spec: &LinearSpec) -> Runs {
    let [kh, kw] = spec.kernel;
    let channels = spec.input.channels();
    let per_group = spec.channel_count / spec.groups;
    let row = |i: usize| i * spec.dilation[0] * spec.input.row_len();
    if per_group == channels && spec.dilation[1] == 1 {
        return Runs {
            starts: (0..kh).map(row).collect(),
            run_len: kw * channels,
        };
    }
    let starts = (0..kh)
        .flat_map(|i| (0..kw).map(move |j| row(i) + j * spec.dilation[1] * channels))
        .collect();
    Runs {
        starts,
        run_len: per_group,
    }
}

/// Proves that the last window, and the padding of its last group, can be read.
fn check_reach(
    spec: &LinearSpec,
    runs: &Runs,
    origin: usize,
    row_step: usize,
    pixel_step: usize,
) -> Result<(), LinearError> {
    let last_run = runs.starts.last().copied().unwrap_or(0);
    let group_tail = spec.channel_count - spec.channel_count / spec.groups;
    let reached = (spec.output.height() - 1)
        .saturating_mul(row_step)
        .saturating_add((spec.output.width() - 1).saturating_mul(pixel_step))
        .saturating_add(origin)
        .saturating_add(last_run)
        .saturating_add(runs.run_len)
        .saturating_add(group_tail);
    const { assert!(4 <= SLACK) };
    // A window must also end inside its own row, or it would read the next one as padding.
    let columns = spec.input.row_len() / spec.input.channels();
    let span = (spec.output.width() - 1).saturating_mul(spec.stride[1])
        + (spec.kernel[1] - 1).saturating_mul(spec.dilation[1])
        + 1;
    let first_column = spec.input.halo()[1] - spec.pad[1];
    if spec.input.len() < reached || columns < first_column.saturating_add(span) {
        return Err(LinearError::Halo {
            reached,
            stored: spec.input.len(),
        });
    }
    Ok(())
}

/// `bias -= 128 * sum(weights)`, because inputs are stored as x + 128.
fn fold_flip(bias: &mut [i32], weights: &[i8], terms: usize) {
    for (bias, weights) in bias.iter_mut().zip(weights.chunks_exact(terms)) {
        let sum: i64 = weights.iter().map(|&w| i64::from(w)).sum();
        *bias = bias.wrapping_sub((128 * sum) as i32);
    }
}

/// Whether positions in lanes are possible, and better than channels in lanes.
fn is_planar(spec: &LinearSpec, pixel_step: usize) -> bool {
    const { assert!(planar::READ_BYTES <= SLACK) };
    pixel_step == 1
        && spec.groups == 1
        && spec.output.channels() <= planar::OUTPUTS_MAX
        && planar::PIXELS <= spec.output.width()
        && spec.table.is_none()
        && -128 <= spec.lo
        && spec.hi <= 127
        && fits(spec)
}

/// Whether no input can bring the shifted value of any channel outside 32 bits.
fn fits(spec: &LinearSpec) -> bool {
    let terms = spec.weights.len() / spec.constants.len();
    let mut channels = spec.constants.iter().zip(spec.weights.chunks_exact(terms));
    channels.all(|(&[bias, m, a, s], weights)| {
        let magnitude: i64 = weights.iter().map(|&w| i64::from(w).abs()).sum();
        let acc = (magnitude * 128 + i64::from(bias).abs()).min(1 << 31);
        let sum = acc * i64::from(m) + i64::from(spec.addend_max) * i64::from(a);
        ((sum + (1_i64 << (s - 1))) >> s) < i64::from(i32::MAX)
    })
}

const _: () = assert!(LANES_MAX * 28 == SCRATCH);

//! Matrix products of two inputs, one for each batch, both read along their rows.
//!
//! ```text
//! acc[b][i][j] = sum over k of x[b][i][k] * y[b / group][j][k]
//! v = clamp((acc*M + 2^(s-1)) >> s, lo, hi), or with a row factor as in `finish`
//! ```
//!
//! The rows of y take the place of weights: they are packed for each run, a batch of y at a time,
//! into storage of the caller (words of it are little-endian, as every machine with vectors is).
//! What follows is the path of linear nodes. Spec: operators, 2.22.

use std::mem::MaybeUninit;
use std::ops::Range;

use crate::accumulate::Scratch;
use crate::batch_spec::BatchSpec;
use crate::excess::Excess;
use crate::finish::{Finish, Output, RawAddend, RawFactor, RawOutput, Rule, factor_max};
#[cfg(target_arch = "x86_64")]
use crate::kernel::InstructionSet;
use crate::kernel::Kernel;
use crate::operands::Stored;
use crate::pack::{self, Block, Runs};
use crate::spec::{Bits, LinearError};
use crate::strip::{BlockWeights, Contraction, PLANES_MAX, Products, Session, Span};
use crate::tiles::{self, Engine};
#[cfg(target_arch = "x86_64")]
use crate::x86::spread;

/// Terms of 16 by 8 bits whose sum fits 32.
const PLANE_TERMS: usize = 512;
const _: () = assert!((PLANE_TERMS as i64) * Bits::Sixteen.bound() * 127 < 1 << 31);

/// A product of two inputs, ready to run on one instruction set.
#[derive(Debug)]
pub struct BatchProduct {
    kernel: Kernel,
    spec: BatchSpec,
    runs: Runs,
    blocks: Vec<Block>,
    planes: Vec<usize>,
    /// Bytes in front of a packed batch's weights: what its sums begin with.
    head: usize,
    /// Bytes of a packed batch.
    packed_len: usize,
    /// The same for every column.
    multiplier: Vec<u16>,
    zeros: Vec<i32>,
    shift: Vec<u8>,
    fits: bool,
    factor_max: i64,
    /// Inputs of 128 each, by which bytes are summed up.
    ones: Vec<u8>,
}

/// What a product reads.
#[derive(Debug, Clone, Copy)]
pub struct BatchOperands<'a> {
    /// The first operand.
    pub x: Stored<'a>,
    /// All batches of y, packed.
    pub packed: &'a [u8],
    /// One factor for each row of x, where the node has them.
    pub factor: Option<&'a [i32]>,
}

impl BatchProduct {
    /// Plans a product for `kernel`.
    ///
    /// # Errors
    ///
    /// [`LinearError::Range`] for numbers that are none of a product, or of one that cannot be addressed.
    pub fn new(kernel: Kernel, spec: &BatchSpec) -> Result<Self, LinearError> {
        spec.check()?;
        let engine = tiles::engine(kernel);
        let size = spec.bits.bytes();
        let mut runs = Runs {
            starts: vec![0],
            run_len: spec.k * size,
            padding: 0,
        };
        runs.pad(&engine, spec.bits);
        let ones = vec![0x80; 4 * runs.groups()];
        let planes: Vec<usize> = match spec.bits {
            Bits::Eight => vec![0],
            Bits::Sixteen => (0..spec.k).step_by(PLANE_TERMS).map(|k| k / 2).collect(),
        };
        if PLANES_MAX < planes.len() {
            return Err(LinearError::Range {
                what: "planes of sums",
                index: 0,
                value: planes.len() as i64,
            });
        }
        let vectors_max = (engine.vectors_max)(1);
        let blocks = pack::blocks(
            spec.columns,
            1,
            vectors_max,
            (engine.lanes, spec.bits),
            &runs,
        );
        let padded = spec.columns.next_multiple_of(engine.lanes);
        let head = (padded * 4).next_multiple_of(64);
        let largest = spec.k as i64 * spec.bits.bound() * 127 * i64::from(spec.multiplier);
        let rounded = (largest + (1_i64 << (spec.shift - 1))) >> spec.shift;
        Ok(Self {
            kernel,
            spec: *spec,
            head,
            packed_len: head
                + (padded * runs.groups() * spec.bits.group_len()).next_multiple_of(64),
            runs,
            blocks,
            planes,
            multiplier: vec![spec.multiplier as u16; padded],
            zeros: vec![0; padded],
            shift: vec![spec.shift as u8; padded],
            fits: rounded < i64::from(i32::MAX),
            factor_max: spec
                .factor_shift
                .map_or(0, |shift| factor_max(shift, rounded, 1)),
            ones,
        })
    }

    /// Bytes of one packed batch of y.
    pub fn packed_len(&self) -> usize {
        self.packed_len
    }

    /// Bytes of all packed batches.
    pub fn packed_bytes(&self) -> usize {
        self.y_batches() * self.packed_len
    }

    /// Batches of y.
    pub fn y_batches(&self) -> usize {
        self.spec.batch / self.spec.group
    }

    /// Elements of the smallest part of the output that can be made by itself.
    pub fn unit_len(&self) -> usize {
        if self.spec.output_interleaved {
            self.spec.batch * self.spec.columns
        } else {
            self.spec.columns
        }
    }

    /// Such parts of the whole output.
    pub fn units(&self) -> usize {
        if self.spec.output_interleaved {
            self.spec.rows
        } else {
            self.spec.batch * self.spec.rows
        }
    }

    /// Units that `threads` threads had better not part: whole batches, where there are enough of them.
    pub fn unit_group(&self, threads: usize) -> usize {
        if !self.spec.output_interleaved && 2 * threads <= self.spec.batch {
            self.spec.rows.max(1)
        } else {
            1
        }
    }

    /// Multiply-accumulates of a whole run.
    pub fn macs(&self) -> u64 {
        let spec = &self.spec;
        [spec.batch, spec.rows, spec.columns, spec.k]
            .iter()
            .map(|&n| n as u64)
            .product()
    }

    /// Vectors of the first block, and no block has more.
    fn vectors(&self) -> usize {
        self.blocks.first().map_or(1, |block| block.vectors)
    }

    fn contraction<'a>(
        &'a self,
        engine: &'a Engine,
        session: &'a Session,
        pixel_step: usize,
    ) -> Contraction<'a> {
        Contraction {
            engine,
            session,
            runs: &self.runs.starts,
            groups: self.runs.groups(),
            planes: &self.planes,
            pixel_step,
        }
    }

    /// Packs batch `batch` of y, of which all stored bytes are given, into `packed`.
    ///
    /// # Panics
    ///
    /// If a length is not that of the spec, or `packed` is not aligned to 64 bytes.
    pub fn pack(&self, y: &[u8], batch: usize, packed: &mut [u8]) {
        let &BatchSpec { columns, k, .. } = &self.spec;
        let batches = self.y_batches();
        assert_eq!(y.len(), batches * columns * k, "batch product: y");
        assert_eq!(packed.len(), self.packed_len, "batch product: packed");
        assert!(batch < batches, "batch product: batch of y");
        let engine = tiles::engine(self.kernel);
        let (head, weights) = packed.split_at_mut(self.head);
        assert_eq!(
            head.as_ptr().align_offset(64),
            0,
            "batch product: alignment"
        );
        let flip = self.kernel.flip();
        let rows = Rows {
            y,
            first: if self.spec.y_interleaved {
                batch * k
            } else {
                batch * columns * k
            },
            step: if self.spec.y_interleaved {
                batches * k
            } else {
                k
            },
            len: k,
            flip,
            bits: self.spec.bits,
        };
        let vector_len = engine.lanes * self.spec.bits.group_len();
        for block in &self.blocks {
            let step = block.vectors * vector_len;
            for vector in 0..block.vectors {
                let channel = block.channel + vector * engine.lanes;
                let end = columns.min(channel + engine.lanes);
                let to = &mut weights[block.weights_at + vector * vector_len..];
                rows.spread(self.kernel, channel..end, to, step);
            }
            let padding = block.weights_at + step * (self.runs.groups() - self.runs.padding);
            weights[padding..][..step * self.runs.padding].fill(0);
        }
        head.fill(0);
        if flip != 0 && self.spec.bits == Bits::Eight {
            self.fold_flip(&engine, head, weights);
        }
    }

    /// What sums begin with where inputs are stored as x + 128: `-128 * sum(column)`.
    fn fold_flip(&self, engine: &Engine, head: &mut [u8], weights: &[u8]) {
        let mut sums = Scratch(MaybeUninit::uninit());
        let sums: *mut i32 = sums.0.as_mut_ptr().cast();
        let session = Session::default();
        let contraction = Contraction {
            engine,
            session: &session,
            runs: &self.runs.starts,
            groups: self.runs.groups(),
            planes: &self.planes,
            pixel_step: 0,
        };
        for block in &self.blocks {
            let to = &mut head[block.channel * 4..][..block.vectors * engine.lanes * 4];
            let weights = weights[block.weights_at..].as_ptr().cast();
            let weights = BlockWeights {
                vectors: block.vectors,
                products: Products::Bytes,
                weights,
                start: self.zeros[block.channel..].as_ptr(),
                excess: Excess::NONE,
            };
            let strip = Span {
                input: self.ones.as_ptr(),
                count: 1,
                row_step: None,
            };
            // SAFETY: the token proves the instruction set; the inputs hold whole groups, the weights
            // whole vectors; packing makes no other session.
            unsafe { contraction.sums(weights, strip, sums) };
            for (i, to) in to.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                // SAFETY: one position has as many sums as the block has lanes.
                let sum = unsafe { *sums.wrapping_add(i) };
                *to = sum.wrapping_neg().to_le_bytes();
            }
        }
    }

    /// Computes the units `units` of the output, which holds exactly these.
    ///
    /// # Panics
    ///
    /// If a length is not that of the spec.
    pub fn run(&self, operands: &BatchOperands, mut output: Output, units: Range<usize>) {
        let &BatchSpec {
            batch,
            rows,
            columns,
            k,
            ..
        } = &self.spec;
        let BatchOperands { x, packed, factor } = *operands;
        assert_eq!(x.bits(), self.spec.bits, "batch product: bits of x");
        assert_eq!(x.len(), batch * rows * k, "batch product: x");
        assert_eq!(
            packed.len(),
            self.y_batches() * self.packed_len,
            "batch product: packed"
        );
        assert_eq!(
            packed.as_ptr().align_offset(64),
            0,
            "batch product: alignment"
        );
        assert_eq!(
            output.len(),
            units.len() * self.unit_len(),
            "batch product: output"
        );
        let factors = self.spec.factor_shift.map(|_| batch * rows);
        assert_eq!(factor.map(<[i32]>::len), factors, "batch product: factors");
        assert!(units.end <= self.units(), "batch product: units");
        let (low, high) = match &output {
            Output::I8(_) => (-128, 127),
            Output::I16(_) => (-32_768, 32_767),
            Output::I32(_) => (i32::MIN, i32::MAX),
        };
        assert!(
            low <= self.spec.lo && self.spec.hi <= high,
            "batch product: clamp"
        );
        let engine = tiles::engine(self.kernel);
        let output = match &mut output {
            Output::I8(y) => RawOutput::I8(y.as_mut_ptr()),
            Output::I16(y) => RawOutput::I16(y.as_mut_ptr()),
            Output::I32(y) => RawOutput::I32(y.as_mut_ptr()),
        };
        let mut scratch = Scratch(MaybeUninit::uninit());
        let part = Part {
            product: self,
            engine: &engine,
            x: x.as_ptr(),
            packed,
            factor,
        };
        if self.spec.output_interleaved {
            for b in 0..batch {
                let to = output.add(b * columns);
                part.rows(b, units.clone(), to, batch * columns, &mut scratch);
            }
            return;
        }
        let mut unit = units.start;
        while unit < units.end {
            let (b, first) = (unit / rows, unit % rows);
            let end = rows.min(first + units.end - unit);
            let to = output.add((unit - units.start) * columns);
            part.rows(b, first..end, to, columns, &mut scratch);
            unit += end - first;
        }
    }
}

/// A run with its operands.
struct Part<'a> {
    product: &'a BatchProduct,
    engine: &'a Engine,
    x: *const u8,
    packed: &'a [u8],
    factor: Option<&'a [i32]>,
}

impl Part<'_> {
    /// Computes rows of batch `b`, the first of them at `to`, the others `step` elements apart.
    fn rows(
        &self,
        b: usize,
        rows: Range<usize>,
        to: RawOutput,
        step: usize,
        scratch: &mut Scratch,
    ) {
        let product = self.product;
        let spec = &product.spec;
        let (x_row, x_step) = if spec.x_interleaved {
            (rows.start * spec.batch + b, spec.batch)
        } else {
            (b * spec.rows + rows.start, 1)
        };
        let row_bytes = spec.k * spec.bits.bytes();
        let session = Session::default();
        let contraction = product.contraction(self.engine, &session, x_step * row_bytes);
        let packed = &self.packed[b / spec.group * product.packed_len..][..product.packed_len];
        let (starts, weights) = packed.split_at(product.head);
        let strip_len = contraction.strip_len(spec.bits.into(), product.vectors(), rows.len());
        let sums: *mut i32 = scratch.0.as_mut_ptr().cast();
        for first in (0..rows.len()).step_by(strip_len.max(1)) {
            let count = strip_len.min(rows.len() - first);
            let row = x_row + first * x_step;
            let strip = Span {
                input: self.x.wrapping_add(row * row_bytes),
                count,
                row_step: None,
            };
            let factor = match self.factor {
                Some(factor) => factor[row..].as_ptr(),
                None => RawFactor::NONE.at,
            };
            for block in &product.blocks {
                let weights = BlockWeights {
                    vectors: block.vectors,
                    products: spec.bits.into(),
                    weights: weights[block.weights_at..].as_ptr().cast(),
                    start: starts[block.channel * 4..].as_ptr().cast(),
                    excess: Excess::NONE,
                };
                // SAFETY: the token proves the instruction set; `run` has checked that x, and with
                // it the slack behind its rows, holds these rows; `pack` made whole vectors; the session of
                // these rows is the only one of the thread.
                unsafe { contraction.sums(weights, strip, sums) };
                let place = Place {
                    factor,
                    factor_step: x_step,
                    output: to.add(first * step),
                    step,
                };
                self.finish(block, sums, count, &place);
            }
        }
    }

    fn finish(&self, block: &Block, sums: *const i32, count: usize, place: &Place) {
        let product = self.product;
        let spec = &product.spec;
        let vector_len = block.vectors * self.engine.lanes;
        for vector in 0..block.vectors {
            let channel = block.channel + vector * self.engine.lanes;
            let finish = Finish {
                rule: Rule {
                    lo: spec.lo,
                    hi: spec.hi,
                    flip: product.kernel.flip(),
                    raises: false,
                    fits: product.fits,
                    table: None,
                    factor_shift: spec.factor_shift,
                    factor_max: product.factor_max,
                },
                multiplier: product.multiplier[channel..].as_ptr(),
                addend_multiplier: product.zeros[channel..].as_ptr().cast(),
                shift: product.shift[channel..].as_ptr(),
                sums: sums.wrapping_add(vector * self.engine.lanes),
                sums_step: vector_len,
                planes: product.planes.len(),
                plane_step: count * vector_len,
                factor: RawFactor {
                    at: place.factor,
                    step: place.factor_step,
                    bias: product.zeros[channel..].as_ptr(),
                },
                pixels: count,
                pixel_step: place.step,
                channels: (spec.columns - channel).min(self.engine.lanes),
                addend: RawAddend::None,
                output: place.output.add(channel),
            };
            // SAFETY: the token proves the instruction set; constants and sums come in whole
            // vectors; `run` has checked that factors and output hold these rows.
            unsafe { (self.engine.finish)(&finish) };
        }
    }
}

/// Where a strip's factors and outputs are.
struct Place {
    factor: *const i32,
    factor_step: usize,
    output: RawOutput,
    step: usize,
}

/// Rows of a batch of y.
pub(crate) struct Rows<'a> {
    pub(crate) y: &'a [u8],
    /// Where the first row begins.
    pub(crate) first: usize,
    /// Bytes between rows.
    pub(crate) step: usize,
    /// Elements of a row.
    pub(crate) len: usize,
    pub(crate) flip: u8,
    /// Of what they are multiplied by.
    pub(crate) bits: Bits,
}

impl Rows<'_> {
    /// Row `row`.
    pub(crate) fn row(&self, row: usize) -> &[u8] {
        &self.y[self.first + row * self.step..][..self.len]
    }

    /// Spreads `rows` over the lanes of one vector of each group: group g begins at `g * step` of `to`.
    /// Lanes without a row hold anything; nobody stores what they compute.
    fn spread(&self, kernel: Kernel, rows: Range<usize>, to: &mut [u8], step: usize) {
        let done = self.spread_vectors(kernel, &rows, to, step);
        let group_len = self.bits.group_len();
        for (lane, row) in rows.enumerate() {
            let groups = self.row(row).chunks(group_len).enumerate().skip(done);
            for (group, elements) in groups {
                let to = &mut to[group * step + lane * group_len..][..group_len];
                to.fill(0);
                for (to, &element) in to.iter_mut().zip(elements) {
                    *to = element ^ self.flip;
                }
            }
        }
    }

    /// Spreads the first groups by vectors where there are such; returns how many.
    #[cfg(target_arch = "x86_64")]
    fn spread_vectors(
        &self,
        kernel: Kernel,
        rows: &Range<usize>,
        to: &mut [u8],
        step: usize,
    ) -> usize {
        match kernel.instruction_set() {
            // SAFETY: the token proves the instruction set, and both have AVX-512.
            InstructionSet::Avx512Vnni | InstructionSet::Amx => unsafe {
                spread::avx512(self, rows, to, step)
            },
            InstructionSet::Portable
            | InstructionSet::Neon
            | InstructionSet::Avx2
            | InstructionSet::AvxVnni => 0,
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    #[expect(clippy::unused_self, reason = "the twin of a method")]
    fn spread_vectors(&self, _: Kernel, _: &Range<usize>, _: &mut [u8], _: usize) -> usize {
        0
    }
}

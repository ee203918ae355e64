//! Weights and constants of a linear node in the order of one instruction set.

use crate::bytes::Bytes;
use crate::depthwise;
use crate::excess::{self, Cut, Excess};
use crate::finish::can_be_raised;
use crate::kernel::{InstructionSet, Kernel};
use crate::pack::{self, Block, Runs};
use crate::pages::Room;
use crate::planar;
use crate::spec::{self, Bits, LinearError, LinearSpec, Reach};
use crate::strip::{BlockWeights, PLANES_MAX, Products};
use crate::sums::{self, Sums};
use crate::tiles;

/// What of a linear node does not depend on the extents of its tensors: weights and constants in the
/// order of one instruction set.
#[derive(Debug)]
pub struct Packed {
    pub(crate) vectors_max: usize,
    pub(crate) blocks: Vec<Block>,
    pub(crate) weights: Bytes,
    pub(crate) products: Products,
    /// What was cut off the weights of each block, where that is so for any.
    cuts: Vec<Option<Cut>>,
    /// Weights for positions in lanes, where that layout is the better one.
    pub(crate) planar_weights: Option<Bytes>,
    /// First group of each plane of sums.
    pub(crate) planes: Vec<usize>,
    /// What sums begin with.
    pub(crate) start: Vec<i32>,
    /// What is added behind a row factor, where there is one.
    bias: Option<Vec<i32>>,
    pub(crate) multiplier: Vec<u16>,
    /// Factors of the addend, where there is one.
    addend_multiplier: Option<Vec<u16>>,
    pub(crate) shift: Vec<u8>,
    /// Whether requantisation raises the constants.
    pub(crate) raises: bool,
    pub(crate) reach: Reach,
    pub(crate) table: Option<Box<[i8; 256]>>,
}

impl Packed {
    pub(crate) fn new(
        kernel: Kernel,
        spec: &LinearSpec,
        runs: &Runs,
        form: Form,
        room: &Room,
    ) -> Result<Self, LinearError> {
        let engine = tiles::engine(kernel);
        let outputs = spec.output.channels();
        let terms = spec.weights.len() / outputs;
        let sums = Sums::new(kernel, spec.weights, terms);
        spec::check_weights(spec.weights, sums.least)?;
        let (blocks, mut weights) = blocks_and_weights(kernel, spec, runs, form, room);
        let products = Products::of(spec);
        let cuts = excess::cuts(kernel, products, &mut weights, &blocks, runs);
        let planar_weights = form
            .planar
            .then(|| planar::pack(spec.weights, outputs, runs));
        // A block reads whole vectors, from wherever its group begins.
        let group = outputs / spec.groups;
        let padded = outputs - group + group.next_multiple_of(engine.lanes);
        let bias = || column(spec.constants.iter().map(|c| c[0]), padded, 0);
        let (mut start, bias) = match spec.factor_shift {
            Some(_) => (vec![0; padded], Some(bias())),
            None => (bias(), None),
        };
        let planes = planes(kernel, spec, runs, &start[..outputs])?;
        if kernel.flip() != 0 && spec.bits == Bits::Eight {
            sums.fold_flip(&mut start);
        }
        let reach = Reach::new(spec, &sums);
        // Factors have 15 bits, shifts six: they have been checked.
        let factors = |i: usize| column(spec.constants.iter().map(|c| c[i] as u16), padded, 0);
        Ok(Self {
            vectors_max: form.vectors_max,
            blocks,
            weights,
            products,
            cuts,
            planar_weights,
            planes,
            start,
            bias,
            multiplier: factors(1),
            addend_multiplier: (0 < spec.addend_max).then(|| factors(2)),
            shift: column(spec.constants.iter().map(|c| c[3] as u8), padded, 1),
            raises: reach.fits && raises(kernel, spec),
            reach,
            table: spec.table.map(|table| Box::new(*table)),
        })
    }

    /// The weights of block `index`, as strips take them.
    pub(crate) fn block_weights(&self, index: usize) -> BlockWeights<'_> {
        let block = &self.blocks[index];
        let cut = self.cuts.get(index).and_then(Option::as_ref);
        BlockWeights {
            vectors: block.vectors,
            products: cut.map_or(self.products, |_| Products::Paired),
            weights: self.weights.as_slice()[block.weights_at..].as_ptr().cast(),
            start: self.start[block.channel..].as_ptr(),
            excess: cut.map_or(Excess::NONE, Cut::excess),
        }
    }

    /// What is added behind a row factor, from output channel `channel` on; where there is none, nobody
    /// reads what this points to.
    pub(crate) fn factor_bias(&self, channel: usize) -> *const i32 {
        self.bias.as_ref().unwrap_or(&self.start)[channel..].as_ptr()
    }

    /// Whether this was packed for an addend.
    pub(crate) fn adds(&self) -> bool {
        self.addend_multiplier.is_some()
    }

    /// The factors of the addend, from output channel `channel` on; where there is no addend, they are read
    /// and multiply nothing.
    pub(crate) fn addend_multipliers(&self, channel: usize) -> *const u16 {
        self.addend_multiplier.as_ref().unwrap_or(&self.multiplier)[channel..].as_ptr()
    }

    /// Whether this is packed in the order of `form`.
    pub(crate) fn has(&self, form: Form) -> bool {
        self.vectors_max == form.vectors_max && self.planar_weights.is_some() == form.planar
    }
}

/// A constant of all channels, and `rest` in the channels that only fill a vector. Of its size from the
/// beginning: a vector that grows takes twice as much.
fn column<T: Copy>(constants: impl Iterator<Item = T>, padded: usize, rest: T) -> Vec<T> {
    let mut column = Vec::with_capacity(padded);
    column.extend(constants);
    column.resize(padded, rest);
    column
}

/// The weights in the order of `form`, which lie in `room` as long as there is some, and their blocks, of
/// which depthwise ones have none.
fn blocks_and_weights(
    kernel: Kernel,
    spec: &LinearSpec,
    runs: &Runs,
    form: Form,
    room: &Room,
) -> (Vec<Block>, Bytes) {
    let lanes = tiles::engine(kernel).lanes;
    if is_depthwise(spec, runs) {
        let weights = match spec.bits {
            Bits::Eight => depthwise::pack(spec.weights, spec.kernel, lanes),
            Bits::Sixteen => {
                let words = depthwise::words::pack(spec.weights, runs.starts.len(), lanes);
                let bytes = words.len() * size_of::<i16>();
                words.recast(bytes)
            }
        };
        return (Vec::new(), weights);
    }
    let (outputs, width) = (spec.output.channels(), (lanes, spec.bits));
    let blocks = pack::blocks(outputs, spec.groups, form.vectors_max, width, runs);
    let kernel_lanes = (kernel, lanes);
    let weights = pack::weights(spec.weights, spec.bits, kernel_lanes, runs, &blocks, room);
    (blocks, weights)
}

/// Whether requantisation on `kernel` gains from raised constants. Beside a row factor the addend has
/// a shift of its own; one of 32 bits leaves no room for more; 16-bit inputs have planes of sums.
fn raises(kernel: Kernel, spec: &LinearSpec) -> bool {
    let set = match kernel.instruction_set() {
        InstructionSet::Avx512Vnni | InstructionSet::Amx => true,
        InstructionSet::Portable
        | InstructionSet::Avx2
        | InstructionSet::AvxVnni
        | InstructionSet::Neon => false,
    };
    set && spec.bits == Bits::Eight
        && spec.factor_shift.is_none()
        && spec.addend_max <= 1 << 15
        && spec.constants.iter().all(can_be_raised)
}

/// Where planes of sums begin.
fn planes(
    kernel: Kernel,
    spec: &LinearSpec,
    runs: &Runs,
    start: &[i32],
) -> Result<Vec<usize>, LinearError> {
    let terms = spec.weights.len() / start.len();
    let planes = match spec.bits {
        Bits::Eight => vec![0],
        Bits::Sixteen if is_depthwise(spec, runs) => vec![0],
        Bits::Sixteen => {
            let run_len = runs.run_len / spec.bits.bytes();
            sums::planes(kernel, spec.weights, start, terms, run_len)
        }
    };
    if PLANES_MAX < planes.len() {
        return Err(LinearError::Range {
            what: "planes of sums",
            index: 0,
            value: planes.len() as i64,
        });
    }
    Ok(planes)
}

/// Which of the packed orders a node has at given extents.
#[derive(Clone, Copy)]
pub(crate) struct Form {
    pub(crate) vectors_max: usize,
    pub(crate) planar: bool,
}

/// Whether channels lie in the lanes of inputs and weights alike.
pub(crate) fn is_depthwise(spec: &LinearSpec, runs: &Runs) -> bool {
    let bias = spec.constants.iter().map(|c| c[0]);
    1 < spec.groups
        && spec.groups == spec.output.channels()
        && runs.run_len == spec.bits.bytes()
        && match spec.bits {
            Bits::Eight => true,
            Bits::Sixteen => depthwise::words::fits(spec.weights, runs.starts.len(), bias),
        }
}

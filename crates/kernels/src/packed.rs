//! Weights and constants of a linear node in the order of one instruction set.

use crate::bytes::Bytes;
use crate::depthwise;
use crate::excess::{self, Cut, Excess};
use crate::finish::raise;
use crate::kernel::{InstructionSet, Kernel};
use crate::pack::{self, Block, Runs};
use crate::pages::Room;
use crate::planar;
use crate::spec::{self, Bits, LinearError, LinearSpec, Reach};
use crate::strip::{BlockWeights, PLANES_MAX, Products, VECTORS_MAX};
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
    /// What is added behind a row factor.
    pub(crate) bias: Vec<i32>,
    pub(crate) multiplier: Vec<i32>,
    pub(crate) addend_multiplier: Vec<i32>,
    pub(crate) shift: Vec<i32>,
    /// Whether the constants are raised.
    pub(crate) raised: bool,
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
        let (blocks, mut weights) = if is_depthwise(spec, runs) {
            let weights = depthwise::pack(spec.weights, spec.kernel, engine.lanes);
            (Vec::new(), weights)
        } else {
            let vectors_max = form.vectors_max;
            let blocks = pack::blocks(outputs, spec.groups, vectors_max, engine.lanes, runs);
            let lanes = (kernel, engine.lanes);
            let weights = pack::weights(spec.weights, spec.bits, lanes, runs, &blocks, room);
            (blocks, weights)
        };
        let products = Products::of(spec);
        let cuts = excess::cuts(kernel, products, &mut weights, &blocks, runs);
        let planar_weights = form
            .planar
            .then(|| planar::pack(spec.weights, outputs, runs));
        // A block reads whole vectors, from wherever its group begins.
        let padded = outputs + VECTORS_MAX * engine.lanes;
        let column = |i: usize| {
            let mut column: Vec<i32> = spec.constants.iter().map(|c| c[i]).collect();
            column.resize(padded, i32::from(i == 3));
            column
        };
        let bias = column(0);
        let mut start = match spec.factor_shift {
            Some(_) => vec![0; padded],
            None => bias.clone(),
        };
        let planes = planes(kernel, spec, runs, &start[..outputs])?;
        if kernel.flip() != 0 && spec.bits == Bits::Eight {
            sums.fold_flip(&mut start);
        }
        let reach = Reach::new(spec, &sums);
        let mut scale = [1, 2, 3].map(column);
        let raised = reach.fits && raises(kernel, spec) && raise(&mut scale);
        let [multiplier, addend_multiplier, shift] = scale;
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
            multiplier,
            addend_multiplier,
            shift,
            raised,
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

    /// Whether this is packed in the order of `form`.
    pub(crate) fn has(&self, form: Form) -> bool {
        self.vectors_max == form.vectors_max && self.planar_weights.is_some() == form.planar
    }
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
    set && spec.bits == Bits::Eight && spec.factor_shift.is_none() && spec.addend_max <= 1 << 15
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
    1 < spec.groups
        && spec.groups == spec.output.channels()
        && runs.run_len == 1
        && spec.bits == Bits::Eight
}

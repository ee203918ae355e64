//! Packs the weights of all linear nodes, the largest ones first, on several threads.
//!
//! What is packed does not depend on the threads: each node is packed by one of them, whole. The packed
//! weights of a program lie in one room, because fresh pages cost more than packing.

use std::ops::Range;
use std::sync::Arc;

use selfsame_ir::FactorShift;
use selfsame_kernels::{Bits, Grid, Kernel, Linear, LinearSpec, Packed, Room};

use crate::error::PlanError;
use crate::plans::Weights;
use crate::step::addend_max;
use crate::workers;

/// Weights that make a second thread worth its start.
const WEIGHTS_PER_THREAD: usize = 512 << 10;

/// A linear node whose weights are still as the program has them.
#[derive(Debug)]
pub(crate) struct Unpacked<'a> {
    pub(crate) node: usize,
    pub(crate) op: &'a selfsame_ir::Linear,
    pub(crate) shape: Shape,
}

/// The geometry of a linear node.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) input: Grid,
    pub(crate) bits: Bits,
    /// Whether no element of the input is negative.
    pub(crate) non_negative: bool,
    /// Shift of the row factor.
    pub(crate) factor: Option<FactorShift>,
    pub(crate) output: Grid,
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) dilation: [usize; 2],
    pub(crate) pad: [usize; 2],
    pub(crate) groups: usize,
    pub(crate) channels: Range<usize>,
}

/// A linear node, and what was packed for it so far.
struct Job<'a> {
    node: Unpacked<'a>,
    known: Vec<Arc<Packed>>,
}

/// All nodes packed for `kernel`, in their order, with what `weights` knows of them where that
/// serves; what had to be packed joins it.
pub(crate) fn pack<'a>(
    kernel: Kernel,
    nodes: Vec<Unpacked<'a>>,
    weights: &mut Weights,
) -> Result<Vec<Linear>, PlanError> {
    let job = |node: Unpacked<'a>| Job {
        known: weights.linear(node.node).clone(),
        node,
    };
    let jobs: Vec<Job> = nodes.into_iter().map(job).collect();
    let mut linears = Vec::with_capacity(jobs.len());
    for (job, packed) in jobs.iter().zip(pack_all(kernel, &jobs)) {
        let (linear, known) = packed?;
        *weights.linear(job.node.node) = known;
        linears.push(linear);
    }
    Ok(linears)
}

/// A node on its plan, and all that is packed for it now.
type Done = Result<(Linear, Vec<Arc<Packed>>), PlanError>;

fn pack_all(kernel: Kernel, jobs: &[Job]) -> Vec<Done> {
    let weights: usize = jobs.iter().map(Job::work).sum();
    // No packing takes fewer bytes; of those that take more, the small nodes, which come last, find no room.
    let new = jobs.iter().map(Job::work).filter(|&work| 0 < work);
    let room = &Room::new(new.map(Room::bytes_of).sum());
    let threads = workers::threads(weights / WEIGHTS_PER_THREAD);
    let mut order: Vec<usize> = (0..jobs.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(jobs[index].work()));
    let pack = |(): &mut (), job: &Job| job.pack(kernel, room);
    workers::in_order(jobs, order.into_iter(), threads, || (), pack)
}

impl Job<'_> {
    /// Weights that are still to be packed, as far as one can tell; each takes a byte at least.
    fn work(&self) -> usize {
        if self.known.is_empty() {
            self.node.op.weights.len()
        } else {
            0
        }
    }

    fn pack(&self, kernel: Kernel, room: &Room) -> Done {
        let Unpacked { node, op, shape } = &self.node;
        let constants: Vec<[i32; 4]> = op
            .constants
            .iter()
            .map(|c| [c.bias, c.multiplier, c.addend_multiplier, c.shift])
            .collect();
        let spec = LinearSpec {
            input: shape.input,
            bits: shape.bits,
            non_negative: shape.non_negative,
            output: shape.output,
            kernel: shape.kernel,
            stride: shape.stride,
            dilation: shape.dilation,
            pad: shape.pad,
            groups: shape.groups,
            channel_offset: shape.channels.start,
            channel_count: shape.channels.len(),
            weights: &op.weights,
            constants: &constants,
            addend_max: op.addend.map_or(0, addend_max),
            lo: op.low,
            hi: op.high,
            table: op.table.as_deref(),
            factor_shift: shape.factor.map(|shift| shift.0.into()),
        };
        let mut known = self.known.clone();
        match Linear::sharing(kernel, &spec, &mut known, room) {
            Ok(linear) => Ok((linear, known)),
            Err(error) => Err(PlanError::Linear { node: *node, error }),
        }
    }
}

//! Packs the weights of all linear nodes, the largest ones first, on several threads.
//!
//! What is packed does not depend on the threads: each node is packed by one of them, whole.

use std::num::NonZero;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use selfsame_kernels::{Grid, Kernel, Linear, LinearSpec};

use crate::error::PlanError;
use crate::step::addend_max;

/// Most threads that pack.
const THREADS_MAX: usize = 8;
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
    pub(crate) output: Grid,
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) dilation: [usize; 2],
    pub(crate) pad: [usize; 2],
    pub(crate) groups: usize,
    pub(crate) channels: Range<usize>,
}

/// All nodes packed for `kernel`, in their order.
pub(crate) fn pack(kernel: Kernel, nodes: &[Unpacked]) -> Result<Vec<Linear>, PlanError> {
    let weights: usize = nodes.iter().map(|node| node.op.weights.len()).sum();
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = cores.min(THREADS_MAX).min(weights / WEIGHTS_PER_THREAD);
    if threads <= 1 {
        return nodes.iter().map(|node| node.pack(kernel)).collect();
    }
    let mut order: Vec<usize> = (0..nodes.len()).collect();
    order.sort_by_key(|&index| std::cmp::Reverse(nodes[index].op.weights.len()));
    let next = AtomicUsize::new(0);
    let work = || {
        let mut mine = Vec::new();
        while let Some(&index) = order.get(next.fetch_add(1, Ordering::Relaxed)) {
            mine.push((index, nodes[index].pack(kernel)));
        }
        mine
    };
    let mut packed = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for other in others {
            match other.join() {
                Ok(part) => all.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    packed.sort_by_key(|&(index, _)| index);
    packed.into_iter().map(|(_, linear)| linear).collect()
}

impl Unpacked<'_> {
    fn pack(&self, kernel: Kernel) -> Result<Linear, PlanError> {
        let (op, shape) = (self.op, &self.shape);
        let constants: Vec<[i32; 4]> = op
            .constants
            .iter()
            .map(|c| [c.bias, c.multiplier, c.addend_multiplier, c.shift])
            .collect();
        let spec = LinearSpec {
            input: shape.input,
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
        };
        let node = self.node;
        Linear::new(kernel, &spec).map_err(|error| PlanError::Linear { node, error })
    }
}

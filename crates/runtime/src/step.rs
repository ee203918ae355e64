//! One step of a plan: a kernel with its operands' slots.

use std::ops::Range;
use std::sync::Arc;

use selfsame_ir::{DType, Tensor};
use selfsame_kernels::{
    Addend, Average, BatchOperands, BatchProduct, Grid, Kernel, Lay, Linear, Movement,
    Normalization, Operands, Output, PointwiseSpec, PoolSpec, ReduceSpec, Source, ThreadPool,
    average_pool, concat_rows, embedding, max_pool, max_pool_bytes, pointwise, reduce,
};

use crate::bands::Rows;
use crate::layout::Place;
use crate::storage::{Buffer, copy_flat};

/// Multiply-accumulates that make a band worth the start of a thread.
const MACS_PER_BAND: u64 = 150_000;
/// Bands for each thread of a node of products: every band reads all weights and cuts tiles at its end.
const PRODUCT_BANDS_PER_THREAD: usize = 2;

/// What an element costs, measured: how many elements are summed up in the same time. Functions cost
/// more: `Function::cost`.
mod cost {
    pub(super) const NORMALIZE: usize = 8;
    pub(super) const POINTWISE: usize = 4;
    pub(super) const MOVE: usize = 8;
    pub(super) const PACK: usize = 8;
    pub(super) const COPY: usize = 2;
}

/// A kernel and what it runs on.
#[derive(Debug)]
pub(crate) enum Work {
    /// A linear node by its place among the packed ones.
    Linear {
        linear: usize,
        addend: Option<(usize, Grid)>,
        factor: Option<usize>,
    },
    MaxPool {
        spec: PoolSpec,
    },
    AveragePool {
        spec: PoolSpec,
        average: Average,
    },
    Move {
        movement: Movement,
        fill: i32,
    },
    /// Slots and columns of the inputs, columns of the output.
    Concat {
        parts: Vec<(usize, usize)>,
        width: usize,
    },
    Pointwise {
        spec: PointwiseSpec,
        second: Second,
    },
    Batch(Box<Batch>),
    Reduce {
        spec: ReduceSpec,
    },
    Normalize {
        normalization: Normalization,
        center: Option<usize>,
        factor: Option<usize>,
    },
    Embedding {
        table: Arc<Tensor>,
        columns: usize,
    },
    /// Copies a view to a place of its own.
    Copy {
        from: Grid,
        to: Grid,
    },
}

/// A product of two inputs with the slots that it reads and the one that it packs into.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) product: BatchProduct,
    pub(crate) y: usize,
    pub(crate) packed: usize,
    pub(crate) packed_place: Place,
    pub(crate) factor: Option<usize>,
}

/// The second operand of a pointwise node.
#[derive(Debug)]
pub(crate) enum Second {
    None,
    Slot(usize),
    Constant(Arc<Buffer>),
}

/// One step: reads slots, writes slot `output`. Until [`Step::place`] these are numbers of tensors.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) work: Work,
    pub(crate) input: usize,
    pub(crate) output: usize,
    /// How the output is stored.
    pub(crate) place: Place,
    /// The node whose output this step completes.
    pub(crate) node: Option<usize>,
}

impl Step {
    /// Puts tensors into their slots: what named a tensor names its slot from now on.
    pub(crate) fn place(&mut self, slot_of: &[usize]) {
        let place = |tensor: &mut usize| *tensor = slot_of[*tensor];
        place(&mut self.input);
        place(&mut self.output);
        match &mut self.work {
            Work::Linear { addend, factor, .. } => {
                let addend = addend.iter_mut().map(|(slot, _)| slot);
                addend.chain(factor).for_each(place);
            }
            Work::Concat { parts, .. } => {
                let slots = parts.iter_mut().map(|(slot, _)| slot);
                slots.for_each(place);
            }
            Work::Pointwise { second, .. } => match second {
                Second::Slot(slot) => place(slot),
                Second::None | Second::Constant(_) => {}
            },
            Work::Batch(batch) => {
                let slots = [&mut batch.y, &mut batch.packed].into_iter();
                slots.chain(&mut batch.factor).for_each(place);
            }
            Work::Normalize { center, factor, .. } => {
                center.iter_mut().chain(factor).for_each(place);
            }
            Work::MaxPool { .. }
            | Work::AveragePool { .. }
            | Work::Move { .. }
            | Work::Reduce { .. }
            | Work::Embedding { .. }
            | Work::Copy { .. } => {}
        }
    }

    /// The slot that the step works in beside its output, and how it is laid out.
    pub(crate) fn scratch(&self) -> Option<(usize, &Place)> {
        match &self.work {
            Work::Batch(batch) => Some((batch.packed, &batch.packed_place)),
            Work::Linear { .. }
            | Work::MaxPool { .. }
            | Work::AveragePool { .. }
            | Work::Move { .. }
            | Work::Concat { .. }
            | Work::Pointwise { .. }
            | Work::Reduce { .. }
            | Work::Normalize { .. }
            | Work::Embedding { .. }
            | Work::Copy { .. } => None,
        }
    }

    /// Runs the step; `output` is never one of the slots that it reads.
    pub(crate) fn run(
        &self,
        kernel: Kernel,
        linears: &[Linear],
        buffers: &mut [Buffer],
        pool: Option<&mut ThreadPool>,
    ) {
        let mut output = std::mem::take(&mut buffers[self.output]);
        let input = &buffers[self.input];
        match &self.work {
            Work::Linear {
                linear,
                addend,
                factor,
            } => {
                let addend = addend_of(*addend, buffers);
                let operands = Operands {
                    input: input.stored(),
                    addend,
                    factor: factor.map(|slot| buffers[slot].words()),
                };
                run_linear(&linears[*linear], &operands, &mut output, pool);
            }
            Work::MaxPool { spec } => run_max_pool(kernel, spec, input, &mut output),
            Work::AveragePool { spec, average } => {
                let mut to = whole(&mut output);
                average_pool(kernel, spec, average, input.bytes().as_slice(), &mut to);
            }
            Work::Move { movement, fill } => {
                run_move(movement, *fill, kernel.flip(), input, &mut output, pool);
            }
            Work::Concat { parts, width } => {
                run_concat(parts, *width, buffers, &mut output, pool);
            }
            Work::Pointwise { spec, second } => {
                let second = match second {
                    Second::None => None,
                    Second::Slot(slot) => Some(source(&buffers[*slot])),
                    Second::Constant(buffer) => Some(source(buffer)),
                };
                run_pointwise(kernel, spec, source(input), second, &mut output, pool);
            }
            Work::Batch(batch) => {
                let mut packed = std::mem::take(&mut buffers[batch.packed]);
                let factor = batch.factor.map(|slot| buffers[slot].words());
                let (x, y) = (&buffers[self.input], &buffers[batch.y]);
                run_batch(batch, x, y, factor, (&mut packed, &mut output), pool);
                buffers[batch.packed] = packed;
            }
            Work::Reduce { spec } => run_reduce(kernel, spec, source(input), &mut output, pool),
            Work::Normalize {
                normalization,
                center,
                factor,
            } => {
                let values = [center, factor].map(|slot| slot.map(|slot| buffers[slot].words()));
                let x = source(input);
                run_normalize(kernel, normalization, x, values, &mut output, pool);
            }
            Work::Embedding { table, columns } => {
                let (index, flip) = (input.words(), kernel.flip());
                run_embedding(index, table, *columns, flip, &mut output, pool);
            }
            Work::Copy { from, to } => run_copy((input, from), (&mut output, to)),
        }
        buffers[self.output] = output;
    }
}

/// The second input of a linear node.
fn addend_of(addend: Option<(usize, Grid)>, buffers: &[Buffer]) -> Addend<'_> {
    match addend {
        None => Addend::None,
        Some((slot, grid)) => match &buffers[slot] {
            Buffer::I8(data) => Addend::I8(data.as_slice(), grid),
            Buffer::I16(data) => Addend::I16(data, grid),
            Buffer::I32(data) => Addend::I32(data, grid),
        },
    }
}

fn source(buffer: &Buffer) -> Source<'_> {
    match buffer {
        Buffer::I8(x) => Source::I8(x.as_slice()),
        Buffer::I16(x) => Source::I16(x),
        Buffer::I32(x) => Source::I32(x),
    }
}

fn whole(buffer: &mut Buffer) -> Output<'_> {
    let len = buffer.len();
    part(buffer, 0..len)
}

/// Stored elements `stored`.
fn part(buffer: &mut Buffer, stored: Range<usize>) -> Output<'_> {
    match buffer {
        Buffer::I8(y) => Output::I8(&mut y[stored]),
        Buffer::I16(y) => Output::I16(&mut y[stored]),
        Buffer::I32(y) => Output::I32(&mut y[stored]),
    }
}

/// A checked program's fill lies within the type of its node.
fn run_move(
    movement: &Movement,
    fill: i32,
    flip: u8,
    input: &Buffer,
    output: &mut Buffer,
    pool: Option<&mut ThreadPool>,
) {
    let row_len = movement.row_len().max(1);
    let rows = Rows::flat(row_len, output.len() / row_len, row_len * cost::MOVE);
    rows.run(output, pool, &|rows, output| match (input, output) {
        (Buffer::I8(x), Output::I8(y)) => {
            movement.run(x.as_slice(), fill.to_le_bytes()[0] ^ flip, rows, y);
        }
        (Buffer::I16(x), Output::I16(y)) => {
            movement.run(x, i16::try_from(fill).unwrap_or_default(), rows, y);
        }
        (Buffer::I32(x), Output::I32(y)) => movement.run(x, fill, rows, y),
        (Buffer::I8(_) | Buffer::I16(_) | Buffer::I32(_), _) => unequal_types(),
    });
}

fn run_max_pool(kernel: Kernel, spec: &PoolSpec, input: &Buffer, output: &mut Buffer) {
    match (input, output) {
        (Buffer::I8(x), Buffer::I8(y)) => {
            max_pool_bytes(kernel, spec, x.as_slice(), y.as_mut_slice());
        }
        (Buffer::I16(x), Buffer::I16(y)) => max_pool(spec, x, y),
        (Buffer::I32(x), Buffer::I32(y)) => max_pool(spec, x, y),
        (Buffer::I8(_) | Buffer::I16(_) | Buffer::I32(_), _) => unequal_types(),
    }
}

fn run_copy((input, from): (&Buffer, &Grid), (output, to): (&mut Buffer, &Grid)) {
    match (input, output) {
        (Buffer::I8(x), Buffer::I8(y)) => copy_flat(x.as_slice(), from, y.as_mut_slice(), to),
        (Buffer::I16(x), Buffer::I16(y)) => copy_flat(x, from, y, to),
        (Buffer::I32(x), Buffer::I32(y)) => y.copy_from_slice(x),
        (Buffer::I8(_) | Buffer::I16(_) | Buffer::I32(_), _) => unequal_types(),
    }
}

fn run_reduce(
    kernel: Kernel,
    spec: &ReduceSpec,
    x: Source,
    output: &mut Buffer,
    pool: Option<&mut ThreadPool>,
) {
    let columns = spec.columns;
    let rows = Rows::flat(1, output.len(), columns);
    rows.run(output, pool, &|rows, output| {
        let x = x.part(rows.start * columns..rows.end * columns);
        reduce(kernel, spec, x, output);
    });
}

/// `values` are centers and factors.
fn run_normalize(
    kernel: Kernel,
    normalization: &Normalization,
    x: Source,
    values: [Option<&[i32]>; 2],
    output: &mut Buffer,
    pool: Option<&mut ThreadPool>,
) {
    let columns = normalization.columns();
    let rows = Rows::flat(columns, output.len() / columns, columns * cost::NORMALIZE);
    rows.run(output, pool, &|rows, output| {
        let x = x.part(rows.start * columns..rows.end * columns);
        let [center, factor] = values.map(|values| values.map(|v| &v[rows.clone()]));
        normalization.run(kernel, x, center, factor, output);
    });
}

fn run_pointwise(
    kernel: Kernel,
    spec: &PointwiseSpec,
    x: Source,
    y: Option<Source>,
    output: &mut Buffer,
    pool: Option<&mut ThreadPool>,
) {
    let len = output.len();
    let cost = cost::POINTWISE + spec.function.cost();
    // Where rows do not matter, any cut will do.
    let row_len = match spec.lay {
        Lay::Full | Lay::One => 1,
        Lay::Column | Lay::Row => spec.columns,
    };
    let rows = Rows::flat(row_len, len / row_len, row_len * cost);
    rows.run(output, pool, &|rows, output| {
        let cells = rows.start * row_len..rows.end * row_len;
        let y = y.map(|y| match spec.lay {
            Lay::Full => y.part(cells.clone()),
            Lay::Row => y.part(rows),
            Lay::Column | Lay::One => y,
        });
        pointwise(kernel, spec, x.part(cells), y, output);
    });
}

fn run_embedding(
    index: &[i32],
    table: &Tensor,
    columns: usize,
    flip: u8,
    output: &mut Buffer,
    pool: Option<&mut ThreadPool>,
) {
    let rows = Rows::flat(columns, index.len(), columns * cost::COPY);
    rows.run(output, pool, &|rows, output| {
        let index = &index[rows];
        match (table, output) {
            (Tensor::I8(table), Output::I8(y)) => {
                embedding(index, table, columns, y, |v| v.to_le_bytes()[0] ^ flip);
            }
            (Tensor::I16(table), Output::I16(y)) => embedding(index, table, columns, y, |v| v),
            (Tensor::I32(table), Output::I32(y)) => embedding(index, table, columns, y, |v| v),
            (Tensor::I8(_) | Tensor::I16(_) | Tensor::I32(_), _) => unequal_types(),
        }
    });
}

/// Places the rows of all parts, which are slots and columns, side by side.
fn run_concat(
    parts: &[(usize, usize)],
    width: usize,
    buffers: &[Buffer],
    output: &mut Buffer,
    pool: Option<&mut ThreadPool>,
) {
    let rows = Rows::flat(width, output.len() / width.max(1), width * cost::COPY);
    rows.run(output, pool, &|rows, mut output| {
        let mut first = 0;
        for &(slot, columns) in parts {
            let cells = rows.start * columns..rows.end * columns;
            match (&buffers[slot], &mut output) {
                (Buffer::I8(x), Output::I8(y)) => {
                    concat_rows(&x.as_slice()[cells], columns, first, width, y);
                }
                (Buffer::I16(x), Output::I16(y)) => {
                    concat_rows(&x[cells], columns, first, width, y);
                }
                (Buffer::I32(x), Output::I32(y)) => {
                    concat_rows(&x[cells], columns, first, width, y);
                }
                (Buffer::I8(_) | Buffer::I16(_) | Buffer::I32(_), _) => unequal_types(),
            }
            first += columns;
        }
    });
}

fn unequal_types() -> ! {
    panic!("the plan gives input and output of this step one element type")
}

/// Runs a linear node on one thread, or its channels or rows on several.
fn run_linear(
    linear: &Linear,
    operands: &Operands,
    output: &mut Buffer,
    mut pool: Option<&mut ThreadPool>,
) {
    let grid = linear.output();
    let threads = pool.as_ref().map_or(1, |pool| pool.threads());
    let worth = product_bands(linear.macs(), threads);
    if let Some(pool) = pool.as_deref_mut()
        && 1 < worth
        && linear.prefers_channels(threads)
    {
        let first = grid.halo()[0] * grid.row_len();
        let stored = first..first + grid.height() * grid.row_len();
        return linear.run_by_channels(operands, part(output, stored), pool);
    }
    let rows = Rows {
        first: grid.halo()[0] * grid.row_len(),
        row_len: grid.row_len(),
        count: grid.height(),
        group: linear.tile_rows(),
        worth,
    };
    rows.run(output, pool, &|rows, output| {
        linear.run(operands, output, rows);
    });
}

/// Bands that products are worth on `threads` threads.
fn product_bands(macs: u64, threads: usize) -> u64 {
    (macs / MACS_PER_BAND).min((PRODUCT_BANDS_PER_THREAD * threads) as u64)
}

/// Packs the second operand, then runs a product of two inputs; both on several threads if worth it.
fn run_batch(
    batch: &Batch,
    x: &Buffer,
    y: &Buffer,
    factor: Option<&[i32]>,
    (packed, output): (&mut Buffer, &mut Buffer),
    mut pool: Option<&mut ThreadPool>,
) {
    let product = &batch.product;
    let batches = Rows::flat(
        product.packed_len(),
        product.y_batches(),
        product.packed_len() * cost::PACK,
    );
    let y = y.bytes().as_slice();
    batches.run(packed, pool.as_deref_mut(), &|batches, packed| {
        if let Output::I8(packed) = packed {
            for (batch, packed) in batches.zip(packed.chunks_exact_mut(product.packed_len())) {
                product.pack(y, batch, packed);
            }
        }
    });
    let threads = pool.as_ref().map_or(1, |pool| pool.threads());
    let operands = BatchOperands {
        x: x.stored(),
        packed: packed.bytes().as_slice(),
        factor,
    };
    let units = Rows {
        first: 0,
        row_len: product.unit_len(),
        count: product.units(),
        group: product.unit_group(threads),
        worth: product_bands(product.macs(), threads),
    };
    units.run(output, pool, &|units, output| {
        product.run(&operands, output, units);
    });
}

/// The largest magnitude of an element of a second input.
pub(crate) fn addend_max(dtype: DType) -> u32 {
    match dtype {
        DType::I8 => 128,
        DType::I16 => 1 << 15,
        DType::I32 => 1 << 31,
    }
}

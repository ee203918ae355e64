//! One step of a plan: a kernel with its operands' slots.

use std::ops::Range;

use selfsame_ir::DType;
use selfsame_kernels::{
    Addend, Average, Grid, Kernel, Linear, Movement, Output, PointwiseSpec, PoolSpec, Source,
    THREADS_MAX, ThreadPool, average_pool, concat_rows, max_pool, max_pool_bytes, pointwise,
};

use crate::storage::{Buffer, copy_flat};

/// Multiply-accumulates that make a second thread worth its start.
const MACS_PER_THREAD: u64 = 150_000;

/// A kernel and what it runs on.
#[derive(Debug)]
pub(crate) enum Work {
    /// A linear node by its place among the packed ones.
    Linear {
        linear: usize,
        addend: Option<(usize, Grid)>,
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
    /// Copies a view to a place of its own.
    Copy {
        from: Grid,
        to: Grid,
    },
}

/// The second operand of a pointwise node.
#[derive(Debug)]
pub(crate) enum Second {
    None,
    Slot(usize),
    Constant(Buffer),
}

/// One step: reads slots, writes slot `output`.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) work: Work,
    pub(crate) input: usize,
    pub(crate) output: usize,
    /// How the output is stored.
    pub(crate) grid: Grid,
    /// The node whose output this step completes.
    pub(crate) node: Option<usize>,
}

impl Step {
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
            Work::Linear { linear, addend } => {
                let addend = match addend {
                    None => Addend::None,
                    Some((slot, grid)) => match &buffers[*slot] {
                        Buffer::I8(data) => Addend::I8(data.as_slice(), *grid),
                        Buffer::I16(data) => Addend::I16(data, *grid),
                        Buffer::I32(data) => Addend::I32(data, *grid),
                    },
                };
                run_linear(&linears[*linear], input, addend, &mut output, pool);
            }
            Work::MaxPool { spec } => match (input, &mut output) {
                (Buffer::I8(x), Buffer::I8(y)) => {
                    max_pool_bytes(kernel, spec, x.as_slice(), y.as_mut_slice());
                }
                (Buffer::I16(x), Buffer::I16(y)) => max_pool(spec, x, y),
                (Buffer::I32(x), Buffer::I32(y)) => max_pool(spec, x, y),
                (Buffer::I8(_) | Buffer::I16(_) | Buffer::I32(_), _) => unequal_types(),
            },
            Work::AveragePool { spec, average } => {
                let mut to = whole(&mut output);
                average_pool(kernel, spec, average, input.bytes().as_slice(), &mut to);
            }
            Work::Move { movement, fill } => {
                run_move(movement, *fill, kernel.flip(), input, &mut output);
            }
            Work::Concat { parts, width } => {
                let mut first = 0;
                for &(slot, columns) in parts {
                    place_columns(&buffers[slot], columns, first, *width, &mut output);
                    first += columns;
                }
            }
            Work::Pointwise { spec, second } => {
                let second = match second {
                    Second::None => None,
                    Second::Slot(slot) => Some(source(&buffers[*slot])),
                    Second::Constant(buffer) => Some(source(buffer)),
                };
                let to = whole(&mut output);
                pointwise(spec, kernel.flip(), source(input), second, to);
            }
            Work::Copy { from, to } => match (input, &mut output) {
                (Buffer::I8(x), Buffer::I8(y)) => {
                    copy_flat(x.as_slice(), from, y.as_mut_slice(), to);
                }
                (Buffer::I16(x), Buffer::I16(y)) => y.copy_from_slice(x),
                (Buffer::I32(x), Buffer::I32(y)) => y.copy_from_slice(x),
                (Buffer::I8(_) | Buffer::I16(_) | Buffer::I32(_), _) => unequal_types(),
            },
        }
        buffers[self.output] = output;
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
    match buffer {
        Buffer::I8(y) => Output::I8(y.as_mut_slice()),
        Buffer::I16(y) => Output::I16(y),
        Buffer::I32(y) => Output::I32(y),
    }
}

/// A checked program's fill lies within the type of its node.
fn run_move(movement: &Movement, fill: i32, flip: u8, input: &Buffer, output: &mut Buffer) {
    match (input, output) {
        (Buffer::I8(x), Buffer::I8(y)) => {
            let fill = fill.to_le_bytes()[0] ^ flip;
            movement.run(x.as_slice(), fill, y.as_mut_slice());
        }
        (Buffer::I16(x), Buffer::I16(y)) => {
            movement.run(x, i16::try_from(fill).unwrap_or_default(), y);
        }
        (Buffer::I32(x), Buffer::I32(y)) => movement.run(x, fill, y),
        (Buffer::I8(_) | Buffer::I16(_) | Buffer::I32(_), _) => unequal_types(),
    }
}

fn place_columns(input: &Buffer, columns: usize, first: usize, width: usize, output: &mut Buffer) {
    match (input, output) {
        (Buffer::I8(x), Buffer::I8(y)) => {
            concat_rows(x.as_slice(), columns, first, width, y.as_mut_slice());
        }
        (Buffer::I16(x), Buffer::I16(y)) => concat_rows(x, columns, first, width, y),
        (Buffer::I32(x), Buffer::I32(y)) => concat_rows(x, columns, first, width, y),
        (Buffer::I8(_) | Buffer::I16(_) | Buffer::I32(_), _) => unequal_types(),
    }
}

fn unequal_types() -> ! {
    panic!("the plan gives input and output of this step one element type")
}

/// Rows `rows` of an output and where they are stored.
struct Band<'a> {
    rows: Range<usize>,
    output: Output<'a>,
}

/// Runs a linear node on one thread, or its rows on several.
fn run_linear(
    linear: &Linear,
    input: &Buffer,
    addend: Addend,
    output: &mut Buffer,
    pool: Option<&mut ThreadPool>,
) {
    let grid = linear.output();
    let row_len = grid.row_len();
    let stored = grid.halo()[0] * row_len..(grid.halo()[0] + grid.height()) * row_len;
    let worth = usize::try_from(linear.macs() / MACS_PER_THREAD).unwrap_or(usize::MAX);
    let threads = pool
        .as_ref()
        .map_or(1, |pool| pool.threads())
        .min(worth)
        .min(grid.height());
    let Some(pool) = pool.filter(|_| 1 < threads) else {
        let output = match output {
            Buffer::I8(y) => Output::I8(&mut y.as_mut_slice()[stored]),
            Buffer::I16(y) => Output::I16(&mut y[stored]),
            Buffer::I32(y) => Output::I32(&mut y[stored]),
        };
        linear.run(input.bytes(), addend, output, 0..grid.height());
        return;
    };
    // Twice as many bands as threads, so that a slow thread leaves its second one to the others.
    let band_rows = grid.height().div_ceil((2 * threads).min(THREADS_MAX));
    let mut bands: [Option<Band>; THREADS_MAX] = [const { None }; THREADS_MAX];
    let count = match output {
        Buffer::I8(y) => {
            let rows = y.as_mut_slice()[stored].chunks_mut(band_rows * row_len);
            cut(&mut bands, rows.map(Output::I8), band_rows, grid.height())
        }
        Buffer::I16(y) => {
            let rows = y[stored].chunks_mut(band_rows * row_len);
            cut(&mut bands, rows.map(Output::I16), band_rows, grid.height())
        }
        Buffer::I32(y) => {
            let rows = y[stored].chunks_mut(band_rows * row_len);
            cut(&mut bands, rows.map(Output::I32), band_rows, grid.height())
        }
    };
    let input = input.bytes();
    pool.for_each(&mut bands[..count], &|_, band: &mut Option<Band>| {
        if let Some(Band { rows, output }) = band.take() {
            linear.run(input, addend, output, rows);
        }
    });
}

/// Fills `bands` from the cut output; returns their number.
fn cut<'a>(
    bands: &mut [Option<Band<'a>>],
    outputs: impl Iterator<Item = Output<'a>>,
    band_rows: usize,
    height: usize,
) -> usize {
    let mut count = 0;
    for (band, output) in bands.iter_mut().zip(outputs) {
        let start = count * band_rows;
        *band = Some(Band {
            rows: start..height.min(start + band_rows),
            output,
        });
        count += 1;
    }
    count
}

/// The largest magnitude of an element of a second input.
pub(crate) fn addend_max(dtype: DType) -> u32 {
    match dtype {
        DType::I8 => 128,
        DType::I16 => 1 << 15,
        DType::I32 => 1 << 31,
    }
}

//! What one element of one node reads: the distinct tiles of each input and tensor.
//!
//! Derived from operator, dimension values and element alone, never taken from a party; the leaf
//! contracts derive the same sets. Of the input exactly the tiles that hold a cell of a term inside
//! the input; of the weights the whole row of the output channel, also where cells are padding; one
//! tile each of addend, constants and table.
//!
//! Spec: game, 4.8; operators, 2.11 to 2.20.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use selfsame_commit::tile_range;
use selfsame_ir::{
    Concat, Conv, DType, Dim, DimValues, Linear, MatMul, Move, Op, Pointwise, ShapeError, Table,
    Window,
};
use selfsame_protocol::constants::TILE_BYTES;

const CONSTANT_BYTES: u64 = 16;
const TABLE_BYTES: u64 = 256;

/// What an element reads of one input or tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotReads {
    /// Bytes of the whole tensor.
    pub length: u64,
    /// Indices of the tiles read, increasing; none where all cells are padding.
    pub tiles: Vec<u64>,
}

impl SlotReads {
    /// Bytes of the tiles read.
    pub fn bytes(&self) -> u64 {
        self.tiles
            .iter()
            .map(|&tile| tile_range(self.length, tile))
            .map(|r| r.end - r.start)
            .sum()
    }
}

/// What an element reads: inputs, then tensors, in the node leaf's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reads {
    /// The slots.
    pub slots: Vec<SlotReads>,
    /// How many of them are inputs.
    pub inputs: usize,
}

impl Reads {
    /// Tile bytes of all slots.
    pub fn bytes(&self) -> u64 {
        self.slots.iter().map(SlotReads::bytes).sum()
    }
}

/// Collects the tiles under byte ranges of one tensor.
struct Touched {
    length: u64,
    tiles: BTreeSet<u64>,
}

impl Touched {
    fn new(elements: u64, size: u32) -> Self {
        Self {
            length: elements.saturating_mul(u64::from(size)),
            tiles: BTreeSet::new(),
        }
    }

    /// `count` elements of `size` bytes from element `first`.
    fn range(&mut self, first: u64, count: u64, size: u32) {
        let (size, tile) = (u64::from(size), u64::from(TILE_BYTES));
        let from = first.saturating_mul(size);
        let to = first
            .saturating_add(count)
            .saturating_mul(size)
            .min(self.length);
        if from < to {
            self.tiles.extend(from / tile..=(to - 1) / tile);
        }
    }

    fn done(self) -> SlotReads {
        SlotReads {
            length: self.length,
            tiles: self.tiles.into_iter().collect(),
        }
    }
}

/// What element `element` (flat index) of a node with operator `op` reads. `input_dtype` is the
/// type of input 0. INPUT reads nothing.
pub fn reads(
    op: &Op,
    input_dtype: DType,
    values: &DimValues,
    element: u64,
) -> Result<Reads, ShapeError> {
    let slots = match op {
        Op::Input(_) => Vec::new(),
        Op::MatMul(op) => matmul(op, values, element)?,
        Op::Conv(op) => conv(op, values, element)?,
        Op::MaxPool(pool) => {
            let grid = Grid::new(op, &pool.window, pool.height, pool.width, values)?;
            alloc::vec![pooled(&grid, pool.channels, input_dtype, element)]
        }
        Op::AvgPool(pool) => {
            let grid = Grid::new(op, &pool.window, pool.height, pool.width, values)?;
            alloc::vec![pooled(&grid, pool.channels, input_dtype, element)]
        }
        Op::Move(op) => alloc::vec![moved(op, input_dtype, values, element)?],
        Op::Concat(op) => concatenated(op, input_dtype, values, element)?,
        Op::Pointwise(op) => pointwise(op, values, element)?,
    };
    Ok(Reads {
        slots,
        inputs: op.input_count(),
    })
}

fn matmul(op: &MatMul, values: &DimValues, element: u64) -> Result<Vec<SlotReads>, ShapeError> {
    let (rows, outputs) = (
        u64::from(op.rows.at(values)?),
        u64::from(op.out_channels).max(1),
    );
    let (row_elements, terms) = (u64::from(op.row_elements), u64::from(op.k_len));
    let (row, channel) = (element / outputs, element % outputs);
    let mut x = Touched::new(rows.saturating_mul(row_elements), 1);
    x.range(row * row_elements + u64::from(op.k_offset), terms, 1);
    let mut w = Touched::new(outputs.saturating_mul(terms), 1);
    w.range(channel * terms, terms, 1);
    Ok(linear(
        &op.linear,
        x,
        w,
        rows.saturating_mul(outputs),
        outputs,
        element,
    ))
}

fn conv(op: &Conv, values: &DimValues, element: u64) -> Result<Vec<SlotReads>, ShapeError> {
    let grid = Grid::new(
        &Op::Conv(op.clone()),
        &op.window,
        op.height,
        op.width,
        values,
    )?;
    let (channels, outputs) = (u64::from(op.channels), u64::from(op.out_channels).max(1));
    let groups = u64::from(op.groups).max(1);
    let per_group = channels / groups;
    let (position, channel) = (element / outputs, element % outputs);
    let group = channel / (outputs / groups).max(1);
    let mut x = Touched::new(
        grid.height
            .saturating_mul(grid.width)
            .saturating_mul(channels),
        1,
    );
    grid.cells(position, |cell| {
        x.range(cell * channels + group * per_group, per_group, 1);
    });
    let terms = op.window.cells().saturating_mul(per_group);
    let mut w = Touched::new(outputs.saturating_mul(terms), 1);
    w.range(channel * terms, terms, 1);
    let elements = grid
        .out_height
        .saturating_mul(grid.out_width)
        .saturating_mul(outputs);
    Ok(linear(&op.linear, x, w, elements, outputs, element))
}

/// x, the addend if there is one, weights, constants, the table if there is one.
fn linear(
    linear: &Linear,
    x: Touched,
    weights: Touched,
    elements: u64,
    outputs: u64,
    element: u64,
) -> Vec<SlotReads> {
    let mut slots = alloc::vec![x.done()];
    if let Some(dtype) = linear.addend {
        let mut addend = Touched::new(elements, dtype.size());
        addend.range(element, 1, dtype.size());
        slots.push(addend.done());
    }
    slots.push(weights.done());
    let mut constants = Touched::new(outputs.saturating_mul(CONSTANT_BYTES), 1);
    constants.range((element % outputs) * CONSTANT_BYTES, CONSTANT_BYTES, 1);
    slots.push(constants.done());
    if linear.table.is_some() {
        slots.push(SlotReads {
            length: TABLE_BYTES,
            tiles: alloc::vec![0],
        });
    }
    slots
}

fn pooled(grid: &Grid<'_>, channels: u32, dtype: DType, element: u64) -> SlotReads {
    let channels = u64::from(channels).max(1);
    let elements = grid
        .height
        .saturating_mul(grid.width)
        .saturating_mul(channels);
    let mut x = Touched::new(elements, dtype.size());
    let channel = element % channels;
    grid.cells(element / channels, |cell| {
        x.range(cell * channels + channel, 1, dtype.size());
    });
    x.done()
}

fn moved(
    op: &Move,
    dtype: DType,
    values: &DimValues,
    element: u64,
) -> Result<SlotReads, ShapeError> {
    let mut x = Touched::new(product(&op.shape, values)?, dtype.size());
    if let Some(source) = op.source(values, element)? {
        x.range(source, 1, dtype.size());
    }
    Ok(x.done())
}

fn concatenated(
    op: &Concat,
    dtype: DType,
    values: &DimValues,
    element: u64,
) -> Result<Vec<SlotReads>, ShapeError> {
    let (input, source) = op.source(values, element)?;
    let slot = |(at, columns): (usize, &Dim)| {
        let mut x = Touched::new(product(&[op.rows, *columns], values)?, dtype.size());
        if at == input {
            x.range(source, 1, dtype.size());
        }
        Ok(x.done())
    };
    op.columns.iter().enumerate().map(slot).collect()
}

fn product(shape: &[Dim], values: &DimValues) -> Result<u64, ShapeError> {
    shape.iter().try_fold(1_u64, |product, dim| {
        Ok(product.saturating_mul(u64::from(dim.at(values)?)))
    })
}

/// x, the second operand if there is one, the table whole if there is one.
fn pointwise(
    op: &Pointwise,
    values: &DimValues,
    element: u64,
) -> Result<Vec<SlotReads>, ShapeError> {
    let one = |elements: u64, dtype: DType, at: u64| {
        let mut touched = Touched::new(elements, dtype.size());
        touched.range(at, 1, dtype.size());
        touched.done()
    };
    let elements = product(&[op.rows, Dim::fixed(op.columns)], values)?;
    let mut slots = alloc::vec![one(elements, op.dtype, element)];
    if let Some(y) = &op.second {
        let held = if let Some(constant) = &y.constant {
            u64::from(constant.elements)
        } else {
            let shape = y.spread.shape(op.rows.at(values)?, op.columns);
            shape.iter().map(|&extent| u64::from(extent)).product()
        };
        slots.push(one(held, y.dtype, y.spread.index(element, op.columns)));
    }
    if let Some(table) = &op.table {
        let bytes = match table {
            Table::Lookup(_) => TABLE_BYTES,
            Table::Interpolate(_) => 2 * Table::INTERPOLATE as u64,
        };
        let mut touched = Touched::new(bytes, 1);
        touched.range(0, bytes, 1);
        slots.push(touched.done());
    }
    Ok(slots)
}

/// A window over an input of bound extents.
struct Grid<'a> {
    window: &'a Window,
    height: u64,
    width: u64,
    out_height: u64,
    out_width: u64,
}

impl<'a> Grid<'a> {
    fn new(
        op: &Op,
        window: &'a Window,
        height: Dim,
        width: Dim,
        values: &DimValues,
    ) -> Result<Self, ShapeError> {
        let shape = op.output_shape(values)?;
        let out = |axis: usize| u64::from(shape.get(axis).copied().unwrap_or(1)).max(1);
        let (height, width) = (height.at(values)?.into(), width.at(values)?.into());
        Ok(Self {
            window,
            height,
            width,
            out_height: out(0),
            out_width: out(1),
        })
    }

    /// Flat input cells under the window of output position `position`, in order.
    fn cells(&self, position: u64, mut visit: impl FnMut(u64)) {
        let w = self.window;
        let coordinate = |at: u64, axis: usize, k: u16, extent: u64| {
            let padded = at
                .saturating_mul(u64::from(w.stride[axis]))
                .saturating_add(u64::from(k) * u64::from(w.dilation[axis]));
            padded
                .checked_sub(u64::from(w.pad[axis]))
                .filter(|&inside| inside < extent)
        };
        let (row, column) = (position / self.out_width, position % self.out_width);
        for i in 0..w.kernel[0] {
            let Some(y) = coordinate(row, 0, i, self.height) else {
                continue;
            };
            for j in 0..w.kernel[1] {
                if let Some(x) = coordinate(column, 1, j, self.width) {
                    visit(y * self.width + x);
                }
            }
        }
    }
}

//! What one element of one node reads: the distinct tiles of each input and tensor.
//!
//! Derived from operator, dimension values and element, never taken from a party; the leaf contracts
//! derive the same sets. Only the entry of an EMBEDDING follows from a value: the index that is opened
//! beside it. Of the input exactly the tiles that hold a cell of a term inside the input; of the
//! weights the whole row of the output channel, also where cells are padding; one tile each of
//! addend, row factor and constants; tables of activations whole.
//!
//! Spec: game, 4.8; operators, 2.11 to 2.25.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use selfsame_commit::tile_range;
use selfsame_ir::{
    Activation, BatchMatMul, Concat, Conv, DType, Dim, DimValues, Embedding, Linear, MatMul, Move,
    Normalize, Op, Pointwise, Reduce, ShapeError, Window,
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

/// Element `at` of a tensor of `elements`.
fn one(elements: u64, dtype: DType, at: u64) -> SlotReads {
    row(elements, dtype, at, 1)
}

/// `count` elements from `first` of a tensor of `elements`.
fn row(elements: u64, dtype: DType, first: u64, count: u64) -> SlotReads {
    let mut touched = Touched::new(elements, dtype.size());
    touched.range(first, count, dtype.size());
    touched.done()
}

/// All of a tensor of `bytes`.
fn whole(bytes: u64) -> SlotReads {
    row(bytes, DType::I8, 0, bytes)
}

/// The sixteen bytes of constants of one of `columns`.
fn constants(columns: u64, column: u64) -> SlotReads {
    let first = column.saturating_mul(CONSTANT_BYTES);
    row(
        columns.saturating_mul(CONSTANT_BYTES),
        DType::I8,
        first,
        CONSTANT_BYTES,
    )
}

/// What element `element` (flat index) of a node with operator `op` reads. `input_dtype` is the
/// type of input 0, `first` its element at a flat index, which only EMBEDDING asks for. INPUT reads
/// nothing.
pub fn reads(
    op: &Op,
    input_dtype: DType,
    values: &DimValues,
    element: u64,
    first: &dyn Fn(u64) -> i32,
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
        Op::BatchMatMul(op) => batch_matmul(op, values, element)?,
        Op::Reduce(op) => alloc::vec![reduced(op, values, element)?],
        Op::Normalize(op) => normalized(op, values, element)?,
        Op::Embedding(op) => embedded(op, values, element, first)?,
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
    let (at, channel) = (element / outputs, element % outputs);
    let first = at
        .saturating_mul(row_elements)
        .saturating_add(u64::from(op.k_offset));
    let x = row(rows.saturating_mul(row_elements), op.dtype, first, terms);
    let weights = row(
        outputs.saturating_mul(terms),
        DType::I8,
        channel * terms,
        terms,
    );
    let factor = op.factor.map(|_| one(rows, DType::I32, at));
    let elements = rows.saturating_mul(outputs);
    let place = Place {
        elements,
        outputs,
        element,
    };
    Ok(linear(&op.linear, x, factor, weights, &place))
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
    let size = op.dtype.size();
    let mut x = Touched::new(
        grid.height
            .saturating_mul(grid.width)
            .saturating_mul(channels),
        size,
    );
    grid.cells(position, |cell| {
        x.range(cell * channels + group * per_group, per_group, size);
    });
    let terms = op.window.cells().saturating_mul(per_group);
    let weights = row(
        outputs.saturating_mul(terms),
        DType::I8,
        channel * terms,
        terms,
    );
    let elements = grid
        .out_height
        .saturating_mul(grid.out_width)
        .saturating_mul(outputs);
    let place = Place {
        elements,
        outputs,
        element,
    };
    Ok(linear(&op.linear, x.done(), None, weights, &place))
}

/// Where the element of a linear node stands.
struct Place {
    /// Elements of the output.
    elements: u64,
    /// Output channels.
    outputs: u64,
    /// Flat index.
    element: u64,
}

/// x, the addend and the row factor if there are such, weights, constants, the table if there is one.
fn linear(
    linear: &Linear,
    x: SlotReads,
    factor: Option<SlotReads>,
    weights: SlotReads,
    place: &Place,
) -> Vec<SlotReads> {
    let mut slots = alloc::vec![x];
    slots.extend(
        linear
            .addend
            .map(|dtype| one(place.elements, dtype, place.element)),
    );
    slots.extend(factor);
    slots.push(weights);
    slots.push(constants(place.outputs, place.element % place.outputs));
    slots.extend(linear.table.as_ref().map(|_| whole(TABLE_BYTES)));
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

/// x, the second operand if there is one, the table of the activation if it has one.
fn pointwise(
    op: &Pointwise,
    values: &DimValues,
    element: u64,
) -> Result<Vec<SlotReads>, ShapeError> {
    let (rows, columns) = (op.rows.at(values)?, op.columns.at(values)?);
    let elements = product(&[op.rows, op.columns], values)?;
    let mut slots = alloc::vec![one(elements, op.dtype, element)];
    if let Some(y) = &op.second {
        let held = if let Some(constant) = &y.constant {
            u64::from(constant.elements)
        } else {
            let shape = y.spread.shape(rows, columns);
            shape.iter().map(|&extent| u64::from(extent)).product()
        };
        slots.push(one(held, y.dtype, y.spread.index(element, columns)));
    }
    let table = op.activation.as_ref().and_then(Activation::table);
    slots.extend(table.map(|(dtype, entries)| whole(u64::from(dtype.size()) * entries as u64)));
    Ok(slots)
}

/// A row of x, a row of y, the row factor if there is one.
fn batch_matmul(
    op: &BatchMatMul,
    values: &DimValues,
    element: u64,
) -> Result<Vec<SlotReads>, ShapeError> {
    let (rows, columns) = (op.rows.at(values)?, op.columns.at(values)?);
    let k = op.k.at(values)?;
    let cell = op.cell(element, rows, columns, k);
    let (batch, terms) = (u64::from(op.batch), u64::from(k));
    let shared = u64::from(op.batch.checked_div(op.group).unwrap_or(0));
    let x_rows = batch.saturating_mul(u64::from(rows));
    let y_rows = shared.saturating_mul(u64::from(columns));
    let mut slots = alloc::vec![
        row(x_rows.saturating_mul(terms), op.dtype, cell.x, terms),
        row(y_rows.saturating_mul(terms), DType::I8, cell.y, terms),
    ];
    slots.extend(op.factor.map(|_| one(x_rows, DType::I32, cell.row)));
    Ok(slots)
}

fn reduced(op: &Reduce, values: &DimValues, element: u64) -> Result<SlotReads, ShapeError> {
    let columns = u64::from(op.columns.at(values)?);
    let elements = product(&[op.rows, op.columns], values)?;
    let first = element.saturating_mul(columns);
    Ok(row(elements, op.dtype, first, columns))
}

/// x, the center and the row factor if there are such, constants.
fn normalized(
    op: &Normalize,
    values: &DimValues,
    element: u64,
) -> Result<Vec<SlotReads>, ShapeError> {
    let rows = u64::from(op.rows.at(values)?);
    let columns = u64::from(op.columns).max(1);
    let mut slots = alloc::vec![one(rows.saturating_mul(columns), op.dtype, element)];
    let of_row = || one(rows, DType::I32, element / columns);
    slots.extend(op.center.then(of_row));
    slots.extend(op.factor.then(of_row));
    slots.push(constants(columns, element % columns));
    Ok(slots)
}

/// The index, and the element of the table that it leads to.
fn embedded(
    op: &Embedding,
    values: &DimValues,
    element: u64,
    index: &dyn Fn(u64) -> i32,
) -> Result<Vec<SlotReads>, ShapeError> {
    let rows = u64::from(op.rows.at(values)?);
    let columns = u64::from(op.columns).max(1);
    let at = element / columns;
    let held = u64::from(op.entries).saturating_mul(columns);
    Ok(alloc::vec![
        one(rows, DType::I32, at),
        one(held, op.table.dtype(), op.at(index(at), element % columns)),
    ])
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

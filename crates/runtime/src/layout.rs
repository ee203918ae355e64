//! Where every node's output lives: its grid, its halo, and its slot among the reused buffers.
//!
//! An output is stored with the largest padding that a convolution wants to read around it, so
//! that no convolution copies or tests its input. A consumer that sees another shape (a view)
//! reads the same bytes where they are dense, else a copy. Slots are reused between tensors of one
//! element type. A slot of one grid keeps its halo, written once; where several grids share a slot,
//! whoever writes to it writes the halo again.

use selfsame_ir::{CheckedProgram, DType, DimError, DimValues, Node, Op, Window};
use selfsame_kernels::{Grid, GridError};

use crate::error::PlanError;

/// Height, width, channels.
pub(crate) type Dims = [usize; 3];

/// How a consumer sees one of its inputs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    /// Shape; `None` if the flat sequence is meant.
    pub(crate) dims: Option<Dims>,
    /// Padding that is read: top, left, bottom, right.
    pub(crate) halo: [usize; 4],
}

/// How a node's output is stored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) dtype: DType,
    pub(crate) grid: Grid,
}

fn size(extent: u32) -> usize {
    extent as usize
}

/// Shape of a node's output as its kernel writes it.
fn written(node: &Node, shape: &[u32]) -> Dims {
    match (&node.op, shape) {
        (Op::Conv(_) | Op::MaxPool(_) | Op::AvgPool(_), &[h, w, c]) => [size(h), size(w), size(c)],
        (Op::MatMul(_), &[rows, outputs]) => [size(rows), 1, size(outputs)],
        _ => [1, 1, shape.iter().map(|&extent| size(extent)).product()],
    }
}

/// Whether the kernel of `op` writes the flat sequence and knows no halo.
fn writes_flat(op: &Op) -> bool {
    match op {
        Op::Move(_)
        | Op::Concat(_)
        | Op::Pointwise(_)
        | Op::BatchMatMul(_)
        | Op::Reduce(_)
        | Op::Normalize(_)
        | Op::Embedding(_) => true,
        Op::Input(_) | Op::MatMul(_) | Op::Conv(_) | Op::MaxPool(_) | Op::AvgPool(_) => false,
    }
}

/// How `node` sees its input `slot`.
pub(crate) fn need(
    node: &Node,
    slot: usize,
    output: Dims,
    values: &DimValues,
) -> Result<Need, DimError> {
    const FLAT: Need = Need {
        dims: None,
        halo: [0; 4],
    };
    if node.op.factor_slot() == Some(slot) {
        return Ok(FLAT);
    }
    let (height, width, channels, halo) = match &node.op {
        Op::MatMul(_) | Op::Conv(_) if slot == 1 => {
            return Ok(Need {
                dims: Some(output),
                halo: [0; 4],
            });
        }
        Op::Input(_)
        | Op::Move(_)
        | Op::Concat(_)
        | Op::Pointwise(_)
        | Op::BatchMatMul(_)
        | Op::Reduce(_)
        | Op::Normalize(_)
        | Op::Embedding(_) => return Ok(FLAT),
        Op::MatMul(op) => {
            let dims = [size(op.rows.at(values)?), 1, size(op.row_elements)];
            return Ok(Need {
                dims: Some(dims),
                halo: [0; 4],
            });
        }
        Op::Conv(op) => (op.height, op.width, op.channels, padding(&op.window)),
        Op::MaxPool(op) => (op.height, op.width, op.channels, [0; 4]),
        Op::AvgPool(op) => (op.height, op.width, op.channels, [0; 4]),
    };
    let dims = [
        size(height.at(values)?),
        size(width.at(values)?),
        size(channels),
    ];
    Ok(Need {
        dims: Some(dims),
        halo,
    })
}

fn padding(window: &Window) -> [usize; 4] {
    window.pad.map(usize::from)
}

/// The place of every node's output.
pub(crate) fn places(
    program: &CheckedProgram,
    values: &DimValues,
) -> Result<Vec<Place>, PlanError> {
    let shapes = program.shapes(values)?;
    let nodes = program.nodes();
    let mut dims: Vec<Dims> = nodes
        .iter()
        .zip(&shapes)
        .map(|(node, shape)| written(node, shape))
        .collect();
    let mut halos = vec![[0_usize; 4]; nodes.len()];
    // INPUT is stored as its first consumer sees it.
    let first = nodes
        .iter()
        .enumerate()
        .find(|(_, node)| node.inputs.first() == Some(&0));
    if let Some((index, node)) = first
        && let Some(seen) = need(node, 0, dims[index], values)?.dims
    {
        dims[0] = seen;
    }
    for (index, node) in nodes.iter().enumerate() {
        for (slot, &input) in node.inputs.iter().enumerate() {
            let need = need(node, slot, dims[index], values)?;
            let source = input as usize;
            let is_flat = writes_flat(&nodes[source].op);
            if need.dims == Some(dims[source]) && !is_flat {
                for (halo, wanted) in halos[source].iter_mut().zip(need.halo) {
                    *halo = wanted.max(*halo);
                }
            }
        }
    }
    let place = |(index, node): (usize, &Node)| {
        let grid = grid(dims[index], halos[index]);
        let grid = grid.map_err(|error| PlanError::Grid { node: index, error })?;
        Ok(Place {
            dtype: node.dtype,
            grid,
        })
    };
    nodes.iter().enumerate().map(place).collect()
}

/// A grid of `dims` with a halo.
pub(crate) fn grid([height, width, channels]: Dims, halo: [usize; 4]) -> Result<Grid, GridError> {
    Grid::new(height, width, channels, halo)
}

/// The shape of a grid.
pub(crate) fn dims(grid: &Grid) -> Dims {
    [grid.height(), grid.width(), grid.channels()]
}

/// A buffer that several outputs use in turn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slot {
    pub(crate) dtype: DType,
    /// Elements of the largest output, halo included.
    pub(crate) len: usize,
    /// The grid of the output that it holds, or held last.
    grid: Grid,
    /// Whether it holds outputs of several grids.
    pub(crate) shared: bool,
}

/// Gives out slots; one that was given back is used again.
#[derive(Debug, Default)]
pub(crate) struct Slots {
    slots: Vec<Slot>,
    free: Vec<usize>,
}

impl Slots {
    /// A free slot of the same grid; else the smallest that is large enough; else the largest, which
    /// grows; else a new one.
    pub(crate) fn take(&mut self, place: Place) -> usize {
        let len = place.grid.len();
        let rank = |slot: &Slot| {
            let same = slot.grid == place.grid && !slot.shared;
            (!same, slot.len < len, slot.len.abs_diff(len))
        };
        let fits = |&(_, &slot): &(usize, &usize)| self.slots[slot].dtype == place.dtype;
        let free = self.free.iter().enumerate().filter(fits);
        if let Some((at, _)) = free.min_by_key(|&(_, &slot)| rank(&self.slots[slot])) {
            let index = self.free.swap_remove(at);
            let slot = &mut self.slots[index];
            slot.shared |= slot.grid != place.grid;
            slot.len = slot.len.max(len);
            slot.grid = place.grid;
            return index;
        }
        self.slots.push(Slot {
            dtype: place.dtype,
            len,
            grid: place.grid,
            shared: false,
        });
        self.slots.len() - 1
    }

    pub(crate) fn give_back(&mut self, slot: usize) {
        self.free.push(slot);
    }

    pub(crate) fn into_slots(self) -> Vec<Slot> {
        self.slots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(extent: usize, dtype: DType) -> Place {
        let grid = Grid::new(extent, extent, 4, [1; 4]).expect("small");
        Place { dtype, grid }
    }

    #[test]
    fn a_slot_goes_to_its_own_grid_first_then_to_the_nearest_size_and_never_to_another_type() {
        let mut slots = Slots::default();
        let taken = [4, 8, 6].map(|extent| slots.take(place(extent, DType::I8)));
        assert_eq!(taken, [0, 1, 2]);
        for slot in taken {
            slots.give_back(slot);
        }
        assert_eq!(slots.take(place(8, DType::I8)), 1, "the same grid");
        assert_eq!(
            slots.take(place(5, DType::I8)),
            2,
            "the smallest that is large enough"
        );
        assert_eq!(slots.take(place(9, DType::I8)), 0, "what is left grows");
        assert_eq!(slots.take(place(3, DType::I8)), 3, "none is free");
        slots.give_back(1);
        assert_eq!(slots.take(place(8, DType::I16)), 4, "another type");
        let slots = slots.into_slots();
        let shared: Vec<bool> = slots.iter().map(|slot| slot.shared).collect();
        assert_eq!(shared, [true, false, true, false, false]);
        assert_eq!(slots[0].len, place(9, DType::I8).grid.len());
        assert_eq!(slots[2].len, place(6, DType::I8).grid.len());
    }
}

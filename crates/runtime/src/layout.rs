//! How every node's output is stored: its grid and its halo.
//!
//! An output is stored with the largest padding that a convolution wants to read around it, so
//! that no convolution copies or tests its input. A consumer that sees another shape (a view)
//! reads the same bytes where they are dense, else a copy.

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) dtype: DType,
    pub(crate) grid: Grid,
}

impl Place {
    /// Bytes of its elements, halo included.
    pub(crate) fn bytes(&self) -> usize {
        let size = self.dtype.size() as usize;
        self.grid.len().saturating_mul(size)
    }
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

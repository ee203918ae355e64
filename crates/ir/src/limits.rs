//! The bound on what one step opens.
//!
//! Spec: programs, 1.6.

use selfsame_commit::tile_count;
use selfsame_protocol::constants::TILE_BYTES;

use crate::dim::DimValues;
use crate::ops::{Op, Table};
use crate::shape::{ShapeError, elements};
use crate::tensor::DType;

const TILE: u64 = TILE_BYTES as u64;

/// Bound on the tile bytes that `len` contiguous bytes of a tensor of `total` bytes touch.
fn run(len: u64, total: u64) -> u64 {
    let touched = (len.saturating_add(TILE - 2)) / TILE + 1;
    touched.min(tile_count(total)).saturating_mul(TILE)
}

/// Bound on the bytes of tiles that a step on one element of `op` opens.
///
/// `input_dtype` is the element type of input 0, which pools and moves take as it comes.
pub fn opened_bytes(op: &Op, input_dtype: DType, values: &DimValues) -> Result<u64, ShapeError> {
    let input_elements = match op {
        Op::Input(_) => return Ok(0),
        Op::MatMul(_)
        | Op::Conv(_)
        | Op::MaxPool(_)
        | Op::AvgPool(_)
        | Op::Move(_)
        | Op::Concat(_)
        | Op::Pointwise(_) => elements(&op.input_shape(0, values)?),
    };
    let input_bytes = input_elements.saturating_mul(u64::from(input_dtype.size()));
    let extras = |linear: &crate::ops::Linear| {
        TILE * (1 + u64::from(linear.addend.is_some()) + u64::from(linear.table.is_some()))
    };
    let weights = |channels: u32| {
        let row = op.terms();
        run(row, row.saturating_mul(u64::from(channels)))
    };
    Ok(match op {
        Op::Input(_) => 0,
        Op::MatMul(matmul) => {
            run(u64::from(matmul.k_len), input_bytes)
                + weights(matmul.out_channels)
                + extras(&matmul.linear)
        }
        Op::Conv(conv) => {
            let row = u64::from(conv.window.span(1)).saturating_mul(u64::from(conv.channels));
            let rows = u64::from(conv.window.kernel[0]).saturating_mul(run(row, input_bytes));
            let all = tile_count(input_bytes).saturating_mul(TILE);
            rows.min(all)
                .saturating_add(weights(conv.out_channels))
                .saturating_add(extras(&conv.linear))
        }
        Op::MaxPool(pool) => pool
            .window
            .cells()
            .min(tile_count(input_bytes))
            .saturating_mul(TILE),
        Op::AvgPool(pool) => pool
            .window
            .cells()
            .min(tile_count(input_bytes))
            .saturating_mul(TILE),
        Op::Move(_) | Op::Concat(_) => TILE,
        Op::Pointwise(op) => {
            let table = match &op.table {
                None => 0,
                Some(Table::Lookup(_)) => TILE,
                Some(Table::Interpolate(_)) => 3 * TILE,
            };
            TILE + TILE * u64::from(op.second.is_some()) + table
        }
    })
}

//! The bound on what one step opens.
//!
//! Spec: programs, 1.6.

use selfsame_commit::tile_count;
use selfsame_protocol::constants::TILE_BYTES;

use crate::dim::DimValues;
use crate::ops::{Activation, Op};
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
    if let Op::Input(_) = op {
        return Ok(0);
    }
    let input_elements = elements(&op.input_shape(0, values)?);
    let input_size = u64::from(input_dtype.size());
    let input_bytes = input_elements.saturating_mul(input_size);
    let factor = TILE * u64::from(op.factor_slot().is_some());
    let extras = |linear: &crate::ops::Linear| {
        TILE * (1 + u64::from(linear.addend.is_some()) + u64::from(linear.table.is_some()))
    };
    let weights = |channels: u32| {
        let row = op.terms(values);
        run(row, row.saturating_mul(u64::from(channels)))
    };
    Ok(match op {
        Op::Input(_) => 0,
        Op::MatMul(matmul) => {
            run(u64::from(matmul.k_len) * input_size, input_bytes)
                + weights(matmul.out_channels)
                + extras(&matmul.linear)
                + factor
        }
        Op::Conv(conv) => {
            let row = u64::from(conv.window.span(1)).saturating_mul(u64::from(conv.channels));
            let row = row.saturating_mul(input_size);
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
            let table = op.activation.as_ref().and_then(Activation::table);
            let table = table.map_or(0, |(dtype, entries)| {
                let bytes = u64::from(dtype.size()) * entries as u64;
                tile_count(bytes) * TILE
            });
            TILE + TILE * u64::from(op.second.is_some()) + table
        }
        Op::BatchMatMul(_) => {
            let y_bytes = elements(&op.input_shape(1, values)?);
            let terms = op.terms(values);
            run(terms.saturating_mul(input_size), input_bytes) + run(terms, y_bytes) + factor
        }
        Op::Reduce(_) => run(op.terms(values).saturating_mul(input_size), input_bytes),
        Op::Normalize(op) => TILE * (2 + u64::from(op.center)) + factor,
        Op::Embedding(_) => 2 * TILE,
    })
}

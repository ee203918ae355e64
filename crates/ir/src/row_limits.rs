//! Limits of the operators that work on rows: products of two inputs, reductions, normalisation,
//! embeddings.
//!
//! Spec: programs, 1.18 to 1.21.

use selfsame_protocol::constants as c;

use crate::check::ProgramError;
use crate::op_limits::{check_clamp, expect_type, limit, limit_signed};
use crate::ops::{BatchMatMul, Embedding, FactorShift, Normalize, Op, Reduce};
use crate::tensor::DType;

/// Whether an operator multiplies int16 elements with others.
pub(crate) fn wide_product(op: &Op) -> bool {
    match op {
        Op::MatMul(op) => op.dtype != DType::I8,
        Op::BatchMatMul(op) => op.dtype != DType::I8,
        Op::Conv(op) => op.dtype != DType::I8,
        Op::Input(_)
        | Op::MaxPool(_)
        | Op::AvgPool(_)
        | Op::Move(_)
        | Op::Concat(_)
        | Op::Pointwise(_)
        | Op::Reduce(_)
        | Op::Normalize(_)
        | Op::Embedding(_) => false,
    }
}

/// The first operand of a product is i8 or i16; the shift of a row factor is one.
pub(crate) fn check_product(
    index: usize,
    dtype: DType,
    factor: Option<FactorShift>,
) -> Result<(), ProgramError> {
    if dtype == DType::I32 {
        expect_type(index, dtype, DType::I16)?;
    }
    match factor {
        None => Ok(()),
        Some(FactorShift(shift)) => check_shift(index, "factor shift", shift),
    }
}

pub(crate) fn check_batch_matmul(
    index: usize,
    dtype: DType,
    op: &BatchMatMul,
) -> Result<(), ProgramError> {
    let most = u64::from(c::ELEMENTS_MAX);
    limit(index, "batch", u64::from(op.batch), 1, most)?;
    limit(index, "group", u64::from(op.group), 1, u64::from(op.batch))?;
    let rest = u64::from(op.batch % op.group);
    limit(index, "batch modulo group", rest, 0, 0)?;
    check_product(index, op.dtype, op.factor)?;
    check_scale(index, op.multiplier, op.shift)?;
    check_clamp(index, dtype.range(), op.low, op.high)
}

pub(crate) fn check_reduce(index: usize, dtype: DType, op: &Reduce) -> Result<(), ProgramError> {
    if op.kind.squares() && op.dtype == DType::I32 {
        expect_type(index, op.dtype, DType::I16)?;
    }
    check_scale(index, op.multiplier, op.shift)?;
    check_clamp(index, dtype.range(), op.low, op.high)
}

pub(crate) fn check_normalize(
    index: usize,
    dtype: DType,
    op: &Normalize,
) -> Result<(), ProgramError> {
    let columns = u64::from(op.columns);
    limit(index, "columns", columns, 1, u64::from(c::ELEMENTS_MAX) / 4)?;
    let bits = u64::from(op.center_bits);
    limit(index, "center bits", bits, 0, u64::from(c::CENTER_BITS_MAX))?;
    check_shift(index, "factor shift", op.shift.0)?;
    let found = op.constants.len() as u64;
    limit(index, "column constants", found, columns, columns)?;
    let (bias, most) = (i64::from(c::BIAS_MAX), i64::from(c::MULTIPLIER_MAX));
    for constants in &op.constants {
        limit_signed(index, "bias", i64::from(constants.bias), -bias, bias)?;
        let multiplier = i64::from(constants.multiplier);
        limit_signed(index, "multiplier", multiplier, -most, most)?;
        let shift = i64::from(constants.shift);
        limit_signed(index, "shift", shift, 1, i64::from(c::SHIFT_MAX))?;
    }
    check_clamp(index, dtype.range(), op.low, op.high)
}

pub(crate) fn check_embedding(
    index: usize,
    dtype: DType,
    op: &Embedding,
) -> Result<(), ProgramError> {
    let most = u64::from(c::ELEMENTS_MAX);
    limit(index, "columns", u64::from(op.columns), 1, most)?;
    limit(index, "entries", u64::from(op.entries), 1, most)?;
    let elements = u64::from(op.entries).saturating_mul(u64::from(op.columns));
    limit(index, "table elements", elements, 1, most)?;
    expect_type(index, op.table.dtype(), dtype)?;
    let found = op.table.len() as u64;
    limit(index, "table elements", found, elements, elements)?;
    op.table
        .check_range()
        .map_err(|error| ProgramError::Value { node: index, error })
}

fn check_scale(index: usize, multiplier: u16, shift: u8) -> Result<(), ProgramError> {
    let most = u64::from(c::MULTIPLIER_MAX);
    limit(index, "multiplier", u64::from(multiplier), 1, most)?;
    check_shift(index, "shift", shift)
}

fn check_shift(index: usize, field: &'static str, shift: u8) -> Result<(), ProgramError> {
    limit(index, field, u64::from(shift), 1, u64::from(c::SHIFT_MAX))
}

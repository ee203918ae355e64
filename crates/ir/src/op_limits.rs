//! Limits on the parameters and tensors of each operator.
//!
//! Spec: programs, 1.11 to 1.13.

use selfsame_protocol::constants as c;

use crate::check::ProgramError;
use crate::ops::{
    Activation, AvgPool, ChannelConstants, Combine, Concat, Conv, Linear, MatMul, Move, Op,
    Operand, Pointwise, Window,
};
use crate::program::Node;
use crate::row_limits::{
    check_batch_matmul, check_embedding, check_normalize, check_product, check_reduce,
};
use crate::tensor::DType;

pub(crate) fn limit(
    node: usize,
    field: &'static str,
    found: u64,
    low: u64,
    high: u64,
) -> Result<(), ProgramError> {
    if (low..=high).contains(&found) {
        return Ok(());
    }
    let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    Err(ProgramError::Limit {
        node,
        field,
        found: signed(found),
        low: signed(low),
        high: signed(high),
    })
}

pub(crate) fn limit_signed(
    node: usize,
    field: &'static str,
    found: i64,
    low: i64,
    high: i64,
) -> Result<(), ProgramError> {
    if (low..=high).contains(&found) {
        return Ok(());
    }
    Err(ProgramError::Limit {
        node,
        field,
        found,
        low,
        high,
    })
}

/// Checks everything about node `index` that its own parameters and tensors decide.
pub(crate) fn check_op(index: usize, node: &Node) -> Result<(), ProgramError> {
    let elements_max = u64::from(c::ELEMENTS_MAX);
    match &node.op {
        Op::Input(op) => limit(
            index,
            "rank",
            op.shape.len() as u64,
            1,
            u64::from(c::RANK_MAX),
        ),
        Op::MatMul(op) => check_matmul(index, node.dtype, op),
        Op::Conv(op) => check_conv(index, node.dtype, op),
        Op::MaxPool(op) => {
            limit(index, "channels", u64::from(op.channels), 1, elements_max)?;
            check_window(index, &op.window, true)
        }
        Op::AvgPool(op) => check_avg_pool(index, node.dtype, op),
        Op::Move(op) => check_move(index, node.dtype, op),
        Op::Concat(op) => check_concat(index, op),
        Op::Pointwise(op) => check_pointwise(index, node.dtype, op),
        Op::BatchMatMul(op) => check_batch_matmul(index, node.dtype, op),
        Op::Reduce(op) => check_reduce(index, node.dtype, op),
        Op::Normalize(op) => check_normalize(index, node.dtype, op),
        Op::Embedding(op) => check_embedding(index, node.dtype, op),
    }
}

fn check_matmul(index: usize, dtype: DType, op: &MatMul) -> Result<(), ProgramError> {
    let end = u64::from(op.k_offset) + u64::from(op.k_len);
    limit(
        index,
        "k_offset + k_len",
        end,
        1,
        u64::from(op.row_elements),
    )?;
    limit(
        index,
        "output channels",
        u64::from(op.out_channels),
        1,
        u64::from(c::ELEMENTS_MAX),
    )?;
    check_product(index, op.dtype, op.factor)?;
    check_linear(
        index,
        dtype,
        &op.linear,
        op.out_channels,
        u64::from(op.k_len),
    )
}

fn check_conv(index: usize, dtype: DType, op: &Conv) -> Result<(), ProgramError> {
    limit(
        index,
        "groups",
        u64::from(op.groups),
        1,
        u64::from(op.channels),
    )?;
    limit(
        index,
        "channels modulo groups",
        u64::from(op.channels % op.groups),
        0,
        0,
    )?;
    limit(
        index,
        "output channels",
        u64::from(op.out_channels),
        1,
        u64::from(c::ELEMENTS_MAX),
    )?;
    limit(
        index,
        "output channels modulo groups",
        u64::from(op.out_channels % op.groups),
        0,
        0,
    )?;
    check_window(index, &op.window, false)?;
    check_product(index, op.dtype, None)?;
    let terms = op
        .window
        .cells()
        .saturating_mul(u64::from(op.channels / op.groups));
    check_linear(index, dtype, &op.linear, op.out_channels, terms)
}

fn check_avg_pool(index: usize, dtype: DType, op: &AvgPool) -> Result<(), ProgramError> {
    limit(
        index,
        "channels",
        u64::from(op.channels),
        1,
        u64::from(c::ELEMENTS_MAX),
    )?;
    check_window(index, &op.window, true)?;
    limit(
        index,
        "multiplier",
        u64::from(op.multiplier),
        1,
        u64::from(c::MULTIPLIER_MAX),
    )?;
    limit(
        index,
        "shift",
        u64::from(op.shift),
        1,
        u64::from(c::SHIFT_MAX),
    )?;
    check_clamp(index, dtype.range(), op.low, op.high)
}

fn check_move(index: usize, dtype: DType, op: &Move) -> Result<(), ProgramError> {
    let rank = op.shape.len() as u64;
    limit(index, "rank", rank, 1, u64::from(c::RANK_MAX))?;
    limit(
        index,
        "axes of the output",
        op.walks.len() as u64,
        rank,
        rank,
    )?;
    let step_max = i64::from(c::STEP_MAX);
    let offset_max = i64::from(c::ELEMENTS_MAX);
    let mut seen = 0_u64;
    for walk in &op.walks {
        limit(index, "axis", u64::from(walk.source), 0, rank - 1)?;
        limit(index, "axis named twice", (seen >> walk.source) & 1, 0, 0)?;
        seen |= 1 << walk.source;
        let (numerator, offset) = (i64::from(walk.numerator), i64::from(walk.offset));
        limit_signed(index, "numerator", numerator, -step_max, step_max)?;
        limit_signed(index, "offset", offset, -offset_max, offset_max)?;
        let denominator = i64::from(walk.denominator);
        limit_signed(index, "denominator", denominator, 1, step_max)?;
    }
    let (low, high) = dtype.range();
    limit_signed(index, "fill", i64::from(op.fill), low.into(), high.into())
}

fn check_concat(index: usize, op: &Concat) -> Result<(), ProgramError> {
    let most = u64::from(c::CONCAT_INPUTS_MAX);
    limit(index, "inputs", op.columns.len() as u64, 2, most)
}

fn check_pointwise(index: usize, dtype: DType, op: &Pointwise) -> Result<(), ProgramError> {
    let most = i64::from(c::MULTIPLIER_MAX);
    limit_signed(index, "multiplier", i64::from(op.multiplier), -most, most)?;
    let shift = u64::from(op.shift);
    limit(index, "shift", shift, 1, u64::from(c::SHIFT_MAX))?;
    let (product, second) = (op.combine == Combine::Product, op.second.as_ref());
    limit(
        index,
        "factors of a product",
        1 + u64::from(second.is_some()),
        1 + u64::from(product),
        2,
    )?;
    if let Some(y) = second {
        let most = if product { 0 } else { most };
        limit_signed(
            index,
            "second multiplier",
            i64::from(y.multiplier),
            -most,
            most,
        )?;
        // 2^31 * 2^15 * 2^15 < 2^62: two factors of 32 bits would not fit.
        let wide = u64::from(op.dtype == DType::I32) + u64::from(y.dtype == DType::I32);
        limit(
            index,
            "i32 factors of a product",
            wide,
            0,
            if product { 1 } else { 2 },
        )?;
        check_operand(index, y)?;
    }
    match &op.activation {
        None => check_clamp(index, dtype.range(), op.low, op.high),
        Some(activation) => {
            expect_type(index, dtype, activation.output())?;
            check_activation(index, activation)?;
            check_clamp(index, activation.domain(), op.low, op.high)
        }
    }
}

/// Entries of a table are values of its type, those of an exponential not negative.
fn check_activation(index: usize, activation: &Activation) -> Result<(), ProgramError> {
    let (len, low) = match activation {
        Activation::Lookup(entries) => {
            for &entry in entries {
                limit_signed(index, "table entry", i64::from(entry), -127, 127)?;
            }
            (entries.len(), 0)
        }
        Activation::Interpolate(entries) => (entries.len(), -32_767),
        Activation::Exponential(entries) => (entries.len(), 0),
        Activation::Reciprocal { bits } | Activation::ReciprocalRoot { bits } => {
            let most = u64::from(c::RECIPROCAL_BITS_MAX);
            return limit(index, "bits of the reciprocal", u64::from(*bits), 0, most);
        }
    };
    if let Activation::Interpolate(entries) | Activation::Exponential(entries) = activation {
        for &entry in entries {
            limit_signed(index, "table entry", i64::from(entry), low, 32_767)?;
        }
    }
    let expected = activation.table().map_or(0, |(_, entries)| entries as u64);
    limit(index, "table entries", len as u64, expected, expected)
}

/// A constant operand holds values of its type; how many, `check_shapes` says.
fn check_operand(index: usize, y: &Operand) -> Result<(), ProgramError> {
    let Some(constant) = &y.constant else {
        return Ok(());
    };
    expect_type(index, constant.values.dtype(), y.dtype)?;
    let elements = u64::from(constant.elements);
    limit(
        index,
        "constant elements",
        elements,
        1,
        u64::from(c::ELEMENTS_MAX),
    )?;
    let len = constant.values.len() as u64;
    limit(index, "constant elements", len, elements, elements)?;
    let (low, high) = y.dtype.range();
    for at in 0..constant.values.len() {
        let value = constant.values.get(at).unwrap_or_default();
        limit_signed(index, "constant", i64::from(value), low.into(), high.into())?;
    }
    Ok(())
}

pub(crate) fn expect_type(index: usize, found: DType, expected: DType) -> Result<(), ProgramError> {
    if found == expected {
        return Ok(());
    }
    Err(ProgramError::Type {
        node: index,
        found,
        expected,
    })
}

fn check_window(index: usize, window: &Window, pool: bool) -> Result<(), ProgramError> {
    let extent_max = u64::from(c::EXTENT_MAX);
    for axis in 0..2 {
        limit(
            index,
            "kernel",
            u64::from(window.kernel[axis]),
            1,
            extent_max,
        )?;
        limit(
            index,
            "stride",
            u64::from(window.stride[axis]),
            1,
            extent_max,
        )?;
        let dilation_max = if pool { 1 } else { extent_max };
        limit(
            index,
            "dilation",
            u64::from(window.dilation[axis]),
            1,
            dilation_max,
        )?;
        for side in [axis, axis + 2] {
            let pad_max = if pool {
                u64::from(window.span(axis)) - 1
            } else {
                extent_max
            };
            limit(
                index,
                "pad",
                u64::from(window.pad[side]),
                0,
                pad_max.min(extent_max),
            )?;
        }
    }
    Ok(())
}

pub(crate) fn check_clamp(
    index: usize,
    (min, max): (i32, i32),
    low: i32,
    high: i32,
) -> Result<(), ProgramError> {
    limit_signed(
        index,
        "clamp high",
        i64::from(high),
        i64::from(min),
        i64::from(max),
    )?;
    limit_signed(
        index,
        "clamp low",
        i64::from(low),
        i64::from(min),
        i64::from(high),
    )
}

fn check_linear(
    index: usize,
    dtype: DType,
    linear: &Linear,
    out_channels: u32,
    terms: u64,
) -> Result<(), ProgramError> {
    let weights = u64::from(out_channels).saturating_mul(terms);
    limit(index, "weights", weights, 1, u64::from(c::ELEMENTS_MAX))?;
    limit(
        index,
        "weight count",
        linear.weights.len() as u64,
        weights,
        weights,
    )?;
    let channels = u64::from(out_channels);
    limit(
        index,
        "channel constants",
        channels.saturating_mul(4),
        4,
        u64::from(c::ELEMENTS_MAX),
    )?;
    limit(
        index,
        "channel constants",
        linear.constants.len() as u64,
        channels,
        channels,
    )?;
    // The least one: a search that stops early looks at one weight at a time.
    if let Some(least) = linear.weights.iter().copied().min() {
        limit_signed(index, "weight", i64::from(least), -127, 127)?;
    }
    for constants in &linear.constants {
        check_constants(index, constants, linear.addend.is_some())?;
    }
    match &linear.table {
        None => check_clamp(index, dtype.range(), linear.low, linear.high),
        Some(table) => {
            expect_type(index, dtype, DType::I8)?;
            for &entry in table.iter() {
                limit_signed(index, "table entry", i64::from(entry), -127, 127)?;
            }
            check_clamp(index, (-128, 127), linear.low, linear.high)
        }
    }
}

fn check_constants(
    index: usize,
    constants: &ChannelConstants,
    addend: bool,
) -> Result<(), ProgramError> {
    let bias_max = i64::from(c::BIAS_MAX);
    let multiplier_max = i64::from(c::MULTIPLIER_MAX);
    limit_signed(
        index,
        "bias",
        i64::from(constants.bias),
        -bias_max,
        bias_max,
    )?;
    limit_signed(
        index,
        "multiplier",
        i64::from(constants.multiplier),
        1,
        multiplier_max,
    )?;
    let addend_max = if addend { multiplier_max } else { 0 };
    limit_signed(
        index,
        "addend multiplier",
        i64::from(constants.addend_multiplier),
        0,
        addend_max,
    )?;
    limit_signed(
        index,
        "shift",
        i64::from(constants.shift),
        1,
        i64::from(c::SHIFT_MAX),
    )
}

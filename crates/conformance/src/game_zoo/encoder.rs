//! A small encoder of symbolic length: embedding, norm, attention, softmax, feed-forward.
//!
//! Every node that works on rows is here: reductions of several kinds, both roots and reciprocals,
//! an exponential, row factors of all three nodes that take one, int16 operands, heads in both orders.

use selfsame_ir::{
    Activation, BatchMatMul, ChannelConstants, ColumnConstants, Combine, Constant, DType, Dim,
    DimValues, Embedding, FactorShift, Interleave, Linear, Move, Normalize, Op, Operand, Pointwise,
    Reduce, ReduceKind, Spread, Symbol, Tensor, Walk,
};

use super::{Animal, Builder, matmul};

const WIDTH: u32 = 32;
const HEADS: u32 = 2;
const HEAD: u32 = WIDTH / HEADS;
const INNER: u32 = 48;
const LENGTH_MAX: u32 = 24;

/// `times` tokens' worth of rows.
fn length(times: u32) -> Dim {
    Dim::affine(1, times, 0)
}

/// One encoder layer over tokens, then the largest column of each row.
///
/// # Panics
///
/// Never: its extents fit.
pub fn encoder(seed: u64) -> Animal {
    let mut b = Builder::new(seed, DType::I32, &[length(1)]);
    let hidden = embed(&mut b);
    let normed = norm(&mut b, hidden);
    let attended = attention(&mut b, normed);
    let op = linear(
        &mut b,
        WIDTH,
        WIDTH,
        DType::I8,
        (Some(DType::I16), DType::I16),
    );
    let joined = b.push(op, &[attended, hidden], DType::I16);
    let last = feed_forward(&mut b, joined);
    let affine = normalize(&mut b, (false, false), (0, 15, 21));
    let scaled = b.push(Op::Normalize(affine), &[last], DType::I8);
    reduce(
        &mut b,
        scaled,
        ReduceKind::ArgMax,
        (1, Dim::fixed(WIDTH)),
        DType::I8,
    );
    let symbols = vec![Symbol {
        minimum: 2,
        maximum: LENGTH_MAX,
    }];
    b.finish("encoder", symbols, DimValues(vec![9]))
}

/// Words and places.
fn embed(b: &mut Builder) -> u32 {
    let table = int16s(b, 48 * WIDTH);
    let op = Op::Embedding(Embedding {
        rows: length(1),
        columns: WIDTH,
        entries: 48,
        table: table.into(),
    });
    let words = b.push(op, &[0], DType::I16);
    let values = int16s(b, LENGTH_MAX * WIDTH);
    let mut op = pointwise((1, Dim::fixed(WIDTH)), DType::I16);
    op.second = Some(Operand {
        dtype: DType::I16,
        spread: Spread::Full,
        multiplier: 1,
        constant: Some(Constant {
            elements: LENGTH_MAX * WIDTH,
            values,
        }),
    });
    (op.low, op.high) = (-32_767, 32_767);
    b.push(Op::Pointwise(op), &[words], DType::I16)
}

fn int16s(b: &mut Builder, len: u32) -> Tensor {
    let values: Vec<i32> = (0..len).map(|_| b.dice.between(-9_000, 9_000)).collect();
    Tensor::from_values(DType::I16, &values).expect("drawn inside int16")
}

/// Layer norm: mean, variance, one over the deviation.
fn norm(b: &mut Builder, x: u32) -> u32 {
    let shape = (1, Dim::fixed(WIDTH));
    let mean = reduce(b, x, ReduceKind::Mean, shape, DType::I16);
    let variance = reduce(b, x, ReduceKind::Variance, shape, DType::I16);
    let root = inverse(b, variance, 1, Activation::ReciprocalRoot { bits: 48 });
    // x*2^8 - mean is near 2^21, times M near 2^35, t near 2^23; one over the deviation is near 2^20.
    let op = normalize(b, (true, true), (8, 12, 30));
    b.push(Op::Normalize(op), &[x, mean, root], DType::I16)
}

/// Two heads; queries from rows that were quantised by their own magnitude, softmax without its
/// division.
fn attention(b: &mut Builder, x: u32) -> u32 {
    let shape = (1, Dim::fixed(WIDTH));
    let largest = reduce(b, x, ReduceKind::Magnitude, shape, DType::I16);
    let share = inverse(b, largest, 1, Activation::Reciprocal { bits: 31 });
    let mut op = product(shape, DType::I16, 24);
    (op.low, op.high) = (-127, 127);
    let narrow = b.push(Op::Pointwise(op), &[x, share], DType::I8);

    let mut op = linear(b, WIDTH, WIDTH, DType::I8, (None, DType::I8));
    if let Op::MatMul(op) = &mut op {
        let wider = |c: &mut ChannelConstants| (c.shift, c.bias) = (12, c.bias / 64);
        op.linear.constants.iter_mut().for_each(wider);
        op.factor = Some(FactorShift(22));
    }
    let queries = b.push(op, &[narrow, largest], DType::I8);
    let op = linear(b, WIDTH, WIDTH, DType::I16, (None, DType::I8));
    let keys = b.push(op, &[x], DType::I8);
    let op = linear(b, WIDTH, WIDTH, DType::I16, (None, DType::I8));
    let values = b.push(op, &[x], DType::I8);

    let op = Op::BatchMatMul(BatchMatMul {
        rows: length(1),
        columns: length(1),
        k: Dim::fixed(HEAD),
        interleave: Interleave {
            x: true,
            y: true,
            output: false,
        },
        ..heads(DType::I8, DType::I16)
    });
    let scores = b.push(op, &[queries, keys], DType::I16);
    let (powers, over) = softmax(b, scores);
    let walk = |axis, extent| Walk::along(axis, extent);
    let shape = vec![length(1), Dim::fixed(HEADS), Dim::fixed(HEAD)];
    let walks = vec![walk(1, shape[1]), walk(2, shape[2]), walk(0, shape[0])];
    let turn = Op::Move(Move {
        walks,
        shape,
        fill: 0,
    });
    let turned = b.push(turn, &[values], DType::I8);
    let op = Op::BatchMatMul(BatchMatMul {
        rows: length(1),
        columns: Dim::fixed(HEAD),
        k: length(1),
        interleave: Interleave {
            x: false,
            y: false,
            output: true,
        },
        multiplier: 2,
        shift: 1,
        factor: Some(FactorShift(31)),
        ..heads(DType::I16, DType::I8)
    });
    b.push(op, &[powers, turned, over], DType::I8)
}

/// Powers of the distance to each row's maximum, and one over their sum.
fn softmax(b: &mut Builder, scores: u32) -> (u32, u32) {
    let shape = (HEADS, length(1));
    let peak = reduce(b, scores, ReduceKind::Maximum, shape, DType::I16);
    let mut op = pointwise(shape, DType::I16);
    op.multiplier = -2;
    op.second = Some(row_operand(2));
    (op.low, op.high) = (0, 65_535);
    op.activation = Some(Activation::Exponential(decay()));
    let powers = b.push(Op::Pointwise(op), &[scores, peak], DType::I16);
    let sum = reduce(b, powers, ReduceKind::Sum, shape, DType::I16);
    let over = inverse(b, sum, HEADS, Activation::Reciprocal { bits: 31 });
    (powers, over)
}

/// RMS norm, a wider layer with an interpolated activation, and back.
fn feed_forward(b: &mut Builder, x: u32) -> u32 {
    let shape = (1, Dim::fixed(WIDTH));
    let squares = reduce(b, x, ReduceKind::Squares, shape, DType::I16);
    let root = inverse(b, squares, 1, Activation::ReciprocalRoot { bits: 52 });
    let op = normalize(b, (false, true), (0, 12, 33));
    let normed = b.push(Op::Normalize(op), &[x, root], DType::I8);
    let op = linear(b, WIDTH, INNER, DType::I8, (None, DType::I16));
    let up = b.push(op, &[normed], DType::I16);
    let mut op = pointwise((1, Dim::fixed(INNER)), DType::I16);
    (op.low, op.high) = (-32_768, 32_767);
    let entries = (0..513).map(|at: i32| i16::try_from(((at - 256) * 127).max(0)));
    let entries = entries.map(Result::unwrap_or_default).collect();
    op.activation = Some(Activation::Interpolate(entries));
    let active = b.push(Op::Pointwise(op), &[up], DType::I16);
    let types = (Some(DType::I16), DType::I16);
    let op = linear(b, INNER, WIDTH, DType::I16, types);
    b.push(op, &[active, x], DType::I16)
}

fn linear(
    b: &mut Builder,
    inputs: u32,
    outputs: u32,
    dtype: DType,
    types: (Option<DType>, DType),
) -> Op {
    let mut op = matmul(b, length(1), (inputs, 0, inputs), outputs, types);
    op.dtype = dtype;
    if dtype == DType::I16 {
        widen(&mut op.linear);
    }
    Op::MatMul(op)
}

/// Elements of int16 have eight bits more.
fn widen(linear: &mut Linear) {
    for constants in &mut linear.constants {
        constants.shift += 8;
        constants.bias <<= 8;
    }
}

const fn heads(dtype: DType, out: DType) -> BatchMatMul {
    let (low, high) = out.range();
    BatchMatMul {
        batch: HEADS,
        group: 1,
        rows: Dim::fixed(1),
        columns: Dim::fixed(1),
        k: Dim::fixed(1),
        interleave: Interleave {
            x: false,
            y: false,
            output: false,
        },
        dtype,
        multiplier: 9_000,
        shift: 14,
        factor: None,
        low,
        high,
    }
}

/// One i32 for each of `times * length` rows, as it is; what squares int16 elements in larger units.
fn reduce(b: &mut Builder, x: u32, kind: ReduceKind, shape: (u32, Dim), dtype: DType) -> u32 {
    let (low, high) = DType::I32.range();
    let shift = match kind {
        ReduceKind::Variance => 17,
        ReduceKind::Squares => 5,
        ReduceKind::Sum
        | ReduceKind::Mean
        | ReduceKind::Maximum
        | ReduceKind::Magnitude
        | ReduceKind::ArgMax => 1,
    };
    let op = Op::Reduce(Reduce {
        rows: length(shape.0),
        columns: shape.1,
        kind,
        dtype,
        multiplier: 2,
        shift,
        low,
        high,
    });
    b.push(op, &[x], DType::I32)
}

/// A reciprocal of one i32 for each row.
fn inverse(b: &mut Builder, x: u32, times: u32, activation: Activation) -> u32 {
    let mut op = pointwise((times, Dim::fixed(1)), DType::I32);
    op.activation = Some(activation);
    b.push(Op::Pointwise(op), &[x], DType::I32)
}

/// `(x*2 + 1) >> 1` over `times * length` rows.
fn pointwise((times, columns): (u32, Dim), dtype: DType) -> Pointwise {
    let (low, high) = DType::I32.range();
    Pointwise {
        rows: length(times),
        columns,
        dtype,
        multiplier: 2,
        combine: Combine::Sum,
        second: None,
        shift: 1,
        low,
        high,
        activation: None,
    }
}

/// `x * y >> shift`, y one i32 for each row.
fn product(shape: (u32, Dim), dtype: DType, shift: u8) -> Pointwise {
    Pointwise {
        multiplier: 1,
        combine: Combine::Product,
        second: Some(row_operand(0)),
        shift,
        ..pointwise(shape, dtype)
    }
}

const fn row_operand(multiplier: i32) -> Operand {
    Operand {
        dtype: DType::I32,
        spread: Spread::Row,
        multiplier,
        constant: None,
    }
}

fn normalize(
    b: &mut Builder,
    (center, factor): (bool, bool),
    (center_bits, shift, last): (u8, i32, u8),
) -> Normalize {
    let column = |_| ColumnConstants {
        bias: b.dice.between(-2_000, 2_000),
        multiplier: b.dice.between(-32_767, 32_767),
        shift,
    };
    let constants = (0..WIDTH).map(column).collect();
    Normalize {
        rows: length(1),
        columns: WIDTH,
        dtype: DType::I16,
        center_bits,
        center,
        factor,
        shift: FactorShift(last),
        low: if center { -32_767 } else { -127 },
        high: if center { 32_767 } else { 127 },
        constants,
    }
}

/// `32767 * (2047/2048)^v`, in 256 coarse steps of 256 fine ones.
fn decay() -> Vec<i16> {
    let fine = (0..256).scan(32_767_i64, |at, _| {
        let now = *at;
        *at = now * 2_047 / 2_048;
        Some(now)
    });
    let fine: Vec<i64> = fine.collect();
    let coarse = (0..256).scan(32_767_i64, |at, _| {
        let now = *at;
        *at = now * fine[255] / 32_768;
        Some(now)
    });
    let entries: Vec<i64> = coarse.collect();
    let entries = entries.into_iter().chain(fine);
    entries
        .map(|e| i16::try_from(e).unwrap_or_default())
        .collect()
}

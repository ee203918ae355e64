//! Elements that read as much as an element may: what a step costs at most.

use selfsame_ir::{
    BatchMatMul, Combine, DType, Dim, DimValues, Interleave, Op, Pointwise, Reduce, ReduceKind,
};

use super::{Animal, Builder, dims, matmul};

const LONGEST: u32 = 16_384;
const LONGEST_WIDE: u32 = 8_192;

/// One contraction as long as an element may read.
pub fn long(seed: u64) -> Animal {
    let mut b = Builder::new(seed, DType::I8, &dims(&[LONGEST]));
    let slice = (LONGEST, 0, LONGEST);
    let op = matmul(&mut b, Dim::fixed(1), slice, 4, (None, DType::I8));
    b.push(Op::MatMul(op), &[0], DType::I8);
    b.finish("long", Vec::new(), DimValues::NONE)
}

/// Rows of every element type as long as an element may read, in each node that reads rows.
pub fn long_rows(seed: u64) -> Animal {
    let mut b = Builder::new(seed, DType::I16, &dims(&[LONGEST]));
    let slice = (LONGEST, LONGEST_WIDE, LONGEST_WIDE);
    let mut op = matmul(&mut b, Dim::fixed(1), slice, 4, (None, DType::I8));
    op.dtype = DType::I16;
    for constants in &mut op.linear.constants {
        constants.shift += 8;
    }
    b.push(Op::MatMul(op), &[0], DType::I8);
    let bytes = b.push(copy(DType::I16, 9, DType::I8), &[0], DType::I8);
    let words = b.push(copy(DType::I16, 1, DType::I32), &[0], DType::I32);
    b.push(product(DType::I8, LONGEST), &[bytes, bytes], DType::I16);
    b.push(product(DType::I16, LONGEST_WIDE), &[0, bytes], DType::I16);
    for kind in ReduceKind::ALL {
        b.push(reduce(kind, DType::I8, 1), &[bytes], DType::I32);
        b.push(reduce(kind, DType::I16, 1), &[0], DType::I32);
        if !kind.squares() {
            b.push(reduce(kind, DType::I32, 2), &[words], DType::I32);
        }
    }
    b.finish("long_rows", Vec::new(), DimValues::NONE)
}

/// The input's elements, shifted.
fn copy(dtype: DType, shift: u8, out: DType) -> Op {
    let (low, high) = out.range();
    Op::Pointwise(Pointwise {
        rows: Dim::fixed(1),
        columns: Dim::fixed(LONGEST),
        dtype,
        multiplier: 2,
        combine: Combine::Sum,
        second: None,
        shift,
        low,
        high,
        activation: None,
    })
}

fn product(dtype: DType, k: u32) -> Op {
    let rows = LONGEST / k;
    Op::BatchMatMul(BatchMatMul {
        batch: rows,
        group: 1,
        rows: Dim::fixed(1),
        columns: Dim::fixed(1),
        k: Dim::fixed(k),
        interleave: Interleave::default(),
        dtype,
        multiplier: 30_000,
        shift: if dtype == DType::I8 { 23 } else { 31 },
        factor: None,
        low: -32_767,
        high: 32_767,
    })
}

fn reduce(kind: ReduceKind, dtype: DType, rows: u32) -> Op {
    let (low, high) = DType::I32.range();
    Op::Reduce(Reduce {
        rows: Dim::fixed(rows),
        columns: Dim::fixed(LONGEST / rows),
        kind,
        dtype,
        multiplier: 2,
        shift: match kind {
            ReduceKind::Squares | ReduceKind::Variance => 17,
            ReduceKind::Sum
            | ReduceKind::Mean
            | ReduceKind::Maximum
            | ReduceKind::Magnitude
            | ReduceKind::ArgMax => 1,
        },
        low,
        high,
    })
}

//! What is special about a node that works on rows, and about a row factor.

use selfsame_ir::{
    Activation, BatchMatMul, DType, Dim, Embedding, Normalize, Pointwise, Reduce, ReduceKind,
    Tensor,
};

use super::Subject;
use super::features::{saturated, typed, when};

type Met = Vec<&'static str>;

pub(super) fn batch_matmul(op: &BatchMatMul, subject: &Subject, node: u32, met: &mut Met) {
    let out = subject.program.nodes()[node as usize].dtype;
    met.push("batch_matmul");
    when(op.dtype == DType::I8, "batch_matmul: i8", met);
    when(op.dtype == DType::I16, "batch_matmul: i16", met);
    when(op.batch == 1, "batch_matmul: one batch", met);
    when(op.batch > 1, "batch_matmul: batches", met);
    when(op.group > 1, "batch_matmul: groups of batches", met);
    let order = |interleaved: bool, names: [&'static str; 2]| names[usize::from(interleaved)];
    // With one batch both orders are the same.
    if op.batch > 1 {
        met.push(order(
            op.interleave.x,
            [
                "batch_matmul: x in batches of rows",
                "batch_matmul: x in rows of batches",
            ],
        ));
        met.push(order(
            op.interleave.output,
            [
                "batch_matmul: output in batches of rows",
                "batch_matmul: output in rows of batches",
            ],
        ));
    }
    if op.batch > op.group {
        met.push(order(
            op.interleave.y,
            [
                "batch_matmul: y in batches of rows",
                "batch_matmul: y in rows of batches",
            ],
        ));
    }
    when(op.factor.is_some(), "batch_matmul: row factor", met);
    let row = op.k.at(&subject.values).unwrap_or(1) * op.dtype.size();
    when(row > 512, "batch_matmul: rows of many tiles", met);
    when(symbolic(op.rows), "batch_matmul: symbolic rows", met);
    when(symbolic(op.columns), "batch_matmul: symbolic columns", met);
    when(symbolic(op.k), "batch_matmul: symbolic terms", met);
    met.push(typed(
        out,
        [
            "batch_matmul: to i8",
            "batch_matmul: to i16",
            "batch_matmul: to i32",
        ],
    ));
    let (low, high) = saturated(subject, node, op.low, op.high);
    when(low, "batch_matmul: saturated low", met);
    when(high, "batch_matmul: saturated high", met);
    let square = symbolic(op.rows) && symbolic(op.columns);
    when(square, "any: output quadratic in a symbol", met);
}

pub(super) fn reduce(op: &Reduce, subject: &Subject, node: u32, met: &mut Met) {
    let out = subject.program.nodes()[node as usize].dtype;
    met.push("reduce");
    met.push(match op.kind {
        ReduceKind::Sum => "reduce: sum",
        ReduceKind::Mean => "reduce: mean",
        ReduceKind::Squares => "reduce: squares",
        ReduceKind::Variance => "reduce: variance",
        ReduceKind::Maximum => "reduce: maximum",
        ReduceKind::Magnitude => "reduce: magnitude",
        ReduceKind::ArgMax => "reduce: argmax",
    });
    let columns = op.columns.at(&subject.values).unwrap_or(1) as usize;
    if op.kind == ReduceKind::ArgMax {
        let elements: Vec<i32> = input(subject, node, 0).iter().collect();
        let equals = elements.chunks(columns).any(|row| {
            let largest = row.iter().max();
            row.iter().filter(|&x| Some(x) == largest).count() > 1
        });
        when(equals, "reduce: argmax between equals", met);
    }
    met.push(typed(
        op.dtype,
        ["reduce: i8", "reduce: i16", "reduce: i32"],
    ));
    met.push(typed(
        out,
        ["reduce: to i8", "reduce: to i16", "reduce: to i32"],
    ));
    when(columns > 512, "reduce: of more than 512 elements", met);
    when(symbolic(op.columns), "reduce: symbolic columns", met);
    let (low, high) = saturated(subject, node, op.low, op.high);
    when(low, "reduce: saturated low", met);
    when(high, "reduce: saturated high", met);
}

pub(super) fn normalize(op: &Normalize, subject: &Subject, node: u32, met: &mut Met) {
    let out = subject.program.nodes()[node as usize].dtype;
    met.push("normalize");
    met.push(match (op.center, op.factor) {
        (false, false) => "normalize: neither center nor factor",
        (true, false) => "normalize: center",
        (false, true) => "normalize: factor",
        (true, true) => "normalize: center and factor",
    });
    when(op.center_bits > 0, "normalize: center bits", met);
    met.push(typed(
        op.dtype,
        ["normalize: i8", "normalize: i16", "normalize: i32"],
    ));
    met.push(typed(
        out,
        ["normalize: to i8", "normalize: to i16", "normalize: to i32"],
    ));
    let (low, high) = saturated(subject, node, op.low, op.high);
    when(low, "normalize: saturated low", met);
    when(high, "normalize: saturated high", met);
}

pub(super) fn embedding(op: &Embedding, subject: &Subject, node: u32, met: &mut Met) {
    met.push("embedding");
    met.push(typed(
        op.table.dtype(),
        ["embedding: of i8", "embedding: of i16", "embedding: of i32"],
    ));
    let entries = i64::from(op.entries);
    let any = |inside: &dyn Fn(i64) -> bool| {
        let mut indices = input(subject, node, 0).iter();
        indices.any(|index| inside(i64::from(index)))
    };
    when(any(&|index| index < 0), "embedding: index below 0", met);
    let inside = any(&|index| 0 < index && index < entries - 1);
    when(inside, "embedding: index inside", met);
    let beyond = any(&|index| entries <= index);
    when(beyond, "embedding: index beyond the table", met);
    let bytes = op.table.len() * op.table.dtype().size() as usize;
    when(bytes > 512, "embedding: table of many tiles", met);
}

pub(super) fn pointwise(op: &Pointwise, subject: &Subject, node: u32, met: &mut Met) {
    when(symbolic(op.columns), "pointwise: symbolic columns", met);
    let square = symbolic(op.rows) && symbolic(op.columns);
    when(square, "any: output quadratic in a symbol", met);
    if let Some(Activation::Reciprocal { bits }) = op.activation {
        // Of 0 and below it is the reciprocal of 1, the largest that there is.
        let most = i32::try_from(1_u64 << bits.min(62)).unwrap_or(i32::MAX);
        let output = subject.trace.output(node);
        let met_one = output.is_some_and(|output| output.iter().any(|value| value == most));
        when(
            met_one && op.low <= 0,
            "pointwise: reciprocal of 0 or less",
            met,
        );
    }
}

/// The signs of a row factor.
pub(super) fn factor(subject: &Subject, node: u32, met: &mut Met) {
    let Some(slot) = subject.program.nodes()[node as usize].op.factor_slot() else {
        return;
    };
    let factors = input(subject, node, slot);
    when(factors.iter().any(|g| g > 0), "row factor: above 0", met);
    when(factors.iter().any(|g| g == 0), "row factor: 0", met);
    when(factors.iter().any(|g| g < 0), "row factor: below 0", met);
}

fn symbolic(dim: Dim) -> bool {
    dim.constant().is_none()
}

fn input(subject: &Subject, node: u32, slot: usize) -> &Tensor {
    let source = subject.program.nodes()[node as usize].inputs[slot];
    subject
        .trace
        .output(source)
        .expect("every node has an output")
}

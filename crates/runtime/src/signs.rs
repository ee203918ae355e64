//! Which nodes have outputs without a negative element, whatever the input is: what some kernels
//! multiply faster.
//!
//! A clamp that begins at 0 or above says so, and so does a table without a negative entry; moving,
//! pooling and averaging keep it. Where nothing says so, the answer is no.

use selfsame_ir::{Linear, Node, Op};

/// For each node whether no element of its output is negative.
pub(crate) fn non_negative(nodes: &[Node]) -> Vec<bool> {
    let mut known = Vec::with_capacity(nodes.len());
    for node in nodes {
        let is = of_node(node, &known);
        known.push(is);
    }
    known
}

fn of_node(node: &Node, known: &[bool]) -> bool {
    let source = |&source: &u32| known.get(source as usize) == Some(&true);
    let sources = || !node.inputs.is_empty() && node.inputs.iter().all(source);
    match &node.op {
        Op::Conv(op) => of_linear(&op.linear),
        Op::MatMul(op) => of_linear(&op.linear),
        Op::AvgPool(op) => 0 <= op.low,
        Op::Move(op) => 0 <= op.fill && sources(),
        Op::MaxPool(_) | Op::Concat(_) => sources(),
        Op::Pointwise(op) => 0 <= op.low && op.activation.is_none(),
        Op::BatchMatMul(op) => 0 <= op.low,
        Op::Reduce(op) => 0 <= op.low,
        Op::Normalize(op) => 0 <= op.low,
        Op::Input(_) | Op::Embedding(_) => false,
    }
}

fn of_linear(op: &Linear) -> bool {
    match &op.table {
        Some(table) => table.iter().all(|&entry| 0 <= entry),
        None => 0 <= op.low,
    }
}

//! Programs for every length: one program from those of two lengths.
//!
//! The same model is lowered at two values of a symbol. What differs must be extents, and each must
//! grow in proportion: `extent = scale * value + offset`. Constants that a run reads from its
//! beginning must agree as far as the shorter one goes. A third value checks the result.

use selfsame_ir::{Dim, DimValues, Move, Node, Op, Pointwise, Program, Symbol, Tensor};

use super::error::CompileError;

/// The value of the only symbol in each of two programs.
#[derive(Debug, Clone, Copy)]
struct Line {
    low: u32,
    high: u32,
}

impl Line {
    /// The dimension that is `low` and `high` at the two values; `None` if none of the format is.
    fn through(self, low: Dim, high: Dim) -> Option<Dim> {
        let (a, b) = (low.constant()?, high.constant()?);
        if a == b {
            return Some(low);
        }
        let rise = i64::from(b) - i64::from(a);
        let run = i64::from(self.high) - i64::from(self.low);
        let scale = rise.checked_div(run).filter(|scale| scale * run == rise)?;
        let offset = i64::from(a) - scale * i64::from(self.low);
        let scale = u32::try_from(scale).ok()?;
        Some(Dim::affine(1, scale, i32::try_from(offset).ok()?))
    }

    fn each(self, low: &mut [Dim], high: &[Dim]) -> Option<()> {
        if low.len() != high.len() {
            return None;
        }
        for (low, &high) in low.iter_mut().zip(high) {
            *low = self.through(*low, high)?;
        }
        Some(())
    }
}

/// Joins the program at value `low` with the one at value `high` of a symbol `1..=high`.
///
/// The symbol's bounds are `minimum..=high`. `high`'s constants stay.
pub(crate) fn join(
    name: &str,
    low: (u32, &Program),
    high: (u32, Program),
    minimum: u32,
) -> Result<Program, CompileError> {
    let line = Line {
        low: low.0,
        high: high.0,
    };
    let refuse = |node: &str, what: &str| CompileError::Symbol {
        symbol: name.to_owned(),
        node: node.to_owned(),
        what: what.to_owned(),
    };
    let mut joined = high.1;
    if joined.nodes.len() != low.1.nodes.len() || joined.output != low.1.output {
        return Err(refuse("(all)", "the number of nodes depends on it"));
    }
    for (at, (node, short)) in joined.nodes.iter_mut().zip(&low.1.nodes).enumerate() {
        let label = joined.notes.nodes.get(at).map_or("", String::as_str);
        let other = join_node(line, short, node);
        *node = other.ok_or_else(|| {
            refuse(
                label,
                "what the node computes depends on it otherwise than by an extent",
            )
        })?;
    }
    joined.symbols = vec![Symbol {
        minimum,
        maximum: line.high,
    }];
    Ok(joined)
}

/// Whether `joined` at `value` is the program that was lowered at it.
pub(crate) fn agrees(joined: &Program, value: u32, lowered: &Program) -> bool {
    let values = DimValues(vec![value]);
    joined.nodes.len() == lowered.nodes.len()
        && joined.nodes.iter().zip(&lowered.nodes).all(|(a, b)| {
            let shapes = (
                a.op.output_shape(&values),
                b.op.output_shape(&DimValues::NONE),
            );
            a.inputs == b.inputs
                && matches!(shapes, (Ok(a), Ok(b)) if a == b)
                && a.op.terms(&values) == b.op.terms(&DimValues::NONE)
        })
}

/// The node that is `low` and `high` at the two values.
fn join_node(line: Line, low: &Node, high: &Node) -> Option<Node> {
    if low.inputs != high.inputs || low.dtype != high.dtype {
        return None;
    }
    let mut op = high.op.clone();
    join_op(line, &low.op, &mut op)?;
    Some(Node { op, ..high.clone() })
}

/// Joins the extents of `low` into `op`, which is the operator at the high value; what is left of
/// the two must be equal.
fn join_op(line: Line, low: &Op, op: &mut Op) -> Option<()> {
    let mut short = low.clone();
    // How many bits a sum leaves for its scale is decided by the longest one.
    if let (Op::BatchMatMul(a), Op::BatchMatMul(b)) = (&mut short, &*op) {
        (a.multiplier, a.shift, a.factor) = (b.multiplier, b.shift, b.factor);
    }
    match (&mut short, &mut *op) {
        (Op::Move(a), Op::Move(b)) => join_move(line, a, b)?,
        (Op::Pointwise(a), Op::Pointwise(b)) => join_pointwise(line, a, b)?,
        (a, b) => {
            for (a, b) in extents(a).into_iter().zip(extents(b)) {
                *a = line.through(*a, *b)?;
                *b = *a;
            }
        }
    }
    (short == *op).then_some(())
}

/// The extents of an operator that may be symbolic, in one order; a scale of a mean over the symbol
/// would not be one number, so those of an average pool may not.
fn extents(op: &mut Op) -> Vec<&mut Dim> {
    match op {
        Op::Input(op) => op.shape.iter_mut().collect(),
        Op::MatMul(op) => vec![&mut op.rows],
        Op::Normalize(op) => vec![&mut op.rows],
        Op::Embedding(op) => vec![&mut op.rows],
        Op::Conv(op) => vec![&mut op.height, &mut op.width],
        Op::MaxPool(op) => vec![&mut op.height, &mut op.width],
        Op::Concat(op) => core::iter::once(&mut op.rows)
            .chain(&mut op.columns)
            .collect(),
        Op::BatchMatMul(op) => vec![&mut op.rows, &mut op.columns, &mut op.k],
        Op::Reduce(op) => vec![&mut op.rows, &mut op.columns],
        Op::Move(_) | Op::Pointwise(_) | Op::AvgPool(_) => Vec::new(),
    }
}

fn join_move(line: Line, low: &mut Move, high: &mut Move) -> Option<()> {
    line.each(&mut low.shape, &high.shape)?;
    high.shape.clone_from(&low.shape);
    if low.walks.len() != high.walks.len() {
        return None;
    }
    for (a, b) in low.walks.iter_mut().zip(&mut high.walks) {
        a.extent = line.through(a.extent, b.extent)?;
        b.extent = a.extent;
    }
    Some(())
}

/// A constant operand of the low program must be the beginning of the high one's.
fn join_pointwise(line: Line, low: &mut Pointwise, high: &mut Pointwise) -> Option<()> {
    low.rows = line.through(low.rows, high.rows)?;
    low.columns = line.through(low.columns, high.columns)?;
    (high.rows, high.columns) = (low.rows, low.columns);
    let constants = (
        low.second.as_mut().and_then(|y| y.constant.as_mut()),
        high.second.as_ref().and_then(|y| y.constant.as_ref()),
    );
    if let (Some(short), Some(long)) = constants {
        let moves = low.columns.constant().is_none() && low.rows != Dim::fixed(1);
        let begins = match (&short.values, &long.values) {
            (Tensor::I8(a), Tensor::I8(b)) => b.starts_with(a),
            (Tensor::I16(a), Tensor::I16(b)) => b.starts_with(a),
            (Tensor::I32(a), Tensor::I32(b)) => b.starts_with(a),
            (Tensor::I8(_) | Tensor::I16(_) | Tensor::I32(_), _) => false,
        };
        if !begins || (moves && short.elements != long.elements) {
            return None;
        }
        short.clone_from(long);
    }
    Some(())
}

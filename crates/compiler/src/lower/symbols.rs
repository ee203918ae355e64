//! Programs for every length: one program from those of a few lengths.
//!
//! The same model is lowered at a few values of a symbol. What differs must be extents, and each must
//! grow in proportion: `extent = scale * value + offset`. Constants that a run reads from its
//! beginning must agree as far as the shorter one goes. Two values make the program, a third one
//! checks it.

use selfsame_ir::{
    Dim, DimValues, Move, Node, Op, Operand, Pointwise, Program, Spread as Lay, Symbol, Tensor,
};

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

/// Joins the programs at two or more values of a symbol, the largest first and the smallest last.
///
/// The symbol's bounds are those two. The constants at the largest value stay.
pub(crate) fn join(name: &str, mut programs: Vec<(u32, Program)>) -> Result<Program, CompileError> {
    let refuse = |node: &str, what: String| CompileError::Symbol {
        symbol: name.to_owned(),
        node: node.to_owned(),
        what,
    };
    let form = |(_, program): &(u32, Program)| (program.nodes.len(), program.output);
    let (nodes, output) = form(&programs[0]);
    if programs.iter().any(|other| form(other) != (nodes, output)) {
        let what = "the number of nodes depends on it";
        return Err(refuse("(all)", what.to_owned()));
    }
    for at in 0..nodes {
        cut_squares(&mut programs, at);
    }
    let (high, mut joined) = programs.remove(0);
    let (low, short) = &programs[0];
    let line = Line { low: *low, high };
    let labels = joined.notes.nodes.clone();
    let label = |at: usize| labels.get(at).map_or("", String::as_str);
    for (at, (node, short)) in joined.nodes.iter_mut().zip(&short.nodes).enumerate() {
        *node = join_node(line, short, node).ok_or_else(|| {
            let what = "what the node computes depends on it otherwise than by an extent";
            refuse(label(at), what.to_owned())
        })?;
    }
    joined.symbols = vec![Symbol {
        minimum: programs.last().map_or(high, |(value, _)| *value),
        maximum: high,
    }];
    for (value, lowered) in &programs {
        if let Some(at) = difference(&joined, *value, lowered) {
            let what = format!("at {value} it is computed otherwise");
            return Err(refuse(label(at), what));
        }
    }
    Ok(joined)
}

/// Gives elementwise node `at`, of one row whose columns grow faster than the symbol, columns as long as
/// the symbol and the rest as rows.
fn cut_squares(programs: &mut [(u32, Program)], at: usize) {
    let flat = programs.iter_mut().map(|(value, program)| {
        let op = flat(&mut program.nodes[at].op)?;
        let columns = op.columns.constant()?;
        Some((*value, columns, op))
    });
    let Some(flat) = flat.collect::<Option<Vec<_>>>() else {
        return;
    };
    let points: Vec<(i64, i64)> = flat
        .iter()
        .map(|(value, columns, _)| (i64::from(*value), i64::from(*columns)))
        .collect();
    let [(high, most), (low, less), rest @ ..] = points.as_slice() else {
        return;
    };
    let on_line = |&(value, columns): &(i64, i64)| {
        (columns - less) * (high - low) == (most - less) * (value - low)
    };
    let divides = |&(value, columns): &(i64, i64)| columns % value == 0;
    if rest.iter().all(on_line) || !points.iter().all(divides) {
        return;
    }
    for (value, columns, op) in flat {
        (op.rows, op.columns) = (Dim::fixed(columns / value), Dim::fixed(value));
    }
}

/// An elementwise node whose elements are one row, and may as well be several.
fn flat(op: &mut Op) -> Option<&mut Pointwise> {
    let Op::Pointwise(op) = op else {
        return None;
    };
    let is_whole = |y: &Operand| matches!(y.spread, Lay::Full | Lay::One);
    let is_flat = op.rows == Dim::fixed(1) && op.second.as_ref().is_none_or(is_whole);
    is_flat.then_some(op)
}

/// The first node in which `joined` at `value` is not the program that was lowered at it.
fn difference(joined: &Program, value: u32, lowered: &Program) -> Option<usize> {
    let values = DimValues(vec![value]);
    let differs = |(a, b): (&Node, &Node)| {
        let shapes = (
            a.op.output_shape(&values),
            b.op.output_shape(&DimValues::NONE),
        );
        a.inputs != b.inputs
            || !matches!(shapes, (Ok(a), Ok(b)) if a == b)
            || a.op.terms(&values) != b.op.terms(&DimValues::NONE)
    };
    joined.nodes.iter().zip(&lowered.nodes).position(differs)
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

//! Programs for every length: one program from those of a few lengths.
//!
//! The same model is lowered at a few values of a symbol. What differs must be extents, and each must
//! grow in proportion: `extent = scale * value + offset`. Constants that a run reads from its
//! beginning must agree as far as the shorter one goes. Two values make the program, a third one
//! checks it.

use selfsame_ir::{
    Dim, DimValues, Move, Node, Op, Pointwise, Program, Spread as Lay, Symbol, Tensor,
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

/// Joins the programs at several values of a symbol `1..=high`, the largest first.
///
/// The symbol's bounds are those of the values. The constants at the largest value stay.
pub(crate) fn join(
    name: &str,
    mut programs: Vec<(u32, Program)>,
    minimum: u32,
) -> Result<Program, CompileError> {
    let refuse = |node: &str, what: &str| CompileError::Symbol {
        symbol: name.to_owned(),
        node: node.to_owned(),
        what: what.to_owned(),
    };
    let nodes = programs.iter().map(|(_, program)| program.nodes.len());
    let least = nodes.min().unwrap_or(0);
    for at in 0..least {
        cut_squares(&mut programs, at);
    }
    let others = programs.split_off(1);
    let [(high, mut joined)] = programs
        .try_into()
        .expect("there is a program at the largest value");
    let Some((low, short)) = others.first() else {
        return Err(refuse("(all)", "there is one value of it alone"));
    };
    let line = Line { low: *low, high };
    if joined.nodes.len() != short.nodes.len() || joined.output != short.output {
        return Err(refuse("(all)", "the number of nodes depends on it"));
    }
    for (at, (node, short)) in joined.nodes.iter_mut().zip(&short.nodes).enumerate() {
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
        maximum: high,
    }];
    for (value, lowered) in &others {
        agree(name, &joined, *value, lowered)?;
    }
    Ok(joined)
}

/// Gives elementwise node `at`, of one row whose columns grow faster than the symbol, columns as long as
/// the symbol and the rest as rows.
fn cut_squares(programs: &mut [(u32, Program)], at: usize) {
    fn flat(program: &mut Program, at: usize) -> Option<&mut Pointwise> {
        let Op::Pointwise(op) = &mut program.nodes[at].op else {
            return None;
        };
        let whole = |lay: Lay| matches!(lay, Lay::Full | Lay::One);
        let is_flat =
            op.rows == Dim::fixed(1) && op.second.as_ref().is_none_or(|y| whole(y.spread));
        is_flat.then_some(op)
    }
    let found = programs.iter_mut().map(|(value, program)| {
        let columns = flat(program, at)?.columns.constant()?;
        Some((i64::from(*value), i64::from(columns)))
    });
    let Some(found) = found.collect::<Option<Vec<(i64, i64)>>>() else {
        return;
    };
    let [(high, most), (low, less), rest @ ..] = found.as_slice() else {
        return;
    };
    let on_line = |&(value, columns): &(i64, i64)| {
        (columns - less) * (high - low) == (most - less) * (value - low)
    };
    let divides = |&(value, columns): &(i64, i64)| columns % value == 0;
    if rest.iter().all(on_line) || !found.iter().all(divides) {
        return;
    }
    for (value, program) in programs {
        let Some(op) = flat(program, at) else {
            return;
        };
        let Some(columns) = op.columns.constant() else {
            return;
        };
        (op.rows, op.columns) = (Dim::fixed(columns / *value), Dim::fixed(*value));
    }
}

/// Refuses if `joined` at `value` is not the program that was lowered at it.
fn agree(name: &str, joined: &Program, value: u32, lowered: &Program) -> Result<(), CompileError> {
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
    let counts = (joined.nodes.len(), lowered.nodes.len());
    let mut pairs = joined.nodes.iter().zip(&lowered.nodes);
    let (at, what) = match pairs.position(differs) {
        Some(at) => (at, "otherwise".to_owned()),
        None if counts.0 == counts.1 => return Ok(()),
        None => (
            counts.0.min(counts.1),
            format!("in {} nodes rather than {}", counts.1, counts.0),
        ),
    };
    let label = lowered.notes.nodes.get(at);
    Err(CompileError::Symbol {
        symbol: name.to_owned(),
        node: label.cloned().unwrap_or_else(|| "(all)".to_owned()),
        what: format!("at {value} it is computed {what}"),
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

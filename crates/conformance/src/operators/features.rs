//! What is special about a node: the rows of the matrix.

use selfsame_ir::{
    Activation, AvgPool, Combine, Concat, Conv, DType, DimValues, Linear, MatMul, Move, Node, Op,
    Pointwise, Spread, Window,
};
use selfsame_protocol::constants::{BIAS_MAX, CONCAT_INPUTS_MAX};

use super::{Subject, row_features};

/// The names of all computed operators, as [`Op::name`] gives them.
pub const KINDS: [&str; 11] = [
    "matmul",
    "conv",
    "max_pool",
    "avg_pool",
    "move",
    "concat",
    "pointwise",
    "batch_matmul",
    "reduce",
    "normalize",
    "embedding",
];

/// Every feature that the generator must reach, in the order of the report.
pub const FEATURES: [&str; 159] = [
    "matmul",
    "matmul: slice of a row",
    "matmul: K above 4096",
    "matmul: i16",
    "matmul: row factor",
    "matmul: row factor and addend",
    "conv",
    "conv: 1 x 1",
    "conv: K above 4096",
    "conv: strided",
    "conv: dilated",
    "conv: padded",
    "conv: padded unevenly",
    "conv: a window all in padding",
    "conv: grouped",
    "conv: depthwise",
    "conv: i16",
    "conv: i16 in groups or dilated",
    "linear: to i8",
    "linear: to i16",
    "linear: to i32",
    "linear: addend i8",
    "linear: addend i16",
    "linear: addend i32",
    "linear: addend is the input",
    "linear: table",
    "linear: partial sum",
    "linear: bias at its limit",
    "linear: saturated low",
    "linear: saturated high",
    "max_pool",
    "max_pool: i8",
    "max_pool: i16",
    "max_pool: i32",
    "max_pool: padded",
    "max_pool: strided",
    "avg_pool",
    "avg_pool: to i16 or i32",
    "avg_pool: padded",
    "avg_pool: strided",
    "avg_pool: saturated",
    "move",
    "move: a permutation alone",
    "move: rank 1",
    "move: rank 3",
    "move: rank 6",
    "move: i8",
    "move: i16",
    "move: i32",
    "move: slice",
    "move: step",
    "move: backwards",
    "move: padding",
    "move: resize",
    "move: fill between",
    "move: broadcast",
    "move: fill other than 0",
    "concat",
    "concat: i16 or i32",
    "concat: all inputs that there may be",
    "concat: one input twice",
    "pointwise",
    "pointwise: one operand",
    "pointwise: sum",
    "pointwise: product",
    "pointwise: difference",
    "pointwise: operand i8",
    "pointwise: operand i16",
    "pointwise: operand i32",
    "pointwise: to i8",
    "pointwise: to i16",
    "pointwise: to i32",
    "pointwise: second by column",
    "pointwise: second by row",
    "pointwise: second alone",
    "pointwise: constant",
    "pointwise: lookup",
    "pointwise: interpolation",
    "pointwise: exponential",
    "pointwise: reciprocal",
    "pointwise: reciprocal root",
    "pointwise: reciprocal of 0 or less",
    "pointwise: symbolic columns",
    "pointwise: saturated low",
    "pointwise: saturated high",
    "batch_matmul",
    "batch_matmul: i8",
    "batch_matmul: i16",
    "batch_matmul: one batch",
    "batch_matmul: batches",
    "batch_matmul: groups of batches",
    "batch_matmul: x in batches of rows",
    "batch_matmul: x in rows of batches",
    "batch_matmul: y in batches of rows",
    "batch_matmul: y in rows of batches",
    "batch_matmul: output in batches of rows",
    "batch_matmul: output in rows of batches",
    "batch_matmul: row factor",
    "batch_matmul: rows of many tiles",
    "batch_matmul: symbolic rows",
    "batch_matmul: symbolic columns",
    "batch_matmul: symbolic terms",
    "batch_matmul: to i8",
    "batch_matmul: to i16",
    "batch_matmul: to i32",
    "batch_matmul: saturated low",
    "batch_matmul: saturated high",
    "reduce",
    "reduce: sum",
    "reduce: mean",
    "reduce: squares",
    "reduce: variance",
    "reduce: maximum",
    "reduce: magnitude",
    "reduce: argmax",
    "reduce: argmax between equals",
    "reduce: i8",
    "reduce: i16",
    "reduce: i32",
    "reduce: to i8",
    "reduce: to i16",
    "reduce: to i32",
    "reduce: of more than 512 elements",
    "reduce: symbolic columns",
    "reduce: saturated low",
    "reduce: saturated high",
    "normalize",
    "normalize: neither center nor factor",
    "normalize: center",
    "normalize: factor",
    "normalize: center and factor",
    "normalize: center bits",
    "normalize: i8",
    "normalize: i16",
    "normalize: i32",
    "normalize: to i8",
    "normalize: to i16",
    "normalize: to i32",
    "normalize: saturated low",
    "normalize: saturated high",
    "embedding",
    "embedding: of i8",
    "embedding: of i16",
    "embedding: of i32",
    "embedding: index below 0",
    "embedding: index inside",
    "embedding: index beyond the table",
    "embedding: table of many tiles",
    "row factor: above 0",
    "row factor: 0",
    "row factor: below 0",
    "any: symbolic extent",
    "any: output quadratic in a symbol",
    "any: odd extents only",
    "any: output of many tiles",
    "any: input seen in another shape",
    "any: interior node",
    "any: interior and committed inputs",
    "any: interior node read twice",
];

/// The features of node `node`, each one of [`FEATURES`].
pub fn features(subject: &Subject, node: u32) -> Vec<&'static str> {
    let at = &subject.program.nodes()[node as usize];
    let mut met = Vec::new();
    match &at.op {
        Op::Input(_) => return met,
        Op::MatMul(op) => matmul(op, &mut met),
        Op::Conv(op) => conv(op, subject, &mut met),
        Op::MaxPool(op) => {
            met.extend([
                "max_pool",
                typed(at.dtype, ["max_pool: i8", "max_pool: i16", "max_pool: i32"]),
            ]);
            window(
                &op.window,
                "max_pool: padded",
                "max_pool: strided",
                &mut met,
            );
        }
        Op::AvgPool(op) => avg_pool(op, subject, node, &mut met),
        Op::Move(op) => moved(op, at.dtype, &subject.values, &mut met),
        Op::Concat(op) => concat(op, at, &mut met),
        Op::Pointwise(op) => {
            pointwise(op, at.dtype, &mut met);
            row_features::pointwise(op, subject, node, &mut met);
            if op.activation.is_none() {
                let (low, high) = saturated(subject, node, op.low, op.high);
                when(low, "pointwise: saturated low", &mut met);
                when(high, "pointwise: saturated high", &mut met);
            }
        }
        Op::BatchMatMul(op) => row_features::batch_matmul(op, subject, node, &mut met),
        Op::Reduce(op) => row_features::reduce(op, subject, node, &mut met),
        Op::Normalize(op) => row_features::normalize(op, subject, node, &mut met),
        Op::Embedding(op) => row_features::embedding(op, subject, node, &mut met),
    }
    row_features::factor(subject, node, &mut met);
    if let Some(part) = at.op.linear() {
        linear(part, at.dtype, &mut met);
        let doubled = part.addend.is_some() && at.inputs.first() == at.inputs.get(1);
        when(doubled, "linear: addend is the input", &mut met);
        if part.table.is_none() {
            bounds(subject, node, part, &mut met);
        }
    }
    any(subject, node, &mut met);
    met
}

fn bounds(subject: &Subject, node: u32, part: &Linear, met: &mut Vec<&'static str>) {
    let (low, high) = saturated(subject, node, part.low, part.high);
    when(low, "linear: saturated low", met);
    when(high, "linear: saturated high", met);
}

pub(super) fn when(condition: bool, feature: &'static str, met: &mut Vec<&'static str>) {
    if condition {
        met.push(feature);
    }
}

pub(super) fn typed(dtype: DType, names: [&'static str; 3]) -> &'static str {
    match dtype {
        DType::I8 => names[0],
        DType::I16 => names[1],
        DType::I32 => names[2],
    }
}

fn matmul(op: &MatMul, met: &mut Vec<&'static str>) {
    met.push("matmul");
    when(op.k_len < op.row_elements, "matmul: slice of a row", met);
    when(op.k_len > 4_096, "matmul: K above 4096", met);
    when(op.dtype == DType::I16, "matmul: i16", met);
    when(op.factor.is_some(), "matmul: row factor", met);
    let both = op.factor.is_some() && op.linear.addend.is_some();
    when(both, "matmul: row factor and addend", met);
}

fn conv(op: &Conv, subject: &Subject, met: &mut Vec<&'static str>) {
    met.push("conv");
    when(op.window.cells() == 1, "conv: 1 x 1", met);
    let terms = op.window.cells() * u64::from(op.channels / op.groups);
    when(terms > 4_096, "conv: K above 4096", met);
    when(op.window.dilation != [1, 1], "conv: dilated", met);
    window(&op.window, "conv: padded", "conv: strided", met);
    let [top, left, bottom, right] = op.window.pad;
    when(top != bottom || left != right, "conv: padded unevenly", met);
    when(op.groups > 1, "conv: grouped", met);
    when(
        op.groups > 1 && op.groups == op.channels,
        "conv: depthwise",
        met,
    );
    let wide = op.dtype == DType::I16;
    when(wide, "conv: i16", met);
    let apart = op.groups > 1 || op.window.dilation != [1, 1];
    when(wide && apart, "conv: i16 in groups or dilated", met);
    let width = op.width.at(&subject.values).unwrap_or(0);
    let span = op.window.span(1);
    let outside = u32::from(left) >= span || u32::from(right) >= span;
    when(
        width > 0 && outside && op.window.stride[1] == 1,
        "conv: a window all in padding",
        met,
    );
}

fn avg_pool(op: &AvgPool, subject: &Subject, node: u32, met: &mut Vec<&'static str>) {
    let out = subject.program.nodes()[node as usize].dtype;
    met.push("avg_pool");
    window(&op.window, "avg_pool: padded", "avg_pool: strided", met);
    when(out != DType::I8, "avg_pool: to i16 or i32", met);
    let (low, high) = saturated(subject, node, op.low, op.high);
    when(low || high, "avg_pool: saturated", met);
}

fn concat(op: &Concat, at: &Node, met: &mut Vec<&'static str>) {
    met.push("concat");
    when(at.dtype != DType::I8, "concat: i16 or i32", met);
    let most = usize::from(CONCAT_INPUTS_MAX);
    let all = "concat: all inputs that there may be";
    when(op.columns.len() == most, all, met);
    let mut inputs = at.inputs.clone();
    inputs.sort_unstable();
    inputs.dedup();
    let twice = inputs.len() < at.inputs.len();
    when(twice, "concat: one input twice", met);
}

fn moved(op: &Move, dtype: DType, values: &DimValues, met: &mut Vec<&'static str>) {
    met.extend(["move", typed(dtype, ["move: i8", "move: i16", "move: i32"])]);
    let plain = op.as_transpose().is_some();
    when(plain, "move: a permutation alone", met);
    let rank = op.shape.len();
    when(rank == 1, "move: rank 1", met);
    when(rank == 3, "move: rank 3", met);
    when(rank == 6, "move: rank 6", met);
    when(op.fill != 0, "move: fill other than 0", met);
    for walk in &op.walks {
        let input = op.shape[usize::from(walk.source)].at(values).unwrap_or(1);
        let output = walk.extent.at(values).unwrap_or(1);
        let unit = walk.numerator == 1 && walk.denominator == 1;
        let inside =
            0 <= walk.offset && i64::from(walk.offset) + i64::from(output) <= i64::from(input);
        when(unit && inside && output < input, "move: slice", met);
        when(unit && !inside, "move: padding", met);
        when(
            1 < walk.numerator && walk.denominator == 1,
            "move: step",
            met,
        );
        when(walk.numerator < 0, "move: backwards", met);
        when(1 < walk.denominator && !walk.exact, "move: resize", met);
        when(
            1 < walk.denominator && walk.exact,
            "move: fill between",
            met,
        );
        when(walk.numerator == 0, "move: broadcast", met);
    }
}

fn pointwise(op: &Pointwise, dtype: DType, met: &mut Vec<&'static str>) {
    const OPERANDS: [&str; 3] = [
        "pointwise: operand i8",
        "pointwise: operand i16",
        "pointwise: operand i32",
    ];
    const OUTPUTS: [&str; 3] = ["pointwise: to i8", "pointwise: to i16", "pointwise: to i32"];
    met.extend([
        "pointwise",
        typed(op.dtype, OPERANDS),
        typed(dtype, OUTPUTS),
    ]);
    match &op.activation {
        None => {}
        Some(Activation::Lookup(_)) => met.push("pointwise: lookup"),
        Some(Activation::Interpolate(_)) => met.push("pointwise: interpolation"),
        Some(Activation::Exponential(_)) => met.push("pointwise: exponential"),
        Some(Activation::Reciprocal { .. }) => met.push("pointwise: reciprocal"),
        Some(Activation::ReciprocalRoot { .. }) => met.push("pointwise: reciprocal root"),
    }
    let Some(y) = &op.second else {
        met.push("pointwise: one operand");
        return;
    };
    met.push(typed(y.dtype, OPERANDS));
    met.push(match op.combine {
        Combine::Sum => "pointwise: sum",
        Combine::Product => "pointwise: product",
    });
    let difference = op.multiplier.signum() * y.multiplier.signum() < 0;
    when(difference, "pointwise: difference", met);
    when(y.constant.is_some(), "pointwise: constant", met);
    match y.spread {
        Spread::Full => {}
        Spread::Column => met.push("pointwise: second by column"),
        Spread::Row => met.push("pointwise: second by row"),
        Spread::One => met.push("pointwise: second alone"),
    }
}

fn window(
    window: &Window,
    padded: &'static str,
    strided: &'static str,
    met: &mut Vec<&'static str>,
) {
    when(window.pad != [0; 4], padded, met);
    when(window.stride != [1, 1], strided, met);
}

fn linear(part: &Linear, dtype: DType, met: &mut Vec<&'static str>) {
    met.push(typed(
        dtype,
        ["linear: to i8", "linear: to i16", "linear: to i32"],
    ));
    if let Some(addend) = part.addend {
        met.push(typed(
            addend,
            [
                "linear: addend i8",
                "linear: addend i16",
                "linear: addend i32",
            ],
        ));
    }
    when(part.table.is_some(), "linear: table", met);
    when(
        part.constants
            .iter()
            .all(|c| c.multiplier == 2 && c.shift == 1),
        "linear: partial sum",
        met,
    );
    when(
        part.constants
            .iter()
            .any(|c| c.bias.unsigned_abs() == BIAS_MAX),
        "linear: bias at its limit",
        met,
    );
}

/// Whether an element sits at the lower, and one at the upper bound of a clamp that leaves a choice.
pub(super) fn saturated(subject: &Subject, node: u32, low: i32, high: i32) -> (bool, bool) {
    let output = subject
        .trace
        .output(node)
        .expect("every node has an output");
    let reached = |bound: i32| low < high && output.iter().any(|value| value == bound);
    (reached(low), reached(high))
}

fn any(subject: &Subject, node: u32, met: &mut Vec<&'static str>) {
    let at = &subject.program.nodes()[node as usize];
    when(
        !subject.program.program().symbols.is_empty(),
        "any: symbolic extent",
        met,
    );
    let shape = at.op.output_shape(&subject.values).unwrap_or_default();
    when(
        shape.len() > 1 && shape.iter().all(|extent| extent % 2 == 1),
        "any: odd extents only",
        met,
    );
    let output = subject
        .trace
        .output(node)
        .expect("every node has an output");
    when(
        output.len() as u64 * u64::from(at.dtype.size()) > 512,
        "any: output of many tiles",
        met,
    );
    let source = at
        .inputs
        .first()
        .and_then(|&input| subject.program.node(input));
    let made = source.and_then(|source| source.op.output_shape(&subject.values).ok());
    when(
        made != at.op.input_shape(0, &subject.values).ok(),
        "any: input seen in another shape",
        met,
    );
    segments(subject, node, met);
}

fn segments(subject: &Subject, node: u32, met: &mut Vec<&'static str>) {
    let segments = subject.program.segments();
    let interior = |node: u32| segments.place(node).interior;
    let nodes = subject.program.nodes();
    let inputs = &nodes[node as usize].inputs;
    let readers = nodes.iter().filter(|reader| reader.inputs.contains(&node));
    let (is_interior, readers) = (interior(node), readers.count());
    let mixed =
        inputs.iter().any(|&input| interior(input)) && inputs.iter().any(|&input| !interior(input));
    when(is_interior, "any: interior node", met);
    when(mixed, "any: interior and committed inputs", met);
    when(
        is_interior && readers > 1,
        "any: interior node read twice",
        met,
    );
}

//! Which values are int16.
//!
//! In networks of rows (attention, norms, embeddings) int8 on one scale for all rows loses too much:
//! their values are int16, and a node that needs int8 gets it from a row factor of its own, or where
//! it takes no factor on one scale. Other networks are int8 but for the last sums, if the network with
//! rounded values still answers like the one without; else the values that lose most are int16, as
//! many as it takes.

use super::chain::chains;
use super::error::CompileError;
use super::planes::Rounded;
use super::table::Stretch;
use crate::float::{FloatGraph, FloatNode, FloatOp};
use crate::quant::{Calibration, INT8_LEVELS, INT16_HEADROOM_LEVELS, decibels, map_rows};

/// Signal over noise, in decibels, that rounding to int8 may leave of the answers: of values, and of values
/// and weights.
pub(super) const ANSWER_SNR_DB: f64 = 26.0;
/// The same of the values where weights stand in two planes: what those keep, the values must not lose.
const SENSITIVE_SNR_DB: f64 = 32.0;
/// Parts of the values that are tried as int16, in quarters.
const QUARTERS: usize = 4;

/// Refuses the calibration of another graph.
pub(super) fn calibration_of(
    calibration: &Calibration,
    graph: &FloatGraph,
) -> Result<(), CompileError> {
    let (calibration, graph) = (calibration.node_count(), graph.nodes().len());
    if calibration == graph {
        return Ok(());
    }
    Err(CompileError::Calibration { calibration, graph })
}

/// What takes more than int8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Widths {
    /// For each node of the float graph whether its value is int16.
    pub(super) values: Vec<bool>,
    /// Whether int8 weights and inputs lose the answers: then the input is int16, unless it is a picture.
    pub(super) sensitive: bool,
    /// For each node whether its weights stand in two planes.
    pub(super) planes: Vec<bool>,
    /// Whether convolutions read int16 as it is.
    pub(super) words: bool,
}

/// The widths of a graph, whose input is a picture or not. The calibration must have been made on this
/// very graph.
pub(crate) fn widths(
    graph: &FloatGraph,
    calibration: &Calibration,
    pictures: bool,
) -> Result<Widths, CompileError> {
    calibration_of(calibration, graph)?;
    let of_rows = graph.is_of_rows();
    let (chosen, words) = if of_rows {
        rows_by_loss(graph, calibration)
    } else {
        (by_loss(graph, calibration, ANSWER_SNR_DB), true)
    };
    let mut values = with_ends(graph, chosen);
    // In other networks of rows norms hold the errors of weights down.
    let rounded = words.then(|| Rounded::new(graph, calibration));
    let loses = |rounded: &Rounded| rounded.loses(&value_steps(graph, calibration, &values));
    let Some(rounded) = rounded.filter(loses) else {
        return Ok(Widths {
            planes: vec![false; values.len()],
            sensitive: false,
            values,
            words,
        });
    };
    if !of_rows {
        values = with_ends(graph, by_loss(graph, calibration, SENSITIVE_SNR_DB));
    }
    let steps = value_steps(graph, calibration, &values);
    Ok(Widths {
        planes: rounded.planes(&steps, pictures),
        sensitive: true,
        values,
        words,
    })
}

/// The values that were chosen, and those that are int16 in every network: features, the answer and what it is
/// a view of, means that a factor follows.
fn with_ends(graph: &FloatGraph, mut wide: Vec<bool>) -> Vec<bool> {
    let readers = graph.readers();
    // Features are standardised once, before anything is added up: int8 would lose what they tell.
    if graph.input_is_features() {
        let reads_input = |index: usize| graph.nodes()[index].inputs.contains(&0);
        for chain in chains(graph) {
            wide[chain.end] |= reads_input(chain.body);
        }
    }
    // On the way from the last requantisation to the output.
    let mut index = graph.output();
    while readers[index] == 1 {
        let node = &graph.nodes()[index];
        let Some(&input) = node.inputs.first() else {
            break;
        };
        wide[index] = true;
        if !node.op.passes() {
            break;
        }
        index = input;
    }
    // Means that a factor follows.
    for node in graph.nodes() {
        if let (FloatOp::Plane(_), &[mean]) = (&node.op, node.inputs.as_slice()) {
            wide[mean] |=
                readers[mean] == 1 && matches!(graph.nodes()[mean].op, FloatOp::AvgPool(_));
        }
    }
    wide
}

/// The values of a network of rows that are int16, and whether convolutions read them as they are:
/// only where int8 in front of convolutions loses the answers.
fn rows_by_loss(graph: &FloatGraph, calibration: &Calibration) -> (Vec<bool>, bool) {
    let wide = rows_of(graph, false);
    let is_conv = |node: &FloatNode| matches!(node.op, FloatOp::Conv(..));
    let steps = || value_steps(graph, calibration, &wide);
    // Those that count whole numbers are exact.
    let whole = graph.whole_numbers();
    let mut nodes = graph.nodes().iter().zip(&whole);
    let loses = nodes.any(|(node, whole)| is_conv(node) && whole.is_none())
        && answer_snr_db(graph, calibration, &steps()) < ANSWER_SNR_DB;
    if loses {
        return (rows_of(graph, true), true);
    }
    (wide, false)
}

/// All values but those that only nodes read that take int8 and no row factor, among them
/// convolutions if they do not read words.
fn rows_of(graph: &FloatGraph, words: bool) -> Vec<bool> {
    let nodes = graph.nodes();
    let mut wide = vec![false; nodes.len()];
    wide[graph.output()] = true;
    for (index, node) in nodes.iter().enumerate().rev() {
        for (slot, &input) in node.inputs.iter().enumerate() {
            let takes_bytes = match &node.op {
                FloatOp::Conv(..) | FloatOp::AvgPool(_) => !words,
                FloatOp::Product { .. } => slot == 1,
                FloatOp::Reshape
                | FloatOp::Transpose(_)
                | FloatOp::MaxPool(_)
                | FloatOp::Walk(..) => !wide[index],
                FloatOp::Input
                | FloatOp::Constant(_)
                | FloatOp::Dense(_)
                | FloatOp::Affine { .. }
                | FloatOp::Add
                | FloatOp::Clip(..)
                | FloatOp::Function(_)
                | FloatOp::Pair(..)
                | FloatOp::Plane(_)
                | FloatOp::Concat(_)
                | FloatOp::Softmax
                | FloatOp::Normalize { .. }
                | FloatOp::Reduce(_)
                | FloatOp::ArgMax
                | FloatOp::Embedding { .. } => false,
            };
            wide[input] |= !takes_bytes;
        }
    }
    wide
}

/// The values that must be int16 for the answers to keep `snr_db`.
fn by_loss(graph: &FloatGraph, calibration: &Calibration, snr_db: f64) -> Vec<bool> {
    let none = vec![false; graph.nodes().len()];
    let answers = |wide: &[bool]| {
        let steps = value_steps(graph, calibration, wide);
        answer_snr_db(graph, calibration, &steps)
    };
    if answers(&none) >= snr_db {
        return none;
    }
    let mut losing: Vec<usize> = chains(graph).iter().map(|chain| chain.end).collect();
    losing.sort_by(|&a, &b| {
        calibration
            .byte_loss(b)
            .total_cmp(&calibration.byte_loss(a))
    });
    for quarters in 1..=QUARTERS {
        let mut wide = none.clone();
        for &end in &losing[..losing.len() * quarters / QUARTERS] {
            wide[end] = true;
        }
        if quarters == QUARTERS || answers(&wide) >= snr_db {
            return views_too(graph, wide);
        }
    }
    none
}

/// For each value that a chain ends in its step, and how many of them there are on either side of 0.
fn value_steps(
    graph: &FloatGraph,
    calibration: &Calibration,
    wide: &[bool],
) -> Vec<Option<(f64, f64)>> {
    let mut steps = vec![None; wide.len()];
    let whole = graph.whole_numbers();
    for chain in chains(graph) {
        if whole[chain.end].is_some() {
            continue;
        }
        let (clip, levels) = if wide[chain.end] {
            (calibration.largest(chain.end), INT16_HEADROOM_LEVELS)
        } else {
            (calibration.clip_point(chain.end), INT8_LEVELS)
        };
        steps[chain.end] = Some((clip / levels, levels)).filter(|step| step.0 > 0.0);
        // The index of a table behind a sum is a rounded value too; beyond its ends a table is flat.
        let end = &graph.nodes()[chain.end].op;
        if let (FloatOp::Function(f), false, false) = (end, wide[chain.end], chain.pointwise) {
            let stretch = Stretch::of(f, calibration.range(chain.sum), clip / levels);
            steps[chain.sum] = Some((stretch.step, f64::INFINITY));
        }
    }
    steps
}

/// What only passes an int16 value on is int16, also beside a factor, which changes the step alone.
fn views_too(graph: &FloatGraph, mut wide: Vec<bool>) -> Vec<bool> {
    let nodes = graph.nodes();
    for (index, node) in nodes.iter().enumerate() {
        let (true, &[mut input]) = (node.op.passes(), node.inputs.as_slice()) else {
            continue;
        };
        while let (FloatOp::Affine { .. }, false, &[scaled]) = (
            &nodes[input].op,
            wide[input],
            nodes[input].inputs.as_slice(),
        ) {
            input = scaled;
        }
        wide[index] = wide[input];
    }
    wide
}

/// Signal over noise of the answers to the calibration's samples where values are rounded and cut to
/// steps.
pub(super) fn answer_snr_db(
    graph: &FloatGraph,
    calibration: &Calibration,
    steps: &[Option<(f64, f64)>],
) -> f64 {
    let answers = map_rows(calibration.samples(), graph.live_bytes(), |_, sample| {
        graph.run_with(&sample.row, |node, values| {
            if let Some(step) = steps[node] {
                round(values, step);
            }
        })
    });
    let (mut signal, mut noise) = (0.0_f64, 0.0_f64);
    for (sample, found) in calibration.samples().iter().zip(answers) {
        let Ok(found) = found else {
            // The calibration ran on it: it fits.
            return f64::INFINITY;
        };
        for (w, f) in sample.answer.iter().zip(&found) {
            signal += f64::from(*w).powi(2);
            noise += (f64::from(*w) - f64::from(*f)).powi(2);
        }
    }
    decibels(signal, noise)
}

/// Values as whole multiples of a step, at most `levels` of them.
fn round(values: &mut [f32], (step, levels): (f64, f64)) {
    for value in values {
        let level = (f64::from(*value) / step).round().clamp(-levels, levels);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a value of the float graph"
        )]
        {
            *value = (level * step) as f32;
        }
    }
}

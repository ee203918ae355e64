//! Float source and exact program on the same rows, over all cores.

use std::ops::Range;
use std::thread;

use indicatif::ProgressBar;
use selfsame_compiler::float::FloatGraph;
use selfsame_ir::{DType, Tensor};

use crate::answer;
use crate::dataset::DataSet;
use crate::engine::Engine;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::model::Model;

/// Answers of rows, one after the other, in the source model's order.
#[derive(Default)]
pub(crate) struct Answers {
    /// Of the float model.
    pub(crate) float: Vec<f32>,
    /// Of the exact program.
    pub(crate) exact: Vec<f32>,
}

/// Runs both on the rows from `from` on.
pub(crate) fn answers(
    model: &Model,
    graph: &FloatGraph,
    data: &DataSet,
    from: usize,
    kernel: Option<&str>,
    bar: &ProgressBar,
) -> Outcome<Answers> {
    in_parts(from..data.rows.len(), |range| {
        part(model, graph, data, range, kernel, bar)
    })
}

/// Cuts `range` over the machine's cores; the answers come in order.
fn in_parts(
    range: Range<usize>,
    work: impl Fn(Range<usize>) -> Outcome<Answers> + Sync,
) -> Outcome<Answers> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let size = range.len().div_ceil(threads).max(1);
    let parts: Vec<Outcome<Answers>> = thread::scope(|scope| {
        let work = &work;
        let starts = range.clone().step_by(size);
        let handles: Vec<_> = starts
            .map(|start| {
                let end = range.end.min(start + size);
                scope.spawn(move || work(start..end))
            })
            .collect();
        let join = |handle: thread::ScopedJoinHandle<'_, Outcome<Answers>>| {
            handle
                .join()
                .unwrap_or_else(|_| Err(Failure::new(Exit::Failure, "a thread ended early")))
        };
        handles.into_iter().map(join).collect()
    });
    let mut all = Answers::default();
    for part in parts {
        let part = part?;
        all.float.extend(part.float);
        all.exact.extend(part.exact);
    }
    Ok(all)
}

fn part(
    model: &Model,
    graph: &FloatGraph,
    data: &DataSet,
    range: Range<usize>,
    kernel: Option<&str>,
    bar: &ProgressBar,
) -> Outcome<Answers> {
    let mut engine = Engine::new(model, kernel, 1)?;
    let interface = &model.program.program().interface;
    let mut answers = Answers::default();
    for index in range {
        let row = &data.rows[index];
        let refuse =
            |error: &dyn std::fmt::Display| Failure::input(format!("row {index}: {error}"));
        answers
            .float
            .extend(graph.run(row).map_err(|error| refuse(&error))?);
        let input = quantized(model, row).map_err(|error| refuse(&error))?;
        let output = engine.output(model, &input)?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "compared in single precision"
        )]
        answers.exact.extend(
            answer::floats(interface, &output)
                .iter()
                .map(|&value| value as f32),
        );
        bar.inc(1);
    }
    Ok(answers)
}

/// The input of the program for one row in the source model's order.
pub(crate) fn quantized(model: &Model, row: &[f32]) -> Outcome<Tensor> {
    let interface = &model.program.program().interface;
    let dtype = model.program.node(0).map_or(DType::I8, |node| node.dtype);
    let integers: Vec<i32> = interface
        .input
        .source_indices()
        .filter_map(|source| row.get(source))
        .map(|value| interface.input_scale.quantize(value.to_bits(), dtype))
        .collect::<Result<_, _>>()
        .map_err(Failure::input)?;
    Tensor::from_values(dtype, &integers).map_err(Failure::input)
}

/// Share of answers whose largest element (the lowest of equals) is the label.
pub(crate) fn accuracy(answers: &[f32], classes: usize, labels: &[i64]) -> Option<f64> {
    let rows = answers.chunks_exact(classes);
    if labels.is_empty() || rows.len() != labels.len() {
        return None;
    }
    let best = |row: &[f32]| {
        let order = |a: &usize, b: &usize| row[*a].total_cmp(&row[*b]).then(b.cmp(a));
        (0..row.len()).max_by(order)
    };
    let is_right =
        |row: &[f32], label: i64| best(row).is_some_and(|best| usize::try_from(label) == Ok(best));
    let right = rows
        .zip(labels)
        .filter(|(row, label)| is_right(row, **label))
        .count();
    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    Some(right as f64 / labels.len() as f64)
}

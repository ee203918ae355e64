//! Float source and exact program on the same rows, over all cores.

use std::ops::Range;
use std::thread;

use selfsame_compiler::{Comparison, LayerReport, compare, fitted_layers};

use crate::error::RunError;
use crate::import::{ImportError, Source, check_labels};
use crate::model::Model;
use crate::runner::{Packed, RunOptions};

/// Answers of rows, one after the other, in the source model's order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answers {
    /// Of the float model.
    pub float: Vec<f32>,
    /// Of the exact program.
    pub exact: Vec<f32>,
}

/// How near a model comes to its source.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compared {
    /// Agreement of the answers.
    pub comparison: Comparison,
    /// Share of the labels that the source finds; `None` without labels.
    pub float_accuracy: Option<f64>,
    /// Share of the labels that the model finds.
    pub exact_accuracy: Option<f64>,
}

impl Source {
    /// Runs source and `model` on `rows`, and calls `done` after each row, on any thread.
    pub fn answers(
        &self,
        model: &Model,
        rows: &[Vec<f32>],
        options: &RunOptions,
        done: &(dyn Fn() + Sync),
    ) -> Result<Answers, ImportError> {
        let shape = |shape: &[usize]| shape.iter().product::<usize>();
        let one = self.inputs().count() == 1;
        let fits = model.input().elements() == self.sample_elements()
            && (!one || model.input().shape == self.input_shape())
            && model.output().elements() == shape(self.output_shape());
        if !fits {
            return Err(ImportError::OtherShape {
                program: model.input().shape.clone(),
                source_model: self.input_shape().to_vec(),
            });
        }
        let packed = model.pack(&RunOptions {
            threads: 1,
            ..*options
        })?;
        in_parts(rows.len(), |range| self.part(&packed, rows, range, done))
    }

    fn part(
        &self,
        packed: &Packed,
        rows: &[Vec<f32>],
        range: Range<usize>,
        done: &(dyn Fn() + Sync),
    ) -> Result<Answers, ImportError> {
        let mut runner = packed.runner();
        let mut answers = Answers::default();
        for row in range {
            let sample = &rows[row];
            let float = self.run(sample);
            answers
                .float
                .extend(float.map_err(|error| ImportError::FloatRow { row, error })?);
            let exact = runner.run(sample);
            answers
                .exact
                .extend(exact.map_err(|error| ImportError::Row { row, error })?);
            done();
        }
        Ok(answers)
    }

    /// Accuracy, agreement, cosine and signal-to-noise ratio of `model` on `rows`.
    pub fn compare(
        &self,
        model: &Model,
        rows: &[Vec<f32>],
        labels: &[i64],
        options: &RunOptions,
    ) -> Result<Compared, ImportError> {
        check_labels(labels, rows.len())?;
        let answers = self.answers(model, rows, options, &|| {})?;
        compare_answers(&answers, model.output().elements(), labels)
            .ok_or(selfsame_compiler::ReportError::NoRows.into())
    }

    /// Every layer of `model` that has a value of its name in the source, against that value, on
    /// `rows`.
    pub fn layers(
        &self,
        model: &Model,
        rows: &[Vec<f32>],
        options: &RunOptions,
    ) -> Result<Vec<LayerReport>, ImportError> {
        let packed = model.pack(options)?;
        fitted_layers(model.program(), &self.graph, rows, |row| {
            let mut runner = packed.runner();
            let input = runner.quantize(row).map_err(RunError::from)?;
            Ok(runner.trace(&input)?.into_outputs())
        })
    }
}

/// Figures of answers of `classes` elements each; `None` if there are none, or not as many of both.
pub fn compare_answers(answers: &Answers, classes: usize, labels: &[i64]) -> Option<Compared> {
    let Answers { float, exact } = answers;
    let whole = 0 < classes && float.len() == exact.len() && float.len().is_multiple_of(classes);
    (whole && !float.is_empty()).then(|| Compared {
        comparison: compare(float, exact, classes),
        float_accuracy: accuracy(float, classes, labels),
        exact_accuracy: accuracy(exact, classes, labels),
    })
}

/// Cuts `count` rows over the machine's cores; the answers come in order.
fn in_parts(
    count: usize,
    work: impl Fn(Range<usize>) -> Result<Answers, ImportError> + Sync,
) -> Result<Answers, ImportError> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let size = count.div_ceil(threads).max(1);
    let parts: Vec<_> = thread::scope(|scope| {
        let work = &work;
        let handles: Vec<_> = (0..count)
            .step_by(size)
            .map(|start| scope.spawn(move || work(start..count.min(start + size))))
            .collect();
        let join = |handle: thread::ScopedJoinHandle<'_, Result<Answers, ImportError>>| {
            handle.join().unwrap_or(Err(ImportError::Thread))
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

/// Share of answers whose largest element (the lowest of equals) is the label.
pub fn accuracy(answers: &[f32], classes: usize, labels: &[i64]) -> Option<f64> {
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

//! Float source and exact program on the same rows, under a progress bar.

use indicatif::ProgressBar;
use selfsame::{Answers, Engine, ImportError, Model, RunOptions, Source};

use crate::dataset::DataSet;
use crate::failure::{Failure, Outcome};

/// Runs both on the rows from `from` on.
pub(crate) fn answers(
    model: &Model,
    source: &Source,
    data: &DataSet,
    from: usize,
    kernel: Option<&str>,
    bar: &ProgressBar,
) -> Outcome<Answers> {
    let engine = Engine::named(kernel.unwrap_or("auto")).map_err(Failure::input)?;
    let options = RunOptions {
        engine,
        ..RunOptions::default()
    };
    let rows = data.rows.get(from..).unwrap_or_default();
    let answers = source.answers(model, rows, &options, &|| bar.inc(1));
    answers.map_err(|error| Failure::input(in_file(error, from)))
}

/// Rows are counted from the start of the file.
fn in_file(mut error: ImportError, from: usize) -> ImportError {
    if let ImportError::Row { row, .. } | ImportError::FloatRow { row, .. } = &mut error {
        *row += from;
    }
    error
}

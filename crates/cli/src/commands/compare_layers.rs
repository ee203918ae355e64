//! Layers of a program beside those of its source on a few rows, for `compare`.

use selfsame::{Engine, INTERPRETER, Model, RunOptions, Source};
use selfsame_compiler::LayerReport;

use crate::dataset::DataSet;
use crate::failure::{Failure, Outcome};

/// At most `count` rows from row `from` on, evenly spaced.
pub(crate) fn rows(data: &DataSet, from: usize, count: usize) -> Vec<Vec<f32>> {
    let rows = data.rows.get(from..).unwrap_or_default();
    let step = rows.len().div_ceil(count.max(1)).max(1);
    rows.iter().step_by(step).take(count).cloned().collect()
}

/// Every layer that has a float value of its name, on `rows`.
pub(crate) fn layers(
    model: &Model,
    source: &Source,
    rows: &[Vec<f32>],
    kernel: Option<&str>,
) -> Outcome<Vec<LayerReport>> {
    // The interpreter would take hours for the same bits; answers were compared on what was asked.
    let kernel = kernel.filter(|&name| name != INTERPRETER).unwrap_or("auto");
    let options = RunOptions {
        engine: Engine::named(kernel).map_err(Failure::input)?,
        ..RunOptions::default()
    };
    source.layers(model, rows, &options).map_err(Failure::input)
}

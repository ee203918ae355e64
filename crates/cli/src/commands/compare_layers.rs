//! Layers of a program beside those of its source on a few rows, for `compare`.

use std::sync::Arc;

use selfsame_compiler::float::{FloatGraph, RunError};
use selfsame_compiler::{LayerReport, fitted_layers};
use selfsame_runtime::{Kernel, Plan, Session};

use crate::comparison;
use crate::dataset::DataSet;
use crate::engine::INTERPRETER;
use crate::failure::{Failure, Outcome};
use crate::model::Model;

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        Self::input(error)
    }
}

/// At most `count` rows from row `from` on, evenly spaced.
pub(crate) fn rows(data: &DataSet, from: usize, count: usize) -> Vec<Vec<f32>> {
    let rows = data.rows.get(from..).unwrap_or_default();
    let step = rows.len().div_ceil(count.max(1)).max(1);
    rows.iter().step_by(step).take(count).cloned().collect()
}

/// Every layer that has a float value of its name, on `rows`.
pub(crate) fn layers(
    model: &Model,
    graph: &FloatGraph,
    rows: &[Vec<f32>],
    kernel: Option<&str>,
) -> Outcome<Vec<LayerReport>> {
    // The interpreter would take hours for the same bits; answers were compared on what was asked.
    let kernel = kernel.filter(|&name| name != INTERPRETER).unwrap_or("auto");
    let kernel = Kernel::named(kernel).map_err(Failure::input)?;
    let plan = Plan::new(&model.program, &model.values(), kernel).map_err(Failure::input)?;
    let plan = Arc::new(plan);
    fitted_layers(&model.program, graph, rows, |row| -> Outcome<_> {
        let input = comparison::quantized(model, row)?;
        let trace = Session::new(Arc::clone(&plan), 1).trace(&input);
        Ok(trace.map_err(Failure::input)?.node_tensors)
    })
}

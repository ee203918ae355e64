//! ONNX bytes and a data set to a program, with the report of how good it is.
//!
//! ```text
//! rows of the data set:   [ calibration sees some of these | report only ]
//!                          0                                test_from
//! ```

use std::sync::Arc;

use selfsame_compiler::float::FloatGraph;
use selfsame_compiler::onnx::OnnxModel;
use selfsame_compiler::{
    Calibration, Compiled, ImportReport, Options, TestRows, TrainingRows, compile, import_report,
};
use selfsame_ir::{CheckedProgram, DimValues, Tensor};
use selfsame_runtime::{Kernel, Plan, Session};

use crate::dataset::DataSet;
use crate::failure::{Failure, Outcome};

/// The fused float graph of ONNX bytes.
pub(crate) fn float_graph(onnx: &[u8]) -> Outcome<FloatGraph> {
    let model = OnnxModel::decode(onnx).map_err(Failure::input)?;
    let graph = FloatGraph::from_onnx(&model).map_err(Failure::input)?;
    Ok(graph.with_first_output().fuse())
}

/// Compiles a fused graph, calibrated on at most `calibration_rows` rows before `test_from`.
pub(crate) fn import(
    graph: FloatGraph,
    data: &DataSet,
    test_from: usize,
    calibration_rows: usize,
    options: &Options,
) -> Outcome<Compiled> {
    let training = TrainingRows::before(&data.rows, test_from);
    let calibration = Calibration::collect(&graph, training, calibration_rows);
    let calibration = calibration.map_err(Failure::input)?;
    compile(graph, &calibration, options).map_err(Failure::input)
}

/// Float against exact on the rows from `test_from` on.
pub(crate) fn report(
    compiled: &Compiled,
    data: &DataSet,
    test_from: usize,
) -> Outcome<ImportReport> {
    let plan = Plan::new(&compiled.program, &DimValues::NONE, Kernel::best());
    let plan = Arc::new(plan.map_err(Failure::input)?);
    let rows = TestRows {
        rows: data.rows.get(test_from..).unwrap_or_default(),
        labels: data.labels_from(test_from),
    };
    let trace = |_: &CheckedProgram, input: Tensor| {
        let traced = Session::new(Arc::clone(&plan), 1).trace(&input);
        traced.map(|trace| trace.node_tensors).unwrap_or_default()
    };
    import_report(compiled, rows, trace).map_err(Failure::input)
}

//! Programs and their float graphs, compared by the interpreter on rows that calibration has not seen.

#![allow(dead_code, reason = "each test uses a part")]

use selfsame_compiler::float::FloatGraph;
use selfsame_compiler::{
    Calibration, Comparison, Compiled, Options, TestRows, TrainingRows, compile, import_report,
};
use selfsame_ir::{CheckedProgram, Tensor};

/// Calibrates the fused `graph` on the first `training` rows, compiles it, and compares on the others.
pub(crate) fn compared(
    graph: FloatGraph,
    rows: &[Vec<f32>],
    training: usize,
) -> (Compiled, Comparison) {
    let training_rows = TrainingRows::before(rows, training);
    let calibration = Calibration::collect(&graph, training_rows, training).unwrap();
    let compiled = compile(graph, &calibration, &Options::default()).unwrap();
    let comparison = compared_on(&compiled, &rows[training..]);
    (compiled, comparison)
}

/// The program and its float graph on `rows`.
pub(crate) fn compared_on(compiled: &Compiled, rows: &[Vec<f32>]) -> Comparison {
    let trace = |program: &CheckedProgram, input: Tensor| {
        selfsame_interpreter::run(program, &compiled.values, input)
            .unwrap()
            .into_outputs()
    };
    let test = TestRows { rows, labels: &[] };
    import_report(compiled, test, trace).unwrap().comparison
}

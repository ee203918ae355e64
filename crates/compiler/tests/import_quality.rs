//! Every fixture compiles to an exact program that answers like its float model.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and compares exactly"
)]

mod fixtures;

use fixtures::{FIXTURES, Fixture};
use selfsame_compiler::float::FloatGraph;
use selfsame_compiler::onnx::OnnxModel;
use selfsame_compiler::{
    Calibration, Compiled, ImportReport, Options, TestRows, TrainingRows, compile, import_report,
};
use selfsame_ir::{CheckedProgram, DimValues, Tensor};
use selfsame_runtime::{Kernel, Plan, Session};

/// Rows that the calibration reads.
const CALIBRATION_ROWS: usize = 256;

fn compile_fixture(fixture: &Fixture) -> (Compiled, Calibration) {
    let model = OnnxModel::decode(&fixture.onnx()).unwrap();
    let graph = FloatGraph::from_onnx(&model).unwrap().fuse();
    let rows = fixture.rows();
    let training = TrainingRows::before(&rows, fixture.test_from);
    let calibration = Calibration::collect(&graph, training, CALIBRATION_ROWS).unwrap();
    let options = Options {
        name: fixture.name.to_owned(),
        ..Options::default()
    };
    (compile(graph, &calibration, &options).unwrap(), calibration)
}

fn interpreter(program: &CheckedProgram, input: Tensor) -> Vec<Tensor> {
    selfsame_interpreter::run(program, &DimValues::NONE, input)
        .unwrap()
        .into_outputs()
}

fn report(fixture: &Fixture, compiled: &Compiled) -> ImportReport {
    let rows = fixture.test_rows();
    let labels = fixture.labels().split_off(fixture.test_from);
    let plan = Plan::new(&compiled.program, &DimValues::NONE, Kernel::best()).unwrap();
    let plan = std::sync::Arc::new(plan);
    let rows = TestRows {
        rows: &rows,
        labels: &labels,
    };
    let trace = |_: &CheckedProgram, input: Tensor| {
        Session::new(plan.clone(), 1)
            .trace(&input)
            .unwrap()
            .node_tensors
    };
    import_report(compiled, rows, trace).unwrap()
}

#[test]
fn each_fixture_answers_like_its_float_model() {
    for fixture in FIXTURES {
        let (compiled, calibration) = compile_fixture(fixture);
        for row in fixture.test_rows() {
            assert!(
                !calibration.has_seen(&row),
                "{}: a test row was seen",
                fixture.name
            );
        }
        let report = report(fixture, &compiled);
        println!("{report:#?}");
        let (float, exact) = (report.float_right.unwrap(), report.exact_right.unwrap());
        assert!(
            float <= exact + 1,
            "{}: {float} right in float, {exact} exactly",
            fixture.name
        );
        let comparison = report.comparison;
        assert!(
            comparison.top1_agreement >= 0.99,
            "{}: {comparison:?}",
            fixture.name
        );
        assert!(
            comparison.snr_db >= 30.0,
            "{}: {comparison:?}",
            fixture.name
        );
    }
}

#[test]
fn the_trace_of_the_runtime_is_that_of_the_interpreter() {
    for fixture in FIXTURES.iter().filter(|f| f.name != "resnet20") {
        let (compiled, _) = compile_fixture(fixture);
        let input = compiled.quantize(&fixture.test_rows()[0]).unwrap();
        let plan = Plan::new(&compiled.program, &DimValues::NONE, Kernel::best()).unwrap();
        let fast = Session::new(plan.into(), 1)
            .trace(&input)
            .unwrap()
            .node_tensors;
        assert_eq!(
            fast,
            interpreter(&compiled.program, input),
            "{}",
            fixture.name
        );
    }
}

#[test]
fn a_second_import_gives_the_same_model_id() {
    for fixture in FIXTURES.iter().filter(|f| f.name != "resnet20") {
        let id = || compile_fixture(fixture).0.program.commit().model_id;
        assert_eq!(id(), id(), "{}", fixture.name);
    }
}

//! Every fixture compiles to an exact program that answers like its float model.

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
    let options = Options { name: fixture.name.to_owned(), ..Options::default() };
    (compile(graph, &calibration, &options).unwrap(), calibration)
}

fn interpreter(program: &CheckedProgram, input: Tensor) -> Vec<Tensor> {
    selfsame_interpreter::run(program, &DimValues::NONE, input).unwrap().into_outputs()
}

fn report(fixture: &Fixture, compiled: &Compiled) -> ImportReport {
    let rows = fixture.test_rows();
    let labels = fixture.labels().split_off(fixture.test_from);
    let plan = Plan::new(&compiled.program, &DimValues::NONE, Kernel::best()).unwrap();
    let plan = std::sync::Arc::new(plan);
    let rows = TestRows { rows: &rows, labels: &labels };
    let trace = |_: &CheckedProgram, input: Tensor| {
        Session::new(plan.clone(), 1).trace(&input).unwrap().node_tensors
    };
    import_report(compiled, rows, trace).unwrap()
}

#[test]
fn each_fixture_answers_like_its_float_model() {
    for fixture in FIXTURES {
        let (compiled, _) = compile_fixture(fixture);
        let report = report(fixture, &compiled);
        println!(
            "{}: float {:?} exact {:?} of {}, {:?}, {:?}",
            fixture.name, report.float_right, report.exact_right, report.rows, report.comparison, report.sizes
        );
        for layer in &report.layers {
            println!("  {:3} {:10} {:6.1} dB {}", layer.node, layer.op, layer.snr_db, layer.name);
        }
    }
}

#[test]
fn the_trace_is_that_of_the_interpreter() {
    for fixture in FIXTURES.iter().filter(|f| f.name != "resnet20") {
        let (compiled, _) = compile_fixture(fixture);
        let input = compiled.quantize(&fixture.test_rows()[0]).unwrap();
        let plan = Plan::new(&compiled.program, &DimValues::NONE, Kernel::best()).unwrap();
        let fast = Session::new(plan.into(), 1).trace(&input).unwrap().node_tensors;
        assert_eq!(fast, interpreter(&compiled.program, input), "{}", fixture.name);
    }
}

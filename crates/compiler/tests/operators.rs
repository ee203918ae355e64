//! Each supported operator against ONNX Runtime: as float graph, fused, and as an exact program.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod fixtures;

use fixtures::cases;
use selfsame_compiler::{Calibration, Options, TestRows, TrainingRows, compile, import_report};
use selfsame_ir::{CheckedProgram, DimValues, Tensor};
use selfsame_runtime::{Kernel, Plan, Session};

/// The models and answers.
const CASES_FILE: &str = "crates/compiler/tests/data/operators.npz";
/// The float interpretation may differ by the order of its sums only.
const DIFFERENCE_MAX: f32 = 1e-4;
/// Models of random weights lose more than trained ones: 26 dB is one part in twenty.
const SNR_DB_MIN: f64 = 26.0;

#[test]
fn every_operator_means_what_onnx_runtime_computes() {
    assert_eq!(cases(CASES_FILE).len(), 138);
    for case in cases(CASES_FILE) {
        for graph in [case.graph.clone(), case.graph.clone().fuse()] {
            let found: Vec<f32> = graph.run_rows(&case.rows).unwrap().concat();
            assert_eq!(found.len(), case.answers.len(), "{}", case.name);
            for (f, w) in found.iter().zip(&case.answers) {
                assert!((f - w).abs() < DIFFERENCE_MAX, "{}: {f} {w}", case.name);
            }
        }
    }
}

#[test]
fn every_operator_compiles_to_a_program_that_answers_alike() {
    let trace = |program: &CheckedProgram, input: Tensor| {
        selfsame_interpreter::run(program, &DimValues::NONE, input)
            .unwrap()
            .into_outputs()
    };
    let mut faults = Vec::new();
    for case in cases(CASES_FILE) {
        let graph = case.graph.fuse();
        let rows = TrainingRows::before(&case.rows, case.rows.len());
        let calibration = Calibration::collect(&graph, rows, 64).unwrap();
        let compiled = match compile(graph, &calibration, &Options::default()) {
            Ok(compiled) => compiled,
            Err(error) => {
                faults.push(format!("{}: {error}", case.name));
                continue;
            }
        };
        let rows = TestRows {
            rows: &case.rows,
            labels: &[],
        };
        let report = import_report(&compiled, rows, trace).unwrap();
        let snr_db = report.comparison.snr_db;
        let worst = report.layers.iter().map(|layer| layer.snr_db);
        let worst = worst.fold(snr_db, f64::min);
        if worst <= SNR_DB_MIN {
            faults.push(format!(
                "{}: {snr_db:.1} dB, a layer {worst:.1} dB",
                case.name
            ));
        }
    }
    assert!(faults.is_empty(), "{} faults: {faults:#?}", faults.len());
}

#[test]
fn every_operator_runs_fast_with_the_bits_of_the_interpreter() {
    for case in cases(CASES_FILE) {
        let graph = case.graph.fuse();
        let rows = TrainingRows::before(&case.rows, case.rows.len());
        let calibration = Calibration::collect(&graph, rows, 64).unwrap();
        let compiled = compile(graph, &calibration, &Options::default()).unwrap();
        let input = compiled.quantize(&case.rows[0]).unwrap();
        let plan = Plan::new(&compiled.program, &DimValues::NONE, Kernel::best()).unwrap();
        let fast = Session::new(plan.into(), 1).trace(&input).unwrap();
        let slow = selfsame_interpreter::run(&compiled.program, &DimValues::NONE, input).unwrap();
        assert_eq!(fast.node_tensors, slow.into_outputs(), "{}", case.name);
    }
}

#[test]
fn programs_have_no_needless_nodes() {
    // Name, nodes, and how many of them are moves, concatenations, pointwise.
    let wanted = [
        ("concat_channels", [5, 0, 1, 0]),
        ("concat_scales", [7, 0, 1, 1]),
        ("concat_many", [5, 0, 2, 1]),
        ("channel_shuffle", [4, 1, 0, 0]),
        ("depth_to_space_dcr", [4, 1, 0, 0]),
        ("conv_transpose_gemm", [3, 0, 0, 0]),
        ("reducemean_channels", [5, 0, 0, 1]),
        ("squeeze_excitation", [7, 0, 0, 1]),
        ("expand_gate", [6, 0, 0, 1]),
        ("pair_relu_answer", [4, 0, 0, 1]),
        ("act_silu", [3, 0, 0, 0]),
        ("act_hard_swish_last", [3, 0, 0, 0]),
        ("act_gelu_erf", [3, 0, 0, 0]),
        ("pad_conv", [3, 0, 0, 0]),
        ("slices_of_slices", [4, 1, 0, 0]),
        ("average_pool_without_pads", [5, 0, 0, 1]),
        ("sum_of_relus", [2, 0, 0, 1]),
    ];
    let mut found = 0;
    for case in cases(CASES_FILE) {
        let Some((_, wanted)) = wanted.iter().find(|(name, _)| *name == case.name) else {
            continue;
        };
        let graph = case.graph.fuse();
        let rows = TrainingRows::before(&case.rows, case.rows.len());
        let calibration = Calibration::collect(&graph, rows, 64).unwrap();
        let compiled = compile(graph, &calibration, &Options::default()).unwrap();
        let nodes = compiled.program.nodes();
        let count = |name: &str| nodes.iter().filter(|node| node.op.name() == name).count();
        let counts = [
            nodes.len(),
            count("move"),
            count("concat"),
            count("pointwise"),
        ];
        assert_eq!(counts, *wanted, "{}", case.name);
        found += 1;
    }
    assert_eq!(found, wanted.len());
}

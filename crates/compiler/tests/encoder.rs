//! A trained sentence encoder with outlier channels (`tools/train_encoder.py`): one program for all
//! lengths of text, near its float model, and the same bits however a text is padded.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and compares exactly"
)]

use std::sync::Arc;

use selfsame_compiler::float::{FloatGraph, ImportOptions};
use selfsame_compiler::npz::read_npz_array;
use selfsame_compiler::onnx::OnnxModel;
use selfsame_compiler::{
    Calibration, CompileError, Compiled, OpenDimension, Options, TestRows, TrainingRows,
    compile_open, import_report,
};
use selfsame_ir::{CheckedProgram, DimValues, Tensor};
use selfsame_runtime::{Kernel, Plan, Session};

const ONNX: &[u8] = include_bytes!("data/encoder.onnx");
const NPZ: &[u8] = include_bytes!("data/encoder.npz");
/// Tokens of a row of the data.
const LENGTH: usize = 32;
const TEST_FROM: usize = 256;

fn graph_at(length: u32) -> FloatGraph {
    let model = OnnxModel::decode(ONNX).unwrap();
    let options = ImportOptions {
        dims: [("seq".to_owned(), length as usize)].into(),
        ..ImportOptions::default()
    };
    FloatGraph::import(&model, &options).unwrap().fuse()
}

/// Token ids, then the mask.
fn rows() -> Vec<Vec<f32>> {
    let array = |name| read_npz_array(NPZ, name).unwrap().to_f32();
    let (ids, mask) = (array("ids"), array("mask"));
    let rows = ids.chunks_exact(LENGTH).zip(mask.chunks_exact(LENGTH));
    rows.map(|(ids, mask)| [ids, mask].concat()).collect()
}

fn compiled() -> Compiled {
    let graph = graph_at(32);
    let rows = rows();
    let training = TrainingRows::before(&rows, TEST_FROM);
    let calibration = Calibration::collect(&graph, training, 128).unwrap();
    let open = OpenDimension {
        name: "seq".to_owned(),
        minimum: 2,
        maximum: 32,
    };
    let other = |length| Ok::<_, CompileError>(graph_at(length));
    compile_open(graph, 32, &calibration, &open, &Options::default(), other).unwrap()
}

fn answer(program: &CheckedProgram, length: u32, ids: &[i32], mask: &[i32]) -> Tensor {
    let plan = Plan::new(program, &DimValues(vec![length]), Kernel::best()).unwrap();
    let input = Tensor::I32([ids, mask].concat());
    Session::new(Arc::new(plan), 1).run_one(&input).unwrap()
}

#[test]
fn an_encoder_with_outlier_channels_keeps_its_embeddings() {
    let compiled = compiled();
    let plan = Plan::new(&compiled.program, &compiled.values, Kernel::best()).unwrap();
    let plan = Arc::new(plan);
    let trace = |_: &CheckedProgram, input: Tensor| {
        let mut session = Session::new(Arc::clone(&plan), 1);
        session.trace(&input).unwrap().node_tensors
    };
    let rows = rows();
    let test = TestRows {
        rows: &rows[TEST_FROM..],
        labels: &[],
    };
    let comparison = import_report(&compiled, test, trace).unwrap().comparison;
    println!("{comparison:?}");
    assert!(comparison.cosine_mean >= 0.995, "{comparison:?}");
    assert!(comparison.cosine_min >= 0.95, "{comparison:?}");
}

#[test]
fn one_program_serves_every_length_and_padding_changes_no_bit() {
    let program = compiled().program;
    let whole = |value: &f32| {
        (0..512)
            .find(|&n| f64::from(n) == f64::from(*value))
            .unwrap()
    };
    for row in &rows()[TEST_FROM..TEST_FROM + 8] {
        let ids: Vec<i32> = row[..LENGTH].iter().map(whole).collect();
        let mask: Vec<i32> = row[LENGTH..].iter().map(whole).collect();
        let tokens = mask.iter().filter(|&&m| m == 1).count();
        let padded = answer(&program, 32, &ids, &mask);
        for length in tokens..LENGTH {
            let values = u32::try_from(length).unwrap();
            let shorter = answer(&program, values, &ids[..length], &mask[..length]);
            assert_eq!(shorter, padded, "{tokens} tokens in {length}");
        }
    }
}

#[test]
fn the_runtime_of_every_length_is_the_interpreter() {
    let program = compiled().program;
    for length in [2, 7, 31] {
        let input = (0..length).chain((0..length).map(|i| i32::from(i % 3 != 1)));
        let input = Tensor::I32(input.collect());
        let values = DimValues(vec![length.cast_unsigned()]);
        let slow = selfsame_interpreter::run(&program, &values, input.clone()).unwrap();
        for kernel in Kernel::available() {
            let plan = Plan::new(&program, &values, kernel).unwrap();
            let fast = Session::new(Arc::new(plan), 1).trace(&input).unwrap();
            assert_eq!(
                fast.node_tensors,
                slow.clone().into_outputs(),
                "{kernel:?} {length}"
            );
        }
    }
}

//! Text encoders as transformers exports them (`tools/text_families.py --tiny`): places counted from the ids,
//! biases of distances, products with positions that are picked by distance.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod compared;

use std::path::PathBuf;

use compared::compared_on;
use selfsame_compiler::float::{FloatGraph, FloatOp, ImportOptions};
use selfsame_compiler::npz::read_npz_array;
use selfsame_compiler::onnx::OnnxModel;
use selfsame_compiler::{
    Calibration, CompileError, Compiled, OpenDimension, Options, TrainingRows, compile,
    compile_open,
};

const DEBERTA: &str = "deberta-v3-hidden-eager-dynamo";
const MPNET: &str = "mpnet-hidden-eager-dynamo";
const ROBERTA: &str = "roberta-hidden-sdpa-dynamo";
const T5: &str = "t5-encoder-mean-sdpa-torchscript";
const LENGTH: usize = 16;
const TRAINING: usize = 16;

fn file(name: &str, extension: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/families");
    std::fs::read(folder.join(format!("{name}.{extension}"))).unwrap()
}

fn graph_at(name: &str, length: usize) -> FloatGraph {
    let model = OnnxModel::decode(&file(name, "onnx")).unwrap();
    let options = ImportOptions {
        dims: [("seq".to_owned(), length), ("batch".to_owned(), 1)].into(),
        ..ImportOptions::default()
    };
    FloatGraph::import(&model, &options).unwrap()
}

/// Token ids and mask of each text.
fn rows(name: &str) -> Vec<Vec<f32>> {
    let npz = file(name, "npz");
    let array = |input| read_npz_array(&npz, input).unwrap().to_f32();
    let (ids, mask) = (array("input_ids"), array("attention_mask"));
    let rows = ids.chunks_exact(LENGTH).zip(mask.chunks_exact(LENGTH));
    rows.map(|(ids, mask)| [ids, mask].concat()).collect()
}

fn calibrated(name: &str) -> (FloatGraph, Calibration) {
    let (graph, rows) = (graph_at(name, LENGTH).fuse(), rows(name));
    let training = TrainingRows::before(&rows, TRAINING);
    let calibration = Calibration::collect(&graph, training, TRAINING).unwrap();
    (graph, calibration)
}

/// Signal over noise of the program's answers to texts that calibration did not see, in decibels.
fn snr_db(name: &str, compiled: &Compiled) -> f64 {
    compared_on(compiled, &rows(name)[TRAINING..]).snr_db
}

#[test]
fn the_float_graphs_of_the_exports_are_the_models() {
    for name in [DEBERTA, MPNET, ROBERTA, T5] {
        let wanted = read_npz_array(&file(name, "npz"), "y").unwrap().to_f32();
        let largest = wanted.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        let plain = graph_at(name, LENGTH);
        for graph in [plain.clone(), plain.fuse()] {
            let found = graph.run_rows(&rows(name)).unwrap().concat();
            assert_eq!(found.len(), wanted.len(), "{name}");
            let differences = found.iter().zip(&wanted).map(|(f, w)| (f - w).abs());
            let worst = differences.fold(0.0_f32, f32::max);
            assert!(worst <= 1e-4 * largest, "{name}: {worst} of {largest}");
        }
    }
}

#[test]
fn the_programs_of_the_exports_are_near_the_models() {
    // With the bias and the mask on one scale 30 dB would be left of T5.
    for (name, least) in [(DEBERTA, 34.0), (MPNET, 39.0), (ROBERTA, 42.0), (T5, 46.0)] {
        let (graph, calibration) = calibrated(name);
        let compiled = compile(graph, &calibration, &Options::default()).unwrap();
        let found = snr_db(name, &compiled);
        assert!(found >= least, "{name}: {found} dB");
    }
}

#[test]
fn places_that_are_counted_leave_the_length_open() {
    let (graph, calibration) = calibrated(ROBERTA);
    let open = OpenDimension {
        name: "seq".to_owned(),
        minimum: 2,
        maximum: 32,
    };
    let other = |length| Ok::<_, CompileError>(graph_at(ROBERTA, length as usize).fuse());
    let compiled = compile_open(graph, 16, &calibration, &open, &Options::default(), other);
    let found = snr_db(ROBERTA, &compiled.unwrap());
    assert!(found >= 42.0, "{found} dB");
}

#[test]
fn what_is_picked_by_distance_takes_no_move_for_each_row() {
    let walks = |length: usize| {
        let graph = graph_at(DEBERTA, length).fuse();
        let is_walk = |op: &FloatOp| matches!(op, FloatOp::Walk(..) | FloatOp::Concat(_));
        let nodes = graph.nodes().iter();
        nodes.filter(|node| is_walk(&node.op)).count()
    };
    assert_eq!(walks(32), walks(8));
    assert!(walks(32) <= 6, "{}", walks(32));
}

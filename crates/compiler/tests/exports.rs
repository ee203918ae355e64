//! A BERT encoder as both exporters of `PyTorch` write it from transformers, with the attention of
//! each kind and the mask picked by computed places (`tools/real_encoder.py tiny`): one program for
//! all lengths, near its float model.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod compared;

use compared::compared_on;
use selfsame_compiler::float::{FloatGraph, ImportOptions};
use selfsame_compiler::onnx::OnnxModel;
use selfsame_compiler::{
    Calibration, CompileError, Compiled, OpenDimension, Options, TrainingRows, compile_open,
};

const EXPORTS: [(&str, &[u8]); 2] = [
    (
        "eager by TorchScript",
        include_bytes!("data/bert_eager_torchscript.onnx"),
    ),
    (
        "sdpa by dynamo",
        include_bytes!("data/bert_sdpa_dynamo.onnx"),
    ),
];
const LENGTH: usize = 16;
const TRAINING: usize = 24;

fn graph_at(onnx: &[u8], length: usize) -> FloatGraph {
    let model = OnnxModel::decode(onnx).unwrap();
    let options = ImportOptions {
        dims: [("seq".to_owned(), length), ("batch".to_owned(), 1)].into(),
        ..ImportOptions::default()
    };
    FloatGraph::import(&model, &options).unwrap().fuse()
}

/// Token ids, mask, token types; texts of 2 to 16 tokens.
fn rows() -> Vec<Vec<f32>> {
    let small = |value: usize| f32::from(u8::try_from(value).unwrap());
    let row = |row: usize| {
        let tokens = 2 + row * 5 % (LENGTH - 1);
        let mask = |at: usize| usize::from(at < tokens);
        let ids = (0..LENGTH).map(|at| small(mask(at) * (1 + (row * 7 + at * (row + 3)) % 23)));
        let masks = (0..LENGTH).map(|at| small(mask(at)));
        ids.chain(masks).chain([0.0; LENGTH]).collect()
    };
    (0..TRAINING + 8).map(row).collect()
}

fn compiled(onnx: &[u8]) -> Compiled {
    let graph = graph_at(onnx, LENGTH);
    let rows = rows();
    let training = TrainingRows::before(&rows, TRAINING);
    let calibration = Calibration::collect(&graph, training, TRAINING).unwrap();
    let open = OpenDimension {
        name: "seq".to_owned(),
        minimum: 2,
        maximum: 16,
    };
    let other = |length| Ok::<_, CompileError>(graph_at(onnx, length as usize));
    compile_open(graph, 16, &calibration, &open, &Options::default(), other).unwrap()
}

#[test]
fn an_export_of_transformers_stays_open_in_its_length_and_near_its_float_model() {
    for (name, onnx) in EXPORTS {
        let compiled = compiled(onnx);
        let comparison = compared_on(&compiled, &rows()[TRAINING..]);
        // A mask that set the scale of the scores would leave 0.9998.
        assert!(comparison.cosine_mean >= 0.9999, "{name}: {comparison:?}");
    }
}

#[test]
fn a_size_of_the_batch_in_a_range_is_refused_with_the_flag_that_helps() {
    let model = OnnxModel::decode(EXPORTS[0].1).unwrap();
    let options = ImportOptions {
        dims: [("seq".to_owned(), LENGTH)].into(),
        ..ImportOptions::default()
    };
    let error = FloatGraph::import(&model, &options)
        .unwrap_err()
        .to_string();
    assert!(error.contains("--dim NAME=1"), "{error}");
}

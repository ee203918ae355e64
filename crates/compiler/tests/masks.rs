//! What a mask hides stays hidden, however small the scores are, and the mask does not set their scale.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod compared;
mod onnx_writer;

use compared::compared;
use onnx_writer::{Attr, Model};
use selfsame_compiler::float::FloatGraph;
use selfsame_compiler::onnx::OnnxModel;

const ROWS: u8 = 6;
const COLUMNS: u8 = 8;
const TRAINING: usize = 24;

/// Attention of `x` to itself with small scores, of which each row sees those up to its own.
fn causal(op: &str, hidden: f32) -> FloatGraph {
    let cells = (0..ROWS).flat_map(|row| (0..ROWS).map(move |column| (row, column)));
    let mask: Vec<f32> = cells
        .map(|(row, column)| if column > row { hidden } else { 0.0 })
        .collect();
    let order = [("perm", Attr::Ints(vec![0, 2, 1]))];
    let model = Model::new(&["batch", "6", "8"])
        .floats("small", &[], &[0.01])
        .floats("mask", &[6, 6], &mask)
        .node("queries", "Mul", &["x", "small"], "queries", &[])
        .node("keys", "Transpose", &["x"], "keys", &order)
        .node("scores", "MatMul", &["queries", "keys"], "scores", &[])
        .node("masked", op, &["scores", "mask"], "masked", &[])
        .node("softmax", "Softmax", &["masked"], "weights", &[])
        .node("y", "MatMul", &["weights", "x"], "y", &[]);
    let model = OnnxModel::decode(&model.encode()).unwrap();
    FloatGraph::from_onnx(&model).unwrap().fuse()
}

fn row(index: u8) -> Vec<f32> {
    let cell = |at: u8| {
        let mixed = u16::from(at) * 37 + u16::from(index) * 101 + u16::from(at) * u16::from(index);
        (f32::from(mixed % 61) - 30.0) / 20.0
    };
    (0..ROWS * COLUMNS).map(cell).collect()
}

#[test]
fn what_is_hidden_has_no_weight_however_small_the_scores_are() {
    for (op, hidden) in [("Add", -1e9), ("Add", -2e3), ("Sub", 1e6)] {
        let graph = causal(op, hidden);
        let rows: Vec<Vec<f32>> = (0..32).map(row).collect();
        let (_, found) = compared(graph, &rows, TRAINING);
        assert!(found.snr_db >= 35.0, "{op} {hidden}: {found:?}");
    }
}

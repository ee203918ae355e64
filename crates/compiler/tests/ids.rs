//! Token ids that come as real numbers, as Keras has them where nobody says otherwise.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod compared;
mod onnx_writer;

use compared::compared;
use onnx_writer::{Attr, Model};
use selfsame_compiler::float::{FloatGraph, InputKind};
use selfsame_compiler::onnx::OnnxModel;

const TOKENS: u16 = 6;
const ENTRIES: u16 = 300;

/// Rows of a table by the whole parts of the input, brought to an answer.
fn graph() -> FloatGraph {
    let mixed = |at: u16| f32::from(at.wrapping_mul(40_503)) / 32_768.0 - 1.0;
    let table: Vec<f32> = (0..ENTRIES * 4).map(mixed).collect();
    let weights: Vec<f32> = (0..4 * 3).map(|at| mixed(at + 7)).collect();
    let model = Model::new(&["batch", "6"])
        .floats("table", &[u64::from(ENTRIES), 4], &table)
        .floats("w", &[4, 3], &weights)
        .node("cast", "Cast", &["x"], "ids", &[("to", Attr::Int(6))])
        .node("rows", "Gather", &["table", "ids"], "rows", &[])
        .node("y", "MatMul", &["rows", "w"], "y", &[]);
    let model = OnnxModel::decode(&model.encode()).unwrap();
    FloatGraph::from_onnx(&model).unwrap().fuse()
}

#[test]
fn real_numbers_that_pick_rows_of_a_table_are_read_as_whole_ones() {
    let graph = graph();
    assert_eq!(graph.inputs()[0].kind, InputKind::Index);
    let id = |row: u16, token: u16| f32::from((row * 131 + token * 57) % ENTRIES);
    let row = |row: u16| (0..TOKENS).map(|token| id(row, token)).collect();
    let rows: Vec<Vec<f32>> = (0..64).map(row).collect();
    let (_, found) = compared(graph, &rows, 48);
    assert!(found.snr_db > 40.0, "{} dB", found.snr_db);
}

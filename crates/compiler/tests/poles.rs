//! Divisions by a length or a count that some rows have 0 of.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod compared;
mod onnx_writer;

use compared::compared;
use onnx_writer::{Attr, Model};
use selfsame_compiler::float::FloatGraph;
use selfsame_compiler::onnx::OnnxModel;

const VECTORS: usize = 4;
const CHANNELS: usize = 8;

fn graph(model: &Model) -> FloatGraph {
    let model = OnnxModel::decode(&model.encode()).unwrap();
    FloatGraph::from_onnx(&model).unwrap().fuse()
}

/// `x / max(length of x, least)` of each vector, behind a dense layer: the attention of Swin v2, Keras'
/// `UnitNormalization`.
fn directions(least: f32) -> Model {
    let mut weights = vec![0.0; CHANNELS * CHANNELS];
    for (weight, at) in weights.iter_mut().zip(0_u16..) {
        *weight = (f32::from(at * 37 % 64) - 31.5) / 64.0;
    }
    Model::new(&["batch", "4", "8"])
        .floats("w", &[8, 8], &weights)
        .floats("least", &[], &[least])
        .node("dense", "MatMul", &["x", "w"], "dense", &[])
        .node(
            "length",
            "ReduceL2",
            &["dense"],
            "length",
            &[("axes", Attr::Ints(vec![-1])), ("keepdims", Attr::Int(1))],
        )
        .node("floor", "Max", &["length", "least"], "floor", &[])
        .node("y", "Div", &["dense", "floor"], "y", &[])
}

/// Rows of which some vectors are `small` times the others.
fn rows(small: f32) -> Vec<Vec<f32>> {
    let value = |row: usize, at: usize| {
        let mixed = (row * 7919 + at * 104_729 + row * at * 31) % 2048;
        let value = f32::from(u16::try_from(mixed).unwrap()) / 1024.0 - 1.0;
        let is_small = (row + at / CHANNELS).is_multiple_of(5);
        if is_small { value * small } else { value }
    };
    let row = |row| (0..VECTORS * CHANNELS).map(|at| value(row, at)).collect();
    (0..48).map(row).collect()
}

#[test]
fn vectors_of_zeros_do_not_take_the_scale_of_the_others() {
    for least in [1e-12, 1e-6] {
        let (_, found) = compared(graph(&directions(least)), &rows(0.0), 32);
        assert!(found.snr_db > 35.0, "{least}: {} dB", found.snr_db);
    }
}

#[test]
fn small_vectors_that_are_seen_keep_their_directions() {
    let (_, found) = compared(graph(&directions(1e-12)), &rows(0.1), 32);
    assert!(found.snr_db > 26.0, "{} dB", found.snr_db);
}

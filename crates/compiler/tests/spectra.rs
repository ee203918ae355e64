//! Magnitudes and logarithms of powers: squares that span decades keep their small values.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod compared;
mod onnx_writer;

use compared::compared;
use onnx_writer::Model;
use selfsame_compiler::float::FloatGraph;
use selfsame_compiler::onnx::OnnxModel;
use selfsame_ir::{DType, Op};

const SAMPLES: usize = 32;
const BINS: u64 = 16;

/// `f(re^2 + im^2 + floor)` of two dense layers of a signal.
fn spectrum(f: &str, floor: f32) -> FloatGraph {
    let weights = |phase: f32| -> Vec<f32> {
        let count = u16::try_from(SAMPLES).unwrap() * u16::try_from(BINS).unwrap();
        let angle = |at: u16| f32::from((at % 16 + 1) * (at / 16)) * 0.196 + phase;
        (0..count).map(|at| angle(at).sin() / 8.0).collect()
    };
    let model = Model::new(&["batch", "32"])
        .floats("c", &[32, BINS], &weights(core::f32::consts::FRAC_PI_2))
        .floats("s", &[32, BINS], &weights(0.0))
        .floats("two", &[], &[2.0])
        .floats("floor", &[], &[floor])
        .node("re", "MatMul", &["x", "c"], "re", &[])
        .node("im", "MatMul", &["x", "s"], "im", &[])
        .node("re2", "Pow", &["re", "two"], "re2", &[])
        .node("im2", "Pow", &["im", "two"], "im2", &[])
        .node("power", "Add", &["re2", "im2"], "power", &[])
        .node("above", "Add", &["power", "floor"], "above", &[])
        .node("y", f, &["above"], "y", &[]);
    let model = OnnxModel::decode(&model.encode()).unwrap();
    FloatGraph::from_onnx(&model).unwrap().fuse()
}

/// Waves of one frequency each, some loud and many soft.
fn waves() -> Vec<Vec<f32>> {
    let wave = |row: u16| -> Vec<f32> {
        let loud = [1.0, 0.1, 0.03, 0.01][usize::from(row % 4)];
        let pitch = 0.2 + f32::from(row * 37 % 64) / 25.0;
        let at = |t: u16| loud * (pitch * f32::from(t) + f32::from(row)).sin();
        (0..u16::try_from(SAMPLES).unwrap()).map(at).collect()
    };
    (0..96).map(wave).collect()
}

#[test]
fn logarithms_of_powers_keep_the_soft_waves() {
    let (compiled, found) = compared(spectrum("Log", 1e-6), &waves(), 64);
    assert!(found.snr_db > 30.0, "{} dB", found.snr_db);
    let nodes = compiled.program.nodes();
    let is_long = |dtype: DType, op: &Op| dtype == DType::I32 && matches!(op, Op::Pointwise(_));
    assert!(nodes.iter().any(|node| is_long(node.dtype, &node.op)));
}

#[test]
fn roots_of_powers_keep_the_soft_waves() {
    let (_, found) = compared(spectrum("Sqrt", 0.0), &waves(), 64);
    assert!(found.snr_db > 30.0, "{} dB", found.snr_db);
}

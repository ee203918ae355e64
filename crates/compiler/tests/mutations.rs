//! Damaged files never make the readers panic, and never make them take memory without bound.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and compares exactly"
)]

mod fixtures;

use std::sync::OnceLock;

use fixtures::read;
use proptest::prelude::*;
use selfsame_compiler::float::FloatGraph;
use selfsame_compiler::image::read_png;
use selfsame_compiler::npz::{ArrayData, read_npy, read_npz, shapes};
use selfsame_compiler::onnx::OnnxModel;
use selfsame_compiler::{Calibration, Options, TrainingRows, compile};

/// Reads a model as far as it goes; fusion and one run must not panic either.
fn import(bytes: &[u8]) {
    let Ok(model) = OnnxModel::decode(bytes) else {
        return;
    };
    let Ok(graph) = FloatGraph::from_onnx(&model) else {
        return;
    };
    let graph = graph.fuse();
    let elements: usize = graph.input_shape().iter().product();
    if elements <= 1 << 12 {
        let _ = graph.run(&vec![0.5; elements]);
    }
}

/// Reads, fuses, calibrates on one row and compiles a model as far as it goes.
fn compile_if_it_imports(bytes: &[u8]) {
    let Ok(model) = OnnxModel::decode(bytes) else {
        return;
    };
    let Ok(graph) = FloatGraph::from_onnx(&model) else {
        return;
    };
    let graph = graph.fuse();
    let elements: usize = graph.input_shape().iter().product();
    if elements > 1 << 12 {
        return;
    }
    let row: Vec<f32> = (0..17_i16)
        .cycle()
        .map(|i| f32::from(i - 8) / 4.0)
        .take(elements)
        .collect();
    if let Ok(calibration) = Calibration::collect(&graph, TrainingRows::before(&[row], 1), 1) {
        let _ = compile(graph, &calibration, &Options::default());
    }
}

/// The models of `tools/operator_cases.py`.
fn operator_models() -> &'static [Vec<u8>] {
    static MODELS: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    MODELS.get_or_init(|| {
        let arrays = read_npz(&read("crates/compiler/tests/data/operators.npz")).unwrap();
        let models = arrays
            .into_iter()
            .filter(|(name, _)| name.strip_suffix(".model").is_some());
        models
            .filter_map(|(_, array)| match array.data {
                ArrayData::U8(bytes) => Some(bytes),
                _ => None,
            })
            .collect()
    })
}

/// Flips, overwrites, cuts and doubles parts of `bytes`.
fn mutate(bytes: &mut Vec<u8>, steps: &[(u8, usize, u8)]) {
    for &(kind, at, value) in steps {
        if bytes.is_empty() {
            return;
        }
        let at = at % bytes.len();
        match kind % 5 {
            0 => bytes[at] ^= 1 << (value % 8),
            1 => bytes[at] = value,
            2 => bytes.truncate(at),
            3 => {
                let end = (at + usize::from(value)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            _ => {
                let end = (at + usize::from(value)).min(bytes.len());
                bytes.drain(at..end);
            }
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<(u8, usize, u8)>> {
    prop::collection::vec((any::<u8>(), any::<usize>(), any::<u8>()), 1..6)
}

/// Positions near the start hit structure more often than weights.
fn early_steps(limit: usize) -> impl Strategy<Value = Vec<(u8, usize, u8)>> {
    prop::collection::vec((any::<u8>(), 0..limit, any::<u8>()), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_models_never_panic(steps in steps(), early in early_steps(600), which in 0..4_usize) {
        let names = ["mlp", "cancer", "mlp", "lenet"];
        let original = read(&format!("models/{}/model.onnx", names[which]));
        for steps in [&steps, &early] {
            let mut bytes = original.clone();
            mutate(&mut bytes, steps);
            import(&bytes);
        }
    }

    #[test]
    fn mutated_structure_of_a_residual_network_never_panics(steps in steps()) {
        // The graph of nodes stands in front of the weights.
        let mut bytes = read("models/resnet20/model.onnx");
        let limit = bytes.len().min(16_000);
        let steps: Vec<_> = steps.into_iter().map(|(k, at, v)| (k, at % limit, v)).collect();
        mutate(&mut bytes, &steps);
        import(&bytes);
    }

    #[test]
    fn mutated_gates_shuffles_and_concatenations_never_panic(steps in steps()) {
        // Nodes stand in front of the weights; what still imports is compiled, too.
        let mut bytes = read("crates/compiler/tests/data/branches_torchscript.onnx");
        let limit = bytes.len().min(24_000);
        let steps: Vec<_> = steps.into_iter().map(|(k, at, v)| (k, at % limit, v)).collect();
        mutate(&mut bytes, &steps);
        compile_if_it_imports(&bytes);
    }

    #[test]
    fn mutated_operators_never_panic(steps in steps(), which in any::<usize>()) {
        let models = operator_models();
        let mut bytes = models[which % models.len()].clone();
        mutate(&mut bytes, &steps);
        compile_if_it_imports(&bytes);
    }

    #[test]
    fn mutated_archives_never_panic(steps in steps(), early in early_steps(200)) {
        let original = read("models/data/cancer.npz");
        for steps in [&steps, &early] {
            let mut bytes = original.clone();
            mutate(&mut bytes, steps);
            let _ = read_npz(&bytes);
            let _ = shapes(&bytes);
            let mut tail = original[original.len() - 400..].to_vec();
            mutate(&mut tail, steps);
            let joined = [&original[..original.len() - 400], &tail].concat();
            let _ = read_npz(&joined);
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        import(&bytes);
        let _ = read_npz(&bytes);
        let _ = shapes(&bytes);
        let _ = read_npy(&bytes);
        let _ = read_npy(&[b"\x93NUMPY\x01\x00\x40\x00".as_slice(), &bytes].concat());
        let _ = read_png(&bytes);
        let _ = read_png(&[b"\x89PNG\r\n\x1a\n".as_slice(), &bytes].concat());
    }
}

#[test]
fn every_truncation_of_a_model_is_refused() {
    let bytes = read("models/cancer/model.onnx");
    for len in 0..bytes.len() {
        if let Ok(model) = OnnxModel::decode(&bytes[..len]) {
            // A cut between two fields of the outermost message leaves a whole model.
            assert_eq!(model, OnnxModel::decode(&bytes).unwrap(), "{len}");
        }
    }
}

#[test]
fn every_truncation_of_an_archive_is_refused() {
    let bytes = read("models/data/cancer.npz");
    for len in (0..bytes.len())
        .step_by(97)
        .chain(bytes.len() - 200..bytes.len())
    {
        assert!(read_npz(&bytes[..len]).is_err(), "{len}");
    }
}

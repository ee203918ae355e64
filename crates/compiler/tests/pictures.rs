//! What vision models of `timm` and `transformers` need beside transformers and convolutional networks.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod compared;
mod fixtures;
mod onnx_writer;

use compared::compared;
use fixtures::read;
use onnx_writer::{Attr, Model};
use selfsame_compiler::Compiled;
use selfsame_compiler::float::{FloatGraph, FloatNode, FloatOp};
use selfsame_compiler::onnx::OnnxModel;
use selfsame_ir::{DType, Op};

/// Numbers in -1..1 that look random.
struct Numbers(u64);

impl Numbers {
    fn many(&mut self, count: usize) -> Vec<f32> {
        let mut next = || {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005);
            self.0 = self.0.wrapping_add(1_442_695_040_888_963_407);
            f32::from(u16::try_from(self.0 >> 48).unwrap()) / 32_768.0 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }
}

/// The program of a model of 64 numbers, and its signal over noise on rows that calibration has not seen.
fn imported(model: &Model) -> (Compiled, f64) {
    let model = OnnxModel::decode(&model.encode()).unwrap();
    let graph = FloatGraph::from_onnx(&model).unwrap().fuse();
    let mut numbers = Numbers(7);
    let rows: Vec<Vec<f32>> = (0..24).map(|_| numbers.many(64)).collect();
    let (compiled, comparison) = compared(graph, &rows, 16);
    (compiled, comparison.snr_db)
}

/// A norm over the last axis.
fn norm(model: Model, [input, output]: [&str; 2], columns: u64, epsilon: f32) -> Model {
    let attributes = [("axis", Attr::Int(-1)), ("epsilon", Attr::Float(epsilon))];
    let ones = vec![1.0; usize::try_from(columns).unwrap()];
    model.floats("ones", &[columns], &ones).node(
        "norm",
        "LayerNormalization",
        &[input, "ones"],
        output,
        &attributes,
    )
}

#[test]
fn an_epsilon_far_above_the_variance_divides_as_it_is() {
    for scale in [1e-2, 1e-4, 1e-6] {
        let mut numbers = Numbers(3);
        let weights: Vec<f32> = numbers.many(8 * 8).iter().map(|w| w * scale).collect();
        let model = Model::new(&["batch", "8", "8"])
            .floats("w", &[8, 8], &weights)
            .node("small", "MatMul", &["x", "w"], "a", &[]);
        let (_, snr_db) = imported(&norm(model, ["a", "y"], 8, 1e-5));
        assert!(snr_db > 40.0, "{scale}: {snr_db:.1} dB");
    }
}

#[test]
fn a_sum_with_zeros_is_no_node() {
    for op in ["Add", "Sub"] {
        let model = Model::new(&["batch", "4", "16"])
            .floats("zeros", &[1, 4, 16], &[0.0; 64])
            .floats("w", &[16, 4], &Numbers(3).many(64))
            .node("mask", op, &["x", "zeros"], "a", &[])
            .node("dense", "MatMul", &["a", "w"], "b", &[])
            .node("softmax", "Softmax", &["b"], "y", &[]);
        let (compiled, _) = imported(&model);
        let names: Vec<&str> = compiled.graph.nodes().iter().map(|n| &*n.name).collect();
        assert_eq!(names, ["x", "dense", "softmax"]);
    }
}

/// A network of rows behind convolutions whose answers are differences of channels with nearly the same
/// weights; `difference` says how nearly.
fn hybrid(difference: f32) -> Model {
    let mut numbers = Numbers(5);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        let row = numbers.many(4);
        let beside = numbers.many(4);
        first.extend_from_slice(&row);
        first.extend(row.iter().zip(beside).map(|(w, n)| w + difference * n));
    }
    for output in 0..8 {
        for input in 0..16 {
            let sign = if input % 2 == 0 { 1.0 } else { -1.0 };
            second.push(if input / 2 == output { sign } else { 0.0 });
        }
    }
    let model = Model::new(&["batch", "4", "4", "4"])
        .floats("v", &[16, 4, 1, 1], &first)
        .floats("w", &[8, 16, 1, 1], &second)
        .ints("rows", &[3], &[0, 8, 16])
        .node("first", "Conv", &["x", "v"], "a", &[])
        .node("relu", "Relu", &["a"], "b", &[])
        .node("second", "Conv", &["b", "w"], "c", &[])
        .node("view", "Reshape", &["c", "rows"], "d", &[]);
    norm(model, ["d", "y"], 16, 1e-9)
}

#[test]
fn convolutions_in_front_of_rows_are_as_fine_as_their_answers_need() {
    let read = |compiled: &Compiled| -> Vec<DType> {
        let nodes = compiled.program.program().nodes.iter();
        let read = nodes.filter_map(|node| match &node.op {
            Op::Conv(conv) => Some(conv.dtype),
            _ => None,
        });
        read.collect()
    };
    let (compiled, snr_db) = imported(&hybrid(1.0));
    assert_eq!(read(&compiled), [DType::I8; 2], "{snr_db:.1} dB");
    let (compiled, snr_db) = imported(&hybrid(0.01));
    // Two planes, and one: the second convolution has weights of -1, 0 and 1.
    assert_eq!(read(&compiled), [DType::I16; 3]);
    assert!(snr_db > 26.0, "{snr_db:.1} dB");
}

#[test]
fn a_convolution_of_too_many_terms_or_bytes_is_a_sum_of_convolutions() {
    // 3 x 3 cells of 2,048 channels, and of 960 with gaps of 12 over the whole image.
    for (channels, gap, parts) in [(2_048, 1, 2), (960, 12, 2)] {
        let mut numbers = Numbers(3);
        let ours = usize::try_from(channels).unwrap();
        let pads = Attr::Ints(vec![gap, gap, gap, gap]);
        let model = Model::new(&["batch", "1", "8", "8"])
            .floats("v", &[channels, 1, 1, 1], &numbers.many(ours))
            .floats("w", &[2, channels, 3, 3], &numbers.many(2 * ours * 9))
            .floats("bias", &[2], &[30.0, -20.0])
            .node("spread", "Conv", &["x", "v"], "a", &[])
            .node("relu", "Relu", &["a"], "b", &[])
            .node(
                "wide",
                "Conv",
                &["b", "w", "bias"],
                "y",
                &[("pads", pads), ("dilations", Attr::Ints(vec![gap, gap]))],
            );
        let (compiled, snr_db) = imported(&model);
        let nodes = compiled.graph.nodes().iter();
        // For each part a cut and a convolution, and a sum for each but the first.
        let wide = nodes.filter(|node| node.name == "wide").count();
        assert_eq!(wide, 3 * parts - 1);
        assert!(snr_db > 35.0, "{channels}: {snr_db:.1} dB");
    }
}

#[test]
fn the_rows_of_all_samples_behind_one_another_have_a_norm_of_their_channels() {
    let mut numbers = Numbers(3);
    let model = Model::new(&["1", "4", "16"])
        .floats("w", &[16, 8], &numbers.many(128))
        .floats("scale", &[8], &numbers.many(8))
        .floats("shift", &[8], &numbers.many(8))
        .floats("mean", &[8], &numbers.many(8))
        .floats("variance", &[8], &[0.5, 2.0, 1.0, 0.25, 1.0, 1.5, 3.0, 0.7])
        .ints("rows", &[2], &[-1, 8])
        .ints("back", &[3], &[1, 4, 8])
        .node("dense", "MatMul", &["x", "w"], "a", &[])
        .node("flatten", "Reshape", &["a", "rows"], "b", &[])
        .node(
            "norm",
            "BatchNormalization",
            &["b", "scale", "shift", "mean", "variance"],
            "c",
            &[],
        )
        .node("view", "Reshape", &["c", "back"], "y", &[]);
    let (_, snr_db) = imported(&model);
    assert!(snr_db > 35.0, "{snr_db:.1} dB");
}

#[test]
fn standardised_weights_are_constants() {
    let weights = Numbers(3).many(3 * 4);
    let mut expected = Vec::new();
    for row in weights.chunks_exact(4) {
        let mean = row.iter().sum::<f32>() / 4.0;
        let variance = row.iter().map(|w| (w - mean).powi(2)).sum::<f32>() / 4.0;
        expected.extend(
            row.iter()
                .map(|w| (w - mean) / (variance + 1e-3).sqrt() * 1.5),
        );
    }
    let attributes = [
        ("training_mode", Attr::Int(1)),
        ("epsilon", Attr::Float(1e-3)),
    ];
    let model = Model::new(&["batch", "4", "4", "4"])
        .floats("v", &[1, 3, 4], &weights)
        .floats("gain", &[3], &[1.5; 3])
        .floats("zeros", &[3], &[0.0; 3])
        .ints("shape", &[4], &[3, 4, 1, 1])
        .node(
            "norm",
            "BatchNormalization",
            &["v", "gain", "zeros", "zeros", "gain"],
            "w",
            &attributes,
        )
        .node("view", "Reshape", &["w", "shape"], "weights", &[])
        .node("conv", "Conv", &["x", "weights"], "y", &[]);
    let (compiled, snr_db) = imported(&model);
    let FloatOp::Conv(linear, ..) = &compiled.graph.nodes()[1].op else {
        panic!("{:?}", compiled.graph.nodes()[1]);
    };
    for (found, wanted) in linear.weights.iter().zip(&expected) {
        assert!((found - wanted).abs() < 1e-5, "{found} {wanted}");
    }
    assert!(snr_db > 35.0, "{snr_db:.1} dB");
}

#[test]
fn the_committed_table_of_vision_models_has_the_counts_of_its_entries_and_the_page_has_them() {
    let report: serde_json::Value = serde_json::from_slice(&read("docs/vision.json")).unwrap();
    let models = report["models"].as_object().unwrap();
    let page = String::from_utf8(read("docs/import.md")).unwrap();
    let lines = models.values().map(|model| &model["torchscript"]);
    let exported = lines.filter(|line| line.get("not_exported").is_none());
    let decibels: Vec<Option<f64>> = exported.map(|line| line["snr_db"].as_f64()).collect();
    let imported: Vec<f64> = decibels.iter().flatten().copied().collect();
    let found = [
        ("architectures", models.len()),
        ("exported", decibels.len()),
        ("imported", imported.len()),
        ("20_db", imported.iter().filter(|&&db| db >= 20.0).count()),
    ];
    for (name, count) in found {
        assert_eq!(report["counts"][name], count, "{name}");
        assert!(page.contains(&format!("| {count} |\n")), "{name} in docs");
    }
    // Whatever stays below or is refused is named.
    for (name, model) in models {
        let line = &model["torchscript"];
        let is_near = line["snr_db"].as_f64().is_some_and(|db| db >= 20.0);
        let is_named = page.contains(name);
        assert!(is_near || is_named, "{name}");
    }
}

#[test]
fn a_maximum_over_a_prime_number_of_cells_is_one_of_windows_that_overlap() {
    let sizes: [[&str; 2]; 4] = [["1", "127"], ["1", "508"], ["67", "3"], ["71", "5"]];
    for size in sizes {
        let model = Model::new(&["batch", "1", size[0], size[1]])
            .floats("w", &[512, 1, 1, 1], &Numbers(3).many(512))
            .node("conv", "Conv", &["x", "w"], "a", &[])
            .node("pool", "GlobalMaxPool", &["a"], "y", &[]);
        let model = OnnxModel::decode(&model.encode()).unwrap();
        let graph = FloatGraph::from_onnx(&model).unwrap();
        let mut numbers = Numbers(7);
        let cells = graph.input_shape().iter().product();
        let rows: Vec<Vec<f32>> = (0..24).map(|_| numbers.many(cells)).collect();
        let fused = graph.clone().fuse();
        let is_pool = |node: &&FloatNode| matches!(node.op, FloatOp::MaxPool(_));
        assert_eq!(fused.nodes().iter().filter(is_pool).count(), 2, "{size:?}");
        for row in &rows {
            assert_eq!(graph.run(row).unwrap(), fused.run(row).unwrap());
        }
        let (_, comparison) = compared(fused, &rows, 16);
        assert!(comparison.snr_db > 30.0, "{size:?}: {comparison:?}");
    }
}

//! What the importer does not support is refused by name, with what it would take instead.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and compares exactly"
)]

mod onnx_writer;

use onnx_writer::{Attr, Model};
use selfsame_compiler::float::{FloatGraph, ImportError, ImportOptions};
use selfsame_compiler::onnx::{DecodeError, OnnxModel};

fn import(model: &Model) -> Result<FloatGraph, ImportError> {
    FloatGraph::from_onnx(&OnnxModel::decode(&model.encode()).unwrap())
}

/// The text of a refusal must hold all of `parts`.
fn assert_refused(model: &Model, parts: &[&str]) {
    let text = import(model).unwrap_err().to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

fn with_node(dims: &[&str], op: &str, inputs: &[&str], attributes: &[(&str, Attr)]) -> Model {
    Model::new(dims).node("the_node", op, inputs, "y", attributes)
}

#[test]
fn unknown_operators_list_the_supported_ones() {
    let model = with_node(&["batch", "4"], "TopK", &["x"], &[("axis", Attr::Int(-1))]);
    assert_refused(&model, &["the_node", "TopK", "Gemm", "no fixed order"]);
}

#[test]
fn deep_networks_of_large_pictures_are_within_the_budget_of_activations() {
    let deep = |nodes: usize| {
        let mut model = Model::new(&["batch", "16777216"]);
        for node in 0..nodes {
            let names = [node, node + 1].map(|value| match value {
                0 => "x".to_owned(),
                value if value == nodes => "y".to_owned(),
                value => format!("v{value}"),
            });
            model = model.node("the_node", "Relu", &[&names[0]], &names[1], &[]);
        }
        model
    };
    assert!(import(&deep(60)).is_ok());
    assert_refused(&deep(70), &["the_node", "1073741824 in all activations"]);
}

#[test]
fn dimensions_without_a_value_name_the_flag() {
    let model = with_node(&["batch", "seq", "4"], "Relu", &["x"], &[]);
    assert_refused(&model, &["\"seq\"", "--dim seq=128"]);
    let options = ImportOptions {
        dims: [("seq".to_owned(), 3)].into(),
        ..ImportOptions::default()
    };
    let decoded = OnnxModel::decode(&model.encode()).unwrap();
    let graph = FloatGraph::import(&decoded, &options).unwrap();
    assert_eq!(graph.input_shape(), [3, 4]);
}

#[test]
fn without_a_batch_every_axis_is_one_of_the_sample() {
    let model = with_node(&["3", "4"], "ReduceMean", &["x"], &[]);
    assert_refused(&model, &["leading dimension is 3", "--no-batch"]);
    let options = ImportOptions {
        no_batch: true,
        ..ImportOptions::default()
    };
    let graph = |model: &Model| {
        let decoded = OnnxModel::decode(&model.encode()).unwrap();
        FloatGraph::import(&decoded, &options)
    };
    let mean = graph(&model).unwrap();
    assert_eq!(mean.input_shape(), [3, 4]);
    let row: Vec<f32> = (0..12_u8).map(f32::from).collect();
    assert_eq!(mean.run(&row).unwrap(), [5.5]);
    let named = graph(&with_node(&["batch", "4"], "Relu", &["x"], &[])).unwrap_err();
    assert!(named.to_string().contains("--dim batch=128"), "{named}");
}

#[test]
fn indices_targets_and_places_that_the_program_cannot_hold_are_refused() {
    let picked = with_node(&["batch", "4"], "GatherElements", &["x", "x"], &[]);
    assert_refused(&picked, &["the_node", "constant whole numbers"]);
    let outside = Model::new(&["batch", "4", "2"])
        .ints("i", &[1, 1], &[9])
        .node("the_node", "GatherND", &["x", "i"], "y", &[]);
    assert_refused(&outside, &["the_node", "index 9 into 1 cells"]);
    let targets = Model::new(&["1", "4"]).ints("t", &[1], &[4]).node(
        "the_node",
        "SoftmaxCrossEntropyLoss",
        &["x", "t"],
        "y",
        &[],
    );
    assert_refused(&targets, &["the_node", "4 classes"]);
    let grid = with_node(&["1", "1", "4", "4"], "GridSample", &["x", "x"], &[]);
    assert_refused(&grid, &["the_node", "input 1"]);
    let long = with_node(
        &["batch", "2", "300"],
        "ReduceProd",
        &["x"],
        &[("axes", Attr::Ints(vec![2]))],
    );
    assert_refused(&long, &["the_node", "300 factors", "256"]);
    let transform = with_node(&["batch", "5000", "1"], "DFT", &["x"], &[]);
    assert_refused(&transform, &["the_node", "2048"]);
}

#[test]
fn unknown_attributes_are_refused_with_their_value() {
    let model = with_node(
        &["batch", "4"],
        "Flatten",
        &["x"],
        &[("sideways", Attr::Int(7))],
    );
    assert_refused(&model, &["the_node", "Flatten", "sideways", "7"]);
}

#[test]
fn nodes_that_mix_samples_are_refused() {
    let mean = with_node(
        &["batch", "3", "4", "4"],
        "ReduceMean",
        &["x"],
        &[("axes", Attr::Ints(vec![0, 2, 3]))],
    );
    let turned = Model::new(&["batch", "4"])
        .node(
            "turn",
            "Transpose",
            &["x"],
            "t",
            &[("perm", Attr::Ints(vec![1, 0]))],
        )
        .node("the_node", "Softmax", &["t"], "y", &[]);
    let flat = Model::new(&["batch", "4"])
        .floats("weights", &[4, 2], &[0.5; 8])
        .node("flatten", "Flatten", &["x"], "f", &[("axis", Attr::Int(0))])
        .node("the_node", "MatMul", &["f", "weights"], "y", &[]);
    let merged = Model::new(&["batch", "4"])
        .ints("shape", &[2], &[2, -1])
        .node("the_node", "Reshape", &["x", "shape"], "y", &[]);
    let shifted = Model::new(&["batch", "4"])
        .floats("weights", &[3, 4], &[0.5; 12])
        .node("the_node", "Add", &["x", "weights"], "y", &[]);
    for model in [mean, turned, flat, merged, shifted] {
        assert_refused(&model, &["the_node"]);
    }
}

#[test]
fn inputs_need_a_batch_axis_and_fixed_extents() {
    for (dims, part) in [
        (&["8", "4"][..], "leading dimension is 8"),
        (&["batch", "width"], "\"width\" has no value"),
        (&["batch"], "1 dimensions"),
        (&["batch", "0"], "axis 1 of [batch, ?] has no value"),
        (&["-1", "3", "-5"], "--shape x=1,3,128"),
        (&["batch", "4000000000", "4000000000"], "fixed dimensions"),
    ] {
        assert_refused(&with_node(dims, "Relu", &["x"], &[]), &[part, "supported"]);
    }
}

#[test]
fn long_and_padded_windows_are_refused_where_the_program_has_no_such_node() {
    let average = with_node(
        &["batch", "1", "8", "8"],
        "AveragePool",
        &["x"],
        &[("kernel_shape", Attr::Ints(vec![3]))],
    );
    assert_refused(&average, &["the_node", "kernel_shape of 1 extents"]);
    let dilated = with_node(
        &["batch", "1", "8", "8"],
        "MaxPool",
        &["x"],
        &[
            ("kernel_shape", Attr::Ints(vec![2, 2])),
            ("dilations", Attr::Ints(vec![8, 2])),
        ],
    );
    assert_refused(&dilated, &["the_node", "2 cells 8 apart"]);
    let large = with_node(
        &["batch", "1", "8", "8"],
        "MaxPool",
        &["x"],
        &[("kernel_shape", Attr::Ints(vec![9, 9]))],
    );
    assert_refused(&large, &["the_node", "kernel"]);
}

#[test]
fn moves_that_mix_samples_or_interpolate_are_refused() {
    let image = &["batch", "4", "6", "6"];
    let joined = with_node(image, "Concat", &["x", "x"], &[("axis", Attr::Int(0))]);
    assert_refused(&joined, &["the_node", "Concat", "batch axis"]);
    let split = with_node(image, "Split", &["x"], &[("axis", Attr::Int(0))]);
    assert_refused(&split, &["the_node", "Split", "batch axis"]);
    let padded = Model::new(image)
        .ints("pads", &[8], &[1, 0, 0, 0, 0, 0, 0, 0])
        .node("the_node", "Pad", &["x", "pads"], "y", &[]);
    assert_refused(&padded, &["the_node", "Pad", "batch axis"]);
    let bounds = |model: Model, start: i64, end: i64, axis: i64| {
        model
            .ints("start", &[1], &[start])
            .ints("end", &[1], &[end])
            .ints("axis", &[1], &[axis])
            .node(
                "the_node",
                "Slice",
                &["x", "start", "end", "axis"],
                "y",
                &[],
            )
    };
    let first = bounds(Model::new(image), 0, 1, 0);
    assert_refused(&first, &["the_node", "Slice", "batch axis"]);
    let empty = bounds(Model::new(image), 3, 3, 2);
    assert_refused(&empty, &["the_node", "empty slice"]);
    let picked = Model::new(image)
        .node("first", "Relu", &["x"], "picks", &[])
        .node("the_node", "Gather", &["x", "picks"], "y", &[]);
    assert_refused(&picked, &["the_node", "Gather", "constant table"]);
    let resized = |attributes: &[(&str, Attr)]| {
        Model::new(image)
            .floats("scales", &[4], &[1.0, 1.0, 3.0, 3.0])
            .node("the_node", "Resize", &["x", "", "scales"], "y", attributes)
    };
    assert!(import(&resized(&[])).is_ok());
    assert_refused(
        &resized(&[("antialias", Attr::Int(1))]),
        &["the_node", "Resize", "antialias"],
    );
    let cropped = [(
        "coordinate_transformation_mode",
        Attr::Text("tf_crop_and_resize".to_owned()),
    )];
    assert_refused(&resized(&cropped), &["the_node", "input 1 is missing"]);
    let part = Model::new(image)
        .floats("part", &[8], &[0.0, 0.0, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0])
        .floats("scales", &[4], &[1.0, 1.0, 3.0, 3.0])
        .node(
            "the_node",
            "Resize",
            &["x", "part", "scales"],
            "y",
            &cropped,
        );
    assert_refused(&part, &["the_node", "linear or cubic", "crop with a slice"]);
    let sizes = Model::new(image).floats("scales", &[2], &[2.0, 2.0]).node(
        "the_node",
        "Resize",
        &["x", "", "scales"],
        "y",
        &[],
    );
    assert_refused(&sizes, &["the_node", "Resize", "keep the rank"]);
}

#[test]
fn pairs_and_functions_that_have_no_integer_form_are_refused() {
    let image = &["batch", "4", "6", "6"];
    let power = Model::new(image)
        .node("first", "Sigmoid", &["x"], "s", &[])
        .node("the_node", "Pow", &["x", "s"], "y", &[]);
    assert_refused(&power, &["the_node", "Pow", "one constant exponent"]);
    let shapes = Model::new(image).floats("row", &[5], &[0.5; 5]).node(
        "the_node",
        "Mul",
        &["x", "row"],
        "y",
        &[],
    );
    assert_refused(&shapes, &["the_node", "Mul", "shapes that broadcast"]);
    let chance = with_node(image, "Bernoulli", &["x"], &[]);
    assert_refused(&chance, &["the_node", "Bernoulli", "no chance"]);
}

#[test]
fn external_data_cycles_and_opsets_are_refused_by_the_reader() {
    let decode = |model: &Model| OnnxModel::decode(&model.encode()).unwrap_err();
    let external =
        Model::new(&["batch", "4"])
            .external("weights")
            .node("n", "Relu", &["x"], "y", &[]);
    assert_eq!(
        decode(&external),
        DecodeError::ExternalData {
            name: "weights".to_owned()
        }
    );
    let cycle = Model::new(&["batch", "4"])
        .node("first", "Add", &["x", "b"], "a", &[])
        .node("second", "Relu", &["a"], "b", &[]);
    assert!(matches!(decode(&cycle), DecodeError::NotSorted { node, .. } if node == "first"));
    let old = with_node(&["batch", "4"], "Relu", &["x"], &[]).opset(6);
    assert_eq!(decode(&old), DecodeError::Opset { version: 6 });
    let twice = with_node(&["batch", "4"], "Relu", &["x"], &[]).node("n", "Relu", &["x"], "y", &[]);
    assert!(matches!(decode(&twice), DecodeError::DuplicateName { name } if name == "y"));
}

#[test]
fn reshapes_that_exporters_compute_from_the_shape_are_taken() {
    // x.view(x.size(0), -1), as both exporters write it.
    let model = Model::new(&["batch", "2", "3", "1"])
        .ints("zero", &[], &[0])
        .ints("axes", &[1], &[0])
        .ints("rest", &[1], &[-1])
        .node("shape", "Shape", &["x"], "s", &[])
        .node(
            "gather",
            "Gather",
            &["s", "zero"],
            "n",
            &[("axis", Attr::Int(0))],
        )
        .node("unsqueeze", "Unsqueeze", &["n", "axes"], "n1", &[])
        .node(
            "concat",
            "Concat",
            &["n1", "rest"],
            "target",
            &[("axis", Attr::Int(0))],
        )
        .node("reshape", "Reshape", &["x", "target"], "flat", &[])
        .node("relu", "Relu", &["flat"], "y", &[]);
    let graph = import(&model).unwrap();
    assert_eq!(graph.output_shape(), [6]);
    assert_eq!(
        graph.run(&[1.0, -1.0, 2.0, -2.0, 3.0, -3.0]).unwrap(),
        [1., 0., 2., 0., 3., 0.]
    );
}

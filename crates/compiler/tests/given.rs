//! Dimensions that the file leaves open have the value that the caller or the data gives them.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and compares exactly"
)]

mod onnx_writer;

use onnx_writer::{Attr, Model};
use selfsame_compiler::float::{Extent, FloatGraph, Given, ImportError, ImportOptions};
use selfsame_compiler::onnx::OnnxModel;

/// The graph of `model`, and what the arrays have said of it.
fn import(
    model: &Model,
    given: &Given,
    mut options: ImportOptions,
) -> Result<(FloatGraph, Vec<Extent>), ImportError> {
    let mut model = OnnxModel::decode(&model.encode()).unwrap();
    let extents = given.settle(&mut model, &mut options)?;
    Ok((FloatGraph::import(&model, &options)?, extents))
}

/// Arrays of these shapes by the names of inputs.
fn arrays(arrays: &[(&str, &[usize])]) -> Given {
    let named = |&(name, shape): &(&str, &[usize])| (name.to_owned(), shape.to_vec());
    Given {
        arrays: arrays.iter().map(named).collect(),
        ..Given::default()
    }
}

/// A declared shape of an input.
fn shape(name: &str, shape: &[usize]) -> Given {
    Given {
        shapes: [(name.to_owned(), shape.to_vec())].into(),
        ..Given::default()
    }
}

fn constant(name: &str, value: i64) -> Given {
    Given {
        constants: [(name.to_owned(), value)].into(),
        ..Given::default()
    }
}

fn no_batch() -> ImportOptions {
    ImportOptions {
        no_batch: true,
        ..ImportOptions::default()
    }
}

fn relu(dims: &[&str]) -> Model {
    Model::new(dims).node("relu", "Relu", &["x"], "y", &[])
}

/// The sum of two inputs.
fn sum(first: &[&str], second: &[&str]) -> Model {
    let model = Model::new(first).input("b", second);
    model.node("sum", "Add", &["x", "b"], "y", &[])
}

/// The shapes of all inputs without a batch, and what was said, as a person reads it.
fn settled(model: &Model, given: &Given, options: ImportOptions) -> (Vec<Vec<usize>>, Vec<String>) {
    let (graph, extents) = import(model, given, options).unwrap();
    let inputs = graph.inputs().iter().map(|input| input.shape.clone());
    let texts = extents.iter().map(ToString::to_string);
    (inputs.collect(), texts.collect())
}

/// The text of a refusal must hold all of `parts`.
fn assert_refused(model: &Model, given: &Given, options: ImportOptions, parts: &[&str]) {
    let text = import(model, given, options).unwrap_err().to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[test]
fn numbers_below_one_are_dimensions_without_a_name() {
    for leading in ["-1", "0"] {
        let (graph, extents) = import(
            &relu(&[leading, "4"]),
            &Given::default(),
            ImportOptions::default(),
        )
        .unwrap();
        assert_eq!(graph.input_shape(), [4], "the leading one is the batch");
        assert_eq!(extents, []);
    }
}

#[test]
fn axes_without_a_value_have_the_extents_of_the_data() {
    let rows: &[usize] = &[24, 3, 4, 6];
    let own_batch: &[usize] = &[24, 1, 3, 4, 6];
    let axes = ["axis 2 of x = 4", "axis 3 of x = 6"];
    let names = ["height = 4", "width = 6"];
    for (dims, said) in [
        (&["-1", "3", "?", "?"], axes),
        (&["batch", "3", "-1", "0"], axes),
        (&["1", "3", "height", "width"], names),
    ] {
        for (name, shape) in [("x", rows), ("x", own_batch)] {
            let found = settled(
                &relu(dims),
                &arrays(&[(name, shape)]),
                ImportOptions::default(),
            );
            let said = said.map(str::to_owned).to_vec();
            assert_eq!(found, (vec![vec![3, 4, 6]], said), "{dims:?} {shape:?}");
        }
    }
    let (_, extents) = import(
        &relu(&["-1", "n"]),
        &arrays(&[("x", &[9, 5])]),
        ImportOptions::default(),
    )
    .unwrap();
    let extent = Extent {
        input: "x".to_owned(),
        axis: 1,
        name: Some("n".to_owned()),
        extent: 5,
    };
    assert_eq!(extents, [extent]);
}

#[test]
fn without_a_batch_the_data_says_the_leading_axis_too() {
    let model = sum(&["steps", "4"], &["1", "?"]);
    let given = arrays(&[("x", &[24, 3, 4]), ("b", &[24, 1, 4])]);
    let said = ["steps = 3", "axis 1 of b = 4"].map(str::to_owned).to_vec();
    let found = settled(&model, &given, no_batch());
    assert_eq!(found, (vec![vec![3, 4], vec![1, 4]], said));
}

#[test]
fn what_is_given_is_not_taken_from_the_data() {
    let options = |value| ImportOptions {
        dims: [("height".to_owned(), value)].into(),
        ..ImportOptions::default()
    };
    let model = relu(&["batch", "height", "width"]);
    let given = arrays(&[("x", &[24, 4, 6])]);
    let said = vec!["width = 6".to_owned()];
    assert_eq!(
        settled(&model, &given, options(4)),
        (vec![vec![4, 6]], said)
    );
    assert_refused(
        &model,
        &given,
        options(5),
        &["[24, 4, 6]", "[batch, height, width]"],
    );
    // Nothing is open: the rows are looked at where they are read.
    let fixed = settled(&relu(&["batch", "5"]), &given, ImportOptions::default());
    assert_eq!(fixed, (vec![vec![5]], Vec::new()));
}

#[test]
fn a_name_has_one_extent_wherever_it_stands() {
    let model = sum(&["batch", "n", "4"], &["batch", "n", "4"]);
    let options = ImportOptions::default;
    let alike = arrays(&[("x", &[24, 3, 4]), ("b", &[24, 3, 4])]);
    let said = vec!["n = 3".to_owned()];
    let found = settled(&model, &alike, options());
    assert_eq!(found, (vec![vec![3, 4]; 2], said.clone()));
    let one = arrays(&[("b", &[24, 3, 4])]);
    assert_eq!(settled(&model, &one, options()).1, said, "of one of them");
    let apart = arrays(&[("x", &[24, 3, 4]), ("b", &[24, 7, 4])]);
    let parts = ["\"n\"", "3 on axis 1 of x", "7 on axis 1 of b", "--dim"];
    assert_refused(&model, &apart, options(), &parts);
}

#[test]
fn arrays_that_do_not_fit_say_nothing_and_are_named() {
    let model = relu(&["-1", "3", "?", "?"]);
    let shapes: [&[usize]; 6] = [
        &[24, 4, 4, 6],
        &[24, 3, 24],
        &[24, 2, 3, 4, 6],
        &[24, 3, 0, 6],
        &[24],
        &[],
    ];
    for shape in shapes {
        let array = format!("{shape:?}");
        let parts = [array.as_str(), "[?, 3, ?, ?]", "--shape x=1,3,128,128"];
        assert_refused(
            &model,
            &arrays(&[("x", shape)]),
            ImportOptions::default(),
            &parts,
        );
    }
    // Of another input, or none at all.
    for given in [arrays(&[("z", &[24, 3, 4, 6])]), Given::default()] {
        let parts = [
            "axis 2 of [?, 3, ?, ?] has no value",
            "--shape x=1,3,128,128",
        ];
        assert_refused(&model, &given, ImportOptions::default(), &parts);
    }
    // What is refused anyway is refused as what it is.
    let own = arrays(&[("x", &[24, 2, 6])]);
    let parts = ["leading dimension is 2", "--no-batch"];
    assert_refused(&relu(&["2", "n"]), &own, ImportOptions::default(), &parts);
    assert_eq!(settled(&relu(&["2", "n"]), &own, no_batch()).0, [[2, 6]]);
    // The batch has no value on any axis.
    let square = relu(&["batch", "batch"]);
    let parts = ["\"batch\" has no value"];
    assert_refused(
        &square,
        &arrays(&[("x", &[4, 4])]),
        ImportOptions::default(),
        &parts,
    );
}

#[test]
fn a_given_shape_is_read_as_if_the_file_declared_it() {
    let model = relu(&["-1", "3", "?", "width"]);
    let options = ImportOptions::default;
    let found = settled(&model, &shape("x", &[1, 3, 4, 6]), options());
    assert_eq!(found, (vec![vec![3, 4, 6]], Vec::new()));
    for wrong in [&[1, 3, 4][..], &[1, 2, 4, 6]] {
        let given = format!("{wrong:?} is given");
        let parts = [given.as_str(), "[?, 3, ?, width]", "--shape x=1,3,128,128"];
        assert_refused(&model, &shape("x", wrong), options(), &parts);
    }
    let parts = ["leading dimension is 2", "--no-batch"];
    assert_refused(&model, &shape("x", &[2, 3, 4, 6]), options(), &parts);
    let found = settled(&model, &shape("x", &[2, 3, 4, 6]), no_batch());
    assert_eq!(found.0, [[2, 3, 4, 6]]);
    assert_refused(
        &model,
        &shape("z", &[1]),
        options(),
        &["no input \"z\"", "\"x\""],
    );
    // A name has the value everywhere.
    let two = sum(&["batch", "n", "4"], &["batch", "n", "4"]);
    let found = settled(&two, &shape("b", &[1, 3, 4]), options());
    assert_eq!(found.0, [[3, 4], [3, 4]]);
}

#[test]
fn an_input_of_one_whole_number_becomes_a_constant() {
    let branch = |op: &str| {
        let graph = Model::body(&[], &["y"]).node("branch", op, &["x"], "y", &[]);
        Attr::Graph(graph)
    };
    let branches = [
        ("then_branch", branch("Neg")),
        ("else_branch", branch("Abs")),
    ];
    let model = Model::new(&["batch", "2"])
        .input_of_ids("rate", &[])
        .ints("fast", &[], &[16_000])
        .node("is_fast", "Equal", &["rate", "fast"], "c", &[])
        .node("choice", "If", &["c"], "y", &branches);
    for (rate, answer) in [(16_000, [1.0, -2.0]), (8_000, [1.0, 2.0])] {
        let (graph, _) = import(&model, &constant("rate", rate), ImportOptions::default()).unwrap();
        assert_eq!(graph.inputs().len(), 1);
        assert_eq!(graph.run(&[-1.0, 2.0]).unwrap(), answer);
    }
    let options = ImportOptions::default;
    let parts = ["\"x\"", "real numbers of shape [batch, 2]", "constant 7"];
    assert_refused(&model, &constant("x", 7), options(), &parts);
    assert_refused(
        &model,
        &constant("z", 7),
        options(),
        &["no input \"z\"", "\"rate\""],
    );
    let many = Model::of_ids(&["batch", "2"]);
    assert_refused(
        &many,
        &constant("x", 7),
        options(),
        &["whole numbers of shape"],
    );
}

#[test]
fn a_slice_of_the_whole_batch_up_to_a_billion_is_no_slice() {
    let sliced = |end: i64| {
        let model = Model::new(&["batch", "4"])
            .ints("starts", &[2], &[0, 1])
            .ints("ends", &[2], &[end, end]);
        model.node("slice", "Slice", &["x", "starts", "ends"], "y", &[])
    };
    let given = Given::default();
    let (graph, _) = import(&sliced(1_000_000_000), &given, ImportOptions::default()).unwrap();
    assert_eq!(graph.run(&[1.0, 2.0, 3.0, 4.0]).unwrap(), [2.0, 3.0, 4.0]);
    let parts = [
        "Slice along the batch axis",
        "--dim NAME=1",
        "--shape INPUT=1",
    ];
    assert_refused(&sliced(9), &given, ImportOptions::default(), &parts);
}

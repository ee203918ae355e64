//! Control flow whose course is constant becomes nodes; what depends on data is refused.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod onnx_writer;

use onnx_writer::{Attr, Model};
use selfsame_compiler::float::{FloatGraph, ImportError};
use selfsame_compiler::onnx::OnnxModel;

const ROW: [f32; 4] = [1.0, -2.0, 0.5, 3.0];

fn import(model: &Model) -> Result<FloatGraph, ImportError> {
    FloatGraph::from_onnx(&OnnxModel::decode(&model.encode()).unwrap())
}

fn assert_refused(model: &Model, parts: &[&str]) {
    let text = import(model).unwrap_err().to_string();
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

/// A loop over `h`, which begins as `x`: each round adds what `table` has for it, and hands out twice the
/// sum. Both names of the body, `two` and `h`, mean something else outside.
fn summing(rounds: &[i64], body: Model, opset: u64) -> Model {
    let body = body
        .floats("two", &[], &[2.0])
        .node("pick", "Gather", &["table", "round"], "summand", &[])
        .node("sum", "Add", &["h", "summand"], "next", &[])
        .node("double", "Mul", &["next", "two"], "handed", &[]);
    let mut attributes = vec![("keepdims", Attr::Int(0))];
    let mut total = vec!["stack"];
    if opset < 13 {
        attributes.push(("axes", Attr::Ints(vec![0])));
    } else {
        total.push("axes");
    }
    Model::new(&["batch", "4"])
        .opset(opset)
        .floats("two", &[], &[1000.0])
        .floats("table", &[4], &[10.0, 20.0, 30.0, 40.0])
        .ints("rounds", &[rounds.len() as u64], rounds)
        .ints("axes", &[1], &[0])
        .node("before", "Mul", &["x", "two"], "h", &[])
        .node_of(
            "loop",
            "Loop",
            (&["rounds", "", "x"], &["last", "stack"]),
            &[("body", Attr::Graph(body))],
        )
        .node("total", "ReduceSum", &total, "total", &attributes)
        .node("with_last", "Add", &["total", "last"], "both", &[])
        .node("with_before", "Add", &["both", "h"], "y", &[])
}

/// What [`summing`] makes of `x` in so many rounds.
fn summed(x: f32, rounds: usize) -> f32 {
    let (mut h, mut total) = (x, 0.0);
    for summand in [10.0, 20.0, 30.0, 40.0].iter().take(rounds) {
        h += summand;
        total += 2.0 * h;
    }
    total + h + 1000.0 * x
}

fn assert_summed(model: &Model, rounds: usize) {
    let found = import(model).unwrap().run(&ROW).unwrap();
    assert_eq!(found, ROW.map(|x| summed(x, rounds)));
}

#[test]
fn a_loop_of_a_constant_number_of_rounds_is_its_rounds() {
    let body = || {
        let body = Model::body(&["round", "goes_on", "h"], &["still", "next", "handed"]);
        body.node("on", "Identity", &["goes_on"], "still", &[])
    };
    for (given, rounds) in [(1, 1), (3, 3), (4, 4)] {
        assert_summed(&summing(&[given], body(), 17), rounds);
        assert_summed(&summing(&[given], body(), 12), rounds);
    }
    let graph = import(&summing(&[3], body(), 17)).unwrap();
    let names: Vec<&str> = graph
        .nodes()
        .iter()
        .map(|node| node.name.as_str())
        .collect();
    assert!(names.contains(&"sum[2]"), "{names:?}");
}

#[test]
fn a_loop_ends_where_its_condition_says() {
    let body = Model::body(&["round", "goes_on", "h"], &["still", "next", "handed"])
        .ints("last_round", &[], &[2])
        .node("on", "Less", &["round", "last_round"], "still", &[]);
    assert_summed(&summing(&[i64::MAX], body, 17), 3);
}

#[test]
fn a_loop_without_an_end_and_loops_within_loops_are_refused_in_time() {
    let on = |body: Model| body.node("on", "Identity", &["goes_on"], "still", &[]);
    let endless = Model::body(&["round", "goes_on", "h"], &["still", "h"]);
    let model = |body: Model| {
        Model::new(&["batch", "4"])
            .ints("rounds", &[], &[i64::MAX])
            .node_of(
                "endless",
                "Loop",
                (&["rounds", "", "x"], &["y"]),
                &[("body", Attr::Graph(body))],
            )
    };
    assert_refused(&model(on(endless.clone())), &["endless", "4096 rounds"]);
    let mut nested = on(endless.clone());
    for _ in 0..3 {
        nested = on(Model::body(&["round", "goes_on", "h"], &["still", "inner"])).node_of(
            "nested",
            "Loop",
            (&["few", "", "h"], &["inner"]),
            &[("body", Attr::Graph(nested))],
        );
    }
    let model = model(nested).ints("few", &[], &[4_000]);
    assert_refused(&model, &["nested", "65536 nodes in all rounds"]);
}

#[test]
fn what_depends_on_data_is_refused_by_name() {
    let body = Model::body(&["round", "goes_on", "h"], &["still", "h"])
        .ints("axes", &[1], &[1])
        .floats("zero", &[], &[0.0])
        .node("size", "ReduceSum", &["h", "axes"], "size", &[])
        .node("on", "Greater", &["size", "zero"], "still", &[]);
    let loops = |inputs: &[&str]| {
        Model::new(&["batch", "4"])
            .node("is_large", "Greater", &["x", "x"], "condition", &[])
            .node_of(
                "the_loop",
                "Loop",
                (inputs, &["y"]),
                &[("body", Attr::Graph(body.clone()))],
            )
    };
    assert_refused(
        &loops(&["", "", "x"]),
        &["the_loop", "another round", "depends on data"],
    );
    assert_refused(
        &loops(&["", "condition", "x"]),
        &["the_loop", "condition depends on data"],
    );
    assert_refused(
        &loops(&["x", "", "x"]),
        &["the_loop", "constant whole numbers"],
    );
    assert_refused(&loops(&["", ""]), &["the_loop", "0 carried values"]);
}

#[test]
fn a_constant_condition_chooses_its_branch_and_the_other_may_be_anything() {
    let model = |condition: i64| {
        let relu = Model::body(&[], &["a"]).node("relu", "Relu", &["seen"], "a", &[]);
        let unknown = Model::body(&[], &["a"]).node("sort", "TopK", &["seen"], "a", &[]);
        Model::new(&["batch", "4"])
            .ints("condition", &[], &[condition])
            .node("seen_by_the_branch_alone", "Neg", &["x"], "seen", &[])
            .node(
                "choice",
                "If",
                &["condition"],
                "y",
                &[
                    ("then_branch", Attr::Graph(relu)),
                    ("else_branch", Attr::Graph(unknown)),
                ],
            )
    };
    let found = import(&model(1)).unwrap().run(&ROW).unwrap();
    assert_eq!(found, ROW.map(|x| (-x).max(0.0)));
    assert_refused(&model(0), &["sort", "TopK"]);
}

#[test]
fn graphs_are_read_four_deep_whatever_lies_below() {
    let wrapped = |depth: usize| {
        let mut graph = Model::body(&[], &["y"]).node("relu", "Relu", &["x"], "y", &[]);
        for _ in 1..depth {
            graph = Model::body(&[], &["y"]).node(
                "choice",
                "If",
                &["yes"],
                "y",
                &[("then_branch", Attr::Graph(graph))],
            );
        }
        let branch = [("then_branch", Attr::Graph(graph))];
        let model = Model::new(&["batch", "4"]).ints("yes", &[], &[1]);
        model.node("choice", "If", &["yes"], "y", &branch)
    };
    assert!(import(&wrapped(4)).is_ok());
    assert_refused(&wrapped(5), &["choice", "then_branch", "four deep"]);
    assert_refused(&wrapped(2_000), &["choice", "four deep"]);
}

//! The places of tokens that are not padding, as `RoBERTa` counts them: whole numbers, exact at every length.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and compares exactly"
)]

mod onnx_writer;

use std::sync::Arc;

use onnx_writer::{Attr, Model};
use selfsame_compiler::float::{FloatGraph, ImportOptions};
use selfsame_compiler::onnx::OnnxModel;
use selfsame_compiler::{
    Calibration, CompileError, OpenDimension, Options, TrainingRows, compile_open,
};
use selfsame_ir::{CheckedProgram, DimValues, Op, Tensor};
use selfsame_runtime::{Kernel, Plan, Session};

const PAD: i32 = 1;
/// More than one window of the count, and no multiple of it.
const LONGEST: u32 = 150;
/// As many ids as XLM-RoBERTa has.
const WORDS: i32 = 250_002;

/// `cumsum(x != pad) * (x != pad) + pad` picks rows, and so does a token type that is 0 for all.
fn model() -> Model {
    let table: Vec<f32> = (0..400_u16).map(|v| f32::from(v % 79) - 39.0).collect();
    let cast = |to| [("to", Attr::Int(to))];
    Model::of_ids(&["batch", "seq"])
        .ints("pad", &[], &[PAD.into()])
        .ints("one", &[], &[1])
        .ints("shape", &[2], &[1, 1])
        .ints("types", &[1, 200], &[0; 200])
        .floats("table", &[200, 2], &table)
        .floats("type_table", &[2, 2], &[3.0, -5.0, 7.0, 9.0])
        .node("equal", "Equal", &["x", "pad"], "padding", &[])
        .node("not", "Not", &["padding"], "token", &[])
        .node("cast", "Cast", &["token"], "counted", &cast(6))
        .node("sum", "CumSum", &["counted", "one"], "sums", &[])
        .node("mul", "Mul", &["sums", "counted"], "places", &[])
        .node("wide", "Cast", &["places"], "wide", &cast(7))
        .node("add", "Add", &["wide", "pad"], "ids", &[])
        .node("expand", "Expand", &["types", "shape"], "wide_types", &[])
        .node(
            "type",
            "GatherElements",
            &["wide_types", "ids"],
            "type",
            &[("axis", Attr::Int(1))],
        )
        .node("rows", "Gather", &["table", "ids"], "rows", &[])
        .node(
            "type_rows",
            "Gather",
            &["type_table", "type"],
            "type_rows",
            &[],
        )
        .node("y", "Add", &["rows", "type_rows"], "y", &[])
}

fn graph_at(length: u32) -> FloatGraph {
    let model = OnnxModel::decode(&model().encode()).unwrap();
    let options = ImportOptions {
        dims: [("seq".to_owned(), length as usize)].into(),
        ..ImportOptions::default()
    };
    FloatGraph::import(&model, &options).unwrap().fuse()
}

/// Ids with padding at the end and, in some rows, in the middle.
fn ids(row: u32, length: u32) -> Vec<i32> {
    let id = |at: u32| {
        let mixed = (at * 7919 + row * 104_729 + at * at * row) % WORDS.unsigned_abs();
        let padded = at * 8 > length * (8 - row % 5) || (row.is_multiple_of(3) && at % 7 == 3);
        if padded { PAD } else { mixed.cast_signed() }
    };
    (0..length).map(id).collect()
}

fn places(ids: &[i32]) -> Vec<i32> {
    let mut count = 0;
    let place = |&id: &i32| {
        count += i32::from(id != PAD);
        count * i32::from(id != PAD) + PAD
    };
    ids.iter().map(place).collect()
}

fn program() -> CheckedProgram {
    #[expect(clippy::cast_precision_loss, reason = "ids are below 2^24")]
    let row = |row| ids(row, 40).iter().map(|&id| id as f32).collect();
    let rows: Vec<Vec<f32>> = (0..12).map(row).collect();
    let graph = graph_at(40);
    let calibration = Calibration::collect(&graph, TrainingRows::before(&rows, 12), 12).unwrap();
    let open = OpenDimension {
        name: "seq".to_owned(),
        minimum: 2,
        maximum: LONGEST,
    };
    let other = |length| Ok::<_, CompileError>(graph_at(length));
    let compiled = compile_open(graph, 40, &calibration, &open, &Options::default(), other);
    compiled.unwrap().program
}

/// What the node that picks rows of the larger table reads.
fn picked(program: &CheckedProgram, outputs: &[Tensor]) -> Vec<i32> {
    let nodes = &program.program().nodes;
    let picks = |node: &&selfsame_ir::Node| matches!(node.op, Op::Embedding(_));
    let node = nodes.iter().find(picks).unwrap();
    let Tensor::I32(values) = &outputs[node.inputs[0] as usize] else {
        panic!("indices are i32");
    };
    values.clone()
}

#[test]
fn places_of_tokens_are_the_same_whole_numbers_at_every_length() {
    let program = program();
    for length in [2, 3, 63, 64, 65, 128, 129, LONGEST] {
        for row in 0..6 {
            let ids = ids(row, length);
            let wanted = places(&ids);
            let (input, values) = (Tensor::I32(ids), DimValues(vec![length]));
            let run = selfsame_interpreter::run(&program, &values, input.clone()).unwrap();
            let outputs = run.into_outputs();
            assert_eq!(picked(&program, &outputs), wanted, "{length}");
            for kernel in Kernel::available() {
                let plan = Arc::new(Plan::new(&program, &values, kernel).unwrap());
                let fast = Session::new(plan, 1).trace(&input).unwrap();
                assert_eq!(fast.node_tensors, outputs, "{kernel:?} {length}");
            }
        }
    }
}

#[test]
fn the_float_graph_counts_as_onnx_does() {
    let graph = graph_at(130);
    for row in 0..6 {
        let ids = ids(row, 130);
        #[expect(clippy::cast_precision_loss, reason = "ids are below 2^24")]
        let sample: Vec<f32> = ids.iter().map(|&id| id as f32).collect();
        let found = graph.run(&sample).unwrap();
        for (&place, found) in places(&ids).iter().zip(found.chunks_exact(2)) {
            let cell = |column: i32| f64::from((2 * place + column) % 79 - 39);
            let wanted = [cell(0) + 3.0, cell(1) - 5.0];
            assert_eq!([f64::from(found[0]), f64::from(found[1])], wanted);
        }
    }
}

#[test]
fn counts_run_backwards_and_without_their_own_cell() {
    let count = |exclusive, reverse| {
        let attributes = [
            ("exclusive", Attr::Int(exclusive)),
            ("reverse", Attr::Int(reverse)),
        ];
        let model = Model::of_ids(&["batch", "70"]).ints("axis", &[], &[1]);
        let model = model.node("sum", "CumSum", &["x", "axis"], "y", &attributes);
        let graph = FloatGraph::from_onnx(&OnnxModel::decode(&model.encode()).unwrap()).unwrap();
        graph.run(&[1.0; 70]).unwrap()
    };
    let number = |cells: usize| f32::from(u8::try_from(cells).unwrap());
    for at in 0..70 {
        let found = [count(0, 0), count(1, 0), count(0, 1), count(1, 1)].map(|sums| sums[at]);
        let wanted = [at + 1, at, 70 - at, 69 - at].map(number);
        assert_eq!(found.map(f32::to_bits), wanted.map(f32::to_bits), "{at}");
    }
}

#[test]
fn magnitudes_and_signs_of_whole_constants_stay_whole() {
    // Distances of places pick rows of a table: whole numbers only do.
    for op in ["Abs", "Neg", "Sign"] {
        let model = Model::new(&["batch", "3"])
            .ints("distances", &[3], &[-2, 0, -1])
            .floats("table", &[5], &[1.0, 2.0, 3.0, 4.0, 5.0])
            .node("whole", op, &["distances"], "indices", &[])
            .node("rows", "Gather", &["table", "indices"], "rows", &[])
            .node("y", "Add", &["x", "rows"], "y", &[]);
        let graph = FloatGraph::from_onnx(&OnnxModel::decode(&model.encode()).unwrap()).unwrap();
        let wanted: [f32; 3] = if op == "Sign" {
            [5.0, 1.0, 5.0]
        } else {
            [3.0, 1.0, 2.0]
        };
        assert_eq!(graph.run(&[0.0; 3]).unwrap(), wanted, "{op}");
    }
}

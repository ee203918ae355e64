//! Text encoders as transformers exports them (`tools/text_families.py --tiny`): places counted from the ids,
//! biases of distances, products with positions that are picked by distance, rotations and causal masks.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod compared;

use std::path::PathBuf;
use std::sync::Arc;

use compared::compared_on;
use selfsame_compiler::float::{FloatGraph, FloatOp, ImportOptions};
use selfsame_compiler::npz::read_npz_array;
use selfsame_compiler::onnx::OnnxModel;
use selfsame_compiler::{
    Calibration, CompileError, Compiled, OpenDimension, Options, TrainingRows, compile,
    compile_open,
};
use selfsame_ir::{DimValues, Tensor};
use selfsame_runtime::{Kernel, Plan, Session};

const DEBERTA: &str = "deberta-v3-hidden-eager-dynamo";
const MPNET: &str = "mpnet-hidden-eager-dynamo";
const QWEN3: &str = "qwen3-first-sdpa-torchscript";
const ROBERTA: &str = "roberta-hidden-sdpa-dynamo";
const T5: &str = "t5-encoder-mean-sdpa-torchscript";
const LENGTH: usize = 16;
const TRAINING: usize = 16;

fn file(name: &str, extension: &str) -> Vec<u8> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/families");
    std::fs::read(folder.join(format!("{name}.{extension}"))).unwrap()
}

fn graph_at(name: &str, length: usize) -> FloatGraph {
    let model = OnnxModel::decode(&file(name, "onnx")).unwrap();
    let options = ImportOptions {
        dims: [("seq".to_owned(), length), ("batch".to_owned(), 1)].into(),
        ..ImportOptions::default()
    };
    FloatGraph::import(&model, &options).unwrap()
}

/// Token ids and mask of each text.
fn rows(name: &str) -> Vec<Vec<f32>> {
    let npz = file(name, "npz");
    let array = |input| read_npz_array(&npz, input).unwrap().to_f32();
    let (ids, mask) = (array("input_ids"), array("attention_mask"));
    let rows = ids.chunks_exact(LENGTH).zip(mask.chunks_exact(LENGTH));
    rows.map(|(ids, mask)| [ids, mask].concat()).collect()
}

fn calibrated(name: &str) -> (FloatGraph, Calibration) {
    let (graph, rows) = (graph_at(name, LENGTH).fuse(), rows(name));
    let training = TrainingRows::before(&rows, TRAINING);
    let calibration = Calibration::collect(&graph, training, TRAINING).unwrap();
    (graph, calibration)
}

/// Signal over noise of the program's answers to texts that calibration did not see, in decibels.
fn snr_db(name: &str, compiled: &Compiled) -> f64 {
    compared_on(compiled, &rows(name)[TRAINING..]).snr_db
}

#[test]
fn the_float_graphs_of_the_exports_are_the_models() {
    for name in [DEBERTA, MPNET, QWEN3, ROBERTA, T5] {
        let wanted = read_npz_array(&file(name, "npz"), "y").unwrap().to_f32();
        let largest = wanted.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
        let plain = graph_at(name, LENGTH);
        for graph in [plain.clone(), plain.fuse()] {
            let found = graph.run_rows(&rows(name)).unwrap().concat();
            assert_eq!(found.len(), wanted.len(), "{name}");
            let differences = found.iter().zip(&wanted).map(|(f, w)| (f - w).abs());
            let worst = differences.fold(0.0_f32, f32::max);
            assert!(worst <= 1e-4 * largest, "{name}: {worst} of {largest}");
        }
    }
}

#[test]
fn the_programs_of_the_exports_are_near_the_models() {
    // With the bias and the mask on one scale 30 dB would be left of T5.
    let wanted = [
        (DEBERTA, 34.0),
        (MPNET, 39.0),
        (QWEN3, 38.0),
        (ROBERTA, 42.0),
        (T5, 46.0),
    ];
    for (name, least) in wanted {
        let (graph, calibration) = calibrated(name);
        let compiled = compile(graph, &calibration, &Options::default()).unwrap();
        let found = snr_db(name, &compiled);
        assert!(found >= least, "{name}: {found} dB");
    }
}

fn two_to_32() -> OpenDimension {
    OpenDimension {
        name: "seq".to_owned(),
        minimum: 2,
        maximum: 32,
    }
}

/// The value of the only symbol.
fn values(length: usize) -> DimValues {
    DimValues(vec![u32::try_from(length).unwrap()])
}

/// The program's answer to a row of `length` tokens.
fn answer(compiled: &Compiled, row: &[f32], length: usize) -> Tensor {
    let input = compiled.quantize(row).unwrap();
    let run = selfsame_interpreter::run(&compiled.program, &values(length), input).unwrap();
    run.into_outputs().pop().unwrap()
}

/// One program for 2 to 32 tokens, calibrated on texts of `length`.
fn open(name: &str, length: usize) -> Compiled {
    let (graph, rows) = (graph_at(name, length).fuse(), rows_of(name, length));
    let training = TrainingRows::before(&rows, TRAINING);
    let calibration = Calibration::collect(&graph, training, TRAINING).unwrap();
    let open = two_to_32();
    let other = |length| Ok::<_, CompileError>(graph_at(name, length as usize).fuse());
    let at = u32::try_from(length).unwrap();
    compile_open(graph, at, &calibration, &open, &Options::default(), other).unwrap()
}

/// Signal over noise of the answers to texts of `length` tokens, in decibels.
fn snr_db_at(name: &str, compiled: &Compiled, length: usize) -> f64 {
    let rows = &rows_of(name, length)[TRAINING..];
    let scale = compiled.program.program().interface.output_scale;
    let scale = f64::from(scale.multiplier) / f64::from(scale.shift).exp2();
    let (mut signal, mut noise) = (0.0, 0.0);
    for (row, wanted) in rows
        .iter()
        .zip(graph_at(name, length).run_rows(rows).unwrap())
    {
        let output = answer(compiled, row, length);
        assert_eq!(output.len(), wanted.len(), "{name} at {length}");
        for (found, wanted) in output.iter().zip(wanted.into_iter().map(f64::from)) {
            signal += wanted * wanted;
            noise += (f64::from(found) * scale - wanted).powi(2);
        }
    }
    10.0 * (signal / noise).log10()
}

/// The texts cut to `length` tokens, or, where that is more than a text has, said again without padding.
fn rows_of(name: &str, length: usize) -> Vec<Vec<f32>> {
    let text = |row: &Vec<f32>| -> Vec<f32> {
        let (ids, mask) = row.split_at(LENGTH);
        if length <= LENGTH {
            return [&ids[..length], &mask[..length]].concat();
        }
        let tokens = ids.iter().zip(mask).filter(|(_, mask)| **mask != 0.0);
        let tokens = tokens.map(|(&id, _)| id).cycle().take(length);
        tokens.chain(vec![1.0; length]).collect()
    };
    rows(name).iter().map(text).collect()
}

#[test]
fn one_program_answers_texts_of_every_length() {
    // Counted places; biases of distances; rotations and a causal mask.
    for (name, least) in [(ROBERTA, 42.0), (MPNET, 36.0), (T5, 25.0), (QWEN3, 30.0)] {
        let compiled = open(name, LENGTH);
        for length in [2, 3, 7, 15, 16, 17, 31, 32] {
            let found = snr_db_at(name, &compiled, length);
            assert!(found >= least, "{name} at {length}: {found} dB");
        }
    }
}

#[test]
fn padding_changes_no_bit_of_biases_of_distances_and_rotations() {
    for name in [T5, QWEN3] {
        let compiled = open(name, LENGTH);
        let cut = |row: &[f32], length: usize| {
            let row = [&row[..length], &row[LENGTH..LENGTH + length]].concat();
            answer(&compiled, &row, length)
        };
        for row in &rows(name)[TRAINING..] {
            let tokens = row[LENGTH..].iter().filter(|&&m| m != 0.0).count();
            for length in tokens..LENGTH {
                let (short, long) = (cut(row, length), cut(row, LENGTH));
                assert_eq!(short, long, "{name}: {tokens} tokens in {length}");
            }
        }
    }
}

#[test]
fn every_kernel_runs_a_program_at_every_length() {
    for name in [T5, QWEN3] {
        let compiled = open(name, LENGTH);
        for length in [2, 3, 7, 16, 31, 32] {
            let values = values(length);
            let input = compiled.quantize(&rows_of(name, length)[0]).unwrap();
            let run = selfsame_interpreter::run(&compiled.program, &values, input.clone()).unwrap();
            let outputs = run.into_outputs();
            for kernel in Kernel::available() {
                let plan = Arc::new(Plan::new(&compiled.program, &values, kernel).unwrap());
                let fast = Session::new(plan, 1).trace(&input).unwrap();
                assert_eq!(fast.node_tensors, outputs, "{name} {kernel:?} {length}");
            }
        }
    }
}

#[test]
fn data_of_any_length_within_the_bounds_makes_a_program_for_the_others() {
    // Data of the shortest, of some and of the longest texts: the forms that are joined differ.
    for length in [2, 16, 32] {
        let found = snr_db_at(QWEN3, &open(QWEN3, length), 7);
        assert!(found >= 20.0, "calibrated at {length}: {found} dB");
    }
}

#[test]
fn a_graph_of_another_form_at_another_length_is_refused_with_both() {
    let (graph, calibration) = calibrated(DEBERTA);
    let open = two_to_32();
    let other = |length| Ok::<_, CompileError>(graph_at(DEBERTA, length as usize).fuse());
    let refused = compile_open(graph, 16, &calibration, &open, &Options::default(), other);
    let said = refused.unwrap_err().to_string();
    assert!(said.contains("62 nodes at 2, and 64 at 16"), "{said}");
    assert!(said.contains("--dim seq"), "{said}");
}

#[test]
fn what_is_picked_by_distance_takes_no_move_for_each_row() {
    let walks = |length: usize| {
        let graph = graph_at(DEBERTA, length).fuse();
        let is_walk = |op: &FloatOp| matches!(op, FloatOp::Walk(..) | FloatOp::Concat(_));
        let nodes = graph.nodes().iter();
        nodes.filter(|node| is_walk(&node.op)).count()
    };
    assert_eq!(walks(32), walks(8));
    assert!(walks(32) <= 6, "{}", walks(32));
}

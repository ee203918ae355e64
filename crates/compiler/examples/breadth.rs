//! Imports every NAME.onnx of a folder with the rows of NAME.npz and says how near the program is.
//!
//! ```text
//! python tools/torchvision_breadth.py FOLDER
//! cargo run --release -p selfsame-compiler --example breadth FOLDER [NAME ...]
//! ```
//!
//! The first two thirds of the rows calibrate, the others are compared. One line for each model:
//! name, signal-to-noise ratio of the answers in decibels, nodes; or the refusal. For models asked
//! for by name also each node in order.

#![allow(clippy::print_stdout, reason = "a report for people")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use selfsame_compiler::float::FloatGraph;
use selfsame_compiler::npz::read_npz_array;
use selfsame_compiler::onnx::OnnxModel;
use selfsame_compiler::{
    Calibration, ImportReport, Options, TestRows, TrainingRows, compile, import_report,
};
use selfsame_ir::{CheckedProgram, DimValues, Tensor};
use selfsame_runtime::{Kernel, Plan, Session};

fn import(path: &Path) -> Result<ImportReport, Box<dyn Error>> {
    let model = OnnxModel::decode(&std::fs::read(path)?)?;
    let graph = FloatGraph::from_onnx(&model)?.fuse();
    let x = read_npz_array(&std::fs::read(path.with_extension("npz"))?, "x")?;
    let elements: usize = graph.input_shape().iter().product();
    let values = x.to_f32();
    let rows: Vec<Vec<f32>> = values.chunks_exact(elements).map(<[f32]>::to_vec).collect();
    let test_from = rows.len() * 2 / 3;
    let calibration = Calibration::collect(&graph, TrainingRows::before(&rows, test_from), 256)?;
    let compiled = compile(graph, &calibration, &Options::default())?;
    let plan = Arc::new(Plan::new(
        &compiled.program,
        &DimValues::NONE,
        Kernel::best(),
    )?);
    let trace = |_: &CheckedProgram, input: Tensor| {
        let traced = Session::new(Arc::clone(&plan), 1).trace(&input);
        traced.map(|trace| trace.node_tensors).unwrap_or_default()
    };
    let rows = TestRows {
        rows: &rows[test_from..],
        labels: &[],
    };
    Ok(import_report(&compiled, rows, trace)?)
}

fn models(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "onnx")
        {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("a folder is needed")?;
    let wanted: Vec<String> = arguments.collect();
    for path in models(Path::new(&folder))? {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        if !wanted.is_empty() && !wanted.iter().any(|w| *w == name) {
            continue;
        }
        match import(&path) {
            Ok(report) => {
                let (snr, nodes) = (report.comparison.snr_db, report.sizes.nodes);
                println!("{name:24} {snr:6.1} dB  {nodes} nodes");
                for layer in report.layers.iter().filter(|_| !wanted.is_empty()) {
                    let (node, op, name) = (layer.node, layer.op, &layer.name);
                    println!("    {:6.1} dB  {node:4} {op:10} {name}", layer.snr_db);
                }
            }
            Err(error) => println!("{name:24} refused: {error}"),
        }
    }
    Ok(())
}

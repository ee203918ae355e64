//! Imports every NAME.onnx of a folder with the rows of NAME.npz and says how near the program is.
//!
//! ```text
//! python tools/torchvision_breadth.py FOLDER
//! cargo run --release -p selfsame-compiler --example breadth FOLDER [NAME ...] [DIMENSION=VALUE | DIMENSION=VALUE..MAXIMUM] [--json]
//! ```
//!
//! The first two thirds of the rows calibrate, the others are compared. One line for each model:
//! name, signal-to-noise ratio of the answers in decibels, nodes; or the refusal. For models asked
//! for by name also each node in order. With `--json` each line is an object, without nodes.

#![allow(clippy::print_stdout, reason = "a report for people")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use selfsame_compiler::float::{FloatGraph, ImportOptions};
use selfsame_compiler::npz::read_npz_array;
use selfsame_compiler::onnx::OnnxModel;
use selfsame_compiler::{
    Calibration, ImportReport, OpenDimension, Options, TestRows, TrainingRows, compile,
    compile_open, import_report,
};
use selfsame_ir::{CheckedProgram, Tensor};
use selfsame_runtime::{Kernel, Plan, Session};
use serde_json::json;

/// Rows of all inputs, those of one row behind one another; `x` holds those of an only input.
fn rows(graph: &FloatGraph, npz: &[u8]) -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
    let mut rows: Vec<Vec<f32>> = Vec::new();
    for input in graph.inputs() {
        let named = read_npz_array(npz, &input.name);
        let array = match named {
            Err(_) if graph.inputs().len() == 1 => read_npz_array(npz, "x")?,
            named => named?,
        };
        let elements: usize = input.shape.iter().product();
        let values = array.to_f32();
        for (index, part) in values.chunks_exact(elements).enumerate() {
            match rows.get_mut(index) {
                Some(row) => row.extend(part),
                None => rows.push(part.to_vec()),
            }
        }
    }
    Ok(rows)
}

fn import(
    path: &Path,
    options: &ImportOptions,
    open: Option<&OpenDimension>,
) -> Result<ImportReport, Box<dyn Error>> {
    let model = OnnxModel::read(path)?;
    let graph = FloatGraph::import(&model, options)?
        .with_first_output()
        .fuse();
    let rows = rows(&graph, &std::fs::read(path.with_extension("npz"))?)?;
    let test_from = rows.len() * 2 / 3;
    let calibration = Calibration::collect(&graph, TrainingRows::before(&rows, test_from), 256)?;
    let compiled = match open {
        None => compile(graph, &calibration, &Options::default())?,
        Some(open) => {
            let at = u32::try_from(options.dims[&open.name])?;
            let other = |value: u32| -> Result<FloatGraph, Box<dyn Error>> {
                let mut options = options.clone();
                options.dims.insert(open.name.clone(), value as usize);
                Ok(FloatGraph::import(&model, &options)?
                    .with_first_output()
                    .fuse())
            };
            compile_open(graph, at, &calibration, open, &Options::default(), other)?
        }
    };
    let plan = Arc::new(Plan::new(
        &compiled.program,
        &compiled.values,
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

/// What the command line asks for.
#[derive(Default)]
struct Asked {
    options: ImportOptions,
    open: Option<OpenDimension>,
    names: Vec<String>,
    json: bool,
}

impl Asked {
    fn new(arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut asked = Self::default();
        for argument in arguments {
            match argument.split_once('=') {
                Some((name, value)) => asked.dimension(name, value)?,
                None if argument == "--json" => asked.json = true,
                None => asked.names.push(argument),
            }
        }
        Ok(asked)
    }

    fn dimension(&mut self, name: &str, value: &str) -> Result<(), Box<dyn Error>> {
        let (value, most) = value.split_once("..").unwrap_or((value, ""));
        self.options.dims.insert(name.to_owned(), value.parse()?);
        if let Ok(maximum) = most.parse() {
            self.open = Some(OpenDimension {
                name: name.to_owned(),
                minimum: 2,
                maximum,
            });
        }
        Ok(())
    }

    fn print(&self, name: &str, report: &ImportReport) {
        let (compared, nodes) = (&report.comparison, report.sizes.nodes);
        let (snr, cosine) = (compared.snr_db, compared.cosine_mean);
        if self.json {
            let (snr, top1) = ((snr * 10.0).round() / 10.0, compared.top1_agreement);
            let line = json!({"name": name, "snr_db": snr, "top1_agreement": top1, "nodes": nodes});
            println!("{line}");
            return;
        }
        println!("{name:24} {snr:6.1} dB  cosine {cosine:.5}  {nodes} nodes");
        for layer in report.layers.iter().filter(|_| !self.names.is_empty()) {
            let (node, op, name) = (layer.node, layer.op, &layer.name);
            println!("    {:6.1} dB  {node:4} {op:10} {name}", layer.snr_db);
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("a folder is needed")?;
    let asked = Asked::new(arguments)?;
    for path in models(Path::new(&folder))? {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        if !asked.names.is_empty() && !asked.names.iter().any(|wanted| *wanted == name) {
            continue;
        }
        match import(&path, &asked.options, asked.open.as_ref()) {
            Ok(report) => asked.print(&name, &report),
            Err(error) if asked.json => {
                println!("{}", json!({"name": name, "refused": error.to_string()}));
            }
            Err(error) => println!("{name:24} refused: {error}"),
        }
    }
    Ok(())
}

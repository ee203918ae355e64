//! Runs the float graph of every NAME.onnx of a folder on the rows of NAME.npz.
//!
//! ```text
//! cargo run --release -p selfsame-compiler --example float_check FOLDER [--dim NAME=N]
//! ```
//!
//! NAME.npz holds `x` float32 `[rows][all inputs behind one another]` and `y` float32 with the
//! answers of the first output. One line for each model: name, largest difference from `y`, largest
//! answer, operators of the fused graph and how often each of them occurs; or the refusal.

#![allow(clippy::print_stdout, reason = "a report for people")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use selfsame_compiler::float::{FloatGraph, ImportOptions};
use selfsame_compiler::npz::read_npz_array;
use selfsame_compiler::onnx::OnnxModel;

fn check(path: &Path, options: &ImportOptions) -> Result<String, Box<dyn Error>> {
    let model = OnnxModel::decode(&std::fs::read(path)?)?;
    let plain = FloatGraph::import(&model, options)?.with_first_output();
    let fused = plain.clone().fuse();
    let npz = std::fs::read(path.with_extension("npz"))?;
    let (x, y) = (read_npz_array(&npz, "x")?, read_npz_array(&npz, "y")?);
    let values = x.to_f32();
    let rows = values.chunks_exact(plain.sample_elements());
    let rows: Vec<Vec<f32>> = rows.map(<[f32]>::to_vec).collect();
    let wanted = y.to_f32();
    let mut worst = 0.0_f32;
    for graph in [&plain, &fused] {
        let found = graph.run_rows(&rows)?.concat();
        if found.len() != wanted.len() {
            return Err(format!("{} answers, not {}", found.len(), wanted.len()).into());
        }
        for (f, w) in found.iter().zip(&wanted) {
            let difference = (f - w).abs();
            worst = worst.max(if difference.is_nan() {
                f32::INFINITY
            } else {
                difference
            });
        }
    }
    let largest = wanted
        .iter()
        .fold(0.0_f32, |largest, w| largest.max(w.abs()));
    let mut counts = BTreeMap::<String, usize>::new();
    for node in fused.nodes() {
        let text = format!("{:?}", node.op);
        let name = text.split(['(', ' ', '{']).next().unwrap_or_default();
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    Ok(format!(
        "{worst:e} of {largest}; {} nodes {counts:?}",
        fused.nodes().len()
    ))
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut options = ImportOptions::default();
    let mut folder = None;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        if argument == "--dim" {
            let text = arguments.next().unwrap_or_default();
            let (name, value) = text.split_once('=').ok_or("--dim NAME=N")?;
            options.dims.insert(name.to_owned(), value.parse()?);
        } else {
            folder = Some(argument);
        }
    }
    let folder = folder.ok_or("a folder with NAME.onnx and NAME.npz")?;
    let mut paths: Vec<_> = std::fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "onnx"))
        .filter(|path| path.with_extension("npz").exists())
        .collect();
    paths.sort();
    for path in paths {
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        match check(&path, &options) {
            Ok(line) => println!("{name:24} {line}"),
            Err(error) => println!("{name:24} refused: {error}"),
        }
    }
    Ok(())
}

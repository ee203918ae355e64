//! How many of ONNX's own node tests import and agree, and why the others are refused.
//!
//! ```text
//! python tools/onnx_node_tests.py FOLDER
//! cargo run --release -p selfsame-compiler --example node_tests FOLDER [all]
//! ```
//!
//! A case agrees if one of its spellings does: every answer within 1e-4 of the expected one, or of
//! the largest answer. With `all` every case has a line.

#![allow(clippy::print_stdout, reason = "a report for people")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

use selfsame_compiler::float::{FloatGraph, ImportError, ImportOptions};
use selfsame_compiler::npz::read_npz_array;
use selfsame_compiler::onnx::{Dim, OnnxModel};

/// Largest difference, as a part of the largest answer.
const DIFFERENCE_MAX: f32 = 1e-4;

/// What became of one spelling.
enum Outcome {
    Agrees,
    Differs(f32),
    Refused(String),
}

fn outcome(path: &Path) -> Result<Outcome, Box<dyn Error>> {
    let model = match OnnxModel::decode(&std::fs::read(path)?) {
        Ok(model) => model,
        Err(error) => return Ok(Outcome::Refused(format!("reader: {error}"))),
    };
    let mut options = ImportOptions::default();
    for dim in model
        .inputs
        .iter()
        .flat_map(|input| input.dims.iter().flatten())
    {
        if let Dim::Name(name) = dim
            && let Some(extent) = name.strip_prefix("fixed")
        {
            options.dims.insert(name.clone(), extent.parse()?);
        }
    }
    let graph = match FloatGraph::import(&model, &options) {
        Ok(graph) => graph.with_first_output(),
        Err(ImportError::Unsupported(refusal)) => {
            return Ok(Outcome::Refused(format!(
                "{}: {}",
                refusal.op, refusal.what
            )));
        }
        Err(error) => return Ok(Outcome::Refused(error.to_string())),
    };
    let npz = std::fs::read(path.with_extension("npz"))?;
    let (x, y) = (
        read_npz_array(&npz, "x")?.to_f32(),
        read_npz_array(&npz, "y")?.to_f32(),
    );
    let rows: Vec<Vec<f32>> = x
        .chunks_exact(graph.sample_elements())
        .map(<[f32]>::to_vec)
        .collect();
    let scale = y
        .iter()
        .filter(|v| v.is_finite())
        .fold(1.0_f32, |m, v| m.max(v.abs()));
    let mut worst = 0.0_f32;
    for graph in [graph.clone(), graph.fuse()] {
        let found = graph.run_rows(&rows)?.concat();
        if found.len() != y.len() {
            return Ok(Outcome::Differs(f32::INFINITY));
        }
        for (f, w) in found.iter().zip(&y) {
            let same = f.to_bits() == w.to_bits() || (f.is_nan() && w.is_nan());
            let difference = if same { 0.0 } else { (f - w).abs() / scale };
            worst = worst.max(if difference.is_nan() {
                f32::INFINITY
            } else {
                difference
            });
        }
    }
    Ok(if worst <= DIFFERENCE_MAX {
        Outcome::Agrees
    } else {
        Outcome::Differs(worst)
    })
}

/// A reason without its numbers and names.
fn coarse(reason: &str) -> String {
    let words = reason.split_whitespace().take(9);
    let plain = |word: &str| {
        let kept = |c: char| if c.is_ascii_digit() { '#' } else { c };
        word.chars().map(kept).collect::<String>()
    };
    words.map(plain).collect::<Vec<String>>().join(" ")
}

/// The spellings of each case.
fn cases(folder: &Path) -> Result<BTreeMap<String, Vec<PathBuf>>, Box<dyn Error>> {
    let mut cases = BTreeMap::<String, Vec<PathBuf>>::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "onnx") {
            let stem = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let name = stem
                .rsplit_once('.')
                .map_or(stem.clone(), |(name, _)| name.to_owned());
            cases.entry(name).or_default().push(path);
        }
    }
    Ok(cases)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments
        .next()
        .ok_or("a folder written by tools/onnx_node_tests.py")?;
    let lists_all = arguments.next().is_some();
    let cases = cases(Path::new(&folder))?;
    let (mut agree, mut differ) = (0, Vec::new());
    let mut refused = BTreeMap::<String, Vec<String>>::new();
    for (name, mut paths) in cases.clone() {
        paths.sort();
        let mut best = None;
        for path in paths {
            let outcome = outcome(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            best = match (outcome, best) {
                (Outcome::Agrees, _) | (_, Some(Outcome::Agrees)) => Some(Outcome::Agrees),
                (differs @ Outcome::Differs(_), _) => Some(differs),
                (_, Some(before)) => Some(before),
                (first, None) => Some(first),
            };
        }
        let text = match best {
            Some(Outcome::Agrees) => {
                agree += 1;
                "agrees".to_owned()
            }
            Some(Outcome::Differs(worst)) => {
                differ.push(format!("{name} {worst:e}"));
                format!("differs {worst:e}")
            }
            Some(Outcome::Refused(reason)) => {
                refused
                    .entry(coarse(&reason))
                    .or_default()
                    .push(name.clone());
                format!("refused {reason}")
            }
            None => continue,
        };
        if lists_all {
            println!("{name} {text}");
        }
    }
    let count: usize = refused.values().map(Vec::len).sum();
    println!(
        "{} cases: {agree} agree, {} differ, {count} are refused",
        cases.len(),
        differ.len()
    );
    for line in differ {
        println!("differs: {line}");
    }
    let mut refused: Vec<_> = refused.into_iter().collect();
    refused.sort_by_key(|(_, names)| core::cmp::Reverse(names.len()));
    for (reason, names) in refused {
        println!("{:4} {reason} ({} ...)", names.len(), names[0]);
    }
    Ok(())
}

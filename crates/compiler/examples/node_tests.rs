//! How many of ONNX's own node tests import, compile and agree, and why the others do not.
//!
//! ```text
//! python tools/onnx_node_tests.py FOLDER
//! cargo run --release -p selfsame-compiler --example node_tests FOLDER [REPORT.json]
//! ```
//!
//! Each case goes through import, calibration on its own inputs, program, interpreter and runtime
//! (equal bits, or the example ends). The best of its spellings counts. How near an answer must be
//! is said in docs/import.md.

#![allow(clippy::print_stdout, reason = "a report for people")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

use node_cases::{Case, Outcome, run};
use selfsame_compiler::Moved;
use selfsame_compiler::npz::read_npz_array;
use serde_json::{Value, json};

#[path = "../tests/node_cases/mod.rs"]
mod node_cases;

/// The case at a path.
fn case(path: &Path) -> Result<Case, Box<dyn Error>> {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let npz = std::fs::read(path.with_extension("npz"))?;
    Ok(Case {
        model: std::fs::read(path)?,
        has_batch: stem.ends_with(".0"),
        x: read_npz_array(&npz, "x")?.to_f32(),
        y: read_npz_array(&npz, "y")?.to_f32(),
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
fn spellings(folder: &Path) -> Result<BTreeMap<String, Vec<PathBuf>>, Box<dyn Error>> {
    let mut cases = BTreeMap::<String, Vec<PathBuf>>::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "onnx") {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let name = stem.rsplit_once('.').map_or(&*stem, |(name, _)| name);
            cases.entry(name.to_owned()).or_default().push(path);
        }
    }
    for paths in cases.values_mut() {
        paths.sort();
    }
    Ok(cases)
}

/// Cases by what became of them.
#[derive(Default)]
struct Tally {
    /// Spellings that pass, by what had to be moved.
    passed: [Vec<String>; 3],
    /// Case, its error and its allowance in steps.
    beyond: Vec<(String, f32, f32)>,
    differ: Vec<(String, f32)>,
    refused: BTreeMap<String, Vec<String>>,
}

impl Tally {
    fn add(&mut self, name: &str, spelling: String, outcome: Outcome) {
        match outcome {
            Outcome::Passes(moved) => self.passed[moved as usize].push(spelling),
            Outcome::Beyond { steps, allowed } => self.beyond.push((name.into(), steps, allowed)),
            Outcome::FloatDiffers(by) => self.differ.push((name.into(), by)),
            Outcome::Refused(stage, reason) => {
                let reason = format!("{stage}: {}", coarse(&reason));
                self.refused.entry(reason).or_default().push(name.into());
            }
        }
    }

    fn refusals(&self) -> usize {
        self.refused.values().map(Vec::len).sum()
    }

    fn print(&self, cases: usize) {
        println!("{cases} cases");
        for (moved, names) in [Moved::Inputs, Moved::Weights, Moved::Inner]
            .iter()
            .zip(&self.passed)
        {
            println!(
                "{:5} within one step of the answer, moved up to {moved:?}",
                names.len()
            );
        }
        println!(
            "{:5} agree in float, the program does not",
            self.beyond.len()
        );
        println!("{:5} differ in float", self.differ.len());
        println!("{:5} are refused", self.refusals());
        for (name, steps, allowed) in &self.beyond {
            println!("beyond: {name} {steps:.1} steps, {allowed:.1} allowed");
        }
        for (name, by) in &self.differ {
            println!("differs: {name} {by:e}");
        }
        let mut refused: Vec<_> = self.refused.iter().collect();
        refused.sort_by_key(|(_, names)| core::cmp::Reverse(names.len()));
        for (reason, names) in refused {
            println!("{:4} {reason} ({} ...)", names.len(), names[0]);
        }
    }

    fn json(&self, folder: &Path, cases: usize) -> Result<Value, Box<dyn Error>> {
        let written: Value = serde_json::from_slice(&std::fs::read(folder.join("cases.json"))?)?;
        let beyond = self.beyond.iter();
        let beyond = beyond.map(
            |(name, steps, allowed)| json!({"case": name, "steps": steps, "allowed": allowed}),
        );
        let differ = self
            .differ
            .iter()
            .map(|(name, by)| json!({"case": name, "part": by}));
        Ok(json!({
            "onnx": written["onnx"],
            "cases": cases,
            "counts": {
                "passed_inputs": self.passed[0].len(),
                "passed_weights": self.passed[1].len(),
                "passed_inner": self.passed[2].len(),
                "beyond": self.beyond.len(),
                "float_differs": self.differ.len(),
                "refused": self.refusals(),
            },
            "passed": {"inputs": self.passed[0], "weights": self.passed[1], "inner": self.passed[2]},
            "beyond": beyond.collect::<Vec<Value>>(),
            "float_differs": differ.collect::<Vec<Value>>(),
            "refused": self.refused,
        }))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments
        .next()
        .ok_or("a folder written by tools/onnx_node_tests.py")?;
    let folder = Path::new(&folder);
    let cases = spellings(folder)?;
    let mut tally = Tally::default();
    for (name, paths) in &cases {
        let mut best: Option<(String, Outcome)> = None;
        for path in paths {
            let found = case(path).map_err(|error| format!("{}: {error}", path.display()))?;
            let outcome = run(&found);
            if best
                .as_ref()
                .is_none_or(|(_, best)| outcome.is_as_good_as(best))
            {
                let stem = path.file_stem().unwrap_or_default();
                best = Some((stem.to_string_lossy().into_owned(), outcome));
            }
            if matches!(best, Some((_, Outcome::Passes(Moved::Inputs)))) {
                break;
            }
        }
        if let Some((spelling, outcome)) = best {
            tally.add(name, spelling, outcome);
        }
    }
    tally.print(cases.len());
    if let Some(report) = arguments.next() {
        let text = serde_json::to_string_pretty(&tally.json(folder, cases.len())?)?;
        std::fs::write(report, text + "\n")?;
    }
    Ok(())
}

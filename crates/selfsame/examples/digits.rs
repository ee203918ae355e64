//! Imports a small ONNX model, runs a batch on two engines, and compares it with its source.
//!
//! `cargo run --release -p selfsame --example digits`, in the root of the repository.

#![expect(clippy::print_stdout, reason = "an example shows what it does")]

use std::path::Path;

use selfsame::{Engine, Error, ImportOptions, RunOptions, Source, import_onnx, read_file, verify};

fn main() -> Result<(), Error> {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let onnx = read_file(&models.join("mlp/model.onnx"))?;
    let source = Source::from_onnx(&onnx)?;
    let rows = made_up_rows(400, source.input_shape().iter().product());

    let options = ImportOptions {
        name: "digits".to_owned(),
        ..ImportOptions::default()
    };
    let (imported, report) = import_onnx(&onnx, &rows, &[], &options)?;
    let model = imported.model;
    println!("model {}", model.id());
    println!("  input   {:?}", model.input().shape);
    println!("  output  {:?}", model.output().shape);
    println!(
        "  SNR     {:.1} dB on rows that calibration never saw",
        report.comparison.snr_db
    );

    let mut runner = model.runner(&RunOptions {
        threads: 2,
        ..RunOptions::default()
    })?;
    let answers = runner.run(&rows[..8].concat())?;
    println!(
        "  8 answers of {} numbers on {}",
        answers.len() / 8,
        runner.name()
    );

    let input = runner.quantize(&rows[0])?;
    let again = verify::again(&mut runner, &input, Engine::Interpreter)?;
    println!("  trace root {}", again.trace_root);
    match again.difference {
        None => println!("  the interpreter finds the same integers in every node"),
        Some((node, element)) => println!("  DIFFERS at node {node}, element {element}"),
    }
    let compared = source.compare(&model, &rows[..100], &[], &RunOptions::default())?;
    println!(
        "  mean cosine to the source {:.6}",
        compared.comparison.cosine_mean
    );
    Ok(())
}

/// Rows of shades from 0 to 1, the same in every run.
fn made_up_rows(count: usize, len: usize) -> Vec<Vec<f32>> {
    let mut state = 1_u32;
    let mut shade = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f32::from(u16::try_from(state >> 28).unwrap_or(0)) / 16.0
    };
    (0..count)
        .map(|_| (0..len).map(|_| shade()).collect())
        .collect()
}

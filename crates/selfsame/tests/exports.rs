//! Models as the exporters of scikit-learn and Keras write them (`tools/foreign_exports.py`).

#![cfg(feature = "import")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../../compiler/tests/fixtures/mod.rs"]
mod fixtures;

use fixtures::{Stored, stored};
use selfsame::{ImportOptions, Source};
use selfsame_compiler::npz::Array;

/// Rows before this one calibrate.
const TEST_FROM: usize = 48;
/// Sums in another order, and another library's functions.
const FLOAT_DIFFERENCE_MAX: f32 = 1e-4;
const SNR_DB_MIN: f64 = 30.0;

/// The exports by name, with rows and answers.
fn exports() -> Vec<Stored> {
    stored("crates/compiler/tests/data/exports.npz")
}

fn export(name: &str) -> Stored {
    let mut all = exports().into_iter();
    all.find(|export| export.name == name).unwrap()
}

fn rows(x: &Array) -> Vec<Vec<f32>> {
    x.to_f32().chunks(x.shape[1]).map(<[f32]>::to_vec).collect()
}

fn options() -> ImportOptions {
    ImportOptions {
        test_from: Some(TEST_FROM),
        ..ImportOptions::default()
    }
}

#[test]
fn every_export_means_what_its_own_library_computes_and_keeps_its_answers_as_a_program() {
    let exports = exports();
    assert_eq!(exports.len(), 8);
    for Stored { name, model, x, y } in exports {
        let (rows, answers) = (rows(&x), y.to_f32());
        let source = Source::from_onnx(&model).unwrap_or_else(|error| panic!("{name}: {error}"));
        let largest = answers.iter().fold(1.0_f32, |m, v| m.max(v.abs()));
        let found = rows.iter().flat_map(|row| source.run(row).unwrap());
        for (found, wanted) in found.zip(&answers) {
            let difference = (found - wanted).abs();
            assert!(
                difference <= FLOAT_DIFFERENCE_MAX * largest,
                "{name}: {found} {wanted}"
            );
        }
        let report = source
            .import(&rows, &options())
            .unwrap()
            .report(&rows, &[])
            .unwrap();
        let snr_db = report.comparison.snr_db;
        assert!(SNR_DB_MIN <= snr_db, "{name}: {snr_db} dB");
    }
}

#[test]
fn names_of_classes_come_with_the_model_unless_others_are_given() {
    let own = |name: &str, options: &ImportOptions| {
        let Stored { model, x, .. } = export(name);
        let source = Source::from_onnx(&model).unwrap();
        source
            .import(&rows(&x), options)
            .unwrap()
            .model
            .labels()
            .to_vec()
    };
    assert_eq!(own("sklearn_names", &options()), ["benign", "malignant"]);
    let digits: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
    assert_eq!(own("sklearn_numbers", &options()), digits);
    assert_eq!(own("sklearn_pipeline", &options()), digits);
    let given = ImportOptions {
        labels: vec!["good".to_owned(), "bad".to_owned()],
        ..options()
    };
    assert_eq!(own("sklearn_names", &given), given.labels);
}

#[test]
fn features_of_very_different_sizes_keep_their_digits() {
    let Stored { model, x, .. } = export("sklearn_names");
    let rows = rows(&x);
    let model = Source::from_onnx(&model)
        .unwrap()
        .import(&rows, &options())
        .unwrap()
        .model;
    let mut runner = model.runner(&selfsame::RunOptions::default()).unwrap();
    let row = &rows[TEST_FROM];
    let (least, most) = (row[0], *row.last().unwrap());
    assert!(least.abs() * 1e3 < most.abs(), "{least} {most}");
    // A change of the smallest feature by a thousandth of it is a change of the program's input.
    let mut moved = row.clone();
    moved[0] *= 1.001;
    assert_ne!(
        runner.quantize(row).unwrap(),
        runner.quantize(&moved).unwrap()
    );
}

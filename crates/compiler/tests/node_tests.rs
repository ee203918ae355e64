//! A small part of ONNX's own node tests through everything; all of them are counted by the example
//! of this name, see docs/import.md.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod fixtures;
mod node_cases;

use fixtures::{Stored, read, stored};
use node_cases::{Case, Outcome, run};
use selfsame_compiler::Moved;

fn cases() -> Vec<(String, Case)> {
    let case = |stored: Stored| {
        let case = Case {
            model: stored.model,
            has_batch: stored.name.ends_with(".0"),
            x: stored.x.to_f32(),
            y: stored.y.to_f32(),
        };
        (stored.name, case)
    };
    let all = stored("crates/compiler/tests/data/nodes.npz");
    all.into_iter().map(case).collect()
}

#[test]
fn node_tests_pass_within_a_step_of_the_answer_and_half_steps_of_the_inputs() {
    let cases = cases();
    assert!(cases.len() >= 100, "{}", cases.len());
    let outcome = |(name, case): &(String, Case)| (name.clone(), run(case));
    let outcomes = cases.iter().map(outcome);
    let fails = outcomes.filter(|(_, outcome)| *outcome != Outcome::Passes(Moved::Inputs));
    let fails: Vec<(String, Outcome)> = fails.collect();
    assert!(fails.is_empty(), "{fails:#?}");
}

#[test]
fn the_committed_report_counts_every_case_once_and_the_page_has_its_counts() {
    let report: serde_json::Value = serde_json::from_slice(&read("docs/node-tests.json")).unwrap();
    let lists = ["passed", "refused"].map(|key| report[key].as_object().unwrap());
    let listed = lists.iter().flat_map(|list| list.values());
    let listed: usize = listed.map(|list| list.as_array().unwrap().len()).sum();
    let others = ["beyond", "float_differs"].map(|key| report[key].as_array().unwrap().len());
    let counts = report["counts"].as_object().unwrap().values();
    let counted: u64 = counts.map(|count| count.as_u64().unwrap()).sum();
    let cases = report["cases"].as_u64().unwrap();
    assert_eq!(
        (listed + others[0] + others[1]) as u64,
        cases,
        "of the lists"
    );
    assert_eq!(counted, cases, "of the counts");
    let page = String::from_utf8(read("docs/import.md")).unwrap();
    for (name, count) in report["counts"].as_object().unwrap() {
        assert!(page.contains(&format!("| {count} |\n")), "{name} in docs");
    }
}

#[test]
fn the_committed_table_of_architectures_has_the_counts_of_its_entries_and_the_page_has_them() {
    let report: serde_json::Value = serde_json::from_slice(&read("docs/torchvision.json")).unwrap();
    let models = report["models"].as_object().unwrap();
    let decibels = models
        .values()
        .filter_map(|model| model["plain"]["snr_db"].as_f64());
    let decibels: Vec<f64> = decibels.collect();
    let found = [
        ("architectures", models.len()),
        ("imported", decibels.len()),
        (
            "plain_20_db",
            decibels.iter().filter(|&&db| db >= 20.0).count(),
        ),
    ];
    let page = String::from_utf8(read("docs/import.md")).unwrap();
    for (name, count) in found {
        assert_eq!(report["counts"][name], count, "{name}");
        assert!(page.contains(&format!("| {count} |\n")), "{name} in docs");
    }
}

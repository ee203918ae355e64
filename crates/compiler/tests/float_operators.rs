//! Each operator and spelling of the float graph against ONNX Runtime, as imported and fused.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod fixtures;

use fixtures::{Case, cases};
use selfsame_compiler::float::{FloatGraph, FloatOp};

/// The models and answers.
const CASES_FILE: &str = "crates/compiler/tests/data/float.npz";
/// The float interpretation may differ by the order of its sums and by the library's functions.
const DIFFERENCE_MAX: f32 = 1e-4;
/// The float graph leaves out the rounding that these cases do to 8 and 16 bits.
const ROUNDED_MAX: f32 = 1e-2;
const CASES: usize = 210;

fn case(name: &str) -> Case {
    cases(CASES_FILE)
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
}

#[test]
fn every_operator_and_spelling_means_what_onnx_runtime_computes() {
    let cases = cases(CASES_FILE);
    assert_eq!(cases.len(), CASES);
    let mut wrong = Vec::new();
    for case in cases {
        let largest = case.answers.iter().fold(1.0_f32, |m, v| m.max(v.abs()));
        for (form, graph) in [("plain", case.graph.clone()), ("fused", case.graph.fuse())] {
            let found: Vec<f32> = graph.run_rows(&case.rows).unwrap().concat();
            assert_eq!(found.len(), case.answers.len(), "{}", case.name);
            let differences = found.iter().zip(&case.answers).map(|(f, w)| (f - w).abs());
            let rounded = case.name.starts_with("rounded_");
            let limit = if rounded { ROUNDED_MAX } else { DIFFERENCE_MAX };
            let same = differences.clone().all(|d| d <= limit * largest);
            if !same {
                let worst = differences.fold(0.0_f32, f32::max);
                wrong.push(format!("{} {form}: {worst}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn count(graph: &FloatGraph, is: impl Fn(&FloatOp) -> bool) -> usize {
    graph.nodes().iter().filter(|node| is(&node.op)).count()
}

#[test]
fn spelled_norms_and_softmax_become_one_node() {
    for (name, centered) in [("layer_norm_spelled", true), ("rms_norm_spelled", false)] {
        let graph = case(name).graph.fuse();
        assert_eq!(graph.nodes().len(), 2, "{name}");
        let FloatOp::Normalize {
            center, epsilon, ..
        } = &graph.nodes()[1].op
        else {
            panic!("{name}: {:?}", graph.nodes()[1].op)
        };
        assert_eq!(*center, centered);
        assert!((epsilon / 1e-5 - 1.0).abs() < 1e-4, "{name}: {epsilon}");
    }
    let softmax = case("softmax_spelled").graph.fuse();
    assert_eq!(softmax.nodes().len(), 2);
    assert_eq!(softmax.nodes()[1].op, FloatOp::Softmax);
    let direction = case("l2_spelled").graph.fuse();
    let is_norm = |op: &FloatOp| matches!(op, FloatOp::Normalize { center: false, .. });
    assert_eq!(count(&direction, is_norm), 1);
    let reduced = count(&direction, |op| matches!(op, FloatOp::Reduce(_)));
    assert_eq!(reduced, 0, "{direction:?}");
}

#[test]
fn projections_of_query_key_and_value_are_cut_apart_and_scores_carry_no_factor() {
    for exporter in ["torchscript", "dynamo"] {
        for name in ["encoder_causal", "windows"] {
            let name = format!("{name}_{exporter}");
            let graph = case(&name).graph.fuse();
            let softmax = count(&graph, |op| *op == FloatOp::Softmax);
            let affine = count(&graph, |op| matches!(op, FloatOp::Affine { .. }));
            assert_eq!((softmax, affine), (1, 0), "{name}: {graph:#?}");
            let eights = graph
                .nodes()
                .iter()
                .filter(|node| matches!(&node.op, FloatOp::Dense(linear) if linear.outputs == 8));
            assert!(eights.count() >= 4, "{name}");
            assert_eq!(
                count(
                    &graph,
                    |op| matches!(op, FloatOp::Dense(linear) if linear.outputs == 24)
                ),
                0,
                "{name}"
            );
        }
    }
}

#[test]
fn a_quantised_model_leaves_its_ranges_as_hints() {
    let graph = case("rounded_qdq_dense").graph;
    let hints: Vec<_> = (0..graph.nodes().len())
        .filter_map(|n| graph.hint(n))
        .collect();
    assert_eq!(hints.len(), 1);
    assert!((hints[0].0 + 6.5536).abs() < 1e-3 && (hints[0].1 - 6.5534).abs() < 1e-3);
}

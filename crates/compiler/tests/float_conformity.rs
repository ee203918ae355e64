//! The float interpretation agrees with ONNX Runtime on every test row of every fixture.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and compares exactly"
)]

mod fixtures;

use fixtures::FIXTURES;
use selfsame_compiler::float::FloatGraph;
use selfsame_compiler::onnx::OnnxModel;

/// Largest difference of a logit, the promise of the importer.
const LOGIT_DIFFERENCE_MAX: f32 = 1e-4;

#[test]
fn the_float_graph_matches_onnx_runtime_on_every_test_row() {
    for fixture in FIXTURES {
        let graph = FloatGraph::from_onnx(&OnnxModel::decode(&fixture.onnx()).unwrap()).unwrap();
        let (plain, fused) = (graph.clone(), graph.fuse());
        let reference = fixture.reference();
        let rows = fixture.test_rows();
        let classes = plain.output_shape()[0];
        assert_eq!(reference.len(), rows.len() * classes, "{}", fixture.name);
        for graph in [&plain, &fused] {
            let found = graph.run_rows(&rows).unwrap();
            for (f, w) in found.iter().flatten().zip(&reference) {
                assert!(
                    (f - w).abs() < LOGIT_DIFFERENCE_MAX,
                    "{}: {f} {w}",
                    fixture.name
                );
            }
        }
    }
}

//! Values that no tensor of a node on rows may hold: shown by their tile, or met by a step, they convict
//! whoever accepted the model; their neighbours inside the limits do not.
//!
//! Spec: programs, 1.13, 1.17, 1.20 and 1.21; game, 4.8 and 4.9.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a failure is the test's failure"
)]

mod common;

use alloy_primitives::{I256, U256};
use common::Scene;
use common::forms::{convict_form, form_proof, recommit};
use selfsame_chain::Child;
use selfsame_commit::{root, tile_hashes};
use selfsame_conformance::game::{DEPLOYER, register_call};
use selfsame_conformance::game_zoo::encoder;
use selfsame_conformance::generator::Case;
use selfsame_conformance::operators::{LeafContracts, Subject, open};
use selfsame_dispute::{Opening, reads};
use selfsame_ir::{DType, Tensor};

/// Nodes of the encoder.
const EMBEDDING: u32 = 1;
const PLACES: u32 = 2;
const NORM: u32 = 6;
const SCORES: u32 = 13;
const POWERS: u32 = 15;

/// Bytes written into a node's first tensor.
struct Change {
    node: u32,
    /// Where: an element that reads it, and the byte of the tensor.
    element: u64,
    at: usize,
    bytes: Vec<u8>,
    broken: bool,
}

fn change(node: u32, element: u64, at: usize, bytes: &[u8], broken: bool) -> Change {
    let bytes = bytes.to_vec();
    Change {
        node,
        element,
        at,
        bytes,
        broken,
    }
}

/// The constants of column 3, field by field: bias, M, 0, s.
fn column(field: usize, value: i32, broken: bool) -> Change {
    change(NORM, 3, 3 * 16 + 4 * field, &value.to_be_bytes(), broken)
}

fn changes(subject: &Subject) -> Vec<Change> {
    let word = |value: i16| value.to_be_bytes();
    // The first token's row of the table.
    let token = subject.trace.output(0).unwrap().get(0).unwrap();
    let row = 64 * usize::try_from(token.clamp(0, 47)).unwrap();
    // The largest score of a row is at distance 0: it reads the first entry of either half.
    let scores = subject.trace.output(SCORES).unwrap();
    let length = usize::try_from(subject.values.0[0]).unwrap();
    let largest = scores.iter().take(length).max();
    let peak = scores.iter().position(|score| Some(score) == largest);
    let peak = peak.unwrap() as u64;
    vec![
        change(EMBEDDING, 0, row, &word(-32_768), true),
        change(EMBEDDING, 0, row, &word(-32_767), false),
        change(PLACES, 5, 10, &word(-32_768), true),
        change(PLACES, 5, 10, &word(32_767), false),
        column(0, (1 << 30) + 1, true),
        column(0, -(1 << 30), false),
        column(1, 32_768, true),
        column(1, -32_768, true),
        column(1, -32_767, false),
        column(1, 0, false),
        column(2, 1, true),
        column(3, 0, true),
        column(3, 47, true),
        column(3, 46, false),
        change(POWERS, peak, 0, &word(-1), true),
        change(POWERS, peak, 512, &word(-32_768), true),
        change(POWERS, peak, 512, &word(32_767), false),
    ]
}

fn subject(scene: &Scene) -> Subject {
    let animal = &scene.model.animal;
    let case = Case {
        program: animal.program.clone(),
        values: animal.values.clone(),
        input: scene.input.clone(),
    };
    Subject::new(case, 1).unwrap()
}

/// The tensor with the change in it.
fn changed(subject: &Subject, change: &Change) -> Vec<u8> {
    let tensors = subject.program.nodes()[change.node as usize].op.tensors();
    let mut bytes = tensors[0].to_bytes();
    bytes[change.at..change.at + change.bytes.len()].copy_from_slice(&change.bytes);
    bytes
}

#[test]
fn a_value_that_no_tensor_may_hold_is_shown_by_its_tile() {
    let mut scene = Scene::new(encoder(1));
    let subject = subject(&scene);
    let good = scene.model.commitment.clone();
    let mut mark = scene.court.mark();
    for change in changes(&subject) {
        let bytes = changed(&subject, &change);
        let commitment = recommit(&good, |leaves| {
            leaves[change.node as usize].tensor_roots[0] = root(&tile_hashes(&bytes));
        });
        let call = register_call(&commitment);
        let court = &mut scene.court;
        // A neighbour inside the limits may be what stands there already.
        if commitment.model_id != good.model_id {
            court
                .send(DEPLOYER, Child::ModelRegistry, &call, U256::ZERO)
                .unwrap();
        }
        scene.model.commitment = commitment;
        let outputs = scene.outputs.clone();
        let claimed = scene.claim_of(&outputs);
        let proof = form_proof(&scene.model, change.node, 0, &bytes, change.at / 512);
        let convicted = convict_form(&mut scene.court, &claimed, proof);
        let wanted = if change.broken {
            Ok(())
        } else {
            Err("FormHolds".to_owned())
        };
        let (node, at) = (change.node, change.at);
        assert_eq!(
            convicted, wanted,
            "node {node}, byte {at}: {:?}",
            change.bytes
        );
        scene.court.back(&mut mark);
    }
}

#[test]
fn a_step_that_meets_a_value_that_no_tensor_may_hold_agrees_with_no_claim() {
    let scene = Scene::new(encoder(1));
    let mut leaves = LeafContracts::deploy().expect("the leaf contracts deploy");
    for change in changes(&subject(&scene)) {
        let mut subject = subject(&scene);
        let bytes = changed(&subject, &change);
        let node = change.node as usize;
        subject.commitment.leaves[node].tensor_roots[0] = root(&tile_hashes(&bytes));
        let (mut openings, _) = open(&subject, change.node, change.element);
        let at = &subject.program.nodes()[node];
        let source = subject.trace.output(at.inputs[0]).unwrap();
        let first = |at: u64| source.get(usize::try_from(at).unwrap()).unwrap();
        let slots = reads(
            &at.op,
            source.dtype(),
            &subject.values,
            change.element,
            &first,
        );
        openings[at.inputs.len()] = Opening::new(&bytes, &slots.unwrap().slots[at.inputs.len()]);
        let value = leaves
            .evaluate(&subject, change.node, change.element, &openings)
            .unwrap_or_else(|refused| panic!("node {node}, byte {}: {refused:?}", change.at))
            .0;
        assert_eq!(
            value == I256::MAX,
            change.broken,
            "node {node}, byte {}",
            change.at
        );
    }
}

/// The suite would show nothing if the encoder's nodes stood elsewhere.
#[test]
fn the_nodes_of_the_encoder_are_what_the_changes_take_them_for() {
    let animal = encoder(1);
    let name = |node: u32| animal.program.node(node).unwrap().op.name();
    assert_eq!(
        [EMBEDDING, PLACES, NORM, SCORES, POWERS].map(name),
        [
            "embedding",
            "pointwise",
            "normalize",
            "batch_matmul",
            "pointwise"
        ]
    );
    let tables = animal.program.node(POWERS).unwrap().op.tensors();
    assert_eq!(
        tables.iter().map(Tensor::dtype).collect::<Vec<_>>(),
        [DType::I16]
    );
}

//! What a whole dispute on ResNet-20 costs, against the budget and the committed snapshot.
//!
//! `SELFSAME_BLESS=1` rewrites the snapshot.
#![expect(clippy::unwrap_used, reason = "helpers of tests: a failure is the test's failure")]

mod common;

use std::fmt::Write as _;

use common::{Scene, holder};
use selfsame_chain::Child;
use selfsame_conformance::game::{CHALLENGER, CONSTANTS};
use selfsame_conformance::game_play::Session;
use selfsame_conformance::game_zoo::resnet20;
use selfsame_dispute::{Clocks, Costs, certify};

const SNAPSHOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots/resnet20_gas.txt");
const GAS_MOST: u64 = 1_200_000;
const TRANSACTION_GAS_MOST: u64 = 16_777_216;

/// Plays a whole game about an element of the `node`; appends its gas, returns the total.
fn game_on(scene: &mut Scene, node: u32, element: usize, report: &mut String) -> u64 {
    let wrong = scene.lie(node, element);
    let right = scene.right();
    let claimed = scene.claim_of(&wrong);
    let op = scene.model.animal.program.node(node).unwrap().op.clone();
    let mut session = Session::new(&mut scene.court, &scene.model, claimed);
    let played = session.play(CHALLENGER, &right, &holder(&wrong));
    assert_eq!(played.conviction.unwrap().node, u64::from(node));
    assert!(played.challenger_moves <= 4, "node {node}: {} moves", played.challenger_moves);
    let total = session.gas.iter().map(|(_, gas)| gas).sum();
    let bytes: usize = session.calldata.iter().map(|(_, bytes)| bytes).sum();
    writeln!(
        report,
        "node {node} {} ({} terms): {} challenger moves, {total} gas, {bytes} bytes of calldata",
        op.name(),
        op.terms(),
        played.challenger_moves
    )
    .unwrap();
    for ((name, gas), (_, bytes)) in session.gas.iter().zip(&session.calldata) {
        assert!(*gas < TRANSACTION_GAS_MOST);
        writeln!(report, "  {name} {gas} gas {bytes} bytes").unwrap();
    }
    total
}

#[test]
fn a_whole_dispute_on_resnet_20_stays_inside_its_budget() {
    let mut scene = Scene::new(resnet20(1));
    let mut report = String::new();
    for (name, gas) in &scene.court.deployed_gas {
        assert!(*gas < TRANSACTION_GAS_MOST);
        writeln!(report, "deploy {name} {gas}").unwrap();
    }
    let clocks = Clocks {
        censorship_seconds: CONSTANTS.censorship_seconds,
        inclusion_seconds: CONSTANTS.inclusion_seconds,
        macs_per_second: CONSTANTS.macs_per_second,
        bytes_per_second: CONSTANTS.bytes_per_second,
        window_min_seconds: CONSTANTS.window_min_seconds,
    };
    let certificate = certify(&scene.model.animal.program, &Costs::MEASURED, &clocks);
    assert_eq!(certificate.challenger_moves, 4);
    assert_eq!(certificate.clock_seconds, scene.court.clock(&scene.model));
    let id = alloy_primitives::B256::from(scene.model.commitment.model_id.0);
    let floor = selfsame_chain::bindings::Requests::windowFloorCall { modelId: id };
    let floor = scene.court.read(Child::Requests, &floor);
    assert_eq!(alloy_primitives::U256::from(certificate.window_floor_seconds), floor);
    writeln!(
        report,
        "certificate: node {}, {} terms, {} opened bytes, leaf {} gas, {} moves, total {} gas, {} bytes",
        certificate.leaf_node,
        certificate.leaf_terms,
        certificate.leaf_opened_bytes,
        certificate.leaf_gas,
        certificate.challenger_moves,
        certificate.gas_total,
        certificate.calldata_bytes
    )
    .unwrap();
    let output = scene.model.animal.program.program().output;
    let mut mark = scene.court.mark();
    let mut worst = 0;
    // The first convolution, one with an addend of each width, a shortcut, pool and product.
    for (node, element) in [(1, 6_000), (3, 6_001), (9, 3_000), (10, 3_001), (16, 1_500), (21, 1_501), (output - 1, 3), (output, 5)] {
        let elements = scene.outputs[node as usize].len();
        worst = worst.max(game_on(&mut scene, node, element % elements, &mut report));
        scene.court.back(&mut mark);
    }
    println!("{report}");
    assert!(worst <= GAS_MOST, "the dearest dispute took {worst} gas of {GAS_MOST}");
    assert!(worst <= certificate.gas_total, "the certificate says {}", certificate.gas_total);
    if std::env::var("SELFSAME_BLESS").is_ok_and(|value| value == "1") {
        std::fs::write(SNAPSHOT, &report).unwrap();
    }
    let committed = std::fs::read_to_string(SNAPSHOT).unwrap_or_default();
    assert_eq!(committed, report, "gas changed; look, then SELFSAME_BLESS=1 rewrites the snapshot");
}

//! What whole disputes cost: on ResNet-20 against the budget; on it, on a small encoder and on the
//! longest rows against committed snapshots.
//!
//! `SELFSAME_BLESS=1` rewrites the snapshots.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a failure is the test's failure"
)]

mod common;

use std::fmt::Write as _;

use alloy_primitives::{B256, U256};
use common::Scene;
use selfsame_chain::Child;
use selfsame_chain::bindings::Requests;
use selfsame_conformance::game::{CHALLENGER, CONSTANTS};
use selfsame_conformance::game_play::Session;
use selfsame_conformance::game_zoo::{
    Dice, deep, encoder, long, long_rows, residual, resnet20, segmented, sums, wide,
};
use selfsame_dispute::{Certificate, Clocks, Costs, certify, reads};

const SNAPSHOTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/snapshots");
/// Budget of a whole dispute: every move and answer from the opening to the conviction.
const GAS_MOST: u64 = 1_200_000;
/// EIP-7825.
const TRANSACTION_GAS_MOST: u64 = 16_777_216;

/// The element of a node that opens most, of many.
fn dearest(scene: &Scene, node: u32) -> usize {
    let at = scene.model.animal.program.node(node).unwrap();
    let len = scene.outputs[node as usize].len();
    let mut dice = Dice::new(u64::from(node));
    let picks = (0..2_000).map(|_| dice.below(len as u64));
    let source = &scene.outputs[at.inputs[0] as usize];
    let first = |at| {
        usize::try_from(at)
            .ok()
            .and_then(|at| source.get(at))
            .unwrap()
    };
    let opened = |element: &u64| {
        let values = &scene.model.animal.values;
        let reads = reads(&at.op, source.dtype(), values, *element, &first);
        reads.unwrap().bytes()
    };
    usize::try_from(picks.max_by_key(opened).unwrap()).unwrap()
}

/// Moves of a game: function, gas, bytes of calldata.
type Moves = Vec<(&'static str, u64, usize)>;

/// The gas of each move of a whole game about the dearest element of `node`.
fn game_on(scene: &mut Scene, node: u32) -> Moves {
    let element = dearest(scene, node);
    let wrong = scene.lie(node, element);
    let right = scene.right();
    let claimed = scene.claim_of(&wrong);
    let mut session = Session::new(&mut scene.court, &scene.model, claimed);
    let played = session.play(CHALLENGER, &right, &scene.model.holder(&wrong));
    let convicted = played.conviction.unwrap();
    assert_eq!(
        (convicted.node, convicted.element),
        (u64::from(node), element as u64)
    );
    let calldata = session.calldata.iter().map(|(_, bytes)| *bytes);
    session
        .gas
        .iter()
        .zip(calldata)
        .map(|(&(name, gas), bytes)| (name, gas, bytes))
        .collect()
}

fn total(game: &[(&'static str, u64, usize)]) -> u64 {
    game.iter().map(|(_, gas, _)| gas).sum()
}

/// The certificate, which must name the clocks and the window that the contracts compute.
fn certificate(scene: &Scene) -> Certificate {
    let clocks = Clocks {
        censorship_seconds: CONSTANTS.censorship_seconds,
        inclusion_seconds: CONSTANTS.inclusion_seconds,
        macs_per_second: CONSTANTS.macs_per_second,
        bytes_per_second: CONSTANTS.bytes_per_second,
        window_min_seconds: CONSTANTS.window_min_seconds,
    };
    let certificate = certify(&scene.model.animal.program, &Costs::MEASURED, &clocks);
    assert_eq!(certificate.clock_seconds, scene.court.clock(&scene.model));
    let id = B256::from(scene.model.commitment.model_id.0);
    let floor = scene
        .court
        .read(Child::Requests, &Requests::windowFloorCall { modelId: id });
    assert_eq!(U256::from(certificate.window_floor_seconds), floor);
    certificate
}

fn report(scene: &Scene, games: &[(u32, Moves)], bound: &Certificate) -> String {
    let mut report = String::new();
    for (name, gas) in &scene.court.deployed_gas {
        assert!(*gas < TRANSACTION_GAS_MOST);
        writeln!(report, "deploy {name}: {gas} gas").unwrap();
    }
    writeln!(
        report,
        "certificate: {} moves, {} gas, {} bytes of calldata, leaf {} gas ({} terms, {} opened bytes)",
        bound.challenger_moves,
        bound.gas_total,
        bound.calldata_bytes,
        bound.leaf_gas,
        bound.leaf_terms,
        bound.leaf_opened_bytes
    )
    .unwrap();
    for (node, game) in games {
        let op = &scene.model.animal.program.node(*node).unwrap().op;
        let (_, step, _) = game.last().unwrap();
        let (name, terms) = (op.name(), op.terms(&scene.model.animal.values));
        let (gas, bytes) = (
            total(game),
            game.iter().map(|(_, _, bytes)| bytes).sum::<usize>(),
        );
        writeln!(
            report,
            "node {node} {name}, {terms} terms: {gas} gas, step {step}, {bytes} bytes"
        )
        .unwrap();
    }
    let (node, worst) = games.iter().max_by_key(|(_, game)| total(game)).unwrap();
    writeln!(report, "the dearest, node {node}:").unwrap();
    for (name, gas, bytes) in worst {
        writeln!(report, "  {name}: {gas} gas, {bytes} bytes").unwrap();
    }
    report
}

/// No game is dearer than the certificate says, and no move than a transaction may be.
fn hold_to(games: &[(u32, Moves)], bound: &Certificate) {
    for (node, game) in games {
        let (total, most) = (total(game), bound.gas_total);
        assert!(total <= most, "node {node}: {total} gas, certified {most}");
        let (_, step, _) = game.last().unwrap();
        assert!(
            *step <= bound.leaf_gas,
            "node {node}: {step} gas, certified {}",
            bound.leaf_gas
        );
        for (name, gas, _) in game {
            assert!(*gas < TRANSACTION_GAS_MOST, "{name}: {gas} gas");
        }
    }
}

/// Spec: programs, 1.5 and 1.6; game, 4.6.
#[test]
fn the_certificate_bounds_the_longest_contraction_and_the_deepest_descents() {
    let whole = [
        long(1),
        residual(1),
        sums(1),
        wide(1),
        deep(1),
        encoder(1),
        long_rows(1),
    ];
    let cut = [
        segmented(residual(1), 3),
        segmented(encoder(1), 5),
        segmented(long_rows(1), 1),
    ];
    for animal in whole.into_iter().chain(cut) {
        let mut scene = Scene::new(animal);
        let bound = certificate(&scene);
        let mut mark = scene.court.mark();
        let output = scene.model.animal.program.program().output;
        let nodes = (1..=output).filter(|node| output < 50 || node % 67 == 0 || *node == 125);
        let mut games = Vec::new();
        for node in nodes {
            games.push((node, game_on(&mut scene, node)));
            scene.court.back(&mut mark);
        }
        let name = scene.model.animal.name;
        let segments = scene.model.animal.program.segments();
        let snapshot = match (name, segments.any_interior()) {
            ("encoder", true) => Some("encoder_segments"),
            ("encoder" | "long_rows", false) => Some(name),
            _ => None,
        };
        let report = report(&scene, &games, &bound);
        println!("{name}: {report}");
        hold_to(&games, &bound);
        if let Some(snapshot) = snapshot {
            compare_committed(snapshot, &report);
        }
        let deepest = games.iter().map(|(_, game)| moves_of(game)).max();
        assert!(deepest <= Some(bound.challenger_moves), "{name}");
    }
}

fn moves_of(game: &Moves) -> u32 {
    let mine = ["open", "nameNode", "nameEntry", "step"];
    u32::try_from(game.iter().filter(|(name, ..)| mine.contains(name)).count()).unwrap()
}

/// Spec: game, 4.6; the budget of the whole dispute.
#[test]
fn a_whole_dispute_on_resnet_20_takes_four_moves_and_stays_inside_its_gas() {
    let mut scene = Scene::new(resnet20(1));
    let bound = certificate(&scene);
    assert_eq!(bound.challenger_moves, 4);
    let mut mark = scene.court.mark();
    let mut games = Vec::new();
    for node in 1..=scene.model.animal.program.program().output {
        games.push((node, game_on(&mut scene, node)));
        scene.court.back(&mut mark);
    }
    let report = report(&scene, &games, &bound);
    println!("{report}");
    let most = games.iter().map(|(_, game)| total(game)).max();
    println!(
        "figure: resnet20-dispute moves={} gas_most={}",
        bound.challenger_moves,
        most.unwrap_or(0)
    );
    hold_to(&games, &bound);
    for (node, game) in &games {
        assert!(
            total(game) <= GAS_MOST,
            "node {node}: {} gas of {GAS_MOST}",
            total(game)
        );
    }
    compare_committed("resnet20", &report);
}

/// Compares with the committed snapshot, or writes it when `SELFSAME_BLESS=1`.
fn compare_committed(name: &str, report: &str) {
    let file = format!("{SNAPSHOTS}/{name}_gas.txt");
    if std::env::var("SELFSAME_BLESS").is_ok_and(|value| value == "1") {
        std::fs::write(&file, report).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        is_like(&committed, report),
        "gas changed; look, then SELFSAME_BLESS=1 rewrites the snapshot:\n{committed}\nnow:\n{report}"
    );
}

/// The same words, and numbers within half a percent: addresses and hashes have other zero bytes
/// after any change of a contract, which moves every figure a little.
fn is_like(committed: &str, report: &str) -> bool {
    let words = |text: &str| -> Vec<String> {
        text.split(|c: char| c.is_whitespace() || c == ',')
            .map(str::to_owned)
            .collect()
    };
    let (old, new) = (words(committed), words(report));
    let near = |old: &str, new: &str| match (old.parse::<u64>(), new.parse::<u64>()) {
        (Ok(old), Ok(new)) => old.abs_diff(new) * 200 <= old,
        _ => old == new,
    };
    old.len() == new.len() && old.iter().zip(&new).all(|(old, new)| near(old, new))
}

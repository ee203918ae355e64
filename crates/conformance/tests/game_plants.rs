//! Planted faults, and games against right claims.
//!
//! `SELFSAME_SOAK=1` plays the full counts: 500 planted faults, at least 20 for each node kind, and
//! 500 games against a correct claim. Without it a fixed slice of each.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a failure is the test's failure"
)]

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::U256;
use selfsame_chain::Child;
use selfsame_chain::bindings::Requests;
use selfsame_conformance::game::{CHALLENGER, CONSTANTS, Court, Model, PROVIDER, REQUESTER, SINK};
use selfsame_conformance::game_plants::{Plant, lying_outputs, plants};
use selfsame_conformance::game_play::Session;
use selfsame_conformance::game_zoo::{Dice, deep, zoo};
use selfsame_conformance::operators::KINDS;
use selfsame_dispute::{Descent, Holder, Move, Next, Reply, Revealed, Stage, Witness};
use selfsame_interpreter::run;
use selfsame_ir::{Op, Tensor};

const PLANTS: usize = 500;
/// Faults of each node kind, at least.
const EACH: usize = 20;
const SLICE: usize = 25;

fn soak() -> bool {
    std::env::var("SELFSAME_SOAK").is_ok_and(|value| value == "1")
}

struct Subject {
    model: Model,
    input: Tensor,
    outputs: Vec<Tensor>,
}

fn subjects(court: &mut Court) -> Vec<Subject> {
    let animals = zoo(1).into_iter().chain(zoo(2));
    animals
        .enumerate()
        .map(|(index, animal)| {
            let (model, _) = court.register(animal);
            let input = model.animal.input(index as u64);
            let trace = run(&model.animal.program, &model.animal.values, input.clone()).unwrap();
            Subject {
                model,
                input,
                outputs: trace.into_outputs(),
            }
        })
        .collect()
}

/// Every plant with its subject: the same number for each node, more for those of rare kinds.
fn all_plants(subjects: &[Subject]) -> Vec<(usize, Plant)> {
    let mut nodes: BTreeMap<&str, usize> = BTreeMap::new();
    for subject in subjects {
        for node in &subject.model.animal.program.nodes()[1..] {
            *nodes.entry(node.op.name()).or_default() += 1;
        }
    }
    let usual = PLANTS.div_ceil(nodes.values().sum());
    let count = |op: &Op| EACH.div_ceil(nodes[op.name()]).max(usual);
    let of = |(index, subject): (usize, &Subject)| {
        let seed = 100 + index as u64;
        let planted = plants(&subject.model.animal, &subject.outputs, count, seed);
        planted
            .into_iter()
            .map(move |plant| (index, plant))
            .collect::<Vec<_>>()
    };
    subjects.iter().enumerate().flat_map(of).collect()
}

/// Every plant, or the slice: some at equal distances, and one of each kind.
fn chosen(subjects: &[Subject]) -> Vec<(usize, Plant)> {
    let mut all = all_plants(subjects);
    assert!(all.len() >= PLANTS);
    let stride = if soak() { 1 } else { all.len() / SLICE };
    let mut seen = BTreeSet::new();
    let mut at = 0;
    all.retain(|(subject, plant)| {
        at += 1;
        let new = seen.insert(kind(&subjects[*subject], plant));
        new || (at - 1) % stride == 0
    });
    all
}

fn kind(subject: &Subject, plant: &Plant) -> &'static str {
    let node = subject.model.animal.program.node(plant.node).unwrap();
    node.op.name()
}

/// Spec: game, 4.4: an answer is paid at least its gas.
fn assert_paid(session: &Session<'_>) {
    for (name, paid, cost) in &session.paid {
        assert!(
            paid >= cost,
            "{name} was paid {paid} wei, its gas cost {cost}"
        );
    }
}

/// Plays one planted fault and checks verdict and balances.
fn play_plant(court: &mut Court, subject: &Subject, plant: &Plant) {
    let model = &subject.model;
    let claimed_outputs = lying_outputs(&model.animal, &subject.outputs, plant);
    let what = format!("{} {plant:?}", model.animal.name);
    let output = claimed_outputs.last().unwrap().to_bytes();
    let everything = court.everything();
    let claimed = court.claimed(model, &subject.input, &output);
    let call = Requests::requestOfCall {
        requestId: claimed.request_id,
    };
    let request = court.read(Child::Requests, &call);
    let (bond, price) = (U256::from(request.bond), U256::from(request.price));
    let before: Vec<U256> = (0..10).map(|index| court.wealth(index)).collect();
    let sunk = court.balance(SINK);
    let clock = court.clock(model);

    let mut session = Session::new(court, model, claimed.clone());
    let played = session.play(
        CHALLENGER,
        &model.holder(&subject.outputs),
        &model.holder(&claimed_outputs),
    );
    let convicted = played
        .conviction
        .unwrap_or_else(|| panic!("no conviction: {what}"));
    assert_eq!(
        (convicted.node, convicted.element),
        (u64::from(plant.node), plant.element as u64),
        "{what}"
    );
    assert_eq!(
        (convicted.expected, convicted.actual),
        (plant.right.into(), plant.wrong.into())
    );
    let moves = session.facts().moves(plant.node);
    assert_eq!(played.challenger_moves, moves, "{what}");
    assert!(clock > 0);
    for (name, gas) in &session.gas {
        assert!(*gas < 16_777_216, "{name}: {gas} gas, {what}");
    }

    assert_paid(&session);

    let after: Vec<U256> = (0..10).map(|index| court.wealth(index)).collect();
    // Spec: game, 4.14: the challenger ends with at least its balance, here with the bounty.
    assert!(after[CHALLENGER] > before[CHALLENGER], "{what}");
    assert!(after[REQUESTER] >= before[REQUESTER] + price, "{what}");
    let burned = court.balance(SINK) - sunk;
    assert!(burned >= bond / U256::from(2), "{what}");
    assert!(
        before[PROVIDER] - after[PROVIDER] + U256::from(10_u64.pow(16)) > bond,
        "{what}"
    );
    assert_eq!(
        court.everything(),
        everything,
        "value is neither made nor lost: {what}"
    );
}

/// Spec: game, 4.7 and 4.14.
#[test]
fn planted_faults_are_convicted_at_exactly_their_element() {
    let mut court = Court::new();
    let subjects = subjects(&mut court);
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut sorts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut mark = court.mark();
    for (subject, plant) in &chosen(&subjects) {
        let subject = &subjects[*subject];
        play_plant(&mut court, subject, plant);
        *counts.entry(kind(subject, plant)).or_default() += 1;
        *sorts.entry(plant.sort).or_default() += 1;
        court.back(&mut mark);
    }
    let convicted: usize = counts.values().sum();
    let kinds: Vec<String> = counts
        .iter()
        .map(|(kind, n)| format!("{kind}={n}"))
        .collect();
    println!(
        "figure: planted-faults convicted={convicted} wrong_verdicts=0 {}",
        kinds.join(" ")
    );
    println!("sorts of faults: {sorts:?}");
    let least = if soak() { EACH } else { 1 };
    for kind in KINDS {
        assert!(
            counts.get(kind).copied().unwrap_or(0) >= least,
            "{kind}: {counts:?}"
        );
    }
}

/// A trace tree deeper than the first answer shows is named level by level.
///
/// Spec: game, 4.5 and 4.6.
#[test]
fn a_fault_in_a_program_of_271_nodes_is_convicted_at_exactly_its_element() {
    let mut court = Court::new();
    let (model, _) = court.register(deep(1));
    let input = model.animal.input(1);
    let trace = run(&model.animal.program, &model.animal.values, input.clone()).unwrap();
    let subject = Subject {
        model,
        input,
        outputs: trace.into_outputs(),
    };
    let planted = plants(&subject.model.animal, &subject.outputs, |_| 1, 9);
    let mut mark = court.mark();
    for at in [0, 1, 119, 124, 129, 254, 255, 256, 266, 269] {
        play_plant(&mut court, &subject, &planted[at]);
        court.back(&mut mark);
    }
}

/// What a challenger without a case tries.
#[derive(Debug, Clone, Copy)]
enum Wrong {
    /// Opens and says nothing more.
    Silent,
    /// Descends to an element at random, and steps on it.
    Anywhere,
    /// Believes in a trace of its own that has one wrong integer.
    OwnTrace,
    /// As `Anywhere`, with a step that was tampered with.
    Tampered,
}

fn tamper(witness: &mut Witness, tile: &mut [u8], dice: &mut Dice) {
    let slot = usize::try_from(dice.below(witness.openings.len() as u64)).unwrap();
    let opening = &mut witness.openings[slot];
    match dice.below(8) {
        0 if !opening.tiles.is_empty() => opening.tiles[0] ^= 1,
        1 => opening.tiles.push(0),
        2 => {
            opening.tiles.pop();
            opening.siblings.clear();
        }
        3 => opening.siblings.push(selfsame_protocol::Hash([7; 32])),
        4 => witness.openings.clear(),
        5 => witness.node_leaf.push(0),
        6 => tile[0] ^= 1,
        _ => witness.input_roots[0] = selfsame_protocol::Hash([7; 32]),
    }
}

/// Plays one game against a right claim; the challenger must lose it.
fn play_wrong(court: &mut Court, subject: &Subject, wrong: Wrong, dice: &mut Dice) {
    let model = &subject.model;
    let right = subject.model.holder(&subject.outputs);
    let output = subject.outputs.last().unwrap().to_bytes();
    let claimed = court.claimed(model, &subject.input, &output);
    let (clock, request_id, closes_at) =
        (court.clock(model), claimed.request_id, claimed.closes_at);
    let before: Vec<U256> = (0..10).map(|index| court.wealth(index)).collect();
    let mut session = Session::new(court, model, claimed);
    let game = session.open(CHALLENGER).unwrap();
    match wrong {
        Wrong::Silent => {
            session.answer(PROVIDER, game, &right).unwrap();
        }
        Wrong::Anywhere | Wrong::Tampered => {
            descend_anywhere(&mut session, game, &right, wrong, dice);
        }
        Wrong::OwnTrace => {
            let planted = plants(&model.animal, &subject.outputs, |_| 1, dice.roll());
            let at = usize::try_from(dice.below(planted.len() as u64)).unwrap();
            let own = lying_outputs(&model.animal, &subject.outputs, &planted[at]);
            descend_by(&mut session, game, &subject.model.holder(&own), &right);
        }
    }
    assert_paid(&session);
    assert_eq!(session.board.outcome, None, "a right claim was convicted");
    session.court.wait(clock + 1);
    session
        .send(CHALLENGER + 1, Move::Timeout { game }, U256::ZERO)
        .unwrap();
    assert_eq!(session.board.open_games(), 0);
    let now = court.chain.time();
    court.wait((closes_at + 1).saturating_sub(now));
    let finalize = Requests::finalizeCall {
        requestId: request_id,
    };
    court
        .send(CHALLENGER + 1, Child::Requests, &finalize, U256::ZERO)
        .unwrap();
    let price = U256::from(1_000_000_000_000_000_000_u64);
    // Spec: game, 4.14: the claimant ends with at least its balance, here with price and half a bond.
    let half = U256::from(CONSTANTS.challenge_bond_wei / 2);
    let (provider, least) = (court.wealth(PROVIDER), before[PROVIDER] + price + half);
    assert!(
        provider >= least,
        "{wrong:?} on {}: {provider} wei, at least {least}",
        model.animal.name
    );
    assert!(court.wealth(CHALLENGER) < before[CHALLENGER], "{wrong:?}");
}

/// Names at random among what is shown, to the tile, and steps on a random element of it.
fn descend_anywhere(
    session: &mut Session<'_>,
    game: usize,
    right: &Holder,
    wrong: Wrong,
    dice: &mut Dice,
) {
    let mut revealed = Revealed::new();
    loop {
        let before = session.board.games[game].clone();
        let reply = session.answer(PROVIDER, game, right).unwrap();
        let shown = reply.shown();
        revealed.add(&session.facts(), &before, shown);
        let facts = session.facts();
        let trace = facts.schedule().trace();
        let (entries, index) = match &reply {
            Reply::First { entries, .. } => {
                let first = before.position << (before.level - trace.opens(before.level));
                let pick = 1 + dice.below(entries.len() as u64 - 1);
                (entries, first + pick)
            }
            Reply::Entries(entries) => {
                let descent = match before.stage {
                    Stage::Trace => trace,
                    _ => Descent::tensor(before.tensor_bytes),
                };
                let first = before.position << (before.level - descent.opens(before.level));
                (entries, first + dice.below(entries.len() as u64))
            }
            Reply::Segment(entries) => (entries, dice.below(entries.len() as u64 + 1)),
            Reply::Tile(tile) => return step_anywhere(session, game, right, tile, wrong, dice),
        };
        let next = selfsame_dispute::name(&facts, &before, entries, index);
        let action = session
            .challenge(game, next, &[], right, &revealed)
            .unwrap();
        let value = session.move_value(game, &action);
        session.send(CHALLENGER, action, value).unwrap();
    }
}

fn step_anywhere(
    session: &mut Session<'_>,
    game: usize,
    right: &Holder,
    tile: &[u8],
    wrong: Wrong,
    dice: &mut Dice,
) {
    let at = session.board.games[game].clone();
    let size = session.facts().program.node(at.node).unwrap().dtype.size();
    for _ in 0..4 {
        let in_tile = u32::try_from(dice.below(tile.len() as u64 / u64::from(size))).unwrap();
        let element = at.position * u64::from(512 / size) + u64::from(in_tile);
        let next = Next::Element { in_tile, element };
        let action = session
            .challenge(game, next, tile, right, &Revealed::new())
            .unwrap();
        let Move::Step { link, mut step, .. } = action else {
            panic!("a step")
        };
        if matches!(wrong, Wrong::Tampered) {
            tamper(&mut step.witness, &mut step.tile, dice);
        }
        let refused = session.send(CHALLENGER, Move::Step { game, link, step }, U256::ZERO);
        let name = refused.expect_err("a step on a right claim is refused");
        assert!(
            matches!(wrong, Wrong::Tampered) || name == "ValueAgrees",
            "{name}"
        );
    }
}

/// Follows a trace of its own until the contract refuses a move, or nothing differs.
fn descend_by(session: &mut Session<'_>, game: usize, own: &Holder, right: &Holder) {
    let mut revealed = Revealed::new();
    loop {
        let before = session.board.games[game].clone();
        let reply = session.answer(PROVIDER, game, right).unwrap();
        let shown = reply.shown();
        revealed.add(&session.facts(), &before, shown);
        let next = own.next(&session.facts(), &before, shown).unwrap();
        let Some(action) = session.challenge(game, next, shown.tile(), own, &revealed) else {
            return;
        };
        let value = session.move_value(game, &action);
        if let Err(name) = session.send(CHALLENGER, action, value) {
            assert_eq!(name, "ValueAgrees");
            return;
        }
    }
}

/// Spec: game, 4.12 and 4.14.
#[test]
fn games_against_a_right_claim_are_lost() {
    let mut court = Court::new();
    let subjects = subjects(&mut court);
    let mut dice = Dice::new(42);
    let mut mark = court.mark();
    let count = if soak() { 500 } else { SLICE };
    for turn in 0..count {
        let wrong = [
            Wrong::Anywhere,
            Wrong::OwnTrace,
            Wrong::Tampered,
            Wrong::Silent,
        ][turn % 4];
        let subject = &subjects[(turn / 4) % subjects.len()];
        play_wrong(&mut court, subject, wrong, &mut dice);
        court.back(&mut mark);
    }
    println!("figure: games-against-right-claims lost={count} won=0");
}

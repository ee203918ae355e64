//! Attacks on what a trace commits to only when a game asks, each by a name of its own.
//!
//! Spec: programs, 1.22; game, 4.4, 4.5 and 4.7.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a failure is the test's failure"
)]

mod common;

use alloy_primitives::U256;
use common::Scene;
use selfsame_conformance::game::{CHALLENGER, PROVIDER};
use selfsame_conformance::game_plants::change;
use selfsame_conformance::game_play::Session;
use selfsame_conformance::game_zoo::residual;
use selfsame_dispute::{Holder, Move, Outcome, Reply, Revealed, Stage};
use selfsame_ir::{CheckedProgram, Tensor};
use selfsame_protocol::Hash;

/// Somebody who is neither.
const STRANGER: usize = 4;

/// The residual network with two interior nodes in front of committed node `end`.
struct Segment {
    scene: Scene,
    end: u32,
}

impl Segment {
    fn new() -> Self {
        let mut animal = residual(1);
        let mut program = animal.program.into_program();
        let last = u32::try_from(program.nodes.len() - 1).unwrap();
        let end = (3..=last)
            .find(|&end| {
                program.interior = vec![end - 2, end - 1];
                CheckedProgram::new(program.clone()).is_ok()
            })
            .expect("two nodes in a row are read by their successors alone");
        program.interior = vec![end - 2, end - 1];
        animal.program = CheckedProgram::new(program).unwrap();
        Self {
            scene: Scene::new(animal),
            end,
        }
    }

    /// A claim on what `wrong` has, its first game, and the game where it names the segment.
    fn at_segment<'a>(&'a mut self, claimed: &[Tensor], trace: &Holder) -> (Session<'a>, usize) {
        let right = self.scene.right();
        let end = self.end;
        let claim = self.scene.claim_of(claimed);
        let mut game = Session::new(&mut self.scene.court, &self.scene.model, claim);
        let index = game.open(CHALLENGER).unwrap();
        let at = game.board.games[index].clone();
        let reply = game.answer(PROVIDER, index, trace).unwrap();
        let Reply::First { entries, .. } = &reply else {
            panic!("the first answer")
        };
        let mut revealed = Revealed::new();
        revealed.add(&game.facts(), &at, reply.shown());
        let number = game.facts().place(end).segment;
        let next = selfsame_dispute::name(&game.facts(), &at, entries, number.into());
        let action = game.challenge(index, next, &[], &right, &revealed).unwrap();
        let value = game.move_value(index, &action);
        game.send(CHALLENGER, action, value).unwrap();
        assert_eq!(game.board.games[index].stage, Stage::Segment);
        (game, index)
    }
}

fn answer(game: &Session<'_>, index: usize, entries: Vec<Hash>) -> Move {
    Move::AnswerSegment {
        game: index,
        link: game.link(index),
        entries,
    }
}

/// A stranger opens a segment of a right claim with roots that are wrong.
#[test]
fn planted_roots() {
    let mut segment = Segment::new();
    let (right, outputs) = (segment.scene.right(), segment.scene.outputs.clone());
    let (mut game, index) = segment.at_segment(&outputs, &right);
    let planted = answer(&game, index, vec![Hash([7; 32]); 2]);
    for from in [STRANGER, CHALLENGER] {
        let refused = game.send(from, planted.clone(), U256::ZERO).unwrap_err();
        assert_eq!(refused, "NotAnswerer");
    }
    game.answer(PROVIDER, index, &right).unwrap();
    let again = answer(&game, index, vec![Hash([7; 32]); 2]);
    let refused = game.send(PROVIDER, again, U256::ZERO).unwrap_err();
    assert_eq!(refused, "AlreadyOpened");
}

/// A liar opens a segment with right interior roots, with wrong ones, or with the roots of nothing, after
/// it has seen the challenge.
#[test]
fn roots_made_up_late() {
    let probe = Segment::new();
    let (inner, end) = (probe.end - 2, probe.end);
    let honest = probe.scene.outputs.clone();
    // What it shows inside, and which node is convicted then.
    let mut other_inner = honest.clone();
    change(&mut other_inner[inner as usize], 0);
    for (inside, convicted) in [(honest.clone(), end), (other_inner, inner)] {
        let mut segment = Segment::new();
        let mut claimed = inside;
        change(&mut claimed[end as usize], 0);
        let lying = segment.scene.model.holder(&claimed);
        let right = segment.scene.right();
        let claim = segment.scene.claim_of(&claimed);
        let mut game = Session::new(&mut segment.scene.court, &segment.scene.model, claim);
        let played = game.play(CHALLENGER, &right, &lying);
        let found = played.conviction.map(|conviction| conviction.node);
        assert_eq!(found, Some(u64::from(convicted)));
    }
    // It shows what it cannot open.
    let mut segment = Segment::new();
    let mut claimed = honest;
    change(&mut claimed[end as usize], 0);
    let lying = segment.scene.model.holder(&claimed);
    let right = segment.scene.right();
    let clock = segment.scene.court.clock(&segment.scene.model);
    let (mut game, index) = segment.at_segment(&claimed, &lying);
    let at = game.board.games[index].clone();
    let entries = vec![Hash([9; 32]); 2];
    let made_up = answer(&game, index, entries.clone());
    game.send(PROVIDER, made_up, U256::ZERO).unwrap();
    let next = selfsame_dispute::name(&game.facts(), &at, &entries, 0);
    let revealed = Revealed::new();
    let action = game.challenge(index, next, &[], &right, &revealed).unwrap();
    let value = game.move_value(index, &action);
    game.send(CHALLENGER, action, value).unwrap();
    game.answer(PROVIDER, index, &lying)
        .expect_err("nothing hashes to it");
    game.court.wait(clock + 1);
    let timeout = Move::Timeout { game: index };
    game.send(STRANGER, timeout, U256::ZERO).unwrap();
    assert_eq!(game.board.outcome, Some(Outcome::Time));
}

/// A liar says nothing when it is asked for a segment.
#[test]
fn withheld_segment() {
    let mut segment = Segment::new();
    let mut claimed = segment.scene.outputs.clone();
    change(&mut claimed[segment.end as usize], 0);
    let lying = segment.scene.model.holder(&claimed);
    let clock = segment.scene.court.clock(&segment.scene.model);
    let (mut game, index) = segment.at_segment(&claimed, &lying);
    let timeout = Move::Timeout { game: index };
    let early = game.send(STRANGER, timeout.clone(), U256::ZERO);
    assert_eq!(early.unwrap_err(), "ClockRuns");
    game.court.wait(clock + 1);
    let late = game.answer(PROVIDER, index, &lying).unwrap_err();
    assert_eq!(late, "ClockOver");
    game.send(STRANGER, timeout, U256::ZERO).unwrap();
    assert_eq!(game.board.outcome, Some(Outcome::Time));
}

/// A challenger without a case goes through the segment of a right claim to every node of it.
#[test]
fn private_doubts() {
    for offset in 0..3 {
        let mut segment = Segment::new();
        let (right, outputs) = (segment.scene.right(), segment.scene.outputs.clone());
        let end = segment.end;
        let (mut game, index) = segment.at_segment(&outputs, &right);
        let mut revealed = Revealed::new();
        loop {
            let at = game.board.games[index].clone();
            let reply = game.answer(PROVIDER, index, &right).unwrap();
            revealed.add(&game.facts(), &at, reply.shown());
            let next = match &reply {
                Reply::Segment(entries) => {
                    selfsame_dispute::name(&game.facts(), &at, entries, offset)
                }
                Reply::First { entries, .. } | Reply::Entries(entries) => {
                    selfsame_dispute::name(&game.facts(), &at, entries, 0)
                }
                Reply::Tile(_) => {
                    assert_eq!(u64::from(at.node), u64::from(end) - 2 + offset);
                    selfsame_dispute::Next::Element {
                        in_tile: 0,
                        element: 0,
                    }
                }
            };
            let tile = reply.shown().tile();
            let action = game
                .challenge(index, next, tile, &right, &revealed)
                .unwrap();
            let value = game.move_value(index, &action);
            match game.send(CHALLENGER, action, value) {
                Ok(_) => {}
                Err(name) => {
                    assert_eq!(name, "ValueAgrees");
                    break;
                }
            }
        }
        assert_eq!(game.board.outcome, None);
    }
}

//! Attacks on what a trace commits to only when a game asks, each by a name of its own.
//!
//! Spec: programs, 1.22; game, 4.4, 4.5 and 4.7.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a failure is the test's failure"
)]

mod common;

use std::collections::BTreeSet;

use alloy_primitives::U256;
use common::Scene;
use selfsame_conformance::game::{CHALLENGER, PROVIDER};
use selfsame_conformance::game_plants::change;
use selfsame_conformance::game_play::Session;
use selfsame_conformance::game_zoo::{encoder, residual, segmented, sums};
use selfsame_dispute::{Holder, Move, Next, Outcome, Reply, Revealed, Stage, Witness};
use selfsame_ir::{CheckedProgram, ModelCommitment, Tensor};
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

/// Programs with segments of several shapes, and claims of them that are right.
fn scenes() -> Vec<Scene> {
    let animals = [
        segmented(residual(1), 3),
        segmented(sums(1), 4),
        segmented(encoder(1), 5),
    ];
    animals.into_iter().map(Scene::new).collect()
}

/// A challenger names every node of the program, in the trace tree and in each segment, with the proofs
/// that the node has in its own segment; contract and state machine take the same ones.
#[test]
fn names_across_segments() {
    let mut names = BTreeSet::new();
    for mut scene in scenes() {
        let right = scene.right();
        let claim = scene.claim_of(&scene.outputs.clone());
        let mut game = Session::new(&mut scene.court, &scene.model, claim);
        let facts = game.facts();
        let nodes = u32::try_from(facts.node_count()).unwrap();
        let segments = facts.program.segments();
        let ends: Vec<u32> = (1..nodes)
            .filter(|&node| !facts.place(node).interior && facts.place(node).offset != 0)
            .collect();
        for end in ends {
            let index = game.open(CHALLENGER).unwrap();
            if game.board.trace_root.is_none() {
                game.answer(PROVIDER, index, &right).unwrap();
            }
            // In the trace tree all interior nodes are refused, and INPUT.
            for node in (0..nodes).filter(|&node| node == 0 || facts.place(node).interior) {
                names.insert(name_node(&mut game, index, &right, node).unwrap_err());
            }
            name_node(&mut game, index, &right, end).unwrap();
            assert_eq!(game.board.games[index].stage, Stage::Segment);
            names.insert(name_node(&mut game, index, &right, end).unwrap_err());
            game.answer(PROVIDER, index, &right).unwrap();
            let own = |node| segments.place(node).segment == segments.place(end).segment;
            for node in (0..nodes).filter(|&node| !own(node)) {
                names.insert(name_node(&mut game, index, &right, node).unwrap_err());
            }
            name_node(&mut game, index, &right, end - 1).unwrap();
            assert_eq!(game.board.games[index].node, end - 1);
        }
        assert_eq!(game.board.outcome, None);
    }
    let met: Vec<&str> = names.iter().map(String::as_str).collect();
    let all = ["InputNamed", "NodeInterior", "NotOpened", "OtherSegment"];
    assert_eq!(met, all);
}

/// Names a node at the cursor, with the proofs that it has there, or in its own segment.
fn name_node(
    game: &mut Session<'_>,
    index: usize,
    right: &Holder,
    node: u32,
) -> Result<(), String> {
    let facts = game.facts();
    let place = facts.place(node);
    let mut at = game.board.games[index].clone();
    let entries = if at.stage == Stage::Segment {
        at.position = place.segment.into();
        right.interior_roots(&facts, at.position)
    } else {
        right.trace().level(0).to_vec()
    };
    let in_list = match at.stage {
        Stage::Segment => place.offset,
        Stage::First | Stage::Trace | Stage::Tensor | Stage::Tile | Stage::Over => place.segment,
    };
    let named = selfsame_dispute::name(&facts, &at, &entries, in_list.into());
    let Next::Node { root, siblings, .. } = named else {
        panic!("a node");
    };
    let commitment = facts.commitment;
    let action = Move::NameNode {
        game: index,
        link: game.link(index),
        node,
        root,
        siblings,
        node_leaf: commitment.leaves[node as usize].encode(),
        leaf_siblings: selfsame_commit::multiproof(&commitment.node_tree, &[u64::from(node)]),
    };
    let value = U256::from(1_000_000_000_000_000_000_u64);
    game.send(CHALLENGER, action, value).map(|_| ())
}

/// A challenger without a case proves the inputs of a step to the wrong one of the two trees, with the
/// roots of other nodes, with siblings too many or too few.
#[test]
fn crossed_trees() {
    let mut names = BTreeSet::new();
    for mut scene in scenes() {
        let right = scene.right();
        let claim = scene.claim_of(&scene.outputs.clone());
        let mut game = Session::new(&mut scene.court, &scene.model, claim);
        let facts = game.facts();
        let interior = |&node: &u32| facts.place(node).interior;
        let readers = (1_u32..).zip(&facts.program.nodes()[1..]);
        let readers: Vec<u32> = readers
            .filter(|(_, node)| node.inputs.iter().any(interior))
            .map(|(reader, _)| reader)
            .collect();
        for node in readers {
            let index = game.open(CHALLENGER).unwrap();
            let (tile, witness) = at_tile(&mut game, index, &right, node);
            for witness in spoiled(&witness, &right, facts.commitment) {
                let action = Move::Step {
                    game: index,
                    link: game.link(index),
                    step: selfsame_dispute::Step {
                        element: 0,
                        tile: tile.clone(),
                        witness,
                    },
                };
                let refused = game.send(CHALLENGER, action, U256::ZERO);
                names.insert(refused.expect_err("the claim is right"));
            }
        }
    }
    let met: Vec<&str> = names.iter().map(String::as_str).collect();
    let all = [
        "InputCount",
        "NodeLeafRoot",
        "ProofSiblingExtra",
        "ProofSiblingMissing",
        "SegmentRoot",
        "TraceRoot",
        "ValueAgrees",
    ];
    assert_eq!(met, all);
}

/// Goes down to the first tile of `node`, whose bytes it gives, with the right witness of element 0.
fn at_tile(game: &mut Session<'_>, index: usize, right: &Holder, node: u32) -> (Vec<u8>, Witness) {
    let facts = game.facts();
    let place = facts.place(node);
    loop {
        let at = game.board.games[index].clone();
        let reply = if game.is_opened(index) {
            right.reply(&facts, &at).unwrap()
        } else {
            game.answer(PROVIDER, index, right).unwrap()
        };
        let entry = match at.stage {
            Stage::Segment => place.offset,
            Stage::First | Stage::Trace => place.segment,
            Stage::Tensor | Stage::Tile | Stage::Over => 0,
        };
        let entries = match reply {
            Reply::First { entries, .. } | Reply::Entries(entries) | Reply::Segment(entries) => {
                entries
            }
            Reply::Tile(tile) => {
                let revealed = Revealed::new();
                let witness = Witness::new(&facts, right, &revealed, node, 0).unwrap();
                return (tile, witness);
            }
        };
        let next = selfsame_dispute::name(&facts, &at, &entries, entry.into());
        let action = game.challenge(index, next, &[], right, &Revealed::new());
        let action = action.unwrap();
        let value = game.move_value(index, &action);
        game.send(CHALLENGER, action, value).unwrap();
    }
}

/// The right witness, and all that is made of it by one exchange.
fn spoiled(right: &Witness, holder: &Holder, commitment: &ModelCommitment) -> Vec<Witness> {
    let mut all = vec![right.clone()];
    let mut add = |spoil: &dyn Fn(&mut Witness)| {
        let mut witness = right.clone();
        spoil(&mut witness);
        // A witness of one input, or of no siblings, is its own exchange.
        if witness != *right {
            all.push(witness);
        }
    };
    add(&|witness| std::mem::swap(&mut witness.trace_siblings, &mut witness.segment_siblings));
    add(&|witness| witness.input_roots.reverse());
    let lists: [fn(&mut Witness) -> &mut Vec<Hash>; 3] = [
        |witness| &mut witness.input_roots,
        |witness| &mut witness.trace_siblings,
        |witness| &mut witness.segment_siblings,
    ];
    for list in lists {
        add(&|witness| list(witness).push(Hash([7; 32])));
        add(&|witness| {
            list(witness).pop();
        });
    }
    for slot in 0..right.input_roots.len() {
        add(&|witness| witness.input_roots[slot] = holder.root());
        add(&|witness| witness.input_roots[slot] = holder.node_root(0));
    }
    // The leaf of INPUT, which has no inputs, with its own path.
    add(&|witness| {
        witness.node_leaf = commitment.leaves[0].encode();
        witness.leaf_siblings = selfsame_commit::multiproof(&commitment.node_tree, &[0]);
    });
    all
}

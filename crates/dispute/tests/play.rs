//! Whole games on the state machine alone: every planted fault is convicted at its position, and a
//! right claim never is.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a failure is the test's failure"
)]

#[path = "../../conformance/src/game_zoo.rs"]
pub mod game_zoo;

use game_zoo::{Animal, Dice, deep, zoo};
use selfsame_dispute::{
    Board, Certificate, Claim, Clocks, Costs, Holder, Link, Move, Next, NodeFacts, Outcome,
    Refusal, Reply, Revealed, Shown, Stage, Step, Witness, certify, evaluate,
};
use selfsame_interpreter::run;
use selfsame_ir::{CheckedProgram, ModelCommitment, Tensor};
use selfsame_protocol::{Hash, keccak256};

const CLAIMANT: [u8; 20] = [1; 20];
const CHALLENGER: [u8; 20] = [2; 20];

struct Table<'a> {
    animal: &'a Animal,
    commitment: ModelCommitment,
    board: Board,
    right: Holder,
    claimed: Holder,
    revealed: Revealed,
    now: u64,
}

impl<'a> Table<'a> {
    fn new(animal: &'a Animal, right: &[Tensor], claimed: Vec<Vec<u8>>) -> Self {
        let commitment = animal.program.commit();
        let committed = animal.program.segments().committed();
        let right = Holder::new(bytes(right), committed);
        let claimed = Holder::new(claimed, committed);
        let claim = Claim {
            key: keccak256(b"claim"),
            claimant: CLAIMANT,
            input_root: claimed.node_root(0),
            output_root: claimed.node_root(animal.program.program().output),
            closes_at: 1_000,
            clock: 500,
        };
        Self {
            animal,
            commitment,
            board: Board::new(claim),
            right,
            claimed,
            revealed: Revealed::new(),
            now: 100,
        }
    }

    fn model(&self) -> NodeFacts<'_> {
        NodeFacts {
            program: &self.animal.program,
            commitment: &self.commitment,
            values: &self.animal.values,
        }
    }

    fn link(&self) -> Link {
        Link {
            claim_key: self.board.claim.key,
            previous: self.board.games[0].head,
            selector: [1, 2, 3, 4],
            arguments: Hash([9; 32]),
        }
    }

    fn apply(&mut self, sender: [u8; 20], action: &Move) -> Result<(), Refusal> {
        self.now += 1;
        self.board = self.board.apply(&self.model(), sender, action, self.now)?;
        Ok(())
    }

    fn witness(&self, node: u32, element: u64) -> Witness {
        Witness::new(&self.model(), &self.right, &self.revealed, node, element).unwrap()
    }

    /// Plays the honest challenger to the end; returns its moves, opening included.
    fn play(&mut self) -> u32 {
        let open = Move::Open {
            claim_key: self.board.claim.key,
        };
        self.apply(CHALLENGER, &open).unwrap();
        let mut moves = 1;
        loop {
            let game = self.board.games[0].clone();
            let reply = self.claimed.reply(&self.model(), &game).unwrap();
            let link = self.link();
            let answer = reply.clone().into_move(0, link);
            self.apply(CLAIMANT, &answer).unwrap();
            let shown = reply.shown();
            let mut revealed = self.revealed.clone();
            revealed.add(&self.model(), &game, shown);
            self.revealed = revealed;
            let next = self.right.next(&self.model(), &game, shown).unwrap();
            let link = self.link();
            let action = match next {
                Next::Agrees => return moves,
                Next::Node {
                    node,
                    root,
                    siblings,
                } => {
                    let Witness {
                        node_leaf,
                        leaf_siblings,
                        ..
                    } = self.witness(node, 0);
                    Move::NameNode {
                        game: 0,
                        link,
                        node,
                        root,
                        siblings,
                        node_leaf,
                        leaf_siblings,
                    }
                }
                Next::Entry {
                    index,
                    hash,
                    siblings,
                } => Move::NameEntry {
                    game: 0,
                    link,
                    index,
                    hash,
                    siblings,
                },
                Next::Element { in_tile, element } => {
                    let Reply::Tile(tile) = reply else {
                        panic!("an element is found in a tile")
                    };
                    let witness = self.witness(game.node, element);
                    Move::Step {
                        game: 0,
                        link,
                        step: Step {
                            element: in_tile,
                            tile,
                            witness,
                        },
                    }
                }
            };
            self.apply(CHALLENGER, &action).unwrap();
            moves += 1;
            if self.board.outcome.is_some() {
                return moves;
            }
        }
    }
}

fn bytes(outputs: &[Tensor]) -> Vec<Vec<u8>> {
    outputs.iter().map(Tensor::to_bytes).collect()
}

fn outputs(animal: &Animal, seed: u64) -> Vec<Tensor> {
    run(&animal.program, &animal.values, animal.input(seed))
        .unwrap()
        .into_outputs()
}

/// Spec: game, 4.7.
#[test]
fn a_wrong_byte_anywhere_is_convicted_at_exactly_its_element() {
    let mut dice = Dice::new(7);
    for animal in zoo(1).iter().chain([&deep(1)]) {
        let right = outputs(animal, 3);
        let nodes = u64::from(animal.program.program().output);
        for _ in 0..12 {
            let node = 1 + dice.below(nodes);
            let mut claimed = bytes(&right);
            let at = usize::try_from(node).unwrap();
            let size = right[at].dtype().size() as usize;
            let byte = usize::try_from(dice.below(claimed[at].len() as u64)).unwrap();
            claimed[at][byte] ^= 1 + u8::try_from(dice.below(255)).unwrap();
            let segments = animal.program.segments();
            let place = segments.place(u32::try_from(node).unwrap());
            if place.interior {
                // A lie that no committed node repeats is none.
                let mut hidden = Table::new(animal, &right, claimed.clone());
                hidden.play();
                assert_eq!(hidden.board.outcome, None, "{}", animal.name);
                let end = segments.committed()[place.segment as usize];
                claimed[end as usize][0] ^= 1;
            }
            let mut table = Table::new(animal, &right, claimed);
            let moves = table.play();
            let Some(Outcome::Element {
                node: convicted,
                element,
                ..
            }) = table.board.outcome
            else {
                panic!("{}: no conviction at node {node} byte {byte}", animal.name);
            };
            assert_eq!(
                (u64::from(convicted), element),
                (node, (byte / size) as u64),
                "{}",
                animal.name
            );
            assert_eq!(moves, table.model().moves(convicted));
        }
    }
}

/// Spec: game, 4.7 and 4.15.
#[test]
fn a_right_claim_shows_nothing_to_name_and_no_step_on_it_succeeds() {
    for animal in &zoo(2) {
        let right = outputs(animal, 5);
        let mut table = Table::new(animal, &right, bytes(&right));
        assert_eq!(table.play(), 1);
        assert_eq!(table.board.outcome, None);
        let mut dice = Dice::new(11);
        for (node, tensor) in right.iter().enumerate().skip(1) {
            for _ in 0..5 {
                let node = u32::try_from(node).unwrap();
                let element = dice.below(tensor.len() as u64);
                let witness = table.witness(node, element);
                let got = evaluate(&table.model(), node, element, &witness.openings).unwrap();
                let want = tensor.get(usize::try_from(element).unwrap()).unwrap();
                assert_eq!(
                    got.value, want,
                    "{} node {node} element {element}",
                    animal.name
                );
            }
        }
    }
}

/// Spec: game, 4.10.
#[test]
fn silence_loses_on_both_sides_and_late_moves_are_refused() {
    let animal = &zoo(3)[0];
    let right = outputs(animal, 1);
    let mut table = Table::new(animal, &right, bytes(&right));
    table
        .apply(
            CHALLENGER,
            &Move::Open {
                claim_key: table.board.claim.key,
            },
        )
        .unwrap();
    let timeout = Move::Timeout { game: 0 };
    assert_eq!(
        table.apply(CLAIMANT, &timeout).unwrap_err().name(),
        "ClockRuns"
    );
    let Reply::First { entries, siblings } = table
        .claimed
        .reply(&table.model(), &table.board.games[0])
        .unwrap()
    else {
        panic!("the first answer comes first")
    };
    let first = Move::FirstAnswer {
        game: 0,
        link: table.link(),
        entries,
        siblings,
    };
    let before = table.board.clone();
    table.now += 501;
    assert_eq!(
        table.apply(CLAIMANT, &first).unwrap_err().name(),
        "ClockOver"
    );
    table.apply(CHALLENGER, &timeout).unwrap();
    assert_eq!(table.board.outcome, Some(Outcome::Time));

    table.board = before;
    table.now -= 501;
    table.apply(CLAIMANT, &first).unwrap();
    assert_eq!(
        table.apply(CLAIMANT, &timeout).unwrap_err().name(),
        "ClockRuns"
    );
    table.now += 500;
    table.apply(CLAIMANT, &timeout).unwrap();
    assert_eq!(table.board.outcome, None);
    assert_eq!(table.board.open_games(), 0);
}

/// Spec: game, 4.2 and 4.5.
#[test]
fn moves_of_another_claim_another_state_or_another_sender_are_refused_by_name() {
    let animal = &zoo(4)[0];
    let right = outputs(animal, 1);
    let mut table = Table::new(animal, &right, bytes(&right));
    table
        .apply(
            CHALLENGER,
            &Move::Open {
                claim_key: table.board.claim.key,
            },
        )
        .unwrap();
    let good = table.link();
    let (leaf, path) = leaf_of(&table.commitment, 0);
    let name = |link: Link, node: u32| Move::NameNode {
        game: 0,
        link,
        node,
        root: Hash::ZERO,
        siblings: Vec::new(),
        node_leaf: leaf.clone(),
        leaf_siblings: path.clone(),
    };
    let refused = |table: &mut Table<'_>, sender, action: &Move| {
        table.apply(sender, action).unwrap_err().name()
    };
    let wrong_claim = Link {
        claim_key: Hash::ZERO,
        ..good
    };
    assert_eq!(
        refused(&mut table, CHALLENGER, &name(wrong_claim, 1)),
        "WrongClaim"
    );
    let stale = Link {
        previous: Hash::ZERO,
        ..good
    };
    assert_eq!(
        refused(&mut table, CHALLENGER, &name(stale, 1)),
        "StaleMove"
    );
    assert_eq!(
        refused(&mut table, CLAIMANT, &name(good, 1)),
        "NotChallenger"
    );
    assert_eq!(refused(&mut table, CHALLENGER, &name(good, 1)), "NotOpened");
    assert_eq!(
        refused(&mut table, CHALLENGER, &Move::Timeout { game: 1 }),
        "NoGame"
    );
    assert_eq!(
        refused(&mut table, CHALLENGER, &Move::Settle { game: 0 }),
        "NotSettled"
    );
    let first = table
        .claimed
        .reply(&table.model(), &table.board.games[0])
        .unwrap();
    let Reply::First { entries, siblings } = first else {
        panic!()
    };
    let mut dirty = entries.clone();
    dirty.push(selfsame_commit::absent(0));
    let answer = |entries, link| Move::FirstAnswer {
        game: 0,
        link,
        entries,
        siblings: siblings.clone(),
    };
    assert_eq!(
        refused(&mut table, CLAIMANT, &answer(dirty, good)),
        "EntryCount"
    );
    let mut other = entries.clone();
    other[0] = Hash::ZERO;
    assert_eq!(
        refused(&mut table, CLAIMANT, &answer(other, good)),
        "InputRoot"
    );
    let mut other = entries.clone();
    *other.last_mut().unwrap() = Hash::ZERO;
    assert_eq!(
        refused(&mut table, CLAIMANT, &answer(other, good)),
        "OutputRoot"
    );
    assert_eq!(
        refused(&mut table, CHALLENGER, &answer(entries.clone(), good)),
        "NotAnswerer"
    );
    table.apply(CLAIMANT, &answer(entries, good)).unwrap();
    let link = table.link();
    assert_eq!(
        refused(&mut table, CHALLENGER, &name(link, 0)),
        "InputNamed"
    );
    assert_eq!(
        refused(&mut table, CHALLENGER, &name(link, 99)),
        "ProofIndex"
    );
}

/// A node's leaf and its path.
fn leaf_of(commitment: &ModelCommitment, node: u32) -> (Vec<u8>, Vec<Hash>) {
    let path = selfsame_commit::multiproof(&commitment.node_tree, &[node.into()]);
    (commitment.leaves[node as usize].encode(), path)
}

/// Spec: game, 4.4 and 4.5.
#[test]
fn a_segment_is_opened_by_the_claimant_alone_and_named_in_by_its_own_nodes() {
    let mut animal = zoo(6).swap_remove(0);
    let mut program = animal.program.into_program();
    let last = u32::try_from(program.nodes.len() - 1).unwrap();
    let end = (2..last)
        .find(|&end| {
            program.interior = vec![end - 1];
            CheckedProgram::new(program.clone()).is_ok()
        })
        .expect("some node is read by the next alone");
    animal.program = CheckedProgram::new(program).unwrap();
    let right = outputs(&animal, 1);
    let mut claimed = bytes(&right);
    claimed[end as usize][0] ^= 1;
    let mut table = Table::new(&animal, &right, claimed);
    let claim_key = table.board.claim.key;
    table.apply(CHALLENGER, &Move::Open { claim_key }).unwrap();
    let game = table.board.games[0].clone();
    let first = table.claimed.reply(&table.model(), &game).unwrap();
    let Reply::First { entries, siblings } = first else {
        panic!("the first answer comes first")
    };
    let name = |table: &Table<'_>, node: u32, next: Next| {
        let (node_leaf, leaf_siblings) = leaf_of(&table.commitment, node);
        let Next::Node { root, siblings, .. } = next else {
            panic!("a node is named")
        };
        Move::NameNode {
            game: 0,
            link: table.link(),
            node,
            root,
            siblings,
            node_leaf,
            leaf_siblings,
        }
    };
    let first = Move::FirstAnswer {
        game: 0,
        link: table.link(),
        entries: entries.clone(),
        siblings,
    };
    table.apply(CLAIMANT, &first).unwrap();
    let shown = Shown::Entries(&entries);
    let next = table.right.next(&table.model(), &game, shown).unwrap();
    let inside = name(&table, end - 1, next.clone());
    let refused = table.apply(CHALLENGER, &inside).unwrap_err();
    assert_eq!(refused, Refusal::NodeInterior { node: end - 1 });
    let committed = name(&table, end, next);
    table.apply(CHALLENGER, &committed).unwrap();

    let game = table.board.games[0].clone();
    assert_eq!(game.stage, Stage::Segment);
    let Reply::Segment(entries) = table.claimed.reply(&table.model(), &game).unwrap() else {
        panic!("a segment is opened next")
    };
    let answer = |table: &Table<'_>, entries: Vec<Hash>| Move::AnswerSegment {
        game: 0,
        link: table.link(),
        entries,
    };
    let good = answer(&table, entries.clone());
    let refused = table.apply(CHALLENGER, &good).unwrap_err();
    assert_eq!(refused, Refusal::NotAnswerer);
    let long = answer(&table, [entries.clone(), vec![Hash::ZERO]].concat());
    let refused = table.apply(CLAIMANT, &long).unwrap_err().name();
    assert_eq!(refused, "EntryCount");
    table.apply(CLAIMANT, &good).unwrap();
    let good = answer(&table, entries.clone());
    let refused = table.apply(CLAIMANT, &good).unwrap_err();
    assert_eq!(refused, Refusal::AlreadyOpened);

    let shown = Shown::Entries(&entries);
    let next = table.right.next(&table.model(), &game, shown).unwrap();
    let other = name(&table, last, next.clone());
    let refused = table.apply(CHALLENGER, &other).unwrap_err().name();
    assert_eq!(refused, "OtherSegment");
    let Next::Node { node, root, .. } = next else {
        panic!("a node is named")
    };
    assert_eq!(node, end, "the interior node is right");
    for (root, siblings, why) in [
        (root, vec![Hash::ZERO], "EntryCount"),
        (Hash::ZERO, Vec::new(), "WrongHash"),
    ] {
        let next = Next::Node {
            node,
            root,
            siblings,
        };
        let action = name(&table, end, next);
        let refused = table.apply(CHALLENGER, &action).unwrap_err().name();
        assert_eq!(refused, why);
    }
}

/// Spec: game, 4.6; programs, 1.6.
#[test]
fn the_certificate_bounds_what_a_witness_really_opens() {
    let clocks = Clocks {
        censorship_seconds: 100,
        inclusion_seconds: 10,
        macs_per_second: 1_000_000,
        bytes_per_second: 1_000_000,
        window_min_seconds: 60,
    };
    for animal in &zoo(5) {
        let certificate: Certificate = certify(&animal.program, &Costs::MEASURED, &clocks);
        let right = outputs(animal, 1);
        let table = Table::new(animal, &right, bytes(&right));
        let worst = (1..right.len())
            .flat_map(|node| {
                let last = right[node].len() as u64 - 1;
                [0, last / 2, last].map(|element| {
                    table
                        .witness(u32::try_from(node).unwrap(), element)
                        .opened_bytes()
                })
            })
            .max()
            .unwrap();
        let most = selfsame_protocol::constants::OPENED_BYTES_MAX;
        assert!(worst <= most as usize, "{}", animal.name);
        assert!(certificate.leaf_gas < 16_777_216, "{}", animal.name);
        assert!(certificate.challenger_moves >= 3, "{}", animal.name);
        assert_eq!(
            certificate.gas_total,
            certificate.moves.iter().map(|m| m.gas).sum::<u64>()
        );
    }
}

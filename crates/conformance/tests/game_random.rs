//! Random play: the contract and the state machine take and refuse the same moves, by the same names.
//!
//! [`Session::send`] panics when they differ, so the play itself is the check; the counts below show
//! that it goes everywhere.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a failure is the test's failure"
)]

mod common;

use std::collections::BTreeMap;

use alloy_primitives::U256;
use common::Scene;
use selfsame_conformance::game::{CHALLENGER, PROVIDER};
use selfsame_conformance::game_play::Session;
use selfsame_conformance::game_zoo::{Dice, deep, encoder, residual, segmented, sums, wide};
use selfsame_dispute::{
    Descent, Game, Holder, Link, Move, Next, Reply, Revealed, Shown, Stage, Step, Witness, name,
};
use selfsame_protocol::Hash;

fn soak() -> bool {
    std::env::var("SELFSAME_SOAK").is_ok_and(|value| value == "1")
}

/// Where a game may stand.
const STAGES: [Stage; 5] = [
    Stage::First,
    Stage::Trace,
    Stage::Segment,
    Stage::Tensor,
    Stage::Tile,
];

/// One player that makes any move at any time, mostly well formed.
struct Player<'a> {
    dice: Dice,
    right: Holder,
    lying: Holder,
    revealed: Vec<Revealed>,
    names: &'a mut BTreeMap<String, usize>,
}

impl Player<'_> {
    fn pick(&mut self, bound: usize) -> usize {
        usize::try_from(self.dice.below(bound as u64)).unwrap()
    }

    fn once_in(&mut self, bound: u64) -> bool {
        self.dice.below(bound) == 0
    }

    fn turn(&mut self, session: &mut Session<'_>) {
        let from = [PROVIDER, CHALLENGER, CHALLENGER + 1][self.pick(3)];
        if self.once_in(9) {
            let clock = session.board.claim.clock;
            let seconds = if self.once_in(6) {
                clock / 2 + 1
            } else {
                1 + self.dice.below(30)
            };
            session.court.wait(seconds);
        }
        let action = self.action(session, from);
        let made = matches!(
            action,
            Move::FirstAnswer { .. } | Move::Answer { .. } | Move::AnswerSegment { .. }
        );
        let seen = made.then(|| self.seen(session, &action));
        let sender = self.sender(session, &action, from);
        let payable = matches!(
            action,
            Move::Open { .. } | Move::NameNode { .. } | Move::NameEntry { .. }
        );
        let value = U256::from(if payable {
            1_000_000_000_000_000_000_u64
        } else {
            0
        });
        let word = match session.send(sender, action, value) {
            Ok(_) => {
                if let Some((game, at, entries)) = seen {
                    for revealed in &mut self.revealed {
                        // The trace tree is one for all games of the claim.
                        revealed.add(&session.facts(), &at, Shown::Entries(&entries));
                    }
                    let _ = game;
                }
                "taken".to_owned()
            }
            Err(name) => name,
        };
        *self.names.entry(word).or_default() += 1;
    }

    /// The entries that an answer shows, with the game as it was.
    fn seen(
        &mut self,
        session: &Session<'_>,
        action: &Move,
    ) -> (usize, selfsame_dispute::Game, Vec<Hash>) {
        let (game, entries) = match action {
            Move::FirstAnswer { game, entries, .. }
            | Move::Answer { game, entries, .. }
            | Move::AnswerSegment { game, entries, .. } => (*game, entries.clone()),
            _ => panic!("an answer of entries"),
        };
        if self.revealed.is_empty() {
            self.revealed.push(Revealed::new());
        }
        let at = session.board.games.get(game).cloned();
        let at = at.unwrap_or_else(|| session.board.games[0].clone());
        (game, at, entries)
    }

    /// Mostly whoever may make the move, else anybody. No value goes with answers and steps.
    fn sender(&mut self, session: &Session<'_>, action: &Move, from: usize) -> usize {
        let game = match action {
            Move::NameNode { game, .. }
            | Move::NameEntry { game, .. }
            | Move::Step { game, .. } => *game,
            _ => return from,
        };
        if self.once_in(8) {
            return from;
        }
        let challenger = session.board.games.get(game).map(|game| game.challenger);
        (0..10)
            .find(|&who| Some(session.court.account(who).into_array()) == challenger)
            .unwrap_or(from)
    }

    fn link(&mut self, session: &Session<'_>, game: usize) -> Link {
        let mut link = session.link(game);
        match self.dice.below(40) {
            0 => link.claim_key = Hash([1; 32]),
            1 => link.previous = Hash([2; 32]),
            _ => {}
        }
        link
    }

    fn action(&mut self, session: &Session<'_>, from: usize) -> Move {
        let games = session.board.games.len();
        if games == 0 || (games < 4 && self.once_in(12)) {
            let mut claim_key = session.board.claim.key;
            if self.once_in(6) {
                claim_key = Hash([3; 32]);
            }
            return Move::Open { claim_key };
        }
        let game = self.pick(games);
        match self.dice.below(20) {
            0 => Move::Timeout { game },
            1 => Move::Settle { game },
            2 => {
                let claim_key = session.board.claim.key;
                let answerer = Some(session.court.account(from).into_array());
                Move::SetAnswerer {
                    claim_key,
                    answerer,
                }
            }
            3..=9 => self.answer(session, game),
            _ => self.challenge(session, game),
        }
    }

    fn answer(&mut self, session: &Session<'_>, game: usize) -> Move {
        let link = self.link(session, game);
        let holder = if self.once_in(6) {
            self.right.clone()
        } else {
            self.lying.clone()
        };
        let mut at = session.board.games[game].clone();
        if self.once_in(15) {
            at.stage = STAGES[self.pick(STAGES.len())];
        }
        let reply = holder.reply(&session.facts(), &at);
        match reply.unwrap_or(Reply::Tile(vec![0; 3])) {
            Reply::First {
                mut entries,
                siblings,
            } => {
                match self.dice.below(20) {
                    0 => drop(entries.pop()),
                    1 => entries.push(Hash([4; 32])),
                    2 => entries[0] = Hash([5; 32]),
                    _ => {}
                }
                Move::FirstAnswer {
                    game,
                    link,
                    entries,
                    siblings,
                }
            }
            Reply::Entries(mut entries) => {
                match self.dice.below(20) {
                    0 => drop(entries.pop()),
                    1 => entries.push(Hash([4; 32])),
                    2 if !entries.is_empty() => entries[0] = Hash([5; 32]),
                    _ => {}
                }
                Move::Answer {
                    game,
                    link,
                    entries,
                }
            }
            Reply::Segment(mut entries) => {
                match self.dice.below(20) {
                    0 => drop(entries.pop()),
                    1 => entries.push(Hash([4; 32])),
                    _ => {}
                }
                Move::AnswerSegment {
                    game,
                    link,
                    entries,
                }
            }
            Reply::Tile(mut tile) => {
                match self.dice.below(20) {
                    0 => drop(tile.pop()),
                    1 => tile.push(0),
                    2 if !tile.is_empty() => tile[0] ^= 1,
                    _ => {}
                }
                Move::AnswerTile { game, link, tile }
            }
        }
    }

    fn challenge(&mut self, session: &Session<'_>, game: usize) -> Move {
        let at = session.board.games[game].clone();
        let descent = match at.stage {
            Stage::First | Stage::Trace | Stage::Over => session.facts().schedule().trace(),
            Stage::Segment => return self.name_in_segment(session, game, &at),
            Stage::Tensor => Descent::tensor(at.tensor_bytes),
            Stage::Tile => return self.step(session, game),
        };
        let below = descent.opens(at.level);
        let honest = self.once_in(10);
        let tree_holder = if honest { &self.right } else { &self.lying };
        let first = at.position << (at.level - below);
        let shown: Vec<Hash> = match at.stage {
            Stage::Tensor => {
                let mut probe = at.clone();
                probe.stage = Stage::Tensor;
                match tree_holder.reply(&session.facts(), &probe) {
                    Ok(Reply::Entries(entries)) => entries,
                    _ => Vec::new(),
                }
            }
            _ => tree_holder
                .trace()
                .descendants(at.level, at.position, below)
                .to_vec(),
        };
        let beyond = u64::from(self.once_in(10));
        let index = first + self.dice.below(shown.len() as u64 + beyond);
        let mut next = name(&session.facts(), &at, &shown, index);
        if self.once_in(20) {
            next = Next::Entry {
                index,
                hash: Hash([6; 32]),
                siblings: Vec::new(),
            };
        }
        let link = self.link(session, game);
        match next {
            Next::Node {
                node,
                root,
                siblings,
            } => {
                let any = self.dice.below(session.facts().node_count());
                let node = if self.once_in(12) {
                    u32::try_from(any).unwrap()
                } else {
                    node
                };
                self.name_node(session, game, link, (node, root, siblings))
            }
            Next::Entry {
                index,
                hash,
                mut siblings,
            } => {
                match self.dice.below(20) {
                    0 => siblings.push(Hash([7; 32])),
                    1 => drop(siblings.pop()),
                    _ => {}
                }
                Move::NameEntry {
                    game,
                    link,
                    index,
                    hash,
                    siblings,
                }
            }
            Next::Element { .. } | Next::Agrees => Move::Timeout { game },
        }
    }

    /// A node of the segment, or now and then of another.
    fn name_in_segment(&mut self, session: &Session<'_>, game: usize, at: &Game) -> Move {
        let facts = session.facts();
        let holder = if self.once_in(10) {
            &self.right
        } else {
            &self.lying
        };
        let shown = holder.interior_roots(&facts, at.position);
        let index = self.dice.below(shown.len() as u64 + 1);
        let link = self.link(session, game);
        let Next::Node {
            mut node,
            root,
            siblings,
        } = name(&facts, at, &shown, index)
        else {
            return Move::Timeout { game };
        };
        if self.once_in(10) {
            node = u32::try_from(self.dice.below(facts.node_count())).unwrap_or_default();
        }
        self.name_node(session, game, link, (node, root, siblings))
    }

    fn name_node(
        &mut self,
        session: &Session<'_>,
        game: usize,
        link: Link,
        (node, mut root, mut siblings): (u32, Hash, Vec<Hash>),
    ) -> Move {
        let commitment = &session.model.commitment;
        let leaf = commitment
            .leaves
            .get(node as usize)
            .unwrap_or(&commitment.leaves[1]);
        let mut node_leaf = leaf.encode();
        let proved = u64::from(node).min(commitment.leaves.len() as u64 - 1);
        let mut leaf_siblings = selfsame_commit::multiproof(&commitment.node_tree, &[proved]);
        match self.dice.below(25) {
            0 => node_leaf.push(0),
            1 => drop(leaf_siblings.pop()),
            2 => leaf_siblings.push(Hash([7; 32])),
            3 => root = Hash([8; 32]),
            4 => drop(siblings.pop()),
            5 => siblings.push(Hash([7; 32])),
            6 => node_leaf = commitment.leaves[0].encode(),
            _ => {}
        }
        Move::NameNode {
            game,
            link,
            node,
            root,
            siblings,
            node_leaf,
            leaf_siblings,
        }
    }

    fn step(&mut self, session: &Session<'_>, game: usize) -> Move {
        let at = session.board.games[game].clone();
        let link = self.link(session, game);
        let mut tile = self.lying.tile(at.node, at.position).to_vec();
        let size = session
            .facts()
            .program
            .node(at.node)
            .map_or(1, |node| node.dtype.size());
        let count = (tile.len() as u64 / u64::from(size)).max(1);
        let in_tile = u32::try_from(self.dice.below(count + 1)).unwrap();
        let element = at.position * u64::from(512 / size) + u64::from(in_tile);
        let fresh = Revealed::new();
        let revealed = self.revealed.first().unwrap_or(&fresh).clone();
        let mistaken = self.once_in(8);
        let own = if mistaken { &self.lying } else { &self.right };
        let made = Witness::new(&session.facts(), own, &revealed, at.node, element)
            .or_else(|_| Witness::new(&session.facts(), own, &revealed, at.node, 0));
        let mut witness = made.unwrap();
        self.spoil(&mut witness, &mut tile);
        Move::Step {
            game,
            link,
            step: Step {
                element: in_tile,
                tile,
                witness,
            },
        }
    }

    fn spoil(&mut self, witness: &mut Witness, tile: &mut Vec<u8>) {
        let slot = self.pick(witness.openings.len().max(1));
        match self.dice.below(30) {
            0 => tile.push(0),
            1 => witness.node_leaf.push(0),
            2 => drop(witness.input_roots.pop()),
            3 => witness.trace_siblings.push(Hash([7; 32])),
            4 => drop(witness.trace_siblings.pop()),
            11 => witness.segment_siblings.push(Hash([7; 32])),
            12 => drop(witness.segment_siblings.pop()),
            5 => drop(witness.openings.pop()),
            6 => witness.openings[slot].tiles.push(1),
            7 => drop(witness.openings[slot].siblings.pop()),
            8 => witness.openings[slot].siblings.push(Hash([7; 32])),
            9 if !witness.openings[slot].tiles.is_empty() => witness.openings[slot].tiles[0] ^= 1,
            10 => witness.input_roots[0] = Hash([9; 32]),
            _ => {}
        }
    }
}

/// Spec: game, 4.1 to 4.10.
#[test]
fn contract_and_state_machine_take_and_refuse_the_same_moves_by_the_same_names() {
    let (rounds, turns) = if soak() { (40, 400) } else { (3, 120) };
    let mut names = BTreeMap::new();
    let animals = [residual(1), sums(1), wide(1), deep(1), encoder(1)];
    let cut = [3, 4, 5].map(|seed| match seed {
        3 => segmented(residual(1), 3),
        4 => segmented(sums(1), 4),
        _ => segmented(encoder(1), 5),
    });
    for (index, animal) in animals.into_iter().chain(cut).enumerate() {
        let mut scene = Scene::new(animal);
        let wrong = match index {
            0 | 5 => scene.lie(4, 7),
            1 | 6 => scene.lie(3, 2),
            2 => scene.lie(1, 40_000),
            3 => scene.lie(125, 5),
            _ => scene.lie(19, 40),
        };
        let mut mark = scene.court.mark();
        for round in 0..rounds {
            let lying = if round % 3 == 2 {
                scene.outputs.clone()
            } else {
                wrong.clone()
            };
            let right = scene.right();
            let claimed = scene.claim_of(&lying);
            let mut session = Session::new(&mut scene.court, &scene.model, claimed);
            let mut player = Player {
                dice: Dice::new(1_000 * index as u64 + round),
                right,
                lying: scene.model.holder(&lying),
                revealed: Vec::new(),
                names: &mut names,
            };
            for _ in 0..turns {
                player.turn(&mut session);
            }
            scene.court.back(&mut mark);
        }
    }
    println!("random play: {names:?}");
    let moves: usize = names.values().sum();
    let taken = names.get("taken").copied().unwrap_or(0);
    println!("figure: random-moves made={moves} taken={taken}");
    let least = [
        "taken",
        "StaleMove",
        "NotOpened",
        "AlreadyOpened",
        "EntryCount",
        "WrongHash",
    ];
    for name in least {
        assert!(names.contains_key(name), "{name} was never met: {names:?}");
    }
}

//! Games on the contracts and on the state machine at once.
//!
//! Every move goes to both; they must both take it, or refuse it by the same name. So every test
//! that plays is also a test that contract and specification are one.

use alloy_primitives::{B256, U256};
use alloy_sol_types::SolEvent as _;
use selfsame_chain::Child;
use selfsame_chain::bindings::DisputeGame;
use selfsame_devnet::{Applied, dev_address};
use selfsame_dispute::{
    Board, Claim, Holder, Link, Move, Next, NodeFacts, Reply, Revealed, Stage, Step, Witness,
};
use selfsame_protocol::Hash;

use crate::game::{Claimed, Court, Model, PROVIDER};

mod calls;

use calls::linked;
pub use calls::step_input;

/// A claim with its games, on chain and on the board.
#[derive(Debug)]
pub struct Session<'a> {
    /// The chain.
    pub court: &'a mut Court,
    /// The model.
    pub model: &'a Model,
    /// The claim.
    pub claimed: Claimed,
    /// The state machine.
    pub board: Board,
    /// Gas of each transaction, by function.
    pub gas: Vec<(&'static str, u64)>,
    /// Calldata bytes of each transaction, by function.
    pub calldata: Vec<(&'static str, usize)>,
    /// What each answer was paid, and what its gas cost, in wei, by function.
    pub paid: Vec<(&'static str, U256, U256)>,
}

/// The position that the contract convicted, from its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conviction {
    /// The node.
    pub node: u64,
    /// Flat index of the element.
    pub element: u64,
    /// What the contract computed.
    pub expected: i64,
    /// What was claimed.
    pub actual: i64,
}

/// What a played game came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Played {
    /// The conviction, if there was one.
    pub conviction: Option<Conviction>,
    /// Challenger's moves, opening included.
    pub challenger_moves: u32,
    /// Where the challenger gave up, if it did: the game is still open.
    pub gave_up: bool,
}

impl<'a> Session<'a> {
    /// Starts on a claim that was just made.
    pub fn new(court: &'a mut Court, model: &'a Model, claimed: Claimed) -> Self {
        let claim = Claim {
            key: Hash(claimed.claim_key.0),
            claimant: dev_address(PROVIDER).into_array(),
            input_root: claimed.input_root,
            output_root: claimed.output_root,
            closes_at: claimed.closes_at,
            clock: court.clock(model),
        };
        let board = Board::new(claim);
        Self {
            court,
            model,
            claimed,
            board,
            gas: Vec::new(),
            calldata: Vec::new(),
            paid: Vec::new(),
        }
    }

    /// The model as the state machine sees it.
    pub fn facts(&self) -> NodeFacts<'a> {
        NodeFacts {
            program: &self.model.animal.program,
            commitment: &self.model.commitment,
            values: &self.model.animal.values,
        }
    }

    /// On-chain id of a game.
    pub fn game_id(&self, game: usize) -> B256 {
        B256::from(selfsame_dispute::game_id(self.board.claim.key, game as u64).0)
    }

    /// The link that the next move of a game carries; `send` fills selector and arguments.
    pub fn link(&self, game: usize) -> Link {
        Link {
            claim_key: self.board.claim.key,
            previous: self
                .board
                .games
                .get(game)
                .map(|game| game.head)
                .unwrap_or_default(),
            selector: [0; 4],
            arguments: Hash::ZERO,
        }
    }

    /// Makes a move on chain and on the board.
    ///
    /// # Panics
    ///
    /// If the two do not agree.
    pub fn send(&mut self, from: usize, action: Move, value: U256) -> Result<Applied, String> {
        let (name, data) = self.encode(&action);
        let action = linked(action, &data);
        let address = self.court.deployment.address(Child::DisputeGame);
        let bytes = data.len();
        let applied = self.court.raw(from, address, data, value);
        let time = match &applied {
            Ok(applied) => applied.time,
            Err(refused) => refused.time,
        };
        let sender = dev_address(from).into_array();
        let next = self.board.apply(&self.facts(), sender, &action, time);
        match (applied, next) {
            (Ok(applied), Ok(next)) => {
                self.board = next;
                self.gas.push((name, applied.gas_used));
                self.calldata.push((name, bytes));
                if let Some(paid) = paid(&applied) {
                    let fee = U256::from(self.court.chain.next_base_fee());
                    self.paid
                        .push((name, paid, U256::from(applied.gas_used) * fee));
                }
                Ok(applied)
            }
            (Err(refused), Err(refusal)) if refused.name == refusal.name() => Err(refused.name),
            // The board keeps no money.
            (Err(refused), Ok(_)) if refused.name == "ValueTooLow" => Err(refused.name),
            (applied, next) => panic!(
                "contract and state machine differ on {name}: {:?} against {:?}",
                applied.map(|applied| applied.success),
                next.map(|board| board.games.len())
            ),
        }
    }

    /// Opens a game with exactly the value that the contract asks for; returns its index.
    pub fn open(&mut self, from: usize) -> Result<usize, String> {
        let call = DisputeGame::openValueCall {
            requestId: self.claimed.request_id,
        };
        let value = self.court.read(Child::DisputeGame, &call);
        let claim_key = self.board.claim.key;
        self.send(from, Move::Open { claim_key }, value)?;
        Ok(self.board.games.len() - 1)
    }

    /// Answers at the cursor of a game with what `holder` holds.
    pub fn answer(&mut self, from: usize, game: usize, holder: &Holder) -> Result<Reply, String> {
        let at = self.board.games.get(game).ok_or("no game")?;
        let reply = holder
            .reply(&self.facts(), at)
            .map_err(|error| error.to_string())?;
        let link = self.link(game);
        let action = reply.clone().into_move(game, link);
        self.send(from, action, U256::ZERO)?;
        Ok(reply)
    }

    /// Wei that the contract asks for with a challenger's move.
    pub fn move_value(&self, game: usize, action: &Move) -> U256 {
        let id = self.game_id(game);
        match action {
            Move::NameNode { node, .. } if self.names_segment(game, *node) => {
                let segments = self.facts().program.segments();
                let call = DisputeGame::segmentValueCall {
                    gameId: id,
                    interior: U256::from(segments.interior_around(*node).len()),
                };
                self.court.read(Child::DisputeGame, &call)
            }
            Move::NameNode { node, .. } => {
                let bytes = U256::from(self.facts().output_bytes(*node));
                let call = DisputeGame::nodeValueCall {
                    gameId: id,
                    tensorBytes: bytes,
                };
                self.court.read(Child::DisputeGame, &call)
            }
            Move::NameEntry { index, .. } => {
                let call = DisputeGame::entryValueCall {
                    gameId: id,
                    index: *index,
                };
                self.court.read(Child::DisputeGame, &call)
            }
            Move::Open { .. }
            | Move::SetAnswerer { .. }
            | Move::FirstAnswer { .. }
            | Move::Answer { .. }
            | Move::AnswerSegment { .. }
            | Move::AnswerTile { .. }
            | Move::Step { .. }
            | Move::Timeout { .. }
            | Move::Settle { .. } => U256::ZERO,
        }
    }

    /// Whether naming `node` leads to its segment, not to its tensor.
    fn names_segment(&self, game: usize, node: u32) -> bool {
        let stage = self.board.games.get(game).map(|game| game.stage);
        let segments = self.facts().program.segments();
        stage != Some(Stage::Segment) && !segments.interior_around(node).is_empty()
    }

    /// The challenger's move that `next` stands for; `None` when it has none.
    ///
    /// # Panics
    ///
    /// If `holder` has another model's trace.
    pub fn challenge(
        &self,
        game: usize,
        next: Next,
        tile: &[u8],
        holder: &Holder,
        revealed: &Revealed,
    ) -> Option<Move> {
        let link = self.link(game);
        let witness = |node, element| {
            Witness::new(&self.facts(), holder, revealed, node, element)
                .expect("a named node has elements")
        };
        match next {
            Next::Agrees => None,
            Next::Node {
                node,
                root,
                siblings,
            } => {
                let Witness {
                    node_leaf,
                    leaf_siblings,
                    ..
                } = witness(node, 0);
                Some(Move::NameNode {
                    game,
                    link,
                    node,
                    root,
                    siblings,
                    node_leaf,
                    leaf_siblings,
                })
            }
            Next::Entry {
                index,
                hash,
                siblings,
            } => Some(Move::NameEntry {
                game,
                link,
                index,
                hash,
                siblings,
            }),
            Next::Element { in_tile, element } => {
                let node = self.board.games[game].node;
                let (tile, witness) = (tile.to_vec(), witness(node, element));
                Some(Move::Step {
                    game,
                    link,
                    step: Step {
                        element: in_tile,
                        tile,
                        witness,
                    },
                })
            }
        }
    }

    /// Plays one game: `right` challenges, `wrong` answers, both by the rules of 4.15.
    ///
    /// # Panics
    ///
    /// If a move of either side is refused.
    pub fn play(&mut self, challenger: usize, right: &Holder, claimed: &Holder) -> Played {
        let game = self
            .open(challenger)
            .expect("a game opens inside the window");
        self.play_on(game, challenger, right, claimed)
    }

    /// Plays a game that is open to its end.
    ///
    /// # Panics
    ///
    /// If a move of either side is refused.
    pub fn play_on(
        &mut self,
        game: usize,
        challenger: usize,
        right: &Holder,
        claimed: &Holder,
    ) -> Played {
        let mut revealed = Revealed::new();
        let mut challenger_moves = 1;
        loop {
            let before = self.board.games[game].clone();
            let reply = if self.is_opened(game) {
                claimed
                    .reply(&self.facts(), &before)
                    .expect("the claimant holds its trace")
            } else {
                self.answer(PROVIDER, game, claimed)
                    .expect("the claimant's answer is taken")
            };
            let shown = reply.shown();
            revealed.add(&self.facts(), &before, shown);
            let next = right
                .next(&self.facts(), &before, shown)
                .expect("shown has its length");
            let Some(action) = self.challenge(game, next, shown.tile(), right, &revealed) else {
                return Played {
                    conviction: None,
                    challenger_moves,
                    gave_up: true,
                };
            };
            let value = self.move_value(game, &action);
            let applied = self
                .send(challenger, action, value)
                .expect("an honest move is taken");
            challenger_moves += 1;
            if self.board.outcome.is_some() {
                let conviction = Some(conviction(&applied));
                return Played {
                    conviction,
                    challenger_moves,
                    gave_up: false,
                };
            }
        }
    }

    /// Whether the cursor of a game is opened already, by this game or another of the claim.
    pub fn is_opened(&self, game: usize) -> bool {
        match self.board.games[game].place() {
            None => self.board.trace_root.is_some(),
            Some(place) => self.board.opened.contains_key(&place),
        }
    }
}

/// What an answer was paid, by its event.
fn paid(applied: &Applied) -> Option<U256> {
    applied.logs.iter().find_map(|log| {
        let first = DisputeGame::FirstAnswered::decode_log(log).map(|event| event.paid);
        let entries = || DisputeGame::Answered::decode_log(log).map(|event| event.paid);
        let segment = || DisputeGame::SegmentAnswered::decode_log(log).map(|event| event.paid);
        let tile = || DisputeGame::TileAnswered::decode_log(log).map(|event| event.paid);
        let tree = first.or_else(|_| entries()).or_else(|_| segment());
        tree.or_else(|_| tile()).ok()
    })
}

/// The `Convicted` event of a step.
///
/// # Panics
///
/// If there is none.
pub fn conviction(applied: &Applied) -> Conviction {
    let event = applied
        .logs
        .iter()
        .find_map(|log| DisputeGame::Convicted::decode_log(log).ok());
    let event = event.expect("a conviction leaves its event");
    let narrow = |value: alloy_primitives::I256| i64::try_from(value).unwrap_or(i64::MAX);
    Conviction {
        node: event.node.saturating_to(),
        element: event.element.saturating_to(),
        expected: narrow(event.expected),
        actual: narrow(event.actual),
    }
}

fn b(hash: &Hash) -> B256 {
    hash.0.into()
}

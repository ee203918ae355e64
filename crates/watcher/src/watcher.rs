//! Carries a watcher's rounds out on a chain.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use selfsame_agent::{
    InputError, LoadedModel, ModelError, Shelf, ShelfError, committed_input, game_from_chain, hash,
    stage_from_code, word,
};
use selfsame_chain::bindings::DisputeGame;
use selfsame_chain::{B256, ChainError, Child, Follower, Mined, Set, U256};
use selfsame_dispute::{Game, Holder, HolderError, Next, Opening, Stage, Witness, WitnessError};
use selfsame_ir::Op;

use crate::rounds::{Command, Rounds};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum WatcherError {
    /// The chain refused or did not answer.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// The model is not to be had.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// The model failed.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The input is not to be had.
    #[error("request {request}: {error}")]
    Input {
        /// The request.
        request: B256,
        /// Why not.
        error: InputError,
    },
    /// The game does not fit the trace.
    #[error(transparent)]
    Holder(#[from] HolderError),
    /// No witness.
    #[error(transparent)]
    Witness(#[from] WitnessError),
    /// No such request was seen.
    #[error("request {0} was not seen on this chain")]
    Unknown(B256),
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// The claimed output is the program's.
    Right,
    /// It is not.
    Wrong,
}

/// What was done, for logs and screens.
#[derive(Debug)]
pub enum Note {
    /// A claim was re-run.
    Checked(B256, Finding),
    /// A game was opened.
    Opened(B256, Mined),
    /// A move was made.
    Moved {
        /// The game.
        game: B256,
        /// What was named.
        what: String,
        /// The transaction.
        mined: Mined,
    },
    /// The claimant was convicted by a step.
    Convicted {
        /// The game.
        game: B256,
        /// The node.
        node: u32,
        /// Flat index of the element.
        element: u64,
        /// The transaction.
        mined: Mined,
    },
    /// The claimant was convicted by its silence.
    ConvictedByTime(B256, Mined),
    /// Bond and prepayment came back.
    Settled(B256, Mined),
    /// The claim agrees here with the own trace: nothing is played.
    Agrees(B256),
    /// Something failed and is tried again.
    Failed(Command, WatcherError),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checked(id, Finding::Right) => write!(f, "claim on {id} is right"),
            Self::Checked(id, Finding::Wrong) => write!(f, "claim on {id} is WRONG"),
            Self::Opened(id, mined) => write!(f, "opened a game on {id} ({} gas)", mined.gas_used),
            Self::Moved { game, what, mined } => {
                write!(f, "named {what} in game {game} ({} gas)", mined.gas_used)
            }
            Self::Convicted {
                game,
                node,
                element,
                mined,
            } => {
                let gas = mined.gas_used;
                write!(
                    f,
                    "convicted in game {game}: node {node}, element {element} ({gas} gas)"
                )
            }
            Self::ConvictedByTime(game, mined) => {
                write!(
                    f,
                    "convicted in game {game}: no answer in time ({} gas)",
                    mined.gas_used
                )
            }
            Self::Settled(game, mined) => write!(f, "settled game {game} ({} gas)", mined.gas_used),
            Self::Agrees(game) => write!(f, "nothing differs in game {game}; no move"),
            Self::Failed(command, why) => {
                write!(f, "{command:?} failed, will be tried again: {why}")
            }
        }
    }
}

/// A watcher on a chain. Its set's client holds the challenger's key.
pub struct Watcher {
    set: Set,
    shelf: Shelf,
    rounds: Rounds,
    follower: Follower,
    holders: BTreeMap<B256, Arc<Holder>>,
}

impl Watcher {
    /// Starts from block 0.
    pub fn new(set: Set, shelf: Shelf) -> Result<Self, WatcherError> {
        let own = set.client().key("challenge")?.address();
        Ok(Self {
            set,
            shelf,
            rounds: Rounds::new(own),
            follower: Follower::from_block(0),
            holders: BTreeMap::new(),
        })
    }

    /// The shelf.
    pub fn shelf(&mut self) -> &mut Shelf {
        &mut self.shelf
    }

    /// Opens a game on a claim whatever its output, because its trace is suspected.
    pub fn contest(&mut self, request: B256) {
        self.rounds.checked(request, false);
    }

    /// Looks at `request` only: other claims are neither re-run nor challenged, and other games of
    /// the same key are left to whoever plays them.
    pub fn only(&mut self, request: B256) {
        self.rounds.only(request);
    }

    /// Claims and games as seen so far.
    pub fn rounds(&self) -> &Rounds {
        &self.rounds
    }

    /// Reads the news and does what is due, once.
    pub async fn tick(&mut self) -> Result<Vec<Note>, WatcherError> {
        let news = self.follower.poll(&self.set).await?;
        if news.starts_over {
            self.rounds.start_over();
        }
        for logged in &news.events {
            self.rounds.apply(&logged.event);
        }
        let mut notes = Vec::new();
        for command in self.rounds.due(news.head.timestamp) {
            match self.carry_out(command).await {
                Ok(done) => notes.extend(done),
                Err(error) => notes.push(Note::Failed(command, error)),
            }
        }
        Ok(notes)
    }

    async fn carry_out(&mut self, command: Command) -> Result<Option<Note>, WatcherError> {
        match command {
            Command::Check(request) => {
                let finding = self.check(request).await?;
                self.rounds.checked(request, finding == Finding::Right);
                Ok(Some(Note::Checked(request, finding)))
            }
            Command::Open(request) => {
                let seen = self
                    .rounds
                    .seen(request)
                    .ok_or(WatcherError::Unknown(request))?;
                let key = seen
                    .claim
                    .as_ref()
                    .map(|claim| claim.key)
                    .unwrap_or_default();
                let ask = DisputeGame::openValueCall { requestId: request };
                let value = self.set.read(Child::DisputeGame, ask).await?;
                let call = DisputeGame::openCall {
                    requestId: request,
                    claimKey: key,
                };
                let mined = self.set.write(Child::DisputeGame, &call, value).await?;
                Ok(Some(Note::Opened(request, mined)))
            }
            Command::Play { request, game } => self.play(request, game).await,
        }
    }

    /// Re-runs a claim's request.
    pub async fn check(&mut self, request: B256) -> Result<Finding, WatcherError> {
        let holder = self.holder(request).await?;
        let model = self.model_of(request).await?;
        let seen = self
            .rounds
            .seen(request)
            .ok_or(WatcherError::Unknown(request))?;
        let claimed = seen
            .claim
            .as_ref()
            .map(|claim| claim.output_root)
            .unwrap_or_default();
        let own = holder.node_root(model.program().program().output);
        Ok(if hash(claimed) == own {
            Finding::Right
        } else {
            Finding::Wrong
        })
    }

    async fn model_of(&mut self, request: B256) -> Result<Arc<LoadedModel>, WatcherError> {
        let seen = self
            .rounds
            .seen(request)
            .ok_or(WatcherError::Unknown(request))?;
        self.shelf.asked(&self.set, &seen.terms).await
    }

    async fn holder(&mut self, request: B256) -> Result<Arc<Holder>, WatcherError> {
        if let Some(holder) = self.holders.get(&request) {
            return Ok(Arc::clone(holder));
        }
        let model = self.model_of(request).await?;
        let seen = self
            .rounds
            .seen(request)
            .ok_or(WatcherError::Unknown(request))?;
        let input = committed_input(&model, &seen.terms, &seen.input);
        let input = input.map_err(|error| WatcherError::Input { request, error })?;
        let holder = Arc::new(model.holder(&input)?);
        self.holders.insert(request, Arc::clone(&holder));
        Ok(holder)
    }

    async fn play(&mut self, request: B256, game_id: B256) -> Result<Option<Note>, WatcherError> {
        let ask = DisputeGame::gameOfCall { gameId: game_id };
        let view = self.set.read(Child::DisputeGame, ask).await?;
        let ended = self.set.read(
            Child::DisputeGame,
            DisputeGame::gamesCall {
                claimKey: view.claimKey,
            },
        );
        if ended.await?.convicted && !view.settled {
            let call = DisputeGame::settleCall { gameId: game_id };
            let mined = self
                .set
                .write(Child::DisputeGame, &call, U256::ZERO)
                .await?;
            return Ok(Some(Note::Settled(game_id, mined)));
        }
        if stage_from_code(view.stage) == Stage::Over {
            return Ok(None);
        }
        if view.clock < view.claimantUsed {
            let call = DisputeGame::timeoutCall { gameId: game_id };
            let mined = self
                .set
                .write(Child::DisputeGame, &call, U256::ZERO)
                .await?;
            return Ok(Some(Note::ConvictedByTime(game_id, mined)));
        }
        if view.openedAt == 0 {
            return Ok(None);
        }
        self.make_move(request, game_id, &view).await
    }

    /// The cursor is open: names what differs, or recomputes the element.
    async fn make_move(
        &mut self,
        request: B256,
        game_id: B256,
        view: &DisputeGame::Game,
    ) -> Result<Option<Note>, WatcherError> {
        let model = self.model_of(request).await?;
        let holder = self.holder(request).await?;
        let game = game_from_chain(view, model.facts().schedule().trace().depth());
        let Some(shown) = self.rounds.table().shown(view.claimKey, &game) else {
            return Ok(None);
        };
        let next = holder.next(&model.facts(), &game, shown)?;
        let tile = shown.tile().to_vec();
        let place = Place {
            id: game_id,
            claim: view.claimKey,
            head: view.head,
            dimensions: model.values().0.clone(),
        };
        match next {
            Next::Agrees => Ok(Some(Note::Agrees(game_id))),
            Next::Node {
                node,
                root,
                siblings,
            } => {
                let named = node_name(
                    &model,
                    node,
                    word(root),
                    siblings.into_iter().map(word).collect(),
                );
                let in_trace = game.stage != Stage::Segment;
                self.name_node(&place, &model, named, in_trace)
                    .await
                    .map(Some)
            }
            Next::Entry {
                index,
                hash,
                siblings,
            } => {
                let siblings = siblings.into_iter().map(word).collect();
                self.name_entry(&place, index, word(hash), siblings)
                    .await
                    .map(Some)
            }
            Next::Element { in_tile, element } => {
                let facts = model.facts();
                // Of all games and from the events alone: a game goes on after a restart, too.
                let revealed = self.rounds.table().revealed(view.claimKey, &facts);
                let witness = Witness::new(&facts, &holder, &revealed, game.node, element)?;
                self.step(&place, &game, in_tile, element, tile, witness)
                    .await
                    .map(Some)
            }
        }
    }

    async fn name_node(
        &self,
        place: &Place,
        model: &LoadedModel,
        named: DisputeGame::NodeName,
        in_trace: bool,
    ) -> Result<Note, WatcherError> {
        let node = named.node;
        let facts = model.facts();
        let interior = model.program().segments().interior_around(node).len();
        let value = if in_trace && interior != 0 {
            let ask = DisputeGame::segmentValueCall {
                gameId: place.id,
                interior: U256::from(interior),
            };
            self.set.read(Child::DisputeGame, ask).await?
        } else {
            let ask = DisputeGame::nodeValueCall {
                gameId: place.id,
                tensorBytes: U256::from(facts.output_bytes(node)),
            };
            self.set.read(Child::DisputeGame, ask).await?
        };
        let call = DisputeGame::nameNodeCall {
            gameId: place.id,
            claimKey: place.claim,
            previous: place.head,
            named,
        };
        let mined = self.set.write(Child::DisputeGame, &call, value).await?;
        let op = model
            .program()
            .node(node)
            .map_or("node", |node| Op::name(&node.op));
        Ok(Note::Moved {
            game: place.id,
            what: format!("node {node} ({op})"),
            mined,
        })
    }

    async fn name_entry(
        &self,
        place: &Place,
        index: u64,
        hash: B256,
        siblings: Vec<B256>,
    ) -> Result<Note, WatcherError> {
        let ask = DisputeGame::entryValueCall {
            gameId: place.id,
            index,
        };
        let value = self.set.read(Child::DisputeGame, ask).await?;
        let call = DisputeGame::nameEntryCall {
            gameId: place.id,
            claimKey: place.claim,
            previous: place.head,
            index,
            hash,
            siblings,
        };
        let mined = self.set.write(Child::DisputeGame, &call, value).await?;
        Ok(Note::Moved {
            game: place.id,
            what: format!("entry {index}"),
            mined,
        })
    }

    async fn step(
        &self,
        place: &Place,
        game: &Game,
        in_tile: u32,
        element: u64,
        tile: Vec<u8>,
        witness: Witness,
    ) -> Result<Note, WatcherError> {
        let opening = |opening: Opening| DisputeGame::Opening {
            tiles: opening.tiles.into(),
            siblings: opening.siblings.into_iter().map(word).collect(),
        };
        let call = DisputeGame::stepCall {
            gameId: place.id,
            claimKey: place.claim,
            previous: place.head,
            input: DisputeGame::StepInput {
                element: in_tile,
                tile: tile.into(),
                nodeLeaf: witness.node_leaf.into(),
                leafSiblings: witness.leaf_siblings.into_iter().map(word).collect(),
                dimensions: place.dimensions.clone(),
                inputRoots: witness.input_roots.into_iter().map(word).collect(),
                traceSiblings: witness.trace_siblings.into_iter().map(word).collect(),
                segmentSiblings: witness.segment_siblings.into_iter().map(word).collect(),
                openings: witness.openings.into_iter().map(opening).collect(),
            },
        };
        let mined = self
            .set
            .write(Child::DisputeGame, &call, U256::ZERO)
            .await?;
        Ok(Note::Convicted {
            game: place.id,
            node: game.node,
            element,
            mined,
        })
    }
}

struct Place {
    id: B256,
    claim: B256,
    head: B256,
    /// Values of the program's symbols in the request.
    dimensions: Vec<u32>,
}

fn node_name(
    model: &LoadedModel,
    node: u32,
    root: B256,
    siblings: Vec<B256>,
) -> DisputeGame::NodeName {
    let commitment = model.commitment();
    let leaf = commitment
        .leaves
        .get(node as usize)
        .map(selfsame_ir::NodeLeaf::encode);
    let path = leaf_path(model, node);
    DisputeGame::NodeName {
        node,
        root,
        siblings,
        nodeLeaf: leaf.unwrap_or_default().into(),
        leafSiblings: path,
        dimensions: model.values().0.clone(),
    }
}

fn leaf_path(model: &LoadedModel, node: u32) -> Vec<B256> {
    let tree = &model.commitment().node_tree;
    selfsame_commit::multiproof(tree, &[u64::from(node)])
        .into_iter()
        .map(word)
        .collect()
}

//! Carries a provider's duties out on a chain.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use selfsame_agent::{
    InputError, LoadedModel, ModelError, Plant, PlantError, Shelf, ShelfError, committed_input,
    game_from_chain, stage_from_code, word,
};
use selfsame_chain::bindings::{DisputeGame, Requests};
use selfsame_chain::{B256, Bytes, ChainError, Child, Follower, Mined, Set, U256};
use selfsame_dispute::{Holder, HolderError, Reply, Stage};

use crate::duties::{Command, Duties, Policy};

/// Whether this provider tells the truth. Only demos and tests plant anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conduct {
    /// Every answer is the program's.
    Honest,
    /// One integer is wrong, and everything after it is computed from it.
    Planted(Plant),
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
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
    /// No such request was seen.
    #[error("request {0} was not seen on this chain")]
    Unknown(B256),
    /// Nothing can be planted there.
    #[error(transparent)]
    Plant(#[from] PlantError),
    /// The game does not fit the trace.
    #[error(transparent)]
    Holder(#[from] HolderError),
}

/// What was done, for logs and screens.
#[derive(Debug)]
pub enum Note {
    /// A request was accepted.
    Accepted(B256, Mined),
    /// A claim was made.
    Claimed(B256, Mined),
    /// An answer was given in a game.
    Answered {
        /// The game.
        game: B256,
        /// Kind of answer.
        kind: &'static str,
        /// The transaction.
        mined: Mined,
    },
    /// A claim became final.
    Finalized(B256, Mined),
    /// A request was declined, and why.
    Declined(B256, ProviderError),
    /// Something failed and is tried again.
    Failed(Command, ProviderError),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted(id, mined) => write!(f, "accepted {id} ({} gas)", mined.gas_used),
            Self::Claimed(id, mined) => write!(f, "claimed {id} ({} gas)", mined.gas_used),
            Self::Answered { game, kind, mined } => {
                write!(f, "answered {kind} in game {game} ({} gas)", mined.gas_used)
            }
            Self::Finalized(id, mined) => write!(f, "final {id} ({} gas)", mined.gas_used),
            Self::Declined(id, why) => write!(f, "declined {id}: {why}"),
            Self::Failed(command, why) => {
                write!(f, "{command:?} failed, will be tried again: {why}")
            }
        }
    }
}

/// A provider on a chain. Its set's client holds the provider's key.
pub struct Provider {
    set: Set,
    shelf: Shelf,
    conduct: Conduct,
    duties: Duties,
    follower: Follower,
    holders: BTreeMap<B256, Arc<Holder>>,
}

impl Provider {
    /// Starts from block 0, so that nothing owed from an earlier run is forgotten.
    pub fn new(
        set: Set,
        shelf: Shelf,
        policy: Policy,
        conduct: Conduct,
    ) -> Result<Self, ProviderError> {
        let own = set.client().key("provide")?.address();
        let duties = Duties::new(own, policy);
        Ok(Self {
            set,
            shelf,
            conduct,
            duties,
            follower: Follower::from_block(0),
            holders: BTreeMap::new(),
        })
    }

    /// The shelf.
    pub fn shelf(&mut self) -> &mut Shelf {
        &mut self.shelf
    }

    /// Reads the news and does what is due, once.
    pub async fn tick(&mut self) -> Result<Vec<Note>, ProviderError> {
        let news = self.follower.poll(&self.set).await?;
        if news.starts_over {
            self.duties.start_over();
        }
        for logged in &news.events {
            self.duties.apply(&logged.event);
        }
        let mut notes = Vec::new();
        for command in self.duties.due(news.head.timestamp) {
            match self.carry_out(&command).await {
                Ok(done) => notes.extend(done),
                Err(error) => notes.push(self.setback(command, error)),
            }
        }
        Ok(notes)
    }

    /// A bad model, input or refusal ends a job before acceptance; anything else is tried again.
    fn setback(&mut self, command: Command, error: ProviderError) -> Note {
        let lasting = !matches!(
            error,
            ProviderError::Chain(ChainError::Rpc { .. } | ChainError::NotMined { .. })
        );
        match command {
            Command::Accept(request) if lasting => {
                self.duties.decline(request);
                Note::Declined(request, error)
            }
            Command::Accept(_)
            | Command::Claim(_)
            | Command::Defend { .. }
            | Command::Finalize(_) => Note::Failed(command, error),
        }
    }

    async fn carry_out(&mut self, command: &Command) -> Result<Option<Note>, ProviderError> {
        Ok(match *command {
            Command::Accept(request) => {
                // Everything is made ready first: an accepted request must be claimed.
                self.holder(request).await?;
                let call = Requests::acceptCall { requestId: request };
                let mined = self.set.write(Child::Requests, &call, U256::ZERO).await?;
                Some(Note::Accepted(request, mined))
            }
            Command::Claim(request) => {
                let holder = self.holder(request).await?;
                let model = self.model_of(request).await?;
                let output = Bytes::copy_from_slice(holder.bytes(model.program().program().output));
                let call = Requests::claimCall {
                    requestId: request,
                    output,
                };
                let mined = self.set.write(Child::Requests, &call, U256::ZERO).await?;
                Some(Note::Claimed(request, mined))
            }
            Command::Defend { request, game } => self.defend(request, game).await?,
            Command::Finalize(request) => {
                let call = Requests::finalizeCall { requestId: request };
                let mined = self.set.write(Child::Requests, &call, U256::ZERO).await?;
                Some(Note::Finalized(request, mined))
            }
        })
    }

    async fn model_of(&mut self, request: B256) -> Result<Arc<LoadedModel>, ProviderError> {
        let Some(job) = self.duties.job(request) else {
            return Err(ProviderError::Unknown(request));
        };
        self.shelf.asked(&self.set, &job.terms).await
    }

    /// The trace behind this provider's answer, made once and kept while the job lives.
    async fn holder(&mut self, request: B256) -> Result<Arc<Holder>, ProviderError> {
        if let Some(holder) = self.holders.get(&request) {
            return Ok(Arc::clone(holder));
        }
        let model = self.model_of(request).await?;
        let Some(job) = self.duties.job(request) else {
            return Err(ProviderError::Unknown(request));
        };
        let input = committed_input(&model, &job.terms, &job.input);
        let input = input.map_err(|error| ProviderError::Input { request, error })?;
        let honest = model.trace(&input)?;
        let trace = match self.conduct {
            Conduct::Honest => honest,
            Conduct::Planted(plant) => plant.apply(model.program(), model.values(), &honest)?,
        };
        let holder = Arc::new(Holder::from_trace(&trace));
        self.holders.insert(request, Arc::clone(&holder));
        Ok(holder)
    }

    async fn defend(
        &mut self,
        request: B256,
        game_id: B256,
    ) -> Result<Option<Note>, ProviderError> {
        let view = self
            .set
            .read(
                Child::DisputeGame,
                DisputeGame::gameOfCall { gameId: game_id },
            )
            .await?;
        if view.openedAt != 0 || stage_from_code(view.stage) == Stage::Over {
            return Ok(None);
        }
        let model = self.model_of(request).await?;
        let holder = self.holder(request).await?;
        let facts = model.facts();
        let game = game_from_chain(&view, facts.schedule().trace().depth());
        let place = (game_id, view.claimKey, view.head);
        let (kind, mined) = self.answer(place, holder.reply(&facts, &game)?).await?;
        Ok(Some(Note::Answered {
            game: game_id,
            kind,
            mined,
        }))
    }

    /// Sends one answer in the game at (id, claim key, head).
    async fn answer(
        &self,
        (game_id, claim, previous): (B256, B256, B256),
        reply: Reply,
    ) -> Result<(&'static str, Mined), ProviderError> {
        let set = &self.set;
        Ok(match reply {
            Reply::First { entries, siblings } => {
                let call = DisputeGame::firstAnswerCall {
                    gameId: game_id,
                    claimKey: claim,
                    previous,
                    entries: entries.into_iter().map(word).collect(),
                    siblings: siblings.into_iter().map(word).collect(),
                };
                let mined = set.write(Child::DisputeGame, &call, U256::ZERO).await?;
                ("trace root", mined)
            }
            Reply::Entries(entries) => {
                let call = DisputeGame::answerCall {
                    gameId: game_id,
                    claimKey: claim,
                    previous,
                    entries: entries.into_iter().map(word).collect(),
                };
                let mined = set.write(Child::DisputeGame, &call, U256::ZERO).await?;
                ("entries", mined)
            }
            Reply::Segment(entries) => {
                let call = DisputeGame::answerSegmentCall {
                    gameId: game_id,
                    claimKey: claim,
                    previous,
                    entries: entries.into_iter().map(word).collect(),
                };
                let mined = set.write(Child::DisputeGame, &call, U256::ZERO).await?;
                ("segment", mined)
            }
            Reply::Tile(tile) => {
                let call = DisputeGame::answerTileCall {
                    gameId: game_id,
                    claimKey: claim,
                    previous,
                    tile: tile.into(),
                };
                let mined = set.write(Child::DisputeGame, &call, U256::ZERO).await?;
                ("tile", mined)
            }
        })
    }
}

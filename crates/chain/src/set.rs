//! A deployed rules set: typed reads, writes and events.

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::{SolCall, SolEventInterface as _};

use crate::bindings::{DisputeGame, ModelRegistry, ProviderRegistry, Requests};
use crate::client::{BlockStamp, Client, Mined, Preview};
use crate::deployment::{Child, Deployment};
use crate::error::ChainError;

/// Most blocks asked for in one look-up of logs.
const BLOCKS_PER_LOOKUP: u64 = 1_000;
/// Blocks that are read again when a reorganisation is seen.
const REREAD_BLOCKS: u64 = 64;

/// A client bound to the contracts of one set.
#[derive(Clone)]
pub struct Set {
    client: Client,
    deployment: Deployment,
}

/// An event of the set.
#[derive(Debug, Clone)]
pub enum Event {
    /// Of the model registry.
    Models(ModelRegistry::ModelRegistryEvents),
    /// Of the provider registry.
    Stakes(ProviderRegistry::ProviderRegistryEvents),
    /// Of the requests.
    Requests(Requests::RequestsEvents),
    /// Of the games.
    Games(DisputeGame::DisputeGameEvents),
}

/// Where an event stands.
#[derive(Debug, Clone)]
pub struct Logged {
    /// Block number.
    pub block: u64,
    /// Transaction.
    pub transaction: B256,
    /// The event.
    pub event: Event,
}

/// What a [`Follower`] saw.
#[derive(Debug, Clone)]
pub struct News {
    /// The newest block.
    pub head: BlockStamp,
    /// The chain was reorganised: whatever was made of events before is to be forgotten.
    pub starts_over: bool,
    /// Events in order: new ones, or all of them where it starts over.
    pub events: Vec<Logged>,
}

impl Set {
    /// Binds to the set that follows from the deployment; refuses if it is not on the chain.
    pub async fn bind(client: Client, deployment: Deployment) -> Result<Self, ChainError> {
        if !deployment.is_deployed(&client).await? {
            let (address, chain_id) = (deployment.set, client.chain_id());
            return Err(ChainError::NotDeployed { address, chain_id });
        }
        Ok(Self { client, deployment })
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The deployment.
    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// The same set with another key.
    #[must_use]
    pub fn with_key(&self, key: crate::Key) -> Self {
        Self {
            client: self.client.with_key(key),
            deployment: self.deployment.clone(),
        }
    }

    /// Address of a member.
    pub fn address(&self, child: Child) -> Address {
        self.deployment.address(child)
    }

    /// A read-only call.
    pub async fn read<C: SolCall>(&self, child: Child, call: C) -> Result<C::Return, ChainError> {
        let address = self.address(child);
        let data = self
            .client
            .call(C::SIGNATURE, address, call.abi_encode())
            .await?;
        C::abi_decode_returns(&data).map_err(|error| ChainError::Answer {
            call: C::SIGNATURE,
            address,
            reason: error.to_string(),
        })
    }

    /// A transaction, waited for.
    pub async fn write<C: SolCall>(
        &self,
        child: Child,
        call: &C,
        value: U256,
    ) -> Result<Mined, ChainError> {
        self.client
            .send(C::SIGNATURE, self.address(child), call.abi_encode(), value)
            .await
    }

    /// What a transaction would cost.
    pub async fn preview<C: SolCall>(
        &self,
        child: Child,
        call: &C,
        value: U256,
    ) -> Result<Preview, ChainError> {
        self.client
            .preview(C::SIGNATURE, self.address(child), &call.abi_encode(), value)
            .await
    }

    /// Events of a range of blocks, both ends included.
    pub async fn events(&self, from: u64, to: u64) -> Result<Vec<Logged>, ChainError> {
        const EMITTERS: [Child; 4] = [
            Child::ModelRegistry,
            Child::ProviderRegistry,
            Child::Requests,
            Child::DisputeGame,
        ];
        let mut events = Vec::new();
        let mut start = from;
        while start <= to {
            let end = to.min(start + BLOCKS_PER_LOOKUP - 1);
            let addresses = EMITTERS.map(|child| self.address(child)).to_vec();
            for log in self.client.logs(addresses, start, end).await? {
                let block = log.block_number.unwrap_or_default();
                let transaction = log.transaction_hash.unwrap_or_default();
                if let Some(event) = self.decode(&log.inner) {
                    events.push(Logged {
                        block,
                        transaction,
                        event,
                    });
                }
            }
            start = end + 1;
        }
        Ok(events)
    }

    /// Events of a mined transaction.
    pub fn events_of(&self, mined: &Mined) -> Vec<Event> {
        mined
            .logs
            .iter()
            .filter_map(|log| self.decode(&log.inner))
            .collect()
    }

    fn decode(&self, log: &alloy_primitives::Log) -> Option<Event> {
        let from = |child: Child| log.address == self.address(child);
        if from(Child::Requests) {
            let decoded = Requests::RequestsEvents::decode_log(log).ok()?;
            Some(Event::Requests(decoded.data))
        } else if from(Child::DisputeGame) {
            let decoded = DisputeGame::DisputeGameEvents::decode_log(log).ok()?;
            Some(Event::Games(decoded.data))
        } else if from(Child::ModelRegistry) {
            let decoded = ModelRegistry::ModelRegistryEvents::decode_log(log).ok()?;
            Some(Event::Models(decoded.data))
        } else if from(Child::ProviderRegistry) {
            let decoded = ProviderRegistry::ProviderRegistryEvents::decode_log(log).ok()?;
            Some(Event::Stakes(decoded.data))
        } else {
            None
        }
    }
}

/// Reads events block by block; state follows blocks, never subscriptions.
#[derive(Debug, Clone)]
pub struct Follower {
    next: u64,
    last: Option<BlockStamp>,
    /// All events so far: what a reorganisation leaves of them is told again.
    read: Vec<Logged>,
}

impl Follower {
    /// Starts at a block.
    pub fn from_block(next: u64) -> Self {
        Self {
            next,
            last: None,
            read: Vec::new(),
        }
    }

    /// Everything since the last look.
    pub async fn poll(&mut self, set: &Set) -> Result<News, ChainError> {
        let mut starts_over = false;
        if let Some(last) = self.last {
            let same = set.client().block(Some(last.number)).await;
            if same.map_or(true, |now| now.hash != last.hash) {
                starts_over = true;
                self.next = last.number.saturating_sub(REREAD_BLOCKS);
                self.read.retain(|logged| logged.block < self.next);
            }
        }
        let head = set.client().block(None).await?;
        let events = if self.next <= head.number {
            set.events(self.next, head.number).await?
        } else {
            Vec::new()
        };
        self.next = head.number + 1;
        self.last = Some(head);
        self.read.extend(events.iter().cloned());
        Ok(News {
            head,
            starts_over,
            events: if starts_over {
                self.read.clone()
            } else {
                events
            },
        })
    }
}

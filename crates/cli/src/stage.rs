//! A whole world in one process: an embedded chain with the contracts, five parties, a ledger.
//!
//! ```text
//! wealth = balance + stake + credit
//! sum of changes of wealth + changes of the contracts' float + burned + gas paid = 0
//! ```
//!
//! What `dispute` and `demo` play on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs, process};

use selfsame::Model;
use selfsame_agent::{LoadedModel, Shelf};
use selfsame_chain::bindings::{DisputeGame, ProviderRegistry, Requests};
use selfsame_chain::{
    Address, B256, ChainConstants, ChainError, Child, Client, Deployment, Mined, Set, U256,
};
use selfsame_devnet::{Config, Devnet};
use selfsame_ir::Tensor;
use selfsame_provider::{Conduct, Policy, Provider};
use selfsame_watcher::Watcher;
use serde::Serialize;
use tokio::runtime::Runtime;

use crate::commands::{Question, question, registration, requested};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::network::{chain, dev};
use crate::wei::narrow;

/// Where burned value goes.
const BURNED: Address = Address::new([
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xde, 0xad,
]);

/// Who plays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Party {
    /// Owns the models.
    Owner,
    /// Asks.
    Requester,
    /// Answers, and tells the truth.
    Provider,
    /// Answers, and lies in one integer.
    Liar,
    /// Re-runs claims.
    Challenger,
}

impl Party {
    /// Everybody.
    pub(crate) const ALL: [Self; 5] = [
        Self::Owner,
        Self::Requester,
        Self::Provider,
        Self::Liar,
        Self::Challenger,
    ];

    /// The word for people.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Owner => "model owner",
            Self::Requester => "requester",
            Self::Provider => "honest provider",
            Self::Liar => "lying provider",
            Self::Challenger => "challenger",
        }
    }

    const fn index(self) -> usize {
        self as usize
    }
}

/// What somebody owns, in wei.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub(crate) struct Wealth {
    /// On the account.
    pub(crate) balance: u128,
    /// Staked, in bonds or unbonding.
    pub(crate) stake: u128,
    /// Owed by the ledger of `Requests`.
    pub(crate) credit: u128,
}

impl Wealth {
    /// All of it.
    pub(crate) const fn total(self) -> u128 {
        self.balance + self.stake + self.credit
    }
}

/// Everybody's wealth and what lies in the contracts beside it.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    parties: Vec<Wealth>,
    /// Balances of the contracts less stakes and credits: escrows, bonds of games, prepayments.
    pub(crate) float: i128,
    /// Burned by slashing.
    pub(crate) burned: u128,
}

impl Ledger {
    /// What `party` owns.
    pub(crate) fn of(&self, party: Party) -> Wealth {
        self.parties[party.index()]
    }
}

/// The chain and everything on it.
pub(crate) struct World {
    runtime: Runtime,
    devnet: Devnet,
    set: Set,
    folder: PathBuf,
    fees: u128,
    nonce: u64,
    /// Gas of the deployment.
    pub(crate) deployment_gas: u64,
}

impl World {
    /// Starts a chain and deploys the contracts.
    pub(crate) fn open() -> Outcome<Self> {
        let config = Config {
            chain_id: 31_337,
            ..Config::default()
        };
        let devnet = Devnet::start(config).map_err(|error| Failure::new(Exit::Chain, error))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Failure::new(Exit::Failure, format!("async runtime: {error}")))?;
        let url = devnet.url.clone();
        let (set, deployment_gas) = runtime.block_on(async {
            let client = Client::connect(&url, None, Some(dev(9)?))
                .await
                .map_err(chain)?;
            let deployment = Deployment::new(ChainConstants::DEVNET).map_err(chain)?;
            let gas = deployment.deploy(&client).await.map_err(chain)?;
            Ok::<_, Failure>((Set::bind(client, deployment).await.map_err(chain)?, gas))
        })?;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let name = format!("selfsame-{}-{}", process::id(), now.subsec_nanos());
        Ok(Self {
            runtime,
            devnet,
            set,
            folder: env::temp_dir().join(name),
            fees: 0,
            nonce: 0,
            deployment_gas,
        })
    }

    /// The endpoint.
    pub(crate) fn url(&self) -> &str {
        &self.devnet.url
    }

    /// The set with a party's key.
    pub(crate) fn set(&self, party: Party) -> Outcome<Set> {
        Ok(self.set.with_key(dev(party.index())?))
    }

    /// The account of a party.
    pub(crate) fn account(party: Party) -> Address {
        selfsame_devnet::dev_address(party.index())
    }

    /// Runs a future of this world.
    pub(crate) fn run<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }

    /// Counts a transaction's fee and gives its gas.
    pub(crate) fn paid(&mut self, mined: &Mined) -> u64 {
        self.fees += narrow(mined.fee);
        mined.gas_used
    }

    fn wrote(&mut self, mined: Result<Mined, ChainError>) -> Outcome<Mined> {
        let mined = mined.map_err(chain)?;
        self.paid(&mined);
        Ok(mined)
    }

    /// Registers a model.
    pub(crate) fn publish(&mut self, model: &Model) -> Outcome<Mined> {
        let set = self.set(Party::Owner)?;
        let call = registration(model, format!("embedded:{}", model.name()));
        let mined = self.run(set.write(Child::ModelRegistry, &call, U256::ZERO));
        self.wrote(mined)
    }

    /// The bond of a request.
    pub(crate) fn bond(&self, price: u128, value_at_risk: u128) -> Outcome<u128> {
        let call = Requests::bondForCall {
            price: U256::from(price),
            valueAtRisk: U256::from(value_at_risk),
        };
        let bond = self
            .run(self.set.read(Child::Requests, call))
            .map_err(chain)?;
        Ok(narrow(bond))
    }

    /// Stakes.
    pub(crate) fn stake(&mut self, party: Party, amount: u128) -> Outcome<Mined> {
        let set = self.set(party)?;
        let call = ProviderRegistry::stakeCall {};
        let mined = self.run(set.write(Child::ProviderRegistry, &call, U256::from(amount)));
        self.wrote(mined)
    }

    /// Asks `provider`; gives the request's id.
    pub(crate) fn ask(
        &mut self,
        model: &Model,
        input: &Tensor,
        provider: Party,
        price: u128,
    ) -> Outcome<(B256, Mined)> {
        self.nonce += 1;
        let set = self.set(Party::Requester)?;
        let asked = Question {
            model,
            input,
            provider: Self::account(provider),
            price,
            value_at_risk: price,
            window: None,
            within: (600, 600),
            nonce: self.nonce,
        };
        let call = self.run(question(&set, &asked))?;
        let mined = self.run(set.write(Child::Requests, &call, U256::from(price)));
        let mined = self.wrote(mined)?;
        Ok((requested(&set, &mined)?, mined))
    }

    /// Opens a game on a claim.
    pub(crate) fn open_game(&mut self, party: Party, request: B256) -> Outcome<Mined> {
        let set = self.set(party)?;
        let claim = Requests::claimOfCall { requestId: request };
        let claim = self.run(set.read(Child::Requests, claim)).map_err(chain)?;
        let value = DisputeGame::openValueCall { requestId: request };
        let value = self
            .run(set.read(Child::DisputeGame, value))
            .map_err(chain)?;
        let call = DisputeGame::openCall {
            requestId: request,
            claimKey: claim.claimKey,
        };
        let mined = self.run(set.write(Child::DisputeGame, &call, value));
        self.wrote(mined)
    }

    /// A shelf in a folder of this world, with these models in memory.
    fn shelf(&self, party: Party, models: &[Arc<LoadedModel>]) -> Outcome<Shelf> {
        let folder = self.folder.join(format!("shelf-{}", party.index()));
        let mut shelf = Shelf::open(&folder).map_err(Failure::input)?;
        for model in models {
            shelf.insert(Arc::clone(model));
        }
        Ok(shelf)
    }

    /// A provider.
    pub(crate) fn provider(
        &self,
        party: Party,
        models: &[Arc<LoadedModel>],
        conduct: Conduct,
    ) -> Outcome<Provider> {
        let shelf = self.shelf(party, models)?;
        Provider::new(self.set(party)?, shelf, Policy::default(), conduct).map_err(Failure::input)
    }

    /// A watcher with the challenger's key.
    pub(crate) fn watcher(&self, models: &[Arc<LoadedModel>]) -> Outcome<Watcher> {
        let shelf = self.shelf(Party::Challenger, models)?;
        Watcher::new(self.set(Party::Challenger)?, shelf).map_err(Failure::input)
    }

    /// Lets time pass.
    pub(crate) fn travel(&self, seconds: u64) -> Outcome<()> {
        let mut chain = self.devnet.chain();
        let moved = chain.increase_time(seconds);
        moved.map_err(|error| Failure::new(Exit::Chain, error.to_string()))?;
        chain.mine();
        Ok(())
    }

    /// Everybody's wealth now.
    pub(crate) fn ledger(&self) -> Outcome<Ledger> {
        self.run(ledger(&self.set))
    }

    /// Whether nothing came from nowhere since `before`.
    pub(crate) fn sums_to_zero(&self, before: &Ledger, after: &Ledger, fees_before: u128) -> bool {
        let sum = |ledger: &Ledger| -> i128 {
            let owned: u128 = ledger.parties.iter().map(|wealth| wealth.total()).sum();
            signed(owned) + ledger.float + signed(ledger.burned)
        };
        sum(after) - sum(before) + signed(self.fees - fees_before) == 0
    }

    /// Gas paid so far, in wei.
    pub(crate) fn fees(&self) -> u128 {
        self.fees
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Left behind in the folder of temporary files if it cannot be removed.
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// An amount with a sign; amounts of a test chain are far below 2^127.
pub(crate) fn signed(amount: u128) -> i128 {
    i128::try_from(amount).unwrap_or(i128::MAX)
}

async fn ledger(set: &Set) -> Outcome<Ledger> {
    let client = set.client();
    let mut parties = Vec::new();
    for party in Party::ALL {
        let account = World::account(party);
        let stake = ProviderRegistry::stakeOfCall { provider: account };
        let stake = set
            .read(Child::ProviderRegistry, stake)
            .await
            .map_err(chain)?;
        let credit = Requests::creditCall { account };
        let credit = set.read(Child::Requests, credit).await.map_err(chain)?;
        parties.push(Wealth {
            balance: narrow(client.balance(account).await.map_err(chain)?),
            stake: stake.staked,
            credit: narrow(credit),
        });
    }
    let mut held = 0;
    for child in [Child::ProviderRegistry, Child::Requests, Child::DisputeGame] {
        let balance = client.balance(set.address(child)).await.map_err(chain)?;
        held += signed(narrow(balance));
    }
    let owned: u128 = parties
        .iter()
        .map(|wealth| wealth.stake + wealth.credit)
        .sum();
    Ok(Ledger {
        parties,
        float: held - signed(owned),
        burned: narrow(client.balance(BURNED).await.map_err(chain)?),
    })
}

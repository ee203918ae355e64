//! A court: the whole set of contracts on an in-process chain, with accounts to play.
//!
//! Every transaction is mined under the limits of mainnet, its gas is counted, and a revert comes
//! back by the name of the contract's error. [`Court::mark`] and [`Court::back`] let many games
//! start from one state.

use std::collections::BTreeMap;

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::SolCall;
use selfsame_chain::bindings::{ModelRegistry, ProviderRegistry, Requests, RulesSet};
use selfsame_chain::{ChainConstants, Child, DEPLOYMENT_PROXY, Deployment};
use selfsame_devnet::{Applied, At, Chain, Config, Message, dev_address};
use selfsame_dispute::Holder;
use selfsame_ir::{ModelCommitment, Tensor};
use selfsame_protocol::Hash;

use crate::game_zoo::Animal;

/// Who deploys.
pub const DEPLOYER: usize = 0;
/// Who asks.
pub const REQUESTER: usize = 1;
/// Who answers.
pub const PROVIDER: usize = 2;
/// The first of the accounts that challenge.
pub const CHALLENGER: usize = 3;

/// Where burned value goes.
pub const SINK: Address = alloy_primitives::address!("000000000000000000000000000000000000dEaD");

/// A transaction that the contracts refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Name of the contract's error; the EVM's word if it halted.
    pub name: String,
    /// The returned bytes.
    pub data: Bytes,
    /// Time of its block.
    pub time: u64,
    /// Gas used.
    pub gas_used: u64,
}

/// A registered model.
#[derive(Debug, Clone)]
pub struct Model {
    /// The program and its values.
    pub animal: Animal,
    /// Its leaves and trees.
    pub commitment: ModelCommitment,
}

impl Model {
    /// The side that holds these outputs.
    pub fn holder(&self, outputs: &[Tensor]) -> Holder {
        let outputs = outputs.iter().map(Tensor::to_bytes).collect();
        Holder::new(outputs, self.animal.program.segments().committed())
    }
}

/// A claim on chain.
#[derive(Debug, Clone)]
pub struct Claimed {
    /// The request.
    pub request_id: B256,
    /// The claim's key.
    pub claim_key: B256,
    /// Root of the request's input.
    pub input_root: Hash,
    /// Root of the claimed output.
    pub output_root: Hash,
    /// Last second in which games open.
    pub closes_at: u64,
}

/// The chain with the set on it.
#[derive(Debug)]
pub struct Court {
    /// The chain.
    pub chain: Chain,
    /// Code and addresses.
    pub deployment: Deployment,
    /// Gas of the deployment, by contract.
    pub deployed_gas: Vec<(&'static str, u64)>,
    errors: BTreeMap<[u8; 4], String>,
    /// Gas of every transaction, paid at the base fee: what left the accounts for nobody.
    pub gas_spent_wei: U256,
}

/// Constants of the court's chain: short times, so that games end quickly.
pub const CONSTANTS: ChainConstants = ChainConstants {
    censorship_seconds: 1_000,
    inclusion_seconds: 12,
    macs_per_second: 10_000_000,
    bytes_per_second: 1_000_000,
    unbonding_seconds: 3_600,
    bounty_wei: 10_000_000_000_000_000,
    challenge_bond_wei: 50_000_000_000_000_000,
    gas_price_floor_wei: 1_000_000_000,
    window_min_seconds: 60,
};

impl Court {
    /// Deploys the set through the proxy.
    ///
    /// # Panics
    ///
    /// If the committed artifacts do not deploy.
    pub fn new() -> Self {
        let deployment = Deployment::new(CONSTANTS).expect("the committed artifacts are readable");
        let mut court = Self {
            chain: Chain::new(Config::deterministic()),
            deployment,
            deployed_gas: Vec::new(),
            errors: errors(),
            gas_spent_wei: U256::ZERO,
        };
        let mut data = vec![0; 32];
        data.extend(&court.deployment.init_code);
        let applied = court.raw(DEPLOYER, DEPLOYMENT_PROXY, data, U256::ZERO);
        court
            .deployed_gas
            .push(("RulesSet", applied.expect("the set deploys").gas_used));
        for (index, child) in Child::ALL.iter().enumerate() {
            let init_code = court.deployment.children[index].clone().into();
            let call = RulesSet::deployCall {
                index: U256::from(index),
                initCode: init_code,
            };
            let set = court.deployment.set;
            let applied = court.raw(DEPLOYER, set, call.abi_encode(), U256::ZERO);
            let applied = applied.unwrap_or_else(|refused| panic!("{}: {refused:?}", child.name()));
            court.deployed_gas.push((child.name(), applied.gas_used));
        }
        court
    }

    /// Address of account `index`.
    pub fn account(&self, index: usize) -> Address {
        dev_address(index)
    }

    /// Mines one transaction of calldata.
    ///
    /// # Panics
    ///
    /// If the chain does not admit the transaction: the suites fund their accounts.
    pub fn raw(
        &mut self,
        from: usize,
        to: Address,
        data: Vec<u8>,
        value: U256,
    ) -> Result<Applied, Refused> {
        let message = Message::call(dev_address(from), to, data).with_value(value);
        let fee = self.chain.next_base_fee();
        let applied = self.chain.apply(&message).unwrap_or_else(|refusal| {
            panic!("a transaction of the suite is not admitted: {refusal}")
        });
        self.gas_spent_wei += U256::from(applied.gas_used) * U256::from(fee);
        if applied.success {
            return Ok(applied);
        }
        let name = match (&applied.halt, applied.output.first_chunk::<4>()) {
            (Some(halt), _) => format!("halt: {halt}"),
            (None, Some(selector)) => self
                .errors
                .get(selector)
                .cloned()
                .unwrap_or_else(|| alloy_primitives::hex::encode(selector)),
            (None, None) => "revert without data".into(),
        };
        let (data, time, gas_used) = (applied.output, applied.time, applied.gas_used);
        Err(Refused {
            name,
            data,
            time,
            gas_used,
        })
    }

    /// Mines one typed call.
    pub fn send<C: SolCall>(
        &mut self,
        from: usize,
        child: Child,
        call: &C,
        value: U256,
    ) -> Result<Applied, Refused> {
        self.raw(
            from,
            self.deployment.address(child),
            call.abi_encode(),
            value,
        )
    }

    /// Reads without a transaction.
    ///
    /// # Panics
    ///
    /// If the call reverts or its answer does not decode.
    pub fn read<C: SolCall>(&self, child: Child, call: &C) -> C::Return {
        let message = Message::call(
            dev_address(0),
            self.deployment.address(child),
            call.abi_encode(),
        );
        let called = self
            .chain
            .call(&message, At::Next)
            .unwrap_or_else(|error| panic!("{} reverts: {error}", C::SIGNATURE));
        C::abi_decode_returns(&called.output).expect("the contract answers its own ABI")
    }

    /// The word that `code` leaves on the stack, run as a creation. It is returned behind a zero
    /// byte, because no code may start with 0xef.
    fn probe(&self, mut code: Vec<u8>) -> U256 {
        // PUSH1 1, MSTORE, PUSH1 33, PUSH0, RETURN.
        code.extend([0x60, 0x01, 0x52, 0x60, 0x21, 0x5f, 0xf3]);
        let called = self
            .chain
            .call(&Message::create(dev_address(0), code), At::Next);
        U256::from_be_slice(&called.expect("a probe returns a word").output[1..])
    }

    /// Native balance of an account.
    pub fn balance(&self, who: Address) -> U256 {
        // PUSH20 who, BALANCE.
        let mut code = vec![0x73];
        code.extend(who);
        code.push(0x31);
        self.probe(code)
    }

    /// Hash of a recent block.
    pub fn block_hash(&self, number: u64) -> B256 {
        // PUSH8 number, BLOCKHASH.
        let mut code = vec![0x67];
        code.extend(number.to_be_bytes());
        code.push(0x40);
        B256::from(self.probe(code))
    }

    /// Everything that an account owns: native, credit, stake.
    pub fn wealth(&self, index: usize) -> U256 {
        let who = dev_address(index);
        let credit = self.read(Child::Requests, &Requests::creditCall { account: who });
        let stake = self.read(
            Child::ProviderRegistry,
            &ProviderRegistry::stakeOfCall { provider: who },
        );
        self.balance(who) + credit + U256::from(stake.staked)
    }

    /// All native value that the suite can reach, with what gas has burned: constant.
    pub fn everything(&self) -> U256 {
        let accounts = (0..10).map(dev_address);
        let contracts = Child::ALL.map(|child| self.deployment.address(child));
        let held = accounts
            .chain(contracts)
            .chain([SINK])
            .map(|who| self.balance(who));
        held.fold(self.gas_spent_wei, |sum, balance| sum + balance)
    }

    /// Moves time forward.
    ///
    /// # Panics
    ///
    /// If the chain's last time is passed.
    pub fn wait(&mut self, seconds: u64) {
        self.chain
            .increase_time(seconds)
            .expect("times of the suite are small");
        self.chain.mine();
    }

    /// Marks this state; [`Court::back`] returns to it once.
    ///
    /// # Panics
    ///
    /// If too many marks are held.
    pub fn mark(&mut self) -> (u64, U256) {
        let id = self.chain.snapshot().expect("the suite holds few marks");
        (id, self.gas_spent_wei)
    }

    /// Returns to a mark, and marks it again.
    ///
    /// # Panics
    ///
    /// If the mark is unknown.
    pub fn back(&mut self, mark: &mut (u64, U256)) {
        assert!(self.chain.revert(mark.0), "the mark is held");
        self.gas_spent_wei = mark.1;
        *mark = self.mark();
    }

    /// Registers a model.
    ///
    /// # Panics
    ///
    /// If the registry refuses it or gives another id.
    pub fn register(&mut self, animal: Animal) -> (Model, u64) {
        let commitment = animal.program.commit();
        let call = register_call(&commitment);
        let applied = self.send(DEPLOYER, Child::ModelRegistry, &call, U256::ZERO);
        let applied = applied.unwrap_or_else(|refused| panic!("{}: {refused:?}", animal.name));
        let id = ModelRegistry::registerCall::abi_decode_returns(&applied.output);
        assert_eq!(
            id.expect("an id").0,
            commitment.model_id.0,
            "{}",
            animal.name
        );
        (Model { animal, commitment }, applied.gas_used)
    }

    /// Gives account `index` stake.
    ///
    /// # Panics
    ///
    /// If the registry refuses it.
    pub fn stake(&mut self, index: usize, wei: U256) {
        let call = ProviderRegistry::stakeCall {};
        self.send(index, Child::ProviderRegistry, &call, wei)
            .expect("stake is taken");
    }

    /// Terms that the set accepts: published input, one ether of price, a window above the floor.
    ///
    /// # Panics
    ///
    /// If the model's window does not fit its field.
    pub fn terms(&self, model: &Model, input_root: Hash) -> Requests::Terms {
        let now = self.chain.next_time();
        let id = B256::from(model.commitment.model_id.0);
        let number = self.chain.height();
        let window = self.read(Child::Requests, &Requests::windowFloorCall { modelId: id });
        Requests::Terms {
            modelId: id,
            dimensions: model.animal.values.0.clone(),
            inputRoot: input_root.0.into(),
            availability: 1,
            inputLocator: "file:input".into(),
            provider: dev_address(PROVIDER),
            leastLevel: 4,
            asset: Address::ZERO,
            price: U256::from(1_000_000_000_000_000_000_u64),
            valueAtRisk: U256::from(2_000_000_000_000_000_000_u64),
            nonce: number,
            blockNumber: number,
            blockHash: self.block_hash(number),
            acceptBy: now + 100,
            answerBy: now + 200,
            window: u32::try_from(window + U256::from(100)).expect("windows are short"),
            callback: Address::ZERO,
            callbackGas: 0,
        }
    }

    /// Posts a request and returns its id.
    pub fn request(&mut self, terms: &Requests::Terms, input: &[u8]) -> Result<B256, Refused> {
        let call = Requests::requestCall {
            terms: terms.clone(),
            input: input.to_vec().into(),
        };
        let applied = self.send(REQUESTER, Child::Requests, &call, terms.price)?;
        Ok(Requests::requestCall::abi_decode_returns(&applied.output).unwrap_or_default())
    }

    /// Accepts a request.
    pub fn accept(&mut self, request_id: B256) -> Result<Applied, Refused> {
        let call = Requests::acceptCall {
            requestId: request_id,
        };
        self.send(PROVIDER, Child::Requests, &call, U256::ZERO)
    }

    /// Claims an output.
    pub fn claim(&mut self, request_id: B256, output: &[u8]) -> Result<Applied, Refused> {
        let output = output.to_vec().into();
        let call = Requests::claimCall {
            requestId: request_id,
            output,
        };
        self.send(PROVIDER, Child::Requests, &call, U256::ZERO)
    }

    /// Stakes, requests, accepts and claims.
    ///
    /// # Panics
    ///
    /// If any of these is refused.
    pub fn claimed(&mut self, model: &Model, input: &Tensor, output: &[u8]) -> Claimed {
        let terms = self.terms(model, input.root());
        self.stake(PROVIDER, U256::from(5_000_000_000_000_000_000_u64));
        let request_id = self.request(&terms, &[]).expect("the request is taken");
        self.accept(request_id).expect("the provider accepts");
        let applied = self.claim(request_id, output).expect("the claim is taken");
        let tree = selfsame_commit::root(&selfsame_commit::tile_hashes(output));
        Claimed {
            request_id,
            claim_key: Requests::claimCall::abi_decode_returns(&applied.output).expect("a key"),
            input_root: input.root(),
            output_root: tree,
            closes_at: applied.time + u64::from(terms.window),
        }
    }

    /// Seconds of each side in games about a model.
    pub fn clock(&self, model: &Model) -> u64 {
        let id = B256::from(model.commitment.model_id.0);
        self.read(
            Child::ModelRegistry,
            &ModelRegistry::clockCall { modelId: id },
        )
    }
}

impl Default for Court {
    fn default() -> Self {
        Self::new()
    }
}

/// The registration of a model that is published at a locator.
pub fn register_call(commitment: &ModelCommitment) -> ModelRegistry::registerCall {
    ModelRegistry::registerCall {
        header: commitment.header.clone().into(),
        nodeLeaves: commitment
            .leaves
            .iter()
            .map(|leaf| leaf.encode().into())
            .collect(),
        locator: "file:model".into(),
        availability: 1,
    }
}

/// Names of all errors of all contracts, by selector.
fn errors() -> BTreeMap<[u8; 4], String> {
    let artifacts = [
        include_str!("../../../contracts/artifacts/RulesSet.json"),
        include_str!("../../../contracts/artifacts/ModelRegistry.json"),
        include_str!("../../../contracts/artifacts/ProviderRegistry.json"),
        include_str!("../../../contracts/artifacts/Requests.json"),
        include_str!("../../../contracts/artifacts/DisputeGame.json"),
        include_str!("../../../contracts/artifacts/LinearLeaf.json"),
        include_str!("../../../contracts/artifacts/PoolLeaf.json"),
        include_str!("../../../contracts/artifacts/MoveLeaf.json"),
        include_str!("../../../contracts/artifacts/PointwiseLeaf.json"),
        include_str!("../../../contracts/artifacts/ProductLeaf.json"),
        include_str!("../../../contracts/artifacts/RowLeaf.json"),
    ];
    let mut names = BTreeMap::new();
    for artifact in artifacts {
        let json: serde_json::Value = serde_json::from_str(artifact).expect("artifacts are JSON");
        let items = json.get("abi").and_then(serde_json::Value::as_array);
        for item in items
            .into_iter()
            .flatten()
            .filter(|item| item["type"] == "error")
        {
            let name = item["name"].as_str().unwrap_or_default();
            let inputs = item["inputs"].as_array().cloned().unwrap_or_default();
            let types: Vec<&str> = inputs.iter().filter_map(|i| i["type"].as_str()).collect();
            let hash = keccak256(format!("{name}({})", types.join(",")));
            names.insert([hash[0], hash[1], hash[2], hash[3]], name.to_owned());
        }
    }
    names
}

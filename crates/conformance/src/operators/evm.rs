//! Contracts in an EVM of this process, under mainnet rules at Osaka.

use std::path::{Path, PathBuf};

use alloy_primitives::{Address, Bytes};
use revm::context::result::{ExecutionResult, Output};
use revm::context::{CfgEnv, Context, TxEnv};
use revm::database::{CacheDB, EmptyDB};
use revm::handler::MainnetContext;
use revm::primitives::hardfork::SpecId;
use revm::{ExecuteCommitEvm, ExecuteEvm, MainBuilder, MainContext, MainnetEvm};

/// Most gas of one transaction (EIP-7825).
const GAS_MAX: u64 = 16_777_216;

/// A committed contract artifact.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// Creation code.
    pub creation: Vec<u8>,
}

impl Artifact {
    /// The artifact of contract `name`.
    ///
    /// # Panics
    ///
    /// If the committed file is missing or malformed; `cargo xtask codegen` writes it.
    pub fn read(name: &str) -> Self {
        let file = folder().join(format!("{name}.json"));
        let text = std::fs::read_to_string(&file).unwrap_or_else(|error| {
            panic!("{}: {error}; run `cargo xtask codegen`", file.display())
        });
        let value: serde_json::Value =
            serde_json::from_str(&text).expect("a committed artifact is JSON");
        let hex = value["bytecode"]
            .as_str()
            .expect("an artifact has bytecode");
        let creation = alloy_primitives::hex::decode(hex).expect("bytecode is hex");
        Self { creation }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../contracts/artifacts")
}

/// A call that gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Reverted with these bytes.
    Reverted(Vec<u8>),
    /// Ended otherwise; the text says how.
    Halted(String),
}

/// An EVM with its own state.
pub struct Evm(MainnetEvm<MainnetContext<CacheDB<EmptyDB>>>);

impl std::fmt::Debug for Evm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Evm")
    }
}

impl Default for Evm {
    fn default() -> Self {
        Self::new()
    }
}

impl Evm {
    /// An empty chain.
    pub fn new() -> Self {
        let mut rules = CfgEnv::new_with_spec(SpecId::OSAKA);
        rules.disable_nonce_check = true;
        Self(
            Context::mainnet()
                .with_db(CacheDB::<EmptyDB>::default())
                .with_cfg(rules)
                .build_mainnet(),
        )
    }

    /// Deploys; the error is what the constructor refused.
    pub fn create(&mut self, creation: &[u8]) -> Result<Address, Refused> {
        let transaction = TxEnv::builder()
            .create()
            .gas_limit(GAS_MAX)
            .data(Bytes::copy_from_slice(creation));
        let transaction = transaction.build().expect("all fields are set");
        match self.0.transact_commit(transaction) {
            Ok(ExecutionResult::Success {
                output: Output::Create(_, Some(address)),
                ..
            }) => Ok(address),
            other => Err(refusal(other)),
        }
    }

    /// Calls and keeps the state.
    pub fn send(&mut self, to: Address, data: Vec<u8>) -> Result<Vec<u8>, Refused> {
        let transaction = Self::transaction(to, data);
        match self.0.transact_commit(transaction) {
            Ok(ExecutionResult::Success {
                output: Output::Call(bytes),
                ..
            }) => Ok(bytes.to_vec()),
            other => Err(refusal(other)),
        }
    }

    /// Calls and forgets the state; the answer and the gas used.
    pub fn call(&mut self, to: Address, data: Vec<u8>) -> Result<(Vec<u8>, u64), Refused> {
        let transaction = Self::transaction(to, data);
        match self.0.transact(transaction).map(|done| done.result) {
            Ok(ExecutionResult::Success {
                output: Output::Call(bytes),
                gas,
                ..
            }) => Ok((bytes.to_vec(), gas.tx_gas_used())),
            other => Err(refusal(other)),
        }
    }

    fn transaction(to: Address, data: Vec<u8>) -> TxEnv {
        let transaction = TxEnv::builder()
            .call(to)
            .gas_limit(GAS_MAX)
            .data(data.into());
        transaction.build().expect("all fields are set")
    }
}

fn refusal<E: std::fmt::Debug>(result: Result<ExecutionResult, E>) -> Refused {
    match result {
        Ok(ExecutionResult::Revert { output, .. }) => Refused::Reverted(output.to_vec()),
        other => Refused::Halted(format!("{other:?}").chars().take(400).collect()),
    }
}

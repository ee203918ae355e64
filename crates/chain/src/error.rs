//! What can go wrong between us and a chain, with the contract's own reason where there is one.

use alloy_primitives::{Address, Bytes, U256};
use alloy_provider::transport::{RpcError, TransportErrorKind};
use alloy_sol_types::SolInterface;

use crate::bindings::{DisputeGame, ModelRegistry, ProviderRegistry, Requests, RulesSet};

/// Why a call, a transaction or a look-up failed.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The endpoint is no URL.
    #[error("{url} is not an http(s) URL: {reason}; give --rpc http://host:port")]
    Url {
        /// As given.
        url: String,
        /// Why.
        reason: String,
    },
    /// The endpoint did not answer, or answered with an error that is no revert.
    #[error("{method}: {reason}; is the chain at {url} running?")]
    Rpc {
        /// What was asked.
        method: &'static str,
        /// Endpoint.
        url: String,
        /// Why.
        reason: String,
    },
    /// The endpoint serves another chain.
    #[error("the endpoint serves chain {actual}, expected {expected}; check --rpc and --chain-id")]
    ChainId {
        /// Asked for.
        expected: u64,
        /// Served.
        actual: u64,
    },
    /// A contract refused.
    #[error("{call} was refused: {reason}")]
    Refused {
        /// The call.
        call: &'static str,
        /// The contract's error with its arguments.
        reason: String,
        /// The revert data.
        data: Bytes,
    },
    /// The transaction was mined and failed.
    #[error("{call}: transaction {hash} was mined and failed, using {gas_used} gas")]
    Failed {
        /// The call.
        call: &'static str,
        /// Transaction hash.
        hash: String,
        /// Gas used.
        gas_used: u64,
    },
    /// The transaction was not mined in time.
    #[error(
        "{call}: transaction {hash} is not mined after {seconds} s; it may still be: look it up before sending again"
    )]
    NotMined {
        /// The call.
        call: &'static str,
        /// Transaction hash.
        hash: String,
        /// Seconds waited.
        seconds: u64,
    },
    /// Not enough funds.
    #[error("{account} has {have} wei, the transaction needs {need} wei")]
    Funds {
        /// Account.
        account: Address,
        /// Balance.
        have: U256,
        /// Value and gas.
        need: U256,
    },
    /// A call that needs a key was made without one.
    #[error("{call} needs a key; give --keystore FILE or --dev-key N")]
    NoKey {
        /// The call.
        call: &'static str,
    },
    /// The answer does not decode.
    #[error(
        "{call}: the answer does not decode ({reason}); is there a contract of this set at {address}?"
    )]
    Answer {
        /// The call.
        call: &'static str,
        /// Contract.
        address: Address,
        /// Why.
        reason: String,
    },
    /// A key or keystore cannot be read.
    #[error("key: {0}")]
    Key(String),
    /// A committed artifact does not parse.
    #[error("contract artifact {name}: {reason}; run cargo xtask codegen")]
    Artifact {
        /// Contract.
        name: &'static str,
        /// Why.
        reason: String,
    },
    /// The set is not deployed on this chain.
    #[error(
        "no rules set at {address} on chain {chain_id}; deploy one with selfsame devnet or selfsame publish --deploy"
    )]
    NotDeployed {
        /// Where it would be.
        address: Address,
        /// The chain.
        chain_id: u64,
    },
    /// A code found on chain is not the committed one.
    #[error("{name} at {address} has other code than this release; do not use it")]
    ForeignCode {
        /// Contract.
        name: &'static str,
        /// Where.
        address: Address,
    },
}

pub(crate) type Transport = RpcError<TransportErrorKind>;

/// The contract's error in words, if any of the set's contracts declares it.
pub fn explain(data: &[u8]) -> String {
    fn named<E: SolInterface + core::fmt::Debug>(data: &[u8]) -> Option<String> {
        E::abi_decode(data)
            .ok()
            .map(|error| tidy(&format!("{error:?}")))
    }
    named::<Requests::RequestsErrors>(data)
        .or_else(|| named::<DisputeGame::DisputeGameErrors>(data))
        .or_else(|| named::<ProviderRegistry::ProviderRegistryErrors>(data))
        .or_else(|| named::<ModelRegistry::ModelRegistryErrors>(data))
        .or_else(|| named::<RulesSet::RulesSetErrors>(data))
        .unwrap_or_else(|| match data {
            [] => "no reason given".into(),
            other => format!("unknown error {}", Bytes::copy_from_slice(other)),
        })
}

/// `StakeTooLow(StakeTooLow { needed: 5 })` becomes `StakeTooLow { needed: 5 }`.
fn tidy(debug: &str) -> String {
    debug
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'))
        .unwrap_or(debug)
        .to_owned()
}

/// The name alone of the contract's error.
pub fn error_name(data: &[u8]) -> String {
    let reason = explain(data);
    reason
        .split([' ', '{', '('])
        .next()
        .unwrap_or_default()
        .to_owned()
}

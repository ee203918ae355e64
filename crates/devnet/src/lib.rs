//! An EVM chain in memory, with JSON-RPC over HTTP, under the limits of mainnet.
//!
//! **What.** [`Chain`] is the chain as a plain state machine; [`Devnet`] is the same behind
//! `http://127.0.0.1:PORT`. The rules are those of Ethereum mainnet at Osaka with nothing
//! switched off: what passes here passes on a public chain.
//!
//! **When.** As the default chain of the demo and of every test that has contracts in it.
//!
//! **Key types.** [`Config`] starts it; [`Message`] is a call without a signature, [`At`] says
//! where it runs, [`Applied`] and [`Called`] are what comes back; [`dev_key`] gives the keys of
//! ten funded accounts. **They are public**: never use them elsewhere.
//!
//! ```
//! use selfsame_devnet::{At, Chain, Config, Devnet, Message, dev_address};
//!
//! // Without HTTP: deploy, call, move time.
//! let mut chain = Chain::new(Config::deterministic());
//! let from = dev_address(0);
//! // Creation code that deploys the runtime code `60005460005260206000f3`: return slot 0.
//! let creation = [
//!     0x6a, 0x60, 0x00, 0x54, 0x60, 0x00, 0x52, 0x60, 0x20, 0x60, 0x00, 0xf3, 0x60, 0x00, 0x52,
//!     0x60, 0x0b, 0x60, 0x15, 0xf3,
//! ];
//! let deployed = chain.apply(&Message::create(from, creation)).expect("admitted");
//! let contract = deployed.contract.expect("created");
//! let called = chain.call(&Message::call(from, contract, vec![]), At::Next).expect("returns");
//! assert_eq!(called.output.len(), 32);
//! chain.increase_time(3_600).expect("not past the last time");
//! chain.mine();
//!
//! // With HTTP, for an alloy or any other client; dropping it stops it.
//! let devnet = Devnet::start(Config { chain_id: 31_337, ..Config::default() }).expect("started");
//! assert!(devnet.url.starts_with("http://127.0.0.1:"));
//! devnet.chain().mine();
//! ```
//!
//! # What a client should know
//!
//! - Methods: `eth_` chainId, blockNumber, getBalance, getTransactionCount, estimateGas,
//!   feeHistory, maxPriorityFeePerGas, gasPrice, getBlockByNumber, getBlockByHash, call,
//!   sendRawTransaction, getTransactionByHash, getTransactionReceipt, getLogs, getCode,
//!   getStorageAt, getBlockReceipts, syncing, accounts; `net_version`, `web3_clientVersion`; `evm_`
//!   mine, increaseTime, setNextBlockTimestamp, snapshot, revert. Anything else is -32601.
//! - There is no WebSocket and no subscription: state follows blocks by polling.
//! - There is no state root (the header has zero there), so `eth_getProof` is refused.
//! - Blobs (type 3) and code delegation (type 4) are refused; transactions without a chain id too.
//! - A call without a block, or at `latest` or `pending`, runs as if in the *next* block: it sees
//!   its number, base fee and time, and so what `evm_increaseTime` has moved. A call at a number
//!   or hash runs in exactly that block. `getBlockByNumber` at `pending` gives the newest block.
//! - A call without a gas limit gets [`config::TX_GAS_CAP`]; above it is refused.
//! - A nonce must be the sender's next: a gap is refused, not queued. Send the transactions of one
//!   key one after the other.
//! - A revert is error code 3 with the returned bytes in `error.data`.
//! - Blocks: one per transaction by default, so a receipt is there once the send has returned.
//!   Block times never go backwards but may repeat with the system clock.
//! - The past is bounded ([`config::History`]); older blocks are refused with the number of the
//!   oldest one held.
//!
//! **Related crates.** `chain` is the client; `conformance` runs contracts through [`Chain`].

#![forbid(unsafe_code)]

pub mod accounts;
mod chain;
pub mod config;
mod rpc;
mod server;

pub use accounts::{dev_address, dev_key};
pub use chain::admit::Refusal;
pub use chain::clock::TimeError;
pub use chain::logs::{FILTER_ALTERNATIVES_MAX, LogsError};
pub use chain::message::{At, CallError, Called, Fee, Message, StateError};
pub use chain::{Applied, Chain, SnapshotsFull};
pub use config::Config;
pub use rpc::{BATCH_ANSWER_BYTES_MAX, BATCH_MAX, BODY_BYTES_MAX, respond};
pub use server::{Devnet, READ_SECONDS_MAX, REQUESTS_MAX, StartError};

//! Typed contract calls, events, fees and nonces: the only JSON-RPC client of the project.
//!
//! [`Client`] is one endpoint with one key; [`Deployment`] knows the code, the rules id and every
//! address of a rules set before it is on a chain; [`Set`] is a client bound to a deployed one;
//! [`Follower`] reads its events block by block and notices reorganisations. The structs of the
//! contracts are in [`bindings`], made from the committed artifacts.

#![forbid(unsafe_code)]

pub mod bindings;
mod client;
mod deployment;
mod error;
mod key;
mod keystore;
mod set;

pub use alloy_primitives::{Address, B256, Bytes, U256};
pub use client::{BlockStamp, Client, Mined, Preview, TRANSACTION_GAS_MAX};
pub use deployment::{ChainConstants, Child, DEPLOYMENT_PROXY, Deployment};
pub use error::{ChainError, error_name, explain};
pub use key::Key;
pub use keystore::{KEYSTORE_BYTES_MAX, KeystoreError, check_keystore};
pub use set::{Event, Follower, Logged, News, Set};

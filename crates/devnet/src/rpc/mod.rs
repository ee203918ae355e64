//! JSON-RPC 2.0: bytes in, bytes out. Any input gets an answer, none gets a panic.
//!
//! The chain is locked for one request at a time, also within a batch.

pub(crate) mod error;
mod fees;
mod params;
mod read;
mod shapes;
mod testing;

use crate::accounts::DEV_ADDRESSES;
use crate::chain::Chain;
use crate::config::TIP_SUGGESTED_WEI;
use alloy_primitives::{Bytes, U64, U128};
use error::{LIMIT, METHOD, PARSE, REQUEST, RpcError};
use params::Params;
use read::to_json;
use serde::Serialize;
use serde_json::{Map, Value, json};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Longest request body in bytes.
pub const BODY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Most requests in one batch.
pub const BATCH_MAX: usize = 100;
/// Bytes of answers after which the rest of a batch is refused.
pub const BATCH_ANSWER_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Characters of an unknown method's name that are repeated in the error.
const METHOD_CHARS_SHOWN: usize = 64;

#[derive(Serialize)]
struct Response {
    jsonrpc: &'static str,
    id: Value,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Result(Value),
    Error(RpcError),
}

/// Answers one request or one batch. Empty if there were only notifications.
pub fn respond(chain: &Mutex<Chain>, body: &[u8]) -> Vec<u8> {
    if BODY_BYTES_MAX < body.len() {
        return body_too_long();
    }
    let parsed = match serde_json::from_slice(body) {
        Ok(parsed) => parsed,
        Err(error) => return failure(RpcError::new(PARSE, format!("parse error: {error}"))),
    };
    let requests = match parsed {
        Value::Array(requests) => requests,
        single => return answer(chain, single).unwrap_or_default(),
    };
    if requests.is_empty() {
        return failure(RpcError::new(
            REQUEST,
            "invalid request: the batch is empty",
        ));
    }
    if BATCH_MAX < requests.len() {
        let have = requests.len();
        let message = format!("batch of {have} requests, the cap is {BATCH_MAX}");
        return failure(RpcError::new(LIMIT, message));
    }
    let mut answers: Vec<u8> = Vec::new();
    for request in requests {
        let response = if answers.len() < BATCH_ANSWER_BYTES_MAX {
            answer(chain, request)
        } else {
            let message = format!("answers to the batch exceed {BATCH_ANSWER_BYTES_MAX} bytes");
            let id = request.get("id").filter(|id| is_id(id)).cloned();
            id.map(|id| encode(id, Outcome::Error(RpcError::new(LIMIT, message))))
        };
        if let Some(response) = response {
            answers.push(if answers.is_empty() { b'[' } else { b',' });
            answers.extend_from_slice(&response);
        }
    }
    if !answers.is_empty() {
        answers.push(b']');
    }
    answers
}

/// The answer to a body beyond [`BODY_BYTES_MAX`].
pub(crate) fn body_too_long() -> Vec<u8> {
    failure(RpcError::new(
        LIMIT,
        format!("request body exceeds {BODY_BYTES_MAX} bytes"),
    ))
}

/// An error that belongs to no request.
pub(crate) fn failure(error: RpcError) -> Vec<u8> {
    encode(Value::Null, Outcome::Error(error))
}

fn encode(id: Value, outcome: Outcome) -> Vec<u8> {
    let response = Response {
        jsonrpc: "2.0",
        id,
        outcome,
    };
    serde_json::to_vec(&response).expect("JSON values with text keys always encode")
}

fn is_id(id: &Value) -> bool {
    id.is_null() || id.is_number() || id.is_string()
}

/// Answers one request; `None` for a notification.
fn answer(chain: &Mutex<Chain>, request: Value) -> Option<Vec<u8>> {
    let Value::Object(mut request) = request else {
        let error = RpcError::new(REQUEST, "invalid request: not an object");
        return Some(failure(error));
    };
    let id = request.remove("id");
    if id.as_ref().is_some_and(|id| !is_id(id)) {
        let error = RpcError::new(REQUEST, "invalid request: id is no string, number or null");
        return Some(failure(error));
    }
    let outcome = match perform(chain, &mut request) {
        Ok(result) => Outcome::Result(result),
        Err(error) => Outcome::Error(error),
    };
    match (id, &outcome) {
        (Some(id), _) => Some(encode(id, outcome)),
        // Not even a request, so not a notification either.
        (None, Outcome::Error(error)) if error.code == REQUEST => {
            Some(encode(Value::Null, outcome))
        }
        (None, _) => None,
    }
}

fn perform(chain: &Mutex<Chain>, request: &mut Map<String, Value>) -> Result<Value, RpcError> {
    if request.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(RpcError::new(
            REQUEST,
            "invalid request: jsonrpc must be \"2.0\"",
        ));
    }
    let Some(Value::String(method)) = request.remove("method") else {
        return Err(RpcError::new(
            REQUEST,
            "invalid request: method must be a string",
        ));
    };
    let params = Params::new(request.remove("params"))?;
    dispatch(&mut lock(chain), &method, params)
}

/// The chain, also after a panic elsewhere: its blocks are complete or absent.
pub(crate) fn lock(chain: &Mutex<Chain>) -> MutexGuard<'_, Chain> {
    chain.lock().unwrap_or_else(PoisonError::into_inner)
}

fn dispatch(chain: &mut Chain, method: &str, mut params: Params) -> Result<Value, RpcError> {
    match method {
        "eth_chainId" => to_json(U64::from(chain.config().chain_id)),
        "net_version" => Ok(json!(chain.config().chain_id.to_string())),
        "web3_clientVersion" => Ok(json!(concat!(
            "selfsame-devnet/",
            env!("CARGO_PKG_VERSION")
        ))),
        "eth_syncing" => Ok(json!(false)),
        "eth_accounts" => to_json(DEV_ADDRESSES),
        "eth_blockNumber" => to_json(U64::from(chain.height())),
        "eth_gasPrice" => to_json(U128::from(
            u128::from(chain.next_base_fee()) + TIP_SUGGESTED_WEI,
        )),
        "eth_maxPriorityFeePerGas" => to_json(U128::from(TIP_SUGGESTED_WEI)),
        "eth_feeHistory" => fees::history(chain, params),
        "eth_getBalance" => read::balance(chain, params),
        "eth_getTransactionCount" => read::nonce(chain, params),
        "eth_getCode" => read::code(chain, params),
        "eth_getStorageAt" => read::storage(chain, params),
        "eth_call" => read::call(chain, params),
        "eth_estimateGas" => read::estimate(chain, params),
        "eth_getBlockByNumber" => read::block_by_number(chain, params),
        "eth_getBlockByHash" => read::block_by_hash(chain, params),
        "eth_getBlockReceipts" => read::block_receipts(chain, params),
        "eth_getTransactionByHash" => read::transaction(chain, params),
        "eth_getTransactionReceipt" => read::receipt(chain, params),
        "eth_getLogs" => read::logs(chain, params),
        "eth_sendRawTransaction" => {
            params.at_most(1)?;
            let raw: Bytes = params.required(0, "transaction")?;
            to_json(chain.send(&raw)?)
        }
        "evm_mine" => testing::mine(chain, params),
        "evm_increaseTime" => testing::increase_time(chain, params),
        "evm_setNextBlockTimestamp" => testing::set_next_time(chain, params),
        "evm_snapshot" => testing::snapshot(chain),
        "evm_revert" => testing::revert(chain, params),
        "eth_getProof" => Err(RpcError::new(
            METHOD,
            "eth_getProof is not offered: this chain computes no state root to prove against",
        )),
        "eth_subscribe" | "eth_unsubscribe" => Err(RpcError::new(
            METHOD,
            "subscriptions are not offered: poll eth_blockNumber and eth_getLogs",
        )),
        unknown => {
            let shown: String = unknown.chars().take(METHOD_CHARS_SHOWN).collect();
            Err(RpcError::new(METHOD, format!("method not found: {shown}")))
        }
    }
}

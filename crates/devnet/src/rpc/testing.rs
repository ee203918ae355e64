//! Methods that move time and go back: only a test chain has them.

use super::error::RpcError;
use super::params::{Params, number};
use crate::chain::Chain;
use alloy_primitives::U64;
use serde_json::{Value, json};

/// Most blocks that one `evm_mine` makes.
pub(crate) const MINE_BLOCKS_MAX: u64 = 1_024;

/// `[]`, `[timestamp]` or `[{timestamp, blocks}]`.
pub(crate) fn mine(chain: &mut Chain, mut params: Params) -> Result<Value, RpcError> {
    params.at_most(1)?;
    let (mut time, mut blocks) = (None, 1);
    match params.raw(0) {
        None => {}
        Some(Value::Object(options)) => {
            let read = |name: &str| {
                let value = options.get(name).filter(|value| !value.is_null());
                value.map(|value| number(value, name)).transpose()
            };
            time = read("timestamp")?;
            blocks = read("blocks")?.unwrap_or(1);
        }
        Some(value) => time = Some(number(&value, "timestamp")?),
    }
    if MINE_BLOCKS_MAX < blocks {
        return Err(RpcError::params(format!(
            "{blocks} blocks, the cap is {MINE_BLOCKS_MAX}"
        )));
    }
    if let Some(time) = time {
        chain.set_next_time(time)?;
    }
    for _ in 0..blocks {
        chain.mine();
    }
    Ok(json!("0x0"))
}

/// `[seconds]`; answers all seconds added so far, as a plain number.
pub(crate) fn increase_time(chain: &mut Chain, mut params: Params) -> Result<Value, RpcError> {
    params.at_most(1)?;
    let seconds = params.number(0, "seconds")?;
    let seconds = seconds.ok_or_else(|| RpcError::params("params[0] (seconds) is missing"))?;
    Ok(json!(chain.increase_time(seconds)?))
}

/// `[timestamp]`.
pub(crate) fn set_next_time(chain: &mut Chain, mut params: Params) -> Result<Value, RpcError> {
    params.at_most(1)?;
    let time = params.number(0, "timestamp")?;
    let time = time.ok_or_else(|| RpcError::params("params[0] (timestamp) is missing"))?;
    chain.set_next_time(time)?;
    Ok(json!(null))
}

/// `[]`; answers an id.
pub(crate) fn snapshot(chain: &mut Chain) -> Result<Value, RpcError> {
    Ok(json!(U64::from(chain.snapshot()?)))
}

/// `[id]`; answers whether the chain went back.
pub(crate) fn revert(chain: &mut Chain, mut params: Params) -> Result<Value, RpcError> {
    params.at_most(1)?;
    let id = params.number(0, "snapshot id")?;
    let id = id.ok_or_else(|| RpcError::params("params[0] (snapshot id) is missing"))?;
    Ok(json!(chain.revert(id)))
}

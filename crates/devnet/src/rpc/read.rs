//! Methods that only read.

use super::error::RpcError;
use super::params::Params;
use super::shapes;
use crate::chain::Chain;
use crate::chain::message::{At, Fee, Message, StateError};
use alloy_eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{Address, B256, TxKind, U64, U256};
use alloy_rpc_types_eth::{Filter, FilterBlockOption, TransactionRequest};
use serde::Serialize;
use serde_json::Value;

pub(crate) fn to_json(value: impl Serialize) -> Result<Value, RpcError> {
    serde_json::to_value(value)
        .map_err(|error| RpcError::new(super::error::INTERNAL, error.to_string()))
}

/// The number that a tag stands for.
pub(crate) fn height_of(chain: &Chain, block: BlockNumberOrTag) -> u64 {
    match block {
        BlockNumberOrTag::Number(number) => number,
        BlockNumberOrTag::Earliest => 0,
        BlockNumberOrTag::Latest
        | BlockNumberOrTag::Pending
        | BlockNumberOrTag::Safe
        | BlockNumberOrTag::Finalized => chain.height(),
    }
}

/// Where a request that names `block` reads: tags for the newest block, and no block at all,
/// mean the state on which the next block builds.
fn at(chain: &Chain, block: Option<BlockId>) -> Result<At, RpcError> {
    Ok(match block {
        Some(BlockId::Hash(hash)) => {
            let unknown = StateError::Hash(hash.block_hash);
            At::Block(chain.ledger().number_of(hash.block_hash).ok_or(unknown)?)
        }
        Some(BlockId::Number(BlockNumberOrTag::Number(number))) => At::Block(number),
        Some(BlockId::Number(BlockNumberOrTag::Earliest)) => At::Block(0),
        None | Some(BlockId::Number(_)) => At::Next,
    })
}

fn account_at(chain: &Chain, params: &mut Params) -> Result<(Address, At), RpcError> {
    params.at_most(2)?;
    let address = params.required(0, "address")?;
    let block = params.optional(1, "block")?;
    Ok((address, at(chain, block)?))
}

pub(crate) fn balance(chain: &Chain, mut params: Params) -> Result<Value, RpcError> {
    let (address, at) = account_at(chain, &mut params)?;
    to_json(chain.balance(address, at)?)
}

pub(crate) fn code(chain: &Chain, mut params: Params) -> Result<Value, RpcError> {
    let (address, at) = account_at(chain, &mut params)?;
    to_json(chain.code(address, at)?)
}

pub(crate) fn nonce(chain: &Chain, mut params: Params) -> Result<Value, RpcError> {
    params.at_most(2)?;
    let address = params.required(0, "address")?;
    let block: Option<BlockId> = params.optional(1, "block")?;
    if block.is_some_and(|block| block.is_pending()) {
        return to_json(U64::from(chain.nonce_pending(address)));
    }
    to_json(U64::from(chain.nonce_at(address, at(chain, block)?)?))
}

pub(crate) fn storage(chain: &Chain, mut params: Params) -> Result<Value, RpcError> {
    params.at_most(3)?;
    let address = params.required(0, "address")?;
    let slot: U256 = params.required(1, "slot")?;
    let block = params.optional(2, "block")?;
    let value = chain.storage(address, slot, at(chain, block)?)?;
    to_json(B256::from(value))
}

pub(crate) fn call(chain: &Chain, params: Params) -> Result<Value, RpcError> {
    let (message, at) = message(chain, params)?;
    to_json(chain.call(&message, at)?.output)
}

pub(crate) fn estimate(chain: &Chain, params: Params) -> Result<Value, RpcError> {
    let (message, at) = message(chain, params)?;
    to_json(U64::from(chain.estimate(&message, at)?))
}

fn message(chain: &Chain, mut params: Params) -> Result<(Message, At), RpcError> {
    let request: TransactionRequest = params.required(0, "transaction")?;
    let block = params.optional(1, "block")?;
    for (index, name) in [(2, "state overrides"), (3, "block overrides")] {
        let given = params.raw(index);
        if given.is_some_and(|value| value.as_object().is_none_or(|object| !object.is_empty())) {
            return Err(RpcError::params(format!(
                "params[{index}]: {name} are not offered"
            )));
        }
    }
    Ok((read_message(chain, request)?, at(chain, block)?))
}

fn read_message(chain: &Chain, request: TransactionRequest) -> Result<Message, RpcError> {
    let want = chain.config().chain_id;
    if let Some(have) = request.chain_id.filter(|have| *have != want) {
        return Err(RpcError::params(format!(
            "invalid chain id: have {have}, want {want}"
        )));
    }
    if request.blob_versioned_hashes.is_some() || request.authorization_list.is_some() {
        return Err(RpcError::params("blobs and authorizations are not offered"));
    }
    let data = request.input.try_into_unique_input();
    let data = data.map_err(|error| RpcError::params(error.to_string()))?;
    let two_base_fees = 2 * u128::from(chain.next_base_fee());
    let fee = match (
        request.gas_price,
        request.max_fee_per_gas,
        request.max_priority_fee_per_gas,
    ) {
        (None, None, None) => None,
        (Some(price), None, None) => Some(Fee {
            max_wei: price,
            tip_wei: price,
        }),
        (None, Some(max), tip) => Some(Fee {
            max_wei: max,
            tip_wei: tip.unwrap_or(0),
        }),
        (None, None, Some(tip)) => Some(Fee {
            max_wei: tip.saturating_add(two_base_fees),
            tip_wei: tip,
        }),
        (Some(_), _, _) => {
            return Err(RpcError::params("give gasPrice or maxFeePerGas, not both"));
        }
    };
    Ok(Message {
        from: request.from.unwrap_or_default(),
        to: request.to.and_then(TxKind::into_to),
        value: request.value.unwrap_or_default(),
        data: data.unwrap_or_default(),
        gas: request.gas,
        fee: fee.filter(|fee| 0 < fee.max_wei),
        nonce: request.nonce,
        access_list: request.access_list.unwrap_or_default(),
    })
}

pub(crate) fn block_by_number(chain: &Chain, mut params: Params) -> Result<Value, RpcError> {
    params.at_most(2)?;
    let block: BlockNumberOrTag = params.required(0, "block")?;
    let full = params.optional(1, "full transactions")?.unwrap_or(false);
    match chain.held(height_of(chain, block)) {
        Ok(block) => to_json(shapes::block(block, full)),
        Err(StateError::Future { .. }) => Ok(Value::Null),
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn block_by_hash(chain: &Chain, mut params: Params) -> Result<Value, RpcError> {
    params.at_most(2)?;
    let hash: B256 = params.required(0, "block hash")?;
    let full = params.optional(1, "full transactions")?.unwrap_or(false);
    match chain.ledger().number_of(hash) {
        Some(number) => to_json(shapes::block(chain.held(number)?, full)),
        None => Ok(Value::Null),
    }
}

pub(crate) fn block_receipts(chain: &Chain, mut params: Params) -> Result<Value, RpcError> {
    params.at_most(1)?;
    let number = match params.required::<BlockId>(0, "block")? {
        BlockId::Number(block) => Some(height_of(chain, block)),
        BlockId::Hash(hash) => chain.ledger().number_of(hash.block_hash),
    };
    let block = match number.map(|number| chain.held(number)) {
        None | Some(Err(StateError::Future { .. })) => return Ok(Value::Null),
        Some(block) => block?,
    };
    let list = block.transactions.iter().enumerate();
    to_json(
        list.map(|(i, mined)| shapes::receipt(block, i, mined))
            .collect::<Vec<_>>(),
    )
}

pub(crate) fn transaction(chain: &Chain, mut params: Params) -> Result<Value, RpcError> {
    params.at_most(1)?;
    let hash: B256 = params.required(0, "transaction hash")?;
    if let Some((block, index)) = chain.ledger().transaction(hash) {
        return to_json(shapes::transaction(
            block,
            index,
            &block.transactions[index],
        ));
    }
    match chain.pool().iter().find(|tx| tx.hash() == hash) {
        Some(tx) => to_json(shapes::waiting(&tx.envelope, tx.from)),
        None => Ok(Value::Null),
    }
}

pub(crate) fn receipt(chain: &Chain, mut params: Params) -> Result<Value, RpcError> {
    params.at_most(1)?;
    let hash: B256 = params.required(0, "transaction hash")?;
    match chain.ledger().transaction(hash) {
        Some((block, index)) => to_json(shapes::receipt(block, index, &block.transactions[index])),
        None => Ok(Value::Null),
    }
}

pub(crate) fn logs(chain: &Chain, mut params: Params) -> Result<Value, RpcError> {
    params.at_most(1)?;
    let filter: Filter = params.required(0, "filter")?;
    let (from, to) = match filter.block_option {
        FilterBlockOption::AtBlockHash(hash) => {
            let number = chain
                .ledger()
                .number_of(hash)
                .ok_or(StateError::Hash(hash))?;
            (number, number)
        }
        FilterBlockOption::Range {
            from_block,
            to_block,
        } => {
            let from = height_of(chain, from_block.unwrap_or_default());
            match to_block.unwrap_or_default() {
                BlockNumberOrTag::Number(to) => (from, to),
                // A client that has read all blocks asks from the next one to the latest.
                tag => (from, height_of(chain, tag).max(from)),
            }
        }
    };
    let found = chain.find_logs(&filter, from, to)?;
    to_json(found.into_iter().map(shapes::log).collect::<Vec<_>>())
}

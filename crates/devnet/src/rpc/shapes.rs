//! Blocks, transactions, receipts and logs as clients expect them.

use crate::chain::ledger::{Block, Mined};
use crate::chain::logs::Found;
use crate::chain::receipt_envelope;
use alloy_consensus::transaction::Recovered;
use alloy_consensus::{Sealed, Transaction as _, TxEnvelope};
use alloy_primitives::{Address, U256};
use alloy_rpc_types_eth::{
    Block as BlockShape, BlockTransactions, Header, Log, Transaction, TransactionReceipt,
};

/// A transaction that waits for a block.
pub(crate) fn waiting(envelope: &TxEnvelope, from: Address) -> Transaction {
    Transaction {
        inner: Recovered::new_unchecked(envelope.clone(), from),
        block_hash: None,
        block_number: None,
        transaction_index: None,
        effective_gas_price: None,
        block_timestamp: None,
    }
}

/// Transaction `index` of `block`.
pub(crate) fn transaction(block: &Block, index: usize, mined: &Mined) -> Transaction {
    Transaction {
        block_hash: Some(block.hash),
        block_number: Some(block.header.number),
        transaction_index: Some(index as u64),
        effective_gas_price: Some(mined.price),
        block_timestamp: Some(block.time()),
        ..waiting(&mined.envelope, mined.from)
    }
}

/// A block, with whole transactions or their hashes only.
pub(crate) fn block(block: &Block, full: bool) -> BlockShape {
    let transactions = if full {
        let list = block.transactions.iter().enumerate();
        BlockTransactions::Full(
            list.map(|(i, mined)| transaction(block, i, mined))
                .collect(),
        )
    } else {
        let list = block.transactions.iter();
        BlockTransactions::Hashes(list.map(|mined| *mined.envelope.tx_hash()).collect())
    };
    let header = Sealed::new_unchecked(block.header.clone(), block.hash);
    BlockShape {
        header: Header::from_consensus(header, None, Some(U256::from(size(block)))),
        uncles: Vec::new(),
        transactions,
        withdrawals: Some(alloy_eips::eip4895::Withdrawals::default()),
    }
}

/// Length in bytes of the block's RLP.
fn size(block: &Block) -> usize {
    let envelopes = block
        .transactions
        .iter()
        .map(|mined| mined.envelope.clone())
        .collect();
    let body = alloy_consensus::BlockBody {
        transactions: envelopes,
        ommers: Vec::<alloy_consensus::Header>::new(),
        withdrawals: Some(alloy_eips::eip4895::Withdrawals::default()),
    };
    alloy_consensus::Block::rlp_length_for(&block.header, &body)
}

/// The receipt of transaction `index` of `block`.
pub(crate) fn receipt(block: &Block, index: usize, mined: &Mined) -> TransactionReceipt {
    let mut position = mined.first_log;
    let inner = receipt_envelope(mined).map_logs(|inner| {
        let log = place(block, index, mined, position, inner);
        position += 1;
        log
    });
    TransactionReceipt {
        inner,
        transaction_hash: *mined.envelope.tx_hash(),
        transaction_index: Some(index as u64),
        block_hash: Some(block.hash),
        block_number: Some(block.header.number),
        gas_used: mined.gas_used,
        effective_gas_price: mined.price,
        blob_gas_used: None,
        blob_gas_price: None,
        from: mined.from,
        to: mined.envelope.to(),
        contract_address: mined.contract,
    }
}

/// A log that a filter found.
pub(crate) fn log(found: Found<'_>) -> Log {
    let mined = &found.block.transactions[found.transaction];
    place(
        found.block,
        found.transaction,
        mined,
        found.index,
        found.log.clone(),
    )
}

fn place(
    block: &Block,
    index: usize,
    mined: &Mined,
    position: u64,
    inner: alloy_primitives::Log,
) -> Log {
    Log {
        inner,
        block_hash: Some(block.hash),
        block_number: Some(block.header.number),
        block_timestamp: Some(block.time()),
        transaction_hash: Some(*mined.envelope.tx_hash()),
        transaction_index: Some(index as u64),
        log_index: Some(position),
        removed: false,
    }
}

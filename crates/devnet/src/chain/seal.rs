//! Making a block: run its transactions one after another, then write its header.
//!
//! The header is complete but for the state root, which is zero: this chain computes no trie.

use super::admit::{Candidate, Refusal};
use super::evm::{self, BlockView, Purpose};
use super::ledger::{Block, Mined};
use super::view::View;
use super::world::Undo;
use super::{Applied, Chain};
use crate::config::BLOCK_GAS_LIMIT;
use alloy_consensus::constants::EMPTY_WITHDRAWALS;
use alloy_consensus::proofs::{calculate_receipt_root, calculate_transaction_root};
use alloy_consensus::{Eip658Value, Header, Receipt, ReceiptEnvelope, Transaction};
use alloy_eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy_primitives::{B256, Bloom, Bytes};
use revm::context::result::{ExecutionResult, Output};

/// A block in the making.
struct Draft {
    view: BlockView,
    parent: B256,
    gas_used: u64,
    log_count: u64,
    transactions: Vec<Mined>,
    undo: Vec<Undo>,
}

/// What became of the candidates of one block.
#[derive(Debug, Default)]
pub(crate) struct Sealed {
    /// One per transaction in the block, in order.
    pub(crate) applied: Vec<Applied>,
    /// Those that must wait: too dear for now, too much gas, or behind one that waits.
    pub(crate) waiting: Vec<Candidate>,
    /// Those that the EVM refused against expectation.
    pub(crate) refused: Vec<(B256, Refusal)>,
}

impl Chain {
    /// Makes the next block from `candidates`, in their order; those that do not fit wait.
    pub(crate) fn seal(&mut self, candidates: Vec<Candidate>) -> Sealed {
        let mut draft = Draft {
            view: self.next_block(),
            parent: self.ledger.head().hash,
            gas_used: 0,
            log_count: 0,
            transactions: Vec::new(),
            undo: Vec::new(),
        };
        let mut sealed = Sealed::default();
        for candidate in candidates {
            let fits = draft.gas_used + candidate.envelope.gas_limit() <= BLOCK_GAS_LIMIT;
            let pays = u128::from(draft.view.base_fee) <= candidate.envelope.max_fee_per_gas();
            let next = self.nonce(candidate.from) == candidate.envelope.nonce();
            if !(fits && pays && next) {
                sealed.waiting.push(candidate);
                continue;
            }
            let hash = candidate.hash();
            match self.include(&mut draft, candidate) {
                Ok(applied) => sealed.applied.push(applied),
                Err(refusal) => sealed.refused.push((hash, refusal)),
            }
        }
        let block = draft.finish();
        self.time.made(block.time());
        self.ledger.push(block);
        sealed
    }

    fn include(&mut self, draft: &mut Draft, tx: Candidate) -> Result<Applied, Refusal> {
        let view = View {
            world: &self.world,
            past: None,
            ledger: &self.ledger,
        };
        let outcome = evm::run(
            view,
            self.config.chain_id,
            draft.view,
            tx.env(),
            Purpose::Block,
        )
        .map_err(|error| Refusal::Evm(error.to_string()))?;
        self.world.commit(outcome.state, &mut draft.undo);
        Ok(draft.add(tx, outcome.result))
    }
}

impl Draft {
    fn add(&mut self, tx: Candidate, result: ExecutionResult) -> Applied {
        let success = result.is_success();
        let gas_used = result.tx_gas_used();
        let (output, contract, halt, logs) = parts(result);
        self.gas_used += gas_used;
        let applied = Applied {
            hash: tx.hash(),
            block: self.view.number,
            time: self.view.time,
            success,
            gas_used,
            output,
            halt,
            contract,
            logs: logs.clone(),
        };
        let receipt = Receipt {
            status: Eip658Value::Eip658(success),
            cumulative_gas_used: self.gas_used,
            logs,
        };
        let first_log = self.log_count;
        self.log_count += receipt.logs.len() as u64;
        self.transactions.push(Mined {
            price: tx.envelope.effective_gas_price(Some(self.view.base_fee)),
            from: tx.from,
            envelope: tx.envelope,
            receipt,
            gas_used,
            contract,
            first_log,
        });
        applied
    }

    fn finish(self) -> Block {
        let receipts: Vec<ReceiptEnvelope> = self.transactions.iter().map(envelope).collect();
        let mut bloom = Bloom::ZERO;
        for receipt in &receipts {
            bloom |= *receipt.logs_bloom();
        }
        let envelopes: Vec<_> = self
            .transactions
            .iter()
            .map(|mined| &mined.envelope)
            .collect();
        let header = Header {
            transactions_root: calculate_transaction_root(&envelopes),
            receipts_root: calculate_receipt_root(&receipts),
            logs_bloom: bloom,
            gas_used: self.gas_used,
            ..header(self.view, self.parent)
        };
        Block {
            hash: header.hash_slow(),
            header,
            transactions: self.transactions,
            undo: self.undo,
        }
    }
}

/// The header of an empty block.
fn header(view: BlockView, parent: B256) -> Header {
    Header {
        parent_hash: parent,
        beneficiary: view.coinbase,
        state_root: B256::ZERO,
        number: view.number,
        gas_limit: BLOCK_GAS_LIMIT,
        timestamp: view.time,
        mix_hash: view.randao,
        base_fee_per_gas: Some(view.base_fee),
        withdrawals_root: Some(EMPTY_WITHDRAWALS),
        blob_gas_used: Some(0),
        excess_blob_gas: Some(0),
        parent_beacon_block_root: Some(B256::ZERO),
        requests_hash: Some(EMPTY_REQUESTS_HASH),
        ..Header::default()
    }
}

/// Block 0.
pub(crate) fn genesis(view: BlockView) -> Block {
    let header = header(view, B256::ZERO);
    Block {
        hash: header.hash_slow(),
        header,
        transactions: Vec::new(),
        undo: Vec::new(),
    }
}

/// The receipt as it is hashed and sent: with its bloom, tagged by the transaction's type.
pub(crate) fn envelope(mined: &Mined) -> ReceiptEnvelope {
    ReceiptEnvelope::from_typed(mined.envelope.tx_type(), mined.receipt.clone())
}

type Parts = (
    Bytes,
    Option<alloy_primitives::Address>,
    Option<String>,
    Vec<alloy_primitives::Log>,
);

/// Output, created contract, reason of a halt, logs that count.
pub(crate) fn parts(result: ExecutionResult) -> Parts {
    match result {
        ExecutionResult::Success {
            output: Output::Call(data),
            logs,
            ..
        } => (data, None, None, logs),
        ExecutionResult::Success {
            output: Output::Create(code, contract),
            logs,
            ..
        } => (code, contract, None, logs),
        ExecutionResult::Revert { output, .. } => (output, None, None, Vec::new()),
        ExecutionResult::Halt { reason, .. } => {
            (Bytes::new(), None, Some(format!("{reason:?}")), Vec::new())
        }
    }
}

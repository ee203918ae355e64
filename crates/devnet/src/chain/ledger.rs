//! The blocks that are held, and where to find a transaction in them.
//!
//! Invariant: numbers are consecutive, at least one block is held, and the indices name exactly
//! the blocks and transactions held.

use super::world::Undo;
use crate::config::History;
use alloy_consensus::{Header, Receipt, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Address, B256, Log};
use std::collections::{HashMap, VecDeque};

/// A transaction in a block, with what came of it.
#[derive(Debug)]
pub(crate) struct Mined {
    pub(crate) envelope: TxEnvelope,
    pub(crate) from: Address,
    pub(crate) receipt: Receipt<Log>,
    pub(crate) gas_used: u64,
    /// Wei per gas that were paid.
    pub(crate) price: u128,
    pub(crate) contract: Option<Address>,
    /// Index in the block of the first log.
    pub(crate) first_log: u64,
}

/// A block, and how to undo it.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) header: Header,
    pub(crate) hash: B256,
    pub(crate) transactions: Vec<Mined>,
    pub(crate) undo: Vec<Undo>,
}

impl Block {
    /// Approximate size in memory.
    fn bytes(&self) -> usize {
        let mut bytes = size_of::<Self>() + self.undo.len() * size_of::<Undo>();
        for mined in &self.transactions {
            bytes += size_of::<Mined>() + mined.envelope.encode_2718_len();
            for log in &mined.receipt.logs {
                bytes += size_of::<Log>() + log.data.data.len() + 32 * log.data.topics().len();
            }
        }
        bytes
    }

    pub(crate) fn time(&self) -> u64 {
        self.header.timestamp
    }

    pub(crate) fn base_fee(&self) -> u64 {
        self.header.base_fee_per_gas.unwrap_or_default()
    }
}

/// The blocks held, oldest first.
#[derive(Debug)]
pub(crate) struct Ledger {
    blocks: VecDeque<Block>,
    oldest: u64,
    bytes: usize,
    history: History,
    by_hash: HashMap<B256, u64>,
    transactions: HashMap<B256, (u64, usize)>,
}

impl Ledger {
    pub(crate) fn new(genesis: Block, history: History) -> Self {
        let mut ledger = Self {
            blocks: VecDeque::new(),
            oldest: genesis.header.number,
            bytes: 0,
            history,
            by_hash: HashMap::new(),
            transactions: HashMap::new(),
        };
        ledger.push(genesis);
        ledger
    }

    pub(crate) fn head(&self) -> &Block {
        self.blocks
            .back()
            .expect("a ledger always holds its newest block")
    }

    pub(crate) fn height(&self) -> u64 {
        self.head().header.number
    }

    /// Number of the oldest block held.
    pub(crate) fn oldest(&self) -> u64 {
        self.oldest
    }

    pub(crate) fn block(&self, number: u64) -> Option<&Block> {
        let index = number.checked_sub(self.oldest)?;
        self.blocks.get(usize::try_from(index).ok()?)
    }

    pub(crate) fn number_of(&self, hash: B256) -> Option<u64> {
        self.by_hash.get(&hash).copied()
    }

    pub(crate) fn transaction(&self, hash: B256) -> Option<(&Block, usize)> {
        let (number, index) = self.transactions.get(&hash)?;
        Some((self.block(*number)?, *index))
    }

    /// Hash of a block, zero if it is not held.
    pub(crate) fn hash_or_zero(&self, number: u64) -> B256 {
        self.block(number)
            .map(|block| block.hash)
            .unwrap_or_default()
    }

    /// The blocks above `number`, newest first.
    pub(crate) fn above(&self, number: u64) -> impl Iterator<Item = &Block> {
        self.blocks
            .iter()
            .rev()
            .take_while(move |block| number < block.header.number)
    }

    /// Appends a block and drops the oldest ones beyond the history that is kept.
    pub(crate) fn push(&mut self, block: Block) {
        let number = block.header.number;
        self.by_hash.insert(block.hash, number);
        for (index, mined) in block.transactions.iter().enumerate() {
            self.transactions
                .insert(*mined.envelope.tx_hash(), (number, index));
        }
        self.bytes += block.bytes();
        self.blocks.push_back(block);
        while 1 < self.blocks.len()
            && (self.history.blocks_max < self.blocks.len() || self.history.bytes_max < self.bytes)
        {
            if let Some(block) = self.blocks.pop_front() {
                self.oldest += 1;
                self.forget(&block);
            }
        }
    }

    /// Takes the newest block off, unless it is the only one.
    pub(crate) fn pop(&mut self) -> Option<Block> {
        if self.blocks.len() < 2 {
            return None;
        }
        let block = self.blocks.pop_back()?;
        self.forget(&block);
        Some(block)
    }

    fn forget(&mut self, block: &Block) {
        self.bytes = self.bytes.saturating_sub(block.bytes());
        self.by_hash.remove(&block.hash);
        for mined in &block.transactions {
            self.transactions.remove(mined.envelope.tx_hash());
        }
    }
}

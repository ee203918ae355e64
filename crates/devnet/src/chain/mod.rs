//! The chain as a plain state machine: no threads, no sockets, no clock but the configured one.
//!
//! ```text
//! send or apply -> admit -> [pool] -> seal -> block
//! ```

pub(crate) mod admit;
pub(crate) mod clock;
pub(crate) mod evm;
pub(crate) mod ledger;
pub(crate) mod logs;
pub(crate) mod message;
mod seal;
mod simulate;
mod view;
mod world;

use crate::accounts::{CREATE2_PROXY, CREATE2_PROXY_CODE, DEV_ADDRESSES, DEV_BALANCE_WEI};
use crate::config::{
    BLOCK_GAS_LIMIT, BaseFee, Config, Mining, POOL_TRANSACTIONS_MAX, SNAPSHOTS_MAX, TX_GAS_CAP,
};
use admit::{Candidate, Refusal};
use alloy_consensus::{Signed, Transaction, TxEip1559, TxEnvelope};
use alloy_eips::eip1559::{BaseFeeParams, calc_next_block_base_fee};
use alloy_primitives::{Address, B256, Bytes, Log, Signature, U256, keccak256};
use clock::{Time, TimeError};
use evm::BlockView;
use ledger::{Block, Ledger};
use message::{Message, StateError};
pub(crate) use seal::envelope as receipt_envelope;
use world::World;

/// What a transaction did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Hash of the transaction.
    pub hash: B256,
    /// Number of its block.
    pub block: u64,
    /// Time of its block, in Unix seconds.
    pub time: u64,
    /// Whether it neither reverted nor halted.
    pub success: bool,
    /// Gas used, after refunds.
    pub gas_used: u64,
    /// Returned data, deployed code, or revert data.
    pub output: Bytes,
    /// Why it stopped by itself (out of gas, invalid opcode, ...).
    pub halt: Option<String>,
    /// Address of the contract it created.
    pub contract: Option<Address>,
    /// Logs, none unless it succeeded.
    pub logs: Vec<Log>,
}

/// A point to come back to.
#[derive(Debug, Clone, Copy)]
struct Snapshot {
    id: u64,
    height: u64,
    hash: B256,
    time: Time,
}

/// Too many snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{SNAPSHOTS_MAX} snapshots are held already: revert to one of them first")]
pub struct SnapshotsFull;

/// An EVM chain in memory.
#[derive(Debug)]
pub struct Chain {
    config: Config,
    world: World,
    ledger: Ledger,
    time: Time,
    pool: Vec<Candidate>,
    snapshots: Vec<Snapshot>,
    snapshot_next: u64,
}

impl Chain {
    /// A chain with block 0 only: the funded accounts, the deployment proxy and `config.genesis`.
    pub fn new(config: Config) -> Self {
        let mut world = World::default();
        for address in DEV_ADDRESSES {
            world.seed(address, DEV_BALANCE_WEI, &Bytes::new());
        }
        world.seed(
            CREATE2_PROXY,
            U256::ZERO,
            &Bytes::from_static(&CREATE2_PROXY_CODE),
        );
        for account in &config.genesis {
            world.seed(account.address, account.balance_wei, &account.code);
        }
        let time = Time::new(config.clock);
        let genesis = seal::genesis(BlockView {
            number: 0,
            time: time.genesis(),
            base_fee: match config.base_fee {
                BaseFee::Follows { floor_wei } => floor_wei,
                BaseFee::Fixed(wei) => wei,
            },
            coinbase: config.coinbase,
            randao: B256::ZERO,
        });
        Self {
            ledger: Ledger::new(genesis, config.history),
            config,
            world,
            time,
            pool: Vec::new(),
            snapshots: Vec::new(),
            snapshot_next: 1,
        }
    }

    /// What it was started with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Number of the newest block.
    pub fn height(&self) -> u64 {
        self.ledger.height()
    }

    /// Time of the newest block, in Unix seconds.
    pub fn time(&self) -> u64 {
        self.ledger.head().time()
    }

    /// Time that the next block would have now.
    pub fn next_time(&self) -> u64 {
        self.time.next(self.time())
    }

    /// Base fee of the next block, in wei per gas.
    pub fn next_base_fee(&self) -> u64 {
        match self.config.base_fee {
            BaseFee::Fixed(wei) => wei,
            BaseFee::Follows { floor_wei } => {
                let head = self.ledger.head();
                let params = BaseFeeParams::ethereum();
                let (used, fee) = (head.header.gas_used, head.base_fee());
                calc_next_block_base_fee(used, BLOCK_GAS_LIMIT, fee, params).max(floor_wei)
            }
        }
    }

    /// Next nonce of `address`, not counting transactions that wait.
    pub fn nonce(&self, address: Address) -> u64 {
        self.world.account(address).map_or(0, |info| info.nonce)
    }

    /// Next nonce of `address` after the transactions that wait for a block.
    pub fn nonce_pending(&self, address: Address) -> u64 {
        let waiting = self.pool.iter().filter(|tx| tx.from == address).count();
        self.nonce(address) + waiting as u64
    }

    /// Takes a signed transaction (EIP-2718 bytes) and returns its hash. With
    /// [`Mining::PerTransaction`] it is in a block on return, else it waits for one.
    pub fn send(&mut self, raw: &[u8]) -> Result<B256, Refusal> {
        let candidate = Candidate::decode(raw, self.config.chain_id)?;
        let hash = candidate.hash();
        self.admit(candidate)?;
        if self.config.mining == Mining::PerTransaction {
            let refused = self.mine_pool();
            if let Some((_, refusal)) = refused.into_iter().find(|(other, _)| *other == hash) {
                return Err(refusal);
            }
        }
        Ok(hash)
    }

    /// Puts `message` into a block of its own, without a signature: any plain account may be the
    /// sender. Transactions that wait go on waiting. JSON-RPC has no door to this.
    pub fn apply(&mut self, message: &Message) -> Result<Applied, Refusal> {
        let base_fee = u128::from(self.next_base_fee());
        let (max, tip) = message
            .fee
            .map_or((base_fee, 0), |fee| (fee.max_wei, fee.tip_wei));
        let transaction = TxEip1559 {
            chain_id: self.config.chain_id,
            nonce: message.nonce.unwrap_or_else(|| self.nonce(message.from)),
            gas_limit: message.gas.unwrap_or(TX_GAS_CAP),
            max_fee_per_gas: max,
            max_priority_fee_per_gas: tip,
            to: message.kind(),
            value: message.value,
            access_list: message.access_list.clone(),
            input: message.data.clone(),
        };
        // No key signs: the sender stands in the signature, which keeps hashes distinct.
        let sender = U256::from_be_bytes(message.from.into_word().0);
        let signed = Signed::new_unhashed(transaction, Signature::new(sender, U256::ONE, false));
        let candidate = Candidate {
            envelope: TxEnvelope::Eip1559(signed),
            from: message.from,
        };
        candidate.check_form(self.next_base_fee())?;
        self.check_sender(&candidate, self.nonce(message.from), U256::ZERO)?;
        let mut sealed = self.seal(vec![candidate]);
        match (sealed.applied.pop(), sealed.refused.pop()) {
            (Some(applied), _) => Ok(applied),
            (None, Some((_, refusal))) => Err(refusal),
            (None, None) => Err(Refusal::Evm("the transaction fits no block".to_owned())),
        }
    }

    /// Makes a block, empty if nothing waits, and returns its number.
    pub fn mine(&mut self) -> u64 {
        self.mine_pool();
        self.height()
    }

    /// Moves the next block by `seconds`; returns all seconds added so far.
    pub fn increase_time(&mut self, seconds: u64) -> Result<u64, TimeError> {
        let newest = self.time();
        self.time.increase(seconds, newest)
    }

    /// Sets the time of the next block; later ones go on from there.
    pub fn set_next_time(&mut self, time: u64) -> Result<(), TimeError> {
        let newest = self.time();
        self.time.set_next(time, newest)
    }

    /// Marks this block and clock to come back to.
    pub fn snapshot(&mut self) -> Result<u64, SnapshotsFull> {
        if SNAPSHOTS_MAX <= self.snapshots.len() {
            return Err(SnapshotsFull);
        }
        let id = self.snapshot_next;
        self.snapshot_next += 1;
        let (height, hash) = (self.height(), self.ledger.head().hash);
        self.snapshots.push(Snapshot {
            id,
            height,
            hash,
            time: self.time,
        });
        Ok(id)
    }

    /// Goes back to a snapshot. It and all later ones are used up, transactions that wait are
    /// dropped. `false` if the snapshot is unknown or its block is no longer held.
    pub fn revert(&mut self, id: u64) -> bool {
        let Some(index) = self.snapshots.iter().position(|snapshot| snapshot.id == id) else {
            return false;
        };
        let snapshot = self.snapshots[index];
        self.snapshots.truncate(index);
        if self.ledger.hash_or_zero(snapshot.height) != snapshot.hash {
            return false;
        }
        while snapshot.height < self.height() {
            let Some(block) = self.ledger.pop() else {
                break;
            };
            self.world.undo(block.undo);
        }
        self.time = snapshot.time;
        self.pool.clear();
        true
    }

    /// Number of transactions that wait for a block.
    pub fn waiting(&self) -> usize {
        self.pool.len()
    }

    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(crate) fn pool(&self) -> &[Candidate] {
        &self.pool
    }

    /// A block that is held, or why it is not.
    pub(crate) fn held(&self, number: u64) -> Result<&Block, StateError> {
        let (oldest, newest) = (self.ledger.oldest(), self.height());
        self.ledger.block(number).ok_or(if number < oldest {
            StateError::Dropped {
                asked: number,
                oldest,
            }
        } else {
            StateError::Future {
                asked: number,
                newest,
            }
        })
    }

    pub(crate) fn next_block(&self) -> BlockView {
        let head = self.ledger.head();
        BlockView {
            number: head.header.number + 1,
            time: self.next_time(),
            base_fee: self.next_base_fee(),
            coinbase: self.config.coinbase,
            randao: keccak256(head.hash),
        }
    }

    fn mine_pool(&mut self) -> Vec<(B256, Refusal)> {
        let candidates = std::mem::take(&mut self.pool);
        let sealed = self.seal(candidates);
        self.pool = sealed.waiting;
        sealed.refused
    }

    /// Checks a candidate against the state and the pool, and lets it wait.
    fn admit(&mut self, candidate: Candidate) -> Result<(), Refusal> {
        let hash = candidate.hash();
        let known = self.pool.iter().any(|tx| tx.hash() == hash);
        if known || self.ledger.transaction(hash).is_some() {
            return Err(Refusal::Known(hash));
        }
        candidate.check_form(self.next_base_fee())?;
        let nonce = candidate.envelope.nonce();
        let replaced = self
            .pool
            .iter()
            .position(|tx| tx.from == candidate.from && tx.envelope.nonce() == nonce);
        let reserved = self
            .pool
            .iter()
            .filter(|tx| tx.from == candidate.from && tx.envelope.nonce() != nonce)
            .fold(U256::ZERO, |sum, tx| sum.saturating_add(tx.cost()));
        let next = match replaced {
            Some(_) => nonce,
            None => self.nonce_pending(candidate.from),
        };
        self.check_sender(&candidate, next, reserved)?;
        match replaced {
            Some(index) => {
                candidate.check_replaces(&self.pool[index])?;
                self.pool[index] = candidate;
            }
            None if POOL_TRANSACTIONS_MAX <= self.pool.len() => return Err(Refusal::PoolFull),
            None => self.pool.push(candidate),
        }
        Ok(())
    }

    /// Nonce, balance and kind of the sender; `reserved` wei are spoken for.
    fn check_sender(&self, tx: &Candidate, next: u64, reserved: U256) -> Result<(), Refusal> {
        let account = self.world.account(tx.from).cloned().unwrap_or_default();
        if !account.is_empty_code_hash() {
            return Err(Refusal::SenderHasCode(tx.from));
        }
        let have = tx.envelope.nonce();
        if have < next {
            return Err(Refusal::NonceLow { have, next });
        }
        if next < have {
            return Err(Refusal::NonceHigh { have, next });
        }
        let (have, need) = (account.balance.saturating_sub(reserved), tx.cost());
        if have < need {
            return Err(Refusal::Funds { have, need });
        }
        Ok(())
    }
}

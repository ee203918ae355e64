//! What a chain is started with, and the limits it holds.
//!
//! The rules of the EVM are those of mainnet at Osaka and cannot be changed: what passes here
//! must pass on a public chain. The limits of the node itself (history, pool, answers) bound its
//! memory; each is named in the error that reports it.

use alloy_primitives::{Address, Bytes, U256, address};
use std::time::Duration;

/// Highest gas limit of one transaction (EIP-7825).
pub const TX_GAS_CAP: u64 = 16_777_216;
/// Gas limit of a block.
pub const BLOCK_GAS_LIMIT: u64 = 60_000_000;
/// Longest deployed code in bytes (EIP-170).
pub const CODE_BYTES_MAX: usize = 24_576;
/// Longest creation code in bytes (EIP-3860).
pub const INITCODE_BYTES_MAX: usize = 49_152;
/// Longest signed transaction in bytes: what the pools of public nodes take.
pub const TX_BYTES_MAX: usize = 131_072;
/// Transactions that may wait for a block.
pub const POOL_TRANSACTIONS_MAX: usize = 4_096;
/// Snapshots that may be held at once.
pub const SNAPSHOTS_MAX: usize = 1_024;
/// Logs in one answer of `eth_getLogs`.
pub const LOGS_MAX: usize = 10_000;
/// Bytes of log data in one answer of `eth_getLogs`.
pub const LOG_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Latest time of a block, in Unix seconds: the end of the year 9999.
pub const TIME_MAX: u64 = 253_402_300_799;
/// Tip that `eth_maxPriorityFeePerGas` proposes, in wei per gas.
pub const TIP_SUGGESTED_WEI: u128 = 1_000_000_000;

/// One gwei, in wei.
pub const GWEI: u64 = 1_000_000_000;

/// How the base fee of the next block comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BaseFee {
    /// EIP-1559 on the gas used, starting at the floor and never below it.
    Follows {
        /// Lowest base fee, in wei per gas.
        floor_wei: u64,
    },
    /// The same in every block, in wei per gas.
    Fixed(u64),
}

/// Where the times of blocks come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The clock of this machine, plus what the time methods add.
    System,
    /// Block `n` is at `start + n`, plus what the time methods add: no wall clock at all.
    Steps {
        /// Time of block 0, in Unix seconds.
        start: u64,
    },
}

/// When blocks are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mining {
    /// One block per transaction, before the call that sent it returns.
    PerTransaction,
    /// A block at each tick, empty ones too. The server ticks; a bare [`crate::Chain`] waits for
    /// [`crate::Chain::mine`].
    Interval(Duration),
    /// Only on `evm_mine` or [`crate::Chain::mine`].
    OnDemand,
}

/// How much of the past is held. The oldest blocks go first; the newest block always stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// Most blocks held.
    pub blocks_max: usize,
    /// Most bytes held in transactions, logs and undo records, approximately.
    pub bytes_max: usize,
}

/// An account that exists in block 0 beside the funded accounts and the deployment proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GenesisAccount {
    /// Where it is.
    pub address: Address,
    /// What it owns, in wei.
    pub balance_wei: U256,
    /// Its runtime code; empty for a plain account.
    pub code: Bytes,
}

/// Everything a chain is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Chain id (EIP-155).
    pub chain_id: u64,
    /// TCP port on 127.0.0.1; 0 takes any free one. A bare [`crate::Chain`] ignores it.
    pub port: u16,
    /// Rule of the base fee.
    pub base_fee: BaseFee,
    /// Source of block times.
    pub clock: Clock,
    /// When blocks are made.
    pub mining: Mining,
    /// How much of the past is held.
    pub history: History,
    /// Who receives the tips.
    pub coinbase: Address,
    /// More accounts of block 0.
    pub genesis: Vec<GenesisAccount>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            chain_id: 1337,
            port: 0,
            base_fee: BaseFee::Follows { floor_wei: GWEI },
            clock: Clock::System,
            mining: Mining::PerTransaction,
            history: History {
                blocks_max: 100_000,
                bytes_max: 512 * 1024 * 1024,
            },
            coinbase: address!("00000000000000000000000000000000c01bba5e"),
            genesis: Vec::new(),
        }
    }
}

impl Config {
    /// A chain that answers the same on every run: block `n` is at `1_700_000_000 + n` and the
    /// base fee is one gwei for ever.
    pub fn deterministic() -> Self {
        Self {
            base_fee: BaseFee::Fixed(GWEI),
            clock: Clock::Steps {
                start: 1_700_000_000,
            },
            ..Self::default()
        }
    }
}

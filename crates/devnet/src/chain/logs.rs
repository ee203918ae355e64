//! Finding logs by block, address and topics.

use super::Chain;
use super::ledger::Block;
use super::message::StateError;
use crate::config::{LOG_BYTES_MAX, LOGS_MAX};
use alloy_primitives::Log;
use alloy_rpc_types_eth::{Filter, FilterSet};

/// Most addresses, and most alternatives per topic, in one filter.
pub const FILTER_ALTERNATIVES_MAX: usize = 1_024;

/// Why logs are not returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogsError {
    /// First block after last block.
    #[error("invalid block range: from {from} to {to}")]
    Range {
        /// First block.
        from: u64,
        /// Last block.
        to: u64,
    },
    /// The filter lists too much.
    #[error("filter lists {have} alternatives, the cap is {FILTER_ALTERNATIVES_MAX}")]
    Filter {
        /// Longest list in it.
        have: usize,
    },
    /// Too many logs.
    #[error("query returns more than {LOGS_MAX} logs: narrow the range, blocks up to {upto} fit")]
    Count {
        /// Last block whose logs still fit; one below the first block if not even that.
        upto: u64,
    },
    /// Too many bytes.
    #[error(
        "query returns more than {LOG_BYTES_MAX} bytes of log data: \
         narrow the range, blocks up to {upto} fit"
    )]
    Bytes {
        /// Last block whose logs still fit; one below the first block if not even that.
        upto: u64,
    },
    /// A block is not held.
    #[error(transparent)]
    State(#[from] StateError),
}

/// A log and where it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found<'a> {
    pub(crate) block: &'a Block,
    /// Index of the transaction in the block.
    pub(crate) transaction: usize,
    /// Index of the log in the block.
    pub(crate) index: u64,
    pub(crate) log: &'a Log,
}

impl Chain {
    /// The logs of blocks `from..=to` that `filter` lets through (its own block option is not
    /// looked at), oldest first; none above the newest block.
    pub(crate) fn find_logs(
        &self,
        filter: &Filter,
        from: u64,
        to: u64,
    ) -> Result<Vec<Found<'_>>, LogsError> {
        let widest = filter.topics.iter().map(FilterSet::len).max().unwrap_or(0);
        let have = widest.max(filter.address.len());
        if FILTER_ALTERNATIVES_MAX < have {
            return Err(LogsError::Filter { have });
        }
        if to < from {
            return Err(LogsError::Range { from, to });
        }
        if self.height() < from {
            return Ok(Vec::new());
        }
        self.held(from)?;
        let mut found = Vec::new();
        let mut bytes = 0;
        for number in from..=to.min(self.height()) {
            let block = self.held(number)?;
            if !filter.matches_bloom(block.header.logs_bloom) {
                continue;
            }
            for (transaction, mined) in block.transactions.iter().enumerate() {
                for (index, log) in (mined.first_log..).zip(&mined.receipt.logs) {
                    if !filter.matches(log) {
                        continue;
                    }
                    bytes += log.data.data.len();
                    let upto = number.saturating_sub(1);
                    if LOGS_MAX <= found.len() {
                        return Err(LogsError::Count { upto });
                    }
                    if LOG_BYTES_MAX < bytes {
                        return Err(LogsError::Bytes { upto });
                    }
                    found.push(Found {
                        block,
                        transaction,
                        index,
                        log,
                    });
                }
            }
        }
        Ok(found)
    }

    /// The logs of blocks `from..=to` that `filter` lets through, oldest first.
    pub fn logs(&self, filter: &Filter, from: u64, to: u64) -> Result<Vec<Log>, LogsError> {
        let found = self.find_logs(filter, from, to)?;
        Ok(found.into_iter().map(|found| found.log.clone()).collect())
    }
}

//! Calls: what to run, where, and what comes back.

use crate::config::TX_GAS_CAP;
use alloy_eips::eip2930::AccessList;
use alloy_primitives::{Address, B256, Bytes, Log, TxKind, U256};

/// A call or a creation that no key has signed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Sender; may be any address.
    pub from: Address,
    /// Receiver; `None` creates a contract from `data`.
    pub to: Option<Address>,
    /// Wei sent along.
    pub value: U256,
    /// Calldata, or creation code.
    pub data: Bytes,
    /// Gas limit; `None` is [`TX_GAS_CAP`].
    pub gas: Option<u64>,
    /// Fee per gas; `None` is nothing in a simulation, the base fee in a block.
    pub fee: Option<Fee>,
    /// Nonce; `None` is the sender's next.
    pub nonce: Option<u64>,
    /// Slots warmed in advance (EIP-2930).
    pub access_list: AccessList,
}

/// What a sender pays per gas, in wei.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fee {
    /// Most in all.
    pub max_wei: u128,
    /// Most above the base fee.
    pub tip_wei: u128,
}

impl Message {
    /// A call of `to`.
    pub fn call(from: Address, to: Address, data: impl Into<Bytes>) -> Self {
        Self {
            from,
            to: Some(to),
            data: data.into(),
            ..Self::default()
        }
    }

    /// A creation from `init_code` (constructor arguments appended).
    pub fn create(from: Address, init_code: impl Into<Bytes>) -> Self {
        Self {
            from,
            data: init_code.into(),
            ..Self::default()
        }
    }

    /// The same with `value` wei sent along.
    #[must_use]
    pub fn with_value(self, value: U256) -> Self {
        Self { value, ..self }
    }

    /// The same with a gas limit.
    #[must_use]
    pub fn with_gas(self, gas: u64) -> Self {
        Self {
            gas: Some(gas),
            ..self
        }
    }

    pub(crate) fn kind(&self) -> TxKind {
        self.to.map_or(TxKind::Create, TxKind::Call)
    }
}

/// The block in which a call runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// As if in the next block: newest state, next number, time and base fee.
    Next,
    /// After all transactions of this block, with its own number, time and base fee.
    Block(u64),
}

/// What a successful call returns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// Returned data, or the code that was deployed.
    pub output: Bytes,
    /// Gas used, after refunds.
    pub gas_used: u64,
    /// Logs it would leave.
    pub logs: Vec<Log>,
    /// Address of the contract it would create.
    pub contract: Option<Address>,
}

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The code reverted; `data` is what it returned: an ABI-encoded error, or nothing.
    #[error("execution reverted{}", explain(data))]
    Reverted {
        /// Returned data.
        data: Bytes,
        /// Gas used.
        gas_used: u64,
    },
    /// The run stopped by itself: out of gas, invalid opcode, stack, ...
    #[error("execution halted after {gas_used} gas: {reason}")]
    Halted {
        /// Name of the reason.
        reason: String,
        /// Gas used.
        gas_used: u64,
    },
    /// The gas limit is above the cap of EIP-7825.
    #[error("gas limit {have} of the call exceeds the cap {TX_GAS_CAP} (EIP-7825)")]
    GasCap {
        /// Gas limit asked for.
        have: u64,
    },
    /// The call could not start, for instance for want of funds.
    #[error("call cannot start: {0}")]
    Invalid(String),
    /// The block is not held.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Why there is no state to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Dropped from the history.
    #[error("block {asked} is no longer held: the oldest block held is {oldest}")]
    Dropped {
        /// Block asked for.
        asked: u64,
        /// Oldest block held.
        oldest: u64,
    },
    /// Not made yet.
    #[error("block {asked} is unknown: the newest block is {newest}")]
    Future {
        /// Block asked for.
        asked: u64,
        /// Newest block.
        newest: u64,
    },
    /// No block held has this hash.
    #[error("block {0} is unknown")]
    Hash(B256),
}

/// Selector of `Error(string)`.
const ERROR_STRING: [u8; 4] = [0x08, 0xc3, 0x79, 0xa0];
/// Longest reason repeated in a message, in bytes.
const REASON_BYTES_MAX: usize = 1_024;

/// `: reason` for `Error(string)`, `: custom error 0x...` for another selector, else nothing.
fn explain(data: &[u8]) -> String {
    if let Some(text) = reason(data) {
        return format!(": {text}");
    }
    match data.first_chunk::<4>() {
        Some(selector) => format!(
            ": custom error 0x{}",
            alloy_primitives::hex::encode(selector)
        ),
        None => String::new(),
    }
}

/// The text of an ABI-encoded `Error(string)`, if `data` is one.
fn reason(data: &[u8]) -> Option<String> {
    let body = data.strip_prefix(&ERROR_STRING)?;
    let length = U256::try_from_be_slice(body.get(32..64)?)?;
    let length = usize::try_from(length).ok()?;
    let text = body.get(64..64_usize.checked_add(length)?)?;
    Some(String::from_utf8_lossy(&text[..text.len().min(REASON_BYTES_MAX)]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::hex;

    #[test]
    fn a_revert_reason_is_read_only_from_a_whole_error_string() {
        let whole = hex!(
            "08c379a0"
            "0000000000000000000000000000000000000000000000000000000000000020"
            "0000000000000000000000000000000000000000000000000000000000000002"
            "6e6f000000000000000000000000000000000000000000000000000000000000"
        );
        assert_eq!(explain(&whole), ": no");
        assert_eq!(explain(&whole[..68]), ": custom error 0x08c379a0");
        assert_eq!(
            explain(&[0xde, 0xad, 0xbe, 0xef, 1]),
            ": custom error 0xdeadbeef"
        );
        assert_eq!(explain(&[1, 2]), "");
        let mut endless = whole;
        endless[36..68].fill(0xff);
        assert_eq!(explain(&endless), ": custom error 0x08c379a0");
    }
}

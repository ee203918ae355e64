//! Which transactions a block may hold.
//!
//! Everything that can be known before the run is checked here, in the order of [`Refusal`], so
//! that a transaction is either refused with its numbers or ends in a block: none vanishes.

use crate::config::{INITCODE_BYTES_MAX, POOL_TRANSACTIONS_MAX, TX_BYTES_MAX, TX_GAS_CAP};
use alloy_consensus::transaction::SignerRecoverable;
use alloy_consensus::{Transaction, TxEnvelope};
use alloy_eips::eip2718::Decodable2718;
use alloy_primitives::{Address, B256, U256};
use revm::context::TxEnv;

/// Why a transaction was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Longer than public pools take.
    #[error("transaction of {have} bytes exceeds the cap of {TX_BYTES_MAX} bytes")]
    Oversized {
        /// Its length in bytes.
        have: usize,
    },
    /// Not the canonical encoding of a transaction.
    #[error("transaction does not decode: {0}")]
    Malformed(String),
    /// Blobs (3) and code delegation (4) are not offered here.
    #[error(
        "transaction type {0} is not offered: send legacy (0), access list (1) or EIP-1559 (2)"
    )]
    Type(u8),
    /// A legacy transaction without replay protection.
    #[error("transaction names no chain id: sign it for chain {want} (EIP-155)")]
    ChainIdMissing {
        /// Id of this chain.
        want: u64,
    },
    /// Signed for another chain.
    #[error("invalid chain id: signed for chain {have}, this is chain {want}")]
    ChainId {
        /// Id in the transaction.
        have: u64,
        /// Id of this chain.
        want: u64,
    },
    /// No public key fits the signature, or its `s` is in the upper half (EIP-2).
    #[error("invalid signature: {0}")]
    Signature(String),
    /// In the pool or in a block already.
    #[error("already known: {0}")]
    Known(B256),
    /// Above the cap of EIP-7825.
    #[error("transaction gas limit {have} exceeds the cap {TX_GAS_CAP} (EIP-7825)")]
    GasCap {
        /// Gas limit of the transaction.
        have: u64,
    },
    /// Below the intrinsic gas or the calldata floor.
    #[error("intrinsic gas too low: have {have}, want {need}")]
    GasLow {
        /// Gas limit of the transaction.
        have: u64,
        /// Least limit that would do.
        need: u64,
    },
    /// Above the limit of EIP-3860.
    #[error("max initcode size exceeded: {have} bytes, cap {INITCODE_BYTES_MAX} (EIP-3860)")]
    Initcode {
        /// Length of the creation code in bytes.
        have: usize,
    },
    /// Pays more to the coinbase than in all.
    #[error("max priority fee per gas {tip} is higher than max fee per gas {max}")]
    TipAboveFee {
        /// Tip in wei per gas.
        tip: u128,
        /// Fee in wei per gas.
        max: u128,
    },
    /// Below the base fee of the next block.
    #[error("max fee per gas less than block base fee: max fee {have}, base fee {need}")]
    FeeLow {
        /// Fee in wei per gas.
        have: u128,
        /// Base fee in wei per gas.
        need: u64,
    },
    /// The sender is a contract (EIP-3607).
    #[error("sender {0} is a contract: only plain accounts send transactions (EIP-3607)")]
    SenderHasCode(Address),
    /// Used already.
    #[error("nonce too low: next nonce {next}, tx nonce {have}")]
    NonceLow {
        /// Nonce of the transaction.
        have: u64,
        /// Nonce that would be taken.
        next: u64,
    },
    /// Leaves a gap.
    #[error("nonce too high: next nonce {next}, tx nonce {have}")]
    NonceHigh {
        /// Nonce of the transaction.
        have: u64,
        /// Nonce that would be taken.
        next: u64,
    },
    /// The sender cannot pay gas and value, after what waits in the pool.
    #[error("insufficient funds for gas * price + value: have {have} want {need}")]
    Funds {
        /// Balance in wei, less what waiting transactions may take.
        have: U256,
        /// Most that this transaction may take, in wei.
        need: U256,
    },
    /// Replaces a waiting transaction without paying a tenth more.
    #[error("replacement transaction underpriced: fee and tip must reach {fee} and {tip} wei")]
    Underpriced {
        /// Least fee in wei per gas.
        fee: u128,
        /// Least tip in wei per gas.
        tip: u128,
    },
    /// Too much waits for a block.
    #[error("transaction pool is full: {POOL_TRANSACTIONS_MAX} transactions wait for a block")]
    PoolFull,
    /// The EVM refused it for a reason not listed above.
    #[error("transaction refused by the EVM: {0}")]
    Evm(String),
}

/// A transaction whose form is right and whose sender is known.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    pub(crate) envelope: TxEnvelope,
    pub(crate) from: Address,
}

impl Candidate {
    /// Decodes a signed transaction and recovers its sender.
    pub(crate) fn decode(raw: &[u8], chain_id: u64) -> Result<Self, Refusal> {
        if TX_BYTES_MAX < raw.len() {
            return Err(Refusal::Oversized { have: raw.len() });
        }
        if let Some(kind @ (3..=0x7f)) = raw.first().copied() {
            return Err(Refusal::Type(kind));
        }
        let envelope = TxEnvelope::decode_2718_exact(raw)
            .map_err(|error| Refusal::Malformed(error.to_string()))?;
        match envelope.chain_id() {
            None => return Err(Refusal::ChainIdMissing { want: chain_id }),
            Some(have) if have != chain_id => {
                return Err(Refusal::ChainId {
                    have,
                    want: chain_id,
                });
            }
            Some(_) => {}
        }
        let from = envelope
            .recover_signer()
            .map_err(|error| Refusal::Signature(error.to_string()))?;
        Ok(Self { envelope, from })
    }

    pub(crate) fn hash(&self) -> B256 {
        *self.envelope.tx_hash()
    }

    /// The checks that need no state.
    pub(crate) fn check_form(&self, base_fee: u64) -> Result<(), Refusal> {
        let tx = &self.envelope;
        if TX_GAS_CAP < tx.gas_limit() {
            return Err(Refusal::GasCap {
                have: tx.gas_limit(),
            });
        }
        if tx.is_create() && INITCODE_BYTES_MAX < tx.input().len() {
            return Err(Refusal::Initcode {
                have: tx.input().len(),
            });
        }
        let need = super::evm::intrinsic_gas(&self.env());
        if tx.gas_limit() < need {
            return Err(Refusal::GasLow {
                have: tx.gas_limit(),
                need,
            });
        }
        let (max, tip) = (
            tx.max_fee_per_gas(),
            tx.max_priority_fee_per_gas().unwrap_or(0),
        );
        if max < tip {
            return Err(Refusal::TipAboveFee { tip, max });
        }
        if max < u128::from(base_fee) {
            return Err(Refusal::FeeLow {
                have: max,
                need: base_fee,
            });
        }
        Ok(())
    }

    /// The most that this transaction may take from its sender, in wei; saturates.
    pub(crate) fn cost(&self) -> U256 {
        let fee = U256::from(self.envelope.max_fee_per_gas());
        fee.saturating_mul(U256::from(self.envelope.gas_limit()))
            .saturating_add(self.envelope.value())
    }

    /// Whether this may take the place of `old`, which has the same sender and nonce.
    pub(crate) fn check_replaces(&self, old: &Self) -> Result<(), Refusal> {
        let raised = |wei: u128| wei.saturating_add(wei.div_ceil(10));
        let tip = |tx: &TxEnvelope| {
            tx.max_priority_fee_per_gas()
                .unwrap_or(tx.max_fee_per_gas())
        };
        let least = Refusal::Underpriced {
            fee: raised(old.envelope.max_fee_per_gas()),
            tip: raised(tip(&old.envelope)),
        };
        let enough = raised(old.envelope.max_fee_per_gas()) <= self.envelope.max_fee_per_gas()
            && raised(tip(&old.envelope)) <= tip(&self.envelope);
        if enough { Ok(()) } else { Err(least) }
    }

    /// The transaction as the EVM takes it.
    pub(crate) fn env(&self) -> TxEnv {
        let tx = &self.envelope;
        TxEnv {
            tx_type: tx.tx_type().into(),
            caller: self.from,
            gas_limit: tx.gas_limit(),
            gas_price: tx.max_fee_per_gas(),
            kind: tx.kind(),
            value: tx.value(),
            data: tx.input().clone(),
            nonce: tx.nonce(),
            chain_id: tx.chain_id(),
            access_list: tx.access_list().cloned().unwrap_or_default(),
            gas_priority_fee: tx.max_priority_fee_per_gas(),
            ..TxEnv::default()
        }
    }
}

//! One run of the EVM, under the rules of mainnet at Osaka.
//!
//! The spec is named here and nowhere else. Nothing of it is overridden: gas cap per transaction
//! (EIP-7825), code size (EIP-170), creation code (EIP-3860), calldata floor (EIP-7623).

use super::view::View;
use alloy_primitives::{Address, B256, U256};
use revm::context::result::{EVMError, InvalidTransaction, ResultAndState};
use revm::context::{BlockEnv, CfgEnv, Context, TxEnv};
use revm::context_interface::cfg::GasParams;
use revm::database_interface::WrapDatabaseRef;
use revm::primitives::hardfork::SpecId;
use revm::{ExecuteEvm, MainBuilder, MainContext};
use std::convert::Infallible;

/// The rules of this chain. `SpecId::NEXT` is not final and would allow longer code.
pub(crate) const SPEC: SpecId = SpecId::OSAKA;

/// What a block tells the code that runs in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BlockView {
    pub(crate) number: u64,
    pub(crate) time: u64,
    pub(crate) base_fee: u64,
    pub(crate) coinbase: Address,
    pub(crate) randao: B256,
}

/// Who asks for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A transaction for a block: every check of a public chain.
    Block,
    /// A call that changes nothing: any sender (contracts too) and any nonce. Without a fee,
    /// the base fee is not asked for.
    Simulation,
}

/// Runs one transaction. Fails only where the transaction may not enter a block.
pub(crate) fn run(
    view: View<'_>,
    chain_id: u64,
    block: BlockView,
    transaction: TxEnv,
    purpose: Purpose,
) -> Result<ResultAndState, EVMError<Infallible, InvalidTransaction>> {
    let mut rules = CfgEnv::new_with_spec(SPEC).with_chain_id(chain_id);
    if purpose == Purpose::Simulation {
        rules.disable_nonce_check = true;
        rules.disable_eip3607 = true;
        rules.disable_base_fee = transaction.gas_price == 0;
    }
    let mut environment = BlockEnv {
        number: U256::from(block.number),
        beneficiary: block.coinbase,
        timestamp: U256::from(block.time),
        gas_limit: crate::config::BLOCK_GAS_LIMIT,
        basefee: block.base_fee,
        difficulty: U256::ZERO,
        prevrandao: Some(block.randao),
        ..BlockEnv::default()
    };
    let blob_fraction = revm::primitives::eip4844::BLOB_BASE_FEE_UPDATE_FRACTION_PRAGUE;
    environment.set_blob_excess_gas_and_price(0, blob_fraction);
    Context::mainnet()
        .with_db(WrapDatabaseRef(view))
        .with_cfg(rules)
        .with_block(environment)
        .build_mainnet()
        .transact(transaction)
}

/// Least gas limit with which a transaction may enter a block: its intrinsic gas, or the floor
/// on calldata (EIP-7623) if that is higher.
pub(crate) fn intrinsic_gas(transaction: &TxEnv) -> u64 {
    let gas = GasParams::new_spec(SPEC).initial_tx_gas_for_tx(transaction, None);
    gas.initial_total_gas().max(gas.floor_gas())
}

//! Small contracts in bytecode, and signed transactions.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_eips::eip2930::AccessList;
use alloy_network::TxSignerSync;
use alloy_primitives::{Address, Bytes, TxKind, U256, hex};
use alloy_signer_local::PrivateKeySigner;
use selfsame_devnet::{Chain, Message, dev_address, dev_key};

/// Without calldata: returns slot 0. With: stores the first word there and logs it as a topic.
pub(crate) const CELL: &[u8] = &hex!("36600c575f545f5260205ff35b5f35805f555f5fa100");
/// Reverts with its calldata.
pub(crate) const REVERTER: &[u8] = &hex!("365f5f37365ffd");
/// Returns the time of the block.
pub(crate) const TIME: &[u8] = &hex!("425f5260205ff3");
/// Never ends.
pub(crate) const LOOP: &[u8] = &hex!("5b5f56");

/// Passes its calldata on to `target` and reverts if that fails.
pub(crate) fn forwarder(target: Address) -> Vec<u8> {
    let mut code = hex!("365f5f375f5f365f5f73").to_vec();
    code.extend_from_slice(target.as_slice());
    code.extend_from_slice(&hex!("5af16026575f5ffd5b00"));
    code
}

/// Creation code for `runtime`, at most 255 bytes long.
pub(crate) fn creation(runtime: &[u8]) -> Vec<u8> {
    let length = u8::try_from(runtime.len()).unwrap();
    let mut code = vec![0x60, length, 0x80, 0x60, 0x09, 0x5f, 0x39, 0x5f, 0xf3];
    code.extend_from_slice(runtime);
    code
}

/// Creation code for `length` zero bytes.
pub(crate) fn creation_of_zeroes(length: u16) -> Vec<u8> {
    let [high, low] = length.to_be_bytes();
    vec![0x61, high, low, 0x5f, 0xf3]
}

/// Deploys `runtime` from account 9.
pub(crate) fn deploy(chain: &mut Chain, runtime: &[u8]) -> Address {
    let applied = chain
        .apply(&Message::create(dev_address(9), creation(runtime)))
        .unwrap();
    assert!(applied.success);
    applied.contract.unwrap()
}

pub(crate) fn word(number: u64) -> Vec<u8> {
    U256::from(number).to_be_bytes_vec()
}

/// A plain transfer with generous fees, for changing before it is signed.
pub(crate) fn transfer(chain: &Chain, nonce: u64) -> TxEip1559 {
    TxEip1559 {
        chain_id: chain.config().chain_id,
        nonce,
        gas_limit: 21_000,
        max_fee_per_gas: 10_000_000_000,
        max_priority_fee_per_gas: 1_000_000_000,
        to: TxKind::Call(dev_address(1)),
        value: U256::from(1),
        access_list: AccessList::default(),
        input: Bytes::new(),
    }
}

/// `transaction` signed by funded account `index`.
pub(crate) fn signed(mut transaction: TxEip1559, index: usize) -> Vec<u8> {
    let signer = PrivateKeySigner::from_bytes(&dev_key(index)).unwrap();
    signed_by(&mut transaction, &signer)
}

pub(crate) fn signed_by(transaction: &mut TxEip1559, signer: &PrivateKeySigner) -> Vec<u8> {
    let signature = signer.sign_transaction_sync(transaction).unwrap();
    TxEnvelope::from(transaction.clone().into_signed(signature)).encoded_2718()
}

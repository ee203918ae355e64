//! Which transactions are taken, and what becomes of those that wait.

mod common;

use alloy_primitives::{U256, hex, keccak256};
use alloy_signer_local::PrivateKeySigner;
use common::{CELL, deploy, signed, signed_by, transfer};
use selfsame_devnet::config::{
    BLOCK_GAS_LIMIT, GWEI, Mining, POOL_TRANSACTIONS_MAX, TX_BYTES_MAX, TX_GAS_CAP,
};
use selfsame_devnet::{Chain, Config, Message, Refusal, dev_address};

fn chain() -> Chain {
    Chain::new(Config::deterministic())
}

fn on_demand() -> Chain {
    Chain::new(Config {
        mining: Mining::OnDemand,
        ..Config::deterministic()
    })
}

#[test]
fn a_transaction_above_the_gas_cap_is_refused_with_both_numbers() {
    let mut chain = chain();
    let mut tx = transfer(&chain, 0);
    tx.gas_limit = TX_GAS_CAP + 1;
    let refused = chain.send(&signed(tx.clone(), 0)).unwrap_err();
    assert_eq!(
        refused,
        Refusal::GasCap {
            have: TX_GAS_CAP + 1
        }
    );
    assert!(refused.to_string().contains("16777217") && refused.to_string().contains("16777216"));
    tx.gas_limit = TX_GAS_CAP;
    chain.send(&signed(tx, 0)).unwrap();
}

#[test]
fn an_unfunded_transaction_is_refused_with_need_and_have() {
    let mut chain = chain();
    let poor = PrivateKeySigner::from_bytes(&keccak256("poor")).unwrap();
    let mut tx = transfer(&chain, 0);
    let need = U256::from(21_000_u64 * 10 * GWEI + 1);
    let refused = chain.send(&signed_by(&mut tx, &poor)).unwrap_err();
    assert_eq!(
        refused,
        Refusal::Funds {
            have: U256::ZERO,
            need
        }
    );
    assert_eq!((chain.height(), chain.waiting()), (0, 0));
}

#[test]
fn what_waits_in_the_pool_is_counted_against_the_balance() {
    let mut chain = on_demand();
    let half = U256::from(6_000) * U256::from(10).pow(U256::from(18));
    for (nonce, taken) in [(0, true), (1, false)] {
        let mut tx = transfer(&chain, nonce);
        tx.value = half;
        let sent = chain.send(&signed(tx, 0));
        assert_eq!(sent.is_ok(), taken);
        assert_eq!(matches!(sent, Err(Refusal::Funds { .. })), !taken);
    }
}

#[test]
fn nonces_too_low_and_too_high_are_refused_with_both_numbers() {
    let mut chain = chain();
    chain.send(&signed(transfer(&chain, 0), 0)).unwrap();
    let mut again = transfer(&chain, 0);
    again.value = U256::from(2);
    let low = chain.send(&signed(again, 0)).unwrap_err();
    assert_eq!(low, Refusal::NonceLow { have: 0, next: 1 });
    let high = chain.send(&signed(transfer(&chain, 3), 0)).unwrap_err();
    assert_eq!(high, Refusal::NonceHigh { have: 3, next: 1 });
    assert_eq!(chain.height(), 1);
}

#[test]
fn each_other_reason_refuses_by_its_name() {
    let mut chain = chain();
    let first = signed(transfer(&chain, 0), 0);
    let hash = chain.send(&first).unwrap();
    assert_eq!(chain.send(&first), Err(Refusal::Known(hash)));
    let mut tx = transfer(&chain, 1);
    tx.chain_id = 1;
    assert_eq!(
        chain.send(&signed(tx, 0)),
        Err(Refusal::ChainId {
            have: 1,
            want: 1337
        })
    );
    let mut tx = transfer(&chain, 1);
    tx.gas_limit = 20_999;
    assert_eq!(
        chain.send(&signed(tx, 0)),
        Err(Refusal::GasLow {
            have: 20_999,
            need: 21_000
        })
    );
    let mut tx = transfer(&chain, 1);
    tx.max_fee_per_gas = u128::from(GWEI) - 1;
    tx.max_priority_fee_per_gas = 0;
    let low = Refusal::FeeLow {
        have: u128::from(GWEI) - 1,
        need: GWEI,
    };
    assert_eq!(chain.send(&signed(tx, 0)), Err(low));
    let mut tx = transfer(&chain, 1);
    tx.max_priority_fee_per_gas = tx.max_fee_per_gas + 1;
    assert!(matches!(
        chain.send(&signed(tx, 0)),
        Err(Refusal::TipAboveFee { .. })
    ));
    for kind in [3, 4, 5, 0x7f] {
        assert_eq!(chain.send(&[kind, 0xc0]), Err(Refusal::Type(kind)));
    }
    assert_eq!(
        chain.send(&vec![2; TX_BYTES_MAX + 1]),
        Err(Refusal::Oversized {
            have: TX_BYTES_MAX + 1
        })
    );
    let mut longer = signed(transfer(&chain, 1), 0);
    longer.push(0);
    for bytes in [&[][..], &[2], &[0xc0], &longer] {
        let refused = chain.send(bytes).unwrap_err();
        assert!(matches!(refused, Refusal::Malformed(_)), "{refused}");
    }
    let contract = deploy(&mut chain, CELL);
    let message = Message::call(contract, dev_address(0), vec![]);
    assert_eq!(chain.apply(&message), Err(Refusal::SenderHasCode(contract)));
}

#[test]
fn a_signature_with_its_s_in_the_upper_half_is_refused() {
    let mut chain = chain();
    let raw = signed(transfer(&chain, 0), 0);
    let low = U256::from_be_slice(&raw[raw.len() - 32..]);
    let order = U256::from_be_bytes(hex!(
        "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
    ));
    let mut twisted = raw[..raw.len() - 32].to_vec();
    twisted.extend_from_slice(&(order - low).to_be_bytes::<32>());
    let refused = chain.send(&twisted).unwrap_err();
    assert!(matches!(refused, Refusal::Signature(_)), "{refused}");
}

#[test]
fn a_waiting_transaction_is_replaced_only_for_a_tenth_more() {
    let mut chain = on_demand();
    chain.send(&signed(transfer(&chain, 0), 0)).unwrap();
    chain.send(&signed(transfer(&chain, 1), 0)).unwrap();
    assert_eq!(chain.nonce_pending(dev_address(0)), 2);
    let mut bumped = transfer(&chain, 0);
    bumped.max_fee_per_gas = 11_000_000_000;
    bumped.max_priority_fee_per_gas = 1_099_999_999;
    let refused = chain.send(&signed(bumped.clone(), 0)).unwrap_err();
    assert_eq!(
        refused,
        Refusal::Underpriced {
            fee: 11_000_000_000,
            tip: 1_100_000_000
        }
    );
    bumped.max_priority_fee_per_gas = 1_100_000_000;
    chain.send(&signed(bumped, 0)).unwrap();
    assert_eq!((chain.mine(), chain.waiting()), (1, 0));
    assert_eq!(chain.nonce(dev_address(0)), 2);
}

#[test]
fn a_full_block_leaves_the_rest_waiting_in_order() {
    let mut chain = on_demand();
    for nonce in 0..5 {
        let mut tx = transfer(&chain, nonce);
        tx.gas_limit = TX_GAS_CAP;
        chain.send(&signed(tx, 0)).unwrap();
    }
    let fit = BLOCK_GAS_LIMIT / TX_GAS_CAP;
    assert_eq!(fit, 3);
    chain.mine();
    // Gas that was not used is given back: only limits bind, one after the other.
    assert_eq!(
        chain.waiting() + usize::try_from(chain.nonce(dev_address(0))).unwrap(),
        5
    );
    chain.mine();
    assert_eq!((chain.waiting(), chain.nonce(dev_address(0))), (0, 5));
}

#[test]
fn the_pool_is_bounded() {
    let mut chain = on_demand();
    for nonce in 0..POOL_TRANSACTIONS_MAX as u64 {
        chain.send(&signed(transfer(&chain, nonce), 0)).unwrap();
    }
    let refused = chain.send(&signed(transfer(&chain, 0), 1)).unwrap_err();
    assert_eq!(refused, Refusal::PoolFull);
}

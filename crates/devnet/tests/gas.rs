//! The limits and prices of mainnet, and estimates exact to the unit.

mod common;

use alloy_primitives::{Address, Bytes, U256, hex};
use common::{
    CELL, LOOP, REVERTER, creation, creation_of_zeroes, deploy, forwarder, signed, transfer, word,
};
use proptest::prelude::*;
use selfsame_devnet::config::{BaseFee, GWEI, Mining, TX_GAS_CAP};
use selfsame_devnet::{At, CallError, Chain, Config, Fee, Message, Refusal, dev_address};

fn chain() -> Chain {
    Chain::new(Config::deterministic())
}

#[test]
fn a_call_without_gas_runs_with_the_cap_and_one_above_it_is_refused() {
    let mut chain = chain();
    let contract = deploy(&mut chain, LOOP);
    let message = Message::call(dev_address(0), contract, vec![]);
    let halted = chain.call(&message, At::Next).unwrap_err();
    assert!(
        matches!(
            halted,
            CallError::Halted {
                gas_used: TX_GAS_CAP,
                ..
            }
        ),
        "{halted}"
    );
    let above = message.with_gas(TX_GAS_CAP + 1);
    let refused = chain.call(&above, At::Next).unwrap_err();
    assert_eq!(
        refused,
        CallError::GasCap {
            have: TX_GAS_CAP + 1
        }
    );
    assert!(refused.to_string().contains("16777217") && refused.to_string().contains("16777216"));
}

#[test]
fn a_transfer_is_estimated_at_21000_exactly() {
    let message = Message::call(dev_address(0), dev_address(1), vec![]);
    assert_eq!(
        chain().estimate(&message.with_value(U256::from(1)), At::Next),
        Ok(21_000)
    );
}

#[test]
fn an_estimate_that_the_balance_cannot_pay_says_so() {
    let fee = Fee {
        max_wei: u128::from(GWEI),
        tip_wei: 0,
    };
    let poor = Address::repeat_byte(7);
    let message = Message {
        fee: Some(fee),
        ..Message::call(poor, dev_address(1), vec![])
    };
    let refused = chain()
        .estimate(&message, At::Next)
        .unwrap_err()
        .to_string();
    assert!(refused.contains("balance of 0 wei"), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Stores, clears (refund), calls through a contract (63/64), and calldata above the floor.
    #[test]
    fn an_estimate_is_enough_and_one_less_is_not(
        before in 0_u64..2, after in 0_u64..2, depth in 0_usize..4, padding in 0_usize..3_000,
    ) {
        let mut chain = chain();
        let mut target = deploy(&mut chain, CELL);
        chain.apply(&Message::call(dev_address(0), target, word(before))).unwrap();
        for _ in 0..depth {
            target = deploy(&mut chain, &forwarder(target));
        }
        let mut data = word(after);
        data.resize(32 + padding, 0xff);
        let message = Message::call(dev_address(0), target, data);
        let gas = chain.estimate(&message, At::Next).unwrap();
        prop_assert!(chain.call(&message.clone().with_gas(gas), At::Next).is_ok());
        prop_assert!(chain.call(&message.clone().with_gas(gas - 1), At::Next).is_err());
        prop_assert!(chain.apply(&message.with_gas(gas)).unwrap().success);
    }
}

#[test]
fn deployed_code_stops_at_24576_bytes() {
    let mut chain = chain();
    for (length, fits) in [(24_576, true), (24_577, false)] {
        let message = Message::create(dev_address(0), creation_of_zeroes(length));
        let applied = chain.apply(&message).unwrap();
        assert_eq!(applied.success, fits, "{:?}", applied.halt);
        let code = applied
            .contract
            .map(|at| chain.code(at, At::Next).unwrap().len());
        assert_eq!(code, fits.then_some(24_576));
    }
}

#[test]
fn creation_code_stops_at_49152_bytes() {
    let mut chain = chain();
    let mut code = creation_of_zeroes(1);
    code.resize(49_152, 0);
    assert!(
        chain
            .apply(&Message::create(dev_address(0), code.clone()))
            .unwrap()
            .success
    );
    code.push(0);
    let refused = chain
        .apply(&Message::create(dev_address(0), code))
        .unwrap_err();
    assert_eq!(refused, Refusal::Initcode { have: 49_153 });
}

#[test]
fn calldata_costs_its_floor() {
    let message = Message::call(dev_address(0), dev_address(1), vec![1; 1_000]);
    let mut chain = chain();
    assert_eq!(chain.estimate(&message, At::Next), Ok(61_000));
    assert_eq!(
        chain
            .apply(&message.clone().with_gas(61_000))
            .unwrap()
            .gas_used,
        61_000
    );
    let refused = chain.apply(&message.with_gas(60_999)).unwrap_err();
    assert_eq!(
        refused,
        Refusal::GasLow {
            have: 60_999,
            need: 61_000
        }
    );
}

#[test]
fn osaka_opcodes_run_and_later_ones_do_not() {
    let mut chain = chain();
    // CLZ (0x1e) of 1 is 255: Osaka has it.
    let clz = deploy(&mut chain, &hex!("60011e5f5260205ff3"));
    let called = chain
        .call(&Message::call(dev_address(0), clz, vec![]), At::Next)
        .unwrap();
    assert_eq!(U256::from_be_slice(&called.output), U256::from(255));
    // SLOTNUM (0x4b) belongs to Amsterdam.
    let slot = deploy(&mut chain, &hex!("4b5f5260205ff3"));
    let halted = chain.call(&Message::call(dev_address(0), slot, vec![]), At::Next);
    assert!(matches!(halted, Err(CallError::Halted { .. })));
}

#[test]
fn the_base_fee_follows_usage_and_keeps_its_floor() {
    let base_fee = BaseFee::Follows { floor_wei: GWEI };
    let mut chain = Chain::new(Config {
        base_fee,
        mining: Mining::OnDemand,
        ..Config::deterministic()
    });
    chain.mine();
    assert_eq!(chain.next_base_fee(), GWEI);
    let waste = chain
        .apply(&Message::create(dev_address(9), creation(LOOP)))
        .unwrap();
    for index in 0..3 {
        let mut tx = transfer(&chain, 0);
        tx.to = waste.contract.unwrap().into();
        tx.gas_limit = TX_GAS_CAP;
        chain.send(&signed(tx, index)).unwrap();
    }
    chain.mine();
    // 50,331,648 of 30,000,000 wanted: up by an eighth of the excess.
    assert_eq!(
        chain.next_base_fee(),
        GWEI + GWEI * 20_331_648 / 30_000_000 / 8
    );
    for _ in 0..9 {
        chain.mine();
    }
    assert_eq!(chain.next_base_fee(), GWEI);
}

#[test]
fn revert_data_comes_back_whole() {
    let mut chain = chain();
    let contract = deploy(&mut chain, REVERTER);
    let data = Bytes::from(hex!("deadbeef0102"));
    let message = Message::call(dev_address(0), contract, data.clone());
    let CallError::Reverted { data: returned, .. } = chain.call(&message, At::Next).unwrap_err()
    else {
        panic!("did not revert")
    };
    assert_eq!(returned, data);
    assert!(matches!(
        chain.estimate(&message, At::Next),
        Err(CallError::Reverted { .. })
    ));
    let applied = chain.apply(&message).unwrap();
    assert_eq!(
        (applied.success, applied.output, applied.logs.len()),
        (false, data, 0)
    );
}

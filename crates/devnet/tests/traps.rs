//! Each mistake that an embedded chain easily makes, and the limits of mainnet.

mod common;

use alloy_primitives::{Address, Bytes, U256, hex, keccak256};
use alloy_signer_local::PrivateKeySigner;
use common::{CELL, LOOP, REVERTER, TIME, creation, creation_of_zeroes, deploy, forwarder, signed};
use common::{signed_by, transfer, word};
use proptest::prelude::*;
use selfsame_devnet::config::{
    BLOCK_GAS_LIMIT, BaseFee, Clock, GWEI, History, Mining, POOL_TRANSACTIONS_MAX, TIME_MAX,
    TX_BYTES_MAX, TX_GAS_CAP,
};
use selfsame_devnet::{
    At, CallError, Chain, Config, LogsError, Message, Refusal, StateError, TimeError, dev_address,
};

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
fn a_transfer_is_estimated_at_21000_exactly() {
    let message = Message::call(dev_address(0), dev_address(1), vec![]);
    assert_eq!(
        chain().estimate(&message.with_value(U256::from(1)), At::Next),
        Ok(21_000)
    );
}

#[test]
fn an_estimate_that_the_balance_cannot_pay_says_so() {
    let fee = selfsame_devnet::Fee {
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

    /// Transfers among the funded accounts: what the senders pay is received, burnt or tipped;
    /// going back restores every balance; old states stay readable meanwhile.
    #[test]
    fn reverting_restores_every_state(
        transfers in prop::collection::vec((0_usize..10, 0_usize..10, 0_u64..1_000), 1..12),
        cut in 0_usize..12,
    ) {
        let mut chain = chain();
        let cell = deploy(&mut chain, CELL);
        let all = |chain: &Chain, at| {
            let mut state: Vec<U256> =
                (0..10).map(|i| chain.balance(dev_address(i), at).unwrap()).collect();
            state.push(chain.storage(cell, U256::ZERO, at).unwrap());
            state
        };
        let mut states = vec![all(&chain, At::Next)];
        let first = chain.height();
        let mut snapshots = vec![chain.snapshot().unwrap()];
        for (from, to, value) in transfers {
            let message = if value % 2 == 0 {
                Message::call(dev_address(from), dev_address(to), vec![])
                    .with_value(U256::from(value))
            } else {
                Message::call(dev_address(from), cell, word(value))
            };
            chain.apply(&message).unwrap();
            states.push(all(&chain, At::Next));
            snapshots.push(chain.snapshot().unwrap());
        }
        for (number, state) in (first..).zip(&states) {
            prop_assert_eq!(&all(&chain, At::Block(number)), state);
        }
        let cut = cut.min(states.len() - 1);
        prop_assert!(chain.revert(snapshots[cut]));
        prop_assert_eq!(&all(&chain, At::Next), &states[cut]);
        prop_assert_eq!(chain.height(), first + cut as u64);
        prop_assert!(!chain.revert(snapshots[cut]), "a snapshot is used up");
    }
}

#[test]
fn a_block_no_longer_held_is_refused_with_the_oldest_one_held() {
    let history = History {
        blocks_max: 4,
        bytes_max: usize::MAX,
    };
    let mut chain = Chain::new(Config {
        history,
        ..Config::deterministic()
    });
    let cell = deploy(&mut chain, CELL);
    for value in 2..10 {
        chain
            .apply(&Message::call(dev_address(0), cell, word(value)))
            .unwrap();
    }
    assert_eq!(chain.height(), 9);
    for block in 6..=9 {
        assert_eq!(
            chain.storage(cell, U256::ZERO, At::Block(block)),
            Ok(U256::from(block))
        );
    }
    let dropped = StateError::Dropped {
        asked: 5,
        oldest: 6,
    };
    assert_eq!(chain.storage(cell, U256::ZERO, At::Block(5)), Err(dropped));
    assert_eq!(
        chain.logs(&Default::default(), 5, 9),
        Err(LogsError::State(dropped))
    );
    assert!(dropped.to_string().contains("oldest block held is 6"));
    let future = StateError::Future {
        asked: 10,
        newest: 9,
    };
    assert_eq!(chain.balance(cell, At::Block(10)), Err(future));
}

#[test]
fn history_is_bounded_in_bytes_too() {
    let history = History {
        blocks_max: usize::MAX,
        bytes_max: 100_000,
    };
    let mut chain = Chain::new(Config {
        history,
        ..Config::deterministic()
    });
    for _ in 0..20 {
        chain
            .apply(&Message::call(
                dev_address(0),
                dev_address(1),
                vec![1; 20_000],
            ))
            .unwrap();
    }
    let dropped = chain.balance(dev_address(0), At::Block(10)).unwrap_err();
    let StateError::Dropped { oldest, .. } = dropped else {
        panic!("{dropped}")
    };
    assert!((16..=20).contains(&oldest), "{oldest}");
}

#[test]
fn a_snapshot_whose_block_was_dropped_does_not_come_back() {
    let history = History {
        blocks_max: 2,
        bytes_max: usize::MAX,
    };
    let mut chain = Chain::new(Config {
        history,
        ..Config::deterministic()
    });
    let snapshot = chain.snapshot().unwrap();
    (0..3).for_each(|_| drop(chain.mine()));
    assert!(!chain.revert(snapshot));
    assert_eq!(chain.height(), 3);
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
    (0..9).for_each(|_| drop(chain.mine()));
    assert_eq!(chain.next_base_fee(), GWEI);
}

#[test]
fn time_moves_as_told_and_never_backwards() {
    let mut chain = chain();
    let start = 1_700_000_000;
    let clock = deploy(&mut chain, TIME);
    let seen = |chain: &Chain, at| {
        let called = chain
            .call(&Message::call(dev_address(0), clock, vec![]), at)
            .unwrap();
        U256::from_be_slice(&called.output).to::<u64>()
    };
    assert_eq!(
        (chain.time(), seen(&chain, At::Next)),
        (start + 1, start + 2)
    );
    assert_eq!(chain.increase_time(100), Ok(100));
    assert_eq!(
        seen(&chain, At::Next),
        start + 102,
        "a call sees time that was moved"
    );
    assert_eq!(seen(&chain, At::Block(1)), start + 1);
    chain.mine();
    chain.mine();
    assert_eq!(chain.time(), start + 103);
    chain.set_next_time(start + 1_000).unwrap();
    assert_eq!(chain.increase_time(5), Ok(105));
    chain.mine();
    assert_eq!(chain.time(), start + 1_005);
    let backwards = TimeError::Backwards {
        asked: start,
        newest: start + 1_005,
    };
    assert_eq!(chain.set_next_time(start), Err(backwards));
    assert!(matches!(
        chain.increase_time(u64::MAX),
        Err(TimeError::TooLate { .. })
    ));
    assert!(matches!(
        chain.set_next_time(TIME_MAX + 1),
        Err(TimeError::TooLate { .. })
    ));
    chain.set_next_time(TIME_MAX).unwrap();
    chain.mine();
    chain.mine();
    assert_eq!(chain.time(), TIME_MAX);
}

#[test]
fn the_system_clock_goes_on_from_a_time_that_was_set() {
    let mut chain = Chain::new(Config {
        clock: Clock::System,
        ..Config::default()
    });
    let far = chain.time() + 1_000_000;
    chain.set_next_time(far).unwrap();
    chain.mine();
    assert_eq!(chain.time(), far);
    chain.mine();
    assert!((far..far + 100).contains(&chain.time()));
    let snapshot = chain.snapshot().unwrap();
    chain.increase_time(1_000).unwrap();
    chain.mine();
    assert!((far + 1_000..far + 1_100).contains(&chain.time()));
    assert!(chain.revert(snapshot));
    assert!(
        chain.next_time() < far + 1_000,
        "going back takes the clock along"
    );
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

#[test]
fn logs_are_found_by_topic_and_bounded_by_name() {
    let mut chain = chain();
    let cell = deploy(&mut chain, CELL);
    for value in 1..=3 {
        chain
            .apply(&Message::call(dev_address(0), cell, word(value)))
            .unwrap();
    }
    let two = alloy_primitives::B256::from(U256::from(2));
    let filter = alloy_rpc_types_eth::Filter::new()
        .address(cell)
        .event_signature(two);
    assert_eq!(chain.logs(&filter, 0, 100).unwrap().len(), 1);
    assert_eq!(chain.logs(&filter, 0, 2).unwrap().len(), 0);
    assert_eq!(
        chain.logs(&filter, 5, 6).unwrap().len(),
        0,
        "nothing above the newest block"
    );
    assert_eq!(
        chain.logs(&filter, 3, 2),
        Err(LogsError::Range { from: 3, to: 2 })
    );
    // Each round of the loop logs nothing; a cell of its own logs 4,000 times in a transaction.
    let many = deploy(&mut chain, &hex!("610fa05b5f5fa060019003806003570000"));
    for _ in 0..3 {
        assert!(
            chain
                .apply(&Message::call(dev_address(0), many, vec![]))
                .unwrap()
                .success
        );
    }
    let all = alloy_rpc_types_eth::Filter::new().address(many);
    let height = chain.height();
    assert_eq!(chain.logs(&all, height - 1, height).unwrap().len(), 8_000);
    assert_eq!(
        chain.logs(&all, 0, height),
        Err(LogsError::Count { upto: height - 1 })
    );
}

#[test]
fn the_deployment_proxy_creates_where_it_should() {
    let mut chain = chain();
    let proxy = selfsame_devnet::accounts::CREATE2_PROXY;
    let code = creation(CELL);
    let salt = keccak256("salt");
    let data = [salt.as_slice(), &code].concat();
    let applied = chain
        .apply(&Message::call(dev_address(0), proxy, data))
        .unwrap();
    let expected = proxy.create2_from_code(salt, &code);
    assert_eq!(applied.output.as_ref(), expected.as_slice());
    assert_eq!(chain.code(expected, At::Next).unwrap().as_ref(), CELL);
}

#[test]
fn two_chains_of_the_same_transactions_have_the_same_blocks() {
    let play = || {
        let mut chain = chain();
        let cell = deploy(&mut chain, CELL);
        (1..5).for_each(|i| drop(chain.apply(&Message::call(dev_address(1), cell, word(i)))));
        chain
            .apply(&Message::call(dev_address(2), cell, word(9)))
            .unwrap()
            .hash
    };
    assert_eq!(play(), play());
}

//! State, history, time and logs.

mod common;

use alloy_primitives::{B256, U256, hex, keccak256};
use alloy_rpc_types_eth::Filter;
use common::{CELL, TIME, creation, deploy, word};
use proptest::prelude::*;
use selfsame_devnet::config::{Clock, History, TIME_MAX};
use selfsame_devnet::{At, Chain, Config, LogsError, Message, StateError, TimeError, dev_address};

fn chain() -> Chain {
    Chain::new(Config::deterministic())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

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
        chain.logs(&Filter::default(), 5, 9),
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
    for _ in 0..3 {
        chain.mine();
    }
    assert!(!chain.revert(snapshot));
    assert_eq!(chain.height(), 3);
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
fn logs_are_found_by_topic_and_bounded_by_name() {
    let mut chain = chain();
    let cell = deploy(&mut chain, CELL);
    for value in 1..=3 {
        chain
            .apply(&Message::call(dev_address(0), cell, word(value)))
            .unwrap();
    }
    let two = B256::from(U256::from(2));
    let filter = Filter::new().address(cell).event_signature(two);
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
    let all = Filter::new().address(many);
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

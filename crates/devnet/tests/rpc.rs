//! JSON-RPC as bytes: envelopes, limits, methods, and any input whatever.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{CELL, REVERTER, deploy, signed, transfer, word};
use proptest::prelude::*;
use selfsame_devnet::config::{History, Mining};
use selfsame_devnet::{BATCH_MAX, BODY_BYTES_MAX, Chain, Config, Message, dev_address, respond};
use serde_json::{Value, json};
use std::sync::Mutex;

const METHODS: [&str; 29] = [
    "eth_chainId",
    "net_version",
    "web3_clientVersion",
    "eth_syncing",
    "eth_accounts",
    "eth_blockNumber",
    "eth_gasPrice",
    "eth_maxPriorityFeePerGas",
    "eth_feeHistory",
    "eth_getBalance",
    "eth_getTransactionCount",
    "eth_getCode",
    "eth_getStorageAt",
    "eth_call",
    "eth_estimateGas",
    "eth_getBlockByNumber",
    "eth_getBlockByHash",
    "eth_getBlockReceipts",
    "eth_getTransactionByHash",
    "eth_getTransactionReceipt",
    "eth_getLogs",
    "eth_sendRawTransaction",
    "evm_mine",
    "evm_increaseTime",
    "evm_setNextBlockTimestamp",
    "evm_snapshot",
    "evm_revert",
    "eth_getProof",
    "eth_subscribe",
];

fn chain() -> Mutex<Chain> {
    Mutex::new(Chain::new(Config::deterministic()))
}

fn raw(chain: &Mutex<Chain>, body: &str) -> Value {
    serde_json::from_slice(&respond(chain, body.as_bytes())).unwrap()
}

fn request(method: &str, params: &Value) -> String {
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).to_string()
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "calls read better with json! in place"
)]
fn ask(chain: &Mutex<Chain>, method: &str, params: Value) -> Result<Value, Value> {
    let answer = raw(chain, &request(method, &params));
    assert_eq!(
        (&answer["jsonrpc"], &answer["id"]),
        (&json!("2.0"), &json!(7))
    );
    answer
        .get("result")
        .cloned()
        .ok_or_else(|| answer["error"].clone())
}

fn code(chain: &Mutex<Chain>, method: &str, params: Value) -> i64 {
    ask(chain, method, params).unwrap_err()["code"]
        .as_i64()
        .unwrap()
}

#[test]
fn broken_envelopes_get_the_codes_of_the_standard() {
    let deep = "[".repeat(100_000);
    let rows: [(&str, i64); 14] = [
        ("", -32700),
        ("{", -32700),
        ("\u{0}", -32700),
        (&deep, -32700),
        ("1", -32600),
        ("null", -32600),
        ("\"eth_chainId\"", -32600),
        ("[]", -32600),
        ("{}", -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"eth_chainId"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, -32600),
        (
            r#"{"jsonrpc":"2.0","id":{},"method":"eth_chainId"}"#,
            -32600,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":{"a":1}}"#,
            -32602,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"anvil_nodeInfo"}"#,
            -32601,
        ),
    ];
    for (body, expected) in rows {
        let answer = raw(&chain(), body);
        assert_eq!(answer["error"]["code"], expected, "{body:.60}");
    }
    assert_eq!(respond(&chain(), &[0xff, 0xfe])[0], b'{');
}

#[test]
fn a_notification_is_carried_out_and_not_answered() {
    let chain = chain();
    let body = br#"{"jsonrpc":"2.0","method":"evm_mine"}"#;
    assert!(respond(&chain, body).is_empty());
    assert_eq!(ask(&chain, "eth_blockNumber", json!([])), Ok(json!("0x1")));
}

#[test]
fn batches_are_answered_in_order_and_limited() {
    let chain = chain();
    let one = request("eth_chainId", &json!([]));
    let batch = format!(r#"[{one},5,{{"jsonrpc":"2.0","method":"evm_mine"}},{one}]"#);
    let answers = raw(&chain, &batch);
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), 3);
    assert_eq!(answers[0]["result"], "0x539");
    assert_eq!(answers[1]["error"]["code"], -32600);
    let full = format!("[{}]", vec![one.as_str(); BATCH_MAX].join(","));
    assert_eq!(raw(&chain, &full).as_array().unwrap().len(), BATCH_MAX);
    let over = format!("[{}]", vec![one.as_str(); BATCH_MAX + 1].join(","));
    let error = &raw(&chain, &over)["error"];
    assert_eq!(error["code"], -32005);
    assert_eq!(error["message"], "batch of 101 requests, the cap is 100");
}

#[test]
fn a_body_beyond_the_limit_is_refused_by_its_length() {
    let body = vec![b' '; BODY_BYTES_MAX + 1];
    let answer: Value = serde_json::from_slice(&respond(&chain(), &body)).unwrap();
    assert_eq!(
        answer["error"]["message"],
        "request body exceeds 2097152 bytes"
    );
}

#[test]
fn proofs_and_subscriptions_are_refused_by_name() {
    for method in ["eth_getProof", "eth_subscribe"] {
        let error = ask(&chain(), method, json!([])).unwrap_err();
        assert_eq!(error["code"], -32601);
        assert!(error["message"].as_str().unwrap().contains("not offered"));
    }
    let error = ask(&chain(), &"x".repeat(1_000), json!([])).unwrap_err();
    assert!(error["message"].as_str().unwrap().len() < 100);
}

#[test]
fn wrong_parameters_are_named() {
    let rows = [
        (
            "eth_getBalance",
            json!([]),
            "params[0] (address) is missing",
        ),
        ("eth_getBalance", json!(["0x12"]), "params[0] (address)"),
        (
            "eth_getBalance",
            json!([dev_address(0), "newest"]),
            "params[1] (block)",
        ),
        (
            "eth_getBalance",
            json!([dev_address(0), "latest", 1]),
            "have 3, want at most 2",
        ),
        (
            "eth_call",
            json!([{}, "latest", {"0x00": {}}]),
            "state overrides are not offered",
        ),
        (
            "eth_call",
            json!([{"gasPrice": "0x1", "maxFeePerGas": "0x1"}]),
            "not both",
        ),
        ("eth_call", json!([{"chainId": "0x1"}]), "have 1, want 1337"),
        ("eth_call", json!([{"input": "0x01", "data": "0x02"}]), ""),
        (
            "eth_feeHistory",
            json!([4, "latest", [50, 20]]),
            "must ascend",
        ),
        (
            "eth_feeHistory",
            json!([4, "latest", [101]]),
            "from 0 to 100",
        ),
        (
            "evm_increaseTime",
            json!(["soon"]),
            "seconds must be a number",
        ),
        ("evm_increaseTime", json!([-1]), "seconds must be a number"),
        (
            "evm_setNextBlockTimestamp",
            json!([5]),
            "is before the newest block",
        ),
        ("evm_mine", json!([{"blocks": 1025}]), "the cap is 1024"),
    ];
    for (method, params, expected) in rows {
        let error = ask(&chain(), method, params).unwrap_err();
        assert_eq!(error["code"], -32602, "{method}: {error}");
        assert!(
            error["message"].as_str().unwrap().contains(expected),
            "{method}: {error}"
        );
    }
}

#[test]
fn a_revert_carries_its_bytes_in_error_data() {
    let chain = chain();
    let contract = deploy(&mut chain.lock().unwrap(), REVERTER);
    for method in ["eth_call", "eth_estimateGas"] {
        let params = json!([{"to": contract, "input": "0xdeadbeef01"}, "latest"]);
        let error = ask(&chain, method, params).unwrap_err();
        assert_eq!(error["code"], 3);
        assert_eq!(error["data"], "0xdeadbeef01");
        assert_eq!(
            error["message"],
            "execution reverted: custom error 0xdeadbeef"
        );
    }
}

#[test]
fn state_at_an_old_block_is_its_own_or_refused() {
    let history = History {
        blocks_max: 3,
        bytes_max: usize::MAX,
    };
    let chain = Mutex::new(Chain::new(Config {
        history,
        ..Config::deterministic()
    }));
    let cell = deploy(&mut chain.lock().unwrap(), CELL);
    for value in 2..6 {
        let message = Message::call(dev_address(0), cell, word(value));
        chain.lock().unwrap().apply(&message).unwrap();
    }
    let read = |block: &str| ask(&chain, "eth_call", json!([{"to": cell}, block]));
    for (block, value) in [("latest", 5), ("0x5", 5), ("0x4", 4), ("0x3", 3)] {
        assert_eq!(
            read(block).unwrap().as_str().unwrap(),
            format!("0x{value:064x}")
        );
    }
    let error = read("0x2").unwrap_err();
    assert_eq!(error["code"], -32001);
    assert_eq!(
        error["message"],
        "block 2 is no longer held: the oldest block held is 3"
    );
    assert_eq!(code(&chain, "eth_getBlockByNumber", json!(["0x2"])), -32001);
    assert_eq!(
        ask(&chain, "eth_getBlockByNumber", json!(["0x9"])),
        Ok(Value::Null)
    );
    let hash = ask(&chain, "eth_getBlockByNumber", json!(["0x4"])).unwrap()["hash"].clone();
    let storage = ask(
        &chain,
        "eth_getStorageAt",
        json!([cell, "0x0", {"blockHash": hash}]),
    );
    assert_eq!(storage.unwrap().as_str().unwrap(), format!("0x{:064x}", 4));
}

#[test]
fn a_refused_transaction_says_why_and_a_sent_one_is_found() {
    let chain = chain();
    let make = |nonce, index| {
        let tx = transfer(&chain.lock().unwrap(), nonce);
        format!("0x{}", alloy_primitives::hex::encode(signed(tx, index)))
    };
    let error = ask(&chain, "eth_sendRawTransaction", json!([make(5, 0)])).unwrap_err();
    assert_eq!(
        error,
        json!({"code": -32000, "message": "nonce too high: next nonce 0, tx nonce 5"})
    );
    let hash = ask(&chain, "eth_sendRawTransaction", json!([make(0, 0)])).unwrap();
    let receipt = ask(&chain, "eth_getTransactionReceipt", json!([hash])).unwrap();
    assert_eq!(
        (&receipt["status"], &receipt["gasUsed"], &receipt["type"]),
        (&json!("0x1"), &json!("0x5208"), &json!("0x2"))
    );
    let receipts = ask(&chain, "eth_getBlockReceipts", json!(["latest"])).unwrap();
    assert_eq!(receipts, json!([receipt]));
    let full = ask(&chain, "eth_getBlockByNumber", json!(["latest", true])).unwrap();
    let found = ask(&chain, "eth_getTransactionByHash", json!([hash])).unwrap();
    assert_eq!(full["transactions"][0], found);
    let brief = ask(&chain, "eth_getBlockByHash", json!([full["hash"], false])).unwrap();
    assert_eq!(brief["transactions"], json!([hash]));
}

#[test]
fn the_pending_nonce_counts_what_waits() {
    let config = Config {
        mining: Mining::OnDemand,
        ..Config::deterministic()
    };
    let chain = Mutex::new(Chain::new(config));
    let tx = transfer(&chain.lock().unwrap(), 0);
    let hash = chain.lock().unwrap().send(&signed(tx, 0)).unwrap();
    let nonce = |block: &str| {
        ask(
            &chain,
            "eth_getTransactionCount",
            json!([dev_address(0), block]),
        )
        .unwrap()
    };
    assert_eq!(
        (nonce("latest"), nonce("pending")),
        (json!("0x0"), json!("0x1"))
    );
    let waiting = ask(&chain, "eth_getTransactionByHash", json!([hash])).unwrap();
    assert_eq!(waiting["blockNumber"], Value::Null);
    assert_eq!(
        ask(&chain, "eth_getTransactionReceipt", json!([hash])),
        Ok(Value::Null)
    );
    ask(&chain, "evm_mine", json!([])).unwrap();
    assert_eq!(nonce("latest"), json!("0x1"));
}

#[test]
fn time_and_snapshots_work_by_the_names_of_test_tools() {
    let chain = chain();
    let id = ask(&chain, "evm_snapshot", json!([])).unwrap();
    assert_eq!(
        ask(&chain, "evm_increaseTime", json!(["0x3c"])),
        Ok(json!(60))
    );
    ask(&chain, "evm_mine", json!([])).unwrap();
    assert_eq!(chain.lock().unwrap().time(), 1_700_000_061);
    ask(&chain, "evm_setNextBlockTimestamp", json!([1_700_001_000])).unwrap();
    ask(&chain, "evm_mine", json!([{"blocks": 2}])).unwrap();
    assert_eq!(chain.lock().unwrap().time(), 1_700_001_001);
    ask(&chain, "evm_mine", json!([1_700_002_000])).unwrap();
    assert_eq!(chain.lock().unwrap().time(), 1_700_002_000);
    assert_eq!(ask(&chain, "evm_revert", json!([id])), Ok(json!(true)));
    assert_eq!(ask(&chain, "evm_revert", json!([id])), Ok(json!(false)));
    assert_eq!(ask(&chain, "eth_blockNumber", json!([])), Ok(json!("0x0")));
}

#[test]
fn fee_history_covers_what_is_held_and_the_next_block() {
    let chain = chain();
    deploy(&mut chain.lock().unwrap(), CELL);
    let answer = ask(
        &chain,
        "eth_feeHistory",
        json!(["0xff", "latest", [0, 50.5, 100]]),
    )
    .unwrap();
    assert_eq!(answer["oldestBlock"], "0x0");
    assert_eq!(answer["baseFeePerGas"].as_array().unwrap().len(), 3);
    assert_eq!(answer["gasUsedRatio"].as_array().unwrap().len(), 2);
    assert_eq!(
        answer["reward"],
        json!([["0x0", "0x0", "0x0"], ["0x0", "0x0", "0x0"]])
    );
    assert_eq!(code(&chain, "eth_feeHistory", json!([1, "0x5"])), -32001);
}

/// Values that methods expect, and values that they do not.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(|number| json!(format!("{number:#x}"))),
        (0_u64..4).prop_map(|number| json!(format!("{number:#x}"))),
        prop::sample::select(vec![
            "latest", "pending", "earliest", "safe", "0x", "", "0xzz"
        ])
        .prop_map(Value::from),
        (0_usize..10).prop_map(|index| json!(dev_address(index))),
        prop::collection::vec(any::<u8>(), 0..70)
            .prop_map(|bytes| json!(format!("0x{}", alloy_primitives::hex::encode(bytes)))),
        ".{0,12}".prop_map(Value::from),
    ];
    let keys = vec![
        "to",
        "from",
        "data",
        "input",
        "gas",
        "value",
        "gasPrice",
        "maxFeePerGas",
        "nonce",
        "maxPriorityFeePerGas",
        "accessList",
        "fromBlock",
        "toBlock",
        "blockHash",
        "topics",
        "address",
        "timestamp",
        "blocks",
        "blockNumber",
        "chainId",
        "type",
        "authorizationList",
    ];
    leaf.prop_recursive(3, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(prop::sample::select(keys.clone()), inner, 0..5)
                .prop_map(|map| map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_parameters_get_an_answer(
        calls in prop::collection::vec(
            (prop::sample::select(METHODS.to_vec()), prop::collection::vec(value(), 0..4)), 1..8,
        ),
    ) {
        let chain = chain();
        for (method, params) in calls {
            let answer = raw(&chain, &request(method, &json!(params)));
            prop_assert_ne!(answer.get("result").is_some(), answer.get("error").is_some());
        }
        prop_assert!(!chain.is_poisoned());
    }

    #[test]
    fn any_json_gets_an_answer(body in value()) {
        let answer = respond(&chain(), body.to_string().as_bytes());
        prop_assert!(serde_json::from_slice::<Value>(&answer).is_ok());
    }

    #[test]
    fn any_bytes_get_an_answer(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let answer = respond(&chain(), &body);
        prop_assert!(serde_json::from_slice::<Value>(&answer).is_ok());
    }

    #[test]
    fn any_bytes_as_a_transaction_are_refused(
        mut raw in prop::collection::vec(any::<u8>(), 0..200), cut in 0_usize..200, flip: u8,
    ) {
        let mut chain = chain().into_inner().unwrap();
        prop_assert!(chain.send(&raw).is_err());
        raw = signed(transfer(&chain, 0), 0);
        let index = cut % raw.len();
        raw[index] ^= flip;
        let whole = chain.send(&raw).is_ok();
        prop_assert!(flip == 0 || chain.nonce(dev_address(0)) == 0 || whole);
        prop_assert!(chain.send(&raw[..index]).is_err());
    }
}

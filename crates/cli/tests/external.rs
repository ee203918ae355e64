//! The same commands against a chain that is not ours: Foundry's anvil.
//!
//! Not among the default tests, because they need its binary: `cargo xtask test` installs the pinned
//! one and names it in `SELFSAME_ANVIL`.

mod common;

use std::fs;

use common::{
    Endpoint, KEYSTORE, ask, json, on_chain, provide, scratch, selfsame, stderr, write_small,
};
use serde_json::Value;

/// The keystore's account (same source).
const KEYSTORE_ACCOUNT: &str = "0x008aeeda4d805471df9b2a5b0f38a0c3bcba786b";

fn story(name: &str) -> (std::path::PathBuf, Endpoint) {
    let folder = scratch(name);
    write_small(&folder);
    fs::write(folder.join("x.json"), "[3, 4]").expect("scratch");
    let anvil = Endpoint::anvil();
    assert_eq!(anvil.call("eth_chainId", "[]"), "0x7a69");
    let publish = [
        "publish",
        "small.selfsame",
        "--deploy",
        "--chain-id",
        "31337",
    ];
    let (code, published) = on_chain(&folder, &anvil, "0", &publish);
    assert_eq!(
        (code, &published["already_registered"]),
        (0, &Value::Bool(false)),
        "{published}"
    );
    (folder, anvil)
}

#[test]
fn an_answer_becomes_final_on_a_chain_that_is_not_ours() {
    let (folder, anvil) = story("anvil-final");
    assert_eq!(on_chain(&folder, &anvil, "2", &["stake", "2"]).0, 0);
    let provider = provide(&folder, &anvil, "2", &["--model", "small.selfsame"]);
    let asked = ask(&folder, &anvil);
    let request = asked["request_id"].as_str().expect("an id").to_owned();
    drop(provider);
    let verify = ["verify", "r.json", "--rpc", &anvil.url];
    let (code, open) = json(&folder, &verify);
    assert_eq!((code, &open["level"]), (0, &Value::from("optimistic-open")));
    anvil.call("evm_increaseTime", "[10000000]");
    anvil.call("evm_mine", "[]");
    let (code, last) = on_chain(&folder, &anvil, "4", &["finalize", &request]);
    assert_eq!(code, 0, "{last}");
    let (code, done) = json(&folder, &verify);
    assert_eq!(
        (code, &done["level"]),
        (0, &Value::from("optimistic-final"))
    );
    assert_eq!(on_chain(&folder, &anvil, "2", &["withdraw"]).0, 0);
}

#[test]
fn a_lie_is_convicted_on_a_chain_that_is_not_ours() {
    let (folder, anvil) = story("anvil-lie");
    assert_eq!(on_chain(&folder, &anvil, "3", &["stake", "2"]).0, 0);
    let lying = ["--model", "small.selfsame", "--plant", "1:1"];
    let liar = provide(&folder, &anvil, "3", &lying);
    let asked = ask(&folder, &anvil);
    let request = asked["request_id"].as_str().expect("an id").to_owned();
    let challenge = ["challenge", &request, "--model", "small.selfsame"];
    let (code, challenged) = on_chain(&folder, &anvil, "4", &challenge);
    drop(liar);
    assert_eq!((code, &challenged["right"]), (0, &Value::Bool(false)));
    let place = serde_json::json!({"node": 1, "element": 1});
    assert_eq!(challenged["convicted"], place);
    assert_eq!(on_chain(&folder, &anvil, "4", &["withdraw"]).0, 0);
}

#[test]
fn guards_keystores_and_dry_runs_hold_on_a_chain_that_is_not_ours() {
    let (folder, anvil) = story("anvil-guards");
    let rpc = ["--rpc", &anvil.url];
    let foreign = ["stake", "1", "--dev-key", "0", "--chain-id", "1"];
    let foreign = selfsame(&folder, &[&foreign[..], &rpc].concat());
    assert_eq!(foreign.status.code(), Some(6), "{}", stderr(&foreign));

    fs::write(folder.join("key.json"), KEYSTORE).expect("scratch");
    fs::write(folder.join("password"), "testpassword\n").expect("scratch");
    let params = format!(r#"["{KEYSTORE_ACCOUNT}","0x8ac7230489e80000"]"#);
    anvil.call("anvil_setBalance", &params);
    let count = || {
        let params = format!(r#"["{KEYSTORE_ACCOUNT}","latest"]"#);
        anvil.call("eth_getTransactionCount", &params)
    };
    let keystore = ["--keystore", "key.json", "--password-file", "password"];
    let stake = [&["stake", "2"][..], &keystore, &rpc].concat();
    let (code, dry) = json(&folder, &[&stake[..], &["--dry-run"]].concat());
    assert_eq!(
        (code, &dry["transactions"][0]["dry_run"]),
        (0, &Value::Bool(true))
    );
    assert_eq!(count(), "0x0", "a dry run sends nothing");
    let (code, sent) = json(&folder, &stake);
    assert_eq!(
        (code, &sent["transactions"][0]["dry_run"]),
        (0, &Value::Bool(false))
    );
    assert_eq!(count(), "0x1");
}

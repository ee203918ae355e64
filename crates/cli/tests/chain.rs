//! Commands on a chain: a whole dispute, the demo, and the parties as processes of their own.

mod common;

use std::fs;
use std::path::Path;

use common::{
    Endpoint, KEYSTORE, ask, json, on_chain, provide, scratch, selfsame, stderr, write_small,
};
use serde_json::Value;

#[test]
fn a_planted_integer_is_convicted_at_exactly_its_place() {
    let folder = scratch("dispute");
    write_small(&folder);
    for plant in ["1:0", "1:2"] {
        let (code, report) = json(&folder, &["dispute", "small.selfsame", "--plant", plant]);
        assert_eq!(code, 0);
        assert_eq!(report["schema"], "selfsame.dispute/1");
        assert_eq!(report["planted"], report["convicted"], "{report}");
        assert_eq!(report["planted"]["node"], 1);
        assert_eq!(report["honest_lost"], 0);
        assert_eq!(report["balances_sum_zero"], true);
        assert!(report["slashed"].as_u64().expect("wei") > 0);
        assert!(report["gas_leaf"].as_u64() < report["gas_total"].as_u64());
        assert!(report["challenger_moves"].as_u64().expect("moves") >= 3);
    }
}

#[test]
fn a_place_that_does_not_exist_is_wrong_usage() {
    let folder = scratch("place");
    write_small(&folder);
    for plant in ["0:0", "1:3", "7:0", "1", "x:1"] {
        let output = selfsame(&folder, &["dispute", "small.selfsame", "--plant", plant]);
        assert_eq!(
            output.status.code(),
            Some(2),
            "{plant}: {}",
            stderr(&output)
        );
    }
}

fn receipt_text(folder: &Path) -> String {
    fs::read_to_string(folder.join("r.json")).expect("it was written")
}

#[test]
fn a_question_is_answered_receipted_and_a_tampered_receipt_is_refused() {
    let folder = scratch("parties");
    write_small(&folder);
    fs::write(folder.join("x.json"), "[3, 4]").expect("scratch");
    let devnet = Endpoint::devnet(&folder);
    let (code, published) = on_chain(&folder, &devnet, "0", &["publish", "small.selfsame"]);
    assert_eq!(
        (code, &published["already_registered"]),
        (0, &Value::Bool(false))
    );
    let (_, again) = on_chain(&folder, &devnet, "0", &["publish", "small.selfsame"]);
    assert_eq!(again["already_registered"], true);
    assert_eq!(on_chain(&folder, &devnet, "2", &["stake", "2"]).0, 0);
    let provider = provide(&folder, &devnet, "2", &["--model", "small.selfsame"]);
    let asked = ask(&folder, &devnet);
    drop(provider);
    assert_eq!(asked["top"][0]["label"], "both");
    assert_eq!(asked["signed"], true);
    let request = asked["request_id"].as_str().expect("an id").to_owned();

    let (_, claims) = on_chain(&folder, &devnet, "1", &["claims"]);
    assert_eq!(claims["claims"][0]["request_id"], request);
    assert_eq!(claims["claims"][0]["status"], "claimed");
    let (code, challenged) = on_chain(
        &folder,
        &devnet,
        "4",
        &["challenge", &request, "--model", "small.selfsame"],
    );
    assert_eq!((code, &challenged["right"]), (0, &Value::Bool(true)));
    let early = selfsame(
        &folder,
        &["finalize", &request, "--rpc", &devnet.url, "--dev-key", "4"],
    );
    assert_eq!(early.status.code(), Some(7), "{}", stderr(&early));

    receipts_hold_and_tampered_ones_do_not(&folder, &devnet);
}

fn receipts_hold_and_tampered_ones_do_not(folder: &Path, devnet: &Endpoint) {
    let (code, offline) = json(folder, &["verify", "r.json"]);
    assert_eq!((code, &offline["level"]), (0, &Value::from("signed")));
    let verify = [
        "verify",
        "r.json",
        "--rpc",
        &devnet.url,
        "--input",
        "x.json",
        "--model",
        "small.selfsame",
    ];
    let (code, online) = json(folder, &verify);
    assert_eq!(
        (code, &online["level"]),
        (0, &Value::from("optimistic-open")),
        "{online}"
    );
    let names: Vec<&str> = online["checks"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|check| check["name"].as_str().expect("a name"))
        .collect();
    let want = [
        "format",
        "signature",
        "output-root",
        "input-root",
        "model-replay",
        "rules-id",
        "chain-claim",
    ];
    assert_eq!(names, want);

    let honest = receipt_text(folder);
    let receipt: Value = serde_json::from_str(&honest).expect("JSON");
    let tampered = |path: [&str; 2], value: Value| {
        let mut changed = receipt.clone();
        changed[path[0]][path[1]] = value;
        fs::write(folder.join("t.json"), changed.to_string()).expect("scratch");
        let output = selfsame(folder, &["verify", "t.json"]);
        assert_eq!(output.status.code(), Some(3), "{path:?}");
        stderr(&output)
    };
    let price = tampered(["core", "price"], Value::from("1"));
    assert!(price.contains("signature"), "{price}");
    let zero = format!("0x{}", "0".repeat(64));
    assert!(tampered(["core", "outputRoot"], Value::from(zero.clone())).contains("format"));
    assert!(tampered(["core", "modelId"], Value::from(zero)).contains("signature"));
    let domain = tampered(["domain", "chainId"], Value::from(1));
    assert!(domain.contains("format"), "{domain}");
    fs::write(folder.join("t.json"), &honest[..honest.len() / 2]).expect("scratch");
    let half = selfsame(folder, &["verify", "t.json"]);
    assert_eq!(half.status.code(), Some(3));
    assert!(stderr(&half).contains("format"), "{}", stderr(&half));
    fs::write(folder.join("y.json"), "[3, 5]").expect("scratch");
    let other_input = [
        "verify",
        "r.json",
        "--input",
        "y.json",
        "--model",
        "small.selfsame",
    ];
    let other_input = selfsame(folder, &other_input);
    assert_eq!(other_input.status.code(), Some(3));
    assert!(
        stderr(&other_input).contains("input-root"),
        "{}",
        stderr(&other_input)
    );
}

#[test]
fn dry_runs_guards_and_absent_chains_have_their_codes() {
    let folder = scratch("guards");
    write_small(&folder);
    let devnet = Endpoint::devnet(&folder);
    let (code, dry) = on_chain(&folder, &devnet, "0", &["stake", "1", "--dry-run"]);
    assert_eq!(code, 0);
    assert_eq!(dry["transactions"][0]["dry_run"], true);
    assert!(dry["transactions"][0]["gas"].as_u64().expect("gas") > 21_000);
    let rpc = ["--rpc", &devnet.url];
    for (arguments, code) in [
        (vec!["stake", "1"], 6),
        (vec!["stake", "1", "--dev-key", "0", "--chain-id", "1"], 6),
        (vec!["withdraw", "--dev-key", "0"], 6),
        (vec!["stake", "a lot", "--dev-key", "0"], 2),
        (vec!["stake", "1", "--dev-key", "99"], 2),
        (vec!["unstake", "5", "--dev-key", "0"], 4),
        (vec!["finalize", "0x00", "--dev-key", "0"], 2),
    ] {
        let output = selfsame(&folder, &[&arguments[..], &rpc].concat());
        assert_eq!(
            output.status.code(),
            Some(code),
            "{arguments:?}: {}",
            stderr(&output)
        );
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
    let nobody = ["claims", "--rpc", "http://127.0.0.1:1"];
    let output = selfsame(&folder, &nobody);
    assert_eq!(output.status.code(), Some(4));
    assert!(
        stderr(&output).contains("selfsame devnet"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_lying_provider_is_convicted_by_another_process() {
    let folder = scratch("liar");
    write_small(&folder);
    fs::write(folder.join("x.json"), "[3, 4]").expect("scratch");
    let devnet = Endpoint::devnet(&folder);
    assert_eq!(
        on_chain(&folder, &devnet, "0", &["publish", "small.selfsame"]).0,
        0
    );
    assert_eq!(on_chain(&folder, &devnet, "3", &["stake", "2"]).0, 0);
    let liar = provide(&folder, &devnet, "3", &["--plant", "1:1"]);
    let asked = ask(&folder, &devnet);
    assert_eq!(asked["floats"], serde_json::json!([3.0, 5.0, 7.0]));
    let request = asked["request_id"].as_str().expect("an id");
    let (code, challenged) = on_chain(&folder, &devnet, "4", &["challenge", request]);
    drop(liar);
    assert_eq!((code, &challenged["right"]), (0, &Value::Bool(false)));
    assert_eq!(
        challenged["convicted"],
        serde_json::json!({"node": 1, "element": 1})
    );
    let (_, claims) = on_chain(&folder, &devnet, "1", &["claims"]);
    assert_eq!(claims["claims"][0]["status"], "convicted");
    let verify = ["verify", "r.json", "--rpc", &devnet.url];
    let (code, verified) = json(&folder, &verify);
    assert_eq!(
        (code, &verified["failed"]),
        (3, &Value::from("chain-claim"))
    );
    for key in ["1", "4"] {
        assert_eq!(
            on_chain(&folder, &devnet, key, &["withdraw"]).0,
            0,
            "key {key}"
        );
    }
}

#[test]
fn a_keystore_opens_with_its_password_only() {
    let folder = scratch("keystore");
    write_small(&folder);
    let devnet = Endpoint::devnet(&folder);
    fs::write(folder.join("key.json"), KEYSTORE).expect("scratch");
    let publish = |password: &str| {
        fs::write(folder.join("password"), format!("{password}\n")).expect("scratch");
        let arguments = [
            "publish",
            "small.selfsame",
            "--rpc",
            &devnet.url,
            "--keystore",
            "key.json",
            "--password-file",
            "password",
            "--dry-run",
            "--json",
        ];
        selfsame(&folder, &arguments)
    };
    let right = publish("testpassword");
    assert_eq!(right.status.code(), Some(0), "{}", stderr(&right));
    assert_eq!(publish("another").status.code(), Some(6));
    fs::remove_file(folder.join("password")).expect("it was written");
    let none = [
        "publish",
        "small.selfsame",
        "--rpc",
        &devnet.url,
        "--keystore",
        "key.json",
    ];
    assert_eq!(selfsame(&folder, &none).status.code(), Some(6));
}

#[test]
fn the_demo_keeps_its_promises() {
    let folder = scratch("demo");
    let (code, demo) = json(&folder, &["demo", "--receipt", "r.json"]);
    assert_eq!(code, 0);
    assert_eq!(demo["schema"], "selfsame.demo/1");
    let models = demo["models"].as_array().expect("a list");
    assert_eq!(models.len(), 4);
    for model in models {
        let field = |name: &str| model[name].as_f64().expect("a number");
        let rows = field("test_rows");
        assert!(
            field("float_accuracy") - field("exact_accuracy") < 1.5 / rows,
            "{model}"
        );
        assert!(field("agreement") >= 0.99, "{model}");
        assert!(model["model_id"].as_str().expect("an id").starts_with("0x"));
    }
    let kernels = demo["kernels"].as_array().expect("a list");
    assert!(kernels.len() >= 2);
    assert!(
        kernels
            .iter()
            .all(|kernel| kernel["root"] == kernels[0]["root"])
    );
    assert_eq!(demo["receipt"]["verified"], true);
    assert_eq!(demo["receipt"]["level"], "optimistic-final");
    assert_eq!(demo["receipt"]["path"], "r.json");
    let dispute = &demo["dispute"];
    assert_eq!(dispute["planted"], dispute["convicted"]);
    assert!(dispute["challenger_moves"].as_u64().expect("moves") <= 4);
    assert!(dispute["gas_total"].as_u64().expect("gas") <= 1_200_000);
    assert_eq!(dispute["honest_lost"], 0);
    assert_eq!(demo["balances_sum_zero"], true);
    assert!(demo["seconds"].as_f64().expect("seconds") > 0.0);
    let (code, verified) = json(&folder, &["verify", "r.json"]);
    assert_eq!((code, &verified["level"]), (0, &Value::from("signed")));
}

//! A model of two inputs and an open dimension: a sentence encoder, token ids and mask in, one program for
//! every length.

mod common;

use std::fs;
use std::path::Path;

use common::{Endpoint, json, on_chain, provide, scratch, selfsame, stderr, stdout};
use selfsame_compiler::npz::{self, Array, write_npy_i32};
use serde_json::{Value, json as object};

const ENCODER: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../compiler/tests/data/encoder.onnx"
);
const TEXTS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../compiler/tests/data/encoder.npz"
);
/// Tokens of a row of the data.
const LENGTH: usize = 32;

fn import(folder: &Path, data: &str, arguments: &[&str]) -> (i32, Value) {
    let fixed = ["import", ENCODER, "--calibrate", data, "-o", "e.selfsame"];
    json(folder, &[&fixed[..], arguments].concat())
}

/// What a command says that refuses, and its exit code.
fn refusal(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = selfsame(folder, arguments);
    let code = output.status.code().expect("no signal ended it");
    (code, stderr(&output))
}

/// The ids and the mask of a row, cut to its tokens.
fn text(row: usize) -> [Vec<i32>; 2] {
    let bytes = fs::read(TEXTS).expect("it is a fixture");
    let array = |name| -> Vec<i32> {
        let array = npz::read_npz_array(&bytes, name).expect("it has this array");
        let Array { data, .. } = &array;
        assert!(matches!(data, npz::ArrayData::Int(_)), "whole numbers");
        let whole = array.to_i64().expect("whole numbers");
        let row = &whole[row * LENGTH..(row + 1) * LENGTH];
        row.iter()
            .map(|&n| i32::try_from(n).expect("small"))
            .collect()
    };
    let (ids, mask) = (array("ids"), array("mask"));
    let tokens = mask.iter().filter(|&&one| one == 1).count();
    [ids[..tokens].to_vec(), mask[..tokens].to_vec()]
}

/// Imports the encoder for every length.
fn import_open(folder: &Path) -> Value {
    let dims = [
        "--dim",
        "seq=32",
        "--open",
        "seq=2..32",
        "--test-from",
        "256",
    ];
    let (code, report) = import(folder, TEXTS, &dims);
    assert_eq!(code, 0, "{report}");
    report
}

/// Ids and mask of a text, filled up to `length`, as an array of one sample.
fn filled([ids, mask]: &[Vec<i32>; 2], length: usize) -> Vec<u8> {
    let filled = |row: &[i32]| {
        let mut row = row.to_vec();
        row.resize(length, 0);
        row
    };
    write_npy_i32(&[1, 2, length], &[filled(ids), filled(mask)].concat())
}

#[test]
fn a_model_of_two_inputs_imports_with_an_open_dimension_and_both_are_shown() {
    let folder = scratch("open-inspect");
    let report = import_open(&folder);
    assert!(
        report["cosine_mean"].as_f64().expect("a cosine") >= 0.99,
        "{report}"
    );

    let (_, found) = json(&folder, &["inspect", "e.selfsame"]);
    assert_eq!(found["symbols"][0]["minimum"], 2);
    assert_eq!(found["symbols"][0]["maximum"], 32);
    let inputs = serde_json::json!([
        {"name": "ids", "elements": 32},
        {"name": "mask", "elements": 32},
    ]);
    assert_eq!(found["inputs"], inputs);
    let shown = stdout(&selfsame(&folder, &["inspect", "e.selfsame"]));
    assert!(shown.contains("ids 32, mask 32"), "{shown}");
    assert!(shown.contains("dimension 1: 2 to 32"), "{shown}");
}

#[test]
fn an_open_program_runs_at_the_length_of_its_input_and_padding_changes_nothing() {
    let folder = scratch("open-run");
    import_open(&folder);
    // One text alone, and the same filled up: the same answer.
    let text = text(300);
    let tokens = text[0].len();
    assert!((2..LENGTH).contains(&tokens), "{tokens}");
    for (name, length) in [("short.npy", tokens), ("long.npy", LENGTH)] {
        fs::write(folder.join(name), filled(&text, length)).expect("scratch");
    }
    let (code, short) = json(&folder, &["run", "e.selfsame", "--input", "short.npy"]);
    assert_eq!((code, &short["dims"]), (0, &serde_json::json!([tokens])));
    let (code, long) = json(&folder, &["run", "e.selfsame", "--input", "long.npy"]);
    assert_eq!((code, &long["dims"]), (0, &serde_json::json!([LENGTH])));
    assert_eq!(short["samples"][0]["floats"], long["samples"][0]["floats"]);
    assert_eq!(
        short["samples"][0]["output_root"],
        long["samples"][0]["output_root"]
    );
    let all = [
        "run",
        "e.selfsame",
        "--input",
        TEXTS,
        "--row",
        "300",
        "--dim",
        "seq=32",
    ];
    let (_, archive) = json(&folder, &all);
    assert_eq!(
        archive["samples"][0]["input_root"],
        long["samples"][0]["input_root"]
    );

    fs::write(folder.join("longer.npy"), filled(&text, 40)).expect("scratch");
    let (code, said) = refusal(&folder, &["run", "e.selfsame", "--input", "longer.npy"]);
    assert!(code == 5 && said.contains("samples of 80"), "{said}");
}

#[test]
fn a_short_text_is_asked_answered_and_checked_at_its_length() {
    let folder = scratch("open-ask");
    import_open(&folder);
    let text = text(300);
    let tokens = text[0].len();
    fs::write(folder.join("x.npy"), filled(&text, tokens)).expect("scratch");
    let devnet = Endpoint::devnet(&folder);
    assert_eq!(
        on_chain(&folder, &devnet, "0", &["publish", "e.selfsame"]).0,
        0
    );
    assert_eq!(on_chain(&folder, &devnet, "2", &["stake", "2"]).0, 0);
    let provider = provide(&folder, &devnet, "2", &["--model", "e.selfsame"]);
    let arguments = [
        "ask",
        "e.selfsame",
        "--input",
        "x.npy",
        "--receipt",
        "r.json",
    ];
    let (code, asked) = on_chain(&folder, &devnet, "3", &arguments);
    drop(provider);
    assert_eq!((code, &asked["signed"]), (0, &Value::Bool(true)), "{asked}");
    let (_, alone) = json(&folder, &["run", "e.selfsame", "--input", "x.npy"]);
    assert_eq!(asked["output_root"], alone["samples"][0]["output_root"]);
    let request = asked["request_id"].as_str().expect("an id");
    let challenge = ["challenge", request, "--model", "e.selfsame"];
    let (code, challenged) = on_chain(&folder, &devnet, "4", &challenge);
    assert_eq!((code, &challenged["right"]), (0, &Value::Bool(true)));
    // The input tells the length, also of whoever verifies; the receipt brings it along.
    let length = tokens.to_string();
    for given in [&["--input", "x.npy"][..], &["--dim", &length], &[]] {
        let verify = ["verify", "r.json", "--model", "e.selfsame"];
        let (code, report) = json(&folder, &[&verify[..], given].concat());
        let checks = report["checks"].as_array().expect("a list");
        let replayed = checks.iter().find(|check| check["name"] == "model-replay");
        let right = replayed.is_some_and(|check| check["ok"] == true);
        assert_eq!((code, right), (0, true), "{report}");
    }
}

#[test]
fn a_lie_about_a_short_text_is_convicted() {
    let folder = scratch("open-lie");
    import_open(&folder);
    for (dim, plant) in [("2", "5:1"), ("7", "30:2")] {
        let arguments = ["dispute", "e.selfsame", "--dim", dim, "--plant", plant];
        let (code, report) = json(&folder, &arguments);
        assert_eq!(code, 0, "{report}");
        assert_eq!(report["planted"], report["convicted"], "{report}");
        assert_eq!(report["balances_sum_zero"], true);
    }
}

#[test]
fn an_open_program_is_compared_and_timed_at_the_values_that_are_asked_for() {
    let folder = scratch("open-bench");
    import_open(&folder);
    let compared = [
        "compare",
        ENCODER,
        "e.selfsame",
        "--data",
        TEXTS,
        "--dim",
        "seq=32",
    ];
    let (code, compared) = json(&folder, &[&compared[..], &["--from", "480"]].concat());
    assert_eq!(code, 0, "{compared}");
    assert_eq!(compared["samples"], 32);
    assert!(
        compared["cosine_mean"].as_f64().expect("a cosine") >= 0.99,
        "{compared}"
    );

    let times = [
        "bench",
        "e.selfsame",
        "--dim",
        "8",
        "--rounds",
        "1",
        "--iterations",
        "1",
    ];
    let (code, at_eight) = json(&folder, &[&times[..], &["--cold-starts", "1"]].concat());
    assert_eq!((code, &at_eight["dims"]), (0, &serde_json::json!([8])));
    let (_, at_most) = json(&folder, &[&["bench", "e.selfsame"], &times[4..]].concat());
    assert_eq!(at_most["dims"], serde_json::json!([32]));
    let macs = |bench: &Value| bench["macs"].as_u64().expect("a count");
    assert!(macs(&at_eight) < macs(&at_most));

    for (dim, what) in [("33", "2 to 32"), ("1", "2 to 32")] {
        let (code, said) = refusal(
            &folder,
            &["run", "e.selfsame", "--input", "long.npy", "--dim", dim],
        );
        assert!(
            code == 2 && said.contains(what) && said.contains("inspect"),
            "{said}"
        );
    }
    let twice = ["bench", "e.selfsame", "--dim", "3", "--dim", "4"];
    let (code, said) = refusal(&folder, &twice);
    assert!(code == 2 && said.contains("2 values"), "{said}");
}

#[test]
fn synthetic_ids_and_masks_make_a_program_and_a_loud_warning() {
    let folder = scratch("open-synthetic");
    let arguments = [
        "import",
        ENCODER,
        "--calibrate",
        "synthetic",
        "-o",
        "e.selfsame",
    ];
    let output = selfsame(
        &folder,
        &[&arguments[..], &["--open", "seq=2..16"]].concat(),
    );
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("WARNING"), "{}", stderr(&output));
    let (_, found) = json(&folder, &["inspect", "e.selfsame"]);
    assert_eq!(
        found["inputs"][1]["elements"], 16,
        "the largest value is the data's"
    );
}

#[test]
fn a_dimension_without_a_value_is_that_of_the_data_and_this_is_said() {
    let folder = scratch("open-said");
    let (code, given) = import(&folder, TEXTS, &["--dim", "seq=32"]);
    assert_eq!((code, given["extents"].to_string().as_str()), (0, "[]"));
    let (code, said) = import(&folder, TEXTS, &["--html", "e.html"]);
    assert_eq!((code, &said["model_id"]), (0, &given["model_id"]));
    let extents = object!([{"input": "ids", "axis": 1, "name": "seq", "extent": 32}]);
    assert_eq!(said["extents"], extents);
    let page = fs::read_to_string(folder.join("e.html")).expect("it was written");
    assert!(page.contains("seq = 32"), "the page says it, too");
    let text = |arguments: &[&str]| {
        let output = selfsame(&folder, arguments);
        assert!(output.status.success(), "{}", stderr(&output));
        stderr(&output)
    };
    let plain = ["import", ENCODER, "--calibrate", TEXTS, "-o", "e.selfsame"];
    let note = "seq = 32, from the calibration data\n";
    assert_eq!(text(&plain), note);
    let shape = [&plain[..], &["--shape", "ids=1,32"]].concat();
    assert_eq!(text(&shape), "", "what is given needs no word");
    let compared = ["compare", ENCODER, "e.selfsame", "--data", TEXTS];
    assert_eq!(text(&compared), "seq = 32, from the data\n");
}

#[test]
fn what_is_missing_is_named() {
    let folder = scratch("open-refused");
    let arguments = |data| ["import", ENCODER, "--calibrate", data, "-o", "e.selfsame"];
    let refused = |data, more: &[&str]| refusal(&folder, &[&arguments(data)[..], more].concat());
    let (code, said) = refused("synthetic", &[]);
    assert!(code == 5 && said.contains("--dim seq="), "{said}");
    let (code, said) = refused(TEXTS, &["--shape", "ids=1,16,2"]);
    let given = "[batch, seq], and [1, 16, 2] is given";
    assert!(code == 5 && said.contains(given), "{said}");
    let (code, said) = refused(TEXTS, &["--constant", "ids=4"]);
    let named = "whole numbers of shape [batch, seq]";
    assert!(code == 5 && said.contains(named), "{said}");
    let (code, said) = refused(TEXTS, &["--dim", "seq=16"]);
    assert!(
        code == 5 && said.contains("array ids has shape [512, 32]"),
        "{said}"
    );
    let (code, said) = refused(TEXTS, &["--dim", "seq=32", "--output-name", "nothing"]);
    assert!(code == 5 && said.contains("nothing"), "{said}");
    let (code, said) = refused(TEXTS, &["--dim", "seq=32", "--dim", "seq=31"]);
    assert!(code == 2 && said.contains("seq twice"), "{said}");
    for more in [["--dim", "sequence=32"], ["--open", "sequence=2..32"]] {
        let (code, said) = refused(TEXTS, &[&["--dim", "seq=32"], &more[..]].concat());
        let named = ["\"sequence\"", "the names are batch, seq"];
        assert!(
            code == 5 && named.iter().all(|name| said.contains(name)),
            "{said}"
        );
    }
    let (code, said) = refused(TEXTS, &["--open", "seq=9..2"]);
    assert!(code == 2 && said.contains("MIN < MAX"), "{said}");
    let digits = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/data/digits.npz");
    let (code, said) = refused(digits, &["--dim", "seq=32"]);
    let named = [
        "\"ids\", \"mask\"",
        "it holds x, y",
        "ids [32] whole numbers",
    ];
    assert!(
        code == 5 && named.iter().all(|name| said.contains(name)),
        "{said}"
    );
    let one = write_npy_i32(&[1, 32], &[1; 32]);
    fs::write(folder.join("ids.npy"), one).expect("scratch");
    let (code, said) = refused("ids.npy", &["--dim", "seq=32"]);
    assert!(code == 5 && said.contains("an array for each"), "{said}");
}

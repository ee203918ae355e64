//! `bench`: what it reports of a small program, alone, with a peer, and with a peer that is not there.

mod common;

use std::fs;
use std::path::Path;

use common::{json, scratch, selfsame, stderr, write_small};
use serde_json::Value;

const SHORT: [&str; 4] = ["--rounds", "2", "--iterations", "3"];

fn bench(folder: &Path, arguments: &[&str]) -> (i32, Value) {
    json(
        folder,
        &[&["bench", "small.selfsame"], &SHORT[..], arguments].concat(),
    )
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

/// A stand-in for Python with ONNX Runtime: every run takes a tenth of a second, or two.
#[cfg(unix)]
fn peer(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;

    let script = "#!/bin/sh\nif [ \"$3\" = serve ]; then while read -r line; do\n\
                  echo '{\"version\": \"9.9\", \"seconds\": [0.1, 0.2, 0.1]}'; done; fi\n";
    fs::write(folder.join("python"), script).expect("scratch");
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(folder.join("python"), mode).expect("scratch");
}

#[test]
fn percentiles_trace_cold_start_and_memory_are_reported() {
    let folder = scratch("bench-all");
    write_small(&folder);
    let shapes = ["--batch", "1,4", "--threads", "1,2", "--cold-starts", "2"];
    let (code, report) = bench(&folder, &shapes);
    assert_eq!(code, 0);
    let runs = report["runs"].as_array().expect("a list");
    assert_eq!(runs.len(), 8, "with and without trace");
    for run in runs {
        let times = ["min_ms", "median_ms", "p90_ms", "p99_ms"].map(|name| number(&run[name]));
        assert!(times.is_sorted() && 0.0 < times[0], "{run}");
        let rate = number(&run["batch"]) / times[1] * 1e3;
        assert!((number(&run["samples_per_second"]) / rate - 1.0).abs() < 1e-9);
        assert_eq!(
            run["trace_overhead_percent"].is_number(),
            run["trace"] == "on"
        );
        assert!(run["ratio"].is_null());
    }
    // Two nodes of 2 and 3 bytes: two tiles, and one pair over the nodes.
    assert_eq!(report["trace"]["hashed_bytes"], 2 + 3 + 2 + 65);
    let cold = &report["cold_start"];
    assert_eq!(cold["starts"], 2);
    let (ready, total) = (number(&cold["ready_ms"]), number(&cold["total_ms"]));
    assert!(ready < total);
    for part in ["load_ms", "pack_ms"] {
        assert!(0.0 < number(&cold[part]) && number(&cold[part]) <= ready);
    }
    for part in ["ready_ms", "first_run_ms"] {
        assert!(0.0 < number(&cold[part]) && number(&cold[part]) <= number(&cold["total_ms"]));
    }
    if cfg!(target_os = "linux") {
        let memory = &report["memory"];
        assert_eq!(memory["live_bytes"], 5);
        assert!(0.0 <= number(&memory["ratio"]), "{memory}");
    }
    assert!(report["peer_absent"].is_null());
    let (_, without) = bench(&folder, &["--cold-starts", "0"]);
    assert!(without["cold_start"].is_null() && without["memory"].is_null());
}

#[cfg(unix)]
#[test]
fn the_peer_runs_in_the_same_rounds_and_every_cell_has_its_ratios() {
    let folder = scratch("bench-peer");
    write_small(&folder);
    peer(&folder);
    let models = [
        "--peer",
        "f.onnx",
        "--peer-int8",
        "q.onnx",
        "--python",
        "./python",
    ];
    let others = ["--batch", "1,2", "--trace", "off", "--plot", "plot.svg"];
    let (code, report) = bench(&folder, &[&models[..], &others].concat());
    assert_eq!(code, 0);
    let runs = report["runs"].as_array().expect("a list");
    for run in runs {
        let ratio = number(&run["median_ms"]) / 100.0;
        for name in ["ratio", "ratio_float32", "ratio_int8"] {
            assert!(
                (number(&run[name]) / ratio - 1.0).abs() < 1e-9,
                "{name}: {run}"
            );
        }
    }
    let peers = report["baseline"].as_array().expect("a list");
    assert_eq!((runs.len(), peers.len()), (2, 6));
    assert_eq!(peers[0]["version"], "9.9");
    assert_eq!(peers[0]["samples"], 6);
    let plot = fs::read_to_string(folder.join("plot.svg")).expect("it was written");
    assert!(plot.starts_with("<svg ") && plot.ends_with("</svg>\n"));
    assert_eq!(plot.matches("<rect").count(), 6);
    for word in [
        "batch 1, 1 thread",
        "batch 2, 1 thread",
        "onnxruntime-int8 100",
    ] {
        assert!(plot.contains(word), "{word}");
    }
    let address = plot.replace("http://www.w3.org/2000/svg", "");
    assert!(!address.contains("http") && !address.contains("href"));
}

#[test]
fn a_peer_that_is_not_there_is_said_and_only_fails_if_it_was_insisted_on() {
    let folder = scratch("bench-alone");
    write_small(&folder);
    let peer = ["--peer", "f.onnx", "--python", "./no-such-python"];
    let (code, report) = bench(&folder, &peer);
    assert_eq!(code, 0);
    let why = report["peer_absent"].as_str().expect("a reason");
    assert!(why.contains("no-such-python"), "{why}");
    let insisted = [
        &["bench", "small.selfsame"],
        &peer[..],
        &["--against", "onnxruntime"],
    ]
    .concat();
    let output = selfsame(&folder, &insisted);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let bare = ["bench", "small.selfsame", "--against", "onnxruntime"];
    assert_eq!(selfsame(&folder, &bare).status.code(), Some(2));
}

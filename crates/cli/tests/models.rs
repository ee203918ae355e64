//! The shipped models: import gives the shipped bytes, compare agrees, pictures and arrays run.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{json, scratch, selfsame, stderr};

const DIGITS: &str = "0,1,2,3,4,5,6,7,8,9";

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models")
}

fn path(relative: &str) -> String {
    models().join(relative).display().to_string()
}

/// Imports a shipped model again and gives the report.
fn import(name: &str, data: &str, test_from: &str, labels: &str) -> serde_json::Value {
    let folder = scratch(&format!("import-{name}"));
    let onnx = path(&format!("{name}/model.onnx"));
    let data = path(&format!("data/{data}.npz"));
    let arguments = [
        "import",
        &onnx,
        "--calibrate",
        &data,
        "--test-from",
        test_from,
        "--labels",
        labels,
        "--name",
        name,
        "-o",
        "out.selfsame",
    ];
    let (code, report) = json(&folder, &arguments);
    assert_eq!(code, 0);
    let made = fs::read(folder.join("out.selfsame")).expect("it was written");
    let shipped = fs::read(models().join(name).join("program.selfsame")).expect("it is shipped");
    assert!(
        made == shipped,
        "{name}: importing gives other bytes than the shipped program"
    );
    report
}

#[test]
fn importing_again_gives_the_shipped_programs() {
    for (name, data, from, labels) in [
        ("cancer", "cancer", "450", "malignant,benign"),
        ("mlp", "digits", "1400", DIGITS),
        ("lenet", "digits28", "1400", DIGITS),
        ("resnet20", "digits28", "1400", DIGITS),
    ] {
        let report = import(name, data, from, labels);
        assert_eq!(report["schema"], "selfsame.import/1");
        assert!(
            report["agreement"].as_f64().expect("a share") >= 0.99,
            "{report}"
        );
        assert!(
            report["snr_db"].as_f64().expect("decibels") >= 30.0,
            "{report}"
        );
        let layers = report["layers"].as_array().expect("a list");
        let snr = |layer: &serde_json::Value| layer["snr_db"].as_f64().expect("decibels");
        assert!(
            layers.windows(2).all(|pair| snr(&pair[0]) <= snr(&pair[1])),
            "worst first"
        );
        assert!(
            report["certificate"]["challenger_moves"]
                .as_u64()
                .expect("moves")
                <= 5
        );
    }
}

#[test]
fn compare_has_the_fields_of_its_schema() {
    let folder = scratch("compare");
    let (onnx, program) = (path("cancer/model.onnx"), path("cancer/program.selfsame"));
    let data = path("data/cancer.npz");
    let (code, report) = json(&folder, &["compare", &onnx, &program, "--data", &data]);
    assert_eq!(code, 0);
    assert_eq!(report["schema"], "selfsame.compare/1");
    assert_eq!(report["samples"], 569);
    for field in [
        "top1_agreement",
        "cosine_mean",
        "cosine_min",
        "snr_db",
        "max_abs_error",
    ] {
        assert!(report[field].is_number(), "{field}: {report}");
    }
}

#[test]
fn a_program_of_another_source_is_not_compared() {
    let folder = scratch("compare-other");
    let (onnx, program) = (path("cancer/model.onnx"), path("mlp/program.selfsame"));
    let data = path("data/cancer.npz");
    let output = selfsame(&folder, &["compare", &onnx, &program, "--data", &data]);
    assert_eq!(output.status.code(), Some(5), "{}", stderr(&output));
}

#[test]
fn a_labelled_data_set_is_counted() {
    let folder = scratch("run-set");
    let (program, data) = (path("cancer/program.selfsame"), path("data/cancer.npz"));
    let (code, report) = json(&folder, &["run", &program, "--input", &data]);
    assert_eq!(code, 0);
    assert_eq!(report["samples"].as_array().expect("a list").len(), 569);
    assert!(
        report["correct"].as_u64().expect("a count") > 540,
        "{}",
        report["correct"]
    );
}

/// A grey PNG of 8-bit samples, deflate blocks stored. Source: PNG specification, 5 and 10.
fn png(width: u8, height: u8, samples: &[u8]) -> Vec<u8> {
    let rows = samples.chunks_exact(usize::from(width));
    let filtered: Vec<u8> = rows.flat_map(|row| [&[0], row].concat()).collect();
    let len = u16::try_from(filtered.len()).expect("one stored block");
    let adler = filtered.iter().fold((1_u32, 0_u32), |(a, b), &byte| {
        let a = (a + u32::from(byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    let mut zlib = vec![0x78, 0x01, 0x01];
    zlib.extend(len.to_le_bytes());
    zlib.extend((!len).to_le_bytes());
    zlib.extend(&filtered);
    zlib.extend((adler.1 << 16 | adler.0).to_be_bytes());
    let header = [0, 0, 0, width, 0, 0, 0, height, 8, 0, 0, 0, 0];
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, data) in [(b"IHDR", &header[..]), (b"IDAT", &zlib), (b"IEND", &[])] {
        let body = [&kind[..], data].concat();
        let crc = body.iter().fold(u32::MAX, |crc, &byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| {
                crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 }
            })
        });
        file.extend(u32::try_from(data.len()).expect("short").to_be_bytes());
        file.extend(body);
        file.extend((!crc).to_be_bytes());
    }
    file
}

/// Spec: interface, 6.2 and 6.3.
#[test]
fn a_picture_an_array_and_its_floats_are_one_input() {
    let folder = scratch("picture");
    let (program, data) = (path("lenet/program.selfsame"), path("data/digits28.npz"));
    let samples: Vec<u8> = (0..784_u32)
        .map(|i| u8::try_from(i * 7 % 256).expect("a byte"))
        .collect();
    fs::write(folder.join("x.png"), png(28, 28, &samples)).expect("scratch");
    let list = |values: Vec<String>| format!("[{}]", values.join(","));
    let pixels = list(samples.iter().map(ToString::to_string).collect());
    fs::write(
        folder.join("pixels.json"),
        format!("{{\"pixels\": {pixels}}}"),
    )
    .expect("scratch");
    let floats = list(
        samples
            .iter()
            .map(|&s| (f32::from(s) / 255.0).to_string())
            .collect(),
    );
    fs::write(folder.join("floats.json"), floats).expect("scratch");
    let root = |input: &str| {
        let (code, report) = json(&folder, &["run", &program, "--input", input]);
        assert_eq!(code, 0, "{input}");
        report["samples"][0]["input_root"].clone()
    };
    let picture = root("x.png");
    assert_eq!(picture, root("pixels.json"));
    assert_eq!(picture, root("floats.json"));
    let (_, first) = json(&folder, &["run", &program, "--input", &data, "--row", "0"]);
    assert_ne!(picture, first["samples"][0]["input_root"]);
    fs::write(folder.join("small.png"), png(8, 8, &samples[..64])).expect("scratch");
    let refused = selfsame(&folder, &["run", &program, "--input", "small.png"]);
    assert_eq!(refused.status.code(), Some(5));
    assert!(stderr(&refused).contains("28"), "{}", stderr(&refused));
    let table = path("cancer/program.selfsame");
    let refused = selfsame(&folder, &["run", &table, "--input", "x.png"]);
    assert_eq!(refused.status.code(), Some(5));
}

#[test]
fn interpreter_and_kernels_give_one_trace() {
    let folder = scratch("kernels");
    let (program, data) = (path("mlp/program.selfsame"), path("data/digits.npz"));
    for kernel in ["interpreter", "portable", "auto"] {
        let trace = format!("--trace={kernel}.trace");
        let arguments = [
            "run", &program, "--input", &data, "--row", "7", "--kernel", kernel, &trace,
        ];
        assert_eq!(json(&folder, &arguments).0, 0, "{kernel}");
    }
    for other in ["portable.trace", "auto.trace"] {
        let (_, value) = json(&folder, &["trace", "diff", "interpreter.trace", other]);
        assert_eq!(value["equal"], true, "{other}");
    }
    let output = selfsame(
        &folder,
        &["run", &program, "--input", &data, "--kernel", "abacus"],
    );
    assert_eq!(output.status.code(), Some(5));
    assert!(stderr(&output).contains("portable"), "{}", stderr(&output));
}

#[test]
fn bench_lists_a_run_for_each_configuration() {
    let folder = scratch("bench");
    let program = path("cancer/program.selfsame");
    let arguments = [
        "bench",
        &program,
        "--rounds",
        "2",
        "--iterations",
        "3",
        "--batch",
        "1,4",
        "--threads",
        "1,2",
        "--trace",
        "on,off",
    ];
    let (code, report) = json(&folder, &arguments);
    assert_eq!(code, 0);
    let runs = report["runs"].as_array().expect("a list");
    assert_eq!(runs.len(), 8);
    for run in runs {
        assert_eq!(run["samples"], 6, "{run}");
        assert!(run["median_ms"].as_f64().expect("time") <= run["p99_ms"].as_f64().expect("time"));
        assert!(run["kernel"].is_string() && run["trace"].is_string() && run["ratio"].is_null());
    }
}

#[test]
fn a_damaged_onnx_file_is_refused_with_its_name() {
    let folder = scratch("onnx");
    let mut bytes = fs::read(models().join("cancer/model.onnx")).expect("it is shipped");
    bytes.truncate(bytes.len() / 2);
    fs::write(folder.join("half.onnx"), bytes).expect("scratch");
    let data = path("data/cancer.npz");
    let output = selfsame(
        &folder,
        &["import", "half.onnx", "--calibrate", &data, "-o", "x"],
    );
    assert_eq!(output.status.code(), Some(5));
    assert!(stderr(&output).contains("half.onnx"), "{}", stderr(&output));
    assert!(!folder.join("x").exists());
}

#[test]
fn a_folder_of_pictures_calibrates_and_another_size_is_refused() {
    let folder = scratch("folder");
    let onnx = path("lenet/model.onnx");
    fs::create_dir(folder.join("pictures")).expect("scratch");
    for shade in 0..8 {
        let name = format!("pictures/{shade}.png");
        let samples: Vec<u8> = (0..28_u8)
            .flat_map(|y| (0..28_u8).map(move |x| (shade * 30) ^ (x * (y / 4))))
            .collect();
        fs::write(folder.join(name), png(28, 28, &samples)).expect("scratch");
    }
    let import = [
        "import",
        &onnx,
        "--calibrate",
        "pictures",
        "-o",
        "out.selfsame",
    ];
    let (code, report) = json(&folder, &import);
    assert_eq!((code, &report["samples"]), (0, &2.into()));
    let mlp = path("mlp/model.onnx");
    let wrong = [
        "import",
        &mlp,
        "--calibrate",
        "pictures",
        "-o",
        "out.selfsame",
    ];
    let refused = selfsame(&folder, &wrong);
    assert_eq!(refused.status.code(), Some(5), "{}", stderr(&refused));
    assert!(
        stderr(&refused).contains("no pictures"),
        "{}",
        stderr(&refused)
    );
}

#[test]
fn noise_calibrates_with_a_loud_warning_and_gives_the_same_program_again() {
    let folder = scratch("noise");
    let onnx = path("lenet/model.onnx");
    let mut made = Vec::new();
    for out in ["a.selfsame", "b.selfsame"] {
        let import = ["import", &onnx, "--calibrate", "synthetic", "-o", out];
        let output = selfsame(&folder, &import);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(stderr(&output).contains("WARNING"), "{}", stderr(&output));
        made.push(fs::read(folder.join(out)).expect("it was written"));
    }
    assert!(
        made[0] == made[1],
        "two programs from one model and the same noise"
    );
}

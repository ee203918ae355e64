//! The report pages: well-formed, alone, accessible, and with the numbers of the JSON object.

mod common;

use std::fs;
use std::path::Path;

use common::{json, scratch};
use serde_json::Value;

fn models(relative: &str) -> String {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    models.join(relative).display().to_string()
}

/// The page of `arguments --html page.html` and the JSON object of the same run.
fn page(name: &str, arguments: &[&str]) -> (String, Value) {
    let folder = scratch(name);
    let (code, report) = json(&folder, &[arguments, &["--html", "page.html"]].concat());
    assert_eq!(code, 0);
    let page = fs::read_to_string(folder.join("page.html")).expect("it was written");
    (page, report)
}

fn imported() -> (String, Value) {
    let (onnx, data) = (models("lenet/model.onnx"), models("data/digits28.npz"));
    let arguments = ["import", &onnx, "--calibrate", &data, "-o", "o.selfsame"];
    let named = ["--name", "a <b> & \"c\" \u{e9}"];
    page("page-import", &[&arguments[..], &named].concat())
}

fn compared() -> (String, Value) {
    let (onnx, program) = (models("mlp/model.onnx"), models("mlp/program.selfsame"));
    let data = models("data/digits.npz");
    page(
        "page-compare",
        &["compare", &onnx, &program, "--data", &data],
    )
}

/// Start tags with their attributes, after checking that every tag is closed in order.
fn start_tags(page: &str) -> Vec<String> {
    let body = page.strip_prefix("<!DOCTYPE html>\n").expect("a doctype");
    let (mut open, mut tags) = (Vec::new(), Vec::new());
    let mut rest = body;
    while let Some(at) = rest.find('<') {
        assert!(!rest[..at].contains('>'), "a bare > in {:?}", &rest[..at]);
        let end = at + rest[at..].find('>').expect("every tag ends");
        let tag = &rest[at + 1..end];
        let name = tag.trim_matches('/').split_whitespace().next();
        let name = name.expect("every tag has a name");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "tags close in order");
        } else {
            assert!(tag.matches('"').count().is_multiple_of(2), "{tag}");
            tags.push(tag.to_owned());
            if !tag.ends_with('/') {
                open.push(name);
            }
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty(), "still open: {open:?}");
    tags
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = tag.split_once(&format!(" {name}=\""))?;
    Some(after.split_once('"')?.0)
}

/// `layers[3].snr_db` as a place of a JSON object.
fn place<'a>(report: &'a Value, key: &str) -> &'a Value {
    let pointer = key.replace('[', "/").replace("].", "/");
    let found = report.pointer(&format!("/{pointer}"));
    found.unwrap_or_else(|| panic!("{key} is not in the object"))
}

fn check(page: &str, report: &Value) {
    let tags = start_tags(page);
    for word in [
        "http:", "https:", "//", "src=", "href=", "@import", "url(", "<script",
    ] {
        assert!(!page.contains(word), "the page names {word}");
    }
    let entities = page.split('&').skip(1);
    for entity in entities {
        let known = ["amp;", "lt;", "gt;", "quot;"];
        assert!(known.iter().any(|known| entity.starts_with(known)));
    }
    let mut numbers = 0;
    for tag in tags.iter().filter(|tag| tag.starts_with("data ")) {
        let key = attribute(tag, "data-key").expect("every number is named");
        let value = attribute(tag, "value").expect("every number is there in full");
        let wanted = place(report, key).as_f64();
        // The same reader for both: it may miss the last bit of a number, but not of one alone.
        assert_eq!(serde_json::from_str::<f64>(value).ok(), wanted, "{key}");
        numbers += 1;
    }
    let layers = report["layers"].as_array().expect("a list").len();
    assert!(
        0 < layers && 15 + 3 * layers <= numbers,
        "{numbers} of {layers} layers"
    );
    for tag in tags.iter().filter(|tag| tag.starts_with("span ")) {
        if let Some(key) = attribute(tag, "data-key") {
            let there = place(report, key);
            assert!(there.is_null() || there.is_string(), "{key}: {there}");
        }
    }
    let count = |start: &str| tags.iter().filter(|tag| tag.starts_with(start)).count();
    assert_eq!((count("h1"), count("main"), count("svg ")), (1, 1, 4));
    assert_eq!(count("table"), count("caption"));
    let labels = tags
        .iter()
        .filter_map(|tag| attribute(tag, "aria-labelledby"));
    for id in labels.flat_map(str::split_whitespace) {
        let named = tags.iter().filter(|tag| attribute(tag, "id") == Some(id));
        assert_eq!(named.count(), 1, "{id} is on the page once");
    }
}

#[test]
fn the_page_of_an_import_stands_alone_and_says_what_the_object_says() {
    let (page, report) = imported();
    check(&page, &report);
    assert!(page.contains("<h1>a &lt;b&gt; &amp; &quot;c&quot; \u{e9}</h1>"));
    assert_eq!(report["parameters"], 61_706);
    assert_eq!(report["weight_bytes"], 61_470);
}

#[test]
fn the_page_of_a_comparison_stands_alone_and_says_what_the_object_says() {
    let (page, report) = compared();
    check(&page, &report);
    assert_eq!(report["top1_agreement"], report["agreement"]);
}

/// An artefact has no scales of its layers; fitted ones come near to those of the import.
#[test]
fn layers_found_by_name_are_as_good_as_those_of_the_import() {
    let folder = scratch("page-layers");
    let (onnx, data) = (models("resnet20/model.onnx"), models("data/digits28.npz"));
    let import = [
        "import",
        &onnx,
        "--calibrate",
        &data,
        "--test-from",
        "1700",
        "-o",
        "r",
    ];
    let (_, imported) = json(&folder, &import);
    let compare = [
        "compare",
        &onnx,
        "r",
        "--data",
        &data,
        "--from",
        "1700",
        "--layer-rows",
        "99999",
    ];
    let (_, compared) = json(&folder, &compare);
    let snr = |report: &Value| -> Vec<(u64, f64)> {
        let layers = report["layers"].as_array().expect("a list");
        let of = |layer: &Value| Some((layer["node"].as_u64()?, layer["snr_db"].as_f64()?));
        let mut found: Vec<_> = layers.iter().filter_map(of).collect();
        found.sort_by_key(|layer| layer.0);
        found
    };
    let (known, fitted) = (snr(&imported), snr(&compared));
    assert!(known.len() > 20);
    let nodes = |layers: &[(u64, f64)]| layers.iter().map(|layer| layer.0).collect::<Vec<_>>();
    assert_eq!(nodes(&known), nodes(&fitted));
    for (known, fitted) in known.iter().zip(&fitted) {
        let better = fitted.1 - known.1;
        assert!(
            (-0.01..1.0).contains(&better),
            "node {}: {known:?} {fitted:?}",
            known.0
        );
    }
}

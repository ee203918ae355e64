//! Commands that need no chain: output, exit codes, refusals.

mod common;

use std::fs;

use common::{json, scratch, selfsame, stderr, stdout, write_small};

#[test]
fn the_help_lists_every_command_and_the_exit_codes() {
    let folder = scratch("help");
    let output = selfsame(&folder, &["--help"]);
    assert_eq!(output.status.code(), Some(0));
    let text = stdout(&output);
    for word in [
        "inspect",
        "run",
        "trace",
        "Exit codes:",
        "verification failed",
    ] {
        assert!(text.contains(word), "{word} is missing in\n{text}");
    }
}

#[test]
fn a_wrong_command_line_ends_with_code_2_and_empty_data() {
    let folder = scratch("usage");
    for arguments in [
        vec!["no-such-command"],
        vec!["run"],
        vec!["inspect"],
        vec![],
    ] {
        let output = selfsame(&folder, &arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn inspect_names_the_model_and_its_nodes() {
    let folder = scratch("inspect");
    write_small(&folder);
    let (code, value) = json(&folder, &["inspect", "small.selfsame"]);
    assert_eq!(code, 0);
    assert_eq!(value["schema"], "selfsame.inspect/1");
    let id = common::small_program().commit().model_id.to_string();
    assert_eq!(value["model_id"], id);
    assert_eq!(value["nodes"][1]["op"], "matmul");
    assert_eq!(value["nodes"][1]["id"], 1);
    assert_eq!(value["nodes"][1]["shape"], serde_json::json!([1, 3]));
    assert_eq!(value["nodes"][1]["elements"], 3);
    let text = stdout(&selfsame(&folder, &["inspect", "small.selfsame"]));
    assert!(text.contains(&id) && text.contains("classes"), "{text}");
}

#[test]
fn inspect_draws_every_node() {
    let folder = scratch("graph");
    write_small(&folder);
    let (code, _) = json(&folder, &["inspect", "small.selfsame", "--graph", "g.svg"]);
    assert_eq!(code, 0);
    let drawing = fs::read_to_string(folder.join("g.svg")).expect("it was written");
    assert!(drawing.starts_with("<svg") && drawing.ends_with("</svg>\n"));
    assert_eq!(drawing.matches("<g><title>node ").count(), 2);
    assert!(drawing.contains("node 1: matmul classes, 1x3 i8, 6 MACs"));
}

#[test]
fn run_shows_labels_and_floats_and_writes_an_array() {
    let folder = scratch("run");
    write_small(&folder);
    fs::write(folder.join("x.json"), "[[3, 4], [9, -2]]").expect("scratch");
    let arguments = [
        "run",
        "small.selfsame",
        "--input",
        "x.json",
        "--output",
        "y.npy",
    ];
    let (code, value) = json(&folder, &arguments);
    assert_eq!(code, 0);
    assert_eq!(value["samples"][0]["top"][0]["label"], "both");
    assert_eq!(
        value["samples"][0]["floats"],
        serde_json::json!([3.0, 4.0, 7.0])
    );
    assert_eq!(value["samples"][1]["top"][0]["label"], "left");
    let array = fs::read(folder.join("y.npy")).expect("it was written");
    assert_eq!(array[array.len() - 4..], 7.0_f32.to_le_bytes());
}

#[test]
fn text_is_aligned_and_plain_where_nobody_looks() {
    let folder = scratch("golden");
    write_small(&folder);
    fs::write(folder.join("x.json"), "[[3, 4], [9, -2]]").expect("scratch");
    let text = stdout(&selfsame(
        &folder,
        &["run", "small.selfsame", "--input", "x.json"],
    ));
    let id = common::small_program().commit().model_id;
    let want = format!(
        "small  {id}\n  row  answer     value  next\n    \
         0  both (2)  7.0000  right (1) 4.0000, left (0) 3.0000\n    \
         1  left (0)  9.0000  both (2) 7.0000, right (1) -2.0000\n"
    );
    assert_eq!(text, want);
}

#[test]
fn trace_diff_names_the_first_node_and_element() {
    let folder = scratch("trace");
    write_small(&folder);
    for (name, row) in [("a", "[3, 4]"), ("b", "[3, 5]")] {
        fs::write(folder.join(format!("{name}.json")), row).expect("scratch");
        let input = format!("{name}.json");
        let (code, value) = json(
            &folder,
            &["run", "small.selfsame", "--input", &input, "--trace"],
        );
        assert_eq!(code, 0);
        assert_eq!(value["trace"]["file"], format!("{name}.trace"));
    }
    let (code, value) = json(&folder, &["trace", "diff", "a.trace", "b.trace"]);
    assert_eq!(code, 0);
    assert_eq!(value["equal"], false);
    assert_eq!(value["first_difference"]["node"], 0);
    assert_eq!(value["first_difference"]["element"], 1);
    let same = selfsame(
        &folder,
        &["trace", "diff", "a.trace", "a.trace", "--exit-code"],
    );
    assert_eq!(same.status.code(), Some(0));
    let differ = selfsame(
        &folder,
        &["trace", "diff", "a.trace", "b.trace", "--exit-code"],
    );
    assert_eq!(differ.status.code(), Some(1));
    assert!(
        stdout(&differ).contains("node 0, element 1"),
        "{}",
        stdout(&differ)
    );
}

#[test]
fn refused_files_end_with_code_5_and_say_what_to_do() {
    let folder = scratch("refused");
    write_small(&folder);
    fs::write(folder.join("three.json"), "[1, 2, 3]").expect("scratch");
    fs::write(folder.join("x.txt"), "1 2").expect("scratch");
    fs::write(folder.join("short.selfsame"), b"SELFSAME\0").expect("scratch");
    for (arguments, word) in [
        (vec!["inspect", "absent.selfsame"], "absent.selfsame"),
        (vec!["inspect", "short.selfsame"], "import"),
        (
            vec!["run", "small.selfsame", "--input", "three.json"],
            "takes 2",
        ),
        (vec!["run", "small.selfsame", "--input", "x.txt"], ".npy"),
        (
            vec!["trace", "diff", "small.selfsame", "small.selfsame"],
            "--trace",
        ),
    ] {
        let output = selfsame(&folder, &arguments);
        assert_eq!(output.status.code(), Some(5), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(stderr(&output).contains(word), "{}", stderr(&output));
        assert!(
            !stderr(&output).contains('\u{1b}'),
            "colour without a terminal"
        );
    }
    let output = selfsame(&folder, &["inspect", "absent.selfsame", "--json"]);
    let object: serde_json::Value = serde_json::from_slice(&output.stderr).expect("one object");
    assert_eq!(object["schema"], "selfsame.error/1");
    assert_eq!(object["exit_code"], 5);
}

#[test]
fn a_flipped_byte_of_a_program_is_refused() {
    let folder = scratch("flipped");
    let program = common::small_program();
    let mut bytes = selfsame_ir::artefact::encode(&program, &program.commit());
    let last = bytes.len() - 50; // among the weights
    bytes[last] ^= 1;
    fs::write(folder.join("flipped.selfsame"), bytes).expect("scratch");
    let output = selfsame(&folder, &["inspect", "flipped.selfsame"]);
    assert_eq!(output.status.code(), Some(5));
}

//! What the tests of the command line share: the binary, a small program, scratch folders.

#![allow(dead_code, reason = "each test file uses its part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use selfsame_ir::{
    ChannelConstants, CheckedProgram, DType, Dim, InputSpec, Interface, Layout, Linear, MatMul,
    Node, Notes, Op, Program, Ratio, artefact,
};
use serde_json::Value;

/// Runs the binary in `folder`.
pub(crate) fn selfsame(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_selfsame"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("CLICOLOR_FORCE")
        .output()
        .expect("the binary was built for this test")
}

/// Standard output as text.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("output is UTF-8")
}

/// Standard error as text.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("output is UTF-8")
}

/// Exit code and JSON of `arguments --json`.
pub(crate) fn json(folder: &Path, arguments: &[&str]) -> (i32, Value) {
    let output = selfsame(folder, &[arguments, &["--json"]].concat());
    let code = output.status.code().expect("no signal ended it");
    let text = stdout(&output);
    let value = serde_json::from_str(&text);
    let value = value.unwrap_or_else(|error| panic!("{error}: {text:?} {}", stderr(&output)));
    (code, value)
}

/// A fresh folder of this test.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).expect("the folder is this test's own");
    }
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

/// Two inputs, three classes: class 0 is x, class 1 is y, class 2 is x + y, with labels.
pub(crate) fn small_program() -> CheckedProgram {
    let constants = ChannelConstants {
        bias: 0,
        multiplier: 2,
        addend_multiplier: 0,
        shift: 1,
    };
    let matmul = MatMul {
        rows: Dim::fixed(1),
        row_elements: 2,
        k_offset: 0,
        k_len: 2,
        out_channels: 3,
        linear: Linear {
            weights: vec![1, 0, 0, 1, 1, 1],
            constants: vec![constants; 3],
            addend: None,
            low: -127,
            high: 127,
            table: None,
        },
    };
    let input = InputSpec {
        shape: vec![Dim::fixed(2)],
    };
    let scale = Ratio {
        multiplier: 1,
        shift: 0,
    };
    let layout = |extent| Layout {
        shape: vec![extent],
        axes: vec![0],
    };
    let node = |op, inputs| Node {
        op,
        inputs,
        dtype: DType::I8,
    };
    let program = Program {
        symbols: vec![],
        nodes: vec![
            node(Op::Input(input), vec![]),
            node(Op::MatMul(matmul), vec![0]),
        ],
        output: 1,
        interface: Interface {
            input_scale: scale,
            input: layout(2),
            pixels: None,
            output_scale: scale,
            output: layout(3),
            labels: ["left", "right", "both"].map(String::from).to_vec(),
        },
        notes: Notes {
            name: "small".into(),
            nodes: vec!["x".into(), "classes".into()],
        },
    };
    CheckedProgram::new(program).expect("the program is well formed")
}

/// Writes [`small_program`] to `small.selfsame` in `folder`.
pub(crate) fn write_small(folder: &Path) {
    let program = small_program();
    let bytes = artefact::encode(&program, &program.commit());
    fs::write(folder.join("small.selfsame"), bytes).expect("the folder can be written");
}

//! What the tests of the command line share: the binary, a small program, scratch folders.

#![allow(dead_code, reason = "each test file uses its part")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

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
        dtype: DType::I8,
        factor: None,
        linear: Linear {
            weights: vec![1, 0, 0, 1, 1, 1].into(),
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
        interior: Vec::new(),
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

/// A process of a test that is ended with it.
pub(crate) struct Ended(pub(crate) Child);

impl Drop for Ended {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        self.0.wait().expect("it was started by the test");
    }
}

/// A chain of a test's own, as a process; it ends with its owner.
pub(crate) struct Endpoint {
    /// Its JSON-RPC endpoint.
    pub(crate) url: String,
    process: Ended,
}

impl Endpoint {
    /// The embedded chain.
    pub(crate) fn devnet(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_selfsame"))
            .args(["devnet", "--port", "0", "--json"])
            .current_dir(folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary was built for this test");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it says where it listens");
        let started: Value = serde_json::from_str(&line).expect("one object");
        assert_eq!(started["schema"], "selfsame.devnet/1");
        let url = started["url"].as_str().expect("a text").to_owned();
        let process = Ended(child);
        Self { url, process }
    }

    /// Foundry's anvil, at the path in `SELFSAME_ANVIL`.
    pub(crate) fn anvil() -> Self {
        let path = std::env::var("SELFSAME_ANVIL")
            .expect("SELFSAME_ANVIL names the binary; `cargo xtask test` sets it");
        let mut child = Command::new(path)
            .args(["--host", "127.0.0.1", "--port", "0", "--hardfork", "osaka"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs here");
        let stdout = child.stdout.take().expect("it is piped");
        let process = Ended(child);
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        let place = lines
            .find_map(|line| line.strip_prefix("Listening on ").map(str::to_owned))
            .expect("it says where it listens");
        // Whatever it still says is taken from it, or it would wait.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            url: format!("http://{}", place.trim()),
            process,
        }
    }

    /// Posts one JSON-RPC call and gives its result.
    pub(crate) fn call(&self, method: &str, params: &str) -> Value {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
        let host = self.url.strip_prefix("http://").expect("a plain endpoint");
        let mut stream = TcpStream::connect(host).expect("it listens");
        let head = format!(
            "POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        stream
            .write_all([head, body].concat().as_bytes())
            .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let json = answer.split_once("\r\n\r\n").expect("a body").1;
        let value: Value = serde_json::from_str(json).expect("JSON");
        assert!(value["error"].is_null(), "{method}: {value}");
        value["result"].clone()
    }
}

/// A chain command as test key `key`.
pub(crate) fn on_chain(
    folder: &Path,
    node: &Endpoint,
    key: &str,
    arguments: &[&str],
) -> (i32, Value) {
    let place = ["--rpc", &node.url, "--dev-key", key];
    json(folder, &[arguments, &place].concat())
}

/// Test key 1 asks the small program about `x.json`; the receipt goes to `r.json`.
pub(crate) fn ask(folder: &Path, node: &Endpoint) -> Value {
    let ask = ["ask", "small.selfsame", "--input", "x.json"];
    let receipt = ["--receipt", "r.json"];
    let (code, asked) = on_chain(folder, node, "1", &[&ask[..], &receipt].concat());
    assert_eq!(code, 0, "{asked}");
    asked
}

/// A provider as test key `key`, with `arguments` beside.
pub(crate) fn provide(folder: &Path, node: &Endpoint, key: &str, arguments: &[&str]) -> Ended {
    let provide = ["provide", "--seconds", "120", "--json"];
    let place = ["--rpc", &node.url, "--dev-key", key];
    let child = Command::new(env!("CARGO_BIN_EXE_selfsame"))
        .args([&provide[..], &place, arguments].concat())
        .current_dir(folder)
        .stdout(Stdio::null())
        .spawn();
    Ended(child.expect("the binary was built for this test"))
}

/// Source: the Web3 Secret Storage Definition, test vector PBKDF2-SHA-256.
pub(crate) const KEYSTORE: &str = r#"{
  "crypto": {
    "cipher": "aes-128-ctr",
    "cipherparams": {"iv": "6087dab2f9fdbbfaddc31a909735c1e6"},
    "ciphertext": "5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
    "kdf": "pbkdf2",
    "kdfparams": {
      "c": 262144, "dklen": 32, "prf": "hmac-sha256",
      "salt": "ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"
    },
    "mac": "517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"
  },
  "id": "3198bc9c-6672-5ab3-d995-4942343ae5b6",
  "version": 3
}"#;

//! The pinned contract toolchain: installing it, compiling with it.
//!
//! `npm ci` puts the compiler (wasm), the test runner and an external chain (native binaries) of
//! `contracts/package-lock.json` below `contracts/node_modules`; install scripts do not run.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::process;
use crate::repo::Repo;

/// The folder of the contracts.
pub const FOLDER: &str = "contracts";

/// The pinned compiler; `contracts/package.json` and every pragma name the same.
pub const COMPILER: &str = "0.8.37";

/// What the compiler is told, and what `foundry.toml` tells it too (a test compares).
pub fn settings() -> Value {
    json!({
        "evmVersion": "osaka",
        "metadata": { "appendCBOR": false, "bytecodeHash": "none" },
        "optimizer": { "enabled": true, "runs": 200 },
        "viaIR": true,
    })
}

/// Installs the toolchain when it is missing or not the locked one.
pub fn install(repo: &Repo) -> Result<(), String> {
    let folder = repo.path(FOLDER);
    let node = process::run_quiet(Command::new("node").arg("--version"), "");
    let npm = process::run_quiet(Command::new("npm").arg("--version"), "");
    let (Ok(node), Ok(_)) = (node, npm) else {
        return Err(
            "Node is missing: the contract steps need node >= 20 and npm on PATH".to_owned(),
        );
    };
    let major = node
        .trim()
        .trim_start_matches('v')
        .split('.')
        .next()
        .unwrap_or_default();
    if major.parse::<u32>().unwrap_or(0) < 20 {
        return Err(format!(
            "Node is too old: the contract steps need node >= 20, found {node}"
        ));
    }
    let lock = repo.read("contracts/package-lock.json")?;
    let mark = folder.join("node_modules/.selfsame-lock");
    if std::fs::read_to_string(&mark).is_ok_and(|old| old == lock) && forge_path(repo).is_file() {
        return Ok(());
    }
    let mut command = Command::new("npm");
    command
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(&folder);
    process::run_quiet(&mut command, "")?;
    std::fs::write(&mark, lock).map_err(|e| format!("{}: {e}", mark.display()))
}

/// The test runner of this machine.
pub fn forge(repo: &Repo) -> Result<Command, String> {
    let path = forge_path(repo);
    if !path.is_file() {
        return Err(format!(
            "{} is missing: no test runner for this machine",
            path.display()
        ));
    }
    let mut command = Command::new(path);
    command.current_dir(repo.path(FOLDER));
    // Colours would have to be stripped before counting.
    command
        .env("NO_COLOR", "1")
        .env("FOUNDRY_DISABLE_NIGHTLY_WARNING", "1");
    Ok(command)
}

/// The external chain of this machine: `SELFSAME_ANVIL`, or the locked one.
pub fn anvil_path(repo: &Repo) -> Result<PathBuf, String> {
    let own = std::env::var_os("SELFSAME_ANVIL").map(PathBuf::from);
    let path = own.unwrap_or_else(|| tool_path(repo, "anvil"));
    if path.is_file() {
        return Ok(path);
    }
    Err(format!(
        "{} is missing: no external chain for this machine; set SELFSAME_ANVIL to Foundry's anvil",
        path.display()
    ))
}

fn forge_path(repo: &Repo) -> PathBuf {
    tool_path(repo, "forge")
}

fn tool_path(repo: &Repo, tool: &str) -> PathBuf {
    let system = if cfg!(target_os = "macos") {
        "darwin"
    } else {
        "linux"
    };
    let machine = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    };
    repo.path(FOLDER).join(format!(
        "node_modules/@foundry-rs/{tool}-{system}-{machine}/bin/{tool}"
    ))
}

/// Every contract source, as sorted paths relative to `contracts/`.
pub fn sources(repo: &Repo) -> Result<Vec<String>, String> {
    let files = repo.files_ending(&[".sol"])?;
    let inside = |file: String| file.strip_prefix("contracts/").map(str::to_owned);
    Ok(files
        .into_iter()
        .filter_map(inside)
        .filter(|file| file.starts_with("src/"))
        .collect())
}

/// Compiles all sources at once; compiler errors are the error.
pub fn compile(repo: &Repo) -> Result<Value, String> {
    let mut sources_json = serde_json::Map::new();
    for source in sources(repo)? {
        let content = repo.read(&format!("{FOLDER}/{source}"))?;
        sources_json.insert(source, json!({ "content": content }));
    }
    let mut settings = settings();
    settings["outputSelection"] = json!({ "*": {
        "": ["ast"],
        "*": ["abi", "metadata", "evm.bytecode.object", "evm.bytecode.linkReferences",
              "evm.deployedBytecode.object", "evm.deployedBytecode.immutableReferences"],
    } });
    let input = json!({ "language": "Solidity", "sources": sources_json, "settings": settings });
    let mut command = Command::new("node");
    command
        .args(["tools/solc", "--standard-json"])
        .current_dir(repo.path(FOLDER));
    let text = process::run_quiet(&mut command, &input.to_string())?;
    let output: Value = serde_json::from_str(&text).map_err(|e| format!("solc's answer: {e}"))?;
    let messages = output["errors"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let errors: Vec<&str> = messages
        .iter()
        .filter(|message| message["severity"] == "error")
        .filter_map(|message| message["formattedMessage"].as_str())
        .collect();
    if errors.is_empty() {
        Ok(output)
    } else {
        Err(errors.join("\n"))
    }
}

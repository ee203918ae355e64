//! Checks that look at lines of text, whatever the language.

use crate::contracts;
use crate::repo::Repo;

const TEXT: &[&str] = &[".rs", ".sol", ".toml", ".md", ".yml", ".js", ".sh"];

/// ASCII (in documents also lines and arrows of diagrams), no trailing blanks, one newline at the
/// end.
pub(super) fn plain(repo: &Repo) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let documents = repo.files_ending(&[".md"])?;
    for file in repo.files_ending(TEXT)? {
        let text = repo.read(&file)?;
        let document = documents.contains(&file);
        for (number, line) in text.lines().enumerate() {
            let number = number + 1;
            let drawing = |c: char| document && matches!(c, '\u{b7}' | '\u{2500}'..='\u{25ff}');
            if let Some(c) = line.chars().find(|&c| !c.is_ascii() && !drawing(c)) {
                found.push(format!(
                    "{file}:{number}: {:?} is not ASCII",
                    c.escape_unicode().to_string()
                ));
            }
            if line.ends_with([' ', '\t', '\r']) {
                found.push(format!("{file}:{number}: trailing blank"));
            }
        }
        if !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
            found.push(format!("{file}: does not end with exactly one newline"));
        }
    }
    Ok(found)
}

/// Words that tie the repository to one machine or one way of fetching packages. They are put
/// together here so that this file does not hold them.
fn forbidden() -> Vec<String> {
    vec![
        ["/wo", "rk/"].concat(),
        ["/tmp/tar", "get"].concat(),
        ["registry.npm", "js"].concat(),
        ["static.crates", ".io"].concat(),
        ["index.crates", ".io"].concat(),
        ["/home", "/"].concat(),
        ["/root", "/"].concat(),
    ]
}

/// None of the [`forbidden`] words in any file (Cargo's own lock format is not ours to change).
pub(super) fn forbidden_words(repo: &Repo) -> Result<Vec<String>, String> {
    let words = forbidden();
    let mut found = Vec::new();
    for file in repo.files()? {
        // Bytes that are not UTF-8 are models and images.
        let Ok(text) = repo.read(&file) else { continue };
        for (number, line) in text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(word.as_str())) {
                found.push(format!("{file}:{}: names {word}", number + 1));
            }
        }
        if file.ends_with("package-lock.json") && text.contains("\"resolved\"") {
            found.push(format!(
                "{file}: `resolved` fields name a host; contracts/.npmrc leaves them out"
            ));
        }
    }
    Ok(found)
}

/// The settings of `foundry.toml` that change bytecode, against those of code generation.
pub(super) fn compiler_settings(repo: &Repo) -> Result<Vec<String>, String> {
    let text = repo.read("contracts/foundry.toml")?;
    let settings = contracts::settings();
    let runs = settings["optimizer"]["runs"].to_string();
    let pairs = [
        ("via_ir", settings["viaIR"].to_string()),
        ("optimizer", settings["optimizer"]["enabled"].to_string()),
        ("optimizer_runs", runs),
        ("evm_version", settings["evmVersion"].to_string()),
        (
            "bytecode_hash",
            settings["metadata"]["bytecodeHash"].to_string(),
        ),
        (
            "cbor_metadata",
            settings["metadata"]["appendCBOR"].to_string(),
        ),
    ];
    let mut found = Vec::new();
    for (key, want) in pairs {
        let line = format!("{key} = {want}");
        if !text.lines().any(|have| have == line) {
            found.push(format!("contracts/foundry.toml: `{line}` is missing"));
        }
    }
    let package = repo.read("contracts/package.json")?;
    if !package.contains(&format!("\"solc\": \"{}\"", contracts::COMPILER)) {
        found.push(format!(
            "contracts/package.json: solc is not {}",
            contracts::COMPILER
        ));
    }
    let pragma = format!("pragma solidity {};", contracts::COMPILER);
    for file in repo.files_ending(&[".sol"])? {
        if !repo.read(&file)?.lines().any(|line| line == pragma) {
            found.push(format!("{file}: `{pragma}` is missing"));
        }
    }
    Ok(found)
}

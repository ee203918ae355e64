//! Committed contract artifacts: ABI, bytecode, and the hash of every source they were made from.
//!
//! One file for each contract that can be deployed. Who builds the project needs no Solidity
//! compiler; that the files are current is checked here without one (hashes of the sources), and
//! byte for byte by `cargo xtask codegen --check` with one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::contracts;
use crate::json::{at, text_at};
use crate::repo::Repo;

/// Where the artifacts lie.
pub const FOLDER: &str = "contracts/artifacts";

/// Largest runtime code that mainnet accepts (EIP-170), in bytes.
pub const RUNTIME_BYTES_MAX: usize = 24_576;

/// Largest creation code that mainnet accepts (EIP-3860), in bytes.
pub const CREATION_BYTES_MAX: usize = 49_152;

/// File name to text for every deployable contract in the compiler's `output`.
pub fn from_output(repo: &Repo, output: &Value) -> Result<BTreeMap<String, String>, String> {
    let mut files = BTreeMap::new();
    let by_source = at(output, &["contracts"])?
        .as_object()
        .ok_or("solc: no contracts")?;
    for (source, contracts) in by_source {
        let ast = at(output, &["sources", source, "ast"])?;
        for (name, contract) in contracts
            .as_object()
            .ok_or("solc: contracts are no object")?
        {
            if !is_deployable(ast, name, contract)? {
                continue;
            }
            let artifact = artifact(repo, source, name, contract, output)?;
            let file = format!("{FOLDER}/{name}.json");
            if files
                .insert(file, crate::json::canonical(&artifact))
                .is_some()
            {
                return Err(format!(
                    "two contracts are named {name}; artifacts need one name each"
                ));
            }
        }
    }
    Ok(files)
}

/// A contract with code, or a library with functions that are called from outside.
fn is_deployable(ast: &Value, name: &str, contract: &Value) -> Result<bool, String> {
    if text_at(contract, &["evm", "bytecode", "object"])?.is_empty() {
        return Ok(false);
    }
    let nodes = at(ast, &["nodes"])?
        .as_array()
        .ok_or("solc: ast has no nodes")?;
    let definition = nodes
        .iter()
        .find(|node| node["name"] == name && node["contractKind"].is_string());
    let kind = definition.and_then(|node| node["contractKind"].as_str());
    let functions = contract["abi"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    Ok(match kind {
        Some("contract") => true,
        Some("library") => functions.iter().any(|item| item["type"] == "function"),
        _ => false,
    })
}

fn artifact(
    repo: &Repo,
    source: &str,
    name: &str,
    contract: &Value,
    output: &Value,
) -> Result<Value, String> {
    let links = at(contract, &["evm", "bytecode", "linkReferences"])?;
    if links.as_object().is_some_and(|links| !links.is_empty()) {
        return Err(format!(
            "{source}: {name} needs linking; make the library's functions internal"
        ));
    }
    let metadata: Value = serde_json::from_str(text_at(contract, &["metadata"])?)
        .map_err(|e| format!("solc: metadata of {name}: {e}"))?;
    let used = at(&metadata, &["sources"])?
        .as_object()
        .ok_or("solc: metadata without sources")?;
    let mut hashes = serde_json::Map::new();
    for path in used.keys() {
        hashes.insert(path.clone(), Value::from(source_hash(repo, path)?));
    }
    let deployed = at(contract, &["evm", "deployedBytecode"])?;
    Ok(json!({
        "contractName": name,
        "sourceName": source,
        "compiler": text_at(&metadata, &["compiler", "version"])?,
        "settings": contracts::settings(),
        "sources": hashes,
        "abi": contract["abi"],
        "bytecode": format!("0x{}", text_at(contract, &["evm", "bytecode", "object"])?),
        "deployedBytecode": format!("0x{}", text_at(deployed, &["object"])?),
        "immutableReferences": immutables(&deployed["immutableReferences"], output)?,
    }))
}

/// `[{name, positions: [{start, length}]}]` in place of the compiler's numbering of declarations,
/// which changes with every unrelated source.
fn immutables(references: &Value, output: &Value) -> Result<Value, String> {
    let mut list = Vec::new();
    for (id, positions) in references.as_object().into_iter().flatten() {
        let number: u64 = id
            .parse()
            .map_err(|_| format!("solc: immutable id {id:?}"))?;
        let name = declaration_name(&output["sources"], number)
            .ok_or_else(|| format!("solc: no declaration {number}"))?;
        list.push((name, positions.clone()));
    }
    list.sort_by(|a, b| a.0.cmp(&b.0));
    let list = list
        .into_iter()
        .map(|(name, positions)| json!({ "name": name, "positions": positions }));
    Ok(Value::from(list.collect::<Vec<_>>()))
}

fn declaration_name(value: &Value, id: u64) -> Option<String> {
    match value {
        Value::Object(map) => {
            if map
                .get("nodeType")
                .is_some_and(|kind| kind == "VariableDeclaration")
                && map.get("id").and_then(Value::as_u64) == Some(id)
            {
                return map.get("name")?.as_str().map(str::to_owned);
            }
            map.values().find_map(|inner| declaration_name(inner, id))
        }
        Value::Array(items) => items.iter().find_map(|inner| declaration_name(inner, id)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// SHA-256, in hex, of `contracts/<path>`.
fn source_hash(repo: &Repo, path: &str) -> Result<String, String> {
    let text = repo.read(&format!("contracts/{path}"))?;
    let digest = Sha256::digest(text.as_bytes());
    let mut hex = String::new();
    for byte in digest {
        // Infallible: the target is a String.
        let _ = write!(hex, "{byte:02x}");
    }
    Ok(hex)
}

/// Every way in which the committed artifacts and the sources disagree; needs no compiler.
pub fn problems(repo: &Repo) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut covered = BTreeSet::new();
    let files = repo.files_ending(&[".json"])?;
    for file in files.iter().filter(|file| file.starts_with(FOLDER)) {
        let value: Value =
            serde_json::from_str(&repo.read(file)?).map_err(|e| format!("{file}: {e}"))?;
        if let Err(problem) = check_one(repo, file, &value, &mut found) {
            found.push(format!("{file}: {problem}"));
        }
        covered.extend(value["contractName"].as_str().map(str::to_owned));
    }
    for source in contracts::sources(repo)? {
        for name in deployable_names(&repo.read(&format!("contracts/{source}"))?) {
            if !covered.remove(&name) {
                found.push(format!(
                    "contracts/{source}: {name} has no artifact in {FOLDER}"
                ));
            }
        }
    }
    let orphans = covered
        .iter()
        .map(|name| format!("{FOLDER}/{name}.json has no contract"));
    found.extend(orphans);
    if !found.is_empty() {
        found.push("`cargo xtask codegen` writes the artifacts anew".to_owned());
    }
    Ok(found)
}

fn check_one(
    repo: &Repo,
    file: &str,
    value: &Value,
    found: &mut Vec<String>,
) -> Result<(), String> {
    let sources = at(value, &["sources"])?
        .as_object()
        .ok_or("sources is no object")?;
    for (path, hash) in sources {
        if source_hash(repo, path).ok().as_deref() != hash.as_str() {
            found.push(format!("{file}: made from another contracts/{path}"));
        }
    }
    if at(value, &["settings"])? != &contracts::settings() {
        found.push(format!("{file}: made with other settings"));
    }
    if !text_at(value, &["compiler"])?.starts_with(contracts::COMPILER) {
        found.push(format!(
            "{file}: made by another compiler than {}",
            contracts::COMPILER
        ));
    }
    let limits = [
        ("deployedBytecode", RUNTIME_BYTES_MAX),
        ("bytecode", CREATION_BYTES_MAX),
    ];
    for (field, most) in limits {
        let bytes = text_at(value, &[field])?.len().saturating_sub(2) / 2;
        if bytes == 0 || bytes > most {
            found.push(format!(
                "{file}: {field} has {bytes} bytes, allowed are 1 to {most}"
            ));
        }
    }
    Ok(())
}

/// Contracts that are neither abstract nor interfaces nor libraries, by their declarations.
fn deployable_names(source: &str) -> Vec<String> {
    let declared = source
        .lines()
        .filter_map(|line| line.strip_prefix("contract "));
    let names = declared.filter_map(|rest| {
        rest.split(|c: char| !c.is_alphanumeric() && c != '_')
            .next()
    });
    names.map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abstract_contracts_interfaces_and_libraries_need_no_artifact() {
        let source = "abstract contract A {}\ninterface I {}\nlibrary L {}\ncontract C is A {}\n";
        assert_eq!(deployable_names(source), ["C"]);
    }

    #[test]
    fn an_immutable_is_named_by_its_declaration() {
        let output = json!({ "sources": { "a": { "ast": { "nodes": [
            { "nodeType": "VariableDeclaration", "id": 7, "name": "CAP" } ] } } } });
        let references = json!({ "7": [{ "start": 3, "length": 32 }] });
        let list = immutables(&references, &output).unwrap();
        assert_eq!(list[0]["name"], "CAP");
    }
}

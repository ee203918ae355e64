//! Checks of Rust sources: module comments, lengths, floating point, unsafe code, honest tests.

use std::collections::BTreeMap;

use crate::metadata;
use crate::repo::Repo;
use crate::rust_source::RustSource;

/// Longest function, tests apart.
const FUNCTION_LINES_MAX: usize = 70;
/// Longest file, tests apart.
const FILE_LINES_MAX: usize = 600;

/// Where floating point may stand: the importer computes with it, the library turns people's floats
/// into a program's integers and back, the rest only reports to people or compares with other
/// people's floating-point programs.
const FLOAT_FOLDERS: &[&str] = &[
    "crates/compiler/",
    "crates/cli/",
    "crates/selfsame/",
    "python/",
    "crates/conformance/",
    "xtask/",
];

/// The fence: the one package with unsafe code.
const UNSAFE_FOLDERS: &[&str] = &["crates/kernels/"];

/// Exceptions to lengths: `<file>` or `<file>::<function>`, then `: ` and the reason.
const EXCEPTIONS: &str = "xtask/length-exceptions.txt";

/// `//!` stands on the first line.
pub(super) fn module_comments(repo: &Repo) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for file in rust_files(repo)? {
        if !repo.read(&file)?.starts_with("//! ") {
            found.push(format!(
                "{file}:1: the first line is not a module comment (`//! ...`)"
            ));
        }
    }
    Ok(found)
}

/// Functions and files within their limits, or excepted with a reason that is still needed.
pub(super) fn lengths(repo: &Repo) -> Result<Vec<String>, String> {
    let mut exceptions = exceptions(repo)?;
    let mut found = Vec::new();
    for file in rust_files(repo)? {
        if is_test_file(&file) {
            continue;
        }
        let source = RustSource::new(&repo.read(&file)?);
        let lines = source.lines_of_code();
        if lines > FILE_LINES_MAX && exceptions.remove(&file).is_none() {
            found.push(format!(
                "{file}: {lines} lines without tests, at most {FILE_LINES_MAX}"
            ));
        }
        for function in source
            .functions()
            .into_iter()
            .filter(|function| !function.is_test)
        {
            let lines = function.last + 1 - function.first;
            let key = format!("{file}::{}", function.name);
            if lines > FUNCTION_LINES_MAX && exceptions.remove(&key).is_none() {
                let first = function.first;
                found.push(format!(
                    "{file}:{first}: fn {} has {lines} lines, at most {FUNCTION_LINES_MAX}",
                    function.name
                ));
            }
        }
    }
    found.extend(
        exceptions
            .keys()
            .map(|key| format!("{EXCEPTIONS}: {key} is short now; remove its line")),
    );
    Ok(found)
}

fn exceptions(repo: &Repo) -> Result<BTreeMap<String, String>, String> {
    let text = repo.read(EXCEPTIONS)?;
    let mut exceptions = BTreeMap::new();
    for line in text
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let (key, reason) = line.split_once(": ").unwrap_or((line, ""));
        if reason.is_empty() {
            return Err(format!("{EXCEPTIONS}: {key} has no reason"));
        }
        exceptions.insert(key.to_owned(), reason.to_owned());
    }
    Ok(exceptions)
}

/// No `f32`, `f64` or literal with a point outside of the listed folders and of tests, which may
/// compare with what a processor's floating point says.
pub(super) fn floats(repo: &Repo) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for file in outside(repo, FLOAT_FOLDERS)? {
        // Examples print times to people.
        if file.contains("/examples/") || is_test_file(&file) {
            continue;
        }
        let source = RustSource::new(&repo.read(&file)?);
        let words = source.word("f32").into_iter().chain(source.word("f64"));
        for (line, _) in words
            .chain(source.float_literals())
            .filter(|&(_, in_test)| !in_test)
        {
            found.push(format!(
                "{file}:{line}: floating point; it belongs to crates/compiler"
            ));
        }
    }
    Ok(found)
}

/// No `unsafe` outside of the fence.
pub(super) fn unsafe_code(repo: &Repo) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for file in outside(repo, UNSAFE_FOLDERS)? {
        for (line, _) in RustSource::new(&repo.read(&file)?).word("unsafe") {
            found.push(format!(
                "{file}:{line}: unsafe code; it belongs to crates/kernels"
            ));
        }
    }
    Ok(found)
}

/// `#![no_std]` and `#![forbid(unsafe_code)]` in each spec crate; the latter in all but the fence.
pub(super) fn spec_headers(repo: &Repo) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for package in metadata::workspace(repo)? {
        let roots = ["src/lib.rs", "src/main.rs"].map(|name| format!("{}/{name}", package.folder));
        for root in roots.iter().filter(|root| repo.path(root).is_file()) {
            let text = repo.read(root)?;
            let fenced = UNSAFE_FOLDERS.iter().any(|folder| root.starts_with(folder));
            if !fenced && !text.contains("#![forbid(unsafe_code)]") {
                found.push(format!("{root}: #![forbid(unsafe_code)] is missing"));
            }
            let no_std =
                text.contains("#![no_std]") || text.contains("#![cfg_attr(not(test), no_std)]");
            if package.layer.as_deref() == Some("spec") && !no_std {
                found.push(format!("{root}: #![no_std] is missing in a spec crate"));
            }
        }
    }
    Ok(found)
}

/// No ignored test, no sleeping test, no `todo!`.
pub(super) fn honest_tests(repo: &Repo) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for file in rust_files(repo)? {
        let text = repo.read(&file)?;
        let source = RustSource::new(&text);
        for (line, _) in source.word("ignore") {
            let shown = text.lines().nth(line - 1).unwrap_or_default();
            if shown.trim_start().starts_with("#[ignore") {
                found.push(format!("{file}:{line}: an ignored test is a skipped one"));
            }
        }
        for (line, in_test) in source.word("sleep") {
            if in_test || is_test_file(&file) {
                found.push(format!(
                    "{file}:{line}: a test sleeps; wait for the event instead"
                ));
            }
        }
        let unfinished = source
            .word("todo")
            .into_iter()
            .chain(source.word("unimplemented"));
        found.extend(unfinished.map(|(line, _)| format!("{file}:{line}: unfinished")));
    }
    Ok(found)
}

/// Whether the whole file is test code, by its place.
pub(super) fn is_test_file(file: &str) -> bool {
    file.contains("/tests/") || file.ends_with("/tests.rs") || file.contains("/benches/")
}

fn rust_files(repo: &Repo) -> Result<Vec<String>, String> {
    repo.files_ending(&[".rs"])
}

fn outside(repo: &Repo, folders: &[&str]) -> Result<Vec<String>, String> {
    let mut files = rust_files(repo)?;
    files.retain(|file| !folders.iter().any(|folder| file.starts_with(folder)));
    Ok(files)
}

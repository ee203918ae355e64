//! Checks of the text of the repository: what a reader may rely on everywhere.
//!
//! Each check gives a list of problems, one line each with file and line. They run as tests of
//! this package and as a step of `cargo xtask test`.

mod documents;
mod rules;
mod rust;
mod text;

use crate::artifacts;
use crate::codegen;
use crate::layers;
use crate::metadata;
use crate::repo::Repo;

/// A check by name.
pub type Check = (&'static str, fn(&Repo) -> Result<Vec<String>, String>);

/// Every check of the text; none needs a compiler, Node or the network.
pub const CHECKS: &[Check] = &[
    (
        "every text file is ASCII, without trailing blanks, and ends with one newline",
        text::plain,
    ),
    (
        "no file names a machine's path or a registry's host",
        text::forbidden_words,
    ),
    (
        "every Rust file begins with a module comment",
        rust::module_comments,
    ),
    ("functions and files are short", rust::lengths),
    (
        "floating point stays in the compiler and in what people read",
        rust::floats,
    ),
    ("unsafe code stays in kernels", rust::unsafe_code),
    (
        "spec crates are no_std and forbid unsafe code",
        rust::spec_headers,
    ),
    ("no test is ignored and none sleeps", rust::honest_tests),
    (
        "every reference to a rule of the specification resolves",
        rules::references,
    ),
    (
        "every MUST of the specification is named by a test",
        rules::must_coverage,
    ),
    (
        "the index of decisions is complete",
        documents::decision_index,
    ),
    ("relative links in documents resolve", documents::links),
    (
        "the changelog has a place for what is not released",
        documents::changelog,
    ),
    ("generated constants are current", generated_constants),
    (
        "contract artifacts are made from the committed sources",
        artifacts::problems,
    ),
    (
        "foundry.toml and xtask give the compiler the same settings",
        text::compiler_settings,
    ),
];

/// The layer rules over `cargo metadata`.
pub const LAYERS: Check = ("every arrow between crates points down", layer_arrows);

fn layer_arrows(repo: &Repo) -> Result<Vec<String>, String> {
    Ok(layers::violations(&metadata::workspace(repo)?))
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of a check")]
fn generated_constants(repo: &Repo) -> Result<Vec<String>, String> {
    let stale = |(file, text): &(String, String)| repo.read(file).ok().as_ref() != Some(text);
    let wrong = codegen::constants().into_iter().filter(stale);
    Ok(wrong
        .map(|(file, _)| format!("{file}: run `cargo xtask codegen`"))
        .collect())
}

//! `cargo xtask soak`: the long suites at full counts, and what they measured.
//!
//! The convention: a suite that has a slice and a full count reads `SELFSAME_SOAK` (set: full) and
//! `SELFSAME_SEED` (a u64), and prints one line `figure: <suite> <key>=<value> ...`. This command
//! sets both, runs every test in release, collects those lines, and writes them with the commit,
//! the seed and the machine to `soak/summary.json` and `docs/soak.md`.

use std::fmt::Write as _;
use std::process::Command;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::contracts;
use crate::json;
use crate::process;
use crate::repo::Repo;
use crate::report::Counts;
use crate::test_command;

const SUMMARY: &str = "soak/summary.json";
const PAGE: &str = "docs/soak.md";
/// Cases of each property test that does not insist on its own count; those of the kernels take these too.
const PROPTEST_CASES: u32 = 10_000;

/// Runs and writes; an error when a suite failed (the summary is then not written).
pub fn run(repo: &Repo, seed: Option<u64>) -> Result<(), String> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|e| e.to_string())?
        .as_secs();
    let seed = seed.unwrap_or(now);
    eprintln!("soak: seed {seed}; `cargo xtask soak --seed {seed}` repeats it");
    let commit = commit(repo)?;
    let start = Instant::now();
    let mut command = process::cargo(repo.root());
    command.args([
        "test",
        "--release",
        "--workspace",
        "--exclude",
        "xtask",
        "--locked",
    ]);
    command.args([
        "--no-fail-fast",
        "--lib",
        "--bins",
        "--tests",
        "--",
        "--nocapture",
    ]);
    command
        .env("SELFSAME_SOAK", "1")
        .env("SELFSAME_SEED", seed.to_string());
    command.env("PROPTEST_RNG_SEED", seed.to_string());
    command
        .env("PROPTEST_CASES", PROPTEST_CASES.to_string())
        .env("CARGO_TERM_COLOR", "never");
    let finished = process::run_shown(&mut command)?;
    let rust = test_command::cargo_counts(&finished);
    contracts::install(repo)?;
    let forge = test_command::contract_tests(repo, "soak")?;
    if rust.failed + forge.failed > 0 {
        return Err(format!(
            "{} tests and {} contract tests failed",
            rust.failed, forge.failed
        ));
    }
    let summary = json!({
        "commit": commit,
        "seed": seed,
        "unix_seconds": now,
        "seconds": start.elapsed().as_secs(),
        "machine": machine(),
        "tests": counts(rust),
        "contract_tests": counts(forge),
        "proptest_cases": PROPTEST_CASES,
        "figures": figures(&finished.stdout),
    });
    repo.write(SUMMARY, &json::canonical(&summary))?;
    repo.write(PAGE, &page(&summary))?;
    eprintln!("soak: wrote {SUMMARY} and {PAGE}");
    Ok(())
}

fn counts(counts: Counts) -> Value {
    json!({ "passed": counts.passed, "failed": counts.failed })
}

/// `{suite: {key: value}}` from the lines `figure: suite key=value ...`.
fn figures(stdout: &str) -> Value {
    let mut suites = Map::new();
    for line in stdout.lines() {
        let Some((_, figure)) = line.split_once("figure: ") else {
            continue;
        };
        let mut words = figure.split_whitespace();
        let Some(suite) = words.next() else { continue };
        let entry = suites.entry(suite.to_owned()).or_insert_with(|| json!({}));
        for (key, value) in words.filter_map(|word| word.split_once('=')) {
            let number = value.parse::<u64>().map(Value::from);
            entry[key] = number.unwrap_or_else(|_| Value::from(value));
        }
    }
    Value::Object(suites)
}

fn commit(repo: &Repo) -> Result<Value, String> {
    let git = |arguments: &[&str]| {
        process::run_quiet(
            Command::new("git").args(arguments).current_dir(repo.root()),
            "",
        )
    };
    let id = git(&["rev-parse", "HEAD"])?.trim().to_owned();
    let clean = git(&["status", "--porcelain"])?.trim().is_empty();
    Ok(json!({ "id": id, "clean": clean }))
}

/// Processor, its integer instruction sets, cores, memory, system, compiler.
fn machine() -> Value {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |text: &str, name: &str| -> String {
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line
            .and_then(|line| line.split_once(':'))
            .map(|(_, value)| value.trim());
        value.unwrap_or("unknown").to_owned()
    };
    let flags = field(&cpuinfo, "flags");
    let sets = [
        "avx2",
        "avx_vnni",
        "avx512f",
        "avx512bw",
        "avx512_vnni",
        "amx_int8",
    ];
    let has = |set: &&str| flags.split(' ').any(|flag| flag == *set);
    let sets: Vec<&str> = sets.into_iter().filter(has).collect();
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let rustc = process::run_quiet(Command::new("rustc").arg("--version"), "").unwrap_or_default();
    json!({
        "processor": field(&cpuinfo, "model name"),
        "instruction_sets": sets,
        "cores": std::thread::available_parallelism().map_or(0, usize::from),
        "memory": field(&meminfo, "MemTotal"),
        "system": format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        "rustc": rustc.trim(),
    })
}

fn page(summary: &Value) -> String {
    let mut text = "# Soak\n\nWritten by `cargo xtask soak` (the same facts: `soak/summary.json`). Do not edit.\n\n".to_owned();
    let mut line = |name: &str, value: &Value| {
        let shown = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        // Infallible: the target is a String.
        let _ = writeln!(text, "| {name} | {} |", shown.replace('|', "/"));
    };
    line("fact", &Value::from("value"));
    line("---", &Value::from("---"));
    for name in [
        "commit",
        "seed",
        "seconds",
        "tests",
        "contract_tests",
        "proptest_cases",
    ] {
        line(name, &summary[name]);
    }
    for (name, value) in summary["machine"].as_object().into_iter().flatten() {
        line(name, value);
    }
    for (suite, values) in summary["figures"].as_object().into_iter().flatten() {
        for (key, value) in values.as_object().into_iter().flatten() {
            line(&format!("{suite}: {key}"), value);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_inside_the_runners_output() {
        let stdout = "test a ... figure: verdicts planted=500 wrong=0 kind=conv\nok\nfigure: games lost=500\n";
        let figures = figures(stdout);
        assert_eq!(figures["verdicts"]["planted"], 500);
        assert_eq!(figures["verdicts"]["kind"], "conv");
        assert_eq!(figures["games"]["lost"], 500);
    }
}

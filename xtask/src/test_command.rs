//! `cargo xtask test`: everything that must be green, in one order, counted.
//!
//! No step is skipped: what cannot run, fails, and says what it needs. The last line is exactly
//! `N passed, N failed`.

use std::path::PathBuf;
use std::process::Command;

use crate::closures;
use crate::codegen;
use crate::contracts;
use crate::process::{self, Finished};
use crate::python;
use crate::repo::Repo;
use crate::report::{Counts, Report};
use crate::tidy::{CHECKS, Check, LAYERS};

/// The pinned version of the licence and dependency checker.
const CARGO_DENY: &str = "0.20.2";

/// Seed of every random suite in the test command, so that a run can be repeated.
pub const SEED: u64 = 20_261_121;

/// Runs every step; true when nothing failed.
pub fn run(repo: &Repo) -> bool {
    let mut report = Report::default();
    report.step("contract toolchain", || {
        contracts::install(repo).map(|()| Counts::one(true))
    });
    // The contracts' compiler has one thread and minutes of work: it runs beside the Rust steps.
    let contracts_built = {
        let repo = repo.clone();
        std::thread::spawn(move || {
            process::run_quiet(contracts::forge(&repo)?.args(["build", "--quiet"]), "")
        })
    };
    static_steps(repo, &mut report);
    rust_steps(repo, &mut report);
    report.step("generated files", || {
        codegen::check(repo).map(|()| Counts::one(true))
    });
    report.step("contract format", || {
        one(contracts::forge(repo)?.args(["fmt", "--check"]))
    });
    report.step("contract tests and gas", || {
        let built = contracts_built.join();
        built.map_err(|_| "the contracts' build panicked".to_owned())??;
        contract_tests(repo, "default")
    });
    report.step("an external chain", || {
        let mut command = process::cargo(repo.root());
        command.args(["test", "--package", "selfsame-cli", "--test", "external"]);
        let anvil = contracts::anvil_path(repo)?;
        tests(command.arg("--locked").env("SELFSAME_ANVIL", anvil))
    });
    report.step("Python package", || {
        python::tests(repo, &target_folder(repo))
    });
    report.step("programs of libFuzzer", || {
        let arguments = ["check", "--package", "selfsame-fuzz", "--locked", "--bins"];
        one(process::cargo(repo.root())
            .args(arguments)
            .args(["--features", "libfuzzer"]))
    });
    print(&report)
}

/// What is checked without running anything of ours.
fn static_steps(repo: &Repo, report: &mut Report) {
    report.step("fmt", || {
        one(process::cargo(repo.root()).args(["fmt", "--all", "--check"]))
    });
    report.step("clippy", || {
        let arguments = ["clippy", "--workspace", "--all-targets", "--keep-going"];
        let mut command = process::cargo(repo.root());
        one(command
            .args(arguments)
            .args(["--locked", "--", "-D", "warnings"]))
    });
    report.step("the library without import", || {
        let arguments = ["clippy", "--package", "selfsame", "--no-default-features"];
        let mut command = process::cargo(repo.root());
        one(command
            .args(arguments)
            .args(["--locked", "--", "-D", "warnings"]))
    });
    report.step("fmt and clippy of Python's half", || {
        python::lints(repo, &target_folder(repo))
    });
    report.step("tidy", || Ok(checks(repo, CHECKS)));
    report.step("layers and closures", || layers_and_closures(repo));
    report.step("licences, bans, sources", || deny(repo));
    report.step("documentation", || documentation(repo));
}

/// The binary `selfsame` and the library `selfsame` have one name and so one page: the binary's is made
/// first, the library's stays.
fn documentation(repo: &Repo) -> Result<Counts, String> {
    let mut counts = Counts::default();
    for packages in [
        ["--package", "selfsame-cli"].as_slice(),
        &["--workspace", "--exclude", "selfsame-cli"],
    ] {
        let mut command = process::cargo(repo.root());
        command.arg("doc").args(packages);
        command.args(["--no-deps", "--document-private-items"]);
        command.args(["--keep-going", "--locked"]);
        let made = one(command.env("RUSTDOCFLAGS", "-D warnings"))?;
        counts = sum(counts, made);
    }
    Ok(counts)
}

/// The tests of the workspace.
fn rust_steps(repo: &Repo, report: &mut Report) {
    report.step("unit and property tests", || {
        let mut command = process::cargo(repo.root());
        command.args(["test", "--workspace", "--exclude", "xtask"]);
        tests(command.args(["--lib", "--bins", "--tests", "--no-fail-fast", "--locked"]))
    });
    report.step("tests of xtask", || {
        tests(process::cargo(repo.root()).args(["test", "--package", "xtask", "--lib", "--locked"]))
    });
    report.step("documentation tests", || {
        let mut command = process::cargo(repo.root());
        tests(command.args(["test", "--workspace", "--doc", "--no-fail-fast", "--locked"]))
    });
}

/// The Python package alone.
pub fn python_only(repo: &Repo) -> bool {
    let mut report = Report::default();
    report.step("fmt and clippy of Python's half", || {
        python::lints(repo, &target_folder(repo))
    });
    report.step("Python package", || {
        python::tests(repo, &target_folder(repo))
    });
    print(&report)
}

/// The checks that need nothing but the sources.
pub fn tidy_only(repo: &Repo) -> bool {
    let mut report = Report::default();
    report.step("tidy", || Ok(checks(repo, CHECKS)));
    report.step("layers and closures", || layers_and_closures(repo));
    print(&report)
}

#[expect(
    clippy::print_stdout,
    reason = "the result of the command is its standard output"
)]
fn print(report: &Report) -> bool {
    print!("\n{}", report.render());
    report.total().failed == 0
}

fn checks(repo: &Repo, checks: &[Check]) -> Counts {
    let mut counts = Counts::default();
    for (name, check) in checks {
        let problems = check(repo).unwrap_or_else(|problem| vec![problem]);
        eprintln!(
            "{} {name}",
            if problems.is_empty() {
                "ok    "
            } else {
                "FAILED"
            }
        );
        for problem in &problems {
            eprintln!("       {problem}");
        }
        counts = sum(counts, Counts::one(problems.is_empty()));
    }
    counts
}

fn layers_and_closures(repo: &Repo) -> Result<Counts, String> {
    let layers = checks(repo, &[LAYERS]);
    let differences = closures::differences(repo)?;
    for difference in &differences {
        eprintln!("FAILED {difference}");
    }
    Ok(sum(layers, Counts::one(differences.is_empty())))
}

/// Runs the pinned checker, building it once below the target folder when it is not there. The
/// advisory database is not asked: it lives on the network, and a test may not.
fn deny(repo: &Repo) -> Result<Counts, String> {
    let tools = target_folder(repo).join(format!("tools/cargo-deny-{CARGO_DENY}"));
    let program = tools.join("bin/cargo-deny");
    if !program.is_file() {
        eprintln!("cargo-deny {CARGO_DENY} is missing: building it once");
        let mut command = process::cargo(repo.root());
        command.args([
            "install",
            "cargo-deny",
            "--version",
            CARGO_DENY,
            "--locked",
            "--debug",
        ]);
        command
            .args(["--no-default-features", "--root"])
            .arg(&tools);
        command.arg("--target-dir").arg(tools.join("build"));
        if !process::run_shown(&mut command)?.success {
            return Err(format!("cargo-deny {CARGO_DENY} could not be built"));
        }
        // Hundreds of megabytes that nobody reads again.
        std::fs::remove_dir_all(tools.join("build")).map_err(|e| format!("cargo-deny: {e}"))?;
    }
    let mut counts = Counts::default();
    for manifest in ["Cargo.toml", "python/Cargo.toml"] {
        let mut command = Command::new(&program);
        command.current_dir(repo.root());
        command.args(["--locked", "--manifest-path", manifest]);
        command.args(["--config", "deny.toml", "check", "--hide-inclusion-graph"]);
        let held = one(command.args(["bans", "licenses", "sources"]))?;
        counts = sum(counts, held);
    }
    Ok(counts)
}

/// The contract tests under one profile of `foundry.toml`, with gas against its snapshots.
pub fn contract_tests(repo: &Repo, profile: &str) -> Result<Counts, String> {
    let mut command = contracts::forge(repo)?;
    command.arg("test").env("FOUNDRY_PROFILE", profile);
    if profile == "default" {
        command.env("FORGE_SNAPSHOT_CHECK", "true");
    }
    let finished = process::run_shown(&mut command)?;
    // The runner ends without its last line when gas differs: then the tests are counted one by one.
    let each = || forge_counts_each(&finished.stdout);
    let mut counts = forge_counts(&finished.stdout)
        .or_else(each)
        .ok_or("forge ran no test")?;
    let snapshots = repo.files_ending(&[".json"])?;
    if !snapshots
        .iter()
        .any(|file| file.starts_with("contracts/snapshots/"))
    {
        eprintln!("FAILED contracts/snapshots: no gas snapshot is committed");
        counts.failed += 1;
    }
    if !finished.success && counts.failed == 0 {
        eprintln!("FAILED gas differs from contracts/snapshots: `forge test` writes them anew");
        counts.failed += 1;
    }
    Ok(counts)
}

/// `Ran 2 test suites in 1ms (1ms CPU time): 3 tests passed, 1 failed, 0 skipped (4 total tests)`;
/// a skipped test counts as failed.
fn forge_counts(stdout: &str) -> Option<Counts> {
    let line = stdout
        .lines()
        .rfind(|line| line.starts_with("Ran ") && line.contains(" tests passed, "))?;
    let number = |before: &str| -> Option<u64> {
        let head = line.split(before).next()?;
        head.rsplit(|c: char| !c.is_ascii_digit())
            .next()?
            .parse()
            .ok()
    };
    let skipped = number(" skipped")?;
    if skipped > 0 {
        eprintln!("FAILED {skipped} contract tests are skipped");
    }
    Some(Counts {
        passed: number(" tests passed")?,
        failed: number(" failed")? + skipped,
    })
}

/// Lines `[PASS] test_a() (gas: 1)` and `[FAIL: why] test_b()`.
fn forge_counts_each(stdout: &str) -> Option<Counts> {
    let lines = |start: &str| {
        stdout
            .lines()
            .filter(|line| line.starts_with(start))
            .count() as u64
    };
    let counts = Counts {
        passed: lines("[PASS"),
        failed: lines("[FAIL"),
    };
    (counts != Counts::default()).then_some(counts)
}

/// Where cargo builds: tools are kept beside.
fn target_folder(repo: &Repo) -> PathBuf {
    let named = std::env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    // A relative one counts from where the command was given; steps have folders of their own.
    let named = named.map(|folder| std::path::absolute(&folder).unwrap_or(folder));
    named.unwrap_or_else(|| repo.path("target"))
}

/// A step that is one check: the status of a command.
fn one(command: &mut Command) -> Result<Counts, String> {
    Ok(Counts::one(process::run_shown(command)?.success))
}

/// A step that runs Rust tests with the fixed seed.
fn tests(command: &mut Command) -> Result<Counts, String> {
    command
        .env("SELFSAME_SEED", SEED.to_string())
        .env("PROPTEST_RNG_SEED", SEED.to_string());
    command
        .env("CARGO_TERM_COLOR", "never")
        .env_remove("SELFSAME_SOAK");
    Ok(cargo_counts(&process::run_shown(command)?))
}

/// Sums of `test result: ok. 3 passed; 0 failed; 0 ignored; ...` over all binaries. An ignored
/// test counts as failed, and so does a run that broke before it could count.
pub fn cargo_counts(finished: &Finished) -> Counts {
    let mut counts = Counts::default();
    for line in finished
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("test result: "))
    {
        let number = |name: &str| -> u64 {
            let part = line
                .split([';', '.'])
                .find(|part| part.trim_end().ends_with(name));
            part.and_then(|part| part.split_whitespace().next()?.parse().ok())
                .unwrap_or(0)
        };
        let ignored = number("ignored");
        if ignored > 0 {
            eprintln!("FAILED {ignored} tests are ignored");
        }
        counts.passed += number("passed");
        counts.failed += number("failed") + ignored;
    }
    if !finished.success && counts.failed == 0 {
        eprintln!("FAILED the run broke before it could count");
        counts.failed = 1;
    }
    counts
}

fn sum(a: Counts, b: Counts) -> Counts {
    Counts {
        passed: a.passed + b.passed,
        failed: a.failed + b.failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_summed_over_binaries_and_an_ignored_test_is_a_failure() {
        let stdout = "test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out; finished in 0.1s\n\
                      test a ... ok\n\
                      test result: FAILED. 1 passed; 2 failed; 1 ignored; 0 measured; 0 filtered out\n";
        let finished = Finished {
            success: false,
            stdout: stdout.to_owned(),
        };
        assert_eq!(
            cargo_counts(&finished),
            Counts {
                passed: 4,
                failed: 3
            }
        );
        let broken = Finished {
            success: false,
            stdout: String::new(),
        };
        assert_eq!(
            cargo_counts(&broken),
            Counts {
                passed: 0,
                failed: 1
            }
        );
    }

    #[test]
    fn the_contract_runners_last_line_is_read() {
        let stdout = "Ran 2 test suites in 141ms (148ms CPU time): 3 tests passed, 1 failed, 2 skipped (6 total tests)\n";
        assert_eq!(
            forge_counts(stdout),
            Some(Counts {
                passed: 3,
                failed: 3
            })
        );
        assert_eq!(forge_counts("Error: compiler run failed\n"), None);
        let each = "[PASS] test_a() (gas: 1)\n[FAIL: why] test_b()\nError: Snapshots differ\n";
        assert_eq!(
            forge_counts_each(each),
            Some(Counts {
                passed: 1,
                failed: 1
            })
        );
    }
}

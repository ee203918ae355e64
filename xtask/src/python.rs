//! The Python package: its own workspace is checked like the other one, then the package is built by
//! `pip` as its users do, into a venv under the target folder, and tested there.
//!
//! ```text
//! python/requirements-test.txt --pip--> target/python/venv <--pip install ./python-- target/python/build
//! ```

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process;
use crate::repo::Repo;
use crate::report::Counts;

/// Another Python than `python3`.
const PYTHON: &str = "SELFSAME_PYTHON";
const MANIFEST: &str = "python/Cargo.toml";
const REQUIREMENTS: &str = "python/requirements-test.txt";

/// `cargo fmt` and `cargo clippy` over the package's own workspace.
pub fn lints(repo: &Repo, target: &Path) -> Result<Counts, String> {
    let mut fmt = process::cargo(repo.root());
    fmt.args(["fmt", "--manifest-path", MANIFEST, "--check"]);
    let mut clippy = process::cargo(repo.root());
    clippy.args(["clippy", "--manifest-path", MANIFEST, "--locked"]);
    clippy.args(["--", "-D", "warnings"]);
    clippy.env("CARGO_TARGET_DIR", build_folder(target));
    let mut counts = Counts::default();
    for command in [&mut fmt, &mut clippy] {
        let held = process::run_shown(command)?.success;
        counts.passed += u64::from(held);
        counts.failed += u64::from(!held);
    }
    Ok(counts)
}

/// Makes the venv, builds the package into it and runs its tests.
pub fn tests(repo: &Repo, target: &Path) -> Result<Counts, String> {
    let venv = target.join("python/venv");
    let python = venv.join("bin/python");
    prepare(repo, &venv, &python)?;
    let mut install = pip(repo, &python);
    install.args(["--no-build-isolation", "--no-deps", "--force-reinstall"]);
    install.arg("./python").env("PATH", with_tools(&venv));
    install.env("CARGO_TARGET_DIR", build_folder(target));
    if !process::run_shown(&mut install)?.success {
        return Err("pip install ./python failed".to_owned());
    }
    let mut tests = Command::new(&python);
    tests.current_dir(repo.path("python")).args(["-m", "tests"]);
    // The tests call cargo for the binary: of the same target folder as all other steps.
    tests.env("CARGO_TARGET_DIR", target);
    let finished = process::run_shown(&mut tests)?;
    let mut counts = counts(&finished.stdout).ok_or("the tests broke before they could count")?;
    if !finished.success && counts.failed == 0 {
        eprintln!("FAILED the tests ended badly");
        counts.failed = 1;
    }
    Ok(counts)
}

/// The venv with exactly the pinned packages; kept while they stay the same.
fn prepare(repo: &Repo, venv: &Path, python: &Path) -> Result<(), String> {
    let wanted = repo.read(REQUIREMENTS)?;
    let stamp = venv.join("requirements");
    let same = std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted);
    if same && python.exists() {
        return Ok(());
    }
    let system = std::env::var_os(PYTHON).unwrap_or_else(|| "python3".into());
    let version = ["-c", "import sys; sys.exit(sys.version_info < (3, 11))"];
    process::run_quiet(Command::new(&system).args(version), "").map_err(|error| {
        format!("{error}\nthe Python package needs Python 3.11 or newer as `python3`, or named by {PYTHON}")
    })?;
    let mut make = Command::new(&system);
    make.args(["-m", "venv", "--clear"]).arg(venv);
    process::run_quiet(&mut make, "").map_err(|error| {
        format!("{error}\nno venv: the module is a package of its own on some systems (Debian: python3-venv)")
    })?;
    let mut install = pip(repo, python);
    install.args(["--requirement", REQUIREMENTS]);
    if !process::run_shown(&mut install)?.success {
        return Err(format!(
            "the packages of {REQUIREMENTS} could not be installed: pip says why above; \
             it needs a registry of Python packages"
        ));
    }
    std::fs::write(&stamp, wanted).map_err(|error| format!("{}: {error}", stamp.display()))
}

fn pip(repo: &Repo, python: &Path) -> Command {
    let mut command = Command::new(python);
    command.current_dir(repo.root());
    command.args(["-m", "pip", "install", "--quiet"]);
    command.args(["--disable-pip-version-check", "--no-input"]);
    command
}

fn build_folder(target: &Path) -> PathBuf {
    target.join("python/build")
}

/// The search path with the venv's tools first: maturin is one of them.
fn with_tools(venv: &Path) -> std::ffi::OsString {
    let mut path = venv.join("bin").into_os_string();
    if let Some(rest) = std::env::var_os("PATH") {
        path.push(":");
        path.push(rest);
    }
    path
}

/// The last line, `N passed, N failed`.
fn counts(stdout: &str) -> Option<Counts> {
    let line = stdout.lines().last()?;
    let (passed, failed) = line.split_once(" passed, ")?;
    Some(Counts {
        passed: passed.parse().ok()?,
        failed: failed.strip_suffix(" failed")?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tests_last_line_is_read_and_a_run_without_one_is_none() {
        let want = Counts {
            passed: 18,
            failed: 2,
        };
        assert_eq!(counts("test_a ... ok\n18 passed, 2 failed\n"), Some(want));
        assert_eq!(counts("Traceback\n"), None);
        assert_eq!(counts(""), None);
    }
}

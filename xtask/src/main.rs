//! The command line of `cargo xtask`.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use xtask::{codegen, repo::Repo, soak, test_command};

const USAGE: &str = "usage: cargo xtask <command>

  test              everything that must be green; ends with `N passed, N failed`
  ci                the same
  tidy              the text, layer and artifact checks alone (no compiler, no Node)
  python            the Python package alone: lints, build, tests
  codegen           writes constants, contract artifacts and dependency closures
  codegen --check   fails when what is committed differs from what would be written
  soak [--seed N]   the long suites at full counts; writes soak/summary.json and docs/soak.md
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let repo = match Repo::find() {
        Ok(repo) => repo,
        Err(problem) => return fail(&problem),
    };
    match words.as_slice() {
        ["test" | "ci"] => exit_when(test_command::run(&repo)),
        ["tidy"] => exit_when(test_command::tidy_only(&repo)),
        ["python"] => exit_when(test_command::python_only(&repo)),
        ["codegen"] => done(codegen::write(&repo)),
        ["codegen", "--check"] => done(codegen::check(&repo)),
        ["soak"] => done(soak::run(&repo, None)),
        ["soak", "--seed", seed] => match seed.parse() {
            Ok(seed) => done(soak::run(&repo, Some(seed))),
            Err(_) => fail(&format!(
                "--seed wants a number from 0 to 2^64-1, got {seed:?}"
            )),
        },
        _ => {
            eprint!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn exit_when(all_passed: bool) -> ExitCode {
    if all_passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn done(result: Result<(), String>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => fail(&problem),
    }
}

fn fail(problem: &str) -> ExitCode {
    eprintln!("xtask: {problem}");
    ExitCode::FAILURE
}

//! The table of steps that a test run prints, and its last line.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

/// Counts of one step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Checks that held.
    pub passed: u64,
    /// Checks that did not.
    pub failed: u64,
}

impl Counts {
    /// A step that is one check.
    pub const fn one(ok: bool) -> Self {
        if ok {
            Self {
                passed: 1,
                failed: 0,
            }
        } else {
            Self {
                passed: 0,
                failed: 1,
            }
        }
    }
}

#[derive(Debug)]
struct Row {
    name: &'static str,
    counts: Counts,
    took: Duration,
}

/// Collects steps in the order they ran.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
    problems: Vec<String>,
}

impl Report {
    /// Runs one step; an error counts as one failure and is repeated at the end.
    pub fn step(&mut self, name: &'static str, run: impl FnOnce() -> Result<Counts, String>) {
        eprintln!("\n=== {name}");
        let start = Instant::now();
        let counts = match run() {
            Ok(counts) => counts,
            Err(problem) => {
                eprintln!("{problem}");
                self.problems.push(format!("{name}: {problem}"));
                Counts::one(false)
            }
        };
        if counts.failed > 0 {
            eprintln!("=== {name}: {} failed", counts.failed);
        }
        self.rows.push(Row {
            name,
            counts,
            took: start.elapsed(),
        });
    }

    /// The sums over all steps.
    pub fn total(&self) -> Counts {
        self.rows.iter().fold(Counts::default(), |sum, row| Counts {
            passed: sum.passed + row.counts.passed,
            failed: sum.failed + row.counts.failed,
        })
    }

    /// The table, the errors, and as last line exactly `N passed, N failed`.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for problem in &self.problems {
            let _ = writeln!(text, "FAILED {problem}");
        }
        let _ = writeln!(
            text,
            "{:<28} {:>7} {:>7} {:>8}",
            "step", "passed", "failed", "seconds"
        );
        for row in &self.rows {
            let Counts { passed, failed } = row.counts;
            let tenths = row.took.as_millis() / 100;
            let seconds = format!("{}.{}", tenths / 10, tenths % 10);
            let _ = writeln!(
                text,
                "{:<28} {passed:>7} {failed:>7} {seconds:>8}",
                row.name
            );
        }
        let total = self.total();
        let _ = writeln!(text, "{} passed, {} failed", total.passed, total.failed);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_sums_every_step_and_an_error_counts_as_a_failure() {
        let mut report = Report::default();
        report.step("a", || {
            Ok(Counts {
                passed: 3,
                failed: 0,
            })
        });
        report.step("b", || Err("broken".to_owned()));
        let text = report.render();
        assert_eq!(text.lines().last(), Some("3 passed, 1 failed"));
        assert!(text.contains("FAILED b: broken"));
    }
}

//! Exit codes: one table, printed by `--help` and compared with `docs/cli.md` by a test.

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what was asked.
    Ok,
    /// It failed for a reason that has no code of its own.
    Failure,
    /// The command line is wrong.
    Usage,
    /// Evidence was checked and does not hold; the message names the check.
    Verification,
    /// The endpoint cannot be reached, or the chain refused a call.
    Chain,
    /// A file, model or input was refused.
    Input,
    /// A guard stopped it before anything was sent: another chain id, no key, no model.
    Guard,
    /// It is too early: a window or a clock still runs.
    Pending,
}

impl Exit {
    /// Every way to end, in order of code.
    pub(crate) const ALL: [Self; 8] = [
        Self::Ok,
        Self::Failure,
        Self::Usage,
        Self::Verification,
        Self::Chain,
        Self::Input,
        Self::Guard,
        Self::Pending,
    ];

    /// The process's exit code.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Verification => 3,
            Self::Chain => 4,
            Self::Input => 5,
            Self::Guard => 6,
            Self::Pending => 7,
        }
    }

    /// What it means, for people.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failure => "failure",
            Self::Usage => "wrong usage",
            Self::Verification => "verification failed (the message names the check)",
            Self::Chain => "the chain cannot be reached, or refused a call",
            Self::Input => "a file, model or input was refused",
            Self::Guard => "a guard stopped it before anything was sent",
            Self::Pending => "too early: a window or clock still runs",
        }
    }

    /// The table as it stands under `--help`.
    pub(crate) fn table() -> String {
        let rows: Vec<String> = Self::ALL
            .iter()
            .map(|exit| format!("  {}  {}", exit.code(), exit.meaning()))
            .collect();
        format!("Exit codes:\n{}", rows.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_count_up_from_zero_and_no_two_are_equal() {
        for (index, exit) in Exit::ALL.iter().enumerate() {
            assert_eq!(usize::from(exit.code()), index);
        }
    }

    #[test]
    fn the_documented_table_is_the_one_of_the_code() {
        let page = include_str!("../../../docs/cli.md");
        for exit in Exit::ALL {
            let row = format!("| {} | {} |", exit.code(), exit.meaning());
            assert!(page.contains(&row), "docs/cli.md lacks the row {row}");
        }
    }
}

//! The commands, one file each.

mod inspect;
mod run;
mod trace;

use clap::Subcommand;

use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output::Output;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show a program: id, nodes, sizes, dispute certificate.
    Inspect(inspect::Args),
    /// Run a program on inputs: labels, floats, and the trace if asked.
    Run(run::Args),
    /// Work with traces of runs.
    #[command(subcommand)]
    Trace(trace::Command),
}

impl Command {
    /// Does it; an `Exit` other than ok is an answer, an error a failure to answer.
    pub(crate) fn run(self, output: Output) -> Outcome<Exit> {
        match self {
            Self::Inspect(args) => inspect::run(&args, output),
            Self::Run(args) => run::run(&args, output),
            Self::Trace(command) => trace::run(&command, output),
        }
    }
}

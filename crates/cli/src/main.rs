//! The one binary, `selfsame`: AI inference as an exact integer program, with contracts as judge.
//!
//! ```text
//! command line --clap--> Command --run--> Report --output--> text or {"schema": "selfsame.<command>/1"}
//! ```
//!
//! Each command is one file of `commands`; it reads, computes and returns a typed report, and only
//! `output` writes. Commands that fail return a [`failure::Failure`] with a documented exit code.

#![forbid(unsafe_code)]

mod certificate;
mod commands;
mod comparison;
mod dataset;
mod dims;
mod exit;
mod failure;
mod graph;
mod inputs;
mod model;
mod network;
mod noise;
mod output;
mod paint;
mod picture;
mod receipts;
mod shipped;
mod stage;
mod table;
mod takes;
mod wei;

use std::process::ExitCode;

/// Tensors of tens of megabytes are read, decoded and dropped.
#[global_allocator]
static ALLOCATOR: selfsame::LargePages = selfsame::LargePages;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser};

use crate::commands::Command;
use crate::exit::Exit;
use crate::output::Output;

/// AI inference as an exact integer program, with contracts as judge.
#[derive(Debug, Parser)]
#[command(name = "selfsame", version, max_term_width = 100)]
struct Cli {
    /// Print one JSON object (a line for each event, where a command goes on) on standard output.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let command = Cli::command().after_help(Exit::table());
    let parsed = command
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            let shown = matches!(
                error.kind(),
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion
            );
            // Nothing is left to tell if neither stream can be written.
            drop(error.print());
            let exit = if shown { Exit::Ok } else { Exit::Usage };
            return ExitCode::from(exit.code());
        }
    };
    let output = Output::new(cli.json);
    let exit = match cli.command.run(output) {
        Ok(exit) => exit,
        Err(failure) => {
            output.failure(&failure);
            failure.exit()
        }
    };
    ExitCode::from(exit.code())
}

//! The commands, one file each.

mod ask;
mod baseline;
mod bench;
mod bench_plot;
mod bench_report;
mod bench_trace;
mod challenge;
mod claims;
mod cold;
mod compare;
mod compare_layers;
mod demo;
mod devnet;
mod dispute;
mod import;
mod inspect;
mod provide;
mod publish;
mod report_page;
mod run;
mod settle;
mod stake;
mod times;
mod trace;
mod verify;

pub(crate) use ask::{Question, question, requested};
use clap::Subcommand;
pub(crate) use publish::registration;

use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output::Output;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// See it all: models, kernels, an answer with its receipt, and a lie convicted by a contract.
    Demo(demo::Args),
    /// Make an exact program of an ONNX model.
    Import(import::Args),
    /// Show a program: id, nodes, sizes, dispute certificate.
    Inspect(inspect::Args),
    /// Run a program on inputs: labels, floats, and the trace if asked.
    Run(run::Args),
    /// Compare an exact program with its float source.
    Compare(compare::Args),
    /// Time runs of a program, alone or beside ONNX Runtime.
    Bench(bench::Args),
    /// Work with traces of runs.
    #[command(subcommand)]
    Trace(trace::Command),
    /// Run an embedded chain with the contracts on it until interrupted.
    Devnet(devnet::Args),
    /// Register a model on a chain.
    Publish(publish::Args),
    /// Stake as a provider.
    Stake(stake::Args),
    /// Take stake back, after the unbonding time.
    Unstake(stake::Args),
    /// Pay out what you are owed: credits and unbonded stake.
    Withdraw(stake::WithdrawArgs),
    /// Be a provider: answer requests, defend claims, sign receipts.
    Provide(provide::Args),
    /// Ask a published model, wait for the answer, write its receipt.
    Ask(ask::Args),
    /// List requests and claims.
    Claims(claims::Args),
    /// Re-run a claim and, if it is wrong, play until it is convicted.
    Challenge(challenge::Args),
    /// Make a claim final once its window is over.
    Finalize(settle::Args),
    /// Pay a request back that was not accepted or not answered in time.
    Refund(settle::Args),
    /// Play a whole dispute about one planted integer on an embedded chain.
    Dispute(dispute::Args),
    /// Check a receipt: claim, evidence, who checked, level.
    Verify(verify::Args),
}

impl Command {
    /// Does it; an `Exit` other than ok is an answer, an error a failure to answer.
    pub(crate) fn run(self, output: Output) -> Outcome<Exit> {
        match self {
            Self::Demo(args) => demo::run(&args, output),
            Self::Import(args) => import::run(&args, output),
            Self::Inspect(args) => inspect::run(&args, output),
            Self::Run(args) => run::run(&args, output),
            Self::Compare(args) => compare::run(&args, output),
            Self::Bench(args) => bench::run(&args, output),
            Self::Trace(command) => trace::run(&command, output),
            Self::Devnet(args) => devnet::run(&args, output),
            Self::Publish(args) => publish::run(&args, output),
            Self::Stake(args) => stake::stake(&args, output),
            Self::Unstake(args) => stake::unstake(&args, output),
            Self::Withdraw(args) => stake::withdraw(&args, output),
            Self::Provide(args) => provide::run(&args, output),
            Self::Ask(args) => ask::run(&args, output),
            Self::Claims(args) => claims::run(&args, output),
            Self::Challenge(args) => challenge::run(&args, output),
            Self::Finalize(args) => settle::finalize(&args, output),
            Self::Refund(args) => settle::refund(&args, output),
            Self::Dispute(args) => dispute::run(&args, output),
            Self::Verify(args) => verify::run(&args, output),
        }
    }
}

//! `selfsame demo`: models, kernels, an answer with its receipt, and a lie convicted by a contract.

mod answer;
mod lie;
mod models;

use std::path::PathBuf;
use std::time::Instant;

use selfsame::{Model, Values};
use selfsame_ir::Tensor;
use serde::Serialize;

use crate::commands::dispute::Played;
use crate::dataset::DataSet;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::{Output, Report};
use crate::paint::Paint;
use crate::shipped::{self, Shipped};
use crate::stage::{Ledger, Party, World, signed};
use crate::table::Table;
use crate::wei;
use answer::ReceiptRow;
use models::{KernelRow, ModelRow};

/// The model that answers the honest request, and the one that is lied about.
const ASKED: &str = "lenet";
const DISPUTED: &str = "resnet20";

/// Arguments of `demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where the receipt is written; a temporary file if not given.
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
}

/// One line of the balances. Amounts in wei, as text, since they exceed 2^53.
#[derive(Debug, Clone, Serialize)]
struct BalanceRow {
    who: &'static str,
    before: String,
    after: String,
    change: String,
}

#[derive(Debug, Serialize)]
struct Demo {
    models: Vec<ModelRow>,
    kernels: Vec<KernelRow>,
    /// Instruction sets that this machine lacks: gaps, not passes.
    gaps: Vec<&'static str>,
    roots_equal: bool,
    answer: String,
    receipt: ReceiptRow,
    dispute: Played,
    balances: Vec<BalanceRow>,
    balances_sum_zero: bool,
    seconds: f64,
}

/// Runs the command.
pub(crate) fn run(args: &Args, output: Output) -> Outcome<Exit> {
    let begun = Instant::now();
    let paint = output.paint();
    output.section(&format!(
        "{}  AI inference as an exact integer program, with contracts as judge\n",
        paint.bold("selfsame")
    ));
    let models = models::accuracies(output)?;
    let (kernels, gaps, roots_equal) = models::kernels(output)?;
    let bar = output.bar(1, "starting a chain");
    let mut world = World::open()?;
    bar.finish_and_clear();
    let before = world.ledger()?;
    let fees = world.fees();
    let (answer, receipt) = answer::honest(args.receipt.as_deref(), &mut world, output)?;
    let dispute = lie::lie(&mut world, output)?;
    let after = world.ledger()?;
    let balances_sum_zero = world.sums_to_zero(&before, &after, fees);
    let balances = balances(&before, &after, world.fees() - fees);
    let demo = Demo {
        models,
        kernels,
        gaps,
        roots_equal,
        answer,
        receipt,
        dispute,
        balances,
        balances_sum_zero,
        seconds: begun.elapsed().as_secs_f64(),
    };
    output.report(&demo);
    demo.verdict()
}

fn heading(number: u32, title: &str, paint: Paint) -> String {
    format!(
        "\n{} {}\n",
        paint.accent(&number.to_string()),
        paint.bold(title)
    )
}

fn find(name: &str) -> Outcome<&'static Shipped> {
    let found = shipped::ALL.iter().find(|shipped| shipped.name == name);
    found.ok_or_else(|| Failure::input(format!("no model {name} is shipped")))
}

/// The input of a test row of a model, as its interface makes it.
fn test_input(model: &Model, data: &DataSet, row: usize) -> Outcome<Tensor> {
    let values = Values::Floats(data.rows.get(row).cloned().unwrap_or_default());
    let tensors = model.tensors(&values).map_err(Failure::input)?;
    tensors
        .into_iter()
        .next()
        .ok_or_else(|| Failure::input("no test row"))
}

fn balances(before: &Ledger, after: &Ledger, gas_paid: u128) -> Vec<BalanceRow> {
    let row = |who, before: i128, after: i128| BalanceRow {
        who,
        before: before.to_string(),
        after: after.to_string(),
        change: (after - before).to_string(),
    };
    let wealth = |ledger: &Ledger, party| signed(ledger.of(party).total());
    let mut rows: Vec<BalanceRow> = Party::ALL
        .iter()
        .map(|&party| row(party.name(), wealth(before, party), wealth(after, party)))
        .collect();
    rows.push(row("held by contracts", before.float, after.float));
    rows.push(row(
        "burned by the slash",
        signed(before.burned),
        signed(after.burned),
    ));
    rows.push(row("paid for gas", 0, signed(gas_paid)));
    rows
}

impl Demo {
    /// Everything that the demo promises, or what is missing.
    fn verdict(&self) -> Outcome<Exit> {
        let promises = [
            (self.roots_equal, "kernel sets give different roots"),
            (self.receipt.verified, "the receipt does not verify"),
            (
                self.dispute.convicted == Some(self.dispute.planted),
                "the conviction is not where the lie is",
            ),
            (self.balances_sum_zero, "the balances do not sum to zero"),
        ];
        match promises.iter().find(|(holds, _)| !holds) {
            None => Ok(Exit::Ok),
            Some((_, what)) => Err(Failure::new(Exit::Failure, what)),
        }
    }
}

impl Report for Demo {
    fn command(&self) -> &'static str {
        "demo"
    }

    /// The end of it; the other sections were shown as they happened.
    fn text(&self, paint: Paint) -> String {
        let mut table = Table::new(&["ether", ">before", ">after", ">change"]);
        let mut sum = 0_i128;
        for row in &self.balances {
            let read = |text: &str| text.parse::<i128>().unwrap_or_default();
            sum += read(&row.change);
            table.row([
                row.who.to_owned(),
                wei::ether(read(&row.before).unsigned_abs()),
                wei::ether(read(&row.after).unsigned_abs()),
                wei::ether_signed(read(&row.change)),
            ]);
        }
        table.row([
            "sum".to_owned(),
            String::new(),
            String::new(),
            wei::ether_signed(sum),
        ]);
        format!(
            "{}{}\n{} in {:.1} s\n",
            heading(5, "Every balance", paint),
            table.render(paint),
            paint.good("done"),
            self.seconds,
        )
    }
}

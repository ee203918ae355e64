//! `selfsame demo`: models, kernels, an answer with its receipt, and a lie convicted by a contract.

use std::env;
use std::path::PathBuf;
use std::time::Instant;

use selfsame_agent::Plant;
use selfsame_ir::{DimValues, Tensor};
use selfsame_provider::{Conduct, Note};
use selfsame_receipt::encode;
use selfsame_runtime::Kernel;
use serde::Serialize;

use crate::answer;
use crate::commands::dispute::{self, Played};
use crate::commands::verify::{Brought, Verified, verify_file};
use crate::comparison;
use crate::engine::{Engine, INTERPRETER};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::importer::DataSet;
use crate::inputs::{self, Values};
use crate::model::{Model, write_file};
use crate::output::{Output, Report};
use crate::paint::Paint;
use crate::picture;
use crate::receipts;
use crate::shipped::{self, Shipped};
use crate::stage::{Ledger, Party, World, signed};
use crate::table::{Table, grouped, percent};
use crate::wei;

/// Paid for the honest answer: a thousandth of an ether.
const PRICE: u128 = 1_000_000_000_000_000;
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

#[derive(Debug, Clone, Serialize)]
struct ModelRow {
    name: &'static str,
    test_rows: usize,
    float_accuracy: f64,
    exact_accuracy: f64,
    agreement: f64,
    snr_db: f64,
    model_id: String,
}

#[derive(Debug, Clone, Serialize)]
struct KernelRow {
    name: &'static str,
    root: String,
}

#[derive(Debug, Clone, Serialize)]
struct ReceiptRow {
    verified: bool,
    level: Option<String>,
    path: String,
    checks: Vec<String>,
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
    let models = accuracies(output)?;
    let (kernels, gaps, roots_equal) = kernels(output)?;
    let bar = output.bar(1, "starting a chain");
    let mut world = World::open()?;
    bar.finish_and_clear();
    let before = world.ledger()?;
    let fees = world.fees();
    let (answer, receipt) = honest(args, &mut world, output)?;
    let dispute = lie(&mut world, output)?;
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

/// Float against exact on the held rows of every model.
fn accuracies(output: Output) -> Outcome<Vec<ModelRow>> {
    let paint = output.paint();
    output.section(&heading(
        1,
        "Float against exact, on test rows that calibration never saw",
        paint,
    ));
    let mut rows = Vec::new();
    let mut table = Table::new(&[
        "model",
        "what",
        ">rows",
        ">float",
        ">exact",
        ">same answer",
        "model id",
    ]);
    for shipped in &shipped::ALL {
        let row = accuracy(shipped, output)?;
        table.row([
            row.name.to_owned(),
            shipped.about.to_owned(),
            row.test_rows.to_string(),
            percent(row.float_accuracy),
            percent(row.exact_accuracy),
            percent(row.agreement),
            format!("{}...", row.model_id.get(..18).unwrap_or_default()),
        ]);
        rows.push(row);
    }
    output.section(&table.render(paint));
    Ok(rows)
}

fn accuracy(shipped: &Shipped, output: Output) -> Outcome<ModelRow> {
    let model = shipped.model()?;
    let (graph, data) = shipped.source()?;
    let from = shipped.test_from;
    let test_rows = data.rows.len() - from;
    let bar = output.bar(test_rows as u64, shipped.name);
    let answers = comparison::answers(&model, &graph, &data, from, None, &bar)?;
    bar.finish_and_clear();
    let classes = graph.output_shape().iter().product();
    let labels = data.labels_from(from);
    let accuracy = |answers: &[f32]| {
        comparison::accuracy(answers, classes, labels)
            .ok_or_else(|| Failure::input(format!("{}: no labels", shipped.name)))
    };
    let compared = selfsame_compiler::compare(&answers.float, &answers.exact, classes);
    Ok(ModelRow {
        name: shipped.name,
        test_rows,
        float_accuracy: accuracy(&answers.float)?,
        exact_accuracy: accuracy(&answers.exact)?,
        agreement: compared.top1_agreement,
        snr_db: compared.snr_db,
        model_id: model.commitment.model_id.to_string(),
    })
}

fn find(name: &str) -> Outcome<&'static Shipped> {
    let found = shipped::ALL.iter().find(|shipped| shipped.name == name);
    found.ok_or_else(|| Failure::input(format!("no model {name} is shipped")))
}

/// The input of a test row of a model, as its interface makes it.
fn test_input(model: &Model, data: &DataSet, row: usize) -> Outcome<Tensor> {
    let values = Values::Floats(data.rows.get(row).cloned().unwrap_or_default());
    let tensors = inputs::tensors(model, &values).map_err(Failure::input)?;
    tensors
        .into_iter()
        .next()
        .ok_or_else(|| Failure::input("no test row"))
}

/// One trace root from the interpreter and every kernel set.
fn kernels(output: Output) -> Outcome<(Vec<KernelRow>, Vec<&'static str>, bool)> {
    let paint = output.paint();
    let title =
        format!("The same bits from every kernel set: {DISPUTED}, trace root of one test row");
    output.section(&heading(2, &title, paint));
    let shipped = find(DISPUTED)?;
    let model = shipped.model()?;
    let (_, data) = shipped.source()?;
    let input = test_input(&model, &data, shipped.test_from)?;
    let bar = output.bar(1, "the interpreter");
    let mut engines = vec![Engine::new(&model, Some(INTERPRETER), 1)?];
    for kernel in Kernel::available() {
        engines.push(Engine::on(&model, kernel, 2)?);
    }
    let mut rows = Vec::new();
    let mut table = Table::new(&["kernel set", "trace root"]);
    for engine in &mut engines {
        let root = engine.trace(&model, &input)?.root().to_string();
        table.row([engine.name().to_owned(), root.clone()]);
        rows.push(KernelRow {
            name: engine.name(),
            root,
        });
    }
    bar.finish_and_clear();
    let equal = rows.windows(2).all(|pair| pair[0].root == pair[1].root);
    let gaps: Vec<&str> = Kernel::gaps().into_iter().map(|set| set.name()).collect();
    let verdict = if equal {
        paint.good("all equal")
    } else {
        paint.bad("THEY DIFFER")
    };
    let missing = if gaps.is_empty() {
        String::new()
    } else {
        format!("; not on this machine, so not shown: {}", gaps.join(", "))
    };
    output.section(&format!("{}  {verdict}{missing}\n", table.render(paint)));
    Ok((rows, gaps, equal))
}

/// A published model, a request, an answer, its receipt, finality.
fn honest(args: &Args, world: &mut World, output: Output) -> Outcome<(String, ReceiptRow)> {
    let paint = output.paint();
    output.section(&heading(
        3,
        "A question, an answer, and a receipt that anybody can check",
        paint,
    ));
    let shipped = find(ASKED)?;
    let model = shipped.model()?;
    let (_, data) = shipped.source()?;
    let row = shipped.test_from;
    let input = test_input(&model, &data, row)?;
    let bar = output.bar(6, "publishing");
    let published = world.publish(&model)?;
    bar.inc(1);
    bar.set_message("staking");
    let bond = world.bond(PRICE, PRICE)?;
    world.stake(Party::Provider, 2 * bond)?;
    bar.inc(1);
    bar.set_message("asking");
    let (request, asked) = world.ask(&model, &input, Party::Provider, PRICE)?;
    let loaded = dispute::load(&model)?;
    let mut provider = world.provider(Party::Provider, &[loaded], Conduct::Honest)?;
    let mut steps = vec![
        format!(
            "published by its owner     {:>9} gas",
            grouped(published.gas_used)
        ),
        format!(
            "asked by the requester     {:>9} gas",
            grouped(asked.gas_used)
        ),
    ];
    for _ in 0..2 {
        steps.extend(serve(world, &mut provider)?);
    }
    bar.inc(1);
    bar.set_message("signing");
    let set = world.set(Party::Provider)?;
    let key = set.client().key("sign").map_err(crate::network::chain)?;
    let receipt = world.run(receipts::receipt(&set, request, Some(key)))?;
    let path = args.receipt.clone().unwrap_or_else(|| {
        env::temp_dir().join(format!("selfsame-demo-{}.receipt.json", std::process::id()))
    });
    write_file(&path, encode(&receipt).as_bytes())?;
    bar.inc(1);
    bar.set_message("waiting for the window");
    world.travel(u64::from(receipt.core.window) + 1)?;
    steps.extend(serve(world, &mut provider)?);
    bar.inc(1);
    bar.set_message("verifying");
    let brought = Brought {
        rpc: Some(world.url().to_owned()),
        ..Brought::default()
    };
    let verified = verify_file(&path, &brought)?;
    bar.finish_and_clear();
    let answer = answer_of(&model, receipt.output().unwrap_or_default())?;
    let best = answer::ranking(&model.program.program().interface, &answer, 1);
    let best = best.first().map(answer::Class::name).unwrap_or_default();
    let said = format!("{ASKED} says {}, the label is {}", best, label(&data, row));
    let beside = story(&said, &steps, world.deployment_gas, &verified, paint);
    let picture = picture::lines(data.rows.get(row).map_or(&[][..], Vec::as_slice), 28, 14);
    output.section(&side_by_side(&picture, &beside));
    output.section(&format!("  the receipt is in {}\n", path.display()));
    let checks = verified.checks.iter().filter(|check| check.ok);
    Ok((
        best,
        ReceiptRow {
            verified: verified.verified,
            level: verified.level.clone(),
            path: path.display().to_string(),
            checks: checks.map(|check| check.name.clone()).collect(),
        },
    ))
}

/// A claim's output bytes as a tensor of the model's output type.
fn answer_of(model: &Model, bytes: &[u8]) -> Outcome<Tensor> {
    let output = model.program.program().output;
    let (elements, dtype) = model
        .program
        .output_of(output, &model.values())
        .ok_or_else(|| Failure::input("the program has no output"))?;
    let count = usize::try_from(elements).map_err(Failure::input)?;
    Tensor::from_bytes(dtype, count, bytes).map_err(Failure::input)
}

fn label(data: &DataSet, row: usize) -> String {
    data.labels
        .get(row)
        .map_or_else(|| "unknown".to_owned(), ToString::to_string)
}

/// What a provider does when it looks once.
fn serve(world: &mut World, provider: &mut selfsame_provider::Provider) -> Outcome<Vec<String>> {
    let notes = world.run(provider.tick()).map_err(Failure::input)?;
    let mut lines = Vec::new();
    for note in &notes {
        let (what, mined) = match note {
            Note::Accepted(_, mined) => ("accepted, the bond locks", mined),
            Note::Claimed(_, mined) => ("answered", mined),
            Note::Finalized(_, mined) => ("final, window over", mined),
            Note::Answered { mined, .. } => ("defended", mined),
            Note::Declined(_, error) | Note::Failed(_, error) => {
                return Err(Failure::new(Exit::Failure, error));
            }
        };
        let gas = world.paid(mined);
        lines.push(format!("{what:<26} {:>9} gas", grouped(gas)));
    }
    Ok(lines)
}

fn story(
    said: &str,
    steps: &[String],
    deployment_gas: u64,
    verified: &Verified,
    paint: Paint,
) -> Vec<String> {
    let mut lines = vec![
        paint.bold(said),
        format!(
            "(contracts deployed once   {:>9} gas)",
            grouped(deployment_gas)
        ),
    ];
    lines.extend_from_slice(steps);
    lines.push(String::new());
    for check in &verified.checks {
        let mark = if check.ok {
            paint.good("holds ")
        } else {
            paint.bad("FAILED")
        };
        lines.push(format!("{mark} {}", check.name));
    }
    let level = verified.level.as_deref().unwrap_or("none");
    lines.push(format!("level: {}", paint.good(level)));
    lines
}

/// A picture with lines of text to its right.
fn side_by_side(picture: &[String], lines: &[String]) -> String {
    let width = picture.first().map_or(0, |line| line.chars().count());
    let row = |index: usize| {
        let left = picture.get(index).cloned().unwrap_or_default();
        let right = lines.get(index).cloned().unwrap_or_default();
        format!("{}\n", format!("  {left:<width$}    {right}").trim_end())
    };
    (0..picture.len().max(lines.len())).map(row).collect()
}

/// The second provider lies in one integer, and is convicted.
fn lie(world: &mut World, output: Output) -> Outcome<Played> {
    let paint = output.paint();
    output.section(&heading(4, "A second provider lies in one integer", paint));
    let shipped = find(DISPUTED)?;
    let model = shipped.model()?;
    let (_, data) = shipped.source()?;
    let input = test_input(&model, &data, shipped.test_from)?;
    let bar = output.bar(2, "planting");
    let loaded = dispute::load(&model)?;
    let plant = place(&model, &loaded, &input)?;
    bar.inc(1);
    bar.set_message("playing");
    world.publish(&model)?;
    let played = dispute::play(world, &model, &loaded, &input, plant)?;
    bar.finish_and_clear();
    let elements: u64 = model
        .program
        .shapes(&model.values())
        .map_err(Failure::input)?
        .iter()
        .map(|shape| {
            shape
                .iter()
                .map(|&extent| u64::from(extent))
                .product::<u64>()
        })
        .sum();
    output.section(&format!(
        "  {DISPUTED}, node {} ({}), element {}: one of {} integers is off by {}\n{}",
        plant.node,
        model.node_name(plant.node),
        plant.element,
        grouped(elements),
        plant.delta,
        played.text(paint),
    ));
    Ok(played)
}

/// A place in the middle of the program whose lie reaches the output.
fn place(model: &Model, loaded: &selfsame_agent::LoadedModel, input: &Tensor) -> Outcome<Plant> {
    let honest = loaded.trace(input).map_err(Failure::input)?;
    let output = model.program.program().output;
    let node = output / 2 + 1;
    let count = honest.output(node).map_or(1, Tensor::len) as u64;
    let mut plant = Plant {
        node,
        element: count / 3,
        delta: 1,
    };
    for delta in [1, 16, 64] {
        plant.delta = delta;
        let Ok(wrong) = plant.apply(&model.program, &DimValues::NONE, &honest) else {
            continue;
        };
        if wrong.output(output) != honest.output(output) {
            break;
        }
    }
    Ok(plant)
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

//! The third section: a question, an answer, and a receipt that anybody can check.

use std::env;
use std::path::{Path, PathBuf};

use selfsame::Model;
use selfsame_chain::B256;
use selfsame_ir::Tensor;
use selfsame_provider::{Conduct, Note, Provider};
use selfsame_receipt::{Receipt, encode};
use serde::Serialize;

use super::{ASKED, find, heading, test_input};
use crate::commands::dispute;
use crate::commands::verify::{Brought, Verified, verify_file};
use crate::dataset::DataSet;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::model::write_file;
use crate::network::chain;
use crate::output::Output;
use crate::paint::Paint;
use crate::picture;
use crate::receipts;
use crate::stage::{Party, World};
use crate::table::grouped;

/// Paid for the honest answer: a thousandth of an ether.
const PRICE: u128 = 1_000_000_000_000_000;

/// The receipt, verified while the chain still runs.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ReceiptRow {
    pub(super) verified: bool,
    level: Option<String>,
    path: String,
    checks: Vec<String>,
}

/// A published model, a request, an answer, its receipt, finality.
pub(super) fn honest(
    receipt_path: Option<&Path>,
    world: &mut World,
    output: Output,
) -> Outcome<(String, ReceiptRow)> {
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
    let path = receipt_path.map_or_else(temporary, PathBuf::from);
    let bar = output.bar(2, "asking");
    let (receipt, steps) = answered(world, &model, &input, &path)?;
    bar.inc(1);
    bar.set_message("verifying");
    let brought = Brought {
        rpc: Some(world.url().to_owned()),
        ..Brought::default()
    };
    let verified = verify_file(&path, &brought)?;
    bar.finish_and_clear();
    let answer = answer_of(&model, receipt.output().unwrap_or_default())?;
    let best = selfsame::ranking(model.interface(), &answer, 1);
    let best = best.first().map(selfsame::Class::name).unwrap_or_default();
    let said = format!("{ASKED} says {best}, the label is {}", label(&data, row));
    let beside = story(&said, &steps, world.deployment_gas, &verified, paint);
    let samples = data.rows.get(row).map_or(&[][..], Vec::as_slice);
    output.section(&side_by_side(&picture::lines(samples, 28, 14), &beside));
    output.section(&format!("  the receipt is in {}\n", path.display()));
    let checks = verified.checks.iter().filter(|check| check.ok);
    let row = ReceiptRow {
        verified: verified.verified,
        level: verified.level.clone(),
        path: path.display().to_string(),
        checks: checks.map(|check| check.name.clone()).collect(),
    };
    Ok((best, row))
}

fn temporary() -> PathBuf {
    env::temp_dir().join(format!("selfsame-demo-{}.receipt.json", std::process::id()))
}

/// Publishes, stakes, asks, answers, signs right after the claim, and waits until it is final.
fn answered(
    world: &mut World,
    model: &Model,
    input: &Tensor,
    path: &Path,
) -> Outcome<(Receipt, Vec<String>)> {
    let published = world.publish(model)?;
    let bond = world.bond(PRICE, PRICE)?;
    world.stake(Party::Provider, 2 * bond)?;
    let (request, asked) = world.ask(model, input, Party::Provider, PRICE)?;
    let loaded = dispute::load(model)?;
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
    let receipt = signed(world, request)?;
    write_file(path, encode(&receipt).as_bytes())?;
    world.travel(u64::from(receipt.core.window) + 1)?;
    steps.extend(serve(world, &mut provider)?);
    Ok((receipt, steps))
}

/// The receipt with the provider's signature.
fn signed(world: &World, request: B256) -> Outcome<Receipt> {
    let set = world.set(Party::Provider)?;
    let key = set.client().key("sign").map_err(chain)?;
    world.run(receipts::receipt(&set, request, Some(key)))
}

/// A claim's output bytes as a tensor of the model's output type.
fn answer_of(model: &Model, bytes: &[u8]) -> Outcome<Tensor> {
    let output = model.program().program().output;
    let (elements, dtype) = model
        .program()
        .output_of(output, model.values())
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
fn serve(world: &mut World, provider: &mut Provider) -> Outcome<Vec<String>> {
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

//! The first two sections: float against exact, and one trace root from every kernel set.

use selfsame::{Engine, InstructionSet, Kernel, RunOptions};
use serde::Serialize;

use super::{DISPUTED, find, heading, test_input};
use crate::comparison;
use crate::failure::{Failure, Outcome};
use crate::output::Output;
use crate::shipped::{self, Shipped};
use crate::table::{Table, percent};

/// A model on its held rows.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ModelRow {
    name: &'static str,
    test_rows: usize,
    float_accuracy: f64,
    exact_accuracy: f64,
    agreement: f64,
    snr_db: f64,
    model_id: String,
}

/// A kernel set and the trace root that it gives.
#[derive(Debug, Clone, Serialize)]
pub(super) struct KernelRow {
    name: &'static str,
    pub(super) root: String,
}

/// Float against exact on the held rows of every model.
pub(super) fn accuracies(output: Output) -> Outcome<Vec<ModelRow>> {
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
        selfsame::accuracy(answers, classes, labels)
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
        model_id: model.id().to_string(),
    })
}

/// One trace root from the interpreter and every kernel set.
pub(super) fn kernels(output: Output) -> Outcome<(Vec<KernelRow>, Vec<&'static str>, bool)> {
    let paint = output.paint();
    let title =
        format!("The same bits from every kernel set: {DISPUTED}, trace root of one test row");
    output.section(&heading(2, &title, paint));
    let shipped = find(DISPUTED)?;
    let model = shipped.model()?;
    let (_, data) = shipped.source()?;
    let input = test_input(&model, &data, shipped.test_from)?;
    let bar = output.bar(1, "the interpreter");
    let mut engines = vec![Engine::Interpreter];
    for kernel in Kernel::available() {
        engines.push(Engine::Kernel(kernel));
    }
    let mut rows = Vec::new();
    let mut table = Table::new(&["kernel set", "trace root"]);
    for engine in engines {
        let options = RunOptions {
            engine,
            threads: 2,
            ..RunOptions::default()
        };
        let mut runner = model.runner(&options).map_err(Failure::input)?;
        let root = runner.trace(&input).map_err(Failure::input)?;
        let root = root.root().to_string();
        table.row([runner.name().to_owned(), root.clone()]);
        rows.push(KernelRow {
            name: runner.name(),
            root,
        });
    }
    bar.finish_and_clear();
    let equal = rows.windows(2).all(|pair| pair[0].root == pair[1].root);
    let gaps: Vec<&str> = Kernel::gaps()
        .into_iter()
        .map(InstructionSet::name)
        .collect();
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

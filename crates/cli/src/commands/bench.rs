//! `selfsame bench FILE`: time of one run, in interleaved rounds, alone or beside ONNX Runtime.
//!
//! ```text
//! round: a few timed runs of every configuration in turn, ours and theirs; figures over all rounds
//! ratio = our median / median of the other engine           below 1: we are faster
//! ```
//!
//! Interleaving lets a noisy machine hit every configuration alike.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use selfsame::{Model, patterned};
use selfsame_ir::Tensor;
use selfsame_runtime::{Elements, ElementsMut, InstructionSet, Kernel, Plan, Session};
use serde::Serialize;

use crate::commands::baseline::{Baseline, BaselineRow, Order};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::model;
use crate::output::{Output, Report};
use crate::paint::Paint;
use crate::table::Table;

/// Arguments of `bench`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A program file.
    file: PathBuf,
    /// Threads; several as a comma-separated list.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1")]
    threads: Vec<usize>,
    /// Samples of one run; several as a comma-separated list.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1")]
    batch: Vec<usize>,
    /// Kernel sets: names, comma-separated; `auto` is the best of this machine, `all` each of it.
    #[arg(long, value_name = "K", value_delimiter = ',', default_value = "auto")]
    kernel: Vec<String>,
    /// Whether to commit to every node's output.
    #[arg(
        long,
        value_name = "on|off",
        value_delimiter = ',',
        default_value = "off"
    )]
    trace: Vec<Switch>,
    /// Timed rounds.
    #[arg(long, value_name = "N", default_value_t = 20)]
    rounds: usize,
    /// Timed runs of each configuration in a round.
    #[arg(long, value_name = "N", default_value_t = 10)]
    iterations: usize,
    /// Another engine to run in the same rounds (a Python with onnxruntime is needed).
    #[arg(long, value_name = "ENGINE", requires = "onnx")]
    against: Option<Against>,
    /// The float32 model for it.
    #[arg(long, value_name = "M.onnx", requires = "against")]
    onnx: Option<PathBuf>,
    /// A statically quantised model for it.
    #[arg(long, value_name = "Q.onnx", requires = "against")]
    onnx_int8: Option<PathBuf>,
    /// The Python to run it in.
    #[arg(long, value_name = "PATH", default_value = "python3")]
    python: String,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Switch {
    /// Yes.
    On,
    /// No.
    Off,
}

/// Engines to compare with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Against {
    /// ONNX Runtime.
    Onnxruntime,
}

#[derive(Debug, Clone, Serialize)]
struct Row {
    batch: usize,
    threads: usize,
    kernel: &'static str,
    trace: &'static str,
    median_ms: f64,
    p99_ms: f64,
    samples: usize,
    /// Median of the strongest baseline given / ours.
    ratio: Option<f64>,
    ratio_float32: Option<f64>,
    ratio_int8: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Bench {
    model_id: String,
    name: String,
    macs: u64,
    rounds: usize,
    gaps: Vec<&'static str>,
    runs: Vec<Row>,
    baseline: Vec<BaselineRow>,
}

/// One configuration of ours with its room and its times.
struct Contender {
    batch: usize,
    traced: bool,
    kernel: &'static str,
    session: Session,
    input: Tensor,
    output: Tensor,
    times_ms: Vec<f64>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, output: Output) -> Outcome<Exit> {
    let model = model::read(&args.file)?;
    let kernels = kernels(&args.kernel)?;
    let mut contenders = Vec::new();
    for &threads in &args.threads {
        for &batch in &args.batch {
            for &kernel in &kernels {
                for &trace in &args.trace {
                    let traced = trace == Switch::On;
                    contenders.push(Contender::new(&model, kernel, threads, batch, traced)?);
                }
            }
        }
    }
    let mut baseline = match &args.onnx {
        Some(onnx) => {
            let orders = orders(args);
            Some(Baseline::start(
                &args.python,
                onnx,
                args.onnx_int8.as_deref(),
                &orders,
            )?)
        }
        None => None,
    };
    let rounds = args.rounds.max(1);
    let iterations = args.iterations.clamp(1, 1_000_000);
    let bar = output.bar(rounds as u64 + 1, "timing");
    // The first round warms up.
    for round in 0..=rounds {
        for contender in &mut contenders {
            contender.round(iterations, round > 0)?;
        }
        if let Some(baseline) = &mut baseline {
            baseline.round(iterations, round > 0)?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let baseline = baseline.map(Baseline::finish).unwrap_or_default();
    output.report(&Bench {
        model_id: model.id().to_string(),
        name: model.name().to_owned(),
        macs: model.program().macs(),
        rounds,
        gaps: Kernel::gaps()
            .into_iter()
            .map(InstructionSet::name)
            .collect(),
        runs: contenders
            .iter_mut()
            .map(|one| one.row(&baseline))
            .collect(),
        baseline,
    });
    Ok(Exit::Ok)
}

fn kernels(names: &[String]) -> Outcome<Vec<Kernel>> {
    if names.iter().any(|name| name == "all") {
        return Ok(Kernel::available());
    }
    let named = |name: &String| Kernel::named(name).map_err(Failure::input);
    names.iter().map(named).collect()
}

/// Every pair of batch and threads once.
fn orders(args: &Args) -> Vec<Order> {
    let mut orders = Vec::new();
    for &threads in &args.threads {
        for &batch in &args.batch {
            let order = Order {
                batch: batch.max(1),
                threads: threads.max(1),
            };
            if !orders.contains(&order) {
                orders.push(order);
            }
        }
    }
    orders
}

impl Contender {
    fn new(
        model: &Model,
        kernel: Kernel,
        threads: usize,
        batch: usize,
        traced: bool,
    ) -> Outcome<Self> {
        let plan = Plan::new(model.program(), model.values(), kernel).map_err(Failure::input)?;
        let session = Session::new(Arc::new(plan), threads.max(1));
        let batch = batch.clamp(1, 65_536);
        let (input_type, input_len) = session.plan().input();
        let (output_type, output_len) = session.plan().output();
        let room = input_len.max(output_len).saturating_mul(batch);
        if room > 1 << 28 {
            let what = format!("a batch of {batch} needs {room} elements, at most 2^28 are timed");
            return Err(Failure::usage(what));
        }
        Ok(Self {
            batch,
            traced,
            kernel: kernel.name(),
            input: patterned(input_type, input_len * batch).map_err(Failure::input)?,
            output: patterned(output_type, output_len * batch).map_err(Failure::input)?,
            session,
            times_ms: Vec::new(),
        })
    }

    /// Three runs to warm up, as the other engine does, then the timed ones.
    fn round(&mut self, iterations: usize, keep: bool) -> Outcome<()> {
        (0..3).try_for_each(|_| self.time(false))?;
        (0..iterations).try_for_each(|_| self.time(keep))
    }

    fn time(&mut self, keep: bool) -> Outcome<()> {
        let begun = Instant::now();
        if self.traced {
            let input_len = self.session.plan().input().1;
            let output_len = self.session.plan().output().1;
            for sample in 0..self.batch {
                let input = part(&self.input, sample * input_len, input_len);
                let output = part_mut(&mut self.output, sample * output_len, output_len);
                let root = self.session.run_traced(input, output);
                root.map_err(Failure::input)?;
            }
        } else {
            let run = self
                .session
                .run((&self.input).into(), (&mut self.output).into());
            run.map_err(Failure::input)?;
        }
        if keep {
            self.times_ms.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        Ok(())
    }

    fn row(&mut self, baseline: &[BaselineRow]) -> Row {
        let median = quantile(&mut self.times_ms, 0.5);
        let threads = self.session.threads();
        let against = |engine: &str| {
            let same = |row: &&BaselineRow| {
                row.engine == engine && row.batch == self.batch && row.threads == threads
            };
            Some(median / baseline.iter().find(same)?.median_ms)
        };
        let ratio_float32 = against("onnxruntime-float32");
        let ratio_int8 = against("onnxruntime-int8");
        Row {
            batch: self.batch,
            threads,
            kernel: self.kernel,
            trace: if self.traced { "on" } else { "off" },
            median_ms: median,
            p99_ms: quantile(&mut self.times_ms, 0.99),
            samples: self.times_ms.len(),
            ratio: ratio_int8.or(ratio_float32),
            ratio_float32,
            ratio_int8,
        }
    }
}

/// The smallest time that at least a share `q` of all times does not exceed.
pub(crate) fn quantile(times: &mut [f64], q: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "q is in 0..=1, and the counts of rounds are small"
    )]
    let rank = (times.len() as f64 * q).ceil() as usize;
    times
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default()
}

fn part(tensor: &Tensor, first: usize, len: usize) -> Elements<'_> {
    match tensor {
        Tensor::I8(values) => Elements::I8(&values[first..first + len]),
        Tensor::I16(values) => Elements::I16(&values[first..first + len]),
        Tensor::I32(values) => Elements::I32(&values[first..first + len]),
    }
}

fn part_mut(tensor: &mut Tensor, first: usize, len: usize) -> ElementsMut<'_> {
    match tensor {
        Tensor::I8(values) => ElementsMut::I8(&mut values[first..first + len]),
        Tensor::I16(values) => ElementsMut::I16(&mut values[first..first + len]),
        Tensor::I32(values) => ElementsMut::I32(&mut values[first..first + len]),
    }
}

impl Report for Bench {
    fn command(&self) -> &'static str {
        "bench"
    }

    fn text(&self, paint: Paint) -> String {
        let mut table = Table::new(&[
            "engine",
            ">batch",
            ">threads",
            "trace",
            ">median ms",
            ">p99 ms",
            ">samples/s",
            ">ratio f32",
            ">ratio int8",
        ]);
        let ratio = |value: Option<f64>| value.map_or(String::new(), |ratio| format!("{ratio:.2}"));
        let rate = |batch: usize, median: f64| {
            #[expect(clippy::cast_precision_loss, reason = "batches are small")]
            let rate = batch as f64 / median * 1e3;
            format!("{rate:.0}")
        };
        for run in &self.runs {
            table.row([
                run.kernel.to_owned(),
                run.batch.to_string(),
                run.threads.to_string(),
                run.trace.to_owned(),
                format!("{:.4}", run.median_ms),
                format!("{:.4}", run.p99_ms),
                rate(run.batch, run.median_ms),
                ratio(run.ratio_float32),
                ratio(run.ratio_int8),
            ]);
        }
        for row in &self.baseline {
            table.row([
                row.engine.clone(),
                row.batch.to_string(),
                row.threads.to_string(),
                String::new(),
                format!("{:.4}", row.median_ms),
                format!("{:.4}", row.p99_ms),
                rate(row.batch, row.median_ms),
                String::new(),
                String::new(),
            ]);
        }
        let gaps = match self.gaps.as_slice() {
            [] => String::new(),
            gaps => format!("  not on this machine: {}\n", gaps.join(", ")),
        };
        let legend = if self.baseline.is_empty() {
            ""
        } else {
            "  ratio: our median / theirs, below 1 we are faster; onnxruntime-identity is the overhead of a call\n"
        };
        format!(
            "{}  {} rounds, interleaved; {} MACs a sample\n{}{gaps}{legend}",
            paint.bold(&self.name),
            self.rounds,
            self.macs,
            table.render(paint),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_is_one_of_the_times() {
        let mut times = [4.0, 1.0, 3.0, 2.0];
        assert!((quantile(&mut times, 0.5) - 2.0).abs() < 1e-12);
        assert!((quantile(&mut times, 0.99) - 4.0).abs() < 1e-12);
        assert!((quantile(&mut [], 0.5)).abs() < 1e-12);
    }
}

//! `selfsame bench FILE`: time of one run, in interleaved rounds, alone or beside ONNX Runtime.
//!
//! ```text
//! round: a few timed runs of every configuration in turn, ours and theirs; figures over all rounds
//! ratio = our median / median of the peer                   below 1: we are faster
//! ```
//!
//! Interleaving lets a noisy machine hit every configuration alike.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use selfsame::{Model, patterned};
use selfsame_compiler::node_sizes_at;
use selfsame_ir::Tensor;
use selfsame_runtime::{Elements, ElementsMut, InstructionSet, Kernel, Plan, Session};

use crate::commands::baseline::{Baseline, BaselineRow, Order, PeerDims};
use crate::commands::bench_plot;
use crate::commands::bench_report::{Bench, Row};
use crate::commands::bench_trace::{self, TraceCost};
use crate::commands::cold;
use crate::commands::times::Percentiles;
use crate::dims::SymbolArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::model::{self, write_file};
use crate::output::Output;

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
        default_value = "off,on"
    )]
    trace: Vec<Switch>,
    /// Timed rounds.
    #[arg(long, value_name = "N", default_value_t = 20)]
    rounds: usize,
    /// Timed runs of each configuration in a round.
    #[arg(long, value_name = "N", default_value_t = 10)]
    iterations: usize,
    /// Processes that open the artefact and answer once, for cold start and memory; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 5)]
    cold_starts: usize,
    /// The float32 model for ONNX Runtime, which then runs in the same rounds if its Python package
    /// is there.
    #[arg(long, value_name = "M.onnx", alias = "onnx")]
    peer: Option<PathBuf>,
    /// A statically quantised model for it.
    #[arg(long, value_name = "Q.onnx", alias = "onnx-int8")]
    peer_int8: Option<PathBuf>,
    /// Insist on the peer: without its package the command fails.
    #[arg(long, value_name = "ENGINE")]
    against: Option<Against>,
    /// The Python to run it in.
    #[arg(long, value_name = "PATH", default_value = "python3")]
    python: String,
    /// Draw latency by batch and threads, ours and the peer's.
    #[arg(long, value_name = "OUT.svg")]
    plot: Option<PathBuf>,
    /// One cold start, as a line of JSON: what this command runs for each of --cold-starts.
    #[arg(long, hide = true)]
    probe: bool,
    #[command(flatten)]
    symbols: SymbolArgs,
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
    let kernels = kernels(&args.kernel)?;
    let threads = args.threads.first().copied().unwrap_or(1);
    if args.probe {
        let kernel = kernels.first().copied().unwrap_or_else(Kernel::best);
        output.section(&cold::probe(&args.file, &args.symbols, kernel, threads)?.line());
        return Ok(Exit::Ok);
    }
    let model = args.symbols.bind(model::read(&args.file)?)?;
    // First, while this process has not filled the machine's memory.
    let (cold_start, memory) = match (args.cold_starts, kernels.first()) {
        (0, _) | (_, None) => (None, None),
        (starts, Some(&kernel)) => {
            let (cold, memory) = {
                let values = &model.values().0;
                cold::measure((&args.file, values), kernel, threads, starts.min(1000))?
            };
            (Some(cold), memory)
        }
    };
    let mut contenders = contenders(args, &model, &kernels)?;
    let (mut baseline, peer_absent) = peer(args, &model, output)?;
    race(args, &mut contenders, baseline.as_mut(), output)?;
    let baseline = baseline.map(Baseline::finish).unwrap_or_default();
    let mut runs: Vec<Row> = contenders.iter_mut().map(|c| c.row(&baseline)).collect();
    let sizes = node_sizes_at(model.program(), model.values());
    let committed = model.program().segments().committed().iter();
    let committed: Vec<_> = committed
        .filter_map(|&node| sizes.get(node as usize))
        .collect();
    let hashed_bytes = bench_trace::hashed_bytes(&committed);
    let trace = trace_costs(&mut runs, hashed_bytes);
    let bench = Bench {
        model_id: model.id().to_string(),
        name: model.name().to_owned(),
        dims: model.values().0.clone(),
        macs: sizes.iter().map(|node| node.macs).sum(),
        rounds: args.rounds.max(1),
        gaps: Kernel::gaps()
            .into_iter()
            .map(InstructionSet::name)
            .collect(),
        runs,
        baseline,
        peer_absent,
        trace,
        cold_start,
        memory,
    };
    if let Some(plot) = &args.plot {
        write_file(plot, bench_plot::svg(&bench).as_bytes())?;
    }
    output.report(&bench);
    Ok(Exit::Ok)
}

/// Every configuration that was asked for.
fn contenders(args: &Args, model: &Model, kernels: &[Kernel]) -> Outcome<Vec<Contender>> {
    let mut contenders = Vec::new();
    for &threads in &args.threads {
        for &batch in &args.batch {
            for &kernel in kernels {
                for &trace in &args.trace {
                    let traced = trace == Switch::On;
                    contenders.push(Contender::new(model, kernel, threads, batch, traced)?);
                }
            }
        }
    }
    Ok(contenders)
}

/// The peer, started; or why it does not run, told as a note.
fn peer(args: &Args, model: &Model, output: Output) -> Outcome<(Option<Baseline>, Option<String>)> {
    let models = (args.peer.as_deref(), args.peer_int8.as_deref());
    if models == (None, None) {
        return match args.against {
            Some(Against::Onnxruntime) => Err(Failure::usage("--against needs a model for it")
                .hint("--peer M.onnx, --peer-int8 Q.onnx, or both")),
            None => Ok((None, None)),
        };
    }
    match (Baseline::present(&args.python), args.against) {
        (Ok(()), _) => {}
        (Err(failure), Some(Against::Onnxruntime)) => return Err(failure),
        (Err(failure), None) => {
            let why = failure.to_string();
            output.note(&format!("warning: timed without the peer: {why}"));
            return Ok((None, Some(why)));
        }
    }
    let dims = PeerDims {
        named: args.symbols.named().into_iter().map(owned).collect(),
        other: match model.values().0.as_slice() {
            &[one] => Some(one),
            _ => None,
        },
    };
    let baseline = Baseline::start(&args.python, models, &orders(args), dims)?;
    Ok((Some(baseline), None))
}

fn owned((name, value): (&str, u32)) -> (String, u32) {
    (name.to_owned(), value)
}

/// All rounds; the first one warms up.
fn race(
    args: &Args,
    contenders: &mut [Contender],
    mut baseline: Option<&mut Baseline>,
    output: Output,
) -> Outcome<()> {
    let rounds = args.rounds.max(1);
    let iterations = args.iterations.clamp(1, 1_000_000);
    let bar = output.bar(rounds as u64 + 1, "timing");
    for round in 0..=rounds {
        for contender in &mut *contenders {
            contender.round(iterations, round > 0)?;
        }
        if let Some(baseline) = baseline.as_deref_mut() {
            baseline.round(iterations, round > 0)?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(())
}

/// Fills in what each trace adds; the first one that has a twin without speaks for the model.
fn trace_costs(runs: &mut [Row], hashed_bytes: u64) -> Option<TraceCost> {
    let mut first = None;
    for index in 0..runs.len() {
        let run = &runs[index];
        let is_twin = |other: &&Row| {
            other.trace == "off"
                && (other.batch, other.threads, other.kernel)
                    == (run.batch, run.threads, run.kernel)
        };
        let Some(twin) = runs.iter().find(is_twin).filter(|_| run.trace == "on") else {
            continue;
        };
        let medians = (run.times.median_ms, twin.times.median_ms);
        let place = (run.batch, run.threads, run.kernel);
        first.get_or_insert_with(|| TraceCost::new(place, hashed_bytes, medians.0, medians.1));
        runs[index].trace_overhead_percent =
            Some(bench_trace::overhead_percent(medians.0, medians.1));
    }
    first
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
        let times = Percentiles::of(&mut self.times_ms, self.batch);
        let threads = self.session.threads();
        let against = |engine: &str| {
            let same = |row: &&BaselineRow| {
                row.engine == engine && row.batch == self.batch && row.threads == threads
            };
            Some(times.median_ms / baseline.iter().find(same)?.times.median_ms)
        };
        let ratio_float32 = against("onnxruntime-float32");
        let ratio_int8 = against("onnxruntime-int8");
        Row {
            batch: self.batch,
            threads,
            kernel: self.kernel,
            trace: if self.traced { "on" } else { "off" },
            times,
            ratio: ratio_int8.or(ratio_float32),
            ratio_float32,
            ratio_int8,
            trace_overhead_percent: None,
        }
    }
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

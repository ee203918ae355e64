//! `selfsame run FILE --input X`: labels, floats, and the trace if asked.

use std::ops::Range;
use std::path::{Path, PathBuf};

use selfsame::{Class, Engine, Model, RunOptions};
use selfsame_compiler::npz::write_npy_f32;
use selfsame_interpreter::{Trace, TraceFile};
use selfsame_ir::{Interface, Tensor};
use serde::Serialize;

use crate::dims::SymbolArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::inputs;
use crate::model::{self, write_file};
use crate::output::{Output, Report};
use crate::paint::Paint;
use crate::table::Table;

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A program file.
    file: PathBuf,
    /// Inputs: .npy, .npz (array `x`, or one for each input by its name; labels `y`), .json (lists of numbers) or .png.
    #[arg(long, value_name = "X")]
    input: PathBuf,
    /// Only this sample of the file, from 0.
    #[arg(long, value_name = "N")]
    row: Option<usize>,
    /// Write the outputs as floats, one row for each sample.
    #[arg(long, value_name = "Y.npy")]
    output: Option<PathBuf>,
    /// Commit to every node's output and write the trace of the one sample; without a name it
    /// goes beside the output, or into the working folder under the input's name.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    trace: Option<String>,
    /// Classes to show for each sample.
    #[arg(long, value_name = "K", default_value_t = 3)]
    top: usize,
    /// Kernel set to run on: the best of this machine if not given, or `interpreter`.
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
    /// Threads.
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    #[command(flatten)]
    symbols: SymbolArgs,
}

#[derive(Debug, Serialize)]
struct Sample {
    row: usize,
    input_root: String,
    output_root: String,
    top: Vec<Class>,
    floats: Vec<f64>,
    expected: Option<i64>,
}

#[derive(Debug, Serialize)]
struct TraceReport {
    root: String,
    node_roots: Vec<String>,
    file: String,
}

#[derive(Debug, Serialize)]
struct Answers {
    model_id: String,
    name: String,
    kernel: &'static str,
    /// Values of the program's symbols.
    dims: Vec<u32>,
    samples: Vec<Sample>,
    correct: Option<usize>,
    trace: Option<TraceReport>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, output: Output) -> Outcome<Exit> {
    let model = model::read(&args.file)?;
    let (model, read) = inputs::read_bound(&args.input, model, &args.symbols)?;
    let interface = model.interface();
    let rows = rows_of(args, read.samples.len())?;
    let engine = Engine::named(args.kernel.as_deref().unwrap_or("auto")).map_err(Failure::input)?;
    let options = RunOptions {
        engine,
        threads: args.threads,
        ..RunOptions::default()
    };
    let mut runner = model.runner(&options).map_err(Failure::input)?;
    let bar = output.bar(rows.len() as u64, "running");
    let mut samples = Vec::new();
    let mut last = None;
    for row in rows {
        let input = &read.samples[row];
        let answer = if args.trace.is_some() {
            let trace = runner.trace(input).map_err(Failure::input)?;
            let answer = trace.output(model.program().program().output).cloned();
            last = Some(trace);
            answer.ok_or_else(|| Failure::input("the run has no output"))?
        } else {
            runner.output(input).map_err(Failure::input)?
        };
        let expected = read.labels.as_ref().map(|labels| labels[row]);
        samples.push(sample(&model, input, &answer, row, args.top, expected));
        bar.inc(1);
    }
    bar.finish_and_clear();
    let trace = match (&args.trace, last) {
        (Some(file), Some(trace)) => Some(write_trace(args, Path::new(file), &model, trace)?),
        _ => None,
    };
    if let Some(path) = &args.output {
        write_outputs(path, interface, &samples)?;
    }
    let correct = correct(&samples);
    output.report(&Answers {
        model_id: model.id().to_string(),
        name: model.name().to_owned(),
        kernel: runner.name(),
        dims: model.values().0.clone(),
        samples,
        correct,
        trace,
    });
    Ok(Exit::Ok)
}

/// The samples that are asked for, of `count`.
fn rows_of(args: &Args, count: usize) -> Outcome<Range<usize>> {
    let rows = match args.row {
        Some(row) if row < count => row..row + 1,
        Some(row) => {
            let what = format!("no row {row}; the file has {count} samples, from 0");
            return Err(Failure::file(&args.input, what));
        }
        None => 0..count,
    };
    if args.trace.is_some() && rows.len() != 1 {
        let what = format!("--trace is of one sample; the file has {count}");
        return Err(Failure::usage(what).hint("name one with --row N"));
    }
    Ok(rows)
}

/// How many samples were answered right, if the class of each is known.
fn correct(samples: &[Sample]) -> Option<usize> {
    let right = |sample: &&Sample| {
        let best = sample.top.first();
        let best = best.and_then(|class| i64::try_from(class.index).ok());
        best.is_some() && best == sample.expected
    };
    let labelled = samples.iter().all(|sample| sample.expected.is_some());
    labelled.then(|| samples.iter().filter(right).count())
}

fn sample(
    model: &Model,
    input: &Tensor,
    answer: &Tensor,
    row: usize,
    top: usize,
    expected: Option<i64>,
) -> Sample {
    let interface = model.interface();
    Sample {
        row,
        input_root: input.root().to_string(),
        output_root: answer.root().to_string(),
        top: selfsame::ranking(interface, answer, top.max(1)),
        floats: selfsame::floats(interface, answer),
        expected,
    }
}

fn write_trace(args: &Args, file: &Path, model: &Model, trace: Trace) -> Outcome<TraceReport> {
    let path = match &args.output {
        _ if !file.as_os_str().is_empty() => file.to_owned(),
        Some(output) => output.with_extension("trace"),
        None => {
            let stem = args.input.file_stem().unwrap_or_else(|| "run".as_ref());
            PathBuf::from(stem).with_extension("trace")
        }
    };
    let node_roots = trace.node_roots().iter().map(ToString::to_string).collect();
    let root = trace.root().to_string();
    let model_id = model.id();
    write_file(&path, &TraceFile { model_id, trace }.encode())?;
    Ok(TraceReport {
        root,
        node_roots,
        file: path.display().to_string(),
    })
}

fn write_outputs(path: &Path, interface: &Interface, samples: &[Sample]) -> Outcome<()> {
    let extents = interface.output.shape.iter().map(|&extent| extent as usize);
    let shape: Vec<usize> = std::iter::once(samples.len()).chain(extents).collect();
    #[expect(clippy::cast_possible_truncation, reason = "the file holds float32")]
    let values: Vec<f32> = samples
        .iter()
        .flat_map(|sample| sample.floats.iter().map(|&value| value as f32))
        .collect();
    let whole = shape.iter().product::<usize>() == values.len();
    let shape = if whole { shape } else { vec![values.len()] };
    write_file(path, &write_npy_f32(&shape, &values))
}

impl Report for Answers {
    fn command(&self) -> &'static str {
        "run"
    }

    fn text(&self, paint: Paint) -> String {
        let head = format!("{}  {}\n", paint.bold(&self.name), self.model_id);
        let labelled = self.samples.iter().any(|sample| sample.expected.is_some());
        let heads = [">row", "answer", ">value", "next", "expected"];
        let shown = if labelled {
            heads.len()
        } else {
            heads.len() - 1
        };
        let mut table = Table::new(&heads[..shown]);
        for sample in &self.samples {
            let Some((best, rest)) = sample.top.split_first() else {
                continue;
            };
            let rest: Vec<String> = rest
                .iter()
                .map(|class| format!("{} {:.4}", class.name(), class.value))
                .collect();
            table.row([
                sample.row.to_string(),
                best.name(),
                format!("{:.4}", best.value),
                rest.join(", "),
                sample
                    .expected
                    .map_or(String::new(), |label| label.to_string()),
            ]);
        }
        let correct = self.correct.map_or(String::new(), |correct| {
            format!("  {correct} of {} right\n", self.samples.len())
        });
        let roots = match self.samples.as_slice() {
            [one] => format!(
                "  input   {}\n  output  {}\n",
                one.input_root, one.output_root
            ),
            _ => String::new(),
        };
        let trace = self.trace.as_ref().map_or(String::new(), |trace| {
            format!("  trace   {}  in {}\n", trace.root, trace.file)
        });
        format!("{head}{}{correct}{roots}{trace}", table.render(paint))
    }
}

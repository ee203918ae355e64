//! `selfsame compare MODEL.onnx FILE --data D.npz`: an exact program against its float source.

use std::ops::Range;
use std::path::PathBuf;
use std::thread;

use indicatif::ProgressBar;
use selfsame_compiler::compare;
use selfsame_compiler::float::FloatGraph;
use selfsame_ir::{DType, Tensor};
use serde::Serialize;

use crate::answer;
use crate::engine::Engine;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::importer::{self, DataSet, PixelArgs};
use crate::model::{Model, read_file};
use crate::output::{Output, Report};
use crate::paint::Paint;
use crate::table::percent;

/// Arguments of `compare`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The ONNX model.
    model: PathBuf,
    /// The program made from it.
    file: PathBuf,
    /// Rows of array `x` (and labels `y`).
    #[arg(long, value_name = "D.npz")]
    data: PathBuf,
    /// First row to compare on.
    #[arg(long, value_name = "ROW", default_value_t = 0)]
    from: usize,
    /// Kernel set; the best of this machine if not given.
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
    #[command(flatten)]
    pixels: PixelArgs,
}

#[derive(Debug, Serialize)]
struct Compared {
    model_id: String,
    samples: usize,
    top1_agreement: f64,
    cosine_mean: f64,
    cosine_min: f64,
    /// Null if there is no noise at all.
    snr_db: f64,
    max_abs_error: f64,
    float_accuracy: Option<f64>,
    exact_accuracy: Option<f64>,
}

/// Answers of one part of the rows.
#[derive(Default)]
struct Answers {
    float: Vec<f32>,
    exact: Vec<f32>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, output: Output) -> Outcome<Exit> {
    let model = Model::read(&args.file)?;
    let onnx = read_file(&args.model)?;
    let graph = importer::float_graph(&onnx).map_err(|failure| failure.at(&args.model))?;
    let bytes = read_file(&args.data)?;
    let data = DataSet::read(&bytes, graph.input_shape(), &args.pixels)
        .map_err(|what| Failure::file(&args.data, what))?;
    let count = data.rows.len();
    if count <= args.from {
        let what = format!("--from {} leaves none of {count} rows", args.from);
        return Err(Failure::usage(what));
    }
    let interface = &model.program.program().interface;
    let input = interface.input.shape.iter().map(|&extent| extent as usize);
    if !input.eq(graph.input_shape().iter().copied()) {
        let what = format!(
            "it takes {:?}, the ONNX model {:?}",
            interface.input.shape,
            graph.input_shape()
        );
        return Err(Failure::file(&args.file, what).hint("compare a program with its own source"));
    }
    let bar = output.bar((count - args.from) as u64, "comparing");
    let answers = in_parts(args.from..count, |range| {
        part(args, &model, &graph, &data, range, &bar)
    })?;
    bar.finish_and_clear();
    let classes: usize = graph.output_shape().iter().product();
    if answers.float.len() != answers.exact.len() || classes == 0 {
        let what = "its output is not that of the ONNX model";
        return Err(Failure::file(&args.file, what));
    }
    let found = compare(&answers.float, &answers.exact, classes);
    let labels = data.labels_from(args.from);
    output.report(&Compared {
        model_id: model.commitment.model_id.to_string(),
        samples: found.samples,
        top1_agreement: found.top1_agreement,
        cosine_mean: found.cosine_mean,
        cosine_min: found.cosine_min,
        snr_db: found.snr_db,
        max_abs_error: found.max_abs_error,
        float_accuracy: accuracy(&answers.float, classes, labels),
        exact_accuracy: accuracy(&answers.exact, classes, labels),
    });
    Ok(Exit::Ok)
}

/// Cuts `range` over the machine's cores; the answers come in order.
fn in_parts(
    range: Range<usize>,
    work: impl Fn(Range<usize>) -> Outcome<Answers> + Sync,
) -> Outcome<Answers> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let size = range.len().div_ceil(threads).max(1);
    let parts: Vec<Outcome<Answers>> = thread::scope(|scope| {
        let work = &work;
        let starts = range.clone().step_by(size);
        let handles: Vec<_> = starts
            .map(|start| {
                let end = range.end.min(start + size);
                scope.spawn(move || work(start..end))
            })
            .collect();
        let join = |handle: thread::ScopedJoinHandle<'_, Outcome<Answers>>| {
            handle
                .join()
                .unwrap_or_else(|_| Err(Failure::new(Exit::Failure, "a thread ended early")))
        };
        handles.into_iter().map(join).collect()
    });
    let mut all = Answers::default();
    for part in parts {
        let part = part?;
        all.float.extend(part.float);
        all.exact.extend(part.exact);
    }
    Ok(all)
}

fn part(
    args: &Args,
    model: &Model,
    graph: &FloatGraph,
    data: &DataSet,
    range: Range<usize>,
    bar: &ProgressBar,
) -> Outcome<Answers> {
    let mut engine = Engine::new(model, args.kernel.as_deref(), 1)?;
    let interface = &model.program.program().interface;
    let dtype = model.program.node(0).map_or(DType::I8, |node| node.dtype);
    let mut answers = Answers::default();
    for index in range {
        let row = &data.rows[index];
        let refuse = |error: &dyn std::fmt::Display| {
            Failure::file(&args.data, format!("row {index}: {error}"))
        };
        answers
            .float
            .extend(graph.run(row).map_err(|error| refuse(&error))?);
        let integers: Vec<i32> = interface
            .input
            .source_indices()
            .filter_map(|source| row.get(source))
            .map(|value| interface.input_scale.quantize(value.to_bits(), dtype))
            .collect::<Result<_, _>>()
            .map_err(|error| refuse(&error))?;
        let input = Tensor::from_values(dtype, &integers).map_err(|error| refuse(&error))?;
        let output = engine.output(model, &input)?;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "compared in single precision"
        )]
        answers.exact.extend(
            answer::floats(interface, &output)
                .iter()
                .map(|&value| value as f32),
        );
        bar.inc(1);
    }
    Ok(answers)
}

/// Share of answers whose largest element (the lowest of equals) is the label.
fn accuracy(answers: &[f32], classes: usize, labels: &[i64]) -> Option<f64> {
    let rows = answers.chunks_exact(classes);
    if labels.is_empty() || rows.len() != labels.len() {
        return None;
    }
    let best = |row: &[f32]| {
        let order = |a: &usize, b: &usize| row[*a].total_cmp(&row[*b]).then(b.cmp(a));
        (0..row.len()).max_by(order)
    };
    let is_right =
        |row: &[f32], label: i64| best(row).is_some_and(|best| usize::try_from(label) == Ok(best));
    let right = rows
        .zip(labels)
        .filter(|(row, label)| is_right(row, **label))
        .count();
    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    Some(right as f64 / labels.len() as f64)
}

impl Report for Compared {
    fn command(&self) -> &'static str {
        "compare"
    }

    fn text(&self, paint: Paint) -> String {
        let accuracy = match (self.float_accuracy, self.exact_accuracy) {
            (Some(float), Some(exact)) => {
                format!(
                    "  accuracy        float {}, exact {}\n",
                    percent(float),
                    percent(exact)
                )
            }
            _ => String::new(),
        };
        format!(
            "{}  {} samples, model {}\n{accuracy}  same answer     {}\n  cosine          mean {:.6}, \
             least {:.6}\n  logit SNR       {:.1} dB\n  largest error   {:.6}\n",
            paint.bold("exact against float"),
            self.samples,
            self.model_id,
            percent(self.top1_agreement),
            self.cosine_mean,
            self.cosine_min,
            self.snr_db,
            self.max_abs_error,
        )
    }
}

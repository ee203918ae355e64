//! `selfsame compare MODEL.onnx FILE --data D.npz`: an exact program against its float source.

use std::path::PathBuf;

use selfsame::{Source, accuracy};
use selfsame_compiler::compare;
use serde::Serialize;

use crate::comparison;
use crate::dataset::{self, PixelArgs};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::model::{self, read_file};
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
    /// Rows: .npz (array `x`, labels `y`), .npy, a folder of .png, or the word `synthetic`.
    #[arg(long, value_name = "DATA")]
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

/// Runs the command.
pub(crate) fn run(args: &Args, output: Output) -> Outcome<Exit> {
    let model = model::read(&args.file)?;
    let onnx = read_file(&args.model)?;
    let graph = Source::from_onnx(&onnx).map_err(|error| Failure::file(&args.model, error))?;
    let data = dataset::read(&args.data, graph.input_shape(), &args.pixels)?;
    let count = data.rows.len();
    if count <= args.from {
        let what = format!("--from {} leaves none of {count} rows", args.from);
        return Err(Failure::usage(what));
    }
    let interface = model.interface();
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
    let kernel = args.kernel.as_deref();
    let answers = comparison::answers(&model, &graph, &data, args.from, kernel, &bar)
        .map_err(|failure| failure.at(&args.data))?;
    bar.finish_and_clear();
    let classes: usize = graph.output_shape().iter().product();
    if answers.float.len() != answers.exact.len() || classes == 0 {
        let what = "its output is not that of the ONNX model";
        return Err(Failure::file(&args.file, what));
    }
    let found = compare(&answers.float, &answers.exact, classes);
    let labels = data.labels_from(args.from);
    output.report(&Compared {
        model_id: model.id().to_string(),
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

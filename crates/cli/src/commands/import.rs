//! `selfsame import MODEL.onnx --calibrate D.npz -o OUT`: ONNX in, exact program out.

use std::path::PathBuf;

use selfsame::{ImportError, ImportOptions, ImportReport, LayerReport, Source};
use serde::Serialize;

use crate::certificate::{CertificateReport, certificate};
use crate::dataset::{self, PixelArgs};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::model::{read_file, write_file};
use crate::output::{Output, Report};
use crate::paint::Paint;
use crate::table::{Table, grouped, percent};

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An ONNX model, opset 11 to 22.
    model: PathBuf,
    /// Rows to calibrate on, those before --test-from: .npz (array `x`, labels `y`), .npy, a folder of
    /// .png in the order of their names, or the word `synthetic`.
    #[arg(long, value_name = "DATA")]
    calibrate: PathBuf,
    /// The program file to write.
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// First row that calibration must not see and the report is made on; three quarters of the
    /// rows if not given.
    #[arg(long, value_name = "ROW")]
    test_from: Option<usize>,
    /// Rows that calibration reads, evenly spaced.
    #[arg(long, value_name = "N", default_value_t = 256)]
    calibration_rows: usize,
    /// Name of the model; the file's name if not given. Not part of the id.
    #[arg(long)]
    name: Option<String>,
    /// Names of the classes, in order.
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    labels: Vec<String>,
    #[command(flatten)]
    pixels: PixelArgs,
}

#[derive(Debug, Serialize)]
struct Layer {
    node: usize,
    name: String,
    op: &'static str,
    snr_db: f64,
}

#[derive(Debug, Serialize)]
struct Imported {
    model_id: String,
    name: String,
    output: String,
    artefact_bytes: usize,
    tensor_bytes: u64,
    macs: u64,
    node_count: usize,
    calibration_rows: usize,
    test_from: usize,
    samples: usize,
    float_accuracy: Option<f64>,
    exact_accuracy: Option<f64>,
    agreement: f64,
    snr_db: f64,
    cosine_min: f64,
    max_abs_error: f64,
    /// Worst first.
    layers: Vec<Layer>,
    certificate: CertificateReport,
}

/// Runs the command.
pub(crate) fn run(args: &Args, output: Output) -> Outcome<Exit> {
    let onnx = read_file(&args.model)?;
    let named = |error: ImportError| Failure::file(&args.model, error);
    let source = Source::from_onnx(&onnx).map_err(named)?;
    let shape = source.input_shape().to_vec();
    let data = dataset::read(&args.calibrate, &shape, &args.pixels)?;
    if data.synthetic {
        output.note(
            "WARNING: calibrated on noise that was made up here, not on data. Scales will not fit real inputs, \
             and the report below compares on noise. Use this to try a model, never to publish one.",
        );
    }
    let count = data.rows.len();
    let test_from = args.test_from.unwrap_or(count - count.div_ceil(4));
    if test_from == 0 || count <= test_from {
        let what = format!("--test-from {test_from} leaves no row on one side of {count}");
        return Err(Failure::usage(what).hint("rows before it calibrate, the others test"));
    }
    let stem = args.model.file_stem().unwrap_or_default();
    let options = ImportOptions {
        name: args
            .name
            .clone()
            .unwrap_or_else(|| stem.to_string_lossy().into_owned()),
        labels: args.labels.clone(),
        pixels: if data.samples {
            args.pixels.pixels(&shape)
        } else {
            None
        },
        calibration_rows: args.calibration_rows,
        test_from: Some(test_from),
    };
    let bar = output.bar(3, "calibrating");
    let imported = source.import(&data.rows, &options).map_err(named)?;
    bar.inc(1);
    bar.set_message("comparing with float");
    let report = imported.report(&data.rows, &data.labels);
    let report = report.map_err(Failure::input)?;
    bar.inc(1);
    bar.set_message("committing");
    let model = &imported.model;
    let artefact = model.to_bytes();
    write_file(&args.output, &artefact)?;
    bar.finish_and_clear();
    let mut layers: Vec<Layer> = report.layers.iter().map(layer).collect();
    layers.sort_by(|a, b| a.snr_db.total_cmp(&b.snr_db));
    output.report(&Imported {
        model_id: model.id().to_string(),
        name: options.name,
        output: args.output.display().to_string(),
        artefact_bytes: artefact.len(),
        tensor_bytes: report.sizes.tensor_bytes,
        macs: report.sizes.macs,
        node_count: report.sizes.nodes,
        calibration_rows: options.calibration_rows.min(test_from),
        test_from,
        samples: report.rows,
        float_accuracy: report.float_accuracy(),
        exact_accuracy: report.exact_accuracy(),
        agreement: report.comparison.top1_agreement,
        snr_db: report.comparison.snr_db,
        cosine_min: report.comparison.cosine_min,
        max_abs_error: report.comparison.max_abs_error,
        layers,
        certificate: certificate(model.program()),
    });
    warn(&report, output);
    Ok(Exit::Ok)
}

fn layer(layer: &LayerReport) -> Layer {
    Layer {
        node: layer.node,
        name: layer.name.clone(),
        op: layer.op,
        snr_db: layer.snr_db,
    }
}

/// Says what looks wrong, and what to try.
fn warn(report: &ImportReport, output: Output) {
    if report.comparison.top1_agreement < 0.99 || report.comparison.snr_db < 30.0 {
        output.note(
            "warning: the program agrees badly with its source; calibrate on more rows that look \
             like the inputs to come (--calibration-rows), and look at the first layers of the list",
        );
    }
}

impl Report for Imported {
    fn command(&self) -> &'static str {
        "import"
    }

    fn text(&self, paint: Paint) -> String {
        let mut table = Table::new(&[">node", "operator", ">SNR dB", "name"]);
        for layer in self.layers.iter().take(8) {
            table.row([
                layer.node.to_string(),
                layer.op.to_owned(),
                format!("{:.1}", layer.snr_db),
                layer.name.clone(),
            ]);
        }
        let accuracy = match (self.float_accuracy, self.exact_accuracy) {
            (Some(float), Some(exact)) => {
                format!(
                    "accuracy float {}, exact {}; ",
                    percent(float),
                    percent(exact)
                )
            }
            _ => String::new(),
        };
        format!(
            "{}  {} in {}\n  model id   {}\n  sizes      {} nodes, {} bytes of artefact, {} of tensors, {} MACs\n  \
             {} rows    {accuracy}agreement {}, logit SNR {:.1} dB\n\n{}  the worst of {} layers against float\n{}\n{}",
            paint.bold("imported"),
            self.name,
            self.output,
            self.model_id,
            self.node_count,
            grouped(self.artefact_bytes as u64),
            grouped(self.tensor_bytes),
            grouped(self.macs),
            self.samples,
            percent(self.agreement),
            self.snr_db,
            paint.bold("layers"),
            self.layers.len(),
            table.render(paint),
            self.certificate.text(paint),
        )
    }
}

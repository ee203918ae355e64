//! `selfsame import MODEL.onnx --calibrate D.npz -o OUT`: ONNX in, exact program out.

use std::path::PathBuf;

use selfsame::{ImportError, ImportOptions, ImportReport};
use selfsame_compiler::page::{Page, Value};
use selfsame_compiler::{NodeSizes, node_sizes};
use serde::Serialize;

use crate::certificate::{CertificateReport, certificate};
use crate::commands::report_page::{self, LayerRow, Quality, SizeFacts, fact};
use crate::dataset::{Data, PixelArgs};
use crate::dims::{self, ExtentRow, SourceArgs};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::model::write_file;
use crate::output::{Output, Report};
use crate::paint::Paint;
use crate::takes::Takes;

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An ONNX model, opset 7 to 28.
    model: PathBuf,
    /// Rows to calibrate on, those before --test-from: .npz (array `x`, or one for each input by its
    /// name; labels `y`), .npy, a folder of .png in the order of their names, or the word `synthetic`.
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
    /// Also write the report as one HTML page with plots that needs nothing else.
    #[arg(long, value_name = "OUT.html")]
    html: Option<PathBuf>,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    pixels: PixelArgs,
}

#[derive(Debug, Serialize)]
struct Imported {
    model_id: String,
    name: String,
    output: String,
    #[serde(flatten)]
    sizes: SizeFacts,
    calibration_rows: usize,
    test_from: usize,
    /// Dimensions whose extents the calibration data has said.
    extents: Vec<ExtentRow>,
    #[serde(flatten)]
    quality: Quality,
    /// Worst first.
    layers: Vec<LayerRow>,
    certificate: CertificateReport,
}

/// Runs the command.
pub(crate) fn run(args: &Args, output: Output) -> Outcome<Exit> {
    let data = Data::open(&args.calibrate)?;
    let rows = (&data, "calibration data");
    let (source, extents) = dims::open_source(&args.model, &args.source, rows, output)?;
    let takes = Takes::of(&source);
    let data = data.rows(&takes, &args.pixels)?;
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
        pixels: takes
            .real()
            .filter(|_| data.samples)
            .and_then(|shape| args.pixels.pixels(shape)),
        calibration_rows: args.calibration_rows,
        test_from: Some(test_from),
    };
    let bar = output.bar(3, "calibrating");
    let named = |error: ImportError| Failure::file(&args.model, error);
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
    let sizes = node_sizes(model.program());
    let found = Imported {
        model_id: model.id().to_string(),
        name: options.name,
        output: args.output.display().to_string(),
        sizes: SizeFacts::new(artefact.len() as u64, &report.sizes),
        calibration_rows: options.calibration_rows.min(test_from),
        test_from,
        extents,
        quality: Quality::new(&report.comparison)
            .with_accuracy(report.float_accuracy(), report.exact_accuracy()),
        layers: LayerRow::worst_first(&report.layers, &sizes),
        certificate: certificate(model.program()),
    };
    if let Some(html) = &args.html {
        let page = page(args, &found, &report, data.synthetic, &sizes);
        write_file(html, page.html().as_bytes())?;
    }
    output.report(&found);
    warn(&report, output);
    Ok(Exit::Ok)
}

/// The same report as a page.
fn page(
    args: &Args,
    found: &Imported,
    report: &ImportReport,
    synthetic: bool,
    sizes: &[NodeSizes],
) -> Page {
    let noise = if synthetic {
        " Calibrated and compared on noise that was made up: nothing here says how it does on data."
    } else {
        ""
    };
    let summary = format!(
        "The exact integer program of {}, beside its float source on {} rows from row {} on, which \
         calibration never saw.{noise}",
        report_page::file_name(&args.model),
        report.rows,
        found.test_from,
    );
    let mut run = vec![
        fact(
            "calibration_rows",
            "rows of the calibration",
            Value::Count(found.calibration_rows as u64),
        ),
        fact(
            "test_from",
            "first row of the report",
            Value::Count(found.test_from as u64),
        ),
    ];
    if !found.extents.is_empty() {
        run.push(fact(
            "extents",
            "dimensions, from the calibration data",
            Value::Text(dims::extent_text(&found.extents)),
        ));
    }
    report_page::Source {
        title: &found.name,
        summary,
        model_id: &found.model_id,
        layers_caption: report_page::LAYERS_MEASURED,
        run,
        sizes: &found.sizes,
        quality: &found.quality,
        layers: &found.layers,
        scatter: &report.scatter,
        nodes: sizes,
    }
    .page()
}

/// Mean cosine from which on answers without labels count as near.
const EMBEDDING_COSINE: f64 = 0.995;

/// Says what looks wrong, and what to try.
fn warn(report: &ImportReport, output: Output) {
    let found = &report.comparison;
    // Without labels the answer may be an embedding, whose largest element means nothing.
    let near = report.float_right.is_none() && found.cosine_mean >= EMBEDDING_COSINE;
    if !near && (found.top1_agreement < 0.99 || found.snr_db < 30.0) {
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
        let layers = report_page::layer_text(&self.layers, paint);
        format!(
            "{}  {} in {}\n  model id   {}\n{}  {} rows\n{}\n{layers}\n{}",
            paint.bold("imported"),
            self.name,
            self.output,
            self.model_id,
            self.sizes.text(),
            self.quality.samples,
            self.quality.text(),
            self.certificate.text(paint),
        )
    }
}

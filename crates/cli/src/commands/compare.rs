//! `selfsame compare MODEL.onnx FILE --data D.npz`: an exact program against its float source.

use std::path::PathBuf;

use selfsame::{Model, Source, accuracy};
use selfsame_compiler::page::{Page, Value};
use selfsame_compiler::{NodeSizes, Scatter, Sizes, compare, node_sizes};
use serde::Serialize;

use crate::commands::compare_layers;
use crate::commands::report_page::{self, LayerRow, Quality, SizeFacts, fact};
use crate::comparison;
use crate::dataset::{Data, PixelArgs};
use crate::dims::{self, SourceArgs};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::model::{self, file_bytes, write_file};
use crate::output::{Output, Report};
use crate::paint::Paint;
use crate::takes::Takes;

/// Arguments of `compare`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The ONNX model.
    model: PathBuf,
    /// The program made from it.
    file: PathBuf,
    /// Rows: .npz (array `x`, or one for each input by its name; labels `y`), .npy, a folder of .png, or the word `synthetic`.
    #[arg(long, value_name = "DATA")]
    data: PathBuf,
    /// First row to compare on.
    #[arg(long, value_name = "ROW", default_value_t = 0)]
    from: usize,
    /// Kernel set; the best of this machine if not given.
    #[arg(long, value_name = "NAME")]
    kernel: Option<String>,
    /// Rows, evenly spaced, on which every layer is compared.
    #[arg(long, value_name = "N", default_value_t = 32)]
    layer_rows: usize,
    /// Also write the report as one HTML page with plots that needs nothing else.
    #[arg(long, value_name = "OUT.html")]
    html: Option<PathBuf>,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    pixels: PixelArgs,
}

#[derive(Debug, Serialize)]
struct Compared {
    model_id: String,
    name: String,
    top1_agreement: f64,
    #[serde(flatten)]
    quality: Quality,
    #[serde(flatten)]
    sizes: SizeFacts,
    /// Rows that the layers were compared on.
    layer_rows: usize,
    /// Worst first.
    layers: Vec<LayerRow>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, output: Output) -> Outcome<Exit> {
    let model = model::read(&args.file)?;
    let data = Data::open(&args.data)?;
    let (graph, _) = dims::open_source(&args.model, &args.source, (&data, "data"), output)?;
    let data = data.rows(&Takes::of(&graph), &args.pixels)?;
    let count = data.rows.len();
    if count <= args.from {
        let what = format!("--from {} leaves none of {count} rows", args.from);
        return Err(Failure::usage(what));
    }
    let model = at_source(&model, &graph).map_err(|what| {
        Failure::file(&args.file, what).hint("compare a program with its own source")
    })?;
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
    let rows = compare_layers::rows(&data, args.from, args.layer_rows);
    let layers = compare_layers::layers(&model, &graph, &rows, kernel)
        .map_err(|failure| failure.at(&args.data))?;
    let agreement = compare(&answers.float, &answers.exact, classes);
    let labels = data.labels_from(args.from);
    let sizes = node_sizes(model.program());
    let found = Compared {
        model_id: model.id().to_string(),
        name: model.name().to_owned(),
        top1_agreement: agreement.top1_agreement,
        quality: Quality::new(&agreement).with_accuracy(
            accuracy(&answers.float, classes, labels),
            accuracy(&answers.exact, classes, labels),
        ),
        sizes: SizeFacts::new(file_bytes(&args.file)?, &Sizes::of(model.program())),
        layer_rows: rows.len(),
        layers: LayerRow::worst_first(&layers, &sizes),
    };
    if let Some(html) = &args.html {
        let scatter = Scatter::of(&answers.float, &answers.exact);
        let page = page(args, &found, &scatter, &sizes);
        write_file(html, page.html().as_bytes())?;
    }
    output.report(&found);
    Ok(Exit::Ok)
}

/// The program at the values that the source has; an open dimension is that of the source's samples.
fn at_source(model: &Model, source: &Source) -> Result<Model, String> {
    let model = model
        .at_length(source.sample_elements())
        .map_err(|error| error.to_string())?;
    let one = source.inputs().count() == 1;
    let fits = if one {
        model.input().shape == source.input_shape()
    } else {
        model.input().elements() == source.sample_elements()
    };
    if fits {
        return Ok(model);
    }
    let shape = &model.input().shape;
    Err(format!(
        "it takes {shape:?}, the ONNX model {}",
        Takes::of(source)
    ))
}

/// The same report as a page.
fn page(args: &Args, found: &Compared, scatter: &Scatter, sizes: &[NodeSizes]) -> Page {
    let summary = format!(
        "The exact integer program {}, beside its float source {} on {} rows from row {} on.",
        report_page::file_name(&args.file),
        report_page::file_name(&args.model),
        found.quality.samples,
        args.from,
    );
    let title = if found.name.is_empty() {
        report_page::file_name(&args.file)
    } else {
        found.name.clone()
    };
    let layer_rows = Value::Count(found.layer_rows as u64);
    report_page::Source {
        title: &title,
        summary,
        model_id: &found.model_id,
        layers_caption: report_page::LAYERS_FITTED,
        run: vec![fact(
            "layer_rows",
            "rows that layers were compared on",
            layer_rows,
        )],
        sizes: &found.sizes,
        quality: &found.quality,
        layers: &found.layers,
        scatter,
        nodes: sizes,
    }
    .page()
}

impl Report for Compared {
    fn command(&self) -> &'static str {
        "compare"
    }

    fn text(&self, paint: Paint) -> String {
        format!(
            "{}  {} samples, model {}\n{}{}\n{}",
            paint.bold("exact against float"),
            self.quality.samples,
            self.model_id,
            self.quality.text(),
            self.sizes.text(),
            report_page::layer_text(&self.layers, paint),
        )
    }
}

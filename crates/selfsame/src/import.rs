//! ONNX bytes and rows of data to a model, with the report of how good it is.
//!
//! ```text
//! rows of the data set:   [ calibration sees some of these | report only ]
//!                          0                                test_from
//! ```

use std::collections::BTreeMap;
use std::path::Path;

use selfsame_compiler::float::{self, Extent, FloatGraph, Given};
use selfsame_compiler::onnx::{DecodeError, Dim, OnnxModel};
use selfsame_compiler::{
    Calibration, CalibrationError, CompileError, Compiled, ImportReport, OpenDimension, Options,
    Pixels, ReportError, TestRows, TrainingRows, compile, compile_open, import_report,
};
use selfsame_ir::{CheckedProgram, DimError, Tensor};

use crate::error::{OpenError, RunError};
use crate::model::Model;
use crate::runner::RunOptions;

/// Why there is no model, or no comparison with its source.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The bytes are no ONNX model.
    #[error(transparent)]
    Onnx(#[from] DecodeError),
    /// The model is not supported; the message names the node.
    #[error(transparent)]
    Unsupported(#[from] float::ImportError),
    /// The calibration rows do not fit.
    #[error(transparent)]
    Calibration(#[from] CalibrationError),
    /// The model cannot be compiled.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// No report.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// No row is left on one side.
    #[error(
        "{rows} rows and test_from {test_from}: rows before it calibrate, the others test, and neither may be none"
    )]
    Split {
        /// Rows given.
        rows: usize,
        /// First row to test on.
        test_from: usize,
    },
    /// There is no such output.
    #[error("the model has no output {name:?}; it has {outputs:?}")]
    Output {
        /// The output asked for.
        name: String,
        /// The outputs that there are.
        outputs: Vec<String>,
    },
    /// The source has no such dimension.
    #[error("no input has a dimension named {name:?}; {}", dimensions(names))]
    NoDimension {
        /// The name that a value or bounds were given for.
        name: String,
        /// The names that there are.
        names: Vec<String>,
    },
    /// Labels of other rows.
    #[error("{labels} labels for {rows} rows; give one for each row, or none")]
    Labels {
        /// Labels given.
        labels: usize,
        /// Rows given.
        rows: usize,
    },
    /// The samples' length is outside of the open dimension's bounds.
    #[error(transparent)]
    Dimension(#[from] DimError),
    /// The model does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A row to compare on does not fit.
    #[error("row {row}: {error}")]
    Row {
        /// Its index.
        row: usize,
        /// Why.
        error: RunError,
    },
    /// A row to compare on does not fit the float model.
    #[error("row {row}: {error}")]
    FloatRow {
        /// Its index.
        row: usize,
        /// Why.
        error: float::RunError,
    },
    /// A row does not fit the float model.
    #[error(transparent)]
    Float(#[from] float::RunError),
    /// A row does not fit the program.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Program and source have other shapes.
    #[error(
        "the program takes {program:?}, the ONNX model {source_model:?}; compare a program with its own source"
    )]
    OtherShape {
        /// The program's.
        program: Vec<usize>,
        /// The source's.
        source_model: Vec<usize>,
    },
    /// Not as many means and deviations as channels.
    #[error("pictures of {channels} channels need {channels} means and deviations each")]
    Channels {
        /// Channels of the model's pictures.
        channels: usize,
    },
    /// A thread ended early.
    #[error("a thread ended early while comparing")]
    Thread,
}

/// The names of dimensions that there are, as a part of a sentence.
fn dimensions(names: &[String]) -> String {
    if names.is_empty() {
        return "all dimensions of the model are fixed".to_owned();
    }
    format!("the names are {}", names.join(", "))
}

/// How to import.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportOptions {
    /// Name of the model; people read it, it is not part of the id.
    pub name: String,
    /// Names of the classes, in order; if empty those that the model carries (scikit-learn's do), or none.
    pub labels: Vec<String>,
    /// How pictures become the float input; `None` if the model takes no pictures.
    pub pixels: Option<Pixels>,
    /// Rows that calibration reads at most, evenly spaced.
    pub calibration_rows: usize,
    /// First row that calibration does not see and the report is made on; three quarters of the
    /// rows if `None`.
    pub test_from: Option<usize>,
}

impl Default for ImportOptions {
    fn default() -> Self {
        Self {
            name: String::new(),
            labels: Vec::new(),
            pixels: None,
            calibration_rows: 256,
            test_from: None,
        }
    }
}

/// How to read an ONNX model.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceOptions {
    /// Values of the named dimensions (the batch is no such dimension): those of the samples that
    /// calibrate.
    pub dims: BTreeMap<String, usize>,
    /// At most one of them that the program keeps open, with its bounds.
    pub open: Option<OpenDimension>,
    /// Name of the output that the program answers with; the first one if none.
    pub output: Option<String>,
    /// Whether the leading axis belongs to the sample like any other, so that the model has no batch.
    pub no_batch: bool,
    /// Shapes and constants of inputs, and the arrays of the data, which say what has no value otherwise
    /// ([`Source::extents`]).
    pub given: Given,
}

/// An ONNX model, read and simplified, still in floating point.
#[derive(Debug, Clone)]
pub struct Source {
    model: OnnxModel,
    options: SourceOptions,
    extents: Vec<Extent>,
    pub(crate) graph: FloatGraph,
}

/// A model made of a source.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The model.
    pub model: Model,
    /// First row that calibration did not see.
    pub test_from: usize,
    compiled: Compiled,
}

impl Source {
    /// Reads ONNX bytes; what is not supported is refused by the name of its node.
    pub fn from_onnx(onnx: &[u8]) -> Result<Self, ImportError> {
        Self::with_options(onnx, &SourceOptions::default())
    }

    /// Reads ONNX bytes at given values of the named dimensions.
    pub fn with_options(onnx: &[u8], options: &SourceOptions) -> Result<Self, ImportError> {
        Self::of(OnnxModel::decode(onnx)?, options)
    }

    /// Reads the ONNX file at `path`, and weights in files beside it.
    pub fn open(path: impl AsRef<Path>, options: &SourceOptions) -> Result<Self, ImportError> {
        Self::of(OnnxModel::read(path.as_ref())?, options)
    }

    fn of(mut model: OnnxModel, options: &SourceOptions) -> Result<Self, ImportError> {
        check_names(&model, options)?;
        let mut settled = graph_options(options);
        let extents = options.given.settle(&mut model, &mut settled)?;
        let options = SourceOptions {
            dims: settled.dims,
            ..options.clone()
        };
        let graph = graph_at(&model, &options, None)?;
        Ok(Self {
            model,
            options,
            extents,
            graph,
        })
    }

    /// What the arrays of the data have said of dimensions without a value.
    pub fn extents(&self) -> &[Extent] {
        &self.extents
    }

    /// Name and shape of each input, in the order in which a sample holds them.
    pub fn inputs(&self) -> impl Iterator<Item = (&str, &[usize])> {
        let inputs = self.graph.inputs().iter();
        inputs.map(|input| (input.name.as_str(), input.shape.as_slice()))
    }

    /// What the elements of input `input` are; `None` if there is no such input.
    pub fn input_kind(&self, input: usize) -> Option<float::InputKind> {
        self.graph.inputs().get(input).map(|input| input.kind)
    }

    /// Rows of the smallest table of which input `input` picks rows, as token ids do; `None` if it
    /// picks none.
    pub fn table_rows(&self, input: usize) -> Option<usize> {
        self.graph.table_rows(input)
    }

    /// Numbers of one sample: those of all inputs, one after the other.
    pub fn sample_elements(&self) -> usize {
        self.graph.sample_elements()
    }

    /// Shape of the first input, without the batch axis.
    pub fn input_shape(&self) -> &[usize] {
        self.graph.input_shape()
    }

    /// Shape of one answer, without the batch axis.
    pub fn output_shape(&self) -> &[usize] {
        self.graph.output_shape()
    }

    /// The float answer of one sample, by the compiler's own float reference.
    pub fn run(&self, sample: &[f32]) -> Result<Vec<f32>, float::RunError> {
        self.graph.run(sample)
    }

    /// The given names of classes, else those that the file carries, if they are as many as the answers.
    fn labels(&self, given: &[String]) -> Vec<String> {
        let own = self.model.class_names();
        let answers = self.graph.output_shape().iter().product::<usize>();
        if given.is_empty() && own.len() == answers {
            return own;
        }
        given.to_vec()
    }

    /// Calibrates on the rows before `test_from` and compiles.
    pub fn import(
        self,
        rows: &[Vec<f32>],
        options: &ImportOptions,
    ) -> Result<Imported, ImportError> {
        let count = rows.len();
        let test_from = options.test_from.unwrap_or(count - count.div_ceil(4));
        if test_from == 0 || count <= test_from {
            let rows = count;
            return Err(ImportError::Split { rows, test_from });
        }
        let training = TrainingRows::before(rows, test_from);
        let calibration = Calibration::collect(&self.graph, training, options.calibration_rows)?;
        let names = Options {
            name: options.name.clone(),
            labels: self.labels(&options.labels),
            pixels: options.pixels.clone(),
        };
        let compiled = match &self.options.open {
            None => compile(self.graph, &calibration, &names)?,
            Some(open) => {
                let at = self.options.dims.get(&open.name).copied().unwrap_or(0);
                let at = u32::try_from(at).unwrap_or(u32::MAX);
                let other = |value| graph_at(&self.model, &self.options, Some(value));
                compile_open(self.graph, at, &calibration, open, &names, other)?
            }
        };
        Ok(Imported {
            model: Model::new(compiled.program.clone()).at(&compiled.values.0)?,
            test_from,
            compiled,
        })
    }
}

/// Refuses values and bounds of dimensions that no input has: they would have no effect.
fn check_names(model: &OnnxModel, options: &SourceOptions) -> Result<(), ImportError> {
    let dims = model
        .inputs
        .iter()
        .flat_map(|input| input.dims.iter().flatten());
    let mut names: Vec<String> = dims
        .filter_map(|dim| match dim {
            Dim::Name(name) => Some(name.clone()),
            Dim::Size(_) | Dim::Unknown => None,
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    let open = options.open.iter().map(|open| &open.name);
    let mut given = options.dims.keys().chain(open);
    match given.find(|name| !names.contains(name)).cloned() {
        Some(name) => Err(ImportError::NoDimension { name, names }),
        None => Ok(()),
    }
}

/// Refuses labels that are not those of the rows.
pub(crate) fn check_labels(labels: &[i64], rows: usize) -> Result<(), ImportError> {
    if labels.is_empty() || labels.len() == rows {
        return Ok(());
    }
    let labels = labels.len();
    Err(ImportError::Labels { labels, rows })
}

/// The part of the options that concerns the graph.
fn graph_options(options: &SourceOptions) -> float::ImportOptions {
    float::ImportOptions {
        dims: options.dims.clone(),
        output: options.output.clone(),
        no_batch: options.no_batch,
    }
}

/// The fused graph of one output, at `open` of the open dimension if it is given.
fn graph_at(
    model: &OnnxModel,
    options: &SourceOptions,
    open: Option<u32>,
) -> Result<FloatGraph, ImportError> {
    let mut options_at = graph_options(options);
    if let (Some(dimension), Some(value)) = (&options.open, open) {
        let dims = &mut options_at.dims;
        dims.insert(dimension.name.clone(), value as usize);
    }
    let graph = FloatGraph::import(model, &options_at)?;
    let graph = match &options.output {
        None => graph.with_first_output(),
        Some(name) => {
            let outputs = graph.outputs().iter().map(|output| output.name.clone());
            let outputs = outputs.collect();
            let refused = || ImportError::Output {
                name: name.clone(),
                outputs,
            };
            graph.with_output(name).ok_or_else(refused)?
        }
    };
    Ok(graph.fuse())
}

impl Imported {
    /// Float against exact, layer by layer, on the rows that calibration did not see. `rows` and
    /// `labels` are of the whole data set; no labels, no accuracy.
    pub fn report(&self, rows: &[Vec<f32>], labels: &[i64]) -> Result<ImportReport, ImportError> {
        check_labels(labels, rows.len())?;
        let test = TestRows {
            rows: rows.get(self.test_from..).unwrap_or_default(),
            labels: labels.get(self.test_from..).unwrap_or_default(),
        };
        let packed = self.model.pack(&RunOptions::default())?;
        let trace = |_: &CheckedProgram, input: Tensor| {
            let traced = packed.runner().trace(&input);
            // The input was made for this program: a refusal would be a row without answers.
            traced
                .map(selfsame_interpreter::Trace::into_outputs)
                .unwrap_or_default()
        };
        Ok(import_report(&self.compiled, test, trace)?)
    }
}

/// Floats of pictures of `shape` [channels, height, width], one after the other; samples for other
/// shapes are only divided.
pub fn floats_of_pictures(
    samples: &[u8],
    shape: &[usize],
    pixels: &Pixels,
) -> Result<Vec<f32>, ImportError> {
    let &[channels, height, width] = shape else {
        return Ok(samples
            .iter()
            .map(|&sample| f32::from(sample) / pixels.divisor)
            .collect());
    };
    if pixels.mean.len() != channels || pixels.deviation.len() != channels {
        return Err(ImportError::Channels { channels });
    }
    let plane = (height * width).max(1);
    let float = |(index, &sample): (usize, &u8)| pixels.float(index / plane % channels, sample);
    Ok(samples.iter().enumerate().map(float).collect())
}

/// ONNX bytes to a model with its report, in one call: `rows` are samples in the source model's
/// order, `labels` their classes (or none).
///
/// ```
/// use selfsame::{ImportOptions, import_onnx, read_file};
///
/// let onnx = read_file("../../models/mlp/model.onnx".as_ref())?;
/// # let data = read_file("../../models/data/digits.npz".as_ref())?;
/// # let x = selfsame_compiler::npz::read_npz_array(&data, "x").expect("has x");
/// # let rows: Vec<Vec<f32>> = x.to_f32().chunks_exact(64).map(<[f32]>::to_vec).collect();
/// // `rows` are the samples of a data set: f32[64] each.
/// let (imported, report) = import_onnx(&onnx, &rows, &[], &ImportOptions::default())?;
/// assert!(report.comparison.cosine_mean > 0.999);
/// println!("{}: {:.1} dB", imported.model.id(), report.comparison.snr_db);
/// # Ok::<(), selfsame::Error>(())
/// ```
pub fn import_onnx(
    onnx: &[u8],
    rows: &[Vec<f32>],
    labels: &[i64],
    options: &ImportOptions,
) -> Result<(Imported, ImportReport), ImportError> {
    let imported = Source::from_onnx(onnx)?.import(rows, options)?;
    let report = imported.report(rows, labels)?;
    Ok((imported, report))
}

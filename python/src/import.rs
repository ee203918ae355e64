//! ONNX bytes and arrays of rows to models, and reports as dictionaries.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use selfsame::{
    Compared, Extent, Given, ImportOptions, ImportReport, Imported, OpenDimension, Pixels,
    SourceOptions, floats_of_pictures,
};

use crate::arrays::Input;
use crate::errors;
use crate::given::Named;
use crate::model::{Model, options};

/// An ONNX model, read and simplified.
#[pyclass(frozen, module = "selfsame")]
pub(crate) struct Source(Arc<selfsame::Source>);

#[pymethods]
impl Source {
    /// Reads ONNX bytes, or the file at a path with the weights in files beside it.
    #[new]
    fn new(py: Python<'_>, onnx: Onnx, reading: Reading) -> PyResult<Self> {
        let options = reading.options()?;
        let source = py.detach(|| match onnx {
            Onnx::Bytes(bytes) => selfsame::Source::with_options(&bytes, &options),
            Onnx::File(path) => selfsame::Source::open(path, &options),
        });
        Ok(Self(Arc::new(
            source.map_err(|error| errors::import(&error))?,
        )))
    }

    /// Name and shape of each input, without the batch axis.
    #[getter]
    fn inputs(&self) -> Vec<(String, Vec<usize>)> {
        let inputs = self.0.inputs();
        inputs
            .map(|(name, shape)| (name.to_owned(), shape.to_vec()))
            .collect()
    }

    /// Shape of one input, without the batch axis.
    #[getter]
    fn input_shape(&self) -> Vec<usize> {
        self.0.input_shape().to_vec()
    }

    /// Shape of one answer, without the batch axis.
    #[getter]
    fn output_shape(&self) -> Vec<usize> {
        self.0.output_shape().to_vec()
    }
}

impl Source {
    /// The library's source.
    pub(crate) fn shared(&self) -> Arc<selfsame::Source> {
        Arc::clone(&self.0)
    }
}

/// Where the model is.
#[derive(FromPyObject)]
pub(crate) enum Onnx {
    #[pyo3(transparent)]
    Bytes(Vec<u8>),
    #[pyo3(transparent)]
    File(PathBuf),
}

/// How to read the model.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Reading {
    dims: BTreeMap<String, usize>,
    open: BTreeMap<String, (u32, u32)>,
    output: Option<String>,
    no_batch: bool,
    shapes: BTreeMap<String, Vec<usize>>,
    arrays: BTreeMap<String, Vec<usize>>,
    constants: BTreeMap<String, i64>,
}

impl Reading {
    fn options(self) -> PyResult<SourceOptions> {
        if 1 < self.open.len() {
            let names: Vec<&String> = self.open.keys().collect();
            return Err(errors::onnx(format!(
                "open dimensions {names:?}: one may stay open, give the others a value in dims"
            )));
        }
        let mut open = self.open.into_iter();
        let open = open.next().map(|(name, (minimum, maximum))| OpenDimension {
            name,
            minimum,
            maximum,
        });
        Ok(SourceOptions {
            dims: self.dims,
            open,
            output: self.output,
            no_batch: self.no_batch,
            given: Given {
                shapes: self.shapes,
                arrays: self.arrays,
                constants: self.constants,
            },
        })
    }
}

/// Everything but the source and the rows.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Wishes {
    name: String,
    class_names: Vec<String>,
    test_from: Option<usize>,
    calibration_rows: usize,
    scaling: Scaling,
    threads: usize,
    kernel: String,
}

/// How samples of eight bits become floats: `(sample / divisor - mean[c]) / deviation[c]`.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Scaling {
    divisor: f32,
    mean: Vec<f32>,
    deviation: Vec<f32>,
}

/// A model of `source`, calibrated and reported on `rows`.
#[pyfunction]
#[expect(
    clippy::needless_pass_by_value,
    reason = "Python's arguments become owned values"
)]
pub(crate) fn import_rows(
    py: Python<'_>,
    source: &Bound<'_, Source>,
    rows: &Bound<'_, PyAny>,
    labels: Vec<i64>,
    wishes: Wishes,
) -> PyResult<Model> {
    let source = selfsame::Source::clone(&source.get().0);
    let run_options = options(wishes.threads, &wishes.kernel)?;
    let pixels = wishes.scaling.pixels(source.input_shape());
    let (data, pictures) = self::rows(rows, &source, &pixels)?;
    let options = ImportOptions {
        name: wishes.name,
        labels: wishes.class_names,
        pixels: (pictures && source.input_shape().len() == 3).then_some(pixels),
        calibration_rows: wishes.calibration_rows,
        test_from: wishes.test_from,
    };
    let kept = source.clone();
    let made = py.detach(|| {
        let imported = source.import(&data, &options)?;
        let report = imported.report(&data, &labels)?;
        Ok((imported, report))
    });
    let (imported, report) = made.map_err(|error| errors::import(&error))?;
    let report = report_dict(py, &imported, &report, options.calibration_rows)?;
    let extents = kept.extents().iter().map(|extent| extent_dict(py, extent));
    let extents: PyResult<Vec<_>> = extents.collect();
    report.set_item("extents", extents?)?;
    Ok(Model::new(&imported.model, run_options)?.imported(kept, report.unbind()))
}

impl Scaling {
    /// The rule for pictures of `shape`.
    pub(crate) fn pixels(&self, shape: &[usize]) -> Pixels {
        let mut pixels = Pixels::unit(shape.first().copied().unwrap_or(1));
        pixels.divisor = self.divisor;
        if !self.mean.is_empty() {
            pixels.mean.clone_from(&self.mean);
        }
        if !self.deviation.is_empty() {
            pixels.deviation.clone_from(&self.deviation);
        }
        pixels
    }
}

/// The rows of an array, or of an array for each input by name, and whether they were samples of eight
/// bits, which become floats by `pixels`.
pub(crate) fn rows(
    data: &Bound<'_, PyAny>,
    source: &selfsame::Source,
    pixels: &Pixels,
) -> PyResult<(Vec<Vec<f32>>, bool)> {
    let sample: usize = source
        .inputs()
        .map(|(_, shape)| shape.iter().product::<usize>())
        .sum();
    let cut = |floats: &[f32]| {
        floats
            .chunks_exact(sample.max(1))
            .map(<[f32]>::to_vec)
            .collect()
    };
    if let Ok(named) = data.cast::<PyDict>() {
        return Ok((cut(&named_samples(&Named::new(named)?, source)?), false));
    }
    let input = Input::new(data)?;
    let count = input.shape().first().copied().unwrap_or(0);
    if count == 0 || sample == 0 || input.shape().iter().product::<usize>() != count * sample {
        let found = input.shape();
        let inputs: Vec<_> = source.inputs().collect();
        return Err(errors::input(format!(
            "an array of shape {found:?}; the model takes rows of {inputs:?}"
        )));
    }
    match &input {
        Input::Floats(floats) => Ok((cut(floats.as_slice()?), false)),
        Input::Samples(samples) => {
            let made = floats_of_pictures(samples.as_slice()?, source.input_shape(), pixels);
            Ok((cut(&made.map_err(|error| errors::import(&error))?), true))
        }
    }
}

/// Samples of arrays by name, one behind the other.
fn named_samples(named: &Named<'_>, source: &selfsame::Source) -> PyResult<Vec<f32>> {
    for (name, shape) in source.inputs() {
        named.fits_input(name, shape.iter().product())?;
    }
    named.joined(source.inputs().map(|(name, _)| name))
}

/// The figures of a comparison.
pub(crate) fn figures<'py>(py: Python<'py>, compared: &Compared) -> PyResult<Bound<'py, PyDict>> {
    let found = compared.comparison;
    let figures = PyDict::new(py);
    figures.set_item("samples", found.samples)?;
    figures.set_item("top1_agreement", found.top1_agreement)?;
    figures.set_item("cosine_mean", found.cosine_mean)?;
    figures.set_item("cosine_min", found.cosine_min)?;
    figures.set_item("snr_db", found.snr_db)?;
    figures.set_item("max_abs_error", found.max_abs_error)?;
    figures.set_item("float_accuracy", compared.float_accuracy)?;
    figures.set_item("exact_accuracy", compared.exact_accuracy)?;
    Ok(figures)
}

/// A dimension whose extent the samples have said.
fn extent_dict<'py>(py: Python<'py>, extent: &Extent) -> PyResult<Bound<'py, PyDict>> {
    let row = PyDict::new(py);
    row.set_item("input", &extent.input)?;
    row.set_item("axis", extent.axis)?;
    row.set_item("name", extent.name.as_deref())?;
    row.set_item("extent", extent.extent)?;
    Ok(row)
}

fn report_dict<'py>(
    py: Python<'py>,
    imported: &Imported,
    report: &ImportReport,
    calibration_rows: usize,
) -> PyResult<Bound<'py, PyDict>> {
    let figures = figures(
        py,
        &Compared {
            comparison: report.comparison,
            float_accuracy: report.float_accuracy(),
            exact_accuracy: report.exact_accuracy(),
        },
    )?;
    figures.set_item("test_from", imported.test_from)?;
    figures.set_item("calibration_rows", calibration_rows.min(imported.test_from))?;
    figures.set_item("node_count", report.sizes.nodes)?;
    figures.set_item("tensor_bytes", report.sizes.tensor_bytes)?;
    figures.set_item("macs", report.sizes.macs)?;
    let layers = PyList::empty(py);
    for layer in &report.layers {
        let row = PyDict::new(py);
        row.set_item("node", layer.node)?;
        row.set_item("name", &layer.name)?;
        row.set_item("op", layer.op)?;
        row.set_item("snr_db", layer.snr_db)?;
        layers.append(row)?;
    }
    figures.set_item("layers", layers)?;
    Ok(figures)
}

//! The class `Model`: a program packed for an engine, with runners that threads of Python take in turn.

use std::path::PathBuf;
use std::sync::Arc;

use numpy::{Element, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use selfsame::{DType, Elements, ElementsMut, Engine, Kernel, RunOptions, Runner, Tensor, Values};

use crate::arrays::{self, answers, batch, contiguous, dtype_name};
use crate::errors;
use crate::given::{Given, Numbers};
use crate::import::{self, Scaling, Source};
use crate::sizes::{PackedAt, Sizes};

/// What goes in, or comes out, for one sample.
#[pyclass(frozen, get_all, module = "selfsame")]
#[derive(Debug, Clone)]
pub(crate) struct Port {
    /// Shape in the source model's order, without the batch axis.
    shape: Vec<usize>,
    /// Shape of the program's integers.
    program_shape: Vec<usize>,
    /// Type of the program's integers.
    dtype: &'static str,
}

/// A program packed for an engine.
#[pyclass(frozen, module = "selfsame")]
pub(crate) struct Model {
    sizes: Sizes,
    options: RunOptions,
    source: Option<Arc<selfsame::Source>>,
    report: Option<Py<PyDict>>,
}

/// The names of the instruction sets of this machine, slowest first.
#[pyfunction]
pub(crate) fn kernels() -> Vec<&'static str> {
    let named = |kernel: Kernel| kernel.name();
    Kernel::available().into_iter().map(named).collect()
}

/// The model in artefact bytes.
#[pyfunction]
pub(crate) fn load_bytes(
    py: Python<'_>,
    data: &[u8],
    threads: usize,
    kernel: &str,
) -> PyResult<Model> {
    let options = options(threads, kernel)?;
    let model = py.detach(|| selfsame::Model::from_bytes(data));
    Model::new(&model.map_err(errors::artefact)?, options)
}

/// The model in a file.
#[pyfunction]
pub(crate) fn load_file(
    py: Python<'_>,
    path: PathBuf,
    threads: usize,
    kernel: &str,
) -> PyResult<Model> {
    let options = options(threads, kernel)?;
    let model = py.detach(|| selfsame::Model::load(path));
    Model::new(&model.map_err(errors::load)?, options)
}

/// How to run, from Python's words.
pub(crate) fn options(threads: usize, kernel: &str) -> PyResult<RunOptions> {
    Ok(RunOptions {
        engine: Engine::named(kernel).map_err(errors::engine)?,
        threads,
        ..RunOptions::default()
    })
}

impl Model {
    /// Packs `model`.
    pub(crate) fn new(model: &selfsame::Model, options: RunOptions) -> PyResult<Self> {
        let packed = model.pack(&options).map_err(|error| errors::open(&error))?;
        Ok(Self {
            sizes: Sizes::new(packed),
            options,
            source: None,
            report: None,
        })
    }

    /// The same with its source and the report of its import.
    pub(crate) fn imported(mut self, source: selfsame::Source, report: Py<PyDict>) -> Self {
        self.source = Some(Arc::new(source));
        self.report = Some(report);
        self
    }

    /// The library's model.
    pub(crate) fn inner(&self) -> &selfsame::Model {
        self.packed().model()
    }

    /// At the model's own values.
    pub(crate) fn own(&self) -> &PackedAt {
        self.sizes.own()
    }

    /// Packed at the model's own values.
    fn packed(&self) -> &selfsame::Packed {
        self.sizes.own().packed()
    }

    /// The program's integers of one sample, and the program at its sizes.
    fn tensor(
        &self,
        py: Python<'_>,
        input: &Bound<'_, PyAny>,
    ) -> PyResult<(Arc<PackedAt>, Tensor)> {
        let given = Given::new(input)?;
        let (model, count) = given.bind(self.inner())?;
        if !matches!(count, None | Some(1)) {
            let what = "an array of several samples; roots are of one sample";
            return Err(errors::input(what));
        }
        let at = self.sizes.at(py, &model)?;
        let tensor = match given.numbers(&model)? {
            Numbers::Floats(floats) => at
                .with_runner(py, |runner| runner.quantize(&floats))
                .map_err(|error| errors::made(&error))?,
            Numbers::Samples(samples) => {
                let samples = Values::Samples(samples.to_vec());
                let made = model.tensors(&samples);
                let made = made.map_err(|error| errors::made(&error))?;
                let first = made.into_iter().next();
                first.ok_or_else(|| errors::input("no sample"))?
            }
        };
        Ok((at, tensor))
    }

    fn integers_out<'py, T: Element>(
        &self,
        py: Python<'py>,
        input: Elements<'_>,
        shape: Vec<usize>,
    ) -> PyResult<Bound<'py, PyAny>>
    where
        for<'a> ElementsMut<'a>: From<&'a mut [T]>,
    {
        let output = PyArrayDyn::<T>::zeros(py, shape, false);
        if !input.is_empty() {
            let mut room = output.try_readwrite()?;
            let room: ElementsMut = room.as_slice_mut()?.into();
            let own = self.sizes.own();
            let ran = own.with_runner(py, |runner| runner.run_integers(input, room));
            ran.map_err(|error| errors::run(&error))?;
        }
        Ok(output.into_any())
    }
}

/// Answers of pictures, one by one.
fn run_samples(
    runner: &mut Runner,
    samples: &[u8],
    answers: &mut [f32],
) -> Result<(), selfsame::RunError> {
    let model = runner.model().clone();
    let inputs = model.tensors(&Values::Samples(samples.to_vec()))?;
    let rows = answers.chunks_exact_mut(model.output().elements().max(1));
    for (input, row) in inputs.iter().zip(rows) {
        let output = runner.output(input)?;
        row.copy_from_slice(&runner.dequantize(&output)?);
    }
    Ok(())
}

/// Integers of the program, borrowed.
enum Integers<'py> {
    I8(PyReadonlyArrayDyn<'py, i8>),
    I16(PyReadonlyArrayDyn<'py, i16>),
    I32(PyReadonlyArrayDyn<'py, i32>),
}

impl<'py> Integers<'py> {
    fn new(object: &Bound<'py, PyAny>, port: &selfsame::Port) -> PyResult<Self> {
        let found = match port.dtype {
            DType::I8 => contiguous(object).map(Self::I8),
            DType::I16 => contiguous(object).map(Self::I16),
            DType::I32 => contiguous(object).map(Self::I32),
        };
        found.ok_or_else(|| {
            let name = dtype_name(port);
            errors::input(format!(
                "the program's integers are a C-contiguous array of {name}: numpy.ascontiguousarray(x, dtype=numpy.{name})"
            ))
        })
    }

    fn shape(&self) -> &[usize] {
        match self {
            Self::I8(array) => array.shape(),
            Self::I16(array) => array.shape(),
            Self::I32(array) => array.shape(),
        }
    }

    fn elements(&self) -> PyResult<Elements<'_>> {
        Ok(match self {
            Self::I8(array) => array.as_slice()?.into(),
            Self::I16(array) => array.as_slice()?.into(),
            Self::I32(array) => array.as_slice()?.into(),
        })
    }
}

#[pymethods]
impl Model {
    /// The model id.
    #[getter]
    fn id(&self) -> String {
        self.inner().id().to_string()
    }

    /// The name that the artefact carries.
    #[getter]
    fn name(&self) -> &str {
        self.inner().name()
    }

    /// Names of the classes.
    #[getter]
    fn labels(&self) -> Vec<String> {
        self.inner().labels().to_vec()
    }

    /// What goes in.
    #[getter]
    fn input(&self) -> Port {
        Port::new(self.inner().input())
    }

    /// Name and elements of each input of the source model, in the order in which samples hold them.
    #[getter]
    fn inputs(&self) -> Vec<(String, usize)> {
        let inputs = self.inner().inputs().into_iter();
        inputs.map(|input| (input.name, input.elements)).collect()
    }

    /// Least and largest value of each open dimension.
    #[getter]
    fn dimensions(&self) -> Vec<(u32, u32)> {
        let symbols = &self.inner().program().program().symbols;
        symbols
            .iter()
            .map(|symbol| (symbol.minimum, symbol.maximum))
            .collect()
    }

    /// The values of the open dimensions that `input` and `output` are of.
    #[getter]
    fn sizes(&self) -> Vec<u32> {
        self.inner().values().0.clone()
    }

    /// What comes out.
    #[getter]
    fn output(&self) -> Port {
        Port::new(self.inner().output())
    }

    /// Multiply-accumulates of one sample.
    #[getter]
    fn macs(&self) -> u64 {
        self.inner().program().macs()
    }

    /// What runs it.
    #[getter]
    fn kernel(&self) -> &'static str {
        self.packed().name()
    }

    /// Threads of one call.
    #[getter]
    fn threads(&self) -> usize {
        self.options.threads.clamp(1, 64)
    }

    /// The report of its import, or None.
    #[getter]
    fn report(&self, py: Python<'_>) -> Option<Py<PyDict>> {
        self.report.as_ref().map(|report| report.clone_ref(py))
    }

    /// Floats in, floats out.
    #[pyo3(signature = (input, /))]
    fn run<'py>(
        &self,
        py: Python<'py>,
        input: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let given = Given::new(input)?;
        let (model, count) = given.bind(self.inner())?;
        let output = PyArrayDyn::zeros(py, answers(count, &model.output().shape), false);
        if count == Some(0) {
            return Ok(output);
        }
        let at = self.sizes.at(py, &model)?;
        {
            let mut room = output.try_readwrite()?;
            let room = room.as_slice_mut()?;
            let ran = match given.numbers(&model)? {
                Numbers::Floats(floats) => {
                    at.with_runner(py, |runner| runner.run_into(&floats, room))
                }
                Numbers::Samples(samples) => {
                    at.with_runner(py, |runner| run_samples(runner, samples, room))
                }
            };
            ran.map_err(|error| errors::run(&error))?;
        }
        Ok(output)
    }

    #[pyo3(signature = (input, /))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        input: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        self.run(py, input)
    }

    /// The program's integers in, the program's integers out.
    #[pyo3(signature = (input, /))]
    fn run_integers<'py>(
        &self,
        py: Python<'py>,
        input: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let model = self.inner();
        let input = Integers::new(input, model.input())?;
        let count = batch(input.shape(), &model.input().program_shape)?;
        let shape = answers(count, &model.output().program_shape);
        let elements = input.elements()?;
        match model.output().dtype {
            DType::I8 => self.integers_out::<i8>(py, elements, shape),
            DType::I16 => self.integers_out::<i16>(py, elements, shape),
            DType::I32 => self.integers_out::<i32>(py, elements, shape),
        }
    }

    /// The root of every node's output for one sample.
    #[pyo3(signature = (input, /))]
    fn trace_root(&self, py: Python<'_>, input: &Bound<'_, PyAny>) -> PyResult<String> {
        let (at, input) = self.tensor(py, input)?;
        let traced = at.with_runner(py, |runner| runner.trace_root(&input));
        let (root, _) = traced.map_err(|error| errors::run(&error))?;
        Ok(root.to_string())
    }

    /// The roots of input, output and trace for one sample.
    #[pyo3(signature = (input, /))]
    fn roots<'py>(
        &self,
        py: Python<'py>,
        input: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (at, input) = self.tensor(py, input)?;
        let traced = at.with_runner(py, |runner| runner.trace_root(&input));
        let (root, output) = traced.map_err(|error| errors::run(&error))?;
        let roots = PyDict::new(py);
        roots.set_item("input", input.root().to_string())?;
        roots.set_item("output", output.root().to_string())?;
        roots.set_item("trace", root.to_string())?;
        Ok(roots)
    }

    /// Runs one sample again on another engine and compares every integer of every node.
    #[pyo3(signature = (input, /, *, kernel = "interpreter"))]
    fn verify<'py>(
        &self,
        py: Python<'py>,
        input: &Bound<'py, PyAny>,
        kernel: &str,
    ) -> PyResult<Bound<'py, PyDict>> {
        let engine = Engine::named(kernel).map_err(errors::engine)?;
        let (at, input) = self.tensor(py, input)?;
        let again = at.with_runner(py, |runner| selfsame::verify::again(runner, &input, engine));
        let again = again.map_err(|error| errors::verify(&error))?;
        let found = PyDict::new(py);
        found.set_item("equal", again.difference.is_none())?;
        found.set_item("difference", again.difference)?;
        found.set_item("trace_root", again.trace_root.to_string())?;
        found.set_item("output_root", again.output_root.to_string())?;
        Ok(found)
    }

    /// How near the model comes to its source on rows.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "Python's arguments become owned values"
    )]
    fn compare_rows<'py>(
        &self,
        py: Python<'py>,
        source: Option<&Bound<'py, Source>>,
        rows: &Bound<'py, PyAny>,
        labels: Vec<i64>,
        scaling: Scaling,
    ) -> PyResult<Bound<'py, PyDict>> {
        let source = match (source, &self.source) {
            (Some(source), _) => source.get().shared(),
            (None, Some(source)) => Arc::clone(source),
            (None, None) => {
                let what = "the model was loaded, so its source is not known: give the ONNX file";
                return Err(errors::input(what));
            }
        };
        let pixels = scaling.pixels(source.input_shape());
        let (rows, _) = import::rows(rows, &source, &pixels)?;
        let model = self.inner();
        let compared = py.detach(|| source.compare(model, &rows, &labels, &self.options));
        import::figures(py, &compared.map_err(|error| errors::import(&error))?)
    }

    /// The artefact's bytes.
    fn to_bytes<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.inner().to_bytes())
    }

    /// Writes the artefact.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.inner().save(path))
            .map_err(|error| errors::file(&error))
    }

    /// The same model on other threads or another engine.
    #[pyo3(signature = (*, threads = None, kernel = None))]
    fn with_options(
        &self,
        py: Python<'_>,
        threads: Option<usize>,
        kernel: Option<&str>,
    ) -> PyResult<Self> {
        let threads = threads.unwrap_or(self.options.threads);
        let options = options(threads, kernel.unwrap_or(self.packed().name()))?;
        let mut model = Self::new(self.inner(), options)?;
        model.source.clone_from(&self.source);
        model.report = self.report(py);
        Ok(model)
    }

    /// The same model at other values of its open dimensions; the weights are shared.
    #[pyo3(signature = (*values))]
    #[expect(
        clippy::needless_pass_by_value,
        reason = "Python's arguments become owned values"
    )]
    fn at(&self, py: Python<'_>, values: Vec<u32>) -> PyResult<Self> {
        let model = self.inner().at(&values).map_err(errors::input)?;
        let packed = py.detach(|| self.packed().at(&model));
        Ok(Self {
            sizes: Sizes::new(packed.map_err(|error| errors::open(&error))?),
            options: self.options,
            source: self.source.clone(),
            report: self.report(py),
        })
    }

    fn __repr__(&self) -> String {
        let model = self.inner();
        format!(
            "<selfsame.Model {:?} {} {:?} -> {:?} on {}>",
            model.name(),
            model.id(),
            model.input().shape,
            model.output().shape,
            self.packed().name()
        )
    }
}

impl Port {
    fn new(port: &selfsame::Port) -> Self {
        Self {
            shape: port.shape.clone(),
            program_shape: port.program_shape.clone(),
            dtype: arrays::dtype_name(port),
        }
    }
}

#[pymethods]
impl Port {
    fn __repr__(&self) -> String {
        format!(
            "<selfsame.Port {:?} as {} {:?}>",
            self.shape, self.dtype, self.program_shape
        )
    }
}

//! ONNX bytes and a data set to a program, with the report of how good it is.
//!
//! ```text
//! rows of the data set:   [ calibration sees some of these | report only ]
//!                          0                                test_from
//! ```

use std::sync::Arc;

use selfsame_compiler::float::FloatGraph;
use selfsame_compiler::npz::{self, Array, ArrayData, NpzError};
use selfsame_compiler::onnx::OnnxModel;
use selfsame_compiler::{
    Calibration, Compiled, ImportReport, Options, Pixels, TestRows, TrainingRows, compile,
    import_report,
};
use selfsame_ir::{CheckedProgram, DimValues, Tensor};
use selfsame_runtime::{Kernel, Plan, Session};

use crate::failure::{Failure, Outcome};

/// How samples of eight bits become floats.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PixelArgs {
    /// 8-bit samples are divided by this, then normalised.
    #[arg(long, value_name = "X", default_value_t = 255.0)]
    divisor: f32,
    /// Mean of each channel, subtracted after the division.
    #[arg(
        long,
        value_name = "X,..",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
    mean: Vec<f32>,
    /// Deviation of each channel, divided by in the end.
    #[arg(long, value_name = "X,..", value_delimiter = ',')]
    deviation: Vec<f32>,
}

impl PixelArgs {
    /// Samples divided by 255.
    pub(crate) const UNIT: Self = Self {
        divisor: 255.0,
        mean: Vec::new(),
        deviation: Vec::new(),
    };

    /// The rule for pictures of `shape` [channels, height, width]; none for other shapes.
    pub(crate) fn pixels(&self, shape: &[usize]) -> Option<Pixels> {
        let &[channels, _, _] = shape else {
            return None;
        };
        let mut pixels = Pixels::unit(channels);
        pixels.divisor = self.divisor;
        if !self.mean.is_empty() {
            pixels.mean.clone_from(&self.mean);
        }
        if !self.deviation.is_empty() {
            pixels.deviation.clone_from(&self.deviation);
        }
        Some(pixels)
    }
}

/// A data set as rows of floats in the source model's order.
#[derive(Debug, Clone)]
pub(crate) struct DataSet {
    /// One sample each.
    pub(crate) rows: Vec<Vec<f32>>,
    /// Right classes, one for each row, or none at all.
    pub(crate) labels: Vec<i64>,
    /// Whether the file holds 8-bit samples.
    pub(crate) samples: bool,
}

impl DataSet {
    /// Reads array `x` (and labels `y`) of an npz archive for a model with inputs of `shape`.
    pub(crate) fn read(bytes: &[u8], shape: &[usize], args: &PixelArgs) -> Result<Self, String> {
        let array = npz::read_npz_array(bytes, "x").map_err(|error| error.to_string())?;
        let labels = match npz::read_npz_array(bytes, "y") {
            Ok(labels) => labels.to_i64().ok_or("array y holds no whole numbers")?,
            Err(NpzError::Missing { .. }) => Vec::new(),
            Err(error) => return Err(error.to_string()),
        };
        let elements: usize = shape.iter().product();
        let count = array.shape.first().copied().unwrap_or(0);
        if count == 0 || elements == 0 || count.checked_mul(elements) != Some(array.len()) {
            return Err(format!(
                "array x has shape {:?}; the model takes rows of {shape:?}",
                array.shape
            ));
        }
        if !labels.is_empty() && labels.len() != count {
            return Err(format!(
                "{} labels in y for {count} rows in x",
                labels.len()
            ));
        }
        let samples = matches!(array.data, ArrayData::U8(_));
        let values = floats(&array, shape, args)?;
        Ok(Self {
            rows: values.chunks_exact(elements).map(<[f32]>::to_vec).collect(),
            labels,
            samples,
        })
    }

    /// Labels from row `first` on.
    pub(crate) fn labels_from(&self, first: usize) -> &[i64] {
        self.labels.get(first..).unwrap_or_default()
    }
}

fn floats(array: &Array, shape: &[usize], args: &PixelArgs) -> Result<Vec<f32>, String> {
    let ArrayData::U8(samples) = &array.data else {
        return Ok(array.to_f32());
    };
    let Some(pixels) = args.pixels(shape) else {
        return Ok(samples
            .iter()
            .map(|&s| f32::from(s) / args.divisor)
            .collect());
    };
    let channels = shape.first().copied().unwrap_or(1);
    if pixels.mean.len() != channels || pixels.deviation.len() != channels {
        return Err(format!(
            "--mean and --deviation need {channels} numbers each"
        ));
    }
    let plane = shape.iter().skip(1).product::<usize>().max(1);
    let float = |(index, &sample): (usize, &u8)| pixels.float(index / plane % channels, sample);
    Ok(samples.iter().enumerate().map(float).collect())
}

/// The fused float graph of ONNX bytes.
pub(crate) fn float_graph(onnx: &[u8]) -> Outcome<FloatGraph> {
    let model = OnnxModel::decode(onnx).map_err(Failure::input)?;
    let graph = FloatGraph::from_onnx(&model).map_err(Failure::input)?;
    Ok(graph.fuse())
}

/// Compiles a fused graph, calibrated on at most `calibration_rows` rows before `test_from`.
pub(crate) fn import(
    graph: FloatGraph,
    data: &DataSet,
    test_from: usize,
    calibration_rows: usize,
    options: &Options,
) -> Outcome<Compiled> {
    let training = TrainingRows::before(&data.rows, test_from);
    let calibration = Calibration::collect(&graph, training, calibration_rows);
    let calibration = calibration.map_err(Failure::input)?;
    compile(graph, &calibration, options).map_err(Failure::input)
}

/// Float against exact on the rows from `test_from` on.
pub(crate) fn report(
    compiled: &Compiled,
    data: &DataSet,
    test_from: usize,
) -> Outcome<ImportReport> {
    let plan = Plan::new(&compiled.program, &DimValues::NONE, Kernel::best());
    let plan = Arc::new(plan.map_err(Failure::input)?);
    let rows = TestRows {
        rows: data.rows.get(test_from..).unwrap_or_default(),
        labels: data.labels_from(test_from),
    };
    let trace = |_: &CheckedProgram, input: Tensor| {
        let traced = Session::new(Arc::clone(&plan), 1).trace(&input);
        traced.map(|trace| trace.node_tensors).unwrap_or_default()
    };
    import_report(compiled, rows, trace).map_err(Failure::input)
}

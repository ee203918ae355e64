//! The import report.
//!
//! Float reference and exact program run on the same rows; every node of the program that stands
//! for a float value is compared with it.

use selfsame_ir::{CheckedProgram, NotANumber, Tensor};

use super::answers::Scatter;
use super::compare::{Comparison, Noise, compare, top1};
use super::mask::Masked;
use super::sizes::Sizes;
use crate::compile::Compiled;
use crate::float::RunError;
use crate::lower::Source;
use crate::quant::{map_rows, ratio_value};

/// Rows to report on, in the source model's order, with labels if there are any.
#[derive(Debug, Clone, Copy)]
pub struct TestRows<'a> {
    /// One float sample per row.
    pub rows: &'a [Vec<f32>],
    /// The right class of each row; empty if there are none.
    pub labels: &'a [i64],
}

/// Why there is no report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// No rows.
    #[error("no rows to report on")]
    NoRows,
    /// A row does not fit the model.
    #[error("row {row}: {error}")]
    Row {
        /// Index of the row.
        row: usize,
        /// Why.
        error: RunError,
    },
    /// A row holds a value that is not a number.
    #[error("row {row}: {error}")]
    NotANumber {
        /// Index of the row.
        row: usize,
        /// Which value.
        error: NotANumber,
    },
}

/// How good an import is.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportReport {
    /// Rows reported on.
    pub rows: usize,
    /// Rows that the float model answers right; `None` without labels.
    pub float_right: Option<usize>,
    /// Rows that the exact program answers right; `None` without labels.
    pub exact_right: Option<usize>,
    /// Answers of the program against those of the float model.
    pub comparison: Comparison,
    /// Answers to be drawn.
    pub scatter: Scatter,
    /// Every node that stands for a float value.
    pub layers: Vec<LayerReport>,
    /// Sizes.
    pub sizes: Sizes,
}

/// One node of the program against the float value that it stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerReport {
    /// Node of the program.
    pub node: usize,
    /// Name of the ONNX node.
    pub name: String,
    /// Operator of the program.
    pub op: &'static str,
    /// Signal-to-noise ratio in decibels.
    pub snr_db: f64,
}

/// Accuracy as a share of the rows.
pub(crate) fn share(count: usize, rows: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts of rows")]
    {
        count as f64 / rows.max(1) as f64
    }
}

impl ImportReport {
    /// Share of the rows that the float model answers right.
    pub fn float_accuracy(&self) -> Option<f64> {
        self.float_right.map(|right| share(right, self.rows))
    }

    /// Share of the rows that the exact program answers right.
    pub fn exact_accuracy(&self) -> Option<f64> {
        self.exact_right.map(|right| share(right, self.rows))
    }
}

/// What one row contributes.
struct RowResult {
    float: Vec<f32>,
    exact: Vec<f32>,
    layers: Vec<Noise>,
}

/// Runs float graph and program on `rows`. `trace` gives the outputs of all nodes of the program
/// for one input; any implementation of the program's meaning will do, the interpreter first.
pub fn import_report(
    compiled: &Compiled,
    rows: TestRows<'_>,
    trace: impl Fn(&CheckedProgram, Tensor) -> Vec<Tensor> + Sync,
) -> Result<ImportReport, ReportError> {
    if rows.rows.is_empty() {
        return Err(ReportError::NoRows);
    }
    let program = compiled.program.program();
    let mut readers = vec![Vec::new(); compiled.graph.nodes().len()];
    for (node, source) in compiled.sources.iter().enumerate() {
        if let Some(source) = source {
            readers[source.float].push((node, source));
        }
    }
    let bytes = compiled.graph.live_bytes() + compiled.graph.bytes();
    let results = map_rows(rows.rows, bytes, |_, row| {
        run_row(compiled, &readers, row, &trace)
    });
    let mut layers = vec![Noise::default(); program.nodes.len()];
    let (mut float, mut exact) = (Vec::new(), Vec::new());
    for (row, result) in results.into_iter().enumerate() {
        let result = result.map_err(|error| match error {
            RowError::Run(error) => ReportError::Row { row, error },
            RowError::NotANumber(error) => ReportError::NotANumber { row, error },
        })?;
        layers
            .iter_mut()
            .zip(&result.layers)
            .for_each(|(all, one)| all.merge(one));
        float.extend(result.float);
        exact.extend(result.exact);
    }
    let classes = float.len() / rows.rows.len();
    let right = |answers: &[f32]| {
        (rows.labels.len() == rows.rows.len()).then(|| {
            answers
                .chunks_exact(classes)
                .zip(rows.labels)
                .filter(|(answer, label)| usize::try_from(**label) == Ok(top1(answer)))
                .count()
        })
    };
    let named = compiled
        .sources
        .iter()
        .enumerate()
        .filter(|(_, source)| source.is_some());
    Ok(ImportReport {
        rows: rows.rows.len(),
        float_right: right(&float),
        exact_right: right(&exact),
        comparison: compare(&float, &exact, classes),
        scatter: Scatter::of(&float, &exact),
        layers: named
            .map(|(node, _)| LayerReport {
                node,
                name: program.notes.nodes.get(node).cloned().unwrap_or_default(),
                op: program.nodes[node].op.name(),
                snr_db: layers[node].snr_db(),
            })
            .collect(),
        sizes: Sizes::of(&compiled.program),
    })
}

enum RowError {
    Run(RunError),
    NotANumber(NotANumber),
}

/// `readers` are the nodes of the program that stand for each float node.
fn run_row(
    compiled: &Compiled,
    readers: &[Vec<(usize, &Source)>],
    row: &[f32],
    trace: &impl Fn(&CheckedProgram, Tensor) -> Vec<Tensor>,
) -> Result<RowResult, RowError> {
    compiled.graph.fit(row).map_err(RowError::Run)?;
    let input = compiled.quantize(row).map_err(RowError::NotANumber)?;
    let outputs = trace(&compiled.program, input);
    let mut layers = vec![Noise::default(); compiled.sources.len()];
    let compare = |float: usize, values: &mut [f32]| {
        for &(node, source) in &readers[float] {
            if let Some(output) = outputs.get(node) {
                let masked = Masked::of(&compiled.program.nodes()[node].op);
                layers[node] = noise_of(values, source, output, masked);
            }
        }
    };
    let float = compiled.graph.run_with(row, compare);
    let float = float.map_err(RowError::Run)?;
    let answer = &outputs[compiled.program.program().output as usize];
    let exact = dequantised(compiled, answer);
    Ok(RowResult {
        float,
        exact,
        layers,
    })
}

/// The real numbers that an output tensor stands for, in the source model's order.
pub(super) fn dequantised(compiled: &Compiled, answer: &Tensor) -> Vec<f32> {
    let interface = &compiled.program.program().interface;
    let scale = ratio_value(interface.output_scale);
    let mut exact = vec![0.0; answer.len()];
    for (index, q) in interface.output.source_indices().zip(answer.iter()) {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "answers are shown in single precision"
        )]
        {
            exact[index] = (f64::from(q) * scale) as f32;
        }
    }
    exact
}

/// What the integers of a node add to the float values that they stand for.
fn noise_of(values: &[f32], source: &Source, output: &Tensor, masked: Masked) -> Noise {
    let mut noise = Noise::default();
    for (index, q) in source.order().into_iter().zip(output.iter()) {
        let value = f64::from(values[index]);
        if !masked.takes_out(value, q) {
            noise.add(value, f64::from(q) * source.step);
        }
    }
    noise
}

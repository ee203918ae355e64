//! One case of ONNX's node tests through everything: import, calibration on its own inputs,
//! program, interpreter and runtime, and the answer against the expected one.

#![allow(dead_code, reason = "the test and the example use a part each")]

use selfsame_compiler::float::{FloatGraph, ImportError, ImportOptions};
use selfsame_compiler::onnx::OnnxModel;
use selfsame_compiler::{Calibration, Compiled, Moved, Options, TrainingRows, compile};
use selfsame_ir::DimValues;
use selfsame_runtime::{Kernel, Plan, Session};

/// Largest difference of the float graph, as a part of the largest answer.
const DIFFERENCE_MAX: f32 = 1e-4;

/// A case in one spelling.
pub(crate) struct Case {
    /// The ONNX file.
    pub(crate) model: Vec<u8>,
    /// Whether the leading axis is the batch.
    pub(crate) has_batch: bool,
    /// Inputs, one sample behind the other.
    pub(crate) x: Vec<f32>,
    /// The expected answers.
    pub(crate) y: Vec<f32>,
}

/// What became of a spelling; a better one is smaller.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    /// Within one step of the answer and what the moved values make of it.
    Passes(Moved),
    /// Float agrees, the program is further away than all that: by so many steps of the answer.
    Beyond {
        /// Of the worst element.
        steps: f32,
        /// The allowance of that element, in steps.
        allowed: f32,
    },
    /// The float graph differs by this part of the largest answer.
    FloatDiffers(f32),
    /// Refused, at the stage and with the reason.
    Refused(&'static str, String),
}

impl Outcome {
    /// Whether it is as good as another one or better.
    pub(crate) fn is_as_good_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::FloatDiffers(own), Self::FloatDiffers(other)) => own <= other,
            _ => self.rank() <= other.rank(),
        }
    }

    /// Smaller is better; of two refusals that is further which comes later.
    fn rank(&self) -> u8 {
        match self {
            Self::Passes(Moved::Inputs) => 0,
            Self::Passes(Moved::Weights) => 1,
            Self::Passes(Moved::Inner) => 2,
            Self::Beyond { .. } => 3,
            Self::FloatDiffers(_) => 4,
            Self::Refused("compile", _) => 5,
            Self::Refused("calibration", _) => 6,
            Self::Refused("operator", _) => 7,
            Self::Refused("output", _) => 8,
            Self::Refused(..) => 9,
        }
    }
}

/// The case through everything.
///
/// # Panics
///
/// If the runtime has other bits than the interpreter.
pub(crate) fn run(case: &Case) -> Outcome {
    let graph = match imported(case) {
        Ok(graph) => graph,
        Err((stage, reason)) => return Outcome::Refused(stage, reason),
    };
    let elements = graph.sample_elements();
    let rows: Vec<Vec<f32>> = case.x.chunks_exact(elements).map(<[f32]>::to_vec).collect();
    let mut worst = 0.0_f32;
    for graph in [graph.clone(), graph.clone().fuse()] {
        let found = graph
            .run_rows(&rows)
            .expect("rows of its elements")
            .concat();
        worst = worst.max(difference(&found, &case.y));
    }
    if worst > DIFFERENCE_MAX {
        return Outcome::FloatDiffers(worst);
    }
    let graph = graph.fuse();
    let seen = TrainingRows::before(&rows, rows.len());
    let calibration = match Calibration::collect(&graph, seen, rows.len()) {
        Ok(calibration) => calibration,
        Err(error) => return Outcome::Refused("calibration", error.to_string()),
    };
    let compiled = match compile(graph, &calibration, &Options::default()) {
        Ok(compiled) => compiled,
        Err(error) => return Outcome::Refused("compile", error.to_string()),
    };
    judged(&compiled, &rows, &case.y)
}

fn imported(case: &Case) -> Result<FloatGraph, (&'static str, String)> {
    let model = OnnxModel::decode(&case.model).map_err(|error| ("reader", error.to_string()))?;
    let options = ImportOptions {
        no_batch: !case.has_batch,
        ..ImportOptions::default()
    };
    let graph = FloatGraph::import(&model, &options).map_err(|error| match error {
        ImportError::Unsupported(refusal) => {
            ("operator", format!("{}: {}", refusal.op, refusal.what))
        }
        ImportError::Output { .. } => ("output", error.to_string()),
        ImportError::Count { .. }
        | ImportError::Dimension { .. }
        | ImportError::Axis { .. }
        | ImportError::Array { .. }
        | ImportError::Extents(_)
        | ImportError::Shape { .. }
        | ImportError::NoInput { .. }
        | ImportError::Nodes { .. }
        | ImportError::Input { .. } => ("input", error.to_string()),
    })?;
    Ok(graph.with_first_output())
}

/// The largest difference, as a part of the largest answer, which counts as 1 at least.
fn difference(found: &[f32], wanted: &[f32]) -> f32 {
    if found.len() != wanted.len() {
        return f32::INFINITY;
    }
    let finite = wanted.iter().filter(|v| v.is_finite());
    let scale = finite.fold(1.0_f32, |most, v| most.max(v.abs()));
    let mut worst = 0.0_f32;
    for (f, w) in found.iter().zip(wanted) {
        let same = f.to_bits() == w.to_bits() || (f.is_nan() && w.is_nan());
        let apart = if same { 0.0 } else { (f - w).abs() / scale };
        worst = worst.max(if apart.is_nan() { f32::INFINITY } else { apart });
    }
    worst
}

/// The program's answers against the expected ones.
fn judged(compiled: &Compiled, rows: &[Vec<f32>], wanted: &[f32]) -> Outcome {
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        match answer(compiled, row) {
            Ok(answer) => found.push(answer),
            Err(reason) => return Outcome::Refused("compile", reason),
        }
    }
    let wanted: Vec<&[f32]> = wanted.chunks_exact(wanted.len() / rows.len()).collect();
    #[expect(
        clippy::cast_possible_truncation,
        reason = "counted in steps for people"
    )]
    let step = compiled.answer_step() as f32;
    let mut beyond = (0.0, 0.0);
    for moved in [Moved::Inputs, Moved::Weights, Moved::Inner] {
        beyond = (0.0, 0.0);
        for (index, row) in rows.iter().enumerate() {
            let allowed = compiled
                .allowance(row, moved)
                .expect("a row of its elements");
            for ((f, w), most) in found[index].iter().zip(wanted[index]).zip(allowed) {
                let apart = (f - w).abs();
                // What is no number is further away than everything.
                let steps = if apart.is_nan() {
                    f32::INFINITY
                } else {
                    apart / step
                };
                if steps > most / step && steps > beyond.0 {
                    beyond = (steps, most / step);
                }
            }
        }
        if beyond.0 == 0.0 {
            return Outcome::Passes(moved);
        }
    }
    Outcome::Beyond {
        steps: beyond.0,
        allowed: beyond.1,
    }
}

/// The program's answer to one row, by the interpreter and by the runtime.
fn answer(compiled: &Compiled, row: &[f32]) -> Result<Vec<f32>, String> {
    let input = compiled.quantize(row).map_err(|error| error.to_string())?;
    let plan = Plan::new(&compiled.program, &DimValues::NONE, Kernel::best());
    let plan = plan.map_err(|error| error.to_string())?;
    let fast = Session::new(plan.into(), 1).trace(&input);
    let fast = fast.map_err(|error| error.to_string())?;
    let slow = selfsame_interpreter::run(&compiled.program, &DimValues::NONE, input);
    let slow = slow.map_err(|error| error.to_string())?.into_outputs();
    assert_eq!(
        fast.node_tensors, slow,
        "the runtime has the interpreter's bits"
    );
    let output = compiled.program.program().output as usize;
    Ok(compiled.answer(&slow[output]))
}

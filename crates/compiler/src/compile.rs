//! The compilation as a whole: a fused float graph and its calibration become a checked program.

use selfsame_ir::{CheckedProgram, DType, DimValues, NotANumber, Tensor};

use crate::float::FloatGraph;
use crate::lower::{
    CompileError, ConstantSteps, Lowered, Narrowed, Options, Source, agrees, join, lower, widths,
};
use crate::quant::Calibration;
use crate::segments::checked;

/// A dimension of the source model that the program keeps open: its values are bound by a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenDimension {
    /// Name in the source model.
    pub name: String,
    /// Smallest value.
    pub minimum: u32,
    /// Largest value.
    pub maximum: u32,
}

/// A compiled model: the program, and what the report needs to compare it with its source.
#[derive(Debug, Clone)]
pub struct Compiled {
    /// The exact program.
    pub program: CheckedProgram,
    /// The fused float graph that it was made from.
    pub graph: FloatGraph,
    /// Values of the program's symbols that the graph has.
    pub values: DimValues,
    pub(crate) sources: Vec<Option<Source>>,
    pub(crate) narrowed: Vec<Narrowed>,
}

/// Compiles a fused graph ([`FloatGraph::fuse`]) with the calibration collected on it.
///
/// The same graph, calibration and options give the same program, byte for byte, on every machine:
/// no sum depends on the number of threads and no number comes from a mathematics library.
pub fn compile(
    graph: FloatGraph,
    calibration: &Calibration,
    options: &Options,
) -> Result<Compiled, CompileError> {
    let wide = widths(&graph, calibration)?;
    let mut steps = ConstantSteps::default();
    let lowered = lower(&graph, calibration, &wide, options, &mut steps)?;
    let program = checked(lowered.program)?;
    Ok(Compiled {
        program,
        graph,
        values: DimValues::NONE,
        sources: lowered.sources,
        narrowed: lowered.narrowed,
    })
}

/// Compiles a model for every value of one dimension.
///
/// `graph` is the fused graph at value `at`, with its calibration; `other` makes it at other values.
/// The program is lowered at two values, joined, and compared with the one lowered at `at` and at
/// the smallest value.
pub fn compile_open<E: From<CompileError>>(
    graph: FloatGraph,
    at: u32,
    calibration: &Calibration,
    dimension: &OpenDimension,
    options: &Options,
    other: impl Fn(u32) -> Result<FloatGraph, E>,
) -> Result<Compiled, E> {
    let OpenDimension {
        name,
        minimum,
        maximum,
    } = dimension;
    let refuse = |what: String| CompileError::Symbol {
        symbol: name.clone(),
        node: "(all)".to_owned(),
        what,
    };
    if *minimum == 0 || at < *minimum || *maximum < at || minimum == maximum {
        let what = format!("the bounds {minimum}..={maximum} with samples of {at}");
        return Err(refuse(what).into());
    }
    let wide = widths(&graph, calibration)?;
    let mut steps = ConstantSteps::default();
    let mut lowered = |graph: &FloatGraph| lower(graph, calibration, &wide, options, &mut steps);
    let lower_end = if at < *maximum {
        at
    } else {
        minimum.midpoint(*maximum)
    };
    // The longest first: the steps of its constants serve all others.
    let long = lowered(&other(*maximum)?)?.program;
    let here = lowered(&graph)?;
    let mut beside = |value| -> Result<Option<Lowered>, E> {
        if value == at {
            return Ok(None);
        }
        Ok(Some(lowered(&other(value)?)?))
    };
    let (short, least) = (beside(lower_end)?, beside(*minimum)?);
    let [short, least] = [&short, &least].map(|found| &found.as_ref().unwrap_or(&here).program);
    let joined = join(name, (lower_end, short), (*maximum, long), *minimum)?;
    for (value, lowered) in [(at, &here.program), (*minimum, least)] {
        if !agrees(&joined, value, lowered) {
            return Err(refuse(format!("the program at {value} has another form")).into());
        }
    }
    let program = checked(joined).map_err(CompileError::from)?;
    Ok(Compiled {
        program,
        graph,
        values: DimValues(vec![at]),
        sources: here.sources,
        narrowed: here.narrowed,
    })
}

impl Compiled {
    /// The integers of one float sample in the source model's order.
    ///
    /// # Panics
    ///
    /// If the sample has not as many elements as the model's input.
    pub fn quantize(&self, sample: &[f32]) -> Result<Tensor, NotANumber> {
        let interface = &self.program.program().interface;
        let dtype = self.program.node(0).map_or(DType::I8, |input| input.dtype);
        // At the symbols' values the layout is that of the sample: an only input, or a flat tensor.
        let indices: Box<dyn Iterator<Item = usize>> = if self.values == DimValues::NONE {
            Box::new(interface.input.source_indices())
        } else {
            Box::new(0..sample.len())
        };
        let values: Result<Vec<i32>, NotANumber> = indices
            .map(|index| {
                interface
                    .input_scale
                    .quantize(sample[index].to_bits(), dtype)
            })
            .collect();
        Ok(Tensor::from_values(dtype, &values?).expect("quantize clamps to the type"))
    }
}

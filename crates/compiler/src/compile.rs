//! The compilation as a whole: a fused float graph and its calibration become a checked program.

use selfsame_ir::{CheckedProgram, DType, DimValues, NotANumber, Tensor};

use crate::float::FloatGraph;
use crate::lower::{CompileError, Constants, Narrowed, Options, Source, lower, widths};
use crate::quant::Calibration;
use crate::segments::checked;

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
    let wide = widths(&graph, calibration, options.pixels.is_some())?;
    let mut constants = Constants::default();
    let lowered = lower(&graph, calibration, &wide, options, &mut constants)?;
    let program = checked(lowered.program)?;
    Ok(Compiled {
        program,
        graph,
        values: DimValues::NONE,
        sources: lowered.sources,
        narrowed: lowered.narrowed,
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

//! Programs for every value of a dimension: the model lowered at a few values, and joined.

use selfsame_ir::DimValues;

use crate::compile::Compiled;
use crate::float::FloatGraph;
use crate::lower::{
    AtValue, CompileError, Constants, Growth, Lowered, Options, Widths, join, lower, widths,
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

/// Compiles a model for every value of one dimension.
///
/// `graph` is the fused graph at value `at`, with its calibration; `other` makes it at other values.
/// The program is lowered at three values, of which `at` and the smallest are two, and joined. Where
/// constants are in the way, they are cut out of the longest ones.
pub fn compile_open<E: From<CompileError>>(
    graph: FloatGraph,
    at: u32,
    calibration: &Calibration,
    dimension: &OpenDimension,
    options: &Options,
    other: impl Fn(u32) -> Result<FloatGraph, E>,
) -> Result<Compiled, E> {
    let OpenDimension {
        minimum, maximum, ..
    } = dimension;
    if *minimum == 0 || at < *minimum || *maximum < at || minimum == maximum {
        let what = format!("the bounds {minimum}..={maximum} with samples of {at}");
        return Err(dimension.refused(what).into());
    }
    let values = Values {
        wide: widths(&graph, calibration, options.pixels.is_some())?,
        graph: &graph,
        at,
        calibration,
        dimension,
        options,
        other,
    };
    let (mut found, seen) = values.joined(Constants::default())?;
    if found.is_err()
        && let Some(growth) = Growth::of(&seen)
    {
        (found, _) = values.joined(Constants::growing(growth))?;
    }
    let lowered = found?;
    let program = checked(lowered.program).map_err(CompileError::from)?;
    Ok(Compiled {
        program,
        graph,
        values: DimValues(vec![at]),
        sources: lowered.sources,
        narrowed: lowered.narrowed,
    })
}

/// A model at several values of a dimension.
struct Values<'a, F> {
    graph: &'a FloatGraph,
    /// The value at which `graph` is the model.
    at: u32,
    calibration: &'a Calibration,
    wide: Widths,
    dimension: &'a OpenDimension,
    options: &'a Options,
    other: F,
}

/// The program for all values, and what its nodes stand for at that of the data.
type Joined = Result<Lowered, CompileError>;

impl<E: From<CompileError>, F: Fn(u32) -> Result<FloatGraph, E>> Values<'_, F> {
    /// The program for all values, and what the model has at each value, the largest first.
    fn joined(&self, mut shared: Constants) -> Result<(Joined, Vec<AtValue>), E> {
        let (mut programs, mut seen, mut here) = (Vec::new(), Vec::new(), None);
        for value in self.dimension.probed(self.at) {
            let made;
            let graph = if value == self.at {
                self.graph
            } else {
                made = (self.other)(value)?;
                &made
            };
            seen.push(AtValue::of(graph));
            let (own, other) = (self.graph.nodes().len(), graph.nodes().len());
            if own != other {
                let at = self.at;
                let what = format!("its graph has {other} nodes at {value}, and {own} at {at}");
                return Ok((Err(self.dimension.refused(what)), seen));
            }
            let (calibration, wide) = (self.calibration, &self.wide);
            let lowered = lower(graph, calibration, wide, self.options, &mut shared)?;
            programs.push((value, lowered.program));
            if value == self.at {
                here = Some((lowered.sources, lowered.narrowed));
            }
        }
        let joined = join(&self.dimension.name, programs).map(|program| {
            let (sources, narrowed) = here.expect("the value of the data is one of them");
            Lowered {
                program,
                sources,
                narrowed,
            }
        });
        Ok((joined, seen))
    }
}

impl OpenDimension {
    /// Why the model as a whole does not stay open along it.
    fn refused(&self, what: String) -> CompileError {
        CompileError::Symbol {
            symbol: self.name.clone(),
            node: "(all)".to_owned(),
            what,
        }
    }

    /// Values at which the model is lowered: the largest, whose steps of constants serve all others, then
    /// one in between that is that of the data if it can be, then the smallest.
    fn probed(&self, at: u32) -> Vec<u32> {
        let inside = if at == self.minimum || at == self.maximum {
            self.minimum.midpoint(self.maximum)
        } else {
            at
        };
        let mut values = vec![self.maximum, inside, self.minimum];
        values.dedup();
        values
    }
}

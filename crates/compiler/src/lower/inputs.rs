//! The program's one input, and where each input of the model stands in it.
//!
//! Several inputs of one shape are the rows of one tensor, of different shapes they stand behind one
//! another. Whole numbers (token ids, masks) are int32 as they are; beside real numbers all are in
//! units of a power of two. Features of very different sizes are int32, too.

use selfsame_ir::{DType, Dim, InputSpec, Move, Op, Walk};
use selfsame_protocol::constants::RANK_MAX;

use super::emit::{Place, fit};
use super::error::CompileError;
use super::layout::Layout;
use super::program::Lowering;
use crate::float::{FloatOp, InputKind};
use crate::quant::{INT8_LEVELS, INT16_LEVELS, input_ratio, output_ratio, ratio_value};

/// Integer of the largest feature that calibration saw; others are smaller by what their sizes differ.
const FEATURE_LEVELS: f64 = 536_870_912.0;

/// The program's input as the interface describes it.
#[derive(Debug, Clone)]
pub(super) struct ProgramInput {
    pub(super) place: Place,
    /// Shape for users: that of the only input, or of all in one tensor.
    pub(super) shape: Vec<usize>,
}

impl Lowering<'_> {
    /// Makes INPUT, and the places of the model's inputs.
    pub(super) fn inputs(&mut self) -> Result<(), CompileError> {
        let count = self.graph.inputs().len();
        if count == 1 {
            return self.only_input();
        }
        let inputs = self.graph.inputs().to_vec();
        let (dtype, step) = self.joint_type()?;
        let alike = inputs.iter().all(|input| input.shape == inputs[0].shape);
        let lengths: Vec<usize> = inputs.iter().map(|i| i.shape.iter().product()).collect();
        let shape = if alike {
            vec![count, lengths[0]]
        } else {
            vec![lengths.iter().sum()]
        };
        let total = lengths.iter().sum();
        let name = inputs
            .iter()
            .map(|i| i.name.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        let place = self.push_input(&name, &shape, (Layout::flat(total), dtype, step))?;
        let mut offset = 0;
        for (index, (input, length)) in inputs.iter().zip(&lengths).enumerate() {
            let part = if alike { (index, 1) } else { (offset, *length) };
            offset += length;
            let op = slice(&input.name, &shape, part)?;
            let target = (Layout::flat(*length), dtype, step);
            let part = self
                .emitter
                .push(&input.name, op, vec![place.node], target, Some(index))?;
            self.places[index] = Some(part);
        }
        self.input = Some(ProgramInput { place, shape });
        Ok(())
    }

    fn only_input(&mut self) -> Result<(), CompileError> {
        let node = self.node(0).clone();
        let (dtype, levels) = match self.graph.inputs()[0].kind {
            InputKind::Index => (DType::I32, 0.0),
            InputKind::Float if self.graph.input_is_features() => (DType::I32, FEATURE_LEVELS),
            InputKind::Float if self.input_is_wide() => (DType::I16, INT16_LEVELS),
            InputKind::Float => (DType::I8, INT8_LEVELS),
        };
        // Inputs are not clipped: what users send is not bound to the training rows.
        let largest = self.calibration.largest(0);
        let step = if largest == 0.0 || levels == 0.0 {
            1.0
        } else {
            largest / levels
        };
        let ratio = input_ratio(1.0 / step, dtype).ok_or_else(|| self.no_scale(0))?;
        let step = 1.0 / ratio_value(ratio);
        let (layout, shape) = match *node.shape.as_slice() {
            [c, h, w] if dtype == DType::I8 || self.is_sensitive() => {
                (Layout::image(c, h, w), vec![h, w, c])
            }
            _ => (Layout::flat(node.elements()), held(&node.shape)),
        };
        let place = self.push_input(&node.name, &shape, (layout, dtype, step))?;
        self.places[0] = Some(place.clone());
        self.input = Some(ProgramInput {
            place,
            shape: held(&node.shape),
        });
        Ok(())
    }

    fn push_input(
        &mut self,
        name: &str,
        shape: &[usize],
        place: (Layout, DType, f64),
    ) -> Result<Place, CompileError> {
        let shape = shape.iter().map(|&d| Ok(Dim::fixed(fit(name, d)?)));
        let spec = InputSpec {
            shape: shape.collect::<Result<_, CompileError>>()?,
        };
        self.emitter
            .push(name, Op::Input(spec), Vec::new(), place, None)
    }

    /// In a network of rows only what convolutions read is int8; a network that needs finer weights
    /// has its input as fine, but for pictures, whose samples are int8.
    fn input_is_wide(&self) -> bool {
        let reads = |&reader: &usize| matches!(self.node(reader).op, FloatOp::Conv(..));
        let of_rows = self.graph.is_of_rows() && !self.readers_of(0).iter().all(reads);
        of_rows || self.is_sensitive() && !self.takes_pictures
    }

    /// int32; step 1, or beside real numbers the power of two that gives the largest of them 14 bits.
    fn joint_type(&self) -> Result<(DType, f64), CompileError> {
        let mut step = 1.0_f64;
        for (index, input) in self.graph.inputs().iter().enumerate() {
            let largest = self.calibration.largest(index);
            if input.kind == InputKind::Float && largest > 0.0 {
                let finest = output_ratio(largest / INT16_LEVELS);
                step = step.min(ratio_value(finest.ok_or_else(|| self.no_scale(index))?));
            }
        }
        Ok((DType::I32, step))
    }
}

/// A shape as the program format holds it: one of more axes is a list.
pub(super) fn held(shape: &[usize]) -> Vec<usize> {
    if shape.len() <= usize::from(RANK_MAX) {
        shape.to_vec()
    } else {
        vec![shape.iter().product()]
    }
}

/// Cells `first..first + length` of the first axis.
fn slice(name: &str, shape: &[usize], (first, length): (usize, usize)) -> Result<Op, CompileError> {
    let mut walks = Vec::with_capacity(shape.len());
    for (at, &extent) in shape.iter().enumerate() {
        let (offset, extent) = if at == 0 {
            (first, length)
        } else {
            (0, extent)
        };
        walks.push(Walk {
            source: fit(name, at)?,
            exact: false,
            numerator: 1,
            offset: fit(name, offset)?,
            denominator: 1,
            extent: Dim::fixed(fit(name, extent)?),
        });
    }
    let shape = shape.iter().map(|&d| Ok(Dim::fixed(fit(name, d)?)));
    Ok(Op::Move(Move {
        walks,
        shape: shape.collect::<Result<_, CompileError>>()?,
        fill: 0,
    }))
}

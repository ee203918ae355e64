//! Views of activations, and the ways in which a node asks for a shape.

use super::super::act::{Act, Batch, Frame};
use super::super::constant::{Const, Value, product};
use super::super::error::ImportError;
use super::super::graph::{FloatOp, INPUT_ELEMENTS_MAX};
use super::super::symbolic::SymInt;
use super::{Imported, Kind, NodeContext};

/// An operand that only moves: an activation, or whole numbers that stand for themselves.
pub(super) struct Source {
    /// The activation; of whole numbers their positions.
    pub(super) act: Act,
    /// The whole numbers.
    ints: Option<Vec<SymInt>>,
}

impl NodeContext<'_> {
    /// Node `input` in another shape of as many elements.
    pub(super) fn view(&mut self, input: usize, shape: Vec<usize>) -> Result<usize, ImportError> {
        if shape == self.shape_of(input) {
            return Ok(input);
        }
        if product(&shape) != product(self.shape_of(input)) {
            return Err(self.unknown_target());
        }
        self.push(FloatOp::Reshape, vec![input], shape)
    }

    /// `act` under other dimensions and another place of the batch; the elements stay in order.
    pub(super) fn framed(&mut self, act: &Act, frame: Frame) -> Result<Act, ImportError> {
        let node = self.view(act.node, frame.shape())?;
        Ok(Act {
            node,
            dims: frame.dims,
            batch: frame.batch,
            kind: act.kind,
        })
    }

    /// `act` without a batch axis, which only a file of batch size 1 allows.
    pub(super) fn settled(&mut self, act: &Act, what: String) -> Result<Act, ImportError> {
        if act.batch == Batch::Absent {
            return Ok(act.clone());
        }
        if self.importer.batch.known().is_none() {
            return Err(self.mixes_samples(what));
        }
        let frame = Frame {
            dims: act.dims.clone(),
            batch: Batch::Absent,
        };
        self.framed(act, frame)
    }

    /// `act` with none of `axes` being the batch or having a part in it.
    pub(super) fn apart(&mut self, act: &Act, axes: &[usize]) -> Result<Act, ImportError> {
        match act.batch.axis() {
            Some(axis) if axes.contains(&axis) => {
                self.settled(act, format!("{} along the batch axis", self.node.op))
            }
            Some(_) | None => Ok(act.clone()),
        }
    }

    /// Input `index` with the batch in front: the node of the shape behind it.
    pub(super) fn front(&mut self, index: usize) -> Result<usize, ImportError> {
        let act = self.act(index)?;
        let leads = act.dims.len() > 1 && act.dims.first() == Some(&1);
        let shape = act.dims.get(1..).unwrap_or_default().to_vec();
        match act.batch {
            Batch::Own(0) if leads => Ok(act.node),
            Batch::Absent if leads => self.view(act.node, shape),
            Batch::Own(_) if leads && self.importer.batch.known().is_some() => {
                self.view(act.node, shape)
            }
            Batch::Own(_) | Batch::Part { .. } | Batch::Absent => Err(self.refuse(
                format!(
                    "input {index} of shape {:?} (with 1 for the batch) holds several pictures or lines of a sample, or has the batch elsewhere",
                    act.dims
                ),
                "one picture or line of each sample, behind the batch",
                "put the pictures behind one another along an axis, or make this part a model of its own that runs for each of them",
            )),
        }
    }

    /// A node as a value with the batch in front of its shape.
    pub(super) fn behind_batch(&self, node: usize, kind: Kind) -> Value {
        let frame = Frame::front(self.shape_of(node));
        self.done(node, frame, kind)
    }

    /// Input `index` as something that moves.
    pub(super) fn source(&mut self, index: usize) -> Result<Source, ImportError> {
        let ints = match self.value(index)?.clone() {
            Value::Activation(_) | Value::Float(_) => None,
            Value::Int(c) => Some(c),
        };
        let Some(c) = ints else {
            return Ok(Source {
                act: self.act(index)?,
                ints: None,
            });
        };
        let act = self.positions(&c, 0)?;
        Ok(Source {
            act,
            ints: Some(c.elements.to_vec()),
        })
    }

    /// The positions of the elements of `c`, from `first` on.
    pub(super) fn positions(
        &mut self,
        c: &Const<SymInt>,
        first: usize,
    ) -> Result<Act, ImportError> {
        #[expect(clippy::cast_precision_loss, reason = "positions stay below 2^24")]
        let positions = (first..first + c.elements.len()).map(|i| i as f32);
        let positions: Vec<f32> = positions.collect();
        if first + positions.len() > INPUT_ELEMENTS_MAX {
            return Err(self.refuse(
                format!("{} whole numbers", first + positions.len()),
                "16777216 whole numbers",
                "let the exporter fold constants",
            ));
        }
        self.constant_act(c.dims.clone(), positions, Kind::Int)
    }

    /// A moved operand as the value of an output.
    pub(super) fn moved(&self, ints: Option<&[SymInt]>, act: Act) -> Imported {
        let (Some(ints), Some(positions)) = (ints, self.constant_of(act.node)) else {
            return Ok(self.value_of(act));
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positions below 2^24"
        )]
        let picked = positions.iter().map(|&at| ints.get(at as usize).copied());
        let picked: Option<Vec<SymInt>> = picked.collect();
        let picked = picked.ok_or_else(|| self.unknown_target())?;
        Ok(Value::Int(Const::new(act.dims, picked)))
    }
}

impl Source {
    /// The whole numbers, if it is some.
    pub(super) fn ints(&self) -> Option<&[SymInt]> {
        self.ints.as_deref()
    }
}

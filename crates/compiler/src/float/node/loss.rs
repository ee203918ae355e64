//! Import of `LogSoftmax` and of the losses over it, whose targets are constants.
//!
//! ```text
//! log softmax   d = x - max x;  y = d - ln sum e^d
//! loss          -sum over classes of weight[target] * log p, for each target; their mean counts
//!               each target by its weight
//! ```
//!
//! Source: ONNX operators, `LogSoftmax`, `NegativeLogLikelihoodLoss`, `SoftmaxCrossEntropyLoss`.

use super::super::act::{Act, Frame, Kind};
use super::super::error::ImportError;
use super::super::function::{Function, Primitive};
use super::super::graph::{Arithmetic, FloatOp, ReduceKind};
use super::{Imported, NodeContext};

impl NodeContext<'_> {
    /// The logarithm of softmax along one axis; before opset 13 over all axes from it on.
    pub(super) fn log_softmax(&mut self) -> Imported {
        self.allow(&["axis"])?;
        let act = self.act(0)?;
        let rank = act.dims.len();
        let old = self.importer.opset < 13;
        let axis = self.axis(self.int("axis", if old { 1 } else { -1 })?, rank)?;
        let axes: Vec<usize> = (axis..if old { rank } else { axis + 1 }).collect();
        let result = self.log_softmax_of(&act, &axes)?;
        Ok(self.value_of(result))
    }

    fn log_softmax_of(&mut self, act: &Act, axes: &[usize]) -> Result<Act, ImportError> {
        let function = |primitive| FloatOp::Function(Function::primitive(primitive));
        let largest = self.reduced(act, axes, ReduceKind::Max)?;
        let below = self.pair_of(Arithmetic::Sub, act, &largest)?;
        let powers = self.mapped(function(Primitive::Exp), &below)?;
        let sum = self.reduced(&powers, axes, ReduceKind::Sum)?;
        let logarithm = self.mapped(function(Primitive::Log), &sum)?;
        self.pair_of(Arithmetic::Sub, &below, &logarithm)
    }

    /// Negative log likelihood of `[N][C]..` for constant targets `[N]..`, of logarithms or, as
    /// cross entropy, of scores.
    pub(super) fn loss(&mut self) -> Imported {
        self.allow(&["ignore_index", "reduction"])?;
        let mut act = self.act(0)?;
        let outer = act.dims.clone();
        let (Some(rest), [samples, classes, ..]) = (outer.get(2..), outer.as_slice()) else {
            return Err(self.unknown_target());
        };
        let inner: Vec<usize> = (2..outer.len()).collect();
        act = self.apart(&act, &inner)?;
        let frame = Frame {
            dims: vec![*samples, *classes, rest.iter().product()],
            batch: act.batch,
        };
        act = self.framed(&act, frame)?;
        if self.node.op == "SoftmaxCrossEntropyLoss" {
            act = self.log_softmax_of(&act, &[1])?;
        }
        let weights = self.target_weights(act.dims[1])?;
        let total: f32 = weights.iter().sum();
        let mask = target_mask(&act.dims, &self.known_ints(1)?, &weights);
        let mask = mask.ok_or_else(|| {
            self.refuse(
                format!("targets that do not fit the shape {:?}", act.dims),
                "constant targets [N].. for [N][C]..",
                "check the model with onnx.checker",
            )
        })?;
        let mask = self.constant_act(act.dims.clone(), mask, Kind::Float)?;
        let picked = self.pair_of(Arithmetic::Mul, &act, &mask)?;
        let reduction = self.text("reduction", "mean")?;
        if reduction == "none" {
            let loss = self.reduced(&picked, &[1], ReduceKind::Sum)?;
            let frame = Frame {
                dims: [&[*samples], rest].concat(),
                batch: loss.batch,
            };
            let loss = self.framed(&loss, frame)?;
            return Ok(self.value_of(loss));
        }
        let axes: Vec<usize> = (0..act.dims.len()).collect();
        let mut loss = self.reduced(&picked, &axes, ReduceKind::Sum)?;
        if reduction == "mean" {
            loss = self.scaled(&loss, 1.0 / total, 0.0)?;
        }
        let loss = self.without_axes(&loss, &axes)?;
        Ok(self.value_of(loss))
    }

    /// How much each target counts.
    fn target_weights(&self, classes: usize) -> Result<Vec<f32>, ImportError> {
        let ignored = match self.attribute("ignore_index") {
            None => None,
            Some(_) => Some(self.int("ignore_index", 0)?),
        };
        let weights = if self.has(2) {
            Some(self.float_constant(2)?)
        } else {
            None
        };
        let of = |target: &i64| {
            if ignored == Some(*target) {
                return Some(0.0);
            }
            let class = usize::try_from(*target).ok().filter(|&c| c < classes)?;
            match &weights {
                Some(weights) => weights.elements.get(class).copied(),
                None => Some(1.0),
            }
        };
        let counted: Option<Vec<f32>> = self.known_ints(1)?.iter().map(of).collect();
        counted.ok_or_else(|| {
            self.refuse(
                format!("targets or weights that do not fit {classes} classes"),
                "constant targets of the classes, one weight for each class",
                "check the model with onnx.checker",
            )
        })
    }
}

/// Minus the weight at each target of `[N][C]..`, 0 elsewhere; `None` if there are not as many targets
/// as places without the axis of the classes.
fn target_mask(dims: &[usize], targets: &[i64], weights: &[f32]) -> Option<Vec<f32>> {
    let (classes, inner) = (dims[1], dims[2..].iter().product::<usize>());
    if targets.len() != dims[0] * inner || weights.len() != targets.len() {
        return None;
    }
    let mut mask = vec![0.0; dims[0] * classes * inner];
    for (at, (&target, &weight)) in targets.iter().zip(weights).enumerate() {
        // A target that is left out may be no class at all.
        if weight != 0.0 {
            let class = usize::try_from(target).ok()?;
            let cell = (at / inner * classes + class) * inner + at % inner;
            *mask.get_mut(cell)? = -weight;
        }
    }
    Some(mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_holds_minus_the_weight_at_each_target() {
        let mask = target_mask(&[2, 3, 1], &[2, -7], &[0.5, 0.0]);
        assert_eq!(mask, Some(vec![0.0, 0.0, -0.5, 0.0, 0.0, 0.0]));
        let mask = target_mask(&[1, 2, 2], &[1, 0], &[1.0, 2.0]);
        assert_eq!(mask, Some(vec![0.0, -2.0, -1.0, 0.0]));
        assert_eq!(target_mask(&[1, 2, 2], &[1], &[1.0]), None);
    }
}

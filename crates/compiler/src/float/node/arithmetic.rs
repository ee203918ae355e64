//! Import of elementwise arithmetic, clamps and square roots.

use super::super::constant::{Const, Value};
use super::super::error::ImportError;
use super::super::graph::{Arithmetic, FloatOp, Spread};
use super::{Imported, NodeContext};
use crate::onnx::ELEMENTS_MAX;

impl NodeContext<'_> {
    /// An operator of one activation that keeps its shape.
    pub(super) fn unary(&mut self, op: FloatOp) -> Imported {
        let input = self.activation(0)?;
        let shape = self.shape_of(input).to_vec();
        Ok(Value::Activation(self.push(op, vec![input], shape)?))
    }

    /// Clamp with constant scalar bounds (ONNX inputs 1 and 2).
    pub(super) fn clip(&mut self) -> Imported {
        self.allow(&[])?;
        let low = self.bound(1, f32::NEG_INFINITY)?;
        let high = self.bound(2, f32::INFINITY)?;
        if low.is_nan() || high.is_nan() || low > high {
            return Err(self.refuse(
                format!("bounds {low} and {high}"),
                "min <= max",
                "check the arguments of clamp",
            ));
        }
        self.unary(FloatOp::Clip(low, high))
    }

    fn bound(&self, index: usize, default: f32) -> Result<f32, ImportError> {
        if self.optional(index)?.is_none() {
            return Ok(default);
        }
        self.float_constant(index)?.single().ok_or_else(|| {
            self.refuse(
                format!("input {index} is no scalar"),
                "scalar bounds",
                "use clamp with numbers",
            )
        })
    }

    /// Max or Min of an activation and a scalar constant, or of whole numbers.
    pub(super) fn bounded(&mut self) -> Imported {
        self.allow(&[])?;
        let is_max = self.node.op == "Max";
        let (left, right) = (self.value(0)?.clone(), self.value(1)?.clone());
        let single = match (&left, &right) {
            (Value::Activation(_), Value::Float(c)) | (Value::Float(c), Value::Activation(_)) => {
                c.single().filter(|c| !c.is_nan())
            }
            (Value::Activation(_) | Value::Float(_) | Value::Int(_), _) => None,
        };
        let Some(bound) = single.filter(|_| self.node.inputs.len() == 2) else {
            return Err(self.refuse(
                "operands other than an activation and a scalar".to_owned(),
                "one activation and one scalar constant",
                "use clamp with numbers",
            ));
        };
        let input = self.activation(usize::from(matches!(left, Value::Float(_))))?;
        let op = if is_max {
            FloatOp::Clip(bound, f32::INFINITY)
        } else {
            FloatOp::Clip(f32::NEG_INFINITY, bound)
        };
        let shape = self.shape_of(input).to_vec();
        Ok(Value::Activation(self.push(op, vec![input], shape)?))
    }

    /// Square root of a constant.
    pub(super) fn sqrt(&mut self) -> Imported {
        self.allow(&[])?;
        let input = self.float_constant(0)?;
        self.spend(input.elements.len())?;
        let roots = input.elements.iter().map(|v| v.sqrt()).collect();
        Ok(Value::Float(Const::new(input.dims, roots)))
    }

    /// Add, Sub, Mul, Div of constants, of two activations (not Div), or of one of each.
    pub(super) fn binary(&mut self) -> Imported {
        self.allow(&[])?;
        let (left, right) = (self.value(0)?.clone(), self.value(1)?.clone());
        match (left, right) {
            (Value::Int(a), Value::Int(b)) => {
                let op = self.node.op.as_str();
                let folded = a.zip(&b, 1 << 16, |x, y| match op {
                    "Add" => x.add(y),
                    "Sub" => x.sub(y),
                    "Mul" => x.mul(y),
                    _ => x.div(y),
                });
                folded.map(Value::Int).ok_or_else(|| {
                    self.mixes_samples(
                        "shape arithmetic that is not linear in the batch size".to_owned(),
                    )
                })
            }
            (Value::Float(a), Value::Float(b)) => {
                self.spend(a.elements.len().max(b.elements.len()))?;
                let op = self.node.op.as_str();
                let folded = a.zip(&b, ELEMENTS_MAX.min(self.importer.budget), |x, y| {
                    Some(match op {
                        "Add" => x + y,
                        "Sub" => x - y,
                        "Mul" => x * y,
                        _ => x / y,
                    })
                });
                let Some(folded) = folded else {
                    let what = format!("constants of shapes {:?} and {:?}", a.dims, b.dims);
                    return Err(self.refuse(
                        what,
                        "shapes that broadcast",
                        "check the model with onnx.checker",
                    ));
                };
                self.spend(folded.elements.len())?;
                Ok(Value::Float(folded))
            }
            (Value::Activation(a), Value::Activation(b)) => self.pair(a, b),
            (Value::Activation(a), Value::Float(c)) => self.affine(a, &c, false),
            (Value::Float(c), Value::Activation(a)) => self.affine(a, &c, true),
            (Value::Activation(_) | Value::Float(_), Value::Int(_))
            | (Value::Int(_), Value::Activation(_) | Value::Float(_)) => Err(self.refuse(
                "whole numbers and floats are mixed".to_owned(),
                "operands of one type",
                "check the model with onnx.checker",
            )),
        }
    }

    /// Two activations of one shape, or one spread over the channels or positions of the other.
    fn pair(&mut self, a: usize, b: usize) -> Imported {
        let (first, second) = (self.shape_of(a).to_vec(), self.shape_of(b).to_vec());
        let sub = self.node.op == "Sub";
        let arithmetic = match self.node.op.as_str() {
            "Add" => Some(Arithmetic::Add),
            "Sub" => Some(Arithmetic::Sub),
            "Mul" => Some(Arithmetic::Mul),
            _ => None,
        };
        let straight = Spread::over(&first, &second).map(|spread| (spread, false));
        let swapped = || Spread::over(&second, &first).map(|spread| (spread, true));
        let (Some(arithmetic), Some((spread, swap))) = (arithmetic, straight.or_else(swapped))
        else {
            let what = format!("activations of shapes {first:?} and {second:?} (without batch)");
            return Err(self.refuse(
                what,
                "Add, Sub, Mul of equal shapes, or of [C][H][W] with [C][1][1], [1][H][W] or one element",
                "use residual additions of equal shapes, or gates of one number per channel or position",
            ));
        };
        let (inputs, shape) = if swap {
            (vec![b, a], second)
        } else {
            (vec![a, b], first)
        };
        let arithmetic = if swap && sub {
            Arithmetic::ReverseSub
        } else {
            arithmetic
        };
        let op = match (arithmetic, spread) {
            (Arithmetic::Add, Spread::Full) => FloatOp::Add,
            (arithmetic, spread) => FloatOp::Pair(arithmetic, spread),
        };
        Ok(Value::Activation(self.push(op, inputs, shape)?))
    }

    /// An activation and a constant that varies along one axis at most.
    fn affine(&mut self, input: usize, c: &Const<f32>, constant_first: bool) -> Imported {
        let shape = self.shape_of(input).to_vec();
        let Some((axis, values)) = along_one_axis(&shape, c) else {
            let what = format!(
                "a constant of shape {:?} with an activation of shape {shape:?} (without batch)",
                c.dims
            );
            return Err(self.refuse(
                what,
                "a scalar or one number per channel",
                "use BatchNorm or a bias",
            ));
        };
        let ones = vec![1.0; values.len()];
        let zeros = vec![0.0; values.len()];
        let (scale, shift) = match (self.node.op.as_str(), constant_first) {
            ("Add", _) => (ones, values),
            ("Mul", _) => (values, zeros),
            ("Sub", false) => (ones, values.iter().map(|v| -v).collect()),
            ("Sub", true) => (vec![-1.0; values.len()], values),
            ("Div", false) => (values.iter().map(|v| 1.0 / v).collect(), zeros),
            _ => {
                return Err(self.refuse(
                    "division by an activation".to_owned(),
                    "division by a constant",
                    "rewrite this part of the model",
                ));
            }
        };
        let op = FloatOp::Affine { axis, scale, shift };
        Ok(Value::Activation(self.push(op, vec![input], shape)?))
    }
}

/// The axis of the sample along which the constant varies, and one value per index of it.
fn along_one_axis(shape: &[usize], c: &Const<f32>) -> Option<(usize, Vec<f32>)> {
    let channel_axis = if shape.len() == 3 { 0 } else { shape.len() - 1 };
    if let Some(value) = c.single().filter(|_| c.dims.len() <= shape.len() + 1) {
        return Some((channel_axis, vec![value; shape[channel_axis]]));
    }
    let offset = (shape.len() + 1).checked_sub(c.dims.len())?;
    let mut wide = c.dims.iter().enumerate().filter(|(_, d)| **d != 1);
    let (index, &extent) = wide.next()?;
    // The batch axis is axis 0 of the ONNX tensor: a constant along it would mix samples.
    let axis = (index + offset).checked_sub(1)?;
    let only = wide.next().is_none() && extent == shape[axis];
    only.then(|| (axis, c.elements.to_vec()))
}

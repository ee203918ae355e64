//! Import of elementwise arithmetic, clamps and square roots.

use super::super::constant::{Const, Value};
use super::super::error::ImportError;
use super::super::graph::FloatOp;
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

    /// Square root of a constant.
    pub(super) fn sqrt(&mut self) -> Imported {
        self.allow(&[])?;
        let input = self.float_constant(0)?;
        self.spend(input.elements.len())?;
        let roots = input.elements.iter().map(|v| v.sqrt()).collect();
        Ok(Value::Float(Const::new(input.dims, roots)))
    }

    /// Add, Sub, Mul, Div of constants, of two activations (Add), or of one of each.
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
            (Value::Activation(a), Value::Activation(b)) => self.add_activations(a, b),
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

    fn add_activations(&mut self, a: usize, b: usize) -> Imported {
        let shape = self.shape_of(a).to_vec();
        if self.node.op != "Add" || shape != self.shape_of(b) {
            let what = format!(
                "activations of shapes {shape:?} and {:?} (without batch)",
                self.shape_of(b)
            );
            return Err(self.refuse(
                what,
                "Add of two activations of one shape; Sub, Mul, Div with a constant",
                "use residual additions of equal shapes",
            ));
        }
        Ok(Value::Activation(self.push(
            FloatOp::Add,
            vec![a, b],
            shape,
        )?))
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

//! Import of elementwise arithmetic and clamps.

use super::super::act::{Act, Kind};
use super::super::constant::{Const, Value};
use super::super::error::ImportError;
use super::super::function::{Function, Primitive};
use super::super::graph::{Arithmetic, FloatOp};
use super::logic::INTS_MAX;
use super::{Imported, NodeContext};
use crate::onnx::ELEMENTS_MAX;

impl NodeContext<'_> {
    /// An operator of one activation that keeps its shape.
    pub(super) fn unary(&mut self, op: FloatOp) -> Imported {
        let act = self.act(0)?;
        let mapped = self.mapped(op, &act)?;
        Ok(self.value_of(mapped))
    }

    /// Clamp with constant scalar bounds (ONNX inputs 1 and 2).
    pub(super) fn clip(&mut self) -> Imported {
        self.allow(&["min", "max"])?;
        let low = self.bound(1, "min", f32::NEG_INFINITY)?;
        let high = self.bound(2, "max", f32::INFINITY)?;
        if low.is_nan() || high.is_nan() {
            return Err(self.refuse(
                format!("bounds {low} and {high}"),
                "numbers",
                "check the arguments of clamp",
            ));
        }
        // ONNX takes the upper bound where the lower one is above it.
        self.unary(FloatOp::Clip(low.min(high), high))
    }

    fn bound(&self, index: usize, name: &str, default: f32) -> Result<f32, ImportError> {
        if !self.has(index) {
            return self.float(name, default);
        }
        let single = match self.value(index)? {
            Value::Float(c) => c.single(),
            Value::Int(c) => {
                let known = c.single().and_then(super::SymInt::known);
                #[expect(clippy::cast_precision_loss, reason = "ONNX rounds here, too")]
                known.map(|v| v as f32)
            }
            Value::Activation(_) => None,
        };
        single.ok_or_else(|| {
            self.refuse(
                format!("input {index} is no constant scalar"),
                "scalar bounds",
                "use clamp with numbers, or Max and Min with tensors",
            )
        })
    }

    /// Max or Min of any number of operands.
    pub(super) fn bounded(&mut self) -> Imported {
        self.allow(&[])?;
        if let Some(folded) = self.folded_ints()? {
            return Ok(folded);
        }
        let is_max = self.node.op == "Max";
        let mut result = self.act(0)?;
        for index in 1..self.node.inputs.len() {
            let other = self.act(index)?;
            result = self.larger(&result, &other, is_max)?;
        }
        Ok(self.value_of(result))
    }

    /// The larger (or smaller) of two: a clamp by a scalar, else `a + max(b - a, 0)`.
    pub(super) fn larger(&mut self, a: &Act, b: &Act, is_max: bool) -> Result<Act, ImportError> {
        let bounds = |bound: f32| {
            if is_max {
                FloatOp::Clip(bound, f32::INFINITY)
            } else {
                FloatOp::Clip(f32::NEG_INFINITY, bound)
            }
        };
        for (act, bound) in [(a, b), (b, a)] {
            let single = self.constant_of(bound.node);
            if let Some(&[bound_value]) = single
                && bound.dims.len() <= act.dims.len()
                && !bound_value.is_nan()
            {
                return self.mapped(bounds(bound_value), act);
            }
        }
        let more = self.pair_of(Arithmetic::Sub, b, a)?;
        let more = self.mapped(bounds(0.0), &more)?;
        self.pair_of(Arithmetic::Add, a, &more)
    }

    /// Sum or Mean of any number of operands.
    pub(super) fn sum(&mut self) -> Imported {
        self.allow(&[])?;
        let count = self.node.inputs.len();
        let mut sum = self.act(0)?;
        for index in 1..count {
            let other = self.act(index)?;
            sum = self.pair_of(Arithmetic::Add, &sum, &other)?;
        }
        if self.node.op == "Mean" && count > 1 {
            #[expect(clippy::cast_precision_loss, reason = "at most 1024 operands")]
            let scale = 1.0 / count as f32;
            sum = self.scaled(&sum, scale, 0.0)?;
        }
        Ok(self.value_of(sum))
    }

    /// Add, Sub, Mul, Div.
    pub(super) fn binary(&mut self) -> Imported {
        self.allow(&[])?;
        let (left, right) = (self.value(0)?.clone(), self.value(1)?.clone());
        match (&left, &right) {
            (Value::Int(a), Value::Int(b)) => {
                self.spend(a.elements.len().max(b.elements.len()))?;
                let op = self.node.op.as_str();
                let folded = a.zip(b, INTS_MAX, |x, y| match op {
                    "Add" => x.add(y),
                    "Sub" => x.sub(y),
                    "Mul" => x.mul(y),
                    _ => x.div(y),
                });
                return folded.map(Value::Int).ok_or_else(|| {
                    self.mixes_samples(
                        "shape arithmetic that is not linear in the batch size".to_owned(),
                    )
                });
            }
            (Value::Float(a), Value::Float(b)) => return self.binary_of_constants(a, b),
            (Value::Activation(_) | Value::Float(_) | Value::Int(_), _) => {}
        }
        let arithmetic = match self.node.op.as_str() {
            "Add" => Arithmetic::Add,
            "Sub" => Arithmetic::Sub,
            "Mul" => Arithmetic::Mul,
            _ => return self.quotient(),
        };
        let (a, b) = (self.act(0)?, self.act(1)?);
        let pair = self.pair_of(arithmetic, &a, &b)?;
        Ok(self.value_of(pair))
    }

    fn binary_of_constants(&mut self, a: &Const<f32>, b: &Const<f32>) -> Imported {
        self.spend(a.elements.len().max(b.elements.len()))?;
        let op = self.node.op.as_str();
        let folded = a.zip(b, ELEMENTS_MAX.min(self.importer.budget), |x, y| {
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

    /// A remainder with the sign of the divisor, or with `fmod` that of the dividend:
    /// `a - b * floor(a / b)`.
    pub(super) fn remainder(&mut self) -> Imported {
        self.allow(&["fmod"])?;
        if let Some(folded) = self.folded_ints()? {
            return Ok(folded);
        }
        let rounding = if self.int("fmod", 0)? == 0 {
            Function::primitive(Primitive::Floor)
        } else {
            Function::whole_part()
        };
        let (a, b) = (self.act(0)?, self.act(1)?);
        let reciprocal = FloatOp::Function(Function::primitive(Primitive::Reciprocal));
        let divisor = self.mapped(reciprocal, &b)?;
        let quotient = self.pair_of(Arithmetic::Mul, &a, &divisor)?;
        let whole = self.mapped(FloatOp::Function(rounding), &quotient)?;
        let whole = self.pair_of(Arithmetic::Mul, &whole, &b)?;
        let rest = self.pair_of(Arithmetic::Sub, &a, &whole)?;
        Ok(self.value_of(rest))
    }

    /// A quotient: by a constant the product with its reciprocal, by an activation that with the
    /// function `1 / x`; of whole numbers cut towards zero.
    fn quotient(&mut self) -> Imported {
        let (a, b) = (self.act(0)?, self.act(1)?);
        let whole = a.kind == Kind::Int && b.kind == Kind::Int;
        let reciprocal = FloatOp::Function(Function::primitive(Primitive::Reciprocal));
        let divisor = self.mapped(reciprocal, &b)?;
        let quotient = self.pair_of(Arithmetic::Mul, &a, &divisor)?;
        if !whole {
            return Ok(self.value_of(quotient));
        }
        let cut = self.mapped(FloatOp::Function(Function::cut()), &quotient)?;
        Ok(self.value_of(cut))
    }
}

impl Function {
    /// The whole part: rounded towards zero, with a little room for products of reciprocals.
    pub(in crate::float) fn cut() -> Self {
        // sign(x) floor(|x| + 2^-20)
        let magnitude = Self::primitive(Primitive::Abs).affine(1.0, 1.0 / 1_048_576.0);
        Self::primitive(Primitive::Sign).times(magnitude.then(Primitive::Floor))
    }
}

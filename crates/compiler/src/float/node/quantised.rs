//! Import of quantised models: what they mean in real numbers, with the ranges as hints.
//!
//! ```text
//! QuantizeLinear(x)            x itself, kept with the range that its integers can hold
//! DequantizeLinear(constant)   (c - zero) * scale
//! QLinearConv(x, ...)          Conv(x, dequantised weights), kept with the range of its answer
//! MatMulInteger(x, ...)        x * (c - zero) / step of x: the sums that the file goes on with
//! ```
//!
//! An activation that the file keeps as integers stands here as the real numbers that these mean.
//! Rounding to its grid is left out: the program has an own one, calibrated with the hint.

use super::super::act::{Act, Kind};
use super::super::constant::{Const, Value, product};
use super::super::error::ImportError;
use super::super::graph::FloatOp;
use super::super::symbolic::SymInt;
use super::{Imported, NodeContext};
use crate::onnx::{ElementType, OnnxNode};

/// Scale and zero point, one of each or one per index of an axis.
struct Grid {
    scales: Vec<f32>,
    zeros: Vec<f32>,
    element: ElementType,
}

impl NodeContext<'_> {
    /// Operators of quantised models; `None` if it is no such operator.
    pub(super) fn quantised(&mut self) -> Option<Imported> {
        Some(match self.node.op.as_str() {
            "QuantizeLinear" => self.quantize(),
            "DequantizeLinear" => self.dequantize(),
            "MatMulInteger" => self.integer_product("MatMul"),
            "ConvInteger" => self.integer_product("Conv"),
            "QLinearConv" => self.rewritten("Conv", &[0, 3], Some(8), 6),
            "QLinearMatMul" => self.rewritten("MatMul", &[0, 3], None, 6),
            "QGemm" => self.rewritten("Gemm", &[0, 3], Some(6), 7),
            "QLinearAdd" => self.rewritten("Add", &[0, 3], None, 6),
            "QLinearMul" => self.rewritten("Mul", &[0, 3], None, 6),
            "QLinearSigmoid" => self.rewritten("Sigmoid", &[0], None, 3),
            "QLinearSoftmax" => self.rewritten("Softmax", &[0], None, 3),
            "QLinearLeakyRelu" => self.rewritten("LeakyRelu", &[0], None, 3),
            "QLinearAveragePool" => self.rewritten("AveragePool", &[0], None, 3),
            "QLinearGlobalAveragePool" => self.rewritten("GlobalAveragePool", &[0], None, 3),
            "QLinearConcat" => {
                let operands: Vec<usize> = (2..self.node.inputs.len()).step_by(3).collect();
                self.rewritten("Concat", &operands, None, 0)
            }
            _ => return None,
        })
    }

    /// The grid of inputs `scale` and `scale + 1`.
    fn grid(&self, scale: usize) -> Result<Grid, ImportError> {
        let scales = self.float_constant(scale)?.elements.to_vec();
        let mut zeros = vec![0.0; scales.len()];
        let mut element = ElementType::Uint8;
        if self.has(scale + 1) {
            let name = &self.node.inputs[scale + 1];
            let known = self.known_ints(scale + 1)?;
            let negative = known.iter().any(|&zero| zero < 0);
            let guess = if negative {
                ElementType::Int8
            } else {
                ElementType::Uint8
            };
            element = self.importer.types.get(name).copied().unwrap_or(guess);
            if known.len() != scales.len() {
                return Err(self.unknown_target());
            }
            #[expect(clippy::cast_precision_loss, reason = "zero points of 16 bits")]
            for (zero, &value) in zeros.iter_mut().zip(&known) {
                *zero = value as f32;
            }
        }
        let fine = scales.iter().all(|s| s.is_finite() && *s > 0.0);
        if scales.is_empty() || !fine {
            return Err(self.refuse(
                format!("input {scale} is no positive scale"),
                "positive scales",
                "quantise the model again",
            ));
        }
        Ok(Grid {
            scales,
            zeros,
            element,
        })
    }

    /// An activation kept with the range of a grid. A zero point at the end of the range says that
    /// the file has left a `ReLU` to it.
    fn kept(&mut self, act: &Act, grid: &Grid) -> Result<Act, ImportError> {
        let (&[scale], &[zero]) = (grid.scales.as_slice(), grid.zeros.as_slice()) else {
            return Err(self.refuse(
                format!("{} scales of an activation", grid.scales.len()),
                "one scale",
                "quantise activations per tensor",
            ));
        };
        let kind = Kind::Quantised(scale.to_bits());
        let Some((low, high)) = grid.element.range() else {
            return Ok(Act {
                kind,
                ..act.clone()
            });
        };
        let range = ((low - zero) * scale, (high - zero) * scale);
        let is_positive = match &self.importer.nodes[act.node].op {
            FloatOp::Clip(at, _) => *at >= 0.0,
            op => matches!(op, FloatOp::Softmax),
        };
        let is_relu = zero.to_bits() == low.to_bits() && !is_positive;
        let act = if is_relu && self.constant_of(act.node).is_none() {
            self.mapped(FloatOp::Clip(0.0, f32::INFINITY), act)?
        } else {
            act.clone()
        };
        // The grid of a softmax has 1 at its end, whatever the rows are.
        let is_known = matches!(self.importer.nodes[act.node].op, FloatOp::Softmax);
        if self.constant_of(act.node).is_none() && !is_known {
            self.importer.hints.insert(act.node, range);
        }
        Ok(Act { kind, ..act })
    }

    /// An activation that becomes quantised stays what it is.
    fn quantize(&mut self) -> Imported {
        self.allow(&[
            "axis",
            "block_size",
            "output_dtype",
            "precision",
            "saturate",
        ])?;
        let mut grid = self.grid(1)?;
        if !self.has(2) {
            grid.element = match self.int("output_dtype", 0)? {
                3 => ElementType::Int8,
                5 => ElementType::Int16,
                4 => ElementType::Uint16,
                _ => ElementType::Uint8,
            };
        }
        let act = self.act(0)?;
        let kept = self.kept(&act, &grid)?;
        Ok(Value::Activation(kept).normal(self))
    }

    /// Constants become real numbers; an activation is what it stands for.
    fn dequantize(&mut self) -> Imported {
        self.allow(&["axis", "block_size", "output_dtype"])?;
        let grid = self.grid(1)?;
        if let Value::Int(c) = self.value(0)?.clone() {
            let axis = self.int("axis", 1)?;
            let block = self.int("block_size", 0)?;
            return self.real_constant(&c, &grid, axis, block).map(Value::Float);
        }
        let act = self.act(0)?;
        let kind = Kind::Float;
        if let Kind::Quantised(_) | Kind::Float = act.kind {
            return Ok(self.value_of(Act { kind, ..act }));
        }
        // Integers from outside.
        let (&[scale], &[zero]) = (grid.scales.as_slice(), grid.zeros.as_slice()) else {
            return Err(self.unknown_target());
        };
        let real = self.scaled(&act, scale, -zero * scale)?;
        Ok(self.value_of(Act { kind, ..real }))
    }

    /// `(c - zero) * scale`, with one grid, one along an axis, or one for each block of an axis.
    fn real_constant(
        &mut self,
        c: &Const<SymInt>,
        grid: &Grid,
        axis: i64,
        block: i64,
    ) -> Result<Const<f32>, ImportError> {
        self.spend(c.elements.len())?;
        let count = grid.scales.len();
        let index: Box<dyn Fn(usize) -> usize> = if count == 1 {
            Box::new(|_| 0)
        } else {
            let axis = self.axis(axis, c.dims.len())?;
            let inner = product(&c.dims[axis + 1..]).unwrap_or(1);
            let extent = c.dims[axis];
            match usize::try_from(block).ok().filter(|&block| block > 0) {
                None if count == extent => Box::new(move |flat| flat / inner % extent),
                Some(block) if count * block >= c.elements.len() => {
                    let blocks = extent.div_ceil(block);
                    Box::new(move |flat| {
                        let (outer, at) = (flat / inner / extent, flat / inner % extent);
                        ((outer * blocks + at / block) * inner + flat % inner).min(count - 1)
                    })
                }
                None | Some(_) => {
                    return Err(self.refuse(
                        format!("{count} scales for an axis of {extent} cells"),
                        "one scale, or one for each cell of an axis",
                        "quantise per tensor or per channel",
                    ));
                }
            }
        };
        let mut elements = Vec::with_capacity(c.elements.len());
        for (flat, value) in c.elements.iter().enumerate() {
            let known = value.known().ok_or_else(|| self.unknown_target())?;
            #[expect(clippy::cast_precision_loss, reason = "quantised constants are small")]
            let whole = known as f32;
            let at = index(flat);
            elements.push((whole - grid.zeros[at]) * grid.scales[at]);
        }
        Ok(Const::new(c.dims.clone(), elements))
    }

    /// Input `index` in real numbers, on the grid behind it.
    fn real_operand(&mut self, index: usize, axis: i64) -> Imported {
        let grid = self.grid(index + 1)?;
        match self.value(index)?.clone() {
            Value::Int(c) => self.real_constant(&c, &grid, axis, 0).map(Value::Float),
            value @ Value::Float(_) => Ok(value),
            Value::Activation(act) if act.kind.is_real() => Ok(Value::Activation(act)),
            Value::Activation(act) => {
                let (&[scale], &[zero]) = (grid.scales.as_slice(), grid.zeros.as_slice()) else {
                    return Err(self.unknown_target());
                };
                let real = self.scaled(&act, scale, -zero * scale)?;
                Ok(Value::Activation(Act {
                    kind: Kind::Float,
                    ..real
                }))
            }
        }
    }

    /// The float operator `op` on the operands, each followed by its grid; the bias stands on the
    /// grid of the product; the grid of the answer begins at `answer`.
    fn rewritten(
        &mut self,
        op: &str,
        operands: &[usize],
        bias: Option<usize>,
        answer: usize,
    ) -> Imported {
        let mut values = Vec::with_capacity(3);
        for (place, &index) in operands.iter().enumerate() {
            // The outputs of weights stand in front in a Conv, and in a Gemm that transposes them.
            let outputs_first = op == "Conv" || op == "Gemm" && self.int("transB", 0)? != 0;
            let axis = i64::from(!(place == 1 && outputs_first));
            values.push(self.real_operand(index, axis)?);
        }
        if let Some(index) = bias.filter(|&index| self.has(index)) {
            let (a, b) = (self.grid(operands[0] + 1)?, self.grid(operands[1] + 1)?);
            let Value::Int(c) = self.value(index)?.clone() else {
                return Err(self.unknown_target());
            };
            let grid = Grid {
                scales: b.scales.iter().map(|scale| scale * a.scales[0]).collect(),
                zeros: vec![0.0; b.scales.len()],
                element: ElementType::Whole,
            };
            let last = i64::try_from(c.dims.len()).unwrap_or(1) - 1;
            values.push(Value::Float(self.real_constant(&c, &grid, last, 0)?));
        }
        let made = self.as_float(op, values)?;
        let Value::Activation(act) = made else {
            return Ok(made);
        };
        if !self.has(answer) {
            return Ok(Value::Activation(act));
        }
        let grid = self.grid(answer)?;
        let kept = self.kept(&act, &grid)?;
        Ok(Value::Activation(kept))
    }

    /// Imports a float operator with the attributes of this node on `values`: its first output.
    fn as_float(&mut self, op: &str, values: Vec<Value>) -> Imported {
        let values = values.into_iter().map(Some).collect();
        let made = self.outputs_as_float(op, values)?.into_iter().next();
        made.ok_or_else(|| self.unknown_target())
    }

    /// All outputs of a float operator with the attributes of this node on `values`, some of them absent.
    fn outputs_as_float(
        &mut self,
        op: &str,
        values: Vec<Option<Value>>,
    ) -> Result<Vec<Value>, ImportError> {
        // No name of the file begins with a zero byte followed by this one's name.
        let name = |(index, value): (usize, &Option<Value>)| match value {
            Some(_) => format!("\0{}.{index}", self.node.name),
            None => String::new(),
        };
        let inputs: Vec<String> = values.iter().enumerate().map(name).collect();
        // Softmax means the same in all opsets that quantised models have.
        let kept = |name: &str| name != "channels_last" && name != "opset";
        let node = OnnxNode {
            name: self.node.name.clone(),
            op: op.to_owned(),
            domain: String::new(),
            inputs: inputs.clone(),
            outputs: self.node.outputs.clone(),
            attributes: self
                .node
                .attributes
                .iter()
                .filter(|a| kept(&a.name))
                .cloned()
                .collect(),
        };
        for (name, value) in inputs.iter().zip(values) {
            if let Some(value) = value {
                self.importer.values.insert(name.clone(), value);
            }
        }
        let made = NodeContext::new(self.importer, &node).outputs_of_op();
        for name in &inputs {
            self.importer.values.remove(name);
        }
        made
    }

    /// An LSTM whose weights `[directions][inputs][4 * cells]` are int8, on one grid for each direction or for
    /// each column of one.
    pub(super) fn quantised_lstm(&mut self) -> Result<Vec<Value>, ImportError> {
        let mut values = Vec::with_capacity(8);
        values.push(Some(self.value(0)?.clone()));
        for (weights, scale) in [(1, 8), (2, 10)] {
            let Value::Int(c) = self.value(weights)?.clone() else {
                return Err(self.unknown_target());
            };
            let &[directions, rows, _] = c.dims.as_slice() else {
                return Err(self.unknown_target());
            };
            let grid = self.grid(scale)?;
            let real = if grid.scales.len() <= directions {
                self.real_constant(&c, &grid, 0, 0)?
            } else {
                let block = i64::try_from(rows).unwrap_or(i64::MAX);
                self.real_constant(&c, &grid, 1, block)?
            };
            values.push(Some(Value::Float(real.transpose(&[0, 2, 1]))));
        }
        for index in 3..8 {
            values.push(self.optional(index)?.cloned());
        }
        self.outputs_as_float("LSTM", values)
    }

    /// A product of integers: of what they stand for, over the step of the first operand.
    fn integer_product(&mut self, op: &str) -> Imported {
        let mut values = Vec::with_capacity(2);
        let mut step = 1.0;
        for index in 0..2 {
            let zeros = if self.has(index + 2) {
                self.known_ints(index + 2)?
            } else {
                vec![0]
            };
            #[expect(clippy::cast_precision_loss, reason = "zero points of 8 bits")]
            let zeros: Vec<f32> = zeros.iter().map(|&zero| zero as f32).collect();
            let value = match self.value(index)?.clone() {
                Value::Int(c) => {
                    let grid = Grid {
                        scales: vec![1.0; zeros.len()],
                        zeros,
                        element: ElementType::Whole,
                    };
                    let axis = i64::from(op != "Conv");
                    Value::Float(self.real_constant(&c, &grid, axis, 0)?)
                }
                Value::Activation(act) => match act.kind {
                    Kind::Quantised(bits) => {
                        step *= f32::from_bits(bits);
                        Value::Activation(act)
                    }
                    Kind::Float | Kind::Int | Kind::Bool => {
                        let shifted =
                            self.scaled(&act, 1.0, -zeros.first().copied().unwrap_or(0.0))?;
                        Value::Activation(Act {
                            kind: Kind::Float,
                            ..shifted
                        })
                    }
                },
                value @ Value::Float(_) => value,
            };
            values.push(value);
        }
        let made = self.as_float(op, values)?;
        let Value::Activation(act) = made else {
            return Ok(made);
        };
        let kind = Kind::Quantised(1.0_f32.to_bits());
        let over = self.scaled(&act, 1.0 / step, 0.0)?;
        Ok(Value::Activation(Act { kind, ..over }))
    }

    /// An activation that chooses its own grid: itself, on a grid of step 1 around 0.
    pub(super) fn dynamic_quantize(&mut self) -> Result<Vec<Value>, ImportError> {
        self.allow(&[])?;
        let act = self.act(0)?;
        let kind = Kind::Quantised(1.0_f32.to_bits());
        Ok(vec![
            Value::Activation(Act { kind, ..act }),
            Value::Float(Const::new(vec![], vec![1.0])),
            Value::Int(Const::new(vec![], vec![SymInt::fixed(0)])),
        ])
    }
}

impl Value {
    /// The value, as a constant if its node is one.
    fn normal(self, context: &NodeContext<'_>) -> Self {
        match self {
            Self::Activation(act) if context.constant_of(act.node).is_some() => {
                context.value_of(act)
            }
            Self::Activation(_) | Self::Float(_) | Self::Int(_) => self,
        }
    }
}

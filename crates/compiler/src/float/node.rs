//! One ONNX node: its inputs and attributes, refusals by name, and the table of operators.

use super::constant::{Const, Value};
use super::error::{ImportError, Refusal};
use super::graph::{FloatNode, FloatOp, INPUT_ELEMENTS_MAX};
use super::import::Importer;
use super::symbolic::SymInt;
use crate::onnx::{AttributeValue, OnnxNode};

mod activation;
mod arithmetic;
mod linear;
mod movement;
mod pool;
mod shape;

/// Operators of the ONNX domain that the importer takes.
pub const SUPPORTED: &[&str] = &[
    "Abs",
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Celu",
    "Clip",
    "Concat",
    "Constant",
    "ConstantOfShape",
    "Conv",
    "ConvTranspose",
    "DepthToSpace",
    "Div",
    "Dropout",
    "Elu",
    "Erf",
    "Exp",
    "Expand",
    "Flatten",
    "Gather",
    "Gelu",
    "Gemm",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "Log",
    "MatMul",
    "Max",
    "MaxPool",
    "Min",
    "Mish",
    "Mul",
    "Neg",
    "PRelu",
    "Pad",
    "Pow",
    "ReduceMax",
    "ReduceMean",
    "ReduceSum",
    "Relu",
    "Reshape",
    "Resize",
    "Selu",
    "Shape",
    "Sigmoid",
    "Slice",
    "Softplus",
    "Softsign",
    "SpaceToDepth",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Tanh",
    "Transpose",
    "Unsqueeze",
];

/// Most nodes of a float graph.
const NODES_MAX: usize = 8_192;

/// Result of importing one node.
pub(super) type Imported = Result<Value, ImportError>;

/// A node being imported.
pub(super) struct NodeContext<'a> {
    pub(super) importer: &'a mut Importer,
    pub(super) node: &'a OnnxNode,
}

impl<'a> NodeContext<'a> {
    pub(super) fn new(importer: &'a mut Importer, node: &'a OnnxNode) -> Self {
        Self { importer, node }
    }

    /// Imports the node: its first output becomes a value. Further outputs stay undefined, and
    /// whoever reads one is refused.
    pub(super) fn import(mut self) -> Result<(), ImportError> {
        if !(self.node.domain.is_empty() || self.node.domain == "ai.onnx") {
            return Err(self.refuse(
                format!("operator domain {:?}", self.node.domain),
                "the domain ai.onnx",
                "export without custom operators",
            ));
        }
        let value = match self.node.op.as_str() {
            "Gemm" => self.gemm()?,
            "MatMul" => self.matmul()?,
            "Conv" => self.conv()?,
            "BatchNormalization" => self.batch_norm()?,
            "ConvTranspose" => self.conv_transpose()?,
            "Add" | "Sub" | "Mul" | "Div" => self.binary()?,
            "Max" | "Min" => self.bounded()?,
            "Relu" => {
                self.allow(&[])?;
                self.unary(FloatOp::Clip(0.0, f32::INFINITY))?
            }
            "Clip" => self.clip()?,
            "Abs" | "Celu" | "Elu" | "Erf" | "Exp" | "Gelu" | "HardSigmoid" | "HardSwish"
            | "LeakyRelu" | "Log" | "Mish" | "Neg" | "PRelu" | "Pow" | "Selu" | "Sigmoid"
            | "Softplus" | "Softsign" | "Tanh" => self.function()?,
            "Sqrt" => self.sqrt()?,
            "MaxPool" => self.max_pool()?,
            "AveragePool" => self.average_pool()?,
            "GlobalAveragePool" => self.global_pool(true)?,
            "GlobalMaxPool" => self.global_pool(false)?,
            "ReduceMean" | "ReduceSum" | "ReduceMax" => self.reduce()?,
            "Flatten" => self.flatten()?,
            "Reshape" => self.reshape()?,
            "Squeeze" => self.squeeze()?,
            "Unsqueeze" => self.unsqueeze()?,
            "Transpose" => self.transpose()?,
            "Identity" => {
                self.allow(&[])?;
                self.value(0)?.clone()
            }
            "Dropout" => self.dropout()?,
            "Cast" => self.cast()?,
            "Constant" => self.constant()?,
            "ConstantOfShape" => self.constant_of_shape()?,
            "Shape" => self.shape()?,
            "Gather" => self.gather()?,
            "Concat" => self.concat()?,
            "Slice" => self.slice()?,
            "Split" => return self.split(),
            "Expand" => self.expand()?,
            "Pad" => self.pad()?,
            "Resize" => self.resize()?,
            "DepthToSpace" => self.depth_to_space()?,
            "SpaceToDepth" => self.space_to_depth()?,
            _ => return Err(self.unknown()),
        };
        let outputs = &self.node.outputs;
        let Some(name) = outputs.first().filter(|name| !name.is_empty()) else {
            return Err(self.refuse(
                "no output".to_owned(),
                "one output",
                "export the model again",
            ));
        };
        self.importer.values.insert(name.clone(), value);
        Ok(())
    }

    fn unknown(&self) -> ImportError {
        let advice = match self.node.op.as_str() {
            "Softmax" | "LogSoftmax" | "ArgMax" => {
                "export the model up to its logits; the order of classes is the same"
            }
            "If" | "Loop" | "Scan" => "export without control flow that depends on data",
            "QuantizeLinear" | "DequantizeLinear" | "DynamicQuantizeLinear" => {
                "export the float model; quantisation is done here"
            }
            "LayerNormalization" | "Einsum" => {
                "transformers come later; MLPs and convolutional networks are supported"
            }
            "InstanceNormalization" | "GroupNormalization" | "LpNormalization" => {
                "use BatchNorm: its statistics are constants"
            }
            "Upsample" => "export with opset 11 or later, which writes Resize",
            _ => "rewrite this part of the model with the supported operators",
        };
        self.refuse(
            "this operator is not supported".to_owned(),
            &SUPPORTED.join(", "),
            advice,
        )
    }

    /// A refusal of this node.
    pub(super) fn refuse(&self, what: String, supported: &str, advice: &str) -> ImportError {
        ImportError::Unsupported(Box::new(Refusal {
            node: self.node.name.clone(),
            op: self.node.op.clone(),
            what,
            supported: supported.to_owned(),
            advice: advice.to_owned(),
        }))
    }

    /// Input `index`, which must be there.
    pub(super) fn value(&self, index: usize) -> Result<&Value, ImportError> {
        let name = self.node.inputs.get(index).filter(|name| !name.is_empty());
        let Some(name) = name else {
            return Err(self.refuse(
                format!("input {index} is missing"),
                "all inputs that ONNX requires",
                "export the model again",
            ));
        };
        self.importer.values.get(name).ok_or_else(|| {
            self.refuse(
                format!("input {name:?} is the second output of a node"),
                "first outputs only",
                "export the model without dropout masks, pool indices or batch statistics",
            )
        })
    }

    /// Input `index`, or `None` if it is absent.
    pub(super) fn optional(&self, index: usize) -> Result<Option<&Value>, ImportError> {
        match self.node.inputs.get(index) {
            Some(name) if !name.is_empty() => self.value(index).map(Some),
            _ => Ok(None),
        }
    }

    /// Input `index` as an activation.
    pub(super) fn activation(&self, index: usize) -> Result<usize, ImportError> {
        match self.value(index)? {
            Value::Activation(node) => Ok(*node),
            Value::Float(_) | Value::Int(_) => Err(self.refuse(
                format!("input {index} is a constant"),
                "an activation there",
                "let the exporter fold constants (do_constant_folding=True)",
            )),
        }
    }

    /// Input `index` as a float constant.
    pub(super) fn float_constant(&self, index: usize) -> Result<Const<f32>, ImportError> {
        match self.value(index)? {
            Value::Float(constant) => Ok(constant.clone()),
            Value::Activation(_) | Value::Int(_) => Err(self.refuse(
                format!(
                    "input {index} ({:?}) is no float constant",
                    self.node.inputs[index]
                ),
                "weights that are constants",
                "freeze the weights before export",
            )),
        }
    }

    /// Input `index` as whole numbers that do not depend on the batch size.
    pub(super) fn known_ints(&self, index: usize) -> Result<Vec<i64>, ImportError> {
        let known = match self.value(index)? {
            Value::Int(c) => c
                .elements
                .iter()
                .map(|v| v.known())
                .collect::<Option<Vec<i64>>>(),
            Value::Activation(_) | Value::Float(_) => None,
        };
        known.ok_or_else(|| {
            self.refuse(
                format!("input {index} is no constant of whole numbers"),
                "constant whole numbers",
                "export with fixed sizes for all axes but the batch",
            )
        })
    }

    /// Shape of an activation.
    pub(super) fn shape_of(&self, node: usize) -> &[usize] {
        &self.importer.nodes[node].shape
    }

    /// Adds a node to the float graph.
    pub(super) fn push(
        &mut self,
        op: FloatOp,
        inputs: Vec<usize>,
        shape: Vec<usize>,
    ) -> Result<usize, ImportError> {
        if self.importer.nodes.len() >= NODES_MAX {
            return Err(self.refuse(
                format!("more than {NODES_MAX} operators on activations"),
                "8192 operators on activations",
                "use a smaller model",
            ));
        }
        let elements = shape.iter().try_fold(1_usize, |p, &d| p.checked_mul(d));
        let left = elements
            .filter(|n| (1..=INPUT_ELEMENTS_MAX).contains(n))
            .and_then(|n| self.importer.activation_budget.checked_sub(n));
        let Some(left) = left else {
            return Err(self.refuse(
                format!("the output shape {shape:?} (without batch)"),
                "1 to 16777216 elements, 268435456 in all activations",
                "use a smaller input",
            ));
        };
        self.importer.activation_budget = left;
        self.importer.nodes.push(FloatNode {
            name: self.node.name.clone(),
            op,
            inputs,
            shape,
        });
        Ok(self.importer.nodes.len() - 1)
    }

    /// Takes `elements` from the budget for constants made during import.
    pub(super) fn spend(&mut self, elements: usize) -> Result<(), ImportError> {
        match self.importer.budget.checked_sub(elements) {
            Some(left) => {
                self.importer.budget = left;
                Ok(())
            }
            None => Err(self.refuse(
                format!("constants made during import exceed the limit by {elements} elements"),
                "268435456 elements in all",
                "let the exporter fold constants",
            )),
        }
    }

    /// Refuses attributes that are not in `names`.
    pub(super) fn allow(&self, names: &[&str]) -> Result<(), ImportError> {
        for attribute in &self.node.attributes {
            if !names.contains(&attribute.name.as_str()) {
                return Err(self.refuse(
                    format!(
                        "attribute {:?} = {:?}",
                        attribute.name,
                        short(&attribute.value)
                    ),
                    &if names.is_empty() {
                        "no attributes".to_owned()
                    } else {
                        names.join(", ")
                    },
                    "remove the attribute or export with opset 17",
                ));
            }
        }
        Ok(())
    }

    pub(super) fn attribute(&self, name: &str) -> Option<&AttributeValue> {
        self.node
            .attributes
            .iter()
            .find(|a| a.name == name)
            .map(|a| &a.value)
    }

    fn wrong_type(&self, name: &str, expected: &str) -> ImportError {
        self.refuse(
            format!("attribute {name:?} has the wrong type"),
            expected,
            "export the model again",
        )
    }

    pub(super) fn int(&self, name: &str, default: i64) -> Result<i64, ImportError> {
        match self.attribute(name) {
            None => Ok(default),
            Some(AttributeValue::Int(value)) => Ok(*value),
            Some(_) => Err(self.wrong_type(name, "a whole number")),
        }
    }

    pub(super) fn float(&self, name: &str, default: f32) -> Result<f32, ImportError> {
        match self.attribute(name) {
            None => Ok(default),
            Some(AttributeValue::Float(value)) => Ok(*value),
            Some(_) => Err(self.wrong_type(name, "a float")),
        }
    }

    pub(super) fn text(&self, name: &str, default: &str) -> Result<String, ImportError> {
        match self.attribute(name) {
            None => Ok(default.to_owned()),
            Some(AttributeValue::Text(value)) => Ok(value.clone()),
            Some(_) => Err(self.wrong_type(name, "text")),
        }
    }

    pub(super) fn ints(&self, name: &str) -> Result<Option<Vec<i64>>, ImportError> {
        match self.attribute(name) {
            None => Ok(None),
            Some(AttributeValue::Ints(values)) => Ok(Some(values.clone())),
            Some(_) => Err(self.wrong_type(name, "whole numbers")),
        }
    }

    /// Axes from an input (from opset `since` on) or from the attribute `axes`; `None` if there are none.
    pub(super) fn axes(&self, input: usize, since: i64) -> Result<Option<Vec<i64>>, ImportError> {
        if self.importer.opset >= since && self.optional(input)?.is_some() {
            return self.known_ints(input).map(Some);
        }
        self.ints("axes")
    }

    /// Refuses unless attribute `name` has the one supported value.
    pub(super) fn require_int(&self, name: &str, required: i64) -> Result<(), ImportError> {
        let value = self.int(name, required)?;
        if value == required {
            return Ok(());
        }
        Err(self.refuse(
            format!("attribute {name:?} = {value}"),
            &format!("{name} = {required}"),
            "export the model in evaluation mode with default options",
        ))
    }

    /// An axis of the ONNX tensor (batch first) of `rank` axes, negative ones from the end.
    pub(super) fn axis(&self, axis: i64, rank: usize) -> Result<usize, ImportError> {
        let signed = i64::try_from(rank).unwrap_or(i64::MAX);
        let wrapped = if axis < 0 {
            axis.checked_add(signed)
        } else {
            Some(axis)
        };
        wrapped
            .and_then(|a| usize::try_from(a).ok())
            .filter(|&a| a < rank)
            .ok_or_else(|| {
                self.refuse(
                    format!("axis {axis} of a tensor of rank {rank}"),
                    "an axis of the tensor",
                    "export the model again",
                )
            })
    }

    /// The refusal of a node that would mix or move the batch axis.
    pub(super) fn mixes_samples(&self, what: String) -> ImportError {
        self.refuse(
            what,
            "operators that keep the batch axis in front and the samples apart",
            "a program maps one sample: take this step out of the model",
        )
    }
}

/// Whole numbers of the import as a list constant.
pub(super) fn int_list(values: impl IntoIterator<Item = SymInt>) -> Value {
    Value::Int(Const::list(values.into_iter().collect()))
}

/// An attribute value for an error text, cut to a few words.
fn short(value: &AttributeValue) -> String {
    let mut text = match value {
        AttributeValue::Float(v) => v.to_string(),
        AttributeValue::Int(v) => v.to_string(),
        AttributeValue::Text(v) => v.chars().take(40).collect(),
        AttributeValue::Tensor(t) => format!("tensor {:?}", t.dims),
        AttributeValue::Floats(v) => format!("{} floats", v.len()),
        AttributeValue::Ints(v) => format!("{:?}", &v[..v.len().min(8)]),
        AttributeValue::Other(code) => format!("type {code}"),
    };
    text.truncate(80);
    text
}

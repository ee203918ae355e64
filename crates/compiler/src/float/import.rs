//! From ONNX nodes to the float graph: names, batch axis, budget.
//!
//! The leading axis of the input is the batch: a name, or the number 1. It is removed here, and
//! every node must keep it in front and keep the samples apart, or is refused by name.

use std::collections::HashMap;

use super::constant::{Const, Value, product};
use super::error::ImportError;
use super::graph::{FloatGraph, FloatNode, FloatOp, INPUT_ELEMENTS_MAX};
use super::node::NodeContext;
use super::symbolic::SymInt;
use crate::onnx::{Dim, ELEMENTS_MAX, Elements, OnnxModel, OnnxTensor, OnnxValueInfo};

/// State of one import.
pub(super) struct Importer {
    pub(super) opset: i64,
    pub(super) values: HashMap<String, Value>,
    pub(super) nodes: Vec<FloatNode>,
    /// The leading dimension, as a number that may be the batch symbol.
    pub(super) batch: SymInt,
    /// Elements that constants made during import may still take.
    pub(super) budget: usize,
    /// Elements that activations may still take.
    pub(super) activation_budget: usize,
}

impl FloatGraph {
    /// Builds the float graph of one sample.
    pub fn from_onnx(model: &OnnxModel) -> Result<Self, ImportError> {
        let [input] = model.inputs.as_slice() else {
            return Err(count("input", &model.inputs));
        };
        let [output] = model.outputs.as_slice() else {
            return Err(count("output", &model.outputs));
        };
        let (batch, shape) = input_shape(input)?;
        let mut importer = Importer {
            opset: model.opset,
            values: HashMap::new(),
            nodes: vec![FloatNode {
                name: input.name.clone(),
                op: FloatOp::Input,
                inputs: Vec::new(),
                shape,
            }],
            batch,
            budget: ELEMENTS_MAX,
            activation_budget: ELEMENTS_MAX,
        };
        for tensor in &model.initializers {
            importer
                .values
                .insert(tensor.name.clone(), constant(tensor));
        }
        importer
            .values
            .insert(input.name.clone(), Value::Activation(0));
        for node in &model.nodes {
            NodeContext::new(&mut importer, node).import()?;
        }
        importer.finish(input, output)
    }
}

impl Importer {
    fn finish(
        self,
        input: &OnnxValueInfo,
        output: &OnnxValueInfo,
    ) -> Result<FloatGraph, ImportError> {
        let refuse = |what: &str| ImportError::Output {
            name: output.name.clone(),
            what: what.to_owned(),
        };
        let index = match self.values.get(&output.name) {
            Some(&Value::Activation(0)) => return Err(refuse("is the input itself")),
            Some(&Value::Activation(index)) => index,
            Some(Value::Float(_) | Value::Int(_)) => {
                return Err(refuse("does not depend on the input"));
            }
            None => return Err(refuse("is made by no supported node")),
        };
        let mut graph = FloatGraph {
            input_name: input.name.clone(),
            output_name: output.name.clone(),
            nodes: self.nodes,
            output: index,
        };
        graph.drop_unread();
        Ok(graph)
    }
}

/// A constant of the file as a value of the import.
pub(super) fn constant(tensor: &OnnxTensor) -> Value {
    let dims = tensor.dims.clone();
    match &tensor.elements {
        Elements::Float(values) => Value::Float(Const::new(dims, values.clone())),
        Elements::Int(values) => Value::Int(Const::new(
            dims,
            values.iter().map(|&v| SymInt::fixed(v)).collect(),
        )),
    }
}

fn count(what: &'static str, values: &[OnnxValueInfo]) -> ImportError {
    let names: Vec<&str> = values.iter().take(8).map(|v| v.name.as_str()).collect();
    ImportError::Count {
        what,
        count: values.len(),
        names: names.join(", "),
    }
}

/// Splits the batch axis from the shape of the input.
fn input_shape(input: &OnnxValueInfo) -> Result<(SymInt, Vec<usize>), ImportError> {
    let refuse = |what: String, supported: &'static str| ImportError::Input {
        name: input.name.clone(),
        what,
        supported,
    };
    if input.element_type != 1 {
        return Err(refuse(
            format!("element type {} is not FLOAT", input.element_type),
            "FLOAT (1); put a conversion in front of the model, not into it",
        ));
    }
    let dims = input.dims.as_deref().unwrap_or_default();
    let Some((leading, rest)) = dims.split_first().filter(|(_, rest)| !rest.is_empty()) else {
        return Err(refuse(
            format!("{} dimensions are declared", dims.len()),
            "a batch dimension (1 or a name) and at least one more",
        ));
    };
    let batch = match leading {
        Dim::Size(1) => SymInt::fixed(1),
        Dim::Name(_) | Dim::Unknown => SymInt::BATCH,
        Dim::Size(size) => {
            return Err(refuse(
                format!("the leading dimension is {size}"),
                "1 or a name: export with a sample of batch size 1 or with a dynamic batch axis",
            ));
        }
    };
    let shape: Option<Vec<usize>> = rest
        .iter()
        .map(|dim| match dim {
            Dim::Size(size) => usize::try_from(*size).ok().filter(|&n| n >= 1),
            Dim::Name(_) | Dim::Unknown => None,
        })
        .collect();
    shape
        .filter(|shape| product(shape).is_some_and(|n| n <= INPUT_ELEMENTS_MAX))
        .map(|shape| (batch, shape))
        .ok_or_else(|| {
            refuse(
                format!("the shape of a sample is {rest:?}"),
                "fixed dimensions of 1 or more with a product of at most 16777216",
            )
        })
}

impl FloatGraph {
    /// Removes nodes that the output does not depend on; the input stays node 0.
    pub(super) fn drop_unread(&mut self) {
        let mut read = vec![false; self.nodes.len()];
        read[0] = true;
        read[self.output] = true;
        for index in (0..self.nodes.len()).rev() {
            if read[index] {
                for &input in &self.nodes[index].inputs {
                    read[input] = true;
                }
            }
        }
        let mut renumbered = vec![0; self.nodes.len()];
        let mut kept = Vec::new();
        for (index, mut node) in core::mem::take(&mut self.nodes).into_iter().enumerate() {
            if read[index] {
                node.inputs
                    .iter_mut()
                    .for_each(|input| *input = renumbered[*input]);
                renumbered[index] = kept.len();
                kept.push(node);
            }
        }
        self.nodes = kept;
        self.output = renumbered[self.output];
    }
}

//! One ONNX node: its inputs, refusals by name, and the table of operators.

use super::act::{Act, Batch, Frame, Kind};
use super::constant::{Const, Value};
use super::error::{ImportError, Refusal};
use super::graph::{FloatNode, FloatOp, INPUT_ELEMENTS_MAX};
use super::import::Importer;
use super::run::{Operand, evaluate};
use super::symbolic::SymInt;
use crate::onnx::OnnxNode;

mod activation;
mod align;
mod arithmetic;
mod attention;
mod attributes;
mod blocks;
mod chains;
mod classic;
mod constants;
mod control;
mod conv;
mod diagonals;
mod einsum;
mod fourier;
mod frames;
mod linear;
mod logic;
mod loss;
mod movement;
mod norm;
mod pad;
mod picks;
mod pool;
mod pool_axes;
mod quantised;
mod recurrent;
mod reduce;
mod resize;
mod rotary;
mod sampling;
mod scatter;
mod sequences;
mod shape;
mod stateful;
mod table;
mod view;

pub use table::SUPPORTED;
use table::{CLASSIC, CONTRIBUTED};

/// Most nodes of a float graph.
pub(super) const NODES_MAX: usize = 8_192;
/// Most nodes during import, constants that go into others included.
const WORKING_NODES_MAX: usize = 1 << 17;
/// Largest whole number that stands exactly in single precision.
const EXACT_MAX: i64 = 1 << 24;
/// Most elements of a constant that is computed during import.
const FOLD_ELEMENTS_MAX: usize = 1 << 25;
/// Most multiplications of one node over constants.
const FOLD_COST_MAX: usize = 1 << 31;

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

    /// Imports the node: its outputs become values. Outputs that are not made stay undefined, and
    /// whoever reads one is refused.
    pub(super) fn import(mut self) -> Result<(), ImportError> {
        self.check_domain()?;
        if self.node.outputs.is_empty() {
            return Err(self.refuse(
                "no output".to_owned(),
                "one output",
                "export the model again",
            ));
        }
        let first = self.importer.nodes.len();
        let values = self.outputs_of_op()?;
        let is_constant = |value: &Value| matches!(value, Value::Float(_) | Value::Int(_));
        if values.iter().all(is_constant) {
            // Nodes over constants have done their work.
            self.importer.nodes.truncate(first);
        }
        for (name, value) in self.node.outputs.iter().zip(values) {
            if !name.is_empty() {
                self.importer.values.insert(name.clone(), value);
            }
        }
        Ok(())
    }

    fn check_domain(&self) -> Result<(), ImportError> {
        let op = self.node.op.as_str();
        let known = match self.node.domain.as_str() {
            "" | "ai.onnx" => !CLASSIC.contains(&op),
            "com.microsoft" => CONTRIBUTED.contains(&op),
            "ai.onnx.ml" => CLASSIC.contains(&op),
            _ => false,
        };
        if known {
            return Ok(());
        }
        let (contributed, classic) = (CONTRIBUTED.join(", "), CLASSIC.join(", "));
        let supported = format!(
            "the domain ai.onnx, of com.microsoft {contributed}, and of ai.onnx.ml {classic}"
        );
        let advice = match (self.node.domain.as_str(), op) {
            ("ai.onnx.ml", op) if op.starts_with("TreeEnsemble") => {
                "trees are no arithmetic on tensors: train an MLPClassifier or MLPRegressor on their answers"
            }
            ("ai.onnx.ml", op) if op.starts_with("SVM") => {
                "use LinearSVC, LinearSVR or an MLPClassifier"
            }
            ("com.microsoft", _) => {
                "save the model before ONNX Runtime fuses its nodes, or quantise it in the format QDQ"
            }
            _ => "export without custom operators",
        };
        Err(self.refuse(
            format!("operator domain {:?}", self.node.domain),
            &supported,
            advice,
        ))
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
                format!("input {name:?} is an output that its node does not make here"),
                "the outputs that inference needs",
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

    /// Whether input `index` is there.
    pub(super) fn has(&self, index: usize) -> bool {
        self.node
            .inputs
            .get(index)
            .is_some_and(|name| !name.is_empty())
    }

    /// Input `index` as an activation; a constant becomes one.
    pub(super) fn act(&mut self, index: usize) -> Result<Act, ImportError> {
        match self.value(index)?.clone() {
            Value::Activation(act) => Ok(act),
            Value::Float(c) => self.constant_act(c.dims.clone(), c.elements.to_vec(), Kind::Float),
            Value::Int(c) => {
                let exact = |v: &SymInt| v.known().filter(|k| k.abs() <= EXACT_MAX);
                let known: Option<Vec<i64>> = c.elements.iter().map(exact).collect();
                let Some(known) = known else {
                    return Err(self.refuse(
                        format!("input {index} is the batch size, or a number above 2^24"),
                        "whole numbers of at most 2^24 as operands of activations",
                        "export with fixed sizes for all axes but the batch",
                    ));
                };
                #[expect(clippy::cast_precision_loss, reason = "at most 2^24")]
                let floats = known.iter().map(|&v| v as f32).collect();
                self.constant_act(c.dims.clone(), floats, Kind::Int)
            }
        }
    }

    /// A constant as a node.
    pub(super) fn constant_act(
        &mut self,
        dims: Vec<usize>,
        elements: Vec<f32>,
        kind: Kind,
    ) -> Result<Act, ImportError> {
        let frame = Frame {
            dims,
            batch: Batch::Absent,
        };
        self.spend(elements.len())?;
        let node = self.push(FloatOp::Constant(elements), Vec::new(), frame.shape())?;
        Ok(Act {
            node,
            dims: frame.dims,
            batch: frame.batch,
            kind,
        })
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
        let of_batch = matches!(self.value(index)?, Value::Int(_));
        known.ok_or_else(|| {
            if of_batch {
                return self.refuse(
                    format!("input {index} depends on the batch size"),
                    "constant whole numbers",
                    "import one sample: --dim NAME=1 with the name of the leading axis, or --shape INPUT=1,.. where it has none",
                );
            }
            self.refuse(
                format!("input {index} is no constant of whole numbers"),
                "constant whole numbers",
                "export with fixed sizes for all axes but the batch",
            )
        })
    }

    /// Shape of a node.
    pub(super) fn shape_of(&self, node: usize) -> &[usize] {
        &self.importer.nodes[node].shape
    }

    /// The elements of a node that is a constant.
    pub(super) fn constant_of(&self, node: usize) -> Option<&[f32]> {
        if let FloatOp::Constant(elements) = &self.importer.nodes[node].op {
            return Some(elements);
        }
        None
    }

    /// Adds a node to the float graph; one over constants alone is computed at once.
    pub(super) fn push(
        &mut self,
        op: FloatOp,
        inputs: Vec<usize>,
        shape: Vec<usize>,
    ) -> Result<usize, ImportError> {
        if self.importer.nodes.len() >= WORKING_NODES_MAX {
            return Err(self.refuse(
                format!("more than {WORKING_NODES_MAX} operators and constants"),
                "8192 operators on activations",
                "use a smaller model",
            ));
        }
        let is_constant = |&input: &usize| self.constant_of(input).is_some();
        let (op, inputs) = if !inputs.is_empty() && inputs.iter().all(is_constant) {
            (self.folded(&op, &inputs, &shape)?, Vec::new())
        } else {
            (op, inputs)
        };
        if !matches!(op, FloatOp::Constant(_)) {
            self.spend_activation(&shape)?;
        }
        self.importer.nodes.push(FloatNode {
            name: format!("{}{}", self.node.name, self.importer.place),
            op,
            inputs,
            shape,
        });
        Ok(self.importer.nodes.len() - 1)
    }

    /// What an operator over constants computes.
    fn folded(
        &mut self,
        op: &FloatOp,
        inputs: &[usize],
        shape: &[usize],
    ) -> Result<FloatOp, ImportError> {
        let count = shape.iter().try_fold(1_usize, |p, &d| p.checked_mul(d));
        let count = count.unwrap_or(usize::MAX);
        if count > FOLD_ELEMENTS_MAX {
            return Err(self.refuse(
                format!("a constant of shape {shape:?} made during import"),
                "33554432 elements",
                "let the exporter fold constants (do_constant_folding=True)",
            ));
        }
        self.spend(count)?;
        let nodes = &self.importer.nodes;
        let columns = nodes[inputs[0]].shape.last().copied().unwrap_or(1);
        let terms = match op {
            FloatOp::Dense(linear) | FloatOp::Conv(linear, ..) => linear.row_len(),
            FloatOp::MaxPool(window) | FloatOp::AvgPool(window) => {
                window.kernel[0].saturating_mul(window.kernel[1])
            }
            FloatOp::Product { .. } | FloatOp::Reduce(_) | FloatOp::ArgMax => columns,
            FloatOp::Input
            | FloatOp::Constant(_)
            | FloatOp::Affine { .. }
            | FloatOp::Add
            | FloatOp::Pair(..)
            | FloatOp::Clip(..)
            | FloatOp::Function(_)
            | FloatOp::Softmax
            | FloatOp::Normalize { .. }
            | FloatOp::Embedding { .. }
            | FloatOp::Plane(_)
            | FloatOp::Concat(_)
            | FloatOp::Walk(..)
            | FloatOp::Reshape
            | FloatOp::Transpose(_) => 1,
        };
        if count.saturating_mul(terms) > FOLD_COST_MAX {
            return Err(self.refuse(
                format!("{count} sums of {terms} terms over constants"),
                "2^31 multiplications of constants",
                "let the exporter fold constants (do_constant_folding=True)",
            ));
        }
        let empty = count == 0;
        if !empty && inputs.iter().any(|&input| nodes[input].elements() == 0) {
            let joins = matches!(op, FloatOp::Concat(_));
            if !joins {
                return Err(self.refuse(
                    "a constant without elements".to_owned(),
                    "at least one element",
                    "remove the empty layer",
                ));
            }
        }
        let operand = |&input: &usize| Operand {
            values: self.constant_of(input).unwrap_or_default(),
            shape: &nodes[input].shape,
        };
        let operands: Vec<Operand<'_>> = inputs.iter().map(operand).collect();
        Ok(FloatOp::Constant(if empty {
            Vec::new()
        } else {
            evaluate(op, &operands, shape)
        }))
    }

    /// Takes an activation from the budget.
    fn spend_activation(&mut self, shape: &[usize]) -> Result<(), ImportError> {
        let elements = shape.iter().try_fold(1_usize, |p, &d| p.checked_mul(d));
        let left = elements
            .filter(|n| (1..=INPUT_ELEMENTS_MAX).contains(n))
            .and_then(|n| self.importer.activation_budget.checked_sub(n));
        let Some(left) = left else {
            return Err(self.refuse(
                format!("the output shape {shape:?} (without batch)"),
                "1 to 16777216 elements, 1073741824 in all activations",
                "use a smaller input",
            ));
        };
        self.importer.activation_budget = left;
        Ok(())
    }

    /// A node as the value of an output: under `frame`, a constant if it is one.
    pub(super) fn done(&self, node: usize, frame: Frame, kind: Kind) -> Value {
        let Some(elements) = self.constant_of(node) else {
            return Value::Activation(Act {
                node,
                dims: frame.dims,
                batch: frame.batch,
                kind,
            });
        };
        match kind {
            Kind::Float | Kind::Quantised(_) => {
                Value::Float(Const::new(frame.dims, elements.to_vec()))
            }
            Kind::Int | Kind::Bool => {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "whole numbers of at most 2^24"
                )]
                let whole = |&v: &f32| SymInt::fixed(v as i64);
                Value::Int(Const::new(frame.dims, elements.iter().map(whole).collect()))
            }
        }
    }

    /// An activation as the value of an output.
    pub(super) fn value_of(&self, act: Act) -> Value {
        let (node, kind) = (act.node, act.kind);
        let frame = Frame {
            dims: act.dims,
            batch: act.batch,
        };
        self.done(node, frame, kind)
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
                "268435456 elements in all, and two for each weight of the file",
                "let the exporter fold constants",
            )),
        }
    }

    /// An axis of the ONNX tensor (batch first) of `rank` axes, negative ones from the end.
    pub(super) fn axis(&self, axis: i64, rank: usize) -> Result<usize, ImportError> {
        from_either_end(axis, rank).ok_or_else(|| {
            self.refuse(
                format!("axis {axis} of a tensor of rank {rank}"),
                "an axis of the tensor",
                "export the model again",
            )
        })
    }

    /// A cell of an axis of `extent` cells, negative ones from the end.
    pub(super) fn cell(&self, index: i64, extent: usize) -> Result<usize, ImportError> {
        from_either_end(index, extent).ok_or_else(|| {
            self.refuse(
                format!("index {index} into {extent} cells"),
                "indices of cells that are there",
                "give each dimension the value that it had in the export, or export the model again with the one that is wanted",
            )
        })
    }

    /// The refusal of a node that would mix or move the batch axis.
    pub(super) fn mixes_samples(&self, what: String) -> ImportError {
        self.refuse(
            what,
            "operators that keep the batch axis in front and the samples apart",
            "a program maps one sample: take this step out of the model, or, where it keeps samples apart all the same, import one of them: --dim NAME=1 with the name of the leading axis, or --shape INPUT=1,.. where it has none",
        )
    }
}

/// Place `index` of `count`, negative ones from the end.
pub(super) fn from_either_end(index: i64, count: usize) -> Option<usize> {
    let signed = i64::try_from(count).unwrap_or(i64::MAX);
    let wrapped = if index < 0 {
        index.checked_add(signed)
    } else {
        Some(index)
    };
    let place = wrapped.and_then(|place| usize::try_from(place).ok());
    place.filter(|&place| place < count)
}

/// Whole numbers of the import as a list constant.
pub(super) fn int_list(values: impl IntoIterator<Item = SymInt>) -> Value {
    Value::Int(Const::list(values.into_iter().collect()))
}

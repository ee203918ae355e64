//! From ONNX nodes to the float graph: names, inputs, batch axis, budget.
//!
//! The leading axis of an input is the batch: a name, or the number 1. It is removed here, and
//! every node must keep the samples apart, or is refused by name. Other named dimensions get the
//! values that the caller gives.

use std::collections::{BTreeMap, HashMap};

use super::act::{Act, Batch, Kind};
use super::constant::{Const, Value, product};
use super::error::ImportError;
use super::given::{Declared, named};
use super::graph::{
    FloatGraph, FloatNode, FloatOp, GraphInput, GraphOutput, INPUT_ELEMENTS_MAX, InputKind,
};
use super::node::{NODES_MAX, NodeContext};
use super::symbolic::SymInt;
use super::wanted::{needed_nodes, read_names, wanted_outputs};
use crate::onnx::{Dim, ELEMENTS_MAX, ElementType, Elements, OnnxModel, OnnxTensor, OnnxValueInfo};

/// What an import may decide.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Values of named dimensions other than the batch, such as the length of a sequence.
    pub dims: BTreeMap<String, usize>,
    /// The one output that is wanted; all that can be made if there is none.
    pub output: Option<String>,
    /// Whether the leading axis belongs to the sample like any other: no axis is the batch, and
    /// nothing is refused for mixing samples. Needs a size or a value for every dimension.
    pub no_batch: bool,
}

/// Most elements of all activations together; a run keeps those that will still be read.
const ACTIVATIONS_MAX: usize = 1 << 30;
/// Constants that import may make for each weight of the file, besides [`ELEMENTS_MAX`]: it is put
/// in another order, and scaled.
const MADE_PER_WEIGHT: usize = 2;

/// State of one import.
pub(super) struct Importer {
    pub(super) opset: i64,
    pub(super) values: HashMap<String, Value>,
    pub(super) nodes: Vec<FloatNode>,
    pub(super) hints: BTreeMap<usize, (f32, f32)>,
    /// Element types of constants, by name: what the zero points of a quantised model leave open.
    pub(super) types: HashMap<String, ElementType>,
    /// By their node the pictures, each without batch, that several of a sample were joined from.
    pub(super) frames: HashMap<usize, Vec<Act>>,
    /// By its node what an `ArrayFeatureExtractor` has picked, from what and which features.
    pub(super) picks: HashMap<usize, (Act, Vec<usize>)>,
    /// The batch size, as a number that may be the batch symbol.
    pub(super) batch: SymInt,
    /// Elements that constants made during import may still take.
    pub(super) budget: usize,
    /// Elements that activations may still take.
    pub(super) activation_budget: usize,
    /// Nodes of bodies that have been imported, once for each round.
    pub(super) body_nodes: usize,
    /// The round that is imported, at the end of the names of its nodes.
    pub(super) place: String,
}

impl FloatGraph {
    /// Builds the float graph of one sample of a model without named dimensions but the batch.
    pub fn from_onnx(model: &OnnxModel) -> Result<Self, ImportError> {
        Self::import(model, &ImportOptions::default())
    }

    /// Builds the float graph of one sample.
    pub fn import(model: &OnnxModel, options: &ImportOptions) -> Result<Self, ImportError> {
        if model.inputs.is_empty() {
            return Err(ImportError::Count { what: "input" });
        }
        if model.outputs.is_empty() {
            return Err(ImportError::Count { what: "output" });
        }
        let weights = model
            .initializers
            .iter()
            .map(|tensor| tensor.elements.len());
        let weights = weights.fold(0_usize, usize::saturating_add);
        let mut importer = Importer {
            opset: model.opset,
            values: HashMap::new(),
            nodes: Vec::new(),
            hints: BTreeMap::new(),
            types: HashMap::new(),
            frames: HashMap::new(),
            picks: HashMap::new(),
            batch: SymInt::fixed(1),
            budget: ELEMENTS_MAX.saturating_add(weights.saturating_mul(MADE_PER_WEIGHT)),
            activation_budget: ACTIVATIONS_MAX,
            body_nodes: 0,
            place: String::new(),
        };
        for tensor in &model.initializers {
            if let Some(value) = constant(tensor) {
                importer.values.insert(tensor.name.clone(), value);
            }
            importer.types.insert(tensor.name.clone(), tensor.element);
        }
        let inputs = importer.inputs(&read_inputs(model, options), options)?;
        let wanted = wanted_outputs(model, options.output.as_deref())?;
        let needed = needed_nodes(model, &wanted);
        for (node, _) in model.nodes.iter().zip(needed).filter(|&(_, needed)| needed) {
            NodeContext::new(&mut importer, node).import()?;
        }
        importer.finish(inputs, &wanted)
    }
}

impl Importer {
    /// Makes the first nodes.
    fn inputs(
        &mut self,
        infos: &[&OnnxValueInfo],
        options: &ImportOptions,
    ) -> Result<Vec<GraphInput>, ImportError> {
        let batch = batch_name(infos, options);
        let named = |info: &OnnxValueInfo| match info.dims.as_deref().unwrap_or_default() {
            [Dim::Unknown, ..] => true,
            [Dim::Name(name), ..] => !options.dims.contains_key(name),
            _ => false,
        };
        if !options.no_batch && infos.iter().any(|info| named(info)) {
            self.batch = SymInt::BATCH;
        }
        let mut inputs = Vec::with_capacity(infos.len());
        for &info in infos {
            let kind = kind_of(info)?;
            if infos.len() == 1 {
                check_axes(info, kind, options)?;
            }
            let act = input_act(info, inputs.len(), kind, batch.as_deref(), options)?;
            let shape = act.frame().shape();
            self.nodes.push(FloatNode {
                name: info.name.clone(),
                op: FloatOp::Input,
                inputs: Vec::new(),
                shape: shape.clone(),
            });
            let value = Value::Activation(act);
            self.values.insert(info.name.clone(), value);
            inputs.push(GraphInput {
                name: info.name.clone(),
                shape,
                kind: match kind {
                    Kind::Float | Kind::Quantised(_) => InputKind::Float,
                    Kind::Int | Kind::Bool => InputKind::Index,
                },
            });
        }
        Ok(inputs)
    }

    /// The graph of the outputs. The first one must be there; others that inference does not make
    /// (statistics of norms, indices of pools) are left out.
    fn finish(
        mut self,
        inputs: Vec<GraphInput>,
        outputs: &[&OnnxValueInfo],
    ) -> Result<FloatGraph, ImportError> {
        let mut made = Vec::with_capacity(outputs.len());
        for output in outputs {
            match self.output_node(output, inputs.len()) {
                Ok(node) => made.push(GraphOutput {
                    name: output.name.clone(),
                    node,
                }),
                Err(error) if made.is_empty() => return Err(error),
                Err(_) => {}
            }
        }
        let mut graph = FloatGraph {
            inputs,
            outputs: made,
            nodes: self.nodes,
            hints: self.hints,
        };
        graph.drop_unread();
        graph.read_picks_as_whole();
        if graph.nodes.len() > NODES_MAX {
            return Err(ImportError::Nodes {
                nodes: graph.nodes.len(),
                limit: NODES_MAX,
            });
        }
        Ok(graph)
    }
}

/// What names stood for, if for anything.
pub(super) type Outside = Vec<(String, Option<Value>)>;

impl Importer {
    /// Takes the values of `names` away, until [`Importer::restore`].
    pub(super) fn set_aside(&mut self, names: Vec<String>) -> Outside {
        let take = |name: String| {
            let value = self.values.remove(&name);
            (name, value)
        };
        names.into_iter().map(take).collect()
    }

    /// Gives names back what they stood for; the first mention of a name counts.
    pub(super) fn restore(&mut self, outside: Outside) {
        for (name, value) in outside.into_iter().rev() {
            match value {
                Some(value) => self.values.insert(name, value),
                None => self.values.remove(&name),
            };
        }
    }

    /// The node that makes an output.
    fn output_node(&mut self, output: &OnnxValueInfo, inputs: usize) -> Result<usize, ImportError> {
        let refuse = |what: &str| ImportError::Output {
            name: output.name.clone(),
            what: what.to_owned(),
        };
        match self.values.get(&output.name) {
            Some(Value::Activation(act)) if act.node < inputs => {
                let input = act.node;
                self.nodes.push(FloatNode {
                    name: output.name.clone(),
                    op: FloatOp::Reshape,
                    inputs: vec![input],
                    shape: self.nodes[input].shape.clone(),
                });
                Ok(self.nodes.len() - 1)
            }
            Some(Value::Activation(act)) => Ok(act.node),
            Some(Value::Float(_) | Value::Int(_)) => Err(refuse("does not depend on the input")),
            None => Err(refuse("is made by no supported node")),
        }
    }
}

/// A constant of the file as a value of the import; texts are none.
pub(super) fn constant(tensor: &OnnxTensor) -> Option<Value> {
    let dims = tensor.dims.clone();
    match &tensor.elements {
        Elements::Float(values) => Some(Value::Float(Const::new(dims, values.clone()))),
        Elements::Int(values) => {
            let values = values.iter().map(|&v| SymInt::fixed(v));
            Some(Value::Int(Const::new(dims, values.collect())))
        }
        Elements::Text(_) => None,
    }
}

/// The inputs, without those that tf2onnx leaves behind where it folds a constant of Keras: they have no batch,
/// while another one has, and no node reads them.
pub(super) fn read_inputs<'m>(
    model: &'m OnnxModel,
    options: &ImportOptions,
) -> Vec<&'m OnnxValueInfo> {
    let all: Vec<&OnnxValueInfo> = model.inputs.iter().collect();
    if options.no_batch || batch_name(&all, options).is_none() {
        return all;
    }
    let outputs: Vec<&OnnxValueInfo> = model.outputs.iter().collect();
    let read = read_names(model, &outputs);
    let fixed = |dim: &Dim| matches!(dim, Dim::Size(_));
    let left = |info: &OnnxValueInfo| {
        let dims = info.dims.as_deref().unwrap_or_default();
        !dims.is_empty() && dims.iter().all(fixed) && !read.contains(info.name.as_str())
    };
    all.into_iter().filter(|info| !left(info)).collect()
}

/// Names that tf2onnx makes up: each input of a Keras model has another one for the batch.
const MADE_UP: &str = "unk__";

/// The name of the batch: that of the first leading dimension that has a name and no value.
pub(super) fn batch_name(inputs: &[&OnnxValueInfo], options: &ImportOptions) -> Option<String> {
    inputs.iter().find_map(|info| match info.dims.as_deref() {
        Some([Dim::Name(name), ..]) if !options.dims.contains_key(name) => Some(name.clone()),
        _ => None,
    })
}

/// What an input's elements are.
pub(super) fn kind_of(input: &OnnxValueInfo) -> Result<Kind, ImportError> {
    match input.element_type {
        1 | 10 | 11 | 16 => Ok(Kind::Float),
        2 | 3 | 6 | 7 => Ok(Kind::Int),
        9 => Ok(Kind::Bool),
        other => Err(ImportError::Input {
            name: input.name.clone(),
            what: format!("element type {other} is neither real nor whole numbers"),
            supported: "FLOAT (1), FLOAT16, BFLOAT16, DOUBLE, INT64, INT32, INT8, UINT8, BOOL",
        }),
    }
}

/// An input without the axes that it needs.
fn shapeless(input: &OnnxValueInfo) -> ImportError {
    let declared = input.dims.as_deref().unwrap_or_default().len();
    ImportError::Input {
        name: input.name.clone(),
        what: format!("{declared} dimensions are declared"),
        supported: "a batch dimension (1 or a name) and at least one more, or --no-batch if the axis belongs to the sample",
    }
}

/// Refuses an only input of real numbers whose one axis would be the batch: it is rather one of the sample.
fn check_axes(
    input: &OnnxValueInfo,
    kind: Kind,
    options: &ImportOptions,
) -> Result<(), ImportError> {
    let is_batch = match input.dims.as_deref() {
        Some([Dim::Name(name)]) => !options.dims.contains_key(name),
        Some([Dim::Size(1) | Dim::Unknown]) => true,
        Some(_) | None => false,
    };
    if is_batch && kind.is_real() && !options.no_batch {
        return Err(shapeless(input));
    }
    Ok(())
}

/// What the leading axis of an input is, where inputs have a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leading {
    Batch,
    Sample,
    /// A size that is not that of a batch of one sample.
    Refused(i64),
}

/// What the leading axis `dim` is, beside a batch of the name `batch`.
pub(super) fn leading_of(dim: &Dim, batch: Option<&str>, options: &ImportOptions) -> Leading {
    match dim {
        Dim::Name(name) if options.dims.contains_key(name) => Leading::Sample,
        Dim::Name(name)
            if batch.is_some_and(|batch| batch != name) && !name.starts_with(MADE_UP) =>
        {
            Leading::Sample
        }
        Dim::Size(1) | Dim::Name(_) | Dim::Unknown => Leading::Batch,
        Dim::Size(size) => Leading::Refused(*size),
    }
}

/// Splits the batch axis from the shape of an input and puts values for names.
fn input_act(
    input: &OnnxValueInfo,
    node: usize,
    kind: Kind,
    batch: Option<&str>,
    options: &ImportOptions,
) -> Result<Act, ImportError> {
    let refuse = |what: String, supported: &'static str| ImportError::Input {
        name: input.name.clone(),
        what,
        supported,
    };
    let declared = input.dims.as_deref().unwrap_or_default();
    let value = |(axis, dim): (usize, &Dim)| match dim {
        Dim::Size(size) => Ok(usize::try_from(*size).ok().filter(|&n| n >= 1)),
        Dim::Name(name) if options.dims.contains_key(name) => {
            Ok(options.dims.get(name).copied().filter(|&n| n >= 1))
        }
        Dim::Name(_) | Dim::Unknown => Err(match named(dim) {
            Some(name) => ImportError::Dimension {
                input: input.name.clone(),
                name: name.to_owned(),
            },
            None => ImportError::Axis {
                input: input.name.clone(),
                axis,
                declared: Declared(declared.to_vec()),
            },
        }),
    };
    let (dims, has_batch): (Result<Vec<Option<usize>>, ImportError>, bool) = if options.no_batch {
        (declared.iter().enumerate().map(value).collect(), false)
    } else {
        let leading = declared.first().ok_or_else(|| shapeless(input))?;
        let (front, has_batch) = match leading_of(leading, batch, options) {
            Leading::Sample => (value((0, leading))?, false),
            Leading::Batch => (Some(1), true),
            Leading::Refused(size) => {
                return Err(refuse(
                    format!("the leading dimension is {size}"),
                    "1 or a name: export with a dynamic batch axis, or import with --no-batch if the axis belongs to the sample",
                ));
            }
        };
        let rest = declared.iter().enumerate().skip(1).map(value);
        (core::iter::once(Ok(front)).chain(rest).collect(), has_batch)
    };
    let dims: Option<Vec<usize>> = dims?.into_iter().collect();
    let dims = dims.filter(|dims| product(dims).is_some_and(|n| n <= INPUT_ELEMENTS_MAX));
    let dims = dims.ok_or_else(|| {
        refuse(
            format!("the shape is {}", Declared(declared.to_vec())),
            "fixed dimensions of 1 or more with a product of at most 16777216",
        )
    })?;
    Ok(Act {
        node,
        dims,
        batch: if has_batch {
            Batch::Own(0)
        } else {
            Batch::Absent
        },
        kind,
    })
}

impl FloatGraph {
    /// Removes nodes that no output depends on; the inputs stay in front.
    pub(super) fn drop_unread(&mut self) {
        let mut read = vec![false; self.nodes.len()];
        read[..self.inputs.len()].fill(true);
        for output in &self.outputs {
            read[output.node] = true;
        }
        for index in (0..self.nodes.len()).rev() {
            if read[index] {
                for &input in &self.nodes[index].inputs {
                    read[input] = true;
                }
            }
        }
        let mut renumbered = vec![0; self.nodes.len()];
        let mut kept = Vec::new();
        let mut hints = BTreeMap::new();
        for (index, mut node) in core::mem::take(&mut self.nodes).into_iter().enumerate() {
            if read[index] {
                let inputs = node.inputs.iter_mut();
                inputs.for_each(|input| *input = renumbered[*input]);
                renumbered[index] = kept.len();
                if let Some(&hint) = self.hints.get(&index) {
                    hints.insert(kept.len(), hint);
                }
                kept.push(node);
            }
        }
        self.nodes = kept;
        self.hints = hints;
        for output in &mut self.outputs {
            output.node = renumbered[output.node];
        }
    }
}

//! ONNX messages: model, graph, node, attribute, declared value.

use std::collections::HashSet;
use std::path::Path;

use super::beside::{Beside, folder_of, read_model};
use super::error::DecodeError;
use super::tensor::{OnnxTensor, decode_tensor};
use super::wire::{Field, Reader};
use super::{DEPTH_MAX, ELEMENTS_MAX, FAN_MAX, NAME_BYTES_MAX, NODES_MAX, OPSETS, RANK_MAX};

/// A decoded model: names are unique and every node reads only what stands before it.
#[derive(Debug, Clone, PartialEq)]
pub struct OnnxModel {
    /// Version of the operator set, 7 to 28.
    pub opset: i64,
    /// Who wrote the file, e.g. `pytorch 2.15.0`.
    pub producer: String,
    /// Nodes in execution order.
    pub nodes: Vec<OnnxNode>,
    /// Constants.
    pub initializers: Vec<OnnxTensor>,
    /// Declared inputs without those that are constants.
    pub inputs: Vec<OnnxValueInfo>,
    /// Declared outputs.
    pub outputs: Vec<OnnxValueInfo>,
}

/// One operator of the graph.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OnnxNode {
    /// Name; a made-up one (`#index`) if the file gives none.
    pub name: String,
    /// Operator, e.g. `Conv`.
    pub op: String,
    /// Operator domain; empty for the ONNX one.
    pub domain: String,
    /// Names of the values it reads; an empty name is an absent optional input.
    pub inputs: Vec<String>,
    /// Names of the values it makes.
    pub outputs: Vec<String>,
    /// Attributes.
    pub attributes: Vec<Attribute>,
}

/// A named attribute.
#[derive(Debug, Clone, PartialEq)]
pub struct Attribute {
    /// Name.
    pub name: String,
    /// Value.
    pub value: AttributeValue,
}

/// Value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeValue {
    /// FLOAT.
    Float(f32),
    /// INT.
    Int(i64),
    /// STRING, lossy if it is not UTF-8.
    Text(String),
    /// TENSOR.
    Tensor(OnnxTensor),
    /// FLOATS.
    Floats(Vec<f32>),
    /// INTS.
    Ints(Vec<i64>),
    /// STRINGS, lossy if they are not UTF-8.
    Texts(Vec<String>),
    /// GRAPH, a body of control flow; one that lies too deep is another type.
    Graph(Box<OnnxGraph>),
    /// Any other type (sparse tensors, lists of graphs), by its code.
    Other(i64),
}

/// A declared input or output.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OnnxValueInfo {
    /// Name.
    pub name: String,
    /// `TensorProto.DataType`, 0 if it is not a tensor.
    pub element_type: i64,
    /// Dimensions; `None` if the file gives no shape.
    pub dims: Option<Vec<Dim>>,
}

/// One declared dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dim {
    /// A number, 1 or more.
    Size(i64),
    /// A name, e.g. `batch`.
    Name(String),
    /// Neither, or the number -1 or 0, which exporters write for an extent that may be any.
    Unknown,
}

impl OnnxModel {
    /// Decodes a whole file; weights that stand in other files are refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        Self::decode_with(bytes, Beside::Nothing)
    }

    /// Reads a file, and the files of weights beside it.
    pub fn read(path: &Path) -> Result<Self, DecodeError> {
        let bytes = read_model(path)?;
        let folder = folder_of(path)?;
        Self::decode_with(&bytes, Beside::Folder(&folder))
    }

    fn decode_with(bytes: &[u8], beside: Beside<'_>) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, 0);
        let (mut producer, mut version) = (String::new(), String::new());
        let mut opsets = Vec::new();
        let mut graph = None;
        while let Some(field) = reader.next()? {
            match field.number {
                2 => field.text(NAME_BYTES_MAX)?.clone_into(&mut producer),
                3 => field.text(NAME_BYTES_MAX)?.clone_into(&mut version),
                7 => graph = Some(OnnxGraph::decode(field.message()?, beside, 0)?),
                8 => {
                    limit(opsets.len(), FAN_MAX, "opset imports", &field)?;
                    opsets.push(decode_opset(field.message()?)?);
                }
                _ => {}
            }
        }
        let graph = graph.ok_or(DecodeError::NoGraph)?;
        let mut ours: Vec<i64> = opsets
            .iter()
            .filter(|(domain, _)| domain.is_empty() || domain == "ai.onnx")
            .map(|&(_, version)| version)
            .collect();
        // skl2onnx names the domain twice, with one version.
        ours.dedup();
        let &[opset] = ours.as_slice() else {
            return Err(DecodeError::OpsetCount { count: ours.len() });
        };
        if !OPSETS.contains(&opset) {
            return Err(DecodeError::Opset { version: opset });
        }
        let producer = format!("{producer} {version}").trim().to_owned();
        graph.check(opset, producer)
    }
}

/// A graph as it stands in the file. Nodes of one within another may read what is made around it; whether
/// they read only what has been made is seen when it is imported.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OnnxGraph {
    /// Nodes in execution order.
    pub nodes: Vec<OnnxNode>,
    /// Constants.
    pub initializers: Vec<OnnxTensor>,
    /// Declared inputs.
    pub inputs: Vec<OnnxValueInfo>,
    /// Declared outputs.
    pub outputs: Vec<OnnxValueInfo>,
}

impl OnnxGraph {
    fn decode(
        mut reader: Reader<'_>,
        beside: Beside<'_>,
        depth: usize,
    ) -> Result<Self, DecodeError> {
        let mut graph = Self::default();
        while let Some(field) = reader.next()? {
            match field.number {
                1 => {
                    limit(graph.nodes.len(), NODES_MAX, "nodes", &field)?;
                    let mut node = decode_node(field.message()?, beside, depth)?;
                    if node.name.is_empty() {
                        node.name = format!("#{}", graph.nodes.len());
                    }
                    graph.nodes.push(node);
                }
                5 => {
                    limit(graph.initializers.len(), NODES_MAX, "initializers", &field)?;
                    graph
                        .initializers
                        .push(decode_tensor(field.message()?, beside)?);
                }
                11 => {
                    limit(graph.inputs.len(), NODES_MAX, "inputs", &field)?;
                    graph.inputs.push(decode_value_info(field.message()?)?);
                }
                12 => {
                    limit(graph.outputs.len(), FAN_MAX, "outputs", &field)?;
                    graph.outputs.push(decode_value_info(field.message()?)?);
                }
                _ => {}
            }
        }
        Ok(graph)
    }

    /// Names are unique, and every node reads only what stands before it: no cycle can exist.
    fn check(mut self, opset: i64, producer: String) -> Result<OnnxModel, DecodeError> {
        let mut known: HashSet<&str> = HashSet::new();
        for tensor in &self.initializers {
            define(&mut known, &tensor.name)?;
        }
        let constants = known.clone();
        for input in &self.inputs {
            // IR version 3 and older list constants among the inputs, too.
            if !constants.contains(input.name.as_str()) {
                define(&mut known, &input.name)?;
            }
        }
        for node in &self.nodes {
            for input in node.inputs.iter().filter(|name| !name.is_empty()) {
                if !known.contains(input.as_str()) {
                    return Err(DecodeError::NotSorted {
                        node: node.name.clone(),
                        op: node.op.clone(),
                        input: input.clone(),
                    });
                }
            }
            for output in node.outputs.iter().filter(|name| !name.is_empty()) {
                define(&mut known, output)?;
            }
        }
        let constants: HashSet<String> = constants.into_iter().map(str::to_owned).collect();
        self.inputs.retain(|input| !constants.contains(&input.name));
        Ok(OnnxModel {
            opset,
            producer,
            nodes: self.nodes,
            initializers: self.initializers,
            inputs: self.inputs,
            outputs: self.outputs,
        })
    }
}

fn define<'a>(known: &mut HashSet<&'a str>, name: &'a str) -> Result<(), DecodeError> {
    if known.insert(name) {
        return Ok(());
    }
    Err(DecodeError::DuplicateName {
        name: name.to_owned(),
    })
}

pub(super) fn limit(
    count: usize,
    limit: usize,
    what: &'static str,
    field: &Field<'_>,
) -> Result<(), DecodeError> {
    if count < limit {
        return Ok(());
    }
    Err(DecodeError::TooMany {
        offset: field.offset,
        what,
        limit,
    })
}

fn decode_opset(mut reader: Reader<'_>) -> Result<(String, i64), DecodeError> {
    let (mut domain, mut version) = (String::new(), 0);
    while let Some(field) = reader.next()? {
        match field.number {
            1 => field.text(NAME_BYTES_MAX)?.clone_into(&mut domain),
            2 => version = field.int64()?,
            _ => {}
        }
    }
    Ok((domain, version))
}

fn decode_node(
    mut reader: Reader<'_>,
    beside: Beside<'_>,
    depth: usize,
) -> Result<OnnxNode, DecodeError> {
    let mut node = OnnxNode::default();
    while let Some(field) = reader.next()? {
        match field.number {
            1 => {
                limit(node.inputs.len(), FAN_MAX, "inputs of one node", &field)?;
                node.inputs.push(field.text(NAME_BYTES_MAX)?.to_owned());
            }
            2 => {
                limit(node.outputs.len(), FAN_MAX, "outputs of one node", &field)?;
                node.outputs.push(field.text(NAME_BYTES_MAX)?.to_owned());
            }
            3 => field.text(NAME_BYTES_MAX)?.clone_into(&mut node.name),
            4 => field.text(NAME_BYTES_MAX)?.clone_into(&mut node.op),
            5 => {
                limit(
                    node.attributes.len(),
                    FAN_MAX,
                    "attributes of one node",
                    &field,
                )?;
                node.attributes
                    .push(decode_attribute(field.message()?, beside, depth)?);
            }
            7 => field.text(NAME_BYTES_MAX)?.clone_into(&mut node.domain),
            _ => {}
        }
    }
    Ok(node)
}

fn decode_attribute(
    mut reader: Reader<'_>,
    beside: Beside<'_>,
    depth: usize,
) -> Result<Attribute, DecodeError> {
    let mut name = String::new();
    let (mut float, mut int, mut text) = (0.0, 0, String::new());
    let (mut tensor, mut graph) = (None, None);
    let (mut floats, mut ints) = (Vec::new(), Vec::new());
    let mut texts = Vec::new();
    let mut kind = 0;
    while let Some(field) = reader.next()? {
        match field.number {
            1 => field.text(NAME_BYTES_MAX)?.clone_into(&mut name),
            2 => float = field.float()?,
            3 => int = field.int64()?,
            // A text attribute may be anything (a doc string, a pickle): cut, never refused.
            4 => text = cut_text(field.bytes()?),
            5 => tensor = Some(decode_tensor(field.message()?, beside)?),
            6 if depth < DEPTH_MAX => {
                graph = Some(OnnxGraph::decode(field.message()?, beside, depth + 1)?);
            }
            7 => field.floats(&mut floats, ELEMENTS_MAX)?,
            8 => field.int64s(&mut ints, ELEMENTS_MAX)?,
            9 => {
                limit(
                    texts.len(),
                    FAN_MAX,
                    "texts of one attribute (ensembles of trees have so many, and are not supported)",
                    &field,
                )?;
                texts.push(cut_text(field.bytes()?));
            }
            20 => kind = field.int64()?,
            _ => {}
        }
    }
    if let (5, Some(graph)) = (kind, graph) {
        let value = AttributeValue::Graph(Box::new(graph));
        return Ok(Attribute { name, value });
    }
    let value = match (kind, tensor) {
        (1, _) => AttributeValue::Float(float),
        (2, _) => AttributeValue::Int(int),
        (3, _) => AttributeValue::Text(text),
        (4, Some(tensor)) => AttributeValue::Tensor(tensor),
        (6, _) => AttributeValue::Floats(floats),
        (7, _) => AttributeValue::Ints(ints),
        (8, _) => AttributeValue::Texts(texts),
        (other, _) => AttributeValue::Other(other),
    };
    Ok(Attribute { name, value })
}

/// Text of at most [`NAME_BYTES_MAX`] bytes, lossy if it is not UTF-8.
pub(super) fn cut_text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(NAME_BYTES_MAX)]).into_owned()
}

fn decode_value_info(mut reader: Reader<'_>) -> Result<OnnxValueInfo, DecodeError> {
    let mut info = OnnxValueInfo::default();
    while let Some(field) = reader.next()? {
        match field.number {
            1 => field.text(NAME_BYTES_MAX)?.clone_into(&mut info.name),
            // TypeProto { tensor_type = 1 }
            2 => {
                let mut kind = field.message()?;
                while let Some(field) = kind.next()? {
                    if field.number == 1 {
                        decode_tensor_type(field.message()?, &mut info)?;
                    }
                }
            }
            _ => {}
        }
    }
    Ok(info)
}

fn decode_tensor_type(mut reader: Reader<'_>, info: &mut OnnxValueInfo) -> Result<(), DecodeError> {
    while let Some(field) = reader.next()? {
        match field.number {
            1 => info.element_type = field.int64()?,
            // TensorShapeProto { repeated Dimension dim = 1 }
            2 => {
                let mut shape = field.message()?;
                let mut dims = Vec::new();
                while let Some(field) = shape.next()? {
                    if field.number == 1 {
                        limit(dims.len(), RANK_MAX, "dimensions of one value", &field)?;
                        dims.push(decode_dim(field.message()?)?);
                    }
                }
                info.dims = Some(dims);
            }
            _ => {}
        }
    }
    Ok(())
}

fn decode_dim(mut reader: Reader<'_>) -> Result<Dim, DecodeError> {
    let mut dim = Dim::Unknown;
    while let Some(field) = reader.next()? {
        match field.number {
            1 => {
                let size = field.int64()?;
                dim = if size < 1 {
                    Dim::Unknown
                } else {
                    Dim::Size(size)
                };
            }
            2 => {
                let name = field.text(NAME_BYTES_MAX)?;
                dim = if name.is_empty() {
                    Dim::Unknown
                } else {
                    Dim::Name(name.to_owned())
                };
            }
            _ => {}
        }
    }
    Ok(dim)
}

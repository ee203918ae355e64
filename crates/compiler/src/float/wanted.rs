//! Which outputs are wanted, and the nodes that they need: what no wanted output needs is not read,
//! and may be anything.

use std::collections::HashSet;

use super::error::ImportError;
use crate::onnx::{AttributeValue, OnnxModel, OnnxNode, OnnxValueInfo};

/// The wanted outputs: the named one, else all that are numbers.
///
/// Classifiers of scikit-learn answer with the name of the class first and with its probability second. A
/// program gives the numbers; names are labels.
pub(super) fn wanted_outputs<'m>(
    model: &'m OnnxModel,
    name: Option<&str>,
) -> Result<Vec<&'m OnnxValueInfo>, ImportError> {
    if let Some(name) = name {
        let found: Vec<_> = model.outputs.iter().filter(|o| o.name == name).collect();
        if found.is_empty() {
            return Err(ImportError::Output {
                name: name.to_owned(),
                what: "is no output of the model".to_owned(),
            });
        }
        return Ok(found);
    }
    let is_name = |output: &OnnxValueInfo| {
        let (needed, names) = needed(model, &[output]);
        let mut nodes = model.nodes.iter().zip(needed);
        nodes.any(|(node, needed)| needed && names_classes(model, node, &names))
    };
    let (names, numbers): (Vec<_>, Vec<_>) = model.outputs.iter().partition(|o| is_name(o));
    Ok(if numbers.is_empty() { names } else { numbers })
}

/// Whether the node turns the index of a class into its name, and one of `names` is that.
fn names_classes(model: &OnnxModel, node: &OnnxNode, names: &HashSet<&str>) -> bool {
    let (first, named) = (node.inputs.first(), node.outputs.first());
    node.domain == "ai.onnx.ml"
        && match node.op.as_str() {
            // Of an activation it picks features.
            "ArrayFeatureExtractor" => model.initializers.iter().any(|t| Some(&t.name) == first),
            "LabelEncoder" => true,
            "LinearClassifier" => named.is_some_and(|name| names.contains(name.as_str())),
            _ => false,
        }
}

/// For each node whether one of the outputs depends on it.
pub(super) fn needed_nodes(model: &OnnxModel, outputs: &[&OnnxValueInfo]) -> Vec<bool> {
    needed(model, outputs).0
}

/// The names of all values that the outputs depend on, theirs among them.
pub(super) fn read_names<'m>(
    model: &'m OnnxModel,
    outputs: &[&'m OnnxValueInfo],
) -> HashSet<&'m str> {
    needed(model, outputs).1
}

/// For each node whether one of the outputs depends on it, and the names of all values that they depend on.
fn needed<'m>(
    model: &'m OnnxModel,
    outputs: &[&'m OnnxValueInfo],
) -> (Vec<bool>, HashSet<&'m str>) {
    let mut names: HashSet<&str> = outputs.iter().map(|output| output.name.as_str()).collect();
    let mut needed = vec![false; model.nodes.len()];
    for (node, needed) in model.nodes.iter().zip(&mut needed).rev() {
        *needed = node.outputs.iter().any(|name| names.contains(&**name));
        if *needed {
            names.extend(reads(node));
        }
    }
    (needed, names)
}

/// All names that a node may read: its inputs, and what the graphs in its attributes take from outside.
fn reads(node: &OnnxNode) -> Vec<&str> {
    let mut names: Vec<&str> = node.inputs.iter().map(String::as_str).collect();
    for attribute in &node.attributes {
        if let AttributeValue::Graph(graph) = &attribute.value {
            names.extend(graph.outputs.iter().map(|output| output.name.as_str()));
            names.extend(graph.nodes.iter().flat_map(reads));
        }
    }
    names
}

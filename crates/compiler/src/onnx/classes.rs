//! Names of classes that a classifier of scikit-learn carries.

use super::{AttributeValue, Elements, OnnxModel, OnnxNode};

impl OnnxModel {
    /// The names, in the order of the answers; empty if the file has none.
    ///
    /// They stand in a `ZipMap` or `LinearClassifier`, or are what an `ArrayFeatureExtractor` picks the answer from (ai.onnx.ml).
    pub fn class_names(&self) -> Vec<String> {
        let mut classic = self.nodes.iter().filter(|node| node.domain == "ai.onnx.ml");
        let names = |node: &OnnxNode| match node.op.as_str() {
            "ZipMap" | "LinearClassifier" => node.attributes.iter().find_map(|a| listed(&a.value)),
            "ArrayFeatureExtractor" => self.constant_names(node.inputs.first()?),
            _ => None,
        };
        classic.find_map(names).unwrap_or_default()
    }

    fn constant_names(&self, name: &str) -> Option<Vec<String>> {
        let constant = self.initializers.iter().find(|t| t.name == name)?;
        match &constant.elements {
            Elements::Text(names) => Some(names.clone()),
            Elements::Int(names) => Some(names.iter().map(i64::to_string).collect()),
            Elements::Float(_) => None,
        }
    }
}

fn listed(value: &AttributeValue) -> Option<Vec<String>> {
    match value {
        AttributeValue::Texts(names) => Some(names.clone()),
        AttributeValue::Ints(names) => Some(names.iter().map(i64::to_string).collect()),
        AttributeValue::Float(_)
        | AttributeValue::Int(_)
        | AttributeValue::Text(_)
        | AttributeValue::Tensor(_)
        | AttributeValue::Floats(_)
        | AttributeValue::Graph(_)
        | AttributeValue::Other(_) => None,
    }
}

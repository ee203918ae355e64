//! Attributes of a node: typed access, and refusal of what is not known.

use super::super::error::ImportError;
use super::NodeContext;
use crate::onnx::AttributeValue;

impl NodeContext<'_> {
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
}

/// An attribute value for an error text, cut to a few words.
fn short(value: &AttributeValue) -> String {
    let mut text = match value {
        AttributeValue::Float(v) => v.to_string(),
        AttributeValue::Int(v) => v.to_string(),
        AttributeValue::Text(v) => v.chars().take(40).collect(),
        AttributeValue::Tensor(t) => format!("tensor {:?}", t.dims),
        AttributeValue::Floats(v) => format!("{} floats", v.len()),
        AttributeValue::Texts(v) => format!("{} texts", v.len()),
        AttributeValue::Ints(v) => format!("{:?}", &v[..v.len().min(8)]),
        AttributeValue::Graph(graph) => format!("a graph of {} nodes", graph.nodes.len()),
        AttributeValue::Other(code) => format!("type {code}"),
    };
    text.truncate(80);
    text
}

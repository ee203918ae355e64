//! Graphs within nodes: the branch of an If whose condition is constant, and the rounds of a Loop whose
//! number is, one after the other.
//!
//! Keras writes recurrent layers as loops over time whose counters are constants: round by round their
//! bodies become nodes like any others. What depends on data is refused.

use super::super::constant::{Const, Value};
use super::super::error::ImportError;
use super::super::import::constant;
use super::super::symbolic::SymInt;
use super::NodeContext;
use crate::onnx::{Attribute, AttributeValue, OnnxGraph, OnnxNode};

/// Most nodes of bodies, counted once for each round.
const BODY_NODES_MAX: usize = 1 << 16;
/// Most rounds of a loop.
const ROUNDS_MAX: i64 = 1 << 12;
const ADVICE: &str = "export without control flow that depends on data";

/// A value under a name of a body.
type Named = (String, Value);

impl<'a> NodeContext<'a> {
    /// If: the branch that a constant chooses.
    pub(super) fn branch(&mut self) -> Result<Vec<Value>, ImportError> {
        self.value(0)?;
        let condition = self.known_condition(0)?.unwrap_or_default();
        let body = self.body(if condition {
            "then_branch"
        } else {
            "else_branch"
        })?;
        let constants = self.body_constants(body);
        self.round(body, &constants, Vec::new(), "")
    }

    /// Loop: the carried values after the last round, then what every round hands out, stacked.
    pub(super) fn rounds(&mut self) -> Result<Vec<Value>, ImportError> {
        let body = self.body("body")?;
        let constants = self.body_constants(body);
        let most = if self.has(0) {
            self.known_ints(0)?.first().copied().unwrap_or(0)
        } else {
            i64::MAX
        };
        let mut goes_on = self.known_condition(1)?.unwrap_or(true);
        let carried = self.node.inputs.len().saturating_sub(2);
        if body.inputs.len() != carried + 2 || body.outputs.len() <= carried {
            return Err(self.refuse(
                format!(
                    "a body of {} inputs and {} outputs for {carried} carried values",
                    body.inputs.len(),
                    body.outputs.len()
                ),
                "two more inputs, and one output more, than carried values",
                "export the model again",
            ));
        }
        let mut values: Vec<Value> = Vec::with_capacity(carried);
        for input in 2..self.node.inputs.len() {
            values.push(self.value(input)?.clone());
        }
        let mut stacks = vec![Vec::new(); body.outputs.len() - 1 - carried];
        let mut round = 0;
        while goes_on && round < most {
            if round == ROUNDS_MAX {
                return Err(self.refuse(
                    format!("more than {ROUNDS_MAX} rounds"),
                    &format!("at most {ROUNDS_MAX}"),
                    "use a shorter sequence",
                ));
            }
            let counters = [scalar(round), scalar(1)];
            let names = body.inputs.iter().map(|input| input.name.clone());
            let bound = names.zip(counters.into_iter().chain(values)).collect();
            let mut made = self.round(body, &constants, bound, &format!("[{round}]"))?;
            let handed = made.split_off(1 + carried);
            for (stack, value) in stacks.iter_mut().zip(handed) {
                stack.push(value);
            }
            values = made.split_off(1);
            goes_on = match made.first().and_then(known_bool) {
                Some(goes_on) => goes_on,
                None => return Err(self.depends_on_data("whether another round follows")),
            };
            round += 1;
        }
        for (index, stack) in stacks.iter().enumerate() {
            let is_read = self.node.outputs.get(carried + index);
            match is_read.filter(|name| !name.is_empty()) {
                Some(_) => values.push(self.handed_out(stack)?),
                None => break,
            }
        }
        Ok(values)
    }

    /// The graph in an attribute.
    fn body(&self, name: &str) -> Result<&'a OnnxGraph, ImportError> {
        let node: &'a OnnxNode = self.node;
        let of_name = |attribute: &&'a Attribute| attribute.name == name;
        match node.attributes.iter().find(of_name).map(|a| &a.value) {
            Some(AttributeValue::Graph(graph)) => Ok(graph),
            _ => Err(self.refuse(
                format!("attribute {name:?} is no graph that was read"),
                "graphs within graphs, four deep",
                ADVICE,
            )),
        }
    }

    /// The constants of a body: the same in every round.
    fn body_constants(&mut self, body: &OnnxGraph) -> Vec<Named> {
        let mut constants = Vec::with_capacity(body.initializers.len());
        for tensor in &body.initializers {
            if let Some(value) = constant(tensor) {
                constants.push((tensor.name.clone(), value));
            }
            let (name, element) = (tensor.name.clone(), tensor.element);
            self.importer.types.insert(name, element);
        }
        constants
    }

    /// Imports a body once: its outputs. Its names end with it, and what they stood for outside stands
    /// again; `place` is added to the names of its nodes.
    fn round(
        &mut self,
        body: &OnnxGraph,
        constants: &[Named],
        bound: Vec<Named>,
        place: &str,
    ) -> Result<Vec<Value>, ImportError> {
        self.importer.body_nodes += body.nodes.len();
        if self.importer.body_nodes > BODY_NODES_MAX {
            return Err(self.refuse(
                format!("more than {BODY_NODES_MAX} nodes in all rounds of all bodies"),
                &format!("at most {BODY_NODES_MAX}"),
                "use a shorter sequence",
            ));
        }
        let outputs = body.nodes.iter().flat_map(|node| &node.outputs);
        let mut names: Vec<String> = outputs.cloned().collect();
        let values = constants.iter().cloned().chain(bound);
        let values: Vec<Named> = values.collect();
        names.extend(values.iter().map(|(name, _)| name.clone()));
        let outside = self.importer.set_aside(names);
        self.importer.values.extend(values);
        let place_len = self.importer.place.len();
        self.importer.place.push_str(place);
        for node in &body.nodes {
            NodeContext::new(self.importer, node).import()?;
        }
        self.importer.place.truncate(place_len);
        let mut made = Vec::with_capacity(body.outputs.len());
        for output in &body.outputs {
            let value = self.importer.values.get(&output.name).cloned();
            made.push(value.ok_or_else(|| {
                self.refuse(
                    format!("its body does not make {:?}", output.name),
                    "the outputs that inference needs",
                    "export the model again",
                )
            })?);
        }
        self.importer.restore(outside);
        Ok(made)
    }

    /// Values behind one another on a new leading axis, by the operators that do so.
    fn handed_out(&mut self, values: &[Value]) -> Result<Value, ImportError> {
        if values.is_empty() {
            return Err(self.refuse(
                "a loop of no rounds".to_owned(),
                "at least one round",
                "remove the empty loop",
            ));
        }
        let name = |index: usize| format!("stack {index}");
        let axes = "stack axes".to_owned();
        let mut names: Vec<String> = (0..=values.len()).map(name).collect();
        names.push(axes.clone());
        let outside = self.importer.set_aside(names);
        self.importer.values.insert(
            axes.clone(),
            Value::Int(Const::list(vec![SymInt::fixed(0)])),
        );
        let attribute = |name: &str, value| Attribute {
            name: name.to_owned(),
            value,
        };
        for (index, value) in values.iter().enumerate() {
            self.importer.values.insert(name(index), value.clone());
            let mut raise = OnnxNode {
                name: self.node.name.clone(),
                op: "Unsqueeze".to_owned(),
                inputs: vec![name(index)],
                outputs: vec![name(index)],
                ..OnnxNode::default()
            };
            if self.importer.opset < 13 {
                raise.attributes = vec![attribute("axes", AttributeValue::Ints(vec![0]))];
            } else {
                raise.inputs.push(axes.clone());
            }
            NodeContext::new(self.importer, &raise).import()?;
        }
        let joined = name(values.len());
        let join = OnnxNode {
            name: self.node.name.clone(),
            op: "Concat".to_owned(),
            inputs: (0..values.len()).map(name).collect(),
            outputs: vec![joined.clone()],
            attributes: vec![attribute("axis", AttributeValue::Int(0))],
            ..OnnxNode::default()
        };
        NodeContext::new(self.importer, &join).import()?;
        let value = self.importer.values.get(&joined).cloned();
        self.importer.restore(outside);
        value.ok_or_else(|| self.depends_on_data("what is stacked"))
    }

    /// Input `index` as a condition, or nothing if it is absent.
    fn known_condition(&self, index: usize) -> Result<Option<bool>, ImportError> {
        let Some(value) = self.optional(index)? else {
            return Ok(None);
        };
        let known = known_bool(value).ok_or_else(|| self.depends_on_data("the condition"))?;
        Ok(Some(known))
    }

    fn depends_on_data(&self, what: &str) -> ImportError {
        self.refuse(
            format!("{what} depends on data"),
            "constant conditions",
            ADVICE,
        )
    }
}

fn scalar(value: i64) -> Value {
    Value::Int(Const::new(Vec::new(), vec![SymInt::fixed(value)]))
}

fn known_bool(value: &Value) -> Option<bool> {
    match value {
        Value::Int(constant) => constant.single()?.known().map(|value| value != 0),
        Value::Float(_) | Value::Activation(_) => None,
    }
}

//! Writes small ONNX files for tests.

#![allow(dead_code, reason = "each test uses a part")]

/// A model with the input `x` and, by default, the output `y`.
#[derive(Clone)]
pub(crate) struct Model {
    graph: Vec<u8>,
    /// Versions of the domain of ONNX: one, or several where a file is wrong or repeats itself.
    opsets: Vec<u64>,
}

/// An attribute value.
pub(crate) enum Attr {
    Int(i64),
    Float(f32),
    Floats(Vec<f32>),
    Ints(Vec<i64>),
    Text(String),
    Graph(Model),
}

impl Model {
    /// A model whose input `x` has these dimensions; a number is a size, anything else a name.
    pub(crate) fn new(dims: &[&str]) -> Self {
        Self::of(dims, 1)
    }

    /// The same with an input of whole numbers.
    pub(crate) fn of_ids(dims: &[&str]) -> Self {
        Self::of(dims, 7)
    }

    fn of(dims: &[&str], data_type: u64) -> Self {
        let mut graph = Vec::new();
        bytes_field(&mut graph, 11, &value_info("x", data_type, &shape(dims)));
        bytes_field(&mut graph, 12, &value_info("y", 1, &[]));
        Self {
            graph,
            opsets: vec![17],
        }
    }

    /// A graph within a node, with these inputs and outputs.
    pub(crate) fn body(inputs: &[&str], outputs: &[&str]) -> Self {
        let mut graph = Vec::new();
        for (field, names) in [(11, inputs), (12, outputs)] {
            for name in names {
                let mut info = Vec::new();
                bytes_field(&mut info, 1, name.as_bytes());
                bytes_field(&mut graph, field, &info);
            }
        }
        Self {
            graph,
            opsets: vec![17],
        }
    }

    pub(crate) fn opset(mut self, version: u64) -> Self {
        self.opsets = vec![version];
        self
    }

    /// A second mention of the domain.
    pub(crate) fn opset_again(mut self, version: u64) -> Self {
        self.opsets.push(version);
        self
    }

    /// Another input of real numbers.
    pub(crate) fn input(mut self, name: &str, dims: &[&str]) -> Self {
        bytes_field(&mut self.graph, 11, &value_info(name, 1, &shape(dims)));
        self
    }

    /// Another input of whole numbers.
    pub(crate) fn input_of_ids(mut self, name: &str, dims: &[&str]) -> Self {
        bytes_field(&mut self.graph, 11, &value_info(name, 7, &shape(dims)));
        self
    }

    /// Another output.
    pub(crate) fn output(mut self, name: &str) -> Self {
        bytes_field(&mut self.graph, 12, &value_info(name, 1, &[]));
        self
    }

    pub(crate) fn node(
        self,
        name: &str,
        op: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[(&str, Attr)],
    ) -> Self {
        self.node_of(name, op, (inputs, &[output]), attributes)
    }

    /// A node with several outputs.
    pub(crate) fn node_of(
        self,
        name: &str,
        op: &str,
        values: (&[&str], &[&str]),
        attributes: &[(&str, Attr)],
    ) -> Self {
        self.node_in("", (name, op), values, attributes)
    }

    /// A node of another domain.
    pub(crate) fn node_in(
        mut self,
        domain: &str,
        (name, op): (&str, &str),
        (inputs, outputs): (&[&str], &[&str]),
        attributes: &[(&str, Attr)],
    ) -> Self {
        let mut node = Vec::new();
        for input in inputs {
            bytes_field(&mut node, 1, input.as_bytes());
        }
        for output in outputs {
            bytes_field(&mut node, 2, output.as_bytes());
        }
        bytes_field(&mut node, 3, name.as_bytes());
        bytes_field(&mut node, 4, op.as_bytes());
        bytes_field(&mut node, 7, domain.as_bytes());
        for (name, value) in attributes {
            let mut attribute = Vec::new();
            bytes_field(&mut attribute, 1, name.as_bytes());
            match value {
                Attr::Int(v) => {
                    varint_field(&mut attribute, 3, v.cast_unsigned());
                    varint_field(&mut attribute, 20, 2);
                }
                Attr::Float(v) => {
                    attribute.push(2 << 3 | 5);
                    attribute.extend(v.to_le_bytes());
                    varint_field(&mut attribute, 20, 1);
                }
                Attr::Text(text) => {
                    bytes_field(&mut attribute, 4, text.as_bytes());
                    varint_field(&mut attribute, 20, 3);
                }
                Attr::Graph(model) => {
                    bytes_field(&mut attribute, 6, &model.graph);
                    varint_field(&mut attribute, 20, 5);
                }
                Attr::Floats(values) => {
                    for v in values {
                        attribute.push(7 << 3 | 5);
                        attribute.extend(v.to_le_bytes());
                    }
                    varint_field(&mut attribute, 20, 6);
                }
                Attr::Ints(values) => {
                    for v in values {
                        varint_field(&mut attribute, 8, v.cast_unsigned());
                    }
                    varint_field(&mut attribute, 20, 7);
                }
            }
            bytes_field(&mut node, 5, &attribute);
        }
        bytes_field(&mut self.graph, 1, &node);
        self
    }

    pub(crate) fn floats(self, name: &str, dims: &[u64], values: &[f32]) -> Self {
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.tensor(name, dims, 1, &raw)
    }

    pub(crate) fn ints(self, name: &str, dims: &[u64], values: &[i64]) -> Self {
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.tensor(name, dims, 7, &raw)
    }

    pub(crate) fn bytes(self, name: &str, dims: &[u64], values: &[i8]) -> Self {
        let raw: Vec<u8> = values.iter().map(|v| v.cast_unsigned()).collect();
        self.tensor(name, dims, 3, &raw)
    }

    /// INT4: two elements in each byte, the lower half first.
    pub(crate) fn nibbles(self, name: &str, dims: &[u64], raw: &[u8]) -> Self {
        self.tensor(name, dims, 22, raw)
    }

    pub(crate) fn external(mut self, name: &str) -> Self {
        let mut tensor = Vec::new();
        varint_field(&mut tensor, 2, 1);
        bytes_field(&mut tensor, 8, name.as_bytes());
        varint_field(&mut tensor, 14, 1);
        bytes_field(&mut self.graph, 5, &tensor);
        self
    }

    /// Single floats in another file.
    pub(crate) fn beside(
        mut self,
        name: &str,
        dims: &[u64],
        location: &str,
        offset: &str,
        length: &str,
    ) -> Self {
        let mut tensor = Vec::new();
        for &dim in dims {
            varint_field(&mut tensor, 1, dim);
        }
        varint_field(&mut tensor, 2, 1);
        bytes_field(&mut tensor, 8, name.as_bytes());
        for (key, value) in [
            ("location", location),
            ("offset", offset),
            ("length", length),
        ] {
            let mut entry = Vec::new();
            bytes_field(&mut entry, 1, key.as_bytes());
            bytes_field(&mut entry, 2, value.as_bytes());
            bytes_field(&mut tensor, 13, &entry);
        }
        varint_field(&mut tensor, 14, 1);
        bytes_field(&mut self.graph, 5, &tensor);
        self
    }

    fn tensor(mut self, name: &str, dims: &[u64], data_type: u64, raw: &[u8]) -> Self {
        let mut tensor = Vec::new();
        for &dim in dims {
            varint_field(&mut tensor, 1, dim);
        }
        varint_field(&mut tensor, 2, data_type);
        bytes_field(&mut tensor, 8, name.as_bytes());
        bytes_field(&mut tensor, 9, raw);
        bytes_field(&mut self.graph, 5, &tensor);
        self
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut model = Vec::new();
        varint_field(&mut model, 1, 8);
        bytes_field(&mut model, 7, &self.graph);
        for &version in &self.opsets {
            let mut opset = Vec::new();
            varint_field(&mut opset, 2, version);
            bytes_field(&mut model, 8, &opset);
        }
        model
    }
}

fn shape(dims: &[&str]) -> Vec<u8> {
    let mut shape = Vec::new();
    for dim in dims {
        let mut one = Vec::new();
        match dim.parse::<i64>() {
            Ok(size) => varint_field(&mut one, 1, size.cast_unsigned()),
            Err(_) => bytes_field(&mut one, 2, dim.as_bytes()),
        }
        bytes_field(&mut shape, 1, &one);
    }
    shape
}

fn value_info(name: &str, data_type: u64, shape: &[u8]) -> Vec<u8> {
    let mut tensor = Vec::new();
    varint_field(&mut tensor, 1, data_type);
    bytes_field(&mut tensor, 2, shape);
    let mut kind = Vec::new();
    bytes_field(&mut kind, 1, &tensor);
    let mut info = Vec::new();
    bytes_field(&mut info, 1, name.as_bytes());
    bytes_field(&mut info, 2, &kind);
    info
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap());
}

fn varint_field(out: &mut Vec<u8>, number: u64, value: u64) {
    varint(out, number << 3);
    varint(out, value);
}

fn bytes_field(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    varint(out, number << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend(bytes);
}

//! The check of a whole program: the only way to a [`CheckedProgram`].
//!
//! Spec: programs, 1.2 to 1.13, 1.16 to 1.22.

use alloc::vec::Vec;

use selfsame_protocol::constants as c;

use crate::dim::{Dim, DimError, DimValues};
use crate::limits::opened_bytes;
use crate::op_limits::{check_op, limit};
use crate::ops::{Op, Pointwise};
use crate::program::{Node, Program};
use crate::row_limits::wide_product;
use crate::segments::Segments;
use crate::shape::{ShapeError, elements};
use crate::tensor::{DType, TensorError};

/// Why a program is refused. `node` is the index of the offending node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// Number of nodes out of range.
    #[error("{found} nodes; a program has 2 to {}", c::NODES_MAX)]
    NodeCount {
        /// Nodes found.
        found: usize,
    },
    /// Bad symbols.
    #[error(
        "symbol {symbol} has bounds {minimum}..={maximum}, or there are more than {}",
        c::SYMBOLS_MAX
    )]
    Symbol {
        /// Symbol number, from 1.
        symbol: usize,
        /// Minimum.
        minimum: u32,
        /// Maximum.
        maximum: u32,
    },
    /// The output is not a node other than INPUT.
    #[error("output node {output} is INPUT or beyond the {nodes} nodes")]
    Output {
        /// Output named.
        output: u32,
        /// Nodes.
        nodes: usize,
    },
    /// INPUT stands elsewhere than first, or not first.
    #[error("node {node}: INPUT is node 0 and only node 0")]
    InputPlace {
        /// The node.
        node: usize,
    },
    /// Wrong number of inputs.
    #[error("node {node}: {found} inputs, the operator takes {expected}")]
    InputCount {
        /// The node.
        node: usize,
        /// Found.
        found: usize,
        /// Taken.
        expected: usize,
    },
    /// An input is not an earlier node.
    #[error("node {node}: input {input} is not an earlier node")]
    Order {
        /// The node.
        node: usize,
        /// The input named.
        input: u32,
    },
    /// Element type of an input or output.
    #[error("node {node}: element type {found:?}, needs {expected:?}")]
    Type {
        /// The node.
        node: usize,
        /// Found.
        found: DType,
        /// Needed.
        expected: DType,
    },
    /// Element count of an input.
    #[error("node {node}, input {slot}: reads {expected} elements, node {input} has {found}")]
    Elements {
        /// The node.
        node: usize,
        /// Input slot.
        slot: usize,
        /// Node read.
        input: u32,
        /// Elements that it has.
        found: u64,
        /// Elements that the operator reads.
        expected: u64,
    },
    /// No shape.
    #[error("node {node}: {error}")]
    Shape {
        /// The node.
        node: usize,
        /// Why.
        error: ShapeError,
    },
    /// A node that must be committed, or a list of interior nodes that does not increase.
    #[error(
        "interior node {node}: INPUT, the output and node {last}, the last one, are committed, and interior nodes are listed in order"
    )]
    Interior {
        /// The node.
        node: u32,
        /// Index of the last node.
        last: u32,
    },
    /// A segment with too many interior nodes.
    #[error(
        "the segment that ends with node {node} has {found} interior nodes, at most {} are allowed",
        c::SEGMENT_INTERIOR_MAX
    )]
    SegmentLength {
        /// Its committed node.
        node: u32,
        /// Interior nodes found.
        found: u32,
    },
    /// An interior node is read outside its segment.
    #[error("node {node} reads node {input}, which is interior to another segment; commit to it")]
    Reader {
        /// The reader.
        node: u32,
        /// The node read.
        input: u32,
    },
    /// A value outside its type.
    #[error("node {node}: table: {error}")]
    Value {
        /// The node.
        node: usize,
        /// Which one.
        error: TensorError,
    },
    /// A number outside its limits.
    #[error("node {node}: {field} is {found}, allowed is {low}..={high}")]
    Limit {
        /// The node.
        node: usize,
        /// Field.
        field: &'static str,
        /// Found.
        found: i64,
        /// Smallest allowed.
        low: i64,
        /// Largest allowed.
        high: i64,
    },
}

/// A program that satisfies page 1 of the specification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedProgram {
    program: Program,
    running_macs: Vec<u64>,
    segments: Segments,
}

impl CheckedProgram {
    /// Checks every rule; O(size of the program).
    pub fn new(program: Program) -> Result<Self, ProgramError> {
        check_frame(&program)?;
        let minima = DimValues::minima(&program.symbols);
        let maxima = DimValues::maxima(&program.symbols);
        let mut running_macs = Vec::with_capacity(program.nodes.len());
        let mut total = 0_u64;
        for (index, node) in program.nodes.iter().enumerate() {
            check_place(index, node, &program)?;
            for values in [&minima, &maxima] {
                check_shapes(index, node, &program, values)?;
            }
            check_limits(index, node, &maxima, &program)?;
            let outputs = output_elements(index, node, &maxima)?;
            total = total.saturating_add(outputs.saturating_mul(node.op.terms(&maxima)));
            running_macs.push(total);
        }
        let segments = Segments::new(&program.nodes, program.output, &program.interior)?;
        Ok(Self {
            program,
            running_macs,
            segments,
        })
    }

    /// Which nodes a trace commits to.
    pub fn segments(&self) -> &Segments {
        &self.segments
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Gives the program back.
    pub fn into_program(self) -> Program {
        self.program
    }

    /// The nodes.
    pub fn nodes(&self) -> &[Node] {
        &self.program.nodes
    }

    /// Node `index`, if there is one.
    pub fn node(&self, index: u32) -> Option<&Node> {
        self.program.nodes.get(index as usize)
    }

    /// MACs up to and including node `index`, at the symbols' maxima.
    pub fn running_macs(&self, index: usize) -> u64 {
        self.running_macs.get(index).copied().unwrap_or_default()
    }

    /// MACs of the whole program at the symbols' maxima.
    pub fn macs(&self) -> u64 {
        self.running_macs.last().copied().unwrap_or_default()
    }

    /// Shape of every node's output at the given values, at which every node must read what there is:
    /// counts that agree at the symbols' minima and maxima may differ between them.
    pub fn shapes(&self, values: &DimValues) -> Result<Vec<Vec<u32>>, DimError> {
        values.check(&self.program.symbols)?;
        let nodes = self.program.nodes.iter();
        let shapes = nodes.map(|node| node.op.output_shape(values).map_err(at_values));
        let shapes = shapes.collect::<Result<Vec<_>, _>>()?;
        for (index, node) in self.program.nodes.iter().enumerate() {
            for (slot, &input) in node.inputs.iter().enumerate() {
                let read = node.op.input_shape(slot, values).map_err(at_values)?;
                let expected = elements(&read);
                let found = shapes
                    .get(input as usize)
                    .map_or(0, |shape| elements(shape));
                if found != expected {
                    return Err(DimError::View {
                        node: index,
                        slot,
                        found,
                        expected,
                    });
                }
            }
        }
        Ok(shapes)
    }

    /// Element count and type of node `index`'s output.
    pub fn output_of(&self, index: u32, values: &DimValues) -> Option<(u64, DType)> {
        let node = self.node(index)?;
        let shape = node.op.output_shape(values).ok()?;
        Some((elements(&shape), node.dtype))
    }

    /// Bytes of node `index`'s output; 0 for no node.
    pub fn output_bytes(&self, index: u32, values: &DimValues) -> u64 {
        let output = self.output_of(index, values);
        output.map_or(0, |(count, dtype)| {
            count.saturating_mul(u64::from(dtype.size()))
        })
    }

    /// Bytes of all tensors.
    pub fn tensor_bytes(&self) -> u64 {
        let bytes = |tensor: &crate::Tensor| tensor.len() as u64 * u64::from(tensor.dtype().size());
        self.nodes()
            .iter()
            .map(|node| node.op.tensors().iter().map(bytes).sum::<u64>())
            .sum()
    }
}

/// Extents grow with the symbols and the minima were checked.
fn at_values(error: ShapeError) -> DimError {
    match error {
        ShapeError::Dim(error) => error,
        ShapeError::Window { span, extent } => DimError::Range {
            scale: span,
            value: extent,
            offset: 0,
        },
    }
}

fn check_frame(program: &Program) -> Result<(), ProgramError> {
    let found = program.nodes.len();
    if found < 2 || found > c::NODES_MAX as usize {
        return Err(ProgramError::NodeCount { found });
    }
    for (index, symbol) in program.symbols.iter().enumerate() {
        let ordered = 1 <= symbol.minimum && symbol.minimum <= symbol.maximum;
        if !ordered || usize::from(c::SYMBOLS_MAX) <= index {
            let (minimum, maximum) = (symbol.minimum, symbol.maximum);
            return Err(ProgramError::Symbol {
                symbol: index + 1,
                minimum,
                maximum,
            });
        }
    }
    if program.output == 0 || found <= program.output as usize {
        return Err(ProgramError::Output {
            output: program.output,
            nodes: found,
        });
    }
    Ok(())
}

fn check_place(index: usize, node: &Node, program: &Program) -> Result<(), ProgramError> {
    if matches!(node.op, Op::Input(_)) != (index == 0) {
        return Err(ProgramError::InputPlace { node: index });
    }
    let expected = node.op.input_count();
    if node.inputs.len() != expected {
        return Err(ProgramError::InputCount {
            node: index,
            found: node.inputs.len(),
            expected,
        });
    }
    for (slot, &input) in node.inputs.iter().enumerate() {
        let source = program
            .nodes
            .get(input as usize)
            .filter(|_| (input as usize) < index);
        let Some(source) = source else {
            return Err(ProgramError::Order { node: index, input });
        };
        let expected = node.op.input_dtype(slot).unwrap_or(node.dtype);
        if source.dtype != expected {
            return Err(ProgramError::Type {
                node: index,
                found: source.dtype,
                expected,
            });
        }
    }
    Ok(())
}

fn output_elements(index: usize, node: &Node, values: &DimValues) -> Result<u64, ProgramError> {
    let shape = node
        .op
        .output_shape(values)
        .map_err(|error| ProgramError::Shape { node: index, error })?;
    let count = elements(&shape);
    limit(
        index,
        "output elements",
        count,
        1,
        u64::from(c::ELEMENTS_MAX),
    )?;
    Ok(count)
}

fn check_shapes(
    index: usize,
    node: &Node,
    program: &Program,
    values: &DimValues,
) -> Result<(), ProgramError> {
    output_elements(index, node, values)?;
    for (slot, &input) in node.inputs.iter().enumerate() {
        let shape = node
            .op
            .input_shape(slot, values)
            .map_err(|error| ProgramError::Shape { node: index, error })?;
        let expected = elements(&shape);
        let found = match program.nodes.get(input as usize) {
            Some(source) => output_elements(input as usize, source, values)?,
            None => 0,
        };
        if found != expected {
            return Err(ProgramError::Elements {
                node: index,
                slot,
                input,
                found,
                expected,
            });
        }
    }
    Ok(())
}

fn check_limits(
    index: usize,
    node: &Node,
    maxima: &DimValues,
    program: &Program,
) -> Result<(), ProgramError> {
    if !matches!(node.op, Op::Input(_)) {
        let most = if wide_product(&node.op) {
            c::TERMS_WIDE_MAX
        } else {
            c::TERMS_MAX
        };
        limit(index, "terms", node.op.terms(maxima), 1, u64::from(most))?;
    }
    check_op(index, node)?;
    if let Op::Pointwise(op) = &node.op {
        check_constant(index, op, maxima)?;
    }
    let source = node
        .inputs
        .first()
        .and_then(|&input| program.nodes.get(input as usize));
    let input_dtype = source.map_or(node.dtype, |source| source.dtype);
    let opened = opened_bytes(&node.op, input_dtype, maxima)
        .map_err(|error| ProgramError::Shape { node: index, error })?;
    limit(
        index,
        "opened bytes",
        opened,
        0,
        u64::from(c::OPENED_BYTES_MAX),
    )
}

/// A constant operand has the elements of its spread at the symbols' maxima.
fn check_constant(index: usize, op: &Pointwise, maxima: &DimValues) -> Result<(), ProgramError> {
    let Some(y) = &op.second else { return Ok(()) };
    let Some(constant) = &y.constant else {
        return Ok(());
    };
    let extent = |dim: Dim| {
        dim.at(maxima).map_err(|error| ProgramError::Shape {
            node: index,
            error: error.into(),
        })
    };
    let expected = elements(&y.spread.shape(extent(op.rows)?, extent(op.columns)?));
    let found = u64::from(constant.elements);
    limit(index, "constant elements", found, expected, expected)
}

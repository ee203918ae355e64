//! A program as plain data; [`crate::CheckedProgram`] says whether it is well formed.

use alloc::string::String;
use alloc::vec::Vec;

use crate::dim::Symbol;
use crate::interface::Interface;
use crate::ops::Op;
use crate::tensor::DType;

/// One node: an operator, where its inputs come from, and its output's element type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The operator.
    pub op: Op,
    /// Indices of the nodes whose outputs are read; each smaller than this node's.
    pub inputs: Vec<u32>,
    /// Element type of the output.
    pub dtype: DType,
}

/// What people call things; never part of an id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notes {
    /// Name of the model.
    pub name: String,
    /// Name of each node, in order; may be shorter than the list of nodes.
    pub nodes: Vec<String>,
}

/// A program that has not been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// Symbols of symbolic dimensions.
    pub symbols: Vec<Symbol>,
    /// Nodes in execution order; node 0 is INPUT.
    pub nodes: Vec<Node>,
    /// Index of the output node.
    pub output: u32,
    /// Nodes that a trace does not commit to until a game asks, increasing; none is always allowed.
    pub interior: Vec<u32>,
    /// How inputs are made and outputs are read.
    pub interface: Interface,
    /// Names.
    pub notes: Notes,
}

impl Program {
    /// The last node that reads each node; itself where none does, and where an input is no node.
    pub fn last_readers(&self) -> Vec<usize> {
        let mut last: Vec<usize> = (0..self.nodes.len()).collect();
        for (reader, node) in self.nodes.iter().enumerate() {
            for &input in &node.inputs {
                if let Some(last) = last.get_mut(input as usize) {
                    *last = reader;
                }
            }
        }
        last
    }
}

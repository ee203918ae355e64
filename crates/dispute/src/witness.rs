//! What one step opens: the tiles that the disputed element reads, with their proofs.
//!
//! Everything that an element reads lies in earlier nodes, on which challenger and claimant agree
//! when the challenger named the leftmost difference; so the challenger makes it from its own trace.
//!
//! Spec: game, 4.7 and 4.8.

use alloc::vec::Vec;

use selfsame_commit::{Tree, multiproof, tile_hashes, tile_range};
use selfsame_ir::{DType, ShapeError};
use selfsame_protocol::Hash;

use crate::board::NodeFacts;
use crate::evaluate::element_at;
use crate::holder::Holder;
use crate::reads::{SlotReads, reads};
use crate::revealed::Revealed;

/// The part of one committed tensor that an element reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Opening {
    /// The distinct tiles read, in increasing order, joined.
    pub tiles: Vec<u8>,
    /// Multiproof of those tiles in the tensor's tree.
    pub siblings: Vec<Hash>,
}

impl Opening {
    /// Opens the tiles of `bytes` that `slot` names; empty where it names none.
    pub fn new(bytes: &[u8], slot: &SlotReads) -> Self {
        if slot.tiles.is_empty() {
            return Self::default();
        }
        let length = bytes.len() as u64;
        let tiles = slot.tiles.iter().flat_map(|&tile| {
            let range = tile_range(length, tile);
            let at = |value: u64| usize::try_from(value).unwrap_or(usize::MAX);
            bytes
                .get(at(range.start)..at(range.end))
                .unwrap_or_default()
                .iter()
                .copied()
        });
        let tree = Tree::new(tile_hashes(bytes));
        Self {
            tiles: tiles.collect(),
            siblings: multiproof(&tree, &slot.tiles),
        }
    }
}

/// Why there is no witness.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WitnessError {
    /// The program has no such node, or it is INPUT.
    #[error("node {node} is INPUT or not one of the {nodes} nodes; name a computed node")]
    Node {
        /// Node asked for.
        node: u32,
        /// Nodes of the program.
        nodes: usize,
    },
    /// The node has no such element.
    #[error("node {node} has {elements} elements, {element} is none of them")]
    Element {
        /// The node.
        node: u32,
        /// Elements of its output.
        elements: u64,
        /// Element asked for.
        element: u64,
    },
    /// The dimension values do not fit.
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

/// Everything that a step posts beside the claimant's tile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// The node's leaf.
    pub node_leaf: Vec<u8>,
    /// Its path in the tree over the node leaves.
    pub leaf_siblings: Vec<Hash>,
    /// Trace roots of the distinct inputs, by increasing node.
    pub input_roots: Vec<Hash>,
    /// Multiproof of those to the trace root.
    pub trace_siblings: Vec<Hash>,
    /// Inputs, then tensors.
    pub openings: Vec<Opening>,
}

impl Witness {
    /// The witness of element `element` (flat index) of `node`, from the trace that `holder` holds
    /// and what the claimant has `revealed` of its own.
    pub fn new(
        model: &NodeFacts<'_>,
        holder: &Holder,
        revealed: &Revealed,
        node: u32,
        element: u64,
    ) -> Result<Self, WitnessError> {
        let NodeFacts {
            program,
            commitment,
            values,
        } = *model;
        let no_node = WitnessError::Node {
            node,
            nodes: program.nodes().len(),
        };
        let at = program
            .node(node)
            .filter(|_| node != 0)
            .ok_or_else(|| no_node.clone())?;
        let leaf = commitment.leaves.get(node as usize).ok_or(no_node)?;
        let elements = program
            .output_of(node, values)
            .map_or(0, |(elements, _)| elements);
        if elements <= element {
            return Err(WitnessError::Element {
                node,
                elements,
                element,
            });
        }
        let input_dtype = at
            .inputs
            .first()
            .and_then(|&input| program.output_of(input, values))
            .map_or(DType::I8, |(_, dtype)| dtype);
        let first = |element: u64| {
            let input = at.inputs.first().copied().unwrap_or(0);
            let start = element.saturating_mul(u64::from(input_dtype.size()));
            element_at(holder.bytes(input), input_dtype, start)
        };
        let reads = reads(&at.op, input_dtype, values, element, &first)?;
        let inputs = at.inputs.iter().map(|&input| holder.bytes(input).to_vec());
        let tensors = at.op.tensors().into_iter().map(|tensor| tensor.to_bytes());
        let openings = reads.slots.iter().zip(inputs.chain(tensors));
        let sources = distinct(&at.inputs);
        let own = holder.trace();
        Ok(Self {
            node_leaf: leaf.encode(),
            leaf_siblings: multiproof(&commitment.node_tree, &[u64::from(node)]),
            input_roots: sources
                .iter()
                .map(|&index| revealed.entry(own, 0, index))
                .collect(),
            trace_siblings: revealed.multiproof(own, &sources),
            openings: openings
                .map(|(slot, bytes)| Opening::new(&bytes, slot))
                .collect(),
        })
    }

    /// Bytes of the opened tiles.
    pub fn opened_bytes(&self) -> usize {
        self.openings
            .iter()
            .map(|opening| opening.tiles.len())
            .sum()
    }
}

/// The distinct nodes that a node reads, increasing.
pub(crate) fn distinct(inputs: &[u32]) -> Vec<u64> {
    let mut sources: Vec<u64> = inputs.iter().map(|&input| u64::from(input)).collect();
    sources.sort_unstable();
    sources.dedup();
    sources
}

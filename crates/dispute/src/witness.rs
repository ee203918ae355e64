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
use selfsame_protocol::constants::INTERIOR_BIT;

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
    /// Roots of the distinct inputs, by increasing name: committed ones first.
    pub input_roots: Vec<Hash>,
    /// Multiproof of the committed ones to the trace root.
    pub trace_siblings: Vec<Hash>,
    /// Multiproof of the interior ones to the segment root.
    pub segment_siblings: Vec<Hash>,
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
        let sources = Sources::of(model, node);
        let (committed, offsets) = (sources.committed(), sources.offsets());
        let own = holder.trace();
        let segment = revealed.segment(model, holder, sources.segment);
        let committed_roots = committed
            .iter()
            .map(|&number| revealed.entry(own, 0, number));
        let interior_roots = offsets.iter().map(|&offset| segment.entry(0, offset));
        Ok(Self {
            node_leaf: leaf.encode(),
            leaf_siblings: multiproof(&commitment.node_tree, &[u64::from(node)]),
            input_roots: committed_roots.chain(interior_roots).collect(),
            trace_siblings: revealed.multiproof(own, &committed),
            segment_siblings: multiproof(&segment, &offsets),
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

/// The distinct inputs of a node by their names, increasing: committed ones first.
pub(crate) struct Sources {
    /// The names, as the node leaf holds them.
    pub(crate) names: Vec<u32>,
    /// The node's segment, which interior inputs are in.
    pub(crate) segment: u64,
}

impl Sources {
    pub(crate) fn of(model: &NodeFacts<'_>, node: u32) -> Self {
        let inputs = model.program.node(node).map(|node| node.inputs.as_slice());
        let inputs = inputs.unwrap_or_default().iter();
        let mut names: Vec<u32> = inputs.map(|&input| model.place(input).name()).collect();
        names.sort_unstable();
        names.dedup();
        Self {
            names,
            segment: model.place(node).segment.into(),
        }
    }

    /// Numbers of the committed ones.
    pub(crate) fn committed(&self) -> Vec<u64> {
        let committed = self.names.iter().filter(|&&name| name < INTERIOR_BIT);
        committed.map(|&name| u64::from(name)).collect()
    }

    /// Offsets of the interior ones in the segment.
    pub(crate) fn offsets(&self) -> Vec<u64> {
        let interior = self.names.iter().filter(|&&name| INTERIOR_BIT <= name);
        interior
            .map(|&name| u64::from(name & !INTERIOR_BIT))
            .collect()
    }
}

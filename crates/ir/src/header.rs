//! The header and the model id.
//!
//! Spec: programs, 1.7, 1.8 and 1.14.

use alloc::vec::Vec;

use selfsame_commit::{Tree, root};
use selfsame_protocol::constants as c;
use selfsame_protocol::{Hash, Keccak, Writer, keccak256_tagged};

use crate::check::CheckedProgram;
use crate::leaf::NodeLeaf;
use crate::program::Program;

/// The text whose hash is the program rules id.
pub(crate) const PROGRAM_RULES: &[u8] = b"selfsame exact program rules 2";

/// keccak256(0x06, "selfsame exact program rules 2").
pub fn program_rules_id() -> Hash {
    keccak256_tagged(c::TAG_PROGRAM_RULES, PROGRAM_RULES)
}

impl Program {
    /// The header's canonical bytes.
    pub fn header_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer
            .u16(c::HEADER_VERSION)
            .u32(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX))
            .u32(self.output)
            .u8(u8::try_from(self.symbols.len()).unwrap_or(u8::MAX));
        for symbol in &self.symbols {
            writer.u32(symbol.minimum).u32(symbol.maximum);
        }
        writer.hash(&self.interface.hash());
        writer.into_bytes()
    }
}

/// All that a model id commits to: what is posted when a model is registered, and what paths are
/// made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelCommitment {
    /// Header bytes.
    pub header: Vec<u8>,
    /// Node leaves in order.
    pub leaves: Vec<NodeLeaf>,
    /// Tree over the node leaf hashes.
    pub node_tree: Tree,
    /// Root over all tensor roots in node order.
    pub tensor_root: Hash,
    /// The model id.
    pub model_id: Hash,
}

impl CheckedProgram {
    /// Hashes every tensor and makes the model id.
    pub fn commit(&self) -> ModelCommitment {
        let tensors = self.nodes().iter().flat_map(|node| node.op.tensors());
        let roots: Vec<Hash> = tensors.map(|tensor| tensor.root()).collect();
        self.commit_with(&roots)
    }

    /// Makes the model id from the roots of all tensors, in the order of the nodes.
    pub(crate) fn commit_with(&self, tensor_roots: &[Hash]) -> ModelCommitment {
        let mut leaves = Vec::with_capacity(self.program().nodes.len());
        let mut rest = tensor_roots;
        for (index, node) in (0..).zip(&self.program().nodes) {
            let (roots, others) = rest.split_at(node.op.tensor_count().min(rest.len()));
            rest = others;
            leaves.push(NodeLeaf::new(
                node,
                index,
                self.segments(),
                roots.to_vec(),
                self.running_macs(index as usize),
            ));
        }
        let node_tree = Tree::new(leaves.iter().map(NodeLeaf::hash).collect());
        let header = self.program().header_bytes();
        let tensor_root = root(tensor_roots);
        let mut keccak = Keccak::tagged(c::TAG_MODEL);
        keccak.update(&program_rules_id().0);
        keccak.update(&keccak256_tagged(c::TAG_HEADER, &header).0);
        keccak.update(&node_tree.root().0);
        keccak.update(&tensor_root.0);
        ModelCommitment {
            header,
            leaves,
            node_tree,
            tensor_root,
            model_id: keccak.finish(),
        }
    }
}

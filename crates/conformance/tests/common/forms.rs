//! Models whose leaves or tensors were changed, and proofs of values that no tensor may hold.

use alloy_primitives::{B256, U256};
use selfsame_chain::Child;
use selfsame_chain::bindings::{DisputeGame, Requests};
use selfsame_commit::{Tree, multiproof, root, tile_hashes};
use selfsame_conformance::game::{CHALLENGER, Claimed, Court, Model};
use selfsame_ir::{ModelCommitment, NodeLeaf, program_rules_id};
use selfsame_protocol::constants::{TAG_HEADER, TAG_MODEL};
use selfsame_protocol::{Hash, Keccak, keccak256_tagged};

fn words(hashes: &[Hash]) -> Vec<B256> {
    hashes.iter().map(|hash| hash.0.into()).collect()
}

/// The commitment with changed leaves, its trees and id made anew.
pub(crate) fn recommit(
    commitment: &ModelCommitment,
    change: impl FnOnce(&mut Vec<NodeLeaf>),
) -> ModelCommitment {
    let mut leaves = commitment.leaves.clone();
    change(&mut leaves);
    let node_tree = Tree::new(leaves.iter().map(NodeLeaf::hash).collect());
    let roots: Vec<Hash> = leaves
        .iter()
        .flat_map(|leaf| leaf.tensor_roots.clone())
        .collect();
    let tensor_root = root(&roots);
    let mut keccak = Keccak::tagged(TAG_MODEL);
    keccak.update(&program_rules_id().0);
    keccak.update(&keccak256_tagged(TAG_HEADER, &commitment.header).0);
    keccak.update(&node_tree.root().0);
    keccak.update(&tensor_root.0);
    let header = commitment.header.clone();
    ModelCommitment {
        header,
        leaves,
        node_tree,
        tensor_root,
        model_id: keccak.finish(),
    }
}

/// The proof that byte 0 of tile `tile` of a tensor's `bytes` is what it is.
pub(crate) fn form_proof(
    model: &Model,
    node: u32,
    slot: u8,
    bytes: &[u8],
    tile: usize,
) -> DisputeGame::FormProof {
    let tree = Tree::new(tile_hashes(bytes));
    let leaf = &model.commitment.leaves[node as usize];
    DisputeGame::FormProof {
        node,
        slot,
        nodeLeaf: leaf.encode().into(),
        leafSiblings: words(&multiproof(&model.commitment.node_tree, &[node.into()])),
        dimensions: model.animal.values.0.clone(),
        tileIndex: u32::try_from(tile).unwrap(),
        tile: bytes.chunks(512).nth(tile).unwrap().to_vec().into(),
        siblings: words(&multiproof(&tree, &[tile as u64])),
    }
}

pub(crate) fn convict_form(
    court: &mut Court,
    claimed: &Claimed,
    proof: DisputeGame::FormProof,
) -> Result<(), String> {
    let call = DisputeGame::convictFormCall {
        requestId: claimed.request_id,
        claimKey: claimed.claim_key,
        proof,
    };
    let sent = court.send(CHALLENGER, Child::DisputeGame, &call, U256::ZERO);
    sent.map(|_| ()).map_err(|refused| refused.name)
}

pub(crate) fn status(court: &Court, request_id: B256) -> u8 {
    court
        .read(
            Child::Requests,
            &Requests::requestOfCall {
                requestId: request_id,
            },
        )
        .status
}

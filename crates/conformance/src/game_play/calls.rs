//! Moves as calldata of the game contract.

use alloy_primitives::{Address, B256, keccak256};
use alloy_sol_types::SolCall;
use selfsame_chain::bindings::DisputeGame;
use selfsame_dispute::{Move, Step};
use selfsame_protocol::Hash;

use super::{Session, b};

impl Session<'_> {
    pub(super) fn encode(&self, action: &Move) -> (&'static str, Vec<u8>) {
        match action {
            Move::Open { claim_key } => {
                let request = self.claimed.request_id;
                call(
                    "open",
                    &DisputeGame::openCall {
                        requestId: request,
                        claimKey: b(claim_key),
                    },
                )
            }
            Move::SetAnswerer {
                claim_key,
                answerer,
            } => {
                let call_data = DisputeGame::setAnswererCall {
                    requestId: self.claimed.request_id,
                    claimKey: b(claim_key),
                    answerer: answerer.map_or(Address::ZERO, Address::from),
                };
                call("setAnswerer", &call_data)
            }
            Move::FirstAnswer { .. }
            | Move::Answer { .. }
            | Move::AnswerSegment { .. }
            | Move::AnswerTile { .. } => self.encode_answer(action),
            Move::NameNode { .. } | Move::NameEntry { .. } | Move::Step { .. } => {
                self.encode_challenge(action)
            }
            Move::Timeout { game } => call(
                "timeout",
                &DisputeGame::timeoutCall {
                    gameId: self.game_id(*game),
                },
            ),
            Move::Settle { game } => call(
                "settle",
                &DisputeGame::settleCall {
                    gameId: self.game_id(*game),
                },
            ),
        }
    }

    fn encode_answer(&self, action: &Move) -> (&'static str, Vec<u8>) {
        match action {
            Move::FirstAnswer {
                game,
                link,
                entries,
                siblings,
            } => {
                let call_data = DisputeGame::firstAnswerCall {
                    gameId: self.game_id(*game),
                    claimKey: b(&link.claim_key),
                    previous: b(&link.previous),
                    entries: words(entries),
                    siblings: words(siblings),
                };
                call("firstAnswer", &call_data)
            }
            Move::Answer {
                game,
                link,
                entries,
            } => {
                let call_data = DisputeGame::answerCall {
                    gameId: self.game_id(*game),
                    claimKey: b(&link.claim_key),
                    previous: b(&link.previous),
                    entries: words(entries),
                };
                call("answer", &call_data)
            }
            Move::AnswerSegment {
                game,
                link,
                entries,
            } => {
                let call_data = DisputeGame::answerSegmentCall {
                    gameId: self.game_id(*game),
                    claimKey: b(&link.claim_key),
                    previous: b(&link.previous),
                    entries: words(entries),
                };
                call("answerSegment", &call_data)
            }
            Move::AnswerTile { game, link, tile } => {
                let call_data = DisputeGame::answerTileCall {
                    gameId: self.game_id(*game),
                    claimKey: b(&link.claim_key),
                    previous: b(&link.previous),
                    tile: tile.clone().into(),
                };
                call("answerTile", &call_data)
            }
            Move::Open { .. }
            | Move::SetAnswerer { .. }
            | Move::NameNode { .. }
            | Move::NameEntry { .. }
            | Move::Step { .. }
            | Move::Timeout { .. }
            | Move::Settle { .. } => unreachable!("encoded by `encode`"),
        }
    }

    fn encode_challenge(&self, action: &Move) -> (&'static str, Vec<u8>) {
        match action {
            Move::NameNode {
                game,
                link,
                node,
                root,
                siblings,
                node_leaf,
                leaf_siblings,
            } => {
                let call_data = DisputeGame::nameNodeCall {
                    gameId: self.game_id(*game),
                    claimKey: b(&link.claim_key),
                    previous: b(&link.previous),
                    named: DisputeGame::NodeName {
                        node: *node,
                        root: b(root),
                        siblings: words(siblings),
                        nodeLeaf: node_leaf.clone().into(),
                        leafSiblings: words(leaf_siblings),
                        dimensions: self.model.animal.values.0.clone(),
                    },
                };
                call("nameNode", &call_data)
            }
            Move::NameEntry {
                game,
                link,
                index,
                hash,
                siblings,
            } => {
                let call_data = DisputeGame::nameEntryCall {
                    gameId: self.game_id(*game),
                    claimKey: b(&link.claim_key),
                    previous: b(&link.previous),
                    index: *index,
                    hash: b(hash),
                    siblings: words(siblings),
                };
                call("nameEntry", &call_data)
            }
            Move::Step { game, link, step } => {
                let call_data = DisputeGame::stepCall {
                    gameId: self.game_id(*game),
                    claimKey: b(&link.claim_key),
                    previous: b(&link.previous),
                    input: step_input(step, &self.model.animal.values.0),
                };
                call("step", &call_data)
            }
            Move::Open { .. }
            | Move::SetAnswerer { .. }
            | Move::FirstAnswer { .. }
            | Move::Answer { .. }
            | Move::AnswerSegment { .. }
            | Move::AnswerTile { .. }
            | Move::Timeout { .. }
            | Move::Settle { .. } => unreachable!("encoded by `encode`"),
        }
    }
}

/// The contract's form of a step.
pub fn step_input(step: &Step, dimensions: &[u32]) -> DisputeGame::StepInput {
    let opening = |opening: &selfsame_dispute::Opening| DisputeGame::Opening {
        tiles: opening.tiles.clone().into(),
        siblings: words(&opening.siblings),
    };
    DisputeGame::StepInput {
        element: step.element,
        tile: step.tile.clone().into(),
        nodeLeaf: step.witness.node_leaf.clone().into(),
        leafSiblings: words(&step.witness.leaf_siblings),
        dimensions: dimensions.to_vec(),
        inputRoots: words(&step.witness.input_roots),
        traceSiblings: words(&step.witness.trace_siblings),
        segmentSiblings: words(&step.witness.segment_siblings),
        openings: step.witness.openings.iter().map(opening).collect(),
    }
}

fn words(hashes: &[Hash]) -> Vec<B256> {
    hashes.iter().map(|hash| hash.0.into()).collect()
}

fn call<C: SolCall>(name: &'static str, call: &C) -> (&'static str, Vec<u8>) {
    (name, call.abi_encode())
}

/// The move with selector and arguments of its calldata, which the next head is made from.
pub(super) fn linked(mut action: Move, data: &[u8]) -> Move {
    let (selector, arguments) = data
        .split_first_chunk::<4>()
        .expect("calldata has a selector");
    match &mut action {
        Move::FirstAnswer { link, .. }
        | Move::Answer { link, .. }
        | Move::AnswerSegment { link, .. }
        | Move::AnswerTile { link, .. }
        | Move::NameNode { link, .. }
        | Move::NameEntry { link, .. }
        | Move::Step { link, .. } => {
            link.selector = *selector;
            link.arguments = Hash(keccak256(arguments).0);
        }
        Move::Open { .. }
        | Move::SetAnswerer { .. }
        | Move::Timeout { .. }
        | Move::Settle { .. } => {}
    }
    action
}

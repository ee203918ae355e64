//! Attacks around a claim (models, inputs, stakes, times, deployments), by the names of the
//! protocol's list.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a failure is the test's failure"
)]

mod common;

use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_sol_types::SolCall as _;
use common::Scene;
use common::forms::{convict_form, form_proof, recommit, status};
use selfsame_chain::bindings::{DisputeGame, ModelRegistry, ProviderRegistry, Requests, RulesSet};
use selfsame_chain::{Child, Deployment};
use selfsame_commit::{root, tile_hashes};
use selfsame_conformance::game::{
    CHALLENGER, CONSTANTS, Claimed, Court, DEPLOYER, PROVIDER, REQUESTER, register_call,
};
use selfsame_conformance::game_play::Session;
use selfsame_ir::{ModelCommitment, Op, Tensor};
use selfsame_protocol::Hash;
use selfsame_receipt::rules::SetCode;

const ETHER: u64 = 1_000_000_000_000_000_000;

fn ether(count: u64) -> U256 {
    U256::from(ETHER) * U256::from(count)
}

const FINAL: u8 = 4;
const REFUNDED: u8 = 5;
const CONVICTED: u8 = 6;

/// The provider accepted an input that holds -128.
#[test]
fn bad_byte_in_input() {
    let mut scene = Scene::residual();
    // On chain the request itself is refused.
    let mut bytes = scene.input.to_bytes();
    bytes[100] = 0x80;
    let bad_root = root(&tile_hashes(&bytes));
    let mut terms = scene.court.terms(&scene.model, bad_root);
    terms.availability = 0;
    terms.inputLocator = String::new();
    assert_eq!(
        scene.court.request(&terms, &bytes).unwrap_err().name,
        "InputForm"
    );
    // Published elsewhere it convicts whoever accepted it.
    let terms = scene.court.terms(&scene.model, bad_root);
    let outputs = scene.outputs.clone();
    let mut claimed = scene.claim_under(&terms, &outputs);
    claimed.input_root = bad_root;
    let good = form_proof(&scene.model, 0, 0, &bytes, 0);
    let before = scene.court.wealth(CHALLENGER);
    let mut clean = good.clone();
    clean.tile = scene.input.to_bytes()[..bytes.len().min(512)]
        .to_vec()
        .into();
    assert_eq!(
        convict_form(&mut scene.court, &claimed, clean).unwrap_err(),
        "TileRoot"
    );
    if bytes.len() > 512 {
        let other = form_proof(&scene.model, 0, 0, &bytes, 1);
        assert_eq!(
            convict_form(&mut scene.court, &claimed, other).unwrap_err(),
            "FormHolds"
        );
    }
    convict_form(&mut scene.court, &claimed, good).unwrap();
    assert_eq!(status(&scene.court, claimed.request_id), CONVICTED);
    assert!(scene.court.wealth(CHALLENGER) > before);
}

/// The provider accepted a model whose tensors hold values that no tensor may hold.
#[test]
fn bad_byte_in_weights() {
    for (slot, name) in [(0_u8, "weights"), (1, "constants")] {
        let mut scene = Scene::residual();
        let mut tensors: Vec<Vec<u8>> = scene.model.animal.program.nodes()[1]
            .op
            .tensors()
            .iter()
            .map(Tensor::to_bytes)
            .collect();
        let bytes = &mut tensors[usize::from(slot)];
        if slot == 0 {
            bytes[5] = 0x80;
        } else {
            // Multiplier 0 of channel 0.
            bytes[4..8].fill(0);
        }
        let changed = root(&tile_hashes(bytes));
        let commitment = recommit(&scene.model.commitment, |leaves| {
            leaves[1].tensor_roots[usize::from(slot)] = changed;
        });
        let call = register_call(&commitment);
        scene
            .court
            .send(DEPLOYER, Child::ModelRegistry, &call, U256::ZERO)
            .unwrap();
        scene.model.commitment = commitment;
        let outputs = scene.outputs.clone();
        let claimed = scene.claim_of(&outputs);
        let proof = form_proof(&scene.model, 1, slot, &tensors[usize::from(slot)], 0);
        let right = 1 - slot;
        let holds = form_proof(&scene.model, 1, right, &tensors[usize::from(right)], 0);
        assert_eq!(
            convict_form(&mut scene.court, &claimed, holds).unwrap_err(),
            "FormHolds"
        );
        convict_form(&mut scene.court, &claimed, proof).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(
            status(&scene.court, claimed.request_id),
            CONVICTED,
            "{name}"
        );
    }
}

/// Models whose node leaves would make a step impossible, endless or somebody else's.
#[test]
fn hostile_model() {
    let mut scene = Scene::residual();
    let good = scene.model.commitment.clone();
    let refused = |court: &mut Court, commitment: &ModelCommitment| {
        let call = register_call(commitment);
        court
            .send(DEPLOYER, Child::ModelRegistry, &call, U256::ZERO)
            .unwrap_err()
            .name
    };
    let court = &mut scene.court;
    // A contraction longer than a step can read.
    let huge = recommit(&good, |leaves| {
        if let Op::MatMul(op) = &mut leaves[7].node.op {
            op.k_len = 1 << 20;
            op.row_elements = 1 << 20;
        }
    });
    assert_eq!(refused(court, &huge), "TermsTooMany");
    // A shift of 300 does not fit its byte; the largest that does is refused.
    let shift = recommit(&good, |leaves| {
        if let Op::AvgPool(op) = &mut leaves[5].node.op {
            op.shift = 255;
        }
    });
    assert_eq!(refused(court, &shift), "ShiftOutside");
    let cycle = recommit(&good, |leaves| leaves[2].node.inputs[0] = 2);
    assert_eq!(refused(court, &cycle), "InputNotBefore");
    let forward = recommit(&good, |leaves| leaves[2].node.inputs[1] = 5);
    assert_eq!(refused(court, &forward), "InputNotBefore");
    let second_input = recommit(&good, |leaves| leaves[3] = leaves[0].clone());
    assert_eq!(refused(court, &second_input), "InputMisplaced");
    // A node that the header counts and nobody posts, and one posted that the header does not count.
    let hidden = recommit(&good, |leaves| {
        leaves.pop();
    });
    assert_eq!(refused(court, &hidden), "NodeCount");
    let extra = recommit(&good, |leaves| {
        let last = leaves[7].clone();
        leaves.push(last);
    });
    assert_eq!(refused(court, &extra), "NodeCount");
    // Bytes behind the fields of a leaf.
    let mut call = register_call(&good);
    let mut leaf = call.nodeLeaves[3].to_vec();
    leaf.push(0);
    call.nodeLeaves[3] = leaf.into();
    let sent = court.send(DEPLOYER, Child::ModelRegistry, &call, U256::ZERO);
    assert_eq!(sent.unwrap_err().name, "LeafLength");
    let same = court.send(
        DEPLOYER,
        Child::ModelRegistry,
        &register_call(&good),
        U256::ZERO,
    );
    assert_eq!(same.unwrap_err().name, "AlreadyRegistered");
    // What nobody registered cannot be asked.
    let mut terms = court.terms(&scene.model, scene.input.root());
    terms.modelId = B256::from(huge.model_id.0);
    assert_eq!(court.request(&terms, &[]).unwrap_err().name, "UnknownModel");
}

/// A claim without its output's bytes, or without a claim.
#[test]
fn withheld_output() {
    let mut scene = Scene::residual();
    let terms = scene.court.terms(&scene.model, scene.input.root());
    scene.court.stake(PROVIDER, ether(5));
    let id = scene.court.request(&terms, &[]).unwrap();
    scene.court.accept(id).unwrap();
    assert_eq!(scene.court.claim(id, &[]).unwrap_err().name, "OutputLength");
    let output = scene.outputs.last().unwrap().to_bytes();
    assert_eq!(
        scene.court.claim(id, &output[..9]).unwrap_err().name,
        "OutputLength"
    );
    let mut bad = output;
    bad[0] = 0x80;
    assert_eq!(scene.court.claim(id, &bad).unwrap_err().name, "OutputForm");
    let before = scene.court.wealth(REQUESTER);
    scene.court.wait(300);
    let refund = Requests::refundCall { requestId: id };
    scene
        .court
        .send(CHALLENGER, Child::Requests, &refund, U256::ZERO)
        .unwrap();
    assert!(scene.court.wealth(REQUESTER) > before + terms.price);
}

/// One stake behind many wrong answers.
#[test]
fn many_lies_on_one_stake() {
    let mut scene = Scene::residual();
    let wrong = scene.lie(4, 7);
    let right = scene.right();
    scene.court.stake(PROVIDER, ether(5));
    // A bond is the value at risk, two ether: two requests lock four, the third finds one.
    let mut ids = Vec::new();
    for nonce in 0..3 {
        let mut terms = scene.court.terms(&scene.model, scene.input.root());
        terms.nonce = nonce;
        ids.push(scene.court.request(&terms, &[]).unwrap());
    }
    scene.court.accept(ids[0]).unwrap();
    scene.court.accept(ids[1]).unwrap();
    assert_eq!(scene.court.accept(ids[2]).unwrap_err().name, "StakeTooLow");
    // Each lie costs its own bond.
    let output = wrong.last().unwrap().to_bytes();
    let provider = scene.court.account(PROVIDER);
    let staked = |court: &Court| {
        court
            .read(
                Child::ProviderRegistry,
                &ProviderRegistry::stakeOfCall { provider },
            )
            .staked
    };
    for &id in &ids[..2] {
        let before = staked(&scene.court);
        let applied = scene.court.claim(id, &output).unwrap();
        let claimed = Claimed {
            request_id: id,
            claim_key: Requests::claimCall::abi_decode_returns(&applied.output).unwrap(),
            input_root: scene.input.root(),
            output_root: wrong.last().unwrap().root(),
            closes_at: applied.time + 1_000,
        };
        let mut session = Session::new(&mut scene.court, &scene.model, claimed);
        assert!(
            session
                .play(CHALLENGER, &right, &scene.model.holder(&wrong))
                .conviction
                .is_some()
        );
        assert_eq!(before - staked(&scene.court), 2 * u128::from(ETHER));
    }
    // What is left is too little for the third.
    assert_eq!(scene.court.accept(ids[2]).unwrap_err().name, "StakeTooLow");
}

/// A model or a request that would give its games too little time.
#[test]
fn lying_clock() {
    let mut scene = Scene::residual();
    let good = scene.model.commitment.clone();
    let short = recommit(&good, |leaves| leaves[7].macs = 1);
    let sent = scene.court.send(
        DEPLOYER,
        Child::ModelRegistry,
        &register_call(&short),
        U256::ZERO,
    );
    assert_eq!(sent.unwrap_err().name, "MacTotal");
    let id = B256::from(good.model_id.0);
    let floor = scene
        .court
        .read(Child::Requests, &Requests::windowFloorCall { modelId: id });
    let mut terms = scene.court.terms(&scene.model, scene.input.root());
    terms.window = u32::try_from(floor).unwrap() - 1;
    assert_eq!(
        scene.court.request(&terms, &[]).unwrap_err().name,
        "WindowTooShort"
    );
    let clock = scene.court.read(
        Child::ModelRegistry,
        &ModelRegistry::clockCall { modelId: id },
    );
    assert!(clock >= CONSTANTS.censorship_seconds + 4 * CONSTANTS.inclusion_seconds);
    // A request that names a block which is not the chain's.
    let mut terms = scene.court.terms(&scene.model, scene.input.root());
    terms.blockHash = B256::repeat_byte(1);
    assert_eq!(
        scene.court.request(&terms, &[]).unwrap_err().name,
        "WrongBlock"
    );
    let mut terms = scene.court.terms(&scene.model, scene.input.root());
    terms.blockNumber = scene.court.chain.height() + 10;
    assert_eq!(
        scene.court.request(&terms, &[]).unwrap_err().name,
        "BlockTooOld"
    );
}

/// The requester shows other bytes than it committed to, or none.
#[test]
fn undelivered_or_swapped_input() {
    let mut scene = Scene::residual();
    let bytes = scene.input.to_bytes();
    let mut on_chain = scene.court.terms(&scene.model, Hash([1; 32]));
    on_chain.availability = 0;
    on_chain.inputLocator = String::new();
    assert_eq!(
        scene.court.request(&on_chain, &bytes).unwrap_err().name,
        "InputRoot"
    );
    assert_eq!(
        scene
            .court
            .request(&on_chain, &bytes[1..])
            .unwrap_err()
            .name,
        "InputLength"
    );
    // Published: a provider that cannot fetch it does not accept, and loses nothing.
    let terms = scene.court.terms(&scene.model, Hash([1; 32]));
    scene.court.stake(PROVIDER, ether(5));
    let provider = scene.court.wealth(PROVIDER);
    let requester = scene.court.wealth(REQUESTER);
    let id = scene.court.request(&terms, &[]).unwrap();
    let refund = Requests::refundCall { requestId: id };
    let early = scene
        .court
        .send(CHALLENGER, Child::Requests, &refund, U256::ZERO);
    assert_eq!(early.unwrap_err().name, "TooEarly");
    scene.court.wait(101);
    assert_eq!(scene.court.accept(id).unwrap_err().name, "TooLate");
    scene
        .court
        .send(CHALLENGER, Child::Requests, &refund, U256::ZERO)
        .unwrap();
    assert_eq!(status(&scene.court, id), REFUNDED);
    let gas = U256::from(ETHER / 100);
    assert!(scene.court.wealth(REQUESTER) + gas >= requester);
    assert!(scene.court.wealth(PROVIDER) + gas >= provider);
}

/// The provider accepts and is never seen again.
#[test]
fn accept_and_vanish() {
    let mut scene = Scene::residual();
    let terms = scene.court.terms(&scene.model, scene.input.root());
    scene.court.stake(PROVIDER, ether(5));
    let provider = scene.court.wealth(PROVIDER);
    let id = scene.court.request(&terms, &[]).unwrap();
    scene.court.accept(id).unwrap();
    let requester = scene.court.wealth(REQUESTER);
    let refund = Requests::refundCall { requestId: id };
    scene.court.wait(150);
    let early = scene
        .court
        .send(CHALLENGER, Child::Requests, &refund, U256::ZERO);
    assert_eq!(early.unwrap_err().name, "TooEarly");
    scene.court.wait(100);
    scene
        .court
        .send(CHALLENGER, Child::Requests, &refund, U256::ZERO)
        .unwrap();
    assert_eq!(
        scene.court.wealth(REQUESTER),
        requester + terms.price + terms.price
    );
    assert!(scene.court.wealth(PROVIDER) <= provider - terms.price);
    let output = scene.outputs.last().unwrap().to_bytes();
    assert_eq!(
        scene.court.claim(id, &output).unwrap_err().name,
        "WrongStatus"
    );
}

/// The bond leaves before the claim, or before the verdict.
#[test]
fn stake_gone_at_claim() {
    let mut scene = Scene::residual();
    let wrong = scene.lie(4, 7);
    let right = scene.right();
    let mut terms = scene.court.terms(&scene.model, scene.input.root());
    terms.acceptBy += 10_000;
    terms.answerBy += 20_000;
    scene.court.stake(PROVIDER, ether(3));
    let id = scene.court.request(&terms, &[]).unwrap();
    let unstake = |court: &mut Court, wei: U256| {
        let call = ProviderRegistry::unstakeCall { amount: wei };
        court
            .send(PROVIDER, Child::ProviderRegistry, &call, U256::ZERO)
            .map_err(|r| r.name)
    };
    // Stake on its way out cannot be locked.
    unstake(&mut scene.court, ether(2)).unwrap();
    assert_eq!(scene.court.accept(id).unwrap_err().name, "StakeTooLow");
    scene.court.stake(PROVIDER, ether(2));
    scene.court.accept(id).unwrap();
    // Locked stake cannot leave.
    assert_eq!(
        unstake(&mut scene.court, ether(3)).unwrap_err(),
        "StakeTooLow"
    );
    unstake(&mut scene.court, ether(1)).unwrap();
    assert_eq!(
        unstake(&mut scene.court, U256::from(1)).unwrap_err(),
        "StakeTooLow"
    );
    scene.court.wait(CONSTANTS.unbonding_seconds + 1);
    let withdraw = ProviderRegistry::withdrawStakeCall {};
    scene
        .court
        .send(PROVIDER, Child::ProviderRegistry, &withdraw, U256::ZERO)
        .unwrap();
    let applied = scene
        .court
        .claim(id, &wrong.last().unwrap().to_bytes())
        .unwrap();
    let claimed = Claimed {
        request_id: id,
        claim_key: Requests::claimCall::abi_decode_returns(&applied.output).unwrap(),
        input_root: scene.input.root(),
        output_root: wrong.last().unwrap().root(),
        closes_at: applied.time + u64::from(terms.window),
    };
    let mut session = Session::new(&mut scene.court, &scene.model, claimed);
    assert!(
        session
            .play(CHALLENGER, &right, &scene.model.holder(&wrong))
            .conviction
            .is_some()
    );
    let provider = scene.court.account(PROVIDER);
    let stake = scene.court.read(
        Child::ProviderRegistry,
        &ProviderRegistry::stakeOfCall { provider },
    );
    assert_eq!((stake.staked, stake.locked), (0, 0));
}

/// Requester and provider are one, and would make a wrong answer final at once, over nothing.
#[test]
fn self_made_finality() {
    let mut scene = Scene::residual();
    let mut terms = scene.court.terms(&scene.model, scene.input.root());
    terms.window = 1;
    assert_eq!(
        scene.court.request(&terms, &[]).unwrap_err().name,
        "WindowTooShort"
    );
    // The bond is the contract's: no terms make it tiny.
    let mut terms = scene.court.terms(&scene.model, scene.input.root());
    terms.price = U256::ZERO;
    terms.valueAtRisk = U256::ZERO;
    scene.court.stake(PROVIDER, U256::from(1_000));
    let id = scene.court.request(&terms, &[]).unwrap();
    assert_eq!(scene.court.accept(id).unwrap_err().name, "StakeTooLow");
    let least = scene.court.read(
        Child::Requests,
        &Requests::bondForCall {
            price: U256::ZERO,
            valueAtRisk: U256::ZERO,
        },
    );
    // Twice the cost of eight games and a bounty.
    assert!(least >= U256::from(2 * CONSTANTS.bounty_wei));
    scene.court.stake(PROVIDER, least);
    scene.court.accept(id).unwrap();
    let output = scene.outputs.last().unwrap().to_bytes();
    scene.court.claim(id, &output).unwrap();
    let finalize = Requests::finalizeCall { requestId: id };
    let early = scene
        .court
        .send(PROVIDER, Child::Requests, &finalize, U256::ZERO);
    assert_eq!(early.unwrap_err().name, "TooEarly");
    // An open game holds it back, even after the window.
    let call = Requests::requestOfCall { requestId: id };
    let claim_key = scene.court.read(Child::Requests, &call).claimKey;
    let open = DisputeGame::openCall {
        requestId: id,
        claimKey: claim_key,
    };
    scene
        .court
        .send(CHALLENGER, Child::DisputeGame, &open, ether(1))
        .unwrap();
    scene.court.wait(u64::from(terms.window) + 1);
    let held = scene
        .court
        .send(PROVIDER, Child::Requests, &finalize, U256::ZERO);
    assert_eq!(held.unwrap_err().name, "GamesOpen");
    let late = scene
        .court
        .send(CHALLENGER, Child::DisputeGame, &open, ether(1));
    assert_eq!(late.unwrap_err().name, "WindowOver");
    assert_ne!(status(&scene.court, id), FINAL);
}

/// Two answers to one request.
#[test]
fn equivocation() {
    let mut scene = Scene::residual();
    let wrong = scene.lie(4, 7);
    let outputs = scene.outputs.clone();
    let claimed = scene.claim_of(&outputs);
    let output = wrong.last().unwrap().to_bytes();
    let again = scene.court.claim(claimed.request_id, &output);
    assert_eq!(again.unwrap_err().name, "WrongStatus");
    let other = scene.court.raw(
        CHALLENGER,
        scene.court.deployment.address(Child::Requests),
        Requests::claimCall {
            requestId: claimed.request_id,
            output: output.into(),
        }
        .abi_encode(),
        U256::ZERO,
    );
    assert_eq!(other.unwrap_err().name, "WrongStatus");
}

/// A set with other code or other constants has another rules id and other addresses.
#[test]
fn look_alike_deployment() {
    let mut court = Court::new();
    let real = court.deployment.clone();
    let mut constants = CONSTANTS;
    constants.censorship_seconds = 1;
    let alike = Deployment::new(constants).unwrap();
    assert_ne!(alike.rules_id, real.rules_id);
    assert_ne!(alike.set, real.set);
    for child in Child::ALL {
        assert_ne!(alike.address(child), real.address(child));
    }
    // The set takes no other code than it names.
    let mut data = vec![0; 32];
    data.extend(&alike.init_code);
    court
        .raw(DEPLOYER, selfsame_chain::DEPLOYMENT_PROXY, data, U256::ZERO)
        .unwrap();
    let mut code = alike.children[0].clone();
    code.push(0);
    let deploy = |court: &mut Court, index: u64, code: Vec<u8>| {
        let call = RulesSet::deployCall {
            index: U256::from(index),
            initCode: code.into(),
        };
        court
            .raw(DEPLOYER, alike.set, call.abi_encode(), U256::ZERO)
            .map_err(|r| r.name)
    };
    assert_eq!(deploy(&mut court, 0, code).unwrap_err(), "WrongInitCode");
    assert_eq!(
        deploy(&mut court, 1, alike.children[1].clone()).unwrap_err(),
        "WrongChild"
    );
    // A chain that states no longest delay gets no set.
    constants.censorship_seconds = 0;
    let none = Deployment::new(constants).unwrap();
    let mut data = vec![0; 32];
    data.extend(&none.init_code);
    assert!(
        court
            .raw(DEPLOYER, selfsame_chain::DEPLOYMENT_PROXY, data, U256::ZERO)
            .is_err()
    );
    // What a receipt's check recomputes is what the chain has.
    let argument_bytes = 32 * (9 + 2 + real.children.len());
    let code = SetCode {
        creation_code: real.init_code[..real.init_code.len() - argument_bytes].to_vec(),
        child_hashes: real
            .children
            .iter()
            .map(|code| Hash(keccak256(code).0))
            .collect(),
    };
    let constants = selfsame_receipt::rules::ChainConstants {
        censorship_seconds: CONSTANTS.censorship_seconds,
        inclusion_seconds: CONSTANTS.inclusion_seconds,
        macs_per_second: CONSTANTS.macs_per_second,
        bytes_per_second: CONSTANTS.bytes_per_second,
        unbonding_seconds: CONSTANTS.unbonding_seconds,
        bounty_wei: CONSTANTS.bounty_wei,
        challenge_bond_wei: CONSTANTS.challenge_bond_wei,
        gas_price_floor_wei: CONSTANTS.gas_price_floor_wei,
        window_min_seconds: CONSTANTS.window_min_seconds,
    };
    let id = code.rules_id(&constants);
    assert_eq!(id.0, real.rules_id.0);
    let set = selfsame_receipt::rules::set_address(id);
    assert_eq!(Address::from(set), real.set);
    let requests = selfsame_receipt::rules::child_address(set, 2);
    assert_eq!(Address::from(requests), real.address(Child::Requests));
}

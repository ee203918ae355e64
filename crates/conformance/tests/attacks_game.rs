//! Attacks inside a game, by the names of the protocol's list.
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests: a failure is the test's failure"
)]

mod common;

use alloy_primitives::{B256, U256};
use alloy_sol_types::SolCall as _;
use common::Scene;
use selfsame_chain::bindings::{DisputeGame, Requests};
use selfsame_chain::{Child, Key};
use selfsame_conformance::game::{CHALLENGER, PROVIDER, REQUESTER, SINK};
use selfsame_conformance::game_play::{Session, step_input};
use selfsame_devnet::dev_key;
use selfsame_dispute::{Move, Next, Outcome, Reply, Revealed, Shown};
use selfsame_protocol::Hash;

const FRIEND: usize = CHALLENGER + 1;

fn session(scene: &mut Scene, claimed: selfsame_conformance::game::Claimed) -> Session<'_> {
    Session::new(&mut scene.court, &scene.model, claimed)
}

/// A stalling challenger holds a slot; there is no slot, everybody opens an own game.
#[test]
fn slot_capture() {
    let mut scene = Scene::residual();
    let wrong = scene.lie(4, 7);
    let right = scene.right();
    let claimed = scene.claim_of(&wrong);
    let mut game = session(&mut scene, claimed);
    for _ in 0..7 {
        game.open(FRIEND).unwrap();
    }
    let played = game.play(CHALLENGER, &right, &game.model.holder(&wrong));
    assert_eq!(played.conviction.unwrap().node, 4);
    for stalled in 0..7 {
        game.send(FRIEND, Move::Settle { game: stalled }, U256::ZERO)
            .unwrap();
    }
}

/// Somebody sends the honest challenger's winning step, or its timeout, first.
#[test]
fn sniping() {
    let mut scene = Scene::residual();
    let wrong = scene.lie(4, 7);
    let (right, lying) = (scene.right(), scene.model.holder(&wrong));
    let claimed = scene.claim_of(&wrong);
    let mut game = session(&mut scene, claimed);
    let before = [game.court.wealth(CHALLENGER), game.court.wealth(FRIEND)];
    let step = game_to_step(&mut game, &right, &lying);
    assert_eq!(
        game.send(FRIEND, step.clone(), U256::ZERO).unwrap_err(),
        "NotChallenger"
    );
    game.send(CHALLENGER, step, U256::ZERO).unwrap();
    assert!(game.court.wealth(CHALLENGER) > before[0]);
    assert!(game.court.wealth(FRIEND) < before[1]);

    // By time: whoever calls is paid its gas, the bounty is the challenger's.
    let mut scene = Scene::residual();
    let claimed = scene.claim_of(&wrong);
    let bounty = U256::from(scene.court.deployment.constants.bounty_wei);
    let clock = scene.court.clock(&scene.model);
    let mut game = session(&mut scene, claimed);
    let before = [game.court.wealth(CHALLENGER), game.court.wealth(FRIEND)];
    game.open(CHALLENGER).unwrap();
    game.court.wait(clock + 1);
    game.send(FRIEND, Move::Timeout { game: 0 }, U256::ZERO)
        .unwrap();
    assert!(game.court.wealth(CHALLENGER) >= before[0] + bounty);
    assert!(game.court.wealth(FRIEND) < before[1] + bounty);
    assert!(game.court.wealth(FRIEND) >= before[1]);
}

/// Plays the honest challenger up to its last move, which is returned.
fn game_to_step(
    game: &mut Session<'_>,
    right: &selfsame_dispute::Holder,
    lying: &selfsame_dispute::Holder,
) -> Move {
    let index = game.open(CHALLENGER).unwrap();
    let mut revealed = Revealed::new();
    loop {
        let before = game.board.games[index].clone();
        let reply = game.answer(PROVIDER, index, lying).unwrap();
        let shown = reply.shown();
        revealed.add(&game.facts(), &before, shown);
        let next = right.next(&game.facts(), &before, shown).unwrap();
        let is_step = matches!(next, Next::Element { .. });
        let action = game
            .challenge(index, next, shown.tile(), right, &revealed)
            .unwrap();
        if is_step {
            return action;
        }
        let value = game.move_value(index, &action);
        game.send(CHALLENGER, action, value).unwrap();
    }
}

/// A friend of the liar steers the honest game to a branch where nothing is wrong.
#[test]
fn branch_hijack() {
    let mut scene = Scene::residual();
    let wrong = scene.lie(4, 7);
    let (right, lying) = (scene.right(), scene.model.holder(&wrong));
    let claimed = scene.claim_of(&wrong);
    let mut game = session(&mut scene, claimed);
    let honest = game.open(CHALLENGER).unwrap();
    let reply = game.answer(PROVIDER, honest, &lying).unwrap();
    let Reply::First { entries, .. } = reply else {
        panic!("the first answer")
    };
    let mut revealed = Revealed::new();
    let at = game.board.games[honest].clone();
    revealed.add(&game.facts(), &at, Shown::Entries(&entries));
    // Node 1 is right.
    let next = selfsame_dispute::name(&game.facts(), &at, &entries, 1);
    let action = game
        .challenge(honest, next.clone(), &[], &right, &revealed)
        .unwrap();
    let one = U256::from(1_000_000_000_000_000_000_u64);
    assert_eq!(game.send(FRIEND, action, one).unwrap_err(), "NotChallenger");
    // In a game of its own it gets nowhere, and the honest one goes on.
    let own = game.open(FRIEND).unwrap();
    let action = game.challenge(own, next, &[], &right, &revealed).unwrap();
    game.send(FRIEND, action, one).unwrap();
    let played = game.play_on(honest, CHALLENGER, &right, &lying);
    assert_eq!(played.conviction.unwrap().node, 4);
}

/// The claimant posts one trace root and signs another.
#[test]
fn two_trace_roots() {
    let mut scene = Scene::residual();
    let wrong = scene.lie(4, 7);
    let (right, lying) = (scene.right(), scene.model.holder(&wrong));
    let claimed = scene.claim_of(&wrong);
    let request_id = claimed.request_id;
    let claim_key = claimed.claim_key;
    let mut game = session(&mut scene, claimed);
    let first = game.open(CHALLENGER).unwrap();
    game.answer(PROVIDER, first, &lying).unwrap();
    // A second root cannot be posted, in this game or in another.
    let second = game.open(FRIEND).unwrap();
    assert_eq!(
        game.answer(PROVIDER, first, &right).unwrap_err(),
        "AlreadyOpened"
    );
    assert_eq!(
        game.answer(PROVIDER, second, &right).unwrap_err(),
        "AlreadyOpened"
    );
    // A signed one convicts, with nothing but the signature.
    let sign = |key: usize, root: Hash, game: &Session<'_>| {
        let digest = game.court.read(
            Child::DisputeGame,
            &DisputeGame::traceDigestCall {
                claimKey: claim_key,
                traceRoot: B256::from(root.0),
            },
        );
        let key = Key::from_secret(dev_key(key).0).unwrap();
        DisputeGame::convictTwoRootsCall {
            requestId: request_id,
            claimKey: claim_key,
            traceRoot: B256::from(root.0),
            signature: key.sign_digest(digest.0).unwrap().to_vec().into(),
        }
    };
    let same = sign(PROVIDER, lying.root(), &game);
    let forged = sign(FRIEND, right.root(), &game);
    let two = sign(PROVIDER, right.root(), &game);
    let mut try_it = |call: &DisputeGame::convictTwoRootsCall| {
        game.court
            .send(CHALLENGER, Child::DisputeGame, call, U256::ZERO)
            .map_err(|r| r.name)
    };
    assert_eq!(try_it(&same).unwrap_err(), "SameRoot");
    assert_eq!(try_it(&forged).unwrap_err(), "WrongSigner");
    assert!(try_it(&two).is_ok());
    let stood = game.court.read(
        Child::Requests,
        &Requests::requestOfCall {
            requestId: request_id,
        },
    );
    assert_eq!(stood.status, 6, "convicted");
}

/// Bytes behind the end of the last tile, in an answer, in an opening and in a claim.
#[test]
fn dirty_padding() {
    let mut scene = Scene::residual();
    let wrong = scene.lie(7, 3);
    let (right, lying) = (scene.right(), scene.model.holder(&wrong));
    let mut dirty = wrong.last().unwrap().to_bytes();
    dirty.push(0);
    let terms = scene.court.terms(&scene.model, scene.input.root());
    scene
        .court
        .stake(PROVIDER, U256::from(5_000_000_000_000_000_000_u64));
    let id = scene.court.request(&terms, &[]).unwrap();
    scene.court.accept(id).unwrap();
    assert_eq!(
        scene.court.claim(id, &dirty).unwrap_err().name,
        "OutputLength"
    );

    let claimed = scene.claim_of(&wrong);
    let mut game = session(&mut scene, claimed);
    let step = game_to_step(&mut game, &right, &lying);
    let Move::Step {
        game: index,
        link,
        step,
    } = step
    else {
        panic!("a step")
    };
    let mut longer = step.clone();
    longer.tile.push(0);
    let action = Move::Step {
        game: index,
        link,
        step: longer,
    };
    assert_eq!(
        game.send(CHALLENGER, action, U256::ZERO).unwrap_err(),
        "WrongHash"
    );
    for slot in 0..step.witness.openings.len() {
        let mut padded = step.clone();
        padded.witness.openings[slot].tiles.push(0);
        let action = Move::Step {
            game: index,
            link,
            step: padded,
        };
        assert_eq!(
            game.send(CHALLENGER, action, U256::ZERO).unwrap_err(),
            "TileBytes"
        );
    }
    game.send(
        CHALLENGER,
        Move::Step {
            game: index,
            link,
            step,
        },
        U256::ZERO,
    )
    .unwrap();

    // The claimant's tile with a byte too many.
    let mut scene = Scene::residual();
    let claimed = scene.claim_of(&wrong);
    let mut game = session(&mut scene, claimed);
    let index = game.open(CHALLENGER).unwrap();
    let at = game.board.games[index].clone();
    let Reply::First { entries, .. } = game.answer(PROVIDER, index, &lying).unwrap() else {
        panic!()
    };
    let mut revealed = Revealed::new();
    revealed.add(&game.facts(), &at, Shown::Entries(&entries));
    let next = right
        .next(&game.facts(), &at, Shown::Entries(&entries))
        .unwrap();
    let action = game.challenge(index, next, &[], &right, &revealed).unwrap();
    let value = game.move_value(index, &action);
    game.send(CHALLENGER, action, value).unwrap();
    let mut tile = lying.tile(7, 0).to_vec();
    tile.push(0);
    let answer = Move::AnswerTile {
        game: index,
        link: game.link(index),
        tile,
    };
    assert_eq!(
        game.send(PROVIDER, answer, U256::ZERO).unwrap_err(),
        "TileLength"
    );
}

/// A trace tree whose absent leaves are not the constant.
#[test]
fn dirty_absent_leaf() {
    let mut scene = Scene::sums();
    let wrong = scene.lie(6, 7);
    let lying = scene.model.holder(&wrong);
    let right = scene.right();
    let claimed = scene.claim_of(&wrong);
    let mut game = session(&mut scene, claimed);
    let index = game.open(CHALLENGER).unwrap();
    let Reply::First { entries, siblings } = lying
        .reply(&game.facts(), &game.board.games[index])
        .unwrap()
    else {
        panic!("the first answer")
    };
    assert!(!entries.len().is_power_of_two(), "a leaf is absent");
    let mut dirty = entries.clone();
    dirty.push(Hash([9; 32]));
    let answer = |entries: Vec<Hash>, game: &Session<'_>| Move::FirstAnswer {
        game: index,
        link: game.link(index),
        entries,
        siblings: siblings.clone(),
    };
    let action = answer(dirty, &game);
    assert_eq!(
        game.send(PROVIDER, action, U256::ZERO).unwrap_err(),
        "EntryCount"
    );
    let action = answer(entries.clone(), &game);
    game.send(PROVIDER, action, U256::ZERO).unwrap();
    // A path that brings its own absent siblings has too many.
    let at = game.board.games[index].clone();
    let mut revealed = Revealed::new();
    revealed.add(&game.facts(), &at, Shown::Entries(&entries));
    let next = right
        .next(&game.facts(), &at, Shown::Entries(&entries))
        .unwrap();
    let Some(Move::NameNode {
        game: g,
        link,
        node,
        root,
        mut siblings,
        node_leaf,
        leaf_siblings,
    }) = game.challenge(index, next, &[], &right, &revealed)
    else {
        panic!("a node")
    };
    siblings.push(selfsame_commit::absent(0));
    let one = U256::from(1_000_000_000_000_000_000_u64);
    let action = Move::NameNode {
        game: g,
        link,
        node,
        root,
        siblings,
        node_leaf,
        leaf_siblings,
    };
    assert_eq!(
        game.send(CHALLENGER, action, one).unwrap_err(),
        "ProofSiblingExtra"
    );
}

/// The claimant never shows the node roots.
#[test]
fn withheld_roots() {
    let mut scene = Scene::residual();
    let wrong = scene.lie(4, 7);
    let claimed = scene.claim_of(&wrong);
    let clock = scene.court.clock(&scene.model);
    let mut game = session(&mut scene, claimed);
    let before = game.court.wealth(CHALLENGER);
    let index = game.open(CHALLENGER).unwrap();
    let timeout = Move::Timeout { game: index };
    assert_eq!(
        game.send(FRIEND, timeout.clone(), U256::ZERO).unwrap_err(),
        "ClockRuns"
    );
    game.court.wait(clock + 1);
    assert_eq!(
        game.answer(PROVIDER, index, &game.model.holder(&wrong))
            .unwrap_err(),
        "ClockOver"
    );
    game.send(CHALLENGER, timeout, U256::ZERO).unwrap();
    assert_eq!(game.board.outcome, Some(Outcome::Time));
    assert!(game.court.wealth(CHALLENGER) > before);
}

/// An honest run, on another input than the request's.
#[test]
fn input_swap() {
    let mut scene = Scene::residual();
    let other = scene.outputs_of(&scene.model.animal.input(99));
    let claimed = scene.claim_of(&other);
    let clock = scene.court.clock(&scene.model);
    let mut game = session(&mut scene, claimed);
    let index = game.open(CHALLENGER).unwrap();
    assert_eq!(
        game.answer(PROVIDER, index, &game.model.holder(&other))
            .unwrap_err(),
        "InputRoot"
    );
    game.court.wait(clock + 1);
    game.send(CHALLENGER, Move::Timeout { game: index }, U256::ZERO)
        .unwrap();
    assert_eq!(game.board.outcome, Some(Outcome::Time));
}

/// The honest trace under another output.
#[test]
fn output_swap() {
    let mut scene = Scene::residual();
    let honest = scene.outputs.clone();
    let swapped = scene.lie(7, 0);
    let claimed = scene.claim_of(&swapped);
    let clock = scene.court.clock(&scene.model);
    let mut game = session(&mut scene, claimed);
    let index = game.open(CHALLENGER).unwrap();
    assert_eq!(
        game.answer(PROVIDER, index, &game.model.holder(&honest))
            .unwrap_err(),
        "OutputRoot"
    );
    game.court.wait(clock + 1);
    game.send(CHALLENGER, Move::Timeout { game: index }, U256::ZERO)
        .unwrap();
    assert_eq!(game.board.outcome, Some(Outcome::Time));
}

/// A move is mined again on a branch where the claim is another one.
#[test]
fn reorganisation_swap() {
    let mut scene = Scene::residual();
    let wrong = scene.lie(7, 0);
    let terms = scene.court.terms(&scene.model, scene.input.root());
    scene
        .court
        .stake(PROVIDER, U256::from(5_000_000_000_000_000_000_u64));
    let id = scene.court.request(&terms, &[]).unwrap();
    scene.court.accept(id).unwrap();
    let mut branch = scene.court.mark();
    let claim = |scene: &mut Scene, output: &[u8]| {
        let applied = scene.court.claim(id, output).unwrap();
        Requests::claimCall::abi_decode_returns(&applied.output).unwrap()
    };
    let wrong_key = claim(&mut scene, &wrong.last().unwrap().to_bytes());
    let open = DisputeGame::openCall {
        requestId: id,
        claimKey: wrong_key,
    };
    let value = U256::from(1_000_000_000_000_000_000_u64);
    scene
        .court
        .send(CHALLENGER, Child::DisputeGame, &open, value)
        .unwrap();
    scene.court.back(&mut branch);
    let output = scene.outputs.last().unwrap().to_bytes();
    let right_key = claim(&mut scene, &output);
    assert_ne!(wrong_key, right_key);
    let refused = scene
        .court
        .send(CHALLENGER, Child::DisputeGame, &open, value)
        .unwrap_err();
    assert_eq!(refused.name, "WrongClaim");
}

/// The same move again, and the move of another game.
#[test]
fn replayed_move() {
    let mut scene = Scene::residual();
    let wrong = scene.lie(4, 7);
    let (right, lying) = (scene.right(), scene.model.holder(&wrong));
    let claimed = scene.claim_of(&wrong);
    let mut game = session(&mut scene, claimed);
    let index = game.open(CHALLENGER).unwrap();
    let at = game.board.games[index].clone();
    let Reply::First { entries, .. } = game.answer(PROVIDER, index, &lying).unwrap() else {
        panic!()
    };
    let mut revealed = Revealed::new();
    revealed.add(&game.facts(), &at, Shown::Entries(&entries));
    let next = right
        .next(&game.facts(), &at, Shown::Entries(&entries))
        .unwrap();
    let action = game.challenge(index, next, &[], &right, &revealed).unwrap();
    let value = game.move_value(index, &action);
    game.send(CHALLENGER, action.clone(), value).unwrap();
    let one = U256::from(1_000_000_000_000_000_000_u64);
    assert_eq!(
        game.send(CHALLENGER, action.clone(), one).unwrap_err(),
        "StaleMove"
    );
    let other = game.open(CHALLENGER).unwrap();
    let Move::NameNode {
        link,
        node,
        root,
        siblings,
        node_leaf,
        leaf_siblings,
        ..
    } = action
    else {
        panic!("a node")
    };
    let moved = Move::NameNode {
        game: other,
        link,
        node,
        root,
        siblings,
        node_leaf,
        leaf_siblings,
    };
    assert_eq!(game.send(CHALLENGER, moved, one).unwrap_err(), "StaleMove");
}

/// Values of the symbols other than the request's, in a move and in a request.
#[test]
fn wrong_dimension_values() {
    let mut scene = Scene::sums();
    let terms = scene.court.terms(&scene.model, scene.input.root());
    for (values, want) in [
        (vec![], "DimensionCount"),
        (vec![21, 1], "DimensionCount"),
        (vec![31], "DimensionOutside"),
        (vec![3], "DimensionOutside"),
    ] {
        let terms = Requests::Terms {
            dimensions: values,
            ..terms.clone()
        };
        assert_eq!(scene.court.request(&terms, &[]).unwrap_err().name, want);
    }
    let wrong = scene.lie(3, 2);
    let (right, lying) = (scene.right(), scene.model.holder(&wrong));
    let claimed = scene.claim_of(&wrong);
    let mut game = session(&mut scene, claimed);
    let step = game_to_step(&mut game, &right, &lying);
    let Move::Step {
        game: index,
        link,
        step,
    } = step
    else {
        panic!("a step")
    };
    for dimensions in [vec![20], vec![], vec![21, 21]] {
        let call = DisputeGame::stepCall {
            gameId: game.game_id(index),
            claimKey: B256::from(link.claim_key.0),
            previous: B256::from(link.previous.0),
            input: step_input(&step, &dimensions),
        };
        let refused = game
            .court
            .send(CHALLENGER, Child::DisputeGame, &call, U256::ZERO);
        assert_eq!(
            refused.unwrap_err().name,
            "DimensionsHash",
            "{dimensions:?}"
        );
    }
    game.send(
        CHALLENGER,
        Move::Step {
            game: index,
            link,
            step,
        },
        U256::ZERO,
    )
    .unwrap();
}

/// Friends play a game that ends as they like; the claim is judged all the same, and they pay.
#[test]
fn staged_games_between_friends() {
    let mut scene = Scene::residual();
    let wrong = scene.lie(4, 7);
    let (right, lying) = (scene.right(), scene.model.holder(&wrong));
    let mut terms = scene.court.terms(&scene.model, scene.input.root());
    let clock = scene.court.clock(&scene.model);
    // A window in which a whole staged game fits.
    terms.window = u32::try_from(3 * clock).unwrap();
    let claimed = scene.claim_under(&terms, &wrong);
    let mut game = session(&mut scene, claimed);
    let before = game.court.wealth(PROVIDER) + game.court.wealth(FRIEND);
    let sunk = game.court.balance(SINK);
    let staged = game.open(FRIEND).unwrap();
    game.answer(PROVIDER, staged, &lying).unwrap();
    game.court.wait(clock + 1);
    game.send(FRIEND, Move::Timeout { game: staged }, U256::ZERO)
        .unwrap();
    let bond = U256::from(game.court.deployment.constants.challenge_bond_wei);
    assert!(game.court.balance(SINK) - sunk >= bond / U256::from(2));
    assert!(game.court.wealth(PROVIDER) + game.court.wealth(FRIEND) < before);
    // Losing a game said nothing about the claim.
    let requester = game.court.wealth(REQUESTER);
    let played = game.play(CHALLENGER, &right, &lying);
    assert_eq!(played.conviction.unwrap().node, 4);
    assert!(game.court.wealth(REQUESTER) > requester);
}

/// A liar convicts itself to get half of its bond back as bounty, gas and compensation.
#[test]
fn self_conviction_for_the_compensation() {
    let mut scene = Scene::residual();
    let wrong = scene.lie(4, 7);
    let (right, lying) = (scene.right(), scene.model.holder(&wrong));
    let friends = [REQUESTER, PROVIDER, FRIEND];
    let together = |scene: &Scene| {
        friends
            .iter()
            .map(|&who| scene.court.wealth(who))
            .sum::<U256>()
    };
    let before = together(&scene);
    let claimed = scene.claim_of(&wrong);
    let call = Requests::requestOfCall {
        requestId: claimed.request_id,
    };
    let bond = U256::from(scene.court.read(Child::Requests, &call).bond);
    let mut game = session(&mut scene, claimed);
    let played = game.play(FRIEND, &right, &lying);
    assert!(played.conviction.is_some());
    assert!(together(&scene) + bond / U256::from(2) <= before);
}

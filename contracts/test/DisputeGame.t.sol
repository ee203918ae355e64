// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Game} from "../src/interfaces/IDisputeGame.sol";
import {IDisputeGame} from "../src/interfaces/IDisputeGame.sol";
import {ILeaf} from "../src/interfaces/ILeaf.sol";
import {NodeBuilder} from "./base/NodeBuilder.sol";
import {NodeName} from "../src/interfaces/IDisputeGame.sol";
import {SmallModel} from "./base/SmallModel.sol";
import {Stage} from "../src/interfaces/IDisputeGame.sol";
import {Status} from "../src/interfaces/IRequests.sol";
import {StepInput} from "../src/interfaces/IDisputeGame.sol";

/// @title Moves of whole games on a small model, whose claimant lies at element 777 of node 1.
contract DisputeGameTest is SmallModel {
    uint256 private constant NODE = 1;
    uint256 private constant ELEMENT = 777;

    function setUp() public {
        setUpSmall(NODE, ELEMENT);
        claimed();
    }

    function firstCall(bytes32 gameId, bytes32[] memory entries) private view returns (bytes memory) {
        return abi.encodeCall(game.firstAnswer, (gameId, claimKey, headOf(gameId), entries, new bytes32[](0)));
    }

    function settleFirst() private returns (bytes32 gameId) {
        gameId = open(challenger);
        firstAnswer(gameId);
    }

    /// Spec: game, 4.7.
    function test_a_lie_is_convicted_at_exactly_its_node_and_element() public {
        bytes32 gameId = open(challenger);
        descend(gameId, NODE, ELEMENT);
        int256 wrong = int8(uint8(tensor(NODE)[ELEMENT]));
        vm.expectEmit(true, true, true, true, address(game));
        emit IDisputeGame.Convicted(gameId, claimKey, challenger, NODE, ELEMENT, wrong - 1, wrong);
        step(gameId, ELEMENT);
        assertTrue(requests.requestOf(requestId).status == Status.Convicted, "convicted");
        assertTrue(game.games(claimKey).convicted, "games know");
    }

    /// Spec: game, 4.7.
    function test_a_step_on_a_right_element_reverts_with_its_value() public {
        bytes32 gameId = open(challenger);
        descend(gameId, NODE, ELEMENT);
        int256 value = int8(uint8(tensor(NODE)[ELEMENT - 1]));
        refused(
            challenger,
            0,
            stepCall(gameId, ELEMENT - 1),
            abi.encodeWithSelector(IDisputeGame.ValueAgrees.selector, NODE, ELEMENT - 1, value)
        );
    }

    /// Spec: game, 4.15. Downstream of the lie the claimant is right about what it reads.
    function test_another_node_than_the_leftmost_wrong_one_cannot_be_convicted() public {
        bytes32 gameId = open(challenger);
        descend(gameId, 2, 3);
        int256 value = int8(uint8(tensor(2)[3]));
        refused(
            challenger, 0, stepCall(gameId, 3), abi.encodeWithSelector(IDisputeGame.ValueAgrees.selector, 2, 3, value)
        );
    }

    /// Attack: reorganisation swap. Spec: game, 4.2.
    function test_a_move_for_another_claim_is_refused() public {
        bytes32 gameId = settleFirst();
        bytes memory data = nameNodeCall(gameId, NODE);
        bytes32 wrong = keccak256("another claim");
        bytes32 right = claimKey;
        claimKey = wrong;
        bytes memory swapped = nameNodeCall(gameId, NODE);
        claimKey = right;
        bytes memory reason = abi.encodeWithSelector(IDisputeGame.WrongClaim.selector, right, wrong);
        refused(challenger, 1 ether, swapped, reason);
        refused(other, 1 ether, abi.encodeCall(game.open, (requestId, wrong)), reason);
        send(challenger, 1 ether, data);
    }

    /// Attack: replayed move. Spec: game, 4.2.
    function test_a_move_made_for_an_earlier_state_is_refused() public {
        bytes32 gameId = open(challenger);
        bytes32 before = headOf(gameId);
        firstAnswer(gameId);
        bytes32 current = headOf(gameId);
        bytes32[] memory none = new bytes32[](0);
        refused(
            challenger,
            0,
            abi.encodeCall(game.nameEntry, (gameId, claimKey, before, 0, 0, none)),
            abi.encodeWithSelector(IDisputeGame.StaleMove.selector, current, before)
        );
    }

    /// Spec: game, 4.2.
    function test_heads_chain_claim_challenger_and_every_move() public {
        bytes32 gameId = open(challenger);
        bytes32 head = keccak256(abi.encode(claimKey, challenger, uint256(0)));
        assertEq(headOf(gameId), head, "after the opening");
        bytes memory data = firstAnswerCall(gameId);
        bytes memory arguments = new bytes(data.length - 4);
        for (uint256 i = 0; i < arguments.length; ++i) {
            arguments[i] = data[i + 4];
        }
        firstAnswer(gameId);
        head = keccak256(abi.encode(head, IDisputeGame.firstAnswer.selector, keccak256(arguments)));
        assertEq(headOf(gameId), head, "after the first answer");
    }

    /// Attack: sniping. Spec: game, 4.5.
    function test_only_the_games_challenger_moves_for_it() public {
        bytes32 gameId = settleFirst();
        bytes memory reason = abi.encodeWithSelector(IDisputeGame.NotChallenger.selector, challenger, other);
        refused(other, 1 ether, nameNodeCall(gameId, NODE), reason);
    }

    /// Attack: withheld roots. Spec: game, 4.5.
    function test_nothing_is_named_before_it_is_opened() public {
        bytes32 gameId = open(challenger);
        bytes memory reason = abi.encodeWithSelector(IDisputeGame.NotOpened.selector, gameId);
        refused(challenger, 1 ether, nameNodeCall(gameId, NODE), reason);
        firstAnswer(gameId);
        nameNode(gameId, NODE);
        refused(challenger, 1 ether, nameEntryCall(gameId, 0), reason);
    }

    /// Attack: two trace roots. Spec: game, 4.3.
    function test_a_second_trace_root_cannot_be_stored() public {
        bytes32 early = open(other);
        bytes32 gameId = open(challenger);
        firstAnswer(gameId);
        replace(1, NodeBuilder.noise(WIDE, 9));
        bytes memory again = firstAnswerCall(gameId);
        refused(provider, 0, again, abi.encodeWithSelector(IDisputeGame.AlreadyOpened.selector, gameId));
        again = firstAnswerCall(early);
        refused(provider, 0, again, abi.encodeWithSelector(IDisputeGame.AlreadyOpened.selector, early));
    }

    /// Attack: branch hijack. Spec: game, 4.3 and 4.4.
    function test_the_first_answer_is_the_claimants_or_its_answerers() public {
        bytes32 gameId = open(challenger);
        bytes memory data = firstAnswerCall(gameId);
        refused(other, 0, data, abi.encodeWithSelector(IDisputeGame.NotAnswerer.selector, provider, other));
        refused(
            other,
            0,
            abi.encodeCall(game.setAnswerer, (requestId, claimKey, other)),
            abi.encodeWithSelector(IDisputeGame.NotClaimant.selector, provider, other)
        );
        send(provider, 0, abi.encodeCall(game.setAnswerer, (requestId, claimKey, other)));
        send(other, 0, data);
        assertEq(game.games(claimKey).traceRoot, game.gameOf(gameId).cursor, "stored");
    }

    /// Attack: input swap, output swap. Spec: game, 4.3.
    function test_a_trace_of_another_input_or_output_is_refused() public {
        bytes32 gameId = open(challenger);
        bytes32[] memory entries = entriesOf(traceRoots, 0, 2, 0);
        bytes32 input = entries[0];
        entries[0] = keccak256("another input");
        refused(
            provider,
            0,
            firstCall(gameId, entries),
            abi.encodeWithSelector(IDisputeGame.InputRoot.selector, input, entries[0])
        );
        entries[0] = input;
        bytes32 output = entries[2];
        entries[2] = keccak256("another output");
        refused(
            provider,
            0,
            firstCall(gameId, entries),
            abi.encodeWithSelector(IDisputeGame.OutputRoot.selector, output, entries[2])
        );
    }

    /// Attack: dirty absent leaf. Spec: game, 4.3 and 4.4.
    function test_absent_entries_cannot_be_posted() public {
        bytes32 gameId = open(challenger);
        bytes32[] memory entries = new bytes32[](4);
        for (uint256 i = 0; i < 3; ++i) {
            entries[i] = traceRoots[i];
        }
        entries[3] = keccak256("dirty");
        bytes memory reason = abi.encodeWithSelector(IDisputeGame.EntryCount.selector, 3, 4);
        refused(provider, 0, firstCall(gameId, entries), reason);
        firstAnswer(gameId);
        nameNode(gameId, NODE);
        bytes memory data = abi.encodeCall(game.answer, (gameId, claimKey, headOf(gameId), entries));
        refused(provider, 0, data, reason);
    }

    /// Attack: dirty padding. Spec: game, 4.4.
    function test_a_tile_has_exactly_the_bytes_of_its_tensor() public {
        bytes32 gameId = settleFirst();
        nameNode(gameId, NODE);
        answer(gameId);
        nameEntry(gameId, 2);
        bytes memory padded = abi.encodePacked(NodeBuilder.noise(176, 1), uint8(0));
        refused(
            provider,
            0,
            abi.encodeCall(game.answerTile, (gameId, claimKey, headOf(gameId), padded)),
            abi.encodeWithSelector(IDisputeGame.TileLength.selector, 176, 177)
        );
        refused(
            provider,
            0,
            abi.encodeCall(game.answerTile, (gameId, claimKey, headOf(gameId), NodeBuilder.noise(176, 1))),
            IDisputeGame.WrongHash.selector
        );
    }

    /// Spec: game, 4.4.
    function test_entries_that_do_not_fold_to_the_cursor_are_refused() public {
        bytes32 gameId = settleFirst();
        nameNode(gameId, NODE);
        bytes memory data =
            abi.encodeCall(game.answer, (gameId, claimKey, headOf(gameId), entriesOf(traceRoots, 0, 2, 0)));
        refused(provider, 0, data, IDisputeGame.WrongHash.selector);
    }

    /// Spec: game, 4.5.
    function test_the_input_cannot_be_named() public {
        bytes32 gameId = settleFirst();
        refused(challenger, 1 ether, nameNodeCall(gameId, 0), abi.encodeWithSelector(IDisputeGame.InputNamed.selector));
    }

    /// Attack: hostile model (hidden node leaf). Spec: game, 4.5.
    function test_a_node_leaf_outside_the_model_is_refused() public {
        bytes32 gameId = settleFirst();
        NodeName memory named;
        named.node = 1;
        named.root = traceRoots[1];
        named.siblings = pathOf(traceRoots, 0, 1, 2);
        named.nodeLeaf = leaves[2];
        named.leafSiblings = pathOf(leafHashes, 0, 1, 2);
        named.dimensions = new uint32[](0);
        bytes memory data = abi.encodeCall(game.nameNode, (gameId, claimKey, headOf(gameId), named));
        refused(challenger, 1 ether, data, IDisputeGame.NodeLeafRoot.selector);
        named.nodeLeaf = leaves[1];
        named.root = keccak256("not in the trace");
        data = abi.encodeCall(game.nameNode, (gameId, claimKey, headOf(gameId), named));
        refused(challenger, 1 ether, data, IDisputeGame.WrongHash.selector);
    }

    /// Attack: wrong dimension values. Spec: game, 4.5.
    function test_dimension_values_that_the_request_has_not_are_refused() public {
        bytes32 gameId = settleFirst();
        NodeName memory named;
        named.node = 1;
        named.root = traceRoots[1];
        named.siblings = pathOf(traceRoots, 0, 1, 2);
        named.nodeLeaf = leaves[1];
        named.leafSiblings = pathOf(leafHashes, 0, 1, 2);
        named.dimensions = NodeBuilder.list(7);
        bytes memory data = abi.encodeCall(game.nameNode, (gameId, claimKey, headOf(gameId), named));
        bytes32 hash = keccak256(abi.encode(named.dimensions));
        refused(
            challenger, 1 ether, data, abi.encodeWithSelector(IDisputeGame.DimensionsHash.selector, bytes32(0), hash)
        );
    }

    /// Spec: game, 4.5.
    function test_an_entry_outside_the_tree_is_refused() public {
        bytes32 gameId = settleFirst();
        nameNode(gameId, NODE);
        answer(gameId);
        bytes32[] memory none = new bytes32[](0);
        refused(
            challenger,
            1 ether,
            abi.encodeCall(game.nameEntry, (gameId, claimKey, headOf(gameId), 3, 0, none)),
            abi.encodeWithSelector(IDisputeGame.IndexOutside.selector, 0, 3, 3)
        );
        bytes32[] memory siblings = pathOf(treeOf(game.gameOf(gameId)), 0, 1, 2);
        refused(
            challenger,
            1 ether,
            abi.encodeCall(game.nameEntry, (gameId, claimKey, headOf(gameId), 1, bytes32(0), siblings)),
            IDisputeGame.WrongHash.selector
        );
    }

    /// Spec: game, 4.5 and 4.6.
    function test_moves_of_another_stage_are_refused() public {
        bytes32 gameId = settleFirst();
        bytes32[] memory none = new bytes32[](0);
        bytes memory entry = abi.encodeCall(game.nameEntry, (gameId, claimKey, headOf(gameId), 0, bytes32(0), none));
        refused(challenger, 1 ether, entry, abi.encodeWithSelector(IDisputeGame.WrongLevel.selector, 1, 0));
        StepInput memory empty;
        bytes memory data = abi.encodeCall(game.step, (gameId, claimKey, headOf(gameId), empty));
        bytes memory reason = abi.encodeWithSelector(IDisputeGame.WrongStage.selector, Stage.Tile, Stage.First);
        refused(challenger, 0, data, reason);
        nameNode(gameId, NODE);
        reason = abi.encodeWithSelector(IDisputeGame.WrongStage.selector, Stage.Tile, Stage.Tensor);
        refused(provider, 0, abi.encodeCall(game.answerTile, (gameId, claimKey, headOf(gameId), hex"00")), reason);
        answer(gameId);
        nameEntry(gameId, 1);
        reason = abi.encodeWithSelector(IDisputeGame.WrongStage.selector, Stage.Tensor, Stage.Tile);
        refused(provider, 0, abi.encodeCall(game.answer, (gameId, claimKey, headOf(gameId), none)), reason);
        answer(gameId);
        reason = abi.encodeWithSelector(IDisputeGame.WrongStage.selector, Stage.Trace, Stage.Tile);
        refused(challenger, 1 ether, nameNodeCall(gameId, NODE), IDisputeGame.WrongStage.selector);
    }

    /// Spec: game, 4.7.
    function test_a_step_takes_its_element_and_tile_from_the_game() public {
        bytes32 gameId = open(challenger);
        descend(gameId, NODE, ELEMENT);
        StepInput memory input = stepInput(gameId, ELEMENT);
        bytes32 head = headOf(gameId);
        input.element = 512;
        refused(
            challenger,
            0,
            abi.encodeCall(game.step, (gameId, claimKey, head, input)),
            abi.encodeWithSelector(IDisputeGame.ElementOutsideTile.selector, 512, 512)
        );
        input = stepInput(gameId, ELEMENT);
        input.tile = NodeBuilder.noise(512, 3);
        refused(
            challenger, 0, abi.encodeCall(game.step, (gameId, claimKey, head, input)), IDisputeGame.WrongHash.selector
        );
    }

    /// Spec: game, 4.7 and 4.8.
    function test_a_step_on_other_inputs_or_weights_is_refused() public {
        bytes32 gameId = open(challenger);
        descend(gameId, NODE, ELEMENT);
        StepInput memory input = stepInput(gameId, ELEMENT);
        bytes32 head = headOf(gameId);
        input.openings[0].tiles = NodeBuilder.noise(K, 5);
        refused(
            challenger,
            0,
            abi.encodeCall(game.step, (gameId, claimKey, head, input)),
            abi.encodeWithSelector(
                IDisputeGame.OpenedRoot.selector, 0, traceRoots[0], NodeBuilder.root(NodeBuilder.noise(K, 5))
            )
        );
        input = stepInput(gameId, ELEMENT);
        input.openings[1].tiles[3] = 0x55;
        refused(challenger, 0, abi.encodeCall(game.step, (gameId, claimKey, head, input)), ILeaf.TensorRoot.selector);
        input = stepInput(gameId, ELEMENT);
        input.inputRoots[0] = keccak256("another root");
        refused(
            challenger, 0, abi.encodeCall(game.step, (gameId, claimKey, head, input)), IDisputeGame.TraceRoot.selector
        );
        input = stepInput(gameId, ELEMENT);
        input.inputRoots = new bytes32[](2);
        refused(
            challenger,
            0,
            abi.encodeCall(game.step, (gameId, claimKey, head, input)),
            abi.encodeWithSelector(IDisputeGame.InputCount.selector, 1, 2)
        );
    }

    /// Spec: game, 4.1 and 4.5.
    function test_less_than_bond_and_prepayment_is_refused() public {
        uint256 value = game.openValue(requestId);
        bytes memory data = abi.encodeCall(game.open, (requestId, claimKey));
        bytes memory reason = abi.encodeWithSelector(IDisputeGame.ValueTooLow.selector, value, value - 1);
        refused(challenger, value - 1, data, reason);
        bytes32 gameId = settleFirst();
        uint256 held = game.gameOf(gameId).prepaid;
        value = game.nodeValue(gameId, WIDE);
        reason = abi.encodeWithSelector(IDisputeGame.ValueTooLow.selector, value + held, value + held - 1);
        refused(challenger, value - 1, nameNodeCall(gameId, NODE), reason);
        nameNode(gameId, NODE);
    }

    /// Spec: game, 4.4. An opening serves every game, and nobody pays for it twice.
    function test_openings_belong_to_the_claim() public {
        bytes32 first = open(challenger);
        descend(first, NODE, ELEMENT);
        bytes32 second = open(other);
        assertEq(game.gameOf(second).prepaid, 0, "no first answer to prepay");
        send(other, 0, nameNodeCall(second, NODE));
        send(other, 0, nameEntryCall(second, ELEMENT / 512));
        Game memory g = game.gameOf(second);
        assertTrue(g.stage == Stage.Tile && g.openedAt != 0, "opened by the first game");
        step(second, ELEMENT);
        assertTrue(game.games(claimKey).convicted, "convicted by the second");
    }

    function test_unknown_games_and_claims_are_named() public {
        bytes memory reason = abi.encodeWithSelector(IDisputeGame.NoGame.selector, bytes32(uint256(1)));
        refused(other, 0, abi.encodeCall(game.timeout, (bytes32(uint256(1)))), reason);
        refused(other, 0, abi.encodeCall(game.settle, (bytes32(uint256(1)))), reason);
        refused(
            other,
            1 ether,
            abi.encodeCall(game.open, (bytes32(uint256(1)), bytes32(0))),
            abi.encodeWithSelector(IDisputeGame.NotClaimed.selector, bytes32(uint256(1)))
        );
    }

    /// Spec: game, 4.1.
    function test_no_game_opens_after_the_window() public {
        uint256 closesAt = requests.claimOf(requestId).closesAt;
        uint256 value = game.openValue(requestId);
        bytes memory data = abi.encodeCall(game.open, (requestId, claimKey));
        vm.warp(closesAt + 1);
        bytes memory reason = abi.encodeWithSelector(IDisputeGame.WindowOver.selector, closesAt, closesAt + 1);
        refused(challenger, value, data, reason);
        vm.warp(closesAt);
        send(challenger, value, data);
    }
}

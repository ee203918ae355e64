// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {AnswerKind} from "../../src/interfaces/IDisputeGame.sol";
import {Game} from "../../src/interfaces/IDisputeGame.sol";
import {GasUnits} from "../../src/lib/GasUnits.sol";
import {IDisputeGame} from "../../src/interfaces/IDisputeGame.sol";
import {MultiProof} from "../../src/lib/MultiProof.sol";
import {NodeName} from "../../src/interfaces/IDisputeGame.sol";
import {SegmentModel} from "../base/SegmentModel.sol";
import {Side} from "../../src/interfaces/IDisputeGame.sol";
import {Stage} from "../../src/interfaces/IDisputeGame.sol";
import {Status} from "../../src/interfaces/IRequests.sol";
import {StepInput} from "../../src/interfaces/IDisputeGame.sol";
import {Terms} from "../../src/interfaces/IRequests.sol";
import {TreeBuilder} from "../base/TreeBuilder.sol";

/// @title Games about segments, whose claimant lies at the interior node 3.
/// @dev Spec: programs, 1.22; game, 4.4 to 4.7.
contract SegmentsTest is SegmentModel {
    uint256 private constant LIE = 3;
    uint256 private constant ELEMENT = 555;
    // The committed node behind it, whose segment is 1.
    uint256 private constant END = 4;

    function setUp() public {
        setUpSegments(LIE, ELEMENT);
        claimed();
    }

    /// A game whose cursor is segment 1, not answered.
    function atSegment() private returns (bytes32 gameId) {
        gameId = open(challenger);
        if (game.games(claimKey).traceRoot == 0) firstAnswer(gameId);
        nameNode(gameId, END);
    }

    function nameCall(bytes32 gameId, NodeName memory named) private view returns (bytes memory) {
        return abi.encodeCall(game.nameNode, (gameId, claimKey, headOf(gameId), named));
    }

    function segmentCall(bytes32 gameId, bytes32[] memory entries) private view returns (bytes memory) {
        return abi.encodeCall(game.answerSegment, (gameId, claimKey, headOf(gameId), entries));
    }

    /// Head of a game after the move `data`.
    function headAfter(bytes32 gameId, bytes memory data) private view returns (bytes32) {
        bytes memory arguments = TreeBuilder.slice(data, 4, data.length);
        return keccak256(abi.encode(headOf(gameId), bytes4(data), keccak256(arguments)));
    }

    function rightStep(bytes32 gameId, uint256 node, uint256 element) private {
        descend(gameId, node, element);
        int256 value = int8(uint8(tensor(node)[element]));
        bytes memory why = abi.encodeWithSelector(IDisputeGame.ValueAgrees.selector, node, element, value);
        refused(challenger, 0, stepCall(gameId, element), why);
    }

    function test_a_lie_at_an_interior_node_is_convicted_at_exactly_its_node_and_element() public {
        bytes32 gameId = open(challenger);
        descend(gameId, LIE, ELEMENT);
        int256 wrong = int8(uint8(tensor(LIE)[ELEMENT]));
        int256 right = int8(uint8(evaluate(LIE)[ELEMENT]));
        vm.expectEmit(true, true, true, true, address(game));
        emit IDisputeGame.Convicted(gameId, claimKey, challenger, LIE, ELEMENT, right, wrong);
        step(gameId, ELEMENT);
        assertTrue(requests.requestOf(requestId).status == Status.Convicted, "convicted");
    }

    /// The interior roots are right; what lies is the committed node, which was in the trace before.
    function test_a_lie_at_the_committed_end_of_a_segment_is_convicted_there() public {
        replace(LIE, evaluate(LIE));
        bytes memory values = evaluate(END);
        values[ELEMENT] ^= 0x01;
        replace(END, values);
        bytes32 gameId = open(challenger);
        descend(gameId, END, ELEMENT);
        int256 wrong = int8(uint8(tensor(END)[ELEMENT]));
        int256 right = int8(uint8(evaluate(END)[ELEMENT]));
        vm.expectEmit(true, true, true, true, address(game));
        emit IDisputeGame.Convicted(gameId, claimKey, challenger, END, ELEMENT, right, wrong);
        step(gameId, ELEMENT);
    }

    function test_no_other_node_of_any_segment_can_be_convicted() public {
        for (uint256 node = 1; node < NODES; ++node) {
            if (node != LIE) rightStep(open(challenger), node, ELEMENT);
        }
    }

    function test_naming_goes_through_the_segment_where_it_has_interior_nodes() public {
        bytes32 gameId = open(challenger);
        firstAnswer(gameId);
        bytes memory data = nameNodeCall(gameId, END);
        uint256 value = game.segmentValue(gameId, 3);
        bytes32 head = headAfter(gameId, data);
        vm.expectEmit(true, true, true, true, address(game));
        emit IDisputeGame.SegmentNamed(gameId, claimKey, END, 1, traceRoots[END], head);
        send(challenger, value, data);
        Game memory g = game.gameOf(gameId);
        assertTrue(g.stage == Stage.Segment, "the cursor is the segment");
        assertEq(g.node, END, "node");
        assertEq(g.position, 1, "segment");
        assertEq(g.level, 0, "level");
        assertEq(g.cursor, traceRoots[END], "root of the committed node");
        assertEq(game.segmentRootOf(claimKey, 1), bytes32(0), "not answered");
        answer(gameId);
        assertEq(game.segmentRootOf(claimKey, 1), TreeBuilder.root(segmentRoots(1)), "stored");
        value = game.prepayFor(AnswerKind.Segment, 3);
        assertEq(value, GasUnits.answerSegment(3) * 4 gwei, "at twice the base fee and 2 gwei");
        nameNode(gameId, END);
        g = game.gameOf(gameId);
        assertTrue(g.stage == Stage.Tensor, "the committed node's tensor");
        assertEq(g.openedAt, 0, "which the answer about the segment did not open");
        // Segment 2 is a committed node alone.
        bytes32 second = open(other);
        nameNode(second, 5);
        assertTrue(game.gameOf(second).stage == Stage.Tensor, "no segment to answer");
    }

    function test_an_answered_segment_serves_every_game() public {
        bytes32 first = atSegment();
        bytes32 early = open(other);
        send(other, game.segmentValue(early, 3), nameNodeCall(early, END));
        answer(first);
        bytes32 second = open(other);
        send(other, 0, nameNodeCall(second, END));
        assertTrue(game.gameOf(second).openedAt != 0, "open by the first game");
        assertTrue(game.gameOf(early).openedAt != 0, "in a game that waited, too");
        // A second root is not taken anywhere.
        bytes32[] memory roots = segmentRoots(1);
        roots[0] = keccak256("another");
        bytes memory why = abi.encodeWithSelector(IDisputeGame.AlreadyOpened.selector, early);
        refused(provider, 0, segmentCall(early, roots), why);
        descend(second, LIE, ELEMENT);
        step(second, ELEMENT);
        assertTrue(game.games(claimKey).convicted, "convicted by the second");
    }

    function test_a_segment_is_answered_by_the_claimant_or_its_answerer_alone() public {
        bytes32 gameId = atSegment();
        bytes memory data = answerCall(gameId);
        refused(other, 0, data, abi.encodeWithSelector(IDisputeGame.NotAnswerer.selector, provider, other));
        send(provider, 0, abi.encodeCall(game.setAnswerer, (requestId, claimKey, other)));
        bytes32 head = headAfter(gameId, data);
        uint256 paid = GasUnits.answerSegment(3) * 2 gwei;
        vm.expectEmit(true, true, true, true, address(game));
        emit IDisputeGame.SegmentAnswered(gameId, claimKey, other, 1, segmentRoots(1), paid, head);
        send(other, 0, data);
    }

    function test_a_segment_is_answered_with_all_its_roots_and_no_more() public {
        bytes32 gameId = atSegment();
        bytes memory why = abi.encodeWithSelector(IDisputeGame.EntryCount.selector, 3, 2);
        refused(provider, 0, segmentCall(gameId, new bytes32[](2)), why);
        why = abi.encodeWithSelector(IDisputeGame.EntryCount.selector, 3, 4);
        refused(provider, 0, segmentCall(gameId, new bytes32[](4)), why);
    }

    function test_answers_of_another_stage_are_refused() public {
        bytes32 gameId = open(challenger);
        bytes4 why = IDisputeGame.WrongStage.selector;
        bytes32[] memory three = segmentRoots(1);
        refused(provider, 0, segmentCall(gameId, three), abi.encodeWithSelector(why, Stage.Segment, Stage.First));
        firstAnswer(gameId);
        nameNode(gameId, END);
        bytes memory data = abi.encodeCall(game.answer, (gameId, claimKey, headOf(gameId), three));
        refused(provider, 0, data, abi.encodeWithSelector(why, Stage.Tensor, Stage.Segment));
        data = abi.encodeCall(game.answerTile, (gameId, claimKey, headOf(gameId), ""));
        refused(provider, 0, data, abi.encodeWithSelector(why, Stage.Tile, Stage.Segment));
        answer(gameId);
        data = abi.encodeCall(game.nameEntry, (gameId, claimKey, headOf(gameId), 0, three[0], three));
        refused(challenger, 1 ether, data, abi.encodeWithSelector(why, Stage.Tensor, Stage.Segment));
        nameNode(gameId, LIE);
        data = segmentCall(gameId, three);
        refused(provider, 0, data, abi.encodeWithSelector(why, Stage.Segment, Stage.Tensor));
    }

    function test_the_trace_tree_holds_no_interior_node() public {
        bytes32 gameId = open(challenger);
        firstAnswer(gameId);
        bytes memory why = abi.encodeWithSelector(IDisputeGame.NodeInterior.selector, LIE);
        refused(challenger, 1 ether, nameNodeCall(gameId, LIE), why);
        refused(challenger, 1 ether, nameNodeCall(gameId, 0), abi.encodeWithSelector(IDisputeGame.InputNamed.selector));
    }

    function test_a_node_of_another_segment_is_refused() public {
        bytes32 gameId = atSegment();
        answer(gameId);
        bytes4 why = IDisputeGame.OtherSegment.selector;
        refused(challenger, 1 ether, nameNodeCall(gameId, 6), abi.encodeWithSelector(why, 1, 3));
        refused(challenger, 1 ether, nameNodeCall(gameId, 5), abi.encodeWithSelector(why, 1, 2));
        refused(challenger, 1 ether, nameNodeCall(gameId, 0), abi.encodeWithSelector(why, 1, 0));
    }

    function test_a_node_of_a_segment_has_the_root_that_was_answered() public {
        bytes32 gameId = atSegment();
        answer(gameId);
        NodeName memory named = nodeName(gameId, LIE);
        named.root = traceRoots[2];
        refused(challenger, 1 ether, nameCall(gameId, named), IDisputeGame.WrongHash.selector);
        // The root of another node of the segment, with its path.
        named.siblings = nodeName(gameId, 2).siblings;
        refused(challenger, 1 ether, nameCall(gameId, named), MultiProof.ProofSiblingExtra.selector);
        named = nodeName(gameId, 1);
        named.root = traceRoots[2];
        named.siblings = nodeName(gameId, 2).siblings;
        refused(challenger, 1 ether, nameCall(gameId, named), IDisputeGame.WrongHash.selector);
    }

    function test_the_committed_node_of_a_segment_has_the_root_named_before_and_no_siblings() public {
        bytes32 gameId = atSegment();
        answer(gameId);
        NodeName memory named = nodeName(gameId, END);
        named.siblings = new bytes32[](1);
        bytes memory why = abi.encodeWithSelector(IDisputeGame.EntryCount.selector, 0, 1);
        refused(challenger, 1 ether, nameCall(gameId, named), why);
        named = nodeName(gameId, END);
        named.root = traceRoots[LIE];
        why = abi.encodeWithSelector(IDisputeGame.WrongHash.selector, traceRoots[END], traceRoots[LIE]);
        refused(challenger, 1 ether, nameCall(gameId, named), why);
    }

    function test_a_step_proves_interior_inputs_to_the_segment_and_committed_ones_to_the_trace() public {
        bytes32 gameId = open(challenger);
        // Node 4 reads the committed node 0 and the interior node 3.
        descend(gameId, END, ELEMENT);
        StepInput memory input = stepInput(gameId, ELEMENT);
        input.segmentSiblings[0] = keccak256("another");
        refused(challenger, 0, withInput(gameId, input), IDisputeGame.SegmentRoot.selector);
        input = stepInput(gameId, ELEMENT);
        input.inputRoots[1] = keccak256("another");
        refused(challenger, 0, withInput(gameId, input), IDisputeGame.SegmentRoot.selector);
        input = stepInput(gameId, ELEMENT);
        input.traceSiblings[0] = keccak256("another");
        refused(challenger, 0, withInput(gameId, input), IDisputeGame.TraceRoot.selector);
        input = stepInput(gameId, ELEMENT);
        (input.inputRoots[0], input.inputRoots[1]) = (input.inputRoots[1], input.inputRoots[0]);
        refused(challenger, 0, withInput(gameId, input), IDisputeGame.TraceRoot.selector);
    }

    function test_a_step_has_no_siblings_of_a_tree_that_its_node_does_not_read() public {
        bytes32 gameId = open(challenger);
        // Node 3 reads interior nodes alone, node 5 committed ones alone.
        descend(gameId, LIE, ELEMENT);
        StepInput memory input = stepInput(gameId, ELEMENT);
        input.traceSiblings = new bytes32[](2);
        bytes4 why = MultiProof.ProofSiblingExtra.selector;
        refused(challenger, 0, withInput(gameId, input), abi.encodeWithSelector(why, 0, 2));
        gameId = open(challenger);
        descend(gameId, 5, ELEMENT);
        input = stepInput(gameId, ELEMENT);
        input.segmentSiblings = new bytes32[](1);
        refused(challenger, 0, withInput(gameId, input), abi.encodeWithSelector(why, 0, 1));
    }

    function withInput(bytes32 gameId, StepInput memory input) private view returns (bytes memory) {
        return abi.encodeCall(game.step, (gameId, claimKey, headOf(gameId), input));
    }

    function test_less_than_the_prepayment_of_a_segment_is_refused() public {
        bytes32 gameId = open(challenger);
        firstAnswer(gameId);
        uint256 held = game.gameOf(gameId).prepaid;
        uint256 value = game.segmentValue(gameId, 3);
        bytes memory why = abi.encodeWithSelector(IDisputeGame.ValueTooLow.selector, value + held, value + held - 1);
        refused(challenger, value - 1, nameNodeCall(gameId, END), why);
        nameNode(gameId, END);
    }

    /// Attack: lying clock. Spec: game, 4.10.
    function test_a_segment_is_answered_up_to_the_last_second_of_the_clock_and_no_later() public {
        bytes32 gameId = atSegment();
        uint256 clock = game.clockOf(modelId);
        bytes memory data = answerCall(gameId);
        bytes memory end = abi.encodeCall(game.timeout, (gameId));
        vm.warp(block.timestamp + clock + 1);
        bytes4 why = IDisputeGame.ClockOver.selector;
        refused(provider, 0, data, abi.encodeWithSelector(why, Side.Claimant, clock + 1, clock));
        vm.warp(block.timestamp - 1);
        why = IDisputeGame.ClockRuns.selector;
        refused(other, 0, end, abi.encodeWithSelector(why, Side.Claimant, clock, clock));
        send(provider, 0, data);
        refused(other, 0, end, abi.encodeWithSelector(why, Side.Challenger, 0, clock));
    }

    /// Spec: game, 4.12. What was answered serves games that come later.
    function test_silence_behind_an_answered_segment_loses_the_game_and_leaves_the_answer() public {
        bytes32 gameId = atSegment();
        answer(gameId);
        bytes32 root = game.segmentRootOf(claimKey, 1);
        bytes32 later = open(other);
        uint256 clock = game.clockOf(modelId);
        vm.warp(block.timestamp + clock);
        send(other, 0, nameNodeCall(later, END));
        vm.warp(block.timestamp + 1);
        bytes memory data = nameNodeCall(gameId, LIE);
        bytes memory why = abi.encodeWithSelector(IDisputeGame.ClockOver.selector, Side.Challenger, clock + 1, clock);
        refused(challenger, 1 ether, data, why);
        send(other, 0, abi.encodeCall(game.timeout, (gameId)));
        assertFalse(game.games(claimKey).convicted, "only the game is lost");
        assertTrue(game.gameOf(later).openedAt != 0, "open in the later game");
        assertEq(game.segmentRootOf(claimKey, 1), root, "as it was answered");
        bytes4 opened = IDisputeGame.AlreadyOpened.selector;
        refused(provider, 0, segmentCall(later, segmentRoots(1)), abi.encodeWithSelector(opened, later));
    }

    /// Attack: replayed move. Spec: game, 4.2 and 4.4.
    function test_an_answer_about_a_segment_is_of_its_game_and_claim_alone() public {
        bytes32 gameId = atSegment();
        bytes memory first = answerCall(gameId);
        (bytes32 claimOne, bytes32 requestOne) = (claimKey, requestId);
        Terms memory terms = termsOf(tensor(0));
        terms.nonce = 1;
        claimed(terms, tensor(0));
        bytes32 second = atSegment();
        // Its claim, in the game of the other; then its head, too.
        bytes32[] memory roots = segmentRoots(1);
        bytes memory data = abi.encodeCall(game.answerSegment, (second, claimOne, headOf(gameId), roots));
        refused(provider, 0, data, abi.encodeWithSelector(IDisputeGame.WrongClaim.selector, claimKey, claimOne));
        data = abi.encodeCall(game.answerSegment, (second, claimKey, headOf(gameId), roots));
        bytes memory why = abi.encodeWithSelector(IDisputeGame.StaleMove.selector, headOf(second), headOf(gameId));
        refused(provider, 0, data, why);
        // The answerer of one claim is nobody in the other.
        send(provider, 0, abi.encodeCall(game.setAnswerer, (requestId, claimKey, other)));
        refused(other, 0, first, abi.encodeWithSelector(IDisputeGame.NotAnswerer.selector, provider, other));
        roots[1] = keccak256("another");
        send(other, 0, segmentCall(second, roots));
        assertEq(game.segmentRootOf(claimOne, 1), bytes32(0), "the first claim waits");
        (claimKey, requestId) = (claimOne, requestOne);
        send(provider, 0, first);
        assertEq(game.segmentRootOf(claimOne, 1), TreeBuilder.root(segmentRoots(1)), "its own roots");
    }

    function test_silence_about_a_segment_convicts_by_time() public {
        bytes32 gameId = atSegment();
        uint256 clock = game.clockOf(modelId);
        vm.warp(block.timestamp + clock + 1);
        vm.expectEmit(true, true, true, true, address(game));
        emit IDisputeGame.ConvictedByTime(gameId, claimKey, challenger, clock + 1, clock);
        send(other, 0, abi.encodeCall(game.timeout, (gameId)));
        assertTrue(requests.requestOf(requestId).status == Status.Convicted, "convicted");
    }
}

/// @title The same program, and a claimant that is right.
contract RightSegmentsTest is SegmentModel {
    function setUp() public {
        setUpSegments(0, 0);
        claimed();
    }

    function test_a_right_claim_is_not_convicted_at_any_node() public {
        uint256 before = wealth(provider);
        bytes32 gameId;
        for (uint256 node = 1; node < NODES; ++node) {
            gameId = open(challenger);
            descend(gameId, node, 512);
            int256 value = int8(uint8(tensor(node)[512]));
            bytes memory why = abi.encodeWithSelector(IDisputeGame.ValueAgrees.selector, node, 512, value);
            refused(challenger, 0, stepCall(gameId, 512), why);
        }
        vm.warp(block.timestamp + game.clockOf(modelId) + 1);
        send(other, 0, abi.encodeCall(game.timeout, (gameId)));
        assertFalse(game.games(claimKey).convicted, "not convicted");
        assertGe(wealth(provider), before + CHALLENGE_BOND / 2, "half of the lost bond");
    }
}

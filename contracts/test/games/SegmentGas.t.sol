// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {GameFixture} from "../base/GameFixture.sol";
import {GasUnits} from "../../src/lib/GasUnits.sol";
import {NodeBuilder} from "../base/NodeBuilder.sol";
import {Opening} from "../../src/interfaces/ILeaf.sol";
import {SEGMENT_INTERIOR_MAX} from "../../src/generated/ProtocolConstants.sol";
import {StepInput} from "../../src/interfaces/IDisputeGame.sol";

/// @title Moves on a segment use at most their units, in a game of their own.
/// @dev Copies of INPUT [4]: `interior` of them interior, the last one the output; every copy but the first lies.
/// Each call is a transaction of its own (isolation).
abstract contract SegmentGas is GameFixture {
    function interior() internal pure virtual returns (uint256);

    function isInterior(uint256 node) internal pure override returns (bool) {
        return node != 0 && node <= interior();
    }

    function tensor(uint256 node) internal pure override returns (bytes memory) {
        return NodeBuilder.noise(4, node);
    }

    function inputsOf(uint256 node) internal pure override returns (uint256[] memory inputs) {
        inputs = new uint256[](1);
        inputs[0] = node - 1;
    }

    function openingsOf(uint256 node, uint256) internal pure override returns (Opening[] memory o) {
        o = new Opening[](1);
        o[0] = NodeBuilder.openRun(tensor(node - 1), 0, 4);
    }

    function setUp() public {
        deploySet();
        bytes memory shape = abi.encodePacked(uint8(1), NodeBuilder.dim(4));
        leaves.push(NodeBuilder.leaf(0, 1, 0, new uint32[](0), new bytes32[](0), shape));
        outputNode = interior() + 1;
        bytes memory parameters = NodeBuilder.permute(hex"00", NodeBuilder.list(4));
        for (uint32 node = 1; node <= outputNode; ++node) {
            leaves.push(NodeBuilder.leaf(5, 1, 4 * node, NodeBuilder.list(node - 1), new bytes32[](0), parameters));
        }
        registerModel();
        claimed();
    }

    /// Sends one move as a transaction, and compares the gas that it used, the calldata floor included.
    function move(address who, uint256 value, bytes memory data, uint256 units, string memory name) private {
        send(who, value, data);
        uint256 used = vm.lastCallGas().gasTotalUsed;
        uint256 floor = 21_000;
        for (uint256 i = 0; i < data.length; ++i) {
            floor += data[i] == 0 ? 10 : 40;
        }
        if (used < floor) used = floor;
        vm.snapshotValue("segments", string.concat(vm.toString(interior()), " interior, ", name), used);
        assertLe(used, units, name);
    }

    function nameUnits(bytes32 gameId, uint256 node) private view returns (uint256) {
        uint256 hashes = nodeName(gameId, node).siblings.length + nodeName(gameId, node).leafSiblings.length;
        return GasUnits.nameNode(hashes, leaves[node].length);
    }

    function stepUnits(bytes32 gameId) private view returns (uint256) {
        StepInput memory input = stepInput(gameId, 1);
        uint256 hashes = input.leafSiblings.length + input.inputRoots.length + input.traceSiblings.length
            + input.segmentSiblings.length;
        uint256 payload = input.tile.length + input.nodeLeaf.length;
        for (uint256 i = 0; i < input.openings.length; ++i) {
            hashes += input.openings[i].siblings.length;
            payload += input.openings[i].tiles.length;
        }
        return GasUnits.step(input.openings.length, hashes, payload) + GasUnits.PER_PAYOUT;
    }

    function checkMoves() internal {
        bytes32 gameId = open(challenger);
        firstAnswer(gameId);
        uint256 count = interior();
        uint256 value = game.segmentValue(gameId, count);
        uint256 units = nameUnits(gameId, outputNode);
        move(challenger, value, nameNodeCall(gameId, outputNode), units, "1 nameNode, the segment");
        // The dearest answerer: named by the claimant, and without a credit before.
        send(provider, 0, abi.encodeCall(game.setAnswerer, (requestId, claimKey, other)));
        move(other, 0, answerCall(gameId), GasUnits.answerSegment(count), "2 answerSegment");
        value = game.nodeValue(gameId, 4);
        move(challenger, value, nameNodeCall(gameId, count), nameUnits(gameId, count), "3 nameNode, in the segment");
        answer(gameId);
        move(challenger, 0, stepCall(gameId, 1), stepUnits(gameId), "4 step");
        assertTrue(game.games(claimKey).convicted, "convicted");
    }
}

contract ShortestSegmentGasTest is SegmentGas {
    function interior() internal pure override returns (uint256) {
        return 1;
    }

    /// Spec: game, 4.4 and 4.11.
    /// forge-config: default.isolate = true
    function test_moves_on_a_segment_of_one_interior_node_use_at_most_their_units() public {
        checkMoves();
    }
}

contract LongestSegmentGasTest is SegmentGas {
    function interior() internal pure override returns (uint256) {
        return SEGMENT_INTERIOR_MAX;
    }

    /// Spec: game, 4.4 and 4.11.
    /// forge-config: default.isolate = true
    function test_moves_on_a_segment_of_most_interior_nodes_use_at_most_their_units() public {
        checkMoves();
    }
}

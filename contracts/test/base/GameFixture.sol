// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Claim} from "../../src/interfaces/IRequests.sol";
import {Game} from "../../src/interfaces/IDisputeGame.sol";
import {NodeBuilder} from "./NodeBuilder.sol";
import {NodeName} from "../../src/interfaces/IDisputeGame.sol";
import {Opening} from "../../src/interfaces/ILeaf.sol";
import {SetFixture} from "./SetFixture.sol";
import {Stage} from "../../src/interfaces/IDisputeGame.sol";
import {StepInput} from "../../src/interfaces/IDisputeGame.sol";
import {Terms} from "../../src/interfaces/IRequests.sol";
import {TreeBuilder} from "./TreeBuilder.sol";

/// @title A model, a request, a claim with some trace, and every move on it with right arguments.
/// @dev The trace is whatever `tensor(node)` says, so the claimant may lie anywhere.
abstract contract GameFixture is SetFixture {
    bytes[] internal leaves;
    bytes32 internal modelId;
    bytes32 internal requestId;
    bytes32 internal claimKey;
    uint256 internal outputNode;

    bytes32[] internal leafHashes;
    bytes32[] internal traceRoots;

    /// The claimant's tensor of a node.
    function tensor(uint256 node) internal view virtual returns (bytes memory);

    /// The openings of one element, in the order of the node leaf.
    function openingsOf(uint256 node, uint256 element) internal view virtual returns (Opening[] memory);

    /// Distinct inputs of a node, in increasing order.
    function inputsOf(uint256 node) internal view virtual returns (uint256[] memory);

    function registerModel() internal {
        bytes memory header =
            abi.encodePacked(uint16(1), uint32(leaves.length), uint32(outputNode), uint8(0), keccak256("interface"));
        vm.prank(requester);
        modelId = models.register(header, leaves, "file:model", 1);
        for (uint256 node = 0; node < leaves.length; ++node) {
            leafHashes.push(keccak256(abi.encodePacked(uint8(3), leaves[node])));
            traceRoots.push(NodeBuilder.root(tensor(node)));
        }
    }

    function termsOf(bytes memory input) internal view returns (Terms memory terms) {
        terms.modelId = modelId;
        terms.dimensions = new uint32[](0);
        terms.inputRoot = NodeBuilder.root(input);
        terms.availability = 0;
        terms.provider = provider;
        terms.leastLevel = 4;
        terms.price = 1 ether;
        terms.valueAtRisk = 4 ether;
        terms.blockNumber = uint64(block.number - 1);
        terms.blockHash = blockhash(block.number - 1);
        terms.acceptBy = uint64(block.timestamp + 100);
        terms.answerBy = uint64(block.timestamp + 200);
        terms.window = uint32(requests.windowFloor(modelId));
    }

    function ask(Terms memory terms, bytes memory input) internal returns (bytes32) {
        vm.prank(requester);
        return requests.request{value: terms.price}(terms, input);
    }

    /// Asked, accepted and claimed with the claimant's output; the input is on chain.
    function claimed() internal {
        bytes memory input = tensor(0);
        claimed(termsOf(input), input);
    }

    function claimed(Terms memory terms, bytes memory input) internal {
        requestId = ask(terms, input);
        vm.prank(provider);
        providers.stake{value: 20 ether}();
        vm.prank(provider);
        requests.accept(requestId);
        vm.prank(provider);
        claimKey = requests.claim(requestId, tensor(outputNode));
    }

    function headOf(bytes32 gameId) internal view returns (bytes32) {
        return game.gameOf(gameId).head;
    }

    function open(address who) internal returns (bytes32) {
        uint256 value = game.openValue(requestId);
        vm.prank(who);
        return game.open{value: value}(requestId, claimKey);
    }

    /// Present entries [first, beyond) of a level.
    function entriesOf(bytes32[] memory tree, uint256 level, uint256 top, uint256 position)
        internal
        pure
        returns (bytes32[] memory out)
    {
        uint256 length = (tree.length - 1 >> level) + 1;
        uint256 first = position << (top - level);
        uint256 beyond = position + 1 << (top - level);
        if (length < beyond) beyond = length;
        out = new bytes32[](beyond - first);
        for (uint256 i = 0; i < out.length; ++i) {
            out[i] = TreeBuilder.entry(tree, level, first + i);
        }
    }

    /// Siblings on the way from (level, index) up to level `top`.
    function pathOf(bytes32[] memory tree, uint256 level, uint256 index, uint256 top)
        internal
        pure
        returns (bytes32[] memory out)
    {
        out = new bytes32[](top - level);
        uint256 count = 0;
        for (; level < top; ++level) {
            if ((index ^ 1) << level < tree.length) out[count++] = TreeBuilder.entry(tree, level, index ^ 1);
            index >>= 1;
        }
        assembly ("memory-safe") {
            mstore(out, count)
        }
    }

    function firstSiblings() internal view returns (bytes32[] memory) {
        if (TreeBuilder.depth(leaves.length) <= 8) return new bytes32[](0);
        uint256[] memory indices = new uint256[](2);
        indices[1] = outputNode;
        return TreeBuilder.siblings(traceRoots, indices);
    }

    function firstAnswerCall(bytes32 gameId) internal view returns (bytes memory) {
        uint256 depth = TreeBuilder.depth(leaves.length);
        uint256 level = depth <= 8 ? 0 : depth - 8;
        bytes32[] memory entries = entriesOf(traceRoots, level, depth, 0);
        return abi.encodeCall(game.firstAnswer, (gameId, claimKey, headOf(gameId), entries, firstSiblings()));
    }

    function nameNodeCall(bytes32 gameId, uint256 node) internal view returns (bytes memory) {
        NodeName memory named;
        named.node = uint32(node);
        named.root = traceRoots[node];
        Game memory g = game.gameOf(gameId);
        named.siblings = pathOf(traceRoots, 0, node, g.level);
        named.nodeLeaf = leaves[node];
        named.leafSiblings = pathOf(leafHashes, 0, node, TreeBuilder.depth(leaves.length));
        named.dimensions = new uint32[](0);
        return abi.encodeCall(game.nameNode, (gameId, claimKey, g.head, named));
    }

    /// The tree that the cursor lies in.
    function treeOf(Game memory g) internal view returns (bytes32[] memory) {
        return g.node == 0 ? traceRoots : TreeBuilder.tiles(tensor(g.node));
    }

    function answerCall(bytes32 gameId) internal view returns (bytes memory) {
        Game memory g = game.gameOf(gameId);
        if (g.stage == Stage.Tile) {
            bytes memory tile = TreeBuilder.slice(tensor(g.node), 512 * uint256(g.position), 512);
            return abi.encodeCall(game.answerTile, (gameId, claimKey, g.head, tile));
        }
        bytes32[] memory entries = entriesOf(treeOf(g), g.openLevel, g.level, g.position);
        return abi.encodeCall(game.answer, (gameId, claimKey, g.head, entries));
    }

    function nameEntryCall(bytes32 gameId, uint256 index) internal view returns (bytes memory) {
        Game memory g = game.gameOf(gameId);
        bytes32[] memory tree = treeOf(g);
        bytes32 hash = TreeBuilder.entry(tree, g.openLevel, index);
        bytes32[] memory siblings = pathOf(tree, g.openLevel, index, g.level);
        return abi.encodeCall(game.nameEntry, (gameId, claimKey, g.head, uint64(index), hash, siblings));
    }

    function stepInput(bytes32 gameId, uint256 element) internal view returns (StepInput memory input) {
        Game memory g = game.gameOf(gameId);
        uint256 width = leaves[g.node][1] == 0x01 ? 1 : leaves[g.node][1] == 0x02 ? 2 : 4;
        input.element = uint32(element % (512 / width));
        input.tile = TreeBuilder.slice(tensor(g.node), 512 * uint256(g.position), 512);
        input.nodeLeaf = leaves[g.node];
        input.leafSiblings = pathOf(leafHashes, 0, g.node, TreeBuilder.depth(leaves.length));
        input.dimensions = new uint32[](0);
        uint256[] memory inputs = inputsOf(g.node);
        input.inputRoots = new bytes32[](inputs.length);
        for (uint256 i = 0; i < inputs.length; ++i) {
            input.inputRoots[i] = traceRoots[inputs[i]];
        }
        input.traceSiblings = TreeBuilder.siblings(traceRoots, inputs);
        input.openings = openingsOf(g.node, element);
    }

    function stepCall(bytes32 gameId, uint256 element) internal view returns (bytes memory) {
        return abi.encodeCall(game.step, (gameId, claimKey, headOf(gameId), stepInput(gameId, element)));
    }

    /// Expects a move as `who` to revert with exactly `reason`.
    function refused(address who, uint256 value, bytes memory data, bytes memory reason) internal {
        vm.prank(who);
        (bool accepted, bytes memory returned) = address(game).call{value: value}(data);
        assertTrue(!accepted, "the move was taken");
        assertEq(returned, reason, "reason of the refusal");
    }

    /// Expects a move to revert with an error of this selector.
    function refused(address who, uint256 value, bytes memory data, bytes4 selector) internal {
        vm.prank(who);
        (bool accepted, bytes memory returned) = address(game).call{value: value}(data);
        assertTrue(!accepted, "the move was taken");
        assertTrue(bytes4(returned) == selector, "selector of the refusal");
    }

    /// Sends a move as `who` with `value`; passes its revert on.
    function send(address who, uint256 value, bytes memory data) internal returns (bytes memory) {
        vm.prank(who);
        (bool accepted, bytes memory returned) = address(game).call{value: value}(data);
        if (accepted) return returned;
        assembly ("memory-safe") {
            revert(add(returned, 32), mload(returned))
        }
    }

    // The moves of a game that goes well, with what they must prepay.

    function firstAnswer(bytes32 gameId) internal {
        send(provider, 0, firstAnswerCall(gameId));
    }

    function nameNode(bytes32 gameId, uint256 node) internal {
        uint256 value = game.nodeValue(gameId, tensor(node).length);
        send(game.gameOf(gameId).challenger, value, nameNodeCall(gameId, node));
    }

    function answer(bytes32 gameId) internal {
        send(provider, 0, answerCall(gameId));
    }

    function nameEntry(bytes32 gameId, uint256 index) internal {
        uint256 value = game.entryValue(gameId, uint64(index));
        send(game.gameOf(gameId).challenger, value, nameEntryCall(gameId, index));
    }

    function step(bytes32 gameId, uint256 element) internal {
        send(game.gameOf(gameId).challenger, 0, stepCall(gameId, element));
    }

    /// From the opening up to the answered tile that holds `element` of `node`.
    function descend(bytes32 gameId, uint256 node, uint256 element) internal {
        if (game.games(claimKey).traceRoot == 0) firstAnswer(gameId);
        while (game.gameOf(gameId).stage != Stage.Tile || game.gameOf(gameId).openedAt == 0) {
            Game memory g = game.gameOf(gameId);
            if (g.openedAt == 0) {
                answer(gameId);
            } else if (g.stage == Stage.Tensor) {
                uint256 width = leaves[node][1] == 0x01 ? 1 : leaves[node][1] == 0x02 ? 2 : 4;
                nameEntry(gameId, element * width / 512 >> g.openLevel);
            } else if (g.openLevel == 0) {
                nameNode(gameId, node);
            } else {
                nameEntry(gameId, node >> g.openLevel);
            }
        }
    }
}

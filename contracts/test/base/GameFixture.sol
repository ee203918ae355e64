// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Claim} from "../../src/interfaces/IRequests.sol";
import {Game} from "../../src/interfaces/IDisputeGame.sol";
import {HEADER_VERSION} from "../../src/generated/ProtocolConstants.sol";
import {INTERIOR_BIT} from "../../src/generated/ProtocolConstants.sol";
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
    /// Of every node, interior ones too.
    bytes32[] internal traceRoots;

    /// The claimant's tensor of a node.
    function tensor(uint256 node) internal view virtual returns (bytes memory);

    /// The openings of one element, in the order of the node leaf.
    function openingsOf(uint256 node, uint256 element) internal view virtual returns (Opening[] memory);

    /// Distinct inputs of a node, in increasing order.
    function inputsOf(uint256 node) internal view virtual returns (uint256[] memory);

    /// Whether a node is interior to its segment (1.22).
    function isInterior(uint256) internal view virtual returns (bool) {
        return false;
    }

    /// The segment that a node is in: the number of committed nodes before it.
    function segmentOf(uint256 node) internal view returns (uint256 segment) {
        while (node != 0) {
            if (!isInterior(--node)) ++segment;
        }
    }

    /// Nodes of its segment before a node.
    function offsetOf(uint256 node) internal view returns (uint256 offset) {
        while (offset < node && isInterior(node - offset - 1)) {
            ++offset;
        }
    }

    /// The committed node that a segment ends in.
    function endOf(uint256 segment) internal view returns (uint256 node) {
        while (isInterior(node) || segmentOf(node) != segment) {
            ++node;
        }
    }

    /// What a leaf calls an input.
    function nameOf(uint256 node) internal view returns (uint32) {
        return isInterior(node) ? INTERIOR_BIT | uint32(offsetOf(node)) : uint32(segmentOf(node));
    }

    /// Roots of the committed nodes, by number.
    function committedRoots() internal view returns (bytes32[] memory roots) {
        roots = new bytes32[](segmentOf(leaves.length));
        uint256 count = 0;
        for (uint256 node = 0; node < leaves.length; ++node) {
            if (!isInterior(node)) roots[count++] = traceRoots[node];
        }
    }

    /// Roots of the interior nodes of a segment, by place.
    function segmentRoots(uint256 segment) internal view returns (bytes32[] memory roots) {
        uint256 end = endOf(segment);
        roots = new bytes32[](offsetOf(end));
        for (uint256 i = 0; i < roots.length; ++i) {
            roots[i] = traceRoots[end - roots.length + i];
        }
    }

    /// Puts segments, places and input names into leaves that name their inputs by node.
    function numberLeaves() private {
        for (uint256 node = 0; node < leaves.length; ++node) {
            bytes memory leaf = leaves[node];
            uint256 inputs = uint8(leaf[2]);
            for (uint256 slot = 0; slot < inputs; ++slot) {
                uint256 from = 0;
                for (uint256 i = 0; i < 4; ++i) {
                    from = from * 256 + uint8(leaf[NodeBuilder.HEAD + 4 * slot + i]);
                }
                leaf = NodeBuilder.naming(leaf, slot, nameOf(from));
            }
            leaves[node] = NodeBuilder.placed(leaf, segmentOf(node), placeOf(node));
        }
    }

    function placeOf(uint256 node) private view returns (uint256) {
        return isInterior(node) ? INTERIOR_BIT | offsetOf(node) : offsetOf(node);
    }

    /// Registers leaves whose inputs are named by node.
    function registerModel() internal {
        numberLeaves();
        bytes memory header = abi.encodePacked(
            HEADER_VERSION, uint32(leaves.length), uint32(outputNode), uint8(0), keccak256("interface")
        );
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
        bytes32[] memory roots = committedRoots();
        if (TreeBuilder.depth(roots.length) <= 8) return new bytes32[](0);
        uint256[] memory indices = new uint256[](2);
        indices[1] = segmentOf(outputNode);
        return TreeBuilder.siblings(roots, indices);
    }

    function firstAnswerCall(bytes32 gameId) internal view returns (bytes memory) {
        bytes32[] memory roots = committedRoots();
        uint256 depth = TreeBuilder.depth(roots.length);
        uint256 level = depth <= 8 ? 0 : depth - 8;
        bytes32[] memory entries = entriesOf(roots, level, depth, 0);
        return abi.encodeCall(game.firstAnswer, (gameId, claimKey, headOf(gameId), entries, firstSiblings()));
    }

    function nameNodeCall(bytes32 gameId, uint256 node) internal view returns (bytes memory) {
        return abi.encodeCall(game.nameNode, (gameId, claimKey, headOf(gameId), nodeName(gameId, node)));
    }

    function nodeName(bytes32 gameId, uint256 node) internal view returns (NodeName memory named) {
        named.node = uint32(node);
        named.root = traceRoots[node];
        Game memory g = game.gameOf(gameId);
        if (g.stage != Stage.Segment) {
            named.siblings = pathOf(committedRoots(), 0, segmentOf(node), g.level);
        } else if (isInterior(node)) {
            bytes32[] memory roots = segmentRoots(segmentOf(node));
            named.siblings = pathOf(roots, 0, offsetOf(node), TreeBuilder.depth(roots.length));
        } else {
            named.siblings = new bytes32[](0);
        }
        named.nodeLeaf = leaves[node];
        named.leafSiblings = pathOf(leafHashes, 0, node, TreeBuilder.depth(leaves.length));
        named.dimensions = new uint32[](0);
    }

    /// The tree that the cursor lies in.
    function treeOf(Game memory g) internal view returns (bytes32[] memory) {
        return g.node == 0 ? committedRoots() : TreeBuilder.tiles(tensor(g.node));
    }

    function answerCall(bytes32 gameId) internal view returns (bytes memory) {
        Game memory g = game.gameOf(gameId);
        if (g.stage == Stage.Tile) {
            bytes memory tile = TreeBuilder.slice(tensor(g.node), 512 * uint256(g.position), 512);
            return abi.encodeCall(game.answerTile, (gameId, claimKey, g.head, tile));
        }
        if (g.stage == Stage.Segment) {
            return abi.encodeCall(game.answerSegment, (gameId, claimKey, g.head, segmentRoots(g.position)));
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
        (input.traceSiblings, input.segmentSiblings) = inputSiblings(g.node, inputs);
        input.openings = openingsOf(g.node, element);
    }

    /// Multiproofs of the committed inputs and of the interior ones.
    function inputSiblings(uint256 node, uint256[] memory inputs)
        private
        view
        returns (bytes32[] memory trace, bytes32[] memory segment)
    {
        uint256[] memory numbers = new uint256[](inputs.length);
        uint256[] memory places = new uint256[](inputs.length);
        (uint256 committed, uint256 interior) = (0, 0);
        for (uint256 i = 0; i < inputs.length; ++i) {
            if (isInterior(inputs[i])) places[interior++] = offsetOf(inputs[i]);
            else numbers[committed++] = segmentOf(inputs[i]);
        }
        assembly ("memory-safe") {
            mstore(numbers, committed)
            mstore(places, interior)
        }
        trace = TreeBuilder.siblings(committedRoots(), numbers);
        // A segment without interior nodes has no tree.
        bytes32[] memory roots = interior == 0 ? new bytes32[](1) : segmentRoots(segmentOf(node));
        segment = TreeBuilder.siblings(roots, places);
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
        uint256 interior = game.gameOf(gameId).stage == Stage.Segment ? 0 : offsetOf(node);
        uint256 value =
            interior == 0 ? game.nodeValue(gameId, tensor(node).length) : game.segmentValue(gameId, interior);
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
            } else if (g.stage == Stage.Segment) {
                nameNode(gameId, node);
            } else if (g.openLevel == 0) {
                nameNode(gameId, endOf(segmentOf(node)));
            } else {
                nameEntry(gameId, segmentOf(node) >> g.openLevel);
            }
        }
    }
}

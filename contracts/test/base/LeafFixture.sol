// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILeaf} from "../../src/interfaces/ILeaf.sol";
import {Opening} from "../../src/interfaces/ILeaf.sol";
import {MultiProof} from "../../src/lib/MultiProof.sol";
import {NodeLeaf} from "../../src/lib/NodeLeaf.sol";
import {NodeBuilder} from "./NodeBuilder.sol";
import {Test} from "./Test.sol";
import {TreeBuilder} from "./TreeBuilder.sol";

/// @title What the tests of a leaf contract share: one question, its answer or its refusal.
abstract contract LeafFixture is Test {
    int256 internal constant VOID = type(int256).max;

    ILeaf internal leaf;

    /// What a leaf contract is asked, with the tensor behind each opening.
    struct Question {
        bytes nodeLeaf;
        uint32[] dimensions;
        uint64 element;
        Opening[] openings;
        bytes[] tensors;
    }

    /// The opening of `length` bytes from `from` of `tensor`, as slot `slot`.
    function put(Question memory q, uint256 slot, bytes memory tensor, uint256 from, uint256 length) internal pure {
        q.openings[slot] = NodeBuilder.openRun(tensor, from, length);
        q.tensors[slot] = tensor;
    }

    /// The value, after each root was found to be that of its tensor.
    function answer(Question memory q) internal view returns (int256 value) {
        bytes32[] memory roots;
        (value, roots) = leaf.evaluate(q.nodeLeaf, q.dimensions, q.element, q.openings);
        for (uint256 i = 0; i < roots.length; ++i) {
            assertEq(roots[i], NodeBuilder.root(q.tensors[i]), "root");
        }
    }

    function refuse(Question memory q, bytes memory why) internal {
        vm.expectRevert(why);
        leaf.evaluate(q.nodeLeaf, q.dimensions, q.element, q.openings);
    }

    /// Empty openings, cut and longer ones, left-over siblings: refused slot by slot, in this order.
    function checkOrder(Question memory q, uint256[] memory order) internal {
        Opening[] memory good = q.openings;
        q.openings = new Opening[](good.length);
        for (uint256 i = 0; i < order.length; ++i) {
            uint256 slot = order[i];
            uint256 length = good[slot].tiles.length;
            refuse(q, abi.encodeWithSelector(ILeaf.TileBytes.selector, slot, length, 0));
            q.openings[slot] = Opening(bytes.concat(good[slot].tiles, hex"00"), good[slot].siblings);
            refuse(q, abi.encodeWithSelector(ILeaf.TileBytes.selector, slot, length, length + 1));
            q.openings[slot].tiles = TreeBuilder.slice(good[slot].tiles, 0, length - 1);
            refuse(q, abi.encodeWithSelector(ILeaf.TileBytes.selector, slot, length, length - 1));
            uint256 siblings = good[slot].siblings.length;
            q.openings[slot] = Opening(good[slot].tiles, new bytes32[](siblings + 1));
            for (uint256 k = 0; k < siblings; ++k) {
                q.openings[slot].siblings[k] = good[slot].siblings[k];
            }
            bytes4 extra = MultiProof.ProofSiblingExtra.selector;
            refuse(q, abi.encodeWithSelector(extra, siblings, siblings + 1));
            q.openings[slot] = good[slot];
        }
        answer(q);
    }

    /// Every other length of the node leaf, another count of openings, elements beyond the output, another operator.
    function checkFrame(Question memory q, uint256 elements) internal {
        bytes memory whole = q.nodeLeaf;
        (Opening[] memory openings, uint64 element) = (q.openings, q.element);
        for (uint256 length = 0; length < whole.length; ++length) {
            q.nodeLeaf = TreeBuilder.slice(whole, 0, length);
            vm.expectRevert();
            leaf.evaluate(q.nodeLeaf, q.dimensions, q.element, q.openings);
        }
        q.nodeLeaf = bytes.concat(whole, hex"00");
        refuse(q, abi.encodeWithSelector(NodeLeaf.LeafLength.selector, whole.length, whole.length + 1));
        q.nodeLeaf = whole;
        q.element = uint64(elements);
        refuse(q, abi.encodeWithSelector(ILeaf.ElementOutside.selector, elements, elements));
        q.element = type(uint64).max;
        refuse(q, abi.encodeWithSelector(ILeaf.ElementOutside.selector, elements, uint256(type(uint64).max)));
        q.element = element;
        q.openings = new Opening[](openings.length + 1);
        refuse(q, abi.encodeWithSelector(ILeaf.OpeningCount.selector, openings.length, openings.length + 1));
        bytes memory permutation = NodeBuilder.permute(hex"00", NodeBuilder.list(3));
        q.nodeLeaf = NodeBuilder.leaf(5, 1, 0, NodeBuilder.list(0), new bytes32[](0), permutation);
        q.openings = new Opening[](1);
        refuse(q, abi.encodeWithSelector(ILeaf.OperatorNotHere.selector, 5));
        (q.nodeLeaf, q.openings) = (whole, openings);
    }

    /// Another byte in the opening of a tensor of the model leads to another root.
    function checkTensor(Question memory q, uint256 slot) internal {
        bytes memory spoiled = bytes.concat(q.openings[slot].tiles);
        bytes memory whole = q.openings[slot].tiles;
        spoiled[spoiled.length - 1] ^= 0x01;
        q.openings[slot].tiles = spoiled;
        vm.expectPartialRevert(ILeaf.TensorRoot.selector);
        leaf.evaluate(q.nodeLeaf, q.dimensions, q.element, q.openings);
        q.openings[slot].tiles = whole;
    }

    /// Writes the gas of the call, and holds it to the certificate's coefficients and a fixed part.
    function measure(Question memory q, uint256 terms, string memory group, string memory name) internal {
        uint256 opened = 0;
        uint256 hashes = 0;
        for (uint256 i = 0; i < q.openings.length; ++i) {
            opened += q.openings[i].tiles.length;
            hashes += q.openings[i].siblings.length;
        }
        leaf.evaluate(q.nodeLeaf, q.dimensions, q.element, q.openings);
        uint256 used = vm.snapshotGasLastCall(group, name);
        assertLe(used, 50_000 + 12 * terms + 8 * opened + 600 * hashes, name);
    }

    /// 0, 1, ... in order.
    function slots(uint256 count) internal pure returns (uint256[] memory order) {
        order = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            order[i] = i;
        }
    }
}

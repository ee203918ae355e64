// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {GameFixture} from "./GameFixture.sol";
import {NodeBuilder} from "./NodeBuilder.sol";
import {Opening} from "../../src/interfaces/ILeaf.sol";

/// @title INPUT [4], matmul to [1200] (three tiles), matmul of those to [10].
/// @dev The honest trace is computed here, slowly; `lieNode` and `lieElement` plant one wrong value
/// (off by one) whose consequences are recomputed honestly, unless `frozen` keeps the rest as it was.
abstract contract SmallModel is GameFixture {
    uint256 internal constant K = 4;
    uint256 internal constant WIDE = 1200;
    uint256 internal constant OUT = 10;

    bytes[] private tensors;
    uint256 internal lieNode;
    uint256 internal lieElement;

    function weights(uint256 node) internal pure virtual returns (bytes memory) {
        return NodeBuilder.noise(node == 1 ? K * WIDE : WIDE * OUT, node);
    }

    function constants(uint256 node) internal pure virtual returns (bytes memory) {
        return NodeBuilder.constants(node == 1 ? WIDE : OUT, 5, 3, 0, node == 1 ? int32(10) : int32(14));
    }

    function tensor(uint256 node) internal view override returns (bytes memory) {
        return tensors[node];
    }

    function inputsOf(uint256 node) internal pure override returns (uint256[] memory inputs) {
        inputs = new uint256[](1);
        inputs[0] = node - 1;
    }

    function openingsOf(uint256 node, uint256 element) internal view override returns (Opening[] memory o) {
        uint256 terms = node == 1 ? K : WIDE;
        o = new Opening[](3);
        o[0] = NodeBuilder.openRun(tensor(node - 1), 0, terms);
        o[1] = NodeBuilder.openRun(weights(node), element * terms, terms);
        o[2] = NodeBuilder.openRun(constants(node), element * 16, 16);
    }

    /// The right output of a node on the input `x` (spec 2.10 to 2.12).
    function evaluate(uint256 node, bytes memory x) internal pure returns (bytes memory out) {
        bytes memory w = weights(node);
        uint256 terms = node == 1 ? K : WIDE;
        uint256 shift = node == 1 ? 10 : 14;
        out = new bytes(node == 1 ? WIDE : OUT);
        for (uint256 o = 0; o < out.length; ++o) {
            int256 acc = 5;
            for (uint256 k = 0; k < terms; ++k) {
                acc += int256(int8(uint8(x[k]))) * int256(int8(uint8(w[o * terms + k])));
            }
            int256 v = (acc * 3 + int256(1 << (shift - 1))) >> shift;
            v = v < -127 ? -127 : (v > 127 ? int256(127) : v);
            out[o] = bytes1(uint8(int8(v)));
        }
    }

    function leafOf(uint256 node) internal pure returns (bytes memory) {
        uint32 terms = uint32(node == 1 ? K : WIDE);
        uint32 outputs = uint32(node == 1 ? WIDE : OUT);
        uint64 macs = uint64(node == 1 ? K * WIDE : K * WIDE + WIDE * OUT);
        return NodeBuilder.leaf(
            1,
            1,
            macs,
            NodeBuilder.list(uint32(node - 1)),
            NodeBuilder.roots(weights(node), constants(node)),
            NodeBuilder.matmul(NodeBuilder.dim(1), terms, 0, terms, outputs, NodeBuilder.tail(0, -127, 127, false))
        );
    }

    /// A right first tensor.
    function input() internal pure virtual returns (bytes memory) {
        return NodeBuilder.noise(K, 77);
    }

    /// Sets up model and trace; the claimant lies at (`node`, `element`), or nowhere with node 0.
    function setUpSmall(uint256 node, uint256 element) internal {
        deploySet();
        (lieNode, lieElement) = (node, element);
        tensors.push(input());
        tensors.push(planted(1, evaluate(1, tensors[0])));
        tensors.push(planted(2, evaluate(2, tensors[1])));
        leaves.push(
            NodeBuilder.leaf(
                0, 1, 0, new uint32[](0), new bytes32[](0), abi.encodePacked(uint8(1), NodeBuilder.dim(uint32(K)))
            )
        );
        leaves.push(leafOf(1));
        leaves.push(leafOf(2));
        outputNode = 2;
        registerModel();
    }

    /// Replaces the claimant's tensor of a node, and its root in the trace.
    function replace(uint256 node, bytes memory values) internal {
        tensors[node] = values;
        traceRoots[node] = NodeBuilder.root(values);
    }

    function planted(uint256 node, bytes memory values) private view returns (bytes memory) {
        if (node != lieNode) return values;
        int8 v = int8(uint8(values[lieElement]));
        values[lieElement] = bytes1(uint8(v == 127 ? int8(126) : v + 1));
        return values;
    }
}

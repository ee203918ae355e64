// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {GameFixture} from "./GameFixture.sol";
import {NodeBuilder} from "./NodeBuilder.sol";
import {Opening} from "../../src/interfaces/ILeaf.sol";

/// @title A program of eight nodes on vectors of 600 values (two tiles), four of them interior.
/// @dev 0: INPUT. Segment 1: a chain of the interior nodes 1, 2, 3 (1 is read by 2 and by 3) up to the committed
/// node 4. Segment 2: node 5 alone. Segment 3: the interior node 6, which reads nodes 4 and 5 of other segments, up to
/// the output 7. Every node is clamp((3x + 2y + 2) >> 2) of its two inputs.
/// The honest trace is computed here; one wrong value (off by one) may be planted, whose consequences are honest.
abstract contract SegmentModel is GameFixture {
    uint256 internal constant WIDE = 600;
    uint256 internal constant NODES = 8;

    bytes[] private tensors;

    function isInterior(uint256 node) internal pure virtual override returns (bool) {
        return (1 <= node && node <= 3) || node == 6;
    }

    /// The nodes that make x and y.
    function operands(uint256 node) internal pure returns (uint32 x, uint32 y) {
        uint32[2][NODES] memory of_ = [
            [uint32(0), 0],
            [uint32(0), 0],
            [uint32(1), 0],
            [uint32(2), 1],
            [uint32(3), 0],
            [uint32(4), 0],
            [uint32(5), 4],
            [uint32(6), 4]
        ];
        return (of_[node][0], of_[node][1]);
    }

    function tensor(uint256 node) internal view override returns (bytes memory) {
        return tensors[node];
    }

    function inputsOf(uint256 node) internal pure override returns (uint256[] memory inputs) {
        (uint256 x, uint256 y) = operands(node);
        inputs = new uint256[](x == y ? 1 : 2);
        inputs[0] = x < y ? x : y;
        if (x != y) inputs[1] = x < y ? y : x;
    }

    function openingsOf(uint256 node, uint256 element) internal view override returns (Opening[] memory o) {
        (uint256 x, uint256 y) = operands(node);
        o = new Opening[](2);
        o[0] = NodeBuilder.openRun(tensor(x), element, 1);
        o[1] = NodeBuilder.openRun(tensor(y), element, 1);
    }

    /// The right output of a node (spec 2.19).
    function evaluate(uint256 node) internal view returns (bytes memory out) {
        (uint256 x, uint256 y) = operands(node);
        (bytes memory a, bytes memory b) = (tensors[x], tensors[y]);
        out = new bytes(WIDE);
        for (uint256 i = 0; i < WIDE; ++i) {
            int256 v = (3 * int256(int8(uint8(a[i]))) + 2 * int256(int8(uint8(b[i]))) + 2) >> 2;
            out[i] = bytes1(uint8(int8(v < -127 ? -127 : (v > 127 ? int256(127) : v))));
        }
    }

    function leafOf(uint256 node) private pure returns (bytes memory) {
        (uint32 x, uint32 y) = operands(node);
        NodeBuilder.Pointwise memory p =
            NodeBuilder.Pointwise(1, uint32(WIDE), 0, 1, 3, 1, 1, 0, 2, 0, 2, -127, 127, 0, 0);
        bytes memory parameters = NodeBuilder.pointwise(p);
        return NodeBuilder.leaf(7, 1, uint64(node * WIDE), NodeBuilder.list(x, y), new bytes32[](0), parameters);
    }

    /// Sets up model and trace; the claimant lies at (`lie`, `element`), or nowhere with node 0.
    function setUpSegments(uint256 lie, uint256 element) internal {
        deploySet();
        tensors.push(NodeBuilder.noise(WIDE, 77));
        bytes memory shape = abi.encodePacked(uint8(1), NodeBuilder.dim(uint32(WIDE)));
        leaves.push(NodeBuilder.leaf(0, 1, 0, new uint32[](0), new bytes32[](0), shape));
        for (uint256 node = 1; node < NODES; ++node) {
            bytes memory values = evaluate(node);
            if (node == lie) values[element] = bytes1(uint8(values[element]) ^ 1);
            tensors.push(values);
            leaves.push(leafOf(node));
        }
        outputNode = NODES - 1;
        registerModel();
    }

    /// Replaces the claimant's tensor of a node, and its root, and nothing after it.
    function replace(uint256 node, bytes memory values) internal {
        tensors[node] = values;
        traceRoots[node] = NodeBuilder.root(values);
    }
}

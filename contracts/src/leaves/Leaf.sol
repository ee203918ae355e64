// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILeaf} from "../interfaces/ILeaf.sol";
import {Opening} from "../interfaces/ILeaf.sol";
import {NodeLeaf} from "../lib/NodeLeaf.sol";

/// @title What the leaf contracts share: the frame of an evaluation.
abstract contract Leaf is ILeaf {
    /// The value of an element whose constants break 1.13 or 1.17: no claimed value equals it.
    int256 internal constant FORM_VIOLATION = type(int256).max;

    /// Checks the leaf's bytes and the number of openings; returns where the parameters start and
    /// an empty slot for each root.
    function _enter(bytes calldata nodeLeaf, Opening[] calldata openings)
        internal
        pure
        returns (uint256 start, bytes32[] memory roots)
    {
        start = NodeLeaf.check(nodeLeaf);
        uint256 count = NodeLeaf.inputCount(nodeLeaf) + NodeLeaf.tensorCount(nodeLeaf);
        if (openings.length != count) revert OpeningCount(count, openings.length);
        roots = new bytes32[](count);
    }

    /// Compares the roots of tensors, behind those of inputs, with the node leaf's.
    function _checkTensors(bytes calldata nodeLeaf, bytes32[] memory roots) internal pure {
        uint256 inputs = NodeLeaf.inputCount(nodeLeaf);
        for (uint256 i = inputs; i < roots.length; ++i) {
            bytes32 expected = NodeLeaf.tensorRoot(nodeLeaf, i - inputs);
            if (roots[i] != expected) revert TensorRoot(i - inputs, expected, roots[i]);
        }
    }

    function _checkElement(uint256 element, uint256 elements) internal pure {
        if (elements <= element) revert ElementOutside(elements, element);
    }
}

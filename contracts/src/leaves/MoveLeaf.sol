// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {OP_TRANSPOSE} from "../generated/ProtocolConstants.sol";
import {ILeaf} from "../interfaces/ILeaf.sol";
import {Opening} from "../interfaces/ILeaf.sol";
import {NodeLeaf} from "../lib/NodeLeaf.sol";
import {Opened} from "../lib/Opened.sol";
import {Parameters} from "../lib/Parameters.sol";
import {Leaf} from "./Leaf.sol";

/// @title MoveLeaf: one element of a permutation of axes.
/// @dev Output axis j is input axis axes[j]. Opening: x. Spec: operators, 2.16; game, 4.8.
contract MoveLeaf is Leaf {
    using Opened for Opened.Reads;

    /// @inheritdoc ILeaf
    function evaluate(
        bytes calldata nodeLeaf,
        uint32[] calldata dimensions,
        uint64 element,
        Opening[] calldata openings
    ) external pure returns (int256 value, bytes32[] memory roots) {
        uint256 start;
        (start, roots) = _enter(nodeLeaf, openings);
        uint8 op = NodeLeaf.op(nodeLeaf);
        if (op != OP_TRANSPOSE) revert OperatorNotHere(op);
        Parameters.Transpose memory t = Parameters.transpose(nodeLeaf, start, dimensions);
        _checkElement(element, t.elements);

        uint256 size = NodeLeaf.elementBytes(nodeLeaf);
        Opened.Reads memory x = Opened.start(openings[0]);
        value = x.element(_source(t, element), size);
        roots[0] = x.root(openings[0], 0, t.elements * size);
    }

    /// Flat index in the input of the output's element.
    function _source(Parameters.Transpose memory t, uint256 element) private pure returns (uint256 source) {
        uint256 rank = t.axes.length;
        // Elements between neighbours along each axis of the input.
        uint256[] memory steps = new uint256[](rank);
        uint256 step = 1;
        for (uint256 axis = rank; axis != 0; --axis) {
            steps[axis - 1] = step;
            step *= t.extents[axis - 1];
        }
        // The output's last axis runs fastest.
        for (uint256 j = rank; j != 0; --j) {
            uint256 axis = t.axes[j - 1];
            source += (element % t.extents[axis]) * steps[axis];
            element /= t.extents[axis];
        }
    }
}

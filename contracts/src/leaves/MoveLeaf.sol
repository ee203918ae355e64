// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {OP_CONCAT} from "../generated/ProtocolConstants.sol";
import {OP_MOVE} from "../generated/ProtocolConstants.sol";
import {ILeaf} from "../interfaces/ILeaf.sol";
import {Opening} from "../interfaces/ILeaf.sol";
import {Dimensions} from "../lib/Dimensions.sol";
import {NodeLeaf} from "../lib/NodeLeaf.sol";
import {Opened} from "../lib/Opened.sol";
import {Parameters} from "../lib/Parameters.sol";
import {Leaf} from "./Leaf.sol";

/// @title MoveLeaf: one element of a move or of a concatenation.
/// @dev Openings: the inputs. A fill opens nothing; of a concatenation's inputs only the one that holds
/// the element is opened. Spec: operators, 2.16 and 2.18; game, 4.8.
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
        uint256 size = NodeLeaf.elementBytes(nodeLeaf);
        if (op == OP_MOVE) {
            value = _move(Parameters.move(nodeLeaf, start, dimensions), element, size, openings, roots);
        } else if (op == OP_CONCAT) {
            value = _concat(Parameters.concat(nodeLeaf, start, dimensions), element, size, openings, roots);
        } else {
            revert OperatorNotHere(op);
        }
    }

    /// 2.16: one element of x, or the fill.
    function _move(
        Parameters.Move memory m,
        uint256 element,
        uint256 size,
        Opening[] calldata openings,
        bytes32[] memory roots
    ) private pure returns (int256 value) {
        _checkElement(element, m.elements);
        (bool inside, uint256 source) = _source(m, element);
        if (!inside) {
            Opened.checkEmpty(openings[0], 0);
            return m.fill;
        }
        Opened.Reads memory x = Opened.start(openings[0]);
        value = x.element(source, size);
        roots[0] = x.root(openings[0], 0, m.inputElements * size);
    }

    /// 2.18: one element of the input in whose columns it falls.
    function _concat(
        Parameters.Concat memory c,
        uint256 element,
        uint256 size,
        Opening[] calldata openings,
        bytes32[] memory roots
    ) private pure returns (int256 value) {
        _checkElement(element, Dimensions.times(c.rows, c.width));
        uint256 row = element / c.width;
        uint256 column = element % c.width;
        uint256 holder = 0;
        while (c.columns[holder] <= column) {
            column -= c.columns[holder];
            ++holder;
        }
        for (uint256 slot = 0; slot < openings.length; ++slot) {
            if (slot != holder) {
                Opened.checkEmpty(openings[slot], slot);
                continue;
            }
            Opened.Reads memory x = Opened.start(openings[slot]);
            value = x.element(row * c.columns[slot] + column, size);
            roots[slot] = x.root(openings[slot], slot, c.rows * c.columns[slot] * size);
        }
    }

    /// Flat index in the input of the output's element, and whether it has one.
    function _source(Parameters.Move memory m, uint256 element) private pure returns (bool inside, uint256 source) {
        uint256 rank = m.walks.length;
        // Elements between neighbours along each axis of the input.
        uint256[] memory steps = new uint256[](rank);
        uint256 step = 1;
        for (uint256 axis = rank; axis != 0; --axis) {
            steps[axis - 1] = step;
            step *= m.extents[axis - 1];
        }
        // The output's last axis runs fastest.
        for (uint256 j = rank; j != 0; --j) {
            Parameters.Walk memory w = m.walks[j - 1];
            int256 wide = int256(element % w.extent) * w.numerator + w.offset;
            if (wide < 0) return (false, 0);
            uint256 index = uint256(wide) / w.denominator;
            if (m.extents[w.source] <= index) return (false, 0);
            if (w.exact && uint256(wide) % w.denominator != 0) return (false, 0);
            source += index * steps[w.source];
            element /= w.extent;
        }
        return (true, source);
    }
}

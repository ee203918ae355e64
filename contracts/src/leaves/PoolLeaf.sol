// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {OP_AVG_POOL} from "../generated/ProtocolConstants.sol";
import {OP_MAX_POOL} from "../generated/ProtocolConstants.sol";
import {ILeaf} from "../interfaces/ILeaf.sol";
import {Opening} from "../interfaces/ILeaf.sol";
import {Dimensions} from "../lib/Dimensions.sol";
import {NodeLeaf} from "../lib/NodeLeaf.sol";
import {Opened} from "../lib/Opened.sol";
import {Parameters} from "../lib/Parameters.sol";
import {Leaf} from "./Leaf.sol";

/// @title PoolLeaf: one element of a maximum or a scaled sum over a window.
/// @dev Only cells inside the input count. Opening: x. Spec: operators, 2.14 and 2.15; game, 4.8.
contract PoolLeaf is Leaf {
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
        if (op != OP_MAX_POOL && op != OP_AVG_POOL) revert OperatorNotHere(op);
        Parameters.Pool memory p = Parameters.pool(nodeLeaf, start, dimensions);
        _checkElement(element, Dimensions.times(Dimensions.times(p.outHeight, p.outWidth), p.channels));

        // A maximum keeps its input's type; a sum reads int8.
        uint256 size = op == OP_MAX_POOL ? NodeLeaf.elementBytes(nodeLeaf) : 1;
        Opened.Reads memory x = Opened.start(openings[0]);
        (int256 largest, int256 sum) = _cells(p, element, size, x);
        uint256 elements = Dimensions.times(Dimensions.times(p.height, p.width), p.channels);
        roots[0] = x.root(openings[0], 0, elements * size);

        if (op == OP_MAX_POOL) return (largest, roots);
        value = (sum * int256(p.multiplier) + int256(1 << (p.shift - 1))) >> p.shift;
        if (value < p.lo) value = p.lo;
        if (p.hi < value) value = p.hi;
    }

    /// Maximum and sum over the cells of the window that lie inside the input.
    function _cells(Parameters.Pool memory p, uint256 element, uint256 size, Opened.Reads memory x)
        private
        pure
        returns (int256 largest, int256 sum)
    {
        Parameters.Window memory w = p.window;
        uint256 channel = element % p.channels;
        uint256 cell = element / p.channels;
        // Coordinates in the padded input.
        uint256 top = (cell / p.outWidth) * w.strideHeight;
        uint256 left = (cell % p.outWidth) * w.strideWidth;
        largest = type(int256).min;
        for (uint256 y = top; y < top + w.height; ++y) {
            if (y < w.padTop || p.height + w.padTop <= y) continue;
            uint256 row = (y - w.padTop) * p.width;
            for (uint256 column = left; column < left + w.width; ++column) {
                if (column < w.padLeft || p.width + w.padLeft <= column) continue;
                int256 read = x.element((row + column - w.padLeft) * p.channels + channel, size);
                if (largest < read) largest = read;
                sum += read;
            }
        }
    }
}

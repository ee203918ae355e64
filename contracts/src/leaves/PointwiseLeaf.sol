// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {DTYPE_I16} from "../generated/ProtocolConstants.sol";
import {DTYPE_I8} from "../generated/ProtocolConstants.sol";
import {OP_POINTWISE} from "../generated/ProtocolConstants.sol";
import {ILeaf} from "../interfaces/ILeaf.sol";
import {Opening} from "../interfaces/ILeaf.sol";
import {Dimensions} from "../lib/Dimensions.sol";
import {NodeLeaf} from "../lib/NodeLeaf.sol";
import {Opened} from "../lib/Opened.sol";
import {Parameters} from "../lib/Parameters.sol";
import {Leaf} from "./Leaf.sol";

/// @title PointwiseLeaf: one element of a sum or a product, and its table.
/// @dev v = clamp((x*A + y*B + 2^(s-1)) >> s, lo, hi) or clamp((x*y*A + 2^(s-1)) >> s, lo, hi), then
/// v, an entry of a table, or the interpolation between two. Openings: x, [y], [table], y an input or a
/// constant. Spec: operators, 2.19 and 2.20; game, 4.8.
contract PointwiseLeaf is Leaf {
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
        if (op != OP_POINTWISE) revert OperatorNotHere(op);
        Parameters.Pointwise memory p = Parameters.pointwise(nodeLeaf, start, dimensions);
        uint256 elements = Dimensions.times(p.rows, p.columns);
        _checkElement(element, elements);

        int256 x;
        (x, roots[0]) = _one(openings, 0, element, elements, p.dtype);
        int256 y = 0;
        bool wellFormed = true;
        if (p.source != 0) {
            uint256 held = Parameters.secondElements(p);
            if (p.source == Parameters.SECOND_CONSTANT) held = p.constantElements;
            (y, roots[1]) = _one(openings, 1, Parameters.secondIndex(p, element), held, p.second);
            wellFormed = p.source != Parameters.SECOND_CONSTANT || _isValue(y, p.second);
        }
        value = _combine(p, x, y);
        if (p.table != 0) {
            uint256 slot = roots.length - 1;
            (value, roots[slot]) = _throughTable(p.table, value, openings[slot], slot);
        }
        if (!wellFormed) value = FORM_VIOLATION;
        _checkTensors(nodeLeaf, roots);
    }

    /// Element `index` of the opened tensor of `elements` elements, and the root of its opening.
    function _one(Opening[] calldata openings, uint256 slot, uint256 index, uint256 elements, uint8 dtype)
        private
        pure
        returns (int256 value, bytes32 root)
    {
        uint256 size = Parameters.dtypeBytes(dtype);
        Opened.Reads memory reads = Opened.start(openings[slot]);
        value = reads.element(index, size);
        root = reads.root(openings[slot], slot, elements * size);
    }

    /// 2.19. Without a second operand y is 0.
    function _combine(Parameters.Pointwise memory p, int256 x, int256 y) private pure returns (int256 v) {
        int256 wide = p.product ? x * y * p.multiplier : x * p.multiplier + y * p.secondMultiplier;
        v = (wide + int256(1 << (p.shift - 1))) >> p.shift;
        if (v < p.lo) return p.lo;
        if (p.hi < v) return p.hi;
    }

    /// 2.20. The table is opened whole; an entry that is no value voids the element.
    function _throughTable(uint256 kind, int256 v, Opening calldata opening, uint256 slot)
        private
        pure
        returns (int256 value, bytes32 root)
    {
        uint256 length = Parameters.tableBytes(kind);
        Opened.Reads memory table = Opened.start(opening);
        uint256 from = table.touch(0, length);
        if (kind == Parameters.LOOKUP) {
            value = Opened.signed(from + uint256(v + 128), 1);
            if (!_isValue(value, DTYPE_I8)) value = FORM_VIOLATION;
        } else {
            uint256 u = uint256(v + 32_768);
            int256 low = Opened.signed(from + 2 * (u >> 7), 2);
            int256 high = Opened.signed(from + 2 * (u >> 7) + 2, 2);
            value = low + (((high - low) * int256(u & 127) + 64) >> 7);
            if (!_isValue(low, DTYPE_I16) || !_isValue(high, DTYPE_I16)) value = FORM_VIOLATION;
        }
        root = table.root(opening, slot, length);
    }

    /// Every pattern but -128 of i8 and -32768 of i16 is a value (1.4).
    function _isValue(int256 value, uint8 dtype) private pure returns (bool) {
        if (dtype == DTYPE_I8) return value != -128;
        return dtype != DTYPE_I16 || value != -32_768;
    }
}

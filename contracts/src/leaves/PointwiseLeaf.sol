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
/// v or its activation: an entry of a table, an interpolation, an exponential out of two entries, a
/// reciprocal, a reciprocal square root. Openings: x, [y], [table], y an input or a constant. Spec: operators, 2.19 and 2.20; game, 4.8.
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
        if (Parameters.tableBytes(p.activation) != 0) {
            uint256 slot = roots.length - 1;
            (value, roots[slot]) = _throughTable(p.activation, value, openings[slot], slot);
        } else if (p.activation != 0) {
            value = _reciprocal(p, value);
        }
        if (!wellFormed) value = FORM_VIOLATION;
        _checkTensors(nodeLeaf, roots);
    }

    /// 2.19. Without a second operand y is 0.
    function _combine(Parameters.Pointwise memory p, int256 x, int256 y) private pure returns (int256 v) {
        int256 wide = p.product ? x * y * p.multiplier : x * p.multiplier + y * p.secondMultiplier;
        v = _clamp(_round(wide, p.shift), p.lo, p.hi);
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
        } else if (kind == Parameters.EXPONENTIAL) {
            int256 coarse = Opened.signed(from + 2 * uint256(v >> 8), 2);
            int256 fine = Opened.signed(from + 2 * uint256(256 + (v & 255)), 2);
            value = (coarse * fine + (1 << 14)) >> 15;
            if (coarse < 0 || fine < 0) value = FORM_VIOLATION;
        } else {
            uint256 u = uint256(v + 32_768);
            int256 low = Opened.signed(from + 2 * (u >> 7), 2);
            int256 high = Opened.signed(from + 2 * (u >> 7) + 2, 2);
            value = low + (((high - low) * int256(u & 127) + 64) >> 7);
            if (!_isValue(low, DTYPE_I16) || !_isValue(high, DTYPE_I16)) value = FORM_VIOLATION;
        }
        root = table.root(opening, slot, length);
    }

    /// 2.20: min(floor(2^bits / d), 2^31 - 1), d = max(v, 1) or the square root of that times 2^30.
    function _reciprocal(Parameters.Pointwise memory p, int256 v) private pure returns (int256) {
        uint256 d = v < 1 ? 1 : uint256(v);
        if (p.activation == Parameters.RECIPROCAL_ROOT) d = _root(d << 30);
        return _clamp(int256((1 << p.bits) / d), 0, type(int32).max);
    }

    /// The u with u*u <= v < (u+1)*(u+1), for v below 2^62: Newton's steps from above, as long as they fall.
    function _root(uint256 v) private pure returns (uint256 u) {
        uint256 next = 1 << 31;
        do {
            u = next;
            next = (u + v / u) >> 1;
        } while (next < u);
    }
}

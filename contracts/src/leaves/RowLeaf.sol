// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {DTYPE_I32} from "../generated/ProtocolConstants.sol";
import {FACTOR_BITS} from "../generated/ProtocolConstants.sol";
import {MEAN_BITS} from "../generated/ProtocolConstants.sol";
import {MULTIPLIER_MAX} from "../generated/ProtocolConstants.sol";
import {OP_EMBEDDING} from "../generated/ProtocolConstants.sol";
import {OP_NORMALIZE} from "../generated/ProtocolConstants.sol";
import {OP_REDUCE} from "../generated/ProtocolConstants.sol";
import {VARIANCE_BITS} from "../generated/ProtocolConstants.sol";
import {ILeaf} from "../interfaces/ILeaf.sol";
import {Opening} from "../interfaces/ILeaf.sol";
import {Dimensions} from "../lib/Dimensions.sol";
import {NodeLeaf} from "../lib/NodeLeaf.sol";
import {Opened} from "../lib/Opened.sol";
import {Parameters} from "../lib/Parameters.sol";
import {RowParameters} from "../lib/RowParameters.sol";
import {Rows} from "../lib/Rows.sol";
import {Leaf} from "./Leaf.sol";

/// @title RowLeaf: one element of a reduction, a normalisation or an embedding.
/// @dev Openings in the order in which they are proved: x of a reduction; x, [center], [row factor],
/// constants of a normalisation; index, table of an embedding. Spec: operators, 2.23 to 2.25; game, 4.8.
contract RowLeaf is Leaf {
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
        if (op == OP_REDUCE) {
            value = _reduce(RowParameters.reduce(nodeLeaf, start, dimensions), element, openings, roots);
        } else if (op == OP_NORMALIZE) {
            value = _normalize(RowParameters.normalize(nodeLeaf, start, dimensions), element, openings, roots);
        } else if (op == OP_EMBEDDING) {
            RowParameters.Embedding memory e = RowParameters.embedding(nodeLeaf, start, dimensions);
            value = _embed(e, NodeLeaf.dtype(nodeLeaf), element, openings, roots);
        } else {
            revert OperatorNotHere(op);
        }
        _checkTensors(nodeLeaf, roots);
    }

    /// 2.23.
    function _reduce(
        RowParameters.Reduce memory r,
        uint256 element,
        Opening[] calldata openings,
        bytes32[] memory roots
    ) private pure returns (int256) {
        _checkElement(element, r.rows);
        uint256 size = Parameters.dtypeBytes(r.dtype);
        Opened.Reads memory x = Opened.start(openings[0]);
        uint256 from = x.touch(element * r.columns * size, r.columns * size);
        int256 quantity = _quantity(r.kind, from, r.columns, 8 * size);
        roots[0] = x.root(openings[0], 0, Dimensions.times(r.rows, r.columns) * size);
        return _clamp(_round(quantity * int256(r.multiplier), r.shift), r.lo, r.hi);
    }

    /// What a reduction makes of `count` elements of `width` bits from the calldata offset `from`.
    function _quantity(uint256 kind, uint256 from, uint256 count, uint256 width) private pure returns (int256) {
        int256 n = int256(count);
        if (kind == RowParameters.REDUCE_SUM) return Rows.sum(from, count, width);
        if (kind == RowParameters.REDUCE_MEAN) return _floor(Rows.sum(from, count, width) << MEAN_BITS, n);
        if (kind == RowParameters.REDUCE_SQUARES || kind == RowParameters.REDUCE_VARIANCE) {
            (int256 squares, int256 sum) = Rows.squares(from, count, width);
            if (kind == RowParameters.REDUCE_SQUARES) return squares;
            return ((n * squares - sum * sum) << VARIANCE_BITS) / (n * n);
        }
        int256 most = Rows.largest(from, count, width, kind == RowParameters.REDUCE_MAGNITUDE);
        return kind == RowParameters.REDUCE_ARGMAX ? int256(Rows.first(from, width, most)) : most;
    }

    /// 2.24.
    function _normalize(
        RowParameters.Normalize memory n,
        uint256 element,
        Opening[] calldata openings,
        bytes32[] memory roots
    ) private pure returns (int256) {
        uint256 elements = Dimensions.times(n.rows, n.columns);
        _checkElement(element, elements);
        uint256 row = element / n.columns;
        int256 t;
        (t, roots[0]) = _one(openings, 0, element, elements, n.dtype);
        t <<= n.centerBits;
        uint256 slot = 1;
        if (n.center) {
            int256 center;
            (center, roots[slot]) = _one(openings, slot, row, n.rows, DTYPE_I32);
            t -= center;
            ++slot;
        }
        int256 factor = int256(1 << FACTOR_BITS);
        if (n.factor) {
            (factor, roots[slot]) = _one(openings, slot, row, n.rows, DTYPE_I32);
            ++slot;
        }
        Constants memory c;
        (c, roots[slot]) =
            _constants(openings, slot, element % n.columns, n.columns, -int256(uint256(MULTIPLIER_MAX)), 0);
        if (!c.wellFormed) return FORM_VIOLATION;
        t = _round(t * c.multiplier, c.shift);
        return _clamp(_scaleByRow(t, factor, c.bias, n.factorShift), n.lo, n.hi);
    }

    /// 2.25. An index outside of the table is clamped to it.
    function _embed(
        RowParameters.Embedding memory e,
        uint8 dtype,
        uint256 element,
        Opening[] calldata openings,
        bytes32[] memory roots
    ) private pure returns (int256 value) {
        _checkElement(element, Dimensions.times(e.rows, e.columns));
        int256 index;
        (index, roots[0]) = _one(openings, 0, element / e.columns, e.rows, DTYPE_I32);
        uint256 row = uint256(_clamp(index, 0, int256(e.entries - 1)));
        uint256 elements = Dimensions.times(e.entries, e.columns);
        (value, roots[1]) = _one(openings, 1, row * e.columns + element % e.columns, elements, dtype);
        if (!_isValue(value, dtype)) value = FORM_VIOLATION;
    }

    /// floor(a / n), n above 0.
    function _floor(int256 a, int256 n) private pure returns (int256 q) {
        q = a / n;
        if (a % n < 0) --q;
    }
}

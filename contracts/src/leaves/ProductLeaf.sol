// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {DTYPE_I32} from "../generated/ProtocolConstants.sol";
import {DTYPE_I8} from "../generated/ProtocolConstants.sol";
import {OP_BATCH_MATMUL} from "../generated/ProtocolConstants.sol";
import {ILeaf} from "../interfaces/ILeaf.sol";
import {Opening} from "../interfaces/ILeaf.sol";
import {Dimensions} from "../lib/Dimensions.sol";
import {Dot} from "../lib/Dot.sol";
import {NodeLeaf} from "../lib/NodeLeaf.sol";
import {Opened} from "../lib/Opened.sol";
import {Parameters} from "../lib/Parameters.sol";
import {RowParameters} from "../lib/RowParameters.sol";
import {Leaf} from "./Leaf.sol";

/// @title ProductLeaf: one element of a batched matrix product of two inputs.
/// @dev v = clamp((acc*M + 2^(s-1)) >> s, lo, hi), acc the sum of x*y along two rows; with a row factor as
/// 2.21 has it. Openings: x, y, [row factor], proved in that order. Spec: operators, 2.22; game, 4.8.
contract ProductLeaf is Leaf {
    using Opened for Opened.Reads;

    /// Which rows an element is made of.
    struct Cell {
        uint256 x; // row of x, and of the row factor
        uint256 y; // row of y
    }

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
        if (op != OP_BATCH_MATMUL) revert OperatorNotHere(op);
        RowParameters.BatchMatmul memory b = RowParameters.batchMatmul(nodeLeaf, start, dimensions);
        uint256 rows = Dimensions.times(b.batch, b.rows);
        _checkElement(element, Dimensions.times(rows, b.columns));
        Cell memory cell = _cell(b, element);

        value = _round(_sum(b, cell, openings, roots) * int256(b.multiplier), b.shift);
        if (b.factorShift != 0) {
            int256 factor;
            (factor, roots[2]) = _one(openings, 2, cell.x, rows, DTYPE_I32);
            value = _scaleByRow(value, factor, 0, b.factorShift);
        }
        value = _clamp(value, b.lo, b.hi);
    }

    /// The rows of x and y that the element multiplies.
    function _cell(RowParameters.BatchMatmul memory b, uint256 element) private pure returns (Cell memory cell) {
        uint256 outer = element / b.columns;
        uint256 column = element % b.columns;
        (uint256 batch, uint256 row) =
            b.interleaved ? (outer % b.batch, outer / b.batch) : (outer / b.rows, outer % b.rows);
        uint256 shared = batch / b.group;
        cell.x = b.interleavedX ? row * b.batch + batch : batch * b.rows + row;
        cell.y = b.interleavedY ? column * (b.batch / b.group) + shared : shared * b.columns + column;
    }

    /// Sum of the products along both rows.
    function _sum(
        RowParameters.BatchMatmul memory b,
        Cell memory cell,
        Opening[] calldata openings,
        bytes32[] memory roots
    ) private pure returns (int256 sum) {
        uint256 size = Parameters.dtypeBytes(b.dtype);
        Opened.Reads memory x = Opened.start(openings[0]);
        Opened.Reads memory y = Opened.start(openings[1]);
        uint256 xFrom = x.touch(cell.x * b.terms * size, b.terms * size);
        uint256 yFrom = y.touch(cell.y * b.terms, b.terms);
        sum = b.dtype == DTYPE_I8 ? Dot.i8(xFrom, yFrom, b.terms) : Dot.i16(xFrom, yFrom, b.terms);
        roots[0] = x.root(openings[0], 0, b.batch * b.rows * b.terms * size);
        roots[1] = y.root(openings[1], 1, (b.batch / b.group) * b.columns * b.terms);
    }
}

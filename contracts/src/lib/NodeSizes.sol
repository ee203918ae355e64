// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {DTYPE_I32} from "../generated/ProtocolConstants.sol";
import {DTYPE_I8} from "../generated/ProtocolConstants.sol";
import {OP_BATCH_MATMUL} from "../generated/ProtocolConstants.sol";
import {OP_CONCAT} from "../generated/ProtocolConstants.sol";
import {OP_CONV} from "../generated/ProtocolConstants.sol";
import {OP_EMBEDDING} from "../generated/ProtocolConstants.sol";
import {OP_INPUT} from "../generated/ProtocolConstants.sol";
import {OP_MATMUL} from "../generated/ProtocolConstants.sol";
import {OP_MOVE} from "../generated/ProtocolConstants.sol";
import {OP_NORMALIZE} from "../generated/ProtocolConstants.sol";
import {OP_POINTWISE} from "../generated/ProtocolConstants.sol";
import {OP_REDUCE} from "../generated/ProtocolConstants.sol";
import {TILE_BYTES} from "../generated/ProtocolConstants.sol";
import {Dimensions} from "./Dimensions.sol";
import {NodeLeaf} from "./NodeLeaf.sol";
import {Parameters} from "./Parameters.sol";
import {RowParameters} from "./RowParameters.sol";
import {Tiles} from "./Tiles.sol";

/// @title Sizes of a node at given values of the program's symbols: what the registry adds up and
/// compares. Spec: programs, 1.5, 1.6, 1.10, 1.13 and 1.17 to 1.21.
library NodeSizes {
    /// What a node takes from one of its inputs.
    struct Input {
        uint256 elements;
        uint8 dtype;
    }

    struct Sizes {
        uint256 outputElements;
        Input[] inputs; // in the order of the leaf
        uint256 terms; // of one element
        uint256 opened; // bound on the bytes that one step opens
        uint256 tensorBytes;
        uint256 constantElements; // that a pointwise constant states; 0: there is none
        uint256 constantNeeded; // elements of its spread
    }

    /// Expects a leaf that `NodeLeaf.check` accepted, with its parameters at `start`.
    function measure(bytes calldata leaf, uint256 start, uint32[] memory values) internal pure returns (Sizes memory) {
        uint8 op = NodeLeaf.op(leaf);
        if (op == OP_MATMUL) return _matmul(Parameters.matmul(leaf, start, values));
        if (op == OP_CONV) return _conv(Parameters.conv(leaf, start, values));
        if (op == OP_INPUT) return _input(Parameters.inputElements(leaf, start, values));
        if (op == OP_MOVE) return _move(Parameters.move(leaf, start, values), NodeLeaf.dtype(leaf));
        if (op == OP_CONCAT) return _concat(Parameters.concat(leaf, start, values), NodeLeaf.dtype(leaf));
        if (op == OP_POINTWISE) return _pointwise(Parameters.pointwise(leaf, start, values));
        if (op == OP_BATCH_MATMUL) return _batchMatmul(RowParameters.batchMatmul(leaf, start, values));
        if (op == OP_REDUCE) return _reduce(RowParameters.reduce(leaf, start, values));
        if (op == OP_NORMALIZE) return _normalize(RowParameters.normalize(leaf, start, values));
        if (op == OP_EMBEDDING) return _embedding(RowParameters.embedding(leaf, start, values), NodeLeaf.dtype(leaf));
        return _pool(Parameters.pool(leaf, start, values), NodeLeaf.dtype(leaf));
    }

    function _input(uint256 elements) private pure returns (Sizes memory s) {
        s.outputElements = elements;
    }

    function _matmul(Parameters.Matmul memory m) private pure returns (Sizes memory s) {
        s.outputElements = Dimensions.times(m.rows, m.outputs);
        uint256 elements = Dimensions.times(m.rows, m.rowElements);
        s.terms = m.terms;
        s.inputs = new Input[]((m.tail.addend == 0 ? 1 : 2) + (m.factorShift == 0 ? 0 : 1));
        s.inputs[0] = Input(elements, m.dtype);
        uint256 size = Parameters.dtypeBytes(m.dtype);
        s.opened = _run(m.terms * size, elements * size);
        if (m.factorShift != 0) _factor(s, m.rows);
        _linear(s, m.outputs, m.tail);
    }

    function _conv(Parameters.Conv memory c) private pure returns (Sizes memory s) {
        s.outputElements = Dimensions.times(Dimensions.times(c.outHeight, c.outWidth), c.outputs);
        uint256 elements = Dimensions.times(Dimensions.times(c.height, c.width), c.channels);
        s.terms = c.window.height * c.window.width * (c.channels / c.groups);
        uint256 size = Parameters.dtypeBytes(c.dtype);
        uint256 row = ((c.window.width - 1) * c.window.dilationWidth + 1) * c.channels;
        uint256 rows = c.window.height * _run(row * size, elements * size);
        uint256 all = Tiles.tileCount(elements * size) * TILE_BYTES;
        s.opened = rows < all ? rows : all;
        s.inputs = new Input[](c.tail.addend == 0 ? 1 : 2);
        s.inputs[0] = Input(elements, c.dtype);
        _linear(s, c.outputs, c.tail);
    }

    /// Adds what both linear operators have.
    function _linear(Sizes memory s, uint256 outputs, Parameters.Tail memory tail) private pure {
        uint256 weights = Dimensions.times(outputs, s.terms);
        uint256 constants = Dimensions.times(outputs, 4);
        s.opened += _run(s.terms, weights) + TILE_BYTES;
        s.tensorBytes = weights + 4 * constants;
        if (tail.addend != 0) {
            s.inputs[1] = Input(s.outputElements, tail.addend);
            s.opened += TILE_BYTES;
        }
        if (tail.table) {
            s.opened += TILE_BYTES;
            s.tensorBytes += 256;
        }
    }

    /// The row factor, the last input: one for each of `rows`.
    function _factor(Sizes memory s, uint256 rows) private pure {
        s.inputs[s.inputs.length - 1] = Input(rows, DTYPE_I32);
        s.opened += TILE_BYTES;
    }

    /// A maximum keeps its input's type; a sum, known by its multiplier, reads int8.
    function _pool(Parameters.Pool memory p, uint8 dtype) private pure returns (Sizes memory s) {
        s.outputElements = Dimensions.times(Dimensions.times(p.outHeight, p.outWidth), p.channels);
        s.inputs = new Input[](1);
        s.inputs[0].elements = Dimensions.times(Dimensions.times(p.height, p.width), p.channels);
        s.inputs[0].dtype = p.multiplier == 0 ? dtype : DTYPE_I8;
        s.terms = p.window.height * p.window.width;
        uint256 tiles = Tiles.tileCount(s.inputs[0].elements * Parameters.dtypeBytes(s.inputs[0].dtype));
        s.opened = (s.terms < tiles ? s.terms : tiles) * TILE_BYTES;
    }

    function _move(Parameters.Move memory m, uint8 dtype) private pure returns (Sizes memory s) {
        s.outputElements = m.elements;
        s.inputs = new Input[](1);
        s.inputs[0] = Input(m.inputElements, dtype);
        s.terms = 1;
        s.opened = TILE_BYTES;
    }

    function _concat(Parameters.Concat memory c, uint8 dtype) private pure returns (Sizes memory s) {
        s.outputElements = Dimensions.times(c.rows, c.width);
        s.inputs = new Input[](c.columns.length);
        for (uint256 i = 0; i < c.columns.length; ++i) {
            s.inputs[i] = Input(c.rows * c.columns[i], dtype);
        }
        s.terms = 1;
        s.opened = TILE_BYTES;
    }

    function _pointwise(Parameters.Pointwise memory p) private pure returns (Sizes memory s) {
        s.outputElements = Dimensions.times(p.rows, p.columns);
        s.terms = 1;
        uint256 table = Parameters.tableBytes(p.activation);
        uint256 tiles = (table + TILE_BYTES - 1) / TILE_BYTES + (p.source == 0 ? 1 : 2);
        s.opened = tiles * TILE_BYTES;
        s.tensorBytes = table;
        bool second = p.source == Parameters.SECOND_INPUT;
        s.inputs = new Input[](second ? 2 : 1);
        s.inputs[0] = Input(s.outputElements, p.dtype);
        if (second) {
            s.inputs[1] = Input(Parameters.secondElements(p), p.second);
        } else if (p.source == Parameters.SECOND_CONSTANT) {
            s.constantElements = p.constantElements;
            s.constantNeeded = Parameters.secondElements(p);
            s.tensorBytes += p.constantElements * Parameters.dtypeBytes(p.second);
        }
    }

    function _batchMatmul(RowParameters.BatchMatmul memory b) private pure returns (Sizes memory s) {
        uint256 rows = Dimensions.times(b.batch, b.rows);
        s.outputElements = Dimensions.times(rows, b.columns);
        s.terms = b.terms;
        s.inputs = new Input[](b.factorShift == 0 ? 2 : 3);
        s.inputs[0] = Input(Dimensions.times(rows, b.terms), b.dtype);
        uint256 columns = Dimensions.times(b.batch / b.group, b.columns);
        s.inputs[1] = Input(Dimensions.times(columns, b.terms), DTYPE_I8);
        uint256 size = Parameters.dtypeBytes(b.dtype);
        s.opened = _run(b.terms * size, s.inputs[0].elements * size) + _run(b.terms, s.inputs[1].elements);
        if (b.factorShift != 0) _factor(s, rows);
    }

    function _reduce(RowParameters.Reduce memory r) private pure returns (Sizes memory s) {
        s.outputElements = r.rows;
        s.terms = r.columns;
        s.inputs = new Input[](1);
        s.inputs[0] = Input(Dimensions.times(r.rows, r.columns), r.dtype);
        uint256 size = Parameters.dtypeBytes(r.dtype);
        s.opened = _run(r.columns * size, s.inputs[0].elements * size);
    }

    /// The center and the factor are alike: i32, one for each row.
    function _normalize(RowParameters.Normalize memory n) private pure returns (Sizes memory s) {
        s.outputElements = Dimensions.times(n.rows, n.columns);
        s.terms = 1;
        s.tensorBytes = 4 * Dimensions.times(n.columns, 4);
        s.inputs = new Input[]((n.center ? 2 : 1) + (n.factor ? 1 : 0));
        s.inputs[0] = Input(s.outputElements, n.dtype);
        for (uint256 i = 1; i < s.inputs.length; ++i) {
            s.inputs[i] = Input(n.rows, DTYPE_I32);
        }
        s.opened = (1 + s.inputs.length) * TILE_BYTES;
    }

    function _embedding(RowParameters.Embedding memory e, uint8 dtype) private pure returns (Sizes memory s) {
        s.outputElements = Dimensions.times(e.rows, e.columns);
        s.terms = 1;
        s.tensorBytes = Dimensions.times(e.entries, e.columns) * Parameters.dtypeBytes(dtype);
        s.inputs = new Input[](1);
        s.inputs[0] = Input(e.rows, DTYPE_I32);
        s.opened = 2 * TILE_BYTES;
    }

    /// Bound on the bytes of the tiles that `length` contiguous bytes of a tensor of `total` bytes touch.
    function _run(uint256 length, uint256 total) private pure returns (uint256) {
        uint256 touched = (length + TILE_BYTES - 2) / TILE_BYTES + 1;
        uint256 tiles = Tiles.tileCount(total);
        return (touched < tiles ? touched : tiles) * TILE_BYTES;
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {DTYPE_I8} from "../generated/ProtocolConstants.sol";
import {OP_CONV} from "../generated/ProtocolConstants.sol";
import {OP_INPUT} from "../generated/ProtocolConstants.sol";
import {OP_MATMUL} from "../generated/ProtocolConstants.sol";
import {OP_TRANSPOSE} from "../generated/ProtocolConstants.sol";
import {TILE_BYTES} from "../generated/ProtocolConstants.sol";
import {Dimensions} from "./Dimensions.sol";
import {NodeLeaf} from "./NodeLeaf.sol";
import {Parameters} from "./Parameters.sol";
import {Tiles} from "./Tiles.sol";

/// @title Sizes of a node at given values of the program's symbols: what the registry adds up and
/// compares. Spec: programs, 1.5, 1.6, 1.10 and 1.13.
library NodeSizes {
    struct Sizes {
        uint256 outputElements;
        uint256 inputElements; // of input 0; an addend has the output's
        uint256 terms; // of one element
        uint256 opened; // bound on the bytes that one step opens
        uint256 tensorBytes;
        uint8 inputDtype; // that input 0 must have
        uint8 addendDtype; // that input 1 must have; 0: there is none
    }

    /// Expects a leaf that `NodeLeaf.check` accepted, with its parameters at `start`.
    function measure(bytes calldata leaf, uint256 start, uint32[] memory values) internal pure returns (Sizes memory) {
        uint8 op = NodeLeaf.op(leaf);
        if (op == OP_MATMUL) return _matmul(Parameters.matmul(leaf, start, values));
        if (op == OP_CONV) return _conv(Parameters.conv(leaf, start, values));
        if (op == OP_INPUT) return _input(Parameters.inputElements(leaf, start, values));
        if (op == OP_TRANSPOSE) return _transpose(Parameters.transpose(leaf, start, values), NodeLeaf.dtype(leaf));
        return _pool(Parameters.pool(leaf, start, values), NodeLeaf.dtype(leaf));
    }

    function _input(uint256 elements) private pure returns (Sizes memory s) {
        s.outputElements = elements;
    }

    function _matmul(Parameters.Matmul memory m) private pure returns (Sizes memory s) {
        s.outputElements = Dimensions.times(m.rows, m.outputs);
        s.inputElements = Dimensions.times(m.rows, m.rowElements);
        s.terms = m.terms;
        s.opened = _run(m.terms, s.inputElements);
        _linear(s, m.outputs, m.tail);
    }

    function _conv(Parameters.Conv memory c) private pure returns (Sizes memory s) {
        s.outputElements = Dimensions.times(Dimensions.times(c.outHeight, c.outWidth), c.outputs);
        s.inputElements = Dimensions.times(Dimensions.times(c.height, c.width), c.channels);
        s.terms = c.window.height * c.window.width * (c.channels / c.groups);
        uint256 row = ((c.window.width - 1) * c.window.dilationWidth + 1) * c.channels;
        uint256 rows = c.window.height * _run(row, s.inputElements);
        uint256 all = Tiles.tileCount(s.inputElements) * TILE_BYTES;
        s.opened = rows < all ? rows : all;
        _linear(s, c.outputs, c.tail);
    }

    /// Adds what a linear node has beside its input.
    function _linear(Sizes memory s, uint256 outputs, Parameters.Tail memory tail) private pure {
        uint256 weights = Dimensions.times(outputs, s.terms);
        uint256 constants = Dimensions.times(outputs, 4);
        s.inputDtype = DTYPE_I8;
        s.addendDtype = tail.addend;
        s.opened += _run(s.terms, weights) + TILE_BYTES;
        s.tensorBytes = weights + 4 * constants;
        if (tail.addend != 0) s.opened += TILE_BYTES;
        if (tail.table) {
            s.opened += TILE_BYTES;
            s.tensorBytes += 256;
        }
    }

    /// A maximum keeps its input's type; a sum, known by its multiplier, reads int8.
    function _pool(Parameters.Pool memory p, uint8 dtype) private pure returns (Sizes memory s) {
        s.outputElements = Dimensions.times(Dimensions.times(p.outHeight, p.outWidth), p.channels);
        s.inputElements = Dimensions.times(Dimensions.times(p.height, p.width), p.channels);
        s.terms = p.window.height * p.window.width;
        s.inputDtype = p.multiplier == 0 ? dtype : DTYPE_I8;
        uint256 tiles = Tiles.tileCount(s.inputElements * Parameters.dtypeBytes(s.inputDtype));
        s.opened = (s.terms < tiles ? s.terms : tiles) * TILE_BYTES;
    }

    function _transpose(Parameters.Transpose memory t, uint8 dtype) private pure returns (Sizes memory s) {
        s.outputElements = t.elements;
        s.inputElements = t.elements;
        s.terms = 1;
        s.opened = TILE_BYTES;
        s.inputDtype = dtype;
    }

    /// Bound on the bytes of the tiles that `length` contiguous bytes of a tensor of `total` bytes touch.
    function _run(uint256 length, uint256 total) private pure returns (uint256) {
        uint256 touched = (length + TILE_BYTES - 2) / TILE_BYTES + 1;
        uint256 tiles = Tiles.tileCount(total);
        return (touched < tiles ? touched : tiles) * TILE_BYTES;
    }
}

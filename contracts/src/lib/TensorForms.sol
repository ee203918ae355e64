// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {DTYPE_I16} from "../generated/ProtocolConstants.sol";
import {DTYPE_I8} from "../generated/ProtocolConstants.sol";
import {OP_EMBEDDING} from "../generated/ProtocolConstants.sol";
import {OP_MATMUL} from "../generated/ProtocolConstants.sol";
import {OP_NORMALIZE} from "../generated/ProtocolConstants.sol";
import {OP_POINTWISE} from "../generated/ProtocolConstants.sol";
import {Forms} from "./Forms.sol";
import {NodeLeaf} from "./NodeLeaf.sol";
import {Parameters} from "./Parameters.sol";

/// @title What the tensors of a node are: how many bytes, of which form.
/// @dev Expects a node leaf that the registry accepted and a slot below its number of tensors.
/// Spec: programs, 1.10, 1.13, 1.17, 1.20 and 1.21.
library TensorForms {
    /// Forms that are no types: rows of bias, M, A, s.
    uint8 private constant ROWS = 0;
    /// The same with A = 0 and an M of either sign.
    uint8 private constant COLUMNS = 4;
    /// i16 from 0 on.
    uint8 private constant EXPONENTIAL = 5;

    uint256 private constant ROW_BYTES = 16;

    /// Bytes of tensor `slot`, and its form: DTYPE_* of its elements, ROWS, COLUMNS or EXPONENTIAL.
    function describe(bytes calldata leaf, uint256 slot) internal pure returns (uint256 length, uint8 form) {
        if (NodeLeaf.op(leaf) == OP_POINTWISE) return _pointwise(leaf, slot);
        uint256 start = NodeLeaf.parametersOffset(leaf);
        if (NodeLeaf.op(leaf) == OP_NORMALIZE) return (Parameters.read(leaf, start + 8, 4) * ROW_BYTES, COLUMNS);
        if (NodeLeaf.op(leaf) == OP_EMBEDDING) {
            length = Parameters.read(leaf, start + 8, 4) * Parameters.read(leaf, start + 12, 4);
            return (length * NodeLeaf.elementBytes(leaf), NodeLeaf.dtype(leaf));
        }
        // A linear node: weights, constants, [table].
        if (slot == 2) return (Parameters.LOOKUP_BYTES, DTYPE_I8);
        uint256 outputs = Parameters.read(leaf, start + 20, 4);
        if (slot == 1) return (outputs * ROW_BYTES, ROWS);
        if (NodeLeaf.op(leaf) == OP_MATMUL) return (outputs * Parameters.read(leaf, start + 16, 4), DTYPE_I8);
        uint256 channels = Parameters.read(leaf, start + 16, 4) / Parameters.read(leaf, start + 24, 4);
        uint256 cells = Parameters.read(leaf, start + 28, 2) * Parameters.read(leaf, start + 30, 2);
        return (outputs * cells * channels, DTYPE_I8);
    }

    /// Whether the bytes of a tile, cut from a tensor of form `form`, hold values of it alone.
    function holds(bytes calldata tile, uint8 form) internal pure returns (bool) {
        if (form == ROWS) return Forms.constants(tile) == Forms.NONE;
        if (form == COLUMNS) return Forms.columns(tile) == Forms.NONE;
        if (form == EXPONENTIAL) return Forms.exponential(tile) == Forms.NONE;
        return Forms.values(tile, form) == Forms.NONE;
    }

    /// [constant], [table].
    function _pointwise(bytes calldata leaf, uint256 slot) private pure returns (uint256 length, uint8 form) {
        uint256 start = NodeLeaf.parametersOffset(leaf);
        uint256 second = start + Parameters.SECOND_AT;
        if (slot == 0 && Parameters.read(leaf, second, 1) == Parameters.SECOND_CONSTANT) {
            form = uint8(Parameters.read(leaf, second + 1, 1));
            length = Parameters.read(leaf, second + 7, 4) * Parameters.dtypeBytes(form);
        } else {
            uint256 activation = Parameters.read(leaf, start + Parameters.ACTIVATION_AT, 1);
            length = Parameters.tableBytes(activation);
            form = activation == Parameters.LOOKUP ? DTYPE_I8 : DTYPE_I16;
            if (activation == Parameters.EXPONENTIAL) form = EXPONENTIAL;
        }
    }
}

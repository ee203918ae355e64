// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {DTYPE_I16} from "../generated/ProtocolConstants.sol";
import {DTYPE_I8} from "../generated/ProtocolConstants.sol";
import {OP_MATMUL} from "../generated/ProtocolConstants.sol";
import {OP_POINTWISE} from "../generated/ProtocolConstants.sol";
import {NodeLeaf} from "./NodeLeaf.sol";
import {Parameters} from "./Parameters.sol";

/// @title What the tensors of a node are: how many bytes, of which type.
/// @dev Expects a node leaf that the registry accepted and a slot below its number of tensors.
/// Spec: programs, 1.10.
library TensorForms {
    /// In place of a type: rows of bias, M, A, s.
    uint8 internal constant ROWS = 0;

    uint256 private constant ROW_BYTES = 16;

    /// Bytes of tensor `slot`, and DTYPE_* of its elements or ROWS.
    function describe(bytes calldata leaf, uint256 slot) internal pure returns (uint256 length, uint8 dtype) {
        if (NodeLeaf.op(leaf) == OP_POINTWISE) return _pointwise(leaf, slot);
        // A linear node: weights, constants, [table].
        if (slot == 2) return (Parameters.LOOKUP_BYTES, DTYPE_I8);
        uint256 start = NodeLeaf.parametersOffset(leaf);
        uint256 outputs = Parameters.read(leaf, start + 20, 4);
        if (slot == 1) return (outputs * ROW_BYTES, ROWS);
        if (NodeLeaf.op(leaf) == OP_MATMUL) return (outputs * Parameters.read(leaf, start + 16, 4), DTYPE_I8);
        uint256 channels = Parameters.read(leaf, start + 16, 4) / Parameters.read(leaf, start + 24, 4);
        uint256 cells = Parameters.read(leaf, start + 28, 2) * Parameters.read(leaf, start + 30, 2);
        return (outputs * cells * channels, DTYPE_I8);
    }

    /// [constant], [table].
    function _pointwise(bytes calldata leaf, uint256 slot) private pure returns (uint256 length, uint8 dtype) {
        uint256 second = NodeLeaf.parametersOffset(leaf) + Parameters.SECOND_AT;
        if (slot == 0 && Parameters.read(leaf, second, 1) == Parameters.SECOND_CONSTANT) {
            dtype = uint8(Parameters.read(leaf, second + 1, 1));
            length = Parameters.read(leaf, second + 7, 4) * Parameters.dtypeBytes(dtype);
        } else {
            // The kind of table is the leaf's last byte.
            uint256 table = Parameters.read(leaf, leaf.length - 1, 1);
            (length, dtype) = (Parameters.tableBytes(table), table == Parameters.LOOKUP ? DTYPE_I8 : DTYPE_I16);
        }
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {DTYPE_I32} from "../generated/ProtocolConstants.sol";
import {INTERIOR_BIT} from "../generated/ProtocolConstants.sol";
import {OP_AVG_POOL} from "../generated/ProtocolConstants.sol";
import {OP_BATCH_MATMUL} from "../generated/ProtocolConstants.sol";
import {OP_CONCAT} from "../generated/ProtocolConstants.sol";
import {OP_CONV} from "../generated/ProtocolConstants.sol";
import {OP_EMBEDDING} from "../generated/ProtocolConstants.sol";
import {OP_INPUT} from "../generated/ProtocolConstants.sol";
import {OP_MATMUL} from "../generated/ProtocolConstants.sol";
import {OP_MAX_POOL} from "../generated/ProtocolConstants.sol";
import {OP_MOVE} from "../generated/ProtocolConstants.sol";
import {OP_NORMALIZE} from "../generated/ProtocolConstants.sol";
import {OP_POINTWISE} from "../generated/ProtocolConstants.sol";
import {OP_REDUCE} from "../generated/ProtocolConstants.sol";
import {TAG_NODE_LEAF} from "../generated/ProtocolConstants.sol";
import {Parameters} from "./Parameters.sol";
import {RowParameters} from "./RowParameters.sol";

/// @title The canonical bytes of a node.
/// @dev op u8, type u8, inputs u8, tensors u8, running MACs u64, segment u32, place u32, then input names
/// u32 each, tensor roots, parameters. `check` refuses every leaf whose counts or length are not those of its
/// operator; the other functions expect a checked leaf. Spec: programs, 1.9, 1.10 and 1.22.
library NodeLeaf {
    uint256 private constant HEAD_BYTES = 20;

    /// The leaf ends before its fields do, or bytes follow them.
    error LeafLength(uint256 expected, uint256 actual);
    error LeafOperator(uint8 actual);
    /// Types are 1 (i8), 2 (i16), 3 (i32).
    error LeafDtype(uint8 actual);
    error LeafInputs(uint8 op, uint256 expected, uint256 actual);
    error LeafTensors(uint8 op, uint256 expected, uint256 actual);

    /// keccak256(0x03, leaf).
    function hash(bytes calldata leaf) internal pure returns (bytes32 result) {
        uint256 tag = TAG_NODE_LEAF;
        assembly ("memory-safe") {
            let start := mload(0x40)
            mstore8(start, tag)
            calldatacopy(add(start, 1), leaf.offset, leaf.length)
            result := keccak256(start, add(leaf.length, 1))
        }
    }

    /// Refuses a leaf whose operator, type, counts or length are not canonical; returns the
    /// offset of its parameters.
    function check(bytes calldata leaf) internal pure returns (uint256 parametersAt) {
        if (leaf.length < HEAD_BYTES) revert LeafLength(HEAD_BYTES, leaf.length);
        uint8 code = op(leaf);
        if (dtype(leaf) == 0 || DTYPE_I32 < dtype(leaf)) revert LeafDtype(dtype(leaf));
        parametersAt = parametersOffset(leaf);
        (uint256 inputs, uint256 tensors, uint256 length) = _expected(leaf, code, parametersAt);
        if (inputCount(leaf) != inputs) revert LeafInputs(code, inputs, inputCount(leaf));
        if (tensorCount(leaf) != tensors) revert LeafTensors(code, tensors, tensorCount(leaf));
        if (leaf.length != parametersAt + length) revert LeafLength(parametersAt + length, leaf.length);
    }

    function op(bytes calldata leaf) internal pure returns (uint8) {
        return uint8(Parameters.read(leaf, 0, 1));
    }

    /// DTYPE_* of the output.
    function dtype(bytes calldata leaf) internal pure returns (uint8) {
        return uint8(Parameters.read(leaf, 1, 1));
    }

    function inputCount(bytes calldata leaf) internal pure returns (uint256) {
        return Parameters.read(leaf, 2, 1);
    }

    function tensorCount(bytes calldata leaf) internal pure returns (uint256) {
        return Parameters.read(leaf, 3, 1);
    }

    /// Running total of multiplications, this node included.
    function macs(bytes calldata leaf) internal pure returns (uint64) {
        return uint64(Parameters.read(leaf, 4, 8));
    }

    /// Number of the segment that the node is in.
    function segment(bytes calldata leaf) internal pure returns (uint32) {
        return uint32(Parameters.read(leaf, 12, 4));
    }

    /// Nodes of the segment before this one, plus INTERIOR_BIT for an interior node.
    function place(bytes calldata leaf) internal pure returns (uint32) {
        return uint32(Parameters.read(leaf, 16, 4));
    }

    /// The trace tree does not hold the node's root; its segment does, when a game asks.
    function isInterior(bytes calldata leaf) internal pure returns (bool) {
        return place(leaf) & INTERIOR_BIT != 0;
    }

    /// Nodes of the segment before this one.
    function offsetInSegment(bytes calldata leaf) internal pure returns (uint32) {
        return place(leaf) & ~INTERIOR_BIT;
    }

    /// Name of the node that makes input `slot`: the number of a committed one, or INTERIOR_BIT with
    /// the place in the leaf's own segment.
    function input(bytes calldata leaf, uint256 slot) internal pure returns (uint32) {
        return uint32(Parameters.read(leaf, HEAD_BYTES + 4 * slot, 4));
    }

    /// Root of tensor `slot` of the node.
    function tensorRoot(bytes calldata leaf, uint256 slot) internal pure returns (bytes32) {
        return bytes32(Parameters.read(leaf, HEAD_BYTES + 4 * inputCount(leaf) + 32 * slot, 32));
    }

    /// Where the parameters start.
    function parametersOffset(bytes calldata leaf) internal pure returns (uint256) {
        return HEAD_BYTES + 4 * inputCount(leaf) + 32 * tensorCount(leaf);
    }

    /// Bytes of one element of the output.
    function elementBytes(bytes calldata leaf) internal pure returns (uint256) {
        return Parameters.dtypeBytes(dtype(leaf));
    }

    /// Inputs, tensors and bytes of parameters that a leaf of operator `code` has.
    function _expected(bytes calldata leaf, uint8 code, uint256 start)
        private
        pure
        returns (uint256 inputs, uint256 tensors, uint256 length)
    {
        if (code == OP_MATMUL || code == OP_CONV) {
            length = code == OP_MATMUL ? Parameters.MATMUL_BYTES : Parameters.CONV_BYTES;
            if (leaf.length != start + length) revert LeafLength(start + length, leaf.length);
            uint256 tailAt = start + length - Parameters.TAIL_BYTES;
            inputs = Parameters.read(leaf, tailAt, 1) == 0 ? 1 : 2;
            if (code == OP_MATMUL && Parameters.read(leaf, start + Parameters.MATMUL_FACTOR_AT, 1) != 0) ++inputs;
            tensors = Parameters.read(leaf, leaf.length - 1, 1) == 0 ? 2 : 3;
        } else if (code == OP_MAX_POOL) {
            (inputs, length) = (1, Parameters.POOL_BYTES);
        } else if (code == OP_AVG_POOL) {
            (inputs, length) = (1, Parameters.AVG_POOL_BYTES);
        } else if (code == OP_POINTWISE) {
            length = Parameters.POINTWISE_BYTES;
            if (leaf.length != start + length) revert LeafLength(start + length, leaf.length);
            uint256 source = Parameters.read(leaf, start + Parameters.SECOND_AT, 1);
            inputs = source == Parameters.SECOND_INPUT ? 2 : 1;
            uint256 activation = Parameters.read(leaf, start + Parameters.ACTIVATION_AT, 1);
            tensors = Parameters.tableBytes(activation) == 0 ? 0 : 1;
            if (source == Parameters.SECOND_CONSTANT) ++tensors;
        } else if (code == OP_BATCH_MATMUL) {
            length = RowParameters.BATCH_MATMUL_BYTES;
            if (leaf.length != start + length) revert LeafLength(start + length, leaf.length);
            inputs = Parameters.read(leaf, start + RowParameters.BATCH_FACTOR_AT, 1) == 0 ? 2 : 3;
        } else if (code == OP_REDUCE) {
            (inputs, length) = (1, RowParameters.REDUCE_BYTES);
        } else if (code == OP_NORMALIZE) {
            (tensors, length) = (1, RowParameters.NORMALIZE_BYTES);
            if (leaf.length != start + length) revert LeafLength(start + length, leaf.length);
            uint256 centerAt = start + RowParameters.NORMALIZE_CENTER_AT;
            inputs = Parameters.read(leaf, centerAt, 1) == 0 ? 1 : 2;
            if (Parameters.read(leaf, centerAt + 1, 1) != 0) ++inputs;
        } else if (code == OP_EMBEDDING) {
            (inputs, tensors, length) = (1, 1, RowParameters.EMBEDDING_BYTES);
        } else if (code == OP_MOVE || code == OP_CONCAT || code == OP_INPUT) {
            if (leaf.length <= start) revert LeafLength(start + 1, leaf.length);
            // The rank, or the number of inputs.
            uint256 count = Parameters.read(leaf, start, 1);
            if (code == OP_INPUT) length = 1 + 8 * count;
            else if (code == OP_MOVE) (inputs, length) = (1, 5 + 30 * count);
            else (inputs, length) = (count, 9 + 8 * count);
        } else {
            revert LeafOperator(code);
        }
    }
}

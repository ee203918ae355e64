// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {BIAS_MAX} from "../generated/ProtocolConstants.sol";
import {DTYPE_I16} from "../generated/ProtocolConstants.sol";
import {DTYPE_I8} from "../generated/ProtocolConstants.sol";
import {FACTOR_BITS} from "../generated/ProtocolConstants.sol";
import {MULTIPLIER_MAX} from "../generated/ProtocolConstants.sol";
import {SHIFT_MAX} from "../generated/ProtocolConstants.sol";
import {ILeaf} from "../interfaces/ILeaf.sol";
import {Opening} from "../interfaces/ILeaf.sol";
import {NodeLeaf} from "../lib/NodeLeaf.sol";
import {Opened} from "../lib/Opened.sol";
import {Parameters} from "../lib/Parameters.sol";

/// @title What the leaf contracts share: the frame of an evaluation, elements, constants, row factors.
abstract contract Leaf is ILeaf {
    using Opened for Opened.Reads;

    /// The value of an element whose constants break 1.13, 1.17, 1.20 or 1.21: no claimed value equals it.
    int256 internal constant FORM_VIOLATION = type(int256).max;

    uint256 private constant CONSTANTS_BYTES = 16;

    /// Bias, M, A and s of an output channel or a column.
    struct Constants {
        int256 bias;
        int256 multiplier;
        int256 addend;
        uint256 shift; // 0 where they are not well formed
        bool wellFormed;
    }

    /// Checks the leaf's bytes and the number of openings; returns where the parameters start and
    /// an empty slot for each root.
    function _enter(bytes calldata nodeLeaf, Opening[] calldata openings)
        internal
        pure
        returns (uint256 start, bytes32[] memory roots)
    {
        start = NodeLeaf.check(nodeLeaf);
        uint256 count = NodeLeaf.inputCount(nodeLeaf) + NodeLeaf.tensorCount(nodeLeaf);
        if (openings.length != count) revert OpeningCount(count, openings.length);
        roots = new bytes32[](count);
    }

    /// Compares the roots of tensors, behind those of inputs, with the node leaf's.
    function _checkTensors(bytes calldata nodeLeaf, bytes32[] memory roots) internal pure {
        uint256 inputs = NodeLeaf.inputCount(nodeLeaf);
        for (uint256 i = inputs; i < roots.length; ++i) {
            bytes32 expected = NodeLeaf.tensorRoot(nodeLeaf, i - inputs);
            if (roots[i] != expected) revert TensorRoot(i - inputs, expected, roots[i]);
        }
    }

    function _checkElement(uint256 element, uint256 elements) internal pure {
        if (elements <= element) revert ElementOutside(elements, element);
    }

    /// Element `index` of the opened tensor of `elements` elements, and the root of its opening.
    function _one(Opening[] calldata openings, uint256 slot, uint256 index, uint256 elements, uint8 dtype)
        internal
        pure
        returns (int256 value, bytes32 root)
    {
        uint256 size = Parameters.dtypeBytes(dtype);
        Opened.Reads memory reads = Opened.start(openings[slot]);
        value = reads.element(index, size);
        root = reads.root(openings[slot], slot, elements * size);
    }

    /// Four constants of a column in a row of `columns`, and the root of their opening. Well formed are those
    /// with M of at least `leastMultiplier` and A of at most `mostAddend` (1.13 and 1.20).
    function _constants(
        Opening[] calldata openings,
        uint256 slot,
        uint256 column,
        uint256 columns,
        int256 leastMultiplier,
        int256 mostAddend
    ) internal pure returns (Constants memory c, bytes32 root) {
        Opened.Reads memory reads = Opened.start(openings[slot]);
        c.bias = reads.element(4 * column, 4);
        c.multiplier = reads.element(4 * column + 1, 4);
        c.addend = reads.element(4 * column + 2, 4);
        int256 shift = reads.element(4 * column + 3, 4);
        root = reads.root(openings[slot], slot, columns * CONSTANTS_BYTES);
        c.wellFormed = _within(c.bias, -int256(uint256(BIAS_MAX)), int256(uint256(BIAS_MAX)))
            && _within(c.multiplier, leastMultiplier, int256(uint256(MULTIPLIER_MAX)))
            && _within(c.addend, 0, mostAddend) && _within(shift, 1, int256(uint256(SHIFT_MAX)));
        if (c.wellFormed) c.shift = uint256(shift);
    }

    /// (wide + 2^(shift-1)) >> shift; `shift` is at least 1.
    function _round(int256 wide, uint256 shift) internal pure returns (int256) {
        return (wide + int256(1 << (shift - 1))) >> shift;
    }

    /// 2.21: (t*factor + offset*2^15 + 2^(shift-1)) >> shift with t clamped to i32.
    function _scaleByRow(int256 t, int256 factor, int256 offset, uint256 shift) internal pure returns (int256) {
        t = _clamp(t, type(int32).min, type(int32).max);
        return _round(t * factor + (offset << FACTOR_BITS), shift);
    }

    function _clamp(int256 value, int256 lo, int256 hi) internal pure returns (int256) {
        if (value < lo) return lo;
        return hi < value ? hi : value;
    }

    function _within(int256 value, int256 least, int256 most) internal pure returns (bool) {
        return least <= value && value <= most;
    }

    /// Every pattern but -128 of i8 and -32768 of i16 is a value (1.4).
    function _isValue(int256 value, uint8 dtype) internal pure returns (bool) {
        if (dtype == DTYPE_I8) return value != -128;
        return dtype != DTYPE_I16 || value != -32_768;
    }
}

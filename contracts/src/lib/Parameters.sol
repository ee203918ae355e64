// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {DTYPE_I16} from "../generated/ProtocolConstants.sol";
import {DTYPE_I32} from "../generated/ProtocolConstants.sol";
import {DTYPE_I8} from "../generated/ProtocolConstants.sol";
import {EXTENT_MAX} from "../generated/ProtocolConstants.sol";
import {INT8_MAX} from "../generated/ProtocolConstants.sol";
import {MULTIPLIER_MAX} from "../generated/ProtocolConstants.sol";
import {OP_AVG_POOL} from "../generated/ProtocolConstants.sol";
import {RANK_MAX} from "../generated/ProtocolConstants.sol";
import {SHIFT_MAX} from "../generated/ProtocolConstants.sol";
import {TERMS_MAX} from "../generated/ProtocolConstants.sol";
import {Dimensions} from "./Dimensions.sol";

/// @title Parameters of each operator, decoded and held to their limits.
/// @dev Every function takes a leaf whose length `NodeLeaf.check` found right, the offset of its
/// parameters, and the values of the program's symbols. What it returns obeys 1.5, 1.11 and 1.12.
/// Spec: programs, 1.10 to 1.12.
library Parameters {
    uint256 internal constant TAIL_BYTES = 10;
    uint256 internal constant MATMUL_BYTES = 34;
    uint256 internal constant CONV_BYTES = 58;
    uint256 internal constant POOL_BYTES = 40;
    uint256 internal constant AVG_POOL_BYTES = 51;

    /// A field of a window, counted in the order of 1.10 from 0 (kh), lies outside [least, most].
    error WindowField(uint256 field, uint256 least, uint256 most, uint256 actual);
    /// The padded input is smaller than the dilated kernel.
    error WindowLarger(uint256 kernel, uint256 padded);
    /// A size (C, O, groups, row_elements, k_len) is at least 1.
    error SizeZero();
    /// groups divides C and O.
    error GroupsUneven(uint256 groups, uint256 channels);
    /// k_offset + k_len is at most row_elements.
    error SliceOutside(uint256 most, uint256 actual);
    /// Terms of one element.
    error TermsTooMany(uint256 most, uint256 actual);
    /// lo or hi lies outside [least, most], or hi below lo.
    error ClampBound(int256 least, int256 most, int256 actual);
    /// An addend or output type that does not exist here.
    error DtypeUnknown(uint8 actual);
    /// Flags are 0 or 1.
    error FlagUnknown(uint256 actual);
    /// Multiplier of an average pool is 1 to `most`.
    error MultiplierOutside(uint256 most, uint256 actual);
    /// Shift of an average pool is 1 to `most`.
    error ShiftOutside(uint256 most, uint256 actual);
    error RankOutside(uint256 most, uint256 actual);
    /// Axis numbers are a permutation.
    error AxisRepeatedOrOutside(uint256 rank, uint256 actual);

    struct Tail {
        uint8 addend; // 0: none, else the type of the second input
        int256 lo;
        int256 hi;
        bool table;
    }

    struct Window {
        uint256 height;
        uint256 width;
        uint256 strideHeight;
        uint256 strideWidth;
        uint256 padTop;
        uint256 padLeft;
        uint256 padBottom;
        uint256 padRight;
        uint256 dilationHeight;
        uint256 dilationWidth;
    }

    struct Matmul {
        uint256 rows;
        uint256 rowElements;
        uint256 offset;
        uint256 terms;
        uint256 outputs;
        Tail tail;
    }

    struct Conv {
        uint256 height;
        uint256 width;
        uint256 channels;
        uint256 outputs;
        uint256 groups;
        Window window;
        uint256 outHeight;
        uint256 outWidth;
        Tail tail;
    }

    struct Pool {
        uint256 height;
        uint256 width;
        uint256 channels;
        Window window;
        uint256 outHeight;
        uint256 outWidth;
        // Of an average pool only.
        uint256 multiplier;
        uint256 shift;
        int256 lo;
        int256 hi;
    }

    struct Transpose {
        uint256[] axes; // output axis j is input axis axes[j]
        uint256[] extents; // of the input
        uint256 elements;
    }

    /// `size` (1 to 32) big-endian bytes at `at`. Bytes beyond the leaf must not be asked for.
    function read(bytes calldata leaf, uint256 start, uint256 size) internal pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := shr(shl(3, sub(32, size)), calldataload(add(leaf.offset, start)))
        }
    }

    /// Bytes of one element.
    function dtypeBytes(uint8 dtype) internal pure returns (uint256) {
        if (dtype == DTYPE_I8) return 1;
        if (dtype == DTYPE_I16) return 2;
        if (dtype == DTYPE_I32) return 4;
        revert DtypeUnknown(dtype);
    }

    function matmul(bytes calldata leaf, uint256 start, uint32[] memory values)
        internal
        pure
        returns (Matmul memory m)
    {
        m.rows = Dimensions.value(read(leaf, start, 8), values);
        m.rowElements = read(leaf, start + 8, 4);
        m.offset = read(leaf, start + 12, 4);
        m.terms = read(leaf, start + 16, 4);
        m.outputs = read(leaf, start + 20, 4);
        m.tail = _tail(leaf, start + 24);
        if (m.terms == 0 || m.outputs == 0) revert SizeZero();
        if (TERMS_MAX < m.terms) revert TermsTooMany(TERMS_MAX, m.terms);
        if (m.rowElements < m.offset + m.terms) revert SliceOutside(m.rowElements, m.offset + m.terms);
    }

    function conv(bytes calldata leaf, uint256 start, uint32[] memory values) internal pure returns (Conv memory c) {
        c.height = Dimensions.value(read(leaf, start, 8), values);
        c.width = Dimensions.value(read(leaf, start + 8, 8), values);
        c.channels = read(leaf, start + 16, 4);
        c.outputs = read(leaf, start + 20, 4);
        c.groups = read(leaf, start + 24, 4);
        c.window = _window(leaf, start + 28);
        c.tail = _tail(leaf, start + 48);
        if (c.channels == 0 || c.outputs == 0 || c.groups == 0) revert SizeZero();
        if (c.channels % c.groups != 0) revert GroupsUneven(c.groups, c.channels);
        if (c.outputs % c.groups != 0) revert GroupsUneven(c.groups, c.outputs);
        (c.outHeight, c.outWidth) = _outputs(c.window, c.height, c.width);
        uint256 terms = c.window.height * c.window.width * (c.channels / c.groups);
        if (TERMS_MAX < terms) revert TermsTooMany(TERMS_MAX, terms);
    }

    /// Either pool; the fields of an average pool are 0 for a maximum.
    function pool(bytes calldata leaf, uint256 start, uint32[] memory values) internal pure returns (Pool memory p) {
        p.height = Dimensions.value(read(leaf, start, 8), values);
        p.width = Dimensions.value(read(leaf, start + 8, 8), values);
        p.channels = read(leaf, start + 16, 4);
        p.window = _window(leaf, start + 20);
        if (p.channels == 0) revert SizeZero();
        _checkPool(p.window);
        (p.outHeight, p.outWidth) = _outputs(p.window, p.height, p.width);
        uint256 terms = p.window.height * p.window.width;
        if (TERMS_MAX < terms) revert TermsTooMany(TERMS_MAX, terms);
        if (read(leaf, 0, 1) != OP_AVG_POOL) return p;
        p.multiplier = read(leaf, start + 40, 2);
        p.shift = read(leaf, start + 42, 1);
        if (p.multiplier == 0 || MULTIPLIER_MAX < p.multiplier) revert MultiplierOutside(MULTIPLIER_MAX, p.multiplier);
        if (p.shift == 0 || SHIFT_MAX < p.shift) revert ShiftOutside(SHIFT_MAX, p.shift);
        (p.lo, p.hi) = _clamp(leaf, start + 43, false);
    }

    function transpose(bytes calldata leaf, uint256 start, uint32[] memory values)
        internal
        pure
        returns (Transpose memory t)
    {
        uint256 rank = _rank(leaf, start);
        t.axes = new uint256[](rank);
        t.extents = new uint256[](rank);
        t.elements = 1;
        uint256 seen = 0;
        for (uint256 i = 0; i < rank; ++i) {
            uint256 axis = read(leaf, start + 1 + i, 1);
            if (rank <= axis || (seen >> axis) & 1 == 1) revert AxisRepeatedOrOutside(rank, axis);
            seen |= 1 << axis;
            t.axes[i] = axis;
            t.extents[i] = Dimensions.value(read(leaf, start + 1 + rank + 8 * i, 8), values);
            t.elements = Dimensions.times(t.elements, t.extents[i]);
        }
    }

    /// Elements of the program's input.
    function inputElements(bytes calldata leaf, uint256 start, uint32[] memory values)
        internal
        pure
        returns (uint256 elements)
    {
        uint256 rank = _rank(leaf, start);
        elements = 1;
        for (uint256 i = 0; i < rank; ++i) {
            elements = Dimensions.times(elements, Dimensions.value(read(leaf, start + 1 + 8 * i, 8), values));
        }
    }

    function _rank(bytes calldata leaf, uint256 start) private pure returns (uint256 rank) {
        rank = read(leaf, start, 1);
        if (rank == 0 || RANK_MAX < rank) revert RankOutside(RANK_MAX, rank);
    }

    function _tail(bytes calldata leaf, uint256 start) private pure returns (Tail memory t) {
        t.addend = uint8(read(leaf, start, 1));
        if (DTYPE_I32 < t.addend) revert DtypeUnknown(t.addend);
        uint256 table = read(leaf, start + 9, 1);
        if (1 < table) revert FlagUnknown(table);
        t.table = table == 1;
        (t.lo, t.hi) = _clamp(leaf, start + 1, t.table);
    }

    /// lo and hi at `at`, within the output's type (1.4), or -128..=127 in front of a table.
    function _clamp(bytes calldata leaf, uint256 start, bool table) private pure returns (int256 lo, int256 hi) {
        lo = int32(uint32(read(leaf, start, 4)));
        hi = int32(uint32(read(leaf, start + 4, 4)));
        uint8 dtype = uint8(read(leaf, 1, 1));
        if (table && dtype != DTYPE_I8) revert DtypeUnknown(dtype);
        int256 most;
        if (dtype == DTYPE_I8) most = int256(uint256(INT8_MAX));
        else if (dtype == DTYPE_I16) most = 32_767;
        else most = type(int32).max;
        int256 least = table || dtype == DTYPE_I32 ? -most - 1 : -most;
        if (lo < least || most < lo) revert ClampBound(least, most, lo);
        if (hi < lo || most < hi) revert ClampBound(lo, most, hi);
    }

    function _window(bytes calldata leaf, uint256 start) private pure returns (Window memory w) {
        w.height = _field(leaf, start, 0, 1);
        w.width = _field(leaf, start, 1, 1);
        w.strideHeight = _field(leaf, start, 2, 1);
        w.strideWidth = _field(leaf, start, 3, 1);
        w.padTop = _field(leaf, start, 4, 0);
        w.padLeft = _field(leaf, start, 5, 0);
        w.padBottom = _field(leaf, start, 6, 0);
        w.padRight = _field(leaf, start, 7, 0);
        w.dilationHeight = _field(leaf, start, 8, 1);
        w.dilationWidth = _field(leaf, start, 9, 1);
    }

    function _field(bytes calldata leaf, uint256 start, uint256 field, uint256 least) private pure returns (uint256 v) {
        v = read(leaf, start + 2 * field, 2);
        if (v < least || EXTENT_MAX < v) revert WindowField(field, least, EXTENT_MAX, v);
    }

    /// Pads of a pool are smaller than the kernel, so that each window has a cell inside.
    function _checkPool(Window memory w) private pure {
        if (w.dilationHeight != 1) revert WindowField(8, 1, 1, w.dilationHeight);
        if (w.dilationWidth != 1) revert WindowField(9, 1, 1, w.dilationWidth);
        if (w.height <= w.padTop) revert WindowField(4, 0, w.height - 1, w.padTop);
        if (w.width <= w.padLeft) revert WindowField(5, 0, w.width - 1, w.padLeft);
        if (w.height <= w.padBottom) revert WindowField(6, 0, w.height - 1, w.padBottom);
        if (w.width <= w.padRight) revert WindowField(7, 0, w.width - 1, w.padRight);
    }

    function _outputs(Window memory w, uint256 height, uint256 width) private pure returns (uint256, uint256) {
        return (
            _output(height + w.padTop + w.padBottom, w.dilationHeight * (w.height - 1) + 1, w.strideHeight),
            _output(width + w.padLeft + w.padRight, w.dilationWidth * (w.width - 1) + 1, w.strideWidth)
        );
    }

    function _output(uint256 padded, uint256 kernel, uint256 stride) private pure returns (uint256) {
        if (padded < kernel) revert WindowLarger(kernel, padded);
        return (padded - kernel) / stride + 1;
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {CONCAT_INPUTS_MAX} from "../generated/ProtocolConstants.sol";
import {DTYPE_I16} from "../generated/ProtocolConstants.sol";
import {DTYPE_I32} from "../generated/ProtocolConstants.sol";
import {DTYPE_I8} from "../generated/ProtocolConstants.sol";
import {ELEMENTS_MAX} from "../generated/ProtocolConstants.sol";
import {EXTENT_MAX} from "../generated/ProtocolConstants.sol";
import {INT8_MAX} from "../generated/ProtocolConstants.sol";
import {MULTIPLIER_MAX} from "../generated/ProtocolConstants.sol";
import {OP_AVG_POOL} from "../generated/ProtocolConstants.sol";
import {RANK_MAX} from "../generated/ProtocolConstants.sol";
import {RECIPROCAL_BITS_MAX} from "../generated/ProtocolConstants.sol";
import {SHIFT_MAX} from "../generated/ProtocolConstants.sol";
import {STEP_MAX} from "../generated/ProtocolConstants.sol";
import {TERMS_MAX} from "../generated/ProtocolConstants.sol";
import {TERMS_WIDE_MAX} from "../generated/ProtocolConstants.sol";
import {Dimensions} from "./Dimensions.sol";

/// @title Parameters of each operator, decoded and held to their limits.
/// @dev Every function takes a leaf whose length `NodeLeaf.check` found right, the offset of its
/// parameters, and the values of the program's symbols. What it returns obeys 1.5, 1.11, 1.12, 1.16 and
/// 1.17, but for the number of a constant's elements, which the registry holds to the symbols' maxima.
/// `RowParameters` has the operators behind POINTWISE. Spec: programs, 1.10 to 1.12, 1.16 and 1.17.
library Parameters {
    uint256 internal constant TAIL_BYTES = 10;
    uint256 internal constant MATMUL_BYTES = 36;
    uint256 internal constant CONV_BYTES = 59;
    uint256 internal constant POOL_BYTES = 40;
    uint256 internal constant AVG_POOL_BYTES = 51;
    uint256 internal constant POINTWISE_BYTES = 44;

    /// Where the shift of the row factor of a matmul stands in its parameters.
    uint256 internal constant MATMUL_FACTOR_AT = 25;

    /// Where the second operand of a pointwise node stands in its parameters.
    uint256 internal constant SECOND_AT = 22;
    uint256 internal constant SECOND_INPUT = 1;
    uint256 internal constant SECOND_CONSTANT = 2;

    /// Where the activation of a pointwise node stands in its parameters.
    uint256 internal constant ACTIVATION_AT = 42;
    /// Bytes of its table: 256 entries i8.
    uint256 internal constant LOOKUP = 1;
    uint256 internal constant LOOKUP_BYTES = 256;
    /// 513 entries i16.
    uint256 internal constant INTERPOLATION = 2;
    uint256 internal constant INTERPOLATION_BYTES = 1_026;
    /// 512 entries i16.
    uint256 internal constant EXPONENTIAL = 3;
    uint256 internal constant EXPONENTIAL_BYTES = 1_024;
    /// Without a table.
    uint256 internal constant RECIPROCAL = 4;
    uint256 internal constant RECIPROCAL_ROOT = 5;

    uint256 private constant WALKS_AT = 5;
    uint256 private constant WALK_BYTES = 22;
    uint256 private constant SPREAD_FULL = 0;
    uint256 private constant SPREAD_COLUMN = 1;
    uint256 private constant SPREAD_ROW = 2;
    uint256 private constant SPREAD_ONE = 3;

    /// A field of a window, counted in the order of 1.10 from 0 (kh), lies outside [least, most].
    error WindowField(uint256 field, uint256 least, uint256 most, uint256 actual);
    /// The padded input is smaller than the dilated kernel.
    error WindowLarger(uint256 kernel, uint256 padded);
    /// A size (C, O, groups, row_elements, k_len) is at least 1.
    error SizeZero();
    /// groups divides C and O; the group of a batch_matmul divides its batch.
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
    /// Source axes are a permutation of the input's.
    error AxisRepeatedOrOutside(uint256 rank, uint256 actual);
    /// A field of a walk, counted in the order of 1.10 from 0 (source axis), lies outside [least, most].
    error WalkField(uint256 axis, uint256 field, int256 least, int256 most, int256 actual);
    /// The fill is a value of the output's type.
    error FillOutside(int256 least, int256 most, int256 actual);
    /// A concatenation has `least` to `most` inputs.
    error ConcatInputs(uint256 least, uint256 most, uint256 actual);
    /// A field of a matmul, a convolution (its window counts as one), a pointwise node or one of the operators behind it, counted in the order of 1.10
    /// from 0, lies outside [least, most].
    error FieldOutside(uint256 field, int256 least, int256 most, int256 actual);
    /// At most one factor of a product is i32.
    error FactorsTooWide();

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
        uint8 dtype; // of x
        uint256 factorShift; // 0: no row factor
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
        uint8 dtype; // of the input
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

    /// How an output axis walks along an axis of the input: at floor((i * numerator + offset) / denominator).
    struct Walk {
        uint256 source; // axis of the input
        bool exact; // an index that does not divide gives the fill
        int256 numerator;
        int256 offset;
        uint256 denominator;
        uint256 extent; // of the output's axis
    }

    struct Move {
        Walk[] walks; // of the output's axes
        uint256[] extents; // of the input
        uint256 inputElements;
        uint256 elements;
        int256 fill;
    }

    struct Concat {
        uint256 rows;
        uint256[] columns; // of each input
        uint256 width; // their sum
    }

    struct Pointwise {
        uint256 rows;
        uint256 columns;
        bool product;
        uint8 dtype; // of x
        int256 multiplier; // A
        uint256 source; // of the second operand: 0, SECOND_INPUT or SECOND_CONSTANT
        uint8 second; // its type
        uint256 spread;
        int256 secondMultiplier; // B
        uint256 constantElements;
        uint256 shift;
        int256 lo;
        int256 hi;
        uint256 activation; // 0, LOOKUP, INTERPOLATION, EXPONENTIAL, RECIPROCAL or RECIPROCAL_ROOT
        uint256 bits; // of the last two
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
        m.dtype = uint8(number(leaf, start + 24, 1, 5, DTYPE_I8, DTYPE_I16));
        m.factorShift = number(leaf, start + MATMUL_FACTOR_AT, 1, 6, 0, SHIFT_MAX);
        m.tail = _tail(leaf, start + 26);
        if (m.terms == 0 || m.outputs == 0) revert SizeZero();
        checkProduct(m.dtype, m.terms);
        if (m.rowElements < m.offset + m.terms) revert SliceOutside(m.rowElements, m.offset + m.terms);
    }

    function conv(bytes calldata leaf, uint256 start, uint32[] memory values) internal pure returns (Conv memory c) {
        c.height = Dimensions.value(read(leaf, start, 8), values);
        c.width = Dimensions.value(read(leaf, start + 8, 8), values);
        c.channels = read(leaf, start + 16, 4);
        c.outputs = read(leaf, start + 20, 4);
        c.groups = read(leaf, start + 24, 4);
        c.window = _window(leaf, start + 28);
        c.dtype = uint8(number(leaf, start + 48, 1, 6, DTYPE_I8, DTYPE_I16));
        c.tail = _tail(leaf, start + 49);
        if (c.channels == 0 || c.outputs == 0 || c.groups == 0) revert SizeZero();
        if (c.channels % c.groups != 0) revert GroupsUneven(c.groups, c.channels);
        if (c.outputs % c.groups != 0) revert GroupsUneven(c.groups, c.outputs);
        (c.outHeight, c.outWidth) = _outputs(c.window, c.height, c.width);
        checkProduct(c.dtype, c.window.height * c.window.width * (c.channels / c.groups));
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
        (p.lo, p.hi) = clamp(leaf, start + 43, 0);
    }

    function move(bytes calldata leaf, uint256 start, uint32[] memory values) internal pure returns (Move memory m) {
        uint256 rank = _rank(leaf, start);
        m.fill = _fill(leaf, start + 1);
        m.walks = new Walk[](rank);
        m.extents = new uint256[](rank);
        (m.elements, m.inputElements) = (1, 1);
        uint256 walksAt = start + WALKS_AT;
        uint256 shapeAt = walksAt + WALK_BYTES * rank;
        uint256 seen = 0;
        for (uint256 j = 0; j < rank; ++j) {
            Walk memory w = _walk(leaf, walksAt + WALK_BYTES * j, j, values);
            if (rank <= w.source || (seen >> w.source) & 1 == 1) revert AxisRepeatedOrOutside(rank, w.source);
            seen |= 1 << w.source;
            m.walks[j] = w;
            m.elements = Dimensions.times(m.elements, w.extent);
            m.extents[j] = Dimensions.value(read(leaf, shapeAt + 8 * j, 8), values);
            m.inputElements = Dimensions.times(m.inputElements, m.extents[j]);
        }
    }

    function concat(bytes calldata leaf, uint256 start, uint32[] memory values)
        internal
        pure
        returns (Concat memory c)
    {
        uint256 count = read(leaf, start, 1);
        if (count < 2 || CONCAT_INPUTS_MAX < count) revert ConcatInputs(2, CONCAT_INPUTS_MAX, count);
        c.rows = Dimensions.value(read(leaf, start + 1, 8), values);
        c.columns = new uint256[](count);
        for (uint256 i = 0; i < count; ++i) {
            c.columns[i] = Dimensions.value(read(leaf, start + 9 + 8 * i, 8), values);
            c.width += c.columns[i];
        }
    }

    function pointwise(bytes calldata leaf, uint256 start, uint32[] memory values)
        internal
        pure
        returns (Pointwise memory p)
    {
        p.rows = Dimensions.value(read(leaf, start, 8), values);
        p.columns = Dimensions.value(read(leaf, start + 8, 8), values);
        p.product = number(leaf, start + 16, 1, 2, 0, 1) == 1;
        p.dtype = uint8(number(leaf, start + 17, 1, 3, DTYPE_I8, DTYPE_I32));
        p.multiplier = _multiplier(leaf, start + 18, 4, MULTIPLIER_MAX);
        // A product has a second operand.
        p.source = number(leaf, start + SECOND_AT, 1, 5, p.product ? 1 : 0, SECOND_CONSTANT);
        _second(leaf, start, p);
        p.shift = number(leaf, start + 33, 1, 10, 1, SHIFT_MAX);
        p.activation = number(leaf, start + ACTIVATION_AT, 1, 13, 0, RECIPROCAL_ROOT);
        uint256 most = p.activation < RECIPROCAL ? 0 : RECIPROCAL_BITS_MAX;
        p.bits = number(leaf, start + ACTIVATION_AT + 1, 1, 14, 0, most);
        (p.lo, p.hi) = clamp(leaf, start + 34, p.activation);
    }

    /// Elements that the second operand of a pointwise node has under the output's rows and columns.
    function secondElements(Pointwise memory p) internal pure returns (uint256) {
        if (p.spread == SPREAD_FULL) return Dimensions.times(p.rows, p.columns);
        if (p.spread == SPREAD_COLUMN) return p.columns;
        return p.spread == SPREAD_ROW ? p.rows : 1;
    }

    /// Index in the second operand for the output's element.
    function secondIndex(Pointwise memory p, uint256 element) internal pure returns (uint256) {
        if (p.spread == SPREAD_FULL) return element;
        if (p.spread == SPREAD_COLUMN) return element % p.columns;
        return p.spread == SPREAD_ROW ? element / p.columns : 0;
    }

    /// Bytes of an activation's table; 0 without one.
    function tableBytes(uint256 activation) internal pure returns (uint256) {
        if (activation == LOOKUP) return LOOKUP_BYTES;
        if (activation == INTERPOLATION) return INTERPOLATION_BYTES;
        return activation == EXPONENTIAL ? EXPONENTIAL_BYTES : 0;
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

    /// A value of the output's type.
    function _fill(bytes calldata leaf, uint256 start) private pure returns (int256 fill) {
        fill = int32(uint32(read(leaf, start, 4)));
        uint8 dtype = uint8(read(leaf, 1, 1));
        int256 most = _largest(dtype);
        int256 least = dtype == DTYPE_I32 ? -most - 1 : -most;
        if (fill < least || most < fill) revert FillOutside(least, most, fill);
    }

    function _walk(bytes calldata leaf, uint256 start, uint256 axis, uint32[] memory values)
        private
        pure
        returns (Walk memory w)
    {
        w.source = read(leaf, start, 1);
        uint256 exact = read(leaf, start + 1, 1);
        if (1 < exact) revert FlagUnknown(exact);
        w.exact = exact == 1;
        w.numerator = int32(uint32(read(leaf, start + 2, 4)));
        w.offset = int32(uint32(read(leaf, start + 6, 4)));
        w.denominator = read(leaf, start + 10, 4);
        w.extent = Dimensions.value(read(leaf, start + 14, 8), values);
        int256 step = int256(uint256(STEP_MAX));
        int256 offset = int256(uint256(ELEMENTS_MAX));
        _checkWalk(axis, 2, -step, step, w.numerator);
        _checkWalk(axis, 3, -offset, offset, w.offset);
        _checkWalk(axis, 4, 1, step, int256(w.denominator));
    }

    function _checkWalk(uint256 axis, uint256 field, int256 least, int256 most, int256 actual) private pure {
        if (actual < least || most < actual) revert WalkField(axis, field, least, most, actual);
    }

    /// What follows the second operand's source: ten bytes, all 0 where there is none.
    function _second(bytes calldata leaf, uint256 start, Pointwise memory p) private pure {
        bool present = p.source != 0;
        uint256 typeAt = start + SECOND_AT + 1;
        p.second = uint8(number(leaf, typeAt, 1, 6, present ? DTYPE_I8 : 0, present ? DTYPE_I32 : 0));
        p.spread = number(leaf, typeAt + 1, 1, 7, 0, present ? SPREAD_ONE : 0);
        p.secondMultiplier = _multiplier(leaf, typeAt + 2, 8, present && !p.product ? MULTIPLIER_MAX : 0);
        bool held = p.source == SECOND_CONSTANT;
        p.constantElements = number(leaf, typeAt + 6, 4, 9, held ? 1 : 0, held ? ELEMENTS_MAX : 0);
        if (p.product && p.dtype == DTYPE_I32 && p.second == DTYPE_I32) revert FactorsTooWide();
    }

    /// Terms of a product whose x is of type `dtype`.
    function checkProduct(uint8 dtype, uint256 terms) internal pure {
        uint256 most = dtype == DTYPE_I8 ? TERMS_MAX : TERMS_WIDE_MAX;
        if (most < terms) revert TermsTooMany(most, terms);
    }

    /// Field `field`, of `size` bytes without a sign.
    function number(bytes calldata leaf, uint256 start, uint256 size, uint256 field, uint256 least, uint256 most)
        internal
        pure
        returns (uint256 v)
    {
        v = read(leaf, start, size);
        if (v < least || most < v) revert FieldOutside(field, int256(least), int256(most), int256(v));
    }

    /// Field `field` of a pointwise node, a multiplier of magnitude at most `most`.
    function _multiplier(bytes calldata leaf, uint256 start, uint256 field, uint256 most)
        private
        pure
        returns (int256 v)
    {
        v = int32(uint32(read(leaf, start, 4)));
        if (v < -int256(most) || int256(most) < v) revert FieldOutside(field, -int256(most), int256(most), v);
    }

    function _tail(bytes calldata leaf, uint256 start) private pure returns (Tail memory t) {
        t.addend = uint8(read(leaf, start, 1));
        if (DTYPE_I32 < t.addend) revert DtypeUnknown(t.addend);
        uint256 table = read(leaf, start + 9, 1);
        if (1 < table) revert FlagUnknown(table);
        t.table = table == 1;
        (t.lo, t.hi) = clamp(leaf, start + 1, table);
    }

    /// lo and hi at `start`, within the output's type (1.4), or within what the activation behind them takes:
    /// a lookup gives i8, an interpolation and an exponential i16, a reciprocal i32.
    function clamp(bytes calldata leaf, uint256 start, uint256 activation)
        internal
        pure
        returns (int256 lo, int256 hi)
    {
        lo = int32(uint32(read(leaf, start, 4)));
        hi = int32(uint32(read(leaf, start + 4, 4)));
        uint8 dtype = uint8(read(leaf, 1, 1));
        if (activation != 0) {
            uint8 given = activation == LOOKUP ? DTYPE_I8 : activation < RECIPROCAL ? DTYPE_I16 : DTYPE_I32;
            if (dtype != given) revert DtypeUnknown(dtype);
        }
        int256 most = _largest(dtype);
        int256 least = activation != 0 || dtype == DTYPE_I32 ? -most - 1 : -most;
        if (activation == EXPONENTIAL) (least, most) = (0, 65_535);
        if (lo < least || most < lo) revert ClampBound(least, most, lo);
        if (hi < lo || most < hi) revert ClampBound(lo, most, hi);
    }

    /// Largest value of a type.
    function _largest(uint8 dtype) private pure returns (int256) {
        if (dtype == DTYPE_I8) return int256(uint256(INT8_MAX));
        return dtype == DTYPE_I16 ? int256(32_767) : type(int32).max;
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

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILeaf} from "../../src/interfaces/ILeaf.sol";
import {Opening} from "../../src/interfaces/ILeaf.sol";
import {PointwiseLeaf} from "../../src/leaves/PointwiseLeaf.sol";
import {MultiProof} from "../../src/lib/MultiProof.sol";
import {NodeLeaf} from "../../src/lib/NodeLeaf.sol";
import {Parameters} from "../../src/lib/Parameters.sol";
import {NodeBuilder} from "../base/NodeBuilder.sol";
import {Plain} from "../base/Plain.sol";
import {Test} from "../base/Test.sol";
import {TreeBuilder} from "../base/TreeBuilder.sol";

/// @title Pointwise elements: values by hand and by a plain restatement, refusals, gas.
/// @dev Values over random nodes are compared with the interpreter by the conformance suite.
contract PointwiseLeafTest is Test {
    PointwiseLeaf internal leaf;
    uint32[] internal none;

    struct Case {
        NodeBuilder.Pointwise p;
        uint8 dtype; // of the output
        bytes x;
        bytes y;
        bytes table;
        uint64 element;
    }

    function setUp() public {
        leaf = new PointwiseLeaf();
    }

    /// x of type `dtype` with one element, v = x: A = 2 and s = 1 are the identity.
    function single(uint8 dtype, int256 x) internal pure returns (Case memory c) {
        c.dtype = dtype;
        c.x = put(dtype, x);
        int32 most = dtype == 1 ? int32(127) : dtype == 2 ? int32(32_767) : type(int32).max;
        int32 least = dtype == 3 ? type(int32).min : -most;
        c.p = NodeBuilder.Pointwise(1, 1, 0, dtype, 2, 0, 0, 0, 0, 0, 1, least, most, 0, 0);
    }

    /// The same with a second operand of its type and size.
    function pair(uint8 dtype, int256 x, uint8 source, int256 y) internal pure returns (Case memory c) {
        c = single(dtype, x);
        c.y = put(dtype, y);
        (c.p.source, c.p.second) = (source, dtype);
        if (source == 2) c.p.held = 1;
    }

    function put(uint8 dtype, int256 value) internal pure returns (bytes memory) {
        return NodeBuilder.put(dtype, value);
    }

    function get(bytes memory data, uint8 dtype, uint256 index) internal pure returns (int256 value) {
        return NodeBuilder.get(data, dtype, index);
    }

    /// 256 entries: 1 at each place, 7 at the one for v.
    function lookup(int256 v) internal pure returns (bytes memory table) {
        table = new bytes(256);
        for (uint256 i = 0; i < 256; ++i) {
            table[i] = bytes1(uint8(int256(i) == v + 128 ? 7 : 1));
        }
    }

    /// 513 entries: 100 * k up to 256 and back again.
    function tent() internal pure returns (bytes memory table) {
        bytes[] memory parts = new bytes[](513);
        for (uint256 k = 0; k < 513; ++k) {
            parts[k] = put(2, int256(100 * (k < 257 ? k : 512 - k)) - 12_800);
        }
        for (uint256 k = 0; k < 513; ++k) {
            table = bytes.concat(table, parts[k]);
        }
    }

    function withTable(Case memory c, uint8 kind, bytes memory table) internal pure returns (Case memory) {
        (c.p.activation, c.table) = (kind, table);
        if (kind == 1) (c.p.lo, c.p.hi) = (-128, 127);
        if (kind == 2) (c.p.lo, c.p.hi) = (-32_768, 32_767);
        if (kind == 3) (c.p.lo, c.p.hi) = (0, 65_535);
        return c;
    }

    function tabled(Case memory c) internal pure returns (bool) {
        return c.table.length != 0;
    }

    /// 1 / v, or 1 / sqrt(v), of an i32.
    function reciprocal(uint8 kind, uint8 bits, int256 v) internal pure returns (Case memory c) {
        c = single(3, v);
        (c.p.activation, c.p.bits) = (kind, bits);
    }

    function tensorsOf(Case memory c) internal pure returns (bytes32[] memory) {
        if (c.p.source == 2) {
            return tabled(c) ? NodeBuilder.roots(c.y, c.table) : NodeBuilder.roots(c.y);
        }
        return tabled(c) ? NodeBuilder.roots(c.table) : new bytes32[](0);
    }

    function leafOf(Case memory c) internal pure returns (bytes memory) {
        uint32[] memory inputs = c.p.source == 1 ? NodeBuilder.list(0, 1) : NodeBuilder.list(0);
        return NodeBuilder.leaf(7, c.dtype, 0, inputs, tensorsOf(c), NodeBuilder.pointwise(c.p));
    }

    /// Index in the second operand.
    function secondIndex(Case memory c) internal pure returns (uint256) {
        if (c.p.spread == 0) return c.element;
        if (c.p.spread == 1) return c.element % c.p.columns;
        return c.p.spread == 2 ? c.element / c.p.columns : 0;
    }

    function openingsOf(Case memory c) internal pure returns (Opening[] memory o) {
        uint256 count = 1 + (c.p.source == 0 ? 0 : 1) + (tabled(c) ? 1 : 0);
        o = new Opening[](count);
        uint256 width = 1 << (c.p.dtype - 1);
        o[0] = NodeBuilder.openRun(c.x, c.element * width, width);
        if (c.p.source != 0) {
            width = 1 << (c.p.second - 1);
            o[1] = NodeBuilder.openRun(c.y, secondIndex(c) * width, width);
        }
        if (tabled(c)) o[count - 1] = NodeBuilder.openRun(c.table, 0, c.table.length);
    }

    function check(Case memory c, int256 want, string memory what) internal view {
        (int256 value, bytes32[] memory roots) = leaf.evaluate(leafOf(c), none, c.element, openingsOf(c));
        assertEq(value, want, what);
        assertEq(roots[0], NodeBuilder.root(c.x), "root of x");
        if (c.p.source != 0) assertEq(roots[1], NodeBuilder.root(c.y), "root of y");
        if (tabled(c)) assertEq(roots[roots.length - 1], NodeBuilder.root(c.table), "root of the table");
    }

    function refuse(Case memory c, Opening[] memory openings, bytes memory why) internal {
        bytes memory nodeLeaf = leafOf(c);
        vm.expectRevert(why);
        leaf.evaluate(nodeLeaf, none, c.element, openings);
    }

    function test_a_sum_is_rounded_once_with_halves_upwards() public view {
        Case memory c = pair(1, 5, 1, 7);
        (c.p.a, c.p.b) = (3, -2);
        check(c, 1, "(15 - 14 + 1) >> 1");
        c.x = put(1, -5);
        check(c, -14, "(-15 - 14 + 1) >> 1");
        c = single(1, 7);
        c.p.a = 1;
        check(c, 4, "(7 + 1) >> 1");
        c.x = put(1, -7);
        check(c, -3, "(-7 + 1) >> 1");
    }

    function test_a_product_multiplies_both_and_the_constant() public view {
        Case memory c = single(2, 100);
        (c.p.source, c.p.second, c.p.product, c.p.shift, c.y) = (1, 1, 1, 3, put(1, -3));
        check(c, -75, "(-600 + 4) >> 3");
        (c.p.source, c.p.held) = (2, 1);
        check(c, -75, "the same with a constant");
    }

    function test_values_are_clamped_on_both_sides() public view {
        Case memory c = single(3, 50);
        (c.p.lo, c.p.hi) = (-3, 20);
        check(c, 20, "above");
        c.x = put(3, -50);
        check(c, -3, "below");
    }

    function test_the_widest_operands_do_not_overflow() public view {
        Case memory c = pair(3, type(int32).min, 1, type(int32).min);
        (c.p.a, c.p.b) = (-32_767, -32_767);
        check(c, type(int32).max, "sum of the largest");
        (c.p.a, c.p.b) = (32_767, 32_767);
        check(c, type(int32).min, "sum of the smallest");
        c.p.shift = 46;
        check(c, -2, "(-2^32 * 32767 + 2^45) >> 46");
        c = single(3, type(int32).min);
        (c.p.source, c.p.second, c.p.product, c.p.shift, c.y) = (1, 2, 1, 46, put(2, 32_767));
        c.p.a = 32_767;
        check(c, -32_766, "(-2^31 * 32767^2 + 2^45) >> 46");
    }

    function test_a_second_operand_is_laid_over_the_output_by_its_spread() public view {
        Case memory c = single(1, 0);
        (c.p.rows, c.p.columns, c.p.b, c.p.second) = (2, 3, 2, 1);
        c.x = new bytes(6);
        int256[4] memory want = [int256(5), 2, 1, 0];
        for (uint8 spread = 0; spread < 4; ++spread) {
            for (uint8 source = 1; source < 3; ++source) {
                (c.p.source, c.p.spread) = (source, spread);
                c.y = TreeBuilder.slice(hex"000102030405", 0, [6, 3, 2, 1][spread]);
                c.p.held = source == 2 ? uint32(c.y.length) : 0;
                c.element = 5;
                check(c, want[spread], "last element");
                c.element = 0;
                check(c, 0, "first element");
            }
        }
    }

    function test_a_constant_longer_than_this_run_needs_is_read_from_its_start() public view {
        // Rows are the symbol; the constant of one element for each row has the maximum's five.
        Case memory c = single(1, 0);
        c.p = NodeBuilder.Pointwise(0, 2, 0, 1, 2, 2, 1, 2, 2, 5, 1, -127, 127, 0, 0);
        (c.x, c.y, c.element) = (new bytes(4), hex"0102030405", 3);
        bytes memory parameters = NodeBuilder.pointwise(c.p);
        bytes memory rows = NodeBuilder.dim(1, 1, 0);
        for (uint256 i = 0; i < 8; ++i) {
            parameters[i] = rows[i];
        }
        bytes memory nodeLeaf = NodeBuilder.leaf(7, 1, 0, NodeBuilder.list(0), tensorsOf(c), parameters);
        (int256 value,) = leaf.evaluate(nodeLeaf, NodeBuilder.list(2), c.element, openingsOf(c));
        assertEq(value, 2, "row 1");
    }

    function test_a_lookup_gives_the_entry_at_v_plus_128() public view {
        int8[4] memory values = [int8(0), -127, 127, 5];
        for (uint256 i = 0; i < 4; ++i) {
            check(withTable(single(1, values[i]), 1, lookup(values[i])), 7, "entry");
        }
        // The clamp in front of a table reaches -128.
        Case memory c = single(2, -30_000);
        c.dtype = 1;
        check(withTable(c, 1, lookup(-128)), 7, "entry 0");
    }

    function test_an_interpolation_rounds_between_two_entries() public view {
        bytes memory table = tent();
        check(withTable(single(2, -32_767), 2, table), -12_799, "u = 1: (100 + 64) >> 7");
        check(withTable(single(2, -32_768 + 128), 2, table), -12_700, "u = 128: the entry itself");
        check(withTable(single(2, -32_768 + 130), 2, table), -12_698, "u = 130: (200 + 64) >> 7");
        check(withTable(single(2, 130), 2, table), 12_698, "falling: (-200 + 64) >> 7");
        check(withTable(single(2, 32_767), 2, table), -12_799, "u = 65535: (-100 * 127 + 64) >> 7");
        // The clamp in front of a table reaches -32768.
        Case memory c = single(3, -40_000);
        c.dtype = 2;
        check(withTable(c, 2, table), -12_800, "u = 0");
    }

    /// 512 entries i16 from 0 on.
    function exponents(uint256 seed) internal pure returns (bytes memory table) {
        table = NodeBuilder.noise(1_024, seed);
        for (uint256 i = 0; i < 1_024; i += 2) {
            table[i] &= 0x7f;
        }
    }

    function test_an_exponential_multiplies_its_coarse_and_its_fine_entry() public view {
        bytes memory table = new bytes(1_024);
        // coarse[2] = 3, fine[3] = 16384; coarse[255] = fine[255] = 32767.
        (table[5], table[512 + 6]) = (0x03, 0x40);
        (table[510], table[511], table[1_022], table[1_023]) = (bytes1(0x7f), bytes1(0xff), bytes1(0x7f), bytes1(0xff));
        Case memory c = withTable(single(3, 2 * 256 + 3), 3, table);
        c.dtype = 2;
        check(c, 2, "(3 * 2^14 + 2^14) >> 15");
        c.x = put(3, 65_535);
        check(c, 32_766, "the largest");
        c.x = put(3, type(int32).max);
        check(c, 32_766, "clamped from above");
        c.x = put(3, type(int32).min);
        check(c, 0, "clamped from below");
        c.x = put(3, 255);
        check(c, 0, "coarse 0");
    }

    function test_an_entry_of_an_exponential_below_zero_voids_the_element() public view {
        Case memory c = withTable(single(3, 2 * 256 + 3), 3, exponents(1));
        c.dtype = 2;
        (c.table[4], c.table[5]) = (bytes1(0xff), bytes1(0xff));
        check(c, type(int256).max, "coarse");
        c.table[4] = 0x00;
        (c.table[518], c.table[519]) = (bytes1(0x80), bytes1(0x00));
        check(c, type(int256).max, "fine");
        c.table[518] = 0x00;
        (c.table[2], c.table[520]) = (bytes1(0x80), bytes1(0x80));
        check(c, 0, "beside both");
    }

    function test_a_reciprocal_is_divided_downwards_and_saturates() public view {
        check(reciprocal(4, 20, 3), 349_525, "floor(2^20 / 3)");
        check(reciprocal(4, 20, 1 << 20), 1, "1");
        check(reciprocal(4, 20, (1 << 20) + 1), 0, "below 1");
        check(reciprocal(4, 31, 1), type(int32).max, "2^31, saturated");
        check(reciprocal(4, 30, 1), 1 << 30, "2^30");
        check(reciprocal(4, 62, 1), type(int32).max, "2^62, saturated");
        check(reciprocal(4, 62, type(int32).max), type(int32).max, "2^31 and a little, saturated");
        check(reciprocal(4, 61, type(int32).max), 1 << 30, "2^30 and a little");
        check(reciprocal(4, 0, 1), 1, "no bits");
        check(reciprocal(4, 0, 2), 0, "no bits of less");
    }

    function test_a_reciprocal_of_nothing_and_of_negatives_is_that_of_one() public view {
        for (uint8 kind = 4; kind < 6; ++kind) {
            int256 want = kind == 4 ? int256(1 << 20) : int256(1 << 5);
            check(reciprocal(kind, 20, 1), want, "one");
            check(reciprocal(kind, 20, 0), want, "nothing");
            check(reciprocal(kind, 20, -1), want, "minus one");
            check(reciprocal(kind, 20, type(int32).min), want, "the smallest");
        }
    }

    function test_a_reciprocal_root_takes_the_root_downwards_on_both_sides_of_squares() public view {
        // With 62 bits the quotient tells the divisor: root(v * 2^30) is 2^15 * sqrt(v), rounded down.
        int256[8] memory values =
            [int256(3), 4, 5, 99_999_999, 100_000_000, 100_000_001, 46_340 * 46_340, type(int32).max];
        for (uint256 i = 0; i < 8; ++i) {
            uint256 square = uint256(values[i]) << 30;
            uint256 u = Plain.root(square);
            assertTrue(u * u <= square && square < (u + 1) * (u + 1), "the relation");
            for (uint8 bits = 30; bits < 63; bits += 8) {
                uint256 quotient = (1 << bits) / u;
                int256 want = quotient < 1 << 31 ? int256(quotient) : type(int32).max;
                check(reciprocal(5, bits, values[i]), want, "quotient");
            }
        }
        check(reciprocal(5, 31, 4), 32_768, "2^31 / 2^16");
        check(reciprocal(5, 31, 5), 29_308, "2^31 / 73271");
        check(reciprocal(5, 31, 3), 37_837, "2^31 / 56755");
    }

    function test_fuzz_a_reciprocal_root_is_that_of_the_floor_of_the_root(uint256 seed) public view {
        // Around squares, where a wrong root would show.
        int256 v = int256(draw(seed, 1, 1, 46_340));
        v = v * v + int256(draw(seed, 2, 0, 2)) - 1;
        uint256 u = Plain.root(uint256(v < 1 ? int256(1) : v) << 30);
        uint256 bits = draw(seed, 3, 0, 62);
        uint256 quotient = (1 << bits) / u;
        int256 want = quotient < 1 << 31 ? int256(quotient) : type(int32).max;
        check(reciprocal(5, uint8(bits), v), want, "quotient");
    }

    function test_symbols_give_rows_and_columns() public view {
        // [2n][n]: y for each column, an input.
        for (uint32 n = 1; n < 40; n += 19) {
            Case memory c = single(1, 0);
            (c.p.rows, c.p.columns, c.p.source, c.p.second, c.p.spread, c.p.b) = (2 * n, n, 1, 1, 1, 2);
            (c.x, c.y, c.element) = (NodeBuilder.noise(2 * n * n, n), NodeBuilder.noise(n, 2), 2 * n * n - 1);
            bytes memory parameters = NodeBuilder.withDim(NodeBuilder.pointwise(c.p), 0, NodeBuilder.dim(1, 2, 0));
            parameters = NodeBuilder.withDim(parameters, 8, NodeBuilder.dim(1, 1, 0));
            bytes memory nodeLeaf = NodeBuilder.leaf(7, 1, 0, NodeBuilder.list(0, 1), new bytes32[](0), parameters);
            (int256 value,) = leaf.evaluate(nodeLeaf, NodeBuilder.list(n), c.element, openingsOf(c));
            assertEq(value, plain(c), "at n");
        }
    }

    function test_an_entry_that_is_no_value_voids_the_element() public view {
        int256 void = type(int256).max;
        Case memory c = withTable(single(1, 5), 1, lookup(5));
        c.table[133] = 0x80;
        check(c, void, "lookup");
        c.table[133] = 0x81;
        c.table[132] = 0x80;
        check(c, -127, "beside the entry");
        c = withTable(single(2, 0), 2, tent());
        c.table[512] = 0x80;
        c.table[513] = 0x00;
        check(c, void, "the lower entry");
        c = withTable(single(2, 0), 2, tent());
        (c.table[514], c.table[515]) = (bytes1(0x80), bytes1(0x00));
        check(c, void, "the upper entry");
        c = withTable(single(2, 0), 2, tent());
        (c.table[516], c.table[517]) = (bytes1(0x80), bytes1(0x00));
        check(c, 12_800, "beside both");
    }

    function test_a_constant_that_is_no_value_voids_the_element() public view {
        int256 void = type(int256).max;
        check(pair(1, 5, 2, -128), void, "i8");
        check(pair(2, 5, 2, -32_768), void, "i16");
        check(pair(3, 5, 2, type(int32).min), 5, "every i32 is one");
        check(withTable(pair(1, 5, 2, -128), 1, lookup(5)), void, "in front of a table");
        check(pair(1, 5, 1, -128), 5, "an input is held to its form elsewhere");
    }

    // A plain restatement of 2.19 and 2.20.

    function draw(uint256 seed, uint256 what, uint256 least, uint256 most) internal pure returns (uint256) {
        return least + uint256(keccak256(abi.encode(seed, what))) % (most - least + 1);
    }

    function drawSigned(uint256 seed, uint256 what, int256 least, int256 most) internal pure returns (int32) {
        return int32(least + int256(draw(seed, what, 0, uint256(most - least))));
    }

    function floorDiv(int256 a, int256 b) internal pure returns (int256 q) {
        q = a / b;
        if (a % b != 0 && a < 0) --q;
    }

    function randomCase(uint256 seed) internal pure returns (Case memory c) {
        NodeBuilder.Pointwise memory p = c.p;
        (p.rows, p.columns) = (uint32(draw(seed, 1, 1, 30)), uint32(draw(seed, 2, 1, 30)));
        p.dtype = uint8(draw(seed, 3, 1, 3));
        p.product = uint8(draw(seed, 4, 0, 1));
        p.source = uint8(draw(seed, 5, p.product, 2));
        p.a = drawSigned(seed, 6, -32_767, 32_767);
        if (p.source != 0) {
            p.second = uint8(draw(seed, 7, 1, p.product == 1 && p.dtype == 3 ? 2 : 3));
            p.spread = uint8(draw(seed, 8, 0, 3));
            if (p.product == 0) p.b = drawSigned(seed, 9, -32_767, 32_767);
            uint32 elements = [p.rows * p.columns, p.columns, p.rows, 1][p.spread];
            c.y = NodeBuilder.noise(elements << (p.second - 1), seed + 1);
            if (p.source == 2) p.held = elements;
        }
        p.shift = uint8(draw(seed, 10, 1, draw(seed, 11, 0, 1) == 0 ? 46 : 16));
        p.activation = uint8(draw(seed, 12, 0, 5));
        c.dtype = p.activation == 0 ? uint8(draw(seed, 13, 1, 3)) : [1, 2, 2, 3, 3][p.activation - 1];
        if (3 < p.activation) p.bits = uint8(draw(seed, 17, 0, 62));
        int256 most = c.dtype == 1 ? int256(127) : c.dtype == 2 ? int256(32_767) : type(int32).max;
        int256 least = p.activation == 0 && c.dtype != 3 ? -most : -most - 1;
        if (p.activation == 3) (least, most) = (0, 65_535);
        p.lo = drawSigned(seed, 14, least, most);
        p.hi = drawSigned(seed, 15, p.lo, most);
        c.x = NodeBuilder.noise((p.rows * p.columns) << (p.dtype - 1), seed);
        if (p.activation == 1) c.table = NodeBuilder.noise(256, seed + 2);
        if (p.activation == 2) c.table = NodeBuilder.noise(1_026, seed + 2);
        if (p.activation == 3) c.table = exponents(seed + 2);
        c.element = uint64(draw(seed, 16, 0, p.rows * p.columns - 1));
    }

    function plain(Case memory c) internal pure returns (int256 v) {
        int256 x = get(c.x, c.p.dtype, c.element);
        int256 y = 0;
        uint256 row = c.element / c.p.columns;
        uint256 column = c.element - row * c.p.columns;
        if (c.p.source != 0) {
            uint256 index = c.p.spread == 0 ? c.element : c.p.spread == 1 ? column : c.p.spread == 2 ? row : 0;
            y = get(c.y, c.p.second, index);
        }
        int256 wide = c.p.product == 1 ? x * y * c.p.a : x * c.p.a + y * c.p.b;
        v = floorDiv(wide + int256(2 ** (uint256(c.p.shift) - 1)), int256(2 ** uint256(c.p.shift)));
        v = v < c.p.lo ? int256(c.p.lo) : v;
        v = c.p.hi < v ? int256(c.p.hi) : v;
        if (c.p.activation == 1) return get(c.table, 1, uint256(v + 128));
        if (c.p.activation == 0) return v;
        if (c.p.activation == 3) {
            return (get(c.table, 2, uint256(v) / 256) * get(c.table, 2, 256 + uint256(v) % 256) + 16_384) / 32_768;
        }
        if (3 < c.p.activation) {
            uint256 d = v < 1 ? 1 : uint256(v);
            if (c.p.activation == 5) d = Plain.root(d * 1_073_741_824);
            uint256 quotient = 2 ** uint256(c.p.bits) / d;
            return quotient < 2_147_483_648 ? int256(quotient) : int256(2_147_483_647);
        }
        uint256 k = uint256(v + 32_768) / 128;
        int256 rest = (v + 32_768) % 128;
        int256 low = get(c.table, 2, k);
        return low + floorDiv((get(c.table, 2, k + 1) - low) * rest + 64, 128);
    }

    function test_fuzz_an_element_is_its_plain_restatement(uint256 seed) public view {
        Case memory c = randomCase(seed % (1 << 128));
        check(c, plain(c), "restatement");
    }

    function test_elements_counts_and_operators_are_checked() public {
        Case memory c = withTable(pair(1, 5, 2, 1), 1, lookup(5));
        c.element = 1;
        refuse(c, new Opening[](3), abi.encodeWithSelector(ILeaf.ElementOutside.selector, 1, 1));
        refuse(c, new Opening[](2), abi.encodeWithSelector(ILeaf.OpeningCount.selector, 3, 2));
        bytes memory other = NodeBuilder.leaf(
            5, 1, 0, NodeBuilder.list(0), new bytes32[](0), NodeBuilder.permute(hex"00", NodeBuilder.list(3))
        );
        vm.expectRevert(abi.encodeWithSelector(ILeaf.OperatorNotHere.selector, 5));
        leaf.evaluate(other, none, 0, new Opening[](1));
    }

    function test_openings_are_checked_in_the_order_of_the_node_leaf() public {
        Case memory c = withTable(pair(2, 5, 2, 1), 2, tent());
        Opening[] memory o = new Opening[](3);
        Opening[] memory good = openingsOf(c);
        refuse(c, o, abi.encodeWithSelector(ILeaf.TileBytes.selector, 0, 2, 0));
        o[0] = good[0];
        refuse(c, o, abi.encodeWithSelector(ILeaf.TileBytes.selector, 1, 2, 0));
        o[1] = good[1];
        // The whole table, over three tiles.
        refuse(c, o, abi.encodeWithSelector(ILeaf.TileBytes.selector, 2, 1_026, 0));
        o[2] = NodeBuilder.openRun(c.table, 512, 1);
        refuse(c, o, abi.encodeWithSelector(ILeaf.TileBytes.selector, 2, 1_026, 512));
        o[2] = good[2];
        o[2].siblings = new bytes32[](1);
        refuse(c, o, abi.encodeWithSelector(MultiProof.ProofSiblingExtra.selector, 0, 1));
    }

    function test_constants_and_tables_of_another_root_are_refused() public {
        Case memory c = withTable(pair(1, 5, 2, 1), 1, lookup(5));
        Opening[] memory o = openingsOf(c);
        bytes4 why = ILeaf.TensorRoot.selector;
        o[1].tiles = hex"02";
        refuse(c, o, abi.encodeWithSelector(why, 0, NodeBuilder.root(c.y), NodeBuilder.root(hex"02")));
        o = openingsOf(c);
        o[2].tiles = lookup(6);
        refuse(c, o, abi.encodeWithSelector(why, 1, NodeBuilder.root(c.table), NodeBuilder.root(lookup(6))));
        // A void element is proved as well.
        c = withTable(pair(1, 5, 2, -128), 1, lookup(5));
        refuse(c, o, abi.encodeWithSelector(why, 0, NodeBuilder.root(hex"80"), NodeBuilder.root(hex"01")));
        // With y an input, tensor 0 is the table.
        c = withTable(pair(1, 5, 1, 1), 1, lookup(5));
        refuse(c, o, abi.encodeWithSelector(why, 0, NodeBuilder.root(c.table), NodeBuilder.root(lookup(6))));
    }

    function test_every_leaf_cut_short_or_made_longer_is_refused() public {
        Case memory c = withTable(pair(1, 5, 2, 1), 1, lookup(5));
        bytes memory whole = leafOf(c);
        for (uint256 length = 0; length < whole.length; ++length) {
            vm.expectRevert();
            leaf.evaluate(TreeBuilder.slice(whole, 0, length), none, 0, new Opening[](3));
        }
        bytes memory longer = bytes.concat(whole, hex"00");
        vm.expectRevert(abi.encodeWithSelector(NodeLeaf.LeafLength.selector, whole.length, whole.length + 1));
        leaf.evaluate(longer, none, 0, new Opening[](3));
    }

    function test_a_field_outside_its_limits_is_refused() public {
        Case memory c = single(1, 5);
        c.p.shift = 47;
        bytes memory why = abi.encodeWithSelector(Parameters.FieldOutside.selector, 10, int256(1), 46, 47);
        refuse(c, new Opening[](1), why);
    }

    function test_random_bytes_never_run_away(bytes calldata nodeLeaf, uint64 element) public view {
        (bool ok,) = address(leaf).staticcall{gas: 1_000_000}(
            abi.encodeCall(ILeaf.evaluate, (nodeLeaf, none, element, new Opening[](1)))
        );
        assertFalse(ok, "random bytes are no leaf");
    }

    function test_gas_of_sums_and_tables() public {
        Case memory c = single(1, 0);
        (c.p.rows, c.p.columns, c.p.source, c.p.second, c.p.b) = (1, 65_536, 1, 1, 1);
        (c.x, c.y, c.element) = (NodeBuilder.noise(65_536, 1), NodeBuilder.noise(65_536, 2), 12_345);
        measure(c, "sum of two inputs of 128 tiles");
        (c.p.rows, c.p.columns, c.p.spread) = (64, 1_024, 1);
        (c.p.source, c.p.held, c.y) = (2, 1_024, NodeBuilder.noise(1_024, 2));
        measure(c, "sum with a constant for each column");
        c = withTable(c, 2, tent());
        (c.dtype, c.p.product, c.p.b) = (2, 1, 0);
        measure(c, "product and interpolation");
        c = withTable(c, 3, exponents(1));
        measure(c, "product and exponential");
        measure(reciprocal(4, 30, 12_345), "reciprocal");
        measure(reciprocal(5, 30, 1), "reciprocal root");
    }

    function measure(Case memory c, string memory name) internal {
        bytes memory nodeLeaf = leafOf(c);
        Opening[] memory openings = openingsOf(c);
        leaf.evaluate(nodeLeaf, none, c.element, openings);
        vm.snapshotGasLastCall("PointwiseLeaf", name);
    }
}

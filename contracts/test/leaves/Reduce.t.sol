// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Opening} from "../../src/interfaces/ILeaf.sol";
import {RowLeaf} from "../../src/leaves/RowLeaf.sol";
import {Parameters} from "../../src/lib/Parameters.sol";
import {LeafFixture} from "../base/LeafFixture.sol";
import {NodeBuilder} from "../base/NodeBuilder.sol";
import {Plain} from "../base/Plain.sol";

/// @title Values of rows: by a plain restatement, extremes, refusals, gas.
/// @dev Spec: programs, 1.10 and 1.19; operators, 2.23.
contract ReduceTest is LeafFixture {
    uint8 private constant SUM = 0;
    uint8 private constant MEAN = 1;
    uint8 private constant SQUARES = 2;
    uint8 private constant VARIANCE = 3;
    uint8 private constant MAXIMUM = 4;
    uint8 private constant MAGNITUDE = 5;
    uint8 private constant ARGMAX = 6;

    struct Case {
        NodeBuilder.Reduce p;
        uint8 dtype; // of the output
        bytes x;
        uint64 row;
    }

    function setUp() public {
        leaf = new RowLeaf();
    }

    /// One row; M = 2 and s = 1 are the identity.
    function ofRow(uint8 kind, uint8 dtype, bytes memory x) internal pure returns (Case memory c) {
        uint32 columns = uint32(x.length >> (dtype - 1));
        c.p = NodeBuilder.Reduce(1, columns, kind, dtype, 2, 1, type(int32).min, type(int32).max);
        (c.dtype, c.x) = (3, x);
    }

    function question(Case memory c) internal pure returns (Question memory q) {
        q.nodeLeaf = NodeBuilder.leaf(9, c.dtype, 0, NodeBuilder.list(0), new bytes32[](0), NodeBuilder.reduce(c.p));
        q.element = c.row;
        q.openings = new Opening[](1);
        q.tensors = new bytes[](1);
        uint256 length = uint256(c.p.columns) << (c.p.dtype - 1);
        put(q, 0, c.x, c.row * length, length);
    }

    function check(Case memory c, int256 want, string memory what) internal view {
        assertEq(answer(question(c)), want, what);
    }

    /// 2.23 by loops, with divisions downwards.
    function restated(Case memory c) internal pure returns (int256 v) {
        int256 n = int256(uint256(c.p.columns));
        int256 sum = 0;
        int256 squares = 0;
        int256 most = type(int256).min;
        int256 wide = 0;
        int256 place = 0;
        for (int256 i = 0; i < n; ++i) {
            int256 x = NodeBuilder.get(c.x, c.p.dtype, c.row * c.p.columns + uint256(i));
            sum += x;
            squares += x * x;
            if (most < x) (most, place) = (x, i);
            if (wide < x) wide = x;
            if (wide < -x) wide = -x;
        }
        v = [sum, Plain.floorDiv(sum * 256, n), squares, 0, most, wide, place][c.p.kind];
        if (c.p.kind == VARIANCE) v = Plain.floorDiv((squares * n - sum * sum) * 65_536, n * n);
        v = Plain.rounded(v * int256(uint256(c.p.m)), c.p.shift);
        return Plain.clamp(v, c.p.lo, c.p.hi);
    }

    function randomCase(uint256 seed) internal pure returns (Case memory c) {
        NodeBuilder.Reduce memory p = c.p;
        (p.rows, p.columns) = (uint32(Plain.draw(seed, 1, 1, 6)), uint32(Plain.draw(seed, 2, 1, 120)));
        p.kind = uint8(Plain.draw(seed, 3, 0, 6));
        p.dtype = uint8(Plain.draw(seed, 4, 1, p.kind == SQUARES || p.kind == VARIANCE ? 2 : 3));
        p.m = uint16(Plain.draw(seed, 5, 1, 32_767));
        p.shift = uint8(Plain.draw(seed, 6, 1, 46));
        c.dtype = uint8(Plain.draw(seed, 7, 1, 3));
        int256 most = c.dtype == 1 ? int256(127) : c.dtype == 2 ? int256(32_767) : type(int32).max;
        p.lo = Plain.drawSigned(seed, 8, c.dtype == 3 ? -most - 1 : -most, most);
        p.hi = Plain.drawSigned(seed, 9, p.lo, most);
        c.x = Plain.anything(uint256(p.rows) * p.columns << (p.dtype - 1), seed / 3);
        c.row = uint64(Plain.draw(seed, 10, 0, p.rows - 1));
    }

    function test_fuzz_an_element_is_its_plain_restatement(uint256 seed) public view {
        Case memory c = randomCase(seed % (1 << 128));
        check(c, restated(c), "restatement");
    }

    function test_a_mean_has_eight_bits_behind_the_point_and_is_rounded_down() public view {
        check(ofRow(MEAN, 1, hex"010202"), 426, "floor(5 * 256 / 3)");
        check(ofRow(MEAN, 1, hex"fffefe"), -427, "floor(-5 * 256 / 3)");
        check(ofRow(MEAN, 1, hex"ff01"), 0, "nothing");
    }

    function test_a_variance_has_sixteen_bits_behind_the_point_and_is_rounded_down() public view {
        check(ofRow(VARIANCE, 1, hex"0001"), 16_384, "1/4");
        check(ofRow(VARIANCE, 1, hex"000001"), 14_563, "floor(2/9 * 2^16)");
        check(ofRow(VARIANCE, 1, hex"0505050505"), 0, "of equals");
    }

    function test_one_column_is_itself() public view {
        int256[7] memory want = [int256(-5), -1_280, 25, 0, -5, 5, 0];
        for (uint8 kind = 0; kind < 7; ++kind) {
            for (uint8 dtype = 1; dtype < (kind == SQUARES || kind == VARIANCE ? 3 : 4); ++dtype) {
                check(ofRow(kind, dtype, NodeBuilder.put(dtype, -5)), want[kind], "of -5");
            }
        }
    }

    function test_of_equal_largest_elements_argmax_names_the_first() public view {
        check(ofRow(ARGMAX, 1, hex"0103020303"), 1, "behind a smaller one");
        check(ofRow(ARGMAX, 2, hex"800080008000"), 0, "of the smallest");
        check(ofRow(ARGMAX, 3, hex"ffffffff80000000ffffffff"), 0, "of negatives");
        bytes memory row = new bytes(16_384);
        (row[16_383], row[9_000]) = (0x01, 0x01);
        check(ofRow(ARGMAX, 1, row), 9_000, "far");
        row[9_000] = 0x00;
        check(ofRow(ARGMAX, 1, row), 16_383, "the last");
    }

    /// Inputs may hold any pattern; intermediate values are exact.
    function test_the_longest_rows_of_extreme_values_are_exact() public view {
        for (uint8 dtype = 1; dtype < 3; ++dtype) {
            int256 low = -int256(1 << (8 * dtype - 1));
            bytes memory row = NodeBuilder.repeat(dtype, low, 16_384);
            Case memory c = ofRow(SQUARES, dtype, row);
            (c.p.m, c.p.shift) = (1, 30);
            check(c, low * low * 16_384 / int256(1 << 30), "squares");
            check(ofRow(MAGNITUDE, dtype, row), -low, "magnitude");
            check(ofRow(MAXIMUM, dtype, row), low, "maximum");
            check(ofRow(SUM, dtype, row), low * 16_384, "sum");
            check(ofRow(MEAN, dtype, row), low * 256, "mean");
            check(ofRow(VARIANCE, dtype, row), 0, "variance of equals");
            // Half of the largest, half of the smallest: the largest variance.
            for (uint256 i = 0; i < row.length / 2; ++i) {
                row[i] = i % dtype == 0 ? bytes1(0x7f) : bytes1(0xff);
            }
            c = ofRow(VARIANCE, dtype, row);
            (c.p.m, c.p.shift) = (32_767, 46);
            check(c, restated(c), "largest variance");
        }
    }

    function test_an_i32_sum_saturates_and_its_mean_is_exact() public view {
        bytes memory row = NodeBuilder.repeat(3, type(int32).min, 10_112);
        check(ofRow(SUM, 3, row), type(int32).min, "clamped");
        check(ofRow(MAGNITUDE, 3, row), type(int32).max, "2^31, clamped");
        Case memory c = ofRow(SUM, 3, row);
        (c.p.m, c.p.shift) = (1, 20);
        check(c, -2_048 * 10_112, "2^31 / 2^20 = 2048");
        c = ofRow(MEAN, 3, row);
        (c.p.m, c.p.shift) = (1, 9);
        check(c, -(1 << 30), "the element itself, half");
    }

    function test_symbols_give_rows_and_columns() public view {
        for (uint32 n = 1; n < 200; n += 99) {
            Case memory c = ofRow(VARIANCE, 2, NodeBuilder.noise(2 * 2 * n * n, n));
            (c.p.rows, c.p.columns, c.row) = (2 * n, n, 2 * n - 1);
            Question memory q = question(c);
            bytes memory parameters = NodeBuilder.withDim(NodeBuilder.reduce(c.p), 0, NodeBuilder.dim(1, 2, 0));
            parameters = NodeBuilder.withDim(parameters, 8, NodeBuilder.dim(1, 1, 0));
            q.nodeLeaf = NodeBuilder.leaf(9, 3, 0, NodeBuilder.list(0), new bytes32[](0), parameters);
            q.dimensions = NodeBuilder.list(n);
            assertEq(answer(q), restated(c), "at n");
        }
    }

    function test_openings_and_the_frame_are_checked() public {
        Case memory c = ofRow(SUM, 2, NodeBuilder.noise(4_000, 1));
        (c.p.rows, c.p.columns, c.row) = (5, 400, 3);
        checkOrder(question(c), slots(1));
        checkFrame(question(c), 5);
    }

    function test_squares_of_i32_are_refused() public {
        Case memory c = ofRow(SQUARES, 3, hex"00000001");
        refuse(question(c), abi.encodeWithSelector(Parameters.FieldOutside.selector, 3, int256(1), 2, 3));
    }

    function test_random_bytes_never_run_away(bytes calldata nodeLeaf, uint64 element) public view {
        (bool ok,) = address(leaf).staticcall{gas: 1_000_000}(
            abi.encodeCall(leaf.evaluate, (nodeLeaf, new uint32[](0), element, new Opening[](1)))
        );
        assertFalse(ok, "random bytes are no leaf");
    }

    function test_gas_of_reductions() public {
        string[7] memory names = ["sum", "mean", "squares", "variance", "maximum", "magnitude", "argmax"];
        uint32[3] memory columns = [uint32(512), 1_536, 16_384];
        for (uint8 dtype = 1; dtype < 4; ++dtype) {
            for (uint256 i = 0; i < 3; ++i) {
                uint256 n = dtype == 3 && i == 2 ? 10_112 : columns[i];
                // Rising values: the largest is the last.
                bytes memory row = NodeBuilder.noise(n << (dtype - 1), 1);
                row[row.length - (1 << (dtype - 1))] = 0x7f;
                for (uint8 kind = 0; kind < 7; ++kind) {
                    if (dtype == 3 && (kind == SQUARES || kind == VARIANCE)) continue;
                    string memory name = string.concat(names[kind], " of ", vm.toString(n));
                    name = string.concat(name, dtype == 1 ? " i8" : dtype == 2 ? " i16" : " i32");
                    measure(question(ofRow(kind, dtype, row)), n, "RowLeaf", name);
                }
            }
        }
    }
}

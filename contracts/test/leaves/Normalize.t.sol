// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Opening} from "../../src/interfaces/ILeaf.sol";
import {RowLeaf} from "../../src/leaves/RowLeaf.sol";
import {Parameters} from "../../src/lib/Parameters.sol";
import {LeafFixture} from "../base/LeafFixture.sol";
import {NodeBuilder} from "../base/NodeBuilder.sol";
import {Plain} from "../base/Plain.sol";

/// @title Normalised elements: by hand and by a plain restatement, extremes, forms, refusals, gas.
/// @dev Spec: programs, 1.10 and 1.20; operators, 2.24.
contract NormalizeTest is LeafFixture {
    struct Case {
        NodeBuilder.Normalize p;
        uint8 dtype; // of the output
        bytes x;
        bytes center;
        bytes factor;
        bytes constants;
        uint64 element;
    }

    function setUp() public {
        leaf = new RowLeaf();
    }

    /// One element with M = 2, s = 1, S = 15: itself.
    function single(uint8 dtype, int256 x) internal pure returns (Case memory c) {
        c.p = NodeBuilder.Normalize(1, 1, dtype, 0, 0, 0, 15, type(int32).min, type(int32).max);
        (c.dtype, c.x, c.constants) = (3, NodeBuilder.put(dtype, x), NodeBuilder.constants(1, 0, 2, 0, 1));
    }

    function question(Case memory c) internal pure returns (Question memory q) {
        uint256 count = 1 + c.p.center + c.p.factor;
        uint32[] memory inputs = new uint32[](count);
        bytes32[] memory roots = NodeBuilder.roots(c.constants);
        q.nodeLeaf = NodeBuilder.leaf(10, c.dtype, 0, inputs, roots, NodeBuilder.normalize(c.p));
        q.element = c.element;
        q.openings = new Opening[](count + 1);
        q.tensors = new bytes[](count + 1);
        uint256 size = 1 << (c.p.dtype - 1);
        uint256 row = c.element / c.p.columns;
        put(q, 0, c.x, c.element * size, size);
        if (c.p.center == 1) put(q, 1, c.center, 4 * row, 4);
        if (c.p.factor == 1) put(q, count - 1, c.factor, 4 * row, 4);
        put(q, count, c.constants, 16 * (c.element % c.p.columns), 16);
    }

    function check(Case memory c, int256 want, string memory what) internal view {
        assertEq(answer(question(c)), want, what);
    }

    function restated(Case memory c) internal pure returns (int256 v) {
        uint256 row = c.element / c.p.columns;
        uint256 column = c.element - row * c.p.columns;
        v = NodeBuilder.get(c.x, c.p.dtype, c.element) * int256(2 ** uint256(c.p.centerBits));
        if (c.p.center == 1) v -= NodeBuilder.get(c.center, 3, row);
        v = Plain.rounded(
            v * NodeBuilder.get(c.constants, 3, 4 * column + 1),
            uint256(NodeBuilder.get(c.constants, 3, 4 * column + 3))
        );
        int256 factor = c.p.factor == 1 ? NodeBuilder.get(c.factor, 3, row) : int256(32_768);
        v = Plain.byRow(v, factor, NodeBuilder.get(c.constants, 3, 4 * column), c.p.factorShift);
        return Plain.clamp(v, c.p.lo, c.p.hi);
    }

    function randomCase(uint256 seed) internal pure returns (Case memory c) {
        NodeBuilder.Normalize memory p = c.p;
        (p.rows, p.columns) = (uint32(Plain.draw(seed, 1, 1, 40)), uint32(Plain.draw(seed, 2, 1, 40)));
        (p.dtype, p.centerBits) = (uint8(Plain.draw(seed, 3, 1, 3)), uint8(Plain.draw(seed, 4, 0, 15)));
        (p.center, p.factor) = (uint8(Plain.draw(seed, 5, 0, 1)), uint8(Plain.draw(seed, 6, 0, 1)));
        p.factorShift = uint8(Plain.draw(seed, 7, 1, 46));
        c.dtype = uint8(Plain.draw(seed, 8, 1, 3));
        int256 most = c.dtype == 1 ? int256(127) : c.dtype == 2 ? int256(32_767) : type(int32).max;
        p.lo = Plain.drawSigned(seed, 9, c.dtype == 3 ? -most - 1 : -most, most);
        p.hi = Plain.drawSigned(seed, 10, p.lo, most);
        c.x = Plain.anything(uint256(p.rows) * p.columns << (p.dtype - 1), seed / 3);
        c.center = Plain.anything(4 * uint256(p.rows), seed / 5);
        c.factor = Plain.anything(4 * uint256(p.rows), seed / 7);
        for (uint256 i = 0; i < p.columns; ++i) {
            int32 m = Plain.drawSigned(seed, 100 + i, -32_767, 32_767);
            int32 bias = Plain.drawSigned(seed, 200 + i, -1 << 30, 1 << 30);
            int32 shift = Plain.drawSigned(seed, 300 + i, 1, 46);
            c.constants = bytes.concat(c.constants, NodeBuilder.constants(1, bias, m, 0, shift));
        }
        c.element = uint64(Plain.draw(seed, 11, 0, uint256(p.rows) * p.columns - 1));
    }

    function test_fuzz_an_element_is_its_plain_restatement(uint256 seed) public view {
        Case memory c = randomCase(seed % (1 << 128));
        check(c, restated(c), "restatement");
    }

    function test_an_element_is_centred_scaled_and_shifted() public view {
        Case memory c = single(1, 5);
        check(c, 5, "as it is");
        (c.p.centerBits, c.p.center, c.center) = (8, 1, NodeBuilder.put(3, 256));
        check(c, 1_024, "5 * 256 - 256");
        (c.p.factor, c.factor) = (1, NodeBuilder.put(3, -128));
        check(c, -4, "1024 * -128 / 2^15");
        c.constants = NodeBuilder.constants(1, 100, 2, 0, 1);
        check(c, 96, "and the bias behind the factor");
        c.constants = NodeBuilder.constants(1, 100, -2, 0, 1);
        check(c, 104, "a multiplier below 0");
        (c.p.lo, c.p.hi) = (-3, 50);
        check(c, 50, "clamped");
    }

    function test_both_roundings_take_halves_upwards() public view {
        Case memory c = single(1, 7);
        c.constants = NodeBuilder.constants(1, 0, 1, 0, 1);
        check(c, 4, "(7 + 1) >> 1");
        c.x = NodeBuilder.put(1, -7);
        check(c, -3, "(-7 + 1) >> 1");
        c = single(1, 7);
        c.p.factorShift = 16;
        check(c, 4, "7 * 2^15 >> 16");
        c.x = NodeBuilder.put(1, -7);
        check(c, -3, "-7 * 2^15 >> 16");
    }

    function test_t_is_clamped_to_i32_and_the_widest_values_do_not_overflow() public view {
        Case memory c = single(3, type(int32).min);
        (c.p.centerBits, c.p.center, c.p.factor) = (15, 1, 1);
        (c.center, c.factor) = (NodeBuilder.put(3, type(int32).max), NodeBuilder.put(3, type(int32).min));
        c.constants = NodeBuilder.constants(1, 1 << 30, 32_767, 0, 1);
        c.p.factorShift = 46;
        check(c, 65_537, "-2^31 * -2^31 / 2^46 + 2^45 / 2^46");
        c.factor = NodeBuilder.put(3, type(int32).max);
        c.constants = NodeBuilder.constants(1, -1 << 30, 32_767, 0, 1);
        check(c, restated(c), "of both signs");
        c.p.factorShift = 1;
        check(c, type(int32).min, "clamped again");
    }

    /// Spec: programs, 1.20.
    function test_constants_out_of_form_void_the_value_and_are_proved_all_the_same() public {
        int32[4][10] memory bad = [
            [int32(1 << 30) + 1, 2, 0, 1],
            [int32(-1 << 30) - 1, 2, 0, 1],
            [int32(0), 32_768, 0, 1],
            [int32(0), -32_768, 0, 1],
            [int32(0), 2, 1, 1],
            [int32(0), 2, -1, 1],
            [int32(0), 2, 0, 0],
            [int32(0), 2, 0, 47],
            [int32(0), 2, 0, -1],
            [int32(0), 2, 0, type(int32).min]
        ];
        Case memory c = single(1, 5);
        for (uint256 i = 0; i < bad.length; ++i) {
            c.constants = NodeBuilder.constants(1, bad[i][0], bad[i][1], bad[i][2], bad[i][3]);
            check(c, VOID, "out of form");
        }
        checkTensor(question(c), 1);
        c.constants = NodeBuilder.constants(1, 1 << 30, 32_767, 0, 46);
        check(c, 1 << 30, "at the limits");
        c.constants = NodeBuilder.constants(1, -1 << 30, -32_767, 0, 1);
        check(c, -(1 << 30) - (5 * 32_767 - 1) / 2, "at the others");
        c.constants = NodeBuilder.constants(1, 7, 0, 0, 1);
        check(c, 7, "a multiplier of 0");
    }

    function test_symbols_give_the_rows() public view {
        for (uint32 n = 1; n < 200; n += 99) {
            Case memory c = single(2, 0);
            (c.p.rows, c.p.columns, c.element) = (n + 2, 3, 3 * n + 5);
            (c.p.center, c.p.factor, c.x) = (1, 1, NodeBuilder.noise(6 * (n + 2), n));
            (c.center, c.factor) = (NodeBuilder.noise(4 * (n + 2), 1), NodeBuilder.noise(4 * (n + 2), 2));
            c.constants = NodeBuilder.constants(3, 9, 77, 0, 5);
            Question memory q = question(c);
            bytes memory parameters = NodeBuilder.withDim(NodeBuilder.normalize(c.p), 0, NodeBuilder.dim(1, 1, 2));
            q.nodeLeaf =
                NodeBuilder.leaf(10, 3, 0, NodeBuilder.list(0, 1, 2), NodeBuilder.roots(c.constants), parameters);
            q.dimensions = NodeBuilder.list(n);
            assertEq(answer(q), restated(c), "at n");
        }
    }

    function broad() internal pure returns (Case memory c) {
        c = single(2, 0);
        (c.p.rows, c.p.columns, c.element) = (300, 50, 14_000);
        (c.p.center, c.p.factor, c.x) = (1, 1, NodeBuilder.noise(30_000, 4));
        (c.center, c.factor) = (NodeBuilder.noise(1_200, 1), NodeBuilder.noise(1_200, 2));
        c.constants = NodeBuilder.constants(50, 9, -77, 0, 5);
    }

    function test_openings_are_checked_in_the_order_of_the_node_leaf() public {
        Case memory c = broad();
        check(c, restated(c), "the value");
        checkOrder(question(c), slots(4));
        checkTensor(question(c), 3);
        c.p.center = 0;
        checkOrder(question(c), slots(3));
        c.p.factor = 0;
        checkOrder(question(c), slots(2));
        c.p.center = 1;
        checkOrder(question(c), slots(3));
    }

    function test_the_frame_of_a_question_is_checked() public {
        checkFrame(question(broad()), 15_000);
    }

    function test_a_factor_shift_is_never_zero() public {
        Case memory c = single(1, 5);
        c.p.factorShift = 0;
        refuse(question(c), abi.encodeWithSelector(Parameters.FieldOutside.selector, 6, int256(1), 46, 0));
    }

    function test_gas_of_a_normalisation() public {
        measure(question(broad()), 1, "RowLeaf", "normalisation with center and factor");
        measure(question(single(1, 5)), 1, "RowLeaf", "affine map of a column");
    }
}

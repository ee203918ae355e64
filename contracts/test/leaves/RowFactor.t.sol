// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Opening} from "../../src/interfaces/ILeaf.sol";
import {LinearLeaf} from "../../src/leaves/LinearLeaf.sol";
import {Parameters} from "../../src/lib/Parameters.sol";
import {LeafFixture} from "../base/LeafFixture.sol";
import {NodeBuilder} from "../base/NodeBuilder.sol";
import {Plain} from "../base/Plain.sol";

/// @title Matrix products of int16, and with a row factor: by a plain restatement, extremes, refusals, gas.
/// @dev Spec: programs, 1.5 and 1.10; operators, 2.11, 2.12 and 2.21.
contract RowFactorTest is LeafFixture {
    struct Case {
        uint32 rows;
        uint32 rowElements;
        uint32 offset;
        uint32 terms;
        uint32 outputs;
        uint8 dtype; // of x
        uint8 factorShift;
        uint8 addend;
        int32 lo;
        int32 hi;
        uint8 given; // type of the output
        bytes x;
        bytes y;
        bytes g;
        bytes weights;
        bytes constants;
        bytes table;
        uint64 element;
    }

    function setUp() public {
        leaf = new LinearLeaf();
    }

    /// One element; M = 2 and s = 1 are the identity.
    function single(uint8 dtype, bytes memory x, bytes memory weights) internal pure returns (Case memory c) {
        c.terms = uint32(weights.length);
        (c.rows, c.rowElements, c.outputs, c.dtype) = (1, c.terms, 1, dtype);
        (c.lo, c.hi, c.given) = (type(int32).min, type(int32).max, 3);
        (c.x, c.weights, c.constants) = (x, weights, NodeBuilder.constants(1, 0, 2, 0, 1));
    }

    function inputsOf(Case memory c) internal pure returns (uint32[] memory) {
        return new uint32[](1 + (c.addend == 0 ? 0 : 1) + (c.factorShift == 0 ? 0 : 1));
    }

    function parametersOf(Case memory c) internal pure returns (bytes memory) {
        bytes memory head = abi.encodePacked(NodeBuilder.dim(c.rows), c.rowElements, c.offset, c.terms, c.outputs);
        bytes memory tail = NodeBuilder.tail(c.addend, c.lo, c.hi, c.table.length != 0);
        return abi.encodePacked(head, c.dtype, c.factorShift, tail);
    }

    function leafOf(Case memory c) internal pure returns (bytes memory) {
        bytes32[] memory roots = c.table.length == 0
            ? NodeBuilder.roots(c.weights, c.constants)
            : NodeBuilder.roots(c.weights, c.constants, c.table);
        return NodeBuilder.leaf(1, c.given, 0, inputsOf(c), roots, parametersOf(c));
    }

    function question(Case memory c) internal pure returns (Question memory q) {
        q.nodeLeaf = leafOf(c);
        q.element = c.element;
        uint256 slot = inputsOf(c).length;
        uint256 count = slot + (c.table.length == 0 ? 2 : 3);
        q.openings = new Opening[](count);
        q.tensors = new bytes[](count);
        uint256 size = 1 << (c.dtype - 1);
        uint256 row = c.element / c.outputs;
        uint256 channel = c.element % c.outputs;
        put(q, 0, c.x, (row * c.rowElements + c.offset) * size, c.terms * size);
        if (c.addend != 0) put(q, 1, c.y, uint256(c.element) << (c.addend - 1), 1 << (c.addend - 1));
        if (c.factorShift != 0) put(q, slot - 1, c.g, 4 * row, 4);
        put(q, slot, c.weights, channel * c.terms, c.terms);
        put(q, slot + 1, c.constants, 16 * channel, 16);
        if (c.table.length != 0) put(q, slot + 2, c.table, 0, 256);
    }

    function check(Case memory c, int256 want, string memory what) internal view {
        assertEq(answer(question(c)), want, what);
    }

    function restated(Case memory c) internal pure returns (int256 v) {
        uint256 row = c.element / c.outputs;
        uint256 channel = c.element - row * c.outputs;
        for (uint256 i = 0; i < c.terms; ++i) {
            int256 x = NodeBuilder.get(c.x, c.dtype, row * c.rowElements + c.offset + i);
            v += x * NodeBuilder.get(c.weights, 1, channel * c.terms + i);
        }
        int256 bias = NodeBuilder.get(c.constants, 3, 4 * channel);
        int256 m = NodeBuilder.get(c.constants, 3, 4 * channel + 1);
        int256 a = NodeBuilder.get(c.constants, 3, 4 * channel + 2);
        if (c.addend != 0) a *= NodeBuilder.get(c.y, c.addend, c.element);
        else a = 0;
        uint256 s = uint256(NodeBuilder.get(c.constants, 3, 4 * channel + 3));
        if (c.factorShift == 0) v = Plain.rounded((v + bias) * m + a, s);
        else v = Plain.byRow(Plain.rounded(v * m, s), NodeBuilder.get(c.g, 3, row), bias + a, c.factorShift);
        v = Plain.clamp(v, c.lo, c.hi);
        if (c.table.length != 0) v = NodeBuilder.get(c.table, 1, uint256(v + 128));
    }

    function randomCase(uint256 seed) internal pure returns (Case memory c) {
        (c.rows, c.outputs) = (uint32(Plain.draw(seed, 1, 1, 6)), uint32(Plain.draw(seed, 2, 1, 6)));
        (c.offset, c.terms) = (uint32(Plain.draw(seed, 3, 0, 9)), uint32(Plain.draw(seed, 4, 1, 90)));
        c.rowElements = c.offset + c.terms + uint32(Plain.draw(seed, 5, 0, 5));
        (c.dtype, c.addend) = (uint8(Plain.draw(seed, 6, 1, 2)), uint8(Plain.draw(seed, 7, 0, 3)));
        if (Plain.draw(seed, 8, 0, 2) != 0) c.factorShift = uint8(Plain.draw(seed, 9, 1, 46));
        bool tabled = Plain.draw(seed, 10, 0, 3) == 0;
        c.given = tabled ? 1 : uint8(Plain.draw(seed, 11, 1, 3));
        int256 most = c.given == 1 ? int256(127) : c.given == 2 ? int256(32_767) : type(int32).max;
        c.lo = Plain.drawSigned(seed, 12, c.given == 3 || tabled ? -most - 1 : -most, most);
        c.hi = Plain.drawSigned(seed, 13, c.lo, most);
        c.x = Plain.anything(uint256(c.rows) * c.rowElements << (c.dtype - 1), seed / 3);
        if (c.addend != 0) c.y = Plain.anything(uint256(c.rows) * c.outputs << (c.addend - 1), seed / 5);
        c.g = Plain.anything(4 * uint256(c.rows), seed / 7);
        c.weights = NodeBuilder.noise(uint256(c.outputs) * c.terms, seed);
        for (uint256 i = 0; i < c.outputs; ++i) {
            int32 bias = Plain.drawSigned(seed, 100 + i, -1 << 30, 1 << 30);
            int32 m = Plain.drawSigned(seed, 200 + i, 1, 32_767);
            int32 a = Plain.drawSigned(seed, 300 + i, 0, 32_767);
            int32 s = Plain.drawSigned(seed, 400 + i, 1, 46);
            c.constants = bytes.concat(c.constants, NodeBuilder.constants(1, bias, m, a, s));
        }
        if (tabled) c.table = NodeBuilder.noise(256, seed);
        c.element = uint64(Plain.draw(seed, 14, 0, uint256(c.rows) * c.outputs - 1));
    }

    function test_fuzz_an_element_is_its_plain_restatement(uint256 seed) public view {
        Case memory c = randomCase(seed % (1 << 128));
        check(c, restated(c), "restatement");
    }

    function test_the_longest_int16_products_of_extreme_values_are_exact() public view {
        bytes memory low = NodeBuilder.repeat(2, -32_768, 8_192);
        Case memory c = single(2, low, NodeBuilder.repeat(1, -127, 8_192));
        check(c, type(int32).max, "clamped");
        c.constants = NodeBuilder.constants(1, 0, 1, 0, 10);
        check(c, 32_768 * 127 * 8, "32768 * 127 * 8192 / 2^10");
        c.weights = NodeBuilder.repeat(1, 127, 8_192);
        check(c, -32_768 * 127 * 8, "of the other sign");
        c.constants = NodeBuilder.constants(1, -1 << 30, 32_767, 0, 46);
        check(c, restated(c), "with the largest constants");
        // Weights of the model are never -128: their form is held elsewhere, the product is what it is.
        c.weights = NodeBuilder.repeat(1, -128, 8_192);
        check(c, restated(c), "with weights out of form");
    }

    function test_a_row_factor_multiplies_the_sum_and_not_the_bias() public view {
        Case memory c = single(1, hex"05", hex"03");
        (c.factorShift, c.g) = (15, NodeBuilder.put(3, -65_536));
        c.constants = NodeBuilder.constants(1, 100, 2, 4, 1);
        check(c, 70, "15 * -2 + 100");
        (c.addend, c.y) = (2, NodeBuilder.put(2, -30_000));
        check(c, 70 - 120_000, "and the addend times its multiplier");
    }

    function test_t_is_clamped_to_i32_and_factors_have_either_sign() public view {
        Case memory c = single(2, NodeBuilder.repeat(2, -32_768, 8_192), NodeBuilder.repeat(1, -127, 8_192));
        c.factorShift = 46;
        int32[3] memory factors = [type(int32).min, type(int32).max, int32(0)];
        int256[3] memory want = [int256(-65_536), 65_536, 0];
        for (uint256 i = 0; i < 3; ++i) {
            c.g = NodeBuilder.put(3, factors[i]);
            c.weights = NodeBuilder.repeat(1, -127, 8_192);
            check(c, want[i], "t = 2^31 - 1");
            c.weights = NodeBuilder.repeat(1, 127, 8_192);
            check(c, -want[i], "t = -2^31");
        }
        // The widest of everything.
        c.g = NodeBuilder.put(3, type(int32).min);
        (c.addend, c.y) = (3, NodeBuilder.put(3, type(int32).min));
        c.constants = NodeBuilder.constants(1, -1 << 30, 32_767, 32_767, 1);
        check(c, restated(c), "the widest sum");
        c.factorShift = 1;
        check(c, restated(c), "clamped again");
    }

    function test_constants_and_entries_out_of_form_void_the_value_with_a_row_factor() public {
        Case memory c = single(1, hex"05", hex"03");
        (c.factorShift, c.g) = (15, NodeBuilder.put(3, 1));
        int32[4][5] memory bad = [
            [int32(1 << 30) + 1, 2, 0, 1],
            [int32(0), 0, 0, 1],
            [int32(0), -1, 0, 1],
            [int32(0), 2, 32_768, 1],
            [int32(0), 2, 0, 47]
        ];
        for (uint256 i = 0; i < bad.length; ++i) {
            c.constants = NodeBuilder.constants(1, bad[i][0], bad[i][1], bad[i][2], bad[i][3]);
            check(c, VOID, "out of form");
        }
        checkTensor(question(c), 3);
        c.constants = NodeBuilder.constants(1, 0, 2, 0, 1);
        (c.table, c.given, c.lo, c.hi) = (NodeBuilder.repeat(1, -128, 256), 1, -128, 127);
        check(c, VOID, "entry");
    }

    function test_symbols_give_the_rows() public view {
        for (uint32 n = 1; n < 40; n += 19) {
            Case memory c = single(2, NodeBuilder.noise(2 * 2 * n * 33, n), NodeBuilder.noise(66, 3));
            (c.rows, c.outputs, c.terms, c.rowElements) = (2 * n, 2, 33, 33);
            (c.factorShift, c.g, c.element) = (9, NodeBuilder.noise(8 * n, 5), 4 * n - 1);
            c.constants = NodeBuilder.constants(2, 9, 77, 0, 5);
            Question memory q = question(c);
            bytes memory parameters = NodeBuilder.withDim(parametersOf(c), 0, NodeBuilder.dim(1, 2, 0));
            bytes32[] memory roots = NodeBuilder.roots(c.weights, c.constants);
            q.nodeLeaf = NodeBuilder.leaf(1, 3, 0, inputsOf(c), roots, parameters);
            q.dimensions = NodeBuilder.list(n);
            assertEq(answer(q), restated(c), "at n");
        }
    }

    function whole() internal pure returns (Case memory c) {
        c = single(2, NodeBuilder.noise(6 * 700, 1), NodeBuilder.noise(3 * 700, 2));
        (c.rows, c.rowElements, c.terms, c.outputs, c.element) = (3, 700, 700, 3, 8);
        (c.addend, c.y, c.factorShift, c.g) = (3, NodeBuilder.noise(36, 3), 9, NodeBuilder.noise(12, 4));
        c.constants = NodeBuilder.constants(3, 5, 3, 2, 9);
        (c.table, c.given, c.lo, c.hi) = (NodeBuilder.noise(256, 5), 1, -128, 127);
    }

    /// x, weights, constants, addend, row factor, table.
    function test_openings_are_checked_in_their_order() public {
        uint256[] memory order = new uint256[](6);
        (order[1], order[2], order[3], order[4], order[5]) = (3, 4, 1, 2, 5);
        checkOrder(question(whole()), order);
        checkTensor(question(whole()), 3);
        checkTensor(question(whole()), 4);
        checkTensor(question(whole()), 5);
    }

    function test_the_frame_of_a_question_is_checked() public {
        checkFrame(question(whole()), 9);
    }

    function test_limits_of_a_wide_product_and_a_factor_shift_are_held() public {
        Case memory c = whole();
        (c.terms, c.rowElements) = (8_193, 8_193);
        Question memory q = question(whole());
        q.nodeLeaf = leafOf(c);
        refuse(q, abi.encodeWithSelector(Parameters.TermsTooMany.selector, 8_192, 8_193));
        c = whole();
        c.factorShift = 47;
        q.nodeLeaf = leafOf(c);
        refuse(q, abi.encodeWithSelector(Parameters.FieldOutside.selector, 6, int256(0), 46, 47));
        c = whole();
        c.dtype = 3;
        q.nodeLeaf = leafOf(c);
        refuse(q, abi.encodeWithSelector(Parameters.FieldOutside.selector, 5, int256(1), 2, 3));
    }

    function test_gas_of_wide_products() public {
        uint32[3] memory ks = [uint32(384), 1_536, 8_192];
        for (uint256 i = 0; i < 3; ++i) {
            Case memory c = single(2, NodeBuilder.noise(2 * ks[i], 1), NodeBuilder.noise(ks[i], 2));
            (c.factorShift, c.g) = (15, NodeBuilder.noise(4, 3));
            measure(question(c), ks[i], "LinearLeaf", string.concat("matmul i16 K=", vm.toString(ks[i])));
        }
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Opening} from "../../src/interfaces/ILeaf.sol";
import {ProductLeaf} from "../../src/leaves/ProductLeaf.sol";
import {Parameters} from "../../src/lib/Parameters.sol";
import {LeafFixture} from "../base/LeafFixture.sol";
import {NodeBuilder} from "../base/NodeBuilder.sol";
import {Plain} from "../base/Plain.sol";

/// @title Elements of batched products: values by a plain restatement, extremes, refusals, gas.
/// @dev Spec: programs, 1.10 and 1.18; operators, 2.21 and 2.22.
contract ProductLeafTest is LeafFixture {
    struct Case {
        NodeBuilder.BatchMatmul p;
        uint8 dtype; // of the output
        bytes x;
        bytes y;
        bytes g;
        uint256 batch;
        uint256 row;
        uint256 column;
    }

    function setUp() public {
        leaf = new ProductLeaf();
    }

    /// M = 2 and s = 1 are the identity; x, y and the factors as given.
    function plainCase(uint32 k, uint8 dtype, bytes memory x, bytes memory y) internal pure returns (Case memory c) {
        c.p = NodeBuilder.BatchMatmul(1, 1, 1, 1, k, 0, dtype, 2, 1, 0, type(int32).min, type(int32).max);
        (c.dtype, c.x, c.y) = (3, x, y);
    }

    /// Rows of x, of y and of the output: where (batch, row) of an order stands.
    function place(bool interleaved, uint256 batches, uint256 rows, uint256 batch, uint256 row)
        internal
        pure
        returns (uint256)
    {
        return interleaved ? row * batches + batch : batch * rows + row;
    }

    function rowOfX(Case memory c) internal pure returns (uint256) {
        return place(c.p.order % 2 == 1, c.p.batch, c.p.rows, c.batch, c.row);
    }

    function rowOfY(Case memory c) internal pure returns (uint256) {
        bool interleaved = c.p.order / 2 % 2 == 1;
        return place(interleaved, c.p.batch / c.p.group, c.p.columns, c.batch / c.p.group, c.column);
    }

    function question(Case memory c) internal pure returns (Question memory q) {
        bool factor = c.p.factorShift != 0;
        uint32[] memory inputs = factor ? NodeBuilder.list(0, 1, 2) : NodeBuilder.list(0, 1);
        q.nodeLeaf = NodeBuilder.leaf(8, c.dtype, 0, inputs, new bytes32[](0), NodeBuilder.batchMatmul(c.p));
        uint256 outer = place(c.p.order / 4 == 1, c.p.batch, c.p.rows, c.batch, c.row);
        q.element = uint64(outer * c.p.columns + c.column);
        q.openings = new Opening[](inputs.length);
        q.tensors = new bytes[](inputs.length);
        open(q, c, c.p.k);
    }

    function open(Question memory q, Case memory c, uint256 k) internal pure {
        uint256 size = 1 << (c.p.dtype - 1);
        put(q, 0, c.x, rowOfX(c) * k * size, k * size);
        put(q, 1, c.y, rowOfY(c) * k, k);
        if (c.p.factorShift != 0) put(q, 2, c.g, 4 * rowOfX(c), 4);
    }

    function restated(Case memory c) internal pure returns (int256 v) {
        (uint256 xFrom, uint256 yFrom) = (rowOfX(c) * c.p.k, rowOfY(c) * c.p.k);
        for (uint256 i = 0; i < c.p.k; ++i) {
            v += NodeBuilder.get(c.x, c.p.dtype, xFrom + i) * NodeBuilder.get(c.y, 1, yFrom + i);
        }
        v = Plain.rounded(v * int256(uint256(c.p.m)), c.p.shift);
        if (c.p.factorShift != 0) v = Plain.byRow(v, NodeBuilder.get(c.g, 3, rowOfX(c)), 0, c.p.factorShift);
        return Plain.clamp(v, c.p.lo, c.p.hi);
    }

    function check(Case memory c, int256 want, string memory what) internal view {
        assertEq(answer(question(c)), want, what);
    }

    function randomCase(uint256 seed) internal pure returns (Case memory c) {
        NodeBuilder.BatchMatmul memory p = c.p;
        p.group = uint32(Plain.draw(seed, 1, 1, 3));
        p.batch = p.group * uint32(Plain.draw(seed, 2, 1, 3));
        (p.rows, p.columns) = (uint32(Plain.draw(seed, 3, 1, 5)), uint32(Plain.draw(seed, 4, 1, 5)));
        p.k = uint32(Plain.draw(seed, 5, 1, 70));
        (p.order, p.dtype) = (uint8(Plain.draw(seed, 6, 0, 7)), uint8(Plain.draw(seed, 7, 1, 2)));
        (p.m, p.shift) = (uint16(Plain.draw(seed, 8, 1, 32_767)), uint8(Plain.draw(seed, 9, 1, 46)));
        if (Plain.draw(seed, 10, 0, 1) == 1) p.factorShift = uint8(Plain.draw(seed, 11, 1, 46));
        c.dtype = uint8(Plain.draw(seed, 12, 1, 3));
        int256 most = c.dtype == 1 ? int256(127) : c.dtype == 2 ? int256(32_767) : type(int32).max;
        p.lo = Plain.drawSigned(seed, 13, c.dtype == 3 ? -most - 1 : -most, most);
        p.hi = Plain.drawSigned(seed, 14, p.lo, most);
        uint256 k = p.k;
        c.x = Plain.anything(p.batch * p.rows * k << (p.dtype - 1), seed / 3);
        c.y = Plain.anything(p.batch / p.group * p.columns * k, seed / 7);
        c.g = Plain.anything(4 * p.batch * p.rows, seed / 11);
        (c.batch, c.row) = (Plain.draw(seed, 15, 0, p.batch - 1), Plain.draw(seed, 16, 0, p.rows - 1));
        c.column = Plain.draw(seed, 17, 0, p.columns - 1);
    }

    function test_fuzz_an_element_is_its_plain_restatement(uint256 seed) public view {
        Case memory c = randomCase(seed % (1 << 128));
        check(c, restated(c), "restatement");
    }

    function test_every_order_of_axes_reads_its_own_rows() public view {
        // Each row of x holds its own number, each row of y as well: 2 batches, 3 rows, 2 columns.
        for (uint8 order = 0; order < 8; ++order) {
            Case memory c = plainCase(1, 1, hex"010203040506", hex"0a141e28");
            (c.p.batch, c.p.rows, c.p.columns, c.p.order) = (2, 3, 2, order);
            (c.batch, c.row, c.column) = (1, 0, 1);
            int256 x = order % 2 == 0 ? int256(4) : int256(2);
            check(c, x * 40, "the last batch");
            (c.batch, c.row, c.column) = (0, 2, 1);
            x = order % 2 == 0 ? int256(3) : int256(5);
            check(c, x * (order / 2 % 2 == 0 ? int256(20) : int256(30)), "the last row");
        }
    }

    function test_batches_of_a_group_share_one_batch_of_y() public view {
        Case memory c = plainCase(1, 1, hex"01020304", hex"0a14");
        (c.p.batch, c.p.group) = (4, 2);
        int256[4] memory want = [int256(10), 20, 60, 80];
        for (uint256 b = 0; b < 4; ++b) {
            c.batch = b;
            check(c, want[b], "x[b] * y[b / 2]");
        }
    }

    function test_a_sum_is_rounded_once_with_halves_upwards_and_clamped() public view {
        Case memory c = plainCase(1, 1, hex"07", hex"01");
        c.p.m = 1;
        check(c, 4, "(7 + 1) >> 1");
        c.x = hex"f9";
        check(c, -3, "(-7 + 1) >> 1");
        (c.p.lo, c.p.hi) = (-2, 3);
        check(c, -2, "below");
        c.x = hex"07";
        check(c, 3, "above");
    }

    /// Inputs may hold any pattern.
    function test_the_longest_products_of_extreme_values_are_exact() public view {
        bytes memory low = NodeBuilder.repeat(1, -128, 16_384);
        Case memory c = plainCase(16_384, 1, low, low);
        check(c, 16_384 * 16_384, "int8");
        c = plainCase(8_192, 2, NodeBuilder.repeat(2, -32_768, 8_192), NodeBuilder.repeat(1, -128, 8_192));
        check(c, type(int32).max, "2^35, clamped");
        c.p.shift = 10;
        check(c, int256(1 << 35) * 2 / 1_024, "2^35 * 2 >> 10");
        c.y = NodeBuilder.repeat(1, 127, 8_192);
        check(c, -32_768 * 127 * 8_192 * 2 / 1_024, "of the other sign");
        (c.p.m, c.p.shift) = (32_767, 46);
        check(c, restated(c), "largest multiplier and shift");
    }

    function test_a_row_factor_takes_t_clamped_to_i32_and_either_sign() public view {
        Case memory c = plainCase(8_192, 2, NodeBuilder.repeat(2, -32_768, 8_192), NodeBuilder.repeat(1, -128, 8_192));
        c.p.factorShift = 46;
        c.g = NodeBuilder.put(3, type(int32).min);
        // t = 2^35 is clamped to 2^31 - 1.
        check(c, -65_536, "(2^31 - 1) * -2^31");
        c.g = NodeBuilder.put(3, type(int32).max);
        check(c, 65_536, "(2^31 - 1)^2");
        c.y = NodeBuilder.repeat(1, 127, 8_192);
        check(c, -65_536, "-2^31 * (2^31 - 1)");
        c.g = NodeBuilder.put(3, type(int32).min);
        check(c, 65_536, "-2^31 * -2^31");
        c.g = NodeBuilder.put(3, 0);
        check(c, 0, "nothing");
        c = plainCase(1, 1, hex"07", hex"01");
        (c.p.factorShift, c.g) = (1, NodeBuilder.put(3, -1));
        check(c, -3, "(-7 + 1) >> 1");
    }

    function test_the_row_factor_is_that_of_the_row_in_x() public view {
        for (uint8 order = 0; order < 8; ++order) {
            Case memory c = plainCase(1, 1, hex"010101010101", hex"0101");
            (c.p.batch, c.p.rows, c.p.order, c.p.factorShift) = (2, 3, order, 1);
            c.g = abi.encodePacked(int32(2), int32(4), int32(6), int32(8), int32(10), int32(12));
            (c.batch, c.row) = (1, 0);
            check(c, order % 2 == 0 ? int256(4) : int256(2), "batch 1, row 0");
        }
    }

    function test_symbols_give_rows_columns_and_terms() public view {
        // [n][2n][n + 1]: x [n rows][k], y [2n columns][k], k = n + 1.
        for (uint32 n = 1; n < 40; n += 19) {
            Case memory c =
                plainCase(n + 1, 1, NodeBuilder.noise(n * (n + 1), n), NodeBuilder.noise(2 * n * (n + 1), 9));
            (c.p.rows, c.p.columns, c.row, c.column) = (n, 2 * n, n - 1, 2 * n - 1);
            Question memory q = question(c);
            bytes memory parameters = NodeBuilder.batchMatmul(c.p);
            parameters = NodeBuilder.withDim(parameters, 8, NodeBuilder.dim(1, 1, 0));
            parameters = NodeBuilder.withDim(parameters, 16, NodeBuilder.dim(1, 2, 0));
            parameters = NodeBuilder.withDim(parameters, 24, NodeBuilder.dim(1, 1, 1));
            q.nodeLeaf = NodeBuilder.leaf(8, 3, 0, NodeBuilder.list(0, 1), new bytes32[](0), parameters);
            q.dimensions = NodeBuilder.list(n);
            assertEq(answer(q), restated(c), "at n");
        }
    }

    function wide() internal pure returns (Case memory c) {
        c = plainCase(300, 2, NodeBuilder.noise(6 * 600, 1), NodeBuilder.noise(4 * 300, 2));
        (c.p.batch, c.p.rows, c.p.columns, c.p.factorShift) = (2, 3, 2, 20);
        (c.batch, c.row, c.column, c.g) = (1, 2, 1, NodeBuilder.noise(24, 3));
    }

    function test_openings_are_checked_in_the_order_of_the_node_leaf() public {
        checkOrder(question(wide()), slots(3));
    }

    function test_the_frame_of_a_question_is_checked() public {
        checkFrame(question(wide()), 12);
    }

    function test_parameters_outside_their_limits_are_refused() public {
        Case memory c = wide();
        c.p.k = 8_193;
        Question memory q;
        q.nodeLeaf =
            NodeBuilder.leaf(8, 3, 0, NodeBuilder.list(0, 1, 2), new bytes32[](0), NodeBuilder.batchMatmul(c.p));
        q.openings = new Opening[](3);
        refuse(q, abi.encodeWithSelector(Parameters.TermsTooMany.selector, 8_192, 8_193));
    }

    function test_random_bytes_never_run_away(bytes calldata nodeLeaf, uint64 element) public view {
        (bool ok,) = address(leaf).staticcall{gas: 1_000_000}(
            abi.encodeCall(leaf.evaluate, (nodeLeaf, new uint32[](0), element, new Opening[](2)))
        );
        assertFalse(ok, "random bytes are no leaf");
    }

    function test_gas_of_products() public {
        uint32[4] memory ks = [uint32(32), 512, 8_192, 16_384];
        for (uint8 dtype = 1; dtype < 3; ++dtype) {
            for (uint256 i = 0; i < (dtype == 1 ? 4 : 3); ++i) {
                Case memory c = plainCase(ks[i], dtype, "", "");
                c.x = NodeBuilder.noise(uint256(ks[i]) << (dtype - 1), 1);
                c.y = NodeBuilder.noise(ks[i], 2);
                string memory name = string.concat(dtype == 1 ? "i8, " : "i16, ", vm.toString(ks[i]), " terms");
                measure(question(c), ks[i], "ProductLeaf", name);
            }
        }
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Opening} from "../../src/interfaces/ILeaf.sol";
import {RowLeaf} from "../../src/leaves/RowLeaf.sol";
import {LeafFixture} from "../base/LeafFixture.sol";
import {NodeBuilder} from "../base/NodeBuilder.sol";
import {Plain} from "../base/Plain.sol";

/// @title Elements of embeddings: indices inside and outside, forms, refusals, gas.
/// @dev Spec: programs, 1.10 and 1.21; operators, 2.25.
contract EmbeddingTest is LeafFixture {
    struct Case {
        uint32 rows;
        uint32 columns;
        uint32 entries;
        uint8 dtype;
        bytes indices;
        bytes table;
        uint64 element;
        uint256 entry; // the row of the table that is read
    }

    function setUp() public {
        leaf = new RowLeaf();
    }

    function question(Case memory c) internal pure returns (Question memory q) {
        bytes memory parameters = NodeBuilder.embedding(c.rows, c.columns, c.entries);
        q.nodeLeaf = NodeBuilder.leaf(11, c.dtype, 0, NodeBuilder.list(0), NodeBuilder.roots(c.table), parameters);
        q.element = c.element;
        q.openings = new Opening[](2);
        q.tensors = new bytes[](2);
        uint256 size = 1 << (c.dtype - 1);
        put(q, 0, c.indices, 4 * (c.element / c.columns), 4);
        put(q, 1, c.table, (c.entry * c.columns + c.element % c.columns) * size, size);
    }

    function check(Case memory c, int256 want, string memory what) internal view {
        assertEq(answer(question(c)), want, what);
    }

    /// [2] indices into a table [3][2] with the entries 10 * row + column.
    function small(uint8 dtype, int32 index) internal pure returns (Case memory c) {
        (c.rows, c.columns, c.entries, c.dtype) = (2, 2, 3, dtype);
        c.indices = abi.encodePacked(int32(0), index);
        for (int256 i = 0; i < 6; ++i) {
            c.table = bytes.concat(c.table, NodeBuilder.put(dtype, i / 2 * 10 + i % 2));
        }
        c.element = 3;
    }

    function test_an_index_names_its_row_and_one_outside_the_nearest() public view {
        int32[8] memory indices = [int32(0), 1, 2, 3, type(int32).max, -1, -2, type(int32).min];
        uint256[8] memory rows = [uint256(0), 1, 2, 2, 2, 0, 0, 0];
        for (uint8 dtype = 1; dtype < 4; ++dtype) {
            for (uint256 i = 0; i < 8; ++i) {
                Case memory c = small(dtype, indices[i]);
                c.entry = rows[i];
                check(c, int256(10 * rows[i] + 1), "column 1");
                c.element = 2;
                check(c, int256(10 * rows[i]), "column 0");
                (c.element, c.entry) = (1, 0);
                check(c, 1, "the first row");
            }
        }
    }

    function test_fuzz_an_element_is_its_entry(uint256 seed) public view {
        seed %= 1 << 128;
        Case memory c;
        (c.rows, c.columns) = (uint32(Plain.draw(seed, 1, 1, 300)), uint32(Plain.draw(seed, 2, 1, 40)));
        (c.entries, c.dtype) = (uint32(Plain.draw(seed, 3, 1, 40)), uint8(Plain.draw(seed, 4, 1, 3)));
        c.table = NodeBuilder.noise(uint256(c.entries) * c.columns << (c.dtype - 1), seed);
        c.indices = Plain.anything(4 * uint256(c.rows), seed / 3);
        if (Plain.draw(seed, 5, 0, 1) == 0) c.indices = new bytes(4 * uint256(c.rows));
        c.element = uint64(Plain.draw(seed, 6, 0, uint256(c.rows) * c.columns - 1));
        uint256 row = c.element / c.columns;
        if (Plain.draw(seed, 7, 0, 1) == 0) c.indices[4 * row + 3] = bytes1(uint8(Plain.draw(seed, 8, 0, 60)));
        int256 index = NodeBuilder.get(c.indices, 3, row);
        c.entry = index < 0 ? 0 : index < int256(uint256(c.entries)) ? uint256(index) : c.entries - 1;
        int256 want = NodeBuilder.get(c.table, c.dtype, c.entry * c.columns + c.element % c.columns);
        if ((c.dtype == 1 && want == -128) || (c.dtype == 2 && want == -32_768)) want = VOID;
        check(c, want, "entry");
    }

    /// Spec: programs, 1.21.
    function test_an_entry_that_is_no_value_voids_the_element() public {
        for (uint8 dtype = 1; dtype < 4; ++dtype) {
            Case memory c = small(dtype, 1);
            uint256 size = 1 << (dtype - 1);
            c.entry = 1;
            for (uint256 i = 0; i < size; ++i) {
                c.table[3 * size + i] = i == 0 ? bytes1(0x80) : bytes1(0x00);
            }
            check(c, dtype == 3 ? type(int32).min : VOID, "the smallest pattern");
            checkTensor(question(c), 1);
            c.element = 2;
            check(c, 10, "beside it");
        }
    }

    function test_symbols_give_the_rows() public view {
        for (uint32 n = 1; n < 300; n += 149) {
            Case memory c = small(2, 0);
            (c.rows, c.indices, c.element) = (2 * n, new bytes(8 * n), 4 * n - 1);
            (c.indices[8 * n - 1], c.entry) = (0x01, 1);
            Question memory q = question(c);
            bytes memory parameters = NodeBuilder.withDim(NodeBuilder.embedding(0, 2, 3), 0, NodeBuilder.dim(1, 2, 0));
            q.nodeLeaf = NodeBuilder.leaf(11, 2, 0, NodeBuilder.list(0), NodeBuilder.roots(c.table), parameters);
            q.dimensions = NodeBuilder.list(n);
            assertEq(answer(q), 11, "row 1, column 1");
        }
    }

    function large() internal pure returns (Case memory c) {
        (c.rows, c.columns, c.entries, c.dtype) = (300, 32, 500, 2);
        (c.table, c.indices) = (NodeBuilder.noise(32_000, 1), new bytes(1_200));
        (c.indices[1_198], c.indices[1_199]) = (0x01, 0x90);
        (c.element, c.entry) = (9_599, 400);
    }

    function test_openings_are_checked_in_the_order_of_the_node_leaf() public {
        checkOrder(question(large()), slots(2));
        checkTensor(question(large()), 1);
        checkFrame(question(large()), 9_600);
    }

    /// The index is any claimed value: which tile of the table it names follows from it.
    function test_the_row_of_another_index_is_refused() public {
        Case memory c = large();
        c.entry = 0;
        vm.expectRevert();
        this.ask(question(c));
    }

    function ask(Question calldata q) external view returns (int256 value) {
        (value,) = leaf.evaluate(q.nodeLeaf, q.dimensions, q.element, q.openings);
    }

    function test_gas_of_an_embedding() public {
        measure(question(large()), 1, "RowLeaf", "embedding");
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ModelRegistry} from "../src/ModelRegistry.sol";
import {IModelRegistry} from "../src/interfaces/IModelRegistry.sol";
import {Model} from "../src/interfaces/IModelRegistry.sol";
import {Dimensions} from "../src/lib/Dimensions.sol";
import {NodeLeaf} from "../src/lib/NodeLeaf.sol";
import {Parameters} from "../src/lib/Parameters.sol";
import {NodeBuilder} from "./base/NodeBuilder.sol";
import {RegistryFixture} from "./base/RegistryFixture.sol";

/// @title Registration of the operators that work on rows: one valid program, every refusal.
/// @dev Spec: programs, 1.5, 1.6, 1.10 and 1.17 to 1.21.
contract RowLimitsTest is RegistryFixture {
    uint32[] internal none;

    // Where the parameters of a node start: behind one input, one input and one tensor, and so on.
    uint256 private constant ALONE = NodeBuilder.HEAD + 4;
    uint256 private constant TABLED = NodeBuilder.HEAD + 4 + 32;
    uint256 private constant LINEAR = NodeBuilder.HEAD + 8 + 64;
    uint256 private constant PRODUCT = NodeBuilder.HEAD + 12;
    uint256 private constant NORMED = NodeBuilder.HEAD + 12 + 32;

    uint256 private constant ROUNDED = 1;
    uint256 private constant ROW = 2;
    uint256 private constant EMBED = 3;
    uint256 private constant MATMUL = 4;
    uint256 private constant BATCHED = 5;
    uint256 private constant NORM = 6;
    uint256 private constant INVERSE = 7;
    uint256 private constant EXPONENT = 8;

    /// INPUT i32 [6]; 1: that rounded to i8 [6]; 2: one i32 for each of its 6 rows; 3: an embedding i16 [6][4] of
    /// the input; 4: a matmul of that to i8 [6][5] with the factors 2; 5: a product of node 1 as [2][3][1] and
    /// itself as [1][6][1], with the factors 2, i32 [2][3][6]; 6: its rows normalised by 2 twice; 7: their
    /// reciprocals; 8: their exponentials.
    function setUp() public {
        registry = new ModelRegistry();
        add(0, 3, none, 0, 0, abi.encodePacked(uint8(1), NodeBuilder.dim(6)));
        add(7, 1, NodeBuilder.list(0), 0, 6, NodeBuilder.pointwise(pointwise(3, 0, -127, 127)));
        add(9, 3, NodeBuilder.list(1), 0, 12, NodeBuilder.reduce(reduced()));
        add(11, 2, NodeBuilder.list(0), 1, 36, NodeBuilder.embedding(6, 4, 9));
        add(1, 1, NodeBuilder.list(3, 2), 2, 156, product(2, 3, 4, 4));
        add(8, 3, NodeBuilder.list(1, 1, 2), 0, 192, NodeBuilder.batchMatmul(batched()));
        add(10, 3, NodeBuilder.list(5, 2, 2), 1, 228, NodeBuilder.normalize(normed()));
        NodeBuilder.Pointwise memory p = pointwise(3, 5, type(int32).min, type(int32).max);
        (p.columns, p.bits) = (6, 62);
        add(7, 3, NodeBuilder.list(6), 0, 264, NodeBuilder.pointwise(p));
        p = pointwise(3, 3, 0, 65_535);
        p.columns = 6;
        add(7, 2, NodeBuilder.list(7), 1, 300, NodeBuilder.pointwise(p));
        numberLeaves();
    }

    function add(uint8 op, uint8 dtype, uint32[] memory inputs, uint256 tensors, uint64 macs, bytes memory parameters)
        internal
    {
        leaves.push(NodeBuilder.leaf(op, dtype, macs, inputs, hashes(tensors), parameters));
    }

    function pointwise(uint8 dtype, uint8 activation, int32 lo, int32 hi)
        internal
        pure
        returns (NodeBuilder.Pointwise memory)
    {
        return NodeBuilder.Pointwise(6, 1, 0, dtype, 2, 0, 0, 0, 0, 0, 1, lo, hi, activation, 0);
    }

    function reduced() internal pure returns (NodeBuilder.Reduce memory) {
        return NodeBuilder.Reduce(6, 1, 3, 1, 1, 1, -5, 5);
    }

    /// [6][4] to [6][5] over `terms` of a row from `offset`.
    function product(uint8 dtype, uint8 shift, uint32 terms, uint32 whole) internal pure returns (bytes memory) {
        bytes memory head = abi.encodePacked(NodeBuilder.dim(6), whole, uint32(0), terms, uint32(5));
        return abi.encodePacked(head, dtype, shift, NodeBuilder.tail(0, -127, 127, false));
    }

    function batched() internal pure returns (NodeBuilder.BatchMatmul memory) {
        return NodeBuilder.BatchMatmul(2, 2, 3, 6, 1, 7, 1, 1, 1, 3, -5, 5);
    }

    function normed() internal pure returns (NodeBuilder.Normalize memory) {
        return NodeBuilder.Normalize(6, 6, 3, 15, 1, 1, 46, -5, 5);
    }

    function bound_(int256 least, int256 most, int256 actual) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(Parameters.ClampBound.selector, least, most, actual);
    }

    function i32(int256 value) internal pure returns (bytes memory) {
        return abi.encodePacked(int32(value));
    }

    function test_a_program_of_all_of_them_is_stored_with_its_sizes() public {
        bytes32 id = registry.register(header(9, ""), leaves, "", 0);
        Model memory m = registry.model(id);
        assertEq(m.macs, 300, "macs");
        // Table, weights, constants of channels and columns, exponential.
        assertEq(m.tensorBytes, 72 + 20 + 80 + 96 + 1_024, "tensors");
        assertEq(m.inputDtype, 3, "input type");
        assertEq(m.outputBytes, 72, "output");
        uint256[9] memory want = [uint256(24), 6, 24, 48, 30, 144, 144, 144, 72];
        for (uint256 node = 0; node < 9; ++node) {
            assertEq(registry.leafBytes(leaves[node], none), want[node], "bytes of the output");
        }
    }

    function test_a_wrong_running_total_is_refused() public {
        uint64[9] memory want = [uint64(0), 6, 12, 36, 156, 192, 228, 264, 300];
        for (uint256 node = 0; node < 9; ++node) {
            bytes memory why =
                abi.encodeWithSelector(IModelRegistry.MacTotal.selector, node, want[node], want[node] + 1);
            spoil(node, 4, abi.encodePacked(want[node] + 1), why);
        }
    }

    function test_the_fields_of_a_wide_matmul_are_held_to_their_limits() public {
        spoil(MATMUL, LINEAR + 24, hex"00", field(5, 1, 2, 0));
        spoil(MATMUL, LINEAR + 24, hex"03", field(5, 1, 2, 3));
        spoil(MATMUL, LINEAR + 25, hex"2f", field(6, 0, 46, 47));
        // x is i16, so an i8 one is another node's.
        spoil(MATMUL, LINEAR + 24, hex"01", dtypes(MATMUL, 0, 1, 2));
        // The factor is there, and no leaf says that it is not.
        bytes4 inputs = NodeLeaf.LeafInputs.selector;
        spoil(MATMUL, LINEAR + 25, hex"00", abi.encodeWithSelector(inputs, 1, 1, 2));
        spoil(MATMUL, LINEAR + 26, hex"03", abi.encodeWithSelector(inputs, 1, 3, 2));
        spoil(MATMUL, NodeBuilder.HEAD + 4, u32(1), dtypes(MATMUL, 1, 3, 1));
        spoil(MATMUL, NodeBuilder.HEAD + 4, u32(3), elements(MATMUL, 1, 6, 24));
        bytes4 many = Parameters.TermsTooMany.selector;
        bytes memory parameters = product(2, 3, 8_193, 8_193);
        bytes memory leaf = NodeBuilder.leaf(1, 1, 0, NodeBuilder.list(3, 2), hashes(2), parameters);
        replace(MATMUL, leaf, abi.encodeWithSelector(many, 8_192, 8_193));
        parameters = product(1, 3, 16_385, 16_385);
        leaf = NodeBuilder.leaf(1, 1, 0, NodeBuilder.list(3, 2), hashes(2), parameters);
        replace(MATMUL, leaf, abi.encodeWithSelector(many, 16_384, 16_385));
    }

    function test_the_fields_of_a_batch_matmul_are_held_to_their_limits() public {
        spoil(BATCHED, PRODUCT, u32(0), abi.encodeWithSelector(Parameters.SizeZero.selector));
        spoil(BATCHED, PRODUCT + 4, u32(0), abi.encodeWithSelector(Parameters.SizeZero.selector));
        bytes4 uneven = Parameters.GroupsUneven.selector;
        spoil(BATCHED, PRODUCT + 4, u32(3), abi.encodeWithSelector(uneven, 3, 2));
        spoil(BATCHED, PRODUCT, u32(3), abi.encodeWithSelector(uneven, 2, 3));
        for (uint256 i = 0; i < 3; ++i) {
            spoil(BATCHED, PRODUCT + 8 + 8 * i, NodeBuilder.dim(0), below(0));
        }
        spoil(BATCHED, PRODUCT + 32, hex"08", field(5, 0, 7, 8));
        spoil(BATCHED, PRODUCT + 33, hex"00", field(6, 1, 2, 0));
        spoil(BATCHED, PRODUCT + 33, hex"03", field(6, 1, 2, 3));
        spoil(BATCHED, PRODUCT + 34, hex"0000", field(7, 1, MOST, 0));
        spoil(BATCHED, PRODUCT + 34, hex"8000", field(7, 1, MOST, 32_768));
        spoil(BATCHED, PRODUCT + 36, hex"00", field(8, 1, 46, 0));
        spoil(BATCHED, PRODUCT + 36, hex"2f", field(8, 1, 46, 47));
        spoil(BATCHED, PRODUCT + 37, hex"2f", field(9, 0, 46, 47));
        spoil(BATCHED, PRODUCT + 37, hex"00", abi.encodeWithSelector(NodeLeaf.LeafInputs.selector, 8, 2, 3));
        spoil(BATCHED, PRODUCT + 38, bytes.concat(i32(5), i32(4)), bound_(5, type(int32).max, 4));
        bytes4 many = Parameters.TermsTooMany.selector;
        spoil(BATCHED, PRODUCT + 24, NodeBuilder.dim(16_385), abi.encodeWithSelector(many, 16_384, 16_385));
        bytes memory wide = abi.encodePacked(NodeBuilder.dim(8_193), uint8(7), uint8(2));
        spoil(BATCHED, PRODUCT + 24, wide, abi.encodeWithSelector(many, 8_192, 8_193));
        bytes4 large = Dimensions.ElementsTooMany.selector;
        spoil(BATCHED, PRODUCT, u32(0xfffffffe), abi.encodeWithSelector(large, 1 << 30, 3 * uint256(0xfffffffe)));
        bytes memory columns = NodeBuilder.dim(1 << 30);
        spoil(BATCHED, PRODUCT + 16, columns, abi.encodeWithSelector(large, 1 << 30, 6 << 30));
    }

    function test_the_inputs_of_a_batch_matmul_have_their_elements_and_types() public {
        spoil(BATCHED, PRODUCT + 8, NodeBuilder.dim(4), elements(BATCHED, 0, 8, 6));
        spoil(BATCHED, PRODUCT + 16, NodeBuilder.dim(7), elements(BATCHED, 1, 7, 6));
        spoil(BATCHED, PRODUCT + 33, hex"02", dtypes(BATCHED, 0, 2, 1));
        spoil(BATCHED, NodeBuilder.HEAD + 4, u32(0), dtypes(BATCHED, 1, 1, 3));
        spoil(BATCHED, NodeBuilder.HEAD + 8, u32(1), dtypes(BATCHED, 2, 3, 1));
        spoil(BATCHED, NodeBuilder.HEAD + 8, u32(3), elements(BATCHED, 2, 6, 24));
        spoil(
            BATCHED,
            NodeBuilder.HEAD + 8,
            u32(5),
            abi.encodeWithSelector(IModelRegistry.InputNotBefore.selector, BATCHED, 2, 5)
        );
        bytes memory parameters = NodeBuilder.batchMatmul(batched());
        bytes memory leaf = NodeBuilder.leaf(8, 3, 0, NodeBuilder.list(1, 1, 2), hashes(1), parameters);
        replace(BATCHED, leaf, abi.encodeWithSelector(NodeLeaf.LeafTensors.selector, 8, 0, 1));
    }

    function test_the_fields_of_a_reduction_are_held_to_their_limits() public {
        spoil(ROW, ALONE, NodeBuilder.dim(0), below(0));
        spoil(ROW, ALONE + 8, NodeBuilder.dim(0), below(0));
        spoil(ROW, ALONE + 16, hex"07", field(2, 0, 6, 7));
        spoil(ROW, ALONE + 17, hex"00", field(3, 1, 2, 0));
        // Variance and squares take no i32.
        spoil(ROW, ALONE + 17, hex"03", field(3, 1, 2, 3));
        spoil(ROW, ALONE + 16, hex"0203", field(3, 1, 2, 3));
        spoil(ROW, ALONE + 16, hex"0404", field(3, 1, 3, 4));
        spoil(ROW, ALONE + 18, hex"0000", field(4, 1, MOST, 0));
        spoil(ROW, ALONE + 18, hex"8000", field(4, 1, MOST, 32_768));
        spoil(ROW, ALONE + 20, hex"00", field(5, 1, 46, 0));
        spoil(ROW, ALONE + 20, hex"2f", field(5, 1, 46, 47));
        spoil(ROW, ALONE + 21, bytes.concat(i32(5), i32(4)), bound_(5, type(int32).max, 4));
        bytes memory many = abi.encodeWithSelector(Parameters.TermsTooMany.selector, 16_384, 16_385);
        spoil(ROW, ALONE + 8, NodeBuilder.dim(16_385), many);
        spoil(ROW, ALONE + 8, NodeBuilder.dim(2), elements(ROW, 0, 12, 6));
        spoil(ROW, ALONE + 17, hex"02", dtypes(ROW, 0, 2, 1));
        bytes memory leaf = NodeBuilder.leaf(9, 2, 12, NodeBuilder.list(1), hashes(0), withLow(-32_768));
        replace(ROW, leaf, bound_(-MOST, MOST, -32_768));
        leaf = NodeBuilder.leaf(9, 1, 12, NodeBuilder.list(1), hashes(0), withLow(-128));
        replace(ROW, leaf, bound_(-127, 127, -128));
        leaf = NodeBuilder.leaf(9, 3, 12, NodeBuilder.list(1, 1), hashes(0), withLow(0));
        replace(ROW, leaf, abi.encodeWithSelector(NodeLeaf.LeafInputs.selector, 9, 1, 2));
        leaf = NodeBuilder.leaf(9, 3, 12, NodeBuilder.list(1), hashes(1), withLow(0));
        replace(ROW, leaf, abi.encodeWithSelector(NodeLeaf.LeafTensors.selector, 9, 0, 1));
    }

    function withLow(int32 lo) internal pure returns (bytes memory) {
        NodeBuilder.Reduce memory r = reduced();
        r.lo = lo;
        return NodeBuilder.reduce(r);
    }

    function test_the_fields_of_a_normalisation_are_held_to_their_limits() public {
        spoil(NORM, NORMED, NodeBuilder.dim(0), below(0));
        spoil(NORM, NORMED + 8, u32(0), field(1, 1, ELEMENTS, 0));
        spoil(NORM, NORMED + 8, u32(uint256(ELEMENTS) + 1), field(1, 1, ELEMENTS, ELEMENTS + 1));
        spoil(NORM, NORMED + 12, hex"00", field(2, 1, 3, 0));
        spoil(NORM, NORMED + 12, hex"04", field(2, 1, 3, 4));
        spoil(NORM, NORMED + 13, hex"10", field(3, 0, 15, 16));
        spoil(NORM, NORMED + 14, hex"02", field(4, 0, 1, 2));
        spoil(NORM, NORMED + 15, hex"02", field(5, 0, 1, 2));
        spoil(NORM, NORMED + 16, hex"00", field(6, 1, 46, 0));
        spoil(NORM, NORMED + 16, hex"2f", field(6, 1, 46, 47));
        spoil(NORM, NORMED + 17, bytes.concat(i32(5), i32(4)), bound_(5, type(int32).max, 4));
        bytes4 inputs = NodeLeaf.LeafInputs.selector;
        spoil(NORM, NORMED + 14, hex"00", abi.encodeWithSelector(inputs, 10, 2, 3));
        spoil(NORM, NORMED + 15, hex"00", abi.encodeWithSelector(inputs, 10, 2, 3));
        spoil(NORM, NORMED + 14, hex"0000", abi.encodeWithSelector(inputs, 10, 1, 3));
        spoil(NORM, NORMED + 8, u32(7), elements(NORM, 0, 42, 36));
        spoil(NORM, NORMED + 12, hex"01", dtypes(NORM, 0, 1, 3));
        spoil(NORM, NodeBuilder.HEAD + 4, u32(1), dtypes(NORM, 1, 3, 1));
        spoil(NORM, NodeBuilder.HEAD + 8, u32(1), dtypes(NORM, 2, 3, 1));
        spoil(NORM, NodeBuilder.HEAD + 8, u32(5), elements(NORM, 2, 6, 36));
        // Four constants of a column: a quarter of the elements that a tensor may have.
        NodeBuilder.Normalize memory n = normed();
        (n.rows, n.columns) = (1, (1 << 28) + 1);
        bytes memory leaf = NodeBuilder.leaf(10, 3, 0, NodeBuilder.list(5, 2, 2), hashes(1), NodeBuilder.normalize(n));
        bytes4 large = Dimensions.ElementsTooMany.selector;
        replace(NORM, leaf, abi.encodeWithSelector(large, 1 << 30, (1 << 30) + 4));
        leaf = NodeBuilder.leaf(10, 3, 0, NodeBuilder.list(5, 2, 2), hashes(2), NodeBuilder.normalize(normed()));
        replace(NORM, leaf, abi.encodeWithSelector(NodeLeaf.LeafTensors.selector, 10, 1, 2));
    }

    function test_the_fields_of_an_embedding_are_held_to_their_limits() public {
        spoil(EMBED, TABLED, NodeBuilder.dim(0), below(0));
        spoil(EMBED, TABLED + 8, u32(0), field(1, 1, ELEMENTS, 0));
        spoil(EMBED, TABLED + 12, u32(0), field(2, 1, ELEMENTS, 0));
        spoil(EMBED, TABLED + 12, u32(uint256(ELEMENTS) + 1), field(2, 1, ELEMENTS, ELEMENTS + 1));
        bytes4 large = Dimensions.ElementsTooMany.selector;
        spoil(EMBED, TABLED + 12, u32(1 << 29), abi.encodeWithSelector(large, 1 << 30, 1 << 31));
        spoil(EMBED, TABLED, NodeBuilder.dim(7), elements(EMBED, 0, 7, 6));
        spoil(EMBED, NodeBuilder.HEAD, u32(1), dtypes(EMBED, 0, 3, 1));
        bytes memory parameters = NodeBuilder.embedding(6, 4, 9);
        bytes memory leaf = NodeBuilder.leaf(11, 2, 0, NodeBuilder.list(0), hashes(0), parameters);
        replace(EMBED, leaf, abi.encodeWithSelector(NodeLeaf.LeafTensors.selector, 11, 1, 0));
        leaf = NodeBuilder.leaf(11, 2, 0, NodeBuilder.list(0, 0), hashes(1), parameters);
        replace(EMBED, leaf, abi.encodeWithSelector(NodeLeaf.LeafInputs.selector, 11, 1, 2));
    }

    function test_activations_have_their_clamp_their_type_and_their_bits() public {
        spoil(INVERSE, ALONE + 42, hex"06", field(13, 0, 5, 6));
        spoil(INVERSE, ALONE + 43, hex"3f", field(14, 0, 62, 63));
        spoil(
            INVERSE, ALONE + 42, hex"0000", abi.encodeWithSelector(IModelRegistry.MacTotal.selector, 8, 300, 301), 301
        );
        spoil(INVERSE, ALONE + 42, hex"0001", field(14, 0, 0, 1));
        spoil(INVERSE, 1, hex"02", abi.encodeWithSelector(Parameters.DtypeUnknown.selector, 2));
        spoil(EXPONENT, TABLED + 43, hex"01", field(14, 0, 0, 1));
        spoil(EXPONENT, TABLED + 34, i32(-1), bound_(0, 65_535, -1));
        spoil(EXPONENT, TABLED + 38, i32(65_536), bound_(0, 65_535, 65_536));
        spoil(EXPONENT, 1, hex"01", abi.encodeWithSelector(Parameters.DtypeUnknown.selector, 1));
        spoil(EXPONENT, 1, hex"03", abi.encodeWithSelector(Parameters.DtypeUnknown.selector, 3));
        bytes4 tensors = NodeLeaf.LeafTensors.selector;
        spoil(EXPONENT, TABLED + 42, hex"04", abi.encodeWithSelector(tensors, 7, 0, 1));
        spoil(INVERSE, ALONE + 42, hex"03", abi.encodeWithSelector(tensors, 7, 1, 0));
    }

    /// The change of node `node` alone holds; with a wrong total of the last node the program does not.
    function spoil(uint256 node, uint256 offset, bytes memory with, bytes memory why, uint64 total) internal {
        bytes memory last = leaves[leaves.length - 1];
        bytes memory bytes_ = abi.encodePacked(total);
        for (uint256 i = 0; i < 8; ++i) {
            leaves[leaves.length - 1][4 + i] = bytes_[i];
        }
        spoil(node, offset, with, why);
        leaves[leaves.length - 1] = last;
    }

    function test_a_row_that_opens_too_much_is_refused() public {
        // A run of 10,240 i32 lies in 81 tiles unless it starts one.
        uint32[4] memory columns = [uint32(10_112), 10_113, 10_240, 16_384];
        uint256[4] memory opened = [uint256(40_960), 41_472, 41_472, 66_048];
        for (uint256 i = 0; i < 4; ++i) {
            bytes[] memory two = new bytes[](2);
            bytes memory shape = abi.encodePacked(uint8(1), NodeBuilder.dim(2 * columns[i]));
            two[0] = NodeBuilder.leaf(0, 3, 0, none, hashes(0), shape);
            NodeBuilder.Reduce memory r = NodeBuilder.Reduce(2, columns[i], 0, 3, 1, 1, -5, 5);
            bytes memory parameters = NodeBuilder.reduce(r);
            two[1] = NodeBuilder.leaf(9, 3, 2 * columns[i], NodeBuilder.list(0), hashes(0), parameters);
            bytes memory head = header(2, "");
            if (40_960 < opened[i]) {
                vm.expectRevert(abi.encodeWithSelector(IModelRegistry.OpenedBytes.selector, 1, 40_960, opened[i]));
            }
            registry.register(head, NodeBuilder.numbered(two), "", 0);
        }
    }

    /// Every dimension that may be symbolic is: [n][2n] to [n], at 1 <= n <= 50.
    function test_sizes_follow_the_symbols_within_their_bounds() public {
        bytes memory n = NodeBuilder.dim(1, 1, 0);
        bytes memory m = NodeBuilder.dim(1, 2, 0);
        bytes[] memory nodes = new bytes[](5);
        nodes[0] = NodeBuilder.leaf(0, 1, 0, none, hashes(0), abi.encodePacked(uint8(2), n, m));
        // i32 [n]
        bytes memory parameters = NodeBuilder.reduce(NodeBuilder.Reduce(1, 1, 0, 1, 1, 1, -5, 5));
        parameters = NodeBuilder.withDim(NodeBuilder.withDim(parameters, 0, n), 8, m);
        nodes[1] = NodeBuilder.leaf(9, 3, 5_000, NodeBuilder.list(0), hashes(0), parameters);
        // i8 [n][n]: the rows by themselves, with the factors of node 1.
        parameters = NodeBuilder.batchMatmul(NodeBuilder.BatchMatmul(1, 1, 1, 1, 1, 0, 1, 1, 1, 1, -5, 5));
        parameters = NodeBuilder.withDim(NodeBuilder.withDim(NodeBuilder.withDim(parameters, 8, n), 16, n), 24, m);
        nodes[2] = NodeBuilder.leaf(8, 1, 255_000, NodeBuilder.list(0, 0, 1), hashes(0), parameters);
        // i32 [n][n]: a constant for each column, 50 at the most.
        NodeBuilder.Pointwise memory p =
            NodeBuilder.Pointwise(1, 1, 0, 1, 2, 2, 1, 1, 2, 50, 1, type(int32).min, type(int32).max, 4, 3);
        parameters = NodeBuilder.withDim(NodeBuilder.withDim(NodeBuilder.pointwise(p), 0, n), 8, n);
        nodes[3] = NodeBuilder.leaf(7, 3, 257_500, NodeBuilder.list(2), hashes(1), parameters);
        // i16 [n][3]
        parameters = NodeBuilder.withDim(NodeBuilder.embedding(1, 3, 4), 0, n);
        nodes[4] = NodeBuilder.leaf(11, 2, 257_650, NodeBuilder.list(1), hashes(1), parameters);
        bytes memory head = header(5, abi.encodePacked(uint32(1), uint32(50)));
        bytes32 id = registry.register(head, NodeBuilder.numbered(nodes), "", 0);
        assertEq(registry.model(id).tensorBytes, 50 + 24, "tensors");
        for (uint32 v = 1; v <= 50; v += 7) {
            (uint256 inputBytes, uint256 outputBytes) = registry.sizes(id, NodeBuilder.list(v));
            assertEq(inputBytes, 2 * v * v, "input");
            assertEq(outputBytes, 6 * v, "output");
            assertEq(registry.leafBytes(nodes[1], NodeBuilder.list(v)), 4 * v, "reduction");
            assertEq(registry.leafBytes(nodes[2], NodeBuilder.list(v)), v * v, "product");
            assertEq(registry.leafBytes(nodes[3], NodeBuilder.list(v)), 4 * v * v, "pointwise");
        }
        // Rows of 2n + 1 elements do not meet at any n.
        parameters = NodeBuilder.reduce(NodeBuilder.Reduce(1, 1, 0, 1, 1, 1, -5, 5));
        parameters = NodeBuilder.withDim(NodeBuilder.withDim(parameters, 0, n), 8, NodeBuilder.dim(1, 2, 1));
        nodes[1] = NodeBuilder.leaf(9, 3, 5_000, NodeBuilder.list(0), hashes(0), parameters);
        vm.expectRevert(elements(1, 0, 5_050, 5_000));
        registry.register(head, NodeBuilder.numbered(nodes), "", 0);
        // Rows of 100 elements meet at the largest n alone.
        parameters = NodeBuilder.withDim(parameters, 8, NodeBuilder.dim(100));
        nodes[1] = NodeBuilder.leaf(9, 3, 5_000, NodeBuilder.list(0), hashes(0), parameters);
        vm.expectRevert(elements(1, 0, 100, 2));
        registry.register(head, NodeBuilder.numbered(nodes), "", 0);
    }
}

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

/// @title Registration of moves, concatenations and pointwise nodes: one valid program, every refusal.
/// @dev Spec: programs, 1.16 and 1.17.
contract OperatorLimitsTest is RegistryFixture {
    uint32[] internal none;

    // Where the parameters of nodes 1 to 4 start.
    uint256 private constant TABLED = NodeBuilder.HEAD + 4 + 64;
    uint256 private constant MOVED = NodeBuilder.HEAD + 4;
    uint256 private constant JOINED = NodeBuilder.HEAD + 12;

    /// INPUT [4][6]; a constant for each column added, and a lookup; that transposed; the three beside each
    /// other; the square of that through an interpolation.
    function setUp() public {
        registry = new ModelRegistry();
        bytes memory shape = abi.encodePacked(uint8(2), NodeBuilder.dim(4), NodeBuilder.dim(6));
        leaves.push(NodeBuilder.leaf(0, 1, 0, new uint32[](0), new bytes32[](0), shape));
        bytes memory parameters = NodeBuilder.pointwise(tabled());
        leaves.push(NodeBuilder.leaf(7, 1, 24, NodeBuilder.list(0), hashes(2), parameters));
        parameters = NodeBuilder.permute(hex"0100", NodeBuilder.list(4, 6));
        leaves.push(NodeBuilder.leaf(5, 1, 48, NodeBuilder.list(1), hashes(0), parameters));
        parameters = NodeBuilder.concat(4, NodeBuilder.list(6, 6, 6));
        leaves.push(NodeBuilder.leaf(6, 1, 120, NodeBuilder.list(0, 1, 2), hashes(0), parameters));
        parameters = NodeBuilder.pointwise(squared());
        leaves.push(NodeBuilder.leaf(7, 2, 192, NodeBuilder.list(3, 3), hashes(1), parameters));
        numberLeaves();
    }

    function tabled() internal pure returns (NodeBuilder.Pointwise memory) {
        return NodeBuilder.Pointwise(4, 6, 0, 1, 2, 2, 1, 1, 2, 6, 1, -128, 127, 1, 0);
    }

    function squared() internal pure returns (NodeBuilder.Pointwise memory) {
        return NodeBuilder.Pointwise(4, 18, 1, 1, 2, 1, 1, 0, 0, 0, 1, -32_768, 32_767, 2, 0);
    }

    /// Node 1 as a pointwise node of x alone, or of x and x.
    function pointwise(NodeBuilder.Pointwise memory p, uint8 dtype, uint256 tensors, bytes memory why) internal {
        uint32[] memory inputs = p.source == 1 ? NodeBuilder.list(0, 0) : NodeBuilder.list(0);
        replace(1, NodeBuilder.leaf(7, dtype, 24, inputs, hashes(tensors), NodeBuilder.pointwise(p)), why);
    }

    function walk(uint256 number, int256 least, int256 most, int256 actual) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(Parameters.WalkField.selector, 0, number, least, most, actual);
    }

    function i32(int256 value) internal pure returns (bytes memory) {
        return abi.encodePacked(int32(value));
    }

    function test_a_program_of_all_three_is_stored_with_its_sizes() public {
        bytes32 id = registry.register(header(5, ""), leaves, "", 0);
        Model memory m = registry.model(id);
        assertEq(m.macs, 192, "macs");
        assertEq(m.tensorBytes, 6 + 256 + 1_026, "tensors");
        assertEq(m.outputBytes, 144, "output");
        assertEq(m.outputDtype, 2, "type");
        assertEq(registry.leafBytes(leaves[1], none), 24, "sum");
        assertEq(registry.leafBytes(leaves[2], none), 24, "move");
        assertEq(registry.leafBytes(leaves[3], none), 72, "concatenation");
        assertEq(registry.leafBytes(leaves[4], none), 144, "product");
    }

    function test_a_wrong_running_total_is_refused() public {
        for (uint256 node = 1; node < 5; ++node) {
            uint256 want = [uint256(24), 48, 120, 192][node - 1];
            bytes memory why = abi.encodeWithSelector(IModelRegistry.MacTotal.selector, node, want, want + 1);
            spoil(node, 4, abi.encodePacked(uint64(want + 1)), why);
        }
    }

    function test_walks_are_held_to_their_limits() public {
        uint256 first = MOVED + 5;
        spoil(2, first + 1, hex"02", abi.encodeWithSelector(Parameters.FlagUnknown.selector, 2));
        spoil(2, first + 2, i32(65_537), walk(2, -65_536, 65_536, 65_537));
        spoil(2, first + 2, i32(-65_537), walk(2, -65_536, 65_536, -65_537));
        spoil(2, first + 6, i32(ELEMENTS + 1), walk(3, -ELEMENTS, ELEMENTS, ELEMENTS + 1));
        spoil(2, first + 6, i32(-ELEMENTS - 1), walk(3, -ELEMENTS, ELEMENTS, -ELEMENTS - 1));
        spoil(2, first + 10, u32(0), walk(4, 1, 65_536, 0));
        spoil(2, first + 10, u32(65_537), walk(4, 1, 65_536, 65_537));
        bytes4 why = Dimensions.DimensionBelowOne.selector;
        spoil(2, first + 14, NodeBuilder.dim(0), abi.encodeWithSelector(why, int256(0)));
        why = Parameters.AxisRepeatedOrOutside.selector;
        spoil(2, first, hex"00", abi.encodeWithSelector(why, 2, 0));
        spoil(2, first, hex"02", abi.encodeWithSelector(why, 2, 2));
    }

    function test_a_fill_is_a_value_of_the_type() public {
        bytes4 why = Parameters.FillOutside.selector;
        spoil(2, MOVED + 1, i32(128), abi.encodeWithSelector(why, int256(-127), 127, 128));
        spoil(2, MOVED + 1, i32(-128), abi.encodeWithSelector(why, int256(-127), 127, -128));
    }

    function test_the_rank_of_a_move_is_one_to_six() public {
        bytes memory parameters = NodeBuilder.permute("", new uint32[](0));
        bytes memory why = abi.encodeWithSelector(Parameters.RankOutside.selector, 6, 0);
        replace(2, NodeBuilder.leaf(5, 1, 48, NodeBuilder.list(1), hashes(0), parameters), why);
        uint32[] memory shape = new uint32[](7);
        for (uint256 i = 0; i < 7; ++i) {
            shape[i] = 1;
        }
        parameters = NodeBuilder.permute(hex"00010203040506", shape);
        why = abi.encodeWithSelector(Parameters.RankOutside.selector, 6, 7);
        replace(2, NodeBuilder.leaf(5, 1, 48, NodeBuilder.list(1), hashes(0), parameters), why);
    }

    function test_a_move_takes_its_input_whole_and_of_its_type() public {
        bytes memory why = abi.encodeWithSelector(IModelRegistry.InputElements.selector, 2, 0, 28, 24);
        spoil(2, MOVED + 5 + 44 + 8, NodeBuilder.dim(7), why);
        spoil(2, 1, hex"02", abi.encodeWithSelector(IModelRegistry.InputDtype.selector, 2, 0, 2, 1));
        bytes memory parameters = NodeBuilder.permute(hex"0100", NodeBuilder.list(4, 6));
        bytes memory leaf = NodeBuilder.leaf(5, 1, 48, NodeBuilder.list(0, 1), hashes(0), parameters);
        replace(2, leaf, abi.encodeWithSelector(NodeLeaf.LeafInputs.selector, 5, 1, 2));
        leaf = NodeBuilder.leaf(5, 1, 48, NodeBuilder.list(1), hashes(1), parameters);
        replace(2, leaf, abi.encodeWithSelector(NodeLeaf.LeafTensors.selector, 5, 0, 1));
    }

    function test_a_concatenation_has_two_to_sixteen_inputs() public {
        bytes4 why = Parameters.ConcatInputs.selector;
        bytes memory parameters = NodeBuilder.concat(4, NodeBuilder.list(6));
        bytes memory leaf = NodeBuilder.leaf(6, 1, 120, NodeBuilder.list(0), hashes(0), parameters);
        replace(3, leaf, abi.encodeWithSelector(why, 2, 16, 1));
        uint32[] memory inputs = new uint32[](17);
        uint32[] memory columns = new uint32[](17);
        for (uint256 i = 0; i < 17; ++i) {
            columns[i] = 6;
        }
        leaf = NodeBuilder.leaf(6, 1, 120, inputs, hashes(0), NodeBuilder.concat(4, columns));
        replace(3, leaf, abi.encodeWithSelector(why, 2, 16, 17));
        parameters = NodeBuilder.concat(4, NodeBuilder.list(6, 6, 6));
        leaf = NodeBuilder.leaf(6, 1, 120, NodeBuilder.list(0, 1), hashes(0), parameters);
        replace(3, leaf, abi.encodeWithSelector(NodeLeaf.LeafInputs.selector, 6, 3, 2));
        leaf = NodeBuilder.leaf(6, 1, 120, NodeBuilder.list(0, 1, 2), hashes(1), parameters);
        replace(3, leaf, abi.encodeWithSelector(NodeLeaf.LeafTensors.selector, 6, 0, 1));
    }

    function test_every_input_of_a_concatenation_has_its_columns_and_the_type() public {
        for (uint256 slot = 0; slot < 3; ++slot) {
            bytes memory why = abi.encodeWithSelector(IModelRegistry.InputElements.selector, 3, slot, 28, 24);
            spoil(3, JOINED + 9 + 8 * slot, NodeBuilder.dim(7), why);
            why = abi.encodeWithSelector(IModelRegistry.InputNotBefore.selector, 3, slot, 3);
            spoil(3, NodeBuilder.HEAD + 4 * slot, u32(3), why);
        }
        spoil(3, 1, hex"02", abi.encodeWithSelector(IModelRegistry.InputDtype.selector, 3, 0, 2, 1));
        bytes4 below = Dimensions.DimensionBelowOne.selector;
        spoil(3, JOINED + 17, NodeBuilder.dim(0), abi.encodeWithSelector(below, int256(0)));
        bytes memory many = abi.encodeWithSelector(Dimensions.ElementsTooMany.selector, 1 << 30, (1 << 30) + 12);
        bytes memory parameters = NodeBuilder.concat(1, NodeBuilder.list(1 << 30, 6, 6));
        replace(3, NodeBuilder.leaf(6, 1, 120, NodeBuilder.list(0, 1, 2), hashes(0), parameters), many);
    }

    function test_the_fields_of_a_pointwise_node_are_held_to_their_limits() public {
        spoil(1, TABLED + 16, hex"02", field(2, 0, 1, 2));
        spoil(1, TABLED + 17, hex"00", field(3, 1, 3, 0));
        spoil(1, TABLED + 17, hex"04", field(3, 1, 3, 4));
        spoil(1, TABLED + 18, i32(MOST + 1), field(4, -MOST, MOST, MOST + 1));
        spoil(1, TABLED + 18, i32(-MOST - 1), field(4, -MOST, MOST, -MOST - 1));
        spoil(1, TABLED + 23, hex"00", field(6, 1, 3, 0));
        spoil(1, TABLED + 23, hex"04", field(6, 1, 3, 4));
        spoil(1, TABLED + 24, hex"04", field(7, 0, 3, 4));
        spoil(1, TABLED + 25, i32(MOST + 1), field(8, -MOST, MOST, MOST + 1));
        spoil(1, TABLED + 25, i32(-MOST - 1), field(8, -MOST, MOST, -MOST - 1));
        spoil(1, TABLED + 29, u32(0), field(9, 1, ELEMENTS, 0));
        spoil(1, TABLED + 33, hex"00", field(10, 1, 46, 0));
        spoil(1, TABLED + 33, hex"2f", field(10, 1, 46, 47));
        spoil(1, TABLED + 43, hex"01", field(14, 0, 0, 1));
        bytes4 bound_ = Parameters.ClampBound.selector;
        spoil(1, TABLED + 34, i32(-129), abi.encodeWithSelector(bound_, int256(-128), 127, -129));
        spoil(1, TABLED + 38, i32(128), abi.encodeWithSelector(bound_, int256(-128), 127, 128));
        spoil(1, TABLED + 34, bytes.concat(i32(5), i32(4)), abi.encodeWithSelector(bound_, int256(5), 127, 4));
        bytes4 below = Dimensions.DimensionBelowOne.selector;
        spoil(1, TABLED, NodeBuilder.dim(0), abi.encodeWithSelector(below, int256(0)));
        spoil(1, TABLED + 8, NodeBuilder.dim(0), abi.encodeWithSelector(below, int256(0)));
    }

    function test_inputs_and_tensors_of_a_pointwise_node_are_those_of_its_operand_and_table() public {
        spoil(1, TABLED + 22, hex"01", abi.encodeWithSelector(NodeLeaf.LeafInputs.selector, 7, 2, 1));
        spoil(1, TABLED + 22, hex"00", abi.encodeWithSelector(NodeLeaf.LeafTensors.selector, 7, 1, 2));
        spoil(1, TABLED + 42, hex"00", abi.encodeWithSelector(NodeLeaf.LeafTensors.selector, 7, 1, 2));
        NodeBuilder.Pointwise memory p = tabled();
        p.source = 3;
        pointwise(p, 1, 1, field(5, 0, 2, 3));
    }

    function test_a_table_has_the_output_type_of_its_kind() public {
        NodeBuilder.Pointwise memory p = tabled();
        pointwise(p, 2, 2, abi.encodeWithSelector(Parameters.DtypeUnknown.selector, 2));
        p.activation = 2;
        pointwise(p, 1, 2, abi.encodeWithSelector(Parameters.DtypeUnknown.selector, 1));
        bytes4 bound_ = Parameters.ClampBound.selector;
        p.lo = -32_769;
        pointwise(p, 2, 2, abi.encodeWithSelector(bound_, int256(-32_768), MOST, -32_769));
        (p.activation, p.lo) = (6, 0);
        pointwise(p, 2, 1, field(13, 0, 5, 6));
        (p.activation, p.lo) = (0, -128);
        pointwise(p, 1, 1, abi.encodeWithSelector(bound_, int256(-127), 127, -128));
        p.lo = -32_768;
        pointwise(p, 2, 1, abi.encodeWithSelector(bound_, -MOST, MOST, -32_768));
    }

    function test_a_product_has_two_factors_no_addend_and_one_i32_at_most() public {
        NodeBuilder.Pointwise memory p = NodeBuilder.Pointwise(4, 6, 1, 1, 2, 0, 0, 0, 0, 0, 1, -127, 127, 0, 0);
        pointwise(p, 1, 0, field(5, 1, 2, 0));
        (p.source, p.second, p.b) = (1, 1, 1);
        pointwise(p, 1, 0, field(8, 0, 0, 1));
        (p.b, p.dtype, p.second) = (0, 3, 3);
        pointwise(p, 1, 0, abi.encodeWithSelector(Parameters.FactorsTooWide.selector));
    }

    function test_an_absent_operand_is_all_zero() public {
        NodeBuilder.Pointwise memory p = NodeBuilder.Pointwise(4, 6, 0, 1, 2, 0, 1, 0, 0, 0, 1, -127, 127, 0, 0);
        pointwise(p, 1, 0, field(6, 0, 0, 1));
        (p.second, p.spread) = (0, 1);
        pointwise(p, 1, 0, field(7, 0, 0, 1));
        (p.spread, p.b) = (0, -1);
        pointwise(p, 1, 0, field(8, 0, 0, -1));
        (p.b, p.held) = (0, 1);
        pointwise(p, 1, 0, field(9, 0, 0, 1));
        // An input states no elements.
        (p.source, p.second) = (1, 1);
        pointwise(p, 1, 0, field(9, 0, 0, 1));
    }

    function test_operands_have_the_elements_of_their_spread_and_the_types_stated() public {
        bytes4 elements = IModelRegistry.InputElements.selector;
        bytes4 dtype = IModelRegistry.InputDtype.selector;
        bytes4 held = IModelRegistry.ConstantElements.selector;
        NodeBuilder.Pointwise memory p = tabled();
        (p.source, p.held, p.spread) = (1, 0, 1);
        pointwise(p, 1, 1, abi.encodeWithSelector(elements, 1, 1, 6, 24));
        p.spread = 2;
        pointwise(p, 1, 1, abi.encodeWithSelector(elements, 1, 1, 4, 24));
        p.spread = 3;
        pointwise(p, 1, 1, abi.encodeWithSelector(elements, 1, 1, 1, 24));
        (p.spread, p.second) = (0, 2);
        pointwise(p, 1, 1, abi.encodeWithSelector(dtype, 1, 1, 2, 1));
        (p.second, p.dtype) = (1, 2);
        pointwise(p, 1, 1, abi.encodeWithSelector(dtype, 1, 0, 2, 1));
        (p.dtype, p.columns) = (1, 7);
        pointwise(p, 1, 1, abi.encodeWithSelector(elements, 1, 0, 28, 24));
        p = tabled();
        for (uint8 spread = 0; spread < 4; ++spread) {
            uint256 want = [uint256(24), 6, 4, 1][spread];
            (p.spread, p.held) = (spread, uint32(want + 1));
            pointwise(p, 1, 2, abi.encodeWithSelector(held, 1, want, want + 1));
        }
    }

    /// Spec: programs, 1.17. A constant has as many elements as its spread at the symbols' maxima.
    function test_sizes_follow_the_symbols_within_their_bounds() public {
        // [2n][3], 1 <= n <= 10: a constant for each row, its rows twice as far apart, beside it.
        bytes memory rows = NodeBuilder.dim(1, 2, 0);
        bytes[] memory nodes = new bytes[](4);
        bytes memory shape = abi.encodePacked(uint8(2), rows, NodeBuilder.dim(3));
        nodes[0] = NodeBuilder.leaf(0, 1, 0, new uint32[](0), hashes(0), shape);
        NodeBuilder.Pointwise memory p = NodeBuilder.Pointwise(0, 3, 0, 1, 2, 2, 3, 2, 2, 20, 1, -127, 127, 0, 0);
        nodes[1] = NodeBuilder.leaf(7, 1, 60, NodeBuilder.list(0), hashes(1), withRows(NodeBuilder.pointwise(p), rows));
        // Walks: along the rows at half the pace, along the columns.
        bytes memory walks = abi.encodePacked(
            uint8(2),
            int32(0),
            abi.encodePacked(uint8(0), uint8(1), int32(1), int32(0), uint32(2), NodeBuilder.dim(1, 4, 0)),
            abi.encodePacked(uint8(1), uint8(0), int32(1), int32(0), uint32(1), NodeBuilder.dim(3))
        );
        nodes[2] = NodeBuilder.leaf(
            5, 1, 180, NodeBuilder.list(1), hashes(0), abi.encodePacked(walks, rows, NodeBuilder.dim(3))
        );
        bytes memory joined =
            abi.encodePacked(uint8(2), NodeBuilder.dim(1, 2, 0), NodeBuilder.dim(3), NodeBuilder.dim(6));
        nodes[3] = NodeBuilder.leaf(6, 1, 360, NodeBuilder.list(0, 2), hashes(0), joined);
        bytes memory head = header(4, abi.encodePacked(uint32(1), uint32(10)));
        bytes32 id = registry.register(head, NodeBuilder.numbered(nodes), "", 0);
        (, uint256 outputBytes) = registry.sizes(id, NodeBuilder.list(7));
        assertEq(outputBytes, 14 * 9, "output");
        assertEq(registry.model(id).tensorBytes, 80, "the constant at the maximum");
        assertEq(registry.leafBytes(nodes[2], NodeBuilder.list(7)), 84, "move");

        p.held = 2;
        nodes[1] = NodeBuilder.leaf(7, 1, 60, NodeBuilder.list(0), hashes(1), withRows(NodeBuilder.pointwise(p), rows));
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ConstantElements.selector, 1, 20, 2));
        registry.register(head, NodeBuilder.numbered(nodes), "", 0);
    }

    function withRows(bytes memory parameters, bytes memory rows) internal pure returns (bytes memory) {
        return NodeBuilder.withDim(parameters, 0, rows);
    }
}

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
import {TreeBuilder} from "./base/TreeBuilder.sol";

/// @title Registration: one valid program, and one test for each way to spoil it.
/// @dev That exactly the programs of page 1 are accepted is
/// compared with the Rust check by the conformance suite.
contract ModelRegistryTest is RegistryFixture {
    function setUp() public {
        registry = new ModelRegistry();
        leaves.push(input());
        leaves.push(conv(NodeBuilder.square(3, 1, 1), NodeBuilder.tail(0, -127, 127, false), 36 * 4 * 18));
        leaves.push(pool(3, NodeBuilder.square(2, 2, 0), 2_592 + 9 * 4 * 4));
        leaves.push(transpose(hex"020001", 2_592 + 144 + 36));
        leaves.push(matmul(0, 36, NodeBuilder.tail(0, -1_000, 1_000, false), 2_592 + 144 + 36 + 360));
        numberLeaves();
    }

    /// [6][6][2]
    function input() internal pure returns (bytes memory) {
        bytes memory shape = abi.encodePacked(uint8(3), NodeBuilder.dim(6), NodeBuilder.dim(6), NodeBuilder.dim(2));
        return NodeBuilder.leaf(0, 1, 0, new uint32[](0), new bytes32[](0), shape);
    }

    /// [6][6][2] to [6][6][4]
    function conv(NodeBuilder.Window memory w, bytes memory tail, uint64 macs) internal pure returns (bytes memory) {
        return NodeBuilder.leaf(
            2,
            1,
            macs,
            NodeBuilder.list(0),
            hashes(2, "conv"),
            abi.encodePacked(
                NodeBuilder.dim(6),
                NodeBuilder.dim(6),
                uint32(2),
                uint32(4),
                uint32(1),
                NodeBuilder.window(w),
                uint8(1),
                tail
            )
        );
    }

    /// [6][6][4] to [3][3][4]
    function pool(uint8 op, NodeBuilder.Window memory w, uint64 macs) internal pure returns (bytes memory) {
        return NodeBuilder.leaf(
            op,
            1,
            macs,
            NodeBuilder.list(1),
            new bytes32[](0),
            abi.encodePacked(NodeBuilder.dim(6), NodeBuilder.dim(6), uint32(4), NodeBuilder.window(w))
        );
    }

    /// [3][3][4] with permuted axes
    function transpose(bytes memory axes, uint64 macs) internal pure returns (bytes memory) {
        return NodeBuilder.leaf(
            5, 1, macs, NodeBuilder.list(2), new bytes32[](0), NodeBuilder.permute(axes, NodeBuilder.list(3, 3, 4))
        );
    }

    /// [1][36] to i32 [1][10]
    function matmul(uint32 offset, uint32 terms, bytes memory tail, uint64 macs) internal pure returns (bytes memory) {
        return NodeBuilder.leaf(
            1,
            3,
            macs,
            NodeBuilder.list(3),
            hashes(2, "matmul"),
            NodeBuilder.matmul(NodeBuilder.dim(1), 36, offset, terms, 10, tail)
        );
    }

    function register() internal returns (bytes32) {
        return registry.register(header(5, ""), leaves, "ipfs://x", 1);
    }

    function test_a_program_is_stored_with_its_sizes_under_its_id() public {
        bytes32[] memory leafHashes = new bytes32[](5);
        for (uint256 i = 0; i < 5; ++i) {
            leafHashes[i] = keccak256(abi.encodePacked(uint8(3), leaves[i]));
        }
        bytes32[] memory tensors = new bytes32[](4);
        (tensors[0], tensors[1]) = (hashes(2, "conv")[0], hashes(2, "conv")[1]);
        (tensors[2], tensors[3]) = (hashes(2, "matmul")[0], hashes(2, "matmul")[1]);
        bytes32 want = keccak256(
            abi.encodePacked(
                uint8(5),
                keccak256(abi.encodePacked(uint8(6), "selfsame exact program rules 2")),
                keccak256(abi.encodePacked(uint8(4), header(5, ""))),
                TreeBuilder.root(leafHashes),
                TreeBuilder.root(tensors)
            )
        );
        vm.expectEmit(address(registry));
        emit IModelRegistry.ModelRegistered(want, address(this), rulesId, "ipfs://x");
        assertEq(register(), want, "id");

        Model memory m = registry.model(want);
        assertEq(m.owner, address(this), "owner");
        assertEq(m.nodeCount, 5, "nodes");
        assertEq(m.outputNode, 4, "output");
        assertEq(m.committedCount, 5, "committed nodes");
        assertEq(m.outputNumber, 4, "number of the output");
        assertFalse(m.hasInterior, "no interior node");
        assertEq(m.nodeRoot, TreeBuilder.root(leafHashes), "node root");
        assertEq(m.outputDtype, 3, "output type");
        assertEq(m.inputDtype, 1, "input type");
        assertEq(m.macs, 3_132, "macs");
        assertEq(m.tensorBytes, 4 * 18 + 4 * 16 + 360 + 160, "tensors");
        assertEq(m.inputBytes, 72, "input");
        assertEq(m.outputBytes, 40, "output bytes");
        assertEq(m.outputElements, 10, "output elements");
        assertEq(m.availability, 1, "availability");
        // Every tensor is one tile: open, name the node, step.
        assertEq(m.moves, 3, "moves");
        assertEq(registry.windowFloor(want), 3_600 + 60 + 31 + 69, "window");
        assertEq(registry.clock(want), 3_600 + 3 * 60 + 31, "clock");
    }

    function test_a_second_registration_is_refused() public {
        bytes32 id = register();
        refuse(abi.encodeWithSelector(IModelRegistry.AlreadyRegistered.selector, id));
    }

    function test_only_the_owner_moves_locator_and_ownership() public {
        bytes32 id = register();
        address other = actor("other");
        vm.startPrank(other);
        bytes memory why = abi.encodeWithSelector(IModelRegistry.NotOwner.selector, address(this), other);
        vm.expectRevert(why);
        registry.setLocator(id, "y");
        vm.expectRevert(why);
        registry.transferOwnership(id, other);
        vm.stopPrank();
        vm.expectRevert(IModelRegistry.OwnerZero.selector);
        registry.transferOwnership(id, address(0));
        registry.setLocator(id, "y");
        assertEq(registry.model(id).locator, "y");
        registry.transferOwnership(id, other);
        assertEq(registry.model(id).owner, other);
    }

    function test_an_unknown_model_has_no_sizes() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, bytes32(0)));
        registry.model(0);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, bytes32(0)));
        registry.clock(0);
    }

    function test_headers_are_held_to_their_form() public {
        bytes memory head = headerOf(6, 4, "");
        refuse(head, abi.encodeWithSelector(IModelRegistry.NodeCount.selector, 5, 6));
        head = headerOf(5, 0, "");
        refuse(head, abi.encodeWithSelector(IModelRegistry.OutputNode.selector, 4, 0));
        head = headerOf(5, 5, "");
        refuse(head, abi.encodeWithSelector(IModelRegistry.OutputNode.selector, 4, 5));
        head = header(5, abi.encodePacked(uint32(0), uint32(2)));
        refuse(head, abi.encodeWithSelector(IModelRegistry.SymbolBounds.selector, 0, 0, 2));
        head = header(5, abi.encodePacked(uint32(3), uint32(2)));
        refuse(head, abi.encodeWithSelector(IModelRegistry.SymbolBounds.selector, 0, 3, 2));
        head = header(5, new bytes(72));
        refuse(head, abi.encodeWithSelector(IModelRegistry.SymbolCount.selector, 8, 9));
        head = abi.encodePacked(header(5, ""), uint8(0));
        refuse(head, abi.encodeWithSelector(IModelRegistry.HeaderLength.selector, 43, 44));
        head = hex"0001";
        refuse(head, abi.encodeWithSelector(IModelRegistry.HeaderLength.selector, 43, 2));
        head = header(5, "");
        head[1] = 0x01;
        refuse(head, abi.encodeWithSelector(IModelRegistry.HeaderVersionUnknown.selector, 2, 1));
    }

    function test_an_unknown_availability_is_refused() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.AvailabilityUnknown.selector, 2, 3));
        registry.register(header(5, ""), leaves, "", 3);
    }

    function test_a_program_of_one_node_is_refused() public {
        bytes[] memory one = new bytes[](1);
        one[0] = leaves[0];
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NodeCountOutside.selector, 65_536, 1));
        registry.register(headerOf(1, 1, ""), NodeBuilder.numbered(one), "", 0);
    }

    // The attack "hostile model": huge K, shift 300, cycle, hidden node leaf.

    function test_hostile_model_with_huge_k_is_refused() public {
        bytes memory huge = abi.encodePacked(uint32(20_000), uint32(0), uint32(20_000));
        spoil(
            4, NodeBuilder.HEAD + 68 + 8, huge, abi.encodeWithSelector(Parameters.TermsTooMany.selector, 16_384, 20_000)
        );
    }

    function test_hostile_model_with_shift_300_is_refused() public {
        leaves[2] = abi.encodePacked(
            pool(4, NodeBuilder.square(2, 2, 0), 2_736), uint16(100), uint8(255), int32(-127), int32(127)
        );
        refuse(abi.encodeWithSelector(Parameters.ShiftOutside.selector, 46, 255));
    }

    function test_hostile_model_with_a_cycle_is_refused() public {
        bytes memory why = abi.encodeWithSelector(IModelRegistry.InputNotBefore.selector, 2, 0, 4);
        spoil(2, NodeBuilder.HEAD, abi.encodePacked(uint32(4)), why);
        why = abi.encodeWithSelector(IModelRegistry.InputNotBefore.selector, 2, 0, 2);
        spoil(2, NodeBuilder.HEAD, abi.encodePacked(uint32(2)), why);
    }

    function test_hostile_model_with_a_hidden_node_leaf_is_refused() public {
        // A leaf more than the header counts, or bytes of one behind another.
        bytes memory last = leaves[4];
        leaves.push(last);
        refuse(header(5, ""), abi.encodeWithSelector(IModelRegistry.NodeCount.selector, 6, 5));
        leaves.pop();
        leaves[3] = abi.encodePacked(leaves[3], last);
        uint256 length = NodeBuilder.HEAD + 4 + 5 + 3 * 30;
        refuse(abi.encodeWithSelector(NodeLeaf.LeafLength.selector, length, length + last.length));
    }

    function test_a_wrong_running_total_is_refused() public {
        bytes memory why = abi.encodeWithSelector(IModelRegistry.MacTotal.selector, 3, 2_772, 2_771);
        spoil(3, 4, abi.encodePacked(uint64(2_771)), why);
    }

    function test_shapes_that_do_not_meet_are_refused() public {
        bytes memory why = abi.encodeWithSelector(IModelRegistry.InputElements.selector, 2, 0, 168, 144);
        spoil(2, NodeBuilder.HEAD + 4, NodeBuilder.dim(7), why);
        why = abi.encodeWithSelector(IModelRegistry.InputElements.selector, 2, 0, 144, 72);
        spoil(2, NodeBuilder.HEAD, abi.encodePacked(uint32(0)), why);
    }

    function test_types_that_do_not_meet_are_refused() public {
        spoil(3, 1, hex"02", abi.encodeWithSelector(IModelRegistry.InputDtype.selector, 3, 0, 2, 1));
        spoil(3, 1, hex"04", abi.encodeWithSelector(NodeLeaf.LeafDtype.selector, 4));
        spoil(3, 1, hex"00", abi.encodeWithSelector(NodeLeaf.LeafDtype.selector, 0));
    }

    function test_input_stands_first_and_only_first() public {
        bytes memory first = leaves[0];
        bytes memory second = leaves[1];
        leaves[1] = first;
        refuse(abi.encodeWithSelector(IModelRegistry.InputMisplaced.selector, 1, 0));
        leaves[0] = second;
        refuse(abi.encodeWithSelector(IModelRegistry.InputMisplaced.selector, 0, 2));
    }

    function test_counts_and_operators_are_those_of_page_one() public {
        spoil(2, 0, hex"0c", abi.encodeWithSelector(NodeLeaf.LeafOperator.selector, 12));
        leaves[1][3] = 0x01;
        uint256 length = NodeBuilder.HEAD + 4 + 32 + 59;
        refuse(abi.encodeWithSelector(NodeLeaf.LeafLength.selector, length, length + 32));
    }

    function test_windows_are_held_to_their_limits() public {
        uint256 window = NodeBuilder.HEAD + 4 + 20; // of node 2
        bytes4 field = Parameters.WindowField.selector;
        spoil(2, window, hex"0000", abi.encodeWithSelector(field, 0, 1, 4_096, 0));
        spoil(2, window + 4, hex"1001", abi.encodeWithSelector(field, 2, 1, 4_096, 4_097));
        spoil(2, window + 8, hex"0002", abi.encodeWithSelector(field, 4, 0, 1, 2));
        spoil(2, window + 16, hex"0002", abi.encodeWithSelector(field, 8, 1, 1, 2));
        spoil(2, window, hex"0009", abi.encodeWithSelector(Parameters.WindowLarger.selector, 9, 6));
    }

    function test_clamps_are_held_to_the_output_type() public {
        uint256 lo = NodeBuilder.HEAD + 4 + 64 + 49 + 1; // of node 1: tail behind the window and the type of x
        bytes4 bound_ = Parameters.ClampBound.selector;
        spoil(1, lo, abi.encodePacked(int32(-128)), abi.encodeWithSelector(bound_, -127, 127, -128));
        spoil(1, lo + 4, abi.encodePacked(int32(128)), abi.encodeWithSelector(bound_, -127, 127, 128));
        spoil(1, lo, abi.encodePacked(int32(5), int32(4)), abi.encodeWithSelector(bound_, 5, 127, 4));
    }

    function test_a_convolution_reads_eight_or_sixteen_bits() public {
        uint256 dtype = NodeBuilder.HEAD + 4 + 64 + 48;
        bytes4 field = Parameters.FieldOutside.selector;
        spoil(1, dtype, hex"03", abi.encodeWithSelector(field, 6, 1, 2, 3));
        spoil(1, dtype, hex"00", abi.encodeWithSelector(field, 6, 1, 2, 0));
    }

    function test_groups_divide_channels() public {
        uint256 groups = NodeBuilder.HEAD + 4 + 64 + 24;
        spoil(1, groups, abi.encodePacked(uint32(3)), abi.encodeWithSelector(Parameters.GroupsUneven.selector, 3, 2));
        spoil(1, groups, abi.encodePacked(uint32(0)), abi.encodeWithSelector(Parameters.SizeZero.selector));
    }

    function test_a_slice_ends_inside_the_row() public {
        spoil(
            4,
            NodeBuilder.HEAD + 68 + 12,
            abi.encodePacked(uint32(1)),
            abi.encodeWithSelector(Parameters.SliceOutside.selector, 36, 37)
        );
    }

    function test_axes_are_a_permutation() public {
        bytes4 why = Parameters.AxisRepeatedOrOutside.selector;
        uint256 last = NodeBuilder.HEAD + 4 + 5 + 2 * 22;
        spoil(3, last, hex"02", abi.encodeWithSelector(why, 3, 2));
        spoil(3, last, hex"03", abi.encodeWithSelector(why, 3, 3));
    }

    function test_dimensions_are_held_to_their_form() public {
        spoil(1, NodeBuilder.HEAD + 68, hex"00000001", abi.encodeWithSelector(Dimensions.ConstantScale.selector, 1));
        spoil(1, NodeBuilder.HEAD + 68, hex"01000001", abi.encodeWithSelector(Dimensions.SymbolUnknown.selector, 0, 1));
        spoil(
            1,
            NodeBuilder.HEAD + 68,
            NodeBuilder.dim(0),
            abi.encodeWithSelector(Dimensions.DimensionBelowOne.selector, int256(0))
        );
    }

    function test_a_step_that_opens_too_much_is_refused() public {
        // Ninety tiles in one pooling window.
        bytes memory wide = abi.encodePacked(uint8(3), NodeBuilder.dim(10), NodeBuilder.dim(9), NodeBuilder.dim(512));
        bytes[] memory two = new bytes[](2);
        two[0] = NodeBuilder.leaf(0, 1, 0, new uint32[](0), new bytes32[](0), wide);
        NodeBuilder.Window memory w = NodeBuilder.square(9, 1, 0);
        w.kh = 10;
        two[1] = NodeBuilder.leaf(
            3,
            1,
            512 * 90,
            NodeBuilder.list(0),
            new bytes32[](0),
            abi.encodePacked(NodeBuilder.dim(10), NodeBuilder.dim(9), uint32(512), NodeBuilder.window(w))
        );
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.OpenedBytes.selector, 1, 40_960, 46_080));
        registry.register(header(2, ""), NodeBuilder.numbered(two), "", 0);
    }

    function test_sizes_follow_the_symbols_within_their_bounds() public {
        // [2n][3] to i8 [2n][5], 1 <= n <= 300
        bytes[] memory two = new bytes[](2);
        bytes memory shape = abi.encodePacked(uint8(2), NodeBuilder.dim(1, 2, 0), NodeBuilder.dim(3));
        two[0] = NodeBuilder.leaf(0, 1, 0, new uint32[](0), new bytes32[](0), shape);
        two[1] = NodeBuilder.leaf(
            1,
            1,
            600 * 15,
            NodeBuilder.list(0),
            hashes(2, "m"),
            NodeBuilder.matmul(NodeBuilder.dim(1, 2, 0), 3, 0, 3, 5, NodeBuilder.tail(0, 0, 1, false))
        );
        bytes memory head = header(2, abi.encodePacked(uint32(1), uint32(300)));
        bytes32 id = registry.register(head, NodeBuilder.numbered(two), "", 0);
        (uint256 inputBytes, uint256 outputBytes) = registry.sizes(id, NodeBuilder.list(7));
        assertEq(inputBytes, 42, "input");
        assertEq(outputBytes, 70, "output");
        assertEq(registry.model(id).outputBytes, 3_000, "at the maximum");
        // Output of six tiles: one tensor answer more.
        assertEq(registry.model(id).moves, 4, "moves");
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.DimensionOutside.selector, 0, 1, 300, 301));
        registry.sizes(id, NodeBuilder.list(301));
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.DimensionCount.selector, 1, 0));
        registry.sizes(id, new uint32[](0));

        // The same with n - 1 elsewhere: zero at the minimum.
        two[1] = NodeBuilder.leaf(
            1,
            1,
            600 * 15,
            NodeBuilder.list(0),
            hashes(2, "m"),
            NodeBuilder.matmul(NodeBuilder.dim(1, 2, -2), 3, 0, 3, 5, NodeBuilder.tail(0, 0, 1, false))
        );
        head = header(2, abi.encodePacked(uint32(1), uint32(300)));
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.InputElements.selector, 1, 0, 598 * 3, 600 * 3));
        registry.register(head, NodeBuilder.numbered(two), "", 0);
    }

    function test_gas_of_a_registration_of_24_nodes() public {
        bytes[] memory many = new bytes[](24);
        many[0] = leaves[0];
        uint64 macs = 0;
        for (uint32 i = 1; i < 24; ++i) {
            macs += 72 * 18;
            many[i] = NodeBuilder.leaf(
                2,
                1,
                macs,
                i == 1 ? NodeBuilder.list(0) : NodeBuilder.list(i - 1, i - 2),
                hashes(2, "conv"),
                abi.encodePacked(
                    NodeBuilder.dim(6),
                    NodeBuilder.dim(6),
                    uint32(2),
                    uint32(2),
                    uint32(1),
                    NodeBuilder.window(NodeBuilder.square(3, 1, 1)),
                    uint8(1),
                    NodeBuilder.tail(i == 1 ? 0 : 1, -127, 127, false)
                )
            );
        }
        many = NodeBuilder.numbered(many);
        bytes memory head = header(24, "");
        string memory locator = "ipfs://bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";
        bytes memory data = abi.encodeCall(IModelRegistry.register, (head, many, locator, 1));
        uint256 calldataGas = 0;
        for (uint256 i = 0; i < data.length; ++i) {
            calldataGas += data[i] == 0 ? 4 : 16;
        }
        registry.register(head, many, locator, 1);
        uint256 execution = vm.snapshotGasLastCall("ModelRegistry", "register 24 nodes");
        vm.snapshotValue("ModelRegistry", "register 24 nodes, whole transaction", 21_000 + calldataGas + execution);
        assertLe(21_000 + calldataGas + execution, 1_100_000, "about 1 M gas");
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IModelRegistry} from "../src/interfaces/IModelRegistry.sol";
import {Model} from "../src/interfaces/IModelRegistry.sol";
import {ModelRegistry} from "../src/ModelRegistry.sol";
import {INTERIOR_BIT} from "../src/generated/ProtocolConstants.sol";
import {NodeBuilder} from "./base/NodeBuilder.sol";
import {RegistryFixture} from "./base/RegistryFixture.sol";

/// @title Registration of programs with interior nodes: segments, places and names. Spec: programs, 1.22.
contract SegmentsRegistryTest is RegistryFixture {
    /// Copies of INPUT [4]: 1 and 2 interior, 3 committed; 4 interior, 5 committed.
    function setUp() public {
        registry = new ModelRegistry();
        leaves.push(
            NodeBuilder.leaf(0, 1, 0, new uint32[](0), new bytes32[](0), abi.encodePacked(uint8(1), NodeBuilder.dim(4)))
        );
        leaves.push(copy(1, 1, INTERIOR_BIT, 0));
        leaves.push(copy(2, 1, INTERIOR_BIT | 1, INTERIOR_BIT));
        leaves.push(copy(3, 1, 2, INTERIOR_BIT | 1));
        leaves.push(copy(4, 2, INTERIOR_BIT, 1));
        leaves.push(copy(5, 2, 1, 0));
    }

    function copy(uint256 node, uint256 segment, uint256 place, uint32 name) private pure returns (bytes memory) {
        bytes memory parameters = NodeBuilder.permute(hex"00", NodeBuilder.list(4));
        bytes memory leaf =
            NodeBuilder.leaf(5, 1, uint64(4 * node), NodeBuilder.list(name), new bytes32[](0), parameters);
        return NodeBuilder.placed(leaf, segment, place);
    }

    /// Spoils segment and place of a node.
    function moved(uint256 node, uint256 segment, uint256 place, bytes memory why) private {
        spoil(node, NodeBuilder.HEAD - 8, abi.encodePacked(uint32(segment), uint32(place)), why);
    }

    /// Spoils the name of a node's input.
    function named(uint256 node, uint32 name) private {
        bytes memory why = abi.encodeWithSelector(IModelRegistry.InputNotBefore.selector, node, 0, name);
        spoil(node, NodeBuilder.HEAD, abi.encodePacked(name), why);
    }

    function test_a_program_with_segments_is_stored_with_its_counts() public {
        bytes32 id = registry.register(header(6, ""), leaves, "", 0);
        Model memory m = registry.model(id);
        assertEq(m.nodeCount, 6, "nodes");
        assertEq(m.outputNode, 5, "output");
        assertEq(m.committedCount, 3, "committed nodes");
        assertEq(m.outputNumber, 2, "number of the output");
        assertTrue(m.hasInterior, "interior nodes");
        // Every tensor is one tile: open, name the segment, name the node, step.
        assertEq(m.moves, 4, "moves");
        (, uint32 nodeCount, uint32 committedCount, uint32 outputNumber,,) = registry.descentOf(id);
        assertEq(nodeCount, 6, "nodes of a descent");
        assertEq(committedCount, 3, "its committed nodes");
        assertEq(outputNumber, 2, "its output");
        id = registry.register(headerOf(6, 3, ""), leaves, "", 0);
        assertEq(registry.model(id).outputNumber, 1, "an output before the last node");
    }

    function test_a_segment_is_the_number_of_the_next_committed_node() public {
        bytes4 why = IModelRegistry.SegmentNumber.selector;
        moved(0, 1, 0, abi.encodeWithSelector(why, 0, 0, 1));
        moved(1, 0, INTERIOR_BIT, abi.encodeWithSelector(why, 1, 1, 0));
        moved(3, 2, 2, abi.encodeWithSelector(why, 3, 1, 2));
        moved(4, 1, uint256(INTERIOR_BIT) | 3, abi.encodeWithSelector(why, 4, 2, 1));
    }

    function test_a_place_counts_the_nodes_of_the_segment_before() public {
        bytes4 why = IModelRegistry.SegmentPlace.selector;
        moved(0, 0, 1, abi.encodeWithSelector(why, 0, 0, 1));
        moved(2, 1, INTERIOR_BIT, abi.encodeWithSelector(why, 2, 1, 0));
        moved(3, 1, 0, abi.encodeWithSelector(why, 3, 2, 0));
        moved(4, 2, uint256(INTERIOR_BIT) | 1, abi.encodeWithSelector(why, 4, 0, 1));
        // A committed node ends its segment, so that the next one starts anew.
        moved(2, 1, 1, abi.encodeWithSelector(IModelRegistry.SegmentNumber.selector, 3, 2, 1));
    }

    function test_input_output_and_last_node_are_committed() public {
        bytes4 why = IModelRegistry.NodeNotCommitted.selector;
        moved(0, 0, INTERIOR_BIT, abi.encodeWithSelector(why, 0));
        moved(5, 2, uint256(INTERIOR_BIT) | 1, abi.encodeWithSelector(why, 5));
        refuse(headerOf(6, 4, ""), abi.encodeWithSelector(why, 4));
        refuse(headerOf(6, 1, ""), abi.encodeWithSelector(why, 1));
    }

    function test_inputs_are_named_among_what_was_committed_or_is_of_the_segment() public {
        // The node itself, one after it, and one far away.
        named(1, INTERIOR_BIT);
        named(1, INTERIOR_BIT | 1);
        named(2, INTERIOR_BIT | 1);
        named(4, INTERIOR_BIT);
        named(5, INTERIOR_BIT | 1);
        named(5, type(uint32).max);
        named(1, 1);
        named(3, 1);
        named(5, 2);
        named(5, INTERIOR_BIT - 1);
    }

    function test_a_segment_has_at_most_63_interior_nodes() public {
        bytes[] memory many = new bytes[](66);
        many[0] = leaves[0];
        for (uint256 node = 1; node < 66; ++node) {
            many[node] = copy(node, 1, INTERIOR_BIT | (node - 1), 0);
        }
        bytes memory last = many[64];
        many[64] = copy(64, 1, 63, 0);
        many[65] = copy(65, 2, 0, 1);
        bytes32 id = registry.register(header(66, ""), many, "", 0);
        assertEq(registry.model(id).committedCount, 3, "63 interior nodes");
        many[64] = last;
        many[65] = copy(65, 1, 64, 0);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.SegmentLength.selector, 64, 63, 64));
        registry.register(header(66, ""), many, "", 0);
    }
}

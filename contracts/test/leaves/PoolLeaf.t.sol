// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILeaf} from "../../src/interfaces/ILeaf.sol";
import {Opening} from "../../src/interfaces/ILeaf.sol";
import {PoolLeaf} from "../../src/leaves/PoolLeaf.sol";
import {Parameters} from "../../src/lib/Parameters.sol";
import {NodeBuilder} from "../base/NodeBuilder.sol";
import {Test} from "../base/Test.sol";

/// @title Pools: values by hand, refusals, gas of the widest windows.
/// @dev Values over random nodes are compared with the interpreter by the conformance suite.
contract PoolLeafTest is Test {
    PoolLeaf internal pools;
    uint32[] internal none;

    function setUp() public {
        pools = new PoolLeaf();
    }

    /// [height][width][1] and its window; an average has M = 2, s = 1, the sum itself, clamped.
    function poolLeaf(uint8 op, uint8 dtype, uint32 height, uint32 width, uint32 channels, NodeBuilder.Window memory w)
        internal
        pure
        returns (bytes memory)
    {
        bytes memory parameters =
            abi.encodePacked(NodeBuilder.dim(height), NodeBuilder.dim(width), channels, NodeBuilder.window(w));
        if (op == 4) parameters = abi.encodePacked(parameters, uint16(2), uint8(1), int32(-100), int32(100));
        return NodeBuilder.leaf(op, dtype, 0, NodeBuilder.list(0), new bytes32[](0), parameters);
    }

    function one(Opening memory o) internal pure returns (Opening[] memory openings) {
        openings = new Opening[](1);
        openings[0] = o;
    }

    function whole(bytes memory tensor) internal pure returns (Opening[] memory) {
        return one(NodeBuilder.openRun(tensor, 0, tensor.length));
    }

    function test_a_maximum_takes_cells_inside_the_input_only() public view {
        // [2][2] = -5 -6; -7 -8. Padding is no zero: the corner's window holds -5 alone.
        bytes memory x = abi.encodePacked(int8(-5), int8(-6), int8(-7), int8(-8));
        bytes memory leaf = poolLeaf(3, 1, 2, 2, 1, NodeBuilder.square(2, 1, 1));
        int256[9] memory want = [int256(-5), -5, -6, -5, -5, -6, -7, -7, -8];
        for (uint64 i = 0; i < 9; ++i) {
            (int256 value, bytes32[] memory roots) = pools.evaluate(leaf, none, i, whole(x));
            assertEq(value, want[i], "maximum");
            assertEq(roots[0], NodeBuilder.root(x), "root");
        }
    }

    function test_a_maximum_reads_wide_elements_with_their_sign() public view {
        NodeBuilder.Window memory w = NodeBuilder.square(1, 1, 0);
        w.kw = 2;
        bytes memory leaf = poolLeaf(3, 2, 1, 2, 1, w);
        (int256 value,) = pools.evaluate(leaf, none, 0, whole(abi.encodePacked(int16(-300), int16(-299))));
        assertEq(value, -299, "i16");
        leaf = poolLeaf(3, 3, 1, 2, 1, w);
        bytes memory x = abi.encodePacked(type(int32).min, type(int32).max);
        (value,) = pools.evaluate(leaf, none, 0, whole(x));
        assertEq(value, type(int32).max, "i32");
    }

    function test_an_average_is_its_scaled_sum_clamped_on_both_sides() public view {
        bytes memory leaf = poolLeaf(4, 1, 2, 2, 1, NodeBuilder.square(2, 1, 1));
        bytes memory x = abi.encodePacked(int8(127), int8(-6), int8(-7), int8(-90));
        int256[9] memory want = [int256(100), 100, -6, 100, 24, -96, -7, -97, -90];
        for (uint64 i = 0; i < 9; ++i) {
            (int256 value,) = pools.evaluate(leaf, none, i, whole(x));
            assertEq(value, want[i], "average");
        }
    }

    function test_the_operator_of_another_family_is_refused() public {
        bytes memory parameters = NodeBuilder.permute(hex"00", NodeBuilder.list(3));
        bytes memory leaf = NodeBuilder.leaf(5, 1, 0, NodeBuilder.list(0), new bytes32[](0), parameters);
        vm.expectRevert(abi.encodeWithSelector(ILeaf.OperatorNotHere.selector, 5));
        pools.evaluate(leaf, none, 0, new Opening[](1));
    }

    function test_an_element_outside_the_output_is_refused() public {
        bytes memory leaf = poolLeaf(3, 1, 2, 2, 1, NodeBuilder.square(1, 1, 0));
        vm.expectRevert(abi.encodeWithSelector(ILeaf.ElementOutside.selector, 4, 4));
        pools.evaluate(leaf, none, 4, new Opening[](1));
        vm.expectRevert(abi.encodeWithSelector(ILeaf.ElementOutside.selector, 4, type(uint64).max));
        pools.evaluate(leaf, none, type(uint64).max, new Opening[](1));
    }

    function test_a_pool_that_could_miss_the_input_is_refused() public {
        bytes memory leaf = poolLeaf(3, 1, 2, 2, 1, NodeBuilder.square(2, 1, 2));
        vm.expectRevert(abi.encodeWithSelector(Parameters.WindowField.selector, 4, 0, 1, 2));
        pools.evaluate(leaf, none, 0, new Opening[](1));
    }

    function test_gas_of_the_widest_windows() public {
        // ResNet-20's last pool: [8][8][64], the whole plane.
        bytes memory x = NodeBuilder.noise(4_096, 7);
        bytes memory leaf = poolLeaf(4, 1, 8, 8, 64, NodeBuilder.square(8, 1, 0));
        Opening[] memory openings = whole(x);
        pools.evaluate(leaf, none, 63, openings);
        vm.snapshotGasLastCall("PoolLeaf", "resnet20 average 8 x 8 of 64 channels");
        // Eighty tiles, the most that a step opens.
        x = NodeBuilder.noise(40_960, 8);
        NodeBuilder.Window memory w = NodeBuilder.square(8, 1, 0);
        w.kw = 10;
        leaf = poolLeaf(3, 1, 8, 10, 512, w);
        openings = whole(x);
        pools.evaluate(leaf, none, 511, openings);
        vm.snapshotGasLastCall("PoolLeaf", "maximum over 80 tiles");
    }
}

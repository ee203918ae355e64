// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FormFixture} from "../base/FormFixture.sol";
import {IRequests} from "../../src/interfaces/IRequests.sol";
import {NodeBuilder} from "../base/NodeBuilder.sol";

/// @title Forbidden entries in the constants and tables of pointwise nodes. Spec: game, 4.9.
/// @dev INPUT [600]; node 1 adds an i16 constant and interpolates; node 2 looks up; node 3 adds an i32.
contract PointwiseFormsTest is FormFixture {
    uint256 private constant N = 600;

    function setUp() public {
        deploySet();
        bytes memory shape = abi.encodePacked(uint8(1), NodeBuilder.dim(uint32(N)));
        leaves.push(NodeBuilder.leaf(0, 1, 0, new uint32[](0), new bytes32[](0), shape));
        add(2, NodeBuilder.roots(constant16(), curve()), pointwise(1, 2, 2, 2));
        add(1, NodeBuilder.roots(lookup()), pointwise(2, 0, 0, 1));
        add(3, NodeBuilder.roots(constant32()), pointwise(1, 2, 3, 0));
        outputNode = 3;
        registerModel();
        claimed();
    }

    function add(uint8 dtype, bytes32[] memory roots, NodeBuilder.Pointwise memory p) private {
        uint64 macs = uint64(N * leaves.length);
        uint32[] memory inputs = NodeBuilder.list(uint32(leaves.length - 1));
        leaves.push(NodeBuilder.leaf(7, dtype, macs, inputs, roots, NodeBuilder.pointwise(p)));
    }

    function pointwise(uint8 dtype, uint8 source, uint8 second, uint8 table)
        private
        pure
        returns (NodeBuilder.Pointwise memory)
    {
        uint32 held = source == 2 ? uint32(N) : 0;
        return NodeBuilder.Pointwise(1, uint32(N), 0, dtype, 2, source, second, 0, 0, held, 1, -5, 5, table, 0);
    }

    /// The 400th element, in the second tile, is -32768.
    function constant16() private pure returns (bytes memory data) {
        data = NodeBuilder.noise(2 * N, 1);
        (data[800], data[801]) = (bytes1(0x80), bytes1(0x00));
    }

    /// The last of 513 entries, alone in the third tile, is -32768.
    function curve() private pure returns (bytes memory data) {
        data = NodeBuilder.noise(1_026, 2);
        (data[1_024], data[1_025]) = (bytes1(0x80), bytes1(0x00));
    }

    function lookup() private pure returns (bytes memory data) {
        data = NodeBuilder.noise(256, 3);
        data[255] = 0x80;
    }

    function constant32() private pure returns (bytes memory data) {
        data = NodeBuilder.noise(4 * N, 4);
        data[0] = 0x80;
    }

    function tensor(uint256 node) internal pure override returns (bytes memory) {
        return NodeBuilder.noise([N, 2 * N, N, 4 * N][node], 10 + node);
    }

    function inputsOf(uint256 node) internal pure override returns (uint256[] memory inputs) {
        inputs = new uint256[](1);
        inputs[0] = node - 1;
    }

    function test_a_constant_that_is_no_value_convicts() public {
        bytes memory reason = abi.encodeWithSelector(IRequests.FormHolds.selector, 1, 0, 0);
        refused(other, 0, convictCall(1, 0, constant16(), 0), reason);
        checkConvicted(convictCall(1, 0, constant16(), 1));
    }

    function test_an_entry_of_an_interpolation_that_is_no_value_convicts() public {
        bytes memory reason = abi.encodeWithSelector(IRequests.FormHolds.selector, 1, 1, 1);
        refused(other, 0, convictCall(1, 1, curve(), 1), reason);
        checkConvicted(convictCall(1, 1, curve(), 2));
    }

    function test_an_entry_of_a_lookup_that_is_no_value_convicts() public {
        checkConvicted(convictCall(2, 0, lookup(), 0));
    }

    function test_every_wide_constant_is_a_value() public {
        bytes memory reason = abi.encodeWithSelector(IRequests.FormHolds.selector, 3, 0, 0);
        refused(other, 0, convictCall(3, 0, constant32(), 0), reason);
    }

    function test_tensors_that_the_node_does_not_have_are_refused() public {
        bytes4 why = IRequests.TensorOutside.selector;
        refused(other, 0, convictCall(1, 2, curve(), 0), abi.encodeWithSelector(why, 2, 2));
        refused(other, 0, convictCall(2, 1, lookup(), 0), abi.encodeWithSelector(why, 1, 1));
        refused(other, 0, convictCall(3, 1, constant32(), 0), abi.encodeWithSelector(why, 1, 1));
        why = IRequests.TileLength.selector;
        refused(other, 0, convictCall(1, 1, curve(), 3), abi.encodeWithSelector(why, 0, 0));
    }
}

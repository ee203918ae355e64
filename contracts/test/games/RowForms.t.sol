// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FormFixture} from "../base/FormFixture.sol";
import {IRequests} from "../../src/interfaces/IRequests.sol";
import {NodeBuilder} from "../base/NodeBuilder.sol";

/// @title Forbidden constants of columns, entries of embeddings and of exponentials. Spec: game, 4.9.
/// @dev INPUT i32 [600]; node 1 normalises it as [12][50]; node 2 looks it up; node 3 is its exponential.
contract RowFormsTest is FormFixture {
    uint32 private constant N = 600;
    uint32 private constant ENTRIES = 700;

    function setUp() public {
        deploySet();
        bytes memory shape = abi.encodePacked(uint8(1), NodeBuilder.dim(N));
        leaves.push(NodeBuilder.leaf(0, 3, 0, new uint32[](0), new bytes32[](0), shape));
        NodeBuilder.Normalize memory n = NodeBuilder.Normalize(12, 50, 3, 0, 0, 0, 15, -5, 5);
        add(10, 1, NodeBuilder.roots(columns()), NodeBuilder.normalize(n));
        add(11, 2, NodeBuilder.roots(entries()), NodeBuilder.embedding(N, 1, ENTRIES));
        NodeBuilder.Pointwise memory p = NodeBuilder.Pointwise(1, N, 0, 3, 2, 0, 0, 0, 0, 0, 1, 0, 65_535, 3, 0);
        add(7, 2, NodeBuilder.roots(exponents()), NodeBuilder.pointwise(p));
        outputNode = 3;
        registerModel();
        claimed();
    }

    function add(uint8 op, uint8 dtype, bytes32[] memory roots, bytes memory parameters) private {
        leaves.push(NodeBuilder.leaf(op, dtype, uint64(N * leaves.length), NodeBuilder.list(0), roots, parameters));
    }

    /// The 41st of 50 columns, in the second tile, has a third constant.
    function columns() private pure returns (bytes memory) {
        bytes memory good = NodeBuilder.constants(40, -5, -7, 0, 9);
        return bytes.concat(good, NodeBuilder.constants(1, 5, 7, 1, 9), NodeBuilder.constants(9, 5, 0, 0, 9));
    }

    /// The last of 700 entries, in the third tile, is -32768.
    function entries() private pure returns (bytes memory data) {
        data = NodeBuilder.noise(2 * ENTRIES, 2);
        (data[1_398], data[1_399]) = (bytes1(0x80), bytes1(0x00));
    }

    /// The 301st of 512 entries, in the second tile, is -1.
    function exponents() private pure returns (bytes memory data) {
        data = NodeBuilder.repeat(2, 32_767, 512);
        data[600] = 0xff;
    }

    function tensor(uint256 node) internal pure override returns (bytes memory) {
        return NodeBuilder.noise([4 * N, N, 2 * N, 2 * N][node], 10 + node);
    }

    function inputsOf(uint256) internal pure override returns (uint256[] memory inputs) {
        inputs = new uint256[](1);
    }

    function refusedTile(uint256 node, bytes memory data, uint32 tile) private {
        bytes memory reason = abi.encodeWithSelector(IRequests.FormHolds.selector, node, 0, tile);
        refused(other, 0, convictCall(node, 0, data, tile), reason);
    }

    function test_a_third_constant_of_a_column_convicts() public {
        refusedTile(1, columns(), 0);
        checkConvicted(convictCall(1, 0, columns(), 1));
    }

    function test_an_entry_of_an_embedding_that_is_no_value_convicts() public {
        refusedTile(2, entries(), 0);
        refusedTile(2, entries(), 1);
        checkConvicted(convictCall(2, 0, entries(), 2));
    }

    function test_an_entry_of_an_exponential_below_zero_convicts() public {
        refusedTile(3, exponents(), 0);
        checkConvicted(convictCall(3, 0, exponents(), 1));
    }

    function test_tensors_that_the_node_does_not_have_are_refused() public {
        bytes4 why = IRequests.TensorOutside.selector;
        for (uint256 node = 1; node < 4; ++node) {
            refused(other, 0, convictCall(node, 1, columns(), 0), abi.encodeWithSelector(why, 1, 1));
        }
        why = IRequests.TileLength.selector;
        refused(other, 0, convictCall(2, 0, entries(), 3), abi.encodeWithSelector(why, 0, 0));
    }
}

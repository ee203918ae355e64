// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IDisputeGame} from "../src/interfaces/IDisputeGame.sol";
import {SmallModel} from "./base/SmallModel.sol";
import {Stage} from "../src/interfaces/IDisputeGame.sol";
import {Status} from "../src/interfaces/IRequests.sol";

/// @title Whole games on a small model, whose claimant lies at element 777 of node 1.
contract DisputeGameTest is SmallModel {
    uint256 private constant NODE = 1;
    uint256 private constant ELEMENT = 777;

    function setUp() public {
        setUpSmall(NODE, ELEMENT);
    }

    /// Spec: game, 4.7.
    function test_a_lie_is_convicted_at_exactly_its_node_and_element() public {
        bytes32 gameId = open(challenger);
        descend(gameId, NODE, ELEMENT);
        step(gameId, ELEMENT);
        assertTrue(requests.requestOf(requestId).status == Status.Convicted, "convicted");
    }

    /// Spec: game, 4.7.
    function test_a_step_on_a_right_element_says_so_with_its_value() public {
        bytes32 gameId = open(challenger);
        descend(gameId, NODE, ELEMENT);
        int256 value = int8(uint8(tensor(NODE)[ELEMENT - 1]));
        bytes memory data = stepCall(gameId, ELEMENT - 1);
        vm.expectRevert(abi.encodeWithSelector(IDisputeGame.ValueAgrees.selector, NODE, ELEMENT - 1, value));
        vm.prank(challenger);
        (bool done,) = address(game).call(data);
        done;
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Game} from "../../src/interfaces/IDisputeGame.sol";
import {GameFixture} from "../base/GameFixture.sol";
import {IDisputeGame} from "../../src/interfaces/IDisputeGame.sol";
import {NodeBuilder} from "../base/NodeBuilder.sol";
import {Opening} from "../../src/interfaces/ILeaf.sol";
import {Stage} from "../../src/interfaces/IDisputeGame.sol";
import {Status} from "../../src/interfaces/IRequests.sol";

/// @title A program of 600 nodes, whose trace tree is deeper than the first answer. Spec: game, 4.3 to 4.6.
/// @dev Every node copies its predecessor (a transposition of one axis); the claimant changes byte 1 at node 431.
contract DeepTraceTest is GameFixture {
    uint256 private constant NODES = 600;
    uint256 private constant LIE = 431;

    function tensor(uint256 node) internal pure override returns (bytes memory data) {
        data = NodeBuilder.noise(4, 1);
        if (LIE <= node) data[1] = 0x11;
    }

    function inputsOf(uint256 node) internal pure override returns (uint256[] memory inputs) {
        inputs = new uint256[](1);
        inputs[0] = node - 1;
    }

    function openingsOf(uint256 node, uint256) internal pure override returns (Opening[] memory o) {
        o = new Opening[](1);
        o[0] = NodeBuilder.openRun(tensor(node - 1), 0, 4);
    }

    function setUp() public {
        deploySet();
        leaves.push(
            NodeBuilder.leaf(0, 1, 0, new uint32[](0), new bytes32[](0), abi.encodePacked(uint8(1), NodeBuilder.dim(4)))
        );
        bytes memory parameters = NodeBuilder.permute(hex"00", NodeBuilder.list(4));
        for (uint256 node = 1; node < NODES; ++node) {
            leaves.push(
                NodeBuilder.leaf(
                    5, 1, uint64(4 * node), NodeBuilder.list(uint32(node - 1)), new bytes32[](0), parameters
                )
            );
        }
        outputNode = NODES - 1;
        registerModel();
        claimed();
    }

    function test_a_lie_below_the_first_answer_is_convicted_at_its_node() public {
        bytes32 gameId = open(challenger);
        firstAnswer(gameId);
        Game memory g = game.gameOf(gameId);
        assertEq(g.openLevel, 2, "10 levels, 8 answered");
        refused(
            challenger,
            1 ether,
            nameNodeCall(gameId, LIE),
            abi.encodeWithSelector(IDisputeGame.WrongLevel.selector, 0, 2)
        );
        nameEntry(gameId, LIE >> 2);
        answer(gameId);
        refused(challenger, 1 ether, nameNodeCall(gameId, LIE + 4), IDisputeGame.IndexOutside.selector);
        nameNode(gameId, LIE);
        g = game.gameOf(gameId);
        assertTrue(g.stage == Stage.Tile, "a tensor of one tile needs no entries");
        answer(gameId);
        vm.expectEmit(true, true, true, true, address(game));
        emit IDisputeGame.Convicted(gameId, claimKey, challenger, LIE, 1, int8(uint8(tensor(0)[1])), int8(uint8(0x11)));
        step(gameId, 1);
        assertTrue(requests.requestOf(requestId).status == Status.Convicted, "convicted");
    }

    function test_input_and_output_are_proved_below_the_first_answer() public {
        bytes32 gameId = open(challenger);
        bytes32[] memory entries = entriesOf(traceRoots, 2, 10, 0);
        bytes32[] memory siblings = firstSiblings();
        siblings[0] = keccak256("another");
        bytes memory data = abi.encodeCall(game.firstAnswer, (gameId, claimKey, headOf(gameId), entries, siblings));
        refused(provider, 0, data, IDisputeGame.TraceRoot.selector);
    }
}

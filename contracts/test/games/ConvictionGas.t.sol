// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FormProof} from "../../src/interfaces/IRequests.sol";
import {GasUnits} from "../../src/lib/GasUnits.sol";
import {SmallModel} from "../base/SmallModel.sol";
import {StepInput} from "../../src/interfaces/IDisputeGame.sol";
import {TreeBuilder} from "../base/TreeBuilder.sol";

/// @title Convictions of every kind, behind eight games of eight people, use at most their units.
/// @dev Each call is a transaction of its own (isolation). Spec: game, 4.11.
contract ConvictionGasTest is SmallModel {
    uint256 private constant GAMES = 8;

    function setUp() public {
        setUpSmall(1, 777);
        claimed();
    }

    /// Weights of node 1 hold a forbidden byte.
    function weights(uint256 node) internal pure override returns (bytes memory data) {
        data = super.weights(node);
        if (node == 1) data[1030] = 0x80;
    }

    function crowd() private {
        for (uint256 i = 0; i < GAMES; ++i) {
            address who = address(uint160(0xc000 + i));
            vm.deal(who, 10 ether);
            open(who);
        }
    }

    function check(address who, bytes memory data, uint256 units, string memory name) private {
        send(who, 0, data);
        uint256 used = vm.lastCallGas().gasTotalUsed;
        uint256 floor = 21_000;
        for (uint256 i = 0; i < data.length; ++i) {
            floor += data[i] == 0 ? 10 : 40;
        }
        if (used < floor) used = floor;
        vm.snapshotValue("conviction", name, used);
        assertTrue(game.games(claimKey).convicted, "convicted");
        assertLe(used, units + GAMES * GasUnits.PER_PAYOUT, name);
    }

    function unitsOf(StepInput memory input) private pure returns (uint256) {
        uint256 hashes = input.leafSiblings.length + input.inputRoots.length + input.traceSiblings.length
            + input.segmentSiblings.length;
        uint256 payload = input.tile.length + input.nodeLeaf.length;
        for (uint256 i = 0; i < input.openings.length; ++i) {
            hashes += input.openings[i].siblings.length;
            payload += input.openings[i].tiles.length;
        }
        return GasUnits.step(input.openings.length, hashes, payload);
    }

    function stepData(bytes32 gameId) external view returns (bytes memory data, uint256 units) {
        return (stepCall(gameId, 777), unitsOf(stepInput(gameId, 777)));
    }

    /// forge-config: default.isolate = true
    function test_a_step_behind_eight_games_uses_at_most_its_units() public {
        crowd();
        bytes32 gameId = open(challenger);
        descend(gameId, 1, 777);
        (bytes memory data, uint256 units) = this.stepData(gameId);
        check(challenger, data, units, "step behind 8 games");
    }

    /// forge-config: default.isolate = true
    function test_a_timeout_behind_eight_games_uses_at_most_its_units() public {
        crowd();
        bytes32 gameId = open(challenger);
        vm.warp(block.timestamp + game.clockOf(modelId) + 1);
        check(other, abi.encodeCall(game.timeout, (gameId)), GasUnits.TIMEOUT, "timeout behind 8 games");
    }

    /// forge-config: default.isolate = true
    function test_two_roots_behind_eight_games_use_at_most_their_units() public {
        crowd();
        firstAnswer(game.gameIdOf(claimKey, 0));
        bytes32 root = keccak256("another trace");
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PROVIDER_KEY, game.traceDigest(claimKey, root));
        bytes memory signed = abi.encodePacked(r, s, v);
        bytes memory data = abi.encodeCall(game.convictTwoRoots, (requestId, claimKey, root, signed));
        check(other, data, GasUnits.CONVICT_TWO_ROOTS, "convictTwoRoots behind 8 games");
    }

    /// forge-config: default.isolate = true
    function test_a_form_behind_eight_games_uses_at_most_its_units() public {
        crowd();
        bytes32[] memory tiles = TreeBuilder.tiles(weights(1));
        FormProof memory proof;
        proof.node = 1;
        proof.nodeLeaf = leaves[1];
        proof.leafSiblings = pathOf(leafHashes, 0, 1, 2);
        proof.dimensions = new uint32[](0);
        proof.tileIndex = 2;
        proof.tile = TreeBuilder.slice(weights(1), 1024, 512);
        proof.siblings = pathOf(tiles, 0, 2, TreeBuilder.depth(tiles.length));
        uint256 hashes = proof.siblings.length + proof.leafSiblings.length;
        bytes memory data = abi.encodeCall(game.convictForm, (requestId, claimKey, proof));
        uint256 units = GasUnits.convictForm(hashes, 512 + proof.nodeLeaf.length);
        check(other, data, units, "convictForm behind 8 games");
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {GameFixture} from "../base/GameFixture.sol";
import {GasUnits} from "../../src/lib/GasUnits.sol";
import {NodeBuilder} from "../base/NodeBuilder.sol";
import {Opening} from "../../src/interfaces/ILeaf.sol";
import {StepInput} from "../../src/interfaces/IDisputeGame.sol";

/// @title The dearest steps: a program of two nodes, the second as large as the limits allow.
abstract contract StepGas is GameFixture {
    function inputBytes() internal pure virtual returns (uint256);
    function outputBytes() internal pure virtual returns (uint256);
    function subject() internal pure virtual returns (bytes memory);

    function tensor(uint256 node) internal pure override returns (bytes memory) {
        return NodeBuilder.noise(node == 0 ? inputBytes() : outputBytes(), node);
    }

    function inputsOf(uint256) internal pure override returns (uint256[] memory inputs) {
        inputs = new uint256[](1);
    }

    function setUp() public {
        deploySet();
        leaves.push(
            NodeBuilder.leaf(
                0,
                1,
                0,
                new uint32[](0),
                new bytes32[](0),
                abi.encodePacked(uint8(1), NodeBuilder.dim(uint32(inputBytes())))
            )
        );
        leaves.push(subject());
        outputNode = 1;
        registerModel();
        claimed();
    }

    function checkStep(uint256 element, string memory name) internal {
        bytes32 gameId = open(challenger);
        descend(gameId, 1, element);
        StepInput memory input = stepInput(gameId, element);
        uint256 hashes = input.leafSiblings.length + input.inputRoots.length + input.traceSiblings.length;
        uint256 payload = input.tile.length + input.nodeLeaf.length;
        for (uint256 i = 0; i < input.openings.length; ++i) {
            hashes += input.openings[i].siblings.length;
            payload += input.openings[i].tiles.length;
        }
        bytes memory data = stepCall(gameId, element);
        send(challenger, 0, data);
        uint256 used = vm.lastCallGas().gasTotalUsed;
        uint256 floor = 21_000;
        for (uint256 i = 0; i < data.length; ++i) {
            floor += data[i] == 0 ? 10 : 40;
        }
        if (used < floor) used = floor;
        vm.snapshotValue("game", name, used);
        assertLe(used, GasUnits.step(hashes, payload) + GasUnits.PER_PAYOUT, name);
        assertLe(used, 16_777_216, "gas limit of one transaction (EIP-7825)");
    }
}

/// @title A contraction of TERMS_MAX terms.
contract LongestMatmulTest is StepGas {
    uint256 private constant K = 16_384;

    function inputBytes() internal pure override returns (uint256) {
        return K;
    }

    function outputBytes() internal pure override returns (uint256) {
        return 2;
    }

    function subject() internal pure override returns (bytes memory) {
        bytes32[] memory roots = NodeBuilder.roots(NodeBuilder.noise(2 * K, 5), NodeBuilder.constants(2, 5, 3, 0, 20));
        return NodeBuilder.leaf(
            1,
            1,
            uint64(2 * K),
            NodeBuilder.list(uint32(0)),
            roots,
            abi.encodePacked(
                NodeBuilder.dim(1), uint32(K), uint32(0), uint32(K), uint32(2), NodeBuilder.tail(0, -127, 127, false)
            )
        );
    }

    function openingsOf(uint256, uint256 element) internal pure override returns (Opening[] memory o) {
        o = new Opening[](3);
        o[0] = NodeBuilder.openRun(tensor(0), 0, K);
        o[1] = NodeBuilder.openRun(NodeBuilder.noise(2 * K, 5), element * K, K);
        o[2] = NodeBuilder.openRun(NodeBuilder.constants(2, 5, 3, 0, 20), element * 16, 16);
    }

    /// Spec: game, 4.4 and 4.11.
    /// forge-config: default.isolate = true
    function test_a_step_of_the_longest_contraction_uses_at_most_its_units() public {
        checkStep(1, "step, 16,384 terms");
    }
}

/// @title A pool whose every window cell lies in a tile of its own.
contract ScatteredPoolTest is StepGas {
    uint256 private constant SIDE = 17;
    uint256 private constant C = 512;
    uint16 private constant KERNEL = 8;

    function inputBytes() internal pure override returns (uint256) {
        return SIDE * SIDE * C;
    }

    function outputBytes() internal pure override returns (uint256) {
        return 4 * C;
    }

    function subject() internal pure override returns (bytes memory) {
        return NodeBuilder.leaf(
            3,
            1,
            uint64(4 * C * KERNEL * KERNEL),
            NodeBuilder.list(uint32(0)),
            new bytes32[](0),
            abi.encodePacked(
                NodeBuilder.dim(uint32(SIDE)),
                NodeBuilder.dim(uint32(SIDE)),
                uint32(C),
                NodeBuilder.window(NodeBuilder.square(KERNEL, KERNEL + 1, 0))
            )
        );
    }

    function openingsOf(uint256, uint256 element) internal pure override returns (Opening[] memory o) {
        uint256 x = element / C % 2 * (KERNEL + 1);
        uint256 y = element / C / 2 * (KERNEL + 1);
        uint256[] memory tiles = new uint256[](KERNEL * KERNEL);
        for (uint256 i = 0; i < tiles.length; ++i) {
            tiles[i] = (y + i / KERNEL) * SIDE + x + i % KERNEL;
        }
        o = new Opening[](1);
        o[0] = NodeBuilder.open(tensor(0), tiles);
    }

    /// Spec: game, 4.4 and 4.11.
    /// forge-config: default.isolate = true
    function test_a_step_of_a_scattered_pool_uses_at_most_its_units() public {
        checkStep(3 * C + 7, "step, pool of 64 tiles");
    }
}

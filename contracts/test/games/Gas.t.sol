// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {GameFixture} from "../base/GameFixture.sol";
import {GasUnits} from "../../src/lib/GasUnits.sol";
import {NodeBuilder} from "../base/NodeBuilder.sol";
import {Opening} from "../../src/interfaces/ILeaf.sol";
import {Status} from "../../src/interfaces/IRequests.sol";
import {StepInput} from "../../src/interfaces/IDisputeGame.sol";

/// @title Gas of every move of a dispute of the size of ResNet-20's.
/// @dev 24 nodes; node 9 is a convolution with K = 576 and an addend whose output has 25 tiles.
/// Tensors are noise, whatever the nodes would make of it: the claimant lies everywhere.
/// Each call is a transaction of its own (isolation), so that its gas is what a transaction uses.
contract GasTest is GameFixture {
    uint256 private constant NODES = 24;
    uint256 private constant NODE = 9;
    uint256 private constant H = 20;
    uint256 private constant W = 10;
    uint256 private constant C = 64;
    uint256 private constant ELEMENT = (10 * W + 5) * C + 33;
    uint256 private constant MOST = 1_200_000;

    uint256 private total;

    function tensor(uint256 node) internal pure override returns (bytes memory) {
        return NodeBuilder.noise(node == NODES - 1 ? 10 : H * W * C, node);
    }

    function weights() private pure returns (bytes memory) {
        return NodeBuilder.noise(C * 9 * C, 1000);
    }

    function constants() private pure returns (bytes memory) {
        return NodeBuilder.constants(C, 5, 3, 7, 20);
    }

    function inputsOf(uint256 node) internal pure override returns (uint256[] memory inputs) {
        inputs = new uint256[](2);
        (inputs[0], inputs[1]) = (node - 2, node - 1);
    }

    function openingsOf(uint256 node, uint256 element) internal pure override returns (Opening[] memory o) {
        uint256 channel = element % C;
        uint256 x = element / C % W;
        uint256 y = element / C / W;
        o = new Opening[](4);
        o[0] = NodeBuilder.open(tensor(node - 1), rowTiles(y, x));
        o[1] = NodeBuilder.openRun(tensor(node - 2), element, 1);
        o[2] = NodeBuilder.openRun(weights(), channel * 9 * C, 9 * C);
        o[3] = NodeBuilder.openRun(constants(), channel * 16, 16);
    }

    /// Distinct tiles of the three rows of a 3x3 window around (y, x), inside the image.
    function rowTiles(uint256 y, uint256 x) private pure returns (uint256[] memory tiles) {
        tiles = new uint256[](12);
        uint256 count = 0;
        for (uint256 i = 0; i < 3; ++i) {
            uint256 start = ((y + i - 1) * W + x - 1) * C;
            for (uint256 t = start / 512; t <= (start + 3 * C - 1) / 512; ++t) {
                if (count == 0 || tiles[count - 1] < t) tiles[count++] = t;
            }
        }
        assembly ("memory-safe") {
            mstore(tiles, count)
        }
    }

    function leaf(uint256 node, bytes32[] memory roots) private pure returns (bytes memory) {
        uint64 macs = uint64((node == 0 ? 0 : node - 1) * H * W * C * 9 * C);
        uint64 self = uint64(H * W * C * 9 * C);
        if (node == 0) {
            return NodeBuilder.leaf(
                0,
                1,
                0,
                new uint32[](0),
                new bytes32[](0),
                abi.encodePacked(uint8(1), NodeBuilder.dim(uint32(H * W * C)))
            );
        }
        bool addend = node != 1;
        return NodeBuilder.leaf(
            2,
            1,
            macs + self,
            addend ? NodeBuilder.list(uint32(node - 1), uint32(node - 2)) : NodeBuilder.list(uint32(node - 1)),
            roots,
            abi.encodePacked(
                NodeBuilder.dim(uint32(H)),
                NodeBuilder.dim(uint32(W)),
                uint32(C),
                uint32(C),
                uint32(1),
                NodeBuilder.window(NodeBuilder.square(3, 1, 1)),
                uint8(1),
                NodeBuilder.tail(addend ? 1 : 0, -127, 127, false)
            )
        );
    }

    function setUp() public {
        deploySet();
        bytes32[] memory roots = NodeBuilder.roots(weights(), constants());
        for (uint256 node = 0; node < NODES - 1; ++node) {
            leaves.push(leaf(node, roots));
        }
        uint64 macs = uint64((NODES - 2) * H * W * C * 9 * C + 10 * C);
        leaves.push(
            NodeBuilder.leaf(
                1,
                1,
                macs,
                NodeBuilder.list(uint32(NODES - 2)),
                roots,
                NodeBuilder.matmul(
                    NodeBuilder.dim(1), uint32(H * W * C), 0, uint32(C), 10, NodeBuilder.tail(0, -127, 127, false)
                )
            )
        );
        outputNode = NODES - 1;
        registerModel();
        claimedElsewhere();
    }

    /// The input is too large to repeat in every message: published.
    function claimedElsewhere() private {
        bytes memory input = tensor(0);
        requestId = ask(termsOf(input), input);
        vm.prank(provider);
        providers.stake{value: 20 ether}();
        vm.prank(provider);
        requests.accept(requestId);
        vm.prank(provider);
        claimKey = requests.claim(requestId, tensor(outputNode));
    }

    /// Sends one move as a transaction and returns the gas that it used, the calldata floor included.
    function move(address who, uint256 value, bytes memory data, uint256 units, string memory name) private {
        send(who, value, data);
        uint256 used = vm.lastCallGas().gasTotalUsed;
        uint256 floor = 21_000;
        for (uint256 i = 0; i < data.length; ++i) {
            floor += data[i] == 0 ? 10 : 40;
        }
        if (used < floor) used = floor;
        vm.snapshotValue("game", name, used);
        assertLe(used, units, name);
        total += used;
    }

    function stepUnits(StepInput memory input) private pure returns (uint256) {
        uint256 hashes = input.leafSiblings.length + input.inputRoots.length + input.traceSiblings.length
            + input.segmentSiblings.length;
        uint256 payload = input.tile.length + input.nodeLeaf.length;
        for (uint256 i = 0; i < input.openings.length; ++i) {
            hashes += input.openings[i].siblings.length;
            payload += input.openings[i].tiles.length;
        }
        return GasUnits.step(input.openings.length, hashes, payload);
    }

    /// Spec: game, 4.4 and 4.6. Each move uses at most the units that it counts for, and a dispute of ResNet-20's size costs at most 1.2 million gas in four moves.
    /// forge-config: default.isolate = true
    function test_a_dispute_of_resnet_20_costs_at_most_1_200_000_gas_and_each_move_its_units() public {
        uint256 value = game.openValue(requestId);
        bytes memory data = abi.encodeCall(game.open, (requestId, claimKey));
        move(challenger, value, data, GasUnits.OPEN, "1 open");
        bytes32 gameId = game.gameIdOf(claimKey, 0);
        move(provider, 0, firstAnswerCall(gameId), GasUnits.firstAnswer(NODES, 0), "2 firstAnswer");
        value = game.nodeValue(gameId, H * W * C);
        move(challenger, value, nameNodeCall(gameId, NODE), GasUnits.nameNode(10, leaves[NODE].length), "3 nameNode");
        move(provider, 0, answerCall(gameId), GasUnits.answer(25), "4 answer");
        value = game.entryValue(gameId, uint64(ELEMENT / 512));
        move(challenger, value, nameEntryCall(gameId, ELEMENT / 512), GasUnits.nameEntry(4), "5 nameEntry");
        move(provider, 0, answerCall(gameId), GasUnits.answerTile(512), "6 answerTile");
        uint256 units = stepUnits(stepInput(gameId, ELEMENT)) + GasUnits.PER_PAYOUT;
        move(challenger, 0, stepCall(gameId, ELEMENT), units, "7 step");
        assertTrue(requests.requestOf(requestId).status == Status.Convicted, "convicted");
        vm.snapshotValue("game", "total", total);
        assertLe(total, MOST, "gas of the dispute");
    }
}

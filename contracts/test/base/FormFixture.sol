// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FormProof} from "../../src/interfaces/IRequests.sol";
import {GameFixture} from "./GameFixture.sol";
import {Opening} from "../../src/interfaces/ILeaf.sol";
import {Status} from "../../src/interfaces/IRequests.sol";
import {TreeBuilder} from "./TreeBuilder.sol";

/// @title A claim on a model with forbidden bytes in its tensors. Spec: game, 4.9.
abstract contract FormFixture is GameFixture {
    function openingsOf(uint256, uint256) internal pure override returns (Opening[] memory) {}

    function convictCall(uint256 node, uint8 slot, bytes memory data, uint32 tileIndex)
        internal
        view
        returns (bytes memory)
    {
        bytes32[] memory tiles = TreeBuilder.tiles(data);
        FormProof memory proof;
        proof.node = uint32(node);
        proof.slot = slot;
        proof.nodeLeaf = leaves[node];
        proof.leafSiblings = pathOf(leafHashes, 0, node, TreeBuilder.depth(leaves.length));
        proof.dimensions = new uint32[](0);
        proof.tileIndex = tileIndex;
        proof.tile = TreeBuilder.slice(data, 512 * uint256(tileIndex), 512);
        proof.siblings = pathOf(tiles, 0, tileIndex, TreeBuilder.depth(tiles.length));
        return abi.encodeCall(game.convictForm, (requestId, claimKey, proof));
    }

    function checkConvicted(bytes memory data) internal {
        send(other, 0, data);
        assertTrue(requests.requestOf(requestId).status == Status.Convicted, "convicted");
    }
}

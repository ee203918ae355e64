// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Claim} from "../interfaces/IRequests.sol";
import {Descent} from "../lib/Descent.sol";
import {GameState} from "./GameState.sol";
import {MultiProof} from "../lib/MultiProof.sol";
import {NodeLeaf} from "../lib/NodeLeaf.sol";
import {Stage} from "../interfaces/IDisputeGame.sol";
import {Tiles} from "../lib/Tiles.sol";

/// @title The way down: trace tree, node, tensor tree, tile.
/// @dev Spec: game, 4.3 to 4.6.
abstract contract GameDescent is GameState {
    /// Fixes for a claim what all its games need of model and request.
    function _share(Shared storage about, bytes32 requestId, bytes32 modelId) internal {
        (bytes32 nodeRoot, uint32 nodeCount, uint32 outputNode, uint64 clock, uint256 symbols) =
            models.descentOf(modelId);
        about.requestId = requestId;
        about.nodeRoot = nodeRoot;
        about.clock = type(uint32).max < clock ? type(uint32).max : uint32(clock);
        about.nodeCount = nodeCount;
        about.outputNode = outputNode;
        about.hasDimensions = symbols != 0;
    }

    /// The subtree of the trace tree that the challenger names in.
    function _traceCursor(State storage game, Shared storage about)
        internal
        view
        returns (uint256 level, uint256 position, bytes32 cursor)
    {
        if (game.stage == Stage.First) return (Tiles.depth(about.nodeCount), 0, about.traceRoot);
        return (game.level, game.position, game.cursor);
    }

    /// Level of the trace tree whose entries were shown below the cursor.
    function _traceBelow(Stage stage, uint256 nodeCount, uint256 level) internal pure returns (uint256) {
        uint256 first = Descent.firstLevel(Tiles.depth(nodeCount));
        return stage == Stage.First ? first : Descent.nextLevel(first, level);
    }

    /// Leaves of the tree that the cursor lies in, and the level that its opening shows.
    function _opening(State storage game, Shared storage about) internal view returns (uint256 leaves, uint256 below) {
        if (game.stage == Stage.First || game.stage == Stage.Trace) {
            leaves = about.nodeCount;
            below = _traceBelow(game.stage, leaves, game.level);
        } else if (game.stage == Stage.Tensor) {
            leaves = Tiles.tileCount(game.tensorBytes);
            below = Descent.nextLevel(Tiles.depth(leaves), game.level);
        }
    }

    /// Levels of the tree that answers of this stage open.
    function _height(State storage game, Shared storage about) internal view returns (uint256) {
        return game.stage == Stage.Tensor
            ? Tiles.depth(Tiles.tileCount(game.tensorBytes))
            : Descent.firstLevel(Tiles.depth(about.nodeCount));
    }

    function _nameInTensor(State storage game, uint256 index, bytes32 hash, bytes32[] calldata siblings)
        internal
        returns (uint256 below)
    {
        uint256 tiles = Tiles.tileCount(game.tensorBytes);
        below = Descent.nextLevel(Tiles.depth(tiles), game.level);
        _checkBelow(tiles, game.level, game.position, below, index);
        _expectHash(game.cursor, MultiProof.path(tiles, below, index, hash, game.level, siblings));
        if (below == 0) game.stage = Stage.Tile;
    }

    function _nameInTrace(
        State storage game,
        Shared storage about,
        uint256 index,
        bytes32 hash,
        bytes32[] calldata siblings
    ) internal returns (uint256 below) {
        if (game.stage != Stage.First && game.stage != Stage.Trace) {
            revert WrongStage(Stage.Tensor, game.stage);
        }
        (uint256 level, uint256 position, bytes32 cursor) = _traceCursor(game, about);
        below = _traceBelow(game.stage, about.nodeCount, level);
        if (below == 0) revert WrongLevel(1, 0);
        _checkBelow(about.nodeCount, level, position, below, index);
        _expectHash(cursor, MultiProof.path(about.nodeCount, below, index, hash, level, siblings));
        game.stage = Stage.Trace;
    }

    function _checkBelow(uint256 leaves, uint256 level, uint256 position, uint256 below, uint256 index) internal pure {
        (uint256 first, uint256 beyond) = Descent.span(leaves, level, position, below);
        if (index < first || beyond <= index) revert IndexOutside(first, beyond, index);
    }

    /// The trace root that the first answer's entries fold to, with input and output where they belong.
    function _checkFirst(
        bytes32 claimKey,
        Shared storage about,
        bytes32[] calldata entries,
        bytes32[] calldata siblings
    ) internal view returns (bytes32 traceRoot) {
        Claim memory claim = requests.claimOf(about.requestId);
        if (msg.sender != claim.claimant && msg.sender != answererOf[claimKey]) {
            revert NotAnswerer(claim.claimant, msg.sender);
        }
        uint256 nodeCount = about.nodeCount;
        uint256 depth = Tiles.depth(nodeCount);
        uint256 level = Descent.firstLevel(depth);
        uint256 present = Tiles.levelLength(nodeCount, level);
        if (entries.length != present) revert EntryCount(present, entries.length);
        traceRoot = Tiles.fold(entries, level, depth - level);
        uint256 outputNode = about.outputNode;
        if (level == 0) {
            if (siblings.length != 0) revert EntryCount(0, siblings.length);
            if (entries[0] != claim.inputRoot) revert InputRoot(claim.inputRoot, entries[0]);
            if (entries[outputNode] != claim.outputRoot) revert OutputRoot(claim.outputRoot, entries[outputNode]);
        } else {
            uint256[] memory indices = new uint256[](2);
            bytes32[] memory hashes = new bytes32[](2);
            indices[1] = outputNode;
            (hashes[0], hashes[1]) = (claim.inputRoot, claim.outputRoot);
            bytes32 proved = MultiProof.root(nodeCount, indices, hashes, siblings);
            if (proved != traceRoot) revert TraceRoot(traceRoot, proved);
        }
    }

    function _expectHash(bytes32 expected, bytes32 actual) internal pure {
        if (expected != actual) revert WrongHash(expected, actual);
    }

    function _checkNodeLeaf(Shared storage about, uint256 node, bytes calldata nodeLeaf, bytes32[] calldata siblings)
        internal
        view
    {
        uint256 nodeCount = about.nodeCount;
        bytes32 root = MultiProof.path(nodeCount, 0, node, NodeLeaf.hash(nodeLeaf), Tiles.depth(nodeCount), siblings);
        if (root != about.nodeRoot) revert NodeLeafRoot(about.nodeRoot, root);
    }

    function _checkDimensions(Shared storage about, uint32[] calldata dimensions) internal view {
        if (!about.hasDimensions && dimensions.length == 0) return;
        bytes32 expected = requests.dimensionsHashOf(about.requestId);
        bytes32 actual = dimensions.length == 0 ? bytes32(0) : keccak256(abi.encode(dimensions));
        if (actual != expected) revert DimensionsHash(expected, actual);
    }
}

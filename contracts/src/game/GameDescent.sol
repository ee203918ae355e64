// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Claim} from "../interfaces/IRequests.sol";
import {Descent} from "../lib/Descent.sol";
import {GameState} from "./GameState.sol";
import {MultiProof} from "../lib/MultiProof.sol";
import {NodeLeaf} from "../lib/NodeLeaf.sol";
import {NodeName} from "../interfaces/IDisputeGame.sol";
import {Stage} from "../interfaces/IDisputeGame.sol";
import {Tiles} from "../lib/Tiles.sol";

/// @title The way down: trace tree, segment, node, tensor tree, tile.
/// @dev Spec: game, 4.3 to 4.6.
abstract contract GameDescent is GameState {
    /// Fixes for a claim what all its games need of model and request.
    function _share(Shared storage about, bytes32 requestId, bytes32 modelId) internal {
        (
            bytes32 nodeRoot,
            uint32 nodeCount,
            uint32 committedCount,
            uint32 outputNumber,
            uint64 clock,
            uint256 symbols
        ) = models.descentOf(modelId);
        about.requestId = requestId;
        about.nodeRoot = nodeRoot;
        about.clock = type(uint32).max < clock ? type(uint32).max : uint32(clock);
        about.nodeCount = nodeCount;
        about.committedCount = committedCount;
        about.outputNumber = outputNumber;
        about.hasDimensions = symbols != 0;
    }

    /// The subtree of the trace tree that the challenger names in.
    function _traceCursor(State storage game, Shared storage about)
        internal
        view
        returns (uint256 level, uint256 position, bytes32 cursor)
    {
        if (game.stage == Stage.First) return (Tiles.depth(about.committedCount), 0, about.traceRoot);
        return (game.level, game.position, game.cursor);
    }

    /// Level of the trace tree whose entries were shown below the cursor.
    function _traceBelow(Stage stage, uint256 leaves, uint256 level) internal pure returns (uint256) {
        uint256 first = Descent.firstLevel(Tiles.depth(leaves));
        return stage == Stage.First ? first : Descent.nextLevel(first, level);
    }

    /// Leaves of the tree that the cursor lies in, and the level that its opening shows.
    function _opening(State storage game, Shared storage about) internal view returns (uint256 leaves, uint256 below) {
        if (game.stage == Stage.First || game.stage == Stage.Trace) {
            leaves = about.committedCount;
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
            : Descent.firstLevel(Tiles.depth(about.committedCount));
    }

    function _nameInTensor(State storage game, uint256 index, bytes32 hash, bytes32[] calldata siblings)
        internal
        returns (uint256 below)
    {
        uint256 tiles = Tiles.tileCount(game.tensorBytes);
        below = Descent.nextLevel(Tiles.depth(tiles), game.level);
        _prove(game.cursor, tiles, game.level, game.position, below, index, hash, siblings);
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
        below = _traceLevel(game, about);
        if (below == 0) revert WrongLevel(1, 0);
        _proveInTrace(game, about, below, index, hash, siblings);
        game.stage = Stage.Trace;
    }

    /// Level of the trace tree that is opened below the cursor.
    function _traceLevel(State storage game, Shared storage about) internal view returns (uint256) {
        return _traceBelow(game.stage, about.committedCount, game.level);
    }

    function _proveInTrace(
        State storage game,
        Shared storage about,
        uint256 below,
        uint256 index,
        bytes32 hash,
        bytes32[] calldata siblings
    ) internal view {
        (uint256 level, uint256 position, bytes32 cursor) = _traceCursor(game, about);
        _prove(cursor, about.committedCount, level, position, below, index, hash, siblings);
    }

    /// A committed node of the opened entries of the trace tree.
    function _nodeInTrace(State storage game, Shared storage about, NodeName calldata named) internal view {
        if (NodeLeaf.isInterior(named.nodeLeaf)) revert NodeInterior(named.node);
        uint256 number = NodeLeaf.segment(named.nodeLeaf);
        if (number == 0) revert InputNamed();
        _proveInTrace(game, about, 0, number, named.root, named.siblings);
    }

    /// A node of the opened segment: an interior one by its path, the committed one by the root that was
    /// proved when it was named.
    function _nodeInSegment(State storage game, NodeName calldata named) internal view {
        uint256 segment = NodeLeaf.segment(named.nodeLeaf);
        if (segment != game.position) revert OtherSegment(game.position, segment);
        if (NodeLeaf.isInterior(named.nodeLeaf)) {
            uint256 leaves = game.interior;
            uint256 place = NodeLeaf.offsetInSegment(named.nodeLeaf);
            bytes32 cursor = segmentRoots[game.claimKey][segment];
            _prove(cursor, leaves, Tiles.depth(leaves), 0, 0, place, named.root, named.siblings);
        } else {
            _expectCount(0, named.siblings.length);
            _expectHash(game.cursor, named.root);
        }
    }

    /// The entry `hash` at (`below`, `index`) is one of those that the opening of the cursor shows.
    function _prove(
        bytes32 cursor,
        uint256 leaves,
        uint256 level,
        uint256 position,
        uint256 below,
        uint256 index,
        bytes32 hash,
        bytes32[] calldata siblings
    ) internal pure {
        (uint256 first, uint256 beyond) = Descent.span(leaves, level, position, below);
        if (index < first || beyond <= index) revert IndexOutside(first, beyond, index);
        _expectHash(cursor, MultiProof.path(leaves, below, index, hash, level, siblings));
    }

    /// Some answers are the claimant's, or those of the address that it named.
    function _expectAnswerer(bytes32 claimKey, bytes32 requestId) internal view returns (Claim memory claim) {
        claim = _claimOf(requestId);
        if (msg.sender != claim.claimant && msg.sender != answererOf[claimKey]) {
            revert NotAnswerer(claim.claimant, msg.sender);
        }
    }

    /// The trace root that the first answer's entries fold to, with input and output where they belong.
    function _checkFirst(
        bytes32 claimKey,
        Shared storage about,
        bytes32[] calldata entries,
        bytes32[] calldata siblings
    ) internal view returns (bytes32 traceRoot) {
        Claim memory claim = _expectAnswerer(claimKey, about.requestId);
        uint256 leaves = about.committedCount;
        uint256 depth = Tiles.depth(leaves);
        uint256 level = Descent.firstLevel(depth);
        uint256 present = Tiles.levelLength(leaves, level);
        _expectCount(present, entries.length);
        traceRoot = Tiles.fold(entries, level, depth - level);
        uint256 output = about.outputNumber;
        if (level == 0) {
            _expectCount(0, siblings.length);
            if (entries[0] != claim.inputRoot) revert InputRoot(claim.inputRoot, entries[0]);
            if (entries[output] != claim.outputRoot) revert OutputRoot(claim.outputRoot, entries[output]);
        } else {
            uint256[] memory indices = new uint256[](2);
            bytes32[] memory hashes = new bytes32[](2);
            indices[1] = output;
            (hashes[0], hashes[1]) = (claim.inputRoot, claim.outputRoot);
            bytes32 proved = MultiProof.root(leaves, indices, hashes, siblings);
            if (proved != traceRoot) revert TraceRoot(traceRoot, proved);
        }
    }

    function _expectCount(uint256 expected, uint256 actual) internal pure {
        if (expected != actual) revert EntryCount(expected, actual);
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

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {AnswerKind} from "../interfaces/IDisputeGame.sol";
import {ClaimGames} from "../interfaces/IDisputeGame.sol";
import {Descent} from "../lib/Descent.sol";
import {GameMoney} from "./GameMoney.sol";
import {Game} from "../interfaces/IDisputeGame.sol";
import {GasUnits} from "../lib/GasUnits.sol";
import {IDisputeGame} from "../interfaces/IDisputeGame.sol";
import {Stage} from "../interfaces/IDisputeGame.sol";
import {Tiles} from "../lib/Tiles.sol";

/// @title What clients read: the state of a game now, and what the next move must carry.
/// @dev Spec: game, 4.1, 4.4 and 4.10.
abstract contract GameViews is GameMoney {
    bytes32 private constant TRACE_TYPE_HASH = keccak256("Trace(bytes32 claimKey,bytes32 traceRoot)");

    /// @inheritdoc IDisputeGame
    function gameOf(bytes32 gameId) external view returns (Game memory view_) {
        State storage game = states[gameId];
        if (game.challenger == address(0)) revert NoGame(gameId);
        Shared storage about = shared[game.claimKey];
        (uint256 claimantUsed, uint256 challengerUsed, uint256 openedAt) = _used(game, about);
        view_.requestId = about.requestId;
        view_.claimKey = game.claimKey;
        view_.challenger = game.challenger;
        view_.index = game.index;
        view_.stage = about.convicted ? Stage.Over : game.stage;
        view_.node = game.node;
        view_.level = game.level;
        view_.position = game.position;
        view_.cursor = game.cursor;
        if (game.stage == Stage.First) {
            view_.level = uint8(Tiles.depth(about.committedCount));
            view_.cursor = about.traceRoot;
        }
        (, uint256 below) = _opening(game, about);
        view_.openLevel = uint8(below);
        view_.tensorBytes = game.tensorBytes;
        view_.head = game.head;
        view_.movedAt = game.movedAt;
        view_.openedAt = uint64(openedAt);
        view_.claimantUsed = uint64(claimantUsed);
        view_.challengerUsed = uint64(challengerUsed);
        view_.clock = about.clock;
        view_.prepaid = game.prepaid;
        view_.spent = game.spent;
        view_.settled = game.settled;
    }

    /// @inheritdoc IDisputeGame
    function games(bytes32 claimKey) external view returns (ClaimGames memory) {
        Shared storage about = shared[claimKey];
        return ClaimGames({
            requestId: about.requestId,
            traceRoot: about.traceRoot,
            firstAnsweredAt: about.firstAnsweredAt,
            games: about.games,
            openGames: about.openGames,
            clock: about.clock,
            convicted: about.convicted
        });
    }

    /// @inheritdoc IDisputeGame
    function openGames(bytes32 claimKey) external view returns (uint256) {
        return shared[claimKey].openGames;
    }

    /// @inheritdoc IDisputeGame
    function clockOf(bytes32 modelId) external view returns (uint256) {
        return models.clock(modelId);
    }

    /// @inheritdoc IDisputeGame
    function openValue(bytes32 requestId) external view returns (uint256) {
        (bytes32 claimKey, bytes32 modelId,,) = requests.openingOf(requestId);
        Shared storage about = shared[claimKey];
        if (about.traceRoot != 0) return challengeBondWei;
        (,, uint32 committedCount,,,) = models.descentOf(modelId);
        return challengeBondWei + _firstUnits(committedCount) * GasUnits.prepayPrice();
    }

    /// @inheritdoc IDisputeGame
    function nodeValue(bytes32 gameId, uint256 tensorBytes) external view returns (uint256) {
        uint256 tiles = Tiles.tileCount(tensorBytes);
        uint256 depth = Tiles.depth(tiles);
        uint256 units = tiles == 1
            ? GasUnits.answerTile(tensorBytes)
            : GasUnits.answer(Tiles.levelLength(tiles, Descent.nextLevel(depth, depth)));
        return _missing(gameId, units);
    }

    /// @inheritdoc IDisputeGame
    function segmentValue(bytes32 gameId, uint256 interior) external view returns (uint256) {
        return _missing(gameId, GasUnits.answerSegment(interior));
    }

    /// @inheritdoc IDisputeGame
    function segmentRootOf(bytes32 claimKey, uint256 segment) external view returns (bytes32) {
        return segmentRoots[claimKey][segment];
    }

    /// @inheritdoc IDisputeGame
    function entryValue(bytes32 gameId, uint64 index) external view returns (uint256) {
        State storage game = states[gameId];
        Shared storage about = shared[game.claimKey];
        (uint256 leaves, uint256 level) = _opening(game, about);
        uint256 units;
        if (game.stage == Stage.Tensor && level == 0) {
            units = GasUnits.answerTile(Tiles.tileLength(game.tensorBytes, index));
        } else {
            (uint256 first, uint256 beyond) =
                Descent.span(leaves, level, index, Descent.nextLevel(_height(game, about), level));
            units = GasUnits.answer(beyond - first);
        }
        return _missing(gameId, units);
    }

    /// @inheritdoc IDisputeGame
    function prepayFor(AnswerKind kind, uint256 count) external view returns (uint256) {
        uint256 each = kind == AnswerKind.Tile ? GasUnits.PER_BYTE : GasUnits.PER_HASH;
        uint256 base = GasUnits.ANSWER;
        if (kind == AnswerKind.First) base = GasUnits.FIRST_ANSWER;
        if (kind == AnswerKind.Segment) base = GasUnits.ANSWER_SEGMENT;
        return (base + each * count) * GasUnits.prepayPrice();
    }

    /// @inheritdoc IDisputeGame
    function traceDigest(bytes32 claimKey, bytes32 traceRoot) public view returns (bytes32) {
        bytes32 message = keccak256(abi.encode(TRACE_TYPE_HASH, claimKey, traceRoot));
        return keccak256(abi.encodePacked(hex"1901", requests.domainSeparator(), message));
    }

    /// Wei that a game holds too little for an answer of `units`.
    function _missing(bytes32 gameId, uint256 units) internal view returns (uint256) {
        (uint256 held, uint256 needed) = (states[gameId].prepaid, units * GasUnits.prepayPrice());
        return held < needed ? needed - held : 0;
    }
}

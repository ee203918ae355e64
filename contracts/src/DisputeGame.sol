// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Burn} from "./lib/Burn.sol";
import {Claim} from "./interfaces/IRequests.sol";
import {Descent} from "./lib/Descent.sol";
import {FormProof} from "./interfaces/IRequests.sol";
import {GameStep} from "./game/GameStep.sol";
import {GameViews} from "./game/GameViews.sol";
import {GasUnits} from "./lib/GasUnits.sol";
import {IDisputeGame} from "./interfaces/IDisputeGame.sol";
import {NodeLeaf} from "./lib/NodeLeaf.sol";
import {NodeName} from "./interfaces/IDisputeGame.sol";
import {Side} from "./interfaces/IDisputeGame.sol";
import {Stage} from "./interfaces/IDisputeGame.sol";
import {Status} from "./interfaces/IRequests.sol";
import {StepInput} from "./interfaces/IDisputeGame.sol";
import {TILE_BYTES} from "./generated/ProtocolConstants.sol";
import {Tiles} from "./lib/Tiles.sol";

/// @title Crowds of games about claims: descent, clocks, verdict, payouts.
/// @dev Spec: game, 4.1 to 4.13. Trace root and openings belong to the claim; clocks, bond and
/// prepayment to the game.
/// Invariant: the balance is at least the bonds and prepayments of all games that are not settled
/// (test/invariant/Conservation.t.sol).
/// Invariant: a game that nobody touches ends by `timeout` after at most both clocks
/// (test/invariant/Conservation.t.sol, every_escrow_ends_by_time_alone).
/// Invariant: no function loops over more than GAMES_REPAID games (test/games/Payouts.t.sol,
/// a_conviction_costs_the_same_behind_a_crowd).
contract DisputeGame is GameStep, GameViews {
    /// Half the order of secp256k1: a larger s has a twin that signs the same.
    uint256 private constant LARGEST_S = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    // ---- Challenger's moves.

    /// @inheritdoc IDisputeGame
    function open(bytes32 requestId, bytes32 claimKey) external payable returns (bytes32 gameId) {
        (bytes32 key, bytes32 modelId, uint256 closesAt, Status status) = requests.openingOf(requestId);
        if (key != claimKey) revert WrongClaim(key, claimKey);
        Shared storage about = shared[claimKey];
        if (about.convicted) revert AlreadyConvicted(claimKey);
        if (status != Status.Claimed) revert NotClaimed(requestId);
        if (closesAt < block.timestamp) revert WindowOver(closesAt, block.timestamp);
        uint256 index = about.games;
        if (index == 0) _share(about, requestId, modelId);
        uint256 needed = challengeBondWei + _firstPrepayment(about);
        if (msg.value < needed) revert ValueTooLow(needed, msg.value);

        gameId = gameIdOf(claimKey, index);
        bytes32 head = keccak256(abi.encode(claimKey, msg.sender, index));
        about.games = uint32(index + 1);
        about.openGames += 1;
        State storage game = states[gameId];
        game.challenger = msg.sender;
        game.index = uint32(index);
        game.movedAt = uint40(block.timestamp);
        game.stage = Stage.First;
        game.prepaid = _amount(msg.value - challengeBondWei);
        game.spent = _amount(GasUnits.OPEN * GasUnits.price());
        game.claimKey = claimKey;
        game.head = head;

        emit GameOpened(gameId, claimKey, msg.sender, requestId, index, head);
    }

    /// @inheritdoc IDisputeGame
    function nameNode(bytes32 gameId, bytes32 claimKey, bytes32 previous, NodeName calldata named) external payable {
        (State storage game, Shared storage about) = _challengerMoves(gameId, claimKey, previous);
        bool inSegment = game.stage == Stage.Segment;
        if (!inSegment) {
            if (game.stage != Stage.First && game.stage != Stage.Trace) revert WrongStage(Stage.Trace, game.stage);
            uint256 below = _traceLevel(game, about);
            if (below != 0) revert WrongLevel(0, below);
        }
        _checkNodeLeaf(about, named.node, named.nodeLeaf, named.leafSiblings);
        _checkDimensions(about, named.dimensions);
        if (inSegment) _nodeInSegment(game, named);
        else _nodeInTrace(game, about, named);

        uint256 interior = inSegment ? 0 : NodeLeaf.offsetInSegment(named.nodeLeaf);
        game.node = named.node;
        game.cursor = named.root;
        if (interior != 0) {
            game.stage = Stage.Segment;
            game.level = 0;
            game.position = NodeLeaf.segment(named.nodeLeaf);
            game.interior = uint16(interior);
        } else {
            uint256 tensorBytes = models.leafBytes(named.nodeLeaf, named.dimensions);
            uint256 tiles = Tiles.tileCount(tensorBytes);
            game.stage = tiles == 1 ? Stage.Tile : Stage.Tensor;
            game.level = uint8(Tiles.depth(tiles));
            game.position = 0;
            game.tensorBytes = uint40(tensorBytes);
        }
        bytes32 head =
            _moved(game, GasUnits.nameNode(named.siblings.length + named.leafSiblings.length, named.nodeLeaf.length));
        _prepay(game);

        if (interior == 0) emit NodeNamed(gameId, claimKey, named.node, named.root, head);
        else emit SegmentNamed(gameId, claimKey, named.node, game.position, named.root, head);
    }

    /// @inheritdoc IDisputeGame
    function nameEntry(
        bytes32 gameId,
        bytes32 claimKey,
        bytes32 previous,
        uint64 index,
        bytes32 hash,
        bytes32[] calldata siblings
    ) external payable {
        (State storage game, Shared storage about) = _challengerMoves(gameId, claimKey, previous);
        uint256 below = game.stage == Stage.Tensor
            ? _nameInTensor(game, index, hash, siblings)
            : _nameInTrace(game, about, index, hash, siblings);

        game.level = uint8(below);
        game.position = uint32(index);
        game.cursor = hash;
        bytes32 head = _moved(game, GasUnits.nameEntry(siblings.length));
        _prepay(game);

        emit EntryNamed(gameId, claimKey, game.node, below, index, hash, head);
    }

    /// @inheritdoc IDisputeGame
    function step(bytes32 gameId, bytes32 claimKey, bytes32 previous, StepInput calldata input) external {
        (State storage game, Shared storage about) = _challengerMoves(gameId, claimKey, previous);
        _expectStage(game, Stage.Tile);
        uint256 node = game.node;
        _checkNodeLeaf(about, node, input.nodeLeaf, input.leafSiblings);
        _checkDimensions(about, input.dimensions);
        _expectHash(game.cursor, Tiles.tileHash(input.tile));
        uint256 width = NodeLeaf.elementBytes(input.nodeLeaf);
        if (input.tile.length / width <= input.element) {
            revert ElementOutsideTile(input.tile.length / width, input.element);
        }
        uint256 element = uint256(game.position) * (TILE_BYTES / width) + input.element;
        int256 actual = _valueAt(input.tile, input.element, width);
        int256 expected = _evaluate(game, about, input, element);
        if (expected == actual) revert ValueAgrees(node, element, actual);

        emit Convicted(gameId, claimKey, msg.sender, node, element, expected, actual);
        _convict(claimKey, about.requestId, gameId, msg.sender, _stepUnits(input));
    }

    // ---- Answers.

    /// @inheritdoc IDisputeGame
    function firstAnswer(
        bytes32 gameId,
        bytes32 claimKey,
        bytes32 previous,
        bytes32[] calldata entries,
        bytes32[] calldata siblings
    ) external {
        (State storage game, Shared storage about) = _answers(gameId, claimKey, previous);
        _expectStage(game, Stage.First);
        bytes32 traceRoot = _checkFirst(claimKey, about, entries, siblings);

        about.traceRoot = traceRoot;
        about.firstAnsweredAt = uint40(block.timestamp);
        uint256 paid = _pay(game, GasUnits.firstAnswer(entries.length, siblings.length));
        bytes32 head = _advance(game);
        emit FirstAnswered(gameId, claimKey, msg.sender, traceRoot, entries, paid, head);

        _credit(msg.sender, paid);
    }

    /// @inheritdoc IDisputeGame
    function answer(bytes32 gameId, bytes32 claimKey, bytes32 previous, bytes32[] calldata entries) external {
        (State storage game, Shared storage about) = _answers(gameId, claimKey, previous);
        if (game.stage != Stage.Trace && game.stage != Stage.Tensor) revert WrongStage(Stage.Tensor, game.stage);
        (uint256 leaves, uint256 below) = _opening(game, about);
        (uint256 first, uint256 beyond) = Descent.span(leaves, game.level, game.position, below);
        _expectCount(beyond - first, entries.length);
        _expectHash(game.cursor, Tiles.fold(entries, below, game.level - below));

        (uint256 paid, bytes32 head) = _opened(game, claimKey, GasUnits.answer(entries.length));
        emit Answered(gameId, claimKey, msg.sender, below, entries, paid, head);

        _credit(msg.sender, paid);
    }

    /// @inheritdoc IDisputeGame
    function answerSegment(bytes32 gameId, bytes32 claimKey, bytes32 previous, bytes32[] calldata entries) external {
        (State storage game, Shared storage about) = _answers(gameId, claimKey, previous);
        _expectStage(game, Stage.Segment);
        _expectAnswerer(claimKey, about.requestId);
        _expectCount(game.interior, entries.length);
        uint256 segment = game.position;

        segmentRoots[claimKey][segment] = Tiles.root(entries);
        (uint256 paid, bytes32 head) = _opened(game, claimKey, GasUnits.answerSegment(entries.length));
        emit SegmentAnswered(gameId, claimKey, msg.sender, segment, entries, paid, head);

        _credit(msg.sender, paid);
    }

    /// @inheritdoc IDisputeGame
    function answerTile(bytes32 gameId, bytes32 claimKey, bytes32 previous, bytes calldata tile) external {
        (State storage game,) = _answers(gameId, claimKey, previous);
        _expectStage(game, Stage.Tile);
        uint256 length = Tiles.tileLength(game.tensorBytes, game.position);
        if (tile.length != length) revert TileLength(length, tile.length);
        _expectHash(game.cursor, Tiles.tileHash(tile));

        (uint256 paid, bytes32 head) = _opened(game, claimKey, GasUnits.answerTile(length));
        emit TileAnswered(gameId, claimKey, msg.sender, tile, paid, head);

        _credit(msg.sender, paid);
    }

    /// @inheritdoc IDisputeGame
    function setAnswerer(bytes32 requestId, bytes32 claimKey, address answerer) external {
        Claim memory claim = _claimOf(requestId);
        if (claim.claimKey != claimKey) revert WrongClaim(claim.claimKey, claimKey);
        if (claim.claimant != msg.sender) revert NotClaimant(claim.claimant, msg.sender);

        answererOf[claimKey] = answerer;

        emit AnswererSet(claimKey, answerer);
    }

    // ---- Ends.

    /// @inheritdoc IDisputeGame
    function timeout(bytes32 gameId) external {
        (State storage game, Shared storage about) = _running(gameId);
        bytes32 claimKey = game.claimKey;
        (uint256 claimantUsed, uint256 challengerUsed, uint256 openedAt) = _used(game, about);
        uint256 clock = about.clock;
        if (clock < claimantUsed) {
            emit ConvictedByTime(gameId, claimKey, game.challenger, claimantUsed, clock);
            return _convict(claimKey, about.requestId, gameId, msg.sender, GasUnits.TIMEOUT);
        }
        if (openedAt == 0) revert ClockRuns(Side.Claimant, claimantUsed, clock);
        if (challengerUsed <= clock) revert ClockRuns(Side.Challenger, challengerUsed, clock);

        game.stage = Stage.Over;
        about.openGames -= 1;
        (address challenger, uint256 prepaid) = _settled(game);
        emit GameLost(gameId, claimKey, challenger, challengerUsed, clock);
        emit GameSettled(gameId, challenger, 0, prepaid);

        uint256 half = challengeBondWei / 2;
        if (prepaid != 0) _credit(challenger, prepaid);
        _credit(_claimOf(about.requestId).claimant, half);
        Burn.send(challengeBondWei - half);
    }

    /// @inheritdoc IDisputeGame
    function settle(bytes32 gameId) external {
        State storage game = states[gameId];
        if (game.challenger == address(0)) revert NoGame(gameId);
        if (game.settled) revert AlreadySettled(gameId);
        if (!shared[game.claimKey].convicted) revert NotSettled(gameId);

        (address challenger, uint256 prepaid) = _settled(game);
        emit GameSettled(gameId, challenger, challengeBondWei, prepaid);

        _credit(challenger, challengeBondWei + prepaid);
    }

    /// @inheritdoc IDisputeGame
    function convictForm(bytes32 requestId, bytes32 claimKey, FormProof calldata proof) external {
        _convictable(requestId, claimKey);
        requests.checkForm(requestId, proof);

        emit ConvictedByForm(claimKey, msg.sender, proof.node, proof.slot, proof.tileIndex);
        uint256 hashes = proof.siblings.length + proof.leafSiblings.length;
        uint256 units = GasUnits.convictForm(hashes, proof.tile.length + proof.nodeLeaf.length);
        _convict(claimKey, requestId, 0, msg.sender, units);
    }

    /// @inheritdoc IDisputeGame
    function convictTwoRoots(bytes32 requestId, bytes32 claimKey, bytes32 traceRoot, bytes calldata signature)
        external
    {
        (Claim memory claim, Shared storage about) = _convictable(requestId, claimKey);
        bytes32 stored = about.traceRoot;
        if (stored == 0) revert NoTraceRoot(claimKey);
        if (stored == traceRoot) revert SameRoot(traceRoot);
        address signer = _signer(traceDigest(claimKey, traceRoot), signature);
        if (signer != claim.claimant) revert WrongSigner(claim.claimant, signer);

        emit ConvictedByTwoRoots(claimKey, msg.sender, stored, traceRoot);
        _convict(claimKey, requestId, 0, msg.sender, GasUnits.CONVICT_TWO_ROOTS);
    }

    function _signer(bytes32 digest, bytes calldata signature) private pure returns (address signer) {
        if (signature.length != 65) revert SignatureForm();
        bytes32 r = bytes32(signature[0:32]);
        bytes32 s = bytes32(signature[32:64]);
        uint8 v = uint8(signature[64]);
        if (LARGEST_S < uint256(s) || (v != 27 && v != 28)) revert SignatureForm();
        signer = ecrecover(digest, v, r, s);
        if (signer == address(0)) revert SignatureForm();
    }
}

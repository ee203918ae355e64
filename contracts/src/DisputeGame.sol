// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {AnswerKind} from "./interfaces/IDisputeGame.sol";
import {Burn} from "./lib/Burn.sol";
import {CHILD_MODEL_REGISTRY} from "./interfaces/IRulesSet.sol";
import {CHILD_REQUESTS} from "./interfaces/IRulesSet.sol";
import {Chain} from "./interfaces/IRulesSet.sol";
import {Claim} from "./interfaces/IRequests.sol";
import {ClaimGames} from "./interfaces/IDisputeGame.sol";
import {Descent} from "./lib/Descent.sol";
import {FormProof} from "./interfaces/IRequests.sol";
import {GAMES_REPAID} from "./generated/ProtocolConstants.sol";
import {Game} from "./interfaces/IDisputeGame.sol";
import {GasUnits} from "./lib/GasUnits.sol";
import {IDisputeGame} from "./interfaces/IDisputeGame.sol";
import {ILeaf} from "./interfaces/ILeaf.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {IRequests} from "./interfaces/IRequests.sol";
import {IRulesSet} from "./interfaces/IRulesSet.sol";
import {MultiProof} from "./lib/MultiProof.sol";
import {NodeLeaf} from "./lib/NodeLeaf.sol";
import {NodeName} from "./interfaces/IDisputeGame.sol";
import {Parameters} from "./lib/Parameters.sol";
import {Payout} from "./interfaces/IRequests.sol";
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
/// Invariant: no function loops over more than GAMES_REPAID games (test/DisputeGame.t.sol,
/// a_conviction_costs_the_same_behind_a_crowd).
contract DisputeGame is IDisputeGame {
    /// What the games of one claim share.
    struct Shared {
        bytes32 requestId;
        bytes32 nodeRoot;
        bytes32 traceRoot;
        uint32 games;
        uint32 openGames;
        uint32 clock;
        uint32 nodeCount;
        uint32 outputNode;
        uint40 firstAnsweredAt;
        bool hasDimensions;
        bool convicted;
    }

    /// One game. The cursor is entry (level, position) of the trace tree (node 0) or of the tensor
    /// tree of `node`.
    struct State {
        address challenger;
        uint32 index;
        uint32 claimantUsed;
        uint32 challengerUsed;
        uint40 movedAt;
        Stage stage;
        uint8 level;
        uint32 node;
        uint32 position;
        uint40 tensorBytes;
        bool settled;
        uint128 prepaid;
        uint128 spent;
        bytes32 claimKey;
        bytes32 head;
        bytes32 cursor;
    }

    bytes32 private constant TRACE_TYPE_HASH = keccak256("Trace(bytes32 claimKey,bytes32 traceRoot)");
    /// Half the order of secp256k1: a larger s has a twin that signs the same.
    uint256 private constant LARGEST_S = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    IRulesSet private immutable rules;
    IModelRegistry private immutable models;
    IRequests private immutable requests;
    uint256 private immutable bountyWei;
    uint256 private immutable challengeBondWei;

    /// @inheritdoc IDisputeGame
    mapping(bytes32 claimKey => address) public answererOf;

    mapping(bytes32 claimKey => Shared) private shared;
    mapping(bytes32 gameId => State) private states;
    /// When a cursor of a claim was opened, by its packed position.
    mapping(bytes32 claimKey => mapping(uint256 cursor => uint256 timestamp)) private openings;

    constructor() {
        rules = IRulesSet(msg.sender);
        Chain memory chain = rules.chain();
        models = IModelRegistry(rules.child(CHILD_MODEL_REGISTRY));
        requests = IRequests(rules.child(CHILD_REQUESTS));
        bountyWei = chain.bountyWei;
        challengeBondWei = chain.challengeBondWei;
    }

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
        if (game.stage != Stage.First && game.stage != Stage.Trace) revert WrongStage(Stage.Trace, game.stage);
        (uint256 level, uint256 position, bytes32 cursor) = _traceCursor(game, about);
        uint256 below = _traceBelow(game.stage, about.nodeCount, level);
        if (below != 0) revert WrongLevel(0, below);
        if (named.node == 0) revert InputNamed();
        _checkBelow(about.nodeCount, level, position, 0, named.node);
        _expectHash(
            cursor, MultiProof.path(about.nodeCount, 0, named.node, named.root, level, named.siblings)
        );
        _checkNodeLeaf(about, named.node, named.nodeLeaf, named.leafSiblings);
        _checkDimensions(about, named.dimensions);
        uint256 tensorBytes = models.leafBytes(named.nodeLeaf, named.dimensions);

        uint256 tiles = Tiles.tileCount(tensorBytes);
        game.stage = tiles == 1 ? Stage.Tile : Stage.Tensor;
        game.level = uint8(Tiles.depth(tiles));
        game.node = named.node;
        game.position = 0;
        game.tensorBytes = uint40(tensorBytes);
        game.cursor = named.root;
        bytes32 head = _moved(
            game, GasUnits.nameNode(named.siblings.length + named.leafSiblings.length, named.nodeLeaf.length)
        );
        _prepay(game);

        emit NodeNamed(gameId, claimKey, named.node, named.root, head);
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
        if (game.stage != Stage.Tile) revert WrongStage(Stage.Tile, game.stage);
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
        int256 expected = _evaluate(about, input, element);
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
        if (game.stage != Stage.First) revert WrongStage(Stage.First, game.stage);
        bytes32 traceRoot = _checkFirst(claimKey, about, entries, siblings);

        about.traceRoot = traceRoot;
        about.firstAnsweredAt = uint40(block.timestamp);
        uint256 paid = _pay(game, GasUnits.firstAnswer(entries.length, siblings.length));
        bytes32 head = _advance(game);
        emit FirstAnswered(gameId, claimKey, msg.sender, traceRoot, entries, paid, head);

        requests.creditTo{value: paid}(msg.sender);
    }

    /// @inheritdoc IDisputeGame
    function answer(bytes32 gameId, bytes32 claimKey, bytes32 previous, bytes32[] calldata entries) external {
        (State storage game, Shared storage about) = _answers(gameId, claimKey, previous);
        if (game.stage != Stage.Trace && game.stage != Stage.Tensor) revert WrongStage(Stage.Tensor, game.stage);
        (uint256 leaves, uint256 below) = _opening(game, about);
        (uint256 first, uint256 beyond) = Descent.span(leaves, game.level, game.position, below);
        if (entries.length != beyond - first) revert EntryCount(beyond - first, entries.length);
        _expectHash(game.cursor, Tiles.fold(entries, below, game.level - below));

        openings[claimKey][_cursorKey(game)] = block.timestamp;
        uint256 paid = _pay(game, GasUnits.answer(entries.length));
        bytes32 head = _advance(game);
        emit Answered(gameId, claimKey, msg.sender, below, entries, paid, head);

        requests.creditTo{value: paid}(msg.sender);
    }

    /// @inheritdoc IDisputeGame
    function answerTile(bytes32 gameId, bytes32 claimKey, bytes32 previous, bytes calldata tile) external {
        (State storage game,) = _answers(gameId, claimKey, previous);
        if (game.stage != Stage.Tile) revert WrongStage(Stage.Tile, game.stage);
        uint256 length = Tiles.tileLength(game.tensorBytes, game.position);
        if (tile.length != length) revert TileLength(length, tile.length);
        _expectHash(game.cursor, Tiles.tileHash(tile));

        openings[claimKey][_cursorKey(game)] = block.timestamp;
        uint256 paid = _pay(game, GasUnits.answerTile(length));
        bytes32 head = _advance(game);
        emit TileAnswered(gameId, claimKey, msg.sender, tile, paid, head);

        requests.creditTo{value: paid}(msg.sender);
    }

    /// @inheritdoc IDisputeGame
    function setAnswerer(bytes32 requestId, bytes32 claimKey, address answerer) external {
        Claim memory claim = requests.claimOf(requestId);
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

        (address challenger, uint256 prepaid) = (game.challenger, game.prepaid);
        game.stage = Stage.Over;
        game.settled = true;
        game.prepaid = 0;
        about.openGames -= 1;
        emit GameLost(gameId, claimKey, challenger, challengerUsed, clock);
        emit GameSettled(gameId, challenger, 0, prepaid);

        uint256 half = challengeBondWei / 2;
        if (prepaid != 0) requests.creditTo{value: prepaid}(challenger);
        requests.creditTo{value: half}(requests.claimOf(about.requestId).claimant);
        Burn.send(challengeBondWei - half);
    }

    /// @inheritdoc IDisputeGame
    function settle(bytes32 gameId) external {
        State storage game = states[gameId];
        if (game.challenger == address(0)) revert NoGame(gameId);
        if (game.settled) revert AlreadySettled(gameId);
        if (!shared[game.claimKey].convicted) revert NotSettled(gameId);

        (address challenger, uint256 prepaid) = (game.challenger, game.prepaid);
        game.settled = true;
        game.prepaid = 0;
        emit GameSettled(gameId, challenger, challengeBondWei, prepaid);

        requests.creditTo{value: challengeBondWei + prepaid}(challenger);
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

    // ---- Views.

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
            view_.level = uint8(Tiles.depth(about.nodeCount));
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
        (, uint32 nodeCount,,,) = models.descentOf(modelId);
        return challengeBondWei + _firstUnits(nodeCount) * GasUnits.prepayPrice();
    }

    /// @inheritdoc IDisputeGame
    function nodeValue(bytes32 gameId, uint256 tensorBytes) external view returns (uint256) {
        uint256 tiles = Tiles.tileCount(tensorBytes);
        uint256 depth = Tiles.depth(tiles);
        uint256 units = tiles == 1
            ? GasUnits.answerTile(tensorBytes)
            : GasUnits.answer(Tiles.levelLength(tiles, Descent.nextLevel(depth, depth)));
        return _missing(states[gameId].prepaid, units * GasUnits.prepayPrice());
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
        return _missing(game.prepaid, units * GasUnits.prepayPrice());
    }

    /// @inheritdoc IDisputeGame
    function prepayFor(AnswerKind kind, uint256 count) external view returns (uint256) {
        if (kind == AnswerKind.First) return GasUnits.firstAnswer(count, 0) * GasUnits.prepayPrice();
        if (kind == AnswerKind.Entries) return GasUnits.answer(count) * GasUnits.prepayPrice();
        return GasUnits.answerTile(count) * GasUnits.prepayPrice();
    }

    /// @inheritdoc IDisputeGame
    function traceDigest(bytes32 claimKey, bytes32 traceRoot) public view returns (bytes32) {
        bytes32 message = keccak256(abi.encode(TRACE_TYPE_HASH, claimKey, traceRoot));
        return keccak256(abi.encodePacked(hex"1901", requests.domainSeparator(), message));
    }

    /// @inheritdoc IDisputeGame
    function gameIdOf(bytes32 claimKey, uint256 index) public pure returns (bytes32) {
        return keccak256(abi.encode(claimKey, index));
    }

    // ---- Who moves, and when.

    /// A game that can still be moved in.
    function _running(bytes32 gameId) private view returns (State storage game, Shared storage about) {
        game = states[gameId];
        if (game.challenger == address(0)) revert NoGame(gameId);
        about = shared[game.claimKey];
        if (about.convicted) revert AlreadyConvicted(game.claimKey);
        if (game.stage == Stage.Over) revert GameOver(gameId);
    }

    function _expectMove(State storage game, bytes32 claimKey, bytes32 previous) private view {
        if (game.claimKey != claimKey) revert WrongClaim(game.claimKey, claimKey);
        if (game.head != previous) revert StaleMove(game.head, previous);
    }

    /// Checks that it is the challenger's turn, in time, and stops its clock.
    function _challengerMoves(bytes32 gameId, bytes32 claimKey, bytes32 previous)
        private
        returns (State storage game, Shared storage about)
    {
        (game, about) = _running(gameId);
        _expectMove(game, claimKey, previous);
        if (game.challenger != msg.sender) revert NotChallenger(game.challenger, msg.sender);
        (uint256 claimantUsed, uint256 challengerUsed, uint256 openedAt) = _used(game, about);
        uint256 clock = about.clock;
        if (clock < claimantUsed) revert ClockOver(Side.Claimant, claimantUsed, clock);
        if (openedAt == 0) revert NotOpened(gameId);
        if (clock < challengerUsed) revert ClockOver(Side.Challenger, challengerUsed, clock);

        game.claimantUsed = uint32(claimantUsed);
        game.challengerUsed = uint32(challengerUsed);
        game.movedAt = uint40(block.timestamp);
    }

    /// Checks that the cursor waits for an answer, in time.
    function _answers(bytes32 gameId, bytes32 claimKey, bytes32 previous)
        private
        view
        returns (State storage game, Shared storage about)
    {
        (game, about) = _running(gameId);
        _expectMove(game, claimKey, previous);
        (uint256 claimantUsed,, uint256 openedAt) = _used(game, about);
        if (openedAt != 0) revert AlreadyOpened(gameId);
        if (about.clock < claimantUsed) revert ClockOver(Side.Claimant, claimantUsed, about.clock);
    }

    /// Seconds that each side has used up to now, and when the cursor was opened (0: not yet).
    function _used(State storage game, Shared storage about)
        private
        view
        returns (uint256 claimant, uint256 challenger, uint256 openedAt)
    {
        claimant = game.claimantUsed;
        challenger = game.challengerUsed;
        openedAt = game.stage == Stage.First ? about.firstAnsweredAt : openings[game.claimKey][_cursorKey(game)];
        uint256 movedAt = game.movedAt;
        if (openedAt == 0) {
            claimant += block.timestamp - movedAt;
        } else {
            uint256 from = openedAt < movedAt ? movedAt : openedAt;
            claimant += from - movedAt;
            challenger += block.timestamp - from;
        }
    }

    /// Position of the cursor among all of the claim.
    function _cursorKey(State storage game) private view returns (uint256) {
        return (uint256(game.node) << 64) | (uint256(game.level) << 32) | game.position;
    }

    /// Charges the challenger's own move, and links it to the chain of moves.
    function _moved(State storage game, uint256 units) private returns (bytes32) {
        game.spent = _amount(game.spent + units * GasUnits.price());
        return _advance(game);
    }

    /// head = keccak256(abi.encode(previous, selector, keccak256(arguments))).
    function _advance(State storage game) private returns (bytes32 head) {
        head = keccak256(abi.encode(game.head, msg.sig, keccak256(msg.data[4:])));
        game.head = head;
    }

    // ---- Descent.

    /// Fixes for a claim what all its games need of model and request.
    function _share(Shared storage about, bytes32 requestId, bytes32 modelId) private {
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
        private
        view
        returns (uint256 level, uint256 position, bytes32 cursor)
    {
        if (game.stage == Stage.First) return (Tiles.depth(about.nodeCount), 0, about.traceRoot);
        return (game.level, game.position, game.cursor);
    }

    /// Level of the trace tree whose entries were shown below the cursor.
    function _traceBelow(Stage stage, uint256 nodeCount, uint256 level) private pure returns (uint256) {
        uint256 first = Descent.firstLevel(Tiles.depth(nodeCount));
        return stage == Stage.First ? first : Descent.nextLevel(first, level);
    }

    /// Leaves of the tree that the cursor lies in, and the level that its opening shows.
    function _opening(State storage game, Shared storage about) private view returns (uint256 leaves, uint256 below) {
        if (game.stage == Stage.First || game.stage == Stage.Trace) {
            leaves = about.nodeCount;
            below = _traceBelow(game.stage, leaves, game.level);
        } else if (game.stage == Stage.Tensor) {
            leaves = Tiles.tileCount(game.tensorBytes);
            below = Descent.nextLevel(Tiles.depth(leaves), game.level);
        }
    }

    /// Levels of the tree that answers of this stage open.
    function _height(State storage game, Shared storage about) private view returns (uint256) {
        return game.stage == Stage.Tensor
            ? Tiles.depth(Tiles.tileCount(game.tensorBytes))
            : Descent.firstLevel(Tiles.depth(about.nodeCount));
    }

    function _nameInTensor(State storage game, uint256 index, bytes32 hash, bytes32[] calldata siblings)
        private
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
    ) private returns (uint256 below) {
        if (game.stage != Stage.First && game.stage != Stage.Trace) revert WrongStage(Stage.Tensor, game.stage);
        (uint256 level, uint256 position, bytes32 cursor) = _traceCursor(game, about);
        below = _traceBelow(game.stage, about.nodeCount, level);
        if (below == 0) revert WrongLevel(1, 0);
        _checkBelow(about.nodeCount, level, position, below, index);
        _expectHash(cursor, MultiProof.path(about.nodeCount, below, index, hash, level, siblings));
        game.stage = Stage.Trace;
    }

    function _checkBelow(uint256 leaves, uint256 level, uint256 position, uint256 below, uint256 index) private pure {
        (uint256 first, uint256 beyond) = Descent.span(leaves, level, position, below);
        if (index < first || beyond <= index) revert IndexOutside(first, beyond, index);
    }

    /// The trace root that the first answer's entries fold to, with input and output where they belong.
    function _checkFirst(
        bytes32 claimKey,
        Shared storage about,
        bytes32[] calldata entries,
        bytes32[] calldata siblings
    ) private view returns (bytes32 traceRoot) {
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

    function _expectHash(bytes32 expected, bytes32 actual) private pure {
        if (expected != actual) revert WrongHash(expected, actual);
    }

    function _checkNodeLeaf(
        Shared storage about,
        uint256 node,
        bytes calldata nodeLeaf,
        bytes32[] calldata siblings
    ) private view {
        uint256 nodeCount = about.nodeCount;
        bytes32 root =
            MultiProof.path(nodeCount, 0, node, NodeLeaf.hash(nodeLeaf), Tiles.depth(nodeCount), siblings);
        if (root != about.nodeRoot) revert NodeLeafRoot(about.nodeRoot, root);
    }

    function _checkDimensions(Shared storage about, uint32[] calldata dimensions) private view {
        if (!about.hasDimensions && dimensions.length == 0) return;
        bytes32 expected = requests.dimensionsHashOf(about.requestId);
        bytes32 actual = dimensions.length == 0 ? bytes32(0) : keccak256(abi.encode(dimensions));
        if (actual != expected) revert DimensionsHash(expected, actual);
    }

    // ---- The step.

    /// What the leaf contract makes of the openings, after their roots were found in the trace.
    function _evaluate(Shared storage about, StepInput calldata input, uint256 element) private view returns (int256) {
        (uint256[] memory nodes, bytes32[] memory roots) = _traceRoots(about, input);
        address leaf = rules.leafOf(NodeLeaf.op(input.nodeLeaf));
        (int256 value, bytes32[] memory opened) =
            ILeaf(leaf).evaluate(input.nodeLeaf, input.dimensions, uint64(element), input.openings);
        uint256 slots = NodeLeaf.inputCount(input.nodeLeaf);
        for (uint256 slot = 0; slot < slots; ++slot) {
            uint256 node = NodeLeaf.input(input.nodeLeaf, slot);
            uint256 place = 0;
            while (nodes[place] != node) ++place;
            // An element that reads nothing of an input (padding alone) opens nothing.
            if (opened[slot] != 0 && opened[slot] != roots[place]) revert OpenedRoot(slot, roots[place], opened[slot]);
        }
        return value;
    }

    /// The node's distinct inputs in increasing order, and their roots, proved to be in the trace.
    function _traceRoots(Shared storage about, StepInput calldata input)
        private
        view
        returns (uint256[] memory nodes, bytes32[] memory roots)
    {
        nodes = _distinctInputs(input.nodeLeaf);
        roots = input.inputRoots;
        if (roots.length != nodes.length) revert InputCount(nodes.length, roots.length);
        uint256[] memory indices = new uint256[](nodes.length);
        bytes32[] memory hashes = input.inputRoots;
        for (uint256 i = 0; i < nodes.length; ++i) {
            indices[i] = nodes[i];
        }
        bytes32 proved = MultiProof.root(about.nodeCount, indices, hashes, input.traceSiblings);
        if (proved != about.traceRoot) revert TraceRoot(about.traceRoot, proved);
    }

    function _distinctInputs(bytes calldata nodeLeaf) private pure returns (uint256[] memory nodes) {
        uint256 slots = NodeLeaf.inputCount(nodeLeaf);
        nodes = new uint256[](slots);
        uint256 count = 0;
        for (uint256 slot = 0; slot < slots; ++slot) {
            uint256 node = NodeLeaf.input(nodeLeaf, slot);
            uint256 place = count;
            while (place != 0 && node < nodes[place - 1]) --place;
            if (place != 0 && nodes[place - 1] == node) continue;
            for (uint256 i = count; i > place; --i) {
                nodes[i] = nodes[i - 1];
            }
            nodes[place] = node;
            ++count;
        }
        assembly ("memory-safe") {
            mstore(nodes, count)
        }
    }

    /// Element `index` of a tile, `width` bytes each, big-endian two's complement.
    function _valueAt(bytes calldata tile, uint256 index, uint256 width) private pure returns (int256) {
        uint256 word = Parameters.read(tile, index * width, width);
        uint256 shift = 256 - 8 * width;
        return int256(word << shift) >> shift;
    }

    function _stepUnits(StepInput calldata input) private pure returns (uint256) {
        uint256 hashes = input.leafSiblings.length + input.inputRoots.length + input.traceSiblings.length;
        uint256 payload = input.tile.length + input.nodeLeaf.length;
        for (uint256 i = 0; i < input.openings.length; ++i) {
            hashes += input.openings[i].siblings.length;
            payload += input.openings[i].tiles.length;
        }
        return GasUnits.step(hashes, payload);
    }

    // ---- Money.

    /// A claim that may be convicted outside the descent: inside its window, or while games are open.
    function _convictable(bytes32 requestId, bytes32 claimKey)
        private
        view
        returns (Claim memory claim, Shared storage about)
    {
        claim = requests.claimOf(requestId);
        if (claim.claimKey != claimKey) revert WrongClaim(claim.claimKey, claimKey);
        about = shared[claimKey];
        if (about.convicted) revert AlreadyConvicted(claimKey);
        if (claim.status != Status.Claimed) revert NotClaimed(requestId);
        if (claim.closesAt < block.timestamp && about.openGames == 0) {
            revert WindowOver(claim.closesAt, block.timestamp);
        }
    }

    /// Convicts the claim through game `gameId` (0: through none), on the call of `caller`, which gets
    /// the gas of this transaction; the bounty goes to the game's challenger, else to the caller.
    function _convict(bytes32 claimKey, bytes32 requestId, bytes32 gameId, address caller, uint256 units) private {
        Shared storage about = shared[claimKey];
        about.convicted = true;
        about.openGames = 0;
        uint256 count = about.games < GAMES_REPAID ? about.games : GAMES_REPAID;
        Payout[] memory payouts = new Payout[](count + 2);
        uint256 used = 1;
        uint256 value = 0;
        payouts[0] = Payout({to: caller, amount: (units + count * GasUnits.PER_PAYOUT) * GasUnits.price()});
        if (gameId == 0) {
            payouts[0].amount += bountyWei;
        } else {
            State storage game = states[gameId];
            address challenger = game.challenger;
            uint256 prepaid = game.prepaid;
            value = challengeBondWei + prepaid;
            game.stage = Stage.Over;
            game.settled = true;
            game.prepaid = 0;
            if (challenger != caller) {
                payouts[1] = payouts[0];
                payouts[0] = Payout({to: challenger, amount: 0});
                used = 2;
            }
            payouts[0].amount += game.spent + bountyWei;
            emit GameSettled(gameId, challenger, challengeBondWei, prepaid);
        }
        for (uint256 i = 0; i < count; ++i) {
            bytes32 id = gameIdOf(claimKey, i);
            State storage other = states[id];
            if (id == gameId || other.stage == Stage.Over) continue;
            payouts[used++] = Payout({to: other.challenger, amount: other.spent});
        }
        assembly ("memory-safe") {
            mstore(payouts, used)
        }
        requests.convict{value: value}(requestId, payouts);
    }

    /// Pays an answer out of what the game holds; returns the amount, which the caller credits.
    function _pay(State storage game, uint256 units) private returns (uint256 paid) {
        paid = units * GasUnits.price();
        uint256 prepaid = game.prepaid;
        if (prepaid < paid) paid = prepaid;
        game.prepaid = uint128(prepaid - paid);
        game.spent = _amount(game.spent + paid);
    }

    /// Takes the value of a challenger's move, which must cover the answer that it asks for.
    function _prepay(State storage game) private {
        uint256 held = game.prepaid + msg.value;
        Shared storage about = shared[game.claimKey];
        if (openings[game.claimKey][_cursorKey(game)] == 0) {
            uint256 needed = _nextUnits(game, about) * GasUnits.prepayPrice();
            if (held < needed) revert ValueTooLow(needed, held);
        }
        game.prepaid = _amount(held);
    }

    /// Units of the answer that the cursor waits for.
    function _nextUnits(State storage game, Shared storage about) private view returns (uint256) {
        if (game.stage == Stage.Tile) return GasUnits.answerTile(Tiles.tileLength(game.tensorBytes, game.position));
        (uint256 leaves, uint256 below) = _opening(game, about);
        (uint256 first, uint256 beyond) = Descent.span(leaves, game.level, game.position, below);
        return GasUnits.answer(beyond - first);
    }

    function _firstPrepayment(Shared storage about) private view returns (uint256) {
        return about.traceRoot != 0 ? 0 : _firstUnits(about.nodeCount) * GasUnits.prepayPrice();
    }

    /// With the longest proof of INPUT and output node that such a trace tree can need.
    function _firstUnits(uint256 nodeCount) private pure returns (uint256) {
        uint256 depth = Tiles.depth(nodeCount);
        uint256 level = Descent.firstLevel(depth);
        return GasUnits.firstAnswer(Tiles.levelLength(nodeCount, level), level == 0 ? 0 : 2 * depth);
    }

    function _missing(uint256 held, uint256 needed) private pure returns (uint256) {
        return held < needed ? needed - held : 0;
    }

    function _amount(uint256 value) private pure returns (uint128) {
        if (type(uint128).max < value) revert AmountTooLarge(type(uint128).max, value);
        return uint128(value);
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

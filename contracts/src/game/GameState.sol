// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {CHILD_MODEL_REGISTRY} from "../interfaces/IRulesSet.sol";
import {CHILD_REQUESTS} from "../interfaces/IRulesSet.sol";
import {Chain} from "../interfaces/IRulesSet.sol";
import {Claim} from "../interfaces/IRequests.sol";
import {GasUnits} from "../lib/GasUnits.sol";
import {IDisputeGame} from "../interfaces/IDisputeGame.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {IRequests} from "../interfaces/IRequests.sol";
import {IRulesSet} from "../interfaces/IRulesSet.sol";
import {Side} from "../interfaces/IDisputeGame.sol";
import {Stage} from "../interfaces/IDisputeGame.sol";

/// @title What is stored of games, whose turn it is, and the clocks.
/// @dev Spec: game, 4.2 and 4.10.
abstract contract GameState is IDisputeGame {
    /// What the games of one claim share.
    struct Shared {
        bytes32 requestId;
        bytes32 nodeRoot;
        bytes32 traceRoot;
        uint32 games;
        uint32 openGames;
        uint32 clock;
        uint32 nodeCount;
        uint32 committedCount;
        uint32 outputNumber;
        uint40 firstAnsweredAt;
        bool hasDimensions;
        bool convicted;
    }

    /// One game. The cursor is entry (level, position) of the trace tree (node 0) or of the tensor
    /// tree of `node`; or segment `position`, which ends in `node`.
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
        // Interior nodes of the segment that the game went through.
        uint16 interior;
        bool settled;
        uint128 prepaid;
        uint128 spent;
        bytes32 claimKey;
        bytes32 head;
        bytes32 cursor;
    }

    IRulesSet internal immutable rules;
    IModelRegistry internal immutable models;
    IRequests internal immutable requests;
    uint256 internal immutable bountyWei;
    uint256 internal immutable challengeBondWei;

    /// @inheritdoc IDisputeGame
    mapping(bytes32 claimKey => address) public answererOf;

    mapping(bytes32 claimKey => Shared) internal shared;
    mapping(bytes32 gameId => State) internal states;
    /// When a cursor of a claim was opened, by its packed position.
    mapping(bytes32 claimKey => mapping(uint256 cursor => uint256 timestamp)) internal openings;
    mapping(bytes32 claimKey => mapping(uint256 segment => bytes32)) internal segmentRoots;

    constructor() {
        rules = IRulesSet(msg.sender);
        Chain memory chain = rules.chain();
        models = IModelRegistry(rules.child(CHILD_MODEL_REGISTRY));
        requests = IRequests(rules.child(CHILD_REQUESTS));
        bountyWei = chain.bountyWei;
        challengeBondWei = chain.challengeBondWei;
    }

    /// @inheritdoc IDisputeGame
    function gameIdOf(bytes32 claimKey, uint256 index) public pure returns (bytes32) {
        return keccak256(abi.encode(claimKey, index));
    }

    /// A game that can still be moved in.
    function _running(bytes32 gameId) internal view returns (State storage game, Shared storage about) {
        game = states[gameId];
        if (game.challenger == address(0)) revert NoGame(gameId);
        about = shared[game.claimKey];
        if (about.convicted) revert AlreadyConvicted(game.claimKey);
        if (game.stage == Stage.Over) revert GameOver(gameId);
    }

    function _claimOf(bytes32 requestId) internal view returns (Claim memory) {
        return requests.claimOf(requestId);
    }

    function _expectStage(State storage game, Stage expected) internal view {
        if (game.stage != expected) revert WrongStage(expected, game.stage);
    }

    function _expectMove(State storage game, bytes32 claimKey, bytes32 previous) internal view {
        if (game.claimKey != claimKey) revert WrongClaim(game.claimKey, claimKey);
        if (game.head != previous) revert StaleMove(game.head, previous);
    }

    /// Checks that it is the challenger's turn, in time, and stops its clock.
    function _challengerMoves(bytes32 gameId, bytes32 claimKey, bytes32 previous)
        internal
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
        internal
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
        internal
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

    /// Position of the cursor among all of the claim. A bit above the node tells a segment from the
    /// tensor of the node that it ends in.
    function _cursorKey(State storage game) internal view returns (uint256) {
        uint256 kind = game.stage == Stage.Segment ? 1 : 0;
        return (kind << 96) | (uint256(game.node) << 64) | (uint256(game.level) << 32) | game.position;
    }

    /// Charges the challenger's own move, and links it to the chain of moves.
    function _moved(State storage game, uint256 units) internal returns (bytes32) {
        game.spent = _amount(game.spent + units * GasUnits.price());
        return _advance(game);
    }

    /// head = keccak256(abi.encode(previous, selector, keccak256(arguments))).
    function _advance(State storage game) internal returns (bytes32 head) {
        head = keccak256(abi.encode(game.head, msg.sig, keccak256(msg.data[4:])));
        game.head = head;
    }

    function _amount(uint256 value) internal pure returns (uint128) {
        if (type(uint128).max < value) revert AmountTooLarge(type(uint128).max, value);
        return uint128(value);
    }
}

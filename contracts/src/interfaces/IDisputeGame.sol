// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FormProof} from "./IRequests.sol";
import {Opening} from "./ILeaf.sol";

/// What the cursor of a game points at, and so which move comes next.
/// Over: the game was lost, or its claim was convicted through it.
enum Stage {
    None,
    /// The claim has no trace root yet (or the game has not moved on from it).
    First,
    /// A subtree of the trace tree.
    Trace,
    /// A segment of the trace: the interior nodes before the committed node that was named.
    Segment,
    /// A subtree of the named node's tensor tree.
    Tensor,
    /// A tile of the named node.
    Tile,
    Over
}

enum Side {
    Claimant,
    Challenger
}

/// Kinds of answers, for their prepayment.
enum AnswerKind {
    First,
    Entries,
    Segment,
    Tile
}

/// The node that a challenger names, with its proof (4.5).
struct NodeName {
    uint32 node;
    /// Root of the node's output in the claimant's trace.
    bytes32 root;
    /// Path within the opened subtree of the trace tree, or to the opened segment's root; none for the
    /// committed node of a segment, whose root was proved before.
    bytes32[] siblings;
    bytes nodeLeaf;
    /// Path in the tree over the model's node leaves.
    bytes32[] leafSiblings;
    uint32[] dimensions;
}

/// One element, recomputed (4.7).
struct StepInput {
    /// Index of the element inside the named tile.
    uint32 element;
    /// The claimant's tile, as answered.
    bytes tile;
    bytes nodeLeaf;
    bytes32[] leafSiblings;
    uint32[] dimensions;
    /// Roots of the node's distinct inputs, by increasing name: committed ones first.
    bytes32[] inputRoots;
    /// Multiproof of the committed ones to the trace root.
    bytes32[] traceSiblings;
    /// Multiproof of the interior ones to the root of the segment.
    bytes32[] segmentSiblings;
    /// Inputs, then tensors, in the node leaf's order.
    Opening[] openings;
}

/// A game as stored, and what follows from it now.
struct Game {
    bytes32 requestId;
    bytes32 claimKey;
    address challenger;
    /// Number of the game on its claim, from 0.
    uint32 index;
    Stage stage;
    /// Cursor: level and index in the trace tree, or in the tensor tree of `node`. Where it is a segment:
    /// level 0, its committed node, and its number as index.
    uint32 node;
    uint8 level;
    uint32 position;
    /// Level at which the cursor's opening shows entries.
    uint8 openLevel;
    /// Bytes of the named node's tensor.
    uint64 tensorBytes;
    /// Hash that the next answer opens.
    bytes32 cursor;
    /// What the next move names as `previous`.
    bytes32 head;
    /// Challenger's last move, and the cursor's opening (0: not opened), Unix seconds.
    uint64 movedAt;
    uint64 openedAt;
    /// Seconds used up to now, of `clock` for each side.
    uint64 claimantUsed;
    uint64 challengerUsed;
    uint64 clock;
    /// Prepaid and not used; gas spent and prepaid so far, both wei.
    uint256 prepaid;
    uint256 spent;
    /// The bond was forfeited or returned.
    bool settled;
}

/// What the games of one claim share.
struct ClaimGames {
    bytes32 requestId;
    /// 0 before the first answer.
    bytes32 traceRoot;
    uint64 firstAnsweredAt;
    uint32 games;
    uint32 openGames;
    uint64 clock;
    bool convicted;
}

/// @title The game about one claim: descent to one element, and the verdict on it.
/// @dev Spec: game (page 4). A watcher can follow every game from the events alone.
/// Every move names the claim key and the game's head, so that a reorganisation carries it nowhere else.
/// Value sent beyond bond and prepayment stays with the game and returns when it is settled.
/// Warning: losing a game says nothing about the claim.
interface IDisputeGame {
    event GameOpened(
        bytes32 indexed gameId,
        bytes32 indexed claimKey,
        address indexed challenger,
        bytes32 requestId,
        uint256 index,
        bytes32 head
    );
    /// The claim's trace root, and the entries of the trace tree at the level of the first answer.
    event FirstAnswered(
        bytes32 indexed gameId,
        bytes32 indexed claimKey,
        address indexed answerer,
        bytes32 traceRoot,
        bytes32[] entries,
        uint256 paid,
        bytes32 head
    );
    event NodeNamed(bytes32 indexed gameId, bytes32 indexed claimKey, uint256 node, bytes32 root, bytes32 head);
    /// A committed node was named behind whose root are interior nodes: the cursor is the segment.
    event SegmentNamed(
        bytes32 indexed gameId, bytes32 indexed claimKey, uint256 node, uint256 segment, bytes32 root, bytes32 head
    );
    /// The roots of all interior nodes of the segment.
    event SegmentAnswered(
        bytes32 indexed gameId,
        bytes32 indexed claimKey,
        address indexed answerer,
        uint256 segment,
        bytes32[] entries,
        uint256 paid,
        bytes32 head
    );
    /// `level` and `index` of the entry in the trace tree (`node` 0) or in the node's tensor tree.
    event EntryNamed(
        bytes32 indexed gameId,
        bytes32 indexed claimKey,
        uint256 node,
        uint256 level,
        uint256 index,
        bytes32 hash,
        bytes32 head
    );
    /// The present entries at `level` below the cursor.
    event Answered(
        bytes32 indexed gameId,
        bytes32 indexed claimKey,
        address indexed answerer,
        uint256 level,
        bytes32[] entries,
        uint256 paid,
        bytes32 head
    );
    event TileAnswered(
        bytes32 indexed gameId,
        bytes32 indexed claimKey,
        address indexed answerer,
        bytes tile,
        uint256 paid,
        bytes32 head
    );
    /// A step showed that `element` (flat index) of `node` is `expected`, not `actual`.
    event Convicted(
        bytes32 indexed gameId,
        bytes32 indexed claimKey,
        address indexed convictor,
        uint256 node,
        uint256 element,
        int256 expected,
        int256 actual
    );
    event ConvictedByTime(
        bytes32 indexed gameId, bytes32 indexed claimKey, address indexed challenger, uint256 used, uint256 clock
    );
    event ConvictedByForm(
        bytes32 indexed claimKey, address indexed convictor, uint256 node, uint256 slot, uint256 tileIndex
    );
    event ConvictedByTwoRoots(
        bytes32 indexed claimKey, address indexed convictor, bytes32 storedRoot, bytes32 signedRoot
    );
    /// The challenger ran out of time; half of its bond was burned, half went to the claimant.
    event GameLost(
        bytes32 indexed gameId, bytes32 indexed claimKey, address indexed challenger, uint256 used, uint256 clock
    );
    /// Bond (0 if forfeited) and unused prepayment went back to the challenger's credit.
    event GameSettled(bytes32 indexed gameId, address indexed challenger, uint256 bond, uint256 prepaid);
    event AnswererSet(bytes32 indexed claimKey, address answerer);

    /// The move names another claim than the one that the game, or the request, is about.
    error WrongClaim(bytes32 expected, bytes32 actual);
    /// The move was made for another state of the game.
    error StaleMove(bytes32 expected, bytes32 actual);
    error NoGame(bytes32 gameId);
    error NotClaimed(bytes32 requestId);
    /// Games open up to `closesAt`.
    error WindowOver(uint256 closesAt, uint256 timestamp);
    error AlreadyConvicted(bytes32 claimKey);
    error GameOver(bytes32 gameId);
    /// Value sent and held is less than bond and prepayment.
    error ValueTooLow(uint256 needed, uint256 actual);
    error AmountTooLarge(uint256 most, uint256 actual);
    error NotChallenger(address expected, address actual);
    error NotClaimant(address expected, address actual);
    /// First answers and segments are the claimant's, or its answerer's.
    error NotAnswerer(address expected, address actual);
    /// The cursor was not opened yet.
    error NotOpened(bytes32 gameId);
    error AlreadyOpened(bytes32 gameId);
    /// The game stands elsewhere.
    error WrongStage(Stage expected, Stage actual);
    /// The opened entries are the nodes' roots (nameNode), or are not (nameEntry).
    error WrongLevel(uint256 expected, uint256 actual);
    /// Node 0 is the request's input, which nobody disputes.
    error InputNamed();
    /// The trace tree holds no interior node: name the committed node of its segment first.
    error NodeInterior(uint256 node);
    /// The node lies in another segment than the opened one.
    error OtherSegment(uint256 expected, uint256 actual);
    /// The index is not below the cursor.
    error IndexOutside(uint256 first, uint256 beyond, uint256 actual);
    error EntryCount(uint256 expected, uint256 actual);
    /// What was posted hashes to something else than the cursor, or than the root it must lead to.
    error WrongHash(bytes32 expected, bytes32 actual);
    error InputRoot(bytes32 expected, bytes32 actual);
    error OutputRoot(bytes32 expected, bytes32 actual);
    error NodeLeafRoot(bytes32 expected, bytes32 actual);
    error DimensionsHash(bytes32 expected, bytes32 actual);
    error TileLength(uint256 expected, uint256 actual);
    error ElementOutsideTile(uint256 elements, uint256 actual);
    error InputCount(uint256 expected, uint256 actual);
    /// The roots of the committed inputs do not lead to the claim's trace root.
    error TraceRoot(bytes32 expected, bytes32 actual);
    /// The roots of the interior inputs do not lead to the stored root of the segment.
    error SegmentRoot(bytes32 expected, bytes32 actual);
    /// The opening of input `slot` leads to another root than the trace holds.
    error OpenedRoot(uint256 slot, bytes32 expected, bytes32 actual);
    /// The claim is right here: no conviction.
    error ValueAgrees(uint256 node, uint256 element, int256 value);
    /// A side used more than its clock: `timeout` is the only move.
    error ClockOver(Side side, uint256 used, uint256 clock);
    /// Nobody is over its clock; it is `side` that is waited for.
    error ClockRuns(Side side, uint256 used, uint256 clock);
    /// The signed root is the stored one.
    error SameRoot(bytes32 traceRoot);
    /// No trace root is stored to compare with.
    error NoTraceRoot(bytes32 claimKey);
    /// Not 65 bytes, an s in the upper half, or a v that is neither 27 nor 28.
    error SignatureForm();
    error WrongSigner(address expected, address actual);
    error AlreadySettled(bytes32 gameId);
    /// The game goes on.
    error NotSettled(bytes32 gameId);

    /// Opens a game on a claim inside its window. Value: `openValue` or more.
    function open(bytes32 requestId, bytes32 claimKey) external payable returns (bytes32 gameId);

    /// Posts the trace root, as the present entries of one level of the trace tree. Claimant or its answerer.
    /// @param siblings Multiproof of INPUT and the output node; empty where the entries are the nodes' roots.
    function firstAnswer(
        bytes32 gameId,
        bytes32 claimKey,
        bytes32 previous,
        bytes32[] calldata entries,
        bytes32[] calldata siblings
    ) external;

    /// Opens the cursor: its present entries at the next level (4.6). Anyone.
    function answer(bytes32 gameId, bytes32 claimKey, bytes32 previous, bytes32[] calldata entries) external;

    /// Opens the cursor: the roots of the segment's interior nodes, all of them. Claimant or its answerer.
    function answerSegment(bytes32 gameId, bytes32 claimKey, bytes32 previous, bytes32[] calldata entries) external;

    /// Opens the cursor: the bytes of the named tile. Anyone.
    function answerTile(bytes32 gameId, bytes32 claimKey, bytes32 previous, bytes calldata tile) external;

    /// Names a node whose root is among the opened entries, or the committed node of the opened segment.
    function nameNode(bytes32 gameId, bytes32 claimKey, bytes32 previous, NodeName calldata named) external payable;

    /// Names one of the opened entries; `index` counts in the whole level.
    function nameEntry(
        bytes32 gameId,
        bytes32 claimKey,
        bytes32 previous,
        uint64 index,
        bytes32 hash,
        bytes32[] calldata siblings
    ) external payable;

    /// Recomputes one element of the opened tile; convicts if it differs, reverts `ValueAgrees` if not.
    function step(bytes32 gameId, bytes32 claimKey, bytes32 previous, StepInput calldata input) external;

    /// Ends a game in which a side is over its clock. Anyone.
    function timeout(bytes32 gameId) external;

    /// Returns bond and unused prepayment of a game whose claim was convicted elsewhere. Anyone.
    function settle(bytes32 gameId) external;

    /// Convicts a claimant that accepted a value which the formats do not allow. Anyone.
    /// Reverts as `IRequests.checkForm` does where the proof shows none.
    function convictForm(bytes32 requestId, bytes32 claimKey, FormProof calldata proof) external;

    /// Convicts a claimant that signed another trace root than it posted. Anyone.
    /// @param signature EIP-712 `Trace(bytes32 claimKey,bytes32 traceRoot)` in the domain of Requests: r, s, v.
    function convictTwoRoots(bytes32 requestId, bytes32 claimKey, bytes32 traceRoot, bytes calldata signature) external;

    /// Names who may post first answers and segments beside the claimant; 0 takes it back. Claimant only.
    function setAnswerer(bytes32 requestId, bytes32 claimKey, address answerer) external;

    function gameOf(bytes32 gameId) external view returns (Game memory);

    function games(bytes32 claimKey) external view returns (ClaimGames memory);

    function gameIdOf(bytes32 claimKey, uint256 index) external pure returns (bytes32);

    function openGames(bytes32 claimKey) external view returns (uint256);

    function answererOf(bytes32 claimKey) external view returns (address);

    /// Time of each side in a game on the model (3.3), seconds.
    function clockOf(bytes32 modelId) external view returns (uint256);

    /// Wei to send with `open` at this block's base fee.
    function openValue(bytes32 requestId) external view returns (uint256);

    /// Wei that the answer after naming a node with `tensorBytes` of output needs beyond what the game holds.
    function nodeValue(bytes32 gameId, uint256 tensorBytes) external view returns (uint256);

    /// Wei that the answer after naming a committed node whose segment has `interior` interior nodes needs
    /// beyond what the game holds.
    function segmentValue(bytes32 gameId, uint256 interior) external view returns (uint256);

    /// Root of the tree over the interior nodes of a segment; 0 before its answer.
    function segmentRootOf(bytes32 claimKey, uint256 segment) external view returns (bytes32);

    /// Wei that the answer after naming entry `index` needs beyond what the game holds.
    function entryValue(bytes32 gameId, uint64 index) external view returns (uint256);

    /// Prepayment of an answer of `count` entries (or tile bytes) at this block's base fee.
    function prepayFor(AnswerKind kind, uint256 count) external view returns (uint256);

    /// The EIP-712 digest that `convictTwoRoots` takes a signature of.
    function traceDigest(bytes32 claimKey, bytes32 traceRoot) external view returns (bytes32);
}

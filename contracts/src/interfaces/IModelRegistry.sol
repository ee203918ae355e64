// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// Inclusive bounds of one dimension symbol.
struct Bound {
    uint32 minimum;
    uint32 maximum;
}

/// What the other contracts need of a program. Sizes are those at the symbols' maxima.
struct Model {
    /// Zero: no such model.
    address owner;
    uint32 nodeCount;
    uint32 outputNode;
    /// Nodes whose roots the trace tree holds, and the output's number among them (1.22).
    uint32 committedCount;
    uint32 outputNumber;
    bool hasInterior;
    /// DTYPE_* of the output and of the input.
    uint8 outputDtype;
    uint8 inputDtype;
    /// Code of the artefact's availability, as the owner states it.
    uint8 availability;
    /// Challenger's moves of the deepest descent (4.6).
    uint8 moves;
    /// Multiplications of one answer.
    uint64 macs;
    /// Bytes of all tensors of the model.
    uint64 tensorBytes;
    /// Root of the tree over the node leaf hashes.
    bytes32 nodeRoot;
    uint64 inputBytes;
    uint64 outputBytes;
    uint64 outputElements;
    /// One for each symbol of the header.
    Bound[] bounds;
    /// Where the artefact is.
    string locator;
}

/// @title Programs whose every node leaf was checked on chain.
/// @dev Spec: programs (page 1) and claims, 3.4. Errors of malformed leaves are those of
/// `NodeLeaf`, `Parameters` and `Dimensions`.
interface IModelRegistry {
    event ModelRegistered(bytes32 indexed modelId, address indexed owner, bytes32 indexed rulesId, string locator);
    event LocatorSet(bytes32 indexed modelId, string locator);
    event OwnershipTransferred(bytes32 indexed modelId, address indexed from, address indexed to);

    error AlreadyRegistered(bytes32 modelId);
    error UnknownModel(bytes32 modelId);
    error NotOwner(address expected, address actual);
    error OwnerZero();
    /// Availability codes are 0 (on chain), 1 (published), 2 (private).
    error AvailabilityUnknown(uint8 most, uint8 actual);

    /// The header's length is not what its symbol count gives.
    error HeaderLength(uint256 expected, uint256 actual);
    error HeaderVersionUnknown(uint256 expected, uint256 actual);
    /// The header's node count is not the number of leaves.
    error NodeCount(uint256 expected, uint256 actual);
    /// A program has 2 to `most` nodes.
    error NodeCountOutside(uint256 most, uint256 actual);
    error SymbolCount(uint256 most, uint256 actual);
    error SymbolBounds(uint256 symbol, uint32 minimum, uint32 maximum);
    /// The output is one of the nodes 1 to `most`.
    error OutputNode(uint256 most, uint256 actual);

    /// Node 0 is INPUT and no other node is.
    error InputMisplaced(uint256 node, uint8 op);
    /// A node's segment is the number of the next committed node, itself included.
    error SegmentNumber(uint256 node, uint256 expected, uint256 actual);
    /// A node's place counts the nodes of its segment before it (without INTERIOR_BIT here).
    error SegmentPlace(uint256 node, uint256 expected, uint256 actual);
    /// A segment has at most `most` interior nodes.
    error SegmentLength(uint256 node, uint256 most, uint256 actual);
    /// INPUT, the output and the last node are committed.
    error NodeNotCommitted(uint256 node);
    /// An input names an earlier committed node, or an earlier node of the same segment.
    error InputNotBefore(uint256 node, uint256 slot, uint256 actual);
    /// Element count of an input, by the consumer's shape and by the producer's.
    error InputElements(uint256 node, uint256 slot, uint256 expected, uint256 actual);
    error InputDtype(uint256 node, uint256 slot, uint8 expected, uint8 actual);
    /// A pointwise constant has the elements of its spread at the symbols' maxima.
    error ConstantElements(uint256 node, uint256 expected, uint256 actual);
    /// The running total named by the leaf is not the sum up to this node.
    error MacTotal(uint256 node, uint256 expected, uint256 actual);
    /// A step on this node could open more than `most` bytes.
    error OpenedBytes(uint256 node, uint256 most, uint256 actual);

    /// One value for each symbol.
    error DimensionCount(uint256 expected, uint256 actual);
    error DimensionOutside(uint256 symbol, uint32 minimum, uint32 maximum, uint32 actual);

    /// Checks every node leaf by page 1 and stores the model under its id.
    /// @param header Canonical header bytes (1.8).
    /// @param nodeLeaves Canonical node leaves (1.9), in execution order.
    function register(bytes calldata header, bytes[] calldata nodeLeaves, string calldata locator, uint8 availability)
        external
        returns (bytes32 modelId);

    function setLocator(bytes32 modelId, string calldata locator) external;

    function transferOwnership(bytes32 modelId, address to) external;

    /// Reverts `UnknownModel` when nothing is registered under the id.
    function model(bytes32 modelId) external view returns (Model memory);

    /// Input and output bytes at `dimensions`; reverts when those break the model's bounds.
    function sizes(bytes32 modelId, uint32[] calldata dimensions)
        external
        view
        returns (uint256 inputBytes, uint256 outputBytes);

    /// Bytes of the output of a node at `dimensions`; malformed leaves revert as at registration.
    function leafBytes(bytes calldata nodeLeaf, uint32[] calldata dimensions) external pure returns (uint256);

    /// What a game needs of a model. `symbols` is the number of dimension values of a request.
    function descentOf(bytes32 modelId)
        external
        view
        returns (
            bytes32 nodeRoot,
            uint32 nodeCount,
            uint32 committedCount,
            uint32 outputNumber,
            uint64 clockSeconds,
            uint256 symbols
        );

    /// Least window of a request on the model (3.3).
    function windowFloor(bytes32 modelId) external view returns (uint64 seconds_);

    /// Time that each side of a game on the model has in all (3.3).
    function clock(bytes32 modelId) external view returns (uint64 seconds_);
}

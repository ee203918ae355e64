// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bound} from "./interfaces/IModelRegistry.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {Model} from "./interfaces/IModelRegistry.sol";
import {Chain} from "./interfaces/IRulesSet.sol";
import {IRulesSet} from "./interfaces/IRulesSet.sol";
import {NodeLeaf} from "./lib/NodeLeaf.sol";
import {NodeSizes} from "./lib/NodeSizes.sol";
import {ProgramCheck} from "./lib/ProgramCheck.sol";

/// @title ModelRegistry
/// @dev Invariant: whatever is stored under an id is the program that hashes to it, and obeys page 1
/// (test/ModelRegistry.t.sol, and the differential test of the conformance suite).
/// Warning: weights, constants and tables are not on chain; their form is enforced by conviction (4.9).
contract ModelRegistry is IModelRegistry {
    uint8 private constant AVAILABILITY_MAX = 2;

    bytes32 public immutable rulesId;
    uint64 private immutable censorshipSeconds;
    uint64 private immutable inclusionSeconds;
    uint64 private immutable macsPerSecond;
    uint64 private immutable bytesPerSecond;
    uint64 private immutable windowMinSeconds;

    /// Node leaves whose sizes depend on symbols.
    struct Symbolic {
        bytes input;
        bytes output;
    }

    mapping(bytes32 modelId => Model) private models;
    mapping(bytes32 modelId => Symbolic) private symbolic;

    /// The deployer is the rules set.
    constructor() {
        IRulesSet set = IRulesSet(msg.sender);
        rulesId = set.rulesId();
        Chain memory chain = set.chain();
        censorshipSeconds = chain.censorshipSeconds;
        inclusionSeconds = chain.inclusionSeconds;
        macsPerSecond = chain.macsPerSecond;
        bytesPerSecond = chain.bytesPerSecond;
        windowMinSeconds = chain.windowMinSeconds;
    }

    /// @inheritdoc IModelRegistry
    function register(bytes calldata header, bytes[] calldata nodeLeaves, string calldata locator, uint8 availability)
        external
        returns (bytes32 modelId)
    {
        if (AVAILABILITY_MAX < availability) revert AvailabilityUnknown(AVAILABILITY_MAX, availability);
        ProgramCheck.Program memory program = ProgramCheck.run(header, nodeLeaves);
        modelId = program.modelId;
        if (models[modelId].owner != address(0)) revert AlreadyRegistered(modelId);

        _store(models[modelId], program);
        models[modelId].availability = availability;
        models[modelId].locator = locator;
        if (program.bounds.length != 0) {
            symbolic[modelId] = Symbolic({input: nodeLeaves[0], output: nodeLeaves[program.outputNode]});
        }

        emit ModelRegistered(modelId, msg.sender, rulesId, locator);
    }

    /// @inheritdoc IModelRegistry
    function setLocator(bytes32 modelId, string calldata locator) external {
        _checkOwner(modelId);
        models[modelId].locator = locator;
        emit LocatorSet(modelId, locator);
    }

    /// @inheritdoc IModelRegistry
    function transferOwnership(bytes32 modelId, address to) external {
        _checkOwner(modelId);
        if (to == address(0)) revert OwnerZero();
        models[modelId].owner = to;
        emit OwnershipTransferred(modelId, msg.sender, to);
    }

    /// @inheritdoc IModelRegistry
    function model(bytes32 modelId) external view returns (Model memory) {
        return _known(modelId);
    }

    /// @inheritdoc IModelRegistry
    function sizes(bytes32 modelId, uint32[] calldata dimensions)
        external
        view
        returns (uint256 inputBytes, uint256 outputBytes)
    {
        Model storage m = _known(modelId);
        uint256 count = m.bounds.length;
        if (dimensions.length != count) revert DimensionCount(count, dimensions.length);
        if (count == 0) return (m.inputBytes, m.outputBytes);
        for (uint256 i = 0; i < count; ++i) {
            Bound memory b = m.bounds[i];
            if (dimensions[i] < b.minimum || b.maximum < dimensions[i]) {
                revert DimensionOutside(i, b.minimum, b.maximum, dimensions[i]);
            }
        }
        inputBytes = this.leafBytes(symbolic[modelId].input, dimensions);
        outputBytes = this.leafBytes(symbolic[modelId].output, dimensions);
    }

    /// @inheritdoc IModelRegistry
    function leafBytes(bytes calldata nodeLeaf, uint32[] calldata dimensions) external pure returns (uint256) {
        uint256 start = NodeLeaf.check(nodeLeaf);
        return NodeSizes.measure(nodeLeaf, start, dimensions).outputElements * NodeLeaf.elementBytes(nodeLeaf);
    }

    /// @inheritdoc IModelRegistry
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
        )
    {
        Model storage m = _known(modelId);
        return (m.nodeRoot, m.nodeCount, m.committedCount, m.outputNumber, clock(modelId), m.bounds.length);
    }

    /// @inheritdoc IModelRegistry
    function windowFloor(bytes32 modelId) external view returns (uint64) {
        Model storage m = _known(modelId);
        uint64 transfer = (m.tensorBytes + m.outputBytes) / bytesPerSecond;
        uint64 floor = censorshipSeconds + inclusionSeconds + m.macs / macsPerSecond + transfer;
        return floor < windowMinSeconds ? windowMinSeconds : floor;
    }

    /// @inheritdoc IModelRegistry
    function clock(bytes32 modelId) public view returns (uint64) {
        Model storage m = _known(modelId);
        return censorshipSeconds + m.moves * inclusionSeconds + m.macs / macsPerSecond;
    }

    /// Every size was bounded by the check: at most 2^60 MACs and 2^47 bytes.
    function _store(Model storage m, ProgramCheck.Program memory program) private {
        m.owner = msg.sender;
        m.nodeCount = uint32(program.nodeCount);
        m.outputNode = uint32(program.outputNode);
        m.committedCount = uint32(program.committedCount);
        m.outputNumber = uint32(program.outputNumber);
        m.hasInterior = program.hasInterior;
        m.outputDtype = program.outputDtype;
        m.inputDtype = program.inputDtype;
        m.moves = uint8(program.moves);
        m.nodeRoot = program.nodeRoot;
        m.macs = uint64(program.macs);
        m.tensorBytes = uint64(program.tensorBytes);
        m.inputBytes = uint64(program.inputBytes);
        m.outputBytes = uint64(program.outputBytes);
        m.outputElements = uint64(program.outputElements);
        for (uint256 i = 0; i < program.bounds.length; ++i) {
            m.bounds.push(program.bounds[i]);
        }
    }

    function _known(bytes32 modelId) private view returns (Model storage m) {
        m = models[modelId];
        if (m.owner == address(0)) revert UnknownModel(modelId);
    }

    function _checkOwner(bytes32 modelId) private view {
        address owner = _known(modelId).owner;
        if (owner != msg.sender) revert NotOwner(owner, msg.sender);
    }
}

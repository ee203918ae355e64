// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {AVAILABILITY_ON_CHAIN} from "./interfaces/IRequests.sol";
import {AVAILABILITY_PUBLISHED} from "./interfaces/IRequests.sol";
import {BURN_DENOMINATOR} from "./generated/ProtocolConstants.sol";
import {BURN_NUMERATOR} from "./generated/ProtocolConstants.sol";
import {CHILD_DISPUTE_GAME} from "./interfaces/IRulesSet.sol";
import {CHILD_MODEL_REGISTRY} from "./interfaces/IRulesSet.sol";
import {CHILD_PROVIDER_REGISTRY} from "./interfaces/IRulesSet.sol";
import {CLAIM_OUTPUT_BYTES_MAX} from "./generated/ProtocolConstants.sol";
import {Chain} from "./interfaces/IRulesSet.sol";
import {Claim} from "./interfaces/IRequests.sol";
import {Burn} from "./lib/Burn.sol";
import {FormProof} from "./interfaces/IRequests.sol";
import {Forms} from "./lib/Forms.sol";
import {GAMES_REPAID} from "./generated/ProtocolConstants.sol";
import {GasUnits} from "./lib/GasUnits.sol";
import {IDisputeGame} from "./interfaces/IDisputeGame.sol";
import {IModelRegistry} from "./interfaces/IModelRegistry.sol";
import {IProviderRegistry} from "./interfaces/IProviderRegistry.sol";
import {IRequests} from "./interfaces/IRequests.sol";
import {IRulesSet} from "./interfaces/IRulesSet.sol";
import {LEVEL_OPTIMISTIC_FINAL} from "./interfaces/IRequests.sol";
import {LEVEL_OPTIMISTIC_OPEN} from "./interfaces/IRequests.sol";
import {LEVEL_SIGNED} from "./interfaces/IRequests.sol";
import {Model} from "./interfaces/IModelRegistry.sol";
import {MultiProof} from "./lib/MultiProof.sol";
import {NodeLeaf} from "./lib/NodeLeaf.sol";
import {Payout} from "./interfaces/IRequests.sol";
import {Request} from "./interfaces/IRequests.sol";
import {Status} from "./interfaces/IRequests.sol";
import {TensorForms} from "./lib/TensorForms.sol";
import {Terms} from "./interfaces/IRequests.sol";
import {Tiles} from "./lib/Tiles.sol";

/// @title Requests, claims, finality and the ledger.
/// @dev Spec: claims, 3.6 to 3.12.
/// Invariant: the balance is at least the sum of all credits and of the prices of requests that have
/// not ended (test/invariant/Conservation.t.sol).
/// Invariant: every request ends by calls that anyone may make after times that are fixed when it is
/// made, accepted or claimed (test/invariant/Conservation.t.sol, every_escrow_ends_by_time_alone).
contract Requests is IRequests {
    bytes32 private constant DOMAIN_TYPE_HASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    uint256 private constant BLOCKS_AT_HAND = 256;

    IModelRegistry public immutable models;
    IProviderRegistry public immutable providers;
    IDisputeGame public immutable game;
    uint256 public immutable bountyWei;
    uint256 public immutable gasPriceFloorWei;

    mapping(bytes32 requestId => Request) private requests;

    /// @inheritdoc IRequests
    mapping(address account => uint256) public credit;

    modifier onlyGame() {
        if (msg.sender != address(game)) revert NotDisputeGame(address(game), msg.sender);
        _;
    }

    constructor() {
        IRulesSet rules = IRulesSet(msg.sender);
        Chain memory chain = rules.chain();
        models = IModelRegistry(rules.child(CHILD_MODEL_REGISTRY));
        providers = IProviderRegistry(rules.child(CHILD_PROVIDER_REGISTRY));
        game = IDisputeGame(rules.child(CHILD_DISPUTE_GAME));
        bountyWei = chain.bountyWei;
        gasPriceFloorWei = chain.gasPriceFloorWei;
    }

    /// Slashed stake arrives here, and nothing else does by this way.
    receive() external payable {
        if (msg.sender != address(providers)) revert NotProviderRegistry(address(providers), msg.sender);
    }

    /// @inheritdoc IRequests
    function request(Terms calldata terms, bytes calldata input) external payable returns (bytes32 requestId) {
        _checkKind(terms);
        _checkTimes(terms);
        Request memory made = _checkModel(terms, input);
        if (msg.value != terms.price) revert WrongValue(terms.price, msg.value);
        requestId = requestIdOf(msg.sender, terms);
        if (requests[requestId].status != Status.None) revert AlreadyRequested(requestId);

        requests[requestId] = made;

        emit Requested(requestId, msg.sender, terms.provider, terms, input);
    }

    /// @inheritdoc IRequests
    function accept(bytes32 requestId) external {
        Request storage made = _expect(requestId, Status.Requested);
        if (msg.sender != made.provider) revert NotProvider(made.provider, msg.sender);
        if (made.acceptBy < block.timestamp) revert TooLate(made.acceptBy, block.timestamp);
        uint256 bond = bondFor(made.price, made.valueAtRisk);
        if (type(uint128).max < bond) revert AmountTooLarge(type(uint128).max, bond);

        made.status = Status.Accepted;
        made.bond = uint128(bond);
        emit Accepted(requestId, msg.sender, bond);

        providers.lock(msg.sender, bond);
    }

    /// @inheritdoc IRequests
    function claim(bytes32 requestId, bytes calldata output) external returns (bytes32 claimKey) {
        Request storage made = _expect(requestId, Status.Accepted);
        if (msg.sender != made.provider) revert NotProvider(made.provider, msg.sender);
        if (made.answerBy < block.timestamp) revert TooLate(made.answerBy, block.timestamp);
        if (output.length != made.outputBytes) revert OutputLength(made.outputBytes, output.length);
        uint256 bad = Forms.values(output, made.outputDtype);
        if (bad != Forms.NONE) revert OutputForm(bad);
        bytes32 outputRoot = Tiles.tensorRoot(output);
        claimKey = claimKeyOf(requestId, msg.sender, outputRoot);

        made.status = Status.Claimed;
        made.claimedAt = uint48(block.timestamp);
        made.outputRoot = outputRoot;
        made.claimKey = claimKey;

        emit Claimed(requestId, claimKey, msg.sender, output, outputRoot, block.timestamp + made.window);
    }

    /// @inheritdoc IRequests
    function finalize(bytes32 requestId) external {
        Request storage made = _expect(requestId, Status.Claimed);
        uint256 closesAt = uint256(made.claimedAt) + made.window;
        if (block.timestamp <= closesAt) revert TooEarly(closesAt, block.timestamp);
        uint256 open = game.openGames(made.claimKey);
        if (open != 0) revert GamesOpen(open);

        address provider = made.provider;
        uint256 bond = made.bond;
        made.status = Status.Final;
        made.bond = 0;
        _credit(provider, made.price);
        emit Finalized(requestId, provider, made.price);

        providers.unlock(provider, bond);
    }

    /// @inheritdoc IRequests
    function refund(bytes32 requestId) external {
        Request storage made = requests[requestId];
        if (made.status == Status.Accepted) return _refundUnanswered(requestId, made);
        if (made.status != Status.Requested) revert WrongStatus(Status.Requested, made.status);
        if (block.timestamp <= made.acceptBy) revert TooEarly(made.acceptBy, block.timestamp);

        made.status = Status.Refunded;
        _credit(made.requester, made.price);

        emit Refunded(requestId, made.requester, made.price, 0);
    }

    /// @inheritdoc IRequests
    function withdraw() external {
        uint256 amount = credit[msg.sender];
        if (amount == 0) revert NothingToWithdraw(msg.sender);

        credit[msg.sender] = 0;
        emit Withdrawn(msg.sender, amount);

        (bool accepted,) = msg.sender.call{value: amount}("");
        if (!accepted) revert TransferRefused(msg.sender);
    }

    /// @inheritdoc IRequests
    function creditTo(address account) external payable onlyGame {
        _credit(account, msg.value);
    }

    /// @inheritdoc IRequests
    function convict(bytes32 requestId, Payout[] calldata payouts) external payable onlyGame {
        Request storage made = _expect(requestId, Status.Claimed);
        uint256 bond = made.bond;
        address provider = made.provider;

        made.status = Status.Convicted;
        made.bond = 0;
        // At least half burns first, so that nobody gains by convicting itself.
        uint256 rest = bond - (bond * BURN_NUMERATOR) / BURN_DENOMINATOR;
        for (uint256 i = 0; i < payouts.length; ++i) {
            uint256 amount = payouts[i].amount < rest ? payouts[i].amount : rest;
            rest -= amount;
            _credit(payouts[i].to, i == 0 ? amount + msg.value : amount);
        }
        uint256 compensation = made.price < rest ? made.price : rest;
        rest -= compensation;
        _credit(made.requester, made.price + compensation);
        uint256 burned = rest + (bond * BURN_NUMERATOR) / BURN_DENOMINATOR;
        emit ClaimConvicted(requestId, made.claimKey, provider, bond, burned, compensation);

        providers.slash(provider, bond);
        Burn.send(burned);
    }

    /// @inheritdoc IRequests
    function requestOf(bytes32 requestId) external view returns (Request memory) {
        return requests[requestId];
    }

    /// @inheritdoc IRequests
    function checkForm(bytes32 requestId, FormProof calldata proof) external view {
        Request storage made = requests[requestId];
        (bytes32 nodeRoot, uint32 nodeCount,,,,) = models.descentOf(made.modelId);
        bytes32 root = MultiProof.path(
            nodeCount, 0, proof.node, NodeLeaf.hash(proof.nodeLeaf), Tiles.depth(nodeCount), proof.leafSiblings
        );
        if (root != nodeRoot) revert NodeLeafRoot(nodeRoot, root);
        bytes32 dimensions = proof.dimensions.length == 0 ? bytes32(0) : keccak256(abi.encode(proof.dimensions));
        if (dimensions != made.dimensionsHash) revert DimensionsHash(made.dimensionsHash, dimensions);
        bool holds = proof.node == 0 ? _inputHolds(made.inputRoot, proof) : _tensorHolds(proof);
        if (holds) revert FormHolds(proof.node, proof.slot, proof.tileIndex);
    }

    /// @inheritdoc IRequests
    function openingOf(bytes32 requestId)
        external
        view
        returns (bytes32 claimKey, bytes32 modelId, uint256 closesAt, Status status)
    {
        Request storage made = requests[requestId];
        return (made.claimKey, made.modelId, uint256(made.claimedAt) + made.window, made.status);
    }

    /// @inheritdoc IRequests
    function dimensionsHashOf(bytes32 requestId) external view returns (bytes32) {
        return requests[requestId].dimensionsHash;
    }

    /// @inheritdoc IRequests
    function claimOf(bytes32 requestId) external view returns (Claim memory) {
        Request storage made = requests[requestId];
        if (made.claimedAt == 0) revert WrongStatus(Status.Claimed, made.status);
        return Claim({
            claimKey: made.claimKey,
            claimant: made.provider,
            requester: made.requester,
            modelId: made.modelId,
            inputRoot: made.inputRoot,
            outputRoot: made.outputRoot,
            dimensionsHash: made.dimensionsHash,
            closesAt: uint64(made.claimedAt) + made.window,
            status: made.status,
            availability: made.availability
        });
    }

    /// @inheritdoc IRequests
    function windowFloor(bytes32 modelId) external view returns (uint256) {
        return models.windowFloor(modelId);
    }

    /// @inheritdoc IRequests
    function domainSeparator() external view returns (bytes32) {
        return
            keccak256(abi.encode(DOMAIN_TYPE_HASH, keccak256("Selfsame"), keccak256("1"), block.chainid, address(this)));
    }

    /// @inheritdoc IRequests
    function requestIdOf(address requester, Terms calldata terms) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), requester, terms));
    }

    /// @inheritdoc IRequests
    function claimKeyOf(bytes32 requestId, address claimant, bytes32 outputRoot) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), requestId, claimant, uint256(0), outputRoot));
    }

    /// @inheritdoc IRequests
    function bondFor(uint256 price, uint256 valueAtRisk) public view returns (uint256 bond) {
        uint256 gasPrice = GasUnits.prepayPrice();
        if (gasPrice < gasPriceFloorWei) gasPrice = gasPriceFloorWei;
        // Half burns; the other half pays for GAMES_REPAID games and the bounty.
        bond = 2 * (GAMES_REPAID * GasUnits.GAME_GAS * gasPrice + bountyWei);
        if (bond < price) bond = price;
        if (bond < valueAtRisk) bond = valueAtRisk;
    }

    /// Refuses by name what belongs to a later set.
    function _checkKind(Terms calldata terms) private pure {
        if (terms.asset != address(0)) revert NotInThisRules("asset");
        if (terms.callback != address(0)) revert NotInThisRules("callback");
        if (terms.callbackGas != 0) revert NotInThisRules("callbackGas");
        if (terms.availability != AVAILABILITY_ON_CHAIN && terms.availability != AVAILABILITY_PUBLISHED) {
            revert NotInThisRules("availability");
        }
        uint8 level = terms.leastLevel;
        if (level != LEVEL_SIGNED && level != LEVEL_OPTIMISTIC_OPEN && level != LEVEL_OPTIMISTIC_FINAL) {
            revert NotInThisRules("leastLevel");
        }
        if (terms.provider == address(0)) revert ProviderZero();
        if (type(uint128).max < terms.price) revert AmountTooLarge(type(uint128).max, terms.price);
        if (type(uint128).max < terms.valueAtRisk) revert AmountTooLarge(type(uint128).max, terms.valueAtRisk);
    }

    function _checkTimes(Terms calldata terms) private view {
        // forgefmt: disable-next-item
        if (
            terms.acceptBy <= block.timestamp || terms.answerBy <= terms.acceptBy || type(uint48).max < terms.answerBy
        ) revert WrongTimes(block.timestamp, terms.acceptBy, terms.answerBy);
        if (block.number <= terms.blockNumber || terms.blockNumber + BLOCKS_AT_HAND < block.number) {
            revert BlockTooOld(terms.blockNumber, block.number);
        }
        bytes32 blockHash = blockhash(terms.blockNumber);
        if (blockHash != terms.blockHash) revert WrongBlock(blockHash, terms.blockHash);
    }

    /// Checks what depends on the model; returns the request to store.
    function _checkModel(Terms calldata terms, bytes calldata input) private view returns (Request memory made) {
        (uint256 inputBytes, uint256 outputBytes) = models.sizes(terms.modelId, terms.dimensions);
        if (CLAIM_OUTPUT_BYTES_MAX < outputBytes) revert NotInThisRules("output");
        uint256 floor = models.windowFloor(terms.modelId);
        if (terms.window < floor) revert WindowTooShort(floor, terms.window);
        Model memory model = models.model(terms.modelId);
        if (terms.availability == AVAILABILITY_ON_CHAIN) {
            if (input.length != inputBytes) revert InputLength(inputBytes, input.length);
            uint256 bad = Forms.values(input, model.inputDtype);
            if (bad != Forms.NONE) revert InputForm(bad);
            bytes32 root = Tiles.tensorRoot(input);
            if (root != terms.inputRoot) revert InputRoot(terms.inputRoot, root);
        } else if (input.length != 0) {
            revert InputLength(0, input.length);
        }
        made.requester = msg.sender;
        made.acceptBy = uint48(terms.acceptBy);
        made.answerBy = uint48(terms.answerBy);
        made.provider = terms.provider;
        made.window = terms.window;
        made.status = Status.Requested;
        made.availability = terms.availability;
        made.price = uint128(terms.price);
        made.valueAtRisk = uint128(terms.valueAtRisk);
        made.outputBytes = uint32(outputBytes);
        made.outputDtype = model.outputDtype;
        made.modelId = terms.modelId;
        made.inputRoot = terms.inputRoot;
        if (terms.dimensions.length != 0) made.dimensionsHash = keccak256(abi.encode(terms.dimensions));
    }

    /// Accepted and not claimed in time: the requester is paid out of the bond.
    function _refundUnanswered(bytes32 requestId, Request storage made) private {
        if (block.timestamp <= made.answerBy) revert TooEarly(made.answerBy, block.timestamp);
        address provider = made.provider;
        uint256 bond = made.bond;
        uint256 compensation = made.price < bountyWei ? bountyWei : made.price;
        if (bond < compensation) compensation = bond;

        made.status = Status.Refunded;
        made.bond = 0;
        _credit(made.requester, made.price + compensation);
        emit Refunded(requestId, made.requester, made.price, compensation);

        providers.unlock(provider, bond - compensation);
        providers.slash(provider, compensation);
    }

    function _inputHolds(bytes32 inputRoot, FormProof calldata proof) private view returns (bool) {
        if (proof.slot != 0) revert TensorOutside(1, proof.slot);
        _expectTile(inputRoot, models.leafBytes(proof.nodeLeaf, proof.dimensions), proof);
        return Forms.values(proof.tile, NodeLeaf.dtype(proof.nodeLeaf)) == Forms.NONE;
    }

    function _tensorHolds(FormProof calldata proof) private pure returns (bool) {
        bytes calldata leaf = proof.nodeLeaf;
        uint256 tensors = NodeLeaf.tensorCount(leaf);
        if (tensors <= proof.slot) revert TensorOutside(tensors, proof.slot);
        (uint256 length, uint8 form) = TensorForms.describe(leaf, proof.slot);
        _expectTile(NodeLeaf.tensorRoot(leaf, proof.slot), length, proof);
        return TensorForms.holds(proof.tile, form);
    }

    function _expectTile(bytes32 root, uint256 tensorBytes, FormProof calldata proof) private pure {
        uint256 length = Tiles.tileLength(tensorBytes, proof.tileIndex);
        if (proof.tile.length != length || length == 0) revert TileLength(length, proof.tile.length);
        uint256 tiles = Tiles.tileCount(tensorBytes);
        bytes32 hash = Tiles.tileHash(proof.tile);
        bytes32 actual = MultiProof.path(tiles, 0, proof.tileIndex, hash, Tiles.depth(tiles), proof.siblings);
        if (actual != root) revert TileRoot(root, actual);
    }

    function _credit(address account, uint256 amount) private {
        if (amount == 0) return;
        credit[account] += amount;
        emit Credited(account, amount);
    }

    function _expect(bytes32 requestId, Status expected) private view returns (Request storage made) {
        made = requests[requestId];
        if (made.status != expected) revert WrongStatus(expected, made.status);
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// What a requester asks for (3.7). All fields go into the request id.
struct Terms {
    bytes32 modelId;
    /// Values of the model's symbols, in the header's order.
    uint32[] dimensions;
    bytes32 inputRoot;
    /// AVAILABILITY_*: where the input's bytes are.
    uint8 availability;
    /// Where a published input is.
    string inputLocator;
    address provider;
    /// LEVEL_*: the least assurance that the requester accepts.
    uint8 leastLevel;
    /// 0: the native asset, the only one of this set.
    address asset;
    uint256 price;
    /// What a wrong answer may cost the requester, wei; the bond is at least this.
    uint256 valueAtRisk;
    uint64 nonce;
    /// A recent block that the requester saw, and its hash.
    uint64 blockNumber;
    bytes32 blockHash;
    /// Last second of acceptance and of the claim, Unix time.
    uint64 acceptBy;
    uint64 answerBy;
    /// Seconds in which games may be opened on the claim.
    uint32 window;
    /// 0: none, as this set makes no callbacks.
    address callback;
    uint64 callbackGas;
}

/// Where a request stands. Each step is by time or by a named party; the last three are ends.
enum Status {
    None,
    Requested,
    Accepted,
    Claimed,
    Final,
    Refunded,
    Convicted
}

/// A request as stored; times in Unix seconds, amounts in wei.
struct Request {
    address requester;
    uint48 acceptBy;
    uint48 answerBy;
    address provider;
    uint48 claimedAt;
    uint32 window;
    Status status;
    uint8 availability;
    uint128 price;
    uint128 valueAtRisk;
    /// Locked at acceptance; 0 before and after.
    uint128 bond;
    /// Of the answer.
    uint32 outputBytes;
    uint8 outputDtype;
    bytes32 modelId;
    bytes32 inputRoot;
    /// keccak256(abi.encode(dimensions)); 0 for none.
    bytes32 dimensionsHash;
    bytes32 outputRoot;
    bytes32 claimKey;
}

/// A claim as games see it.
struct Claim {
    bytes32 claimKey;
    address claimant;
    address requester;
    bytes32 modelId;
    bytes32 inputRoot;
    bytes32 outputRoot;
    bytes32 dimensionsHash;
    /// Last second in which games open.
    uint64 closesAt;
    Status status;
    uint8 availability;
}

/// A tile of input or model that holds a value it must not hold (4.9).
struct FormProof {
    /// 0: the request's input; else the node whose tensor it is.
    uint32 node;
    /// Which tensor of the node; 0 for the input.
    uint8 slot;
    bytes nodeLeaf;
    bytes32[] leafSiblings;
    uint32[] dimensions;
    uint32 tileIndex;
    bytes tile;
    /// Path of the tile in the tensor's tree.
    bytes32[] siblings;
}

/// One share of a slash.
struct Payout {
    address to;
    uint256 amount;
}

uint8 constant AVAILABILITY_ON_CHAIN = 0;
uint8 constant AVAILABILITY_PUBLISHED = 1;
uint8 constant AVAILABILITY_PRIVATE = 2;

uint8 constant LEVEL_SIGNED = 1;
uint8 constant LEVEL_OPTIMISTIC_OPEN = 4;
uint8 constant LEVEL_OPTIMISTIC_FINAL = 5;

/// @title Requests, acceptances, claims, finality, and the one ledger of payouts.
/// @dev Spec: claims, 3.6 to 3.12. Every escrow ends by time alone: `refund` and `finalize` are anyone's.
/// Warning: payouts are credits that their owner withdraws; nothing is ever pushed.
/// Warning: a claimant must watch its claim until it is final.
interface IRequests {
    /// Everything that a provider needs; `input` is empty unless the input is on chain.
    event Requested(
        bytes32 indexed requestId, address indexed requester, address indexed provider, Terms terms, bytes input
    );
    event Accepted(bytes32 indexed requestId, address indexed provider, uint256 bond);
    /// Games may be opened up to `closesAt`; final at the earliest one second later.
    event Claimed(
        bytes32 indexed requestId,
        bytes32 indexed claimKey,
        address indexed claimant,
        bytes output,
        bytes32 outputRoot,
        uint256 closesAt
    );
    event Finalized(bytes32 indexed requestId, address indexed provider, uint256 price);
    /// `compensation` came out of the provider's bond.
    event Refunded(bytes32 indexed requestId, address indexed requester, uint256 price, uint256 compensation);
    /// slashed = burned + paid to convictor and challengers + compensation.
    event ClaimConvicted(
        bytes32 indexed requestId,
        bytes32 indexed claimKey,
        address indexed claimant,
        uint256 slashed,
        uint256 burned,
        uint256 compensation
    );
    event Credited(address indexed account, uint256 amount);
    event Withdrawn(address indexed account, uint256 amount);

    /// The request asks for something that belongs to a later set.
    error NotInThisRules(string field);
    error WrongValue(uint256 expected, uint256 actual);
    error AmountTooLarge(uint256 most, uint256 actual);
    error ProviderZero();
    /// now < acceptBy < answerBy, and answerBy before 2^48.
    error WrongTimes(uint256 timestamp, uint256 acceptBy, uint256 answerBy);
    error WindowTooShort(uint256 floor, uint256 actual);
    /// The block is not among the last 256.
    error BlockTooOld(uint256 blockNumber, uint256 current);
    error WrongBlock(bytes32 expected, bytes32 actual);
    error InputLength(uint256 expected, uint256 actual);
    error InputRoot(bytes32 expected, bytes32 actual);
    /// The byte at `offset` or later is no value of the input's type.
    error InputForm(uint256 offset);
    error AlreadyRequested(bytes32 requestId);

    error WrongStatus(Status expected, Status actual);
    error NotProvider(address expected, address actual);
    /// The last second for this step has passed.
    error TooLate(uint256 deadline, uint256 timestamp);
    /// This step opens one second after `deadline`.
    error TooEarly(uint256 deadline, uint256 timestamp);
    error OutputLength(uint256 expected, uint256 actual);
    error OutputForm(uint256 offset);
    /// Games on the claim are open.
    error GamesOpen(uint256 games);
    error NotDisputeGame(address expected, address actual);
    error NotProviderRegistry(address expected, address actual);
    /// The node leaf, or the tile, leads to another root than the model or the request names.
    error NodeLeafRoot(bytes32 expected, bytes32 actual);
    error TileRoot(bytes32 expected, bytes32 actual);
    error DimensionsHash(bytes32 expected, bytes32 actual);
    error TensorOutside(uint256 tensors, uint256 actual);
    error TileLength(uint256 expected, uint256 actual);
    /// Every value of the tile is allowed.
    error FormHolds(uint256 node, uint256 slot, uint256 tileIndex);
    error NothingToWithdraw(address account);
    error TransferRefused(address to);

    /// Escrows the price and publishes the request.
    /// @param input The input's bytes where they are on chain, else empty.
    function request(Terms calldata terms, bytes calldata input) external payable returns (bytes32 requestId);

    /// Locks the bond. Only the named provider, up to acceptBy.
    /// Warning: fetch, check and hash input and model first; a bad byte in either convicts.
    function accept(bytes32 requestId) external;

    /// Claims `output` as the answer. Only the named provider, up to answerBy.
    function claim(bytes32 requestId, bytes calldata output) external returns (bytes32 claimKey);

    /// Ends an unconvicted claim after its window, when no game is open: the price to the provider.
    function finalize(bytes32 requestId) external;

    /// Ends a request that nobody accepted, or that was accepted and not claimed in time.
    function refund(bytes32 requestId) external;

    /// Pays the caller its credit.
    function withdraw() external;

    /// Credits the value to `account`. DisputeGame only.
    function creditTo(address account) external payable;

    /// Convicts the claim: price to the requester, bond slashed, half burned, then `payouts` in
    /// order as far as it reaches, then compensation; the rest burned. The value goes to the first
    /// payout's account on top. DisputeGame only.
    function convict(bytes32 requestId, Payout[] calldata payouts) external payable;

    function requestOf(bytes32 requestId) external view returns (Request memory);

    /// Reverts unless `proof` shows a value in the request's input, or in the model, that 1.4 or 1.13 excludes.
    function checkForm(bytes32 requestId, FormProof calldata proof) external view;

    /// What opening a game needs of a request: zeros without a claim.
    function openingOf(bytes32 requestId)
        external
        view
        returns (bytes32 claimKey, bytes32 modelId, uint256 closesAt, Status status);

    /// keccak256(abi.encode(dimensions)) of a request, 0 for none.
    function dimensionsHashOf(bytes32 requestId) external view returns (bytes32);

    /// Reverts `WrongStatus` unless there is a claim.
    function claimOf(bytes32 requestId) external view returns (Claim memory);

    /// keccak256(abi.encode(chain id, this, requester, terms)).
    function requestIdOf(address requester, Terms calldata terms) external view returns (bytes32);

    /// keccak256(abi.encode(chain id, this, request id, claimant, claim nonce 0, output root)).
    function claimKeyOf(bytes32 requestId, address claimant, bytes32 outputRoot) external view returns (bytes32);

    function credit(address account) external view returns (uint256);

    /// Bond of a request at the current base fee (3.8).
    function bondFor(uint256 price, uint256 valueAtRisk) external view returns (uint256);

    /// Least window of a request on the model (3.3).
    function windowFloor(bytes32 modelId) external view returns (uint256);

    /// EIP-712 domain separator: name "Selfsame", version "1", this chain, this contract.
    function domainSeparator() external view returns (bytes32);
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// Constants of one chain, fixed with the set (3.2).
struct Chain {
    /// Longest forced-inclusion delay of the chain, C.
    uint64 censorshipSeconds;
    /// One ordinary inclusion.
    uint64 inclusionSeconds;
    /// Of a slow honest machine making a trace.
    uint64 macsPerSecond;
    /// Of a slow honest machine fetching a model.
    uint64 bytesPerSecond;
    uint64 unbondingSeconds;
    uint128 bountyWei;
    uint128 challengeBondWei;
    uint128 gasPriceFloorWei;
    uint64 windowMinSeconds;
}

// Index of each child in the set (3.1).
uint256 constant CHILD_MODEL_REGISTRY = 0;
uint256 constant CHILD_PROVIDER_REGISTRY = 1;
uint256 constant CHILD_REQUESTS = 2;
uint256 constant CHILD_DISPUTE_GAME = 3;
uint256 constant CHILD_LINEAR_LEAF = 4;
uint256 constant CHILD_POOL_LEAF = 5;
uint256 constant CHILD_MOVE_LEAF = 6;
uint256 constant CHILD_POINTWISE_LEAF = 7;
uint256 constant CHILD_PRODUCT_LEAF = 8;
uint256 constant CHILD_ROW_LEAF = 9;
uint256 constant CHILD_COUNT = 10;

/// @title The immutable set: which contracts, with which code, under which constants of the chain.
/// @dev Spec: claims, 3.1 and 3.2. Children read it as `IRulesSet(msg.sender)` at construction.
interface IRulesSet {
    event ChildDeployed(uint256 indexed index, address child);

    /// No leaf contract judges this operator.
    error UnknownOperator(uint8 op);
    /// Children are deployed in the order of their index.
    error WrongChild(uint256 expected, uint256 actual);
    /// The init code is not the one that the set names.
    error WrongInitCode(bytes32 expected, bytes32 actual);
    /// The constructor of child `index` failed.
    error DeployFailed(uint256 index);
    /// The set holds CHILD_COUNT init code hashes.
    error WrongChildCount(uint256 expected, uint256 actual);
    /// A chain that states no forced-inclusion delay, or a rate of zero, gets no set.
    error ConstantMissing(string name);

    /// keccak256 of the set's init code with its constructor arguments.
    function rulesId() external view returns (bytes32);

    function chain() external view returns (Chain memory);

    /// Address of child `index`, deployed or not.
    function child(uint256 index) external view returns (address);

    /// The leaf contract that judges operator `op`.
    function leafOf(uint8 op) external view returns (address);

    /// Deploys the next child; anyone may call.
    function deploy(uint256 index, bytes calldata initCode) external returns (address);
}

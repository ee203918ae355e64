// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {CHILD_REQUESTS} from "./interfaces/IRulesSet.sol";
import {IProviderRegistry} from "./interfaces/IProviderRegistry.sol";
import {IRulesSet} from "./interfaces/IRulesSet.sol";
import {Stake} from "./interfaces/IProviderRegistry.sol";

/// @title Stakes of providers.
/// @dev Spec: claims, 3.5.
/// Invariant: locked + unbonding <= staked for every provider, and the balance is at least the sum
/// of the stakes (test/invariant/Conservation.t.sol).
contract ProviderRegistry is IProviderRegistry {
    /// @inheritdoc IProviderRegistry
    uint256 public immutable unbondingSeconds;
    address public immutable requests;

    mapping(address provider => Stake) private stakes;

    modifier onlyRequests() {
        if (msg.sender != requests) revert NotRequests(requests, msg.sender);
        _;
    }

    constructor() {
        IRulesSet rules = IRulesSet(msg.sender);
        unbondingSeconds = rules.chain().unbondingSeconds;
        requests = rules.child(CHILD_REQUESTS);
    }

    /// @inheritdoc IProviderRegistry
    function stake() external payable {
        if (msg.value == 0) revert AmountZero();
        Stake storage held = stakes[msg.sender];
        uint256 staked = held.staked + msg.value;
        if (type(uint128).max < staked) revert AmountTooLarge(type(uint128).max, staked);

        held.staked = uint128(staked);

        emit Staked(msg.sender, msg.value, staked);
    }

    /// @inheritdoc IProviderRegistry
    function unstake(uint256 amount) external {
        if (amount == 0) revert AmountZero();
        Stake storage held = stakes[msg.sender];
        uint256 free = _free(held);
        if (free < amount) revert StakeTooLow(amount, free);

        uint256 unbondsAt = block.timestamp + unbondingSeconds;
        held.unbonding += uint128(amount);
        held.unbondsAt = uint64(unbondsAt);

        emit Unstaked(msg.sender, amount, unbondsAt);
    }

    /// @inheritdoc IProviderRegistry
    function withdrawStake() external {
        Stake storage held = stakes[msg.sender];
        uint256 amount = held.unbonding;
        if (amount == 0) revert NothingUnbonding(msg.sender);
        if (block.timestamp < held.unbondsAt) revert StillUnbonding(held.unbondsAt, block.timestamp);

        held.unbonding = 0;
        held.staked -= uint128(amount);
        emit StakeWithdrawn(msg.sender, amount);

        (bool accepted,) = msg.sender.call{value: amount}("");
        if (!accepted) revert TransferRefused(msg.sender);
    }

    /// @inheritdoc IProviderRegistry
    function lock(address provider, uint256 amount) external onlyRequests {
        Stake storage held = stakes[provider];
        uint256 free = _free(held);
        if (free < amount) revert StakeTooLow(amount, free);

        // Fits: at most the stake.
        uint128 locked = held.locked + uint128(amount);
        held.locked = locked;

        emit BondLocked(provider, amount, locked);
    }

    /// @inheritdoc IProviderRegistry
    function unlock(address provider, uint256 amount) external onlyRequests {
        Stake storage held = stakes[provider];
        if (held.locked < amount) revert LockTooLow(amount, held.locked);

        uint128 locked = held.locked - uint128(amount);
        held.locked = locked;

        emit BondUnlocked(provider, amount, locked);
    }

    /// @inheritdoc IProviderRegistry
    function slash(address provider, uint256 amount) external onlyRequests {
        Stake storage held = stakes[provider];
        if (held.locked < amount) revert LockTooLow(amount, held.locked);

        held.locked -= uint128(amount);
        uint128 staked = held.staked - uint128(amount);
        held.staked = staked;
        emit Slashed(provider, amount, staked);

        (bool accepted,) = msg.sender.call{value: amount}("");
        if (!accepted) revert TransferRefused(msg.sender);
    }

    /// @inheritdoc IProviderRegistry
    function stakeOf(address provider) external view returns (Stake memory) {
        return stakes[provider];
    }

    /// @inheritdoc IProviderRegistry
    function freeOf(address provider) external view returns (uint256) {
        return _free(stakes[provider]);
    }

    function _free(Stake storage held) private view returns (uint256) {
        return uint256(held.staked) - held.locked - held.unbonding;
    }
}

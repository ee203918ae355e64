// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// What a provider has at stake, in wei. free = staked - locked - unbonding.
struct Stake {
    /// Everything that the provider put in and has not withdrawn or lost.
    uint128 staked;
    /// The part that stands behind accepted requests.
    uint128 locked;
    /// The part that is on its way out; it can neither be locked nor slashed.
    uint128 unbonding;
    /// When that part may be withdrawn, Unix seconds.
    uint64 unbondsAt;
}

/// @title Stakes of providers, and the bonds that they lock.
/// @dev Spec: claims, 3.5. A provider opts into a rules set by staking here.
/// Warning: a second `unstake` joins the first and starts the waiting time of both anew.
/// Warning: a provider that is a contract refusing ether cannot withdraw its stake.
interface IProviderRegistry {
    event Staked(address indexed provider, uint256 amount, uint256 staked);
    event Unstaked(address indexed provider, uint256 amount, uint256 unbondsAt);
    event StakeWithdrawn(address indexed provider, uint256 amount);
    event BondLocked(address indexed provider, uint256 amount, uint256 locked);
    event BondUnlocked(address indexed provider, uint256 amount, uint256 locked);
    event Slashed(address indexed provider, uint256 amount, uint256 staked);

    /// Not enough free stake for the bond, or for what should be unstaked.
    error StakeTooLow(uint256 needed, uint256 free);
    error AmountZero();
    /// A stake is less than 2^128 wei.
    error AmountTooLarge(uint256 most, uint256 actual);
    /// Nothing is unbonding.
    error NothingUnbonding(address provider);
    error StillUnbonding(uint256 unbondsAt, uint256 timestamp);
    /// Only Requests of the set locks, unlocks and slashes.
    error NotRequests(address expected, address actual);
    /// More than the provider's locked bonds.
    error LockTooLow(uint256 needed, uint256 locked);
    error TransferRefused(address to);

    /// Adds the value to the caller's stake.
    function stake() external payable;

    /// Starts unbonding of `amount` wei of the caller's free stake.
    function unstake(uint256 amount) external;

    /// Pays the caller what has unbonded.
    function withdrawStake() external;

    /// Locks free stake as a bond. Requests only.
    function lock(address provider, uint256 amount) external;

    /// Frees a bond. Requests only.
    function unlock(address provider, uint256 amount) external;

    /// Takes `amount` out of the provider's locked bonds and pays it to Requests. Requests only.
    function slash(address provider, uint256 amount) external;

    function stakeOf(address provider) external view returns (Stake memory);

    /// Stake that may be locked or unstaked.
    function freeOf(address provider) external view returns (uint256);

    function unbondingSeconds() external view returns (uint256);
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IProviderRegistry} from "../src/interfaces/IProviderRegistry.sol";
import {SetFixture} from "./base/SetFixture.sol";

/// @title Stakes, unbonding, and who may touch them. Spec: claims, 3.5.
contract ProviderRegistryTest is SetFixture {
    function setUp() public {
        deploySet();
        vm.prank(provider);
        providers.stake{value: 10 ether}();
    }

    function test_stake_adds_up_and_nothing_is_no_stake() public {
        vm.prank(provider);
        providers.stake{value: 5 ether}();
        assertEq(providers.freeOf(provider), 15 ether, "free");
        vm.expectRevert(abi.encodeWithSelector(IProviderRegistry.AmountZero.selector));
        vm.prank(provider);
        providers.stake();
    }

    function test_unbonded_stake_is_paid_after_the_waiting_time_and_not_before() public {
        vm.startPrank(provider);
        vm.expectRevert(abi.encodeWithSelector(IProviderRegistry.AmountZero.selector));
        providers.unstake(0);
        vm.expectRevert(abi.encodeWithSelector(IProviderRegistry.StakeTooLow.selector, 11 ether, 10 ether));
        providers.unstake(11 ether);
        vm.expectRevert(abi.encodeWithSelector(IProviderRegistry.NothingUnbonding.selector, provider));
        providers.withdrawStake();
        providers.unstake(4 ether);
        assertEq(providers.freeOf(provider), 6 ether, "no longer free");
        uint256 unbondsAt = block.timestamp + UNBONDING;
        vm.warp(unbondsAt - 1);
        vm.expectRevert(abi.encodeWithSelector(IProviderRegistry.StillUnbonding.selector, unbondsAt, unbondsAt - 1));
        providers.withdrawStake();
        vm.warp(unbondsAt);
        uint256 before = provider.balance;
        providers.withdrawStake();
        assertEq(provider.balance, before + 4 ether, "paid");
        assertEq(uint256(providers.stakeOf(provider).staked), 6 ether, "left");
        vm.stopPrank();
    }

    /// Warning of IProviderRegistry.
    function test_a_second_unstake_starts_the_waiting_time_anew() public {
        vm.startPrank(provider);
        providers.unstake(1 ether);
        vm.warp(block.timestamp + UNBONDING);
        providers.unstake(1 ether);
        vm.expectPartialRevert(IProviderRegistry.StillUnbonding.selector);
        providers.withdrawStake();
        vm.stopPrank();
    }

    function test_only_requests_lock_unlock_and_slash() public {
        bytes memory reason =
            abi.encodeWithSelector(IProviderRegistry.NotRequests.selector, address(requests), address(game));
        vm.startPrank(address(game));
        vm.expectRevert(reason);
        providers.lock(provider, 1);
        vm.expectRevert(reason);
        providers.unlock(provider, 1);
        vm.expectRevert(reason);
        providers.slash(provider, 1);
        vm.stopPrank();
    }

    function test_no_more_than_a_lock_is_unlocked_or_slashed() public {
        vm.startPrank(address(requests));
        providers.lock(provider, 3 ether);
        bytes memory reason = abi.encodeWithSelector(IProviderRegistry.LockTooLow.selector, 4 ether, 3 ether);
        vm.expectRevert(reason);
        providers.unlock(provider, 4 ether);
        vm.expectRevert(reason);
        providers.slash(provider, 4 ether);
        providers.slash(provider, 2 ether);
        assertEq(uint256(providers.stakeOf(provider).staked), 8 ether, "staked");
        assertEq(uint256(providers.stakeOf(provider).locked), 1 ether, "locked");
        vm.stopPrank();
    }

    /// Stake in unbonding cannot be locked again, so every lock is covered.
    function test_a_lock_takes_free_stake_only() public {
        vm.prank(provider);
        providers.unstake(8 ether);
        vm.expectRevert(abi.encodeWithSelector(IProviderRegistry.StakeTooLow.selector, 3 ether, 2 ether));
        vm.prank(address(requests));
        providers.lock(provider, 3 ether);
    }

    /// A re-entrant caller finds nothing left.
    function test_a_reentrant_withdrawal_is_paid_once() public {
        Thief thief = new Thief(providers);
        vm.deal(address(this), 2 ether);
        thief.enter{value: 1 ether}();
        vm.warp(block.timestamp + UNBONDING);
        vm.expectRevert(abi.encodeWithSelector(IProviderRegistry.TransferRefused.selector, address(thief)));
        thief.leave();
        assertEq(address(providers).balance, 11 ether, "nothing left");
    }
}

contract Thief {
    IProviderRegistry private immutable providers;

    constructor(IProviderRegistry providers_) {
        providers = providers_;
    }

    function enter() external payable {
        providers.stake{value: msg.value}();
        providers.unstake(msg.value);
    }

    function leave() external {
        providers.withdrawStake();
    }

    receive() external payable {
        providers.withdrawStake();
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Game} from "../../src/interfaces/IDisputeGame.sol";
import {IDisputeGame} from "../../src/interfaces/IDisputeGame.sol";
import {IRequests} from "../../src/interfaces/IRequests.sol";
import {Side} from "../../src/interfaces/IDisputeGame.sol";
import {SmallModel} from "../base/SmallModel.sol";
import {Status} from "../../src/interfaces/IRequests.sol";

/// @title Clocks of both sides, and games that end by time. Spec: game, 4.10 to 4.13.
contract ClocksTest is SmallModel {
    uint256 private clock;

    function setUp() public {
        setUpSmall(1, 777);
        claimed();
        clock = game.clockOf(modelId);
    }

    function pass(uint256 seconds_) private {
        vm.warp(block.timestamp + seconds_);
    }

    function timeoutCall(bytes32 gameId) private view returns (bytes memory) {
        return abi.encodeCall(game.timeout, (gameId));
    }

    /// Attack: withheld roots. Spec: game, 4.10.
    function test_a_claimant_that_never_answers_is_convicted_and_the_challenger_gets_the_bounty() public {
        bytes32 gameId = open(challenger);
        pass(clock);
        refused(
            other,
            0,
            timeoutCall(gameId),
            abi.encodeWithSelector(IDisputeGame.ClockRuns.selector, Side.Claimant, clock, clock)
        );
        pass(1);
        uint256 prepaid = game.gameOf(gameId).prepaid;
        vm.expectEmit(true, true, true, true, address(game));
        emit IDisputeGame.ConvictedByTime(gameId, claimKey, challenger, clock + 1, clock);
        send(other, 0, timeoutCall(gameId));
        assertTrue(requests.requestOf(requestId).status == Status.Convicted, "convicted");
        assertGe(requests.credit(challenger), CHALLENGE_BOND + prepaid + BOUNTY, "bond, prepayment, bounty");
        assertGe(requests.credit(other), 1, "gas of the timeout");
        assertEq(requests.credit(requester), 2 ether, "price and compensation");
    }

    /// Spec: game, 4.12. Losing says nothing about the claim.
    function test_a_challenger_that_stops_loses_its_bond_and_only_its_game() public {
        bytes32 gameId = open(challenger);
        pass(100);
        firstAnswer(gameId);
        uint256 credited = requests.credit(provider);
        uint256 sunk = SINK.balance;
        pass(clock);
        refused(
            other,
            0,
            timeoutCall(gameId),
            abi.encodeWithSelector(IDisputeGame.ClockRuns.selector, Side.Challenger, clock, clock)
        );
        pass(1);
        uint256 prepaid = game.gameOf(gameId).prepaid;
        send(other, 0, timeoutCall(gameId));
        assertEq(requests.credit(provider) - credited, CHALLENGE_BOND / 2, "half to the claimant");
        assertEq(SINK.balance - sunk, CHALLENGE_BOND / 2, "half burned");
        assertEq(requests.credit(challenger), prepaid, "unused prepayment");
        assertEq(game.openGames(claimKey), 0, "no game open");
        refused(other, 0, timeoutCall(gameId), abi.encodeWithSelector(IDisputeGame.GameOver.selector, gameId));
        refused(
            other,
            0,
            abi.encodeCall(game.settle, (gameId)),
            abi.encodeWithSelector(IDisputeGame.AlreadySettled.selector, gameId)
        );
        requests.finalize(requestId);
        assertTrue(requests.requestOf(requestId).status == Status.Final, "the claim became final");
    }

    /// Attack: lying clock. Spec: game, 4.10.
    function test_late_moves_are_refused_on_both_sides() public {
        bytes32 gameId = open(challenger);
        bytes memory data = firstAnswerCall(gameId);
        pass(clock + 1);
        refused(
            provider, 0, data, abi.encodeWithSelector(IDisputeGame.ClockOver.selector, Side.Claimant, clock + 1, clock)
        );
        vm.warp(block.timestamp - 1);
        send(provider, 0, data);
        data = nameNodeCall(gameId, 1);
        pass(clock + 1);
        refused(
            challenger,
            1 ether,
            data,
            abi.encodeWithSelector(IDisputeGame.ClockOver.selector, Side.Challenger, clock + 1, clock)
        );
        vm.warp(block.timestamp - 1);
        send(challenger, 1 ether, data);
    }

    /// Spec: game, 4.10.
    function test_time_counts_against_the_side_that_is_waited_for() public {
        bytes32 gameId = open(challenger);
        pass(30);
        firstAnswer(gameId);
        pass(50);
        nameNode(gameId, 1);
        pass(7);
        answer(gameId);
        pass(11);
        Game memory g = game.gameOf(gameId);
        assertEq(g.claimantUsed, 37, "claimant");
        assertEq(g.challengerUsed, 61, "challenger");
        assertEq(g.clock, clock, "clock");
    }

    /// Spec: game, 4.10. An opening made through another game stops this game's clock, too.
    function test_an_opening_elsewhere_stops_the_claimants_clock_here() public {
        bytes32 first = open(challenger);
        bytes32 second = open(other);
        pass(40);
        firstAnswer(second);
        pass(5);
        Game memory g = game.gameOf(first);
        assertEq(g.claimantUsed, 40, "claimant");
        assertEq(g.challengerUsed, 5, "challenger");
    }

    /// Spec: game, 4.10. An answer in another game does not cure a clock that has run out.
    function test_an_opening_that_came_too_late_for_a_game_convicts_through_it() public {
        bytes32 early = open(challenger);
        pass(290);
        uint256 closesAt = requests.claimOf(requestId).closesAt;
        vm.warp(closesAt);
        bytes32 late = open(other);
        uint256 opened = game.gameOf(early).movedAt;
        vm.warp(opened + clock + 1);
        firstAnswer(late);
        refused(
            challenger,
            1 ether,
            nameNodeCall(early, 1),
            abi.encodeWithSelector(IDisputeGame.ClockOver.selector, Side.Claimant, clock + 1, clock)
        );
        send(other, 0, timeoutCall(early));
        assertTrue(game.games(claimKey).convicted, "convicted");
    }

    /// Spec: claims, 3.11 and game, 4.13.
    function test_an_untouched_game_ends_before_the_latest_moment_of_finality() public {
        vm.warp(requests.claimOf(requestId).closesAt);
        bytes32 gameId = open(challenger);
        pass(clock);
        firstAnswer(gameId);
        vm.expectRevert(abi.encodeWithSelector(IRequests.GamesOpen.selector, 1));
        requests.finalize(requestId);
        pass(clock + 1);
        send(other, 0, timeoutCall(gameId));
        requests.finalize(requestId);
        assertLe(block.timestamp, requests.claimOf(requestId).closesAt + 2 * clock + 1, "latest moment");
    }
}

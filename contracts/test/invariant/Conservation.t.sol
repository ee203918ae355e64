// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Game} from "../../src/interfaces/IDisputeGame.sol";
import {GameFixture} from "../base/GameFixture.sol";
import {InvariantTest} from "../base/Test.sol";
import {Request} from "../../src/interfaces/IRequests.sol";
import {SegmentModel} from "../base/SegmentModel.sol";
import {SmallModel} from "../base/SmallModel.sol";
import {Stage} from "../../src/interfaces/IDisputeGame.sol";
import {Stake} from "../../src/interfaces/IProviderRegistry.sol";
import {Status} from "../../src/interfaces/IRequests.sol";
import {Terms} from "../../src/interfaces/IRequests.sol";

/// @title Random people: they ask, accept, claim, open, move, stop, time out, refund, finalize, withdraw.
/// @dev Calls that the contracts refuse are no calls; every one leaves the sums to be checked.
abstract contract People is GameFixture {
    // The lie, in the second tile of its node.
    uint256 internal immutable lieAt;
    uint256 internal immutable lieIn;
    bytes32[] internal asked;
    bytes32[] internal opened;
    address[] internal everyone;
    uint64 private nonce;
    address private immutable judge;

    constructor(uint256 node, uint256 element) {
        judge = msg.sender;
        (lieIn, lieAt) = (node, element);
        setUpLie(node, element);
        everyone.push(provider);
        everyone.push(requester);
        everyone.push(challenger);
        everyone.push(other);
        vm.prank(provider);
        providers.stake{value: 30 ether}();
    }

    /// Sets up a model and a trace that lies at (`node`, `element`).
    function setUpLie(uint256 node, uint256 element) internal virtual;

    function pick(bytes32[] storage from, uint256 seed) private view returns (bytes32) {
        return from.length == 0 ? bytes32(0) : from[seed % from.length];
    }

    function attempt(address who, address target, uint256 value, bytes memory data) private returns (bool done) {
        vm.prank(who);
        (done,) = target.call{value: value}(data);
    }

    function use(bytes32 gameId) private returns (bool known) {
        if (gameId == 0) return false;
        Game memory g = game.gameOf(gameId);
        requestId = g.requestId;
        claimKey = g.claimKey;
        return true;
    }

    function pass(uint256 seconds_) external {
        vm.warp(block.timestamp + seconds_ % 400);
        vm.roll(block.number + 1);
        vm.setBlockhash(block.number - 1, keccak256(abi.encode(block.number)));
        vm.fee(1 gwei + seconds_ % 3 gwei);
    }

    function request(uint256 price, uint256 risk) external {
        Terms memory terms = termsOf(tensor(0));
        terms.price = price % 2 ether;
        terms.valueAtRisk = risk % 4 ether;
        terms.nonce = nonce++;
        vm.prank(requester);
        asked.push(requests.request{value: terms.price}(terms, tensor(0)));
    }

    /// A request that is accepted and claimed at once, so that games are common.
    function answered(uint256 price, uint256 risk) external {
        this.request(price, risk);
        uint256 last = asked.length - 1;
        this.accept(last);
        this.claim(last);
    }

    function accept(uint256 seed) external {
        attempt(provider, address(requests), 0, abi.encodeCall(requests.accept, (pick(asked, seed))));
    }

    function claim(uint256 seed) external {
        attempt(provider, address(requests), 0, abi.encodeCall(requests.claim, (pick(asked, seed), tensor(outputNode))));
    }

    function open(uint256 seed, uint256 extra) external {
        bytes32 id = pick(asked, seed);
        bytes32 key = requests.requestOf(id).claimKey;
        if (key == 0) return;
        uint256 value = game.openValue(id) + extra % 1 ether;
        uint256 index = game.games(key).games;
        address who = extra % 2 == 0 ? challenger : other;
        if (attempt(who, address(game), value, abi.encodeCall(game.open, (id, key)))) {
            opened.push(game.gameIdOf(key, index));
        }
    }

    /// The next right move of a game, whoever's turn it is.
    function advance(uint256 seed) external {
        bytes32 gameId = pick(opened, seed);
        if (!use(gameId)) return;
        Game memory g = game.gameOf(gameId);
        if (g.stage == Stage.Over) return;
        if (g.openedAt == 0) {
            bytes memory data = this.answerOf(gameId, g.stage == Stage.First);
            attempt(g.stage == Stage.First || seed % 2 == 0 ? provider : other, address(game), 0, data);
        } else if (g.stage == Stage.First || g.stage == Stage.Segment) {
            attempt(g.challenger, address(game), 1 ether, this.nodeCall(gameId, g.stage == Stage.Segment));
        } else if (g.stage == Stage.Tensor) {
            attempt(g.challenger, address(game), 1 ether, this.entryCall(gameId));
        } else {
            attempt(g.challenger, address(game), 0, this.lastCall(gameId, seed % 3 == 0 ? lieAt : lieAt - 1));
        }
    }

    // Calls of their own, as the compiler's stack is small.

    function answerOf(bytes32 gameId, bool first) external view returns (bytes memory) {
        return first ? firstAnswerCall(gameId) : answerCall(gameId);
    }

    function nodeCall(bytes32 gameId, bool inSegment) external view returns (bytes memory) {
        return nameNodeCall(gameId, inSegment ? lieIn : endOf(segmentOf(lieIn)));
    }

    function entryCall(bytes32 gameId) external view returns (bytes memory) {
        return nameEntryCall(gameId, 1);
    }

    function lastCall(bytes32 gameId, uint256 element) external view returns (bytes memory) {
        return stepCall(gameId, element);
    }

    function timeout(uint256 seed) external {
        attempt(other, address(game), 0, abi.encodeCall(game.timeout, (pick(opened, seed))));
    }

    function settle(uint256 seed) external {
        attempt(other, address(game), 0, abi.encodeCall(game.settle, (pick(opened, seed))));
    }

    function finalize(uint256 seed) external {
        attempt(other, address(requests), 0, abi.encodeCall(requests.finalize, (pick(asked, seed))));
    }

    function refund(uint256 seed) external {
        attempt(other, address(requests), 0, abi.encodeCall(requests.refund, (pick(asked, seed))));
    }

    function withdraw(uint256 seed) external {
        attempt(everyone[seed % everyone.length], address(requests), 0, abi.encodeCall(requests.withdraw, ()));
    }

    function unstake(uint256 amount) external {
        attempt(provider, address(providers), 0, abi.encodeCall(providers.unstake, (amount % 10 ether)));
    }

    function withdrawStake() external {
        attempt(provider, address(providers), 0, abi.encodeCall(providers.withdrawStake, ()));
    }

    function stake(uint256 amount) external {
        attempt(provider, address(providers), amount % 10 ether, abi.encodeCall(providers.stake, ()));
    }

    /// What each contract owes, added up from the outside.
    function owed() public view returns (uint256 inRequests, uint256 inProviders, uint256 inGame) {
        for (uint256 i = 0; i < everyone.length; ++i) {
            inRequests += requests.credit(everyone[i]);
        }
        for (uint256 i = 0; i < asked.length; ++i) {
            Request memory made = requests.requestOf(asked[i]);
            bool held =
                made.status == Status.Requested || made.status == Status.Accepted || made.status == Status.Claimed;
            if (held) inRequests += made.price;
        }
        inProviders = providers.stakeOf(provider).staked;
        for (uint256 i = 0; i < opened.length; ++i) {
            Game memory g = game.gameOf(opened[i]);
            if (!g.settled) inGame += CHALLENGE_BOND + g.prepaid;
        }
    }

    function balances() public view returns (uint256 inRequests, uint256 inProviders, uint256 inGame) {
        return (address(requests).balance, address(providers).balance, address(game).balance);
    }

    function locks() public view returns (Stake memory stake_, uint256 bonds) {
        stake_ = providers.stakeOf(provider);
        for (uint256 i = 0; i < asked.length; ++i) {
            bonds += requests.requestOf(asked[i]).bond;
        }
    }

    /// Ends everything by time alone: calls that anyone may make, in three rounds.
    function endByTime() external returns (uint256 left) {
        if (msg.sender != judge) return 0;
        for (uint256 round = 0; round < 3; ++round) {
            vm.warp(block.timestamp + 3 * game.clockOf(modelId) + requests.windowFloor(modelId));
            for (uint256 i = 0; i < opened.length; ++i) {
                attempt(other, address(game), 0, abi.encodeCall(game.timeout, (opened[i])));
                attempt(other, address(game), 0, abi.encodeCall(game.settle, (opened[i])));
            }
            for (uint256 i = 0; i < asked.length; ++i) {
                attempt(other, address(requests), 0, abi.encodeCall(requests.refund, (asked[i])));
                attempt(other, address(requests), 0, abi.encodeCall(requests.finalize, (asked[i])));
            }
        }
        for (uint256 i = 0; i < everyone.length; ++i) {
            attempt(everyone[i], address(requests), 0, abi.encodeCall(requests.withdraw, ()));
        }
        return address(requests).balance + address(game).balance;
    }

    /// How often each end was reached.
    function ends() external view returns (uint256[7] memory byStatus, uint256 lost) {
        for (uint256 i = 0; i < asked.length; ++i) {
            ++byStatus[uint256(requests.requestOf(asked[i]).status)];
        }
        for (uint256 i = 0; i < opened.length; ++i) {
            Game memory g = game.gameOf(opened[i]);
            if (g.stage == Stage.Over && !game.games(g.claimKey).convicted) ++lost;
        }
    }
}

contract SmallPeople is People(1, 777), SmallModel {
    function setUpLie(uint256 node, uint256 element) internal override {
        setUpSmall(node, element);
    }
}

contract SegmentPeople is People(3, 555), SegmentModel {
    function setUpLie(uint256 node, uint256 element) internal override {
        setUpSegments(node, element);
    }

    function isInterior(uint256 node) internal pure override(GameFixture, SegmentModel) returns (bool) {
        return SegmentModel.isInterior(node);
    }
}

/// @title Conservation. Spec: claims, 3.6; game, 4.13.
abstract contract Conservation is InvariantTest {
    People private people;

    function newPeople() internal virtual returns (People);

    function setUp() public {
        people = newPeople();
        targetContract(address(people));
    }

    /// Read by the runner, which gives ether to whoever it calls as; not to the contracts.
    function targetSenders() public pure returns (address[] memory senders) {
        senders = new address[](1);
        senders[0] = address(0x5e4d);
    }

    /// For the set: balances = stakes + escrows + challenge bonds + prepayments + credits, contract by contract.
    function invariant_balances_are_exactly_what_is_owed() public view {
        (uint256 requests, uint256 providers, uint256 game) = people.balances();
        (uint256 owedRequests, uint256 owedProviders, uint256 owedGame) = people.owed();
        assertEq(requests, owedRequests, "Requests: escrows and credits");
        assertEq(providers, owedProviders, "ProviderRegistry: stakes");
        assertEq(game, owedGame, "DisputeGame: bonds and prepayments");
    }

    function invariant_locks_are_exactly_the_bonds_and_covered_by_stake() public view {
        (Stake memory stake, uint256 bonds) = people.locks();
        assertEq(uint256(stake.locked), bonds, "locked");
        assertLe(uint256(stake.locked) + stake.unbonding, stake.staked, "covered");
    }

    /// The people are random, yet no end stays untried.
    function test_the_random_people_reach_every_end() public {
        for (uint256 i = 0; i < 600; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            uint256 kind = seed % 16;
            seed >>= 8;
            if (kind < 2) people.answered(seed, seed >> 64);
            else if (kind < 4) people.open(seed, seed >> 64);
            else if (kind < 9) people.advance(seed);
            else if (kind == 9) people.pass(seed);
            else if (kind == 10) people.timeout(seed);
            else if (kind == 11) people.settle(seed);
            else if (kind == 12) people.finalize(seed);
            else if (kind == 13) people.refund(seed);
            else if (kind == 14) people.request(seed, seed >> 64);
            else people.stake(seed);
            if (i % 20 == 0) invariant_balances_are_exactly_what_is_owed();
        }
        (uint256[7] memory byStatus, uint256 lost) = people.ends();
        assertGe(byStatus[4], 1, "final");
        assertGe(byStatus[5], 1, "refunded");
        assertGe(byStatus[6], 1, "convicted");
        assertGe(lost, 1, "lost games");
        afterInvariant();
    }

    /// Run after each sequence.
    function afterInvariant() public {
        assertEq(people.endByTime(), 0, "every_escrow_ends_by_time_alone");
        (Stake memory stake,) = people.locks();
        assertEq(uint256(stake.locked), 0, "no lock is left");
    }
}

contract ConservationTest is Conservation {
    function newPeople() internal override returns (People) {
        return new SmallPeople();
    }
}

/// @title The same in games that go through a segment. Spec: claims, 3.6; game, 4.13.
contract SegmentConservationTest is Conservation {
    function newPeople() internal override returns (People) {
        return new SegmentPeople();
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {GasUnits} from "../../src/lib/GasUnits.sol";
import {IDisputeGame} from "../../src/interfaces/IDisputeGame.sol";
import {NodeBuilder} from "../base/NodeBuilder.sol";
import {Request} from "../../src/interfaces/IRequests.sol";
import {SmallModel} from "../base/SmallModel.sol";
import {StepInput} from "../../src/interfaces/IDisputeGame.sol";

/// @title Who ends with what. Spec: game, 4.4, 4.11, 4.12 and 4.14.
/// @dev Gas is counted in units at 2 gwei, which is at least the real use (test/games/Gas.t.sol).
contract PayoutsTest is SmallModel {
    uint256 private constant NODE = 1;
    uint256 private constant ELEMENT = 777;
    uint256 private constant GAS_PRICE = 2 gwei;

    function setUp() public {
        setUpSmall(NODE, ELEMENT);
        claimed();
    }

    function allMoney() private view returns (uint256 sum) {
        sum = address(requests).balance + address(providers).balance + address(game).balance + SINK.balance;
        sum += requester.balance + provider.balance + challenger.balance + other.balance;
    }

    function stepUnits(bytes32 gameId) external view returns (uint256) {
        StepInput memory input = stepInput(gameId, ELEMENT);
        uint256 hashes = input.leafSiblings.length + input.inputRoots.length + input.traceSiblings.length
            + input.segmentSiblings.length;
        uint256 payload = input.tile.length + input.nodeLeaf.length;
        for (uint256 i = 0; i < input.openings.length; ++i) {
            hashes += input.openings[i].siblings.length;
            payload += input.openings[i].tiles.length;
        }
        return GasUnits.step(input.openings.length, hashes, payload) + GasUnits.PER_PAYOUT;
    }

    /// Units of all the moves that the challenger makes in one game.
    function challengerUnits(bytes32 gameId) private view returns (uint256) {
        uint256 units = GasUnits.OPEN + GasUnits.nameNode(4, leaves[NODE].length) + GasUnits.nameEntry(2);
        return units + this.stepUnits(gameId);
    }

    /// Spec: game, 4.11 and 4.14.
    function test_a_convictor_gets_back_bond_prepayments_gas_and_the_bounty() public {
        uint256 before = wealth(challenger);
        uint256 sum = allMoney();
        bytes32 gameId = open(challenger);
        descend(gameId, NODE, ELEMENT);
        uint256 gasSpent = GAS_PRICE * challengerUnits(gameId);
        step(gameId, ELEMENT);
        assertEq(wealth(challenger), before + gasSpent + BOUNTY, "challenger");
        assertEq(allMoney(), sum, "nothing made, nothing lost");
    }

    /// Spec: claims, 3.12 and game, 4.11.
    function test_the_bond_is_slashed_half_burned_and_the_requester_gets_price_and_compensation() public {
        Request memory made = requests.requestOf(requestId);
        uint256 staked = providers.stakeOf(provider).staked;
        bytes32 gameId = open(challenger);
        descend(gameId, NODE, ELEMENT);
        step(gameId, ELEMENT);
        assertEq(staked - providers.stakeOf(provider).staked, made.bond, "slashed");
        assertGe(SINK.balance, made.bond / 2, "at least half burned");
        assertEq(requests.credit(requester), uint256(made.price) * 2, "price and compensation");
    }

    /// Spec: game, 4.11. Attack: slot capture, crowds behind a conviction.
    function test_conviction_closes_all_games_and_repays_the_first_eight() public {
        address[] memory crowd = new address[](10);
        bytes32[] memory ids = new bytes32[](10);
        uint256[] memory spent = new uint256[](10);
        for (uint256 i = 0; i < 10; ++i) {
            crowd[i] = address(uint160(0xc000 + i));
            vm.deal(crowd[i], 10 ether);
            ids[i] = open(crowd[i]);
            spent[i] = game.gameOf(ids[i]).spent;
        }
        bytes32 gameId = open(challenger);
        descend(gameId, NODE, ELEMENT);
        step(gameId, ELEMENT);
        for (uint256 i = 0; i < 10; ++i) {
            bytes memory late = abi.encodeCall(game.timeout, (ids[i]));
            refused(other, 0, late, abi.encodeWithSelector(IDisputeGame.AlreadyConvicted.selector, claimKey));
            game.settle(ids[i]);
            assertEq(wealth(crowd[i]), 10 ether + (i < 8 ? spent[i] : 0), "bond and prepayment, gas of the first eight");
            bytes memory again = abi.encodeCall(game.settle, (ids[i]));
            refused(other, 0, again, abi.encodeWithSelector(IDisputeGame.AlreadySettled.selector, ids[i]));
        }
        assertEq(address(game).balance, 0, "nothing left behind");
    }

    /// Spec: game, 4.11.
    function test_a_game_that_goes_on_cannot_be_settled() public {
        bytes32 gameId = open(challenger);
        bytes memory data = abi.encodeCall(game.settle, (gameId));
        refused(other, 0, data, abi.encodeWithSelector(IDisputeGame.NotSettled.selector, gameId));
    }

    /// Spec: game, 4.11. No loop over the crowd.
    function test_a_conviction_costs_the_same_behind_a_crowd() public {
        for (uint256 i = 0; i < 8; ++i) {
            open(other);
        }
        bytes32 gameId = open(challenger);
        descend(gameId, NODE, ELEMENT);
        bytes memory data = stepCall(gameId, ELEMENT);
        uint256 state = vm.snapshotState();
        send(challenger, 0, data);
        uint256 few = vm.lastCallGas().gasTotalUsed;
        vm.revertToState(state);
        for (uint256 i = 0; i < 40; ++i) {
            open(other);
        }
        send(challenger, 0, data);
        assertLe(vm.lastCallGas().gasTotalUsed, few + 5_000, "gas behind 40 more games");
    }

    /// Spec: game, 4.14. Attack: endless questions to an honest claimant.
    function test_a_right_claimant_ends_with_at_least_its_balance() public {
        replace(1, evaluate(1, tensor(0)));
        replace(2, evaluate(2, tensor(1)));
        claimAgain();
        uint256 before = wealth(provider);
        bytes32 gameId = open(challenger);
        descend(gameId, NODE, ELEMENT);
        refused(challenger, 0, stepCall(gameId, ELEMENT), IDisputeGame.ValueAgrees.selector);
        uint256 units = GasUnits.firstAnswer(3, 0) + GasUnits.answer(3) + GasUnits.answerTile(512) + GasUnits.TIMEOUT;
        vm.warp(block.timestamp + game.clockOf(modelId) + 1);
        vm.prank(provider);
        game.timeout(gameId);
        requests.finalize(requestId);
        uint256 gasSpent = GAS_PRICE * units;
        assertGe(wealth(provider), before + 1 ether + gasSpent, "balance, price and gas");
    }

    /// Claims anew with the right output.
    function claimAgain() private {
        vm.roll(block.number + 1);
        vm.setBlockhash(block.number - 1, keccak256("next"));
        vm.warp(block.timestamp + 1);
        claimed();
    }

    /// Spec: game, 4.4. A later answer is anyone's, and paid.
    function test_whoever_answers_is_paid_out_of_the_prepayment() public {
        bytes32 gameId = open(challenger);
        firstAnswer(gameId);
        nameNode(gameId, NODE);
        uint256 prepaid = game.gameOf(gameId).prepaid;
        send(other, 0, answerCall(gameId));
        uint256 paid = GasUnits.answer(3) * GAS_PRICE;
        assertEq(requests.credit(other), paid, "paid");
        assertEq(game.gameOf(gameId).prepaid, prepaid - paid, "the rest stays with the game");
    }

    /// Spec: game, 4.4. While the base fee stays within its factor, the prepayment is enough.
    function test_an_answer_is_paid_in_full_up_to_twice_the_base_fee() public {
        vm.fee(50 gwei);
        vm.txGasPrice(52 gwei);
        bytes32 gameId = open(challenger);
        vm.fee(100 gwei);
        vm.txGasPrice(500 gwei);
        firstAnswer(gameId);
        assertEq(requests.credit(provider), GasUnits.firstAnswer(3, 0) * 102 gwei, "base fee and 2 gwei");
        assertEq(game.gameOf(gameId).prepaid, 0, "used up");
    }

    /// Spec: claims, 3.12. Attack: self-conviction for the compensation.
    function test_convicting_oneself_loses_at_least_half_of_the_bond() public {
        uint256 before = wealth(provider) + wealth(requester);
        vm.deal(provider, provider.balance);
        uint256 bond = requests.requestOf(requestId).bond;
        bytes32 gameId = open(provider);
        descend(gameId, NODE, ELEMENT);
        uint256 gasPaid = game.gameOf(gameId).spent;
        step(gameId, ELEMENT);
        // What is repaid for gas was spent on gas; the price comes back to the friend who asked.
        assertLe(wealth(provider) + wealth(requester), before + 1 ether - bond / 2 + gasPaid + 0.01 ether, "loss");
    }

    /// Attack: staged games between friends. A claimant whose friend loses on purpose burns half of the bond.
    function test_a_game_lost_to_a_friend_costs_the_friends_half_of_its_bond() public {
        uint256 before = wealth(provider) + wealth(challenger);
        bytes32 gameId = open(challenger);
        firstAnswer(gameId);
        vm.warp(block.timestamp + game.clockOf(modelId) + 1);
        vm.prank(provider);
        game.timeout(gameId);
        assertEq(wealth(provider) + wealth(challenger), before - CHALLENGE_BOND / 2, "burned");
    }
}

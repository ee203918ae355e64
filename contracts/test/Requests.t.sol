// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IModelRegistry} from "../src/interfaces/IModelRegistry.sol";
import {IProviderRegistry} from "../src/interfaces/IProviderRegistry.sol";
import {IRequests} from "../src/interfaces/IRequests.sol";
import {NodeBuilder} from "./base/NodeBuilder.sol";
import {Payout} from "../src/interfaces/IRequests.sol";
import {Request} from "../src/interfaces/IRequests.sol";
import {SmallModel} from "./base/SmallModel.sol";
import {Status} from "../src/interfaces/IRequests.sol";
import {Terms} from "../src/interfaces/IRequests.sol";

/// @title Requests up to finality and refund. Spec: claims, 3.6 to 3.13.
contract RequestsTest is SmallModel {
    bytes private data;

    function setUp() public {
        setUpSmall(0, 0);
        data = tensor(0);
        vm.prank(provider);
        providers.stake{value: 20 ether}();
    }

    function refusedRequest(Terms memory terms, bytes memory input_, bytes memory reason) private {
        uint256 price = terms.price;
        vm.expectRevert(reason);
        vm.prank(requester);
        requests.request{value: price}(terms, input_);
    }

    function notHere(Terms memory terms, string memory field) private {
        refusedRequest(terms, data, abi.encodeWithSelector(IRequests.NotInThisRules.selector, field));
    }

    function accepted() private returns (bytes32 id) {
        id = ask(termsOf(data), data);
        vm.prank(provider);
        requests.accept(id);
    }

    /// Spec: claims, 3.7 and 3.13.
    function test_what_belongs_to_the_next_set_is_refused_by_name() public {
        Terms memory t = termsOf(data);
        t.asset = address(1);
        notHere(t, "asset");
        t = termsOf(data);
        t.callback = address(1);
        notHere(t, "callback");
        t = termsOf(data);
        t.callbackGas = 1;
        notHere(t, "callbackGas");
        t = termsOf(data);
        t.availability = 2;
        notHere(t, "availability");
        uint8[6] memory later = [uint8(0), 2, 3, 6, 7, 8];
        for (uint256 i = 0; i < later.length; ++i) {
            t = termsOf(data);
            t.leastLevel = later[i];
            notHere(t, "leastLevel");
        }
        t = termsOf(data);
        t.provider = address(0);
        refusedRequest(t, data, abi.encodeWithSelector(IRequests.ProviderZero.selector));
    }

    /// Attack: wrong dimension values. Spec: claims, 3.7.
    function test_unknown_models_and_dimensions_are_refused() public {
        Terms memory t = termsOf(data);
        t.modelId = bytes32(uint256(1));
        refusedRequest(t, data, abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, t.modelId));
        t = termsOf(data);
        t.dimensions = NodeBuilder.list(5);
        refusedRequest(t, data, abi.encodeWithSelector(IModelRegistry.DimensionCount.selector, 0, 1));
    }

    /// Attack: self-made finality. Spec: claims, 3.3 and 3.7.
    function test_times_and_windows_have_their_floors() public {
        uint256 now_ = block.timestamp;
        Terms memory t = termsOf(data);
        uint256 floor = requests.windowFloor(modelId);
        assertGe(floor, CENSORSHIP, "at least C");
        t.window = uint32(floor - 1);
        refusedRequest(t, data, abi.encodeWithSelector(IRequests.WindowTooShort.selector, floor, floor - 1));
        t = termsOf(data);
        t.acceptBy = uint64(now_);
        refusedRequest(t, data, abi.encodeWithSelector(IRequests.WrongTimes.selector, now_, now_, t.answerBy));
        t = termsOf(data);
        t.answerBy = t.acceptBy;
        refusedRequest(t, data, abi.encodeWithSelector(IRequests.WrongTimes.selector, now_, t.acceptBy, t.acceptBy));
        t = termsOf(data);
        t.answerBy = 1 << 48;
        refusedRequest(t, data, abi.encodeWithSelector(IRequests.WrongTimes.selector, now_, t.acceptBy, t.answerBy));
    }

    /// Attack: reorganisation swap. Spec: claims, 3.7.
    function test_a_request_names_a_block_of_this_chain() public {
        Terms memory t = termsOf(data);
        bytes32 right = t.blockHash;
        t.blockHash = keccak256("another chain");
        refusedRequest(t, data, abi.encodeWithSelector(IRequests.WrongBlock.selector, right, t.blockHash));
        t = termsOf(data);
        t.blockNumber = uint64(block.number);
        refusedRequest(t, data, abi.encodeWithSelector(IRequests.BlockTooOld.selector, block.number, block.number));
        t.blockNumber = uint64(block.number - 257);
        t.blockHash = 0;
        refusedRequest(
            t, data, abi.encodeWithSelector(IRequests.BlockTooOld.selector, block.number - 257, block.number)
        );
    }

    /// Attack: undelivered or swapped input. Spec: claims, 3.7.
    function test_an_input_on_chain_has_its_length_form_and_root() public {
        Terms memory t = termsOf(data);
        bytes memory long = abi.encodePacked(data, uint8(1));
        refusedRequest(t, long, abi.encodeWithSelector(IRequests.InputLength.selector, K, K + 1));
        bytes memory bad = abi.encodePacked(uint8(1), uint8(2), uint8(3), uint8(0x80));
        refusedRequest(t, bad, abi.encodeWithSelector(IRequests.InputForm.selector, 0));
        bad[3] = 0x7f;
        refusedRequest(t, bad, abi.encodeWithSelector(IRequests.InputRoot.selector, t.inputRoot, NodeBuilder.root(bad)));
        t.availability = 1;
        refusedRequest(t, data, abi.encodeWithSelector(IRequests.InputLength.selector, 0, K));
        ask(t, "");
    }

    function test_the_value_is_the_price_and_an_id_stands_once() public {
        Terms memory t = termsOf(data);
        vm.expectRevert(abi.encodeWithSelector(IRequests.WrongValue.selector, 1 ether, 1));
        vm.prank(requester);
        requests.request{value: 1}(t, data);
        bytes32 id = ask(t, data);
        assertEq(id, keccak256(abi.encode(block.chainid, address(requests), requester, t)), "id");
        assertEq(id, requests.requestIdOf(requester, t), "view");
        refusedRequest(t, data, abi.encodeWithSelector(IRequests.AlreadyRequested.selector, id));
        t.nonce = 1;
        ask(t, data);
    }

    /// Spec: claims, 3.8.
    function test_only_the_named_provider_accepts_in_time_and_its_bond_locks() public {
        bytes32 id = ask(termsOf(data), data);
        vm.expectRevert(abi.encodeWithSelector(IRequests.NotProvider.selector, provider, other));
        vm.prank(other);
        requests.accept(id);
        uint256 acceptBy = requests.requestOf(id).acceptBy;
        vm.warp(acceptBy + 1);
        vm.expectRevert(abi.encodeWithSelector(IRequests.TooLate.selector, acceptBy, acceptBy + 1));
        vm.prank(provider);
        requests.accept(id);
        vm.warp(acceptBy);
        vm.prank(provider);
        requests.accept(id);
        uint256 bond = requests.bondFor(1 ether, 4 ether);
        assertEq(requests.requestOf(id).bond, bond, "bond");
        assertEq(providers.stakeOf(provider).locked, bond, "locked");
        vm.expectRevert(abi.encodeWithSelector(IRequests.WrongStatus.selector, Status.Requested, Status.Accepted));
        vm.prank(provider);
        requests.accept(id);
    }

    /// Spec: claims, 3.8.
    function test_the_bond_covers_value_price_and_twice_eight_games_with_the_bounty() public {
        assertEq(requests.bondFor(7 ether, 1 ether), 7 ether, "price");
        assertEq(requests.bondFor(1 ether, 9 ether), 9 ether, "value at risk");
        uint256 games_ = 2 * (8 * 3_500_000 * uint256(4 gwei) + BOUNTY);
        assertEq(requests.bondFor(0, 0), games_, "games at 2 * 1 gwei + 2 gwei");
        vm.fee(10 gwei);
        assertEq(requests.bondFor(0, 0), 2 * (8 * 3_500_000 * uint256(22 gwei) + BOUNTY), "at 10 gwei");
    }

    /// Attack: many lies on one stake, stake gone at claim. Spec: claims, 3.5 and 3.8.
    function test_one_stake_carries_no_more_bonds_than_it_covers() public {
        Terms memory t = termsOf(data);
        t.valueAtRisk = 15 ether;
        bytes32 first = ask(t, data);
        t.nonce = 1;
        bytes32 second = ask(t, data);
        vm.prank(provider);
        requests.accept(first);
        vm.expectRevert(abi.encodeWithSelector(IProviderRegistry.StakeTooLow.selector, 15 ether, 5 ether));
        vm.prank(provider);
        requests.accept(second);
        vm.expectRevert(abi.encodeWithSelector(IProviderRegistry.StakeTooLow.selector, 6 ether, 5 ether));
        vm.prank(provider);
        providers.unstake(6 ether);
        vm.prank(provider);
        providers.unstake(5 ether);
        vm.expectRevert(abi.encodeWithSelector(IProviderRegistry.StakeTooLow.selector, 15 ether, 0));
        vm.prank(provider);
        requests.accept(second);
    }

    /// Spec: claims, 3.9.
    function test_a_request_that_nobody_accepted_refunds_by_time_alone() public {
        bytes32 id = ask(termsOf(data), data);
        uint256 acceptBy = requests.requestOf(id).acceptBy;
        vm.warp(acceptBy);
        vm.expectRevert(abi.encodeWithSelector(IRequests.TooEarly.selector, acceptBy, acceptBy));
        requests.refund(id);
        vm.warp(acceptBy + 1);
        vm.prank(other);
        requests.refund(id);
        assertEq(requests.credit(requester), 1 ether, "price");
        vm.expectRevert(abi.encodeWithSelector(IRequests.WrongStatus.selector, Status.Requested, Status.Refunded));
        requests.refund(id);
    }

    /// Attack: accept and vanish, withheld output. Spec: claims, 3.9.
    function test_an_accepted_request_without_a_claim_refunds_with_compensation() public {
        bytes32 id = accepted();
        uint256 answerBy = requests.requestOf(id).answerBy;
        vm.warp(answerBy);
        vm.expectRevert(abi.encodeWithSelector(IRequests.TooEarly.selector, answerBy, answerBy));
        requests.refund(id);
        vm.warp(answerBy + 1);
        requests.refund(id);
        assertEq(requests.credit(requester), 2 ether, "price and compensation");
        assertEq(providers.stakeOf(provider).staked, 19 ether, "slashed");
        assertEq(providers.stakeOf(provider).locked, 0, "unlocked");
        vm.expectRevert(abi.encodeWithSelector(IRequests.WrongStatus.selector, Status.Accepted, Status.Refunded));
        vm.prank(provider);
        requests.claim(id, tensor(2));
    }

    /// Spec: claims, 3.9.
    function test_compensation_is_at_least_the_bounty_for_a_cheap_request() public {
        Terms memory t = termsOf(data);
        t.price = 0;
        bytes32 id = ask(t, data);
        vm.prank(provider);
        requests.accept(id);
        vm.warp(t.answerBy + 1);
        requests.refund(id);
        assertEq(requests.credit(requester), BOUNTY, "bounty");
    }

    /// Spec: claims, 3.10.
    function test_a_claim_carries_exactly_the_output_in_its_form() public {
        bytes32 id = accepted();
        bytes memory output = tensor(2);
        vm.expectRevert(abi.encodeWithSelector(IRequests.NotProvider.selector, provider, other));
        vm.prank(other);
        requests.claim(id, output);
        vm.startPrank(provider);
        vm.expectRevert(abi.encodeWithSelector(IRequests.OutputLength.selector, OUT, OUT + 1));
        requests.claim(id, abi.encodePacked(output, uint8(0)));
        bytes memory bad = abi.encodePacked(output);
        bad[9] = 0x80;
        vm.expectRevert(abi.encodeWithSelector(IRequests.OutputForm.selector, 0));
        requests.claim(id, bad);
        bytes32 root = NodeBuilder.root(output);
        bytes32 key = keccak256(abi.encode(block.chainid, address(requests), id, provider, uint256(0), root));
        uint256 closesAt = block.timestamp + requests.requestOf(id).window;
        vm.expectEmit(true, true, true, true, address(requests));
        emit IRequests.Claimed(id, key, provider, output, root, closesAt);
        assertEq(requests.claim(id, output), key, "claim key");
        vm.expectRevert(abi.encodeWithSelector(IRequests.WrongStatus.selector, Status.Accepted, Status.Claimed));
        requests.claim(id, output);
        vm.stopPrank();
    }

    /// Spec: claims, 3.10.
    function test_a_claim_after_answer_by_is_refused() public {
        bytes32 id = accepted();
        uint256 answerBy = requests.requestOf(id).answerBy;
        bytes memory output = tensor(2);
        vm.warp(answerBy + 1);
        vm.expectRevert(abi.encodeWithSelector(IRequests.TooLate.selector, answerBy, answerBy + 1));
        vm.prank(provider);
        requests.claim(id, output);
    }

    /// Spec: claims, 3.11.
    function test_a_claim_is_final_one_second_after_its_window() public {
        bytes32 id = accepted();
        bytes memory output = tensor(2);
        vm.prank(provider);
        requests.claim(id, output);
        uint256 closesAt = requests.claimOf(id).closesAt;
        vm.warp(closesAt);
        vm.expectRevert(abi.encodeWithSelector(IRequests.TooEarly.selector, closesAt, closesAt));
        requests.finalize(id);
        vm.warp(closesAt + 1);
        vm.prank(other);
        requests.finalize(id);
        assertEq(requests.credit(provider), 1 ether, "price");
        assertEq(providers.stakeOf(provider).locked, 0, "unlocked");
        uint256 before = provider.balance;
        vm.prank(provider);
        requests.withdraw();
        assertEq(provider.balance, before + 1 ether, "paid");
        vm.expectRevert(abi.encodeWithSelector(IRequests.NothingToWithdraw.selector, provider));
        vm.prank(provider);
        requests.withdraw();
        vm.expectRevert(abi.encodeWithSelector(IRequests.WrongStatus.selector, Status.Claimed, Status.Final));
        requests.finalize(id);
    }

    /// Spec: claims, 3.5 and 3.6.
    function test_only_the_game_convicts_and_only_siblings_pay_in() public {
        bytes32 id = accepted();
        vm.expectRevert(abi.encodeWithSelector(IRequests.NotDisputeGame.selector, address(game), other));
        vm.prank(other);
        requests.convict(id, new Payout[](0));
        vm.expectRevert(abi.encodeWithSelector(IRequests.NotDisputeGame.selector, address(game), other));
        vm.prank(other);
        requests.creditTo(other);
        vm.prank(other);
        (bool taken, bytes memory reason) = address(requests).call{value: 1}("");
        assertTrue(!taken, "ether by the front door");
        assertEq(
            reason, abi.encodeWithSelector(IRequests.NotProviderRegistry.selector, address(providers), other), "reason"
        );
    }

    /// Attack: forced ether. The ledger is its own counter.
    function test_forced_ether_changes_no_account() public {
        bytes32 id = accepted();
        vm.deal(address(requests), address(requests).balance + 5 ether);
        vm.deal(address(providers), address(providers).balance + 5 ether);
        vm.warp(block.timestamp + 1000);
        requests.refund(id);
        assertEq(requests.credit(requester), 2 ether, "credit");
        vm.prank(requester);
        requests.withdraw();
        assertEq(address(requests).balance, 5 ether, "what was forced in stays");
    }

    /// Warning of IRequests: a contract that refuses ether keeps its credit, and nobody else is hurt.
    function test_a_refusing_account_stops_only_itself() public {
        vm.etch(requester, hex"5f5ffd");
        bytes32 id = ask(termsOf(data), data);
        vm.warp(block.timestamp + 101);
        requests.refund(id);
        vm.expectRevert(abi.encodeWithSelector(IRequests.TransferRefused.selector, requester));
        vm.prank(requester);
        requests.withdraw();
        assertEq(requests.credit(requester), 1 ether, "kept");
    }

    function test_a_stored_request_says_what_was_asked() public {
        Terms memory t = termsOf(data);
        Request memory made = requests.requestOf(ask(t, data));
        assertEq(made.requester, requester);
        assertEq(made.provider, provider);
        assertEq(uint256(made.acceptBy), t.acceptBy);
        assertEq(uint256(made.answerBy), t.answerBy);
        assertEq(uint256(made.window), t.window);
        assertEq(uint256(made.price), t.price);
        assertEq(uint256(made.valueAtRisk), t.valueAtRisk);
        assertEq(uint256(made.outputBytes), OUT);
        assertEq(uint256(made.outputDtype), 1);
        assertEq(made.modelId, modelId);
        assertEq(made.inputRoot, t.inputRoot);
        assertEq(made.dimensionsHash, bytes32(0));
    }
}

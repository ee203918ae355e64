// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Chain} from "../src/interfaces/IRulesSet.sol";
import {IRulesSet} from "../src/interfaces/IRulesSet.sol";
import {RulesSet} from "../src/RulesSet.sol";
import {SetFixture} from "./base/SetFixture.sol";

/// @title The set and its children. Spec: claims, 3.1 and 3.2.
contract RulesSetTest is SetFixture {
    function setUp() public {
        deploySet();
    }

    function create2(bytes memory initCode) private returns (address created) {
        assembly ("memory-safe") {
            created := create2(0, add(initCode, 32), mload(initCode), 0)
        }
    }

    /// Attack: look-alike deployment.
    function test_the_rules_id_is_the_init_code_hash_and_gives_the_address() public {
        bytes32[] memory hashes = hashesOf(initCodes());
        bytes memory initCode =
            abi.encodePacked(vm.getCode("RulesSet.sol:RulesSet"), abi.encode(chainConstants(), hashes));
        RulesSet set = RulesSet(create2(initCode));
        assertEq(set.rulesId(), keccak256(initCode), "rules id");
        bytes32 word = keccak256(abi.encodePacked(uint8(0xff), address(this), bytes32(0), keccak256(initCode)));
        assertEq(address(set), address(uint160(uint256(word))), "address");
        Chain memory chain = chainConstants();
        chain.bountyWei += 1;
        bytes memory twin = abi.encodePacked(vm.getCode("RulesSet.sol:RulesSet"), abi.encode(chain, hashes));
        assertTrue(RulesSet(create2(twin)).rulesId() != set.rulesId(), "other constants, other rules");
    }

    function test_children_stand_at_their_derived_addresses_and_know_each_other() public view {
        for (uint256 i = 0; i < 10; ++i) {
            assertTrue(rules.child(i).code.length != 0, "deployed");
            assertLe(rules.child(i).code.length, 24_576, "code size (EIP-170)");
        }
        assertEq(address(requests.providers()), rules.child(1));
        assertEq(address(requests.models()), rules.child(0));
        assertEq(address(requests.game()), rules.child(3));
        assertEq(providers.requests(), rules.child(2));
        assertEq(models.rulesId(), rules.rulesId());
    }

    function test_init_code_fits_its_limit() public view {
        bytes[] memory codes = initCodes();
        for (uint256 i = 0; i < codes.length; ++i) {
            assertLe(codes[i].length, 49_152, "init code size (EIP-3860)");
        }
    }

    function test_another_init_code_is_refused() public {
        bytes[] memory codes = initCodes();
        RulesSet set = new RulesSet(chainConstants(), hashesOf(codes));
        vm.expectRevert(
            abi.encodeWithSelector(IRulesSet.WrongInitCode.selector, keccak256(codes[0]), keccak256(codes[1]))
        );
        set.deploy(0, codes[1]);
    }

    function test_children_are_deployed_in_order_and_once() public {
        bytes[] memory codes = initCodes();
        RulesSet set = new RulesSet(chainConstants(), hashesOf(codes));
        vm.expectRevert(abi.encodeWithSelector(IRulesSet.WrongChild.selector, 0, 1));
        set.deploy(1, codes[1]);
        set.deploy(0, codes[0]);
        vm.expectRevert(abi.encodeWithSelector(IRulesSet.WrongChild.selector, 1, 0));
        set.deploy(0, codes[0]);
        vm.expectRevert(abi.encodeWithSelector(IRulesSet.WrongChild.selector, 10, 10));
        rules.deploy(10, codes[0]);
    }

    function test_each_operator_has_its_leaf_and_others_none() public {
        assertEq(rules.leafOf(1), rules.child(4));
        assertEq(rules.leafOf(2), rules.child(4));
        assertEq(rules.leafOf(3), rules.child(5));
        assertEq(rules.leafOf(4), rules.child(5));
        assertEq(rules.leafOf(5), rules.child(6));
        assertEq(rules.leafOf(6), rules.child(6));
        assertEq(rules.leafOf(7), rules.child(7));
        assertEq(rules.leafOf(8), rules.child(8));
        assertEq(rules.leafOf(9), rules.child(9));
        assertEq(rules.leafOf(10), rules.child(9));
        assertEq(rules.leafOf(11), rules.child(9));
        vm.expectRevert(abi.encodeWithSelector(IRulesSet.UnknownOperator.selector, 0));
        rules.leafOf(0);
        vm.expectRevert(abi.encodeWithSelector(IRulesSet.UnknownOperator.selector, 12));
        rules.leafOf(12);
    }

    /// Spec: claims, 3.2. A chain that states no C gets no set.
    function test_a_chain_without_a_censorship_bound_or_a_rate_is_refused() public {
        bytes32[] memory hashes = new bytes32[](10);
        Chain memory chain = chainConstants();
        chain.censorshipSeconds = 0;
        vm.expectRevert(abi.encodeWithSelector(IRulesSet.ConstantMissing.selector, "censorshipSeconds"));
        new RulesSet(chain, hashes);
        chain = chainConstants();
        chain.macsPerSecond = 0;
        vm.expectRevert(abi.encodeWithSelector(IRulesSet.ConstantMissing.selector, "macsPerSecond"));
        new RulesSet(chain, hashes);
        chain = chainConstants();
        chain.bytesPerSecond = 0;
        vm.expectRevert(abi.encodeWithSelector(IRulesSet.ConstantMissing.selector, "bytesPerSecond"));
        new RulesSet(chain, hashes);
        chain = chainConstants();
        chain.inclusionSeconds = 0;
        vm.expectRevert(abi.encodeWithSelector(IRulesSet.ConstantMissing.selector, "inclusionSeconds"));
        new RulesSet(chain, hashes);
        vm.expectRevert(abi.encodeWithSelector(IRulesSet.WrongChildCount.selector, 10, 9));
        new RulesSet(chainConstants(), new bytes32[](9));
    }
}

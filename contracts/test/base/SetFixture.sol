// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Chain} from "../../src/interfaces/IRulesSet.sol";
import {DisputeGame} from "../../src/DisputeGame.sol";
import {LinearLeaf} from "../../src/leaves/LinearLeaf.sol";
import {ModelRegistry} from "../../src/ModelRegistry.sol";
import {MoveLeaf} from "../../src/leaves/MoveLeaf.sol";
import {PointwiseLeaf} from "../../src/leaves/PointwiseLeaf.sol";
import {PoolLeaf} from "../../src/leaves/PoolLeaf.sol";
import {ProviderRegistry} from "../../src/ProviderRegistry.sol";
import {Requests} from "../../src/Requests.sol";
import {RulesSet} from "../../src/RulesSet.sol";
import {Test} from "./Test.sol";

/// @title A whole rules set with its children, and the people around it.
abstract contract SetFixture is Test {
    uint256 internal constant BOUNTY = 0.01 ether;
    uint256 internal constant CHALLENGE_BOND = 0.05 ether;
    uint256 internal constant CENSORSHIP = 600;
    uint256 internal constant UNBONDING = 1 days;
    address internal constant SINK = 0x000000000000000000000000000000000000dEaD;

    RulesSet internal rules;
    ModelRegistry internal models;
    ProviderRegistry internal providers;
    Requests internal requests;
    DisputeGame internal game;

    uint256 internal constant PROVIDER_KEY = 0xa11ce;
    address internal provider;
    address internal requester;
    address internal challenger;
    address internal other;

    function chainConstants() internal pure returns (Chain memory) {
        return Chain({
            censorshipSeconds: uint64(CENSORSHIP),
            inclusionSeconds: 12,
            macsPerSecond: 1_000_000,
            bytesPerSecond: 1_000_000,
            unbondingSeconds: uint64(UNBONDING),
            bountyWei: uint128(BOUNTY),
            challengeBondWei: uint128(CHALLENGE_BOND),
            gasPriceFloorWei: 1 gwei,
            windowMinSeconds: 300
        });
    }

    /// The committed code: what is deployed, to the byte. The compiler's output varies by a few gas with
    /// the files that are compiled beside.
    function initCodes() internal view returns (bytes[] memory codes) {
        codes = new bytes[](10);
        codes[0] = vm.getCode("artifacts/ModelRegistry.json");
        codes[1] = vm.getCode("artifacts/ProviderRegistry.json");
        codes[2] = vm.getCode("artifacts/Requests.json");
        codes[3] = vm.getCode("artifacts/DisputeGame.json");
        codes[4] = vm.getCode("artifacts/LinearLeaf.json");
        codes[5] = vm.getCode("artifacts/PoolLeaf.json");
        codes[6] = vm.getCode("artifacts/MoveLeaf.json");
        codes[7] = vm.getCode("artifacts/PointwiseLeaf.json");
        codes[8] = vm.getCode("artifacts/ProductLeaf.json");
        codes[9] = vm.getCode("artifacts/RowLeaf.json");
    }

    function hashesOf(bytes[] memory codes) internal pure returns (bytes32[] memory hashes) {
        hashes = new bytes32[](codes.length);
        for (uint256 i = 0; i < codes.length; ++i) {
            hashes[i] = keccak256(codes[i]);
        }
    }

    function deploySet() internal {
        bytes[] memory codes = initCodes();
        rules = new RulesSet(chainConstants(), hashesOf(codes));
        for (uint256 i = 0; i < codes.length; ++i) {
            rules.deploy(i, codes[i]);
        }
        models = ModelRegistry(rules.child(0));
        providers = ProviderRegistry(rules.child(1));
        requests = Requests(payable(rules.child(2)));
        game = DisputeGame(rules.child(3));
        provider = vm.addr(PROVIDER_KEY);
        requester = actor("requester");
        challenger = actor("challenger");
        other = actor("other");
        vm.deal(provider, 1000 ether);
        vm.deal(requester, 1000 ether);
        vm.deal(challenger, 1000 ether);
        vm.deal(other, 1000 ether);
        vm.fee(1 gwei);
        vm.txGasPrice(2 gwei);
        vm.warp(1_800_000_000);
        vm.roll(1_000_000);
        vm.setBlockhash(999_999, keccak256("block"));
    }

    /// What an account has in all its forms but locked stake.
    function wealth(address who) internal view returns (uint256) {
        return who.balance + requests.credit(who) + providers.stakeOf(who).staked;
    }
}

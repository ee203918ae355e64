// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {FormProof} from "../../src/interfaces/IRequests.sol";
import {IDisputeGame} from "../../src/interfaces/IDisputeGame.sol";
import {IRequests} from "../../src/interfaces/IRequests.sol";
import {NodeBuilder} from "../base/NodeBuilder.sol";
import {SmallModel} from "../base/SmallModel.sol";
import {Status} from "../../src/interfaces/IRequests.sol";
import {Terms} from "../../src/interfaces/IRequests.sol";
import {TreeBuilder} from "../base/TreeBuilder.sol";

/// @title Convictions in one transaction: forbidden bytes, and two trace roots. Spec: game, 4.9.
contract OtherConvictionsTest is SmallModel {
    uint256 private constant LARGEST_S = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;
    uint256 private constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    function setUp() public {
        setUpSmall(1, 777);
    }

    /// Weights of node 1 hold -128 at 1030, constants of node 2 a shift of 47 in row 3.
    function weights(uint256 node) internal pure override returns (bytes memory data) {
        data = super.weights(node);
        if (node == 1) data[1030] = 0x80;
    }

    function constants(uint256 node) internal pure override returns (bytes memory data) {
        data = super.constants(node);
        if (node == 2) data[3 * 16 + 15] = bytes1(uint8(47));
    }

    /// A published input with a byte that is no value.
    function input() internal pure override returns (bytes memory data) {
        data = super.input();
        data[2] = 0x80;
    }

    function claimedPublished() private {
        Terms memory terms = termsOf(tensor(0));
        terms.availability = 1;
        terms.inputLocator = "https://example.org/input";
        claimed(terms, "");
    }

    function proofOf(uint256 node, uint8 slot, bytes memory data, uint32 tileIndex)
        private
        view
        returns (FormProof memory proof)
    {
        bytes32[] memory tiles = TreeBuilder.tiles(data);
        proof.node = uint32(node);
        proof.slot = slot;
        proof.nodeLeaf = leaves[node];
        proof.leafSiblings = pathOf(leafHashes, 0, node, 2);
        proof.dimensions = new uint32[](0);
        proof.tileIndex = tileIndex;
        proof.tile = TreeBuilder.slice(data, 512 * uint256(tileIndex), 512);
        proof.siblings = pathOf(tiles, 0, tileIndex, TreeBuilder.depth(tiles.length));
    }

    function convictCall(FormProof memory proof) private view returns (bytes memory) {
        return abi.encodeCall(game.convictForm, (requestId, claimKey, proof));
    }

    function checkConvicted(bytes memory data) private {
        uint256 stake = providers.stakeOf(provider).staked;
        uint256 bond = requests.requestOf(requestId).bond;
        send(other, 0, data);
        assertTrue(requests.requestOf(requestId).status == Status.Convicted, "convicted");
        assertEq(stake - providers.stakeOf(provider).staked, bond, "slashed");
        assertGe(requests.credit(other), BOUNTY, "bounty");
        refused(other, 0, data, abi.encodeWithSelector(IDisputeGame.AlreadyConvicted.selector, claimKey));
    }

    /// Attack: bad byte in input.
    function test_a_forbidden_byte_in_a_published_input_convicts() public {
        claimedPublished();
        checkConvicted(convictCall(proofOf(0, 0, tensor(0), 0)));
    }

    /// Attack: bad byte in input, on chain.
    function test_a_forbidden_byte_in_an_input_on_chain_is_refused_at_the_request() public {
        Terms memory terms = termsOf(tensor(0));
        bytes memory data = tensor(0);
        vm.expectRevert(abi.encodeWithSelector(IRequests.InputForm.selector, 0));
        vm.prank(requester);
        requests.request{value: 1 ether}(terms, data);
    }

    /// Attack: bad byte in weights.
    function test_a_forbidden_byte_in_weights_convicts() public {
        claimedPublished();
        FormProof memory good = proofOf(1, 0, weights(1), 1);
        refused(other, 0, convictCall(good), abi.encodeWithSelector(IRequests.FormHolds.selector, 1, 0, 1));
        checkConvicted(convictCall(proofOf(1, 0, weights(1), 2)));
    }

    /// Attack: hostile model (a shift of 47).
    function test_a_constant_outside_its_range_convicts_within_an_open_game_too() public {
        claimedPublished();
        open(challenger);
        vm.warp(requests.claimOf(requestId).closesAt + 1);
        checkConvicted(convictCall(proofOf(2, 1, constants(2), 0)));
    }

    function test_forms_of_other_tiles_leaves_and_roots_are_refused() public {
        claimedPublished();
        FormProof memory proof = proofOf(1, 0, weights(1), 2);
        proof.tile[5] = 0x80;
        refused(other, 0, convictCall(proof), IRequests.TileRoot.selector);
        proof = proofOf(1, 2, weights(1), 2);
        refused(other, 0, convictCall(proof), abi.encodeWithSelector(IRequests.TensorOutside.selector, 2, 2));
        proof = proofOf(1, 0, weights(1), 2);
        proof.nodeLeaf = leaves[2];
        refused(other, 0, convictCall(proof), IRequests.NodeLeafRoot.selector);
        proof = proofOf(1, 0, weights(1), 2);
        proof.tile = hex"80";
        refused(other, 0, convictCall(proof), abi.encodeWithSelector(IRequests.TileLength.selector, 512, 1));
        proof = proofOf(1, 0, weights(1), 2);
        proof.dimensions = NodeBuilder.list(1);
        refused(other, 0, convictCall(proof), IRequests.DimensionsHash.selector);
        proof = proofOf(1, 0, weights(1), 2);
        vm.warp(requests.claimOf(requestId).closesAt + 1);
        refused(other, 0, convictCall(proof), IDisputeGame.WindowOver.selector);
    }

    function signature(uint256 key, bytes32 root) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, game.traceDigest(claimKey, root));
        return abi.encodePacked(r, s, v);
    }

    function twoRootsCall(bytes32 root, bytes memory signed) private view returns (bytes memory) {
        return abi.encodeCall(game.convictTwoRoots, (requestId, claimKey, root, signed));
    }

    /// Attack: two trace roots, equivocation.
    function test_a_signature_of_another_trace_root_convicts() public {
        claimedPublished();
        bytes32 root = keccak256("another trace");
        bytes memory signed = signature(PROVIDER_KEY, root);
        bytes memory reason = abi.encodeWithSelector(IDisputeGame.NoTraceRoot.selector, claimKey);
        refused(other, 0, twoRootsCall(root, signed), reason);
        firstAnswer(open(challenger));
        bytes32 stored = game.games(claimKey).traceRoot;
        refused(
            other,
            0,
            twoRootsCall(stored, signature(PROVIDER_KEY, stored)),
            abi.encodeWithSelector(IDisputeGame.SameRoot.selector, stored)
        );
        checkConvicted(twoRootsCall(root, signed));
    }

    function test_signatures_of_others_and_malleable_ones_do_not_convict() public {
        claimedPublished();
        firstAnswer(open(challenger));
        bytes32 root = keccak256("another trace");
        bytes memory reason =
            abi.encodeWithSelector(IDisputeGame.WrongSigner.selector, provider, vm.addr(PROVIDER_KEY + 1));
        refused(other, 0, twoRootsCall(root, signature(PROVIDER_KEY + 1, root)), reason);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PROVIDER_KEY, game.traceDigest(claimKey, root));
        bytes memory twin = abi.encodePacked(r, bytes32(ORDER - uint256(s)), v == 27 ? uint8(28) : uint8(27));
        reason = abi.encodeWithSelector(IDisputeGame.SignatureForm.selector);
        assertLe(uint256(s), LARGEST_S, "low s");
        refused(other, 0, twoRootsCall(root, twin), reason);
        refused(other, 0, twoRootsCall(root, abi.encodePacked(r, s)), reason);
        refused(other, 0, twoRootsCall(root, abi.encodePacked(r, s, v - 27)), reason);
    }

    /// Spec: game, 4.9 and receipts, 5.2: the domain is that of Requests.
    function test_the_digest_is_that_of_eip_712() public {
        claimedPublished();
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Selfsame"),
                keccak256("1"),
                block.chainid,
                address(requests)
            )
        );
        assertEq(requests.domainSeparator(), domain, "domain");
        bytes32 message = keccak256(
            abi.encode(keccak256("Trace(bytes32 claimKey,bytes32 traceRoot)"), claimKey, bytes32(uint256(5)))
        );
        bytes32 digest = keccak256(abi.encodePacked(bytes2(0x1901), domain, message));
        assertEq(game.traceDigest(claimKey, bytes32(uint256(5))), digest, "digest");
    }
}

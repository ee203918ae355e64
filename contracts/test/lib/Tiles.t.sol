// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {MultiProof} from "../../src/lib/MultiProof.sol";
import {Tiles} from "../../src/lib/Tiles.sol";
import {Test} from "../base/Test.sol";
import {TreeBuilder} from "../base/TreeBuilder.sol";

/// @title Tiles, trees and proofs against trees built by recursion.
contract TilesTest is Test {
    // The libraries take calldata, so the tests call themselves.
    function tensorRoot(bytes calldata data) external pure returns (bytes32) {
        return Tiles.tensorRoot(data);
    }

    function proofRoot(uint256 leaves, uint256[] memory indices, bytes32[] memory hashes, bytes32[] calldata siblings)
        external
        pure
        returns (bytes32)
    {
        return MultiProof.root(leaves, indices, hashes, siblings);
    }

    function pathRoot(
        uint256 leaves,
        uint256 level,
        uint256 index,
        bytes32 hash,
        uint256 top,
        bytes32[] calldata siblings
    ) external pure returns (bytes32) {
        return MultiProof.path(leaves, level, index, hash, top, siblings);
    }

    function foldOf(bytes32[] memory entries, uint256 from, uint256 levels) external pure returns (bytes32) {
        return Tiles.fold(entries, from, levels);
    }

    function leavesOf(uint256 count) internal pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            leaves[i] = keccak256(abi.encode("leaf", i));
        }
    }

    /// A random non-empty increasing set of indices below `leaves`.
    function pick(uint256 leaves, uint256 seed) internal pure returns (uint256[] memory indices) {
        indices = new uint256[](leaves);
        uint256 count = 0;
        uint256 rarity = seed % 7 + 1;
        for (uint256 i = 0; i < leaves; ++i) {
            if (uint256(keccak256(abi.encode(seed, i))) % rarity == 0) indices[count++] = i;
        }
        if (count == 0) indices[count++] = seed % leaves;
        assembly ("memory-safe") {
            mstore(indices, count)
        }
    }

    function test_known_roots_match_the_reference() public view {
        // The empty tensor is one empty tile: keccak256(0x00).
        assertEq(
            this.tensorRoot(""), 0xbc36789e7a1e281436464229828f817d6612f7b477d66591ff96a9e064bcc98a, "empty tensor"
        );
        assertEq(Tiles.absent(0), 0xf2ee15ea639b73fa3db9b34a245bdfa015c260c598b211bf05a1ecc4b3e3b4f2, "absent");
    }

    function test_a_view_has_the_root_of_its_tiles(uint256 length) public view {
        length = bound(length, 0, 5_000);
        bytes memory data = new bytes(length);
        for (uint256 i = 0; i < length; i += 97) {
            data[i] = bytes1(uint8(i));
        }
        assertEq(this.tensorRoot(data), TreeBuilder.root(TreeBuilder.tiles(data)));
    }

    function test_depth_is_the_least_that_holds_all_leaves() public pure {
        uint256[7] memory leaves = [uint256(0), 1, 2, 3, 4, 5, 65_536];
        uint256[7] memory depths = [uint256(0), 0, 1, 2, 2, 3, 16];
        for (uint256 i = 0; i < 7; ++i) {
            assertEq(Tiles.depth(leaves[i]), depths[i]);
        }
        assertEq(Tiles.levelLength(5, 0), 5);
        assertEq(Tiles.levelLength(5, 1), 3);
        assertEq(Tiles.levelLength(5, 2), 2);
        assertEq(Tiles.levelLength(5, 3), 1);
    }

    function test_a_fold_of_any_level_gives_its_ancestor(uint256 count, uint256 from) public pure {
        bytes32[] memory leaves = leavesOf(bound(count, 1, 100));
        uint256 top = TreeBuilder.depth(leaves.length);
        from = bound(from, 0, top);
        bytes32[] memory entries = new bytes32[](Tiles.levelLength(leaves.length, from));
        for (uint256 i = 0; i < entries.length; ++i) {
            entries[i] = TreeBuilder.entry(leaves, from, i);
        }
        assertEq(Tiles.fold(entries, from, top - from), TreeBuilder.root(leaves));
    }

    function test_more_entries_than_the_subtree_holds_are_refused() public {
        vm.expectRevert(abi.encodeWithSelector(Tiles.EntriesTooMany.selector, 4, 5));
        this.foldOf(leavesOf(5), 0, 2);
    }

    function test_no_entries_fold_to_the_absent_subtree() public pure {
        assertEq(Tiles.fold(new bytes32[](0), 2, 3), TreeBuilder.absent(5));
    }

    function test_a_proof_of_any_set_of_leaves_gives_the_root(uint256 count, uint256 seed) public view {
        bytes32[] memory leaves = leavesOf(bound(count, 1, 70));
        uint256[] memory indices = pick(leaves.length, seed);
        bytes32[] memory hashes = new bytes32[](indices.length);
        for (uint256 i = 0; i < indices.length; ++i) {
            hashes[i] = leaves[indices[i]];
        }
        bytes32[] memory siblings = TreeBuilder.siblings(leaves, indices);
        assertEq(this.proofRoot(leaves.length, indices, hashes, siblings), TreeBuilder.root(leaves));
    }

    function test_a_path_between_any_two_levels_gives_the_ancestor(uint256 count, uint256 index, uint256 from)
        public
        view
    {
        bytes32[] memory leaves = leavesOf(bound(count, 1, 70));
        uint256 top = TreeBuilder.depth(leaves.length);
        from = bound(from, 0, top);
        index = bound(index, 0, Tiles.levelLength(leaves.length, from) - 1);
        bytes32[] memory siblings = new bytes32[](top - from);
        uint256 used = 0;
        for (uint256 level = from; level < top; ++level) {
            uint256 other = (index >> (level - from)) ^ 1;
            if (other < Tiles.levelLength(leaves.length, level)) {
                siblings[used++] = TreeBuilder.entry(leaves, level, other);
            }
        }
        assembly ("memory-safe") {
            mstore(siblings, used)
        }
        bytes32 hash = TreeBuilder.entry(leaves, from, index);
        assertEq(this.pathRoot(leaves.length, from, index, hash, top, siblings), TreeBuilder.root(leaves));
    }

    function test_a_sibling_too_many_is_refused() public {
        bytes32[] memory leaves = leavesOf(5);
        uint256[] memory indices = new uint256[](1);
        bytes32[] memory hashes = new bytes32[](1);
        hashes[0] = leaves[0];
        vm.expectRevert(abi.encodeWithSelector(MultiProof.ProofSiblingExtra.selector, 3, 4));
        this.proofRoot(5, indices, hashes, new bytes32[](4));
        vm.expectRevert(abi.encodeWithSelector(MultiProof.ProofSiblingExtra.selector, 3, 4));
        this.pathRoot(5, 0, 0, leaves[0], 3, new bytes32[](4));
    }

    function test_a_sibling_too_few_is_refused() public {
        bytes32[] memory hashes = new bytes32[](1);
        vm.expectRevert(abi.encodeWithSelector(MultiProof.ProofSiblingMissing.selector, 2));
        this.proofRoot(5, new uint256[](1), hashes, new bytes32[](2));
        vm.expectRevert(abi.encodeWithSelector(MultiProof.ProofSiblingMissing.selector, 2));
        this.pathRoot(5, 0, 0, hashes[0], 3, new bytes32[](2));
    }

    function test_an_absent_sibling_is_never_taken_from_the_proof() public {
        // Leaf 4 of 5: its siblings at levels 0 and 1 are absent, only the one at level 2 is posted.
        bytes32[] memory leaves = leavesOf(5);
        uint256[] memory indices = new uint256[](1);
        indices[0] = 4;
        bytes32[] memory hashes = new bytes32[](1);
        hashes[0] = leaves[4];
        bytes32[] memory siblings = new bytes32[](1);
        siblings[0] = TreeBuilder.entry(leaves, 2, 0);
        assertEq(this.proofRoot(5, indices, hashes, siblings), TreeBuilder.root(leaves));
        vm.expectRevert(abi.encodeWithSelector(MultiProof.ProofSiblingExtra.selector, 1, 2));
        this.proofRoot(5, indices, hashes, new bytes32[](2));
    }

    function test_unsorted_repeated_and_outside_indices_are_refused() public {
        uint256[2][3] memory sets = [[uint256(1), 0], [uint256(0), 0], [uint256(0), 4]];
        uint256[3] memory offending = [uint256(0), 0, 4];
        for (uint256 i = 0; i < 3; ++i) {
            uint256[] memory indices = new uint256[](2);
            indices[0] = sets[i][0];
            indices[1] = sets[i][1];
            vm.expectRevert(abi.encodeWithSelector(MultiProof.ProofIndex.selector, offending[i], 4));
            this.proofRoot(4, indices, new bytes32[](2), new bytes32[](0));
        }
        vm.expectRevert(abi.encodeWithSelector(MultiProof.ProofIndex.selector, 3, 3));
        this.pathRoot(5, 1, 3, bytes32(0), 3, new bytes32[](0));
    }

    function test_hashes_and_indices_in_different_number_are_refused() public {
        vm.expectRevert(abi.encodeWithSelector(MultiProof.ProofCount.selector, 0, 0));
        this.proofRoot(4, new uint256[](0), new bytes32[](0), new bytes32[](0));
        vm.expectRevert(abi.encodeWithSelector(MultiProof.ProofCount.selector, 1, 2));
        this.proofRoot(4, new uint256[](1), new bytes32[](2), new bytes32[](0));
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Tiles} from "./Tiles.sol";

/// @title Proofs that leaves, or entries of a level, belong to a tree.
/// @dev Indices are derived by the caller. Siblings are taken level by level from the leaves up,
/// left to right, only where present and not computed; absent ones are inserted. A missing or
/// left-over sibling is refused. Spec: commitments, 2.4 and 2.5.
library MultiProof {
    /// One hash for each index, at least one.
    error ProofCount(uint256 indices, uint256 hashes);
    /// Indices are strictly increasing and inside the tree.
    error ProofIndex(uint256 index, uint256 leaves);
    error ProofSiblingMissing(uint256 given);
    error ProofSiblingExtra(uint256 used, uint256 given);

    /// Root that `hashes` at `indices` (sorted, distinct) have in a tree of `leaves` leaves.
    /// Overwrites `indices` and `hashes`.
    function root(uint256 leaves, uint256[] memory indices, bytes32[] memory hashes, bytes32[] calldata siblings)
        internal
        pure
        returns (bytes32)
    {
        uint256 count = indices.length;
        if (count == 0 || count != hashes.length) revert ProofCount(count, hashes.length);
        _checkIndices(leaves, indices);
        uint256 used = 0;
        bytes32 padding = Tiles.absent(0);
        // Both lists have `count` entries and more; no counter passes it.
        unchecked {
            for (uint256 length = leaves; length > 1; length = (length + 1) >> 1) {
                uint256 above = 0;
                for (uint256 i = 0; i < count; ++above) {
                    (uint256 index, bytes32 hash) = (_index(indices, i), _hash(hashes, i));
                    bytes32 other;
                    ++i;
                    if (i < count && _index(indices, i) == index ^ 1) {
                        other = _hash(hashes, i);
                        ++i;
                    } else if (length <= index ^ 1) {
                        other = padding;
                    } else {
                        if (used == siblings.length) revert ProofSiblingMissing(siblings.length);
                        other = siblings[used];
                        ++used;
                    }
                    _put(indices, hashes, above, index >> 1, Tiles.joined(index, hash, other));
                }
                count = above;
                padding = Tiles.inner(padding, padding);
            }
        }
        if (used != siblings.length) revert ProofSiblingExtra(used, siblings.length);
        return hashes[0];
    }

    /// Indices are strictly increasing and inside the tree.
    function _checkIndices(uint256 leaves, uint256[] memory indices) private pure {
        unchecked {
            uint256 least = 0;
            for (uint256 i = 0; i < indices.length; ++i) {
                uint256 index = _index(indices, i);
                if (index < least || leaves <= index) revert ProofIndex(index, leaves);
                least = index + 1;
            }
        }
    }

    function _index(uint256[] memory indices, uint256 place) private pure returns (uint256 index) {
        assembly ("memory-safe") {
            index := mload(add(add(indices, 0x20), shl(5, place)))
        }
    }

    function _hash(bytes32[] memory hashes, uint256 place) private pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            hash := mload(add(add(hashes, 0x20), shl(5, place)))
        }
    }

    function _put(uint256[] memory indices, bytes32[] memory hashes, uint256 place, uint256 index, bytes32 hash)
        private
        pure
    {
        assembly ("memory-safe") {
            let offset := add(0x20, shl(5, place))
            mstore(add(indices, offset), index)
            mstore(add(hashes, offset), hash)
        }
    }

    /// Hash of the entry at level `top` above the entry `hash` at (`level`, `index`) in a tree of
    /// `leaves` leaves. With level 0 and top the depth this is the root over one leaf.
    function path(uint256 leaves, uint256 level, uint256 index, bytes32 hash, uint256 top, bytes32[] calldata siblings)
        internal
        pure
        returns (bytes32)
    {
        uint256 length = Tiles.levelLength(leaves, level);
        if (length <= index) revert ProofIndex(index, length);
        uint256 used = 0;
        bytes32 padding = Tiles.absent(level);
        for (; level < top; ++level) {
            bytes32 other = padding;
            if (index ^ 1 < length) {
                if (used == siblings.length) revert ProofSiblingMissing(siblings.length);
                other = siblings[used];
                ++used;
            }
            hash = index & 1 == 0 ? Tiles.inner(hash, other) : Tiles.inner(other, hash);
            index >>= 1;
            length = (length + 1) >> 1;
            padding = Tiles.inner(padding, padding);
        }
        if (used != siblings.length) revert ProofSiblingExtra(used, siblings.length);
        return hash;
    }
}

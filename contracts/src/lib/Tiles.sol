// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {TAG_ABSENT} from "../generated/ProtocolConstants.sol";
import {TAG_INNER} from "../generated/ProtocolConstants.sol";
import {TAG_TILE} from "../generated/ProtocolConstants.sol";
import {TILE_BYTES} from "../generated/ProtocolConstants.sol";

/// @title Tiles and the binary tree over them.
/// @dev tile = keccak256(0x00, at most 512 bytes); inner = keccak256(0x01, left, right);
/// absent_0 = keccak256(0x02), absent_(l+1) = inner(absent_l, absent_l). Nobody ever posts an
/// absent entry: every function here inserts them itself. Spec: commitments, 2.1 to 2.4.
library Tiles {
    /// More entries than a subtree of that height has room for.
    error EntriesTooMany(uint256 most, uint256 actual);

    /// Tiles of a tensor of `length` bytes; an empty tensor has one empty tile.
    function tileCount(uint256 length) internal pure returns (uint256) {
        return length == 0 ? 1 : (length + (TILE_BYTES - 1)) / TILE_BYTES;
    }

    /// Bytes of tile `index` of a tensor of `length` bytes; 0 beyond the end.
    function tileLength(uint256 length, uint256 index) internal pure returns (uint256) {
        uint256 start = index * TILE_BYTES;
        if (length <= start) return 0;
        return length - start < TILE_BYTES ? length - start : TILE_BYTES;
    }

    /// Smallest d with 2^d >= leaves.
    function depth(uint256 leaves) internal pure returns (uint256 d) {
        while ((uint256(1) << d) < leaves) {
            unchecked {
                ++d;
            }
        }
    }

    /// Present entries at `level` of the tree over `leaves` leaves.
    function levelLength(uint256 leaves, uint256 level) internal pure returns (uint256) {
        if (leaves == 0) leaves = 1;
        return ((leaves - 1) >> level) + 1;
    }

    /// keccak256(0x00, tile).
    function tileHash(bytes calldata tile) internal pure returns (bytes32 hash) {
        uint256 tag = TAG_TILE;
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore8(at, tag)
            calldatacopy(add(at, 1), tile.offset, tile.length)
            hash := keccak256(at, add(tile.length, 1))
        }
    }

    /// keccak256(0x01, left, right).
    function inner(bytes32 left, bytes32 right) internal pure returns (bytes32 hash) {
        uint256 tag = TAG_INNER;
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore8(at, tag)
            mstore(add(at, 1), left)
            mstore(add(at, 33), right)
            hash := keccak256(at, 65)
        }
    }

    /// Hash of the entry above `hash` at `index` and its neighbour.
    function joined(uint256 index, bytes32 hash, bytes32 other) internal pure returns (bytes32 above) {
        uint256 tag = TAG_INNER;
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore8(at, tag)
            // 1 or 33: where an even entry and an odd one stands.
            let place := add(1, shl(5, and(index, 1)))
            mstore(add(at, place), hash)
            mstore(add(at, sub(34, place)), other)
            above := keccak256(at, 65)
        }
    }

    /// Hash of an absent subtree of height `level`.
    function absent(uint256 level) internal pure returns (bytes32 hash) {
        hash = keccak256(abi.encodePacked(TAG_ABSENT));
        for (uint256 i = 0; i < level; ++i) {
            hash = inner(hash, hash);
        }
    }

    /// Root of the tensor whose canonical bytes are `data`.
    function tensorRoot(bytes calldata data) internal pure returns (bytes32) {
        return root(tileHashes(data));
    }

    /// Hashes of the tiles that `data` is cut into, in order.
    function tileHashes(bytes calldata data) internal pure returns (bytes32[] memory hashes) {
        uint256 count = tileCount(data.length);
        hashes = new bytes32[](count);
        uint256 tag = TAG_TILE;
        uint256 most = TILE_BYTES;
        assembly ("memory-safe") {
            let at := mload(0x40)
            mstore8(at, tag)
            let body := add(at, 1)
            let from := data.offset
            let left := data.length
            let out := add(hashes, 0x20)
            for { let end := add(out, shl(5, count)) } lt(out, end) { out := add(out, 0x20) } {
                let length := left
                if gt(length, most) { length := most }
                calldatacopy(body, from, length)
                mstore(out, keccak256(at, add(length, 1)))
                from := add(from, length)
                left := sub(left, length)
            }
        }
    }

    /// Root of the tree over `leaves`; no leaves count as one absent leaf. Overwrites `leaves`.
    function root(bytes32[] memory leaves) internal pure returns (bytes32) {
        return fold(leaves, 0, depth(leaves.length));
    }

    /// The entry at level `from + levels` above the present `entries` at level `from` (leftmost
    /// first, at most 2^levels). Overwrites `entries`.
    function fold(bytes32[] memory entries, uint256 from, uint256 levels) internal pure returns (bytes32 hash) {
        uint256 count = entries.length;
        if (levels < 32 && (uint256(1) << levels) < count) revert EntriesTooMany(uint256(1) << levels, count);
        if (count == 0) return absent(from + levels);
        bytes32 padding = absent(from);
        uint256 tag = TAG_INNER;
        assembly ("memory-safe") {
            let base := add(entries, 0x20)
            let at := mload(0x40)
            mstore8(at, tag)
            let left := add(at, 1)
            let right := add(at, 33)
            for {} levels { levels := sub(levels, 1) } {
                let pairs := shr(1, count)
                for { let i := 0 } lt(i, pairs) { i := add(i, 1) } {
                    let pair := add(base, shl(6, i))
                    mstore(left, mload(pair))
                    mstore(right, mload(add(pair, 0x20)))
                    mstore(add(base, shl(5, i)), keccak256(at, 65))
                }
                if and(count, 1) {
                    mstore(left, mload(add(base, shl(6, pairs))))
                    mstore(right, padding)
                    mstore(add(base, shl(5, pairs)), keccak256(at, 65))
                    pairs := add(pairs, 1)
                }
                count := pairs
                mstore(left, padding)
                mstore(right, padding)
                padding := keccak256(at, 65)
            }
            hash := mload(base)
        }
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {OPENED_BYTES_MAX} from "../generated/ProtocolConstants.sol";
import {TILE_BYTES} from "../generated/ProtocolConstants.sol";
import {ILeaf} from "../interfaces/ILeaf.sol";
import {Opening} from "../interfaces/ILeaf.sol";
import {MultiProof} from "./MultiProof.sol";
import {Tiles} from "./Tiles.sol";

/// @title What an element reads of one tensor: the distinct tiles, derived while reading.
/// @dev Positions are read in increasing order, so the tile of a position is the last one touched or a
/// later one, and tile number k of the opening starts at byte 512 * k of its bytes. Values are read
/// before the opening is proved; `root` then refuses an opening of any other tiles.
/// Spec: game, 4.8.
library Opened {
    /// More distinct tiles than 1.6 allows: the node leaf is none that a registry accepted.
    error OpenedTooMuch(uint256 most);

    uint256 private constant TILES_MAX = OPENED_BYTES_MAX / TILE_BYTES;

    struct Reads {
        uint256 data; // calldata offset of the opening's tiles
        uint256 count; // tiles touched
        uint256[] indices; // of the tiles touched, increasing
    }

    /// Starts on an opening of which nothing is read yet.
    function start(Opening calldata opening) internal pure returns (Reads memory reads) {
        bytes calldata tiles = opening.tiles;
        uint256 data;
        assembly ("memory-safe") {
            data := tiles.offset
        }
        reads.data = data;
        reads.indices = new uint256[](TILES_MAX);
    }

    /// Calldata offset of the byte at `position` of the tensor, and touches the tiles of the `length`
    /// bytes from there. Calls come with increasing positions; `length` is at least 1.
    function touch(Reads memory reads, uint256 position, uint256 length) internal pure returns (uint256) {
        // Positions and lengths are products of few extents below 2^32.
        unchecked {
            uint256 count = reads.count;
            uint256[] memory indices = reads.indices;
            uint256 tile = position / TILE_BYTES;
            uint256 last = (position + length - 1) / TILE_BYTES;
            // The first tile may be the one touched last.
            uint256 next = count == 0 ? tile : indices[count - 1] + 1;
            uint256 rank = next <= tile ? count : count - 1;
            for (uint256 i = next <= tile ? tile : next; i <= last; ++i) {
                if (count == TILES_MAX) revert OpenedTooMuch(TILES_MAX);
                indices[count] = i;
                ++count;
            }
            reads.count = count;
            return reads.data + rank * TILE_BYTES + position % TILE_BYTES;
        }
    }

    /// The signed big-endian element of `size` bytes (1, 2 or 4) with flat index `index`.
    function element(Reads memory reads, uint256 index, uint256 size) internal pure returns (int256) {
        return signed(touch(reads, index * size, size), size);
    }

    /// The signed big-endian value of `size` bytes (1, 2 or 4) at a calldata offset that `touch` gave.
    function signed(uint256 from, uint256 size) internal pure returns (int256 value) {
        assembly ("memory-safe") {
            value := sar(sub(256, shl(3, size)), calldataload(from))
        }
    }

    /// Refuses an opening of which nothing is read, unless it is empty.
    function checkEmpty(Opening calldata opening, uint256 slot) internal pure {
        if (opening.tiles.length != 0) revert ILeaf.TileBytes(slot, 0, opening.tiles.length);
        if (opening.siblings.length != 0) revert MultiProof.ProofSiblingExtra(0, opening.siblings.length);
    }

    /// Root of a tensor of `length` bytes that the opening leads to; 0 when nothing was touched.
    /// Ends the use of `reads`. Refuses an opening that is not exactly the tiles touched.
    function root(Reads memory reads, Opening calldata opening, uint256 slot, uint256 length)
        internal
        pure
        returns (bytes32)
    {
        uint256 count = reads.count;
        if (count == 0) {
            checkEmpty(opening, slot);
            return 0;
        }
        bytes calldata tiles = opening.tiles;
        uint256[] memory indices = reads.indices;
        uint256 expected = (count - 1) * TILE_BYTES + Tiles.tileLength(length, indices[count - 1]);
        if (tiles.length != expected) revert ILeaf.TileBytes(slot, expected, tiles.length);
        assembly ("memory-safe") {
            // The array was allocated for TILES_MAX indices; shortening it keeps memory sound.
            mstore(indices, count)
        }
        bytes32[] memory hashes = Tiles.tileHashes(tiles);
        return MultiProof.root(Tiles.tileCount(length), indices, hashes, opening.siblings);
    }
}

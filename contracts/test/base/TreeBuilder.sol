// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title Trees, proofs and openings made the slow, obvious way, as an opponent of the libraries.
library TreeBuilder {
    function inner(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(uint8(1), left, right));
    }

    function absent(uint256 level) internal pure returns (bytes32 hash) {
        hash = keccak256(abi.encodePacked(uint8(2)));
        for (uint256 i = 0; i < level; ++i) {
            hash = inner(hash, hash);
        }
    }

    function depth(uint256 leaves) internal pure returns (uint256 d) {
        for (uint256 room = 1; room < leaves; room *= 2) {
            ++d;
        }
    }

    /// Hash at (`level`, `index`), absent leaves included, by recursion.
    function entry(bytes32[] memory leaves, uint256 level, uint256 index) internal pure returns (bytes32) {
        if (leaves.length <= index << level) return absent(level);
        if (level == 0) return leaves[index];
        return inner(entry(leaves, level - 1, 2 * index), entry(leaves, level - 1, 2 * index + 1));
    }

    function root(bytes32[] memory leaves) internal pure returns (bytes32) {
        return entry(leaves, depth(leaves.length), 0);
    }

    /// 2.5: level by level, left to right, what is present and not computed.
    function siblings(bytes32[] memory leaves, uint256[] memory indices) internal pure returns (bytes32[] memory out) {
        out = new bytes32[](indices.length * 32);
        uint256 count = 0;
        for (uint256 level = 0; level < depth(leaves.length); ++level) {
            uint256 previous = type(uint256).max;
            for (uint256 i = 0; i < indices.length; ++i) {
                uint256 place = indices[i] >> level;
                if (place == previous) continue;
                previous = place;
                uint256 other = place ^ 1;
                if (contains(indices, level, other) || leaves.length <= other << level) continue;
                out[count++] = entry(leaves, level, other);
            }
        }
        assembly ("memory-safe") {
            mstore(out, count)
        }
    }

    function contains(uint256[] memory indices, uint256 level, uint256 index) internal pure returns (bool) {
        for (uint256 i = 0; i < indices.length; ++i) {
            if (indices[i] >> level == index) return true;
        }
        return false;
    }

    function slice(bytes memory data, uint256 from, uint256 length) internal pure returns (bytes memory out) {
        uint256 end = from + length < data.length ? from + length : data.length;
        out = new bytes(end < from ? 0 : end - from);
        for (uint256 i = 0; i < out.length; ++i) {
            out[i] = data[from + i];
        }
    }

    function tiles(bytes memory data) internal pure returns (bytes32[] memory hashes) {
        uint256 count = data.length == 0 ? 1 : (data.length + 511) / 512;
        hashes = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            hashes[i] = keccak256(abi.encodePacked(uint8(0), slice(data, 512 * i, 512)));
        }
    }
}

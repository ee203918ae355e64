// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title The arithmetic of page 2 restated with divisions and powers, and numbers drawn from a seed.
library Plain {
    function floorDiv(int256 a, int256 b) internal pure returns (int256 q) {
        q = a / b;
        if (a % b != 0 && (a < 0) != (b < 0)) --q;
    }

    function clamp(int256 value, int256 lo, int256 hi) internal pure returns (int256) {
        return value < lo ? lo : hi < value ? hi : value;
    }

    /// Half a unit added, then divided by 2^shift, downwards.
    function rounded(int256 wide, uint256 shift) internal pure returns (int256) {
        return floorDiv(wide + int256(2 ** (shift - 1)), int256(2 ** shift));
    }

    /// 2.21 without its last clamp.
    function byRow(int256 t, int256 factor, int256 offset, uint256 shift) internal pure returns (int256) {
        if (t < -2_147_483_648) t = -2_147_483_648;
        if (2_147_483_647 < t) t = 2_147_483_647;
        return rounded(t * factor + offset * 32_768, shift);
    }

    /// Largest u whose square is at most v, bit by bit.
    function root(uint256 v) internal pure returns (uint256 u) {
        for (uint256 bit = 1 << 40; bit != 0; bit /= 2) {
            if ((u + bit) * (u + bit) <= v) u += bit;
        }
    }

    function draw(uint256 seed, uint256 what, uint256 least, uint256 most) internal pure returns (uint256) {
        return least + uint256(keccak256(abi.encode(seed, what))) % (most - least + 1);
    }

    function drawSigned(uint256 seed, uint256 what, int256 least, int256 most) internal pure returns (int32) {
        return int32(least + int256(draw(seed, what, 0, uint256(most - least))));
    }

    /// Bytes of which every pattern occurs, extremes often.
    function anything(uint256 length, uint256 seed) internal pure returns (bytes memory data) {
        data = new bytes(length);
        bytes32 word;
        for (uint256 i = 0; i < length; ++i) {
            if (i % 32 == 0) word = keccak256(abi.encode(seed, "anything", i));
            data[i] = word[i % 32];
        }
        uint256 kind = seed % 4;
        if (kind == 3) return data;
        // Runs of one extreme: 0x80 00 00 00, 0x7f ff ff ff or zero.
        for (uint256 i = 0; i < length; ++i) {
            if (uint8(word[i / 8 % 32]) < 128) continue;
            if (kind == 0) data[i] = i % 4 == 0 ? bytes1(0x80) : bytes1(0x00);
            else if (kind == 1) data[i] = i % 4 == 0 ? bytes1(0x7f) : bytes1(0xff);
            else data[i] = 0;
        }
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title Dot products of two runs in calldata: int8 by int8, int16 by int8.
/// @dev int8: bytes are offset by 128 to become unsigned: x' = x + 128. One word of 32 bytes is four words of
/// eight 32-bit lanes; with the lanes of w' reversed, the top lane of `x' * w'` is the sum of eight
/// products, and what overflows 256 bits is not needed. Then
///
///   sum of x*w = sum of x'*w' - 128 * (sum of x' + sum of w') + n * 2^14.
///
/// A lane holds 2^32 / 255^2 = 66,051 products, so a run of LENGTH_MAX is exact.
///
/// int16 by int8: x' = x + 2^15, w' = w + 128, sixteen terms at a time. Their products are below 2^24, so
/// that a 32-bit lane takes eight of each parity in one multiplication; what the top lane gives is added
/// up as a number of its own. Then
///
///   sum of x*w = sum of x'*w' - 2^7 * sum of x' - 2^15 * sum of w' + n * 2^22.
library Dot {
    /// Terms that are taken at once, so that no lane overflows; a longer run is cut in two.
    uint256 private constant LENGTH_MAX = 65_536;

    /// Sum of x[i] * w[i] over `length` bytes from the calldata offsets `x` and `w`.
    function i8(uint256 x, uint256 w, uint256 length) internal pure returns (int256 sum) {
        if (LENGTH_MAX < length) {
            return i8(x, w, LENGTH_MAX) + i8(x + LENGTH_MAX, w + LENGTH_MAX, length - LENGTH_MAX);
        }
        assembly ("memory-safe") {
            // Zero, and the compiler does not know it: what it takes for constants it computes anew at each use.
            let zero := shr(255, length)
            let lanes := or(zero, 0x000000ff000000ff000000ff000000ff000000ff000000ff000000ff000000ff)
            let offset := or(zero, 0x8080808080808080808080808080808080808080808080808080808080808080)
            let m64 := or(zero, 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff)
            let m32 := or(zero, 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff)
            let products := 0
            let sums := 0
            let end := add(x, and(length, not(31)))
            // The rest of the run first, then the whole words. Bytes beyond the end become 0 in both, which
            // adds nothing anywhere.
            let keep := shl(sub(256, shl(3, and(length, 31))), not(0))
            let a := and(xor(calldataload(end), offset), keep)
            let b := and(xor(calldataload(add(w, sub(end, x))), offset), keep)
            for {} 1 {} {
                b := or(shl(128, b), shr(128, b))
                b := or(shl(64, and(b, m64)), and(shr(64, b), m64))
                b := or(shl(32, and(b, m32)), and(shr(32, b), m32))
                let p := and(a, lanes)
                let q := and(b, lanes)
                products := add(products, mul(p, q))
                sums := add(sums, add(p, q))
                p := and(shr(8, a), lanes)
                q := and(shr(8, b), lanes)
                products := add(products, mul(p, q))
                sums := add(sums, add(p, q))
                p := and(shr(16, a), lanes)
                q := and(shr(16, b), lanes)
                products := add(products, mul(p, q))
                sums := add(sums, add(p, q))
                p := and(shr(24, a), lanes)
                q := and(shr(24, b), lanes)
                products := add(products, mul(p, q))
                sums := add(sums, add(p, q))
                if iszero(lt(x, end)) { break }
                a := xor(calldataload(x), offset)
                b := xor(calldataload(w), offset)
                x := add(x, 32)
                w := add(w, 32)
            }
            // The sum of all eight lanes is the top lane of their product with ones.
            sums := shr(224, mul(sums, 0x0000000100000001000000010000000100000001000000010000000100000001))
            sum := sub(add(shr(224, products), shl(14, length)), shl(7, sums))
        }
    }

    /// Sum of x[i] * w[i] over `count` terms, x big-endian int16 from the calldata offset `x`, w int8 from
    /// `w`.
    function i16(uint256 x, uint256 w, uint256 count) internal pure returns (int256 sum) {
        if (LENGTH_MAX < count) {
            return i16(x, w, LENGTH_MAX) + i16(x + 2 * LENGTH_MAX, w + LENGTH_MAX, count - LENGTH_MAX);
        }
        assembly ("memory-safe") {
            let zero := shr(255, count)
            let signs8 := 0x8080808080808080808080808080808080808080808080808080808080808080
            let signs16 := 0x8000800080008000800080008000800080008000800080008000800080008000
            let words := or(zero, 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff)
            let low := or(zero, 0x000000ff000000ff000000ff000000ff000000ff000000ff000000ff000000ff)
            let m32 := or(zero, 0x000000000000000000000000ffffffff000000000000000000000000ffffffff)
            let m16 := or(zero, 0x000000000000ffff000000000000ffff000000000000ffff000000000000ffff)
            let products := 0
            let xs := 0
            let ws := 0
            let end := add(w, and(count, not(15)))
            // The rest of the run first, then sixteen terms at a time; what is beyond the end becomes 0.
            let b := shl(sub(256, shl(3, and(count, 15))), not(0))
            b := shr(128, and(xor(calldataload(end), signs8), b))
            let a := shl(sub(256, shl(4, and(count, 15))), not(0))
            a := and(xor(calldataload(add(x, shl(1, sub(end, w)))), signs16), a)
            for {} 1 {} {
                // Pairs of weights in lanes, the last pair in the top one.
                b := or(shl(128, and(b, 0xffffffffffffffff)), shr(64, b))
                b := or(shl(64, and(b, m32)), and(shr(32, b), m32))
                b := or(shl(32, and(b, m16)), and(shr(16, b), m16))
                let p := and(a, words)
                let q := and(b, low)
                xs := add(xs, p)
                ws := add(ws, q)
                let both := mul(p, q)
                p := and(shr(16, a), words)
                q := and(shr(8, b), low)
                xs := add(xs, p)
                ws := add(ws, q)
                products := add(products, shr(224, add(both, mul(p, q))))
                if iszero(lt(w, end)) { break }
                a := xor(calldataload(x), signs16)
                b := shr(128, xor(calldataload(w), signs8))
                x := add(x, 32)
                w := add(w, 16)
            }
            // The sum of all eight lanes is the top lane of their product with ones.
            let ones := 0x0000000100000001000000010000000100000001000000010000000100000001
            xs := shr(224, mul(xs, ones))
            ws := shr(224, mul(ws, ones))
            sum := sub(add(products, shl(22, count)), add(shl(7, xs), shl(15, ws)))
        }
    }
}

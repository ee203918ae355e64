// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title Dot product of two runs of int8 in calldata.
/// @dev Bytes are offset by 128 to become unsigned: x' = x + 128. One word of 32 bytes is four words of
/// eight 32-bit lanes; with the lanes of w' reversed, the top lane of `x' * w'` is the sum of eight
/// products, and what overflows 256 bits is not needed. Then
///
///   sum of x*w = sum of x'*w' - 128 * (sum of x' + sum of w') + n * 2^14.
///
/// A lane holds 2^32 / 255^2 = 66,051 products, so any run up to TERMS_MAX is exact.
library Dot {
    /// Bytes that one call may take, so that no lane overflows.
    uint256 internal constant LENGTH_MAX = 66_048;

    /// Sum of x[i] * w[i] over `length` bytes from the calldata offsets `x` and `w`.
    /// `length` is at most LENGTH_MAX: callers have checked the terms of the node.
    function i8(uint256 x, uint256 w, uint256 length) internal pure returns (int256 sum) {
        assembly ("memory-safe") {
            let lanes := 0x000000ff000000ff000000ff000000ff000000ff000000ff000000ff000000ff
            let offset := 0x8080808080808080808080808080808080808080808080808080808080808080
            let m64 := 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff
            let m32 := 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff
            let products := 0
            let sums := 0
            for { let left := length } left {} {
                let a := xor(calldataload(x), offset)
                let b := xor(calldataload(w), offset)
                switch lt(left, 32)
                case 0 {
                    left := sub(left, 32)
                    x := add(x, 32)
                    w := add(w, 32)
                }
                default {
                    // Bytes beyond the end become 0 in both, which adds nothing anywhere.
                    let keep := shl(shl(3, sub(32, left)), not(0))
                    a := and(a, keep)
                    b := and(b, keep)
                    left := 0
                }
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
            }
            // The sum of all eight lanes is the top lane of their product with ones.
            sums := shr(224, mul(sums, 0x0000000100000001000000010000000100000001000000010000000100000001))
            sum := sub(add(shr(224, products), shl(14, length)), shl(7, sums))
        }
    }
}

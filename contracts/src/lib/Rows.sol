// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title What a run of elements in calldata comes to: sums, squares, the largest, and where it is.
/// @dev Elements are big-endian and signed, `width` bits wide (8, 16 or 32). They are offset to become
/// unsigned, x' = x + 2^(width-1), and counted a word of 32 bytes at a time, in lanes wide enough for
/// COUNT_MAX of them; a longer run is cut in two. Bytes beyond the run count as x' = 0. Spec: operators, 2.23.
library Rows {
    uint256 private constant COUNT_MAX = 16_384;

    /// Sum of `count` elements from the calldata offset `from`.
    function sum(uint256 from, uint256 count, uint256 width) internal pure returns (int256 total) {
        if (COUNT_MAX < count) {
            return sum(from, COUNT_MAX, width) + sum(from + (COUNT_MAX / 8) * width, count - COUNT_MAX, width);
        }
        assembly ("memory-safe") {
            // Lanes of two elements: those of one parity, and behind them those of the other.
            let ones := div(not(0), sub(shl(add(width, width), 1), 1))
            let mask := mul(ones, sub(shl(width, 1), 1))
            let tops := shl(sub(width, 1), or(ones, shl(width, ones)))
            let top := sub(256, add(width, width))
            let length := shr(3, mul(count, width))
            let end := add(from, and(length, not(31)))
            // The rest of the run first, then the whole words.
            let a := and(xor(calldataload(end), tops), shl(sub(256, shl(3, and(length, 31))), not(0)))
            for {} 1 {} {
                // At most 2^(2*width) - 2^width + 1 in all lanes together.
                a := add(and(a, mask), and(shr(width, a), mask))
                total := add(total, shr(top, mul(a, ones)))
                if iszero(lt(from, end)) { break }
                a := xor(calldataload(from), tops)
                from := add(from, 32)
            }
            total := sub(total, shl(sub(width, 1), count))
        }
    }

    /// Sums of squares and of elements; `width` is 8 or 16.
    /// A word times itself with its lanes reversed has the sum of its squares in the top lane. Of 16,384
    /// elements that is below 2^30 in a lane of 32 bits, and 2^46 in one of 64.
    function squares(uint256 from, uint256 count, uint256 width) internal pure returns (int256 total, int256 plain) {
        if (COUNT_MAX < count) {
            (total, plain) = squares(from, COUNT_MAX, width);
            (int256 a, int256 b) = squares(from + (COUNT_MAX / 8) * width, count - COUNT_MAX, width);
            return (total + a, plain + b);
        }
        assembly ("memory-safe") {
            // Lanes of four elements.
            let ones := div(not(0), sub(shl(mul(4, width), 1), 1))
            let mask := mul(ones, sub(shl(width, 1), 1))
            let tops := shl(sub(width, 1), div(not(0), sub(shl(width, 1), 1)))
            let m64 := 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff
            let m32 := 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff
            let length := shr(3, mul(count, width))
            let end := add(from, and(length, not(31)))
            // The rest of the run first, then the whole words.
            let a := and(xor(calldataload(end), tops), shl(sub(256, shl(3, and(length, 31))), not(0)))
            for {} 1 {} {
                let b := or(shl(128, a), shr(128, a))
                b := or(shl(64, and(b, m64)), and(shr(64, b), m64))
                if eq(width, 8) { b := or(shl(32, and(b, m32)), and(shr(32, b), m32)) }
                let p := and(a, mask)
                plain := add(plain, p)
                total := add(total, mul(p, and(b, mask)))
                a := shr(width, a)
                b := shr(width, b)
                p := and(a, mask)
                plain := add(plain, p)
                total := add(total, mul(p, and(b, mask)))
                a := shr(width, a)
                b := shr(width, b)
                p := and(a, mask)
                plain := add(plain, p)
                total := add(total, mul(p, and(b, mask)))
                a := shr(width, a)
                b := shr(width, b)
                p := and(a, mask)
                plain := add(plain, p)
                total := add(total, mul(p, and(b, mask)))
                if iszero(lt(from, end)) { break }
                a := xor(calldataload(from), tops)
                from := add(from, 32)
            }
            let top := sub(256, mul(4, width))
            plain := shr(top, mul(plain, ones))
            // x^2 = x'^2 - 2^width * x' + 2^(2*width - 2).
            total := add(sub(shr(top, total), shl(width, plain)), shl(sub(add(width, width), 2), count))
            plain := sub(plain, shl(sub(width, 1), count))
        }
    }

    /// The largest of at least one element, or with `magnitude` the largest of |x|.
    function largest(uint256 from, uint256 count, uint256 width, bool magnitude) internal pure returns (int256 most) {
        if (COUNT_MAX < count) {
            most = largest(from, COUNT_MAX, width, magnitude);
            int256 rest = largest(from + (COUNT_MAX / 8) * width, count - COUNT_MAX, width, magnitude);
            return most < rest ? rest : most;
        }
        assembly ("memory-safe") {
            let lane := add(width, width)
            let ones := div(not(0), sub(shl(lane, 1), 1))
            let mask := mul(ones, sub(shl(width, 1), 1))
            let signs := or(ones, shl(width, ones))
            let high := shl(sub(lane, 1), ones)
            let length := shr(3, mul(count, width))
            let end := add(from, and(length, not(31)))
            // The rest of the run first, then the whole words.
            let a := calldataload(end)
            let keep := shl(sub(256, shl(3, and(length, 31))), not(0))
            let best := 0
            for {} 1 {} {
                switch magnitude
                case 0 { a := xor(a, shl(sub(width, 1), signs)) }
                default {
                    // |x| = (x xor -1) + 1 where x is negative.
                    let p := and(shr(sub(width, 1), a), signs)
                    a := add(xor(a, mul(p, sub(shl(width, 1), 1))), p)
                }
                a := and(a, keep)
                // The high bit of a lane stays where best is at least the element; below it come ones.
                let p := and(a, mask)
                let stay := and(sub(or(best, high), p), high)
                stay := sub(stay, shr(sub(lane, 1), stay))
                best := xor(p, and(xor(best, p), stay))
                p := and(shr(width, a), mask)
                stay := and(sub(or(best, high), p), high)
                stay := sub(stay, shr(sub(lane, 1), stay))
                best := xor(p, and(xor(best, p), stay))
                if iszero(lt(from, end)) { break }
                a := calldataload(from)
                keep := not(0)
                from := add(from, 32)
            }
            for { let one := sub(shl(lane, 1), 1) } best { best := shr(lane, best) } {
                let p := and(best, one)
                if lt(most, p) { most := p }
            }
            if iszero(magnitude) { most := sub(most, shl(sub(width, 1), 1)) }
        }
    }

    /// Index of the first element that is `value`; one is.
    function first(uint256 from, uint256 width, int256 value) internal pure returns (uint256 index) {
        assembly ("memory-safe") {
            let one := sub(shl(width, 1), 1)
            let ones := div(not(0), one)
            let tops := shl(sub(width, 1), ones)
            let wanted := mul(ones, and(value, one))
            // Two words at a time. Where no lane of either is zero the value is not there; a borrow could reach
            // only the lanes before a zero.
            let place := from
            for {} 1 { place := add(place, 64) } {
                let a := xor(calldataload(place), wanted)
                let b := xor(calldataload(add(place, 32)), wanted)
                if and(or(and(sub(a, ones), not(a)), and(sub(b, ones), not(b))), tops) { break }
            }
            // The first that agrees.
            let step := shr(3, width)
            let drop := sub(256, width)
            for {} xor(shr(drop, calldataload(place)), and(value, one)) {} { place := add(place, step) }
            index := div(sub(place, from), step)
        }
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Dot} from "../../src/lib/Dot.sol";
import {NodeBuilder} from "../base/NodeBuilder.sol";
import {Plain} from "../base/Plain.sol";
import {Test} from "../base/Test.sol";

/// @title The dot product in lanes against the sum written out.
contract DotTest is Test {
    function dot(bytes calldata x, bytes calldata w, uint256 length) external pure returns (int256) {
        uint256 xFrom;
        uint256 wFrom;
        assembly ("memory-safe") {
            xFrom := x.offset
            wFrom := w.offset
        }
        return Dot.i8(xFrom, wFrom, length);
    }

    function sum(bytes memory x, bytes memory w, uint256 length) internal pure returns (int256 total) {
        for (uint256 i = 0; i < length; ++i) {
            total += int256(int8(uint8(x[i]))) * int256(int8(uint8(w[i])));
        }
    }

    function fill(uint256 length, uint8 value) internal pure returns (bytes memory data) {
        data = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            data[i] = bytes1(value);
        }
    }

    function test_lanes_give_the_written_out_sum(bytes memory x, bytes memory w, uint256 length) public view {
        uint256 most = x.length < w.length ? x.length : w.length;
        length = bound(length, 0, most);
        assertEq(this.dot(x, w, length), sum(x, w, length));
    }

    function test_every_length_around_a_word_is_exact() public view {
        for (uint256 length = 0; length <= 70; ++length) {
            bytes memory x = fill(length, 0x81);
            bytes memory w = fill(length, 0x7f);
            assertEq(this.dot(x, w, length), -16_129 * int256(length));
        }
    }

    function test_the_longest_run_of_extreme_values_does_not_overflow_a_lane() public view {
        uint256 length = 16_384;
        bytes memory low = fill(length, 0x80);
        bytes memory high = fill(length, 0x7f);
        assertEq(this.dot(low, low, length), 16_384 * int256(length));
        assertEq(this.dot(high, high, length), 16_129 * int256(length));
        assertEq(this.dot(low, high, length), -16_256 * int256(length));
        assertEq(this.dot(high, fill(length, 0), length), 0);
    }

    function wide(bytes calldata x, bytes calldata w, uint256 skip, uint256 count) external pure returns (int256) {
        uint256 xFrom;
        uint256 wFrom;
        assembly ("memory-safe") {
            xFrom := add(x.offset, add(skip, skip))
            wFrom := add(w.offset, skip)
        }
        return Dot.i16(xFrom, wFrom, count);
    }

    function wideSum(bytes memory x, bytes memory w, uint256 skip, uint256 count) internal pure returns (int256 total) {
        for (uint256 i = skip; i < skip + count; ++i) {
            total += NodeBuilder.get(x, 2, i) * NodeBuilder.get(w, 1, i);
        }
    }

    function test_fuzz_int16_lanes_give_the_written_out_sum(uint256 seed) public view {
        uint256 count = Plain.draw(seed, 1, 1, 100);
        uint256 skip = Plain.draw(seed, 2, 0, 20);
        uint256 held = skip + count + Plain.draw(seed, 3, 0, 20);
        bytes memory x = Plain.anything(2 * held, seed);
        bytes memory w = Plain.anything(held, seed / 5);
        assertEq(this.wide(x, w, skip, count), wideSum(x, w, skip, count));
    }

    function test_every_int16_length_around_a_word_is_exact() public view {
        for (uint256 count = 0; count <= 70; ++count) {
            bytes memory x = NodeBuilder.repeat(2, -32_768, count + 40);
            bytes memory w = NodeBuilder.repeat(1, 127, count + 40);
            assertEq(this.wide(x, w, 3, count), -32_768 * 127 * int256(count));
        }
    }

    function test_the_longest_int16_run_of_extreme_values_does_not_overflow_a_lane() public view {
        int256[4] memory xs = [int256(-32_768), -32_768, 32_767, 32_767];
        int256[4] memory ws = [int256(-128), 127, -128, 127];
        for (uint256 i = 0; i < 4; ++i) {
            bytes memory x = NodeBuilder.repeat(2, xs[i], 8_192);
            bytes memory w = NodeBuilder.repeat(1, ws[i], 8_192);
            assertEq(this.wide(x, w, 0, 8_192), xs[i] * ws[i] * 8_192);
        }
    }
}

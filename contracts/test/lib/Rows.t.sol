// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Rows} from "../../src/lib/Rows.sol";
import {NodeBuilder} from "../base/NodeBuilder.sol";
import {Plain} from "../base/Plain.sol";
import {Test} from "../base/Test.sol";

/// @title Sums, squares and largest elements in lanes against the loop over elements.
contract RowsTest is Test {
    function from(bytes calldata data, uint256 skip) internal pure returns (uint256 place) {
        assembly ("memory-safe") {
            place := add(data.offset, skip)
        }
    }

    function sum(bytes calldata data, uint256 skip, uint256 count, uint256 width) external pure returns (int256) {
        return Rows.sum(from(data, skip), count, width);
    }

    function squares(bytes calldata data, uint256 skip, uint256 count, uint256 width)
        external
        pure
        returns (int256, int256)
    {
        return Rows.squares(from(data, skip), count, width);
    }

    function largest(bytes calldata data, uint256 skip, uint256 count, uint256 width, bool magnitude)
        external
        pure
        returns (int256)
    {
        return Rows.largest(from(data, skip), count, width, magnitude);
    }

    function first(bytes calldata data, uint256 skip, uint256 width, int256 value) external pure returns (uint256) {
        return Rows.first(from(data, skip), width, value);
    }

    /// Checks every figure of a run of `count` elements of `dtype` behind `skip` elements.
    function check(bytes memory data, uint256 skip, uint256 count, uint8 dtype) internal view {
        int256 plain = 0;
        int256 square = 0;
        (int256 most, int256 wide, uint256 place) = (type(int256).min, 0, 0);
        for (uint256 i = 0; i < count; ++i) {
            int256 x = NodeBuilder.get(data, dtype, skip + i);
            plain += x;
            square += x * x;
            if (most < x) (most, place) = (x, i);
            if (wide < (x < 0 ? -x : x)) wide = x < 0 ? -x : x;
        }
        uint256 size = 1 << (dtype - 1);
        assertEq(this.sum(data, skip * size, count, 8 * size), plain, "sum");
        assertEq(this.largest(data, skip * size, count, 8 * size, false), most, "largest");
        assertEq(this.largest(data, skip * size, count, 8 * size, true), wide, "magnitude");
        assertEq(this.first(data, skip * size, 8 * size, most), place, "first");
        if (dtype == 3) return;
        (int256 a, int256 b) = this.squares(data, skip * size, count, 8 * size);
        assertEq(a, square, "squares");
        assertEq(b, plain, "sum beside the squares");
    }

    function test_fuzz_lanes_give_the_loop_over_elements(uint256 seed) public view {
        uint8 dtype = uint8(Plain.draw(seed, 1, 1, 3));
        uint256 count = Plain.draw(seed, 2, 1, 200);
        uint256 skip = Plain.draw(seed, 3, 0, 40);
        // Bytes behind the run are other elements and must not count.
        bytes memory data = Plain.anything((skip + count + Plain.draw(seed, 4, 0, 40)) << (dtype - 1), seed);
        check(data, skip, count, dtype);
    }

    function test_every_length_around_a_word_is_exact() public view {
        for (uint8 dtype = 1; dtype < 4; ++dtype) {
            for (uint256 count = 1; count <= 66; ++count) {
                check(NodeBuilder.repeat(dtype, -3, count), 0, count, dtype);
            }
        }
    }

    function test_the_longest_runs_of_extreme_values_do_not_overflow_a_lane() public view {
        for (uint8 dtype = 1; dtype < 4; ++dtype) {
            uint256 width = 8 << (dtype - 1);
            uint256 count = 16_384;
            int256 low = -int256(1 << (width - 1));
            bytes memory data = NodeBuilder.repeat(dtype, low, count);
            assertEq(this.sum(data, 0, count, width), low * int256(count), "sum of the smallest");
            assertEq(this.largest(data, 0, count, width, false), low, "the smallest alone");
            assertEq(this.largest(data, 0, count, width, true), -low, "its magnitude");
            assertEq(this.first(data, 0, width, low), 0, "the first of equals");
            if (dtype < 3) {
                (int256 a, int256 b) = this.squares(data, 0, count, width);
                assertEq(a, low * low * int256(count), "squares of the smallest");
                assertEq(b, low * int256(count), "their sum");
            }
            data = NodeBuilder.repeat(dtype, -low - 1, count);
            assertEq(this.sum(data, 0, count, width), (-low - 1) * int256(count), "sum of the largest");
            assertEq(this.largest(data, 0, count, width, true), -low - 1, "magnitude of the largest");
            if (dtype < 3) {
                (int256 a,) = this.squares(data, 0, count, width);
                assertEq(a, (low + 1) * (low + 1) * int256(count), "squares of the largest");
            }
        }
    }

    function test_the_first_of_the_largest_is_found_wherever_it_stands() public view {
        for (uint8 dtype = 1; dtype < 4; ++dtype) {
            for (uint256 place = 0; place < 70; ++place) {
                bytes memory data = NodeBuilder.repeat(dtype, -2, 70);
                uint256 size = 1 << (dtype - 1);
                // -1 at the place and behind it; a borrow from it must not reach what stands before.
                for (uint256 i = place * size; i < data.length; ++i) {
                    data[i] = 0xff;
                }
                assertEq(this.first(data, 0, 8 * size, -1), place, "place");
            }
        }
    }
}

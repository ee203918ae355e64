// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Forms} from "../../src/lib/Forms.sol";
import {NodeBuilder} from "../base/NodeBuilder.sol";
import {Test} from "../base/Test.sol";

/// @title Forbidden values are found, and only they. Spec: programs, 1.4 and 1.13.
contract FormsTest is Test {
    function values(bytes calldata data, uint8 dtype) external pure returns (uint256) {
        return Forms.values(data, dtype);
    }

    function constants(bytes calldata data) external pure returns (uint256) {
        return Forms.constants(data);
    }

    function columns(bytes calldata data) external pure returns (uint256) {
        return Forms.columns(data);
    }

    function exponential(bytes calldata data) external pure returns (uint256) {
        return Forms.exponential(data);
    }

    function test_fuzz_minus_128_is_found_wherever_it_stands(bytes calldata data) public view {
        uint256 want = Forms.NONE;
        for (uint256 i = data.length; i > 0; --i) {
            if (data[i - 1] == 0x80) want = (i - 1) / 32 * 32;
        }
        assertEq(this.values(data, 1), want, "int8");
    }

    function test_fuzz_minus_32768_is_found_wherever_it_stands(uint256 length, uint256 seed, bool planted) public view {
        bytes memory data = NodeBuilder.noise(2 * bound(length, 1, 300), seed);
        uint256 want = Forms.NONE;
        if (planted) {
            uint256 place = seed % (data.length / 2) * 2;
            data[place] = 0x80;
            data[place + 1] = 0;
            want = place / 32 * 32;
        }
        assertEq(this.values(data, 2), want, "int16");
    }

    function test_every_int32_is_an_activation() public view {
        assertEq(this.values(hex"80000000ffffffff", 3), Forms.NONE);
    }

    function row(int32 bias, int32 m, int32 a, int32 s) private pure returns (bytes memory) {
        return abi.encodePacked(int32(0), int32(1), int32(0), int32(1), bias, m, a, s);
    }

    function test_constants_at_their_limits_hold_and_beyond_they_do_not() public view {
        int32 most = 1 << 30;
        assertEq(this.constants(row(most, 32_767, 32_767, 46)), Forms.NONE);
        assertEq(this.constants(row(-most, 1, 0, 1)), Forms.NONE);
        assertEq(this.constants(row(most + 1, 1, 0, 1)), 16);
        assertEq(this.constants(row(-most - 1, 1, 0, 1)), 16);
        assertEq(this.constants(row(0, 0, 0, 1)), 16);
        assertEq(this.constants(row(0, 32_768, 0, 1)), 16);
        assertEq(this.constants(row(0, 1, -1, 1)), 16);
        assertEq(this.constants(row(0, 1, 32_768, 1)), 16);
        assertEq(this.constants(row(0, 1, 0, 0)), 16);
        assertEq(this.constants(row(0, 1, 0, 47)), 16);
    }

    /// Spec: programs, 1.20.
    function test_constants_of_columns_have_a_multiplier_of_either_sign_and_no_third() public view {
        int32 most = 1 << 30;
        assertEq(this.columns(row(most, 32_767, 0, 46)), Forms.NONE);
        assertEq(this.columns(row(-most, -32_767, 0, 1)), Forms.NONE);
        assertEq(this.columns(row(0, 0, 0, 1)), Forms.NONE);
        assertEq(this.columns(row(most + 1, 1, 0, 1)), 16);
        assertEq(this.columns(row(-most - 1, 1, 0, 1)), 16);
        assertEq(this.columns(row(0, 32_768, 0, 1)), 16);
        assertEq(this.columns(row(0, -32_768, 0, 1)), 16);
        assertEq(this.columns(row(0, 1, 1, 1)), 16);
        assertEq(this.columns(row(0, 1, -1, 1)), 16);
        assertEq(this.columns(row(0, 1, 0, 0)), 16);
        assertEq(this.columns(row(0, 1, 0, 47)), 16);
        assertEq(this.columns(hex"00000000"), 0);
    }

    /// Spec: programs, 1.17.
    function test_fuzz_an_entry_of_an_exponential_below_zero_is_found_wherever_it_stands(
        uint256 length,
        uint256 seed,
        bool planted
    ) public view {
        bytes memory data = NodeBuilder.noise(2 * bound(length, 1, 300), seed);
        for (uint256 i = 0; i < data.length; i += 2) {
            data[i] &= 0x7f;
        }
        uint256 want = Forms.NONE;
        if (planted) {
            uint256 place = seed % (data.length / 2) * 2;
            data[place] |= 0x80;
            want = place / 32 * 32;
        }
        assertEq(this.exponential(data), want, "entry");
    }
}

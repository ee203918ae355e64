// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {BIAS_MAX} from "../generated/ProtocolConstants.sol";
import {DTYPE_I16} from "../generated/ProtocolConstants.sol";
import {DTYPE_I8} from "../generated/ProtocolConstants.sol";
import {MULTIPLIER_MAX} from "../generated/ProtocolConstants.sol";
import {SHIFT_MAX} from "../generated/ProtocolConstants.sol";

/// @title Which bytes are values at all.
/// @dev i8 excludes -128 and i16 excludes -32768; every i32 is an activation. A row of constants is
/// bias, M, A, s, each i32, of a normalised column with A = 0; entries of an exponential are i16 from 0 on.
/// Spec: programs, 1.4, 1.13, 1.17 and 1.20.
library Forms {
    /// No violation.
    uint256 internal constant NONE = type(uint256).max;

    uint256 private constant ROW_BYTES = 16;
    uint256 private constant ONES_8 = type(uint256).max / 0xff;
    uint256 private constant ONES_16 = type(uint256).max / 0xffff;

    /// Offset of the 32-byte word in which a value lies that type `dtype` does not have, or NONE.
    function values(bytes calldata data, uint8 dtype) internal pure returns (uint256) {
        uint256 ones;
        uint256 width;
        if (dtype == DTYPE_I8) (ones, width) = (ONES_8, 8);
        else if (dtype == DTYPE_I16) (ones, width) = (ONES_16, 16);
        else return NONE;
        uint256 tops = ones << (width - 1);
        uint256 length = data.length;
        for (uint256 i = 0; i < length; i += 32) {
            uint256 word;
            assembly ("memory-safe") {
                word := calldataload(add(data.offset, i))
            }
            // Bytes beyond the end do not count: they become 0, which is a value.
            if (length - i < 32) word = (word >> (8 * (32 - (length - i)))) << (8 * (32 - (length - i)));
            // A lane with the forbidden pattern (top bit alone) becomes zero; the classic test for a
            // zero lane is exact.
            uint256 zeroed = word ^ tops;
            unchecked {
                if ((zeroed - ones) & ~zeroed & tops != 0) return i;
            }
        }
        return NONE;
    }

    /// Offset of the 32-byte word in which an i16 below 0 lies, or NONE.
    function exponential(bytes calldata data) internal pure returns (uint256) {
        uint256 length = data.length;
        for (uint256 i = 0; i < length; i += 32) {
            uint256 word;
            assembly ("memory-safe") {
                word := calldataload(add(data.offset, i))
            }
            uint256 tops = ONES_16 << 15;
            // Bytes beyond the end do not count.
            if (length - i < 32) tops = (tops >> (8 * (32 - (length - i)))) << (8 * (32 - (length - i)));
            if (word & tops != 0) return i;
        }
        return NONE;
    }

    /// Offset of the first row of constants that breaks 1.13, or NONE. An incomplete row does.
    function constants(bytes calldata data) internal pure returns (uint256) {
        return _rows(data, 1, int256(uint256(MULTIPLIER_MAX)));
    }

    /// Offset of the first row of a normalisation's constants that breaks 1.20, or NONE. An incomplete row does.
    function columns(bytes calldata data) internal pure returns (uint256) {
        return _rows(data, -int256(uint256(MULTIPLIER_MAX)), 0);
    }

    /// Rows with M of at least `leastMultiplier` and A of at most `mostAddend`.
    function _rows(bytes calldata data, int256 leastMultiplier, int256 mostAddend) private pure returns (uint256) {
        for (uint256 i = 0; i < data.length; i += ROW_BYTES) {
            if (data.length - i < ROW_BYTES) return i;
            int256 bias = int32(uint32(bytes4(data[i:i + 4])));
            int256 multiplier = int32(uint32(bytes4(data[i + 4:i + 8])));
            int256 addend = int32(uint32(bytes4(data[i + 8:i + 12])));
            int256 shift = int32(uint32(bytes4(data[i + 12:i + 16])));
            int256 most = int256(uint256(BIAS_MAX));
            if (bias < -most || most < bias) return i;
            if (multiplier < leastMultiplier || int256(uint256(MULTIPLIER_MAX)) < multiplier) return i;
            if (addend < 0 || mostAddend < addend) return i;
            if (shift < 1 || int256(uint256(SHIFT_MAX)) < shift) return i;
        }
        return NONE;
    }
}

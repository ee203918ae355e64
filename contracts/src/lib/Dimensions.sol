// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ELEMENTS_MAX} from "../generated/ProtocolConstants.sol";

/// @title Dimensions of tensors: constants, or affine in one symbol of the program.
/// @dev Eight bytes: symbol u8, scale u24, offset i32; the value is `scale * value(symbol) + offset`,
/// or `offset` where the symbol is 0. Spec: programs, 1.3.
library Dimensions {
    /// Only symbols 1 to `symbols` exist.
    error SymbolUnknown(uint256 symbols, uint256 actual);
    /// A constant dimension carries no scale.
    error ConstantScale(uint256 actual);
    /// A dimension is at least 1.
    error DimensionBelowOne(int256 actual);
    /// A tensor has at most `most` elements.
    error ElementsTooMany(uint256 most, uint256 actual);

    /// Value of the dimension whose eight bytes are the low 64 bits of `encoded`.
    function value(uint256 encoded, uint32[] memory values) internal pure returns (uint256) {
        uint256 symbol = (encoded >> 56) & 0xff;
        uint256 scale = (encoded >> 32) & 0xffffff;
        int256 result = int32(uint32(encoded));
        if (symbol == 0) {
            if (scale != 0) revert ConstantScale(scale);
        } else {
            if (values.length < symbol) revert SymbolUnknown(values.length, symbol);
            // At most 2^24 * 2^32 + 2^31.
            result += int256(scale * values[symbol - 1]);
        }
        if (result < 1) revert DimensionBelowOne(result);
        if (int256(uint256(ELEMENTS_MAX)) < result) revert ElementsTooMany(ELEMENTS_MAX, uint256(result));
        return uint256(result);
    }

    /// `elements * extent`, refused beyond ELEMENTS_MAX.
    function times(uint256 elements, uint256 extent) internal pure returns (uint256 product) {
        // Both factors are below 2^35.
        product = elements * extent;
        if (ELEMENTS_MAX < product) revert ElementsTooMany(ELEMENTS_MAX, product);
    }
}

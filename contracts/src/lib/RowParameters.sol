// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {CENTER_BITS_MAX} from "../generated/ProtocolConstants.sol";
import {DTYPE_I16} from "../generated/ProtocolConstants.sol";
import {DTYPE_I32} from "../generated/ProtocolConstants.sol";
import {DTYPE_I8} from "../generated/ProtocolConstants.sol";
import {ELEMENTS_MAX} from "../generated/ProtocolConstants.sol";
import {MULTIPLIER_MAX} from "../generated/ProtocolConstants.sol";
import {SHIFT_MAX} from "../generated/ProtocolConstants.sol";
import {TERMS_MAX} from "../generated/ProtocolConstants.sol";
import {Dimensions} from "./Dimensions.sol";
import {Parameters} from "./Parameters.sol";

/// @title Parameters of the operators that work on rows, decoded and held to their limits.
/// @dev As `Parameters`, whose errors these are. Spec: programs, 1.10 and 1.18 to 1.21.
library RowParameters {
    uint256 internal constant BATCH_MATMUL_BYTES = 46;
    uint256 internal constant REDUCE_BYTES = 29;
    uint256 internal constant NORMALIZE_BYTES = 25;
    uint256 internal constant EMBEDDING_BYTES = 16;

    /// Where the shift of the row factor of a batch_matmul stands in its parameters.
    uint256 internal constant BATCH_FACTOR_AT = 37;
    /// Where a normalisation says whether it has a center, and behind it whether it has a factor.
    uint256 internal constant NORMALIZE_CENTER_AT = 14;

    // What a reduction makes of a row.
    uint256 internal constant REDUCE_SUM = 0;
    uint256 internal constant REDUCE_MEAN = 1;
    uint256 internal constant REDUCE_SQUARES = 2;
    uint256 internal constant REDUCE_VARIANCE = 3;
    uint256 internal constant REDUCE_MAXIMUM = 4;
    uint256 internal constant REDUCE_MAGNITUDE = 5;
    uint256 internal constant REDUCE_ARGMAX = 6;

    struct BatchMatmul {
        uint256 batch;
        uint256 group;
        uint256 rows;
        uint256 columns;
        uint256 terms;
        bool interleavedX; // [rows][batch][k]
        bool interleavedY; // [columns][batch / group][k]
        bool interleaved; // the output is [rows][batch][columns]
        uint8 dtype; // of x
        uint256 multiplier;
        uint256 shift;
        uint256 factorShift; // 0: no row factor
        int256 lo;
        int256 hi;
    }

    struct Reduce {
        uint256 rows;
        uint256 columns;
        uint256 kind; // REDUCE_*
        uint8 dtype; // of x
        uint256 multiplier;
        uint256 shift;
        int256 lo;
        int256 hi;
    }

    struct Normalize {
        uint256 rows;
        uint256 columns;
        uint8 dtype; // of x
        uint256 centerBits;
        bool center;
        bool factor;
        uint256 factorShift;
        int256 lo;
        int256 hi;
    }

    struct Embedding {
        uint256 rows;
        uint256 columns;
        uint256 entries;
    }

    function batchMatmul(bytes calldata leaf, uint256 start, uint32[] memory values)
        internal
        pure
        returns (BatchMatmul memory b)
    {
        b.batch = Parameters.read(leaf, start, 4);
        b.group = Parameters.read(leaf, start + 4, 4);
        b.rows = Dimensions.value(Parameters.read(leaf, start + 8, 8), values);
        b.columns = Dimensions.value(Parameters.read(leaf, start + 16, 8), values);
        b.terms = Dimensions.value(Parameters.read(leaf, start + 24, 8), values);
        uint256 order = Parameters.number(leaf, start + 32, 1, 5, 0, 7);
        b.interleavedX = order & 1 == 1;
        b.interleavedY = order & 2 == 2;
        b.interleaved = order & 4 == 4;
        b.dtype = uint8(Parameters.number(leaf, start + 33, 1, 6, DTYPE_I8, DTYPE_I16));
        b.multiplier = Parameters.number(leaf, start + 34, 2, 7, 1, MULTIPLIER_MAX);
        b.shift = Parameters.number(leaf, start + 36, 1, 8, 1, SHIFT_MAX);
        b.factorShift = Parameters.number(leaf, start + BATCH_FACTOR_AT, 1, 9, 0, SHIFT_MAX);
        (b.lo, b.hi) = Parameters.clamp(leaf, start + 38, 0);
        if (b.batch == 0 || b.group == 0) revert Parameters.SizeZero();
        if (b.batch % b.group != 0) revert Parameters.GroupsUneven(b.group, b.batch);
        Parameters.checkProduct(b.dtype, b.terms);
    }

    function reduce(bytes calldata leaf, uint256 start, uint32[] memory values)
        internal
        pure
        returns (Reduce memory r)
    {
        r.rows = Dimensions.value(Parameters.read(leaf, start, 8), values);
        r.columns = Dimensions.value(Parameters.read(leaf, start + 8, 8), values);
        r.kind = Parameters.number(leaf, start + 16, 1, 2, REDUCE_SUM, REDUCE_ARGMAX);
        bool squares = r.kind == REDUCE_SQUARES || r.kind == REDUCE_VARIANCE;
        r.dtype = uint8(Parameters.number(leaf, start + 17, 1, 3, DTYPE_I8, squares ? DTYPE_I16 : DTYPE_I32));
        r.multiplier = Parameters.number(leaf, start + 18, 2, 4, 1, MULTIPLIER_MAX);
        r.shift = Parameters.number(leaf, start + 20, 1, 5, 1, SHIFT_MAX);
        (r.lo, r.hi) = Parameters.clamp(leaf, start + 21, 0);
        if (TERMS_MAX < r.columns) revert Parameters.TermsTooMany(TERMS_MAX, r.columns);
    }

    function normalize(bytes calldata leaf, uint256 start, uint32[] memory values)
        internal
        pure
        returns (Normalize memory n)
    {
        n.rows = Dimensions.value(Parameters.read(leaf, start, 8), values);
        n.columns = Parameters.number(leaf, start + 8, 4, 1, 1, ELEMENTS_MAX);
        n.dtype = uint8(Parameters.number(leaf, start + 12, 1, 2, DTYPE_I8, DTYPE_I32));
        n.centerBits = Parameters.number(leaf, start + 13, 1, 3, 0, CENTER_BITS_MAX);
        n.center = Parameters.number(leaf, start + NORMALIZE_CENTER_AT, 1, 4, 0, 1) == 1;
        n.factor = Parameters.number(leaf, start + NORMALIZE_CENTER_AT + 1, 1, 5, 0, 1) == 1;
        n.factorShift = Parameters.number(leaf, start + 16, 1, 6, 1, SHIFT_MAX);
        (n.lo, n.hi) = Parameters.clamp(leaf, start + 17, 0);
    }

    function embedding(bytes calldata leaf, uint256 start, uint32[] memory values)
        internal
        pure
        returns (Embedding memory e)
    {
        e.rows = Dimensions.value(Parameters.read(leaf, start, 8), values);
        e.columns = Parameters.number(leaf, start + 8, 4, 1, 1, ELEMENTS_MAX);
        e.entries = Parameters.number(leaf, start + 12, 4, 2, 1, ELEMENTS_MAX);
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Opening} from "../../src/interfaces/ILeaf.sol";
import {TreeBuilder} from "./TreeBuilder.sol";

/// @title Node leaves, tensors and openings for tests, written straight from page 1.
library NodeBuilder {
    /// Bytes of a leaf before its input names.
    uint256 internal constant HEAD = 20;

    struct Window {
        uint16 kh;
        uint16 kw;
        uint16 strideH;
        uint16 strideW;
        uint16 top;
        uint16 left;
        uint16 bottom;
        uint16 right;
        uint16 dilationH;
        uint16 dilationW;
    }

    /// How an output axis walks along an input axis.
    struct Walk {
        uint8 source;
        uint8 exact;
        int32 numerator;
        int32 offset;
        uint32 denominator;
        uint32 extent;
    }

    /// The parameters of a pointwise node, in their order.
    struct Pointwise {
        uint32 rows;
        uint32 columns;
        uint8 product;
        uint8 dtype;
        int32 a;
        uint8 source;
        uint8 second;
        uint8 spread;
        int32 b;
        uint32 held;
        uint8 shift;
        int32 lo;
        int32 hi;
        uint8 activation;
        uint8 bits;
    }

    /// The parameters of a batched matrix product, in their order.
    struct BatchMatmul {
        uint32 batch;
        uint32 group;
        uint32 rows;
        uint32 columns;
        uint32 k;
        uint8 order;
        uint8 dtype;
        uint16 m;
        uint8 shift;
        uint8 factorShift;
        int32 lo;
        int32 hi;
    }

    /// The parameters of a reduction, in their order.
    struct Reduce {
        uint32 rows;
        uint32 columns;
        uint8 kind;
        uint8 dtype;
        uint16 m;
        uint8 shift;
        int32 lo;
        int32 hi;
    }

    /// The parameters of a normalisation, in their order.
    struct Normalize {
        uint32 rows;
        uint32 columns;
        uint8 dtype;
        uint8 centerBits;
        uint8 center;
        uint8 factor;
        uint8 factorShift;
        int32 lo;
        int32 hi;
    }

    function square(uint16 kernel, uint16 stride, uint16 pad) internal pure returns (Window memory) {
        return Window(kernel, kernel, stride, stride, pad, pad, pad, pad, 1, 1);
    }

    function window(Window memory w) internal pure returns (bytes memory) {
        return
            abi.encodePacked(
                w.kh, w.kw, w.strideH, w.strideW, w.top, w.left, w.bottom, w.right, w.dilationH, w.dilationW
            );
    }

    /// A constant dimension.
    function dim(uint32 extent) internal pure returns (bytes memory) {
        return abi.encodePacked(uint32(0), extent);
    }

    /// scale * symbol + offset.
    function dim(uint8 symbol, uint24 scale, int32 offset) internal pure returns (bytes memory) {
        return abi.encodePacked(symbol, scale, offset);
    }

    function tail(uint8 addend, int32 lo, int32 hi, bool table) internal pure returns (bytes memory) {
        return abi.encodePacked(addend, lo, hi, table ? uint8(1) : uint8(0));
    }

    /// A leaf at segment 0, place 0.
    function leaf(
        uint8 op,
        uint8 dtype,
        uint64 macs,
        uint32[] memory inputs,
        bytes32[] memory tensorRoots,
        bytes memory parameters
    ) internal pure returns (bytes memory out) {
        out = abi.encodePacked(op, dtype, uint8(inputs.length), uint8(tensorRoots.length), macs, uint64(0));
        for (uint256 i = 0; i < inputs.length; ++i) {
            out = abi.encodePacked(out, inputs[i]);
        }
        for (uint256 i = 0; i < tensorRoots.length; ++i) {
            out = abi.encodePacked(out, tensorRoots[i]);
        }
        out = abi.encodePacked(out, parameters);
    }

    /// The leaf at another segment and place (1.22).
    function placed(bytes memory out, uint256 segment, uint256 place) internal pure returns (bytes memory) {
        bytes memory fields = abi.encodePacked(uint32(segment), uint32(place));
        for (uint256 i = 0; i < 8; ++i) {
            out[HEAD - 8 + i] = fields[i];
        }
        return out;
    }

    /// The leaf with another name of input `slot`.
    function naming(bytes memory out, uint256 slot, uint32 name) internal pure returns (bytes memory) {
        bytes memory field = abi.encodePacked(name);
        for (uint256 i = 0; i < 4; ++i) {
            out[HEAD + 4 * slot + i] = field[i];
        }
        return out;
    }

    /// The leaves as those of a program whose every node is committed.
    function numbered(bytes[] memory leaves) internal pure returns (bytes[] memory) {
        for (uint256 i = 0; i < leaves.length; ++i) {
            leaves[i] = placed(leaves[i], i, 0);
        }
        return leaves;
    }

    /// The whole of an input axis.
    function along(uint8 source, uint32 extent) internal pure returns (Walk memory) {
        return Walk(source, 0, 1, 0, 1, extent);
    }

    /// Parameters of a move.
    function move(int32 fill, Walk[] memory walks, uint32[] memory shape) internal pure returns (bytes memory out) {
        out = abi.encodePacked(uint8(walks.length), fill);
        for (uint256 i = 0; i < walks.length; ++i) {
            Walk memory w = walks[i];
            out = abi.encodePacked(out, w.source, w.exact, w.numerator, w.offset, w.denominator, dim(w.extent));
        }
        for (uint256 i = 0; i < shape.length; ++i) {
            out = abi.encodePacked(out, dim(shape[i]));
        }
    }

    /// Parameters of a permutation of axes: output axis j is input axis `axes[j]`.
    function permute(bytes memory axes, uint32[] memory shape) internal pure returns (bytes memory) {
        Walk[] memory walks = new Walk[](axes.length);
        for (uint256 i = 0; i < axes.length; ++i) {
            walks[i] = along(uint8(axes[i]), shape[uint8(axes[i])]);
        }
        return move(0, walks, shape);
    }

    /// Parameters of a concatenation.
    function concat(uint32 rows, uint32[] memory columns) internal pure returns (bytes memory out) {
        out = abi.encodePacked(uint8(columns.length), dim(rows));
        for (uint256 i = 0; i < columns.length; ++i) {
            out = abi.encodePacked(out, dim(columns[i]));
        }
    }

    function pointwise(Pointwise memory p) internal pure returns (bytes memory) {
        bytes memory second = abi.encodePacked(p.source, p.second, p.spread, p.b, p.held);
        bytes memory head = abi.encodePacked(dim(p.rows), dim(p.columns), p.product, p.dtype, p.a);
        return abi.encodePacked(head, second, p.shift, p.lo, p.hi, p.activation, p.bits);
    }

    /// Parameters of a matrix product of int8 without a row factor.
    function matmul(
        bytes memory rows,
        uint32 rowElements,
        uint32 offset,
        uint32 terms,
        uint32 outputs,
        bytes memory end
    ) internal pure returns (bytes memory) {
        return abi.encodePacked(rows, rowElements, offset, terms, outputs, uint8(1), uint8(0), end);
    }

    function batchMatmul(BatchMatmul memory b) internal pure returns (bytes memory) {
        bytes memory head = abi.encodePacked(b.batch, b.group, dim(b.rows), dim(b.columns), dim(b.k));
        return abi.encodePacked(head, b.order, b.dtype, b.m, b.shift, b.factorShift, b.lo, b.hi);
    }

    function reduce(Reduce memory r) internal pure returns (bytes memory) {
        return abi.encodePacked(dim(r.rows), dim(r.columns), r.kind, r.dtype, r.m, r.shift, r.lo, r.hi);
    }

    function normalize(Normalize memory n) internal pure returns (bytes memory) {
        bytes memory head = abi.encodePacked(dim(n.rows), n.columns, n.dtype, n.centerBits);
        return abi.encodePacked(head, n.center, n.factor, n.factorShift, n.lo, n.hi);
    }

    function embedding(uint32 rows, uint32 columns, uint32 entries) internal pure returns (bytes memory) {
        return abi.encodePacked(dim(rows), columns, entries);
    }

    /// The parameters with the eight bytes from `place` replaced by a dimension.
    function withDim(bytes memory parameters, uint256 place, bytes memory with) internal pure returns (bytes memory) {
        for (uint256 i = 0; i < 8; ++i) {
            parameters[place + i] = with[i];
        }
        return parameters;
    }

    /// Canonical bytes of one value.
    function put(uint8 dtype, int256 value) internal pure returns (bytes memory) {
        if (dtype == 1) return abi.encodePacked(int8(value));
        return dtype == 2 ? abi.encodePacked(int16(value)) : abi.encodePacked(int32(value));
    }

    /// The value at `index`.
    function get(bytes memory data, uint8 dtype, uint256 index) internal pure returns (int256 value) {
        uint256 width = 1 << (dtype - 1);
        for (uint256 i = 0; i < width; ++i) {
            value = value * 256 + int256(uint256(uint8(data[index * width + i])));
        }
        if (128 <= uint8(data[index * width])) value -= int256(1 << (8 * width));
    }

    /// `count` times the same value.
    function repeat(uint8 dtype, int256 value, uint256 count) internal pure returns (bytes memory data) {
        bytes memory one = put(dtype, value);
        data = new bytes(count * one.length);
        for (uint256 i = 0; i < data.length; ++i) {
            data[i] = one[i % one.length];
        }
    }

    /// Bias, M, A, s of each of `channels` output channels.
    function constants(uint256 channels, int32 bias, int32 m, int32 a, int32 s)
        internal
        pure
        returns (bytes memory out)
    {
        for (uint256 i = 0; i < channels; ++i) {
            out = abi.encodePacked(out, bias, m, a, s);
        }
    }

    /// Pseudo-random bytes, none of them 0x80.
    function noise(uint256 length, uint256 seed) internal pure returns (bytes memory data) {
        data = new bytes(length);
        bytes32 word;
        for (uint256 i = 0; i < length; ++i) {
            if (i % 32 == 0) word = keccak256(abi.encode(seed, i));
            data[i] = word[i % 32] == 0x80 ? bytes1(0x7f) : word[i % 32];
        }
    }

    /// The opening of the given tiles (increasing) of a tensor.
    function open(bytes memory tensor, uint256[] memory indices) internal pure returns (Opening memory o) {
        for (uint256 i = 0; i < indices.length; ++i) {
            o.tiles = abi.encodePacked(o.tiles, TreeBuilder.slice(tensor, 512 * indices[i], 512));
        }
        o.siblings = indices.length == 0 ? new bytes32[](0) : TreeBuilder.siblings(TreeBuilder.tiles(tensor), indices);
    }

    /// The opening of the tiles that `length` contiguous bytes lie in.
    function openRun(bytes memory tensor, uint256 from, uint256 length) internal pure returns (Opening memory) {
        uint256 first = from / 512;
        uint256[] memory indices = new uint256[]((from + length - 1) / 512 - first + 1);
        for (uint256 i = 0; i < indices.length; ++i) {
            indices[i] = first + i;
        }
        return open(tensor, indices);
    }

    function root(bytes memory tensor) internal pure returns (bytes32) {
        return TreeBuilder.root(TreeBuilder.tiles(tensor));
    }

    function list(uint32 a) internal pure returns (uint32[] memory out) {
        out = new uint32[](1);
        out[0] = a;
    }

    function list(uint32 a, uint32 b) internal pure returns (uint32[] memory out) {
        out = new uint32[](2);
        (out[0], out[1]) = (a, b);
    }

    function list(uint32 a, uint32 b, uint32 c) internal pure returns (uint32[] memory out) {
        out = new uint32[](3);
        (out[0], out[1], out[2]) = (a, b, c);
    }

    function roots(bytes memory a) internal pure returns (bytes32[] memory out) {
        out = new bytes32[](1);
        out[0] = root(a);
    }

    function roots(bytes memory a, bytes memory b) internal pure returns (bytes32[] memory out) {
        out = new bytes32[](2);
        (out[0], out[1]) = (root(a), root(b));
    }

    function roots(bytes memory a, bytes memory b, bytes memory c) internal pure returns (bytes32[] memory out) {
        out = new bytes32[](3);
        (out[0], out[1], out[2]) = (root(a), root(b), root(c));
    }
}

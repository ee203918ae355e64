// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {DTYPE_I32} from "../generated/ProtocolConstants.sol";
import {DTYPE_I8} from "../generated/ProtocolConstants.sol";
import {MULTIPLIER_MAX} from "../generated/ProtocolConstants.sol";
import {OP_CONV} from "../generated/ProtocolConstants.sol";
import {OP_MATMUL} from "../generated/ProtocolConstants.sol";
import {ILeaf} from "../interfaces/ILeaf.sol";
import {Opening} from "../interfaces/ILeaf.sol";
import {Dimensions} from "../lib/Dimensions.sol";
import {Dot} from "../lib/Dot.sol";
import {NodeLeaf} from "../lib/NodeLeaf.sol";
import {Opened} from "../lib/Opened.sol";
import {Parameters} from "../lib/Parameters.sol";
import {Leaf} from "./Leaf.sol";

/// @title LinearLeaf: one element of a matrix product or a convolution.
/// @dev v = clamp((acc*M + addend*A + 2^(s-1)) >> s, lo, hi), or table[v + 128], with
/// acc = bias + sum of x*w; with a row factor as 2.21 has it. Openings: x, [addend], [row factor], weights,
/// constants, [table]; they are proved in the order x, weights, constants, addend, row factor, table.
/// Spec: operators, 2.10 to 2.13 and 2.21; game, 4.8.
contract LinearLeaf is Leaf {
    using Opened for Opened.Reads;

    uint256 private constant TABLE_BYTES = 256;

    /// What both operators come down to.
    struct Element {
        uint256 flat; // index in the output, and in the addend
        uint256 elements; // of the output
        uint256 channel;
        uint256 channels; // output channels
        int256 sum; // of x*w
        uint256 rows; // factors: one for each row; of a matrix product only
        uint256 factorShift; // 0: no row factor
        Parameters.Tail tail;
    }

    /// @inheritdoc ILeaf
    function evaluate(
        bytes calldata nodeLeaf,
        uint32[] calldata dimensions,
        uint64 element,
        Opening[] calldata openings
    ) external pure returns (int256 value, bytes32[] memory roots) {
        uint256 start;
        (start, roots) = _enter(nodeLeaf, openings);
        uint8 op = NodeLeaf.op(nodeLeaf);
        Element memory e;
        e.flat = element;
        if (op == OP_MATMUL) {
            _matmul(Parameters.matmul(nodeLeaf, start, dimensions), e, openings, roots);
        } else if (op == OP_CONV) {
            _conv(Parameters.conv(nodeLeaf, start, dimensions), e, openings, roots);
        } else {
            revert OperatorNotHere(op);
        }
        value = _finish(e, openings, roots);
        _checkTensors(nodeLeaf, roots);
    }

    /// 2.12: terms x[r*row_elements + k_offset + k] * w[o*k_len + k].
    function _matmul(Parameters.Matmul memory m, Element memory e, Opening[] calldata openings, bytes32[] memory roots)
        private
        pure
    {
        e.tail = m.tail;
        e.channels = m.outputs;
        (e.rows, e.factorShift) = (m.rows, m.factorShift);
        e.elements = Dimensions.times(m.rows, m.outputs);
        _checkElement(e.flat, e.elements);
        e.channel = e.flat % m.outputs;
        uint256 slot = _weightSlot(e);

        Opened.Reads memory x = Opened.start(openings[0]);
        Opened.Reads memory w = Opened.start(openings[slot]);
        uint256 first = (e.flat / m.outputs) * m.rowElements + m.offset;
        uint256 wFrom = w.touch(e.channel * m.terms, m.terms);
        e.sum = _run(m.dtype, x, first, wFrom, m.terms);
        uint256 elements = Dimensions.times(m.rows, m.rowElements);
        roots[0] = x.root(openings[0], 0, elements * Parameters.dtypeBytes(m.dtype));
        roots[slot] = w.root(openings[slot], slot, Dimensions.times(m.outputs, m.terms));
    }

    /// Sum of x*w over `terms` elements of x from `first` on and the weights at the calldata offset `w`.
    function _run(uint8 dtype, Opened.Reads memory x, uint256 first, uint256 w, uint256 terms)
        private
        pure
        returns (int256)
    {
        if (dtype == DTYPE_I8) return Dot.i8(x.touch(first, terms), w, terms);
        return Dot.i16(x.touch(2 * first, 2 * terms), w, terms);
    }

    /// 2.13: terms over the cells of the window that lie inside the input.
    function _conv(Parameters.Conv memory c, Element memory e, Opening[] calldata openings, bytes32[] memory roots)
        private
        pure
    {
        e.tail = c.tail;
        e.channels = c.outputs;
        e.elements = Dimensions.times(Dimensions.times(c.outHeight, c.outWidth), c.outputs);
        _checkElement(e.flat, e.elements);
        e.channel = e.flat % c.outputs;
        uint256 slot = _weightSlot(e);
        uint256 terms = c.window.height * c.window.width * (c.channels / c.groups);

        Opened.Reads memory x = Opened.start(openings[0]);
        Opened.Reads memory w = Opened.start(openings[slot]);
        uint256 wFrom = w.touch(e.channel * terms, terms);
        e.sum = _window(c, e, x, wFrom);
        uint256 elements = Dimensions.times(Dimensions.times(c.height, c.width), c.channels);
        roots[0] = x.root(openings[0], 0, elements * Parameters.dtypeBytes(c.dtype));
        roots[slot] = w.root(openings[slot], slot, Dimensions.times(c.outputs, terms));
    }

    /// Sum over the window. `wFrom` is where the weights of the output channel start.
    function _window(Parameters.Conv memory c, Element memory e, Opened.Reads memory x, uint256 wFrom)
        private
        pure
        returns (int256 sum)
    {
        Parameters.Window memory p = c.window;
        uint256 perGroup = c.channels / c.groups;
        uint256 firstChannel = (e.channel / (c.outputs / c.groups)) * perGroup;
        uint256 cell = e.flat / c.outputs;
        // Coordinates in the padded input.
        uint256 top = (cell / c.outWidth) * p.strideHeight;
        uint256 left = (cell % c.outWidth) * p.strideWidth;
        // Neighbouring cells are contiguous bytes: one run for each row of the kernel.
        bool whole = c.groups == 1 && p.dilationWidth == 1;
        (uint256 first, uint256 end) = _inside(left, p.dilationWidth, p.width, p.padLeft, c.width);
        if (first == end) return 0;
        for (uint256 i = 0; i < p.height; ++i) {
            uint256 y = top + i * p.dilationHeight;
            if (y < p.padTop || c.height + p.padTop <= y) continue;
            uint256 row = (y - p.padTop) * c.width;
            uint256 weights = wFrom + i * p.width * perGroup;
            if (whole) {
                uint256 length = (end - first) * perGroup;
                uint256 at = (row + left + first - p.padLeft) * perGroup;
                sum += _run(c.dtype, x, at, weights + first * perGroup, length);
            } else {
                for (uint256 j = first; j < end; ++j) {
                    uint256 column = left + j * p.dilationWidth - p.padLeft;
                    uint256 at = (row + column) * c.channels + firstChannel;
                    sum += _run(c.dtype, x, at, weights + j * perGroup, perGroup);
                }
            }
        }
    }

    /// The kernel columns [first, end) that fall inside an input of `extent` cells.
    function _inside(uint256 left, uint256 dilation, uint256 kernel, uint256 pad, uint256 extent)
        private
        pure
        returns (uint256 first, uint256 end)
    {
        if (left < pad) first = (pad - left + dilation - 1) / dilation;
        if (left < pad + extent) end = (pad + extent - left - 1) / dilation + 1;
        if (kernel < end) end = kernel;
        if (end < first) first = end;
    }

    /// Constants, addend, row factor, clamp and table (2.10, 2.11 and 2.21).
    function _finish(Element memory e, Opening[] calldata openings, bytes32[] memory roots)
        private
        pure
        returns (int256 value)
    {
        uint256 slot = _weightSlot(e) + 1;
        Constants memory c;
        (c, roots[slot]) = _constants(openings, slot, e.channel, e.channels, 1, int256(uint256(MULTIPLIER_MAX)));
        int256 addend = 0;
        if (e.tail.addend != 0) (addend, roots[1]) = _one(openings, 1, e.flat, e.elements, e.tail.addend);
        int256 factor = 0;
        if (e.factorShift != 0) {
            uint256 place = slot - 2;
            (factor, roots[place]) = _one(openings, place, e.flat / e.channels, e.rows, DTYPE_I32);
        }

        if (!c.wellFormed) {
            value = FORM_VIOLATION;
        } else if (e.factorShift == 0) {
            value = _round((c.bias + e.sum) * c.multiplier + addend * c.addend, c.shift);
        } else {
            int256 t = _round(e.sum * c.multiplier, c.shift);
            value = _scaleByRow(t, factor, c.bias + addend * c.addend, e.factorShift);
        }
        if (c.wellFormed) value = _clamp(value, e.tail.lo, e.tail.hi);
        if (e.tail.table) value = _lookUp(value, c.wellFormed, slot + 1, openings, roots);
    }

    /// table[value + 128]. The table's one tile is proved even when the value is already void.
    function _lookUp(int256 value, bool wellFormed, uint256 slot, Opening[] calldata openings, bytes32[] memory roots)
        private
        pure
        returns (int256 entry)
    {
        uint256 index = wellFormed ? uint256(value + 128) : 0;
        (entry, roots[slot]) = _one(openings, slot, index, TABLE_BYTES, DTYPE_I8);
        if (!wellFormed || !_isValue(entry, DTYPE_I8)) return FORM_VIOLATION;
    }

    /// Slot of the weights: behind x, the addend and the row factor.
    function _weightSlot(Element memory e) private pure returns (uint256) {
        return (e.tail.addend == 0 ? 1 : 2) + (e.factorShift == 0 ? 0 : 1);
    }
}

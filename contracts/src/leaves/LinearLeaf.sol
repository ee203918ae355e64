// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {BIAS_MAX} from "../generated/ProtocolConstants.sol";
import {INT8_MAX} from "../generated/ProtocolConstants.sol";
import {MULTIPLIER_MAX} from "../generated/ProtocolConstants.sol";
import {OP_CONV} from "../generated/ProtocolConstants.sol";
import {OP_MATMUL} from "../generated/ProtocolConstants.sol";
import {SHIFT_MAX} from "../generated/ProtocolConstants.sol";
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
/// acc = bias + sum of x*w. Openings: x, [addend], weights, constants, [table].
/// Spec: operators, 2.10 to 2.13; game, 4.8.
contract LinearLeaf is Leaf {
    using Opened for Opened.Reads;

    uint256 private constant CONSTANTS_BYTES = 16; // bias, M, A, s of one output channel
    uint256 private constant TABLE_BYTES = 256;

    /// What both operators come down to.
    struct Element {
        uint256 flat; // index in the output, and in the addend
        uint256 elements; // of the output
        uint256 channel;
        uint256 channels; // output channels
        int256 sum; // of x*w
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
        e.elements = Dimensions.times(m.rows, m.outputs);
        _checkElement(e.flat, e.elements);
        e.channel = e.flat % m.outputs;
        uint256 slot = _weightSlot(e);

        Opened.Reads memory x = Opened.start(openings[0]);
        Opened.Reads memory w = Opened.start(openings[slot]);
        uint256 xFrom = x.touch((e.flat / m.outputs) * m.rowElements + m.offset, m.terms);
        uint256 wFrom = w.touch(e.channel * m.terms, m.terms);
        e.sum = Dot.i8(xFrom, wFrom, m.terms);
        roots[0] = x.root(openings[0], 0, Dimensions.times(m.rows, m.rowElements));
        roots[slot] = w.root(openings[slot], slot, Dimensions.times(m.outputs, m.terms));
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
        roots[0] = x.root(openings[0], 0, Dimensions.times(Dimensions.times(c.height, c.width), c.channels));
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
                uint256 from = x.touch((row + left + first - p.padLeft) * perGroup, length);
                sum += Dot.i8(from, weights + first * perGroup, length);
            } else {
                for (uint256 j = first; j < end; ++j) {
                    uint256 column = left + j * p.dilationWidth - p.padLeft;
                    uint256 from = x.touch((row + column) * c.channels + firstChannel, perGroup);
                    sum += Dot.i8(from, weights + j * perGroup, perGroup);
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

    /// Constants, addend, clamp and table (2.10 and 2.11).
    function _finish(Element memory e, Opening[] calldata openings, bytes32[] memory roots)
        private
        pure
        returns (int256 value)
    {
        uint256 slot = _weightSlot(e) + 1;
        Opened.Reads memory constants = Opened.start(openings[slot]);
        int256 bias = constants.element(4 * e.channel, 4);
        int256 multiplier = constants.element(4 * e.channel + 1, 4);
        int256 addendMultiplier = constants.element(4 * e.channel + 2, 4);
        int256 shift = constants.element(4 * e.channel + 3, 4);
        roots[slot] = constants.root(openings[slot], slot, e.channels * CONSTANTS_BYTES);

        int256 addend = 0;
        if (e.tail.addend != 0) {
            uint256 size = Parameters.dtypeBytes(e.tail.addend);
            Opened.Reads memory second = Opened.start(openings[1]);
            addend = second.element(e.flat, size);
            roots[1] = second.root(openings[1], 1, e.elements * size);
        }

        bool wellFormed = _within(bias, -int256(uint256(BIAS_MAX)), int256(uint256(BIAS_MAX)))
            && _within(multiplier, 1, int256(uint256(MULTIPLIER_MAX)))
            && _within(addendMultiplier, 0, int256(uint256(MULTIPLIER_MAX)))
            && _within(shift, 1, int256(uint256(SHIFT_MAX)));
        if (wellFormed) {
            int256 wide = (bias + e.sum) * multiplier + addend * addendMultiplier;
            value = (wide + int256(1 << uint256(shift - 1))) >> uint256(shift);
            if (value < e.tail.lo) value = e.tail.lo;
            if (e.tail.hi < value) value = e.tail.hi;
        } else {
            value = FORM_VIOLATION;
        }
        if (e.tail.table) value = _lookUp(value, wellFormed, slot + 1, openings, roots);
    }

    /// table[value + 128]. The table's one tile is proved even when the value is already void.
    function _lookUp(int256 value, bool wellFormed, uint256 slot, Opening[] calldata openings, bytes32[] memory roots)
        private
        pure
        returns (int256 entry)
    {
        Opened.Reads memory table = Opened.start(openings[slot]);
        entry = table.element(wellFormed ? uint256(value + 128) : 0, 1);
        roots[slot] = table.root(openings[slot], slot, TABLE_BYTES);
        if (!wellFormed || entry < -int256(uint256(INT8_MAX))) return FORM_VIOLATION;
    }

    /// Slot of the weights: behind x and the addend.
    function _weightSlot(Element memory e) private pure returns (uint256) {
        return e.tail.addend == 0 ? 1 : 2;
    }

    function _within(int256 value, int256 least, int256 most) private pure returns (bool) {
        return least <= value && value <= most;
    }
}

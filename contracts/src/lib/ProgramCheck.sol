// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ANSWER_LEVELS} from "../generated/ProtocolConstants.sol";
import {FIRST_ANSWER_LEVELS} from "../generated/ProtocolConstants.sol";
import {HEADER_VERSION} from "../generated/ProtocolConstants.sol";
import {INTERIOR_BIT} from "../generated/ProtocolConstants.sol";
import {NODES_MAX} from "../generated/ProtocolConstants.sol";
import {OPENED_BYTES_MAX} from "../generated/ProtocolConstants.sol";
import {OP_INPUT} from "../generated/ProtocolConstants.sol";
import {SEGMENT_INTERIOR_MAX} from "../generated/ProtocolConstants.sol";
import {SYMBOLS_MAX} from "../generated/ProtocolConstants.sol";
import {TAG_HEADER} from "../generated/ProtocolConstants.sol";
import {TAG_MODEL} from "../generated/ProtocolConstants.sol";
import {TAG_PROGRAM_RULES} from "../generated/ProtocolConstants.sol";
import {Bound} from "../interfaces/IModelRegistry.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {NodeLeaf} from "./NodeLeaf.sol";
import {NodeSizes} from "./NodeSizes.sol";
import {Parameters} from "./Parameters.sol";
import {Tiles} from "./Tiles.sol";

/// @title The check of a whole program, from its header and node leaves.
/// @dev Accepts exactly the programs of page 1 (1.2 to 1.12, 1.16 to 1.22), as far as they are seen without their
/// tensors: those are held to 1.13, 1.17, 1.20 and 1.21 by conviction, when they are opened. Every sum here is far below
/// 2^256: at most 2^16 nodes of 2^30 elements of 2^14 terms.
library ProgramCheck {
    /// keccak256(0x06, text): the meaning of the operators (1.7).
    bytes32 internal constant PROGRAM_RULES_ID =
        keccak256(abi.encodePacked(TAG_PROGRAM_RULES, "selfsame exact program rules 2"));

    uint256 private constant HEADER_BYTES = 43; // without the bounds

    struct Program {
        uint256 nodeCount;
        uint256 outputNode;
        uint256 outputNumber; // among the committed nodes
        uint256 committedCount;
        bool hasInterior;
        Bound[] bounds;
        // Every symbol at its least and at its largest.
        uint32[] minima;
        uint32[] maxima;
        bytes32 nodeRoot;
        bytes32 modelId;
        // At the maxima.
        uint256 macs;
        uint256 tensorBytes;
        uint256 inputBytes;
        uint256 outputBytes;
        uint256 outputElements;
        uint8 inputDtype;
        uint8 outputDtype;
        uint256 moves;
    }

    /// What later nodes need of the earlier ones, by node index.
    struct Made {
        uint256[] largest; // elements at the maxima
        uint256[] least; // elements at the minima
        uint8[] dtypes;
        bytes32[] hashes; // of the leaves
        bytes32[] tensorRoots;
        uint256 tensorCount;
        uint256 depth; // of the deepest tensor that a challenger can name
        uint32[] committed; // node indices, by number
        uint256 committedCount;
        uint256 segmentStart; // first node of the current segment
    }

    function run(bytes calldata header, bytes[] calldata leaves) internal pure returns (Program memory p) {
        _header(p, header, leaves.length);
        Made memory made;
        made.largest = new uint256[](leaves.length);
        made.least = new uint256[](leaves.length);
        made.dtypes = new uint8[](leaves.length);
        made.hashes = new bytes32[](leaves.length);
        made.tensorRoots = new bytes32[](3 * leaves.length);
        made.committed = new uint32[](leaves.length);
        for (uint256 node = 0; node < leaves.length; ++node) {
            _node(p, made, node, leaves[node]);
        }
        p.inputDtype = made.dtypes[0];
        p.inputBytes = made.largest[0] * Parameters.dtypeBytes(p.inputDtype);
        p.outputDtype = made.dtypes[p.outputNode];
        p.outputElements = made.largest[p.outputNode];
        p.outputBytes = p.outputElements * Parameters.dtypeBytes(p.outputDtype);
        p.committedCount = made.committedCount;
        p.hasInterior = made.committedCount != leaves.length;
        p.moves = _moves(p, made.depth);

        bytes32[] memory tensorRoots = made.tensorRoots;
        uint256 count = made.tensorCount;
        assembly ("memory-safe") {
            // Allocated for three tensors a node; shortening keeps memory sound.
            mstore(tensorRoots, count)
        }
        p.nodeRoot = Tiles.root(made.hashes);
        bytes32 headerHash = keccak256(abi.encodePacked(TAG_HEADER, header));
        p.modelId =
            keccak256(abi.encodePacked(TAG_MODEL, PROGRAM_RULES_ID, headerHash, p.nodeRoot, Tiles.root(tensorRoots)));
    }

    /// 1.8: version u16, nodes u32, output u32, symbols u8, bounds u32 twice each, interface hash.
    function _header(Program memory p, bytes calldata header, uint256 nodes) private pure {
        if (header.length < HEADER_BYTES) revert IModelRegistry.HeaderLength(HEADER_BYTES, header.length);
        uint256 symbols = Parameters.read(header, 10, 1);
        uint256 version = Parameters.read(header, 0, 2);
        if (version != HEADER_VERSION) revert IModelRegistry.HeaderVersionUnknown(HEADER_VERSION, version);
        if (SYMBOLS_MAX < symbols) revert IModelRegistry.SymbolCount(SYMBOLS_MAX, symbols);
        uint256 length = HEADER_BYTES + 8 * symbols;
        if (header.length != length) revert IModelRegistry.HeaderLength(length, header.length);
        if (nodes < 2 || NODES_MAX < nodes) revert IModelRegistry.NodeCountOutside(NODES_MAX, nodes);
        uint256 stated = Parameters.read(header, 2, 4);
        if (stated != nodes) revert IModelRegistry.NodeCount(nodes, stated);
        p.outputNode = Parameters.read(header, 6, 4);
        p.nodeCount = nodes;
        if (p.outputNode == 0 || nodes <= p.outputNode) revert IModelRegistry.OutputNode(nodes - 1, p.outputNode);

        p.bounds = new Bound[](symbols);
        p.minima = new uint32[](symbols);
        p.maxima = new uint32[](symbols);
        for (uint256 i = 0; i < symbols; ++i) {
            uint32 minimum = uint32(Parameters.read(header, 11 + 8 * i, 4));
            uint32 maximum = uint32(Parameters.read(header, 15 + 8 * i, 4));
            if (minimum == 0 || maximum < minimum) revert IModelRegistry.SymbolBounds(i, minimum, maximum);
            p.bounds[i] = Bound({minimum: minimum, maximum: maximum});
            p.minima[i] = minimum;
            p.maxima[i] = maximum;
        }
    }

    function _node(Program memory p, Made memory made, uint256 node, bytes calldata leaf) private pure {
        uint256 start = NodeLeaf.check(leaf);
        uint8 op = NodeLeaf.op(leaf);
        if ((op == OP_INPUT) != (node == 0)) revert IModelRegistry.InputMisplaced(node, op);
        uint8 dtype = NodeLeaf.dtype(leaf);
        NodeSizes.Sizes memory sizes = NodeSizes.measure(leaf, start, p.maxima);
        _place(p, made, node, leaf);
        _inputs(made, made.largest, node, leaf, sizes.inputs);
        if (sizes.constantElements != sizes.constantNeeded) {
            revert IModelRegistry.ConstantElements(node, sizes.constantNeeded, sizes.constantElements);
        }
        made.largest[node] = sizes.outputElements;
        if (p.bounds.length != 0) {
            NodeSizes.Sizes memory small = NodeSizes.measure(leaf, start, p.minima);
            _inputs(made, made.least, node, leaf, small.inputs);
            made.least[node] = small.outputElements;
        }
        if (OPENED_BYTES_MAX < sizes.opened) revert IModelRegistry.OpenedBytes(node, OPENED_BYTES_MAX, sizes.opened);
        p.macs += sizes.outputElements * sizes.terms;
        if (NodeLeaf.macs(leaf) != p.macs) revert IModelRegistry.MacTotal(node, p.macs, NodeLeaf.macs(leaf));
        p.tensorBytes += sizes.tensorBytes;
        made.dtypes[node] = dtype;
        made.hashes[node] = NodeLeaf.hash(leaf);
        uint256 tensors = NodeLeaf.tensorCount(leaf);
        for (uint256 i = 0; i < tensors; ++i) {
            made.tensorRoots[made.tensorCount + i] = NodeLeaf.tensorRoot(leaf, i);
        }
        made.tensorCount += tensors;
        if (node != 0) {
            uint256 depth = Tiles.depth(Tiles.tileCount(sizes.outputElements * Parameters.dtypeBytes(dtype)));
            if (made.depth < depth) made.depth = depth;
        }
        if (!NodeLeaf.isInterior(leaf)) {
            made.committed[made.committedCount++] = uint32(node);
            made.segmentStart = node + 1;
        }
    }

    /// 1.22: the node's segment and its place there.
    function _place(Program memory p, Made memory made, uint256 node, bytes calldata leaf) private pure {
        uint256 number = made.committedCount;
        uint256 segment = NodeLeaf.segment(leaf);
        if (segment != number) revert IModelRegistry.SegmentNumber(node, number, segment);
        uint256 offset = node - made.segmentStart;
        uint256 actual = NodeLeaf.offsetInSegment(leaf);
        if (actual != offset) revert IModelRegistry.SegmentPlace(node, offset, actual);
        if (NodeLeaf.isInterior(leaf)) {
            if (node == 0 || node == p.outputNode || node == p.nodeCount - 1) {
                revert IModelRegistry.NodeNotCommitted(node);
            }
            if (SEGMENT_INTERIOR_MAX <= offset) {
                revert IModelRegistry.SegmentLength(node, SEGMENT_INTERIOR_MAX, offset + 1);
            }
        } else if (node == p.outputNode) {
            p.outputNumber = number;
        }
    }

    /// The node that the leaf of `node` names in `slot`: an earlier committed one, or an earlier one of its segment.
    function _named(Made memory made, uint256 node, uint256 slot, bytes calldata leaf)
        private
        pure
        returns (uint256 from)
    {
        uint256 name = NodeLeaf.input(leaf, slot);
        if (name & INTERIOR_BIT == 0) {
            if (made.committedCount <= name) revert IModelRegistry.InputNotBefore(node, slot, name);
            return made.committed[name];
        }
        from = made.segmentStart + (name ^ INTERIOR_BIT);
        if (node <= from) revert IModelRegistry.InputNotBefore(node, slot, name);
    }

    /// Each input is an earlier node with the elements and the type that the leaf reads.
    function _inputs(
        Made memory made,
        uint256[] memory elements,
        uint256 node,
        bytes calldata leaf,
        NodeSizes.Input[] memory inputs
    ) private pure {
        for (uint256 slot = 0; slot < inputs.length; ++slot) {
            uint256 from = _named(made, node, slot, leaf);
            uint256 expected = inputs[slot].elements;
            if (elements[from] != expected) {
                revert IModelRegistry.InputElements(node, slot, expected, elements[from]);
            }
            uint8 dtype = inputs[slot].dtype;
            uint8 actual = made.dtypes[from];
            if (actual != dtype) revert IModelRegistry.InputDtype(node, slot, dtype, actual);
        }
    }

    /// 4.6: opening, trace answers, the segment, tensor answers, step.
    function _moves(Program memory p, uint256 tensorDepth) private pure returns (uint256) {
        uint256 traceDepth = Tiles.depth(p.committedCount);
        uint256 rest = traceDepth < FIRST_ANSWER_LEVELS ? 0 : traceDepth - FIRST_ANSWER_LEVELS;
        return 3 + _answers(rest) + (p.hasInterior ? 1 : 0) + _answers(tensorDepth);
    }

    function _answers(uint256 levels) private pure returns (uint256) {
        return (levels + ANSWER_LEVELS - 1) / ANSWER_LEVELS;
    }
}

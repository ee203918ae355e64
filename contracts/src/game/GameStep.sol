// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {GameDescent} from "./GameDescent.sol";
import {GasUnits} from "../lib/GasUnits.sol";
import {ILeaf} from "../interfaces/ILeaf.sol";
import {MultiProof} from "../lib/MultiProof.sol";
import {NodeLeaf} from "../lib/NodeLeaf.sol";
import {Parameters} from "../lib/Parameters.sol";
import {StepInput} from "../interfaces/IDisputeGame.sol";

/// @title One element, recomputed from openings whose places are derived here.
/// @dev Spec: game, 4.7 and 4.8.
abstract contract GameStep is GameDescent {
    /// What the leaf contract makes of the openings, after their roots were found in the trace.
    function _evaluate(Shared storage about, StepInput calldata input, uint256 element) internal view returns (int256) {
        (uint256[] memory nodes, bytes32[] memory roots) = _traceRoots(about, input);
        address leaf = rules.leafOf(NodeLeaf.op(input.nodeLeaf));
        (int256 value, bytes32[] memory opened) =
            ILeaf(leaf).evaluate(input.nodeLeaf, input.dimensions, uint64(element), input.openings);
        uint256 slots = NodeLeaf.inputCount(input.nodeLeaf);
        for (uint256 slot = 0; slot < slots; ++slot) {
            uint256 node = NodeLeaf.input(input.nodeLeaf, slot);
            uint256 place = 0;
            while (nodes[place] != node) ++place;
            // An element that reads nothing of an input (padding alone) opens nothing.
            if (opened[slot] != 0 && opened[slot] != roots[place]) revert OpenedRoot(slot, roots[place], opened[slot]);
        }
        return value;
    }

    /// The node's distinct inputs in increasing order, and their roots, proved to be in the trace.
    function _traceRoots(Shared storage about, StepInput calldata input)
        internal
        view
        returns (uint256[] memory nodes, bytes32[] memory roots)
    {
        nodes = _distinctInputs(input.nodeLeaf);
        roots = input.inputRoots;
        if (roots.length != nodes.length) revert InputCount(nodes.length, roots.length);
        uint256[] memory indices = new uint256[](nodes.length);
        bytes32[] memory hashes = input.inputRoots;
        for (uint256 i = 0; i < nodes.length; ++i) {
            indices[i] = nodes[i];
        }
        bytes32 proved = MultiProof.root(about.nodeCount, indices, hashes, input.traceSiblings);
        if (proved != about.traceRoot) revert TraceRoot(about.traceRoot, proved);
    }

    function _distinctInputs(bytes calldata nodeLeaf) internal pure returns (uint256[] memory nodes) {
        uint256 slots = NodeLeaf.inputCount(nodeLeaf);
        nodes = new uint256[](slots);
        uint256 count = 0;
        for (uint256 slot = 0; slot < slots; ++slot) {
            uint256 node = NodeLeaf.input(nodeLeaf, slot);
            uint256 place = count;
            while (place != 0 && node < nodes[place - 1]) --place;
            if (place != 0 && nodes[place - 1] == node) continue;
            for (uint256 i = count; i > place; --i) {
                nodes[i] = nodes[i - 1];
            }
            nodes[place] = node;
            ++count;
        }
        assembly ("memory-safe") {
            mstore(nodes, count)
        }
    }

    /// Element `index` of a tile, `width` bytes each, big-endian two's complement.
    function _valueAt(bytes calldata tile, uint256 index, uint256 width) internal pure returns (int256) {
        uint256 word = Parameters.read(tile, index * width, width);
        uint256 shift = 256 - 8 * width;
        return int256(word << shift) >> shift;
    }

    function _stepUnits(StepInput calldata input) internal pure returns (uint256) {
        uint256 hashes = input.leafSiblings.length + input.inputRoots.length + input.traceSiblings.length;
        uint256 payload = input.tile.length + input.nodeLeaf.length;
        for (uint256 i = 0; i < input.openings.length; ++i) {
            hashes += input.openings[i].siblings.length;
            payload += input.openings[i].tiles.length;
        }
        return GasUnits.step(input.openings.length, hashes, payload);
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {GameDescent} from "./GameDescent.sol";
import {GasUnits} from "../lib/GasUnits.sol";
import {ILeaf} from "../interfaces/ILeaf.sol";
import {INTERIOR_BIT} from "../generated/ProtocolConstants.sol";
import {MultiProof} from "../lib/MultiProof.sol";
import {NodeLeaf} from "../lib/NodeLeaf.sol";
import {Parameters} from "../lib/Parameters.sol";
import {StepInput} from "../interfaces/IDisputeGame.sol";

/// @title One element, recomputed from openings whose places are derived here.
/// @dev Spec: game, 4.7 and 4.8.
abstract contract GameStep is GameDescent {
    /// What the leaf contract makes of the openings, after their roots were found in the trace.
    function _evaluate(State storage game, Shared storage about, StepInput calldata input, uint256 element)
        internal
        view
        returns (int256)
    {
        uint256[] memory names = _traceRoots(game, about, input);
        address leaf = rules.leafOf(NodeLeaf.op(input.nodeLeaf));
        (int256 value, bytes32[] memory opened) =
            ILeaf(leaf).evaluate(input.nodeLeaf, input.dimensions, uint64(element), input.openings);
        uint256 slots = NodeLeaf.inputCount(input.nodeLeaf);
        for (uint256 slot = 0; slot < slots; ++slot) {
            uint256 name = NodeLeaf.input(input.nodeLeaf, slot);
            uint256 place = 0;
            while (names[place] != name) ++place;
            bytes32 root = input.inputRoots[place];
            // An element that reads nothing of an input (padding alone) opens nothing.
            if (opened[slot] != 0 && opened[slot] != root) revert OpenedRoot(slot, root, opened[slot]);
        }
        return value;
    }

    /// The names of the node's distinct inputs in increasing order; their roots are proved to be in the
    /// trace, those of interior ones in the segment that the game went through.
    function _traceRoots(State storage game, Shared storage about, StepInput calldata input)
        internal
        view
        returns (uint256[] memory names)
    {
        names = _distinctInputs(input.nodeLeaf);
        uint256 count = names.length;
        bytes32[] calldata roots = input.inputRoots;
        if (roots.length != count) revert InputCount(count, roots.length);
        uint256 committed = 0;
        while (committed < count && names[committed] < INTERIOR_BIT) ++committed;

        bytes32 expected = about.traceRoot;
        bytes32 proved = _proved(expected, about.committedCount, names, 0, roots[:committed], input.traceSiblings);
        if (proved != expected) revert TraceRoot(expected, proved);
        expected = segmentRoots[game.claimKey][NodeLeaf.segment(input.nodeLeaf)];
        proved = _proved(expected, game.interior, names, committed, roots[committed:], input.segmentSiblings);
        if (proved != expected) revert SegmentRoot(expected, proved);
    }

    /// Root that `roots` of the inputs from `names[from]` on lead to; `expected` where there are none.
    function _proved(
        bytes32 expected,
        uint256 leaves,
        uint256[] memory names,
        uint256 from,
        bytes32[] calldata roots,
        bytes32[] calldata siblings
    ) private pure returns (bytes32) {
        if (roots.length == 0) {
            if (siblings.length != 0) revert MultiProof.ProofSiblingExtra(0, siblings.length);
            return expected;
        }
        uint256[] memory indices = new uint256[](roots.length);
        for (uint256 i = 0; i < indices.length; ++i) {
            indices[i] = names[from + i] & ~uint256(INTERIOR_BIT);
        }
        return MultiProof.root(leaves, indices, roots, siblings);
    }

    function _distinctInputs(bytes calldata nodeLeaf) internal pure returns (uint256[] memory names) {
        uint256 slots = NodeLeaf.inputCount(nodeLeaf);
        names = new uint256[](slots);
        uint256 count = 0;
        for (uint256 slot = 0; slot < slots; ++slot) {
            uint256 name = NodeLeaf.input(nodeLeaf, slot);
            uint256 place = count;
            while (place != 0 && name < names[place - 1]) --place;
            if (place != 0 && names[place - 1] == name) continue;
            for (uint256 i = count; i > place; --i) {
                names[i] = names[i - 1];
            }
            names[place] = name;
            ++count;
        }
        assembly ("memory-safe") {
            mstore(names, count)
        }
    }

    /// Element `index` of a tile, `width` bytes each, big-endian two's complement.
    function _valueAt(bytes calldata tile, uint256 index, uint256 width) internal pure returns (int256) {
        uint256 word = Parameters.read(tile, index * width, width);
        uint256 shift = 256 - 8 * width;
        return int256(word << shift) >> shift;
    }

    function _stepUnits(StepInput calldata input) internal pure returns (uint256) {
        uint256 hashes = input.leafSiblings.length + input.inputRoots.length + input.traceSiblings.length
            + input.segmentSiblings.length;
        uint256 payload = input.tile.length + input.nodeLeaf.length;
        for (uint256 i = 0; i < input.openings.length; ++i) {
            hashes += input.openings[i].siblings.length;
            payload += input.openings[i].tiles.length;
        }
        return GasUnits.step(input.openings.length, hashes, payload);
    }
}

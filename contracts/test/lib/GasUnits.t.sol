// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {CONCAT_INPUTS_MAX} from "../../src/generated/ProtocolConstants.sol";
import {ELEMENTS_MAX} from "../../src/generated/ProtocolConstants.sol";
import {GAMES_REPAID} from "../../src/generated/ProtocolConstants.sol";
import {NODES_MAX} from "../../src/generated/ProtocolConstants.sol";
import {OPENED_BYTES_MAX} from "../../src/generated/ProtocolConstants.sol";
import {SEGMENT_INTERIOR_MAX} from "../../src/generated/ProtocolConstants.sol";
import {TILE_BYTES} from "../../src/generated/ProtocolConstants.sol";
import {Descent} from "../../src/lib/Descent.sol";
import {GasUnits} from "../../src/lib/GasUnits.sol";
import {Test} from "../base/Test.sol";
import {Tiles} from "../../src/lib/Tiles.sol";

/// @title What a bond counts for a game covers what games can count. Spec: claims, 3.8; game, 4.11.
contract GasUnitsTest is Test {
    // A concatenation's: head, names, count of inputs, rows, columns.
    uint256 private constant LEAF_BYTES = 20 + 12 * uint256(CONCAT_INPUTS_MAX) + 9;

    /// Entries named and answers, from level `height` of a tree down to the answer that shows its leaves; the first
    /// entry is named `above` levels below what was shown. Also the levels that the last answer showed.
    function descent(uint256 height, uint256 above) private pure returns (uint256 units, uint256 last) {
        uint256 level = height;
        last = above;
        while (level > 0) {
            uint256 below = Descent.nextLevel(height, level);
            units += GasUnits.nameEntry(last) + GasUnits.answer(1 << (level - below));
            last = level - below;
            level = below;
        }
    }

    /// A game on the largest tensor of the largest program, through the longest segment, up to the tile.
    function dearestDescent() private pure returns (uint256 units) {
        uint256 depth = Tiles.depth(NODES_MAX);
        uint256 shown = Descent.firstLevel(depth);
        (uint256 trace, uint256 last) = descent(shown, depth - shown);
        units = GasUnits.OPEN + trace + GasUnits.nameNode(last + depth, LEAF_BYTES);
        units += GasUnits.answerSegment(SEGMENT_INTERIOR_MAX);
        units += GasUnits.nameNode(Tiles.depth(SEGMENT_INTERIOR_MAX) + depth, LEAF_BYTES);
        uint256 height = Tiles.depth(Tiles.tileCount(4 * uint256(ELEMENTS_MAX)));
        (uint256 tensor, uint256 path) = descent(height, 0);
        // Its root was named with the node.
        units += tensor - GasUnits.nameEntry(0) + GasUnits.nameEntry(path) + GasUnits.answerTile(TILE_BYTES);
    }

    /// Every opened tile with a path of its own, every input with one to the trace root.
    function dearestStep() private pure returns (uint256) {
        uint256 depth = Tiles.depth(NODES_MAX);
        uint256 hashes = depth + CONCAT_INPUTS_MAX * (1 + depth);
        hashes += OPENED_BYTES_MAX / TILE_BYTES * Tiles.depth(Tiles.tileCount(4 * uint256(ELEMENTS_MAX)));
        uint256 payload = TILE_BYTES + LEAF_BYTES + OPENED_BYTES_MAX;
        return GasUnits.step(CONCAT_INPUTS_MAX + 3, hashes, payload);
    }

    function test_the_bond_covers_all_games_repaid_though_each_is_the_dearest_and_shares_nothing_but_the_trace_root()
        public
        pure
    {
        uint256 depth = Tiles.depth(NODES_MAX);
        uint256 most = GasUnits.firstAnswer(1 << (depth - Descent.firstLevel(depth)), 2 * depth);
        most += GAMES_REPAID * (dearestDescent() + GasUnits.PER_PAYOUT) + dearestStep();
        assertLe(most, GAMES_REPAID * GasUnits.GAME_GAS, "units of eight games");
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ANSWER_LEVELS} from "../generated/ProtocolConstants.sol";
import {FIRST_ANSWER_LEVELS} from "../generated/ProtocolConstants.sol";
import {Tiles} from "./Tiles.sol";

/// @title How far each answer descends.
/// @dev A tree of `height` levels is opened in ceil(height / ANSWER_LEVELS) answers of
/// ceil(height / answers) levels each, the last what remains. The first answer opens
/// FIRST_ANSWER_LEVELS of the trace tree at once. Spec: game, 4.6.
library Descent {
    /// Level of the trace tree that the first answer shows.
    function firstLevel(uint256 depth) internal pure returns (uint256) {
        return depth <= FIRST_ANSWER_LEVELS ? 0 : depth - FIRST_ANSWER_LEVELS;
    }

    /// Level that an answer below `level` shows, in a tree whose answers start at `height`.
    function nextLevel(uint256 height, uint256 level) internal pure returns (uint256) {
        if (height == 0) return 0;
        uint256 answers = (height + (ANSWER_LEVELS - 1)) / ANSWER_LEVELS;
        uint256 each = (height + (answers - 1)) / answers;
        return level <= each ? 0 : level - each;
    }

    /// Present entries at level `below` under the entry (`level`, `position`), as [first, beyond).
    function span(uint256 leaves, uint256 level, uint256 position, uint256 below)
        internal
        pure
        returns (uint256 first, uint256 beyond)
    {
        uint256 length = Tiles.levelLength(leaves, below);
        first = position << (level - below);
        beyond = (position + 1) << (level - below);
        if (length < beyond) beyond = length;
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Claim} from "../interfaces/IRequests.sol";
import {Descent} from "../lib/Descent.sol";
import {GAMES_REPAID} from "../generated/ProtocolConstants.sol";
import {GameDescent} from "./GameDescent.sol";
import {GasUnits} from "../lib/GasUnits.sol";
import {Payout} from "../interfaces/IRequests.sol";
import {Stage} from "../interfaces/IDisputeGame.sol";
import {Status} from "../interfaces/IRequests.sol";
import {Tiles} from "../lib/Tiles.sol";

/// @title Prepayments, and the payouts of a conviction.
/// @dev Spec: game, 4.4, 4.9 and 4.11.
abstract contract GameMoney is GameDescent {
    /// A claim that may be convicted outside the descent: inside its window, or while games are open.
    function _convictable(bytes32 requestId, bytes32 claimKey)
        internal
        view
        returns (Claim memory claim, Shared storage about)
    {
        claim = _claimOf(requestId);
        if (claim.claimKey != claimKey) revert WrongClaim(claim.claimKey, claimKey);
        about = shared[claimKey];
        if (about.convicted) revert AlreadyConvicted(claimKey);
        if (claim.status != Status.Claimed) revert NotClaimed(requestId);
        if (claim.closesAt < block.timestamp && about.openGames == 0) {
            revert WindowOver(claim.closesAt, block.timestamp);
        }
    }

    /// Convicts the claim through game `gameId` (0: through none), on the call of `caller`, which gets
    /// the gas of this transaction; the bounty goes to the game's challenger, else to the caller.
    function _convict(bytes32 claimKey, bytes32 requestId, bytes32 gameId, address caller, uint256 units) internal {
        Shared storage about = shared[claimKey];
        about.convicted = true;
        about.openGames = 0;
        uint256 count = about.games < GAMES_REPAID ? about.games : GAMES_REPAID;
        Payout[] memory payouts = new Payout[](count + 2);
        uint256 used = 1;
        uint256 value = 0;
        payouts[0] = Payout({to: caller, amount: (units + count * GasUnits.PER_PAYOUT) * GasUnits.price()});
        if (gameId == 0) {
            payouts[0].amount += bountyWei;
        } else {
            State storage game = states[gameId];
            game.stage = Stage.Over;
            (address challenger, uint256 prepaid) = _settled(game);
            value = challengeBondWei + prepaid;
            if (challenger != caller) {
                payouts[1] = payouts[0];
                payouts[0] = Payout({to: challenger, amount: 0});
                used = 2;
            }
            payouts[0].amount += game.spent + bountyWei;
            emit GameSettled(gameId, challenger, challengeBondWei, prepaid);
        }
        for (uint256 i = 0; i < count; ++i) {
            bytes32 id = gameIdOf(claimKey, i);
            State storage other = states[id];
            if (id == gameId || other.stage == Stage.Over) continue;
            payouts[used++] = Payout({to: other.challenger, amount: other.spent});
        }
        assembly ("memory-safe") {
            mstore(payouts, used)
        }
        requests.convict{value: value}(requestId, payouts);
    }

    /// Pays an answer out of what the game holds; returns the amount, which the caller credits.
    function _pay(State storage game, uint256 units) internal returns (uint256 paid) {
        paid = units * GasUnits.price();
        uint256 prepaid = game.prepaid;
        if (prepaid < paid) paid = prepaid;
        game.prepaid = uint128(prepaid - paid);
        game.spent = _amount(game.spent + paid);
    }

    /// Notes the opening of the cursor, which serves every game of the claim, and pays for it.
    function _opened(State storage game, bytes32 claimKey, uint256 units)
        internal
        returns (uint256 paid, bytes32 head)
    {
        openings[claimKey][_cursorKey(game)] = block.timestamp;
        paid = _pay(game, units);
        head = _advance(game);
    }

    /// Takes what a game still holds out of it, for the caller to credit.
    function _settled(State storage game) internal returns (address challenger, uint256 prepaid) {
        (challenger, prepaid) = (game.challenger, game.prepaid);
        game.settled = true;
        game.prepaid = 0;
    }

    function _credit(address to, uint256 value) internal {
        requests.creditTo{value: value}(to);
    }

    /// Takes the value of a challenger's move, which must cover the answer that it asks for.
    function _prepay(State storage game) internal {
        uint256 held = game.prepaid + msg.value;
        Shared storage about = shared[game.claimKey];
        if (openings[game.claimKey][_cursorKey(game)] == 0) {
            uint256 needed = _nextUnits(game, about) * GasUnits.prepayPrice();
            if (held < needed) revert ValueTooLow(needed, held);
        }
        game.prepaid = _amount(held);
    }

    /// Units of the answer that the cursor waits for.
    function _nextUnits(State storage game, Shared storage about) internal view returns (uint256) {
        if (game.stage == Stage.Tile) return GasUnits.answerTile(Tiles.tileLength(game.tensorBytes, game.position));
        if (game.stage == Stage.Segment) return GasUnits.answerSegment(game.interior);
        (uint256 leaves, uint256 below) = _opening(game, about);
        (uint256 first, uint256 beyond) = Descent.span(leaves, game.level, game.position, below);
        return GasUnits.answer(beyond - first);
    }

    function _firstPrepayment(Shared storage about) internal view returns (uint256) {
        return about.traceRoot != 0 ? 0 : _firstUnits(about.committedCount) * GasUnits.prepayPrice();
    }

    /// With the longest proof of INPUT and output node that a trace tree of `leaves` nodes can need.
    function _firstUnits(uint256 leaves) internal pure returns (uint256) {
        uint256 depth = Tiles.depth(leaves);
        uint256 level = Descent.firstLevel(depth);
        return GasUnits.firstAnswer(Tiles.levelLength(leaves, level), level == 0 ? 0 : 2 * depth);
    }
}

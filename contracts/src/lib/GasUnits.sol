// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {PREPAY_BASEFEE_FACTOR} from "../generated/ProtocolConstants.sol";
import {PRIORITY_FEE_WEI} from "../generated/ProtocolConstants.sol";

/// @title What each kind of move counts for when its gas is prepaid or repaid.
/// @dev units = a constant of the kind + PER_BYTE for each byte of its payload. PER_BYTE is the
/// calldata floor of a non-zero byte (EIP-7623), which is more than such a byte costs where execution
/// dominates. The rule: units are at least the gas that the move uses (test/games/Gas.t.sol,
/// StepGas.t.sol and ConvictionGas.t.sol).
/// Payloads are counted from what the contract derives or checks, never from the length of the
/// calldata, so that padding earns nothing. Spec: game, 4.4 and 4.11.
library GasUnits {
    uint256 internal constant PER_BYTE = 40;
    uint256 internal constant PER_HASH = 32 * PER_BYTE;

    uint256 internal constant OPEN = 250_000;
    uint256 internal constant FIRST_ANSWER = 135_000;
    uint256 internal constant ANSWER = 95_000;
    /// Stores the segment's root beside its opening, and reads the claim.
    uint256 internal constant ANSWER_SEGMENT = 140_000;
    uint256 internal constant NAME_NODE = 110_000;
    uint256 internal constant NAME_ENTRY = 80_000;
    /// A step with its verdict and payouts.
    uint256 internal constant STEP = 300_000;
    /// Of a step, for each opened byte beside its calldata: hashing, reading, multiplying.
    uint256 internal constant STEP_PER_BYTE = 20;
    /// Of a step, for each opening, empty or not: its place in the calldata, its input among the others.
    uint256 internal constant STEP_PER_OPENING = 4_000;
    uint256 internal constant TIMEOUT = 260_000;
    uint256 internal constant CONVICT_FORM = 300_000;
    uint256 internal constant CONVICT_TWO_ROOTS = 260_000;
    /// Of any conviction, for each of the first GAMES_REPAID games that may be paid.
    uint256 internal constant PER_PAYOUT = 45_000;

    /// What a bond counts for each of GAMES_REPAID games with its answers (3.8). The sum covers one
    /// step of the largest kind and eight full descents of which most openings are shared.
    uint256 internal constant GAME_GAS = 3_500_000;

    /// Answer of `entries` hashes and `siblings` hashes of proof.
    function firstAnswer(uint256 entries, uint256 siblings) internal pure returns (uint256) {
        return FIRST_ANSWER + PER_HASH * (entries + siblings);
    }

    function answer(uint256 entries) internal pure returns (uint256) {
        return ANSWER + PER_HASH * entries;
    }

    function answerSegment(uint256 entries) internal pure returns (uint256) {
        return ANSWER_SEGMENT + PER_HASH * entries;
    }

    function answerTile(uint256 length) internal pure returns (uint256) {
        return ANSWER + PER_BYTE * length;
    }

    function nameNode(uint256 hashes, uint256 leafBytes) internal pure returns (uint256) {
        return NAME_NODE + PER_HASH * hashes + PER_BYTE * leafBytes;
    }

    function nameEntry(uint256 hashes) internal pure returns (uint256) {
        return NAME_ENTRY + PER_HASH * hashes;
    }

    function step(uint256 openings, uint256 hashes, uint256 payload) internal pure returns (uint256) {
        return STEP + STEP_PER_OPENING * openings + PER_HASH * hashes + (PER_BYTE + STEP_PER_BYTE) * payload;
    }

    function convictForm(uint256 hashes, uint256 payload) internal pure returns (uint256) {
        return CONVICT_FORM + PER_HASH * hashes + PER_BYTE * payload;
    }

    /// Wei per unit paid for a transaction of this block: min(gas price, base fee + priority fee).
    function price() internal view returns (uint256) {
        uint256 most = block.basefee + PRIORITY_FEE_WEI;
        return tx.gasprice < most ? tx.gasprice : most;
    }

    /// Wei per unit prepaid for a transaction of a later block.
    function prepayPrice() internal view returns (uint256) {
        return PREPAY_BASEFEE_FACTOR * block.basefee + PRIORITY_FEE_WEI;
    }
}

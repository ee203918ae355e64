// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title Destroys value by sending it where no key is known.
/// @dev The address has no code, so nothing runs there. Spec: claims, 3.6.
library Burn {
    address internal constant SINK = 0x000000000000000000000000000000000000dEaD;

    error BurnRefused(uint256 amount);

    function send(uint256 amount) internal {
        if (amount == 0) return;
        (bool accepted,) = SINK.call{value: amount}("");
        if (!accepted) revert BurnRefused(amount);
    }
}

// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ModelRegistry} from "../../src/ModelRegistry.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {HEADER_VERSION} from "../../src/generated/ProtocolConstants.sol";
import {Chain} from "../../src/interfaces/IRulesSet.sol";
import {Dimensions} from "../../src/lib/Dimensions.sol";
import {Parameters} from "../../src/lib/Parameters.sol";
import {NodeBuilder} from "./NodeBuilder.sol";
import {Test} from "./Test.sol";

/// @title One valid program and ways to spoil it.
/// @dev The test stands in for the rules set. A test pushes its leaves, then calls `refuse`, `spoil` and `replace`
/// with the error that it expects; each leaves the program as it was.
abstract contract RegistryFixture is Test {
    bytes32 public constant rulesId = keccak256("rules");
    int256 internal constant MOST = 32_767;
    int256 internal constant ELEMENTS = 1 << 30;

    ModelRegistry internal registry;
    bytes[] internal leaves;

    function chain() external pure returns (Chain memory c) {
        c.censorshipSeconds = 3_600;
        c.inclusionSeconds = 60;
        c.macsPerSecond = 100;
        c.bytesPerSecond = 10;
        c.windowMinSeconds = 7;
    }

    /// Roots of tensors that nobody opens.
    function hashes(uint256 count, string memory name) internal pure returns (bytes32[] memory out) {
        out = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            out[i] = keccak256(abi.encode(name, i));
        }
    }

    /// The same where names do not matter.
    function hashes(uint256 count) internal pure returns (bytes32[] memory) {
        return hashes(count, "");
    }

    function headerOf(uint256 nodes, uint256 output, bytes memory bounds) internal pure returns (bytes memory) {
        bytes32 form = keccak256("interface");
        return abi.encodePacked(HEADER_VERSION, uint32(nodes), uint32(output), uint8(bounds.length / 8), bounds, form);
    }

    /// The same; the last node is the output.
    function header(uint256 nodes, bytes memory bounds) internal pure returns (bytes memory) {
        return headerOf(nodes, nodes - 1, bounds);
    }

    /// Makes every node a committed one.
    function numberLeaves() internal {
        leaves = NodeBuilder.numbered(leaves);
    }

    /// Expects that the registration of the leaves under `head` is refused.
    function refuse(bytes memory head, bytes memory why) internal {
        vm.expectRevert(why);
        registry.register(head, leaves, "", 0);
    }

    /// The same without symbols; the last leaf is the output.
    function refuse(bytes memory why) internal {
        refuse(header(leaves.length, ""), why);
    }

    /// Spoils leaf `node` at `offset` and expects the refusal.
    function spoil(uint256 node, uint256 offset, bytes memory with, bytes memory why) internal {
        bytes memory whole = leaves[node];
        for (uint256 i = 0; i < with.length; ++i) {
            leaves[node][offset + i] = with[i];
        }
        refuse(why);
        leaves[node] = whole;
    }

    /// Puts another leaf in the place of `node` and expects the refusal.
    function replace(uint256 node, bytes memory with, bytes memory why) internal {
        bytes memory whole = leaves[node];
        leaves[node] = NodeBuilder.placed(with, node, 0);
        refuse(why);
        leaves[node] = whole;
    }

    function field(uint256 number, int256 least, int256 most, int256 actual) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(Parameters.FieldOutside.selector, number, least, most, actual);
    }

    function elements(uint256 node, uint256 slot, uint256 want, uint256 got) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IModelRegistry.InputElements.selector, node, slot, want, got);
    }

    function dtypes(uint256 node, uint256 slot, uint8 want, uint8 got) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IModelRegistry.InputDtype.selector, node, slot, want, got);
    }

    function below(int256 actual) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(Dimensions.DimensionBelowOne.selector, actual);
    }

    function u32(uint256 value) internal pure returns (bytes memory) {
        return abi.encodePacked(uint32(value));
    }
}

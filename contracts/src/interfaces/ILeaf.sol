// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// The part of one committed tensor that an element reads.
struct Opening {
    /// The distinct tiles read, in increasing order, joined. Empty when nothing is read.
    bytes tiles;
    /// Multiproof of those tiles in the tensor's tree (2.5).
    bytes32[] siblings;
}

/// @title A judge of one operator family: recomputes one element of one node.
/// @dev Spec: game, 4.8. Which tiles an element reads is derived here, never taken from the caller:
/// of the input exactly the tiles that hold a cell of a term inside the input; of the weights the
/// whole row of the output channel, also where cells are padding; of a table all of it; one tile of
/// constants, addend, second operand, row factor, center, index; of a product and a reduction the whole row;
/// of a fill, and of inputs beside a concatenation's element, nothing.
/// Malformed leaves and openings revert with a typed error.
/// Warning: `roots` of inputs are only what the openings hash to; the caller compares them with the trace.
interface ILeaf {
    /// `tiles` of opening `slot` has not exactly the bytes of the tiles that the element reads.
    error TileBytes(uint256 slot, uint256 expected, uint256 actual);
    /// The opening of a tensor of the model leads to another root than the node leaf names.
    error TensorRoot(uint256 slot, bytes32 expected, bytes32 actual);
    /// One opening for each input and each tensor of the node.
    error OpeningCount(uint256 expected, uint256 actual);
    /// The element lies outside the node's output.
    error ElementOutside(uint256 elements, uint256 actual);
    /// The operator belongs to another leaf contract.
    error OperatorNotHere(uint8 op);

    /// The value of element `element` (flat index) of the node's output, and the root of each opening.
    /// @param nodeLeaf Canonical bytes of the node (1.9).
    /// @param dimensions Values of the program's symbols, in the header's order.
    /// @param openings Inputs, then tensors, in the node leaf's order.
    /// @return value The element; `type(int256).max` when the opened constants or tables break 1.13, 1.17,
    /// 1.20 or 1.21.
    /// @return roots Root of each opening; 0 for an opening that reads nothing.
    function evaluate(
        bytes calldata nodeLeaf,
        uint32[] calldata dimensions,
        uint64 element,
        Opening[] calldata openings
    ) external view returns (int256 value, bytes32[] memory roots);
}

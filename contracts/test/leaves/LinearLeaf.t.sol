// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILeaf} from "../../src/interfaces/ILeaf.sol";
import {Opening} from "../../src/interfaces/ILeaf.sol";
import {LinearLeaf} from "../../src/leaves/LinearLeaf.sol";
import {MultiProof} from "../../src/lib/MultiProof.sol";
import {NodeLeaf} from "../../src/lib/NodeLeaf.sol";
import {Parameters} from "../../src/lib/Parameters.sol";
import {NodeBuilder} from "../base/NodeBuilder.sol";
import {Test} from "../base/Test.sol";
import {TreeBuilder} from "../base/TreeBuilder.sol";

/// @title Linear elements: values by the written-out sum, one test for each refusal, gas.
/// @dev Values over random nodes are compared with the interpreter by the conformance suite.
contract LinearLeafTest is Test {
    LinearLeaf internal leaf;
    uint32[] internal none;

    function setUp() public {
        leaf = new LinearLeaf();
    }

    struct Case {
        bytes nodeLeaf;
        uint64 element;
        Opening[] openings;
        int256 want;
    }

    /// MATMUL [2][terms + 3] with offset 3, three channels, element (1, 2).
    function matmul(uint32 terms, int32 shift) internal pure returns (Case memory c) {
        bytes memory x = NodeBuilder.noise(2 * (uint256(terms) + 3), 1);
        bytes memory w = NodeBuilder.noise(3 * uint256(terms), 2);
        bytes memory k = NodeBuilder.constants(3, 1_000, 77, 0, shift);
        c.nodeLeaf = NodeBuilder.leaf(
            1,
            3,
            0,
            NodeBuilder.list(0),
            NodeBuilder.roots(w, k),
            NodeBuilder.matmul(
                NodeBuilder.dim(2), terms + 3, 3, terms, 3, NodeBuilder.tail(0, -100_000, 100_000, false)
            )
        );
        c.element = 5;
        uint256 xFrom = terms + 3 + 3;
        uint256 wFrom = 2 * uint256(terms);
        c.openings = new Opening[](3);
        c.openings[0] = NodeBuilder.openRun(x, xFrom, terms);
        c.openings[1] = NodeBuilder.openRun(w, wFrom, terms);
        c.openings[2] = NodeBuilder.openRun(k, 32, 16);
        int256 sum = 1_000;
        for (uint256 i = 0; i < terms; ++i) {
            sum += int256(int8(uint8(x[xFrom + i]))) * int8(uint8(w[wFrom + i]));
        }
        if (shift > 0) c.want = clamp((sum * 77 + int256(1 << uint32(shift - 1))) >> uint32(shift), -100_000, 100_000);
    }

    function clamp(int256 value, int256 lo, int256 hi) internal pure returns (int256) {
        return value < lo ? lo : hi < value ? hi : value;
    }

    /// The worst convolution of ResNet-20: [8][8][64], 3 x 3, 64 channels, i8 addend; K = 576.
    function resnet(uint64 element) internal pure returns (Case memory c) {
        bytes memory x = NodeBuilder.noise(4_096, 3);
        bytes memory w = NodeBuilder.noise(64 * 576, 4);
        bytes memory k = NodeBuilder.constants(64, -20, 20_000, 9_000, 22);
        bytes memory a = NodeBuilder.noise(4_096, 5);
        c.nodeLeaf = NodeBuilder.leaf(
            2,
            1,
            0,
            NodeBuilder.list(3, 1),
            NodeBuilder.roots(w, k),
            abi.encodePacked(
                NodeBuilder.dim(8),
                NodeBuilder.dim(8),
                uint32(64),
                uint32(64),
                uint32(1),
                NodeBuilder.window(NodeBuilder.square(3, 1, 1)),
                uint8(1),
                NodeBuilder.tail(1, 0, 127, false)
            )
        );
        c.element = element;
        c.openings = new Opening[](4);
        (int256 sum, uint256[] memory indices) = window3x3(x, w, element);
        c.openings[0] = NodeBuilder.open(x, indices);
        c.openings[1] = NodeBuilder.openRun(a, element, 1);
        c.openings[2] = NodeBuilder.openRun(w, (element % 64) * 576, 576);
        c.openings[3] = NodeBuilder.openRun(k, (element % 64) * 16, 16);
        int256 wide = (sum - 20) * 20_000 + int256(int8(uint8(a[element]))) * 9_000;
        c.want = clamp((wide + (1 << 21)) >> 22, 0, 127);
    }

    /// Sum and tiles read, cell by cell, of a 3 x 3 window over [8][8][64] with pad 1.
    function window3x3(bytes memory x, bytes memory w, uint256 element)
        internal
        pure
        returns (int256 sum, uint256[] memory indices)
    {
        bool[8] memory read;
        (uint256 y, uint256 z) = (element / 64 / 8, (element / 64) % 8);
        for (uint256 cell = 0; cell < 9; ++cell) {
            (uint256 row, uint256 column) = (y + cell / 3, z + cell % 3);
            if (row == 0 || column == 0 || 8 < row || 8 < column) continue;
            for (uint256 i = 0; i < 64; ++i) {
                uint256 from = ((row - 1) * 8 + column - 1) * 64 + i;
                sum += int256(int8(uint8(x[from]))) * int8(uint8(w[(element % 64) * 576 + cell * 64 + i]));
                read[from / 512] = true;
            }
        }
        indices = new uint256[](8);
        uint256 count = 0;
        for (uint256 i = 0; i < 8; ++i) {
            if (read[i]) indices[count++] = i;
        }
        assembly ("memory-safe") {
            mstore(indices, count)
        }
    }

    function check(Case memory c, string memory what) internal view {
        (int256 value,) = leaf.evaluate(c.nodeLeaf, none, c.element, c.openings);
        assertEq(value, c.want, what);
    }

    function refuse(Case memory c, bytes memory why) internal {
        vm.expectRevert(why);
        leaf.evaluate(c.nodeLeaf, none, c.element, c.openings);
    }

    function test_a_matrix_product_is_its_written_out_sum() public view {
        check(matmul(1, 3), "one term");
        check(matmul(700, 3), "over tiles");
        check(matmul(700, 1), "saturated");
    }

    function test_a_convolution_is_its_written_out_sum_at_corners_and_inside() public view {
        check(resnet(0), "first");
        check(resnet(1_786), "inside");
        check(resnet(4_095), "last");
        check(resnet(7 * 64 + 3), "top right");
    }

    function test_roots_are_those_of_the_whole_tensors() public view {
        Case memory c = resnet(1_786);
        (, bytes32[] memory roots) = leaf.evaluate(c.nodeLeaf, none, c.element, c.openings);
        assertEq(roots[0], NodeBuilder.root(NodeBuilder.noise(4_096, 3)), "x");
        assertEq(roots[1], NodeBuilder.root(NodeBuilder.noise(4_096, 5)), "addend");
        assertEq(roots[2], NodeBuilder.root(NodeBuilder.noise(64 * 576, 4)), "weights");
    }

    function test_constants_out_of_form_void_the_value() public view {
        check(matmul(5, 46), "largest shift");
        for (uint256 i = 0; i < 3; ++i) {
            Case memory c = matmul(5, [int32(47), 0, 300][i]);
            c.want = type(int256).max;
            check(c, "shift out of form");
        }
    }

    function test_an_element_outside_the_output_is_refused() public {
        Case memory c = matmul(5, 3);
        c.element = 6;
        refuse(c, abi.encodeWithSelector(ILeaf.ElementOutside.selector, 6, 6));
    }

    function test_another_number_of_openings_is_refused() public {
        Case memory c = matmul(5, 3);
        c.openings = new Opening[](2);
        refuse(c, abi.encodeWithSelector(ILeaf.OpeningCount.selector, 3, 2));
    }

    function test_an_opening_of_other_length_is_refused() public {
        Case memory c = matmul(5, 3);
        c.openings[0].tiles = abi.encodePacked(c.openings[0].tiles, uint8(0));
        refuse(c, abi.encodeWithSelector(ILeaf.TileBytes.selector, 0, 16, 17));
    }

    function test_weights_of_another_root_are_refused() public {
        Case memory c = matmul(5, 3);
        bytes memory other = bytes.concat(c.openings[1].tiles);
        other[0] ^= 0x01;
        c.openings[1].tiles = other;
        bytes32 expected = NodeBuilder.root(NodeBuilder.noise(15, 2));
        refuse(c, abi.encodeWithSelector(ILeaf.TensorRoot.selector, 0, expected, NodeBuilder.root(other)));
    }

    function test_a_left_over_sibling_is_refused() public {
        Case memory c = matmul(5, 3);
        c.openings[2].siblings = new bytes32[](1);
        refuse(c, abi.encodeWithSelector(MultiProof.ProofSiblingExtra.selector, 0, 1));
    }

    function test_the_operator_of_another_family_is_refused() public {
        Case memory c = matmul(5, 3);
        c.nodeLeaf = NodeBuilder.leaf(
            5, 1, 0, NodeBuilder.list(0), new bytes32[](0), NodeBuilder.permute(hex"00", NodeBuilder.list(3))
        );
        c.openings = new Opening[](1);
        refuse(c, abi.encodeWithSelector(ILeaf.OperatorNotHere.selector, 5));
    }

    function test_every_leaf_cut_short_or_made_longer_is_refused() public {
        Case memory c = matmul(5, 3);
        bytes memory whole = c.nodeLeaf;
        for (uint256 length = 0; length < whole.length; ++length) {
            c.nodeLeaf = TreeBuilder.slice(whole, 0, length);
            vm.expectRevert();
            leaf.evaluate(c.nodeLeaf, none, c.element, c.openings);
        }
        c.nodeLeaf = abi.encodePacked(whole, uint8(0));
        refuse(c, abi.encodeWithSelector(NodeLeaf.LeafLength.selector, whole.length, whole.length + 1));
    }

    function test_a_contraction_beyond_the_limit_is_refused() public {
        Case memory c = matmul(5, 3);
        bytes memory parameters =
            NodeBuilder.matmul(NodeBuilder.dim(1), 16_385, 0, 16_385, 1, NodeBuilder.tail(0, 0, 1, false));
        c.nodeLeaf = NodeBuilder.leaf(1, 3, 0, NodeBuilder.list(0), new bytes32[](2), parameters);
        refuse(c, abi.encodeWithSelector(Parameters.TermsTooMany.selector, 16_384, 16_385));
    }

    function test_random_bytes_never_run_away(bytes calldata nodeLeaf, uint64 element) public view {
        (bool ok,) = address(leaf).staticcall{gas: 1_000_000}(
            abi.encodeCall(ILeaf.evaluate, (nodeLeaf, none, element, new Opening[](3)))
        );
        assertFalse(ok, "random bytes are no leaf");
    }

    function test_gas_of_the_worst_leaves() public {
        measure(resnet(1_786), "resnet20 conv K=576 inside");
        measure(resnet(0), "resnet20 conv K=576 corner");
        measure(matmul(16_384, 9), "matmul K=16384");
    }

    /// Writes gas of the call and of its calldata at the floor of EIP-7623 and at the ordinary price.
    function measure(Case memory c, string memory name) internal {
        bytes memory data = abi.encodeCall(ILeaf.evaluate, (c.nodeLeaf, none, c.element, c.openings));
        (uint256 zeros, uint256 others) = (0, 0);
        for (uint256 i = 0; i < data.length; ++i) {
            if (data[i] == 0) ++zeros;
            else ++others;
        }
        leaf.evaluate(c.nodeLeaf, none, c.element, c.openings);
        uint256 execution = vm.snapshotGasLastCall("LinearLeaf", name);
        vm.snapshotValue("LinearLeaf", string.concat(name, ", calldata bytes"), data.length);
        vm.snapshotValue("LinearLeaf", string.concat(name, ", calldata gas"), 4 * zeros + 16 * others);
        uint256 floor = 10 * zeros + 40 * others;
        uint256 ordinary = 4 * zeros + 16 * others + execution;
        uint256 whole = 21_000 + (floor < ordinary ? ordinary : floor);
        vm.snapshotValue("LinearLeaf", string.concat(name, ", alone in a transaction"), whole);
        assertLe(whole, 16_777_216, "fits a transaction");
    }
}

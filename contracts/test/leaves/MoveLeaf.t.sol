// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ILeaf} from "../../src/interfaces/ILeaf.sol";
import {Opening} from "../../src/interfaces/ILeaf.sol";
import {MoveLeaf} from "../../src/leaves/MoveLeaf.sol";
import {MultiProof} from "../../src/lib/MultiProof.sol";
import {NodeLeaf} from "../../src/lib/NodeLeaf.sol";
import {Parameters} from "../../src/lib/Parameters.sol";
import {NodeBuilder} from "../base/NodeBuilder.sol";
import {Test} from "../base/Test.sol";
import {TreeBuilder} from "../base/TreeBuilder.sol";

/// @title Moves and concatenations: values by hand and by a plain restatement, refusals, gas.
/// @dev Values over random nodes are compared with the interpreter by the conformance suite.
contract MoveLeafTest is Test {
    MoveLeaf internal moves;
    uint32[] internal none;

    /// Marks a place of the output where the fill stands.
    uint256 internal constant OUTSIDE = type(uint256).max;

    function setUp() public {
        moves = new MoveLeaf();
    }

    function moveLeaf(uint8 dtype, int32 fill, NodeBuilder.Walk[] memory walks, uint32[] memory shape)
        internal
        pure
        returns (bytes memory)
    {
        bytes memory parameters = NodeBuilder.move(fill, walks, shape);
        return NodeBuilder.leaf(5, dtype, 0, NodeBuilder.list(0), new bytes32[](0), parameters);
    }

    function one(NodeBuilder.Walk memory walk) internal pure returns (NodeBuilder.Walk[] memory walks) {
        walks = new NodeBuilder.Walk[](1);
        walks[0] = walk;
    }

    function only(Opening memory o) internal pure returns (Opening[] memory openings) {
        openings = new Opening[](1);
        openings[0] = o;
    }

    /// Evaluates an element that is input element `source` of `x`, or the fill.
    function check(bytes memory leaf, bytes memory x, uint256 width, uint64 element, uint256 source, int256 want)
        internal
        view
    {
        Opening[] memory openings = new Opening[](1);
        if (source != OUTSIDE) openings[0] = NodeBuilder.openRun(x, source * width, width);
        (int256 value, bytes32[] memory roots) = moves.evaluate(leaf, none, element, openings);
        assertEq(value, want, "value");
        assertEq(roots.length, 1, "one root");
        assertEq(roots[0], source == OUTSIDE ? bytes32(0) : NodeBuilder.root(x), "root");
    }

    function refuse(bytes memory leaf, uint64 element, Opening[] memory openings, bytes memory why) internal {
        vm.expectRevert(why);
        moves.evaluate(leaf, none, element, openings);
    }

    function test_a_transposition_reads_the_permuted_index() public view {
        // [2][3] of i16 to [3][2]
        bytes memory x = abi.encodePacked(int16(0), int16(-1), int16(-2), int16(10), int16(11), int16(12));
        bytes memory parameters = NodeBuilder.permute(hex"0100", NodeBuilder.list(2, 3));
        bytes memory leaf = NodeBuilder.leaf(5, 2, 0, NodeBuilder.list(0), new bytes32[](0), parameters);
        uint256[6] memory source = [uint256(0), 3, 1, 4, 2, 5];
        int256[6] memory want = [int256(0), 10, -1, 11, -2, 12];
        for (uint64 i = 0; i < 6; ++i) {
            check(leaf, x, 2, i, source[i], want[i]);
        }
    }

    function test_a_walk_slices_reverses_repeats_and_pads() public view {
        bytes memory x = abi.encodePacked(int8(10), int8(11), int8(12), int8(13), int8(14));
        // Every second cell backwards from the fourth: 13, 11, then outside.
        bytes memory leaf = moveLeaf(1, -7, one(NodeBuilder.Walk(0, 0, -2, 3, 1, 3)), NodeBuilder.list(5));
        check(leaf, x, 1, 0, 3, 13);
        check(leaf, x, 1, 1, 1, 11);
        check(leaf, x, 1, 2, OUTSIDE, -7);
        // A broadcast of the cell 4.
        leaf = moveLeaf(1, 0, one(NodeBuilder.Walk(0, 0, 0, 4, 1, 3)), NodeBuilder.list(5));
        check(leaf, x, 1, 2, 4, 14);
        // Nearest neighbours at three times the size, one cell of padding on the left.
        leaf = moveLeaf(1, 9, one(NodeBuilder.Walk(0, 0, 1, -3, 3, 21)), NodeBuilder.list(5));
        check(leaf, x, 1, 2, OUTSIDE, 9);
        check(leaf, x, 1, 3, 0, 10);
        check(leaf, x, 1, 5, 0, 10);
        check(leaf, x, 1, 6, 1, 11);
        check(leaf, x, 1, 17, 4, 14);
        check(leaf, x, 1, 18, OUTSIDE, 9);
    }

    function test_an_exact_walk_puts_the_fill_between_the_cells() public view {
        // Zeros inserted: 20 _ 21 _ 22.
        bytes memory x = abi.encodePacked(int8(20), int8(21), int8(22));
        bytes memory leaf = moveLeaf(1, 0, one(NodeBuilder.Walk(0, 1, 1, 0, 2, 5)), NodeBuilder.list(3));
        check(leaf, x, 1, 0, 0, 20);
        check(leaf, x, 1, 1, OUTSIDE, 0);
        check(leaf, x, 1, 2, 1, 21);
        check(leaf, x, 1, 3, OUTSIDE, 0);
        check(leaf, x, 1, 4, 2, 22);
    }

    function test_a_fill_is_wide_and_signed() public view {
        NodeBuilder.Walk[] memory walks = one(NodeBuilder.Walk(0, 0, 1, -1, 1, 1));
        bytes memory x = abi.encodePacked(int32(5));
        check(moveLeaf(3, type(int32).min, walks, NodeBuilder.list(1)), x, 4, 0, OUTSIDE, type(int32).min);
        x = abi.encodePacked(int16(5));
        check(moveLeaf(2, -32_767, walks, NodeBuilder.list(1)), x, 2, 0, OUTSIDE, -32_767);
    }

    function test_one_axis_outside_is_enough_for_the_fill() public view {
        // [2][2] with a row above and a column to the right: [3][3].
        bytes memory x = abi.encodePacked(int8(1), int8(2), int8(3), int8(4));
        NodeBuilder.Walk[] memory walks = new NodeBuilder.Walk[](2);
        walks[0] = NodeBuilder.Walk(0, 0, 1, -1, 1, 3);
        walks[1] = NodeBuilder.Walk(1, 0, 1, 0, 1, 3);
        bytes memory leaf = moveLeaf(1, 0, walks, NodeBuilder.list(2, 2));
        uint256[9] memory source = [OUTSIDE, OUTSIDE, OUTSIDE, 0, 1, OUTSIDE, 2, 3, OUTSIDE];
        for (uint64 i = 0; i < 9; ++i) {
            int256 want = source[i] == OUTSIDE ? int256(0) : int256(source[i]) + 1;
            check(leaf, x, 1, i, source[i], want);
        }
    }

    // A plain restatement of 2.16, axis by axis in the order of the output.

    function draw(uint256 seed, uint256 what, uint256 least, uint256 most) internal pure returns (uint256) {
        return least + uint256(keccak256(abi.encode(seed, what))) % (most - least + 1);
    }

    function floorDiv(int256 a, int256 b) internal pure returns (int256 q) {
        q = a / b;
        if (a % b != 0 && a < 0) --q;
    }

    function randomMove(uint256 seed) internal pure returns (NodeBuilder.Walk[] memory walks, uint32[] memory shape) {
        uint256 rank = draw(seed, 0, 1, 6);
        walks = new NodeBuilder.Walk[](rank);
        shape = new uint32[](rank);
        for (uint256 i = 0; i < rank; ++i) {
            shape[i] = uint32(draw(seed, 10 + i, 1, 4));
            walks[i] = NodeBuilder.Walk(
                uint8(i),
                uint8(draw(seed, 20 + i, 0, 1)),
                int32(int256(draw(seed, 30 + i, 0, 6)) - 3),
                int32(int256(draw(seed, 40 + i, 0, 8)) - 2),
                uint32(draw(seed, 50 + i, 1, 3)),
                uint32(draw(seed, 60 + i, 1, 5))
            );
        }
        for (uint256 i = rank; 1 < i; --i) {
            uint256 other = draw(seed, 70 + i, 0, i - 1);
            (walks[i - 1].source, walks[other].source) = (walks[other].source, walks[i - 1].source);
        }
    }

    function plain(NodeBuilder.Walk[] memory walks, uint32[] memory shape, uint256 element)
        internal
        pure
        returns (uint256)
    {
        uint256[] memory place = new uint256[](shape.length);
        uint256 block_ = 1;
        for (uint256 j = 0; j < walks.length; ++j) {
            block_ *= walks[j].extent;
        }
        for (uint256 j = 0; j < walks.length; ++j) {
            block_ /= walks[j].extent;
            int256 wide = int256(element / block_ % walks[j].extent) * walks[j].numerator + walks[j].offset;
            int256 step = int256(uint256(walks[j].denominator));
            int256 index = floorDiv(wide, step);
            if (walks[j].exact == 1 && index * step != wide) return OUTSIDE;
            if (index < 0 || int256(uint256(shape[walks[j].source])) <= index) return OUTSIDE;
            place[walks[j].source] = uint256(index);
        }
        uint256 flat = 0;
        for (uint256 axis = 0; axis < shape.length; ++axis) {
            flat = flat * shape[axis] + place[axis];
        }
        return flat;
    }

    function test_fuzz_a_move_is_its_plain_restatement(uint256 seed) public view {
        (NodeBuilder.Walk[] memory walks, uint32[] memory shape) = randomMove(seed);
        uint256 inputs = 1;
        uint256 outputs = 1;
        for (uint256 i = 0; i < shape.length; ++i) {
            inputs *= shape[i];
            outputs *= walks[i].extent;
        }
        uint8 dtype = uint8(draw(seed, 1, 1, 3));
        uint256 width = 1 << (dtype - 1);
        bytes memory x = NodeBuilder.noise(inputs * width, seed);
        uint256 element = draw(seed, 2, 0, outputs - 1);
        uint256 source = plain(walks, shape, element);
        int256 want = -77;
        if (source != OUTSIDE) {
            want = 0;
            for (uint256 i = 0; i < width; ++i) {
                want = want * 256 + int256(uint256(uint8(x[source * width + i])));
            }
            if (128 <= uint8(x[source * width])) want -= int256(1 << (8 * width));
        }
        check(moveLeaf(dtype, -77, walks, shape), x, width, uint64(element), source, want);
    }

    /// Inputs of 1, 3 and 2 columns over two rows: 1 | 2 3 4 | 5 6, 7 | 8 9 10 | 11 12.
    function threeInputs() internal pure returns (bytes memory leaf, bytes[] memory x) {
        bytes memory parameters = NodeBuilder.concat(2, NodeBuilder.list(1, 3, 2));
        leaf = NodeBuilder.leaf(6, 2, 0, NodeBuilder.list(0, 1, 2), new bytes32[](0), parameters);
        x = new bytes[](3);
        x[0] = abi.encodePacked(int16(1), int16(7));
        x[1] = abi.encodePacked(int16(2), int16(3), int16(4), int16(8), int16(9), int16(10));
        x[2] = abi.encodePacked(int16(5), int16(6), int16(11), int16(12));
    }

    function test_a_concatenation_lays_rows_side_by_side() public view {
        (bytes memory leaf, bytes[] memory x) = threeInputs();
        uint8[6] memory holder = [0, 1, 1, 1, 2, 2];
        for (uint64 i = 0; i < 12; ++i) {
            uint256 from = holder[i % 6];
            Opening[] memory openings = new Opening[](3);
            openings[from] = NodeBuilder.openRun(x[from], 0, x[from].length);
            (int256 value, bytes32[] memory roots) = moves.evaluate(leaf, none, i, openings);
            assertEq(value, int256(uint256(i)) + 1, "value");
            for (uint256 slot = 0; slot < 3; ++slot) {
                assertEq(roots[slot], slot == from ? NodeBuilder.root(x[slot]) : bytes32(0), "root");
            }
        }
    }

    function test_an_input_that_is_not_read_opens_nothing() public {
        (bytes memory leaf, bytes[] memory x) = threeInputs();
        Opening[] memory openings = new Opening[](3);
        openings[1] = NodeBuilder.openRun(x[1], 0, 12);
        openings[0].tiles = hex"00";
        refuse(leaf, 1, openings, abi.encodeWithSelector(ILeaf.TileBytes.selector, 0, 0, 1));
        openings[0].tiles = "";
        openings[2].siblings = new bytes32[](1);
        refuse(leaf, 1, openings, abi.encodeWithSelector(MultiProof.ProofSiblingExtra.selector, 0, 1));
        // The opening stands in another input's place.
        openings[2].siblings = new bytes32[](0);
        refuse(leaf, 0, openings, abi.encodeWithSelector(ILeaf.TileBytes.selector, 0, 4, 0));
    }

    function test_a_fill_opens_nothing() public {
        bytes memory x = abi.encodePacked(int8(5));
        bytes memory leaf = moveLeaf(1, 3, one(NodeBuilder.Walk(0, 0, 1, 1, 1, 1)), NodeBuilder.list(1));
        Opening[] memory openings = only(NodeBuilder.openRun(x, 0, 1));
        refuse(leaf, 0, openings, abi.encodeWithSelector(ILeaf.TileBytes.selector, 0, 0, 1));
        openings[0].tiles = "";
        openings[0].siblings = new bytes32[](2);
        refuse(leaf, 0, openings, abi.encodeWithSelector(MultiProof.ProofSiblingExtra.selector, 0, 2));
    }

    function test_elements_counts_and_operators_are_checked() public {
        (bytes memory leaf,) = threeInputs();
        refuse(leaf, 12, new Opening[](3), abi.encodeWithSelector(ILeaf.ElementOutside.selector, 12, 12));
        refuse(leaf, 0, new Opening[](2), abi.encodeWithSelector(ILeaf.OpeningCount.selector, 3, 2));
        leaf = moveLeaf(1, 0, one(NodeBuilder.along(0, 3)), NodeBuilder.list(3));
        uint64 beyond = type(uint64).max;
        refuse(leaf, beyond, new Opening[](1), abi.encodeWithSelector(ILeaf.ElementOutside.selector, 3, beyond));
        leaf = NodeBuilder.leaf(
            0, 1, 0, new uint32[](0), new bytes32[](0), abi.encodePacked(uint8(1), NodeBuilder.dim(3))
        );
        refuse(leaf, 0, new Opening[](0), abi.encodeWithSelector(ILeaf.OperatorNotHere.selector, 0));
    }

    function test_every_leaf_cut_short_or_made_longer_is_refused() public {
        (bytes memory joined,) = threeInputs();
        bytes memory moved = moveLeaf(1, 0, one(NodeBuilder.along(0, 3)), NodeBuilder.list(3));
        for (uint256 length = 0; length < moved.length; ++length) {
            vm.expectRevert();
            moves.evaluate(TreeBuilder.slice(moved, 0, length), none, 0, new Opening[](1));
            vm.expectRevert();
            moves.evaluate(TreeBuilder.slice(joined, 0, length), none, 0, new Opening[](3));
        }
        bytes4 why = NodeLeaf.LeafLength.selector;
        uint256 size = moved.length;
        refuse(bytes.concat(moved, hex"00"), 0, new Opening[](1), abi.encodeWithSelector(why, size, size + 1));
        size = joined.length;
        refuse(bytes.concat(joined, hex"00"), 0, new Opening[](3), abi.encodeWithSelector(why, size, size + 1));
    }

    function test_a_walk_by_nothing_is_refused() public {
        bytes memory leaf = moveLeaf(1, 0, one(NodeBuilder.Walk(0, 0, 1, 0, 0, 3)), NodeBuilder.list(3));
        bytes memory why = abi.encodeWithSelector(Parameters.WalkField.selector, 0, 4, 1, 65_536, int256(0));
        refuse(leaf, 0, new Opening[](1), why);
    }

    function test_random_bytes_never_run_away(bytes calldata nodeLeaf, uint64 element) public view {
        (bool ok,) = address(moves).staticcall{gas: 1_000_000}(
            abi.encodeCall(ILeaf.evaluate, (nodeLeaf, none, element, new Opening[](1)))
        );
        assertFalse(ok, "random bytes are no leaf");
    }

    function test_gas_of_moves() public {
        bytes memory x = NodeBuilder.noise(65_536, 9);
        bytes memory parameters = NodeBuilder.permute(hex"0100", NodeBuilder.list(256, 256));
        bytes memory leaf = NodeBuilder.leaf(5, 1, 0, NodeBuilder.list(0), new bytes32[](0), parameters);
        Opening[] memory openings = only(NodeBuilder.openRun(x, 12_345, 1));
        moves.evaluate(leaf, none, 57 * 256 + 48, openings);
        vm.snapshotGasLastCall("MoveLeaf", "transpose 256 x 256");

        uint32[] memory shape = new uint32[](6);
        for (uint256 i = 0; i < 6; ++i) {
            shape[i] = 6;
        }
        parameters = NodeBuilder.permute(hex"050403020100", shape);
        leaf = NodeBuilder.leaf(5, 1, 0, NodeBuilder.list(0), new bytes32[](0), parameters);
        openings = only(NodeBuilder.openRun(TreeBuilder.slice(x, 0, 46_656), 46_655, 1));
        moves.evaluate(leaf, none, 46_655, openings);
        vm.snapshotGasLastCall("MoveLeaf", "six axes turned round");

        uint32[] memory columns = new uint32[](16);
        for (uint256 i = 0; i < 16; ++i) {
            columns[i] = 256;
        }
        parameters = NodeBuilder.concat(256, columns);
        leaf = NodeBuilder.leaf(6, 1, 0, columns, new bytes32[](0), parameters);
        openings = new Opening[](16);
        openings[15] = NodeBuilder.openRun(x, 65_535, 1);
        moves.evaluate(leaf, none, 16 * 65_536 - 1, openings);
        vm.snapshotGasLastCall("MoveLeaf", "concatenation of 16 inputs");
    }
}

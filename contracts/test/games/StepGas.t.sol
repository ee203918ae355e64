// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {GameFixture} from "../base/GameFixture.sol";
import {GasUnits} from "../../src/lib/GasUnits.sol";
import {NodeBuilder} from "../base/NodeBuilder.sol";
import {Opening} from "../../src/interfaces/ILeaf.sol";
import {StepInput} from "../../src/interfaces/IDisputeGame.sol";
import {TreeBuilder} from "../base/TreeBuilder.sol";

/// @title The dearest steps: programs whose last node is as large as the limits allow.
abstract contract StepGas is GameFixture {
    function inputBytes() internal pure virtual returns (uint256);
    function outputBytes() internal pure virtual returns (uint256);
    function subject() internal pure virtual returns (bytes memory);

    /// DTYPE_* of the input.
    function inputDtype() internal pure virtual returns (uint8) {
        return 1;
    }

    /// Nodes between the input and the subject, each of the input's size.
    function between() internal pure virtual returns (bytes[] memory) {
        return new bytes[](0);
    }

    function tensor(uint256 node) internal pure override returns (bytes memory) {
        return NodeBuilder.noise(node == between().length + 1 ? outputBytes() : inputBytes(), node);
    }

    function inputsOf(uint256) internal pure virtual override returns (uint256[] memory inputs) {
        inputs = new uint256[](1);
    }

    function setUp() public {
        deploySet();
        leaves.push(
            NodeBuilder.leaf(
                0,
                inputDtype(),
                0,
                new uint32[](0),
                new bytes32[](0),
                abi.encodePacked(uint8(1), NodeBuilder.dim(uint32(inputBytes() >> (inputDtype() - 1))))
            )
        );
        bytes[] memory nodes = between();
        for (uint256 i = 0; i < nodes.length; ++i) {
            leaves.push(nodes[i]);
        }
        leaves.push(subject());
        outputNode = leaves.length - 1;
        registerModel();
        claimed();
    }

    /// A step on an element of `terms` terms uses at most its units, and at most what a certificate reckons.
    function checkStep(uint256 element, uint256 terms, string memory name) internal {
        bytes32 gameId = open(challenger);
        descend(gameId, outputNode, element);
        StepInput memory input = stepInput(gameId, element);
        uint256 hashes = input.leafSiblings.length + input.inputRoots.length + input.traceSiblings.length
            + input.segmentSiblings.length;
        uint256 opened = 0;
        for (uint256 i = 0; i < input.openings.length; ++i) {
            hashes += input.openings[i].siblings.length;
            opened += input.openings[i].tiles.length;
        }
        bytes memory data = stepCall(gameId, element);
        send(challenger, 0, data);
        uint256 used = vm.lastCallGas().gasTotalUsed;
        checkCosts(input, used, data.length, 12 * terms + 8 * opened, name);
        uint256 floor = 21_000;
        for (uint256 i = 0; i < data.length; ++i) {
            floor += data[i] == 0 ? 10 : 40;
        }
        if (used < floor) used = floor;
        vm.snapshotValue("game", name, used);
        uint256 payload = input.tile.length + input.nodeLeaf.length + opened;
        assertLe(used, GasUnits.step(input.openings.length, hashes, payload) + GasUnits.PER_PAYOUT, name);
        assertLe(used, 16_777_216, "gas limit of one transaction (EIP-7825)");
    }

    /// Gas against the coefficients of crates/dispute/src/certificate.rs, of which `read` is what terms and
    /// opened bytes come to (spec: game, 4.6).
    function checkCosts(StepInput memory input, uint256 used, uint256 length, uint256 read, string memory name)
        private
        view
    {
        uint256 inputs = uint8(input.nodeLeaf[2]);
        if (inputs < 2) inputs = 2;
        uint256 hashes = (1 + inputs) * TreeBuilder.depth(leaves.length);
        for (uint256 i = 0; i < input.openings.length; ++i) {
            hashes += input.openings[i].siblings.length;
        }
        uint256 modelled = 232_000 + 6_000 * (inputs - 2) + read + 600 * hashes + 16 * length;
        if (modelled < 40 * length) modelled = 40 * length;
        assertLe(used, 21_000 + modelled, name);
    }
}

/// @title A contraction of TERMS_MAX terms.
contract LongestMatmulTest is StepGas {
    uint256 private constant K = 16_384;

    function inputBytes() internal pure override returns (uint256) {
        return K;
    }

    function outputBytes() internal pure override returns (uint256) {
        return 2;
    }

    function subject() internal pure override returns (bytes memory) {
        bytes32[] memory roots = NodeBuilder.roots(NodeBuilder.noise(2 * K, 5), NodeBuilder.constants(2, 5, 3, 0, 20));
        return NodeBuilder.leaf(
            1,
            1,
            uint64(2 * K),
            NodeBuilder.list(uint32(0)),
            roots,
            NodeBuilder.matmul(NodeBuilder.dim(1), uint32(K), 0, uint32(K), 2, NodeBuilder.tail(0, -127, 127, false))
        );
    }

    function openingsOf(uint256, uint256 element) internal pure override returns (Opening[] memory o) {
        o = new Opening[](3);
        o[0] = NodeBuilder.openRun(tensor(0), 0, K);
        o[1] = NodeBuilder.openRun(NodeBuilder.noise(2 * K, 5), element * K, K);
        o[2] = NodeBuilder.openRun(NodeBuilder.constants(2, 5, 3, 0, 20), element * 16, 16);
    }

    /// Spec: game, 4.4 and 4.11.
    /// forge-config: default.isolate = true
    function test_a_step_of_the_longest_contraction_uses_at_most_its_units() public {
        checkStep(1, K, "step, 16,384 terms");
    }
}

/// @title A pool whose every window cell lies in a tile of its own.
contract ScatteredPoolTest is StepGas {
    uint256 private constant SIDE = 17;
    uint256 private constant C = 512;
    uint16 private constant KERNEL = 8;

    function inputBytes() internal pure override returns (uint256) {
        return SIDE * SIDE * C;
    }

    function outputBytes() internal pure override returns (uint256) {
        return 4 * C;
    }

    function subject() internal pure override returns (bytes memory) {
        return NodeBuilder.leaf(
            3,
            1,
            uint64(4 * C * KERNEL * KERNEL),
            NodeBuilder.list(uint32(0)),
            new bytes32[](0),
            abi.encodePacked(
                NodeBuilder.dim(uint32(SIDE)),
                NodeBuilder.dim(uint32(SIDE)),
                uint32(C),
                NodeBuilder.window(NodeBuilder.square(KERNEL, KERNEL + 1, 0))
            )
        );
    }

    function openingsOf(uint256, uint256 element) internal pure override returns (Opening[] memory o) {
        uint256 x = element / C % 2 * (KERNEL + 1);
        uint256 y = element / C / 2 * (KERNEL + 1);
        uint256[] memory tiles = new uint256[](KERNEL * KERNEL);
        for (uint256 i = 0; i < tiles.length; ++i) {
            tiles[i] = (y + i / KERNEL) * SIDE + x + i % KERNEL;
        }
        o = new Opening[](1);
        o[0] = NodeBuilder.open(tensor(0), tiles);
    }

    /// Spec: game, 4.4 and 4.11.
    /// forge-config: default.isolate = true
    function test_a_step_of_a_scattered_pool_uses_at_most_its_units() public {
        checkStep(3 * C + 7, KERNEL * KERNEL, "step, pool of 64 tiles");
    }
}

/// @title A concatenation of as many nodes as there may be, named last to first.
abstract contract WidestConcat is StepGas {
    uint32 internal constant COUNT = 16;
    uint32 private constant COLUMNS = 256;

    function inputBytes() internal pure override returns (uint256) {
        return COLUMNS;
    }

    function outputBytes() internal pure override returns (uint256) {
        return COUNT * COLUMNS;
    }

    function between() internal pure override returns (bytes[] memory nodes) {
        nodes = new bytes[](COUNT);
        bytes memory parameters = NodeBuilder.permute(hex"00", NodeBuilder.list(COLUMNS));
        for (uint32 i = 0; i < COUNT; ++i) {
            uint64 macs = (i + 1) * COLUMNS;
            nodes[i] = NodeBuilder.leaf(5, 1, macs, NodeBuilder.list(i), new bytes32[](0), parameters);
        }
    }

    function subject() internal pure override returns (bytes memory) {
        uint32[] memory inputs = new uint32[](COUNT);
        uint32[] memory columns = new uint32[](COUNT);
        for (uint32 i = 0; i < COUNT; ++i) {
            (inputs[i], columns[i]) = (COUNT - i, COLUMNS);
        }
        bytes memory parameters = NodeBuilder.concat(1, columns);
        return NodeBuilder.leaf(6, 1, 2 * COUNT * COLUMNS, inputs, new bytes32[](0), parameters);
    }

    function inputsOf(uint256) internal pure override returns (uint256[] memory inputs) {
        inputs = new uint256[](COUNT);
        for (uint256 i = 0; i < COUNT; ++i) {
            inputs[i] = i + 1;
        }
    }

    function openingsOf(uint256, uint256 element) internal pure override returns (Opening[] memory o) {
        o = new Opening[](COUNT);
        uint256 slot = element / COLUMNS;
        o[slot] = NodeBuilder.openRun(tensor(COUNT - slot), 0, COLUMNS);
    }
}

contract WidestConcatTest is WidestConcat {
    /// Spec: game, 4.4 and 4.11.
    /// forge-config: default.isolate = true
    function test_a_step_of_the_widest_concatenation_uses_at_most_its_units() public {
        checkStep(outputBytes() - 1, 1, "step, concatenation of 16 inputs");
    }
}

/// @title Half of its inputs in the trace tree, and half in the segment that it ends.
contract WidestConcatOfTwoTreesTest is WidestConcat {
    function isInterior(uint256 node) internal pure override returns (bool) {
        return COUNT / 2 < node && node <= COUNT;
    }

    /// Spec: game, 4.4, 4.7 and 4.11.
    /// forge-config: default.isolate = true
    function test_a_step_of_the_widest_concatenation_of_two_trees_uses_at_most_its_units() public {
        checkStep(outputBytes() - 1, 1, "step, concatenation of 8 committed and 8 interior inputs");
    }
}

/// @title A sum with a constant through an interpolation, each as wide as it may be.
contract WidestPointwiseTest is StepGas {
    uint32 private constant N = 2_048;

    function inputBytes() internal pure override returns (uint256) {
        return N;
    }

    function outputBytes() internal pure override returns (uint256) {
        return 2 * N;
    }

    function held() private pure returns (bytes memory) {
        return NodeBuilder.noise(4 * N, 5);
    }

    function table() private pure returns (bytes memory) {
        return NodeBuilder.noise(1_026, 6);
    }

    function subject() internal pure override returns (bytes memory) {
        NodeBuilder.Pointwise memory p = NodeBuilder.Pointwise(1, N, 0, 1, 77, 2, 3, 0, 3, N, 20, -32_768, 32_767, 2, 0);
        bytes32[] memory roots = NodeBuilder.roots(held(), table());
        return NodeBuilder.leaf(7, 2, N, NodeBuilder.list(uint32(0)), roots, NodeBuilder.pointwise(p));
    }

    function openingsOf(uint256, uint256 element) internal pure override returns (Opening[] memory o) {
        o = new Opening[](3);
        o[0] = NodeBuilder.openRun(tensor(0), element, 1);
        o[1] = NodeBuilder.openRun(held(), 4 * element, 4);
        o[2] = NodeBuilder.openRun(table(), 0, 1_026);
    }

    /// Spec: game, 4.4 and 4.11.
    /// forge-config: default.isolate = true
    function test_a_step_of_the_widest_pointwise_node_uses_at_most_its_units() public {
        checkStep(1_234, 1, "step, interpolation of a sum");
    }
}

/// @title A fill: a step that opens nothing.
contract FillStepTest is StepGas {
    function inputBytes() internal pure override returns (uint256) {
        return 1;
    }

    function outputBytes() internal pure override returns (uint256) {
        return 64;
    }

    /// [1][1][1][1][1][1] to [2][2][2][2][2][2].
    function subject() internal pure override returns (bytes memory) {
        NodeBuilder.Walk[] memory walks = new NodeBuilder.Walk[](6);
        uint32[] memory shape = new uint32[](6);
        for (uint8 i = 0; i < 6; ++i) {
            (walks[i], shape[i]) = (NodeBuilder.along(5 - i, 2), 1);
        }
        bytes memory parameters = NodeBuilder.move(5, walks, shape);
        return NodeBuilder.leaf(5, 1, 64, NodeBuilder.list(uint32(0)), new bytes32[](0), parameters);
    }

    function openingsOf(uint256, uint256) internal pure override returns (Opening[] memory o) {
        o = new Opening[](1);
    }

    /// Spec: game, 4.4 and 4.11.
    /// forge-config: default.isolate = true
    function test_a_step_on_a_fill_uses_at_most_its_units() public {
        checkStep(32, 1, "step, a fill");
    }
}

/// @title A reduction of TERMS_MAX terms: the variance of int16.
contract LongestReductionTest is StepGas {
    uint32 private constant K = 16_384;

    function inputBytes() internal pure override returns (uint256) {
        return 4 * K;
    }

    function inputDtype() internal pure override returns (uint8) {
        return 2;
    }

    function outputBytes() internal pure override returns (uint256) {
        return 8;
    }

    function subject() internal pure override returns (bytes memory) {
        NodeBuilder.Reduce memory r = NodeBuilder.Reduce(2, K, 3, 2, 1, 20, type(int32).min, type(int32).max);
        bytes memory parameters = NodeBuilder.reduce(r);
        return NodeBuilder.leaf(9, 3, 2 * K, NodeBuilder.list(uint32(0)), new bytes32[](0), parameters);
    }

    function openingsOf(uint256, uint256 element) internal pure override returns (Opening[] memory o) {
        o = new Opening[](1);
        o[0] = NodeBuilder.openRun(tensor(0), element * 2 * K, 2 * K);
    }

    /// Spec: game, 4.4 and 4.11.
    /// forge-config: default.isolate = true
    function test_a_step_of_the_longest_reduction_uses_at_most_its_units() public {
        checkStep(1, K, "step, variance of 16,384 int16");
    }
}

/// @title A matrix product of TERMS_WIDE_MAX terms of int16.
contract LongestWideMatmulTest is StepGas {
    uint32 private constant K = 8_192;

    function inputBytes() internal pure override returns (uint256) {
        return 2 * K;
    }

    function inputDtype() internal pure override returns (uint8) {
        return 2;
    }

    function outputBytes() internal pure override returns (uint256) {
        return 2;
    }

    function subject() internal pure override returns (bytes memory) {
        bytes32[] memory roots = NodeBuilder.roots(NodeBuilder.noise(2 * K, 5), NodeBuilder.constants(2, 5, 3, 0, 20));
        bytes memory head = abi.encodePacked(NodeBuilder.dim(1), K, uint32(0), K, uint32(2), uint8(2), uint8(0));
        bytes memory parameters = bytes.concat(head, NodeBuilder.tail(0, -127, 127, false));
        return NodeBuilder.leaf(1, 1, 2 * K, NodeBuilder.list(uint32(0)), roots, parameters);
    }

    function openingsOf(uint256, uint256 element) internal pure override returns (Opening[] memory o) {
        o = new Opening[](3);
        o[0] = NodeBuilder.openRun(tensor(0), 0, 2 * K);
        o[1] = NodeBuilder.openRun(NodeBuilder.noise(2 * K, 5), element * K, K);
        o[2] = NodeBuilder.openRun(NodeBuilder.constants(2, 5, 3, 0, 20), element * 16, 16);
    }

    /// Spec: game, 4.4 and 4.11.
    /// forge-config: default.isolate = true
    function test_a_step_of_the_longest_int16_product_uses_at_most_its_units() public {
        checkStep(1, K, "step, 8,192 int16 terms");
    }
}

/// @title A batched product of TERMS_MAX terms: the rows of one node by themselves.
contract LongestBatchMatmulTest is StepGas {
    uint32 private constant K = 16_384;

    function inputBytes() internal pure override returns (uint256) {
        return 2 * K;
    }

    function outputBytes() internal pure override returns (uint256) {
        return 4;
    }

    function subject() internal pure override returns (bytes memory) {
        NodeBuilder.BatchMatmul memory b = NodeBuilder.BatchMatmul(1, 1, 2, 2, K, 0, 1, 1, 12, 0, -127, 127);
        uint32[] memory inputs = NodeBuilder.list(0, 0);
        return NodeBuilder.leaf(8, 1, 4 * K, inputs, new bytes32[](0), NodeBuilder.batchMatmul(b));
    }

    function openingsOf(uint256, uint256 element) internal pure override returns (Opening[] memory o) {
        o = new Opening[](2);
        o[0] = NodeBuilder.openRun(tensor(0), element / 2 * K, K);
        o[1] = NodeBuilder.openRun(tensor(0), element % 2 * K, K);
    }

    /// Spec: game, 4.4 and 4.11.
    /// forge-config: default.isolate = true
    function test_a_step_of_the_longest_batched_product_uses_at_most_its_units() public {
        checkStep(2, K, "step, batched product of 16,384 terms");
    }
}

/// @title A normalisation with a center and a factor.
contract NormalizeStepTest is StepGas {
    uint32 private constant N = 4_096;

    function inputBytes() internal pure override returns (uint256) {
        return 4 * N;
    }

    function inputDtype() internal pure override returns (uint8) {
        return 3;
    }

    function outputBytes() internal pure override returns (uint256) {
        return N;
    }

    function subject() internal pure override returns (bytes memory) {
        NodeBuilder.Normalize memory n = NodeBuilder.Normalize(N, 1, 3, 8, 1, 1, 40, -127, 127);
        bytes32[] memory roots = NodeBuilder.roots(NodeBuilder.constants(1, 5, 3, 0, 20));
        return NodeBuilder.leaf(10, 1, N, NodeBuilder.list(0, 0, 0), roots, NodeBuilder.normalize(n));
    }

    function openingsOf(uint256, uint256 element) internal pure override returns (Opening[] memory o) {
        o = new Opening[](4);
        for (uint256 i = 0; i < 3; ++i) {
            o[i] = NodeBuilder.openRun(tensor(0), 4 * element, 4);
        }
        o[3] = NodeBuilder.openRun(NodeBuilder.constants(1, 5, 3, 0, 20), 0, 16);
    }

    /// Spec: game, 4.4 and 4.11.
    /// forge-config: default.isolate = true
    function test_a_step_of_a_normalisation_uses_at_most_its_units() public {
        checkStep(1_234, 1, "step, normalisation");
    }
}

/// @title An embedding by whatever index the claim has.
contract EmbeddingStepTest is StepGas {
    uint32 private constant N = 256;
    uint32 private constant COLUMNS = 8;
    uint32 private constant ENTRIES = 512;

    function inputBytes() internal pure override returns (uint256) {
        return 4 * N;
    }

    function inputDtype() internal pure override returns (uint8) {
        return 3;
    }

    function outputBytes() internal pure override returns (uint256) {
        return 2 * N * COLUMNS;
    }

    function table() private pure returns (bytes memory) {
        return NodeBuilder.noise(2 * ENTRIES * COLUMNS, 5);
    }

    function subject() internal pure override returns (bytes memory) {
        bytes memory parameters = NodeBuilder.embedding(N, COLUMNS, ENTRIES);
        uint32[] memory inputs = NodeBuilder.list(uint32(0));
        return NodeBuilder.leaf(11, 2, N * COLUMNS, inputs, NodeBuilder.roots(table()), parameters);
    }

    function openingsOf(uint256, uint256 element) internal pure override returns (Opening[] memory o) {
        int256 index = NodeBuilder.get(tensor(0), 3, element / COLUMNS);
        uint256 entry = index < 0 ? 0 : ENTRIES - 1;
        o = new Opening[](2);
        o[0] = NodeBuilder.openRun(tensor(0), 4 * (element / COLUMNS), 4);
        o[1] = NodeBuilder.openRun(table(), 2 * (entry * COLUMNS + element % COLUMNS), 2);
    }

    /// Spec: game, 4.4 and 4.11.
    /// forge-config: default.isolate = true
    function test_a_step_of_an_embedding_uses_at_most_its_units() public {
        checkStep(1_321, 1, "step, embedding");
    }
}

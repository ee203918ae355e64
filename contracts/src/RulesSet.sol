// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {CHILD_COUNT} from "./interfaces/IRulesSet.sol";
import {CHILD_LINEAR_LEAF} from "./interfaces/IRulesSet.sol";
import {CHILD_MOVE_LEAF} from "./interfaces/IRulesSet.sol";
import {CHILD_POINTWISE_LEAF} from "./interfaces/IRulesSet.sol";
import {CHILD_POOL_LEAF} from "./interfaces/IRulesSet.sol";
import {CHILD_PRODUCT_LEAF} from "./interfaces/IRulesSet.sol";
import {CHILD_ROW_LEAF} from "./interfaces/IRulesSet.sol";
import {Chain} from "./interfaces/IRulesSet.sol";
import {IRulesSet} from "./interfaces/IRulesSet.sol";
import {OP_AVG_POOL} from "./generated/ProtocolConstants.sol";
import {OP_BATCH_MATMUL} from "./generated/ProtocolConstants.sol";
import {OP_CONCAT} from "./generated/ProtocolConstants.sol";
import {OP_CONV} from "./generated/ProtocolConstants.sol";
import {OP_EMBEDDING} from "./generated/ProtocolConstants.sol";
import {OP_MATMUL} from "./generated/ProtocolConstants.sol";
import {OP_MAX_POOL} from "./generated/ProtocolConstants.sol";
import {OP_MOVE} from "./generated/ProtocolConstants.sol";
import {OP_NORMALIZE} from "./generated/ProtocolConstants.sol";
import {OP_POINTWISE} from "./generated/ProtocolConstants.sol";
import {OP_REDUCE} from "./generated/ProtocolConstants.sol";

/// @title The immutable set of contracts, named by the hash of everything that it can ever do.
/// @dev Deployed by CREATE2, so that its address follows from its rules id, and the children's
/// addresses from its own. Spec: claims, 3.1 and 3.2.
/// Invariant: a child at `child(i)` has the init code whose hash the rules id covers
/// (test/RulesSet.t.sol, another_init_code_is_refused).
contract RulesSet is IRulesSet {
    /// @inheritdoc IRulesSet
    bytes32 public immutable rulesId;

    /// Init code hash of each child.
    bytes32[] public initCodeHashes;

    Chain private constants;
    uint256 private deployed;

    constructor(Chain memory chain_, bytes32[] memory initCodeHashes_) {
        if (initCodeHashes_.length != CHILD_COUNT) revert WrongChildCount(CHILD_COUNT, initCodeHashes_.length);
        if (chain_.censorshipSeconds == 0) revert ConstantMissing("censorshipSeconds");
        if (chain_.inclusionSeconds == 0) revert ConstantMissing("inclusionSeconds");
        if (chain_.macsPerSecond == 0) revert ConstantMissing("macsPerSecond");
        if (chain_.bytesPerSecond == 0) revert ConstantMissing("bytesPerSecond");
        bytes32 id;
        assembly ("memory-safe") {
            // During construction the code is the init code with the arguments at its end.
            let at := mload(0x40)
            codecopy(at, 0, codesize())
            id := keccak256(at, codesize())
        }
        rulesId = id;
        constants = chain_;
        initCodeHashes = initCodeHashes_;
    }

    /// @inheritdoc IRulesSet
    function deploy(uint256 index, bytes calldata initCode) external returns (address created) {
        if (index != deployed) revert WrongChild(deployed, index);
        if (CHILD_COUNT <= index) revert WrongChild(CHILD_COUNT, index);
        bytes32 hash = keccak256(initCode);
        if (hash != initCodeHashes[index]) revert WrongInitCode(initCodeHashes[index], hash);

        deployed = index + 1;
        emit ChildDeployed(index, child(index));

        bytes memory code = initCode;
        assembly ("memory-safe") {
            created := create(0, add(code, 0x20), mload(code))
        }
        if (created == address(0) || created != child(index)) revert DeployFailed(index);
    }

    /// @inheritdoc IRulesSet
    function chain() external view returns (Chain memory) {
        return constants;
    }

    /// @inheritdoc IRulesSet
    function leafOf(uint8 op) external view returns (address) {
        if (op == OP_MATMUL || op == OP_CONV) return child(CHILD_LINEAR_LEAF);
        if (op == OP_MAX_POOL || op == OP_AVG_POOL) return child(CHILD_POOL_LEAF);
        if (op == OP_MOVE || op == OP_CONCAT) return child(CHILD_MOVE_LEAF);
        if (op == OP_POINTWISE) return child(CHILD_POINTWISE_LEAF);
        if (op == OP_BATCH_MATMUL) return child(CHILD_PRODUCT_LEAF);
        if (op == OP_REDUCE || op == OP_NORMALIZE || op == OP_EMBEDDING) return child(CHILD_ROW_LEAF);
        revert UnknownOperator(op);
    }

    /// @inheritdoc IRulesSet
    function child(uint256 index) public view returns (address) {
        if (CHILD_COUNT <= index) revert WrongChild(CHILD_COUNT, index);
        // CREATE: the last 20 bytes of keccak256(rlp([this, nonce])), nonce = index + 1 < 128.
        return address(uint160(uint256(keccak256(abi.encodePacked(bytes2(0xd694), address(this), uint8(index + 1))))));
    }
}

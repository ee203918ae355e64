// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title The cheat codes of the test runner that our tests use, and no others.
interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    struct Gas {
        uint64 gasLimit;
        uint64 gasTotalUsed;
        uint64 gasMemoryUsed;
        int64 gasRefunded;
        uint64 gasRemaining;
    }

    // Callers, balances, time.
    function prank(address caller) external;
    function prank(address caller, address origin) external;
    function startPrank(address caller) external;
    function stopPrank() external;
    function deal(address who, uint256 balance) external;
    function warp(uint256 timestamp) external;
    function roll(uint256 blockNumber) external;
    function fee(uint256 baseFee) external;
    function txGasPrice(uint256 price) external;
    function chainId(uint256 id) external;
    function prevrandao(bytes32 value) external;
    function coinbase(address who) external;
    function setNonce(address who, uint64 nonce) external;
    function getNonce(address who) external view returns (uint64 nonce);
    function setBlockhash(uint256 blockNumber, bytes32 blockHash) external;

    // State.
    function etch(address target, bytes calldata runtimeCode) external;
    function store(address target, bytes32 slot, bytes32 value) external;
    function load(address target, bytes32 slot) external view returns (bytes32 value);
    function snapshotState() external returns (uint256 id);
    function revertToState(uint256 id) external returns (bool success);

    // Expectations.
    function expectRevert() external;
    function expectRevert(bytes4 selector) external;
    function expectRevert(bytes calldata revertData) external;
    function expectRevert(bytes calldata revertData, address reverter) external;
    function expectPartialRevert(bytes4 selector) external;
    function expectEmit() external;
    function expectEmit(address emitter) external;
    function expectEmit(bool topic1, bool topic2, bool topic3, bool data) external;
    function expectEmit(bool topic1, bool topic2, bool topic3, bool data, address emitter) external;
    function expectCall(address callee, bytes calldata data) external;
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory logs);

    // Keys and signatures.
    function addr(uint256 privateKey) external pure returns (address keyAddress);
    function sign(uint256 privateKey, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function signCompact(uint256 privateKey, bytes32 digest) external pure returns (bytes32 r, bytes32 vs);
    function label(address account, string calldata name) external;

    // Files (read only: vectors and artifacts).
    function readFile(string calldata path) external view returns (string memory data);
    function readFileBinary(string calldata path) external view returns (bytes memory data);
    function getCode(string calldata artifact) external view returns (bytes memory creationCode);

    // JSON.
    function keyExistsJson(string calldata json, string calldata key) external view returns (bool exists);
    function parseJson(string calldata json, string calldata key) external pure returns (bytes memory encoded);
    function parseJsonUint(string calldata json, string calldata key) external pure returns (uint256 value);
    function parseJsonUintArray(string calldata json, string calldata key) external pure returns (uint256[] memory a);
    function parseJsonInt(string calldata json, string calldata key) external pure returns (int256 value);
    function parseJsonIntArray(string calldata json, string calldata key) external pure returns (int256[] memory a);
    function parseJsonBool(string calldata json, string calldata key) external pure returns (bool value);
    function parseJsonAddress(string calldata json, string calldata key) external pure returns (address value);
    function parseJsonString(string calldata json, string calldata key) external pure returns (string memory value);
    function parseJsonStringArray(string calldata json, string calldata key) external pure returns (string[] memory a);
    function parseJsonBytes(string calldata json, string calldata key) external pure returns (bytes memory value);
    function parseJsonBytesArray(string calldata json, string calldata key) external pure returns (bytes[] memory a);
    function parseJsonBytes32(string calldata json, string calldata key) external pure returns (bytes32 value);
    function parseJsonBytes32Array(string calldata json, string calldata key) external pure returns (bytes32[] memory a);
    function toString(uint256 value) external pure returns (string memory text);
    function toString(address value) external pure returns (string memory text);
    function toString(bytes32 value) external pure returns (string memory text);

    // Fuzzing.
    function assume(bool condition) external pure;
    function randomUint() external returns (uint256 value);
    function randomUint(uint256 min, uint256 max) external returns (uint256 value);

    // Gas.
    function pauseGasMetering() external;
    function resumeGasMetering() external;
    function lastCallGas() external view returns (Gas memory gas);
    /// Writes the figure to `snapshots/<group>.json`; `FORGE_SNAPSHOT_CHECK=true` compares instead.
    function snapshotGasLastCall(string calldata group, string calldata name) external returns (uint256 gasUsed);
    function snapshotValue(string calldata group, string calldata name, uint256 value) external;
}

/// @title What every test contract inherits: `vm`, equality with both values in the message, bounds.
/// @dev A failed assertion reverts with a named error, so the runner prints what was expected.
abstract contract Test {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// The runner looks for this flag and calls `failed()`; our assertions revert, so it stays false.
    bool public constant IS_TEST = true;

    error NotTrue(string what);
    error NotEqualUint(uint256 got, uint256 want, string what);
    error NotEqualInt(int256 got, int256 want, string what);
    error NotEqualAddress(address got, address want, string what);
    error NotEqualBytes32(bytes32 got, bytes32 want, string what);
    error NotEqualBytes(bytes got, bytes want, string what);
    error NotEqualString(string got, string want, string what);
    error NotEqualBool(bool got, bool want, string what);
    error NotAtMost(uint256 got, uint256 most, string what);
    error NotAtLeast(uint256 got, uint256 least, string what);

    function assertTrue(bool condition, string memory what) internal pure {
        if (!condition) revert NotTrue(what);
    }

    function assertTrue(bool condition) internal pure {
        assertTrue(condition, "");
    }

    function assertFalse(bool condition, string memory what) internal pure {
        assertTrue(!condition, what);
    }

    function assertFalse(bool condition) internal pure {
        assertTrue(!condition, "");
    }

    function assertEq(uint256 got, uint256 want, string memory what) internal pure {
        if (got != want) revert NotEqualUint(got, want, what);
    }

    function assertEq(uint256 got, uint256 want) internal pure {
        assertEq(got, want, "");
    }

    function assertEq(int256 got, int256 want, string memory what) internal pure {
        if (got != want) revert NotEqualInt(got, want, what);
    }

    function assertEq(int256 got, int256 want) internal pure {
        assertEq(got, want, "");
    }

    function assertEq(address got, address want, string memory what) internal pure {
        if (got != want) revert NotEqualAddress(got, want, what);
    }

    function assertEq(address got, address want) internal pure {
        assertEq(got, want, "");
    }

    function assertEq(bytes32 got, bytes32 want, string memory what) internal pure {
        if (got != want) revert NotEqualBytes32(got, want, what);
    }

    function assertEq(bytes32 got, bytes32 want) internal pure {
        assertEq(got, want, "");
    }

    function assertEq(bool got, bool want, string memory what) internal pure {
        if (got != want) revert NotEqualBool(got, want, what);
    }

    function assertEq(bool got, bool want) internal pure {
        assertEq(got, want, "");
    }

    function assertEq(bytes memory got, bytes memory want, string memory what) internal pure {
        if (keccak256(got) != keccak256(want)) revert NotEqualBytes(got, want, what);
    }

    function assertEq(bytes memory got, bytes memory want) internal pure {
        assertEq(got, want, "");
    }

    function assertEq(string memory got, string memory want, string memory what) internal pure {
        if (keccak256(bytes(got)) != keccak256(bytes(want))) revert NotEqualString(got, want, what);
    }

    function assertEq(string memory got, string memory want) internal pure {
        assertEq(got, want, "");
    }

    function assertLe(uint256 got, uint256 most, string memory what) internal pure {
        if (got > most) revert NotAtMost(got, most, what);
    }

    function assertLe(uint256 got, uint256 most) internal pure {
        assertLe(got, most, "");
    }

    function assertGe(uint256 got, uint256 least, string memory what) internal pure {
        if (got < least) revert NotAtLeast(got, least, what);
    }

    function assertGe(uint256 got, uint256 least) internal pure {
        assertGe(got, least, "");
    }

    /// A value in `[low, high]`; the same `x` always gives the same value.
    function bound(uint256 x, uint256 low, uint256 high) internal pure returns (uint256 value) {
        assertLe(low, high, "bound: empty range");
        if (low <= x && x <= high) return x;
        unchecked {
            uint256 size = high - low + 1;
            return size == 0 ? x : low + x % size;
        }
    }

    /// A labelled address that nobody holds a key of.
    function actor(string memory name) internal returns (address who) {
        who = address(uint160(uint256(keccak256(bytes(name)))));
        vm.label(who, name);
    }
}

/// @title What an invariant suite inherits: the runner calls only the targets named here.
abstract contract InvariantTest is Test {
    address[] private targets;

    function targetContract(address target) internal {
        targets.push(target);
    }

    /// Read by the runner.
    function targetContracts() public view returns (address[] memory) {
        return targets;
    }
}

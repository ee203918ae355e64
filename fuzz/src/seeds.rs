//! Accepted inputs of every decoder: the shipped models and data, and small ones made here.

use std::fs;
use std::path::{Path, PathBuf};

use alloy_primitives::hex;
use selfsame_interpreter::{Trace, TraceFile};
use selfsame_ir::{CheckedProgram, Tensor, artefact as artefacts};
use selfsame_protocol::Hash;
use selfsame_receipt as receipts;
use selfsame_receipt::rules::ChainConstants;
use selfsame_receipt::{ChainEvidence, Core, Domain, Evidence, Receipt};

#[path = "../../crates/ir/tests/common/mod.rs"]
mod sample;

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../models")
}

/// # Panics
///
/// If a shipped file is missing: without its seeds a target would test nothing.
fn read(relative: &str) -> Vec<u8> {
    let path = models().join(relative);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub(crate) fn onnx() -> Vec<Vec<u8>> {
    vec![read("mlp/model.onnx"), read("cancer/model.onnx")]
}

pub(crate) fn npz() -> Vec<Vec<u8>> {
    vec![read("cancer/reference.npz"), read("mlp/reference.npz")]
}

/// Two arrays of the format's versions 1 and 2.
pub(crate) fn npy() -> Vec<Vec<u8>> {
    let array = |version: u8, dict: &str, data: &[u8]| {
        let prefix = if version == 1 { 10 } else { 12 };
        let header = format!("{dict:<width$}\n", width = 117_usize - (prefix - 10));
        let len = u32::try_from(header.len())
            .expect("a short header")
            .to_le_bytes();
        let mut bytes = b"\x93NUMPY".to_vec();
        bytes.extend([version, 0]);
        bytes.extend(if version == 1 { &len[..2] } else { &len[..] });
        bytes.extend(header.bytes());
        bytes.extend(data);
        bytes
    };
    let floats: Vec<u8> = [0_u32, 0x3f80_0000, 0x7f80_0000, 0xffc0_0000, 1, 2]
        .iter()
        .flat_map(|bits| bits.to_le_bytes())
        .collect();
    vec![
        array(
            1,
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }",
            &floats,
        ),
        array(
            2,
            "{'descr': '|u1', 'fortran_order': False, 'shape': (4,), }",
            &[0, 1, 2, 255],
        ),
        array(
            1,
            "{'descr': '<i8', 'fortran_order': False, 'shape': (), }",
            &[1; 8],
        ),
    ]
}

/// Grey with three filters, RGB, a two-bit palette with transparency, 16-bit RGBA.
const PICTURES: [&str; 4] = [
    concat!(
        "89504e470d0a1a0a0000000d4948445200000004000000030800000000919ff11a000000174944415478da",
        "636060646266e4e2e6e165121115130700028f008e2ddaebca0000000049454e44ae426082",
    ),
    concat!(
        "89504e470d0a1a0a0000000d49484452000000030000000208020000001216f14d000000144944415478da",
        "636660646266616563e76081b30002d000507b9887930000000049454e44ae426082",
    ),
    concat!(
        "89504e470d0a1a0a0000000d4948445200000005000000020203000000ed04fece0000000c504c54450001",
        "02030405060708090a0bdc4c389c0000000274524e53ff00e5b7304a0000000e4944415478da6390766078",
        "d2000003d501c0bc2fd2a80000000049454e44ae426082",
    ),
    concat!(
        "89504e470d0a1a0a0000000d49484452000000020000000210060000002226d1670000001c4944415478da",
        "636060646266616563e7e0e4e2e6e1e5e367401700000d6a00f1028b94910000000049454e44ae426082",
    ),
];

pub(crate) fn png() -> Vec<Vec<u8>> {
    PICTURES
        .iter()
        .map(|text| hex::decode(text).expect("the literals are hex"))
        .collect()
}

pub(crate) fn numbers() -> Vec<Vec<u8>> {
    let texts = [
        "[[1, 2.5e-3], [-3, 0]]",
        r#"{"pixels": [0, 255]}"#,
        r#"{"integers": [[-128], [127]]}"#,
    ];
    texts.map(|text| text.as_bytes().to_vec()).into()
}

pub(crate) fn trace() -> Vec<Vec<u8>> {
    let outputs = vec![
        Tensor::I8(vec![1, -2, 3]),
        Tensor::I16(vec![-300]),
        Tensor::I32(vec![70_000, -1]),
    ];
    let trace = Trace::new(outputs, &[0, 2]);
    let file = TraceFile {
        model_id: Hash([7; 32]),
        trace,
    };
    vec![file.encode()]
}

/// The two test vectors of the Web3 Secret Storage Definition, without what is not read.
pub(crate) fn keystore() -> Vec<Vec<u8>> {
    let texts = [
        concat!(
            r#"{"crypto":{"cipherparams":{"iv":"6087dab2f9fdbbfaddc31a909735c1e6"},"#,
            r#""kdfparams":{"c":262144,"dklen":32,"prf":"hmac-sha256"}},"version":3}"#,
        ),
        concat!(
            r#"{"crypto":{"cipherparams":{"iv":"83dbcc02d8ccb40e466191a123791e0e"},"#,
            r#""kdfparams":{"dklen":32,"n":262144,"r":1,"p":8}},"version":3}"#,
        ),
    ];
    texts.map(|text| text.as_bytes().to_vec()).into()
}

/// A program of pictures and one of rows: between them every operator.
pub(crate) fn programs() -> [CheckedProgram; 2] {
    [sample::sample(), sample::rows()]
        .map(|program| CheckedProgram::new(program).expect("the sample programs are well formed"))
}

pub(crate) fn artefact() -> Vec<Vec<u8>> {
    let encode = |program: &CheckedProgram| artefacts::encode(program, &program.commit());
    programs().iter().map(encode).collect()
}

pub(crate) fn node_leaf() -> Vec<Vec<u8>> {
    programs()
        .iter()
        .flat_map(|program| program.commit().leaves)
        .map(|leaf| leaf.encode())
        .collect()
}

pub(crate) fn interface() -> Vec<Vec<u8>> {
    programs()
        .iter()
        .map(|program| program.program().interface.encode())
        .collect()
}

/// All kinds of evidence; the signature is nobody's, which reading does not ask about.
pub(crate) fn receipt() -> Vec<Vec<u8>> {
    let domain = Domain {
        chain_id: 31_337,
        verifying_contract: [7; 20],
    };
    let core = Core {
        version: 1,
        price: 10_u128.pow(18),
        window: 100,
        ..Core::default()
    };
    let chain = ChainEvidence {
        request_id: Hash([1; 32]),
        constants: ChainConstants::default(),
    };
    let all = vec![
        Evidence::Signature([27; 65]),
        Evidence::Output(vec![1, 2, 3]),
        Evidence::Input(vec![4, 5]),
        Evidence::Chain(chain),
    ];
    let bare = Receipt {
        domain,
        core,
        evidence: vec![],
    };
    let whole = Receipt {
        evidence: all,
        ..bare.clone()
    };
    [bare, whole]
        .iter()
        .map(|receipt| receipts::encode(receipt).into_bytes())
        .collect()
}

pub(crate) fn json_rpc() -> Vec<Vec<u8>> {
    let call = |method: &str, params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
    };
    let who = r#""0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266""#;
    let batch = format!(
        "[{},{}]",
        call("eth_chainId", "[]"),
        call("eth_blockNumber", "[]")
    );
    let texts = [
        call("eth_getBalance", &format!(r#"[{who},"latest"]"#)),
        call(
            "eth_call",
            &format!(r#"[{{"from":{who},"to":{who},"value":"0x1","data":"0x00"}},"0x0"]"#),
        ),
        call(
            "eth_estimateGas",
            &format!(r#"[{{"from":{who},"to":{who},"gas":"0xffff"}}]"#),
        ),
        call("eth_getBlockByNumber", r#"["0x0",true]"#),
        call("eth_feeHistory", r#"["0x1","latest",[25.0,75.0]]"#),
        call(
            "eth_getLogs",
            &format!(
                r#"[{{"fromBlock":"0x0","toBlock":"latest","address":{who},"topics":[null]}}]"#
            ),
        ),
        call("eth_getStorageAt", &format!(r#"[{who},"0x0","latest"]"#)),
        call("evm_increaseTime", "[60]"),
        call(
            "eth_sendRawTransaction",
            &format!(r#"["{}"]"#, TRANSACTIONS[0]),
        ),
        batch,
    ];
    texts.map(String::into_bytes).into()
}

/// Signed by the devnet's first key for chain 1337, nonce 0: types 2, 0 and 1.
const TRANSACTIONS: [&str; 3] = [
    concat!(
        "0x02f87182053980843b9aca0084b2d05e00830186a09470997970c51812dc3a010c7d01b50e0d17dc79c8",
        "018401020304c080a0fe1f2b32c7394a631e2c1d463297cad4b22ae876beb4427a94c96cf91094223fa075",
        "68f8d689c0f272e4bb08139f9c822f7b099e0a82352912bb4305a344553ded",
    ),
    concat!(
        "0xf86a8084b2d05e00830186a09470997970c51812dc3a010c7d01b50e0d17dc79c8018401020304820a95",
        "a0586b7eeea5ba4a20629d9e440cccb09da45ed097970f6cd6b35ef7d5391bd790a06a7f5ecbf2a955937e",
        "fa4be97e41e237e46284f0530302676961825927f591a3",
    ),
    concat!(
        "0x01f8a58205398084b2d05e00830186a09470997970c51812dc3a010c7d01b50e0d17dc79c80184010203",
        "04f838f79470997970c51812dc3a010c7d01b50e0d17dc79c8e1a001010101010101010101010101010101",
        "0101010101010101010101010101010101a06b0176b74a6d6f17a2af2ff1fd4d2fc958c217bd426c842ddc",
        "f83ce250c45f53a071989258a3dd04e2d176f2d9f856ed34b62813b93b454c8a678121611255b6fb",
    ),
];

pub(crate) fn transaction() -> Vec<Vec<u8>> {
    TRANSACTIONS
        .iter()
        .map(|text| hex::decode(text).expect("the literals are hex"))
        .collect()
}

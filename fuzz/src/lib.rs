//! Every decoder of outside bytes as one function from bytes, and where its seeds come from.
//!
//! An entry function returns whether the bytes were accepted, and panics when the decoder breaks a
//! promise: no panic, no unbounded memory, and, where a format is canonical, no second byte form of
//! one value. The same functions run under libFuzzer (`targets/`) and, over mutated seeds and a
//! fixed count, as a test of this crate (`src/slice.rs`).

#![forbid(unsafe_code)]
#![allow(
    clippy::missing_panics_doc,
    reason = "an entry function panics exactly when the decoder breaks a promise, as said above"
)]

mod contracts;
mod mutate;
mod seeds;
#[cfg(test)]
mod slice;

use std::sync::Mutex;

use selfsame_chain::check_keystore;
use selfsame_compiler::float::FloatGraph;
use selfsame_compiler::image;
use selfsame_compiler::npz;
use selfsame_compiler::numbers::read_json;
use selfsame_compiler::onnx::OnnxModel;
use selfsame_devnet::{Chain, Config};
use selfsame_interpreter::TraceFile;
use selfsame_ir::{CheckedProgram, Interface, NodeLeaf, artefact as artefacts};
use selfsame_receipt as receipts;

pub use mutate::Mutator;

/// A decoder under test.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Name, the same as of the libFuzzer target.
    pub name: &'static str,
    /// The entry function: whether the bytes were accepted.
    pub run: fn(&[u8]) -> bool,
    /// Accepted inputs to start from.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Cases of the fixed slice.
    pub slice: u32,
}

/// Every target.
pub const TARGETS: &[Target] = &[
    Target {
        name: "onnx",
        run: onnx,
        seeds: seeds::onnx,
        slice: 20_000,
    },
    Target {
        name: "npz",
        run: npz,
        seeds: seeds::npz,
        slice: 20_000,
    },
    Target {
        name: "npy",
        run: npy,
        seeds: seeds::npy,
        slice: 100_000,
    },
    Target {
        name: "png",
        run: png,
        seeds: seeds::png,
        slice: 50_000,
    },
    Target {
        name: "numbers",
        run: numbers,
        seeds: seeds::numbers,
        slice: 100_000,
    },
    Target {
        name: "trace",
        run: trace,
        seeds: seeds::trace,
        slice: 100_000,
    },
    Target {
        name: "keystore",
        run: keystore,
        seeds: seeds::keystore,
        slice: 50_000,
    },
    Target {
        name: "artefact",
        run: artefact,
        seeds: seeds::artefact,
        slice: 50_000,
    },
    Target {
        name: "node_leaf",
        run: node_leaf,
        seeds: seeds::node_leaf,
        slice: 200_000,
    },
    Target {
        name: "interface",
        run: interface,
        seeds: seeds::interface,
        slice: 200_000,
    },
    Target {
        name: "receipt",
        run: receipt,
        seeds: seeds::receipt,
        slice: 50_000,
    },
    Target {
        name: "json_rpc",
        run: json_rpc,
        seeds: seeds::json_rpc,
        slice: 20_000,
    },
    Target {
        name: "transaction",
        run: transaction,
        seeds: seeds::transaction,
        slice: 20_000,
    },
    Target {
        name: "calldata",
        run: calldata,
        seeds: contracts::seeds,
        slice: 20_000,
    },
];

/// An ONNX file, and the float graph that the importer makes of it.
pub fn onnx(data: &[u8]) -> bool {
    OnnxModel::decode(data).is_ok_and(|model| FloatGraph::from_onnx(&model).is_ok())
}

/// A `.npz` archive.
pub fn npz(data: &[u8]) -> bool {
    let read = npz::read_npz(data);
    if let Ok(arrays) = &read {
        let shapes = npz::shapes(data).unwrap_or_default();
        assert!(
            arrays.iter().all(|(name, _)| shapes.contains_key(name)),
            "every array has a shape"
        );
    }
    read.is_ok()
}

/// A `.npy` array.
pub fn npy(data: &[u8]) -> bool {
    npz::read_npy(data).is_ok()
}

/// A picture; the samples of an accepted one fill its extents.
pub fn png(data: &[u8]) -> bool {
    let Ok(picture) = image::read_png(data) else {
        return false;
    };
    let samples = [picture.height, picture.width, picture.channels];
    let count: usize = samples.iter().map(|&extent| extent as usize).product();
    assert_eq!(
        picture.samples.len(),
        count,
        "samples do not fill the picture"
    );
    true
}

/// Numbers of an input in JSON.
pub fn numbers(data: &[u8]) -> bool {
    read_json(data).is_ok()
}

/// A trace file; an accepted one has no other byte form.
pub fn trace(data: &[u8]) -> bool {
    let Ok(file) = TraceFile::decode(data) else {
        return false;
    };
    assert!(file.encode() == data, "two byte forms of one trace");
    assert_eq!(file.trace.first_difference(&file.trace), None);
    true
}

/// A keystore file, up to the point where its password is tried.
pub fn keystore(data: &[u8]) -> bool {
    check_keystore(data).is_ok()
}

/// A program artefact; an accepted one has no other byte form.
pub fn artefact(data: &[u8]) -> bool {
    let Ok((program, commitment)) = artefacts::decode(data) else {
        return false;
    };
    assert!(
        artefacts::encode(&program, &commitment) == data,
        "two byte forms of one artefact"
    );
    let again = CheckedProgram::new(program.into_program());
    assert!(again.is_ok(), "an accepted program is not well formed");
    true
}

/// A node leaf; an accepted one has no other byte form.
pub fn node_leaf(data: &[u8]) -> bool {
    let Ok(leaf) = NodeLeaf::decode(data) else {
        return false;
    };
    assert_eq!(leaf.encode(), data, "two byte forms of one leaf");
    true
}

/// The interface section of a program; an accepted one has no other byte form.
pub fn interface(data: &[u8]) -> bool {
    let mut reader = selfsame_protocol::Reader::new(data);
    let Ok(interface) = Interface::decode(&mut reader) else {
        return false;
    };
    reader.finish().is_ok() && {
        assert_eq!(interface.encode(), data, "two byte forms of one interface");
        true
    }
}

/// A receipt: an accepted one survives writing and reading, and can be checked without facts.
pub fn receipt(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let Ok(receipt) = receipts::decode(text) else {
        return false;
    };
    let again = receipts::decode(&receipts::encode(&receipt));
    assert_eq!(again.as_ref(), Ok(&receipt), "a receipt changed on the way");
    let report = receipts::verify(&receipt, &receipts::Context::default());
    assert!(!report.checks.is_empty(), "a receipt without a check");
    true
}

/// A JSON-RPC body: every answer is empty or JSON.
pub fn json_rpc(data: &[u8]) -> bool {
    let chain = Mutex::new(Chain::new(Config::deterministic()));
    let answer = selfsame_devnet::respond(&chain, data);
    if answer.is_empty() {
        return true;
    }
    let value: serde_json::Value =
        serde_json::from_slice(&answer).expect("an answer that is not empty is JSON");
    value.get("error").is_none()
}

/// The bytes of a signed transaction, as the devnet takes them from the network.
pub fn transaction(data: &[u8]) -> bool {
    Chain::new(Config::deterministic()).send(data).is_ok()
}

/// A call of any contract of a deployed rules set: the first byte says which, the rest is calldata.
/// It may be refused by one of the contract's errors; a `Panic` or a halt is a bug.
pub fn calldata(data: &[u8]) -> bool {
    contracts::call(data)
}

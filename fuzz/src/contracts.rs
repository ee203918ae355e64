//! The whole rules set on a chain in memory, and calls with bytes of anybody's choosing.
//!
//! A contract may refuse a call with one of its own errors, or with nothing (the compiler's answer
//! to calldata that does not decode). A `Panic` (failed assertion, overflow, index out of range) or
//! a halt (invalid opcode, all gas burned in a loop) is a bug.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use alloy_primitives::{Address, hex};
use selfsame_devnet::{At, CallError, Chain, Config, Message, dev_address};
use selfsame_interpreter::run;
use selfsame_ir::{CheckedProgram, DimValues, Node, NodeLeaf, Op, Tensor};
use selfsame_protocol::keccak256;
use selfsame_receipt::rules::{ChainConstants, SetCode};
use serde_json::Value;

use crate::seeds;

/// Members of the set in the order of their index.
const CHILDREN: [&str; 10] = [
    "ModelRegistry",
    "ProviderRegistry",
    "Requests",
    "DisputeGame",
    "LinearLeaf",
    "PoolLeaf",
    "MoveLeaf",
    "PointwiseLeaf",
    "ProductLeaf",
    "RowLeaf",
];

/// Selector of `Panic(uint256)`.
const PANIC: [u8; 4] = [0x4e, 0x48, 0x7b, 0x71];

struct Deployed {
    chain: Chain,
    addresses: Vec<Address>,
}

/// Calls member `data[0] % 11` (10 is the set itself) with the rest as calldata and value; true when
/// the calldata decoded, whatever the contract then said.
pub(crate) fn call(data: &[u8]) -> bool {
    let Some((&member, data)) = data.split_first() else {
        return false;
    };
    let deployed = deployed();
    let member = usize::from(member) % deployed.addresses.len();
    let name = CHILDREN.get(member).copied().unwrap_or("RulesSet");
    let to = deployed.addresses[member];
    let message = Message::call(dev_address(0), to, data.to_vec());
    match deployed.chain.call(&message, At::Next) {
        Ok(_) => true,
        Err(CallError::Reverted { data: answer, .. }) => {
            let panicked = answer.starts_with(&PANIC);
            assert!(
                !panicked,
                "{name}: Panic {} on {}",
                hex::encode(&answer[4..]),
                hex::encode(data)
            );
            !answer.is_empty()
        }
        // A loop over a length of the caller's choosing may cost the caller all of its gas.
        Err(CallError::Halted { reason, .. }) => {
            assert!(
                reason.contains("OutOfGas"),
                "{name}: {reason} on {}",
                hex::encode(data)
            );
            false
        }
        Err(other) => panic!("{name}: the call did not run: {other}"),
    }
}

/// One call for each function of each member, its arguments zero and its arrays of length one.
/// Views of numbers alone are left out: they may overflow at whoever asks for 2^255 of something.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (member, name) in (0..).zip(CHILDREN.iter().chain(&["RulesSet"])) {
        let artifact = artifact(name);
        let functions = list(&artifact["abi"])
            .iter()
            .filter(|item| takes_outside_bytes(item));
        for item in functions {
            let types: Vec<String> = list(&item["inputs"]).iter().map(canonical_type).collect();
            let name = item["name"].as_str().unwrap_or_default();
            let signature = format!("{name}({})", types.join(","));
            let mut seed = vec![member];
            seed.extend(&keccak256(signature.as_bytes()).0[..4]);
            seed.extend(encode(list(&item["inputs"])));
            seeds.push(seed);
        }
    }
    seeds.extend(seeds::programs().iter().flat_map(evaluations));
    seeds
}

/// For each node its leaf contract's call on the first element, with the openings that it asks for:
/// tensors of the programs are one tile, or tables that are opened whole.
fn evaluations(program: &CheckedProgram) -> Vec<Vec<u8>> {
    let values = DimValues::maxima(&program.program().symbols);
    let input = program.output_of(0, &values).map(|(elements, dtype)| {
        let zeros = vec![0; usize::try_from(elements).expect("a small input")];
        Tensor::from_values(dtype, &zeros).expect("zero is of every type")
    });
    let trace = run(program, &values, input.expect("a program has an input"));
    let trace = trace.expect("the input fits");
    let commitment = program.commit();
    let of = |(node, leaf): (&Node, &NodeLeaf)| {
        let member = judge(&node.op)?;
        let inputs = node.inputs.iter().filter_map(|&i| trace.output(i));
        let own = node.op.tensors();
        let openings: Vec<Vec<u8>> = inputs.chain(&own).map(Tensor::to_bytes).collect();
        let mut seed = vec![member];
        let signature = b"evaluate(bytes,uint32[],uint64,(bytes,bytes32[])[])";
        seed.extend(&keccak256(signature).0[..4]);
        seed.extend(evaluation(&leaf.encode(), &values, &openings));
        Some(seed)
    };
    let nodes = program.nodes().iter().zip(&commitment.leaves);
    nodes.filter_map(of).collect()
}

/// Index of the leaf contract, but for operators that do not read all of their inputs.
fn judge(op: &Op) -> Option<u8> {
    match op {
        Op::MatMul(_) => Some(4),
        Op::Pointwise(_) => Some(7),
        Op::BatchMatMul(_) => Some(8),
        Op::Reduce(_) | Op::Normalize(_) | Op::Embedding(_) => Some(9),
        Op::Input(_)
        | Op::Conv(_)
        | Op::MaxPool(_)
        | Op::AvgPool(_)
        | Op::Move(_)
        | Op::Concat(_) => None,
    }
}

/// Arguments of `evaluate` for element 0, without siblings.
fn evaluation(leaf: &[u8], values: &DimValues, openings: &[Vec<u8>]) -> Vec<u8> {
    let mut dimensions = word(values.0.len() as u64);
    dimensions.extend(values.0.iter().flat_map(|&value| word(value.into())));
    let bodies = openings.iter().map(|tiles| {
        let tiles = bytes(tiles);
        let siblings = word(0);
        joined(&[tiles, siblings], &[])
    });
    let bodies: Vec<Vec<u8>> = bodies.collect();
    let mut shown = word(bodies.len() as u64);
    shown.extend(joined(&bodies, &[]));
    // The element stands between the offsets.
    joined(&[bytes(leaf), dimensions, shown], &[(2, word(0))])
}

/// Offsets and bodies of dynamic values; `fixed` are words of their own, by place in the head.
fn joined(bodies: &[Vec<u8>], fixed: &[(usize, Vec<u8>)]) -> Vec<u8> {
    let mut offset = 32 * (bodies.len() + fixed.len());
    let mut head = Vec::new();
    for body in bodies {
        head.push(word(offset as u64));
        offset += body.len();
    }
    for (place, word) in fixed {
        head.insert(*place, word.clone());
    }
    head.into_iter()
        .chain(bodies.iter().cloned())
        .flatten()
        .collect()
}

fn bytes(content: &[u8]) -> Vec<u8> {
    let mut body = word(content.len() as u64);
    body.extend(content);
    body.resize(body.len().next_multiple_of(32), 0);
    body
}

/// Functions that change state, and views that decode something.
fn takes_outside_bytes(item: &Value) -> bool {
    let view = item["stateMutability"] == "view" || item["stateMutability"] == "pure";
    let decodes = list(&item["inputs"])
        .iter()
        .any(|input| static_words(input).is_none());
    item["type"] == "function" && (!view || decodes)
}

fn deployed() -> &'static Deployed {
    static DEPLOYED: OnceLock<Deployed> = OnceLock::new();
    DEPLOYED.get_or_init(deploy)
}

fn deploy() -> Deployed {
    let children: Vec<Vec<u8>> = CHILDREN.iter().map(|name| bytecode(name)).collect();
    let code = SetCode {
        creation_code: bytecode("RulesSet"),
        child_hashes: children.iter().map(|code| keccak256(code)).collect(),
    };
    let constants = ChainConstants {
        censorship_seconds: 60,
        inclusion_seconds: 2,
        macs_per_second: 10_000_000,
        bytes_per_second: 1_000_000,
        unbonding_seconds: 3_600,
        bounty_wei: 1_000,
        challenge_bond_wei: 1_000,
        gas_price_floor_wei: 1,
        window_min_seconds: 60,
    };
    let mut chain = Chain::new(Config::deterministic());
    let mut run = |message: Message| {
        let applied = chain.apply(&message).expect("the set deploys");
        assert!(applied.success, "a deployment reverted");
        applied.contract
    };
    let create = Message::create(dev_address(0), code.init_code(&constants));
    let set = run(create).expect("a creation names its contract");
    for (index, child) in (0_u8..).zip(&children) {
        let mut data = keccak256(b"deploy(uint256,bytes)").0[..4].to_vec();
        data.extend(word(index.into()));
        data.extend(word(64));
        data.extend(word(child.len() as u64));
        data.extend(child);
        data.resize(data.len().next_multiple_of(32) + 4, 0);
        run(Message::call(dev_address(0), set, data));
    }
    let children = (1..=CHILDREN.len() as u64).map(|nonce| set.create(nonce));
    let addresses = children.chain([set]).collect();
    Deployed { chain, addresses }
}

fn artifact(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts/artifacts");
    let path = folder.join(format!("{name}.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn bytecode(name: &str) -> Vec<u8> {
    let artifact = artifact(name);
    let text = artifact["bytecode"]
        .as_str()
        .expect("an artifact has bytecode");
    hex::decode(text).expect("bytecode is hex")
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// `tuple` types spelled out, as selectors want them.
fn canonical_type(parameter: &Value) -> String {
    let name = parameter["type"].as_str().unwrap_or_default();
    let Some(suffix) = name.strip_prefix("tuple") else {
        return name.to_owned();
    };
    let inner: Vec<String> = list(&parameter["components"])
        .iter()
        .map(canonical_type)
        .collect();
    format!("({}){suffix}", inner.join(","))
}

/// ABI encoding of a list of parameters, every value zero, every array one long.
fn encode(parameters: &[Value]) -> Vec<u8> {
    let sizes = parameters.iter().map(|p| static_words(p).unwrap_or(1) * 32);
    let mut offset: usize = sizes.sum();
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    for parameter in parameters {
        if let Some(words) = static_words(parameter) {
            head.extend(vec![0; words * 32]);
        } else {
            head.extend(word(offset as u64));
            let body = dynamic(parameter);
            offset += body.len();
            tail.extend(body);
        }
    }
    head.extend(tail);
    head
}

/// Words of a type of fixed size; `None` for one that is stored behind an offset.
fn static_words(parameter: &Value) -> Option<usize> {
    let name = parameter["type"].as_str().unwrap_or_default();
    if let Some(element) = name.strip_suffix(']') {
        let (element, count) = element.rsplit_once('[')?;
        let count: usize = count.parse().ok()?;
        return Some(count * static_words(&with_type(parameter, element))?);
    }
    match name {
        "bytes" | "string" => None,
        "tuple" => list(&parameter["components"])
            .iter()
            .map(static_words)
            .sum(),
        _ => Some(1),
    }
}

fn dynamic(parameter: &Value) -> Vec<u8> {
    let name = parameter["type"].as_str().unwrap_or_default();
    if let Some((element, _)) = name
        .strip_suffix(']')
        .and_then(|name| name.rsplit_once('['))
    {
        let mut body = word(1);
        body.extend(encode(&[with_type(parameter, element)]));
        return body;
    }
    if name == "tuple" {
        return encode(list(&parameter["components"]));
    }
    let mut body = word(1);
    body.extend(word(0));
    body
}

fn with_type(parameter: &Value, name: &str) -> Value {
    let mut parameter = parameter.clone();
    parameter["type"] = Value::from(name);
    parameter
}

fn word(value: u64) -> Vec<u8> {
    let mut word = vec![0; 24];
    word.extend(value.to_be_bytes());
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A seed that is refused would start from the first check of a leaf contract.
    #[test]
    fn every_evaluation_with_honest_openings_is_answered() {
        let seeds: Vec<Vec<u8>> = seeds::programs().iter().flat_map(evaluations).collect();
        assert!(seeds.len() > 15, "{} seeds", seeds.len());
        for (index, seed) in seeds.iter().enumerate() {
            let to = deployed().addresses[usize::from(seed[0])];
            let message = Message::call(dev_address(0), to, seed[1..].to_vec());
            let answer = deployed().chain.call(&message, At::Next);
            assert!(answer.is_ok(), "seed {index}: {answer:?}");
        }
    }
}

//! The model registry against the Rust check: the same programs accepted, under the same id.
//!
//! Valid programs are spoiled byte by byte; [`reference_verdict`] says what `CheckedProgram` makes
//! of the result, [`Registry::verdict`] what the contract does.
//!
//! Spec: programs, page 1; claims, 3.4.

use alloy_primitives::{Address, B256, Bytes, keccak256};
use alloy_sol_types::{SolCall, SolValue, sol};
use selfsame_chain::Child;
use selfsame_commit::{Tree, root};
use selfsame_ir::{
    Activation, ChannelConstants, CheckedProgram, ColumnConstants, DType, DimValues, Embedding,
    FactorShift, Linear, NodeLeaf, Normalize, Notes, Op, Place, Pointwise, Program, ReduceKind,
    Spread, Symbol, Tensor, program_rules_id, resolve_names,
};
use selfsame_protocol::constants as c;
use selfsame_protocol::{Hash, Keccak, Reader, keccak256_tagged};

use super::Subject;
use super::evm::{Artifact, Evm, Refused};
use crate::generator::Rng;

sol! {
    struct Chain {
        uint64 censorshipSeconds;
        uint64 inclusionSeconds;
        uint64 macsPerSecond;
        uint64 bytesPerSecond;
        uint64 unbondingSeconds;
        uint128 bountyWei;
        uint128 challengeBondWei;
        uint128 gasPriceFloorWei;
        uint64 windowMinSeconds;
    }

    function deploy(uint256 index, bytes initCode) external returns (address);

    function register(bytes header, bytes[] nodeLeaves, string locator, uint8 availability)
        external returns (bytes32 modelId);
}

/// Elements of a tensor that the reference fills in at most; larger mutants have no reference verdict.
const FILLED_MAX: u64 = 1 << 22;

/// Whether a program is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Accepted under this model id.
    Accepted(Hash),
    /// Refused; the text says why.
    Refused(String),
    /// Too large for the reference to hold.
    Unknown,
}

/// The bytes that a registration posts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutation {
    /// Header bytes.
    pub header: Vec<u8>,
    /// Node leaves.
    pub leaves: Vec<Vec<u8>>,
}

impl Mutation {
    /// What an honest owner of `subject`'s program posts.
    pub fn none(subject: &Subject) -> Self {
        let leaves = subject
            .commitment
            .leaves
            .iter()
            .map(NodeLeaf::encode)
            .collect();
        Self {
            header: subject.commitment.header.clone(),
            leaves,
        }
    }
}

/// A registry of a real rules set.
#[derive(Debug)]
pub struct Registry {
    evm: Evm,
    address: Address,
}

impl Registry {
    /// Deploys the committed rules set and its first child.
    pub fn deploy() -> Result<Self, Refused> {
        let registry = Artifact::read("ModelRegistry").creation;
        let chain = Chain {
            censorshipSeconds: 1,
            inclusionSeconds: 1,
            macsPerSecond: 1,
            bytesPerSecond: 1,
            unbondingSeconds: 1,
            bountyWei: 1,
            challengeBondWei: 1,
            gasPriceFloorWei: 1,
            windowMinSeconds: 1,
        };
        // Only the first child is deployed here.
        let mut hashes = vec![B256::ZERO; Child::ALL.len()];
        hashes[0] = keccak256(&registry);
        let mut creation = Artifact::read("RulesSet").creation;
        creation.extend((chain, hashes).abi_encode_params());
        let mut evm = Evm::new();
        let set = evm.create(&creation)?;
        let call = deployCall {
            index: alloy_primitives::U256::ZERO,
            initCode: registry.into(),
        };
        let answer = evm.send(set, call.abi_encode())?;
        let address = deployCall::abi_decode_returns_validate(&answer)
            .map_err(|error| Refused::Halted(error.to_string()))?;
        Ok(Self { evm, address })
    }

    /// What the contract makes of the bytes. A refusal that is no error of the contracts (a panic, an
    /// empty revert, gas run out) is an error here.
    pub fn verdict(&mut self, posted: &Mutation) -> Result<Verdict, Refused> {
        let call = registerCall {
            header: posted.header.clone().into(),
            nodeLeaves: posted
                .leaves
                .iter()
                .map(|leaf| Bytes::from(leaf.clone()))
                .collect(),
            locator: "ipfs://model".to_owned(),
            availability: 1,
        };
        match self.evm.call(self.address, call.abi_encode()) {
            Ok((bytes, _)) => {
                let id = registerCall::abi_decode_returns_validate(&bytes)
                    .map_err(|error| Refused::Halted(error.to_string()))?;
                Ok(Verdict::Accepted(Hash(id.0)))
            }
            Err(Refused::Reverted(data)) if is_custom(&data) => {
                Ok(Verdict::Refused(alloy_primitives::hex::encode(data)))
            }
            Err(other) => Err(other),
        }
    }
}

/// Not `Panic(uint256)`, not `Error(string)`, not empty.
fn is_custom(data: &[u8]) -> bool {
    data.first_chunk::<4>().is_some_and(|selector| {
        *selector != [0x4e, 0x48, 0x7b, 0x71] && *selector != [0x08, 0xc3, 0x79, 0xa0]
    })
}

/// What page 1, as `CheckedProgram` checks it, makes of posted bytes.
pub fn reference_verdict(posted: &Mutation) -> Verdict {
    match reference(posted) {
        Ok(verdict) => verdict,
        Err(why) => Verdict::Refused(why),
    }
}

fn reference(posted: &Mutation) -> Result<Verdict, String> {
    let (nodes, output, symbols) = header(&posted.header)?;
    if nodes as usize != posted.leaves.len() {
        return Err(format!(
            "header counts {nodes} nodes, {} leaves",
            posted.leaves.len()
        ));
    }
    let leaves = posted.leaves.iter().map(|leaf| NodeLeaf::decode(leaf));
    let leaves = leaves
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| error.to_string())?;
    let Some(program) = filled(&leaves, output, symbols) else {
        return Ok(Verdict::Unknown);
    };
    let program = CheckedProgram::new(program).map_err(|error| error.to_string())?;
    for (index, leaf) in leaves.iter().enumerate() {
        let place = program
            .segments()
            .place(u32::try_from(index).unwrap_or(u32::MAX));
        if leaf.place != place {
            return Err(format!(
                "node {index}: at {:?}, is at {place:?}",
                leaf.place
            ));
        }
        if leaf.macs != program.running_macs(index) {
            return Err(format!(
                "node {index}: {} MACs, are {}",
                leaf.macs,
                program.running_macs(index)
            ));
        }
    }
    Ok(Verdict::Accepted(model_id(&posted.header, &leaves)))
}

/// 1.8: node count, output node and symbols.
fn header(bytes: &[u8]) -> Result<(u32, u32, Vec<Symbol>), String> {
    let mut reader = Reader::new(bytes);
    let mut parse = || {
        let version = reader.u16("version")?;
        let nodes = reader.u32("node count")?;
        let output = reader.u32("output node")?;
        let count = reader.u8("symbol count")?;
        let mut symbols = Vec::new();
        for _ in 0..count {
            symbols.push(Symbol {
                minimum: reader.u32("minimum")?,
                maximum: reader.u32("maximum")?,
            });
        }
        reader.hash("interface hash")?;
        reader.clone().finish()?;
        Ok::<_, selfsame_protocol::DecodeError>((version, nodes, output, symbols))
    };
    let (version, nodes, output, symbols) = parse().map_err(|error| error.to_string())?;
    if version != c::HEADER_VERSION {
        return Err(format!("header version {version}"));
    }
    Ok((nodes, output, symbols))
}

/// The program of the leaves, with harmless tensors of the right sizes; `None` if too large.
fn filled(leaves: &[NodeLeaf], output: u32, symbols: Vec<Symbol>) -> Option<Program> {
    let mut nodes = Vec::with_capacity(leaves.len());
    for leaf in leaves {
        let mut node = leaf.node.clone();
        // The weights of a linear node have no symbolic extents.
        let terms = node.op.terms(&DimValues::NONE);
        match &mut node.op {
            Op::MatMul(op) => fill(&mut op.linear, op.out_channels, terms)?,
            Op::Conv(op) => fill(&mut op.linear, op.out_channels, terms)?,
            Op::Pointwise(op) => fill_pointwise(op)?,
            Op::Normalize(op) => fill_normalize(op)?,
            Op::Embedding(op) => fill_embedding(op, node.dtype)?,
            Op::Input(_)
            | Op::MaxPool(_)
            | Op::AvgPool(_)
            | Op::Move(_)
            | Op::Concat(_)
            | Op::BatchMatMul(_)
            | Op::Reduce(_) => {}
        }
        nodes.push(node);
    }
    let interface = crate::generator::plain_interface();
    let places: Vec<Place> = leaves.iter().map(|leaf| leaf.place).collect();
    let interior = resolve_names(&mut nodes, &places);
    Some(Program {
        symbols,
        nodes,
        output,
        interior,
        interface,
        notes: Notes::default(),
    })
}

fn fill(linear: &mut Linear, out_channels: u32, terms: u64) -> Option<()> {
    let weights = u64::from(out_channels).saturating_mul(terms);
    if terms == 0 || terms > u64::from(c::TERMS_MAX) || weights > u64::from(c::ELEMENTS_MAX) {
        // Refused for that alone, whatever the tensors hold.
        return Some(());
    }
    if weights > FILLED_MAX {
        return None;
    }
    linear.weights = vec![0; usize::try_from(weights).ok()?].into();
    let constants = ChannelConstants {
        bias: 0,
        multiplier: 1,
        addend_multiplier: 0,
        shift: 1,
    };
    linear.constants = vec![constants; out_channels as usize];
    Some(())
}

fn fill_pointwise(op: &mut Pointwise) -> Option<()> {
    if let Some(y) = &mut op.second
        && let Some(constant) = &mut y.constant
    {
        if u64::from(constant.elements) > FILLED_MAX {
            return None;
        }
        let zeros = vec![0; constant.elements as usize];
        constant.values = Tensor::from_values(y.dtype, &zeros).ok()?;
    }
    match &mut op.activation {
        Some(Activation::Lookup(entries)) => *entries = vec![0; Activation::LOOKUP],
        Some(Activation::Interpolate(entries)) => *entries = vec![0; Activation::INTERPOLATE],
        Some(Activation::Exponential(entries)) => *entries = vec![0; Activation::EXPONENTIAL],
        Some(Activation::Reciprocal { .. } | Activation::ReciprocalRoot { .. }) | None => {}
    }
    Some(())
}

fn fill_normalize(op: &mut Normalize) -> Option<()> {
    let columns = u64::from(op.columns);
    if u64::from(c::ELEMENTS_MAX) < columns.saturating_mul(4) {
        // Refused for that alone.
        return Some(());
    }
    if FILLED_MAX < columns {
        return None;
    }
    let constants = ColumnConstants {
        bias: 0,
        multiplier: 0,
        shift: 1,
    };
    op.constants = vec![constants; op.columns as usize];
    Some(())
}

fn fill_embedding(op: &mut Embedding, dtype: DType) -> Option<()> {
    let elements = u64::from(op.entries).saturating_mul(u64::from(op.columns));
    if elements == 0 || u64::from(c::ELEMENTS_MAX) < elements {
        return Some(());
    }
    if FILLED_MAX < elements {
        return None;
    }
    let zeros = vec![0; usize::try_from(elements).ok()?];
    op.table = Tensor::from_values(dtype, &zeros).ok()?.into();
    Some(())
}

/// 1.14 over posted bytes.
fn model_id(header: &[u8], leaves: &[NodeLeaf]) -> Hash {
    let tensors: Vec<Hash> = leaves
        .iter()
        .flat_map(|leaf| leaf.tensor_roots.iter().copied())
        .collect();
    let mut keccak = Keccak::tagged(c::TAG_MODEL);
    keccak.update(&program_rules_id().0);
    keccak.update(&keccak256_tagged(c::TAG_HEADER, header).0);
    keccak.update(
        &Tree::new(leaves.iter().map(NodeLeaf::hash).collect())
            .root()
            .0,
    );
    keccak.update(&root(&tensors).0);
    keccak.finish()
}

/// Spoils what `subject`'s owner would post: one byte, one field, one leaf, or the header. Half of
/// the mutants that still parse get running MAC totals that fit them, so that not all fail there.
pub fn mutate(subject: &Subject, rng: &mut Rng) -> Mutation {
    let mut posted = Mutation::none(subject);
    let count = posted.leaves.len();
    let index = usize::try_from(rng.below(count as u64)).expect("below a length");
    match rng.below(16) {
        0 => change(&mut posted.header[..11], rng),
        1 if posted.header.len() > 43 => {
            let end = posted.header.len() - 32;
            change(&mut posted.header[11..end], rng);
        }
        2 => cut_or_extend(&mut posted.leaves[index], rng),
        3 => posted.leaves.swap(index, count - 1),
        4 => {
            let copy = posted.leaves[index].clone();
            posted.leaves.push(copy);
        }
        5 => change(&mut posted.leaves[index][..4], rng),
        6 if posted.leaves[index][2] > 0 => {
            let inputs = 4 * usize::from(posted.leaves[index][2]);
            change(&mut posted.leaves[index][20..20 + inputs], rng);
        }
        7 => reshape(&mut posted.leaves[index], rng),
        8 => change(&mut posted.leaves[index][12..20], rng),
        9 | 10 => toggle_interior(&mut posted, subject, index),
        _ => {
            let leaf = &mut posted.leaves[index];
            let start = 20 + 4 * usize::from(leaf[2]) + 32 * usize::from(leaf[3]);
            change(&mut leaf[start..], rng);
        }
    }
    if rng.chance(60) {
        fit_totals(&mut posted);
    }
    posted
}

/// One byte or one big-endian field becomes a neighbour, a limit, or anything.
fn change(bytes: &mut [u8], rng: &mut Rng) {
    let at = usize::try_from(rng.below(bytes.len() as u64)).expect("below a length");
    bytes[at] = match rng.below(6) {
        0 => bytes[at].wrapping_add(1),
        1 => bytes[at].wrapping_sub(1),
        2 => rng.pick(&[0, 1, 2, 3, 4, 5, 6, 7, 8]),
        3 => rng.pick(&[0x7f, 0x80, 0x81, 0xff, 0x10, 0x40]),
        4 => bytes[at] ^ (1 << rng.below(8)),
        _ => rng.next().to_be_bytes()[0],
    };
}

/// Changes together what belongs together: an input of a concatenation with its columns, the spread
/// of an operand with the elements of its constant, a row factor or center with its input, two
/// extents with each other.
fn reshape(bytes: &mut Vec<u8>, rng: &mut Rng) {
    let Ok(mut leaf) = NodeLeaf::decode(bytes) else {
        return;
    };
    match &mut leaf.node.op {
        Op::Concat(op) => {
            let inputs = &mut leaf.node.inputs;
            if rng.chance(50) {
                inputs.pop();
                op.columns.pop();
            } else {
                inputs.extend(inputs.last().copied());
                op.columns.extend(op.columns.last().copied());
            }
        }
        Op::Pointwise(op) => {
            let extent = |dim: selfsame_ir::Dim| dim.constant().unwrap_or(1);
            let (rows, columns) = (extent(op.rows), extent(op.columns));
            if let Some(y) = &mut op.second {
                let spreads = [Spread::Full, Spread::Column, Spread::Row, Spread::One];
                y.spread = rng.pick(&spreads);
                if let Some(constant) = &mut y.constant {
                    let [down, across] = y.spread.shape(rows, columns);
                    constant.elements = down.saturating_mul(across);
                }
            }
        }
        Op::MatMul(op) => toggle(&mut op.factor, &mut leaf.node.inputs, rng),
        Op::BatchMatMul(op) => match rng.below(3) {
            0 => toggle(&mut op.factor, &mut leaf.node.inputs, rng),
            1 => std::mem::swap(&mut op.rows, &mut op.columns),
            _ => (op.group, op.batch) = (op.batch, op.group),
        },
        Op::Reduce(op) => match rng.below(2) {
            0 => std::mem::swap(&mut op.rows, &mut op.columns),
            _ => op.kind = rng.pick(&ReduceKind::ALL),
        },
        Op::Normalize(op) => {
            let flag = if rng.chance(50) {
                &mut op.center
            } else {
                &mut op.factor
            };
            *flag = !*flag;
            if *flag {
                leaf.node.inputs.extend(leaf.node.inputs.last().copied());
            } else {
                leaf.node.inputs.pop();
            }
        }
        Op::Embedding(op) => (op.entries, op.columns) = (op.columns, op.entries),
        Op::Input(_) | Op::Conv(_) | Op::MaxPool(_) | Op::AvgPool(_) | Op::Move(_) => {
            return change(bytes, rng);
        }
    }
    *bytes = leaf.encode();
}

/// Takes a row factor away, or adds one that reads what the last input reads.
fn toggle(factor: &mut Option<FactorShift>, inputs: &mut Vec<u32>, rng: &mut Rng) {
    if factor.take().is_some() {
        inputs.pop();
    } else {
        *factor = Some(FactorShift(rng.pick(&[1, 15, 46, 47])));
        inputs.extend(inputs.last().copied());
    }
}

/// Makes a node interior, or no longer: with all places and names that follow from it if the program may
/// be cut so, else in its own leaf alone.
fn toggle_interior(posted: &mut Mutation, subject: &Subject, index: usize) {
    let mut program = subject.program.program().clone();
    let node = u32::try_from(index).expect("few nodes");
    match program.interior.binary_search(&node) {
        Ok(at) => drop(program.interior.remove(at)),
        Err(at) => program.interior.insert(at, node),
    }
    match CheckedProgram::new(program) {
        Ok(program) => {
            let leaves = program.commit().leaves;
            posted.leaves = leaves.iter().map(NodeLeaf::encode).collect();
        }
        Err(_) => posted.leaves[index][16] ^= 0x80,
    }
}

fn cut_or_extend(leaf: &mut Vec<u8>, rng: &mut Rng) {
    if rng.chance(50) {
        let keep = usize::try_from(rng.below(leaf.len() as u64)).expect("below a length");
        leaf.truncate(keep);
    } else {
        leaf.push(0);
    }
}

fn fit_totals(posted: &mut Mutation) {
    let leaves: Result<Vec<_>, _> = posted
        .leaves
        .iter()
        .map(|leaf| NodeLeaf::decode(leaf))
        .collect();
    let (Ok(mut leaves), Ok((_, output, symbols))) = (leaves, header(&posted.header)) else {
        return;
    };
    let program = filled(&leaves, output, symbols).map(CheckedProgram::new);
    let Some(Ok(program)) = program else { return };
    for (index, leaf) in leaves.iter_mut().enumerate() {
        leaf.macs = program.running_macs(index);
        posted.leaves[index] = leaf.encode();
    }
}

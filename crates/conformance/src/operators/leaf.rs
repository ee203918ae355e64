//! The leaf contracts, called element by element with openings made from the trace.
//!
//! Spec: game, 4.8.

use std::collections::BTreeSet;

use alloy_primitives::{Address, B256, I256};
use alloy_sol_types::{SolCall, sol};
use selfsame_dispute::{Opening, reads};
use selfsame_ir::{DType, Op, Tensor};
use selfsame_protocol::Hash;

use super::evm::{Artifact, Evm, Refused};
use super::{Difference, Implementation, Subject};
use crate::generator::Rng;

sol! {
    #[derive(Debug)]
    struct Shown {
        bytes tiles;
        bytes32[] siblings;
    }

    function evaluate(bytes nodeLeaf, uint32[] dimensions, uint64 element, Shown[] openings)
        external view returns (int256 value, bytes32[] roots);
}

/// Elements of each node that are looked at, beside its first and last.
const RANDOM_PICKS: u64 = 4;

/// The leaf contracts in one EVM.
#[derive(Debug)]
pub struct LeafContracts {
    evm: Evm,
    linear: Address,
    pool: Address,
    moves: Address,
    pointwise: Address,
    product: Address,
    row: Address,
    /// Most gas of one evaluation so far, with the bytes of its calldata.
    pub worst_gas: (u64, usize),
}

impl LeafContracts {
    /// Deploys the committed bytecode.
    pub fn deploy() -> Result<Self, Refused> {
        let mut evm = Evm::new();
        let linear = evm.create(&Artifact::read("LinearLeaf").creation)?;
        let pool = evm.create(&Artifact::read("PoolLeaf").creation)?;
        let moves = evm.create(&Artifact::read("MoveLeaf").creation)?;
        let pointwise = evm.create(&Artifact::read("PointwiseLeaf").creation)?;
        let product = evm.create(&Artifact::read("ProductLeaf").creation)?;
        let row = evm.create(&Artifact::read("RowLeaf").creation)?;
        Ok(Self {
            evm,
            linear,
            pool,
            moves,
            pointwise,
            product,
            row,
            worst_gas: (0, 0),
        })
    }

    fn contract(&self, op: &Op) -> Address {
        match op {
            Op::MatMul(_) | Op::Conv(_) => self.linear,
            Op::MaxPool(_) | Op::AvgPool(_) => self.pool,
            Op::Move(_) | Op::Concat(_) | Op::Input(_) => self.moves,
            Op::Pointwise(_) => self.pointwise,
            Op::BatchMatMul(_) => self.product,
            Op::Reduce(_) | Op::Normalize(_) | Op::Embedding(_) => self.row,
        }
    }

    /// The contract's value of one element, and the roots of its openings.
    pub fn evaluate(
        &mut self,
        subject: &Subject,
        node: u32,
        element: u64,
        openings: &[Opening],
    ) -> Result<(I256, Vec<Hash>), Refused> {
        let at = subject.program.node(node).expect("a node of the program");
        let call = evaluateCall {
            nodeLeaf: subject.commitment.leaves[node as usize].encode().into(),
            dimensions: subject.values.0.clone(),
            element,
            openings: openings.iter().map(shown).collect(),
        };
        let data = call.abi_encode();
        let size = data.len();
        let (bytes, gas) = self.evm.call(self.contract(&at.op), data)?;
        if gas > self.worst_gas.0 {
            self.worst_gas = (gas, size);
        }
        let answer = evaluateCall::abi_decode_returns_validate(&bytes)
            .map_err(|error| Refused::Halted(format!("answer: {error}")))?;
        Ok((
            answer.value,
            answer.roots.iter().map(|root| Hash(root.0)).collect(),
        ))
    }

    fn compare_element(
        &mut self,
        subject: &Subject,
        node: u32,
        element: u64,
    ) -> Result<(), (String, String)> {
        let (openings, expected_roots) = open(subject, node, element);
        let index = usize::try_from(element).expect("an element of a tensor in memory");
        let value = subject
            .trace
            .output(node)
            .and_then(|output| output.get(index))
            .expect("an element");
        let expected = (I256::try_from(value).expect("an i32"), expected_roots);
        match self.evaluate(subject, node, element, &openings) {
            Ok(actual) if actual == expected => Ok(()),
            Ok(actual) => Err((format!("{expected:?}"), format!("{actual:?}"))),
            Err(refused) => Err((format!("{expected:?}"), format!("{refused:?}"))),
        }
    }
}

impl Implementation for LeafContracts {
    fn name(&self) -> String {
        "leaf contract".to_owned()
    }

    fn compare(&mut self, subject: &Subject) -> Result<u64, Difference> {
        let mut compared = 0;
        for node in 1..u32::try_from(subject.program.nodes().len()).expect("at most NODES_MAX") {
            for element in picks(subject, node) {
                self.compare_element(subject, node, element)
                    .map_err(|(expected, actual)| Difference {
                        implementation: self.name(),
                        node,
                        element: Some(element),
                        expected,
                        actual,
                    })?;
                compared += 1;
            }
        }
        Ok(compared)
    }
}

/// The openings of one element, and the roots that they must lead to (zero where nothing is read).
pub fn open(subject: &Subject, node: u32, element: u64) -> (Vec<Opening>, Vec<Hash>) {
    let at = subject.program.node(node).expect("a node of the program");
    let source = at
        .inputs
        .first()
        .and_then(|&input| subject.trace.output(input));
    let dtype = source.map_or(DType::I8, Tensor::dtype);
    let first = |at| {
        let at = usize::try_from(at).ok();
        at.and_then(|at| source?.get(at)).unwrap_or(0)
    };
    let reads = reads(&at.op, dtype, &subject.values, element, &first);
    let reads = reads.expect("a checked program has shapes");
    let inputs = at
        .inputs
        .iter()
        .filter_map(|&input| subject.trace.output(input))
        .map(Tensor::to_bytes);
    let tensors = at.op.tensors().into_iter().map(|tensor| tensor.to_bytes());
    let opened = reads.slots.iter().zip(inputs.chain(tensors));
    let openings = opened
        .map(|(slot, bytes)| Opening::new(&bytes, slot))
        .collect();
    let input_roots = at.inputs.iter().map(|&input| subject.roots[input as usize]);
    let tensor_roots = subject.commitment.leaves[node as usize]
        .tensor_roots
        .iter()
        .copied();
    let roots = input_roots.chain(tensor_roots).zip(&reads.slots);
    let roots = roots
        .map(|(root, slot)| {
            if slot.tiles.is_empty() {
                Hash::ZERO
            } else {
                root
            }
        })
        .collect();
    (openings, roots)
}

fn shown(opening: &Opening) -> Shown {
    Shown {
        tiles: opening.tiles.clone().into(),
        siblings: opening
            .siblings
            .iter()
            .map(|hash| B256::from(hash.0))
            .collect(),
    }
}

/// The elements of a node that are looked at: first, last, ends of the first and last row and
/// column, the middle, the first ones that sit at a clamp, and random ones.
pub fn picks(subject: &Subject, node: u32) -> BTreeSet<u64> {
    let shape = subject.program.nodes()[node as usize]
        .op
        .output_shape(&subject.values);
    let shape = shape.expect("a checked program has shapes");
    let count: u64 = shape.iter().map(|&extent| u64::from(extent)).product();
    let inner: u64 = shape
        .iter()
        .skip(1)
        .map(|&extent| u64::from(extent))
        .product();
    let mut picks = BTreeSet::from([0, count - 1, count / 2, inner - 1, count - inner]);
    let output = subject
        .trace
        .output(node)
        .expect("every node has an output");
    let extremes = [output.iter().min(), output.iter().max()];
    let sought = extremes
        .into_iter()
        .filter_map(|value| output.iter().position(|other| Some(other) == value));
    picks.extend(sought.map(|index| index as u64));
    let mut rng = Rng::new(subject.seed, u64::from(node));
    picks.extend((0..RANDOM_PICKS).map(|_| rng.below(count)));
    picks
}

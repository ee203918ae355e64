//! Node leaves: the bytes of a node that the model id commits to and that contracts read.
//!
//! Spec: programs, 1.9, 1.10 and 1.22.

use alloc::boxed::Box;
use alloc::vec::Vec;

use selfsame_protocol::constants as c;
use selfsame_protocol::{DecodeError, Hash, Reader, Writer, keccak256_tagged};

use crate::dim::Dim;
use crate::ops::linear::Tail;
use crate::ops::{
    AvgPool, BatchMatMul, Concat, Conv, Embedding, FactorShift, InputSpec, Linear, MatMul, MaxPool,
    Move, Normalize, Op, Pointwise, Reduce, Window, decode_dtype,
};
use crate::program::Node;
use crate::segments::{Place, Segments};
use crate::tensor::DType;

/// A node leaf. Its operator is a skeleton: tensors are roots here, so weights and constants are
/// empty and a table, where there is one, is all zero.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeLeaf {
    /// The node without its tensors; its inputs are names ([`Place::name`]).
    pub node: Node,
    /// Where it stands.
    pub place: Place,
    /// Roots of weights, constants and table.
    pub tensor_roots: Vec<Hash>,
    /// MACs of the program up to and including this node, at the symbols' maxima.
    pub macs: u64,
}

/// Why bytes are no node leaf.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeafError {
    /// The bytes do not parse.
    #[error("node leaf: {0}")]
    Decode(#[from] DecodeError),
    /// The operator takes another number of inputs.
    #[error("node leaf: operator {op} with {found} inputs, takes {expected}")]
    Inputs {
        /// Operator.
        op: &'static str,
        /// Inputs found.
        found: usize,
        /// Inputs that it takes.
        expected: usize,
    },
    /// The operator has another number of tensors.
    #[error("node leaf: operator {op} with {found} tensors, has {expected}")]
    Tensors {
        /// Operator.
        op: &'static str,
        /// Tensors found.
        found: usize,
        /// Tensors that it has.
        expected: usize,
    },
}

impl NodeLeaf {
    /// The leaf of node `index`, which is `node`, given the roots of its tensors and the running MAC total.
    pub fn new(
        node: &Node,
        index: u32,
        segments: &Segments,
        tensor_roots: Vec<Hash>,
        macs: u64,
    ) -> Self {
        let op = match &node.op {
            Op::MatMul(op) => Op::MatMul(MatMul {
                linear: skeleton(op.linear.tail()),
                ..*op
            }),
            Op::Conv(op) => Op::Conv(Conv {
                linear: skeleton(op.linear.tail()),
                ..*op
            }),
            Op::Pointwise(op) => Op::Pointwise(op.skeleton()),
            Op::Normalize(op) => Op::Normalize(op.skeleton()),
            Op::Embedding(op) => Op::Embedding(op.skeleton()),
            Op::Input(_)
            | Op::MaxPool(_)
            | Op::AvgPool(_)
            | Op::Move(_)
            | Op::Concat(_)
            | Op::BatchMatMul(_)
            | Op::Reduce(_) => node.op.clone(),
        };
        Self {
            node: Node {
                op,
                inputs: node
                    .inputs
                    .iter()
                    .map(|&input| segments.place(input).name())
                    .collect(),
                dtype: node.dtype,
            },
            place: segments.place(index),
            tensor_roots,
            macs,
        }
    }

    /// The canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer
            .u8(self.node.op.code())
            .u8(self.node.dtype.code())
            .u8(count(self.node.inputs.len()))
            .u8(count(self.tensor_roots.len()))
            .u64(self.macs)
            .u32(self.place.segment)
            .u32(self.place.code());
        self.node.inputs.iter().for_each(|&input| {
            writer.u32(input);
        });
        self.tensor_roots.iter().for_each(|root| {
            writer.hash(root);
        });
        encode_parameters(&self.node.op, &mut writer);
        writer.into_bytes()
    }

    /// Parses canonical bytes; anything else is refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, LeafError> {
        let mut reader = Reader::new(bytes);
        let code = reader.u8("operator")?;
        let dtype_code = reader.u8("element type")?;
        let dtype = DType::from_code(dtype_code).ok_or_else(|| {
            reader.invalid(
                "element type",
                u64::from(dtype_code),
                "1 (i8), 2 (i16), 3 (i32)",
            )
        })?;
        let input_count = reader.u8("input count")?;
        let tensor_count = reader.u8("tensor count")?;
        let macs = reader.u64("running MAC total")?;
        let segment = reader.u32("segment")?;
        let place = Place::from_codes(segment, reader.u32("place")?);
        let inputs = (0..input_count)
            .map(|_| reader.u32("input"))
            .collect::<Result<Vec<_>, _>>()?;
        let tensor_roots = (0..tensor_count)
            .map(|_| reader.hash("tensor root"))
            .collect::<Result<Vec<_>, _>>()?;
        let op = decode_parameters(code, &mut reader)?;
        reader.finish()?;
        let expected = op.input_count();
        if inputs.len() != expected {
            return Err(LeafError::Inputs {
                op: op.name(),
                found: inputs.len(),
                expected,
            });
        }
        let expected = op.tensor_count();
        if tensor_roots.len() != expected {
            return Err(LeafError::Tensors {
                op: op.name(),
                found: tensor_roots.len(),
                expected,
            });
        }
        Ok(Self {
            node: Node { op, inputs, dtype },
            place,
            tensor_roots,
            macs,
        })
    }

    /// keccak256(0x03, bytes).
    pub fn hash(&self) -> Hash {
        keccak256_tagged(c::TAG_NODE_LEAF, &self.encode())
    }
}

fn count(len: usize) -> u8 {
    u8::try_from(len).unwrap_or(u8::MAX)
}

fn skeleton(tail: Tail) -> Linear {
    Linear {
        weights: Vec::new().into(),
        constants: Vec::new(),
        addend: tail.addend,
        low: tail.low,
        high: tail.high,
        table: tail.table.then(|| Box::new([0; 256])),
    }
}

fn encode_parameters(op: &Op, writer: &mut Writer) {
    match op {
        Op::Input(op) => op.encode(writer),
        Op::MatMul(op) => {
            op.rows.encode(writer);
            writer
                .u32(op.row_elements)
                .u32(op.k_offset)
                .u32(op.k_len)
                .u32(op.out_channels)
                .u8(op.dtype.code());
            FactorShift::encode(op.factor, writer);
            op.linear.tail().encode(writer);
        }
        Op::Conv(op) => {
            op.height.encode(writer);
            op.width.encode(writer);
            writer.u32(op.channels).u32(op.out_channels).u32(op.groups);
            op.window.encode(writer);
            writer.u8(op.dtype.code());
            op.linear.tail().encode(writer);
        }
        Op::MaxPool(op) => encode_pool(op.height, op.width, op.channels, &op.window, writer),
        Op::AvgPool(op) => {
            encode_pool(op.height, op.width, op.channels, &op.window, writer);
            writer
                .u16(op.multiplier)
                .u8(op.shift)
                .i32(op.low)
                .i32(op.high);
        }
        Op::Move(op) => op.encode(writer),
        Op::Concat(op) => op.encode(writer),
        Op::Pointwise(op) => op.encode(writer),
        Op::BatchMatMul(op) => op.encode(writer),
        Op::Reduce(op) => op.encode(writer),
        Op::Normalize(op) => op.encode(writer),
        Op::Embedding(op) => op.encode(writer),
    }
}

fn encode_pool(height: Dim, width: Dim, channels: u32, window: &Window, writer: &mut Writer) {
    height.encode(writer);
    width.encode(writer);
    writer.u32(channels);
    window.encode(writer);
}

fn decode_parameters(code: u8, reader: &mut Reader<'_>) -> Result<Op, DecodeError> {
    Ok(match code {
        c::OP_INPUT => Op::Input(InputSpec::decode(reader)?),
        c::OP_MATMUL => Op::MatMul(MatMul {
            rows: Dim::decode(reader)?,
            row_elements: reader.u32("row elements")?,
            k_offset: reader.u32("k offset")?,
            k_len: reader.u32("k length")?,
            out_channels: reader.u32("output channels")?,
            dtype: decode_dtype(reader)?,
            factor: FactorShift::decode(reader)?,
            linear: skeleton(Tail::decode(reader)?),
        }),
        c::OP_CONV => Op::Conv(Conv {
            height: Dim::decode(reader)?,
            width: Dim::decode(reader)?,
            channels: reader.u32("channels")?,
            out_channels: reader.u32("output channels")?,
            groups: reader.u32("groups")?,
            window: Window::decode(reader)?,
            dtype: decode_dtype(reader)?,
            linear: skeleton(Tail::decode(reader)?),
        }),
        c::OP_MAX_POOL => Op::MaxPool(MaxPool {
            height: Dim::decode(reader)?,
            width: Dim::decode(reader)?,
            channels: reader.u32("channels")?,
            window: Window::decode(reader)?,
        }),
        c::OP_AVG_POOL => Op::AvgPool(AvgPool {
            height: Dim::decode(reader)?,
            width: Dim::decode(reader)?,
            channels: reader.u32("channels")?,
            window: Window::decode(reader)?,
            multiplier: reader.u16("multiplier")?,
            shift: reader.u8("shift")?,
            low: reader.i32("clamp low")?,
            high: reader.i32("clamp high")?,
        }),
        c::OP_MOVE => Op::Move(Move::decode(reader)?),
        c::OP_CONCAT => Op::Concat(Concat::decode(reader)?),
        c::OP_POINTWISE => Op::Pointwise(Pointwise::decode(reader)?),
        c::OP_BATCH_MATMUL => Op::BatchMatMul(BatchMatMul::decode(reader)?),
        c::OP_REDUCE => Op::Reduce(Reduce::decode(reader)?),
        c::OP_NORMALIZE => Op::Normalize(Normalize::decode(reader)?),
        c::OP_EMBEDDING => Op::Embedding(Embedding::decode(reader)?),
        unknown => {
            return Err(reader.invalid("operator", u64::from(unknown), "an operator code 0 to 11"));
        }
    })
}

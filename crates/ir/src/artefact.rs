//! The file form of a program: `SELFSAME`, version, model id, header, interface, leaves, names, tensors.
//!
//! Decoding refuses every non-canonical form, never allocates on the word of a length field
//! alone, and compares each tensor's root with its leaf's, so a flipped byte is named with the
//! node that it belongs to.
//!
//! Spec: interface, 6.7.

use alloc::string::String;
use alloc::vec::Vec;

use selfsame_commit::{root, tile_hashes};
use selfsame_protocol::constants as c;
use selfsame_protocol::{DecodeError, Hash, Reader, Writer};

use crate::check::{CheckedProgram, ProgramError};
use crate::dim::{DimValues, Symbol};
use crate::header::ModelCommitment;
use crate::interface::Interface;
use crate::leaf::{LeafError, NodeLeaf};
use crate::ops::{Activation, Linear, Op, Pointwise, SharedMemory, Weights};
use crate::program::{Node, Notes, Program};
use crate::segments::{Place, resolve_names};
use crate::tensor::{DType, Tensor};

const MAGIC: [u8; 8] = *b"SELFSAME";
const VERSION: u16 = 2;

/// Why bytes are no artefact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArtefactError {
    /// The bytes do not parse.
    #[error("artefact: {0}")]
    Decode(#[from] DecodeError),
    /// A node leaf does not parse.
    #[error("artefact, node {node}: {error}")]
    Leaf {
        /// The node.
        node: u32,
        /// Why.
        error: LeafError,
    },
    /// The program is not well formed.
    #[error("artefact: {0}")]
    Program(#[from] ProgramError),
    /// A leaf or header says something else than the program gives.
    #[error(
        "artefact, node {node}: {field} differs from what the program gives; the file is damaged or forged"
    )]
    Mismatch {
        /// The node; the node count for the header.
        node: u32,
        /// What differs.
        field: &'static str,
    },
    /// The content has another model id than the file says.
    #[error(
        "artefact: the content's model id is {found}, the file says {expected}; it is damaged or forged"
    )]
    ModelId {
        /// Id of the content.
        found: Hash,
        /// Id in the file.
        expected: Hash,
    },
    /// The header names another interface than the one that follows.
    #[error("artefact: interface hash is {found}, the header says {expected}")]
    InterfaceHash {
        /// Hash of the section.
        found: Hash,
        /// Hash in the header.
        expected: Hash,
    },
}

/// Writes a program with its commitment (made by [`CheckedProgram::commit`]).
pub fn encode(program: &CheckedProgram, commitment: &ModelCommitment) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.raw(&MAGIC).u16(VERSION).hash(&commitment.model_id);
    section(&mut writer, &commitment.header);
    section(&mut writer, &program.program().interface.encode());
    for leaf in &commitment.leaves {
        section(&mut writer, &leaf.encode());
    }
    let notes = &program.program().notes;
    section(&mut writer, notes.name.as_bytes());
    for index in 0..commitment.leaves.len() {
        section(
            &mut writer,
            notes.nodes.get(index).map_or(&[], |name| name.as_bytes()),
        );
    }
    for node in program.nodes() {
        for tensor in node.op.tensors() {
            writer.raw(&tensor.to_bytes());
        }
    }
    writer.into_bytes()
}

/// Reads a program, checks it whole, and gives its commitment.
pub fn decode(bytes: &[u8]) -> Result<(CheckedProgram, ModelCommitment), ArtefactError> {
    let file = Parsed::read(bytes)?;
    let program = file.program()?;
    let (tensors, ends) = file.tensors();
    file.commit(program, &tensor_roots(tensors, ends))
}

/// Roots of tensors that lie behind one another, each up to its end.
pub fn tensor_roots(bytes: &[u8], ends: &[usize]) -> Vec<Hash> {
    let mut start = 0;
    let tensor = |&end: &usize| {
        let tensor = bytes.get(start..end).unwrap_or_default();
        start = end;
        root(&tile_hashes(tensor))
    };
    ends.iter().map(tensor).collect()
}

/// A file cut into its parts, nothing checked yet: an engine hashes the tensors on many lanes while
/// the program is read and checked. [`decode`] is the meaning of doing both.
#[derive(Debug)]
pub struct Parsed<'a> {
    model_id: Hash,
    frame: Frame,
    interface: Interface,
    leaves: Vec<NodeLeaf>,
    notes: Notes,
    /// The whole file.
    file: &'a [u8],
    tensors: &'a [u8],
    ends: Vec<usize>,
}

impl<'a> Parsed<'a> {
    /// Cuts `bytes`; copies no tensor.
    pub fn read(bytes: &'a [u8]) -> Result<Self, ArtefactError> {
        let mut reader = Reader::new(bytes);
        let magic: [u8; 8] = reader.array("magic")?;
        let version = reader.u16("artefact version")?;
        if magic != MAGIC || version != VERSION {
            return Err(reader
                .invalid(
                    "artefact",
                    u64::from(version),
                    "SELFSAME, version 2; import the model again",
                )
                .into());
        }
        let model_id = reader.hash("model id")?;
        let header = read_section(&mut reader, "header")?;
        let frame = Frame::decode(header)?;
        let interface = decode_interface(read_section(&mut reader, "interface")?, &frame)?;
        let mut leaves = Vec::new();
        for node in 0..frame.node_count {
            let leaf = NodeLeaf::decode(read_section(&mut reader, "node leaf")?);
            leaves.push(leaf.map_err(|error| ArtefactError::Leaf { node, error })?);
        }
        let name = read_text(&mut reader)?;
        let nodes = (0..frame.node_count)
            .map(|_| read_text(&mut reader))
            .collect::<Result<_, _>>()?;
        let tensors = bytes.get(reader.offset()..).unwrap_or_default();
        let mut places = Tensors {
            first: reader.offset(),
            reader,
            ends: Some(Vec::new()),
            memory: None,
        };
        for leaf in &leaves {
            read_node(leaf, &mut places)?;
        }
        let Tensors { reader, ends, .. } = places;
        reader.finish()?;
        Ok(Self {
            model_id,
            frame,
            interface,
            leaves,
            notes: Notes { name, nodes },
            file: bytes,
            tensors,
            ends: ends.unwrap_or_default(),
        })
    }

    /// The bytes of all tensors, and one past the last of each.
    pub fn tensors(&self) -> (&'a [u8], &[usize]) {
        (self.tensors, &self.ends)
    }

    /// Reads the tensors and checks the program whole.
    pub fn program(&self) -> Result<CheckedProgram, ArtefactError> {
        self.program_of(None)
    }

    /// The same. If `memory` is what was cut, at the same address, the weights stay there: they are what
    /// was hashed, and no copy of them is made.
    pub fn program_in(&self, memory: &SharedMemory) -> Result<CheckedProgram, ArtefactError> {
        let whole: &[i8] = (**memory).as_ref();
        let is_file = whole.len() == self.file.len()
            && core::ptr::eq(whole.as_ptr().cast::<u8>(), self.file.as_ptr());
        self.program_of(is_file.then_some(memory))
    }

    fn program_of(&self, memory: Option<&SharedMemory>) -> Result<CheckedProgram, ArtefactError> {
        let mut tensors = Tensors {
            reader: Reader::new(self.tensors),
            first: self.file.len() - self.tensors.len(),
            ends: None,
            memory,
        };
        let mut nodes = self
            .leaves
            .iter()
            .map(|leaf| read_node(leaf, &mut tensors))
            .collect::<Result<Vec<_>, _>>()?;
        let places: Vec<Place> = self.leaves.iter().map(|leaf| leaf.place).collect();
        let interior = resolve_names(&mut nodes, &places);
        Ok(CheckedProgram::new(Program {
            symbols: self.frame.symbols.clone(),
            nodes,
            output: self.frame.output,
            interior,
            interface: self.interface.clone(),
            notes: self.notes.clone(),
        })?)
    }

    /// Compares what `program` and the `roots` of its tensors give with what the file says.
    pub fn commit(
        &self,
        program: CheckedProgram,
        roots: &[Hash],
    ) -> Result<(CheckedProgram, ModelCommitment), ArtefactError> {
        let commitment = program.commit_with(roots);
        for (node, (found, expected)) in (0..).zip(self.leaves.iter().zip(&commitment.leaves)) {
            if found != expected {
                let field = if found.tensor_roots != expected.tensor_roots {
                    "tensor root"
                } else if found.place != expected.place {
                    "place"
                } else {
                    "MAC total"
                };
                return Err(ArtefactError::Mismatch { node, field });
            }
        }
        let (found, expected) = (commitment.model_id, self.model_id);
        if found != expected {
            return Err(ArtefactError::ModelId { found, expected });
        }
        Ok((program, commitment))
    }
}

#[derive(Debug)]
struct Frame {
    node_count: u32,
    output: u32,
    symbols: Vec<Symbol>,
    interface: Hash,
}

impl Frame {
    fn decode(header: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(header);
        let version = reader.u16("header version")?;
        if version != c::HEADER_VERSION {
            return Err(reader.invalid("header version", u64::from(version), "version 2"));
        }
        let node_count = reader.u32("node count")?;
        if node_count > c::NODES_MAX {
            return Err(reader.invalid("node count", u64::from(node_count), "at most NODES_MAX"));
        }
        let output = reader.u32("output node")?;
        let count = reader.u8("symbol count")?;
        let symbol = |reader: &mut Reader<'_>| {
            Ok(Symbol {
                minimum: reader.u32("minimum")?,
                maximum: reader.u32("maximum")?,
            })
        };
        let symbols = (0..count)
            .map(|_| symbol(&mut reader))
            .collect::<Result<_, DecodeError>>()?;
        let interface = reader.hash("interface hash")?;
        reader.finish()?;
        Ok(Self {
            node_count,
            output,
            symbols,
            interface,
        })
    }
}

fn section(writer: &mut Writer, bytes: &[u8]) {
    writer
        .u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX))
        .raw(bytes);
}

fn read_section<'a>(reader: &mut Reader<'a>, field: &'static str) -> Result<&'a [u8], DecodeError> {
    let len = reader.u32(field)?;
    reader.take(field, len as usize)
}

fn read_text(reader: &mut Reader<'_>) -> Result<String, DecodeError> {
    let bytes = read_section(reader, "name")?;
    match core::str::from_utf8(bytes) {
        Ok(text) => Ok(text.into()),
        Err(error) => Err(reader.invalid("name", error.valid_up_to() as u64, "UTF-8")),
    }
}

fn decode_interface(bytes: &[u8], frame: &Frame) -> Result<Interface, ArtefactError> {
    let mut reader = Reader::new(bytes);
    let interface = Interface::decode(&mut reader)?;
    reader.finish()?;
    let found = interface.hash();
    if found != frame.interface {
        return Err(ArtefactError::InterfaceHash {
            found,
            expected: frame.interface,
        });
    }
    Ok(interface)
}

/// The tensors of a file, one after the other.
struct Tensors<'a> {
    reader: Reader<'a>,
    /// Where the first one begins in the file.
    first: usize,
    /// Takes the end of each tensor, where that alone is wanted: then no tensor is copied.
    ends: Option<Vec<usize>>,
    /// The file, if weights may stay in it.
    memory: Option<&'a SharedMemory>,
}

impl Tensors<'_> {
    fn read(
        &mut self,
        field: &'static str,
        dtype: DType,
        elements: u64,
    ) -> Result<Tensor, DecodeError> {
        let Some(ends) = &mut self.ends else {
            return read_tensor(&mut self.reader, field, dtype, elements);
        };
        let bytes = elements.saturating_mul(u64::from(dtype.size()));
        self.reader
            .take(field, usize::try_from(bytes).unwrap_or(usize::MAX))?;
        ends.push(self.reader.offset() - self.first);
        read_tensor(&mut Reader::new(&[]), field, dtype, 0)
    }

    /// Weights, which are what they are in the file.
    fn weights(&mut self, elements: u64) -> Result<Weights, DecodeError> {
        let field = "weights";
        if let (None, Some(memory)) = (&self.ends, self.memory) {
            let start = self.first + self.reader.offset();
            let len = usize::try_from(elements).unwrap_or(usize::MAX);
            self.reader.take(field, len)?;
            if let Some(weights) = Weights::part(memory, start, start + len) {
                return Ok(weights);
            }
            return Err(self.reader.invalid(field, elements, "inside the file"));
        }
        match self.read(field, DType::I8, elements)? {
            Tensor::I8(weights) => Ok(weights.into()),
            Tensor::I16(_) | Tensor::I32(_) => Ok(Vec::new().into()),
        }
    }
}

fn read_tensor(
    reader: &mut Reader<'_>,
    field: &'static str,
    dtype: DType,
    elements: u64,
) -> Result<Tensor, DecodeError> {
    let bytes =
        usize::try_from(elements.saturating_mul(u64::from(dtype.size()))).unwrap_or(usize::MAX);
    let taken = reader.take(field, bytes)?;
    let count = bytes / dtype.size() as usize;
    Tensor::from_bytes(dtype, count, taken)
        .map_err(|_| reader.invalid(field, elements, "a whole number of elements"))
}

fn read_node(leaf: &NodeLeaf, tensors: &mut Tensors<'_>) -> Result<Node, DecodeError> {
    let mut node = leaf.node.clone();
    // The weights of a linear node have no symbolic extents.
    let terms = node.op.terms(&DimValues::NONE);
    match &mut node.op {
        Op::MatMul(op) => read_linear(tensors, op.out_channels, terms, &mut op.linear)?,
        Op::Conv(op) => read_linear(tensors, op.out_channels, terms, &mut op.linear)?,
        Op::Pointwise(op) => read_pointwise(tensors, op)?,
        Op::Normalize(op) => {
            let elements = u64::from(op.columns).saturating_mul(4);
            let constants = tensors.read("constants", DType::I32, elements)?;
            // Where only the places are read, there is nothing to fill in.
            if tensors.ends.is_none() {
                op.fill(&constants).ok_or_else(|| {
                    let reader = &tensors.reader;
                    reader.invalid("constants", elements, "0 as third of four")
                })?;
            }
        }
        Op::Embedding(op) => {
            let elements = u64::from(op.entries).saturating_mul(u64::from(op.columns));
            op.table = tensors.read("table", node.dtype, elements)?.into();
        }
        Op::Input(_)
        | Op::MaxPool(_)
        | Op::AvgPool(_)
        | Op::Move(_)
        | Op::Concat(_)
        | Op::BatchMatMul(_)
        | Op::Reduce(_) => {}
    }
    Ok(node)
}

fn read_linear(
    tensors: &mut Tensors<'_>,
    out_channels: u32,
    terms: u64,
    linear: &mut Linear,
) -> Result<(), DecodeError> {
    let channels = u64::from(out_channels);
    let weights = tensors.weights(channels.saturating_mul(terms))?;
    let constants = tensors.read("constants", DType::I32, channels.saturating_mul(4))?;
    let table = match linear.table {
        Some(_) => Some(tensors.read("table", DType::I8, 256)?),
        None => None,
    };
    if let Tensor::I32(constants) = constants {
        let entries = match &table {
            Some(Tensor::I8(entries)) => Some(entries.as_slice()),
            Some(Tensor::I16(_) | Tensor::I32(_)) | None => None,
        };
        *linear = Linear::from_parts(linear.tail(), weights, &constants, entries);
    }
    Ok(())
}

fn read_pointwise(from: &mut Tensors<'_>, op: &mut Pointwise) -> Result<(), DecodeError> {
    let mut tensors = Vec::new();
    let constant = op.second.as_ref().and_then(|y| y.constant.as_ref());
    if let Some(constant) = constant {
        let (dtype, elements) = (constant.values.dtype(), constant.elements.into());
        tensors.push(from.read("constant", dtype, elements)?);
    }
    let table = op.activation.as_ref().and_then(Activation::table);
    if let Some((dtype, entries)) = table {
        tensors.push(from.read("table", dtype, entries as u64)?);
    }
    op.fill(tensors);
    Ok(())
}

/// Bytes of an output: what a claim carries.
pub fn output_bytes(program: &CheckedProgram, values: &DimValues) -> Option<u64> {
    let (elements, dtype) = program.output_of(program.program().output, values)?;
    Some(elements.saturating_mul(u64::from(dtype.size())))
}

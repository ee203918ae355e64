//! A model: a checked program with its commitment, cheap to clone.

use std::path::Path;
use std::sync::Arc;

use selfsame_ir::{
    CheckedProgram, DType, DimError, DimValues, Interface, Layout, ModelCommitment, Op, artefact,
};
use selfsame_protocol::Hash;

use crate::error::{LoadError, OpenError};
use crate::file::{FileError, open_artefact, write_file};
use crate::runner::{Packed, RunOptions, Runner};

/// A checked program with its commitment. Clones share one program.
#[derive(Debug, Clone)]
pub struct Model {
    shared: Arc<Shared>,
    bound: Arc<Bound>,
}

#[derive(Debug)]
struct Shared {
    program: Arc<CheckedProgram>,
    commitment: ModelCommitment,
}

/// What the values of the symbols decide.
#[derive(Debug)]
struct Bound {
    values: DimValues,
    input: Port,
    output: Port,
}

/// What goes in, or comes out, for one sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Shape in the source model's order, without the batch axis.
    pub shape: Vec<usize>,
    /// Shape of the program's integers.
    pub program_shape: Vec<usize>,
    /// Type of the program's integers.
    pub dtype: DType,
}

/// One input of the source model, as the artefact's notes name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedInput {
    /// Its name; empty if the artefact has none.
    pub name: String,
    /// Elements of one sample.
    pub elements: usize,
}

impl Bound {
    fn new(program: &CheckedProgram, values: DimValues) -> Self {
        let interface = &program.program().interface;
        let output = program.program().output;
        Self {
            input: Port::new(program, &values, 0, &interface.input),
            output: Port::new(program, &values, output, &interface.output),
            values,
        }
    }
}

impl Port {
    /// Elements of one sample.
    pub fn elements(&self) -> usize {
        self.program_shape.iter().product()
    }

    fn new(program: &CheckedProgram, values: &DimValues, node: u32, layout: &Layout) -> Self {
        let shapes = program.shapes(values).unwrap_or_default();
        let found = shapes.get(node as usize).map(Vec::as_slice);
        let extents = |shape: &[u32]| shape.iter().map(|&extent| extent as usize).collect();
        let program_shape: Vec<usize> = extents(found.unwrap_or_default());
        let elements: usize = program_shape.iter().product();
        // A layout of other extents belongs to other values of the symbols: then the source's order is
        // the program's.
        let shape = if layout.elements() == elements as u64 {
            extents(&layout.shape)
        } else {
            program_shape.clone()
        };
        Self {
            shape,
            program_shape,
            dtype: program.node(node).map_or(DType::I8, |node| node.dtype),
        }
    }
}

impl Model {
    /// Reads and checks the artefact at `path`; a large one on several threads.
    ///
    /// ```
    /// let model = selfsame::Model::load("../../models/lenet/program.selfsame")?;
    /// assert_eq!(model.input().shape, [1, 28, 28]);
    /// # Ok::<(), selfsame::Error>(())
    /// ```
    pub fn load(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let (program, commitment) = open_artefact(path.as_ref())?;
        Ok(Self::with_commitment(program, commitment))
    }

    /// Copies artefact bytes and checks them; large ones on several threads.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, artefact::ArtefactError> {
        let (program, commitment) = selfsame_runtime::open(bytes)?;
        Ok(Self::with_commitment(program, commitment))
    }

    /// Commits to a checked program.
    pub fn new(program: CheckedProgram) -> Self {
        let commitment = program.commit();
        Self::with_commitment(program, commitment)
    }

    fn with_commitment(program: CheckedProgram, commitment: ModelCommitment) -> Self {
        let values = DimValues::maxima(&program.program().symbols);
        let bound = Arc::new(Bound::new(&program, values));
        let shared = Arc::new(Shared {
            program: Arc::new(program),
            commitment,
        });
        Self { shared, bound }
    }

    /// Whether both are one program, at whatever values.
    pub(crate) fn is_of_program(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// The program, to be kept beside the model.
    pub(crate) fn shared_program(&self) -> Arc<CheckedProgram> {
        Arc::clone(&self.shared.program)
    }

    /// The same model at other values of its symbols (a length of text, for example); new models
    /// stand at the largest ones.
    pub fn at(&self, values: &[u32]) -> Result<Self, DimError> {
        let values = DimValues(values.to_vec());
        values.check(&self.program().program().symbols)?;
        Ok(Self {
            shared: Arc::clone(&self.shared),
            bound: Arc::new(Bound::new(self.program(), values)),
        })
    }

    /// The same model at the value of its only symbol that makes inputs of `elements` elements; the
    /// model as it is if its inputs have as many, or none of its values makes them.
    pub fn at_length(&self, elements: usize) -> Result<Self, DimError> {
        let symbols = &self.program().program().symbols;
        let &[symbol] = symbols.as_slice() else {
            return Ok(self.clone());
        };
        let length = |value: u32| {
            let values = DimValues(vec![value]);
            let input = self.program().output_of(0, &values);
            input.map_or(0, |(elements, _)| elements)
        };
        // Extents grow with the symbol: the last value whose inputs are not longer.
        let (mut low, mut high) = (symbol.minimum, symbol.maximum);
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            if length(middle) <= elements as u64 {
                low = middle;
            } else {
                high = middle - 1;
            }
        }
        if length(low) == elements as u64 {
            self.at(&[low])
        } else {
            Ok(self.clone())
        }
    }

    /// The artefact's bytes: the same for the same model.
    pub fn to_bytes(&self) -> Vec<u8> {
        artefact::encode(&self.shared.program, &self.shared.commitment)
    }

    /// Writes the artefact.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        write_file(path.as_ref(), &self.to_bytes())
    }

    /// The model id: what a publisher registers and a receipt names.
    pub fn id(&self) -> Hash {
        self.shared.commitment.model_id
    }

    /// The name that the artefact carries; not part of the id.
    pub fn name(&self) -> &str {
        &self.shared.program.program().notes.name
    }

    /// Names of the output's classes; empty if it has none.
    pub fn labels(&self) -> &[String] {
        &self.interface().labels
    }

    /// What goes in.
    pub fn input(&self) -> &Port {
        &self.bound.input
    }

    /// The inputs of the source model, in the order in which a sample holds them: [`Self::input`] is all
    /// of them. Names are notes, not part of the id.
    pub fn inputs(&self) -> Vec<NamedInput> {
        let notes = &self.program().program().notes.nodes;
        let name = notes.first().map_or("", String::as_str);
        let parts: Option<Vec<NamedInput>> = name.split(", ").map(|name| self.part(name)).collect();
        let whole = |parts: &Vec<NamedInput>| {
            let elements: usize = parts.iter().map(|part| part.elements).sum();
            1 < parts.len() && elements == self.input().elements()
        };
        parts.filter(whole).unwrap_or_else(|| {
            vec![NamedInput {
                name: name.to_owned(),
                elements: self.input().elements(),
            }]
        })
    }

    /// The part of the input that a MOVE of this name cuts out.
    fn part(&self, name: &str) -> Option<NamedInput> {
        let program = self.program();
        let named = program.program().notes.nodes.iter().map(String::as_str);
        let mut nodes = (0..).zip(program.nodes()).zip(named);
        let ((node, _), _) = nodes.find(|((_, node), found)| {
            *found == name && matches!(node.op, Op::Move(_)) && node.inputs == [0]
        })?;
        let (elements, _) = program.output_of(node, self.values())?;
        Some(NamedInput {
            name: name.to_owned(),
            elements: usize::try_from(elements).ok()?,
        })
    }

    /// What comes out.
    pub fn output(&self) -> &Port {
        &self.bound.output
    }

    /// The program.
    pub fn program(&self) -> &CheckedProgram {
        &self.shared.program
    }

    /// Leaves, header and id.
    pub fn commitment(&self) -> &ModelCommitment {
        &self.shared.commitment
    }

    /// How floats become integers, and integers floats.
    pub fn interface(&self) -> &Interface {
        &self.shared.program.program().interface
    }

    /// The dimension values of a run: the maxima of the symbols if nothing else was said.
    pub fn values(&self) -> &DimValues {
        &self.bound.values
    }

    /// The name of a node, or its operator where it has none.
    pub fn node_name(&self, node: u32) -> String {
        let notes = &self.shared.program.program().notes.nodes;
        let named = notes.get(node as usize).filter(|name| !name.is_empty());
        match (named, self.shared.program.node(node)) {
            (Some(name), _) => name.clone(),
            (None, Some(node)) => node.op.name().to_owned(),
            (None, None) => String::new(),
        }
    }

    /// Packs the model for an instruction set and makes buffers and threads.
    pub fn runner(&self, options: &RunOptions) -> Result<Runner, OpenError> {
        Ok(self.pack(options)?.runner())
    }

    /// Packs the model for an instruction set: runners of it share the weights.
    pub fn pack(&self, options: &RunOptions) -> Result<Packed, OpenError> {
        Packed::new(self, options)
    }
}

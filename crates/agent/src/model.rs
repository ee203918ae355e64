//! A model ready to run.

use std::sync::{Mutex, MutexGuard, PoisonError};

use selfsame::{LoadError, Model, OpenError, Packed, RunError, RunOptions, Runner, Tensor, Trace};
use selfsame_dispute::{Holder, NodeFacts};
use selfsame_interpreter::check_input;
use selfsame_ir::{CheckedProgram, DimError, DimValues, ModelCommitment};
use selfsame_protocol::Hash;

/// Why a model was not loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The bytes are no artefact.
    #[error(transparent)]
    Artefact(#[from] LoadError),
    /// The program cannot be planned.
    #[error(transparent)]
    Plan(#[from] OpenError),
    /// The program's symbols do not have these values.
    #[error(transparent)]
    Dims(#[from] DimError),
    /// The input is not the model's, or the run failed.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// A model at some values of its symbols, with one runner.
pub struct LoadedModel {
    packed: Packed,
    runner: Mutex<Runner>,
}

impl LoadedModel {
    /// From artefact bytes, with the best kernel of this machine and one thread.
    pub fn decode(bytes: &[u8]) -> Result<Self, ModelError> {
        Self::new(&Model::from_bytes(bytes).map_err(LoadError::Artefact)?)
    }

    /// From a checked model.
    pub fn new(model: &Model) -> Result<Self, ModelError> {
        Ok(Self::of(model.pack(&RunOptions::default())?))
    }

    /// The same model at other values of its symbols, those that a request names; the weights are shared.
    pub fn at(&self, dimensions: &[u32]) -> Result<Self, ModelError> {
        let model = self.model().at(dimensions)?;
        Ok(Self::of(self.packed.at(&model)?))
    }

    fn of(packed: Packed) -> Self {
        let runner = Mutex::new(packed.runner());
        Self { packed, runner }
    }

    fn model(&self) -> &Model {
        self.packed.model()
    }

    /// Values of the program's symbols.
    pub fn values(&self) -> &DimValues {
        self.model().values()
    }

    /// The program.
    pub fn program(&self) -> &CheckedProgram {
        self.model().program()
    }

    /// Leaves and id.
    pub fn commitment(&self) -> &ModelCommitment {
        self.model().commitment()
    }

    /// The model id.
    pub fn id(&self) -> Hash {
        self.model().id()
    }

    /// What the game needs to know of the model.
    pub fn facts(&self) -> NodeFacts<'_> {
        NodeFacts {
            program: self.program(),
            commitment: self.commitment(),
            values: self.values(),
        }
    }

    /// Checks an input as a provider must before it accepts.
    pub fn check(&self, input: &Tensor) -> Result<(), ModelError> {
        let checked = check_input(self.program(), self.model().values(), input);
        Ok(checked.map_err(RunError::Interpreter)?)
    }

    /// Bytes of an input.
    pub fn input_bytes(&self) -> u64 {
        let port = self.model().input();
        (port.elements() as u64).saturating_mul(port.dtype.size().into())
    }

    /// From canonical bytes to a checked input.
    pub fn input_from_bytes(&self, bytes: &[u8]) -> Result<Tensor, ModelError> {
        Ok(self.model().tensor_of_bytes(bytes)?)
    }

    /// The output on one input.
    pub fn run(&self, input: &Tensor) -> Result<Tensor, ModelError> {
        self.check(input)?;
        Ok(self.runner().output(input)?)
    }

    /// Every node's output on one input.
    pub fn trace(&self, input: &Tensor) -> Result<Trace, ModelError> {
        self.check(input)?;
        Ok(self.runner().trace(input)?)
    }

    /// Every node's output with its trees.
    pub fn holder(&self, input: &Tensor) -> Result<Holder, ModelError> {
        Ok(Holder::from_trace(&self.trace(input)?))
    }

    fn runner(&self) -> MutexGuard<'_, Runner> {
        // A panic while running leaves no state that the next run reads.
        self.runner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

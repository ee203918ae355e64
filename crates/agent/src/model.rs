//! A model ready to run.

use std::sync::{Arc, Mutex};

use selfsame_dispute::{Holder, NodeFacts};
use selfsame_interpreter::{RunError as InputError, Trace, check_input};
use selfsame_ir::{ArtefactError, CheckedProgram, DimValues, ModelCommitment, Tensor};
use selfsame_protocol::Hash;
use selfsame_runtime::{Kernel, Plan, PlanError, RunError, Session};

static NO_VALUES: DimValues = DimValues::NONE;

/// Why a model was not loaded or run.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The bytes are no artefact.
    #[error(transparent)]
    Artefact(#[from] ArtefactError),
    /// The program cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The input is not the model's.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The run failed.
    #[error(transparent)]
    Run(#[from] RunError),
}

/// A checked program, what it commits to, and a session that runs it.
pub struct LoadedModel {
    program: CheckedProgram,
    commitment: ModelCommitment,
    session: Mutex<Session>,
}

impl LoadedModel {
    /// From artefact bytes, with the best kernel of this machine and one thread.
    pub fn decode(bytes: &[u8]) -> Result<Self, ModelError> {
        let (program, commitment) = selfsame_runtime::open(bytes)?;
        Self::new(program, commitment)
    }

    /// From a checked program.
    pub fn new(program: CheckedProgram, commitment: ModelCommitment) -> Result<Self, ModelError> {
        let plan = Plan::new(&program, &DimValues::NONE, Kernel::best())?;
        let session = Mutex::new(Session::new(Arc::new(plan), 1));
        Ok(Self {
            program,
            commitment,
            session,
        })
    }

    /// The program.
    pub fn program(&self) -> &CheckedProgram {
        &self.program
    }

    /// Leaves and id.
    pub fn commitment(&self) -> &ModelCommitment {
        &self.commitment
    }

    /// The model id.
    pub fn id(&self) -> Hash {
        self.commitment.model_id
    }

    /// What the game needs to know of the model.
    pub fn facts(&self) -> NodeFacts<'_> {
        NodeFacts {
            program: &self.program,
            commitment: &self.commitment,
            values: &NO_VALUES,
        }
    }

    /// Checks an input as a provider must before it accepts.
    pub fn check(&self, input: &Tensor) -> Result<(), ModelError> {
        Ok(check_input(&self.program, &DimValues::NONE, input)?)
    }

    /// Bytes of an input.
    pub fn input_bytes(&self) -> u64 {
        let input = self.program.output_of(0, &DimValues::NONE);
        input.map_or(0, |(elements, dtype)| {
            elements.saturating_mul(u64::from(dtype.size()))
        })
    }

    /// From canonical bytes to a checked input.
    pub fn input_from_bytes(&self, bytes: &[u8]) -> Result<Tensor, ModelError> {
        let (elements, dtype) = self
            .program
            .output_of(0, &DimValues::NONE)
            .unwrap_or((0, selfsame_ir::DType::I8));
        let wrong = InputError::Length {
            found: bytes.len(),
            expected: elements,
        };
        let count = usize::try_from(elements).map_err(|_| wrong)?;
        let input = Tensor::from_bytes(dtype, count, bytes).map_err(InputError::Value)?;
        self.check(&input)?;
        Ok(input)
    }

    /// The output on one input.
    pub fn run(&self, input: &Tensor) -> Result<Tensor, ModelError> {
        self.check(input)?;
        Ok(self.session().run_one(input)?)
    }

    /// Every node's output on one input.
    pub fn trace(&self, input: &Tensor) -> Result<Trace, ModelError> {
        self.check(input)?;
        Ok(Trace::new(self.session().trace(input)?.node_tensors))
    }

    /// Every node's output with its trees.
    pub fn holder(&self, input: &Tensor) -> Result<Holder, ModelError> {
        Ok(Holder::from_trace(&self.trace(input)?))
    }

    fn session(&self) -> std::sync::MutexGuard<'_, Session> {
        // A panic while running leaves no state that the next run reads.
        self.session
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

//! Why something was not done: one type for each step, and [`Error`] for all of them.

use selfsame_interpreter::RunError as InterpreterError;
use selfsame_ir::{ArtefactError, DimError, NotANumber, TensorError};
use selfsame_runtime::{KernelError, PlanError, RunError as RuntimeError};

use crate::file::FileError;

/// Why a model was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file was not read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The bytes are no artefact.
    #[error(transparent)]
    Artefact(#[from] ArtefactError),
}

/// Why a model has no runner.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The instruction set is unknown, or this machine lacks it.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// The program cannot be planned on this machine.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The values of the symbols do not fit the program.
    #[error(transparent)]
    Dim(#[from] DimError),
    /// The buffers are larger than allowed.
    #[error(
        "{needed} bytes of buffers on {threads} threads, at most {allowed} are allowed; use fewer threads or raise memory_bytes_max"
    )]
    Memory {
        /// Bytes of all buffers.
        needed: u64,
        /// Threads.
        threads: usize,
        /// Allowed.
        allowed: u64,
    },
}

/// Why numbers are no input of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// Not a whole number of samples.
    #[error("{numbers} numbers; the model takes {sample} for each sample")]
    Length {
        /// Numbers given.
        numbers: usize,
        /// Numbers of one sample.
        sample: usize,
    },
    /// There is room for another number of answers.
    #[error("room for {room} numbers; {samples} answers have {answer} each")]
    Room {
        /// Elements that there is room for.
        room: usize,
        /// Samples given.
        samples: usize,
        /// Elements of one answer.
        answer: usize,
    },
    /// A float that is not a number.
    #[error("element {index}: {error}")]
    NotANumber {
        /// Its index.
        index: usize,
        /// Its bits.
        error: NotANumber,
    },
    /// An integer that its type does not allow, or bytes that are none.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// Samples of eight bits for a model without a pixel rule.
    #[error("the model takes no pictures; give floats")]
    NoPictures,
}

/// Why a sample was not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RunError {
    /// The numbers are no input.
    #[error(transparent)]
    Input(#[from] InputError),
    /// The runtime refused the input.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// The interpreter refused the input.
    #[error(transparent)]
    Interpreter(#[from] InterpreterError),
}

/// Anything that this library refuses.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No file.
    #[error(transparent)]
    File(#[from] FileError),
    /// No model.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// No runner.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// No input.
    #[error(transparent)]
    Input(#[from] InputError),
    /// No answer.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Nothing verified.
    #[error(transparent)]
    Verify(#[from] crate::verify::VerifyError),
    /// No import or comparison.
    #[cfg(feature = "import")]
    #[error(transparent)]
    Import(#[from] crate::import::ImportError),
}

impl From<KernelError> for Error {
    fn from(error: KernelError) -> Self {
        Self::Open(OpenError::Kernel(error))
    }
}

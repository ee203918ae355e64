//! Runs models as exact integer programs: the same bits on every machine, in every order of threads.
//!
//! - [`Model`]: a program read from its artefact, checked whole, with its id. Cheap to clone.
//! - [`Runner`]: runs one model on an instruction set (or the interpreter) and some threads. Floats
//!   in, floats out by the artefact's interface; or the program's own integers.
//! - [`verify`]: runs again elsewhere and compares; checks receipts offline.
//! - `Source` and `import_onnx` (feature `import`, on by default): ONNX files to models, and how
//!   near a model comes to its source. A runner leaves the feature out and carries no compiler.
//!
//! ```
//! use selfsame::{Model, RunOptions};
//!
//! let model = Model::load("../../models/mlp/program.selfsame")?;
//! let mut runner = model.runner(&RunOptions::default())?;
//! let batch = vec![0.5_f32; 3 * model.input().elements()];
//! let answers = runner.run(&batch)?;
//! assert_eq!(answers.len(), 3 * model.output().elements());
//!
//! // What anybody can check: the root of every node's output, the same on every machine.
//! let input = runner.quantize(&batch[..64])?;
//! let trace = runner.trace(&input)?;
//! println!("{} answers with trace root {}", model.id(), trace.root());
//! # Ok::<(), selfsame::Error>(())
//! ```
//!
//! Spec: programs, 1.1; interface, 6.1 to 6.7.

#![forbid(unsafe_code)]

/// The page of the documentation, whose Rust is compiled with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/library.md")]
mod library_page {}

mod answer;
#[cfg(feature = "import")]
mod compare;
mod error;
mod file;
#[cfg(feature = "import")]
mod import;
mod model;
mod order;
mod runner;
mod scale;
mod values;
pub mod verify;

pub use answer::{Class, float, floats, ranking};
#[cfg(feature = "import")]
pub use compare::{Answers, Compared, accuracy, compare_answers};
pub use error::{Error, InputError, LoadError, OpenError, RunError};
pub use file::{FILE_BYTES_MAX, FileError, read_file, write_file};
#[cfg(feature = "import")]
pub use import::{
    ImportError, ImportOptions, Imported, Source, SourceOptions, floats_of_pictures, import_onnx,
};
pub use model::{Model, NamedInput, Port};
pub use runner::{Engine, INTERPRETER, MEMORY_BYTES_MAX, Packed, RunOptions, Runner};
#[cfg(feature = "import")]
pub use selfsame_compiler::float::{Extent, Given, InputKind};
#[cfg(feature = "import")]
pub use selfsame_compiler::onnx::DecodeError as OnnxError;
#[cfg(feature = "import")]
pub use selfsame_compiler::{
    Comparison, ImportReport, LayerReport, OpenDimension, Pixels, TestRows,
};
pub use selfsame_interpreter::Trace;
pub use selfsame_ir::{DType, Interface, Tensor};
pub use selfsame_protocol::Hash;
pub use selfsame_runtime::{
    Bytes, Elements, ElementsMut, InstructionSet, Kernel, KernelError, LargePages,
};
pub use values::{Values, patterned};

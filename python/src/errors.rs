//! Errors of the library as the exceptions of `selfsame._errors`; files are Python's own `OSError`.

use std::fmt::Display;
use std::io;

use pyo3::PyErr;
use selfsame::verify::VerifyError;
use selfsame::{FileError, ImportError, InputError, LoadError, OnnxError, OpenError, RunError};

mod python {
    //! The classes, found when the first one is raised.
    pyo3::import_exception!(selfsame._errors, ArtefactError);
    pyo3::import_exception!(selfsame._errors, EngineError);
    pyo3::import_exception!(selfsame._errors, InputError);
    pyo3::import_exception!(selfsame._errors, OnnxError);
    pyo3::import_exception!(selfsame._errors, ReceiptError);
}

/// What goes in is not the model's.
pub(crate) fn input(error: impl Display) -> PyErr {
    python::InputError::new_err(error.to_string())
}

/// No engine of that name, or not for this model.
pub(crate) fn engine(error: impl Display) -> PyErr {
    python::EngineError::new_err(error.to_string())
}

/// Not supported, or badly calibrated.
pub(crate) fn onnx(error: impl Display) -> PyErr {
    python::OnnxError::new_err(error.to_string())
}

/// No artefact.
pub(crate) fn artefact(error: impl Display) -> PyErr {
    python::ArtefactError::new_err(error.to_string())
}

/// `FileNotFoundError`, `PermissionError` and so on, with the path.
pub(crate) fn file(error: &FileError) -> PyErr {
    let kind = match error {
        FileError::Io { error, .. } => error.kind(),
        FileError::TooLarge { .. } => io::ErrorKind::FileTooLarge,
    };
    io::Error::new(kind, error.to_string()).into()
}

/// Of loading.
pub(crate) fn load(error: LoadError) -> PyErr {
    match error {
        LoadError::File(error) => file(&error),
        LoadError::Artefact(error) => artefact(error),
    }
}

/// Of packing.
pub(crate) fn open(error: &OpenError) -> PyErr {
    engine(error)
}

/// Of running.
pub(crate) fn run(error: &RunError) -> PyErr {
    input(error)
}

/// Of making an input.
pub(crate) fn made(error: &InputError) -> PyErr {
    input(error)
}

/// Of verifying.
pub(crate) fn verify(error: &VerifyError) -> PyErr {
    match error {
        VerifyError::Open(error) => open(error),
        VerifyError::Run(error) => run(error),
        VerifyError::Receipt(error) => python::ReceiptError::new_err(error.to_string()),
    }
}

/// Of importing and comparing.
pub(crate) fn import(error: &ImportError) -> PyErr {
    match error {
        ImportError::Open(error) => open(error),
        ImportError::Run(error) => run(error),
        ImportError::Float(_)
        | ImportError::Row { .. }
        | ImportError::FloatRow { .. }
        | ImportError::OtherShape { .. }
        | ImportError::Output { .. }
        | ImportError::Dimension(_)
        | ImportError::Split { .. }
        | ImportError::Labels { .. }
        | ImportError::NoDimension { .. }
        | ImportError::Channels { .. } => input(error),
        ImportError::Onnx(OnnxError::File { kind, .. }) => {
            io::Error::new(*kind, error.to_string()).into()
        }
        ImportError::Onnx(_)
        | ImportError::Unsupported(_)
        | ImportError::Calibration(_)
        | ImportError::Compile(_)
        | ImportError::Report(_)
        | ImportError::Thread => onnx(error),
    }
}

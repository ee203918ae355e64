//! The native half of the Python package `selfsame`: models, runs, imports over numpy arrays.
//!
//! ```text
//! numpy array --borrow--> Runner (without the interpreter's lock) --> new numpy array
//! ```
//!
//! Nothing is computed here: this crate turns Python's objects into the library's and back.

#![forbid(unsafe_code)]

mod arrays;
mod errors;
mod given;
mod import;
mod model;
mod receipt;
mod sizes;

/// Tensors of tens of megabytes are read, decoded and dropped.
#[global_allocator]
static ALLOCATOR: selfsame::LargePages = selfsame::LargePages;

/// The module `selfsame._native`.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use crate::import::{Source, import_rows};
    #[pymodule_export]
    use crate::model::{Model, Port, kernels, load_bytes, load_file};
    #[pymodule_export]
    use crate::receipt::check_receipt;
}

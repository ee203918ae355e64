//! Receipts, checked without a chain.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use crate::errors;
use crate::model::Model;

/// Checks the text of a receipt; with its model, the answer too.
#[pyfunction]
#[pyo3(signature = (text, model = None, input = None))]
pub(crate) fn check_receipt<'py>(
    py: Python<'py>,
    text: &str,
    model: Option<&Bound<'py, Model>>,
    input: Option<&[u8]>,
) -> PyResult<Bound<'py, PyDict>> {
    use selfsame::verify::check_receipt;
    let checked = match model {
        Some(model) => model
            .get()
            .own()
            .with_runner(py, |runner| check_receipt(text, Some(runner), input)),
        None => py.detach(|| check_receipt(text, None, input)),
    };
    let report = checked.map_err(|error| errors::verify(&error))?;
    let found = PyDict::new(py);
    found.set_item("verified", report.failed().is_none())?;
    found.set_item("failed", report.failed().map(|check| check.name))?;
    found.set_item("level", report.level.map(|level| level.to_string()))?;
    let checks = PyList::empty(py);
    for check in &report.checks {
        checks.append((check.name, check.ok, &check.detail))?;
    }
    found.set_item("checks", checks)?;
    Ok(found)
}

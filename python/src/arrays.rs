//! Numpy arrays as the library's slices.
//!
//! ```text
//! float32, contiguous    borrowed
//! uint8                  samples of pictures, for the pixel rule
//! any other number       converted to float32 by numpy, one copy
//! ```

use numpy::{PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::IntoPyDict;
use selfsame::Port;

use crate::errors;

/// An input array.
pub(crate) enum Input<'py> {
    /// Floats in the source model's order.
    Floats(PyReadonlyArrayDyn<'py, f32>),
    /// Samples of pictures in the source model's order.
    Samples(PyReadonlyArrayDyn<'py, u8>),
}

impl<'py> Input<'py> {
    /// Borrows `object`, or a contiguous copy of it.
    pub(crate) fn new(object: &Bound<'py, PyAny>) -> PyResult<Self> {
        if let Some(floats) = contiguous(object) {
            return Ok(Self::Floats(floats));
        }
        if let Some(samples) = contiguous(object) {
            return Ok(Self::Samples(samples));
        }
        let samples = object.cast::<PyArrayDyn<u8>>().is_ok();
        let dtype = if samples { "uint8" } else { "float32" };
        let made = as_contiguous(object, dtype)?;
        let missing = || PyTypeError::new_err("no array of numbers");
        Ok(if samples {
            Self::Samples(contiguous(&made).ok_or_else(missing)?)
        } else {
            Self::Floats(contiguous(&made).ok_or_else(missing)?)
        })
    }

    /// Its shape.
    pub(crate) fn shape(&self) -> &[usize] {
        match self {
            Self::Floats(floats) => floats.shape(),
            Self::Samples(samples) => samples.shape(),
        }
    }
}

/// `object` as an array of `T` in C order, borrowed; `None` if it is another kind of array.
pub(crate) fn contiguous<'py, T: numpy::Element>(
    object: &Bound<'py, PyAny>,
) -> Option<PyReadonlyArrayDyn<'py, T>> {
    let array = object.cast::<PyArrayDyn<T>>().ok()?;
    array.is_c_contiguous().then(|| array.try_readonly().ok())?
}

/// `numpy.ascontiguousarray(object, dtype=dtype)`.
pub(crate) fn as_contiguous<'py>(
    object: &Bound<'py, PyAny>,
    dtype: &str,
) -> PyResult<Bound<'py, PyAny>> {
    static FUNCTION: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = object.py();
    let function = FUNCTION.get_or_try_init(py, || {
        let module = py.import("numpy")?;
        Ok::<_, PyErr>(module.getattr("ascontiguousarray")?.unbind())
    })?;
    let arguments = [("dtype", dtype)].into_py_dict(py)?;
    function.bind(py).call((object,), Some(&arguments))
}

/// Whether `shape` is one sample (`None`) or a batch of so many; `sample` is one sample's shape.
pub(crate) fn batch(shape: &[usize], sample: &[usize]) -> PyResult<Option<usize>> {
    if shape == sample {
        return Ok(None);
    }
    match shape.split_first() {
        Some((&count, rest)) if rest == sample => Ok(Some(count)),
        Some(_) | None => Err(errors::input(format!(
            "an array of shape {shape:?}; the model takes {sample:?}, or a batch of them on axis 0"
        ))),
    }
}

/// The shape of one answer, or of a batch of them.
pub(crate) fn answers(count: Option<usize>, answer: &[usize]) -> Vec<usize> {
    count.into_iter().chain(answer.iter().copied()).collect()
}

/// A port's type as numpy names it.
pub(crate) const fn dtype_name(port: &Port) -> &'static str {
    match port.dtype {
        selfsame::DType::I8 => "int8",
        selfsame::DType::I16 => "int16",
        selfsame::DType::I32 => "int32",
    }
}

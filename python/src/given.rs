//! What a caller gives: an array, or a dictionary with an array for each input of the source model.
//!
//! ```text
//! {"ids": [n, seq], "mask": [n, seq]}   n samples, each the row of ids with the row of mask behind it
//! {"ids": [seq],    "mask": [seq]}      one sample
//! ```

use std::borrow::Cow;

use numpy::{PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use selfsame::{Model, NamedInput};

use crate::arrays::{Input, as_contiguous, batch, contiguous};
use crate::errors;

/// Numbers of one or several samples.
pub(crate) enum Given<'py> {
    /// One array.
    Array(Input<'py>),
    /// An array for each input, by name.
    Named(Named<'py>),
}

/// Numbers of samples, one sample behind the other.
pub(crate) enum Numbers<'a> {
    /// Floats.
    Floats(Cow<'a, [f32]>),
    /// Samples of pictures.
    Samples(&'a [u8]),
}

/// Arrays by name, in the caller's order.
pub(crate) struct Named<'py> {
    arrays: Vec<(String, PyReadonlyArrayDyn<'py, f32>)>,
    /// Samples on axis 0; `None` if each array is one sample.
    count: Option<usize>,
}

impl<'py> Given<'py> {
    /// Borrows the arrays, or contiguous copies of them.
    pub(crate) fn new(object: &Bound<'py, PyAny>) -> PyResult<Self> {
        match object.cast::<PyDict>() {
            Ok(named) => Named::new(named).map(Self::Named),
            Err(_) => Input::new(object).map(Self::Array),
        }
    }

    /// The model at the value of its open dimension that these samples have, and how many there are
    /// (`None` for one without a batch axis).
    pub(crate) fn bind(&self, model: &Model) -> PyResult<(Model, Option<usize>)> {
        match self {
            Self::Named(named) => {
                named.has_names(&model.inputs())?;
                let model = at_length(model, named.sample_len())?;
                for NamedInput { name, elements } in &model.inputs() {
                    named.fits_input(name, *elements)?;
                }
                Ok((model, named.count))
            }
            Self::Array(input) => {
                let shape = input.shape();
                if model.values().0.is_empty() || shape.is_empty() {
                    let count = batch(shape, &model.input().shape)?;
                    return Ok((model.clone(), count));
                }
                let all = shape.iter().product();
                let row = shape[1..].iter().product();
                let ways = [(row, Some(shape[0])), (all, None)];
                for (len, count) in ways.into_iter().skip(usize::from(shape.len() == 1)) {
                    let bound = model.at_length(len).map_err(errors::input)?;
                    if bound.input().elements() == len {
                        return Ok((bound, count));
                    }
                }
                Err(errors::input(format!(
                    "an array of shape {shape:?}; no value of the program's open dimension makes samples of \
                     {row} or {all} numbers"
                )))
            }
        }
    }

    /// The numbers of all samples in the source model's order.
    pub(crate) fn numbers(&self, model: &Model) -> PyResult<Numbers<'_>> {
        Ok(match self {
            Self::Array(Input::Floats(floats)) => Numbers::Floats(floats.as_slice()?.into()),
            Self::Array(Input::Samples(samples)) => Numbers::Samples(samples.as_slice()?),
            Self::Named(named) => {
                let inputs = model.inputs();
                let order = inputs.iter().map(|input| input.name.as_str());
                Numbers::Floats(named.joined(order)?.into())
            }
        })
    }
}

impl<'py> Named<'py> {
    /// Arrays of a dictionary, in its order.
    pub(crate) fn new(named: &Bound<'py, PyDict>) -> PyResult<Self> {
        let mut arrays: Vec<(String, PyReadonlyArrayDyn<'py, f32>)> = Vec::new();
        for (name, array) in named.iter() {
            let floats = contiguous(&as_contiguous(&array, "float32")?);
            let missing = || errors::input("no array of numbers");
            arrays.push((name.extract()?, floats.ok_or_else(missing)?));
        }
        let is_batch = arrays.iter().all(|(_, array)| 1 < array.shape().len());
        let first = arrays.first().map(|(_, array)| array.shape());
        let count = first.filter(|_| is_batch).map(|shape| shape[0]);
        for (name, array) in &arrays {
            let rows = array.shape().first().copied();
            if count.is_some() && rows != count {
                return Err(errors::input(format!(
                    "input {name:?} has {} samples, the first one {}",
                    rows.unwrap_or(1),
                    count.unwrap_or(1)
                )));
            }
        }
        Ok(Self { arrays, count })
    }

    /// Numbers of one sample.
    fn sample_len(&self) -> usize {
        self.arrays.iter().map(|array| self.row_len(&array.1)).sum()
    }

    fn row_len(&self, array: &PyReadonlyArrayDyn<'_, f32>) -> usize {
        let shape = array.shape();
        shape[usize::from(self.count.is_some()).min(shape.len())..]
            .iter()
            .product()
    }

    /// Refuses other names than the model's.
    fn has_names(&self, inputs: &[NamedInput]) -> PyResult<()> {
        let is_there = |input: &NamedInput| self.find(&input.name).is_ok();
        if self.arrays.len() == inputs.len() && inputs.iter().all(is_there) {
            return Ok(());
        }
        let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
        let found: Vec<&str> = self.arrays.iter().map(|(name, _)| name.as_str()).collect();
        Err(errors::input(format!(
            "inputs {found:?} were given; the model takes {names:?}"
        )))
    }

    /// Refuses an array that is missing or has not `elements` numbers a sample.
    pub(crate) fn fits_input(&self, name: &str, elements: usize) -> PyResult<()> {
        let len = self.row_len(self.find(name)?);
        if len == elements {
            return Ok(());
        }
        Err(errors::input(format!(
            "input {name:?} has {len} numbers a sample; the model takes {elements}"
        )))
    }

    fn find(&self, name: &str) -> PyResult<&PyReadonlyArrayDyn<'py, f32>> {
        let found = self.arrays.iter().find(|(found, _)| found == name);
        found.map(|(_, array)| array).ok_or_else(|| {
            let found: Vec<&str> = self.arrays.iter().map(|(name, _)| name.as_str()).collect();
            errors::input(format!(
                "the model takes an input {name:?}; {found:?} were given"
            ))
        })
    }

    /// The samples, one behind the other, with the inputs in the order of `names`.
    pub(crate) fn joined<'n>(&self, names: impl Iterator<Item = &'n str>) -> PyResult<Vec<f32>> {
        let parts: Vec<(&[f32], usize)> = names
            .map(|name| {
                let array = self.find(name)?;
                Ok((array.as_slice()?, self.row_len(array)))
            })
            .collect::<PyResult<_>>()?;
        let count = self.count.unwrap_or(1);
        let mut samples = Vec::with_capacity(count * self.sample_len());
        for index in 0..count {
            for (array, len) in &parts {
                samples.extend_from_slice(&array[index * len..(index + 1) * len]);
            }
        }
        Ok(samples)
    }
}

/// The model at the value of its open dimension that makes samples of `len` numbers.
fn at_length(model: &Model, len: usize) -> PyResult<Model> {
    let bound = model.at_length(len).map_err(errors::input)?;
    let elements = bound.input().elements();
    if elements == len {
        return Ok(bound);
    }
    let names: Vec<String> = model.inputs().into_iter().map(|input| input.name).collect();
    Err(errors::input(format!(
        "{len} numbers a sample; inputs {names:?} take {elements} at the program's largest sizes, and no value of an open dimension makes samples of {len}"
    )))
}

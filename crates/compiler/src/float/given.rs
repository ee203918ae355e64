//! What a caller and the data say of inputs whose dimensions the file leaves open.
//!
//! ```text
//! file       x: [batch, 3, ?, ?]
//! shape      x = [1, 3, 48, 192]     the file is read as if it declared this
//! array      [24, 3, 48, 192]        24 rows, so that axis 2 has 48 and axis 3 has 192
//! constant   rate = 16000            no input any more
//! ```
//!
//! What has a name has one extent wherever it stands. Axes without a name, and those that an exporter calls `?`,
//! have one each. Nothing is taken from an array whose fixed axes are others.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::act::Kind;
use super::error::ImportError;
use super::import::{ImportOptions, Leading, batch_name, kind_of, leading_of, read_inputs};
use crate::onnx::{Dim, ElementType, Elements, OnnxModel, OnnxTensor, OnnxValueInfo};

/// What is known of the inputs beside the file, by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// Whole shapes, the batch with them.
    pub shapes: BTreeMap<String, Vec<usize>>,
    /// Shapes of the arrays of the data, the rows in front; that of an only input may be called `x`. They
    /// say what has no value otherwise, and only that.
    pub arrays: BTreeMap<String, Vec<usize>>,
    /// Values of inputs of one whole number, which are constants from here on.
    pub constants: BTreeMap<String, i64>,
}

/// The extent of an axis that an array of the data has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extent {
    /// Name of the input; the first one with the dimension if it has a name.
    pub input: String,
    /// The axis in the file, the batch counted.
    pub axis: usize,
    /// The name of the dimension, if it has one.
    pub name: Option<String>,
    /// The extent.
    pub extent: usize,
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            input,
            axis,
            name,
            extent,
        } = self;
        match name {
            Some(name) => write!(f, "{name} = {extent}"),
            None => write!(f, "axis {axis} of {input} = {extent}"),
        }
    }
}

impl Given {
    /// Puts all of this into a model and the options of its import; returns what the arrays have said.
    pub fn settle(
        &self,
        model: &mut OnnxModel,
        options: &mut ImportOptions,
    ) -> Result<Vec<Extent>, ImportError> {
        for (name, value) in &self.constants {
            make_constant(model, name, *value)?;
        }
        for (name, shape) in &self.shapes {
            declare(model, options, name, shape)?;
        }
        let extents = self.extents(model, options)?;
        for Extent {
            input,
            axis,
            name,
            extent,
        } in &extents
        {
            if let Some(name) = name {
                options.dims.insert(name.clone(), *extent);
                continue;
            }
            let info = model.inputs.iter_mut().find(|info| info.name == *input);
            let dims = info.and_then(|info| info.dims.as_mut());
            if let Some(dim) = dims.and_then(|dims| dims.get_mut(*axis)) {
                *dim = size(*extent);
            }
        }
        Ok(extents)
    }

    /// What the arrays say of axes that have no value.
    fn extents(
        &self,
        model: &OnnxModel,
        options: &ImportOptions,
    ) -> Result<Vec<Extent>, ImportError> {
        let infos = read_inputs(model, options);
        let batch = batch_name(&infos, options);
        let front = |info: &OnnxValueInfo| front(info, batch.as_deref(), options);
        let leading = infos.iter().filter(|info| front(info) == Some(1));
        let batches: BTreeSet<&str> = leading
            .filter_map(|info| named(info.dims.as_deref()?.first()?))
            .collect();
        let mut extents = Vec::new();
        for info in &infos {
            let Some(front) = front(info) else {
                continue;
            };
            let sample = info.dims.as_deref().unwrap_or_default();
            let sample = sample.get(front..).unwrap_or_default();
            let is_open = |dim: &Dim| value(dim, options).is_none();
            let only = (infos.len() == 1).then(|| self.arrays.get("x")).flatten();
            let array = self.arrays.get(&info.name).or(only);
            let Some(array) = array.filter(|_| sample.iter().any(is_open)) else {
                continue;
            };
            let row = row(array, sample, front == 1, options);
            let row = row.ok_or_else(|| ImportError::Array {
                input: info.name.clone(),
                array: array.clone(),
                declared: Declared(info.dims.clone().unwrap_or_default()),
            })?;
            for (axis, (dim, &extent)) in (front..).zip(sample.iter().zip(row)) {
                let name = named(dim);
                // The batch has no value, wherever it stands.
                if is_open(dim) && !name.is_some_and(|name| batches.contains(name)) {
                    let found = Extent {
                        input: info.name.clone(),
                        axis,
                        name: name.map(str::to_owned),
                        extent,
                    };
                    add(&mut extents, found)?;
                }
            }
        }
        Ok(extents)
    }
}

/// Adds what an array says; of a name it must be what others have said.
fn add(extents: &mut Vec<Extent>, found: Extent) -> Result<(), ImportError> {
    let same = |one: &&Extent| one.name.is_some() && one.name == found.name;
    match extents.iter().find(same) {
        None => extents.push(found),
        Some(first) if first.extent == found.extent => {}
        Some(first) => return Err(ImportError::Extents(Box::new([first.clone(), found]))),
    }
    Ok(())
}

/// The dimensions of an input as a person writes them: `[batch, 3, ?, ?]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared(pub Vec<Dim>);

impl Declared {
    /// A shape that would be taken: 1 for the batch, an example for everything else that has no size.
    pub(super) fn example(&self) -> String {
        let extent = |(axis, dim): (usize, &Dim)| match dim {
            Dim::Size(size) => size.to_string(),
            Dim::Name(_) | Dim::Unknown => if axis == 0 { "1" } else { "128" }.to_owned(),
        };
        let extents: Vec<String> = self.0.iter().enumerate().map(extent).collect();
        extents.join(",")
    }
}

impl fmt::Display for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (axis, dim) in self.0.iter().enumerate() {
            f.write_str(if axis == 0 { "[" } else { ", " })?;
            match dim {
                Dim::Size(size) => write!(f, "{size}")?,
                Dim::Name(name) => f.write_str(name)?,
                Dim::Unknown => f.write_str("?")?,
            }
        }
        f.write_str(if self.0.is_empty() { "[]" } else { "]" })
    }
}

/// The name of a dimension, unless it is one that says nothing, as `?` does.
pub(super) fn named(dim: &Dim) -> Option<&str> {
    match dim {
        Dim::Name(name) => Some(name.as_str()).filter(|name| name.contains(char::is_alphanumeric)),
        Dim::Size(_) | Dim::Unknown => None,
    }
}

/// The extent of a dimension, if anything says it.
fn value(dim: &Dim, options: &ImportOptions) -> Option<usize> {
    match dim {
        // No array has a size that is out of range: it does not fit, and is refused later.
        Dim::Size(size) => Some(usize::try_from(*size).unwrap_or(usize::MAX)),
        Dim::Name(name) => options.dims.get(name).copied(),
        Dim::Unknown => None,
    }
}

fn size(extent: usize) -> Dim {
    Dim::Size(i64::try_from(extent).unwrap_or(i64::MAX))
}

/// Axes of an input in front of those of the sample: that of the batch, if it has one; `None` if its leading axis
/// will be refused.
fn front(info: &OnnxValueInfo, batch: Option<&str>, options: &ImportOptions) -> Option<usize> {
    let leading = info.dims.as_deref().unwrap_or_default().first();
    let leading = leading.filter(|_| !options.no_batch);
    match leading.map(|leading| leading_of(leading, batch, options)) {
        Some(Leading::Batch) => Some(1),
        Some(Leading::Sample) | None => Some(0),
        Some(Leading::Refused(_)) => None,
    }
}

/// The extents of one row of an array, if they fit the axes of a sample: every row may have its own batch of one.
fn row<'a>(
    array: &'a [usize],
    sample: &[Dim],
    has_batch: bool,
    options: &ImportOptions,
) -> Option<&'a [usize]> {
    let row = array.get(1..)?;
    let row = match row {
        [1, row @ ..] if has_batch && row.len() == sample.len() => row,
        row => row,
    };
    let fits = |(dim, &extent): (&Dim, &usize)| match value(dim, options) {
        Some(value) => value == extent,
        None => 1 <= extent,
    };
    let fits = row.len() == sample.len() && sample.iter().zip(row).all(fits);
    fits.then_some(row)
}

/// The place of an input.
fn place(model: &OnnxModel, name: &str) -> Result<usize, ImportError> {
    let place = model.inputs.iter().position(|info| info.name == name);
    place.ok_or_else(|| ImportError::NoInput {
        name: name.to_owned(),
        inputs: model.inputs.iter().map(|info| info.name.clone()).collect(),
    })
}

/// Moves an input of one whole number to the constants.
fn make_constant(model: &mut OnnxModel, name: &str, value: i64) -> Result<(), ImportError> {
    let place = place(model, name)?;
    let info = &model.inputs[place];
    let declared = info.dims.as_deref().unwrap_or_default();
    let is_whole = match kind_of(info)? {
        Kind::Int | Kind::Bool => true,
        Kind::Float | Kind::Quantised(_) => false,
    };
    if !is_whole || declared.iter().any(|dim| *dim != Dim::Size(1)) {
        return Err(ImportError::Input {
            name: name.to_owned(),
            what: format!(
                "it is {} of shape {}, to be the constant {value}",
                if is_whole {
                    "whole numbers"
                } else {
                    "real numbers"
                },
                Declared(declared.to_vec())
            ),
            supported: "a constant in place of an input of one whole number",
        });
    }
    let dims = vec![1; declared.len()];
    model.inputs.remove(place);
    model.initializers.push(OnnxTensor {
        name: name.to_owned(),
        dims,
        elements: Elements::Int(vec![value]),
        element: ElementType::Whole,
    });
    Ok(())
}

/// Reads an input as if the file declared `shape`: names get values, axes without one a size. A batch of 1 is one
/// of size 1, which has nothing to mix.
fn declare(
    model: &mut OnnxModel,
    options: &mut ImportOptions,
    name: &str,
    shape: &[usize],
) -> Result<(), ImportError> {
    let place = place(model, name)?;
    let declared = model.inputs[place].dims.clone().unwrap_or_default();
    let refuse = || ImportError::Shape {
        input: name.to_owned(),
        shape: shape.to_vec(),
        declared: Declared(declared.clone()),
    };
    if declared.len() != shape.len() {
        return Err(refuse());
    }
    let mut dims = declared.clone();
    for (axis, (dim, &extent)) in dims.iter_mut().zip(shape).enumerate() {
        if let Some(known) = value(dim, options) {
            if known != extent {
                return Err(refuse());
            }
            continue;
        }
        let is_batch = axis == 0 && extent == 1 && !options.no_batch;
        match named(dim).filter(|_| !is_batch) {
            Some(name) => {
                options.dims.insert(name.to_owned(), extent);
            }
            None => *dim = size(extent),
        }
    }
    model.inputs[place].dims = Some(dims);
    Ok(())
}

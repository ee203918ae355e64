//! Input files to integer tensors, by the rules of the model's interface.
//!
//! ```text
//! .npy .npz   arrays of u8 are samples of pictures, all others floats
//! .png        one picture
//! .json       floats, pixels or integers, by their field
//! ```
//!
//! Spec: interface, 6.2 to 6.4.

use std::path::Path;

use selfsame::{Model, Tensor, Values};
use selfsame_compiler::image;
use selfsame_compiler::npz::{self, Array, ArrayData, NpzError};
use selfsame_compiler::numbers::{Numbers, read_json};

use crate::failure::{Failure, Outcome};
use crate::model::read_file;

/// The inputs of a file, one tensor for each sample, and the labels beside them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Inputs {
    /// Input tensors.
    pub(crate) samples: Vec<Tensor>,
    /// True classes, as many as samples, if the file has them.
    pub(crate) labels: Option<Vec<i64>>,
}

/// Reads the samples of `path` for `model`; the extension names the format.
pub(crate) fn read(path: &Path, model: &Model) -> Outcome<Inputs> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let bytes = read_file(path)?;
    let (values, labels) = match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("json") => {
            let numbers = read_json(&bytes).map_err(|error| Failure::file(path, error))?;
            (json_values(numbers), None)
        }
        Some("npy") => {
            let array = npz::read_npy(&bytes).map_err(|error| Failure::file(path, error))?;
            (array_values(array), None)
        }
        Some("png") => {
            let values = read_png(&bytes, model).map_err(|what| Failure::file(path, what))?;
            return Ok(Inputs {
                samples: vec![values],
                labels: None,
            });
        }
        Some("npz") => read_npz(&bytes).map_err(|error| Failure::file(path, error))?,
        _ => {
            let what = "the extension names no format that is read";
            return Err(Failure::file(path, what).hint("give .npy, .npz, .json or .png"));
        }
    };
    let samples = model
        .tensors(&values)
        .map_err(|error| Failure::file(path, error))?;
    let labels = labels.filter(|labels: &Vec<i64>| labels.len() == samples.len());
    Ok(Inputs { samples, labels })
}

/// A picture, brought to the model's height, width and channels, through the pixel rule.
fn read_png(bytes: &[u8], model: &Model) -> Result<Tensor, String> {
    let rule = model.interface().pixels.as_ref();
    let rule = rule.ok_or("the model takes no pictures")?;
    let channels = u32::try_from(rule.tables.len()).map_err(|error| error.to_string())?;
    let picture = image::read_png(bytes).map_err(|error| error.to_string())?;
    let fitted = picture.fit(rule.height, rule.width, channels);
    let samples = fitted.map_err(|error| error.to_string())?;
    let expected = model.input().elements();
    if expected != samples.len() {
        return Err(format!(
            "{} samples; the program takes {expected}",
            samples.len()
        ));
    }
    let tensor = model.tensor_of_pixels(|flat| samples[flat]);
    tensor.map_err(|error| error.to_string())
}

/// Array `x` and, if there, labels `y`.
fn read_npz(bytes: &[u8]) -> Result<(Values, Option<Vec<i64>>), NpzError> {
    let values = array_values(npz::read_npz_array(bytes, "x")?);
    let labels = match npz::read_npz_array(bytes, "y") {
        Ok(array) => array.to_i64(),
        Err(NpzError::Missing { .. }) => None,
        Err(error) => return Err(error),
    };
    Ok((values, labels))
}

/// Eight-bit arrays hold picture samples, all others floats.
fn array_values(array: Array) -> Values {
    match array.data {
        ArrayData::U8(samples) => Values::Samples(samples),
        ArrayData::Int(_) | ArrayData::F32(_) | ArrayData::F64(_) => Values::Floats(array.to_f32()),
    }
}

/// Numbers of a JSON text by their field.
fn json_values(numbers: Numbers) -> Values {
    match numbers {
        Numbers::Floats(floats) => Values::Floats(floats),
        Numbers::Pixels(samples) => Values::Samples(samples),
        Numbers::Integers(integers) => Values::Integers(integers),
    }
}

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

use selfsame::{Model, NamedInput, Tensor, Values};
use selfsame_compiler::image;
use selfsame_compiler::npz::{self, Array, ArrayData, NpzError};
use selfsame_compiler::numbers::{Numbers, read_json};

use crate::dims::SymbolArgs;
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

/// The numbers of a file before they are cut into samples.
struct Given {
    values: Values,
    labels: Option<Vec<i64>>,
    /// Numbers that one sample may have, by the shape of the array; the likeliest first.
    lengths: Vec<usize>,
}

/// Reads the samples of `path` for `model` at the values that are said, or else at the length of the
/// samples; gives the model at them.
pub(crate) fn read_bound(
    path: &Path,
    model: Model,
    symbols: &SymbolArgs,
) -> Outcome<(Model, Inputs)> {
    if symbols.is_empty() {
        return read_at_length(path, &model);
    }
    let model = symbols.bind(model)?;
    let read = read(path, &model)?;
    Ok((model, read))
}

/// Reads the samples of `path`, and binds a program with an open dimension to their length: gives the
/// model at it.
fn read_at_length(path: &Path, model: &Model) -> Outcome<(Model, Inputs)> {
    if model.values().0.is_empty() || is_png(path) {
        return Ok((model.clone(), read(path, model)?));
    }
    let given = given(path, model)?;
    for &length in &given.lengths {
        let refuse = |error| Failure::file(path, error);
        let model = model.at_length(length).map_err(refuse)?;
        if model.input().elements() == length {
            let inputs = given.inputs(&model);
            return inputs
                .map(|inputs| (model, inputs))
                .map_err(|failure| failure.at(path));
        }
    }
    let lengths: Vec<String> = given.lengths.iter().map(usize::to_string).collect();
    let what = format!(
        "samples of {} numbers fit no value of the program's open dimension",
        lengths.join(" or ")
    );
    Err(Failure::file(path, what)
        .hint("`selfsame inspect FILE` shows the dimensions that are open, with their bounds"))
}

/// Reads the samples of `path` for `model`; the extension names the format.
fn read(path: &Path, model: &Model) -> Outcome<Inputs> {
    if is_png(path) {
        let sample = read_png(&read_file(path)?, model);
        return Ok(Inputs {
            samples: vec![sample.map_err(|what| Failure::file(path, what))?],
            labels: None,
        });
    }
    let inputs = given(path, model)?.inputs(model);
    inputs.map_err(|failure| failure.at(path))
}

fn is_png(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("png"))
}

fn given(path: &Path, model: &Model) -> Outcome<Given> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    let bytes = read_file(path)?;
    Ok(match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("json") => {
            let numbers = read_json(&bytes).map_err(|error| Failure::file(path, error))?;
            Given::of(json_values(numbers), &[])
        }
        Some("npy") => {
            let array = npz::read_npy(&bytes).map_err(|error| Failure::file(path, error))?;
            Given::of_array(array)
        }
        Some("npz") => read_npz(&bytes, model).map_err(|what| Failure::file(path, what))?,
        _ => {
            let what = "the extension names no format that is read";
            return Err(Failure::file(path, what).hint("give .npy, .npz, .json or .png"));
        }
    })
}

impl Given {
    /// Numbers of an array of `shape`: a batch of rows, or one.
    fn of(values: Values, shape: &[usize]) -> Self {
        let len = match &values {
            Values::Floats(floats) => floats.len(),
            Values::Samples(samples) => samples.len(),
            Values::Integers(integers) => integers.len(),
        };
        let row = match shape {
            [count, _, ..] if 0 < *count => len / count,
            _ => len,
        };
        Self {
            values,
            labels: None,
            lengths: if row == len {
                vec![len]
            } else {
                vec![row, len]
            },
        }
    }

    fn of_array(array: Array) -> Self {
        let shape = array.shape.clone();
        Self::of(array_values(array), &shape)
    }

    fn inputs(&self, model: &Model) -> Outcome<Inputs> {
        let samples = model.tensors(&self.values).map_err(Failure::input)?;
        let labels = self.labels.clone();
        let labels = labels.filter(|labels| labels.len() == samples.len());
        Ok(Inputs { samples, labels })
    }
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

/// The array of each input by its name, `x` for an only input; and, if there, labels `y`.
fn read_npz(bytes: &[u8], model: &Model) -> Result<Given, String> {
    let inputs = model.inputs();
    let is_input = inputs.iter().any(|input| input.name == "y");
    let labels = match npz::read_npz_array(bytes, "y") {
        Ok(_) if is_input => None,
        Ok(array) => array.to_i64(),
        Err(NpzError::Missing { .. }) => None,
        Err(error) => return Err(error.to_string()),
    };
    let given = if let [one] = inputs.as_slice() {
        let array = match npz::read_npz_array(bytes, "x") {
            Err(NpzError::Missing { .. }) if !one.name.is_empty() => {
                npz::read_npz_array(bytes, &one.name)
            }
            other => other,
        };
        Given::of_array(array.map_err(|error| error.to_string())?)
    } else {
        joined(bytes, &inputs)?
    };
    Ok(Given { labels, ..given })
}

/// Samples of several inputs: row by row those of one array behind those of the one before.
fn joined(bytes: &[u8], inputs: &[NamedInput]) -> Result<Given, String> {
    let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
    let read = |name: &&str| {
        let array = npz::read_npz_array(bytes, name);
        array.map_err(|error| format!("{error}; the program takes {}", names.join(", ")))
    };
    let arrays: Vec<Array> = names.iter().map(read).collect::<Result<_, _>>()?;
    let is_batch = arrays.iter().all(|array| 1 < array.shape.len());
    let rows = |array: &Array| if is_batch { array.shape[0] } else { 1 };
    let count = arrays.first().map_or(0, rows);
    let mut samples = vec![Vec::new(); count];
    for (array, name) in arrays.iter().zip(&names) {
        if count == 0 || rows(array) != count || array.is_empty() {
            let shape = &array.shape;
            return Err(format!(
                "array {name} has shape {shape:?}, not one row for each of {count} samples"
            ));
        }
        let numbers = array.to_f32();
        let rows = numbers.chunks_exact(numbers.len() / count);
        for (sample, row) in samples.iter_mut().zip(rows) {
            sample.extend_from_slice(row);
        }
    }
    let shape = [count, samples.first().map_or(0, Vec::len)];
    Ok(Given::of(Values::Floats(samples.concat()), &shape))
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

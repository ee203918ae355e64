//! Input files to integer tensors, by the rules of the model's interface.
//!
//! ```text
//! floats    q = clamp(floor(x * multiplier / 2^shift + 1/2)), source order
//! pixels    q = table[channel][sample], from pictures and from arrays of u8
//! integers  taken as they are, in the program's order
//! ```
//!
//! Spec: interface, 6.2 to 6.4.

use std::path::Path;

use selfsame_compiler::image;
use selfsame_compiler::npz::{self, Array, ArrayData, NpzError};
use selfsame_compiler::numbers::{Numbers, read_json};
use selfsame_interpreter::check_input;
use selfsame_ir::{DType, Interface, Tensor};

use crate::failure::{Failure, Outcome};
use crate::model::{Model, read_file};

/// Numbers of a file, flat.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Values {
    /// For the float rule.
    Floats(Vec<f32>),
    /// For the pixel rule, or the float rule where a model takes no pictures.
    Samples(Vec<u8>),
    /// The program's own integers.
    Integers(Vec<i32>),
}

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
    let samples = tensors(model, &values).map_err(|what| Failure::file(path, what))?;
    let labels = labels.filter(|labels: &Vec<i64>| labels.len() == samples.len());
    Ok(Inputs { samples, labels })
}

/// A picture, brought to the model's height, width and channels, through the pixel rule.
fn read_png(bytes: &[u8], model: &Model) -> Result<Tensor, String> {
    let interface = &model.program.program().interface;
    let rule = interface
        .pixels
        .as_ref()
        .ok_or("the model takes no pictures")?;
    let channels = u32::try_from(rule.tables.len()).map_err(|error| error.to_string())?;
    let picture = image::read_png(bytes).map_err(|error| error.to_string())?;
    let fitted = picture.fit(rule.height, rule.width, channels);
    let samples = fitted.map_err(|error| error.to_string())?;
    let (expected, _) = model
        .program
        .output_of(0, &model.values())
        .unwrap_or((0, DType::I8));
    if expected != samples.len() as u64 {
        return Err(format!(
            "{} samples; the program takes {expected}",
            samples.len()
        ));
    }
    from_pixels(interface, |flat| samples[flat], samples.len())
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

/// Cuts flat values into samples and brings each into the program's integers.
pub(crate) fn tensors(model: &Model, values: &Values) -> Result<Vec<Tensor>, String> {
    let (expected, dtype) = model
        .program
        .output_of(0, &model.values())
        .ok_or("the program has no input")?;
    let expected = usize::try_from(expected).map_err(|error| error.to_string())?;
    let interface = &model.program.program().interface;
    let len = match values {
        Values::Floats(floats) => floats.len(),
        Values::Samples(samples) => samples.len(),
        Values::Integers(integers) => integers.len(),
    };
    if len == 0 || !len.is_multiple_of(expected.max(1)) {
        return Err(format!(
            "{len} numbers; the model takes {expected} for each sample"
        ));
    }
    let order = source_order(interface, expected);
    match values {
        Values::Integers(integers) => integers
            .chunks_exact(expected)
            .map(|row| Tensor::from_values(dtype, row).map_err(|error| error.to_string()))
            .collect(),
        Values::Floats(floats) => floats
            .chunks_exact(expected)
            .map(|row| from_floats(interface, dtype, &order, |index| row[index]))
            .collect(),
        Values::Samples(samples) => samples
            .chunks_exact(expected)
            .map(|row| match &interface.pixels {
                Some(_) => from_pixels(interface, |flat| row[order[flat]], expected),
                None => from_floats(interface, dtype, &order, |index| f32::from(row[index])),
            })
            .collect(),
    }
}

/// Integers that touch the whole range of eight bits, the same in every run.
pub(crate) fn pattern(model: &Model) -> Outcome<Tensor> {
    let (elements, dtype) = model
        .program
        .output_of(0, &model.values())
        .unwrap_or((0, DType::I8));
    patterned(dtype, usize::try_from(elements).unwrap_or(0))
}

/// The same for `len` elements of `dtype`.
pub(crate) fn patterned(dtype: DType, len: usize) -> Outcome<Tensor> {
    let mut state = 1_u32;
    let values: Vec<i32> = (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            i32::try_from(state >> 24).unwrap_or(0) % 128
        })
        .collect();
    Tensor::from_values(dtype, &values).map_err(Failure::input)
}

/// Canonical bytes to a checked input tensor.
pub(crate) fn from_bytes(model: &Model, bytes: &[u8]) -> Result<Tensor, String> {
    let values = model.values();
    let (expected, dtype) = model
        .program
        .output_of(0, &values)
        .ok_or("the program has no input")?;
    let count = usize::try_from(expected).map_err(|error| error.to_string())?;
    let input = Tensor::from_bytes(dtype, count, bytes).map_err(|error| error.to_string())?;
    check_input(&model.program, &values, &input).map_err(|error| error.to_string())?;
    Ok(input)
}

/// For each of the program's `expected` elements its flat index in the source's order.
fn source_order(interface: &Interface, expected: usize) -> Vec<usize> {
    let order: Vec<usize> = interface
        .input
        .source_indices()
        .take(expected + 1)
        .collect();
    let whole = order.len() == expected && order.iter().all(|&index| index < expected);
    if whole {
        order
    } else {
        (0..expected).collect()
    }
}

fn from_floats(
    interface: &Interface,
    dtype: DType,
    order: &[usize],
    source: impl Fn(usize) -> f32,
) -> Result<Tensor, String> {
    let quantize = |&index: &usize| {
        let bits = source(index).to_bits();
        let integer = interface.input_scale.quantize(bits, dtype);
        integer.map_err(|error| format!("element {index}: {error}"))
    };
    let integers: Vec<i32> = order.iter().map(quantize).collect::<Result<_, _>>()?;
    Tensor::from_values(dtype, &integers).map_err(|error| error.to_string())
}

/// Spec: interface, 6.3. `sample(flat)` is the sample of the program's element `flat`.
fn from_pixels(
    interface: &Interface,
    sample: impl Fn(usize) -> u8,
    expected: usize,
) -> Result<Tensor, String> {
    let rule = interface
        .pixels
        .as_ref()
        .ok_or("the model takes no pictures")?;
    let look_up = |flat: usize| {
        let table = rule.tables.get(flat % rule.tables.len().max(1))?;
        table.get(usize::from(sample(flat))).copied()
    };
    let integers: Option<Vec<i8>> = (0..expected).map(look_up).collect();
    integers
        .map(Tensor::I8)
        .ok_or_else(|| "the pixel rule has no table".to_owned())
}

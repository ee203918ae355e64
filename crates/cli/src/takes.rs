//! What a source model takes: its inputs by name, and rows for them from arrays or made up.
//!
//! ```text
//! archive    one array for each input, by its name: [rows] and the shape of the input
//! row        the numbers of all inputs, one behind the other
//! made up    token ids below the rows of their table, masks of ones, other numbers in -1..=1
//! ```

use std::fmt;

use selfsame::{InputKind, Source};
use selfsame_compiler::npz::{self, Array, NpzError};

use crate::noise::Noise;

/// Whole numbers stand as floats from here to its negative.
const WHOLE_MAX: i64 = 1 << 24;

/// One input.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Taken {
    name: String,
    shape: Vec<usize>,
    /// Whether it takes whole numbers.
    whole: bool,
    /// Rows of the table that it picks from.
    table_rows: Option<usize>,
}

/// All inputs of a source model, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Takes {
    inputs: Vec<Taken>,
}

impl Takes {
    /// What `source` takes.
    pub(crate) fn of(source: &Source) -> Self {
        let taken = |(index, (name, shape)): (usize, (&str, &[usize]))| Taken {
            name: name.to_owned(),
            shape: shape.to_vec(),
            whole: source.input_kind(index) == Some(InputKind::Index),
            table_rows: source.table_rows(index),
        };
        Self {
            inputs: source.inputs().enumerate().map(taken).collect(),
        }
    }

    /// The shape of the only input, if it takes real numbers.
    pub(crate) fn real(&self) -> Option<&[usize]> {
        match self.inputs.as_slice() {
            [one] if !one.whole => Some(&one.shape),
            _ => None,
        }
    }

    /// Whether an input has this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.inputs.iter().any(|input| input.name == name)
    }

    /// Numbers of one row.
    pub(crate) fn elements(&self) -> usize {
        self.inputs.iter().map(Taken::elements).sum()
    }

    /// The array of each input in an archive; that of an only input may be called `x`.
    pub(crate) fn arrays(&self, archive: &[u8]) -> Result<Vec<Array>, String> {
        let (mut arrays, mut missing, mut present) = (Vec::new(), Vec::new(), String::new());
        for input in &self.inputs {
            let read = match npz::read_npz_array(archive, &input.name) {
                Err(NpzError::Missing { .. }) if self.inputs.len() == 1 => {
                    npz::read_npz_array(archive, "x")
                }
                other => other,
            };
            match read {
                Ok(array) => arrays.push(array),
                Err(NpzError::Missing { present: names, .. }) => {
                    missing.push(format!("{:?}", input.name));
                    present = names;
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        if missing.is_empty() {
            return Ok(arrays);
        }
        let other = if self.inputs.len() == 1 { " or x" } else { "" };
        Err(format!(
            "no array {}{other} in the archive; it holds {present}; the model takes {self}",
            missing.join(", ")
        ))
    }

    /// Rows of the arrays of all inputs.
    pub(crate) fn rows(&self, arrays: &[Array]) -> Result<Vec<Vec<f32>>, String> {
        if arrays.len() != self.inputs.len() {
            let found = arrays.len();
            return Err(format!(
                "{found} array for a model that takes {self}; give .npz with an array for each"
            ));
        }
        let count = arrays.first().and_then(|array| array.shape.first());
        let count = count.copied().unwrap_or(0);
        let mut rows: Vec<Vec<f32>> = (0..count)
            .map(|_| Vec::with_capacity(self.elements()))
            .collect();
        for (input, array) in self.inputs.iter().zip(arrays) {
            let numbers = input.numbers(array, count)?;
            for (row, part) in rows.iter_mut().zip(numbers.chunks_exact(input.elements())) {
                row.extend_from_slice(part);
            }
        }
        Ok(rows)
    }

    /// `count` rows that are made up, the same for the same model.
    pub(crate) fn noise(&self, count: usize) -> Vec<Vec<f32>> {
        let mut noise = Noise::default();
        let mut row = |_| {
            let inputs = self.inputs.iter();
            inputs.flat_map(|input| input.noise(&mut noise)).collect()
        };
        (0..count).map(&mut row).collect()
    }
}

impl Taken {
    fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// The numbers of `count` rows.
    fn numbers(&self, array: &Array, count: usize) -> Result<Vec<f32>, String> {
        let Self { name, shape, .. } = self;
        let expected = count.checked_mul(self.elements());
        let rows = array.shape.first().copied().unwrap_or(0);
        if count == 0 || self.elements() == 0 || rows != count || expected != Some(array.len()) {
            return Err(format!(
                "array {name} has shape {:?}; the model takes {count} rows of {shape:?} (a named dimension \
                 has the value that --dim gives)",
                array.shape
            ));
        }
        let numbers = array.to_f32();
        let fits = |number: &f32| {
            #[expect(clippy::cast_precision_loss, reason = "a power of two")]
            let most = WHOLE_MAX as f32;
            number.fract() == 0.0 && number.abs() < most
        };
        match numbers.iter().find(|number| self.whole && !fits(number)) {
            None => Ok(numbers),
            Some(bad) => Err(format!(
                "array {name} holds {bad}; the model takes whole numbers there, below {WHOLE_MAX}"
            )),
        }
    }

    fn noise(&self, noise: &mut Noise) -> Vec<f32> {
        let number = |_| match (self.whole, self.table_rows) {
            (true, Some(rows)) => noise.below(rows),
            (true, None) => 1.0,
            (false, _) => f32::from(noise.byte()) / 127.5 - 1.0,
        };
        (0..self.elements()).map(number).collect()
    }
}

impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, input) in self.inputs.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let Taken { name, shape, .. } = input;
            let numbers = if input.whole { " whole numbers" } else { "" };
            write!(f, "{comma}{name} {shape:?}{numbers}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use selfsame_compiler::npz::ArrayData;

    use super::*;

    fn takes() -> Takes {
        let taken = |name: &str, whole, table_rows| Taken {
            name: name.to_owned(),
            shape: vec![2],
            whole,
            table_rows,
        };
        Takes {
            inputs: vec![
                taken("ids", true, Some(300)),
                taken("mask", true, None),
                taken("place", false, None),
            ],
        }
    }

    #[test]
    fn a_row_is_the_rows_of_all_arrays_behind_one_another() {
        let ints = |from: i64| Array {
            shape: vec![2, 2],
            data: ArrayData::Int((from..from + 4).collect()),
        };
        let mut arrays = [ints(0), ints(10), ints(20)];
        let rows = takes().rows(&arrays);
        let expected = [[0, 1, 10, 11, 20, 21], [2, 3, 12, 13, 22, 23]];
        let expected = expected.map(|row: [u8; 6]| row.map(f32::from).to_vec());
        assert_eq!(rows, Ok(expected.to_vec()));
        arrays[1].shape = vec![1, 4];
        let error = takes().rows(&arrays).expect_err("another number of rows");
        assert!(error.contains("array mask has shape [1, 4]"), "{error}");
        arrays[1] = Array {
            shape: vec![2, 2],
            data: ArrayData::F32(vec![0.5; 4]),
        };
        let error = takes().rows(&arrays).expect_err("no whole numbers");
        assert!(error.contains("mask holds 0.5"), "{error}");
        let error = takes().rows(&arrays[..1]).expect_err("one array");
        assert!(error.contains("ids [2] whole numbers, mask [2]"), "{error}");
    }

    #[test]
    fn the_array_of_an_only_input_has_its_name_or_is_called_x() {
        let archive = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/data/digits.npz");
        let archive = std::fs::read(archive).expect("is shipped");
        let only = |name: &str| Takes {
            inputs: vec![Taken {
                name: name.to_owned(),
                ..takes().inputs[2].clone()
            }],
        };
        for (name, shape) in [
            ("x", vec![1797, 64]),
            ("pixels", vec![1797, 64]),
            ("y", vec![1797]),
        ] {
            let arrays = only(name).arrays(&archive).expect("is there");
            assert_eq!(arrays[0].shape, shape, "{name}");
        }
        let error = takes().arrays(&archive).expect_err("three inputs");
        assert!(
            error.contains("no array \"ids\", \"mask\", \"place\""),
            "{error}"
        );
    }

    #[test]
    fn made_up_ids_lie_in_their_table_and_masks_are_ones() {
        let rows = takes().noise(64);
        let ids = || rows.iter().flat_map(|row| &row[..2]);
        assert!(ids().all(|&id| id.fract() == 0.0 && (0.0..300.0).contains(&id)));
        assert!(ids().any(|&id| 256.0 <= id), "of more than a byte");
        assert!(rows.iter().all(|row| row[2..4] == [1.0, 1.0]));
        assert!(rows.iter().flatten().all(|number| number.is_finite()));
    }
}

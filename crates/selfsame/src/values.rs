//! Numbers to input tensors, one for each sample, by the rules of the model's interface.
//!
//! ```text
//! floats    q = clamp(floor(x * multiplier / 2^shift + 1/2)), source order
//! pixels    q = table[channel][sample], from pictures and from arrays of u8
//! integers  taken as they are, in the program's order
//! ```
//!
//! Spec: interface, 6.2 to 6.4.

use selfsame_interpreter::check_input;
use selfsame_ir::{DType, Tensor, TensorError};
use selfsame_kernels::Width;

use crate::error::{InputError, RunError};
use crate::model::Model;
use crate::order::Order;
use crate::runner::{samples, zeros};
use crate::scale::{Integer, quantize};

/// Numbers of whole samples, flat.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// For the float rule.
    Floats(Vec<f32>),
    /// For the pixel rule, or the float rule where a model takes no pictures.
    Samples(Vec<u8>),
    /// The program's own integers.
    Integers(Vec<i32>),
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Self::Floats(floats) => floats.len(),
            Self::Samples(samples) => samples.len(),
            Self::Integers(integers) => integers.len(),
        }
    }
}

impl Model {
    /// Cuts flat values into samples and brings each into the program's integers.
    pub fn tensors(&self, values: &Values) -> Result<Vec<Tensor>, InputError> {
        samples(values.len(), self.input())?;
        let (sample, dtype) = (self.input().elements(), self.input().dtype);
        let order = Order::new(&self.interface().input, sample);
        match values {
            Values::Integers(integers) => integers
                .chunks_exact(sample)
                .map(|row| Ok(Tensor::from_values(dtype, row)?))
                .collect(),
            Values::Floats(floats) => floats
                .chunks_exact(sample)
                .map(|row| self.tensor_of_floats(&order, row))
                .collect(),
            Values::Samples(samples) => samples
                .chunks_exact(sample)
                .map(|row| {
                    if self.interface().pixels.is_some() {
                        return self.tensor_of_pixels(|flat| row[order.source_of(flat, sample)]);
                    }
                    let floats: Vec<f32> = row.iter().map(|&sample| f32::from(sample)).collect();
                    self.tensor_of_floats(&order, &floats)
                })
                .collect(),
        }
    }

    fn tensor_of_floats(&self, order: &Order, row: &[f32]) -> Result<Tensor, InputError> {
        fn into<T: Integer>(model: &Model, order: &Order, row: &[f32], to: &mut [T]) -> Made {
            let mut integers = vec![T::default(); row.len()];
            let made = quantize(
                model.interface().input_scale,
                Width::best(),
                row,
                &mut integers,
            );
            made.map_err(|(index, error)| InputError::NotANumber { index, error })?;
            order.to_program(&integers, to);
            Ok(())
        }
        let mut tensor = zeros(self.input(), row.len());
        match &mut tensor {
            Tensor::I8(to) => into(self, order, row, to)?,
            Tensor::I16(to) => into(self, order, row, to)?,
            Tensor::I32(to) => into(self, order, row, to)?,
        }
        Ok(tensor)
    }

    /// One picture: `sample(flat)` is the sample of the program's element `flat`, which stands
    /// `[height][width][channels]`.
    ///
    /// Spec: interface, 6.3.
    pub fn tensor_of_pixels(&self, sample: impl Fn(usize) -> u8) -> Result<Tensor, InputError> {
        let rule = self.interface().pixels.as_ref();
        let rule = rule.ok_or(InputError::NoPictures)?;
        let look_up = |flat: usize| {
            let table = rule.tables.get(flat % rule.tables.len().max(1))?;
            table.get(usize::from(sample(flat))).copied()
        };
        let integers: Option<Vec<i8>> = (0..self.input().elements()).map(look_up).collect();
        integers.map(Tensor::I8).ok_or(InputError::NoPictures)
    }

    /// Canonical bytes to a checked input tensor.
    pub fn tensor_of_bytes(&self, bytes: &[u8]) -> Result<Tensor, RunError> {
        let port = self.input();
        let input = Tensor::from_bytes(port.dtype, port.elements(), bytes);
        let input = input.map_err(InputError::Tensor)?;
        check_input(self.program(), self.values(), &input)?;
        Ok(input)
    }
}

type Made = Result<(), InputError>;

/// `len` integers that touch the whole range of eight bits, the same in every run: for timings.
pub fn patterned(dtype: DType, len: usize) -> Result<Tensor, TensorError> {
    let mut state = 1_u32;
    let values: Vec<i32> = (0..len)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            i32::try_from(state >> 24).unwrap_or(0) % 128
        })
        .collect();
    Tensor::from_values(dtype, &values)
}

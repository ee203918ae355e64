//! Random checked programs with inputs, from a seed.
//!
//! Distribution (of [`case`] over its index, for any seed):
//! * a program has an input and 1 to 6 times a computed node or a chain of several; each of the
//!   eleven operators is met at least 100 times in 1,000 programs;
//! * chains are a softmax, a norm, and a product of rows that were quantised by their own magnitude;
//! * four families: *plain* (60 %: extents 1 to 11, channels 1 to 12, odd and prime ones included),
//!   *deep* (8 %: a small plane of 400 to 1,000 channels, convolutions with K above 4,096),
//!   *long* (12 %: a row of 4,100 to 16,384 elements, K above 4,096), *symbolic* (20 %: the leading
//!   extent is affine in a symbol, run at a value within its bounds; nodes that work on rows have it in
//!   rows, columns and terms, and make outputs that are quadratic in it);
//! * sources are drawn from all earlier nodes of a fitting type, and seen through random shapes of
//!   the same size (views); addends are drawn among all nodes of the output's size and of any type;
//! * windows draw kernels 1 to 5, strides, dilations 1 to 3 and uneven pads, sometimes so wide that a
//!   window lies in padding altogether; groups are drawn among the divisors, depthwise included;
//! * walks of moves are whole, sliced, stepped, reversed, padded, repeated, spread out with fill between, or
//!   one cell for all; concatenations have 2 to 5 inputs, sometimes as many as are allowed; the second
//!   operand of a pointwise node is an input or a constant, laid in each of the four ways;
//! * multipliers and shifts are drawn for outputs of a few, of most and of far more units than the
//!   clamp holds, so that saturation is reached on both sides; biases reach their limits;
//! * a row factor or a center is an earlier value of the row, or a new reduction of any kind; indices
//!   of embeddings are anything, or what an argmax found;
//! * inputs are uniform, extreme, sparse, or (i32) small.
//!
//! [`crate::operators::features`] counts what was met; the suites assert the counts.

#![expect(
    clippy::missing_panics_doc,
    reason = "a test tool: its panics are its own faults"
)]

mod chains;
mod draft;
mod elements;
mod linear;
mod rng;
mod rows;
mod size;

use selfsame_ir::{
    CheckedProgram, DType, DimValues, Interface, Layout, ProgramError, Ratio, Tensor,
};

use draft::Draft;
pub use rng::Rng;

/// A program, values of its symbols, and an input.
#[derive(Debug, Clone)]
pub struct Case {
    /// The program.
    pub program: CheckedProgram,
    /// Values within the bounds of its symbols.
    pub values: DimValues,
    /// One sample.
    pub input: Tensor,
}

impl Case {
    /// The same program at other values of its symbols, with a new input from `seed`.
    ///
    /// # Panics
    ///
    /// If a value lies outside of its bounds.
    #[must_use]
    pub fn at(&self, values: DimValues, seed: u64) -> Self {
        let (elements, dtype) = self
            .program
            .output_of(0, &values)
            .expect("values in bounds");
        let len = usize::try_from(elements).expect("small inputs");
        Self {
            program: self.program.clone(),
            values,
            input: drawn(&mut Rng::new(seed, elements), dtype, len),
        }
    }
}

/// Case `index` of `seed`; the same two numbers always give the same case.
///
/// An error is a fault of the generator (or of the check): every program it drafts is well formed.
pub fn case(seed: u64, index: u64) -> Result<Case, ProgramError> {
    let mut rng = Rng::new(seed, index);
    let mut draft = Draft::new(&mut rng);
    let wanted = 1 + draft.rng.below(6);
    for _ in 0..wanted {
        draft.grow();
    }
    let values = draft.values();
    let program = CheckedProgram::new(draft.finish())?;
    let (elements, dtype) = program.output_of(0, &values).unwrap_or((0, DType::I8));
    let input = drawn(&mut rng, dtype, usize::try_from(elements).unwrap_or(0));
    Ok(Case {
        program,
        values,
        input,
    })
}

/// `len` values of `dtype`: uniform, extreme, sparse, or small i32.
fn drawn(rng: &mut Rng, dtype: DType, len: usize) -> Tensor {
    let (low, high) = dtype.range();
    let (low, high) = (i64::from(low), i64::from(high));
    let style = rng.below(8);
    let values: Vec<i32> = (0..len)
        .map(|_| match style {
            0 => rng.pick(&[low, high]),
            1 if rng.chance(90) => 0,
            2 => high,
            3..=5 if dtype == DType::I32 => rng.range(-3, 70),
            _ => rng.range(low, high),
        })
        .map(|value| i32::try_from(value).expect("within an element type"))
        .collect();
    Tensor::from_values(dtype, &values).expect("drawn within the type's range")
}

/// The interface of a program that nobody looks at.
pub(crate) fn plain_interface() -> Interface {
    let one = Ratio {
        multiplier: 1,
        shift: 0,
    };
    Interface {
        input_scale: one,
        input: Layout::default(),
        pixels: None,
        output_scale: one,
        output: Layout::default(),
        labels: Vec::new(),
    }
}

//! MATMUL: dense nodes, by rows with factors of their own or on one scale for all.
//!
//! ```text
//! one scale      y = sum x*w * (M / 2^s)
//! row factors    t = sum x*w * (M / 2^s),  y = (t * g + bias * 2^15 + ..) / 2^S
//! ```
//!
//! S is as large as `|t| < 2^31`, a bias of 30 bits and an addend multiplier of 15 bits allow.

use selfsame_ir::{ChannelConstants, DType, FactorShift, Linear};
use selfsame_protocol::constants::{
    BIAS_MAX, FACTOR_BITS, MULTIPLIER_MAX, SHIFT_MAX, TERMS_MAX, TERMS_WIDE_MAX,
};

use super::chain::Chain;
use super::emit::{Narrowed, Place};
use super::error::CompileError;
use super::layout::Layout;
use super::linear::{LinearSpec, permute_columns};
use super::partial::{MatMulShape, Operands, Target, matmul};
use super::planes::Finer;
use super::program::Lowering;
use crate::float::{self, FloatOp};
use crate::quant::{INT8_LEVELS, INT16_HEADROOM_LEVELS, power, requantizer, to_i8, to_i32};

/// Below this a dense node reads int16: rows of int8 would cost it more than its weights do.
const ROW_SNR_DB_MIN: f64 = 35.0;

impl Lowering<'_> {
    /// The dense node of a chain, with what is added and applied behind it.
    pub(super) fn dense(&mut self, chain: &Chain) -> Result<Place, CompileError> {
        let node = self.node(chain.body).clone();
        let FloatOp::Dense(linear) = &node.op else {
            unreachable!("the caller matched")
        };
        let terms = linear.row_len();
        let rows = node.elements() / linear.outputs;
        let (input, weights) = self.dense_input(chain.body, rows, linear)?;
        let layout = if rows == 1 {
            Layout::flat(linear.outputs)
        } else {
            input.layout.rows(terms).widened(linear.outputs)
        };
        let quantized = self.linear(chain, &input, &weights, &linear.bias, &layout)?;
        let name = self.node(chain.end).name.clone();
        let shape = MatMulShape {
            rows,
            terms,
            outputs: linear.outputs,
            dtype: input.dtype,
            factor: quantized.factor,
        };
        let mut addend = quantized.addend;
        if let Some(Finer { linear, step }) = quantized.finer {
            let target = Target {
                place: (layout.clone(), DType::I32, step),
                float: None,
            };
            let operands = Operands {
                x: &input,
                addend: addend.as_ref(),
            };
            let finer = matmul(&mut self.emitter, &name, shape, linear, operands, target)?;
            addend = Some(finer);
        }
        let target = Target {
            place: (layout, quantized.dtype, quantized.step),
            float: Some(quantized.float),
        };
        let operands = Operands {
            x: &input,
            addend: addend.as_ref(),
        };
        let place = matmul(
            &mut self.emitter,
            &name,
            shape,
            quantized.linear,
            operands,
            target,
        )?;
        self.applied(chain, place, quantized.float)
    }

    /// The input of a dense node, and its weights in the order of the input's columns.
    fn dense_input(
        &mut self,
        body: usize,
        rows: usize,
        linear: &float::Linear,
    ) -> Result<(Place, Vec<f32>), CompileError> {
        let (name, index) = (self.node(body).name.clone(), self.node(body).inputs[0]);
        let name = name.as_str();
        let terms = linear.row_len();
        let place = self.place(index);
        if place.factor.is_some_and(|factor| factor.columns == terms) {
            return Ok((place, linear.weights.clone()));
        }
        let place = self.settled(name, index)?;
        let place = self.narrow(name, index, place)?;
        // One row takes its columns in whatever order they stand.
        if rows == 1 {
            let weights = permute_columns(linear, &place.layout.source());
            let direct = place.dtype == DType::I8 || terms <= TERMS_WIDE_MAX as usize;
            let place = if direct {
                place
            } else {
                self.as_bytes(name, index, place)?
            };
            return Ok((place, weights));
        }
        let place = if place.layout.has_rows(terms) {
            place
        } else {
            self.emitter
                .arrange(name, place, &Layout::flat(rows * terms))?
        };
        let loses = self.calibration.row_snr_db(body) < ROW_SNR_DB_MIN;
        let place = match place.dtype {
            DType::I16 if loses && terms <= TERMS_WIDE_MAX as usize => place,
            DType::I16 if terms <= TERMS_MAX as usize => {
                self.emitter.narrowed.push(Narrowed::Rows {
                    float: index,
                    columns: terms,
                });
                self.emitter.quantize_rows(name, &place, terms)?
            }
            DType::I16 => self.as_bytes(name, index, place)?,
            DType::I8 | DType::I32 => place,
        };
        Ok((place, linear.weights.clone()))
    }
}

impl LinearSpec<'_> {
    /// The integers of a node whose rows have factors; `largest` is the input's largest integer.
    pub(super) fn quantize_factored(
        &self,
        largest: f64,
    ) -> Result<(Linear, FactorShift), CompileError> {
        let scale = |channel| CompileError::Scale {
            node: self.name.to_owned(),
            channel,
        };
        let step_sum = self.step_sum();
        let terms = self.weights.len() / self.bias.len().max(1);
        let rows: Vec<(&[f32], f64)> = self
            .weights
            .chunks_exact(terms)
            .map(|row| (row, weight_step(row)))
            .collect();
        let ratio = |step: f64| self.step_in * step / step_sum;
        let addend = self.addend.map_or(0.0, |(_, step)| step / step_sum);
        let biases: Vec<f64> = self
            .bias
            .iter()
            .map(|&b| f64::from(b) - self.center())
            .collect();
        let bias = biases.iter().fold(0.0_f64, |m, b| m.max(b.abs())) / step_sum;
        let bits = u32::from(FACTOR_BITS);
        let fits = |shift: &u32| {
            let sum_fits = |&(row, step): &(&[f32], f64)| {
                let scaled = ratio(step) * power(*shift);
                let sum: f64 = row.iter().map(|w| f64::from(w.abs()) / step + 1.0).sum();
                scaled * sum * largest < power(31) && scaled <= INT16_HEADROOM_LEVELS
            };
            bias * power(shift - bits) <= f64::from(BIAS_MAX)
                && (addend * power(shift - bits)).round() <= f64::from(MULTIPLIER_MAX)
                && rows.iter().all(sum_fits)
        };
        let shift = (bits..=SHIFT_MAX)
            .rev()
            .find(fits)
            .ok_or_else(|| scale(0))?;
        let unit = power(shift - bits);
        let mut weights = Vec::with_capacity(self.weights.len());
        let mut constants = Vec::with_capacity(rows.len());
        for (channel, (&(row, step), bias)) in rows.iter().zip(biases).enumerate() {
            let wanted = ratio(step) * power(shift);
            let (multiplier, own) = requantizer(wanted, SHIFT_MAX).ok_or_else(|| scale(channel))?;
            // Made to measure for the multiplier, as without factors.
            let exact = f64::from(multiplier) / power(own) / power(shift);
            let exact_step = exact * step_sum / self.step_in;
            weights.extend(row.iter().map(|&w| to_i8(f64::from(w) / exact_step)));
            constants.push(ChannelConstants {
                bias: to_i32(bias / step_sum * unit),
                multiplier: i32::try_from(multiplier).map_err(|_| scale(channel))?,
                addend_multiplier: to_i32(addend * unit),
                shift: i32::try_from(own).map_err(|_| scale(channel))?,
            });
        }
        let shift = u8::try_from(shift).map_err(|_| scale(0))?;
        Ok((self.node(weights, constants), FactorShift(shift)))
    }
}

/// Real value of one unit of a row of weights.
fn weight_step(row: &[f32]) -> f64 {
    let largest = row.iter().fold(0.0_f64, |m, w| m.max(f64::from(w.abs())));
    (largest / INT8_LEVELS).max(1e-12)
}

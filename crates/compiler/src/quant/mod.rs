//! From floats to integers: what calibration sees, and how scales become multipliers and shifts.

mod calibration;
mod channel;
mod histogram;
mod levels;
mod ranges;
mod ratio;
mod row_loss;
mod threads;

pub use calibration::{Calibration, CalibrationError, TrainingRows};
pub(crate) use channel::{ChannelInput, QuantizedChannel, quantize_channel};
pub(crate) use histogram::Bins;
#[cfg(test)]
pub(crate) use histogram::Histogram;
pub(crate) use levels::{
    INT8_LEVELS, INT16_HEADROOM_LEVELS, INT16_LEVELS, decibels, to_i8, to_i16, to_i32,
};
pub(crate) use ratio::{exact_ratio, input_ratio, output_ratio, power, ratio_value, requantizer};
pub(crate) use threads::map_rows;

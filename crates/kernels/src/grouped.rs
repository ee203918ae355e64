//! Convolution in groups: one element after the other, with the same requantisation.
//!
//! Spec: operators, 2.13.

use crate::finish::{self, Addend, Output};
use crate::linear::Linear;

/// `output` rows `rows` from the stored `input`; ranges as [`Linear::run`] checked them.
pub(crate) fn run(
    linear: &Linear,
    input: &[u8],
    addend: Addend,
    output: &mut Output,
    rows: std::ops::Range<usize>,
) {
    let grid = linear.output();
    let outputs = grid.channels();
    for y in rows.clone() {
        for x in 0..grid.width() {
            let to = grid.index(y, x) - grid.index(rows.start, 0) + grid.halo()[1] * outputs;
            for o in 0..outputs {
                let second = match addend {
                    Addend::None => 0,
                    Addend::I8(data, grid) => {
                        i32::from((data[grid.index(y, x) + o] ^ linear.flip()) as i8)
                    }
                    Addend::I16(data, grid) => i32::from(data[grid.index(y, x) + o]),
                    Addend::I32(data, grid) => data[grid.index(y, x) + o],
                };
                let v = element(linear, input, (y, x, o), second);
                match output {
                    Output::I8(data) => data[to + o] = v as i8 as u8 ^ linear.flip(),
                    Output::I16(data) => data[to + o] = v as i16,
                    Output::I32(data) => data[to + o] = v,
                }
            }
        }
    }
}

fn element(linear: &Linear, input: &[u8], (y, x, o): (usize, usize, usize), addend: i32) -> i32 {
    let window = linear.window_at(y, x);
    let group_outputs = linear.output().channels() / linear.group_count();
    let runs = linear.runs();
    let first = o / group_outputs * runs.run_len;
    let weights = linear.plain_weights();
    let mut acc = linear.bias(o);
    for (r, start) in runs.starts.iter().enumerate() {
        for k in 0..runs.run_len {
            let x = (input[window + start + first + k] ^ linear.flip()) as i8;
            let w = weights[(o * runs.starts.len() + r) * runs.run_len + k];
            acc = acc.wrapping_add(i32::from(x) * i32::from(w));
        }
    }
    let [m, a, s] = linear.scale(o);
    let rule = linear.rule();
    let v = finish::requantize(acc, m, addend, a, s, &rule);
    rule.table
        .map_or(v, |table| i32::from(table[usize::from((v + 128) as u8)]))
}

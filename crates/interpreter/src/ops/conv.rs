//! CONV. Spec: operators, 2.13.

use selfsame_ir::{Conv, DimValues, Tensor};

use crate::ops::linear::finish;
use crate::ops::pool::Cells;
use crate::ops::read;

pub(crate) fn element(op: &Conv, values: &DimValues, inputs: &[&Tensor], index: u64) -> i32 {
    let Some(cells) = Cells::new(&op.window, op.height, op.width, values) else {
        return 0;
    };
    let out_channels = u64::from(op.out_channels).max(1);
    let (position, channel) = (index / out_channels, index % out_channels);
    let groups = u64::from(op.groups).max(1);
    let per_group = u64::from(op.channels) / groups;
    let group = channel / (out_channels / groups).max(1);
    let row = channel * op.window.cells() * per_group;
    let weights = &*op.linear.weights;
    let mut sum = 0_i64;
    for (cell, at) in cells.around(position) {
        // Cells outside the input count as 0.
        let Some(at) = at else { continue };
        let first = at * u64::from(op.channels) + group * per_group;
        for c in 0..per_group {
            let weight = usize::try_from(row + cell * per_group + c).unwrap_or(usize::MAX);
            let weight = weights.get(weight).copied().unwrap_or(0);
            sum += i64::from(read(inputs, 0, first + c)) * i64::from(weight);
        }
    }
    finish(&op.linear, inputs, channel, index, sum, None)
}

//! The plainest linear node; tests name what they are about.

use selfsame_kernels::{Bits, Grid, LinearSpec};

/// A product of the rows of `input` by `weights: [outputs][channels]`, all of 32 bits written.
pub(crate) fn product<'a>(
    input: Grid,
    output: Grid,
    weights: &'a [i8],
    constants: &'a [[i32; 4]],
) -> LinearSpec<'a> {
    LinearSpec {
        input,
        bits: Bits::Eight,
        non_negative: false,
        output,
        kernel: [1, 1],
        stride: [1, 1],
        dilation: [1, 1],
        pad: [0, 0],
        groups: 1,
        channel_offset: 0,
        channel_count: input.channels(),
        weights,
        constants,
        addend_max: 0,
        lo: i32::MIN,
        hi: i32::MAX,
        table: None,
        factor_shift: None,
    }
}

//! Times single linear nodes on the kernels of this machine: microseconds and GMAC/s, on stderr.
//!
//! Arguments: a part of the kernel's name, and the number of one layer.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::naive_bytecount,
    reason = "a measurement; figures are rounded for people"
)]

use std::time::Instant;

use selfsame_kernels::{Bits, Bytes, Grid, Kernel, Linear, LinearSpec, Operands, Output};

/// Height, width, channels in, window, stride, pad, channels out.
const LAYERS: [[usize; 7]; 12] = [
    [28, 28, 1, 5, 1, 2, 6],
    [14, 14, 6, 5, 1, 0, 16],
    [1, 1, 400, 1, 1, 0, 120],
    [1, 1, 120, 1, 1, 0, 84],
    [1, 1, 64, 1, 1, 0, 32],
    [28, 28, 1, 3, 1, 1, 16],
    [28, 28, 16, 3, 1, 1, 16],
    [28, 28, 16, 3, 2, 1, 32],
    [14, 14, 32, 3, 1, 1, 32],
    [7, 7, 64, 3, 1, 1, 64],
    [56, 56, 64, 3, 1, 1, 64],
    [1, 128, 384, 1, 1, 0, 1536],
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = arguments.first().map_or("", String::as_str);
    let one: Option<usize> = arguments.get(1).and_then(|n| n.parse().ok());
    for kernel in Kernel::available() {
        for (layer, [h, w, c, k, stride, pad, o]) in LAYERS.into_iter().enumerate() {
            if !kernel.name().contains(wanted) || one.is_some_and(|one| one != layer) {
                continue;
            }
            let input = Grid::new(h, w, c, [pad; 4]).expect("small");
            let side = |n: usize| (n + 2 * pad - k) / stride + 1;
            let output = Grid::dense(side(h), side(w), o).expect("small");
            let weights: Vec<i8> = (0..o * k * k * c)
                .map(|i| (i * 31 % 255) as i8 | 1)
                .collect();
            let constants = vec![[5, 20_000, 0, 28]; o];
            let spec = LinearSpec {
                input,
                bits: Bits::Eight,
                non_negative: false,
                output,
                kernel: [k, k],
                stride: [stride, stride],
                dilation: [1, 1],
                pad: [pad, pad],
                groups: 1,
                channel_offset: 0,
                channel_count: c,
                weights: &weights,
                constants: &constants,
                addend_max: 0,
                lo: 0,
                hi: 127,
                table: None,
                factor_shift: None,
            };
            let linear = Linear::new(kernel, &spec).expect("valid");
            let x = Bytes::filled(input.len(), 0x85);
            let mut y = vec![0_u8; output.len()];
            let count = (20_000_000 / linear.macs().max(2000)).max(3);
            let mut best = f64::MAX;
            for _ in 0..100 {
                let start = Instant::now();
                for _ in 0..count {
                    linear.run(&Operands::from(&x), Output::I8(&mut y), 0..output.height());
                }
                best = best.min(start.elapsed().as_secs_f64() / count as f64);
            }
            eprintln!(
                "{:12} [{h}][{w}][{c}] k{k} s{stride} -> {o}: {:9.3} us {:7.1} GMAC/s",
                kernel.name(),
                best * 1e6,
                linear.macs() as f64 / best * 1e-9
            );
        }
    }
}

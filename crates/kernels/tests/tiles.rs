//! Sizes at which tiles change their shape: all kernels of this machine give the portable bits.
//!
//! A tile has up to 16 positions, 16 channels and 64 bytes of a run; two tiles of positions go
//! together, runs are padded to equal steps, and few positions take another path. The random tests
//! of `linear` and `rows` seldom meet these sizes, so they are listed here.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "small test data with known ranges"
)]

mod specs;

use selfsame_kernels::{
    BatchOperands, BatchProduct, BatchSpec, Bits, Bytes, Grid, Kernel, Linear, LinearSpec,
    Operands, Output, Stored,
};

/// Positions around whole tiles, pairs of them and strips.
const POSITIONS: [usize; 10] = [1, 3, 4, 15, 16, 17, 20, 32, 33, 66];
/// Output channels: blocks of one, two and four vectors, whole and in part.
const CHANNELS: [usize; 4] = [1, 17, 64, 113];
/// Bytes of a run: less than a group, whole steps, steps that want padding (148 bytes are 37 groups).
const RUNS: [usize; 9] = [1, 5, 62, 64, 65, 127, 144, 148, 389];

/// Number `i` of a sequence that looks random, in -127..=127.
fn mixed(i: usize) -> i8 {
    let mixed = (i as u32)
        .wrapping_mul(0x9e37_79b1)
        .wrapping_add(0x7f4a_7c15);
    ((mixed ^ mixed >> 15) as i8).max(-127)
}

fn stored(x: &[i8], flip: u8) -> Bytes {
    let mut bytes = Bytes::filled(x.len(), flip);
    for (to, &x) in bytes.iter_mut().zip(x) {
        *to = x as u8 ^ flip;
    }
    bytes
}

/// Accumulators, halved and rounded, of a convolution without padding.
fn sums(kernel: Kernel, input: Grid, window: usize, stride: usize, outputs: usize) -> Vec<i32> {
    let side = |n: usize| (n - window) / stride + 1;
    let height = if window == 1 { 1 } else { side(input.height()) };
    let output = Grid::dense(height, side(input.width()), outputs).expect("small");
    let x: Vec<i8> = (0..input.len()).map(mixed).collect();
    let terms = window * window * input.channels();
    let weights: Vec<i8> = (0..outputs * terms).map(|i| mixed(3 * i + 1)).collect();
    let constants: Vec<[i32; 4]> = (0..outputs)
        .map(|o| [o as i32 * 991 - 7, 1, 0, 1])
        .collect();
    let spec = LinearSpec {
        kernel: [window, window],
        stride: [stride, stride],
        ..specs::product(input, output, &weights, &constants)
    };
    let linear = Linear::new(kernel, &spec).expect("valid");
    let x = stored(&x, kernel.flip());
    let mut y = vec![0; output.len()];
    linear.run(&Operands::from(&x), Output::I32(&mut y), 0..output.height());
    y
}

fn every_kernel_agrees(what: &str, run: impl Fn(Kernel) -> Vec<i32>) {
    let want = run(Kernel::PORTABLE);
    for kernel in Kernel::available() {
        assert_eq!(run(kernel), want, "{} {what}", kernel.name());
    }
}

#[test]
fn products_of_rows_agree_at_the_edges_of_tiles() {
    for (positions, run) in POSITIONS.into_iter().flat_map(|p| RUNS.map(|r| (p, r))) {
        for outputs in CHANNELS {
            let input = Grid::dense(1, positions, run).expect("small");
            let what = format!("{positions} x {run} x {outputs}");
            every_kernel_agrees(&what, |kernel| sums(kernel, input, 1, 1, outputs));
        }
    }
}

#[test]
fn convolutions_agree_at_the_edges_of_tiles() {
    for [side, channels, window, stride, outputs] in [
        [4, 32, 3, 1, 20],
        [7, 64, 3, 1, 64],
        [9, 24, 3, 2, 40],
        [19, 3, 7, 2, 64],
        [19, 48, 3, 1, 17],
        [36, 5, 3, 1, 33],
        [20, 1, 5, 1, 12],
    ] {
        let input = Grid::dense(side, side, channels).expect("small");
        let what = format!("{side} x {side} x {channels}, window {window}, to {outputs}");
        every_kernel_agrees(&what, |kernel| sums(kernel, input, window, stride, outputs));
    }
}

/// Accumulators, halved and rounded, of a product of two inputs.
fn pair_sums(kernel: Kernel, [rows, columns, k]: [usize; 3]) -> Vec<i32> {
    let spec = BatchSpec {
        batch: 2,
        group: 1,
        rows,
        columns,
        k,
        bits: Bits::Eight,
        x_interleaved: true,
        y_interleaved: false,
        output_interleaved: false,
        multiplier: 1,
        shift: 1,
        factor_shift: None,
        lo: i32::MIN,
        hi: i32::MAX,
    };
    let product = BatchProduct::new(kernel, &spec).expect("valid");
    let numbers = |n: usize, from: usize| -> Vec<i8> { (from..from + n).map(mixed).collect() };
    let x = stored(&numbers(2 * rows * k, 5), kernel.flip());
    let y = stored(&numbers(2 * columns * k, 77), kernel.flip());
    // What was there before must not matter.
    let mut packed = Bytes::filled(product.packed_bytes(), 0xa5);
    for (b, packed) in packed.chunks_exact_mut(product.packed_len()).enumerate() {
        product.pack(&y, b, packed);
    }
    let operands = BatchOperands {
        x: Stored::Bytes(&x),
        packed: &packed,
        factor: None,
    };
    let mut sums = vec![0; 2 * rows * columns];
    product.run(&operands, Output::I32(&mut sums), 0..product.units());
    sums
}

#[test]
fn products_of_two_inputs_agree_at_the_edges_of_tiles() {
    for (rows, k) in POSITIONS.into_iter().flat_map(|r| RUNS.map(|k| (r, k))) {
        for columns in [1, 17, 66] {
            let what = format!("{rows} x {k} x {columns}");
            every_kernel_agrees(&what, |kernel| pair_sums(kernel, [rows, columns, k]));
        }
    }
}

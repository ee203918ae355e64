//! Pools give the bits of the formula on every kernel, with halos, padding and odd sizes.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::naive_bytecount,
    reason = "small test data with known ranges"
)]

mod cases;

use proptest::prelude::*;
use selfsame_kernels::{
    Average, Grid, Kernel, Output, PoolSpec, average_pool, max_pool, max_pool_bytes,
};

#[derive(Debug, Clone)]
struct Case {
    spec: PoolSpec,
    x: Vec<i8>,
}

impl Case {
    /// The cells of window (`y`, `x`) for channel `c` that lie inside the input.
    fn cells(&self, y: usize, x: usize, c: usize) -> Vec<i8> {
        let PoolSpec {
            input,
            kernel,
            stride,
            pad,
            ..
        } = self.spec;
        let mut cells = Vec::new();
        for (i, j) in (0..kernel[0]).flat_map(|i| (0..kernel[1]).map(move |j| (i, j))) {
            let row = (y * stride[0] + i).wrapping_sub(pad[0]);
            let column = (x * stride[1] + j).wrapping_sub(pad[1]);
            if row < input.height() && column < input.width() {
                cells.push(self.x[(row * input.width() + column) * input.channels() + c]);
            }
        }
        cells
    }

    fn expected<T>(&self, element: impl Fn(&[i8]) -> T) -> Vec<T> {
        let grid = self.spec.output;
        let mut y = Vec::new();
        for (r, c) in (0..grid.height()).flat_map(|r| (0..grid.width()).map(move |c| (r, c))) {
            for channel in 0..grid.channels() {
                y.push(element(&self.cells(r, c, channel)));
            }
        }
        y
    }
}

prop_compose! {
    fn cases()(
        size in [1_usize..12, 1_usize..30],
        channels in prop_oneof![1_usize..9, 14_usize..40, Just(130), Just(4100)],
        kernel in [1_usize..5, 1_usize..5],
        stride in [1_usize..4, 1_usize..4],
        pad in [0_usize..4, 0_usize..4, 0_usize..4, 0_usize..4],
        halo in [0_usize..3, 0_usize..3, 0_usize..3, 0_usize..3],
        seed in any::<u32>(),
    ) -> Case {
        let [height, width] = if channels < 1000 { size } else { size.map(|s| s.min(4)) };
        let mut pad = pad;
        for axis in 0..2 {
            pad[axis] = pad[axis].min(kernel[axis] - 1);
            let span = kernel[axis].saturating_sub([height, width][axis] + pad[axis]);
            pad[axis + 2] = pad[axis + 2].min(kernel[axis] - 1).max(span);
        }
        let side = |axis: usize| {
            ([height, width][axis] + pad[axis] + pad[axis + 2] - kernel[axis]) / stride[axis] + 1
        };
        let input = Grid::new(height, width, channels, halo).expect("small");
        let output = Grid::new(side(0), side(1), channels, [halo[3], halo[0], 0, halo[1]])
            .expect("small");
        let spec = PoolSpec { input, output, kernel, stride, pad: [pad[0], pad[1]] };
        let mixed = |i: u32| (i.wrapping_mul(0x9e37_79b1) ^ seed).wrapping_mul(0x85eb_ca6b);
        let x = (0..input.element_count() as u32).map(|i| (mixed(i) >> 24) as i8).collect();
        Case { spec, x }
    }
}

proptest! {
    #![proptest_config(cases::slice_of(300))]

    #[test]
    fn the_maximum_pool_equals_the_formula(case in cases()) {
        let PoolSpec { input, output, .. } = case.spec;
        let expected = case.expected(|cells| *cells.iter().max().expect("pads are small"));
        for kernel in Kernel::available() {
            let flip = kernel.flip();
            let mut stored = vec![0x55; input.len()];
            input.store(&case.x, flip, &mut stored);
            let mut y = vec![0xaa; output.len()];
            max_pool_bytes(kernel, &case.spec, &stored, &mut y);
            let mut actual = vec![0; output.element_count()];
            output.load(&y, flip, &mut actual);
            prop_assert_eq!(&actual, &expected, "{}", kernel.name());
            let outside = y.iter().filter(|&&b| b == 0xaa).count();
            prop_assert!(output.len() - output.element_count() <= outside, "the halo was written");
        }
        let mut wide = vec![0; input.len()];
        let mut stored = vec![0; input.len()];
        input.store(&case.x, 0, &mut stored);
        for (to, &from) in wide.iter_mut().zip(&stored) {
            *to = i32::from(from as i8) << 20;
        }
        let mut y = vec![0; output.len()];
        max_pool(&case.spec, &wide, &mut y);
        let dense: Vec<i32> = (0..output.height())
            .flat_map(|r| (0..output.width()).map(move |c| (r, c)))
            .flat_map(|(r, c)| y[output.index(r, c)..][..output.channels()].to_vec())
            .collect();
        prop_assert_eq!(dense, case.expected(|c| i32::from(*c.iter().max().expect("small")) << 20));
    }

    #[test]
    fn the_average_pool_equals_the_formula(case in cases(), multiplier in 1..=32_767, shift in 1..=30) {
        let PoolSpec { input, output, .. } = case.spec;
        let average = Average { multiplier, shift, lo: -127, hi: 127 };
        let expected = case.expected(|cells| {
            let sum: i64 = cells.iter().map(|&c| i64::from(c)).sum();
            let rounded = (sum * i64::from(multiplier) + (1 << (shift - 1))) >> shift;
            rounded.clamp(-127, 127) as i8
        });
        for kernel in Kernel::available() {
            let mut stored = vec![0x55; input.len()];
            input.store(&case.x, kernel.flip(), &mut stored);
            let mut y = vec![0; output.len()];
            average_pool(kernel, &case.spec, &average, &stored, &mut Output::I8(&mut y));
            let mut actual = vec![0; output.element_count()];
            output.load(&y, kernel.flip(), &mut actual);
            prop_assert_eq!(&actual, &expected, "{}", kernel.name());
        }
    }
}

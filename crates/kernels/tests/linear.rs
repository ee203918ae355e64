//! Every kernel of this machine gives the bits of the formula, on odd sizes and worst cases.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    clippy::naive_bytecount,
    reason = "small test data with known ranges"
)]

mod cases;
mod specs;

use proptest::prelude::*;
use selfsame_kernels::{
    Addend, Bits, Bytes, Grid, Kernel, Linear, LinearError, LinearSpec, Operands, Output,
    ThreadPool,
};

/// Everything that the formula needs, in plain row-major tensors.
#[derive(Debug, Clone)]
struct Case {
    input: [usize; 3],
    outputs: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    pad: [usize; 4],
    groups: usize,
    x: Vec<i8>,
    w: Vec<i8>,
    constants: Vec<[i32; 4]>,
    addend: Second,
    clamp: [i32; 2],
    table: Option<[i8; 256]>,
    width: Width,
    output_halo: [usize; 4],
    non_negative: bool,
}

#[derive(Debug, Clone)]
enum Second {
    None,
    I8,
    I16,
    I32,
}

#[derive(Debug, Clone, Copy)]
enum Width {
    I8,
    I16,
    I32,
}

impl Case {
    fn output(&self) -> [usize; 3] {
        let side = |i: usize| {
            let padded = self.input[i] + self.pad[i] + self.pad[i + 2];
            (padded - self.dilation[i] * (self.kernel[i] - 1) - 1) / self.stride[i] + 1
        };
        [side(0), side(1), self.outputs]
    }

    /// Element `i` of the second input, wide enough to reach both ends of its type.
    fn addend_at(&self, i: usize) -> i32 {
        let mixed = (i as i32).wrapping_mul(0x9e37_79b1_u32 as i32);
        match self.addend {
            Second::None => 0,
            Second::I8 => i32::from((mixed >> 24) as i8).max(-127),
            Second::I16 => i32::from((mixed >> 16) as i16).max(-32_767),
            Second::I32 => mixed,
        }
    }

    /// The formula of the specification, one element after the other.
    fn expected(&self) -> Vec<i32> {
        let [height, width, channels] = self.input;
        let [rows, columns, outputs] = self.output();
        let per_group = channels / self.groups;
        let mut y = Vec::new();
        for (r, c, o) in (0..rows)
            .flat_map(|r| (0..columns).flat_map(move |c| (0..outputs).map(move |o| (r, c, o))))
        {
            let [bias, m, a, s] = self.constants[o];
            let mut acc = i64::from(bias);
            for (i, j, k) in (0..self.kernel[0]).flat_map(|i| {
                (0..self.kernel[1]).flat_map(move |j| (0..per_group).map(move |k| (i, j, k)))
            }) {
                let top = (r * self.stride[0] + i * self.dilation[0]).wrapping_sub(self.pad[0]);
                let left = (c * self.stride[1] + j * self.dilation[1]).wrapping_sub(self.pad[1]);
                if top < height && left < width {
                    let channel = o / (outputs / self.groups) * per_group + k;
                    let x = self.x[(top * width + left) * channels + channel];
                    let w = ((o * self.kernel[0] + i) * self.kernel[1] + j) * per_group + k;
                    acc += i64::from(x) * i64::from(self.w[w]);
                }
            }
            let second = i64::from(self.addend_at(y.len()));
            let sum = acc * i64::from(m) + second * i64::from(a);
            let rounded = (sum + (1 << (s - 1))) >> s;
            let [lo, hi] = self.clamp.map(i64::from);
            let v = rounded.clamp(lo, hi);
            y.push(
                self.table
                    .map_or(v as i32, |t| i32::from(t[(v + 128) as usize])),
            );
        }
        y
    }

    /// On one thread with the rows cut at `cut`, or on the threads of `pool` with the channels cut.
    fn actual(&self, kernel: Kernel, cut: usize, mut pool: Option<&mut ThreadPool>) -> Vec<i32> {
        let [height, width, channels] = self.input;
        let [rows, columns, outputs] = self.output();
        let input = Grid::new(height, width, channels, self.pad).expect("small");
        let output = Grid::new(rows, columns, outputs, self.output_halo).expect("small");
        let spec = LinearSpec {
            input,
            bits: Bits::Eight,
            non_negative: self.non_negative,
            output,
            kernel: self.kernel,
            stride: self.stride,
            dilation: self.dilation,
            pad: [self.pad[0], self.pad[1]],
            groups: self.groups,
            channel_offset: 0,
            channel_count: channels,
            weights: &self.w,
            constants: &self.constants,
            addend_max: match self.addend {
                Second::None => 0,
                Second::I8 => 127,
                Second::I16 => 32_767,
                Second::I32 => 1 << 31,
            },
            lo: self.clamp[0],
            hi: self.clamp[1],
            table: self.table.as_ref(),
            factor_shift: None,
        };
        let linear = Linear::new(kernel, &spec).expect("valid");
        let flip = kernel.flip();
        let mut x = Bytes::filled(input.len(), flip);
        input.store(&self.x, flip, x.as_mut_slice());
        let dense = Grid::dense(rows, columns, outputs).expect("small");
        let second: Vec<i32> = (0..dense.len()).map(|i| self.addend_at(i)).collect();
        let second8: Vec<u8> = second.iter().map(|&v| v as u8 ^ flip).collect();
        let second16: Vec<i16> = second.iter().map(|&v| v as i16).collect();
        let addend = match self.addend {
            Second::None => Addend::None,
            Second::I8 => Addend::I8(&second8, dense),
            Second::I16 => Addend::I16(&second16, dense),
            Second::I32 => Addend::I32(&second, dense),
        };
        let (mut y8, mut y16, mut y32) = (
            vec![0; output.len()],
            vec![0; output.len()],
            vec![0; output.len()],
        );
        let operands = Operands {
            addend,
            ..Operands::from(&x)
        };
        let cut = if pool.is_some() { 0 } else { cut.min(rows) };
        for part in [0..cut, cut..rows] {
            if part.is_empty() {
                continue;
            }
            let first = (output.halo()[0] + part.start) * output.row_len();
            let stored = first..first + part.len() * output.row_len();
            let to = match self.width {
                Width::I8 => Output::I8(&mut y8[stored]),
                Width::I16 => Output::I16(&mut y16[stored]),
                Width::I32 => Output::I32(&mut y32[stored]),
            };
            match pool.as_deref_mut() {
                Some(pool) => linear.run_by_channels(&operands, to, pool),
                None => linear.run(&operands, to, part),
            }
        }
        let mut y = Vec::new();
        for (r, c) in (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))) {
            for o in 0..outputs {
                let at = output.index(r, c) + o;
                y.push(match self.width {
                    Width::I8 => i32::from((y8[at] ^ flip) as i8),
                    Width::I16 => i32::from(y16[at]),
                    Width::I32 => y32[at],
                });
            }
        }
        y
    }

    fn check(&self, cut: usize) {
        let expected = self.expected();
        for kernel in Kernel::available() {
            let name = kernel.name();
            assert_eq!(self.actual(kernel, cut, None), expected, "{name}");
        }
    }

    /// Also with the channels on the threads of a pool.
    fn check_threads(&self, cut: usize, pool: &mut ThreadPool) {
        self.check(cut);
        let expected = self.expected();
        for kernel in Kernel::available() {
            let found = self.actual(kernel, cut, Some(pool));
            assert_eq!(found, expected, "{} by channels", kernel.name());
        }
    }
}

fn extremes() -> impl Strategy<Value = i8> {
    prop_oneof![4 => -127_i8..=127, 1 => Just(-127), 1 => Just(127)]
}

prop_compose! {
    fn shapes()(
        input in (1_usize..7, 1_usize..32, prop_oneof![1_usize..9, Just(16), Just(33)]),
        kernel in [1_usize..4, 1_usize..6],
        stride in [1_usize..3, 1_usize..3],
        dilation in (1_usize..3, prop_oneof![3 => Just(1_usize), 1 => Just(2)]),
        pad in [0_usize..3, 0_usize..3, 0_usize..3, 0_usize..3],
        outputs in prop_oneof![1_usize..20, 30_usize..70],
        groups in prop_oneof![4 => Just(1_usize), 1 => 2_usize..4],
        non_negative in any::<bool>(),
        few_large in any::<bool>(),
    )(
        x in prop::collection::vec(extremes(), input.0 * input.1 * input.2 * groups),
        w in prop::collection::vec(extremes(),
            outputs * groups * kernel[0] * kernel[1] * input.2),
        constants in prop::collection::vec(
            (-1_000_000_i32..1_000_000, 1..=32_767_i32, 0..=32_767_i32, 1..=46_i32),
            outputs * groups),
        steep in any::<bool>(),
        addend in prop_oneof![Just(Second::None), Just(Second::I8), Just(Second::I16), Just(Second::I32)],
        width in prop_oneof![3 => Just(Width::I8), 1 => Just(Width::I16), 1 => Just(Width::I32)],
        with_table in any::<bool>(),
        output_halo in [0_usize..2, 0_usize..2, 0_usize..2, 0_usize..2],
        input in Just(input), kernel in Just(kernel), stride in Just(stride),
        non_negative in Just(non_negative), few_large in Just(few_large),
        dilation in Just(dilation), pad in Just(pad), outputs in Just(outputs),
        groups in Just(groups),
    ) -> Case {
        let input = [input.0, input.1, input.2];
        let dilation = [dilation.0, dilation.1];
        let mut constants: Vec<[i32; 4]> =
            constants.into_iter().map(|(bias, m, a, s)| [bias, m, a, s]).collect();
        if !steep {
            // Keep the shifted value inside 32 bits, where the vector paths work.
            for c in &mut constants {
                c[3] = c[3].max(17);
            }
        }
        let is_i8 = matches!(width, Width::I8);
        let clamp = match width {
            Width::I8 => [-127, 127],
            Width::I16 => [-32_767, 32_767],
            Width::I32 => [i32::MIN, i32::MAX],
        };
        let mut table = [0_i8; 256];
        for (i, t) in table.iter_mut().enumerate() {
            *t = ((i * 37 % 255) as i32 - 127) as i8;
        }
        let (mut x, mut w) = (x, w);
        if non_negative {
            for x in &mut x {
                *x = x.abs();
            }
        }
        if few_large {
            // Pairs of groups that fit 16 bits, but for a few.
            for (_, w) in w.iter_mut().enumerate().filter(|(i, _)| i % 97 > 2) {
                *w /= 2;
            }
        }
        let mut pad = pad;
        for i in 0..2 {
            // The padded input holds at least one window.
            let span = dilation[i] * (kernel[i] - 1) + 1;
            pad[i + 2] = pad[i + 2].max(span.saturating_sub(input[i] + pad[i]));
        }
        Case {
            input: [input[0], input[1], input[2] * groups],
            outputs: outputs * groups,
            kernel, stride, dilation, pad, groups, x, w, constants, addend, clamp,
            table: (with_table && is_i8).then_some(table),
            width, output_halo, non_negative,
        }
    }
}

proptest! {
    #![proptest_config(cases::slice_of(400))]

    #[test]
    fn every_kernel_equals_the_formula_on_random_convolutions(case in shapes(), cut in 0_usize..8) {
        case.check_threads(cut, &mut ThreadPool::new(1 + cut % 3));
    }
}

/// Small numbers, and numbers that overflow something.
fn wild() -> impl Strategy<Value = usize> {
    prop_oneof![
        6 => 0_usize..6,
        1 => Just(1 << 20),
        1 => Just((1 << 20) + 1),
        1 => Just(usize::MAX),
    ]
}

proptest! {
    #![proptest_config(cases::slice_of(2000))]

    #[test]
    fn any_spec_is_refused_or_runs(
        input in (1_usize..6, 1_usize..6, 1_usize..6),
        halo in (0_usize..3, 0_usize..3, 0_usize..3, 0_usize..3),
        output in (1_usize..6, 1_usize..20, 1_usize..6),
        kernel in (wild(), wild()),
        stride in (wild(), wild()),
        dilation in (wild(), wild()),
        pad in (wild(), wild()),
        groups in wild(),
        slice in (wild(), wild()),
        weight_count in 0_usize..600,
        shift in 0..48,
    ) {
        let (h, w, c) = input;
        let input = Grid::new(h, w, c, [halo.0, halo.1, halo.2, halo.3]).expect("small");
        let output = Grid::dense(output.0, output.1, output.2).expect("small");
        let terms = [kernel.0, kernel.1, slice.1 / groups.max(1)];
        let wanted = terms.into_iter().fold(output.channels(), usize::saturating_mul);
        // Mostly the right number, so that the later checks are reached.
        let weights = vec![1; if wanted < 5_000 { wanted } else { weight_count }];
        let constants = vec![[0, 1, 0, shift]; output.channels()];
        let spec = LinearSpec {
            input,
            bits: Bits::Eight,
            non_negative: false,
            output,
            kernel: [kernel.0, kernel.1],
            stride: [stride.0, stride.1],
            dilation: [dilation.0, dilation.1],
            pad: [pad.0, pad.1],
            groups,
            channel_offset: slice.0,
            channel_count: slice.1,
            weights: &weights,
            constants: &constants,
            addend_max: 0,
            lo: -127,
            hi: 127,
            table: None,
            factor_shift: None,
        };
        for kernel in Kernel::available() {
            if let Ok(linear) = Linear::new(kernel, &spec) {
                let x = Bytes::filled(input.len(), kernel.flip());
                let mut y = vec![0; output.len()];
                linear.run(&Operands::from(&x), Output::I8(&mut y), 0..output.height());
                let zero = vec![kernel.flip(); output.len()];
                prop_assert_eq!(y, zero);
            }
        }
    }
}

fn product(rows: usize, terms: usize, outputs: usize, x: i8, w: i8) -> Case {
    Case {
        input: [1, rows, terms],
        outputs,
        kernel: [1, 1],
        stride: [1, 1],
        dilation: [1, 1],
        pad: [0; 4],
        groups: 1,
        x: vec![x; rows * terms],
        w: vec![w; terms * outputs],
        constants: vec![[0, 32_767, 0, 20]; outputs],
        addend: Second::None,
        clamp: [i32::MIN, i32::MAX],
        table: None,
        width: Width::I32,
        output_halo: [0; 4],
        non_negative: false,
    }
}

#[test]
fn the_largest_products_do_not_saturate() {
    for (x, w) in [
        (127, 127),
        (-127, 127),
        (127, -127),
        (-127, -127),
        (-128, 127),
        (-128, -127),
    ] {
        for (rows, terms, outputs) in [(1, 16_384, 17), (5, 4_099, 3), (30, 255, 64)] {
            product(rows, terms, outputs, x, w).check(0);
        }
    }
}

#[test]
fn rows_of_any_number_and_outputs_of_any_number_agree() {
    for rows in 1..31 {
        product(rows, 13, 100 - 3 * rows, 101, -77).check(0);
    }
    for rows in 31..100 {
        product(rows, 13, 1 + rows % 70, 101, -77).check(0);
    }
}

/// A convolution of three by three over `input`, with numbers from nowhere.
fn three_by_three(input: [usize; 3], outputs: usize, stride: [usize; 2], groups: usize) -> Case {
    let mixed = |i: usize| ((i * 2_654_435_761) >> 7) as u8 as i8;
    let mut case = product(1, 1, outputs, 0, 0);
    case.input = input;
    case.kernel = [3, 3];
    case.stride = stride;
    case.pad = [1; 4];
    case.groups = groups;
    case.x = (0..input.iter().product()).map(mixed).collect();
    case.w = (0..outputs * 9 * input[2] / groups)
        .map(|i| mixed(i + 77).max(-127))
        .collect();
    case.constants = (0..outputs as i32)
        .map(|o| [1000 * o - 3000, 32_767 - 100 * o, 20_000, 20 + o % 4])
        .collect();
    case.width = Width::I8;
    case.clamp = [-100, 127];
    case
}

#[test]
fn rows_that_one_tile_joins_agree_for_every_cut_and_every_end() {
    for height in 1..=7 {
        for (outputs, addend) in [(16, Second::None), (40, Second::I8), (70, Second::I32)] {
            for cut in [0, 1, height / 2, height - 1] {
                let mut case = three_by_three([height, 7, 5], outputs, [1, 1], 1);
                case.addend = addend.clone();
                case.width = [Width::I8, Width::I16, Width::I32][height % 3];
                case.output_halo = [1, 0, 1, 2];
                case.check_threads(cut, &mut ThreadPool::new(3));
            }
        }
    }
}

#[test]
fn depthwise_windows_agree_for_every_step_and_dilation() {
    for stride in 1..=4 {
        for dilation in 1..=3 {
            for channels in [3, 16, 40] {
                let mut case = three_by_three([9, 11, channels], channels, [1, stride], channels);
                case.dilation = [1, dilation];
                case.pad = [1, dilation, 1, dilation];
                case.check(3);
            }
        }
    }
}

#[test]
fn first_layers_of_one_channel_agree_for_every_width_and_few_outputs() {
    for outputs in 1..=9_usize {
        for width in [15, 16, 17, 28, 31, 32, 33, 50] {
            let kernel = [1 + outputs % 3, 1 + (outputs + width) % 7];
            let [kh, kw] = kernel;
            let mixed = |i: usize| ((i * 2_654_435_761) >> 7) as u8 as i8;
            let mut case = product(width, 1, outputs, 0, 0);
            case.input = [5, width, 1];
            case.kernel = kernel;
            case.pad = [kh / 2, kw / 2, kh - 1 - kh / 2, kw - 1 - kw / 2];
            case.x = (0..5 * width).map(mixed).collect();
            case.w = (0..outputs * kh * kw)
                .map(|i| mixed(i + 77).max(-127))
                .collect();
            case.constants = (0..outputs as i32)
                .map(|o| [1000 * o - 3000, 32_767 - 1000 * o, 0, 20 + o % 4])
                .collect();
            case.width = Width::I8;
            case.clamp = [-100, 127];
            case.output_halo = [1, 2, 0, 1];
            case.check(2);
        }
    }
}

#[test]
fn a_slice_of_a_row_is_read_where_it_starts() {
    for kernel in Kernel::available() {
        let flip = kernel.flip();
        let input = Grid::dense(1, 2, 10).expect("small");
        let x: Vec<i8> = (0..20).collect();
        let mut stored = Bytes::filled(20, 0);
        input.store(&x, flip, stored.as_mut_slice());
        let spec = LinearSpec {
            channel_offset: 3,
            channel_count: 5,
            ..spec(&input, &[1; 5], &[[0, 2, 0, 1]])
        };
        let linear = Linear::new(kernel, &spec).expect("valid");
        let mut y = [0; 2];
        linear.run(&Operands::from(&stored), Output::I32(&mut y), 0..1);
        assert_eq!(
            y,
            [3 + 4 + 5 + 6 + 7, 13 + 14 + 15 + 16 + 17],
            "{}",
            kernel.name()
        );
    }
}

fn spec<'a>(input: &Grid, weights: &'a [i8], constants: &'a [[i32; 4]]) -> LinearSpec<'a> {
    let output = Grid::dense(1, input.width(), constants.len()).expect("small");
    specs::product(*input, output, weights, constants)
}

#[test]
fn a_weight_of_minus_128_and_a_window_beyond_the_halo_are_refused() {
    let input = Grid::dense(3, 3, 1).expect("small");
    let row = Grid::dense(1, 3, 1).expect("small");
    let refused = |spec: &LinearSpec| Linear::new(Kernel::PORTABLE, spec).expect_err("refused");
    assert_eq!(
        refused(&spec(&row, &[-128], &[[0, 1, 0, 1]])),
        LinearError::Range {
            what: "weights",
            index: 0,
            value: -128
        }
    );
    assert_eq!(
        refused(&spec(&row, &[1], &[[0, 1, 0, 47]])),
        LinearError::Range {
            what: "s",
            index: 0,
            value: 47
        }
    );
    assert_eq!(
        refused(&spec(&row, &[1, 1], &[[0, 1, 0, 1]])),
        LinearError::Count {
            what: "weights",
            expected: 1,
            actual: 2
        }
    );
    let output = Grid::dense(3, 3, 1).expect("small");
    for pad in [[0, 0], [1, 1], [1, 0]] {
        let reaching = LinearSpec {
            output,
            kernel: [3, 3],
            pad,
            ..spec(&input, &[1; 9], &[[0, 1, 0, 1]])
        };
        assert!(
            matches!(refused(&reaching), LinearError::Halo { .. }),
            "{pad:?}"
        );
    }
}

/// Many outputs and positions, so that every way to run a strip is taken.
fn large(shape: [usize; 3], kernel: usize, outputs: usize, halo: usize, seed: usize) -> Case {
    let pad = kernel / 2;
    let terms = kernel * kernel * shape[2];
    let mixed = |i: usize| (i + seed * 77).wrapping_mul(0x9e37_79b9) >> 7;
    let byte = |i: usize| match mixed(i) % 9 {
        0 => 127,
        1 => -127,
        n => i32::from((mixed(i * n) % 255) as i8),
    };
    let byte = |i: usize| byte(i).clamp(-127, 127) as i8;
    Case {
        input: shape,
        outputs,
        kernel: [kernel, kernel],
        stride: [1, 1],
        dilation: [1, 1],
        pad: [pad; 4],
        groups: 1,
        x: (0..shape.iter().product()).map(byte).collect(),
        w: (0..outputs * terms).map(|i| byte(i + 5)).collect(),
        constants: (0..outputs)
            .map(|o| [o as i32 * 31 - 900, 20_000 + o as i32, 0, 27])
            .collect(),
        addend: Second::None,
        clamp: [-127, 127],
        table: None,
        width: Width::I8,
        output_halo: [halo; 4],
        non_negative: false,
    }
}

#[test]
fn strips_of_many_rows_and_parts_of_long_ones_agree() {
    for (seed, (shape, kernel, halo)) in [
        ([7, 7, 160], 1, 1),
        ([9, 14, 33], 1, 1),
        ([3, 61, 40], 1, 0),
        ([200, 1, 64], 1, 0),
        ([13, 9, 24], 3, 1),
        ([6, 70, 20], 3, 1),
    ]
    .into_iter()
    .enumerate()
    {
        let case = large(shape, kernel, 72, halo, seed);
        case.check(2);
    }
}

#[test]
fn inputs_that_are_not_negative_agree_whatever_the_weights_are() {
    for (seed, few) in [(1, 1), (2, 40), (3, 400)] {
        let mut case = large([6, 9, 37], 3, 41, 0, seed);
        case.non_negative = true;
        for x in &mut case.x {
            *x = if *x % 3 == 0 { 127 } else { x.abs() };
        }
        // Of the weights one in `few` stays large: all, some, or hardly any groups have an excess.
        for (i, w) in case.w.iter_mut().enumerate() {
            if i % few != 0 {
                *w /= 3;
            } else if few == 1 {
                *w = if i / 8 % 2 == 0 { 127 } else { -127 };
            }
        }
        // And a whole group of the largest weights.
        case.w[..8].fill(127);
        case.w[333..341].fill(-127);
        case.check(2);
    }
}

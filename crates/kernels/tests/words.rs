//! Every kernel of this machine gives the bits of the formula on convolutions of 16-bit inputs, whose sums
//! need several planes of 32 bits, with groups of many channels.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "small test data with known ranges"
)]

mod specs;

use selfsame_kernels::{
    Addend, Bits, Grid, Kernel, Linear, LinearSpec, Operands, Output, Stored, ThreadPool, Words,
};

/// `[height][width][groups * channels]`, without padding.
#[derive(Debug)]
struct Case {
    input: [usize; 2],
    window: [usize; 2],
    dilation: usize,
    groups: usize,
    /// Channels of a group, of the input and of the output.
    channels: usize,
    outputs: usize,
    bias: i32,
}

const INPUT: [usize; 2] = [3, 6];

/// From -most to most, the ends often.
fn element(index: usize, most: i32) -> i32 {
    let mixed = (index as u32).wrapping_mul(0x9e37_79b1);
    match mixed >> 28 {
        0 => -most,
        1 => most,
        _ => (mixed >> 3) as i32 % (2 * most + 1) - most,
    }
}

impl Case {
    fn terms(&self) -> usize {
        self.window[0] * self.window[1] * self.channels
    }

    fn output(&self) -> Grid {
        let height = self.input[0] - (self.window[0] - 1);
        let width = self.input[1] - self.dilation * (self.window[1] - 1);
        Grid::dense(height, width, self.groups * self.outputs).expect("small")
    }

    fn input(&self) -> Words {
        let len = self.input[0] * self.input[1] * self.groups * self.channels;
        let mut x = Words::filled(len, 0);
        for (i, x) in x.iter_mut().enumerate() {
            *x = element(i, 32_767) as i16;
        }
        x
    }

    fn weights(&self) -> Vec<i8> {
        let len = self.groups * self.outputs * self.terms();
        (0..len).map(|i| element(i + 7, 127) as i8).collect()
    }

    /// `(acc + 2^12) >> 13`, one element after the other: such sums leave 32 bits.
    fn expected(&self, x: &[i16], weights: &[i8]) -> Vec<i32> {
        let grid = self.output();
        let mut y = Vec::new();
        for (row, column, output) in (0..grid.height()).flat_map(|row| {
            (0..grid.width())
                .flat_map(move |column| (0..grid.channels()).map(move |o| (row, column, o)))
        }) {
            let mut acc = i64::from(self.bias);
            let first = output / self.outputs * self.channels;
            for cell in 0..self.window[0] * self.window[1] {
                let (i, j) = (cell / self.window[1], cell % self.window[1]);
                let at = (row + i) * self.input[1] + column + j * self.dilation;
                let x = &x[at * self.groups * self.channels + first..][..self.channels];
                let w = &weights[output * self.terms() + cell * self.channels..];
                let products = x.iter().zip(w).map(|(&x, &w)| i64::from(x) * i64::from(w));
                acc += products.sum::<i64>();
            }
            y.push(((acc + (1 << 12)) >> 13) as i32);
        }
        y
    }

    /// On one thread, then with the channels on three.
    fn check(&self) {
        let (x, weights, output) = (self.input(), self.weights(), self.output());
        let constants = vec![[self.bias, 1, 0, 13]; output.channels()];
        let expected = self.expected(&x, &weights);
        let [height, width] = self.input;
        let input = Grid::dense(height, width, self.groups * self.channels).expect("small");
        let spec = LinearSpec {
            bits: Bits::Sixteen,
            kernel: self.window,
            dilation: [1, self.dilation],
            groups: self.groups,
            ..specs::product(input, output, &weights, &constants)
        };
        let operands = Operands {
            input: Stored::Words(&x),
            addend: Addend::None,
            factor: None,
        };
        for kernel in Kernel::available() {
            let linear = Linear::new(kernel, &spec).expect("valid");
            let mut y = vec![0; output.len()];
            linear.run(&operands, Output::I32(&mut y), 0..output.height());
            assert_eq!(y, expected, "{} {self:?}", kernel.name());
            let mut y = vec![0; output.len()];
            linear.run_by_channels(&operands, Output::I32(&mut y), &mut ThreadPool::new(3));
            assert_eq!(y, expected, "{} by channels {self:?}", kernel.name());
        }
    }
}

/// A run of the window has all channels of its group, however many planes its sums need: the next group
/// begins behind them. 1,086 was found by the long run of random programs.
#[test]
fn groups_of_many_channels_start_where_they_are() {
    for channels in [2, 256, 258, 300, 1_086] {
        for (window, dilation) in [([1, 1], 1), ([1, 3], 1), ([3, 2], 1), ([2, 3], 2)] {
            for (groups, outputs) in [(1, 5), (2, 3), (3, 17)] {
                Case {
                    input: INPUT,
                    window,
                    dilation,
                    groups,
                    channels,
                    outputs,
                    bias: -(1 << 30),
                }
                .check();
            }
        }
    }
}

/// Channels of their own lie in lanes, two vectors at a time.
#[test]
fn depthwise_windows_agree_for_every_rest_of_channels() {
    let windows = [[1, 1], [1, 2], [3, 3], [2, 3], [1, 4], [3, 5]];
    let both = windows.into_iter().flat_map(|w| [(w, 1), (w, 2)]);
    for (window, dilation) in both.filter(|&([_, w], dilation)| dilation * (w - 1) < INPUT[1]) {
        for groups in [2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 70] {
            Case {
                input: INPUT,
                window,
                dilation,
                groups,
                channels: 1,
                outputs: 1,
                bias: -(1 << 30),
            }
            .check();
        }
    }
}

/// Beside a bias of 2^30 these windows may leave 32 bits, and have planes.
#[test]
fn depthwise_windows_of_many_taps_agree() {
    for (window, groups) in [([16, 16], 5), ([17, 17], 5), ([17, 17], 40), ([25, 25], 18)] {
        Case {
            input: [26, 27],
            window,
            dilation: 1,
            groups,
            channels: 1,
            outputs: 1,
            bias: 1 << 30,
        }
        .check();
    }
}

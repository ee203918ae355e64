//! Every kernel of this machine gives the bits of the formula on matrix products with operands of 16
//! bits and row factors, and on products of two inputs; weights are packed once for all extents.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "small test data with known ranges"
)]

mod cases;
mod specs;

use proptest::prelude::*;
use selfsame_kernels::{
    Addend, BatchOperands, BatchProduct, BatchSpec, Bits, Bytes, Grid, Kernel, Linear, LinearError,
    LinearSpec, Operands, Output, Room, Stored, Words,
};

/// `[rows][k]` times `[outputs][k]`.
#[derive(Debug, Clone)]
struct Case {
    rows: usize,
    bits: Bits,
    x: Vec<i16>,
    w: Vec<i8>,
    constants: Vec<[i32; 4]>,
    addend: bool,
    /// S and a factor for each row.
    factor: Option<(u32, Vec<i32>)>,
    range: [i32; 2],
}

/// Element `i` of the second input, wide enough to reach both ends of 32 bits.
fn addend_at(i: usize) -> i32 {
    (i as i32).wrapping_mul(0x9e37_79b1_u32 as i32)
}

fn clamp(v: i64, [lo, hi]: [i32; 2]) -> i32 {
    v.clamp(lo.into(), hi.into()) as i32
}

impl Case {
    fn k(&self) -> usize {
        self.x.len() / self.rows
    }

    fn expected(&self) -> Vec<i32> {
        let (k, outputs) = (self.k(), self.constants.len());
        let mut y = Vec::new();
        for (row, o) in (0..self.rows).flat_map(|r| (0..outputs).map(move |o| (r, o))) {
            let terms = self.x[row * k..].iter().zip(&self.w[o * k..][..k]);
            let acc: i64 = terms.map(|(&x, &w)| i64::from(x) * i64::from(w)).sum();
            let [bias, m, a, s] = self.constants[o].map(i64::from);
            let second = if self.addend { addend_at(y.len()) } else { 0 };
            let second = i64::from(second) * a;
            let half = 1_i64 << (s - 1);
            let v = match &self.factor {
                None => ((acc + bias) * m + second + half) >> s,
                Some((shift, factors)) => {
                    let t = clamp((acc * m + half) >> s, [i32::MIN, i32::MAX]);
                    let wide = i64::from(t) * i64::from(factors[row]) + ((bias + second) << 15);
                    (wide + (1 << (shift - 1))) >> shift
                }
            };
            y.push(clamp(v, self.range));
        }
        y
    }

    fn actual(&self, kernel: Kernel) -> Vec<i32> {
        let (k, outputs) = (self.k(), self.constants.len());
        let output = Grid::dense(self.rows, 1, outputs).expect("small");
        let spec = LinearSpec {
            bits: self.bits,
            addend_max: 1 << 31,
            lo: self.range[0],
            hi: self.range[1],
            factor_shift: self.factor.as_ref().map(|(shift, _)| *shift),
            ..spec([self.rows, k], &self.w, &self.constants)
        };
        let linear = Linear::new(kernel, &spec).expect("valid");
        let (bytes, words) = stored(&self.x, kernel.flip());
        let second: Vec<i32> = (0..self.rows * outputs).map(addend_at).collect();
        let operands = Operands {
            input: match self.bits {
                Bits::Eight => Stored::Bytes(&bytes),
                Bits::Sixteen => Stored::Words(&words),
            },
            addend: if self.addend {
                Addend::I32(&second, output)
            } else {
                Addend::None
            },
            factor: self.factor.as_ref().map(|(_, factors)| factors.as_slice()),
        };
        run(kernel, self.range, self.rows * outputs, |to| {
            linear.run(&operands, to, 0..self.rows);
        })
    }

    fn check(&self) {
        let expected = self.expected();
        for kernel in Kernel::available() {
            assert_eq!(self.actual(kernel), expected, "{}", kernel.name());
        }
    }
}

fn spec<'a>([rows, k]: [usize; 2], weights: &'a [i8], constants: &'a [[i32; 4]]) -> LinearSpec<'a> {
    let grid = |channels| Grid::dense(rows, 1, channels).expect("small");
    specs::product(grid(k), grid(constants.len()), weights, constants)
}

/// Elements stored as bytes and as words.
fn stored(x: &[i16], flip: u8) -> (Bytes, Words) {
    let (mut bytes, mut words) = (Bytes::filled(x.len(), 0), Words::filled(x.len(), 0));
    for (to, &x) in bytes.iter_mut().zip(x) {
        *to = x as u8 ^ flip;
    }
    words.copy_from_slice(x);
    (bytes, words)
}

/// Runs into the narrowest type that takes a range.
fn run(kernel: Kernel, range: [i32; 2], len: usize, work: impl Fn(Output)) -> Vec<i32> {
    if -127 <= range[0] && range[1] <= 127 {
        let mut y = vec![0; len];
        work(Output::I8(&mut y));
        let value = |&y: &u8| i32::from((y ^ kernel.flip()) as i8);
        y.iter().map(value).collect()
    } else if -32_767 <= range[0] && range[1] <= 32_767 {
        let mut y = vec![0_i16; len];
        work(Output::I16(&mut y));
        y.into_iter().map(i32::from).collect()
    } else {
        let mut y = vec![0; len];
        work(Output::I32(&mut y));
        y
    }
}

fn element(bits: Bits) -> BoxedStrategy<i16> {
    let most: i16 = match bits {
        Bits::Eight => 127,
        Bits::Sixteen => 32_767,
    };
    prop_oneof![4 => (-most)..=most, 1 => Just(-most), 1 => Just(most)].boxed()
}

fn weight() -> impl Strategy<Value = i8> {
    prop_oneof![3 => -127_i8..=127, 1 => Just(-127), 1 => Just(127)]
}

fn ranges() -> impl Strategy<Value = [i32; 2]> {
    prop_oneof![
        Just([-127, 127]),
        Just([-90, 100]),
        Just([-32_767, 32_767]),
        Just([0, 20_000]),
        Just([i32::MIN, i32::MAX]),
    ]
}

fn factor() -> impl Strategy<Value = i32> {
    prop_oneof![3 => 0..100_000, 1 => any::<i32>(), 1 => Just(i32::MIN)]
}

prop_compose! {
    fn cases()(
        rows in 1_usize..60,
        k in prop_oneof![3 => 1_usize..70, 1 => 500_usize..1_400],
        outputs in prop_oneof![1_usize..20, 30_usize..70],
        bits in prop_oneof![Just(Bits::Eight), Just(Bits::Sixteen)],
    )(
        x in prop::collection::vec(element(bits), rows * k),
        w in prop::collection::vec(weight(), outputs * k),
        constants in prop::collection::vec(
            (-1_000_000_i32..1_000_000, 1..=32_767_i32, 0..=32_767_i32, 1..=46_i32), outputs),
        steep in any::<bool>(),
        addend in any::<bool>(),
        factor in prop::option::of((1..=46_u32, prop::collection::vec(factor(), rows))),
        range in ranges(),
        rows in Just(rows), bits in Just(bits),
    ) -> Case {
        // Mostly inside 32 bits, where the vector paths work.
        let shift = |s: i32| if steep { s } else { s.max(22) };
        let constants = constants.into_iter().map(|(b, m, a, s)| [b, m, a, shift(s)]).collect();
        Case { rows, bits, x, w, constants, addend, factor, range }
    }
}

proptest! {
    #![proptest_config(cases::slice_of(120))]

    #[test]
    fn every_kernel_equals_the_formula_on_random_products(case in cases()) {
        case.check();
    }
}

#[test]
fn the_largest_products_of_sixteen_bits_are_exact_in_planes() {
    for (x, w) in [
        (32_767, 127),
        (-32_767, 127),
        (32_767, -127),
        (-32_768, -127),
    ] {
        for (rows, k, outputs) in [(1, 8_192, 17), (5, 4_099, 3), (30, 517, 64), (3, 516, 1)] {
            let case = Case {
                rows,
                bits: Bits::Sixteen,
                x: vec![x; rows * k],
                w: vec![w; outputs * k],
                constants: vec![[1 << 30, 32_767, 0, 22]; outputs],
                addend: false,
                factor: None,
                range: [i32::MIN, i32::MAX],
            };
            case.check();
            let factors = (0..rows).map(|r| addend_at(r).wrapping_add(i32::MIN));
            let factor = Some((46, factors.collect()));
            Case { factor, ..case }.check();
        }
    }
}

/// Sizes and orders of a product of two inputs.
#[derive(Debug, Clone)]
struct Heads {
    spec: BatchSpec,
    x: Vec<i16>,
    y: Vec<i16>,
    factors: Vec<i32>,
}

impl Heads {
    fn expected(&self) -> Vec<i32> {
        let s = &self.spec;
        let mut out = vec![0; s.batch * s.rows * s.columns];
        for (b, i) in (0..s.batch).flat_map(|b| (0..s.rows).map(move |i| (b, i))) {
            let place = |interleaved| {
                if interleaved {
                    i * s.batch + b
                } else {
                    b * s.rows + i
                }
            };
            let x_row = place(s.x_interleaved);
            for j in 0..s.columns {
                let batches = s.batch / s.group;
                let y_row = if s.y_interleaved {
                    j * batches + b / s.group
                } else {
                    b / s.group * s.columns + j
                };
                let terms = self.x[x_row * s.k..]
                    .iter()
                    .zip(&self.y[y_row * s.k..][..s.k]);
                let acc: i64 = terms.map(|(&x, &y)| i64::from(x) * i64::from(y)).sum();
                let half = 1_i64 << (s.shift - 1);
                let mut v = (acc * i64::from(s.multiplier) + half) >> s.shift;
                if let Some(shift) = s.factor_shift {
                    let t = i64::from(clamp(v, [i32::MIN, i32::MAX]));
                    v = (t * i64::from(self.factors[x_row]) + (1 << (shift - 1))) >> shift;
                }
                out[place(s.output_interleaved) * s.columns + j] = clamp(v, [s.lo, s.hi]);
            }
        }
        out
    }

    fn actual(&self, kernel: Kernel, cut: usize) -> Vec<i32> {
        let s = &self.spec;
        let product = BatchProduct::new(kernel, s).expect("valid");
        let (bytes, words) = stored(&self.x, kernel.flip());
        let (y, _) = stored(&self.y, kernel.flip());
        let mut packed = Bytes::filled(product.packed_bytes(), 0xa5);
        for (b, packed) in packed.chunks_exact_mut(product.packed_len()).enumerate() {
            product.pack(&y, b, packed);
        }
        let operands = BatchOperands {
            x: match s.bits {
                Bits::Eight => Stored::Bytes(&bytes),
                Bits::Sixteen => Stored::Words(&words),
            },
            packed: &packed,
            factor: s.factor_shift.map(|_| self.factors.as_slice()),
        };
        let cut = cut.min(product.units());
        let part = |units: std::ops::Range<usize>| {
            let len = units.len() * product.unit_len();
            run(kernel, [s.lo, s.hi], len, |to| {
                product.run(&operands, to, units.clone());
            })
        };
        [part(0..cut), part(cut..product.units())].concat()
    }
}

prop_compose! {
    fn heads()(
        group in 1_usize..3, batches in 1_usize..4,
        rows in prop_oneof![1_usize..20, 45_usize..60],
        columns in prop_oneof![1_usize..20, 30_usize..70],
        k in prop_oneof![4 => 1_usize..50, 1 => 1_020_usize..1_060],
        bits in prop_oneof![Just(Bits::Eight), Just(Bits::Sixteen)],
    )(
        x in prop::collection::vec(element(bits), group * batches * rows * k),
        y in prop::collection::vec(element(Bits::Eight), batches * columns * k),
        factors in prop::collection::vec(factor(), group * batches * rows),
        order in any::<[bool; 3]>(),
        multiplier in 1..=32_767_i32,
        shift in prop_oneof![3 => 18..=30_i32, 1 => 1..=46_i32],
        factor_shift in prop::option::of(1..=46_u32),
        range in ranges(),
        group in Just(group), batches in Just(batches), rows in Just(rows),
        columns in Just(columns), k in Just(k), bits in Just(bits),
    ) -> Heads {
        let spec = BatchSpec {
            batch: group * batches, group, rows, columns, k, bits,
            x_interleaved: order[0], y_interleaved: order[1], output_interleaved: order[2],
            multiplier, shift, factor_shift, lo: range[0], hi: range[1],
        };
        Heads { spec, x, y, factors }
    }
}

proptest! {
    #![proptest_config(cases::slice_of(120))]

    #[test]
    fn every_kernel_equals_the_formula_on_products_of_two_inputs(
        heads in heads(), cut in 0_usize..70,
    ) {
        let expected = heads.expected();
        for kernel in Kernel::available() {
            prop_assert_eq!(&heads.actual(kernel, cut), &expected, "{}", kernel.name());
        }
    }
}

#[test]
fn weights_are_packed_once_for_all_numbers_of_rows() {
    let (weights, constants) = (vec![3; 40 * 20], vec![[0, 1, 0, 1]; 20]);
    for kernel in Kernel::available() {
        let mut known = Vec::new();
        for rows in [1, 7, 128, 512] {
            let spec = spec([rows, 40], &weights, &constants);
            Linear::sharing(kernel, &spec, &mut known, &Room::default()).expect("valid");
            assert_eq!(known.len(), 1, "{rows} rows, {}", kernel.name());
        }
    }
}

#[test]
fn factors_of_windows_and_shifts_beyond_the_range_are_refused() {
    let (weights, constants) = (vec![1; 3], vec![[0, 1, 0, 1]]);
    let window = LinearSpec {
        kernel: [3, 1],
        ..spec([3, 1], &weights, &constants)
    };
    let refused = LinearSpec {
        factor_shift: Some(1),
        ..window
    };
    let error = Linear::new(Kernel::PORTABLE, &refused).expect_err("refused");
    assert_eq!(error, LinearError::Rows);
    let steep = LinearSpec {
        factor_shift: Some(47),
        ..spec([1, 3], &weights, &constants)
    };
    let error = Linear::new(Kernel::PORTABLE, &steep).expect_err("refused");
    let expected = LinearError::Range {
        what: "factor shift",
        index: 0,
        value: 47,
    };
    assert_eq!(error, expected);
}

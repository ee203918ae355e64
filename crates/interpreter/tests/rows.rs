//! The operators that work on rows at their extremes: saturations, ties, clamped intermediates, factors
//! of both signs, reciprocals of nothing, neighbours of squares, indices outside.

use selfsame_interpreter::element;
use selfsame_ir::{
    Activation, BatchMatMul, ChannelConstants, ColumnConstants, Combine, DType, Dim, DimValues,
    Embedding, FactorShift, Interleave, Linear, MatMul, Normalize, Op, Pointwise, Reduce,
    ReduceKind, Tensor,
};

const ANY: (i32, i32) = (i32::MIN, i32::MAX);

fn at(op: &Op, inputs: &[&Tensor], index: u64) -> i32 {
    element(op, &DimValues::NONE, inputs, index)
}

/// All kinds of a reduction of one row, as they are.
fn reduce(kind: ReduceKind, x: &Tensor) -> i32 {
    scaled(kind, x, 2, 1, ANY)
}

fn scaled(
    kind: ReduceKind,
    x: &Tensor,
    multiplier: u16,
    shift: u8,
    (low, high): (i32, i32),
) -> i32 {
    let op = Op::Reduce(Reduce {
        rows: Dim::fixed(1),
        columns: Dim::fixed(u32::try_from(x.len()).expect("short")),
        kind,
        dtype: x.dtype(),
        multiplier,
        shift,
        low,
        high,
    });
    at(&op, &[x], 0)
}

/// Spec: operators, 2.23.
#[test]
fn a_mean_and_a_variance_are_rounded_down_on_both_sides_of_zero() {
    let x = |values: [i8; 3]| Tensor::I8(values.to_vec());
    assert_eq!(reduce(ReduceKind::Mean, &x([1, 0, 0])), 85);
    assert_eq!(reduce(ReduceKind::Mean, &x([-1, 0, 0])), -86);
    assert_eq!(reduce(ReduceKind::Mean, &x([127; 3])), 127 * 256);
    // (3*1 - 1) / 9 of 65536.
    assert_eq!(reduce(ReduceKind::Variance, &x([1, 0, 0])), 14_563);
    assert_eq!(reduce(ReduceKind::Variance, &x([-5; 3])), 0);
    assert_eq!(reduce(ReduceKind::Variance, &Tensor::I8(vec![9])), 0);
}

/// Spec: operators, 2.23.
#[test]
fn the_largest_sums_squares_and_variances_are_exact_before_they_are_scaled() {
    let n = 16_384;
    let low = Tensor::I32(vec![i32::MIN; n]);
    // -2^31 * 2^14, times 1 / 2^14.
    assert_eq!(scaled(ReduceKind::Sum, &low, 1, 14, ANY), i32::MIN);
    assert_eq!(scaled(ReduceKind::Mean, &low, 1, 8, ANY), i32::MIN);
    assert_eq!(reduce(ReduceKind::Sum, &low), i32::MIN);
    let ends: Vec<i16> = (0..n)
        .map(|at| if at % 2 == 0 { 32_767 } else { -32_767 })
        .collect();
    let ends = Tensor::I16(ends);
    // 32767^2 * 2^14 and 32767^2 * 2^16: halved to what an i32 holds.
    let square = 32_767_i64 * 32_767;
    let want =
        |bits: u32, shift: u32| i32::try_from(((square << bits) + (1 << (shift - 1))) >> shift);
    assert_eq!(
        Ok(scaled(ReduceKind::Squares, &ends, 1, 14, ANY)),
        want(14, 14)
    );
    assert_eq!(
        Ok(scaled(ReduceKind::Variance, &ends, 1, 16, ANY)),
        want(16, 16)
    );
    assert_eq!(
        Ok(scaled(ReduceKind::Variance, &ends, 1, 46, ANY)),
        want(16, 46)
    );
    assert_eq!(reduce(ReduceKind::Squares, &ends), i32::MAX);
    assert_eq!(scaled(ReduceKind::Squares, &ends, 32_767, 1, (-7, 99)), 99);
    assert_eq!(scaled(ReduceKind::Sum, &low, 32_767, 1, (-7, 99)), -7);
}

/// Spec: operators, 2.23: the magnitude of -2^31 is 2^31.
#[test]
fn a_magnitude_does_not_overflow_and_a_maximum_may_be_negative() {
    let x = Tensor::I32(vec![-5, i32::MIN, -3]);
    assert_eq!(scaled(ReduceKind::Magnitude, &x, 1, 1, ANY), 1 << 30);
    assert_eq!(reduce(ReduceKind::Magnitude, &x), i32::MAX);
    assert_eq!(reduce(ReduceKind::Maximum, &x), -3);
}

/// Spec: operators, 2.23.
#[test]
fn an_argmax_is_the_first_of_the_largest() {
    for (x, want) in [
        (vec![3, 9, 9, 1], 1),
        (vec![i32::MIN; 4], 0),
        (vec![0, -1, 0, 0], 0),
        (vec![-4, -3, -2, i32::MAX], 3),
    ] {
        assert_eq!(
            reduce(ReduceKind::ArgMax, &Tensor::I32(x.clone())),
            want,
            "{x:?}"
        );
    }
}

/// Spec: operators, 2.10 and 2.23.
#[test]
fn a_reduction_rounds_halves_towards_plus_infinity() {
    for (x, want) in [(3, 2), (1, 1), (-1, 0), (-3, -1)] {
        let x = Tensor::I8(vec![x]);
        assert_eq!(scaled(ReduceKind::Sum, &x, 1, 1, ANY), want, "{x:?}");
    }
}

/// A reduction reads its own row.
///
/// Spec: operators, 2.23.
#[test]
fn rows_follow_each_other_and_columns_may_be_symbolic() {
    let op = Op::Reduce(Reduce {
        rows: Dim::affine(1, 1, 0),
        columns: Dim::affine(1, 2, -1),
        kind: ReduceKind::Sum,
        dtype: DType::I8,
        multiplier: 2,
        shift: 1,
        low: ANY.0,
        high: ANY.1,
    });
    let x = Tensor::I8(vec![1, 2, 3, 10, 20, 30]);
    let values = DimValues(vec![2]);
    assert_eq!(element(&op, &values, &[&x], 0), 6);
    assert_eq!(element(&op, &values, &[&x], 1), 60);
}

fn function(activation: Activation, v: i32) -> i32 {
    let (low, high) = activation.domain();
    let op = Op::Pointwise(Pointwise {
        rows: Dim::fixed(1),
        columns: Dim::fixed(1),
        dtype: DType::I32,
        multiplier: 2,
        combine: Combine::Sum,
        second: None,
        shift: 1,
        low,
        high,
        activation: Some(activation),
    });
    at(&op, &[&Tensor::I32(vec![v])], 0)
}

/// Spec: operators, 2.20.
#[test]
fn a_reciprocal_is_rounded_down_saturates_and_takes_what_is_not_positive_as_one() {
    let over = |bits, v| function(Activation::Reciprocal { bits }, v);
    assert_eq!(over(10, 3), 341);
    assert_eq!(over(10, 1_024), 1);
    assert_eq!(over(10, 1_025), 0);
    for v in [1, 0, -1, i32::MIN] {
        assert_eq!(over(30, v), 1 << 30, "{v}");
        assert_eq!(over(31, v), i32::MAX, "{v}");
        assert_eq!(over(62, v), i32::MAX, "{v}");
        assert_eq!(over(0, v), 1, "{v}");
    }
    assert_eq!(over(0, 2), 0);
    // 2^62 / (2^31 - 1) is 2^31 + 1, and a little more.
    assert_eq!(over(62, i32::MAX), i32::MAX);
    assert_eq!(over(61, i32::MAX), 1 << 30);
}

/// Spec: operators, 2.20.
#[test]
fn a_reciprocal_root_is_exact_at_squares_and_on_both_sides_of_them() {
    let over = |bits, v| function(Activation::ReciprocalRoot { bits }, v);
    // The root of v * 2^30 is r * 2^15 where v = r * r.
    for r in [1, 2, 3, 255, 256, 46_340] {
        assert_eq!(over(45, r * r), (1 << 30) / r, "{r}");
    }
    for v in [1, 0, -7, i32::MIN] {
        assert_eq!(over(15, v), 1, "{v}");
        assert_eq!(over(14, v), 0, "{v}");
        assert_eq!(over(62, v), i32::MAX, "{v}");
    }
    for v in [
        2,
        3,
        4,
        5,
        8,
        9,
        10,
        99,
        65_535,
        65_536,
        65_537,
        i32::MAX - 1,
        i32::MAX,
    ] {
        let root = over(62, v);
        // Defined by its relation: u*u <= v * 2^30 < (u + 1)*(u + 1).
        let square = u128::from(v.unsigned_abs()) << 30;
        let u = floor_root(square);
        assert!(u * u <= square && square < (u + 1) * (u + 1));
        let want = ((1_u128 << 62) / u).min(i32::MAX as u128);
        assert_eq!(u128::from(root.unsigned_abs()), want, "{v}");
    }
}

/// Floor of the root, by bisection: the test does not use the library's own.
fn floor_root(square: u128) -> u128 {
    let (mut low, mut high) = (1, 1 << 31);
    while low + 1 < high {
        let middle = u128::midpoint(low, high);
        if middle * middle <= square {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// Spec: operators, 2.20.
#[test]
fn an_exponential_multiplies_a_coarse_entry_by_a_fine_one_and_clamps_its_index() {
    let entries: Vec<i16> = (0..512).map(|at: i16| 32_767 - 13 * (at % 256)).collect();
    let over = |v| function(Activation::Exponential(entries.clone()), v);
    let want =
        |coarse: i32, fine: i32| ((32_767 - 13 * coarse) * (32_767 - 13 * fine) + (1 << 14)) >> 15;
    assert_eq!(over(0), want(0, 0));
    assert_eq!(over(255), want(0, 255));
    assert_eq!(over(256), want(1, 0));
    assert_eq!(over(65_535), want(255, 255));
    assert_eq!(over(65_536), want(255, 255));
    assert_eq!(over(-1), want(0, 0));
    assert_eq!(over(i32::MIN), want(0, 0));
    // The largest product, 32767^2, rounds to 32766.
    assert_eq!(over(0), 32_766);
}

/// An embedding of three rows of two.
fn entry(index: i32, column: u64) -> i32 {
    let op = Op::Embedding(Embedding {
        rows: Dim::fixed(1),
        columns: 2,
        entries: 3,
        table: Tensor::I32(vec![10, 11, 20, 21, i32::MIN, i32::MAX]).into(),
    });
    at(&op, &[&Tensor::I32(vec![index])], column)
}

/// Spec: operators, 2.25.
#[test]
fn an_index_outside_of_a_table_is_clamped_to_it() {
    for (index, want) in [
        (0, [10, 11]),
        (1, [20, 21]),
        (2, [i32::MIN, i32::MAX]),
        (3, [i32::MIN, i32::MAX]),
        (i32::MAX, [i32::MIN, i32::MAX]),
        (-1, [10, 11]),
        (i32::MIN, [10, 11]),
    ] {
        assert_eq!([entry(index, 0), entry(index, 1)], want, "{index}");
    }
}

/// Spec: operators, 2.21.
#[test]
fn a_row_factor_has_either_sign_and_what_it_multiplies_is_clamped_to_32_bits() {
    let shift = FactorShift(15);
    assert_eq!(shift.apply(100, 1 << 15, 7), 107);
    assert_eq!(shift.apply(100, -(1 << 15), 7), -93);
    assert_eq!(shift.apply(100, 0, 7), 7);
    let most = i64::from(i32::MAX);
    for beyond in [most + 1, most * 5, i64::MAX] {
        assert_eq!(shift.apply(beyond, 1 << 15, 0), most, "{beyond}");
        assert_eq!(shift.apply(beyond, -(1 << 15), 0), -most, "{beyond}");
    }
    assert_eq!(shift.apply(i64::MIN, 1 << 15, 0), i64::from(i32::MIN));
    // The largest sum: 2^62 and (2^46 + 2^30) * 2^15.
    let offset = (1_i64 << 46) + (1 << 30);
    let want = (i128::from(1_i64 << 62) + (i128::from(offset) << 15) + (1 << 45)) >> 46;
    let got = FactorShift(46).apply(i64::MIN, i32::MIN, offset);
    assert_eq!(i128::from(got), want);
}

/// Spec: operators, 2.10 and 2.21.
#[test]
fn a_row_factor_rounds_halves_towards_plus_infinity() {
    for (t, want) in [(3, 2), (1, 1), (-1, 0), (-3, -1)] {
        assert_eq!(FactorShift(1).apply(t, 1, 0), want, "{t}");
    }
}

/// One row times one row of weights.
fn product(
    x: &Tensor,
    weights: Vec<i8>,
    constants: ChannelConstants,
    addend: Option<&Tensor>,
    factor: i32,
) -> i32 {
    let k_len = u32::try_from(weights.len()).expect("short");
    let op = Op::MatMul(MatMul {
        rows: Dim::fixed(1),
        row_elements: k_len,
        k_offset: 0,
        k_len,
        out_channels: 1,
        dtype: x.dtype(),
        factor: Some(FactorShift(16)),
        linear: Linear {
            weights: weights.into(),
            constants: vec![constants],
            addend: addend.map(Tensor::dtype),
            low: ANY.0,
            high: ANY.1,
            table: None,
        },
    });
    let factor = Tensor::I32(vec![factor]);
    let inputs: Vec<&Tensor> = [x].into_iter().chain(addend).chain([&factor]).collect();
    at(&op, &inputs, 0)
}

/// Spec: operators, 2.12, 2.17 and 2.21.
#[test]
fn the_longest_int16_product_is_exact_and_its_bias_and_addend_join_behind_the_factor() {
    let constants = |bias, addend_multiplier| ChannelConstants {
        bias,
        multiplier: 1,
        addend_multiplier,
        shift: 8,
    };
    let x = Tensor::I16(vec![-32_767; 8_192]);
    let sum = -32_767_i64 * 127 * 8_192;
    let t = (sum + 128) >> 8;
    let weights = || vec![127; 8_192];
    for g in [1 << 16, -(1 << 16), 3, 0] {
        let want = (t * i64::from(g) + (1 << 15)) >> 16;
        assert_eq!(
            i64::from(product(&x, weights(), constants(0, 0), None, g)),
            want,
            "{g}"
        );
    }
    // t is beyond 32 bits and is cut before the factor halves it.
    let loud = ChannelConstants {
        multiplier: 32_767,
        ..constants(0, 0)
    };
    assert_eq!(product(&x, weights(), loud, None, 1 << 15), i32::MIN / 2);
    // Bias and addend count 2^15 units of the factor each: here half a unit of the output.
    let small = Tensor::I16(vec![0; 2]);
    let addend = Tensor::I32(vec![-40]);
    assert_eq!(
        product(&small, vec![1, 1], constants(100, 3), Some(&addend), 77),
        (100 - 120) / 2
    );
    let least = Tensor::I32(vec![i32::MIN]);
    let most = constants(-(1 << 30), 32_767);
    assert_eq!(
        product(&x, weights(), most, Some(&least), i32::MAX),
        i32::MIN
    );
}

fn batch(interleave: Interleave, factor: Option<FactorShift>) -> Op {
    Op::BatchMatMul(BatchMatMul {
        batch: 4,
        group: 2,
        rows: Dim::fixed(3),
        columns: Dim::fixed(5),
        k: Dim::fixed(2),
        interleave,
        dtype: DType::I16,
        multiplier: 2,
        shift: 1,
        factor,
        low: ANY.0,
        high: ANY.1,
    })
}

/// Spec: operators, 2.22: every order of the axes, by loops over b, i, j and k.
#[test]
fn batches_of_products_follow_the_order_of_each_tensor() {
    let (batches, group, rows, columns, k) = (4, 2, 3, 5, 2);
    let x: Vec<i16> = (0..24).map(|at| 1_000 * (at - 11)).collect();
    let y: Vec<i8> = (0..20).map(|at| 11 * (at - 9)).collect();
    let factors: Vec<i32> = (0..12).map(|at| 1_000 * (at - 5)).collect();
    let tensors = [
        Tensor::I16(x.clone()),
        Tensor::I8(y.clone()),
        Tensor::I32(factors.clone()),
    ];
    let inputs: Vec<&Tensor> = tensors.iter().collect();
    for bits in 0..8_u8 {
        let interleave = Interleave {
            x: bits & 1 == 1,
            y: bits & 2 == 2,
            output: bits & 4 == 4,
        };
        for (b, i, j) in (0..batches)
            .flat_map(|b| (0..rows).flat_map(move |i| (0..columns).map(move |j| (b, i, j))))
        {
            let x_row = if interleave.x {
                i * batches + b
            } else {
                b * rows + i
            };
            let shared = batches / group;
            let y_row = if interleave.y {
                j * shared + b / group
            } else {
                (b / group) * columns + j
            };
            let index = if interleave.output {
                (i * batches + b) * columns + j
            } else {
                (b * rows + i) * columns + j
            };
            let terms = (0..k).map(|k| i32::from(x[x_row * 2 + k]) * i32::from(y[y_row * 2 + k]));
            let sum: i32 = terms.sum();
            assert_eq!(
                at(&batch(interleave, None), &inputs, index as u64),
                sum,
                "{bits}: {b} {i} {j}"
            );
            let scaled = (i64::from(sum) * i64::from(factors[x_row]) + (1 << 9)) >> 10;
            let with = batch(interleave, Some(FactorShift(10)));
            assert_eq!(
                i64::from(at(&with, &inputs, index as u64)),
                scaled,
                "{bits}: {b} {i} {j}"
            );
        }
    }
}

/// One element of one column.
fn normalized(
    x: &Tensor,
    (bits, center, factor): (u8, Option<i32>, Option<i32>),
    (bias, multiplier, shift): (i32, i32, i32),
    last: u8,
) -> i32 {
    let op = Op::Normalize(Normalize {
        rows: Dim::fixed(1),
        columns: 1,
        dtype: x.dtype(),
        center_bits: bits,
        center: center.is_some(),
        factor: factor.is_some(),
        shift: FactorShift(last),
        low: ANY.0,
        high: ANY.1,
        constants: vec![ColumnConstants {
            bias,
            multiplier,
            shift,
        }],
    });
    let others: Vec<Tensor> = center
        .into_iter()
        .chain(factor)
        .map(|v| Tensor::I32(vec![v]))
        .collect();
    let inputs: Vec<&Tensor> = [x].into_iter().chain(&others).collect();
    at(&op, &inputs, 0)
}

/// Spec: operators, 2.24.
#[test]
fn a_normalization_takes_its_center_away_in_its_own_unit() {
    let x = Tensor::I8(vec![5]);
    // (5*256 - 1000) * 3 / 2 = 420, in units of 2^15 / 2^15.
    assert_eq!(normalized(&x, (8, Some(1_000), None), (0, 3, 1), 15), 420);
    assert_eq!(normalized(&x, (8, Some(1_000), None), (-20, 3, 1), 15), 400);
    assert_eq!(normalized(&x, (8, Some(1_000), None), (0, -3, 1), 15), -420);
    assert_eq!(normalized(&x, (0, None, None), (7, 2, 1), 15), 12);
    // Without a factor the factor is 2^15; with one it is the row's.
    assert_eq!(normalized(&x, (0, None, Some(1 << 15)), (7, 2, 1), 15), 12);
    assert_eq!(
        normalized(&x, (0, None, Some(-(1 << 16))), (7, 2, 1), 15),
        -3
    );
    assert_eq!(
        normalized(&x, (8, Some(1_000), Some(1 << 14)), (0, 3, 1), 15),
        210
    );
}

/// Spec: operators, 2.24: 2^46 * 2^15 fits, and t is clamped before the factor.
#[test]
fn a_normalization_at_its_extremes_is_exact_and_saturates() {
    let low = Tensor::I32(vec![i32::MIN]);
    let wide = (i64::from(i32::MIN) << 15) - i64::from(i32::MAX);
    let exact = |shift: u32| (wide * -32_767 + (1 << (shift - 1))) >> shift;
    let got = normalized(&low, (15, Some(i32::MAX), None), (0, -32_767, 46), 15);
    assert_eq!(i64::from(got), exact(46));
    // t is cut to 2^31 - 1, then halved by the factor.
    let got = normalized(
        &low,
        (15, Some(i32::MAX), Some(1 << 14)),
        (0, -32_767, 1),
        15,
    );
    assert_eq!(got, i32::MAX / 2 + 1);
    let got = normalized(
        &low,
        (15, Some(i32::MAX), Some(i32::MIN)),
        (1 << 30, 32_767, 1),
        1,
    );
    assert_eq!(got, i32::MAX);
    let got = normalized(
        &low,
        (15, Some(i32::MAX), Some(i32::MAX)),
        (-(1 << 30), 32_767, 1),
        1,
    );
    assert_eq!(got, i32::MIN);
}

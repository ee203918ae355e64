//! Products of two inputs, reductions, normalisations and embeddings of a draft.

use selfsame_ir::{
    BatchMatMul, ColumnConstants, DType, Embedding, FactorShift, Interleave, Normalize, Op, Reduce,
    ReduceKind,
};
use selfsame_protocol::constants::{
    BIAS_MAX, CENTER_BITS_MAX, FACTOR_BITS, MEAN_BITS, MULTIPLIER_MAX, SHIFT_MAX, VARIANCE_BITS,
};

use super::draft::Draft;
use super::drawn;
use super::linear::{self, deviation};
use super::rng::Rng;
use super::size::Size;

impl Draft<'_> {
    /// Rows of one tensor times rows of another, in any order of the axes.
    pub(super) fn batch_matmul(&mut self) -> Option<u32> {
        let x = self.any_source(|dtype, _| dtype != DType::I32)?;
        let y = self.any_source(|dtype, _| dtype == DType::I8)?;
        let k = self.common(x, y);
        self.product(x, y, k, 40)
    }

    /// An axis that both tensors have innermost in some shape.
    fn common(&mut self, x: u32, y: u32) -> Size {
        let (x, y) = (self.size(x), self.size(y));
        let least = u32::from(x.power == 2 || y.power == 2);
        let most = x.power.min(y.power).min(1);
        Size {
            power: self.rng.between(least.min(most), most),
            rest: self.rng.divisor(gcd(x.rest, y.rest)),
        }
    }

    /// The product of `x` and `y` over rows of `k` elements, with a row factor in `percent` of all
    /// cases.
    pub(super) fn product(&mut self, x: u32, y: u32, k: Size, percent: u64) -> Option<u32> {
        let (x_rows, y_rows) = (self.size(x).over(k), self.size(y).over(k));
        if 1 < x_rows.power || 1 < y_rows.power {
            return None;
        }
        // Batches of y divide its rows, and with the group those of x.
        let shared = self.rng.divisor(gcd(x_rows.rest, y_rows.rest));
        let group = self.rng.divisor(x_rows.rest / shared);
        let batch = shared * group;
        let (rows, columns) = (
            x_rows.over(Size::fixed(batch)),
            y_rows.over(Size::fixed(shared)),
        );
        let mut inputs = vec![x, y];
        let factor = self.factor(x, x_rows, k, percent);
        inputs.extend(factor.map(|(input, _)| input));
        let dtype = self.dtype(x);
        let out = self
            .rng
            .pick(&[DType::I8, DType::I8, DType::I16, DType::I32]);
        let spread = deviation(dtype) * deviation(DType::I8) * u64::from(k.rest).isqrt().max(1);
        let (multiplier, shift) = scale(self.rng, spread, out);
        let (low, high) = linear::clamp(self.rng, out.range());
        let size = x_rows.times(columns);
        let op = Op::BatchMatMul(BatchMatMul {
            batch,
            group,
            rows: rows.dim(self.lead),
            columns: columns.dim(self.lead),
            k: k.dim(self.lead),
            interleave: Interleave {
                x: self.rng.chance(50),
                y: self.rng.chance(50),
                output: self.rng.chance(50),
            },
            dtype,
            multiplier,
            shift,
            factor: factor.map(|(_, shift)| shift),
            low,
            high,
        });
        self.push(op, inputs, out, size)
    }

    /// In `percent` of all cases a row factor for the rows of `source`, with its shift.
    pub(super) fn factor(
        &mut self,
        source: u32,
        rows: Size,
        columns: Size,
        percent: u64,
    ) -> Option<(u32, FactorShift)> {
        if !self.rng.chance(percent) {
            return None;
        }
        let input = self.row_value(source, rows, columns)?;
        let any = self.rng.between(1, SHIFT_MAX);
        let shift = self.rng.pick(&[8, 15, 20, 30, any]);
        Some((input, FactorShift(narrow(shift))))
    }

    /// A node with one i32 for each row: an earlier one, or a reduction of `source`.
    fn row_value(&mut self, source: u32, rows: Size, columns: Size) -> Option<u32> {
        let fitting = self.fitting(|dtype, size| dtype == DType::I32 && size == rows);
        if !fitting.is_empty() && self.rng.chance(70) {
            return Some(self.rng.pick(&fitting));
        }
        let kind = self.kind(source);
        self.reduction(source, kind, (rows, columns), DType::I32)
    }

    /// A kind that takes elements of `source`.
    fn kind(&mut self, source: u32) -> ReduceKind {
        loop {
            let kind = self.rng.pick(&ReduceKind::ALL);
            if !kind.squares() || self.dtype(source) != DType::I32 {
                return kind;
            }
        }
    }

    pub(super) fn reduce(&mut self) -> Option<u32> {
        let source = self.any_source(|_, _| true)?;
        let shape = self.size(source).split(self.rng);
        let kind = self.kind(source);
        let out = self.rng.pick(&[DType::I8, DType::I16, DType::I32]);
        self.reduction(source, kind, shape, out)
    }

    /// One value for each of the rows under which `source` is seen.
    pub(super) fn reduction(
        &mut self,
        source: u32,
        kind: ReduceKind,
        (rows, columns): (Size, Size),
        out: DType,
    ) -> Option<u32> {
        let dtype = self.dtype(source);
        let spread = quantity(kind, dtype, columns.rest);
        let (multiplier, shift) = if out == DType::I32 && self.rng.chance(60) {
            (2, 1)
        } else {
            scale(self.rng, spread, out)
        };
        let (low, high) = linear::clamp(self.rng, out.range());
        let op = Op::Reduce(Reduce {
            rows: rows.dim(self.lead),
            columns: columns.dim(self.lead),
            kind,
            dtype,
            multiplier,
            shift,
            low,
            high,
        });
        self.push(op, vec![source], out, rows)
    }

    pub(super) fn normalize(&mut self) -> Option<u32> {
        let source = self.any_source(|_, size| size.power < 2)?;
        let size = self.size(source);
        let columns = Size::fixed(self.rng.divisor(size.rest));
        let rows = size.over(columns);
        let center = if self.rng.chance(60) {
            self.row_value(source, rows, columns)
        } else {
            None
        };
        let factor = self.factor(source, rows, columns, 60);
        let bits = self.rng.pick(&[0, MEAN_BITS, CENTER_BITS_MAX]);
        let out = self
            .rng
            .pick(&[DType::I8, DType::I8, DType::I16, DType::I32]);
        let factor = factor.map(|(input, _)| input);
        self.normalized(source, columns.rest, (center, factor), bits, out)
    }

    /// `source` in rows of `columns`, with a center and a row factor if there are such.
    pub(super) fn normalized(
        &mut self,
        source: u32,
        columns: u32,
        (center, factor): (Option<u32>, Option<u32>),
        center_bits: u8,
        out: DType,
    ) -> Option<u32> {
        let size = self.size(source);
        let rows = size.over(Size::fixed(columns));
        let dtype = self.dtype(source);
        let rng = &mut *self.rng;
        // Bits of t, sometimes more than it holds.
        let wide = rng.range(4, 34);
        let raw = bits(dtype) + i64::from(center_bits) + 14;
        let shift = (raw - wide).clamp(1, i64::from(SHIFT_MAX));
        let constants = (0..columns).map(|_| column(rng, shift, wide)).collect();
        let unit = if factor.is_some() {
            20
        } else {
            i64::from(FACTOR_BITS)
        };
        let last = (raw - shift).min(31) + unit - bits(out) + rng.range(-5, 3);
        let (low, high) = linear::clamp(rng, out.range());
        let op = Op::Normalize(Normalize {
            rows: rows.dim(self.lead),
            columns,
            dtype,
            center_bits,
            center: center.is_some(),
            factor: factor.is_some(),
            shift: FactorShift(narrow(last.clamp(1, i64::from(SHIFT_MAX)))),
            low,
            high,
            constants,
        });
        let inputs = std::iter::once(source).chain(center).chain(factor);
        let inputs = inputs.collect();
        self.push(op, inputs, out, size)
    }

    /// Rows of a table, at the indices that an i32 node holds or that an argmax finds.
    pub(super) fn embedding(&mut self) -> Option<u32> {
        let fits = |dtype, size: Size| dtype == DType::I32 && size.power < 2;
        let index = if self.rng.chance(50) {
            self.any_source(fits)
        } else {
            None
        };
        let index = if let Some(index) = index {
            index
        } else {
            let source = self.any_source(|_, _| true)?;
            let shape = self.size(source).split(self.rng);
            self.reduction(source, ReduceKind::ArgMax, shape, DType::I32)?
        };
        let (columns, entries) = (self.rng.between(1, 12), self.rng.between(1, 60));
        let out = self
            .rng
            .pick(&[DType::I8, DType::I8, DType::I16, DType::I32]);
        let rows = self.size(index);
        let op = Op::Embedding(Embedding {
            rows: rows.dim(self.lead),
            columns,
            entries,
            table: drawn(self.rng, out, (columns * entries) as usize).into(),
        });
        self.push(op, vec![index], out, rows.times(Size::fixed(columns)))
    }
}

/// Constants of one column, at their limits now and then.
fn column(rng: &mut Rng, shift: i64, wide: i64) -> ColumnConstants {
    let (bias, most) = (i64::from(BIAS_MAX), i64::from(MULTIPLIER_MAX));
    let near = 1_i64 << wide.clamp(0, 29);
    ColumnConstants {
        bias: narrow(if rng.chance(5) {
            rng.pick(&[-bias, bias])
        } else {
            rng.range(-near, near)
        }),
        multiplier: narrow(if rng.chance(10) {
            rng.pick(&[-most, 0, most])
        } else {
            rng.range(-most, most)
        }),
        shift: narrow((shift + rng.range(-1, 1)).clamp(1, i64::from(SHIFT_MAX))),
    }
}

/// A typical magnitude of what a reduction makes of a row.
fn quantity(kind: ReduceKind, dtype: DType, columns: u32) -> u64 {
    let one = deviation(dtype);
    let columns = u64::from(columns).max(1);
    match kind {
        ReduceKind::Sum => one * columns.isqrt(),
        ReduceKind::Mean => (one << MEAN_BITS) / columns.isqrt(),
        ReduceKind::Squares => one * one * columns,
        ReduceKind::Variance => (one * one) << VARIANCE_BITS,
        ReduceKind::Maximum | ReduceKind::Magnitude => one,
        ReduceKind::ArgMax => columns,
    }
    .max(1)
}

/// Multiplier and shift that bring `spread` to a few, most or more units than `out` holds.
fn scale(rng: &mut Rng, spread: u64, out: DType) -> (u16, u8) {
    let goal = match out {
        DType::I8 => rng.pick(&[20, 60, 120, 1_000]),
        DType::I16 => rng.pick(&[300, 9_000, 40_000]),
        DType::I32 => rng.pick(&[1_000, 1_000_000, 1 << 33]),
    };
    let (multiplier, shift) = linear::ratio(goal, spread);
    (narrow(multiplier), narrow(shift))
}

fn bits(dtype: DType) -> i64 {
    8 * i64::from(dtype.size()) - 1
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn narrow<T: TryFrom<V>, V: Copy + std::fmt::Display>(value: V) -> T {
    T::try_from(value).unwrap_or_else(|_| panic!("{value} is drawn within its limits"))
}

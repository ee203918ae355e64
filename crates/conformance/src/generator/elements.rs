//! Moves, concatenations and pointwise nodes of a draft.

use selfsame_ir::{
    Activation, Combine, Concat, Constant, DType, Dim, DimValues, Move, Op, Operand, Pointwise,
    Spread, Tensor, Walk,
};
use selfsame_protocol::constants::{
    CONCAT_INPUTS_MAX, MULTIPLIER_MAX, RECIPROCAL_BITS_MAX, SHIFT_MAX,
};

use super::draft::Draft;
use super::rng::Rng;
use super::size::Size;
use super::{drawn, linear};

/// A constant larger than this is not drawn.
const CONSTANT_MAX: u32 = 4_000;

impl Draft<'_> {
    pub(super) fn moved(&mut self) -> Option<u32> {
        let source = self.source(|_| true)?;
        let rest = self.rest(source);
        let dtype = self.dtype(source);
        let rank = 1 + usize::try_from(self.rng.below(6)).ok()?;
        let parts = if self.symbolic() { rank - 1 } else { rank };
        let mut shape = Vec::with_capacity(rank);
        if self.symbolic() {
            shape.push(self.once(1).dim(self.lead));
        }
        let mut extents = vec![1; shape.len()];
        if parts > 0 {
            extents.extend(self.rng.factors(rest, parts));
            shape.extend(
                extents[shape.len()..]
                    .iter()
                    .map(|&extent| Dim::fixed(extent)),
            );
        } else if rest != 1 {
            return None;
        }
        let mut axes: Vec<u8> = (0..u8::try_from(shape.len()).ok()?).collect();
        self.rng.shuffle(&mut axes);
        let plain = self.rng.chance(30);
        let mut made = 1_u32;
        let mut walks = Vec::with_capacity(axes.len());
        for axis in axes {
            let index = usize::from(axis);
            let lead = self.symbolic() && index == 0;
            let walk = if plain || lead {
                Walk::along(axis, shape[index])
            } else {
                walk(self.rng, axis, extents[index])
            };
            if !lead {
                made = made.checked_mul(walk.extent.constant()?)?;
            }
            walks.push(walk);
        }
        let (low, high) = dtype.range();
        let fill = self.rng.range(low.into(), high.into());
        let fill = self.rng.pick(&[0, i32::try_from(fill).ok()?]);
        let op = Op::Move(Move { walks, shape, fill });
        self.push(op, vec![source], dtype, self.once(made))
    }

    pub(super) fn concat(&mut self) -> Option<u32> {
        let first = self.source(|_| true)?;
        let dtype = self.dtype(first);
        let rest = self.rest(first);
        let rows = if self.symbolic() {
            1
        } else {
            self.rng.divisor(rest)
        };
        let power = self.size(first).power;
        let fits = |size: Size| size.power == power && size.rest.is_multiple_of(rows);
        let fitting = self.fitting(|other, size| other == dtype && fits(size));
        let most = if self.rng.chance(10) {
            u32::from(CONCAT_INPUTS_MAX)
        } else {
            5
        };
        let count = self.rng.between(2, most);
        let mut inputs = vec![first];
        inputs.extend((1..count).map(|_| self.rng.pick(&fitting)));
        let sizes: Vec<u32> = inputs.iter().map(|&input| self.rest(input)).collect();
        let whole: u32 = sizes.iter().sum();
        let columns = sizes.into_iter().map(|size| Dim::fixed(size / rows));
        let op = Op::Concat(Concat {
            rows: self.once(rows).dim(self.lead),
            columns: columns.collect(),
        });
        self.push(op, inputs, dtype, self.once(whole))
    }

    pub(super) fn pointwise(&mut self) -> Option<u32> {
        let source = self.any_source(|_, _| true)?;
        let size = self.size(source);
        let (rows, columns) = size.split(self.rng);
        let dtype = self.dtype(source);
        let second = if self.rng.chance(75) {
            self.second(rows, columns)
        } else {
            None
        };
        let fits = second
            .as_ref()
            .is_some_and(|(y, _)| dtype != DType::I32 || y.dtype != DType::I32);
        let combine = if fits && self.rng.chance(40) {
            Combine::Product
        } else {
            Combine::Sum
        };
        let mut inputs = vec![source];
        let second = second.map(|(mut y, input)| {
            inputs.extend(input);
            if combine == Combine::Product {
                y.multiplier = 0;
            }
            y
        });
        let out = self
            .rng
            .pick(&[DType::I8, DType::I8, DType::I16, DType::I32]);
        let activation = activation(self.rng, out);
        let range = activation
            .as_ref()
            .map_or_else(|| out.range(), Activation::domain);
        let multiplier = multiplier(self.rng);
        let mut op = Pointwise {
            rows: rows.dim(self.lead),
            columns: columns.dim(self.lead),
            dtype,
            multiplier,
            combine,
            second,
            shift: 1,
            low: 0,
            high: 0,
            activation,
        };
        op.shift = shift(self.rng, &op, out);
        (op.low, op.high) = linear::clamp(self.rng, range);
        self.push(Op::Pointwise(op), inputs, out, size)
    }

    /// A second operand: an earlier node of the spread's size, or a constant.
    fn second(&mut self, rows: Size, columns: Size) -> Option<(Operand, Option<u32>)> {
        let spread = self.rng.pick(&[
            Spread::Full,
            Spread::Full,
            Spread::Column,
            Spread::Row,
            Spread::One,
        ]);
        let multiplier = multiplier(self.rng);
        let size = match spread {
            Spread::Full => rows.times(columns),
            Spread::Row => rows,
            Spread::Column => columns,
            Spread::One => Size::fixed(1),
        };
        let fitting = self.fitting(|_, other| other == size);
        if !fitting.is_empty() && self.rng.chance(60) {
            let input = self.rng.pick(&fitting);
            let operand = Operand {
                dtype: self.dtype(input),
                spread,
                multiplier,
                constant: None,
            };
            return Some((operand, Some(input)));
        }
        let dtype = self.rng.pick(&[DType::I8, DType::I16, DType::I32]);
        let maxima = DimValues::maxima(&self.symbols);
        let rows = rows.dim(self.lead).at(&maxima).ok()?;
        let columns = columns.dim(self.lead).at(&maxima).ok()?;
        let [down, across] = spread.shape(rows, columns);
        let elements = down.checked_mul(across)?;
        if CONSTANT_MAX < elements {
            return None;
        }
        let values = drawn(self.rng, dtype, usize::try_from(elements).ok()?);
        let operand = Operand {
            dtype,
            spread,
            multiplier,
            constant: Some(Constant { elements, values }),
        };
        Some((operand, None))
    }
}

/// A walk along a fixed axis of `extent` cells.
fn walk(rng: &mut Rng, source: u8, extent: u32) -> Walk {
    let mut walk = Walk::along(source, Dim::fixed(extent));
    let signed = |value: u32| i32::try_from(value).expect("a small extent");
    match rng.below(8) {
        0 => {}
        // A slice.
        1 => {
            let length = rng.between(1, extent);
            walk.extent = Dim::fixed(length);
            walk.offset = signed(rng.between(0, extent - length));
        }
        // Every second or third cell.
        2 => {
            let step = rng.between(2, 3);
            walk.numerator = signed(step);
            walk.extent = Dim::fixed(extent.div_ceil(step));
        }
        // Backwards.
        3 => {
            walk.numerator = -1;
            walk.offset = signed(extent - 1);
        }
        // Padding on both sides.
        4 => {
            let before = rng.between(0, 3);
            walk.offset = -signed(before);
            walk.extent = Dim::fixed(extent + before + rng.between(0, 3));
        }
        // Resized by a ratio, nearest cell.
        5 => {
            let to = rng.between(1, 2 * extent);
            walk.numerator = signed(extent);
            walk.denominator = to;
            walk.extent = Dim::fixed(to);
        }
        // Cells with fill between.
        6 => {
            let step = rng.between(2, 3);
            walk.exact = true;
            walk.denominator = step;
            walk.offset = rng.pick(&[0, -1, 1]);
            walk.extent = Dim::fixed(extent * step);
        }
        // One cell for all.
        _ => {
            walk.numerator = 0;
            walk.offset = signed(rng.between(0, extent - 1));
            walk.extent = Dim::fixed(rng.between(1, 4));
        }
    }
    walk
}

fn multiplier(rng: &mut Rng) -> i32 {
    let most = i64::from(MULTIPLIER_MAX);
    let any = rng.range(-most, most);
    let small = rng.range(-3, 3);
    let drawn = rng.pick(&[any, any, small, most, -most]);
    i32::try_from(drawn).expect("15 bits and a sign")
}

/// A shift that brings a large sum to about the clamp's size, sometimes far above it.
fn shift(rng: &mut Rng, op: &Pointwise, out: DType) -> u8 {
    let bits = |dtype: DType| 8 * i64::from(dtype.size()) - 1;
    let wide = 64 - i64::from(op.multiplier).leading_zeros();
    let second = op.second.as_ref().map_or(0, |y| bits(y.dtype));
    let sum = match op.combine {
        Combine::Sum => bits(op.dtype).max(second),
        Combine::Product => bits(op.dtype) + second,
    };
    let shift = sum + i64::from(wide) - bits(out) + rng.range(-6, 1);
    u8::try_from(shift.clamp(1, i64::from(SHIFT_MAX))).expect("at most 46")
}

/// None, or one of those that put out `out`.
fn activation(rng: &mut Rng, out: DType) -> Option<Activation> {
    if rng.chance(40) {
        return None;
    }
    let bits = u8::try_from(rng.between(0, u32::from(RECIPROCAL_BITS_MAX))).expect("at most 62");
    match out {
        DType::I8 => match drawn(rng, DType::I8, Activation::LOOKUP) {
            Tensor::I8(entries) => Some(Activation::Lookup(entries)),
            Tensor::I16(_) | Tensor::I32(_) => None,
        },
        DType::I16 if rng.chance(50) => {
            let entries = (0..Activation::EXPONENTIAL).map(|_| rng.range(0, 32_767));
            let entries = entries.map(|entry| i16::try_from(entry).expect("15 bits"));
            Some(Activation::Exponential(entries.collect()))
        }
        DType::I16 => match drawn(rng, DType::I16, Activation::INTERPOLATE) {
            Tensor::I16(entries) => Some(Activation::Interpolate(entries)),
            Tensor::I8(_) | Tensor::I32(_) => None,
        },
        DType::I32 if rng.chance(50) => Some(Activation::Reciprocal { bits }),
        DType::I32 => Some(Activation::ReciprocalRoot { bits }),
    }
}

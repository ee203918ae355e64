//! Chains of nodes as real programs have them: softmax, norm, products of rows that were quantised
//! by their own magnitude.

use selfsame_ir::{
    Activation, Combine, DType, FactorShift, MatMul, Op, Operand, Pointwise, ReduceKind, Spread,
};
use selfsame_protocol::constants::{MEAN_BITS, SHIFT_MAX, TERMS_MAX};

use super::draft::Draft;
use super::rng::Rng;
use super::size::Size;

impl Draft<'_> {
    /// Maximum, exponential of the distance to it, sum, reciprocal; then a product with both, or a
    /// product of matrices whose row factor the reciprocal is.
    pub(super) fn softmax(&mut self) -> Option<u32> {
        let x = self.any_source(|_, size| size.power < 2 || size.rest < 100)?;
        let (rows, columns) = self.size(x).split(self.rng);
        let shape = (rows, columns);
        let peak = self.row_statistic(x, ReduceKind::Maximum, shape)?;
        let slope = i32::try_from(self.rng.between(1, 3_000)).ok()?;
        let mut below = self.pointwise_of(x, shape, -slope);
        below.second = Some(row_operand(slope));
        below.shift = u8::try_from(self.rng.between(1, 10)).ok()?;
        (below.low, below.high) = (0, 65_535);
        below.activation = Some(Activation::Exponential(decay(self.rng)));
        let size = self.size(x);
        let powers = self.push(Op::Pointwise(below), vec![x, peak], DType::I16, size)?;
        let sum = self.row_statistic(powers, ReduceKind::Sum, shape)?;
        let bits = u8::try_from(self.rng.between(30, 46)).ok()?;
        let share = self.row_function(sum, rows, Activation::Reciprocal { bits })?;
        if self.rng.chance(50) {
            return self.row_scaled(powers, share, shape, i64::from(bits) - 7);
        }
        let y = self.any_source(|dtype, size| {
            dtype == DType::I8
                && columns.power <= size.power
                && size.rest.is_multiple_of(columns.rest)
        })?;
        self.product(powers, y, columns, 100)
    }

    /// Mean, variance, reciprocal of the deviation, and the node that uses them.
    pub(super) fn norm(&mut self) -> Option<u32> {
        let x = self.any_source(|dtype, size| dtype != DType::I32 && size.power < 2)?;
        let columns = Size::fixed(self.rng.divisor(self.rest(x)));
        let shape = (self.size(x).over(columns), columns);
        let center = if self.rng.chance(70) {
            Some(self.row_statistic(x, ReduceKind::Mean, shape)?)
        } else {
            None
        };
        let kind = if center.is_some() {
            ReduceKind::Variance
        } else {
            ReduceKind::Squares
        };
        let variance = self.row_statistic(x, kind, shape)?;
        let bits = u8::try_from(self.rng.between(30, 50)).ok()?;
        let root = Activation::ReciprocalRoot { bits };
        let factor = self.row_function(variance, shape.0, root)?;
        let out = self.rng.pick(&[DType::I8, DType::I16]);
        self.normalized(x, columns.rest, (center, Some(factor)), MEAN_BITS, out)
    }

    /// A row brought to int8 by its own magnitude, and a product that gives the magnitude back.
    pub(super) fn row_product(&mut self) -> Option<u32> {
        let x = self.any_source(|_, size| size.power < 2)?;
        let columns = Size::fixed(self.rng.divisor(self.rest(x)));
        let shape = (self.size(x).over(columns), columns);
        let largest = self.row_statistic(x, ReduceKind::Magnitude, shape)?;
        let bits = 38;
        let inverse = self.row_function(largest, shape.0, Activation::Reciprocal { bits })?;
        let shift = i64::from(bits) - 7 - i64::from(self.dtype(x) == DType::I32);
        let narrow = self.row_scaled(x, inverse, shape, shift)?;
        let dtype = self.dtype(narrow);
        if dtype == DType::I32 || TERMS_MAX < columns.rest {
            return None;
        }
        let outputs = self.rng.between(1, 8);
        let (mut linear, out) = self.linear(outputs, columns.rest, None, dtype);
        let bias = |c: &mut selfsame_ir::ChannelConstants| c.bias >>= 12;
        linear.constants.iter_mut().for_each(bias);
        let op = Op::MatMul(MatMul {
            rows: shape.0.dim(self.lead),
            row_elements: columns.rest,
            k_offset: 0,
            k_len: columns.rest,
            out_channels: outputs,
            dtype,
            factor: Some(FactorShift(self.rng.pick(&[7, 10, 15, 22]))),
            linear,
        });
        let size = shape.0.times(Size::fixed(outputs));
        self.push(op, vec![narrow, largest], out, size)
    }

    /// A statistic as it is, in an i32.
    fn row_statistic(&mut self, x: u32, kind: ReduceKind, shape: (Size, Size)) -> Option<u32> {
        let made = self.reduction(x, kind, shape, DType::I32)?;
        let Op::Reduce(op) = &mut self.nodes[made as usize].op else {
            return None;
        };
        (op.low, op.high) = DType::I32.range();
        (op.multiplier, op.shift) = (2, 1);
        Some(made)
    }

    /// An activation of one i32 for each row.
    fn row_function(&mut self, x: u32, rows: Size, activation: Activation) -> Option<u32> {
        let mut op = self.pointwise_of(x, (rows, Size::fixed(1)), 2);
        (op.low, op.high) = activation.domain();
        op.activation = Some(activation);
        self.push(Op::Pointwise(op), vec![x], DType::I32, rows)
    }

    /// Each row times its own number, to int8 or int16.
    fn row_scaled(&mut self, x: u32, by: u32, shape: (Size, Size), bits: i64) -> Option<u32> {
        if self.dtype(x) == DType::I32 {
            return None;
        }
        let out = self.rng.pick(&[DType::I8, DType::I8, DType::I16]);
        let mut op = self.pointwise_of(x, shape, 256);
        op.combine = Combine::Product;
        op.second = Some(row_operand(0));
        let wider = 8 * i64::from(out == DType::I16);
        let shift = (bits + 8 - wider + self.rng.range(-1, 1)).clamp(1, i64::from(SHIFT_MAX));
        op.shift = u8::try_from(shift).ok()?;
        (op.low, op.high) = out.range();
        self.push(Op::Pointwise(op), vec![x, by], out, self.size(x))
    }

    /// `(x*multiplier + 1) >> 1`, unclamped.
    fn pointwise_of(&self, x: u32, (rows, columns): (Size, Size), multiplier: i32) -> Pointwise {
        let (low, high) = DType::I32.range();
        Pointwise {
            rows: rows.dim(self.lead),
            columns: columns.dim(self.lead),
            dtype: self.dtype(x),
            multiplier,
            combine: Combine::Sum,
            second: None,
            shift: 1,
            low,
            high,
            activation: None,
        }
    }
}

/// The second input, one i32 for each row.
fn row_operand(multiplier: i32) -> Operand {
    Operand {
        dtype: DType::I32,
        spread: Spread::Row,
        multiplier,
        constant: None,
    }
}

/// Tables of `32767 * r^-v` for some r: coarse entries of 256 steps, then fine ones of one.
fn decay(rng: &mut Rng) -> Vec<i16> {
    let fine_ratio = u64::from(rng.between(32_400, 32_767));
    let mut fine = vec![32_767_u64];
    while fine.len() < 256 {
        let last = fine[fine.len() - 1];
        fine.push((last * fine_ratio) >> 15);
    }
    let coarse_ratio = (fine[255] * fine_ratio) >> 15;
    let mut entries = vec![32_767_u64];
    while entries.len() < 256 {
        let last = entries[entries.len() - 1];
        entries.push((last * coarse_ratio) >> 15);
    }
    entries.extend(fine);
    let narrow = |entry| i16::try_from(entry).expect("at most 32767");
    entries.into_iter().map(narrow).collect()
}

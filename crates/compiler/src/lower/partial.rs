//! Long reductions: a row of more terms than one node may read becomes a chain of partial sums.
//!
//! ```text
//! p1 = x[0..L] * w            int32, exactly (M = 2, s = 1)
//! p2 = x[L..2L] * w + p1      int32, exactly (A = 2)
//! y  = clamp((x[2L..] * w + bias + p2) * M >> s)          (A = M)
//! ```

use selfsame_ir::{ChannelConstants, DType, Dim, FactorShift, Linear, MatMul, Op};
use selfsame_protocol::constants::TERMS_MAX;

use super::emit::{Emitter, Place, fit};
use super::error::CompileError;
use super::layout::Layout;

/// Most terms of a whole row: their sum of int8 products stays below 2^31.
const ROW_TERMS_MAX: usize = 130_000;

/// Extents of a matmul.
#[derive(Debug, Clone, Copy)]
pub(super) struct MatMulShape {
    pub(super) rows: usize,
    pub(super) terms: usize,
    pub(super) outputs: usize,
    /// Element type of the input.
    pub(super) dtype: DType,
    /// Shift behind the row factor, if the input has one.
    pub(super) factor: Option<FactorShift>,
}

/// What a matmul reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Operands<'a> {
    pub(super) x: &'a Place,
    pub(super) addend: Option<&'a Place>,
}

/// Where the result goes: layout, type, step, and the float node that it stands for, if any.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) place: (Layout, DType, f64),
    pub(super) float: Option<usize>,
}

impl MatMulShape {
    fn op(self, name: &str, offset: usize, len: usize, linear: Linear) -> Result<Op, CompileError> {
        Ok(Op::MatMul(MatMul {
            rows: Dim::fixed(fit(name, self.rows)?),
            row_elements: fit(name, self.terms)?,
            k_offset: fit(name, offset)?,
            k_len: fit(name, len)?,
            out_channels: fit(name, self.outputs)?,
            dtype: self.dtype,
            factor: self.factor,
            linear,
        }))
    }
}

/// Adds the matmul, with partial sums in front of it where a row is too long for one node.
pub(super) fn matmul(
    emitter: &mut Emitter,
    name: &str,
    shape: MatMulShape,
    linear: Linear,
    Operands { x, addend }: Operands<'_>,
    target: Target,
) -> Result<Place, CompileError> {
    let limit = TERMS_MAX as usize;
    if shape.terms <= limit {
        let op = shape.op(name, 0, shape.terms, linear)?;
        let factor = x.factor.map(|factor| factor.node);
        let inputs = [Some(x.node), addend.map(|a| a.node), factor];
        let inputs = inputs.into_iter().flatten().collect();
        return emitter.push(name, op, inputs, target.place, target.float);
    }
    if shape.terms > ROW_TERMS_MAX {
        let (node, terms) = (name.to_owned(), shape.terms);
        return Err(CompileError::Terms {
            node,
            terms,
            limit: ROW_TERMS_MAX,
        });
    }
    if addend.is_some() {
        return Err(CompileError::Format {
            node: name.to_owned(),
            what: format!(
                "a residual addition behind a matmul of {} terms (more than {limit})",
                shape.terms
            ),
        });
    }
    let chunks = shape.terms.div_ceil(limit);
    let mut partial: Option<Place> = None;
    for chunk in 0..chunks {
        let offset = chunk * shape.terms / chunks;
        let len = (chunk + 1) * shape.terms / chunks - offset;
        let last = chunk + 1 == chunks;
        let part = part_of(
            &linear,
            shape.terms,
            offset..offset + len,
            partial.is_some(),
            last,
        );
        let inputs = core::iter::once(x.node)
            .chain(partial.as_ref().map(|p| p.node))
            .collect();
        let op = shape.op(name, offset, len, part)?;
        let place = if last {
            target.place.clone()
        } else {
            (Layout::flat(shape.rows * shape.outputs), DType::I32, 1.0)
        };
        let float = target.float.filter(|_| last);
        partial = Some(emitter.push(name, op, inputs, place, float)?);
    }
    Ok(partial.expect("a long row has at least two parts"))
}

/// The columns `range` of a linear node: an exact sum, or the requantisation if it is the last.
fn part_of(
    linear: &Linear,
    terms: usize,
    range: core::ops::Range<usize>,
    has_partial: bool,
    last: bool,
) -> Linear {
    let rows = linear.weights.chunks_exact(terms);
    let constants = linear.constants.iter().map(|c| {
        let multiplier = if last { c.multiplier } else { 2 };
        ChannelConstants {
            bias: if last { c.bias } else { 0 },
            multiplier,
            addend_multiplier: if has_partial { multiplier } else { 0 },
            shift: if last { c.shift } else { 1 },
        }
    });
    let (low, high) = if last {
        (linear.low, linear.high)
    } else {
        DType::I32.range()
    };
    Linear {
        weights: rows
            .flat_map(|row| row[range.clone()].iter().copied())
            .collect(),
        constants: constants.collect(),
        addend: has_partial.then_some(DType::I32),
        low,
        high,
        table: if last { linear.table.clone() } else { None },
    }
}

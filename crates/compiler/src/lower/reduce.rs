//! REDUCE and EMBEDDING: one value for each row, and rows of a table.

use selfsame_ir::{Combine, DType, Dim, Embedding, Op, ReduceKind, Tensor};
use selfsame_protocol::constants::{MEAN_BITS, SHIFT_MAX};

use super::chain::Chain;
use super::emit::{Place, fit};
use super::error::CompileError;
use super::layout::Layout;
use super::program::Lowering;
use super::rows::{Elementwise, Reduction};
use crate::float::{self, FloatOp};
use crate::quant::{INT16_LEVELS, power, requantizer, to_i16};

impl Lowering<'_> {
    /// The reduction that a chain is.
    pub(super) fn reduction(
        &mut self,
        chain: &Chain,
        kind: float::ReduceKind,
    ) -> Result<Place, CompileError> {
        let node = self.node(chain.body).clone();
        let columns = self.node(node.inputs[0]).shape.last().copied().unwrap_or(1);
        let x = self.row_operand(&node.name, node.inputs[0], columns)?;
        let exact = |kind| Reduction {
            kind,
            columns,
            scale: (2, 1),
            dtype: x.dtype,
            bounds: x.dtype.range(),
            step: x.step,
        };
        let (kind, ratio) = match kind {
            float::ReduceKind::Max => {
                let float = Some(chain.end);
                return self
                    .emitter
                    .reduce(&node.name, &x, exact(ReduceKind::Maximum), float);
            }
            float::ReduceKind::Min => {
                let x = self.negated(&node.name, &x, None)?;
                let most = exact(ReduceKind::Maximum);
                let most = self.emitter.reduce(&node.name, &x, most, None)?;
                return self.negated(&node.name, &most, Some(chain.end));
            }
            float::ReduceKind::Sum => (ReduceKind::Sum, x.step),
            float::ReduceKind::Mean => (ReduceKind::Mean, x.step / power(MEAN_BITS.into())),
            float::ReduceKind::SumSquares => (ReduceKind::Squares, x.step * x.step),
        };
        let x = if kind.squares() {
            self.narrow(&node.name, node.inputs[0], x)?
        } else {
            x
        };
        let (dtype, step) = if kind.squares() && self.feeds_bends(chain.end) {
            (DType::I32, self.long_step(chain.end, ratio))
        } else {
            self.output_of(chain.end)?
        };
        let reduction = Reduction {
            kind,
            columns,
            scale: self.scale_of(chain, ratio / step)?,
            dtype,
            bounds: dtype.range(),
            step,
        };
        self.emitter
            .reduce(&node.name, &x, reduction, Some(chain.end))
    }

    /// The index of the largest element of each row, as a whole number.
    pub(super) fn arg_max(&mut self, chain: &Chain) -> Result<Place, CompileError> {
        let node = self.node(chain.body).clone();
        let columns = self.node(node.inputs[0]).shape.last().copied().unwrap_or(1);
        let x = self.row_operand(&node.name, node.inputs[0], columns)?;
        let reduction = Reduction {
            kind: ReduceKind::ArgMax,
            columns,
            scale: (2, 1),
            dtype: DType::I32,
            bounds: DType::I32.range(),
            step: 1.0,
        };
        self.emitter
            .reduce(&node.name, &x, reduction, Some(chain.end))
    }

    /// Rows of a table.
    pub(super) fn embedding(&mut self, chain: &Chain) -> Result<Place, CompileError> {
        let node = self.node(chain.body).clone();
        let FloatOp::Embedding {
            rows: entries,
            columns,
            table,
        } = &node.op
        else {
            unreachable!("the caller matched")
        };
        let index = self.whole_numbers(&node.name, node.inputs[0])?;
        let largest = table
            .iter()
            .fold(0.0_f64, |m, &v| m.max(f64::from(v.abs())));
        let step = if largest == 0.0 {
            1.0
        } else {
            largest / INT16_LEVELS
        };
        let levels = table.iter().map(|&v| to_i16(f64::from(v) / step));
        let rows = index.layout.elements();
        let layout = index.layout.widened(*columns);
        let op = Op::Embedding(Embedding {
            rows: Dim::fixed(fit(&node.name, rows)?),
            columns: fit(&node.name, *columns)?,
            entries: fit(&node.name, *entries)?,
            table: Tensor::I16(levels.collect()).into(),
        });
        let place = (layout, DType::I16, step);
        self.emitter
            .push(&node.name, op, vec![index.node], place, Some(chain.end))
    }

    /// A value of whole numbers as i32 of step 1.
    pub(super) fn whole_numbers(
        &mut self,
        name: &str,
        index: usize,
    ) -> Result<Place, CompileError> {
        let place = self.settled(name, index)?;
        if place.dtype == DType::I32 && place.step.to_bits() == 1.0_f64.to_bits() {
            return Ok(place);
        }
        let (multiplier, shift) =
            requantizer(place.step, SHIFT_MAX).ok_or_else(|| self.no_scale(index))?;
        let whole = Elementwise {
            columns: 1,
            scale: (
                i32::try_from(multiplier).map_err(|_| self.no_scale(index))?,
                u8::try_from(shift).map_err(|_| self.no_scale(index))?,
            ),
            ..Elementwise::of_rows(place.layout.elements())
        };
        let op = whole.op(name, place.dtype)?;
        let target = (place.layout, DType::I32, 1.0);
        self.emitter.push(name, op, vec![place.node], target, None)
    }

    fn negated(
        &mut self,
        name: &str,
        x: &Place,
        float: Option<usize>,
    ) -> Result<Place, CompileError> {
        let negated = Elementwise {
            combine: Combine::Sum,
            scale: (-2, 1),
            bounds: x.dtype.range(),
            ..Elementwise::of_rows(x.layout.elements())
        };
        let op = negated.op(name, x.dtype)?;
        let place = (x.layout.clone(), x.dtype, x.step);
        self.emitter.push(name, op, vec![x.node], place, float)
    }

    fn scale_of(&self, chain: &Chain, ratio: f64) -> Result<(u16, u8), CompileError> {
        let (multiplier, shift) =
            requantizer(ratio, SHIFT_MAX).ok_or_else(|| self.no_scale(chain.end))?;
        Ok((
            u16::try_from(multiplier).map_err(|_| self.no_scale(chain.end))?,
            u8::try_from(shift).map_err(|_| self.no_scale(chain.end))?,
        ))
    }

    /// A value without row factor, whose rows of `columns` are contiguous.
    pub(super) fn row_operand(
        &mut self,
        name: &str,
        index: usize,
        columns: usize,
    ) -> Result<Place, CompileError> {
        let place = self.settled(name, index)?;
        if place.layout.has_rows(columns) {
            return Ok(place);
        }
        let flat = Layout::flat(place.layout.elements());
        self.emitter.arrange(name, place, &flat)
    }
}

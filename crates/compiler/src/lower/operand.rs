//! Operands of pairs: how the second one lies over the first in the program's order of axes.
//!
//! The first operand's axes in program order either run along the second one or repeat it. All
//! along: full; repeated first, then along: by columns; along first, then repeated: by rows; none
//! along: one element. What is mixed otherwise is repeated by a move, a constant at compile time.

use selfsame_ir::{
    Constant, DType, Dim, Embedding, Move, Op, Operand, Spread as Lay, Tensor, Walk,
};

use super::emit::{Place, fit};
use super::error::CompileError;
use super::layout::Layout;
use super::program::Lowering;
use super::rows::Elementwise;
use crate::float::{Arithmetic, FloatOp, Spread};
use crate::quant::{INT16_LEVELS, to_i16};

/// A second operand in place.
pub(super) struct Second {
    /// The node that makes it; `None` for a constant.
    pub(super) node: Option<u32>,
    pub(super) operand: Operand,
    pub(super) step: f64,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// How the axes of a second operand lie over a layout.
struct Laid {
    lay: Option<Lay>,
    rows: usize,
    columns: usize,
    /// The second operand in the order of the first one's axes, without those that repeat it.
    layout: Layout,
}

impl Lowering<'_> {
    /// Value `index` spread over `x`, which is value `body`.
    pub(super) fn second(
        &mut self,
        name: &str,
        (body, x): (usize, &Place),
        index: usize,
        spread: &Spread,
    ) -> Result<Second, CompileError> {
        let over = self.node(body).shape.clone();
        let over = over.as_slice();
        let mut laid = lie(&x.layout, over, spread).ok_or_else(|| CompileError::Format {
            node: name.to_owned(),
            what: "its operands' axes cannot be put in one order by moves".to_owned(),
        })?;
        // Rows or columns that grow along two axes have no dimension in the format.
        let growth = &self.constants.growth;
        let is_square = |runs| {
            let axes = (0..over.len()).filter(|&axis| spread.repeated()[axis] != runs);
            growth.is_square(body, axes)
        };
        let squares = match laid.lay {
            Some(Lay::Row | Lay::Column) => is_square(true) || is_square(false),
            Some(Lay::Full | Lay::One) | None => false,
        };
        if squares {
            laid.lay = None;
        }
        if let FloatOp::Constant(values) = &self.node(index).op
            && !growth.cuts(index)
        {
            let values = values.clone();
            if !squares {
                let step = self.constant_step(index, &values);
                return constant(name, &laid, (x, over), (&values, step), spread);
            }
            if self.places[index].is_none() {
                self.places[index] = Some(self.constant(index, &values)?);
            }
        }
        let place = self.settled(name, index)?;
        let place = self.emitter.arrange(name, place, &laid.layout)?;
        let (place, lay, rows, columns) = if let Some(lay) = laid.lay {
            (place, lay, laid.rows, laid.columns)
        } else {
            let place = self.repeat(name, x, over, &place, spread)?;
            (place, Lay::Full, 1, x.layout.elements())
        };
        Ok(Second {
            node: Some(place.node),
            operand: Operand {
                dtype: place.dtype,
                spread: lay,
                multiplier: 0,
                constant: None,
            },
            step: place.step,
            rows,
            columns,
        })
    }

    /// `y`, in the order of x's axes without those that repeat it, repeated along them.
    fn repeat(
        &mut self,
        name: &str,
        x: &Place,
        over: &[usize],
        y: &Place,
        spread: &Spread,
    ) -> Result<Place, CompileError> {
        let axes = along(&x.layout, over, spread).unwrap_or_default();
        let mut walks = Vec::with_capacity(axes.len());
        let mut shape = Vec::with_capacity(axes.len());
        for (at, &(extent, runs)) in axes.iter().enumerate() {
            walks.push(Walk {
                numerator: i32::from(runs),
                ..Walk::along(fit(name, at)?, Dim::fixed(fit(name, extent)?))
            });
            shape.push(Dim::fixed(fit(name, if runs { extent } else { 1 })?));
        }
        let op = Op::Move(Move {
            walks,
            shape,
            fill: 0,
        });
        let place = (x.layout.clone(), y.dtype, y.step);
        self.emitter.push(name, op, vec![y.node], place, None)
    }

    /// A constant as a value of its own, in the float graph's order.
    pub(super) fn constant(&mut self, index: usize, values: &[f32]) -> Result<Place, CompileError> {
        let name = self.node(index).name.clone();
        // Times 0.
        let any = self.any(&name, values.len())?;
        let step = self.constant_step(index, values);
        let levels = integers(values, step);
        let operand = Operand {
            dtype: DType::I16,
            spread: Lay::Full,
            multiplier: 2,
            constant: Some(Constant {
                elements: fit(&name, values.len())?,
                values: Tensor::I16(levels),
            }),
        };
        let elementwise = Elementwise {
            columns: values.len(),
            scale: (0, 1),
            second: Some(operand),
            bounds: DType::I16.range(),
            ..Elementwise::of_rows(1)
        };
        let op = elementwise.op(&name, any.dtype)?;
        let place = (any.layout, DType::I16, step);
        self.emitter
            .push(&name, op, vec![any.node], place, Some(index))
    }

    /// Constant `index`, whose elements are `values`, as the only row of a table: nothing is computed.
    pub(super) fn row(&mut self, index: usize, values: &[f32]) -> Result<Place, CompileError> {
        let name = self.node(index).name.clone();
        let mut any = self.any(&name, 1)?;
        if any.dtype != DType::I32 {
            let op = Elementwise::of_rows(1).op(&name, any.dtype)?;
            let place = (any.layout, DType::I32, 1.0);
            any = self.emitter.push(&name, op, vec![any.node], place, None)?;
        }
        let step = self.constant_step(index, values);
        let op = Op::Embedding(Embedding {
            rows: Dim::fixed(1),
            columns: fit(&name, values.len())?,
            entries: 1,
            table: Tensor::I16(integers(values, step)).into(),
        });
        let place = (Layout::flat(values.len()), DType::I16, step);
        self.emitter.push(&name, op, vec![any.node], place, None)
    }

    /// Some element of the input, `count` times.
    fn any(&mut self, name: &str, count: usize) -> Result<Place, CompileError> {
        let walk = |at: usize| -> Result<Walk, CompileError> {
            let extent = if at == 0 { count } else { 1 };
            Ok(Walk {
                numerator: 0,
                ..Walk::along(fit(name, at)?, Dim::fixed(fit(name, extent)?))
            })
        };
        let rank = self.emitter.input_rank();
        let op = Op::Move(Move {
            walks: (0..rank).map(walk).collect::<Result<_, _>>()?,
            shape: self.emitter.input_shape(),
            fill: 0,
        });
        let place = (Layout::flat(count), self.place(0).dtype, 1.0);
        self.emitter.push(name, op, vec![0], place, None)
    }
}

impl Lowering<'_> {
    /// The step of a constant: the same at every length of an open dimension. Places that whole numbers are
    /// compared with have theirs: at another step the multipliers of 15 bits would move the far ones.
    fn constant_step(&mut self, index: usize, values: &[f32]) -> f64 {
        let largest = values
            .iter()
            .fold(0.0_f64, |m, v| m.max(f64::from(v.abs())));
        let readers = self.readers_of(index);
        let counts = largest <= INT16_LEVELS
            && values.iter().all(|v| v.fract() == 0.0)
            && !readers.is_empty()
            && readers
                .iter()
                .all(|&reader| self.meets_whole(reader, index));
        let own = if largest == 0.0 || counts {
            1.0
        } else {
            largest / INT16_LEVELS
        };
        *self.constants.steps.entry(index).or_insert(own)
    }
}

impl Lowering<'_> {
    /// Whether node `reader` adds value `index` to, or subtracts it from, whole numbers that stand as int32.
    fn meets_whole(&self, reader: usize, index: usize) -> bool {
        let node = self.node(reader);
        let sums = match &node.op {
            FloatOp::Pair(arithmetic, _) => *arithmetic != Arithmetic::Mul,
            op => matches!(op, FloatOp::Add),
        };
        let other = node.inputs.iter().find(|&&input| input != index);
        let place = other.and_then(|&other| self.places[other].as_ref());
        sums && place.is_some_and(|place| {
            place.dtype == DType::I32 && place.step.to_bits() == 1.0_f64.to_bits()
        })
    }
}

/// The axes of a layout cut at those of `shape`, each with whether it runs along the operand.
fn along(layout: &Layout, shape: &[usize], spread: &Spread) -> Option<Vec<(usize, bool)>> {
    let axes = layout.cut_at(shape)?;
    let runs = axes
        .iter()
        .map(|&(extent, axis)| (extent, !spread.repeated()[axis]));
    Some(runs.collect())
}

fn lie(layout: &Layout, shape: &[usize], spread: &Spread) -> Option<Laid> {
    let axes = along(layout, shape, spread)?;
    let total = layout.elements();
    let running = axes.iter().filter(|axis| axis.1).map(|axis| axis.0);
    let held = running.product::<usize>();
    let changes = axes
        .windows(2)
        .filter(|pair| pair[0].1 != pair[1].1)
        .count();
    let (lay, rows, columns) = match (axes.first(), changes) {
        (None | Some((_, true)), 0) => (Some(Lay::Full), 1, total),
        (Some((_, false)), 0) => (Some(Lay::One), 1, total),
        (Some((_, false)), 1) => (Some(Lay::Column), total / held, held),
        (Some((_, true)), 1) => (Some(Lay::Row), held, total / held),
        _ => (None, 1, total),
    };
    Some(Laid {
        lay,
        rows,
        columns,
        layout: layout.without(shape, spread.repeated())?,
    })
}

/// The integers of a constant.
fn integers(values: &[f32], step: f64) -> Vec<i16> {
    let level = |&v: &f32| to_i16(f64::from(v) / step);
    values.iter().map(level).collect()
}

/// A constant spread over `x`, in its order; repeated here where no lay of the format fits.
fn constant(
    name: &str,
    laid: &Laid,
    (x, over): (&Place, &[usize]),
    (values, step): (&[f32], f64),
    spread: &Spread,
) -> Result<Second, CompileError> {
    let (order, lay, rows, columns) = if let Some(lay) = laid.lay {
        (laid.layout.source(), lay, laid.rows, laid.columns)
    } else {
        let wide = spread.order(over);
        let order = x.layout.source().into_iter().map(|at| wide[at]).collect();
        (order, Lay::Full, 1, x.layout.elements())
    };
    let ordered: Vec<f32> = order.into_iter().map(|at| values[at]).collect();
    let levels = integers(&ordered, step);
    Ok(Second {
        node: None,
        operand: Operand {
            dtype: DType::I16,
            spread: lay,
            multiplier: 0,
            constant: Some(Constant {
                elements: fit(name, levels.len())?,
                values: Tensor::I16(levels),
            }),
        },
        step,
        rows,
        columns,
    })
}

//! MOVE and CONCAT: walks and concatenations in the program's order of axes.

use selfsame_ir::{Concat, DType, Dim, Move, Op, Walk};
use selfsame_protocol::constants::CONCAT_INPUTS_MAX;

use super::chain::Chain;
use super::emit::{Place, fit};
use super::error::CompileError;
use super::layout::Layout;
use super::program::Lowering;
use crate::float::AxisWalk;

/// How concatenated tensors are cut: rows, and columns per cell of the axis.
struct Grid {
    rows: usize,
    unit: usize,
}

impl Lowering<'_> {
    /// The layout in which elements of `shape` are moved.
    fn order(shape: &[usize]) -> Layout {
        match *shape {
            [c, h, w] => Layout::image(c, h, w),
            _ => Layout::flat(shape.iter().product()),
        }
    }

    /// A walk along each axis.
    pub(super) fn walk(
        &mut self,
        chain: &Chain,
        walks: &[AxisWalk],
        fill: f32,
    ) -> Result<Place, CompileError> {
        let node = self.node(chain.body).clone();
        let shape = self.node(node.inputs[0]).shape.clone();
        let input = self.operand(&node.name, node.inputs[0], &Self::order(&shape))?;
        let axes: Vec<usize> = match shape.len() {
            3 => vec![1, 2, 0],
            rank => (0..rank).collect(),
        };
        let steps = axes.iter().enumerate().map(|(at, &axis)| {
            let walk = &walks[axis];
            let whole = |value: i64| {
                i32::try_from(value).map_err(|_| CompileError::Format {
                    node: node.name.clone(),
                    what: format!("the step or offset {value} of a walk"),
                })
            };
            Ok(Walk {
                source: fit(&node.name, at)?,
                exact: walk.exact,
                numerator: whole(walk.numerator)?,
                offset: whole(walk.offset)?,
                denominator: whole(walk.denominator)?.unsigned_abs(),
                extent: Dim::fixed(fit(&node.name, walk.extent)?),
            })
        });
        let steps = steps.collect::<Result<_, CompileError>>()?;
        let dims = axes
            .iter()
            .map(|&axis| Ok(Dim::fixed(fit(&node.name, shape[axis])?)));
        let (low, high) = input.dtype.range();
        let fill = (f64::from(fill) / input.step).round();
        #[expect(clippy::cast_possible_truncation, reason = "clamped to the type")]
        let fill = fill.clamp(f64::from(low), f64::from(high)) as i32;
        let op = Op::Move(Move {
            walks: steps,
            shape: dims.collect::<Result<_, CompileError>>()?,
            fill,
        });
        let place = (Self::order(&node.shape), input.dtype, input.step);
        self.emitter
            .push(&node.name, op, vec![input.node], place, Some(chain.end))
    }

    /// Values behind one another: all on the step of the concatenation.
    pub(super) fn concat(&mut self, chain: &Chain, axis: usize) -> Result<Place, CompileError> {
        let node = self.node(chain.body).clone();
        let (dtype, step) = if self.is_wide(chain.end) {
            self.word_of(chain.body)?
        } else {
            (DType::I8, self.step(chain.body))
        };
        let grid = match (node.shape.as_slice(), axis) {
            (&[_, h, w], 0) => Grid {
                rows: h * w,
                unit: 1,
            },
            (&[c, _, w], 1) => Grid {
                rows: 1,
                unit: w * c,
            },
            (&[c, h, _], 2) => Grid { rows: h, unit: c },
            (shape, _) => Grid {
                rows: shape[..axis].iter().product(),
                unit: shape[axis + 1..].iter().product(),
            },
        };
        let mut parts: Vec<(Place, usize)> = Vec::with_capacity(node.inputs.len());
        for (at, &input) in node.inputs.iter().enumerate() {
            if let Some(same) = node.inputs[..at].iter().position(|&other| other == input) {
                parts.push(parts[same].clone());
                continue;
            }
            let shape = self.node(input).shape.clone();
            let place = self.operand(&node.name, input, &Self::order(&shape))?;
            let place = self.requantized(&node.name, place, (dtype, step))?;
            parts.push((place, shape[axis] * grid.unit));
        }
        let most = usize::from(CONCAT_INPUTS_MAX);
        while parts.len() > most {
            // A group of columns has no order of the float graph: nobody but the next part reads it.
            let rest = parts.split_off(most);
            let columns = parts.iter().map(|(_, columns)| columns).sum();
            let place = (Layout::flat(grid.rows * columns), dtype, step);
            let joined = self.join(&node.name, &parts, grid.rows, place, None)?;
            parts = core::iter::once((joined, columns)).chain(rest).collect();
        }
        let place = (Self::order(&node.shape), dtype, step);
        self.join(&node.name, &parts, grid.rows, place, Some(chain.end))
    }

    /// Places behind one another in each of `rows`, each with its columns.
    pub(super) fn join(
        &mut self,
        name: &str,
        parts: &[(Place, usize)],
        rows: usize,
        place: (Layout, DType, f64),
        float: Option<usize>,
    ) -> Result<Place, CompileError> {
        let columns = parts
            .iter()
            .map(|(_, columns)| Ok(Dim::fixed(fit(name, *columns)?)));
        let op = Op::Concat(Concat {
            rows: Dim::fixed(fit(name, rows)?),
            columns: columns.collect::<Result<_, CompileError>>()?,
        });
        let inputs = parts.iter().map(|(place, _)| place.node).collect();
        self.emitter.push(name, op, inputs, place, float)
    }
}

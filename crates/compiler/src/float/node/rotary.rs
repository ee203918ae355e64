//! Import of `RotaryEmbedding`: pairs of columns turned by the angle of their place.
//!
//! ```text
//! (a, b) -> (a cos - b sin, a sin + b cos)
//! ```
//!
//! Source: ONNX operators, `RotaryEmbedding` (opset 23); Su et al., arXiv:2104.09864.

use super::super::act::{Act, Frame};
use super::super::constant::Value;
use super::super::error::ImportError;
use super::super::graph::Arithmetic;
use super::super::walk::AxisWalk;
use super::{Imported, NodeContext};

impl NodeContext<'_> {
    /// `[batch][heads][rows][width]`, or `[batch][rows][heads * width]` with the number of heads.
    pub(super) fn rotary(&mut self) -> Imported {
        self.allow(&["interleaved", "num_heads", "rotary_embedding_dim"])?;
        let x = self.act(0)?;
        let flat = x.dims.len() == 3;
        let by_rows = self.rows_and_heads(&x)?;
        let width = by_rows.dims[3];
        let turned = match self.int("rotary_embedding_dim", 0)? {
            0 => width,
            dim => usize::try_from(dim).unwrap_or(usize::MAX),
        };
        if turned > width || !turned.is_multiple_of(2) {
            return Err(self.refuse(
                format!("rotary_embedding_dim {turned} of {width} columns"),
                "an even number of the columns of a head",
                "check the model with onnx.checker",
            ));
        }
        let inner = self.range(&by_rows, 3, 0, turned)?;
        let (cos, sin) = (self.angles(1)?, self.angles(2)?);
        let interleaved = self.int("interleaved", 0)? != 0;
        let mut y = self.rotated(&inner, &cos, &sin, interleaved)?;
        if turned < width {
            let rest = self.range(&by_rows, 3, turned, width - turned)?;
            y = self.joined(&[y, rest], 3)?;
        }
        let y = if flat {
            let frame = Frame {
                dims: x.dims.clone(),
                batch: y.batch,
            };
            self.framed(&y, frame)?
        } else {
            self.turned(&y, &[0, 2, 1, 3])?
        };
        Ok(self.value_of(y))
    }

    /// The operand as `[batch][rows][heads][width]`.
    fn rows_and_heads(&mut self, x: &Act) -> Result<Act, ImportError> {
        if x.dims.len() == 4 {
            return self.turned(x, &[0, 2, 1, 3]);
        }
        let &[batch, rows, columns] = x.dims.as_slice() else {
            return Err(self.unknown_target());
        };
        let divides = |&heads: &usize| heads >= 1 && columns.is_multiple_of(heads);
        let heads = self.int("num_heads", 0)?;
        let heads = usize::try_from(heads).ok().filter(divides);
        let heads = heads.ok_or_else(|| self.unknown_target())?;
        let x = self.apart(x, &[1, 2])?;
        let frame = Frame {
            dims: vec![batch, rows, heads, columns / heads],
            batch: x.batch,
        };
        self.framed(&x, frame)
    }

    /// Cosines or sines of all places, `[batch][rows][1][pairs]`: the table itself, or the rows of it
    /// that the places pick.
    fn angles(&mut self, index: usize) -> Result<Act, ImportError> {
        let angles = if self.has(3) {
            match (self.value(index)?.clone(), self.value(3)?.clone()) {
                (Value::Float(table), Value::Activation(places)) => {
                    self.rows_of_table(&table, &places)?
                }
                (_, Value::Int(places)) => {
                    let table = self.act(index)?;
                    let rows = table.dims.first().copied().unwrap_or(0);
                    let picks: Result<Vec<usize>, ImportError> = self
                        .known_ints(3)?
                        .iter()
                        .map(|&place| self.cell(place, rows))
                        .collect();
                    let picked = self.picked(&table, 0, &picks?)?;
                    let dims = [places.dims.as_slice(), &table.dims[1..]].concat();
                    let batch = picked.batch;
                    self.framed(&picked, Frame { dims, batch })?
                }
                (Value::Activation(_) | Value::Float(_) | Value::Int(_), _) => {
                    return Err(self.refuse(
                        "computed places pick from a computed table".to_owned(),
                        "constant tables, or constant places",
                        "freeze the tables of cosines and sines before export",
                    ));
                }
            }
        } else {
            self.act(index)?
        };
        if angles.dims.len() != 3 {
            return Err(self.unknown_target());
        }
        self.with_axis(&angles, 2)
    }

    fn rotated(
        &mut self,
        x: &Act,
        cos: &Act,
        sin: &Act,
        interleaved: bool,
    ) -> Result<Act, ImportError> {
        let half = x.dims[3] / 2;
        let (a, b) = if interleaved {
            (self.every_second(x, 0)?, self.every_second(x, 1)?)
        } else {
            (self.range(x, 3, 0, half)?, self.range(x, 3, half, half)?)
        };
        let (a_cos, b_sin) = (
            self.pair_of(Arithmetic::Mul, &a, cos)?,
            self.pair_of(Arithmetic::Mul, &b, sin)?,
        );
        let (a_sin, b_cos) = (
            self.pair_of(Arithmetic::Mul, &a, sin)?,
            self.pair_of(Arithmetic::Mul, &b, cos)?,
        );
        let first = self.pair_of(Arithmetic::Sub, &a_cos, &b_sin)?;
        let second = self.pair_of(Arithmetic::Add, &a_sin, &b_cos)?;
        if !interleaved {
            return self.joined(&[first, second], 3);
        }
        let (first, second) = (self.with_axis(&first, 4)?, self.with_axis(&second, 4)?);
        let pairs = self.joined(&[first, second], 4)?;
        let frame = Frame {
            dims: x.dims.clone(),
            batch: pairs.batch,
        };
        self.framed(&pairs, frame)
    }

    /// Every second column, from `first` on.
    fn every_second(&mut self, x: &Act, first: i64) -> Result<Act, ImportError> {
        let mut walks = Self::whole(x);
        let half = x.dims[3] / 2;
        walks[3] = AxisWalk {
            numerator: 2,
            offset: first,
            ..AxisWalk::whole(half)
        };
        self.walk(x, &walks, 0.0)
    }
}

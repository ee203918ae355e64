//! Import of Attention: a product, a mask, softmax and a product.
//!
//! Earlier keys and values stand in front of the new ones. What a query may see is known at import as far
//! as it follows from places and constants; a query that sees nothing gives zeros where that is known.

use super::super::act::{Act, Frame, Kind};
use super::super::constant::{Const, Value};
use super::super::error::ImportError;
use super::super::function::{Function, Primitive};
use super::super::graph::{Arithmetic, FloatOp};
use super::NodeContext;
use super::align::bounded_mask;
use crate::onnx::ELEMENTS_MAX;

/// What a mask adds to scores that do not count.
pub(super) const MASKED: f32 = -1e4;

/// What is added to the scores.
struct Masks {
    /// What follows from places and constants: `[..][rows][columns]`.
    known: Option<Const<f32>>,
    /// What the model computes.
    computed: Option<Act>,
}

impl NodeContext<'_> {
    /// Scaled dot-product attention. Outputs: the answer, keys and values with the earlier ones.
    pub(super) fn attention(&mut self) -> Result<Vec<Value>, ImportError> {
        self.allow(&[
            "is_causal",
            "kv_num_heads",
            "left_window_size",
            "q_num_heads",
            "qk_matmul_output_mode",
            "right_window_size",
            "scale",
            "softcap",
            "softmax_precision",
        ])?;
        let flat = self.act(0)?.dims.len() == 3;
        let q = self.heads(0, "q_num_heads")?;
        let k = self.heads(1, "kv_num_heads")?;
        let v = self.heads(2, "kv_num_heads")?;
        let (k, v) = (self.behind_past(4, k)?, self.behind_past(5, v)?);
        let scores = self.scores(&q, &k)?;
        let past = if self.has(4) {
            self.act(4)?.dims.get(2).copied().unwrap_or(0)
        } else {
            0
        };
        let masks = self.masks(q.dims[2], k.dims[2], past)?;
        let mut y = self.attended(scores, &masks, &v)?;
        if flat {
            y = self.turned(&y, &[0, 2, 1, 3])?;
            let mut dims = y.dims[..2].to_vec();
            dims.push(y.dims[2..].iter().product());
            let batch = y.batch;
            y = self.framed(&y, Frame { dims, batch })?;
        }
        Ok(vec![self.value_of(y), self.value_of(k), self.value_of(v)])
    }

    /// Products of queries and keys, scaled and capped: `[batch][heads][rows][columns]`.
    fn scores(&mut self, q: &Act, k: &Act) -> Result<Act, ImportError> {
        let (&[_, heads, _, width], &[_, groups, _, _]) = (q.dims.as_slice(), k.dims.as_slice())
        else {
            return Err(self.unknown_target());
        };
        if groups == 0 || !heads.is_multiple_of(groups) {
            return Err(self.refuse(
                format!("{heads} heads of queries, {groups} of keys"),
                "heads of keys that divide those of queries",
                "check the model with onnx.checker",
            ));
        }
        #[expect(clippy::cast_precision_loss, reason = "extents stay below 2^24")]
        let default = 1.0 / (width as f32).sqrt();
        let q = self.scaled(q, self.float("scale", default)?, 0.0)?;
        let k = self.turned(k, &[0, 1, 3, 2])?;
        let scores = self.grouped_product(&q, &k, groups)?;
        let cap = self.float("softcap", 0.0)?;
        if cap <= 0.0 {
            return Ok(scores);
        }
        let inner = Function::X.affine(1.0 / f64::from(cap), 0.0);
        let f = inner.then(Primitive::Tanh).affine(f64::from(cap), 0.0);
        self.mapped(FloatOp::Function(f), &scores)
    }

    /// Softmax of the masked scores times the values.
    fn attended(&mut self, scores: Act, masks: &Masks, v: &Act) -> Result<Act, ImportError> {
        let mut scores = scores;
        if let Some(known) = &masks.known {
            let mask =
                self.constant_act(known.dims.clone(), known.elements.to_vec(), Kind::Float)?;
            scores = self.pair_of(Arithmetic::Add, &scores, &mask)?;
        }
        if let Some(computed) = &masks.computed {
            scores = self.pair_of(Arithmetic::Add, &scores, computed)?;
        }
        let soft = self.mapped(FloatOp::Softmax, &scores)?;
        let y = self.grouped_product(&soft, v, v.dims[1])?;
        match masks.known.as_ref().and_then(seeing) {
            None => Ok(y),
            Some(seeing) => {
                let seeing =
                    self.constant_act(seeing.dims.clone(), seeing.elements.to_vec(), Kind::Float)?;
                self.pair_of(Arithmetic::Mul, &y, &seeing)
            }
        }
    }

    /// `act`, `[batch][heads][rows][width]`, behind input `index`, if that is there.
    fn behind_past(&mut self, index: usize, act: Act) -> Result<Act, ImportError> {
        if act.dims.len() != 4 {
            return Err(self.unknown_target());
        }
        if !self.has(index) {
            return Ok(act);
        }
        let past = self.act(index)?;
        self.joined(&[past, act], 2)
    }

    /// Input `index` as `[batch][heads][rows][width]`.
    pub(super) fn heads(&mut self, index: usize, attribute: &str) -> Result<Act, ImportError> {
        let act = self.act(index)?;
        let &[batch, rows, columns] = act.dims.as_slice() else {
            return Ok(act);
        };
        let heads = self.int(attribute, 0)?;
        let divides = |&heads: &usize| heads >= 1 && columns.is_multiple_of(heads);
        let heads = usize::try_from(heads).ok().filter(divides);
        let heads = heads.ok_or_else(|| self.unknown_target())?;
        let act = self.apart(&act, &[1, 2])?;
        let dims = vec![batch, rows, heads, columns / heads];
        let batch = act.batch;
        let cut = self.framed(&act, Frame { dims, batch })?;
        self.turned(&cut, &[0, 2, 1, 3])
    }

    /// `[batch][heads][R][K] x [batch][groups][K][C]`, where several heads share a second operand.
    pub(super) fn grouped_product(
        &mut self,
        a: &Act,
        b: &Act,
        groups: usize,
    ) -> Result<Act, ImportError> {
        let &[batch, heads, rows, terms] = a.dims.as_slice() else {
            return Err(self.unknown_target());
        };
        if heads == groups || groups == 0 {
            return self.matrix_product(a, b);
        }
        let (a, b) = (self.apart(a, &[1, 2, 3])?, self.apart(b, &[1, 2, 3])?);
        let dims = vec![batch, groups, heads / groups, rows, terms];
        let cut = self.framed(
            &a,
            Frame {
                dims,
                batch: a.batch,
            },
        )?;
        let shared = self.with_axis(&b, 2)?;
        let product = self.matrix_product(&cut, &shared)?;
        let columns = product.dims[4];
        let frame = Frame {
            dims: vec![batch, heads, rows, columns],
            batch: product.batch,
        };
        self.framed(&product, frame)
    }

    /// The masks of `rows` queries over `columns` keys, of which `past` are earlier ones.
    fn masks(&mut self, rows: usize, columns: usize, past: usize) -> Result<Masks, ImportError> {
        let places = self.places(rows, columns, past)?;
        if !self.has(3) {
            return Ok(Masks {
                known: places,
                computed: None,
            });
        }
        let mask = self.mask(columns)?;
        let Some(elements) = self.constant_of(mask.node) else {
            return Ok(Masks {
                known: places,
                computed: Some(mask),
            });
        };
        let given = Const::new(mask.dims.clone(), elements.to_vec());
        let limit = ELEMENTS_MAX.min(self.importer.budget);
        let nothing = Const::new(vec![rows, columns], vec![0.0; rows * columns]);
        let both = given.zip(&places.unwrap_or(nothing), limit, |a, b| {
            Some((a + b).max(MASKED))
        });
        let both = both.ok_or_else(|| self.unknown_target())?;
        Ok(Masks {
            known: Some(both),
            computed: None,
        })
    }

    /// What queries may not see by their place: later keys of a causal model, those outside the
    /// window, those behind the length.
    fn places(
        &self,
        rows: usize,
        columns: usize,
        past: usize,
    ) -> Result<Option<Const<f32>>, ImportError> {
        let causal = self.int("is_causal", 0)? != 0;
        let window = [
            self.int("left_window_size", -1)?,
            self.int("right_window_size", -1)?,
        ];
        let lengths = if self.has(6) {
            Some(self.known_ints(6)?)
        } else {
            None
        };
        if !causal && window.iter().all(|&size| size < 0) && lengths.is_none() {
            return Ok(None);
        }
        let whole = |extent: usize| i64::try_from(extent).unwrap_or(i64::MAX);
        let mut elements = Vec::with_capacity(rows * columns);
        // A length says where the block of queries ends.
        let offsets: Vec<(i64, i64)> = match &lengths {
            Some(lengths) => lengths.iter().map(|&l| (l - whole(rows), l)).collect(),
            None => vec![(whole(past), whole(columns))],
        };
        for &(offset, length) in &offsets {
            for row in 0..whole(rows) {
                for column in 0..whole(columns) {
                    let ahead = column - row - offset;
                    let hidden = column >= length
                        || (causal && ahead > 0)
                        || (window[0] >= 0 && -ahead > window[0])
                        || (window[1] >= 0 && ahead > window[1]);
                    elements.push(if hidden { MASKED } else { 0.0 });
                }
            }
        }
        let dims = if lengths.is_some() {
            vec![offsets.len(), 1, rows, columns]
        } else {
            vec![rows, columns]
        };
        Ok(Some(Const::new(dims, elements)))
    }

    /// The mask as what is added to the scores, with `columns` columns; a truth value says that a
    /// score counts, and so does not what the mask is too short for.
    fn mask(&mut self, columns: usize) -> Result<Act, ImportError> {
        let constant = match self.value(3)? {
            Value::Int(_) => true,
            Value::Activation(_) | Value::Float(_) => false,
        };
        let mut mask = self.act(3)?;
        if constant || mask.kind == Kind::Bool {
            mask = self.scaled(&mask, -MASKED, MASKED)?;
            mask.kind = Kind::Float;
        } else if let Some(elements) = self.constant_of(mask.node) {
            let elements = elements.iter().map(|&v| bounded_mask(v)).collect();
            mask = self.constant_act(mask.dims.clone(), elements, Kind::Float)?;
        }
        let Some(&width) = mask.dims.last() else {
            return Err(self.unknown_target());
        };
        if width == 1 || width >= columns {
            return Ok(mask);
        }
        let mut walks = Self::whole(&mask);
        if let Some(last) = walks.last_mut() {
            last.extent = columns;
        }
        self.walk(&mask, &walks, MASKED)
    }
}

/// 0 for each row of a mask that hides everything, 1 for the others; `None` if there is no such row.
fn seeing(mask: &Const<f32>) -> Option<Const<f32>> {
    let columns = mask.dims.last().copied().filter(|&columns| columns > 0)?;
    let rows = mask.elements.chunks_exact(columns);
    let sees = |row: &[f32]| row.iter().any(|&v| v > MASKED);
    let sees: Vec<f32> = rows.map(|row| f32::from(u8::from(sees(row)))).collect();
    if sees.iter().all(|&v| v > 0.0) {
        return None;
    }
    let mut dims = mask.dims.clone();
    if let Some(last) = dims.last_mut() {
        *last = 1;
    }
    Some(Const::new(dims, sees))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_hides_everything_is_found() {
        let mask = Const::new(vec![2, 2], vec![MASKED, MASKED, 0.0, MASKED]);
        let found = seeing(&mask).map(|c| (c.dims.clone(), c.elements.to_vec()));
        assert_eq!(found, Some((vec![2, 1], vec![0.0, 1.0])));
        assert!(seeing(&Const::new(vec![1, 2], vec![0.0, MASKED])).is_none());
    }
}

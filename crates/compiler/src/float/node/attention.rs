//! Import of Attention: a product, a mask, softmax and a product.

use super::super::act::{Act, Frame, Kind};
use super::super::constant::Value;
use super::super::error::ImportError;
use super::super::function::{Function, Primitive};
use super::super::graph::{Arithmetic, FloatOp};
use super::NodeContext;
use super::align::bounded_mask;

/// What a mask adds to scores that do not count.
const MASKED: f32 = -1e4;

impl NodeContext<'_> {
    /// Scaled dot-product attention without earlier keys and values.
    pub(super) fn attention(&mut self) -> Result<Vec<Value>, ImportError> {
        self.allow(&[
            "is_causal",
            "kv_num_heads",
            "q_num_heads",
            "qk_matmul_output_mode",
            "scale",
            "softcap",
            "softmax_precision",
        ])?;
        if (4..7).any(|index| self.has(index))
            || self.node.outputs.iter().skip(1).any(|o| !o.is_empty())
        {
            return Err(self.refuse(
                "earlier keys and values, lengths of them, or scores as an output".to_owned(),
                "queries, keys, values and a mask",
                "export without a cache",
            ));
        }
        let flat = self.act(0)?.dims.len() == 3;
        let q = self.heads(0, "q_num_heads")?;
        let k = self.heads(1, "kv_num_heads")?;
        let v = self.heads(2, "kv_num_heads")?;
        let (&[_, heads, rows, width], &[_, groups, columns, _]) =
            (q.dims.as_slice(), k.dims.as_slice())
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
        let q = self.scaled(&q, self.float("scale", default)?, 0.0)?;
        let k = self.turned(&k, &[0, 1, 3, 2])?;
        let mut scores = self.grouped_product(&q, &k, groups)?;
        let cap = self.float("softcap", 0.0)?;
        if cap > 0.0 {
            let inner = Function::X.affine(1.0 / f64::from(cap), 0.0);
            let f = inner.then(Primitive::Tanh).affine(f64::from(cap), 0.0);
            scores = self.mapped(FloatOp::Function(f), &scores)?;
        }
        if self.int("is_causal", 0)? != 0 {
            let cells = (0..rows).flat_map(|row| (0..columns).map(move |column| column > row));
            let mask = cells
                .map(|hidden| if hidden { MASKED } else { 0.0 })
                .collect();
            let mask = self.constant_act(vec![rows, columns], mask, Kind::Float)?;
            scores = self.pair_of(Arithmetic::Add, &scores, &mask)?;
        }
        if self.has(3) {
            let mask = self.mask()?;
            scores = self.pair_of(Arithmetic::Add, &scores, &mask)?;
        }
        let soft = self.mapped(FloatOp::Softmax, &scores)?;
        let mut y = self.grouped_product(&soft, &v, groups)?;
        if flat {
            y = self.turned(&y, &[0, 2, 1, 3])?;
            let mut dims = y.dims[..2].to_vec();
            dims.push(y.dims[2..].iter().product());
            let batch = y.batch;
            y = self.framed(&y, Frame { dims, batch })?;
        }
        Ok(vec![self.value_of(y)])
    }

    /// Input `index` as `[batch][heads][rows][width]`.
    fn heads(&mut self, index: usize, attribute: &str) -> Result<Act, ImportError> {
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
    fn grouped_product(&mut self, a: &Act, b: &Act, groups: usize) -> Result<Act, ImportError> {
        let &[batch, heads, rows, terms] = a.dims.as_slice() else {
            return Err(self.unknown_target());
        };
        if heads == groups {
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

    /// The mask as what is added to the scores; a truth value says that a score counts.
    fn mask(&mut self) -> Result<Act, ImportError> {
        let constant = match self.value(3)? {
            Value::Int(_) => true,
            Value::Activation(_) | Value::Float(_) => false,
        };
        let mask = self.act(3)?;
        if constant || mask.kind == Kind::Bool {
            return self.scaled(&mask, -MASKED, MASKED);
        }
        let Some(elements) = self.constant_of(mask.node) else {
            return Ok(mask);
        };
        let elements = elements.iter().map(|&v| bounded_mask(v)).collect();
        self.constant_act(mask.dims.clone(), elements, Kind::Float)
    }
}

//! Import of operators with a state that the model hands on: `LinearAttention`, unrolled over the
//! steps, and `CausalConvWithState`.
//!
//! ```text
//! state  S = S * e^decay;  v = beta * (v - k S);  S = S + k^T v        answer  q S * scale
//! ```
//!
//! Source: ONNX operators, `LinearAttention`, `CausalConvWithState`.

use super::super::act::{Act, Frame, Kind};
use super::super::constant::Value;
use super::super::error::ImportError;
use super::super::function::{Function, Primitive};
use super::super::graph::{Arithmetic, FloatOp, Linear, ReduceKind};
use super::super::window::Window2;
use super::{Imported, NodeContext};

/// Most steps that are unrolled.
const STEPS_MAX: usize = 256;

/// Operands of linear attention, `[batch][heads][steps][columns]`.
struct Streams {
    q: Act,
    k: Act,
    v: Act,
    decay: Option<Act>,
    beta: Option<Act>,
}

impl NodeContext<'_> {
    /// Attention without softmax, as a state that every step changes: the answer and the state.
    pub(super) fn linear_attention(&mut self) -> Result<Vec<Value>, ImportError> {
        self.allow(&[
            "chunk_size",
            "kv_num_heads",
            "q_num_heads",
            "scale",
            "update_rule",
        ])?;
        let streams = self.streams()?;
        let (steps, width) = (streams.q.dims[2], streams.q.dims[3]);
        if steps > STEPS_MAX {
            return Err(self.refuse(
                format!("{steps} steps"),
                "256 steps",
                "use shorter sequences",
            ));
        }
        let mut state = if self.has(3) {
            Some(self.act(3)?)
        } else {
            None
        };
        #[expect(clippy::cast_precision_loss, reason = "extents stay below 2^24")]
        let default = 1.0 / (width as f32).sqrt();
        let scale = self.float("scale", 0.0)?;
        let scale = if scale == 0.0 { default } else { scale };
        let mut answers = Vec::with_capacity(steps);
        for step in 0..steps {
            let next = self.next_state(&streams, state.as_ref(), step)?;
            let q = self.range(&streams.q, 2, step, 1)?;
            let answer = self.grouped_product(&q, &next, streams.k.dims[1])?;
            answers.push(self.scaled(&answer, scale, 0.0)?);
            state = Some(next);
        }
        let y = self.joined(&answers, 2)?;
        let y = self.turned(&y, &[0, 2, 1, 3])?;
        let frame = Frame {
            dims: vec![y.dims[0], y.dims[1], y.dims[2] * y.dims[3]],
            batch: y.batch,
        };
        let y = self.framed(&y, frame)?;
        let mut values = vec![self.value_of(y)];
        values.extend(state.map(|state| self.value_of(state)));
        Ok(values)
    }

    fn streams(&mut self) -> Result<Streams, ImportError> {
        let rule = self.text("update_rule", "gated_delta")?;
        let (gated, delta) = match rule.as_str() {
            "linear" => (false, false),
            "gated" => (true, false),
            "delta" => (false, true),
            "gated_delta" => (true, true),
            other => {
                let what = format!("attribute \"update_rule\" = {other:?}");
                return Err(self.refuse(
                    what,
                    "linear, gated, delta, gated_delta",
                    "check the model with onnx.checker",
                ));
            }
        };
        let q = self.heads(0, "q_num_heads")?;
        let k = self.heads(1, "kv_num_heads")?;
        let v = self.heads(2, "kv_num_heads")?;
        let fits = [&q, &k, &v].iter().all(|act| act.dims.len() == 4);
        if !fits || q.dims[2] == 0 || k.dims[1] == 0 || !q.dims[1].is_multiple_of(k.dims[1]) {
            return Err(self.unknown_target());
        }
        let decay = if gated {
            Some(self.heads(4, "kv_num_heads")?)
        } else {
            None
        };
        let beta = match delta {
            false => None,
            true if self.act(5)?.dims.last() == Some(&1) => {
                let beta = self.act(5)?;
                Some(self.with_axis(&beta, 1)?)
            }
            true => Some(self.heads(5, "kv_num_heads")?),
        };
        Ok(Streams {
            q,
            k,
            v,
            decay,
            beta,
        })
    }

    /// The state behind a step, `[batch][heads][keys][values]`.
    fn next_state(
        &mut self,
        streams: &Streams,
        state: Option<&Act>,
        step: usize,
    ) -> Result<Act, ImportError> {
        let k = self.range(&streams.k, 2, step, 1)?;
        let mut v = self.range(&streams.v, 2, step, 1)?;
        let mut state = state.cloned();
        if let (Some(kept), Some(decay)) = (&state, &streams.decay) {
            let decay = self.range(decay, 2, step, 1)?;
            let exp = FloatOp::Function(Function::primitive(Primitive::Exp));
            let decay = self.mapped(exp, &decay)?;
            let decay = self.turned(&decay, &[0, 1, 3, 2])?;
            state = Some(self.pair_of(Arithmetic::Mul, kept, &decay)?);
        }
        if let Some(beta) = &streams.beta {
            if let Some(kept) = &state {
                let known = self.matrix_product(&k, kept)?;
                v = self.pair_of(Arithmetic::Sub, &v, &known)?;
            }
            let beta = self.range(beta, 2, step, 1)?;
            v = self.pair_of(Arithmetic::Mul, &v, &beta)?;
        }
        let k = self.turned(&k, &[0, 1, 3, 2])?;
        let added = self.pair_of(Arithmetic::Mul, &k, &v)?;
        match state {
            None => Ok(added),
            Some(kept) => self.pair_of(Arithmetic::Add, &kept, &added),
        }
    }

    /// A convolution of each channel of `[batch][channels][steps]` with its last steps: the answer and
    /// the steps that the next call needs.
    pub(super) fn causal_conv(&mut self) -> Result<Vec<Value>, ImportError> {
        self.allow(&["activation"])?;
        let x = self.act(0)?;
        let weights = self.float_constant(1)?;
        let (&[_, channels, steps], &[outputs, 1, kernel]) =
            (x.dims.as_slice(), weights.dims.as_slice())
        else {
            return Err(self.unknown_target());
        };
        if outputs != channels || kernel == 0 {
            return Err(self.unknown_target());
        }
        let x = self.apart(&x, &[1, 2])?;
        let padded = if self.has(3) {
            let past = self.act(3)?;
            self.joined(&[past, x], 2)?
        } else {
            let mut walks = Self::whole(&x);
            walks[2].offset = 1 - i64::try_from(kernel).unwrap_or(i64::MAX);
            walks[2].extent = steps + kernel - 1;
            self.walk(&x, &walks, 0.0)?
        };
        let bias = if self.has(2) {
            self.float_constant(2)?.elements.to_vec()
        } else {
            vec![0.0; channels]
        };
        if bias.len() != channels || padded.dims[2] != steps + kernel - 1 {
            return Err(self.unknown_target());
        }
        // Samples that are part of one are more channels of the same weights.
        let elements: usize = self.shape_of(padded.node).iter().product();
        let rows = elements / padded.dims[2];
        let copies = rows / channels;
        self.spend(weights.elements.len() * copies)?;
        let linear = Linear {
            outputs: rows,
            weights: weights.elements.repeat(copies),
            bias: bias.repeat(copies),
        };
        let window = Window2::whole(1, kernel);
        let picture = self.view(padded.node, vec![rows, 1, padded.dims[2]])?;
        let op = FloatOp::Conv(linear, window, rows);
        let made = self.push(op, vec![picture], vec![rows, 1, steps])?;
        let frame = Frame {
            dims: vec![padded.dims[0], channels, steps],
            batch: padded.batch,
        };
        let made = Act {
            node: self.view(made, frame.shape())?,
            dims: frame.dims,
            batch: frame.batch,
            kind: Kind::Float,
        };
        let made = self.conv_activation(made)?;
        let mut values = vec![self.value_of(made)];
        if kernel > 1 {
            let present = self.range(&padded, 2, steps, kernel - 1)?;
            values.push(self.value_of(present));
        }
        Ok(values)
    }

    fn conv_activation(&mut self, made: Act) -> Result<Act, ImportError> {
        match self.text("activation", "none")?.as_str() {
            "none" => Ok(made),
            "silu" | "swish" => {
                let silu = Function::X.times(Function::primitive(Primitive::Sigmoid));
                self.mapped(FloatOp::Function(silu), &made)
            }
            other => {
                let what = format!("attribute \"activation\" = {other:?}");
                Err(self.refuse(what, "none, silu, swish", "check the model"))
            }
        }
    }

    /// `(x - mean) / (deviation + 1e-9)` over axes.
    pub(super) fn mean_variance(&mut self) -> Imported {
        self.allow(&["axes"])?;
        let act = self.act(0)?;
        let listed = self.ints("axes")?.unwrap_or_else(|| vec![0, 2, 3]);
        let mut axes = Vec::with_capacity(listed.len());
        for &axis in &listed {
            axes.push(self.axis(axis, act.dims.len())?);
        }
        axes.sort_unstable();
        axes.dedup();
        let act = self.apart(&act, &axes)?;
        let cells: usize = axes.iter().map(|&axis| act.dims[axis]).product();
        let mean = self.reduced(&act, &axes, ReduceKind::Mean)?;
        let centred = self.pair_of(Arithmetic::Sub, &act, &mean)?;
        let squares = ReduceKind::SumSquares;
        let squares = self.reduced(&centred, &axes, squares)?;
        #[expect(clippy::cast_precision_loss, reason = "at most 2^24 cells")]
        let share = 1.0 / cells as f64;
        let deviation = Function::X.affine(share, 0.0).then(Primitive::Sqrt);
        let factor = deviation.affine(1.0, 1e-9).then(Primitive::Reciprocal);
        let factor = self.mapped(FloatOp::Function(factor), &squares)?;
        let normal = self.pair_of(Arithmetic::Mul, &centred, &factor)?;
        Ok(self.value_of(normal))
    }
}

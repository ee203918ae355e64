//! Import of Gemm and `MatMul`: dense nodes over constants, products of two activations.

use super::super::act::{Act, Batch, Frame, Kind};
use super::super::constant::{Const, Value};
use super::super::error::ImportError;
use super::super::graph::{Arithmetic, FloatOp, Linear};
use super::{Imported, NodeContext};

impl NodeContext<'_> {
    /// `y = alpha * A * B + beta * C`, either of `A` and `B` transposed.
    pub(super) fn gemm(&mut self) -> Imported {
        self.allow(&["alpha", "beta", "transA", "transB"])?;
        let (alpha, beta) = (self.float("alpha", 1.0)?, self.float("beta", 1.0)?);
        let (turns_a, turns_b) = (self.int("transA", 0)? != 0, self.int("transB", 0)? != 0);
        let weights = match self.value(1)? {
            Value::Float(c) if !turns_a => Some(c.clone()),
            Value::Activation(_) | Value::Float(_) | Value::Int(_) => None,
        };
        if let Some(weights) = weights {
            return self.gemm_of_weights(&weights, turns_b, [alpha, beta]);
        }
        let mut a = self.matrix(0, turns_a)?;
        let b = self.matrix(1, turns_b)?;
        if alpha.to_bits() != 1.0_f32.to_bits() {
            a = self.scaled(&a, alpha, 0.0)?;
        }
        let mut product = self.matrix_product(&a, &b)?;
        if self.has(2) {
            let mut c = self.act(2)?;
            if beta.to_bits() != 1.0_f32.to_bits() {
                c = self.scaled(&c, beta, 0.0)?;
            }
            product = self.pair_of(Arithmetic::Add, &product, &c)?;
        }
        Ok(self.value_of(product))
    }

    /// Gemm with constant weights `[K][N]`, or `[N][K]` if they are transposed.
    fn gemm_of_weights(
        &mut self,
        weights: &Const<f32>,
        transposed: bool,
        [alpha, beta]: [f32; 2],
    ) -> Imported {
        let a = self.act(0)?;
        let mut linear = self.dense_weights(weights, transposed)?;
        if alpha.to_bits() != 1.0_f32.to_bits() {
            linear.weights.iter_mut().for_each(|w| *w *= alpha);
        }
        let mut addend = None;
        if self.has(2) {
            let c = match self.value(2)? {
                Value::Float(c) => Some(c.clone()),
                Value::Activation(_) | Value::Int(_) => None,
            };
            let last = c.as_ref().and_then(|c| c.dims.last().copied()).unwrap_or(1);
            match c {
                Some(c) if c.elements.len() == last && (last == linear.outputs || last == 1) => {
                    for (index, bias) in linear.bias.iter_mut().enumerate() {
                        *bias = beta * c.elements[if last == 1 { 0 } else { index }];
                    }
                }
                Some(_) | None => addend = Some(self.act(2)?),
            }
        }
        let mut made = self.dense(&a, linear)?;
        if let Some(mut c) = addend {
            if beta.to_bits() != 1.0_f32.to_bits() {
                c = self.scaled(&c, beta, 0.0)?;
            }
            made = self.pair_of(Arithmetic::Add, &made, &c)?;
        }
        Ok(self.value_of(made))
    }

    /// Input `index` of Gemm, transposed if asked for.
    fn matrix(&mut self, index: usize, transposed: bool) -> Result<Act, ImportError> {
        let act = self.act(index)?;
        if transposed {
            self.turned(&act, &[1, 0])
        } else {
            Ok(act)
        }
    }

    /// Matrix product with numpy's rules.
    pub(super) fn matmul(&mut self) -> Imported {
        self.allow(&[])?;
        if let (Value::Activation(a), Value::Float(c)) = (self.value(0)?, self.value(1)?)
            && c.dims.len() == 2
        {
            let (a, c) = (a.clone(), c.clone());
            let linear = self.dense_weights(&c, false)?;
            let made = self.dense(&a, linear)?;
            return Ok(self.value_of(made));
        }
        if let (Value::Float(c), Value::Activation(b)) = (self.value(0)?, self.value(1)?)
            && c.dims.len() == 2
            && b.dims.len() >= 2
        {
            // C x = (x^T C^T)^T, and C is the weights [outputs][terms] of that.
            let (c, b) = (c.clone(), b.clone());
            let turned = self.last_two_turned(&b)?;
            let linear = self.dense_weights(&c, true)?;
            let made = self.dense(&turned, linear)?;
            let made = self.last_two_turned(&made)?;
            return Ok(self.value_of(made));
        }
        let (a, b) = (self.act(0)?, self.act(1)?);
        let product = self.matrix_product(&a, &b)?;
        Ok(self.value_of(product))
    }

    /// The last two axes exchanged.
    fn last_two_turned(&mut self, act: &Act) -> Result<Act, ImportError> {
        let rank = act.dims.len();
        let mut perm: Vec<usize> = (0..rank).collect();
        perm.swap(rank - 1, rank - 2);
        self.turned(act, &perm)
    }

    /// `[batch..][R][K] x [batch..][K][C]` of two activations; of vectors, too.
    pub(super) fn matrix_product(&mut self, a: &Act, b: &Act) -> Result<Act, ImportError> {
        let refuse = |context: &Self, a: &Act, b: &Act| {
            context.refuse(
                format!("operands of shapes {:?} and {:?}", a.dims, b.dims),
                "[..][R][K] and [..][K][C]",
                "check the model with onnx.checker",
            )
        };
        let (vector_a, vector_b) = (a.dims.len() == 1, b.dims.len() == 1);
        let a = if vector_a {
            self.with_axis(a, 0)?
        } else {
            a.clone()
        };
        let b = if vector_b {
            self.with_axis(b, 1)?
        } else {
            b.clone()
        };
        if a.dims.len() < 2 || b.dims.len() < 2 {
            return Err(refuse(self, &a, &b));
        }
        let rank = a.dims.len().max(b.dims.len());
        let inner = |act: &Act| [act.dims.len() - 2, act.dims.len() - 1];
        // The batch may stand in front of the matrices only; a vector of samples has it inside.
        let (a, b) = (self.samples_outside(&a)?, self.apart(&b, &inner(&b))?);
        let [rows, terms] = [a.dims[a.dims.len() - 2], a.dims[a.dims.len() - 1]];
        let [height, columns] = [b.dims[b.dims.len() - 2], b.dims[b.dims.len() - 1]];
        if terms != height || rank > crate::onnx::RANK_MAX {
            return Err(refuse(self, &a, &b));
        }
        let product = self.aligned_product(&a, &b, [rows, terms, columns])?;
        let last = product.dims.len() - 1;
        let product = if vector_b {
            self.without_axis(&product, last)?
        } else {
            product
        };
        let last = product.dims.len() - 1;
        if vector_a {
            let axis = if vector_b { last } else { last - 1 };
            return self.without_axis(&product, axis);
        }
        Ok(product)
    }

    /// `[N][K]` of a batch of vectors times a matrix that all samples share: `N` counts as rows, so
    /// it goes in front of them.
    fn samples_outside(&mut self, a: &Act) -> Result<Act, ImportError> {
        let rank = a.dims.len();
        if a.batch == Batch::Own(rank - 2) {
            // One row for each sample: the axis stays, as one row, and the batch with it.
            return Ok(a.clone());
        }
        self.apart(a, &[rank - 2, rank - 1])
    }

    fn aligned_product(
        &mut self,
        a: &Act,
        b: &Act,
        [rows, terms, columns]: [usize; 3],
    ) -> Result<Act, ImportError> {
        let inner = a.batch == Batch::Own(a.dims.len() - 2);
        let outer = |act: &Act, batch: Batch| Act {
            dims: act.dims[..act.dims.len() - 2].to_vec(),
            batch,
            ..act.clone()
        };
        let parts = [
            outer(a, if inner { Batch::Absent } else { a.batch }),
            outer(b, b.batch),
        ];
        let frame = self.common_frame(&parts)?;
        let Some(frame) = frame.filter(|_| !inner || b.batch == Batch::Absent) else {
            let what = format!("a product of shapes {:?} and {:?}", a.dims, b.dims);
            let a = self.settled(a, what.clone())?;
            let b = self.settled(b, what)?;
            return self.aligned_product(&a, &b, [rows, terms, columns]);
        };
        let outer_shape = frame.batch.stripped(&frame.dims);
        let [shape_a, shape_b] = parts.map(|part| {
            let mut wide = vec![1; frame.dims.len() - part.dims.len()];
            wide.extend_from_slice(&part.dims);
            frame.batch.stripped(&wide)
        });
        let matrix = |outer: &[usize], last: [usize; 2]| [outer, &last].concat();
        let first = self.view(a.node, matrix(&shape_a, [rows, terms]))?;
        let first = self.expanded(first, &matrix(&outer_shape, [rows, terms]))?;
        let second = self.view(b.node, matrix(&shape_b, [terms, columns]))?;
        let (second, group) = match group_of(&outer_shape, &shape_b) {
            Some(group) => (second, group),
            None => (
                self.expanded(second, &matrix(&outer_shape, [terms, columns]))?,
                1,
            ),
        };
        let op = FloatOp::Product { group };
        let shape = matrix(&outer_shape, [rows, columns]);
        let node = self.push(op, vec![first, second], shape)?;
        let mut dims = frame.dims;
        dims.extend([rows, columns]);
        let batch = if inner {
            Batch::Own(dims.len() - 2)
        } else {
            frame.batch
        };
        let frame = Frame { dims, batch };
        Ok(Act {
            node: self.view(node, frame.shape())?,
            dims: frame.dims,
            batch: frame.batch,
            kind: Kind::Float,
        })
    }

    /// Weights `[K][N]`, or `[N][K]` if they are transposed, with zero bias.
    pub(super) fn dense_weights(
        &mut self,
        weights: &Const<f32>,
        transposed: bool,
    ) -> Result<Linear, ImportError> {
        let &[rows, columns] = weights.dims.as_slice() else {
            let what = format!("weights of shape {:?}", weights.dims);
            return Err(self.refuse(what, "two axes", "use nn.Linear"));
        };
        self.spend(weights.elements.len())?;
        let outputs = if transposed { rows } else { columns };
        if weights.elements.is_empty() {
            let what = format!("weights of shape {:?}", weights.dims);
            return Err(self.refuse(what, "at least one element", "remove the empty layer"));
        }
        let weights = if transposed {
            weights.elements.to_vec()
        } else {
            weights.transpose(&[1, 0]).elements.to_vec()
        };
        Ok(Linear {
            outputs,
            weights,
            bias: vec![0.0; outputs],
        })
    }

    /// A dense node over the last axis.
    pub(super) fn dense(&mut self, act: &Act, linear: Linear) -> Result<Act, ImportError> {
        let act = self.apart(act, &[act.dims.len().saturating_sub(1)])?;
        let mut dims = act.dims.clone();
        let Some(last) = dims.last_mut().filter(|last| **last == linear.row_len()) else {
            let what = format!(
                "input of shape {:?} against {} rows of weights",
                act.dims,
                linear.row_len()
            );
            return Err(self.refuse(what, "equal numbers", "check the model with onnx.checker"));
        };
        *last = linear.outputs;
        let frame = Frame {
            dims,
            batch: act.batch,
        };
        let node = self.push(FloatOp::Dense(linear), vec![act.node], frame.shape())?;
        Ok(Act {
            node,
            dims: frame.dims,
            batch: frame.batch,
            kind: Kind::Float,
        })
    }
}

/// Matrices of the first operand for each of the second one, if those of the second one repeat
/// next to each other: its last axes have extent 1, those before are equal.
fn group_of(outer: &[usize], second: &[usize]) -> Option<usize> {
    let equal = outer.iter().zip(second).take_while(|(a, b)| a == b).count();
    let ones = second[equal..].iter().all(|&extent| extent == 1);
    ones.then(|| outer[equal..].iter().product())
}

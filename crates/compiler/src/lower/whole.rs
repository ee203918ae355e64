//! Whole numbers as whole numbers: what picks rows of a table is computed without rounding.
//!
//! ```text
//! sum      (x*2 + y*2 + 1) >> 1 = x + y         product   (x*y*2 + 1) >> 1 = x*y
//! affine   (x*2k + c*2 + 1) >> 1 = k*x + c      count     (acc*2 + 1) >> 1 = acc
//! ```
//!
//! Values stand as i32 of step 1; factors of products and inputs of convolutions have 16 bits by their bounds.

use selfsame_ir::{
    ChannelConstants, Combine, Constant, Conv, DType, Dim, Linear, Op, Operand, Spread as Lay,
    Tensor,
};
use selfsame_protocol::constants::INT8_MAX;

use super::chain::Chain;
use super::conv::window_ir;
use super::emit::{Place, fit};
use super::error::CompileError;
use super::layout::Layout;
use super::linear::{clamp_bounds, interleave_channels};
use super::program::Lowering;
use super::rows::Elementwise;
use crate::float::{Arithmetic, FloatOp, Spread, whole};

/// The multiplier and shift that change nothing.
const ONE: (i32, u8) = (2, 1);

impl Lowering<'_> {
    /// The node of a chain of whole numbers; `None` where the usual one is exact (moves).
    pub(super) fn whole_chain(&mut self, chain: &Chain) -> Result<Option<Place>, CompileError> {
        if chain.pointwise {
            return self.whole_pointwise(chain).map(Some);
        }
        match &self.node(chain.body).op {
            FloatOp::Affine { .. } => self.whole_affine(chain).map(Some),
            FloatOp::Conv(..) => self.whole_conv(chain).map(Some),
            FloatOp::Walk(..) => Ok(None),
            FloatOp::Input
            | FloatOp::Constant(_)
            | FloatOp::Dense(_)
            | FloatOp::Add
            | FloatOp::Clip(..)
            | FloatOp::Function(_)
            | FloatOp::Pair(..)
            | FloatOp::Product { .. }
            | FloatOp::Softmax
            | FloatOp::Normalize { .. }
            | FloatOp::Reduce(_)
            | FloatOp::ArgMax
            | FloatOp::Embedding { .. }
            | FloatOp::Plane(_)
            | FloatOp::Concat(_)
            | FloatOp::MaxPool(_)
            | FloatOp::AvgPool(_)
            | FloatOp::Reshape
            | FloatOp::Transpose(_) => {
                unreachable!("the float graph gives these no bounds, or they are no body")
            }
        }
    }

    /// Bounds of a chain's clamp as integers.
    fn whole_bounds(&self, chain: &Chain) -> (i32, i32) {
        let clip = (chain.end != chain.sum).then(|| &self.node(chain.end).op);
        clamp_bounds(clip, 1.0, DType::I32)
    }

    /// Whether value `index` has 16 bits.
    fn is_short(&self, index: usize) -> bool {
        let most = i64::from(i16::MAX);
        self.whole[index].is_some_and(|span| span.within(most))
    }

    /// A sum, difference or product of two values, or one value, and a clamp.
    fn whole_pointwise(&mut self, chain: &Chain) -> Result<Place, CompileError> {
        let name = self.node(chain.end).name.clone();
        let bounds = self.whole_bounds(chain);
        let (arithmetic, spread) = chain.pair.clone();
        let mut body = chain.body;
        let mut second = None;
        let mut x = self.whole_numbers(&name, body)?;
        if let Some(mut other) = chain.addend {
            let shape = self.node(body).shape.clone();
            let spread = spread.unwrap_or_else(|| Spread::full(shape.len()));
            if arithmetic == Arithmetic::Mul {
                if !self.is_short(body) {
                    (body, other) = (other, body);
                    x = self.whole_numbers(&name, body)?;
                }
                x = self.requantized(&name, x, (DType::I16, 1.0))?;
            }
            self.places[other] = Some(self.whole_numbers(&name, other)?);
            second = Some(self.second(&name, (body, &x), other, &spread)?);
        }
        let (combine, a, b) = match arithmetic {
            Arithmetic::Add => (Combine::Sum, ONE.0, ONE.0),
            Arithmetic::Sub => (Combine::Sum, ONE.0, -ONE.0),
            Arithmetic::ReverseSub => (Combine::Sum, -ONE.0, ONE.0),
            Arithmetic::Mul => (Combine::Product, ONE.0, 0),
        };
        let (rows, columns) = second
            .as_ref()
            .map_or((1, x.layout.elements()), |y| (y.rows, y.columns));
        let node = second.as_ref().and_then(|y| y.node);
        let elementwise = Elementwise {
            rows,
            columns,
            combine,
            scale: (a, ONE.1),
            second: second.map(|y| Operand {
                multiplier: b,
                ..y.operand
            }),
            bounds,
            activation: None,
        };
        let op = elementwise.op(&name, x.dtype)?;
        let inputs = core::iter::once(x.node).chain(node).collect();
        let place = (x.layout, DType::I32, 1.0);
        self.emitter.push(&name, op, inputs, place, Some(chain.end))
    }

    /// A multiple of each value and a number.
    fn whole_affine(&mut self, chain: &Chain) -> Result<Place, CompileError> {
        let node = self.node(chain.body).clone();
        let FloatOp::Affine { scale, shift, .. } = &node.op else {
            unreachable!("the caller matched")
        };
        let (scale, shift) = (
            self.integer(chain, scale[0])?,
            self.integer(chain, shift[0])?,
        );
        let x = self.whole_numbers(&node.name, node.inputs[0])?;
        let elementwise = Elementwise {
            columns: x.layout.elements(),
            scale: (ONE.0 * scale, ONE.1),
            second: (shift != 0).then(|| Operand {
                dtype: DType::I32,
                spread: Lay::One,
                multiplier: ONE.0,
                constant: Some(Constant {
                    elements: 1,
                    values: Tensor::I32(vec![shift]),
                }),
            }),
            ..Elementwise::of_rows(1)
        };
        let op = elementwise.op(&node.name, x.dtype)?;
        let place = (x.layout, DType::I32, 1.0);
        self.emitter
            .push(&node.name, op, vec![x.node], place, Some(chain.end))
    }

    /// A convolution with whole weights: running counts.
    fn whole_conv(&mut self, chain: &Chain) -> Result<Place, CompileError> {
        let node = self.node(chain.body).clone();
        let FloatOp::Conv(linear, window, groups) = &node.op else {
            unreachable!("the caller matched")
        };
        let (name, index) = (&node.name, node.inputs[0]);
        let is_byte = self.whole[index].is_some_and(|span| span.within(INT8_MAX.into()));
        let dtype = if is_byte { DType::I8 } else { DType::I16 };
        let (c, h, w) = self.image(index);
        let x = self.whole_numbers(name, index)?;
        let x = self.requantized(name, x, (dtype, 1.0))?;
        let x = self.emitter.arrange(name, x, &Layout::image(c, h, w))?;
        let (oc, oh, ow) = self.image(chain.body);
        let layout = Layout::image(oc, oh, ow);
        let addend = match chain.addend {
            Some(other) => {
                let place = self.whole_numbers(name, other)?;
                Some(self.emitter.arrange(name, place, &layout)?)
            }
            None => None,
        };
        let (low, high) = self.whole_bounds(chain);
        let weights = interleave_channels(linear, window.kernel[0] * window.kernel[1]);
        let weights: Result<Vec<i8>, CompileError> = weights
            .iter()
            .map(|&weight| {
                let weight = self.integer(chain, weight)?;
                i8::try_from(weight).map_err(|_| self.no_scale(chain.end))
            })
            .collect();
        let constants: Result<Vec<ChannelConstants>, CompileError> = linear
            .bias
            .iter()
            .map(|&bias| {
                Ok(ChannelConstants {
                    bias: self.integer(chain, bias)?,
                    multiplier: ONE.0,
                    addend_multiplier: if addend.is_some() { ONE.0 } else { 0 },
                    shift: ONE.1.into(),
                })
            })
            .collect();
        let op = Op::Conv(Conv {
            height: Dim::fixed(fit(name, h)?),
            width: Dim::fixed(fit(name, w)?),
            channels: fit(name, c)?,
            out_channels: fit(name, linear.outputs)?,
            groups: fit(name, *groups)?,
            dtype,
            window: window_ir(name, *window)?,
            linear: Linear {
                weights: weights?.into(),
                constants: constants?,
                addend: addend.as_ref().map(|place| place.dtype),
                low,
                high,
                table: None,
            },
        });
        let addend = addend.map(|place| place.node);
        let inputs = core::iter::once(x.node).chain(addend).collect();
        let target = (layout, DType::I32, 1.0);
        self.emitter.push(name, op, inputs, target, Some(chain.end))
    }

    /// A number of the float graph that is whole.
    fn integer(&self, chain: &Chain, value: f32) -> Result<i32, CompileError> {
        let integer = whole(value).and_then(|v| i32::try_from(v).ok());
        integer.ok_or_else(|| self.no_scale(chain.end))
    }
}

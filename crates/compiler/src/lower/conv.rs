//! CONV: one node, or one for each part of the groups where a step would open too much.
//!
//! ```text
//! y = conv(x)                                         a step opens rows of a window, all channels of them
//! y = concat(conv(x[.., 0..c]), conv(x[.., c..2c]))   half of them; the same integers
//! ```

use selfsame_ir::{
    ChannelConstants, Conv, DType, Dim, DimValues, Linear, Move, Op, Walk, Window, opened_bytes,
};
use selfsame_protocol::constants::{
    CONCAT_INPUTS_MAX, OPENED_BYTES_MAX, TERMS_MAX, TERMS_WIDE_MAX,
};

use super::chain::Chain;
use super::emit::{Place, fit};
use super::error::CompileError;
use super::layout::Layout;
use super::linear::interleave_channels;
use super::planes::Finer;
use super::program::{Lowering, QuantizedLinear};
use crate::float::{FloatOp, Window2};

/// Channels, height and width.
type Image = (usize, usize, usize);

impl Lowering<'_> {
    /// The convolution of a chain, with what is added and applied behind it.
    pub(super) fn conv(&mut self, chain: &Chain) -> Result<Place, CompileError> {
        let node = self.node(chain.body).clone();
        let FloatOp::Conv(linear, window, groups) = &node.op else {
            unreachable!("the caller matched")
        };
        let terms = linear.row_len();
        if terms > TERMS_MAX as usize {
            return Err(CompileError::Terms {
                node: node.name,
                terms,
                limit: TERMS_MAX as usize,
            });
        }
        let weights = interleave_channels(linear, window.kernel[0] * window.kernel[1]);
        let shape = self.shape(chain, *window, *groups)?;
        self.convolution(chain, shape, &weights, &linear.bias)
    }

    /// An average of int16, which `AVG_POOL` does not take: a convolution of each channel with itself.
    /// `None` if a step of it would open too much, in however many parts.
    pub(super) fn average_of_words(
        &mut self,
        chain: &Chain,
        window: Window2,
    ) -> Result<Option<Place>, CompileError> {
        let (c, _, _) = self.image(chain.body);
        let shape = self.shape(chain, window, c)?;
        if parts_of(&shape).is_none() {
            return Ok(None);
        }
        let cells = window.kernel[0] * window.kernel[1];
        #[expect(
            clippy::cast_precision_loss,
            reason = "a window has at most 2^24 cells"
        )]
        let weight = 1.0 / cells as f32;
        let (weights, bias) = (vec![weight; c * cells], vec![0.0; c]);
        self.convolution(chain, shape, &weights, &bias).map(Some)
    }

    /// The convolution of a chain's images without its integers: over int16, with all that a step may
    /// open beside weights.
    fn shape(&self, chain: &Chain, window: Window2, groups: usize) -> Result<Conv, CompileError> {
        let name = &self.node(chain.end).name;
        let (c, h, w) = self.image(self.node(chain.body).inputs[0]);
        let (outputs, _, _) = self.image(chain.body);
        Ok(Conv {
            height: Dim::fixed(fit(name, h)?),
            width: Dim::fixed(fit(name, w)?),
            channels: fit(name, c)?,
            out_channels: fit(name, outputs)?,
            groups: fit(name, groups)?,
            dtype: DType::I16,
            window: window_ir(name, window)?,
            linear: Linear {
                weights: Vec::new().into(),
                constants: Vec::new(),
                addend: Some(DType::I32),
                low: 0,
                high: 0,
                table: Some(Box::new([0; 256])),
            },
        })
    }

    /// The nodes of a convolution of this [shape](Self::shape).
    fn convolution(
        &mut self,
        chain: &Chain,
        mut conv: Conv,
        weights: &[f32],
        bias: &[f32],
    ) -> Result<Place, CompileError> {
        let node = self.node(chain.body).clone();
        let name = self.node(chain.end).name.clone();
        let (from, to) = (self.image(node.inputs[0]), self.image(chain.body));
        let terms = weights.len() / bias.len().max(1);
        let has_room = terms <= TERMS_WIDE_MAX as usize && parts_of(&conv).is_some();
        let layout = Layout::image(from.0, from.1, from.2);
        let input = self.product_operand(&node.name, node.inputs[0], has_room, &layout)?;
        let layout = Layout::image(to.0, to.1, to.2);
        let quantized = self.linear(chain, &input, weights, bias, &layout)?;
        let float = quantized.float;
        conv.dtype = input.dtype;
        conv.linear.addend = quantized.linear.addend;
        conv.linear.table.clone_from(&quantized.linear.table);
        // What no number of parts makes small enough is refused with its bytes when the program is checked.
        let parts = parts_of(&conv).unwrap_or(1);
        let place = self.parts(&name, &conv, &input, quantized, [from, to], parts)?;
        self.applied(chain, place, float)
    }

    /// The nodes of a convolution whose groups stand in `parts`.
    fn parts(
        &mut self,
        name: &str,
        conv: &Conv,
        input: &Place,
        quantized: QuantizedLinear,
        images: [Image; 2],
        parts: usize,
    ) -> Result<Place, CompileError> {
        let (dtype, step) = (quantized.dtype, quantized.step);
        let float = Some(quantized.float);
        let finer_step = quantized.finer.as_ref().map_or(1.0, |finer| finer.step);
        let finer = quantized.finer.map(|Finer { linear, .. }| linear);
        let mut finer = split(finer, parts).into_iter();
        let (conv, [from, to]) = (part(conv, parts), images);
        let layout = Layout::image(to.0 / parts, to.1, to.2);
        let mut places = Vec::with_capacity(parts);
        for (at, linear) in split(Some(quantized.linear), parts).into_iter().enumerate() {
            let x = self.channels(name, input, from, (at, parts))?;
            let mut addend = match &quantized.addend {
                Some(addend) => Some(self.channels(name, addend, to, (at, parts))?),
                None => None,
            };
            let inputs = |addend: Option<Place>| {
                let addend = addend.map(|place| place.node);
                core::iter::once(x.node).chain(addend).collect()
            };
            let of = |linear| {
                Op::Conv(Conv {
                    linear,
                    ..conv.clone()
                })
            };
            if let Some(finer) = finer.next() {
                let target = (layout.clone(), DType::I32, finer_step);
                let finer = self
                    .emitter
                    .push(name, of(finer), inputs(addend), target, None)?;
                addend = Some(finer);
            }
            let target = (layout.clone(), dtype, step);
            let float = float.filter(|_| parts == 1);
            let place = self
                .emitter
                .push(name, of(linear), inputs(addend), target, float)?;
            if parts == 1 {
                return Ok(place);
            }
            places.push((place, to.0 / parts));
        }
        let target = (Layout::image(to.0, to.1, to.2), dtype, step);
        self.join(name, &places, to.1 * to.2, target, float)
    }

    /// Part `at` of `parts` of the channels of an image.
    fn channels(
        &mut self,
        name: &str,
        place: &Place,
        (c, h, w): Image,
        (at, parts): (usize, usize),
    ) -> Result<Place, CompileError> {
        if parts == 1 {
            return Ok(place.clone());
        }
        let part = c / parts;
        let dim =
            |extent: usize| -> Result<Dim, CompileError> { Ok(Dim::fixed(fit(name, extent)?)) };
        let channels = Walk {
            offset: fit(name, at * part)?,
            ..Walk::along(2, dim(part)?)
        };
        let op = Op::Move(Move {
            walks: vec![Walk::along(0, dim(h)?), Walk::along(1, dim(w)?), channels],
            shape: vec![dim(h)?, dim(w)?, dim(c)?],
            fill: 0,
        });
        let target = (Layout::image(part, h, w), place.dtype, place.step);
        self.emitter.push(name, op, vec![place.node], target, None)
    }
}

/// Whether a step of `op` over `dtype` opens no more than it may.
fn fits_a_step(op: &Op, dtype: DType) -> bool {
    let opened = opened_bytes(op, dtype, &DimValues::NONE);
    opened.is_ok_and(|bytes| bytes <= u64::from(OPENED_BYTES_MAX))
}

/// The least number of parts of its groups in which a convolution fits a step, if there is one.
fn parts_of(conv: &Conv) -> Option<usize> {
    let groups = conv.groups as usize;
    let mut all =
        (1..=usize::from(CONCAT_INPUTS_MAX)).filter(|&parts| groups.is_multiple_of(parts));
    all.find(|&parts| fits_a_step(&Op::Conv(part(conv, parts)), conv.dtype))
}

/// The shape of one of `parts` of the groups of a convolution.
fn part(conv: &Conv, parts: usize) -> Conv {
    let of = |count: u32| u32::try_from(count as usize / parts).unwrap_or(count);
    Conv {
        channels: of(conv.channels),
        out_channels: of(conv.out_channels),
        groups: of(conv.groups),
        ..conv.clone()
    }
}

/// The output channels in parts; none of no node.
fn split(linear: Option<Linear>, parts: usize) -> Vec<Linear> {
    let Some(linear) = linear else {
        return Vec::new();
    };
    if parts == 1 {
        return vec![linear];
    }
    let (weights, channels) = (linear.weights.len() / parts, linear.constants.len() / parts);
    let each = linear
        .weights
        .chunks_exact(weights)
        .zip(linear.constants.chunks_exact(channels));
    let of = |(weights, constants): (&[i8], &[ChannelConstants])| Linear {
        weights: weights.to_vec().into(),
        constants: constants.to_vec(),
        table: linear.table.clone(),
        ..linear
    };
    each.map(of).collect()
}

pub(super) fn window_ir(name: &str, window: Window2) -> Result<Window, CompileError> {
    let pair = |values: [usize; 2]| -> Result<[u16; 2], CompileError> {
        Ok([fit(name, values[0])?, fit(name, values[1])?])
    };
    let (begin, end) = (pair(window.pads_begin)?, pair(window.pads_end)?);
    Ok(Window {
        kernel: pair(window.kernel)?,
        stride: pair(window.strides)?,
        pad: [begin[0], begin[1], end[0], end[1]],
        dilation: pair(window.dilations)?,
    })
}

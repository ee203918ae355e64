//! `AVG_POOL` and `MAX_POOL`.

use selfsame_ir::{AvgPool, DType, Dim, MaxPool, Op};
use selfsame_protocol::constants::SHIFT_MAX;

use super::chain::Chain;
use super::conv::window_ir;
use super::emit::{Place, fit};
use super::error::CompileError;
use super::layout::Layout;
use super::linear::clamp_bounds;
use super::program::Lowering;
use crate::float::Window2;
use crate::quant::requantizer;

impl Lowering<'_> {
    /// The average of the cells of a window, those of the padding counted as 0.
    pub(super) fn average_pool(
        &mut self,
        chain: &Chain,
        window: Window2,
    ) -> Result<Place, CompileError> {
        let node = self.node(chain.body).clone();
        let name = self.node(chain.end).name.clone();
        let (c, h, w) = self.image(node.inputs[0]);
        let of_words = self.place(node.inputs[0]).dtype != DType::I8;
        if of_words
            && self.is_sensitive()
            && let Some(place) = self.average_of_words(chain, window)?
        {
            return Ok(place);
        }
        let input = self.byte_operand(&name, node.inputs[0], &Layout::image(c, h, w))?;
        let (dtype, step) = self.output_of(chain.end)?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "a window has at most 2^24 cells"
        )]
        let cells = (window.kernel[0] * window.kernel[1]) as f64;
        let scale = || CompileError::Scale {
            node: name.clone(),
            channel: 0,
        };
        let (multiplier, shift) =
            requantizer(input.step / (cells * step), SHIFT_MAX).ok_or_else(scale)?;
        let activation = (chain.end != chain.sum).then(|| self.node(chain.end).op.clone());
        let (low, high) = clamp_bounds(activation.as_ref(), step, dtype);
        let op = Op::AvgPool(AvgPool {
            height: Dim::fixed(fit(&name, h)?),
            width: Dim::fixed(fit(&name, w)?),
            channels: fit(&name, c)?,
            window: window_ir(&name, window)?,
            multiplier: u16::try_from(multiplier).map_err(|_| scale())?,
            shift: u8::try_from(shift).map_err(|_| scale())?,
            low,
            high,
        });
        let (oc, oh, ow) = self.image(chain.body);
        let place = (Layout::image(oc, oh, ow), dtype, step);
        self.emitter
            .push(&name, op, vec![input.node], place, Some(chain.end))
    }

    /// The largest of the cells of a window.
    pub(super) fn max_pool(
        &mut self,
        chain: &Chain,
        window: Window2,
    ) -> Result<Place, CompileError> {
        let node = self.node(chain.body).clone();
        let (c, h, w) = self.image(node.inputs[0]);
        let input = self.operand(&node.name, node.inputs[0], &Layout::image(c, h, w))?;
        let op = Op::MaxPool(MaxPool {
            height: Dim::fixed(fit(&node.name, h)?),
            width: Dim::fixed(fit(&node.name, w)?),
            channels: fit(&node.name, c)?,
            window: window_ir(&node.name, window)?,
        });
        let (oc, oh, ow) = self.image(chain.body);
        let place = (Layout::image(oc, oh, ow), input.dtype, input.step);
        self.emitter
            .push(&node.name, op, vec![input.node], place, Some(chain.end))
    }
}

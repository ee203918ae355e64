//! Import of Conv, `ConvTranspose` and `BatchNormalization`.

use super::super::act::{Act, Frame, Kind};
use super::super::constant::{Const, Value};
use super::super::error::ImportError;
use super::super::graph::{FloatOp, Linear};
use super::super::run::single;
use super::super::walk::AxisWalk;
use super::super::window::{EXTENT_MAX, Window2};
use super::{Imported, NodeContext};

impl NodeContext<'_> {
    /// Two-dimensional convolution.
    pub(super) fn conv(&mut self) -> Imported {
        self.allow(&[
            "auto_pad",
            "dilations",
            "group",
            "kernel_shape",
            "pads",
            "strides",
        ])?;
        let (input, is_line) = self.picture()?;
        let mut weights = self.float_constant(1)?;
        if is_line && weights.dims.len() == 3 {
            weights.dims.insert(2, 1);
        }
        let (&[channels, height, width], &[outputs, per_group, kernel_h, kernel_w]) =
            (self.shape_of(input), weights.dims.as_slice())
        else {
            let what = format!(
                "input of shape {:?} (without batch) and weights of shape {:?}",
                self.shape_of(input),
                weights.dims
            );
            return Err(self.refuse(what, "[C][H][W] and [O][C/groups][kh][kw]", "use nn.Conv2d"));
        };
        let groups = self.groups(channels, outputs, per_group)?;
        let extents = [Some(kernel_h), Some(kernel_w)];
        if let Some(kernel) = self.ints("kernel_shape")?
            && !kernel
                .iter()
                .map(|&k| usize::try_from(k).ok())
                .eq(extents[usize::from(is_line)..].iter().copied())
        {
            let what = format!("kernel_shape {kernel:?} against weights {:?}", weights.dims);
            return Err(self.refuse(what, "equal extents", "check the model with onnx.checker"));
        }
        let window = self.window([kernel_h, kernel_w], [height, width], is_line)?;
        let (Some(out_h), Some(out_w)) = (window.output(0, height), window.output(1, width)) else {
            return Err(self.kernel_too_large(window, [height, width]));
        };
        let bias = match self.optional(2)? {
            None => vec![0.0; outputs],
            Some(_) => self.float_constant(2)?.elements.to_vec(),
        };
        if bias.len() != outputs {
            let what = format!("{} biases for {outputs} outputs", bias.len());
            return Err(self.refuse(
                what,
                "one bias per output",
                "check the model with onnx.checker",
            ));
        }
        self.spend(weights.elements.len())?;
        let linear = Linear {
            outputs,
            weights: weights.elements.to_vec(),
            bias,
        };
        let shape = vec![outputs, out_h, out_w];
        let conv = self.push(FloatOp::Conv(linear, window, groups), vec![input], shape)?;
        self.line(conv, is_line)
    }

    /// Input 0, a line `[C][L]` as the picture `[C][1][L]`; whether it was a line.
    pub(super) fn picture(&mut self) -> Result<(usize, bool), ImportError> {
        let input = self.front(0)?;
        let &[channels, length] = self.shape_of(input) else {
            return Ok((input, false));
        };
        let picture = self.push(FloatOp::Reshape, vec![input], vec![channels, 1, length])?;
        Ok((picture, true))
    }

    /// A picture `[C][1][L]` as the line `[C][L]`, if it was one.
    pub(super) fn line(&mut self, picture: usize, is_line: bool) -> Imported {
        let node = match (is_line, self.shape_of(picture)) {
            (true, &[channels, 1, length]) => self.view(picture, vec![channels, length])?,
            (true | false, _) => picture,
        };
        Ok(self.behind_batch(node, Kind::Float))
    }

    /// Convolution transposed: zeros between the cells, then a convolution with the kernel turned round.
    pub(super) fn conv_transpose(&mut self) -> Imported {
        self.allow(&[
            "auto_pad",
            "dilations",
            "group",
            "kernel_shape",
            "output_padding",
            "output_shape",
            "pads",
            "strides",
        ])?;
        let (input, is_line) = self.picture()?;
        let (input, channels, extents) = self.image_of(input)?;
        let mut weights = self.float_constant(1)?;
        if is_line && weights.dims.len() == 3 {
            weights.dims.insert(2, 1);
        }
        let &[rows, per_group, kernel_h, kernel_w] = weights.dims.as_slice() else {
            let what = format!("weights of shape {:?}", weights.dims);
            return Err(self.refuse(what, "[C][O/groups][kh][kw]", "use nn.ConvTranspose2d"));
        };
        let groups = self.int("group", 1)?;
        let groups = usize::try_from(groups).ok().filter(|&g| {
            g >= 1 && per_group >= 1 && rows == channels && channels.is_multiple_of(g)
        });
        let Some(groups) = groups else {
            let what = format!("{channels} channels, weights of shape {:?}", weights.dims);
            return Err(self.refuse(what, "groups that divide the channels", "check the model"));
        };
        let outputs = groups * per_group;
        let window = self.window([kernel_h, kernel_w], extents, is_line)?;
        let more = if is_line {
            vec![0, self.extents("output_padding", &[0], 0)?[0]]
        } else {
            self.extents("output_padding", &[0, 0], 0)?
        };
        let window = self.transposed_pads(window, extents, &more, is_line)?;
        let (apart, inner) = self.zeros_between(input, window, &more)?;
        let bias = match self.optional(2)? {
            None => vec![0.0; outputs],
            Some(_) => self.float_constant(2)?.elements.to_vec(),
        };
        if bias.len() != outputs {
            let what = format!("{} biases for {outputs} outputs", bias.len());
            return Err(self.refuse(what, "one bias per output", "check the model"));
        }
        self.spend(weights.elements.len())?;
        let linear = Linear {
            outputs,
            weights: turned(
                &weights.elements,
                [channels / groups, per_group],
                kernel_h * kernel_w,
            ),
            bias,
        };
        let stretched = self.shape_of(apart).to_vec();
        let (Some(out_h), Some(out_w)) =
            (inner.output(0, stretched[1]), inner.output(1, stretched[2]))
        else {
            return Err(self.kernel_too_large(inner, extents));
        };
        let op = FloatOp::Conv(linear, inner, groups);
        let shape = vec![outputs, out_h, out_w];
        let made = self.push(op, vec![apart], shape)?;
        self.line(made, is_line)
    }

    /// The pads of a transposed convolution whose output has a given shape, or is as many times as
    /// large as the strides say.
    fn transposed_pads(
        &self,
        mut window: Window2,
        extents: [usize; 2],
        more: &[usize],
        is_line: bool,
    ) -> Result<Window2, ImportError> {
        let auto_pad = self.text("auto_pad", "NOTSET")?;
        let same = auto_pad.starts_with("SAME");
        let wanted = match self.ints("output_shape")? {
            None if !same => return Ok(window),
            None => [0, 1].map(|axis| Some(extents[axis] * window.strides[axis])),
            Some(shape) => {
                let size = |at: usize| shape.get(at).and_then(|&v| usize::try_from(v).ok());
                if is_line {
                    [Some(1), size(shape.len().wrapping_sub(1))]
                } else {
                    [
                        size(shape.len().wrapping_sub(2)),
                        size(shape.len().wrapping_sub(1)),
                    ]
                }
            }
        };
        for axis in 0..2 {
            let whole = window.strides[axis] * (extents[axis] - 1) + more[axis] + window.span(axis);
            let total = wanted[axis].and_then(|wanted| whole.checked_sub(wanted));
            let total = total.ok_or_else(|| {
                self.refuse(
                    format!("output {wanted:?} of {extents:?} cells"),
                    "an output that the kernel reaches",
                    "export with explicit pads",
                )
            })?;
            let (less, rest) = (total / 2, total - total / 2);
            let upper = auto_pad == "SAME_UPPER";
            (window.pads_begin[axis], window.pads_end[axis]) =
                if upper { (less, rest) } else { (rest, less) };
        }
        Ok(window)
    }

    /// Input cells `strides` apart with zeros between them, and the window that runs over them.
    fn zeros_between(
        &mut self,
        input: usize,
        window: Window2,
        more: &[usize],
    ) -> Result<(usize, Window2), ImportError> {
        let shape = self.shape_of(input).to_vec();
        let mut inner = Window2 {
            strides: [1, 1],
            ..window
        };
        let mut walks = vec![AxisWalk::whole(shape[0])];
        for axis in 0..2 {
            let (begin, end) = (window.pads_begin[axis], window.pads_end[axis]);
            let reach = window.span(axis) - 1;
            let (Some(begin), Some(end)) = (
                reach.checked_sub(begin),
                (reach + more[axis]).checked_sub(end),
            ) else {
                return Err(self.refuse(
                    format!("pads {begin} and {end} for a kernel of {} cells", reach + 1),
                    "pads smaller than the kernel",
                    "use less padding",
                ));
            };
            inner.pads_begin[axis] = begin;
            inner.pads_end[axis] = end;
            walks.push(AxisWalk {
                denominator: i64::try_from(window.strides[axis]).unwrap_or(i64::MAX),
                exact: true,
                ..AxisWalk::whole((shape[axis + 1] - 1) * window.strides[axis] + 1)
            });
        }
        if window.strides == [1, 1] {
            return Ok((input, inner));
        }
        let stretched = walks.iter().map(|walk| walk.extent).collect();
        let apart = self.push(FloatOp::Walk(walks, 0.0), vec![input], stretched)?;
        Ok((apart, inner))
    }

    /// Number of groups, which must divide the channels and fit the weights.
    fn groups(
        &self,
        channels: usize,
        outputs: usize,
        per_group: usize,
    ) -> Result<usize, ImportError> {
        let groups = self.int("group", 1)?;
        let groups = usize::try_from(groups).ok().filter(|&g| {
            g >= 1
                && outputs >= 1
                && channels.is_multiple_of(g)
                && outputs.is_multiple_of(g)
                && per_group == channels / g
        });
        groups.ok_or_else(|| {
            let what = format!(
                "{channels} channels, {outputs} outputs, weights for {per_group} channels per group"
            );
            self.refuse(
                what,
                "groups that divide both",
                "check the model with onnx.checker",
            )
        })
    }

    /// Window attributes of convolutions and pools.
    pub(super) fn window(
        &self,
        kernel: [usize; 2],
        extents: [usize; 2],
        is_line: bool,
    ) -> Result<Window2, ImportError> {
        let pair = |name: &str| -> Result<Vec<usize>, ImportError> {
            if !is_line {
                return self.extents(name, &[1, 1], 1);
            }
            Ok(vec![1, self.extents(name, &[1], 1)?[0]])
        };
        let (dilations, strides) = (pair("dilations")?, pair("strides")?);
        let pads = if is_line {
            let pads = self.extents("pads", &[0, 0], 0)?;
            vec![0, pads[0], 0, pads[1]]
        } else {
            self.extents("pads", &[0, 0, 0, 0], 0)?
        };
        let mut window = Window2 {
            kernel,
            strides: [strides[0], strides[1]],
            pads_begin: [pads[0], pads[1]],
            pads_end: [pads[2], pads[3]],
            dilations: [dilations[0], dilations[1]],
        };
        if !kernel.iter().all(|&k| (1..=EXTENT_MAX).contains(&k)) {
            return Err(self.refuse(
                format!("kernel {kernel:?}"),
                "extents of 1 to 4096",
                "use a smaller kernel",
            ));
        }
        let auto_pad = self.text("auto_pad", "NOTSET")?;
        match auto_pad.as_str() {
            "NOTSET" => {}
            "VALID" => (window.pads_begin, window.pads_end) = ([0, 0], [0, 0]),
            "SAME_UPPER" | "SAME_LOWER" => {
                for (axis, extent) in extents.into_iter().enumerate() {
                    let out = extent.div_ceil(window.strides[axis]);
                    let needed = (out - 1) * window.strides[axis] + window.span(axis);
                    let total = needed.saturating_sub(extent);
                    let (less, more) = (total / 2, total - total / 2);
                    let lower = auto_pad == "SAME_LOWER";
                    window.pads_begin[axis] = if lower { more } else { less };
                    window.pads_end[axis] = if lower { less } else { more };
                }
            }
            _ => {
                return Err(self.refuse(
                    format!("attribute \"auto_pad\" = {auto_pad:?}"),
                    "NOTSET, VALID, SAME_UPPER, SAME_LOWER",
                    "export with explicit pads",
                ));
            }
        }
        Ok(window)
    }

    pub(super) fn kernel_too_large(&self, window: Window2, extents: [usize; 2]) -> ImportError {
        self.refuse(
            format!("a kernel of {:?} on an image of {extents:?}", window.kernel),
            "kernels inside the padded image",
            "use a larger input or a smaller kernel",
        )
    }

    /// A list attribute of extents from `least` to the limit, as many as in `default`.
    fn extents(
        &self,
        name: &str,
        default: &[usize],
        least: usize,
    ) -> Result<Vec<usize>, ImportError> {
        let Some(values) = self.ints(name)? else {
            return Ok(default.to_vec());
        };
        let extents: Option<Vec<usize>> = values
            .iter()
            .map(|&v| {
                usize::try_from(v)
                    .ok()
                    .filter(|n| (least..=EXTENT_MAX).contains(n))
            })
            .collect();
        extents.filter(|e| e.len() == default.len()).ok_or_else(|| {
            self.refuse(
                format!("attribute {name:?} = {:?}", &values[..values.len().min(8)]),
                &format!("{} numbers of {least} to {EXTENT_MAX}", default.len()),
                "use two spatial axes and explicit, non-negative numbers",
            )
        })
    }

    /// `y = (x - mean) / sqrt(var + epsilon) * scale + bias`, per channel.
    pub(super) fn batch_norm(&mut self) -> Imported {
        self.allow(&["epsilon", "momentum", "training_mode", "spatial"])?;
        let epsilon = f64::from(self.float("epsilon", 1e-5)?);
        if self.int("training_mode", 0)? == 1
            && let Value::Float(weights) = self.value(0)?
        {
            let weights = weights.clone();
            return self.standardised(&weights, epsilon);
        }
        self.require_int("training_mode", 0)?;
        let act = self.act(0)?;
        // Rows or pictures of all samples behind one another: the batch stands in front of none of them.
        let act = if matches!(act.dims.as_slice(), &[rows, _, ..] if rows != 1) {
            self.apart(&act, &[1])?
        } else {
            let node = self.front(0)?;
            let frame = Frame::front(self.shape_of(node));
            Act {
                node,
                dims: frame.dims,
                batch: frame.batch,
                kind: Kind::Float,
            }
        };
        let axis = act.batch.sample_axis(1);
        let shape = self.shape_of(act.node);
        let axis = axis.filter(|&axis| axis < shape.len());
        let channels = axis.map_or(0, |axis| shape[axis]);
        let mut parts = Vec::with_capacity(4);
        for index in 1..=4 {
            let part = self.float_constant(index)?;
            if part.elements.len() != channels {
                let what = format!(
                    "input {index} has {} elements for {channels} channels",
                    part.elements.len()
                );
                return Err(self.refuse(
                    what,
                    "one per channel",
                    "check the model with onnx.checker",
                ));
            }
            parts.push(part);
        }
        let mut scale = Vec::with_capacity(channels);
        let mut shift = Vec::with_capacity(channels);
        for c in 0..channels {
            let at = |index: usize| f64::from(parts[index].elements[c]);
            let factor = at(0) / (at(3) + epsilon).sqrt();
            scale.push(single(factor));
            shift.push(single(at(1) - at(2) * factor));
        }
        let op = FloatOp::Affine {
            axis: axis.unwrap_or_default(),
            scale,
            shift,
        };
        let made = self.mapped(op, &act)?;
        Ok(self.value_of(made))
    }

    /// Weights `[1][O][..]` with the mean and the variance of each output taken out of them: how
    /// weight-standardised convolutions are spelled.
    fn standardised(&mut self, weights: &Const<f32>, epsilon: f64) -> Imported {
        let (scale, shift) = (self.float_constant(1)?, self.float_constant(2)?);
        let &[1, outputs, ref rest @ ..] = weights.dims.as_slice() else {
            let what = format!("weights of shape {:?}", weights.dims);
            return Err(self.refuse(what, "[1][O][..]", "export the model in evaluation mode"));
        };
        let terms: usize = rest.iter().product();
        if terms == 0 || [&scale, &shift].iter().any(|c| c.elements.len() != outputs) {
            let what = format!("a scale or shift of weights of shape {:?}", weights.dims);
            return Err(self.refuse(
                what,
                "one for each output",
                "check the model with onnx.checker",
            ));
        }
        self.spend(weights.elements.len())?;
        #[expect(
            clippy::cast_precision_loss,
            reason = "a tensor has at most 2^28 elements"
        )]
        let count = terms as f64;
        let mut made = Vec::with_capacity(weights.elements.len());
        for (output, row) in weights.elements.chunks_exact(terms).enumerate() {
            let mean = row.iter().map(|&w| f64::from(w)).sum::<f64>() / count;
            let square = |&w: &f32| (f64::from(w) - mean).powi(2);
            let variance = row.iter().map(square).sum::<f64>() / count;
            let factor = f64::from(scale.elements[output]) / (variance + epsilon).sqrt();
            let summand = f64::from(shift.elements[output]);
            let of = |&w: &f32| single((f64::from(w) - mean) * factor + summand);
            made.extend(row.iter().map(of));
        }
        Ok(Value::Float(Const::new(weights.dims.clone(), made)))
    }
}

/// `[groups * I][O][taps]` of a transposed convolution as `[groups * O][I][taps]`, taps backwards.
fn turned(weights: &[f32], [inputs, outputs]: [usize; 2], taps: usize) -> Vec<f32> {
    let group = inputs * outputs * taps;
    let mut turned = Vec::with_capacity(weights.len());
    for start in (0..weights.len()).step_by(group) {
        for o in 0..outputs {
            for i in 0..inputs {
                let kernel = &weights[start + (i * outputs + o) * taps..][..taps];
                turned.extend(kernel.iter().rev());
            }
        }
    }
    turned
}
